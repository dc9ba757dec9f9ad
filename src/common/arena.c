/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Many allocations, released together.
 *
 * An arena is a list of chunks; the newest one is filled first.  A request above a
 * quarter of the chunk size gets a chunk of its own, put behind the newest, so that
 * a large value does not waste the rest of the current chunk.  Chunk sizes double up
 * to MAX_CHUNK, so small arenas stay small.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CHUNK ((size_t) 4 * 1024)
#define MAX_CHUNK ((size_t) 1024 * 1024)
#define ALIGNMENT ((size_t) 8)

struct ArenaChunk
{
	ArenaChunk *next;
	size_t capacity; /* of data */
	size_t used;
	char data[] __attribute__((aligned(8)));
};

void
arena_init(Arena *arena, size_t limit)
{
	arena->chunk = NULL;
	arena->allocated = 0;
	arena->limit = limit;
}

/* A new chunk with room for "capacity" bytes, linked nowhere; null above the limit. */
static ArenaChunk *
chunk_create(Arena *arena, size_t capacity)
{
	ArenaChunk *chunk;

	if (arena->allocated > arena->limit || capacity > arena->limit - arena->allocated)
		return NULL;
	chunk = malloc(sizeof(ArenaChunk) + capacity);
	if (chunk == NULL)
		return NULL;
	chunk->next = NULL;
	chunk->capacity = capacity;
	chunk->used = 0;
	arena->allocated += capacity;
	return chunk;
}

/* The slow path of arena_alloc: "size" is rounded up and does not fit the current chunk. */
static void *
alloc_in_new_chunk(Arena *arena, size_t size)
{
	size_t capacity = arena->chunk == NULL ? MIN_CHUNK : arena->chunk->capacity * 2;
	ArenaChunk *chunk;

	if (capacity > MAX_CHUNK)
		capacity = MAX_CHUNK;
	if (size > capacity / 4 && arena->chunk != NULL)
	{
		chunk = chunk_create(arena, size);
		if (chunk == NULL)
			return NULL;
		chunk->used = size;
		chunk->next = arena->chunk->next;
		arena->chunk->next = chunk;
		return chunk->data;
	}
	if (capacity < size)
		capacity = size;
	chunk = chunk_create(arena, capacity);
	if (chunk == NULL && capacity > size)
		chunk = chunk_create(arena, size); /* the last bytes below the limit */
	if (chunk == NULL)
		return NULL;
	chunk->used = size;
	chunk->next = arena->chunk;
	arena->chunk = chunk;
	return chunk->data;
}

void *
arena_alloc(Arena *arena, size_t size)
{
	ArenaChunk *chunk = arena->chunk;

	if (size > SIZE_MAX - ALIGNMENT)
		return NULL;
	size = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (chunk != NULL && size <= chunk->capacity - chunk->used)
	{
		void *result = chunk->data + chunk->used;

		chunk->used += size;
		return result;
	}
	return alloc_in_new_chunk(arena, size);
}

void *
arena_alloc_array(Arena *arena, size_t count, size_t size)
{
	void *result;

	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	result = arena_alloc(arena, count * size);
	if (result != NULL)
		memset(result, 0, count * size);
	return result;
}

char *
arena_copy(Arena *arena, const char *data, size_t length)
{
	char *result;

	if (length == SIZE_MAX)
		return NULL;
	result = arena_alloc(arena, length + 1);
	if (result == NULL)
		return NULL;
	if (length > 0)
		memcpy(result, data, length);
	result[length] = '\0';
	return result;
}

char *
arena_printf(Arena *arena, const char *format, ...)
{
	va_list arguments;
	int length;
	char *result;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	result = arena_alloc(arena, (size_t) length + 1);
	if (result == NULL)
		return NULL;
	va_start(arguments, format);
	vsnprintf(result, (size_t) length + 1, format, arguments);
	va_end(arguments);
	return result;
}

/* Free the chunks behind "first". */
static void
free_chunks(Arena *arena, ArenaChunk *first)
{
	while (first != NULL)
	{
		ArenaChunk *next = first->next;

		arena->allocated -= first->capacity;
		free(first);
		first = next;
	}
}

void
arena_reset(Arena *arena)
{
	if (arena->chunk == NULL)
		return;
	free_chunks(arena, arena->chunk->next);
	arena->chunk->next = NULL;
	arena->chunk->used = 0;
}

void
arena_release(Arena *arena)
{
	free_chunks(arena, arena->chunk);
	arena->chunk = NULL;
}
