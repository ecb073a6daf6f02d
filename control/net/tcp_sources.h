/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many TCP connections there are, from whom: the table behind `max-connections` and `max-per-source`.
 *
 * A source is an IPv4 address or an IPv6 /64, the least that one customer is given. The table is shared by all TCP
 * threads, under a mutex that is held for a few hundred nanoseconds when a connection comes or goes. Nothing of
 * RCU.
 */
#ifndef ANSER_CONTROL_TCP_SOURCES_H
#define ANSER_CONTROL_TCP_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/answer/engine.h"
#include "zones/base/compiler.h"

struct tcp_sources;
struct tcp_source;

/* NULL: out of memory. */
struct tcp_sources *tcp_sources_new(uint32_t max_connections, uint32_t max_per_source) MUST_CHECK;

/* All connections have left. NULL is allowed. */
void tcp_sources_free(struct tcp_sources *s);

enum tcp_entry {
	TCP_ENTRY_OK,
	TCP_ENTRY_FULL,        /* as many connections as there may be */
	TCP_ENTRY_SOURCE_FULL, /* as many from this source */
	TCP_ENTRY_NO_MEMORY,
};

/* Counts a new connection; with TCP_ENTRY_OK *out is what tcp_sources_leave() gets when it is closed. */
enum tcp_entry
tcp_sources_enter(struct tcp_sources *s, const struct engine_client *client, struct tcp_source **out) MUST_CHECK;

void tcp_sources_leave(struct tcp_sources *s, struct tcp_source *source);

/* Connections now. */
uint32_t tcp_sources_count(struct tcp_sources *s);

#endif
