/*-------------------------------------------------------------------------
 *
 * encoding_delta.c
 *	  DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY.
 *
 * DELTA_BINARY_PACKED:
 *	header	ULEB128 values in a block, miniblocks in a block, values in all; zigzag first value
 *	block	zigzag smallest delta; a byte for each miniblock, the width of its deltas; the miniblocks
 *	miniblock	(delta - smallest) bit-packed; the last one that is used is padded to its full size, those behind it
 *				are not there at all and their width bytes mean nothing
 * It is valid where the block is a multiple of 128, the miniblocks divide it into multiples of 32 (8 is taken as well),
 * and no width is above 64.  Arithmetic wraps, so unsigned types are used.  Missing padding is tolerated.
 *
 * DELTA_LENGTH_BYTE_ARRAY is the lengths in that encoding, then the bytes of all values.  DELTA_BYTE_ARRAY is the
 * lengths of the prefixes shared with the value before, then the suffixes in DELTA_LENGTH_BYTE_ARRAY.
 *
 * Where the bytes behind a run of deltas start is found by walking over its block headers, without decoding: a header
 * may claim any number of values, and memory must not follow it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/bit_unpack.h"
#include "parquet/parquet_internal.h"

#define DELTA_PART 256 /* deltas unpacked at a time */

static bool
ends_early(IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "deltas end before the last value");
}

bool
delta_start(DeltaDecoder *decoder, const uint8_t *data, size_t length, IngestError *error)
{
	uint64_t block_size;
	uint64_t miniblocks;
	uint64_t first;

	memset(decoder, 0, sizeof(*decoder));
	decoder->position = data;
	decoder->end = data + length;
	if (!read_uleb128(&decoder->position, decoder->end, &block_size) ||
		!read_uleb128(&decoder->position, decoder->end, &miniblocks) ||
		!read_uleb128(&decoder->position, decoder->end, &decoder->values_left) ||
		!read_uleb128(&decoder->position, decoder->end, &first))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "header of the deltas ends early");
	decoder->last = (uint64_t) zigzag_decode(first);
	decoder->first = decoder->values_left > 0;
	/* without a second value there is no block, and writers leave anything in its sizes */
	if (decoder->values_left <= 1)
		return true;
	if (block_size == 0 || block_size > INT32_MAX || miniblocks == 0 || miniblocks > block_size ||
		block_size % 128 != 0 || block_size % miniblocks != 0 || block_size / miniblocks % 8 != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "deltas in blocks of %llu values and %llu miniblocks",
						   (unsigned long long) block_size, (unsigned long long) miniblocks);
	decoder->values_per_miniblock = (uint32_t) (block_size / miniblocks);
	decoder->miniblock_count = (uint32_t) miniblocks;
	decoder->miniblock = decoder->miniblock_count;
	return true;
}

static bool
start_block(DeltaDecoder *decoder, IngestError *error)
{
	uint64_t min_delta;

	if (!read_uleb128(&decoder->position, decoder->end, &min_delta) ||
		(size_t) (decoder->end - decoder->position) < decoder->miniblock_count)
		return ends_early(error);
	decoder->min_delta = (uint64_t) zigzag_decode(min_delta);
	decoder->widths = decoder->position;
	decoder->position += decoder->miniblock_count;
	decoder->miniblock = 0;
	return true;
}

/* Set up the next miniblock; "values_left" values, more than 0, are still to come. */
static bool
start_miniblock(DeltaDecoder *decoder, IngestError *error)
{
	size_t available;
	uint64_t bytes;
	uint64_t needed;

	if (decoder->miniblock == decoder->miniblock_count && !start_block(decoder, error))
		return false;
	decoder->miniblock_width = decoder->widths[decoder->miniblock++];
	if (decoder->miniblock_width > 64)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "deltas of %u bits", decoder->miniblock_width);
	decoder->miniblock_left = decoder->values_left < decoder->values_per_miniblock ? (uint32_t) decoder->values_left
																				   : decoder->values_per_miniblock;
	available = (size_t) (decoder->end - decoder->position);
	bytes = (uint64_t) decoder->values_per_miniblock / 8 * decoder->miniblock_width;
	needed = ((uint64_t) decoder->miniblock_left * decoder->miniblock_width + 7) / 8;
	if (needed > available)
		return ends_early(error);
	decoder->miniblock_data = decoder->position;
	decoder->miniblock_bytes = bytes < available ? (size_t) bytes : available;
	decoder->miniblock_index = 0;
	decoder->position += decoder->miniblock_bytes;
	return true;
}

/* Up to DELTA_PART values of the current miniblock. */
static void
unpack_part(DeltaDecoder *decoder, uint64_t *out, size_t count)
{
	uint64_t last = decoder->last;

	if (decoder->miniblock_width <= 32)
	{
		uint32_t narrow[DELTA_PART];

		bit_unpack_uint32(decoder->miniblock_data, decoder->miniblock_bytes, decoder->miniblock_width,
						  decoder->miniblock_index, narrow, count);
		for (size_t i = 0; i < count; i++)
			out[i] = last += decoder->min_delta + narrow[i];
	}
	else
	{
		bit_unpack_uint64(decoder->miniblock_data, decoder->miniblock_bytes, decoder->miniblock_width,
						  decoder->miniblock_index, out, count);
		for (size_t i = 0; i < count; i++)
			out[i] = last += decoder->min_delta + out[i];
	}
	decoder->last = last;
	decoder->miniblock_index += (uint32_t) count;
	decoder->miniblock_left -= (uint32_t) count;
	decoder->values_left -= count;
}

/* The next run of values, at most DELTA_PART and at most "count". */
static bool
read_part(DeltaDecoder *decoder, uint64_t *out, size_t count, size_t *done, IngestError *error)
{
	if (decoder->values_left == 0)
		return ends_early(error);
	if (decoder->first)
	{
		out[0] = decoder->last;
		decoder->first = false;
		decoder->values_left--;
		*done = 1;
		return true;
	}
	if (decoder->miniblock_left == 0 && !start_miniblock(decoder, error))
		return false;
	if (count > decoder->miniblock_left)
		count = decoder->miniblock_left;
	if (count > DELTA_PART)
		count = DELTA_PART;
	unpack_part(decoder, out, count);
	*done = count;
	return true;
}

bool
delta_read_int64(DeltaDecoder *decoder, uint64_t *out, size_t count, IngestError *error)
{
	while (count > 0)
	{
		size_t done = 0;

		if (!read_part(decoder, out, count, &done, error))
			return false;
		out += done;
		count -= done;
	}
	return true;
}

bool
delta_read_int32(DeltaDecoder *decoder, uint32_t *out, size_t count, IngestError *error)
{
	uint64_t wide[DELTA_PART];

	while (count > 0)
	{
		size_t done = 0;

		if (!read_part(decoder, wide, count, &done, error))
			return false;
		for (size_t i = 0; i < done; i++)
			out[i] = (uint32_t) wide[i];
		out += done;
		count -= done;
	}
	return true;
}

/* Where the bytes behind the deltas start.  The decoder is a copy: it is spent by this. */
static bool
find_end(DeltaDecoder decoder, const uint8_t **end, IngestError *error)
{
	if (decoder.first)
		decoder.values_left--;
	while (decoder.values_left > 0)
	{
		if (!start_miniblock(&decoder, error))
			return false;
		decoder.values_left -= decoder.miniblock_left;
	}
	*end = decoder.position;
	return true;
}

/* The lengths begin at decoder->position; afterwards it stands at the bytes of the values. */
bool
delta_length_start(ValueDecoder *decoder, IngestError *error)
{
	return delta_start(&decoder->delta, decoder->position, (size_t) (decoder->end - decoder->position), error) &&
		   find_end(decoder->delta, &decoder->position, error);
}

bool
delta_byte_array_start(ValueDecoder *decoder, IngestError *error)
{
	return delta_start(&decoder->prefixes, decoder->position, (size_t) (decoder->end - decoder->position), error) &&
		   find_end(decoder->prefixes, &decoder->position, error) && delta_length_start(decoder, error);
}

/* Decode lengths ahead: those of values that no longer fit into a batch wait for the next one. */
static bool
fill_pending(ValueDecoder *decoder, size_t count, bool prefixes, IngestError *error)
{
	size_t part = count < DELTA_PENDING ? count : DELTA_PENDING;

	if (decoder->pending_position < decoder->pending_count)
		return true;
	if (!delta_read_int32(&decoder->delta, decoder->pending_lengths, part, error) ||
		(prefixes && !delta_read_int32(&decoder->prefixes, decoder->pending_prefixes, part, error)))
		return false;
	decoder->pending_position = 0;
	decoder->pending_count = part;
	return true;
}

bool
delta_length_read(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit, size_t *done,
				  IngestError *error)
{
	size_t read = 0;

	for (; read < count; read++)
	{
		uint32_t length;

		if (!fill_pending(decoder, count - read, false, error))
			return false;
		length = decoder->pending_lengths[decoder->pending_position];
		if (length > (size_t) (decoder->end - decoder->position))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "value of %u bytes where %zu are left", length,
							   (size_t) (decoder->end - decoder->position));
		if (read > 0 && values->data_length + length > byte_limit)
			break;
		if (!variable_append(values, decoder->position, length, error))
			return false;
		decoder->position += length;
		decoder->pending_position++;
	}
	*done = read;
	return true;
}

/* Keep the last value: the next call may append to another buffer. */
static bool
keep_previous(ValueDecoder *decoder, const VariableValues *values, IngestError *error)
{
	size_t start = (size_t) values->offsets[values->count - 1];
	size_t length = values->data_length - start;

	if (length > decoder->previous_capacity)
	{
		uint8_t *previous = realloc(decoder->previous, length);

		if (previous == NULL)
			return ingest_out_of_memory(error);
		decoder->previous = previous;
		decoder->previous_capacity = length;
	}
	if (length > 0)
		memcpy(decoder->previous, values->data + start, length);
	decoder->previous_length = length;
	return true;
}

bool
delta_byte_array_read(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit, size_t *done,
					  IngestError *error)
{
	size_t read = 0;

	for (; read < count; read++)
	{
		uint32_t prefix;
		uint32_t suffix;
		size_t previous_length =
			read > 0 ? values->data_length - (size_t) values->offsets[values->count - 1] : decoder->previous_length;

		if (!fill_pending(decoder, count - read, true, error))
			return false;
		prefix = decoder->pending_prefixes[decoder->pending_position];
		suffix = decoder->pending_lengths[decoder->pending_position];
		if (prefix > previous_length || suffix > (size_t) (decoder->end - decoder->position))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "value of %u shared and %u own bytes where %zu and %zu are",
							   prefix, suffix, previous_length, (size_t) (decoder->end - decoder->position));
		if (read > 0 && values->data_length + prefix + suffix > byte_limit)
			break;
		if (!variable_reserve(values, 1, (size_t) prefix + suffix, error))
			return false;
		if (prefix > 0)
			memcpy(values->data + values->data_length,
				   read > 0 ? values->data + values->offsets[values->count - 1] : decoder->previous, prefix);
		memcpy(values->data + values->data_length + prefix, decoder->position, suffix);
		values->data_length += (size_t) prefix + suffix;
		values->offsets[++values->count] = (int32_t) values->data_length;
		decoder->position += suffix;
		decoder->pending_position++;
	}
	*done = read;
	return read == 0 || keep_previous(decoder, values, error);
}
