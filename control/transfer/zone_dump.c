/* SPDX-License-Identifier: Apache-2.0 */
/* A zone as text. See zone_dump.h. A builder thread. */
#include "control/transfer/zone_dump.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/collation.h"
#include "zones/store/records.h"

/* An octet of data is four characters at most; fields add quotes, blanks and their names. */
#define DATA_TEXT_MAX (6 * RDATA_MAX_LEN)
#define LINE_MAX_LEN (NAME_TEXT_MAX + RRTYPE_TEXT_MAX + 32 + DATA_TEXT_MAX)

struct zone_dump {
	const struct snapshot *snapshot;
	struct collation order;
	size_t next_name;
	bool has_soa;              /* it is out already */
	struct name_sets sets;     /* of the current name; neither node nor NSEC3 set before the first */
	struct rrset_iter records; /* of the current set; its set is NULL before the first */
	size_t line_at, line_len;  /* what is left of the line */
	uint8_t rdata[RDATA_MAX_LEN];
	char line[LINE_MAX_LEN];
};

static void
write_line(struct zone_dump *d, const struct zone_record *r)
{
	char type[RRTYPE_TEXT_MAX];
	size_t len = name_to_text(r->owner, d->line);
	rrtype_to_text(r->type, type);
	len += (size_t)snprintf(d->line + len, LINE_MAX_LEN - len, "\t%u\tIN\t%s\t", r->ttl_s, type);
	int data_len = rdata_to_text(r->type, r->rdata, r->rdlen, d->line + len, LINE_MAX_LEN - len - 1);
	assert(data_len >= 0);
	len += (size_t)data_len;
	d->line[len++] = '\n';
	d->line_at = 0;
	d->line_len = len;
}

/* The sets in their order; NULL behind the last one. The name that the set belongs to is order.names[next_name -
 * 1]. */
static const struct rrset *
next_set(struct zone_dump *d)
{
	for (;;) {
		bool has_name = d->sets.node != NULL || d->sets.nsec3 != NULL;
		const struct rrset *set = has_name ? name_sets_next(&d->sets) : NULL;
		if (set != NULL)
			return set;
		if (d->next_name == d->order.n)
			return NULL;
		const struct collation_name *name = &d->order.names[d->next_name++];
		d->sets = (struct name_sets){.node = name->node, .nsec3 = name->nsec3};
	}
}

/* The next record but the SOA; false behind the last one. */
static bool
next_record(struct zone_dump *d, struct zone_record *r)
{
	int rdlen = d->records.set != NULL ? rrset_iter_next(&d->records, d->rdata) : -1;
	while (rdlen < 0) {
		const struct rrset *set = next_set(d);
		d->records.set = NULL;
		if (set == NULL)
			return false;
		if (set->type == RRTYPE_SOA)
			continue;
		rrset_iter_init(&d->records, set, d->order.names[d->next_name - 1].name);
		rdlen = rrset_iter_next(&d->records, d->rdata);
	}
	*r = (struct zone_record){.owner = d->records.owner,
				  .rdata = d->rdata,
				  .ttl_s = rrset_ttl(d->records.set),
				  .type = d->records.set->type,
				  .rdlen = (uint16_t)rdlen};
	return true;
}

static bool
next_line(struct zone_dump *d)
{
	struct zone_record r;
	if (!d->has_soa)
		records_soa(d->snapshot, d->rdata, &r);
	else if (!next_record(d, &r))
		return false;
	d->has_soa = true;
	write_line(d, &r);
	return true;
}

size_t
zone_dump_next(struct zone_dump *d, char *buf, size_t cap)
{
	size_t len = 0;
	while (len < cap && (d->line_at < d->line_len || next_line(d))) {
		size_t left = d->line_len - d->line_at, room = cap - len;
		size_t n = left < room ? left : room;
		memcpy(buf + len, d->line + d->line_at, n);
		d->line_at += n;
		len += n;
	}
	return len;
}

struct zone_dump *
zone_dump_new(const struct snapshot *s)
{
	struct zone_dump *d = zalloc(sizeof(*d), 0);
	if (d == NULL)
		return NULL;
	memset(d, 0, offsetof(struct zone_dump, rdata));
	d->snapshot = s;
	if (collation_make(s, node_name(s->apex), &d->order) != 0) {
		zalloc_free(d, sizeof(*d));
		return NULL;
	}
	return d;
}

void
zone_dump_free(struct zone_dump *d)
{
	if (d == NULL)
		return;
	collation_free(&d->order);
	zalloc_free(d, sizeof(*d));
}
