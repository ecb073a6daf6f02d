/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP service with one zone, and a client of it, for the tests of DNS over TCP. */
#ifndef ANSER_TESTS_TCP_FIXTURE_H
#define ANSER_TESTS_TCP_FIXTURE_H

#include "tests/unit/control/control_fixture.h"

#include "control/net/tcp.h"
#include "zones/base/counters.h"
#include "zones/store/zone.h"

enum { BIG_RECORDS = 200, BIG_OCTETS = 200 }; /* big.example TXT: about 42,000 octets on the wire */

struct service {
	struct zone_root root;
	struct zone *zone;
	struct zone_set *set;
	struct config *config;
	struct tcp *tcp;
};

/* cmocka's; *state is the service, not started. */
int service_setup(void **state);
int service_teardown(void **state);

void service_start(struct service *s);

struct counters service_counts(const struct service *s);
struct tcp_stats service_stats(const struct service *s);

/* A connection to the service. */
int client(const struct service *s);

/* A framed query for NAME.example TXT or A; returns its length with the frame. */
size_t query(uint8_t *out, uint16_t id, const char *label, uint16_t type);

void send_all(int fd, const void *data, size_t len);

/* Reads exactly len octets within five seconds; false at the end of the stream. */
bool read_all(int fd, void *out, size_t len);

/* Reads one framed answer into `answer` (without the frame); returns its length, or -1 at the end. */
int read_answer(int fd);
extern uint8_t answer[65537];

void assert_answer(int fd, uint16_t id, unsigned n_answers);

/* True when the server closes the connection within `ms`. */
bool closed_within(int fd, int ms);

#endif
