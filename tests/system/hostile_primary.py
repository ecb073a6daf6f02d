# SPDX-License-Identifier: Apache-2.0
"""A primary with one fault for each zone: its first label names the fault. In a process of its own, so that its work does not
stand in the way of those who measure."""
import itertools
import multiprocessing
import random
import socket
import struct
import threading
import time

import xfr_wire
from xfr_wire import A, AXFR, IXFR, NS, SOA, TXT, frame, message, record

ADDRESS, PORT = "127.0.0.2", 5302
SLOW_ADDRESS = "127.0.0.{}"  # one for each of SLOW, from 10 on: questions to one address wait for each other
POINTER = b"\xc0\x0c"  # to the question's name
SERIAL = 7             # of what is good


def good_zone(apex, serial):
    soa = record(apex, SOA, xfr_wire.soa_data(serial))
    return [soa, record(apex, NS, xfr_wire.name("ns.other.test")), record(b"\3www" + apex, A, xfr_wire.address_data(1)), soa]


def label(number, width=4):
    """A label of its own for each number, as short as can be."""
    return bytes([width]) + (b"%0*x" % (width, number))[-width:]


class Answer:
    """One question, and what may be done about it."""

    def __init__(self, stream, wire):
        self.stream = stream
        self.ident, _, self.apex, self.rdtype, self.question = xfr_wire.read_question(wire)
        self.sent = 0

    def message(self, records, **how):
        return frame(message(how.pop("ident", self.ident), how.pop("question", self.question), records, **how))

    def send(self, octets):
        self.stream.sendall(octets)
        self.sent += len(octets)

    def opening(self, serial=SERIAL + 1):
        return record(POINTER, SOA, xfr_wire.soa_data(serial))

    def endless(self, pieces):
        """Ends when the other end has had enough."""
        self.send(self.message([self.opening(), record(POINTER, NS, b"\2ns" + POINTER)]))
        for piece in pieces:
            self.send(piece)


# -------- whole zones that never end, or are too much --------

def tiny_names(answer):
    """Names of their own, 21 octets each: what makes most of few octets."""
    for first in itertools.count(0, 1500):
        yield answer.message([record(label(n, 5) + POINTER, A, b"\1\2\3\4") for n in range(first, first + 1500)])


def hosts(answer):
    for first in itertools.count(0, 300):
        yield answer.message([record(b"\7" + b"%07d" % n + answer.apex, A, xfr_wire.address_data(n)) for n in range(first, first + 300)])


def long_names(answer):
    """Names of 250 octets with few of their own."""
    tail = b"".join(b"\x3e" + bytes([97 + i]) * 62 for i in range(3))
    for first in itertools.count(0, 100):
        yield answer.message([record(label(n, 8) + tail + POINTER, A, b"\1\2\3\4") for n in range(first, first + 100)])


def huge_records(answer):
    data = (b"\xff" + b"x" * 255) * 250
    for n in itertools.count():
        yield answer.message([record(label(n) + POINTER, TXT, data)])


def one_record_messages(answer):
    for n in itertools.count(0, 100):
        yield b"".join(answer.message([record(label(i, 6) + POINTER, A, b"\1\2\3\4")]) for i in range(n, n + 100))


def empty_messages(answer):
    while True:
        yield answer.message([]) * 500


def many_types(answer, count=10000):
    """That many types at one name."""
    for first in range(0, count, 1000):
        yield answer.message([record(b"\5types" + POINTER, 1000 + t, b"x") for t in range(first, first + 1000)])
    yield answer.message([answer.opening()])


def big_set(answer):
    """A set whose records come scattered."""
    for first in range(0, 10500, 500):
        yield answer.message([r for n in range(first, first + 500) for r in (
            record(b"\3set" + POINTER, A, xfr_wire.address_data(n)), record(label(n) + POINTER, A, b"\1\2\3\4"))])
    yield answer.message([answer.opening()])


def wildcard_names(answer, count):
    yield answer.message([record(b"\1*\1w" + POINTER, TXT, b"\1*")])
    for first in range(0, count, 1000):
        yield answer.message([record(label(n, 6) + b"\1w" + POINTER, A, b"\1\2\3\4") for n in range(first, min(count, first + 1000))])
    yield answer.message([answer.opening()])


ENDLESS = {"tiny-names": tiny_names, "hosts": hosts, "long-names": long_names, "huge-records": huge_records,
           "one-record-messages": one_record_messages, "empty-messages": empty_messages, "many-types": many_types,
           "big-set": big_set}


def endless_differences(answer):
    """IXFR whose chain goes on for ever, and goes nowhere."""
    def soa(s):
        return record(POINTER, SOA, xfr_wire.soa_data(s))
    yield answer.message([soa(2 ** 30)])
    for s in itertools.count(SERIAL, 200):
        yield answer.message([r for k in range(s, s + 200) for r in (
            [soa(k)] + ([record(b"\3cha" + POINTER, A, xfr_wire.address_data(k))] if k > SERIAL else []) +
            [soa(k + 1), record(b"\3cha" + POINTER, A, xfr_wire.address_data(k + 1))])])


# -------- answers that are none --------

def garbage(answer):
    answer.send(frame(random.randbytes(3000)))


def garbage_behind_header(answer):
    answer.send(frame(struct.pack("!HHHHHH", answer.ident, 0x8400, 1, 50, 0, 0) + answer.question + random.randbytes(3000)))


def garbage_frames(answer):
    answer.send(random.randbytes(200000))


def other_zone(answer):
    apex = xfr_wire.name("other.test")
    soa = record(apex, SOA, xfr_wire.soa_data(SERIAL + 1))
    answer.send(answer.message([soa, record(b"\3www" + apex, A, b"\1\2\3\4"), soa], question=xfr_wire.question(apex, answer.rdtype)))


def other_records(answer):
    """The zone's own SOA around records of another one."""
    answer.send(answer.message([answer.opening(), record(POINTER, NS, b"\0"), record(xfr_wire.name("www.other.test"), A, b"\1\2\3\4"),
                                answer.opening()]))


def pointer_loops(answer):
    at = 12 + len(answer.question) + 12
    loop = struct.pack("!H", 0xc000 | at)
    answer.send(answer.message([answer.opening(), *[record(loop, A, b"\1\2\3\4")] * 500, answer.opening()]))


def wrong_id(answer):
    answer.send(answer.message(good_zone(answer.apex, SERIAL + 1), ident=answer.ident ^ 1))


def no_response(answer):
    answer.send(answer.message(good_zone(answer.apex, SERIAL + 1), flags=0))


def short_frames(answer):
    answer.send(frame(b"") * 3 + frame(b"\0"))


def cut_short(answer):
    answer.send(answer.message(good_zone(answer.apex, SERIAL + 1)[:-1]))
    answer.stream.shutdown(socket.SHUT_WR)


def gap(answer):
    """Differences that do not meet."""
    def soa(s):
        return record(POINTER, SOA, xfr_wire.soa_data(s))
    answer.send(answer.message([soa(SERIAL + 3), soa(SERIAL), soa(SERIAL + 1), soa(SERIAL + 2), soa(SERIAL + 3), soa(SERIAL + 3)]))


def removes_nothing(answer):
    """Differences that take away what is not there."""
    def soa(s):
        return record(POINTER, SOA, xfr_wire.soa_data(s))
    answer.send(answer.message([soa(SERIAL + 1), soa(SERIAL), record(b"\4none" + POINTER, A, b"\1\2\3\4"), soa(SERIAL + 1),
                                soa(SERIAL + 1)]))


def unsigned(answer):
    """What is right, but for the TSIG that was asked for."""
    answer.send(answer.message(good_zone(answer.apex, SERIAL + 1)))


def forged(answer):
    """With a TSIG record that nobody with the key has made."""
    wire = bytearray(message(answer.ident, answer.question, good_zone(answer.apex, SERIAL + 1)))
    struct.pack_into("!H", wire, 10, 1)
    data = (xfr_wire.name("hmac-sha256") + struct.pack("!HIHH", 0, int(time.time()), 300, 32) + bytes(32) +
            struct.pack("!HHH", answer.ident, 0, 0))
    answer.send(frame(bytes(wire) + record(xfr_wire.name("test.key"), xfr_wire.TSIG, data, 0, xfr_wire.ANY)))


WRONG = {f.__name__.replace("_", "-"): f for f in (
    garbage, garbage_behind_header, garbage_frames, other_zone, other_records, pointer_loops, wrong_id, no_response, short_frames,
    cut_short, gap, removes_nothing, unsigned, forged)}


# -------- connections --------

def say_nothing(answer):
    while answer.stream.recv(65536):
        pass


def trickle(answer):
    wire = answer.message(good_zone(answer.apex, SERIAL + 1) * 50)
    for octet in wire:
        answer.send(bytes([octet]))
        time.sleep(1)


def slow_messages(answer):
    """A message with a record each half second: never silent, never over."""
    answer.send(answer.message([answer.opening(), record(POINTER, NS, b"\0")]))
    for n in itertools.count():
        answer.send(answer.message([record(label(n) + POINTER, A, b"\1\2\3\4")]))
        time.sleep(0.5)


def hang_up(answer):
    answer.stream.close()


def reset(answer):
    answer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    answer.stream.close()


SLOW = {"say-nothing": say_nothing, "trickle": trickle, "slow-messages": slow_messages, "hang-up": hang_up, "reset": reset}


def slow_addresses():
    return {fault: SLOW_ADDRESS.format(10 + i) for i, fault in enumerate(SLOW)}


# -------- the process --------

class HostilePrimary:
    """As long as `is_good` says so, every zone is answered as it should be, with serial SERIAL; so there is something to lose."""

    def __init__(self, wildcard_count):
        self.wildcard_count = wildcard_count
        self.is_good = multiprocessing.Value("b", True)
        self.sent = multiprocessing.Value("Q", 0)       # octets of answers, all together
        self.questions = multiprocessing.Value("Q", 0)  # that came over TCP
        self.ready = multiprocessing.Event()
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()
        self.ready.wait(10)

    def run(self):
        for address in [ADDRESS, *slow_addresses().values()]:
            listener = socket.create_server((address, PORT), backlog=512)
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()
            threading.Thread(target=self.answer_datagrams, args=(address,), daemon=True).start()
        self.ready.set()
        threading.Event().wait()

    def accept(self, listener):
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def answer_datagrams(self, address):
        """There is always something newer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((address, PORT))
            while True:
                wire, source = s.recvfrom(65535)
                ident, _, _, _, question = xfr_wire.read_question(wire)
                serial = SERIAL if self.is_good.value else SERIAL + 1
                s.sendto(message(ident, question, [record(POINTER, SOA, xfr_wire.soa_data(serial))]), source)

    def serve(self, stream):
        with stream:
            while True:
                try:
                    answer = Answer(stream, xfr_wire.receive_message(stream))
                except (OSError, struct.error):
                    return
                with self.questions.get_lock():
                    self.questions.value += 1
                try:
                    self.answer(answer)
                except OSError:
                    return
                finally:
                    with self.sent.get_lock():
                        self.sent.value += answer.sent

    def answer(self, answer):
        fault = answer.apex[1:1 + answer.apex[0]].decode()
        if answer.rdtype == SOA or (self.is_good.value and answer.rdtype in (AXFR, IXFR)):
            records = good_zone(answer.apex, SERIAL)
            answer.send(answer.message(records[:1] if answer.rdtype == SOA else records))
        elif fault in ENDLESS:
            answer.endless(ENDLESS[fault](answer))
        elif fault in ("wildcard-names", "heavy-names"):
            answer.endless(wildcard_names(answer, self.wildcard_count))
        elif fault == "endless-differences" and answer.rdtype == IXFR:
            for piece in endless_differences(answer):
                answer.send(piece)
        elif fault in WRONG:
            WRONG[fault](answer)
        elif fault in SLOW:
            SLOW[fault](answer)
        else:
            answer.stream.close()
