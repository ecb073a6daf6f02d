/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines. See log.h. */
#include "control/base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_MESSAGE_MAX 2048
#define LOG_LINE_MAX (LOG_MESSAGE_MAX * 6 + 512) /* every octet of a message as \uXXXX, and the rest */

static const char *const level_texts[] = {
	[CONFIG_LOG_ERROR] = "error",
	[CONFIG_LOG_WARNING] = "warning",
	[CONFIG_LOG_INFO] = "info",
	[CONFIG_LOG_DEBUG] = "debug",
};

/* syslog(3)'s priorities, which sd-daemon(3) has the journal read from the front of a line. */
static const char *const level_priorities[] = {
	[CONFIG_LOG_ERROR] = "<3>",
	[CONFIG_LOG_WARNING] = "<4>",
	[CONFIG_LOG_INFO] = "<6>",
	[CONFIG_LOG_DEBUG] = "<7>",
};

/* One stderr a process, so one state a process; format and level are read by any thread. */
static _Atomic enum config_log_format log_format_now = CONFIG_LOG_TEXT;
static _Atomic enum config_log_level log_level_now = CONFIG_LOG_INFO;

void
log_setup(const struct config_log *config)
{
	log_format_now = config->format;
	log_level_now = config->level;
}

static void
log_make_harmless(char *text, bool ascii_only)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (ascii_only && *p >= 0x80))
			*p = '?';
}

/* JSON strings are UTF-8; a message that is not loses what is beyond ASCII. */
static json_t *
log_json_text(const char *text)
{
	json_t *s = json_string(text);
	if (s)
		return s;
	char ascii[LOG_MESSAGE_MAX];
	snprintf(ascii, sizeof(ascii), "%s", text);
	log_make_harmless(ascii, true);
	return json_string(ascii);
}

static size_t
log_format_json(char *out, size_t cap, const char *time_text, const char *level, const char *zone,
		const char *message)
{
	json_t *line = json_pack("{ss ss}", "time", time_text, "level", level);
	if (line && zone)
		json_object_set_new(line, "zone", log_json_text(zone));
	if (line)
		json_object_set_new(line, "message", log_json_text(message));
	size_t len = line ? json_dumpb(line, out, cap - 1, JSON_COMPACT) : 0;
	json_decref(line);
	if (len == 0 || len > cap - 1)
		return 0;
	out[len] = '\n';
	return len + 1;
}

size_t
log_format(char *out, size_t cap, enum config_log_format format, bool journal, const struct timespec *at,
	   enum config_log_level level, const char *zone, const char *message)
{
	struct tm tm;
	gmtime_r(&at->tv_sec, &tm);
	char seconds[32], stamp[48];
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%s.%03ldZ", seconds, at->tv_nsec / 1000000);
	if (format == CONFIG_LOG_JSON)
		return log_format_json(out, cap, stamp, level_texts[level], zone, message);
	int len = snprintf(out, cap, "%s%s%s%s: %s%s%s%s\n", journal ? level_priorities[level] : stamp,
			   journal ? "" : " ", journal ? "" : "anserd ", level_texts[level], zone ? "zone " : "",
			   zone ? zone : "", zone ? ": " : "", message);
	if (len < 0)
		return 0;
	if ((size_t)len < cap)
		return (size_t)len;
	out[cap - 2] = '\n';
	return cap - 1;
}

void
log_write(enum config_log_level level, const char *zone, const char *fmt, ...)
{
	if (level > log_level_now)
		return;
	char message[LOG_MESSAGE_MAX], line[LOG_LINE_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	log_make_harmless(message, false);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	size_t len = log_format(line, sizeof(line), log_format_now, getenv("JOURNAL_STREAM") != NULL, &now, level,
				zone, message);
	/* Where stderr is gone there is nobody left to tell. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void
log_diag(const struct diag_list *list, const char *zone, unsigned max)
{
	unsigned n = list->n < max ? list->n : max;
	for (unsigned i = 0; i < n; i++) {
		const struct diag *d = &list->items[i]; /* diag_format() would say the severity a second time */
		enum config_log_level level = d->severity == DIAG_ERROR ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING;
		if (d->line)
			log_write(level, zone, "%s:%u:%u: %s", d->file, d->line, d->column, d->message);
		else
			log_write(level, zone, "%s%s%s", d->file, d->file[0] ? ": " : "", d->message);
	}
	unsigned all = list->n_errors + list->n_warnings;
	if (all > n)
		log_write(list->n_errors ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING, zone, "and %u more faults",
			  all - n);
}

uint64_t
log_now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

bool
log_limit_pass(struct log_limit *limit, unsigned lines, uint64_t interval, unsigned *held_back)
{
	interval++; /* 0 is a call site that never spoke */
	/* Two threads may both start an interval: then a few lines more go out, which is no harm. */
	if (atomic_exchange(&limit->interval, interval) != interval)
		atomic_store(&limit->lines, 0);
	if (atomic_fetch_add(&limit->lines, 1) >= lines) {
		atomic_fetch_add(&limit->held_back, 1);
		return false;
	}
	*held_back = atomic_exchange(&limit->held_back, 0);
	return true;
}
