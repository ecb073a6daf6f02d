/* SPDX-License-Identifier: Apache-2.0 */
/* Class CH: the server's identity and version (RFC 4892 and the older version.bind convention). Pure. */
#include "zones/answer/answer.h"
#include "zones/wire/rrtype.h"

enum chaos_text { CHAOS_IDENTITY, CHAOS_VERSION };

static const struct {
	const char *name; /* wire form */
	enum chaos_text text;
} chaos_names[] = {
	{"\2id\6server", CHAOS_IDENTITY},
	{"\10hostname\4bind", CHAOS_IDENTITY},
	{"\7version\4bind", CHAOS_VERSION},
	{"\7version\6server", CHAOS_VERSION},
};

struct outcome
answer_chaos(const struct answer_config *config, const struct query *q, struct reply *r)
{
	struct outcome refused = {.rcode = RCODE_REFUSED, .error = EDE_NONE};
	for (unsigned i = 0; i < ARRAY_LEN(chaos_names); i++) {
		if (!name_equal((const uint8_t *)chaos_names[i].name, q->qname.bytes))
			continue;
		bool is_identity = chaos_names[i].text == CHAOS_IDENTITY;
		const uint8_t *text = is_identity ? config->identity : config->version;
		uint8_t len = is_identity ? config->identity_len : config->version_len;
		if (len == 0 || (q->qtype != RRTYPE_TXT && q->qtype != RRTYPE_ANY))
			return refused;
		struct outcome found = {.rcode = RCODE_NOERROR, .error = EDE_NONE, .is_authoritative = true};
		r->is_truncated = !reply_add_chaos(r, text, len);
		return found;
	}
	return refused;
}
