/*-------------------------------------------------------------------------
 *
 * roaring.c
 *	  Sets of row numbers as roaring bitmaps.
 *
 * The data of a deletion vector, little-endian:
 *
 *	  magic 1681511377, uint64 count of buckets, then for each bucket a uint32 key (the
 *	  high half of the rows; ascending) and a 32-bit roaring bitmap; or
 *	  magic 1681511376 (an older form), int32 count, then for each bucket an int32 size
 *	  and a bitmap; the key is the position.
 *
 * A 32-bit bitmap in the portable form:
 *
 *	  uint32 cookie: 12346, then uint32 count of containers; or, in the low 16 bits, 12347,
 *	  the count less one above it, then one bit a container: is it of runs?
 *	  count times uint16 key (ascending), uint16 cardinality less one
 *	  count times uint32 offset: with cookie 12346 always, with 12347 from 4 containers on;
 *	  passed over, since the containers follow each other
 *	  containers: runs (uint16 count, then uint16 start, uint16 length less one, ascending
 *	  and apart), or up to 4,096 values as ascending uint16, or 8,192 bytes of bits
 *
 * Conditions that make a set valid: keys and values ascend; runs neither overlap nor
 * pass 65,535; cardinalities agree; nothing is left behind the last container.
 *
 * The bytes are kept as they are (a million rows may be one run); an index of the
 * containers is made once.  A DeletionVector is immutable.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

#define PORTABLE_MAGIC UINT32_C(1681511377)
#define NATIVE_MAGIC UINT32_C(1681511376)
#define COOKIE_NO_RUNS 12346
#define COOKIE_RUNS 12347
#define NO_OFFSETS_BELOW 4
#define ARRAY_MAX 4096
#define BITMAP_BYTES 8192

typedef enum ContainerKind
{
	CONTAINER_ARRAY,
	CONTAINER_BITMAP,
	CONTAINER_RUNS
} ContainerKind;

typedef struct Container
{
	uint64_t key; /* row >> 16 */
	ContainerKind kind;
	uint32_t count; /* values, or runs */
	const uint8_t *data;
} Container;

struct DeletionVector
{
	uint8_t *bytes;
	size_t container_count;
	size_t container_capacity;
	Container *containers; /* ascending by key */
	uint64_t cardinality;
	uint64_t last;
};

typedef struct Cursor
{
	const uint8_t *at;
	const uint8_t *end;
	IngestError *error;
} Cursor;

static uint16_t
load16(const uint8_t *data)
{
	return (uint16_t) (data[0] | data[1] << 8);
}

static uint32_t
load32(const uint8_t *data)
{
	return (uint32_t) load16(data) | (uint32_t) load16(data + 2) << 16;
}

static uint64_t
load64(const uint8_t *data)
{
	return (uint64_t) load32(data) | (uint64_t) load32(data + 4) << 32;
}

/* The next "length" bytes, or null (error filled). */
static const uint8_t *
take(Cursor *cursor, size_t length)
{
	const uint8_t *data = cursor->at;

	if (length > (size_t) (cursor->end - cursor->at))
	{
		ingest_fail(cursor->error, INGEST_ERROR_CORRUPT, "roaring bitmap ends early");
		return NULL;
	}
	cursor->at += length;
	return data;
}

static bool
invalid(Cursor *cursor, const char *what)
{
	return ingest_fail(cursor->error, INGEST_ERROR_CORRUPT, "invalid roaring bitmap: %s", what);
}

/* ---- containers ------------------------------------------------------------------------------------ */

/* Check the values of a container; *last is the greatest. */
static bool
check_array(Cursor *cursor, const Container *container, uint32_t *last)
{
	for (uint32_t i = 1; i < container->count; i++)
		if (load16(container->data + 2 * i) <= load16(container->data + 2 * (i - 1)))
			return invalid(cursor, "values do not ascend");
	*last = load16(container->data + 2 * (container->count - 1));
	return true;
}

static bool
check_bitmap(Cursor *cursor, const Container *container, uint32_t cardinality, uint32_t *last)
{
	uint32_t count = 0;

	for (int i = 0; i < BITMAP_BYTES; i += 8)
	{
		uint64_t word = load64(container->data + i);

		count += (uint32_t) __builtin_popcountll(word);
		if (word != 0)
			*last = (uint32_t) i * 8 + 63 - (uint32_t) __builtin_clzll(word);
	}
	return count == cardinality || invalid(cursor, "wrong cardinality of a bitmap");
}

static bool
check_runs(Cursor *cursor, const Container *container, uint32_t cardinality, uint32_t *last)
{
	uint32_t count = 0;
	int64_t previous = -1;

	for (uint32_t i = 0; i < container->count; i++)
	{
		uint32_t start = load16(container->data + 4 * i);
		uint32_t end = start + load16(container->data + 4 * i + 2);

		if ((int64_t) start <= previous || end > UINT16_MAX)
			return invalid(cursor, "runs overlap");
		count += end - start + 1;
		previous = end;
	}
	*last = (uint32_t) previous;
	return (container->count > 0 && count == cardinality) || invalid(cursor, "wrong cardinality of runs");
}

static bool
read_container(Cursor *cursor, Container *container, bool is_runs, uint32_t cardinality, uint32_t *last)
{
	if (is_runs)
	{
		const uint8_t *count = take(cursor, 2);

		if (count == NULL)
			return false;
		container->kind = CONTAINER_RUNS;
		container->count = load16(count);
		container->data = take(cursor, (size_t) container->count * 4);
		return container->data != NULL && check_runs(cursor, container, cardinality, last);
	}
	container->count = cardinality;
	container->kind = cardinality <= ARRAY_MAX ? CONTAINER_ARRAY : CONTAINER_BITMAP;
	container->data = take(cursor, container->kind == CONTAINER_ARRAY ? (size_t) cardinality * 2 : BITMAP_BYTES);
	if (container->data == NULL)
		return false;
	return container->kind == CONTAINER_ARRAY ? check_array(cursor, container, last)
											  : check_bitmap(cursor, container, cardinality, last);
}

static Container *
append_container(DeletionVector *vector)
{
	if (vector->container_count == vector->container_capacity)
	{
		size_t capacity = vector->container_capacity == 0 ? 16 : vector->container_capacity * 2;
		Container *containers = realloc(vector->containers, capacity * sizeof(Container));

		if (containers == NULL)
			return NULL;
		vector->containers = containers;
		vector->container_capacity = capacity;
	}
	return &vector->containers[vector->container_count];
}

/* ---- bitmaps --------------------------------------------------------------------------------------- */

typedef struct BitmapHeader
{
	uint32_t count;
	const uint8_t *is_runs; /* bits, or null */
	const uint8_t *descriptors;
} BitmapHeader;

static bool
read_header(Cursor *cursor, BitmapHeader *header)
{
	const uint8_t *data = take(cursor, 4);
	uint32_t cookie;

	if (data == NULL)
		return false;
	cookie = load32(data);
	header->is_runs = NULL;
	if (cookie == COOKIE_NO_RUNS)
	{
		if ((data = take(cursor, 4)) == NULL)
			return false;
		header->count = load32(data);
	}
	else if ((cookie & 0xFFFF) == COOKIE_RUNS)
	{
		header->count = (cookie >> 16) + 1;
		header->is_runs = take(cursor, (header->count + 7) / 8);
		if (header->is_runs == NULL)
			return false;
	}
	else
		return invalid(cursor, "unknown cookie");
	if (header->count > 65536)
		return invalid(cursor, "too many containers");
	header->descriptors = take(cursor, (size_t) header->count * 4);
	if (header->descriptors == NULL)
		return false;
	return (header->is_runs != NULL && header->count < NO_OFFSETS_BELOW) ||
		   take(cursor, (size_t) header->count * 4) != NULL;
}

/* One 32-bit bitmap, whose rows have "high" as their upper half. */
static bool
read_bitmap(Cursor *cursor, DeletionVector *vector, uint64_t high)
{
	BitmapHeader header = {0};

	if (!read_header(cursor, &header))
		return false;
	for (uint32_t i = 0; i < header.count; i++)
	{
		uint32_t key = load16(header.descriptors + 4 * i);
		uint32_t cardinality = (uint32_t) load16(header.descriptors + 4 * i + 2) + 1;
		bool is_runs = header.is_runs != NULL && (header.is_runs[i / 8] >> (i % 8) & 1);
		Container *container = append_container(vector);
		uint32_t last = 0;

		if (container == NULL)
			return ingest_out_of_memory(cursor->error);
		container->key = high << 16 | key;
		if (i > 0 && container->key <= container[-1].key)
			return invalid(cursor, "keys do not ascend");
		if (!read_container(cursor, container, is_runs, cardinality, &last))
			return false;
		vector->container_count++;
		vector->cardinality += cardinality;
		vector->last = container->key << 16 | last;
	}
	return true;
}

static bool
read_portable(Cursor *cursor, DeletionVector *vector)
{
	const uint8_t *data = take(cursor, 8);
	uint64_t count;
	int64_t previous = -1;

	if (data == NULL)
		return false;
	count = load64(data);
	for (uint64_t i = 0; i < count; i++)
	{
		uint32_t key;

		if ((data = take(cursor, 4)) == NULL)
			return false;
		key = load32(data);
		if ((int64_t) key <= previous || key > INT32_MAX)
			return invalid(cursor, "bucket keys do not ascend");
		previous = key;
		if (!read_bitmap(cursor, vector, key))
			return false;
	}
	return true;
}

static bool
read_native(Cursor *cursor, DeletionVector *vector)
{
	const uint8_t *data = take(cursor, 4);
	uint32_t count;

	if (data == NULL)
		return false;
	count = load32(data);
	for (uint32_t i = 0; i < count; i++)
	{
		const uint8_t *bitmap;
		Cursor inner;

		if ((data = take(cursor, 4)) == NULL || (bitmap = take(cursor, load32(data))) == NULL)
			return false;
		inner = (Cursor){bitmap, cursor->at, cursor->error};
		if (!read_bitmap(&inner, vector, i))
			return false;
		if (inner.at != inner.end)
			return invalid(cursor, "a bucket has bytes left over");
	}
	return true;
}

bool
deletion_vector_parse(const uint8_t *data, size_t length, DeletionVector **out, IngestError *error)
{
	DeletionVector *vector = calloc(1, sizeof(DeletionVector));
	Cursor cursor = {.error = error};
	const uint8_t *magic;
	bool done = false;

	*out = NULL;
	if (vector == NULL || (vector->bytes = malloc(length + 1)) == NULL)
	{
		free(vector);
		return ingest_out_of_memory(error);
	}
	memcpy(vector->bytes, data, length);
	cursor.at = vector->bytes;
	cursor.end = vector->bytes + length;
	magic = take(&cursor, 4);
	if (magic != NULL && load32(magic) == PORTABLE_MAGIC)
		done = read_portable(&cursor, vector);
	else if (magic != NULL && load32(magic) == NATIVE_MAGIC)
		done = read_native(&cursor, vector);
	else if (magic != NULL)
		done = invalid(&cursor, "unknown magic number");
	if (done && cursor.at != cursor.end)
		done = invalid(&cursor, "bytes left over");
	if (!done)
		deletion_vector_free(vector);
	else
		*out = vector;
	return done;
}

void
deletion_vector_free(DeletionVector *vector)
{
	if (vector == NULL)
		return;
	free(vector->bytes);
	free(vector->containers);
	free(vector);
}

uint64_t
deletion_vector_cardinality(const DeletionVector *vector)
{
	return vector->cardinality;
}

uint64_t
deletion_vector_last(const DeletionVector *vector)
{
	return vector->last;
}

/* ---- asking ------------------------------------------------------------------------------------------- */

/* Index of the first container whose key is not below "key". */
static size_t
lower_container(const DeletionVector *vector, uint64_t key)
{
	size_t low = 0;
	size_t high = vector->container_count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (vector->containers[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Index of the first of a container's values, or of its runs' ends, that is not below "value". */
static uint32_t
lower_value(const Container *container, uint32_t value)
{
	uint32_t low = 0;
	uint32_t high = container->count;

	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;
		uint32_t found = container->kind == CONTAINER_ARRAY ? load16(container->data + 2 * middle)
															: (uint32_t) load16(container->data + 4 * middle) +
																  load16(container->data + 4 * middle + 2);

		if (found < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Mark the values of [first, last] in mask, where mask[0] stands for "first". */
static void
mark_container(const Container *container, uint32_t first, uint32_t last, uint8_t bit, uint8_t *mask)
{
	if (container->kind == CONTAINER_BITMAP)
	{
		for (uint32_t value = first; value <= last; value++)
			if (container->data[value >> 3] >> (value & 7) & 1)
				mask[value - first] |= bit;
		return;
	}
	for (uint32_t i = lower_value(container, first); i < container->count; i++)
	{
		bool is_array = container->kind == CONTAINER_ARRAY;
		uint32_t start = load16(container->data + (is_array ? 2 : 4) * i);
		uint32_t end = is_array ? start : start + load16(container->data + 4 * i + 2);

		if (start > last)
			break;
		for (uint32_t value = start < first ? first : start; value <= end && value <= last; value++)
			mask[value - first] |= bit;
	}
}

void
deletion_vector_mark(const DeletionVector *vector, uint64_t first, size_t count, uint8_t bit, uint8_t *mask)
{
	uint64_t last;

	if (count == 0)
		return;
	last = first + count - 1;
	for (size_t i = lower_container(vector, first >> 16); i < vector->container_count; i++)
	{
		const Container *container = &vector->containers[i];
		uint64_t base = container->key << 16;
		uint64_t from = base > first ? base : first;
		uint64_t to = base + UINT16_MAX < last ? base + UINT16_MAX : last;

		if (base > last)
			break;
		mark_container(container, (uint32_t) (from - base), (uint32_t) (to - base), bit, mask + (from - first));
	}
}

bool
deletion_vector_next(const DeletionVector *vector, uint64_t first, uint64_t end, uint64_t *row)
{
	uint8_t mask[4096];

	/* by blocks, from container to container: empty stretches cost a look-up each */
	while (first < end)
	{
		size_t index = lower_container(vector, first >> 16);
		uint64_t count;

		if (index == vector->container_count)
			return false;
		if (vector->containers[index].key << 16 > first)
			first = vector->containers[index].key << 16;
		if (first >= end)
			return false;
		count = end - first < sizeof(mask) ? end - first : sizeof(mask);
		memset(mask, 0, (size_t) count);
		deletion_vector_mark(vector, first, (size_t) count, 1, mask);
		for (uint64_t i = 0; i < count; i++)
			if (mask[i] != 0)
			{
				*row = first + i;
				return true;
			}
		first += count;
	}
	return false;
}
