# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The checks that every kind of port has to pass, for a daemon that runs with the example zones.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A set that fits into no UDP answer, for truncation.
big_zone() {
	local i
	{
		echo "\$TTL 60"
		echo "@ SOA ns hostmaster 1 7200 1800 1209600 300"
		echo "@ NS ns"
		echo "ns A 192.0.2.1"
		for i in {1..40}; do
			printf '@ TXT "%02d %s"\n' "$i" "$(printf 'x%.0s' {1..97})"
		done
	} >"$work/zones/big.test.zone"
	echo "  - {name: big.test, file: big.test.zone}"
}

# port_start MODE PORT-LINES: the daemon with the example zones.
port_start() {
	config "$1" "$2" "$(demo_zones; big_zone)"
	server_start
}

check_service() {
	tap client /usr/bin/python3 "$anser_src/tests/system/service.py" "$@"
}

# signed_answer OPTIONS...: status and data of a signed question for www.example.com, if dig verified the reply.
signed_answer() {
	client dig +tries=1 +time=3 -y "hmac-sha256:$key_name:$key_secret" "$@" www.example.com >"$work/signed.out" 2>&1
	if grep -q "Couldn't verify" "$work/signed.out" || ! grep -q "TSIG.* NOERROR" "$work/signed.out"; then
		cat "$work/signed.out"
		return
	fi
	awk '/status:/ { sub(/.*status: /, ""); sub(/,.*/, ""); status = $0 } /^www/ { data = $NF } END { print status, data }' \
		"$work/signed.out"
}

# check_punts TRANSPORT...: what is signed, and whatever else is left to control, comes back by the port that it came on.
check_punts() {
	local server transport before after
	before=$(metric anser_punt_replies_total)
	for server in "$server4" "$server6"; do
		for transport in "$@"; do
			same "a signed question to $server over $transport" "NOERROR 192.0.2.80" \
				"$(signed_answer @"$server" "$([ "$transport" = udp ] && echo +notcp || echo +tcp)")"
		done
	done
	check "a wrong key is told by NOTAUTH" \
		client sh -c "dig +tries=1 -y hmac-sha256:$key_name:d3Jvbmc= @$server4 www.example.com | grep -q 'status: NOTAUTH'"
	check "NOTIFY gets an answer" client sh -c "dig +tries=1 +opcode=notify @$server4 example.com SOA | grep -q 'opcode: NOTIFY'"
	after=$(metric anser_punt_replies_total)
	same "control's answers are counted" $((2 * $# + 2)) $((after - before))
	all_accounted
}

# ARP, ND and echo: from the kernel where it shares the port, from us where it does not.
check_neighbours() {
	local device=$1 server
	for server in "$server4" "$server6"; do
		check "ping $server" client ping -n -c 3 -i 0.2 -W 2 "$server"
		check "the client's kernel knows where $server is" \
			client sh -c "ip neigh show $server dev $device | grep -q lladdr"
	done
}

# Every packet is answered, handed to the kernel or counted under one reason (counters.h).
check_counters() {
	local before after
	before=$(metric anser_received_total)
	# shellcheck disable=SC2016
	client sh -c 'for i in 1 2 3 4 5; do dig +short +tries=1 @"$0" www.example.com; done' "$server4" >/dev/null
	sleep 0.3
	after=$(metric anser_received_total)
	check "received packets are counted ($before, then $after)" [ "$after" -ge $((before + 5)) ]
	all_accounted
}

# An idle server leaves the core to others.
check_idle() {
	local before used
	sleep 1
	before=$(cpu_ticks)
	sleep 4
	used=$(($(cpu_ticks) - before))
	note "idle: $used ticks of CPU in 4 s"
	check "an idle server uses less than a tenth of a core" [ "$used" -lt $((4 * $(getconf CLK_TCK) / 10)) ]
}

without_xdp() {
	! netns_exec "$server_ns" ip -d link show "$1" | grep 'prog/xdp'
}

# check_stop DEVICE: ends by itself, and leaves the interface as it was.
check_stop() {
	check "SIGTERM ends it with exit code 0" server_stop
	if [ -n "$1" ]; then
		check "no XDP program is left on $1" without_xdp "$1"
	fi
}
