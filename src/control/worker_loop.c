/*-------------------------------------------------------------------------
 *
 * worker_loop.c
 *	  What a worker does with the events of its source.
 *
 *	  PIN		BEGIN; store it; COMMIT, flushed; acknowledge.  Nothing is read before that, so a
 *				start that was used once is never taken again.
 *	  BATCH		BEGIN; lock the extension, lock and compare the target; apply; move the position;
 *				COMMIT; counters.  "keep_open" leaves the transaction open for the next batch.
 *	  STATUS	figures to shared memory; a transaction only where the source has come to trouble, or out of it
 *	  LOG		to the server's log
 *	  FINISHED	BEGIN; backfill complete, state finished; COMMIT, flushed
 *	  FAILED	back to the caller
 *
 * Between two events no transaction is open, with the one exception above, and an idle worker
 * sleeps on its latch and the source's descriptor without any transaction: it makes no WAL and
 * takes no transaction id.
 *
 * Locks, in this order: the extension (shared with everybody but DROP EXTENSION), the target, the
 * rows of the catalog.
 *
 * A transaction that completes a backfill is flushed whatever feldera_ingest.synchronous_commit
 * says: a label that was satisfied stays satisfied.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* A run that polls for so long did not crash the server by starting. */
#define SETTLED_MS 10000
/* A run that lives for so long begins its pauses anew at the next failure. */
#define HEALTHY_MS 60000

/* ---- transactions ------------------------------------------------------------------- */

/* Take what every transaction of a worker takes first; false: the extension is gone, nothing is open. */
static bool
begin(WorkerRun *run, const char *activity)
{
	live_doing(run->slot, activity);
	control_begin_transaction(NULL);
	if (catalog_lock_extension())
		return true;
	control_abort();
	return false;
}

/* The run has proved that it does not crash at once. */
static void
clear_attempt(WorkerRun *run)
{
	if (run->attempt_open)
		catalog_clear_attempt(run->declaration->connector_id, run->declaration->epoch);
}

/* After the commit: others may start now, or a gate may open. */
static void
note_settled(WorkerRun *run)
{
	if (!run->attempt_open)
		return;
	run->attempt_open = false;
	control_lock(LW_EXCLUSIVE);
	control_settle_locked(run->slot);
	control_unlock();
}

static void
note_healthy(WorkerRun *run)
{
	if (!run->healthy)
		catalog_record_healthy(run->declaration->connector_id);
	run->healthy = true;
}

static void
move_to_phase(WorkerRun *run, const char *phase)
{
	if (phase == NULL || (run->phase != NULL && strcmp(run->phase, phase) == 0))
		return;
	catalog_record_phase(run->declaration->connector_id, phase, NULL);
	run->phase = phase;
}

/* ---- PIN ---------------------------------------------------------------------------------- */

static RunResult
store_pin(WorkerRun *run, const SourcePosition *pin)
{
	if (!begin(run, "storing the start"))
		return RUN_STOPPED;
	/* A full run has asked the source as well as a probe would have. */
	if (!catalog_store_pin(run->declaration->connector_id, run->declaration->epoch, pin, true))
	{
		control_abort();
		return RUN_FENCED;
	}
	run->follows_versions = pin->next_version >= 0;
	if (!run->probe)
		move_to_phase(run, worker_phase_of(pin));
	ForceSyncCommit();
	control_commit();
	live_phase(run->slot, run->phase != NULL ? run->phase : "");
	source_acknowledge_pin(run->source);
	return RUN_GOES_ON;
}

/* ---- BATCH ---------------------------------------------------------------------------------- */

/* A Delta snapshot that ends where following begins says so with the batch that completes the backfill: the first
 * followed version may be long in coming. */
static const char *
phase_of_batch(const WorkerRun *run, const ChangeBatch *batch)
{
	if (batch->completes_backfill && run->follows_versions)
		return "follow";
	for (uint32_t i = 0; i < batch->move_count; i++)
	{
		switch (batch->moves[i].kind)
		{
			case POSITION_DELTA_FILE:
				return "snapshot";
			case POSITION_DELTA_VERSION:
				return "follow";
			case POSITION_KAFKA:
			case POSITION_DATAGEN:
				return "live";
		}
	}
	return NULL;
}

static RunResult
begin_batch(WorkerRun *run, const char *activity)
{
	if (run->in_transaction)
	{
		live_doing(run->slot, activity);
		PushActiveSnapshot(GetTransactionSnapshot());
		return RUN_GOES_ON;
	}
	if (!begin(run, activity))
		return RUN_STOPPED;
	run->in_transaction = true;
	run->open_rows = 0;
	run->open_bytes = 0;
	if (apply_target_is_current(run->target))
		return RUN_GOES_ON;
	return RUN_TARGET_CHANGED;
}

static void
abort_batch(WorkerRun *run)
{
	run->in_transaction = false;
	control_abort();
}

static void
commit_batch(WorkerRun *run, bool completes)
{
	clear_attempt(run);
	note_healthy(run);
	if (completes)
		ForceSyncCommit();
	control_commit();
	run->in_transaction = false;
	note_settled(run);
	live_phase(run->slot, run->phase != NULL ? run->phase : "");
	live_committed(run->slot, run->open_rows, run->open_bytes);
}

/* Changes without effect are no error, because a source may well begin in the middle; but once a run it is said. */
static void
tell_missed(WorkerRun *run, const ApplyResult *result)
{
	if (run->missed || result->updates_unmatched + result->deletes_unmatched == 0)
		return;
	run->missed = true;
	ereport(LOG,
			(errmsg("connector \"%s\": " INT64_FORMAT " updates and " INT64_FORMAT " deletes of a batch found no row",
					run->declaration->name, result->updates_unmatched, result->deletes_unmatched),
			 errhint("Columns updates_unmatched and deletes_unmatched of feldera.connectors count them; later ones of "
					 "this run are not logged."),
			 errhidecontext(true)));
}

/* Apply and move the position inside the open transaction; false: fenced. */
static bool
write_batch(WorkerRun *run, ChangeBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(run->batch_context);
	ApplyResult result;
	bool mine;

	memset(&result, 0, sizeof(result));
	apply_batch(run->target, batch, run->declaration->reject_all, &result);
	mine = catalog_advance(run->declaration->connector_id, run->declaration->epoch, batch, &result);
	if (mine)
	{
		move_to_phase(run, phase_of_batch(run, batch));
		tell_missed(run, &result);
	}
	run->open_rows += result.rows_inserted + result.rows_updated + result.rows_deleted;
	run->open_bytes += (int64) batch->source_bytes;
	MemoryContextSwitchTo(old);
	return mine;
}

static RunResult
apply_event(WorkerRun *run, ChangeBatch *batch)
{
	char activity[64];
	RunResult result;

	snprintf(activity, sizeof(activity), "applying %u rows", batch->row_count);
	result = begin_batch(run, activity);
	if (result != RUN_GOES_ON)
	{
		if (run->in_transaction)
			abort_batch(run);
		return result;
	}
	run->opening = false;
	run->batch = batch;
	if (!write_batch(run, batch))
	{
		run->batch = NULL;
		abort_batch(run);
		return RUN_FENCED;
	}
	run->batch = NULL;
	if (batch->keep_open)
	{
		PopActiveSnapshot();
		pgstat_report_activity(STATE_IDLEINTRANSACTION, "waiting for the rest of a version");
	}
	else
		commit_batch(run, batch->completes_backfill);
	MemoryContextReset(run->batch_context);
	return RUN_GOES_ON;
}

/* ---- the other events -------------------------------------------------------------------------- */

static RunResult
finish(WorkerRun *run)
{
	int64 id = run->declaration->connector_id;

	if (!begin(run, "finishing"))
		return RUN_STOPPED;
	if (run->probe)
	{
		clear_attempt(run);
		control_commit();
		note_settled(run);
		return RUN_FINISHED;
	}
	if (!catalog_complete_backfill(id, run->declaration->epoch))
	{
		control_abort();
		return RUN_FENCED;
	}
	clear_attempt(run);
	move_to_phase(run, "done");
	catalog_set_state(id, CONNECTOR_FINISHED, NULL, NULL, NULL, 0);
	ForceSyncCommit();
	control_commit();
	note_settled(run);
	return RUN_FINISHED;
}

/*
 * The source cannot go on, or can again: recorded at the change, between two transactions.  An error of a retry
 * before is over with it.
 */
static RunResult
note_trouble(WorkerRun *run, const char *trouble)
{
	bool troubled = trouble[0] != '\0';

	if (troubled == run->troubled || run->in_transaction)
		return RUN_GOES_ON;
	if (!begin(run, troubled ? "recording trouble" : "recording recovery"))
		return RUN_STOPPED;
	catalog_record_trouble(run->declaration->connector_id, run->declaration->epoch, "08006", troubled ? trouble : NULL);
	control_commit();
	run->troubled = troubled;
	run->healthy = true;
	live_troubled(run->slot, troubled);
	return RUN_GOES_ON;
}

static RunResult
take_status(WorkerRun *run, const SourceStatus *status)
{
	RunResult result = note_trouble(run, status->trouble);

	live_status(run->slot, status);
	live_doing(run->slot, status->doing);
	return result;
}

static void
write_log(const WorkerRun *run, const SourceEvent *event)
{
	int level = event->level == SOURCE_LOG_DEBUG ? DEBUG1 : event->level == SOURCE_LOG_INFO ? LOG : WARNING;

	ereport(level, (errmsg("connector \"%s\": %s", run->declaration->name, event->text), errhidecontext(true)));
}

static RunResult
handle_event(WorkerRun *run, SourceEvent *event, IngestError *failure)
{
	switch (event->kind)
	{
		case SOURCE_EVENT_PIN:
			return store_pin(run, event->pin);
		case SOURCE_EVENT_BATCH:
			return apply_event(run, event->batch);
		case SOURCE_EVENT_STATUS:
			return take_status(run, &event->status);
		case SOURCE_EVENT_LOG:
			write_log(run, event);
			return RUN_GOES_ON;
		case SOURCE_EVENT_FINISHED:
			return finish(run);
		case SOURCE_EVENT_FAILED:
			*failure = event->error;
			return RUN_FAILED;
	}
	return RUN_GOES_ON;
}

/* ---- waiting --------------------------------------------------------------------------------------- */

static long
remaining_ms(TimestampTz start, int limit_ms)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), TimestampTzPlusMilliseconds(start, limit_ms));
}

/* Record what the run has proved by living so long; false: the extension is gone. */
static bool
record_age(WorkerRun *run)
{
	if (!begin(run, "waiting for the source"))
		return false;
	clear_attempt(run);
	if (remaining_ms(run->started_at, HEALTHY_MS) <= 0)
		note_healthy(run);
	control_commit();
	note_settled(run);
	return true;
}

/* What falls due while nothing happens; *timeout: when the next such thing does, in ms, or -1.  False: leave. */
static bool
keep_house(WorkerRun *run, long *timeout)
{
	long settled = remaining_ms(run->started_at, SETTLED_MS);
	long healthy = remaining_ms(run->started_at, HEALTHY_MS);
	long flush = pgstat_report_stat(false);

	*timeout = flush > 0 ? flush : -1;
	if (run->probe)
		run->healthy = true;
	if (!run->attempt_open && run->healthy)
		return true;
	if ((run->attempt_open && settled <= 0) || (!run->healthy && healthy <= 0))
	{
		if (!record_age(run))
			return false;
		if (run->healthy)
			return true;
	}
	settled = run->attempt_open ? settled : healthy;
	*timeout = *timeout < 0 ? settled : Min(*timeout, settled);
	return true;
}

/* False: leave. */
static bool
wait_for_event(WorkerRun *run)
{
	static uint32 wait_event = 0;
	long timeout = -1;

	if (wait_event == 0)
		wait_event = compat_wait_event("FelderaIngestSource");
	if (!run->in_transaction)
	{
		if (!keep_house(run, &timeout))
			return false;
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	control_wait(source_wakeup_fd(run->source), timeout, wait_event);
	return true;
}

RunResult
worker_loop(WorkerRun *run, IngestError *failure)
{
	for (;;)
	{
		SourceEvent *event;
		RunResult result;

		control_check_interrupts();
		if (control_stop_requested())
			return RUN_STOPPED;
		event = source_next_event(run->source);
		if (event == NULL)
		{
			if (!wait_for_event(run))
				return RUN_STOPPED;
			continue;
		}
		result = handle_event(run, event, failure);
		source_event_free(event);
		if (result != RUN_GOES_ON)
			return result;
	}
}
