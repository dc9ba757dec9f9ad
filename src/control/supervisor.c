/*-------------------------------------------------------------------------
 *
 * supervisor.c
 *	  One per database that has the extension: what is declared against what runs.
 *
 * Each cycle: one transaction reads the catalog, records what the workers that left have
 * reported, opens gates and decides; then, after the commit, workers are started and stopped.
 * A cycle begins when somebody sets the latch (wakeup.c), when a pause is over, and at the
 * latest after a minute.  Where nothing has changed it writes nothing and takes no transaction id.
 *
 * What becomes of a connector, first line that fits:
 *
 *	  not adopted							nothing runs
 *	  finished								nothing runs, until the state is changed by a command
 *	  failed								the same, or until the target's definition changes
 *	  another declaration than the worker's	its worker is stopped; it starts again with the new one
 *	  paused								nothing runs but the probe that is still owed
 *	  labels not complete					the same; state waiting
 *	  three crashes under it				failed
 *	  its pause is not over					state retrying
 *	  its role cannot connect				failed
 *	  another suspect of a crash runs		state queued
 *	  no slot free							state queued
 *	  else									its worker is started; the worker says running
 *
 * The probe is a short run right after the declaration; a connector that may run at once needs
 * none, because its worker asks the same.
 *
 * After a crash of the server the connectors whose attempt mark is still open are its suspects.
 * They start one at a time, those with fewer marks first: so the innocent ones are cleared soon,
 * and the guilty one is alone when it does it again.  The others are not held up.
 *
 * A worker that was asked to stop and does not (a process that is stopped itself) holds its
 * connector for ZOMBIE_MS only; then another one starts beside it, and the epoch keeps the old
 * one from writing.
 *
 * If the extension is dropped, all workers are stopped and the supervisor leaves.
 *
 * Locks: the extension, in each transaction; shared memory is copied first, never held beside it.
 * Memory: a cycle context that is reset; what is remembered of connectors lives as long as the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define SAFETY_CYCLE_MS 60000
#define STOPPING_CYCLE_MS 100
#define NO_WORKER_CYCLE_MS 5000
#define ZOMBIE_MS 10000
#define TRIM_MS 600000
#define LOCKED_CYCLE_MS 1000
#define CRASH_LIMIT 3
#define CRASH_SQLSTATE "58000"

/* A slot of this database, copied. */
typedef struct SeenSlot
{
	int index;
	ProcessSlot *slot; /* without "live" */
} SeenSlot;

typedef enum ActionKind
{
	ACTION_NONE,
	ACTION_START,
	ACTION_PROBE,
	ACTION_STOP
} ActionKind;

typedef struct Action
{
	ActionKind kind;
	const CatalogConnector *connector;
	bool suspect;
	int index; /* STOP */
	uint32 generation;
} Action;

/* What is remembered of a connector, by this process only. */
typedef struct ConnectorMemory
{
	int64 connector_id;           /* key */
	TimestampTz not_before;       /* of its next process */
	int64 probed;                 /* declaration whose probe ended without storing anything */
	int probe_failures;           /* in a row */
	TimestampTz probe_not_before; /* of its next probe */
	char probe_error[256];        /* told last */
	bool queued;                  /* told, not started since */
	uint64 definition;            /* of the target that it has failed with */
} ConnectorMemory;

typedef struct Cycle
{
	List *slots;      /* of SeenSlot *, all phases but FREE */
	List *connectors; /* of CatalogConnector * */
	List *actions;    /* of Action * */
	TimestampTz now;
	TimestampTz next; /* when to look again */
	bool suspect_runs;
	bool watches; /* some connector has failed */
} Cycle;

static MemoryContext cycle_context = NULL;
static HTAB *connector_memory = NULL;
static TimestampTz trimmed_at = 0;

/* ---- what there is ------------------------------------------------------------------- */

static void
look_again_at(Cycle *cycle, TimestampTz when)
{
	if (when < cycle->next)
		cycle->next = when;
}

/* Copy the slots of our workers; from here on what happened before is known. */
static void
read_slots(Cycle *cycle)
{
	control_lock(LW_EXCLUSIVE);
	control_my_slot->changed = false;
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];
		SeenSlot *seen;

		if (slot->phase == SLOT_FREE || slot->kind == SLOT_SUPERVISOR || slot->database != MyDatabaseId)
			continue;
		seen = palloc0(sizeof(SeenSlot));
		seen->index = i;
		seen->slot = palloc(offsetof(ProcessSlot, live));
		memcpy(seen->slot, slot, offsetof(ProcessSlot, live));
		cycle->slots = lappend(cycle->slots, seen);
		cycle->suspect_runs |= slot->suspect && !slot->settled && slot->phase != SLOT_ENDED;
	}
	control_unlock();
}

static CatalogConnector *
find_connector(const Cycle *cycle, int64 connector_id)
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

/* The process that runs or probes the connector; those that were asked to stop long ago do not count. */
static SeenSlot *
find_slot(const Cycle *cycle, int64 connector_id)
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

static ConnectorMemory *
remember(int64 connector_id)
{
	ConnectorMemory *memory;
	bool found;

	memory = hash_search(connector_memory, &connector_id, HASH_ENTER, &found);
	if (!found)
	{
		memset(memory, 0, sizeof(*memory));
		memory->connector_id = connector_id;
	}
	return memory;
}

/* Forget connectors that were dropped. */
static void
forget_undeclared(const Cycle *cycle)
{
	HASH_SEQ_STATUS scan;
	ConnectorMemory *memory;

	hash_seq_init(&scan, connector_memory);
	while ((memory = hash_seq_search(&scan)) != NULL)
		if (find_connector(cycle, memory->connector_id) == NULL)
			(void) hash_search(connector_memory, &memory->connector_id, HASH_REMOVE, NULL);
}

/* ---- what the workers that left have said ------------------------------------------------- */

static TimestampTz
retry_time(int failures)
{
	int64 pause = control_min_retry_interval;

	for (int i = 0; i < failures && pause < control_max_retry_interval; i++)
		pause *= 2;
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(pause, control_max_retry_interval));
}

static void
record_failure(const CatalogConnector *connector, const SlotReport *report, TimestampTz retry_at)
{
	const char *hint = report->hint[0] != '\0' ? report->hint : NULL;

	if (report->permanent || (connector->max_retries >= 0 && connector->retries >= connector->max_retries))
		catalog_set_state(connector->connector_id, CONNECTOR_FAILED, report->sqlstate, report->message, hint, 0);
	else
		catalog_set_state(connector->connector_id, CONNECTOR_RETRYING, report->sqlstate, report->message, hint,
						  retry_at);
}

/* A process that left without a word was terminated, or never got a connection. */
static void
explain_silence(const ProcessSlot *ended, SlotReport *report)
{
	report->outcome = OUTCOME_FAILED;
	report->permanent = false;
	if (ended->begun)
	{
		strlcpy(report->sqlstate, "57P01", sizeof(report->sqlstate));
		strlcpy(report->message, "the worker was terminated by an administrator's command", sizeof(report->message));
		return;
	}
	strlcpy(report->sqlstate, "08004", sizeof(report->sqlstate));
	snprintf(report->message, sizeof(report->message), "the worker ended before it had begun, as role \"%s\"",
			 GetUserNameFromId(ended->run_as, true) ? GetUserNameFromId(ended->run_as, true) : "?");
	strlcpy(report->hint, "The server's log has the reason.", sizeof(report->hint));
}

/* A probe of a paused connector: the error is shown, the state stays what it was. */
static void
record_probe_failure(const CatalogConnector *connector, const SlotReport *report)
{
	ConnectorMemory *memory = remember(connector->connector_id);
	bool told = strncmp(memory->probe_error, report->message, sizeof(memory->probe_error) - 1) == 0;

	memory->probe_not_before = retry_time(memory->probe_failures++);
	strlcpy(memory->probe_error, report->message, sizeof(memory->probe_error));
	if (report->permanent || !connector->paused)
		record_failure(connector, report, memory->probe_not_before);
	else if (!told)
	{
		record_failure(connector, report, memory->probe_not_before);
		catalog_set_state(connector->connector_id, CONNECTOR_PAUSED, NULL, NULL, NULL, 0);
	}
}

static void
harvest(Cycle *cycle, const ProcessSlot *ended)
{
	const CatalogConnector *connector = find_connector(cycle, ended->connector_id);
	SlotReport report = ended->report;
	ConnectorMemory *memory;

	if (connector == NULL)
		return;
	if (ended->begun && !ended->settled && find_slot(cycle, connector->connector_id) == NULL)
		catalog_clear_attempt(connector->connector_id, connector->epoch);
	/* Whoever has taken the next epoch since then has also decided what comes next. */
	if (ended->begun && ended->epoch != connector->epoch)
		return;
	memory = remember(connector->connector_id);
	if (report.outcome == OUTCOME_NONE && !ended->stop_requested)
		explain_silence(ended, &report);
	if (report.outcome == OUTCOME_FENCED)
		report.outcome = OUTCOME_FAILED;
	if (report.outcome == OUTCOME_FAILED && ended->kind == SLOT_PROBE)
		record_probe_failure(connector, &report);
	else if (report.outcome == OUTCOME_FAILED)
	{
		record_failure(connector, &report, retry_time(connector->retries));
		memory->definition = ended->definition;
	}
	else if (report.outcome == OUTCOME_FINISHED && ended->kind == SLOT_PROBE)
		memory->probed = connector->declaration;
	else if (report.outcome == OUTCOME_STOPPED && !ended->stop_requested)
		/* It found nothing to do where we had seen something: do not ask again at once. */
		memory->not_before = retry_time(0);
}

/* True where anything was recorded, so that the list is to be read again. */
static bool
harvest_all(Cycle *cycle)
{
	ListCell *cell;
	bool any = false;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);

		if (seen->slot->phase != SLOT_ENDED)
			continue;
		harvest(cycle, seen->slot);
		any = true;
	}
	return any;
}

/* After the commit: what they said is kept. */
static void
free_harvested(const Cycle *cycle)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);

		if (seen->slot->phase == SLOT_ENDED)
			control_free_slot(seen->index, seen->slot->generation);
	}
}

/* ---- deciding ------------------------------------------------------------------------------- */

static Action *
add_action(Cycle *cycle, ActionKind kind, const CatalogConnector *connector)
{
	Action *action = palloc0(sizeof(Action));

	action->kind = kind;
	action->connector = connector;
	cycle->actions = lappend(cycle->actions, action);
	return action;
}

static void
set_plain_state(const CatalogConnector *connector, ConnectorState state)
{
	if (connector->state != state)
		catalog_set_state(connector->connector_id, state, NULL, NULL, NULL, 0);
}

static void
fail_connector(const CatalogConnector *connector, const char *sqlstate, const char *message, const char *hint)
{
	catalog_set_state(connector->connector_id, CONNECTOR_FAILED, sqlstate, message, hint, 0);
}

/* Can a worker connect as this role?  If not, the connector has failed. */
static bool
role_can_connect(const CatalogConnector *connector)
{
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(connector->run_as));
	Form_pg_authid role;
	bool allowed = false;

	if (!HeapTupleIsValid(tuple))
	{
		fail_connector(connector, "42704", psprintf("role with OID %u does not exist", connector->run_as),
					   "Declare the connector again.");
		return false;
	}
	role = (Form_pg_authid) GETSTRUCT(tuple);
	if (COMPAT_WORKER_NEEDS_LOGIN && !role->rolcanlogin)
		fail_connector(
			connector, "28000", psprintf("role \"%s\" is not permitted to log in", NameStr(role->rolname)),
			psprintf("The worker connects as this role. Run ALTER ROLE %s LOGIN, then feldera.start_connector.",
					 NameStr(role->rolname)));
	else if (object_aclcheck(DatabaseRelationId, MyDatabaseId, connector->run_as, ACL_CONNECT) != ACLCHECK_OK)
		fail_connector(connector, "42501",
					   psprintf("role \"%s\" has no CONNECT privilege on this database", NameStr(role->rolname)),
					   "The worker connects as this role. Grant the privilege, then call feldera.start_connector.");
	else
		allowed = true;
	ReleaseSysCache(tuple);
	return allowed;
}

/* Is this connector a suspect of a crash, and has it to wait (or did it fail) for that? */
static bool
held_as_suspect(Cycle *cycle, CatalogConnector *connector, bool *suspect)
{
	*suspect = false;
	if (!connector->attempt_open)
		return false;
	if (!control_shared->crashed)
	{
		/* The mark was left by a shutdown. */
		catalog_clear_attempt(connector->connector_id, connector->epoch);
		return false;
	}
	if (connector->crash_marks + 1 >= CRASH_LIMIT)
	{
		fail_connector(connector, CRASH_SQLSTATE,
					   psprintf("the server crashed %d times while this connector ran", CRASH_LIMIT),
					   "The server's log has the crashes. feldera.start_connector tries it again.");
		catalog_clear_attempt(connector->connector_id, connector->epoch);
		return true;
	}
	if (cycle->suspect_runs)
	{
		if (!connector->paused && connector->released)
			set_plain_state(connector, CONNECTOR_QUEUED);
		return true;
	}
	*suspect = true;
	return false;
}

static TimestampTz
may_begin_at(const CatalogConnector *connector, ActionKind kind)
{
	const ConnectorMemory *memory = remember(connector->connector_id);
	TimestampTz when = memory->not_before;

	if (kind == ACTION_PROBE)
		return Max(when, memory->probe_not_before);
	return connector->state == CONNECTOR_RETRYING ? Max(when, connector->retry_at) : when;
}

/* Begin a process, unless its last one or a crash has taught to wait. */
static void
begin(Cycle *cycle, ActionKind kind, CatalogConnector *connector)
{
	TimestampTz when = may_begin_at(connector, kind);
	bool suspect;

	if (when > cycle->now)
	{
		look_again_at(cycle, when);
		return;
	}
	if (held_as_suspect(cycle, connector, &suspect) || !role_can_connect(connector))
		return;
	cycle->suspect_runs |= suspect;
	add_action(cycle, kind, connector)->suspect = suspect;
}

/* Paused or waiting: only the probe may run, once. */
static void
decide_held(Cycle *cycle, CatalogConnector *connector, const SeenSlot *seen)
{
	bool probe_failing = connector->state == CONNECTOR_RETRYING && !connector->probed;

	if (connector->paused)
		set_plain_state(connector, CONNECTOR_PAUSED);
	else if (!probe_failing)
		set_plain_state(connector, CONNECTOR_WAITING);
	if (seen == NULL && !connector->probed && remember(connector->connector_id)->probed != connector->declaration)
		begin(cycle, ACTION_PROBE, connector);
}

/* It has failed: is its target another one now?  Then it is tried again. */
static bool
is_healed(Cycle *cycle, CatalogConnector *connector)
{
	ConnectorMemory *memory = remember(connector->connector_id);
	uint64 before = memory->definition;
	uint64 definition;

	cycle->watches = true;
	if (connector->sqlstate != NULL && strcmp(connector->sqlstate, CRASH_SQLSTATE) == 0)
		return false;
	if (!control_definition(connector->relid, &definition))
	{
		look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, LOCKED_CYCLE_MS));
		return false;
	}
	memory->definition = definition;
	if (before == 0 || definition == 0 || before == definition)
		return false;
	catalog_set_state(connector->connector_id, CONNECTOR_QUEUED, NULL, NULL, NULL, 0);
	connector->state = CONNECTOR_QUEUED;
	return true;
}

static void
decide(Cycle *cycle, CatalogConnector *connector)
{
	SeenSlot *seen = find_slot(cycle, connector->connector_id);
	bool ended = connector->state == CONNECTOR_FAILED || connector->state == CONNECTOR_FINISHED;
	bool held = connector->paused || !connector->released;

	if (seen != NULL)
	{
		bool probe = seen->slot->kind == SLOT_PROBE;
		bool outdated = seen->slot->declaration != connector->declaration;

		if (!connector->adopted || ended || outdated || held != probe || seen->slot->stop_requested)
		{
			Action *action = add_action(cycle, ACTION_STOP, connector);

			action->index = seen->index;
			action->generation = seen->slot->generation;
		}
	}
	if (!connector->adopted || connector->state == CONNECTOR_FINISHED)
		return;
	if (connector->state == CONNECTOR_FAILED && (seen != NULL || !is_healed(cycle, connector)))
		return;
	if (held)
		decide_held(cycle, connector, seen);
	else if (seen == NULL)
		begin(cycle, ACTION_START, connector);
}

/* Fewer crash marks first, then in the order of declaration. */
static int
compare_connectors(const ListCell *a, const ListCell *b)
{
	const CatalogConnector *left = lfirst(a);
	const CatalogConnector *right = lfirst(b);

	if (left->crash_marks != right->crash_marks)
		return left->crash_marks < right->crash_marks ? -1 : 1;
	return left->connector_id < right->connector_id ? -1 : 1;
}

/* Workers whose connector was dropped. */
static void
stop_undeclared(Cycle *cycle)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);
		Action *action;

		if (seen->slot->phase == SLOT_ENDED || find_connector(cycle, seen->slot->connector_id) != NULL)
			continue;
		action = add_action(cycle, ACTION_STOP, NULL);
		action->index = seen->index;
		action->generation = seen->slot->generation;
	}
}

/* ---- acting --------------------------------------------------------------------------------------- */

/* Once, until it is started. */
static void
tell_queued(const CatalogConnector *connector, StartResult result)
{
	ConnectorMemory *memory = remember(connector->connector_id);

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
		look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, NO_WORKER_CYCLE_MS));
	if (action->kind == ACTION_PROBE)
		return false;
	if (result == START_DONE)
		remember(connector->connector_id)->queued = false;
	if (result == START_DONE || result == START_BLOCKED)
		return false;
	tell_queued(connector, result);
	return true;
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
			look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, STOPPING_CYCLE_MS));
		}
		else if (start(cycle, action) && action->connector->state != CONNECTOR_QUEUED)
			queued = lappend(queued, action);
	}
	if (queued == NIL)
		return;
	control_begin_transaction("queueing connectors");
	if (catalog_lock_extension())
		foreach (cell, queued)
			set_plain_state(((Action *) lfirst(cell))->connector, CONNECTOR_QUEUED);
	control_commit();
}

/* ---- the cycle ------------------------------------------------------------------------------------ */

static void
decide_all(Cycle *cycle)
{
	ListCell *cell;

	cycle->connectors = catalog_list_connectors();
	if (harvest_all(cycle))
		cycle->connectors = catalog_list_connectors();
	list_sort(cycle->connectors, compare_connectors);
	foreach (cell, cycle->connectors)
		decide(cycle, lfirst(cell));
	stop_undeclared(cycle);
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
	if (catalog_open_gates() > 0)
		ForceSyncCommit();
	decide_all(cycle);
	if (TimestampDifferenceExceeds(trimmed_at, cycle->now, TRIM_MS))
	{
		catalog_trim();
		forget_undeclared(cycle);
		trimmed_at = cycle->now;
	}
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
		look_again_at(cycle, cycle->now);

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
	read_slots(&cycle);
	if (!consult_catalog(&cycle))
		leave_without_extension();
	publish(&cycle);
	free_harvested(&cycle);
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
	HASHCTL control = {.keysize = sizeof(int64), .entrysize = sizeof(ConnectorMemory), .hcxt = TopMemoryContext};
	uint32 wait_event;

	(void) control_begin_process(argument);
	control_connect(InvalidOid);
	connector_memory = hash_create("feldera_ingest connectors", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
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
