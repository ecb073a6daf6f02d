/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names in wire form. The hot functions (lower-casing, equality, suffix hashes) work on whole words or on
 * one pass over the labels; the text functions are the zone loader's inner loop.
 */
#define XXH_INLINE_ALL
#include <assert.h>
#include <string.h>
#include <xxhash.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "zones/base/bytes.h"
#include "zones/wire/name.h"

uint64_t name_hash_seed = 0x616e736572ULL;

const char *
name_error_text(enum name_error e)
{
	switch (e) {
	case NAME_OK:
		return "no error";
	case NAME_EMPTY_LABEL:
		return "the name has an empty label";
	case NAME_LABEL_TOO_LONG:
		return "a label is longer than 63 octets";
	case NAME_TOO_LONG:
		return "the name is longer than 255 octets";
	case NAME_BAD_ESCAPE:
		return "a backslash must be followed by three digits up to 255 or by one other character";
	case NAME_NOT_ABSOLUTE:
		return "the name is relative and there is no origin";
	case NAME_TRUNCATED:
		return "the name runs over the end of the data";
	case NAME_BAD_POINTER:
		return "the name has a bad compression pointer or label type";
	case NAME_EMPTY:
		return "the name is empty";
	}
	return "unknown error";
}

/* -------- text -------- */

static bool
is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Resolves the escape whose backslash is at p; returns the octet and the length of the escape, or false. */
static bool
read_escape(const char *p, const char *end, uint8_t *octet, unsigned *escape_len)
{
	if (end - p < 2)
		return false;
	if (!is_digit(p[1])) {
		*octet = (uint8_t)p[1];
		*escape_len = 2;
		return true;
	}
	if (end - p < 4 || !is_digit(p[2]) || !is_digit(p[3]))
		return false;
	unsigned v = (unsigned)(p[1] - '0') * 100 + (unsigned)(p[2] - '0') * 10 + (unsigned)(p[3] - '0');
	if (v > 255)
		return false;
	*octet = (uint8_t)v;
	*escape_len = 4;
	return true;
}

static inline uint64_t
load_word(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* The top bit of the lowest lane that holds `octet` is set, those of the lanes below are not. */
static inline uint64_t
lanes_with(uint64_t v, uint8_t octet)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t zero = v ^ ones * octet;

	return (zero - ones) & ~zero & ones * 0x80;
}

/*
 * Copies octets to `label` up to a dot or backslash, eight at a time, as long as eight can be read; returns how
 * many. Up to LABEL_SLACK octets behind a label of full length may be written.
 */
#define LABEL_SLACK 16
static unsigned
copy_plain(const char *p, const char *end, uint8_t *label)
{
	unsigned n = 0;

	while (end - p >= 8 && n <= LABEL_MAX_LEN) {
		uint64_t v = load_word(p), stop = lanes_with(v, '.') | lanes_with(v, '\\');
		memcpy(label + n, &v, sizeof(v));
		if (stop != 0)
			return n + (unsigned)__builtin_ctzll(stop) / 8;
		n += 8;
		p += 8;
	}
	return n;
}

/* Reads one label up to a dot or the end; label gets its wire form. Moves *text to the dot or the end. */
static enum name_error
read_label(const char **text, const char *end, uint8_t *label)
{
	unsigned n = copy_plain(*text, end, label + 1);
	const char *p = *text + n;

	for (; p < end && *p != '.'; n++) {
		uint8_t octet = (uint8_t)*p;
		unsigned used = 1;
		if (unlikely(octet == '\\') && !read_escape(p, end, &octet, &used))
			return NAME_BAD_ESCAPE;
		if (unlikely(n >= LABEL_MAX_LEN))
			return NAME_LABEL_TOO_LONG;
		label[1 + n] = octet;
		p += used;
	}
	if (unlikely(n == 0))
		return NAME_EMPTY_LABEL;
	if (unlikely(n > LABEL_MAX_LEN))
		return NAME_LABEL_TOO_LONG;
	label[0] = (uint8_t)n;
	*text = p;
	return NAME_OK;
}

/* Ends the relative labels buf[0..len) in origin and hands the whole out. */
static enum name_error
append_origin(const uint8_t *buf, unsigned len, const struct name *origin, struct name *out)
{
	if (origin == NULL)
		return NAME_NOT_ABSOLUTE;
	if (len + origin->len > NAME_MAX_LEN)
		return NAME_TOO_LONG;
	memmove(out->bytes + len, origin->bytes, origin->len); /* origin and out may be the same box */
	memcpy(out->bytes, buf, len);
	out->len = (uint8_t)(len + origin->len);
	return NAME_OK;
}

enum name_error
name_from_text(const char *text, size_t text_len, const struct name *origin, struct name *out)
{
	/* One label may be written before the length is checked. */
	uint8_t buf[NAME_MAX_LEN + 1 + LABEL_MAX_LEN + LABEL_SLACK];
	const char *p = text, *end = text + text_len;
	unsigned len = 0;

	if (text_len == 0)
		return NAME_EMPTY;
	if (text_len == 1 && *text == '@')
		return append_origin(buf, 0, origin, out);
	if (text_len == 1 && *text == '.')
		p = end;
	while (p < end) {
		enum name_error e = read_label(&p, end, buf + len);
		if (unlikely(e != NAME_OK))
			return e;
		len += 1u + buf[len];
		if (unlikely(len >= NAME_MAX_LEN))
			return NAME_TOO_LONG;
		if (p == end)
			return append_origin(buf, len, origin, out);
		p++;
	}
	buf[len++] = 0;
	memcpy(out->bytes, buf, len);
	out->len = (uint8_t)len;
	return NAME_OK;
}

/* Writes one octet of a label as a zone file would have it; returns how many characters that took. */
static unsigned
write_octet(uint8_t c, char *out)
{
	if (c <= ' ' || c >= 0x7f) {
		out[0] = '\\';
		out[1] = (char)('0' + c / 100);
		out[2] = (char)('0' + c / 10 % 10);
		out[3] = (char)('0' + c % 10);
		return 4;
	}
	if (c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' || c == '$') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = (char)c;
	return 1;
}

size_t
name_to_text(const uint8_t *wire, char *out)
{
	char *o = out;

	if (*wire == 0)
		*o++ = '.';
	while (*wire != 0) {
		for (unsigned i = 1; i <= *wire; i++)
			o += write_octet(wire[i], o);
		*o++ = '.';
		wire += 1u + *wire;
	}
	*o = '\0';
	return (size_t)(o - out);
}

/* -------- wire -------- */

int
name_check(const uint8_t *p, size_t cap)
{
	size_t at = 0;

	for (;;) {
		if (at >= cap)
			return NAME_TRUNCATED;
		unsigned n = p[at];
		if (n > LABEL_MAX_LEN)
			return NAME_BAD_POINTER;
		at += 1u + n;
		if (at > NAME_MAX_LEN)
			return NAME_TOO_LONG;
		if (n == 0)
			return (int)at;
	}
}

unsigned
name_len(const uint8_t *wire)
{
	const uint8_t *p = wire;

	while (*p != 0)
		p += 1u + *p;
	return (unsigned)(p - wire) + 1;
}

unsigned
name_labels(const uint8_t *wire)
{
	unsigned n = 0;

	for (; *wire != 0; n++)
		wire += 1u + *wire;
	return n;
}

enum name_error
name_expand(const uint8_t *msg, size_t msg_len, size_t *pos, struct name *out)
{
	uint8_t buf[NAME_MAX_LEN];
	size_t at = *pos, run = *pos; /* run: where the labels being read began; pointers go strictly before it */
	size_t after = 0;             /* behind the name where it occurs; 0 until the first pointer */
	unsigned len = 0;

	for (;;) {
		if (at >= msg_len)
			return NAME_TRUNCATED;
		unsigned n = msg[at];
		if (n >= 0xc0) {
			if (at + 1 >= msg_len)
				return NAME_TRUNCATED;
			size_t target = load_be16(msg + at) & 0x3fff;
			if (target >= run)
				return NAME_BAD_POINTER;
			if (after == 0)
				after = at + 2;
			at = run = target;
			continue;
		}
		if (n > LABEL_MAX_LEN)
			return NAME_BAD_POINTER;
		if (n >= msg_len - at)
			return NAME_TRUNCATED;
		if (len + 1 + n > NAME_MAX_LEN)
			return NAME_TOO_LONG;
		memcpy(buf + len, msg + at, 1 + n);
		len += 1 + n;
		at += 1 + n;
		if (n == 0)
			break;
	}
	memcpy(out->bytes, buf, len);
	out->len = (uint8_t)len;
	*pos = after != 0 ? after : at;
	return NAME_OK;
}

/* Lower-cases eight octets at once: the top bit of each lane tells whether the octet is in A..Z. */
static inline uint64_t
lower_word(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t low7 = v & ones * 0x7f;
	uint64_t from_a = low7 + ones * (0x80 - 'A');
	uint64_t past_z = low7 + ones * (0x7f - 'Z');
	uint64_t upper = (from_a ^ past_z) & ~v & ones * 0x80;

	return v | upper >> 2;
}

#if defined(__SSE2__)
static inline __m128i
lower_vector(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i from_a = _mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1));
	__m128i to_z = _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1));

	return _mm_or_si128(v, _mm_and_si128(_mm_and_si128(from_a, to_z), _mm_set1_epi8(0x20)));
}

static inline void
lower_vectors(uint8_t *dst, const uint8_t *src, unsigned len)
{
	__m128i tail = lower_vector(src + len - 16);

	for (unsigned i = 0; i + 16 < len; i += 16)
		_mm_storeu_si128((__m128i *)(void *)(dst + i), lower_vector(src + i));
	_mm_storeu_si128((__m128i *)(void *)(dst + len - 16), tail);
}
#endif

static inline void
lower_octets(uint8_t *dst, const uint8_t *src, unsigned len)
{
	if (unlikely(len < 8)) {
		for (unsigned i = 0; i < len; i++)
			dst[i] = name_lower_octet(src[i]);
		return;
	}
	/* The tail overlaps the last whole word (or vector), so it is loaded before that may change. */
#if defined(__SSE2__)
	if (len >= 16) {
		lower_vectors(dst, src, len);
		return;
	}
#endif
	uint64_t tail = lower_word(load_word(src + len - 8));
	for (unsigned i = 0; i + 8 < len; i += 8) {
		uint64_t v = lower_word(load_word(src + i));
		memcpy(dst + i, &v, 8);
	}
	memcpy(dst + len - 8, &tail, 8);
}

void
name_lower(uint8_t *dst, const uint8_t *src, unsigned len)
{
	lower_octets(dst, src, len);
}

static bool
equal_but_for_case(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned i = 0;

	for (; i + 8 <= len; i += 8)
		if (lower_word(load_word(a + i)) != lower_word(load_word(b + i)))
			return false;
	for (; i < len; i++)
		if (name_lower_octet(a[i]) != name_lower_octet(b[i]))
			return false;
	return true;
}

bool
name_equal(const uint8_t *a, const uint8_t *b)
{
	unsigned len = name_len(a);

	return len == name_len(b) && equal_but_for_case(a, b, len);
}

/* Fills starts[0..labels) with where each label begins; returns the number of labels. */
static unsigned
label_starts(const uint8_t *wire, uint8_t starts[NAME_MAX_LABELS + 1])
{
	unsigned n = 0, at = 0;

	while (wire[at] != 0) {
		starts[n++] = (uint8_t)at;
		at += 1u + wire[at];
	}
	starts[n] = (uint8_t)at;
	return n;
}

static int
label_compare(const uint8_t *a, const uint8_t *b)
{
	unsigned common = *a < *b ? *a : *b;

	for (unsigned i = 1; i <= common; i++) {
		int diff = name_lower_octet(a[i]) - name_lower_octet(b[i]);
		if (diff != 0)
			return diff;
	}
	return *a - *b;
}

int
name_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_starts[NAME_MAX_LABELS + 1], b_starts[NAME_MAX_LABELS + 1];
	unsigned na = label_starts(a, a_starts), nb = label_starts(b, b_starts);

	while (na > 0 && nb > 0) {
		int diff = label_compare(a + a_starts[--na], b + b_starts[--nb]);
		if (diff != 0)
			return diff;
	}
	return (int)na - (int)nb;
}

bool
name_is_under(const uint8_t *name, const uint8_t *ancestor)
{
	unsigned len = name_len(name), ancestor_len = name_len(ancestor);

	if (len < ancestor_len)
		return false;
	/* Most that are not under it do not end in its octets, wherever their labels begin. */
	const uint8_t *suffix = name + (len - ancestor_len);
	if (!equal_but_for_case(suffix, ancestor, ancestor_len))
		return false;
	while (name < suffix)
		name += 1u + *name;
	return name == suffix;
}

const uint8_t *
name_parent(const uint8_t *wire, unsigned n)
{
	while (n-- > 0)
		wire += 1u + *wire;
	return wire;
}

void
name_copy(struct name *dst, const uint8_t *wire)
{
	unsigned len = name_len(wire);

	assert(len <= NAME_MAX_LEN);
	memmove(dst->bytes, wire, len);
	dst->len = (uint8_t)len;
}

bool
name_wildcard(const uint8_t *name, struct name *out)
{
	unsigned len = name_len(name);

	if (len + 2 > NAME_MAX_LEN)
		return false;
	memmove(out->bytes + 2, name, len);
	out->bytes[0] = 1;
	out->bytes[1] = '*';
	out->len = (uint8_t)(len + 2);
	return true;
}

/* -------- hashes -------- */

static inline uint64_t
hash_label(uint64_t parent, const uint8_t *label)
{
	unsigned len = *label + 1u;

	if (len > LABEL_MAX_LEN + 1)
		__builtin_unreachable(); /* spares the hash of long inputs, and all that it would need kept */
	return XXH3_64bits_withSeed(label, len, parent);
}

uint64_t
name_hash_label(uint64_t parent, const uint8_t *label)
{
	return hash_label(parent, label);
}

uint64_t
name_hash(const uint8_t *lower)
{
	uint8_t starts[NAME_MAX_LABELS + 1];
	uint64_t h = name_hash_root();

	for (unsigned n = label_starts(lower, starts); n > 0; n--)
		h = hash_label(h, lower + starts[n - 1]);
	return h;
}

static inline int
scan_labels(const uint8_t *p, size_t cap, struct name_suffixes *out)
{
	size_t at = 0;
	unsigned labels = 0;

	if (cap > NAME_MAX_LEN)
		cap = NAME_MAX_LEN + 1;
	/* More labels than there may be do not fit into so many octets, so they need no count of their own. */
	for (;; labels++) {
		if (at >= cap)
			return at > NAME_MAX_LEN ? NAME_TOO_LONG : NAME_TRUNCATED;
		unsigned n = p[at];
		if (n > LABEL_MAX_LEN)
			return NAME_BAD_POINTER;
		out->start[labels] = (uint8_t)at;
		at += 1u + n;
		if (n == 0)
			break;
	}
	if (at > NAME_MAX_LEN)
		return NAME_TOO_LONG;
	out->labels = (uint8_t)labels;
	return (int)at;
}

int
name_scan(const uint8_t *p, size_t cap, struct name_suffixes *out)
{
	return scan_labels(p, cap, out);
}

int
name_read(uint8_t *lower, const uint8_t *p, size_t cap, struct name_suffixes *out)
{
	int len = scan_labels(p, cap, out);

	if (likely(len > 0))
		lower_octets(lower, p, (unsigned)len);
	return len;
}

void
name_suffixes_hash_from(const uint8_t *lower, struct name_suffixes *s, unsigned k)
{
	uint64_t h = s->at[k];

	while (++k <= s->labels) {
		h = hash_label(h, lower + name_suffix_start(s, k));
		s->at[k] = h;
	}
}

void
name_suffixes_hash(const uint8_t *lower, struct name_suffixes *s)
{
	s->at[0] = name_hash_root();
	name_suffixes_hash_from(lower, s, 0);
}

void
name_suffixes(const uint8_t *lower, struct name_suffixes *out)
{
	out->labels = (uint8_t)label_starts(lower, out->start);
	name_suffixes_hash(lower, out);
}
