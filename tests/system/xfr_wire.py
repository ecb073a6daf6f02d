# SPDX-License-Identifier: Apache-2.0
"""Messages of zone transfers, NOTIFY and UPDATE, written octet by octet, so that nothing forbids wrong ones; and a primary that
serves versions of zones by them."""
import socket
import socketserver
import struct
import threading

SOA, NS, A, TXT, TSIG, IXFR, AXFR, ANY = 6, 2, 1, 16, 250, 251, 252, 255
QUERY, NOTIFY, UPDATE = 0, 4, 5
IN = 1
TYPES = {"SOA": SOA, "NS": NS, "A": A, "TXT": TXT}


def name(text):
    """In wire form. Every name here is absolute."""
    return b"".join(bytes([len(label)]) + label.encode() for label in text.rstrip(".").split(".") if label) + b"\0"


def soa_data(serial, refresh=3600, retry=1, expire=86400):
    return b"\0\0" + struct.pack("!IIIII", serial & 0xffffffff, refresh, retry, expire, 60)


def text_data(text):
    octets = text.encode()
    return bytes([len(octets)]) + octets


def address_data(number):
    return struct.pack("!I", 0x0a000000 | number & 0xffffff)


def record(owner, rdtype, data, ttl=60, rdclass=IN):
    """Owner in wire form."""
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(data)) + data


def message(ident, question=b"", answers=(), authority=(), flags=0x8400, opcode=QUERY, n_questions=1):
    head = struct.pack("!HHHHHH", ident, flags | opcode << 11, n_questions if question else 0, len(answers), len(authority), 0)
    return head + question + b"".join(answers) + b"".join(authority)


def question(apex, rdtype):
    return apex + struct.pack("!HH", rdtype, IN)


def read_question(wire):
    """(id, opcode, apex, type, octets of the question) of a query."""
    ident, flags = struct.unpack_from("!HH", wire)
    at = 12
    while wire[at]:
        at += 1 + wire[at]
    end = at + 5
    return ident, flags >> 11 & 15, wire[12:at + 1].lower(), struct.unpack_from("!H", wire, at + 1)[0], wire[12:end]


def ixfr_serial(wire, apex):
    """The serial in the authority section of an IXFR question: behind the question stands an SOA with our apex."""
    at = 12 + len(apex) + 4
    at += 2 if wire[at] >= 0xc0 else len(apex)
    at += 10
    for _ in range(2):
        while wire[at] and wire[at] < 0xc0:
            at += 1 + wire[at]
        at += 2 if wire[at] else 1
    return struct.unpack_from("!I", wire, at)[0]


def frame(wire):
    return struct.pack("!H", len(wire)) + wire


def receive(stream, n):
    data = b""
    while len(data) < n:
        piece = stream.recv(n - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data


def receive_message(stream):
    return receive(stream, struct.unpack("!H", receive(stream, 2))[0])


def messages(ident, ask, records, size=15000):
    """A transfer's messages."""
    part, length = [], 0
    for r in records:
        if part and length + len(r) > size:
            yield message(ident, ask, part)
            part, length = [], 0
        part.append(r)
        length += len(r)
    yield message(ident, ask, part)


class Versions:
    """A zone whose content follows from its serial. Version s has `fixed` hosts, the names n(s-19)...n(s), and the serial as
    text; so each step from one version to the next changes names, sets, and a set's data."""
    KEPT = 20

    def __init__(self, text, fixed=100, serial=1):
        self.text, self.apex, self.fixed, self.serial = text, name(text), fixed, serial
        self.hosts = [record(self.owner(f"f{i}"), A, address_data(i)) for i in range(fixed)]

    def owner(self, label):
        return name(label)[:-1] + self.apex

    def soa(self, serial):
        return record(self.apex, SOA, soa_data(serial))

    def moving(self, serial):
        return record(self.owner(f"n{serial}"), TXT, text_data(str(serial)))

    def told(self, serial):
        return record(self.owner("serial"), TXT, text_data(str(serial)))

    def whole(self, serial):
        yield self.soa(serial)
        yield record(self.apex, NS, name("ns.other.test"))
        yield from self.hosts
        for s in range(max(1, serial - self.KEPT + 1), serial + 1):
            yield self.moving(s)
        yield self.told(serial)
        yield self.soa(serial)

    def changes(self, old, new):
        yield self.soa(new)
        for s in range(old, new):
            yield self.soa(s)
            if s - self.KEPT + 1 >= 1:
                yield self.moving(s - self.KEPT + 1)
            yield self.told(s)
            yield self.soa(s + 1)
            yield self.moving(s + 1)
            yield self.told(s + 1)
        yield self.soa(new)

    def lines(self, serial):
        """As anserctl zone dump has it: a set of (owner, ttl, type, data)."""
        apex = self.text
        found = {(apex, "60", "SOA", f". . {serial} 3600 1 86400 60"), (apex, "60", "NS", "ns.other.test."),
                 (f"serial.{apex}", "60", "TXT", f'"{serial}"')}
        found |= {(f"f{i}.{apex}", "60", "A", f"10.0.{i >> 8}.{i & 255}") for i in range(self.fixed)}
        found |= {(f"n{s}.{apex}", "60", "TXT", f'"{s}"') for s in range(max(1, serial - self.KEPT + 1), serial + 1)}
        return found


class Primary:
    """Serves the newest versions of zones over UDP and TCP on one port, and counts what it is asked. While it is paused it says
    nothing."""
    HISTORY = 100000

    def __init__(self, zones, address="127.0.0.1", port=5301):
        self.zones = {z.apex: z for z in zones}
        self.address, self.port = address, port
        self.paused = False
        self.counts = {AXFR: 0, IXFR: 0, SOA: 0}
        self.axfrs = []
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((address, port))
        self.notifier = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.notifier.bind((address, 0))
        primary = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    while not primary.paused:
                        primary.serve(self.request, receive_message(self.request))
                except OSError:
                    pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        socketserver.ThreadingTCPServer.request_queue_size = 128
        self.server = socketserver.ThreadingTCPServer((address, port), Connection)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.serve_datagrams, daemon=True).start()

    def serve_datagrams(self):
        while True:
            wire, source = self.datagrams.recvfrom(65535)
            ident, _, apex, rdtype, ask = read_question(wire)
            zone = self.zones.get(apex)
            if self.paused or rdtype != SOA or zone is None:
                continue
            self.counts[SOA] += 1
            self.datagrams.sendto(message(ident, ask, [zone.soa(zone.serial)]), source)

    def serve(self, stream, wire):
        ident, _, apex, rdtype, ask = read_question(wire)
        zone = self.zones[apex]
        if self.paused:
            raise ConnectionError("paused")
        self.counts[rdtype] = self.counts.get(rdtype, 0) + 1
        newest = zone.serial
        old = ixfr_serial(wire, apex) if rdtype == IXFR else None
        if rdtype == SOA or old == newest:
            records = [zone.soa(newest)]
        elif rdtype == IXFR and newest - self.HISTORY <= old < newest:
            records = zone.changes(old, newest)
        else:
            self.axfrs.append((zone.text, old, newest))
            records = zone.whole(newest)
        stream.sendall(b"".join(frame(m) for m in messages(ident, ask, records)))

    def notify(self, zone, target):
        wire = message(zone.serial & 0xffff, question(zone.apex, SOA), [zone.soa(zone.serial)], flags=0x0400, opcode=NOTIFY)
        try:
            self.notifier.sendto(wire, target)
        except OSError:
            pass  # nobody listens, for the moment


def update_message(ident, apex, updates):
    """`updates`: records as octets."""
    head = struct.pack("!HHHHHH", ident, UPDATE << 11, 1, 0, len(updates), 0)
    return head + question(apex, SOA) + b"".join(updates)
