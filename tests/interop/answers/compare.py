#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py --work DIR --world NAME --queries N [--only PATTERN] NAME=ADDRESS:PORT...: asks, compares, reports.

The first server is ours. Run by `run`, inside the namespace. Writes agreement.txt, causes.txt and differences.txt into DIR.
"""
import argparse
import collections
import fnmatch
import multiprocessing
import os

import ask
import causes
import message
import queries

CHUNK = 6000
ODD_OVER_TCP = 3  # of each category: each of them costs a connection and maybe a timeout
HAVE_CONSENSUS = 3  # of five


class Result:
    """What was answered to one question over one transport."""
    __slots__ = ("query", "transport", "replies", "forms", "consensus")

    def __init__(self, query, transport, replies, apexes):
        self.query, self.transport, self.replies = query, transport, replies
        qtype = query.qtype
        self.forms = [message.normal(r, qtype, apexes) for r in replies]
        form, votes = collections.Counter(self.forms).most_common(1)[0]
        self.consensus = form if votes >= HAVE_CONSENSUS else None

    @property
    def others_agree(self):
        """Whether all servers but ours say the same."""
        return all(f == self.forms[1] for f in self.forms[2:])

    @property
    def category(self):
        """The query's, and whether somebody proves a denial in it: a chapter of its own."""
        if any(has_proof(f) for f in self.forms):
            return self.query.category + "+proof"
        return self.query.category


def has_proof(form):
    """Whether there is a NSEC or NSEC3 in the authority section."""
    return len(form) == 7 and any(r[1] in (message.NSEC, message.NSEC3) for r in form[5])


def ask_chunk(job):
    """All servers, one transport, one chunk. Returns per category: figures; and the results that are not all the same."""
    transport, chunk, servers, apexes = job
    packets = [q.wire for q in chunk]
    are_odd = [q.is_odd for q in chunk]
    answers = []
    for address in servers:
        ask_all = ask.ask_udp if transport == "udp" else ask.ask_tcp
        answers.append(ask_all(address, packets, are_odd))
    figures, different = {}, []
    for query, replies in zip(chunk, zip(*answers)):
        result = Result(query, transport, replies, apexes)
        count(figures.setdefault(result.category, [0] * (4 + len(servers))), result)
        if any(f != result.forms[0] for f in result.forms):
            different.append((query, transport, replies))
    return figures, different


def count(row, result):
    """[asked, with a consensus, the others agree, ours with them, then each server's agreement with the consensus]"""
    row[0] += 1
    if result.others_agree:
        row[2] += 1
        row[3] += result.forms[0] == result.forms[1]
    if result.consensus is not None:
        row[1] += 1
        for i, form in enumerate(result.forms):
            row[4 + i] += form == result.consensus


def jobs(chosen, servers, apexes):
    """The work in chunks, UDP first. Odd packets of a category beyond the first few are not asked over TCP."""
    taken, over_tcp = collections.Counter(), []
    for q in chosen:
        taken[q.category] += q.is_odd
        if not q.is_odd or taken[q.category] <= ODD_OVER_TCP:
            over_tcp.append(q)
    for transport, list_ in (("udp", chosen), ("tcp", over_tcp)):
        for at in range(0, len(list_), CHUNK):
            yield transport, list_[at:at + CHUNK], servers, apexes


def percent(part, whole):
    """A share, cut off and not rounded, so that 100 means all."""
    return "%7.2f" % (int(10000 * part / whole) / 100) if whole else "      -"


def summary(figures):
    """Categories put together by what stands before the `/`; proofs apart."""
    out = {}
    for category, row in figures.items():
        chapter = category.split("/")[0] + ("+proof" if category.endswith("+proof") else "")
        out[chapter] = [a + b for a, b in zip(out.get(chapter, [0] * len(row)), row)]
    return out


def agreement(figures, names):
    """The table: a line a category."""
    head = "%-32s %8s %8s" % ("category", "asked", "consens.") + "".join(" %7s" % n for n in names) + " | %8s %7s" % ("4 agree", names[0])
    lines = [head]

    def line(label, row):
        lines.append("%-32s %8d %8d" % (label, row[0], row[1]) + "".join(" " + percent(v, row[1]) for v in row[4:]) +
                     " | %8d %s" % (row[2], percent(row[3], row[2])))

    for category in sorted(figures):
        line(category, figures[category])
    for label, wanted in (("all but proofs", lambda c: not c.endswith("+proof")), ("proofs", lambda c: c.endswith("+proof")), ("all", lambda c: True)):
        rows = [r for c, r in figures.items() if wanted(c)]
        if rows:
            line(label, [sum(v) for v in zip(*rows)])
    return lines


def main():
    """The whole run of one world."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--world", required=True)
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("servers", nargs="+")
    args = parser.parse_args()
    names = [s.split("=")[0] for s in args.servers]
    servers = [(s.split("=")[1].split(":")[0], int(s.rsplit(":", 1)[1])) for s in args.servers]
    with open(os.path.join(args.work, "zones"), encoding="ascii") as f:
        zones = [queries.Zone(*line.split()) for line in f]
    apexes = frozenset(z.origin.to_wire().lower() for z in zones)
    chosen = queries.Generator(zones, args.world).everything(args.queries, lambda c: not args.only or fnmatch.fnmatch(c, args.only))

    figures, different = {}, []
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for part, differing in pool.imap_unordered(ask_chunk, jobs(chosen, servers, apexes)):
            for category, row in part.items():
                figures[category] = [a + b for a, b in zip(figures.get(category, [0] * len(row)), row)]
            different += differing
    results = [Result(q, t, r, apexes) for q, t, r in different]
    table = agreement(figures, names)
    with open(os.path.join(args.work, "agreement.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(table) + "\n")
    print("\n".join(agreement(summary(figures), names)), flush=True)
    causes.write(args.work, names, results)


if __name__ == "__main__":
    main()
