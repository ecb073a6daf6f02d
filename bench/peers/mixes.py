# SPDX-License-Identifier: Apache-2.0
"""Zones and questions. Both are written once and kept under the work directory; they are the same ones for the same sizes. Query files
hold many times what the caches of a core hold (but for `hot`, which is meant to fit), in random order, a line `name. TYPE` each."""
import glob
import os
import random
import shutil
import subprocess
from dataclasses import dataclass

import peers.host as host

GEN_ZONE = os.path.join(host.TOP, "tests", "tools", "gen_zone.py")
HOT_NAMES = 100
SIGNED_UNTIL = "20390101000000"


@dataclass(frozen=True)
class Zone:
    """`probe` is a name that every server has an answer or a referral for."""
    name: str
    origin: str
    path: str
    probe: str
    signed: bool
    names: int


@dataclass(frozen=True)
class Mix:
    """`rcodes`: those that a good answer may have."""
    name: str
    zone: str
    dnssec: bool
    rcodes: frozenset
    title: str


THERE, NOT_THERE = frozenset({"NOERROR"}), frozenset({"NXDOMAIN"})
MIXES = {mix.name: mix for mix in (
    Mix("hot", "flat", False, THERE, f"{HOT_NAMES} names of a zone of A records, again and again"),
    Mix("positive", "flat", False, THERE, "random names of a zone of A records"),
    Mix("nxdomain", "flat", False, NOT_THERE, "random names that are not in that zone"),
    Mix("referral", "tld", False, THERE, "random names at and below the delegations of a TLD"),
    Mix("signed", "signed", True, THERE, "random names of a signed zone (ECDSA, NSEC), with DO"),
    Mix("denied", "signed", True, NOT_THERE, "random names that are not in that zone, with DO"),
    Mix("long", "long", False, THERE, "random names of nearly 200 octets"),
    Mix("root", "root", True, THERE | NOT_THERE, "the signed root zone: half referrals, half NXDOMAIN, with DO"),
)}


@dataclass(frozen=True)
class Sizes:
    flat: int
    tld: int
    signed: int
    long: int
    root: int


FULL = Sizes(flat=100_000, tld=1_000_000, signed=100_000, long=100_000, root=1440)
QUICK = Sizes(flat=2_000, tld=5_000, signed=1_000, long=1_000, root=200)


def once(path, make):
    """The file, made if it is not there yet; never half a file."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make(path + ".new")
        os.rename(path + ".new", path)
    return path


def first_words(path, rrtype, keep=lambda name: True):
    """Owners of the records of a type, in the form that our generators and signers write: a record a line, absolute names. The
    class may be left out."""
    found = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split(None, 5)
            if len(words) > 3 and rrtype in words[2:4] and words[0] not in (";", "$ORIGIN") and keep(words[0]):
                found.append(words[0])
    return found


class Kitchen:
    """Makes zones and query files of the given sizes in a directory. `root_zone` is a file with a signed root zone (.xz or plain),
    or None: then one of the same shape is made up and signed."""

    def __init__(self, directory, sizes, root_zone=None):
        self.directory, self.sizes, self.root_zone = directory, sizes, root_zone

    def zone(self, name):
        return getattr(self, f"_zone_{name}")()

    def queries(self, mix):
        """The query file of a mix, for its zone."""
        zone = self.zone(mix.zone)
        ask = getattr(self, f"_ask_{mix.name}")
        of_zone = os.path.basename(zone.path).removesuffix(".zone")
        return once(f"{self.directory}/{mix.name}.{of_zone}.queries", lambda path: self._write_queries(path, ask(zone)))

    # -------- zones --------

    def _generated(self, shape, count):
        def make(path):
            with open(path, "w", encoding="ascii") as out:
                subprocess.run(["/usr/bin/python3", GEN_ZONE, shape, "--count", str(count)], stdout=out, check=True)
        return once(f"{self.directory}/{shape}-{count}.zone", make)

    def _zone_flat(self):
        count = self.sizes.flat
        return Zone("flat", "flat.example.", self._generated("flat", count), "ns1.flat.example.", False, count)

    def _zone_tld(self):
        count = self.sizes.tld
        return Zone("tld", "tld-test.", self._generated("tld", count), "a.nic.tld-test.", False, count)

    def _zone_long(self):
        count = self.sizes.long

        def make(path):
            rng = random.Random(3)
            label = lambda: "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=58))
            with open(path, "w", encoding="ascii") as out:
                out.write("$TTL 300\nlong.example. IN SOA ns1.long.example. host.long.example. 1 1800 900 604800 3600\n"
                          "long.example. IN NS ns1.long.example.\nns1.long.example. 300 IN A 192.0.2.53\n")
                for i in range(count):
                    out.write(f"{label()}.{label()}.{label()}.long.example. 300 IN A 198.18.{i >> 8 & 255}.{i & 255}\n")
        return Zone("long", "long.example.", once(f"{self.directory}/long-{count}.zone", make), "ns1.long.example.", False, count)

    def _zone_signed(self):
        count = self.sizes.signed
        path = once(f"{self.directory}/signed-{count}.zone",
                    lambda path: self._sign("flat.example.", self._generated("flat", count), path))
        return Zone("signed", "flat.example.", path, "ns1.flat.example.", True, count)

    def _zone_root(self):
        if self.root_zone is None:
            count = self.sizes.root
            path = once(f"{self.directory}/root-{count}.zone",
                        lambda path: self._sign(".", self._generated("root-like", count), path))
            return Zone("root", ".", path, "a.root-servers.test.", True, count)
        path = once(f"{self.directory}/{os.path.basename(self.root_zone).removesuffix('.xz')}", self._unpack)
        names = len(set(first_words(path, "NS", lambda name: name != ".")))
        return Zone("root", ".", path, "www.com.", True, names)

    def _unpack(self, path):
        with open(path, "wb") as out:
            subprocess.run(["xz", "-dcf", self.root_zone], stdout=out, check=True)

    def _sign(self, origin, unsigned, path):
        """One key that signs keys and one that signs the rest, both ECDSA P-256; NSEC."""
        keys = f"{path}.keys"
        shutil.rmtree(keys, ignore_errors=True)
        os.makedirs(keys)
        for flags in (["-f", "KSK"], []):
            host.run("dnssec-keygen", "-q", "-K", keys, "-a", "13", *flags, origin)
        with_keys = f"{keys}/zone"
        with open(with_keys, "w", encoding="ascii") as out:
            for part in [unsigned, *glob.glob(f"{keys}/K*.key")]:
                out.write(host.read(part))
        host.run("dnssec-signzone", "-K", keys, "-x", "-O", "full", "-e", SIGNED_UNTIL, "-o", origin, "-f", path, with_keys)

    # -------- questions --------

    @staticmethod
    def _write_queries(path, names):
        with open(path, "w", encoding="ascii") as out:
            out.writelines(f"{name} A\n" for name in names)

    def _positive(self, zone):
        names = first_words(zone.path, "A", lambda name: name != zone.probe)
        random.Random(1).shuffle(names)
        return names

    @staticmethod
    def _absent(zone, count):
        """Digits: the generators make labels of letters alone, and no top-level domain is a number."""
        rng = random.Random(2)
        under = "" if zone.origin == "." else zone.origin
        return [f"{rng.getrandbits(48):013d}.{under}" for _ in range(count)]

    def _ask_hot(self, zone):
        return self._positive(zone)[:HOT_NAMES]

    def _ask_positive(self, zone):
        return self._positive(zone)

    def _ask_long(self, zone):
        return self._positive(zone)

    def _ask_signed(self, zone):
        return self._positive(zone)

    def _ask_nxdomain(self, zone):
        return self._absent(zone, zone.names)

    def _ask_denied(self, zone):
        return self._absent(zone, zone.names)

    def _cuts(self, zone):
        """The delegations, every second one with a name below it."""
        cuts = sorted(set(first_words(zone.path, "NS", lambda name: name != zone.origin)))
        random.Random(4).shuffle(cuts)
        return [name if i % 2 else f"www.{name}" for i, name in enumerate(cuts)]

    def _ask_referral(self, zone):
        return self._cuts(zone)

    def _ask_root(self, zone):
        names = self._cuts(zone) * max(1, 100_000 // max(1, zone.names))
        names += self._absent(zone, len(names))
        random.Random(5).shuffle(names)
        return names
