/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones whose every record tells its version: what the torture test publishes, and how it recognizes a mixture.
 *
 * Version v of a zone has serial v, TTL v everywhere, v in every address and text, and a chain through a name that
 * exists in version v alone. So an answer that was put together from two versions says so: by its marks, or because
 * the chain breaks off.
 */
#ifndef ANSER_TESTS_TORTURE_VERSIONS_H
#define ANSER_TESTS_TORTURE_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/store/zone.h"

#define VERSION_ZONES 6
#define VERSION_MAX 0xffffff /* addresses have room for no more */

/* Apex of zone i. */
struct name version_apex(unsigned zone);

/*
 * Builds version `version` of a zone; `other` is the zone that its outward aliases lead to. `mixed` is the
 * self-test's: one name keeps the data of the version before. The caller owns it. Ends the program when it cannot
 * be built.
 */
struct snapshot *version_build(unsigned zone, unsigned other, uint32_t version, bool mixed);

/* Kinds of questions about a zone. */
#define VERSION_QUESTIONS 14

/* Writes the question of this kind as a query; returns its length. out[512]. */
size_t version_ask(unsigned zone, unsigned question, uint16_t id, uint8_t *out);

struct version_verdict {
	const char *fault;               /* NULL: well-formed, complete, of one version a zone */
	bool is_refused;                 /* the zone is not served */
	uint32_t version[VERSION_ZONES]; /* that the records were of; 0: none of that zone */
};

/* Reads the answer to such a question. Any thread. */
struct version_verdict version_judge(unsigned zone, unsigned question, const uint8_t *reply, size_t len);

/* Reads all of a snapshot that is served, slowly; NULL, or what is wrong with it. `pause` is called for every name.
 */
const char *version_walk(const struct snapshot *s, void (*pause)(void *arg), void *arg);

#endif
