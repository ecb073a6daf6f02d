/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one word of the configuration to one value.
 *
 * Every function takes the text as it stands in the file and either fills *out and returns 0, or leaves it alone,
 * returns -EINVAL and says in *why what is wrong and how to write it right; -ENOMEM where memory is taken. The text
 * in *why continues "KEY: ". Pure but for the CPU mask; secrets never appear in *why.
 */
#ifndef ANSER_CONTROL_CONFIG_VALUE_H
#define ANSER_CONTROL_CONFIG_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"
#include "control/config/config_arena.h"
#include "zones/base/compiler.h"

struct config_why {
	char text[320];
};

/* Writes the reason and returns -EINVAL, so that `return config_refuse(...)` reads as it should. */
int config_refuse(struct config_why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What a number counts; each has its own suffixes. */
enum config_unit {
	CONFIG_UNIT_NONE,  /* 500, 10k, 500M (decimal) */
	CONFIG_UNIT_BYTES, /* 512MiB; a unit is required */
	CONFIG_UNIT_MS,    /* 10s, 250ms; a unit is required; the value is in milliseconds */
};

/* A number with the suffixes of its unit, between min and max, both included. */
int config_parse_number(const char *text, enum config_unit unit, uint64_t min, uint64_t max, uint64_t *out,
			struct config_why *why) MUST_CHECK;

/* The same number as the file would say it, into out[cap]; returns `out`. */
const char *config_number_text(uint64_t value, enum config_unit unit, char *out, size_t cap);

/* The index of the word in `words`, which ends with NULL. */
int config_parse_word(const char *text, const char *const *words, unsigned *out, struct config_why *why) MUST_CHECK;

/* `address` or `address@port`; without a port, default_port is filled in (0: left at 0). */
int config_parse_address(const char *text, uint16_t default_port, struct config_address *out,
			 struct config_why *why) MUST_CHECK;

/* `address/bits`, or an address alone for all of its bits. */
int config_parse_prefix(const char *text, struct config_prefix *out, struct config_why *why) MUST_CHECK;

/* A domain name, absolute with or without the closing dot, into lower case. */
int config_parse_name(const char *text, struct name *out, struct config_why *why) MUST_CHECK;

/* A domain name whose first label may be `*`; no other may. */
int config_parse_pattern(const char *text, struct name *out, struct config_why *why) MUST_CHECK;

/* A type that zones have data of, as mnemonic or TYPE<n>, or ANY. */
int config_parse_rrtype(const char *text, uint16_t *out, struct config_why *why) MUST_CHECK;

/* `2-15,17`, or `all` for every CPU that this process may run on; ascending, from the arena. */
int config_parse_cores(const char *text, struct config_arena *arena, unsigned **out, unsigned *n,
		       struct config_why *why) MUST_CHECK;

/* `50/s`, or `off` for 0. */
int config_parse_rate(const char *text, uint32_t *out, struct config_why *why) MUST_CHECK;

/* `1/1000`: take of `of`, both at least 1, take at most of. */
int config_parse_ratio(const char *text, uint32_t *take, uint32_t *of, struct config_why *why) MUST_CHECK;

/* Base64 (RFC 4648 section 4) into octets from the arena. */
int config_parse_base64(const char *text, struct config_arena *arena, uint8_t **out, unsigned *len,
			struct config_why *why) MUST_CHECK;

/* Exactly `len` octets as hexadecimal digits. */
int config_parse_hex(const char *text, uint8_t *out, size_t len, struct config_why *why) MUST_CHECK;

#endif
