/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers: the remotes of the configuration, as parts that last: with their key, their TLS, and how much goes on with
 * each of them.
 *
 * A peer lives as long as somebody holds it, so what is under way with one goes on over a reload, with the key that
 * it began with. Slots bound how many questions and transfers go to a peer at a time: a peer that hangs so delays
 * its own zones alone. Control thread.
 */
#ifndef ANSER_CONTROL_PEERS_H
#define ANSER_CONTROL_PEERS_H

#include <stdbool.h>

#include "control/config/config.h"
#include "control/tsig/tsig.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"

#define PEER_SLOTS 64 /* questions and transfers with one peer at a time */

struct tls_client;

/* Somebody who waits for a slot. Part of the caller's; stays where it is until begin() or peer_slot_cancel(). */
struct peer_wait {
	struct peer_wait *next, **link; /* link: NULL while not waiting */
	void (*begin)(struct peer_wait *w);
};

struct peer {
	struct config_remote remote;  /* id and address; the id is the peer's own */
	const struct tsig_key *key;   /* held; NULL: unsigned */
	const struct tls_client *tls; /* NULL: plain */
	unsigned holds;
	unsigned active;                         /* slots in use */
	struct peer_wait *urgent, **urgent_last; /* those that a NOTIFY has woken */
	struct peer_wait *due, **due_last;
	bool is_giving; /* slots to those who wait */
};

struct peers; /* those of a configuration */

/* No peers yet. NULL: out of memory. */
struct peers *peers_new(void) MUST_CHECK;

/*
 * Makes peers of the remotes of `config`, whose keys are prepared in `keys`, in place of those before. All or
 * nothing: 0; -ENOMEM; -errno of certificates that cannot be read, with text in diag.
 */
int peers_configure(struct peers *p, const struct config *config, const struct tsig_keys *keys,
		    struct diag_list *diag) MUST_CHECK;

/*
 * The peer of a remote of the configuration last taken over. Not held. A remote of another configuration, which had
 * to stay as memory ran out, is looked for by its id; NULL: there is none.
 */
struct peer *peers_find(const struct peers *p, const struct config_remote *remote);

/* The peer of remote i of that configuration. Not held. */
struct peer *peers_at(const struct peers *p, unsigned i);

/* Gives all up. NULL is allowed. */
void peers_free(struct peers *p);

struct peer *peer_hold(struct peer *peer);
void peer_release(struct peer *peer);

/*
 * Asks for a slot. begin() is called when there is one, which may be before this returns; the slot is given back
 * with peer_slot_end(), which may be in begin(). The urgent ones come first. Whoever calls peer_slot_end() holds
 * the peer.
 */
void peer_slot_take(struct peer *peer, struct peer_wait *w, bool is_urgent);
void peer_slot_end(struct peer *peer);

/* Waits no more. True: it was waiting; false: it has its slot. */
bool peer_slot_cancel(struct peer *peer, struct peer_wait *w);

#endif
