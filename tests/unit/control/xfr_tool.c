/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the messages of a transfer, each behind its length in two octets, as on a TCP connection: for readers that
 * are not ours.
 *
 *     xfr_tool ORIGIN FILE TARGET-LEN            AXFR
 *     xfr_tool ORIGIN OLD-FILE TARGET-LEN FILE   IXFR by one difference
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/transfer/xfr_out.h"
#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"

static void
die(const char *what)
{
	fprintf(stderr, "xfr_tool: %s\n", what);
	exit(1);
}

static struct snapshot *
load(const char *origin, const char *path)
{
	struct name apex;
	struct diag_list diag = {0};
	struct snapshot *s = NULL;
	if (name_from_text(origin, strlen(origin), NULL, &apex) != NAME_OK)
		die("bad origin");
	if (zonefile_load(path, &apex, &diag, &s) != 0) {
		diag_print(&diag, stderr);
		die(path);
	}
	diag_clear(&diag);
	return s;
}

/* All records of `from` that `other` has not, its SOA first; the slow way. */
struct half {
	const struct snapshot *from, *other;
	struct records_cursor cursor;
	bool has_soa;
	uint8_t rdata[RDATA_MAX_LEN], other_rdata[RDATA_MAX_LEN];
};

static bool
is_in(struct half *h, const struct zone_record *r)
{
	struct records_cursor cursor;
	struct zone_record o;
	records_cursor_begin(&cursor, h->other);
	while (records_cursor_next(&cursor, h->other_rdata, &o)) {
		if (o.type == r->type && o.ttl_s == r->ttl_s && o.rdlen == r->rdlen &&
		    memcmp(o.rdata, r->rdata, r->rdlen) == 0 && name_equal(o.owner, r->owner))
			return true;
	}
	return false;
}

static bool
half_next(struct half *h, struct zone_record *out)
{
	if (!h->has_soa) {
		h->has_soa = true;
		records_cursor_begin(&h->cursor, h->from);
		records_soa(h->from, h->rdata, out);
		return true;
	}
	while (records_cursor_next(&h->cursor, h->rdata, out))
		if (out->type != RRTYPE_SOA && !is_in(h, out))
			return true;
	return false;
}

struct difference {
	struct half removed, added;
};

static int
difference_next(void *arg, enum xfr_action *action, struct zone_record *out)
{
	struct difference *d = arg;
	*action = XFR_REMOVE;
	if (half_next(&d->removed, out))
		return 1;
	*action = XFR_ADD;
	return half_next(&d->added, out);
}

int
main(int argc, char **argv)
{
	static uint8_t buf[2 + MESSAGE_MAX_LEN];
	static struct difference d;
	if (argc != 4 && argc != 5)
		die("usage: xfr_tool ORIGIN FILE TARGET-LEN [NEW-FILE]");
	struct snapshot *first = load(argv[1], argv[2]), *last = argc == 5 ? load(argv[1], argv[4]) : first;
	struct xfr_out_query query = {
		.snapshot = last,
		.kind = argc == 5 ? XFR_IXFR : XFR_AXFR,
		.id = 4711,
		.question = {node_name(last->apex), argc == 5 ? RRTYPE_IXFR : RRTYPE_AXFR, RRCLASS_IN},
		.serial = first->serial,
		.history = {difference_next, &d},
		.target_len = (uint32_t)strtoul(argv[3], NULL, 10),
	};
	d.removed.from = d.added.other = first;
	d.removed.other = d.added.from = last;
	struct xfr_out *x = xfr_out_new(&query);
	if (x == NULL)
		die("out of memory");
	int len;
	while ((len = xfr_out_next(x, buf + 2, MESSAGE_MAX_LEN)) > 0) {
		store_be16(buf, (uint16_t)len);
		if (fwrite(buf, 1, 2u + (unsigned)len, stdout) != 2u + (unsigned)len)
			die("write error");
	}
	xfr_out_free(x);
	if (last != first)
		snapshot_free(last);
	snapshot_free(first);
	if (len < 0)
		die("the transfer failed");
	return 0;
}
