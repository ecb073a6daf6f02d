# SPDX-License-Identifier: Apache-2.0
"""The order of the runs. Every run makes its rig and starts its server anew, so all begin alike; within a round of a mix the servers
take turns, so what drifts does so for all."""
import os
import shutil
import time
from dataclasses import dataclass

import peers.host as host
from peers.figures import Figures
from peers.host import Failed, Rig
from peers.load import Load
from peers.mixes import MIXES
from peers.servers import KINDS, Server

FIRST_GUESS_QPS = 20_000
PAUSE_S = 1              # before what is measured: the other end of the start's work


@dataclass(frozen=True)
class Times:
    """Seconds of each step of the search, of the flood, and of the steady rate; and what share the search wants answered."""
    search_s: float
    flood_s: float
    steady_s: float
    enough: float


@dataclass(frozen=True)
class Tools:
    """Where the programs are, and where DPDK finds huge pages ("": nowhere)."""
    build: str
    huge_pages: str
    clock = staticmethod(time.monotonic)

    def program(self, name):
        return os.path.join(self.build, name)


class Campaign:
    """Fills results["runs"]; save() is called after each."""

    def __init__(self, results, tools, kitchen, times, work, save, with_loading=True):
        self.results, self.tools, self.kitchen, self.times, self.work, self.save = results, tools, kitchen, times, work, save
        self.mixes = [MIXES[name] for name in results["mixes"]]
        self.kinds = [kind for kind in KINDS.values() if kind.name in results["servers"]]
        self.loaded = self._families() if with_loading else []
        rounds = results["rounds"]
        self.progress = host.Progress(rounds * (2 * len(self.mixes) * len(self.kinds) + len(self.loaded)))

    def _families(self):
        """One way of each server, the one with the least to set up: over sockets, where that is among them."""
        return list({kind.family: kind for kind in self.kinds if kind.family != "echo"}.values())

    def all(self):
        self._in_turns("load", [(None, self.loaded)])
        self._in_turns("rate", [(mix, self.kinds) for mix in self.mixes])
        for mix in self.mixes:
            slowest = Figures(self.results).slowest_peer_qps(mix.name)
            if slowest:
                self.results["latency_qps"][mix.name] = int(slowest / 2)
        self._in_turns("latency", [(mix, self.kinds) for mix in self.mixes if mix.name in self.results["latency_qps"]])

    def _in_turns(self, what, subjects):
        for mix, kinds in subjects:
            for turn in range(1, self.results["rounds"] + 1):
                for kind in kinds:
                    self._one(what, kind, mix, turn)

    def _one(self, what, kind, mix, turn):
        name = mix.name if mix else None
        self.progress.show(f"round {turn}: {what}, {kind.title}{', ' + name if name else ''}")
        run = {"kind": what, "server": kind.name, "mix": name, "round": turn}
        work = os.path.join(self.work, f"{what}-{kind.name}-{name}-{turn}")
        shutil.rmtree(work, ignore_errors=True)
        try:
            run |= getattr(self, f"_{what}")(kind, mix, work)
            shutil.rmtree(work)
        except Failed as reason:
            run["failed"] = str(reason).replace(self.work, "WORK").replace(host.TOP, ".") # it may end up in docs/
            self.progress.note(f"failed: {what} {kind.title} {name or ''}: {reason}; see {work}")
        self.results["runs"].append(run)
        self.save()
        self.progress.step()

    # -------- one run each --------

    def _load(self, kind, _mix, work):
        with Rig() as rig, Server(kind, self.kitchen.zone("tld"), rig, work, self.tools, pinned=False) as server:
            time.sleep(PAUSE_S)
            return {"load_s": server.load_s, "memory_bytes": server.memory_bytes(), "cpu_s": server.cpu_s()}

    def _under_load(self, kind, mix, work, measure):
        with Rig() as rig, Server(kind, self.kitchen.zone(mix.zone), rig, work, self.tools) as server:
            time.sleep(PAUSE_S)
            load = Load(rig, self.tools, mix, self.kitchen.queries(mix), f"{work}/load", kind.family == "echo")
            return measure(server, load)

    def _rate(self, kind, mix, work):
        def measure(server, load):
            flood = load.flood(self.times.flood_s)
            guess = max(FIRST_GUESS_QPS, flood["answered_qps"] / 2)
            return {"flood": flood, "search": load.search(self.times.search_s, guess, self.times.enough), "load_s": server.load_s}
        return self._under_load(kind, mix, work, measure)

    def _latency(self, kind, mix, work):
        def measure(server, load):
            before = server.cpu_s()
            step = load.steady(self.results["latency_qps"][mix.name], self.times.steady_s)
            return {"step": step, "cpu_s": server.cpu_s() - before}
        return self._under_load(kind, mix, work, measure)
