#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Gives broken configurations to a program's check: bad_configs.py CASES DIRECTORY COMMAND...

COMMAND gets the file's name as its last argument. It must exit with 4, print `file:line:column: error: ...` for each line
that has a fault and for no other, and hold the word that helps the reader.
"""
import re
import subprocess
import sys

from dnsclient import Tap

EXIT_FAULTS = 4


def cases(path):
    """(name, lines or None, word, text) of each case."""
    with open(path, encoding="utf-8") as f:
        blocks = re.split(r"^=== ", f.read(), flags=re.MULTILINE)[1:]
    for block in blocks:
        head, text = block.split("\n", 1)
        name, lines, word = (part.strip() for part in head.split("|"))
        yield name, None if lines == "any" else {int(n) for n in lines.split()}, word, text


def check(command, path, lines, word):
    done = subprocess.run([*command, path], capture_output=True, text=True, timeout=20, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == EXIT_FAULTS, f"exit code {done.returncode}\n{output}"
    found = re.findall(rf"^{re.escape(path)}:(\d+):(\d+): error: ", output, re.MULTILINE)
    assert found, f"no file:line:column\n{output}"
    assert lines is None or {int(line) for line, _ in found} == lines, f"errors in other lines than {lines}\n{output}"
    assert word in output, f"does not mention {word}\n{output}"


def main():
    source, directory, *command = sys.argv[1:]
    tap = Tap()
    for i, (name, lines, word, text) in enumerate(cases(source)):
        path = f"{directory}/bad-{i}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        tap.run(f"broken configuration: {name}", check, command, path, lines, word)
    tap.done()


if __name__ == "__main__":
    main()
