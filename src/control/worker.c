/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The process of one running connector: how it begins and how it ends.
 *
 *	  attach the slot; connect as the connector's effective role
 *	  BEGIN; lock the extension; next epoch, attempt mark, state running; COMMIT (flushed)
 *	  again:
 *		 BEGIN; describe the target; read the position; COMMIT
 *		 start the source; worker_loop() until something ends it:
 *
 *		 target changed (DDL)	stop the source, begin "again" from the stored position
 *		 end of the source		recorded by the loop; exit 0
 *		 stopped				exit 0, nothing is written
 *		 fenced					the same; the supervisor knows whether somebody took the next epoch, or
 *								the position is not what this run has left there
 *		 the source failed		record the error in a transaction of its own; exit 1
 *		 an error was raised	caught here and nowhere else: abort, record, exit 1
 *		 FATAL (SIGTERM)		no more transaction; the supervisor records what happened
 *
 * A probe is the same process with a source that only asks: it stores what it learned and
 * leaves.  It does not change the state.
 *
 * The attempt mark is committed and flushed before the source is opened: a crash from here on
 * must be found by the next start.
 *
 * Memory: run_context for the declaration and the target, batch_context for one batch; what the
 * source made is malloc'ed and freed with its events.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include <signal.h>

/* ---- beginning ---------------------------------------------------------------------- */

/* For tests: a crash of the server under this connector. */
static void
crash_if_asked(const WorkerRun *run)
{
	if (control_debug_crash != NULL && strcmp(control_debug_crash, run->declaration->name) == 0)
		raise(SIGSEGV);
}

/* Take the epoch; false where the connector is not to run. */
static bool
begin_run(WorkerRun *run)
{
	MemoryContext old;

	control_begin_transaction("beginning a run");
	if (!catalog_lock_extension())
	{
		control_abort();
		return false;
	}
	old = MemoryContextSwitchTo(run->run_context);
	run->declaration = catalog_begin_run(run->slot->connector_id, run->probe);
	MemoryContextSwitchTo(old);
	if (run->declaration != NULL && !run->probe)
		catalog_set_state(run->declaration->connector_id, CONNECTOR_RUNNING, NULL, NULL, NULL, 0);
	ForceSyncCommit();
	control_commit();
	if (run->declaration == NULL)
		return false;
	run->attempt_open = true;
	run->started_at = GetCurrentTimestamp();
	live_begin(run->slot, run->declaration);
	return true;
}

const char *
worker_phase_of(const SourcePosition *position)
{
	if (position == NULL || !position->pinned)
		return NULL;
	if (position->partition_count > 0 || position->plan_count > 0)
		return "live";
	if (position->next_version >= 0 && (!position->has_snapshot || position->file_count == 0))
		return "follow";
	return "snapshot";
}

/* Describe the target and read the position (malloc'ed, may be null); false: the extension is gone. */
static bool
prepare(WorkerRun *run, SourcePosition **position)
{
	MemoryContext old;

	control_begin_transaction("reading the position");
	if (!catalog_lock_extension())
	{
		control_abort();
		return false;
	}
	old = MemoryContextSwitchTo(run->run_context);
	run->target = apply_open(run->declaration->relid);
	MemoryContextSwitchTo(old);
	*position = catalog_load_position(run->declaration->connector_id);
	run->phase = worker_phase_of(*position);
	/* A probe may have stored the start, and nothing of the phase that begins now. */
	if (run->phase != NULL && !run->probe)
		catalog_record_phase(run->declaration->connector_id, run->phase, NULL);
	control_commit();
	run->follows_versions = *position != NULL && (*position)->next_version >= 0;
	live_phase(run->slot, run->phase != NULL ? run->phase : "");
	return true;
}

static bool
start_source(WorkerRun *run, SourcePosition *position, IngestError *failure)
{
	SourceConfig config = {
		.connector_name = run->declaration->name,
		.connector_json = run->declaration->connector_json,
		.target = apply_target_table(run->target),
		.rights = run->declaration->rights,
		.probe_only = run->probe,
	};

	if (!source_start(&config, position, &run->source, failure))
		return false;
	control_own_source(run->source);
	return true;
}

/* Before the target is described anew nobody may look at the old description. */
static void
stop_source(WorkerRun *run)
{
	run->source = NULL;
	if (!control_stop_source())
	{
		control_report(OUTCOME_FAILED, false, "57014", "the threads of the source did not end in time", NULL);
		proc_exit(1);
	}
	apply_close(run->target);
	run->target = NULL;
}

/* ---- the run ----------------------------------------------------------------------------- */

static RunResult
run_connector(WorkerRun *run, IngestError *failure)
{
	SourcePosition *position;
	RunResult result;

	run->opening = true;
	if (!begin_run(run))
		return RUN_STOPPED;
	crash_if_asked(run);
	for (;;)
	{
		if (!prepare(run, &position))
			return RUN_STOPPED;
		live_doing(run->slot, "opening the source");
		if (!start_source(run, position, failure))
			return RUN_FAILED;
		result = worker_loop(run, failure);
		if (result != RUN_TARGET_CHANGED)
			return result;
		ereport(LOG, (errmsg("connector \"%s\" describes its target again, because its definition has changed",
							 run->declaration->name),
					  errhidecontext(true)));
		stop_source(run);
	}
}

static void
leave(WorkerRun *run, RunResult result, const IngestError *failure)
{
	switch (result)
	{
		case RUN_FINISHED:
			control_report(OUTCOME_FINISHED, false, NULL, NULL, NULL);
			proc_exit(0);
		case RUN_FAILED:
			worker_report_source_error(run, failure);
			proc_exit(1);
		case RUN_FENCED:
			control_report(OUTCOME_FENCED, false, "40001",
						   "the stored position is not the one that this run has moved from", NULL);
			proc_exit(0);
		default:
			control_report(OUTCOME_STOPPED, false, NULL, NULL, NULL);
			proc_exit(0);
	}
}

/* Entry point of workers and probes; "argument" is the slot. */
void
feldera_ingest_worker_main(Datum argument)
{
	static WorkerRun run; /* must live until the last callback of proc_exit */
	ErrorContextCallback context = {.callback = worker_error_context, .arg = &run};
	IngestError failure;
	RunResult result = RUN_STOPPED;

	control_prepare_exit();
	run.slot = control_begin_process(argument);
	run.probe = run.slot->kind == SLOT_PROBE;
	control_connect(run.slot->run_as);
	control_register_source_exit();
	run.run_context = AllocSetContextCreate(TopMemoryContext, "feldera_ingest run", ALLOCSET_DEFAULT_SIZES);
	run.batch_context = AllocSetContextCreate(TopMemoryContext, "feldera_ingest batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(run.run_context);
	source_initialize();
	ingest_error_clear(&failure);

	PG_TRY();
	{
		context.previous = error_context_stack;
		error_context_stack = &context;
		result = run_connector(&run, &failure);
		error_context_stack = context.previous;
	}
	PG_CATCH();
	{
		worker_report_caught_error(&run);
		proc_exit(1);
	}
	PG_END_TRY();
	leave(&run, result, &failure);
}
