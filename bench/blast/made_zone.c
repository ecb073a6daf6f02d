/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up zones. See made_zone.h. */
#include "bench/blast/made_zone.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "bench/blast/random.h"

#define PROVIDERS 2000
#define LONG_LABEL 60 /* octets of the first label, filled up behind the number */
#define LONG_LABEL_2 "a-label-of-which-there-are-many-too-many-for-anybodys-eyes"
#define LONG_LABEL_3 "and-another-one-so-that-names-are-long"

int
made_kind_from_text(const char *text, enum made_kind *out)
{
	static const char *const words[] = {[MADE_FLAT] = "flat", [MADE_TLD] = "tld", [MADE_LONG] = "long"};
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*out = (enum made_kind)i;
		return 0;
	}
	return -ENOENT;
}

/* -------- names -------- */

static void
append_label(struct name *n, const char *text, size_t len)
{
	n->bytes[n->len] = (uint8_t)len;
	memcpy(n->bytes + n->len + 1, text, len);
	n->len = (uint8_t)(n->len + 1 + len);
}

/* The labels of a kind, the first of them `letter` and the number, then the zone. */
static void
append_owner(struct name *n, enum made_kind kind, const struct name *zone, char letter, uint32_t i)
{
	char label[LONG_LABEL + 1];
	memset(label, '-', sizeof(label));
	int len = snprintf(label, sizeof(label), "%c%u", letter, i);
	if (kind == MADE_LONG) {
		memset(label + len, 'z', (size_t)(LONG_LABEL - len));
		append_label(n, label, LONG_LABEL);
		append_label(n, LONG_LABEL_2, strlen(LONG_LABEL_2));
		append_label(n, LONG_LABEL_3, strlen(LONG_LABEL_3));
	} else {
		append_label(n, label, (size_t)len);
	}
	assert(n->len <= MADE_PREFIX_MAX && zone->len <= NAME_MAX_LEN - MADE_PREFIX_MAX);
	memcpy(n->bytes + n->len, zone->bytes, zone->len);
	n->len = (uint8_t)(n->len + zone->len);
}

void
made_name(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out)
{
	out->len = 0;
	append_owner(out, kind, zone, 'n', i);
}

void
made_missing_name(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out)
{
	out->len = 0;
	append_owner(out, kind, zone, 'x', i);
}

void
made_name_below(enum made_kind kind, const struct name *zone, uint32_t i, struct name *out)
{
	out->len = 0;
	append_label(out, "www", 3);
	append_owner(out, kind, zone, 'n', i);
}

/* -------- zone files: owners are relative to $ORIGIN -------- */

static void
write_owner(FILE *out, enum made_kind kind, uint32_t i)
{
	static const struct name root = {.len = 1};
	char text[NAME_TEXT_MAX];
	struct name n;
	made_name(kind, &root, i, &n);
	size_t len = name_to_text(n.bytes, text);
	fwrite(text, 1, len - 1, out); /* without the root's dot */
}

static void
write_address(FILE *out, uint32_t i)
{
	fprintf(out, " A 10.%u.%u.%u\n", i >> 16 & 255, i >> 8 & 255, i & 255);
}

/* The providers' own delegations, with glue. */
static void
write_providers(FILE *out)
{
	for (unsigned i = 0; i < PROVIDERS; i += 2) {
		fprintf(out, "provider%u NS ns1.provider%u\nprovider%u NS ns2.provider%u\n", i, i, i, i);
		for (unsigned k = 1; k <= 2; k++) {
			fprintf(out, "ns%u.provider%u", k, i);
			write_address(out, i * 2 + k);
			fprintf(out, "ns%u.provider%u AAAA 2001:db8::%x\n", k, i, i * 2 + k);
		}
	}
}

static void
write_delegation(FILE *out, uint32_t i)
{
	uint64_t state = i;
	unsigned provider = random_below(&state, PROVIDERS);
	const char *where = provider % 2 == 0 ? "" : ".provider.test.";
	for (unsigned k = 1; k <= 2; k++)
		fprintf(out, "n%u NS ns%u.provider%u%s\n", i, k, provider, where);
	if (i % 10 == 0) {
		fprintf(out, "n%u NS ns.n%u\nns.n%u", i, i, i);
		write_address(out, i);
	}
	if (i % 3 != 0)
		return;
	fprintf(out, "n%u DS %u 13 2 ", i, (unsigned)(random_next(&state) & 0xffff));
	for (unsigned k = 0; k < 4; k++)
		fprintf(out, "%016llx", (unsigned long long)random_next(&state));
	fputc('\n', out);
}

int
made_zone_write(enum made_kind kind, const struct name *zone, uint32_t names, FILE *out)
{
	char text[NAME_TEXT_MAX];
	name_to_text(zone->bytes, text);
	fprintf(out, "$ORIGIN %s\n$TTL 3600\n", text);
	fputs("@ SOA ns hostmaster 1 7200 1800 1209600 300\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n", out);
	if (kind == MADE_TLD)
		write_providers(out);
	for (uint32_t i = 0; i < names && !ferror(out); i++) {
		if (kind == MADE_TLD) {
			write_delegation(out, i);
			continue;
		}
		write_owner(out, kind, i);
		write_address(out, i);
	}
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}
