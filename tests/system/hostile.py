#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Primaries that send too much, nonsense, or nothing; and floods of NOTIFY. TAP.

Each is met with the zone's limits or an error that says why; the zone keeps what it had, memory stays within what the limits
allow, and others are served as before.

hostile.py BUILD DIRECTORY LIMIT-MIB WILDCARD-NAMES [FAULT...]
"""
import os
import re
import shutil
import sys
import time

import hostile_primary
import xfr_wire
from anser import Asker, Daemon
from bystander import Bystanders, flood
from dnsclient import Tap, note
from hostile_primary import ADDRESS, ENDLESS, PORT, SERIAL, SLOW, WRONG, slow_addresses

MIB = 1 << 20
# Memory may grow by the limit and a twentieth more. The state's writer has two slices of what is taken, for all zones together.
TOLERANCE = 20
WRITER = 16 * MIB
IN_FLIGHT = 12 * MIB  # octets sent that the daemon has not read: in the buffers of both sockets
# On a machine that does nothing else, some 0.3 ms and 0.1 s; the notes have what it was.
P99_US = 100000
LAG_S = 5.0
TIME_LIMIT_S = 3
FLOOD_LOST = 3    # questions that a full socket buffer may cost beside
FLOOD_LAG_S = 8.0 # a NOTIFY may be lost between the others, several times

OF_MEMORY = "takes more than {} octets of memory"
TOO_LARGE = {"many-types": "record sets at one name|more than 1000 types", "big-set": "record set of 10500 records",
             "empty-messages": "no records", "endless-differences": "closed the connection"}
REASONS = {"unsigned": "TSIG: MISSING", "forged": "TSIG: BADSIG", "wrong-id": "answers no question", "other-zone": "another question",
           "cut-short": "closed the connection", "slow-messages": f"longer than {1000 * TIME_LIMIT_S} ms"}


class Hostile:
    def __init__(self, build, work, limit_mib, wildcard_count):
        self.tap = Tap()
        self.limit = limit_mib * MIB
        self.wildcard_count = wildcard_count
        self.taken_limit = 8 * MIB + 220 * wildcard_count  # enough for log and zone,
        self.heavy_limit = 4 * MIB + 100 * wildcard_count  # and for the log alone
        self.bystanders = Bystanders()
        self.primary = hostile_primary.HostilePrimary(wildcard_count)
        self.daemon = Daemon(build, work, self.configuration())
        self.asker = Asker(2.0)

    def configuration(self, has_keys=False):
        """Keys come later: what is good is unsigned."""
        remotes, zones = self.bystanders.configuration()
        remotes += [f"  - {{id: bad, address: {ADDRESS}@{PORT}}}",
                    f"  - {{id: keyed, address: {ADDRESS}@{PORT}{', key: test.key' if has_keys else ''}}}"]
        remotes += [f"  - {{id: {fault}, address: {address}@{PORT}}}" for fault, address in slow_addresses().items()]
        limits = f"{{size: {self.limit}B, time: 1h}}"
        names = [*ENDLESS, *WRONG, *SLOW, "wildcard-names", "heavy-names", "endless-differences"]
        for fault in names:
            remote = "keyed" if fault in ("unsigned", "forged") else fault if fault in SLOW else "bad"
            if fault in ("slow-messages", "trickle"):
                bounds = f"{{time: {TIME_LIMIT_S}s}}"
            elif fault in ("wildcard-names", "heavy-names"):
                bounds = f"{{size: {self.taken_limit if fault == 'wildcard-names' else self.heavy_limit}B}}"
            else:
                bounds = limits
            zones.append(f"  - {{name: {fault}.test, primaries: [{remote}], retry-min: 1h, retry-max: 1h, "
                         f"transfer-limits: {bounds}}}")
        keys = ["keys:", "  - {id: test.key, algorithm: hmac-sha256, secret: dGhlIHNlY3JldCBvZiB0aGUgc3lzdGVtIHRlc3Rz}"]
        return "\n".join([*keys, "remotes:", *remotes, "zones:", *zones]) + "\n"

    # -------- one fault at a time --------

    def fresh(self):
        """A daemon without history, and with every zone as it should be."""
        self.daemon.stop()
        shutil.rmtree(self.daemon.state, ignore_errors=True)
        os.makedirs(self.daemon.state)
        self.primary.is_good.value = True
        self.daemon.configure(self.configuration())
        self.daemon.start()
        self.wait_for_good()
        self.daemon.configure(self.configuration(True))
        self.daemon.ctl("reload")
        self.primary.is_good.value = False
        self.bystanders.reset()

    def wait_for_good(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.daemon.metric("zones", state="ok") == self.daemon.metric("zones"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"zones are not transferred: {self.daemon.ctl('zones')}\n{self.daemon.log_end(20)}")

    def refresh(self, fault, whole=False):
        """(seconds, why it failed; "" if it did not)."""
        began = time.monotonic()
        try:
            self.daemon.ctl("zone", "retransfer" if whole else "refresh", f"{fault}.test")
            return time.monotonic() - began, ""
        except RuntimeError as e:
            return time.monotonic() - began, str(e)

    def others(self, name):
        f = self.bystanders.figures()
        note(f"{name}: bystanders: {f}")
        self.tap.report(f["lost"] == 0 and f["p99_us"] < P99_US and f["lag_s"] < LAG_S and f["versions"] > 0,
                        f"{name}: others are served as before", f)

    def keeps(self, name, fault):
        self.tap.same(f"{name}: the zone keeps what it had", SERIAL, self.asker.serial(xfr_wire.name(f"{fault}.test")))

    def measured(self, fault, whole):
        """Memory and octets of one refresh in a fresh daemon."""
        self.fresh()
        time.sleep(0.5)
        before, sent = self.daemon.memory_kib() * 1024, self.primary.sent.value
        self.daemon.peak_reset()
        seconds, why = self.refresh(fault, whole)
        grown = self.daemon.memory_kib("VmHWM") * 1024 - before
        time.sleep(0.2)
        return seconds, why, grown, self.primary.sent.value - sent

    def within(self, fault, grown, limit, beside=0):
        self.tap.report(grown <= limit + limit // TOLERANCE + beside, f"{fault}: memory stays within the limit",
                        f"{grown} octets more, {100 * grown / limit - 100:+.1f} % of the limit")

    def too_much(self, fault, whole=True):
        seconds, why, grown, sent = self.measured(fault, whole)
        reason = TOO_LARGE.get(fault, f"{OF_MEMORY.format(self.limit)}|more than {self.limit} octets")
        note(f"{fault}: {sent} octets sent, {grown} of memory more ({grown / max(sent, 1):.1f} an octet), {seconds:.1f} s: {why.strip()}")
        self.tap.report(bool(re.search(reason, why)), f"{fault}: refused for its size", why)
        self.tap.report(sent < self.limit + IN_FLIGHT, f"{fault}: at the limit", f"{sent} octets were sent, the limit is {self.limit}")
        self.within(fault, grown, self.limit)
        self.keeps(fault, fault)
        self.others(fault)

    def wildcard(self):
        seconds, why, grown, sent = self.measured("wildcard-names", True)
        note(f"{self.wildcard_count} names under a wildcard: {sent} octets sent, {grown} of memory more, {seconds:.1f} s {why.strip()}")
        self.tap.same(f"{self.wildcard_count} names under a wildcard are taken", "", why)
        self.within("wildcard-names", grown, self.taken_limit, WRITER)
        self.tap.same("wildcard-names: served", SERIAL + 1, self.asker.serial(xfr_wire.name("wildcard-names.test")))
        self.others("wildcard-names")

    def heavy(self):
        """A whole answer, of records that fit, into a zone that does not."""
        seconds, why, grown, sent = self.measured("heavy-names", True)
        note(f"heavy-names: {sent} octets sent, {grown} of memory more, the limit is {self.heavy_limit}, {seconds:.1f} s: {why.strip()}")
        self.tap.report(OF_MEMORY.format(self.heavy_limit) in why and f"behind {self.wildcard_count + 4} records" in why,
                        "heavy-names: refused for its size when it is made", why)
        self.within("heavy-names", grown, self.heavy_limit)
        self.keeps("heavy-names", "heavy-names")
        self.others("heavy-names")

    def wrong(self, fault):
        seconds, why = self.refresh(fault, whole=fault in ("unsigned", "forged"))  # which begins with the transfer
        note(f"{fault}: {seconds:.1f} s: {why.strip()}")
        self.tap.report(bool(re.search(REASONS.get(fault, "."), why)), f"{fault}: refused", why)
        self.keeps(fault, fault)

    def slow(self, fault):
        seconds, why = self.refresh(fault)
        note(f"{fault}: {seconds:.1f} s: {why.strip()}")
        self.tap.report(bool(re.search(REASONS.get(fault, "."), why)), f"{fault}: given up", why)
        self.keeps(fault, fault)

    def silent(self, fault, wait_s):
        """It would take minutes until it is given up; the others cannot wait for it."""
        asked = self.primary.questions.value
        try:
            self.daemon.ctl("-t", str(wait_s), "zone", "refresh", f"{fault}.test")
            self.tap.report(False, f"{fault}: waits", "it does not")
        except RuntimeError:
            self.tap.report(self.primary.questions.value > asked, f"{fault}: waits", "it was not asked")
        self.keeps(fault, fault)

    # -------- floods --------

    def floods(self, seconds=5):
        hostile = xfr_wire.name("hang-up.test")
        news = xfr_wire.message(1, xfr_wire.question(hostile, xfr_wire.SOA), [xfr_wire.record(hostile, xfr_wire.SOA, xfr_wire.soa_data(99))],
                                flags=0x0400, opcode=xfr_wire.NOTIFY)
        good = xfr_wire.name("g0.test")
        useless = xfr_wire.message(1, xfr_wire.question(good, xfr_wire.SOA), flags=0x0400, opcode=xfr_wire.NOTIFY)
        plain = flood(self, "plain questions", "127.0.0.9", xfr_wire.message(1, xfr_wire.question(good, xfr_wire.SOA), flags=0), seconds)
        for name, source, wire in (("NOTIFY of news from a primary", slow_addresses()["hang-up"], news), ("NOTIFY without serial", "127.0.0.1", useless),
                                   ("NOTIFY from a stranger", "127.0.0.9", news)):
            asked = self.primary.questions.value
            f = flood(self, name, source, wire, seconds)
            note(f"{name}: {self.primary.questions.value - asked} transfers tried")
            # Both CPUs are full then: what the same number of plain questions does to others is the measure.
            self.tap.report(f["lost"] <= plain["lost"] + FLOOD_LOST and f["lag_s"] < FLOOD_LAG_S and f["versions"] > 0,
                            f"{name}: others are served as before", f)

    # -------- all --------

    def run(self, faults):
        def wants(fault):
            return not faults or fault in faults
        self.fresh()
        time.sleep(2)
        self.others("in peace")
        for fault in filter(wants, ENDLESS):
            self.too_much(fault)
        if wants("endless-differences"):
            self.too_much("endless-differences", whole=False)
            self.tap.report(bool(re.search("differences are longer than the zone|IXFR from bad: .* octets of memory", self.daemon.log())),
                            "endless-differences: the whole zone is asked for instead")
        if wants("wildcard-names"):
            self.wildcard()
        if wants("heavy-names"):
            self.heavy()
        self.fresh()
        for fault in filter(wants, WRONG):
            self.wrong(fault)
        if not faults:
            self.others("nonsense")
        for fault in filter(wants, SLOW):
            if fault in ("say-nothing", "trickle"):
                self.silent(fault, 2)
            else:
                self.slow(fault)
        if not faults:
            self.others("slow and broken connections")
        if wants("floods"):
            self.floods()
        self.tap.same("it ends with exit code 0", 0, self.daemon.stop())


def main():
    build, work, limit, wildcard_count, *faults = sys.argv[1:]
    hostile = Hostile(build, work, int(limit), int(wildcard_count))
    try:
        hostile.run(faults)
    finally:
        hostile.daemon.stop()
    hostile.tap.done()


if __name__ == "__main__":
    main()
