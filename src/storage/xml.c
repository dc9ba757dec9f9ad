/*-------------------------------------------------------------------------
 *
 * xml.c
 *	  A small strict XML reader for the answers of object stores.
 *
 * Takes what such answers hold: elements, attributes (checked and passed over),
 * text with the five named entities and numeric ones, CDATA, comments, processing
 * instructions.  Tags must match, one root, nothing behind it.  A document type
 * declaration is refused: it is the door of every attack by entities, and no store
 * sends one.
 *
 * Numeric entities may name any code point but 0, also the control characters that
 * XML 1.0 forbids, because stores write keys that hold them so.
 *
 * Only the text directly in an element that has no child elements is of use to
 * callers: text is dropped at each start tag.  Memory: one buffer for that text,
 * bounded by the input's length.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "storage/xml.h"

static bool
malformed(XmlReader *reader, const char *what, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "malformed XML at byte %zu: %s",
					   (size_t) (reader->position - reader->start), what);
}

void
xml_reader_init(XmlReader *reader, const char *data, size_t length)
{
	memset(reader, 0, sizeof(*reader));
	reader->position = reader->start = data;
	reader->end = data + length;
	buffer_init(&reader->text, length + 1);
	if (length >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
		reader->position += 3;
}

void
xml_reader_release(XmlReader *reader)
{
	buffer_release(&reader->text);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_name_end(char c)
{
	return is_space(c) || c == '>' || c == '/' || c == '=' || c == '<' || c == '"' || c == '\'' || c == '&';
}

static void
skip_space(XmlReader *reader)
{
	while (reader->position < reader->end && is_space(*reader->position))
		reader->position++;
}

static bool
starts_with(const XmlReader *reader, const char *text)
{
	size_t length = strlen(text);

	return (size_t) (reader->end - reader->position) >= length && memcmp(reader->position, text, length) == 0;
}

/* Move behind the next "mark". */
static bool
skip_behind(XmlReader *reader, const char *mark, IngestError *error)
{
	const char *found = memmem(reader->position, (size_t) (reader->end - reader->position), mark, strlen(mark));

	if (found == NULL)
		return malformed(reader, "unexpected end", error);
	reader->position = found + strlen(mark);
	return true;
}

static bool
read_name(XmlReader *reader, Span *name, IngestError *error)
{
	const char *start = reader->position;

	while (reader->position < reader->end && !is_name_end(*reader->position))
		reader->position++;
	if (reader->position == start)
		return malformed(reader, "a name is missing", error);
	*name = (Span){start, (size_t) (reader->position - start)};
	return true;
}

static Span
without_prefix(Span name)
{
	const char *colon = memchr(name.data, ':', name.length);

	if (colon == NULL)
		return name;
	return (Span){colon + 1, name.length - (size_t) (colon + 1 - name.data)};
}

/* ---- text --------------------------------------------------------------------- */

static bool
append_code_point(XmlReader *reader, uint32_t code, IngestError *error)
{
	char bytes[4];
	size_t length;

	if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return malformed(reader, "an entity that is no character", error);
	if (code < 0x80)
	{
		bytes[0] = (char) code;
		length = 1;
	}
	else if (code < 0x800)
	{
		bytes[0] = (char) (0xC0 | code >> 6);
		length = 2;
	}
	else if (code < 0x10000)
	{
		bytes[0] = (char) (0xE0 | code >> 12);
		length = 3;
	}
	else
	{
		bytes[0] = (char) (0xF0 | code >> 18);
		length = 4;
	}
	for (size_t i = length - 1; i > 0; i--, code >>= 6)
		bytes[i] = (char) (0x80 | (code & 0x3F));
	return buffer_append(&reader->text, bytes, length, error);
}

static bool
append_numeric_entity(XmlReader *reader, Span entity, IngestError *error)
{
	bool hexadecimal = entity.length > 1 && (entity.data[1] == 'x' || entity.data[1] == 'X');
	uint32_t base = hexadecimal ? 16 : 10;
	uint32_t code = 0;
	size_t first = hexadecimal ? 2 : 1;

	if (entity.length <= first || entity.length > first + 8)
		return malformed(reader, "a malformed entity", error);
	for (size_t i = first; i < entity.length; i++)
	{
		char c = entity.data[i];
		uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t) (c - '0')
						 : c >= 'a' && c <= 'f' ? (uint32_t) (c - 'a' + 10)
						 : c >= 'A' && c <= 'F' ? (uint32_t) (c - 'A' + 10)
												: base;

		if (digit >= base || code > 0x10FFFF)
			return malformed(reader, "a malformed entity", error);
		code = code * base + digit;
	}
	return append_code_point(reader, code, error);
}

static bool
append_entity(XmlReader *reader, IngestError *error)
{
	static const struct
	{
		const char *name;
		const char *text;
	} named[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
	size_t left = (size_t) (reader->end - reader->position);
	const char *semicolon = memchr(reader->position, ';', left < 16 ? left : 16);
	Span entity;

	if (semicolon == NULL)
		return malformed(reader, "an ampersand that begins no entity", error);
	entity = (Span){reader->position + 1, (size_t) (semicolon - reader->position) - 1};
	reader->position = semicolon + 1;
	if (entity.length > 0 && entity.data[0] == '#')
		return append_numeric_entity(reader, entity, error);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (span_equals(entity, named[i].name))
			return buffer_append_string(&reader->text, named[i].text, error);
	return malformed(reader, "an unknown entity", error);
}

/* Text up to the next tag. Outside of the root only white space is allowed. */
static bool
read_text(XmlReader *reader, IngestError *error)
{
	while (reader->position < reader->end && *reader->position != '<')
	{
		const char *start = reader->position;

		if (reader->depth == 0 && !is_space(*start))
			return malformed(reader, "text outside of the document", error);
		if (*start == '&')
		{
			if (!append_entity(reader, error))
				return false;
			continue;
		}
		while (reader->position < reader->end && *reader->position != '<' && *reader->position != '&' &&
			   (reader->depth > 0 || is_space(*reader->position)))
			reader->position++;
		if (reader->depth > 0 && !buffer_append(&reader->text, start, (size_t) (reader->position - start), error))
			return false;
	}
	return true;
}

static bool
read_cdata(XmlReader *reader, IngestError *error)
{
	const char *start = reader->position += strlen("<![CDATA[");

	if (reader->depth == 0)
		return malformed(reader, "text outside of the document", error);
	return skip_behind(reader, "]]>", error) &&
		   buffer_append(&reader->text, start, (size_t) (reader->position - start) - 3, error);
}

/* Comments, instructions and CDATA; *more: a tag stands at the position. */
static bool
skip_markup(XmlReader *reader, bool *more, IngestError *error)
{
	*more = false;
	if (starts_with(reader, "<!--"))
	{
		reader->position += 4;
		return skip_behind(reader, "-->", error);
	}
	if (starts_with(reader, "<?"))
		return skip_behind(reader, "?>", error);
	if (starts_with(reader, "<![CDATA["))
		return read_cdata(reader, error);
	if (starts_with(reader, "<!"))
		return malformed(reader, "a declaration", error);
	*more = true;
	return true;
}

/* ---- tags --------------------------------------------------------------------- */

static bool
skip_attribute(XmlReader *reader, IngestError *error)
{
	Span name;
	char quote;
	const char *closing;

	if (!read_name(reader, &name, error))
		return false;
	skip_space(reader);
	if (!starts_with(reader, "="))
		return malformed(reader, "an attribute without a value", error);
	reader->position++;
	skip_space(reader);
	if (!starts_with(reader, "\"") && !starts_with(reader, "'"))
		return malformed(reader, "an attribute without quotes", error);
	quote = *reader->position++;
	closing = memchr(reader->position, quote, (size_t) (reader->end - reader->position));
	if (closing == NULL)
		return malformed(reader, "unexpected end", error);
	reader->position = closing + 1;
	return true;
}

static bool
read_start_tag(XmlReader *reader, IngestError *error)
{
	Span name;

	if (reader->depth == 0 && reader->root_seen)
		return malformed(reader, "a second root element", error);
	if (reader->depth == XML_MAX_DEPTH)
		return malformed(reader, "elements nested too deep", error);
	reader->position++;
	if (!read_name(reader, &name, error))
		return false;
	for (skip_space(reader); !starts_with(reader, ">") && !starts_with(reader, "/>"); skip_space(reader))
		if (reader->position == reader->end)
			return malformed(reader, "unexpected end", error);
		else if (!skip_attribute(reader, error))
			return false;
	reader->empty_element = *reader->position == '/';
	reader->position += reader->empty_element ? 2 : 1;
	reader->names[reader->depth++] = name;
	reader->name = without_prefix(name);
	reader->root_seen = true;
	reader->text.length = 0;
	return true;
}

static bool
read_end_tag(XmlReader *reader, IngestError *error)
{
	Span name;
	Span open;

	reader->position += 2;
	if (!read_name(reader, &name, error))
		return false;
	skip_space(reader);
	if (!starts_with(reader, ">"))
		return malformed(reader, "a malformed end tag", error);
	if (reader->depth == 0)
		return malformed(reader, "an end tag without its start", error);
	open = reader->names[reader->depth - 1];
	if (open.length != name.length || memcmp(open.data, name.data, name.length) != 0)
		return malformed(reader, "an end tag that does not match", error);
	reader->position++;
	reader->depth--;
	reader->name = without_prefix(name);
	return true;
}

bool
xml_reader_next(XmlReader *reader, XmlEvent *event, IngestError *error)
{
	bool tag = false;

	if (reader->ended)
		reader->text.length = 0; /* it was the child's, not the parent's */
	reader->ended = reader->empty_element;
	if (reader->empty_element)
	{
		reader->empty_element = false;
		reader->name = without_prefix(reader->names[--reader->depth]);
		*event = XML_END;
		return true;
	}
	while (!tag)
	{
		if (!read_text(reader, error))
			return false;
		if (reader->position == reader->end)
		{
			*event = XML_DONE;
			return (reader->depth == 0 && reader->root_seen) || malformed(reader, "unexpected end", error);
		}
		if (!skip_markup(reader, &tag, error))
			return false;
	}
	reader->ended = starts_with(reader, "</");
	*event = reader->ended ? XML_END : XML_START;
	return reader->ended ? read_end_tag(reader, error) : read_start_tag(reader, error);
}
