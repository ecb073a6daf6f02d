/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is understood, and what is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/blast/options.h"
#include "zones/wire/rrtype.h"

static struct options o;
static char error[256];
static char line[512];

/* Reads a command line whose words are separated by single spaces. */
static int
read_line(const char *text)
{
	char *argv[64] = {(char[]){"anserblast"}};
	int argc = 1;
	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	error[0] = '\0';
	return options_read(argc, argv, &o, error);
}

static void
defaults_are_those_of_the_help_text(void **state)
{
	assert_int_equal(read_line("--server 192.0.2.1 --mix random"), 0);
	assert_int_equal(o.action, OPTIONS_LOAD);
	assert_int_equal(o.load.port.mode, LOAD_UDP);
	assert_int_equal(ntohs(((struct sockaddr_in *)&o.load.port.server)->sin_port), 53);
	assert_int_equal(o.load.port.n_sources, 1000);
	assert_int_equal(o.load.port.n_threads, 1);
	assert_null(o.load.cores);
	assert_int_equal(o.mix.names, 100000);
	assert_int_equal(o.mix.kind, MADE_FLAT);
	assert_int_equal(o.mix.type, RRTYPE_A);
	assert_int_equal(o.mix.style.edns_size, 1232);
	assert_false(o.mix.style.dnssec);
	assert_int_equal(o.rate, OPTIONS_STEPS);
	assert_int_equal(o.n_steps, 1);
	assert_true(o.steps_qps[0] == 10000 && o.load.rate_max == 10000);
	assert_true(o.time_s == 5 && o.warm_s == 0 && o.load.timeout_s == 1 && o.answered == 0.999);
	assert_memory_equal(o.mix.zone.bytes, "\7example", 9);
}

static void
all_options_are_understood(void **state)
{
	assert_int_equal(
		read_line("--server 2001:db8::1@5353 --mode dpdk --device net_memif0,role=client "
			  "--source 2001:db8::2/112 --sources 5 --gateway 02:00:00:00:00:0a --cores 1,3-4 "
			  "--queues 4 --mix referral --zone test --names 7 --qtype aaaa --order file --seed 9 "
			  "--edns 0 --dnssec --steps 1k,2.5k,3M --time 0.5 --warm 0 --timeout 250 --json - "
			  "--check full --show 3 --answered 99"),
		0);
	const struct load_port_config *p = &o.load.port;
	assert_int_equal(p->server.ss_family, AF_INET6);
	assert_int_equal(ntohs(((const struct sockaddr_in6 *)&p->server)->sin6_port), 5353);
	assert_int_equal(p->mode, LOAD_DPDK);
	assert_string_equal(p->device, "net_memif0,role=client");
	assert_int_equal(p->source_prefix_len, 112);
	assert_int_equal(p->n_threads, 3);
	assert_int_equal(p->n_sources, 6); /* as many for each thread */
	assert_int_equal(p->n_queues, 4);
	assert_memory_equal(p->gateway, "\2\0\0\0\0\12", 6);
	assert_int_equal(o.load.cores[2], 4);
	assert_int_equal(o.mix.mix, MIX_REFERRAL);
	assert_int_equal(o.mix.kind, MADE_TLD);
	assert_int_equal(o.mix.type, RRTYPE_AAAA);
	assert_true(o.load.in_order && o.mix.style.dnssec && o.mix.style.edns_size == 0);
	assert_int_equal(o.n_steps, 3);
	assert_true(o.steps_qps[1] == 2500 && o.load.rate_max == 3e6);
	assert_true(o.time_s == 0.5 && o.load.timeout_s == 0.25 && o.answered == 0.99);
	assert_int_equal(o.load.check, CHECK_FULL);
}

static void
zones_need_no_server(void **state)
{
	assert_int_equal(read_line("--make-zone tld --names 10 --zone test"), 0);
	assert_int_equal(o.action, OPTIONS_MAKE_ZONE);
	assert_int_equal(o.mix.kind, MADE_TLD);
	assert_int_equal(read_line("--help"), 0);
	assert_int_equal(o.action, OPTIONS_HELP);
}

static void
searches_and_floods_know_no_highest_rate(void **state)
{
	assert_int_equal(read_line("--server ::1 --mix hot --search --rate 5k"), 0);
	assert_int_equal(o.rate, OPTIONS_SEARCH);
	assert_true(o.steps_qps[0] == 5000 && o.load.rate_max == 0);
	assert_int_equal(read_line("--server ::1 --mix hot --flood"), 0);
	assert_true(o.load.rate_max == 0);
}

static void
nonsense_is_refused_with_a_reason(void **state)
{
	static const char *const lines[] = {
		"--mix hot",
		"--server ::1",
		"--server ::1 --mix hot --queries f",
		"--server ::1 --mix lukewarm",
		"--server localhost --mix hot",
		"--server ::1@70000 --mix hot",
		"--server ::1@ --mix hot",
		"--server ::1 --mix hot --source 192.0.2.1",
		"--server ::1 --mix hot --source ::1/129",
		"--server ::1 --mix hot --sources 0",
		"--server ::1 --mix hot --sources 60000",
		"--server ::1 --mix hot --device eth0",
		"--server ::1 --mix hot --mode af_xdp",
		"--server ::1 --mix hot --mode carrier-pigeon",
		"--server ::1 --mix hot --gateway 02:00:00:00:00",
		"--server ::1 --mix hot --cores 2-1",
		"--server ::1 --mix hot --cores 1,",
		"--server ::1 --mix hot --rate 0",
		"--server ::1 --mix hot --rate -1",
		"--server ::1 --mix hot --rate 5q",
		"--server ::1 --mix hot --rate nan",
		"--server ::1 --mix hot --steps 1,,2",
		"--server ::1 --mix hot --answered 101",
		"--server ::1 --mix hot --timeout 0",
		"--server ::1 --mix hot --edns 65536",
		"--server ::1 --mix hot --qtype XYZ",
		"--server ::1 --mix hot --zone a..b",
		"--server ::1 --mix hot --names 0",
		"--server ::1 --mix hot --kind small",
		"--server ::1 --mix hot --order alphabetic",
		"--server ::1 --mix hot --check some",
		"--server ::1 --mix hot --faster",
		"--server ::1 --mix hot now",
		"--server ::1 --mix",
	};
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		if (read_line(lines[i]) != -EINVAL)
			fail_msg("accepted: %s", lines[i]);
		assert_string_not_equal(error, "");
	}
}

/* Each option has its line in the help text. */
static void
help_is_complete(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	options_print_help(f);
	fclose(f);
	static const char *const words[] = {
		"mode",  "device", "source", "sources",   "gateway", "cores",  "queues", "queries", "mix",
		"zone",  "names",  "kind",   "make-zone", "qtype",   "order",  "seed",   "edns",    "dnssec",
		"rate",  "steps",  "search", "answered",  "flood",   "time",   "warm",   "timeout", "json",
		"check", "echo",   "show",   "help",      "version", "server",
	};
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		char option[32];
		snprintf(option, sizeof(option), "--%s", words[i]);
		assert_non_null(strstr(text, option));
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_help_text),
		cmocka_unit_test(all_options_are_understood),
		cmocka_unit_test(zones_need_no_server),
		cmocka_unit_test(searches_and_floods_know_no_highest_rate),
		cmocka_unit_test(nonsense_is_refused_with_a_reason),
		cmocka_unit_test(help_is_complete),
	};
	return cmocka_run_group_tests_name("blast-options", tests, NULL, NULL);
}
