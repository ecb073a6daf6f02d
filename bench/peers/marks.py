# SPDX-License-Identifier: Apache-2.0
"""What we want to reach, and whether it was: measure, mark, seen, met or missed. Each mark is a ratio within the run."""
import statistics
from dataclasses import dataclass

from peers.servers import KINDS, is_peer

OURS, KERNEL, ECHO, KNOT_XDP = "anser-xdp", "anser-kernel", "echo", "knot-xdp"
SIGNIFICANT = ("positive", "referral", "nxdomain", "signed", "denied")


@dataclass(frozen=True)
class Mark:
    """`seen` is None where the run did not measure it."""
    measure: str
    wanted: float
    seen: float
    at_most: bool = False

    def verdict(self):
        if self.seen is None:
            return "not measured"
        return "met" if (self.seen <= self.wanted if self.at_most else self.seen >= self.wanted) else "missed"

    def row(self):
        seen = "-" if self.seen is None else f"{self.seen:.3g}"
        return [self.measure, f"{'≤' if self.at_most else '≥'} {self.wanted:g}", seen, self.verdict()]


def of_rates(figures):
    """The highest rates with 99.9 % answered, one core, beside the ceiling and the others."""
    def ratio(ours, mix, others):
        return figures.ratio(figures.rates(ours, mix), others)

    for mix in SIGNIFICANT:
        yield Mark(f"af_xdp ÷ echo: {mix}", 0.9 if mix == "positive" else 0.8, ratio(OURS, mix, figures.rates(ECHO, mix)))
    for mix, wanted in (("positive", 1.3), ("referral", 2)):
        yield Mark(f"af_xdp ÷ Knot XDP: {mix}", wanted, ratio(OURS, mix, figures.rates(KNOT_XDP, mix)))
    for mix in SIGNIFICANT:
        yield Mark(f"af_xdp ÷ best on sockets: {mix}", 3, ratio(OURS, mix, figures.best_sockets(mix)))
    for mix in SIGNIFICANT:
        yield Mark(f"kernel mode ÷ best on sockets: {mix}", 1.1, ratio(KERNEL, mix, figures.best_sockets(mix)))
    positive = figures.rates(OURS, "positive")
    for mix, wanted in (("nxdomain", 0.8), ("referral", 0.7), ("signed", 0.6)):
        yield Mark(f"af_xdp: {mix} ÷ positive", wanted, ratio(OURS, mix, positive))


def best_peer_p99(figures, mix):
    """The least median of the others."""
    found = (figures.latency_us(name, mix, "p99") for name in figures.servers if is_peer(name))
    return min((statistics.median(values.values()) for values in found if values), default=None)


def of_latency(figures):
    for mix in figures.mixes:
        ours, best = figures.latency_us(OURS, mix, "p99"), best_peer_p99(figures, mix)
        seen = statistics.median(ours.values()) / best if ours and best else None
        yield Mark(f"p99 at half of the slowest peer's rate ÷ best peer's: {mix}", 0.5, seen, True)


def first_with(figures, family, values):
    """Figures that do not hang on how packets come in, from the first of a family that has them."""
    for name in figures.servers:
        if KINDS[name].family == family:
            found = values(name)
            if found:
                return found
    return {}


def of_loading(figures):
    ours, theirs = (first_with(figures, family, figures.load_s) for family in ("anser", "nsd"))
    yield Mark("load of the TLD to the first answer ÷ NSD's", 0.33, figures.ratio(ours, theirs), True)


def of_sizes(figures):
    for mix in ("referral", "root"):
        ours, theirs = (first_with(figures, family, lambda name, mix=mix: figures.answer_bytes(name, mix))
                        for family in ("anser", "knot"))
        yield Mark(f"mean answer size ÷ Knot's: {mix}", 1.02, figures.ratio(ours, theirs), True)
        ours, theirs = (first_with(figures, family, lambda name, mix=mix: figures.truncated_share(name, mix))
                        for family in ("anser", "knot"))
        more = statistics.median(ours.values()) - statistics.median(theirs.values()) if ours and theirs else None
        yield Mark(f"share of answers with TC, less Knot's: {mix}", 0.0001, more, True)


def all_marks(figures):
    return [*of_rates(figures), *of_latency(figures), *of_loading(figures), *of_sizes(figures)]
