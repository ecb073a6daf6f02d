/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a Knot DNS that transfer_in.test has started for its zones, and for what changes in them.
 *
 *     transfer_in PORT ZONES DIRECTORY
 */
#include <arpa/inet.h>
#include <signal.h>

#include "control/transfer/transfer.h"
#include "control/transfer/zone_dump.h"
#include "tests/unit/control/control_fixture.h"
#include "zones/load/zonefile.h"

#define ZONES_MAX 10000

struct zone_of {
	struct transfer *transfer;
	struct served *version[4]; /* each made from the one before */
	unsigned n;
	struct transfer_result last;
	bool is_done;
};

static unsigned n_zones;
static const char *directory;
static struct config_remote primary;
static struct tsig_keys *keys;
static const struct tsig_key *right_key, *wrong_key, *unknown_key;
static uv_loop_t loop;
static struct transfers *transfers;
static struct zone_of zones[ZONES_MAX];
static unsigned n_done;

static void
on_done(void *arg, struct transfer_result *result)
{
	struct zone_of *z = arg;
	if (result->next)
		z->version[z->n++] = result->next;
	state_changes_free(result->changes);
	z->last = *result;
	z->is_done = true;
	result->next = NULL;
	result->changes = NULL;
	n_done++;
}

static void
start(unsigned i, uint16_t qtype, bool has_base, const struct tsig_key *key)
{
	char name[32];
	struct zone_of *z = &zones[i];
	snprintf(name, sizeof(name), "z%u.", i);
	struct transfer_request request = {.apex = fixture_name(name),
					   .qtype = qtype,
					   .primary = &primary,
					   .key = key,
					   .base = has_base ? z->version[z->n - 1] : NULL};
	z->is_done = false;
	assert_int_equal(transfer_start(transfers, &request, on_done, z, &z->transfer), 0);
}

/* Runs one transfer. */
static struct transfer_result
transfer(unsigned i, uint16_t qtype, bool has_base, const struct tsig_key *key)
{
	start(i, qtype, has_base, key);
	while (!zones[i].is_done)
		uv_run(&loop, UV_RUN_ONCE);
	return zones[i].last;
}

/* Runs one for each zone, all at once; prints how many a second that was. */
static void
transfer_all(uint16_t qtype, bool has_base, enum transfer_end end, const char *what)
{
	uint64_t start_ns = publish_now_ns();
	n_done = 0;
	for (unsigned i = 0; i < n_zones; i++)
		start(i, qtype, has_base, right_key);
	while (n_done < n_zones)
		uv_run(&loop, UV_RUN_ONCE);
	uint64_t ns = publish_now_ns() - start_ns;
	for (unsigned i = 0; i < n_zones; i++) {
		if (zones[i].last.end != end)
			fail_msg("z%u. ended %u: %s", i, zones[i].last.end, zones[i].last.why);
	}
	printf("# %u %s: %.0f a second\n", n_zones, what, n_zones * 1e9 / (double)ns);
}

/* The zone as text; the caller frees it. */
static char *
dump(const struct snapshot *s)
{
	struct zone_dump *d = zone_dump_new(s);
	size_t len = 0, cap = 1 << 16, n;
	char *text = malloc(cap + 1);
	assert_true(d && text);
	while ((n = zone_dump_next(d, text + len, cap - len)) > 0)
		len += n;
	text[len] = '\0';
	zone_dump_free(d);
	return text;
}

/* The newest version of a zone is what its file says. */
static void
assert_zone(unsigned i)
{
	char path[512], name[32];
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	snprintf(name, sizeof(name), "z%u.", i);
	snprintf(path, sizeof(path), "%s/z%u.zone", directory, i);
	struct name apex = fixture_name(name);
	assert_int_equal(zonefile_load(path, &apex, &diag, &s), 0);
	char *is = dump(zones[i].version[zones[i].n - 1]->snapshot), *should = dump(s);
	assert_string_equal(is, should);
	free(is);
	free(should);
	snapshot_free(s);
	diag_clear(&diag);
}

static bool
have_serial(unsigned serial)
{
	char command[1024];
	snprintf(command, sizeof(command),
		 "test $(knotc -c %s/knot.conf zone-status | grep -cE 'serial: %u( |$)') = %u", directory, serial,
		 n_zones);
	return system(command) == 0;
}

/* Gives all zones their next version. */
static void
change_zones(unsigned serial)
{
	char path[512], command[1024];
	for (unsigned i = 0; i < n_zones; i++) {
		snprintf(path, sizeof(path), "%s/z%u.zone", directory, i);
		fixture_write(path, "$TTL 300\n@ SOA ns h %u 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nv%u A 192.0.2.%u\n",
			      serial, serial, serial);
	}
	snprintf(command, sizeof(command), "knotc -c %s/knot.conf zone-reload >/dev/null", directory);
	assert_int_equal(system(command), 0);
	for (unsigned tries = 0; !have_serial(serial); tries++) {
		assert_true(tries < 300);
		usleep(100000);
	}
}

/* -------- tests -------- */

static void
test_all(void **state)
{
	transfer_all(RRTYPE_AXFR, false, TRANSFER_NEW_VERSION, "AXFR");
	transfer_all(RRTYPE_IXFR, true, TRANSFER_UP_TO_DATE, "IXFR, up to date");
	change_zones(2);
	transfer_all(RRTYPE_IXFR, true, TRANSFER_NEW_VERSION, "IXFR");
	for (unsigned i = 0; i < n_zones; i++) {
		assert_int_equal(zones[i].last.kind, XFR_IXFR);
		assert_int_equal(zones[i].last.serial, 2);
		assert_non_null(zones[i].version[1]->made_from);
	}
	for (unsigned i = 0; i < n_zones; i += 50)
		assert_zone(i);
	assert_int_equal(transfers_stats(transfers).connections, 1);
	assert_int_equal(transfers_stats(transfers).questions, 3 * n_zones);
}

static void
test_whole_over_base(void **state)
{
	change_zones(3);
	assert_int_equal(transfer(0, RRTYPE_AXFR, true, right_key).end, TRANSFER_NEW_VERSION);
	assert_int_equal(zones[0].last.kind, XFR_AXFR);
	assert_zone(0);
	assert_int_equal(transfer(0, RRTYPE_AXFR, true, right_key).end, TRANSFER_UP_TO_DATE);
	assert_int_equal(transfer(1, RRTYPE_IXFR, true, right_key).end, TRANSFER_NEW_VERSION);
	assert_zone(1);
}

static void
expect_failure(unsigned zone, const struct tsig_key *key, const char *why)
{
	struct transfer_result r = transfer(zone, RRTYPE_AXFR, false, key);
	if (r.end != TRANSFER_FAILED || !strstr(r.why, why))
		fail_msg("ended %u: %s", r.end, r.why);
}

/* Keys that are wrong, and a zone that is not there, harm no other transfer. */
static void
test_refused(void **state)
{
	expect_failure(2, wrong_key, "TSIG: ");
	expect_failure(2, unknown_key, "TSIG: ");
	expect_failure(2, NULL, "the primary answers ");
	expect_failure(ZONES_MAX - 1, right_key, "NOTAUTH"); /* Knot signs nothing for zones that it has not */
	assert_int_equal(transfer(2, RRTYPE_IXFR, true, right_key).end, TRANSFER_NEW_VERSION);
	assert_zone(2);
}

static struct config_key
key_of(const char *name, const char *secret)
{
	return (struct config_key){.id = name,
				   .name = fixture_name(name),
				   .algorithm = CONFIG_HMAC_SHA256,
				   .secret = (const uint8_t *)secret,
				   .secret_len = (unsigned)strlen(secret)};
}

/* Two keys of one name cannot be in one set, so the wrong one has its own. */
static struct tsig_keys *
keys_of(const struct config_key *from, unsigned n)
{
	struct tsig_keys *made = NULL;
	struct diag_list diag = {0};
	assert_int_equal(tsig_keys_new(from, n, TSIG_TRUNCATION_ALLOWED, &made, &diag), 0);
	return made;
}

static struct tsig_keys *wrong_keys;

static int
set_up(void **state)
{
	struct config_key good[] = {key_of("right.", "0123456789abcdef"), key_of("stranger.", "0123456789abcdef")};
	struct config_key bad = key_of("right.", "another secret of it");
	signal(SIGPIPE, SIG_IGN); /* as anserd does */
	keys = keys_of(good, 2);
	wrong_keys = keys_of(&bad, 1);
	right_key = tsig_keys_find(keys, &good[0].name);
	unknown_key = tsig_keys_find(keys, &good[1].name);
	wrong_key = tsig_keys_find(wrong_keys, &bad.name);
	uv_loop_init(&loop);
	return transfers_new(&loop, &transfers);
}

static int
tear_down(void **state)
{
	transfers_stop(transfers);
	while (uv_run(&loop, UV_RUN_ONCE))
		;
	transfers_free(transfers);
	tsig_keys_free(keys);
	tsig_keys_free(wrong_keys);
	for (unsigned i = 0; i < n_zones; i++) {
		while (zones[i].n > 0)
			served_free(zones[i].version[--zones[i].n]);
	}
	return uv_loop_close(&loop);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_whole_over_base),
		cmocka_unit_test(test_refused),
	};
	if (argc != 4)
		return 2;
	n_zones = (unsigned)atoi(argv[2]);
	directory = argv[3];
	if (n_zones < 3 || n_zones >= ZONES_MAX)
		return 2;
	primary.address.v4 = (struct sockaddr_in){.sin_family = AF_INET,
						  .sin_port = htons((uint16_t)atoi(argv[1])),
						  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	primary.address.len = sizeof(primary.address.v4);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
