/*-------------------------------------------------------------------------
 *
 * cycle.c
 *	  What a supervisor sees at the beginning of a cycle, and what it remembers.
 *
 * The slots of this database's workers are copied under the lock once; the cycle works on the
 * copies.  A worker that was asked to stop and does not (a process that is stopped itself) holds its
 * connector for ZOMBIE_MS only; then another one may start beside it, and the epoch keeps the old one
 * from writing.
 *
 * A user's open transaction may hold the lock on a connector's rows for as long as it likes.  It must not hold
 * up the others, so every step that writes is tried in a subtransaction of its own with a short
 * lock_timeout; what had to be left out is tried again in the next cycle.
 *
 * Memory: copies in the current context; what is remembered of connectors lives as long as the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "control/cycle.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#define ZOMBIE_MS 10000
#define LOCK_PATIENCE "100ms"
#define LOCK_CYCLE_MS 1000

static HTAB *connector_memory = NULL;

void
cycle_look_again_at(Cycle *cycle, TimestampTz when)
{
	if (when < cycle->next)
		cycle->next = when;
}

void
cycle_read_slots(Cycle *cycle)
{
	const Size size = offsetof(ProcessSlot, live);
	char *copies = palloc(mul_size(control_shared->slot_count, size));
	int count = control_shared->slot_count;

	control_lock(LW_EXCLUSIVE);
	control_my_slot->changed = false;
	for (int i = 0; i < count; i++)
		memcpy(copies + i * size, &control_shared->slots[i], size);
	control_unlock();
	for (int i = 0; i < count; i++)
	{
		ProcessSlot *slot = (ProcessSlot *) (copies + i * size);
		SeenSlot *seen;

		if (slot->phase == SLOT_FREE || slot->kind == SLOT_SUPERVISOR)
			continue;
		/* A crash takes the whole server down, so suspects of all databases take turns. */
		cycle->suspect_runs |= slot->suspect && !slot->settled && slot->phase != SLOT_ENDED;
		if (slot->database != MyDatabaseId)
			continue;
		seen = palloc0(sizeof(SeenSlot));
		seen->index = i;
		seen->slot = slot;
		cycle->slots = lappend(cycle->slots, seen);
	}
}

CatalogConnector *
cycle_find_connector(const Cycle *cycle, int64 connector_id)
{
	ListCell *cell;

	foreach (cell, cycle->connectors)
	{
		CatalogConnector *connector = lfirst(cell);

		if (connector->connector_id == connector_id)
			return connector;
	}
	return NULL;
}

SeenSlot *
cycle_find_slot(const Cycle *cycle, int64 connector_id)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);

		if (seen->slot->phase == SLOT_ENDED || seen->slot->connector_id != connector_id)
			continue;
		if (seen->slot->stop_requested &&
			TimestampDifferenceExceeds(seen->slot->stop_requested_at, cycle->now, ZOMBIE_MS))
			continue;
		return seen;
	}
	return NULL;
}

static void
make_memory(void)
{
	HASHCTL control = {.keysize = sizeof(int64), .entrysize = sizeof(ConnectorMemory), .hcxt = TopMemoryContext};

	connector_memory = hash_create("feldera_ingest connectors", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

ConnectorMemory *
cycle_remember(int64 connector_id)
{
	ConnectorMemory *memory;
	bool found;

	if (connector_memory == NULL)
		make_memory();
	memory = hash_search(connector_memory, &connector_id, HASH_ENTER, &found);
	if (!found)
	{
		memset(memory, 0, sizeof(*memory));
		memory->connector_id = connector_id;
	}
	return memory;
}

void
cycle_forget_undeclared(const Cycle *cycle)
{
	HASH_SEQ_STATUS scan;
	ConnectorMemory *memory;

	if (connector_memory == NULL)
		return;
	hash_seq_init(&scan, connector_memory);
	while ((memory = hash_seq_search(&scan)) != NULL)
		if (cycle_find_connector(cycle, memory->connector_id) == NULL)
			(void) hash_search(connector_memory, &memory->connector_id, HASH_REMOVE, NULL);
}

TimestampTz
cycle_retry_time(int failures)
{
	int64 pause = control_min_retry_interval;

	for (int i = 0; i < failures && pause < control_max_retry_interval; i++)
		pause *= 2;
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(pause, control_max_retry_interval));
}

/* ---- steps ------------------------------------------------------------------------------- */

static bool
is_lock_error(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* Undo what a step has done; errors other than missing locks go on their way. */
static void
undo_step(Cycle *cycle, int action_count, MemoryContext context, ResourceOwner owner)
{
	ErrorData *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (!is_lock_error(error))
		ReThrowError(error);
	FreeErrorData(error);
	cycle->actions = list_truncate(cycle->actions, action_count);
	cycle_look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, LOCK_CYCLE_MS));
}

bool
cycle_try(Cycle *cycle, CycleStep step, void *subject)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int action_count = list_length(cycle->actions);
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		(void) set_config_option("lock_timeout", LOCK_PATIENCE, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
		step(cycle, subject);
		(void) set_config_option("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		done = true;
	}
	PG_CATCH();
	{
		undo_step(cycle, action_count, context, owner);
	}
	PG_END_TRY();
	return done;
}
