#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a server of the example zones one question for each way of answering. TAP; SERVER..., --udp-only."""
import argparse
import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype

from dnsclient import Client, Tap, question, random_case


def texts(section):
    return sorted(f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rd}" for rrset in section for rd in rrset)


def expect(answer, rcode, answers=None, authority=None, additional=None, aa=True):
    """Compares what is given with the message; sections as sorted lines of text."""
    assert dns.rcode.to_text(answer.rcode()) == rcode, f"rcode {dns.rcode.to_text(answer.rcode())}, not {rcode}"
    assert bool(answer.flags & dns.flags.AA) == aa, f"AA is {not aa}"
    assert answer.flags & dns.flags.QR and not answer.flags & dns.flags.RA, "flags"
    for name, wanted, got in (("answer", answers, answer.answer), ("authority", authority, answer.authority),
                              ("additional", additional, answer.additional)):
        assert wanted is None or sorted(wanted) == texts(got), f"{name}: {texts(got)}"


SOA = "ns1.example.com. hostmaster.example.com. 2024010100 7200 1800 1209600 300"
NEGATIVE = [f"example.com. 300 SOA {SOA}"]


def exact(ask):
    expect(ask("www.example.com", "A"), "NOERROR", ["www.example.com. 300 A 192.0.2.80"], [])


def case_is_kept(ask):
    name = random_case("www.example.com")
    answer = ask(name, "AAAA")
    assert answer.question[0].name.to_text() == name + ".", answer.question[0]
    assert len(answer.answer) == 1, answer


def no_data(ask):
    expect(ask("www.example.com", "MX"), "NOERROR", [], NEGATIVE)


def no_name(ask):
    expect(ask("nothing.example.com", "A"), "NXDOMAIN", [], NEGATIVE)


def empty_non_terminal(ask):
    expect(ask("_tcp.example.com", "A"), "NOERROR", [], NEGATIVE)


def wildcard(ask):
    expect(ask("a.b.sites.example.com", "A"), "NOERROR", ["a.b.sites.example.com. 3600 A 192.0.2.90"], [])
    expect(ask("x.own.sites.example.com", "A"), "NXDOMAIN", [], NEGATIVE)


def aliases(ask):
    chain = ["shop.example.com. 3600 CNAME ftp.example.com.", "ftp.example.com. 3600 CNAME www.example.com.",
             "www.example.com. 300 A 192.0.2.80"]
    expect(ask("shop.example.com", "A"), "NOERROR", chain)
    expect(ask("partner.example.com", "A"), "NOERROR", ["partner.example.com. 3600 CNAME www.example.net.",
                                                        "www.example.net. 3600 A 198.51.100.80"])
    expect(ask("elsewhere.example.com", "A"), "NOERROR", ["elsewhere.example.com. 3600 CNAME www.example.org."])


def subtree_alias(ask):
    expect(ask("www.old.example.com", "A"), "NOERROR",
           ["old.example.com. 3600 DNAME example.net.", "www.old.example.com. 3600 CNAME www.example.net.",
            "www.example.net. 3600 A 198.51.100.80"])


def delegation(ask):
    expect(ask("www.child.example.com", "A"), "NOERROR", [],
           ["child.example.com. 3600 NS ns1.child.example.com.", "child.example.com. 3600 NS ns2.child.example.com."],
           ["ns1.child.example.com. 3600 A 198.51.100.53", "ns1.child.example.com. 3600 AAAA 2001:db8:1::53",
            "ns2.child.example.com. 3600 A 198.51.100.54"], aa=False)


def ds_at_the_cut(ask):
    answer = ask("secure.signed.example", "DS", do=True)
    expect(answer, "NOERROR")
    assert sorted(r.rdtype for r in answer.answer) == [dns.rdatatype.DS, dns.rdatatype.RRSIG], answer
    expect(ask("child.example.com", "DS"), "NOERROR", [], NEGATIVE)


def additional_addresses(ask):
    expect(ask("example.com", "MX"), "NOERROR", None, [],
           ["mail.example.com. 3600 A 192.0.2.25", "mail.example.com. 3600 AAAA 2001:db8::25",
            "backup.mail.example.com. 3600 A 192.0.2.26"])


def signatures(ask):
    assert all(r.rdtype != dns.rdatatype.RRSIG for r in ask("www.signed.example", "A").answer), "RRSIG without DO"
    answer = ask("www.signed.example", "A", do=True)
    assert sorted(r.rdtype for r in answer.answer) == [dns.rdatatype.A, dns.rdatatype.RRSIG], answer
    assert answer.ednsflags & dns.flags.DO, "DO is copied (RFC 3225)"


def refused(ask):
    answer = ask("www.example.org", "A")
    expect(answer, "REFUSED", [], [], aa=False)
    assert [o.code for o in answer.options if o.otype == dns.edns.OptionType.EDE] == [20], answer.options


def minimal_any(ask):
    answer = ask("example.com", "ANY")
    expect(answer, "NOERROR")
    assert len(answer.answer) == 1, answer


def no_edns(ask):
    answer = ask("www.example.com", "A", edns=False)
    expect(answer, "NOERROR")
    assert answer.edns == -1, "OPT where none was sent"


def bad_version(ask):
    query = question("www.example.com", "A")
    query.use_edns(1)
    answer = ask(query)
    assert answer.rcode() == dns.rcode.BADVERS and answer.edns == 0 and not answer.answer, answer


def identity(ask):
    answer = ask("www.example.com", "A", options=[dns.edns.GenericOption(dns.edns.NSID, b"")])
    assert [o.to_wire() for o in answer.options if o.otype == dns.edns.NSID] == [b"under-test"], answer.options
    expect(ask("id.server", "TXT", rdclass="CH"), "NOERROR", ['id.server. 0 TXT "under-test"'])
    expect(ask("version.bind", "TXT", rdclass="CH"), "NOERROR", ['version.bind. 0 TXT "test"'])


def other_opcode(ask):
    query = question("www.example.com", "A")
    query.set_opcode(dns.opcode.STATUS)
    answer = ask(query)
    assert answer.rcode() == dns.rcode.NOTIMP, answer


def transfers_are_refused(ask):
    answer = ask("example.com", "AXFR")
    assert answer.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR) and not answer.answer, answer


CHECKS = (exact, case_is_kept, no_data, no_name, empty_non_terminal, wildcard, aliases, subtree_alias, delegation, ds_at_the_cut,
          additional_addresses, signatures, refused, minimal_any, no_edns, bad_version, identity, other_opcode,
          transfers_are_refused)


def asker(client, transport):
    """ask(name, type, ...) or ask(query), over one transport."""
    def ask(name, rdtype=None, **how):
        query = name if rdtype is None else question(name, rdtype, **how)
        wire = getattr(client, transport)(query.to_wire())
        assert wire[:2] == struct.pack("!H", query.id), "id"
        return dns.message.from_wire(wire)
    return ask


def truncation(client, udp_only):
    """The set is 4 KiB of text: TC over UDP, within what the client and the server allow; all of it over TCP."""
    for payload, limit in ((512, 512), (1232, 1232), (4096, 1232)):
        wire = client.udp(question("big.test", "TXT", payload=payload).to_wire())
        answer = dns.message.from_wire(wire, raise_on_truncation=False)
        assert answer.flags & dns.flags.TC and len(wire) <= limit, f"{payload}: {len(wire)} octets"
    assert len(client.udp(question("big.test", "TXT", edns=False).to_wire())) <= 512
    if not udp_only:
        answer = client.ask("big.test", "TXT", "tcp")
        assert not answer.flags & dns.flags.TC and len(answer.answer[0]) == 40, answer


def broken(client):
    """A header with a question that ends too early is answered FORMERR with the header's id."""
    wire = client.udp(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www")
    assert wire[:2] == b"\x12\x34" and wire[2] & 0x80 and wire[3] & 15 == dns.rcode.FORMERR, wire.hex()


def pipelined(client):
    """Many questions before the first answer is read; each is answered once, in any order (RFC 7766 section 6.2.1.1)."""
    queries = {}
    for i in range(50):
        query = question(f"host{i % 16 + 1}.example.com", "A")
        query.id = i
        queries[i] = query
        client.tcp_send(query.to_wire())
    for _ in range(50):
        answer = dns.message.from_wire(client.tcp_receive())
        query = queries.pop(answer.id)
        assert query.is_response(answer) and len(answer.answer) == 1, answer
    assert not queries


def one_byte_at_a_time(client):
    client.hang_up()
    wire = question("www.example.com", "A").to_wire()
    client.tcp_send(wire)
    client.tcp_receive()
    for octet in struct.pack("!H", len(wire)) + wire:
        client.stream.sendall(bytes([octet]))
    assert client.tcp_receive()[:2] == wire[:2]


def check_server(tap, server, udp_only):
    client = Client(server)
    for transport in ("udp",) if udp_only else ("udp", "tcp"):
        for check in CHECKS:
            tap.run(f"{transport} {server} {check.__name__.replace('_', ' ')}", check, asker(client, transport))
    tap.run(f"udp {server} truncation", truncation, client, udp_only)
    tap.run(f"udp {server} broken question", broken, client)
    if not udp_only:
        client.hang_up()
        tap.run(f"tcp {server} pipelined", pipelined, client)
        tap.run(f"tcp {server} one byte at a time", one_byte_at_a_time, client)
    client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--udp-only", action="store_true")
    parser.add_argument("server", nargs="+")
    args = parser.parse_args()
    tap = Tap()
    for server in args.server:
        check_server(tap, server, args.udp_only)
    tap.done()


if __name__ == "__main__":
    main()
