/*-------------------------------------------------------------------------
 *
 * wait_for.c
 *	  CALL feldera.wait_for(name, timeout): until a backfill is complete.
 *
 * Contract.  The name is a connector's, a label, or both; then both are meant.  Done when every connector
 * it means has completed its backfill, read from the catalog.  In between each look the transaction is
 * committed, so that no snapshot is held and vacuum is not held up; hence a procedure in C without SET
 * clause or SECURITY DEFINER, and 25001 in a transaction block.
 *
 * It gives up where waiting cannot help: 42704 where nothing has that name (any more), 55000 where a
 * connector it waits for has failed, directly or because an unreleased one waits for it in turn, and 57014 at
 * the time-out.  Where somebody's order is needed (paused, nothing runs here) a NOTICE says so, once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(feldera_wait_for);

#define POLL_MILLISECONDS 200

typedef struct Wait
{
	char *name;
	Oid user;
	TimestampTz deadline; /* DT_NOEND: none */
	List *noticed;        /* of char *: connectors whose pause was told */
	bool inactive_noticed;
} Wait;

/* Which connectors have to complete: those that the name means, and whom these wait for. */
static uint64
read_holders(const Wait *wait)
{
	static CatalogQuery query = {
		.sql = "WITH RECURSIVE holder AS (SELECT c.connector_id, c.name, c.start_after, c.released_at, c.owner "
			   "FROM feldera.connector c JOIN feldera.progress p USING (connector_id) "
			   "WHERE (c.name = $1 OR $1 = ANY (c.labels)) AND p.backfill_completed_at IS NULL "
			   "UNION SELECT c.connector_id, c.name, c.start_after, c.released_at, c.owner FROM holder h "
			   "JOIN feldera.connector c ON h.released_at IS NULL AND c.labels && h.start_after "
			   "JOIN feldera.progress p ON p.connector_id = c.connector_id AND p.backfill_completed_at IS NULL) "
			   "SELECT h.name, s.state, CASE WHEN pg_has_role($2, h.owner, 'MEMBER') "
			   "OR pg_has_role($2, 'pg_monitor', 'MEMBER') THEN s.error END "
			   "FROM holder h JOIN feldera.status s USING (connector_id) ORDER BY h.name",
		.argument_count = 2,
		.argument_types = {TEXTOID, OIDOID},
	};
	Datum values[2] = {CStringGetTextDatum(wait->name), ObjectIdGetDatum(wait->user)};

	return catalog_execute(&query, values, NULL);
}

static bool
name_means_something(const Wait *wait)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.connector WHERE name = $1 OR $1 = ANY (labels) LIMIT 1",
		.argument_count = 1,
		.argument_types = {TEXTOID},
	};
	Datum values[1] = {CStringGetTextDatum(wait->name)};

	return catalog_execute(&query, values, NULL) > 0;
}

static void
notice_paused(Wait *wait, const char *connector, MemoryContext context)
{
	MemoryContext old;

	for (int i = 0; i < list_length(wait->noticed); i++)
	{
		if (strcmp(list_nth(wait->noticed, i), connector) == 0)
			return;
	}
	ereport(NOTICE, (errmsg("connector \"%s\" is paused", connector),
					 errhint("The wait goes on until it is started and done.")));
	old = MemoryContextSwitchTo(context);
	wait->noticed = lappend(wait->noticed, pstrdup(connector));
	MemoryContextSwitchTo(old);
}

static void
notice_inactive(Wait *wait)
{
	const char *hint;
	const char *reason = catalog_inactive_reason(&hint);

	if (reason == NULL || wait->inactive_noticed)
		return;
	wait->inactive_noticed = true;
	ereport(NOTICE, (errmsg("no connector runs here: %s", reason), hint != NULL ? errhint("%s", hint) : 0));
}

/* One look; true when the wait is over. */
static bool
look(Wait *wait)
{
	CatalogSession session;
	uint64 count;

	catalog_session_begin(&session);
	count = read_holders(wait);
	for (uint64 row = 0; row < count; row++)
	{
		char *connector = catalog_column_text(row, 1, CurrentMemoryContext);
		ConnectorState state = connector_state_by_name(catalog_column_text(row, 2, CurrentMemoryContext));
		char *error = catalog_column_text(row, 3, CurrentMemoryContext);

		if (state == CONNECTOR_FAILED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("connector \"%s\" has failed", connector), error != NULL ? errdetail("%s", error) : 0,
					 errhint("Use feldera.start_connector() once the cause is gone.")));
		if (state == CONNECTOR_PAUSED)
			notice_paused(wait, connector, session.caller);
	}
	if (count == 0 && !name_means_something(wait))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no connector and no label \"%s\"", wait->name)));
	catalog_session_end(&session);
	if (count > 0)
		notice_inactive(wait);
	return count == 0;
}

/* Sleep until the next look or the time-out. */
static void
sleep_a_little(const Wait *wait)
{
	static uint32 wait_event = 0;
	long milliseconds = POLL_MILLISECONDS;

	if (wait_event == 0)
		wait_event = compat_wait_event("FelderaWaitFor");

	if (!TIMESTAMP_NOT_FINITE(wait->deadline))
		milliseconds = Min(milliseconds, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wait->deadline) + 1);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* CALL feldera.wait_for(name text, timeout interval) */
Datum
feldera_wait_for(PG_FUNCTION_ARGS)
{
	Wait wait = {.user = GetUserId(), .deadline = DT_NOEND};
	MemoryContext context;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("name must not be null")));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) || castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("feldera.wait_for() cannot run inside a transaction block")));
	if (!PG_ARGISNULL(1))
		wait.deadline = DatumGetTimestampTz(DirectFunctionCall2(
			timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));

	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	context = CurrentMemoryContext;
	wait.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	while (!look(&wait))
	{
		if (GetCurrentTimestamp() >= wait.deadline)
			ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
							errmsg("the backfill of \"%s\" was not complete in time", wait.name)));
		SPI_commit();
		sleep_a_little(&wait);
		MemoryContextSwitchTo(context);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
