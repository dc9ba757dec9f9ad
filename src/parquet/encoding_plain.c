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

/* Room for the values to come, guessed by the bytes that are left of the page and of the batch. */
static bool
reserve_for_page(const ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
				 IngestError *error)
{
	size_t bytes = (size_t) (decoder->end - decoder->position);
	size_t room = byte_limit > values->data_length ? byte_limit - values->data_length : 0;
	size_t average = values->count > 0 ? values->data_length / values->count + 1 : 16;

	if (bytes > room)
		bytes = room;
	if (bytes / average > count)
		bytes = count * average;
	return variable_reserve(values, count, bytes, error);
}

bool
plain_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit, size_t *done,
					IngestError *error)
{
	const uint8_t *position = decoder->position;
	const uint8_t *end = decoder->end;
	size_t read = 0;

	if (!reserve_for_page(decoder, values, count, byte_limit, error))
		return false;
	for (; read < count; read++)
	{
		size_t left = (size_t) (end - position);
		uint32_t length;

		if (left < 4)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "values end before the last one");
		length = load_uint32(position);
		left -= 4;
		if (length > left)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "value of %u bytes where %zu are left", length, left);
		if (values->data_length + length > byte_limit && read > 0)
			break;
		if (values->data_capacity - values->data_length < length && !variable_reserve(values, 0, length, error))
			return false;
		if (left >= VARIABLE_SLACK)
			variable_copy(values->data + values->data_length, position + 4, length);
		else
			memcpy(values->data + values->data_length, position + 4, length);
		values->data_length += length;
		values->offsets[++values->count] = (int32_t) values->data_length;
		position += 4 + length;
	}
	decoder->position = position;
	*done = read;
	return true;
}
