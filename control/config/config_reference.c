/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration schema, written out as Markdown and as JSON Schema. See config_reference.h. */
#include "control/config/config_reference.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "control/config/config_schema.h"

/* -------- Markdown -------- */

static const char *const kind_texts[] = {
	[CONFIG_KIND_TEXT] = "text",       [CONFIG_KIND_PATH] = "path",
	[CONFIG_KIND_ZONE_PATH] = "path",  [CONFIG_KIND_COUNT] = "number",
	[CONFIG_KIND_SIZE] = "size",       [CONFIG_KIND_DURATION] = "duration",
	[CONFIG_KIND_WORD] = "word",       [CONFIG_KIND_ADDRESS] = "address or address@port",
	[CONFIG_KIND_PREFIX] = "prefix",   [CONFIG_KIND_NAME] = "domain name",
	[CONFIG_KIND_PATTERN] = "pattern", [CONFIG_KIND_RRTYPE] = "record type",
	[CONFIG_KIND_CORES] = "CPU list",  [CONFIG_KIND_RATE] = "rate",
	[CONFIG_KIND_RATIO] = "share",     [CONFIG_KIND_SECRET] = "base64",
	[CONFIG_KIND_REFERENCE] = "id",    [CONFIG_KIND_SECTION] = "map",
	[CONFIG_KIND_PIN] = "base64",
};

static const char head[] =
	"# Configuration reference\n"
	"\n"
	"The configuration is one YAML file. Anchors, aliases, tags and further documents are refused; an "
	"unknown,\n"
	"misspelt or duplicate key is an error with file, line and column. Relative paths are relative to the\n"
	"configuration file.\n"
	"\n"
	"| value | how it is written |\n"
	"|---|---|\n"
	"| number | digits, or with k, M or G (decimal) behind them: `10000`, `10k`, `500M` |\n"
	"| size | a number with B, KiB, MiB, GiB or TiB: `512MiB` |\n"
	"| duration | a number with ms, s, m, h, d or w: `10s`, `5m`, `2h`, `1d` |\n"
	"| address | IPv4 or IPv6, with a port behind `@`: `192.0.2.53`, `\"2001:db8::53\"`, `127.0.0.1@5300` |\n"
	"| prefix | an address, or one with its length: `192.0.2.0/24`, `\"::1\"` |\n"
	"| CPU list | numbers and ranges: `\"2-15,17\"` (so `4` is the CPU number 4), or `all` |\n"
	"| rate | a number a second: `50/s`, or `off` |\n"
	"| share | `1/1000` is one of a thousand |\n"
	"| pattern | a domain name, or one below `*`: `\"*.example\"` is all names below example |\n"
	"| record type | a mnemonic or a number: `TXT`, `TYPE65280` |\n"
	"| id | the id of an entry in the section named |\n"
	"\n"
	"A list may be written as one value where it has only one.\n";

/* `|` would end the cell. */
static void
print_cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void
print_range(FILE *out, const struct config_row *row)
{
	char low[32], high[32];
	enum config_unit unit = config_row_unit(row);
	bool number = row->kind == CONFIG_KIND_COUNT || row->kind == CONFIG_KIND_SIZE ||
		      row->kind == CONFIG_KIND_DURATION;
	if (!number)
		return;
	config_number_text(row->min, unit, low, sizeof(low));
	config_number_text(row->max, unit, high, sizeof(high));
	if (row->max == UINT32_MAX || row->max == UINT64_MAX)
		fprintf(out, ", from %s", low);
	else
		fprintf(out, ", %s to %s", low, high);
}

static void
print_value(FILE *out, const struct config_row *row)
{
	if (row->flags & CONFIG_LIST)
		fprintf(out, "list: ");
	if (row->kind == CONFIG_KIND_WORD) {
		for (const char *const *word = row->words; *word != NULL; word++)
			fprintf(out, "%s`%s`", word == row->words ? "" : ", ", *word);
	} else if (row->kind == CONFIG_KIND_REFERENCE) {
		fprintf(out, "id of `%s`", row->target);
	} else if (row->kind == CONFIG_KIND_SECTION) {
		fprintf(out, "map%s, see `%s`", row->flags & CONFIG_LIST ? "s" : "", row->section->path);
	} else {
		fprintf(out, "%s", kind_texts[row->kind]);
	}
	print_range(out, row);
}

static void
print_default(FILE *out, const struct config_row *row)
{
	if (row->flags & CONFIG_REQUIRED)
		fprintf(out, "required");
	else if (row->preset_doc != NULL)
		fprintf(out, "%s", row->preset_doc);
	else if (row->preset != NULL && row->preset[0] == '\0')
		fprintf(out, "empty");
	else if (row->preset != NULL)
		fprintf(out, "`%s`", row->preset);
	else
		fprintf(out, row->kind == CONFIG_KIND_SECTION && !(row->flags & (CONFIG_LIST | CONFIG_OPTIONAL))
				     ? "its own"
				     : "none");
}

static void
print_row(FILE *out, const struct config_row *row)
{
	fprintf(out, "| `%s` | ", row->key);
	print_value(out, row);
	fprintf(out, " | ");
	print_default(out, row);
	fprintf(out, " | ");
	print_cell(out, row->doc);
	if (row->example != NULL) {
		fprintf(out, " Example: `");
		print_cell(out, row->example);
		fprintf(out, "`");
	}
	fprintf(out, " |\n");
}

/* True for a section that is described below this one, and not with another that shares its rows. */
static bool
is_child(const struct config_section *section, const struct config_row *row)
{
	size_t len = strlen(section->path);
	return row->section != NULL && strncmp(row->section->path, section->path, len) == 0 &&
	       row->section->path[len] == '.';
}

static void
print_section(FILE *out, const struct config_section *section, unsigned depth)
{
	const struct config_row *row;
	size_t at;
	fprintf(out, "\n%s %s\n\n%s\n\n", depth == 0 ? "##" : "###", section->path, section->doc);
	fprintf(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++)
		print_row(out, row);
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++)
		if (is_child(section, row))
			print_section(out, row->section, depth + 1);
}

static void
print_markdown(FILE *out)
{
	const struct config_row *row;
	size_t at;
	fprintf(out, "%s", head);
	for (unsigned i = 0; (row = config_section_row(&config_root, i, &at)) != NULL; i++)
		print_section(out, row->section, 0);
}

/* -------- JSON Schema -------- */

/* Shapes of values as regular expressions; NULL: any text. */
static const char *const kind_patterns[CONFIG_KIND_SECTION + 1] = {
	[CONFIG_KIND_COUNT] = "^[0-9]+[kMG]?$",
	[CONFIG_KIND_SIZE] = "^([0-9]+(B|KiB|MiB|GiB|TiB)|0)$",
	[CONFIG_KIND_DURATION] = "^([0-9]+(ms|s|m|h|d|w)|0)$",
	[CONFIG_KIND_ADDRESS] = "^[0-9A-Fa-f.:]+(@[0-9]+)?$",
	[CONFIG_KIND_PREFIX] = "^[0-9A-Fa-f.:]+(/[0-9]+)?$",
	[CONFIG_KIND_CORES] = "^(all|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)$",
	[CONFIG_KIND_RATE] = "^(off|[0-9]+[kMG]?/s)$",
	[CONFIG_KIND_RATIO] = "^[0-9]+/[0-9]+$",
	[CONFIG_KIND_SECRET] = "^[A-Za-z0-9+/]+={0,2}$",
	[CONFIG_KIND_PIN] = "^[A-Za-z0-9+/]{43}=$",
};

static json_t *
words_json(const char *const *words)
{
	json_t *list = json_array();
	for (; *words != NULL; words++) {
		json_array_append_new(list, json_string(*words));
		/* What a YAML reader makes of such a word. */
		if (strcmp(*words, "true") == 0 || strcmp(*words, "false") == 0)
			json_array_append_new(list, json_boolean(**words == 't'));
	}
	return json_pack("{s:o}", "enum", list);
}

/* Bounds reach a checker only where the value is a bare number: a pattern cannot compare. */
static json_t *
count_json(const struct config_row *row)
{
	json_t *o = json_pack("{s:[s,s], s:s, s:I}", "type", "integer", "string", "pattern",
			      kind_patterns[CONFIG_KIND_COUNT], "minimum", (json_int_t)row->min);
	if (row->max <= INT64_MAX)
		json_object_set_new(o, "maximum", json_integer((json_int_t)row->max));
	return o;
}

static json_t *section_json(const struct config_section *section);

static json_t *
item_json(const struct config_row *row)
{
	switch ((enum config_kind)row->kind) {
	case CONFIG_KIND_SECTION:
		return section_json(row->section);
	case CONFIG_KIND_WORD:
		return words_json(row->words);
	case CONFIG_KIND_COUNT:
		return count_json(row);
	case CONFIG_KIND_TEXT:
		return json_pack("{s:[s,s], s:I, s:I}", "type", "string", "number", "minLength",
				 (json_int_t)row->min, "maxLength", (json_int_t)row->max);
	case CONFIG_KIND_CORES:
	case CONFIG_KIND_SIZE:
	case CONFIG_KIND_DURATION:
		/* CPU 4, and nothing at all, are numbers to a YAML reader. */
		return json_pack("{s:[s,s], s:s}", "type", "integer", "string", "pattern",
				 kind_patterns[row->kind]);
	default:
		return json_pack("{s:s, s:s*}", "type", "string", "pattern", kind_patterns[row->kind]);
	}
}

static json_t *
row_json(const struct config_row *row)
{
	json_t *o = item_json(row);
	bool list = row->flags & CONFIG_LIST;
	if (list && row->kind == CONFIG_KIND_SECTION)
		o = json_pack("{s:[s,s], s:o}", "type", "array", "null", "items", o);
	else if (row->kind == CONFIG_KIND_SECTION) /* `limits:` with nothing below it is well */
		json_object_set_new(o, "type", json_pack("[s,s]", "object", "null"));
	else if (list)
		o = json_pack("{s:[O, {s:s, s:o}]}", "anyOf", o, "type", "array", "items", o);
	json_object_set_new(o, "description", json_string(row->doc != NULL ? row->doc : row->section->doc));
	if (row->preset != NULL)
		json_object_set_new(o, "default", json_string(row->preset));
	return o;
}

static json_t *
section_json(const struct config_section *section)
{
	const struct config_row *row;
	size_t at;
	json_t *properties = json_object();
	json_t *required = json_array();
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++) {
		json_object_set_new(properties, row->key, row_json(row));
		if (row->flags & CONFIG_REQUIRED)
			json_array_append_new(required, json_string(row->key));
	}
	return json_pack("{s:s, s:s, s:b, s:o, s:o}", "type", "object", "description", section->doc,
			 "additionalProperties", 0, "properties", properties, "required", required);
}

static int
print_json_schema(FILE *out)
{
	json_t *schema = section_json(&config_root);
	if (schema == NULL)
		return -ENOMEM;
	json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("Anser configuration"));
	int rc = json_dumpf(schema, out, JSON_INDENT(2));
	json_decref(schema);
	fputc('\n', out);
	return rc == 0 ? 0 : -EIO;
}

int
config_reference_print(FILE *out, enum config_reference_format format)
{
	int rc = 0;
	if (format == CONFIG_REFERENCE_JSON_SCHEMA)
		rc = print_json_schema(out);
	else
		print_markdown(out);
	if (fflush(out) != 0 || ferror(out))
		return -EIO;
	return rc;
}
