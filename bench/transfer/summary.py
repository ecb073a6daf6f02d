#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of what transferbench printed.

    summary.py DIR SERVER...    reads DIR/SERVER.log; the first server is the one that the others are compared with
"""
import statistics
import sys

FIGURES = (
    ("first", ("seen", "behind", "cpu", "anon", "peak_anon")),
    ("one", ("seen", "behind", "cpu", "memory")),
    ("many", ("seen", "behind", "cpu", "memory")),
    ("whole", ("seen", "behind", "cpu", "memory", "lost", "p50", "p99", "p999", "max")),
    ("quiet", ("lost", "p50", "p99", "p999", "max")),
)


def read(path):
    """Of each kind of step, of each figure, its values."""
    kinds = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            kind, *pairs = line.split()
            step = {name: float(value) for name, value in (pair.split("=") for pair in pairs)}
            if step.get("anon"):
                step["memory"] = step["peak_anon"] / step["anon"]
            for name, value in step.items():
                kinds.setdefault(kind, {}).setdefault(name, []).append(value)
    return kinds


def main():
    directory, *servers = sys.argv[1:]
    figures = {server: read(f"{directory}/{server}.log") for server in servers}
    print("| step | figure | " + " | ".join(f"{server}: median (least, most) | ratio" for server in servers) + " |")
    print("|---|---|" + "---|---|" * len(servers))
    for kind, names in FIGURES:
        for name in names:
            cells, base = [], None
            for server in servers:
                values = figures[server].get(kind, {}).get(name)
                if not values:
                    cells.append("- | -")
                    continue
                median = statistics.median(values)
                base = base or median
                ratio = f"{median / base:.2f}" if base else "-"
                cells.append(f"{median:.4g} ({min(values):.4g}, {max(values):.4g}) | {ratio}")
            print(f"| {kind} | {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
