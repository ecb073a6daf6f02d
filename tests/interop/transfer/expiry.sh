# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# EXPIRE: zones whose primary is gone are withdrawn in time and come back; what is left of it is told and survives a restart.

expiry_servers() {
	knot_begin
	bind_begin
	anser_begin
	zone short.example 1 "1 1 6 300" >"$work/short.zone"
	zone chain.example 1 "1 1 1000 300" >"$work/chain.zone"
	cat >>"$work/knot/conf" <<-END
	  - domain: short.example
	    file: "$work/short.zone"
	    acl: all
	  - domain: chain.example
	    file: "$work/chain.zone"
	    acl: all
	END
	cat >>"$work/bind/conf" <<-END
	zone "chain.example" { type secondary; file "chain"; primaries { ${address[knot]}; };
		notify explicit; also-notify { ${address[anser]}; }; };
	END
	cat >>"$work/anser/conf" <<-END
	zones:
	  - {name: short.example, primaries: knot, retry-max: 1s}
	  - {name: chain.example, primaries: bind, allow-transfer: all, retry-max: 1s}
	END
	knot_start
	ready knot chain.example 1
	bind_start
	ready bind chain.example 1
	anser_start
	reached "expiry: the short zone is served" 20 at anser short.example 1
	reached "expiry: the zone of the chain is served" 20 at anser chain.example 1
}

# is_refreshed ZONE SINCE: it was confirmed then or later.
is_refreshed() {
	[ "$(zone_status "$1" '.["refreshed-at"]')" -ge "$2" ]
}

expire_left() {
	dig +norecurse +expire +tries=1 +time=1 "@${address[$1]}" "$2" SOA | sed -n 's/^; EXPIRE: \([0-9]*\).*/\1/p'
}

# The last good refresh was at the latest when Knot died, at the earliest one refresh interval before it.
expiry_runs_out() {
	local killed_ms gone_ms expires_ms
	poll 5 is_refreshed short.example "$(date +%s)"
	server_end knot KILL
	killed_ms=$(date +%s%3N)
	expires_ms=$(zone_status short.example '.["expires-at"] * 1000')
	check "expiry: a zone whose primary is gone is served until then" answers anser short.example NOERROR
	reached "expiry: then it is withdrawn" 20 said anser "zone short.example.: expired:"
	check "expiry: and SERVFAIL" answers anser short.example SERVFAIL
	gone_ms=$(date +%s%3N -d "$(sed -n 's/ anserd .* zone short.example.: expired:.*//p' "$work/anser/log")")
	note "expiry: SERVFAIL $((gone_ms - killed_ms)) ms after the primary died, $((gone_ms - expires_ms)) ms after EXPIRE"
	check "expiry: within a second" [ $((gone_ms - expires_ms)) -le 1000 ]
	check "expiry: not before" [ "$gone_ms" -ge "$expires_ms" ]
	check "expiry: the status says so" status_has short.example .state expired
	check "expiry: other zones are served on" answers anser chain.example NOERROR
}

# Knot is dead, so that what BIND has left of 1000 s becomes less.
expiry_is_passed_on() {
	local left
	left=$(expire_left bind chain.example)
	ctl zone retransfer chain.example >/dev/null
	note "expiry: BIND has ${left:-nothing} s left of 1000; we have $(expire_left anser chain.example)"
	check "expiry: our life is not longer than that of BIND, which we follow" [ "$(expire_left anser chain.example)" -le "$left" ]
	check "expiry: nor much shorter" [ "$(expire_left anser chain.example)" -ge $((left - 3)) ]
	check "expiry: less than the SOA says" [ "$left" -lt 999 ]
}

expiry_ends() {
	knot_start
	reached "expiry: the first good refresh brings the zone back" 20 at anser short.example 1
	check "expiry: without a transfer" [ "$(grep -c "zone short.example.: serial" "$work/anser/log")" = 1 ]
}

# BIND goes before, so that nothing can be refreshed.
expiry_over_restart() {
	local before after
	server_end bind KILL
	server_end knot KILL
	before=$(zone_status chain.example '.["expires-at"]')
	server_end anser
	anser_start
	reached "restart: the zone is served at once" 20 at anser chain.example 1
	after=$(zone_status chain.example '.["expires-at"]')
	same "restart: EXPIRE goes on" "$before" "$after"
	knot_start
	bind_start
	reached "restart: the zone is refreshed" 20 is_refreshed chain.example "$(date +%s)"
	reached "restart: so is the short one" 20 at anser short.example 1
	same "restart: nothing was transferred anew" "0 0" "$(transfers in axfr new) $(transfers in ixfr new)"
}

scenario_expiry() {
	expiry_servers
	expiry_runs_out
	expiry_is_passed_on
	expiry_ends
	expiry_over_restart
}
