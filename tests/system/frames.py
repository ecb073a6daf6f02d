#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends Ethernet frames as they come on real wires, and looks at the frames that come back. TAP.

    frames.py [--outer TPID] DEVICE SERVER-MAC SERVER-IPV4 SERVER-IPV6

Tagged frames are built by hand (no VLAN device is needed), padded ones too. The client's addresses belong to no host, so the
kernel of the client's side stays out of it.
"""
import argparse
import ipaddress
import socket
import struct

import wire
from dnsclient import Tap, question

CLIENT4, CLIENT6 = "10.53.0.99", "fd53::99"
CLIENT_MAC = bytes.fromhex("02005e005399")
ETH_ALL, ETH_V4, ETH_V6, TAG_C, TAG_S = 0x0003, 0x0800, 0x86dd, 0x8100, 0x88a8
SOL_PACKET, PACKET_AUXDATA, STATUS_TAGGED = 263, 8, 0x10
UDP = 17


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def pseudo_header(source, target, length):
    if len(source) == 4:
        return source + target + struct.pack("!HH", UDP, length)
    return source + target + struct.pack("!II", length, UDP)


def udp(source, target, port, payload):
    length = 8 + len(payload)
    head = struct.pack("!HHHH", port, 53, length, 0)
    value = checksum(pseudo_header(source, target, length) + head + payload) or 0xffff
    return head[:6] + struct.pack("!H", value) + payload


def ipv4(target, port, payload, options=b"", fragment=0):
    source, target = socket.inet_aton(CLIENT4), socket.inet_aton(target)
    body = udp(source, target, port, payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(body), 7, fragment, 64, UDP, 0,
                       source, target) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def ipv6(target, port, payload, extension=b""):
    """`extension`: header bytes whose first octet is filled in here with UDP."""
    source, target = socket.inet_pton(socket.AF_INET6, CLIENT6), socket.inet_pton(socket.AF_INET6, target)
    body = udp(source, target, port, payload)
    next_header = UDP
    if extension:
        next_header, extension = extension[0], bytes([UDP]) + extension[1:]
    return struct.pack("!IHBB16s16s", 6 << 28, len(extension) + len(body), next_header, 64, source, target) + extension + body


class Wire:
    """The client's end: frames out, the answer's frame in."""

    def __init__(self, device, server_mac):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((device, ETH_ALL))
        self.server_mac = bytes.fromhex(server_mac.replace(":", ""))

    def send(self, ethertype, packet, tags=(), pad=0):
        frame = self.server_mac + CLIENT_MAC + b"".join(struct.pack("!HH", *t) for t in tags)
        self.socket.send(frame + struct.pack("!H", ethertype) + packet + b"\xaa" * pad)

    def receive(self, timeout_s=2.0):
        """(tags, ethertype, packet) of the next frame to our MAC. The kernel hands an outer tag over beside the frame."""
        self.socket.settimeout(timeout_s)
        while True:
            frame, extra, _, address = self.socket.recvmsg(65535, socket.CMSG_SPACE(32))
            if frame[:6] != CLIENT_MAC or address[2] == socket.PACKET_OUTGOING:
                continue
            tags, at = [], 12
            for level, kind, data in extra:
                status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH", data)
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and status & STATUS_TAGGED:
                    tags.append((tpid or TAG_C, tci))
            while struct.unpack_from("!H", frame, at)[0] in (TAG_C, TAG_S):
                tags.append(struct.unpack_from("!HH", frame, at))
                at += 4
            assert frame[6:12] == self.server_mac, "source MAC"
            return tuple(tags), struct.unpack_from("!H", frame, at)[0], frame[at + 2:]


def check_ipv4(packet, server, port):
    length = struct.unpack_from("!H", packet, 2)[0]
    packet = packet[:length]
    assert packet[0] == 0x45 and checksum(packet[:20]) == 0, "IPv4 header"
    assert packet[12:16] == socket.inet_aton(server) and packet[16:20] == socket.inet_aton(CLIENT4), "addresses"
    return check_udp(packet[12:16], packet[16:20], packet[20:], port)


def check_ipv6(packet, server, port):
    length, next_header = struct.unpack_from("!HB", packet, 4)
    assert next_header == UDP, "IPv6 header"
    source, target = packet[8:24], packet[24:40]
    assert ipaddress.ip_address(source) == ipaddress.ip_address(server), "addresses"
    return check_udp(source, target, packet[40:40 + length], port)


def check_udp(source, target, body, port):
    from_port, to_port, length, check = struct.unpack_from("!HHHH", body)
    assert (from_port, to_port, length) == (53, port, len(body)), f"UDP header {from_port} {to_port} {length}"
    assert check != 0 and checksum(pseudo_header(source, target, length) + body) == 0, "UDP checksum"
    return body[8:]


def exchange(link, server, tags=(), pad=0, **how):
    """Asks in a frame of that shape; the answer must come in the same tags and be right in every header."""
    exchange.port = port = getattr(exchange, "port", 20000) + 1
    query = question("www.example.com", "A")
    if ":" in server:
        ethertype, packet, check = ETH_V6, ipv6(server, port, query.to_wire(), **how), check_ipv6
    else:
        ethertype, packet, check = ETH_V4, ipv4(server, port, query.to_wire(), **how), check_ipv4
    link.send(ethertype, packet, tags, pad)
    got_tags, got_type, answer = link.receive()
    assert got_tags == tuple(tags), f"tags {got_tags}, sent {tags}"
    assert got_type == ethertype, "ethertype"
    message = wire.read_message(check(answer, server, port))
    assert message.id == query.id and [r.rdata for r in message.answer] == [socket.inet_aton("192.0.2.80")], message


def silence(link, server, **how):
    query = question("www.example.com", "A")
    link.send(ETH_V4, ipv4(server, 30000, query.to_wire(), **how))
    try:
        frame = link.receive(0.5)
    except TimeoutError:
        return
    raise AssertionError(f"answered: {frame}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outer", type=lambda text: int(text, 16), default=TAG_S, help="type of the outer of two tags")
    parser.add_argument("device")
    parser.add_argument("mac")
    parser.add_argument("server", nargs=2)
    args = parser.parse_args()
    device, mac, (server4, server6) = args.device, args.mac, args.server
    link, tap = Wire(device, mac), Tap()
    priority = 3 << 13
    for server in (server4, server6):
        tap.run(f"{server} plain frame", exchange, link, server)
        tap.run(f"{server} padded frame", exchange, link, server, (), 30)
        tap.run(f"{server} VLAN tag", exchange, link, server, ((TAG_C, 53),))
        tap.run(f"{server} VLAN tag with priority", exchange, link, server, ((TAG_C, priority | 4094),))
        tap.run(f"{server} two VLAN tags", exchange, link, server, ((args.outer, 100), (TAG_C, 53)))
    tap.run("IPv4 options", lambda: exchange(link, server4, options=b"\x94\x04\0\0"))
    tap.run("IPv6 destination options", lambda: exchange(link, server6, extension=b"\x3c\0\x01\x04\0\0\0\0"))
    tap.run("IPv6 hop-by-hop options", lambda: exchange(link, server6, extension=b"\0\0\x01\x04\0\0\0\0"))
    tap.run("a fragment is not answered", lambda: silence(link, server4, fragment=0x2000))
    tap.done()


if __name__ == "__main__":
    main()
