/* SPDX-License-Identifier: Apache-2.0 */
/* NOTIFY from others. See notify_in.h. */
#include "control/transfer/notify_in.h"

#include "zones/wire/rrtype.h"

enum zone_request_status
notify_parse(const uint8_t *msg, size_t len, struct zone_request *out)
{
	enum zone_request_status status = zone_request_parse(msg, len, MESSAGE_ANSWER, out);
	if (status != ZONE_REQUEST_OK)
		return status;
	bool is_notify = (out->flags >> 11 & 15) == OPCODE_NOTIFY;
	return is_notify && out->qtype == RRTYPE_SOA && out->qclass == RRCLASS_IN ? ZONE_REQUEST_OK
										  : ZONE_REQUEST_FORMERR;
}

size_t
notify_reply(const struct zone_request *r, uint16_t rcode, uint16_t udp_payload, uint8_t *out, size_t cap)
{
	return zone_request_reply(r, rcode, rcode == RCODE_NOERROR ? FLAG_AA : 0, udp_payload, out, cap);
}

bool
notify_source_is_allowed(const struct config_zone *zone, const struct acl_client *client)
{
	for (unsigned i = 0; i < zone->n_primaries; i++)
		if (acl_client_is_at(client, &zone->primaries[i]->address) &&
		    acl_client_has_key(client, zone->primaries[i]->key))
			return true;
	return acl_allows(zone->allow_notify, zone->n_allow_notify, client);
}
