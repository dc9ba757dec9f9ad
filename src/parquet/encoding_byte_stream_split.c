/*-------------------------------------------------------------------------
 *
 * encoding_byte_stream_split.c
 *	  BYTE_STREAM_SPLIT: byte k of every value in stream k, the streams behind each other.
 *
 * Valid for numbers of 4 and 8 bytes and for fixed bytes, where the page is a whole number of values.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/parquet_internal.h"

bool
byte_stream_split_start(ValueDecoder *decoder, IngestError *error)
{
	size_t width = (size_t) decoder->type->physical_width;
	size_t length = (size_t) (decoder->end - decoder->position);

	switch (decoder->type->physical)
	{
		case PHYSICAL_INT32:
		case PHYSICAL_INT64:
		case PHYSICAL_FLOAT:
		case PHYSICAL_DOUBLE:
		case PHYSICAL_FIXED:
			break;
		default:
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "byte streams of physical type %d",
							   (int) decoder->type->physical);
	}
	if (length % width != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "byte streams of %zu bytes for values of %zu", length, width);
	decoder->stream_length = length / width;
	decoder->stream_index = 0;
	return true;
}

static inline __attribute__((always_inline)) void
join_streams(const uint8_t *in, size_t stream_length, uint8_t *out, size_t count, const size_t width)
{
	for (size_t i = 0; i < count; i++)
	{
		for (size_t k = 0; k < width; k++)
			out[i * width + k] = in[k * stream_length + i];
	}
}

bool
byte_stream_split_read(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	const uint8_t *in = decoder->position + decoder->stream_index;
	size_t width = (size_t) decoder->type->physical_width;

	if (count > decoder->stream_length - decoder->stream_index)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "byte streams end before the last value");
	if (width == 4)
		join_streams(in, decoder->stream_length, out, count, 4);
	else if (width == 8)
		join_streams(in, decoder->stream_length, out, count, 8);
	else
		join_streams(in, decoder->stream_length, out, count, width);
	decoder->stream_index += count;
	return true;
}
