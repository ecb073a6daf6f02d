/* SPDX-License-Identifier: Apache-2.0 */
/* LMDB's pages, checked. See state_pages.h. */
#include "control/state/state_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_LEN 16 /* of a page */
#define NODE_LEN 8  /* of a node before its key */
#define TREE_LEN 48
#define META_LEN (HEAD_LEN + 24 + 2 * TREE_LEN + 16)
#define KEY_MAX 511
#define DEPTH_MAX 32
#define MAGIC 0xBEEFC0DEu
#define FORMAT 1
#define NO_PAGE UINT64_MAX

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_OVERFLOW = 1, NODE_TREE = 2 };
/* Flags of the free tree: integer keys, and what of our own options LMDB keeps: one file, no directory. */
enum { FLAG_INTEGERS = 0x08, FLAG_NOSUBDIR = 0x4000 };

static uint16_t
get16(const uint8_t *p)
{
	uint16_t x;
	memcpy(&x, p, sizeof(x));
	return x;
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t x;
	memcpy(&x, p, sizeof(x));
	return x;
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t x;
	memcpy(&x, p, sizeof(x));
	return x;
}

PRINTF_LIKE(2, 3)
static bool
wrong(struct pages *p, const char *fmt, ...)
{
	va_list args;
	if (p->why[0])
		return false;
	va_start(args, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, args);
	va_end(args);
	return false;
}

static const uint8_t *
page_at(const struct pages *p, uint64_t page)
{
	return p->bytes + page * p->page_len;
}

/* -------- metas -------- */

static void
tree_read(const uint8_t *b, struct pages_tree *out)
{
	*out = (struct pages_tree){
		.pad = get32(b),
		.flags = get16(b + 4),
		.depth = get16(b + 6),
		.n_branches = get64(b + 8),
		.n_leaves = get64(b + 16),
		.n_overflows = get64(b + 24),
		.n_entries = get64(b + 32),
		.root = get64(b + 40),
	};
}

static void
meta_read(const struct pages *p, unsigned i, struct pages_meta *out)
{
	const uint8_t *head = page_at(p, i), *b = head + HEAD_LEN;
	tree_read(b + 24, &out->free);
	tree_read(b + 24 + TREE_LEN, &out->main);
	out->last = get64(b + 24 + 2 * TREE_LEN);
	out->txn = get64(b + 32 + 2 * TREE_LEN);
	out->is_sane = get64(head) == i && get16(head + 10) == PAGE_META && get32(b) == MAGIC &&
		       get32(b + 4) == FORMAT && out->free.pad == p->page_len &&
		       (out->free.flags & ~FLAG_NOSUBDIR) == FLAG_INTEGERS && out->main.flags == 0 &&
		       out->last >= 1 && (out->txn % 2 == i || out->txn == 0);
}

/*
 * The one that LMDB takes. Where one is damaged, it is still the newer one if its transaction follows the other's:
 * what it leads to is not lost with a bit of its head.
 */
static const struct pages_meta *
meta_newest(struct pages *p)
{
	const struct pages_meta *a = &p->meta[0], *b = &p->meta[1];
	if (!a->is_sane || !b->is_sane)
		wrong(p, "page %d is no meta", a->is_sane);
	else if (a->txn + b->txn > 0 && a->txn - b->txn != 1 && b->txn - a->txn != 1)
		wrong(p, "the metas' transactions, %" PRIu64 " and %" PRIu64 ", do not follow each other", a->txn,
		      b->txn);
	if (!a->is_sane)
		return a->txn == b->txn + 1 ? a : b;
	if (!b->is_sane)
		return b->txn == a->txn + 1 ? b : a;
	return a->txn > b->txn ? a : b;
}

int
pages_open(const char *path, struct pages *out)
{
	struct stat st;
	struct pages p = {.page_len = (uint32_t)sysconf(_SC_PAGESIZE)};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size == 0) {
		close(fd);
		return -ENOENT;
	}
	p.len = (size_t)st.st_size;
	p.n = p.len / p.page_len;
	if (p.n < 2) {
		close(fd);
		return -ENOTSUP;
	}
	void *bytes = mmap(NULL, p.len, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return -errno;
	p.bytes = bytes;
	for (unsigned i = 0; i < 2; i++)
		meta_read(&p, i, &p.meta[i]);
	*out = p;
	if (p.meta[0].is_sane || p.meta[1].is_sane)
		return 0;
	pages_close(out);
	return -ENOTSUP;
}

void
pages_close(struct pages *p)
{
	munmap((void *)(uintptr_t)p->bytes, p->len);
	free(p->marks);
}

/* -------- pages -------- */

/* Takes `n` pages into use; the first one has a header. */
static bool
mark(struct pages *p, uint64_t page, uint64_t n, enum pages_mark as)
{
	if (page < 2 || page > p->last || n > p->last - page + 1)
		return wrong(p, "page %" PRIu64 " is none of the file's", page);
	for (uint64_t i = page; i < page + n; i++) {
		if (i >= p->n && as == PAGES_FREE)
			continue; /* the file may end before those that are free */
		if (i >= p->n)
			return wrong(p, "page %" PRIu64 " is missing", i);
		if (p->marks[i] != PAGES_UNKNOWN)
			return wrong(p, "page %" PRIu64 " is in use twice", i);
		p->marks[i] = (uint8_t)as;
	}
	if (as == PAGES_USED && get64(page_at(p, page)) != page)
		return wrong(p, "page %" PRIu64 " has another number", page);
	return true;
}

/* A node, as its header has it. */
struct node {
	const uint8_t *key, *data;
	unsigned key_len, flags;
	uint32_t data_len; /* of a leaf */
	uint64_t page;     /* of a branch, or where the data is that does not fit */
	unsigned len;      /* in its page */
};

/* False: it does not lie within its page. */
static bool
node_read(const struct pages *p, const uint8_t *page, bool is_leaf, unsigned i, struct node *out)
{
	unsigned at = get16(page + HEAD_LEN + 2 * i), room;
	if (at < HEAD_LEN || at % 2 || at + NODE_LEN > p->page_len)
		return false;
	const uint8_t *b = page + at;
	room = p->page_len - at - NODE_LEN;
	*out = (struct node){.flags = get16(b + 4), .key_len = get16(b + 6), .key = b + NODE_LEN};
	if (out->key_len > room)
		return false;
	room -= out->key_len;
	out->data = out->key + out->key_len;
	out->data_len = get16(b) | (uint32_t)get16(b + 2) << 16;
	unsigned in_page = 0;
	if (!is_leaf) {
		out->page = out->data_len | (uint64_t)out->flags << 32;
	} else {
		in_page = out->flags & NODE_OVERFLOW ? sizeof(uint64_t) : out->data_len;
		if (in_page > room)
			return false;
		if (out->flags & NODE_OVERFLOW)
			out->page = get64(out->data);
	}
	out->len = (NODE_LEN + out->key_len + in_page + 1) & ~1u;
	return true;
}

/* How many pages the data of a node takes that does not fit; 0: they cannot be what it says. */
static uint64_t
overflow_pages(const struct pages *p, const struct node *node)
{
	if (node->page < 2 || node->page >= p->n)
		return 0;
	const uint8_t *head = page_at(p, node->page);
	uint64_t n = get32(head + 12),
		 needed = (HEAD_LEN + (uint64_t)node->data_len + p->page_len - 1) / p->page_len;
	return get16(head + 10) == PAGE_OVERFLOW && n >= needed && n <= p->n - node->page ? n : 0;
}

/* -------- trees -------- */

struct key {
	const uint8_t *bytes;
	unsigned len; /* 0: none */
};

struct walk {
	struct pages *p;
	bool is_free; /* the tree of free pages: integers are its keys */
	uint64_t n_branches, n_leaves, n_overflows, n_entries;
	unsigned depth;
	bool (*leaf_node)(struct walk *w, uint64_t page, const struct node *node);
};

static int
key_compare(const struct walk *w, struct key a, struct key b)
{
	if (w->is_free) {
		uint64_t x = get64(a.bytes), y = get64(b.bytes);
		return x < y ? -1 : x > y;
	}
	int diff = memcmp(a.bytes, b.bytes, a.len < b.len ? a.len : b.len);
	return diff ? diff : (int)a.len - (int)b.len;
}

static bool walk_page(struct walk *w, uint64_t page, unsigned depth, struct key low, struct key high);

/* The node's key: behind the one before it, and within what the page may have. */
static bool
check_key(struct walk *w, struct key key, struct key before, struct key low, struct key high)
{
	if (key.len == 0 || key.len > KEY_MAX || (w->is_free && key.len != sizeof(uint64_t)))
		return false;
	return (!before.len || key_compare(w, before, key) < 0) && (!low.len || key_compare(w, low, key) <= 0) &&
	       (!high.len || key_compare(w, key, high) < 0);
}

static bool
walk_leaf_node(struct walk *w, uint64_t page, const struct node *node)
{
	uint64_t n = 0;
	w->n_entries++;
	if (node->flags & ~(unsigned)(NODE_OVERFLOW | NODE_TREE))
		return wrong(w->p, "page %" PRIu64 ": flags of a node", page);
	if (node->flags & NODE_OVERFLOW) {
		n = overflow_pages(w->p, node);
		if (!n)
			return wrong(w->p, "page %" PRIu64 ": a long value is not where it should be", page);
		if (!mark(w->p, node->page, n, PAGES_USED))
			return false;
	}
	w->n_overflows += n;
	return w->leaf_node(w, page, node);
}

/* The children of a branch; the first one has no key of its own. What is below a wrong one is lost, the others not.
 */
static bool
walk_branch(struct walk *w, uint64_t page, unsigned n, unsigned depth, struct key low, struct key high)
{
	const uint8_t *b = page_at(w->p, page);
	struct node node, next;
	struct key from = low;
	bool is_good = true;
	for (unsigned i = 0; i < n; i++) {
		struct key to = high;
		if (!node_read(w->p, b, false, i, &node))
			return wrong(w->p, "page %" PRIu64 ": node %u lies outside", page, i);
		if (i + 1 < n) {
			if (!node_read(w->p, b, false, i + 1, &next))
				return wrong(w->p, "page %" PRIu64 ": node %u lies outside", page, i + 1);
			to = (struct key){next.key, next.key_len};
			if (!check_key(w, to, from, from, high))
				return wrong(w->p, "page %" PRIu64 ": key %u is out of order", page, i + 1);
		}
		is_good &= walk_page(w, node.page, depth + 1, from, to);
		from = to;
	}
	return is_good;
}

static bool
walk_leaf(struct walk *w, uint64_t page, unsigned n, struct key low, struct key high)
{
	const uint8_t *b = page_at(w->p, page);
	struct node node;
	struct key before = {0};
	bool is_good = true;
	for (unsigned i = 0; i < n; i++) {
		if (!node_read(w->p, b, true, i, &node))
			return wrong(w->p, "page %" PRIu64 ": node %u lies outside", page, i);
		struct key key = {node.key, node.key_len};
		if (!check_key(w, key, before, low, high))
			return wrong(w->p, "page %" PRIu64 ": key %u is out of order", page, i);
		is_good &= walk_leaf_node(w, page, &node);
		before = key;
	}
	return is_good;
}

/* Nodes fill what lies behind the room, without gaps. */
static bool
check_room(struct pages *p, uint64_t page, bool is_leaf, unsigned n)
{
	const uint8_t *b = page_at(p, page);
	unsigned upper = get16(b + 14), len = 0;
	struct node node;
	for (unsigned i = 0; i < n; i++) {
		if (!node_read(p, b, is_leaf, i, &node) || get16(b + HEAD_LEN + 2 * i) < upper)
			return wrong(p, "page %" PRIu64 ": node %u lies outside", page, i);
		len += node.len;
	}
	return len == p->page_len - upper || wrong(p, "page %" PRIu64 ": %u octets of nodes", page, len);
}

static bool
walk_page(struct walk *w, uint64_t page, unsigned depth, struct key low, struct key high)
{
	if (depth > DEPTH_MAX)
		return wrong(w->p, "a tree is too deep");
	if (!mark(w->p, page, 1, PAGES_USED))
		return false;
	const uint8_t *b = page_at(w->p, page);
	unsigned flags = get16(b + 10), lower = get16(b + 12), upper = get16(b + 14);
	bool is_leaf = flags == PAGE_LEAF;
	unsigned n = (lower - HEAD_LEN) / 2, n_min = is_leaf || w->is_free ? 1 : 2;
	if ((!is_leaf && flags != PAGE_BRANCH) || lower < HEAD_LEN || lower % 2 || lower > upper ||
	    upper > w->p->page_len || n < n_min)
		return wrong(w->p, "page %" PRIu64 ": its head is wrong", page);
	bool is_good = check_room(w->p, page, is_leaf, n);
	if (!is_leaf) {
		w->n_branches++;
		return walk_branch(w, page, n, depth, low, high) && is_good;
	}
	w->n_leaves++;
	if (w->depth && w->depth != depth)
		is_good = wrong(w->p, "page %" PRIu64 ": a leaf at depth %u", page, depth);
	w->depth = depth;
	return walk_leaf(w, page, n, low, high) && is_good;
}

static bool
walk_tree(struct walk *w, const struct pages_tree *tree, const char *what)
{
	bool is_good = true;
	if (tree->root != NO_PAGE)
		is_good = walk_page(w, tree->root, 1, (struct key){0}, (struct key){0});
	if (is_good &&
	    (tree->depth != w->depth || tree->n_branches != w->n_branches || tree->n_leaves != w->n_leaves ||
	     tree->n_overflows != w->n_overflows || tree->n_entries != w->n_entries))
		is_good = wrong(w->p, "the tree of %s has other counts than it says", what);
	return is_good;
}

/* -------- the three kinds of trees -------- */

/* Of the free tree: a list of page numbers, their count in front, from the last to the first. */
static bool
free_list(struct walk *w, uint64_t page, const struct node *node)
{
	const uint8_t *list = node->flags & NODE_OVERFLOW ? page_at(w->p, node->page) + HEAD_LEN : node->data;
	uint64_t n = node->data_len / sizeof(uint64_t), before = NO_PAGE;
	if (n == 0 || get64(list) > n - 1 || node->flags & NODE_TREE)
		return wrong(w->p, "page %" PRIu64 ": a list of free pages is wrong", page);
	n = get64(list);
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t free_page = get64(list + i * sizeof(uint64_t));
		if (free_page >= before || !mark(w->p, free_page, 1, PAGES_FREE))
			return wrong(w->p, "page %" PRIu64 ": a list of free pages is out of order", page);
		before = free_page;
	}
	return true;
}

static bool
value_node(struct walk *w, uint64_t page, const struct node *node)
{
	return !(node->flags & NODE_TREE) || wrong(w->p, "page %" PRIu64 ": a tree among values", page);
}

static bool
table_node(struct walk *w, uint64_t page, const struct node *node)
{
	static const char *const tables[] = {"zones", "garbage", "info"};
	struct walk below = {.p = w->p, .leaf_node = value_node};
	struct pages_tree tree;
	if (node->flags != NODE_TREE || node->data_len != TREE_LEN)
		return wrong(w->p, "page %" PRIu64 ": a table is none", page);
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (node->key_len != strlen(tables[i]) || memcmp(node->key, tables[i], node->key_len) != 0)
			continue;
		tree_read(node->data, &tree);
		if (tree.flags || tree.pad)
			return wrong(w->p, "the table %s has flags", tables[i]);
		return walk_tree(&below, &tree, tables[i]);
	}
	return wrong(w->p, "page %" PRIu64 ": a table that is none of ours", page);
}

int
pages_check(struct pages *p)
{
	const struct pages_meta *meta = meta_newest(p);
	struct walk free_walk = {.p = p, .is_free = true, .leaf_node = free_list};
	struct walk main_walk = {.p = p, .leaf_node = table_node};
	p->last = meta->last;
	p->marks = calloc(p->n, 1);
	if (!p->marks)
		return -ENOMEM;
	p->is_free_known = walk_tree(&free_walk, &meta->free, "free pages");
	walk_tree(&main_walk, &meta->main, "tables");
	uint64_t n_used = 0;
	for (uint64_t i = 0; i < p->n; i++)
		n_used += p->marks[i] != PAGES_UNKNOWN;
	if (p->last >= p->n && n_used == 0)
		wrong(p, "the file is too short");
	return p->why[0] ? -EBADMSG : 0;
}

/* -------- leaves, whatever leads to them -------- */

unsigned
pages_leaf_nodes(const struct pages *p, uint64_t page)
{
	const uint8_t *b = page_at(p, page);
	unsigned lower = get16(b + 12);
	if (get64(b) != page || get16(b + 10) != PAGE_LEAF || lower < HEAD_LEN || lower > p->page_len)
		return 0;
	return (lower - HEAD_LEN) / 2;
}

bool
pages_leaf_node(const struct pages *p, uint64_t page, unsigned i, struct pages_node *out)
{
	struct node node;
	if (!node_read(p, page_at(p, page), true, i, &node))
		return false;
	bool is_long = node.flags & NODE_OVERFLOW;
	if (is_long && !overflow_pages(p, &node))
		return false;
	*out = (struct pages_node){
		.key = node.key,
		.key_len = (uint16_t)node.key_len,
		.value = is_long ? page_at(p, node.page) + HEAD_LEN : node.data,
		.value_len = node.data_len,
	};
	return true;
}
