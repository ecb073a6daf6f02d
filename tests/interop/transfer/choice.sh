# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# Which primary is asked: the one that is ahead, another one when it is dead; and what cannot be had from one.

choice_servers() {
	bind_begin
	knot_begin
	nsd_begin
	anser_begin
	zone choice.example 3 >"$work/choice.bind"
	zone choice.example 5 >"$work/choice.knot"
	zone choice.example 4 >"$work/choice.nsd"
	zone plain.example 1 >"$work/plain.knot"
	zone wrong.example 1 >"$work/wrong.bind"
	cat >>"$work/bind/conf" <<-END
	zone "choice.example" { type primary; file "$work/choice.bind"; allow-transfer { key k256; }; };
	zone "wrong.example" { type primary; file "$work/wrong.bind"; allow-transfer { key k256; }; };
	END
	cat >>"$work/knot/conf" <<-END
	  - domain: choice.example
	    file: "$work/choice.knot"
	    acl: k256
	  - domain: plain.example
	    file: "$work/plain.knot"
	    acl: all
	    notify: anser
	    zonefile-load: whole
	    journal-content: none
	END
	cat >>"$work/nsd/conf" <<-END
	zone:
	  name: choice.example
	  zonefile: "$work/choice.nsd"
	  provide-xfr: ${address[anser]} k512
	END
	cat >>"$work/anser/conf" <<-END
	zones:
	  - {name: choice.example, primaries: [bind-k256, knot-k256, nsd-k512], refresh-max: 1s, refresh-min: 1s, retry-max: 1s}
	  - {name: plain.example, primaries: knot}
	  - {name: wrong.example, primaries: bind-stranger}
	  - {name: unsigned.example, primaries: bind}
	END
	bind_start
	knot_start
	nsd_start
	ready bind choice.example 3
	ready knot choice.example 5
	ready nsd choice.example 4
	anser_start
}

# Knot, the second of three, is ahead; then it dies, and NSD, the third, goes ahead of it.
choice_of_several() {
	reached "three primaries: the one that is ahead is asked" 20 at anser choice.example 5
	check "three primaries: it is named in the status" status_has choice.example .source knot-k256
	same "three primaries: the status has their serials" "3 5 4" "$(zone_status choice.example '[.primaries[].serial] | map(tostring) | join(" ")')"
	server_end knot KILL
	zone choice.example 6 >"$work/choice.nsd"
	reload nsd
	reached "three primaries, one dead: the next one that is ahead is asked" 20 at anser choice.example 6
	same_zone "three primaries, one dead: the zone is whose it came from" "$work/choice.nsd" ctl zone dump choice.example
	zone choice.example 2 >"$work/choice.bind"
	server_end nsd KILL
	reached "three primaries, two dead: the third one that is behind changes nothing" 20 \
		status_has choice.example '.primaries[0]["asked-at"] > .primaries[2]["asked-at"]' true
	check "three primaries, two dead: the zone is still served" at anser choice.example 6
}

choice_without_journal() {
	reached "a primary without history: AXFR" 20 at anser plain.example 1
	zone plain.example 2 >"$work/plain.knot"
	reload knot
	reached "a primary without history: the whole zone instead of a difference" 20 at anser plain.example 2
	same_zone "a primary without history: the same zone" "$work/plain.knot" ctl zone dump plain.example
	check "a primary without history: the log says so" has "zone plain.example.: serial 2 by AXFR from knot" cat "$work/anser/log"
}

choice_of_keys() {
	reached "a key that the primary does not know: the status says so" 20 status_has wrong.example '.["last-error"]' "bind-stranger"
	note "the status says: $(zone_status wrong.example '.["last-error"]')"
	check "a key that the primary does not know: BADKEY" status_has wrong.example '.["last-error"]' BADKEY
	same "a key that the primary does not know: no data" SERVFAIL "$(rcode anser wrong.example SOA)"
	reached "no key where one is needed: the status says so" 20 status_has unsigned.example '.["last-error"]' bind
	note "the status says: $(zone_status unsigned.example '.["last-error"]')"
}

scenario_choice() {
	choice_servers
	choice_of_keys
	choice_without_journal
	choice_of_several
}
