/*-------------------------------------------------------------------------
 *
 * actions.c
 *	  The lines of a commit, or of a JSON checkpoint, as actions.
 *
 * A commit is newline-delimited JSON, one object a line with one key that names the
 * action.  Read tolerantly where that is free: lines may end in CRLF, be empty, hold
 * other bytes behind the object, an object may span lines, and the last newline may be
 * missing.  One method covers all of it: one JSON value from where the reader stands,
 * then on to the next newline.
 *
 * No tree is made: a log has hundreds of thousands of these.  Spans of an action point
 * into the input, or into the reader's scratch arena where text had to be decoded, and
 * hold until the next action.  JSON null is the same as absent everywhere.  Unknown
 * actions and fields are passed over.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- scalars ---------------------------------------------------------------------- */

/* An integer as a number or a string, with zeros behind a point; false: it is something else. */
static bool
token_to_int64(const JsonToken *token, int64_t *out)
{
	char text[32];
	JsonValue value = {.type = token->type, .text = {text, token->raw.length}};

	if (token->raw.length >= sizeof(text))
		return false;
	memcpy(text, token->raw.data, token->raw.length);
	text[token->raw.length] = '\0';
	return json_to_int64(&value, out);
}

/* Read the next value, which should be an integer; null leaves *out alone. */
static bool
read_integer(JsonScanner *scanner, const char *name, int64_t *out, IngestError *error)
{
	JsonToken token;

	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type == JSON_TYPE_NULL || token_to_int64(&token, out))
		return true;
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"%s\" is not an integer", name);
}

/* Read the next value, which should be a string; null leaves *out alone. */
static bool
read_text(JsonScanner *scanner, const char *name, Arena *arena, Span *out, IngestError *error)
{
	JsonToken token;

	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type == JSON_TYPE_NULL)
		return true;
	if (token.type != JSON_TYPE_STRING)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"%s\" is not a string", name);
	return json_token_text(&token, arena, out, error);
}

/* The text of the next value, which should be an object; null gives length 0. */
static bool
read_object(JsonScanner *scanner, const char *name, Span *out, IngestError *error)
{
	out->length = 0;
	if (!json_skip_value(scanner, out, error))
		return false;
	if (span_equals(*out, "null"))
		out->length = 0;
	else if (out->data[0] != '{')
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"%s\" is not an object", name);
	return true;
}

/* ---- statistics ------------------------------------------------------------------- */

/* Top-level numRecords of a JSON text, or -1. */
static int64_t
scan_record_count(const char *data, size_t length)
{
	JsonScanner scanner;
	JsonToken token;
	IngestError ignored;
	bool first = true;
	bool more;
	int64_t count;

	json_scanner_init(&scanner, data, length);
	if (!json_next_value(&scanner, &token, &ignored) || token.type != JSON_TYPE_OBJECT)
		return -1;
	while (json_next_member(&scanner, &first, &more, &token, &ignored) && more)
	{
		bool found = span_equals(token.raw, "numRecords");

		if (!found)
		{
			if (!json_skip_value(&scanner, NULL, &ignored))
				return -1;
			continue;
		}
		if (json_next_value(&scanner, &token, &ignored) && token_to_int64(&token, &count) && count >= 0)
			return count;
		return -1;
	}
	return -1;
}

int64_t
stats_record_count(Span stats, bool escaped)
{
	static const char usual[] = "{\\\"numRecords\\\":";
	const size_t usual_length = sizeof(usual) - 1;
	char *text;
	size_t length;
	int64_t count = -1;
	IngestError ignored;

	if (!escaped)
		return scan_record_count(stats.data, stats.length);

	/* the common spelling needs no copy */
	if (stats.length > usual_length && memcmp(stats.data, usual, usual_length) == 0)
	{
		size_t at = usual_length;

		for (count = 0; at < stats.length && stats.data[at] >= '0' && stats.data[at] <= '9' && count < INT64_MAX / 20;
			 at++)
			count = count * 10 + (stats.data[at] - '0');
		if (at > usual_length && at < stats.length && (stats.data[at] == ',' || stats.data[at] == '}'))
			return count;
		count = -1;
	}
	text = malloc(stats.length + 1);
	if (text == NULL)
		return -1;
	if (json_decode_string(stats, text, &length, &ignored))
		count = scan_record_count(text, length);
	free(text);
	return count;
}

/* ---- deletion vectors -------------------------------------------------------------- */

static bool
read_vector_member(JsonScanner *scanner, Span key, Arena *arena, VectorDescriptor *out, Span *type, IngestError *error)
{
	if (span_equals(key, "storageType"))
		return read_text(scanner, "storageType", arena, type, error);
	if (span_equals(key, "pathOrInlineDv"))
		return read_text(scanner, "pathOrInlineDv", arena, &out->path_or_inline, error);
	if (span_equals(key, "offset"))
	{
		int64_t offset = INT64_MIN;

		if (!read_integer(scanner, "offset", &offset, error))
			return false;
		out->has_offset = offset != INT64_MIN;
		out->offset = offset;
		return true;
	}
	if (span_equals(key, "sizeInBytes"))
		return read_integer(scanner, "sizeInBytes", &out->size, error);
	if (span_equals(key, "cardinality"))
		return read_integer(scanner, "cardinality", &out->cardinality, error);
	return json_skip_value(scanner, NULL, error);
}

bool
vector_descriptor_parse(Span json, Arena *arena, VectorDescriptor *out, IngestError *error)
{
	JsonScanner scanner;
	JsonToken token;
	Span type = {"", 0};
	bool first = true;
	bool more;

	memset(out, 0, sizeof(*out));
	out->path_or_inline = (Span){"", 0};
	json_scanner_init(&scanner, json.data, json.length);
	if (!json_next_value(&scanner, &token, error))
		return false;
	for (;;)
	{
		if (!json_next_member(&scanner, &first, &more, &token, error))
			return false;
		if (!more)
			break;
		if (!read_vector_member(&scanner, token.raw, arena, out, &type, error))
			return ingest_context(error, "deletionVector");
	}
	return vector_descriptor_check(out, type, error);
}

bool
vector_descriptor_check(VectorDescriptor *out, Span type, IngestError *error)
{
	/* a struct of empty members is how some checkpoints write "none" */
	if (type.length == 0)
		return true;
	if (type.length != 1 || strchr("uip", type.data[0]) == NULL)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "unsupported deletion vector storage type \"%s\"",
						   type.data);
	if (out->size < 0 || out->cardinality < 0 || (out->has_offset && out->offset < 0))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "negative size, offset or cardinality of a deletion vector");
	out->storage_type = type.data[0];
	return true;
}

bool
vector_identity(const VectorDescriptor *vector, Buffer *out, IngestError *error)
{
	if (vector->storage_type == 0)
		return true;
	if (!buffer_append(out, &vector->storage_type, 1, error) ||
		!buffer_append(out, vector->path_or_inline.data, vector->path_or_inline.length, error))
		return false;
	return !vector->has_offset || buffer_printf(out, error, "@%lld", (long long) vector->offset);
}

/* ---- file actions ------------------------------------------------------------------- */

static bool
read_path(JsonScanner *scanner, Arena *arena, FileAction *out, IngestError *error)
{
	JsonToken token;

	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type != JSON_TYPE_STRING)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"path\" is not a string");
	out->path_json = token.raw;
	if (!json_token_text(&token, arena, &out->path, error))
		return false;
	if (memchr(out->path.data, '\0', out->path.length) != NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"path\" holds a NUL");
	return true;
}

static bool
read_stats(JsonScanner *scanner, FileAction *out, IngestError *error)
{
	JsonToken token;

	json_skip_space(scanner);
	/* statistics of another shape are as good as none */
	if (scanner->position < scanner->end && *scanner->position != '"')
		return json_skip_value(scanner, NULL, error);
	if (!json_next_value(scanner, &token, error))
		return false;
	out->stats = token.raw;
	out->stats_escaped = token.has_escape;
	return true;
}

static bool
read_flag(JsonScanner *scanner, const char *name, bool *out, IngestError *error)
{
	JsonToken token;

	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type == JSON_TYPE_TRUE || token.type == JSON_TYPE_FALSE)
		*out = token.type == JSON_TYPE_TRUE;
	else if (token.type != JSON_TYPE_NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "\"%s\" is not a boolean", name);
	return true;
}

static bool
read_file_member(JsonScanner *scanner, Span key, Arena *arena, FileAction *out, IngestError *error)
{
	if (span_equals(key, "path"))
		return read_path(scanner, arena, out, error);
	if (span_equals(key, "partitionValues"))
		return read_object(scanner, "partitionValues", &out->partition_values, error);
	if (span_equals(key, "size"))
		return read_integer(scanner, "size", &out->size, error);
	if (span_equals(key, "modificationTime"))
		return read_integer(scanner, "modificationTime", &out->modified_ms, error);
	if (span_equals(key, "dataChange"))
		return read_flag(scanner, "dataChange", &out->data_change, error);
	if (span_equals(key, "stats"))
		return read_stats(scanner, out, error);
	if (span_equals(key, "deletionVector"))
	{
		if (!read_object(scanner, "deletionVector", &out->vector_json, error))
			return false;
		if (out->vector_json.length > 0 && !vector_descriptor_parse(out->vector_json, arena, &out->vector, error))
			return false;
		if (out->vector.storage_type == 0)
			out->vector_json.length = 0;
		return true;
	}
	return json_skip_value(scanner, NULL, error);
}

/* The scanner stands behind the opening bracket of the object. */
static bool
read_file_action(JsonScanner *scanner, Arena *arena, FileAction *out, IngestError *error)
{
	bool first = true;
	bool more;
	JsonToken key;

	file_action_init(out);
	for (;;)
	{
		if (!json_next_member(scanner, &first, &more, &key, error))
			return false;
		if (!more)
			break;
		if (!read_file_member(scanner, key.raw, arena, out, error))
			return false;
	}
	if (out->path.length == 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "an action has no path");
	return true;
}

void
file_action_init(FileAction *action)
{
	memset(action, 0, sizeof(*action));
	action->record_count = -1;
}

bool
file_action_parse(const char *json, size_t length, Arena *arena, FileAction *out, IngestError *error)
{
	JsonScanner scanner;
	JsonToken token;

	json_scanner_init(&scanner, json, length);
	if (!json_next_value(&scanner, &token, error))
		return false;
	if (token.type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a file action is not an object");
	return read_file_action(&scanner, arena, out, error);
}

/* ---- lines ---------------------------------------------------------------------------- */

static const struct
{
	const char *name;
	ActionKind kind;
} action_names[] = {
	{"add", ACTION_ADD},
	{"remove", ACTION_REMOVE},
	{"cdc", ACTION_CDC},
	{"metaData", ACTION_METADATA},
	{"protocol", ACTION_PROTOCOL},
	{"sidecar", ACTION_SIDECAR},
	{"commitInfo", ACTION_COMMIT_INFO},
};

void
action_reader_init(ActionReader *reader, const char *data, size_t length)
{
	json_scanner_init(&reader->scanner, data, length);
	arena_init(&reader->scratch, DELTA_MAX_COMMIT_BYTES * 2);
	reader->torn = false;
}

void
action_reader_release(ActionReader *reader)
{
	arena_release(&reader->scratch);
}

/* The member's value of a known kind. */
static bool
read_action(ActionReader *reader, ActionKind kind, Action *action, IngestError *error)
{
	JsonScanner *scanner = &reader->scanner;
	JsonToken token;

	json_skip_space(scanner);
	if (kind == ACTION_METADATA || kind == ACTION_PROTOCOL || kind == ACTION_COMMIT_INFO)
	{
		if (!json_skip_value(scanner, &action->json, error))
			return false;
		if (action->json.data[0] == '{')
			action->kind = kind;
		else if (kind != ACTION_COMMIT_INFO && !span_equals(action->json, "null"))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "an action is not an object");
		return true;
	}
	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type == JSON_TYPE_NULL)
		return true;
	if (token.type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "an action is not an object");
	action->kind = kind;
	return read_file_action(scanner, &reader->scratch, &action->file, error);
}

static bool
read_line(ActionReader *reader, Action *action, IngestError *error)
{
	JsonScanner *scanner = &reader->scanner;
	JsonToken token;
	bool first = true;
	bool more;

	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "not a JSON object");
	for (;;)
	{
		ActionKind kind = ACTION_NONE;

		if (!json_next_member(scanner, &first, &more, &token, error))
			return false;
		if (!more)
			return true;
		for (size_t i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++)
			if (span_equals(token.raw, action_names[i].name))
				kind = action_names[i].kind;
		if (kind == ACTION_NONE || action->kind != ACTION_NONE ? !json_skip_value(scanner, NULL, error)
															   : !read_action(reader, kind, action, error))
			return false;
	}
}

/* What stands behind the object is passed over, as by the writers' own readers, but never another action. */
static bool
check_rest(const JsonScanner *scanner, IngestError *error)
{
	const char *at = scanner->position;

	while (at < scanner->end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == scanner->end || *at != '{')
		return true;
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "two objects in one line");
}

static int64_t
line_number(const char *start, const char *position)
{
	int64_t line = 1;

	for (const char *at = start; at < position; at++)
		line += *at == '\n';
	return line;
}

bool
action_reader_next(ActionReader *reader, Action *action, bool *more, IngestError *error)
{
	JsonScanner *scanner = &reader->scanner;
	const char *begin;
	const char *newline;

	arena_reset(&reader->scratch);
	action->kind = ACTION_NONE;
	json_skip_space(scanner);
	begin = scanner->position;
	*more = begin < scanner->end;
	if (!*more)
		return true;
	if (!read_line(reader, action, error) || !check_rest(scanner, error))
	{
		reader->torn = memchr(begin, '\n', (size_t) (scanner->end - begin)) == NULL;
		return ingest_context(error, "line %lld", (long long) line_number(scanner->start, begin));
	}
	newline = memchr(scanner->position, '\n', (size_t) (scanner->end - scanner->position));
	scanner->position = newline != NULL ? newline + 1 : scanner->end;
	return true;
}

/* ---- what is kept of an action ------------------------------------------------------------ */

typedef struct Writer
{
	char *at;
} Writer;

static void
put(Writer *writer, const char *data, size_t length)
{
	memcpy(writer->at, data, length);
	writer->at += length;
}

#define PUT_LITERAL(writer, literal) put(writer, literal, sizeof(literal) - 1)

/* {"path":"…","size":N,"partitionValues":{…},"deletionVector":{…}}; what is absent is left out.  A path without
 * escapes is not kept twice, because a table has a million of them. */
static bool
write_action_json(DeltaFile *file, const FileAction *action, Arena *arena)
{
	bool same_path = action->path.length == action->path_json.length &&
					 memcmp(action->path.data, action->path_json.data, action->path.length) == 0;
	bool has_values = action->partition_values.length > 2;
	char size[32];
	int size_length = snprintf(size, sizeof(size), "%llu", (unsigned long long) file->size);
	size_t room = sizeof("{\"path\":\"\",\"size\":}") + (size_t) size_length + action->path_json.length;
	char *text;
	Writer writer;

	if (has_values)
		room += sizeof(",\"partitionValues\":") - 1 + action->partition_values.length;
	if (action->vector_json.length > 0)
		room += sizeof(",\"deletionVector\":") - 1 + action->vector_json.length;
	if (!same_path && (file->path.data = arena_copy(arena, action->path.data, action->path.length)) == NULL)
		return false;
	text = arena_alloc(arena, room);
	if (text == NULL)
		return false;
	writer.at = text;
	file->action_json = text;
	PUT_LITERAL(&writer, "{\"path\":\"");
	if (same_path)
		file->path.data = writer.at;
	file->path.length = action->path.length;
	put(&writer, action->path_json.data, action->path_json.length);
	PUT_LITERAL(&writer, "\",\"size\":");
	put(&writer, size, (size_t) size_length);
	if (has_values)
	{
		PUT_LITERAL(&writer, ",\"partitionValues\":");
		put(&writer, action->partition_values.data, action->partition_values.length);
	}
	if (action->vector_json.length > 0)
	{
		PUT_LITERAL(&writer, ",\"deletionVector\":");
		put(&writer, action->vector_json.data, action->vector_json.length);
	}
	PUT_LITERAL(&writer, "}");
	file->action_length = (size_t) (writer.at - file->action_json);
	PUT_LITERAL(&writer, "\0");
	return true;
}

bool
delta_file_fill(DeltaFile *file, const FileAction *action, bool keep_stats, Arena *arena, IngestError *error)
{
	memset(file, 0, sizeof(*file));
	file->size = action->size > 0 ? (uint64_t) action->size : 0;
	file->modified_ms = action->modified_ms;
	file->record_count =
		action->stats.length > 0 ? stats_record_count(action->stats, action->stats_escaped) : action->record_count;
	if (!write_action_json(file, action, arena))
		return ingest_out_of_memory(error);
	if (keep_stats && action->stats.length > 0)
	{
		JsonToken token = {.raw = action->stats, .has_escape = action->stats_escaped};
		Span text;

		/* statistics that do not decode are none */
		if (json_token_text(&token, arena, &text, error))
			file->stats = text.data;
		else if (error->kind == INGEST_ERROR_OUT_OF_MEMORY)
			return false;
	}
	return true;
}
