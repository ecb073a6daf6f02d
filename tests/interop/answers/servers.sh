# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The five servers, each on an address of its own, all at port 5300, with the same zones, identity and sizes. Four are in the run's namespace
# $netns, where the questions are asked; anserd is in $anser_netns, behind a veth pair, and answers through a DPDK port on its end.
# shellcheck disable=SC2154 # run sets them
# Sourced by run, after deploy/lib.sh. Uses $netns, $anser_netns, $mode (anserd's), $work (a world's directory, with `zones`: lines NAME FILE
# SIGNING), $build.
# Rate limits are off, and so is what makes an answer depend on those before it: all else is the servers' own default.

identity=under-test
version=1.0
udp_payload=1232
port=5300
declare -A address=([anser]=10.53.0.1 [nsd]=127.0.0.11 [knot]=127.0.0.12 [bind]=127.0.0.13 [pdns]=127.0.0.14)
declare -A server_pids=()

# each_zone FORMAT: the zones, printed with NAME, NAME without the closing dot (the root keeps it), FILE.
each_zone() {
	local name file signing
	while read -r name file signing; do
		# shellcheck disable=SC2059 # formats are ours
		printf "$1" "$name" "$file"
	done <"$work/zones"
}

# start NAME COMMAND...: in its namespace, in a directory of its own.
start() {
	local name=$1 where=$netns
	shift
	[ "$name" != anser ] || where=$anser_netns
	(cd "$work/$name" && netns_daemon "$where" "$@") >"$work/$name/log" 2>&1 </dev/null &
	server_pids[$name]=$!
}

start_nsd() {
	cat >"$work/nsd/nsd.conf" <<-END
	server:
	  ip-address: ${address[nsd]}@$port
	  server-count: 1
	  username: ""
	  zonesdir: "$work/nsd"
	  database: ""
	  zonelistfile: "$work/nsd/zone.list"
	  xfrdfile: ""
	  xfrdir: "$work/nsd"
	  pidfile: "$work/nsd/pid"
	  cookie-secret-file: "$work/nsd/cookies"
	  identity: "$identity"
	  nsid: "ascii_$identity"
	  version: "$version"
	  ipv4-edns-size: $udp_payload
	  rrl-ratelimit: 0
	  rrl-whitelist-ratelimit: 0
	  tcp-count: 200
	  tcp-query-count: 0
	remote-control:
	  control-enable: no
	END
	each_zone 'zone:\n  name: "%s"\n  zonefile: "%s"\n' >>"$work/nsd/nsd.conf"
	start nsd nsd -d -c nsd.conf
}

start_knot() {
	cat >"$work/knot/knot.conf" <<-END
	server:
	    listen: ${address[knot]}@$port
	    rundir: "$work/knot"
	    identity: "$identity"
	    nsid: "$identity"
	    version: "$version"
	    udp-workers: 1
	    tcp-workers: 1
	    background-workers: 1
	    udp-max-payload: $udp_payload
	database:
	    storage: "$work/knot"
	template:
	  - id: default
	    semantic-checks: off
	    zonefile-sync: -1
	    journal-content: none
	zone:
	END
	each_zone '  - domain: "%s"\n    file: "%s"\n' >>"$work/knot/knot.conf"
	start knot knotd -c knot.conf
}

start_bind() {
	cat >"$work/bind/named.conf" <<-END
	options {
		directory "$work/bind";
		pid-file "$work/bind/pid";
		session-keyfile "$work/bind/session.key";
		managed-keys-directory "$work/bind";
		listen-on port $port { ${address[bind]}; };
		listen-on-v6 { none; };
		recursion no;
		allow-transfer { none; };
		notify no;
		minimal-responses no-auth;
		max-udp-size $udp_payload;
		edns-udp-size $udp_payload;
		dnssec-validation no;
		zero-no-soa-ttl no;
		empty-zones-enable no;
		check-names primary ignore;
		server-id "$identity";
		hostname "$identity";
		version "$version";
		tcp-clients 200;
		max-records-per-type 0;
		max-types-per-name 0;
	};
	controls { };
	view all IN {
	END
	each_zone 'zone "%s" { type primary; file "%s"; check-integrity no; };\n' >>"$work/bind/named.conf"
	# What is built in for CH answers only three questions a second, unless a view says otherwise.
	cat >>"$work/bind/named.conf" <<-'END'
	};
	view chaos CH {
		zone "version.bind" { type primary; database "_builtin version"; };
		zone "hostname.bind" { type primary; database "_builtin hostname"; };
		zone "authors.bind" { type primary; database "_builtin authors"; };
		zone "id.server" { type primary; database "_builtin id"; };
	};
	END
	start bind named -g -n 1 -c named.conf
}

# Signed zones are served as they are only when PowerDNS is told so, in its own little database.
start_pdns() {
	local name file signing
	local -A nsec3=([nsec3]="1 0 0 -" [optout]="1 1 3 aabbccdd") # as zones.py has them
	cat >"$work/pdns/pdns.conf" <<-END
	launch=bind
	module-dir=/usr/lib/$(uname -m)-linux-gnu/pdns
	bind-config=$work/pdns/named.conf
	bind-dnssec-db=$work/pdns/dnssec.db
	bind-check-interval=0
	local-address=${address[pdns]}
	local-port=$port
	socket-dir=$work/pdns
	guardian=no
	daemon=no
	security-poll-suffix=
	server-id=$identity
	version-string=$version
	dname-processing=yes
	disable-axfr=yes
	any-to-tcp=no
	cache-ttl=0
	query-cache-ttl=0
	negquery-cache-ttl=0
	udp-truncation-threshold=$udp_payload
	max-tcp-connections=200
	receiver-threads=1
	distributor-threads=1
	loglevel=3
	END
	each_zone 'zone "%s" { type master; file "%s"; };\n' >"$work/pdns/named.conf"
	logged "$work/pdns/util.log" pdnsutil --config-dir="$work/pdns" create-bind-db "$work/pdns/dnssec.db"
	while read -r name file signing; do
		[ "$signing" != plain ] || continue
		if [ "${nsec3[$signing]:-}" ]; then
			logged "$work/pdns/util.log" pdnsutil --config-dir="$work/pdns" set-nsec3 "$name" "${nsec3[$signing]}"
		fi
		logged "$work/pdns/util.log" pdnsutil --config-dir="$work/pdns" set-presigned "$name"
	done <"$work/zones"
	start pdns pdns_server --config-dir="$work/pdns"
}

# network_up, network_down: both namespaces and the veth pair between them.
network_up() {
	local name
	ip netns add "$netns"
	ip netns add "$anser_netns"
	for name in "$netns" "$anser_netns"; do
		netns_exec "$name" ip link set lo up
	done
	netns_exec "$anser_netns" ip link add srv0 type veth peer name cli0 netns "$netns"
	netns_exec "$anser_netns" ip addr add "${address[anser]}/24" dev srv0
	netns_exec "$netns" ip addr add 10.53.0.2/24 dev cli0
	netns_exec "$anser_netns" ip link set srv0 up
	netns_exec "$netns" ip link set cli0 up
	for name in nsd knot bind pdns; do
		netns_exec "$netns" ip addr replace "${address[$name]}/32" dev lo # BIND listens on addresses that are there
	done
}

network_down() {
	netns_remove "$netns"
	netns_remove "$anser_netns"
}

start_anser() {
	local ports=""
	[ "$mode" = kernel ] || ports="ports: [{device: srv0, queues: 1}]"
	mkdir -p "$work/anser/run" "$work/anser/state"
	cat >"$work/anser/anser.yaml" <<-END
	server:
	  identity: $identity
	  version: "$version"
	  listen: ["${address[anser]}@$port"]
	  state-dir: $work/anser/state
	  run-dir: $work/anser/run
	  zone-dir: $work
	  user: ""
	  udp-payload: $udp_payload
	dataplane:
	  mode: $mode
	  $ports
	  cores: "0"
	  memory: 256MiB
	  hugepages: off
	tcp:
	  max-connections: 1000
	  max-per-source: 200
	zones:
	END
	each_zone '  - {name: "%s", file: "%s"}\n' >>"$work/anser/anser.yaml"
	start anser "$build/anserd" -c anser.yaml
}

# is_up NAME: it answers for one of the zones, over TCP, which comes last with most.
is_up() {
	local zone
	zone=$(tail -n 1 "$work/zones")
	netns_exec "$netns" dig +tcp +tries=1 +time=1 +short -p "$port" "@${address[$1]}" "${zone%% *}" SOA | grep -q .
}

servers_start() {
	local name
	for name in "${!address[@]}"; do
		mkdir -p "$work/$name"
		"start_$name"
	done
	for name in "${!address[@]}"; do
		wait_until 60 is_up "$name" || die "$name does not answer; see $work/$name/log"
	done
}

servers_stop() {
	local name
	for name in "${!server_pids[@]}"; do
		stop_process "${server_pids[$name]}" 10 || say "$name had to be killed"
	done
	server_pids=()
}
