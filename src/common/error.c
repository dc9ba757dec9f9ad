/*-------------------------------------------------------------------------
 *
 * error.c
 *	  Filling an IngestError.
 *
 * The struct has a fixed size and no owner but its caller, so that an error can be
 * made where memory is out.  A text that does not fit is cut, never refused.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
ingest_fail(IngestError *error, IngestErrorKind kind, const char *format, ...)
{
	va_list arguments;

	error->kind = kind;
	error->hint[0] = '\0';
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return false;
}

bool
ingest_hint(IngestError *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->hint, sizeof(error->hint), format, arguments);
	va_end(arguments);
	return false;
}

bool
ingest_context(IngestError *error, const char *format, ...)
{
	char context[sizeof(error->message)];
	char message[sizeof(error->message)];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	vsnprintf(context, sizeof(context), format, arguments);
	va_end(arguments);

	memcpy(message, error->message, sizeof(message));
	snprintf(error->message, sizeof(error->message), "%s", context);
	length = strlen(error->message);
	snprintf(error->message + length, sizeof(error->message) - length, ": %s", message);
	return false;
}

bool
ingest_out_of_memory(IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_OUT_OF_MEMORY, "out of memory");
}

void
ingest_error_clear(IngestError *error)
{
	error->kind = INGEST_ERROR_NONE;
	error->message[0] = '\0';
	error->hint[0] = '\0';
}
