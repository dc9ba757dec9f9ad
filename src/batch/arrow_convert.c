/*-------------------------------------------------------------------------
 *
 * arrow_convert.c
 *	  Converters of Arrow values of fixed width.
 *
 * A converter handles a run of rows of one column: states from the validity bitmap first,
 * then the values in one loop that the compiler can turn into vector code, without a branch
 * for null (a null's bytes are converted too, and mean nothing).  Where a value may be out
 * of the target's range, the loop only notes that one was; a second loop, for such runs
 * alone, sends those values as text for the server to refuse.
 *
 * Pairs of types without a loop of their own go by way of text, value by value.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "batch/arrow_internal.h"

void
arrow_fill_states(const Conversion *conversion)
{
	const struct ArrowArray *array = conversion->array;
	const uint8_t *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
	int64_t index = conversion->first + array->offset;

	if (bits == NULL || array->null_count == 0)
	{
		memset(conversion->states, VALUE_DATUM, (size_t) conversion->count);
		return;
	}
	for (int64_t i = 0; i < conversion->count; i++, index++)
		conversion->states[i] = (bits[index >> 3] >> (index & 7) & 1) != 0 ? VALUE_DATUM : VALUE_NULL;
}

/* ---- by way of text -------------------------------------------------------------- */

static bool
set_scalar_input(const Conversion *conversion, int64_t i)
{
	char text[ARROW_SCALAR_TEXT_MAX];
	size_t length = arrow_scalar_to_text(conversion->type, conversion->array, conversion->first + i, text);

	return slot_set_input(conversion_slot(conversion, i), conversion->arena, text, length, conversion->error);
}

bool
arrow_convert_by_text(const Conversion *conversion)
{
	const ArrowType *type = conversion->type;
	bool to_characters = conversion->column->form == FORM_TEXT || conversion->column->form == FORM_BPCHAR;
	char scalar[ARROW_SCALAR_TEXT_MAX];

	arrow_fill_states(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
	{
		Span text = {scalar, 0};

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		if (type->kind == ARROW_STRING || (type->kind == ARROW_BINARY) ||
			(type->kind == ARROW_FIXED_BINARY && type->extension != ARROW_EXTENSION_UUID))
			text = arrow_bytes(type, conversion->array, conversion->first + i);
		else if (type->kind == ARROW_BOOLEAN && to_characters)
			/* as the server casts it, not as it prints it */
			text = arrow_boolean(conversion->array, conversion->first + i) ? (Span){"true", 4} : (Span){"false", 5};
		else
			text.length = arrow_scalar_to_text(type, conversion->array, conversion->first + i, scalar);
		if (!slot_set_text(conversion_slot(conversion, i), conversion->column, conversion->utf8, text, TEMPORAL_TEXT,
						   conversion->arena, conversion->error))
			return false;
	}
	return true;
}

/* ---- integers, booleans -------------------------------------------------------------- */

#define LOAD_LOOP(c_type)                                                                                              \
	{                                                                                                                  \
		const c_type *source = (const c_type *) array->buffers[1] + array->offset + conversion->first;                 \
                                                                                                                       \
		for (int64_t i = 0; i < conversion->count; i++)                                                                \
			values[i] = (uint64_t) (int64_t) source[i];                                                                \
		break;                                                                                                         \
	}

/* values[] = the integers, sign-extended; uint64 as its bits */
static void
load_integers(const Conversion *conversion)
{
	const struct ArrowArray *array = conversion->array;
	uint64_t *restrict values = conversion->values;

	switch (conversion->type->kind)
	{
		case ARROW_UINT8:
			LOAD_LOOP(uint8_t)
		case ARROW_UINT16:
			LOAD_LOOP(uint16_t)
		case ARROW_UINT32:
			LOAD_LOOP(uint32_t)
		case ARROW_INT8:
			LOAD_LOOP(int8_t)
		case ARROW_INT16:
			LOAD_LOOP(int16_t)
		default:
			if (conversion->type->width == 4)
				LOAD_LOOP(int32_t)
			else
				LOAD_LOOP(int64_t)
	}
}

/*
 * Send what lies outside [low, high] as text.  Nulls are compared like the rest in the first loop: their bytes
 * may only cost the second one.
 */
static bool
check_range(const Conversion *conversion, int64_t low, int64_t high)
{
	const int64_t *values = (const int64_t *) conversion->values;
	bool outside = false;

	for (int64_t i = 0; i < conversion->count; i++)
		outside |= (values[i] < low) | (values[i] > high);
	for (int64_t i = 0; outside && i < conversion->count; i++)
	{
		if ((values[i] < low || values[i] > high) && conversion->states[i] == VALUE_DATUM &&
			!set_scalar_input(conversion, i))
			return false;
	}
	return true;
}

static bool
convert_integer(const Conversion *conversion)
{
	ColumnForm form = conversion->column->form;

	arrow_fill_states(conversion);
	load_integers(conversion);
	if (conversion->type->kind == ARROW_UINT64)
		return check_range(conversion, 0, form == FORM_INT8 ? INT64_MAX : form == FORM_INT4 ? INT32_MAX : INT16_MAX);
	if (form == FORM_INT2)
		return check_range(conversion, INT16_MIN, INT16_MAX);
	if (form == FORM_INT4)
		return check_range(conversion, INT32_MIN, INT32_MAX);
	return true;
}

static bool
convert_boolean(const Conversion *conversion)
{
	arrow_fill_states(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
		conversion->values[i] = arrow_boolean(conversion->array, conversion->first + i);
	return true;
}

/* ---- floats ------------------------------------------------------------------------------ */

static double
read_float(const Conversion *conversion, int64_t i)
{
	const struct ArrowArray *array = conversion->array;
	int64_t index = array->offset + conversion->first + i;

	switch (conversion->type->kind)
	{
		case ARROW_FLOAT16:
			return (double) arrow_half_float(((const uint16_t *) array->buffers[1])[index]);
		case ARROW_FLOAT32:
			return (double) ((const float *) array->buffers[1])[index];
		case ARROW_FLOAT64:
			return ((const double *) array->buffers[1])[index];
		case ARROW_UINT64:
			return (double) ((const uint64_t *) array->buffers[1])[index];
		default:
			return (double) arrow_integer(conversion->type, array, conversion->first + i);
	}
}

static bool
convert_to_float8(const Conversion *conversion)
{
	arrow_fill_states(conversion);
	if (conversion->type->kind == ARROW_FLOAT64)
	{
		memcpy(conversion->values,
			   (const double *) conversion->array->buffers[1] + conversion->array->offset + conversion->first,
			   (size_t) conversion->count * sizeof(double));
		return true;
	}
	for (int64_t i = 0; i < conversion->count; i++)
	{
		double value = read_float(conversion, i);

		memcpy(&conversion->values[i], &value, sizeof(value));
	}
	return true;
}

/* A double that only overflows or vanishes as a float is the server's to refuse. */
static bool
convert_to_float4(const Conversion *conversion)
{
	arrow_fill_states(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
	{
		double wide = read_float(conversion, i);
		float narrow = (float) wide;
		int32_t bits;

		memcpy(&bits, &narrow, sizeof(bits));
		conversion->values[i] = (uint64_t) (int64_t) bits;
		if (conversion->states[i] == VALUE_DATUM && ((isinf(narrow) && !isinf(wide)) || (narrow == 0 && wide != 0)) &&
			!set_scalar_input(conversion, i))
			return false;
	}
	return true;
}

/* ---- dates and times ------------------------------------------------------------------------ */

static bool
convert_date(const Conversion *conversion)
{
	int64_t *restrict values = (int64_t *) conversion->values;
	bool milliseconds = conversion->type->fraction_digits == 3;

	arrow_fill_states(conversion);
	load_integers(conversion);
	if (milliseconds)
	{
		for (int64_t i = 0; i < conversion->count; i++)
			values[i] = values[i] / 86400000 - (values[i] % 86400000 < 0);
	}
	for (int64_t i = 0; i < conversion->count; i++)
		values[i] -= EPOCH_DAYS;
	return check_range(conversion, DATE_MIN, DATE_END - 1);
}

/* Round to timestamp(p) or time(p), in place. */
static void
round_values(const Conversion *conversion)
{
	int64_t *values = (int64_t *) conversion->values;

	if (conversion->column->fraction_digits >= 6)
		return;
	for (int64_t i = 0; i < conversion->count; i++)
	{
		if (conversion->states[i] == VALUE_DATUM)
			values[i] = temporal_round(values[i], conversion->column->fraction_digits);
	}
}

/* A marker outside the server's range, for sums that do not fit an int64. */
#define OUT_OF_RANGE INT64_MAX

static inline int64_t
scale_timestamp(int64_t value, int64_t unit)
{
	int64_t result;

	if (__builtin_mul_overflow(value, unit, &result) || __builtin_sub_overflow(result, EPOCH_MICROSECONDS, &result))
		return OUT_OF_RANGE;
	return result;
}

static bool
convert_timestamp(const Conversion *conversion)
{
	int64_t *restrict values = (int64_t *) conversion->values;
	int digits = conversion->type->fraction_digits;
	int64_t unit = digits == 3 ? 1000 : 1000000;

	arrow_fill_states(conversion);
	load_integers(conversion);
	if (digits == 6)
	{
		for (int64_t i = 0; i < conversion->count; i++)
			values[i] = values[i] < INT64_MIN + EPOCH_MICROSECONDS ? OUT_OF_RANGE : values[i] - EPOCH_MICROSECONDS;
	}
	else if (digits == 9)
	{
		for (int64_t i = 0; i < conversion->count; i++)
			values[i] = values[i] / 1000 - (values[i] % 1000 < 0) - EPOCH_MICROSECONDS;
	}
	else
	{
		for (int64_t i = 0; i < conversion->count; i++)
			values[i] = scale_timestamp(values[i], unit);
	}
	if (!check_range(conversion, TIMESTAMP_MIN, TIMESTAMP_END - 1))
		return false;
	round_values(conversion);
	return true;
}

static bool
convert_date_to_timestamp(const Conversion *conversion)
{
	int64_t *values = (int64_t *) conversion->values;

	if (!convert_date(conversion))
		return false;
	for (int64_t i = 0; i < conversion->count; i++)
	{
		if (conversion->states[i] != VALUE_DATUM)
			continue;
		if (__builtin_mul_overflow(values[i], MICROSECONDS_PER_DAY, &values[i]) || values[i] >= TIMESTAMP_END)
		{
			if (!set_scalar_input(conversion, i))
				return false;
		}
	}
	return true;
}

/* A negative time, or one of more than a day, is meant modulo a day. */
static bool
convert_time(const Conversion *conversion)
{
	int64_t *values = (int64_t *) conversion->values;

	arrow_fill_states(conversion);
	load_integers(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
	{
		int64_t days;
		int64_t seconds;
		int64_t fraction;

		arrow_split_time(values[i], conversion->type->fraction_digits, &days, &seconds, &fraction);
		switch (conversion->type->fraction_digits)
		{
			case 0:
				fraction = 0;
				break;
			case 3:
				fraction *= 1000;
				break;
			case 9:
				fraction /= 1000;
				break;
			default:
				break;
		}
		values[i] = seconds * MICROSECONDS_PER_SECOND + fraction;
	}
	round_values(conversion);
	return true;
}

typedef struct IntervalValue
{
	int64_t time;
	int32_t day;
	int32_t month;
} IntervalValue;

static bool
convert_interval(const Conversion *conversion)
{
	IntervalValue *intervals =
		batch_alloc(conversion->arena, (size_t) conversion->count * sizeof(IntervalValue), conversion->error);

	if (intervals == NULL)
		return false;
	arrow_fill_states(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
	{
		arrow_interval(conversion->type, conversion->array, conversion->first + i, &intervals[i].month,
					   &intervals[i].day, &intervals[i].time);
		intervals[i].time = temporal_round(intervals[i].time, conversion->column->fraction_digits);
		conversion->values[i] = (uint64_t) (uintptr_t) &intervals[i];
	}
	return true;
}

/* ---- numeric ------------------------------------------------------------------------------------ */

/* How values of a scale become values of the column, settled once a run. */
typedef struct NumericFit
{
	unsigned __int128 limit; /* magnitudes must be below */
	uint64_t divisor;        /* the digits behind the column's scale must be zero: magnitude % divisor == 0 */
	int scale;               /* of the magnitude after the division */
	int display_scale;
	size_t size; /* bytes that an encoded value needs at most */
} NumericFit;

/* Digits that the source's type can have; files that hold more go by way of text. */
static int
source_digits(const ArrowType *type)
{
	if (type->kind == ARROW_DECIMAL)
		return type->precision > 38 ? 38 : type->precision;
	return type->width == 1 ? 3 : type->width == 2 ? 5 : type->width == 4 ? 10 : 20;
}

static bool
numeric_fit_make(const ColumnTarget *column, const ArrowType *type, NumericFit *fit)
{
	int digits = source_digits(type);
	bool constrained = column->precision > 0;
	int cut = constrained && type->scale > column->scale ? type->scale - column->scale : 0;

	if (type->scale < 0 || (constrained && (column->scale < 0 || column->scale > column->precision)) || cut > 19)
		return false;
	if (constrained && column->precision - column->scale + type->scale < digits)
		digits = column->precision - column->scale + type->scale;
	fit->scale = type->scale - cut;
	fit->display_scale = constrained ? column->scale : type->scale;
	fit->divisor = 1;
	for (int i = 0; i < cut; i++)
		fit->divisor *= 10;
	fit->limit = 1;
	for (int i = 0; i < digits; i++)
		fit->limit *= 10;
	fit->size = numeric_size_max((size_t) digits);
	return true;
}

/* One value; false: it goes as text. */
static inline bool
encode_value(unsigned char *out, const NumericFit *fit, __int128 value, size_t *length)
{
	bool negative = value < 0;
	unsigned __int128 magnitude = negative ? -(unsigned __int128) value : (unsigned __int128) value;

	if (magnitude >= fit->limit)
		return false;
	if ((uint64_t) (magnitude >> 64) != 0)
	{
		if (magnitude % fit->divisor != 0)
			return false;
		*length = numeric_encode_wide(out, negative, magnitude / fit->divisor, fit->scale, fit->display_scale);
		return true;
	}
	if (fit->divisor != 1)
	{
		if ((uint64_t) magnitude % fit->divisor != 0)
			return false;
		magnitude = (uint64_t) magnitude / fit->divisor;
	}
	*length = numeric_encode(out, negative, (uint64_t) magnitude, fit->scale, fit->display_scale);
	return true;
}

static __int128
read_decimal(const Conversion *conversion, int64_t i)
{
	const ArrowType *type = conversion->type;
	const unsigned char *bytes = arrow_values(conversion->array, type->width) + (conversion->first + i) * type->width;
	__int128 value;

	if (type->kind == ARROW_UINT64)
		return (__int128) (uint64_t) arrow_integer(type, conversion->array, conversion->first + i);
	if (type->kind != ARROW_DECIMAL || type->width < 16)
		return arrow_integer(type, conversion->array, conversion->first + i);
	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* Decimals of up to 128 bits and integers. */
static bool
convert_to_numeric(const Conversion *conversion)
{
	NumericFit fit;
	unsigned char *out;

	if (conversion->type->width > 16 || !numeric_fit_make(conversion->column, conversion->type, &fit))
		return arrow_convert_by_text(conversion);
	arrow_fill_states(conversion);
	out = batch_alloc(conversion->arena, (size_t) conversion->count * fit.size, conversion->error);
	if (out == NULL)
		return false;
	for (int64_t i = 0; i < conversion->count; i++)
	{
		size_t length;

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		if (encode_value(out, &fit, read_decimal(conversion, i), &length))
		{
			conversion->values[i] = (uint64_t) (uintptr_t) out;
			out += length;
		}
		else if (!set_scalar_input(conversion, i))
			return false;
	}
	return true;
}

/* A decimal feeds an integer where nothing stands behind its point. */
static bool
convert_decimal_to_integer(const Conversion *conversion)
{
	char scalar[ARROW_SCALAR_TEXT_MAX];

	arrow_fill_states(conversion);
	for (int64_t i = 0; i < conversion->count; i++)
	{
		Span text = {scalar, 0};

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		text.length = arrow_scalar_to_text(conversion->type, conversion->array, conversion->first + i, scalar);
		if (conversion->type->scale > 0)
		{
			while (scalar[text.length - 1] == '0')
				text.length--;
			if (scalar[text.length - 1] == '.')
				text.length--;
			else
				text.length = strlen(scalar);
		}
		if (!slot_set_text(conversion_slot(conversion, i), conversion->column, conversion->utf8, text, TEMPORAL_TEXT,
						   conversion->arena, conversion->error))
			return false;
	}
	return true;
}

/* ---- which one ------------------------------------------------------------------------------------- */

static ConvertFunction
number_converter(const ArrowType *type, ColumnForm form)
{
	bool integer = type->kind <= ARROW_UINT64;
	bool decimal = type->kind == ARROW_DECIMAL;

	switch (form)
	{
		case FORM_INT2:
		case FORM_INT4:
		case FORM_INT8:
			return integer ? convert_integer : decimal ? convert_decimal_to_integer : NULL;
		case FORM_FLOAT4:
			/* an integer is rounded once, from its text; by way of a double it might be twice */
			return integer || decimal ? arrow_convert_by_text : convert_to_float4;
		case FORM_FLOAT8:
			return decimal ? arrow_convert_by_text : convert_to_float8;
		case FORM_NUMERIC:
			return integer || decimal ? convert_to_numeric : arrow_convert_by_text;
		default:
			return NULL;
	}
}

static ConvertFunction
temporal_converter(const ArrowType *type, ColumnForm form)
{
	bool to_timestamp = form == FORM_TIMESTAMP || form == FORM_TIMESTAMPTZ;

	switch (type->kind)
	{
		case ARROW_DATE:
			return form == FORM_DATE ? convert_date : to_timestamp ? convert_date_to_timestamp : NULL;
		case ARROW_TIME:
			return form == FORM_TIME ? convert_time : NULL;
		case ARROW_TIMESTAMP:
			return to_timestamp ? convert_timestamp : NULL;
		default:
			return form == FORM_INTERVAL ? convert_interval : NULL;
	}
}

ConvertFunction
arrow_fixed_converter(const ArrowType *type, const ColumnTarget *column)
{
	switch (column->form)
	{
		case FORM_TEXT:
		case FORM_BPCHAR:
		case FORM_INPUT:
			return arrow_convert_by_text;
		case FORM_JSON:
			return arrow_convert_to_json;
		default:
			break;
	}
	if (type->kind == ARROW_BOOLEAN)
		return column->form == FORM_BOOLEAN ? convert_boolean : NULL;
	if (type->kind <= ARROW_DECIMAL)
		return number_converter(type, column->form);
	return temporal_converter(type, column->form);
}
