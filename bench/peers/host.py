# SPDX-License-Identifier: Apache-2.0
"""The machine: processes, network namespaces, huge pages, and what it says about itself. All of it is undone on the way out:
everything that outlives a function here is a context manager."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIB = os.path.join(TOP, "deploy", "lib.sh")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
NAME = "anser-bench-"
PAGE_KIB = 2048
PAGES_FILE = f"/sys/kernel/mm/hugepages/hugepages-{PAGE_KIB}kB/nr_hugepages"
ETHERNET = {"srv0": "02:00:00:00:53:01", "cli0": "02:00:00:00:53:02"}


class Failed(Exception):
    """Something that the run can go on without: the text says what and where to look."""


BEGAN = time.monotonic()


def say(text):
    """A line on standard error, with the seconds since the beginning."""
    sys.stderr.write(f"[{time.monotonic() - BEGAN:4.0f} s] {text}\n")


# -------- processes --------

def end_by_signals():
    """The first signal to end unwinds all contexts; a second one does not disturb that."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ended(number, _frame):
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in numbers:
        signal.signal(each, ended)


def shell(function, *words):
    """The command that runs a function of deploy/lib.sh."""
    return ["bash", "-c", '. "$0" && "$@"', LIB, function, *words]


def run(*command, log=None):
    """Runs it to its end; the end of its output is the reason when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if log:
        with open(log, "a", encoding="utf-8") as f:
            f.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}: {(done.stdout + done.stderr)[-600:].strip()}")
    return done.stdout


def read(path, otherwise=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return otherwise


def stop(process, patience_s=10):
    """SIGTERM, and SIGKILL to all of its session when that was not obeyed in time."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(command, log, cwd=None):
    """A process in a session of its own, so that a Ctrl-C is ours alone; ended with the context."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                                   start_new_session=True)
    try:
        yield process
    finally:
        stop(process)


def family(pid):
    """The process and those that descend from it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = read(f"/proc/{entry}/stat").rpartition(")")[2].split()
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], []))
    return found


def cpu_s(pid):
    """User and system time of the whole family so far, in seconds."""
    ticks = 0
    for member in family(pid):
        fields = read(f"/proc/{member}/stat").rpartition(")")[2].split()
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * TICK_S


def memory_bytes(pid):
    """What the family holds: its proportional share of memory that is not a mapped file, and its huge pages."""
    kib = 0
    for member in family(pid):
        for line in read(f"/proc/{member}/smaps_rollup").splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:", "Shared_Hugetlb:", "Private_Hugetlb:")):
                kib += int(line.split()[1])
    return kib * 1024


# -------- network --------

def sweep():
    """Namespaces of runs that were killed: their names tell whose they were."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        owner = name.removeprefix(NAME).partition("-")[0]
        if name.startswith(NAME) and not os.path.exists(f"/proc/{owner}"):
            run(*shell("netns_remove", name))


class Rig:
    """Two namespaces, a server's and a client's, joined by a veth pair with one queue for each of the server's workers.

        client 10.53.0.2 (cli0)  <── veth ──>  (srv0) 10.53.0.1 server

    Made anew for every server, so that no program on an interface and no setting is left from the one before. Neighbours are
    known beforehand: an echo answers no ARP. The client's end leaves no checksum to hardware that is not there."""
    server, client, port = "10.53.0.1", "10.53.0.2", 53
    device, client_device = "srv0", "cli0"

    def __init__(self, queues=1):
        self.queues = str(queues)
        self.names = {end: f"{NAME}{os.getpid()}-{end}" for end in ("server", "client")}

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names.values():
            with contextlib.suppress(Failed):
                run(*shell("netns_remove", name))

    def _make(self):
        queues = ["numrxqueues", self.queues, "numtxqueues", self.queues]
        for name in self.names.values():
            run("ip", "netns", "add", name)
            run(*self.inside(name, "ip", "link", "set", "lo", "up"))
        server, client = self.names["server"], self.names["client"]
        run(*self.inside(server, "ip", "link", "add", "srv0", "address", ETHERNET["srv0"], *queues, "type", "veth", "peer",
                         "name", "cli0", "address", ETHERNET["cli0"], *queues, "netns", client))
        ends = ((server, "srv0", self.server, self.client, "cli0"), (client, "cli0", self.client, self.server, "srv0"))
        for name, device, own, other, other_device in ends:
            run(*self.inside(name, "ip", "addr", "add", f"{own}/24", "dev", device))
            run(*self.inside(name, "ip", "link", "set", device, "up"))
            run(*self.inside(name, "ip", "neigh", "replace", other, "lladdr", ETHERNET[other_device], "dev", device,
                             "nud", "permanent"))
        run(*self.inside(client, "ethtool", "-K", "cli0", "tx", "off"))

    @staticmethod
    def inside(name, *command):
        return ["nsenter", f"--net=/run/netns/{name}", *command]

    def on_server(self, *command):
        """For a program that may load XDP programs."""
        return shell("netns_daemon", self.names["server"], *command)

    def on_client(self, *command):
        return shell("netns_daemon", self.names["client"], *command)


# -------- huge pages --------

def pages_now():
    return int(read(PAGES_FILE, "0") or 0)


@contextlib.contextmanager
def huge_pages(wanted_mib, mount):
    """So much memory in huge pages, on top of those that are there, and a mount for them; yields whether they came. The number
    is put back at the end."""
    before = pages_now()
    wanted = before + wanted_mib * 1024 // PAGE_KIB
    mounted = False
    try:
        if wanted_mib:
            with contextlib.suppress(OSError), open(PAGES_FILE, "w", encoding="ascii") as f:
                f.write(str(wanted))
            if pages_now() >= wanted:
                os.makedirs(mount, exist_ok=True)
                run("mount", "-t", "hugetlbfs", "-o", f"pagesize={PAGE_KIB}K", "hugetlbfs", mount)
                mounted = True
        yield mounted
    finally:
        if mounted:
            run("umount", mount)
            os.rmdir(mount)
        if pages_now() != before:
            with open(PAGES_FILE, "w", encoding="ascii") as f:
                f.write(str(before))


# -------- the build --------

def build():
    """Installs what is missing. The directory of the build to measure: ANSER_BUILD, or one that is made here."""
    say("packages and build")
    run(os.path.join(TOP, "deploy", "install-packages"), "build", "bench")
    given = os.environ.get("ANSER_BUILD")
    if given:
        return os.path.abspath(given)
    path = os.path.join(TOP, "build-compare")
    if not os.path.exists(f"{path}/build.ninja"):
        run("meson", "setup", "--buildtype=release", "-Db_ndebug=false", "-Dtests=false", path, TOP)
    run("ninja", "-C", path, "anserd", "anserblast", "anserctl")
    return path


def build_text(path):
    found = json.loads(run("meson", "introspect", "--buildoptions", path))
    wanted = {option["name"]: option["value"] for option in found if option["name"] in ("buildtype", "cpu", "b_sanitize")}
    return ", ".join(f"{name}={value}" for name, value in wanted.items())


# -------- facts --------

def _version(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def package_version(name):
    return _version("dpkg-query", "-W", "-f", "${Version}", name)


def machine():
    cpus = [line.partition(":")[2].strip() for line in read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    total = next((line for line in read("/proc/meminfo").splitlines() if line.startswith("MemTotal:")), "0 0").split()[1]
    release = next((line for line in read("/etc/os-release").splitlines() if line.startswith("PRETTY_NAME=")), "=?")
    return {"cpu": cpus[0] if cpus else os.uname().machine, "cores": os.cpu_count(), "memory_gib": round(int(total) / 2**20, 1),
            "kernel": os.uname().release, "system": release.partition("=")[2].strip('"'),
            "load_before": read("/proc/loadavg").split()[:3]}


def commit():
    git = ["git", "-c", f"safe.directory={TOP}", "-C", TOP]
    dirty = "-dirty" if _version(*git, "status", "--porcelain", "--untracked-files=no") else ""
    return (_version(*git, "rev-parse", "--short", "HEAD") or "unknown") + dirty


# -------- progress --------

class Progress:
    """One line on the terminal that is written over; elsewhere a line for each step. Time left is reckoned by the steps so far."""

    def __init__(self, steps):
        self.steps, self.done, self.began = steps, 0, time.monotonic()
        self.live = sys.stderr.isatty()

    def _left(self):
        if self.done == 0:
            return "time left unknown"
        left_s = (time.monotonic() - self.began) / self.done * (self.steps - self.done)
        return f"{left_s / 60:.0f} min left" if left_s > 90 else f"{left_s:.0f} s left"

    def show(self, text):
        line = f"[{self.done}/{self.steps}, {self._left()}] {text}"
        sys.stderr.write(f"\r\033[K{line}" if self.live else line + "\n")
        sys.stderr.flush()

    def step(self):
        self.done += 1

    def note(self, text):
        """Something to keep on the screen."""
        sys.stderr.write(f"\r\033[K{text}\n" if self.live else text + "\n")
        sys.stderr.flush()
