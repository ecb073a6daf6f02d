/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of the list `zones`: name, file, and settings that are shared.
 *
 * Most of a million zones say no more than their name, file and template, so their settings are the same octets:
 * pointers into the template's lists, and its numbers. A zone with a list of its own (even of what its template
 * has) does not share. Settings are looked for at one place of a small table, by their hash; where two kinds that
 * alternate in the file fall on one place, they are kept again and again, which costs memory and nothing else.
 */
#include <string.h>
#include <xxhash.h>

#include "control/config/config_schema.h"

static const struct config_zone *
settings_share(struct config_reader *r, const struct config_zone *settings)
{
	const struct config_zone **place = &r->shared[XXH3_64bits(settings, sizeof(*settings)) % CONFIG_SHARED];
	if (*place != NULL && memcmp((const void *)*place, (const void *)settings, sizeof(*settings)) == 0)
		return *place;
	struct config_zone *kept = config_arena_alloc(r->arena, sizeof(*kept));
	if (kept == NULL) {
		r->no_memory = true;
		return NULL;
	}
	memcpy(kept, settings, sizeof(*kept)); /* with what is between the fields, for comparison */
	*place = kept;
	return kept;
}

void
config_keep_zone(struct config_reader *r, const void *value, void *kept)
{
	const struct config_draft *draft = value;
	struct config_entry *entry = kept;
	entry->name = draft->name;
	entry->file = draft->file;
	entry->settings = settings_share(r, &draft->zone);
}
