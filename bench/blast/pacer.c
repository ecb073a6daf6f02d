/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing. See pacer.h. */
#include "bench/blast/pacer.h"

#include <math.h>

void
pacer_start(struct pacer *p, uint64_t begin, double rate_qps, uint64_t ticks, double hz)
{
	*p = (struct pacer){.begin = begin, .total = UINT64_MAX};
	if (rate_qps <= 0)
		return;
	p->per_tick = rate_qps / hz;
	double total = nearbyint((double)ticks * p->per_tick);
	p->total = total < 1 ? 1 : (uint64_t)total;
}
