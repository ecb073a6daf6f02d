# SPDX-License-Identifier: Apache-2.0
"""What the lint programs share: the files of the tree, and TAP."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*suffixes):
    """Paths, from the top, of the files that belong to the tree (tracked, or new and not ignored)."""
    listing = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             check=True, capture_output=True, text=True).stdout
    names = sorted(set(listing.split("\0")) - {""})
    return [n for n in names if n.endswith(suffixes or ("",)) and os.path.isfile(os.path.join(TOP, n))]


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def scripts(interpreter):
    """Files whose first line names the interpreter, and what they source."""
    found = []
    for path in files():
        with open(os.path.join(TOP, path), "rb") as f:
            head = f.read(200).decode("utf-8", "replace").split("\n")
        if head[0].startswith("#!") and interpreter in head[0]:
            found.append(path)
        elif interpreter == "bash" and any("shellcheck shell=" in line for line in head):
            found.append(path)
    return found


class Tap:
    """One test a rule: it passes when no fault was found."""

    def __init__(self):
        self.failed = False

    def rule(self, name, faults):
        faults = list(faults)
        self.failed |= bool(faults)
        print(f"{'not ok' if faults else 'ok'} - {name}")
        for fault in faults:
            print(f"#   {fault}", flush=True)

    def done(self):
        sys.exit(1 if self.failed else 0)
