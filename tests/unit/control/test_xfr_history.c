/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories for IXFR out, out of a real state: what of a chain of differences is left when it is condensed, and
 * what is no chain.
 *
 * A difference is written as words: `1>2` begins one, `-a` removes the record a, `+a` adds it. SOAs come last in
 * each half, which the state allows and a session does not.
 */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>

#include "control/transfer/xfr_history.h"
#include "zones/base/bytes.h"
#include "zones/wire/rrtype.h"

enum { BYTES_MAX = 1 << 20 };

static struct state *st;
static struct xfr_history_budget budget;
static const struct name apex = {.len = 9, .bytes = "\7example"};

/* -------- writing -------- */

static void
put_record(struct state_changes *c, char sign, char letter)
{
	uint8_t rdata[4] = {10, 0, 0, (uint8_t)letter};
	struct name owner = fixture_name("x.example.");
	owner.bytes[1] = (uint8_t)letter | 0x20; /* A is a with another TTL */
	struct state_record r = {.owner = &owner,
				 .type = 1,
				 .ttl_s = letter & 0x20 ? 60 : 61,
				 .rdlen = sizeof(rdata),
				 .rdata = rdata};
	rdata[3] = owner.bytes[1];
	assert_int_equal(sign == '+' ? state_changes_add(c, &r) : state_changes_remove(c, &r), 0);
}

static void
put_soa(struct state_changes *c, char sign, uint32_t serial)
{
	uint8_t rdata[22] = {0};
	struct state_record r = {.owner = &apex, .type = RRTYPE_SOA, .rdlen = sizeof(rdata), .rdata = rdata};
	store_be32(rdata + 2, serial);
	assert_int_equal(sign == '+' ? state_changes_add(c, &r) : state_changes_remove(c, &r), 0);
}

/* Appends one difference, "-a -b +c"; without the SOA of one half where told so. */
static void
append(uint32_t from, uint32_t to, const char *words, bool has_old_soa, bool has_new_soa)
{
	struct state_changes *c = state_changes_new(&apex);
	assert_int_equal(state_changes_begin(c, from), 0);
	bool is_adding = false;
	for (const char *w = words; *w != '\0'; w += w[2] == ' ' ? 3 : 2) {
		if (*w == '+' && !is_adding && has_old_soa)
			put_soa(c, '-', from);
		is_adding |= *w == '+';
		put_record(c, w[0], w[1]);
	}
	if (!is_adding && has_old_soa)
		put_soa(c, '-', from);
	if (has_new_soa)
		put_soa(c, '+', to);
	assert_int_equal(state_changes_end(c, to), 0);
	assert_int_equal(state_zone_append(st, &apex, NULL, c, done_waiting()), 0);
	assert_int_equal(wait_done(), 0);
}

/* The differences of a chain: 1 to 2, 2 to 3 ..., one string each; NULL ends. */
static void
write_chain(const char *const *chain)
{
	struct model m;
	model_make(1, &m);
	assert_int_equal(put_model(st, "example.", &m), 0);
	for (uint32_t serial = 1; *chain != NULL; serial++)
		append(serial, serial + 1, *chain++, true, true);
}

/* -------- reading -------- */

/* "1>3 -a +b": what a session would be given. */
static const char *
read_way(uint32_t from, uint32_t to)
{
	static char text[1024];
	struct xfr_history_copy *h;
	enum xfr_action action;
	struct zone_record r;
	uint64_t n = 0;
	assert_int_equal(xfr_history_load(st, &apex, from, to, BYTES_MAX, &budget, &h), 0);
	for (int turn = 0; turn < 2; turn++) { /* a stream can begin anew */
		struct xfr_history stream = xfr_history_stream(h);
		int len = 0, rc;
		n = 0;
		while ((rc = stream.next(stream.arg, &action, &r)) == 1) {
			n++;
			bool is_soa = r.type == RRTYPE_SOA;
			char sign = action == XFR_ADD ? '+' : '-';
			if (is_soa)
				len += sprintf(text + len, "%s%c%u", len == 0 ? "" : " ", sign,
					       load_be32(r.rdata + 2));
			else
				len += sprintf(text + len, " %c%c", sign, r.owner[1] - (r.ttl_s == 61 ? 0x20 : 0));
		}
		assert_int_equal(rc, 0);
		assert_int_equal(stream.next(stream.arg, &action, &r), 0);
	}
	assert_int_equal(xfr_history_records(h), n);
	assert_true(atomic_load(&budget.bytes) > 0);
	xfr_history_free(h);
	assert_int_equal(atomic_load(&budget.bytes), 0);
	return text;
}

static int
load_error(uint32_t from, uint32_t to, size_t bytes_max)
{
	struct xfr_history_copy *h = (void *)&budget;
	int err = xfr_history_load(st, &apex, from, to, bytes_max, &budget, &h);
	assert_ptr_equal(h, &budget); /* untouched */
	assert_int_equal(atomic_load(&budget.bytes), 0);
	return err;
}

/* -------- tests -------- */

static void
test_one_difference(void **state)
{
	write_chain((const char *const[]){"-a -b +c +d", NULL});
	assert_string_equal(read_way(1, 2), "-1 -a -b +2 +c +d");
}

static void
test_soa_alone(void **state)
{
	write_chain((const char *const[]){"", "", NULL});
	assert_string_equal(read_way(1, 3), "-1 +3");
}

static void
test_condensed(void **state)
{
	static const char *const chain[] = {"-a +b +c", "-b -d +a +e", "+d +f", "-a -f +b", "-e +A", "-A +a", NULL};
	write_chain(chain);
	assert_string_equal(read_way(1, 2), "-1 -a +2 +b +c");
	assert_string_equal(read_way(1, 3), "-1 -d +3 +c +e"); /* b came and went, a went and came */
	assert_string_equal(read_way(1, 4), "-1 +4 +c +e +f");
	assert_string_equal(read_way(1, 5), "-1 -a +5 +c +e +b");
	assert_string_equal(read_way(1, 6), "-1 -a +6 +c +b +A"); /* another TTL is another record */
	assert_string_equal(read_way(1, 7), "-1 +7 +c +b");
	assert_string_equal(read_way(3, 6), "-3 -a -e +6 +d +b +A");
	assert_string_equal(read_way(6, 7), "-6 -A +7 +a");
}

/* Many records that come and go, so that the table has chains and the blocks grow. */
static void
test_long_chain(void **state)
{
	const char *chain[101] = {NULL};
	static char words[100][27 * 3];
	for (unsigned i = 0; i < 100; i++) {
		int len = 0;
		for (char c = 'a'; c <= 'z'; c++)
			len += sprintf(words[i] + len, "%s%c%c", len == 0 ? "" : " ", i % 2 == 0 ? '+' : '-', c);
		chain[i] = words[i];
	}
	write_chain(chain);
	assert_string_equal(read_way(1, 101), "-1 +101");
	assert_string_equal(read_way(2, 101),
			    "-2 -a -b -c -d -e -f -g -h -i -j -k -l -m -n -o -p -q -r -s -t -u -v -w -x -y -z "
			    "+101");
}

static void
test_no_way(void **state)
{
	write_chain((const char *const[]){"+a", "+b", NULL});
	assert_int_equal(load_error(0, 3, BYTES_MAX), -ENOENT);
	assert_int_equal(load_error(2, 4, BYTES_MAX), -ENOENT);
	assert_int_equal(load_error(3, 2, BYTES_MAX), -ENOENT);
	assert_int_equal(load_error(2, 2, BYTES_MAX), -ENOENT);
	assert_int_equal(drop_zone(st, "example."), 0);
	assert_int_equal(load_error(1, 2, BYTES_MAX), -ENOENT);
}

static void
test_no_differences(void **state)
{
	write_chain((const char *const[]){"+a", NULL});
	append(2, 3, "+b", false, true);
	append(3, 4, "+c", true, false);
	assert_int_equal(load_error(1, 3, BYTES_MAX), -EBADMSG);
	assert_int_equal(load_error(2, 3, BYTES_MAX), -EBADMSG);
	assert_int_equal(load_error(3, 4, BYTES_MAX), -EBADMSG);
	assert_string_equal(read_way(1, 2), "-1 +2 +a");
}

static void
test_limits(void **state)
{
	write_chain((const char *const[]){"+a +b +c", "+d", NULL});
	assert_int_equal(load_error(1, 3, 200), -E2BIG);
	assert_string_equal(read_way(1, 3), "-1 +3 +a +b +c +d");
	budget.max = 2 * 4096 - 1; /* one block each for records and index is what the least takes */
	assert_int_equal(load_error(1, 3, BYTES_MAX), -E2BIG);
	budget.max = 2 * 4096;
	assert_string_equal(read_way(1, 3), "-1 +3 +a +b +c +d");
}

static int
setup(void **state)
{
	fixture_enter();
	st = open_state();
	budget.max = BYTES_MAX;
	return 0;
}

static int
teardown(void **state)
{
	state_close(st);
	fixture_leave();
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_difference), TEST(test_soa_alone), TEST(test_condensed),      TEST(test_long_chain),
		TEST(test_no_way),         TEST(test_limits),    TEST(test_no_differences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
