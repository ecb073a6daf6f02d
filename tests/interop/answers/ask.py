# SPDX-License-Identifier: Apache-2.0
"""Asking one server many questions quickly: a window of them under way at a time, over UDP or in one TCP connection."""
import select
import socket
import struct
import time

WINDOW = 96
UDP_TRIES, UDP_WAIT_S = 3, 0.4
TCP_WAIT_S = 3.0


def with_id(packet, number):
    """The packet with its first two octets replaced, where it has them."""
    return struct.pack("!H", number) + packet[2:] if len(packet) >= 2 else packet


class Udp:
    """One burst of questions over UDP: replies[i] is the reply to packets[i], or None."""

    def __init__(self, address, packets):
        self.packets = packets
        self.replies = [None] * len(packets)
        self.waiting = {}  # number -> (when, tries)
        self.next = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setblocking(False)
        self.socket.connect(address)

    def send(self, number, tries):
        """One question leaves, for the tries-th time."""
        self.socket.send(with_id(self.packets[number], number))
        self.waiting[number] = (time.monotonic(), tries)

    def receive(self):
        """Takes what is there. A late second reply to one question is passed over."""
        any_came = False
        while True:
            try:
                data = self.socket.recv(65535)
            except BlockingIOError:
                return any_came
            number = data[0] << 8 | data[1] if len(data) > 1 else -1
            if self.waiting.pop(number, None):
                self.replies[number] = b"\0\0" + data[2:]
                any_came = True

    def resend(self):
        """Questions that waited too long go out again, or are given up."""
        now = time.monotonic()
        for number, (when, tries) in list(self.waiting.items()):
            if now - when < UDP_WAIT_S:
                continue
            if tries == UDP_TRIES:
                del self.waiting[number]
            else:
                self.send(number, tries + 1)

    def run(self):
        """Until every question has a reply or was given up."""
        with self.socket:
            turns = 0
            while self.next < len(self.packets) or self.waiting:
                while len(self.waiting) < WINDOW and self.next < len(self.packets):
                    self.send(self.next, 1)
                    self.next += 1
                turns += 1
                if not self.receive():
                    select.select([self.socket], [], [], 0.05)
                    self.resend()
                elif turns % 256 == 0:
                    self.resend()
        return self.replies


def ask_udp(address, packets, are_odd):
    """Replies with their id set to zero, or None, in the order of the packets (at most 65536)."""
    replies = Udp(address, packets).run()
    # On a busy host a server may stand still for a second; what has to be answered is asked once more.
    again = [n for n, reply in enumerate(replies) if reply is None and not are_odd[n]]
    for number, reply in zip(again, Udp(address, [packets[n] for n in again]).run()):
        replies[number] = reply
    return replies


def read_frames(buffer):
    """Whole messages of the stream, and what is left of it."""
    frames, pos = [], 0
    while len(buffer) - pos >= 2:
        length = buffer[pos] << 8 | buffer[pos + 1]
        if len(buffer) - pos - 2 < length:
            break
        frames.append(bytes(buffer[pos + 2:pos + 2 + length]))
        pos += 2 + length
    return frames, buffer[pos:]


def pipeline(address, packets, numbers, replies):
    """Asks packets[n] for n of numbers in one connection; returns those that it ended without answering."""
    waiting, todo, buffer = {}, list(reversed(numbers)), bytearray()
    with socket.create_connection(address, TCP_WAIT_S) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(TCP_WAIT_S)
        try:
            while todo or waiting:
                out = []
                while todo and len(waiting) < WINDOW:
                    number = todo.pop()
                    waiting[number] = True
                    packet = with_id(packets[number], number)
                    out.append(struct.pack("!H", len(packet)) + packet)
                if out:
                    s.sendall(b"".join(out))
                data = s.recv(1 << 18)
                if not data:
                    break
                frames, buffer = read_frames(buffer + data)
                for frame in frames:
                    number = frame[0] << 8 | frame[1] if len(frame) > 1 else -1
                    if waiting.pop(number, None):
                        replies[number] = b"\0\0" + frame[2:]
        except OSError:
            pass
    return list(waiting) + todo[::-1]


def ask_alone(address, packet, number):
    """One question in a connection of its own. None: no reply in time; b"": the server closed it instead."""
    with socket.create_connection(address, TCP_WAIT_S) as s:
        s.settimeout(0.3)
        packet = with_id(packet, number)
        buffer = bytearray()
        try:
            s.sendall(struct.pack("!H", len(packet)) + packet)
            while True:
                data = s.recv(65537)
                if not data:
                    return b""
                frames, buffer = read_frames(buffer + data)
                if frames:
                    return b"\0\0" + frames[0][2:]
        except (TimeoutError, socket.timeout):
            return None
        except OSError:
            return b""


def ask_tcp(address, packets, are_odd):
    """As ask_udp. Odd packets, at which a server may close, get a connection each."""
    replies = [None] * len(packets)
    for number, packet in enumerate(packets):
        if are_odd[number]:
            replies[number] = ask_alone(address, packet, number)
    left = [n for n in range(len(packets)) if not are_odd[n]]
    while left:
        before, left = len(left), pipeline(address, packets, left, replies)
        if len(left) == before or 0 < len(left) <= 16:
            for number in left:  # no progress: each by itself
                replies[number] = ask_alone(address, packets[number], number)
            break
    return replies
