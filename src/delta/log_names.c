/*-------------------------------------------------------------------------
 *
 * log_names.c
 *	  What a file of _delta_log is, by its name alone.
 *
 *	  <20 digits>.json									commit
 *	  <20 digits>.checkpoint.parquet					classic checkpoint
 *	  <20 digits>.checkpoint.<10 digits>.<10 digits>.parquet	part of a checkpoint
 *	  <20 digits>.checkpoint.<uuid>.json | .parquet		V2 checkpoint
 *
 * Everything else (checksums, compacted commits, temporary files, "._" twins) is not
 * ours.  The match is exact, digit by digit: a prefix that happens to be a number is
 * no version.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <string.h>

#define VERSION_DIGITS 20
#define PART_DIGITS 10

/* Exactly "digits" digits at *position, as a number; moves behind them. */
static bool
parse_digits(const char **position, int digits, int64_t *out)
{
	const char *at = *position;
	int64_t value = 0;

	for (int i = 0; i < digits; i++, at++)
	{
		if (*at < '0' || *at > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
			return false;
	}
	*position = at;
	*out = value;
	return true;
}

static bool
parse_literal(const char **position, const char *literal)
{
	size_t length = strlen(literal);

	if (strncmp(*position, literal, length) != 0)
		return false;
	*position += length;
	return true;
}

/* 8-4-4-4-12 hexadecimal digits */
static bool
parse_uuid(const char **position)
{
	const char *at = *position;

	for (int i = 0; i < 36; i++, at++)
	{
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f') || (*at >= 'A' && *at <= 'F');

		if (dash ? *at != '-' : !hex)
			return false;
	}
	*position = at;
	return true;
}

/* The rest of the name behind "<version>.checkpoint." */
static LogFileKind
parse_checkpoint(const char *rest, LogFile *file)
{
	const char *at = rest;

	if (strcmp(rest, "parquet") == 0)
		return LOG_FILE_CHECKPOINT;
	if (parse_digits(&at, PART_DIGITS, &file->part) && parse_literal(&at, ".") &&
		parse_digits(&at, PART_DIGITS, &file->parts) && strcmp(at, ".parquet") == 0)
		return file->part >= 1 && file->part <= file->parts ? LOG_FILE_CHECKPOINT_PART : LOG_FILE_OTHER;
	at = rest;
	if (parse_uuid(&at))
	{
		if (strcmp(at, ".json") == 0)
			return LOG_FILE_CHECKPOINT_UUID_JSON;
		if (strcmp(at, ".parquet") == 0)
			return LOG_FILE_CHECKPOINT_UUID_PARQUET;
	}
	return LOG_FILE_OTHER;
}

LogFileKind
log_name_parse(const char *name, LogFile *file)
{
	const char *at = name;

	file->kind = LOG_FILE_OTHER;
	file->version = -1;
	file->part = file->parts = 0;
	if (!parse_digits(&at, VERSION_DIGITS, &file->version) || !parse_literal(&at, "."))
		return LOG_FILE_OTHER;
	if (strcmp(at, "json") == 0)
		file->kind = LOG_FILE_COMMIT;
	else if (parse_literal(&at, "checkpoint."))
		file->kind = parse_checkpoint(at, file);
	return file->kind;
}
