/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: one libuv loop that owns everything which is not a packet.
 *
 * struct daemon ties the parts of control/ together and is handed around as a pointer; there is no global state
 * behind it. All of it belongs to the control thread, except where the parts' own headers say otherwise. main.c
 * makes the dataplane and the threads around it.
 *
 *     daemon_open() → [privileges dropped] → daemon_start() → [workers started] → daemon_run() → [workers ended] →
 *     daemon_finish() → daemon_free()
 */
#ifndef ANSER_CONTROL_DAEMON_H
#define ANSER_CONTROL_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/config/config.h"
#include "control/metrics.h"
#include "control/net/answer_inquiry.h"
#include "control/net/ask.h"
#include "control/net/inquiries.h"
#include "control/net/peers.h"
#include "control/net/tcp.h"
#include "control/publish/publish.h"
#include "control/publish/reclaim.h"
#include "control/server.h"
#include "control/state/state.h"
#include "control/transfer/notify_out.h"
#include "control/transfer/serve_transfer.h"
#include "control/transfer/transfer.h"
#include "control/tsig/tsig.h"
#include "control/zone/catalog_zones.h"
#include "control/zone/secondary.h"
#include "control/zone/updates.h"
#include "control/zone/zones.h"

struct reload;
struct reload_waiter;

struct daemon {
	uv_loop_t loop;
	struct zone_root root;
	struct config *config; /* in force; owned */
	struct reclaim *reclaim;
	struct publisher publisher;
	struct zones *zones;
	/* other servers: who they are, what is asked of them, what is kept of what they send */
	struct peers *peers;
	struct asks *asks;
	struct helpers *helpers; /* of large zones */
	struct transfers *transfers;
	struct secondaries *secondaries;
	struct catalog_zones *catalogs;
	struct notify_outs *notify_outs;
	struct serve_transfers *serve_transfers;
	struct updates *updates;
	struct state *state;
	struct tcp *tcp; /* main.c's; here for status and metrics */
	struct server *server;
	struct metrics_workers workers;         /* filled in by main.c */
	struct inquiry_workers inquiry_workers; /* likewise, before daemon_start() */
	struct answerer *answerer;
	struct inquiries *inquiries;
	int64_t started_s;   /* wall time */
	uint64_t started_ns; /* publish_now_ns() */
	unsigned builders;   /* threads of the libuv pool; set before daemon_start() */
	/* loop handles; open from daemon_start() to daemon_finish() */
	uv_signal_t on_term, on_int, on_hup;
	uv_async_t on_room, on_state;
	uv_timer_t sampler, progress;
	bool handles_open;
	/* start */
	struct zones_op *first_load; /* NULL once it has ended */
	bool is_pruned;              /* the state, of zones that nobody wants any more */
	bool progress_shown;         /* on the terminal, a line that wants to be cleared */
	/* reload.c */
	struct reload *reload;             /* the one that runs */
	struct reload_waiter *reload_next; /* who wants another one behind it */
	bool reload_again;
	unsigned n_dumps; /* zones being written out */
	/* stop */
	bool stopping;
	struct request *stop_request; /* replied to when all has ended */
};

/*
 * Makes the loop and binds the control socket. Takes the configuration over in any case. 0, or -errno with faults
 * in diag; then daemon_finish() and daemon_free(), unless d->config is still NULL.
 */
int daemon_open(struct daemon *d, struct config *config, struct diag_list *diag) MUST_CHECK;

/*
 * Starts the reclaimer, publishes the zone set (empty slots), begins to load the zones, and listens to signals.
 * Before any reader runs. 0 or -errno with faults in diag.
 */
int daemon_start(struct daemon *d, struct diag_list *diag) MUST_CHECK;

/* Runs until the server is told to stop. */
void daemon_run(struct daemon *d);

/* Ends loads and requests, after all readers have ended. */
void daemon_finish(struct daemon *d);

/* Frees all that was made, however far it got. */
void daemon_free(struct daemon *d);

/* Makes daemon_run() return; `rq` (may be NULL) is replied to at the end. */
void daemon_stop(struct daemon *d, struct request *rq);

/*
 * The alarm of invariant 9 (docs/ARCHITECTURE.md): a grace period lasts far longer than any turn of a reader, or
 * loaded zones wait because too much cannot be freed.
 */
bool daemon_reader_stalls(const struct daemon *d);

/*
 * Puts keys, which it takes over, and peers of a configuration into force; the zones must be committed to it next.
 * 0, or -errno with text in diag and nothing changed.
 */
int daemon_take_remotes(struct daemon *d, const struct config *config, struct tsig_keys *keys,
			struct diag_list *diag) MUST_CHECK;

/* -------- reload.c -------- */

/*
 * Reads the configuration anew, puts it into force if it is without fault, and loads zone files that changed. `rq`
 * (NULL: a signal asked) is replied to when all is done. One reload runs at a time; those asked for meanwhile
 * follow as one.
 */
void daemon_reload(struct daemon *d, struct request *rq);

/* True when no reload runs. */
bool daemon_reload_is_idle(const struct daemon *d);

/* A report as JSON, for replies. NULL: out of memory. */
json_t *report_json(const struct zones_report *report);

/* The keys of a configuration, ready for use. 0, or -errno with the reason in diag. */
int daemon_make_keys(const struct config *config, struct tsig_keys **out, struct diag_list *diag) MUST_CHECK;

/* Logs what a configuration asks for that this version does not do. */
void daemon_warn_of_gaps(const struct config *config);

/* -------- commands.c -------- */

/* server_handle_fn; `arg` is the daemon. */
void daemon_command(void *arg, struct request *rq, const char *command, const json_t *args);

#endif
