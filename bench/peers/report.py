# SPDX-License-Identifier: Apache-2.0
"""From results.json to README.md and the plots beside it."""
import os

from peers.figures import Figures, Spread
from peers.marks import all_marks
from peers.mixes import MIXES
from peers.plots import bars_svg
from peers.servers import KINDS, write


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value, digits=3):
    """Three or more digits, never as a power of ten."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def spread_text(values, scale=1):
    """Median (least, most) of the values by round."""
    spread = Spread.of(value / scale for value in values.values())
    return f"{number(spread.median)} ({number(spread.least)}, {number(spread.most)})" if spread else "-"


def share(value):
    return "-" if value is None else f"{value * 100:.2f} %"


# -------- sections --------

def rates(figures, mix):
    """The highest rates and the ratios, and what a flood brings."""
    echo, knot, sockets = figures.rates("echo", mix), figures.rates("knot-xdp", mix), figures.best_sockets(mix)
    rows = []
    for name in figures.servers:
        own = figures.rates(name, mix)
        flood = figures.values("rate", name, mix, lambda run: run["flood"]["answered_qps"])
        answered = figures.spread("rate", name, mix, lambda run: run["flood"]["answered_ratio"])
        rows.append([KINDS[name].title, spread_text(own, 1000), number(figures.ratio(own, echo)), number(figures.ratio(own, knot)),
                     number(figures.ratio(own, sockets)), spread_text(flood, 1000), share(answered.median if answered else None)])
    return table(["server", "highest rate, k/s: median (least, most)", "÷ echo", "÷ Knot XDP", "÷ best on sockets",
                  "answers to a flood, k/s", "of those asked"], rows)


def answers(figures, mix):
    """Latency, cost and size at one and the same rate."""
    rows = []
    for name in figures.servers:
        p50, p99 = (figures.latency_us(name, mix, percentile) for percentile in ("p50", "p99"))
        if p50:
            lost = figures.spread("latency", name, mix, lambda run: 1 - run["step"]["answered_ratio"])
            wrong = figures.values("latency", name, mix, lambda run: run["step"]["wrong"])
            truncated = Spread.of(figures.truncated_share(name, mix).values())
            rows.append([KINDS[name].title, spread_text(p50), spread_text(p99), spread_text(figures.cpu_us(name, mix)),
                         spread_text(figures.answer_bytes(name, mix)), share(truncated.median), share(max(0, lost.median)),
                         str(sum(wrong.values()))])
    return table(["server", "p50, us", "p99, us", "CPU, us an answer", "mean answer, octets", "TC", "lost or late", "wrong"], rows)


def loading(figures):
    rows = [[KINDS[name].title, spread_text(figures.load_s(name)), spread_text(figures.memory_mib(name)),
             spread_text(figures.values("load", name, None, lambda run: run["cpu_s"]))]
            for name in figures.servers if figures.load_s(name)]
    return table(["server", "start to first answer, s", "memory, MiB", "CPU, s"], rows)


def marks_table(figures):
    return table(["measure", "mark", "seen", ""], [mark.row() for mark in all_marks(figures)])


def conditions(results):
    m = results["machine"]
    lines = [f"command   {results['command']}", f"commit    {results['commit']}, {results['build']}",
             f"machine   {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, kernel {m['kernel']}, {m['system']}",
             f"began     {results['began']}, load average before {' '.join(m['load_before'])}",
             f"rig       {results['rig']}",
             f"versions  {', '.join(f'{name} {version}' for name, version in results['versions'].items())}"]
    return "\n".join("    " + line for line in lines)


INTRODUCTION = """\
Made by `bench/compare`, which [the folder above](../../README.md) describes; `results.json` has what each run measured. Servers take turns
within a round; figures are medians of {rounds} rounds (least, most), and ratios are medians of the ratios within rounds. NSD 4.6 of Debian
has no XDP port."""

INTRODUCTION_ELSEWHERE = INTRODUCTION.replace("[the folder above](../../README.md)", "docs/perf/README.md")


def about(mix, results):
    title = MIXES[mix].title
    where = f": {results['root_zone']}" if MIXES[mix].zone == "root" else ""
    return f"{title[0].upper()}{title[1:]}; the zone has {results['names'][mix]:,}{where}."


def readme(results, introduction=INTRODUCTION):
    figures = Figures(results)
    parts = [f"# Beside other servers, {results['began'][:10]}", introduction.format(rounds=results["rounds"]), conditions(results)]
    if results["quick"]:
        parts.append("**A quick run**: small zones, short steps, and a rate counts when "
                     f"{results['enough']:.0%} are answered, to see that everything works. The figures mean nothing.")
    if results["unfinished"]:
        parts.append("**Unfinished**: the run was ended before its time.")
    for mix in figures.mixes:
        parts += [f"## {mix}", about(mix, results), rates(figures, mix)]
        if mix in results["latency_qps"]:
            parts += [f"At {results['latency_qps'][mix]:,.0f} questions a second:", answers(figures, mix)]
    if any(run["kind"] == "load" for run in figures.runs):
        parts += ["## Loading", f"The TLD of {results['names']['loading']:,} delegations, from text, on all cores. Memory without "
                  "mapped files, with huge pages.", loading(figures), "![loading](loading.svg)"]
    parts += ["## Plots", "![rates](rates.svg)", "![latency](latency.svg)", "## Marks", marks_table(figures)]
    if figures.failed:
        parts += ["## What failed", "\n".join(f"- {run['kind']} {run['server']} {run.get('mix') or ''} round {run['round']}: "
                                              f"`{' '.join(run['failed'].replace('`', '').split())}`" for run in figures.failed)]
    return "\n\n".join(parts) + "\n"


# -------- plots --------

def by_mix(figures, values):
    """Groups for a chart: a mix each, with the servers that have a value."""
    groups = []
    for mix in figures.mixes:
        spreads = [(KINDS[name], Spread.of(values(name, mix))) for name in figures.servers]
        groups.append((mix, [(kind.title.partition(" (")[0], kind.family, spread) for kind, spread in spreads if spread]))
    return groups


def plots(results):
    figures = Figures(results)

    def load_group(title, values):
        return (title, [(KINDS[name].title, KINDS[name].family, Spread.of(values(name).values()))
                        for name in figures.servers if values(name)])

    return {
        "rates.svg": bars_svg(f"Highest rate with {results['enough'] * 100:g} % answered, one core", "thousands a second", by_mix(
            figures, lambda name, mix: [rate / 1000 for rate in figures.rates(name, mix).values()])),
        "latency.svg": bars_svg("99th percentile of latency at half of the slowest peer's highest rate", "us", by_mix(
            figures, lambda name, mix: figures.latency_us(name, mix, "p99").values())),
        "loading.svg": bars_svg("The TLD", "from text, all cores", [
            load_group("start to first answer, s", figures.load_s), load_group("memory, MiB", figures.memory_mib)]),
    }


def write_all(results, directory, in_docs):
    write(os.path.join(directory, "README.md"), readme(results, INTRODUCTION if in_docs else INTRODUCTION_ELSEWHERE))
    for name, text in plots(results).items():
        write(os.path.join(directory, name), text)
