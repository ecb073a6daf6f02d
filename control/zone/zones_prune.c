/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones that the state knows and the configuration does not: left behind by a reload whose drop did not get to
 * disk, or by a server that was off when its configuration changed. See zones.h.
 *
 *     pool: the next thousand names on disk ──> loop: those that are configured stay, the others are dropped ──>
 * again
 */
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/zone/zones_private.h"

#define PRUNE_NAMES 1000

struct prune {
	uv_work_t work;
	struct zones *zones;
	struct name after;
	bool has_after;
	unsigned n;
	uint64_t dropped;
	struct name names[PRUNE_NAMES];
};

static int
prune_note(void *arg, const struct name *apex, int err, const struct state_zone *zone)
{
	struct prune *p = arg;
	p->names[p->n++] = *apex;
	return p->n == PRUNE_NAMES;
}

static void
prune_work(uv_work_t *work)
{
	struct prune *p = work->data;
	p->n = 0;
	/* What cannot be read now is looked for at the next start. */
	(void)!state_zones_walk(p->zones->options.state, p->has_after ? &p->after : NULL, prune_note, p);
}

static void
prune_some(uv_work_t *work, int status)
{
	struct prune *p = work->data;
	struct zones *z = p->zones;
	for (unsigned i = 0; i < p->n && !z->stopping; i++) {
		const struct zone_item *item = zones_find(z, &p->names[i]);
		if (item && zone_is_kept(item->config))
			continue;
		if (state_zone_drop(z->options.state, &p->names[i], (struct state_done){0}) == 0)
			p->dropped++;
	}
	if (p->n == PRUNE_NAMES && !z->stopping) {
		p->after = p->names[PRUNE_NAMES - 1];
		p->has_after = true;
		uv_queue_work(z->options.loop, &p->work, prune_work, prune_some);
		return;
	}
	if (p->dropped)
		log_info("state: %llu zones that are not configured any more are forgotten",
			 (unsigned long long)p->dropped);
	z->n_versions--;
	free(p);
}

void
zones_prune(struct zones *z)
{
	struct prune *p = z->options.state && !z->stopping ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return;
	p->zones = z;
	p->work.data = p;
	z->n_versions++;
	uv_queue_work(z->options.loop, &p->work, prune_work, prune_some);
}
