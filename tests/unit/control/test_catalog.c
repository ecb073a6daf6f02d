/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalog zones: scripts of configurations and versions of catalogs, each with what must be told of it; see
 * catalog/.
 *
 *     config                   a configuration: the lines that follow, as YAML
 *     load CATALOG             its next version: the lines that follow, as a zone file; SOA and NS are put before
 * them restore CATALOG NAME ID [GROUP] =                        what must come of it, sorted: `+` added, `-`
 * removed, `!` reset, `~` changed, with catalog, ID and template; warnings and errors
 *
 * Each version is read three times: as a difference by the catalogs, as a difference by itself, and as a whole.
 */
#include "tests/unit/control/control_fixture.h"

#include <ctype.h>
#include <errno.h>

#include "control/zone/catalog.h"
#include "control/zone/catalog_produce.h"
#include "control/zone/catalogs.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"

#define CATALOGS_MAX 4
#define LINES_MAX 64

/* A catalog beside `catalogs`, by itself. */
struct alone {
	struct name apex;
	struct snapshot *current;
	struct catalog_members members;
	uint32_t serial;
};

struct run {
	struct catalogs *catalogs;
	struct config *config;
	struct alone alone[CATALOGS_MAX];
	unsigned n_alone;
	char *lines[LINES_MAX]; /* what was told */
	unsigned n_lines;
	struct diag_list diag;
};

/* -------- what is told -------- */

PRINTF_LIKE(2, 3)
static void
told(struct run *run, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	assert_true(run->n_lines < LINES_MAX);
	assert_true(vasprintf(&run->lines[run->n_lines++], fmt, args) > 0);
	va_end(args);
}

static void
told_zone(struct run *run, char what, const struct catalogs_zone *z)
{
	char name[NAME_TEXT_MAX], apex[NAME_TEXT_MAX];
	const uint8_t *id = catalog_member_id(z->member);
	name_to_text(catalog_member_name(z->member), name);
	name_to_text(z->member->members->apex.bytes, apex);
	assert_int_equal(z->settings->role, CONFIG_SECONDARY);
	assert_int_equal(z->settings->n_primaries, 1);
	told(run, "%c %s %s %.*s %s", what, name, apex, id[0], id + 1,
	     z->settings->template ? z->settings->template->id : "-");
}

static void
told_add(void *arg, const struct catalogs_zone *z)
{
	told_zone(arg, '+', z);
}

static void
told_reset(void *arg, const struct catalogs_zone *z)
{
	told_zone(arg, '!', z);
}

static void
told_change(void *arg, const struct catalogs_zone *z)
{
	told_zone(arg, '~', z);
}

static void
told_remove(void *arg, const uint8_t *name)
{
	char text[NAME_TEXT_MAX];
	name_to_text(name, text);
	told(arg, "- %s", text);
}

static void
told_diag(struct run *run)
{
	for (unsigned i = 0; i < run->diag.n; i++)
		told(run, "%s: %s", run->diag.items[i].severity == DIAG_ERROR ? "broken" : "warning",
		     run->diag.items[i].message);
	diag_clear(&run->diag);
}

static void
run_begin(struct run *run)
{
	const struct catalogs_events events = {
		.add = told_add, .remove = told_remove, .reset = told_reset, .change = told_change, .arg = run};
	*run = (struct run){0};
	assert_int_equal(catalogs_new(&events, &run->catalogs), 0);
}

static void
run_end(struct run *run)
{
	catalogs_free(run->catalogs);
	config_free(run->config);
	for (unsigned i = 0; i < run->n_alone; i++) {
		snapshot_free(run->alone[i].current);
		catalog_members_clear(&run->alone[i].members);
	}
}

/* -------- versions -------- */

static struct snapshot *
snapshot_of(const struct name *apex, uint32_t serial, const char *lines)
{
	char *text = NULL;
	struct zonefile_files *files;
	struct snapshot *s = NULL;
	struct diag_list diag = {0};
	struct zone_builder *b = zone_builder_new(apex);
	int len = asprintf(&text, "$TTL 0\n@ SOA invalid. invalid. %u 1 1 1 1\n@ NS invalid.\n%s", serial, lines);
	int err = zonefile_read_text(text, (size_t)len, "text", apex, b, &diag, &files);
	diag_print(&diag, stderr);
	assert_int_equal(err, 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	free(text);
	return s;
}

static struct alone *
alone_of(struct run *run, const struct name *apex)
{
	for (unsigned i = 0; i < run->n_alone; i++)
		if (name_equal(run->alone[i].apex.bytes, apex->bytes))
			return &run->alone[i];
	struct alone *a = &run->alone[run->n_alone++];
	assert_true(run->n_alone <= CATALOGS_MAX);
	a->apex = *apex;
	catalog_members_init(&a->members, apex);
	return a;
}

static int
check_has(const struct names_entry *e, void *arg)
{
	const struct catalog_members *others = arg;
	const struct catalog_member *m = (const struct catalog_member *)e;
	const struct catalog_member *other = catalog_members_find(others, catalog_member_name(m));
	assert_non_null(other);
	assert_int_equal(m->size, other->size);
	assert_memory_equal(&m->size, &other->size, m->size - offsetof(struct catalog_member, size));
	return 0;
}

/* As a difference by itself: the same as the whole. */
static void
read_alone(struct alone *a, const struct snapshot *next)
{
	struct catalog_members whole;
	struct catalog_update update;
	struct diag_list diag = {0};
	catalog_members_init(&whole, &a->apex);
	int err = catalog_update_make(&whole, NULL, next, &update, &diag);
	if (err == 0) {
		catalog_update_commit(&whole, &update);
	}
	assert_int_equal(catalog_update_make(&a->members, a->current, next, &update, &diag), err);
	if (err == 0)
		catalog_update_commit(&a->members, &update);
	else
		a->members.has_serial = false;
	assert_int_equal(diag.n_errors, err ? 2 : 0);
	if (err)
		assert_string_equal(diag.items[0].message, diag.items[1].message);
	else
		assert_int_equal(whole.names.count, a->members.names.count);
	if (err == 0)
		names_walk(&whole.names, check_has, &a->members);
	catalog_members_clear(&whole);
	diag_clear(&diag);
}

/* Told one by one: what a slice has told must not hang on what comes in the next one. */
static void
commit(struct run *run, struct catalogs_change *change)
{
	catalogs_commit(run->catalogs, change);
	while (!catalogs_tell(run->catalogs, change, 1))
		;
}

static void
load(struct run *run, const char *catalog, const char *lines)
{
	struct name apex = fixture_name(catalog);
	struct alone *a = alone_of(run, &apex);
	struct snapshot *next = snapshot_of(&apex, ++a->serial, lines);
	struct catalogs_change *change;
	read_alone(a, next);
	int err = catalogs_prepare(run->catalogs, &apex, a->current, next, &change, &run->diag);
	if (err == 0)
		commit(run, change);
	else
		catalogs_fail(run->catalogs, &apex, run->diag.items[0].message);
	for (unsigned i = 0; i < catalogs_count(run->catalogs); i++) {
		struct catalogs_status status = catalogs_status(run->catalogs, i);
		if (!name_equal(status.apex->bytes, apex.bytes))
			continue;
		assert_string_equal(status.why, err ? run->diag.items[0].message : "");
		if (err == 0)
			assert_int_equal(status.members, a->members.names.count);
	}
	snapshot_free(a->current);
	a->current = next;
}

static void
configure(struct run *run, const char *lines)
{
	struct config *config = fixture_config(lines);
	struct catalogs_change *change;
	assert_int_equal(catalogs_prepare_config(run->catalogs, config, &change, &run->diag), 0);
	commit(run, change);
	config_free(run->config);
	run->config = config;
}

static void
restore(struct run *run, const char *words)
{
	char catalog[100], zone[100], id[100], group[100] = "";
	uint8_t label[64], groups[100];
	assert_true(sscanf(words, "%99s %99s %99s %97s", catalog, zone, id, group) >= 3);
	struct name apex = fixture_name(catalog), name = fixture_name(zone);
	label[0] = (uint8_t)strlen(id);
	memcpy(label + 1, id, label[0]);
	store_be16(groups, (uint16_t)strlen(group));
	memcpy(groups + 2, group, strlen(group));
	struct catalog_member_parts parts = {.name = &name, .id = label, .groups = groups};
	parts.n_groups = group[0] != '\0';
	parts.groups_len = parts.n_groups ? 2 + strlen(group) : 0;
	int err = catalogs_restore(run->catalogs, &apex, &parts);
	if (err)
		told(run, "restore: %s", strerror(-err));
}

/* -------- scripts -------- */

static int
compare_lines(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	/* By what comes behind the sign, as the scripts have it. */
	const char *p = (*x)[1] == ' ' ? *x + 2 : *x, *q = (*y)[1] == ' ' ? *y + 2 : *y;
	bool px = p != *x, qx = q != *y;
	return px != qx ? qx - px : strcmp(p, q);
}

static void
expect(struct run *run, const char *file, unsigned line, const char *expected)
{
	char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);
	told_diag(run);
	qsort(run->lines, run->n_lines, sizeof(run->lines[0]), compare_lines);
	for (unsigned i = 0; i < run->n_lines; i++) {
		fprintf(f, "%s\n", run->lines[i]);
		free(run->lines[i]);
	}
	run->n_lines = 0;
	fclose(f);
	char *wanted[LINES_MAX], *copy = strdup(expected), *rest = NULL;
	unsigned n = 0;
	for (char *l = strtok_r(copy, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest))
		wanted[n++] = l;
	qsort(wanted, n, sizeof(wanted[0]), compare_lines);
	char *sorted = NULL;
	f = open_memstream(&sorted, &len);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s\n", wanted[i]);
	fclose(f);
	if (strcmp(got, sorted) != 0)
		fail_msg("%s:%u: told\n%sand not\n%s", file, line, got, sorted);
	free(got);
	free(sorted);
	free(copy);
}

static void
step(struct run *run, const char *what, const char *lines)
{
	if (strcmp(what, "config") == 0)
		configure(run, lines);
	else if (strncmp(what, "load ", 5) == 0)
		load(run, what + 5, lines);
	else if (strncmp(what, "restore ", 8) == 0)
		restore(run, what + 8);
	else
		fail_msg("what is \"%s\"?", what);
}

static bool
is_directive(const char *line)
{
	return strcmp(line, "config") == 0 || strncmp(line, "load ", 5) == 0 || strncmp(line, "restore ", 8) == 0;
}

static void
run_script(const char *path)
{
	struct run run;
	char what[200] = "", block[8192] = "", line[512];
	bool expecting = false, more = true;
	unsigned n = 0, at = 0;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	run_begin(&run);
	while (more) {
		more = fgets(line, sizeof(line), f) != NULL;
		line[more ? strcspn(line, "\n") : 0] = '\0';
		n++;
		if (more && line[0] == '#')
			continue;
		if (!more || is_directive(line)) {
			if (expecting)
				expect(&run, path, at, block);
			expecting = false;
			strcpy(what, line);
			at = n;
			block[0] = '\0';
		} else if (strcmp(line, "=") == 0) {
			step(&run, what, block);
			expecting = true;
			block[0] = '\0';
		} else {
			strcat(block, line);
			strcat(block, "\n");
		}
	}
	fclose(f);
	run_end(&run);
}

static int n_scripts;
static char **scripts;

static void
scripts_tell_what_they_expect(void **state)
{
	assert_true(n_scripts > 0);
	for (int i = 0; i < n_scripts; i++)
		run_script(scripts[i]);
}

/* -------- memory -------- */

static const char catalog_yaml[] = "remotes: [{id: p, address: \"192.0.2.1\"}]\n"
				   "catalogs: [{name: cat., primaries: [p]}, {name: dog., primaries: [p]}]\n";
static const char before_lines[] = "version TXT \"2\"\n1.zones PTR x.\n2.zones PTR y.\n3.zones PTR z.\n";
static const char after_lines[] = "version TXT \"2\"\n1.zones PTR x.\n22.zones PTR y.\n4.zones PTR w.\n"
				  "group.1.zones TXT a\n";

/* However early memory ends: nothing is told, and the same update works later. */
static void
out_of_memory_changes_nothing(void **state)
{
	unsigned failures = 0;
	for (unsigned long at = 1;; at++) {
		struct run run;
		struct catalogs_change *change;
		struct name apex = fixture_name("cat.");
		run_begin(&run);
		configure(&run, catalog_yaml);
		load(&run, "cat.", before_lines);
		expect(&run, "before", 0, "+ x. cat. 1 -\n+ y. cat. 2 -\n+ z. cat. 3 -\n");
		struct alone *a = alone_of(&run, &apex);
		struct snapshot *next = snapshot_of(&apex, ++a->serial, after_lines);
		zalloc_fail_at(at);
		int err =
			catalogs_prepare(run.catalogs, &apex, at % 2 ? a->current : NULL, next, &change, &run.diag);
		if (err == 0)
			commit(&run, change);
		zalloc_fail_at(0);
		if (err != 0) {
			assert_int_equal(err, -ENOMEM);
			expect(&run, "without memory", at, "");
			failures++;
			assert_int_equal(
				catalogs_prepare(run.catalogs, &apex, a->current, next, &change, &run.diag), 0);
			commit(&run, change);
		}
		expect(&run, "after", at, "~ x. cat. 1 -\n! y. cat. 22 -\n- z.\n+ w. cat. 4 -\n");
		snapshot_free(next);
		run_end(&run);
		if (err == 0 && at > 20)
			break;
	}
	assert_in_range(failures, 8, 100);
}

/* -------- producing -------- */

static const char produce_yaml[] =
	"remotes: [{id: p, address: \"192.0.2.1\"}]\n"
	"zones: [{name: a.ok., primaries: [p]}, {name: B.ok., primaries: [p]}, {name: other., primaries: [p]}%s]\n"
	"catalogs: [{name: cat., produce: {zones: [\"*.ok\", exact]%s}}, {name: dog., primaries: [p]}]\n";

static struct config *
produce_config(const char *more_zones, const char *more_keys)
{
	char *yaml = NULL;
	assert_true(asprintf(&yaml, produce_yaml, more_zones, more_keys) > 0);
	struct config *c = fixture_config(yaml);
	free(yaml);
	return c;
}

/* The version after `base`, or NULL. */
static struct snapshot *
produce(const struct config *c, const struct snapshot *base, uint32_t now_s)
{
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	assert_int_equal(catalog_produce(c, &c->catalogs[0], base, now_s, &s, &diag), 0);
	assert_int_equal(diag.n_errors + diag.n_warnings, 0);
	return s;
}

/* The consumer reads what the producer makes, and the difference to the next version. */
static void
what_we_produce_can_be_consumed(void **state)
{
	struct name cat = fixture_name("cat.");
	struct catalog_members m;
	struct catalog_update u;
	struct diag_list diag = {0};
	size_t len;
	struct config *c = produce_config("", "");
	struct snapshot *first = produce(c, NULL, 1000);
	assert_int_equal(first->serial, 1000);
	assert_int_equal(first->expire_s, INT32_MAX);
	catalog_members_init(&m, &cat);
	assert_int_equal(catalog_update_make(&m, NULL, first, &u, &diag), 0);
	catalog_update_commit(&m, &u);
	assert_int_equal(m.names.count, 2);
	const struct catalog_member *b = catalog_members_find(&m, (const uint8_t *)"\1b\2ok");
	assert_non_null(b);
	/* printf '\001b\002ok\000' | sha256sum */
	assert_memory_equal(catalog_member_id(b),
			    "\40"
			    "c108d61f37a05cedd416893447f63f0f",
			    1 + CATALOG_ID_HEX);
	assert_null(produce(c, first, 2000)); /* nothing new */
	config_free(c);

	c = produce_config(", {name: exact., primaries: [p]}", ", group: gold");
	struct snapshot *next = produce(c, first, 900); /* a clock that went back */
	assert_int_equal(next->serial, 1001);
	assert_int_equal(catalog_update_make(&m, first, next, &u, &diag), 0);
	assert_int_equal(u.n, 3);
	for (size_t i = 0; i < u.n; i++)
		assert_true(!u.changes[i].old || catalog_member_has_id_of(u.changes[i].old, u.changes[i].new));
	catalog_update_commit(&m, &u);
	b = catalog_members_find(&m, (const uint8_t *)"\5exact");
	assert_int_equal(b->n_groups, 1);
	assert_memory_equal(catalog_member_group(b, 0, &len), "gold", 4);
	assert_int_equal(len, 4);
	catalog_members_clear(&m);
	snapshot_free(first);
	snapshot_free(next);
	config_free(c);
}

/* It is no member of others, and none of its names are taken by its word. */
static void
what_we_produce_is_not_consumed(void **state)
{
	struct run run;
	char *yaml = NULL;
	assert_true(asprintf(&yaml, produce_yaml, "", "") > 0);
	run_begin(&run);
	configure(&run, yaml);
	assert_int_equal(catalogs_count(run.catalogs), 1);
	load(&run, "dog.", "version TXT \"2\"\n1.zones PTR cat.\n2.zones PTR x.\n");
	expect(&run, "produced", 0,
	       "+ x. dog. 2 -\nwarning: catalog dog.: member cat. is not taken, it is in the configuration\n");
	run_end(&run);
	free(yaml);
}

static void
names_may_be_too_long_for_ids(void **state)
{
	struct config *c = produce_config("", ", group: g");
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	struct name apex;
	c->catalogs[0].name = apex.bytes;
	for (unsigned len = 180; len < NAME_MAX_LEN; len += 2) {
		for (unsigned i = 0; i < len; i += 2)
			memcpy(apex.bytes + i, "\1x", 2);
		apex.bytes[len] = 0;
		apex.len = (uint8_t)(len + 1);
		bool fits = apex.len + 6 + 33 + 6 <= NAME_MAX_LEN;
		assert_int_equal(catalog_produce(c, &c->catalogs[0], NULL, 1, &s, &diag), fits ? 0 : -EINVAL);
		assert_int_equal(diag.n_errors > 0, !fits);
		snapshot_free(s);
		s = NULL;
	}
	diag_clear(&diag);
	config_free(c);
}

static int
enter(void **state)
{
	fixture_enter();
	return 0;
}

static int
leave(void **state)
{
	fixture_leave();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_tell_what_they_expect),
		cmocka_unit_test(out_of_memory_changes_nothing),
		cmocka_unit_test(what_we_produce_can_be_consumed),
		cmocka_unit_test(what_we_produce_is_not_consumed),
		cmocka_unit_test(names_may_be_too_long_for_ids),
	};
	n_scripts = argc - 1;
	scripts = argv + 1;
	return cmocka_run_group_tests(tests, enter, leave);
}
