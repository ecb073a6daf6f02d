/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A primary that a test writes the script of: a thread with UDP and TCP on one port, that answers SOA, AXFR and
 * IXFR for the zones it is given, and takes UPDATEs; and that can hang, refuse and lie.
 *
 * A zone is text, a line for each record: `OWNER TYPE DATA`, relative to the zone, without SOA. One that it was not
 * told of has whatever serial `primary_set_others()` says. It keeps the version before, for IXFR.
 */
#ifndef ANSER_TESTS_PRIMARY_FIXTURE_H
#define ANSER_TESTS_PRIMARY_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

/* What it does amiss. Several at a time. */
enum primary_fault {
	PRIMARY_SILENT = 1,      /* to questions over UDP */
	PRIMARY_REFUSES = 2,     /* transfers */
	PRIMARY_HOLDS = 4,       /* transfers: they are taken, and answered when this is over */
	PRIMARY_BREAKS_IXFR = 8, /* removes what is not there */
};

struct primary_counts {
	unsigned soas, axfrs, ixfrs, updates;
	unsigned held; /* transfers that wait now */
};

struct primary;

struct primary *primary_start(void);
void primary_stop(struct primary *p);
unsigned primary_port(const struct primary *p);

/* The next version of a zone; text NULL: one record that tells the serial. */
void primary_set(struct primary *p, const char *zone, uint32_t serial, const char *text);
void primary_set_others(struct primary *p, uint32_t serial);

/* Of all its SOAs. To begin with 3600, 900 and 604800. */
void primary_set_timers(struct primary *p, uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s);

/* What it says over UDP that its zones have left (RFC 7314); 0, as to begin with: nothing. */
void primary_set_expire_left(struct primary *p, uint32_t left_s);

void primary_set_faults(struct primary *p, unsigned faults);

struct primary_counts primary_counts(struct primary *p);

#endif
