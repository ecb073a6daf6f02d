/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the denial index. See denial.h; it is made in denial_build.c. All pure. */
#include "zones/store/denial.h"

#include "zones/base/bytes.h"

/*
 * The labels from the one right below the apex on, each closed by a zero, so that octets compare as RFC 4034
 * section 6.1 compares labels. That takes octets a step up, and the two highest ones into two octets.
 */
static uint64_t
labels_prefix(const uint8_t *name, const struct name_suffixes *s, unsigned apex_labels)
{
	uint8_t key[8 + 2] = {0};
	unsigned n = 0;
	for (unsigned k = apex_labels + 1; k <= s->labels && n < 8; k++) {
		const uint8_t *label = name + name_suffix_start(s, k);
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

uint64_t
denial_name_prefix(const uint8_t *name, unsigned apex_labels)
{
	struct name_suffixes s;
	return name_scan(name, NAME_MAX_LEN, &s) < 0 ? 0 : labels_prefix(name, &s, apex_labels);
}

/*
 * Is none of eight octets above 0xfd? Then a step up carries into no neighbour. Looks for an octet below 2 in the
 * complement, by the octets that borrow when 2 is taken from each (Mycroft, 1987).
 */
static inline bool
octets_are_low(uint64_t word)
{
	const uint64_t ones = UINT64_MAX / 255;
	return ((~word - 2 * ones) & word & (0x80 * ones)) == 0;
}

/*
 * Most labels below an apex fill the prefix alone, or are the only one: eight octets at once. Others, and the few
 * with octets that take two, go the way that is spelled out above.
 */
uint64_t
denial_suffixes_prefix(const struct name *name, const struct name_suffixes *s, unsigned apex_labels)
{
	if (unlikely(s->labels <= apex_labels))
		return 0;
	unsigned start = name_suffix_start(s, apex_labels + 1), len = name->bytes[start];
	if (unlikely((len < 8 && s->labels > apex_labels + 1) || start + 9 > sizeof(name->bytes)))
		return labels_prefix(name->bytes, s, apex_labels);
	uint64_t word = load_be64(name->bytes + start + 1), used = len < 8 ? ~(UINT64_MAX >> 8 * len) : UINT64_MAX;
	word &= used;
	if (unlikely(!octets_are_low(word)))
		return labels_prefix(name->bytes, s, apex_labels);
	return word + (UINT64_MAX / 255 & used);
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

const struct nsec3 *
denial_nsec3_of(const struct denial_index *d, const struct node *n)
{
	const struct node_hashes *hashes = n != NULL ? node_hashes(n) : NULL;
	const struct nsec3 *found = hashes != NULL ? denial_nsec3(d, hashes->own) : NULL;
	return found != NULL && memcmp(found->hash, hashes->own, NSEC3_HASH_LEN) == 0 ? found : NULL;
}
