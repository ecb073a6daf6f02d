/* SPDX-License-Identifier: Apache-2.0 */
/* Differences in memory, encoded as they will be on disk, so that the writer only links them into the chain. */
#include <errno.h>
#include <string.h>

#include "control/state/state_private.h"
#include "zones/base/alloc.h"
#include "zones/base/bytes.h"

struct state_changes *
state_changes_new(const struct name *apex)
{
	struct state_changes *c = zalloc(sizeof(*c), 0);
	if (!c)
		return NULL;
	*c = (struct state_changes){0};
	state_records_init(&c->records, apex, STATE_PART_HEADER);
	return c;
}

void
state_changes_free(struct state_changes *c)
{
	if (!c)
		return;
	state_records_free(&c->records);
	zalloc_free(c->differences, c->cap * sizeof(*c->differences));
	zalloc_free(c, sizeof(*c));
}

static int
make_room(struct state_changes *c)
{
	if (c->n < c->cap)
		return 0;
	size_t cap = c->cap ? c->cap * 2 : 2;
	struct state_difference *d = zalloc(cap * sizeof(*d), 0);
	if (!d)
		return -ENOMEM;
	if (c->n)
		memcpy(d, c->differences, c->n * sizeof(*d));
	zalloc_free(c->differences, c->cap * sizeof(*d));
	c->differences = d;
	c->cap = cap;
	return 0;
}

int
state_changes_begin(struct state_changes *c, uint32_t from_serial)
{
	if (c->is_open || (c->n && c->differences[c->n - 1].to_serial != from_serial))
		return -EINVAL;
	if (make_room(c))
		return -ENOMEM;
	uint64_t values_before = c->records.n_values;
	if (state_records_cut(&c->records))
		return -ENOMEM;
	c->values_before = values_before;
	c->differences[c->n++] = (struct state_difference){.from_serial = from_serial};
	c->is_open = true;
	c->has_added = false;
	return 0;
}

int
state_changes_end(struct state_changes *c, uint32_t to_serial)
{
	struct state_difference *last = c->n ? &c->differences[c->n - 1] : NULL;
	if (!c->is_open || last->from_serial == to_serial)
		return -EINVAL;
	last->to_serial = to_serial;
	last->n_values = c->records.n_values - c->values_before;
	c->is_open = false;
	return 0;
}

int
state_changes_remove(struct state_changes *c, const struct state_record *record)
{
	if (!c->is_open || c->has_added)
		return -EINVAL;
	return state_records_put(&c->records, false, record);
}

int
state_changes_add(struct state_changes *c, const struct state_record *record)
{
	if (!c->is_open)
		return -EINVAL;
	int err = state_records_put(&c->records, true, record);
	if (!err)
		c->has_added = true;
	return err;
}

/* Tells every value whose part it is. All that its header still lacks is its place in the chain. */
void
state_changes_number(struct state_changes *c)
{
	struct state_value *v = c->records.first;
	for (size_t i = 0; i < c->n; i++) {
		const struct state_difference *d = &c->differences[i];
		for (uint64_t part = 0; part < d->n_values; part++, v = v->next) {
			store_be32(v->bytes + STATE_VALUE_HEADER, d->from_serial);
			store_be32(v->bytes + STATE_VALUE_HEADER + 4, d->to_serial);
			store_be32(v->bytes + STATE_VALUE_HEADER + 8, (uint32_t)part);
		}
	}
}
