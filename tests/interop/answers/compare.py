#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py --work DIR --world NAME --queries N [--only PATTERN] NAME=ADDRESS:PORT...: asks, compares, reports.

The first server is ours. Run by `run`, inside the namespace. Writes agreement.txt, causes.txt and differences.txt into DIR, and into
argued.used the entries of argued.txt that questions were about, each behind the number of differences that it gives the reason for. Fails when ours differs from what all others say, in more than argued cases.
"""
import argparse
import collections
import fnmatch
import multiprocessing
import os
import sys

import argued
import ask
import causes
import message
import queries

CHUNK = 6000
ODD_OVER_TCP = 3  # of each category: each of them costs a connection and maybe a timeout
HAVE_CONSENSUS = 3  # of five
ORDINARY = ("plain/", "unasked/", "signed/")  # categories of questions about zone data
WANTED = 0.999  # of all that the four others agree on; of ordinary questions, all


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


def judge(args, names, figures, results, asked):
    """What the four others say, ours must say, but for what argued.txt gives a reason for. Two lines of TAP; whether both are ok."""
    world, uses, faults = args.world, {e: 0 for e in asked}, []
    for r in results:
        if r.others_agree and r.forms[0] != r.forms[1]:
            difference = causes.difference(r.forms[0], r.forms[1])
            entry = next((e for e in uses if e.argues(r.query, difference)), None)
            if entry is None:
                faults.append((r.category.startswith(ORDINARY), "%s %s  %s" % (r.transport, causes.question(r.query.wire), difference)))
            else:
                uses[entry] += 1
    with open(os.path.join(args.work, "argued.used"), "w", encoding="utf-8") as f:
        f.writelines("%d %s\n" % (n, entry.line) for entry, n in uses.items())
    agreed = sum(row[2] for row in figures.values())
    n_argued, n_ordinary = sum(uses.values()), sum(is_ordinary for is_ordinary, _ in faults)
    ok = n_ordinary == 0, agreed > 0 and len(faults) <= (1 - WANTED) * agreed
    print("%s - %s: ordinary questions are answered as the four others do" % ("ok" if ok[0] else "not ok", world))
    print("%s - %s: so are %.1f %% of all" % ("ok" if ok[1] else "not ok", world, 100 * WANTED))
    print("# %s: the four agree on %d; %s differs in %d argued cases and %d more, %d of these ordinary" % (
        world, agreed, names[0], n_argued, len(faults), n_ordinary))
    for _, text in sorted(faults, reverse=True)[:20]:
        print("#   " + text)
    return all(ok)


def with_argued(generator, chosen):
    """The questions, and some for each entry of argued.txt; and the entries that there are questions about."""
    about = {e: generator.about(e, argued.ASKED_FOR_EACH) for e in argued.entries()}
    more = {id(q): q for found in about.values() for q in found}
    for q in chosen:
        more.pop(id(q), None)
    return chosen + list(more.values()), [e for e, found in about.items() if found]


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
    generator = queries.Generator(zones, args.world)
    chosen = generator.everything(args.queries, lambda c: not args.only or fnmatch.fnmatch(c, args.only))
    chosen, asked = with_argued(generator, chosen)

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
    sys.exit(0 if judge(args, names, figures, results, asked) else 1)


if __name__ == "__main__":
    main()
