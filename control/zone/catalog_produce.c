/* SPDX-License-Identifier: Apache-2.0 */
/* Catalog zones that we make. See catalog_produce.h. */
#include "control/zone/catalog_produce.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "control/zone/catalog.h"
#include "zones/base/bytes.h"
#include "zones/store/builder.h"
#include "zones/store/diff.h"
#include "zones/wire/rrtype.h"
#include "zones/wire/serial.h"

#define TTL_S 0 /* nobody is to resolve these names */
#define INVALID "\7invalid"
#define INVALID_LEN 9

/* The SOA's timers: consumers hear of changes by NOTIFY, and members are to outlive a lost producer. */
#define REFRESH_S 3600
#define RETRY_S 600
#define EXPIRE_S INT32_MAX
#define MINIMUM_S 0

void
catalog_produce_id(const uint8_t *name, char out[CATALOG_ID_HEX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[SHA256_DIGEST_LENGTH];
	SHA256(name, name_len(name), hash);
	for (unsigned i = 0; i < CATALOG_ID_HEX; i++)
		out[i] = digits[hash[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

/* Adds a record at `labels` (wire form, without the root) under the catalog's apex. */
static int
add(struct zone_builder *b, const struct name *apex, const void *labels, size_t labels_len, uint16_t type,
    const void *rdata, size_t rdlen)
{
	struct name owner = {.len = (uint8_t)(labels_len + apex->len)};
	if (labels_len + apex->len > NAME_MAX_LEN)
		return -EINVAL;
	memcpy(owner.bytes, labels, labels_len);
	memcpy(owner.bytes + labels_len, apex->bytes, apex->len);
	return zone_builder_add(b, &owner, type, TTL_S, rdata, (uint16_t)rdlen, NULL);
}

static int
add_frame(struct zone_builder *b, const struct name *apex, uint32_t serial)
{
	uint8_t soa[2 * INVALID_LEN + 20];
	const uint32_t fields[] = {serial, REFRESH_S, RETRY_S, EXPIRE_S, MINIMUM_S};
	memcpy(soa, INVALID, INVALID_LEN);
	memcpy(soa + INVALID_LEN, INVALID, INVALID_LEN);
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
		store_be32(soa + sizeof(soa) - 20 + 4 * (size_t)i, fields[i]);
	int err = add(b, apex, "", 0, RRTYPE_SOA, soa, sizeof(soa));
	if (err == 0)
		err = add(b, apex, "", 0, RRTYPE_NS, INVALID, INVALID_LEN);
	return err != 0 ? err
			: add(b, apex, "\7version", 8, RRTYPE_TXT,
			      "\1"
			      "2",
			      2);
}

static int
add_member(struct zone_builder *b, const struct name *apex, const struct name *zone, const char *group)
{
	uint8_t labels[6 + 1 + CATALOG_ID_HEX + 6] = "\5group", *node = labels + 6;
	size_t node_len = sizeof(labels) - 6;
	node[0] = CATALOG_ID_HEX;
	catalog_produce_id(zone->bytes, (char *)node + 1);
	memcpy(node + 1 + CATALOG_ID_HEX, "\5zones", 6);
	int err = add(b, apex, node, node_len, RRTYPE_PTR, zone->bytes, zone->len);
	if (err != 0 || !group)
		return err;
	uint8_t text[256];
	text[0] = (uint8_t)strlen(group);
	memcpy(text + 1, group, text[0]);
	return add(b, apex, labels, sizeof(labels), RRTYPE_TXT, text, 1u + text[0]);
}

static int
add_all(struct zone_builder *b, const struct config *config, const struct config_catalog *catalog, uint32_t serial)
{
	struct name apex, zone;
	name_copy(&apex, catalog->name);
	const struct config_produce *produce = &catalog->produce;
	int err = add_frame(b, &apex, serial);
	for (unsigned i = 0; i < config->n_zones && err == 0; i++) {
		if (!catalog_admits(produce->zones, produce->n_zones, config->zones[i].name))
			continue;
		name_copy(&zone, config->zones[i].name);
		err = add_member(b, &apex, &zone, produce->group);
	}
	return err;
}

static int
visit_content(const struct diff_record *r, void *arg)
{
	return r->type != RRTYPE_SOA;
}

int
catalog_produce(const struct config *config, const struct config_catalog *catalog, const struct snapshot *base,
		uint32_t now_s, struct snapshot **out, struct diag_list *diag)
{
	uint32_t serial = !base || serial_is_newer(now_s, base->serial) ? now_s : base->serial + 1;
	struct snapshot *next;
	struct name apex;
	name_copy(&apex, catalog->name);
	struct zone_builder *b = zone_builder_new(&apex);
	if (!b)
		return -ENOMEM;
	int err = add_all(b, config, catalog, serial);
	if (err != 0) {
		if (err == -EINVAL)
			diag_add(
				diag, DIAG_ERROR, config->path, catalog->line, 0,
				"name: too long for a catalog; at most 210 octets leave room for the members' IDs");
		zone_builder_abort(b);
		return err;
	}
	err = zone_builder_finish(b, diag, &next);
	if (err != 0)
		return err;
	if (base && snapshot_diff(base, next, visit_content, NULL) == 0) {
		snapshot_free(next);
		next = NULL;
	}
	*out = next;
	return 0;
}
