#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/load/run.

    load.py zone N NAME                            prints a zone file of N delegations: two NS each, one with glue
    load.py measure ADDRESS PORT N NAME COMMAND...  starts a server and asks it until it refers to one of them
    load.py table DIR SERVER...                    a table of the measurements; the first server is compared with the others

A measurement is a line of NAME=VALUE: `first` is the time from the start of the process to its first answer, `cpu` what all its
processes have used until then, both in ms; `peak` is the most memory that one of them had, `steady` what they share out (Pss) when
allocators have had time to give back what was freed, both in KiB.
"""
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
PATIENCE_S = 120
ASK_EVERY_S = 0.01  # often enough to tell, and seldom enough to leave the processors to the servers
SETTLE_S = 15


def label(i):
    """Distinct labels in no order that a server could profit from."""
    scrambled = i * 2654435761 & 0xFFFFFFFF
    first = "".join(LETTERS[scrambled >> 5 * k & 31] for k in range(7))
    return first + "".join(LETTERS[(i * 7 + k) % 26] for k in range(i % 5))


def print_zone(n, name):
    out = sys.stdout
    out.write(f"$ORIGIN {name}.\n$TTL 86400\n@ SOA ns1 hostmaster 1 86400 3600 604800 3600\n@ NS ns1\nns1 A 192.0.2.1\n")
    for i in range(n):
        owner = label(i)
        out.write(f"{owner}\tNS\tns1.{owner}\n\tNS\tns2.company{i * 31 % 2000}.dns.invalid.\n"
                  f"ns1.{owner}\tA\t10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n")


def processes(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as children:
                found += [int(child) for child in children.read().split()]
        except OSError:
            pass
    return found


def field(pid, name, file):
    """A field of /proc/PID/FILE in KiB."""
    try:
        with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith(name + ":")), 0)
    except OSError:
        return 0


def cpu_ms(pid):
    """Of a process and the children that it has waited for."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:15])) * 1000 // os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0


def question(name, number):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return number.to_bytes(2, "big") + b"\0\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


def is_referral(reply):
    return len(reply) > 12 and reply[3] & 15 == 0 and reply[8:10] == b"\0\2"


def first_answer(server, address, port, n, name):
    """When the server referred to one of the delegations that it was asked for."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((address, port))
    client.setblocking(False)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            client.send(question(f"www.{label(random.randrange(n))}.{name}", random.randrange(65536)))
            time.sleep(ASK_EVERY_S)
            while True: # answers may come late, one behind the other
                if is_referral(client.recv(4096)):
                    return time.monotonic()
        except OSError:
            time.sleep(ASK_EVERY_S)
    raise SystemExit("it never answered")


def measure(address, port, n, name, command):
    start = time.monotonic()
    with subprocess.Popen(command, stdout=sys.stderr, start_new_session=True) as server:
        try:
            first = first_answer(server, address, port, n, name) - start
            cpu = sum(map(cpu_ms, processes(server.pid)))
            time.sleep(SETTLE_S)
            peak = max(field(pid, "VmHWM", "status") for pid in processes(server.pid))
            steady = sum(field(pid, "Pss", "smaps_rollup") for pid in processes(server.pid))
            print(f"first={first * 1000:.0f} cpu={cpu} peak={peak} steady={steady}")
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def read(path):
    values = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            for pair in line.split():
                figure, value = pair.split("=")
                values.setdefault(figure, []).append(float(value))
    return values


def table(directory, servers):
    figures = {server: read(f"{directory}/{server}.log") for server in servers}
    print("| figure | " + " | ".join(f"{server}: median (least, most)" for server in servers)
          + "".join(f" | {servers[0]} ÷ {server}" for server in servers[1:]) + " |")
    print("|---" * (2 * len(servers)) + "|")
    for figure in ("first", "cpu", "peak", "steady"):
        medians = {server: statistics.median(figures[server].get(figure, [0])) for server in servers}
        cells = [f"{medians[server]:.0f} ({min(figures[server].get(figure, [0])):.0f}, {max(figures[server].get(figure, [0])):.0f})"
                 for server in servers]
        ratios = [f"{medians[servers[0]] / medians[server]:.2f}" if medians[server] else "-" for server in servers[1:]]
        print(f"| {figure} | " + " | ".join(cells + ratios) + " |")


def main():
    what, *args = sys.argv[1:]
    if what == "zone":
        print_zone(int(args[0]), args[1])
    elif what == "measure":
        measure(args[0], int(args[1]), int(args[2]), args[3], args[4:])
    else:
        table(args[0], args[1:])


if __name__ == "__main__":
    main()
