/*-------------------------------------------------------------------------
 *
 * datagen_range.c
 *	  "range" and "values" of a datagen field, by type.
 *
 * A range is half-open.  It is kept in whole units of the field's kind: rows count
 * days, milliseconds, or the last digit of a decimal, so that steps never round.
 *
 *	kind			literals
 *	INTEGER			integers
 *	REAL			numbers
 *	DECIMAL			numbers, or strings of digits
 *	TEXT, BYTES,	integers >= 0: a length
 *	ARRAY
 *	UUID			strings
 *	TIMESTAMP		"2024-08-28T00:00:00Z" (with a zone), or milliseconds since 1970
 *	DATE			"2024-08-28", or days since 1970
 *	TIME			"00:00:05", or milliseconds
 *
 * "values" are checked as Feldera checks them and kept as text; what the text means is up to the
 * column's type, as for any other source.  All errors are INVALID with the JSON path.
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "source/datagen_internal.h"

#define MAX_DECIMAL_DIGITS 36 /* of a bound, so that ten times a width fits a WideInteger */
#define UNCONSTRAINED_DIGITS 6
#define LAST_TIMESTAMP INT64_C(4102444800000) /* 2100-01-01 */
#define LAST_DATE 54787
#define LAST_TIME INT64_C(86400000)
#define EPOCH_DAYS 10957 /* from 1970 to 2000 */

/* ---- of integer types --------------------------------------------------------- */

/* The largest value of the column's type; of a byte where the column is null. */
int64_t
datagen_integer_maximum(const ColumnTarget *column)
{
	if (column == NULL)
		return UINT8_MAX;
	return column->form == FORM_INT2 ? INT16_MAX : column->form == FORM_INT4 ? INT32_MAX : INT64_MAX;
}

/* The same, the smallest. */
int64_t
datagen_integer_minimum(const ColumnTarget *column)
{
	if (column == NULL)
		return 0;
	return column->form == FORM_INT2 ? INT16_MIN : column->form == FORM_INT4 ? INT32_MIN : INT64_MIN;
}

/* ---- literals ------------------------------------------------------------------ */

static WideInteger
power_of_ten(int exponent)
{
	WideInteger power = 1;

	while (exponent-- > 0)
		power *= 10;
	return power;
}

/* Digits with one point and an exponent, as mantissa * 10^-digits. False: not that, or too many digits. */
static bool
parse_decimal(const char *text, WideInteger *mantissa, int *digits)
{
	bool negative = *text == '-';
	bool point = false;
	int count = 0;
	long exponent = 0;

	*mantissa = 0;
	*digits = 0;
	text += *text == '-' || *text == '+';
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++)
	{
		if (*text == '.')
		{
			point = true;
			continue;
		}
		*mantissa = *mantissa * 10 + (*text - '0');
		*digits += point;
		count += *mantissa != 0;
		if (count > MAX_DECIMAL_DIGITS || *digits > MAX_DECIMAL_DIGITS)
			return false;
	}
	if (*text == 'e' || *text == 'E')
	{
		char *end;

		exponent = strtol(text + 1, &end, 10);
		if (end == text + 1 || labs(exponent) > MAX_DECIMAL_DIGITS)
			return false;
		text = end;
	}
	for (; exponent > 0; exponent--)
		if (*digits > 0)
			(*digits)--;
		else if (count++ < MAX_DECIMAL_DIGITS)
			*mantissa *= 10;
		else
			return false;
	*digits -= (int) exponent;
	if (negative)
		*mantissa = -*mantissa;
	return *text == '\0' && *digits <= MAX_DECIMAL_DIGITS;
}

static bool
parse_uuid(Span text, WideUnsigned *out)
{
	int count = 0;

	*out = 0;
	for (size_t i = 0; i < text.length; i++)
	{
		char c = text.data[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
					: c >= 'a' && c <= 'f' ? c - 'a' + 10
					: c >= 'A' && c <= 'F' ? c - 'A' + 10
										   : -1;

		if (c == '-' && (i == 8 || i == 13 || i == 18 || i == 23))
			continue;
		if (digit < 0 || count++ == 32)
			return false;
		*out = *out << 4 | (WideUnsigned) digit;
	}
	return count == 32;
}

/*
 * Let the batch read a temporal literal, as it reads all others: the value in the server's own units.  False: it
 * is none, or has no zone where one is needed.
 */
static bool
parse_temporal(DatagenKind kind, Span text, int64_t *out)
{
	ColumnTarget column = {.name = "literal",
						   .type_name = "literal",
						   .fraction_digits = 6,
						   .form = kind == DATAGEN_DATE   ? FORM_DATE
								   : kind == DATAGEN_TIME ? FORM_TIME
														  : FORM_TIMESTAMPTZ};
	TargetTable target = {.name = "literal", .column_count = 1, .columns = &column, .utf8 = true};
	ChangeBatch *batch = batch_create(&target, 1, 1 << 16);
	IngestError ignored;
	uint32_t row;
	bool good;

	if (batch == NULL)
		return false;
	good = batch_provide_column(batch, 0, &ignored) && batch_add_row(batch, CHANGE_INSERT, 0, 0, &row, &ignored) &&
		   batch_set_text(batch, 0, row, text, TEMPORAL_TEXT, &ignored) && batch->columns[0].states[0] == VALUE_DATUM;
	if (good)
		*out = kind == DATAGEN_DATE ? (int32_t) batch->columns[0].values[0] : (int64_t) batch->columns[0].values[0];
	batch_free(batch);
	return good;
}

/* ---- ranges -------------------------------------------------------------------- */

static bool
fail(const DatagenField *field, const char *what, const char *text, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: %s", field->path, what, text);
}

static bool
check_order(const DatagenField *field, bool greater, bool equal, IngestError *error)
{
	if (greater)
		return fail(field, "range", "invalid range, min > max", error);
	if (equal)
	{
		fail(field, "range", "empty range, min >= max", error);
		return ingest_hint(error, "The upper bound of a range is not part of it.");
	}
	return true;
}

static bool
parse_integer_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	int64_t from;
	int64_t to;

	if (low->type != JSON_TYPE_NUMBER || high->type != JSON_TYPE_NUMBER || !json_to_int64(low, &from) ||
		!json_to_int64(high, &to))
		return fail(field, "range", "must be two integers", error);
	field->low = from;
	field->high = to;
	return check_order(field, from > to, from == to, error);
}

static bool
parse_length_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	if (!parse_integer_range(low, high, field, error))
		return false;
	if (field->low < 0)
		return fail(field, "range", "must be positive", error);
	if (field->high > DATAGEN_MAX_LENGTH)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s.range: must not exceed %d", field->path,
						   DATAGEN_MAX_LENGTH);
	return true;
}

static bool
parse_real_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	if (low->type != JSON_TYPE_NUMBER || high->type != JSON_TYPE_NUMBER || !json_to_double(low, &field->real_low) ||
		!json_to_double(high, &field->real_high))
		return fail(field, "range", "must be two numbers", error);
	if (!isfinite(field->real_high - field->real_low))
		return fail(field, "range", "is too wide", error);
	return check_order(field, field->real_low > field->real_high, field->real_low == field->real_high, error);
}

static bool
parse_decimal_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	int low_digits;
	int high_digits;

	if ((low->type != JSON_TYPE_NUMBER && low->type != JSON_TYPE_STRING) ||
		(high->type != JSON_TYPE_NUMBER && high->type != JSON_TYPE_STRING) ||
		!parse_decimal(low->text.data, &field->low, &low_digits) ||
		!parse_decimal(high->text.data, &field->high, &high_digits))
		return fail(field, "range", "must be two decimals of at most 36 digits", error);
	field->digits = low_digits > high_digits ? low_digits : high_digits;
	if (field->column->precision > 0 && field->column->scale > field->digits)
		field->digits = field->column->scale;
	else if (field->column->precision == 0 && field->strategy == DATAGEN_UNIFORM &&
			 field->digits < UNCONSTRAINED_DIGITS)
		field->digits = UNCONSTRAINED_DIGITS;
	/* A bound may not grow past what fits when the digits of the other, or of the column, are added to it. */
	for (int i = 0; i < 2; i++)
	{
		WideInteger *bound = i == 0 ? &field->low : &field->high;
		int missing = field->digits - (i == 0 ? low_digits : high_digits);
		WideInteger most = power_of_ten(MAX_DECIMAL_DIGITS);

		for (; missing > 0; missing--)
			if (*bound > most / 10 || *bound < -most / 10)
				return fail(field, "range", "has too many digits for its scale", error);
			else
				*bound *= 10;
	}
	return check_order(field, field->low > field->high, field->low == field->high, error);
}

static bool
parse_uuid_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	if (low->type != JSON_TYPE_STRING || high->type != JSON_TYPE_STRING || !parse_uuid(low->text, &field->uuid_low) ||
		!parse_uuid(high->text, &field->uuid_high))
		return fail(field, "range", "must be two UUIDs", error);
	return check_order(field, field->uuid_low > field->uuid_high, field->uuid_low == field->uuid_high, error);
}

/* From the server's units to ours. */
static WideInteger
temporal_units(DatagenKind kind, int64_t value)
{
	if (kind == DATAGEN_DATE)
		return value + EPOCH_DAYS;
	if (kind == DATAGEN_TIME)
		return value / 1000;
	/* rounded down also before 2000 */
	return (value >= 0 ? value / 1000 : -((-value + 999) / 1000)) + EPOCH_DAYS * LAST_TIME;
}

static bool
parse_temporal_range(const JsonValue *low, const JsonValue *high, DatagenField *field, IngestError *error)
{
	static const char *const texts[] = {
		[DATAGEN_DATE] = "must be two dates as \"2024-08-28\", or two integers (days since 1970)",
		[DATAGEN_TIME] = "must be two times as \"00:00:05\", or two integers (milliseconds)",
		[DATAGEN_TIMESTAMP] = "must be two timestamps as \"2024-08-28T00:00:00Z\", or two integers (milliseconds since "
							  "1970)"};
	int64_t from;
	int64_t to;

	if (low->type == JSON_TYPE_STRING && high->type == JSON_TYPE_STRING)
	{
		if (!parse_temporal(field->kind, low->text, &from) || !parse_temporal(field->kind, high->text, &to))
			return fail(field, "range", texts[field->kind], error);
		field->low = temporal_units(field->kind, from);
		field->high = temporal_units(field->kind, to);
		if (!check_order(field, field->low > field->high, field->low == field->high, error))
			return false;
	}
	else if (low->type != JSON_TYPE_NUMBER || high->type != JSON_TYPE_NUMBER)
		return fail(field, "range", texts[field->kind], error);
	else if (!parse_integer_range(low, high, field, error))
		return false;
	if (field->kind == DATAGEN_TIME && field->low < 0)
		return fail(field, "range", "must be positive", error);
	if (field->kind == DATAGEN_TIME && field->high > LAST_TIME)
		return fail(field, "range", "must not go beyond 24:00:00", error);
	return true;
}

/* Parse "range" for the field, whose kind and strategy are set. */
bool
datagen_range_parse(const JsonValue *range, DatagenField *field, IngestError *error)
{
	const JsonValue *low;
	const JsonValue *high;

	if (range->type != JSON_TYPE_ARRAY || range->count != 2)
		return fail(field, "range", "must be a list of two values", error);
	low = range->elements[0];
	high = range->elements[1];
	field->has_range = true;
	switch (field->kind)
	{
		case DATAGEN_INTEGER:
			return parse_integer_range(low, high, field, error);
		case DATAGEN_REAL:
			return parse_real_range(low, high, field, error);
		case DATAGEN_DECIMAL:
			return parse_decimal_range(low, high, field, error);
		case DATAGEN_UUID:
			return parse_uuid_range(low, high, field, error);
		case DATAGEN_DATE:
		case DATAGEN_TIME:
		case DATAGEN_TIMESTAMP:
			return parse_temporal_range(low, high, field, error);
		case DATAGEN_TEXT:
		case DATAGEN_BYTES:
		case DATAGEN_ARRAY:
			return parse_length_range(low, high, field, error);
		case DATAGEN_BOOLEAN:
		case DATAGEN_NULL:
			break;
	}
	/* Has no meaning, as in Feldera. */
	return true;
}

/* Set what the type gives where no range is given. */
void
datagen_range_default(DatagenField *field)
{
	int precision;

	field->low = 0;
	switch (field->kind)
	{
		case DATAGEN_INTEGER:
			field->low = datagen_integer_minimum(field->column);
			field->high = datagen_integer_maximum(field->column);
			break;
		case DATAGEN_DECIMAL:
			precision = field->column->precision;
			field->digits = precision > 0 ? field->column->scale : 0;
			if (precision == 0 || precision > MAX_DECIMAL_DIGITS)
				precision = MAX_DECIMAL_DIGITS;
			if (field->column->precision == 0 && field->strategy == DATAGEN_UNIFORM)
				field->digits = UNCONSTRAINED_DIGITS;
			field->high = power_of_ten(precision) - 1;
			field->low = -field->high;
			break;
		case DATAGEN_UUID:
			field->uuid_high = ~(WideUnsigned) 0;
			break;
		case DATAGEN_DATE:
			field->high = LAST_DATE;
			break;
		case DATAGEN_TIME:
			field->high = LAST_TIME;
			break;
		case DATAGEN_TIMESTAMP:
			field->high = LAST_TIMESTAMP;
			break;
		case DATAGEN_TEXT:
			field->high = DATAGEN_DEFAULT_LENGTH;
			break;
		case DATAGEN_BYTES:
		case DATAGEN_ARRAY:
			field->high = DATAGEN_DEFAULT_ELEMENTS;
			break;
		case DATAGEN_REAL:
		case DATAGEN_BOOLEAN:
		case DATAGEN_NULL:
			break;
	}
}

/* ---- values -------------------------------------------------------------------- */

static bool
value_fits(const DatagenField *field, const JsonValue *value)
{
	int64_t number;
	WideUnsigned uuid;

	switch (field->kind)
	{
		case DATAGEN_INTEGER:
			return value->type == JSON_TYPE_NUMBER && json_to_int64(value, &number);
		case DATAGEN_REAL:
		case DATAGEN_DECIMAL:
			return value->type == JSON_TYPE_NUMBER || value->type == JSON_TYPE_STRING;
		case DATAGEN_BOOLEAN:
			return value->type == JSON_TYPE_TRUE || value->type == JSON_TYPE_FALSE || value->type == JSON_TYPE_STRING;
		case DATAGEN_UUID:
			return value->type == JSON_TYPE_STRING && parse_uuid(value->text, &uuid);
		case DATAGEN_TEXT:
		case DATAGEN_DATE:
		case DATAGEN_TIME:
		case DATAGEN_TIMESTAMP:
			return value->type == JSON_TYPE_STRING;
		case DATAGEN_BYTES:
		case DATAGEN_ARRAY:
			return value->type == JSON_TYPE_ARRAY;
		case DATAGEN_NULL:
			return true;
	}
	return false;
}

/* [1, 2, 255] as bytes. */
static bool
bytes_of(const JsonValue *list, Arena *arena, Span *out)
{
	char *bytes = arena_alloc(arena, list->count + 1);
	int64_t number;

	if (bytes == NULL)
		return false;
	for (size_t i = 0; i < list->count; i++)
	{
		if (!json_to_int64(list->elements[i], &number) || number < 0 || number > UINT8_MAX)
			return false;
		bytes[i] = (char) number;
	}
	*out = (Span){bytes, list->count};
	return true;
}

/* One element of an array literal: quoted, unless it is NULL. */
static bool
append_element(const JsonValue *value, struct Buffer *out, IngestError *error)
{
	if (value->type == JSON_TYPE_NULL)
		return buffer_append_string(out, "NULL", error);
	if (!buffer_append(out, "\"", 1, error))
		return false;
	for (size_t i = 0; i < value->text.length; i++)
		if (((value->text.data[i] == '"' || value->text.data[i] == '\\') && !buffer_append(out, "\\", 1, error)) ||
			!buffer_append(out, &value->text.data[i], 1, error))
			return false;
	return buffer_append(out, "\"", 1, error);
}

static bool
append_array(const JsonValue *list, struct Buffer *out, IngestError *error)
{
	if (!buffer_append(out, "{", 1, error))
		return false;
	for (size_t i = 0; i < list->count; i++)
	{
		const JsonValue *element = list->elements[i];

		if (i > 0 && !buffer_append(out, ",", 1, error))
			return false;
		if (!(element->type == JSON_TYPE_ARRAY ? append_array(element, out, error)
											   : append_element(element, out, error)))
			return false;
	}
	return buffer_append(out, "}", 1, error);
}

/* ["a", "b"] as the literal of an array. */
static bool
array_of(const JsonValue *list, Arena *arena, Span *out, IngestError *error)
{
	struct Buffer buffer;
	bool good;

	buffer_init(&buffer, (size_t) 16 << 20);
	good = append_array(list, &buffer, error);
	if (good)
	{
		*out = (Span){arena_copy(arena, buffer.data, buffer.length), buffer.length};
		good = out->data != NULL || ingest_out_of_memory(error);
	}
	buffer_release(&buffer);
	return good;
}

/* Parse "values" for the field, whose kind is set. */
bool
datagen_values_parse(const JsonValue *values, Arena *arena, DatagenField *field, IngestError *error)
{
	if (values->type != JSON_TYPE_ARRAY)
		return fail(field, "values", "must be a list", error);
	if (values->count == 0)
		return fail(field, "values", "must not be empty", error);
	field->values = arena_alloc_array(arena, values->count, sizeof(Span));
	if (field->values == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < values->count; i++)
	{
		const JsonValue *value = values->elements[i];
		bool good = value->type == JSON_TYPE_NULL || value_fits(field, value);

		if (good && value->type != JSON_TYPE_NULL)
		{
			field->values[i] = value->text;
			if (field->kind == DATAGEN_BYTES)
				good = bytes_of(value, arena, &field->values[i]);
			else if (field->kind == DATAGEN_ARRAY && !array_of(value, arena, &field->values[i], error))
				return false;
		}
		if (!good)
			return ingest_fail(error, INGEST_ERROR_INVALID,
							   "%s.values[%zu]: invalid type found in `values` for type %s", field->path, i,
							   field->column == NULL ? "byte" : field->column->type_name);
	}
	field->value_count = values->count;
	return true;
}
