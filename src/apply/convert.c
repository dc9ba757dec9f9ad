/*-------------------------------------------------------------------------
 *
 * convert.c
 *	  Values of a batch to Datums, before anything is written.
 *
 * Every record is converted before the collapse, so that which records are bad never
 * depends on where a batch ends.
 *
 *	VALUE_DATUM		is the Datum already
 *	VALUE_INPUT		through the type's input function, after the text was checked for NUL
 *					bytes and bad UTF-8 and brought into the server's encoding
 *	VALUE_MISSING	insert: the column's default, or NULL; update: left alone; delete without
 *					key: the default where it is always the same one, else NULL, so that a
 *					record deletes the row that the same record inserted
 *	VALUE_NULL		NULL; a domain's input function sees it, since NOT NULL may be part of it
 *
 * A delete by key converts its key only: the rest of such a record is nobody's business.
 *
 * A column whose values are all ready is passed on as it is, without a copy.  The others are
 * converted in one subtransaction that is begun anew behind each value that its type refuses, so
 * that good batches pay for one and a bad value costs one more (none from 16 on, where most input
 * functions return their errors).  ConversionState lives outside the subtransaction and says
 * where the error struck.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "apply/apply_internal.h"
#include "compat.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/memutils.h"
#include "utils/rel.h"

StaticAssertDecl(sizeof(Datum) == sizeof(uint64_t), "batches hold Datums of 64 bits");

/* What a missing value of a column becomes. */
typedef struct ColumnDefault
{
	bool known;
	bool steady;      /* the same for every row of a statement */
	ExprState *state; /* null: NULL */
} ColumnDefault;

typedef struct ConversionState
{
	ApplyRun *run;
	Relation relation;
	EState *estate;
	ExprContext *econtext;
	ColumnDefault *defaults; /* by column index */
	int position;            /* index into run->provided */
	int32 row;               /* being converted */
	ErrorData *soft_error;   /* the row's value was refused without an error being raised */
} ConversionState;

/* ---- defaults -------------------------------------------------------------------- */

static ColumnDefault *
column_default(ConversionState *state, int column)
{
	ColumnDefault *entry = &state->defaults[column];
	Expr *expression;

	if (entry->known)
		return entry;
	expression = (Expr *) build_column_default(state->relation, state->run->target->columns[column].attnum);
	if (expression != NULL)
	{
		expression = expression_planner(expression);
		entry->steady = !contain_volatile_functions((Node *) expression);
		entry->state = ExecInitExpr(expression, NULL);
	}
	else
		entry->steady = true;
	entry->known = true;
	return entry;
}

/* The value goes to the batch's context, where the caller stands. */
static Datum
evaluate_default(ConversionState *state, int column, bool *is_null)
{
	ColumnDefault *entry = column_default(state, column);
	Datum value;

	*is_null = true;
	if (entry->state == NULL)
		return (Datum) 0;
	if (!entry->steady && apply_row_kind(state->run, state->row) == CHANGE_DELETE)
		return (Datum) 0;
	value = ExecEvalExpr(entry->state, state->econtext, is_null);
	return value;
}

/* ---- one value --------------------------------------------------------------------- */

/* The text in the server's encoding; raises 22021 for a NUL byte or bad UTF-8. */
static char *
server_text(const InputText *text)
{
	if (text->length > MaxAllocSize)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value of %u bytes is too long", text->length));
	return pg_any_to_server(text->data, (int) text->length, PG_UTF8);
}

/* Hand "text" (null: NULL) to the input function.  False: refused, state->soft_error says why. */
static bool
convert_text(ConversionState *state, int column, char *text, Datum *value)
{
	TargetColumn *target_column = &state->run->target->columns[column];

	return compat_input_function_call(&target_column->input, text, target_column->input_parameter,
									  target_column->typmod, value, &state->soft_error);
}

/* Does the row need a value in this column at all? */
static bool
value_is_needed(const ApplyRun *run, int column, int32 row)
{
	bool in_key = run->target->table->columns[column].in_key;

	if (run->row_rejected[row])
		return in_key; /* the same-error rule counts keys */
	return in_key || !run->target->table->has_key || apply_row_kind(run, row) != CHANGE_DELETE;
}

/* Convert one value into *value and *new_state.  False: refused. */
static bool
convert_value(ConversionState *state, int column, uint8 old_state, uint64 raw, Datum *value, uint8 *new_state)
{
	ApplyRun *run = state->run;
	ChangeKind kind = apply_row_kind(run, state->row);
	bool is_null = false;

	*value = (Datum) 0;
	*new_state = VALUE_DATUM;
	if (old_state == VALUE_DATUM)
		*value = (Datum) raw;
	else if (!value_is_needed(run, column, state->row))
		*new_state = VALUE_MISSING;
	else if (old_state == VALUE_INPUT)
		return convert_text(state, column, server_text((const InputText *) (uintptr_t) raw), value);
	else if (old_state == VALUE_MISSING && (kind == CHANGE_UPDATE || run->row_rejected[state->row] ||
											(kind == CHANGE_DELETE && run->target->table->has_key)))
		*new_state = VALUE_MISSING;
	else
	{
		if (old_state == VALUE_MISSING)
			*value = evaluate_default(state, column, &is_null);
		else
			is_null = true;
		if (is_null)
			*new_state = VALUE_NULL;
		if (is_null && run->target->columns[column].domain && kind != CHANGE_DELETE)
			return convert_text(state, column, NULL, value);
	}
	return true;
}

/* ---- the columns that need it ---------------------------------------------------------- */

/* Go on from where the state stands until all is done or a value is refused. */
static void
convert_onward(void *argument)
{
	ConversionState *state = argument;
	ApplyRun *run = state->run;

	for (; state->position < run->provided_count; state->position++, state->row = 0)
	{
		int column = run->provided[state->position];
		const BatchColumn *source = &run->batch->columns[column];
		Datum *values = (Datum *) run->columns[column].values;
		uint8 *states = (uint8 *) run->columns[column].states;

		if ((const uint8 *) source->states == states)
			continue; /* ready as it was */
		for (; (uint32) state->row < run->batch->row_count; state->row++)
		{
			CHECK_FOR_INTERRUPTS();
			/* Overwritten when the conversion succeeds. */
			states[state->row] = VALUE_INPUT;
			if (!convert_value(state, column, source->states[state->row], source->values[state->row],
							   &values[state->row], &states[state->row]))
			{
				states[state->row] = VALUE_INPUT;
				return;
			}
		}
	}
}

/* The row at which the state stands has a value that its type refuses. */
static void
reject_value(ConversionState *state, ErrorData *error)
{
	ApplyRun *run = state->run;
	int column = run->provided[state->position];
	int32 row = state->row;

	((uint8 *) run->columns[column].states)[row] = VALUE_INPUT;
	if (!run->row_rejected[row])
	{
		if (error->column_name == NULL)
			error->column_name = pstrdup(run->target->table->columns[column].name);
		run->row_rejected[row] = true;
		reject_row_error(run, row, error);
		tally_failure(run, apply_row_kind(run, row), error, 0);
	}
	state->row++;
}

static void
convert_columns(ApplyRun *run)
{
	ConversionState state = {.run = run};

	state.relation = table_open(run->target->relid, RowExclusiveLock);
	state.estate = CreateExecutorState();
	state.econtext = GetPerTupleExprContext(state.estate);
	state.defaults = palloc0(sizeof(ColumnDefault) * run->target->table->column_count);
	while (state.position < run->provided_count)
	{
		ErrorData *error;

		state.soft_error = NULL;
		error = subtransaction_run(run, convert_onward, &state);
		if (error == NULL)
			error = state.soft_error;
		if (error != NULL)
			reject_value(&state, error);
	}
	FreeExecutorState(state.estate);
	table_close(state.relation, NoLock);
}

/* Can the column be passed on as it is? */
static bool
column_is_ready(const ApplyRun *run, int column)
{
	const BatchColumn *source = &run->batch->columns[column];

	return source->all_datums || (source->all_ready && !run->target->columns[column].domain);
}

void
convert_batch(ApplyRun *run)
{
	const ChangeBatch *batch = run->batch;
	bool all_ready = true;

	for (int i = 0; i < run->provided_count; i++)
	{
		int column = run->provided[i];
		ConvertedColumn *converted = &run->columns[column];

		if (column_is_ready(run, column))
		{
			converted->values = (const Datum *) batch->columns[column].values;
			converted->states = batch->columns[column].states;
			continue;
		}
		converted->values = palloc_extended(sizeof(Datum) * batch->row_count, MCXT_ALLOC_HUGE);
		converted->states = palloc(batch->row_count);
		all_ready = false;
	}
	if (!all_ready)
		convert_columns(run);
}
