#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our AXFR and IXFR messages, read by dnspython: they give the zone that dnspython reads from the zone file.

xfr_dnspython.py XFR-TOOL {ORIGIN FILE}...
"""
import os
import struct
import subprocess
import sys
import tempfile

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.versioned
import dns.xfr
import dns.zone

TARGETS = ("1", "700", "16384", "65535")


def messages(*arguments):
    out = subprocess.run(arguments, capture_output=True, check=True).stdout
    while out:
        (length,) = struct.unpack("!H", out[:2])
        yield out[2:2 + length]
        out = out[2 + length:]


def receive(zone, wires, rdtype, serial=None):
    """Applies a transfer to the zone; the number of messages. dnspython checks the form of the stream."""
    n = 0
    with dns.xfr.Inbound(zone, rdtype, serial) as inbound:
        done = False
        for wire in wires:
            assert not done, "messages behind the end"
            n += 1
            done = inbound.process_message(
                dns.message.from_wire(wire, xfr=True, origin=zone.from_wire_origin(), one_rr_per_rrset=True, multi=True))
        assert done, "the end is missing"
    return n


def contents(zone):
    """Every record in canonical wire form, with its TTL. (Letter case: docs/adr/0002-letter-case.md.)"""
    records = set()
    for name, node in zone.nodes.items():
        owner = name.derelativize(zone.origin)
        for rdataset in node.rdatasets:
            for rdata in rdataset:
                records.add((owner.to_digestable(), rdataset.rdtype, rdataset.covers, rdataset.ttl,
                             rdata.to_digestable(zone.origin)))
    return records


def check_axfr(tool, origin, path):
    expected = dns.zone.from_file(path, origin, relativize=False)
    counts = []
    for target in TARGETS:
        zone = dns.versioned.Zone(origin, relativize=False)
        counts.append(receive(zone, messages(tool, origin, path, target), dns.rdatatype.AXFR))
        assert contents(zone) == contents(expected), f"{path}: AXFR in messages of {target} octets differs"
    assert counts[0] > counts[-1] and counts[-1] == 1, counts
    return counts


def check_ixfr(tool, origin, path):
    """Every third record, SOA and NS apart, is missing from the old version, and one is there that goes."""
    apex = dns.name.from_text(origin)
    new = dns.zone.from_file(path, origin, relativize=False)
    lines = [f"gone.{origin if origin != '.' else ''} 77 IN A 192.0.2.77"]
    i = 0
    for name, ttl, rdata in new.iterate_rdatas():
        text = rdata.to_text(origin=apex, relativize=False)
        if rdata.rdtype == dns.rdatatype.SOA:
            serial = rdata.serial - 1
            text = rdata.replace(serial=serial).to_text(origin=apex, relativize=False)
        elif rdata.rdtype != dns.rdatatype.NS:
            i += 1
            if i % 3 == 0:
                continue
        lines.append(f"{name} {ttl} IN {dns.rdatatype.to_text(rdata.rdtype)} {text}")
    with tempfile.NamedTemporaryFile("w", suffix=".zone") as old:
        old.write("\n".join(lines) + "\n")
        old.flush()
        for target in TARGETS:
            zone = dns.versioned.Zone(origin, relativize=False)
            receive(zone, messages(tool, origin, old.name, "16384"), dns.rdatatype.AXFR)
            receive(zone, messages(tool, origin, old.name, target, path), dns.rdatatype.IXFR, serial)
            assert contents(zone) == contents(new), f"{path}: IXFR in messages of {target} octets differs"
    return i // 3


def main():
    tool, pairs = os.path.abspath(sys.argv[1]), sys.argv[2:]
    for origin, path in zip(pairs[::2], [os.path.abspath(p) for p in pairs[1::2]]):
        os.chdir(os.path.dirname(path))  # where dnspython looks for what is included
        counts = check_axfr(tool, origin, path)
        changed = check_ixfr(tool, origin, path)
        print(f"{origin} {path}: AXFR in {counts} messages, IXFR of {changed} records added")


main()
