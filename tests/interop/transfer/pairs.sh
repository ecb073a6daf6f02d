# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# Each peer as primary and as secondary of anserd, with each key: AXFR at the start, NOTIFY and IXFR after a change.
# Zones PEER-KEY.in come from the peer, PEER-KEY.out go to it.

peers=(bind knot nsd pdns)

each_pair() {
	local peer key
	for peer in "${peers[@]}"; do
		for key in k256 k512; do
			"$@" "$peer" "$key"
		done
	done
}

bind_pair() {
	cat >>"$work/bind/conf" <<-END
	zone "bind-$1.in" { type primary; file "$work/bind-$1.in"; allow-transfer { key $1; };
		notify explicit; also-notify { ${address[anser]} key $1; }; };
	zone "bind-$1.out" { type secondary; file "bind-$1.out"; primaries { ${address[anser]} key $1; }; };
	END
}

knot_pair() {
	cat >>"$work/knot/conf" <<-END
	  - domain: knot-$1.in
	    file: "$work/knot-$1.in"
	    acl: $1
	    notify: anser-$1
	  - domain: knot-$1.out
	    master: anser-$1
	    acl: [$1, all]
	END
}

nsd_pair() {
	cat >>"$work/nsd/conf" <<-END
	zone:
	  name: nsd-$1.in
	  zonefile: "$work/nsd-$1.in"
	  provide-xfr: ${address[anser]} $1
	  notify: ${address[anser]} $1
	  outgoing-interface: ${address[nsd]}
	  store-ixfr: yes
	  create-ixfr: yes
	zone:
	  name: nsd-$1.out
	  zonefile: "nsd-$1.out"
	  request-xfr: ${address[anser]} $1
	  allow-notify: ${address[anser]} $1
	  provide-xfr: 127.0.0.0/8 NOKEY
	  outgoing-interface: ${address[nsd]}
	END
}

pdns_pair() {
	pdns_util load-zone "pdns-$1.in" "$work/pdns-$1.in"
	pdns_util set-kind "pdns-$1.in" primary
	pdns_meta "pdns-$1.in" TSIG-ALLOW-AXFR "$1"
	pdns_meta "pdns-$1.in" ALSO-NOTIFY "${address[anser]}"
	pdns_util create-secondary-zone "pdns-$1.out" "${address[anser]}"
	pdns_meta "pdns-$1.out" AXFR-MASTER-TSIG "$1"
	pdns_meta "pdns-$1.out" IXFR 1
}

pair_files() {
	zone "$1-$2.in" "$3" >"$work/$1-$2.in"
	zone "$1-$2.out" "$3" >"$work/$1-$2.out"
}

# Called as each_pair does, with the version in front.
pair_version() {
	pair_files "$2" "$3" "$1"
}

pair_in_anser() {
	cat >>"$work/anser/conf" <<-END
	  - {name: $1-$2.in, primaries: $1-$2}
	  - {name: $1-$2.out, file: "$work/$1-$2.out", allow-transfer: $2, notify: $1-$2}
	END
}

pair_begin() {
	pair_in_anser "$1" "$2"
	"$1_pair" "$2"
}

# pair_equal VERSION PEER KEY: the version is at both ends of both zones, and the contents are the same.
pair_equal() {
	local version=$1 pair=$2-$3
	reached "$2 → anserd, $3: serial $version" 20 at anser "$pair.in" "$version"
	same_zone "$2 → anserd, $3: the same zone at $version" "$work/$pair.in" ctl zone dump "$pair.in"
	reached "anserd → $2, $3: serial $version" 20 at "$2" "$pair.out" "$version"
	same_zone "anserd → $2, $3: the same zone at $version" "$work/$pair.out" fetch "$2" "$pair.out"
}

# Before all others, and until they have come: PowerDNS gives a transfer up when somebody else writes in its database.
pdns_change() {
	local key
	for key in k256 k512; do
		pdns_util load-zone "pdns-$key.in" "$work/pdns-$key.in"
	done
	for key in k256 k512; do
		reached "pdns → anserd, $key: NOTIFY is heeded" 20 at anser "pdns-$key.in" 2
	done
}

# PowerDNS gives out no differences; it takes them. NSD 4.6 makes some that add what both versions have, which we do not take.
pair_by_ixfr() {
	local kind=IXFR
	case $1 in
	pdns)
		kind=AXFR
		;;
	nsd)
		kind=AXFR
		check "nsd → anserd, $2: its IXFR does not fit, and is said to" \
			has "zone nsd-$2.in.: IXFR from nsd-$2: nsd-$2.in. MX: 10 mail.nsd-$2.in.: is to be added and is there already" cat "$work/anser/log"
		;;
	esac
	check "$1 → anserd, $2: by $kind" has "zone $1-$2.in.: serial 2 by $kind from $1-$2" cat "$work/anser/log"
	check "anserd → $1, $2: by IXFR" has "zone $1-$2.out.: ixfr to ${address[$1]}" cat "$work/anser/log"
}

pair_refused() {
	same "anserd gives $1-$2.out to nobody without the key" "" "$(fetch anser "$1-$2.out" | grep -v '^;')"
}

scenario_pairs() {
	local peer
	for peer in anser "${peers[@]}"; do
		"${peer}_begin"
	done
	echo "zones:" >>"$work/anser/conf"
	each_pair pair_version 1
	each_pair pair_begin
	for peer in "${peers[@]}" anser; do
		"${peer}_start"
	done
	each_pair pair_equal 1
	each_pair pair_refused
	each_pair pair_version 2
	pdns_change
	for peer in bind knot nsd anser; do
		reload "$peer"
	done
	each_pair pair_equal 2
	each_pair pair_by_ixfr
	same "no NOTIFY of anserd's failed" 0 "$(ctl metrics | sed -n 's/^anser_notifies_sent_total{result="failed"} //p')"
}
