# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# Successive versions of the root zone flow Knot → anserd → NSD: signed at first where there is a real one, then without signatures.

root_servers() {
	knot_begin
	anser_begin
	nsd_begin
	cat >>"$work/knot/conf" <<-END
	  - domain: .
	    file: "$work/root.zone"
	    acl: k256
	    notify: anser-k256
	END
	cat >>"$work/anser/conf" <<-END
	zones:
	  - {name: ., primaries: knot-k256, allow-transfer: k512, notify: nsd-k512}
	END
	cat >>"$work/nsd/conf" <<-END
	zone:
	  name: .
	  zonefile: "out"
	  request-xfr: ${address[anser]} k512
	  allow-notify: ${address[anser]} k512
	  provide-xfr: 127.0.0.0/8 NOKEY
	END
	knot_start
	anser_start
	nsd_start
}

# root_flows FILE: the version in the file reaches the end, and is the same on the way.
root_flows() {
	local version began_ms
	version=$(awk '$4 == "SOA" || $3 == "SOA" { for (i = 4; i <= NF; i++) if ($i ~ /^[0-9]+$/) { print $i; exit } }' "$1")
	began_ms=$(date +%s%3N)
	reached "root, $version: reaches NSD" 30 at nsd . "$version"
	note "root, $version: Knot → anserd → NSD in $(($(date +%s%3N) - began_ms)) ms"
	same_zone "root, $version: the same at anserd" "$1" ctl zone dump .
	same_zone "root, $version: the same at NSD" "$1" fetch nsd .
}

scenario_root() {
	local files file n
	mkdir -p "$work/versions"
	mapfile -t files < <(root_versions "$work/versions")
	if [ -d "$real_zones" ]; then
		signed_root_zone "$work/versions/signed.zone"
		files=("$work/versions/signed.zone" "${files[@]}")
	fi
	cp "${files[0]}" "$work/root.zone"
	root_servers
	root_flows "${files[0]}"
	n=0
	for file in "${files[@]:1}"; do
		! cmp -s "$file" "$work/root.zone" || continue
		n=$((n + 1))
		cp "$file" "$work/root.zone"
		reload knot
		root_flows "$file"
	done
	same "root: all but the first came by IXFR" "$n" "$(grep -c "zone .: serial .* by IXFR" "$work/anser/log")"
	same "root: as many went on by IXFR" "$n" "$(transfers out ixfr sent)"
	grep -E "zone \.: (serial|.xfr)" "$work/anser/log" | sed 's/^[^ ]* anserd info: /# /'
}
