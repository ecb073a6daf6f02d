# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # work is from lib.sh; the tables are for all
# The servers, each on a loopback address of its own, with the same keys. A scenario begins a server's configuration, adds its zones to
# $work/NAME/conf, and starts it. Used by lib.sh; uses $work.
#
# All that names no source is asked from 127.0.0.1: by anserd, by the second anserd, and by the tests.

declare -A address=([anser]=127.0.0.1 [other]=127.0.0.2 [nsd]=127.0.0.11 [knot]=127.0.0.12 [bind]=127.0.0.13 [pdns]=127.0.0.14)
declare -A secret=([k256]="3Bl5CmTtpWo5Ho7lHv8kN0nGv5rXcVwJqk0bT2dYx1o=" [k512]="o3cF1qv0m4mB5yRkz0eVtQyD7q8x2mJmTq8v1tq9b5c=")
declare -A algorithm=([k256]=hmac-sha256 [k512]=hmac-sha512)
declare -A secret_of=() server_pids=()
for key in k256 k512; do
	secret_of[$key]="${algorithm[$key]}:$key:${secret[$key]}"
done

network_up() {
	local name
	ip link set lo up
	for name in "${!address[@]}"; do
		[ "$name" != anser ] || continue
		ip addr add "${address[$name]}/32" dev lo # BIND listens on addresses that are there
		ip route replace local "${address[$name]}" dev lo table local src "${address[anser]}"
	done
}

# start NAME COMMAND...: in a directory of its own; it ends when we end, however we do.
start() {
	local name=$1
	shift
	(cd "$work/$name" && exec setpriv --pdeathsig KILL "$@") >>"$work/$name/log" 2>&1 </dev/null &
	server_pids[$name]=$!
}

# server_end NAME [SIGNAL]
server_end() {
	local pid=${server_pids[$1]}
	unset "server_pids[$1]"
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	poll 10 process_gone "$pid" || kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
}

servers_stop() {
	local name
	for name in "${!server_pids[@]}"; do
		kill -TERM "${server_pids[$name]}" 2>/dev/null || true
	done
	for name in "${!server_pids[@]}"; do
		server_end "$name"
	done
}

# reload NAME: reads its zone files again. Not for PowerDNS.
reload() {
	case $1 in
	anser | other) ctl_of "$1" reload >/dev/null ;;
	*) kill -HUP "${server_pids[$1]}" ;;
	esac
}

# -------- anserd --------

# anser_begin [NAME] [TOP-LEVEL-LINES]: remotes PEER and PEER-KEY for each of the others, acls KEY and all.
anser_begin() {
	local name=${1:-anser} peer key
	mkdir -p "$work/$name/run" "$work/$name/state"
	cat >"$work/$name/conf" <<-END
	server:
	  identity: $name
	  listen: [${address[$name]}]
	  state-dir: $work/$name/state
	  run-dir: $work/$name/run
	  zone-dir: $work/$name
	  user: ""
	dataplane: {mode: kernel, cores: "0", memory: 16MiB, hugepages: off}
	${2:-}
	keys:
	  - {id: k256, algorithm: hmac-sha256, secret: "${secret[k256]}"}
	  - {id: k512, algorithm: hmac-sha512, secret: "${secret[k512]}"}
	  - {id: stranger, algorithm: hmac-sha256, secret: "$(printf '%s' "not what the others have" | base64)"}
	acls:
	  - {id: k256, key: k256}
	  - {id: k512, key: k512}
	  - {id: all, address: 127.0.0.0/8}
	remotes:
	END
	for peer in "${!address[@]}"; do
		echo "  - {id: $peer, address: ${address[$peer]}}"
		for key in k256 k512 stranger; do
			echo "  - {id: $peer-$key, address: ${address[$peer]}, key: $key}"
		done
	done >>"$work/$name/conf"
}

is_up_or_gone() {
	process_gone "${server_pids[$1]}" || ctl_of "$1" status
}

anser_start() {
	local name=${1:-anser}
	start "$name" "$ANSER_BUILD/anserd" -c conf
	if poll 20 is_up_or_gone "$name" && ctl_of "$name" status >/dev/null; then
		pass "$name starts"
	else
		fail "$name starts" "$(tail -n 5 "$work/$name/log")"
		finish # nothing would work without
	fi
}

# -------- BIND --------

# bind_begin [OPTIONS]: statements for its options.
bind_begin() {
	local key
	mkdir -p "$work/bind"
	cat >"$work/bind/conf" <<-END
	options {
		directory "$work/bind";
		pid-file "$work/bind/pid";
		session-keyfile "$work/bind/session.key";
		managed-keys-directory "$work/bind";
		listen-on { ${address[bind]}; };
		listen-on-v6 { none; };
		query-source ${address[bind]};
		transfer-source ${address[bind]};
		notify-source ${address[bind]};
		recursion no;
		allow-transfer { any; };
		notify no;
		notify-delay 0;
		notify-rate 1000;
		startup-notify-rate 1000;
		serial-query-rate 1000;
		dnssec-validation no;
		empty-zones-enable no;
		check-integrity no;
		max-refresh-time 3600;
		min-refresh-time 1;
		min-retry-time 1;
		ixfr-from-differences yes;
		masterfile-format text;
		${1:-}
	};
	controls { };
	logging { channel all { stderr; severity debug 1; print-category yes; print-time yes; }; category default { all; };
		category xfer-in { all; }; category xfer-out { all; }; category notify { all; }; };
	END
	for key in k256 k512; do
		echo "key $key { algorithm ${algorithm[$key]}; secret \"${secret[$key]}\"; };"
	done >>"$work/bind/conf"
}

bind_start() {
	start bind named -f -g -n 1 -c conf
}

# -------- Knot --------

# knot_begin [LINE...]: lines behind its templates; remotes anser and anser-KEY, acls KEY and all.
knot_begin() {
	local key
	mkdir -p "$work/knot"
	{
		cat <<-END
		server:
		    listen: ${address[knot]}
		    rundir: "$work/knot"
		    udp-workers: 1
		    tcp-workers: 1
		    background-workers: 1
		log:
		  - target: stderr
		    any: debug
		database:
		    storage: "$work/knot"
		key:
		END
		for key in k256 k512; do
			printf '  - id: %s\n    algorithm: %s\n    secret: %s\n' "$key" "${algorithm[$key]}" "${secret[$key]}"
		done
		cat <<-END
		acl:
		  - id: all
		    address: 127.0.0.0/8
		    action: [transfer, notify, update]
		  - id: k256
		    key: k256
		    action: [transfer, notify, update]
		  - id: k512
		    key: k512
		    action: [transfer, notify, update]
		remote:
		  - id: anser
		    address: ${address[anser]}
		    via: ${address[knot]}
		  - id: anser-k256
		    address: ${address[anser]}
		    via: ${address[knot]}
		    key: k256
		  - id: anser-k512
		    address: ${address[anser]}
		    via: ${address[knot]}
		    key: k512
		template:
		  - id: default
		    semantic-checks: off
		    storage: "$work/knot"
		    zonefile-sync: -1
		    zonefile-load: difference
		    journal-content: changes
		END
		printf '%s\n' "$@" "zone:"
	} >"$work/knot/conf"
}

knot_start() {
	start knot knotd -c conf
}

# -------- NSD --------

nsd_begin() {
	local key
	mkdir -p "$work/nsd"
	cat >"$work/nsd/conf" <<-END
	server:
	  ip-address: ${address[nsd]}
	  server-count: 1
	  username: ""
	  zonesdir: "$work/nsd"
	  database: ""
	  zonelistfile: "$work/nsd/zone.list"
	  xfrdfile: "$work/nsd/xfrd.state"
	  xfrdir: "$work/nsd"
	  pidfile: "$work/nsd/pid"
	  cookie-secret-file: "$work/nsd/cookies"
	  verbosity: 3
	  xfrd-reload-timeout: 0
	remote-control:
	  control-enable: no
	END
	for key in k256 k512; do
		printf 'key:\n  name: %s\n  algorithm: %s\n  secret: "%s"\n' "$key" "${algorithm[$key]}" "${secret[$key]}"
	done >>"$work/nsd/conf"
}

nsd_start() {
	start nsd nsd -d -c conf
}

# -------- PowerDNS --------

pdns_begin() {
	local key
	mkdir -p "$work/pdns"
	cat >"$work/pdns/pdns.conf" <<-END
	launch=gsqlite3
	module-dir=/usr/lib/$(uname -m)-linux-gnu/pdns
	gsqlite3-database=$work/pdns/db
	gsqlite3-dnssec=yes
	gsqlite3-pragma-journal-mode=WAL
	local-address=${address[pdns]}
	query-local-address=${address[pdns]}
	socket-dir=$work/pdns
	guardian=no
	daemon=no
	security-poll-suffix=
	primary=yes
	secondary=yes
	xfr-cycle-interval=1
	only-notify=
	cache-ttl=0
	query-cache-ttl=0
	negquery-cache-ttl=0
	zone-cache-refresh-interval=0
	receiver-threads=1
	distributor-threads=1
	retrieval-threads=1
	loglevel=7
	END
	sqlite3 "$work/pdns/db" </usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
	for key in k256 k512; do
		echo "INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('$key', '${algorithm[$key]}', '${secret[$key]}');"
	done | sqlite3 "$work/pdns/db"
}

# pdns_util COMMAND...
pdns_util() {
	pdnsutil --config-dir="$work/pdns" "$@" >>"$work/pdns/util.log" 2>&1
}

# pdns_meta ZONE KIND VALUE
pdns_meta() {
	pdns_util set-meta "$1" "$2" "$3"
}

pdns_start() {
	start pdns pdns_server --config-dir="$work/pdns"
}
