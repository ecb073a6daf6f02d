/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over TCP (RFC 1035 section 4.2.2, RFC 7766) and over TLS (RFC 7858) on kernel sockets.
 *
 *     tcp_open() → tcp_start() → ... → tcp_stop() → tcp_close()
 *
 * Each thread has a loop and, for each address of server.listen and tls.listen, a listening socket of its own
 * (SO_REUSEPORT lets the kernel spread connections). It is an RCU reader that is online only while engine_burst()
 * runs: messages come in, up to ENGINE_GROUP of them are answered as one burst, the answers go out.
 *
 * What clients may cost is bounded:
 *   - a connection that has not brought a whole message for idle-timeout is closed, and one that takes none of
 *     its answers for so long, too; octets of a message that never ends do not count as activity (slowloris);
 *   - a TLS handshake brings no message, so it must be over, and a query there, within the same time;
 *   - while a client does not take its answers, or waits for one of control's, nothing is read from it;
 *   - at max-connections the one that has been silent longest makes room for the new one; at max-per-source the
 *     new one is refused.
 */
#ifndef ANSER_CONTROL_TCP_H
#define ANSER_CONTROL_TCP_H

#include <stdint.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/base/counters.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"

struct inquiries;
struct tcp;
struct tls_server; /* control/net/tls.h */

/*
 * Binds the listening sockets: the part that needs privileges. Takes what it needs from the configuration, keeps
 * nothing of it. `root` outlives the service. 0, or -errno with the cause and the cure in diag.
 */
int tcp_open(const struct config *config, const struct zone_root *root, struct diag_list *diag,
	     struct tcp **out) MUST_CHECK;

/*
 * Before tcp_start(): from now on control answers what is rare. `all` outlives the threads. Without it, the engine
 * answers everything.
 */
void tcp_set_inquiries(struct tcp *tcp, struct inquiries *all);

/*
 * Makes a new certificate hold for connections from now on; those that stand keep what they began with. Consumes
 * `server`. Any thread. Without TLS, as it was opened, nothing happens: that takes a restart.
 */
void tcp_set_tls(struct tcp *tcp, struct tls_server *server);

/* When the certificate in force ends, in seconds since 1970; 0: no TLS. Any thread. */
int64_t tcp_tls_not_after_s(const struct tcp *tcp);

/* Starts the threads. 0 or -errno; then tcp_close() is all that may follow. */
int tcp_start(struct tcp *tcp) MUST_CHECK;

/*
 * Closes the listening sockets, lets answers that are on their way go out (two seconds at most), ends the threads.
 * Control's answers that have not come yet are not waited for: control may be who calls.
 */
void tcp_stop(struct tcp *tcp);

/* Frees everything but inquiries that control still holds, which it may end later; tcp_stop() was called if
 * tcp_start() had been. NULL is allowed. */
void tcp_close(struct tcp *tcp);

unsigned tcp_thread_count(const struct tcp *tcp);

/* Thread i's counters, of plain TCP and of TLS; any thread may read them until tcp_close(). */
const struct counters *tcp_thread_counters(const struct tcp *tcp, unsigned i);
const struct counters *tcp_thread_tls_counters(const struct tcp *tcp, unsigned i);

/* TCP and TLS together. Any thread. */
struct tcp_stats {
	uint64_t connections;    /* open now */
	uint64_t accepted;       /* since the start; refused ones not included */
	uint64_t refused_source; /* over max-per-source */
	uint64_t refused_full;   /* over max-connections, and nothing was there to close in their place */
	uint64_t closed_idle;    /* by idle-timeout, or to make room */
	uint64_t closed_slow;    /* did not take their answers */
	uint64_t tls_failed;     /* handshakes that came to nothing, and what else TLS finds wrong */
};
void tcp_stats(const struct tcp *tcp, struct tcp_stats *out);

/* The port that address i, those of server.listen first, then those of tls.listen, is really bound to, in host
 * order: for tests that bind port 0. */
uint16_t tcp_port(const struct tcp *tcp, unsigned i);

#endif
