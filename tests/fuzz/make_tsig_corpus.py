#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes corpus/tsig: requests signed with the keys of fuzz_tsig.c (dnspython), and ways to change an answer.

usage: make_tsig_corpus.py corpus/tsig
"""
import os
import sys

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

SECRET = b"everybody may know this"
NOW = 1700000000
ALGORITHMS = ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


def signed(letter, algorithm, secret=SECRET, time=NOW, cut=0):
    """A request; `cut` octets of its MAC are missing."""
    key = dns.tsig.Key(dns.name.from_text(letter + "."), secret, algorithm)
    query = dns.message.make_query("example.", "SOA", use_edns=0)
    query.id = 7
    plain = query.to_wire()
    blank = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, time, 300, b"", 7, 0, b"")
    rdata, _ = dns.tsig.sign(plain, key, blank, time)
    rdata = rdata.replace(mac=rdata.mac[: len(rdata.mac) - cut]).to_wire()
    record = key.name.to_wire() + b"\0\xfa\0\xff\0\0\0\0" + len(rdata).to_bytes(2, "big") + rdata
    return plain[:10] + b"\0\2" + plain[12:] + record


def main(folder):
    inputs = {"answer": b"\1", "plain": b"\0" + dns.message.from_text("id 7\n;QUESTION\nexample. IN SOA").to_wire()}
    for letter, algorithm in zip("abcde", ALGORITHMS):
        inputs[algorithm] = b"\0" + signed(letter, algorithm)
    inputs["badkey"] = b"\0" + signed("x", "hmac-sha256")
    inputs["badkey-algorithm"] = b"\0" + signed("a", "hmac-sha256")
    inputs["badsig"] = b"\0" + signed("c", "hmac-sha256", secret=b"another")
    inputs["badtime"] = b"\0" + signed("c", "hmac-sha256", time=NOW - 612)
    inputs["truncated"] = b"\0" + signed("c", "hmac-sha256", cut=16)
    inputs["truncated-too-far"] = b"\0" + signed("c", "hmac-sha256", cut=17)
    changes = {"bit": 0, "dropped": 1, "repeated": 2, "swapped": 3, "stripped": 4}
    for name, op in changes.items():
        inputs["answer-" + name] = bytes([1, op, 2, 40])
        inputs["answer-" + name + "-first"] = bytes([1, op, 0, 3])
        inputs["answer-" + name + "-last"] = bytes([1, op, 5, 30])
    os.makedirs(folder, exist_ok=True)
    for name, data in inputs.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


main(sys.argv[1])
