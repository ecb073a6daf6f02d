/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an event, on stderr.
 *
 * Text for people (with the time, or with a `<N>` priority in front where stderr is the journal: it stamps lines
 * itself), or one JSON object a line. Messages are made harmless first: control characters become `?`, so nothing
 * that a client or a zone file brought can forge a line.
 *
 * Whatever input can trigger goes through log_limited(), which lets a few lines of each call site through every
 * interval and says later how many it kept back: an attacker must not be able to fill a disk.
 *
 * Any thread but a worker (docs/ARCHITECTURE.md, invariant 4); a line is one write(2). Nothing of RCU.
 */
#ifndef ANSER_CONTROL_LOG_H
#define ANSER_CONTROL_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "zones/base/compiler.h"
#include "zones/base/diag.h"

/* How lines look and which are written; at start (text, info) and after each reload. Control thread. */
void log_setup(const struct config_log *config);

/* Writes one line. `zone` is the name that the line is about, or NULL. */
void log_write(enum config_log_level level, const char *zone, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(...) log_write(CONFIG_LOG_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(CONFIG_LOG_WARNING, NULL, __VA_ARGS__)
#define log_info(...) log_write(CONFIG_LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(CONFIG_LOG_DEBUG, NULL, __VA_ARGS__)

/* The entries of a diagnostic list, a line each, at most `max` of them; the rest is counted in a closing line. */
void log_diag(const struct diag_list *list, const char *zone, unsigned max);

#define LOG_LIMIT_LINES 5
#define LOG_LIMIT_INTERVAL_S 10

#define LOG_OFTEN_LINES 50 /* a second, through log_often() */

/* A call site's allowance; static, all zero. */
struct log_limit {
	_Atomic uint64_t interval; /* number of the interval that `lines` counts in */
	_Atomic unsigned lines, held_back;
};

/*
 * True when a line may go out in this interval, of which each has `lines`; then *held_back is how many did not
 * since the last one.
 */
bool log_limit_pass(struct log_limit *limit, unsigned lines, uint64_t interval, unsigned *held_back);

/* log_write() with an allowance of its own for the place where it stands. */
#define log_limited(level, zone, fmt, ...)                                                                         \
	log_within(LOG_LIMIT_LINES, LOG_LIMIT_INTERVAL_S, level, zone, fmt, ##__VA_ARGS__)

/* Likewise, for what ordinary work brings and nobody reads by the thousand. */
#define log_often(level, zone, fmt, ...) log_within(LOG_OFTEN_LINES, 1, level, zone, fmt, ##__VA_ARGS__)

#define log_within(lines, interval_s, level, zone, fmt, ...)                                                       \
	do {                                                                                                       \
		static struct log_limit limit_;                                                                    \
		unsigned held_back_;                                                                               \
		if (!log_limit_pass(&limit_, lines, log_now_s() / (interval_s), &held_back_))                      \
			break;                                                                                     \
		if (held_back_)                                                                                    \
			log_write(level, zone, fmt " (and %u like it)", ##__VA_ARGS__, held_back_);                \
		else                                                                                               \
			log_write(level, zone, fmt, ##__VA_ARGS__);                                                \
	} while (0)

/* Seconds of a clock that never goes back; what log_limited() counts in. */
uint64_t log_now_s(void);

/*
 * Formats a line, its newline included, into out[cap]; returns its length. What log_write() does without the write,
 * for tests: `journal` is whether stderr is the journal, `at` the wall time.
 */
struct timespec;
size_t log_format(char *out, size_t cap, enum config_log_format format, bool journal, const struct timespec *at,
		  enum config_log_level level, const char *zone, const char *message);

#endif
