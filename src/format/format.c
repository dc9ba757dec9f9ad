/*-------------------------------------------------------------------------
 *
 * format.c
 *	  The formats by name, and what they have in common.
 *
 * A declaration is {"name": "csv", "config": {...}}.  Its keys are checked here, against
 * the list that each format gives, so that a misspelt option is an error with a hint and never
 * silently ignored.
 *
 * A decoder that runs out of memory in the middle of a message leaves the batch as it
 * found it: the caller may hand the rows before it on and decode the message again.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "format/format_internal.h"

#define DECODER_MEMORY_MAX ((size_t) 16 * 1024 * 1024)

struct FormatDecoder
{
	const FormatRoutine *routine;
	void *state;
	FedColumns fed;
	Arena arena;
};

static const FormatRoutine *const routines[] = {&csv_routine, &json_routine};

#define ROUTINE_COUNT (sizeof(routines) / sizeof(routines[0]))

const char *
format_names(void)
{
	return "csv, json";
}

/* ---- options --------------------------------------------------------------------- */

bool
format_option_character(const JsonValue *config, const char *key, int *out, IngestError *error)
{
	const JsonValue *value = json_get(config, key);
	char character;

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return true;
	character = value->type == JSON_TYPE_STRING && value->text.length == 1 ? value->text.data[0] : '\0';
	if (character <= 0 || character == '\n' || character == '\r')
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: must be one ASCII character", FORMAT_CONFIG_PATH, key);
		return ingest_hint(error, "For example \"|\", or \"\\t\" for a tab.");
	}
	*out = character;
	return true;
}

/* "a, b, c" of a null-terminated list */
static void
join_names(const char *const *names, char *out, size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (int i = 0; names[i] != NULL && length + strlen(names[i]) + 3 < size; i++)
		length += (size_t) snprintf(out + length, size - length, "%s%s", i > 0 ? ", " : "", names[i]);
}

bool
format_option_choice(const JsonValue *config, const char *key, const char *const *choices, int *out, IngestError *error)
{
	const JsonValue *value = json_get(config, key);
	const char *text = json_get_string(config, key);
	char names[400];

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return true;
	for (int i = 0; text != NULL && choices[i] != NULL; i++)
	{
		if (strcmp(text, choices[i]) == 0)
		{
			*out = i;
			return true;
		}
	}
	join_names(choices, names, sizeof(names));
	ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: \"%.*s\" is not supported", FORMAT_CONFIG_PATH, key,
				QUOTED(value->text));
	return ingest_hint(error, "Supported are: %s.", names);
}

/* ---- text ------------------------------------------------------------------------- */

Span
format_trim(Span text)
{
	static const char blanks[] = " \t\n\v\f\r";

	while (text.length > 0 && memchr(blanks, *text.data, sizeof(blanks) - 1) != NULL)
	{
		text.data++;
		text.length--;
	}
	while (text.length > 0 && memchr(blanks, text.data[text.length - 1], sizeof(blanks) - 1) != NULL)
		text.length--;
	return text;
}

/* ---- life -------------------------------------------------------------------------- */

static const FormatRoutine *
find_routine(const JsonValue *format, IngestError *error)
{
	static const char *const keys[] = {"name", "config", NULL};
	const char *name;

	if (format == NULL || format->type != JSON_TYPE_OBJECT)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.format: must be an object");
		ingest_hint(error, "Write {\"name\": \"json\", \"config\": {...}}; the formats are %s.", format_names());
		return NULL;
	}
	if (!option_check_keys(format, "$.format", keys, error))
		return NULL;
	name = json_get_string(format, "name");
	for (size_t i = 0; name != NULL && i < ROUTINE_COUNT; i++)
	{
		if (strcmp(routines[i]->name, name) == 0)
			return routines[i];
	}
	if (name == NULL)
		ingest_fail(error, INGEST_ERROR_INVALID, "$.format.name: missing, or no string");
	else
		ingest_fail(error, INGEST_ERROR_INVALID, "$.format.name: unknown format \"%.100s\"", name);
	ingest_hint(error, "Valid formats are %s.", format_names());
	return NULL;
}

static bool
find_fed_columns(FormatDecoder *decoder, const TargetTable *target, IngestError *error)
{
	decoder->fed.columns = arena_alloc_array(&decoder->arena, (size_t) target->column_count, sizeof(int));
	if (decoder->fed.columns == NULL)
		return ingest_out_of_memory(error);
	for (int i = 0; i < target->column_count; i++)
	{
		if (!target->columns[i].generated)
			decoder->fed.columns[decoder->fed.count++] = i;
	}
	return true;
}

static bool
check_config(const FormatRoutine *routine, const JsonValue **config, IngestError *error)
{
	if (*config == NULL || (*config)->type == JSON_TYPE_NULL)
	{
		*config = NULL;
		return true;
	}
	if ((*config)->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be an object", FORMAT_CONFIG_PATH);
	return option_check_keys(*config, FORMAT_CONFIG_PATH, routine->options, error);
}

bool
format_open(const JsonValue *format, const TargetTable *target, FormatDecoder **out, IngestError *error)
{
	const FormatRoutine *routine = find_routine(format, error);
	const JsonValue *config = json_get(format, "config");
	FormatDecoder *decoder;

	if (routine == NULL || !check_config(routine, &config, error))
		return false;
	decoder = calloc(1, sizeof(FormatDecoder));
	if (decoder == NULL)
		return ingest_out_of_memory(error);
	arena_init(&decoder->arena, DECODER_MEMORY_MAX);
	decoder->routine = routine;
	if (!find_fed_columns(decoder, target, error) ||
		!routine->open(config, target, &decoder->fed, &decoder->state, error))
	{
		format_close(decoder);
		return false;
	}
	*out = decoder;
	return true;
}

void
format_close(FormatDecoder *decoder)
{
	if (decoder == NULL)
		return;
	if (decoder->state != NULL)
		decoder->routine->close(decoder->state);
	arena_release(&decoder->arena);
	free(decoder);
}

/* ---- one message --------------------------------------------------------------------- */

bool
format_prepare_batch(const FormatDecoder *decoder, ChangeBatch *batch, IngestError *error)
{
	for (int i = 0; i < decoder->fed.count; i++)
	{
		if (!batch_provide_column(batch, decoder->fed.columns[i], error))
			return false;
	}
	return true;
}

bool
format_decode(FormatDecoder *decoder, Span message, uint32_t payload, ChangeBatch *batch, IngestError *error)
{
	uint32_t rows = batch->row_count;
	uint32_t bad = batch->bad_count;

	if (decoder->routine->decode(decoder->state, message, payload, batch, error))
		return true;
	while (batch->row_count > rows)
		batch_drop_last_row(batch);
	batch->bad_count = bad;
	return false;
}
