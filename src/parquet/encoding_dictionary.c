/*-------------------------------------------------------------------------
 *
 * encoding_dictionary.c
 *	  PLAIN_DICTIONARY and RLE_DICTIONARY: a page of distinct values, then indices.
 *
 * The dictionary page's values are PLAIN; they are brought to output form once, so that a data page is a gather.
 * A data page starts with a byte, the width of its indices (0 to 32), then the hybrid without a length.
 * Every index is checked against the number of values.
 *
 * A ParquetDictionary is immutable once made; the reader and each array that points into it hold a reference,
 * and the last one frees it, on whatever thread.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

ParquetDictionary *
dictionary_acquire(ParquetDictionary *dictionary)
{
	atomic_fetch_add_explicit(&dictionary->references, 1, memory_order_relaxed);
	return dictionary;
}

void
dictionary_release(ParquetDictionary *dictionary)
{
	if (dictionary == NULL || atomic_fetch_sub_explicit(&dictionary->references, 1, memory_order_acq_rel) > 1)
		return;
	free(dictionary->fixed);
	variable_release(&dictionary->variable);
	free(dictionary);
}

static bool
load_fixed(ParquetDictionary *dictionary, ValueDecoder *decoder, IngestError *error)
{
	size_t width = (size_t) decoder->type->width;

	if (dictionary->count == 0)
		return true;
	dictionary->fixed = malloc(dictionary->count * width);
	if (dictionary->fixed == NULL)
		return ingest_out_of_memory(error);
	dictionary->bytes = dictionary->count * width;
	for (uint32_t i = 0; i < dictionary->count; i += PARQUET_BLOCK)
	{
		uint32_t part = dictionary->count - i < PARQUET_BLOCK ? dictionary->count - i : PARQUET_BLOCK;

		if (!value_decoder_read_fixed(decoder, dictionary->fixed + i * width, part, error))
			return false;
	}
	return true;
}

static bool
load_variable(ParquetDictionary *dictionary, ValueDecoder *decoder, IngestError *error)
{
	VariableValues *values = &dictionary->variable;
	size_t done = 0;

	/* the bytes of the page hold all values and 4 bytes of length each: one allocation is enough */
	if (!variable_reserve(values, dictionary->count, (size_t) (decoder->end - decoder->position), error))
		return false;
	while (values->count < dictionary->count)
	{
		if (!plain_read_variable(decoder, values, dictionary->count - values->count, SIZE_MAX, &done, error))
			return false;
	}
	for (size_t i = 0; i < values->count; i++)
	{
		size_t length = (size_t) (values->offsets[i + 1] - values->offsets[i]);

		dictionary->longest = length > dictionary->longest ? length : dictionary->longest;
	}
	dictionary->bytes = values->data_capacity + values->capacity * sizeof(int32_t);
	return true;
}

/*
 * Make a dictionary out of a decompressed dictionary page.  LIMIT where its values would take more than
 * "byte_limit" bytes.  The caller owns the one reference.
 */
bool
dictionary_create(const LeafType *type, Workspace *workspace, const uint8_t *data, size_t length, int32_t value_count,
				  size_t byte_limit, ParquetDictionary **out, IngestError *error)
{
	size_t smallest = type->physical == PHYSICAL_BYTE_ARRAY ? 4 : (size_t) type->physical_width;
	ParquetDictionary *dictionary;
	ValueDecoder decoder = {.workspace = workspace};
	bool good;

	if (type->physical == PHYSICAL_BOOLEAN)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "dictionary of booleans");
	if (value_count < 0 || (size_t) value_count > length / smallest)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "dictionary of %d values in %zu bytes", value_count, length);
	if (type->layout == LAYOUT_FIXED && (size_t) value_count > byte_limit / (size_t) type->width)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "dictionary of %d values is above the limit of %zu bytes",
						   value_count, byte_limit);
	dictionary = calloc(1, sizeof(*dictionary));
	if (dictionary == NULL)
		return ingest_out_of_memory(error);
	atomic_init(&dictionary->references, 1);
	dictionary->count = (uint32_t) value_count;
	good = value_decoder_start(&decoder, type, ENCODING_PLAIN, data, length, error);
	if (good && type->layout == LAYOUT_FIXED)
		good = load_fixed(dictionary, &decoder, error);
	else if (good && type->layout == LAYOUT_VARIABLE)
		good = load_variable(dictionary, &decoder, error);
	value_decoder_release(&decoder);
	if (!good)
	{
		dictionary_release(dictionary);
		return false;
	}
	*out = dictionary;
	return true;
}

bool
value_decoder_read_indices(ValueDecoder *decoder, uint32_t *out, size_t count, IngestError *error)
{
	uint32_t size = decoder->dictionary->count;

	if (count == 0)
		return true;
	if (!hybrid_read_uint32(&decoder->hybrid, out, count, error))
		return false;
	if (size == 0 || !kernel_all_below(out, count, size))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "index beyond a dictionary of %u values", size);
	return true;
}

bool
dictionary_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error)
{
	uint32_t indices[PARQUET_BLOCK];

	if (!value_decoder_read_indices(decoder, indices, count, error))
		return false;
	kernel_gather(decoder->dictionary->fixed, indices, out, count, (size_t) decoder->type->width);
	return true;
}

/*
 * The indices of a part are taken whole, so the part is chosen small enough that even the longest value for each
 * keeps within the limit.
 */
bool
dictionary_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit, size_t *done,
						 IngestError *error)
{
	const ParquetDictionary *dictionary = decoder->dictionary;
	const VariableValues *source = &dictionary->variable;
	size_t room = byte_limit > values->data_length ? byte_limit - values->data_length : 0;
	size_t longest = dictionary->longest ? dictionary->longest : 1;
	uint32_t indices[PARQUET_BLOCK];
	size_t position = values->data_length;
	int32_t *offsets;

	if (count > PARQUET_BLOCK)
		count = PARQUET_BLOCK;
	if (count > room / longest)
		count = room / longest > 0 ? room / longest : 1;
	if (!value_decoder_read_indices(decoder, indices, count, error) || !variable_reserve(values, count, 0, error))
		return false;
	offsets = values->offsets + values->count;
	for (size_t i = 0; i < count; i++)
	{
		position += (size_t) (source->offsets[indices[i] + 1] - source->offsets[indices[i]]);
		offsets[i + 1] = (int32_t) position;
	}
	if (!variable_reserve(values, 0, position - values->data_length, error))
		return false;
	for (size_t i = 0; i < count; i++)
		variable_copy(values->data + offsets[i], source->data + source->offsets[indices[i]],
					  (size_t) (offsets[i + 1] - offsets[i]));
	values->count += count;
	values->data_length = position;
	*done = count;
	return true;
}
