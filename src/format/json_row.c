/*-------------------------------------------------------------------------
 *
 * json_row.c
 *	  One row: a JSON object by the columns' names, or an array by their order.
 *
 * Rows of a feed mostly have the same keys in the same order.  Each key is remembered with
 * its column and with the key that came next, so the usual step is one comparison of
 * bytes.  A key not seen before is looked up among the columns once; beyond KNOWN_KEYS_MAX keys
 * every look-up is a search.
 *
 * Keys that the target lacks are passed over; of a key that comes twice the last value
 * counts.  An array must have exactly one element for each column.
 *
 * Which columns may be missing depends on the change: an insert needs all that can be neither
 * null nor defaulted, an update the key, a delete the key or, where there is none, what an
 * insert needs.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "format/json_internal.h"

#define KEY_MEMORY_MAX ((size_t) 1024 * 1024)

bool
json_key_memory_init(KeyMemory *memory, IngestError *error)
{
	arena_init(&memory->arena, KEY_MEMORY_MAX);
	memory->count = 0;
	memory->keys = calloc(KNOWN_KEYS_MAX, sizeof(KnownKey));
	return memory->keys != NULL || ingest_out_of_memory(error);
}

void
json_key_memory_release(KeyMemory *memory)
{
	arena_release(&memory->arena);
	free(memory->keys);
}

static int
find_column(const TargetTable *target, Span name)
{
	int column = target_find_column(target, name);

	return column >= 0 && target->columns[column].generated ? -1 : column;
}

static inline bool
same_name(Span a, Span b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* The key as written, escapes and all, is what is remembered. */
static int
learn_key(JsonDecoder *decoder, const JsonToken *key)
{
	KeyMemory *memory = &decoder->memory;
	Span name = key->raw;
	char decoded[256];
	IngestError ignored;
	int column = -1;
	KnownKey *known;

	if (key->has_escape)
	{
		/* a column's name has 63 bytes at most */
		size_t length = 0;

		if (name.length <= sizeof(decoded) && json_decode_string(name, decoded, &length, &ignored))
			column = find_column(decoder->target, (Span){decoded, length});
	}
	else
		column = find_column(decoder->target, name);
	if (memory->count == KNOWN_KEYS_MAX)
		return column;
	known = &memory->keys[memory->count];
	known->name.data = arena_copy(&memory->arena, name.data, name.length);
	known->name.length = name.length;
	known->column = column;
	known->next = 0;
	if (known->name.data != NULL)
		memory->count++;
	return column;
}

/* "previous" is the index of the key before this one, -1 at the row's start. */
static int
column_of_key(JsonDecoder *decoder, const JsonToken *key, int *previous)
{
	KeyMemory *memory = &decoder->memory;
	int guess = *previous < 0 ? 0 : memory->keys[*previous].next;
	int found = -1;

	if (guess < memory->count && same_name(memory->keys[guess].name, key->raw))
	{
		*previous = guess;
		return memory->keys[guess].column;
	}
	for (int i = 0; i < memory->count && found < 0; i++)
	{
		if (same_name(memory->keys[i].name, key->raw))
			found = i;
	}
	if (found < 0)
	{
		int column = learn_key(decoder, key);

		found = memory->count - 1;
		if (found < 0 || !same_name(memory->keys[found].name, key->raw))
			return column;
	}
	if (*previous >= 0)
		memory->keys[*previous].next = found;
	*previous = found;
	return memory->keys[found].column;
}

/* The scanner stands behind the opening brace. */
static bool
read_object(JsonDecoder *decoder, JsonScanner *scanner, uint32_t row, IngestError *error)
{
	bool first = true;
	int previous = -1;

	for (;;)
	{
		JsonToken key;
		bool more;
		int column;

		if (!json_next_member(scanner, &first, &more, &key, error))
			return json_syntax_fault(decoder, error);
		if (!more)
			return true;
		column = column_of_key(decoder, &key, &previous);
		if (column >= 0 && decoder->fault.kind == FAULT_NONE)
		{
			if (!json_read_value(decoder, scanner, column, row, error))
				return false;
		}
		else if (!json_skip_value(scanner, NULL, error))
			return json_syntax_fault(decoder, error);
		if (decoder->fault.kind == FAULT_SYNTAX)
			return true;
	}
}

/* The scanner stands behind the opening bracket. */
static bool
read_array(JsonDecoder *decoder, JsonScanner *scanner, uint32_t row, IngestError *error)
{
	bool first = true;
	int count = 0;

	for (;; count++)
	{
		bool more;

		if (!json_next_element(scanner, &first, &more, error))
			return json_syntax_fault(decoder, error);
		if (!more)
			break;
		if (count < decoder->fed->count && decoder->fault.kind == FAULT_NONE)
		{
			if (!json_read_value(decoder, scanner, decoder->fed->columns[count], row, error))
				return false;
		}
		else if (!json_skip_value(scanner, NULL, error))
			return json_syntax_fault(decoder, error);
		if (decoder->fault.kind == FAULT_SYNTAX)
			return true;
	}
	if (count != decoder->fed->count)
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL, "invalid length %d, expected %d columns", count,
				   decoder->fed->count);
	return true;
}

static void
check_missing(JsonDecoder *decoder, ChangeKind kind, uint32_t row)
{
	bool by_key = kind == CHANGE_UPDATE || (kind == CHANGE_DELETE && decoder->target->has_key);
	const int *columns = by_key ? decoder->key_columns : decoder->required;
	int count = by_key ? decoder->key_count : decoder->required_count;

	for (int i = 0; i < count; i++)
	{
		const char *name = decoder->target->columns[columns[i]].name;

		if (decoder->batch->columns[columns[i]].states[row] == VALUE_MISSING)
			json_fault(decoder, FAULT_RECORD, SQLSTATE_MISSING_FIELD, name, "missing field `%s`", name);
	}
}

bool
json_read_row(JsonDecoder *decoder, JsonScanner *scanner, ChangeKind kind, IngestError *error)
{
	JsonToken token;
	uint32_t row;
	bool done = true;

	if (!json_next_value(scanner, &token, error))
		return json_syntax_fault(decoder, error);
	if (token.type != JSON_TYPE_OBJECT && token.type != JSON_TYPE_ARRAY)
	{
		json_fault(decoder, FAULT_RECORD, SQLSTATE_BAD_STRUCTURE, NULL,
				   "invalid type: %.*s, expected a record as an object or an array", QUOTED(token.raw));
		return true;
	}
	if (!batch_add_row(decoder->batch, kind, decoder->payload, decoder->number, &row, error))
		return false;
	if (token.type == JSON_TYPE_OBJECT)
		done = read_object(decoder, scanner, row, error);
	else
		done = read_array(decoder, scanner, row, error);
	if (done && decoder->fault.kind == FAULT_NONE)
		check_missing(decoder, kind, row);
	if (!done || decoder->fault.kind != FAULT_NONE)
		batch_drop_last_row(decoder->batch);
	return done;
}
