/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the daemon as aligned text. See anserctl.h. */
#include "control/anserctl.h"

#include <stdio.h>
#include <unistd.h>

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "-";
}

static void
row(const char *label, const char *value)
{
	printf("%-12s  %s\n", label, value);
}

/* 93784 → `1d 2h`: the two largest units. */
static const char *
duration(json_int_t s, char *out, size_t cap)
{
	static const struct {
		json_int_t s;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	size_t i = 0;
	while (i < 3 && s < units[i].s)
		i++;
	if (i == 3)
		snprintf(out, cap, "%llds", (long long)s);
	else
		snprintf(out, cap, "%lld%s %lld%s", (long long)(s / units[i].s), units[i].unit,
			 (long long)(s % units[i].s / units[i + 1].s), units[i + 1].unit);
	return out;
}

static const char *
size(json_int_t bytes, char *out, size_t cap)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	size_t i = 0;
	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	snprintf(out, cap, i ? "%.1f %s" : "%.0f %s", v, units[i]);
	return out;
}

static void
show_traffic(const char *label, const json_t *t)
{
	char line[200];
	snprintf(line, sizeof(line),
		 "%lld received, %lld answered, %lld to the kernel, %lld dropped, %lld truncated",
		 (long long)number(t, "received"), (long long)number(t, "answered"),
		 (long long)number(t, "to-kernel"), (long long)number(t, "dropped"),
		 (long long)number(t, "truncated"));
	row(label, line);
}

static void
show_zone_counts(const json_t *zones)
{
	static const char *const states[] = {"ok", "loading", "not-loaded", "stale", "expired"};
	printf("%-12s  %lld", "zones", (long long)number(zones, "total"));
	const char *before = ": ";
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (!number(zones, states[i]))
			continue;
		printf("%s%lld %s", before, (long long)number(zones, states[i]), states[i]);
		before = ", ";
	}
	putchar('\n');
}

void
show_status(const json_t *o)
{
	const json_t *memory = json_object_get(o, "memory");
	char buf[64], line[200];
	row("state", text(o, "state"));
	row("version", text(o, "version"));
	row("identity", text(o, "identity"));
	row("uptime", duration(number(o, "uptime-s"), buf, sizeof(buf)));
	show_zone_counts(json_object_get(o, "zones"));
	show_traffic("udp", json_object_get(o, "udp"));
	show_traffic("tcp", json_object_get(o, "tcp"));
	if (json_object_get(o, "tls"))
		show_traffic("tls", json_object_get(o, "tls"));
	snprintf(line, sizeof(line), "%lld", (long long)number(o, "tcp-connections"));
	row("connections", line);
	snprintf(line, sizeof(line), "%s replaced and not yet freed",
		 size(number(memory, "retired-bytes"), buf, sizeof(buf)));
	row("retired", line);
	if (json_is_true(json_object_get(memory, "stalled"))) {
		snprintf(line, sizeof(line), "a reader has not moved for %lld ms; %lld loaded zones wait for it",
			 (long long)number(memory, "grace-ms"), (long long)number(memory, "publish-waiting"));
		row("ALARM", line);
	}
}

/* A line each: serial there, and whether we lag behind. */
static void
show_primaries(const json_t *o)
{
	size_t i;
	const json_t *p;
	char line[256], buf[64];
	json_array_foreach(json_object_get(o, "primaries"), i, p)
	{
		const char *lag = json_is_true(json_object_get(p, "is-ahead")) ? ", newer than ours" : "";
		if (json_is_integer(json_object_get(p, "serial")))
			snprintf(line, sizeof(line), "%s (%s): serial %lld%s", text(p, "id"), text(p, "address"),
				 (long long)number(p, "serial"), lag);
		else
			snprintf(line, sizeof(line), "%s (%s): not heard of yet", text(p, "id"),
				 text(p, "address"));
		row(i ? "" : "primaries", line);
	}
	if (json_is_integer(json_object_get(o, "expires-in-s")))
		row("expires in", duration(number(o, "expires-in-s"), buf, sizeof(buf)));
	if (json_is_integer(json_object_get(o, "rolled-back-from"))) {
		snprintf(line, sizeof(line), "from serial %lld, which is not taken again",
			 (long long)number(o, "rolled-back-from"));
		row("rolled back", line);
	}
}

static void
show_catalog(const json_t *catalog)
{
	char line[128];
	if (!catalog)
		return;
	snprintf(line, sizeof(line), "%lld members, %lld of them served here",
		 (long long)number(catalog, "members"), (long long)number(catalog, "served"));
	row("catalog", line);
	if (*text(catalog, "error") && !json_is_true(json_object_get(catalog, "good")))
		row("", text(catalog, "error"));
}

void
show_zone(const json_t *o)
{
	char buf[64];
	row("zone", text(o, "name"));
	row("role", text(o, "role"));
	row("state", text(o, "state"));
	if (json_is_integer(json_object_get(o, "serial"))) {
		snprintf(buf, sizeof(buf), "%lld", (long long)number(o, "serial"));
		row("serial", buf);
		snprintf(buf, sizeof(buf), "%lld", (long long)number(o, "records"));
		row("records", buf);
		row("memory", size(number(o, "bytes"), buf, sizeof(buf)));
		row("age", duration(number(o, "age-s"), buf, sizeof(buf)));
		snprintf(buf, sizeof(buf), "%lld ms", (long long)number(o, "load-ms"));
		row("loaded in", buf);
	} else {
		row("serial", "none: answered with SERVFAIL");
	}
	show_primaries(o);
	show_catalog(json_object_get(o, "catalog"));
	row("file", text(o, "file"));
	row("last error", text(o, "last-error"));
}

#define ZONES_FORMAT "%-32s  %-9s  %-10s  %10s  %10s  %s\n"

void
show_zones_head(void)
{
	printf(ZONES_FORMAT, "ZONE", "ROLE", "STATE", "SERIAL", "RECORDS", "LAST ERROR");
}

void
show_zones_piece(const json_t *o)
{
	size_t i;
	const json_t *zone;
	json_array_foreach(json_object_get(o, "zones"), i, zone)
	{
		char serial[24] = "-", records[24] = "-";
		if (json_is_integer(json_object_get(zone, "serial"))) {
			snprintf(serial, sizeof(serial), "%lld", (long long)number(zone, "serial"));
			snprintf(records, sizeof(records), "%lld", (long long)number(zone, "records"));
		}
		printf(ZONES_FORMAT, text(zone, "name"), text(zone, "role"), text(zone, "state"), serial, records,
		       text(zone, "last-error"));
	}
}

void
show_reload(const json_t *o)
{
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(o, "faults"), i, item)
	{
		fprintf(stderr, "%s\n", json_string_value(item));
	}
	json_array_foreach(json_object_get(o, "warnings"), i, item)
	{
		fprintf(stderr, "%s\n", json_string_value(item));
	}
	json_array_foreach(json_object_get(o, "failures"), i, item)
	{
		fprintf(stderr, "zone %s: %s\n", text(item, "zone"), text(item, "error"));
	}
	if (json_object_get(o, "zones"))
		printf("%lld zones: %lld loaded, %lld unchanged, %lld failed\n", (long long)number(o, "zones"),
		       (long long)number(o, "loaded"), (long long)number(o, "unchanged"),
		       (long long)number(o, "failed"));
}

void
show_progress_piece(const json_t *o)
{
	const json_t *p = json_object_get(o, "progress");
	if (p && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%lld of %lld zones\r", (long long)number(p, "done"),
			(long long)number(p, "total"));
}

void
show_version(const json_t *o)
{
	printf("anserctl %s\nanserd   %s\n", ANSER_VERSION, text(o, "version"));
}

void
show_text_piece(const json_t *o)
{
	fputs(text(o, "text"), stdout);
}
