/*-------------------------------------------------------------------------
 *
 * datagen_value.c
 *	  One value: drawn by the field's strategy, and put where its column's form wants it.
 *
 * A value is first a number in the units of its kind (see datagen_range.c) or a text, then stored:
 * integers, floats, dates and times directly as datums, without text; what its type
 * cannot hold goes as text, so that the server refuses it in its own words.
 *
 * In a column's range [a, b), width w = b - a, row i, scale s:
 *	  increment		a + (i * s) mod w; without a range (i * s) mod the type's largest value
 *	  uniform		a random number of the range, times s
 *	  zipf			a + rank - 1; without a range rank - 1
 * The remainder keeps the sign of the dividend, as in Feldera.  Texts are the number itself (increment), random
 * letters and digits of that length (uniform), or of length rank - 1 (zipf).
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "source/datagen_internal.h"

#define EPOCH_DAYS 10957 /* from 1970 to 2000 */
#define DAY_MS INT64_C(86400000)
#define EPOCH_US (EPOCH_DAYS * DAY_MS * 1000)
#define MIN_DATE (-2451545) /* of the server, days since 2000 */
#define MAX_DATE 2145031948
#define MIN_TIMESTAMP (-211813488000000000)
#define MAX_TIMESTAMP INT64_C(9223371331200000000)

/* Larger than anything that a type holds, and still far from overflow. */
#define BEYOND ((WideInteger) 1 << 120)

/* A value on its way from the strategy to the batch. */
typedef struct Value
{
	bool is_null;
	bool is_text; /* "text" holds it, as written by the user or made up */
	WideInteger whole;
	WideUnsigned uuid;
	double real;
	Span text;
} Value;

/* ---- drawing ------------------------------------------------------------------ */

static WideInteger
multiply(WideInteger left, WideInteger right)
{
	WideInteger product;

	if (__builtin_mul_overflow(left, right, &product) || product > BEYOND || product < -BEYOND)
		return (left < 0) != (right < 0) ? -BEYOND : BEYOND;
	return product;
}

/* (number * scale, in units of 10^-digits) mod width, without leaving the integers. */
static WideInteger
step(const DatagenField *field, int64_t number, WideInteger width)
{
	WideInteger rest = ((WideInteger) number * field->scale) % width;

	for (int i = 0; field->kind == DATAGEN_DECIMAL && i < field->digits; i++)
		rest = rest * 10 % width;
	return rest;
}

static WideInteger
increment(const DatagenField *field, int64_t number)
{
	WideInteger rest;

	if (field->kind == DATAGEN_TEXT)
		return (WideInteger) number * field->scale;
	if (field->kind == DATAGEN_INTEGER && !field->has_range)
		return ((WideInteger) number * field->scale) % field->high;
	if (field->kind == DATAGEN_DECIMAL && !field->has_range)
		return step(field, number, field->high);
	rest = step(field, number, field->high - field->low);
	return field->low + rest;
}

static WideInteger
draw_zipf(const DatagenField *field, DatagenScratch *scratch)
{
	WideInteger rank = (WideInteger) zipf_rank(&field->zipf, &scratch->random) - 1;
	bool by_length = field->kind == DATAGEN_TEXT || field->kind == DATAGEN_BYTES || field->kind == DATAGEN_ARRAY;
	bool without_range = !field->has_range && (field->kind == DATAGEN_INTEGER || field->kind == DATAGEN_DECIMAL);

	for (int i = 0; field->kind == DATAGEN_DECIMAL && i < field->digits; i++)
		rank *= 10;
	return by_length || without_range ? rank : field->low + rank;
}

/* A whole number by the strategy: the value, or the length. */
static WideInteger
draw_whole(const DatagenField *field, int64_t number, DatagenScratch *scratch)
{
	WideInteger drawn;

	if (field->strategy == DATAGEN_INCREMENT)
		return increment(field, number);
	if (field->strategy == DATAGEN_ZIPF)
		return draw_zipf(field, scratch);
	drawn = field->low + (WideInteger) random_below(&scratch->random, (WideUnsigned) (field->high - field->low));
	return field->kind == DATAGEN_TEXT || field->strategy == DATAGEN_NAMED ? drawn : multiply(drawn, field->scale);
}

static double
draw_real(const DatagenField *field, int64_t number, DatagenScratch *scratch)
{
	double width = field->real_high - field->real_low;
	double steps = (double) number * (double) field->scale;

	if (field->strategy == DATAGEN_ZIPF)
		return field->real_low + (double) (zipf_rank(&field->zipf, &scratch->random) - 1);
	if (field->strategy == DATAGEN_UNIFORM)
	{
		double drawn = field->real_low + random_unit(&scratch->random) * width;

		/* Rounding must not reach the open end. */
		return (drawn < field->real_high ? drawn : field->real_low) * (double) field->scale;
	}
	return field->has_range ? field->real_low + fmod(steps, width) : steps;
}

static WideUnsigned
draw_uuid(const DatagenField *field, int64_t number, DatagenScratch *scratch)
{
	WideUnsigned width = field->uuid_high - field->uuid_low;
	WideUnsigned steps = (WideUnsigned) ((WideInteger) number * field->scale);

	if (field->strategy == DATAGEN_INCREMENT)
		return field->has_range ? field->uuid_low + steps % width : steps;
	return (field->uuid_low + random_below(&scratch->random, width)) * (WideUnsigned) field->scale;
}

/* A length that is drawn stays within bounds, whatever the scale. */
static uint64_t
draw_length(const DatagenField *field, int64_t number, DatagenScratch *scratch)
{
	WideInteger length = draw_whole(field, number, scratch);

	return length < 0 ? 0 : length > DATAGEN_MAX_LENGTH ? DATAGEN_MAX_LENGTH : (uint64_t) length;
}

/* ---- text ------------------------------------------------------------------------ */

/* One more digit to the left; a point goes before it where all of the fraction is written. */
static char *
put_digit(char *begin, int *count, int digits, int digit)
{
	if (*count == digits && digits > 0)
		*--begin = '.';
	*--begin = (char) ('0' + digit);
	(*count)++;
	return begin;
}

/* "whole" in units of 10^-digits, written towards the left from "end". */
static Span
write_decimal(WideInteger whole, int digits, char *end)
{
	WideUnsigned rest = whole < 0 ? -(WideUnsigned) whole : (WideUnsigned) whole;
	char *begin = end;
	int count = 0;
	uint64_t word;

	for (; rest > UINT64_MAX; rest /= 10)
		begin = put_digit(begin, &count, digits, (int) (rest % 10));
	/* Words divide faster, and most numbers are one. */
	for (word = (uint64_t) rest; word > 0 || count <= digits; word /= 10)
		begin = put_digit(begin, &count, digits, (int) (word % 10));
	if (whole < 0)
		*--begin = '-';
	return (Span){begin, (size_t) (end - begin)};
}

static bool
make_text(const DatagenField *field, int64_t number, DatagenScratch *scratch, IngestError *error)
{
	char digits[64];
	Span text;

	if (field->strategy == DATAGEN_NAMED)
	{
		uint64_t count = text_strategy_is_counted(field->named) ? draw_length(field, number, scratch) : 0;

		return text_strategy_append(field->named, &scratch->random, count, &scratch->text, error);
	}
	if (field->strategy != DATAGEN_INCREMENT)
		return text_append_alphanumeric(&scratch->random, draw_length(field, number, scratch), &scratch->text, error);
	text = write_decimal(increment(field, number), 0, digits + sizeof(digits));
	return buffer_append(&scratch->text, text.data, text.length, error);
}

static bool
make_bytes(const DatagenField *field, int64_t number, DatagenScratch *scratch, IngestError *error)
{
	uint64_t length = draw_length(field, number, scratch);

	if (!buffer_reserve(&scratch->text, length, error))
		return false;
	for (uint64_t i = 0; i < length; i++)
	{
		const DatagenField *element = field->element;
		WideInteger byte;

		if (element->value_count > 0)
			byte = element->values[i % element->value_count].data == NULL
					   ? 0
					   : strtol(element->values[i % element->value_count].data, NULL, 10);
		else
			byte = draw_whole(element, (int64_t) i, scratch);
		scratch->text.data[scratch->text.length++] = (char) (unsigned char) byte;
	}
	return true;
}

/* ---- one value ------------------------------------------------------------------------ */

static void
pick_value(const DatagenField *field, int64_t number, DatagenScratch *scratch, Value *value)
{
	uint64_t index;

	if (field->strategy == DATAGEN_UNIFORM)
		index = (uint64_t) random_below(&scratch->random, field->value_count);
	else if (field->strategy == DATAGEN_ZIPF)
		index = zipf_rank(&field->zipf, &scratch->random) - 1;
	else
		index = (uint64_t) number % field->value_count;
	value->text = field->values[index];
	value->is_null = value->text.data == NULL;
	value->is_text = true;
}

static bool make_array(const DatagenField *field, int64_t number, DatagenScratch *scratch, IngestError *error);

/* Draw the value; its text, if it has one, lies in the scratch or the declaration. */
static bool
draw(const DatagenField *field, int64_t number, DatagenScratch *scratch, Value *value, IngestError *error)
{
	*value = (Value){0};
	if (field->null_percentage > 0 && (int) random_below(&scratch->random, 100) < field->null_percentage)
	{
		value->is_null = true;
		return true;
	}
	if (field->value_count > 0 && field->strategy != DATAGEN_NAMED)
	{
		pick_value(field, number, scratch, value);
		return true;
	}
	scratch->text.length = 0;
	switch (field->kind)
	{
		case DATAGEN_NULL:
			value->is_null = true;
			return true;
		case DATAGEN_REAL:
			value->real = draw_real(field, number, scratch);
			return true;
		case DATAGEN_UUID:
			value->uuid = draw_uuid(field, number, scratch);
			return true;
		case DATAGEN_BOOLEAN:
			value->whole = field->strategy == DATAGEN_INCREMENT ? number % 2 != 0
						   : field->strategy == DATAGEN_ZIPF    ? zipf_rank(&field->zipf, &scratch->random) == 1
																: (WideInteger) random_below(&scratch->random, 2);
			return true;
		case DATAGEN_TIME:
			/* Past midnight it begins again. */
			value->whole = draw_whole(field, number, scratch) % DAY_MS;
			value->whole += value->whole < 0 ? DAY_MS : 0;
			return true;
		case DATAGEN_INTEGER:
		case DATAGEN_DECIMAL:
		case DATAGEN_DATE:
		case DATAGEN_TIMESTAMP:
			value->whole = draw_whole(field, number, scratch);
			return true;
		case DATAGEN_TEXT:
			if (!make_text(field, number, scratch, error))
				return false;
			break;
		case DATAGEN_BYTES:
			if (!make_bytes(field, number, scratch, error))
				return false;
			break;
		case DATAGEN_ARRAY:
			if (!make_array(field, number, scratch, error))
				return false;
			value->text = (Span){scratch->literal.data, scratch->literal.length};
			value->is_text = true;
			return true;
	}
	value->text = (Span){scratch->text.data, scratch->text.length};
	value->is_text = true;
	return true;
}

/* ---- elements of arrays ------------------------------------------------------------------ */

/* Days since 1970 as year, month, day of the proleptic Gregorian calendar. */
static void
civil_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted_month = (5 * of_year + 2) / 153;

	*day = (int) (of_year - (153 * shifted_month + 2) / 5 + 1);
	*month = (int) (shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static bool
append_temporal(const DatagenField *field, const Value *value, struct Buffer *out, IngestError *error)
{
	bool is_date = field->kind == DATAGEN_DATE;
	int64_t unit = is_date ? 1 : DAY_MS;
	int64_t whole = value->whole > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t) value->whole;
	int64_t days = whole / unit - (whole % unit < 0);
	int64_t rest = whole - days * unit;
	int64_t year;
	int month;
	int day;

	civil_date(days, &year, &month, &day);
	if (field->kind != DATAGEN_TIME && !buffer_printf(out, error, "%04" PRId64 "-%02d-%02d", year, month, day))
		return false;
	if (is_date)
		return true;
	return buffer_printf(out, error, "%s%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 "%s",
						 field->kind == DATAGEN_TIME ? "" : " ", rest / 3600000, rest / 60000 % 60, rest / 1000 % 60,
						 rest % 1000, field->column != NULL && field->column->form == FORM_TIMESTAMPTZ ? "+00" : "");
}

static bool
append_quoted(Span text, struct Buffer *out, IngestError *error)
{
	if (!buffer_append(out, "\"", 1, error))
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (((text.data[i] == '"' || text.data[i] == '\\') && !buffer_append(out, "\\", 1, error)) ||
			!buffer_append(out, &text.data[i], 1, error))
			return false;
	return buffer_append(out, "\"", 1, error);
}

static bool
append_bytes(Span bytes, struct Buffer *out, IngestError *error)
{
	if (!buffer_append_string(out, "\"\\\\x", error))
		return false;
	for (size_t i = 0; i < bytes.length; i++)
		if (!buffer_printf(out, error, "%02x", (unsigned char) bytes.data[i]))
			return false;
	return buffer_append(out, "\"", 1, error);
}

/* The value as an element of an array literal. */
static bool
append_value(const DatagenField *field, const Value *value, struct Buffer *out, IngestError *error)
{
	char digits[64];
	Span text;

	if (value->is_null)
		return buffer_append_string(out, "NULL", error);
	if (value->is_text && field->kind == DATAGEN_BYTES)
		return append_bytes(value->text, out, error);
	if (value->is_text)
		return append_quoted(value->text, out, error);
	switch (field->kind)
	{
		case DATAGEN_REAL:
			return buffer_printf(out, error, "%.17g", value->real);
		case DATAGEN_BOOLEAN:
			return buffer_append_string(out, value->whole ? "t" : "f", error);
		case DATAGEN_UUID:
			return buffer_printf(out, error, "%016" PRIx64 "%016" PRIx64, (uint64_t) (value->uuid >> 64),
								 (uint64_t) value->uuid);
		case DATAGEN_DATE:
		case DATAGEN_TIME:
		case DATAGEN_TIMESTAMP:
			return buffer_append(out, "\"", 1, error) && append_temporal(field, value, out, error) &&
				   buffer_append(out, "\"", 1, error);
		default:
			text = write_decimal(value->whole, field->digits, digits + sizeof(digits));
			return buffer_append(out, text.data, text.length, error);
	}
}

/* Element j is made as row j would be. */
static bool
make_array(const DatagenField *field, int64_t number, DatagenScratch *scratch, IngestError *error)
{
	uint64_t length = draw_length(field, number, scratch);

	scratch->literal.length = 0;
	if (!buffer_append(&scratch->literal, "{", 1, error))
		return false;
	for (uint64_t i = 0; i < length; i++)
	{
		Value element;

		if (!draw(field->element, (int64_t) i, scratch, &element, error) ||
			(i > 0 && !buffer_append(&scratch->literal, ",", 1, error)) ||
			!append_value(field->element, &element, &scratch->literal, error))
			return false;
	}
	return buffer_append(&scratch->literal, "}", 1, error);
}

/* ---- into the batch ------------------------------------------------------------------------- */

static void
set_datum(ChangeBatch *batch, int column, uint32_t row, uint64_t datum)
{
	batch->columns[column].states[row] = VALUE_DATUM;
	batch->columns[column].values[row] = datum;
}

/* What the type cannot hold goes as text, and the server refuses it in its own words. */
static bool
set_as_text(const DatagenField *field, const Value *value, DatagenScratch *scratch, ChangeBatch *batch, int column,
			uint32_t row, IngestError *error)
{
	scratch->literal.length = 0;
	if (!append_value(field, value, &scratch->literal, error))
		return false;
	return batch_set_text(batch, column, row, (Span){scratch->literal.data, scratch->literal.length}, TEMPORAL_TEXT,
						  error);
}

static bool
set_uuid(ChangeBatch *batch, int column, uint32_t row, WideUnsigned uuid, IngestError *error)
{
	unsigned char *bytes = arena_alloc(&batch->arena, 16);

	if (bytes == NULL)
		return ingest_out_of_memory(error);
	for (int i = 15; i >= 0; i--, uuid >>= 8)
		bytes[i] = (unsigned char) uuid;
	set_datum(batch, column, row, (uint64_t) (uintptr_t) bytes);
	return true;
}

/* timestamp(p) and time(p) round half away from zero, as the server does. */
static int64_t
round_fraction(int64_t microseconds, int digits)
{
	int64_t unit = 1;

	for (int i = digits; i < 6; i++)
		unit *= 10;
	if (microseconds >= 0)
		return (microseconds + unit / 2) / unit * unit;
	return -((-microseconds + unit / 2) / unit * unit);
}

/* False where the kind or the value needs its text. */
static bool
set_directly(const DatagenField *field, const Value *value, ChangeBatch *batch, int column, uint32_t row)
{
	const ColumnTarget *target = field->column;
	WideInteger whole = value->whole;
	float single = (float) value->real;
	uint64_t bits = 0;

	switch (field->kind)
	{
		case DATAGEN_INTEGER:
			if (whole < datagen_integer_minimum(target) || whole > datagen_integer_maximum(target))
				return false;
			break;
		case DATAGEN_BOOLEAN:
			break;
		case DATAGEN_REAL:
			if (!isfinite(target->form == FORM_FLOAT4 ? (double) single : value->real))
				return false;
			if (target->form == FORM_FLOAT4)
				memcpy(&bits, &single, sizeof(single));
			else
				memcpy(&bits, &value->real, sizeof(value->real));
			set_datum(batch, column, row, bits);
			return true;
		case DATAGEN_DATE:
			whole -= EPOCH_DAYS;
			if (whole < MIN_DATE || whole > MAX_DATE)
				return false;
			break;
		case DATAGEN_TIME:
			whole = round_fraction((int64_t) whole * 1000, target->fraction_digits);
			break;
		case DATAGEN_TIMESTAMP:
			whole = whole * 1000 - EPOCH_US;
			if (whole < MIN_TIMESTAMP || whole >= MAX_TIMESTAMP - 1000000)
				return false;
			whole = round_fraction((int64_t) whole, target->fraction_digits);
			break;
		default:
			return false;
	}
	set_datum(batch, column, row, (uint64_t) (int64_t) whole);
	return true;
}

/* Draw and store; see the header.  LIMIT or OUT_OF_MEMORY only. */
bool
datagen_set_value(const DatagenField *field, int64_t number, DatagenScratch *scratch, ChangeBatch *batch, int column,
				  uint32_t row, IngestError *error)
{
	char digits[64];
	Value value;

	if (!draw(field, number, scratch, &value, error))
		return false;
	if (value.is_null)
		batch_set_null(batch, column, row);
	else if (value.is_text && field->kind == DATAGEN_BYTES)
		return batch_set_bytes(batch, column, row, value.text, error);
	else if (value.is_text)
		return batch_set_text(batch, column, row, value.text, TEMPORAL_TEXT, error);
	else if (field->kind == DATAGEN_DECIMAL)
		return batch_set_text(batch, column, row, write_decimal(value.whole, field->digits, digits + sizeof(digits)),
							  TEMPORAL_TEXT, error);
	else if (field->kind == DATAGEN_UUID)
		return set_uuid(batch, column, row, value.uuid, error);
	else if (!set_directly(field, &value, batch, column, row))
		return set_as_text(field, &value, scratch, batch, column, row, error);
	return true;
}
