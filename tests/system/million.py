#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many small zones: a primary that reads them from text, and a secondary that has them from a catalog. TAP, and a figure a line.

million.py BUILD DIRECTORY ZONES TURNS

TURNS is turns.c, compiled.

Wants a network namespace of its own: both servers listen on port 53, the primary on 127.0.0.2. Figures are only as good as the
machine is idle, so what is checked is what does not hang on it: everything is served, nothing is transferred twice, and what
counts memory.
"""
import json
import os
import socket
import struct
import sys
import time

import xfr_wire
from anser import Asker, Daemon
from dnsclient import Tap, note

PRIMARY, SECONDARY = ("127.0.0.2", 53), ("127.0.0.1", 53)
FOLDER = 1000            # zone files each
SMALL_ZONE = 4           # records each
DATA_BYTES = 608         # of such a zone, in the allocator's classes: snapshot 128, its table 16 and 64, nodes and sets 400
RECORD_BYTES = 172       # of a member in the catalog zone: a node of 160, and its place in a table, at least 12
PATIENCE_S = int(os.environ.get("ANSER_PATIENCE", "120"))
CATALOG = "catalog.test"
REMOTES = "remotes: [{id: primary, address: 127.0.0.2}]\nacls: [{id: all, address: 127.0.0.0/8}]\n"
STORM_S = 6              # all zones are due after so long
TEMPLATES = (f"templates: [{{id: open, allow-transfer: [all]}}, {{id: quick, refresh-min: {STORM_S - 1}s, "
             f"refresh-max: {STORM_S - 1}s}}]\n")


def zone_name(i):
    return f"z{i:07}.million.test"


def zone_path(i):
    return f"{i // FOLDER:04}/{i:07}.zone"


def zone_text(i, serial):
    return (f"@ 3600 SOA ns.other.test. h.other.test. {serial} 3600 600 1209600 60\n@ 3600 NS ns.other.test.\n"
            f"@ 3600 A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\nwww 3600 A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n")


def write(path, text):
    """As an editor does: the file is there whole or not at all."""
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(path + ".new", path)


def notify_message(ident, apex):
    return xfr_wire.message(ident, xfr_wire.question(apex, xfr_wire.SOA), flags=0x0400, opcode=xfr_wire.NOTIFY)


# -------- servers --------

TURNS = struct.Struct("=QQQQQQ")  # struct turns of turns.c


class Server(Daemon):
    """With what it has cost since some event: time, processor time, and the longest turn of the control loop."""

    def __init__(self, build, work, config, target, turns):
        super().__init__(build, work, config, listen=target[0])
        self.target, self.marked = target, None
        self.patience_s = PATIENCE_S
        self.turns = os.path.join(work, "turns")
        self.environment = dict(os.environ, LD_PRELOAD=turns, ANSER_TURNS=self.turns)

    def mark(self):
        with open(self.turns, "r+b") as f:
            f.write(TURNS.pack(0, 0, 0, 0, 0, 0))
        self.marked = time.monotonic(), self.cpu_s()

    def since(self):
        with open(self.turns, "rb") as f:
            longest_ns, count, _, over_5ms, _, _ = TURNS.unpack(f.read())
        return (f"{time.monotonic() - self.marked[0]:.2f} s, {self.cpu_s() - self.marked[1]:.2f} s of processor, longest turn "
                f"{longest_ns / 1e6:.1f} ms, {over_5ms} of {count} over 5 ms")

    def allocated(self):
        """Octets, as the allocator counts them, when nothing goes on any more."""
        last, end = 0, time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with open(self.turns, "r+b") as f:
                f.write(TURNS.pack(0, 0, 0, 0, 1, 0))
            self.status()  # a turn of the loop, or two
            self.status()
            with open(self.turns, "rb") as f:
                _, _, _, _, wanted, now = TURNS.unpack(f.read())
            if not wanted and now == 0 or abs(now - last) < 100000:
                return now
            last = now
            time.sleep(1)
        return last

    def launch(self):
        with open(self.turns, "wb") as f:
            f.write(TURNS.pack(0, 0, 0, 0, 0, 0))
        self.spawn()
        self.marked = time.monotonic(), 0.0

    def wait_served(self, n):
        """n zones are answered for."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"anserd ended with {self.process.returncode}: {self.log_end()}")
            try:
                if self.served() >= n:
                    return
            except RuntimeError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{self.served()} of {n} zones are served: {self.log_end()}")

    def served(self):
        status = self.status()
        return status["zones"]["ok"] + status["zones"]["stale"]

    def status(self):
        return json.loads(self.ctl("--json", "status"))["result"]


def rss(server, n, before_kib=0):
    kib = server.memory_kib()
    return f"{kib / 1024:.0f} MiB resident, {(kib - before_kib) * 1024 / n:.0f} bytes a zone"


def overhead(what, server, n, empty, has_record):
    """What a zone costs beside its data. Without jemalloc (a sanitizer's build) there is nothing to tell."""
    each, record = (server.allocated() - empty) / n, RECORD_BYTES if has_record else 0
    if each > 0:
        note(f"{what}: {each:.0f} octets a zone allocated; of them {DATA_BYTES} are its data, {record} its record in the catalog "
             f"zone: overhead {each - record - DATA_BYTES:.0f}")


class Campaign:
    def __init__(self, build, work, n, turns):
        self.tap, self.build, self.work, self.n, self.turns = Tap(), build, work, n, turns
        self.files = os.path.join(work, "files")
        self.empty_kib = self.empty_bytes = 0

    def server(self, name, config, target):
        work = os.path.join(self.work, name)
        os.makedirs(work, exist_ok=True)
        return Server(self.build, work, config, target, self.turns)

    def generate(self):
        begin = time.monotonic()
        for i in range(self.n):
            path = os.path.join(self.files, zone_path(i))
            if i % FOLDER == 0:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(zone_text(i, 1))
        note(f"{self.n} zone files of {SMALL_ZONE} records written in {time.monotonic() - begin:.1f} s")

    def zones(self, n, template=""):
        line = "  - {{name: {}, file: {}/{}" + template + "}}\n"
        return "zones:\n" + "".join(line.format(zone_name(i), self.files, zone_path(i)) for i in range(n))

    def check_some(self, server, what, serial=1):
        asker = Asker(10, server.target)
        step = max(1, self.n // 1000)
        wrong = [zone_name(i) for i in range(0, self.n, step) if asker.serial(xfr_wire.name(zone_name(i))) != serial]
        self.tap.same(what, [], wrong[:5])

    # -------- the parts --------

    def from_text(self):
        server = self.server("text", "", PRIMARY)
        server.launch()
        server.wait_up()
        self.empty_kib = server.memory_kib()
        self.empty_bytes = server.allocated()
        self.tap.same("a server without zones ends", 0, server.stop())
        server.configure(self.zones(self.n))
        server.launch()
        server.wait_served(self.n)
        note(f"text: {self.n} zones served after {server.since()}; {rss(server, self.n, self.empty_kib)}")
        self.check_some(server, "zones of text files are served")
        overhead("text", server, self.n, self.empty_bytes, False)
        self.look("text", server)
        server.mark()
        server.ctl("reload")
        note(f"text: reload with nothing changed: {server.since()}; {rss(server, self.n, self.empty_kib)}")
        self.tap.same("it ends", 0, server.stop())

    def look(self, what, server):
        """What can be asked of a server with many zones must not stop it."""
        for command in ("status", "zones", "metrics"):
            server.mark()
            size = len(server.ctl(command))
            note(f"{what}: anserctl {command}: {size} octets, {server.since()}")

    def primary_config(self, n):
        catalog = f"catalogs: [{{name: {CATALOG}, produce: {{zones: [\"*.million.test\"]}}, allow-transfer: [all]}}]\n"
        return REMOTES + TEMPLATES + catalog + self.zones(n, ", template: open")

    def primary_start(self):
        server = self.server("primary", self.primary_config(self.n), PRIMARY)
        server.launch()
        server.wait_served(self.n + 1)
        note(f"primary: {self.n} zones and their catalog served after {server.since()}; {rss(server, self.n, self.empty_kib)}")
        return server

    def secondary_config(self, template=""):
        return REMOTES + TEMPLATES + f"catalogs: [{{name: {CATALOG}, primaries: [primary]{template}}}]\n"

    def secondary_start(self):
        server = self.server("secondary", self.secondary_config(), SECONDARY)
        server.launch()
        return server

    def transferred(self, server):
        return int(server.metric("transfers_total", direction="in", result="new"))

    def secondary(self, primary):
        secondary = self.secondary_start()
        primary.mark()
        secondary.wait_served(self.n + 1)
        note(f"secondary: catalog and {self.n} members served after {secondary.since()} (primary: {primary.since()}); "
             f"{rss(secondary, self.n, self.empty_kib)}")
        self.check_some(secondary, "members of the catalog are served")
        self.look("secondary", secondary)
        self.changes(primary, secondary, 2)
        self.members(primary, secondary)
        return secondary

    def notify(self, apex):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((PRIMARY[0], 0))
            s.sendto(notify_message(1, xfr_wire.name(apex)), SECONDARY)

    def changes(self, primary, secondary, serial):
        """One zone after another gets a new version at the primary; then its secondary is told."""
        asker, taken = Asker(10, SECONDARY), []
        secondary.mark()
        for i in range(0, self.n, max(1, self.n // 50)):
            apex = zone_name(i)
            write(os.path.join(self.files, zone_path(i)), zone_text(i, serial))
            primary.ctl("zone", "reload", apex)
            begin = time.monotonic()
            self.notify(apex)
            while asker.serial(xfr_wire.name(apex)) != serial and time.monotonic() < begin + 5:
                pass
            taken.append(1000 * (time.monotonic() - begin))
        taken.sort()
        middle, most = taken[len(taken) // 2], taken[len(taken) * 9 // 10]
        note(f"update: NOTIFY to new answer: median {middle:.2f} ms, 90 % {most:.2f}, worst {taken[-1]:.2f} of {len(taken)}; "
             f"{secondary.since()}")
        self.tap.report(taken[-1] < 5000, "an update is served after its NOTIFY", f"{taken[-1]} ms")

    def wait_answer(self, apex, wanted):
        """Milliseconds until the secondary has this serial of it (None: has it no more)."""
        asker, begin = Asker(10, SECONDARY), time.monotonic()
        while asker.serial(xfr_wire.name(apex)) != wanted and time.monotonic() < begin + PATIENCE_S:
            time.sleep(0.001)
        self.tap.same(f"{apex} at the secondary", wanted, asker.serial(xfr_wire.name(apex)))
        return 1000 * (time.monotonic() - begin)

    def members(self, primary, secondary):
        """The catalog loses a member and gets it back."""
        apex, serial = zone_name(self.n - 1), Asker(10, SECONDARY).serial(xfr_wire.name(zone_name(self.n - 1)))
        for what, n, wanted in (("removed", self.n - 1, None), ("added", self.n, serial)):
            primary.configure(self.primary_config(n))
            primary.mark()
            primary.ctl("reload")
            note(f"primary: reload with one zone {what}: {primary.since()}")
            secondary.mark()
            self.notify(CATALOG)
            took_ms = self.wait_answer(apex, wanted)
            note(f"secondary: NOTIFY of the catalog to member {what}: {took_ms:.1f} ms; {secondary.since()}")

    def storm(self, primary, secondary):
        """All zones are due at once, as after a day without power; a NOTIFY does not wait for them."""
        secondary.configure(self.secondary_config(", template: quick"))
        self.tap.same("the secondary ends", 0, secondary.stop())
        time.sleep(STORM_S)
        secondary.launch()
        secondary.wait_served(self.n + 1)
        secondary.mark()
        self.changes(primary, secondary, 3)
        end = time.monotonic() + PATIENCE_S
        while secondary.metric("refreshes_total") < self.n and time.monotonic() < end:
            time.sleep(0.1)
        n = int(secondary.metric("refreshes_total"))
        self.tap.report(n >= self.n, "all zones are refreshed", f"{n} of {self.n}")
        note(f"refresh: {n} refreshes: {secondary.since()}")

    def restart(self, secondary):
        before = self.transferred(secondary)
        self.tap.same("the secondary ends", 0, secondary.stop())
        secondary.launch()
        secondary.wait_served(self.n + 1)
        note(f"restart: {self.n} members served from state after {secondary.since()}; {rss(secondary, self.n, self.empty_kib)}")
        overhead("restart", secondary, self.n, self.empty_bytes, True)
        self.check_some_all(secondary)
        self.tap.same("nothing was transferred again", 0, self.transferred(secondary))
        note(f"restart: before it, {before} transfers")

    def check_some_all(self, server):
        asker = Asker(10, server.target)
        step = max(1, self.n // 997)
        wrong = [zone_name(i) for i in range(0, self.n, step) if asker.serial(xfr_wire.name(zone_name(i))) not in (1, 2)]
        self.tap.same("zones out of the state are served", [], wrong[:5])

    def run(self):
        self.generate()
        self.from_text()
        primary = self.primary_start()
        secondary = None
        try:
            secondary = self.secondary(primary)
            self.restart(secondary)
            self.storm(primary, secondary)
        finally:
            for server in (secondary, primary):
                if server:
                    self.tap.same("a server ends", 0, server.stop())


def main():
    campaign = Campaign(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    campaign.run()
    campaign.tap.done()


if __name__ == "__main__":
    main()
