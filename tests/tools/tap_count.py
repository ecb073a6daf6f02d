#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts tests in TAP output: prints `passed failed skipped`, one line a program, and names failures on stderr.

    tap_count.py --tap FILE --exit-code N --label L   one program's output
    tap_count.py --meson testlog.json --label L       every program of a meson run

A program that fails without saying which test failed (a crash, a time-out) counts as one failure; one that
succeeds without a TAP line counts as one test passed.
"""
import argparse
import json
import os
import re
import sys

LINE = re.compile(r"^\s*(not ok|ok)\b(.*)$")
SKIP = re.compile(r"#\s*skip", re.IGNORECASE)


def count(text, succeeded, label):
    passed = failed = skipped = 0
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        verdict, rest = match.groups()
        if SKIP.search(rest):
            skipped += 1
        elif verdict == "ok":
            passed += 1
        else:
            failed += 1
            print(f"FAILED {label}:{rest}", file=sys.stderr)
    if not succeeded and failed == 0:
        failed = 1
        print(f"FAILED {label}: ended badly", file=sys.stderr)
    elif succeeded and passed + failed + skipped == 0:
        passed = 1
    return passed, failed, skipped


def count_meson(path, label):
    """One count a program; a run that found no test in the suite leaves no log."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as log:
        runs = [json.loads(line) for line in log]
    for run in runs:
        yield count(run.get("stdout") or "", run["result"] in ("OK", "EXPECTEDFAIL"), f"{label}/{run['name']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tap")
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--meson")
    parser.add_argument("--label", required=True)
    args = parser.parse_args()
    if args.meson:
        counts = list(count_meson(args.meson, args.label))
    else:
        with open(args.tap, encoding="utf-8", errors="replace") as tap:
            counts = [count(tap.read(), args.exit_code == 0, args.label)]
    if not counts:
        sys.exit(f"{args.label}: no tests ran")
    for numbers in counts:
        print(*numbers)


if __name__ == "__main__":
    main()
