/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a compiled record set back. See rrset.h; the compiler is rrset_compile.c.
 *
 * Where an answer would have a pointer, the stored wire holds what the pointer means, marked by the two bits that
 * no label length has: RRSET_OWNER with a suffix length, or RRSET_LOCAL with an offset in the set.
 */
#include "zones/store/rrset.h"

#include "zones/base/bytes.h"

void
rrset_iter_init(struct rrset_iter *it, const struct rrset *s, const uint8_t *owner)
{
	*it = (struct rrset_iter){.set = s, .owner = owner, .owner_len = (uint8_t)name_len(owner)};
}

/* Appends the rest of a name whose pointer value is `value`; returns how many octets that took. */
static unsigned
expand_value(const struct rrset *s, const uint8_t *owner, unsigned owner_len, uint16_t value, uint8_t *out)
{
	const uint8_t *wire = rrset_wire(s);
	unsigned len = 0;
	while ((value & RRSET_LOCAL) == RRSET_LOCAL) {
		const uint8_t *label = wire + (value & RRSET_VALUE);
		for (; *label != 0 && (*label & 0xc0) == 0; label += 1 + *label) {
			memcpy(out + len, label, 1 + *label);
			len += 1 + *label;
		}
		if (*label == 0) {
			out[len] = 0;
			return len + 1;
		}
		value = load_be16(label);
	}
	unsigned suffix_len = value & RRSET_VALUE;
	memcpy(out + len, owner + owner_len - suffix_len, suffix_len);
	return len + suffix_len;
}

bool
rrset_target(const struct rrset *s, unsigned i, const uint8_t *owner, unsigned owner_len, struct name *out)
{
	uint16_t at = rrset_targets(s)[i];
	if (at > RRSET_VALUE)
		return false;
	out->len = (uint8_t)expand_value(s, owner, owner_len, RRSET_LOCAL | at, out->bytes);
	return true;
}

int
rrset_iter_next(struct rrset_iter *it, uint8_t *out)
{
	const struct rrset *s = it->set;
	if (it->pos >= s->wire_len)
		return -1;

	const uint8_t *wire = rrset_wire(s);
	uint32_t from = it->pos + RRSET_RR_HEAD;
	uint32_t end = from + load_be16(wire + from - 2);
	unsigned len = 0;
	for (; it->fixup < s->n_fixups && rrset_fixups(s)[it->fixup].pos < end; it->fixup++) {
		struct rrset_fixup fix = rrset_fixups(s)[it->fixup];
		memcpy(out + len, wire + from, fix.pos - from);
		len += fix.pos - from;
		len += expand_value(s, it->owner, it->owner_len, fix.value, out + len);
		from = fix.pos + 2u;
	}
	memcpy(out + len, wire + from, end - from);
	it->pos = end;
	return (int)(len + end - from);
}
