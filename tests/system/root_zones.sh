# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Versions of the root zone: real ones from ANSER_REAL_ZONES, or made up in the same shape where that folder is missing.
# shellcheck source=port.sh
. "$(dirname "${BASH_SOURCE[0]}")/port.sh"

real_zones=${ANSER_REAL_ZONES:-$anser_src/../shared/zones}/root

generate() {
	/usr/bin/python3 "$anser_src/tests/tools/gen_zone.py" root-like "$@"
}

# signed_root_zone FILE: the whole zone with NSEC, RRSIG, DS and DNSKEY.
signed_root_zone() {
	if [ -e "$real_zones/root-2018012900.zone.xz" ]; then
		note "the root zone of 2018-01-29"
		xz -dc "$real_zones/root-2018012900.zone.xz" >"$1"
		return
	fi
	note "no real root zone at $real_zones: one of the same shape"
	generate --serial 2018012900 >"$work/unsigned.zone"
	(
		mkdir -p "$work/keys"
		cd "$work/keys"
		dnssec-keygen -a 13 -f KSK .
		dnssec-keygen -a 13 .
		cat ./K*.key >>"$work/unsigned.zone"
		dnssec-signzone -x -O full -o . -f "$1" "$work/unsigned.zone"
	) >"$work/sign.log" 2>&1
}

# root_versions DIRECTORY: five successive unsigned versions; prints their names.
root_versions() {
	local i file
	mkdir -p "$1"
	for i in 1 2 3 4 5; do
		file=$1/version-$i.zone
		if [ -d "$real_zones" ]; then
			xz -dc "$(find "$real_zones" -name 'root-*.zone.xz' | sort | sed -n "$((i + 1))p")" >"$file"
		else
			generate --serial "$i" >"$file"
			printf 'version. 86400 IN NS ns%d.version.\nns%d.version. 86400 IN A 192.0.2.%d\n' "$i" "$i" "$i" >>"$file"
		fi
		echo "$file"
	done
}
