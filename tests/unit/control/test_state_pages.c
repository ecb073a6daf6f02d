/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage to what LMDB keeps in its file: bits of heads, nodes, metas and lists of free pages. The state opens all
 * the same, and what it gives is right, or said to be damaged. And files that LMDB wrote are never taken for
 * damaged. ANSER_PAGE_FLIPS says how many bits are flipped, beside all those of the heads of pages.
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/state/state_pages.h"

#define FILE_NAME "state.mdb"
#define PAGE 4096
#define HEAD 24 /* octets in front of each page of which every bit is flipped */

static const char *const zones[] = {"a.", "example.", "net."};

static int
setup(void **state)
{
	fixture_enter();
	return 0;
}

static int
teardown(void **state)
{
	fixture_leave();
	return 0;
}

static void
expect_good_pages(void)
{
	struct pages p;
	assert_int_equal(pages_open(FILE_NAME, &p), 0);
	int err = pages_check(&p);
	if (err)
		fail_msg("%s", p.why);
	pages_close(&p);
}

/* Damaged files that lie beside the state. */
static size_t
n_kept(void)
{
	glob_t found;
	int err = glob(FILE_NAME ".damaged-*", 0, NULL, &found);
	assert_true(err == 0 || err == GLOB_NOMATCH);
	size_t n = err ? 0 : found.gl_pathc;
	globfree(&found);
	return n;
}

/* Trees of several levels, long values, values that go, lists of free pages of more than a page. */
static void
what_lmdb_writes_is_good(void **state)
{
	struct state *st = open_state();
	struct model a, b;
	uint32_t serial = 1;
	srandom(1);
	model_make(serial, &a);
	for (unsigned i = 0; i < 400; i++) {
		char zone[32];
		unsigned what = (unsigned)random() % 10;
		snprintf(zone, sizeof(zone), "z%ld.", random() % 60);
		if (what < 4) {
			assert_int_equal(put_model(st, zone, &a), 0);
		} else if (what < 7) {
			assert_int_equal(put_large(st, zone, i, 200 + (unsigned)random() % 2000, 100), 0);
		} else if (what == 7) {
			assert_int_equal(drop_zone(st, zone), 0);
		} else {
			assert_int_equal(put_model(st, "journal.", &a), 0);
			for (unsigned k = 0; k < 20; k++, a = b) {
				model_make(++serial, &b);
				assert_int_equal(append_models(st, "journal.", &a, &b), 0);
			}
		}
		if (i % 20 == 0) {
			state_close(st);
			expect_good_pages();
			st = open_state();
		}
	}
	state_close(st);
	expect_good_pages();
	assert_int_equal(n_kept(), 0);
}

static uint8_t *
read_file(size_t *len)
{
	FILE *f = fopen(FILE_NAME, "rb");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*len = (size_t)ftell(f);
	rewind(f);
	uint8_t *bytes = malloc(*len);
	assert_int_equal(fread(bytes, 1, *len, f), *len);
	fclose(f);
	return bytes;
}

static void
write_file(const uint8_t *bytes, size_t len)
{
	unlink(FILE_NAME);
	FILE *f = fopen(FILE_NAME, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Opens the state as it lies there; every zone is right, or known to be damaged or gone. How many are not right. */
static unsigned
open_and_count_losses(size_t octet, unsigned bit)
{
	struct state_options options;
	struct diag_list diag = {0};
	struct state *st = NULL;
	struct model m, wanted;
	unsigned n = 0;
	small_options(&options);
	if (state_open(&options, &diag, &st) != 0)
		fail_msg("octet %zu, bit %u: %s", octet, bit, diag.items[diag.n - 1].message);
	for (unsigned i = 0; i < 3; i++) {
		int err = load_model(st, zones[i], STATE_LATEST, &m);
		if (err != 0 && err != -EBADMSG && err != -ENOENT)
			fail_msg("octet %zu, bit %u: %s: %d", octet, bit, zones[i], err);
		n += err != 0;
		model_make(m.serial, &wanted);
		if (!err && memcmp(&m, &wanted, sizeof(m)) != 0)
			fail_msg("octet %zu, bit %u: %s is wrong", octet, bit, zones[i]);
	}
	/* And it can be written; where nothing is lost, a look now and then is enough. */
	model_make(500, &m);
	for (unsigned i = 0; i < 3 && (n || octet % 8 == 0); i++) {
		int err = put_model(st, zones[i], &m);
		if (err != 0)
			fail_msg("octet %zu, bit %u: %s cannot be written: %d", octet, bit, zones[i], err);
	}
	state_close(st);
	diag_clear(&diag);
	return n;
}

static void
flip(uint8_t *bytes, size_t len, size_t octet, unsigned bit, unsigned losses[4])
{
	bytes[octet] ^= (uint8_t)(1u << bit);
	write_file(bytes, len);
	losses[open_and_count_losses(octet, bit)]++;
	bytes[octet] ^= (uint8_t)(1u << bit);
}

static void
flipped_bits_end_no_process(void **state)
{
	const char *env = getenv("ANSER_PAGE_FLIPS");
	unsigned n_flips = env ? (unsigned)atoi(env) : 300, losses[4] = {0};
	struct state *st = open_state();
	struct model a, b;
	for (unsigned i = 0; i < 3; i++) {
		model_make(100, &a);
		assert_int_equal(put_model(st, zones[i], &a), 0);
		for (uint32_t serial = 100; serial < 106; serial++, a = b) {
			model_make(serial + 1, &b);
			assert_int_equal(append_models(st, zones[i], &a, &b), 0);
		}
	}
	state_close(st);
	size_t len;
	uint8_t *bytes = read_file(&len);
	assert_int_equal(open_and_count_losses(0, 0), 0);
	for (size_t page = 0; page < len; page += PAGE)
		for (size_t i = 0; i < HEAD; i++)
			flip(bytes, len, page + i, (unsigned)(page / PAGE + i) % 8, losses);
	srandom(2);
	for (unsigned i = 0; i < n_flips; i++)
		flip(bytes, len, (size_t)random() % len, (unsigned)random() % 8, losses);
	print_message("# %zu octets; zones lost by a bit: none %u, one %u, two %u, three %u\n", len, losses[0],
		      losses[1], losses[2], losses[3]);
	free(bytes);
}

/* A bit of the newer meta: LMDB would have gone back by a transaction, or have said that this is no state. */
static void
a_damaged_meta_loses_nothing(void **state)
{
	static const size_t octets[] = {4, 10, 16, 20, 40, 44, 92};
	struct state *st = open_state();
	struct model a, b;
	model_make(100, &a);
	assert_int_equal(put_model(st, "example.", &a), 0);
	for (uint32_t serial = 100; serial < 102; serial++, a = b) {
		size_t len;
		model_make(serial + 1, &b);
		assert_int_equal(append_models(st, "example.", &a, &b), 0);
		state_close(st);
		uint8_t *bytes = read_file(&len), *newer = bytes;
		if (bytes[PAGE + 144] > bytes[144]) /* transactions */
			newer += PAGE;
		for (unsigned i = 0; i < ARRAY_LEN(octets); i++) {
			newer[octets[i]] ^= 2;
			write_file(bytes, len);
			newer[octets[i]] ^= 2;
			st = open_state();
			assert_model(st, "example.", STATE_LATEST, serial + 1);
			state_close(st);
		}
		write_file(bytes, len);
		free(bytes);
		st = open_state();
	}
	state_close(st);
}

/* A table's leaf that nothing leads to any more: what is in it is found all the same. */
static void
values_are_found_without_their_tree(void **state)
{
	struct state *st = open_state();
	struct model m;
	char zone[32];
	model_make(7, &m);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(zone, sizeof(zone), "z%u.", i);
		assert_int_equal(put_model(st, zone, &m), 0);
	}
	state_close(st);
	size_t len;
	uint8_t *bytes = read_file(&len);
	struct pages p;
	assert_int_equal(pages_open(FILE_NAME, &p), 0);
	assert_int_equal(pages_check(&p), 0);
	for (size_t page = 2; page < p.n; page++) /* no branch is one any more */
		if (p.marks[page] == PAGES_USED && bytes[page * PAGE + 10] == 1)
			bytes[page * PAGE + 10] ^= 0x40;
	pages_close(&p);
	write_file(bytes, len);
	free(bytes);
	st = open_state();
	for (unsigned i = 0; i < 200; i++) {
		snprintf(zone, sizeof(zone), "z%u.", i);
		assert_model(st, zone, STATE_LATEST, 7);
	}
	state_close(st);
	assert_int_equal(n_kept(), 1);
	expect_good_pages();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_lmdb_writes_is_good, setup, teardown),
		cmocka_unit_test_setup_teardown(flipped_bits_end_no_process, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_meta_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(values_are_found_without_their_tree, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
