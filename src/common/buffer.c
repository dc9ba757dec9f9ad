/*-------------------------------------------------------------------------
 *
 * buffer.c
 *	  One growing run of bytes, with a named maximum.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t) 256)

void
buffer_init(Buffer *buffer, size_t limit)
{
	buffer->data = NULL;
	buffer->length = 0;
	buffer->capacity = 0;
	buffer->limit = limit;
}

bool
buffer_reserve(Buffer *buffer, size_t extra, IngestError *error)
{
	size_t needed;
	size_t capacity;
	char *data;

	if (extra <= buffer->capacity - buffer->length)
		return true;
	if (buffer->length > buffer->limit || extra > buffer->limit - buffer->length)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "more than %zu bytes", buffer->limit);
	needed = buffer->length + extra;
	capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
	while (capacity < needed)
		capacity = capacity > buffer->limit / 2 ? needed : capacity * 2;
	if (capacity > buffer->limit)
		capacity = buffer->limit;
	data = realloc(buffer->data, capacity);
	if (data == NULL)
		return ingest_out_of_memory(error);
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

bool
buffer_append(Buffer *buffer, const void *data, size_t length, IngestError *error)
{
	if (!buffer_reserve(buffer, length, error))
		return false;
	if (length > 0)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return true;
}

bool
buffer_append_string(Buffer *buffer, const char *text, IngestError *error)
{
	return buffer_append(buffer, text, strlen(text), error);
}

bool
buffer_printf(Buffer *buffer, IngestError *error, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "could not format text");

	/* vsnprintf writes a NUL behind the text, which does not count */
	if (!buffer_reserve(buffer, (size_t) length + 1, error))
		return false;
	va_start(arguments, format);
	vsnprintf(buffer->data + buffer->length, (size_t) length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t) length;
	return true;
}

void
buffer_release(Buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer, buffer->limit);
}
