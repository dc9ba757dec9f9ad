/*-------------------------------------------------------------------------
 *
 * variable_values.c
 *	  Byte-array values as they stand in an Arrow array: offsets and bytes.
 *
 * offsets has count + 1 entries once anything was reserved; the bytes never pass 2 GB - 1, because the offsets
 * have 32 bits.  Both grow by doubling.  Behind data_capacity there are VARIABLE_SLACK more bytes, so that short values
 * can be copied in whole words.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/parquet_internal.h"

static bool
grow_offsets(VariableValues *values, size_t wanted, IngestError *error)
{
	size_t capacity = values->capacity * 2 > wanted ? values->capacity * 2 : wanted;
	int32_t *offsets = realloc(values->offsets, (capacity + 1) * sizeof(int32_t));

	if (offsets == NULL)
		return ingest_out_of_memory(error);
	if (values->offsets == NULL)
		offsets[0] = 0;
	values->offsets = offsets;
	values->capacity = capacity;
	return true;
}

static bool
grow_data(VariableValues *values, size_t wanted, IngestError *error)
{
	size_t capacity = values->data_capacity * 2 > wanted ? values->data_capacity * 2 : wanted;
	uint8_t *data;

	if (capacity < 64)
		capacity = 64;
	data = realloc(values->data, capacity + VARIABLE_SLACK);
	if (data == NULL)
		return ingest_out_of_memory(error);
	values->data = data;
	values->data_capacity = capacity;
	return true;
}

/* Room for so much more.  LIMIT where the bytes would pass what 32-bit offsets can name. */
bool
variable_reserve(VariableValues *values, size_t more_values, size_t more_bytes, IngestError *error)
{
	if (more_bytes > INT32_MAX - values->data_length || more_values > INT32_MAX - values->count)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "values of a batch take more than 2 GB");
	if ((values->count + more_values > values->capacity || values->offsets == NULL) &&
		!grow_offsets(values, values->count + more_values, error))
		return false;
	/* the bytes are never null, so that copying none of them is well-defined */
	return (values->data != NULL && values->data_length + more_bytes <= values->data_capacity) ||
		   grow_data(values, values->data_length + more_bytes, error);
}

/* Append one value. */
bool
variable_append(VariableValues *values, const void *data, size_t length, IngestError *error)
{
	if (!variable_reserve(values, 1, length, error))
		return false;
	if (length > 0)
		memcpy(values->data + values->data_length, data, length);
	values->data_length += length;
	values->offsets[++values->count] = (int32_t) values->data_length;
	return true;
}

void
variable_release(VariableValues *values)
{
	free(values->offsets);
	free(values->data);
	memset(values, 0, sizeof(*values));
}
