/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSIG (RFC 8945): who sent a message, and that nobody changed it.
 *
 *     serving    tsig_verify_request()  ->  answer  ->  tsig_sign_reply(), or a tsig_stream for many messages
 *     asking     tsig_sign_request()    ->  send    ->  tsig_verify_reply(), or a tsig_stream for many messages
 *
 * Functions that verify return an enum tsig_status and fill a struct tsig_verdict, from which the reply, the status
 * and a line of the log are made. They read the message and leave it as it is: the verdict says how long it is
 * without its TSIG, and tsig_strip() takes the TSIG out of its counter. Functions that sign return 0 or -errno, and
 * leave message and outputs untouched on failure (octets behind the message may have been written).
 *
 * MACs are compared in constant time. HMAC-MD5 is absent on purpose (section 6). `now_s` is the wall clock in
 * seconds since 1970; the caller reads it.
 *
 * Threads: a struct tsig_keys never changes and is read by any number of threads; verdicts and streams belong to
 * one thread at a time. Nothing of RCU here. Not for workers: OpenSSL allocates for each message.
 * The note is docs/design/transfers.md, "TSIG".
 */
#ifndef ANSER_CONTROL_TSIG_H
#define ANSER_CONTROL_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"
#include "zones/wire/tsig.h"

#define TSIG_MAC_MAX 64      /* octets, HMAC-SHA512 */
#define TSIG_FUDGE_S 300     /* in what we sign (section 10) */
#define TSIG_UNSIGNED_MAX 99 /* messages without TSIG between two with one (section 5.3.1) */
#define TSIG_TEXT_MAX 512    /* a reason, with its NUL */

struct evp_mac_ctx_st;

/* A MAC as it was on the wire, so perhaps truncated. */
struct tsig_mac {
	uint8_t len;
	uint8_t octets[TSIG_MAC_MAX];
};

/* -------- keys -------- */

struct tsig_key;  /* a name, an algorithm, and the secret inside a prepared HMAC */
struct tsig_keys; /* the keys of a configuration */

/* Whether a MAC that section 5.2.2.1 lets be truncated is good enough for us (section 5.2.4). */
enum tsig_truncation { TSIG_TRUNCATION_ALLOWED, TSIG_TRUNCATION_REFUSED };

/*
 * Prepares the keys for use; nothing of `keys` is referred to afterwards. 0; else *out is untouched and the result
 * is -ENOMEM, or -ENOTSUP where OpenSSL does not offer HMAC or one of the hashes (the reason is in diag). The
 * caller frees the set with tsig_keys_free(), once no thread looks into it any more.
 */
int tsig_keys_new(const struct config_key *keys, unsigned n, enum tsig_truncation truncation,
		  struct tsig_keys **out, struct diag_list *diag) MUST_CHECK;

/* Gives the set up; keys that are held stay until they are released. NULL is allowed. */
void tsig_keys_free(struct tsig_keys *keys);

/* The key of a name in lower case, or NULL. Belongs to the set. Binary search. */
const struct tsig_key *tsig_keys_find(const struct tsig_keys *keys, const struct name *name);

/*
 * Keeps a key beyond its set, for what goes on over a reload of the configuration; returns it. Each hold is given
 * back with tsig_key_release(), on any thread; NULL is allowed there. The last one wipes the secret.
 */
const struct tsig_key *tsig_key_hold(const struct tsig_key *key);
void tsig_key_release(const struct tsig_key *key);

/* The key's name, lower case; lives as long as the key. */
const struct name *tsig_key_name(const struct tsig_key *key);

/* Octets that the TSIG of this key adds to a message. */
size_t tsig_key_room(const struct tsig_key *key);

/* -------- verifying -------- */

enum tsig_status {
	TSIG_NONE,     /* there is no TSIG; in requests only */
	TSIG_GOOD,     /* by a known key, unchanged, in time */
	TSIG_PENDING,  /* streams: no TSIG, as is allowed; nothing is proven until the next TSIG_GOOD */
	TSIG_FORMERR,  /* the message or its TSIG cannot be read, or stands at a wrong place */
	TSIG_BADKEY,   /* key or algorithm unknown, or not the one that was asked with (section 5.2.1) */
	TSIG_BADSIG,   /* the MAC is wrong (section 5.2.2) */
	TSIG_BADTIME,  /* the MAC is right, the time is too far from ours (section 5.2.3) */
	TSIG_BADTRUNC, /* the MAC is right, but too short for our policy (section 5.2.4) */
	TSIG_MISSING,  /* replies: a TSIG had to be there (sections 5.3.1 and 5.4) */
	TSIG_REFUSED,  /* replies: they did not accept the TSIG of our request; `error` says why */
	TSIG_NO_MEMORY /* could not be verified */
};

/* What was found. All but `status` and `now_s` is meant only where the status says so. */
struct tsig_verdict {
	enum tsig_status status;
	bool is_proven;             /* the MAC is right: GOOD, BADTIME, BADTRUNC and some REFUSED */
	uint16_t arcount;           /* of the message without its TSIG */
	size_t len;                 /* of the message without its TSIG, or as it is where that could not be read */
	const struct tsig_key *key; /* ours; NULL: unknown. Borrowed: lives as long as its set, or the hold on it */
	const char *fault;          /* FORMERR, MISSING, streams given up before: what is wrong; else NULL */
	uint64_t now_s, time_s;     /* our clock, theirs */
	uint64_t refused_at_s;      /* REFUSED by BADTIME and proven: their clock; else 0 */
	uint16_t fudge_s;
	uint16_t error;       /* of the TSIG */
	uint16_t mac_len;     /* as received, also where it is too long for `mac` */
	struct tsig_mac mac;  /* the request's, for the MAC of its replies */
	struct name key_name; /* as received, in lower case */
	struct name algorithm;
};

/*
 * Verifies a request (section 5.2: key, MAC, time, truncation, in this order). Returns out->status: NONE, GOOD,
 * FORMERR, BADKEY, BADSIG, BADTIME, BADTRUNC or NO_MEMORY.
 */
enum tsig_status tsig_verify_request(const struct tsig_keys *keys, const uint8_t *msg, size_t len, uint64_t now_s,
				     struct tsig_verdict *out) MUST_CHECK;

/*
 * Verifies the one reply to a request that was signed with `key` and carried `request_mac` (section 5.4). Keeps no
 * state: a reply over UDP that is not GOOD may be a forgery, and one should go on waiting for another. Returns
 * out->status: all but NONE and PENDING.
 */
enum tsig_status
tsig_verify_reply(const struct tsig_key *key, const struct tsig_mac *request_mac, const uint8_t *msg, size_t len,
		  uint64_t now_s, struct tsig_verdict *out) MUST_CHECK;

/* Takes the TSIG out of the header's counter; returns the length of what is left. Without a TSIG: nothing to do. */
size_t tsig_strip(uint8_t *msg, const struct tsig_verdict *v);

/* The RCODE of a reply to a request with this status: NOERROR, FORMERR, NOTAUTH or SERVFAIL. */
uint16_t tsig_status_rcode(enum tsig_status status);

/* "BADTIME", as in section 3 and for labels. */
const char *tsig_status_text(enum tsig_status status);

/*
 * The reason as one line without a full stop: "BADTIME: their clock is 612 s ahead". Names in it are escaped, so
 * that it may be logged. Reads v->key: call it while that lives. Returns `out`.
 */
const char *tsig_verdict_text(const struct tsig_verdict *v, char out[TSIG_TEXT_MAX]);

/* -------- signing -------- */

/*
 * Signs the request msg[0..len), which has no TSIG, in a buffer of `cap` octets. 0, the new length in *len_out, and
 * the MAC that its replies are verified with in *mac; -EMSGSIZE: there is no room (tsig_key_room()); -ENOMEM.
 */
int tsig_sign_request(const struct tsig_key *key, uint8_t *msg, size_t len, size_t cap, uint64_t now_s,
		      struct tsig_mac *mac, size_t *len_out) MUST_CHECK;

/* Octets that tsig_sign_reply() will add, for replies to be built around. */
size_t tsig_reply_room(const struct tsig_verdict *request);

/*
 * Gives the reply msg[0..len) the TSIG that its request calls for (section 5.3): signed after GOOD, BADTIME and
 * BADTRUNC, without MAC after BADKEY and BADSIG (section 5.3.2), none after NONE, FORMERR and NO_MEMORY. The RCODE
 * is the caller's to set (tsig_status_rcode()). 0 and the new length in *len_out; -ENOMEM; -EMSGSIZE: there is no
 * room, and the caller is to send the question alone with TC set, signed (section 5.3).
 */
int tsig_sign_reply(const struct tsig_verdict *request, uint8_t *msg, size_t len, size_t cap, uint64_t now_s,
		    size_t *len_out) MUST_CHECK;

/* -------- many messages -------- */

/*
 * The messages of one answer over TCP, either way (section 5.3.1). Each MAC covers the one before it, so that none
 * can be dropped, repeated or moved. The layout is shown so that it can be part of a session; do not touch it.
 */
struct tsig_stream {
	const struct tsig_key *key; /* held */
	struct evp_mac_ctx_st *mac; /* owned; has taken in all since the last TSIG */
	uint64_t time_s;            /* of the last TSIG that we made */
	uint32_t n_signed;          /* messages with a TSIG so far */
	uint32_t n_unsigned;        /* since the last of them */
	enum tsig_status status;    /* GOOD until something was wrong */
};

/*
 * Begins the answer to a request with `request_mac`: the verdict's where we serve, tsig_sign_request()'s where we
 * asked. Takes a hold of the key. 0 or -ENOMEM. Give back with tsig_stream_clear().
 */
int
tsig_stream_begin(struct tsig_stream *s, const struct tsig_key *key, const struct tsig_mac *request_mac) MUST_CHECK;

/* Frees what the stream owns. May be called again, and for a stream of zeros. */
void tsig_stream_clear(struct tsig_stream *s);

/*
 * Signs the next message; room is tsig_key_room(). Times never go back. 0 and the new length in *len_out;
 * -EMSGSIZE, after which a shorter message may be tried; -ENOMEM, after which nothing can be signed any more.
 */
int tsig_stream_sign(struct tsig_stream *s, uint8_t *msg, size_t len, size_t cap, uint64_t now_s,
		     size_t *len_out) MUST_CHECK;

/*
 * Verifies the next message. GOOD: it and all before it are proven. PENDING: not yet. Anything else ends the
 * stream: the connection is to be closed, what came since the last GOOD is to be thrown away, and every later call
 * returns the same status. NONE is never returned.
 */
enum tsig_status tsig_stream_verify(struct tsig_stream *s, const uint8_t *msg, size_t len, uint64_t now_s,
				    struct tsig_verdict *out) MUST_CHECK;

/*
 * What the stream has come to, asked for after the last message: GOOD if that was signed, MISSING if not or if
 * there was none, else what went wrong. Nothing may be used of a transfer before this is GOOD.
 */
enum tsig_status tsig_stream_status(const struct tsig_stream *s);

#endif
