# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: how each is configured for one zone and one worker. Rate limits and logs of queries are off, answers
are as short as each can make them, caches are as each has them by default."""
import os
import subprocess
from dataclasses import dataclass

import peers.host as host
from peers.host import Failed, Rig

UDP_PAYLOAD = 1232
PATIENCE_S = 180         # a zone of a million delegations is loaded in that time
MEMORY_MIB = 256         # packet buffers, of anserd and of the echo
LISTEN = f"{Rig.server}@{Rig.port}"


@dataclass(frozen=True)
class Kind:
    """A way to run a server. `way` is how packets come in: "xdp", "packet" or "sockets"; of the echo it is "echo", and in bench/memif
    it is "memif"."""
    name: str
    family: str
    way: str
    title: str
    package: str


KINDS = {kind.name: kind for kind in (
    Kind("echo", "echo", "echo", "echo (testpmd 5tswap, af_xdp)", "dpdk-dev"),
    Kind("anser-xdp", "anser", "xdp", "anserd af_xdp", ""),
    Kind("anser-packet", "anser", "packet", "anserd af_packet", ""),
    Kind("anser-kernel", "anser", "sockets", "anserd kernel", ""),
    Kind("knot-xdp", "knot", "xdp", "Knot XDP", "knot"),
    Kind("knot", "knot", "sockets", "Knot sockets", "knot"),
    Kind("nsd", "nsd", "sockets", "NSD sockets", "nsd"),
    Kind("bind", "bind", "sockets", "BIND sockets", "bind9"),
    Kind("pdns", "pdns", "sockets", "PowerDNS sockets", "pdns-server"),
)}


def is_peer(name):
    return KINDS[name].family not in ("anser", "echo")


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def memif(role, work):
    """DPDK's name of an end of the shared memory between two processes. The path has to be short."""
    return f"net_memif0,role={role},socket={work}/memif.sock,socket-abstract=no"


# -------- configurations: each returns the command --------

def anser(kind, zone, work, tools):
    mode = {"xdp": "af_xdp", "packet": "af_packet", "sockets": "kernel", "memif": "dpdk"}[kind.way]
    device = memif("server", work) if kind.way == "memif" else Rig.device
    ports = "" if mode == "kernel" else f'\n  ports: [{{device: "{device}", queues: 1}}]'
    for name in ("run", "state"):
        os.makedirs(f"{work}/{name}", exist_ok=True)
    write(f"{work}/conf", f"""\
server:
  listen: ["{LISTEN}"]
  state-dir: {work}/state
  run-dir: {work}/run
  user: ""
  udp-payload: {UDP_PAYLOAD}
dataplane:
  mode: {mode}{ports}
  cores: "0"
  memory: {MEMORY_MIB}MiB
  hugepages: {"auto" if tools.huge_pages else "off"}
zones:
  - {{name: "{zone.origin}", file: "{zone.path}"}}
""")
    return [tools.program("anserd"), "-c", f"{work}/conf"]


def knot(kind, zone, work, _tools):
    """With XDP, too, it is to listen on the address for all that is not UDP (knot.conf(5))."""
    xdp = f"xdp:\n    listen: {Rig.device}@{Rig.port}\n" if kind.way == "xdp" else ""
    write(f"{work}/conf", f"""\
{xdp}server:
    listen: {LISTEN}
    rundir: "{work}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
    udp-max-payload: {UDP_PAYLOAD}
database:
    storage: "{work}"
template:
  - id: default
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: "{zone.origin}"
    file: "{zone.path}"
""")
    return ["knotd", "-c", f"{work}/conf"]


def nsd(_kind, zone, work, _tools):
    write(f"{work}/conf", f"""\
server:
  ip-address: {LISTEN}
  server-count: 1
  username: ""
  zonesdir: "{work}"
  database: ""
  zonelistfile: "{work}/zone.list"
  xfrdfile: ""
  xfrdir: "{work}"
  pidfile: "{work}/pid"
  cookie-secret-file: "{work}/cookies"
  ipv4-edns-size: {UDP_PAYLOAD}
  minimal-responses: yes
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "{zone.origin}"
  zonefile: "{zone.path}"
""")
    return ["nsd", "-d", "-c", f"{work}/conf"]


def bind(_kind, zone, work, _tools):
    write(f"{work}/conf", f"""\
options {{
	directory "{work}";
	pid-file "{work}/pid";
	session-keyfile "{work}/session.key";
	managed-keys-directory "{work}";
	listen-on port {Rig.port} {{ {Rig.server}; }};
	listen-on-v6 {{ none; }};
	recursion no;
	allow-transfer {{ none; }};
	notify no;
	minimal-responses yes;
	max-udp-size {UDP_PAYLOAD};
	edns-udp-size {UDP_PAYLOAD};
	dnssec-validation no;
	empty-zones-enable no;
	check-names primary ignore;
	max-records-per-type 0;
	max-types-per-name 0;
}};
controls {{ }};
zone "{zone.origin}" {{ type primary; file "{zone.path}"; check-integrity no; }};
""")
    return ["named", "-g", "-n", "1", "-c", f"{work}/conf"]


def pdns(_kind, zone, work, _tools):
    """Signed zones are served as they are only when PowerDNS is told so, in its own little database."""
    database = f"{work}/dnssec.db"
    write(f"{work}/pdns.conf", f"""\
launch=bind
module-dir=/usr/lib/{os.uname().machine}-linux-gnu/pdns
bind-config={work}/named.conf
bind-dnssec-db={database}
bind-check-interval=0
local-address={Rig.server}
local-port={Rig.port}
socket-dir={work}
guardian=no
daemon=no
security-poll-suffix=
disable-axfr=yes
udp-truncation-threshold={UDP_PAYLOAD}
receiver-threads=1
distributor-threads=1
loglevel=3
""")
    write(f"{work}/named.conf", f'zone "{zone.origin}" {{ type master; file "{zone.path}"; }};\n')
    if not os.path.exists(database):
        host.run("pdnsutil", f"--config-dir={work}", "create-bind-db", database, log=f"{work}/log")
        if zone.signed:
            host.run("pdnsutil", f"--config-dir={work}", "set-presigned", zone.origin, log=f"{work}/log")
    return ["pdns_server", f"--config-dir={work}"]


def echo(_kind, _zone, _work, tools):
    """Its forwarding thread is on core 0, as the servers' workers; its main thread sleeps on the other one."""
    return testpmd(tools, f"net_af_xdp0,iface={Rig.device},start_queue=0,queue_count=1", "5tswap")


CONFIGURE = {"anser": anser, "knot": knot, "nsd": nsd, "bind": bind, "pdns": pdns, "echo": echo}


def testpmd(tools, vdev, mode):
    memory = [f"--huge-dir={tools.huge_pages}"] if tools.huge_pages else ["--no-huge"]
    return ["stdbuf", "-oL", "dpdk-testpmd", *memory, "-m", str(MEMORY_MIB), "--no-pci", "--file-prefix", f"{host.NAME}{os.getpid()}",
            "--lcores", "0@1,1@0", "--vdev", vdev, "--", f"--forward-mode={mode}", "--auto-start", "--nb-cores=1",
            "--total-num-mbufs=16384", "--no-lsc-interrupt", "--stats-period=60"]


# -------- running one --------

class Server:
    """One of them with one zone, on core 0 of the rig or, for the time that loading takes, on all cores. A context manager; when
    it is entered, the first good answer has been seen, `load_s` after the start. The log outlives it."""

    def __init__(self, kind, zone, rig, work, tools, pinned=True):
        self.kind, self.zone, self.rig, self.work, self.tools, self.pinned = kind, zone, rig, work, tools, pinned
        self.load_s = self.pid = None
        self.log = f"{work}/log"

    def __enter__(self):
        os.makedirs(self.work, exist_ok=True)
        command = CONFIGURE[self.kind.family](self.kind, self.zone, self.work, self.tools)
        if self.pinned and self.kind.family != "echo":
            command = ["taskset", "-c", "0", *command]
        began = self.tools.clock()
        self._running = host.running(self.rig.on_server(*command), self.log, cwd=self.work)
        process = self._running.__enter__()
        self.pid = process.pid
        try:
            self.load_s = self._first_answer(process) - began
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._running.__exit__(None, None, None)

    def _first_answer(self, process):
        probe = self.rig.on_client("/usr/bin/python3", os.path.join(host.TOP, "bench", "peers", "probe.py"), self.rig.server,
                                   str(self.rig.port), self.zone.probe, "A", str(PATIENCE_S),
                                   *(["echo"] if self.kind.family == "echo" else []))
        with subprocess.Popen(probe, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as asking:
            try:
                while asking.poll() is None and process.poll() is None:
                    try:
                        asking.wait(0.2)
                    except subprocess.TimeoutExpired:
                        pass
            finally:
                asking.kill()
            answered = asking.stdout.read().strip()
        if not answered:
            why = "ended" if process.poll() is not None else f"gave no answer in {PATIENCE_S} s"
            raise Failed(f"{self.kind.title} {why}: {host.read(self.log)[-600:].strip()}")
        return float(answered)

    def cpu_s(self):
        return host.cpu_s(self.pid)

    def memory_bytes(self):
        return host.memory_bytes(self.pid)
