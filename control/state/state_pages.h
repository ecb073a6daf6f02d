/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of an LMDB file, read without LMDB.
 *
 * LMDB trusts its file: a flipped bit in what it keeps in front of a page, or of a node in it, ends the process,
 * and would end it again at each start. Our own values carry a CRC; pages do not. So before the file is given to
 * LMDB, every page that it can reach is checked here: that all numbers lie where they may, that keys are in order,
 * that counts are what they say, and that no page is in use twice.
 *
 * A file that fails is written anew from the values in it that are whole (state_mend.c).
 *
 * The layout is that of data format 1, LMDB 0.9, in the byte order of the host, without duplicates:
 *
 *     page 0, 1   metas: transaction N writes page N % 2
 *     others      branch, leaf, overflow: a header of 16 octets, offsets of nodes, room, nodes
 *
 * Pure: no system call but in pages_open(). One thread, before the file is opened by LMDB.
 */
#ifndef ANSER_CONTROL_STATE_PAGES_H
#define ANSER_CONTROL_STATE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/base/compiler.h"

#define PAGES_WHY_MAX 128

/* One tree, as a meta or a node of the main tree tells of it. */
struct pages_tree {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t n_branches, n_leaves, n_overflows, n_entries, root;
};

struct pages_meta {
	bool is_sane; /* by itself */
	uint64_t last, txn;
	struct pages_tree free, main;
};

enum pages_mark { PAGES_UNKNOWN, PAGES_USED, PAGES_FREE };

struct pages {
	const uint8_t *bytes; /* the file, mapped for reading */
	size_t len;
	uint32_t page_len;
	uint64_t n; /* whole pages in the file */
	struct pages_meta meta[2];
	uint64_t last;  /* of the meta that is looked at */
	uint8_t *marks; /* enum pages_mark, of the pages of the file */
	bool is_free_known;
	char why[PAGES_WHY_MAX]; /* the first fault */
};

/* A node of a leaf. */
struct pages_node {
	const uint8_t *key, *value;
	uint16_t key_len;
	uint32_t value_len;
};

/*
 * Maps the file. 0; -ENOENT: there is none, or nothing is in it; -ENOTSUP: its metas are none that this
 * understands, so LMDB has to say what it is; -errno.
 */
int pages_open(const char *path, struct pages *out) MUST_CHECK;
void pages_close(struct pages *p);

/*
 * Checks everything. 0; -EBADMSG with text in p->why; -ENOMEM. Either way p->marks tells what is in use and, where
 * is_free_known, what is not.
 */
int pages_check(struct pages *p) MUST_CHECK;

/* The nodes of a page that lie within it, if it is a leaf: how many offsets it has, and what one of them leads to.
 */
unsigned pages_leaf_nodes(const struct pages *p, uint64_t page);
bool pages_leaf_node(const struct pages *p, uint64_t page, unsigned i, struct pages_node *out);

#endif
