/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  Delimited text: Feldera's options, read the way its csv crate reads.
 *
 * Fields feed the target's columns by position, generated columns left out.  A record ends
 * at \n, \r\n or \r outside quotes; empty lines are no records.  A quote counts as one only
 * at the start of a field; what follows the closing quote belongs to the field as it is.
 *
 * A message may hold many records.  What is wrong with one never touches the others:
 *	- too few fields, or (not flexible) another number than the first record had
 *	- a quoted field that the message's end cuts off
 * Values that do not fit their column are the server's to refuse.  One field more than there
 * are columns, and empty, is a trailing delimiter (TPC-H's .tbl files) and never an error.
 *
 * An empty field without quotes is NULL for a column that takes nulls, and the empty
 * string otherwise; a quoted one is always the empty string, as in COPY.
 *
 * With "headers" the first record of every message is passed over.  A message that holds
 * nothing but it, though it is no header (none of its fields is a column's name), becomes a bad
 * record: a feed of single lines must not vanish without a trace.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/format_internal.h"

#define NO_CHARACTER (-1)

typedef enum ByteClass
{
	BYTE_PLAIN = 0,
	BYTE_DELIMITER,
	BYTE_LINE_END
} ByteClass;

typedef struct CsvField
{
	Span text;
	bool quoted;
} CsvField;

typedef struct CsvDecoder
{
	const TargetTable *target;
	const FedColumns *fed;
	int delimiter;
	int quote; /* NO_CHARACTER: quoting is off */
	int escape;
	int comment;
	bool double_quote;
	bool headers;
	bool flexible;
	bool trim;
	uint8_t classes[256];
	uint64_t first_field_count; /* of the first record ever, 0 = none yet */
	CsvField *fields;           /* fed->count of them */
	struct Buffer scratch;      /* unescaped fields of the message; never moves while it is decoded */
	struct Buffer literal;
} CsvDecoder;

/* One message on its way. */
typedef struct CsvReader
{
	CsvDecoder *decoder;
	const char *position;
	const char *end;
	uint64_t field_count; /* of the record just read */
	bool last_empty;      /* its last field is empty and unquoted */
	bool unterminated;
} CsvReader;

static const char *const csv_options[] = {"delimiter", "quote",   "escape",   "double_quote", "quoting",
										  "comment",   "headers", "flexible", "trim",         NULL};

/* ---- options -------------------------------------------------------------------------- */

static bool
read_characters(CsvDecoder *decoder, const JsonValue *config, IngestError *error)
{
	bool quoting = true;

	decoder->delimiter = ',';
	decoder->quote = '"';
	decoder->escape = decoder->comment = NO_CHARACTER;
	if (!format_option_character(config, "delimiter", &decoder->delimiter, error) ||
		!format_option_character(config, "quote", &decoder->quote, error) ||
		!format_option_character(config, "escape", &decoder->escape, error) ||
		!format_option_character(config, "comment", &decoder->comment, error) ||
		!option_boolean(config, FORMAT_CONFIG_PATH, "quoting", &quoting, error))
		return false;
	if (!quoting)
		decoder->quote = decoder->escape = NO_CHARACTER;
	if (decoder->delimiter == decoder->quote || decoder->delimiter == decoder->escape)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "%s.delimiter: must differ from the quote and the escape character", FORMAT_CONFIG_PATH);
	return true;
}

static bool
read_options(CsvDecoder *decoder, const JsonValue *config, IngestError *error)
{
	static const char *const trims[] = {"none", "headers", "fields", "all", NULL};
	int trim = 0;

	decoder->double_quote = true;
	decoder->flexible = true;
	if (!read_characters(decoder, config, error) ||
		!option_boolean(config, FORMAT_CONFIG_PATH, "double_quote", &decoder->double_quote, error) ||
		!option_boolean(config, FORMAT_CONFIG_PATH, "headers", &decoder->headers, error) ||
		!option_boolean(config, FORMAT_CONFIG_PATH, "flexible", &decoder->flexible, error) ||
		!format_option_choice(config, "trim", trims, &trim, error))
		return false;
	/* header names are never looked at, so trimming them is the same as not trimming */
	decoder->trim = trim >= 2;
	decoder->classes['\n'] = decoder->classes['\r'] = BYTE_LINE_END;
	decoder->classes[decoder->delimiter] = BYTE_DELIMITER;
	return true;
}

static void
csv_close(void *state)
{
	CsvDecoder *decoder = state;

	buffer_release(&decoder->scratch);
	buffer_release(&decoder->literal);
	free(decoder->fields);
	free(decoder);
}

static bool
csv_open(const JsonValue *config, const TargetTable *target, const FedColumns *fed, void **state, IngestError *error)
{
	CsvDecoder *decoder = calloc(1, sizeof(CsvDecoder));

	if (decoder == NULL)
		return ingest_out_of_memory(error);
	buffer_init(&decoder->scratch, SIZE_MAX);
	buffer_init(&decoder->literal, SIZE_MAX);
	*state = decoder;
	decoder->target = target;
	decoder->fed = fed;
	decoder->fields = calloc((size_t) fed->count + 1, sizeof(CsvField));
	if (decoder->fields == NULL)
		return ingest_out_of_memory(error);
	return read_options(decoder, config, error);
}

/* ---- splitting -------------------------------------------------------------------------- */

/* Pass over line ends and comments; false at the end of the message. */
static bool
find_record(CsvReader *reader)
{
	while (reader->position < reader->end)
	{
		unsigned char character = (unsigned char) *reader->position;

		if (character == '\n' || character == '\r')
			reader->position++;
		else if (character == reader->decoder->comment)
		{
			const char *line_end = memchr(reader->position, '\n', (size_t) (reader->end - reader->position));

			reader->position = line_end == NULL ? reader->end : line_end;
		}
		else
			return true;
	}
	return false;
}

/* Bytes up to the next delimiter or line end. */
static Span
read_plain(CsvReader *reader)
{
	const uint8_t *classes = reader->decoder->classes;
	const char *first = reader->position;
	const char *position = first;

	while (position < reader->end && classes[(unsigned char) *position] == BYTE_PLAIN)
		position++;
	reader->position = position;
	return (Span){first, (size_t) (position - first)};
}

/*
 * The position stands behind the opening quote.  Fields without doubled or escaped quotes, and with nothing
 * behind the closing one, are not copied.  The scratch buffer has room for the whole message.
 */
static Span
read_quoted(CsvReader *reader)
{
	const CsvDecoder *decoder = reader->decoder;
	struct Buffer *scratch = &reader->decoder->scratch;
	const char *first = reader->position;
	char *copy = scratch->data + scratch->length;
	size_t length = 0;
	bool copied = false;
	Span rest;

	for (;;)
	{
		const char *position = reader->position;

		if (position == reader->end)
		{
			reader->unterminated = true;
			return (Span){first, (size_t) (position - first)};
		}
		if ((unsigned char) *position == decoder->escape && position + 1 < reader->end)
			position++;
		else if (*position == decoder->quote)
		{
			if (!decoder->double_quote || position + 1 == reader->end || position[1] != decoder->quote)
				break;
			position++;
		}
		if (position != reader->position && !copied)
		{
			length = (size_t) (reader->position - first);
			memcpy(copy, first, length);
			copied = true;
		}
		if (copied)
			copy[length++] = *position;
		reader->position = position + 1;
	}
	if (!copied)
		length = (size_t) (reader->position - first);
	reader->position++;
	rest = read_plain(reader);
	if (rest.length > 0)
	{
		if (!copied)
			memcpy(copy, first, length);
		memcpy(copy + length, rest.data, rest.length);
		length += rest.length;
		copied = true;
	}
	if (!copied)
		return (Span){first, length};
	scratch->length += length;
	return (Span){copy, length};
}

/* Read the record at the position; fields above the number of columns are only counted. */
static void
read_record(CsvReader *reader)
{
	const CsvDecoder *decoder = reader->decoder;

	reader->field_count = 0;
	reader->unterminated = false;
	for (;;)
	{
		CsvField field = {.quoted = false};

		if (reader->position < reader->end && decoder->quote != NO_CHARACTER && *reader->position == decoder->quote)
		{
			reader->position++;
			field.quoted = true;
			field.text = read_quoted(reader);
		}
		else
			field.text = read_plain(reader);
		if (decoder->trim)
			field.text = format_trim(field.text);
		if (reader->field_count < (uint64_t) decoder->fed->count)
			decoder->fields[reader->field_count] = field;
		reader->field_count++;
		reader->last_empty = field.text.length == 0 && !field.quoted;
		if (reader->position == reader->end || decoder->classes[(unsigned char) *reader->position] != BYTE_DELIMITER)
			break;
		reader->position++;
	}
}

/* ---- rows --------------------------------------------------------------------------------- */

static bool
set_field(CsvDecoder *decoder, const CsvField *field, int index, ChangeBatch *batch, uint32_t row, IngestError *error)
{
	const ColumnTarget *column = &decoder->target->columns[index];

	if (field->text.length == 0 && !field->quoted && !column->not_null)
	{
		batch_set_null(batch, index, row);
		return true;
	}
	if (column->form == FORM_ARRAY)
		return format_set_array(batch, index, row, field->text, &decoder->literal, error);
	return batch_set_text(batch, index, row, field->text, TEMPORAL_TEXT, error);
}

/* What is wrong with the record as a whole; false: nothing. */
static bool
find_fault(CsvReader *reader, char *message, size_t size)
{
	CsvDecoder *decoder = reader->decoder;
	uint64_t expected = (uint64_t) decoder->fed->count;

	if (reader->unterminated)
	{
		snprintf(message, size, "unterminated quoted field");
		return true;
	}
	if (reader->field_count < expected)
	{
		snprintf(message, size, "invalid length %" PRIu64 ", expected %" PRIu64 " columns", reader->field_count,
				 expected);
		return true;
	}
	if (decoder->flexible)
		return false;
	if (reader->field_count == expected + 1 && reader->last_empty)
		reader->field_count = expected;
	if (decoder->first_field_count == 0)
		decoder->first_field_count = reader->field_count;
	if (reader->field_count == decoder->first_field_count)
		return false;
	snprintf(message, size, "found record with %" PRIu64 " fields, but the first record has %" PRIu64 " fields",
			 reader->field_count, decoder->first_field_count);
	return true;
}

static bool
store_record(CsvReader *reader, uint32_t payload, int64_t number, ChangeBatch *batch, IngestError *error)
{
	CsvDecoder *decoder = reader->decoder;
	char message[160];
	uint32_t row;

	if (find_fault(reader, message, sizeof(message)))
		return batch_add_bad(batch, payload, number, SQLSTATE_BAD_STRUCTURE, NULL, message, error);
	if (!batch_add_row(batch, CHANGE_INSERT, payload, number, &row, error))
		return false;
	for (int i = 0; i < decoder->fed->count; i++)
	{
		if (!set_field(decoder, &decoder->fields[i], decoder->fed->columns[i], batch, row, error))
			return false;
	}
	return true;
}

/* Does any field of the record just read name a column? */
static bool
is_header(const CsvReader *reader)
{
	uint64_t known = (uint64_t) reader->decoder->fed->count;

	for (uint64_t i = 0; i < reader->field_count && i < known; i++)
	{
		if (target_find_column(reader->decoder->target, format_trim(reader->decoder->fields[i].text)) >= 0)
			return true;
	}
	return false;
}

static bool
csv_decode(void *state, Span message, uint32_t payload, ChangeBatch *batch, IngestError *error)
{
	CsvDecoder *decoder = state;
	CsvReader reader = {.decoder = decoder, .position = message.data, .end = message.data + message.length};
	int64_t number = 0;
	bool lone_line = false;

	/* Unescaped fields are never longer than what they were made of. */
	decoder->scratch.length = 0;
	if (decoder->quote != NO_CHARACTER && message.length > 0 &&
		memchr(message.data, decoder->quote, message.length) != NULL &&
		!buffer_reserve(&decoder->scratch, message.length, error))
		return false;
	if (decoder->headers && find_record(&reader))
	{
		read_record(&reader);
		lone_line = !is_header(&reader);
	}
	while (find_record(&reader))
	{
		lone_line = false;
		read_record(&reader);
		if (!store_record(&reader, payload, ++number, batch, error))
			return false;
	}
	if (lone_line)
		return batch_add_bad(batch, payload, 1, SQLSTATE_BAD_STRUCTURE, NULL,
							 "the message holds one line only, which \"headers\" says to pass over", error);
	return true;
}

const FormatRoutine csv_routine = {"csv", csv_options, csv_open, csv_close, csv_decode};
