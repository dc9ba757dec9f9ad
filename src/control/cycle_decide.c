/*-------------------------------------------------------------------------
 *
 * cycle_decide.c
 *	  What is to become of each connector.
 *
 * First line that fits:
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
 * States are recorded here, processes are not touched: starting and stopping are noted in the
 * cycle and done after the commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "control/cycle.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define LOCKED_CYCLE_MS 1000
/* Somewhat longer than a worker waits to do it itself. */
#define SETTLED_BY_SUPERVISOR_MS 11000
#define CRASH_LIMIT 3
#define CRASH_SQLSTATE "58000"

static Action *
add_action(Cycle *cycle, ActionKind kind, const CatalogConnector *connector)
{
	Action *action = palloc0(sizeof(Action));

	action->kind = kind;
	action->connector = connector;
	cycle->actions = lappend(cycle->actions, action);
	return action;
}

void
cycle_set_state(const CatalogConnector *connector, ConnectorState state)
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
			cycle_set_state(connector, CONNECTOR_QUEUED);
		return true;
	}
	*suspect = true;
	return false;
}

static TimestampTz
may_begin_at(const CatalogConnector *connector, ActionKind kind)
{
	const ConnectorMemory *memory = cycle_remember(connector->connector_id);
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
		cycle_look_again_at(cycle, when);
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
		cycle_set_state(connector, CONNECTOR_PAUSED);
	else if (!probe_failing)
		cycle_set_state(connector, CONNECTOR_WAITING);
	if (seen == NULL && !connector->probed && cycle_remember(connector->connector_id)->probed != connector->declaration)
		begin(cycle, ACTION_PROBE, connector);
}

/* It has failed: is its target another one now?  Then it is tried again. */
static bool
is_healed(Cycle *cycle, CatalogConnector *connector)
{
	ConnectorMemory *memory = cycle_remember(connector->connector_id);
	uint64 before = memory->definition;
	uint64 definition;

	cycle->watches = true;
	if (connector->sqlstate != NULL && strcmp(connector->sqlstate, CRASH_SQLSTATE) == 0)
		return false;
	if (!control_definition(connector->relid, &definition))
	{
		cycle_look_again_at(cycle, TimestampTzPlusMilliseconds(cycle->now, LOCKED_CYCLE_MS));
		return false;
	}
	memory->definition = definition;
	if (before == 0 || definition == 0 || before == definition)
		return false;
	catalog_set_state(connector->connector_id, CONNECTOR_QUEUED, NULL, NULL, NULL, 0);
	connector->state = CONNECTOR_QUEUED;
	return true;
}

/* Its last process has said something that could not be recorded yet. */
static bool
is_unharvested(const Cycle *cycle, int64 connector_id)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		const SeenSlot *seen = lfirst(cell);

		if (seen->slot->connector_id == connector_id && seen->slot->phase == SLOT_ENDED && !seen->harvested)
			return true;
	}
	return false;
}

/* A step of the cycle; "subject" is the connector. */
static void
decide(Cycle *cycle, void *subject)
{
	CatalogConnector *connector = subject;
	SeenSlot *seen = cycle_find_slot(cycle, connector->connector_id);
	bool ended = connector->state == CONNECTOR_FAILED || connector->state == CONNECTOR_FINISHED;
	bool held = connector->paused || !connector->released;

	if (is_unharvested(cycle, connector->connector_id))
		return;
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

/* ---- processes that have proved themselves ------------------------------------------------ */

/* A step of the cycle; "subject" is the slot. */
static void
settle(Cycle *cycle, void *subject)
{
	const SeenSlot *seen = subject;

	(void) cycle;
	catalog_clear_attempt(seen->slot->connector_id, seen->slot->epoch);
}

/* A worker clears its attempt mark itself, but not while it has a long transaction open. */
static void
settle_slots(Cycle *cycle)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);
		TimestampTz due = TimestampTzPlusMilliseconds(seen->slot->reserved_at, SETTLED_BY_SUPERVISOR_MS);

		if (seen->slot->phase != SLOT_ATTACHED || !seen->slot->begun || seen->slot->settled)
			continue;
		if (due > cycle->now)
			cycle_look_again_at(cycle, due);
		else
			seen->settled = cycle_try(cycle, settle, seen);
	}
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

		if (seen->slot->phase == SLOT_ENDED || cycle_find_connector(cycle, seen->slot->connector_id) != NULL)
			continue;
		action = add_action(cycle, ACTION_STOP, NULL);
		action->index = seen->index;
		action->generation = seen->slot->generation;
	}
}

void
cycle_decide(Cycle *cycle)
{
	ListCell *cell;

	cycle->connectors = catalog_list_connectors();
	if (cycle_harvest(cycle))
		cycle->connectors = catalog_list_connectors();
	settle_slots(cycle);
	list_sort(cycle->connectors, compare_connectors);
	foreach (cell, cycle->connectors)
		(void) cycle_try(cycle, decide, lfirst(cell));
	stop_undeclared(cycle);
}
