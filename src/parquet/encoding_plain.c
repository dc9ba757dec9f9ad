/*-------------------------------------------------------------------------
 *
 * encoding_plain.c
 *	  PLAIN: the values one behind the other.
 *
 * BOOLEAN bit-packed, least significant bit first; numbers little-endian; INT96 12 bytes; fixed bytes as they
 * are; BYTE_ARRAY a 4-byte little-endian length, then its bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/bit_unpack.h"
#include "parquet/parquet_internal.h"

bool
plain_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	size_t width = (size_t) decoder->type->physical_width;

	if (count > (size_t) (decoder->end - decoder->position) / width)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "values end before the last one");
	memcpy(out, decoder->position, count * width);
	decoder->position += count * width;
	return true;
}

bool
plain_read_boolean(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	size_t length = (size_t) (decoder->end - decoder->position);

	if (count > (uint64_t) length * 8 - decoder->bit_position)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "values end before the last one");
	bit_unpack_booleans(decoder->position, length, decoder->bit_position, out, count);
	decoder->bit_position += count;
	return true;
}

bool
plain_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit, size_t *done,
					IngestError *error)
{
	const uint8_t *position = decoder->position;
	size_t read = 0;

	if (!variable_reserve(values, count, 0, error))
		return false;
	for (; read < count; read++)
	{
		size_t left = (size_t) (decoder->end - position);
		uint32_t length;

		if (left < 4)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "values end before the last one");
		length = load_uint32(position);
		if (length > left - 4)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "value of %u bytes where %zu are left", length, left - 4);
		if (read > 0 && values->data_length + length > byte_limit)
			break;
		if (values->data_capacity - values->data_length < length && !variable_reserve(values, 0, length, error))
			return false;
		memcpy(values->data + values->data_length, position + 4, length);
		values->data_length += length;
		values->offsets[++values->count] = (int32_t) values->data_length;
		position += 4 + length;
	}
	decoder->position = position;
	*done = read;
	return true;
}
