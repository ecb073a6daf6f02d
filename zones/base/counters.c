/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the drop reasons and the sum of counters. See counters.h. */
#include "zones/base/counters.h"

#include <stddef.h>

static const char *const drop_labels[] = {
#define X(name, label, text) [name] = label,
	DROP_REASONS(X)
#undef X
};

static const char *const drop_texts[] = {
#define X(name, label, text) [name] = text,
	DROP_REASONS(X)
#undef X
};

const char *
drop_reason_label(enum drop_reason reason)
{
	return drop_labels[reason];
}

const char *
drop_reason_text(enum drop_reason reason)
{
	return drop_texts[reason];
}

/* struct counters is nothing but uint64_t fields and arrays, so it is summed as one. */
void
counters_sum(struct counters *sum, const struct counters *one)
{
	enum { FIELDS = (offsetof(struct counters, qtype) + sizeof(sum->qtype)) / sizeof(uint64_t) };
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)one;
	for (size_t i = 0; i < FIELDS; i++)
		to[i] += counter_read(&from[i]);
}
