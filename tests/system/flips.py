#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bits of the state are flipped, one for each start: the daemon starts, serves nothing that is wrong, and fetches anew what it
lost. TAP.

flips.py BUILD DIRECTORY COUNT SEED
"""
import glob
import os
import random
import sys
import time

import xfr_wire
from anser import Asker, Daemon
from dnsclient import Tap, note

PORT = 5301
WAIT_S = 60
STEPS = 5  # differences in the journal
BLOCK = 16
PAGE, HEAD = 4096, 128 # each third bit is in what LMDB keeps in front of a page


class Flips:
    def __init__(self, build, work):
        self.tap = Tap()
        self.zones = [xfr_wire.Versions(f"z{i}.test.", 10 + 40 * i) for i in range(3)]
        self.primary = xfr_wire.Primary(self.zones, port=PORT)
        zones = [f"  - {{name: {z.text}, primaries: [hidden], retry-max: 1s}}" for z in self.zones]
        self.daemon = Daemon(build, work, "\n".join(
            ["remotes:", f"  - {{id: hidden, address: 127.0.0.1@{PORT}}}", "zones:", *zones]) + "\n")
        self.path = os.path.join(self.daemon.state, "state.mdb")
        self.asker = Asker(2.0)
        self.lost = {}  # number of zones fetched anew: how often
        self.faults = []
        self.mended = 0

    def wait_current(self):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if all(self.asker.serial(z.apex) == z.serial for z in self.zones):
                return True
            time.sleep(0.01)
        return False

    def prepare(self):
        """Zones with a journal each, at rest."""
        self.daemon.start()
        self.wait_current()
        for _ in range(STEPS):
            for zone in self.zones:
                zone.serial += 1
                self.primary.notify(zone, ("127.0.0.1", 53))
                self.wait_current()
        self.daemon.stop()
        with open(self.path, "rb") as f:
            return f.read()

    def one(self, octets, at, bit):
        with open(self.path, "wb") as f:
            f.write(octets[:at] + bytes([octets[at] ^ 1 << bit]) + octets[at + 1:])
        where = f"octet {at} (page {at // PAGE}, {at % PAGE}), bit {bit}"
        before = len(self.primary.axfrs)
        try:
            self.daemon.start()
            if not self.wait_current():
                self.faults.append(f"{where}: {self.daemon.ctl('zones')}{self.daemon.log_end(4)}")
                return
            for zone in self.zones:
                if self.daemon.dump(zone.text) != zone.lines(zone.serial):
                    self.faults.append(f"{where}: {zone.text} differs")
            n = len({text for text, _, _ in self.primary.axfrs[before:]})
            self.lost[n] = self.lost.get(n, 0) + 1
        except RuntimeError as e:
            self.faults.append(f"{where}: {e}")
        finally:
            code = self.daemon.stop()
            if code not in (0, None):
                self.faults.append(f"{where}: it ended with {code}")
            for kept in glob.glob(self.path + ".damaged-*"):
                self.mended += 1
                os.unlink(kept)

    def run(self, count):
        octets = self.prepare()
        used = [b for b in range(0, len(octets), BLOCK) if any(octets[b:b + BLOCK])]
        note(f"{len(octets)} octets of state, {len(used) * BLOCK} in use")
        for n in range(count):
            at = random.choice(used) + random.randrange(BLOCK)
            if n % 3 == 0:
                at = at // PAGE * PAGE + random.randrange(HEAD)
            known = len(self.faults)
            self.one(octets, at, random.randrange(8))
            for fault in self.faults[known:]:
                note(fault.replace("\n", "\n# "))
            if len(self.faults) > 20:
                break
            if (n + 1) % 500 == 0:
                note(f"{n + 1} bits, {len(self.faults)} faults")
        self.tap.report(not self.faults, f"{count} flipped bits: it starts, and everything right is served", f"{len(self.faults)} faults")
        note(f"starts by number of zones that were fetched anew: {dict(sorted(self.lost.items()))}; the file was mended {self.mended} times")
        self.tap.report(self.lost.get(1, 0) > self.lost.get(2, 0) + self.lost.get(3, 0), "as a rule, damage costs one zone", self.lost)


def main():
    build, work, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    random.seed(seed)
    test = Flips(build, work)
    try:
        test.run(count)
    finally:
        test.daemon.stop()
    test.tap.done()


if __name__ == "__main__":
    main()
