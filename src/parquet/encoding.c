/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  The values section of a data page, whatever its encoding.
 *
 * Decoders give physical values (int32, 12 bytes of INT96, fixed bytes as stored); the leaf's type brings them to the
 * form of the Arrow array, block by block, while they are in cache.  Dictionary values are in that form already.
 *
 * Fixed layouts are read whole: PARQUET_BLOCK values at most at a time.  Byte arrays are read up to a byte limit,
 * because a few bytes of a page may stand for values of any size.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/parquet_internal.h"

#define SCRATCH_BYTES 65536

static bool
wrong_encoding(const ValueDecoder *decoder, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "encoding %d does not exist for physical type %d",
					   decoder->encoding, (int) decoder->type->physical);
}

bool
value_decoder_is_dictionary(const ValueDecoder *decoder)
{
	return decoder->encoding == ENCODING_PLAIN_DICTIONARY || decoder->encoding == ENCODING_RLE_DICTIONARY;
}

static bool
start_indices(ValueDecoder *decoder, IngestError *error)
{
	uint32_t width = 0;

	if (decoder->dictionary == NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "dictionary-coded page without a dictionary");
	if (decoder->position < decoder->end)
		width = *decoder->position++;
	if (width > 32)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "dictionary indices of %u bits", width);
	hybrid_init(&decoder->hybrid, decoder->position, (size_t) (decoder->end - decoder->position), width);
	return true;
}

/* RLE for booleans: a 4-byte length, then the hybrid with width 1. */
static bool
start_rle_booleans(ValueDecoder *decoder, IngestError *error)
{
	size_t available = (size_t) (decoder->end - decoder->position);
	uint32_t length;

	if (decoder->type->physical != PHYSICAL_BOOLEAN)
		return wrong_encoding(decoder, error);
	if (available == 0)
		return true;
	if (available < 4 || (length = load_uint32(decoder->position)) > available - 4)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "runs of booleans do not fit into their page");
	hybrid_init(&decoder->hybrid, decoder->position + 4, length, 1);
	return true;
}

/*
 * Begin a page's values; the bytes must outlive their reading.  "decoder->dictionary" is the caller's to set.  Fails with
 * CORRUPT, or UNSUPPORTED for an encoding nobody here knows.
 */
bool
value_decoder_start(ValueDecoder *decoder, const LeafType *type, int32_t encoding, const uint8_t *data, size_t length,
					IngestError *error)
{
	decoder->type = type;
	decoder->encoding = encoding;
	decoder->position = data;
	decoder->end = data + length;
	decoder->bit_position = 0;
	decoder->pending_position = decoder->pending_count = 0;
	decoder->previous_length = 0;
	memset(&decoder->delta, 0, sizeof(decoder->delta));
	memset(&decoder->prefixes, 0, sizeof(decoder->prefixes));
	hybrid_init(&decoder->hybrid, data, 0, 1);
	switch (encoding)
	{
		case ENCODING_PLAIN:
			return true;
		case ENCODING_PLAIN_DICTIONARY:
		case ENCODING_RLE_DICTIONARY:
			return start_indices(decoder, error);
		case ENCODING_RLE:
			return start_rle_booleans(decoder, error);
		case ENCODING_DELTA_BINARY_PACKED:
			if (type->physical != PHYSICAL_INT32 && type->physical != PHYSICAL_INT64)
				return wrong_encoding(decoder, error);
			return length == 0 || delta_start(&decoder->delta, data, length, error);
		case ENCODING_DELTA_LENGTH_BYTE_ARRAY:
			if (type->physical != PHYSICAL_BYTE_ARRAY)
				return wrong_encoding(decoder, error);
			return length == 0 || delta_length_start(decoder, error);
		case ENCODING_DELTA_BYTE_ARRAY:
			if (type->physical != PHYSICAL_BYTE_ARRAY && type->physical != PHYSICAL_FIXED)
				return wrong_encoding(decoder, error);
			return length == 0 || delta_byte_array_start(decoder, error);
		case ENCODING_BYTE_STREAM_SPLIT:
			return byte_stream_split_start(decoder, error);
		case ENCODING_BIT_PACKED:
			return wrong_encoding(decoder, error);
		default:
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "encoding %d is not supported", encoding);
	}
}

void
value_decoder_release(ValueDecoder *decoder)
{
	free(decoder->previous);
	decoder->previous = NULL;
}

void
workspace_release(Workspace *workspace)
{
	codec_context_free(workspace->codec);
	free(workspace->physical);
	free(workspace->skipped);
	variable_release(&workspace->variable);
	memset(workspace, 0, sizeof(*workspace));
}

/* Room for some values of "width" bytes in a buffer of the workspace, and 8 bytes behind them; *most is their number. */
static bool
reserve_scratch(uint8_t **buffer, size_t *capacity, size_t width, size_t *most, IngestError *error)
{
	size_t wanted;

	*most = width < SCRATCH_BYTES ? SCRATCH_BYTES / width : 1;
	wanted = *most * width + 8;
	if (*capacity >= wanted)
		return true;
	free(*buffer);
	*buffer = malloc(wanted);
	*capacity = *buffer == NULL ? 0 : wanted;
	return *buffer != NULL || ingest_out_of_memory(error);
}

/* Byte arrays as physical values into the workspace, at least one. */
static bool
read_scratch_variable(ValueDecoder *decoder, size_t count, size_t *done, IngestError *error)
{
	VariableValues *values = &decoder->workspace->variable;

	if (values->data_capacity > 16 * SCRATCH_BYTES)
		variable_release(values);
	values->count = 0;
	values->data_length = 0;
	switch (decoder->encoding)
	{
		case ENCODING_PLAIN:
			return plain_read_variable(decoder, values, count, SCRATCH_BYTES, done, error);
		case ENCODING_DELTA_LENGTH_BYTE_ARRAY:
			return delta_length_read(decoder, values, count, SCRATCH_BYTES, done, error);
		case ENCODING_DELTA_BYTE_ARRAY:
			return delta_byte_array_read(decoder, values, count, SCRATCH_BYTES, done, error);
		default:
			return wrong_encoding(decoder, error);
	}
}

/* Fixed bytes that are written as byte arrays: each must have the type's length. */
static bool
read_fixed_from_variable(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	size_t width = (size_t) decoder->type->physical_width;
	const VariableValues *values = &decoder->workspace->variable;

	while (count > 0)
	{
		size_t done = 0;

		if (!read_scratch_variable(decoder, count, &done, error))
			return false;
		for (size_t i = 0; i < done; i++)
		{
			if ((size_t) (values->offsets[i + 1] - values->offsets[i]) != width)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "value of %d bytes where the type has %zu",
								   values->offsets[i + 1] - values->offsets[i], width);
		}
		memcpy(out, values->data, done * width);
		out += done * width;
		count -= done;
	}
	return true;
}

/* Decimals in byte arrays of any length. */
static bool
read_variable_decimals(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	const VariableValues *values = &decoder->workspace->variable;
	int width = decoder->type->width;

	while (count > 0)
	{
		size_t done = 0;

		if (!read_scratch_variable(decoder, count, &done, error))
			return false;
		for (size_t i = 0; i < done; i++, out += width)
		{
			if (!decimal_from_bytes(values->data + values->offsets[i],
									(size_t) (values->offsets[i + 1] - values->offsets[i]), out, width))
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "decimal of %d bytes does not fit its precision",
								   values->offsets[i + 1] - values->offsets[i]);
		}
		count -= done;
	}
	return true;
}

/* Values as stored, without conversion. */
static bool
read_physical(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	switch (decoder->encoding)
	{
		case ENCODING_PLAIN:
			return decoder->type->physical == PHYSICAL_BOOLEAN ? plain_read_boolean(decoder, out, count, error)
															   : plain_read_fixed(decoder, out, count, error);
		case ENCODING_RLE:
			return hybrid_read_uint8(&decoder->hybrid, out, count, error);
		case ENCODING_DELTA_BINARY_PACKED:
			return decoder->type->physical == PHYSICAL_INT32
					   ? delta_read_int32(&decoder->delta, (uint32_t *) out, count, error)
					   : delta_read_int64(&decoder->delta, (uint64_t *) out, count, error);
		case ENCODING_BYTE_STREAM_SPLIT:
			return byte_stream_split_read(decoder, out, count, error);
		case ENCODING_DELTA_BYTE_ARRAY:
			return read_fixed_from_variable(decoder, out, count, error);
		default:
			return wrong_encoding(decoder, error);
	}
}

static bool
read_converted(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	const LeafType *type = decoder->type;
	Workspace *workspace = decoder->workspace;
	size_t most;

	if (!reserve_scratch(&workspace->physical, &workspace->physical_capacity, (size_t) type->physical_width, &most,
						 error))
		return false;
	while (count > 0)
	{
		size_t part = count < most ? count : most;

		if (!read_physical(decoder, workspace->physical, part, error))
			return false;
		if (!type->convert(type, workspace->physical, out, part))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "value does not fit its type %s", type->format);
		out += part * (size_t) type->width;
		count -= part;
	}
	return true;
}

/* "count" (up to PARQUET_BLOCK) values in output form; booleans as one byte each. */
bool
value_decoder_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	if (count == 0)
		return true;
	if (value_decoder_is_dictionary(decoder))
		return dictionary_read_fixed(decoder, out, count, error);
	if (decoder->type->physical == PHYSICAL_BYTE_ARRAY)
		return read_variable_decimals(decoder, out, count, error);
	if (decoder->type->convert != NULL)
		return read_converted(decoder, out, count, error);
	return read_physical(decoder, out, count, error);
}

bool
value_decoder_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
							size_t *done, IngestError *error)
{
	*done = 0;
	if (count == 0)
		return true;
	switch (decoder->encoding)
	{
		case ENCODING_PLAIN:
			return plain_read_variable(decoder, values, count, byte_limit, done, error);
		case ENCODING_PLAIN_DICTIONARY:
		case ENCODING_RLE_DICTIONARY:
			return dictionary_read_variable(decoder, values, count, byte_limit, done, error);
		case ENCODING_DELTA_LENGTH_BYTE_ARRAY:
			return delta_length_read(decoder, values, count, byte_limit, done, error);
		case ENCODING_DELTA_BYTE_ARRAY:
			return delta_byte_array_read(decoder, values, count, byte_limit, done, error);
		default:
			return wrong_encoding(decoder, error);
	}
}

/* Decode some values for nothing: there is no other way to know where the next one starts. */
static bool
skip_some(ValueDecoder *decoder, size_t count, size_t *done, IngestError *error)
{
	uint32_t indices[PARQUET_BLOCK];
	Workspace *workspace = decoder->workspace;
	size_t most;

	if (value_decoder_is_dictionary(decoder))
	{
		*done = count;
		return value_decoder_read_indices(decoder, indices, count, error);
	}
	if (decoder->type->layout == LAYOUT_VARIABLE)
		return read_scratch_variable(decoder, count, done, error);
	if (!reserve_scratch(&workspace->skipped, &workspace->skipped_capacity, (size_t) decoder->type->width, &most,
						 error))
		return false;
	*done = count < most ? count : most;
	return value_decoder_read_fixed(decoder, workspace->skipped, *done, error);
}

bool
value_decoder_skip(ValueDecoder *decoder, uint64_t count, IngestError *error)
{
	while (count > 0)
	{
		size_t done = 0;

		if (!skip_some(decoder, count < PARQUET_BLOCK ? (size_t) count : PARQUET_BLOCK, &done, error))
			return false;
		count -= done;
	}
	return true;
}
