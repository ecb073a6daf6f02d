#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same UPDATE messages to us and to BIND: same response codes, same zones.

update.py UPDATE-TOOL DIRECTORY COUNT SEED
"""
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.update
import dns.zone

ORIGIN = dns.name.from_text("example.")
ZONE = """$TTL 300
@ 3600 SOA ns hostmaster 10 7200 900 1209600 300
@ NS ns.other.
@ NS ns2.other.
@ MX 10 mail
ns A 192.0.2.1
ns2 A 192.0.2.2
host A 192.0.2.10
host A 192.0.2.11
host TXT "Text"
alias CNAME host
a.empty A 192.0.2.20
sub NS ns.sub
ns.sub A 192.0.2.30
old DNAME new
*.wild TXT "wild"
"""
NAMED_CONF = """
options {{ directory "{dir}"; pid-file "{dir}/pid"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no; minimal-responses yes; }};
controls {{ }};
zone "example" {{ type primary; file "zone"; allow-update {{ any; }}; allow-transfer {{ any; }}; check-names ignore;
  check-mx ignore; check-integrity no; check-wildcard no; max-ixfr-ratio unlimited; ixfr-from-differences no; }};
"""


class Failed(Exception):
    pass


def contents(zone):
    """Every record in canonical wire form with its TTL; the SOA's serial is one of its fields."""
    records = set()
    for name, node in zone.nodes.items():
        for rdataset in node.rdatasets:
            for rdata in rdataset:
                records.add((name.derelativize(ORIGIN).to_digestable(), rdataset.rdtype, rdataset.covers, rdataset.ttl,
                             rdata.to_digestable(ORIGIN)))
    return records


def show(records):
    return "".join(f"#   {dns.name.from_wire(owner, 0)[0]} {dns.rdatatype.to_text(rdtype)} ttl {ttl} {data!r}\n"
                   for owner, rdtype, _, ttl, data in sorted(records))


class Ours:
    """update_tool: a message in, a reply and the zone out."""

    def __init__(self, tool, path):
        self.process = subprocess.Popen([tool, ORIGIN.to_text(), path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.zone = None

    def read(self, n):
        octets = self.process.stdout.read(n)
        if len(octets) != n:
            raise Failed("update_tool ended")
        return octets

    def send(self, wire):
        self.process.stdin.write(struct.pack("!H", len(wire)) + wire)
        self.process.stdin.flush()
        (length,) = struct.unpack("!H", self.read(2))
        reply = self.read(length)
        (length,) = struct.unpack("!I", self.read(4))
        self.zone = contents(dns.zone.from_text(self.read(length).decode(), ORIGIN, relativize=False, check_origin=False))
        return reply

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Bind:
    """named with a zone of its own on a free port of 127.0.0.1."""

    def __init__(self, directory):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(os.path.join(directory, "named.conf"), "w", encoding="ascii") as f:
            f.write(NAMED_CONF.format(dir=directory, port=self.port))
        with open(os.path.join(directory, "named.log"), "w", encoding="ascii") as log:
            self.process = subprocess.Popen(["named", "-g", "-n", "1", "-c", os.path.join(directory, "named.conf")],
                                            stdout=log, stderr=log)
        self.zone = None
        self.connection = None
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                self.transfer()
                return
            except (OSError, dns.exception.DNSException) as e:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise Failed(f"named does not come up, see named.log: {e}") from e
                time.sleep(0.1)

    def transfer(self):
        xfr = dns.query.xfr("127.0.0.1", ORIGIN, port=self.port, relativize=False, timeout=5)
        self.zone = contents(dns.zone.from_xfr(xfr, relativize=False, check_origin=False))

    def send(self, wire):
        self.connection.sendall(struct.pack("!H", len(wire)) + wire)
        octets = b""
        while len(octets) < 2 or len(octets) < 2 + struct.unpack("!H", octets[:2])[0]:
            more = self.connection.recv(65537)
            if not more:
                raise Failed("named closed the connection")
            octets += more
        self.transfer()
        return octets[2:]

    def stop(self):
        if self.connection is not None:
            self.connection.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pair:
    def __init__(self, ours, bind):
        self.ours, self.bind = ours, bind
        self.count = 0
        self.last = b""  # our reply to the last message
        self.rcodes = {}

    def send(self, wire):
        """Sends a message to both; the reply of ours, which is checked against BIND's."""
        self.count += 1
        self.last = self.ours.send(wire)
        ours, bind = dns.message.from_wire(self.last), dns.message.from_wire(self.bind.send(wire))
        faults = ""
        if ours.rcode() != bind.rcode():
            faults += f"# rcode {dns.rcode.to_text(ours.rcode())}, BIND: {dns.rcode.to_text(bind.rcode())}\n"
        if ours.id != bind.id or ours.flags & 0xfff0 != bind.flags & 0xfff0 or ours.zone != bind.zone:
            faults += f"# replies differ:\n# {ours}\n# BIND: {bind}\n"
        if self.ours.zone != self.bind.zone:
            faults += ("# only in ours:\n" + show(self.ours.zone - self.bind.zone) + "# only in BIND's:\n" +
                       show(self.bind.zone - self.ours.zone))
        if faults:
            text = "".join(f"# | {line}\n" for line in dns.message.from_wire(wire).to_text().splitlines())
            raise Failed(f"message {self.count} has differing results\n{text}{faults}")
        rcode = dns.rcode.to_text(ours.rcode())
        self.rcodes[rcode] = self.rcodes.get(rcode, 0) + 1
        return ours

    def expect(self, message, rcode=dns.rcode.NOERROR):
        reply = self.send(message.to_wire())
        if reply.rcode() != rcode:
            raise Failed(f"rcode {dns.rcode.to_text(reply.rcode())} to\n{message}")

    def has(self, name, rdtype, *data):
        """Are these the records of the set, and no others? Asked of our zone, which equals BIND's."""
        owner = dns.name.from_text(name, ORIGIN).to_digestable()
        rdtype = dns.rdatatype.from_text(rdtype)
        found = {r[4] for r in self.ours.zone if r[0] == owner and r[1] == rdtype}
        wanted = {dns.rdata.from_text(dns.rdataclass.IN, rdtype, d, ORIGIN).to_digestable(ORIGIN) for d in data}
        if found != wanted:
            raise Failed(f"{name} {rdtype}: {found}, expected: {wanted}")


# -------- at random --------

NAMES = ["@", "host", "alias", "new", "a.empty", "empty", "sub", "x.sub", "ns.sub", "old", "*.wild", "wild", "deep.er.new",
         "ns", "_tcp"]
DATA = {
    "A": ["192.0.2.10", "192.0.2.11", "192.0.2.12"],
    "AAAA": ["2001:db8::1", "2001:db8::2"],
    "TXT": ['"Text"', '"text"', '"a" "b"'],
    "CNAME": ["host", "Host", "other"],
    "NS": ["ns.other.", "ns2.other.", "ns3.other.", "ns.sub"],
    "MX": ["10 mail", "10 MAIL", "20 mail"],
    "SRV": ["0 0 53 host"],
    "CAA": ['0 issue "ca.example"'],
    "TYPE65280": ["\\# 2 abcd", "\\# 1 00"],
    "HTTPS": ["1 . alpn=h2"],
}


def random_record(rng, name):
    """Type and data; what we and BIND treat differently on purpose is left out (docs/design/update.md)."""
    types = [t for t in DATA if not (t == "NS" and name in ("old", "*.wild"))]
    rdtype = rng.choice(types)
    data = [d for d in DATA[rdtype] if not (name == "@" and d == "ns.sub")]
    return rdtype, rng.choice(data)


def random_prerequisite(rng, message):
    name, ttl = rng.choice(NAMES + ["HOST", "host.other."]), rng.choice([0] * 30 + [1])
    rdtype, data = random_record(rng, name)
    kind = rng.randrange(6)
    owner = dns.name.from_text(name, ORIGIN)
    if kind == 0:
        add_empty(message.prerequisite, owner, ttl, "ANY", rng.choice([rdtype, "ANY"]))
    elif kind == 1:
        add_empty(message.prerequisite, owner, ttl, "NONE", rng.choice([rdtype, "ANY"]))
    elif kind == 2:
        add(message.prerequisite, owner, ttl, "IN", rdtype, data)
    elif kind == 3:
        add(message.prerequisite, dns.name.from_text("host", ORIGIN), 0, "IN", "TXT", '"Text"')
    elif kind == 4:
        for address in rng.sample(DATA["A"], 2):
            add(message.prerequisite, dns.name.from_text("host", ORIGIN), 0, "IN", "A", address)
    else:
        add(message.prerequisite, dns.name.from_text("alias", ORIGIN), 0, "IN", "CNAME", rng.choice(DATA["CNAME"]))


def random_update(rng, message, serial):
    name = rng.choice(NAMES)
    rdtype, data = random_record(rng, name)
    owner = dns.name.from_text(name, ORIGIN)
    kind = rng.randrange(9)
    if kind < 5:
        add(message.update, owner, rng.choice([60, 300, 300, 3600]), "IN", rdtype, data)
    elif kind < 7:
        add(message.update, owner, 0, "NONE", rdtype, data)
    elif kind == 7:
        add_empty(message.update, owner, 0, "ANY", rng.choice([rdtype, rdtype, "SOA", "ANY"]))
    else:
        step = rng.choice([-1, 0, 1, 5, 100])
        soa = f"ns hostmaster {(serial + step) % 2**32} 7200 900 1209600 {rng.choice([300, 600])}"
        add(message.update, rng.choice([ORIGIN, owner]), 3600, "IN", "SOA", soa)


def random_fault(rng, message):
    """One record that must not be; without prerequisites, since BIND looks at the form of updates before these."""
    message.prerequisite.clear()
    owner = dns.name.from_text("host", ORIGIN)
    rdclass, ttl = rng.choice([("ANY", 1), ("NONE", 1), ("CH", 0), ("IN", 0), ("NONE", 0)])
    kind = rng.randrange(4)
    if kind == 0:
        add(message.update, dns.name.from_text("host.other.", ORIGIN), 300, "IN", "A", "192.0.2.1")
    elif kind == 1:
        add(message.update, owner, ttl, rdclass, "A", "192.0.2.10")
        if (rdclass, ttl) in (("IN", 0), ("NONE", 0)):
            message.update.clear()
    else:
        add_empty(message.update, owner, ttl, rdclass, rng.choice(["AXFR", "ANY", "MAILB"]))


def add(section, owner, ttl, rdclass, rdtype, data):
    rdtype = dns.rdatatype.from_text(rdtype)
    rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, data, ORIGIN, relativize=False)
    rrset = dns.rrset.RRset(owner, dns.rdataclass.IN, rdtype)
    rrset.add(rdata, ttl)
    section.append((rrset, dns.rdataclass.from_text(rdclass)))


def add_empty(section, owner, ttl, rdclass, rdtype):
    section.append((owner, dns.rdatatype.from_text(rdtype), dns.rdataclass.from_text(rdclass), ttl))


class Message:
    """Sections of records of any class, as octets; dnspython would order and merge them."""

    def __init__(self):
        self.prerequisite, self.update = [], []

    def drop_doubles(self):
        """A set has no doubles; BIND counts them all the same."""
        seen = []
        for item in self.prerequisite:
            if item not in seen:
                seen.append(item)
        self.prerequisite = seen

    def to_wire(self, rng):
        counts = (1, len(self.prerequisite), len(self.update), 0)
        wire = struct.pack("!HHHHHH", rng.randrange(65536), 5 << 11, *counts)
        wire += ORIGIN.to_wire() + struct.pack("!HH", dns.rdatatype.SOA, dns.rdataclass.IN)
        for item in self.prerequisite + self.update:
            if len(item) == 4:
                owner, rdtype, rdclass, ttl = item
                data = b""
            else:
                rrset, rdclass = item
                owner, rdtype, ttl, data = rrset.name, rrset.rdtype, rrset.ttl, rrset[0].to_wire()
            wire += owner.to_wire() + struct.pack("!HHIH", rdtype, rdclass, ttl, len(data)) + data
        return wire


def serial_of(zone):
    return next(struct.unpack("!I", r[4][-20:-16])[0] for r in zone if r[1] == dns.rdatatype.SOA)


def at_random(pair, count, seed):
    rng = random.Random(seed)
    serial = 10
    for _ in range(count):
        message = Message()
        for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2])):
            random_prerequisite(rng, message)
        message.drop_doubles()
        for _ in range(rng.choice([0, 1, 1, 2, 3, 6])):
            random_update(rng, message, serial)
        if rng.randrange(20) == 0:
            random_fault(rng, message)
        pair.send(message.to_wire(rng))
        serial = serial_of(pair.ours.zone)


# -------- what automation sends --------

def update():
    return dns.update.UpdateMessage(ORIGIN)


def certbot(pair):
    """certbot-dns-rfc2136: the challenge is added, another one beside it, and each is deleted by its data."""
    for token in "one", "two":
        message = update()
        message.add("_acme-challenge.host", 120, "TXT", token)
        pair.expect(message)
    pair.has("_acme-challenge.host", "TXT", "one", "two")
    for token in "one", "two", "two":
        message = update()
        message.delete("_acme-challenge.host", "TXT", token)
        pair.expect(message)
    pair.has("_acme-challenge.host", "TXT")


def octodns(pair):
    """octodns-bind: one message for a plan; a changed set is deleted record by record and added again."""
    message = update()
    message.add("www", 300, "A", "192.0.2.80", "192.0.2.81")
    message.add("www", 300, "AAAA", "2001:db8::80")
    message.add("cdn", 60, "CNAME", "www.example.")
    pair.expect(message)
    message = update()
    message.delete("www", "A", "192.0.2.80", "192.0.2.81")
    message.add("www", 600, "A", "192.0.2.81", "192.0.2.82")
    message.delete("cdn", "CNAME", "www.example.")
    message.add("cdn", 60, "A", "192.0.2.90")
    pair.expect(message)
    pair.has("www", "A", "192.0.2.81", "192.0.2.82")
    pair.has("cdn", "A", "192.0.2.90")
    pair.has("cdn", "CNAME")


def external_dns(pair):
    """external-dns, provider rfc2136: a heritage TXT beside each record; removed and added in one batch."""
    owner = '"heritage=external-dns,external-dns/owner=k8s,external-dns/resource=ingress/web"'
    message = update()
    message.add("app", 0, "A", "192.0.2.100")
    message.add("a-app", 0, "TXT", owner)
    pair.expect(message)
    message = update()
    message.delete("app", "A", "192.0.2.100")
    message.add("app", 300, "A", "192.0.2.101")
    message.delete("a-app", "TXT", owner)
    message.add("a-app", 300, "TXT", owner)
    pair.expect(message)
    pair.has("app", "A", "192.0.2.101")
    message = update()
    message.delete("app", "A", "192.0.2.101")
    message.delete("a-app", "TXT", owner)
    pair.expect(message)
    pair.has("app", "A")


def terraform(pair):
    """Terraform's dns provider: sets; a change removes what went and inserts what came; destroying removes the set."""
    message = update()
    message.add("tf", 300, "A", "192.0.2.1", "192.0.2.2", "192.0.2.3")
    pair.expect(message)
    message = update()
    message.delete("tf", "A", "192.0.2.1")
    message.add("tf", 300, "A", "192.0.2.4")
    pair.expect(message)
    pair.has("tf", "A", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    message = update()
    message.delete("tf", "A")
    pair.expect(message)
    pair.has("tf", "A")
    message = update()
    message.add("tf", 300, "PTR", "host.example.")
    pair.expect(message)
    message = update()
    message.delete("tf", "PTR")
    pair.expect(message)


def dhcp(pair):
    """DHCP servers (RFC 4703): the name must be free, or carry this client's DHCID."""
    first, second = "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", "AAEBOSD+XR3Os/0LozeXVqcNc7FwCfQdWL3b/NaiUDlW2No="
    message = update()
    message.absent("laptop")
    message.add("laptop", 1200, "A", "192.0.2.150")
    message.add("laptop", 1200, "DHCID", first)
    pair.expect(message)
    message = update()
    message.absent("laptop")
    message.add("laptop", 1200, "A", "192.0.2.151")
    pair.expect(message, dns.rcode.YXDOMAIN)
    message = update()
    message.present("laptop", "DHCID", second)
    message.delete("laptop", "A")
    pair.expect(message, dns.rcode.NXRRSET)
    message = update()
    message.present("laptop", "DHCID", first)
    message.delete("laptop", "A")
    message.add("laptop", 1200, "A", "192.0.2.151")
    pair.expect(message)
    pair.has("laptop", "A", "192.0.2.151")
    message = update()
    message.present("laptop", "DHCID", first)
    message.delete("laptop")
    pair.expect(message)
    pair.has("laptop", "DHCID")


# -------- nsupdate itself --------

NSUPDATE = """
update add ns-1.example. 3600 IN A 192.0.2.200
send
prereq nxdomain ns-1.example.
update add ns-1.example. 3600 IN A 192.0.2.201
send
prereq yxrrset ns-1.example. A
prereq nxrrset ns-1.example. TXT
update add ns-1.example. 3600 IN TXT "by nsupdate"
update delete ns-1.example. A 192.0.2.200
send
prereq yxrrset ns-1.example. IN TXT "by nsupdate"
update delete ns-1.example. TXT
update add *.ns-1.example. 60 IN MX 0 .
send
update delete *.ns-1.example.
send
"""


def relay(listener, pair, results):
    """Takes nsupdate's messages and gives them to both."""
    while True:
        try:
            wire, source = listener.recvfrom(65535)
        except OSError:
            return
        try:
            reply = pair.send(wire)
            results.append(dns.rcode.to_text(reply.rcode()))
            listener.sendto(pair.last, source)
        except Failed as e:
            results.append(str(e))
            return


def nsupdate(pair):
    results = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        thread = threading.Thread(target=relay, args=(listener, pair, results), daemon=True)
        thread.start()
        script = f"server 127.0.0.1 {port}\nzone example.\n{NSUPDATE.strip()}\n"
        done = subprocess.run(["nsupdate"], input=script, text=True, capture_output=True, timeout=30, check=False)
    wanted = ["NOERROR", "YXDOMAIN", "NOERROR", "NOERROR", "NOERROR"]
    if results != wanted:
        raise Failed(f"{results}\nexpected: {wanted}\n{done.stdout}{done.stderr}")
    pair.has("ns-1", "A")
    pair.has("ns-1", "TXT")
    pair.has("*.ns-1", "MX")


def main():
    tool, directory, count, seed = sys.argv[1], os.path.abspath(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "zone")
    with open(path, "w", encoding="ascii") as f:
        f.write(ZONE)
    for stale in "zone.jnl", "named.log":
        if os.path.exists(os.path.join(directory, stale)):
            os.unlink(os.path.join(directory, stale))
    ours = Ours(tool, path)
    bind = Bind(directory)
    pair = Pair(ours, bind)
    failed = 0
    parts = [certbot, octodns, external_dns, terraform, dhcp, nsupdate]
    try:
        for part in parts:
            failed += not report(f"updates as from {part.__name__.replace('_', '-')}", lambda p=part: p(pair))
        if failed == 0:
            before = dict(pair.rcodes)
            failed += not report(f"{count} updates at random, seed {seed}, as BIND takes them",
                                 lambda: at_random(pair, count, seed))
            print("#", ", ".join(f"{k} {v - before.get(k, 0)}" for k, v in sorted(pair.rcodes.items())))
    finally:
        ours.stop()
        bind.stop()
    return failed != 0


def report(name, part):
    try:
        part()
    except Failed as e:
        print(f"not ok - {name}")
        for line in str(e).splitlines():
            print(line if line.startswith("#") else f"# {line}")
        return False
    print(f"ok - {name}")
    return True


if __name__ == "__main__":
    sys.exit(main())
