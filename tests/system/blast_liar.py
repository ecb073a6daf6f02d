#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A name server that lies by turns: of six queries it answers one well, one with another question, one under another id, one
with the query itself, one too late, and one twice. blast_liar.py ADDRESS PORT DELAY-SECONDS"""
import heapq
import socket
import sys
import time

QR = 0x80


def answers(number, query):
    """Replies to the number-th query; each with True if it is to come late."""
    good = bytearray(query)
    good[2] |= QR
    kind = number % 6
    if kind == 1:
        good[13] ^= 1  # a letter of the first label
    elif kind == 2:
        good[1] ^= 1
    elif kind == 3:
        good = bytearray(query)
    return [(bytes(good), kind == 4)] * (2 if kind == 5 else 1)


def serve(sock, delay_s):
    later = []
    number = 0
    print("ready", flush=True)
    while True:
        while later and later[0][0] <= time.monotonic():
            _, _, reply, peer = heapq.heappop(later)
            sock.sendto(reply, peer)
        sock.settimeout(max(0.001, later[0][0] - time.monotonic()) if later else None)
        try:
            query, peer = sock.recvfrom(4096)
        except TimeoutError:
            continue
        for reply, is_late in answers(number, query):
            if is_late:
                heapq.heappush(later, (time.monotonic() + delay_s, number, reply, peer))
            else:
                sock.sendto(reply, peer)
        number += 1


def main():
    address, port, delay_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((address, port))
        serve(sock, delay_s)


main()
