/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of the fuzzers. See zones.h. FUZZ_ZONE_DIR and DEMO_ZONE_DIR come from meson.build. */
#include "tests/fuzz/zones.h"

#include <stdio.h>
#include <stdlib.h>

#include "zones/load/zonefile.h"

/*
 * A node's words hold a type above the address of a record set, so the leak checker does not see that they point
 * anywhere. These zones live as long as the program; what else leaks shall show.
 */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static const struct {
	const char *apex, *path; /* no path: configured and not loaded, which means SERVFAIL */
} sources[] = {
	{".", FUZZ_ZONE_DIR "/root.zone"},
	{"example.com.", DEMO_ZONE_DIR "/example.com.zone"},
	{"example.net.", DEMO_ZONE_DIR "/example.net.zone"},
	{"all-types.example.", DEMO_ZONE_DIR "/all-types.example.zone"},
	{"signed.example.", DEMO_ZONE_DIR "/signed.example.zone"},
	{"2.0.192.in-addr.arpa.", DEMO_ZONE_DIR "/2.0.192.in-addr.arpa.zone"},
	{"rich.example.", FUZZ_ZONE_DIR "/rich.example.zone"},
	{"child.rich.example.", FUZZ_ZONE_DIR "/child.rich.example.zone"},
	{"unloaded.example.", NULL},
};

static void
load(const char *apex_text, const char *path, struct zone **out)
{
	struct name apex;
	struct snapshot *snapshot = NULL;
	struct diag_list diag = {0};
	if (name_from_text(apex_text, strlen(apex_text), NULL, &apex) != NAME_OK ||
	    (*out = zone_new(apex.bytes)) == NULL)
		abort();
	if (path != NULL && zonefile_load(path, &apex, &diag, &snapshot) != 0) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_clear(&diag);
	if (snapshot != NULL && zone_publish(*out, snapshot) != NULL)
		abort();
}

void
fuzz_zones_load(struct fuzz_zones *zones, bool with_root, const struct answer_config *config)
{
	if (__lsan_disable != NULL)
		__lsan_disable();
	zones->n = 0;
	for (unsigned i = with_root ? 0 : 1; i < ARRAY_LEN(sources); i++)
		load(sources[i].apex, sources[i].path, &zones->zone[zones->n++]);
	zones->set = zone_set_new(zones->zone, zones->n, config);
	if (zones->set == NULL)
		abort();
	if (__lsan_enable != NULL)
		__lsan_enable();
}

void
fuzz_zones_free(struct fuzz_zones *zones)
{
	zone_set_free(zones->set);
	for (unsigned i = 0; i < zones->n; i++)
		zone_free(zones->zone[i]);
}

const struct zone *
fuzz_zones_find(const struct fuzz_zones *zones, const uint8_t *name, unsigned len)
{
	const struct zone *best = NULL;
	for (unsigned i = 0; i < zones->n; i++) {
		const struct zone *z = zones->zone[i];
		unsigned at = 0;
		while (len - at > z->entry.name_len)
			at += 1u + name[at];
		if (len - at == z->entry.name_len && memcmp(name + at, z->apex, len - at) == 0 &&
		    (best == NULL || best->entry.name_len < z->entry.name_len))
			best = z;
	}
	return best;
}
