/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY from others (RFC 1996): "my version of this zone has changed".
 *
 *     notify_parse()  ->  the zone's configuration  ->  notify_source_is_allowed()  ->  refresh
 *                                                   ->  notify_reply()
 *
 * A NOTIFY is a hint and proves nothing: its serial may only tell that there is nothing to ask for. What a zone is
 * refreshed from is its primaries, whoever the hint came from (section 3.11). Any thread but a worker; no state.
 */
#ifndef ANSER_CONTROL_NOTIFY_IN_H
#define ANSER_CONTROL_NOTIFY_IN_H

#include "control/net/acl.h"
#include "control/transfer/zone_request.h"

/*
 * Reads a message whose opcode is NOTIFY: one question for an SOA in class IN, and in the answer section perhaps
 * the SOA (section 3.7), which gives out->serial. What is not so is ZONE_REQUEST_FORMERR. Fills *out as
 * zone_request_parse() does.
 */
enum zone_request_status notify_parse(const uint8_t *msg, size_t len, struct zone_request *out) MUST_CHECK;

/*
 * Writes the reply (section 3.12) into out[0..cap), of at least 512 octets, and returns its length. Unsigned. AA is
 * set with NOERROR.
 */
size_t notify_reply(const struct zone_request *r, uint16_t rcode, uint16_t udp_payload, uint8_t *out, size_t cap);

/*
 * May this client tell that the zone has changed? One of the zone's primaries may, by its address (whatever its
 * port), with its key where it has one; and whoever allow-notify allows. Its transport does not count, as
 * primaries notify over UDP also where transfers go over TLS.
 */
bool notify_source_is_allowed(const struct config_zone *zone, const struct acl_client *client);

#endif
