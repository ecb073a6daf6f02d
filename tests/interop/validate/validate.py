#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Has an independent validator judge our answers. Run by ../validate.test.

    validate.py zones DIR        makes and signs the zones; lists them in DIR/near and DIR/far, a name each line; the root's key in DIR/anchor
    validate.py bulk ADDRESS     asks the validating resolver at ADDRESS every question of model.py, and the broken zones; TAP
    validate.py delv DIR N       has delv judge N questions of each zone; TAP
"""
import collections
import concurrent.futures
import os
import random
import subprocess
import sys

import dns.message
import dns.name
import dns.rcode

import model

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "..", "answers"), os.path.join(HERE, "..", "..", "system")]
import ask  # noqa: E402
import dnsclient  # noqa: E402

SERVFAIL = 2
AD = 0x20
BROKEN = {"expired": ["-s", "20200101000000", "-e", "20200201000000"], "gap": [], "gap3": ["-3", "-", "-H", "0"]}  # zones that must be found bogus
WORDS = {"; fully validated": model.SECURE, "; negative response, fully validated": model.SECURE,
         "; unsigned answer": model.INSECURE, "; negative response, unsigned answer": model.INSECURE}


# -------- zones --------

def zone_path(directory, name):
    """Where the zone's file is."""
    return os.path.join(directory, (name.rstrip(".") or "root") + ".zone")


def run(directory, *command):
    """What the command prints; an exception shows what it complained about."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("%s: %s%s" % (" ".join(command), done.stdout, done.stderr))
    return done.stdout


def sign(directory, name, text, options):
    """Writes the zone signed; returns its DS records."""
    unsigned = zone_path(directory, name) + ".unsigned"
    with open(unsigned, "w", encoding="ascii") as f:
        f.write("$ORIGIN %s\n%s" % (name, text))
    key = run(directory, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", name).strip()
    with open(os.path.join(directory, key + ".key"), encoding="ascii") as f:
        dnskey = [l for l in f if not l.startswith(";")]
    with open(unsigned, "a", encoding="ascii") as f:
        f.writelines(dnskey)
    run(directory, "dnssec-signzone", "-q", "-P", "-z", "-O", "full", "-o", name, "-f", zone_path(directory, name), *options, unsigned, key)
    if name == ".":
        with open(os.path.join(directory, "anchor"), "w", encoding="ascii") as f:
            f.writelines(dnskey)
    return run(directory, "dnssec-dsfromkey", "-2", key + ".key")


def write_plain(directory, name, text):
    """An unsigned zone."""
    with open(zone_path(directory, name), "w", encoding="ascii") as f:
        f.write("$ORIGIN %s\n%s" % (name, text))


def make_zone(directory, zone, options):
    """A zone of model.ZONES with its children; returns (names on the near server, on the far one, its DS records)."""
    origin = zone + "."
    near, far, ds = [origin], [], []
    for place, address, names in (("near", model.NEAR, near), ("far", model.FAR, far)):
        secure, plain = "%s-secure.%s" % (place, origin), "%s-plain.%s" % (place, origin)
        ds.append(sign(directory, secure, model.child_text(address), [o for o in options if o != "-A"]))
        write_plain(directory, plain, model.child_text(address))
        names += [secure, plain]
    return near, far, sign(directory, origin, model.zone_text() + "".join(ds), options)


def make_broken(directory, zone, options):
    """A zone whose signatures are over, or whose denials of names between two others are missing. As make_zone."""
    ds = sign(directory, zone + ".", model.HEAD % model.NEAR + "a A 192.0.2.1\nm A 192.0.2.2\n", options)
    path = zone_path(directory, zone)
    with open(path, encoding="ascii") as f:
        lines = f.readlines()
    if zone == "gap":
        lines = [l for l in lines if not (l.startswith("m.gap.") and "NSEC" in l.split()[3:5])]
    if zone == "gap3":
        lines = [l for l in lines if "NSEC3" not in l.split()[3:5]]
    with open(path, "w", encoding="ascii") as f:
        f.writelines(lines)
    return [zone + "."], [], ds


def make_all(directory):
    """All of them, the root last, because it holds the others' DS."""
    os.makedirs(directory, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = [pool.submit(make_zone, directory, z, o) for z, o in model.ZONES.items()]
        made += [pool.submit(make_broken, directory, z, o) for z, o in BROKEN.items()]
        made = [m.result() for m in made]
    text = model.HEAD % model.NEAR
    text += "".join("%s. NS ns.\n" % z for z in list(model.ZONES) + list(BROKEN)) + "".join(ds for _, _, ds in made)
    sign(directory, ".", text, [])
    for place, names in (("near", ["."] + [n for near, _, _ in made for n in near]), ("far", [n for _, far, _ in made for n in far])):
        with open(os.path.join(directory, place), "w", encoding="ascii") as f:
            f.writelines(n + "\n" for n in names)


# -------- in bulk --------

def wire(name, rrtype):
    """A question to a resolver, with DO, so that AD tells its verdict."""
    return dns.message.make_query(name, rrtype, want_dnssec=True, payload=4096).to_wire()


def verdict(reply):
    """(rcode, security) of a resolver's reply."""
    if reply is None:
        return "no reply", None
    rcode = reply[3] & 15
    if rcode == SERVFAIL:
        return rcode, "bogus"
    return rcode, model.SECURE if reply[3] & AD else model.INSECURE


def is_allowed(question, security):
    """Whether the verdict is what it must be."""
    return security == question.security or question.security == model.EITHER and security in (model.SECURE, model.INSECURE)


def is_right(question, seen):
    """Whether rcode and verdict are as they must be."""
    return seen[0] == question.rcode and is_allowed(question, seen[1])


def ask_all(address, questions):
    """The verdict on each question."""
    ask.UDP_WAIT_S = 4.0  # the resolver asks for itself before it answers
    return [verdict(r) for r in ask.ask_udp((address, 53), [wire(q.name, q.rrtype) for q in questions], [False] * len(questions))]


def report(tap, zone, questions, verdicts):
    """A test for each kind of answer of the zone. Returns how many answers of each security there were."""
    kinds, total = collections.OrderedDict(), collections.Counter()
    for question, seen in sorted(zip(questions, verdicts), key=lambda pair: pair[0].kind):
        kinds.setdefault(question.kind, []).append((question, seen))
        total[seen[1] or "unanswered"] += 1
    for kind, pairs in kinds.items():
        wrong = ["%s %s: wanted %s and %s, got %s and %s" % (q.name, q.rrtype, q.rcode, q.security, s[0], s[1])
                 for q, s in pairs if not is_right(q, s)]
        tap.report(not wrong, "%s: %s" % (zone, kind), "\n".join(["%d of %d" % (len(wrong), len(pairs))] + wrong[:10]))
    dnsclient.note("%s: %d answers: %s" % (zone, len(questions), ", ".join("%d %s" % (n, s) for s, n in sorted(total.items()))))
    return total


def bulk(address):
    """Every zone, then those that have to be found bogus: a validator that takes all would prove nothing."""
    tap, total = dnsclient.Tap(), collections.Counter()
    for zone, questions in [("root", model.root_questions())] + [(z, model.Maker(z).all()) for z in model.ZONES]:
        total += report(tap, zone, questions, ask_all(address, questions))
    for zone in BROKEN:
        questions = [model.Question("bogus", "%s.%s." % (n, zone), "A", SERVFAIL, "bogus") for n in ("n", "mm", "x.n")]  # between m and ns
        report(tap, zone, questions, ask_all(address, questions))
    dnsclient.note("all: %d answers, %d secure, %d insecure, %d bogus, %d unanswered" % (
        sum(total.values()), total[model.SECURE], total[model.INSECURE], total["bogus"], total["unanswered"]))
    tap.same("no answer of ours is bogus", 0, total["bogus"])
    tap.done()


# -------- delv --------

def judge(directory, question):
    """delv's verdict, or its complaint."""
    done = subprocess.run(["delv", "@" + model.NEAR, "-a", os.path.join(directory, "delv.conf"), "+root=.", "-q", question.name, "-t", question.rrtype],
                          capture_output=True, text=True, check=False, timeout=20)
    for line in done.stdout.splitlines():
        if line in WORDS:
            return WORDS[line]
    return (done.stdout + done.stderr).strip()


def sample(directory, n):
    """Some of each zone, of each kind."""
    with open(os.path.join(directory, "anchor"), encoding="ascii") as f:
        key = next(l for l in f).split()
    with open(os.path.join(directory, "delv.conf"), "w", encoding="ascii") as f:
        at = key.index("DNSKEY")
        f.write('trust-anchors { . static-key %s %s %s "%s"; };\n' % (*key[at + 1:at + 4], "".join(key[at + 4:])))
    tap = dnsclient.Tap()
    for zone in model.ZONES:
        kinds = collections.defaultdict(list)
        for q in model.Maker(zone).all():
            if "far-" not in q.name and q.rcode != model.YXDOMAIN:  # it asks one server only
                kinds[q.kind].append(q)
        rng = random.Random(n)
        chosen = [q for kind in kinds.values() for q in rng.sample(kind, min(len(kind), n))]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            seen = list(pool.map(lambda q: judge(directory, q), chosen))
        wrong = ["%s %s: %s" % (q.name, q.rrtype, s) for q, s in zip(chosen, seen) if not is_allowed(q, s)]
        tap.report(not wrong, "%s: delv agrees" % zone, "\n".join(wrong[:10]))
        dnsclient.note("%s: delv judged %d answers" % (zone, len(chosen)))
    tap.done()


def main():
    """The command."""
    command, *args = sys.argv[1:]
    if command == "delv":
        sample(args[0], int(args[1]))
    else:
        {"zones": make_all, "bulk": bulk}[command](args[0])


if __name__ == "__main__":
    main()
