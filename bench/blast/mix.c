/* SPDX-License-Identifier: Apache-2.0 */
/* Mixes of questions. See mix.h. */
#include "bench/blast/mix.h"

#include <errno.h>
#include <string.h>

#include "bench/blast/random.h"
#include "zones/wire/rrtype.h"

static const char *const words[] = {
	[MIX_HOT] = "hot",           [MIX_RANDOM] = "random", [MIX_NXDOMAIN] = "nxdomain",
	[MIX_REFERRAL] = "referral", [MIX_MIXED] = "mixed",
};

int
mix_from_text(const char *text, enum mix *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*out = (enum mix)i;
		return 0;
	}
	return -ENOENT;
}

const char *
mix_text(enum mix mix)
{
	return words[mix];
}

/* A name of the zone as a resolver asks for it: of a delegation, for something below. */
static void
present_name(const struct mix_spec *s, uint32_t i, struct name *out)
{
	if (s->kind == MADE_TLD)
		made_name_below(s->kind, &s->zone, i, out);
	else
		made_name(s->kind, &s->zone, i, out);
}

/* Question i of `mixed`; which of the ten it is, chance decides. */
static uint16_t
mixed_question(const struct mix_spec *s, uint32_t i, uint64_t *state, struct name *out)
{
	uint32_t dice = random_below(state, 10);
	if (dice >= 7) {
		made_missing_name(s->kind, &s->zone, i, out);
		return s->type;
	}
	present_name(s, i, out);
	return dice == 6 ? RRTYPE_TXT : s->type;
}

int
mix_make(const struct mix_spec *s, struct questions *out)
{
	uint32_t n = s->mix == MIX_HOT && s->names > MIX_HOT_NAMES ? MIX_HOT_NAMES : s->names;
	uint64_t state = s->seed;
	int err = 0;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct name name;
		uint16_t type = s->type;
		switch (s->mix) {
		case MIX_HOT:
		case MIX_RANDOM:
			made_name(s->kind, &s->zone, i, &name);
			break;
		case MIX_NXDOMAIN:
			made_missing_name(s->kind, &s->zone, i, &name);
			break;
		case MIX_REFERRAL:
			made_name_below(s->kind, &s->zone, i, &name);
			break;
		case MIX_MIXED:
			type = mixed_question(s, i, &state, &name);
			break;
		}
		err = questions_add(out, &name, type, &s->style);
	}
	return err;
}
