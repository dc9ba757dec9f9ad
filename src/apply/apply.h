/*-------------------------------------------------------------------------
 *
 * apply.h
 *	  Door of the room apply/: a batch of changes into the target table.
 *
 * Runs in the worker's main thread, inside a transaction that the caller opened; opens
 * subtransactions of its own.  Only this room touches the target.  Writes no table of the
 * extension: what the table refuses is handed back as a list.
 *
 * Includes of server headers are the includer's business: postgres.h comes first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_APPLY_H
#define INGEST_APPLY_H

#include "postgres.h"

#include "batch/batch.h"

typedef struct ApplyTarget ApplyTarget;

/* A record that the table refused, or decoding did.  Lives in the context current at the call. */
typedef struct RejectedRecord
{
	const Payload *payload; /* in the batch, may be null */
	int64 row_number;
	char sqlstate[6];
	char *message;
	char *column_name;     /* or null */
	char *constraint_name; /* or null */
	int attempts;
} RejectedRecord;

typedef struct ApplyResult
{
	int64 rows_inserted; /* applied inserts (upserts count once a record) */
	int64 rows_deleted;
	int64 rows_updated;
	int64 deletes_unmatched; /* of a table without key */
	int64 updates_unmatched; /* found no row with their key; several of one key in a batch count once */
	int rejected_count;
	RejectedRecord *rejected;
} ApplyResult;

/*
 * Describe the target.  Needs a transaction; locks nothing beyond it.  The result lives until apply_close, in a
 * memory context of its own below the current one.  Raises: ERRCODE_UNDEFINED_TABLE where it is gone,
 * ERRCODE_WRONG_OBJECT_TYPE, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE (deferrable primary key), with hints.
 */
extern ApplyTarget *apply_open(Oid relid);
extern void apply_close(ApplyTarget *target);

/* The plain C description for the threads (malloc'ed; lives until apply_close). */
extern const TargetTable *apply_target_table(const ApplyTarget *target);

/* The same, for checks at declaration; free with apply_describe_free. */
extern TargetTable *apply_describe(Oid relid);
extern void apply_describe_free(TargetTable *table);

/*
 * First thing in each transaction: lock the target (RowExclusiveLock) and compare it with the description.
 * False: DDL changed what matters (columns, types, key, name); close and open again.  Raises
 * ERRCODE_UNDEFINED_TABLE where it is gone, and ERRCODE_INSUFFICIENT_PRIVILEGE where the current user is a superuser
 * and the target, or a partition of it, belongs to somebody who is not (apply_open raises that as well).
 */
extern bool apply_target_is_current(ApplyTarget *target);

/*
 * Apply one batch.  Rejects are records of SQLSTATE class 22, 23, 44, P0, of 54000, and 42501 where it is row
 * security; every other error is raised, and the caller's transaction is then to be aborted.
 * "reject_all": put away also a batch of which at least feldera_ingest.same_error_threshold records with distinct
 * keys all failed alike ("on_error": "reject"); else that error is raised again, as itself.  So an error of one of
 * those classes that leaves apply_batch always means a cause that the records share: to be retried.
 */
extern void apply_batch(ApplyTarget *target, ChangeBatch *batch, bool reject_all, ApplyResult *result);

/* GUC of this room: feldera_ingest.same_error_threshold.  Defined from _PG_init. */
extern int apply_same_error_threshold;
extern void apply_define_gucs(void);

#endif
