/*-------------------------------------------------------------------------
 *
 * wakeup.c
 *	  Who is told when something has changed.
 *
 * All news travel by latch; what is new is looked up in the catalog or in shared memory by
 * whoever wakes, so that a wake-up may come twice or be merged with another.
 *
 *	  a declaration, the end of a backfill, CREATE or	--> supervisor of the database, or the
 *	  DROP EXTENSION commits								launcher when there is none
 *	  CREATE, DROP, ALTER DATABASE ends					--> launcher
 *	  a worker or probe leaves							--> every supervisor (a slot is free)
 *	  a supervisor leaves								--> launcher
 *
 * catalog_changed_hook is called after the commit has become visible, never before, so who
 * wakes sees the change.  A supervisor clears "changed" before it reads; a change that comes
 * while it is leaving stays set in its slot and makes the launcher start another one.
 *
 * Locks: the functions named _locked are called with control_shared->lock held.  Nothing
 * here raises: it runs behind a commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "storage/latch.h"

void
control_wake_process_locked(PGPROC *process)
{
	if (process != NULL)
		SetLatch(&process->procLatch);
}

void
control_wake_supervisors_locked(void)
{
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];

		if (slot->kind == SLOT_SUPERVISOR && slot->phase == SLOT_ATTACHED)
			control_wake_process_locked(slot->process);
	}
	/* A worker whose supervisor is gone is tidied up by the launcher. */
	control_wake_process_locked(control_shared->launcher);
}

void
control_wake_launcher(bool rescan)
{
	control_lock(LW_EXCLUSIVE);
	control_shared->rescan |= rescan;
	control_wake_process_locked(control_shared->launcher);
	control_unlock();
}

/* Ask the launcher to look at a database without a supervisor.  Caller holds the lock. */
static void
request_check_locked(Oid database)
{
	for (int i = 0; i < control_shared->check_count; i++)
		if (control_shared->checks[i] == database)
			return;
	if (control_shared->check_count < CONTROL_MAX_CHECKS)
		control_shared->checks[control_shared->check_count++] = database;
	else
		control_shared->check_all = true;
}

void
control_wake_database(Oid database)
{
	bool found = false;

	if (control_shared == NULL)
		return;
	control_lock(LW_EXCLUSIVE);
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];

		if (slot->phase == SLOT_FREE || slot->kind != SLOT_SUPERVISOR || slot->database != database)
			continue;
		slot->changed = true;
		control_wake_process_locked(slot->process);
		found = true;
	}
	if (!found)
	{
		request_check_locked(database);
		control_wake_process_locked(control_shared->launcher);
	}
	control_unlock();
}

/* The catalog_inactive_reason_hook. */
const char *
control_inactive_reason(const char **hint)
{
	if (control_shared == NULL)
	{
		*hint = "Add feldera_ingest to shared_preload_libraries and restart the server.";
		return "feldera_ingest is not in shared_preload_libraries";
	}
	if (RecoveryInProgress())
	{
		*hint = "Connectors run on the primary; after a promotion they go on here.";
		return "this server is a standby";
	}
	if (!control_enabled)
	{
		*hint = "Set feldera_ingest.enabled to on and reload the configuration.";
		return "feldera_ingest.enabled is off";
	}
	return NULL;
}
