/*-------------------------------------------------------------------------
 *
 * delta_source.h
 *	  What the files of the transport delta_table_input share.
 *
 *	  delta_config.c			the declaration
 *	  delta_table_input.c		the run: open, resolve the start, pin, read, follow
 *	  delta_snapshot_read.c		the file plan, by several parser threads
 *	  delta_follow.c			the log, version by version
 *	  delta_rows.c				files to batches
 *	  delta_read_ahead.c		ranges of files read before they are asked for
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_DELTA_SOURCE_H
#define INGEST_DELTA_SOURCE_H

#include <pthread.h>

#include "delta/delta.h"
#include "source/source_internal.h"

#define DELTA_CONFIG_PATH "$.transport.config"

/* ---- the declaration (delta_config.c) ------------------------------------------ */

typedef enum DeltaMode
{
	DELTA_MODE_SNAPSHOT,
	DELTA_MODE_FOLLOW,
	DELTA_MODE_SNAPSHOT_AND_FOLLOW
} DeltaMode;

typedef struct DeltaConfig
{
	const char *uri; /* of the parsed connector */
	DeltaMode mode;
	bool one_transaction; /* transaction_mode snapshot, always: the whole snapshot */
	int64_t version;      /* -1 not given */
	bool has_datetime;
	int64_t datetime_ms;
	int64_t end_version; /* -1 not given */
	int64_t parsers;
	int64_t readers;
	int64_t poll_interval_ms;
	bool verbose;
	StorageOption *storage_options; /* malloc'ed; texts of the parsed connector */
	size_t storage_option_count;
} DeltaConfig;

/* All errors are INVALID or UNSUPPORTED and name the option; touches nothing but its arguments. */
extern bool delta_config_parse(const JsonValue *config, DeltaConfig *out, IngestError *error) INGEST_MUST_CHECK;
extern void delta_config_clear(DeltaConfig *config);
extern bool delta_config_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights,
							   SourceCheck *check, IngestError *error);
extern bool delta_config_option_is_secret(const char *key);
extern bool delta_config_keeps_position(const char *key);

/* ---- reading ahead (delta_read_ahead.c) ------------------------------------------ */

typedef struct ReadAhead ReadAhead;
typedef struct ReadAheadFile ReadAheadFile;

/* "transfers" threads and as many transfers at once, those of the callers included; "budget" bytes at most.
 * Storage and cancel must outlive it. */
extern bool read_ahead_create(Storage *storage, int transfers, size_t budget, const IngestCancel *cancel,
							  ReadAhead **out, IngestError *error) INGEST_MUST_CHECK;
extern void read_ahead_free(ReadAhead *ahead); /* joins the threads; all files must be closed; null is allowed */

/*
 * A file of the store as input of parquet/, used by one thread.  "expected_size": as in the log, 0 unknown.
 * Errors as storage_head; CORRUPT where the size differs.
 */
extern bool read_ahead_open(ReadAhead *ahead, const char *path, uint64_t expected_size, ReadAheadFile **out,
							ParquetInput *input, IngestError *error) INGEST_MUST_CHECK;
extern void read_ahead_close(ReadAheadFile *file);

/* ---- the run ----------------------------------------------------------------------- */

/* A file of the plan that is still to be read.  The text belongs to the snapshot or the stored position. */
typedef struct PlannedFile
{
	int64_t file_number;
	int64_t next_row;
	const char *action_json;
	size_t action_length;
} PlannedFile;

/* A run.  What is not guarded by the mutex is written before the parser threads start and read-only while
 * they run. */
typedef struct DeltaSource
{
	SourceRun *run;
	DeltaConfig config;
	Storage *storage;
	DeltaTable *table; /* the main loop's alone */
	DeltaOptions options;
	ReadAhead *ahead;
	IngestCancel cancel; /* the run was stopped, or a parser failed */
	atomic_bool failed;
	atomic_bool troubled; /* told that a transfer is tried again and again, and nothing has been read since */
	SourceStatus status;  /* totals, lag; the main loop's */

	/* where reading stands */
	DeltaSchema *schema; /* in force at next_version - 1, or at the snapshot's version */
	int64_t start_version;
	int64_t backfill_end_version; /* -1 none */
	int64_t next_version;         /* -1 does not follow */
	bool backfill_completed;
	bool has_snapshot;
	int64_t files_total;
	DeltaSnapshot *snapshot; /* owns the plan's texts where nothing was stored; else null */
	PlannedFile *plan;
	size_t plan_count;

	pthread_mutex_t mutex;
	size_t plan_next;    /* the next file to take */
	IngestError failure; /* the first one of a parser */
	PositionMove *moves; /* one_transaction: what the last batch moves */
	size_t move_count;
	size_t move_capacity;
} DeltaSource;

/* Read the plan to its end and, where that completes the backfill, say so (delta_snapshot_read.c). */
extern bool delta_snapshot_read(DeltaSource *source, IngestError *error) INGEST_MUST_CHECK;

/* Follow the log until end_version or the run's stop (delta_follow.c). */
extern bool delta_follow(DeltaSource *source, IngestError *error) INGEST_MUST_CHECK;

/* Where the source was in trouble it is no more, because something was read. */
extern bool delta_note_progress(DeltaSource *source, IngestError *error) INGEST_MUST_CHECK;

/* An empty batch that completes the backfill. */
extern bool delta_complete_backfill(DeltaSource *source, IngestError *error) INGEST_MUST_CHECK;

/* Put the source's status with what it is doing. */
extern bool delta_put_status(DeltaSource *source, IngestError *error, const char *format, ...)
	INGEST_PRINTF(3, 4) INGEST_MUST_CHECK;

/* ---- rows (delta_rows.c) -------------------------------------------------------------- */

/* Which columns of a schema are read, and how they become the target's. Immutable; shared by threads. */
typedef struct DeltaColumns
{
	DeltaSchema *schema;
	struct ArrowSchema projection; /* children belong to the schema */
	ArrowPlan *plan;
	int64_t change_type; /* index of _change_type in the arrays; -1 none */
	struct ArrowSchema change_type_schema;
} DeltaColumns;

/* INVALID: a column cannot feed its target, or none matches. */
extern bool delta_columns_create(DeltaSchema *schema, const TargetTable *target, bool with_change_type,
								 DeltaColumns **out, IngestError *error) INGEST_MUST_CHECK;
extern void delta_columns_free(DeltaColumns *columns); /* null is allowed */

/* Takes finished batches out of a RowWriter; the batch is taken over in any case. */
typedef bool (*BatchOutput)(void *state, ChangeBatch *batch, IngestError *error);

/* The file that a RowWriter is reading. */
typedef struct OpenFile
{
	char *path;          /* decoded; malloc'ed */
	int64_t file_number; /* -1: its rows move no position of their own */
	uint64_t size;
	int64_t row_count;
	uint64_t bytes_told; /* of the size, in source_bytes of batches */
	/* the part of it that the open batch has */
	int64_t row_from;
	int64_t row_to;
	int64_t rows_taken; /* the others of the part lie under its deletion vector */
	bool has_payload;
	uint32_t payload;
} OpenFile;

/* Fills batches from scans and hands them on when they are full; one thread's. */
typedef struct RowWriter
{
	DeltaSource *source;
	BatchOutput output;
	void *output_state;
	ChangeBatch *batch; /* being filled, or null */
	int64_t begun_ms;
	OpenFile file; /* path null: none */
} RowWriter;

typedef struct FileRead
{
	const DeltaColumns *columns;
	const char *action_json;
	size_t action_length;
	const char *old_action_json; /* vectors only, else null */
	size_t old_action_length;
	DeltaRows rows;
	ChangeKind kind;
	bool by_change_type; /* only rows whose _change_type is of this kind */
	int64_t file_number; /* -1: no position of its own */
	int64_t first_row;
	int64_t version; /* for messages; -1 none */
} FileRead;

extern void row_writer_init(RowWriter *writer, DeltaSource *source, BatchOutput output, void *state);
/* All rows of a file; full batches go out meanwhile, the last one stays open. */
extern bool row_writer_read(RowWriter *writer, const FileRead *read, IngestError *error) INGEST_MUST_CHECK;
/* Hand on what is open. */
extern bool row_writer_flush(RowWriter *writer, IngestError *error) INGEST_MUST_CHECK;
extern void row_writer_release(RowWriter *writer);

#endif
