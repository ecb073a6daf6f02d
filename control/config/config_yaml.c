/* SPDX-License-Identifier: Apache-2.0 */
/* From YAML text to a tree of nodes. See config_yaml.h. */
#include "control/config/config_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Deeper than any key of the schema by far; bounds our recursion. */
#define DEPTH_MAX 16

struct builder {
	const char *path;
	const char *text;
	size_t len;
	struct config_arena *arena;
	struct diag_list *diag;
	yaml_parser_t parser;
};

/* The octet of the file at a mark, or NUL behind its end. Marks count characters, so we walk over UTF-8. */
static char
char_at(const struct builder *b, const yaml_mark_t *mark)
{
	size_t i = 0;
	for (size_t line = 0; line < mark->line && i < b->len; i++)
		line += b->text[i] == '\n';
	for (size_t column = 0; column < mark->column && i < b->len; column++) {
		i++;
		while (i < b->len && ((unsigned char)b->text[i] & 0xc0) == 0x80)
			i++;
	}
	return i < b->len ? b->text[i] : '\0';
}

/* What most often hides behind a syntax error at this octet, with its cure. */
static const char *
syntax_hint(const struct builder *b)
{
	char at = char_at(b, &b->parser.problem_mark);
	char context = b->parser.context != NULL ? char_at(b, &b->parser.context_mark) : '\0';
	if (at == '\t')
		return "; indent with spaces, YAML forbids tabs";
	if (context == '*' || at == '*')
		return "; put a value that begins with * in quotes";
	if (context == '&' || at == '&')
		return "; put a value that begins with & in quotes";
	if (at == '@' || at == '`' || at == '%')
		return "; put a value that begins with this character in quotes";
	if (context == '"' || context == '\'')
		return "; is the closing quote missing?";
	if (context == '[')
		return "; is the closing ] missing?";
	if (context == '{')
		return "; is the closing } missing?";
	if (b->parser.problem != NULL && strncmp(b->parser.problem, "mapping values", 14) == 0)
		return "; check the indentation, the colon of the line before, and quote a value with \": \" in it";
	return "";
}

static int
syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	const char *problem = p->problem != NULL ? p->problem : "unreadable";
	if (p->error == YAML_READER_ERROR) {
		/* The reader knows an offset only; we count the lines ourselves. */
		uint32_t line = 1, column = 1;
		for (size_t i = 0; i < p->problem_offset && i < b->len; i++) {
			column = b->text[i] == '\n' ? 1 : column + 1;
			line += b->text[i] == '\n';
		}
		diag_add(b->diag, DIAG_ERROR, b->path, line, column, "not YAML: %s; the file must be UTF-8 text",
			 problem);
		return -EINVAL;
	}
	char context[128] = "";
	if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		snprintf(context, sizeof(context), " %s begun at line %zu", p->context, p->context_mark.line + 1);
	else if (p->context != NULL)
		snprintf(context, sizeof(context), " %s", p->context);
	diag_add(b->diag, DIAG_ERROR, b->path, (uint32_t)p->problem_mark.line + 1,
		 (uint32_t)p->problem_mark.column + 1, "not YAML: %s%s%s", problem, context, syntax_hint(b));
	return -EINVAL;
}

static int
next_event(struct builder *b, yaml_event_t *event)
{
	return yaml_parser_parse(&b->parser, event) ? 0 : syntax_error(b);
}

static struct config_node *
node_new(struct builder *b, enum config_node_kind kind, const yaml_mark_t *mark)
{
	struct config_node *node = config_arena_alloc(b->arena, sizeof(*node));
	if (node == NULL)
		return NULL;
	node->kind = kind;
	node->line = (uint32_t)mark->line + 1;
	node->column = (uint32_t)mark->column + 1;
	return node;
}

static void
node_append(struct config_node *parent, struct config_node *child)
{
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

static void
refuse(struct builder *b, struct config_node *node, const char *what)
{
	diag_add(b->diag, DIAG_ERROR, b->path, node->line, node->column, "%s", what);
	node->kind = CONFIG_NODE_BROKEN;
}

/* Anchors and tags may stand before every kind of node. */
static void
refuse_properties(struct builder *b, struct config_node *node, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		refuse(b, node, "YAML anchors (&name) are not supported; write the value out, or use a template");
	else if (tag != NULL)
		refuse(b, node, "YAML tags (!name) are not supported; write the plain value");
}

static int
build_scalar(struct builder *b, const yaml_event_t *event, struct config_node *node)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = config_arena_copy(b->arena, value, len);
	if (node->text == NULL)
		return -ENOMEM;
	if (strlen(node->text) != len)
		refuse(b, node, "a NUL octet (\\0) cannot be part of a value");
	else
		refuse_properties(b, node, event->data.scalar.anchor, event->data.scalar.tag);
	return 0;
}

static int build_node(struct builder *b, const yaml_event_t *event, unsigned depth, struct config_node **out);

/* The next node inside a list or map; 0 with *child NULL at its end, which `end` is. */
static int
build_child(struct builder *b, yaml_event_type_t end, unsigned depth, struct config_node **child)
{
	yaml_event_t event;
	int rc = next_event(b, &event);
	*child = NULL;
	if (rc != 0)
		return rc;
	if (event.type != end)
		rc = build_node(b, &event, depth, child);
	yaml_event_delete(&event);
	return rc;
}

/* Reads nodes up to the end of the list. */
static int
build_list(struct builder *b, struct config_node *list, unsigned depth)
{
	for (;;) {
		struct config_node *child;
		int rc = build_child(b, YAML_SEQUENCE_END_EVENT, depth, &child);
		if (rc != 0 || child == NULL)
			return rc;
		node_append(list, child);
	}
}

/* Adds an entry, unless the key is no word or was there before; both are reported. */
static void
map_append(struct builder *b, struct config_node *map, const struct config_node *key, struct config_node *value)
{
	if (key->kind == CONFIG_NODE_BROKEN)
		return;
	if (key->kind != CONFIG_NODE_SCALAR) {
		diag_add(b->diag, DIAG_ERROR, b->path, key->line, key->column,
			 "a key must be a plain word, not a list or a map");
		return;
	}
	const struct config_node *before = config_node_find(map, key->text);
	if (before != NULL) {
		diag_add(b->diag, DIAG_ERROR, b->path, key->line, key->column,
			 "duplicate key \"%s\", first given at line %u; keep one of the two", key->text,
			 before->key_line);
		return;
	}
	value->key = key->text;
	value->key_line = key->line;
	value->key_column = key->column;
	node_append(map, value);
}

/* Reads keys and values in turn up to the end of the map. */
static int
build_map(struct builder *b, struct config_node *map, unsigned depth)
{
	struct config_node *key = NULL;
	for (;;) {
		struct config_node *child;
		int rc = build_child(b, YAML_MAPPING_END_EVENT, depth, &child);
		if (rc != 0 || child == NULL)
			return rc;
		if (key == NULL) {
			key = child;
		} else {
			map_append(b, map, key, child);
			key = NULL;
		}
	}
}

static int
build_node(struct builder *b, const yaml_event_t *event, unsigned depth, struct config_node **out)
{
	struct config_node *node = node_new(b, CONFIG_NODE_BROKEN, &event->start_mark);
	if (node == NULL)
		return -ENOMEM;
	*out = node;
	if (depth > DEPTH_MAX) {
		refuse(b, node, "nested too deep; no key lies so deep");
		return -EINVAL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = CONFIG_NODE_SCALAR;
		return build_scalar(b, event, node);
	case YAML_SEQUENCE_START_EVENT:
		node->kind = CONFIG_NODE_LIST;
		refuse_properties(b, node, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		return build_list(b, node, depth + 1);
	case YAML_MAPPING_START_EVENT:
		node->kind = CONFIG_NODE_MAP;
		refuse_properties(b, node, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		return build_map(b, node, depth + 1);
	default: /* an alias: the parser gives nothing else inside a document */
		refuse(b, node, "YAML aliases (*name) are not supported; write the value out, or put it in quotes");
		return 0;
	}
}

/* One event of the stream around the document; a second document or an empty file is reported. */
static int
build_step(struct builder *b, const yaml_event_t *event, struct config_node **root)
{
	switch (event->type) {
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		if (*root == NULL)
			return 0;
		diag_add(b->diag, DIAG_ERROR, b->path, (uint32_t)event->start_mark.line + 1,
			 (uint32_t)event->start_mark.column + 1,
			 "a second YAML document (---) begins here; a configuration is one document");
		return -EINVAL;
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	case YAML_STREAM_END_EVENT:
		if (*root != NULL)
			return 0;
		diag_add(b->diag, DIAG_ERROR, b->path, 1, 1,
			 "the file is empty; the least is \"server: {listen: [ADDRESS]}\"");
		return -EINVAL;
	default:
		return build_node(b, event, 0, root);
	}
}

static int
build_document(struct builder *b, struct config_node **root)
{
	bool end = false;
	int rc = 0;
	while (!end && rc == 0) {
		yaml_event_t event;
		rc = next_event(b, &event);
		if (rc != 0)
			break;
		end = event.type == YAML_STREAM_END_EVENT;
		rc = build_step(b, &event, root);
		yaml_event_delete(&event);
	}
	return rc;
}

int
config_yaml_parse(const char *path, const char *text, size_t len, struct config_arena *arena,
		  struct diag_list *diag, struct config_node **root)
{
	struct builder b = {.path = path, .text = text, .len = len, .arena = arena, .diag = diag};
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	struct config_node *node = NULL;
	int rc = build_document(&b, &node);
	yaml_parser_delete(&b.parser);
	if (rc == 0)
		*root = node;
	return rc;
}

struct config_node *
config_node_find(const struct config_node *map, const char *key)
{
	if (map == NULL || map->kind != CONFIG_NODE_MAP)
		return NULL;
	struct config_node *entry = map->first;
	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

bool
config_node_is_null(const struct config_node *node)
{
	if (node->kind != CONFIG_NODE_SCALAR || node->quoted)
		return false;
	return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}
