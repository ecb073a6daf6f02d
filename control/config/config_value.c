/* SPDX-License-Identifier: Apache-2.0 */
/* From one word of the configuration to one value: numbers, words, rates, CPUs, secrets. See config_value.h. */
#include "control/config/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int
config_refuse(struct config_why *why, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* -------- numbers -------- */

struct suffix {
	const char *text;
	uint64_t factor;
};

static const struct suffix suffixes_none[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct suffix suffixes_bytes[] = {
	{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1ull << 40}, {NULL, 0},
};
static const struct suffix suffixes_ms[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {NULL, 0},
};

static const struct {
	const struct suffix *suffixes;
	const char *what, *how;
} units[] = {
	[CONFIG_UNIT_NONE] = {suffixes_none, "a whole number",
			      "digits alone, or with k, M or G behind them, such as 500 or 10k"},
	[CONFIG_UNIT_BYTES] = {suffixes_bytes, "a size",
			       "a whole number with B, KiB, MiB, GiB or TiB, such as 512MiB"},
	[CONFIG_UNIT_MS] = {suffixes_ms, "a duration",
			    "a whole number with ms, s, m, h, d or w, such as 10s or 5m"},
};

const char *
config_number_text(uint64_t value, enum config_unit unit, char *out, size_t cap)
{
	const struct suffix *best = &units[unit].suffixes[0];
	for (const struct suffix *s = best; s->text != NULL && value != 0; s++) {
		/* Weeks are taken, but said as days; counts below a million stay digits. */
		bool shown = s->factor != 604800000 && (unit != CONFIG_UNIT_NONE || value >= 1000000);
		if (shown && value % s->factor == 0)
			best = s;
	}
	snprintf(out, cap, "%llu%s", (unsigned long long)(value / best->factor), best->text);
	return out;
}

/* Reads digits from *p on and moves it behind them; -1 when there are none, -2 when they are too many. */
static int
read_digits(const char **p, uint64_t *out)
{
	const char *s = *p;
	uint64_t value = 0;
	if (!isdigit((unsigned char)*s))
		return -1;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return -2;
	*p = s;
	*out = value;
	return 0;
}

static const struct suffix *
suffix_find(const struct suffix *suffixes, const char *text)
{
	while (suffixes->text != NULL && strcmp(suffixes->text, text) != 0)
		suffixes++;
	return suffixes->text != NULL ? suffixes : NULL;
}

/* The right suffix for one that is nearly right: another case, a blank before it, MB for MiB. */
static const struct suffix *
suffix_meant(const struct suffix *suffixes, const char *text)
{
	while (*text == ' ')
		text++;
	for (const struct suffix *s = suffixes; s->text != NULL && *text != '\0'; s++) {
		size_t len = strlen(s->text);
		if (strcasecmp(s->text, text) == 0)
			return s;
		/* K, KB and MB for KiB and MiB. */
		if (len == 3 && tolower((unsigned char)s->text[0]) == tolower((unsigned char)text[0]) &&
		    (text[1] == '\0' || strcasecmp(text + 1, "B") == 0))
			return s;
	}
	return NULL;
}

static int
refuse_suffix(const char *text, const char *rest, uint64_t digits, enum config_unit unit, struct config_why *why)
{
	const struct suffix *meant = suffix_meant(units[unit].suffixes, rest);
	if (meant != NULL)
		return config_refuse(why, "\"%s\" is not %s; did you mean %llu%s?", text, units[unit].what,
				     (unsigned long long)digits, meant->text);
	if (*rest == '\0')
		return config_refuse(why, "\"%s\" has no unit; write %s", text, units[unit].how);
	return config_refuse(why, "\"%s\" is not %s; write %s", text, units[unit].what, units[unit].how);
}

int
config_parse_number(const char *text, enum config_unit unit, uint64_t min, uint64_t max, uint64_t *out,
		    struct config_why *why)
{
	char bound[32];
	const char *rest = text;
	uint64_t digits, value;
	int rc = read_digits(&rest, &digits);
	if (rc == -1)
		return config_refuse(why, "\"%s\" is not %s; write %s", text, units[unit].what, units[unit].how);
	if (rc == 0) {
		const struct suffix *suffix = suffix_find(units[unit].suffixes, rest);
		if (suffix == NULL && unit != CONFIG_UNIT_NONE && digits == 0 && *rest == '\0')
			suffix = &units[unit].suffixes[0]; /* nothing is nothing in every unit */
		if (suffix == NULL)
			return refuse_suffix(text, rest, digits, unit, why);
		if (__builtin_mul_overflow(digits, suffix->factor, &value))
			rc = -2;
	}
	if (rc != 0 || value > max)
		return config_refuse(why, "%s is too much; the highest is %s", text,
				     config_number_text(max, unit, bound, sizeof(bound)));
	if (value < min)
		return config_refuse(why, "%s is too little; the lowest is %s", text,
				     config_number_text(min, unit, bound, sizeof(bound)));
	*out = value;
	return 0;
}

/* -------- words, rates, ratios -------- */

int
config_parse_word(const char *text, const char *const *words, unsigned *out, struct config_why *why)
{
	for (unsigned i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
	const char *near = diag_nearest(text, words);
	if (near != NULL)
		return config_refuse(why, "unknown value \"%s\"; did you mean \"%s\"?", text, near);
	char list[160] = "";
	for (unsigned i = 0; words[i] != NULL; i++) {
		size_t len = strlen(list);
		const char *joint = i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ";
		snprintf(list + len, sizeof(list) - len, "%s%s", joint, words[i]);
	}
	return config_refuse(why, "unknown value \"%s\"; write %s", text, list);
}

int
config_parse_rate(const char *text, uint32_t *out, struct config_why *why)
{
	if (strcmp(text, "off") == 0) {
		*out = 0;
		return 0;
	}
	char digits[32] = "";
	const char *slash = strchr(text, '/');
	if (slash != NULL && strcmp(slash, "/s") == 0 && (size_t)(slash - text) < sizeof(digits))
		memcpy(digits, text, (size_t)(slash - text));
	uint64_t value;
	if (digits[0] < '0' || digits[0] > '9')
		return config_refuse(why, "\"%s\" is not a rate; write a number a second, such as 50/s, or off",
				     text);
	int rc = config_parse_number(digits, CONFIG_UNIT_NONE, 0, 100000000, &value, why);
	if (rc == 0 && value == 0)
		return config_refuse(why, "%s would answer nobody; write off for no limit", text);
	if (rc == 0)
		*out = (uint32_t)value;
	return rc;
}

int
config_parse_ratio(const char *text, uint32_t *take, uint32_t *of, struct config_why *why)
{
	const char *p = text;
	uint64_t a, b;
	if (read_digits(&p, &a) != 0 || *p++ != '/' || read_digits(&p, &b) != 0 || *p != '\0')
		return config_refuse(why, "\"%s\" is not a share; write it as 1/1000", text);
	if (a == 0 || b == 0 || a > b || b > UINT32_MAX)
		return config_refuse(
			why, "\"%s\" is no share of the queries; write 1/1 for all, 1/1000 for one of a thousand",
			text);
	*take = (uint32_t)a;
	*of = (uint32_t)b;
	return 0;
}

/* -------- CPUs -------- */

#define CORES_HOW "write CPU numbers and ranges such as 2-15,17, or all"

/* `first` or `first-last` at *p; moves *p behind it. */
static int
read_core_range(const char *text, const char **p, uint64_t *first, uint64_t *last, struct config_why *why)
{
	if (read_digits(p, first) != 0)
		return config_refuse(why, "\"%s\" is not a list of CPUs; " CORES_HOW, text);
	*last = *first;
	if (**p == '-') {
		(*p)++;
		if (read_digits(p, last) != 0)
			return config_refuse(why, "\"%s\" is not a list of CPUs; " CORES_HOW, text);
	}
	if (*last >= CPU_SETSIZE || *first >= CPU_SETSIZE)
		return config_refuse(why, "\"%s\": the highest CPU number is %d", text, CPU_SETSIZE - 1);
	if (*first > *last)
		return config_refuse(why, "\"%s\": the range %llu-%llu runs backwards; write %llu-%llu", text,
				     (unsigned long long)*first, (unsigned long long)*last,
				     (unsigned long long)*last, (unsigned long long)*first);
	return 0;
}

static int
read_cores(const char *text, cpu_set_t *set, struct config_why *why)
{
	const char *p = text;
	for (;;) {
		uint64_t first = 0, last = 0;
		int rc = read_core_range(text, &p, &first, &last, why);
		if (rc != 0)
			return rc;
		for (uint64_t core = first; core <= last; core++) {
			if (CPU_ISSET(core, set))
				return config_refuse(why, "\"%s\": CPU %llu is there twice; one worker each", text,
						     (unsigned long long)core);
			CPU_SET(core, set);
		}
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return config_refuse(why, "\"%s\" is not a list of CPUs; " CORES_HOW, text);
	}
}

int
config_parse_cores(const char *text, struct config_arena *arena, unsigned **out, unsigned *n,
		   struct config_why *why)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (strcmp(text, "all") == 0) {
		if (sched_getaffinity(0, sizeof(set), &set) != 0)
			return config_refuse(why, "the CPUs of this process are unknown (%s); write their numbers",
					     strerror(errno));
	} else {
		int rc = read_cores(text, &set, why);
		if (rc != 0)
			return rc;
	}
	unsigned count = 0;
	unsigned *cores = config_arena_array(arena, (size_t)CPU_COUNT(&set), sizeof(*cores));
	if (cores == NULL)
		return -ENOMEM;
	for (unsigned core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &set))
			cores[count++] = core;
	*out = cores;
	*n = count;
	return 0;
}

/* -------- secrets -------- */

/* Checks the shape of base64 without ever repeating it in a message; 0 and the padding, or -EINVAL. */
static int
check_base64(const char *text, size_t len, unsigned *padding, struct config_why *why)
{
	size_t end = len;
	while (end > 0 && text[end - 1] == '=')
		end--;
	for (size_t i = 0; i < end; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '+' && text[i] != '/')
			return config_refuse(
				why,
				"not base64: character %zu is none of A-Z a-z 0-9 + / (the secret is not shown)",
				i + 1);
	if (len == 0)
		return config_refuse(why, "empty; give the shared secret in base64");
	if (len % 4 != 0 || len - end > 2)
		return config_refuse(
			why, "not base64: %zu characters with padding, which is no multiple of 4; was it cut off?",
			len);
	*padding = (unsigned)(len - end);
	return 0;
}

int
config_parse_base64(const char *text, struct config_arena *arena, uint8_t **out, unsigned *len,
		    struct config_why *why)
{
	size_t text_len = strlen(text);
	unsigned padding = 0;
	if (text_len > 65536)
		return config_refuse(why, "too long for a shared secret");
	int rc = check_base64(text, text_len, &padding, why);
	if (rc != 0)
		return rc;
	uint8_t *octets = config_arena_alloc(arena, text_len / 4 * 3);
	if (octets == NULL)
		return -ENOMEM;
	/* The shape was checked, so this cannot fail; it counts the padding as zero octets. */
	int n = EVP_DecodeBlock(octets, (const unsigned char *)text, (int)text_len);
	if (n <= (int)padding)
		return config_refuse(why, "not base64; give the shared secret in base64");
	*out = octets;
	*len = (unsigned)n - padding;
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
config_parse_hex(const char *text, uint8_t *out, size_t len, struct config_why *why)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		if (hex_digit(text[i]) < 0)
			return config_refuse(why, "character %zu is no hexadecimal digit; write %zu of them", i + 1,
					     2 * len);
	if (n != 2 * len)
		return config_refuse(why, "%zu hexadecimal digits; write %zu of them", n, 2 * len);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return 0;
}
