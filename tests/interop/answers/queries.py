# SPDX-License-Identifier: Apache-2.0
"""The questions: derived from the zones' own names and types, and the odd ones. All from one seed."""
import random
import struct

import dns.name
import dns.rdatatype

COMMON = [1, 28, 2, 6, 15, 16, 5, 43, 33, 39, 48, 64, 65, 12, 257, 65000]
SIGNED = [46, 47, 50, 51, 59]
A, NS, SOA, ANY, DS, DNAME, CNAME = 1, 2, 6, 255, 43, 39, 5


class Query:
    """One packet, with its category, the zone that it is about, and whether a connection may break over it."""
    __slots__ = ("category", "zone", "wire", "is_odd")

    def __init__(self, category, zone, wire, is_odd=False):
        self.category, self.zone, self.wire, self.is_odd = category, zone, wire, is_odd

    @property
    def qtype(self):
        """QTYPE, or 0 where there is no plain question."""
        pos = 12
        while pos < len(self.wire) and 0 < self.wire[pos] < 64:
            pos += 1 + self.wire[pos]
        return int.from_bytes(self.wire[pos + 1:pos + 3], "big")

    @property
    def name_text(self):
        """QNAME in lower case, its labels as they are."""
        pos, labels = 12, []
        while pos < len(self.wire) and 0 < self.wire[pos] < 64:
            labels.append(self.wire[pos + 1:pos + 1 + self.wire[pos]].decode("latin-1").lower())
            pos += 1 + self.wire[pos]
        return ".".join(labels) + "."


def name_wire(labels):
    """Wire form; labels end with the root's."""
    return b"".join(bytes((len(l),)) + l for l in labels)


def opt_record(size=1232, do=False, version=0, z=0, options=b"", rcode=0):
    """An OPT record."""
    return struct.pack("!BHHBBHH", 0, 41, size, rcode, version, (0x8000 if do else 0) | z, len(options)) + options


def option(code, data):
    """An EDNS option."""
    return struct.pack("!HH", code, len(data)) + data


def packet(labels, qtype, qclass=1, flags=0, opt=None, counts=(1, 0, 0), tail=b""):
    """A whole query; `tail` stands between question and OPT."""
    header = struct.pack("!6H", 0, flags, counts[0], counts[1], counts[2], 1 if opt else 0)
    question = name_wire(labels) + struct.pack("!HH", qtype, qclass) if counts[0] else b""
    return header + question + tail + (opt or b"")


# -------- from the zones --------

# Types that dnspython does not know by name.
TYPES = {"MD": 3, "MF": 4, "WKS": 11, "NULL": 10, "EID": 31, "NIMLOC": 32, "SINK": 40, "NID": 104, "L32": 105, "L64": 106, "LP": 107,
         "EUI48": 108, "EUI64": 109, "TALINK": 58, "RKEY": 57, "DSYNC": 66, "RESINFO": 261, "WALLET": 262, "CLA": 263, "IPN": 264,
         "ATMA": 34, "HHIT": 67, "BRID": 68, "DOA": 259, "UINFO": 100, "UID": 101, "GID": 102, "UNSPEC": 103}


def owner_and_type(line, origin):
    """Of one record on one line, as all our zone files have them."""
    fields = line.split()
    for word in fields[1:]:
        if not word.isdigit() and word != "IN":
            rrtype = TYPES.get(word) or int(dns.rdatatype.from_text(word))
            return dns.name.from_text(fields[0], origin), rrtype
    raise ValueError("no type: " + line)


class Zone:
    """A zone's names, each with its types."""

    def __init__(self, origin, path, signing):
        self.origin, self.signing = dns.name.from_text(origin), signing
        self.names = {}
        with open(path, encoding="latin-1") as f:
            for line in f:
                if line[0] not in "$;\n":
                    owner, rrtype = owner_and_type(line, self.origin)
                    self.names.setdefault(owner, set()).add(rrtype)
        self.names = {name: sorted(types - {46}) for name, types in self.names.items()}
        self.cuts = {n for n, types in self.names.items() if NS in types and n != self.origin}
        self.hashed = {n for n, types in self.names.items() if types == [50]}

    @property
    def is_signed(self):
        """Whether there are signatures in it."""
        return self.signing != "plain"

    def empty_names(self):
        """Names that exist only because others lie below."""
        found = set()
        for name in self.names:
            while len(name.labels) > len(self.origin.labels) + 1:
                name = name.parent()
                if name not in self.names:
                    found.add(name)
        return sorted(found)


def mixed_case(rng, labels):
    """The labels in random case."""
    return tuple(bytes(c ^ 0x20 if (65 <= c <= 90 or 97 <= c <= 122) and rng.random() < 0.5 else c for c in l) for l in labels)


def fits(labels):
    """Whether that is a name."""
    return sum(len(l) + 1 for l in labels) <= 255 and all(len(l) <= 63 for l in labels)


def siblings(rng, labels):
    """Names just before and just behind, in the canonical order, and some between."""
    first, rest = labels[0], labels[1:]
    found = []
    if first:
        last = first[-1]
        found += [(first[:-1] + bytes((max(last - 1, 0),)),) + rest, (first[:-1] + bytes((min(last + 1, 255),)),) + rest]
        found += [(first + b"\0",) + rest, (first + b"~",) + rest, (first[:len(first) // 2] or b"0",) + rest,
                  (bytes((rng.randrange(33, 126),)),) + rest, (b"-" + first,) + rest]
    return [l for l in found if fits(l) and l[0]]


def below(rng, labels):
    """Names under it: a child, a deeper one, a wildcard, and the longest that fits."""
    found = [(b"x",) + labels, (b"a", b"b") + labels, (b"*",) + labels, (b"x", b"*") + labels, (b"www",) + labels,
             (bytes((rng.randrange(256), rng.randrange(256))),) + labels]
    room = 255 - sum(len(l) + 1 for l in labels)
    if room > 64:
        found.append((b"q" * 63,) + labels)
    found.append((b"z",) * min(room // 2, 127 - len(labels)) + labels)
    return [l for l in found if fits(l) and l[0]]


EDNS = [(None, 40), (opt_record(1232), 25), (opt_record(1232, do=True), 25), (opt_record(512), 4), (opt_record(4096), 3),
        (opt_record(4096, do=True), 4), (opt_record(512, do=True), 4), (opt_record(0), 1), (opt_record(700, do=True), 2),
        (opt_record(65535), 1)]
EDNS_PLAIN = [(o, w) for o, w in EDNS if o is None or not o[7] & 0x80]


class Generator:
    """Makes the questions of one world."""

    def __init__(self, zones, seed):
        self.zones, self.rng = zones, random.Random(seed)
        self.by_category = {}

    def add(self, category, zone, wire, is_odd=False):
        """One question more, unless it is there."""
        self.by_category.setdefault(category, {}).setdefault((wire, is_odd), Query(category, zone, wire, is_odd))

    def ask(self, kind, zone, labels, qtype, opts=None):
        """A plain question about a zone's data, with EDNS as it comes."""
        opts = opts or EDNS
        opt = self.rng.choices([o for o, _ in opts], [w for _, w in opts])[0]
        do = opt is not None and opt[7] & 0x80
        how = "plain" if not zone.is_signed else "signed" if do else "unasked"
        flags = self.rng.choice([0, 0, 0, 0x0100])
        self.add(how + "/" + kind, str(zone.origin), packet(labels, qtype, opt=opt, flags=flags))

    def types_for(self, types, n):
        """Some types that a name does not have, and those that are asked most."""
        others = [t for t in COMMON + SIGNED if t not in types]
        return self.rng.sample(others, min(n, len(others)))

    def zone_questions(self, zone, share):
        """All kinds for one zone; share: how many of its names are taken."""
        rng = self.rng
        names = [n for n in zone.names if n not in zone.hashed]
        for name in names:
            if share < 1 and rng.random() > share:
                continue
            labels, types = name.labels, zone.names[name]
            is_below = any(name.is_subdomain(c) and name != c for c in zone.cuts) if len(zone.cuts) < 100 else False
            kind = "cut" if name in zone.cuts else "hidden" if is_below else "owner"
            for t in types:
                for _ in range(2):
                    self.ask(kind, zone, labels, t)
                self.ask("case", zone, mixed_case(rng, labels), t)
                self.ask("sizes", zone, labels, t, [(opt_record(s, do=d), 1) for s in (512, 600, 800, 1100, 1232, 4096) for d in (0, 1)])
            for t in self.types_for(types, 4):
                self.ask(kind + "-notype", zone, labels, t)
            self.ask("any", zone, labels, ANY)
            if name in zone.cuts:
                for t in (DS, NS, A, SOA):
                    self.ask("cut", zone, labels, t)
                for child in below(rng, labels):
                    self.ask("below-cut", zone, child, rng.choice([A, 28, NS, DS, SOA, 16]))
            else:
                for child in below(rng, labels):
                    self.ask("below", zone, child, rng.choice(COMMON + types))
                if DNAME in types or any(l == b"*" for l in labels):
                    self.special(zone, labels, types)
            for other in siblings(rng, labels):
                self.ask("sibling", zone, other, rng.choice(COMMON + types))
        for name in zone.empty_names():
            for t in [A, NS, DS] + self.types_for([A, NS, DS], 2):
                self.ask("ent", zone, name.labels, t)
            self.ask("ent-below", zone, (b"no",) + name.labels, A)
        for name in list(zone.hashed)[:20]:
            for t in (A, 50, 46, ANY):
                self.ask("hash-owner", zone, name.labels, t)
        for _ in range(30):
            self.ask("random", zone, (b"r%d" % rng.randrange(10**6),) + zone.origin.labels, rng.choice(COMMON))

    def special(self, zone, labels, types):
        """Below DNAMEs and wildcards, with all types and many names."""
        star = labels.index(b"*") if b"*" in labels else None
        base = labels if star is None else labels[star + 1:]
        kind = "dname" if star is None else "wildcard"
        for prefix in ((b"x",), (b"some",), (b"www",), (b"c",), (b"a", b"b"), (b"ent",), (b"x", b"ent"), (b"*",), (b"y", b"*"),
                       (b"sub",), (b"host",), (b"back",), (b"l" * 63, b"m" * 63), (b"l" * 63,) * 3, (b"n" * 40,) * 3):
            if fits(prefix + base):
                for t in types + [A, CNAME, DNAME, 16, ANY, NS]:
                    self.ask(kind, zone, prefix + base, t)
                    if self.rng.random() < 0.3:
                        self.ask(kind, zone, mixed_case(self.rng, prefix + base), t)

    def everything(self, total, is_wanted=lambda category: True):
        """Questions of the world's zones and odd ones, of the wanted categories, `total` at most."""
        n_names = sum(len(z.names) for z in self.zones)
        for zone in self.zones:
            self.zone_questions(zone, min(1, 8000 / len(zone.names)) if n_names > 9000 else 1)
        odd = Odd(self)
        odd.all()
        self.by_category = {c: pool for c, pool in self.by_category.items() if is_wanted(c)}
        return self.sample(total)

    def sample(self, total):
        """Small categories whole, large ones cut down to what is left; more than asked for is never made."""
        pools = sorted(self.by_category.values(), key=len)
        left, out = total, []
        for i, pool in enumerate(pools):
            take = min(len(pool), left // (len(pools) - i))
            out += self.rng.sample(list(pool.values()), take)
            left -= take
        self.rng.shuffle(out)
        return out

    def about(self, entry, n):
        """Some questions that an entry of argued.txt is about."""
        found = [q for pool in self.by_category.values() for q in pool.values() if entry.is_about(q)]
        return self.rng.sample(found, min(n, len(found)))


# -------- the odd ones --------

class Odd:
    """Messages that are not the usual question, after RFC 8906 section 8, RFC 9619 and what fuzzers find."""

    def __init__(self, generator):
        self.g, self.rng = generator, generator.rng
        self.targets = []
        for zone in generator.zones:
            names = sorted(n for n in zone.names if n not in zone.hashed)
            own = [(zone, n.labels, zone.names[n]) for n in (zone.origin, self.rng.choice(names), self.rng.choice(names))]
            self.targets += own + [(zone, (b"nx",) + zone.origin.labels, [A])]
        self.targets = [t for t in self.targets if fits(t[1])]

    def each(self, n):
        """n of the targets: zone name, labels, a type."""
        for _ in range(n):
            zone, labels, types = self.rng.choice(self.targets)
            yield str(zone.origin), labels, self.rng.choice(types + [A, SOA])

    def all(self):
        """Every odd category."""
        for make in (self.opcodes, self.classes, self.meta, self.chaos, self.edns, self.flags, self.counts, self.broken,
                     self.outside, self.mutated):
            make()

    def opcodes(self):
        """RFC 8906 section 8.1.4, RFC 1996, 2136."""
        for opcode in range(1, 16):
            for zone, labels, qtype in self.each(12):
                kind = {1: "iquery", 2: "status", 4: "notify", 5: "update"}.get(opcode, "other")
                opt = self.rng.choice([None, opt_record()])
                self.g.add("opcode/" + kind, zone, packet(labels, qtype, flags=opcode << 11, opt=opt))
        for zone in self.g.zones:
            labels = zone.origin.labels
            self.g.add("opcode/notify", str(zone.origin), packet(labels, SOA, flags=4 << 11))
            self.g.add("opcode/notify", str(zone.origin), packet(labels, SOA, flags=4 << 11 | 0x400))
            self.g.add("opcode/update", str(zone.origin), packet(labels, SOA, flags=5 << 11))
        for opcode in range(1, 16):
            self.g.add("opcode/header-only", "", struct.pack("!6H", 0, opcode << 11, 0, 0, 0, 0), True)

    def classes(self):
        """Other classes than IN."""
        for qclass in (0, 2, 4, 5, 100, 254, 255, 65280, 65535):
            for zone, labels, qtype in self.each(25):
                self.g.add("class/%s" % {4: "HS", 254: "NONE", 255: "ANY"}.get(qclass, "other"), zone,
                           packet(labels, qtype, qclass, opt=self.rng.choice([None, opt_record()])))

    def meta(self):
        """Types that are no data."""
        for qtype, kind in ((41, "opt"), (249, "tkey"), (250, "tsig"), (251, "ixfr"), (252, "axfr"), (253, "mailb"), (254, "maila"),
                            (255, "any"), (128, "nxname"), (0, "zero"), (65535, "last"), (65534, "private"), (129, "q-range"), (200, "q-range")):
            for zone, labels, _ in self.each(40):
                self.g.add("meta/" + kind, zone, packet(labels, qtype, opt=self.rng.choice([None, opt_record(), opt_record(do=True)])))

    def chaos(self):
        """Class CH."""
        names = [b"version.bind", b"hostname.bind", b"id.server", b"version.server", b"authors.bind", b"bind", b"server", b"VERSION.bind",
                 b"nothing.bind", b"example", b""]
        for text in names:
            labels = tuple(l for l in text.split(b".") if l) + (b"",)
            for qtype in (16, 1, 255, 6, 2, 252):
                for opt in (None, opt_record(), opt_record(do=True)):
                    self.g.add("chaos/%s" % (text.decode().lower() or "root"), "", packet(labels, qtype, 3, opt=opt))

    def edns(self):
        """RFC 6891 and RFC 8906 section 8.2."""
        options = {
            "nsid": option(3, b""), "nsid-data": option(3, b"abc"), "unknown": option(100, b"x"), "unknown-empty": option(65001, b""),
            "cookie": option(10, b"12345678"), "cookie-short": option(10, b"1234567"), "cookie-17": option(10, b"1" * 17), "cookie-long": option(10, b"1" * 41),
            "cookie-bad-server": option(10, b"1" * 24), "expire": option(9, b""), "keepalive": option(11, b""), "keepalive-value": option(11, b"\0\x10"),
            "padding": option(12, b"\0" * 50), "ecs": option(8, b"\0\1\x18\0\xc0\0\2"), "ecs-bad": option(8, b"\0\1\x18\0\xc0"),
            "chain": option(13, b"\0"), "zoneversion": option(19, b""), "many": option(3, b"") + option(100, b"x" * 30) + option(12, b""),
            "twice": option(3, b"") + option(3, b""),
        }
        for kind, data in options.items():
            for zone, labels, qtype in self.each(15):
                self.g.add("edns/option-" + kind, zone, packet(labels, qtype, opt=opt_record(options=data)))
        for version in (1, 2, 100, 255):
            for zone, labels, qtype in self.each(20):
                for extra in (b"", option(100, b"z"), option(3, b"")):
                    self.g.add("edns/version", zone, packet(labels, qtype, opt=opt_record(version=version, options=extra)))
                self.g.add("edns/version", zone, packet(labels, qtype, opt=opt_record(version=version, do=True)))
        for z in (1, 0x4000, 0x7fff, 0x0080):
            for zone, labels, qtype in self.each(20):
                self.g.add("edns/z", zone, packet(labels, qtype, opt=opt_record(z=z)))
        for zone, labels, qtype in self.each(60):
            self.g.add("edns/rcode", zone, packet(labels, qtype, opt=opt_record(rcode=self.rng.randrange(1, 256))))
        for size in (0, 1, 511, 512, 513, 1231, 1232, 1233, 65535):
            for zone, labels, qtype in self.each(15):
                self.g.add("edns/size", zone, packet(labels, qtype, opt=opt_record(size)))
        bad = {"two": opt_record() + opt_record(), "owner": b"\1x" + opt_record(), "length": opt_record()[:-2] + b"\0\5",
               "option-length": opt_record(options=b"\0\3\0\5ab"), "option-half": opt_record(options=b"\0\3\0")}
        for kind, opt in bad.items():
            for zone, labels, qtype in self.each(12):
                wire = packet(labels, qtype, opt=opt)
                if kind == "two":
                    wire = wire[:10] + b"\0\2" + wire[12:]
                self.g.add("edns/bad-" + kind, zone, wire, True)
        for zone, labels, qtype in self.each(12):  # OPT where it does not belong
            for at in (6, 8):
                wire = bytearray(packet(labels, qtype, opt=opt_record()))
                wire[10:12] = b"\0\0"
                wire[at:at + 2] = b"\0\1"
                self.g.add("edns/bad-section", zone, bytes(wire), True)

    def flags(self):
        """Each header bit that a query does not use."""
        for bit, kind in ((0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z"), (0x0020, "ad"), (0x0010, "cd"),
                          (0x07f0, "all")):
            for zone, labels, qtype in self.each(25):
                self.g.add("flags/" + kind, zone, packet(labels, qtype, flags=bit, opt=self.rng.choice([None, opt_record()])))
        for rcode in range(1, 16):
            for zone, labels, qtype in self.each(4):
                self.g.add("flags/rcode", zone, packet(labels, qtype, flags=rcode))

    def counts(self):
        """QDCOUNT other than 1 (RFC 9619), and records that queries do not have."""
        for zone, labels, qtype in self.each(25):
            one = name_wire(labels) + struct.pack("!HH", qtype, 1)
            header = struct.Struct("!6H").pack
            add = lambda kind, wire, z=zone: self.g.add("counts/" + kind, z, wire, True)
            add("qd0", header(0, 0, 0, 0, 0, 0))
            add("qd0-opt", header(0, 0, 0, 0, 0, 1) + opt_record())
            add("qd0-cookie", header(0, 0, 0, 0, 0, 1) + opt_record(options=option(10, b"12345678")))
            add("qd0-question", header(0, 0, 0, 0, 0, 0) + one)
            add("qd2", header(0, 0, 2, 0, 0, 0) + one + one)
            add("qd2-pointer", header(0, 0, 2, 0, 0, 0) + one + b"\xc0\x0c\0\1\0\1")
            add("qd2-one", header(0, 0, 2, 0, 0, 0) + one)
            add("qd65535", header(0, 0, 65535, 0, 0, 0) + one)
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"
            add("an1", header(0, 0, 1, 1, 0, 0) + one + record)
            add("ns1", header(0, 0, 1, 0, 1, 0) + one + record)
            add("ar1", header(0, 0, 1, 0, 0, 1) + one + record)
            add("ar1-opt", header(0, 0, 1, 0, 0, 2) + one + record + opt_record())
            add("ar1-none", header(0, 0, 1, 0, 0, 1) + one)

    def broken(self):
        """Wire that breaks off, points wrongly, or goes on."""
        for zone, labels, qtype in self.each(15):
            whole = packet(labels, qtype, opt=opt_record())
            for end in range(12, len(whole), max(1, len(whole) // 30)):
                self.g.add("broken/cut-off", zone, whole[:end], True)
            for extra in (b"\0", b"abc", b"\0" * 100):
                self.g.add("broken/trailing", zone, whole + extra, True)
                self.g.add("broken/trailing", zone, packet(labels, qtype) + extra, True)
            head, tail = whole[:12], struct.pack("!HH", qtype, 1)
            head = head[:10] + b"\0\0"
            for name, kind in ((b"\xc0\x0c", "pointer-self"), (b"\xc0\x00", "pointer-header"), (b"\xc0\xff", "pointer-out"), (b"\1a\xc0\x0c", "pointer-loop"),
                               (b"\x40a\0", "label-40"), (b"\x80a\0", "label-80"), (b"\x41\1\0", "label-41"), ((b"\x3f" + b"a" * 63) * 4 + b"\0", "name-257"),
                               (b"\1a" * 128 + b"\0", "name-257"), (b"\1a" * 140 + b"\0", "name-257"), (b"\x3f" + b"a" * 20, "label-out")):
                self.g.add("broken/" + kind, zone, head + name + tail, True)
        for size in range(1, 12):
            self.g.add("broken/short", "", bytes(size), True)
        for zone, labels, qtype in self.each(10):
            self.g.add("broken/response", zone, packet(labels, qtype, flags=0x8000), True)

    def outside(self):
        """Names of no zone here."""
        for text in (b"www.outside.test", b"test", b"com", b"", b"a.b.c.d.e.f", b"plain", b"nsec", b"arpa", b"xplain", b"localhost", b"1.0.0.127.in-addr.arpa"):
            labels = tuple(l for l in text.split(b".") if l) + (b"",)
            for qtype in (A, NS, SOA, DS, ANY, 16, 252):
                for opt in (None, opt_record(), opt_record(do=True)):
                    self.g.add("outside/all", "", packet(labels, qtype, opt=opt))

    def mutated(self):
        """Good packets with some octets changed."""
        rng = self.rng
        for zone, labels, qtype in self.each(1500):
            wire = bytearray(packet(labels, qtype, opt=rng.choice([None, opt_record(), opt_record(options=option(10, b"12345678"))])))
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                wire[rng.randrange(2, len(wire))] = rng.choice([0, 1, 255, 0xc0, rng.randrange(256)])
            self.g.add("broken/mutated", zone, bytes(wire), True)
