/*-------------------------------------------------------------------------
 *
 * delta_vector.h
 *	  Deletion vectors made by a test: roaring bitmaps with containers of a chosen kind,
 *	  Z85, and the JSON of a descriptor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_DELTA_VECTOR_H
#define INGEST_TEST_DELTA_VECTOR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta/delta_internal.h"

static inline void
put16(Buffer *out, uint32_t value)
{
	IngestError error;
	uint8_t bytes[2] = {(uint8_t) value, (uint8_t) (value >> 8)};

	(void) !buffer_append(out, bytes, 2, &error);
}

static inline void
put32(Buffer *out, uint32_t value)
{
	put16(out, value & 0xFFFF);
	put16(out, value >> 16);
}

/* One container of the values with this upper part. "kind": 'a', 'b' or 'r'. */
static inline void
put_container(Buffer *out, const uint64_t *rows, size_t count, char kind)
{
	IngestError error;
	uint8_t bits[8192] = {0};
	size_t runs = 0;

	if (kind == 'a')
		for (size_t i = 0; i < count; i++)
			put16(out, rows[i] & 0xFFFF);
	if (kind == 'b')
	{
		for (size_t i = 0; i < count; i++)
			bits[(rows[i] & 0xFFFF) >> 3] |= (uint8_t) (1 << (rows[i] & 7));
		(void) !buffer_append(out, bits, sizeof(bits), &error);
	}
	if (kind != 'r')
		return;
	for (size_t i = 0; i < count; i++)
		runs += i == 0 || rows[i] != rows[i - 1] + 1;
	put16(out, (uint32_t) runs);
	for (size_t i = 0; i < count;)
	{
		size_t end = i + 1;

		while (end < count && rows[end] == rows[end - 1] + 1)
			end++;
		put16(out, rows[i] & 0xFFFF);
		put16(out, (uint32_t) (end - i - 1));
		i = end;
	}
}

/* End of the rows that agree with row "first" above "shift" bits. */
static inline size_t
group_end(const uint64_t *rows, size_t count, size_t first, int shift)
{
	size_t end = first;

	while (end < count && rows[end] >> shift == rows[first] >> shift)
		end++;
	return end;
}

static inline void
put_bitmap(Buffer *out, const uint64_t *rows, size_t count, char kind)
{
	size_t containers = 0;

	for (size_t i = 0; i < count; i = group_end(rows, count, i, 16))
		containers++;
	if (kind == 'r')
	{
		uint8_t ones[8192];
		IngestError error;

		memset(ones, 0xFF, sizeof(ones));
		put32(out, 12347 | (uint32_t) (containers - 1) << 16);
		(void) !buffer_append(out, ones, (containers + 7) / 8, &error);
	}
	else
	{
		put32(out, 12346);
		put32(out, (uint32_t) containers);
	}
	for (size_t i = 0; i < count; i = group_end(rows, count, i, 16))
	{
		put16(out, (uint32_t) (rows[i] >> 16) & 0xFFFF);
		put16(out, (uint32_t) (group_end(rows, count, i, 16) - i - 1));
	}
	if (kind != 'r' || containers >= 4)
		for (size_t i = 0; i < containers; i++)
			put32(out, 0); /* offsets: passed over */
	for (size_t i = 0; i < count; i = group_end(rows, count, i, 16))
	{
		size_t end = group_end(rows, count, i, 16);

		put_container(out, rows + i, end - i, kind == 'r' ? 'r' : end - i > 4096 ? 'b' : 'a');
	}
}

/* Data of a vector of ascending rows. */
static inline void
put_vector(Buffer *out, const uint64_t *rows, size_t count, char kind)
{
	size_t buckets = 0;

	for (size_t i = 0; i < count; i = group_end(rows, count, i, 32))
		buckets++;
	put32(out, 1681511377);
	put32(out, (uint32_t) buckets);
	put32(out, 0);
	for (size_t i = 0; i < count; i = group_end(rows, count, i, 32))
	{
		size_t end = group_end(rows, count, i, 32);

		put32(out, (uint32_t) (rows[i] >> 32));
		put_bitmap(out, rows + i, end - i, kind);
	}
}

static inline void
put_z85(char *out, const uint8_t *data, size_t length)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

	for (size_t i = 0; i < length; i += 4, out += 5)
	{
		uint32_t word = 0;

		for (size_t j = 0; j < 4; j++)
			word = word << 8 | (i + j < length ? data[i + j] : 0);
		for (int j = 4; j >= 0; j--, word /= 85)
			out[j] = digits[word % 85];
	}
	*out = '\0';
}

/* "deletionVector":{...} of an inline vector. */
static inline const char *
inline_vector(const uint64_t *rows, size_t count)
{
	static char json[4][65536];
	static int turn;
	static char text[60000];
	char *out = json[turn++ % 4];
	Buffer data;

	buffer_init(&data, 40000);
	put_vector(&data, rows, count, 'a');
	put_z85(text, (const uint8_t *) data.data, data.length);
	snprintf(
		out, sizeof(json[0]),
		"\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":\"%s\",\"sizeInBytes\":%zu,\"cardinality\":%zu}",
		text, data.length, count);
	buffer_release(&data);
	return out;
}

#endif
