# SPDX-License-Identifier: Apache-2.0
"""Differences of ours, put together by what differs, and shown."""
import collections
import os

import dns.exception
import dns.message
import dns.rdatatype

SHOWN = 12  # differences of one cause that are written out with all five answers; the others are a line each
CHAPTERS = {"plain": "data", "unasked": "data", "signed": "data+do"}
SECTIONS = ("answer", "authority", "additional")


def type_name(rrtype):
    """A type's mnemonic."""
    return dns.rdatatype.to_text(rrtype)


def form_name(form):
    """The outcome in a word: what became of the question, if there is no message, or its rcode and flags."""
    if len(form) < 4:
        return " ".join(form[:1])
    bits = [(0x0400, "aa"), (0x0200, "tc"), (0x80, "ra"), (0x40, "z"), (0x20, "ad"), (0x10, "cd")]
    flags = " ".join(t for b, t in bits if form[1] & b)
    return "rcode %s [%s]%s" % (form[0], flags, " op %d" % (form[1] >> 11 & 15) if form[1] >> 11 & 15 else "")


def section_difference(ours, theirs):
    """Types that are more (+) or fewer (-) in ours; ~ where only data or TTL differ."""
    a, b = collections.Counter(ours), collections.Counter(theirs)
    more = collections.Counter(r[1] for r in (a - b).elements())
    less = collections.Counter(r[1] for r in (b - a).elements())
    words = []
    for rrtype in sorted(set(more) | set(less)):
        sign = "~" if more[rrtype] == less[rrtype] else "+" if more[rrtype] > less[rrtype] else "-"
        words.append(sign + type_name(rrtype))
    return " ".join(words)


def difference(ours, theirs):
    """How ours differs from another normal form, in a few words."""
    if len(ours) != len(theirs) or len(ours) < 4:
        return "ours %s, theirs %s" % (form_name(ours), form_name(theirs))
    words = []
    if form_name(ours) != form_name(theirs):
        words.append("ours %s, theirs %s" % (form_name(ours), form_name(theirs)))
    elif ours[1] != theirs[1]:
        words.append("flags ours %04x, theirs %04x" % (ours[1], theirs[1]))
    if ours[2] != theirs[2]:
        words.append("question")
    if ours[3] != theirs[3]:
        words.append("OPT ours %s theirs %s" % (ours[3], theirs[3]))
    for name, a, b in zip(SECTIONS, ours[4:], theirs[4:]):
        if a != b:
            words.append("%s %s" % (name, section_difference(a, b) if isinstance(a, tuple) else "differs"))
    return "; ".join(words)


def who(names, result):
    """Servers that say the same, in groups, ours first: `anser | nsd knot bind | pdns`."""
    groups = collections.OrderedDict()
    for name, form in zip(names, result.forms):
        groups.setdefault(form, []).append(name)
    return " | ".join(" ".join(g) for g in groups.values())


def kind_of(names, result):
    """(how bad, text): 0 all others agree against ours, 1 most do, 2 no agreement and ours alone, 3 ours with some; None: ours is with the consensus."""
    ours = result.forms[0]
    if result.others_agree:
        return 0, "against all four"
    if result.consensus is not None:
        return None if ours == result.consensus else (1, "against the consensus")
    partners = [n for n, f in zip(names[1:], result.forms[1:]) if f == ours]
    return (3, "undecided, with " + " ".join(partners)) if partners else (2, "undecided, alone")


def reference(result):
    """The form that ours is measured against: the consensus, or the most common among the others."""
    if result.consensus is not None:
        return result.consensus
    return collections.Counter(result.forms[1:]).most_common(1)[0][0]


def question(wire):
    """The question as text, or the packet in hex."""
    try:
        m = dns.message.from_wire(wire, ignore_trailing=True)
        q = m.question[0]
        edns = " edns=%d size=%d%s" % (m.edns, m.payload, " do" if m.ednsflags & 0x8000 else "") if m.edns >= 0 else ""
        opcode = " opcode=%d" % m.opcode() if m.opcode() else ""
        return "%s %s %s%s%s flags=%04x" % (q.name.to_text(), dns.rdataclass.to_text(q.rdclass), type_name(q.rdtype), opcode, edns, wire[2] << 8 | wire[3])
    except (dns.exception.DNSException, IndexError, ValueError):
        return "packet " + wire.hex()


def reply_text(data):
    """A reply as text; raw where it cannot be read."""
    if not data:
        return "no reply" if data is None else "connection closed"
    try:
        return dns.message.from_wire(data).to_text()
    except (dns.exception.DNSException, ValueError) as e:
        return "unreadable (%s): %s" % (e, data.hex())


def causes_of(names, results):
    """{(badness, text, chapter, difference): [result]} of all that ours is not in the consensus of."""
    groups = {}
    for result in results:
        kind = kind_of(names, result)
        if kind is not None:
            chapter = "proof" if result.category.endswith("+proof") else result.category.split("/")[0]
            key = kind + (CHAPTERS.get(chapter, chapter), difference(result.forms[0], reference(result)))
            groups.setdefault(key, []).append(result)
    return groups


def write_other(f, name, i, results):
    """How another server differs from the consensus: its most frequent differences, with one question each."""
    groups = {}
    for result in results:
        if result.consensus not in (None, result.forms[i]):
            key = (result.category, difference(result.forms[i], result.consensus))
            groups.setdefault(key, []).append(result)
    f.write("== %s\n" % name)
    for (category, text), members in sorted(groups.items(), key=lambda g: -len(g[1]))[:60]:
        f.write("%6d x %s  %s\n         %s %s\n" % (len(members), category, text, members[0].transport, question(members[0].query.wire)))


def write(work, names, results):
    """causes.txt: a paragraph a cause, worst and most frequent first. differences.txt: the answers. others.txt: of the others."""
    with open(os.path.join(work, "others.txt"), "w", encoding="utf-8") as f:
        for i, name in enumerate(names[1:], 1):
            write_other(f, name, i, results)
    groups = sorted(causes_of(names, results).items(), key=lambda g: (g[0][0], -len(g[1])))
    with open(os.path.join(work, "causes.txt"), "w", encoding="utf-8") as brief, \
            open(os.path.join(work, "differences.txt"), "w", encoding="utf-8") as full:
        for number, (key, members) in enumerate(groups, 1):
            head = "#%d  %d x %s  %s  %s" % (number, len(members), key[2], key[1], key[3])
            categories = collections.Counter(r.category for r in members)
            brief.write(head + "\n    in " + ", ".join("%s %d" % c for c in categories.most_common(8)) + "\n")
            full.write("=" * 100 + "\n" + head + "\n")
            members.sort(key=lambda r: len(r.query.wire))
            for i, result in enumerate(members):
                line = "%s %s  <%s>" % (result.transport, question(result.query.wire), who(names, result))
                if i < 4:
                    brief.write("    %s\n" % line)
                full.write("-- %s\n" % line)
                if i < SHOWN:
                    for name, reply in zip(names, result.replies):
                        full.write("   [%s]\n%s\n" % (name, "   " + reply_text(reply).replace("\n", "\n   ")))
