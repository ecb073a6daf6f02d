#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches every record of a zone back, name by name and type by type, and compares with the source. TAP.

    zone_fetch.py --zone FILE --origin NAME SERVER     FILE is a zone file that dnspython reads (may be .xz)
    zone_fetch.py --wire FILE --origin NAME SERVER     FILE lists owner, type and rdata in hexadecimal

Over UDP and over TCP: authoritative sets must come as answers with their signatures beside them; the NS set of a delegation
in its referral, and its DS set as an answer; glue in the additional section of referrals; the NSEC of a delegation, which a
question for it is referred away from, as the proof that the next possible name does not exist.
"""
import argparse
import lzma
from collections import defaultdict

import dns.name
import dns.rdatatype
import dns.zone

import wire
from dnsclient import Client, Tap, note

A, NS, SOA, AAAA, DS, RRSIG, NSEC = 1, 2, 6, 28, 43, 46, 47


def read_zone(path, origin):
    """Records of a zone file as dnspython reads it, in uncompressed wire form."""
    opened = lzma.open(path, "rt") if path.endswith(".xz") else open(path, encoding="utf-8")
    with opened as f:
        zone = dns.zone.from_text(f.read(), origin, relativize=False, check_origin=False)
    return [wire.Record(owner.to_wire().lower(), int(rdata.rdtype), ttl, rdata.to_wire())
            for owner, ttl, rdata in zone.iterate_rdatas()]


def read_list(path):
    records = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                owner, rdtype, data = line.split()
                data = b"" if data == "-" else bytes.fromhex(data)
                records.append(wire.Record(dns.name.from_text(owner).to_wire().lower(), int(rdtype), None, data))
    return records


def canonical(records):
    """Comparable: embedded names of the compressible types in lower case, as they may come from either spelling."""
    return {(r.owner, r.type, r.rdata.lower() if r.type in wire.NAMES else r.rdata) for r in records}


class Source:
    """The zone's records, sorted out by what a server does with them."""

    def __init__(self, records, apex):
        self.all = canonical(records)
        self.ttl = {(r.owner, r.type, r.rdata.lower() if r.type in wire.NAMES else r.rdata): r.ttl for r in records}
        self.sets = defaultdict(set)
        for key in self.all:
            self.sets[key[0], key[1]].add(key)
        self.cuts = {owner for owner, rdtype in self.sets if rdtype == NS and owner != apex}

    def cut_above(self, owner):
        """The delegation at or above the owner, the highest one; None: the owner is ours."""
        above = [name for name in wire.ancestors(owner) if name in self.cuts]
        return above[-1] if above else None

    def signatures(self, owner, covered):
        return {key for key in self.sets.get((owner, RRSIG), ()) if key[2][:2] == covered.to_bytes(2, "big")}

    def questions(self):
        """(owner, type) to ask for: every set; RRSIG alone only where what it covers is not there."""
        for owner, rdtype in self.sets:
            if rdtype != RRSIG:
                yield owner, rdtype
            elif any((owner, int.from_bytes(key[2][:2], "big")) not in self.sets for key in self.sets[owner, RRSIG]):
                yield owner, rdtype


class Fetch:
    """One pass over the zone with one transport."""

    def __init__(self, source, client, transport):
        self.source, self.client, self.transport = source, client, transport
        self.seen, self.faults = set(), []
        self.n_asked = self.n_truncated = 0

    def ask(self, name, rdtype):
        self.n_asked += 1
        query = wire.write_query(self.n_asked & 0xffff, name, rdtype)
        reply = wire.read_message(getattr(self.client, self.transport)(query))
        if reply.flags & wire.TC:
            self.n_truncated += 1
            reply = wire.read_message(self.client.tcp(query))
        if reply.id != self.n_asked & 0xffff or reply.question != (name, rdtype, 1):
            raise ValueError("the answer to another question")
        return reply

    def fault(self, owner, rdtype, text):
        self.faults.append(f"{dns.name.from_wire(owner, 0)[0]} {dns.rdatatype.to_text(rdtype)}: {text}")

    def look(self, owner, rdtype):
        if rdtype == NSEC and self.source.cut_above(owner) == owner:
            self.look_behind(owner)
            return
        reply = self.ask(owner, rdtype)
        sections = [canonical(s) for s in (reply.answer, reply.authority, reply.additional)]
        for record in reply.answer + reply.authority + reply.additional:
            self.compare_ttl(owner, rdtype, record)
        cut = self.source.cut_above(owner)
        if cut is not None and (owner != cut or rdtype != DS):
            self.check_referral(owner, rdtype, cut, reply, sections)
        else:
            self.check_answer(owner, rdtype, sections[0])

    def look_behind(self, owner):
        """Nothing can be between a name and the same one with a zero octet more, so its NSEC denies that (RFC 4034, 6.1)."""
        first_len = owner[0]
        reply = self.ask(bytes([first_len + 1]) + owner[1:1 + first_len] + b"\0" + owner[1 + first_len:], A)
        for record in reply.authority:
            if record.type == NSEC or (record.type == RRSIG and record.rdata[:2] == NSEC.to_bytes(2, "big")):
                self.compare_ttl(owner, NSEC, record) # not the SOA's, whose TTL is the negative one (RFC 2308 section 5)
        wanted = self.source.sets[owner, NSEC] | self.source.signatures(owner, NSEC)
        if not wanted <= canonical(reply.authority):
            self.fault(owner, NSEC, "not in the proof that the next name does not exist")

    def compare_ttl(self, owner, rdtype, record):
        key, = canonical([record])
        self.seen.add(key)
        wanted = self.source.ttl.get(key)
        if key not in self.source.all:
            self.fault(owner, rdtype, f"a record that the zone does not have: {record}")
        elif wanted is not None and wanted != record.ttl and record.type != SOA:
            self.fault(owner, rdtype, f"TTL {record.ttl}, not {wanted}")

    def check_answer(self, owner, rdtype, answer):
        wanted = self.source.sets[owner, rdtype] | self.source.signatures(owner, rdtype)
        if answer != wanted:
            self.fault(owner, rdtype, f"{len(answer)} records, {len(wanted)} wanted, {len(answer & wanted)} of them right")

    def check_referral(self, owner, rdtype, cut, reply, sections):
        if reply.flags & wire.AA or reply.answer:
            self.fault(owner, rdtype, "not a referral")
        if not self.source.sets[cut, NS] <= sections[1]:
            self.fault(owner, rdtype, f"NS of {cut} incomplete")
        glue = {key for _, _, host in self.source.sets[cut, NS] if cut in wire.ancestors(host)
                for address in (A, AAAA) for key in self.source.sets.get((host, address), ())}
        if not glue <= sections[2]:
            self.fault(owner, rdtype, f"{len(glue - sections[2])} glue records of the zone itself missing, TC clear")

    def run(self):
        for owner, rdtype in sorted(self.source.questions()):
            try:
                self.look(owner, rdtype)
            except (OSError, ValueError, IndexError) as e:
                self.fault(owner, rdtype, f"{type(e).__name__}: {e}")


def describe(keys):
    return "\n".join(f"{dns.name.from_wire(o, 0)[0]} {dns.rdatatype.to_text(t)} {d.hex()[:80]}" for o, t, d in sorted(keys)[:10])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zone")
    parser.add_argument("--wire")
    parser.add_argument("--origin", required=True)
    parser.add_argument("server")
    args = parser.parse_args()
    origin = dns.name.from_text(args.origin)
    records = read_list(args.wire) if args.wire else read_zone(args.zone, origin)
    source = Source(records, origin.to_wire().lower())
    tap = Tap()
    for transport in ("udp", "tcp"):
        fetch = Fetch(source, Client(args.server), transport)
        fetch.run()
        n_seen = len(fetch.seen & source.all)
        note(f"{args.origin} over {transport}: {fetch.n_asked} questions, {fetch.n_truncated} truncated, "
             f"{n_seen} of {len(source.all)} records seen")
        tap.report(not fetch.faults, f"{args.origin} over {transport}: every answer is as the source says",
                   "\n".join([f"{len(fetch.faults)} faults"] + fetch.faults[:20]))
        # UDP may leave out sibling glue that does not fit (RFC 9471 section 3.2).
        optional = {k for k in source.all if k[1] in (A, AAAA) and source.cut_above(k[0])} if transport == "udp" else set()
        missing = source.all - fetch.seen - optional
        tap.report(not missing, f"{args.origin} over {transport}: every record comes back", describe(missing))
    tap.done()


if __name__ == "__main__":
    main()
