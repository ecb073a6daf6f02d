/* SPDX-License-Identifier: Apache-2.0 */
/* Remotes as parts that last. See peers.h. */
#include "control/net/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/tls.h"

struct peers {
	const struct config_remote *first; /* of the configuration's array */
	struct peer **items;               /* one a remote, in its order */
	unsigned n;
};

/* -------- one peer -------- */

static void
peer_free(struct peer *peer)
{
	tsig_key_release(peer->key);
	tls_client_free(peer->tls);
	free((char *)(uintptr_t)peer->remote.id);
	free(peer);
}

static struct peer *
peer_new(const struct config_remote *remote, const struct tsig_keys *keys)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->holds = 1;
	peer->remote.address = remote->address;
	peer->remote.id = strdup(remote->id);
	peer->urgent_last = &peer->urgent;
	peer->due_last = &peer->due;
	if (remote->key)
		peer->key = tsig_key_hold(tsig_keys_find(keys, &remote->key->name));
	if (!peer->remote.id) {
		peer_free(peer);
		return NULL;
	}
	return peer;
}

static int
peer_take_tls(struct peer *peer, const struct config_remote *remote, struct diag_list *diag)
{
	char why[TLS_WHY_MAX];
	struct tls_client *tls;
	if (!remote->tls.enabled)
		return 0;
	int err = tls_client_new(&remote->tls, why, &tls);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "remote %s: tls: %s", remote->id, why);
	else
		peer->tls = tls;
	return err;
}

struct peer *
peer_hold(struct peer *peer)
{
	peer->holds++;
	return peer;
}

void
peer_release(struct peer *peer)
{
	if (peer && --peer->holds == 0)
		peer_free(peer);
}

/* -------- slots -------- */

static void
wait_leave(struct peer *peer, struct peer_wait *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	else if (peer->urgent_last == &w->next)
		peer->urgent_last = w->link;
	else
		peer->due_last = w->link;
	w->link = NULL;
}

void
peer_slot_take(struct peer *peer, struct peer_wait *w, bool is_urgent)
{
	w->link = NULL;
	if (peer->active < PEER_SLOTS) {
		peer->active++;
		w->begin(w);
		return;
	}
	struct peer_wait ***last = is_urgent ? &peer->urgent_last : &peer->due_last;
	w->next = NULL;
	w->link = *last;
	**last = w;
	*last = &w->next;
}

/*
 * Those who wait are called from here alone, and not from a peer_slot_end() in their begin(): at a stop, a million
 * of them may give their slot back as soon as they have it.
 */
void
peer_slot_end(struct peer *peer)
{
	peer->active--;
	if (peer->is_giving)
		return;
	peer->is_giving = true;
	while (peer->active < PEER_SLOTS && (peer->urgent || peer->due)) {
		struct peer_wait *w = peer->urgent ? peer->urgent : peer->due;
		wait_leave(peer, w);
		peer->active++;
		w->begin(w);
	}
	peer->is_giving = false;
}

bool
peer_slot_cancel(struct peer *peer, struct peer_wait *w)
{
	if (!w->link)
		return false;
	wait_leave(peer, w);
	return true;
}

/* -------- all of a configuration -------- */

struct peers *
peers_new(void)
{
	return calloc(1, sizeof(struct peers));
}

struct peer *
peers_at(const struct peers *p, unsigned i)
{
	return p->items[i];
}

struct peer *
peers_find(const struct peers *p, const struct config_remote *remote)
{
	size_t place = (size_t)((uintptr_t)remote - (uintptr_t)p->first) / sizeof(*remote);
	if (remote >= p->first && place < p->n)
		return p->items[place];
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->items[i]->remote.id, remote->id) == 0)
			return p->items[i];
	return NULL;
}

static void
release_all(struct peer **items, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		peer_release(items[i]);
	free(items);
}

int
peers_configure(struct peers *p, const struct config *config, const struct tsig_keys *keys, struct diag_list *diag)
{
	struct peer **items = calloc(config->n_remotes + 1, sizeof(struct peer *));
	if (!items)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_remotes; i++) {
		const struct config_remote *remote = &config->remotes[i];
		items[i] = peer_new(remote, keys);
		int err = items[i] ? peer_take_tls(items[i], remote, diag) : -ENOMEM;
		if (err) {
			release_all(items, i + 1);
			return err;
		}
	}
	release_all(p->items, p->n);
	p->items = items;
	p->n = config->n_remotes;
	p->first = config->remotes;
	return 0;
}

void
peers_free(struct peers *p)
{
	if (!p)
		return;
	release_all(p->items, p->n);
	free(p);
}
