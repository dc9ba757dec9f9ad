/*-------------------------------------------------------------------------
 *
 * shared_memory.c
 *	  The slots through which launcher, supervisors and workers know each other.
 *
 * A slot is one process: a supervisor of a database, a worker of a connector, or a
 * probe (a worker that asks its source once).  Its life:
 *
 *	  FREE --reserve, by the parent--> RESERVED --attach, by the process--> ATTACHED
 *	  ATTACHED --the process is leaving--> ENDED --the parent has read the report--> FREE
 *	  RESERVED --no process came in time--> FREE
 *
 * "generation" grows with each reservation and travels to the process in bgw_extra; a
 * process that comes with another one is too late and leaves at once.
 *
 * The slot is given back by an on_shmem_exit callback that is registered before the
 * process connects to its database.  Callbacks run last-registered first, so a slot that is
 * ENDED means that the process has already left the ProcArray: whoever waits for that may
 * drop the database without meeting it there.
 *
 * Locks: control_shared->lock covers everything; see control_internal.h.  Memory: all of it
 * is shared, of fixed size.  After a crash the postmaster makes it anew, empty; "restarts"
 * is carried over in the postmaster's own memory.
 *
 * Must not: hold pointers to anything process-local but PGPROC, which is shared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include <signal.h>

/* A reservation older than this, without a process, is given up. */
#define RESERVATION_LIMIT_MS 30000

/* Who was asked to leave gets SIGTERM after this time: long enough for the batch at hand. */
#define STOP_PATIENCE_MS 300

#define TRANCHE_NAME "feldera_ingest"

ControlShared *control_shared = NULL;
ProcessSlot *control_my_slot = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* How often shared memory was made by this postmaster; survives its restarts after a crash. */
static int startup_count = 0;

static int
supervisor_limit(void)
{
	return max_worker_processes;
}

/* One more process than max_workers, so that a probe never waits for a long-running worker. */
static int
slot_count(void)
{
	return supervisor_limit() + 2 * control_max_workers + 1;
}

static Size
shared_size(void)
{
	return add_size(offsetof(ControlShared, slots), mul_size(slot_count(), sizeof(ProcessSlot)));
}

static void
request_shared_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

static void
start_shared_memory(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	control_shared = ShmemInitStruct("feldera_ingest", shared_size(), &found);
	if (!found)
	{
		memset(control_shared, 0, shared_size());
		control_shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		control_shared->restarts = startup_count++;
		/*
		 * An immediate shutdown by hand leaves marks as a crash does, but starts a new
		 * postmaster.  So does a crash where restart_after_crash is off; who has set that
		 * gets the careful reading.
		 */
		control_shared->crashed = control_shared->restarts > 0 || !restart_after_crash;
		control_shared->supervisor_limit = supervisor_limit();
		control_shared->worker_limit = control_max_workers;
		control_shared->slot_count = slot_count();
		ConditionVariableInit(&control_shared->changed);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
control_request_shared_memory(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_shared_memory;
}

void
control_lock(LWLockMode mode)
{
	LWLockAcquire(control_shared->lock, mode);
}

void
control_unlock(void)
{
	LWLockRelease(control_shared->lock);
}

/* ---- starting ------------------------------------------------------------------ */

/* Is there room for one more of this kind?  Caller holds the lock. */
static bool
kind_has_room(SlotKind kind)
{
	int supervisors = 0;
	int workers = 0;
	int probes = 0;

	for (int i = 0; i < control_shared->slot_count; i++)
	{
		const ProcessSlot *slot = &control_shared->slots[i];

		if (slot->phase != SLOT_RESERVED && slot->phase != SLOT_ATTACHED)
			continue;
		if (slot->kind == SLOT_SUPERVISOR)
			supervisors++;
		else if (slot->kind == SLOT_WORKER)
			workers++;
		else
			probes++;
	}
	switch (kind)
	{
		case SLOT_SUPERVISOR:
			return supervisors < control_shared->supervisor_limit;
		case SLOT_WORKER:
			return workers < control_shared->worker_limit;
		case SLOT_PROBE:
			return workers + probes < control_shared->worker_limit + 1;
	}
	return false;
}

/* Is another suspect of a crash on its way?  Two supervisors may want to start one at the same time.  Caller holds
 * the lock. */
static bool
suspect_runs(void)
{
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		const ProcessSlot *slot = &control_shared->slots[i];

		if ((slot->phase == SLOT_RESERVED || slot->phase == SLOT_ATTACHED) && slot->suspect && !slot->settled)
			return true;
	}
	return false;
}

static StartResult
reserve(const SlotRequest *request, int *index, uint32 *generation)
{
	StartResult result = START_NO_SLOT;

	control_lock(LW_EXCLUSIVE);
	if (control_database_is_blocked_locked(request->database) || (request->suspect && suspect_runs()))
		result = START_BLOCKED;
	else if (kind_has_room(request->kind))
	{
		for (int i = 0; i < control_shared->slot_count; i++)
		{
			ProcessSlot *slot = &control_shared->slots[i];
			uint32 next = slot->generation + 1;

			if (slot->phase != SLOT_FREE)
				continue;
			memset(slot, 0, sizeof(ProcessSlot));
			slot->phase = SLOT_RESERVED;
			slot->kind = request->kind;
			slot->generation = next;
			slot->database = request->database;
			slot->reserved_at = GetCurrentTimestamp();
			slot->connector_id = request->connector_id;
			slot->declaration = request->declaration;
			slot->run_as = request->run_as;
			slot->suspect = request->suspect;
			strlcpy(slot->name, request->name, sizeof(slot->name));
			*index = i;
			*generation = next;
			result = START_DONE;
			break;
		}
	}
	control_unlock();
	return result;
}

StartResult
control_start_process(const SlotRequest *request)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	const char *what = request->kind == SLOT_SUPERVISOR ? "supervisor" : "worker";
	uint32 generation;
	int index;
	StartResult result = reserve(request, &index, &generation);

	if (result != START_DONE)
		return result;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(index);
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &generation, sizeof(generation));
	strlcpy(worker.bgw_library_name, "feldera_ingest", sizeof(worker.bgw_library_name));
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "feldera_ingest_%s_main", what);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "feldera_ingest %s", what);
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "feldera_ingest %s for %s", what, request->name);
	if (RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		pfree(handle);
		return START_DONE;
	}
	control_free_slot(index, generation);
	return START_NO_WORKER;
}

void
control_settle_locked(ProcessSlot *slot)
{
	if (slot->suspect && !slot->settled)
		control_wake_supervisors_locked();
	slot->settled = true;
}

/* Back to FREE.  Caller holds the lock. */
static void
free_locked(ProcessSlot *slot)
{
	slot->phase = SLOT_FREE;
	slot->database = InvalidOid;
	slot->pid = 0;
	slot->process = NULL;
}

void
control_free_slot(int index, uint32 generation)
{
	ProcessSlot *slot = &control_shared->slots[index];

	control_lock(LW_EXCLUSIVE);
	if (slot->generation == generation && (slot->phase == SLOT_RESERVED || slot->phase == SLOT_ENDED))
		free_locked(slot);
	control_unlock();
}

void
control_collect_reservations(void)
{
	TimestampTz now = GetCurrentTimestamp();

	control_lock(LW_EXCLUSIVE);
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];

		if (slot->phase == SLOT_RESERVED && TimestampDifferenceExceeds(slot->reserved_at, now, RESERVATION_LIMIT_MS))
			free_locked(slot);
	}
	control_unlock();
}

/* ---- the process itself --------------------------------------------------------- */

/* on_shmem_exit: see the head of this file for when it runs. */
static void
detach(int code, Datum argument)
{
	ProcessSlot *slot = control_my_slot;

	(void) code;
	(void) argument;
	control_my_slot = NULL;
	control_lock(LW_EXCLUSIVE);
	slot->phase = SLOT_ENDED;
	slot->pid = 0;
	slot->process = NULL;
	if (slot->kind == SLOT_SUPERVISOR)
		control_wake_process_locked(control_shared->launcher);
	else
		control_wake_supervisors_locked();
	control_unlock();
	ConditionVariableBroadcast(&control_shared->changed);
}

ProcessSlot *
control_attach(Datum argument)
{
	ProcessSlot *slot;
	uint32 generation;
	int index = DatumGetInt32(argument);
	bool ours;

	if (control_shared == NULL || index < 0 || index >= control_shared->slot_count)
		elog(ERROR, "feldera_ingest process started without shared memory");
	slot = &control_shared->slots[index];
	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));

	control_lock(LW_EXCLUSIVE);
	ours = slot->phase == SLOT_RESERVED && slot->generation == generation;
	if (ours)
	{
		slot->phase = SLOT_ATTACHED;
		slot->pid = MyProcPid;
		slot->process = MyProc;
	}
	control_unlock();
	if (!ours)
		proc_exit(0);
	control_my_slot = slot;
	on_shmem_exit(detach, (Datum) 0);
	if (control_stop_requested())
		proc_exit(0);
	return slot;
}

/* A plain read: the flag is set once, and the latch that follows it is a barrier. */
bool
control_stop_requested(void)
{
	return ((volatile ProcessSlot *) control_my_slot)->stop_requested;
}

/* ---- stopping ---------------------------------------------------------------------- */

/* Ask, and insist when asked before.  Caller holds the lock. */
static void
stop_locked(ProcessSlot *slot, TimestampTz now)
{
	if (!slot->stop_requested)
	{
		slot->stop_requested = true;
		slot->stop_requested_at = now;
		control_wake_process_locked(slot->process);
	}
	else if (!slot->terminated && slot->pid != 0 &&
			 TimestampDifferenceExceeds(slot->stop_requested_at, now, STOP_PATIENCE_MS))
	{
		slot->terminated = true;
		kill(slot->pid, SIGTERM);
	}
}

int
control_stop_database(Oid database, bool with_supervisor)
{
	TimestampTz now = GetCurrentTimestamp();
	int remaining = 0;

	control_lock(LW_EXCLUSIVE);
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];

		if (slot->phase != SLOT_RESERVED && slot->phase != SLOT_ATTACHED)
			continue;
		if (OidIsValid(database) && slot->database != database)
			continue;
		if (slot->kind == SLOT_SUPERVISOR && !with_supervisor)
			continue;
		stop_locked(slot, now);
		remaining++;
	}
	control_unlock();
	return remaining;
}

void
control_stop_slot(int index, uint32 generation)
{
	ProcessSlot *slot = &control_shared->slots[index];
	TimestampTz now = GetCurrentTimestamp();

	control_lock(LW_EXCLUSIVE);
	if (slot->generation == generation && (slot->phase == SLOT_RESERVED || slot->phase == SLOT_ATTACHED))
		stop_locked(slot, now);
	control_unlock();
}

void
control_report(SlotOutcome outcome, bool permanent, const char *sqlstate, const char *message, const char *hint)
{
	SlotReport *report = &control_my_slot->report;

	control_lock(LW_EXCLUSIVE);
	report->outcome = outcome;
	report->permanent = permanent;
	report->at = GetCurrentTimestamp();
	strlcpy(report->sqlstate, sqlstate != NULL ? sqlstate : "", sizeof(report->sqlstate));
	strlcpy(report->message, message != NULL ? message : "", sizeof(report->message));
	strlcpy(report->hint, hint != NULL ? hint : "", sizeof(report->hint));
	control_unlock();
}
