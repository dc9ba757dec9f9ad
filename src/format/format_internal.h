/*-------------------------------------------------------------------------
 *
 * format_internal.h
 *	  What the files of format/ share and no other room may use.
 *
 *	format.c		the door: registry, options of every format, one message
 *	csv.c			csv
 *	json.c			json: options, the values of a message, their envelopes
 *	json_row.c		json: one row, as an object or an array
 *	json_value.c	json: one value into its column
 *	json_literal.c	a JSON array as an array literal of the server
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_FORMAT_INTERNAL_H
#define INGEST_FORMAT_INTERNAL_H

#include <string.h>

#include "format/format.h"

/* SQLSTATEs of what decoding refuses by itself */
#define SQLSTATE_BAD_STRUCTURE "22P04" /* bad_copy_file_format */
#define SQLSTATE_BAD_TEXT "22P02"      /* invalid_text_representation */
#define SQLSTATE_OUT_OF_RANGE "22003"  /* numeric_value_out_of_range */
#define SQLSTATE_BAD_DATETIME "22007"  /* invalid_datetime_format */
#define SQLSTATE_MISSING_FIELD "23502" /* not_null_violation */

/* Foreign text quoted in a message is cut to this many bytes. */
#define QUOTED_MAX 100
#define QUOTED(span) (int) ((span).length < QUOTED_MAX ? (span).length : QUOTED_MAX), (span).data

/* Columns that a positional record feeds: all but the generated ones. */
typedef struct FedColumns
{
	int count;
	int *columns;
} FedColumns;

typedef struct FormatRoutine
{
	const char *name;
	const char *const *options;
	/* "config" is an object whose keys were checked, or null. */
	bool (*open)(const JsonValue *config, const TargetTable *target, const FedColumns *fed, void **state,
				 IngestError *error);
	void (*close)(void *state);
	/* Contract of format_decode; rows and bad records of a failed call are taken back by the caller. */
	bool (*decode)(void *state, Span message, uint32_t payload, ChangeBatch *batch, IngestError *error);
} FormatRoutine;

extern const FormatRoutine csv_routine;
extern const FormatRoutine json_routine;

#define FORMAT_CONFIG_PATH "$.format.config"

/* One character of ASCII, which is no line end; *out is left alone where the key is absent. */
extern bool
format_option_character(const JsonValue *config, const char *key, int *out, IngestError *error) INGEST_MUST_CHECK;
/* The index of the option's text among "choices" (null-terminated). */
extern bool format_option_choice(const JsonValue *config, const char *key, const char *const *choices, int *out,
								 IngestError *error) INGEST_MUST_CHECK;

/* Without the blanks of ASCII at either end. */
extern Span format_trim(Span text);

/* Append the array literal of a JSON array's text; "element" describes the elements (may be null).  CORRUPT
 * where the text is no JSON array. */
extern bool
json_array_to_literal(Span array, const ColumnTarget *element, Buffer *out, IngestError *error) INGEST_MUST_CHECK;

/* Set a FORM_ARRAY column from text that may be a JSON array; anything else is passed on as it is. */
extern bool format_set_array(ChangeBatch *batch, int column, uint32_t row, Span text, Buffer *scratch,
							 IngestError *error) INGEST_MUST_CHECK;

#endif
