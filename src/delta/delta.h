/*-------------------------------------------------------------------------
 *
 * delta.h
 *	  Door of the room delta/: a Delta table's log, its state at a version, its
 *	  commits, and the rows of its data files as Arrow arrays of the table's schema.
 *
 * Plain C (see common.h).  A DeltaTable is a root in a Storage plus what was read of
 * its log so far; it belongs to one thread.  DeltaSchema, DeltaFile and DeltaScanPlan
 * are immutable once made and may be shared.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_DELTA_H
#define INGEST_DELTA_H

#include "common/arrow_abi.h"
#include "common/common.h"
#include "parquet/parquet.h"
#include "storage/storage.h"

/* ---- schema and protocol of one version ----------------------------------- */

/* metaData and protocol in force at a version; reference-counted, thread-safe. */
typedef struct DeltaSchema DeltaSchema;

extern DeltaSchema *delta_schema_acquire(DeltaSchema *schema);
extern void delta_schema_release(DeltaSchema *schema);
extern const char *delta_schema_table_id(const DeltaSchema *schema);
/* Logical columns in order, partition columns included; Delta types as Arrow types
 * (timestamp: "tsu:UTC", timestamp_ntz: "tsu:", decimal: "d:p,s", variant: extension). */
extern const struct ArrowSchema *delta_schema_arrow(const DeltaSchema *schema);
/* metaData and protocol as JSON text: stored with a pinned plan and given back at resume. */
extern bool delta_schema_to_json(const DeltaSchema *schema, struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;
/* Checks the protocol gate as well: UNSUPPORTED names table, version and features. */
extern bool
delta_schema_from_json(const char *json, size_t length, DeltaSchema **out, IngestError *error) INGEST_MUST_CHECK;

/* ---- files ---------------------------------------------------------------- */

typedef struct DeltaFile
{
	Span path;     /* as in the log, still percent-encoded; no NUL behind it */
	uint64_t size; /* as in the log; 0 where unknown */
	int64_t modified_ms;
	int64_t record_count;    /* from stats, -1 where unknown */
	const char *action_json; /* {"path","partitionValues","size","modificationTime","deletionVector"?...}: all
							  * that is needed to scan it again; stored as the plan's row */
	size_t action_length;
	const char *stats; /* JSON text or null; kept only where asked for */
} DeltaFile;

/* ---- table ---------------------------------------------------------------- */

/* May this be a timestamp_partition_timezone: "UTC", an offset, a name of the system's zones? */
extern bool delta_timezone_is_known(const char *zone);

typedef struct DeltaTable DeltaTable;

typedef struct DeltaOptions
{
	ParquetOptions parquet;
	const char *timestamp_partition_timezone; /* null = UTC */
	bool keep_stats;
} DeltaOptions;

/* "storage" must outlive the table. No request is made. */
extern bool delta_table_create(Storage *storage, const DeltaOptions *options, DeltaTable **out,
							   IngestError *error) INGEST_MUST_CHECK;
extern void delta_table_free(DeltaTable *table);

/* NOT_FOUND: there is no Delta table here. */
extern bool delta_latest_version(DeltaTable *table, int64_t *version, const IngestCancel *cancel,
								 IngestError *error) INGEST_MUST_CHECK;
/* The oldest version whose commit is in the log: 0, or later where the log was cleaned up. */
extern bool delta_first_version(DeltaTable *table, int64_t *version, const IngestCancel *cancel,
								IngestError *error) INGEST_MUST_CHECK;
/* The newest version not later than the time (ms since 1970).  In-commit timestamps where enabled. */
extern bool delta_version_at(DeltaTable *table, int64_t time_ms, int64_t *version, const IngestCancel *cancel,
							 IngestError *error) INGEST_MUST_CHECK;

/* The schema in force at a version (-1 = latest), without the files; the caller releases it. */
extern bool delta_schema_load(DeltaTable *table, int64_t version, DeltaSchema **out, const IngestCancel *cancel,
							  IngestError *error) INGEST_MUST_CHECK;

/* The table at a version: schema, and the live files in bytewise order of the path. */
typedef struct DeltaSnapshot
{
	int64_t version;
	DeltaSchema *schema;
	size_t file_count;
	DeltaFile *files;
	int64_t record_count; /* sum of what is known less the rows under deletion vectors, -1 where a file has none */
	uint64_t byte_count;
	Arena arena;
} DeltaSnapshot;

/* version -1 = latest.  The protocol gate is checked before the files are collected. */
extern bool delta_snapshot_load(DeltaTable *table, int64_t version, DeltaSnapshot **out, const IngestCancel *cancel,
								IngestError *error) INGEST_MUST_CHECK;
extern void delta_snapshot_free(DeltaSnapshot *snapshot);

/* One commit, for followers. */
typedef enum DeltaChangeKind
{
	DELTA_CHANGE_ADD,    /* all live rows of the file are inserts */
	DELTA_CHANGE_REMOVE, /* all live rows of the file are deletes */
	DELTA_CHANGE_VECTOR, /* one file, its deletion vector changed: newly masked rows are deletes, newly
						  * unmasked ones inserts */
	DELTA_CHANGE_CDC     /* a change data file: the column _change_type says what each row is */
} DeltaChangeKind;

typedef struct DeltaChange
{
	DeltaChangeKind kind;
	DeltaFile file;     /* ADD, REMOVE, CDC; VECTOR: with the new vector */
	DeltaFile old_file; /* VECTOR: with the old vector */
} DeltaChange;

typedef struct DeltaCommit
{
	int64_t version;
	DeltaSchema *schema;     /* in force after this commit: added files are read with it */
	DeltaSchema *old_schema; /* before it: removed files are read with that */
	bool schema_changed;
	char identity[80];   /* hash of the commit's bytes */
	int64_t time_ms;     /* in-commit timestamp, commitInfo.timestamp, else 0 */
	size_t change_count; /* dataChange = true only; removes first, then vectors, then adds, each bytewise by path */
	DeltaChange *changes;
	Arena arena;
} DeltaCommit;

/*
 * Read the commit "version"; *out is null when it does not exist yet.  "before" is the schema
 * in force at version - 1 (the follower keeps it).  The gate is checked over the whole commit
 * first.  With "use_cdc" cdc files replace adds and removes where the commit has any.
 * GONE: newer versions exist, so this one was cleaned up; the message names the first one left.
 * Call with "probe_gap" false for the cheap poll (one GET), true to list as well.
 */
extern bool delta_commit_load(DeltaTable *table, int64_t version, DeltaSchema *before, bool use_cdc, bool probe_gap,
							  DeltaCommit **out, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern void delta_commit_free(DeltaCommit *commit);

/* ---- rows ----------------------------------------------------------------- */

typedef struct DeltaScan DeltaScan;

typedef enum DeltaRows
{
	DELTA_ROWS_LIVE,         /* rows not under the file's deletion vector */
	DELTA_ROWS_NEWLY_MASKED, /* under the new vector, not under the old one */
	DELTA_ROWS_NEWLY_LIVE    /* under the old vector, not under the new one */
} DeltaRows;

/*
 * Read one file from physical row "first_row" on.  "action_json" is a DeltaFile's; "old_action_json" the
 * one with the old vector for the last two kinds of rows, else null.  "projection" names the logical columns
 * wanted (a struct schema; null = all); the arrays have exactly its shape and the table's types: column mapping,
 * partition values, missing columns (null) and widened types are resolved here.  CDC files: project
 * _change_type as an extra string column.  With options.parquet.keep_dictionary the top-level string and binary
 * columns leave as dictionary arrays (int32 indices), whatever the file has: delta_scan_schema says so.
 *
 * "input" may be null: the scan then opens the object by the storage itself (with the ETag of its first
 * request).  GONE: the file, or its deletion vector, is missing; the message names it and VACUUM.
 */
extern bool delta_scan_open(Storage *storage, const DeltaOptions *options, DeltaSchema *schema,
							const struct ArrowSchema *projection, const char *action_json, size_t action_length,
							const char *old_action_json, size_t old_action_length, DeltaRows rows, int64_t first_row,
							const ParquetInput *input, DeltaScan **out, const IngestCancel *cancel,
							IngestError *error) INGEST_MUST_CHECK;

/*
 * The next rows; array->release is null at the end.  (*numbers)[i] is the physical row number of row i, valid
 * until the next call.  *next_row is the physical row to resume at after these rows (it also passes masked ones).
 * An array may be empty (length 0, release set) when a run of rows was masked.
 */
extern bool
delta_scan_next(DeltaScan *scan, int64_t max_rows, struct ArrowArray *array, const int64_t **numbers, int64_t *next_row,
				int64_t *masked_rows, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern const struct ArrowSchema *delta_scan_schema(const DeltaScan *scan);
extern int64_t delta_scan_row_count(const DeltaScan *scan); /* physical rows of the file */
/* False: the table maps its columns, and none of those wanted is in the file (all of them come out null). */
extern bool delta_scan_finds_columns(const DeltaScan *scan);
extern void delta_scan_close(DeltaScan *scan);

#endif
