/*-------------------------------------------------------------------------
 *
 * definition.c
 *	  Noticing DDL that may heal a connector.
 *
 * A connector that has failed for its target (a type that does not fit, a missing privilege,
 * a trigger that raises) is tried again when the target's definition is another one than the
 * failed run has found.  The definition is compared as one number, made of what ALTER TABLE,
 * GRANT, CREATE and DROP TRIGGER change and VACUUM, ANALYZE and inserts do not: the xmin of the rows
 * that describe the table in pg_class and pg_attribute (VACUUM updates in place), and its triggers.
 *
 * A supervisor sleeps while nothing happens, so the backend that ran the DDL wakes it, after the
 * commit, and only where a supervisor of this database has said that a connector of its has failed.
 *
 * Locks: the target is locked only if that needs no waiting; a supervisor never waits behind DDL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "common/hashfn.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type previous_utility_hook = NULL;
static bool callback_registered = false;
static bool ran_ddl = false;

/* ---- the number ------------------------------------------------------------------- */

static uint64
add(uint64 definition, uint32 value)
{
	return hash_combine64(definition, hash_bytes_uint32_extended(value, 0));
}

/* xmin of a row of a system catalog, 0 where there is none. */
static uint32
row_version(HeapTuple tuple)
{
	uint32 version = 0;

	if (HeapTupleIsValid(tuple))
	{
		version = HeapTupleHeaderGetRawXmin(tuple->t_data);
		ReleaseSysCache(tuple);
	}
	return version;
}

static uint64
describe(Relation relation)
{
	TriggerDesc *triggers = relation->trigdesc;
	uint64 definition = 1;

	definition = add(definition, row_version(SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(relation)))));
	for (int i = 1; i <= RelationGetNumberOfAttributes(relation); i++)
		definition =
			add(definition,
				row_version(SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(relation)), Int16GetDatum(i))));
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		definition = add(definition, triggers->triggers[i].tgoid);
		definition = add(definition, triggers->triggers[i].tgfoid);
		definition = add(definition, (uint32) triggers->triggers[i].tgenabled);
	}
	return definition != 0 ? definition : 1;
}

bool
control_definition(Oid relid, uint64 *definition)
{
	Relation relation;

	*definition = 0;
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	relation = try_relation_open(relid, NoLock);
	if (relation == NULL)
	{
		UnlockRelationOid(relid, AccessShareLock);
		return true;
	}
	*definition = describe(relation);
	relation_close(relation, AccessShareLock);
	return true;
}

/* ---- telling ------------------------------------------------------------------------- */

static bool
supervisor_watches(void)
{
	bool watches = false;

	control_lock(LW_SHARED);
	for (int i = 0; i < control_shared->slot_count && !watches; i++)
	{
		const ProcessSlot *slot = &control_shared->slots[i];

		watches = slot->phase == SLOT_ATTACHED && slot->kind == SLOT_SUPERVISOR && slot->database == MyDatabaseId &&
				  slot->watches;
	}
	control_unlock();
	return watches;
}

/* Not an XactCallback: those are called before the caches of others are invalidated and before the locks are released. */
static void
at_release(ResourceReleasePhase phase, bool committed, bool top_level, void *argument)
{
	(void) argument;
	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !top_level || !ran_ddl)
		return;
	ran_ddl = false;
	if (committed && supervisor_watches())
		control_wake_database(MyDatabaseId);
}

/* Statements that may change a table's definition, its privileges or its triggers. */
static bool
may_heal(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
		case T_AlterObjectSchemaStmt:
		case T_AlterOwnerStmt:
		case T_CreateTrigStmt:
		case T_DropStmt:
		case T_GrantRoleStmt:
		case T_GrantStmt:
		case T_RenameStmt:
			return true;
		default:
			return false;
	}
}

static void
definition_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
				   ParamListInfo params, QueryEnvironment *environment, DestReceiver *receiver,
				   QueryCompletion *completion)
{
	if (control_shared != NULL && may_heal(statement->utilityStmt))
	{
		if (!callback_registered)
			RegisterResourceReleaseCallback(at_release, NULL);
		callback_registered = true;
		ran_ddl = true;
	}
	if (previous_utility_hook)
		previous_utility_hook(statement, query, read_only_tree, context, params, environment, receiver, completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, params, environment, receiver, completion);
}

void
control_install_definition_hook(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = definition_utility;
}
