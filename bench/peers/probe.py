#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""probe.py ADDRESS PORT NAME TYPE SECONDS [echo]: asks every few milliseconds until there is a good answer, and prints when it came, by
the monotonic clock. Exit code 1 when none came in time. With `echo`, the question itself coming back is good."""
import socket
import struct
import sys
import time

INTERVAL_S = 0.005
QUERY_ID = 0x5353        # one for all: an answer that comes when the next question is out is good, too


def question(name, number):
    labels = [label for label in name.encode("ascii").split(b".") if label]
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!6H", QUERY_ID, 0, 1, 0, 0, 0) + wire + struct.pack("!2H", number, 1)


def is_good(reply, echo):
    if len(reply) < 12:
        return False
    got_id, flags, _, answers, authority, _ = struct.unpack("!6H", reply[:12])
    if got_id != QUERY_ID:
        return False
    is_truncated = flags & 0x0200 != 0
    return echo or (flags >> 15 == 1 and flags & 15 == 0 and (answers + authority > 0 or is_truncated))


def main():
    address, port, name, rrtype, patience_s = sys.argv[1:6]
    echo = sys.argv[6:] == ["echo"]
    number = {"A": 1, "NS": 2, "SOA": 6}[rrtype]
    end = time.monotonic() + float(patience_s)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(INTERVAL_S)
        while time.monotonic() < end:
            try:
                sock.sendto(question(name, number), (address, int(port)))
                good = is_good(sock.recv(4096), echo)
            except OSError: # nothing yet, or the port is closed
                good = False
            if good:
                print(time.monotonic())
                return 0
            time.sleep(INTERVAL_S / 5)
    return 1


if __name__ == "__main__":
    sys.exit(main())
