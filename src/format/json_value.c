/*-------------------------------------------------------------------------
 *
 * json_value.c
 *	  One JSON value into its column.
 *
 * Numbers go on as the text they were written in: no double is in between, so decimals
 * keep their digits.  What JSON's own types already rule out (a number for a boolean, an
 * object for a date) is a fault of the record, so that an array of records can be refused as a
 * whole; integers are checked here for the same reason.  All else that does not fit is the
 * server's to refuse.
 *
 * An array or object for json and jsonb is its raw text; for an array column it becomes an
 * array literal; for text and types unknown here it is its raw text too.
 *
 *-------------------------------------------------------------------------
 */
#include "format/json_internal.h"

/* ---- faults ------------------------------------------------------------------------ */

static const char *
token_name(JsonType type)
{
	static const char *const names[] = {
		[JSON_TYPE_NULL] = "null",     [JSON_TYPE_FALSE] = "boolean", [JSON_TYPE_TRUE] = "boolean",
		[JSON_TYPE_NUMBER] = "number", [JSON_TYPE_STRING] = "string", [JSON_TYPE_ARRAY] = "array",
		[JSON_TYPE_OBJECT] = "object",
	};

	return names[type];
}

static void
wrong_type(JsonDecoder *decoder, const ColumnTarget *column, JsonType type, Span text)
{
	json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_TEXT, column->name,
			   "error parsing field '%s': invalid type: %s %.*s, expected %s", column->name, token_name(type),
			   QUOTED(text), column->type_name);
}

static bool
is_integer(ColumnForm form)
{
	return form == FORM_INT2 || form == FORM_INT4 || form == FORM_INT8;
}

/* What the batch could not read as an integer or a boolean the server could not either. */
static void
refuse_input(JsonDecoder *decoder, const ColumnTarget *column, Span text)
{
	size_t digits = text.length > 0 && (*text.data == '-' || *text.data == '+') ? 1 : 0;
	bool integer = digits < text.length;

	for (; digits < text.length; digits++)
		integer = integer && text.data[digits] >= '0' && text.data[digits] <= '9';
	if (integer && is_integer(column->form))
		json_fault(decoder, FAULT_RECORD, SQLSTATE_OUT_OF_RANGE, column->name,
				   "error parsing field '%s': value \"%.*s\" is out of range for type %s", column->name, QUOTED(text),
				   column->type_name);
	else
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_TEXT, column->name,
				   "error parsing field '%s': invalid input syntax for type %s: \"%.*s\"", column->name,
				   column->type_name, QUOTED(text));
}

static TemporalFlavor
flavor_of(const JsonDecoder *decoder, ColumnForm form)
{
	switch (form)
	{
		case FORM_DATE:
			return decoder->flavor->date;
		case FORM_TIME:
			return decoder->flavor->time;
		case FORM_TIMESTAMP:
		case FORM_TIMESTAMPTZ:
			return decoder->flavor->timestamp;
		default:
			return TEMPORAL_TEXT;
	}
}

/* Integers and booleans must be readable here. */
static bool
set_checked(JsonDecoder *decoder, int column, uint32_t row, Span text, IngestError *error)
{
	text = format_trim(text);
	if (!batch_set_text(decoder->batch, column, row, text, TEMPORAL_TEXT, error))
		return false;
	if (decoder->batch->columns[column].states[row] == VALUE_INPUT)
		refuse_input(decoder, &decoder->target->columns[column], text);
	return true;
}

/* ---- numbers, booleans -------------------------------------------------------------- */

static bool
set_number(JsonDecoder *decoder, int column, uint32_t row, const JsonToken *token, IngestError *error)
{
	const ColumnTarget *target = &decoder->target->columns[column];
	TemporalFlavor flavor;

	switch (target->form)
	{
		case FORM_INT2:
		case FORM_INT4:
		case FORM_INT8:
			return set_checked(decoder, column, row, token->raw, error);
		case FORM_BOOLEAN:
		case FORM_UUID:
		case FORM_BYTEA:
			wrong_type(decoder, target, token->type, token->raw);
			return true;
		case FORM_DATE:
		case FORM_TIME:
		case FORM_TIMESTAMP:
		case FORM_TIMESTAMPTZ:
			/* 20240131 would pass as a date: only a flavor that counts says what a number means */
			flavor = flavor_of(decoder, target->form);
			if (flavor == TEMPORAL_TEXT)
				wrong_type(decoder, target, token->type, token->raw);
			else
				return batch_set_text(decoder->batch, column, row, token->raw, flavor, error);
			return true;
		default:
			return batch_set_text(decoder->batch, column, row, token->raw, TEMPORAL_TEXT, error);
	}
}

static bool
set_boolean(JsonDecoder *decoder, int column, uint32_t row, const JsonToken *token, IngestError *error)
{
	const ColumnTarget *target = &decoder->target->columns[column];

	switch (target->form)
	{
		case FORM_BOOLEAN:
		case FORM_TEXT:
		case FORM_BPCHAR:
		case FORM_JSON:
		case FORM_INPUT:
			return batch_set_boolean(decoder->batch, column, row, token->type == JSON_TYPE_TRUE, error);
		default:
			wrong_type(decoder, target, token->type, token->raw);
			return true;
	}
}

/* ---- bytes ------------------------------------------------------------------------------ */

static int
digit_of(char character, const char *alphabet, int size)
{
	const char *found = memchr(alphabet, character, (size_t) size);

	return found == NULL ? -1 : (int) (found - alphabet);
}

/* In place: the output is shorter than the input.  Padding may be missing; both alphabets are taken. */
static bool
decode_base64(char *data, size_t *length)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t end = *length;
	size_t written = 0;
	uint32_t bits = 0;
	int count = 0;

	while (end > 0 && data[end - 1] == '=')
		end--;
	for (size_t i = 0; i < end; i++)
	{
		char character = data[i] == '-' ? '+' : data[i] == '_' ? '/' : data[i];
		int digit = digit_of(character, alphabet, 64);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t) digit;
		count += 6;
		if (count >= 8)
		{
			count -= 8;
			data[written++] = (char) (bits >> count & 0xff);
		}
	}
	*length = written;
	return end % 4 != 1;
}

/* In place, with an optional 0x. */
static bool
decode_hex(char *data, size_t *length)
{
	static const char alphabet[] = "0123456789abcdef";
	size_t start = *length >= 2 && data[0] == '0' && (data[1] == 'x' || data[1] == 'X') ? 2 : 0;
	size_t written = 0;

	if (*length % 2 != 0)
		return false;
	for (size_t i = start; i < *length; i += 2)
	{
		int high = digit_of((char) (data[i] >= 'A' && data[i] <= 'F' ? data[i] + 32 : data[i]), alphabet, 16);
		int low =
			digit_of((char) (data[i + 1] >= 'A' && data[i + 1] <= 'F' ? data[i + 1] + 32 : data[i + 1]), alphabet, 16);

		if (high < 0 || low < 0)
			return false;
		data[written++] = (char) (high << 4 | low);
	}
	*length = written;
	return true;
}

/* Its cost grows with the square of the length: long ones are refused. */
#define BASE58_MAX 4096

static bool
decode_base58(char *data, size_t *length)
{
	static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	unsigned char number[BASE58_MAX]; /* least significant byte first */
	size_t size = 0;
	size_t zeros = 0;

	if (*length > BASE58_MAX)
		return false;
	while (zeros < *length && data[zeros] == '1')
		zeros++;
	for (size_t i = zeros; i < *length; i++)
	{
		int carry = digit_of(data[i], alphabet, 58);

		if (carry < 0)
			return false;
		for (size_t k = 0; k < size; k++)
		{
			carry += number[k] * 58;
			number[k] = (unsigned char) (carry & 0xff);
			carry >>= 8;
		}
		for (; carry > 0; carry >>= 8)
			number[size++] = (unsigned char) (carry & 0xff);
	}
	memset(data, 0, zeros);
	for (size_t i = 0; i < size; i++)
		data[zeros + i] = (char) number[size - 1 - i];
	*length = zeros + size;
	return true;
}

static bool
set_encoded_bytes(JsonDecoder *decoder, int column, uint32_t row, Span text, IngestError *error)
{
	struct Buffer *scratch = &decoder->scratch;
	JsonBinary binary = decoder->flavor->binary;
	size_t length = text.length;

	if (binary == BINARY_BYTES)
		return batch_set_text(decoder->batch, column, row, text, TEMPORAL_TEXT, error);
	if (text.data != scratch->data)
	{
		scratch->length = 0;
		if (!buffer_append(scratch, text.data, text.length, error))
			return false;
	}
	if (binary == BINARY_BASE64   ? decode_base64(scratch->data, &length)
		: binary == BINARY_BASE58 ? decode_base58(scratch->data, &length)
								  : decode_hex(scratch->data, &length))
		return batch_set_bytes(decoder->batch, column, row, (Span){scratch->data, length}, error);
	json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_TEXT, decoder->target->columns[column].name,
			   "error parsing field '%s': the string is not in the encoding that json_flavor \"%s\" gives to bytes",
			   decoder->target->columns[column].name, decoder->flavor->name);
	return true;
}

/* [1, 2, 255] */
static bool
set_byte_array(JsonDecoder *decoder, int column, uint32_t row, Span raw, IngestError *error)
{
	const ColumnTarget *target = &decoder->target->columns[column];
	struct Buffer *scratch = &decoder->scratch;
	JsonScanner scanner;
	JsonToken token;
	bool first = true;
	bool more = true;

	json_scanner_init(&scanner, raw.data, raw.length);
	scratch->length = 0;
	if (!buffer_reserve(scratch, raw.length, error))
		return false;
	if (!json_next_value(&scanner, &token, error))
		return json_syntax_fault(decoder, error);
	for (;;)
	{
		int value = 0;

		if (!json_next_element(&scanner, &first, &more, error) || (more && !json_next_value(&scanner, &token, error)))
			return json_syntax_fault(decoder, error);
		if (!more)
			break;
		for (size_t i = 0; token.type == JSON_TYPE_NUMBER && i < token.raw.length && value < 256; i++)
			value = token.raw.data[i] < '0' || token.raw.data[i] > '9' ? 256 : value * 10 + (token.raw.data[i] - '0');
		if (token.type != JSON_TYPE_NUMBER || value > 255)
		{
			wrong_type(decoder, target, JSON_TYPE_ARRAY, raw);
			return true;
		}
		scratch->data[scratch->length++] = (char) value;
	}
	return batch_set_bytes(decoder->batch, column, row, (Span){scratch->data, scratch->length}, error);
}

/* ---- strings, nested values ----------------------------------------------------------------- */

static bool
set_string(JsonDecoder *decoder, int column, uint32_t row, const JsonToken *token, IngestError *error)
{
	const ColumnTarget *target = &decoder->target->columns[column];
	struct Buffer *scratch = &decoder->scratch;
	Span text = token->raw;

	if (target->form == FORM_JSON && !decoder->flavor->variant_is_string)
	{
		/* with its quotes it is a JSON value */
		text = (Span){token->raw.data - 1, token->raw.length + 2};
		return batch_set_text(decoder->batch, column, row, text, TEMPORAL_TEXT, error);
	}
	if (token->has_escape)
	{
		scratch->length = 0;
		if (!buffer_reserve(scratch, token->raw.length, error))
			return false;
		if (!json_decode_string(token->raw, scratch->data, &scratch->length, error))
		{
			json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_TEXT, target->name, "error parsing field '%s': %s",
					   target->name, error->message);
			return true;
		}
		text = (Span){scratch->data, scratch->length};
	}
	if (is_integer(target->form) || target->form == FORM_BOOLEAN)
		return set_checked(decoder, column, row, text, error);
	if (target->form == FORM_BYTEA)
		return set_encoded_bytes(decoder, column, row, text, error);
	return batch_set_text(decoder->batch, column, row, text, flavor_of(decoder, target->form), error);
}

static bool
set_nested(JsonDecoder *decoder, int column, uint32_t row, JsonType type, Span raw, IngestError *error)
{
	const ColumnTarget *target = &decoder->target->columns[column];

	switch (target->form)
	{
		case FORM_JSON:
		case FORM_TEXT:
		case FORM_INPUT:
			return batch_set_text(decoder->batch, column, row, raw, TEMPORAL_TEXT, error);
		case FORM_ARRAY:
			if (type == JSON_TYPE_ARRAY)
				return format_set_array(decoder->batch, column, row, raw, &decoder->scratch, error);
			break;
		case FORM_BYTEA:
			if (type == JSON_TYPE_ARRAY)
				return set_byte_array(decoder, column, row, raw, error);
			break;
		default:
			break;
	}
	wrong_type(decoder, target, type, raw);
	return true;
}

bool
json_read_value(JsonDecoder *decoder, JsonScanner *scanner, int column, uint32_t row, IngestError *error)
{
	JsonToken token;
	Span raw;

	json_skip_space(scanner);
	if (scanner->position < scanner->end && (*scanner->position == '{' || *scanner->position == '['))
	{
		JsonType type = *scanner->position == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;

		if (!json_skip_value(scanner, &raw, error))
			return json_syntax_fault(decoder, error);
		return set_nested(decoder, column, row, type, raw, error);
	}
	if (!json_next_value(scanner, &token, error))
		return json_syntax_fault(decoder, error);
	switch (token.type)
	{
		case JSON_TYPE_NULL:
			batch_set_null(decoder->batch, column, row);
			return true;
		case JSON_TYPE_NUMBER:
			return set_number(decoder, column, row, &token, error);
		case JSON_TYPE_STRING:
			return set_string(decoder, column, row, &token, error);
		default:
			return set_boolean(decoder, column, row, &token, error);
	}
}
