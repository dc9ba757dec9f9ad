/*-------------------------------------------------------------------------
 *
 * format_case.h
 *	  One decoder, some messages, and what comes out of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_FORMAT_CASE_H
#define INGEST_TEST_FORMAT_CASE_H

#include "format/format.h"
#include "unit/batch_dump.h"
#include "unit/tap.h"

typedef struct FormatCase
{
	Arena arena;
	FormatDecoder *decoder;
	ChangeBatch *batch;
	IngestError error;
} FormatCase;

static inline bool
case_open(FormatCase *test, const char *format, const TargetTable *target)
{
	JsonValue *parsed;

	memset(test, 0, sizeof(*test));
	arena_init(&test->arena, 1 << 20);
	if (!json_parse(format, strlen(format), &test->arena, &parsed, &test->error))
		return false;
	test->batch = batch_create(target, 16, 64 << 20);
	return format_open(parsed, target, &test->decoder, &test->error) &&
		   format_prepare_batch(test->decoder, test->batch, &test->error);
}

static inline void
case_close(FormatCase *test)
{
	format_close(test->decoder);
	batch_free(test->batch);
	arena_release(&test->arena);
}

/* Decode one message out of memory of exactly its size, so that a read behind its end is seen. */
static inline bool
case_decode(FormatCase *test, const char *data, size_t length)
{
	char *copy = malloc(length > 0 ? length : 1);
	bool done;

	memcpy(copy, data, length);
	done = format_decode(test->decoder, (Span){copy, length}, 0, test->batch, &test->error);
	free(copy);
	return done;
}

/* A format, messages (null-terminated), the rows and the bad records they give. */
static inline void
check_messages(const TargetTable *target, const char *format, const char *const *messages, const char *rows,
			   const char *bad, const char *name)
{
	FormatCase test;
	bool done = case_open(&test, format, target);

	for (int i = 0; done && messages[i] != NULL; i++)
		done = case_decode(&test, messages[i], strlen(messages[i]));
	if (!ok(done, "%s: decodes", name))
		printf("#   %s\n", test.error.message);
	else
	{
		is_text(dump_rows(test.batch), rows, name);
		is_text(dump_bad(test.batch), bad, name);
	}
	case_close(&test);
}

static inline void
check_message(const TargetTable *target, const char *format, const char *message, const char *rows, const char *bad,
			  const char *name)
{
	const char *messages[] = {message, NULL};

	check_messages(target, format, messages, rows, bad, name);
}

/* A declaration that is refused: parts of its message and of its hint. */
static inline void
check_refused(const TargetTable *target, const char *format, const char *message, const char *hint)
{
	FormatCase test;
	bool done = case_open(&test, format, target);

	if (!ok(!done && test.error.kind == INGEST_ERROR_INVALID && strstr(test.error.message, message) != NULL &&
				strstr(test.error.hint, hint) != NULL,
			"refused: %s", format))
		printf("#   %s\n#   %s\n", test.error.message, test.error.hint);
	case_close(&test);
}

#endif
