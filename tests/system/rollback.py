#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What was rolled back stays away from a secondary, over a kill and refreshes, until there is something newer.

rollback.py BUILD DIRECTORY
"""
import json
import os
import sys
import time

import anser
import xfr_wire

ZONE = """@ 60 SOA ns.example.net. h.example.net. {serial} 1 1 1209600 300
@ 60 NS ns.example.net.
www 60 A 192.0.2.{serial}
"""
PRIMARY = """acls: [{id: all, address: 127.0.0.0/8}]
zones: [{name: example, file: example.zone, allow-transfer: [all]}]
"""
SECONDARY = """remotes: [{id: primary, address: 127.0.0.2}]
zones: [{name: example, primaries: [primary], refresh-min: 1s, refresh-max: 1s, retry-max: 1s}]
"""


class Primary(anser.Daemon):
    def configure(self, config):
        super().configure(config)
        with open(self.path, encoding="ascii") as f:
            text = f.read().replace("listen: [127.0.0.1]", "listen: [127.0.0.2]")
        with open(self.path, "w", encoding="ascii") as f:
            f.write(text)

    def version(self, serial):
        path = os.path.join(self.work, "zones", "example.zone")
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(ZONE.format(serial=serial))
        os.rename(path + ".new", path)


def status(secondary):
    return json.loads(secondary.ctl("--json", "zone", "status", "example"))["result"]


def until(serial):
    asker = anser.Asker()
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if asker.serial(xfr_wire.name("example.")) == serial:
            return True
        time.sleep(0.05)
    return False


def refreshes(secondary, n):
    """True when so many more have ended well."""
    wanted = secondary.metric("refreshes_total", result="good") + n
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if secondary.metric("refreshes_total", result="good") >= wanted:
            return True
        time.sleep(0.05)
    return False


def check(name, passed):
    print(("ok" if passed else "not ok"), "-", name, flush=True)
    return not passed


def run(primary, secondary):
    failed = check("the first version is served", until(1))
    primary.version(2)
    primary.ctl("zone", "reload", "example")
    failed += check("the second version is served", until(2))
    secondary.ctl("zone", "rollback", "example")
    failed += check("the first version is served again", until(1))
    failed += check("the rolled back serial is told", status(secondary).get("rolled-back-from") == 2)
    secondary.kill()
    secondary.start()
    failed += check("a kill does not forget it", status(secondary).get("rolled-back-from") == 2)
    failed += check("refreshes go well", refreshes(secondary, 2))
    failed += check("and bring nothing", status(secondary)["serial"] == 1)
    primary.version(3)
    primary.ctl("zone", "reload", "example")
    failed += check("a newer version is taken", until(3))
    failed += check("and ends it", "rolled-back-from" not in status(secondary))
    return failed


def main():
    build, work = sys.argv[1:3]
    os.makedirs(os.path.join(work, "primary"))
    primary = Primary(build, os.path.join(work, "primary"), PRIMARY)
    secondary = anser.Daemon(build, work, SECONDARY)
    try:
        primary.version(1)
        primary.start()
        secondary.start()
        return run(primary, secondary) != 0
    finally:
        secondary.stop()
        primary.stop()


sys.exit(main())
