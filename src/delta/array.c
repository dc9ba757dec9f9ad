/*-------------------------------------------------------------------------
 *
 * array.c
 *	  Arrow arrays that are made in this room: nulls, constants, and the empty frames
 *	  that convert.c fills.
 *
 * An array owns its buffers and children through its private data; release frees them
 * and may be called on any thread.  A child whose release is null holds nothing yet, or
 * was moved out.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BUFFERS 3

typedef struct ArrayOwner
{
	const void *buffers[MAX_BUFFERS];
	void *owned[MAX_BUFFERS];
	struct ArrowArray *children;
	struct ArrowArray **child_pointers;
	struct ArrowArray dictionary;
} ArrayOwner;

static void
release_owned(struct ArrowArray *array)
{
	ArrayOwner *owner = array->private_data;

	for (int i = 0; i < MAX_BUFFERS; i++)
		free(owner->owned[i]);
	for (int64_t i = 0; i < array->n_children; i++)
		array_release(&owner->children[i]);
	array_release(&owner->dictionary);
	free(owner->children);
	free(owner->child_pointers);
	free(owner);
	array->release = NULL;
}

bool
array_create(struct ArrowArray *array, int64_t length, int buffer_count, int child_count, IngestError *error)
{
	ArrayOwner *owner = calloc(1, sizeof(ArrayOwner));

	memset(array, 0, sizeof(*array));
	if (owner == NULL)
		return ingest_out_of_memory(error);
	array->length = length;
	array->n_buffers = buffer_count;
	array->buffers = owner->buffers;
	array->private_data = owner;
	array->release = release_owned;
	if (child_count == 0)
		return true;
	owner->children = calloc((size_t) child_count, sizeof(struct ArrowArray));
	owner->child_pointers = calloc((size_t) child_count, sizeof(struct ArrowArray *));
	if (owner->children == NULL || owner->child_pointers == NULL)
	{
		array_release(array);
		return ingest_out_of_memory(error);
	}
	for (int i = 0; i < child_count; i++)
		owner->child_pointers[i] = &owner->children[i];
	array->n_children = child_count;
	array->children = owner->child_pointers;
	return true;
}

struct ArrowArray *
array_dictionary(struct ArrowArray *array)
{
	ArrayOwner *owner = array->private_data;

	array->dictionary = &owner->dictionary;
	return array->dictionary;
}

void *
array_buffer(struct ArrowArray *array, int index, size_t size)
{
	ArrayOwner *owner = array->private_data;

	owner->owned[index] = calloc(1, (size + 63) / 64 * 64 + 64);
	owner->buffers[index] = owner->owned[index];
	return owner->owned[index];
}

void
array_release(struct ArrowArray *array)
{
	if (array->release != NULL)
		array->release(array);
	array->release = NULL;
}

void
array_move(struct ArrowArray *from, struct ArrowArray *to)
{
	*to = *from;
	from->release = NULL;
}

/* Bytes of a value of a fixed width, 0 for other types and booleans. */
size_t
delta_type_width(DeltaTypeKind kind)
{
	switch (kind)
	{
		case DELTA_TYPE_BYTE:
			return 1;
		case DELTA_TYPE_SHORT:
			return 2;
		case DELTA_TYPE_INTEGER:
		case DELTA_TYPE_FLOAT:
		case DELTA_TYPE_DATE:
			return 4;
		case DELTA_TYPE_LONG:
		case DELTA_TYPE_DOUBLE:
		case DELTA_TYPE_TIMESTAMP:
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return 8;
		case DELTA_TYPE_DECIMAL:
			return 16;
		default:
			return 0;
	}
}

/* How many children the Arrow form has. */
static int
arrow_child_count(const DeltaField *field)
{
	if (field->kind == DELTA_TYPE_VARIANT)
		return 2;
	return field->kind == DELTA_TYPE_MAP ? 1 : (int) field->child_count;
}

bool
array_create_for(const DeltaField *field, int64_t length, struct ArrowArray *out, IngestError *error)
{
	bool done;

	switch (field->kind)
	{
		case DELTA_TYPE_VOID:
			done = array_create(out, length, 0, 0, error);
			break;
		case DELTA_TYPE_STRUCT:
		case DELTA_TYPE_VARIANT:
			done = array_create(out, length, 1, arrow_child_count(field), error);
			break;
		case DELTA_TYPE_STRING:
		case DELTA_TYPE_BINARY:
			done = array_create(out, length, 3, 0, error);
			break;
		default:
			done = array_create(out, length, 2, arrow_child_count(field), error);
			break;
	}
	return done;
}

bool
array_nulls(const DeltaField *field, int64_t length, struct ArrowArray *out, IngestError *error)
{
	static const DeltaField bytes = {.kind = DELTA_TYPE_BINARY, .nullable = true};
	bool is_list = field->kind == DELTA_TYPE_ARRAY || field->kind == DELTA_TYPE_MAP;
	bool done = true;

	if (!array_create_for(field, length, out, error))
		return false;
	out->null_count = length;
	/* the widest slot, or an offset more than there are rows, all zero */
	for (int i = 0; i < out->n_buffers; i++)
		if (array_buffer(out, i, i == 0 ? (size_t) length / 8 + 1 : (size_t) (length + 1) * 16) == NULL)
			done = ingest_out_of_memory(error);
	if (done && field->kind == DELTA_TYPE_MAP)
		done = array_create(out->children[0], 0, 1, 2, error) &&
			   array_nulls(&field->children[0], 0, out->children[0]->children[0], error) &&
			   array_nulls(&field->children[1], 0, out->children[0]->children[1], error);
	else
		for (int64_t i = 0; i < out->n_children && done; i++)
			done = array_nulls(field->kind == DELTA_TYPE_VARIANT ? &bytes : &field->children[i], is_list ? 0 : length,
							   out->children[i], error);
	if (!done)
		array_release(out);
	return done;
}

/* Fill "length" slots of some width with one value. */
static void
fill(void *slots, const void *value, size_t width, int64_t length)
{
	for (int64_t i = 0; i < length; i++)
		memcpy((char *) slots + (size_t) i * width, value, width);
}

static bool
constant_bytes(struct ArrowArray *out, Span bytes, IngestError *error)
{
	int32_t *offsets;
	char *data;

	if (bytes.length > 0 && (uint64_t) out->length > INT32_MAX / bytes.length)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a partition value of %zu bytes is too long", bytes.length);
	offsets = array_buffer(out, 1, (size_t) (out->length + 1) * 4);
	data = array_buffer(out, 2, (size_t) out->length * bytes.length);
	if (offsets == NULL || data == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i <= out->length; i++)
		offsets[i] = (int32_t) ((size_t) i * bytes.length);
	if (bytes.length > 0)
		fill(data, bytes.data, bytes.length, out->length);
	return true;
}

static bool
constant_fixed(const DeltaField *field, const PartitionValue *value, struct ArrowArray *out, IngestError *error)
{
	size_t width = delta_type_width(field->kind);
	float single = (float) value->floating;
	const void *slot = &value->integer; /* little-endian: the low bytes come first */
	void *slots = array_buffer(out, 1, (size_t) out->length * (width > 0 ? width : 1));

	if (slots == NULL)
		return ingest_out_of_memory(error);
	if (field->kind == DELTA_TYPE_BOOLEAN)
		memset(slots, value->integer ? 0xFF : 0, (size_t) out->length / 8 + 1);
	if (field->kind == DELTA_TYPE_FLOAT)
		slot = &single;
	else if (field->kind == DELTA_TYPE_DOUBLE)
		slot = &value->floating;
	else if (field->kind == DELTA_TYPE_DECIMAL)
		slot = value->decimal;
	fill(slots, slot, width, out->length);
	return true;
}

bool
array_repeat(struct ArrowArray *value, int64_t length, struct ArrowArray *out, IngestError *error)
{
	bool is_null = value->length == 0 || array_is_null(value, 0);

	if (!array_create(out, length, 2, 0, error))
		return false;
	array_move(value, array_dictionary(out));
	/* all indices are 0 */
	if (array_buffer(out, 1, (size_t) length * sizeof(int32_t)) == NULL ||
		(is_null && array_buffer(out, 0, (size_t) length / 8 + 1) == NULL))
	{
		array_release(out);
		return ingest_out_of_memory(error);
	}
	out->null_count = is_null ? length : 0;
	return true;
}

bool
array_constant(const DeltaField *field, const PartitionValue *value, int64_t length, struct ArrowArray *out,
			   IngestError *error)
{
	bool done;

	if (value->is_null || field->kind == DELTA_TYPE_VOID)
		return array_nulls(field, length, out, error);
	if (!array_create_for(field, length, out, error))
		return false;
	if (field->kind == DELTA_TYPE_STRING || field->kind == DELTA_TYPE_BINARY)
		done = constant_bytes(out, value->bytes, error);
	else
		done = constant_fixed(field, value, out, error);
	if (!done)
		array_release(out);
	return done;
}
