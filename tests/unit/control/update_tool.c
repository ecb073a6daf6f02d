/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies updates to a zone file in memory, for tests that speak with other programs' messages:
 *
 *     update_tool ORIGIN FILE
 *
 * Reads messages from standard input, each behind its length in two octets, as on a TCP connection. Writes for each
 * the reply, likewise, and then the whole zone as text behind its length in four octets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/control/update_fixture.h"
#include "zones/base/bytes.h"

static void
die(const char *what)
{
	fprintf(stderr, "update_tool: %s\n", what);
	exit(1);
}

static void
write_all(const void *octets, size_t len)
{
	if (fwrite(octets, 1, len, stdout) != len)
		die("write error");
}

/* As publish_zone() does, without readers. */
static struct served *
succeed(struct served *base, struct served *next)
{
	base->left = next->made_from;
	next->made_from = NULL;
	served_free(base);
	return next;
}

static struct served *
apply(struct served *base, const uint8_t *msg, size_t len)
{
	static uint8_t out[2 + UPDATE_REPLY_MAX];
	struct update_result result;
	struct name apex;
	struct update_request request = {.msg = msg, .len = len, .base = base};
	uint16_t rcode = update_zone_of(msg, len, &apex);
	memset(&result, 0, sizeof(result));
	if (rcode == RCODE_NOERROR) {
		update_run(&request, &result);
		rcode = result.rcode;
	}
	if (result.next != NULL) {
		base = succeed(base, result.next);
		state_changes_free(result.changes);
	}
	size_t n = update_reply(msg, len, rcode, out + 2, UPDATE_REPLY_MAX);
	store_be16(out, (uint16_t)n);
	write_all(out, 2 + n);
	char *text = update_dump(base->snapshot);
	store_be32(out, (uint32_t)strlen(text));
	write_all(out, 4);
	write_all(text, strlen(text));
	free(text);
	if (fflush(stdout) != 0)
		die("write error");
	return base;
}

int
main(int argc, char **argv)
{
	static uint8_t head[2], msg[MESSAGE_MAX_LEN];
	struct name origin;
	if (argc != 3 || name_from_text(argv[1], strlen(argv[1]), NULL, &origin) != NAME_OK)
		die("usage: update_tool ORIGIN. FILE");
	struct served *zone = update_zone_file(argv[2], &origin);
	if (zone == NULL)
		die(argv[2]);
	while (fread(head, 1, 2, stdin) == 2) {
		size_t len = load_be16(head);
		if (fread(msg, 1, len, stdin) != len)
			die("a message is cut off");
		zone = apply(zone, msg, len);
	}
	served_free(zone);
	return 0;
}
