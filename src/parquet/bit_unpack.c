/*-------------------------------------------------------------------------
 *
 * bit_unpack.c
 *	  Bit-packed integers, least significant bit first.
 *
 * Groups of 32 values start at a byte and take 4 * width bytes, so that for a width known to the
 * compiler every shift is a constant: one kernel for each width, in a table.  What is left before and
 * behind whole groups goes through a padded copy.
 *
 * Nothing is read past the length that the caller gives.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "parquet/bit_unpack.h"

typedef void (*UnpackGroup)(const uint8_t *in, uint32_t *out);

/* 32 values of a width that is a constant where this is inlined */
static inline __attribute__((always_inline)) void
unpack_group(const uint8_t *in, uint32_t *out, const uint32_t width)
{
	uint32_t words[33];
	const uint32_t mask = width == 32 ? UINT32_MAX : ((uint32_t) 1 << width) - 1;

	memcpy(words, in, (size_t) width * 4);
	words[width] = 0;
#pragma GCC unroll 32
	for (uint32_t i = 0; i < 32; i++)
	{
		const uint32_t bit = i * width;
		const uint32_t shift = bit & 31;
		uint32_t value = words[bit >> 5] >> shift;

		if (shift + width > 32)
			value |= words[(bit >> 5) + 1] << ((32 - shift) & 31);
		out[i] = value & mask;
	}
}

#define UNPACK_GROUP(width)                                                                                            \
	static void unpack_group_##width(const uint8_t *in, uint32_t *out)                                                 \
	{                                                                                                                  \
		unpack_group(in, out, width);                                                                                  \
	}
UNPACK_GROUP(1)
UNPACK_GROUP(2)
UNPACK_GROUP(3)
UNPACK_GROUP(4)
UNPACK_GROUP(5)
UNPACK_GROUP(6)
UNPACK_GROUP(7)
UNPACK_GROUP(8)
UNPACK_GROUP(9)
UNPACK_GROUP(10)
UNPACK_GROUP(11)
UNPACK_GROUP(12)
UNPACK_GROUP(13)
UNPACK_GROUP(14)
UNPACK_GROUP(15)
UNPACK_GROUP(16)
UNPACK_GROUP(17)
UNPACK_GROUP(18)
UNPACK_GROUP(19)
UNPACK_GROUP(20)
UNPACK_GROUP(21)
UNPACK_GROUP(22)
UNPACK_GROUP(23)
UNPACK_GROUP(24)
UNPACK_GROUP(25)
UNPACK_GROUP(26)
UNPACK_GROUP(27)
UNPACK_GROUP(28)
UNPACK_GROUP(29)
UNPACK_GROUP(30)
UNPACK_GROUP(31)
UNPACK_GROUP(32)

static const UnpackGroup unpack_groups[33] = {NULL,
											  unpack_group_1,
											  unpack_group_2,
											  unpack_group_3,
											  unpack_group_4,
											  unpack_group_5,
											  unpack_group_6,
											  unpack_group_7,
											  unpack_group_8,
											  unpack_group_9,
											  unpack_group_10,
											  unpack_group_11,
											  unpack_group_12,
											  unpack_group_13,
											  unpack_group_14,
											  unpack_group_15,
											  unpack_group_16,
											  unpack_group_17,
											  unpack_group_18,
											  unpack_group_19,
											  unpack_group_20,
											  unpack_group_21,
											  unpack_group_22,
											  unpack_group_23,
											  unpack_group_24,
											  unpack_group_25,
											  unpack_group_26,
											  unpack_group_27,
											  unpack_group_28,
											  unpack_group_29,
											  unpack_group_30,
											  unpack_group_31,
											  unpack_group_32};

/* One value at a bit position; bytes past the end count as 0. */
static uint64_t
get_bits(const uint8_t *data, size_t length, uint64_t bit, uint32_t width)
{
	size_t byte = (size_t) (bit >> 3);
	uint32_t shift = (uint32_t) (bit & 7);
	uint64_t low = 0;
	uint64_t value;

	if (byte >= length)
		return 0;
	memcpy(&low, data + byte, length - byte < 8 ? length - byte : 8);
	value = low >> shift;
	if (shift + width > 64 && length - byte > 8)
		value |= (uint64_t) data[byte + 8] << (64 - shift);
	return width == 64 ? value : value & (((uint64_t) 1 << width) - 1);
}

/* Up to 32 values from "first", a multiple of 8, of which "skip" are passed over, by way of padded copies. */
static void
unpack_part(const uint8_t *data, size_t length, uint32_t width, uint64_t first, size_t skip, uint32_t *out,
			size_t count)
{
	size_t start = (size_t) (first / 8) * width;
	size_t available = start < length ? length - start : 0;
	uint8_t in[32 * 4] = {0};
	uint32_t values[32];

	memcpy(in, data + (available > 0 ? start : 0), available < width * 4 ? available : width * 4);
	unpack_groups[width](in, values);
	memcpy(out, values + skip, count * sizeof(*out));
}

void
bit_unpack_uint32(const uint8_t *data, size_t length, uint32_t width, uint64_t first, uint32_t *out, size_t count)
{
	if (width == 0)
	{
		memset(out, 0, count * sizeof(*out));
		return;
	}
	while (count > 0)
	{
		size_t skip = (size_t) (first & 7);
		size_t start = (size_t) (first / 8) * width;
		size_t part = count < 32 - skip ? count : 32 - skip;

		if (part == 32 && start <= length && length - start >= (size_t) width * 4)
			unpack_groups[width](data + start, out);
		else
			unpack_part(data, length, width, first - skip, skip, out, part);
		out += part;
		first += part;
		count -= part;
	}
}

void
bit_unpack_uint64(const uint8_t *data, size_t length, uint32_t width, uint64_t first, uint64_t *out, size_t count)
{
	for (; count > 0; count--, first++)
		*out++ = get_bits(data, length, first * width, width);
}

/* Eight bits to eight bytes: each byte of the product holds all bits, the mask leaves its own. */
static inline uint64_t
spread_bits(uint8_t bits)
{
	uint64_t spread = ((uint64_t) bits * 0x0101010101010101u) & 0x8040201008040201u;

	return ((spread + 0x7f7f7f7f7f7f7f7fu) | spread) >> 7 & 0x0101010101010101u;
}

void
bit_unpack_booleans(const uint8_t *data, size_t length, uint64_t first, uint8_t *out, size_t count)
{
	for (; count > 0 && first % 8 != 0; count--, first++)
		*out++ = (uint8_t) get_bits(data, length, first, 1);
	for (; count >= 8 && first / 8 < length; count -= 8, first += 8, out += 8)
	{
		uint64_t bytes = spread_bits(data[first / 8]);

		memcpy(out, &bytes, 8);
	}
	for (; count > 0; count--, first++)
		*out++ = (uint8_t) get_bits(data, length, first, 1);
}

void
bit_pack_booleans(const uint8_t *in, size_t count, uint8_t *out)
{
	for (; count >= 8; count -= 8, in += 8)
	{
		uint64_t bytes;

		memcpy(&bytes, in, 8);
		/* bit 0 of byte i lands in bit 56 + i of the product */
		*out++ = (uint8_t) ((bytes * 0x0102040810204080u) >> 56);
	}
	if (count > 0)
	{
		uint8_t bits = 0;

		for (size_t i = 0; i < count; i++)
			bits |= (uint8_t) (in[i] << i);
		*out = bits;
	}
}
