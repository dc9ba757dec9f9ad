/*-------------------------------------------------------------------------
 *
 * text_value.c
 *	  One value given as text to the form of its column.
 *
 * The rule: what is turned into a datum here is exactly what the type's own input function
 * would have made of it, under every setting of the server.  Where that is not certain, or the
 * text is not valid for the type, the text itself travels on (VALUE_INPUT) and the server
 * takes or refuses it in its own words.  So nothing here refuses a value.  Three things are
 * taken that the server would not take or would take otherwise, because feeds have them:
 *
 *	- integers written 0x1F
 *	- a zone in the text of a timestamp without time zone: the server would ignore it, here
 *	  the value becomes UTC
 *	- the numeric TemporalFlavors, which count from 1970
 *
 * All memory is the arena's.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "batch/batch_internal.h"

/* ---- text ------------------------------------------------------------------- */

TextTraits
text_inspect(const char *data, size_t length)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = UINT64_C(0x8080808080808080);
	TextTraits traits = {true, true, length};
	uint64_t high = 0;
	uint64_t zero = 0;
	size_t position = 0;

	for (; length - position >= 8; position += 8)
	{
		uint64_t word;

		memcpy(&word, data + position, 8);
		high |= word;
		zero |= (word - ones) & ~word;
	}
	/* A byte of "zero" may be marked by mistake only where there is a real zero byte below it. */
	for (; position < length; position++)
	{
		high |= (unsigned char) data[position];
		zero |= data[position] == '\0' ? 0x80 : 0;
	}
	if (((high | zero) & highs) == 0)
		return traits;
	traits.ascii = (high & highs) == 0;
	traits.storable = memchr(data, '\0', length) == NULL && utf8_is_valid(data, length);
	if (!traits.ascii && traits.storable)
	{
		for (size_t i = 0; i < length; i++)
			traits.characters -= ((unsigned char) data[i] & 0xc0) == 0x80;
	}
	return traits;
}

static bool
set_varlena(ValueSlot slot, Arena *arena, const char *data, size_t length, size_t padding, IngestError *error)
{
	unsigned char *out;
	size_t header;

	if (length > VARLENA_MAX || padding > VARLENA_MAX - length)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a value of %zu bytes is larger than the server can hold",
						   length);
	out = batch_alloc(arena, length + padding + 4, error);
	if (out == NULL)
		return false;
	header = varlena_write_header(out, length + padding);
	if (length > 0)
		memcpy(out + header, data, length);
	memset(out + header + length, ' ', padding);
	slot_set_pointer(slot, out);
	return true;
}

static bool
set_characters(ValueSlot slot, const ColumnTarget *column, bool utf8, Span text, Arena *arena, IngestError *error)
{
	TextTraits traits = text_inspect(text.data, text.length);
	size_t limit = (size_t) column->length;
	size_t padding = 0;

	if (!traits.storable || (!traits.ascii && !utf8) || (limit > 0 && traits.characters > limit))
		return slot_set_input(slot, arena, text.data, text.length, error);
	if (column->form == FORM_BPCHAR && limit > traits.characters)
		padding = limit - traits.characters;
	return set_varlena(slot, arena, text.data, text.length, padding, error);
}

/* ---- bytes -------------------------------------------------------------------- */

/* "count" bytes from twice as many digits. */
static bool
decode_hex(const char *text, size_t count, unsigned char *out)
{
	for (size_t i = 0; i < count; i++)
	{
		int high = hex_digit_value(text[2 * i]);
		int low = hex_digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char) (high << 4 | low);
	}
	return true;
}

static bool
set_bytea(ValueSlot slot, Span text, Arena *arena, IngestError *error)
{
	size_t length;
	unsigned char *out;
	size_t header;

	if (text.length < 2 || text.length % 2 != 0 || text.data[0] != '\\' || text.data[1] != 'x' ||
		text.length > VARLENA_MAX)
		return slot_set_input(slot, arena, text.data, text.length, error);
	length = (text.length - 2) / 2;
	out = batch_alloc(arena, length + 4, error);
	if (out == NULL)
		return false;
	header = varlena_write_header(out, length);
	if (!decode_hex(text.data + 2, length, out + header))
		return slot_set_input(slot, arena, text.data, text.length, error);
	slot_set_pointer(slot, out);
	return true;
}

/* 32 digits, or the usual form with four hyphens. */
static bool
uuid_from_text(Span text, unsigned char *out)
{
	const char *data = text.data;

	if (text.length == 32)
		return decode_hex(data, 16, out);
	return text.length == 36 && data[8] == '-' && data[13] == '-' && data[18] == '-' && data[23] == '-' &&
		   decode_hex(data, 4, out) && decode_hex(data + 9, 2, out + 4) && decode_hex(data + 14, 2, out + 6) &&
		   decode_hex(data + 19, 2, out + 8) && decode_hex(data + 24, 6, out + 10);
}

static bool
set_uuid(ValueSlot slot, Span text, Arena *arena, IngestError *error)
{
	unsigned char bytes[16];
	unsigned char *out;

	if (!uuid_from_text(text, bytes))
		return slot_set_input(slot, arena, text.data, text.length, error);
	out = batch_alloc(arena, sizeof(bytes), error);
	if (out == NULL)
		return false;
	memcpy(out, bytes, sizeof(bytes));
	slot_set_pointer(slot, out);
	return true;
}

/* ---- numbers --------------------------------------------------------------------- */

static bool
magnitude_from_hex(const char *position, const char *end, uint64_t *magnitude)
{
	if (end - position < 1 || end - position > 16)
		return false;
	for (; position < end; position++)
	{
		int digit = hex_digit_value(*position);

		if (digit < 0)
			return false;
		*magnitude = *magnitude << 4 | (uint64_t) digit;
	}
	return true;
}

/* False also where the value does not fit an int64. */
static bool
int64_from_text(Span text, int64_t *out)
{
	const char *position = text.data;
	const char *end = text.data + text.length;
	bool negative = position < end && *position == '-';
	uint64_t magnitude = 0;

	if (position < end && (*position == '-' || *position == '+'))
		position++;
	if (end - position > 2 && position[0] == '0' && (position[1] == 'x' || position[1] == 'X'))
	{
		if (!magnitude_from_hex(position + 2, end, &magnitude))
			return false;
	}
	else
	{
		if (position == end || end - position > 19)
			return false;
		for (; position < end; position++)
		{
			if (*position < '0' || *position > '9')
				return false;
			magnitude = magnitude * 10 + (uint64_t) (*position - '0');
		}
	}
	if (magnitude > (uint64_t) INT64_MAX + negative)
		return false;
	*out = (int64_t) (negative ? -magnitude : magnitude);
	return true;
}

static bool
int_fits(int64_t value, ColumnForm form)
{
	return form == FORM_INT8 || (form == FORM_INT4 ? value == (int32_t) value : value == (int16_t) value);
}

static bool
set_numeric(ValueSlot slot, const ColumnTarget *column, Span text, Arena *arena, IngestError *error)
{
	NumericParts parts;
	int display_scale;
	unsigned char *out;

	if (!numeric_parse(text, &parts) || !numeric_fit(&parts, column->precision, column->scale, &display_scale))
		return slot_set_input(slot, arena, text.data, text.length, error);
	out = batch_alloc(arena, numeric_size_max(parts.integer.length + parts.fraction.length), error);
	if (out == NULL)
		return false;
	numeric_encode_parts(out, &parts, display_scale);
	slot_set_pointer(slot, out);
	return true;
}

static bool
float_from_text(Span text, ColumnForm form, uint64_t *datum)
{
	double wide;
	float narrow;
	int32_t bits;

	if (form == FORM_FLOAT8)
	{
		if (!float8_from_text(text, &wide))
			return false;
		memcpy(datum, &wide, 8);
		return true;
	}
	if (!float4_from_text(text, &narrow))
		return false;
	memcpy(&bits, &narrow, 4);
	*datum = (uint64_t) (int64_t) bits; /* extended as Float4GetDatum does it: images of datums are compared */
	return true;
}

static bool
equals_folded(Span text, const char *word)
{
	if (strlen(word) != text.length)
		return false;
	for (size_t i = 0; i < text.length; i++)
	{
		if ((text.data[i] | 0x20) != word[i])
			return false;
	}
	return true;
}

static bool
boolean_from_text(Span text, uint64_t *datum)
{
	static const char *const words[][2] = {{"f", "t"}, {"false", "true"}, {"n", "y"}, {"no", "yes"}, {"off", "on"}};

	if (text.length == 1 && (*text.data == '0' || *text.data == '1'))
	{
		*datum = *text.data == '1';
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		for (uint64_t value = 0; value < 2; value++)
		{
			if (equals_folded(text, words[i][value]))
			{
				*datum = value;
				return true;
			}
		}
	}
	return false;
}

/* ---- dates and times ----------------------------------------------------------------- */

/* Days since 1970.  The text of a number beyond the calendar is one that the server refuses as a date. */
static bool
set_epoch_days(ValueSlot slot, int64_t days, Arena *arena, IngestError *error)
{
	char text[TEMPORAL_TEXT_MAX];
	int64_t shifted = days > INT64_MAX / 4 ? INT64_MAX / 4 : days < INT64_MIN / 4 ? INT64_MIN / 4 : days;

	shifted -= EPOCH_DAYS;
	if (shifted >= DATE_MIN && shifted < DATE_END)
	{
		slot_set_datum(slot, (uint64_t) shifted);
		return true;
	}
	return slot_set_input(slot, arena, text, date_to_text(text, shifted), error);
}

/* "value" in units of "unit" microseconds since 1970. */
static bool
set_epoch_time(ValueSlot slot, const ColumnTarget *column, int64_t value, int64_t unit, Arena *arena,
			   IngestError *error)
{
	const bool zone = column->form == FORM_TIMESTAMPTZ;
	const int64_t per_day = MICROSECONDS_PER_DAY / unit;
	int64_t within = value % per_day;
	int64_t days = value / per_day;
	int64_t microseconds;
	char text[TEMPORAL_TEXT_MAX];

	if (within < 0)
	{
		within += per_day;
		days--;
	}
	days -= EPOCH_DAYS;
	within *= unit;
	if (!__builtin_mul_overflow(days, MICROSECONDS_PER_DAY, &microseconds) &&
		!__builtin_add_overflow(microseconds, within, &microseconds) && microseconds >= TIMESTAMP_MIN &&
		microseconds < TIMESTAMP_END)
	{
		slot_set_datum(slot, (uint64_t) temporal_round(microseconds, column->fraction_digits));
		return true;
	}
	return slot_set_input(
		slot, arena, text,
		timestamp_to_text(text, days, within / MICROSECONDS_PER_SECOND, within % MICROSECONDS_PER_SECOND, 6, zone),
		error);
}

/* "value" in units of "unit" microseconds since midnight. */
static bool
set_counted_time(ValueSlot slot, const ColumnTarget *column, int64_t value, int64_t unit, Arena *arena,
				 IngestError *error)
{
	char text[TEMPORAL_TEXT_MAX];
	uint64_t magnitude = value < 0 ? -(uint64_t) value : (uint64_t) value;
	uint64_t per_second = (uint64_t) (MICROSECONDS_PER_SECOND / unit);

	if (value >= 0 && value <= MICROSECONDS_PER_DAY / unit)
	{
		slot_set_datum(slot, (uint64_t) temporal_round(value * unit, column->fraction_digits));
		return true;
	}
	/* The bare number might pass as HHMMSS: this spelling is refused for what it is. */
	snprintf(text, sizeof(text), "%s%" PRIu64 ":%02d:%02d.%06d", value < 0 ? "-" : "", magnitude / per_second / 3600,
			 (int) (magnitude / per_second / 60 % 60), (int) (magnitude / per_second % 60),
			 (int) (magnitude % per_second * (uint64_t) unit));
	return slot_set_input(slot, arena, text, strlen(text), error);
}

/* The flavors that count; *done is false where the text is no integer or the form no time. */
static bool
set_counted(ValueSlot slot, const ColumnTarget *column, Span text, TemporalFlavor flavor, Arena *arena, bool *done,
			IngestError *error)
{
	int64_t unit = flavor == TEMPORAL_MILLISECONDS ? 1000 : 1;
	int64_t value;

	*done = false;
	if (!int64_from_text(text, &value))
		return true;
	if (column->form == FORM_DATE && flavor == TEMPORAL_DAYS)
	{
		*done = true;
		return set_epoch_days(slot, value, arena, error);
	}
	if (flavor == TEMPORAL_DAYS)
		return true;
	if (column->form == FORM_TIMESTAMP || column->form == FORM_TIMESTAMPTZ)
	{
		*done = true;
		return set_epoch_time(slot, column, value, unit, arena, error);
	}
	if (column->form == FORM_TIME)
	{
		*done = true;
		return set_counted_time(slot, column, value, unit, arena, error);
	}
	return true;
}

static bool
temporal_from_text(const ColumnTarget *column, Span text, uint64_t *datum)
{
	int64_t microseconds;
	int32_t days;
	bool has_zone;

	if (column->form == FORM_DATE)
	{
		if (!date_from_text(text, &days))
			return false;
		*datum = (uint64_t) (int64_t) days;
		return true;
	}
	if (column->form == FORM_TIME)
	{
		if (!time_from_text(text, &microseconds))
			return false;
	}
	else if (!timestamp_from_text(text, &microseconds, &has_zone) || (column->form == FORM_TIMESTAMPTZ && !has_zone))
		return false;
	*datum = (uint64_t) temporal_round(microseconds, column->fraction_digits);
	return true;
}

/* ---- all forms --------------------------------------------------------------------------- */

/* Forms whose datum is the value itself. */
static bool
datum_from_text(const ColumnTarget *column, Span text, uint64_t *datum)
{
	int64_t integer;

	switch (column->form)
	{
		case FORM_BOOLEAN:
			return boolean_from_text(text, datum);
		case FORM_INT2:
		case FORM_INT4:
		case FORM_INT8:
			if (!int64_from_text(text, &integer) || !int_fits(integer, column->form))
				return false;
			*datum = (uint64_t) integer;
			return true;
		case FORM_FLOAT4:
		case FORM_FLOAT8:
			return float_from_text(text, column->form, datum);
		case FORM_DATE:
		case FORM_TIME:
		case FORM_TIMESTAMP:
		case FORM_TIMESTAMPTZ:
			return temporal_from_text(column, text, datum);
		default:
			return false;
	}
}

bool
slot_set_text(ValueSlot slot, const ColumnTarget *column, bool utf8, Span text, TemporalFlavor flavor, Arena *arena,
			  IngestError *error)
{
	uint64_t datum;
	bool done;

	switch (column->form)
	{
		case FORM_TEXT:
		case FORM_BPCHAR:
			return set_characters(slot, column, utf8, text, arena, error);
		case FORM_NUMERIC:
			return set_numeric(slot, column, text, arena, error);
		case FORM_BYTEA:
			return set_bytea(slot, text, arena, error);
		case FORM_UUID:
			return set_uuid(slot, text, arena, error);
		default:
			break;
	}
	if (flavor != TEMPORAL_TEXT)
	{
		if (!set_counted(slot, column, text, flavor, arena, &done, error))
			return false;
		if (done)
			return true;
	}
	if (datum_from_text(column, text, &datum))
	{
		slot_set_datum(slot, datum);
		return true;
	}
	return slot_set_input(slot, arena, text.data, text.length, error);
}

/* ---- the batch's cells --------------------------------------------------------------------- */

static bool
batch_slot(ChangeBatch *batch, int column, uint32_t row, ValueSlot *slot, IngestError *error)
{
	BatchColumn *cells = &batch->columns[column];

	if (cells->states == NULL && !batch_provide_column(batch, column, error))
		return false;
	slot->state = &cells->states[row];
	slot->value = &cells->values[row];
	return true;
}

bool
batch_set_text(ChangeBatch *batch, int column, uint32_t row, Span text, TemporalFlavor flavor, IngestError *error)
{
	ValueSlot slot;

	return batch_slot(batch, column, row, &slot, error) &&
		   slot_set_text(slot, &batch->target->columns[column], batch->target->utf8, text, flavor, &batch->arena,
						 error);
}

void
batch_set_null(ChangeBatch *batch, int column, uint32_t row)
{
	batch->columns[column].states[row] = VALUE_NULL;
}

bool
batch_set_boolean(ChangeBatch *batch, int column, uint32_t row, bool value, IngestError *error)
{
	Span text = {value ? "true" : "false", value ? 4 : 5};
	ValueSlot slot;

	if (batch->target->columns[column].form != FORM_BOOLEAN)
		return batch_set_text(batch, column, row, text, TEMPORAL_TEXT, error);
	if (!batch_slot(batch, column, row, &slot, error))
		return false;
	slot_set_datum(slot, value);
	return true;
}

bool
batch_set_bytes(ChangeBatch *batch, int column, uint32_t row, Span bytes, IngestError *error)
{
	ValueSlot slot;

	if (batch->target->columns[column].form != FORM_BYTEA)
		return batch_set_text(batch, column, row, bytes, TEMPORAL_TEXT, error);
	return batch_slot(batch, column, row, &slot, error) &&
		   set_varlena(slot, &batch->arena, bytes.data, bytes.length, 0, error);
}
