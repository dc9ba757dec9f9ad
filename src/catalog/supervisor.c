/*-------------------------------------------------------------------------
 *
 * supervisor.c
 *	  What the supervisor reads: connectors, and gates to open.
 *
 * Contract.  Reads the catalog only, never shared memory.  Listing takes no row
 * lock and no transaction id, so that an idle database stays idle; gates are opened
 * by one statement that touches nothing where none is ready.  It waits for nobody: a connector that an
 * open transaction of somebody else has locked is passed over, and the caller is told to look again.
 *
 * A gate opens when every current carrier of each of its labels has completed its
 * backfill, and then stays open.  A label without a carrier holds: declarations
 * refuse such a state, but a partial restore may bring it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(feldera_is_adopted);

static bool
is_adopted(bool adopted, Oid database, int64 system_identifier)
{
	return adopted && database == MyDatabaseId && (uint64) system_identifier == GetSystemIdentifier();
}

/* feldera.is_adopted(adopted, database_oid, system_identifier) */
Datum
feldera_is_adopted(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(is_adopted(PG_GETARG_BOOL(0), PG_GETARG_OID(1), PG_GETARG_INT64(2)));
}

static CatalogConnector *
read_connector(uint64 row, MemoryContext context)
{
	CatalogConnector *connector = MemoryContextAllocZero(context, sizeof(CatalogConnector));
	int column = 0;
	char *state;
	bool adopted;
	Oid database;

	connector->connector_id = catalog_column_int64(row, ++column, 0);
	connector->name = catalog_column_text(row, ++column, context);
	connector->relid = (Oid) catalog_column_int64(row, ++column, InvalidOid);
	connector->transport = catalog_column_text(row, ++column, context);
	connector->owner = (Oid) catalog_column_int64(row, ++column, InvalidOid);
	connector->run_as = (Oid) catalog_column_int64(row, ++column, InvalidOid);
	connector->paused = catalog_column_bool(row, ++column);
	adopted = catalog_column_bool(row, ++column);
	database = (Oid) catalog_column_int64(row, ++column, InvalidOid);
	connector->adopted = is_adopted(adopted, database, catalog_column_int64(row, ++column, 0));
	connector->released = catalog_column_bool(row, ++column);
	connector->probed = catalog_column_bool(row, ++column);
	connector->backfill_completed = catalog_column_bool(row, ++column);
	connector->declaration = catalog_column_int64(row, ++column, 0);
	connector->epoch = catalog_column_int64(row, ++column, 0);
	connector->crash_marks = (int) catalog_column_int64(row, ++column, 0);
	connector->attempt_open = catalog_column_bool(row, ++column);
	state = catalog_column_text(row, ++column, CurrentMemoryContext);
	connector->state = connector_state_by_name(state);
	connector->sqlstate = catalog_column_text(row, ++column, context);
	connector->retry_at = catalog_column_timestamp(row, ++column);
	connector->retries = (int) catalog_column_int64(row, ++column, 0);
	connector->max_retries = (int) catalog_column_int64(row, ++column, -1);
	return connector;
}

List *
catalog_list_connectors(void)
{
	static CatalogQuery query = {
		.sql = "SELECT c.connector_id, c.name, c.relid, c.transport, c.owner, c.run_as, c.paused, "
			   "c.adopted, c.database_oid, c.system_identifier, c.released_at IS NOT NULL, "
			   "c.probed_at IS NOT NULL, p.backfill_completed_at IS NOT NULL, c.declaration, p.epoch, "
			   "p.crash_marks, p.attempt_open, s.state, s.sqlstate, s.retry_at, s.retries, c.max_retries "
			   "FROM feldera.connector c JOIN feldera.progress p USING (connector_id) "
			   "JOIN feldera.status s USING (connector_id) ORDER BY c.connector_id",
	};
	CatalogSession session;
	List *result = NIL;
	uint64 count;

	catalog_session_begin(&session);
	count = catalog_execute(&query, NULL, NULL);
	for (uint64 row = 0; row < count; row++)
	{
		CatalogConnector *connector = read_connector(row, session.caller);
		MemoryContext old = MemoryContextSwitchTo(session.caller);

		result = lappend(result, connector);
		MemoryContextSwitchTo(old);
	}
	catalog_session_end(&session);
	return result;
}

int
catalog_open_gates(bool *passed_over)
{
	/* Whoever changes a declaration counts it up; then it is another gate than the one that was found ready. */
	static CatalogQuery query = {
		.sql =
			"WITH ready AS MATERIALIZED ("
			"SELECT w.connector_id, w.declaration FROM feldera.connector w "
			"WHERE w.released_at IS NULL AND feldera.is_adopted(w.adopted, w.database_oid, w.system_identifier) "
			"AND NOT EXISTS ("
			"SELECT FROM unnest(w.start_after) AS l (label) WHERE NOT EXISTS ("
			"SELECT FROM feldera.connector h WHERE l.label = ANY (h.labels)) OR EXISTS ("
			"SELECT FROM feldera.connector h JOIN feldera.progress p USING (connector_id) "
			"WHERE l.label = ANY (h.labels) AND p.backfill_completed_at IS NULL))), "
			"locked AS MATERIALIZED (SELECT c.connector_id FROM feldera.connector c JOIN ready r USING (connector_id) "
			"WHERE c.released_at IS NULL AND c.declaration = r.declaration FOR NO KEY UPDATE OF c SKIP LOCKED), "
			"opened AS (UPDATE feldera.connector c SET released_at = clock_timestamp() FROM locked l "
			"WHERE c.connector_id = l.connector_id RETURNING c.connector_id, c.name) "
			"SELECT o.name FROM ready r LEFT JOIN opened o USING (connector_id)",
	};
	CatalogSession session;
	uint64 count;
	int opened = 0;

	*passed_over = false;
	catalog_session_begin(&session);
	count = catalog_execute(&query, NULL, NULL);
	for (uint64 row = 0; row < count; row++)
	{
		char *name = catalog_column_text(row, 1, CurrentMemoryContext);

		if (name == NULL)
		{
			*passed_over = true;
			continue;
		}
		opened++;
		ereport(LOG, (errmsg("the start_after of connector \"%s\" is satisfied", name), errhidecontext(true)));
	}
	catalog_session_end(&session);
	if (opened > 0)
		ForceSyncCommit();
	return opened;
}

char *
catalog_describe_wait(int64 connector_id)
{
	static CatalogQuery query = {
		.sql =
			"SELECT string_agg(label || coalesce(' (held by ' || holders || ')', ' (carried by no connector)'), ', ' "
			"ORDER BY label) FROM (SELECT l.label, string_agg(h.name || CASE WHEN hs.state IN ('paused', 'failed') "
			"THEN ', which is ' || hs.state ELSE '' END, '; ' ORDER BY h.name) AS holders "
			"FROM feldera.connector w CROSS JOIN unnest(w.start_after) AS l (label) "
			"LEFT JOIN (feldera.connector h JOIN feldera.status hs ON hs.connector_id = h.connector_id "
			"JOIN feldera.progress hp ON hp.connector_id = h.connector_id AND hp.backfill_completed_at IS NULL) "
			"ON l.label = ANY (h.labels) WHERE w.connector_id = $1 AND (h.name IS NOT NULL OR NOT EXISTS ("
			"SELECT FROM feldera.connector c WHERE l.label = ANY (c.labels))) GROUP BY l.label) AS waits",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};
	CatalogSession session;
	char *result = NULL;

	catalog_session_begin(&session);
	if (catalog_execute(&query, values, NULL) > 0)
		result = catalog_column_text(0, 1, session.caller);
	catalog_session_end(&session);
	return result != NULL ? result : pstrdup("nothing");
}
