/*-------------------------------------------------------------------------
 *
 * option.c
 *	  Reading options of a parsed connector object.
 *
 * Values may be JSON strings, numbers or booleans where Feldera wants strings; null
 * is the same as an absent key.
 * Every failure is INVALID and names the JSON path; an unknown key's hint lists
 * the valid ones.  Results point into the tree.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <string.h>

#include "common/common.h"

/* ", "-joined names, cut off where they do not fit. */
static void
join_names(const char *const *names, char *out, size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; names[i] != NULL; i++)
	{
		size_t name_length = strlen(names[i]);

		if (length + name_length + 6 > size)
		{
			memcpy(out + length, ", ...", 6);
			return;
		}
		if (length > 0)
		{
			memcpy(out + length, ", ", 2);
			length += 2;
		}
		memcpy(out + length, names[i], name_length + 1);
		length += name_length;
	}
}

/* Fail (INVALID) unless every key of "object" is one of "allowed". */
bool
option_check_keys(const JsonValue *object, const char *path, const char *const *allowed, IngestError *error)
{
	char names[400];

	for (size_t i = 0; i < object->count; i++)
	{
		Span key = object->members[i].key;
		size_t j = 0;

		while (allowed[j] != NULL && !span_equals(key, allowed[j]))
			j++;
		if (allowed[j] != NULL)
			continue;
		join_names(allowed, names, sizeof(names));
		ingest_fail(error, INGEST_ERROR_INVALID, "%s: unknown option \"%.*s\"", path,
					(int) (key.length < 100 ? key.length : 100), key.data);
		return ingest_hint(error, "Valid options are %s.", names);
	}
	return true;
}

/* The option's text, or null where it is absent, null, or no scalar. */
const char *
option_text(const JsonValue *config, const char *key)
{
	const JsonValue *value = json_get(config, key);

	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case JSON_TYPE_STRING:
		case JSON_TYPE_NUMBER:
			return value->text.data;
		case JSON_TYPE_TRUE:
			return "true";
		case JSON_TYPE_FALSE:
			return "false";
		default:
			return NULL;
	}
}

/* A boolean, or its name as a string. */
bool
option_boolean(const JsonValue *config, const char *path, const char *key, bool *out, IngestError *error)
{
	const JsonValue *value = json_get(config, key);
	const char *text = option_text(config, key);

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return true;
	if (text != NULL && strcmp(text, "true") == 0)
		*out = true;
	else if (text != NULL && strcmp(text, "false") == 0)
		*out = false;
	else
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: must be true or false", path, key);
	return true;
}

/* An integer in [minimum, maximum], as a number or as a string. */
bool
option_integer(const JsonValue *config, const char *path, const char *key, int64_t minimum, int64_t maximum,
			   int64_t *out, IngestError *error)
{
	const JsonValue *value = json_get(config, key);
	int64_t number;

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return true;
	if (!json_to_int64(value, &number))
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: must be an integer", path, key);
	if (number < minimum || number > maximum)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: %" PRId64 " is out of range", path, key, number);
		return maximum == INT64_MAX
				   ? ingest_hint(error, "It must be at least %" PRId64 ".", minimum)
				   : ingest_hint(error, "It must be between %" PRId64 " and %" PRId64 ".", minimum, maximum);
	}
	*out = number;
	return true;
}
