# SPDX-License-Identifier: Apache-2.0
"""What the raw results say: medians, spreads, ratios. Ratios are taken within a round, where both were measured within minutes of each
other, and then the median of them is: the machine drifts."""
import statistics
from dataclasses import dataclass

from peers.servers import KINDS, is_peer


@dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values)) if values else None


class Figures:
    """Of a results file. `servers` and `mixes` are those that were measured, in the order of the tables here and in mixes.py."""

    def __init__(self, results):
        self.runs = [run for run in results["runs"] if "failed" not in run]
        self.failed = [run for run in results["runs"] if "failed" in run]
        self.servers = [name for name in KINDS if name in results["servers"]]
        self.mixes = results["mixes"]

    def values(self, kind, server, mix, get):
        """By round; rounds in which it failed, or in which `get` finds nothing, are not there."""
        found = {}
        for run in self.runs:
            if run["kind"] == kind and run["server"] == server and run.get("mix") == mix:
                value = get(run)
                if value is not None:
                    found[run["round"]] = value
        return found

    def spread(self, kind, server, mix, get):
        return Spread.of(self.values(kind, server, mix, get).values())

    # -------- rates --------

    def rates(self, server, mix):
        """The highest rates with 99.9 % answered, by round."""
        return self.values("rate", server, mix, lambda run: run["search"]["answered_qps"])

    def best_of(self, names, mix):
        """The best of several servers, by round."""
        best = {}
        for name in names:
            for turn, rate in self.rates(name, mix).items():
                best[turn] = max(rate, best.get(turn, 0))
        return best

    def best_sockets(self, mix):
        """Of the other servers on kernel sockets."""
        return self.best_of([name for name in self.servers if is_peer(name) and KINDS[name].way == "sockets"], mix)

    @staticmethod
    def ratio(ours, others):
        """Median of the ratios of rounds; None without a round that has both."""
        ratios = [ours[turn] / others[turn] for turn in ours if others.get(turn)]
        return statistics.median(ratios) if ratios else None

    def slowest_peer_qps(self, mix):
        """Median rate of the slowest of the others, or of all where there is no other. None if nothing was measured."""
        names = [name for name in self.servers if is_peer(name)] or self.servers
        medians = [statistics.median(rates.values()) for rates in (self.rates(name, mix) for name in names) if rates]
        return min(medians) if medians else None

    # -------- answers --------

    def answer_bytes(self, server, mix):
        return self.values("latency", server, mix, lambda run: run["step"]["bytes_mean"])

    def truncated_share(self, server, mix):
        return self.values("latency", server, mix, lambda run: run["step"]["truncated"] / max(1, run["step"]["answered"]))

    def latency_us(self, server, mix, percentile):
        return self.values("latency", server, mix, lambda run: run["step"]["latency_us"][percentile])

    def cpu_us(self, server, mix):
        """Of the server, for an answer."""
        return self.values("latency", server, mix, lambda run: run["cpu_s"] / max(1, run["step"]["answered"]) * 1e6)

    # -------- loading --------

    def load_s(self, server):
        return self.values("load", server, None, lambda run: run["load_s"])

    def memory_mib(self, server):
        return self.values("load", server, None, lambda run: run["memory_bytes"] / 2**20)
