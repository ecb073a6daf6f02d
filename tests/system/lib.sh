# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the system tests share: TAP, two namespaces joined by a veth pair, and a daemon between start and stop.
# shellcheck source=../../deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"

: "${ANSER_BUILD:?the build to test}" "${ANSER_LOGS:?a directory for this run}"
work=$ANSER_LOGS
server_ns=anser-t$$-srv
client_ns=anser-t$$-cli
server4=10.53.0.1 server6=fd53::1
key_name=test.key key_secret=dGhlIHNlY3JldCBvZiB0aGUgc3lzdGVtIHRlc3Rz
server_pid=
server_log=$work/anserd.log
helper_pids=()
n_failed=0

# -------- TAP --------

pass() {
	echo "ok - $*"
}

# fail NAME [DETAIL]
fail() {
	n_failed=$((n_failed + 1))
	echo "not ok - $1"
	if [ $# -gt 1 ]; then
		printf '#   %s\n' "${2//$'\n'/$'\n#   '}"
	fi
}

# check NAME COMMAND...: passes when the command succeeds; its output is the detail when not.
check() {
	local name=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then # no subshell: the command may change our variables
		pass "$name"
	else
		fail "$name" "$(cat "$work/check.log")"
	fi
}

# same NAME WANTED GOT
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got '$3', wanted '$2'"
	fi
}

# tap COMMAND...: a program that prints TAP itself.
tap() {
	"$@" || n_failed=$((n_failed + 1))
}

note() {
	echo "# $*"
}

finish() {
	exit $((n_failed > 0))
}

# -------- network --------

net_down() {
	local pid
	server_stop >/dev/null 2>&1 || true
	for pid in "${helper_pids[@]}"; do
		stop_process "$pid" 5 || true
	done
	helper_pids=()
	netns_remove "$server_ns"
	netns_remove "$client_ns"
}

# Namespaces of runs that were killed: their names tell whose they were.
net_sweep() {
	local name owner
	for name in /run/netns/anser-t*; do
		[ -e "$name" ] || continue
		owner=${name##*/anser-t}
		if process_gone "${owner%%-*}"; then
			netns_remove "${name##*/}"
		fi
	done
}

# namespaces: the two of them, empty, gone again when the test ends.
namespaces() {
	need_root
	net_sweep
	trap net_down EXIT
	trap 'exit 130' INT TERM HUP
	ip netns add "$server_ns"
	ip netns add "$client_ns"
	netns_exec "$server_ns" ip link set lo up
	netns_exec "$client_ns" ip link set lo up
}

# net_up [QUEUES]: both namespaces and the veth pair between them.
net_up() {
	local queues=${1:-1}
	namespaces
	netns_exec "$server_ns" ip link add srv0 numrxqueues "$queues" numtxqueues "$queues" type veth \
		peer name cli0 numrxqueues "$queues" numtxqueues "$queues" netns "$client_ns"
	netns_exec "$server_ns" ip addr add "$server4/24" dev srv0
	netns_exec "$server_ns" ip addr add "$server6/64" dev srv0 nodad
	netns_exec "$server_ns" ip link set srv0 up
	client_address cli0
}

# client_address DEVICE: the client's addresses on it.
client_address() {
	netns_exec "$client_ns" ip addr add 10.53.0.2/24 dev "$1"
	netns_exec "$client_ns" ip addr add fd53::2/64 dev "$1" nodad
	netns_exec "$client_ns" ip link set "$1" up
}

# own_port_addresses: where no kernel interface is the port, the service addresses live on lo, as on any anycast host.
own_port_addresses() {
	netns_exec "$server_ns" ip addr add "$server4/32" dev lo
	netns_exec "$server_ns" ip addr add "$server6/128" dev lo nodad
}

# wire_to_client: the other end of such a port, wire0, goes to the client.
wire_to_client() {
	netns_exec "$server_ns" ip link set wire0 netns "$client_ns"
	client_address wire0
}

# exception_addresses: on the exception TAP, too, as on the NIC that it stands for: IPv6 answers for no address elsewhere.
exception_addresses() {
	netns_exec "$server_ns" ip addr add "$server4/24" dev anser-x0
	netns_exec "$server_ns" ip addr add "$server6/64" dev anser-x0 nodad
}

client() {
	netns_exec "$client_ns" "$@"
}

# helper COMMAND...: in the background, in the server's namespace, ended with the test.
helper() {
	netns_daemon "$server_ns" "$@" >>"$work/helper.log" 2>&1 </dev/null &
	helper_pids+=($!)
}

# -------- the daemon --------

# config MODE PORTS ZONE-LINES: writes $work/anser.yaml. No PORTS: none in the file.
config() {
	mkdir -p "$work/run" "$work/state"
	cat >"$work/anser.yaml" <<-END
	server:
	  identity: under-test
	  version: "test"
	  listen: [$server4, "$server6"]
	  state-dir: $work/state
	  run-dir: $work/run
	  zone-dir: $work/zones
	  user: ""
	dataplane:
	  mode: $1
	${2:+  ports: [$2]}
	  cores: "${cores:-0}"
	  memory: 128MiB
	  hugepages: off
	keys:
	  - {id: $key_name, algorithm: hmac-sha256, secret: $key_secret}
	zones:
	$3
	END
}

# demo_zones: the shipped example zones into $work/zones; prints their lines for config().
demo_zones() {
	local name
	mkdir -p "$work/zones"
	cp "$anser_src"/deploy/demo/zones/* "$work/zones/"
	for name in example.com example.net signed.example all-types.example 2.0.192.in-addr.arpa; do
		echo "  - {name: $name, file: $name.zone}"
	done
}

ctl() {
	"$ANSER_BUILD/anserctl" -s "$work/run/anser.sock" "$@"
}

# is_up: it answers on its control socket, and every zone that can be loaded is.
is_up() {
	ctl metrics | grep -xF 'anser_zones{state="loading"} 0' >/dev/null # not -q: that ends the pipe early
}

is_up_or_gone() {
	process_gone "$server_pid" || is_up
}

# server_start: the daemon in its namespace; a test that cannot have one ends here.
server_start() {
	rm -f "$work/run/anser.sock"
	netns_daemon "$server_ns" "$ANSER_BUILD/anserd" -c "$work/anser.yaml" >>"$server_log" 2>&1 </dev/null &
	server_pid=$!
	if wait_until 30 is_up_or_gone && is_up 2>/dev/null; then
		pass "the daemon starts"
	else
		fail "the daemon starts" "$(tail -n 20 "$server_log")"
		finish
	fi
}

# server_stop: true if it ended by itself with code 0.
server_stop() {
	local pid=$server_pid
	[ -n "$pid" ] || return 0
	server_pid=
	stop_process "$pid" 10 || return 1
	wait "$pid"
}

# metric NAME: sum of the samples of that name.
metric() {
	ctl metrics | awk -v name="$1" '{ sample = $1; sub(/{.*/, "", sample) } sample == name { sum += $2 } END { printf "%d\n", sum }'
}

# packets: what came in and what became of it, from one answer of the daemon: "received accounted-for".
packets() {
	ctl metrics | awk '{ sample = $1; sub(/{.*/, "", sample) }
		sample == "anser_received_total" { received += $2 }
		sample ~ /^anser_(answered|to_kernel|dropped)_total$/ { accounted += $2 }
		END { print received + 0, accounted + 0 }'
}

# all_accounted: every packet received was answered, given to the kernel or dropped for one reason. Looks when the port has
# been quiet for a moment: neighbour discovery goes on in the background, and packets on their way are in no count yet.
all_accounted() {
	local last="" now
	for _ in $(seq 50); do
		now=$(packets)
		[ "$now" != "$last" ] || break
		last=$now
		sleep 0.2
	done
	same "received = answered + to the kernel + dropped" "${now% *}" "${now#* }"
}

# resident: the daemon's memory in KiB.
resident() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$server_pid/status"
}

# cpu_ticks: what the daemon has used, in clock ticks.
cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$server_pid/stat"
}
