/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole zone over another: the records of one name, held against those of the base. See replace_private.h. A
 * builder thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/alloc.h"
#include "zones/store/records.h"
#include "zones/store/replace_private.h"

static int
compare_run(const void *a, const void *b)
{
	const struct replace_record *x = a, *y = b;
	uint32_t x_key = log_record_type_key(x->log.type, x->log.rdata);
	uint32_t y_key = log_record_type_key(y->log.type, y->log.rdata);
	if (x_key != y_key)
		return x_key < y_key ? -1 : 1;
	int order = log_record_compare_rdata(&x->log, &y->log);
	if (order == 0 && x->text_at != y->text_at)
		return x->text_at < y->text_at ? -1 : 1;
	return order;
}

void
replace_settle_run(struct zone_replace *r)
{
	bool is_sorted = true;
	for (size_t i = 0; i < r->n; i++) {
		r->run[i].log.rdata = r->text + r->run[i].text_at;
		is_sorted &= i == 0 || compare_run(&r->run[i - 1], &r->run[i]) <= 0;
	}
	if (!is_sorted)
		qsort(r->run, r->n, sizeof(r->run[0]), compare_run);
	size_t kept = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct log_record *last = kept != 0 ? &r->run[kept - 1].log : NULL, *log = &r->run[i].log;
		if (last == NULL ||
		    log_record_type_key(last->type, last->rdata) != log_record_type_key(log->type, log->rdata) ||
		    log_record_compare_rdata(last, log) != 0)
			r->run[kept++] = r->run[i];
		else if (log->ttl_s < last->ttl_s)
			last->ttl_s = log->ttl_s;
	}
	r->n = kept;
}

size_t
replace_seek_key(const struct zone_replace *r, uint32_t key)
{
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct log_record *log = &r->run[middle].log;
		if (log_record_type_key(log->type, log->rdata) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index behind the last record of the run that is in one set with record i. */
static size_t
group_end(const struct zone_replace *r, size_t i)
{
	uint32_t key = log_record_type_key(r->run[i].log.type, r->run[i].log.rdata);
	size_t end = i + 1;
	while (end < r->n && log_record_type_key(r->run[end].log.type, r->run[end].log.rdata) == key)
		end++;
	return end;
}

/* The run's record that a record of the base equals but for letter case, or the run's end. */
static size_t
seek_record(const struct zone_replace *r, const struct log_record *base)
{
	uint32_t key = log_record_type_key(base->type, base->rdata);
	size_t low = replace_seek_key(r, key), high = replace_seek_key(r, key + 1);
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = log_record_compare_rdata(&r->run[middle].log, base);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return r->n;
}

static bool
is_same_octets(const struct log_record *x, const struct log_record *y)
{
	return x->type == y->type && x->rdlen == y->rdlen && memcmp(x->rdata, y->rdata, x->rdlen) == 0;
}

/* Finds each record of a set of the base in the run, *next being where the first one should be. */
static void
match_set(struct zone_replace *r, const struct rrset *set, unsigned *base_index, size_t *next)
{
	struct rrset_iter it;
	int len;
	rrset_iter_init(&it, set, r->owner.bytes);
	for (; (len = rrset_iter_next(&it, r->rdata)) >= 0; ++*base_index) {
		struct log_record base = {.type = set->type, .rdata = r->rdata, .rdlen = (uint16_t)len};
		size_t i = *next;
		if (i == r->n || !is_same_octets(&r->run[i].log, &base)) {
			base.has_upper = log_rdata_has_upper(r->rdata, (unsigned)len);
			i = seek_record(r, &base);
		}
		if (i == r->n)
			continue;
		r->run[i].set = set;
		r->run[i].base_index = *base_index;
		r->run[i].is_recased = !is_same_octets(&r->run[i].log, &base);
		*next = i + 1;
	}
}

struct replace_match
replace_match_run(struct zone_replace *r, const struct replace_base *b)
{
	struct replace_match m = {.is_known = true, .is_exact = true, .is_not_shorter = true};
	struct name_sets sets = {.node = b->node, .nsec3 = b->nsec3};
	const struct rrset *set;
	size_t next = 0;
	while (replace_base_object(b) != NULL && (set = name_sets_next(&sets)) != NULL)
		match_set(r, set, &m.n_base, &next);
	for (size_t i = 0; i < r->n; i++) {
		const struct replace_record *record = &r->run[i];
		if (record->set == NULL) {
			m.is_known = m.is_exact = false;
			continue;
		}
		m.is_exact &= !record->is_recased && record->log.ttl_s == rrset_ttl(record->set);
		m.is_not_shorter &= record->log.ttl_s >= rrset_ttl(record->set);
		if (record->base_index < REPLACE_MARKED_MAX)
			m.mask |= (uint16_t)(1u << record->base_index);
	}
	return m;
}

/* -------- is a set what the base has? -------- */

/*
 * The base does not keep all letters: what records have in common with their owner is read back as the owner has
 * it. Where only letters differ, the compiler has the last word.
 */
static int
group_compiles_to(const struct zone_replace *r, size_t from, size_t end, const struct rrset *set, bool *same)
{
	size_t size = (end - from) * sizeof(struct rrset_rdata);
	struct rrset_rdata *rdatas = zalloc(size, 0);
	struct rrset *made = NULL;
	if (rdatas == NULL)
		return -ENOMEM;
	for (size_t i = from; i < end; i++)
		rdatas[i - from] = (struct rrset_rdata){.data = r->run[i].log.rdata, .len = r->run[i].log.rdlen};
	int err = rrset_compile(r->change->source.apex.bytes, r->owner.bytes, set->type, rrset_ttl(set), rdatas,
				(unsigned)(end - from), &made);
	zalloc_free(rdatas, size);
	if (err == 0)
		*same = rrset_is_equal(made, set);
	rrset_release(made);
	return err == -ENOMEM ? err : 0;
}

int
replace_group_is_same(const struct zone_replace *r, size_t from, size_t end, bool *same)
{
	const struct rrset *set = r->run[from].set;
	uint32_t ttl_s = UINT32_MAX;
	bool is_recased = false;
	*same = false;
	for (size_t i = from; i < end; i++) {
		if (r->run[i].set == NULL || r->run[i].set != set)
			return 0;
		ttl_s = r->run[i].log.ttl_s < ttl_s ? r->run[i].log.ttl_s : ttl_s;
		is_recased |= r->run[i].is_recased;
	}
	if (ttl_s != rrset_ttl(set))
		return 0;
	if (is_recased)
		return end - from == set->n_rr ? group_compiles_to(r, from, end, set, same) : 0;
	*same = true;
	return 0;
}

int
replace_run_is_same(const struct zone_replace *r, const struct replace_match *m, bool *same)
{
	int err = 0;
	*same = m->is_known && r->n == m->n_base;
	if (m->is_exact)
		return 0;
	for (size_t i = 0, end; i < r->n && *same && err == 0; i = end) {
		end = group_end(r, i);
		err = replace_group_is_same(r, i, end, same);
	}
	return err;
}
