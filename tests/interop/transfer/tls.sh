# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # run, lib.sh and servers.sh set them
# Transfers over TLS (RFC 9103): anserd asks BIND, which proves itself by name or key and may ask for a certificate; BIND, NSD and kdig ask anserd.

# certificate NAME ISSUER: NAME.pem and NAME.key, of a server or client of that name. An issuer signs itself.
certificate() {
	local what=(-addext "subjectAltName=DNS:$1.example" -CA "$work/$2.pem" -CAkey "$work/$2.key")
	[ "$1" != "$2" ] || what=(-addext "basicConstraints=critical,CA:TRUE")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1.example" "${what[@]}" \
		-keyout "$work/$1.key" -out "$work/$1.pem"
}

certificates() {
	local name
	certificate ca ca
	certificate stranger stranger
	for name in bind anser client; do
		certificate "$name" ca
	done
}

pin() {
	openssl x509 -in "$work/$1.pem" -pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
}

tls_bind() {
	bind_begin "listen-on port 853 tls open { ${address[bind]}; };
		listen-on port 8853 tls asks { ${address[bind]}; };"
	cat >>"$work/bind/conf" <<-END
	tls open { cert-file "$work/bind.pem"; key-file "$work/bind.key"; };
	tls asks { cert-file "$work/bind.pem"; key-file "$work/bind.key"; ca-file "$work/ca.pem"; };
	tls anser { ca-file "$work/ca.pem"; remote-hostname "anser.example"; cert-file "$work/client.pem"; key-file "$work/client.key"; };
	tls wrong { ca-file "$work/ca.pem"; remote-hostname "other.example"; };
	zone out.example { type secondary; file "out"; primaries { ${address[anser]} port 853 tls anser; }; };
	zone outwrong.example { type secondary; file "outwrong"; primaries { ${address[anser]} port 853 tls wrong; }; };
	END
	for name in "${!tls_cases[@]}"; do
		echo "zone $name.example { type primary; file \"$work/$name\"; allow-transfer transport tls { key k256; };"
		echo "	notify explicit; also-notify { ${address[anser]} key k256; }; };"
	done >>"$work/bind/conf"
	bind_start
}

tls_nsd() {
	nsd_begin
	sed -i "s|^server:|&\n  tls-cert-bundle: $work/ca.pem|" "$work/nsd/conf"
	cat >>"$work/nsd/conf" <<-END
	tls-auth:
	  name: anser
	  auth-domain-name: anser.example
	zone:
	  name: out.example
	  zonefile: "out"
	  request-xfr: ${address[anser]}@853 k256 anser
	  allow-notify: ${address[anser]} k256
	  provide-xfr: 127.0.0.0/8 NOKEY
	END
	nsd_start
}

tls_anser() {
	local name
	anser_begin anser "tls: {listen: ${address[anser]}, certificate: $work/anser.pem, key: $work/anser.key, client-ca: $work/ca.pem}"
	sed -i "s|^acls:|&\n  - {id: tls, key: k256, transport: tls}\n  - {id: bind, address: 127.0.0.13, transport: tls}|" "$work/anser/conf"
	{
		for name in "${!tls_cases[@]}"; do
			echo "  - {id: tls-$name, key: k256, ${tls_cases[$name]}}"
		done
		echo zones:
		for name in "${!tls_cases[@]}"; do
			echo "  - {name: $name.example, primaries: tls-$name}"
		done
		for name in out outwrong; do
			zone "$name.example" 1 >"$work/$name"
			echo "  - {name: $name.example, file: \"$work/$name\", allow-transfer: [tls, bind], notify: [bind, nsd-k256]}"
		done
	} >>"$work/anser/conf"
	anser_start
}

# What anserd is told of BIND, by zone.
tls_make_cases() {
	local at="address: ${address[bind]}@853, tls:" ca="ca: $work/ca.pem"
	declare -gA tls_cases=(
		[named]="$at {name: bind.example, $ca}"
		[pinned]="$at {pin: \"$(pin bind)\"}"
		[both]="$at {name: bind.example, $ca, pin: [\"$(pin stranger)\", \"$(pin bind)\"]}"
		[asked]="address: ${address[bind]}@8853, tls: {name: bind.example, $ca, certificate: $work/client.pem, key: $work/client.key}"
		[misnamed]="$at {name: other.example, $ca}"
		[misissued]="$at {name: bind.example, ca: $work/stranger.pem}"
		[mispinned]="$at {pin: \"$(pin stranger)\"}"
		[unasked]="address: ${address[bind]}@8853, tls: {name: bind.example, $ca}"
		[clear]="address: ${address[bind]}"
	)
}

tls_from_bind() {
	local name
	for name in named pinned both asked; do
		reached "over TLS from BIND, $name" 20 at anser "$name.example" 1
		same_zone "over TLS from BIND, $name: the same zone" "$work/$name" ctl zone dump "$name.example"
	done
	for name in misnamed misissued mispinned unasked clear; do
		reached "over TLS from BIND, $name: the status says why not" 20 status_has "$name.example" '.["last-error"]' "tls-$name"
		note "$name: $(zone_status "$name.example" '.["last-error"]')"
		same "over TLS from BIND, $name: no data" SERVFAIL "$(rcode anser "$name.example" SOA)"
	done
	zone named.example 2 >"$work/named"
	reload bind
	reached "over TLS from BIND: a change" 20 at anser named.example 2
	check "over TLS from BIND: by IXFR" has "zone named.example.: serial 2 by IXFR" cat "$work/anser/log"
}

over_tls() {
	kdig +tls-ca="$work/ca.pem" +tls-hostname=anser.example "$@" "@${address[anser]}" out.example AXFR
}

tls_to_others() {
	local name
	for name in bind nsd; do
		reached "over TLS to $name" 20 at "$name" out.example 1
		same_zone "over TLS to $name: the same zone" "$work/out" fetch "$name" out.example
	done
	check "over TLS to kdig" has "host60.out.example." over_tls -y "${secret_of[k256]}"
	check "over TLS to kdig, with a certificate" has "host60.out.example." \
		over_tls -y "${secret_of[k256]}" +tls-certfile="$work/client.pem" +tls-keyfile="$work/client.key"
	same "over TLS to kdig, with another key: nothing" "" "$(over_tls -y "${secret_of[k512]}" 2>&1 | grep host60)"
	same "without TLS: nothing" "" "$(fetch anser out.example k256 | grep host60)"
	zone out.example 2 >"$work/out"
	reload anser
	for name in bind nsd; do
		reached "over TLS to $name: a change" 20 at "$name" out.example 2
		same_zone "over TLS to $name: the same zone again" "$work/out" fetch "$name" out.example
	done
	reached "over TLS: by IXFR to both" 10 [ "$(transfers out ixfr sent)" = 2 ]
	check "over TLS to BIND, another name: it refuses us" \
		has "transfer of 'outwrong.example/IN' from 127.0.0.1#853: failed to connect: TLS peer certificate verification failed" cat "$work/bind/log"
	same "over TLS to BIND, another name: no data" SERVFAIL "$(rcode bind outwrong.example SOA)"
}

scenario_tls() {
	local name
	logged "$work/openssl.log" certificates
	tls_make_cases
	for name in "${!tls_cases[@]}"; do
		zone "$name.example" 1 >"$work/$name"
	done
	tls_anser # first: BIND does not come again for ten minutes where it was refused a connection
	tls_bind
	tls_nsd
	tls_from_bind
	tls_to_others
	grep "out.example.*over tls" "$work/anser/log" | sed 's/^[^ ]* anserd info: /# /'
}
