/* SPDX-License-Identifier: Apache-2.0 */
/* From records to record sets and nodes. See compile.h. Builder threads. */
#include "zones/store/compile.h"

#include <errno.h>

#include "zones/base/alloc.h"
#include "zones/base/bytes.h"
#include "zones/wire/rdata.h"

/* -------- record sets -------- */

static int
reserve_rdatas(struct compile *c, unsigned n)
{
	if (n <= c->rdatas_cap)
		return 0;
	unsigned cap = n * 2 + 14;
	struct rrset_rdata *rdatas = zalloc(cap * sizeof(*rdatas), 0);
	if (rdatas == NULL)
		return -ENOMEM;
	if (c->rdatas_cap != 0)
		memcpy(rdatas, c->rdatas, c->rdatas_cap * sizeof(*rdatas));
	zalloc_free(c->rdatas, c->rdatas_cap * sizeof(*rdatas));
	c->rdatas = rdatas;
	c->rdatas_cap = cap;
	return 0;
}

/*
 * Sets that no other name can have are not looked for: signatures, links of chains, and the one SOA. The others
 * come together where they stand alone; the first one makes the table.
 */
static struct rrset *
share_set(struct compile *c, struct rrset *set)
{
	if (node_takes_set(set) || node_set_is_unique(set) || set->type == RRTYPE_SOA)
		return set;
	if (c->interned == NULL)
		c->interned = intern_new();
	return c->interned != NULL ? intern_set(c->interned, set) : set;
}

int
compile_set(struct compile *c, const struct log_record *records, size_t n, struct rrset **out)
{
	unsigned kept = 0;
	uint32_t ttl_s = records[0].ttl_s;
	int err = reserve_rdatas(c, (unsigned)n);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && log_record_compare_rdata(&records[i - 1], &records[i]) == 0) {
			builder_fault(c->source, c->diag, DIAG_WARNING, &records[i], "duplicate record");
			ttl_s = records[i].ttl_s < ttl_s ? records[i].ttl_s : ttl_s;
			continue;
		}
		if (records[i].ttl_s != ttl_s)
			builder_fault(c->source, c->diag, DIAG_WARNING, &records[i],
				      "TTL %u differs from the %u of the same record set; the lowest is used",
				      records[i].ttl_s, ttl_s);
		if (records[i].ttl_s < ttl_s)
			ttl_s = records[i].ttl_s;
		c->rdatas[kept++] = (struct rrset_rdata){.data = records[i].rdata, .len = records[i].rdlen};
	}
	err = rrset_compile(c->source->apex.bytes, records[0].owner, records[0].type, ttl_s, c->rdatas, kept, out);
	if (err == -E2BIG) {
		builder_fault(c->source, c->diag, DIAG_ERROR, &records[0],
			      "record set of %u records does not fit in a message", kept);
		return 0;
	}
	if (err == 0) {
		c->records += kept;
		c->sets++;
		*out = share_set(c, *out);
	}
	return err;
}

/* -------- nodes -------- */

/* The node's last word, and what it leads to, behind the name. */
static void
put_hashes(const struct compile *c, struct node *n, const struct node_hashes *known, uint64_t *word)
{
	struct node_hashes *hashes = (struct node_hashes *)((uint8_t *)n + n->entry.name_off + n->entry.name_len);
	struct name wildcard;
	*word = (uint64_t)NODE_TAG_HASHES << NAMES_TAG_SHIFT | (uint64_t)(uintptr_t)hashes;
	if (known != NULL) {
		memcpy(hashes, known, sizeof(*hashes));
		return;
	}
	nsec3_hash(&c->params, node_name(n), n->entry.name_len, hashes->own);
	if (name_wildcard(node_name(n), &wildcard))
		nsec3_hash(&c->params, wildcard.bytes, wildcard.len, hashes->wildcard);
	else
		memcpy(hashes->wildcard, hashes->own,
		       sizeof(hashes->own)); /* no name fits below, so none is asked */
}

/* Octets of the node, and in *at where its own sets begin. */
static size_t
node_measure(const struct compile *c, const struct names_entry *head, const uint64_t *words, unsigned n_sets,
	     size_t *at)
{
	size_t size = head->name_off + head->name_len + (c->hashes_names ? sizeof(struct node_hashes) : 0u);
	*at = node_align(size);
	for (unsigned i = 0; i < n_sets; i++) {
		if (node_takes_set(node_set(words[i])))
			size = node_align(size) + node_own_set_size(node_set(words[i]));
	}
	return size;
}

/* Copies small sets behind the name, from offset `at` on, and keeps the words of the others. */
static void
put_sets(struct node *n, size_t at, const uint64_t *words, unsigned n_sets)
{
	for (unsigned i = 0; i < n_sets; i++) {
		struct rrset *set = (struct rrset *)(uintptr_t)node_set(words[i]);
		n->sets[i] = words[i];
		if (!node_takes_set(set))
			continue;
		n->sets[i] = node_word(node_lay_set((uint8_t *)n + at, set));
		at += node_own_set_size(set);
		if (!node_owns_set(set))
			rrset_release(set);
	}
}

static uint8_t
node_flags(const struct compile *c, const struct node *n)
{
	uint8_t flags = 0;
	bool is_apex = n->entry.name_len == c->source->apex.len;
	if (is_apex)
		flags |= NODE_APEX;
	if (compile_is_wildcard(node_name(n)))
		return flags; /* neither delegates nor redirects (RFC 4592 section 4.2, RFC 6672 section 3.3) */
	if (!is_apex && node_find(n, RRTYPE_NS).set != NULL)
		flags |= NODE_CUT;
	if (node_find(n, RRTYPE_DNAME).set != NULL)
		flags |= NODE_DNAME;
	return flags;
}

int
compile_node(const struct compile *c, const uint8_t *name, uint64_t hash, const uint64_t *words, unsigned n_sets,
	     const struct node_hashes *known, struct node **out)
{
	unsigned n_words = n_sets + c->hashes_names;
	struct names_entry head = {
		.hash = hash,
		.name_off = (uint16_t)(sizeof(struct node) + n_words * sizeof(uint64_t)),
		.name_len = (uint8_t)name_len(name),
	};
	if (n_sets > NODE_SETS_MAX) {
		char text[NAME_TEXT_MAX];
		name_to_text(name, text);
		diag_add(c->diag, DIAG_ERROR, NULL, 0, 0, "%s: more than %u record sets at one name", text,
			 NODE_SETS_MAX);
		return -EINVAL;
	}
	size_t at, size = node_measure(c, &head, words, n_sets, &at);
	struct node *n = zalloc(size, 0);
	if (n == NULL)
		return -ENOMEM;
	n->entry = head;
	memcpy((uint8_t *)n + head.name_off, name, head.name_len);
	if (c->hashes_names)
		put_hashes(c, n, known, &n->sets[n_sets]);
	put_sets(n, at, words, n_sets);
	n->entry.flags = node_flags(c, n);
	*out = n;
	return 0;
}

void
compile_release(const uint64_t *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!node_owns_set(node_set(words[i])))
			rrset_release((struct rrset *)(uintptr_t)node_set(words[i]));
	}
}

bool
compile_is_nsec3_owner(const struct compile *c, const uint8_t *owner, unsigned owner_len,
		       uint8_t hash[NSEC3_HASH_LEN])
{
	return c->hashes_names && owner_len == c->source->apex.len + 1u + NSEC3_LABEL_LEN &&
	       nsec3_label_hash(owner, hash);
}

void
compile_end(struct compile *c)
{
	intern_release(c->interned);
	zalloc_free(c->rdatas, c->rdatas_cap * sizeof(*c->rdatas));
	c->interned = NULL;
	c->rdatas = NULL;
	c->rdatas_cap = 0;
}

/* -------- the apex -------- */

int
compile_soa(struct snapshot *s, const uint8_t *apex)
{
	struct node_sets soa = node_find(s->apex, RRTYPE_SOA);
	if (soa.set == NULL)
		return 0; /* builder_check() says so */
	uint8_t rdata[RDATA_MAX_LEN];
	struct rrset_iter it;
	rrset_iter_init(&it, soa.set, apex);
	int len = rrset_iter_next(&it, rdata);
	const uint8_t *numbers = rdata + len - 20;
	s->serial = load_be32(numbers);
	s->refresh_s = load_be32(numbers + 4);
	s->retry_s = load_be32(numbers + 8);
	s->expire_s = load_be32(numbers + 12);
	s->minimum_s = load_be32(numbers + 16);

	uint32_t ttl_s = rrset_ttl(soa.set) < s->minimum_s ? rrset_ttl(soa.set) : s->minimum_s;
	s->negative_soa = rrset_with_ttl(soa.set, ttl_s);
	if (s->negative_soa == NULL)
		return -ENOMEM;
	if (soa.sigs == NULL)
		return 0;
	s->negative_soa_sigs = rrset_with_ttl(soa.sigs, ttl_s);
	return s->negative_soa_sigs == NULL ? -ENOMEM : 0;
}
