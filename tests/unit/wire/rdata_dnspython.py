#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the wire form that rdata_tool makes of a corpus with dnspython's.

usage: rdata_dnspython.py RDATA_TOOL CORPUS

Lines whose type dnspython only knows as opaque are skipped, and so are those in KNOWN, where the two are known to
read a text differently. Exit status 77 (skipped) without dnspython.
"""
import subprocess
import sys

try:
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
except ImportError:
    print("dnspython is not installed")
    sys.exit(77)

ORIGIN = dns.name.from_text("example.com.")

# Text that dnspython refuses or reads differently, with the reason.
KNOWN = {
    r"NSAP 0X47000580005A0000000001E133FFFFFF00016200": "wants a small x",
    r"DS 60485 RSASHA256 SHA-256 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B83 83F6A1E4469DA50A": "no mnemonics",
    r"IPSECKEY 10 0 0 .": "wants a key even for algorithm 0",
    r"NSEC \000.Example.com. A NS SOA TYPE65535 NXNAME TYPE256": "does not know NXNAME",
    r'SVCB 1 dns.example.com. alpn=doq dohpath=/dns-query{?dns} key65534="" port=8853 key11': "no dohpath",
    r'HTTPS 2 . ohttp tls-supported-groups=29,23 key3="\001\187"': "no ohttp",
    r"LOC \# 3 01AABB": "does not know that other versions are opaque",
    r"SVCB 0 foo.example.com. port=53": "refuses what RFC 9460 section 2.4.2 says to ignore",
    r"NID 10 1:2:3:4": "wants four digits a group",
    r"TKEY \# 1 00": "reads TKEY as a structure",
    r"TSIG \# 1 00": "reads TSIG as a structure",
}


def peer(line):
    """The wire form by dnspython in hex; None where it has no opinion."""
    mnemonic, _, text = line.partition(" ")
    try:
        rdtype = dns.rdatatype.from_text(mnemonic)
    except dns.rdatatype.UnknownRdatatype:
        return None
    cls = dns.rdata.get_rdata_class(dns.rdataclass.IN, rdtype)
    if cls is dns.rdata.GenericRdata and not text.startswith("\\#"):
        return None
    return dns.rdata.from_text("IN", rdtype, text, ORIGIN, relativize=False).to_wire().hex()


def main(tool, corpus):
    with open(corpus, encoding="ascii") as f:
        lines = [line.rstrip("\n") for line in f if not line.startswith("#")]
    out = subprocess.run([tool], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    compared = skipped = wrong = 0
    for line, ours in zip(lines, out.stdout.splitlines()):
        if line in KNOWN:
            skipped += 1
            continue
        try:
            theirs = peer(line)
        except Exception as e:  # pylint: disable=broad-except
            theirs = f"{type(e).__name__}: {e}"
        if theirs is None:
            skipped += 1
            continue
        compared += 1
        if ours != theirs:
            wrong += 1
            print(f"{line}\n  ours   {ours}\n  theirs {theirs}")
    print(f"{compared} compared, {skipped} skipped, {wrong} different")
    return 1 if wrong or compared < 100 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
