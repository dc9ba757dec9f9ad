/*-------------------------------------------------------------------------
 *
 * variant_assemble.c
 *	  A variant from the columns it was shredded into.
 *
 * A group has value (binary) and typed_value (any type), each optional:
 *
 *	  neither			missing: not a field of its object; null at the top and in arrays
 *	  value				these bytes
 *	  typed_value		its value; an object's fields and an array's elements are such groups
 *	  both				an object: the shredded fields and what else is in value, the shredded ones
 *						winning; of anything else the typed value wins
 *
 * What is written has the smallest widths of ids and offsets and fields in the bytewise
 * order of their names.  Names that are not in the metadata are an error: the metadata is
 * shared with value and is passed on as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "common/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 65536

/* A field of an object that is being put together; its value lies in the scratch buffer. */
typedef struct AssembledField
{
	Span name;
	uint32_t id;
	size_t offset;
	size_t length;
} AssembledField;

typedef struct Assembler
{
	VariantDictionary dictionary;
	Buffer *out;
	IngestError *error;
	int depth;
} Assembler;

static bool assemble_group(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array,
						   int64_t row, bool *missing);

static bool
is_valid(const struct ArrowArray *array, int64_t row)
{
	const uint8_t *validity = array->n_buffers > 0 ? array->buffers[0] : NULL;
	int64_t position = array->offset + row;

	return validity == NULL || (validity[position >> 3] >> (position & 7) & 1) != 0;
}

static int64_t
child_index(const struct ArrowSchema *schema, const char *name)
{
	for (int64_t i = 0; i < schema->n_children; i++)
		if (strcmp(schema->children[i]->name, name) == 0)
			return i;
	return -1;
}

static bool
invalid(Assembler *assembler, const char *what)
{
	return ingest_fail(assembler->error, INGEST_ERROR_CORRUPT, "invalid shredded variant: %s", what);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static bool
put(Assembler *assembler, const void *data, size_t length)
{
	return buffer_append(assembler->out, data, length, assembler->error);
}

static bool
put_byte(Assembler *assembler, unsigned byte)
{
	uint8_t value = (uint8_t) byte;

	return put(assembler, &value, 1);
}

/* The low bytes of a number, which this machine keeps first. */
static bool
put_number(Assembler *assembler, uint64_t value, int width)
{
	return put(assembler, &value, (size_t) width);
}

static bool
put_primitive(Assembler *assembler, unsigned type, const void *data, size_t length)
{
	return put_byte(assembler, type << 2) && put(assembler, data, length);
}

static int
width_of(uint64_t number)
{
	return number < 1 << 8 ? 1 : number < 1 << 16 ? 2 : number < 1 << 24 ? 3 : 4;
}

static bool
put_text(Assembler *assembler, Span text)
{
	if (text.length < 64)
		return put_byte(assembler, (unsigned) text.length << 2 | 1) && put(assembler, text.data, text.length);
	return put_byte(assembler, 16 << 2) && put_number(assembler, text.length, 4) &&
		   put(assembler, text.data, text.length);
}

static bool
put_binary(Assembler *assembler, Span bytes)
{
	return put_byte(assembler, 15 << 2) && put_number(assembler, bytes.length, 4) &&
		   put(assembler, bytes.data, bytes.length);
}

static bool
put_decimal(Assembler *assembler, const char *format, const uint8_t *value)
{
	int precision;
	int scale;

	if (sscanf(format, "d:%d,%d", &precision, &scale) != 2 || strstr(format, ",256") != NULL || scale < 0 || scale > 38)
		return invalid(assembler, "a decimal's type");
	return put_byte(assembler, (precision <= 9    ? 8
								: precision <= 18 ? 9
												  : 10)
								   << 2) &&
		   put_byte(assembler, (unsigned) scale) &&
		   put(assembler, value,
			   precision <= 9    ? 4
			   : precision <= 18 ? 8
								 : 16);
}

/* ---- scalars -------------------------------------------------------------------------------------------- */

/* Formats of a fixed width and the primitive type they become. */
static const struct
{
	const char *format;
	uint8_t type;
	uint8_t width;
} fixed_types[] = {
	{"c", 3, 1},     {"s", 4, 2},        {"i", 5, 4},      {"l", 6, 8},     {"g", 7, 8},
	{"f", 14, 4},    {"tdD", 11, 4},     {"ttu", 17, 8},   {"tsu:", 13, 8}, {"tsu:UTC", 12, 8},
	{"tsn:", 19, 8}, {"tsn:UTC", 18, 8}, {"w:16", 20, 16},
};

static bool
assemble_bytes(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	const int32_t *offsets = array->buffers[1];
	int64_t at = array->offset + row;
	Span bytes = {(const char *) array->buffers[2] + offsets[at], (size_t) (offsets[at + 1] - offsets[at])};

	return schema->format[0] == 'u' ? put_text(assembler, bytes) : put_binary(assembler, bytes);
}

static bool
assemble_scalar(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	const uint8_t *values = array->n_buffers > 1 ? array->buffers[1] : NULL;
	int64_t at = array->offset + row;

	if (schema->dictionary != NULL || array->dictionary != NULL)
		return invalid(assembler, "a dictionary");
	if (strcmp(schema->format, "b") == 0)
		return put_byte(assembler, (values[at >> 3] >> (at & 7) & 1 ? 1 : 2) << 2);
	if (strcmp(schema->format, "u") == 0 || strcmp(schema->format, "z") == 0)
		return assemble_bytes(assembler, schema, array, row);
	if (strncmp(schema->format, "d:", 2) == 0)
		return put_decimal(assembler, schema->format, values + (size_t) at * 16);
	for (size_t i = 0; i < sizeof(fixed_types) / sizeof(fixed_types[0]); i++)
		if (strcmp(schema->format, fixed_types[i].format) == 0)
			return put_primitive(assembler, fixed_types[i].type, values + (size_t) at * fixed_types[i].width,
								 fixed_types[i].width);
	return ingest_fail(assembler->error, INGEST_ERROR_UNSUPPORTED, "a variant is shredded as the Arrow type \"%s\"",
					   schema->format);
}

/* ---- objects ---------------------------------------------------------------------------------------------- */

static int
compare_names(const void *left, const void *right)
{
	const Span *one = &((const AssembledField *) left)->name;
	const Span *other = &((const AssembledField *) right)->name;
	size_t shorter = one->length < other->length ? one->length : other->length;
	int order = memcmp(one->data, other->data, shorter);

	if (order != 0)
		return order;
	return one->length < other->length ? -1 : one->length > other->length;
}

/* Write the object whose fields' values lie in "values". */
static bool
put_object(Assembler *assembler, AssembledField *fields, uint32_t count, const Buffer *values)
{
	uint32_t greatest_id = 0;
	size_t total = 0;
	int id_width;
	int offset_width;

	qsort(fields, count, sizeof(AssembledField), compare_names);
	for (uint32_t i = 0; i < count; i++)
	{
		greatest_id = fields[i].id > greatest_id ? fields[i].id : greatest_id;
		total += fields[i].length;
	}
	id_width = width_of(greatest_id);
	offset_width = width_of(total);
	if (!put_byte(assembler,
				  ((count > 255 ? 1u : 0u) << 4 | (unsigned) (id_width - 1) << 2 | (unsigned) (offset_width - 1)) << 2 |
					  2) ||
		!put_number(assembler, count, count > 255 ? 4 : 1))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!put_number(assembler, fields[i].id, id_width))
			return false;
	total = 0;
	for (uint32_t i = 0; i <= count; i++)
	{
		if (!put_number(assembler, total, offset_width))
			return false;
		total += i < count ? fields[i].length : 0;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!put(assembler, values->data + fields[i].offset, fields[i].length))
			return false;
	return true;
}

static bool
find_id(Assembler *assembler, Span name, uint32_t *id)
{
	for (*id = 0; *id < assembler->dictionary.count; (*id)++)
	{
		Span known;

		if (!variant_dictionary_name(&assembler->dictionary, *id, &known, assembler->error))
			return false;
		if (known.length == name.length && memcmp(known.data, name.data, name.length) == 0)
			return true;
	}
	return invalid(assembler, "a field's name is not in the metadata");
}

/* The shredded fields that are there. */
static bool
collect_typed_fields(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array,
					 int64_t row, AssembledField *fields, uint32_t *count)
{
	for (int64_t i = 0; i < schema->n_children; i++)
	{
		AssembledField *field = &fields[*count];
		bool missing;

		field->name = (Span){schema->children[i]->name, strlen(schema->children[i]->name)};
		field->offset = assembler->out->length;
		if (!assemble_group(assembler, schema->children[i], array->children[i], array->offset + row, &missing))
			return false;
		if (missing)
			continue;
		field->length = assembler->out->length - field->offset;
		if (!find_id(assembler, field->name, &field->id))
			return false;
		(*count)++;
	}
	return true;
}

static bool
is_collected(const AssembledField *fields, uint32_t count, uint32_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (fields[i].id == id)
			return true;
	return false;
}

/* The fields of value that did not come from a column. */
static bool
collect_other_fields(Assembler *assembler, const VariantValue *value, AssembledField *fields, uint32_t *count)
{
	uint32_t typed = *count;

	for (uint32_t i = 0; i < value->count; i++)
	{
		AssembledField *field = &fields[*count];
		VariantValue child;
		Span bytes;

		field->id = variant_field_id(value, i);
		field->offset = assembler->out->length;
		if (!variant_dictionary_name(&assembler->dictionary, field->id, &field->name, assembler->error))
			return false;
		if (is_collected(fields, typed, field->id))
			continue;
		if (!variant_child(value, i, &bytes, assembler->error) || !variant_read(bytes, &child, assembler->error) ||
			!put(assembler, bytes.data, child.size))
			return false;
		field->length = child.size;
		(*count)++;
	}
	return true;
}

static bool
assemble_object(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
				const VariantValue *others)
{
	uint64_t most = (uint64_t) schema->n_children + (others != NULL ? others->count : 0);
	AssembledField *fields;
	Buffer *out = assembler->out;
	Buffer values;
	uint32_t count = 0;
	bool done;

	if (most > MAX_FIELDS)
		return invalid(assembler, "too many fields");
	fields = calloc((size_t) most + 1, sizeof(AssembledField));
	if (fields == NULL)
		return ingest_out_of_memory(assembler->error);
	buffer_init(&values, out->limit);
	assembler->out = &values;
	done = collect_typed_fields(assembler, schema, array, row, fields, &count) &&
		   (others == NULL || collect_other_fields(assembler, others, fields, &count));
	assembler->out = out;
	done = done && put_object(assembler, fields, count, &values);
	buffer_release(&values);
	free(fields);
	return done;
}

/* ---- arrays -------------------------------------------------------------------------------------------------- */

static bool
assemble_list(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	const int32_t *offsets = (const int32_t *) array->buffers[1] + array->offset;
	uint32_t count = (uint32_t) (offsets[row + 1] - offsets[row]);
	size_t *ends = calloc((size_t) count + 1, sizeof(size_t));
	Buffer *out = assembler->out;
	Buffer values;
	int width;
	bool done = ends != NULL || ingest_out_of_memory(assembler->error);

	buffer_init(&values, out->limit);
	assembler->out = &values;
	for (uint32_t i = 0; i < count && done; i++)
	{
		bool missing;

		done =
			assemble_group(assembler, schema->children[0], array->children[0], offsets[row] + (int64_t) i, &missing) &&
			(!missing || put_byte(assembler, 0));
		ends[i + 1] = values.length;
	}
	assembler->out = out;
	width = width_of(values.length);
	done = done && put_byte(assembler, ((count > 255 ? 1u : 0u) << 2 | (unsigned) (width - 1)) << 2 | 3) &&
		   put_number(assembler, count, count > 255 ? 4 : 1);
	for (uint32_t i = 0; i <= count && done; i++)
		done = put_number(assembler, ends[i], width);
	done = done && put(assembler, values.data, values.length);
	buffer_release(&values);
	free(ends);
	return done;
}

/* ---- groups -------------------------------------------------------------------------------------------------- */

/* The bytes of "value" in this row; length 0: null or no such column. */
static bool
read_value(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
		   Span *out)
{
	int64_t index = child_index(schema, "value");
	const struct ArrowArray *values;
	const int32_t *offsets;
	int64_t at;

	*out = (Span){"", 0};
	if (index < 0)
		return true;
	if (strcmp(schema->children[index]->format, "z") != 0)
		return invalid(assembler, "value is not binary");
	values = array->children[index];
	at = array->offset + row;
	if (!is_valid(values, at))
		return true;
	offsets = values->buffers[1];
	at += values->offset;
	*out = (Span){(const char *) values->buffers[2] + offsets[at], (size_t) (offsets[at + 1] - offsets[at])};
	return out->length > 0 || invalid(assembler, "value is empty");
}

static bool
assemble_typed(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
			   Span value)
{
	VariantValue others;
	bool has_others = false;

	if (strcmp(schema->format, "+l") == 0)
		return assemble_list(assembler, schema, array, row);
	if (strcmp(schema->format, "+s") != 0)
		return assemble_scalar(assembler, schema, array, row);
	if (value.length > 0)
	{
		if (!variant_read(value, &others, assembler->error))
			return false;
		has_others = others.kind == VARIANT_OBJECT;
	}
	return assemble_object(assembler, schema, array, row, has_others ? &others : NULL);
}

static bool
assemble_group(Assembler *assembler, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
			   bool *missing)
{
	int64_t typed = child_index(schema, "typed_value");
	VariantValue plain;
	Span value;
	bool done;

	*missing = false;
	if (strcmp(schema->format, "+s") != 0)
		return invalid(assembler, "a field is no group");
	if (assembler->depth++ == VARIANT_MAX_DEPTH)
		return ingest_fail(assembler->error, INGEST_ERROR_LIMIT, "a variant is nested deeper than %d levels",
						   VARIANT_MAX_DEPTH);
	if (!is_valid(array, row))
		value = (Span){"", 0}, typed = -1;
	else if (!read_value(assembler, schema, array, row, &value))
		return false;
	if (typed >= 0 && is_valid(array->children[typed], array->offset + row))
		done = assemble_typed(assembler, schema->children[typed], array->children[typed], array->offset + row, value);
	else if (value.length > 0)
		done = variant_read(value, &plain, assembler->error) && put(assembler, value.data, plain.size);
	else
		*missing = done = true;
	assembler->depth--;
	return done;
}

bool
variant_assemble(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, Span *metadata,
				 Buffer *out, IngestError *error)
{
	int64_t index = child_index(schema, "metadata");
	Assembler assembler = {.out = out, .error = error};
	const struct ArrowArray *names;
	const int32_t *offsets;
	int64_t at = array->offset + row;
	bool missing;

	*metadata = (Span){"", 0};
	if (!is_valid(array, row))
		return true;
	if (index < 0 || strcmp(schema->children[index]->format, "z") != 0)
		return invalid(&assembler, "it has no metadata");
	names = array->children[index];
	if (!is_valid(names, at))
		return invalid(&assembler, "its metadata is null");
	offsets = (const int32_t *) names->buffers[1] + names->offset;
	*metadata = (Span){(const char *) names->buffers[2] + offsets[at], (size_t) (offsets[at + 1] - offsets[at])};
	return variant_dictionary_open(*metadata, &assembler.dictionary, error) &&
		   assemble_group(&assembler, schema, array, row, &missing) && (!missing || put_byte(&assembler, 0));
}
