#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The disk of the state is full: what is served stays served, everybody is told, and all goes on when there is room. TAP.

full_disk.py BUILD DIRECTORY; DIRECTORY/disk is a small file system of its own.
"""
import os
import re
import sys
import time

import xfr_wire
from anser import Asker, Daemon, soa_of
from dnsclient import Tap, note
from kills import Dynamic

SERVER = ("127.0.0.1", 53)
PORT = 5301
WAIT_S = 20
LEFT = 4096 * 4  # what is left of the disk


class FullDisk:
    def __init__(self, build, work):
        self.tap = Tap()
        self.small, self.new = xfr_wire.Versions("small.test.", 300), xfr_wire.Versions("new.test.", 3000)
        self.primary = xfr_wire.Primary([self.small, self.new], port=PORT)
        self.dynamic = Dynamic("dynamic.test.")
        self.disk = os.path.join(work, "disk")
        self.filler = os.path.join(self.disk, "filler")
        self.daemon = Daemon(build, work, "", state=os.path.join(self.disk, "state"))
        os.makedirs(self.daemon.state, exist_ok=True)
        with open(os.path.join(work, "zones", "dynamic.test.zone"), "w", encoding="ascii") as f:
            f.write(self.dynamic.file())
        self.asker = Asker(3.0)
        self.updates = 0

    def configure(self, zones):
        lines = ["remotes:", f"  - {{id: hidden, address: 127.0.0.1@{PORT}}}", "acls:", "  - {id: local, address: [127.0.0.0/8]}", "zones:",
                 "  - {name: dynamic.test, file: dynamic.test.zone, allow-update: [local]}"]
        lines += [f"  - {{name: {z.text}, primaries: [hidden], retry-min: 1s, retry-max: 2s}}" for z in zones]
        self.daemon.configure("\n".join(lines) + "\n")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                f.truncate(max(0, f.tell() - LEFT))

    def step(self, zone):
        zone.serial += 1
        self.primary.notify(zone, SERVER)

    def send_update(self):
        """The rcode."""
        answer = self.asker.ask(self.dynamic.update(self.updates + 1, 0))
        rcode = None if answer is None else answer[3] & 15
        self.updates += rcode == 0
        return rcode

    def wait(self, what):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if what():
                return True
            time.sleep(0.02)
        return False

    def is_current(self, zone):
        return self.asker.serial(zone.apex) == zone.serial

    def same_as_served(self, name, zone):
        found = self.daemon.dump(zone.text)
        wanted = zone.lines(soa_of(found))
        self.tap.report(found == wanted, f"{name}: {zone.text} is what its serial says", sorted(found ^ wanted)[:5])

    def until_full(self):
        """Versions and updates come in until there is no room for them: how many did."""
        for n in range(5000):
            if self.daemon.metric("state_requests_total", result="failed"):
                return n
            self.step(self.small)
            self.send_update()
        return None

    def told(self):
        """In the log, in the zone's status, in the metrics."""
        log = self.daemon.log()
        self.tap.report("state-dir: verified zone data cannot be stored: No space left" in log, "the log tells of the full disk",
                        self.daemon.log_end())
        status = self.daemon.ctl("zone", "status", self.small.text)
        self.tap.report(bool(re.search("state-dir: No space left", status)), "the zone's status does", status)

    def while_full(self):
        self.step(self.small)
        self.tap.report(self.wait(lambda: self.daemon.metric("refreshes_total", result="failed") > 0), "a refresh fails")
        served = self.asker.serial(self.small.apex)
        self.tap.report(served is not None and served < self.small.serial, "the version before is served",
                        f"{served} of {self.small.serial}")
        self.told()
        self.same_as_served("full", self.small)
        rcodes = {self.send_update() for _ in range(20)}
        self.tap.report(2 in rcodes and rcodes <= {0, 2}, "updates are answered SERVFAIL where they do not fit", rcodes)
        self.tap.same("what was acknowledged is served, and nothing else", self.updates + 1, self.asker.serial(self.dynamic.apex))
        self.same_as_served("full", self.dynamic)
        return served

    def new_zone(self):
        """One that is configured now has nothing to serve, and the others do not suffer for it."""
        self.configure([self.small, self.new])
        self.daemon.ctl("reload")
        self.wait(lambda: "No space" in self.daemon.ctl("zone", "status", self.new.text))
        status = self.daemon.ctl("zone", "status", self.new.text)
        self.tap.report("No space left" in status, "a zone that does not fit tells so", status)
        self.tap.same("and is not served", None, self.asker.serial(self.new.apex))

    def restart(self, served):
        """Killed, and started on the full disk."""
        self.primary.paused = True
        self.daemon.kill()
        self.daemon.start()
        self.tap.same("after a kill on the full disk the same is served", (served, self.updates + 1),
                      (self.asker.serial(self.small.apex), self.asker.serial(self.dynamic.apex)))
        self.primary.paused = False
        self.tap.report(self.wait(self.does_not_fit), "and soon nothing newer fits")

    def does_not_fit(self):
        """Some versions may, where the state's own garbage was."""
        self.step(self.small)
        return "No space" in self.daemon.ctl("zone", "status", self.small.text)

    def room(self):
        os.unlink(self.filler)
        began = time.monotonic()
        is_current = self.wait(lambda: self.is_current(self.small) and self.is_current(self.new))
        self.tap.report(is_current, "with room all zones become current by themselves", self.daemon.ctl("zones") + self.daemon.log_end())
        note(f"after {time.monotonic() - began:.1f} s")
        self.tap.same("and updates are taken", 0, self.send_update())
        for zone in (self.small, self.new, self.dynamic):
            self.same_as_served("room", zone)
        self.daemon.kill()
        self.daemon.start()
        for zone in (self.small, self.new, self.dynamic):
            self.same_as_served("started again", zone)

    def run(self):
        self.configure([self.small])
        self.daemon.start()
        self.tap.report(self.wait(lambda: self.is_current(self.small)), "a zone is transferred")
        self.fill()
        n = self.until_full()
        note(f"full after {n} versions and {self.updates} updates")
        self.tap.report(n is not None, "the disk becomes full")
        served = self.while_full()
        self.new_zone()
        served = self.asker.serial(self.small.apex)
        self.restart(served)
        self.room()
        self.tap.same("it ends with exit code 0", 0, self.daemon.stop())


def main():
    test = FullDisk(*sys.argv[1:])
    try:
        test.run()
    finally:
        test.daemon.stop()
    test.tap.done()


if __name__ == "__main__":
    main()
