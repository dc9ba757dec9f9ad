/*-------------------------------------------------------------------------
 *
 * leaf_batch.c
 *	  Levels and values of some rows of one leaf, on their way from pages to an Arrow array.
 *
 * Values lie densely, without those that are null; there are as many as entries whose definition level is the leaf's
 * highest.  A batch can be cut behind any row: columns end their batches at different rows, and the array that leaves
 * the reader has as many rows as the shortest.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

void
leaf_batch_release(LeafBatch *batch)
{
	free(batch->definitions);
	free(batch->repetitions);
	free(batch->fixed);
	free(batch->indices);
	variable_release(&batch->variable);
	dictionary_release(batch->dictionary);
	memset(batch, 0, sizeof(*batch));
}

size_t
leaf_batch_bytes(const LeafBatch *batch, const LeafType *type)
{
	size_t bytes = batch->entry_count * ((batch->definitions != NULL) + (batch->repetitions != NULL));

	if (batch->is_indices || type->layout == LAYOUT_NULL)
		return bytes + batch->value_count * sizeof(uint32_t);
	if (type->layout == LAYOUT_VARIABLE)
		return bytes + batch->variable.data_length + batch->variable.count * sizeof(int32_t);
	return bytes + batch->value_count * (size_t) type->width;
}

static bool
grow(void **data, size_t count, size_t width, IngestError *error)
{
	void *grown = realloc(*data, count * width);

	if (grown == NULL)
		return ingest_out_of_memory(error);
	*data = grown;
	return true;
}

/* Room for so many more entries' levels. */
bool
leaf_batch_reserve_entries(LeafBatch *batch, size_t more, bool definitions, bool repetitions, IngestError *error)
{
	size_t wanted = batch->entry_count + more;

	if (wanted <= batch->entry_capacity)
		return true;
	if (wanted < batch->entry_capacity * 2)
		wanted = batch->entry_capacity * 2;
	if ((definitions && !grow((void **) &batch->definitions, wanted, 1, error)) ||
		(repetitions && !grow((void **) &batch->repetitions, wanted, 1, error)))
		return false;
	batch->entry_capacity = wanted;
	return true;
}

/* Room for so many more values of a fixed layout, or indices. */
bool
leaf_batch_reserve_values(LeafBatch *batch, size_t more, size_t width, IngestError *error)
{
	size_t wanted = batch->value_count + more;

	if (wanted <= batch->value_capacity)
		return true; /* also where none are wanted */
	if (wanted < batch->value_capacity * 2)
		wanted = batch->value_capacity * 2;
	if (!(batch->is_indices ? grow((void **) &batch->indices, wanted, sizeof(uint32_t), error)
							: grow((void **) &batch->fixed, wanted, width, error)))
		return false;
	batch->value_capacity = wanted;
	return true;
}

/* The entry at which row "row" of the batch starts. */
static size_t
entry_of_row(const LeafBatch *batch, int64_t row)
{
	size_t entry = 0;

	if (batch->repetitions == NULL)
		return (size_t) row;
	for (; entry < batch->entry_count; entry++)
	{
		if (batch->repetitions[entry] == 0 && row-- == 0)
			break;
	}
	return entry;
}

static size_t
values_before(const LeafBatch *batch, size_t entry, uint8_t max_definition)
{
	return batch->definitions == NULL ? entry : kernel_count_equal(batch->definitions, entry, max_definition);
}

static bool
copy_variable_rest(const VariableValues *from, size_t first, VariableValues *to, IngestError *error)
{
	size_t count = from->count - first;
	int32_t start = from->count > 0 ? from->offsets[first] : 0;
	size_t bytes = from->data_length - (size_t) start;

	if (!variable_reserve(to, count, bytes, error))
		return false;
	if (bytes > 0)
		memcpy(to->data, from->data + start, bytes);
	for (size_t i = 1; i <= count; i++)
		to->offsets[i] = from->offsets[first + i] - start;
	to->count = count;
	to->data_length = bytes;
	return true;
}

static bool
copy_values_rest(const LeafBatch *from, size_t value, const LeafType *type, LeafBatch *to, IngestError *error)
{
	size_t width = from->is_indices ? sizeof(uint32_t) : (size_t) type->width;
	const uint8_t *source = from->is_indices ? (const uint8_t *) from->indices : from->fixed;
	size_t count = from->value_count - value;

	to->is_indices = from->is_indices;
	if (from->dictionary != NULL)
		to->dictionary = dictionary_acquire(from->dictionary);
	if (!from->is_indices && type->layout == LAYOUT_VARIABLE)
	{
		to->value_count = count;
		return copy_variable_rest(&from->variable, value, &to->variable, error);
	}
	if (type->layout == LAYOUT_NULL || count == 0)
		return true;
	if (!leaf_batch_reserve_values(to, count, width, error))
		return false;
	memcpy(to->is_indices ? (uint8_t *) to->indices : to->fixed, source + value * width, count * width);
	to->value_count = count;
	return true;
}

/*
 * Cut "batch" behind "rows" rows: those move to *out, the rest stays.  On failure both may be released, and nothing else.
 */
bool
leaf_batch_cut(LeafBatch *batch, int64_t rows, const LeafType *type, uint8_t max_definition, LeafBatch *out,
			   IngestError *error)
{
	LeafBatch rest = {0};
	size_t entry;
	size_t value;
	size_t left;

	*out = *batch;
	memset(batch, 0, sizeof(*batch));
	if (rows == out->row_count)
		return true;
	entry = entry_of_row(out, rows);
	value = values_before(out, entry, max_definition);
	left = out->entry_count - entry;
	if (!leaf_batch_reserve_entries(&rest, left, out->definitions != NULL, out->repetitions != NULL, error) ||
		!copy_values_rest(out, value, type, &rest, error))
	{
		leaf_batch_release(&rest);
		return false;
	}
	if (out->definitions != NULL)
		memcpy(rest.definitions, out->definitions + entry, left);
	if (out->repetitions != NULL)
		memcpy(rest.repetitions, out->repetitions + entry, left);
	rest.entry_count = left;
	rest.row_count = out->row_count - rows;
	out->entry_count = entry;
	out->row_count = rows;
	out->value_count = value;
	if (!out->is_indices && type->layout == LAYOUT_VARIABLE)
	{
		out->variable.count = value;
		out->variable.data_length = value > 0 || out->variable.offsets ? (size_t) out->variable.offsets[value] : 0;
	}
	*batch = rest;
	return true;
}
