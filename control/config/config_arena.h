/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bag of memory for one configuration: everything is taken from it piece by piece and given back at once.
 *
 * That is why no failure path of the configuration code frees anything: whoever owns the arena wipes it. Secrets
 * pass through it, so its memory is overwritten before it goes back. One thread at a time.
 */
#ifndef ANSER_CONTROL_CONFIG_ARENA_H
#define ANSER_CONTROL_CONFIG_ARENA_H

#include <stddef.h>

#include "zones/base/compiler.h"

struct config_chunk;

/* All zeros is an empty arena. */
struct config_arena {
	struct config_chunk *last;
};

/* Returns `size` zero bytes, aligned to 16, that live as long as the arena; NULL when there is no memory. */
void *config_arena_alloc(struct config_arena *arena, size_t size) MUST_CHECK;

/* The same for n elements; NULL also when the product overflows. */
void *config_arena_array(struct config_arena *arena, size_t n, size_t size) MUST_CHECK;

/* Room for a text of `len` octets and its NUL, zero bytes, not aligned; NULL when there is no memory. */
char *config_arena_text(struct config_arena *arena, size_t len) MUST_CHECK;

/* A copy of text[0..len) with a NUL behind it, not aligned, or NULL. */
char *config_arena_copy(struct config_arena *arena, const void *text, size_t len) MUST_CHECK;

/* Overwrites and frees everything; the arena is empty and usable afterwards. */
void config_arena_wipe(struct config_arena *arena);

#endif
