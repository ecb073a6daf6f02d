#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes zone files of a given shape and size to standard output, the same ones for the same arguments.

    gen_zone.py tld --count N        N delegations under tld-test., two name servers each, one in ten with glue
    gen_zone.py flat --count N       N address records under flat.example.
    gen_zone.py root-like --count N  N top-level domains under the root, unsigned, shaped like the root zone
"""
import argparse
import math
import random
import sys

LINES_PER_WRITE = 20000

SOA = "{apex} 86400 IN SOA {primary} hostmaster.{under} ( {serial} 1800 900 604800 3600 )"

SYLLABLES = ("ba be bi bo bu da de di do du fa fe fi fo ga ge go ha he hi ho ja jo ka ke ki ko ku la le li lo lu ma me "
             "mi mo mu na ne ni no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we za "
             "ze zo").split()


class Names:
    """Distinct labels that look like words: the index in the number system of the syllables, shuffled by a
    multiplication that has an inverse, so that none comes twice and neighbours in the file are not neighbours in order."""

    def __init__(self, count, rng):
        self.parts = 2
        while len(SYLLABLES) ** self.parts < 4 * count:
            self.parts += 1
        self.space = len(SYLLABLES) ** self.parts
        self.shift = rng.randrange(self.space)
        self.factor = rng.randrange(self.space // 3, self.space // 2)
        while math.gcd(self.factor, self.space) != 1:
            self.factor += 1

    def label(self, index):
        n = (index * self.factor + self.shift) % self.space
        base = len(SYLLABLES)
        text = ""
        for _ in range(self.parts):
            n, k = divmod(n, base)
            text += SYLLABLES[k]
        return text


def ipv4(n):
    """One of the addresses of 198.18.0.0/15 (RFC 2544)."""
    n %= 1 << 17
    return f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"


def ipv6(n):
    return f"2001:db8:{n >> 16 & 0xffff:x}:{n & 0xffff:x}::53"


def apex(origin, primary, ns, serial):
    under = "" if origin == "." else origin
    yield f"$ORIGIN {origin}"
    yield "$TTL 86400"
    yield SOA.format(apex=origin, primary=primary, under=under, serial=serial)
    for name in ns:
        yield f"{origin} 86400 IN NS {name}"


def providers(rng, origin, count):
    """Pairs of name servers as hosting companies have them: a few serve most of the domains, and one in ten has
    its servers under the same top-level domain. Returns the pairs, their weights and the hosts that need addresses here."""
    pairs, inside = [], []
    for i in range(count):
        company = f"{rng.choice(SYLLABLES)}{rng.choice(SYLLABLES)}{i}"
        if i % 10 == 9:
            pair = (f"ns1.{company}.nic.{origin}", f"ns2.{company}.nic.{origin}")
            inside.extend(pair)
        else:
            domain = f"{company}.dns.{rng.choice(('example.', 'test.', 'invalid.'))}"
            pair = (f"ns1.{domain}", f"ns2.{domain}")
        pairs.append(pair)
    return pairs, [1.0 / (i + 1) for i in range(count)], inside


def tld(args, rng):
    origin = "tld-test."
    servers = [f"{c}.nic.{origin}" for c in "abcd"]
    yield from apex(origin, servers[0], servers, args.serial)
    for i, server in enumerate(servers):
        yield f"{server} 86400 IN A {ipv4(i)}"
        yield f"{server} 86400 IN AAAA {ipv6(i)}"
    names = Names(args.count, rng)
    pairs, weights, inside = providers(rng, origin, max(10, min(2000, args.count // 50)))
    for i, host in enumerate(inside):
        yield f"{host} 86400 IN A {ipv4(100 + i)}"
    batch = 10000
    for first in range(0, args.count, batch):
        size = min(batch, args.count - first)
        chosen = rng.choices(pairs, weights, k=size)
        dice = rng.choices(range(10), k=size)
        for k in range(size):
            i = first + k
            domain = f"{names.label(i)}.{origin}"
            if dice[k]:
                a, b = chosen[k]
                yield f"{domain} 86400 IN NS {a}\n{domain} 86400 IN NS {b}"
                continue
            a, b = f"ns1.{domain}", f"ns2.{domain}"
            yield (f"{domain} 86400 IN NS {a}\n{domain} 86400 IN NS {b}\n"
                   f"{a} 86400 IN A {ipv4(2 * i)}\n{b} 86400 IN AAAA {ipv6(2 * i + 1)}")


def flat(args, rng):
    origin = "flat.example."
    yield from apex(origin, f"ns1.{origin}", [f"ns1.{origin}"], args.serial)
    yield f"ns1.{origin} 86400 IN A 192.0.2.53"
    names = Names(args.count, rng)
    for i in range(args.count):
        yield f"{names.label(i)}.{origin} 300 IN A {ipv4(i)}"


def root_like(args, rng):
    servers = [f"{c}.root-servers.test." for c in "abcdefghijklm"]
    yield from apex(".", servers[0], servers, args.serial)
    for i, server in enumerate(servers):
        yield f"{server} 3600000 IN A {ipv4(i)}"
        yield f"{server} 3600000 IN AAAA {ipv6(i)}"
    names = Names(args.count, rng)
    for i in range(args.count):
        domain = f"{names.label(i)}."
        hosts = [f"{c}.nic.{domain}" for c in "abcdefghijklm"[:rng.choice((2, 4, 4, 4, 5, 6, 6, 13))]]
        for host in hosts:
            yield f"{domain} 172800 IN NS {host}"
        if rng.random() < 0.9:
            digest = f"{rng.getrandbits(256):064x}"
            yield f"{domain} 86400 IN DS {rng.randrange(65536)} 8 2 {digest}"
        for k, host in enumerate(hosts):
            yield f"{host} 172800 IN A {ipv4(16 * i + k)}"
            yield f"{host} 172800 IN AAAA {ipv6(16 * i + k)}"


SHAPES = {"tld": (tld, 1000000), "flat": (flat, 100000), "root-like": (root_like, 1440)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("--count", type=int, help="delegations or records (default: as the shape usually is)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serial", type=int, default=1)
    args = parser.parse_args()
    generate, default_count = SHAPES[args.shape]
    if args.count is None:
        args.count = default_count
    if args.count < 1:
        parser.error("--count must be at least 1")
    lines = []
    for line in generate(args, random.Random(args.seed)):
        lines.append(line)
        if len(lines) == LINES_PER_WRITE:
            sys.stdout.write("\n".join(lines) + "\n")
            lines.clear()
    sys.stdout.write("\n".join(lines) + "\n" if lines else "")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
