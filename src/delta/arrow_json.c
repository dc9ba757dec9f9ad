/*-------------------------------------------------------------------------
 *
 * arrow_json.c
 *	  Actions that stand in a Parquet checkpoint, as the JSON they have in a commit.
 *
 * Works by the shape of the arrays: a struct is an object (null members left out), a
 * list an array, a map an object with its keys by position, whatever the writer called
 * them.  Only the types that actions are made of occur: text, integers, booleans.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <inttypes.h>
#include <string.h>

bool
array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Span *out)
{
	int64_t position = array->offset + index;
	char format = schema->format[0];

	if (schema->format[1] != '\0' || strchr("uzUZ", format) == NULL)
		return false;
	if (format == 'u' || format == 'z')
	{
		const int32_t *offsets = array->buffers[1];

		out->length = (size_t) (offsets[position + 1] - offsets[position]);
		out->data = (const char *) array->buffers[2] + offsets[position];
	}
	else
	{
		const int64_t *offsets = array->buffers[1];

		out->length = (size_t) (offsets[position + 1] - offsets[position]);
		out->data = (const char *) array->buffers[2] + offsets[position];
	}
	return true;
}

bool
array_integer(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, int64_t *out)
{
	int64_t position = array->offset + index;
	const void *values = array->n_buffers > 1 ? array->buffers[1] : NULL;

	if (strncmp(schema->format, "ts", 2) == 0)
	{
		*out = ((const int64_t *) values)[position];
		return true;
	}
	if (schema->format[1] != '\0')
		return false;
	switch (schema->format[0])
	{
		case 'c':
			*out = ((const int8_t *) values)[position];
			return true;
		case 's':
			*out = ((const int16_t *) values)[position];
			return true;
		case 'i':
			*out = ((const int32_t *) values)[position];
			return true;
		case 'l':
			*out = ((const int64_t *) values)[position];
			return true;
		default:
			return false;
	}
}

bool
array_range(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, int64_t *first,
			int64_t *end)
{
	int64_t position = array->offset + index;

	if (strcmp(schema->format, "+l") == 0 || strcmp(schema->format, "+m") == 0)
	{
		const int32_t *offsets = array->buffers[1];

		*first = offsets[position];
		*end = offsets[position + 1];
		return true;
	}
	if (strcmp(schema->format, "+L") == 0)
	{
		const int64_t *offsets = array->buffers[1];

		*first = offsets[position];
		*end = offsets[position + 1];
		return true;
	}
	return false;
}

static bool
write_struct(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Buffer *out,
			 IngestError *error)
{
	bool first = true;

	if (!buffer_append(out, "{", 1, error))
		return false;
	for (int64_t i = 0; i < schema->n_children; i++)
	{
		const struct ArrowSchema *child = schema->children[i];

		if (array_is_null(array->children[i], array->offset + index))
			continue;
		if ((!first && !buffer_append(out, ",", 1, error)) ||
			!json_write_string(out, child->name, strlen(child->name), error) || !buffer_append(out, ":", 1, error) ||
			!arrow_json_write(child, array->children[i], array->offset + index, out, error))
			return false;
		first = false;
	}
	return buffer_append(out, "}", 1, error);
}

static bool
write_list(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Buffer *out,
		   IngestError *error)
{
	int64_t first;
	int64_t end;

	if (!array_range(schema, array, index, &first, &end) || !buffer_append(out, "[", 1, error))
		return false;
	for (int64_t i = first; i < end; i++)
		if ((i > first && !buffer_append(out, ",", 1, error)) ||
			!arrow_json_write(schema->children[0], array->children[0], i, out, error))
			return false;
	return buffer_append(out, "]", 1, error);
}

static bool
write_map(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Buffer *out,
		  IngestError *error)
{
	const struct ArrowSchema *entry = schema->children[0];
	const struct ArrowArray *entries = array->children[0];
	int64_t first;
	int64_t end;

	if (entry->n_children != 2)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a map of a checkpoint has no value");
	if (!array_range(schema, array, index, &first, &end) || !buffer_append(out, "{", 1, error))
		return false;
	for (int64_t i = first + entries->offset; i < end + entries->offset; i++)
	{
		Span key;

		if (array_is_null(entries->children[0], i) || !array_bytes(entry->children[0], entries->children[0], i, &key))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "a map of a checkpoint has a key that is no text");
		if ((i > first + entries->offset && !buffer_append(out, ",", 1, error)) ||
			!json_write_string(out, key.data, key.length, error) || !buffer_append(out, ":", 1, error) ||
			!arrow_json_write(entry->children[1], entries->children[1], i, out, error))
			return false;
	}
	return buffer_append(out, "}", 1, error);
}

bool
arrow_json_write(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Buffer *out,
				 IngestError *error)
{
	Span text;
	int64_t number;

	if (array_is_null(array, index) || strcmp(schema->format, "n") == 0)
		return buffer_append(out, "null", 4, error);
	if (strcmp(schema->format, "+s") == 0)
		return write_struct(schema, array, index, out, error);
	if (strcmp(schema->format, "+m") == 0)
		return write_map(schema, array, index, out, error);
	if (strcmp(schema->format, "+l") == 0 || strcmp(schema->format, "+L") == 0)
		return write_list(schema, array, index, out, error);
	if (array_bytes(schema, array, index, &text))
		return json_write_string(out, text.data, text.length, error);
	if (array_integer(schema, array, index, &number))
		return buffer_printf(out, error, "%" PRId64, number);
	if (strcmp(schema->format, "b") == 0)
	{
		int64_t position = array->offset + index;
		bool value = ((const uint8_t *) array->buffers[1])[position >> 3] >> (position & 7) & 1;

		return buffer_append_string(out, value ? "true" : "false", error);
	}
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "unexpected type \"%s\" of \"%s\" in a checkpoint", schema->format,
					   schema->name);
}
