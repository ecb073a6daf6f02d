#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reloads two zones again and again while a client asks as fast as it gets answers. TAP.

    reload.py --zones DIR --count N --pid PID --ctl "anserctl -s SOCKET" SERVER ROOT-VERSION...

The root zone goes round through the versions given, each time with a higher serial. The zone v.test carries its version in
the TTL of every record, and spreads it over several sets of an answer. So the client can tell, from each answer alone,
which version it came from: no answer may be lost, none may come from two versions, and no answer may be older than one that
was seen before its question was sent.
"""
import argparse
import os
import re
import shlex
import socket
import subprocess
import threading
import time

import dns.name

import wire
from dnsclient import Tap, note

A, NS, CNAME, SOA, TXT = 1, 2, 5, 6, 16
WINDOW = 32
LOST_AFTER_S = 2.0
SERIAL = re.compile(r"(\sSOA\s+\S+\s+\S+\s+\(?\s*)(\d+)")
WARM_UP = 10

V_ZONE = """$TTL {n}
@ SOA ns hostmaster {n} 7200 1800 1209600 {n}
  NS ns
ns A 192.0.2.1
chain CNAME middle
middle CNAME end
end TXT "{n}"
  TXT "{n} again"
"""


def write_file(path, text):
    """At once or not at all: the daemon must not read half a file."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


class Zones:
    """Writes the next version of both zones."""

    def __init__(self, directory, versions):
        self.directory = directory
        self.texts = []
        for path in versions:
            with open(path, encoding="utf-8") as f:
                self.texts.append(f.read())
        self.version = 1

    def write(self):
        text = self.texts[self.version % len(self.texts)]
        write_file(f"{self.directory}/root.zone", SERIAL.sub(lambda m: m.group(1) + str(self.version), text))
        write_file(f"{self.directory}/v.test.zone", V_ZONE.format(n=self.version))

    def changing_names(self, limit):
        """Top-level domains that are not the same in all versions, and some that are."""
        lines = [set(line for line in text.splitlines() if "SOA" not in line) for text in self.texts]
        changed = set.union(*lines) - set.intersection(*lines)
        owners = [line.split()[0].rstrip(".").split(".")[-1] for line in sorted(changed) if line.strip()]
        stable = [line.split()[0].rstrip(".").split(".")[-1] for line in sorted(set.intersection(*lines)) if line.strip()]
        names = list(dict.fromkeys(owners))[:limit] + list(dict.fromkeys(stable))[-limit:]
        return [n.lower() for n in names if n and not n.startswith("$")]


def to_wire(text):
    return dns.name.from_text(text).to_wire()


class Load(threading.Thread):
    """Keeps WINDOW questions under way; everything it finds is in its attributes after stop()."""

    def __init__(self, server, names):
        super().__init__()
        self.socket = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.settimeout(0.2)
        self.socket.connect((server, 53))
        self.questions = [(to_wire("chain.v.test."), TXT, self.see_chain), (to_wire("nothing.v.test."), A, self.see_soa),
                          (b"\0", SOA, self.see_soa), (to_wire("nothing-of-that-name."), A, self.see_soa)]
        self.questions += [(to_wire(f"www.{n}."), A, self.see_referral) for n in names]
        self.pending = {}
        self.next_id = 0
        self.newest = {}  # version seen, by zone
        self.referrals = {}
        self.learning = True
        self.n_sent = self.n_answered = self.n_lost = 0
        self.faults = []
        self.stopping = False

    def stop(self):
        self.stopping = True
        self.join()

    def run(self):
        while not self.stopping or self.pending:
            while len(self.pending) < WINDOW and not self.stopping:
                self.send()
            self.receive()
            self.count_lost()

    def send(self):
        name, rdtype, see = self.questions[self.n_sent % len(self.questions)]
        ident = self.next_id = (self.next_id + 1) & 0xffff
        self.pending[ident] = (time.monotonic(), name, rdtype, see, dict(self.newest))
        self.n_sent += 1
        self.socket.send(wire.write_query(ident, name, rdtype))

    def receive(self):
        try:
            answer = self.socket.recv(65535)
        except (TimeoutError, ConnectionError):
            return
        try:
            message = wire.read_message(answer)
            sent = self.pending.pop(message.id, None)
            if sent is None or message.question != (sent[1], sent[2], 1):
                self.faults.append("an answer that nobody asked for, or a second one")
                return
            self.n_answered += 1
            sent[3](message, sent[4], answer[2:])
        except (ValueError, IndexError) as e:
            self.faults.append(f"unreadable answer: {e}")

    def count_lost(self):
        before = time.monotonic() - LOST_AFTER_S
        for ident in [i for i, sent in self.pending.items() if sent[0] < before]:
            del self.pending[ident]
            self.n_lost += 1

    def see_version(self, zone, versions, known):
        """All parts of an answer agree, and it is not older than what was seen before the question."""
        if len(versions) != 1:
            self.faults.append(f"{zone}: mixed answer, versions {sorted(versions)}")
            return
        version, = versions
        if version < known.get(zone, 0):
            self.faults.append(f"{zone}: version {version} after {known[zone]}")
        self.newest[zone] = max(version, self.newest.get(zone, 0))

    def see_chain(self, message, known, _):
        texts = {int(r.rdata[1:1 + r.rdata[0]].split()[0]) for r in message.answer if r.type == TXT}
        if [r.type for r in message.answer].count(CNAME) != 2 or len(message.answer) != 4:
            self.faults.append(f"chain incomplete: {len(message.answer)} records")
        self.see_version("v.test", texts | {r.ttl for r in message.answer}, known)

    def see_soa(self, message, known, _):
        soa = [r for r in message.answer + message.authority if r.type == SOA]
        serials = {int.from_bytes(r.rdata[-20:-16], "big") for r in soa}
        zone = "v.test" if message.question[0].endswith(to_wire("v.test.")) else "."
        if zone == "v.test":
            serials |= {r.ttl for r in soa}
        self.see_version(zone, serials, known)

    def see_referral(self, message, _, octets):
        known = self.referrals.setdefault(message.question[0], set())
        if self.learning:
            known.add(octets)
        elif octets not in known:
            self.faults.append(f"a referral that no version has: {dns.name.from_wire(message.question[0], 0)[0]}")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def serial_served(server):
    """The root's serial, asked for now."""
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LOST_AFTER_S)
        s.connect((server, 53))
        s.send(wire.write_query(1, b"\0", SOA))
        message = wire.read_message(s.recv(65535))
        return int.from_bytes(message.answer[0].rdata[-20:-16], "big")


def reload_once(args, zones):
    """True if the new version is served when the command returns."""
    zones.version += 1
    zones.write()
    done = subprocess.run([*shlex.split(args.ctl), "reload"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"reload failed: {done.stdout}{done.stderr}")
    return serial_served(args.server) == zones.version


def report(tap, load, n_late, args, memory):
    note(f"{args.count} reloads, {load.n_sent} questions, {load.n_answered} answers, {load.n_lost} lost, "
         f"{len(load.faults)} faults, last versions seen {load.newest}")
    note(f"memory: {memory[0]} KiB after {WARM_UP} reloads, {memory[1]} KiB after {args.count}")
    tap.report(load.n_lost == 0, "no answer is lost", f"{load.n_lost} of {load.n_sent}")
    tap.report(not load.faults, "no answer is mixed, none goes back", "\n".join(load.faults[:20]))
    tap.report(n_late == 0, "reload returns when the new version is served", f"{n_late} times it was not")
    tap.report(memory[1] <= memory[0] * 1.1 + 4096, "memory is where it was", f"{memory} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zones", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--ctl", required=True)
    parser.add_argument("server")
    parser.add_argument("versions", nargs="+")
    args = parser.parse_args()
    zones = Zones(args.zones, args.versions)
    load = Load(args.server, zones.changing_names(40))
    load.start()
    n_late, memory, tap = 0, [0, 0], Tap()
    try:
        for n in range(args.count):
            if n == 2 * len(args.versions):
                time.sleep(0.2)
                load.learning = False
            if n == WARM_UP:
                memory[0] = resident_kib(args.pid)
            n_late += not reload_once(args, zones)
            # Long enough for every question to be asked of this version while the referrals are being learnt.
            time.sleep(0.2 if load.learning else 0.01)
        time.sleep(1)
        memory[1] = resident_kib(args.pid)
    except (ValueError, OSError) as e:
        tap.report(False, "reload", e)
    finally:
        load.stop()
    report(tap, load, n_late, args, memory)
    tap.done()


if __name__ == "__main__":
    main()
