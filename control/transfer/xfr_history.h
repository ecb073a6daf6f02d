/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences for one IXFR out, read from the state into memory at once.
 *
 * The state gives whole differences and reads from disk; a session (xfr_out.h) takes one record after the other, on
 * a thread that answers others meanwhile. Between the two stands a copy, of bounded size. Because it is whole
 * before the first message goes out, everything that may be wrong with a history is known while the whole zone can
 * still be sent instead.
 *
 * Several differences become one (RFC 1995 section 5): what one adds and a later one removes is not sent, nor what
 * is removed and comes back. Nobody needs the versions in between, and it is never more than the chain.
 */
#ifndef ANSER_CONTROL_XFR_HISTORY_H
#define ANSER_CONTROL_XFR_HISTORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/state.h"
#include "control/transfer/xfr.h"
#include "zones/base/compiler.h"

struct xfr_history_copy;

/* Memory for all copies together. Shared by threads. */
struct xfr_history_budget {
	atomic_size_t bytes; /* in use */
	size_t max;
};

/*
 * Reads how the zone got from one version to another one, which need not be the latest. 0, and the caller frees
 * *out with xfr_history_free(); the budget outlives it. -ENOENT: the state does not know the way. -E2BIG: the
 * records, before they are condensed, take more than bytes_max, or than what is left in the budget. -EBADMSG: the
 * state is damaged, or what it gives are no differences. -ENOMEM, -errno. Reads from disk: a thread of the pool.
 */
int xfr_history_load(struct state *st, const struct name *apex, uint32_t from_serial, uint32_t to_serial,
		     size_t bytes_max, struct xfr_history_budget *budget, struct xfr_history_copy **out) MUST_CHECK;

/* NULL is allowed. */
void xfr_history_free(struct xfr_history_copy *h);

/* Records that a session will be given. */
uint64_t xfr_history_records(const struct xfr_history_copy *h);

/* The stream, from its beginning. One at a time for each copy; any thread. */
struct xfr_history xfr_history_stream(struct xfr_history_copy *h);

#endif
