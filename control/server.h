/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: where anserctl, and scripts that speak its protocol, reach the daemon.
 *
 * A Unix stream socket, mode 0660: whoever may open it may do everything. One request a connection, every line
 * one JSON object:
 *
 *     → {"command": "zone-reload", "args": ["example.com"]}
 *     ← {"progress": {...}}                                    any number of these, or none
 *     ← {"ok": true, "result": {...}}                          or
 *     ← {"ok": false, "code": 1, "error": "...", "result": {...}}   result where there is one
 *
 * and then the daemon closes. `code` is the exit code that anserctl is to end with (docs/manual/anserctl.md): 1
 * failed, 2 usage, 4 faults were found, 5 timed out.
 *
 * Everything runs on the control thread's loop. A request stays valid until it is replied to, whether the client is
 * still there or not; so whoever handles one needs no case for clients that have gone.
 */
#ifndef ANSER_CONTROL_SERVER_H
#define ANSER_CONTROL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"

#define SERVER_REQUEST_MAX 65536 /* octets of a request line */
#define SERVER_CLIENTS_MAX 64
#define SERVER_PATIENCE_MS 10000 /* for the request to arrive, and for the reply to be taken */

enum {
	EXIT_CODE_DONE,
	EXIT_CODE_FAILED,
	EXIT_CODE_USAGE,
	EXIT_CODE_UNREACHABLE,
	EXIT_CODE_FAULTS,
	EXIT_CODE_TIMEOUT
};

struct server;
struct request;

/* Called for each good request line; must see to it that the request is replied to, now or later. `args` is an
 * array. */
typedef void server_handle_fn(void *arg, struct request *rq, const char *command, const json_t *args);

/*
 * Binds and listens at `path`; a socket that a dead daemon left there is replaced, one that a living daemon answers
 * at is an error (-EADDRINUSE). 0, or -errno with the cause in diag.
 */
int server_open(uv_loop_t *loop, const char *path, server_handle_fn *handle, void *arg, struct diag_list *diag,
		struct server **out) MUST_CHECK;

/*
 * Stops listening, removes the socket. All requests have been replied to; the loop must run until it has nothing
 * left to do, and then server_free() may be called.
 */
void server_close(struct server *s);

/* NULL is allowed. */
void server_free(struct server *s);

/* -------- for handlers; all json_t arguments are consumed -------- */

/* Sends a line before the reply. */
void request_progress(struct request *rq, json_t *line);

/*
 * The same, and calls sent(rq, arg) when the client has taken it (or has gone: then at once, from the loop): how
 * long replies are made piece by piece.
 */
void request_piece(struct request *rq, json_t *line, void (*sent)(struct request *rq, void *arg), void *arg);

/* True when nobody will read what is sent: a long reply may be cut short. */
bool request_is_gone(const struct request *rq);

/* Replies, and ends the request. */
void request_reply(struct request *rq, json_t *result);
void request_fail(struct request *rq, int code, json_t *result, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
