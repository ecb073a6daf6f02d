#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stream of small changes comes in by NOTIFY and IXFR while every answer is read. TAP.

Rounds of two phases each, first without changes, then with them, under the same load. Prints for each what was asked and
answered, how many changes became public, what they cost which thread, and how much replaced data waited at most.

change_stream.py BUILD DIRECTORY ZONES RATE SECONDS ROUNDS [--break] [--signed]
"""
import base64
import os
import subprocess
import sys
import threading
import time

from anser import Daemon
from dnsclient import Tap, note

PRIMARY = "127.0.0.1:5301"
SECRET = "the secret of a stream of changes"
SAMPLE_S = 1.0
TICKS = os.sysconf("SC_CLK_TCK")
FRACTION = 0.95  # of the versions that are made have to become public in time
# Short runs are for machines that have other work, too: less is wanted, and an answer may come after more than a second.
SHORT_S = 60
PLAIN_MAX_S = 60  # of a phase without changes
FRACTION_SHORT = 0.5


def config(zones, signed):
    key = base64.b64encode(SECRET.encode()).decode()
    lines = ["keys:", f"  - {{id: stream, algorithm: hmac-sha256, secret: {key}}}"] if signed else []
    lines += ["remotes:", f'  - {{id: hidden, address: "{PRIMARY.replace(":", "@")}"{", key: stream" if signed else ""}}}', "zones:"]
    lines += [f"  - {{name: z{i}.test, primaries: [hidden]}}" for i in range(zones)]
    return "\n".join(lines) + "\n"


def fields(line):
    return {name: float(value) for name, value in (part.split("=") for part in line.split())}


class Primary:
    """tests/torture/change_stream, driven by lines."""

    def __init__(self, build, zones, *options):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([f"{build}/tests/torture/change_stream", "--zones", str(zones), "--listen", PRIMARY]
                                        + list(options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, command):
        self.process.stdin.write(command + "\n")

    def result(self):
        return fields(self.process.stdout.readline())

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            return ticks_of(f.read())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def ticks_of(stat):
    parts = stat.rsplit(") ", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / TICKS


def thread_times(pid):
    """Seconds of processor time by what a thread is for."""
    times = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as f:
            stat = f.read()
        name = stat.split("(", 1)[1].rsplit(")", 1)[0]
        if name == "anserd":
            name = "control" if int(task) == pid else "pool"
        times[name] = times.get(name, 0.0) + ticks_of(stat)
    return times


class Watch(threading.Thread):
    """The most that waited to be freed, and the daemon's memory, as far as looking now and then can tell."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_under_test = daemon
        self.over = threading.Event()
        self.retired = 0

    def run(self):
        while not self.over.wait(SAMPLE_S):
            found = {name: value for name, labels, value in self.daemon_under_test.metrics() if not labels}
            self.retired = max(self.retired, found["retired_bytes"])

    def stop(self):
        self.over.set()
        self.join()


class Campaign:
    def __init__(self, tap, build, work, zones, broken=False, signed=False):
        self.tap, self.build, self.zones = tap, build, zones
        self.primary = Primary(build, zones, *(["--break", "mix"] if broken else []), *(["--secret", SECRET] if signed else []))
        self.daemon = Daemon(build, work, config(zones, signed))
        self.rates = {False: [], True: []}   # answers a second, without and with changes
        self.capacity = {False: [], True: []}  # answers a second of the worker's processor time
        self.answers = 0

    def start(self):
        begin = time.monotonic()
        self.daemon.spawn()
        self.daemon.wait_up(120)
        self.primary.tell("settle 120")
        behind = self.primary.result()["behind"]
        note(f"{self.zones} zones, {time.monotonic() - begin:.1f} s until all had been transferred, memory {self.daemon.memory_kib('RssAnon')} KiB")
        self.tap.same("every zone was transferred", 0, behind)

    def counters(self):
        found = {}
        for name, labels, value in self.daemon.metrics():
            if name == "transfers_total" and labels["direction"] == "in" and labels["kind"] == "ixfr":
                found["ixfr_" + labels["result"]] = value
            elif name in ("state_commits_total", "punted_total", "dropped_total", "state_requests_total"):
                found[name] = found.get(name, 0) + value
        return found

    def load(self, seconds):
        command = [f"{self.build}/tests/torture/change_load", "--zones", str(self.zones), "--seconds", str(seconds)]
        command += [] if seconds >= SHORT_S else ["--patience", "10"]
        done = subprocess.run(command + os.environ.get("ANSER_CHANGES_LOAD", "").split(), capture_output=True, text=True, check=False)
        return fields(done.stdout), done.stderr.strip()

    def phase(self, rate, seconds):
        """One phase; without changes where the rate is 0."""
        watch = Watch(self.daemon)
        times, counted, primary_s = thread_times(self.daemon.pid), self.counters(), self.primary.cpu_s()
        watch.start()
        begin = time.monotonic()
        if rate:
            self.primary.tell(f"run {rate} {seconds}")
        answers, fault = self.load(seconds)
        stream = self.primary.result() if rate else None
        took = time.monotonic() - begin
        watch.stop()
        counted = {name: value - counted.get(name, 0) for name, value in self.counters().items()}
        spent = {name: value - times.get(name, 0) for name, value in thread_times(self.daemon.pid).items()}
        worker_s = sum(value for name, value in spent.items() if "udp" in name)
        self.rates[bool(rate)].append(answers["rate"])
        self.capacity[bool(rate)].append(answers["answers"] / max(worker_s, 0.01))
        spent["primary"] = self.primary.cpu_s() - primary_s
        self.tell(rate, took, answers, stream, counted, spent, watch)
        return answers, fault, stream, counted["ixfr_new"] / took

    def tell(self, rate, took, answers, stream, counted, spent, watch):
        note(f"{'with changes' if rate else 'without changes'}: {answers['rate']:.0f} answers/s, {answers['answers']:.0f} answers, "
             f"lost {answers['lost']:.0f} ({answers['late']:.0f} came late), mixed {answers['mixed']:.0f}, back {answers['back']:.0f}, other faults {answers['faults']:.0f}, "
             f"longest {answers['longest_ms']} ms")
        if stream:
            note(f"  {counted['ixfr_new'] / took:.0f} IXFRs/s public, {stream['versions'] / stream['seconds']:.0f} versions/s made, "
                 f"{stream['of_several']:.0f} of several versions, {stream['again']:.0f} NOTIFYs sent again, "
                 f"{stream['behind']:.0f} zones behind at the end; {counted['state_commits_total'] / took:.0f} commits/s; "
                 f"retired at most {watch.retired:.0f} octets; memory {self.daemon.memory_kib('RssAnon')} KiB, and "
                 f"{self.daemon.memory_kib('RssFile')} KiB of files, the state among them")
        parts = ", ".join(f"{name} {value / took * 100:.0f}" for name, value in sorted(spent.items()) if value / took > 0.005)
        note(f"  % of a core: {parts}; {self.capacity[bool(rate)][-1]:.0f} answers to a second of the worker's core; "
             f"load of the machine {os.getloadavg()[0]:.1f}")

    def judge(self, answers, fault):
        self.answers += answers["answers"]
        self.tap.report(answers["lost"] + answers["mixed"] + answers["back"] + answers["faults"] == 0 < answers["answers"],
                        "nothing lost, mixed, or back", f"{answers} {fault}")

    def rounds(self, rate, seconds, n):
        for _ in range(n):
            for with_changes in (False, True):
                answers, fault, stream, done = self.phase(rate if with_changes else 0, seconds if with_changes else min(seconds, PLAIN_MAX_S))
                self.judge(answers, fault)
                if with_changes:
                    made = stream["versions"] / stream["seconds"]
                    wanted = FRACTION * made if seconds >= SHORT_S else 1
                    name = "versions become public" + (" as fast as they are made" if seconds >= SHORT_S else "")
                    self.tap.report(done >= wanted, name, f"{done:.0f} of {made:.0f}")
                    self.settle()
        note(f"{self.answers:.0f} answers in all; with changes {self.kept(self.rates):.1f} % of the rate without, and "
             f"{self.kept(self.capacity):.1f} % of the answers to a second of the worker's core")

    @staticmethod
    def kept(figures):
        return 100 * sum(figures[True]) / sum(figures[False])

    def settle(self):
        self.primary.tell("settle 20")
        self.tap.same("all zones come to their newest version", 0, self.primary.result()["behind"])

    def stop(self):
        self.tap.same("SIGTERM ends it with exit code 0", 0, self.daemon.stop())
        self.primary.stop()


def main():
    build, work, zones, rate, seconds, n = sys.argv[1:7]
    broken = "--break" in sys.argv
    tap = Tap()
    campaign = Campaign(tap, build, work, int(zones), broken, "--signed" in sys.argv)
    try:
        campaign.start()
        if broken:
            answers, _, _, _ = campaign.phase(float(rate), float(seconds))
            tap.report(answers["mixed"] > 0, "a mixture is noticed")
        else:
            campaign.rounds(float(rate), float(seconds), int(n))
    finally:
        campaign.stop()
    tap.done()


main()
