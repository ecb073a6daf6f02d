/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are a zone's signatures right? What `anserctl check zone --dnssec` asks; the daemon never does.
 *
 * Each authoritative set must have a signature that one of the zone's own keys made and that holds now; NSEC and
 * NSEC3 are sets like others, their chains were checked when the zone was built (builder.h). Whether the parent's
 * DS leads to these keys is not asked: that is not in the zone.
 */
#ifndef ANSER_CONTROL_CHECK_DNSSEC_H
#define ANSER_CONTROL_CHECK_DNSSEC_H

#include <stdint.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/store/zone.h"
#include "zones/wire/name.h"

/*
 * Validates the snapshot of the zone `apex` (lower case) at the time `now_s` (seconds since 1970). Faults go to
 * `diag` as `owner TYPE: message`, in canonical order: an error for a set without any good signature, a warning for
 * each signature that is not good. Algorithms (RFC 8624): RSA/SHA-256 and SHA-512, ECDSA P-256 and P-384, Ed25519,
 * Ed448. 0: all was checked; -EINVAL: there are errors in diag; -ENOMEM. Takes about 100 µs a signature.
 */
int
check_dnssec(const struct snapshot *s, const struct name *apex, int64_t now_s, struct diag_list *diag) MUST_CHECK;

#endif
