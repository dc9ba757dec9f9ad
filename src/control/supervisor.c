/*-------------------------------------------------------------------------
 *
 * supervisor.c
 *	  One per database that has the extension: what is declared against what runs.
 *
 * Each cycle (cycle.c, cycle_harvest.c, cycle_decide.c): one transaction reads the catalog, records what the workers that left have
 * reported, opens gates and decides; then, after the commit, workers are started and stopped.
 * A cycle begins when somebody sets the latch (wakeup.c), when a pause is over, and at the
 * latest after a minute.  Where nothing has changed it writes nothing and takes no transaction id.
 *
 * If the extension is dropped, all workers are stopped and the supervisor leaves.
 *
 * Locks: the extension, in each transaction; shared memory is copied first, never held beside it.
 * Memory: a cycle context that is reset; what is remembered of connectors lives as long as the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "control/cycle.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define SAFETY_CYCLE_MS 60000
#define STOPPING_CYCLE_MS 100
#define NO_WORKER_CYCLE_MS 5000
#define LOCKED_GATE_CYCLE_MS 1000
#define TRIM_MS 600000

static MemoryContext cycle_context = NULL;
static TimestampTz trimmed_at = 0;

/* ---- acting --------------------------------------------------------------------------------------- */

/* Once, until it is started. */
static void
tell_queued(const CatalogConnector *connector, StartResult result)
{
	ConnectorMemory *memory = cycle_remember(connector->connector_id);

	if (!memory->queued && result == START_NO_SLOT)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("connector \"%s\" is queued, because all %d workers are busy", connector->name,
							 control_max_workers),
					  errhint("Increase feldera_ingest.max_workers to run more connectors at the same time.")));
	else if (!memory->queued)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("connector \"%s\" is queued, because no background worker is free", connector->name),
					  errhint("Increase max_worker_processes.")));
	memory->queued = true;
}

/* True where it has to queue. */
static bool
start(Cycle *cycle, const Action *action)
{
	const CatalogConnector *connector = action->connector;
	SlotRequest request = {
		.kind = action->kind == ACTION_PROBE ? SLOT_PROBE : SLOT_WORKER,
		.database = MyDatabaseId,
		.connector_id = connector->connector_id,
		.declaration = connector->declaration,
		.run_as = connector->run_as,
		.suspect = action->suspect,
		.name = connector->name,
	};
	StartResult result = control_start_process(&request);

	/* Nobody tells us when a background worker of somebody else ends. */
	if (result == START_NO_WORKER)
		cycle_look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, NO_WORKER_CYCLE_MS));
	if (action->kind == ACTION_PROBE)
		return false;
	if (result == START_DONE)
		cycle_remember(connector->connector_id)->queued = false;
	if (result == START_DONE || result == START_BLOCKED)
		return false;
	tell_queued(connector, result);
	return true;
}

/* A step; "subject" is the action that could not be done. */
static void
set_queued(Cycle *cycle, void *subject)
{
	const Action *action = subject;

	(void) cycle;
	cycle_set_state(action->connector, CONNECTOR_QUEUED);
}

static void
act(Cycle *cycle)
{
	List *queued = NIL;
	ListCell *cell;

	foreach (cell, cycle->actions)
	{
		Action *action = lfirst(cell);

		if (action->kind == ACTION_STOP)
		{
			control_stop_slot(action->index, action->generation);
			cycle_look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, STOPPING_CYCLE_MS));
		}
		else if (start(cycle, action) && action->connector->state != CONNECTOR_QUEUED)
			queued = lappend(queued, action);
	}
	if (queued == NIL)
		return;
	control_begin_transaction("queueing connectors");
	MemoryContextSwitchTo(cycle_context);
	if (catalog_lock_extension())
		foreach (cell, queued)
			(void) cycle_try(cycle, set_queued, lfirst(cell));
	control_commit();
}

/* ---- the cycle ------------------------------------------------------------------------------------ */

static void
open_gates(Cycle *cycle, void *subject)
{
	bool passed_over;

	(void) subject;
	(void) catalog_open_gates(&passed_over);
	if (passed_over)
		cycle_look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, LOCKED_GATE_CYCLE_MS));
}

static void
trim(Cycle *cycle, void *subject)
{
	(void) subject;
	catalog_trim();
	cycle_forget_undeclared(cycle);
	trimmed_at = cycle->now;
}

/* The catalog's part, in one transaction; false: the extension is gone. */
static bool
consult_catalog(Cycle *cycle)
{
	control_begin_transaction("supervising");
	MemoryContextSwitchTo(cycle_context);
	if (!catalog_lock_extension())
	{
		control_abort();
		return false;
	}
	(void) cycle_try(cycle, open_gates, NULL);
	cycle_decide(cycle);
	if (TimestampDifferenceExceeds(trimmed_at, cycle->now, TRIM_MS))
		(void) cycle_try(cycle, trim, NULL);
	control_commit();
	return true;
}

/* The extension is gone: nobody may stay. */
static void
leave_without_extension(void)
{
	while (control_stop_database(MyDatabaseId, false) > 0)
		control_wait(PGINVALID_SOCKET, STOPPING_CYCLE_MS, PG_WAIT_EXTENSION);
	control_report(OUTCOME_FINISHED, false, NULL, NULL, NULL);
	proc_exit(0);
}

/* What launcher and backends are to know of this supervisor. */
static void
publish(Cycle *cycle)
{
	bool confirmed = control_my_slot->confirmed;

	/* Nobody has told of DDL before this: look once more. */
	if (cycle->watches && !control_my_slot->watches)
		cycle_look_again_at(cycle, cycle->now);

	control_lock(LW_EXCLUSIVE);
	control_my_slot->confirmed = true;
	control_my_slot->watches = cycle->watches;
	control_unlock();
	if (!confirmed)
		control_wake_launcher(false);
}

/* Returns how long to sleep. */
static long
supervise(void)
{
	Cycle cycle = {0};
	long wait;

	cycle.now = GetCurrentTimestamp();
	cycle.next = TimestampTzPlusMilliseconds(cycle.now, SAFETY_CYCLE_MS);
	control_collect_reservations();
	cycle_read_slots(&cycle);
	if (!consult_catalog(&cycle))
		leave_without_extension();
	publish(&cycle);
	cycle_note_settled(&cycle);
	cycle_free_harvested(&cycle);
	act(&cycle);
	(void) pgstat_report_stat(true);
	wait = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), cycle.next);
	MemoryContextReset(cycle_context);
	return wait;
}

/* Entry point; "argument" is the slot. */
void
feldera_ingest_supervisor_main(Datum argument)
{
	uint32 wait_event;

	(void) control_begin_process(argument);
	control_connect(InvalidOid);
	cycle_context = AllocSetContextCreate(TopMemoryContext, "feldera_ingest supervisor cycle", ALLOCSET_DEFAULT_SIZES);
	wait_event = compat_wait_event("FelderaIngestSupervisor");
	for (;;)
	{
		long wait;

		MemoryContextSwitchTo(cycle_context);
		wait = supervise();
		control_wait(PGINVALID_SOCKET, wait, wait_event);
		if (control_stop_requested())
		{
			control_report(OUTCOME_STOPPED, false, NULL, NULL, NULL);
			proc_exit(0);
		}
	}
}
