/*-------------------------------------------------------------------------
 *
 * json_tree.c
 *	  A JSON document as a tree in an arena, for configurations and schemas.
 *
 * Numbers keep their text.  Recursion is bounded by JSON_MAX_DEPTH.  The input is copied
 * into the arena once, and the text of arrays and objects points into that copy.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Builder
{
	JsonScanner scanner;
	Arena *arena;
	int depth;
} Builder;

/* Items gathered before their number is known: blocks of doubling size would leave holes in the arena, so they are
 * a list first and an array at the end. */
typedef struct Item
{
	struct Item *next;
	Span key;
	JsonValue *value;
} Item;

static bool build_value(Builder *builder, JsonValue **out, IngestError *error);

/* Turn the list of items into the value's array. */
static bool
collect_items(Builder *builder, JsonValue *value, Item *first, IngestError *error)
{
	size_t index = 0;

	if (value->type == JSON_TYPE_ARRAY)
		value->elements = arena_alloc_array(builder->arena, value->count, sizeof(JsonValue *));
	else
		value->members = arena_alloc_array(builder->arena, value->count, sizeof(JsonMember));
	if (value->type == JSON_TYPE_ARRAY ? value->elements == NULL : value->members == NULL)
		return ingest_out_of_memory(error);
	for (Item *item = first; item != NULL; item = item->next, index++)
	{
		if (value->type == JSON_TYPE_ARRAY)
			value->elements[index] = item->value;
		else
			value->members[index] = (JsonMember){item->key, item->value};
	}
	return true;
}

static bool
build_items(Builder *builder, JsonValue *value, IngestError *error)
{
	bool first = true;
	Item *head = NULL;
	Item **tail = &head;

	if (builder->depth == JSON_MAX_DEPTH)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
	builder->depth++;
	for (;;)
	{
		bool more;
		JsonToken key;
		Item *item;

		if (value->type == JSON_TYPE_ARRAY ? !json_next_element(&builder->scanner, &first, &more, error)
										   : !json_next_member(&builder->scanner, &first, &more, &key, error))
			return false;
		if (!more)
			break;
		item = arena_alloc_array(builder->arena, 1, sizeof(Item));
		if (item == NULL)
			return ingest_out_of_memory(error);
		if (value->type == JSON_TYPE_OBJECT && !json_token_text(&key, builder->arena, &item->key, error))
			return false;
		if (!build_value(builder, &item->value, error))
			return false;
		*tail = item;
		tail = &item->next;
		value->count++;
	}
	builder->depth--;
	return collect_items(builder, value, head, error);
}

static bool
build_value(Builder *builder, JsonValue **out, IngestError *error)
{
	JsonToken token;
	JsonValue *value;
	const char *begin;

	json_skip_space(&builder->scanner);
	begin = builder->scanner.position;
	if (!json_next_value(&builder->scanner, &token, error))
		return false;
	value = arena_alloc_array(builder->arena, 1, sizeof(JsonValue));
	if (value == NULL)
		return ingest_out_of_memory(error);
	value->type = token.type;
	*out = value;
	if (token.type != JSON_TYPE_ARRAY && token.type != JSON_TYPE_OBJECT)
		return json_token_text(&token, builder->arena, &value->text, error);
	if (!build_items(builder, value, error))
		return false;
	value->text = (Span){begin, (size_t) (builder->scanner.position - begin)};
	return true;
}

bool
json_parse(const char *data, size_t length, Arena *arena, JsonValue **out, IngestError *error)
{
	Builder builder = {.arena = arena};
	char *copy = arena_copy(arena, data, length);

	if (copy == NULL)
		return ingest_out_of_memory(error);
	json_scanner_init(&builder.scanner, copy, length);
	if (!build_value(&builder, out, error))
		return false;
	json_skip_space(&builder.scanner);
	if (builder.scanner.position != builder.scanner.end)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: text behind the value at byte %zu",
						   (size_t) (builder.scanner.position - builder.scanner.start));
	return true;
}

const JsonValue *
json_get(const JsonValue *object, const char *key)
{
	if (object == NULL || object->type != JSON_TYPE_OBJECT)
		return NULL;
	for (size_t i = object->count; i > 0; i--)
		if (span_equals(object->members[i - 1].key, key))
			return object->members[i - 1].value;
	return NULL;
}

const char *
json_get_string(const JsonValue *object, const char *key)
{
	const JsonValue *value = json_get(object, key);

	return value != NULL && value->type == JSON_TYPE_STRING ? value->text.data : NULL;
}

bool
json_to_int64(const JsonValue *value, int64_t *out)
{
	char *end;
	long long result;

	if (value == NULL || (value->type != JSON_TYPE_NUMBER && value->type != JSON_TYPE_STRING) ||
		value->text.length == 0)
		return false;
	if (value->text.data[0] != '-' && (value->text.data[0] < '0' || value->text.data[0] > '9'))
		return false;
	errno = 0;
	result = strtoll(value->text.data, &end, 10);
	if (errno != 0 || end == value->text.data)
		return false;
	if (*end == '.')
		for (end++; *end == '0';)
			end++;
	if (end != value->text.data + value->text.length)
		return false;
	*out = result;
	return true;
}

bool
json_to_double(const JsonValue *value, double *out)
{
	char *end;
	double result;

	if (value == NULL || value->type != JSON_TYPE_NUMBER)
		return false;
	result = strtod(value->text.data, &end);
	if (end != value->text.data + value->text.length || !isfinite(result))
		return false;
	*out = result;
	return true;
}

bool
json_write_string(Buffer *buffer, const char *data, size_t length, IngestError *error)
{
	static const char digits[] = "0123456789abcdef";
	static const char specials[] = "\"\\\b\f\n\r\t";
	char *target;

	/* the longest escape is six bytes for one */
	if (length > (SIZE_MAX - 2) / 6)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a string of %zu bytes is too long", length);
	if (!buffer_reserve(buffer, length + 2, error))
		return false;
	buffer->data[buffer->length++] = '"';
	for (size_t i = 0; i < length; i++)
	{
		unsigned char character = (unsigned char) data[i];
		const char *named = character == '\0' ? NULL : strchr(specials, character);

		/* room for this character's escape, the rest as plain text, and the closing quote */
		if (!buffer_reserve(buffer, 6 + (length - i - 1) + 1, error))
			return false;
		target = buffer->data + buffer->length;
		if (named != NULL)
		{
			*target++ = '\\';
			*target++ = "\"\\bfnrt"[named - specials];
		}
		else if (character < 0x20)
		{
			memcpy(target, "\\u00", 4);
			target[4] = digits[character >> 4];
			target[5] = digits[character & 15];
			target += 6;
		}
		else
			*target++ = (char) character;
		buffer->length = (size_t) (target - buffer->data);
	}
	buffer->data[buffer->length++] = '"';
	return true;
}
