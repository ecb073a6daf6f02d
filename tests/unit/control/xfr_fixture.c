/* SPDX-License-Identifier: Apache-2.0 */
/* See xfr_fixture.h. */
#include "tests/unit/control/xfr_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/base/bytes.h"

static const struct name apex = {.len = 9, .bytes = "\7example"};

struct name
xfr_name(const char *text)
{
	struct name n;
	if (strcmp(text, ".") == 0)
		return (struct name){.len = 1};
	assert_int_equal(name_from_text(text, strlen(text), &apex, &n), NAME_OK);
	return n;
}

/* Ends the message that is being written. */
static void
finish(struct xfr_messages *m, const struct message_writer *w)
{
	struct xfr_message *message = &m->message[m->n++];
	assert_true(m->n < XFR_MESSAGES_MAX);
	message->len = w->len;
	message->octets = malloc(w->len);
	assert_non_null(message->octets);
	memcpy(message->octets, w->out, w->len);
}

static void
begin(struct message_writer *w, uint8_t *out, uint16_t qtype)
{
	message_begin(w, out, MESSAGE_MAX_LEN, XFR_ID, FLAG_QR | FLAG_AA);
	assert_true(message_put_question(w, &(struct message_question){apex.bytes, qtype, RRCLASS_IN}));
}

static void
put_line(struct message_writer *w, const char *line, size_t len)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	char text[2000], owner_text[256] = "@", type_text[32] = "SOA", data[2048];
	struct message_record r = {.rdata = rdata, .ttl_s = 300, .rrclass = RRCLASS_IN, .section = MESSAGE_ANSWER};
	struct rdata_error err = {0};
	struct lexer lex;
	snprintf(text, sizeof(text), "%.*s", (int)len, line);
	if (text[0] == '@' && text[1] >= '0' && text[1] <= '9')
		snprintf(data, sizeof(data), "ns h %s 2 3 4 5", text + 1);
	else
		assert_int_equal(sscanf(text, "%255s %31s %2047[^\n]", owner_text, type_text, data), 3);
	struct name owner = xfr_name(owner_text);
	r.owner = owner.bytes;
	assert_int_equal(rrtype_from_text(type_text, strlen(type_text), &r.type), 0);
	lexer_init(&lex, data, strlen(data));
	int n = rdata_from_text(&lex, r.type, &apex, rdata, &err);
	if (n < 0)
		fail_msg("%s: %s", text, err.message);
	r.rdlen = (uint16_t)n;
	assert_true(message_put(w, &r));
}

void
xfr_messages_make(struct xfr_messages *m, uint16_t qtype, const char *script)
{
	static struct message_writer w;
	static uint8_t out[MESSAGE_MAX_LEN];
	m->n = 0;
	begin(&w, out, qtype);
	for (size_t len; *script != '\0'; script += len + (script[len] == '\n')) {
		len = strcspn(script, "\n");
		if (len == 3 && memcmp(script, "---", 3) == 0) {
			finish(m, &w);
			begin(&w, out, qtype);
		} else {
			put_line(&w, script, len);
		}
	}
	finish(m, &w);
}

void
xfr_messages_free(struct xfr_messages *m)
{
	while (m->n > 0)
		free(m->message[--m->n].octets);
}

/* -------- callbacks as text -------- */

PRINTF_LIKE(2, 3)
static int
note(struct xfr_log *log, const char *fmt, ...)
{
	va_list args;
	if (++log->events == log->fail_at)
		return -ENOSPC;
	va_start(args, fmt);
	int n = vsnprintf(log->text + log->len, sizeof(log->text) - log->len, fmt, args);
	va_end(args);
	assert_in_range(n, 0, sizeof(log->text) - log->len - 1);
	log->len += (size_t)n;
	return 0;
}

static void
on_expect(void *arg, const uint8_t *owner)
{
	struct xfr_log *log = arg;
	assert_true(name_check(owner, NAME_MAX_LEN) > 0);
	assert_true(log->n_expected < ARRAY_LEN(log->expected));
	name_copy(&log->expected[(log->first_expected + log->n_expected++) % ARRAY_LEN(log->expected)], owner);
	if (log->n_expected > log->most_expected)
		log->most_expected = log->n_expected;
}

/* A record comes: of those that were announced it should be the next one. */
static void
meet(struct xfr_log *log, const uint8_t *owner)
{
	if (log->n_expected == 0 || !name_equal(log->expected[log->first_expected].bytes, owner)) {
		log->n_unexpected++;
		return;
	}
	log->first_expected = (log->first_expected + 1) % ARRAY_LEN(log->expected);
	log->n_expected--;
}

/* As in a script: what a script says comes back as the same line. */
static int
note_record(struct xfr_log *log, char sign, const struct zone_record *r)
{
	static char data[4 * RDATA_MAX_LEN];
	char owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	meet(log, r->owner);
	assert_int_equal(rdata_check(r->type, r->rdata, r->rdlen, NULL), 0);
	if (r->type == RRTYPE_SOA && name_equal(r->owner, apex.bytes))
		return note(log, "%c@%u\n", sign, load_be32(r->rdata + r->rdlen - 20));
	name_to_text(r->owner, owner);
	char *end = strstr(owner, ".example.");
	if (end != NULL)
		*end = '\0';
	rrtype_to_text(r->type, type);
	assert_true(rdata_to_text(r->type, r->rdata, r->rdlen, data, sizeof(data)) >= 0);
	return note(log, "%c%s %s %s\n", sign, owner, type, data);
}

static int
on_axfr(void *arg)
{
	return note(arg, "axfr\n");
}

static int
on_add(void *arg, const struct zone_record *r)
{
	return note_record(arg, '+', r);
}

static int
on_remove(void *arg, const struct zone_record *r)
{
	return note_record(arg, '-', r);
}

static int
on_begin(void *arg, uint32_t from)
{
	return note(arg, "from %u\n", from);
}

static int
on_end(void *arg, uint32_t from, uint32_t to)
{
	return note(arg, "%u to %u\n", from, to);
}

struct xfr_in_events
xfr_log_events(struct xfr_log *log)
{
	return (struct xfr_in_events){.axfr_begin = on_axfr,
				      .axfr_add = on_add,
				      .ixfr_begin = on_begin,
				      .ixfr_remove = on_remove,
				      .ixfr_add = on_add,
				      .ixfr_end = on_end,
				      .ixfr_expect = on_expect,
				      .arg = log};
}

struct xfr_in_query
xfr_query(uint16_t qtype, uint32_t serial)
{
	return (struct xfr_in_query){
		.apex = apex, .id = XFR_ID, .qtype = qtype, .has_serial = serial != 0, .serial = serial};
}

int
xfr_run(const struct xfr_in_query *query, const struct xfr_messages *m, struct xfr_log *log,
	struct xfr_in_result *result, char diag_text[1024])
{
	struct xfr_in_events events = xfr_log_events(log);
	struct xfr_in *x = xfr_in_new(query, &events);
	struct diag_list diag = {0};
	int err = 0;
	assert_non_null(x);
	log->len = log->events = 0;
	log->first_expected = log->n_expected = log->most_expected = log->n_unexpected = 0;
	log->text[0] = diag_text[0] = '\0';
	for (unsigned i = 0; i < m->n && err == 0; i++)
		err = xfr_in_message(x, m->message[i].octets, m->message[i].len, &diag);
	*result = xfr_in_result(x);
	if (diag.n > 0)
		snprintf(diag_text, 1024, "%s", diag.items[0].message);
	assert_int_equal(diag.n, err != 0 && result->state != XFR_IN_FAILED);
	diag_clear(&diag);
	xfr_in_free(x);
	return err;
}
