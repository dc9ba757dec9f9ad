/*-------------------------------------------------------------------------
 *
 * rejected.c
 *	  What an error means: the fault of one record, or of something that time or the
 *	  user has to heal.
 *
 * A record's fault are SQLSTATE classes 22 (data), 23 (constraints), 44 (check option), P0
 * (raised by a trigger), the single code 54000 (index row too large), and 42501 where it is
 * row security that refused a row although the role may write the table.  Everything else is
 * raised again as it was.
 *
 * The same-error rule: where every record of one kind (insert, delete, update) in a batch failed
 * with the same SQLSTATE and the same constraint or function, and those records have at least
 * feldera_ingest.same_error_threshold distinct keys, then it is no fault of the records: a broken trigger,
 * a column of another type, a reference table not yet filled.  The first of the errors is raised
 * again, and nothing of the batch is put away.  The kinds are judged apart, because a trigger that breaks all
 * inserts lets deletes pass.  Without a primary key each record is a key of its own.
 *
 * What decoding refused has no key: there each message counts, by its first fault, and each row that could be
 * decoded is one accepted.  A message without form has no column and no constraint either, and whether it is no JSON or
 * another JSON than the declared one makes no difference: so a topic of another format is not put away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/apply_internal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/memutils.h"

#define MESSAGE_MAX 900 /* bytes of a rejected record's error */

/* ---- whose fault ---------------------------------------------------------------- */

/*
 * Row security refuses a row from within ExecWithCheckOptions, after the executor has checked the table
 * privileges; a missing privilege has the same SQLSTATE, but comes from elsewhere.
 */
static bool
is_row_security(const ApplyTarget *target, const ErrorData *error)
{
	AclMode any = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

	return error->funcname != NULL && strcmp(error->funcname, "ExecWithCheckOptions") == 0 &&
		   (pg_class_aclmask(target->relid, GetUserId(), any, ACLMASK_ANY) != 0 ||
			pg_attribute_aclcheck_all(target->relid, GetUserId(), any, ACLMASK_ANY) == ACLCHECK_OK);
}

bool
error_rejects_record(const ApplyTarget *target, const ErrorData *error)
{
	int category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_WITH_CHECK_OPTION_VIOLATION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_PLPGSQL_ERROR))
		return true;
	if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return true;
	return error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && is_row_security(target, error);
}

/* ---- the same-error rule ------------------------------------------------------------- */

/*
 * What makes two failures alike: SQLSTATE, and the constraint; where there is none the column and the function
 * that raised it.  For an error raised in PL/pgSQL the function is in the context, which names it with the line.
 */
static char *
error_signature(const ErrorData *error)
{
	const char *state = unpack_sql_state(error->sqlerrcode);
	bool raised = ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_PLPGSQL_ERROR);

	if (error->constraint_name != NULL)
		return psprintf("%s %s.%s %s", state, error->schema_name != NULL ? error->schema_name : "",
						error->table_name != NULL ? error->table_name : "", error->constraint_name);
	return psprintf("%s %s %s %s", state, error->column_name != NULL ? error->column_name : "",
					error->funcname != NULL ? error->funcname : "",
					raised && error->context != NULL ? error->context : "");
}

static char *
undecoded_signature(const ErrorData *error)
{
	return error->column_name == NULL ? pstrdup("") : error_signature(error);
}

/* "error" is taken over. */
static void
count_failure(ApplyRun *run, FailureTally *tally, ErrorData *error, int keys)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);
	char *signature = tally == &run->undecoded ? undecoded_signature(error) : error_signature(error);

	tally->failed_keys += keys;
	if (tally->first == NULL)
	{
		tally->first = error;
		tally->signature = signature;
	}
	else
	{
		tally->mixed |= strcmp(signature, tally->signature) != 0;
		pfree(signature);
		FreeErrorData(error);
	}
	MemoryContextSwitchTo(old_context);
}

void
tally_failure(ApplyRun *run, ChangeKind kind, ErrorData *error, int keys)
{
	count_failure(run, &run->tally[kind], error, keys);
}

/* An error that was raised says already where; one that was made here is told where by raising it. */
static void
check_one(const FailureTally *tally)
{
	if (tally->first == NULL || tally->mixed || tally->accepted > 0 || tally->failed_keys < apply_same_error_threshold)
		return;
	if (tally->first->context != NULL)
		ReThrowError(tally->first);
	ThrowErrorData(tally->first);
}

void
tally_check(ApplyRun *run)
{
	for (int kind = 0; kind < (int) lengthof(run->tally); kind++)
		check_one(&run->tally[kind]);
	check_one(&run->undecoded);
}

/* ---- the list ---------------------------------------------------------------------- */

/* The next free element of the list, zeroed. */
static RejectedRecord *
add_rejected(ApplyRun *run)
{
	ApplyResult *result = run->result;
	RejectedRecord *record;

	if (result->rejected_count == run->rejected_capacity)
	{
		int capacity = Max(16, run->rejected_capacity * 2);
		Size size = sizeof(RejectedRecord) * capacity;

		if (result->rejected == NULL)
			result->rejected = MemoryContextAlloc(run->result_context, size);
		else
			result->rejected = repalloc_huge(result->rejected, size);
		run->rejected_capacity = capacity;
	}
	record = &result->rejected[result->rejected_count++];
	memset(record, 0, sizeof(*record));
	record->attempts = 1;
	return record;
}

/* A copy for the caller of apply_batch; null stays null. */
static char *
keep_string(ApplyRun *run, const char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(run->result_context, text);
}

/* The same of an error's text, which may quote a value of any size: the payload has it whole. */
static char *
keep_message(ApplyRun *run, const char *text)
{
	int length = (int) strlen(text);
	int kept = pg_mbcliplen(text, length, MESSAGE_MAX);
	char *copy = MemoryContextAlloc(run->result_context, kept + sizeof("..."));

	memcpy(copy, text, kept);
	strcpy(copy + kept, kept < length ? "..." : "");
	return copy;
}

void
reject_row_error(ApplyRun *run, int32 row, const ErrorData *error)
{
	const ChangeBatch *batch = run->batch;
	RejectedRecord *record = add_rejected(run);
	uint32 payload = batch->payload_of == NULL ? 0 : batch->payload_of[row];
	MemoryContext old_context;

	record->payload = payload < batch->payload_count ? &batch->payloads[payload] : NULL;
	record->row_number = batch->row_numbers == NULL ? row : batch->row_numbers[row];
	strlcpy(record->sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(record->sqlstate));
	record->message = keep_message(run, error->message != NULL ? error->message : "missing error text");
	record->column_name = keep_string(run, error->column_name);
	record->constraint_name = keep_string(run, error->constraint_name);
	old_context = MemoryContextSwitchTo(run->context);
	run->rejected_rows = lappend_int(run->rejected_rows, row);
	MemoryContextSwitchTo(old_context);
}

/* What was not raised, to be tallied; "column" may be null. */
static ErrorData *
make_error(ApplyRun *run, int sqlstate, const char *message, const char *column)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);
	ErrorData *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->filename = __FILE__;
	error->lineno = __LINE__;
	error->funcname = __func__;
	error->sqlerrcode = sqlstate;
	error->message = pstrdup(message);
	error->column_name = column == NULL ? NULL : pstrdup(column);
	error->assoc_context = run->context;
	MemoryContextSwitchTo(old_context);
	return error;
}

void
reject_row(ApplyRun *run, int32 row, int sqlstate, const char *message, const char *column)
{
	ErrorData *error = make_error(run, sqlstate, message, column);

	reject_row_error(run, row, error);
	tally_failure(run, apply_row_kind(run, row), error, 1);
}

typedef struct RejectedRow
{
	int32 row;
	RejectedRecord record;
} RejectedRow;

static int
compare_rejected_rows(const void *left, const void *right)
{
	int32 left_row = ((const RejectedRow *) left)->row;
	int32 right_row = ((const RejectedRow *) right)->row;

	return left_row < right_row ? -1 : left_row > right_row;
}

static int
code_of(const char *sqlstate)
{
	return strlen(sqlstate) == 5 ? MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])
								 : ERRCODE_DATA_EXCEPTION;
}

void
reject_bad_records(ApplyRun *run)
{
	const ChangeBatch *batch = run->batch;

	run->undecoded.accepted = batch->row_count;
	for (uint32 i = 0; i < batch->bad_count; i++)
	{
		const BadRecord *bad = &batch->bad[i];
		RejectedRecord *record = add_rejected(run);

		record->payload = bad->payload < batch->payload_count ? &batch->payloads[bad->payload] : NULL;
		record->row_number = bad->record_number;
		strlcpy(record->sqlstate, bad->sqlstate, sizeof(record->sqlstate));
		record->message = keep_string(run, bad->message);
		record->column_name = keep_string(run, bad->column);
		if (i == 0 || bad->payload != batch->bad[i - 1].payload)
			count_failure(run, &run->undecoded, make_error(run, code_of(bad->sqlstate), bad->message, bad->column), 1);
	}
}

/* Bring the rejected rows into arrival order, behind what decoding refused. */
void
rejected_sort(ApplyRun *run)
{
	int count = list_length(run->rejected_rows);
	RejectedRecord *first = &run->result->rejected[run->result->rejected_count - count];
	RejectedRow *rows;
	ListCell *cell;

	if (count < 2)
		return;
	rows = palloc_extended(sizeof(RejectedRow) * count, MCXT_ALLOC_HUGE);
	foreach (cell, run->rejected_rows)
	{
		RejectedRow *entry = &rows[foreach_current_index(cell)];

		entry->row = lfirst_int(cell);
		entry->record = first[foreach_current_index(cell)];
	}
	qsort(rows, count, sizeof(RejectedRow), compare_rejected_rows);
	for (int i = 0; i < count; i++)
		first[i] = rows[i].record;
	pfree(rows);
}
