/*-------------------------------------------------------------------------
 *
 * arrow_type.c
 *	  Format strings of the Arrow C Data Interface, and plain reads of values.
 *
 * An ArrowType is what the format string and the extension name of one schema node say,
 * without its children.  It is small and lives on stacks.  Types nobody here produces
 * (unions, run-end encoding, views) are UNSUPPORTED.
 *
 * Metadata is Arrow's encoding: int32 count, then each key and value with an int32 length
 * before it, in host byte order.  Keys that count:
 *	  ARROW:extension:name		   arrow.uuid, arrow.json, arrow.parquet.variant
 *	  PARQUET:adjusted_to_utc	   "true" on a time: its text ends in +00
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch/arrow_internal.h"

#define DECIMAL_PRECISION_MAX 76
#define FIXED_WIDTH_MAX (64 * 1024 * 1024)

/* ---- the format string ---------------------------------------------------------- */

static const char *const simple_formats = "nbcCsSiIlLefgzZuU";

static const ArrowType simple_types[] = {
	{.kind = ARROW_NULL},
	{.kind = ARROW_BOOLEAN},
	{.kind = ARROW_INT8, .width = 1},
	{.kind = ARROW_UINT8, .width = 1},
	{.kind = ARROW_INT16, .width = 2},
	{.kind = ARROW_UINT16, .width = 2},
	{.kind = ARROW_INT32, .width = 4},
	{.kind = ARROW_UINT32, .width = 4},
	{.kind = ARROW_INT64, .width = 8},
	{.kind = ARROW_UINT64, .width = 8},
	{.kind = ARROW_FLOAT16, .width = 2},
	{.kind = ARROW_FLOAT32, .width = 4},
	{.kind = ARROW_FLOAT64, .width = 8},
	{.kind = ARROW_BINARY},
	{.kind = ARROW_BINARY, .large = true},
	{.kind = ARROW_STRING},
	{.kind = ARROW_STRING, .large = true},
};

/* "d:precision,scale[,bits]" */
static bool
read_decimal(const char *format, ArrowType *type)
{
	int bits = 128;
	int parts = sscanf(format, "d:%d,%d,%d", &type->precision, &type->scale, &bits);

	type->kind = ARROW_DECIMAL;
	type->width = bits / 8;
	return parts >= 2 && (bits == 32 || bits == 64 || bits == 128 || bits == 256) && type->precision > 0 &&
		   type->precision <= DECIMAL_PRECISION_MAX && abs(type->scale) <= DECIMAL_PRECISION_MAX;
}

/* s, m, u, n: seconds and their parts */
static bool
read_unit(char unit, ArrowType *type)
{
	switch (unit)
	{
		case 's':
			type->fraction_digits = 0;
			return true;
		case 'm':
			type->fraction_digits = 3;
			return true;
		case 'u':
			type->fraction_digits = 6;
			return true;
		case 'n':
			type->fraction_digits = 9;
			return true;
		default:
			return false;
	}
}

static bool
read_temporal(const char *format, ArrowType *type)
{
	type->width = 8;
	switch (format[1])
	{
		case 'd':
			type->kind = ARROW_DATE;
			type->width = format[2] == 'D' ? 4 : 8;
			type->fraction_digits = format[2] == 'D' ? 0 : 3;
			return strcmp(format, "tdD") == 0 || strcmp(format, "tdm") == 0;
		case 't':
			type->kind = ARROW_TIME;
			if (!read_unit(format[2], type) || format[3] != '\0')
				return false;
			type->width = type->fraction_digits <= 3 ? 4 : 8;
			return true;
		case 's':
			type->kind = ARROW_TIMESTAMP;
			if (!read_unit(format[2], type) || format[3] != ':')
				return false;
			type->zone = format[4] != '\0';
			return true;
		case 'D':
			type->kind = ARROW_DURATION;
			return read_unit(format[2], type) && format[3] == '\0';
		case 'i':
			type->kind = format[2] == 'M' ? ARROW_MONTHS : format[2] == 'D' ? ARROW_DAYS_TIME : ARROW_MONTHS_DAYS_NANO;
			type->width = format[2] == 'M' ? 4 : format[2] == 'D' ? 8 : 16;
			return strcmp(format, "tiM") == 0 || strcmp(format, "tiD") == 0 || strcmp(format, "tin") == 0;
		default:
			return false;
	}
}

static bool
read_width(const char *text, ArrowType *type)
{
	char *end;
	long width = strtol(text, &end, 10);

	type->width = (int) width;
	return end != text && *end == '\0' && width >= 0 && width <= FIXED_WIDTH_MAX;
}

static bool
read_nested(const char *format, ArrowType *type)
{
	switch (format[1])
	{
		case 'l':
		case 'L':
			type->kind = ARROW_LIST;
			type->large = format[1] == 'L';
			return format[2] == '\0';
		case 'w':
			type->kind = ARROW_FIXED_LIST;
			return format[2] == ':' && read_width(format + 3, type);
		case 's':
			type->kind = ARROW_STRUCT;
			return format[2] == '\0';
		case 'm':
			type->kind = ARROW_MAP;
			return format[2] == '\0';
		default:
			return false;
	}
}

static bool
read_format(const char *format, ArrowType *type)
{
	const char *simple;

	switch (format[0])
	{
		case '\0':
			return false;
		case 'd':
			return read_decimal(format, type);
		case 't':
			return read_temporal(format, type);
		case 'w':
			type->kind = ARROW_FIXED_BINARY;
			return format[1] == ':' && read_width(format + 2, type);
		case '+':
			return read_nested(format, type);
		default:
			simple = format[1] == '\0' ? strchr(simple_formats, format[0]) : NULL;
			if (simple == NULL)
				return false;
			*type = simple_types[simple - simple_formats];
			return true;
	}
}

/* ---- metadata ------------------------------------------------------------------------- */

static Span
metadata_value(const char *metadata, const char *key)
{
	int32_t count;

	if (metadata == NULL)
		return (Span){NULL, 0};
	memcpy(&count, metadata, sizeof(count));
	metadata += sizeof(count);
	for (int32_t i = 0; i < count; i++)
	{
		Span pair[2];

		for (int part = 0; part < 2; part++)
		{
			int32_t length;

			memcpy(&length, metadata, sizeof(length));
			pair[part] = (Span){metadata + sizeof(length), (size_t) length};
			metadata += sizeof(length) + (size_t) length;
		}
		if (span_equals(pair[0], key))
			return pair[1];
	}
	return (Span){NULL, 0};
}

bool
arrow_type_read(const struct ArrowSchema *schema, ArrowType *type, IngestError *error)
{
	*type = (ArrowType){.kind = ARROW_NULL};
	if (schema->format == NULL || !read_format(schema->format, type))
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "columns of Arrow type \"%.40s\" are not supported",
						   schema->format == NULL ? "" : schema->format);
	if (schema->metadata != NULL)
	{
		Span extension = metadata_value(schema->metadata, "ARROW:extension:name");

		if (span_equals(extension, "arrow.uuid") && type->kind == ARROW_FIXED_BINARY && type->width == 16)
			type->extension = ARROW_EXTENSION_UUID;
		if (span_equals(extension, "arrow.json") && type->kind == ARROW_STRING)
			type->extension = ARROW_EXTENSION_JSON;
		if (span_equals(extension, "arrow.parquet.variant") && type->kind == ARROW_STRUCT)
			type->extension = ARROW_EXTENSION_VARIANT;
		if (type->kind == ARROW_TIME)
			type->zone = span_equals(metadata_value(schema->metadata, "PARQUET:adjusted_to_utc"), "true");
	}
	return true;
}

void
arrow_type_name(const ArrowType *type, char out[ARROW_TYPE_NAME_MAX])
{
	static const char *const names[] = {
		[ARROW_NULL] = "null",
		[ARROW_BOOLEAN] = "boolean",
		[ARROW_INT8] = "int8",
		[ARROW_INT16] = "int16",
		[ARROW_INT32] = "int32",
		[ARROW_INT64] = "int64",
		[ARROW_UINT8] = "uint8",
		[ARROW_UINT16] = "uint16",
		[ARROW_UINT32] = "uint32",
		[ARROW_UINT64] = "uint64",
		[ARROW_FLOAT16] = "float16",
		[ARROW_FLOAT32] = "float",
		[ARROW_FLOAT64] = "double",
		[ARROW_DECIMAL] = "decimal",
		[ARROW_STRING] = "string",
		[ARROW_BINARY] = "binary",
		[ARROW_FIXED_BINARY] = "fixed binary",
		[ARROW_DATE] = "date",
		[ARROW_TIME] = "time",
		[ARROW_TIMESTAMP] = "timestamp without time zone",
		[ARROW_DURATION] = "duration",
		[ARROW_MONTHS] = "interval",
		[ARROW_DAYS_TIME] = "interval",
		[ARROW_MONTHS_DAYS_NANO] = "interval",
		[ARROW_LIST] = "list",
		[ARROW_FIXED_LIST] = "list",
		[ARROW_STRUCT] = "struct",
		[ARROW_MAP] = "map",
	};

	if (type->kind == ARROW_DECIMAL)
		snprintf(out, ARROW_TYPE_NAME_MAX, "decimal(%d,%d)", type->precision, type->scale);
	else if (type->extension == ARROW_EXTENSION_UUID)
		snprintf(out, ARROW_TYPE_NAME_MAX, "uuid");
	else if (type->extension == ARROW_EXTENSION_VARIANT)
		snprintf(out, ARROW_TYPE_NAME_MAX, "variant");
	else if (type->kind == ARROW_TIMESTAMP && type->zone)
		snprintf(out, ARROW_TYPE_NAME_MAX, "timestamp");
	else
		snprintf(out, ARROW_TYPE_NAME_MAX, "%s", names[type->kind]);
}

bool
arrow_shape_check(const struct ArrowSchema *schema, const ArrowType *type, const struct ArrowArray *array,
				  IngestError *error)
{
	int64_t buffers = 2;
	int64_t children = 0;

	switch (type->kind)
	{
		case ARROW_NULL:
			buffers = 0;
			break;
		case ARROW_STRING:
		case ARROW_BINARY:
			buffers = 3;
			break;
		case ARROW_LIST:
		case ARROW_MAP:
			children = 1;
			break;
		case ARROW_FIXED_LIST:
			buffers = 1;
			children = 1;
			break;
		case ARROW_STRUCT:
			buffers = 1;
			children = schema->n_children;
			break;
		default:
			break;
	}
	if (schema->dictionary != NULL)
	{
		buffers = 2;
		children = 0;
	}
	if (array->n_buffers < buffers || array->n_children < children || schema->n_children < children ||
		(schema->dictionary != NULL) != (array->dictionary != NULL))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "column \"%s\" does not have the shape of its type",
						   schema->name == NULL ? "" : schema->name);
	return true;
}

/* ---- reading values ------------------------------------------------------------------------- */

#define READ_AS(c_type)                                                                                                \
	{                                                                                                                  \
		c_type value;                                                                                                  \
		memcpy(&value, position, sizeof(value));                                                                       \
		return (int64_t) value;                                                                                        \
	}

int64_t
arrow_integer(const ArrowType *type, const struct ArrowArray *array, int64_t row)
{
	const unsigned char *position = arrow_values(array, type->width) + row * type->width;

	switch (type->kind)
	{
		case ARROW_UINT8:
			READ_AS(uint8_t)
		case ARROW_UINT16:
			READ_AS(uint16_t)
		case ARROW_UINT32:
			READ_AS(uint32_t)
		default:
			break;
	}
	switch (type->width)
	{
		case 1:
			READ_AS(int8_t)
		case 2:
			READ_AS(int16_t)
		case 4:
			READ_AS(int32_t)
		default:
			READ_AS(int64_t)
	}
}

/* Offsets row and row + 1, of either width. */
static void
read_offsets(const struct ArrowArray *array, bool large, int64_t row, int64_t *from, int64_t *to)
{
	int64_t index = row + array->offset;

	if (large)
	{
		const int64_t *offsets = array->buffers[1];

		*from = offsets[index];
		*to = offsets[index + 1];
	}
	else
	{
		const int32_t *offsets = array->buffers[1];

		*from = offsets[index];
		*to = offsets[index + 1];
	}
}

Span
arrow_bytes(const ArrowType *type, const struct ArrowArray *array, int64_t row)
{
	int64_t from;
	int64_t to;

	if (type->kind == ARROW_FIXED_BINARY)
		return (Span){(const char *) arrow_values(array, type->width) + row * type->width, (size_t) type->width};
	read_offsets(array, type->large, row, &from, &to);
	if (to <= from || array->buffers[2] == NULL)
		return (Span){"", 0};
	return (Span){(const char *) array->buffers[2] + from, (size_t) (to - from)};
}

void
arrow_elements(const ArrowType *type, const struct ArrowArray *array, int64_t row, int64_t *first, int64_t *count)
{
	int64_t to;

	if (type->kind == ARROW_FIXED_LIST)
	{
		*first = (row + array->offset) * type->width;
		*count = type->width;
		return;
	}
	read_offsets(array, type->large, row, first, &to);
	*count = to - *first;
}

float
arrow_half_float(uint16_t bits)
{
	int exponent = bits >> 10 & 31;
	int mantissa = bits & 1023;
	float magnitude;

	if (exponent == 31)
		magnitude = mantissa != 0 ? NAN : INFINITY;
	else if (exponent == 0)
		magnitude = ldexpf((float) mantissa, -24);
	else
		magnitude = ldexpf((float) (mantissa + 1024), exponent - 25);
	return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

void
arrow_split_time(int64_t value, int fraction_digits, int64_t *days, int64_t *seconds, int64_t *fraction)
{
	static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
	int64_t per_second = powers[fraction_digits];
	int64_t per_day = 86400 * per_second;
	int64_t within = value % per_day;

	*days = value / per_day;
	if (within < 0)
	{
		within += per_day;
		(*days)--;
	}
	*seconds = within / per_second;
	*fraction = within % per_second;
}
