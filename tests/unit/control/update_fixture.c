/* SPDX-License-Identifier: Apache-2.0 */
/* See update_fixture.h. */
#include "tests/unit/control/update_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "control/state/state_private.h"
#include "control/transfer/zone_dump.h"
#include "tests/fuzz/check.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/change.h"
#include "zones/wire/serial.h"

struct name
update_name(const char *text)
{
	static const struct name root = {.len = 1};
	struct name origin, name;
	CHECK(name_from_text("example", 7, &root, &origin) == NAME_OK);
	CHECK(name_from_text(text, strlen(text), &origin, &name) == NAME_OK);
	return name;
}

static struct served *
serve(struct snapshot *s)
{
	struct served *served = served_new(s, snapshot_bytes(s));
	CHECK(served != NULL);
	return served;
}

struct served *
update_zone(const char *text)
{
	struct name apex = update_name("example.");
	struct diag_list diag = {0};
	struct zonefile_files *files = NULL;
	struct snapshot *s = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	CHECK(b != NULL && zonefile_read_text(text, strlen(text), "text", &apex, b, &diag, &files) == 0);
	CHECK(zone_builder_finish(b, &diag, &s) == 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return serve(s);
}

struct served *
update_zone_file(const char *path, const struct name *origin)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	int err = zonefile_load(path, origin, &diag, &s);
	if (err != 0)
		diag_print(&diag, stderr);
	diag_clear(&diag);
	return err == 0 ? serve(s) : NULL;
}

/* -------- messages -------- */

static const char *
next_word(const char **at, size_t *len)
{
	*at += strspn(*at, " ");
	const char *word = *at;
	*len = strcspn(word, " ");
	*at += *len;
	return word;
}

static size_t
put_name(const char *word, size_t len, uint8_t *out)
{
	char text[NAME_TEXT_MAX];
	CHECK(len < sizeof(text));
	memcpy(text, word, len);
	text[len] = '\0';
	struct name name = update_name(text);
	memcpy(out, name.bytes, name.len);
	return name.len;
}

static unsigned
put_data(uint16_t type, const char *text, uint8_t *out)
{
	struct lexer lex;
	struct rdata_error error;
	struct name origin = update_name("example.");
	text += strspn(text, " ");
	if (*text == '\0')
		return 0;
	lexer_init(&lex, text, strlen(text));
	int len = rdata_from_text(&lex, type, &origin, out, &error);
	CHECK(len >= 0);
	return (unsigned)len;
}

static void
put_line(struct message_writer *w, const char *at)
{
	static uint8_t record[NAME_MAX_LEN + 10 + RDATA_MAX_LEN];
	enum message_section section = *at == 'p'   ? MESSAGE_ANSWER
				       : *at == 'u' ? MESSAGE_AUTHORITY
						    : MESSAGE_ADDITIONAL;
	uint16_t type, rrclass;
	size_t len;
	next_word(&at, &len);
	const char *word = next_word(&at, &len);
	size_t n = put_name(word, len, record);
	unsigned long ttl_s = strtoul(next_word(&at, &len), NULL, 10);
	word = next_word(&at, &len);
	CHECK(rrclass_from_text(word, len, &rrclass) == 0);
	word = next_word(&at, &len);
	CHECK(rrtype_from_text(word, len, &type) == 0);
	unsigned rdlen = put_data(type, at, record + n + 10);
	store_be16(record + n, type);
	store_be16(record + n + 2, rrclass);
	store_be32(record + n + 4, (uint32_t)ttl_s);
	store_be16(record + n + 8, (uint16_t)rdlen);
	CHECK(message_put_raw(w, section, record, n + 10 + rdlen));
}

size_t
update_message(const char *lines, uint8_t out[MESSAGE_MAX_LEN])
{
	static struct message_writer w;
	struct name zone = update_name("example.");
	char line[2048];
	message_begin(&w, out, MESSAGE_MAX_LEN, 4711, OPCODE_UPDATE << 11);
	CHECK(message_put_question(&w, &(struct message_question){zone.bytes, RRTYPE_SOA, RRCLASS_IN}));
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		CHECK(len < sizeof(line));
		memcpy(line, lines, len);
		line[len] = '\0';
		if (len != 0)
			put_line(&w, line);
		lines += len + (lines[len] == '\n');
	}
	return w.len;
}

/* -------- results -------- */

char *
update_dump(const struct snapshot *s)
{
	struct zone_dump *d = zone_dump_new(s);
	char *text = NULL, piece[4096];
	size_t len = 0, n;
	FILE *f = open_memstream(&text, &len);
	CHECK(d != NULL && f != NULL);
	while ((n = zone_dump_next(d, piece, sizeof(piece))) > 0)
		CHECK(fwrite(piece, 1, n, f) == n);
	fclose(f);
	zone_dump_free(d);
	return text;
}

/* Applies changes strictly, as a restart does; SOA records stand first on both sides. */
static void
apply_changes(const struct state_changes *changes, const struct name *apex, struct zone_change *c)
{
	bool was_added = true;
	CHECK(changes->n == 1 && !changes->is_open);
	for (const struct state_value *v = changes->records.first; v != NULL; v = v->next) {
		struct state_records_reader reader;
		struct state_record r;
		bool added, is_first = v == changes->records.first;
		state_records_read(&reader, apex, v->bytes + STATE_PART_HEADER, v->len - STATE_PART_HEADER);
		while (state_records_next(&reader, &added, &r) == 1) {
			CHECK((r.type == RRTYPE_SOA) == (is_first || added != was_added));
			CHECK((added ? zone_change_add(c, r.owner, r.type, r.ttl_s, r.rdata, r.rdlen)
				     : zone_change_remove(c, r.owner, r.type, r.rdata, r.rdlen)) == 0);
			is_first = false;
			was_added = added;
		}
	}
}

static void
check_next(const struct served *base, const struct update_result *result)
{
	struct diag_list diag = {0};
	struct name apex;
	struct snapshot *again;
	struct snapshot_remains *remains;
	name_copy(&apex, node_name(base->snapshot->apex));
	CHECK(result->rcode == RCODE_NOERROR && result->serial == result->next->snapshot->serial);
	CHECK(serial_is_newer(result->serial, base->snapshot->serial));
	CHECK(result->changes->differences[0].from_serial == base->snapshot->serial);
	CHECK(result->changes->differences[0].to_serial == result->serial);
	CHECK(result->changes->records.n_records == result->n_removed + result->n_added);
	struct zone_change *c = zone_change_new(base->snapshot, ZONE_CHANGE_STRICT, &diag);
	CHECK(c != NULL);
	apply_changes(result->changes, &apex, c);
	CHECK(zone_change_finish(c, &again, &remains) == 0);
	char *wanted = update_dump(again), *got = update_dump(result->next->snapshot);
	CHECK(strcmp(wanted, got) == 0);
	free(wanted);
	free(got);
	snapshot_discard(again, remains);
	diag_clear(&diag);
}

void
update_check_result(const struct served *base, struct update_result *result)
{
	CHECK((result->next == NULL) == (result->changes == NULL));
	CHECK((result->why[0] != '\0') == (result->rcode != RCODE_NOERROR));
	if (result->next != NULL)
		check_next(base, result);
	else
		CHECK(result->serial == base->snapshot->serial);
	state_changes_free(result->changes);
	served_free(result->next);
	result->next = NULL;
	result->changes = NULL;
}
