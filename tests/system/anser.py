# SPDX-License-Identifier: Apache-2.0
"""A daemon that a test starts, kills and asks: on 127.0.0.1, port 53, of the namespace that the test runs in."""
import os
import re
import signal
import socket
import struct
import subprocess
import time

import xfr_wire

CONFIG = """server:
  identity: under-test
  listen: [{listen}]
  state-dir: {state}
  run-dir: {work}/run
  zone-dir: {work}/zones
  user: ""
dataplane: {{mode: kernel, cores: "0", memory: 64MiB, hugepages: off}}
"""
SAMPLE = re.compile(r"anser_(\w+)(?:\{(.*)\})? (\S+)")


class Daemon:
    def __init__(self, build, work, config, state=None, listen="127.0.0.1"):
        self.build, self.work, self.listen = build, work, listen
        self.state = state or os.path.join(work, "state")
        self.process = None
        self.environment = None  # of the daemon; None: ours
        self.patience_s = 30     # with anserctl
        self.log_path = os.path.join(work, "anserd.log")
        self.path = os.path.join(work, "anser.yaml")
        for folder in ("run", "zones", "state"):
            os.makedirs(os.path.join(work, folder), exist_ok=True)
        self.configure(config)

    def configure(self, config):
        with open(self.path, "w", encoding="ascii") as f:
            f.write(CONFIG.format(work=self.work, state=self.state, listen=self.listen) + config)

    @property
    def pid(self):
        return self.process.pid

    def spawn(self):
        with open(self.log_path, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen([os.path.join(self.build, "anserd"), "-c", self.path], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment)

    def wait_up(self, patience_s=30.0):
        """It answers on its control socket, and the first load of each zone is over."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"anserd ended with {self.process.returncode}: {self.log_end()}")
            try:
                if self.metric("zones", state="loading") == 0:
                    return
            except RuntimeError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"anserd does not come up: {self.log_end()}")

    def start(self):
        self.spawn()
        self.wait_up()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """The exit code; -9 if it had to be killed."""
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_end(self, lines=8):
        return "\n".join(self.log().splitlines()[-lines:])

    def ctl(self, *command):
        done = subprocess.run([os.path.join(self.build, "anserctl"), "-s", os.path.join(self.work, "run", "anser.sock"),
                               "-t", str(self.patience_s), *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"anserctl {' '.join(command)}: {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def metrics(self):
        """(name, labels, value) of every sample."""
        for line in self.ctl("metrics").splitlines():
            match = SAMPLE.fullmatch(line)
            if match:
                labels = dict(part.split("=", 1) for part in match[2].split(",")) if match[2] else {}
                yield match[1], {k: v.strip('"') for k, v in labels.items()}, float(match[3])

    def metric(self, wanted, **labels):
        """The sum of the samples that have these labels."""
        return sum(value for found, has, value in self.metrics()
                   if found == wanted and all(has.get(k) == v for k, v in labels.items()))

    def dump(self, zone):
        """The zone's records as a set of (owner, ttl, type, data)."""
        return {(owner, ttl, rdtype, data) for owner, ttl, _, rdtype, data in
                (line.split(None, 4) for line in self.ctl("zone", "dump", zone).splitlines() if line)}

    def memory_kib(self, field="VmRSS"):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))

    def peak_reset(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")

    def cpu_s(self):
        """User and system time of all threads."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def soa_of(lines):
    return next(int(data.split()[2]) for _, _, rdtype, data in lines if rdtype == "SOA")


class Asker:
    """Asks for SOA serials over UDP. An answer that does not come in time is None."""

    def __init__(self, timeout_s=1.0, target=("127.0.0.1", 53)):
        self.target = target
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(timeout_s)
        self.ident = 0

    def ask(self, wire):
        self.ident = (self.ident + 1) & 0xffff
        wire = struct.pack("!H", self.ident) + wire[2:]
        try:
            self.socket.sendto(wire, self.target)
            while True:
                answer = self.socket.recv(65535)
                if answer[:2] == wire[:2]:
                    return answer
        except OSError:
            return None

    def serial(self, apex):
        """None as well while the zone is not served."""
        answer = self.ask(xfr_wire.message(0, xfr_wire.question(apex, xfr_wire.SOA), flags=0))
        if answer is None or answer[3] & 15 or struct.unpack_from("!H", answer, 6)[0] != 1:
            return None
        return struct.unpack_from("!I", answer, len(answer) - 20)[0]
