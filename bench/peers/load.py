# SPDX-License-Identifier: Apache-2.0
"""anserblast, the load: on core 1, over af_xdp on the client's end of the rig or over memif."""
import json
import os
import subprocess

from peers.host import ETHERNET, Failed, Rig, read

CORE = "1"
ENOUGH = 0.999           # of the questions answered: the highest rate is the last one with that
SEARCHES_MAX = 3
DNSSEC = ["--dnssec"]


def blast(command, out, patience_s):
    """Runs it; what it measured as a dictionary."""
    if os.path.exists(f"{out}.json"):
        os.unlink(f"{out}.json")
    with open(f"{out}.log", "ab") as log:
        try:
            code = subprocess.run(command + ["--json", f"{out}.json"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=patience_s, start_new_session=True, check=False).returncode
        except subprocess.TimeoutExpired:
            code = f"none in {patience_s} s"
    try:
        with open(f"{out}.json", encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        raise Failed(f"anserblast: exit code {code}: {read(f'{out}.log')[-600:].strip()}") from None


def judged(step, rcodes):
    """The step, if its answers have these RCODEs. Nobody is measured by answers of another kind: refusing is fast. A few may be, of a
    server that has too much to do."""
    others = {rcode: n for rcode, n in step["rcodes"].items() if rcode not in rcodes}
    if sum(others.values()) > (1 - ENOUGH) * step["answered"]:
        raise Failed(f"of {step['answered']} answers {' and '.join(f'{n} have {rcode}' for rcode, n in others.items())}")
    return step


class Load:
    """Questions of one mix to one server over the rig."""

    def __init__(self, rig, tools, mix, queries, out, is_echo=False):
        self.out, self.is_echo, self.rcodes = out, is_echo, mix.rcodes
        self.command = rig.on_client("taskset", "-c", CORE, tools.program("anserblast"), "--server", f"{rig.server}@{rig.port}",
                                     "--mode", "af_xdp", "--device", Rig.client_device, "--source", rig.client, "--gateway",
                                     ETHERNET[Rig.device], "--cores", CORE, "--queries", queries,
                                     *(DNSSEC if mix.dnssec else []), *(["--echo"] if is_echo else []))

    def _good(self, step):
        return step if self.is_echo else judged(step, self.rcodes)

    def flood(self, seconds):
        return self._good(blast(self.command + ["--flood", "--time", str(seconds)], self.out, 60 + 2 * seconds)["steps"][-1])

    def search(self, seconds, begin_qps, enough=ENOUGH):
        """The highest rate with enough answered, searched for from a first guess. What else runs on the host can spoil a search, so
        one that finds nothing is made again; `searches` tells how many there were."""
        for searches in range(1, SEARCHES_MAX + 1):
            found = blast(self.command + ["--search", "--answered", f"{enough * 100:g}", "--time", str(seconds), "--rate",
                                          str(int(begin_qps / searches))], self.out, 120 + 60 * seconds)
            if found.get("best"):
                return self._good(found["best"]) | {"searches": searches}
        raise Failed(f"anserblast found no rate in {SEARCHES_MAX} searches: {read(f'{self.out}.log')[-600:].strip()}")

    def steady(self, qps, seconds):
        """At a fixed rate, with each reply read to its end."""
        check = [] if self.is_echo else ["--check", "full"]
        found = blast(self.command + check + ["--rate", str(int(qps)), "--time", str(seconds)], self.out, 60 + 2 * seconds)
        return self._good(found["steps"][-1])
