# SPDX-License-Identifier: Apache-2.0
"""Just enough of RFC 1035 to compare what a server sends with what a zone says, octet by octet.

Kept apart from dnspython on purpose: that library rewrites the data of types it knows, and this must not.
"""
import struct
from collections import namedtuple

Record = namedtuple("Record", "owner type ttl rdata")
Message = namedtuple("Message", "id flags question answer authority additional")

TC, AA = 0x0200, 0x0400
OPT = 41
# Where names stand in the data of the types that may be compressed (RFC 3597 section 4): octets before them, and how many.
NAMES = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
         15: (2, 1)}


def read_name(wire, at):
    """(name in wire form, without compression and in the case sent; offset behind it)."""
    labels, end = [], None
    while True:
        length = wire[at]
        if length >= 0xc0:
            target = (length & 0x3f) << 8 | wire[at + 1]
            end = at + 2 if end is None else end
            if target >= at:
                raise ValueError("pointer not backwards")
            at = target
            continue
        labels.append(wire[at:at + 1 + length])
        at += 1 + length
        if length == 0:
            return b"".join(labels), at if end is None else end


def plain_rdata(wire, rdtype, at, length):
    before, count = NAMES.get(rdtype, (length, 0))
    data, end = wire[at:at + before], at + length
    at += before
    for _ in range(count):
        name, at = read_name(wire, at)
        data += name
    return data + wire[at:end]


def read_record(wire, at):
    owner, at = read_name(wire, at)
    rdtype, _, ttl, length = struct.unpack_from("!HHIH", wire, at)
    at += 10
    if at + length > len(wire):
        raise ValueError("record longer than the message")
    return Record(owner.lower(), rdtype, ttl, plain_rdata(wire, rdtype, at, length)), at + length


def read_message(wire):
    """The message; OPT is left out. Every octet must belong to something."""
    ident, flags, *counts = struct.unpack_from("!HHHHHH", wire)
    name, at = read_name(wire, 12)
    question = (name, *struct.unpack_from("!HH", wire, at))
    at += 4
    sections = []
    for count in counts[1:]:
        section = []
        for _ in range(count):
            record, at = read_record(wire, at)
            if record.type != OPT:
                section.append(record)
        sections.append(section)
    if at != len(wire) or counts[0] != 1:
        raise ValueError("message with octets over")
    return Message(ident, flags, question, *sections)


def write_query(ident, name, rdtype, payload=1232, do=True):
    """A question with EDNS; name in wire form."""
    opt = struct.pack("!BHHIH", 0, OPT, payload, 0x8000 if do else 0, 0)
    return struct.pack("!HHHHHH", ident, 0, 1, 0, 0, 1) + name + struct.pack("!HH", rdtype, 1) + opt


def parent(name):
    return name[1 + name[0]:]


def ancestors(name):
    """The name itself, its parent ... the root."""
    while True:
        yield name
        if name == b"\0":
            return
        name = parent(name)
