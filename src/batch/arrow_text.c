/*-------------------------------------------------------------------------
 *
 * arrow_text.c
 *	  One Arrow value as text or as JSON.
 *
 * Text is what the server's output functions print with TimeZone UTC, DateStyle ISO,
 * IntervalStyle postgres, extra_float_digits 1 and bytea_output hex.  In JSON integers,
 * finite floats and booleans are bare; decimals, which no reader of JSON numbers keeps
 * exactly, and everything else are strings; a struct is an object with all its fields, a
 * list an array, a map an array of {"key", "value"} in the file's order.
 *
 * Nanoseconds show their digits; the server would not hold them, but a file does.
 *
 * What is written is checked to be UTF-8 at the end, in the two exported functions of the
 * door; else CORRUPT.  Depth is bounded by DEPTH_MAX.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "batch/arrow_internal.h"

#define DEPTH_MAX 128

/* ---- values of fixed width --------------------------------------------------------- */

/* "1 year", "-3 days": as AddPostgresIntPart in the server's datetime.c. */
static char *
write_interval_part(char *out, int value, const char *unit, bool *zero, bool *before)
{
	if (value == 0)
		return out;
	out += sprintf(out, "%s%s%d %s%s", *zero ? "" : " ", *before && value > 0 ? "+" : "", value, unit,
				   value != 1 ? "s" : "");
	*before = value < 0;
	*zero = false;
	return out;
}

size_t
interval_to_text(char *out, int32_t months, int32_t days, int64_t microseconds)
{
	bool zero = true;
	bool before = false;
	uint64_t magnitude = microseconds < 0 ? -(uint64_t) microseconds : (uint64_t) microseconds;
	uint64_t fraction = magnitude % 1000000;
	uint64_t seconds = magnitude / 1000000;
	char *position = out;

	position = write_interval_part(position, months / 12, "year", &zero, &before);
	position = write_interval_part(position, months % 12, "mon", &zero, &before);
	position = write_interval_part(position, days, "day", &zero, &before);
	*position = '\0';
	if (!zero && microseconds == 0)
		return (size_t) (position - out);
	position +=
		sprintf(position, "%s%s%02" PRIu64 ":%02d:%02d", zero ? "" : " ", microseconds < 0 ? "-" : (before ? "+" : ""),
				seconds / 3600, (int) (seconds / 60 % 60), (int) (seconds % 60));
	if (fraction != 0)
	{
		position += sprintf(position, ".%06d", (int) fraction);
		while (position[-1] == '0')
			*--position = '\0';
	}
	return (size_t) (position - out);
}

void
arrow_interval(const ArrowType *type, const struct ArrowArray *array, int64_t row, int32_t *months, int32_t *days,
			   int64_t *microseconds)
{
	const unsigned char *bytes = arrow_values(array, type->width) + row * type->width;
	int64_t count;
	int32_t milliseconds;

	*months = *days = 0;
	*microseconds = 0;
	switch (type->kind)
	{
		case ARROW_MONTHS:
			memcpy(months, bytes, 4);
			break;
		case ARROW_DAYS_TIME:
			memcpy(days, bytes, 4);
			memcpy(&milliseconds, bytes + 4, 4);
			*microseconds = (int64_t) milliseconds * 1000;
			break;
		case ARROW_MONTHS_DAYS_NANO:
			memcpy(months, bytes, 4);
			memcpy(days, bytes + 4, 4);
			memcpy(&count, bytes + 8, 8);
			*microseconds = count / 1000 - (count % 1000 < 0);
			break;
		default:
			memcpy(&count, bytes, 8);
			if (type->fraction_digits == 9)
				*microseconds = count / 1000 - (count % 1000 < 0);
			else if (__builtin_mul_overflow(count,
											type->fraction_digits == 6   ? INT64_C(1)
											: type->fraction_digits == 3 ? INT64_C(1000)
																		 : INT64_C(1000000),
											microseconds))
				*microseconds = count < 0 ? INT64_MIN : INT64_MAX;
			break;
	}
}

static size_t
float_to_text(const ArrowType *type, const struct ArrowArray *array, int64_t row, char *out)
{
	const unsigned char *bytes = arrow_values(array, type->width) + row * type->width;
	uint16_t half;
	float narrow;
	double wide;

	switch (type->kind)
	{
		case ARROW_FLOAT16:
			memcpy(&half, bytes, 2);
			return float4_to_text(out, arrow_half_float(half));
		case ARROW_FLOAT32:
			memcpy(&narrow, bytes, 4);
			return float4_to_text(out, narrow);
		default:
			memcpy(&wide, bytes, 8);
			return float8_to_text(out, wide);
	}
}

static size_t
temporal_to_text(const ArrowType *type, int64_t value, char *out)
{
	int64_t days;
	int64_t seconds;
	int64_t fraction;

	if (type->kind == ARROW_DATE && type->fraction_digits == 0)
		return date_to_text(out, value - EPOCH_DAYS);
	arrow_split_time(value, type->fraction_digits, &days, &seconds, &fraction);
	if (type->kind == ARROW_DATE)
		return date_to_text(out, days - EPOCH_DAYS);
	if (type->kind == ARROW_TIME)
		return time_to_text(out, seconds, fraction, type->fraction_digits, type->zone);
	return timestamp_to_text(out, days - EPOCH_DAYS, seconds, fraction, type->fraction_digits, type->zone);
}

size_t
arrow_uuid_to_text(const unsigned char *bytes, char *out)
{
	char *position = out;

	for (int i = 0; i < 16; i++)
		position += sprintf(position, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
	return (size_t) (position - out);
}

size_t
arrow_scalar_to_text(const ArrowType *type, const struct ArrowArray *array, int64_t row, char *out)
{
	int32_t months;
	int32_t days;
	int64_t microseconds;

	switch (type->kind)
	{
		case ARROW_BOOLEAN:
			out[0] = arrow_boolean(array, row) ? 't' : 'f';
			return 1;
		case ARROW_FLOAT16:
		case ARROW_FLOAT32:
		case ARROW_FLOAT64:
			return float_to_text(type, array, row, out);
		case ARROW_DECIMAL:
			return decimal_to_text(out, arrow_values(array, type->width) + row * type->width, (size_t) type->width,
								   type->scale);
		case ARROW_FIXED_BINARY:
			return arrow_uuid_to_text(arrow_values(array, type->width) + row * type->width, out);
		case ARROW_DATE:
		case ARROW_TIME:
		case ARROW_TIMESTAMP:
			return temporal_to_text(type, arrow_integer(type, array, row), out);
		case ARROW_DURATION:
		case ARROW_MONTHS:
		case ARROW_DAYS_TIME:
		case ARROW_MONTHS_DAYS_NANO:
			arrow_interval(type, array, row, &months, &days, &microseconds);
			return interval_to_text(out, months, days, microseconds);
		case ARROW_UINT64:
			return (size_t) sprintf(out, "%" PRIu64, (uint64_t) arrow_integer(type, array, row));
		default:
			return (size_t) sprintf(out, "%" PRId64, arrow_integer(type, array, row));
	}
}

/* ---- all values ---------------------------------------------------------------------- */

static bool
write_hex(Span bytes, const char *prefix, Buffer *out, IngestError *error)
{
	static const char digits[] = "0123456789abcdef";
	size_t prefix_length = strlen(prefix);
	char *position;

	if (!buffer_reserve(out, bytes.length * 2 + prefix_length, error))
		return false;
	position = out->data + out->length;
	memcpy(position, prefix, prefix_length);
	position += prefix_length;
	for (size_t i = 0; i < bytes.length; i++)
	{
		*position++ = digits[(unsigned char) bytes.data[i] >> 4];
		*position++ = digits[(unsigned char) bytes.data[i] & 15];
	}
	out->length = (size_t) (position - out->data);
	return true;
}

static bool write_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, int depth,
					   Buffer *out, IngestError *error);

static bool
write_json_list(const ArrowType *type, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
				int depth, Buffer *out, IngestError *error)
{
	int64_t first;
	int64_t count;

	arrow_elements(type, array, row, &first, &count);
	if (!buffer_append(out, "[", 1, error))
		return false;
	for (int64_t i = 0; i < count; i++)
	{
		if ((i > 0 && !buffer_append(out, ",", 1, error)) ||
			!write_json(schema->children[0], array->children[0], first + i, depth + 1, out, error))
			return false;
	}
	return buffer_append(out, "]", 1, error);
}

/* "map_entry": of a map, whose fields are called key and value whatever the file says. */
static bool
write_json_struct(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool map_entry,
				  int depth, Buffer *out, IngestError *error)
{
	if (!buffer_append(out, "{", 1, error))
		return false;
	for (int64_t i = 0; i < schema->n_children; i++)
	{
		const struct ArrowSchema *child = schema->children[i];
		const char *name = map_entry ? (i == 0 ? "key" : "value") : child->name == NULL ? "" : child->name;

		if ((i > 0 && !buffer_append(out, ",", 1, error)) || !json_write_string(out, name, strlen(name), error) ||
			!buffer_append(out, ":", 1, error) ||
			!write_json(child, array->children[i], row + array->offset, depth + 1, out, error))
			return false;
	}
	return buffer_append(out, "}", 1, error);
}

static bool
write_json_map(const ArrowType *type, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
			   int depth, Buffer *out, IngestError *error)
{
	const struct ArrowSchema *entry_schema = schema->children[0];
	const struct ArrowArray *entries = array->children[0];
	ArrowType entry_type;
	int64_t first;
	int64_t count;

	if (!arrow_type_read(entry_schema, &entry_type, error) ||
		!arrow_shape_check(entry_schema, &entry_type, entries, error))
		return false;
	arrow_elements(type, array, row, &first, &count);
	if (!buffer_append(out, "[", 1, error))
		return false;
	for (int64_t i = 0; i < count; i++)
	{
		if ((i > 0 && !buffer_append(out, ",", 1, error)) ||
			!write_json_struct(entry_schema, entries, first + i, true, depth + 1, out, error))
			return false;
	}
	return buffer_append(out, "]", 1, error);
}

/* Is the value's text, as it stands, a JSON number? */
static bool
is_bare(const ArrowType *type, const char *text)
{
	if (type->kind >= ARROW_INT8 && type->kind <= ARROW_UINT64)
		return true;
	return type->kind >= ARROW_FLOAT16 && type->kind <= ARROW_FLOAT64 && strchr("NI", text[text[0] == '-']) == NULL;
}

static bool
write_json_scalar(const ArrowType *type, const struct ArrowArray *array, int64_t row, Buffer *out, IngestError *error)
{
	char text[ARROW_SCALAR_TEXT_MAX];
	size_t length;

	if (type->kind == ARROW_BOOLEAN)
		return buffer_append_string(out, arrow_boolean(array, row) ? "true" : "false", error);
	length = arrow_scalar_to_text(type, array, row, text);
	if (is_bare(type, text))
		return buffer_append(out, text, length, error);
	return json_write_string(out, text, length, error);
}

static bool
is_hex(const ArrowType *type)
{
	return type->kind == ARROW_BINARY || (type->kind == ARROW_FIXED_BINARY && type->extension != ARROW_EXTENSION_UUID);
}

/* Follow a dictionary: *schema, *array and *row become those of the value itself. */
static bool
resolve(const struct ArrowSchema **schema, const struct ArrowArray **array, int64_t *row, ArrowType *type,
		IngestError *error)
{
	int64_t index;

	if (!arrow_type_read(*schema, type, error) || !arrow_shape_check(*schema, type, *array, error))
		return false;
	if ((*schema)->dictionary == NULL || !arrow_is_valid(*array, *row))
		return true;
	index = arrow_integer(type, *array, *row);
	*schema = (*schema)->dictionary;
	*array = (*array)->dictionary;
	if (index < 0 || index >= (*array)->length)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a dictionary index is outside its dictionary");
	*row = index;
	return arrow_type_read(*schema, type, error) && arrow_shape_check(*schema, type, *array, error);
}

static bool
write_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, int depth, Buffer *out,
		   IngestError *error)
{
	ArrowType type;
	Span text;

	if (depth > DEPTH_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a value is nested deeper than %d levels", DEPTH_MAX);
	if (!resolve(&schema, &array, &row, &type, error))
		return false;
	if (type.kind == ARROW_NULL || !arrow_is_valid(array, row))
		return buffer_append(out, "null", 4, error);
	switch (type.kind)
	{
		case ARROW_LIST:
		case ARROW_FIXED_LIST:
			return write_json_list(&type, schema, array, row, depth, out, error);
		case ARROW_MAP:
			return write_json_map(&type, schema, array, row, depth, out, error);
		case ARROW_STRUCT:
			if (type.extension == ARROW_EXTENSION_VARIANT)
				return arrow_write_variant(schema, array, row, depth, out, error);
			return write_json_struct(schema, array, row, false, depth, out, error);
		case ARROW_STRING:
			text = arrow_bytes(&type, array, row);
			return json_write_string(out, text.data, text.length, error);
		default:
			break;
	}
	if (is_hex(&type))
		return write_hex(arrow_bytes(&type, array, row), "\"\\\\x", out, error) && buffer_append(out, "\"", 1, error);
	return write_json_scalar(&type, array, row, out, error);
}

bool
arrow_write_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, Buffer *out,
				 IngestError *error)
{
	return write_json(schema, array, row, 0, out, error);
}

/* The text of a value that is not null, in "type" after resolve. */
static bool
write_text(const ArrowType *type, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
		   Buffer *out, IngestError *error)
{
	char text[ARROW_SCALAR_TEXT_MAX];
	Span bytes;

	if (type->kind >= ARROW_LIST)
		return write_json(schema, array, row, 0, out, error);
	if (is_hex(type))
		return write_hex(arrow_bytes(type, array, row), "\\x", out, error);
	if (type->kind != ARROW_STRING)
		return buffer_append(out, text, arrow_scalar_to_text(type, array, row, text), error);
	bytes = arrow_bytes(type, array, row);
	return buffer_append(out, bytes.data, bytes.length, error);
}

/* All strings stand between ASCII characters: the whole is UTF-8 only if each of them is. */
static bool
check_utf8(const struct ArrowSchema *schema, const Buffer *out, size_t start, IngestError *error)
{
	if (out->length == start || utf8_is_valid(out->data + start, out->length - start))
		return true;
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "column \"%s\" holds a string that is not UTF-8",
					   schema->name == NULL ? "" : schema->name);
}

bool
arrow_value_to_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, Buffer *out,
					IngestError *error)
{
	size_t start = out->length;

	return write_json(schema, array, row, 0, out, error) && check_utf8(schema, out, start, error);
}

bool
arrow_value_to_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, Buffer *out,
					bool *is_null, IngestError *error)
{
	const struct ArrowSchema *column = schema;
	size_t start = out->length;
	ArrowType type;

	if (!resolve(&schema, &array, &row, &type, error))
		return false;
	*is_null = type.kind == ARROW_NULL || !arrow_is_valid(array, row);
	return *is_null || (write_text(&type, schema, array, row, out, error) && check_utf8(column, out, start, error));
}

/* ---- array literals ------------------------------------------------------------------------ */

static bool
write_quoted(const char *data, size_t length, Buffer *out, IngestError *error)
{
	if (!buffer_reserve(out, length * 2 + 2, error))
		return false;
	out->data[out->length++] = '"';
	for (size_t i = 0; i < length; i++)
	{
		if (data[i] == '"' || data[i] == '\\')
			out->data[out->length++] = '\\';
		out->data[out->length++] = data[i];
	}
	out->data[out->length++] = '"';
	return true;
}

static bool write_literal(const ArrowType *type, const struct ArrowSchema *schema, const struct ArrowArray *array,
						  int64_t row, bool json_elements, int depth, Buffer *out, IngestError *error);

static bool
write_literal_element(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool json_elements,
					  int depth, Buffer *out, IngestError *error)
{
	ArrowType type;
	Buffer text;
	bool done;

	if (!resolve(&schema, &array, &row, &type, error))
		return false;
	if (type.kind == ARROW_NULL || !arrow_is_valid(array, row))
		return buffer_append(out, "NULL", 4, error);
	if ((type.kind == ARROW_LIST || type.kind == ARROW_FIXED_LIST) && !json_elements)
		return write_literal(&type, schema, array, row, json_elements, depth + 1, out, error);
	if (type.kind < ARROW_STRING && !json_elements)
	{
		if (!buffer_reserve(out, ARROW_SCALAR_TEXT_MAX, error))
			return false;
		out->length += arrow_scalar_to_text(&type, array, row, out->data + out->length);
		return true;
	}
	buffer_init(&text, out->limit);
	done = json_elements ? write_json(schema, array, row, depth, &text, error)
						 : write_text(&type, schema, array, row, &text, error);
	done = done && write_quoted(text.data, text.length, out, error);
	buffer_release(&text);
	return done;
}

static bool
write_literal(const ArrowType *type, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
			  bool json_elements, int depth, Buffer *out, IngestError *error)
{
	int64_t first;
	int64_t count;

	if (depth > DEPTH_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a value is nested deeper than %d levels", DEPTH_MAX);
	arrow_elements(type, array, row, &first, &count);
	if (!buffer_append(out, "{", 1, error))
		return false;
	for (int64_t i = 0; i < count; i++)
	{
		if ((i > 0 && !buffer_append(out, ",", 1, error)) ||
			!write_literal_element(schema->children[0], array->children[0], first + i, json_elements, depth, out,
								   error))
			return false;
	}
	return buffer_append(out, "}", 1, error);
}

bool
arrow_write_literal(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool json_elements,
					Buffer *out, IngestError *error)
{
	ArrowType type;

	return arrow_type_read(schema, &type, error) && arrow_shape_check(schema, &type, array, error) &&
		   write_literal(&type, schema, array, row, json_elements, 0, out, error);
}
