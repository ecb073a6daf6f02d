# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# UPDATE by nsupdate and knsupdate: to anserd, and through a secondary of ours to anserd and to BIND.

# Each question once: a second one, because the machine is busy, would find its prerequisites changed by the first.
nsupdate=(nsupdate -t 20 -u 20 -r 0)
knsupdate=(knsupdate -t 20 -r 0)

updates_servers() {
	bind_begin
	anser_begin
	anser_begin other
	zone upd.example 10 >"$work/upd.zone"
	zone upd.bind 10 >"$work/upd.bind"
	cat >>"$work/bind/conf" <<-END
	zone "upd.bind" { type primary; file "$work/upd.bind"; allow-update { key k256; key k512; }; ixfr-from-differences no;
		notify explicit; also-notify { ${address[anser]} port 53; ${address[other]}; }; };
	END
	cat >>"$work/anser/conf" <<-END
	zones:
	  - name: upd.example
	    file: "$work/upd.zone"
	    allow-update: [k256, k512]
	    allow-transfer: all
	    notify: other
	    update-policy:
	      - {key: k256, name: ["upd.example", "*.upd.example"], types: ANY}
	      - {key: k512, name: "*.dyn.upd.example", types: [A, TXT]}
	END
	cat >>"$work/other/conf" <<-END
	zones:
	  - {name: upd.example, primaries: anser, forward-updates: true, allow-notify: all}
	  - {name: upd.bind, primaries: bind, forward-updates: true}
	END
	bind_start
	anser_start
	ready anser upd.example 10
	ready bind upd.bind 10
	anser_start other
	reached "updates: the secondary has both zones" 20 eval "at other upd.example 10 && at other upd.bind 10"
}

# update SERVER ZONE TOOL [OPTION...]: the commands of stdin. The tool's words are the output.
update() {
	local server=$1 zone=$2
	shift 2
	{
		echo "server ${address[$server]}"
		echo "zone $zone"
		cat
		echo send
	} | "$@" 2>&1
}

# value SERVER NAME TYPE
value() {
	ask "$@" +short | sort | tr '\n' ' '
}

# has_value WANTED SERVER NAME TYPE
has_value() {
	[ "$(value "${@:2}")" = "$1" ] || { value "${@:2}"; return 1; }
}

# updates_by TOOL SERVER ZONE HOST OPTIONS...: the usual changes, and what must not be.
updates_by() {
	local label=$1 server=$2 zone=$3 host=$4 said
	shift 4
	same "$label: a record is added" "" "$(update "$server" "$zone" "$@" <<<"update add $host.$zone. 60 A 192.0.2.7")"
	reached "$label: it is served" 10 has_value "192.0.2.7 " "$server" "$host.$zone" A
	same "$label: a set is replaced" "" "$(update "$server" "$zone" "$@" <<-END
		prereq yxrrset $host.$zone. IN A 192.0.2.7
		update delete $host.$zone. A
		update add $host.$zone. 60 A 192.0.2.8
		update add $host.$zone. 60 A 192.0.2.9
		update add $host.$zone. 60 TXT "with; strange\\"letters"
	END
	)"
	reached "$label: the new set is served" 10 has_value "192.0.2.8 192.0.2.9 " "$server" "$host.$zone" A
	said=$(update "$server" "$zone" "$@" <<-END
		prereq nxrrset $host.$zone. A
		update add $host.$zone. 60 A 192.0.2.66
	END
	) || true
	check "$label: a prerequisite that does not hold: YXRRSET" has YXRRSET echo "$said"
	said=$(update "$server" "$zone" "$@" <<-END
		prereq nxdomain $host.$zone.
		update delete $host.$zone.
	END
	) || true
	check "$label: a name that should not be there: YXDOMAIN" has YXDOMAIN echo "$said"
	same "$label: nothing of these was done" "192.0.2.8 192.0.2.9 " "$(value "$server" "$host.$zone" A)"
	same "$label: a name is deleted" "" "$(update "$server" "$zone" "$@" <<-END
		prereq yxdomain $host.$zone.
		update delete $host.$zone.
	END
	)"
	reached "$label: it is gone" 10 has NXDOMAIN ask "$server" "$host.$zone" A
}

updates_refused() {
	local said
	said=$(update anser upd.example "${nsupdate[@]}" <<<"update add evil.upd.example. 60 A 192.0.2.66") || true
	check "updates: without a key: REFUSED" has REFUSED echo "$said"
	said=$(update anser upd.example "${nsupdate[@]}" -y "hmac-sha256:k256:$(printf wrong | base64)" <<<"update add evil.upd.example. 60 A 192.0.2.66") || true
	check "updates: with a wrong secret: BADSIG" has BADSIG echo "$said"
	said=$(update anser upd.example "${nsupdate[@]}" -y "${secret_of[k512]}" <<<"update add evil.upd.example. 60 A 192.0.2.66") || true
	check "updates: outside of the key's policy: REFUSED" has REFUSED echo "$said"
	said=$(update other upd.example "${nsupdate[@]}" -y "${secret_of[k512]}" <<<"update add evil.upd.example. 60 A 192.0.2.66") || true
	check "updates: the same through the secondary: REFUSED" has REFUSED echo "$said"
	same "updates: none of these was done" NXDOMAIN "$(rcode anser evil.upd.example A)"
}

# updates_flow LABEL PRIMARY SECONDARY ZONE: what was changed at the primary is at the secondary, by IXFR.
updates_flow() {
	local serial
	serial=$(serial "$2" "$4")
	reached "$1: the secondary follows" 10 at "$3" "$4" "$serial"
	fetch "$2" "$4" >"$work/$4.now"
	same_zone "$1: with the same zone" "$work/$4.now" ctl_of "$3" zone dump "$4"
	check "$1: by IXFR" has "zone $4.: serial $serial by IXFR from $2" cat "$work/$3/log"
}

scenario_updates() {
	updates_servers
	updates_by "nsupdate over UDP" anser upd.example a "${nsupdate[@]}" -y "${secret_of[k256]}"
	updates_by "nsupdate over TCP" anser upd.example b "${nsupdate[@]}" -v -y "${secret_of[k256]}"
	updates_by "knsupdate over UDP" anser upd.example c "${knsupdate[@]}" -y "${secret_of[k256]}"
	updates_by "knsupdate over TCP" anser upd.example d "${knsupdate[@]}" -v -y "${secret_of[k256]}"
	updates_by "nsupdate with sha512" anser upd.example x.dyn "${nsupdate[@]}" -y "${secret_of[k512]}"
	updates_by "nsupdate, forwarded to anserd" other upd.example e "${nsupdate[@]}" -y "${secret_of[k256]}"
	updates_by "knsupdate, forwarded to anserd over TCP" other upd.example f "${knsupdate[@]}" -v -y "${secret_of[k256]}"
	updates_by "nsupdate, forwarded to BIND" other upd.bind g "${nsupdate[@]}" -y "${secret_of[k256]}"
	updates_by "knsupdate, forwarded to BIND" other upd.bind h "${knsupdate[@]}" -y "${secret_of[k512]}"
	updates_refused
	updates_flow "updates of anserd" anser other upd.example
	updates_flow "updates of BIND" bind other upd.bind
}
