/*-------------------------------------------------------------------------
 *
 * json_literal.c
 *	  A JSON array as the array literal that the server's array_in reads.
 *
 * Numbers and booleans stand bare, null is NULL, strings are quoted with \ before " and \.
 * An array within the array is a further dimension, unless the elements are JSON
 * themselves; an object is its own text, quoted.  The text was scanned as a whole first, so
 * its depth is known to be bounded when this recursion begins.
 *
 *-------------------------------------------------------------------------
 */
#include "format/format_internal.h"

static bool
append_quoted(Span text, Buffer *out, IngestError *error)
{
	if (!buffer_reserve(out, text.length * 2 + 2, error))
		return false;
	out->data[out->length++] = '"';
	for (size_t i = 0; i < text.length; i++)
	{
		if (text.data[i] == '"' || text.data[i] == '\\')
			out->data[out->length++] = '\\';
		out->data[out->length++] = text.data[i];
	}
	out->data[out->length++] = '"';
	return true;
}

static bool
append_string(const JsonToken *token, Buffer *out, IngestError *error)
{
	struct Buffer decoded;
	bool done;

	if (!token->has_escape)
		return append_quoted(token->raw, out, error);
	buffer_init(&decoded, token->raw.length + 1);
	done = buffer_reserve(&decoded, token->raw.length, error) &&
		   json_decode_string(token->raw, decoded.data, &decoded.length, error) &&
		   append_quoted((Span){decoded.data, decoded.length}, out, error);
	buffer_release(&decoded);
	return done;
}

static bool append_elements(JsonScanner *scanner, bool json_elements, Buffer *out, IngestError *error);

static bool
append_element(JsonScanner *scanner, bool json_elements, Buffer *out, IngestError *error)
{
	JsonToken token;
	const char *start;
	Span raw;

	json_skip_space(scanner);
	start = scanner->position;
	if (!json_next_value(scanner, &token, error))
		return false;
	if (token.type == JSON_TYPE_NULL)
		return buffer_append(out, "NULL", 4, error);
	if (token.type == JSON_TYPE_ARRAY && !json_elements)
		return append_elements(scanner, json_elements, out, error);
	if (token.type == JSON_TYPE_ARRAY || token.type == JSON_TYPE_OBJECT || json_elements)
	{
		scanner->position = start;
		return json_skip_value(scanner, &raw, error) && append_quoted(raw, out, error);
	}
	if (token.type == JSON_TYPE_STRING)
		return append_string(&token, out, error);
	return buffer_append(out, token.raw.data, token.raw.length, error);
}

/* The scanner stands behind the opening bracket. */
static bool
append_elements(JsonScanner *scanner, bool json_elements, Buffer *out, IngestError *error)
{
	bool first = true;
	bool more;

	if (!buffer_append(out, "{", 1, error))
		return false;
	for (;;)
	{
		bool separate = !first;

		if (!json_next_element(scanner, &first, &more, error))
			return false;
		if (!more)
			return buffer_append(out, "}", 1, error);
		if ((separate && !buffer_append(out, ",", 1, error)) || !append_element(scanner, json_elements, out, error))
			return false;
	}
}

bool
json_array_to_literal(Span array, const ColumnTarget *element, Buffer *out, IngestError *error)
{
	bool json_elements = element != NULL && element->form == FORM_JSON;
	JsonScanner scanner;
	JsonToken token;

	json_scanner_init(&scanner, array.data, array.length);
	if (!json_skip_value(&scanner, NULL, error))
		return false;
	json_skip_space(&scanner);
	if (scanner.position != scanner.end)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "no JSON array");
	json_scanner_init(&scanner, array.data, array.length);
	if (!json_next_value(&scanner, &token, error))
		return false;
	if (token.type != JSON_TYPE_ARRAY)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "no JSON array");
	return append_elements(&scanner, json_elements, out, error);
}

bool
format_set_array(ChangeBatch *batch, int column, uint32_t row, Span text, Buffer *scratch, IngestError *error)
{
	IngestError cause = {0};

	scratch->length = 0;
	if (text.length > 0 && text.data[0] == '[')
	{
		if (json_array_to_literal(text, batch->target->columns[column].element, scratch, &cause))
			text = (Span){scratch->data, scratch->length};
		else if (cause.kind == INGEST_ERROR_OUT_OF_MEMORY)
		{
			*error = cause;
			return false;
		}
	}
	return batch_set_text(batch, column, row, text, TEMPORAL_TEXT, error);
}
