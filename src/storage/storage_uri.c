/*-------------------------------------------------------------------------
 *
 * storage_uri.c
 *	  URIs and paths as text: schemes, percent escapes, "..".
 *
 * Escapes are undone exactly once, where a URI enters the room, and made exactly
 * once, where a request leaves it; in between everything is the object's real
 * name.  Writers of tables put raw spaces and brackets into URIs, so decoding is
 * liberal: a percent sign that is not followed by two hex digits is itself.
 *
 * Pure functions; results are malloc'ed and belong to the caller.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "storage/storage_internal.h"

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t
storage_uri_scheme(const char *uri)
{
	size_t length = 0;

	if (!is_letter(uri[0]))
		return 0;
	while (is_letter(uri[length]) || is_digit(uri[length]) || uri[length] == '+' || uri[length] == '-' ||
		   uri[length] == '.')
		length++;
	return uri[length] == ':' ? length : 0;
}

char *
storage_uri_decode(const char *text, IngestError *error)
{
	char *out = malloc(strlen(text) + 1);
	size_t length = 0;

	if (out == NULL)
	{
		(void) ingest_out_of_memory(error);
		return NULL;
	}
	while (*text != '\0')
	{
		int high = text[0] == '%' ? hex_digit_value(text[1]) : -1;
		int low = high >= 0 ? hex_digit_value(text[2]) : -1;

		if (low < 0)
		{
			out[length++] = *text++;
			continue;
		}
		if (high == 0 && low == 0)
		{
			free(out);
			(void) ingest_fail(error, INGEST_ERROR_INVALID, "a URI or path must not hold an escaped NUL byte");
			return NULL;
		}
		out[length++] = (char) (high * 16 + low);
		text += 3;
	}
	out[length] = '\0';
	return out;
}

bool
storage_uri_encode(Buffer *out, const char *text, bool keep_slash, IngestError *error)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++)
	{
		unsigned char byte = (unsigned char) *text;
		char escaped[3] = {'%', digits[byte >> 4], digits[byte & 15]};
		bool plain =
			is_letter(*text) || is_digit(*text) || strchr("-._~", *text) != NULL || (keep_slash && byte == '/');

		if (!(plain ? buffer_append(out, text, 1, error) : buffer_append(out, escaped, 3, error)))
			return false;
	}
	return true;
}

bool
storage_path_escapes(const char *path)
{
	int64_t depth = 0;

	while (*path != '\0')
	{
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.')
			depth--;
		else if (length > 0 && !(length == 1 && path[0] == '.'))
			depth++;
		if (depth < 0)
			return true;
		path += length;
		path += *path == '/';
	}
	return false;
}

char *
storage_path_join(const char *root, const char *path)
{
	size_t root_length = strlen(root);
	size_t path_length = strlen(path);
	char *joined = malloc(root_length + path_length + 2);
	char *end = joined;

	if (joined == NULL)
		return NULL;
	memcpy(end, root, root_length);
	end += root_length;
	if (root_length > 0 && path_length > 0 && root[root_length - 1] != '/')
		*end++ = '/';
	memcpy(end, path, path_length + 1);
	return joined;
}
