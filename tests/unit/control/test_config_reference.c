/* SPDX-License-Identifier: Apache-2.0 */
/* The schema table itself: every row is written out in both references, documented, and its samples are true. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/config/config_reference.h"
#include "control/config/config_schema.h"

static char *
reference(enum config_reference_format format)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	assert_int_equal(config_reference_print(f, format), 0);
	fclose(f);
	return text;
}

/* Calls fn for every row of every section, once for each place where it can stand. */
static unsigned
each_row(const struct config_section *section,
	 void (*fn)(const struct config_section *section, const struct config_row *row, size_t at, void *arg),
	 void *arg)
{
	const struct config_row *row;
	size_t at;
	unsigned n = 0;
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++) {
		fn(section, row, at, arg);
		n++;
		if (row->section != NULL)
			n += each_row(row->section, fn, arg);
	}
	return n;
}

/* -------- Markdown -------- */

static void
row_is_in_markdown(const struct config_section *section, const struct config_row *row, size_t at, void *arg)
{
	(void)at;
	const char *text = arg;
	char line[256];
	if (section == &config_root) {
		snprintf(line, sizeof(line), "\n## %s\n\n%s\n", row->key, row->section->doc);
		assert_non_null(strstr(text, line));
		return;
	}
	snprintf(line, sizeof(line), " %s\n", section->path);
	const char *heading = strstr(text, line);
	if (heading == NULL)
		fail_msg("no heading for %s", section->path);
	snprintf(line, sizeof(line), "\n| `%s` | ", row->key);
	const char *found = strstr(heading, line);
	const char *next = strstr(heading, "\n#");
	if (found == NULL || (next != NULL && found > next))
		fail_msg("%s of %s is missing", row->key, section->path);
	assert_non_null(strstr(found, row->doc));
}

static void
every_row_is_in_the_markdown(void **state)
{
	(void)state;
	char *text = reference(CONFIG_REFERENCE_MARKDOWN);
	unsigned n = each_row(&config_root, row_is_in_markdown, text);
	assert_true(n > 100);
	assert_non_null(strstr(text, "| `idle-timeout` | duration, 100ms to 1h | `10s` | "));
	assert_non_null(strstr(text, "| `mode` | `kernel`, `af_packet`, `af_xdp`, `dpdk` | `kernel` | "));
	assert_non_null(strstr(text, "| `listen` | list: address or address@port | required | "));
	assert_non_null(strstr(text, "| `primaries` | list: id of `remotes` | none | "));
	free(text);
}

/* -------- JSON Schema -------- */

/* The rows of `section` are the properties of `schema`, and there are no others. */
static void
check_schema(const struct config_section *section, const json_t *schema)
{
	const json_t *properties = json_object_get(schema, "properties");
	const struct config_row *row;
	size_t at;
	unsigned n = 0;
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	for (; (row = config_section_row(section, n, &at)) != NULL; n++) {
		const json_t *property = json_object_get(properties, row->key);
		if (property == NULL)
			fail_msg("%s of %s is missing", row->key, section->path);
		assert_true(json_is_string(json_object_get(property, "description")));
		const char *preset = json_string_value(json_object_get(property, "default"));
		if (row->preset != NULL)
			assert_string_equal(preset, row->preset);
		else
			assert_null(preset);
		if (row->section != NULL)
			check_schema(row->section,
				     row->flags & CONFIG_LIST ? json_object_get(property, "items") : property);
	}
	assert_int_equal(json_object_size(properties), n);
}

static void
every_row_is_in_the_json_schema(void **state)
{
	(void)state;
	char *text = reference(CONFIG_REFERENCE_JSON_SCHEMA);
	json_error_t error;
	json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (schema == NULL)
		fail_msg("%d:%d: %s", error.line, error.column, error.text);
	check_schema(&config_root, schema);
	assert_string_equal(json_string_value(json_array_get(json_object_get(schema, "required"), 0)), "server");
	json_decref(schema);
	free(text);
}

/* -------- rows -------- */

static void
row_is_well_made(const struct config_section *section, const struct config_row *row, size_t at, void *arg)
{
	(void)arg;
	const char *doc = row->doc != NULL ? row->doc : row->section->doc;
	for (const char *c = row->key; *c != '\0'; c++)
		assert_true(islower((unsigned char)*c) || *c == '-');
	if (!isupper((unsigned char)doc[0]) || doc[strlen(doc) - 1] != '.')
		fail_msg("the text of %s in %s is no sentence", row->key, section->path);
	assert_true(at + row->offset < section->size);
	/* Messages show how a value is written: there must be a sample, if only the default. */
	if (section != &config_root && row->preset == NULL && row->example == NULL)
		fail_msg("%s of %s has no example", row->key, section->path);
	assert_true(row->min <= row->max);
	assert_int_equal(row->kind == CONFIG_KIND_WORD, row->words != NULL);
	assert_int_equal(row->kind == CONFIG_KIND_SECTION, row->section != NULL);
	if (row->target != NULL)
		assert_true(config_section_find(&config_root, row->target)->flags & CONFIG_LIST);
	if (row->kind == CONFIG_KIND_SECTION && (row->flags & CONFIG_LIST))
		assert_non_null(row->section->what);
}

static void
every_row_is_well_made(void **state)
{
	(void)state;
	each_row(&config_root, row_is_well_made, NULL);
}

/* Reads `key: sample` through a section that has this row alone. */
static void
check_sample(struct config_reader *r, const struct config_section *section, const struct config_row *row, size_t at,
	     const char *sample)
{
	struct config_section alone = {.path = section->path, .size = section->size, .parts = {{row, 1, at}}};
	struct config_arena arena = {0};
	struct diag_list diag = {0};
	struct config_node *root = NULL;
	char text[256];
	int len = snprintf(text, sizeof(text), "%s: %s\n", row->key, sample);
	void *value = calloc(1, section->size);
	assert_int_equal(config_yaml_parse("sample", text, (size_t)len, &arena, &diag, &root), 0);
	r->diag = &diag;
	r->arena = &arena;
	config_read_section(r, &alone, root, value, false);
	if (diag.n != 0)
		fail_msg("sample \"%s\" of %s: %s", sample, section->path, diag.items[0].message);
	free(value);
	diag_clear(&diag);
	config_arena_wipe(&arena);
}

static void
row_samples_are_true(const struct config_section *section, const struct config_row *row, size_t at, void *arg)
{
	struct config_reader *r = arg;
	char quoted[64];
	/* Files named in examples are not there to be read. */
	if (row->example != NULL && strcmp(section->path, "remotes") != 0)
		check_sample(r, section, row, at, row->example);
	if (row->preset == NULL)
		return;
	snprintf(quoted, sizeof(quoted), "\"%s\"", row->preset);
	check_sample(r, section, row, at, quoted);
}

static void
every_example_and_default_is_good(void **state)
{
	(void)state;
	/* What the examples refer to. */
	struct config_key keys[] = {{.id = "fleet"}};
	struct config_remote remotes[] = {{.id = "hidden"}, {.id = "sec1"}};
	struct config_acl acls[] = {{.id = "xfr"}, {.id = "ops"}, {.id = "upd"}};
	struct config_template templates[] = {{.id = "customer"}};
	struct config config = {.keys = keys,
				.n_keys = 1,
				.remotes = remotes,
				.n_remotes = 2,
				.acls = acls,
				.n_acls = 3,
				.templates = templates,
				.n_templates = 1};
	struct config_reader r = {.path = "sample", .dir = "", .config = &config};
	each_row(&config_root, row_samples_are_true, &r);
}

static void
a_full_disk_is_an_error(void **state)
{
	(void)state;
	FILE *full = fopen("/dev/full", "w");
	assert_non_null(full);
	assert_int_equal(config_reference_print(full, CONFIG_REFERENCE_MARKDOWN), -EIO);
	fclose(full);
	full = fopen("/dev/full", "w");
	assert_int_equal(config_reference_print(full, CONFIG_REFERENCE_JSON_SCHEMA), -EIO);
	fclose(full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_in_the_markdown), cmocka_unit_test(every_row_is_in_the_json_schema),
		cmocka_unit_test(every_row_is_well_made),       cmocka_unit_test(every_example_and_default_is_good),
		cmocka_unit_test(a_full_disk_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
