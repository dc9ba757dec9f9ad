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
 * A change that is refused alone may be refused only because something it needs comes behind it: a child
 * whose parent row is in the other half, a value that another record of the batch frees.  Together they
 * would have gone in, so where the error is of such a kind the change is postponed, and what was
 * postponed is tried again, together, as long as something of it goes in.
 *
 * A change that is refused in the end and stands for several records of one key is taken apart: its records are
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
	run->updates_unmatched = 0;
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
		int32 row = changes[i].first;

		for (int32 left = changes[i].records; left > 0; left--, row = run->next_row[row])
			accepted[apply_row_kind(run, row)]++;
	}
	for (int kind = 0; kind < (int) lengthof(accepted); kind++)
		run->tally[kind].accepted += accepted[kind];
	run->result->rows_inserted += accepted[CHANGE_INSERT];
	run->result->rows_updated += accepted[CHANGE_UPDATE] - run->updates_unmatched;
	run->result->rows_deleted += accepted[CHANGE_DELETE] - run->unmatched;
	run->result->deletes_unmatched += run->unmatched;
	run->result->updates_unmatched += run->updates_unmatched;
}

/* ---- the culprit ----------------------------------------------------------------------- */

typedef struct Postponed
{
	Change change;
	ErrorData *error; /* why it was refused last */
} Postponed;

typedef struct Bisection
{
	ApplyRun *run;
	int accepted;    /* changes that went in so far */
	List *postponed; /* of Postponed, in arrival order */
} Bisection;

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

/* Could the same change go in once other changes of the batch are in? */
static bool
depends_on_other_rows(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
		   error->sqlerrcode != ERRCODE_NOT_NULL_VIOLATION && error->sqlerrcode != ERRCODE_CHECK_VIOLATION &&
		   error->sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/* Refused alone, for good.  Takes "error" over. */
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

/* Refused alone.  Takes "error" over. */
static void
judge_culprit(Bisection *bisection, const Change *change, ErrorData *error)
{
	Postponed *postponed;

	if (!depends_on_other_rows(error))
	{
		settle_culprit(bisection->run, change, error);
		return;
	}
	postponed = palloc(sizeof(Postponed));
	postponed->change = *change;
	postponed->error = error;
	bisection->postponed = lappend(bisection->postponed, postponed);
}

/* Apply "count" > 0 changes.  "refused": all of them together are known to fail.  True: all went in as they are. */
static bool
apply_range(Bisection *bisection, const Change *changes, int count, bool refused)
{
	ApplyRun *run = bisection->run;
	int half = count / 2;
	bool left_accepted;

	CHECK_FOR_INTERRUPTS();
	if (!refused || count == 1)
	{
		ErrorData *error = attempt_changes(run, changes, count);

		if (error == NULL)
		{
			bisection->accepted += count;
			count_accepted(run, changes, count);
			return true;
		}
		if (count == 1)
		{
			judge_culprit(bisection, changes, error);
			return false;
		}
		FreeErrorData(error);
	}
	left_accepted = apply_range(bisection, changes, half, false);
	return apply_range(bisection, changes + half, count - half, left_accepted) && left_accepted;
}

/* Try what was postponed once more. */
static void
apply_postponed(Bisection *bisection)
{
	int count = list_length(bisection->postponed);
	Change *changes = palloc(sizeof(Change) * count);
	ListCell *cell;
	int i = 0;

	foreach (cell, bisection->postponed)
	{
		Postponed *postponed = lfirst(cell);

		changes[i++] = postponed->change;
		FreeErrorData(postponed->error);
	}
	list_free_deep(bisection->postponed);
	bisection->postponed = NIL;
	apply_range(bisection, changes, count, false);
	pfree(changes);
}

void
bisect_apply(ApplyRun *run)
{
	Bisection bisection = {.run = run};
	int accepted;
	ListCell *cell;

	if (run->change_count == 0)
		return;
	apply_range(&bisection, run->changes, run->change_count, false);
	for (accepted = 0; bisection.postponed != NIL && bisection.accepted > accepted;)
	{
		accepted = bisection.accepted;
		apply_postponed(&bisection);
	}
	foreach (cell, bisection.postponed)
	{
		Postponed *postponed = lfirst(cell);

		settle_culprit(run, &postponed->change, postponed->error);
	}
}
