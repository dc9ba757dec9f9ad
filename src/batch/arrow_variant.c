/*-------------------------------------------------------------------------
 *
 * arrow_variant.c
 *	  A variant as plain JSON.
 *
 * The column is a struct of metadata, value and perhaps typed_value with the extension
 * name arrow.parquet.variant.  Objects, arrays, texts, numbers (decimals keep their
 * digits), booleans and null are JSON's own; dates, times and uuids are the texts that
 * the server prints; nanoseconds with a zone are divided to its microseconds, toward the
 * epoch, as other readers of variants do; binary is a text of \xNN a byte; NaN and
 * infinities are texts.  A null row and a variant that is null are the same here.
 *
 * Whoever made the bytes may be hostile: common/variant.c checks each read, depth is
 * bounded here, and a child that lies in more than one place cannot make the output
 * larger than the buffer's limit.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "batch/arrow_internal.h"
#include "common/variant.h"

typedef struct VariantWriter
{
	Span metadata;
	VariantDictionary dictionary;
	Buffer *out;
	IngestError *error;
} VariantWriter;

static bool write_variant(VariantWriter *writer, Span value, int depth);

static bool
put_text(VariantWriter *writer, const char *text)
{
	return json_write_string(writer->out, text, strlen(text), writer->error);
}

static bool
write_floating(VariantWriter *writer, double value)
{
	char text[FLOAT_TEXT_MAX];

	float8_to_text(text, value);
	if (strchr("NI", text[text[0] == '-']) != NULL)
		return put_text(writer, text);
	return buffer_append_string(writer->out, text, writer->error);
}

static bool
write_time(VariantWriter *writer, int64_t value, int fraction_digits, bool zone)
{
	char text[TEMPORAL_TEXT_MAX];
	int64_t days;
	int64_t seconds;
	int64_t fraction;

	arrow_split_time(value, fraction_digits, &days, &seconds, &fraction);
	timestamp_to_text(text, days - EPOCH_DAYS, seconds, fraction, fraction_digits, zone);
	return put_text(writer, text);
}

static bool
write_time_of_day(VariantWriter *writer, int64_t value)
{
	char text[TEMPORAL_TEXT_MAX];
	int64_t days;
	int64_t seconds;
	int64_t fraction;

	arrow_split_time(value, 6, &days, &seconds, &fraction);
	time_to_text(text, seconds, fraction, 6, false);
	return put_text(writer, text);
}

static bool
write_binary(VariantWriter *writer, Span bytes)
{
	static const char digits[] = "0123456789ABCDEF";

	if (!buffer_append(writer->out, "\"", 1, writer->error))
		return false;
	for (size_t i = 0; i < bytes.length; i++)
	{
		unsigned char byte = (unsigned char) bytes.data[i];
		char text[] = {'\\', '\\', 'x', digits[byte >> 4], digits[byte & 15]};

		if (!buffer_append(writer->out, text, sizeof(text), writer->error))
			return false;
	}
	return buffer_append(writer->out, "\"", 1, writer->error);
}

static bool
write_object(VariantWriter *writer, const VariantValue *object, int depth)
{
	for (uint32_t i = 0; i < object->count; i++)
	{
		Span name;
		Span child;

		if (!variant_dictionary_name(&writer->dictionary, variant_field_id(object, i), &name, writer->error) ||
			!variant_child(object, i, &child, writer->error) ||
			!buffer_append(writer->out, i == 0 ? "{" : ",", 1, writer->error) ||
			!json_write_string(writer->out, name.data, name.length, writer->error) ||
			!buffer_append(writer->out, ":", 1, writer->error) || !write_variant(writer, child, depth + 1))
			return false;
	}
	return buffer_append_string(writer->out, object->count == 0 ? "{}" : "}", writer->error);
}

static bool
write_array(VariantWriter *writer, const VariantValue *array, int depth)
{
	for (uint32_t i = 0; i < array->count; i++)
	{
		Span child;

		if (!variant_child(array, i, &child, writer->error) ||
			!buffer_append(writer->out, i == 0 ? "[" : ",", 1, writer->error) ||
			!write_variant(writer, child, depth + 1))
			return false;
	}
	return buffer_append_string(writer->out, array->count == 0 ? "[]" : "]", writer->error);
}

static bool
write_scalar(VariantWriter *writer, const VariantValue *value)
{
	char text[ARROW_SCALAR_TEXT_MAX];

	switch (value->kind)
	{
		case VARIANT_NULL:
			return buffer_append_string(writer->out, "null", writer->error);
		case VARIANT_TRUE:
			return buffer_append_string(writer->out, "true", writer->error);
		case VARIANT_FALSE:
			return buffer_append_string(writer->out, "false", writer->error);
		case VARIANT_INTEGER:
			return buffer_printf(writer->out, writer->error, "%lld", (long long) value->integer);
		case VARIANT_FLOAT:
		case VARIANT_DOUBLE:
			return write_floating(writer, value->floating);
		case VARIANT_DECIMAL:
			return buffer_append(writer->out, text,
								 decimal_to_text(text, (const unsigned char *) value->decimal, 16, value->scale),
								 writer->error);
		case VARIANT_DATE:
			date_to_text(text, value->integer - EPOCH_DAYS);
			return put_text(writer, text);
		case VARIANT_TIMESTAMP:
		case VARIANT_TIMESTAMP_NTZ:
			return write_time(writer, value->integer, 6, value->kind == VARIANT_TIMESTAMP);
		case VARIANT_TIMESTAMP_NANOS:
			return write_time(writer, value->integer / 1000, 6, true);
		case VARIANT_TIMESTAMP_NTZ_NANOS:
			return write_time(writer, value->integer, 9, false);
		case VARIANT_TIME:
			return write_time_of_day(writer, value->integer);
		case VARIANT_BINARY:
			return write_binary(writer, value->bytes);
		case VARIANT_UUID:
			arrow_uuid_to_text((const unsigned char *) value->bytes.data, text);
			return put_text(writer, text);
		default:
			return json_write_string(writer->out, value->bytes.data, value->bytes.length, writer->error);
	}
}

static bool
write_variant(VariantWriter *writer, Span value, int depth)
{
	VariantValue read;

	if (depth > VARIANT_MAX_DEPTH)
		return ingest_fail(writer->error, INGEST_ERROR_LIMIT, "a variant is nested deeper than %d levels",
						   VARIANT_MAX_DEPTH);
	if (!variant_read(value, &read, writer->error))
		return false;
	if (read.kind == VARIANT_OBJECT)
		return write_object(writer, &read, depth);
	return read.kind == VARIANT_ARRAY ? write_array(writer, &read, depth) : write_scalar(writer, &read);
}

bool
arrow_write_variant(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, int depth,
					Buffer *out, IngestError *error)
{
	VariantWriter writer = {.out = out, .error = error};
	Buffer value;
	bool done;

	buffer_init(&value, out->limit);
	done = variant_assemble(schema, array, row, &writer.metadata, &value, error) &&
		   variant_dictionary_open(writer.metadata, &writer.dictionary, error) &&
		   write_variant(&writer, (Span){value.data, value.length}, depth);
	buffer_release(&value);
	return done;
}
