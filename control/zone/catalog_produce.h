/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalog zones that we make (RFC 9432, version 2): the zones of a configuration in, a snapshot out.
 *
 * A member's ID is the beginning of its name's SHA-256, in hex: the same in each version, on each server and under
 * each catalog, so that a change of ownership between our catalogs keeps a zone's state; and a hash that nobody
 * finds two names for, since one name that collides would break the catalog for all. Pure; a builder thread.
 */
#ifndef ANSER_CONTROL_CATALOG_PRODUCE_H
#define ANSER_CONTROL_CATALOG_PRODUCE_H

#include <stdint.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"

#define CATALOG_ID_HEX 32 /* letters of an ID */

/* The ID of a member zone, lower case, without a NUL. */
void catalog_produce_id(const uint8_t *name, char out[CATALOG_ID_HEX]);

/*
 * Makes the next version of a catalog with `produce`. Its members are the zones of `config` that match; zones that
 * come from other catalogs are not among them. `base` is the version before, from the service or from the state on
 * disk, or NULL. The serial is `now_s`, or one more than the base's if that is no newer.
 *
 * 0: *out is the new version, the caller's, or NULL where nothing but the serial would differ from the base.
 * -ENOMEM, or -EINVAL as zone_builder_finish(), with the reason in diag.
 */
int catalog_produce(const struct config *config, const struct config_catalog *catalog, const struct snapshot *base,
		    uint32_t now_s, struct snapshot **out, struct diag_list *diag) MUST_CHECK;

#endif
