/*-------------------------------------------------------------------------
 *
 * kernels.c
 *	  The loops that run for each value.
 *
 * They stand apart so that the compiler is told to vectorize them, and so that each can be measured and tested by
 * itself.  Nothing here checks anything: indices and counts were checked by the caller.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include <string.h>

#include "parquet/kernels.h"

size_t
kernel_count_equal(const uint8_t *bytes, size_t count, uint8_t value)
{
	size_t found = 0;

	/* a byte counts up to 255: whole vectors of them before the sum is widened */
	while (count > 0)
	{
		size_t part = count < 240 ? count : 240;
		uint8_t some = 0;

		for (size_t i = 0; i < part; i++)
			some = (uint8_t) (some + (bytes[i] == value));
		found += some;
		bytes += part;
		count -= part;
	}
	return found;
}

uint8_t
kernel_max_uint8(const uint8_t *values, size_t count)
{
	uint8_t highest = 0;

	for (size_t i = 0; i < count; i++)
		highest = values[i] > highest ? values[i] : highest;
	return highest;
}

bool
kernel_all_below(const uint32_t *values, size_t count, uint32_t limit)
{
	uint32_t borrows = 0;

	/* a value above limit - 1 makes the difference negative, or has the sign bit itself */
	for (size_t i = 0; i < count; i++)
		borrows |= values[i] | (limit - 1 - values[i]);
	return borrows >> 31 == 0;
}

size_t
kernel_at_least(const uint8_t *bytes, size_t count, uint8_t value, uint8_t *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = bytes[i] >= value;
	return kernel_count_equal(out, count, 1);
}

void
kernel_gather(const uint8_t *values, const uint32_t *indices, uint8_t *out, size_t count, size_t width)
{
#define GATHER(bytes)                                                                                                  \
	case bytes:                                                                                                        \
		for (size_t i = 0; i < count; i++)                                                                             \
			memcpy(out + i * (bytes), values + (size_t) indices[i] * (bytes), bytes);                                  \
		break
	switch (width)
	{
		GATHER(1);
		GATHER(2);
		GATHER(4);
		GATHER(8);
		GATHER(16);
		GATHER(32);
		default:
			for (size_t i = 0; i < count; i++)
				memcpy(out + i * width, values + indices[i] * width, width);
	}
#undef GATHER
}

static inline __attribute__((always_inline)) void
spread_width(uint8_t *values, const uint8_t *present, size_t slots, size_t value, const size_t width)
{
	/* from the back: a value never moves to the front of where it is; once they coincide all is in place */
	for (size_t i = slots; i > value;)
	{
		i--;
		value -= present[i];
		memcpy(values + i * width, values + value * width, width);
	}
}

void
kernel_spread(uint8_t *values, const uint8_t *present, size_t slots, size_t value_count, size_t width)
{
	memset(values + value_count * width, 0, (slots - value_count) * width);
	switch (width)
	{
		case 1:
			spread_width(values, present, slots, value_count, 1);
			break;
		case 2:
			spread_width(values, present, slots, value_count, 2);
			break;
		case 4:
			spread_width(values, present, slots, value_count, 4);
			break;
		case 8:
			spread_width(values, present, slots, value_count, 8);
			break;
		case 16:
			spread_width(values, present, slots, value_count, 16);
			break;
		default:
			for (size_t i = slots; i > value_count;)
			{
				i--;
				value_count -= present[i];
				memmove(values + i * width, values + value_count * width, width);
			}
	}
}

void
kernel_spread_offsets(int32_t *offsets, const uint8_t *present, size_t slots, size_t value_count)
{
	offsets[slots] = offsets[value_count];
	for (size_t i = slots; i > value_count;)
	{
		i--;
		value_count -= present[i];
		offsets[i] = offsets[value_count];
	}
}
