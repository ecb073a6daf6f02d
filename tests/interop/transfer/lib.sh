# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scenarios share: TAP, waiting, servers between start and stop, and zones compared. Sourced by run.
# shellcheck source=../../system/root_zones.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/root_zones.sh"
here=$anser_src/tests/interop/transfer
# shellcheck source=servers.sh
. "$here/servers.sh"

# -------- waiting --------

# poll SECONDS COMMAND...: true as soon as the command succeeds; looks every 0.05 s.
poll() {
	local patience=1 end_us=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end_us" ] || return 1
		sleep 0.05
	done
}

# reached NAME SECONDS COMMAND...: a test that the command succeeds within the time. What it says at last is the detail.
reached() {
	local name=$1 seconds=$2
	shift 2
	if poll "$seconds" "$@"; then
		pass "$name"
	else
		fail "$name" "within $seconds s not: $*
$("$@" 2>&1 | tail -n 20 || true)"
	fi
}

# has TEXT COMMAND...: its output has the text.
has() {
	local text=$1
	shift
	"$@" 2>&1 | grep -F -- "$text"
}

# said SERVER TEXT: its log has the text.
said() {
	grep -F -- "$2" "$work/$1/log"
}

# -------- asking --------

# ask SERVER NAME TYPE [OPTION...]: once and patiently, for a machine with other work; inside of poll, where it comes again, not.
ask() {
	local server=$1
	shift
	kdig +nocookie +retry=0 "+timeout=${patience:-15}" "@${address[$server]}" "$@"
}

serial() {
	ask "$1" "$2" SOA +short | awk '{ print $3 }'
}

# at SERVER ZONE SERIAL: it serves that version.
at() {
	local is
	is=$(serial "$1" "$2")
	[ "$is" = "$3" ] || { echo "$1 has ${is:-nothing} of $2"; return 1; }
}

# ready SERVER ZONE SERIAL: waits for it; a peer that does not come up ends everything.
ready() {
	poll 20 at "$@" || { fail "$1 starts" "$(tail -n 5 "$work/$1/log")"; finish; }
}

# rcode SERVER NAME TYPE
rcode() {
	ask "$@" | sed -n 's/.*status: \([A-Z]*\);.*/\1/p'
}

answers() {
	[ "$(rcode "$1" "$2" SOA)" = "$3" ]
}

# ctl COMMAND...: to anserd; ctl_of SERVER COMMAND...: to another one.
ctl() {
	ctl_of anser "$@"
}

ctl_of() {
	local server=$1
	shift
	"$ANSER_BUILD/anserctl" -s "$work/$server/run/anser.sock" "$@"
}

# zone_status ZONE JQ-FILTER: of anserd's.
zone_status() {
	ctl --json zone status "$1" | jq -r ".result | $2"
}

status_has() {
	zone_status "$1" "$2" | grep -F -- "$3"
}

# transfers DIRECTION KIND RESULT: how many anserd has counted.
transfers() {
	ctl metrics | sed -n "s/^anser_transfers_total{direction=\"$1\",kind=\"$2\",result=\"$3\"} //p"
}

# -------- zones --------

# zone APEX SERIAL [TIMERS] [LINE...]: a zone file. Two versions differ in the SOA, in one record that both have, and in one that comes and
# one that goes, and are much larger than what differs.
zone() {
	local apex=$1 serial=$2 timers=${3:-3600 600 86400 300} i
	shift $(($# < 3 ? $# : 3))
	cat <<-END2
	\$ORIGIN $apex.
	\$TTL 600
	@ SOA ns hostmaster $serial $timers
	@ NS ns
	@ NS ns.elsewhere.example.net.
	@ MX 10 mail
	@ CAA 0 issue "ca.example.net"
	ns A 192.0.2.53
	ns AAAA 2001:db8::53
	mail A 192.0.2.25
	*.wild TXT "a wildcard" "in two strings"
	sub NS ns.sub
	sub DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
	ns.sub A 192.0.2.99
	alias CNAME mail
	_sip._tcp SRV 1 2 5060 mail
	svc HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80
	strange TYPE65281 \\# 3 010203
	version TXT "$serial"
	only-in-$serial A 192.0.2.$((serial % 250 + 1))
	END2
	for i in $(seq 60); do
		echo "host$i A 10.0.0.$i"
		echo "host$i AAAA 2001:db8::$i"
	done
	printf '%s\n' "$@"
}

# canonical: a zone on stdin, in one order and one writing; the names' letters apart, the same zone gives the same text.
canonical() {
	ldns-read-zone -c -z /dev/stdin
}

# fetch SERVER ZONE [KEY]: the zone by AXFR.
fetch() {
	dig +onesoa +nocmd +nostats +nocomments +noquestion +time=5 ${3:+-y "${secret_of[$3]}"} "@${address[$1]}" "$2" AXFR
}

# same_zone NAME FILE COMMAND...: the command prints the zone that the file has.
same_zone() {
	local name=$1 file=$2
	shift 2
	canonical <"$file" >"$work/wanted.zone"
	"$@" 2>"$work/got.errors" | canonical >"$work/got.zone" 2>>"$work/got.errors" || true
	if [ -s "$work/got.zone" ] && cmp -s "$work/wanted.zone" "$work/got.zone"; then
		pass "$name"
	else
		fail "$name" "$(diff "$work/wanted.zone" "$work/got.zone" | head -n 10; head -n 5 "$work/got.errors")"
	fi
}
