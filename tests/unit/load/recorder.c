/* SPDX-License-Identifier: Apache-2.0 */
/* A zone builder that only takes notes. See recorder.h. */
#include "tests/unit/load/recorder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/wire/rdata.h"
#include "zones/wire/rrtype.h"

unsigned recorder_fail_at;
bool recorder_places;

struct zone_builder {
	struct name apex;
	uint64_t n;
	char *text;
	size_t text_len;
	FILE *out;
};

struct zone_builder *
zone_builder_new(const struct name *apex)
{
	struct zone_builder *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->apex = *apex;
	b->out = open_memstream(&b->text, &b->text_len);
	assert_non_null(b->out);
	return b;
}

int
zone_builder_add(struct zone_builder *b, const struct name *owner, uint16_t type, uint32_t ttl_s,
		 const uint8_t *rdata, uint16_t rdlen, const struct record_place *place)
{
	static _Thread_local char data[4 * RDATA_MAX_LEN]; /* chunks are read by several threads */
	char owner_text[NAME_TEXT_MAX], type_text[RRTYPE_TEXT_MAX];

	if (recorder_fail_at != 0 && --recorder_fail_at == 0)
		return -ENOMEM;
	if (!name_is_under(owner->bytes, b->apex.bytes))
		return -ERANGE;
	assert_int_equal(rdata_check(type, rdata, rdlen, NULL), 0);
	name_to_text(owner->bytes, owner_text);
	rrtype_to_text(type, type_text);
	assert_true(rdata_to_text(type, rdata, rdlen, data, sizeof(data)) >= 0);
	fprintf(b->out, "%s %u %s %s", owner_text, ttl_s, type_text, data);
	if (recorder_places)
		fprintf(b->out, " @%s:%u:%u", place->file, place->line, place->column);
	fputc('\n', b->out);
	b->n++;
	return 0;
}

int
zone_builder_expect(struct zone_builder *b, uint64_t records)
{
	return 0;
}

int
zone_builder_join(struct zone_builder *b, struct zone_builder *part)
{
	fflush(part->out);
	fputs(part->text, b->out);
	b->n += part->n;
	zone_builder_abort(part);
	return 0;
}

uint64_t
zone_builder_records(const struct zone_builder *b)
{
	return b->n;
}

void
zone_builder_abort(struct zone_builder *b)
{
	if (b == NULL)
		return;
	fclose(b->out);
	free(b->text);
	free(b);
}

/* These tests end before a zone would be finished. */
int
zone_builder_finish(struct zone_builder *b, struct diag_list *diag, struct snapshot **out)
{
	(void)diag;
	(void)out;
	zone_builder_abort(b);
	return -EINVAL;
}

static struct name
example_com(void)
{
	struct name n;
	assert_int_equal(name_from_text("example.com.", 12, NULL, &n), NAME_OK);
	return n;
}

static char *
faults_of(const struct diag_list *diag)
{
	char *text, line[2048];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	for (unsigned i = 0; i < diag->n; i++) {
		diag_format(&diag->items[i], line, sizeof(line));
		fprintf(out, "%s\n", line);
	}
	fclose(out);
	return text;
}

static char *
names_of(const struct zonefile_files *files)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	for (; files != NULL; files = zonefile_files_next(files))
		fprintf(out, "%s\n", zonefile_files_name(files));
	fclose(out);
	return text;
}

static struct reading
reading_of(const char *text, size_t len, const char *path, const struct zonefile_how *how)
{
	struct name origin = example_com();
	struct zone_builder *b = zone_builder_new(&origin);
	struct diag_list diag = {0};
	struct zonefile_files *files;
	struct reading reading;

	if (path != NULL)
		reading.rc = zonefile_read(path, &origin, how, b, &diag, &files);
	else
		reading.rc = zonefile_read_text_with(text, len, "z", &origin, how, b, &diag, &files);
	fflush(b->out);
	reading.records = strdup(b->text);
	reading.faults = faults_of(&diag);
	reading.files = names_of(files);
	reading.n_errors = diag.n_errors;
	zone_builder_abort(b);
	zonefile_files_free(files);
	diag_clear(&diag);
	return reading;
}

struct reading
reading_of_text(const char *text)
{
	return reading_of(text, strlen(text), NULL, NULL);
}

struct reading
reading_of_file(const char *path)
{
	return reading_of(NULL, 0, path, NULL);
}

struct reading
reading_in_chunks(const char *text, size_t len, const struct zonefile_how *how)
{
	return reading_of(text, len, NULL, how);
}

void
reading_free(struct reading *reading)
{
	free(reading->records);
	free(reading->faults);
	free(reading->files);
}

void
assert_reading(const char *text, const char *records, const char *faults)
{
	struct reading reading = reading_of_text(text);

	assert_string_equal(reading.faults, faults);
	assert_string_equal(reading.records, records);
	assert_int_equal(reading.rc, reading.n_errors > 0 ? -EINVAL : 0);
	reading_free(&reading);
}

void
assert_records(const char *text, const char *records)
{
	assert_reading(text, records, "");
}
