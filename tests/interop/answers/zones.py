#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""zones.py WORLD DIR: writes the zone files of a world into DIR and prints `NAME FILE SIGNING` for each, for servers.sh.

A world is what a server serves at one time: `many` (all the zones of zones/, the generated ones, each unsigned and signed in
several ways) or `root` (the root zone and a child of it). Everything comes from seeds but the keys, which are new each time.
"""
import lzma
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
SIGNING = {"nsec": [], "nsec3": ["-n", "-t", "0"], "optout": ["-n", "-p", "-t", "3", "-s", "aabbccdd"]}

# Shape: (name below the top, the ways in which it is served). %T in a file is the top: plain, nsec, nsec3, optout.
ALL = ("plain", "nsec", "nsec3", "optout")
SHAPES = {
    "wild": ("wild", ("plain", "nsec", "nsec3")),
    "sec": ("sec", ("plain", "nsec", "nsec3")),
    "hashed": ("hashed", ALL),
    "wildcards": ("wildcards", ALL),
    "aliases": ("aliases", ("plain", "nsec", "nsec3")),
    "aliases2": ("aliases2", ("plain", "nsec", "nsec3")),
    "renamed": ("renamed", ("plain", "nsec")),
    "cuts": ("cuts", ALL),
    "extra": ("extra", ("plain", "nsec")),
    "parent": ("parent", ALL),
    "child": ("child.parent", ("plain", "nsec", "nsec3")),
    "grand": ("grand.child.parent", ("plain", "nsec")),
    "deep": ("deep", ("plain", "nsec", "nsec3")),
    "big": ("big", ("plain", "nsec")),
    "types": ("types", ("plain",)),
}
HEAD = "$TTL 3600\n@ SOA ns admin 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n"

# Types that make no sense at an ordinary name, or that one of the five takes for its own business.
NOT_DATA = set("SOA NS OPT TKEY TSIG IXFR AXFR MAILB MAILA ANY NXNAME NSEC NSEC3 NSEC3PARAM RRSIG NXT SIG DNSKEY".split())
# What PowerDNS does not read; it has no checker to ask.
NOT_READ = {"RT"}
CHECKERS = (["named-checkzone", "-i", "none"], ["kzonecheck", "-o"], ["nsd-checkzone"])


def deep_zone(origin):
    """Names as deep and as long as they come, and the empty ones between them."""
    rng = random.Random(255)
    out = [HEAD]
    room = 253 - len(origin)  # characters of a relative name: the text form has one dot less than the wire has length octets
    if "nsec3" in origin:
        room -= 2  # NSD 4.6.1 ends itself where `*.` before a name is no name any more
    for depth in (2, 5, 10, 30, 60, room // 2):
        out.append("%s A 192.0.2.%d\n" % (".".join("abcdefgh"[i % 8] for i in range(depth)), depth % 250))
    for length in (room, room - 1, room - 2, room - 10):
        labels = []
        left = length
        while left > 63:
            labels.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789-") for _ in range(62)) + "x")
            left -= 64
        labels.append("y" * max(left, 1))
        out.append("%s A 192.0.2.7\n" % ".".join(labels))
    for i in range(6):
        out.append("%s TXT \"63 octets\"\n" % (("l%d" % i) + "m" * 61))
        out.append("a.%s AAAA 2001:db8::%d\n" % ("l%d" % (i + 10) + "m" * 60, i))
    for i in range(400):
        labels = [rng.choice(["a", "b", "www", "x-1", "_tcp", "zz", "1", "a\\.b"]) for _ in range(rng.randint(1, 9))]
        if i % 16 == 0:  # PowerDNS answers SERVFAIL under these
            labels[-1] = rng.choice(["\\001", "\\200z"])
        out.append("%s %s\n" % (".".join(labels), rng.choice(["A 192.0.2.8", "TXT \"deep\"", "AAAA 2001:db8::8", "MX 1 ns"])))
    out.append("\\000.nul A 192.0.2.10\n")
    out.append("*.w" + ".d" * (room // 2 - 10) + " A 192.0.2.9\n")
    return "".join(dict.fromkeys(out))


def big_zone(origin):
    """Sets from a little below each size limit to more than 16 KiB."""
    out = [HEAD]
    for n in (10, 28, 29, 30, 31, 32, 60, 70, 71, 72, 73, 74, 75, 76, 100, 250, 1000):
        out += ["a%d A 10.1.%d.%d\n" % (n, i // 250, i % 250) for i in range(n)]
    for n in (1, 2, 3, 5, 6, 17, 80):
        out += ["txt%d TXT \"%s\"\n" % (n, ("%03d" % i) + "t" * 197) for i in range(n)]
    for size in (440, 452, 460, 470, 1150, 1170, 1180, 1190, 1200, 4000, 16300, 16400, 40000, 60000):
        strings = ["s" * min(255, size - at) for at in range(0, size, 256)]
        out.append("one%d TXT %s\n" % (size, " ".join('"%s"' % s for s in strings)))
    for n in (12, 40, 300):
        out += ["mx%d MX %d host%d.in-the-same-zone\n" % (n, i, i) for i in range(n)]
        out += ["srv%d SRV %d 0 443 host%d.in-the-same-zone\n" % (n, i, i) for i in range(n)]
    out += ["host%d.in-the-same-zone A 10.2.%d.%d\n" % (i, i // 250, i % 250) for i in range(300)]
    out += ["to-a1000 CNAME a1000\n", "*.wild.a A 10.3.0.1\n", "toone CNAME one16300\n"]
    return "".join(out)


def is_read_by_all(directory, line):
    """Whether the other servers' own checkers take the record; what one of them cannot read cannot be compared."""
    path = os.path.join(directory, "check-" + line.split()[0])
    with open(path, "w", encoding="latin-1") as f:
        f.write("$ORIGIN types.plain.\n" + HEAD + line + "\n")
    bad = any(subprocess.run(checker + ["types.plain", path], capture_output=True, check=False).returncode
              for checker in CHECKERS)
    os.unlink(path)
    return not bad


def types_zone(origin):
    """A name for each line of the corpus of record data that all can read."""
    with open(os.path.join(TOP, "tests", "unit", "wire", "rdata_good.txt"), encoding="latin-1") as f:
        lines = [l.rstrip("\n") for l in f if l.strip() and not l.startswith("#")]
    records = ["t%d-%s %s" % (i, l.split()[0].lower(), l) for i, l in enumerate(lines)
               if l.split()[0] not in NOT_DATA and l.split()[0] not in NOT_READ]
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(4) as pool:
        good = pool.map(lambda r: is_read_by_all(directory, r), records)
        return HEAD + "".join(r + "\n" for r, ok in zip(records, good) if ok)


GENERATED = {"deep": deep_zone, "big": big_zone, "types": types_zone}


def sign(directory, origin, path, options):
    """Signs with ldns, by one key of its own; the signatures outlast any run."""
    done = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", origin], cwd=directory, check=True,
                          capture_output=True, text=True)
    subprocess.run(["ldns-signzone", "-b", "-f", path + ".signed"] + options + [path, done.stdout.strip()],
                   cwd=directory, check=True, capture_output=True, text=True)
    # Without -b's comments, which are no help to the readers under test.
    with open(path + ".signed", encoding="latin-1") as f:
        lines = [l.split("\t;{")[0].rstrip() for l in f if not l.startswith(";")]
    with open(path, "w", encoding="latin-1") as f:
        f.write("\n".join(lines) + "\n")


def write_zone(directory, origin, text, signing):
    """One finished zone file."""
    path = os.path.join(directory, origin.rstrip(".").replace("/", "_") or "root") + ".zone"
    with open(path, "w", encoding="latin-1") as f:
        f.write("$ORIGIN %s\n%s" % (origin, text))
    if signing in SIGNING:
        sign(directory, origin, path, SIGNING[signing])
    print(origin, path, signing, flush=True)


def shape_text(shape, top, origin):
    """The zone's text, from a generator or from the file of that name."""
    if shape in GENERATED:
        return GENERATED[shape](origin)
    with open(os.path.join(HERE, "zones", shape + ".zone"), encoding="latin-1") as f:
        return f.read().replace("%T", top)


def many(directory):
    """All shapes under all tops."""
    for shape, (name, tops) in SHAPES.items():
        for top in tops:
            origin = "%s.%s." % (name, top)
            write_zone(directory, origin, shape_text(shape, top, origin), top)


def generated_root():
    """Of the root's shape, where the real one is not at hand."""
    rng = random.Random(13)
    out = ["$TTL 172800\n@ 86400 SOA a.servers. nobody. 1 1800 900 604800 86400\n"]
    out += ["@ NS %s.servers.\n%s.servers. A 192.0.2.%d\n%s.servers. AAAA 2001:db8::%x\n" % (c, c, i, c, i)
            for i, c in enumerate("abcdefghijklm", 1)]
    for i in range(1200):
        tld = "museum" if i == 0 else "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 8))) + str(i)
        for k in range(rng.randint(2, 9)):
            ns = "ns%d.nic.%s." % (k, tld)
            out.append("%s. NS %s\n%s A 198.51.100.%d\n%s AAAA 2001:db8:1::%x\n" % (tld, ns, ns, k, ns, i))
        if rng.random() < 0.8:
            out.append("%s. 86400 DS %d 13 2 %s\n" % (tld, i, "%064X" % rng.getrandbits(256)))
    return "".join(out)


def root(directory):
    """The root zone, and a child of it on the same server."""
    real = os.path.join(os.environ.get("ANSER_REAL_ZONES") or os.path.join(TOP, "..", "shared", "zones"), "root",
                        "root-2018012900.zone.xz")
    if os.path.exists(real):
        with lzma.open(real, "rt", encoding="latin-1") as f:
            write_zone(directory, ".", f.read(), "presigned")
    else:
        write_zone(directory, ".", generated_root(), "nsec")
    write_zone(directory, "museum.", HEAD + "www A 192.0.2.80\n*.w A 192.0.2.81\nout CNAME nothing.invalid.\ncom CNAME x.com.\n", "plain")


def main():
    """Called by run."""
    world, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    {"many": many, "root": root}[world](directory)


if __name__ == "__main__":
    main()
