#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes vectors.txt: messages signed by dnspython, for test_tsig_vectors.c to verify and to sign to the same octets.

usage: make_vectors.py > vectors.txt

A line each, fields separated by blanks, octets in hex, `-` for none:

    key ALGORITHM SECRET                  begins a dialogue of the key `fleet.example.` at time TIME
    request PLAIN SIGNED                  a request
    reply PLAIN SIGNED                    the reply to the request before it
    next PLAIN SIGNED                     a later message of the same answer, signed
    bare PLAIN                            a later message of the same answer, without TSIG

The secrets are fixed here, so that the file comes out the same every time. Made with dnspython 2.3.0.
"""
import hashlib
import struct

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.rdtypes.ANY.TSIG

NAME = dns.name.from_text("fleet.example.")
TIME = 0x1_2345_6789  # more than 32 bits, so that all six octets count
FUDGE = 300


def with_tsig(plain, rdata):
    """Puts the record behind the message, as RFC 8945 section 5.1 says."""
    data = rdata.to_wire()
    record = NAME.to_wire() + struct.pack("!HHIH", dns.rdatatype.TSIG, dns.rdataclass.ANY, 0, len(data)) + data
    arcount = struct.unpack("!H", plain[10:12])[0] + 1
    return plain[:10] + struct.pack("!H", arcount) + plain[12:] + record


def sign(key, plain, request_mac=None, ctx=None, multi=False):
    """The signed message, its MAC, and the state for the next one."""
    ident = struct.unpack("!H", plain[:2])[0]
    blank = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, TIME, FUDGE, b"", ident, 0, b"")
    rdata, ctx = dns.tsig.sign(plain, key, blank, TIME, request_mac, ctx, multi)
    return with_tsig(plain, rdata), rdata.mac, ctx


def answer(query, n):
    """The n-th message of a transfer."""
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(f"host{n}.example.", 3600, "IN", "TXT", '"' + "x" * (40 * n) + '"'))
    return reply.to_wire()


def dialogue(algorithm, secret_len):
    secret = hashlib.shake_128(f"{algorithm} {secret_len}".encode()).digest(secret_len)
    key = dns.tsig.Key(NAME, secret, algorithm)
    print("key", algorithm, secret.hex())
    query = dns.message.make_query("example.", "AXFR", use_edns=0)
    query.id = 0x4321
    plain = query.to_wire()
    signed, mac, _ = sign(key, plain)
    print("request", plain.hex(), signed.hex())
    plain = answer(query, 0)
    signed, _, ctx = sign(key, plain, mac, multi=True)
    print("reply", plain.hex(), signed.hex())
    for n in range(1, 7):
        plain = answer(query, n)
        if n in (2, 3, 5):
            ctx.update(plain)
            print("bare", plain.hex())
        else:
            signed, _, ctx = sign(key, plain, ctx=ctx, multi=True)
            print("next", plain.hex(), signed.hex())


def main():
    print(f"# made by make_vectors.py; time {TIME}, fudge {FUDGE}")
    for algorithm in ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"):
        for secret_len in (1, 32, 64, 65, 200):
            dialogue(algorithm, secret_len)


main()
