/*-------------------------------------------------------------------------
 *
 * worker_error.c
 *	  What a worker says about the error it dies of.
 *
 * The error goes to three places: the slot (so that the views show it at once, and the
 * supervisor has it even if nothing can be written any more), the server's log, and the
 * catalog, in a transaction of its own after the failed one was rolled back.
 *
 * Whether time can heal it decides between retrying and failed:
 *
 *	  class 08 40 53 55 57 58 XX		retrying: connection, conflict, resources, locks,
 *										operator, system, internal
 *	  class 22 23 44 P0, and 54000		retrying: apply/ raises these only when a whole batch was
 *										refused alike, which somebody can mend at the target
 *	  55000 before the first batch		failed: the target or the source is not what the
 *										declaration needs
 *	  everything else					failed
 *
 * Errors of the source carry their kind; see common.h for which of them are failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "utils/elog.h"
#include "utils/memutils.h"

static bool
error_is_permanent(int sqlerrcode, bool opening)
{
	static const char healing[][3] = {"08", "40", "53", "55", "57", "58", "XX", "22", "23", "44", "P0"};
	const char *sqlstate = unpack_sql_state(sqlerrcode);

	if (sqlerrcode == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE && opening)
		return true;
	if (sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return false;
	for (size_t i = 0; i < lengthof(healing); i++)
		if (strncmp(sqlstate, healing[i], 2) == 0)
			return false;
	return true;
}

typedef struct SourceErrorClass
{
	const char *sqlstate;
	bool permanent;
} SourceErrorClass;

static const SourceErrorClass source_error_classes[] = {
	[INGEST_ERROR_NONE] = {"XX000", false},
	[INGEST_ERROR_TRANSIENT] = {"08006", false},     /* connection_failure */
	[INGEST_ERROR_DENIED] = {"28000", false},        /* invalid_authorization_specification */
	[INGEST_ERROR_NOT_FOUND] = {"58P01", false},     /* undefined_file */
	[INGEST_ERROR_GONE] = {"58P01", true},           /* undefined_file */
	[INGEST_ERROR_CORRUPT] = {"XX001", true},        /* data_corrupted */
	[INGEST_ERROR_UNSUPPORTED] = {"0A000", true},    /* feature_not_supported */
	[INGEST_ERROR_INVALID] = {"22023", true},        /* invalid_parameter_value */
	[INGEST_ERROR_CHANGED] = {"55000", true},        /* object_not_in_prerequisite_state */
	[INGEST_ERROR_LIMIT] = {"54000", true},          /* program_limit_exceeded */
	[INGEST_ERROR_OUT_OF_MEMORY] = {"53200", false}, /* out_of_memory */
	[INGEST_ERROR_CANCELLED] = {"57014", false},     /* query_canceled */
};

/* ---- recording ------------------------------------------------------------------------ */

/* What the target was like, so that the supervisor notices DDL that may heal the connector. */
static void
record_definition(const WorkerRun *run)
{
	uint64 definition;

	if (!control_definition(run->declaration->relid, &definition))
		return;
	control_lock(LW_EXCLUSIVE);
	run->slot->definition = definition;
	control_unlock();
}

/* In a transaction of its own.  A probe's error, and one before the epoch was taken, is recorded by
 * the supervisor. */
static void
record(const WorkerRun *run, const SlotReport *report)
{
	if (run->probe || run->declaration == NULL)
		return;
	PG_TRY();
	{
		control_begin_transaction("recording an error");
		if (catalog_lock_extension())
		{
			record_definition(run);
			catalog_record_error(run->declaration->connector_id, run->declaration->epoch, report->permanent,
								 report->sqlstate, report->message, report->hint[0] != '\0' ? report->hint : NULL);
		}
		control_commit();
	}
	PG_CATCH();
	{
		/* The slot has it; the supervisor tries again. */
		EmitErrorReport();
		FlushErrorState();
		control_abort();
	}
	PG_END_TRY();
}

/* The details of these classes show the row ("Failing row contains", "Key (a)=(b)"), which whoever monitors connectors
 * may not see.  The server's log has them. */
static bool
detail_shows_row(const ErrorData *error)
{
	static const char classes[][3] = {"22", "23", "44", "P0"};
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);

	for (size_t i = 0; i < lengthof(classes); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

/* The hint that the error brings, its detail, or the one thing that triggers trip over in a worker. */
static const char *
hint_of(const WorkerRun *run, const ErrorData *error)
{
	if (error->hint != NULL)
		return error->hint;
	if (error->detail != NULL && !detail_shows_row(error))
		return error->detail;
	if (run->batch != NULL &&
		(error->sqlerrcode == ERRCODE_UNDEFINED_TABLE || error->sqlerrcode == ERRCODE_UNDEFINED_FUNCTION ||
		 error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT))
		return "Workers run with search_path \"" CONTROL_SEARCH_PATH
			   "\": functions of triggers have to qualify names, or "
			   "to be given a search_path with ALTER FUNCTION ... SET.";
	return NULL;
}

void
worker_report_caught_error(WorkerRun *run)
{
	SlotReport report;
	ErrorData *error;

	/* Not after a SIGTERM, but with what is at hand. */
	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(run->run_context);
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	control_report(OUTCOME_FAILED, error_is_permanent(error->sqlerrcode, run->opening),
				   unpack_sql_state(error->sqlerrcode), error->message, hint_of(run, error));
	report = control_my_slot->report;
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(run->run_context);
	run->batch = NULL;
	RESUME_INTERRUPTS();
	record(run, &report);
}

void
worker_report_source_error(WorkerRun *run, const IngestError *error)
{
	const SourceErrorClass *class = &source_error_classes[error->kind];
	SlotReport report;

	if (run->in_transaction)
		control_abort();
	control_report(OUTCOME_FAILED, class->permanent, class->sqlstate, error->message, error->hint);
	report = control_my_slot->report;
	record(run, &report);
}

/* ---- where it happened -------------------------------------------------------------------- */

static void
describe_move(const ChangeBatch *batch, const PositionMove *move)
{
	switch (move->kind)
	{
		case POSITION_KAFKA:
			errcontext("topic \"%s\", partition %d, offsets " INT64_FORMAT " to " INT64_FORMAT, move->topic,
					   move->partition, (int64) move->expected, (int64) move->next - 1);
			break;
		case POSITION_DELTA_FILE:
			errcontext("file \"%s\", from row " INT64_FORMAT,
					   batch->payload_count > 0 && batch->payloads[0].file != NULL ? batch->payloads[0].file : "",
					   (int64) move->expected);
			break;
		case POSITION_DELTA_VERSION:
			errcontext("version " INT64_FORMAT, (int64) move->expected);
			break;
		case POSITION_DATAGEN:
			errcontext("plan %d, from row " INT64_FORMAT, move->plan, (int64) move->expected);
			break;
	}
}

void
worker_error_context(void *argument)
{
	const WorkerRun *run = argument;
	const ChangeBatch *batch = run->batch;

	if (batch != NULL)
	{
		if (batch->move_count > 0)
			describe_move(batch, &batch->moves[0]);
		if (batch->move_count > 1)
			errcontext("%u more positions of the same batch", batch->move_count - 1);
	}
	errcontext("connector \"%s\"", run->slot->name);
}
