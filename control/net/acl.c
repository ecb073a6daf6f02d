/* SPDX-License-Identifier: Apache-2.0 */
/* Access rules. See acl.h. */
#include "control/net/acl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_LEN 12 /* octets in front of an IPv4 address inside IPv6 */

static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};

/* An address in its shortest form: IPv4 wherever it is one. */
struct plain {
	bool is_v6;
	uint8_t octets[16];
};

static struct plain
plain_address(const uint8_t *octets, bool is_v6)
{
	struct plain p = {.is_v6 = is_v6 && memcmp(octets, mapped, MAPPED_LEN) != 0};
	if (is_v6 && !p.is_v6)
		memcpy(p.octets, octets + MAPPED_LEN, 4);
	else
		memcpy(p.octets, octets, is_v6 ? 16 : 4);
	return p;
}

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

static bool
prefix_contains(const struct config_prefix *prefix, const struct plain *address)
{
	bool is_v6 = prefix->family == AF_INET6;
	const uint8_t *octets = prefix->octets;
	unsigned bits = prefix->bits;
	if (is_v6 && bits >= 8 * MAPPED_LEN && memcmp(octets, mapped, MAPPED_LEN) == 0) {
		is_v6 = false;
		octets += MAPPED_LEN;
		bits -= 8 * MAPPED_LEN;
	}
	return is_v6 == address->is_v6 && bits_equal(octets, address->octets, bits);
}

static bool
address_matches(const struct config_acl *acl, const struct acl_client *client)
{
	struct plain address = plain_address(client->from.address, client->from.is_v6);
	for (unsigned i = 0; i < acl->n_address; i++)
		if (prefix_contains(&acl->address[i], &address))
			return true;
	return acl->n_address == 0;
}

static bool
transport_matches(const struct config_acl *acl, const struct acl_client *client)
{
	static const enum config_transport of[] = {[ENGINE_UDP] = CONFIG_TRANSPORT_UDP,
						   [ENGINE_TCP] = CONFIG_TRANSPORT_TCP,
						   [ENGINE_TLS] = CONFIG_TRANSPORT_TLS};
	for (unsigned i = 0; i < acl->n_transport; i++)
		if (acl->transport[i] == of[client->from.transport])
			return true;
	return acl->n_transport == 0;
}

bool
acl_client_has_key(const struct acl_client *client, const struct config_key *key)
{
	if (key == NULL)
		return true;
	return client->key != NULL && name_equal(client->key->bytes, key->name.bytes);
}

bool
acl_allows(const struct config_acl *const *acls, unsigned n, const struct acl_client *client)
{
	for (unsigned i = 0; i < n; i++)
		if (address_matches(acls[i], client) && acl_client_has_key(client, acls[i]->key) &&
		    transport_matches(acls[i], client))
			return true;
	return false;
}

bool
acl_client_is_at(const struct acl_client *client, const struct config_address *address)
{
	bool is_v6 = address->any.sa_family == AF_INET6;
	const void *octets = is_v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
	struct plain a = plain_address(client->from.address, client->from.is_v6);
	struct plain b = plain_address(octets, is_v6);
	return a.is_v6 == b.is_v6 && memcmp(a.octets, b.octets, a.is_v6 ? 16 : 4) == 0;
}

const char *
acl_client_text(const struct acl_client *client, char out[ACL_CLIENT_TEXT_MAX])
{
	static const char *const transports[] = {[ENGINE_UDP] = "udp", [ENGINE_TCP] = "tcp", [ENGINE_TLS] = "tls"};
	struct plain address = plain_address(client->from.address, client->from.is_v6);
	char host[INET6_ADDRSTRLEN], key[NAME_TEXT_MAX] = "";
	inet_ntop(address.is_v6 ? AF_INET6 : AF_INET, address.octets, host, sizeof(host));
	if (client->key != NULL)
		name_to_text(client->key->bytes, key);
	snprintf(out, ACL_CLIENT_TEXT_MAX, "%s over %s%s%s", host, transports[client->from.transport],
		 client->key != NULL ? " with key " : "", key);
	return out;
}
