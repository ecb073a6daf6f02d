# SPDX-License-Identifier: Apache-2.0
"""Replies in a normal form that can be compared: a small, quick reader of messages, and the rules of README.md."""
import struct

A, NS, CNAME, SOA, AAAA, OPT, DS, RRSIG, NSEC, NSEC3, ANY = 1, 2, 5, 6, 28, 41, 43, 46, 47, 50, 255
RD, TC, AA, OPCODE = 0x0100, 0x0200, 0x0400, 0x7800
FORMERR, NOTIMP = 1, 4

# Record data with names: octets before the first name, and how many names follow. What stands behind them is taken as it is.
NAMES = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
         15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 26: (2, 2), 30: (0, 1), 33: (6, 1), 36: (2, 1), 39: (0, 1)}


class Broken(Exception):
    """The reply is no message."""


class Reader:
    """One message; names that were read once are remembered by where they begin."""

    def __init__(self, data):
        self.data = data
        self.known = {}

    def name(self, pos):
        """The name at pos in wire form, and the position behind it."""
        data, labels, end, seen = self.data, [], None, 0
        start = pos
        while True:
            if pos >= len(data):
                raise Broken("name beyond the end")
            octet = data[pos]
            if octet >= 0xc0:
                if end is None:
                    end = pos + 2
                if pos + 1 >= len(data):
                    raise Broken("half a pointer")
                to = (octet & 0x3f) << 8 | data[pos + 1]
                if to >= pos:
                    raise Broken("pointer forward")
                pos = to
                seen += 1
                if pos in self.known:
                    labels.append(self.known[pos])
                    break
            elif octet > 63:
                raise Broken("label type")
            elif octet == 0:
                labels.append(b"\0")
                if end is None:
                    end = pos + 1
                break
            else:
                labels.append(data[pos:pos + 1 + octet])
                pos += 1 + octet
        result = b"".join(labels)
        if len(result) > 255:
            raise Broken("name too long")
        self.known[start] = result
        return result, end

    def rdata(self, rrtype, pos, end):
        """Record data with its names written out, in lower case."""
        form = NAMES.get(rrtype)
        if form is None:
            return self.data[pos:end]
        before, n = form
        parts = [self.data[pos:pos + before]]
        pos += before
        for _ in range(n):
            name, pos = self.name(pos)
            parts.append(name.lower())
        if pos > end:
            raise Broken("data beyond its length")
        parts.append(self.data[pos:end])
        return b"".join(parts)


def parse(data):
    """(flags, question, [answer, authority, additional], opt) of a message; opt: None or (size, ttl field, options)."""
    if len(data) < 12:
        raise Broken("no header")
    flags, questions, *counts = struct.unpack_from("!5H", data, 2)
    reader, pos = Reader(data), 12
    for _ in range(questions):
        _, pos = reader.name(pos)
        pos += 4
    question = data[12:pos]
    sections, opt = [], None
    for count in counts:
        section = []
        for _ in range(count):
            owner, pos = reader.name(pos)
            if pos + 10 > len(data):
                raise Broken("record beyond the end")
            rrtype, rrclass, ttl, length = struct.unpack_from("!HHIH", data, pos)
            pos += 10
            if pos + length > len(data):
                raise Broken("data beyond the end")
            if rrtype == OPT:
                if opt is not None:
                    raise Broken("two OPT")
                opt = (rrclass, ttl, data[pos:pos + length])
            else:
                section.append((owner.lower(), rrtype, rrclass, ttl, reader.rdata(rrtype, pos, pos + length)))
            pos += length
        section.sort()
        sections.append(section)
    if pos != len(data):
        raise Broken("octets behind the message")
    return flags, question, sections, opt


def is_below(name, ancestor):
    """Whether the name is the ancestor or lies under it; both in lower-case wire form."""
    return name.endswith(ancestor) and (len(name) == len(ancestor) or is_label_start(name, len(name) - len(ancestor)))


def is_label_start(name, at):
    """Whether a label begins at that octet."""
    pos = 0
    while pos < at:
        pos += 1 + name[pos]
    return pos == at


def referral_glue(authority, additional):
    """Rule `glue`: of a referral, the addresses of servers whose names lie in the zone that is delegated."""
    cut = next(r[0] for r in authority if r[1] == NS)
    servers = {r[4] for r in authority if r[1] == NS and r[0] == cut}
    return [r for r in additional if r[1] in (A, AAAA) and r[0] in servers and is_below(r[0], cut)]


def normal(data, qtype, apexes):
    """What is compared: a tuple, equal for replies that mean the same by the rules of README.md. None: no reply."""
    if data is None:
        return ("none",)
    if data == b"":
        return ("closed",)
    try:
        flags, question, (answer, authority, additional), opt = parse(data)
    except (Broken, struct.error, IndexError) as e:
        return ("broken", str(e))
    rcode = flags & 15 | (opt[1] >> 20 & 0xff0 if opt else 0)
    edns = opt and (opt[1] >> 16 & 0xff, opt[1] & 0x8000)
    flags &= 0xfff0
    if flags & OPCODE or rcode in (FORMERR, NOTIMP):  # rule `errors`
        return (rcode, flags & ~RD, b"", None, tuple(answer), (), ())
    if flags & TC:  # rule `truncated`
        return ("cut off" if rcode in (0, 3, 6) else rcode, flags, question, edns)
    if qtype == ANY and answer:  # rule `any`
        return (rcode, flags, question, edns, "some")
    servers = [r for r in authority if r[1] == NS]
    if servers and any(r[0] in apexes for r in servers) and answer and flags & AA:  # rule `authority`
        authority = []
        additional = []
    elif servers and not any(r[1] == SOA for r in authority):
        additional = referral_glue(authority, additional)
    else:
        additional = []  # rule `additional`
    return (rcode, flags, question, edns, tuple(answer), tuple(authority), tuple(additional))
