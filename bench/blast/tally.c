/* SPDX-License-Identifier: Apache-2.0 */
/* What a step counts. See tally.h. */
#include "bench/blast/tally.h"

void
tally_merge(struct tally *to, const struct tally *from)
{
	to->sent += counter_read(&from->sent);
	to->answered += counter_read(&from->answered);
	to->late += counter_read(&from->late);
	to->lost += counter_read(&from->lost);
	to->wrong += counter_read(&from->wrong);
	to->duplicate += counter_read(&from->duplicate);
	to->stray += counter_read(&from->stray);
	to->truncated += counter_read(&from->truncated);
	to->bytes += counter_read(&from->bytes);
	for (unsigned i = 0; i < TALLY_RCODES; i++)
		to->rcodes[i] += counter_read(&from->rcodes[i]);
	histogram_merge(&to->latency, &from->latency);
}
