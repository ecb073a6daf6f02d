# SPDX-License-Identifier: Apache-2.0
"""A DNS client for tests: one server, UDP and TCP, no retries that would hide a lost answer; and TAP."""
import os
import random
import socket
import struct
import sys

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

PAYLOAD = 1232


def question(name, rdtype, rdclass="IN", edns=True, do=False, payload=PAYLOAD, options=()):
    """A query message as an authoritative server gets it from a resolver: RD clear."""
    return dns.message.make_query(name, rdtype, rdclass, use_edns=0 if edns else False, want_dnssec=do,
                                  payload=payload if edns else None, options=options or None, flags=0)


class Client:
    """Asks one server. A UDP question that is not answered in time raises TimeoutError; so does a TCP one."""

    def __init__(self, server, port=53, timeout_s=3.0):
        self.family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.address = (server, port)
        self.timeout_s = timeout_s
        self.stream = None
        self.datagram = socket.socket(self.family, socket.SOCK_DGRAM)
        self.datagram.settimeout(timeout_s)
        self.datagram.connect(self.address)

    def close(self):
        self.datagram.close()
        self.hang_up()

    def hang_up(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def udp(self, wire):
        """The answer to a message, in wire form."""
        self.datagram.send(wire)
        while True:
            answer = self.datagram.recv(65535)
            if answer[:2] == wire[:2]:
                return answer

    def tcp_send(self, wire):
        if self.stream is None:
            self.stream = socket.create_connection(self.address, self.timeout_s)
            self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream.sendall(struct.pack("!H", len(wire)) + wire)

    def tcp_receive(self):
        length, = struct.unpack("!H", self._read(2))
        return self._read(length)

    def tcp(self, wire):
        self.tcp_send(wire)
        return self.tcp_receive()

    def _read(self, n):
        data = b""
        while len(data) < n:
            piece = self.stream.recv(n - len(data))
            if not piece:
                raise ConnectionError("closed by the server")
            data += piece
        return data

    def ask(self, name, rdtype, transport="udp", **how):
        """The answer as a message; its id and question were compared by dnspython."""
        query = question(name, rdtype, **how)
        wire = self.tcp(query.to_wire()) if transport == "tcp" else self.udp(query.to_wire())
        answer = dns.message.from_wire(wire, one_rr_per_rrset=False)
        if not query.is_response(answer):
            raise ValueError(f"not an answer to {name} {rdtype}: {answer}")
        return answer


def random_case(name):
    """The name with letters in random case (resolvers do that), as bytes on the wire must come back."""
    return "".join(random.choice((c.lower(), c.upper())) for c in name)


class Tap:
    def __init__(self):
        self.n_failed = 0

    def report(self, passed, name, detail=""):
        self.n_failed += not passed
        print(f"{'ok' if passed else 'not ok'} - {name}")
        if detail and not passed:
            print("".join(f"#   {line}\n" for line in str(detail).split("\n")), end="")
        sys.stdout.flush()

    def same(self, name, wanted, got):
        self.report(wanted == got, name, f"got {got!r}, wanted {wanted!r}")

    def run(self, name, function, *args):
        """A test that raises has failed, and says why."""
        try:
            function(*args)
            self.report(True, name)
        except (AssertionError, OSError, ValueError, dns.exception.DNSException) as e:
            self.report(False, name, f"{type(e).__name__}: {e}")

    def done(self):
        sys.exit(1 if self.n_failed else 0)


def note(text):
    print(f"# {text}", flush=True)


def environment_size(variable, default):
    return int(os.environ.get(variable, default))
