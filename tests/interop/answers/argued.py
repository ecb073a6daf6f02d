# SPDX-License-Identifier: Apache-2.0
"""Differences from what all four others say that argued.txt gives a reason for."""
import fnmatch
import os
import re
import sys

import dns.rdatatype

HERE = os.path.dirname(os.path.abspath(__file__))
ASKED_FOR_EACH = 300  # questions that an entry is about and that are always asked, so that one which no longer holds shows


class Entry:
    """One line: CATEGORY | NAMES | TYPES | DIFFERENCE | REASON."""

    def __init__(self, line):
        columns = [c.strip() for c in line.split("|", 4)]
        if len(columns) != 5 or not all(columns):
            raise ValueError("argued.txt: five columns are wanted: " + line)
        self.line, self.category = line, columns[0]
        self.names, self.types = columns[1].split(), columns[2].split()
        self.difference = re.compile(columns[3])

    def is_about(self, query):
        """Whether the question is one of those meant."""
        return (fnmatch.fnmatchcase(query.category, self.category) and
                (self.types == ["*"] or dns.rdatatype.to_text(query.qtype) in self.types) and
                any(fnmatch.fnmatchcase(query.name_text, n) for n in self.names))

    def argues(self, query, difference):
        """Whether it gives the reason for the difference."""
        return self.difference.match(difference) is not None and self.is_about(query)


def entries():
    """All of argued.txt."""
    with open(os.path.join(HERE, "argued.txt"), encoding="utf-8") as f:
        lines = [l.strip() for l in f]
    return [Entry(l) for l in lines if l and not l.startswith("#")]


def main():
    """argued.py FILE...: FILE, by compare.py, has for each entry that was asked about how often it was of use. Fails for those of no use."""
    uses = {}
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            for line in f:
                n, text = line.rstrip("\n").split(" ", 1)
                uses[text] = uses.get(text, 0) + int(n)
    stale = [line for line, n in uses.items() if n == 0]
    print("%s - every entry of argued.txt is still true" % ("not ok" if stale else "ok"))
    for line in stale:
        print("#   no longer: " + line)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
