/*-------------------------------------------------------------------------
 *
 * bisect.c
 *	  Subtransactions, and finding the record that the table refuses.
 *
 * All changes of a batch are tried in one subtransaction.  Where that fails by a record's fault
 * the changes are halved, in arrival order, until the culprit is alone; the good ones around it go in
 * on the way.  When the first half went in, the culprit is taken to be in the second, which is halved
 * without being tried: one bad record in n costs at most 2 log2(n) + 1 subtransactions.
 * (Should the second half be good after all, that costs a few statements and nothing else.)
 *
 * A change that is refused alone and stands for several records of one key is taken apart: its records are
 * applied one by one in arrival order, each accepted or rejected by itself.
 *
 * Deferred constraints must speak inside the subtransaction, not at COMMIT: each attempt ends with
 * SET CONSTRAINTS ALL IMMEDIATE.  That lasts until the transaction ends, so each attempt begins by deferring
 * again what the target declares INITIALLY DEFERRED.
 *
 * No error is ever swallowed without rolling its subtransaction back, and one that is not a
 * record's fault is raised again as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "apply/apply_internal.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

int64 apply_subtransactions = 0;

ErrorData *
subtransaction_run(ApplyRun *run, SubtransactionBody body, void *argument)
{
	MemoryContext old_context = CurrentMemoryContext;
	ResourceOwner old_owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	apply_subtransactions++;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old_context);
	PG_TRY();
	{
		body(argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old_context);
	CurrentResourceOwner = old_owner;

	if (error != NULL && !error_rejects_record(run->target, error))
		ReThrowError(error);
	return error;
}

/* ---- one attempt -------------------------------------------------------------------- */

typedef struct Attempt
{
	ApplyRun *run;
	const Change *changes;
	int count;
} Attempt;

static void
set_constraints(List *constraints, bool deferred)
{
	ConstraintsSetStmt *statement = makeNode(ConstraintsSetStmt);

	statement->constraints = constraints;
	statement->deferred = deferred;
	AfterTriggerSetState(statement);
}

static void
attempt_body(void *argument)
{
	Attempt *attempt = argument;
	MemoryContext old_context = MemoryContextSwitchTo(attempt->run->scratch);

	if (attempt->run->deferred_constraints != NIL)
		set_constraints(attempt->run->deferred_constraints, true);
	statements_apply(attempt->run, attempt->changes, attempt->count);
	set_constraints(NIL, false);
	MemoryContextSwitchTo(old_context);
}

/* Null: the changes are in.  Else why the table refused one of them. */
static ErrorData *
attempt_changes(ApplyRun *run, const Change *changes, int count)
{
	Attempt attempt = {.run = run, .changes = changes, .count = count};
	ErrorData *error;

	run->unmatched = 0;
	error = subtransaction_run(run, attempt_body, &attempt);
	MemoryContextReset(run->scratch);
	return error;
}

/* Every record of the changes counts, folded ones as well. */
void
count_accepted(ApplyRun *run, const Change *changes, int count)
{
	int64 accepted[lengthof(run->tally)] = {0};

	for (int i = 0; i < count; i++)
	{
		for (int32 row = changes[i].first; row >= 0; row = run->next_row[row])
			accepted[apply_row_kind(run, row)]++;
	}
	for (int kind = 0; kind < (int) lengthof(accepted); kind++)
		run->tally[kind].accepted += accepted[kind];
	run->result->rows_inserted += accepted[CHANGE_INSERT];
	run->result->rows_updated += accepted[CHANGE_UPDATE];
	run->result->rows_deleted += accepted[CHANGE_DELETE] - run->unmatched;
	run->result->deletes_unmatched += run->unmatched;
}

/* ---- the culprit ----------------------------------------------------------------------- */

/* The records of one change, each by itself. */
static void
apply_one_by_one(ApplyRun *run, const Change *change)
{
	bool counted = change->refused_before;
	int32 row = change->first;

	for (int32 left = change->records; left > 0; left--, row = run->next_row[row])
	{
		Change single = {.kind = apply_row_kind(run, row), .first = row, .last = row, .records = 1};
		ErrorData *error = attempt_changes(run, &single, 1);

		if (error == NULL)
		{
			count_accepted(run, &single, 1);
			continue;
		}
		reject_row_error(run, row, error);
		tally_failure(run, single.kind, error, counted ? 0 : 1);
		counted = run->target->table->has_key;
	}
}

/* Takes "error" over. */
static void
settle_culprit(ApplyRun *run, const Change *change, ErrorData *error)
{
	if (change->records > 1)
	{
		FreeErrorData(error);
		apply_one_by_one(run, change);
		return;
	}
	reject_row_error(run, change->last, error);
	tally_failure(run, change->kind, error, change->refused_before ? 0 : 1);
}

/* Apply "count" > 0 changes.  "refused": all of them together are known to fail.  True: all went in as they are. */
static bool
apply_range(ApplyRun *run, const Change *changes, int count, bool refused)
{
	int half = count / 2;
	bool left_accepted;

	CHECK_FOR_INTERRUPTS();
	if (!refused || count == 1)
	{
		ErrorData *error = attempt_changes(run, changes, count);

		if (error == NULL)
		{
			count_accepted(run, changes, count);
			return true;
		}
		if (count == 1)
		{
			settle_culprit(run, changes, error);
			return false;
		}
		FreeErrorData(error);
	}
	left_accepted = apply_range(run, changes, half, false);
	return apply_range(run, changes + half, count - half, left_accepted) && left_accepted;
}

void
bisect_apply(ApplyRun *run)
{
	if (run->change_count > 0)
		apply_range(run, run->changes, run->change_count, false);
}
