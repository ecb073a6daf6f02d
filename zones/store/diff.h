/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences: what records one snapshot has that another one of the same zone has not, both ways.
 *
 * Pages of the names tables and of the denial indices that two snapshots share are passed over, and so are nodes
 * and record sets; so between a snapshot and one made from it by changes (change.h) the cost is that of reading
 * both directories and the pages that differ. Between snapshots that were built apart every name is compared.
 *
 * Any thread that has RCU or a reference on both snapshots; allocates nothing.
 */
#ifndef ANSER_STORE_DIFF_H
#define ANSER_STORE_DIFF_H

#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/store/zone.h"

/* One record that differs. Names and data in wire form, uncompressed, good until the visit returns. */
struct diff_record {
	const uint8_t *owner; /* lower case */
	const uint8_t *rdata;
	uint32_t ttl_s;
	uint16_t type, rdlen;
	bool is_added; /* else removed */
};

/*
 * Visits every record that is in `base` alone (removed), then every one that is in `next` alone (added), both in no
 * particular order. Data is compared octet by octet. Where a set's TTL differs, all its records are removed and
 * added. SOA records come like all others. Stops when visit() returns non-zero, and returns that.
 */
int snapshot_diff(const struct snapshot *base, const struct snapshot *next,
		  int (*visit)(const struct diff_record *r, void *arg), void *arg);

#endif
