/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the denial index. See denial.h; it is made in denial_build.c. All pure. */
#include "zones/store/denial.h"

#include "zones/base/bytes.h"

/*
 * The labels from the one right below the apex on, each closed by a zero, so that octets compare as RFC 4034
 * section 6.1 compares labels. That takes octets a step up, and the two highest ones into two octets.
 */
uint64_t
denial_name_prefix(const uint8_t *name, unsigned apex_labels)
{
	struct name_suffixes s;
	if (name_scan(name, NAME_MAX_LEN, &s) < 0)
		return 0;
	uint8_t key[8 + 2] = {0};
	unsigned n = 0;
	for (unsigned k = apex_labels + 1; k <= s.labels && n < 8; k++) {
		const uint8_t *label = name + name_suffix_start(&s, k);
		for (unsigned i = 1; i <= label[0] && n < 8; i++) {
			if (label[i] < 0xfe) {
				key[n++] = (uint8_t)(label[i] + 1);
			} else {
				key[n++] = 0xff;
				key[n++] = (uint8_t)(label[i] - 0xfd);
			}
		}
		n++;
	}
	return load_be64(key);
}

static const void *
floor_or_last(const struct order *o, uint64_t prefix, const void *key)
{
	const void *object = order_floor(o, prefix, key);
	return object != NULL ? object : order_last(o);
}

const struct node *
denial_nsec(const struct denial_index *d, const uint8_t *name)
{
	return floor_or_last(&d->order, denial_name_prefix(name, d->apex_labels), name);
}

static int
add_set_bytes(const void *object, void *arg)
{
	const struct nsec3 *n = object;
	size_t *bytes = arg;
	*bytes += sizeof(*n) + rrset_size(n->set) + (n->sigs != NULL ? rrset_size(n->sigs) : 0);
	return 0;
}

size_t
denial_bytes(const struct denial_index *d)
{
	size_t bytes = sizeof(*d) + order_bytes(&d->order);
	if (d->kind == DENIAL_BY_NSEC3)
		order_each(&d->order, add_set_bytes, &bytes);
	return bytes;
}

const struct nsec3 *
denial_nsec3(const struct denial_index *d, const uint8_t hash[NSEC3_HASH_LEN])
{
	return floor_or_last(&d->order, load_be64(hash), hash);
}
