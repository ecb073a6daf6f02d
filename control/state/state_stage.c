/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole zones that are written before it is known whether they will be wanted. See state.h.
 *
 * A stage is a replace that the writer does not finish by itself. What is written of it is garbage that nobody
 * sweeps, as with every whole zone that is under way. When all is written, or something has failed, the writer
 * parks it; the wish for it, which may come before or after that, puts it into the queue again, for a last turn
 * that writes the head, or does not. Any thread.
 */
#include <errno.h>

#include "control/state/state_private.h"

static struct state_request *
request_of(struct state_stage *stage)
{
	return (struct state_request *)stage;
}

int
state_stage_begin(struct state *st, const struct name *apex, uint32_t serial, const struct state_source *source,
		  void (*release)(void *arg), struct state_stage **out)
{
	struct state_request *r = state_request_new(STATE_REPLACE, apex, NULL, (struct state_done){0});
	if (!r)
		return -ENOMEM;
	r->serial = serial;
	r->source = *source;
	r->is_stage = true;
	r->release = release;
	int err = state_request_queue(st, r);
	if (!err)
		*out = (struct state_stage *)r;
	return err;
}

/* The request is the writer's alone from here on. */
static void
wish(struct state *st, struct state_request *r, enum state_stage_wish what)
{
	pthread_mutex_lock(&st->mutex);
	r->wish = what;
	if (r->is_parked) {
		r->is_parked = false;
		state_queue_put(&st->queued, r);
		pthread_cond_signal(&st->work);
	}
	pthread_mutex_unlock(&st->mutex);
}

void
state_stage_commit(struct state *st, struct state_stage *stage, const struct state_meta *meta,
		   struct state_done done)
{
	struct state_request *r = request_of(stage);
	r->has_meta = true; /* nobody looks at these before there is a wish */
	r->meta = *meta;
	r->done = done;
	wish(st, r, STAGE_COMMIT);
}

void
state_stage_free(struct state *st, struct state_stage *stage)
{
	if (stage)
		wish(st, request_of(stage), STAGE_DROP);
}
