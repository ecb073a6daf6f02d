/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollback: the previous verified version out of the state, served again. See zones.h.
 *
 *     turn ──> pool: load the previous version ──> accept (stored as the latest, served) ──> done()
 *
 * What was served becomes the previous version, so that a second rollback undoes the first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/zone/zones_private.h"

struct rollback {
	uv_work_t work;
	struct zones *zones;
	struct zone_turn turn;
	struct zone_version version;
	struct name apex;
	zones_rollback_fn *done;
	void *arg;
	struct snapshot *snapshot;
	struct state_zone stored;
	struct diag_list diag;
	uint64_t bytes;
	uint32_t from_serial;
	int err;
};

static void
rollback_over(struct rollback *rb, int err, const char *error)
{
	struct zones *z = rb->zones;
	zone_turn_end(&rb->turn);
	rb->done(rb->arg, err, error, rb->from_serial);
	diag_clear(&rb->diag);
	snapshot_free(rb->snapshot);
	z->n_versions--;
	free(rb);
}

static void
rollback_accepted(struct zone_version *v, int err)
{
	struct rollback *rb = (struct rollback *)((char *)v - offsetof(struct rollback, version));
	char zone[NAME_TEXT_MAX];
	name_to_text(rb->apex.bytes, zone);
	if (!err)
		log_write(CONFIG_LOG_WARNING, zone, "rolled back from serial %u to %u", rb->from_serial,
			  rb->turn.item->served->snapshot->serial);
	rollback_over(rb, err, err ? strerror(-err) : NULL);
}

static void
rollback_work(uv_work_t *work)
{
	struct rollback *rb = work->data;
	rb->err = zone_stored_load(rb->zones->options.state, &rb->apex, STATE_PREVIOUS, &rb->snapshot, &rb->stored,
				   &rb->diag);
	if (!rb->err)
		rb->bytes = snapshot_bytes(rb->snapshot);
}

static void
rollback_loaded(uv_work_t *work, int status)
{
	struct rollback *rb = work->data;
	char text[512];
	struct served *next = rb->err || status ? NULL : served_new(rb->snapshot, rb->bytes);
	if (!next) {
		int err = rb->err ? rb->err : -ENOMEM;
		if (rb->diag.n)
			diag_format(&rb->diag.items[0], text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s",
				 err == -ENOENT ? "the state has no previous version of this zone"
						: strerror(-err));
		rollback_over(rb, err, text);
		return;
	}
	rb->snapshot = NULL;
	rb->version = (struct zone_version){
		.turn = &rb->turn,
		.next = next,
		.store = ZONE_STORE_WHOLE,
		.meta = rb->stored.meta,
		.verified_ns = publish_now_ns(),
		.done = rollback_accepted,
	};
	/* For secondary_loaded(), as secondary_reject() comes too late for the disk. */
	rb->version.meta.flags = rb->from_serial;
	zone_accept(rb->zones, &rb->version);
}

static void
rollback_turn(struct zone_turn *turn)
{
	struct rollback *rb = (struct rollback *)((char *)turn - offsetof(struct rollback, turn));
	if (!turn->item) {
		rollback_over(rb, -ECANCELED, "the zone is not configured any more");
		return;
	}
	if (turn->item->served)
		rb->from_serial = turn->item->served->snapshot->serial;
	rb->work.data = rb;
	uv_queue_work(rb->zones->options.loop, &rb->work, rollback_work, rollback_loaded);
}

int
zones_rollback(struct zones *z, struct zone_item *item, zones_rollback_fn *done, void *arg)
{
	if (!z->options.state || !zone_is_kept(item->config))
		return -ENOTSUP;
	struct rollback *rb = calloc(1, sizeof(*rb));
	if (!rb)
		return -ENOMEM;
	rb->zones = z;
	rb->turn.begin = rollback_turn;
	rb->done = done;
	rb->arg = arg;
	name_copy(&rb->apex, item->slot->apex);
	z->n_versions++;
	zone_turn_take(item, &rb->turn);
	return 0;
}
