# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# Catalog zones (RFC 9432). anserd follows one that is written by hand and served by Knot, one that Knot makes, and one that is kept in BIND by
# UPDATE; Knot and BIND follow one that anserd makes.

# catalog SERIAL [LINE...]: a catalog zone's file.
catalog() {
	local serial=$1
	shift
	cat <<-END
	\$TTL 0
	@ SOA invalid. invalid. $serial 3600 600 86400 0
	@ NS invalid.
	version TXT "2"
	END
	printf '%s\n' "$@"
}

# hand_catalog SERIAL [LINE...]: a new version of the one by hand.
hand_catalog() {
	catalog "$@" >"$work/cat.hand"
	reload knot
	reached "catalogs: version $1 of the one by hand" 20 at anser cat.hand "$1"
}

knot_zone() {
	printf '  - domain: %s\n    file: "%s"\n    acl: all\n' "$1" "$work/$1"
}

made_member() {
	knot_zone "$1"
	printf '    catalog-role: member\n    catalog-zone: cat.made\n'
}

catalogs_knot() {
	local name
	knot_begin "  - id: follow" "    storage: $work/knot" "    master: anser" "    acl: all"
	{
		for name in one.hand two.hand three.hand; do
			zone "$name" 1 >"$work/$name"
			knot_zone "$name"
		done
		knot_zone cat.hand
		echo "    notify: anser"
		printf '  - domain: cat.made\n    catalog-role: generate\n    acl: all\n    notify: anser\n'
		printf '  - domain: cat.ours\n    master: anser\n    acl: all\n    catalog-role: interpret\n    catalog-template: follow\n'
		made_member first.made
	} >>"$work/knot/conf"
	zone first.made 1 >"$work/first.made"
	zone second.made 1 >"$work/second.made"
	knot_start
}

catalogs_bind() {
	local name
	bind_begin "catalog-zones { zone cat.ours default-primaries { ${address[anser]}; } min-update-interval 0; };"
	catalog 1 "b1.zones PTR one.bind." >"$work/cat.bind"
	zone one.bind 1 >"$work/one.bind"
	zone two.bind 1 >"$work/two.bind"
	zone three.hand 100 >"$work/three.bind"
	{
		for name in one.bind two.bind; do
			echo "zone $name { type primary; file \"$work/$name\"; };"
		done
		cat <<-END
		zone three.hand { type primary; file "$work/three.bind"; };
		zone cat.bind { type primary; file "$work/cat.bind"; allow-update { key k256; }; ixfr-from-differences no;
			notify explicit; also-notify { ${address[anser]}; }; };
		zone cat.ours { type secondary; file "cat.ours"; primaries { ${address[anser]}; }; };
		END
	} >>"$work/bind/conf"
	bind_start
}

# anser_zones NAME...: the configuration, with these zones of our own.
anser_zones() {
	local name
	anser_begin
	cat >>"$work/anser/conf" <<-END
	templates:
	  - {id: usual, primaries: knot}
	  - {id: open, primaries: knot, allow-transfer: all}
	catalogs:
	  - {name: cat.hand, primaries: knot, template: usual}
	  - {name: cat.made, primaries: knot, admit: "*.made"}
	  - {name: cat.bind, primaries: bind}
	  - {name: cat.ours, produce: {zones: "*.ours"}, allow-transfer: all, notify: [bind, knot]}
	zones:
	END
	for name in "$@"; do
		[ -e "$work/$name" ] || zone "$name" 1 >"$work/$name"
		echo "  - {name: $name, file: \"$work/$name\", allow-transfer: all, notify: [bind, knot]}"
	done >>"$work/anser/conf"
}

is_foreign() {
	answers "$1" "$2" REFUSED
}

transferred() {
	[ "$(grep -c "zone $1.: serial" "$work/anser/log")" = "$2" ]
}

catalog_by_hand() {
	local two="u2.zones PTR two.hand."
	reached "catalogs: members appear" 20 eval "at anser one.hand 1 && at anser two.hand 1"
	same_zone "catalogs: a member is the same zone" "$work/one.hand" ctl zone dump one.hand
	hand_catalog 2 "$two" "u3.zones PTR three.hand."
	reached "catalogs: a member that is new is served" 20 at anser three.hand 1
	reached "catalogs: one that is gone is not" 20 is_foreign anser one.hand
	check "catalogs: the others were left alone" transferred two.hand 1
	same "catalogs: members are not given to everybody" "" "$(fetch anser two.hand | grep -v '^;')"
	hand_catalog 3 "$two" 'group.u2.zones TXT "open"' "u3.zones PTR three.hand."
	reached "catalogs: another group, other settings" 20 has SOA fetch anser two.hand
	check "catalogs: with the same data" transferred two.hand 1
	hand_catalog 4 "u2b.zones PTR two.hand." 'group.u2b.zones TXT "open"' "u3.zones PTR three.hand."
	reached "catalogs: a new unique id resets the member" 20 transferred two.hand 2
	reached "catalogs: it is served again" 20 at anser two.hand 1
}

catalog_broken() {
	hand_catalog 5 "u1.zones PTR one.hand." "u1.zones PTR two.hand."
	reached "catalogs: a broken one is told" 20 status_has cat.hand .catalog.good false
	note "the status says: $(zone_status cat.hand .catalog.error)"
	check "catalogs: a broken one removes nothing" at anser two.hand 1
	check "catalogs: nor adds anything" is_foreign anser one.hand
	sed 's/"2"/"3"/' <(catalog 6 "u1.zones PTR one.hand.") >"$work/cat.hand"
	reload knot
	reached "catalogs: of an unknown version" 20 status_has cat.hand .catalog.error ersion
	check "catalogs: nothing is changed by it" at anser two.hand 1
	hand_catalog 7 "u2b.zones PTR two.hand." "u3.zones PTR three.hand."
	reached "catalogs: a good one mends it" 20 status_has cat.hand .catalog.good true
	check "catalogs: with the members untouched" transferred two.hand 2
}

# bind_update COMMAND...: of cat.bind.
bind_update() {
	printf '%s\n' "server ${address[bind]}" "zone cat.bind" "$@" send | nsupdate -t 5 -y "${secret_of[k256]}"
}

# Both have three.hand; it is cat.hand's until that says that it may go.
catalog_changes_owner() {
	bind_update "update add b3.zones.cat.bind. 0 PTR three.hand."
	reached "catalogs: a member that two have is not served by the second" 20 status_has cat.bind ".catalog | \"\(.members) \(.served)\"" "2 1"
	check "catalogs: a member that two have stays with the first" at anser three.hand 1
	hand_catalog 8 "u2b.zones PTR two.hand." "u3.zones PTR three.hand." "coo.u3.zones PTR cat.bind."
	reached "catalogs: change of ownership" 20 at anser three.hand 100
	same_zone "catalogs: the zone is the new owner's" "$work/three.bind" ctl zone dump three.hand
	hand_catalog 9 "u2b.zones PTR two.hand."
	check "catalogs: it stays with the new owner" at anser three.hand 100
}

catalog_of_bind() {
	reached "catalogs: of BIND" 20 at anser one.bind 1
	bind_update "update delete b1.zones.cat.bind. PTR" "update add b2.zones.cat.bind. 0 PTR two.bind."
	reached "catalogs: of BIND, a member comes by UPDATE" 20 at anser two.bind 1
	reached "catalogs: and another one goes" 20 is_foreign anser one.bind
}

catalog_of_knot() {
	reached "catalogs: made by Knot" 20 at anser first.made 1
	made_member second.made >>"$work/knot/conf"
	reload knot
	reached "catalogs: made by Knot, another member" 20 at anser second.made 1
}

catalog_of_ours() {
	local server
	for server in knot bind; do
		reached "catalogs: $server follows ours" 20 eval "at $server one.ours 1 && at $server two.ours 1"
		same_zone "catalogs: a member at $server is the same zone" "$work/one.ours" fetch "$server" one.ours
	done
	anser_zones two.ours three.ours
	reload anser
	for server in knot bind; do
		reached "catalogs: $server gets another member" 20 at "$server" three.ours 1
		reached "catalogs: and loses one" 20 is_foreign "$server" one.ours
	done
}

scenario_catalogs() {
	catalog 1 "u1.zones PTR one.hand." "u2.zones PTR two.hand." >"$work/cat.hand"
	catalogs_knot
	catalogs_bind
	ready knot cat.hand 1
	ready bind cat.bind 1
	anser_zones one.ours two.ours
	anser_start
	catalog_by_hand
	catalog_broken
	catalog_changes_owner
	catalog_of_bind
	catalog_of_knot
	catalog_of_ours
}
