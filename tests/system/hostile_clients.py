#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that ask for transfers and do not read, or read an octet a second; floods of UPDATE; updates as large as can be. TAP.

hostile_clients.py BUILD DIRECTORY CONNECTIONS
"""
import os
import socket
import struct
import sys
import threading
import time

import xfr_wire
from anser import Daemon
from bystander import Bystanders, flood
from dnsclient import Tap, note
from xfr_wire import A, AXFR, IN, SOA, frame

SERVER = ("127.0.0.1", 53)
FRIEND = "127.0.0.8" # may update
HOSTS = 300000  # of the zone that is transferred: more than sockets buffer
TRANSFERS = 100 # that run at a time
IDLE_S = 3
CONNECTION_KIB = 80  # what one may cost, whatever it asked for
TRANSFER_KIB = 1024
SLACK_KIB = 64 * 1024
FLOOD_LAG_S = 8.0


class Clients:
    def __init__(self, build, work, count):
        self.tap = Tap()
        self.count = count
        self.bystanders = Bystanders()
        self.daemon = Daemon(build, work, "")
        self.big, self.small = xfr_wire.name("big.test"), xfr_wire.name("small.test")
        for zone, hosts in ("big", HOSTS), ("small", 0):
            with open(os.path.join(work, "zones", zone), "w", encoding="ascii") as f:
                f.write("$TTL 60\n@ SOA . . 1 3600 1 86400 60\n@ NS ns.other.test.\n")
                f.writelines(f"h{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(hosts))
        remotes, zones = self.bystanders.configuration()
        zones += [f"  - {{name: {z}.test, file: {z}, allow-transfer: [all], allow-update: [friend]}}" for z in ("big", "small")]
        self.daemon.configure("\n".join([
            f"tcp: {{idle-timeout: {IDLE_S}s, max-connections: {count + 500}, max-per-source: 1000}}", "acls:",
            "  - {id: all, address: [127.0.0.0/8]}", f"  - {{id: friend, address: [{FRIEND}]}}", "remotes:", *remotes, "zones:",
            *zones]) + "\n")

    @staticmethod
    def connect_friend():
        return socket.create_connection(SERVER, 60, (FRIEND, 0))

    def connect(self, i, receive_bytes=None):
        """From one of many addresses, and none of those that matter."""
        s = socket.socket()
        if receive_bytes:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        s.bind((f"127.1.{i // 250}.{1 + i % 250}", 0))
        s.settimeout(30)
        s.connect(SERVER)
        return s

    def ask_axfr(self, stream, apex):
        stream.sendall(frame(xfr_wire.message(1, xfr_wire.question(apex, AXFR), flags=0)))

    def transfer(self, apex):
        """Records of a whole transfer; -rcode."""
        with socket.create_connection(SERVER, 30) as s:
            self.ask_axfr(s, apex)
            total, ends = 0, 0
            while ends < 2:
                m = xfr_wire.receive_message(s)
                if m[3] & 15:
                    return -(m[3] & 15)
                total += struct.unpack_from("!H", m, 6)[0]
                # The SOA stands first in the first message, and last in the last one.
                ends += (ends == 0) + (len(m) > 40 and total >= self.records(apex))
            return total

    def records(self, apex):
        return HOSTS + 3 if apex == self.big else 3

    def transfer_soon(self, apex, seconds):
        """How long until somebody who comes again gets the zone. None: longer."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            try:
                if self.transfer(apex) > 0:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.2)
        return None

    def others(self, name, lag_s=5.0):
        f = self.bystanders.figures()
        note(f"{name}: bystanders: {f}")
        self.tap.report(f["lost"] == 0 and f["lag_s"] < lag_s and f["versions"] > 0, f"{name}: others are served as before", f)

    def update(self, zone, records):
        return frame(xfr_wire.update_message(7, zone, records))

    # -------- transfers that nobody takes --------

    def hold(self):
        """All of them at once, and the zone changes meanwhile."""
        d = self.daemon
        before = d.memory_kib()
        d.peak_reset()
        self.bystanders.reset()
        streams = []
        for i in range(self.count):
            streams.append(self.connect(i, 4096))
            self.ask_axfr(streams[-1], self.big)
        rcodes = set()
        with self.connect_friend() as s:
            for k in range(20):
                name = xfr_wire.name(f"new{k}.big.test")
                s.sendall(self.update(self.big, [xfr_wire.record(name, A, b"\1\2\3\4")]))
                rcodes.add(xfr_wire.receive_message(s)[3] & 15)
        self.tap.same("updates are taken meanwhile", {0}, rcodes)
        grown, peak = d.memory_kib("VmHWM") - before, self.count * CONNECTION_KIB + TRANSFERS * TRANSFER_KIB + SLACK_KIB
        busy = d.metric("transfers_total", direction="out", result="busy")
        note(f"{self.count} connections: {grown} KiB more ({grown / self.count:.1f} a connection), {busy:.0f} answered SERVFAIL")
        self.tap.report(grown < peak, f"{self.count} clients that do not read: memory is bounded", f"{grown} KiB more, {peak} are allowed")
        self.others(f"{self.count} clients that do not read")
        took = self.transfer_soon(self.small, 30)
        note(f"the next transfer had its turn after {took} s")
        self.tap.report(took is not None, "they are cut off, and others get their transfers")
        end = time.monotonic() + 5 * IDLE_S
        while d.metric("tcp_closed_total", reason="slow") < TRANSFERS and time.monotonic() < end:
            time.sleep(0.1)
        self.tap.same("as slow, all of them", TRANSFERS, d.metric("tcp_closed_total", reason="slow"))
        for s in streams:
            s.close()
        self.all_given_back()

    def all_given_back(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and (self.daemon.metric("retired_bytes") or self.daemon.metric("tcp_connections")):
            time.sleep(0.1)
        self.tap.same("the versions that they held are given back", 0, self.daemon.metric("retired_bytes"))

    def sip(self):
        """An octet a second each."""
        streams = [self.connect(i, 4096) for i in range(TRANSFERS)]
        for s in streams:
            self.ask_axfr(s, self.big)
        stopped = threading.Event()

        def read():
            while not stopped.wait(1):
                for s in streams:
                    try:
                        s.recv(1)
                    except OSError:
                        pass
        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.5)
        self.bystanders.reset()
        took = self.transfer_soon(self.small, 60)
        note(f"{TRANSFERS} clients that take an octet a second: the next transfer had its turn after {took} s")
        self.tap.report(took is not None, "clients that take an octet a second: others get their transfers")
        self.others("clients that take an octet a second")
        stopped.set()
        thread.join()
        for s in streams:
            s.close()
        self.all_given_back()

    # -------- updates --------

    def update_flood(self):
        change = [xfr_wire.record(xfr_wire.name("flood.small.test"), A, b"", 0, xfr_wire.ANY)]
        for k in range(3):
            change.append(xfr_wire.record(xfr_wire.name("flood.small.test"), A, bytes([10, 0, 0, k])))
        wire = self.update(self.small, change)[2:]
        for name, source in (("UPDATE from a stranger", "127.0.0.9"), ("UPDATE from a friend", FRIEND)):
            f = flood(self, name, source, wire, 5)
            self.tap.report(f["lost"] <= 3 and f["lag_s"] < FLOOD_LAG_S and f["versions"] > 0, f"{name}: others are served as before", f)

    def large_updates(self, connections=8, each=10):
        """Updates of 64 KiB, on several connections at once. Every one is answered; what is acknowledged is there."""
        d = self.daemon
        time.sleep(1)
        before = d.memory_kib()
        d.peak_reset()
        self.bystanders.reset()
        counts = {"records": 0, "acked": 0, "refused": 0}
        lock = threading.Lock()

        def send(c):
            stream = self.connect_friend()
            for n in range(each):
                records = [xfr_wire.record(b"\7" + b"%01d%02d%04d" % (c, n, i) + self.small, A, b"\1\2\3\4") for i in range(1870)]
                wire = self.update(self.small, records)
                stream.sendall(wire)
                reply = xfr_wire.receive_message(stream)
                with lock:
                    is_good = reply[3] & 15 == 0
                    counts["records"] += is_good * len(records)
                    counts["acked" if is_good else "refused"] += 1
        threads = [threading.Thread(target=send, args=(c,)) for c in range(connections)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        grown = d.memory_kib("VmHWM") - before
        note(f"{connections * each} updates of 64 KiB: {counts}, {grown} KiB more")
        self.tap.same("updates of 64 KiB: each is answered", connections * each, counts["acked"] + counts["refused"])
        there = sum(1 for owner, *_ in d.dump("small.test") if owner[0].isdigit())
        self.tap.same("updates of 64 KiB: what is acknowledged is there", counts["records"], there)
        self.others("updates of 64 KiB")

    def run(self):
        self.daemon.start()
        self.bystanders.reset()
        time.sleep(2)
        self.others("in peace")
        self.hold()
        self.sip()
        self.update_flood()
        self.large_updates()
        self.tap.same("it ends with exit code 0", 0, self.daemon.stop())


def main():
    build, work, count = sys.argv[1:]
    clients = Clients(build, work, int(count))
    try:
        clients.run()
    finally:
        clients.daemon.stop()
    clients.tap.done()


if __name__ == "__main__":
    main()
