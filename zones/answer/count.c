/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of a finished reply what counting it takes. See count.h. */
#include "zones/answer/count.h"

#include "zones/wire/query.h"

void
count_reply(struct counters *c, bool is_v6, const uint8_t *msg, size_t len)
{
	struct query q;
	struct counted a = {0};
	if (query_parse_reply(msg, len, &q)) {
		a = (struct counted){.has_question = q.qname.len != 0,
				     .is_truncated = q.flags & FLAG_TC,
				     .qtype = q.qtype,
				     .rcode = q.rcode};
	}
	count_answer(c, is_v6, a);
	counter_add(&c->punt_replies, 1);
}
