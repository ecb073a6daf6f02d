/* SPDX-License-Identifier: Apache-2.0 */
/* Query files with their faults, and the check of replies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/blast/check.h"
#include "bench/blast/questions.h"
#include "dataplane/frame_private.h"
#include "zones/base/bytes.h"
#include "zones/wire/message.h"
#include "zones/wire/rrtype.h"

static struct questions q;
static struct diag_list diag;
static char path[64];

static int
setup(void **state)
{
	q = (struct questions){0};
	strcpy(path, "/tmp/blast-questions-XXXXXX");
	return 0;
}

static int
teardown(void **state)
{
	questions_free(&q);
	diag_clear(&diag);
	unlink(path);
	return 0;
}

static int
read_text(const char *text, struct question_style style)
{
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return questions_read(&q, path, &style, &diag);
}

/* Query i must be a whole message with this question, and this OPT record or none (0). */
static void
assert_query(uint32_t i, const char *name, uint16_t type, unsigned edns_size, bool dnssec)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	char text[NAME_TEXT_MAX];
	struct message_reader r;
	struct message_question question;
	struct message_record opt;
	assert_int_equal(message_open(&r, question_message(&q, i), q.items[i].len), MESSAGE_OK);
	assert_int_equal(r.flags, 0);
	assert_int_equal(message_next_question(&r, &question), MESSAGE_OK);
	name_to_text(question.name, text);
	assert_string_equal(text, name);
	assert_int_equal(question.type, type);
	assert_int_equal(question.rrclass, RRCLASS_IN);
	if (edns_size > 0) {
		assert_int_equal(message_next(&r, rdata, &opt), MESSAGE_OK);
		assert_int_equal(opt.type, RRTYPE_OPT);
		assert_int_equal(opt.rrclass, edns_size);
		assert_int_equal(opt.ttl_s, dnssec ? 0x8000 : 0);
	}
	assert_int_equal(message_next(&r, rdata, &opt), MESSAGE_END);
	assert_int_equal(q.items[i].sum, checksum_fold(checksum_sum(question_message(&q, i), q.items[i].len)));
}

static void
good_lines_become_queries(void **state)
{
	const char *text = "www.example. A\n"
			   "\n"
			   "; a comment\n"
			   "# another one\n"
			   "  Example\tmx  \n"
			   "a\\.b.example. TYPE65280 E\n"
			   ". NS D";
	assert_int_equal(read_text(text, (struct question_style){0}), 0);
	assert_int_equal(q.n, 4);
	assert_query(0, "www.example.", RRTYPE_A, 0, false);
	assert_query(1, "Example.", RRTYPE_MX, 0, false);
	assert_query(2, "a\\.b.example.", 65280, 1232, false);
	assert_query(3, ".", RRTYPE_NS, 1232, true);
}

static void
the_style_is_that_of_all(void **state)
{
	assert_int_equal(read_text("a. A\nb. A E\n", (struct question_style){.edns_size = 4096, .dnssec = true}),
			 0);
	assert_query(0, "a.", RRTYPE_A, 4096, true);
	assert_query(1, "b.", RRTYPE_A, 4096, true);
	struct name name = {.len = 1};
	assert_int_equal(questions_add(&q, &name, RRTYPE_A, &(struct question_style){.dnssec = true}), 0);
	assert_query(2, ".", RRTYPE_A, 1232, true); /* DO needs EDNS */
}

static void
assert_fault(unsigned i, uint32_t line, uint32_t column)
{
	assert_true(i < diag.n);
	assert_string_equal(diag.items[i].file, path);
	assert_int_equal(diag.items[i].line, line);
	assert_int_equal(diag.items[i].column, column);
}

static void
every_fault_is_told_with_its_place(void **state)
{
	const char *text = "a..b. A\n"
			   "fine. A\n"
			   "  lonely.\n"
			   "a. NOTYPE\n"
			   "a. A X\n"
			   "a. A D D\n";
	assert_int_equal(read_text(text, (struct question_style){0}), -EINVAL);
	assert_int_equal(diag.n_errors, 5);
	assert_fault(0, 1, 1);
	assert_fault(1, 3, 3);
	assert_fault(2, 4, 4);
	assert_fault(3, 5, 6);
	assert_fault(4, 6, 6);
}

static void
files_without_queries_are_faults(void **state)
{
	assert_int_equal(read_text("; nothing\n", (struct question_style){0}), -ENODATA);
	assert_int_equal(questions_read(&q, "/nowhere/at/all", &(struct question_style){0}, &diag), -ENOENT);
	assert_int_equal(diag.n_errors, 2);
}

/* -------- replies -------- */

static uint8_t reply[QUESTION_MAX_LEN];
static uint32_t reply_len;

/* The reply to query 0 as a good server gives it, without records. */
static void
make_reply(void)
{
	reply_len = 12 + question_section_len(question_message(&q, 0), q.items[0].len);
	memcpy(reply, question_message(&q, 0), reply_len);
	store_be16(reply + 2, 0x8400);
	store_be16(reply + 10, 0);
}

static enum check_result
check(enum check_depth depth)
{
	return check_reply(reply, reply_len, question_message(&q, 0), q.items[0].len, depth);
}

static void
good_replies_are_good(void **state)
{
	assert_int_equal(read_text("wWw.example. A\n", (struct question_style){.edns_size = 512}), 0);
	make_reply();
	assert_int_equal(check(CHECK_BASIC), CHECK_GOOD);
	assert_int_equal(check(CHECK_FULL), CHECK_GOOD);
	for (unsigned i = 12; i < reply_len - 4; i++)
		reply[i] = name_lower_octet(reply[i]);
	assert_int_equal(check(CHECK_FULL), CHECK_GOOD);
}

static void
each_octet_of_the_question_counts(void **state)
{
	assert_int_equal(read_text("www.example. A\n", (struct question_style){.edns_size = 512}), 0);
	for (unsigned i = 12; i < 12 + 13 + 4; i++) {
		make_reply();
		reply[i] ^= 1;
		assert_int_equal(check(CHECK_BASIC), CHECK_QUESTION);
	}
	make_reply();
	store_be16(reply + 4, 0);
	assert_int_equal(check(CHECK_BASIC), CHECK_QUESTION);
}

static void
wrong_headers_are_wrong(void **state)
{
	assert_int_equal(read_text("www.example. A\n", (struct question_style){0}), 0);
	make_reply();
	reply[2] = 0x04;
	assert_int_equal(check(CHECK_BASIC), CHECK_QUERY);
	assert_int_equal(check(CHECK_ECHO), CHECK_GOOD);
	reply[2] = 0xa4; /* NOTIFY */
	assert_int_equal(check(CHECK_BASIC), CHECK_QUERY);
	make_reply();
	reply_len--;
	assert_int_equal(check(CHECK_BASIC), CHECK_SHORT);
	reply_len = 12;
	assert_int_equal(check(CHECK_BASIC), CHECK_SHORT);
}

static void
full_checks_look_further(void **state)
{
	assert_int_equal(read_text("www.example. A\n", (struct question_style){0}), 0);
	make_reply();
	reply[3] = 3;
	assert_int_equal(check(CHECK_FULL), CHECK_GOOD);
	reply[3] = 5;
	assert_int_equal(check(CHECK_BASIC), CHECK_GOOD);
	assert_int_equal(check(CHECK_FULL), CHECK_RCODE);
	make_reply();
	reply[reply_len++] = 0;
	assert_int_equal(check(CHECK_BASIC), CHECK_GOOD);
	assert_int_equal(check(CHECK_FULL), CHECK_SECTIONS);
	make_reply();
	reply[7] = 1; /* an answer that is not there */
	assert_int_equal(check(CHECK_FULL), CHECK_SECTIONS);
}

int
main(void)
{
#define QUESTION_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		QUESTION_TEST(good_lines_become_queries),
		QUESTION_TEST(the_style_is_that_of_all),
		QUESTION_TEST(every_fault_is_told_with_its_place),
		QUESTION_TEST(files_without_queries_are_faults),
		QUESTION_TEST(good_replies_are_good),
		QUESTION_TEST(each_octet_of_the_question_counts),
		QUESTION_TEST(wrong_headers_are_wrong),
		QUESTION_TEST(full_checks_look_further),
	};
	return cmocka_run_group_tests_name("blast-questions", tests, NULL, NULL);
}
