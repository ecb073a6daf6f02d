/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML text to a tree of nodes that remember their place.
 *
 * The tree knows nothing of Anser's keys. It takes the part of YAML that a configuration needs: maps with plain
 * keys, lists and scalars, one document. Anchors, aliases and tags are refused, because a value that is defined
 * somewhere else has no one place to point at when it is wrong; templates are the means for repetition.
 */
#ifndef ANSER_CONTROL_CONFIG_YAML_H
#define ANSER_CONTROL_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config_arena.h"
#include "zones/base/diag.h"

enum config_node_kind {
	CONFIG_NODE_SCALAR,
	CONFIG_NODE_LIST,
	CONFIG_NODE_MAP,
	CONFIG_NODE_BROKEN, /* its fault has been reported; say nothing more about it */
};

struct config_node {
	enum config_node_kind kind;
	bool quoted;                   /* scalar in quotes: an empty one is an empty text, not an absent value */
	bool known;                    /* entry of a map: some row of the schema took it */
	uint32_t line, column;         /* of the value, from 1 */
	uint32_t key_line, key_column; /* of the key, for an entry of a map */
	const char *key;               /* entry of a map: its key; else NULL */
	const char *text;              /* scalar: its text, without NUL octets inside */
	struct config_node *first, *last, *next; /* children of a list or map in the order of the file */
	unsigned n;                              /* how many children */
};

/*
 * Parses text[0..len) of file `path` (for messages). Everything is taken from `arena`. Returns 0 and the root, a
 * node of any kind; -EINVAL after a syntax error, which is in *diag; -ENOMEM. Duplicate keys and what we refuse of
 * YAML are reported in *diag, but do not end the reading: the tree holds the rest.
 */
int config_yaml_parse(const char *path, const char *text, size_t len, struct config_arena *arena,
		      struct diag_list *diag, struct config_node **root) MUST_CHECK;

/* The entry of map `map` with this key, or NULL; `map` may be NULL or no map. */
struct config_node *config_node_find(const struct config_node *map, const char *key);

/* True for a scalar that says nothing: `key:`, `key: ~` or `key: null`. */
bool config_node_is_null(const struct config_node *node);

#endif
