#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the daemon again and again while transfers and updates come in. TAP.

What is served after each start must not be older than what a client has seen or had acknowledged before, must be the version
that its serial says, record by record, and must not need to be fetched whole again.

kills.py BUILD DIRECTORY COUNT SEED
"""
import os
import random
import sys
import threading
import time

import xfr_wire
from anser import Asker, Daemon, soa_of
from dnsclient import Tap, note
from xfr_wire import A, ANY, TXT

TARGET = ("127.0.0.1", 53)
PORT = 5301
STEP_S = 0.005     # between two versions of secondary zones
WAIT_S = 60        # for a zone to go on after a restart
UP_MS = 400        # kills come within so long of the load
STARTING_MS = 250  # or of the start


class Dynamic:
    """A primary zone that updates change: update k makes version k + 1."""
    NAMES = 50

    def __init__(self, text):
        self.text, self.apex = text, xfr_wire.name(text)
        self.acked = 0

    def file(self):
        return "$TTL 60\n@ SOA . . 1 3600 1 86400 60\n@ NS ns.other.test.\n"

    def update(self, k, ident):
        name = xfr_wire.name(f"u{k % self.NAMES}.{self.text}")
        number = xfr_wire.name(f"number.{self.text}")
        return xfr_wire.update_message(ident, self.apex, [
            xfr_wire.record(number, TXT, b"", 0, ANY),
            xfr_wire.record(number, TXT, xfr_wire.text_data(str(k))),
            xfr_wire.record(name, A, b"", 0, ANY),
            xfr_wire.record(name, A, xfr_wire.address_data(k))])

    def lines(self, serial):
        last = serial - 1
        found = {(self.text, "60", "SOA", f". . {serial} 3600 1 86400 60"), (self.text, "60", "NS", "ns.other.test.")}
        if last:
            found.add((f"number.{self.text}", "60", "TXT", f'"{last}"'))
        for k in range(max(1, last - self.NAMES + 1), last + 1):
            found.add((f"u{k % self.NAMES}.{self.text}", "60", "A", f"10.{k >> 16 & 255}.{k >> 8 & 255}.{k & 255}"))
        return found


class Load:
    """Versions, NOTIFYs, updates and questions, until it is stopped; then what the clients know."""

    def __init__(self, primary, dynamics):
        self.primary, self.dynamics = primary, dynamics
        self.stopped = threading.Event()
        self.seen = {}  # apex: the newest serial that a client was told
        self.threads = []
        self.answers = self.updates = 0

    def start(self):
        self.stopped.clear()
        self.threads = [threading.Thread(target=t) for t in (self.publish, self.watch)]
        self.threads += [threading.Thread(target=self.send_updates, args=(d,)) for d in self.dynamics]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def saw(self, apex, serial):
        self.seen[apex] = max(self.seen.get(apex, 0), serial)

    def publish(self):
        zones = list(self.primary.zones.values())
        while not self.stopped.is_set():
            zone = random.choice(zones)
            zone.serial += 1
            self.primary.notify(zone, TARGET)
            self.stopped.wait(STEP_S)

    def watch(self):
        asker = Asker(0.1)
        apexes = [*self.primary.zones, *(d.apex for d in self.dynamics)]
        while not self.stopped.is_set():
            for apex in apexes:
                serial = asker.serial(apex)
                if serial is not None:
                    self.answers += 1
                    self.saw(apex, serial)

    def send_updates(self, zone):
        asker = Asker(1.0)
        serial = None
        while serial is None and not self.stopped.is_set():
            serial = asker.serial(zone.apex)
        k = serial or 0  # versions are one ahead of updates: the next one
        while not self.stopped.is_set():
            answer = asker.ask(zone.update(k, 0))
            if answer is None or answer[3] & 15:
                self.stopped.wait(0.01)
                continue
            self.updates += 1
            self.saw(zone.apex, k + 1)
            k += 1


class Kills:
    def __init__(self, tap, daemon, primary, dynamics):
        self.tap, self.daemon, self.primary = tap, daemon, primary
        self.load = Load(primary, dynamics)
        self.zones = [*primary.zones.values(), *dynamics]
        self.axfrs_in = 0
        self.faults = []
        self.slowest_s = 0.0  # answer to the first questions

    def check_start(self, n):
        """The primary says nothing, so what is there is from the state."""
        asker = Asker(WAIT_S)
        for zone in self.zones:
            began = time.monotonic()
            serial, floor = asker.serial(zone.apex), self.load.seen.get(zone.apex, 0)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if serial is None or serial < floor:
                self.faults.append(f"kill {n}: {zone.text} is back at {serial}; {floor} was served or acknowledged")
                continue
            found = self.daemon.dump(zone.text)
            if soa_of(found) != serial or found != zone.lines(serial):
                wrong = sorted(found ^ zone.lines(soa_of(found)))[:6]
                self.faults.append(f"kill {n}: {zone.text} {soa_of(found)} (answered: {serial}) differs: {wrong}")

    def check_progress(self, n):
        """Every zone goes on."""
        marks = {z.apex: self.load.seen.get(z.apex, 0) for z in self.zones}
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if all(self.load.seen.get(apex, 0) > mark for apex, mark in marks.items()):
                return
            time.sleep(0.01)
        stuck = [z.text for z in self.zones if self.load.seen.get(z.apex, 0) <= marks[z.apex]]
        self.faults.append(f"kill {n}: no new versions of {stuck}; {self.daemon.log_end(3)}")

    def one(self, n):
        """From a stopped daemon to the next one."""
        self.primary.paused = random.random() < 0.7  # else transfers begin while it starts
        if random.random() < 0.2:
            self.load.start()
            self.daemon.spawn()
            time.sleep(random.uniform(0, STARTING_MS / 1000))
            self.daemon.kill()
            self.load.stop()
            return
        self.primary.paused = True
        self.daemon.start()
        self.check_start(n)
        self.primary.paused = False
        self.load.start()
        self.check_progress(n)
        time.sleep(random.uniform(0, UP_MS / 1000))
        self.axfrs_in += sum(self.daemon.metric("transfers_total", direction="in", kind="axfr", result=r)
                             for r in ("new", "failed", "up-to-date"))
        self.daemon.kill()
        self.load.stop()

    def run(self, count):
        self.daemon.start()
        self.load.start()
        self.check_progress(0)
        self.load.stop()
        self.daemon.kill()
        first = len(self.primary.axfrs)
        for n in range(1, count + 1):
            if len(self.faults) > 10:
                break
            known = len(self.faults)
            self.one(n)
            for fault in self.faults[known:]:
                note(fault)
            if n % 25 == 0:
                note(f"{n} kills, {len(self.faults)} faults")
        self.primary.paused = True
        self.daemon.start()
        self.check_start(count + 1)
        code = self.daemon.stop()
        self.tap.report(not self.faults, f"{count} kills: nothing older, nothing mixed, everything goes on",
                        "\n".join(self.faults))
        self.tap.same("each zone was fetched whole once", (len(self.primary.zones), []), (first, self.primary.axfrs[first:]))
        self.tap.same("and the metric says so", 0, self.axfrs_in)
        self.tap.same("it ends with exit code 0", 0, code)
        note(f"{self.load.answers} answers, {self.load.updates} updates acknowledged, "
             f"{self.primary.counts[xfr_wire.IXFR]} IXFR, first answers within {self.slowest_s:.3f} s, versions "
             f"{[z.serial for z in self.primary.zones.values()]}")


def configuration(primary, dynamics):
    lines = ["remotes:", f"  - {{id: hidden, address: 127.0.0.1@{PORT}}}",
             "acls:", "  - {id: local, address: [127.0.0.0/8]}", "zones:"]
    lines += [f"  - {{name: {z.text}, primaries: [hidden], refresh-min: 1s, retry-min: 1s}}" for z in primary.zones.values()]
    lines += [f"  - {{name: {d.text}, file: {d.text}zone, allow-update: [local]}}" for d in dynamics]
    return "\n".join(lines) + "\n"


def main():
    build, work, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    random.seed(seed)
    sizes = (0, 10, 300, 3000)
    primary = xfr_wire.Primary([xfr_wire.Versions(f"s{i}.test.", fixed) for i, fixed in enumerate(sizes)], port=PORT)
    dynamics = [Dynamic("d0.test."), Dynamic("d1.test.")]
    daemon = Daemon(build, work, configuration(primary, dynamics))
    for zone in dynamics:
        with open(os.path.join(work, "zones", zone.text + "zone"), "w", encoding="ascii") as f:
            f.write(zone.file())
    tap = Tap()
    try:
        Kills(tap, daemon, primary, dynamics).run(count)
    finally:
        daemon.stop()
    tap.done()


if __name__ == "__main__":
    main()
