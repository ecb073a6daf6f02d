/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the parts around struct daemon share: a whole one, as main.c makes it but for the dataplane, in
 * a directory of its own, whose loop the test runs; and inquiries without a client.
 */
#ifndef ANSER_TESTS_DAEMON_FIXTURE_H
#define ANSER_TESTS_DAEMON_FIXTURE_H

#include "tests/unit/control/control_fixture.h"

#include "control/daemon.h"
#include "tests/unit/control/primary_fixture.h"
#include "zones/wire/message.h"

struct rig {
	struct daemon d;
	bool is_up;
	struct primary *primary, *second; /* of whoever needs them */
};

/* For cmocka: a directory with one primary in it, and no daemon yet. */
int rig_setup(void **state);
int rig_teardown(void **state); /* stops the daemon, if that was not done */

/* Starts a daemon with this configuration; each `%u` is a port: the primary's, the second's. */
void rig_start(struct rig *r, const char *config);
void rig_stop(struct rig *r);

/* Another configuration; begins, or waits until it is in force and all is loaded. */
void rig_reload_begin(struct rig *r, const char *config);
void rig_reload(struct rig *r, const char *config);

/* Takes a zone of the configuration out of service in this very turn. Once in the life of a daemon. */
void rig_drop(struct rig *r, const char *zone);

/* Runs the loop until a condition holds; the test fails where that takes too long for any machine. */
#define RIG_SECONDS 60
#define RIG_WAIT(r, condition)                                                                                     \
	do {                                                                                                       \
		uint64_t start_ms = fixture_now_ms();                                                              \
		while (!(condition)) {                                                                             \
			if (fixture_now_ms() - start_ms > RIG_SECONDS * 1000)                                      \
				fail_msg("%s:%d: waited in vain for " #condition, __FILE__, __LINE__);             \
			rig_turn(r);                                                                               \
		}                                                                                                  \
	} while (0)
void rig_turn(struct rig *r); /* one turn of the loop, or a moment without one */

struct zone_item *rig_item(struct rig *r, const char *zone); /* NULL: there is none */
struct zone_info rig_info(struct rig *r, const char *zone);
struct secondary_info rig_secondary(struct rig *r, const char *zone);

/* The serial that a reader gets: -1 no such zone, -2 nothing served. */
int64_t rig_serial(struct rig *r, const char *zone);

/* Nothing is under way, but for timers. */
bool rig_is_quiet(struct rig *r);

/* NOTIFY from 127.0.0.1, without and with a serial, through the dispatcher; returns the RCODE of its reply. */
unsigned rig_notify(struct rig *r, const char *zone, int64_t serial);

/* `zone refresh` and so on; the texts of their ends. */
struct rig_wish {
	bool is_done;
	char error[512]; /* "": it went well */
};
void rig_wish_done(void *arg, const char *error); /* secondary_done_fn */
void rig_rollback(struct rig *r, const char *zone, struct rig_wish *wish);

/* An inquiry that notes how it ended. */
struct rig_inquiry {
	struct inquiry inquiry;
	unsigned n_ends;
	size_t len; /* of the reply; 0: dropped */
	uint8_t msg[2048], reply[2048];
};

/* Asks as 127.0.0.1 over UDP. */
void rig_inquire(struct rig *r, struct rig_inquiry *q, const uint8_t *msg, size_t len);
unsigned rig_rcode(const struct rig_inquiry *q);

#endif
