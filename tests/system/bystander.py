# SPDX-License-Identifier: Apache-2.0
"""Zones and clients that have nothing to do with an attack: how they fare meanwhile. In a process of its own."""
import multiprocessing
import os
import random
import socket
import time

import xfr_wire
from anser import Asker
from dnsclient import note

PORT = 5303
STEP_S = 0.05
NOTIFY_AGAIN_S = 0.5 # a real primary waits longer
LATE_S = 2.0
LOST_S = 3.0 # a busy machine may stand still for a second
FLOOD = 100000 # messages a second


class Bystanders:
    """Zones g0.test, g1.test ... that get a new version every now and then; and questions. figures() tells of the time since
    the last call."""

    def __init__(self, count=10):
        self.count = count
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(other,), daemon=True)
        self.process.start()
        self.pipe.recv()

    def configuration(self):
        zones = [f"  - {{name: g{i}.test, primaries: [good], refresh-min: 1s, retry-min: 1s}}" for i in range(self.count)]
        return [f"  - {{id: good, address: 127.0.0.1@{PORT}}}"], zones

    def figures(self):
        """Latencies in microseconds, worst delay of a version in seconds, counts."""
        self.pipe.send("figures")
        return self.pipe.recv()

    def reset(self):
        """What was before is forgotten, and versions that are on their way are new ones."""
        self.pipe.send("reset")
        self.pipe.recv()

    def run(self, pipe):
        try:
            os.nice(-10)
        except OSError:
            pass
        primary = xfr_wire.Primary([xfr_wire.Versions(f"g{i}.test.", 50) for i in range(self.count)], port=PORT)
        zones = list(primary.zones.values())
        pipe.send("ready")
        asker = Asker(LOST_S)
        times, lost, lags = [], 0, []
        pending, step_at, told_at = {}, 0.0, 0.0
        while True:
            now = time.monotonic()
            if pipe.poll():
                if pipe.recv() == "reset":
                    pending = {apex: (serial, now) for apex, (serial, _) in pending.items()}
                waiting = [now - since for _, since in pending.values()]
                pipe.send(self.summary(times, lost, lags, waiting))
                times, lost, lags = [], 0, []
            if now - step_at >= STEP_S:
                step_at = now
                zone = random.choice([z for z in zones if z.apex not in pending] or zones)
                if zone.apex not in pending:
                    zone.serial += 1
                    pending[zone.apex] = zone.serial, now
                    primary.notify(zone, ("127.0.0.1", 53))
            if now - told_at >= NOTIFY_AGAIN_S:
                told_at = now
                for zone in zones:
                    if zone.apex in pending:
                        primary.notify(zone, ("127.0.0.1", 53))
            zone = random.choice(zones)
            began = time.perf_counter()
            serial = asker.serial(zone.apex)
            times.append(time.perf_counter() - began)
            lost += serial is None
            if serial is not None and zone.apex in pending and serial >= pending[zone.apex][0]:
                lags.append(time.monotonic() - pending.pop(zone.apex)[1])
            time.sleep(0.0005)

    @staticmethod
    def summary(times, lost, lags, waiting):
        times.sort()
        return {"questions": len(times), "lost": lost,
                "p50_us": round(times[len(times) // 2] * 1e6) if times else 0,
                "p99_us": round(times[len(times) * 99 // 100] * 1e6) if times else 0,
                "max_ms": round(times[-1] * 1e3, 1) if times else 0,
                "versions": len(lags), "lag_s": round(max([*lags, *(w for w in waiting if w > LATE_S)], default=0), 3)}


def flood(test, name, source, wire, seconds, rate=FLOOD):
    """`wire` from `source`, so many a second, and nobody reads the replies. What the bystanders saw of it. `test` has tap, daemon
    and bystanders."""
    daemon = test.daemon
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.bind((source, 0))
        s.connect(("127.0.0.1", 53))
        before, cpu = daemon.memory_kib(), daemon.cpu_s()
        daemon.peak_reset()
        test.bystanders.reset()
        began = now = time.monotonic()
        n = 0
        while now < began + seconds:
            while n < (now - began) * rate:
                s.send(wire)
                n += 1
            time.sleep(0.0005)
            now = time.monotonic()
    figures = test.bystanders.figures()
    grown, cpu = daemon.memory_kib("VmHWM") - before, daemon.cpu_s() - cpu
    full = daemon.metric("dropped_total", reason="punt_full")
    note(f"{name}: {n / seconds:.0f}/s for {seconds} s, {cpu / seconds:.2f} CPUs, memory {grown} KiB more, punt_full {full:.0f}")
    note(f"{name}: bystanders: {figures}")
    test.tap.report(grown < 16 * 1024, f"{name}: memory stays", f"{grown} KiB more")
    return figures
