/*-------------------------------------------------------------------------
 *
 * transaction.c
 *	  What a declaring transaction still has to do when it ends.
 *
 * Contract.  Functions that declare, alter or drop take one transaction-level advisory lock before
 * they read, and leave word here.  Before the commit (or the prepare) the labels are checked once, with
 * the latest snapshot: the lock makes declaring transactions follow each other, so each sees all that
 * committed before it, in any isolation level.  Nothing is checked earlier, because a transaction may name a
 * label before it declares its carrier.  A trigger could not do this: two concurrent transactions
 * could each close half of a cycle, and SET CONSTRAINTS would fire it too early.
 *
 * After the commit, and only then, control/ is told that declarations changed, so that nobody looks before
 * there is something to see.  CREATE, ALTER and DROP EXTENSION count as changes; DROP is noticed by an
 * object access hook, since DROP SCHEMA and DROP OWNED drop extensions too.
 *
 * A subtransaction that rolls back leaves its word standing: the check then looks at connectors
 * that are not there, which is harmless, and the call at commit is one too many, which is, too.
 *
 * The advisory lock has a class of its own in the fourth field of the tag, where pg_advisory_lock() uses 1
 * and 2: no lock of a user can collide with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "catalog_internal.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"

#define DECLARATIONS_LOCK_CLASS 20261

void (*catalog_changed_hook)(Oid database) = NULL;
bool catalog_writes_connector = false;

static object_access_hook_type previous_object_access_hook = NULL;

/* Word left by this transaction; lives in TopTransactionContext. */
static bool changed = false;
static bool labels_to_check = false;
static List *touched_connectors = NIL; /* of int64 * */
static List *labels_taken_away = NIL;  /* of char * */

/* Such a commit is flushed whatever synchronous_commit says: a declaration, a pin or a completion that was lost
 * in a crash would be taken a second time, from other data. */
void
catalog_mark_changed(void)
{
	changed = true;
	ForceSyncCommit();
}

void
catalog_lock_declarations(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, DECLARATIONS_LOCK_CLASS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
catalog_check_labels_at_commit(int64 connector_id, List *labels_taken)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	labels_to_check = true;
	if (connector_id != 0)
	{
		int64 *id = palloc(sizeof(int64));

		*id = connector_id;
		touched_connectors = lappend(touched_connectors, id);
	}
	for (int i = 0; i < list_length(labels_taken); i++)
		labels_taken_away = lappend(labels_taken_away, pstrdup(list_nth(labels_taken, i)));
	MemoryContextSwitchTo(old);
}

/* The transaction's memory is going away, and what it left there. */
static void
forget(void)
{
	changed = false;
	labels_to_check = false;
	touched_connectors = NIL;
	labels_taken_away = NIL;
	catalog_writes_connector = false;
	advance_forget_counters();
}

/* Where no transaction block was opened, the statement is the one that declares. */
static void
check_labels(void)
{
	ErrorContextCallback callback;

	labels_to_check = false;
	secrets_hide_statement(&callback);
	labels_check(touched_connectors, labels_taken_away);
	secrets_show_statement(&callback);
}

static void
at_transaction_event(XactEvent event, void *argument)
{
	(void) argument;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (labels_to_check)
				check_labels();
			break;
		case XACT_EVENT_COMMIT:
			if (changed && catalog_changed_hook != NULL)
				catalog_changed_hook(MyDatabaseId);
			forget();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget();
			break;
		default:
			break;
	}
}

/* A flag set around our own INSERT must not outlive it when that INSERT fails. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *argument)
{
	(void) mine;
	(void) parent;
	(void) argument;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		catalog_writes_connector = false;
}

/* Creation and change of any extension count: waking once too often is cheaper than reading an uncommitted row. */
static void
at_object_access(ObjectAccessType access, Oid class_oid, Oid object_oid, int sub_id, void *argument)
{
	if (previous_object_access_hook != NULL)
		previous_object_access_hook(access, class_oid, object_oid, sub_id, argument);
	if (class_oid == ExtensionRelationId &&
		(access == OAT_POST_CREATE || access == OAT_POST_ALTER || access == OAT_DROP))
		catalog_mark_changed();
}

void
catalog_install_transaction_hooks(void)
{
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
	previous_object_access_hook = object_access_hook;
	object_access_hook = at_object_access;
}
