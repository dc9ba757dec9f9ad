/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  One batch from end to end: convert, collapse, apply, hand back what was refused.
 *
 * The caller has opened the transaction, has called apply_target_is_current in it, and moves the
 * position afterwards.  Nothing is written outside a subtransaction, but an error that leaves
 * apply_batch still means that the transaction is to be aborted: parts of the batch may be in.
 *
 * Memory: everything of a batch lives in one context, which is deleted at the end; rejected
 * records alone are made in the caller's.  Values that need no conversion are used where the batch has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "apply/apply_internal.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "nodes/makefuncs.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

int apply_same_error_threshold = 100;

void
apply_define_gucs(void)
{
	DefineCustomIntVariable("feldera_ingest.same_error_threshold",
							"Records with distinct keys that must fail alike before a batch is retried, not rejected.",
							"Where all records of a batch fail with the same error, and there are at least this many, "
							"the connector retries; fewer are put into feldera.rejected_records.",
							&apply_same_error_threshold, 100, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
}

/* The columns that the source feeds, in attribute order. */
static void
find_provided(ApplyRun *run)
{
	const TargetTable *table = run->target->table;

	run->provided = palloc(sizeof(int) * (table->column_count + 1));
	for (int i = 0; i < table->column_count; i++)
		if (run->batch->columns[i].states != NULL && !table->columns[i].generated)
			run->provided[run->provided_count++] = i;
}

/* The constraint's name as SET CONSTRAINTS takes it; null where there is none. */
static RangeVar *
constraint_name(Oid constraint)
{
	HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	RangeVar *name;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	name = makeRangeVar(get_namespace_name(form->connamespace), pstrdup(NameStr(form->conname)), -1);
	ReleaseSysCache(tuple);
	return name;
}

/* Constraints of the target, or that refer to it, which are INITIALLY DEFERRED. */
static void
find_deferred_constraints(ApplyRun *run)
{
	Relation relation = table_open(run->target->relid, RowExclusiveLock);
	TriggerDesc *triggers = relation->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		RangeVar *name;

		if (!trigger->tginitdeferred || !OidIsValid(trigger->tgconstraint))
			continue;
		name = constraint_name(trigger->tgconstraint);
		if (name != NULL)
			run->deferred_constraints = lappend(run->deferred_constraints, name);
	}
	table_close(relation, NoLock);
}

static void
apply_rows(ApplyRun *run)
{
	const ChangeBatch *batch = run->batch;

	if (batch->row_count > PG_INT32_MAX)
		elog(ERROR, "batch of %u rows is too large", batch->row_count);
	find_provided(run);
	find_deferred_constraints(run);
	run->columns = palloc0(sizeof(ConvertedColumn) * (run->target->table->column_count + 1));
	run->row_rejected = palloc_extended(batch->row_count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	convert_batch(run);
	collapse_batch(run);
	bisect_apply(run);
}

void
apply_batch(ApplyTarget *target, ChangeBatch *batch, bool reject_all, ApplyResult *result)
{
	ApplyRun run = {.target = target, .batch = batch, .result = result, .result_context = CurrentMemoryContext};

	if (batch->target != target->table)
		elog(ERROR, "batch was made for another description of table \"%s\"", target->table->name);
	memset(result, 0, sizeof(*result));
	run.context = AllocSetContextCreate(CurrentMemoryContext, "apply batch", ALLOCSET_DEFAULT_SIZES);
	run.scratch = AllocSetContextCreate(run.context, "apply attempt", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(run.context);
	/* A worker has no portal that would hold one; defaults and domain checks may run SQL. */
	PushActiveSnapshot(GetTransactionSnapshot());

	statements_end_batch(target); /* an aborted batch may have left some */
	reject_bad_records(&run);
	if (batch->row_count > 0)
		apply_rows(&run);
	if (!reject_all)
		tally_check(&run);
	rejected_sort(&run);
	statements_end_batch(target);

	PopActiveSnapshot();
	MemoryContextSwitchTo(run.result_context);
	MemoryContextDelete(run.context);
}
