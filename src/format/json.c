/*-------------------------------------------------------------------------
 *
 * json.c
 *	  JSON messages: options, the sequence of values, and the envelope of each.
 *
 * A message is a sequence of JSON values with or without white space between them; with
 * "lines": "single" each line is such a sequence by itself.  With "array" every value is an
 * array of records.  A record is, by update_format:
 *
 *	  raw			 the row itself: an insert
 *	  insert_delete	 an object with any of "delete", "insert", "update" (applied in this order),
 *					 and "table", which is not looked at
 *	  debezium		 {"payload": {"before", "after", "op", ...}}, or what "payload" holds alone:
 *					 before is deleted, after inserted
 *
 * What is wrong with one record is its own: the others survive.  Two exceptions: an array
 * is taken whole or not at all (every bad element is reported), and where a value is no JSON
 * nothing behind it can be found again, so the rest of the message, or of the line, is lost
 * with it and reported once.
 *
 * Record numbers count the records of the message from 1; elements of an array are records.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/json_internal.h"

static const char *const json_options[] = {"update_format", "array", "lines", "json_flavor", NULL};

static const JsonFlavor flavors[] = {
	{"default", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_BYTES, false},
	{"datagen", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_BYTES, false},
	{"debezium_mysql", TEMPORAL_DAYS, TEMPORAL_MICROSECONDS, TEMPORAL_TEXT, BINARY_BASE64, true},
	{"debezium_postgres", TEMPORAL_DAYS, TEMPORAL_MICROSECONDS, TEMPORAL_MILLISECONDS, BINARY_BASE64, true},
	{"kafka_connect_json_converter", TEMPORAL_DAYS, TEMPORAL_MILLISECONDS, TEMPORAL_MILLISECONDS, BINARY_BASE64, false},
	{"snowflake", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_BYTES, false},
	{"pandas", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_MILLISECONDS, BINARY_BYTES, false},
	{"postgres", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_BYTES, false},
	{"blockchain", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_BASE58, false},
	{"c_hex", TEMPORAL_TEXT, TEMPORAL_TEXT, TEMPORAL_TEXT, BINARY_HEX, false},
};

#define FLAVOR_COUNT (sizeof(flavors) / sizeof(flavors[0]))

/* ---- faults -------------------------------------------------------------------------- */

void
json_fault(JsonDecoder *decoder, FaultKind kind, const char *sqlstate, const char *column, const char *format, ...)
{
	JsonFault *fault = &decoder->fault;
	va_list arguments;

	/* a syntax error decides what can still be read, so it replaces what came first */
	if (fault->kind >= kind)
		return;
	fault->kind = kind;
	fault->sqlstate = sqlstate;
	fault->column = column;
	va_start(arguments, format);
	vsnprintf(fault->message, sizeof(fault->message), format, arguments);
	va_end(arguments);
}

bool
json_syntax_fault(JsonDecoder *decoder, IngestError *error)
{
	if (error->kind == INGEST_ERROR_OUT_OF_MEMORY)
		return false;
	json_fault(decoder, FAULT_SYNTAX, SQLSTATE_BAD_TEXT, NULL, "failed to parse string as a JSON document: %s",
			   error->message);
	ingest_error_clear(error);
	return true;
}

/* Report the record's fault, if it has one. */
static bool
report_fault(JsonDecoder *decoder, IngestError *error)
{
	const JsonFault *fault = &decoder->fault;

	return fault->kind == FAULT_NONE || batch_add_bad(decoder->batch, decoder->payload, decoder->number,
													  fault->sqlstate, fault->column, fault->message, error);
}

static void
drop_rows(ChangeBatch *batch, uint32_t rows)
{
	while (batch->row_count > rows)
		batch_drop_last_row(batch);
}

/* ---- options ---------------------------------------------------------------------------- */

static bool
read_options(JsonDecoder *decoder, const JsonValue *config, IngestError *error)
{
	static const char *const update_formats[] = {"raw", "insert_delete", "debezium", NULL};
	static const char *const lines[] = {"multiple", "single", NULL};
	const char *flavor_names[FLAVOR_COUNT + 1] = {NULL};
	int update_format = UPDATE_FORMAT_INSERT_DELETE;
	int line = 0;
	int flavor = 0;

	for (size_t i = 0; i < FLAVOR_COUNT; i++)
		flavor_names[i] = flavors[i].name;
	if (!format_option_choice(config, "update_format", update_formats, &update_format, error) ||
		!option_boolean(config, FORMAT_CONFIG_PATH, "array", &decoder->array, error) ||
		!format_option_choice(config, "lines", lines, &line, error) ||
		!format_option_choice(config, "json_flavor", flavor_names, &flavor, error))
		return false;
	decoder->update_format = (JsonUpdateFormat) update_format;
	decoder->single_lines = line == 1;
	decoder->flavor = &flavors[flavor];
	return true;
}

static bool
find_columns(JsonDecoder *decoder, IngestError *error)
{
	const TargetTable *target = decoder->target;

	decoder->required = calloc((size_t) target->column_count + 1, sizeof(int));
	decoder->key_columns = calloc((size_t) target->column_count + 1, sizeof(int));
	if (decoder->required == NULL || decoder->key_columns == NULL)
		return ingest_out_of_memory(error);
	for (int i = 0; i < target->column_count; i++)
	{
		const ColumnTarget *column = &target->columns[i];

		if (column->generated)
			continue;
		if (column->not_null && !column->has_default)
			decoder->required[decoder->required_count++] = i;
		if (column->in_key)
			decoder->key_columns[decoder->key_count++] = i;
	}
	return true;
}

static void
json_close(void *state)
{
	JsonDecoder *decoder = state;

	json_key_memory_release(&decoder->memory);
	buffer_release(&decoder->scratch);
	free(decoder->required);
	free(decoder->key_columns);
	free(decoder);
}

static bool
json_open(const JsonValue *config, const TargetTable *target, const FedColumns *fed, void **state, IngestError *error)
{
	JsonDecoder *decoder = calloc(1, sizeof(JsonDecoder));

	if (decoder == NULL)
		return ingest_out_of_memory(error);
	*state = decoder;
	decoder->target = target;
	decoder->fed = fed;
	buffer_init(&decoder->scratch, SIZE_MAX);
	return json_key_memory_init(&decoder->memory, error) && read_options(decoder, config, error) &&
		   find_columns(decoder, error);
}

/* ---- envelopes ------------------------------------------------------------------------------ */

/* The row in the raw text of a member; nothing where it is absent or null. */
static bool
apply_member(JsonDecoder *decoder, Span raw, ChangeKind kind, IngestError *error)
{
	JsonScanner scanner;

	if (raw.data == NULL || span_equals(raw, "null") || decoder->fault.kind != FAULT_NONE)
		return true;
	json_scanner_init(&scanner, raw.data, raw.length);
	return json_read_row(decoder, &scanner, kind, error);
}

static const char *const envelope_keys[] = {"table", "insert", "delete", "update"};

enum
{
	KEY_TABLE,
	KEY_INSERT,
	KEY_DELETE,
	KEY_UPDATE,
	KEY_COUNT
};

/* One of envelope_keys, or KEY_COUNT and a fault. */
static int
envelope_key(JsonDecoder *decoder, const JsonToken *key)
{
	for (int i = 0; i < KEY_COUNT; i++)
	{
		if (span_equals(key->raw, envelope_keys[i]))
			return i;
	}
	json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
			   "unknown field `%.*s`, expected one of `table`, `insert`, `delete`, `update`; where the messages are "
			   "the rows themselves, \"update_format\" must be \"raw\"",
			   QUOTED(key->raw));
	return KEY_COUNT;
}

static void
refuse_update(JsonDecoder *decoder)
{
	json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
			   "update needs a primary key, which table \"%s\" does not have", decoder->target->name);
}

/* Collect the members' text, then apply them in their order.  The scanner stands behind the opening brace. */
static bool
read_envelope_members(JsonDecoder *decoder, JsonScanner *scanner, IngestError *error)
{
	Span members[KEY_COUNT + 1] = {{NULL, 0}};
	bool first = true;
	bool more = true;

	while (more)
	{
		JsonToken key;
		Span raw;
		int member;

		if (!json_next_member(scanner, &first, &more, &key, error))
			return json_syntax_fault(decoder, error);
		if (!more)
			break;
		member = envelope_key(decoder, &key);
		if (!json_skip_value(scanner, &raw, error))
			return json_syntax_fault(decoder, error);
		if (member < KEY_COUNT && members[member].data != NULL)
			json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL, "duplicate field `%s`",
					   envelope_keys[member]);
		members[member] = raw;
	}
	if (members[KEY_UPDATE].data != NULL && !span_equals(members[KEY_UPDATE], "null") && !decoder->target->has_key)
		refuse_update(decoder);
	return apply_member(decoder, members[KEY_DELETE], CHANGE_DELETE, error) &&
		   apply_member(decoder, members[KEY_INSERT], CHANGE_INSERT, error) &&
		   apply_member(decoder, members[KEY_UPDATE], CHANGE_UPDATE, error);
}

/*
 * {"insert": {...}} and nothing else is what nearly all records are: that row is read where it stands.  *done is
 * false, and nothing has happened, where the record turns out to be another.
 */
static bool
read_single_member(JsonDecoder *decoder, JsonScanner *scanner, bool *done, IngestError *error)
{
	JsonScanner start = *scanner;
	uint32_t rows = decoder->batch->row_count;
	bool first = true;
	bool more;
	JsonToken key;
	bool insert;

	*done = false;
	if (!json_next_member(scanner, &first, &more, &key, error))
		return json_syntax_fault(decoder, error);
	insert = more && span_equals(key.raw, "insert");
	if (insert || (more && span_equals(key.raw, "delete")))
	{
		json_skip_space(scanner);
		if (scanner->position < scanner->end && (*scanner->position == '{' || *scanner->position == '['))
		{
			if (!json_read_row(decoder, scanner, insert ? CHANGE_INSERT : CHANGE_DELETE, error))
				return false;
			if (decoder->fault.kind == FAULT_SYNTAX)
				return true;
			if (!json_next_member(scanner, &first, &more, &key, error))
				return json_syntax_fault(decoder, error);
			*done = !more;
		}
	}
	if (!*done)
	{
		drop_rows(decoder->batch, rows);
		decoder->fault.kind = FAULT_NONE;
		*scanner = start;
	}
	return true;
}

static bool
read_insert_delete(JsonDecoder *decoder, JsonScanner *scanner, IngestError *error)
{
	JsonToken token;
	bool done;

	json_skip_space(scanner);
	if (scanner->position < scanner->end && *scanner->position != '{')
	{
		Span raw;

		if (!json_skip_value(scanner, &raw, error))
			return json_syntax_fault(decoder, error);
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
				   "invalid type: %.*s, expected an object with `insert`, `delete` or `update`", QUOTED(raw));
		return true;
	}
	if (!json_next_value(scanner, &token, error))
		return json_syntax_fault(decoder, error);
	if (!read_single_member(decoder, scanner, &done, error))
		return false;
	if (done || decoder->fault.kind == FAULT_SYNTAX)
		return true;
	return read_envelope_members(decoder, scanner, error);
}

/* The members of a Debezium event that count. */
typedef struct DebeziumEvent
{
	Span payload;
	Span before;
	Span after;
	Span op;
} DebeziumEvent;

static bool
read_debezium_members(JsonDecoder *decoder, JsonScanner *scanner, DebeziumEvent *event, IngestError *error)
{
	JsonToken token;
	bool first = true;
	bool more;

	*event = (DebeziumEvent){.payload = {NULL, 0}};
	if (!json_next_value(scanner, &token, error))
		return json_syntax_fault(decoder, error);
	if (token.type != JSON_TYPE_OBJECT)
	{
		scanner->position = token.raw.data - (token.type == JSON_TYPE_STRING);
		if (!json_skip_value(scanner, &token.raw, error))
			return json_syntax_fault(decoder, error);
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
				   "invalid type: %.*s, expected a Debezium event as an object", QUOTED(token.raw));
		return true;
	}
	for (;;)
	{
		Span raw;

		if (!json_next_member(scanner, &first, &more, &token, error) ||
			(more && !json_skip_value(scanner, &raw, error)))
			return json_syntax_fault(decoder, error);
		if (!more)
			return true;
		if (span_equals(token.raw, "payload"))
			event->payload = raw;
		else if (span_equals(token.raw, "before"))
			event->before = raw;
		else if (span_equals(token.raw, "after"))
			event->after = raw;
		else if (span_equals(token.raw, "op"))
			event->op = raw;
	}
}

static bool
read_debezium(JsonDecoder *decoder, JsonScanner *scanner, IngestError *error)
{
	DebeziumEvent event;
	JsonScanner payload;

	if (!read_debezium_members(decoder, scanner, &event, error))
		return false;
	if (decoder->fault.kind == FAULT_NONE && event.payload.data != NULL)
	{
		json_scanner_init(&payload, event.payload.data, event.payload.length);
		if (!read_debezium_members(decoder, &payload, &event, error))
			return false;
	}
	if (decoder->fault.kind == FAULT_NONE && event.op.data == NULL)
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL, "missing field `op`");
	if (span_equals(event.op, "\"t\""))
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
				   "a truncation of the source table is not supported");
	return apply_member(decoder, event.before, CHANGE_DELETE, error) &&
		   apply_member(decoder, event.after, CHANGE_INSERT, error);
}

/* ---- records ------------------------------------------------------------------------------------ */

/* One record at the scanner: its rows, or its fault and no row. */
static bool
read_record(JsonDecoder *decoder, JsonScanner *scanner, IngestError *error)
{
	uint32_t rows = decoder->batch->row_count;
	bool done;

	decoder->fault.kind = FAULT_NONE;
	decoder->number++;
	switch (decoder->update_format)
	{
		case UPDATE_FORMAT_RAW:
			done = json_read_row(decoder, scanner, CHANGE_INSERT, error);
			break;
		case UPDATE_FORMAT_INSERT_DELETE:
			done = read_insert_delete(decoder, scanner, error);
			break;
		default:
			done = read_debezium(decoder, scanner, error);
			break;
	}
	if (!done)
		return false;
	if (decoder->fault.kind != FAULT_NONE)
		drop_rows(decoder->batch, rows);
	return report_fault(decoder, error);
}

/* All records of one array, or none. */
static bool
read_record_array(JsonDecoder *decoder, JsonScanner *scanner, IngestError *error)
{
	ChangeBatch *batch = decoder->batch;
	uint32_t rows = batch->row_count;
	uint32_t bad = batch->bad_count;
	bool first = true;
	bool more;
	JsonToken token;
	Span raw;

	json_skip_space(scanner);
	decoder->fault.kind = FAULT_NONE;
	if (scanner->position < scanner->end && *scanner->position != '[')
	{
		decoder->number++;
		if (json_skip_value(scanner, &raw, error))
			json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
					   "invalid type: %.*s, expected an array of records, as \"array\" is true", QUOTED(raw));
		else if (!json_syntax_fault(decoder, error))
			return false;
		return report_fault(decoder, error);
	}
	if (!json_next_value(scanner, &token, error))
		return false;
	for (;;)
	{
		if (!json_next_element(scanner, &first, &more, error))
		{
			decoder->number++;
			if (!json_syntax_fault(decoder, error) || !report_fault(decoder, error))
				return false;
			break;
		}
		if (!more)
			break;
		if (!read_record(decoder, scanner, error))
			return false;
		if (decoder->fault.kind == FAULT_SYNTAX)
			break;
	}
	if (batch->bad_count > bad)
		drop_rows(batch, rows);
	return true;
}

/* A sequence of values; ends at the first that is no JSON. */
static bool
read_sequence(JsonDecoder *decoder, const char *data, size_t length, IngestError *error)
{
	JsonScanner scanner;

	json_scanner_init(&scanner, data, length);
	for (;;)
	{
		json_skip_space(&scanner);
		if (scanner.position == scanner.end)
			return true;
		if (decoder->array ? !read_record_array(decoder, &scanner, error) : !read_record(decoder, &scanner, error))
			return false;
		if (decoder->fault.kind == FAULT_SYNTAX)
			return true;
	}
}

static bool
json_decode(void *state, Span message, uint32_t payload, ChangeBatch *batch, IngestError *error)
{
	JsonDecoder *decoder = state;
	const char *position = message.data;
	const char *end = message.data + message.length;

	decoder->batch = batch;
	decoder->payload = payload;
	decoder->number = 0;
	if (!decoder->single_lines)
		return read_sequence(decoder, message.data, message.length, error);
	while (position < end)
	{
		const char *line_end = memchr(position, '\n', (size_t) (end - position));

		if (line_end == NULL)
			line_end = end;
		if (!read_sequence(decoder, position, (size_t) (line_end - position), error))
			return false;
		position = line_end == end ? end : line_end + 1;
	}
	return true;
}

const FormatRoutine json_routine = {"json", json_options, json_open, json_close, json_decode};
