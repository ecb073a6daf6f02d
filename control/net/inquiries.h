/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where inquiries come from and where their ends go: the machinery behind inquiry.h.
 *
 *     inquiries_new() → inquiries_start() → ... → inquiries_stop() → inquiries_free()
 *
 * Two kinds of sources. Workers are polled by a timer, since they make no system call to wake anybody (ADR 0014).
 * Threads that may make one (TCP) post. Either way no more than INQUIRIES_TURN of them are handled in a turn of the
 * loop: whoever floods us with what is expensive to answer waits behind the loop's other work, not before it.
 *
 * All on the control thread but inquiries_post().
 */
#ifndef ANSER_CONTROL_INQUIRIES_H
#define ANSER_CONTROL_INQUIRIES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/net/inquiry.h"
#include "zones/base/compiler.h"

#define INQUIRIES_TURN 64
#define INQUIRIES_POLL_BUSY_MS 1 /* while something came within the last second */
#define INQUIRIES_POLL_QUIET_MS 2

struct inquiries;

/* What the maker of an inquiry does at its end. One of them is called, once, on the control thread. */
struct inquiry_ops {
	void (*reply)(struct inquiry *q, const uint8_t *msg, size_t len); /* len <= reply_cap */
	void (*drop)(struct inquiry *q);
	void (*stream)(struct inquiry *q, const struct inquiry_producer *producer); /* NULL: cannot */
};

/* A message of a worker. */
struct inquiry_punt {
	const uint8_t *msg; /* there until end() */
	uint32_t len, reply_cap;
	struct engine_client client;
	unsigned id;
};

/* The workers, bound by main.c, which alone knows the dataplane. They outlive the inquiries. */
struct inquiry_workers {
	unsigned n;
	bool (*next)(void *arg, unsigned worker, struct inquiry_punt *out); /* false: there is none */
	void (*end)(void *arg, unsigned worker, unsigned id, const uint8_t *msg, size_t len); /* len 0: silence */
	void *arg;
};

/* Nothing is handled before inquiries_start(). 0 or -ENOMEM. */
int inquiries_new(uv_loop_t *loop, inquiry_handle_fn *handle, void *arg, struct inquiries **out) MUST_CHECK;

/* Begins to poll the workers, and to take what was posted. `workers` is copied. 0 or -errno. */
int inquiries_start(struct inquiries *all, const struct inquiry_workers *workers) MUST_CHECK;

/*
 * Hands out no more: what was posted and not handled is dropped, what will be posted is dropped at once. Those that
 * the handler holds must still be ended. The loop has to run on, until it has closed our handles.
 */
void inquiries_stop(struct inquiries *all);

/* After inquiries_stop(), the loop's end, the end of all posting threads and of all inquiries. NULL is allowed. */
void inquiries_free(struct inquiries *all);

/* Hands over an inquiry with its `ops`. Any thread. */
void inquiries_post(struct inquiries *all, struct inquiry *q);

#endif
