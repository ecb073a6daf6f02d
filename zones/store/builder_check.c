/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone builder: checks of the zone as a whole. See builder.h for what refuses a zone and what only warns.
 *
 * Works on the sorted log, because that knows where each record was written, and asks the finished snapshot about
 * other names. Builder threads.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "zones/store/builder_ahead.h"
#include "zones/store/builder_private.h"
#include "zones/wire/rdata.h"

struct check {
	const struct record_source *source;
	const struct snapshot *snapshot;
	struct diag_list *diag;
};

void
builder_fault(const struct record_source *source, struct diag_list *diag, enum diag_severity severity,
	      const struct log_record *r, const char *fmt, ...)
{
	char text[400], owner[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	name_to_text(r->owner, owner);
	rrtype_to_text(r->type, type);
	const char *file = r->line != 0 ? source->files[r->file] : NULL;
	diag_add(diag, severity, file, r->line, r->column, "%s %s: %s", owner, type, text);
}

#define FAULT(c, severity, r, ...) builder_fault((c)->source, (c)->diag, (severity), (r), __VA_ARGS__)

static const struct node *
find_node(const struct check *c, const uint8_t *name)
{
	struct name lower; /* not set to zero first: this is done for every server in the zone */
	lower.len = (uint8_t)name_len(name);
	name_lower(lower.bytes, name, lower.len);
	return (const struct node *)names_find(&c->snapshot->names, name_hash(lower.bytes), lower.bytes, lower.len);
}

/* -------- one name -------- */

/* May stand beside a CNAME: what signing adds (RFC 4034 section 2.5, RFC 2181 section 10.1). */
bool
builder_stands_beside_cname(uint16_t type)
{
	return type == RRTYPE_CNAME || type == RRTYPE_RRSIG || type == RRTYPE_NSEC || type == RRTYPE_NXT ||
	       type == 24 /* SIG */ || type == 25 /* KEY */;
}

static const struct log_record *
first_of_type(const struct log_record *r, size_t n, uint16_t type)
{
	for (size_t i = 0; i < n; i++) {
		if (r[i].type == type)
			return &r[i];
	}
	return NULL;
}

static void
check_cname(const struct check *c, const struct log_record *r, size_t n)
{
	if (first_of_type(r, n, RRTYPE_CNAME) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!builder_stands_beside_cname(r[i].type)) {
			FAULT(c, DIAG_ERROR, &r[i], "other data beside a CNAME (RFC 1034 section 3.6.2)");
			return;
		}
	}
}

static void
check_singletons(const struct check *c, const struct log_record *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct rrtype_row *row = rrtype_row(r[i].type);
		if (row != NULL && (row->flags & RRTYPE_SINGLETON) && r[i].type == r[i - 1].type &&
		    log_record_compare_rdata(&r[i - 1], &r[i]) != 0)
			FAULT(c, DIAG_ERROR, &r[i], "more than one %s record at this name", row->mnemonic);
	}
}

/* Can a server's name be asked for its address here? Names outside the zone, or below a cut elsewhere, are not ours
 * to judge. */
static void
check_server(const struct check *c, const struct log_record *r, const uint8_t *target, bool is_delegation)
{
	if (!name_is_under(target, c->source->apex.bytes))
		return;
	bool must_be_glue = is_delegation && name_is_under(target, r->owner);
	const struct node *n = find_node(c, target);
	char text[NAME_TEXT_MAX];
	if (n != NULL && node_find(n, RRTYPE_CNAME).set != NULL) {
		name_to_text(target, text);
		FAULT(c, DIAG_WARNING, r, "%s is an alias (RFC 2181 section 10.3)", text);
		return;
	}
	bool has_address =
		n != NULL && (node_find(n, RRTYPE_A).set != NULL || node_find(n, RRTYPE_AAAA).set != NULL);
	bool is_below = n != NULL && (n->entry.flags & NODE_BELOW);
	if (has_address || (is_below && !must_be_glue) ||
	    (n != NULL && (n->entry.flags & NODE_CUT) && !must_be_glue))
		return;
	if (r->type != RRTYPE_NS)
		return;
	name_to_text(target, text);
	FAULT(c, DIAG_WARNING, r, "%s has no address in the zone%s", text, must_be_glue ? ": glue is missing" : "");
}

static void
check_targets(const struct check *c, const struct log_record *r, bool is_delegation)
{
	if (r->type != RRTYPE_NS && r->type != RRTYPE_MX && r->type != RRTYPE_SRV)
		return;
	struct rdata_name names[4];
	unsigned n = rdata_names(r->type, r->rdata, r->rdlen, names, ARRAY_LEN(names));
	for (unsigned i = 0; i < n; i++)
		check_server(c, r, r->rdata + names[i].pos, is_delegation);
}

/* Glue, and what signers leave beside it. */
static bool
may_be_glue(uint16_t type)
{
	return type == RRTYPE_A || type == RRTYPE_AAAA || type == RRTYPE_RRSIG || type == RRTYPE_NSEC ||
	       type == RRTYPE_NSEC3;
}

/* Of the names above a hidden one, the nearest to the apex decides what hides it: a DNAME, or else a cut. */
static bool
is_below_dname(const struct check *c, const uint8_t *owner)
{
	bool below_dname = false;
	for (unsigned skip = 1; skip <= name_labels(owner) - c->source->apex_labels; skip++) {
		const struct node *above = find_node(c, name_parent(owner, skip));
		if (above != NULL && (above->entry.flags & (NODE_DNAME | NODE_CUT)))
			below_dname = above->entry.flags & NODE_DNAME;
	}
	return below_dname;
}

/* What is below a cut is not served, glue apart; below a DNAME nothing is (RFC 6672 section 2.4). */
static void
check_hidden(const struct check *c, const struct log_record *r, size_t n)
{
	const struct node *apex = c->snapshot->apex;
	if (apex == NULL)
		return;
	/* Nothing but a DNAME at the apex can hide its children, which are most names of a large zone. */
	bool is_child = name_labels(r->owner) <= c->source->apex_labels + 1u;
	if (is_child && !(apex->entry.flags & NODE_DNAME))
		return;
	const struct node *node = find_node(c, r->owner);
	if (node == NULL || !(node->entry.flags & NODE_BELOW))
		return; /* seen, or not made for a fault that is told already */
	bool below_dname = is_below_dname(c, r->owner);
	for (size_t i = 0; i < n; i++) {
		if (below_dname || !may_be_glue(r[i].type)) {
			FAULT(c, DIAG_WARNING, &r[i], "hidden by a %s above it, never served",
			      below_dname ? "DNAME" : "delegation");
			return;
		}
	}
}

static bool
is_apex(const struct record_source *source, const struct log_record *r)
{
	return r->owner_len == source->apex.len;
}

void
builder_check_alone(const struct record_source *source, struct diag_list *diag, const struct log_record *r,
		    size_t n)
{
	const struct check check = {.source = source, .diag = diag}, *c = &check;
	check_cname(c, r, n);
	check_singletons(c, r, n);
	const struct log_record *dname = first_of_type(r, n, RRTYPE_DNAME);
	if (dname != NULL && !is_apex(source, r) && first_of_type(r, n, RRTYPE_NS) != NULL)
		FAULT(c, DIAG_ERROR, dname, "a name cannot be delegated and redirected (RFC 6672 section 2.4)");
	for (size_t i = 0; i < n; i++) {
		if (r[i].type == RRTYPE_SOA && !is_apex(source, r))
			FAULT(c, DIAG_ERROR, &r[i], "SOA below the apex of the zone");
	}
}

/* Does any of its servers lie in the zone? */
static bool
has_target_inside(const struct record_source *source, const struct log_record *r)
{
	struct rdata_name names[4];
	if (r->type == RRTYPE_NS) /* most that are asked for; and their data is a name */
		return name_is_under(r->rdata, source->apex.bytes);
	if (r->type != RRTYPE_NS && r->type != RRTYPE_MX && r->type != RRTYPE_SRV)
		return false;
	unsigned n = rdata_names(r->type, r->rdata, r->rdlen, names, ARRAY_LEN(names));
	for (unsigned i = 0; i < n; i++) {
		if (name_is_under(r->rdata + names[i].pos, source->apex.bytes))
			return true;
	}
	return false;
}

/* Where no DNAME hides anything, a cut may, and that lets glue pass. */
int
builder_list_others(const struct record_source *source, bool has_dname, const struct log_record *r, size_t n,
		    struct log_list *list)
{
	bool may_be_hidden = name_labels(r->owner) > source->apex_labels + 1u;
	int err = 0;
	for (size_t i = 0; i < n && err == 0; i++)
		if (has_dname || (may_be_hidden && !may_be_glue(r[i].type)) || has_target_inside(source, &r[i]))
			err = log_list_add(list, &r[i], 1);
	return err;
}

void
builder_check_others(const struct record_source *source, const struct snapshot *s, struct diag_list *diag,
		     const struct log_record *r, size_t n)
{
	const struct check check = {.source = source, .snapshot = s, .diag = diag}, *c = &check;
	bool is_wildcard = r->owner[0] == 1 && r->owner[1] == '*';
	bool is_delegation = !is_apex(source, r) && !is_wildcard && first_of_type(r, n, RRTYPE_NS) != NULL;
	check_hidden(c, r, n);
	for (size_t i = 0; i < n; i++)
		check_targets(c, &r[i], is_delegation);
}

/* -------- the zone -------- */

void
builder_check_apex(const struct record_source *source, const struct snapshot *s, struct diag_list *diag)
{
	char apex[NAME_TEXT_MAX];
	name_to_text(source->apex.bytes, apex);
	const char *file = source->n_files != 0 ? source->files[0] : NULL;
	const struct node *n = s->apex;
	if (n == NULL || node_find(n, RRTYPE_SOA).set == NULL)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "zone %s has no SOA record at its apex", apex);
	if (n == NULL || node_find(n, RRTYPE_NS).set == NULL)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "zone %s has no NS record at its apex", apex);
}

/* The check of all that has to be held against others, by parts. */
struct check_parts {
	const struct zone_builder *b;
	const struct snapshot *snapshot;
	struct diag_list *diags; /* of log_parts() */
};

/*
 * Asks for what record i, some records from now, will be checked with: its data, which has been out of sight since
 * the nodes were made, and then its server, where that is in the zone.
 */
static void
look_ahead(const struct check_parts *p, const struct log_list *list, struct ahead *servers, size_t i)
{
	const struct name *apex = &p->b->source.apex;
	const struct names *names = &p->snapshot->names;
	struct name lower;
	if (i + 3 * AHEAD < list->n) {
		prefetch(list->items[i + 3 * AHEAD].owner);
		prefetch(list->items[i + 3 * AHEAD].rdata);
	}
	if (i + 2 * AHEAD < list->n) {
		const struct log_record *r = &list->items[i + 2 * AHEAD];
		bool is_inside = r->type == RRTYPE_NS && name_is_under(r->rdata, apex->bytes);
		if (is_inside)
			name_lower(lower.bytes, r->rdata, r->rdlen);
		ahead_bucket(servers, names, i + 2 * AHEAD, is_inside ? name_hash(lower.bytes) : 0);
	}
	ahead_entry(servers, names, i + AHEAD);
}

static void
check_part(void *arg, size_t part)
{
	const struct check_parts *p = arg;
	const struct log_list *list = builder_names_to_check(p->b, (unsigned)part);
	struct ahead servers = {0};
	for (size_t i = 0, end; i < list->n; i = end) {
		end = log_owner_end(list, i);
		for (size_t k = i; k < end; k++)
			look_ahead(p, list, &servers, k);
		builder_check_others(&p->b->source, p->snapshot, &p->diags[part], &list->items[i], end - i);
	}
}

void
builder_check(const struct zone_builder *b, const struct snapshot *s, struct diag_list *diag)
{
	unsigned n_parts = log_parts(&b->log);
	struct diag_list diags[LOG_PARTS_MAX];
	struct check_parts p = {.b = b, .snapshot = s, .diags = diags};
	builder_check_apex(&b->source, s, diag);
	for (unsigned i = 0; i < n_parts; i++)
		diags[i] = (struct diag_list){.limit = diag->limit};
	crew_each(n_parts > 1 ? b->crew : NULL, n_parts, check_part, &p);
	for (unsigned i = 0; i < n_parts; i++)
		diag_move(diag, &diags[i]);
}
