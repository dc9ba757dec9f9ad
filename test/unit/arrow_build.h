/*-------------------------------------------------------------------------
 *
 * arrow_build.h
 *	  Small Arrow columns for tests: they point to the test's own arrays and are never released.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_ARROW_BUILD_H
#define INGEST_TEST_ARROW_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "common/arrow_abi.h"

/* Everything made here, freed at the end of the program. */
static void *arrow_built[8192];
static int arrow_built_count;

static inline void *
arrow_build(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL || arrow_built_count == 8192)
		abort();
	arrow_built[arrow_built_count++] = memory;
	return memory;
}

static inline void
arrow_build_end(void)
{
	while (arrow_built_count > 0)
		free(arrow_built[--arrow_built_count]);
}

typedef struct ArrowColumn
{
	struct ArrowSchema schema;
	struct ArrowArray array;
	const void *buffers[3];
	struct ArrowSchema *child_schemas[8];
	struct ArrowArray *child_arrays[8];
} ArrowColumn;

static inline ArrowColumn *
arrow_column(const char *name, const char *format, int64_t length, const void *validity)
{
	ArrowColumn *column = arrow_build(sizeof(ArrowColumn));

	column->schema.format = format;
	column->schema.name = name;
	column->schema.children = column->child_schemas;
	column->array.length = length;
	column->array.null_count = validity == NULL ? 0 : -1;
	column->array.buffers = column->buffers;
	column->array.children = column->child_arrays;
	column->array.n_buffers = 1;
	column->buffers[0] = validity;
	return column;
}

static inline ArrowColumn *
arrow_fixed(const char *name, const char *format, int64_t length, const void *values, const void *validity)
{
	ArrowColumn *column = arrow_column(name, format, length, validity);

	column->array.n_buffers = 2;
	column->buffers[1] = values;
	return column;
}

/* Strings ("u" or "z") copied into one heap block of exactly their size; a null pointer is an empty string. */
static inline ArrowColumn *
arrow_strings(const char *name, const char *format, int64_t length, const char *const *values, const void *validity)
{
	ArrowColumn *column = arrow_column(name, format, length, validity);
	int32_t *offsets = arrow_build(((size_t) length + 1) * sizeof(int32_t));
	char *data;

	for (int64_t i = 0; i < length; i++)
		offsets[i + 1] = offsets[i] + (int32_t) (values[i] == NULL ? 0 : strlen(values[i]));
	data = arrow_build(offsets[length] > 0 ? (size_t) offsets[length] : 1);
	for (int64_t i = 0; i < length; i++)
	{
		if (values[i] != NULL)
			memcpy(data + offsets[i], values[i], strlen(values[i]));
	}
	column->array.n_buffers = 3;
	column->buffers[1] = offsets;
	column->buffers[2] = data;
	return column;
}

static inline ArrowColumn *
arrow_add_child(ArrowColumn *parent, ArrowColumn *child)
{
	parent->child_schemas[parent->schema.n_children++] = &child->schema;
	parent->child_arrays[parent->array.n_children++] = &child->array;
	return parent;
}

static inline ArrowColumn *
arrow_list(const char *name, const char *format, int64_t length, const int32_t *offsets, const void *validity,
		   ArrowColumn *elements)
{
	ArrowColumn *column = arrow_fixed(name, format, length, offsets, validity);

	return arrow_add_child(column, elements);
}

static inline ArrowColumn *
arrow_dictionary(ArrowColumn *indices, ArrowColumn *values)
{
	indices->schema.dictionary = &values->schema;
	indices->array.dictionary = &values->array;
	return indices;
}

#endif
