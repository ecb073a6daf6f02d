/* SPDX-License-Identifier: Apache-2.0 */
/* What TSIG found, in words for logs and status. See tsig.h. */
#include "control/tsig/tsig_private.h"

#include <inttypes.h>
#include <stdio.h>

const char *
tsig_status_text(enum tsig_status status)
{
	static const char *const texts[] = {
		[TSIG_NONE] = "NONE",       [TSIG_GOOD] = "GOOD",           [TSIG_PENDING] = "PENDING",
		[TSIG_FORMERR] = "FORMERR", [TSIG_BADKEY] = "BADKEY",       [TSIG_BADSIG] = "BADSIG",
		[TSIG_BADTIME] = "BADTIME", [TSIG_BADTRUNC] = "BADTRUNC",   [TSIG_MISSING] = "MISSING",
		[TSIG_REFUSED] = "REFUSED", [TSIG_NO_MEMORY] = "NO_MEMORY",
	};
	return texts[status];
}

#define SHOWN_MAX 128 /* of a name, with the NUL: two of them leave room for a sentence */

/* As operators write it in the configuration: without the closing dot. Long names are cut. */
static const char *
print_name(const struct name *name, char out[SHOWN_MAX])
{
	char whole[NAME_TEXT_MAX];
	size_t len = name_to_text(name->bytes, whole);
	len = len > 1 ? len - 1 : len;
	if (len < SHOWN_MAX)
		snprintf(out, SHOWN_MAX, "%.*s", (int)len, whole);
	else
		snprintf(out, SHOWN_MAX, "%.*s...", SHOWN_MAX - 4, whole);
	return out;
}

/* Numbers that are no error of TSIG are told as numbers. */
static const char *
print_error(uint16_t error, char out[16])
{
	switch (error) {
	case TSIG_ERROR_BADSIG:
		return "BADSIG";
	case TSIG_ERROR_BADKEY:
		return "BADKEY";
	case TSIG_ERROR_BADTIME:
		return "BADTIME";
	case TSIG_ERROR_BADTRUNC:
		return "BADTRUNC";
	default:
		snprintf(out, 16, "error %u", error);
		return out;
	}
}

static void
describe_bad_key(const struct tsig_verdict *v, const char *key, char out[TSIG_TEXT_MAX])
{
	char theirs[SHOWN_MAX], ours[SHOWN_MAX];
	if (v->key == NULL) {
		snprintf(out, TSIG_TEXT_MAX, "BADKEY: key %s is not configured", key);
	} else if (!name_equal(v->key->name.bytes, v->key_name.bytes)) {
		snprintf(out, TSIG_TEXT_MAX, "BADKEY: signed with key %s, asked with key %s", key,
			 print_name(&v->key->name, ours));
	} else {
		snprintf(out, TSIG_TEXT_MAX, "BADKEY: key %s is used with %s, configured with %s", key,
			 print_name(&v->algorithm, theirs), print_name(&v->key->algorithm->name, ours));
	}
}

static void
describe_clock(const char *what, uint64_t theirs_s, uint64_t ours_s, char out[TSIG_TEXT_MAX])
{
	bool is_ahead = theirs_s > ours_s;
	snprintf(out, TSIG_TEXT_MAX, "%s: their clock is %" PRIu64 " s %s", what,
		 is_ahead ? theirs_s - ours_s : ours_s - theirs_s, is_ahead ? "ahead" : "behind");
}

static void
describe_refused(const struct tsig_verdict *v, char out[TSIG_TEXT_MAX])
{
	char number[16], key[SHOWN_MAX];
	if (v->refused_at_s != 0) {
		describe_clock("they answer BADTIME", v->refused_at_s, v->now_s, out);
		return;
	}
	snprintf(out, TSIG_TEXT_MAX, "they answer %s to key %s%s", print_error(v->error, number),
		 print_name(v->key != NULL ? &v->key->name : &v->key_name, key),
		 v->is_proven ? "" : ", and do not sign it");
}

const char *
tsig_verdict_text(const struct tsig_verdict *v, char out[TSIG_TEXT_MAX])
{
	char key[SHOWN_MAX] = "";
	if (v->fault != NULL) {
		snprintf(out, TSIG_TEXT_MAX, "%s: %s", tsig_status_text(v->status), v->fault);
		return out;
	}
	if (v->key_name.len != 0)
		print_name(&v->key_name, key);
	switch (v->status) {
	case TSIG_NONE:
	case TSIG_PENDING:
		snprintf(out, TSIG_TEXT_MAX, "not signed");
		break;
	case TSIG_GOOD:
		snprintf(out, TSIG_TEXT_MAX, "signed with key %s", key);
		break;
	case TSIG_BADKEY:
		describe_bad_key(v, key, out);
		break;
	case TSIG_BADSIG:
		snprintf(out, TSIG_TEXT_MAX,
			 "BADSIG: the MAC of key %s is wrong: the secrets differ, or the message was changed", key);
		break;
	case TSIG_BADTIME:
		describe_clock("BADTIME", v->time_s, v->now_s, out);
		break;
	case TSIG_BADTRUNC:
		snprintf(out, TSIG_TEXT_MAX,
			 "BADTRUNC: the MAC of key %s has %u of its octets, and all are asked for", key,
			 v->mac_len);
		break;
	case TSIG_REFUSED:
		describe_refused(v, out);
		break;
	case TSIG_FORMERR:
	case TSIG_MISSING: /* these two always have their fault */
	case TSIG_NO_MEMORY:
		snprintf(out, TSIG_TEXT_MAX, "%s", tsig_status_text(v->status));
		break;
	}
	return out;
}
