/*-------------------------------------------------------------------------
 *
 * levels.c
 *	  The RLE/bit-packed hybrid, and repetition and definition levels.
 *
 * Hybrid: runs, each with a ULEB128 header n.
 *	n odd	(n >> 1) groups of 8 values, bit-packed, width bytes a group.  The last group may be cut short at
 *			the end of the bytes (old writers); its values end with the whole ones that are there.
 *	n even	n >> 1 times one value in ceil(width / 8) bytes, little-endian; the value must fit the width.
 * Width 0: every value is 0 and there need not be a run at all.  Runs of length 0 are passed over.
 *
 * Legacy levels (BIT_PACKED): ceil(count * width / 8) bytes, most significant bit first, no header.
 *
 * Decoders are cursors over bytes that somebody else owns; a run that claims 2^31 values costs nothing until
 * its values are asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/bit_unpack.h"
#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

void
hybrid_init(HybridDecoder *decoder, const uint8_t *data, size_t length, uint32_t bit_width)
{
	*decoder = (HybridDecoder){.position = data, .end = data + length, .bit_width = bit_width};
	if (bit_width == 0)
		decoder->run_left = UINT64_MAX;
}

static bool
start_packed_run(HybridDecoder *decoder, uint64_t groups, IngestError *error)
{
	size_t available = (size_t) (decoder->end - decoder->position);

	decoder->packed = true;
	decoder->packed_data = decoder->position;
	decoder->packed_index = 0;
	if (groups <= available / decoder->bit_width)
	{
		decoder->packed_length = (size_t) groups * decoder->bit_width;
		decoder->run_left = groups * 8;
	}
	else
	{
		decoder->packed_length = available;
		decoder->run_left = (uint64_t) available * 8 / decoder->bit_width;
		if (decoder->run_left == 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "bit-packed run without its bytes");
	}
	decoder->position += decoder->packed_length;
	return true;
}

static bool
start_repeated_run(HybridDecoder *decoder, uint64_t length, IngestError *error)
{
	size_t bytes = (decoder->bit_width + 7) / 8;

	if ((size_t) (decoder->end - decoder->position) < bytes)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "run without its value");
	decoder->packed = false;
	decoder->run_value = 0;
	memcpy(&decoder->run_value, decoder->position, bytes);
	decoder->position += bytes;
	decoder->run_left = length;
	if (decoder->bit_width < 32 && decoder->run_value >> decoder->bit_width != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "run of a value wider than %u bits", decoder->bit_width);
	return true;
}

static bool
next_run(HybridDecoder *decoder, IngestError *error)
{
	while (decoder->run_left == 0)
	{
		uint64_t header;

		if (!read_uleb128(&decoder->position, decoder->end, &header))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "runs end before the last value");
		if (header == 0)
			continue;
		if (!(header & 1 ? start_packed_run(decoder, header >> 1, error)
						 : start_repeated_run(decoder, header >> 1, error)))
			return false;
	}
	return true;
}

bool
hybrid_read_uint32(HybridDecoder *decoder, uint32_t *out, size_t count, IngestError *error)
{
	while (count > 0)
	{
		size_t part;

		if (decoder->run_left == 0 && !next_run(decoder, error))
			return false;
		part = count < decoder->run_left ? count : (size_t) decoder->run_left;
		if (decoder->packed)
		{
			bit_unpack_uint32(decoder->packed_data, decoder->packed_length, decoder->bit_width, decoder->packed_index,
							  out, part);
			decoder->packed_index += part;
		}
		else
		{
			for (size_t i = 0; i < part; i++)
				out[i] = decoder->run_value;
		}
		decoder->run_left -= part;
		out += part;
		count -= part;
	}
	return true;
}

/* Bit-packed values of up to 8 bits into bytes. */
static void
unpack_bytes(HybridDecoder *decoder, uint8_t *out, size_t count)
{
	uint32_t wide[256];

	if (decoder->bit_width == 1)
	{
		bit_unpack_booleans(decoder->packed_data, decoder->packed_length, decoder->packed_index, out, count);
		decoder->packed_index += count;
		return;
	}
	while (count > 0)
	{
		size_t part = count < 256 ? count : 256;

		bit_unpack_uint32(decoder->packed_data, decoder->packed_length, decoder->bit_width, decoder->packed_index, wide,
						  part);
		for (size_t i = 0; i < part; i++)
			out[i] = (uint8_t) wide[i];
		decoder->packed_index += part;
		out += part;
		count -= part;
	}
}

bool
hybrid_read_uint8(HybridDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	while (count > 0)
	{
		size_t part;

		if (decoder->run_left == 0 && !next_run(decoder, error))
			return false;
		part = count < decoder->run_left ? count : (size_t) decoder->run_left;
		if (decoder->packed)
			unpack_bytes(decoder, out, part);
		else
			memset(out, (int) decoder->run_value, part);
		decoder->run_left -= part;
		out += part;
		count -= part;
	}
	return true;
}

uint32_t
bits_for_level(uint32_t max_level)
{
	return max_level == 0 ? 0 : 32 - (uint32_t) __builtin_clz(max_level);
}

static bool
read_legacy(LevelDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	uint32_t width = bits_for_level(decoder->max_level);

	if (count > (decoder->bit_end - decoder->bit_position) / width)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "bit-packed levels end before the last value");
	for (size_t i = 0; i < count; i++)
	{
		uint32_t level = 0;

		for (uint32_t bit = 0; bit < width; bit++, decoder->bit_position++)
		{
			uint8_t byte = decoder->data[decoder->bit_position >> 3];

			level = level << 1 | (byte >> (7 - (decoder->bit_position & 7)) & 1);
		}
		out[i] = (uint8_t) level;
	}
	return true;
}

/* The next "count" levels, each checked against the maximum. */
bool
level_decoder_read(LevelDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	uint8_t highest;

	if (decoder->max_level == 0)
	{
		memset(out, 0, count);
		return true;
	}
	if (!(decoder->legacy ? read_legacy(decoder, out, count, error)
						  : hybrid_read_uint8(&decoder->hybrid, out, count, error)))
		return false;
	if ((decoder->max_level & (decoder->max_level + 1)) == 0)
		return true; /* its bits can hold nothing more */
	highest = kernel_max_uint8(out, count);
	if (highest > decoder->max_level)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "level %u above the maximum of %u", highest,
						   decoder->max_level);
	return true;
}
