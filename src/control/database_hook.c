/*-------------------------------------------------------------------------
 *
 * database_hook.c
 *	  Statements that need a database for themselves get it from us.
 *
 * DROP DATABASE, CREATE DATABASE ... TEMPLATE, ALTER DATABASE ... RENAME and SET TABLESPACE
 * fail while somebody is connected to the database, and our processes always are.  So
 * before the statement runs, a block on the database is written to shared memory and its
 * processes are asked to leave; no process is started in a blocked database.  The block ends
 * with the transaction, not with the statement: before the commit the launcher would still
 * see the database that is being dropped.
 *
 *	  commit of a DROP		the launcher finds the database gone and forgets it
 *	  commit of the others	the launcher finds database and copy, and starts what they need
 *	  abort					the processes come back
 *	  FATAL in between		is an abort
 *	  crash					shared memory is made anew, without blocks
 *
 * Only who may run the statement gets the block: otherwise anybody could stop the connectors
 * of a database by a DROP that fails.
 *
 * Locks: none while waiting; the wait can be cancelled and is bounded, since core's own
 * message about other sessions is better than a hang.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* How long to wait for our processes: past it core waits 5 s more and then names the sessions. */
#define QUIET_LIMIT_MS 15000
#define QUIET_STEP_MS 50

static ProcessUtility_hook_type previous_utility_hook = NULL;
static bool holds_block = false;
static bool callback_registered = false;

bool
control_database_is_blocked_locked(Oid database)
{
	for (int i = 0; i < CONTROL_MAX_BLOCKS; i++)
		if (control_shared->blocks[i].database == database)
			return OidIsValid(database);
	return false;
}

/* ---- the block ------------------------------------------------------------------ */

static void
release_blocks(void)
{
	if (!holds_block)
		return;
	holds_block = false;
	control_lock(LW_EXCLUSIVE);
	for (int i = 0; i < CONTROL_MAX_BLOCKS; i++)
		if (control_shared->blocks[i].pid == MyProcPid)
			control_shared->blocks[i] = (DatabaseBlock){InvalidOid, 0};
	control_unlock();
	control_wake_launcher(true);
	ConditionVariableBroadcast(&control_shared->changed);
}

static void
at_transaction_end(XactEvent event, void *argument)
{
	(void) argument;
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	release_blocks();
}

static void
register_callback(void)
{
	if (callback_registered)
		return;
	RegisterXactCallback(at_transaction_end, NULL);
	callback_registered = true;
}

/* False: the table is full. */
static bool
take_block(Oid database)
{
	bool taken = false;

	control_lock(LW_EXCLUSIVE);
	for (int i = 0; i < CONTROL_MAX_BLOCKS && !taken; i++)
	{
		if (OidIsValid(control_shared->blocks[i].database))
			continue;
		control_shared->blocks[i] = (DatabaseBlock){database, MyProcPid};
		taken = true;
	}
	control_unlock();
	return taken;
}

/* Wait until the database has none of our processes. */
static void
make_quiet(Oid database)
{
	TimestampTz start = GetCurrentTimestamp();

	register_callback();
	holds_block = true;
	ConditionVariablePrepareToSleep(&control_shared->changed);
	while (!take_block(database))
		ConditionVariableTimedSleep(&control_shared->changed, QUIET_STEP_MS, PG_WAIT_EXTENSION);
	while (control_stop_database(database, true) > 0 &&
		   !TimestampDifferenceExceeds(start, GetCurrentTimestamp(), QUIET_LIMIT_MS))
		ConditionVariableTimedSleep(&control_shared->changed, QUIET_STEP_MS, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

/* ---- the statements --------------------------------------------------------------- */

static bool
may_copy(Oid database)
{
	HeapTuple tuple;
	bool is_template;

	if (!have_createdb_privilege())
		return false;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return false;
	is_template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	ReleaseSysCache(tuple);
	return is_template || object_ownercheck(DatabaseRelationId, database, GetUserId());
}

static const char *
option_string(List *options, const char *name)
{
	ListCell *cell;

	foreach (cell, options)
	{
		DefElem *element = lfirst_node(DefElem, cell);

		if (strcmp(element->defname, name) == 0 && element->arg != NULL)
			return defGetString(element);
	}
	return NULL;
}

/* The database that the statement needs without sessions, if the user may do that; else InvalidOid. */
static Oid
wanted_database(Node *statement)
{
	const char *name = NULL;
	bool copy = false;
	Oid database;

	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			name = ((DropdbStmt *) statement)->dbname;
			break;
		case T_CreatedbStmt:
			name = option_string(((CreatedbStmt *) statement)->options, "template");
			if (name == NULL)
				name = "template1";
			copy = true;
			break;
		case T_AlterDatabaseStmt:
			if (option_string(((AlterDatabaseStmt *) statement)->options, "tablespace") != NULL)
				name = ((AlterDatabaseStmt *) statement)->dbname;
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				name = ((RenameStmt *) statement)->subname;
			break;
		default:
			break;
	}
	if (name == NULL)
		return InvalidOid;
	database = get_database_oid(name, true);
	/* One's own database can be copied, but neither dropped nor changed. */
	if (!OidIsValid(database) || (database == MyDatabaseId && !copy))
		return InvalidOid;
	if (copy ? !may_copy(database) : !object_ownercheck(DatabaseRelationId, database, GetUserId()))
		return InvalidOid;
	return database;
}

static void
database_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
				 ParamListInfo params, QueryEnvironment *environment, DestReceiver *receiver,
				 QueryCompletion *completion)
{
	/* Inside a transaction block these statements are refused anyway. */
	if (control_shared != NULL && context == PROCESS_UTILITY_TOPLEVEL && !IsTransactionBlock())
	{
		Oid database = wanted_database(statement->utilityStmt);

		if (OidIsValid(database))
			make_quiet(database);
	}
	if (previous_utility_hook)
		previous_utility_hook(statement, query, read_only_tree, context, params, environment, receiver, completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, params, environment, receiver, completion);
}

void
control_install_database_hook(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = database_utility;
}

void
control_install_hooks(void)
{
	control_install_database_hook();
	control_install_definition_hook();
	catalog_changed_hook = control_wake_database;
	catalog_inactive_reason_hook = control_inactive_reason;
}
