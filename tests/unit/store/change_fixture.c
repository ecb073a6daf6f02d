/* SPDX-License-Identifier: Apache-2.0 */
/* The model of changes. See change_fixture.h. */
#include "tests/unit/store/change_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/base/compiler.h"
#include "zones/store/builder.h"
#include "zones/store/diff.h"
#include "zones/store/intern.h"
#include "zones/wire/rdata.h"

#define CHECK(x)                                                                                                   \
	do {                                                                                                       \
		if (!(x)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                    \
			abort();                                                                                   \
		}                                                                                                  \
	} while (0)

#define APEX "example."
#define H1 "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
#define H2 "2t7b4g4vsa5smi47k61mv5bv1a22bojr"

/* Owners, closed by NULL, times the types and data below that fit them. */
static const char *const owners[] = {
	"a." APEX,   "b.a." APEX,    "c.b.a." APEX,   "*.a." APEX,      "d.*.a." APEX,
	"sub." APEX, "ns.sub." APEX, "x.y.sub." APEX, "dn." APEX,       "u.dn." APEX,
	"w." APEX,   "*." APEX,      H1 "." APEX,     "q." H2 "." APEX, APEX,
};
static const struct {
	const char *type, *data;
} common[] = {
	{"A", "192.0.2.1"},
	{"A", "192.0.2.2"},
	{"TXT", "one"},
	{"TXT", "a text that is longer than what a node takes into itself, so it stands alone as a set"},
	{"MX", "10 ns.sub.example."},
	{"NS", "ns.sub.example."},
	{"NS", "NS.other.test."},
	{"RRSIG", "A 13 2 60 20300101000000 20200101000000 1 example. AAAA"},
	{"RRSIG", "TXT 13 2 60 20300101000000 20200101000000 1 example. AAAA"},
	{"RRSIG", "NSEC3 13 2 60 20300101000000 20200101000000 1 example. AAAA"},
	{"NSEC", "b.a.example. A RRSIG NSEC"},
	{"CNAME", "c.b.a.example."},
	{"DNAME", "a.example."},
	{"DS", "1 13 2 0000000000000000000000000000000000000000000000000000000000000000"},
};
static const struct {
	const char *owner, *type, *data;
} singles[] = {
	{APEX, "SOA", "ns.example. h.example. 1 2 3 4 60"},
	{APEX, "SOA", "ns.example. h.example. 2 2 3 4 30"},
	{APEX, "RRSIG", "SOA 13 1 60 20300101000000 20200101000000 1 example. AAAA"},
	{APEX, "DNSKEY", "257 3 13 AAAA"},
	{APEX, "NSEC3PARAM", "1 0 0 -"},
	{APEX, "NSEC3PARAM", "1 0 1 AA"},
	{H1 "." APEX, "NSEC3", "1 0 0 - " H2 " A RRSIG"},
	{H1 "." APEX, "NSEC3", "1 0 1 AA " H2 " A RRSIG"},
	{H2 "." APEX, "NSEC3", "1 0 0 - " H1 " A RRSIG"},
	{H2 "." APEX, "RRSIG", "NSEC3 13 2 60 20300101000000 20200101000000 1 example. AAAA"},
	{"a." APEX, "NSEC3", "1 0 0 - " H1 " A RRSIG"},
};

struct template
{
	struct name owner;
	uint16_t type, rdlen;
	uint8_t rdata[256];
};

static struct template templates[MODEL_MAX];
static unsigned n_templates;
static struct name apex;

static struct name
name_of(const char *text)
{
	struct name n;
	CHECK(name_from_text(text, strlen(text), NULL, &n) == NAME_OK);
	return n;
}

static void
add_template(const char *owner, const char *type, const char *data)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct template *t = &templates[n_templates++];
	struct lexer lex;
	struct rdata_error err;
	CHECK(n_templates <= MODEL_MAX);
	t->owner = name_of(owner);
	CHECK(rrtype_from_text(type, strlen(type), &t->type) == 0);
	lexer_init(&lex, data, strlen(data));
	int len = rdata_from_text(&lex, t->type, &apex, rdata, &err);
	CHECK(len >= 0 && len <= (int)sizeof(t->rdata));
	memcpy(t->rdata, rdata, (size_t)len);
	t->rdlen = (uint16_t)len;
}

unsigned
model_init(void)
{
	n_templates = 0;
	apex = name_of(APEX);
	for (unsigned i = 0; i < ARRAY_LEN(singles); i++)
		add_template(singles[i].owner, singles[i].type, singles[i].data);
	for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
		for (unsigned k = 0; k < ARRAY_LEN(common); k++)
			add_template(owners[i], common[k].type, common[k].data);
	}
	return n_templates;
}

void
model_record(unsigned which, struct name *owner, uint16_t *type, const uint8_t **rdata, uint16_t *rdlen)
{
	const struct template *t = &templates[which % n_templates];
	*owner = t->owner;
	*type = t->type;
	*rdata = t->rdata;
	*rdlen = t->rdlen;
}

unsigned
model_size(void)
{
	return n_templates;
}

const struct name *
model_apex(void)
{
	return &apex;
}

static bool
is_same_set(const struct template *x, const struct template *y)
{
	return x->type == y->type && name_equal(x->owner.bytes, y->owner.bytes);
}

struct model
model_start(void)
{
	struct model m = {{0}};
	m.ttl_s[0] = 3600;
	for (unsigned i = 0; i < n_templates; i++) {
		if (templates[i].type == RRTYPE_NS && templates[i].owner.len == apex.len)
			m.ttl_s[i] = 3600;
	}
	return m;
}

int
model_build(const struct model *m, struct diag_list *diag, struct snapshot **out)
{
	struct zone_builder *b = zone_builder_new(&apex);
	CHECK(b != NULL);
	for (unsigned i = 0; i < n_templates; i++) {
		const struct template *t = &templates[i];
		if (m->ttl_s[i] != 0)
			CHECK(zone_builder_add(b, &t->owner, t->type, m->ttl_s[i], t->rdata, t->rdlen, NULL) == 0);
	}
	return zone_builder_finish(b, diag, out);
}

enum { STEP_ADD, STEP_ADD_AGAIN, STEP_REMOVE, STEP_REMOVE_SET, STEP_REMOVE_NAME, STEP_KINDS };

int
model_step(struct model *m, struct zone_change *c, uint8_t what, unsigned which, uint8_t ttl_s)
{
	const struct template *t = &templates[which % n_templates];
	struct model next = *m;
	int err;
	for (unsigned i = 0; i < n_templates; i++) {
		bool same_name = name_equal(templates[i].owner.bytes, t->owner.bytes);
		if ((what % STEP_KINDS == STEP_REMOVE_SET && is_same_set(&templates[i], t)) ||
		    (what % STEP_KINDS == STEP_REMOVE_NAME && same_name))
			next.ttl_s[i] = 0;
	}
	switch (what % STEP_KINDS) {
	case STEP_ADD:
	case STEP_ADD_AGAIN:
		next.ttl_s[which % n_templates] = 1u + ttl_s;
		err = zone_change_add(c, &t->owner, t->type, 1u + ttl_s, t->rdata, t->rdlen);
		break;
	case STEP_REMOVE:
		next.ttl_s[which % n_templates] = 0;
		err = zone_change_remove(c, &t->owner, t->type, t->rdata, t->rdlen);
		break;
	case STEP_REMOVE_SET:
		err = zone_change_remove_set(c, &t->owner, t->type);
		break;
	default:
		err = zone_change_remove_name(c, &t->owner);
	}
	if (err == 0)
		*m = next;
	return err;
}

/* The TTL that a record has among those of a set; 0: it is not there. */
static uint32_t
ttl_in_set(const struct rrset *set, const struct template *t)
{
	static uint8_t rdata[RDATA_MAX_LEN];
	struct rrset_iter it;
	int len;
	if (set == NULL || set->type != t->type)
		return 0;
	rrset_iter_init(&it, set, t->owner.bytes);
	while ((len = rrset_iter_next(&it, rdata)) >= 0) {
		if (len == t->rdlen && memcmp(rdata, t->rdata, t->rdlen) == 0)
			return rrset_ttl(set);
	}
	return 0;
}

static uint32_t
ttl_in_snapshot(const struct snapshot *s, const struct template *t)
{
	uint64_t hash = name_hash(t->owner.bytes);
	const struct node *n = (const struct node *)names_find(&s->names, hash, t->owner.bytes, t->owner.len);
	uint32_t ttl_s = 0;
	for (unsigned i = 0; n != NULL && i < node_set_count(n) && node_word_is_set(n->sets[i]) && ttl_s == 0; i++)
		ttl_s = ttl_in_set(node_set(n->sets[i]), t);
	uint8_t nsec3_hash[NSEC3_HASH_LEN];
	if (ttl_s != 0 || s->denial == NULL || s->denial->kind != DENIAL_BY_NSEC3 ||
	    t->owner.len != apex.len + 1 + NSEC3_LABEL_LEN || !nsec3_label_hash(t->owner.bytes, nsec3_hash))
		return ttl_s;
	const struct nsec3 *at = denial_nsec3(s->denial, nsec3_hash);
	if (memcmp(at->hash, nsec3_hash, NSEC3_HASH_LEN) != 0)
		return 0;
	ttl_s = ttl_in_set(at->set, t);
	return ttl_s != 0 ? ttl_s : ttl_in_set(at->sigs, t);
}

void
model_settle(struct model *m, const struct snapshot *s)
{
	for (unsigned i = 0; i < n_templates; i++) {
		uint32_t ttl_s = ttl_in_snapshot(s, &templates[i]);
		CHECK((ttl_s != 0) == (m->ttl_s[i] != 0));
		m->ttl_s[i] = ttl_s;
	}
}

/* -------- differences -------- */

struct diff_check {
	struct model model;
	unsigned n_added;
};

static int
check_record(const struct diff_record *r, void *arg)
{
	struct diff_check *check = arg;
	unsigned i = 0;
	while (i < n_templates && (templates[i].type != r->type || templates[i].rdlen != r->rdlen ||
				   memcmp(templates[i].rdata, r->rdata, r->rdlen) != 0 ||
				   !name_equal(templates[i].owner.bytes, r->owner)))
		i++;
	CHECK(i < n_templates && r->ttl_s != 0);
	CHECK(check->model.ttl_s[i] == (r->is_added ? 0 : r->ttl_s));
	CHECK(r->is_added || check->n_added == 0);
	check->model.ttl_s[i] = r->is_added ? r->ttl_s : 0;
	check->n_added += r->is_added;
	return 0;
}

void
model_check_diff(const struct model *from, const struct snapshot *base, const struct model *to,
		 const struct snapshot *next)
{
	static struct diff_check check;
	check.model = *from;
	check.n_added = 0;
	CHECK(snapshot_diff(base, next, check_record, &check) == 0);
	CHECK(memcmp(&check.model, to, sizeof(*to)) == 0);
}

size_t
bytes_without_table(const struct snapshot *s)
{
	if (s->interned == NULL)
		return zalloc_bytes();
	return zalloc_bytes() - intern_bytes(s->interned) - intern_stats(s->interned).unused_bytes;
}

/* -------- comparing -------- */

static void
check_sets(const struct rrset *x, const struct rrset *y)
{
	CHECK((x == NULL) == (y == NULL));
	if (x == NULL)
		return;
	CHECK(rrset_size(x) == rrset_size(y));
	size_t from = offsetof(struct rrset, wire_len);
	CHECK(memcmp((const uint8_t *)x + from, (const uint8_t *)y + from, rrset_size(x) - from) == 0);
	CHECK(node_owns_set(x) == node_owns_set(y));
}

static void
check_nodes(const struct node *x, const struct node *y)
{
	CHECK(x->entry.hash == y->entry.hash && x->entry.flags == y->entry.flags);
	CHECK(x->entry.children == y->entry.children);
	CHECK(node_set_count(x) == node_set_count(y) && node_size(x) == node_size(y));
	for (unsigned i = 0; i < node_set_count(x); i++) {
		CHECK(node_set_type(x->sets[i]) == node_set_type(y->sets[i]));
		if (node_word_is_set(x->sets[i]))
			check_sets(node_set(x->sets[i]), node_set(y->sets[i]));
		else
			CHECK(memcmp(node_hashes(x), node_hashes(y), sizeof(struct node_hashes)) == 0);
	}
}

#define ROW_MAX 50000

struct row {
	const void *objects[ROW_MAX];
	unsigned n;
};

static int
collect(const void *object, void *arg)
{
	struct row *row = arg;
	CHECK(row->n < ROW_MAX);
	row->objects[row->n++] = object;
	return 0;
}

static void
check_denial(const struct snapshot *s, const struct snapshot *built)
{
	const struct denial_index *d = s->denial, *e = built->denial;
	static struct row x, y;
	CHECK((d == NULL) == (e == NULL));
	if (d == NULL)
		return;
	CHECK(d->kind == e->kind && d->order.count == e->order.count && d->apex_labels == e->apex_labels);
	CHECK(memcmp(&d->params, &e->params, sizeof(d->params)) == 0);
	struct denial_index again = *d; /* what it says of the apex lies in this version, too */
	denial_settle_apex(&again, s->apex);
	CHECK(again.apex_match == d->apex_match && again.apex_wildcard == d->apex_wildcard);
	x.n = y.n = 0;
	order_each(&d->order, collect, &x);
	order_each(&e->order, collect, &y);
	CHECK(x.n == y.n);
	for (unsigned i = 0; i < x.n; i++) {
		if (d->kind == DENIAL_BY_NSEC) {
			const struct node *n = x.objects[i], *m = y.objects[i];
			CHECK(name_equal(node_name(n), node_name(m)));
			CHECK(&n->entry == names_find(&s->names, n->entry.hash, node_name(n), n->entry.name_len));
		} else {
			const struct nsec3 *n = x.objects[i], *m = y.objects[i];
			CHECK(memcmp(n->hash, m->hash, NSEC3_HASH_LEN) == 0);
			check_sets(n->set, m->set);
			check_sets(n->sigs, m->sigs);
		}
	}
}

static int
check_against(const struct names_entry *e, void *arg)
{
	const struct snapshot *built = arg;
	const struct names_entry *other = names_find(&built->names, e->hash, names_entry_name(e), e->name_len);
	CHECK(other != NULL);
	check_nodes((const struct node *)e, (const struct node *)other);
	return 0;
}

void
snapshots_check_equal(const struct snapshot *s, const struct snapshot *built)
{
	CHECK(s->names.count == built->names.count);
	names_walk(&s->names, check_against, (void *)(uintptr_t)built);
	CHECK((s->depths.bits[0] & built->depths.bits[0]) == built->depths.bits[0]);
	CHECK((s->depths.bits[1] & built->depths.bits[1]) == built->depths.bits[1]);
	CHECK(&s->apex->entry == names_find(&s->names, s->apex_hash, node_name(built->apex), built->apex_len));
	check_sets(s->negative_soa, built->negative_soa);
	check_sets(s->negative_soa_sigs, built->negative_soa_sigs);
	check_denial(s, built);
	CHECK(s->apex_hash == built->apex_hash && s->apex_labels == built->apex_labels);
	CHECK(s->serial == built->serial && s->is_signed == built->is_signed && s->apex_len == built->apex_len);
	CHECK(s->records == built->records && s->sets == built->sets);
	CHECK(s->refresh_s == built->refresh_s && s->retry_s == built->retry_s);
	CHECK(s->expire_s == built->expire_s && s->minimum_s == built->minimum_s);
}
