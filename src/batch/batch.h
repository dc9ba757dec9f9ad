/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  Door of the room batch/: rows on their way from a source to the target,
 *	  column by column, in the form the target's types have inside the server.
 *
 * Plain C (see common.h).  Batches are filled on the decoding threads and
 * consumed on the worker's main thread; a batch has one owner at a time.
 *
 * Everything that can be turned into the server's own binary form without the
 * server is turned here, on the thread: integers, floats, numeric, text, dates,
 * timestamps, uuid, bytea.  Whatever is odd (out of range, not UTF-8, "Jan 5
 * 2024", a domain, an enum, jsonb) travels as VALUE_INPUT: its text, which
 * apply/ hands to the type's own input function, so that every such error has
 * the server's own SQLSTATE and words.  Nothing here ever refuses a value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include "common/arrow_abi.h"
#include "common/common.h"

/* ---- the target, as apply/ describes it to the threads -------------------- */

typedef enum ColumnForm
{
	FORM_BOOLEAN, /* datum 0 or 1 */
	FORM_INT2,    /* datum sign-extended */
	FORM_INT4,
	FORM_INT8,
	FORM_FLOAT4, /* datum holds the bits of the float, sign-extended */
	FORM_FLOAT8,
	FORM_NUMERIC,     /* varlena; precision and scale of the typmod, precision 0 = none */
	FORM_TEXT,        /* varlena; text, and varchar where length > 0 */
	FORM_BPCHAR,      /* varlena, blank-padded to length characters */
	FORM_BYTEA,       /* varlena */
	FORM_UUID,        /* pointer to 16 bytes */
	FORM_DATE,        /* days since 2000-01-01, int32 */
	FORM_TIME,        /* microseconds since midnight, int64 */
	FORM_TIMESTAMP,   /* microseconds since 2000-01-01, int64 */
	FORM_TIMESTAMPTZ, /* the same, UTC */
	FORM_INTERVAL,    /* pointer to 16 bytes: int64 time, int32 day, int32 month */
	FORM_JSON,        /* json and jsonb: always VALUE_INPUT, JSON text */
	FORM_ARRAY,       /* always VALUE_INPUT, array literal made of "element" */
	FORM_INPUT        /* any other type: always VALUE_INPUT */
} ColumnForm;

typedef struct ColumnTarget
{
	char *name;          /* as in pg_attribute */
	char *type_name;     /* format_type output, for messages */
	bool case_sensitive; /* the name is not its own lower-case folding */
	bool not_null;
	bool has_default;
	bool generated; /* GENERATED ALWAYS AS (...) STORED: never fed */
	bool in_key;    /* part of the primary key */
	ColumnForm form;
	int precision; /* NUMERIC typmod, 0 = unconstrained */
	int scale;
	int length;                   /* characters of char(n), varchar(n); 0 = no limit */
	int fraction_digits;          /* timestamp(p), time(p), 6 where none */
	struct ColumnTarget *element; /* FORM_ARRAY */
} ColumnTarget;

/* Immutable once made; shared by all threads of a source, freed after they are gone. */
typedef struct TargetTable
{
	char *name;       /* schema-qualified, for messages */
	int column_count; /* live columns in attribute order, generated ones included */
	ColumnTarget *columns;
	bool has_key;
	bool utf8; /* the database's encoding is UTF8; if not, text travels as VALUE_INPUT */
			   /* Offset of the zone of text timestamps without one is the server's business:
	 * such values travel as VALUE_INPUT when the target is TIMESTAMPTZ. */
} TargetTable;

/* Index of the column that a source field of this name feeds, or -1: exact match
 * first, then case-insensitive unless the column is case_sensitive; generated
 * columns do match (the caller skips them). */
extern int target_find_column(const TargetTable *target, Span name);

/* ---- values ------------------------------------------------------------- */

typedef enum ValueState
{
	VALUE_MISSING = 0, /* insert: the column's default; update: left alone */
	VALUE_NULL,
	VALUE_DATUM, /* values[row] is the datum described by the form */
	VALUE_INPUT  /* values[row] is a pointer to an InputText */
} ValueState;

typedef struct InputText
{
	uint32_t length;
	char data[]; /* NUL-terminated behind length; may hold NUL bytes and bad UTF-8 */
} InputText;

typedef struct BatchColumn
{
	uint8_t *states; /* null: the source does not have this column at all */
	uint64_t *values;
	bool all_datums; /* every state is VALUE_DATUM; set by batch_finish */
	bool all_ready;  /* every state is VALUE_DATUM or VALUE_NULL; set by batch_finish */
} BatchColumn;

typedef enum ChangeKind
{
	CHANGE_INSERT = 0,
	CHANGE_DELETE,
	CHANGE_UPDATE
} ChangeKind;

/* Where rows came from; several rows may share one (a message with an array, a file). */
typedef struct Payload
{
	const char *topic; /* Kafka; null otherwise.  Arena of the batch */
	int32_t partition;
	int64_t offset;
	const char *file; /* Delta: path of the data file; null otherwise */
	int32_t plan;     /* datagen: index of the plan, -1 otherwise */
	Span key;         /* data null where none */
	Span value;       /* raw payload; data null where there is none to keep */
} Payload;

/* A record that decoding could not turn into a row. */
typedef struct BadRecord
{
	uint32_t payload;
	int64_t record_number; /* as row_numbers */
	char sqlstate[6];
	const char *message;
	const char *column; /* null where it is not one column's fault */
} BadRecord;

/* ---- positions ------------------------------------------------------------ */

/* Always what comes next, never what was last. */
typedef enum PositionKind
{
	POSITION_KAFKA,
	POSITION_DELTA_FILE,
	POSITION_DELTA_VERSION,
	POSITION_DATAGEN
} PositionKind;

typedef struct PositionMove
{
	PositionKind kind;
	int64_t expected;            /* offset, row of the file, version, row of the plan: before */
	int64_t next;                /* the same: after */
	const char *topic;           /* KAFKA; arena of the batch */
	int32_t partition;           /* KAFKA */
	int64_t lost;                /* KAFKA: offsets of this move that had expired unread */
	int64_t file_number;         /* DELTA_FILE */
	bool file_done;              /* DELTA_FILE: nothing is left of this file */
	int64_t rows_read;           /* DELTA_FILE: physical rows passed by this move */
	int64_t rows_masked;         /* DELTA_FILE: of those, under the deletion vector */
	const char *commit_identity; /* DELTA_VERSION: identity of the last commit passed */
	const char *schema_json;     /* DELTA_VERSION: in force after the move; null = as it was */
	int32_t plan;                /* DATAGEN */
} PositionMove;

/* ---- the batch ------------------------------------------------------------ */

typedef struct ChangeBatch
{
	Arena arena;
	const TargetTable *target;
	uint32_t row_count;
	uint32_t row_capacity;
	BatchColumn *columns; /* target->column_count of them */
	uint8_t *kinds;       /* ChangeKind by row; null: all inserts */
	uint32_t *payload_of; /* index into payloads by row; null: all of payload 0 */
	int64_t *row_numbers; /* by row: record number in its message (from 1), or physical
							 * row in its file, or row of its plan (from 0) */
	Payload *payloads;
	uint32_t payload_count;
	uint32_t payload_capacity;
	BadRecord *bad;
	uint32_t bad_count;
	uint32_t bad_capacity;
	PositionMove *moves;
	uint32_t move_count;
	uint32_t move_capacity;
	uint64_t source_bytes;   /* bytes read from the source for this batch */
	bool set_difference;     /* rows are a Delta version's difference: equal delete/insert
							  * pairs cancel in either order */
	bool keep_open;          /* the transaction goes on with the next batch (a large Delta
							  * version); the moves come with its last batch */
	bool completes_backfill; /* the last row of the backfill is in this batch (which may be
							  * empty): recorded in the same transaction */
} ChangeBatch;

/* A new empty batch for up to "row_capacity" rows, or null (out of memory).
 * "limit": bytes its arena may take. */
extern ChangeBatch *batch_create(const TargetTable *target, uint32_t row_capacity, size_t limit) INGEST_MUST_CHECK;
extern void batch_free(ChangeBatch *batch); /* null is allowed */

/* Bytes the batch holds, for the queue limits. */
extern size_t batch_bytes(const ChangeBatch *batch);

/* Each returns false when memory is out (error filled). The spans of a payload are copied. */
extern bool
batch_add_payload(ChangeBatch *batch, const Payload *payload, uint32_t *index, IngestError *error) INGEST_MUST_CHECK;
extern bool batch_add_bad(ChangeBatch *batch, uint32_t payload, int64_t record_number, const char *sqlstate,
						  const char *column, const char *message, IngestError *error) INGEST_MUST_CHECK;
extern bool batch_add_move(ChangeBatch *batch, const PositionMove *move, IngestError *error) INGEST_MUST_CHECK;

/* Say that the source has this column; all its states begin as VALUE_MISSING. */
extern bool batch_provide_column(ChangeBatch *batch, int column, IngestError *error) INGEST_MUST_CHECK;

/* Append a row whose values all are VALUE_MISSING; grows the columns when needed.
 * *row is its index.  kinds, payload_of and row_numbers are made on first need. */
extern bool batch_add_row(ChangeBatch *batch, ChangeKind kind, uint32_t payload, int64_t row_number, uint32_t *row,
						  IngestError *error) INGEST_MUST_CHECK;
/* Take the last row away again (its decoding failed half-way). */
extern void batch_drop_last_row(ChangeBatch *batch);

/* How a text field is spelt where the spelling is not the server's own. */
typedef enum TemporalFlavor
{
	TEMPORAL_TEXT,         /* ISO text, T and Z allowed; what is not plain ISO goes to the server */
	TEMPORAL_DAYS,         /* date: days since 1970-01-01 */
	TEMPORAL_MILLISECONDS, /* time, timestamp: integer milliseconds */
	TEMPORAL_MICROSECONDS
} TemporalFlavor;

/* Set one value from text, as a CSV field or a JSON number or string gives it. */
extern bool batch_set_text(ChangeBatch *batch, int column, uint32_t row, Span text, TemporalFlavor flavor,
						   IngestError *error) INGEST_MUST_CHECK;
extern void batch_set_null(ChangeBatch *batch, int column, uint32_t row);
extern bool
batch_set_boolean(ChangeBatch *batch, int column, uint32_t row, bool value, IngestError *error) INGEST_MUST_CHECK;
/* Raw bytes (for BYTEA; for any other form they are taken as text). */
extern bool
batch_set_bytes(ChangeBatch *batch, int column, uint32_t row, Span bytes, IngestError *error) INGEST_MUST_CHECK;

/*
 * Map the columns of an Arrow struct to the target and convert rows
 * [first, first + count) of it into the batch as inserts or deletes.
 *
 * The plan is made once per schema and is immutable.  Fields the target lacks
 * are passed over.  Fails (INVALID) where a type cannot feed its column at all,
 * naming both types.
 */
typedef struct ArrowPlan ArrowPlan;

extern bool arrow_plan_create(const struct ArrowSchema *schema, const TargetTable *target, ArrowPlan **out,
							  IngestError *error) INGEST_MUST_CHECK;
extern void arrow_plan_free(ArrowPlan *plan);
/* "numbers" gives row_numbers by row of the array. */
extern bool batch_append_arrow(ChangeBatch *batch, const ArrowPlan *plan, const struct ArrowArray *array, int64_t first,
							   int64_t count, ChangeKind kind, uint32_t payload, const int64_t *numbers,
							   IngestError *error) INGEST_MUST_CHECK;

/*
 * One Arrow value as JSON text in the project's conventions (the server's text
 * output with TimeZone UTC; nested values as JSON).  Used for jsonb columns and
 * by the tools that print files.  "array" and "schema" are a column's.
 */
extern bool arrow_value_to_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
								struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;
/* The same value as the server's text output, unquoted; *is_null instead of text. */
extern bool arrow_value_to_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
								struct Buffer *out, bool *is_null, IngestError *error) INGEST_MUST_CHECK;

/* Compute the all_* flags.  Call once, before the batch leaves the thread. */
extern void batch_finish(ChangeBatch *batch);

#endif
