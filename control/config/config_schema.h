/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema: what keys there are, what they take, and where their values go. Private to control/config*.c.
 *
 * One table (config_schema.c) is walked by three readers, so that they cannot drift apart:
 *
 *     config_read.c       file → struct config: kinds, ranges, defaults, required and unknown keys
 *     config_reference.c  → Markdown reference and JSON Schema
 *     config_check.c      what a row cannot say: rules between keys, called through config_section.check
 *
 * A row describes one key. A section is a map of keys; its rows come in parts, so that zones, templates and
 * catalogs share the rows that they have in common. A row's offsets count from the struct of its part. In a list
 * of sections the first row is what tells the entries apart: no two may have the same id, name or device, but where
 * the list says that they may be alike.
 */
#ifndef ANSER_CONTROL_CONFIG_SCHEMA_H
#define ANSER_CONTROL_CONFIG_SCHEMA_H

#include "control/config/config.h"
#include "control/config/config_arena.h"
#include "control/config/config_value.h"
#include "control/config/config_yaml.h"

enum config_kind {
	CONFIG_KIND_TEXT,      /* const char * */
	CONFIG_KIND_PATH,      /* const char *, joined with the config file's directory */
	CONFIG_KIND_ZONE_PATH, /* const char *, joined with server.zone-dir */
	CONFIG_KIND_COUNT,     /* uint32_t or uint64_t */
	CONFIG_KIND_SIZE,      /* uint64_t in bytes */
	CONFIG_KIND_DURATION,  /* in units of row.scale_ms */
	CONFIG_KIND_WORD,      /* enum, index into row.words */
	CONFIG_KIND_ADDRESS,   /* struct config_address */
	CONFIG_KIND_PREFIX,    /* struct config_prefix */
	CONFIG_KIND_NAME,    /* const uint8_t *, wire form in lower case; struct name would be 256 octets a zone */
	CONFIG_KIND_PATTERN, /* struct name */
	CONFIG_KIND_RRTYPE,  /* uint16_t */
	CONFIG_KIND_CORES,   /* unsigned *, count at row.second */
	CONFIG_KIND_RATE,    /* uint32_t a second */
	CONFIG_KIND_RATIO,   /* uint32_t, the second one at row.second */
	CONFIG_KIND_SECRET,  /* const uint8_t *, length at row.second */
	CONFIG_KIND_PIN,     /* struct config_pin */
	CONFIG_KIND_REFERENCE, /* const struct ... *: an element of list row.target */
	CONFIG_KIND_SECTION,   /* the struct of row.section */
};

enum config_row_flags {
	CONFIG_LIST = 1,     /* many of the kind: a pointer to them, their number at row.second */
	CONFIG_REQUIRED = 2, /* the key must be there */
	CONFIG_OPTIONAL = 4, /* section: a bool at row.second says whether it is there */
	CONFIG_ALIKE = 8,    /* list of sections: entries may have the same first value */
};

struct config_section;

struct config_row {
	const char *key;
	const char *doc;            /* one sentence for the operator, with its full stop */
	const char *preset;         /* the default, as the file would say it; NULL: zero or none */
	const char *preset_doc;     /* what the reference shows instead of it */
	const char *example;        /* a good value, as the file would say it */
	const char *const *words;   /* word: what may be written, in the order of the enum; ends with NULL */
	const char *const *refused; /* word: pairs of one that is known but not taken, and why; ends with NULL */
	const char *target;         /* reference: key of the root's list */
	const struct config_section *section;
	uint64_t min, max; /* count, size; durations: in ms */
	size_t offset, second;
	uint16_t size;     /* of the field, for numbers */
	uint16_t scale_ms; /* duration: 1 or 1000 */
	uint16_t port;     /* address: default port */
	uint8_t kind;      /* enum config_kind */
	uint8_t flags;     /* enum config_row_flags */
};

struct config_reader;

struct config_part {
	const struct config_row *rows;
	unsigned n;
	size_t at; /* of the rows' struct inside the section's */
};

#define CONFIG_PARTS_MAX 4

struct config_section {
	const char *path; /* for messages: "server.log", "zones" */
	const char *what; /* of lists: what one entry is: "zone" */
	const char *doc;
	size_t size; /* of the section's struct */
	struct config_part parts[CONFIG_PARTS_MAX];
	/*
	 * Called before the rows are read; true: *value is filled in already (from a template) and keys that are
	 * absent keep what is there instead of getting their defaults.
	 */
	bool (*prepare)(struct config_reader *r, const struct config_node *map, void *value);
	/* Called after the rows were read, only for a map that is in the file. */
	void (*check)(struct config_reader *r, const struct config_node *map, void *value);
	/*
	 * Of a list: what the configuration keeps of each entry, where that is not all that was read. Called when
	 * all of the list has been read and checked.
	 */
	void (*keep)(struct config_reader *r, const void *value, void *kept);
	size_t kept_size;
};

/* A zone of the list `zones` as it is read. */
struct config_draft {
	const uint8_t *name;
	const char *file;
	struct config_zone zone;
};

/* The whole file. Its struct is struct config. */
extern const struct config_section config_root;

/* The i-th row of a section and, in *at, where its struct lies; NULL behind the last. */
const struct config_row *config_section_row(const struct config_section *section, unsigned i, size_t *at);

/* The row with this key, or NULL. */
const struct config_row *config_section_find(const struct config_section *section, const char *key);

/* Numbers only: the unit their text is written in. */
enum config_unit config_row_unit(const struct config_row *row);

/* -------- reading (config_read.c) -------- */

#define CONFIG_SHARED 64

struct config_reader {
	const char *path;             /* of the config file */
	const char *dir;              /* its directory, with the closing slash, or "" */
	struct config_arena *arena;   /* of the struct config */
	struct config_arena *scratch; /* for what is not needed behind the reading */
	struct diag_list *diag;
	struct config *config;
	bool no_memory;                                  /* the result is worth nothing */
	const struct config_zone *shared[CONFIG_SHARED]; /* settings that zones may share, by their hash */
};

/*
 * Fills *value, a section's struct, from `map`, or with defaults alone where `map` is NULL. `filled`: it holds good
 * values already, which stay where the map says nothing.
 */
void config_read_section(struct config_reader *r, const struct config_section *section, struct config_node *map,
			 void *value, bool filled);

/* Reports about a value, about the key of an entry, and about a whole map. */
void config_error(struct config_reader *r, const struct config_node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);
void
config_error_key(struct config_reader *r, const struct config_node *entry, const char *fmt, ...) PRINTF_LIKE(3, 4);
void
config_warning(struct config_reader *r, const struct config_node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Copies into the configuration's arena; NULL sets r->no_memory. */
char *config_read_copy(struct config_reader *r, const char *text, size_t len);

/* The element of the root's list `target` with this id, or NULL. */
const void *config_read_reference(const struct config_reader *r, const char *target, const char *id);

/* Reads a small file that only its owner should read; warns about wider rights. NULL after an error at `node`. */
char *config_read_secret_file(struct config_reader *r, const struct config_node *node, const char *path);

/* -------- rules between keys (config_check.c) -------- */

/* config_zones.c: keeps a zone's settings once, however many zones have the same ones. */
void config_keep_zone(struct config_reader *r, const void *value, void *kept);

bool config_prepare_zone(struct config_reader *r, const struct config_node *map, void *value);
void config_check_server(struct config_reader *r, const struct config_node *map, void *value);
void config_check_dataplane(struct config_reader *r, const struct config_node *map, void *value);
void config_check_tls(struct config_reader *r, const struct config_node *map, void *value);
void config_check_key(struct config_reader *r, const struct config_node *map, void *value);
void config_check_remote_tls(struct config_reader *r, const struct config_node *map, void *value);
void config_check_remote(struct config_reader *r, const struct config_node *map, void *value);
void config_check_acl(struct config_reader *r, const struct config_node *map, void *value);
void config_check_update_rule(struct config_reader *r, const struct config_node *map, void *value);
void config_check_zone(struct config_reader *r, const struct config_node *map, void *value);
void config_check_template(struct config_reader *r, const struct config_node *map, void *value);
void config_check_catalog(struct config_reader *r, const struct config_node *map, void *value);
void config_check_cookies(struct config_reader *r, const struct config_node *map, void *value);
void config_check_anycast(struct config_reader *r, const struct config_node *map, void *value);
void config_check_root(struct config_reader *r, const struct config_node *map, void *value);

#endif
