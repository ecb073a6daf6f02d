/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over file and schema together that fills a struct config. See config_schema.h.
 *
 * It follows the schema's order, not the file's: so references find what they name wherever that stands, and
 * defaults come in on the way. It never stops at a fault; config.c throws the result away if there was one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config/config_schema.h"

#define SECRET_FILE_MAX_BYTES 65536

static void
add(struct config_reader *r, enum diag_severity severity, uint32_t line, uint32_t column, const char *fmt,
    va_list ap)
{
	char *text;
	if (vasprintf(&text, fmt, ap) < 0) {
		r->no_memory = true;
		return;
	}
	diag_add(r->diag, severity, r->path, line, column, "%s", text);
	free(text);
}

void
config_error(struct config_reader *r, const struct config_node *node, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(r, DIAG_ERROR, node->line, node->column, fmt, ap);
	va_end(ap);
}

void
config_error_key(struct config_reader *r, const struct config_node *entry, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(r, DIAG_ERROR, entry->key_line, entry->key_column, fmt, ap);
	va_end(ap);
}

void
config_warning(struct config_reader *r, const struct config_node *node, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(r, DIAG_WARNING, node->line, node->column, fmt, ap);
	va_end(ap);
}

char *
config_read_copy(struct config_reader *r, const char *text, size_t len)
{
	char *copy = config_arena_copy(r->arena, text, len);
	if (copy == NULL)
		r->no_memory = true;
	return copy;
}

/* -------- references -------- */

/* Row of a root list, its entries, and where in each entry its id lies. */
static const char *
list_id(const struct config_reader *r, const struct config_row *list, unsigned i)
{
	size_t at;
	const struct config_row *id = config_section_row(list->section, 0, &at);
	const char *items, *text;
	memcpy(&items, (const char *)r->config + list->offset, sizeof(items));
	memcpy(&text, items + i * list->section->size + at + id->offset, sizeof(text));
	return text;
}

static unsigned
list_count(const struct config_reader *r, const struct config_row *list)
{
	unsigned n;
	memcpy(&n, (const char *)r->config + list->second, sizeof(n));
	return n;
}

const void *
config_read_reference(const struct config_reader *r, const char *target, const char *id)
{
	const struct config_row *list = config_section_find(&config_root, target);
	unsigned n = list_count(r, list);
	const char *items;
	memcpy(&items, (const char *)r->config + list->offset, sizeof(items));
	for (unsigned i = 0; i < n; i++) {
		const char *text = list_id(r, list, i);
		if (text != NULL && strcmp(text, id) == 0)
			return items + i * list->section->size;
	}
	return NULL;
}

static void
report_unknown_reference(struct config_reader *r, const struct config_row *row, const struct config_node *node)
{
	const struct config_row *list = config_section_find(&config_root, row->target);
	const char *what = list->section->what;
	unsigned n = list_count(r, list), known = 0;
	const char **ids = calloc(n + 1u, sizeof(*ids));
	if (ids == NULL) {
		r->no_memory = true;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (list_id(r, list, i) != NULL)
			ids[known++] = list_id(r, list, i);
	const char *near = diag_nearest(node->text, ids);
	if (near != NULL)
		config_error(r, node, "%s: unknown %s \"%s\"; did you mean \"%s\"?", row->key, what, node->text,
			     near);
	else if (known == 0)
		config_error(r, node, "%s: unknown %s \"%s\"; no %s is defined, add it under %s", row->key, what,
			     node->text, what, row->target);
	else
		config_error(r, node,
			     "%s: unknown %s \"%s\"; add it under %s, or use one of those there, such as \"%s\"",
			     row->key, what, node->text, row->target, ids[0]);
	free(ids);
}

/* -------- values -------- */

static int
parse_name(struct config_reader *r, const char *text, const uint8_t **out, struct config_why *why)
{
	struct name name;
	int err = config_parse_name(text, &name, why);
	const char *copy = err == 0 ? config_arena_copy(r->arena, name.bytes, name.len) : NULL;
	if (copy == NULL)
		return err != 0 ? err : -ENOMEM;
	*out = (const uint8_t *)copy;
	return 0;
}

static int
parse_path(struct config_reader *r, const char *dir, const char *text, const char **out, struct config_why *why)
{
	if (text[0] == '\0')
		return config_refuse(why, "empty; write a path");
	size_t dir_len = text[0] == '/' ? 0 : strlen(dir);
	size_t text_len = strlen(text);
	bool slash = dir_len > 0 && dir[dir_len - 1] != '/';
	char *path = config_arena_text(r->arena, dir_len + slash + text_len);
	if (path == NULL)
		return -ENOMEM;
	memcpy(path, dir, dir_len);
	if (slash)
		path[dir_len] = '/';
	memcpy(path + dir_len + slash, text, text_len);
	*out = path;
	return 0;
}

static int
parse_text(struct config_reader *r, const struct config_row *row, const char *text, const char **out,
	   struct config_why *why)
{
	size_t len = strlen(text);
	if (len < row->min)
		return config_refuse(why, "empty; give it a value");
	if (len > row->max)
		return config_refuse(why, "%zu octets are too many; the most is %llu", len,
				     (unsigned long long)row->max);
	*out = config_arena_copy(r->arena, text, len);
	return *out != NULL ? 0 : -ENOMEM;
}

static int
parse_word(const struct config_row *row, const char *text, char *value, struct config_why *why)
{
	for (const char *const *pair = row->refused; pair != NULL && *pair != NULL; pair += 2)
		if (strcmp(pair[0], text) == 0)
			return config_refuse(why, "%s %s", text, pair[1]);
	unsigned index;
	int rc = config_parse_word(text, row->words, &index, why);
	if (rc == 0)
		memcpy(value, &index, sizeof(index));
	return rc;
}

_Static_assert(sizeof(enum config_mode) == sizeof(unsigned), "parse_word() stores enums as unsigned");

static int
parse_number(const struct config_row *row, const char *text, char *value, struct config_why *why)
{
	uint64_t number;
	int rc = config_parse_number(text, config_row_unit(row), row->min, row->max, &number, why);
	if (rc != 0)
		return rc;
	if (row->scale_ms > 1) {
		if (number % row->scale_ms != 0)
			return config_refuse(why, "\"%s\" is not a whole number of seconds; round it to those",
					     text);
		number /= row->scale_ms;
	}
	uint32_t narrow = (uint32_t)number;
	if (row->size == sizeof(narrow))
		memcpy(value, &narrow, sizeof(narrow));
	else
		memcpy(value, &number, sizeof(number));
	return 0;
}

static int
parse_pin(struct config_reader *r, const char *text, struct config_pin *out, struct config_why *why)
{
	uint8_t *octets;
	unsigned len;
	int rc = config_parse_base64(text, r->arena, &octets, &len, why);
	if (rc != 0)
		return rc;
	if (len != sizeof(out->sha256))
		return config_refuse(why, "%u octets are no SHA-256, which has %zu", len, sizeof(out->sha256));
	memcpy(out->sha256, octets, sizeof(out->sha256));
	return 0;
}

/* One value of the row's kind into *value; what the kind has besides goes to *second. */
static int
parse_value(struct config_reader *r, const struct config_row *row, const char *text, char *value, char *second,
	    struct config_why *why)
{
	void *v = value, *s = second;
	const char *zone_dir = r->config->server.zone_dir; /* NULL only when memory ran out before */
	switch ((enum config_kind)row->kind) {
	case CONFIG_KIND_TEXT:
		return parse_text(r, row, text, v, why);
	case CONFIG_KIND_PATH:
		return parse_path(r, r->dir, text, v, why);
	case CONFIG_KIND_ZONE_PATH:
		return parse_path(r, zone_dir != NULL ? zone_dir : "", text, v, why);
	case CONFIG_KIND_COUNT:
	case CONFIG_KIND_SIZE:
	case CONFIG_KIND_DURATION:
		return parse_number(row, text, value, why);
	case CONFIG_KIND_WORD:
		return parse_word(row, text, value, why);
	case CONFIG_KIND_ADDRESS:
		return config_parse_address(text, row->port, v, why);
	case CONFIG_KIND_PREFIX:
		return config_parse_prefix(text, v, why);
	case CONFIG_KIND_NAME:
		return parse_name(r, text, v, why);
	case CONFIG_KIND_PATTERN:
		return config_parse_pattern(text, v, why);
	case CONFIG_KIND_RRTYPE:
		return config_parse_rrtype(text, v, why);
	case CONFIG_KIND_CORES:
		return config_parse_cores(text, r->arena, v, s, why);
	case CONFIG_KIND_RATE:
		return config_parse_rate(text, v, why);
	case CONFIG_KIND_RATIO:
		return config_parse_ratio(text, v, s, why);
	case CONFIG_KIND_SECRET:
		return config_parse_base64(text, r->arena, v, s, why);
	case CONFIG_KIND_PIN:
		return parse_pin(r, text, v, why);
	case CONFIG_KIND_REFERENCE:
	case CONFIG_KIND_SECTION:
		break; /* read_reference() and read_entry() take these */
	}
	return -EINVAL;
}

static bool
read_reference(struct config_reader *r, const struct config_row *row, const struct config_node *node, char *value)
{
	const void *element = config_read_reference(r, row->target, node->text);
	if (element == NULL)
		report_unknown_reference(r, row, node);
	memcpy(value, &element, sizeof(element));
	return element != NULL;
}

static const char *
node_kind_text(const struct config_node *node)
{
	return node->kind == CONFIG_NODE_LIST ? "a list" : node->kind == CONFIG_NODE_MAP ? "a map" : "one value";
}

static const char *
row_example(const struct config_row *row)
{
	return row->example != NULL ? row->example : row->preset;
}

/* Reads one value; false after a report. */
static bool
read_scalar_text(struct config_reader *r, const struct config_row *row, const struct config_node *node, char *value,
		 char *second)
{
	struct config_why why;
	if (node->kind != CONFIG_NODE_SCALAR) {
		config_error(r, node, "%s: wants one value, not %s; write it as %s: %s", row->key,
			     node_kind_text(node), row->key, row_example(row));
		return false;
	}
	if (config_node_is_null(node)) {
		if (node->key != NULL)
			config_error_key(r, node, "%s: no value; give it one or remove the key", row->key);
		else
			config_error(r, node, "%s: an empty entry; remove it", row->key);
		return false;
	}
	if (row->kind == CONFIG_KIND_REFERENCE)
		return read_reference(r, row, node, value);
	int rc = parse_value(r, row, node->text, value, second, &why);
	if (rc == -ENOMEM)
		r->no_memory = true;
	else if (rc != 0)
		config_error(r, node, "%s: %s", row->key, why.text);
	return rc == 0;
}

static void
read_scalar(struct config_reader *r, const struct config_row *row, struct config_node *node, char *value,
	    char *second)
{
	if (node->kind != CONFIG_NODE_BROKEN && !read_scalar_text(r, row, node, value, second))
		node->kind = CONFIG_NODE_BROKEN; /* so that no rule between keys complains about it again */
}

/* -------- lists -------- */

static size_t
kind_size(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_KIND_ADDRESS:
		return sizeof(struct config_address);
	case CONFIG_KIND_PREFIX:
		return sizeof(struct config_prefix);
	case CONFIG_KIND_PATTERN:
		return sizeof(struct name);
	case CONFIG_KIND_PIN:
		return sizeof(struct config_pin);
	case CONFIG_KIND_WORD:
		return sizeof(unsigned);
	case CONFIG_KIND_RRTYPE:
		return sizeof(uint16_t);
	default: /* texts and references */
		return sizeof(void *);
	}
}

/* Puts a fresh array of n elements into the field and its count beside it; NULL without memory. */
static char *
list_begin(struct config_reader *r, const struct config_row *row, char *base, unsigned n, size_t size)
{
	char *items = config_arena_array(r->arena, n, size);
	if (items == NULL) {
		r->no_memory = true;
		return NULL;
	}
	memcpy(base + row->offset, &items, sizeof(items));
	memcpy(base + row->second, &n, sizeof(n));
	return items;
}

/* A list of values; a single value stands for a list of one. */
static void
read_value_list(struct config_reader *r, const struct config_row *row, struct config_node *node, char *base)
{
	if (node->kind == CONFIG_NODE_BROKEN)
		return;
	if (node->kind == CONFIG_NODE_MAP) {
		config_error(r, node, "%s: wants a list, not a map; write it as %s: %s", row->key, row->key,
			     row_example(row));
		node->kind = CONFIG_NODE_BROKEN;
		return;
	}
	bool single = node->kind == CONFIG_NODE_SCALAR;
	if (!single && node->n == 0 && (row->flags & CONFIG_REQUIRED))
		config_error(r, node, "%s: the list is empty; write it as %s: %s", row->key, row->key,
			     row_example(row));
	size_t size = kind_size(row->kind);
	char *items = list_begin(r, row, base, single ? 1 : node->n, size);
	if (items == NULL)
		return;
	for (struct config_node *child = single ? node : node->first; child != NULL;
	     child = single ? NULL : child->next, items += size)
		read_scalar(r, row, child, items, NULL);
}

struct identity {
	const char *text; /* lower case for names */
	const struct config_node *node;
};

static int
identity_compare(const void *a, const void *b)
{
	const struct identity *x = a, *y = b;
	int order = strcmp(x->text, y->text);
	if (order != 0)
		return order;
	return x->node->line < y->node->line ? -1 : x->node->line > y->node->line;
}

/* What tells an entry apart, as text in which equal entries are equal; NULL where it is missing or no good. */
static const char *
identity_text(struct config_reader *r, const struct config_row *row, const struct config_node *node,
	      const char *value)
{
	if (node == NULL || node->kind != CONFIG_NODE_SCALAR)
		return NULL;
	if (row->kind != CONFIG_KIND_NAME)
		return node->text;
	const uint8_t *name;
	memcpy(&name, value, sizeof(name));
	if (name == NULL)
		return NULL;
	char text[NAME_TEXT_MAX];
	size_t len = name_to_text(name, text);
	const char *copy = config_arena_copy(r->scratch, text, len);
	r->no_memory |= copy == NULL;
	return copy;
}

/* Reports entries of a list that share their first row's value, at the later one. */
static void
report_duplicates(struct config_reader *r, const struct config_row *row, const struct config_node *list,
		  const char *items)
{
	size_t at;
	const struct config_row *id = config_section_row(row->section, 0, &at);
	struct identity *all = calloc(list->n + 1u, sizeof(*all));
	if (all == NULL) {
		r->no_memory = true;
		return;
	}
	unsigned n = 0;
	for (const struct config_node *entry = list->first; entry != NULL; entry = entry->next) {
		const struct config_node *node = config_node_find(entry, id->key);
		const char *text = identity_text(r, id, node, items + at + id->offset);
		if (text != NULL)
			all[n++] = (struct identity){text, node};
		items += row->section->size;
	}
	qsort(all, n, sizeof(*all), identity_compare);
	for (unsigned i = 1; i < n; i++)
		if (strcmp(all[i - 1].text, all[i].text) == 0)
			config_error(r, all[i].node,
				     "duplicate %s \"%s\", first given at line %u; remove one of the two",
				     row->section->what, all[i].node->text, all[i - 1].node->line);
	free(all);
}

/* Room for the entries, in the scratch arena where the configuration keeps something else of them. */
static char *
section_list_begin(struct config_reader *r, const struct config_row *row, char *base, unsigned n)
{
	if (row->section->keep == NULL)
		return list_begin(r, row, base, n, row->section->size);
	char *items = config_arena_array(r->scratch, n, row->section->size);
	if (items == NULL)
		r->no_memory = true;
	return items;
}

static void
keep_list(struct config_reader *r, const struct config_row *row, char *base, const char *items, unsigned n)
{
	char *kept = list_begin(r, row, base, n, row->section->kept_size);
	for (unsigned i = 0; i < n && kept != NULL; i++)
		row->section->keep(r, items + i * row->section->size, kept + i * row->section->kept_size);
}

/* A list of maps. Nothing behind the key is an empty list: every entry may be commented out. */
static void
read_section_list(struct config_reader *r, const struct config_row *row, struct config_node *node, char *base)
{
	if (node->kind == CONFIG_NODE_BROKEN || config_node_is_null(node))
		return;
	if (node->kind != CONFIG_NODE_LIST) {
		config_error(r, node, "%s: wants a list of %ss, not %s; begin each %s with \"- \"", row->key,
			     row->section->what, node_kind_text(node), row->section->what);
		return;
	}
	char *items = section_list_begin(r, row, base, node->n);
	if (items == NULL)
		return;
	char *item = items;
	for (struct config_node *child = node->first; child != NULL; child = child->next) {
		if (child->kind == CONFIG_NODE_MAP)
			config_read_section(r, row->section, child, item, false);
		else if (child->kind != CONFIG_NODE_BROKEN)
			config_error(r, child, "%s: a %s is a map of keys, not %s; write it as {%s: ...}", row->key,
				     row->section->what, node_kind_text(child), row->section->parts[0].rows[0].key);
		item += row->section->size;
	}
	if (!(row->flags & CONFIG_ALIKE))
		report_duplicates(r, row, node, items);
	if (row->section->keep != NULL)
		keep_list(r, row, base, items, node->n);
}

/* -------- sections -------- */

static void
read_subsection(struct config_reader *r, const struct config_row *row, struct config_node *node, char *base)
{
	if (node->kind == CONFIG_NODE_SCALAR && config_node_is_null(node)) {
		/* `tls:` with nothing below it is a map without keys. */
		node->kind = CONFIG_NODE_MAP;
	} else if (node->kind != CONFIG_NODE_MAP) {
		if (node->kind != CONFIG_NODE_BROKEN)
			config_error(r, node, "%s: wants keys and values, not %s; write it as %s: {KEY: VALUE}",
				     row->key, node_kind_text(node), row->key);
		return;
	}
	bool optional = row->flags & CONFIG_OPTIONAL;
	if (optional)
		memcpy(base + row->second, &optional, sizeof(optional));
	/* A map that is always there was completed by read_row() or by a template before. */
	config_read_section(r, row->section, node, base + row->offset, !optional);
}

static void
read_entry(struct config_reader *r, const struct config_row *row, struct config_node *node, char *base)
{
	if (row->kind == CONFIG_KIND_SECTION) {
		if (row->flags & CONFIG_LIST)
			read_section_list(r, row, node, base);
		else
			read_subsection(r, row, node, base);
	} else if (row->flags & CONFIG_LIST) {
		read_value_list(r, row, node, base);
	} else {
		read_scalar(r, row, node, base + row->offset, base + row->second);
	}
}

/* A preset is written like a value of the file and read by the same code; it cannot be wrong, but for memory. */
static void
read_preset(struct config_reader *r, const struct config_row *row, char *base)
{
	struct config_why why;
	int rc = parse_value(r, row, row->preset, base + row->offset, base + row->second, &why);
	if (rc == -ENOMEM)
		r->no_memory = true;
	else if (rc != 0) /* the CPU mask could not be read */
		diag_add(r->diag, DIAG_ERROR, r->path, 0, 0, "%s: %s", row->key, why.text);
}

static void
report_missing(struct config_reader *r, const struct config_section *section, const struct config_row *row,
	       const struct config_node *map)
{
	const char *where = section->what != NULL ? section->what : section->path;
	const char *sample = row_example(row);
	if (row->kind == CONFIG_KIND_SECTION)
		config_error(r, map, "missing section \"%s\"; the least is \"server: {listen: [ADDRESS]}\"",
			     row->key);
	else
		config_error(r, map, "missing key \"%s\" in %s; add it, such as %s: %s", row->key, where, row->key,
			     sample);
}

/* Counts the sections below `from` that have this key; *home is the last of them. For misplaced keys. */
static unsigned
count_homes(const struct config_section *from, const char *key, const struct config_section **home)
{
	const struct config_row *row;
	size_t at;
	unsigned n = 0;
	for (unsigned i = 0; (row = config_section_row(from, i, &at)) != NULL; i++) {
		if (row->section == NULL)
			continue;
		if (config_section_find(row->section, key) != NULL) {
			*home = row->section;
			n++;
		}
		n += count_homes(row->section, key, home);
	}
	return n;
}

#define KEYS_MAX 64

static const char *
nearest_key(const struct config_section *section, const char *key)
{
	const char *keys[KEYS_MAX + 1];
	const struct config_row *row;
	size_t at;
	unsigned n = 0;
	while (n < KEYS_MAX && (row = config_section_row(section, n, &at)) != NULL)
		keys[n++] = row->key;
	keys[n] = NULL;
	return diag_nearest(key, keys);
}

/* What was meant: a key of this section, one that lives elsewhere, or a section of the file. */
static void
report_unknown(struct config_reader *r, const struct config_section *section, const struct config_node *entry)
{
	const char *in = section->path[0] != '\0' ? " in " : "";
	const char *near = nearest_key(section, entry->key);
	const struct config_section *home = NULL;
	unsigned homes = count_homes(&config_root, entry->key, &home);
	if (near == NULL && config_section_find(&config_root, entry->key) != NULL)
		config_error_key(r, entry,
				 "unknown key \"%s\"%s%s; it belongs at the top of the file, without indentation",
				 entry->key, in, section->path);
	else if (near == NULL && homes == 1)
		config_error_key(r, entry, "unknown key \"%s\"%s%s; it belongs in %s", entry->key, in,
				 section->path, home->path);
	else if (near != NULL || (near = nearest_key(&config_root, entry->key)) != NULL)
		config_error_key(r, entry, "unknown key \"%s\"%s%s; did you mean \"%s\"?", entry->key, in,
				 section->path, near);
	else
		config_error_key(r, entry, "unknown key \"%s\"%s%s; remove it", entry->key, in, section->path);
}

/* Reads what the file says for a row, or puts in what holds without it. */
static void
read_row(struct config_reader *r, const struct config_section *section, const struct config_row *row,
	 struct config_node *map, char *base, bool filled)
{
	struct config_node *entry = config_node_find(map, row->key);
	bool plain_map = row->kind == CONFIG_KIND_SECTION && !(row->flags & (CONFIG_LIST | CONFIG_OPTIONAL));
	/* The file may give a map in part or not at all: defaults come first, then what it says. */
	if (plain_map && !filled)
		config_read_section(r, row->section, NULL, base + row->offset, false);
	else if (!plain_map && !filled && row->preset != NULL)
		read_preset(r, row, base);
	if (entry != NULL) {
		entry->known = true;
		read_entry(r, row, entry, base);
	} else if (map != NULL && (row->flags & CONFIG_REQUIRED)) {
		report_missing(r, section, row, map);
	}
}

void
config_read_section(struct config_reader *r, const struct config_section *section, struct config_node *map,
		    void *value, bool filled)
{
	const struct config_row *row;
	size_t at;
	if (map != NULL && section->prepare != NULL && section->prepare(r, map, value))
		filled = true;
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++)
		read_row(r, section, row, map, (char *)value + at, filled);
	if (map == NULL)
		return;
	for (const struct config_node *entry = map->first; entry != NULL; entry = entry->next)
		if (!entry->known)
			report_unknown(r, section, entry);
	if (section->check != NULL)
		section->check(r, map, value);
}

/* -------- secret files -------- */

char *
config_read_secret_file(struct config_reader *r, const struct config_node *node, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0) {
		config_error(r, node, "%s: cannot open %s: %s", node->key, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		config_warning(r, node, "%s: %s can be read or written by others than its owner; chmod 600 it",
			       node->key, path);
	char *text = config_arena_alloc(r->arena, SECRET_FILE_MAX_BYTES);
	ssize_t n = text != NULL ? read(fd, text, SECRET_FILE_MAX_BYTES) : 0;
	int error = errno;
	close(fd);
	if (text == NULL) {
		r->no_memory = true;
		return NULL;
	}
	if (n < 0 || n == SECRET_FILE_MAX_BYTES || strlen(text) != (size_t)n) {
		config_error(r, node, "%s: cannot read %s: %s", node->key, path,
			     n < 0 ? strerror(error) : "this is no file with a secret");
		return NULL;
	}
	return text;
}
