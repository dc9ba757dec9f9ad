/*-------------------------------------------------------------------------
 *
 * apply_internal.h
 *	  What the files of apply/ share.  Nobody outside the room includes it.
 *
 *	target.c		the target, described for the threads and for the server
 *	convert.c		values of a batch to Datums
 *	collapse.c		records to changes: at most one a key, cancelled pairs gone
 *	statements.c	changes to the target, as SQL over an ephemeral relation
 *	bisect.c		subtransactions, and who is to blame when one fails
 *	rejected.c		what an error means for a record
 *	apply.c			one batch from end to end
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_APPLY_INTERNAL_H
#define INGEST_APPLY_INTERNAL_H

#include "apply/apply.h"

#include "access/tupdesc.h"
#include "executor/spi.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"
#include "utils/typcache.h"

/* ---- target ---------------------------------------------------------------- */

/* The server's view of table->columns[i]; same index. */
typedef struct TargetColumn
{
	AttrNumber attnum;
	Oid type;
	int32 typmod;
	Oid collation;
	bool domain;          /* its input must see NULLs as well */
	bool identity_always; /* an UPDATE may not set it */
	FmgrInfo input;
	Oid input_parameter;
	TypeCacheEntry *type_cache; /* default equality operator and hash function, where there are any */
} TargetColumn;

struct ApplyTarget
{
	MemoryContext context; /* holds all of this; a reset callback frees "table" and the plans */
	Oid relid;
	char relkind;
	char *qualified_name; /* quoted as SQL needs it */
	TargetTable *table;
	TargetColumn *columns;
	TupleDesc descriptor; /* as it was when described */
	Oid key_index;        /* InvalidOid: no primary key */
	int key_count;
	int *key_columns;      /* indexes into columns */
	List *statements;      /* of Statement */
	uint64 owners_checked; /* when the owners of partitions and children were looked at last; see target.c */
};

/* ---- one batch on its way ------------------------------------------------------ */

/* A column after conversion.  "states" then are VALUE_DATUM, VALUE_NULL, or VALUE_MISSING where an update leaves the
 * column alone; VALUE_INPUT marks a value that its type refused (its row is rejected). */
typedef struct ConvertedColumn
{
	const Datum *values;
	const uint8 *states; /* null: the source does not feed the column */
} ConvertedColumn;

/*
 * What is left to do for one key, or for one record of a table without key.  Its records are "first",
 * next_row[first], ... "tail" in arrival order.  Values come from row "last", or from "values" where fields of
 * several records were folded together.  Deletes without key: all its records are equal, each takes one row away.
 */
typedef struct Change
{
	ChangeKind kind;
	int32 first;
	int32 tail;
	int32 last;
	int32 records;
	bool nothing;        /* cancelled; gone once the collapse is done */
	bool refused_before; /* a record of this key failed in conversion: already counted as a failing key */
	Datum *values;       /* by column index, or null */
	uint8 *states;
} Change;

/* All failures of one kind of change in a batch, for the same-error rule. */
typedef struct FailureTally
{
	int64 accepted;
	int64 failed_keys;
	bool mixed;       /* not all failures are alike */
	char *signature;  /* of the first failure */
	ErrorData *first; /* to be raised again */
} FailureTally;

typedef struct ApplyRun
{
	ApplyTarget *target;
	const ChangeBatch *batch;
	ApplyResult *result;
	MemoryContext result_context;
	MemoryContext context; /* of the batch */
	MemoryContext scratch; /* of one attempt; reset after each */
	int provided_count;
	int *provided; /* indexes of the columns that the source feeds */
	ConvertedColumn *columns;
	bool *row_rejected;
	int32 *next_row; /* chains of Change; -1 ends */
	int change_count;
	Change *changes;
	List *deferred_constraints; /* RangeVars; see bisect.c */
	int64 unmatched;            /* deletes that found nothing, in the attempt that is under way */
	int64 updates_unmatched;    /* the same of updates */
	int rejected_capacity;
	List *rejected_rows;    /* of the rejected records that are rows, in the order of the list */
	FailureTally tally[3];  /* by ChangeKind */
	FailureTally undecoded; /* of what decoding refused */
} ApplyRun;

static inline ChangeKind
apply_row_kind(const ApplyRun *run, int32 row)
{
	return run->batch->kinds == NULL ? CHANGE_INSERT : (ChangeKind) run->batch->kinds[row];
}

static inline uint8
change_state(const ApplyRun *run, const Change *change, int column)
{
	return change->states != NULL ? change->states[column] : run->columns[column].states[change->last];
}

static inline Datum
change_value(const ApplyRun *run, const Change *change, int column)
{
	return change->values != NULL ? change->values[column] : run->columns[column].values[change->last];
}

/* ---- convert.c ------------------------------------------------------------------ */

/* Fill run->columns and reject the records that have a value their type refuses. */
extern void convert_batch(ApplyRun *run);

/* ---- collapse.c ------------------------------------------------------------------ */

/* Fill run->changes; reject records that name no key; count what cancels. */
extern void collapse_batch(ApplyRun *run);

/* ---- statements.c ------------------------------------------------------------------ */

/* Run "count" changes against the target: deletes, then inserts, then updates.  Needs a subtransaction of its own,
 * because whatever the statements raise is raised.  Adds to run->unmatched and run->updates_unmatched. */
extern void statements_apply(ApplyRun *run, const Change *changes, int count);

/* Drop the plans that are good for one batch only. */
extern void statements_end_batch(ApplyTarget *target);
extern void statements_free(ApplyTarget *target);

/* ---- bisect.c ------------------------------------------------------------------------ */

typedef void (*SubtransactionBody)(void *argument);

/* Run "body" in a subtransaction.  Null when it succeeded; else its error (in run->context), rolled back,
 * if that is a record's fault; any other error is rolled back and raised again. */
extern ErrorData *subtransaction_run(ApplyRun *run, SubtransactionBody body, void *argument);

/* Apply all changes of the run, and reject the records that the table refuses. */
extern void bisect_apply(ApplyRun *run);

/* Count the records of changes that are done; run->unmatched and run->updates_unmatched of them found nothing. */
extern void count_accepted(ApplyRun *run, const Change *changes, int count);

/* Subtransactions since the process started, for tests. */
extern int64 apply_subtransactions;

/* ---- rejected.c ---------------------------------------------------------------------- */

/* Is this error the fault of the record that was being written? */
extern bool error_rejects_record(const ApplyTarget *target, const ErrorData *error);

/* Hand a record back that an error belongs to.  The strings are copied. */
extern void reject_row_error(ApplyRun *run, int32 row, const ErrorData *error);
/* The same where the fault was found here, and tally it; "column" may be null. */
extern void reject_row(ApplyRun *run, int32 row, int sqlstate, const char *message, const char *column);
/* What decoding could not turn into rows. */
extern void reject_bad_records(ApplyRun *run);
/* Bring the rejected rows into arrival order, behind what decoding refused. */
extern void rejected_sort(ApplyRun *run);

/*
 * The same-error rule.  tally_failure notes a failed record of "keys" keys not counted before; it takes "error" over,
 * which is palloc'ed in run->context.  tally_check raises the common error where there is one.
 */
extern void tally_failure(ApplyRun *run, ChangeKind kind, ErrorData *error, int keys);
extern void tally_check(ApplyRun *run);

#endif
