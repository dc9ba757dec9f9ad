/*-------------------------------------------------------------------------
 *
 * json_scanner.c
 *	  JSON (RFC 8259) read value by value, without a copy.
 *
 * The scanner holds a position only.  Who walks a document keeps the nesting in
 * his own calls; json_skip_value, which has none, counts depth and keeps a bit
 * per level that says array or object, so its memory is fixed.
 *
 * Bytes behind the end are never read; a NUL is an ordinary bad character.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <string.h>

void
json_scanner_init(JsonScanner *scanner, const char *data, size_t length)
{
	scanner->start = data;
	scanner->position = data;
	scanner->end = data + length;
}

void
json_skip_space(JsonScanner *scanner)
{
	const char *position = scanner->position;

	while (position < scanner->end && (*position == ' ' || *position == '\n' || *position == '\r' || *position == '\t'))
		position++;
	scanner->position = position;
}

static bool
syntax_error(const JsonScanner *scanner, const char *what, IngestError *error)
{
	if (scanner->position >= scanner->end)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: %s at the end of the input", what);
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: %s at byte %zu", what,
					   (size_t) (scanner->position - scanner->start));
}

/* The four digits of a \u escape at "data" (known to be there), or -1. */
static int
hex_quad(const char *data)
{
	int value = 0;

	for (int i = 0; i < 4; i++)
	{
		int digit = hex_digit_value(data[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* The position stands behind a backslash; move behind the escape. */
static bool
skip_escape(JsonScanner *scanner, IngestError *error)
{
	char kind;

	if (scanner->position >= scanner->end)
		return syntax_error(scanner, "unfinished escape", error);
	kind = *scanner->position;
	if (kind == 'u')
	{
		if (scanner->end - scanner->position < 5 || hex_quad(scanner->position + 1) < 0)
			return syntax_error(scanner, "bad \\u escape", error);
		scanner->position += 5;
		return true;
	}
	if (kind == '\0' || strchr("\"\\/bfnrt", kind) == NULL)
		return syntax_error(scanner, "unknown escape", error);
	scanner->position++;
	return true;
}

/*
 * Does any of these eight bytes end the plain run of a string: a quote, a backslash or a control character?
 * Bytes of 0x80 and above are plain.  The usual zero-byte test, on the word xor the byte looked for.
 */
static inline bool
has_special(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = UINT64_C(0x8080808080808080);
	uint64_t quote = word ^ (ones * '"');
	uint64_t backslash = word ^ (ones * '\\');
	uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * 0x20) & ~word);

	return (found & highs) != 0;
}

/* The position stands behind the opening quote; leave it behind the closing one. */
static bool
scan_string(JsonScanner *scanner, JsonToken *token, IngestError *error)
{
	const char *first = scanner->position;

	token->type = JSON_TYPE_STRING;
	token->has_escape = false;
	for (;;)
	{
		unsigned char character;

		while (scanner->end - scanner->position >= 8)
		{
			uint64_t word;

			memcpy(&word, scanner->position, 8);
			if (has_special(word))
				break;
			scanner->position += 8;
		}
		if (scanner->position >= scanner->end)
			return syntax_error(scanner, "unfinished string", error);
		character = (unsigned char) *scanner->position;
		if (character == '"')
			break;
		if (character < 0x20)
			return syntax_error(scanner, "control character in a string", error);
		scanner->position++;
		if (character == '\\')
		{
			token->has_escape = true;
			if (!skip_escape(scanner, error))
				return false;
		}
	}
	token->raw.data = first;
	token->raw.length = (size_t) (scanner->position - first);
	scanner->position++;
	return true;
}

/* Digits at the position; false where there is none. */
static bool
scan_digits(JsonScanner *scanner)
{
	const char *first = scanner->position;

	while (scanner->position < scanner->end && *scanner->position >= '0' && *scanner->position <= '9')
		scanner->position++;
	return scanner->position > first;
}

static bool
at_character(const JsonScanner *scanner, char character)
{
	return scanner->position < scanner->end && *scanner->position == character;
}

static bool
scan_number(JsonScanner *scanner, JsonToken *token, IngestError *error)
{
	const char *first = scanner->position;

	if (at_character(scanner, '-'))
		scanner->position++;
	if (at_character(scanner, '0'))
		scanner->position++;
	else if (!scan_digits(scanner))
		return syntax_error(scanner, "a value was expected", error);
	if (at_character(scanner, '.'))
	{
		scanner->position++;
		if (!scan_digits(scanner))
			return syntax_error(scanner, "digits were expected behind the point", error);
	}
	if (at_character(scanner, 'e') || at_character(scanner, 'E'))
	{
		scanner->position++;
		if (at_character(scanner, '+') || at_character(scanner, '-'))
			scanner->position++;
		if (!scan_digits(scanner))
			return syntax_error(scanner, "digits were expected in the exponent", error);
	}
	token->type = JSON_TYPE_NUMBER;
	token->raw.data = first;
	token->raw.length = (size_t) (scanner->position - first);
	return true;
}

static bool
scan_word(JsonScanner *scanner, JsonToken *token, const char *word, JsonType type, IngestError *error)
{
	size_t length = strlen(word);

	if ((size_t) (scanner->end - scanner->position) < length || memcmp(scanner->position, word, length) != 0)
		return syntax_error(scanner, "a value was expected", error);
	token->type = type;
	token->raw.data = scanner->position;
	token->raw.length = length;
	scanner->position += length;
	return true;
}

bool
json_next_value(JsonScanner *scanner, JsonToken *token, IngestError *error)
{
	json_skip_space(scanner);
	token->has_escape = false;
	if (scanner->position >= scanner->end)
		return syntax_error(scanner, "a value was expected", error);
	switch (*scanner->position)
	{
		case '"':
			scanner->position++;
			return scan_string(scanner, token, error);
		case '{':
		case '[':
			token->type = *scanner->position == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
			token->raw.data = scanner->position++;
			token->raw.length = 0;
			return true;
		case 't':
			return scan_word(scanner, token, "true", JSON_TYPE_TRUE, error);
		case 'f':
			return scan_word(scanner, token, "false", JSON_TYPE_FALSE, error);
		case 'n':
			return scan_word(scanner, token, "null", JSON_TYPE_NULL, error);
		default:
			return scan_number(scanner, token, error);
	}
}

/* Between two items of an array or object: the closing bracket, or the comma before the next item. */
static bool
next_item(JsonScanner *scanner, char closing, bool *first, bool *more, IngestError *error)
{
	json_skip_space(scanner);
	if (at_character(scanner, closing))
	{
		scanner->position++;
		*more = false;
		return true;
	}
	if (!*first)
	{
		if (!at_character(scanner, ','))
			return syntax_error(scanner, closing == ']' ? "\",\" or \"]\" was expected" : "\",\" or \"}\" was expected",
								error);
		scanner->position++;
	}
	*first = false;
	*more = true;
	return true;
}

bool
json_next_element(JsonScanner *scanner, bool *first, bool *more, IngestError *error)
{
	return next_item(scanner, ']', first, more, error);
}

bool
json_next_member(JsonScanner *scanner, bool *first, bool *more, JsonToken *key, IngestError *error)
{
	if (!next_item(scanner, '}', first, more, error))
		return false;
	if (!*more)
		return true;
	json_skip_space(scanner);
	if (!at_character(scanner, '"'))
		return syntax_error(scanner, "a key was expected", error);
	scanner->position++;
	if (!scan_string(scanner, key, error))
		return false;
	json_skip_space(scanner);
	if (!at_character(scanner, ':'))
		return syntax_error(scanner, "\":\" was expected", error);
	scanner->position++;
	return true;
}

/*
 * Pass over one value and everything in it.  kinds[level] says what the bracket of that level is; a level's
 * "first" lives in firsts[level].  No recursion: foreign bytes decide the depth.
 */
bool
json_skip_value(JsonScanner *scanner, Span *raw, IngestError *error)
{
	JsonType kinds[JSON_MAX_DEPTH];
	bool firsts[JSON_MAX_DEPTH];
	int depth = 0;
	JsonToken token;
	const char *begin;

	json_skip_space(scanner);
	begin = scanner->position;
	if (!json_next_value(scanner, &token, error))
		return false;
	for (;;)
	{
		bool more;

		if (token.type == JSON_TYPE_ARRAY || token.type == JSON_TYPE_OBJECT)
		{
			if (depth == JSON_MAX_DEPTH)
				return ingest_fail(error, INGEST_ERROR_LIMIT, "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
			kinds[depth] = token.type;
			firsts[depth++] = true;
		}
		for (more = false; depth > 0 && !more;)
		{
			JsonToken key;

			if (kinds[depth - 1] == JSON_TYPE_ARRAY
					? !json_next_element(scanner, &firsts[depth - 1], &more, error)
					: !json_next_member(scanner, &firsts[depth - 1], &more, &key, error))
				return false;
			if (!more)
				depth--;
		}
		if (depth == 0)
			break;
		if (!json_next_value(scanner, &token, error))
			return false;
	}
	if (raw != NULL)
	{
		raw->data = begin;
		raw->length = (size_t) (scanner->position - begin);
	}
	return true;
}

/* Append the UTF-8 form of a code point; returns its length. */
static size_t
put_code_point(char *out, uint32_t code)
{
	if (code < 0x80)
	{
		out[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (char) (0xC0 | (code >> 6));
		out[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (char) (0xE0 | (code >> 12));
		out[1] = (char) (0x80 | ((code >> 6) & 0x3F));
		out[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | (code >> 18));
	out[1] = (char) (0x80 | ((code >> 12) & 0x3F));
	out[2] = (char) (0x80 | ((code >> 6) & 0x3F));
	out[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* One \u escape, or a pair of them; *position stands at the 'u' and is moved behind. */
static bool
decode_unicode(const char **position, const char *end, char *out, size_t *written, IngestError *error)
{
	const char *at = *position;
	int unit = end - at >= 5 ? hex_quad(at + 1) : -1;
	uint32_t code = (uint32_t) unit;

	if (unit < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: bad \\u escape");
	at += 5;
	if (unit >= 0xD800 && unit <= 0xDFFF)
	{
		int low = unit < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex_quad(at + 2) : -1;

		if (low < 0xDC00 || low > 0xDFFF)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: lone surrogate in a \\u escape");
		code = 0x10000 + (((uint32_t) unit - 0xD800) << 10) + ((uint32_t) low - 0xDC00);
		at += 6;
	}
	*written = put_code_point(out, code);
	*position = at;
	return true;
}

bool
json_decode_string(Span raw, char *out, size_t *out_length, IngestError *error)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *position = raw.data;
	const char *end = raw.data + raw.length;
	char *target = out;

	while (position < end)
	{
		const char *backslash = memchr(position, '\\', (size_t) (end - position));
		size_t plain = (size_t) ((backslash != NULL ? backslash : end) - position);
		const char *name;
		size_t written = 1;

		memmove(target, position, plain);
		target += plain;
		position += plain;
		if (position == end)
			break;
		if (++position == end)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: unfinished escape");
		if (*position == 'u')
		{
			if (!decode_unicode(&position, end, target, &written, error))
				return false;
		}
		else
		{
			name = *position == '\0' ? NULL : strchr(names, *position);
			if (name == NULL)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid JSON: unknown escape");
			*target = values[name - names];
			position++;
		}
		target += written;
	}
	*out_length = (size_t) (target - out);
	return true;
}

bool
json_token_text(const JsonToken *token, Arena *arena, Span *out, IngestError *error)
{
	char *text = arena_copy(arena, token->raw.data, token->raw.length);

	if (text == NULL)
		return ingest_out_of_memory(error);
	out->data = text;
	out->length = token->raw.length;
	if (!token->has_escape)
		return true;
	if (!json_decode_string(token->raw, text, &out->length, error))
		return false;
	text[out->length] = '\0';
	return true;
}
