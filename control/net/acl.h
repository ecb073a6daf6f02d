/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access rules: who may transfer, update, notify.
 *
 * A rule matches when every part that it has does: the address lies in one of its prefixes, its key signed, the
 * message came over one of its transports. A list of rules allows what one of them matches, and an empty list
 * nothing. IPv4 inside IPv6 (::ffff:0:0/96, RFC 4291 section 2.5.5.2) is IPv4 on both sides: a client that the
 * kernel hands over as ::ffff:192.0.2.1 matches 192.0.2.0/24, and no shorter IPv6 prefix, such as ::/0.
 *
 * Pure; any thread that may read the configuration.
 */
#ifndef ANSER_CONTROL_ACL_H
#define ANSER_CONTROL_ACL_H

#include <stdbool.h>

#include "control/config/config.h"
#include "zones/answer/engine.h"
#include "zones/wire/name.h"

/* Who sent a message. */
struct acl_client {
	struct engine_client from;
	const struct name *key; /* that signed it, verified, lower case (tsig_key_name()); NULL: nobody signed */
};

/* True when one of the n rules matches. */
bool acl_allows(const struct config_acl *const *acls, unsigned n, const struct acl_client *client);

/* True when the client has this address, whatever the ports. */
bool acl_client_is_at(const struct acl_client *client, const struct config_address *address);

/* True when the client signed with this key (NULL: none is asked for). */
bool acl_client_has_key(const struct acl_client *client, const struct config_key *key);

#define ACL_CLIENT_TEXT_MAX (64 + NAME_TEXT_MAX) /* an address, a transport, a key */

/* "192.0.2.1 over tcp with key fleet.", for the log, where "key" is missing without one; returns `out`. */
const char *acl_client_text(const struct acl_client *client, char out[ACL_CLIENT_TEXT_MAX]);

#endif
