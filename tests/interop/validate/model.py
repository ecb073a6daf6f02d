# SPDX-License-Identifier: Apache-2.0
"""Signed zones for validate.py, and questions about them of which the right outcome is known by construction.

The tree: a root of our own, signed, with a secure delegation to each zone of ZONES; each of those has children on the same server
(`near-`) and on another one (`far-`), signed and unsigned.
"""
import random

SECURE, INSECURE, EITHER = "secure", "insecure", "secure or insecure"
NOERROR, NXDOMAIN, YXDOMAIN = 0, 3, 6

# Name: options of dnssec-signzone. RFC 9276 wants the second form of NSEC3; the third is what it has to be able to read.
ZONES = {"nsec": [], "nsec3": ["-3", "-", "-H", "0"], "salted": ["-3", "5a17c0de", "-H", "7"],
         "optout": ["-3", "aabbccdd", "-H", "5", "-A"]}
NEAR, FAR = "10.53.0.1", "10.53.0.3"  # the servers' addresses
HEAD = "$TTL 3600\n@ SOA ns admin 1 7200 900 1209600 300\n@ NS ns\nns A %s\n"
N_HOSTS, N_ENTS, N_INSECURE = 150, 40, 25
DEPTHS = (3, 8, 20, 45, 80, 115)


class Question:
    """What is asked, and what must come of it."""
    __slots__ = ("kind", "name", "rrtype", "rcode", "security")

    def __init__(self, kind, name, rrtype, rcode, security):
        self.kind, self.name, self.rrtype, self.rcode, self.security = kind, name, rrtype, rcode, security


def deep_name(depth):
    """A relative name of that many labels, its first one telling which."""
    return ".".join(["d%d" % depth] + ["abc"[i % 3] for i in range(depth - 1)])


def zone_text():
    """The records of each zone of ZONES, the children's DS apart."""
    out = [HEAD % NEAR, "@ MX 10 mail\nmail A 192.0.2.25\nmail TXT \"mail\"\n"]
    out += ["host%d A 192.0.2.%d\n" % (i, i) for i in range(N_HOSTS)]
    out += ["a.b.ent%d A 192.0.2.9\n" % i for i in range(N_ENTS)]
    out += [deep_name(d) + " A 192.0.2.10\n" for d in DEPTHS]
    # Wildcards: with two types, blocked by a name, by an empty one, and by a wildcard below; one that is empty itself.
    out.append("*.wild A 192.0.2.11\n*.wild TXT \"wild\"\nblocked.wild TXT \"no\"\nx.empty.wild A 192.0.2.12\n"
               "*.deeper.wild AAAA 2001:db8::1\nsub.*.star A 192.0.2.13\n")
    out.append("*.tohost CNAME host1\n*.towild CNAME any.wild\n*.tonone CNAME nothing.host1\n*.toent CNAME ent1\n*.todel CNAME www.insecure1\n")
    out.append("chain1 CNAME chain2\nchain2 CNAME chain3\nchain3 CNAME host2\nchainnone CNAME chainnone2\nchainnone2 CNAME nothing\n"
               "chainwild CNAME a.wild\nchainent CNAME ent2\nchaintwice CNAME x.towild\n")
    out.append("renamed DNAME tree\nleaf.tree A 192.0.2.14\n*.wild.tree A 192.0.2.15\nlink.tree CNAME host3\ngone DNAME nothing\n"
               "long DNAME %s\n" % ".".join(["l" * 60] * 3))
    for i in range(N_INSECURE):
        out.append("insecure%d NS ns.insecure%d\nns.insecure%d A %s\n" % (i, i, i, FAR))
        out.append("i%d.onlydelegations NS ns.elsewhere%d\n" % (i, i))
    out.append("held DS 1 13 2 %s\nheld NS ns.held\nns.held A %s\n" % ("AB" * 32, FAR))
    for place, address in (("near", NEAR), ("far", FAR)):
        for child in ("secure", "plain"):
            out.append("%s-%s NS ns.%s-%s\nns.%s-%s A %s\n" % ((place, child) * 3 + (address,)))
    return "".join(out)


def child_text(address):
    """The records of every child."""
    return HEAD % address + "".join("h%d A 192.0.2.%d\n" % (i, i) for i in range(20)) + \
        "*.w A 192.0.2.99\n*.c CNAME h1\na.b.ent A 192.0.2.98\n"


class Maker:
    """The questions about one zone."""

    def __init__(self, zone):
        self.zone, self.rng, self.made = zone, random.Random(zone), []
        # In a span with opt-out there may be unsigned delegations, so a denial in it is not secure (RFC 5155 section 9.2).
        self.denied = EITHER if zone == "optout" else SECURE

    def add(self, kind, name, rrtype, rcode=NOERROR, security=None):
        """`name` is below the zone; "" is its apex."""
        full = (name + "." if name else "") + self.zone + "."
        self.made.append(Question(kind, full, rrtype, rcode, security or self.denied))

    def nonexistent(self):
        """NXDOMAIN: anywhere, just beside and below names, below blocks of wildcards, deep."""
        for _ in range(200):
            self.add("NXDOMAIN", "x%x" % self.rng.getrandbits(40), self.rng.choice(["A", "AAAA", "MX", "TXT", "NS"]), NXDOMAIN)
        for i in range(N_HOSTS):
            for name in ("host%d\\000", "host%d!", "\\000.host%d", "x.y.host%d", "*.host%d", "\\255.host%d", "-host%d"):
                self.add("NXDOMAIN", name % i, "A", NXDOMAIN)
        for name in ("!", "\\000", "\\255", "zzz", "*", "a.\\*", "www.\\*"):
            self.add("NXDOMAIN", name, "A", NXDOMAIN)
        for i in range(N_ENTS):
            for name in ("b.ent%dx", "c.ent%d", "a.a.ent%d", "*.ent%d", "z.a.b.ent%d"):
                self.add("NXDOMAIN below an empty name", name % i, "A", NXDOMAIN)
            self.add("NXDOMAIN below a block", "x%d.blocked.wild" % i, "A", NXDOMAIN)
            self.add("NXDOMAIN below a block", "y%d.empty.wild" % i, "A", NXDOMAIN)
            self.add("NXDOMAIN below a block", "a.b%d.empty.wild" % i, "TXT", NXDOMAIN)
        for depth in DEPTHS:
            labels = deep_name(depth).split(".")
            for cut in range(1, depth, max(1, depth // 8)):
                self.add("NXDOMAIN deep", ".".join(["no"] + labels[cut:]), "A", NXDOMAIN)
                self.add("NODATA deep", ".".join(labels[cut:]), "A", security=SECURE)

    def no_data(self):
        """NODATA at names that are there, and at empty ones. Not subject to opt-out: their own NSEC3 answers."""
        for i in range(N_HOSTS):
            for rrtype in ("AAAA", "MX", "DS", "CNAME"):
                self.add("NODATA", "host%d" % i, rrtype, security=SECURE)
        for rrtype in ("A", "AAAA", "TXT", "SRV", "CNAME", "NSEC3"):
            self.add("NODATA", "", rrtype, security=SECURE)
        self.add("NODATA", "mail", "NS", security=SECURE)
        for i in range(N_ENTS):
            for name in ("b.ent%d", "ent%d"):
                for rrtype in ("A", "DS", "TXT"):
                    self.add("empty name", name % i, rrtype, security=SECURE)
        for name in ("wild", "deeper.wild", "empty.wild", "star", "*.star", "tohost", "tree"):
            for rrtype in ("A", "DS"):
                self.add("empty name", name, rrtype, security=SECURE)
        # Opt-out leaves out empty names above nothing but unsigned delegations.
        self.add("empty name above delegations", "onlydelegations", "A")
        self.add("empty name above delegations", "onlydelegations", "DS")

    def wildcards(self):
        """Expansion, NODATA at the wildcard, and the wildcard's own name."""
        for i in range(120):
            first = "w%x" % self.rng.getrandbits(24)
            name = self.rng.choice([first + ".wild", "a." + first + ".wild", "a.b.c." + first + ".wild"])
            self.add("wildcard", name, self.rng.choice(["A", "TXT"]))
            self.add("wildcard NODATA", "n" + name, self.rng.choice(["AAAA", "MX", "DS", "NS"]))
            self.add("wildcard", first + ".deeper.wild", "AAAA")
            self.add("wildcard NODATA", first + ".deeper.wild", "A")
            self.add("wildcard NODATA", first + ".star", self.rng.choice(["A", "TXT"]))
        self.add("wildcard NODATA", "*.wild", "AAAA", security=SECURE)
        self.add("wildcard", "*.wild", "A", security=SECURE)

    def aliases(self):
        """Chains of CNAMEs, wildcards among them, and DNAMEs: each step proved, the end too."""
        for i in range(60):
            for name, rcode in (("tohost", NOERROR), ("towild", NOERROR), ("toent", NOERROR), ("tonone", NXDOMAIN)):
                self.add("wildcard CNAME", "c%d.%s" % (i, name), "A", rcode)
                self.add("wildcard CNAME", "b.c%d.%s" % (i, name), "MX", rcode)
            for name, rcode in (("%d.wild.renamed", NOERROR), ("no%d.renamed", NXDOMAIN), ("no.%d.leaf.renamed", NXDOMAIN), ("x%d.gone", NXDOMAIN)):
                self.add("DNAME", name % i, "A", rcode)
        for rrtype in ("A", "AAAA"):
            self.add("CNAME", "chain1", rrtype, security=SECURE)
            self.add("CNAME", "chainnone", rrtype, NXDOMAIN)
            self.add("CNAME", "chainwild", rrtype)
            self.add("CNAME", "chainent", rrtype, security=SECURE)
            self.add("CNAME", "chaintwice", rrtype)
            self.add("DNAME", "leaf.renamed", rrtype, security=SECURE)
            self.add("DNAME", "link.renamed", rrtype, security=SECURE)
            self.add("DNAME", "renamed", rrtype, security=SECURE)
        # Unbound judges nothing but NOERROR and NXDOMAIN to be secure.
        self.add("DNAME", ".".join(["o" * 60, "p" * 60, "long"]), "A", YXDOMAIN, EITHER)

    def cuts(self):
        """DS at, above and below delegations, and what lies in the children."""
        for i in range(N_INSECURE):
            self.add("no DS at a delegation", "insecure%d" % i, "DS")
            self.add("no DS at a delegation", "i%d.onlydelegations" % i, "DS")
        self.add("DS", "held", "DS", security=SECURE)
        self.add("DS", "", "DS", security=SECURE)
        for place in ("near", "far"):
            self.add("DS", place + "-secure", "DS", security=SECURE)
            self.add("no DS at a delegation", place + "-plain", "DS")
            for child, security in (("secure", SECURE), ("plain", INSECURE)):
                apex = "%s-%s" % (place, child)
                kind = "below a secure delegation" if child == "secure" else "below an insecure delegation"
                self.add(kind, apex, "MX", security=security)
                for i in range(20):
                    self.add(kind, "h%d.%s" % (i, apex), "A", security=security)
                    self.add(kind, "h%d.%s" % (i, apex), "DS", security=security)
                    self.add(kind, "x%d.%s" % (i, apex), "A", NXDOMAIN, security)
                    self.add(kind, "x%d.w.%s" % (i, apex), "A", security=security)
                    self.add(kind, "x%d.w.%s" % (i, apex), "TXT", security=security)
                    self.add(kind, "x%d.c.%s" % (i, apex), "A", security=security)
                self.add(kind, "b.ent." + apex, "A", security=security)

    def all(self):
        """Every question, in random order, each once."""
        for make in (self.nonexistent, self.no_data, self.wildcards, self.aliases, self.cuts):
            make()
        once = list({(q.name, q.rrtype): q for q in self.made}.values())
        self.rng.shuffle(once)
        return once


def root_questions():
    """About the root itself."""
    out = [Question("NXDOMAIN", n + ".", t, NXDOMAIN, SECURE)
           for n in ("zzz", "a", "\\000", "nsec2", "nsec\\000", "x.y.zzz", "*") for t in ("A", "DS", "NS")]
    return out + [Question("NODATA", ".", t, NOERROR, SECURE) for t in ("A", "DS", "MX")]
