# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the scripts of deploy/ and tests/: source it first. It fixes PATH, so that what is found does not depend on
# the caller, and sets `anser_src` to the top of the checkout.

set -euo pipefail
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8
anser_src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# The checkout may belong to another user than the one who runs this (git refuses to look at it otherwise).
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$anser_src"

# say TEXT...: one progress line, with the seconds since the script began.
say() {
	printf '[%4d s] %s\n' "$SECONDS" "$*"
}

# die TEXT...: says why, and ends the script.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "must be run as root (network namespaces, packages)"
}

# logged FILE COMMAND...: runs it with all output in FILE, of which the end is shown when it fails.
logged() {
	local log=$1 rc=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ "$rc" -ne 0 ]; then
		printf '%s: failed with %d; the end of %s:\n' "$1" "$rc" "$log" >&2
		tail -n 40 "$log" >&2
	fi
	return "$rc"
}

# wait_until SECONDS COMMAND...: true as soon as the command succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# stop_process PID [SECONDS]: SIGTERM, and SIGKILL if that was not obeyed in time. True if it ended by itself.
stop_process() {
	local pid=$1 patience=${2:-10}
	kill -TERM "$pid" 2>/dev/null || return 0
	if wait_until "$patience" process_gone "$pid"; then
		return 0
	fi
	kill -KILL "$pid" 2>/dev/null || true
	return 1
}

# process_gone PID: true if it does not run (a zombie does not).
process_gone() {
	local state
	state=$(ps -o stat= -p "$1" 2>/dev/null) || return 0
	[ "${state:0:1}" = Z ]
}

# netns_exec NAME COMMAND...: the command in the network namespace. Not `ip netns exec` nor `ip -n`: those want to change how
# mounts below / propagate, which a plain chroot cannot have.
netns_exec() {
	local name=$1
	shift
	nsenter --net="/run/netns/$name" "$@"
}

# netns_daemon NAME COMMAND...: the same for what loads XDP programs: with a /sys that shows the namespace's interfaces, and the
# file system for BPF objects, both of its own and gone with it. The process keeps the caller's child's pid.
netns_daemon() {
	local name=$1
	shift
	# shellcheck disable=SC2016 # the inner shell expands "$@"
	exec nsenter --net="/run/netns/$name" unshare --mount --propagation unchanged sh -ec '
		mount --make-rslave /sys
		mount -t sysfs sysfs /sys
		mount -t bpf bpf /sys/fs/bpf
		exec "$@"' sh "$@"
}

# netns_remove NAME: ends what runs in the namespace and removes it, with its interfaces. Quiet if there is none.
netns_remove() {
	local pid
	[ -e "/run/netns/$1" ] || return 0
	for pid in $(ip netns pids "$1" 2>/dev/null); do
		stop_process "$pid" 5 || true
	done
	ip netns del "$1"
}
