/* SPDX-License-Identifier: Apache-2.0 */
/* Zones that come in. See replace_fixture.h. */
#include "tests/unit/store/replace_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/store/builder.h"
#include "zones/store/replace.h"
#include "zones/wire/rdata.h"

#define CHECK(x)                                                                                                   \
	do {                                                                                                       \
		if (!(x)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                    \
			abort();                                                                                   \
		}                                                                                                  \
	} while (0)

struct feed
feed_start(void)
{
	struct feed f = {.n = 0};
	struct model m = model_start();
	for (unsigned i = 0; i < MODEL_MAX; i++) {
		if (m.ttl_s[i] != 0)
			f.items[f.n++] = (struct feed_item){.which = (uint16_t)i, .ttl_s = m.ttl_s[i]};
	}
	return f;
}

enum { STEP_ADD, STEP_ADD_AGAIN, STEP_REMOVE, STEP_MOVE, STEP_TTL, STEP_UPPER, STEP_DEAL, STEP_RETIME, STEP_KINDS };

static void
remove_record(struct feed *f, unsigned which)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < f->n; i++) {
		if (f->items[i].which != which)
			f->items[kept++] = f->items[i];
	}
	f->n = kept;
}

static void
move_item(struct feed *f, unsigned from, unsigned to)
{
	struct feed_item item = f->items[from];
	memmove(&f->items[from], &f->items[from + 1], (f->n - from - 1) * sizeof(item));
	memmove(&f->items[to + 1], &f->items[to], (f->n - to - 1) * sizeof(item));
	f->items[to] = item;
}

/* Some now, the others after them: names come twice. */
static void
deal(struct feed *f, unsigned pattern)
{
	static struct feed_item late[FEED_MAX];
	unsigned kept = 0, n_late = 0;
	for (unsigned i = 0; i < f->n; i++) {
		if (pattern >> i % 8 & 1)
			late[n_late++] = f->items[i];
		else
			f->items[kept++] = f->items[i];
	}
	memcpy(&f->items[kept], late, n_late * sizeof(late[0]));
}

/* New TTLs for many records, which no zone is refused for: most names differ. */
static void
retime(struct feed *f, unsigned pattern)
{
	for (unsigned i = 0; i < f->n; i++) {
		if (pattern >> i % 8 & 1)
			f->items[i].ttl_s = 1 + (f->items[i].ttl_s + i + pattern) % 4;
	}
}

void
feed_step(struct feed *f, uint8_t what, unsigned which, uint8_t arg)
{
	unsigned record = which % model_size();
	unsigned step = what % STEP_KINDS;
	if (step <= STEP_ADD_AGAIN && f->n < FEED_MAX)
		f->items[f->n++] = (struct feed_item){.which = (uint16_t)record, .ttl_s = 1u + arg % 4};
	else if (step == STEP_REMOVE)
		remove_record(f, record);
	else if (step == STEP_MOVE && f->n != 0)
		move_item(f, which % f->n, arg % f->n);
	else if (step == STEP_TTL && f->n != 0)
		f->items[which % f->n].ttl_s = 1u + arg % 4;
	else if (step == STEP_UPPER)
		f->is_upper[record] = arg & 1;
	else if (step == STEP_DEAL)
		deal(f, arg);
	else if (step == STEP_RETIME)
		retime(f, arg);
}

static void
to_upper(uint8_t *name, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		if (name[i] >= 'a' && name[i] <= 'z')
			name[i] -= 'a' - 'A';
	}
}

/* Gets a record; `to` is a builder or a replacement. */
typedef int take_record(void *to, const struct name *owner, uint16_t type, uint32_t ttl_s, const uint8_t *rdata,
			uint16_t rdlen);

static int
take_to_build(void *to, const struct name *owner, uint16_t type, uint32_t ttl_s, const uint8_t *rdata,
	      uint16_t rdlen)
{
	return zone_builder_add(to, owner, type, ttl_s, rdata, rdlen, NULL);
}

static int
take_to_replace(void *to, const struct name *owner, uint16_t type, uint32_t ttl_s, const uint8_t *rdata,
		uint16_t rdlen)
{
	return zone_replace_add(to, owner, type, ttl_s, rdata, rdlen);
}

static int
feed_all(const struct feed *f, take_record *take, void *to)
{
	int err = 0;
	for (unsigned i = 0; i < f->n && err == 0; i++) {
		struct name owner;
		uint16_t type, rdlen;
		const uint8_t *rdata;
		uint8_t copy[256];
		struct rdata_name names[4];
		model_record(f->items[i].which, &owner, &type, &rdata, &rdlen);
		memcpy(copy, rdata, rdlen);
		if (f->is_upper[f->items[i].which]) {
			unsigned n = rdata_names(type, rdata, rdlen, names, 4);
			to_upper(owner.bytes, owner.len);
			for (unsigned k = 0; k < n; k++)
				to_upper(copy + names[k].pos, names[k].len);
		}
		err = take(to, &owner, type, f->items[i].ttl_s, copy, rdlen);
	}
	return err;
}

int
feed_build(const struct feed *f, struct diag_list *diag, struct snapshot **out)
{
	struct zone_builder *b = zone_builder_new(model_apex());
	CHECK(b != NULL && feed_all(f, take_to_build, b) == 0);
	return zone_builder_finish(b, diag, out);
}

int
feed_replace(const struct feed *f, const struct snapshot *base, struct diag_list *diag, struct snapshot **out,
	     struct snapshot_remains **remains)
{
	struct zone_replace *r = zone_replace_new(base, diag);
	if (r == NULL)
		return -ENOMEM;
	int err = feed_all(f, take_to_replace, r);
	if (err == 0)
		return zone_replace_finish(r, out, remains);
	zone_replace_abort(r);
	return err;
}
