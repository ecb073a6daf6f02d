/* SPDX-License-Identifier: Apache-2.0 */
/* One bag of memory for one configuration. See config_arena.h. Texts are taken from the other end of a chunk, so
 * that a million short ones do not cost their alignment. */
#include "control/config/config_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST_BYTES 4096u
#define CHUNK_LARGEST_BYTES (1024u * 1024u)
#define CHUNK_ALIGN 16u

struct config_chunk {
	struct config_chunk *previous;
	size_t used, texts, cap; /* of the bytes behind this head: from their start, and from their end */
	_Alignas(CHUNK_ALIGN) unsigned char bytes[];
};

/* Chunks grow with the arena, so that a small file costs little and a large one few calls. */
static struct config_chunk *
chunk_add(struct config_arena *arena, size_t need)
{
	size_t cap = arena->last ? arena->last->cap * 2 : CHUNK_FIRST_BYTES;
	if (cap > CHUNK_LARGEST_BYTES)
		cap = CHUNK_LARGEST_BYTES;
	if (cap < need)
		cap = need;
	struct config_chunk *chunk = malloc(sizeof(*chunk) + cap);
	if (chunk == NULL)
		return NULL;
	*chunk = (struct config_chunk){.previous = arena->last, .cap = cap};
	arena->last = chunk;
	return chunk;
}

/* A chunk with room for `size` octets, or NULL. */
static struct config_chunk *
chunk_with(struct config_arena *arena, size_t size)
{
	struct config_chunk *chunk = arena->last;
	if (chunk == NULL || chunk->cap - chunk->used - chunk->texts < size)
		chunk = chunk_add(arena, size);
	return chunk;
}

void *
config_arena_alloc(struct config_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + CHUNK_ALIGN - 1) & ~(size_t)(CHUNK_ALIGN - 1);
	struct config_chunk *chunk = chunk_with(arena, size);
	if (chunk == NULL)
		return NULL;
	void *p = chunk->bytes + chunk->used;
	chunk->used += size;
	return memset(p, 0, size);
}

void *
config_arena_array(struct config_arena *arena, size_t n, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return config_arena_alloc(arena, total);
}

char *
config_arena_text(struct config_arena *arena, size_t len)
{
	struct config_chunk *chunk = len < SIZE_MAX / 2 ? chunk_with(arena, len + 1) : NULL;
	if (chunk == NULL)
		return NULL;
	chunk->texts += len + 1;
	return memset(chunk->bytes + chunk->cap - chunk->texts, 0, len + 1);
}

char *
config_arena_copy(struct config_arena *arena, const void *text, size_t len)
{
	char *copy = config_arena_text(arena, len);
	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

void
config_arena_wipe(struct config_arena *arena)
{
	while (arena->last != NULL) {
		struct config_chunk *chunk = arena->last;
		arena->last = chunk->previous;
		explicit_bzero(chunk->bytes, chunk->used);
		explicit_bzero(chunk->bytes + chunk->cap - chunk->texts, chunk->texts);
		free(chunk);
	}
}
