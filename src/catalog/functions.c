/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  SQL functions that order a declared connector about: pause, start, reset,
 *	  set_offset, adopt; and those that the views call.
 *
 * Contract.  Each finds its connector by full name, locks its row, checks that the caller is a
 * member of its owner, and records the new state itself, so that the views say so as soon as it commits
 * and not when the supervisor gets there.
 *
 * Pause, reset and set_offset take the next epoch: once they commit, a worker that still runs can
 * commit no more.  The progress row is locked with the connector's, and behind it: that waits for the worker's
 * transaction in flight, if it already holds the row, and whatever that commits (a position) is seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(feldera_pause_connector);
PG_FUNCTION_INFO_V1(feldera_start_connector);
PG_FUNCTION_INFO_V1(feldera_reset_connector);
PG_FUNCTION_INFO_V1(feldera_set_offset);
PG_FUNCTION_INFO_V1(feldera_adopt);
PG_FUNCTION_INFO_V1(feldera_connector_before_insert);
PG_FUNCTION_INFO_V1(feldera_inactive_reason);
PG_FUNCTION_INFO_V1(feldera_visible_workers);
PG_FUNCTION_INFO_V1(feldera_visible_watermarks);

const char *(*catalog_inactive_reason_hook)(const char **hint) = NULL;

/* ---- finding a connector ------------------------------------------------------------------------ */

static ConnectorRow *
read_connector_row(MemoryContext context)
{
	ConnectorRow *row = MemoryContextAllocZero(context, sizeof(ConnectorRow));
	MemoryContext old;

	row->connector_id = catalog_column_int64(0, 1, 0);
	row->name = catalog_column_text(0, 2, context);
	row->relid = (Oid) catalog_column_int64(0, 3, InvalidOid);
	row->transport = catalog_column_text(0, 4, context);
	row->owner = (Oid) catalog_column_int64(0, 5, InvalidOid);
	row->paused = catalog_column_bool(0, 6);
	row->released = catalog_column_bool(0, 7);
	row->started = catalog_column_bool(0, 8);
	row->pinned = catalog_column_bool(0, 9);
	row->labels = catalog_column_text_list(0, 10, context);
	row->start_after = catalog_column_text_list(0, 11, context);
	row->state = connector_state_by_name(catalog_column_text(0, 12, CurrentMemoryContext));
	old = MemoryContextSwitchTo(context);
	row->config = catalog_json_parse(catalog_column_text(0, 13, context));
	MemoryContextSwitchTo(old);
	return row;
}

ConnectorRow *
connector_find(CatalogSession *session, const char *name)
{
	static CatalogQuery query = {
		.sql = "SELECT c.connector_id, c.name, c.relid, c.transport, c.owner, c.paused, c.released_at IS NOT NULL, "
			   "p.started_at IS NOT NULL, p.pinned_at IS NOT NULL, c.labels, c.start_after, s.state, c.config "
			   "FROM feldera.connector c JOIN feldera.progress p USING (connector_id) "
			   "JOIN feldera.status s USING (connector_id) WHERE c.name = $1 FOR UPDATE OF c, p",
		.argument_count = 1,
		.argument_types = {TEXTOID},
	};
	Datum values[1] = {CStringGetTextDatum(name)};
	ConnectorRow *row;

	if (catalog_execute(&query, values, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("connector \"%s\" does not exist", name),
						errhint("A connector is named by its full name, table.name, as feldera.connectors shows it.")));
	row = read_connector_row(session->caller);
	if (!has_privs_of_role(session->saved_user, row->owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of connector \"%s\"", name)));
	return row;
}

void
connector_fence(int64 connector_id)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.progress SET epoch = epoch + 1, attempt_open = false, crash_marks = 0 "
			   "WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	(void) catalog_execute(&query, values, NULL);
}

/* Set the flags of a connector; a running worker must see it. */
static void
set_flags(int64 connector_id, bool paused, bool release)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.connector SET paused = $2, declaration = declaration + 1, "
			   "released_at = CASE WHEN $3 THEN coalesce(released_at, now()) ELSE released_at END "
			   "WHERE connector_id = $1",
		.argument_count = 3,
		.argument_types = {INT8OID, BOOLOID, BOOLOID},
	};
	Datum values[3] = {Int64GetDatum(connector_id), BoolGetDatum(paused), BoolGetDatum(release)};

	(void) catalog_execute(&query, values, NULL);
}

/* reset and set_offset move a position, which only a connector at rest may have. */
static void
require_rest(const ConnectorRow *row)
{
	if (!row->paused && row->started)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("connector \"%s\" is not paused", row->name),
				 errhint("Use feldera.pause_connector() first.")));
}

/* ---- pause, start --------------------------------------------------------------------------------- */

/* feldera.pause_connector(connector text) */
Datum
feldera_pause_connector(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	CatalogSession session;
	ConnectorRow *row;

	PreventCommandDuringRecovery("pause_connector()");
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	if (!row->paused)
	{
		set_flags(row->connector_id, true, false);
		connector_fence(row->connector_id);
		if (row->state != CONNECTOR_FINISHED && row->state != CONNECTOR_FAILED)
			status_restart(row->connector_id);
	}
	catalog_session_end(&session);
	if (!row->paused)
		catalog_mark_changed();
	PG_RETURN_VOID();
}

/* feldera.start_connector(connector text, skip_start_after boolean) */
Datum
feldera_start_connector(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool skip_start_after = PG_GETARG_BOOL(1);
	CatalogSession session;
	ConnectorRow *row;
	bool at_rest;

	PreventCommandDuringRecovery("start_connector()");
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	at_rest = row->paused || row->state == CONNECTOR_FAILED || row->state == CONNECTOR_RETRYING;
	if (at_rest || (skip_start_after && !row->released))
	{
		set_flags(row->connector_id, false, skip_start_after);
		connector_fence(row->connector_id);
		if (row->state != CONNECTOR_FINISHED)
			status_restart(row->connector_id);
	}
	catalog_session_end(&session);
	catalog_mark_changed();
	PG_RETURN_VOID();
}

/* ---- reset, set_offset ----------------------------------------------------------------------------- */

/* feldera.reset_connector(connector text) */
Datum
feldera_reset_connector(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	CatalogSession session;
	ConnectorRow *row;

	PreventCommandDuringRecovery("reset_connector()");
	catalog_lock_declarations();
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	require_rest(row);
	set_flags(row->connector_id, row->paused, false);
	connector_fence(row->connector_id);
	position_forget(row->connector_id);
	status_restart(row->connector_id);
	catalog_session_end(&session);

	catalog_check_labels_at_commit(row->connector_id, NIL);
	catalog_mark_changed();
	PG_RETURN_VOID();
}

/* Does the connector read this topic?  Its options name it, or a partition of it is known. */
static bool
reads_topic(const ConnectorRow *row, const char *topic)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.connector c WHERE c.connector_id = $1 AND ($2 = c.config #>> "
			   "'{transport,config,topic}' OR coalesce(c.config #> '{transport,config,topics}', '[]') ? $2)",
		.argument_count = 2,
		.argument_types = {INT8OID, TEXTOID},
	};
	Datum values[2] = {Int64GetDatum(row->connector_id), CStringGetTextDatum(topic)};

	return catalog_execute(&query, values, NULL) > 0;
}

static void
write_offset(int64 connector_id, const char *topic, int32 partition, int64 next_offset)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.kafka_position AS k (connector_id, topic, partition, start_offset, next_offset) "
			   "VALUES ($1, $2, $3, $4, $4) ON CONFLICT (connector_id, topic, partition) DO UPDATE SET "
			   "start_offset = coalesce(k.start_offset, $4), next_offset = $4",
		.argument_count = 4,
		.argument_types = {INT8OID, TEXTOID, INT4OID, INT8OID},
	};
	Datum values[4] = {Int64GetDatum(connector_id), CStringGetTextDatum(topic), Int32GetDatum(partition),
					   Int64GetDatum(next_offset)};

	(void) catalog_execute(&query, values, NULL);
}

/* feldera.set_offset(connector text, topic text, partition integer, next_offset bigint) */
Datum
feldera_set_offset(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *topic = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int32 partition = PG_GETARG_INT32(2);
	int64 next_offset = PG_GETARG_INT64(3);
	CatalogSession session;
	ConnectorRow *row;

	PreventCommandDuringRecovery("set_offset()");
	if (partition < 0 || next_offset < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("partition and offset must not be negative")));
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	if (strcmp(row->transport, "kafka_input") != 0)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("connector \"%s\" reads %s, which has no offsets", name, row->transport)));
	if (!reads_topic(row, topic))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("connector \"%s\" does not read topic \"%s\"", name, topic)));
	require_rest(row);
	set_flags(row->connector_id, row->paused, false);
	connector_fence(row->connector_id);
	write_offset(row->connector_id, topic, partition, next_offset);
	if (row->state == CONNECTOR_FAILED || row->state == CONNECTOR_FINISHED)
		status_restart(row->connector_id);
	catalog_session_end(&session);
	catalog_mark_changed();
	PG_RETURN_VOID();
}

/* ---- adopt ----------------------------------------------------------------------------------------------- */

/*
 * feldera.adopt(); of those whose owner the caller is a member of.
 *
 * A dump has the table by its name, but by its OID where it was dropped before the dump.  That OID is the one of the
 * declaration still, and in the copy it is nobody's, or another table's, which must not be written to.
 */
Datum
feldera_adopt(PG_FUNCTION_ARGS)
{
	static CatalogQuery query = {
		.sql = "WITH candidate AS MATERIALIZED (SELECT c.connector_id, c.name, coalesce(c.declared_table, "
			   "c.relid::text) AS "
			   "target, r.oid IS NULL OR (NOT c.adopted AND c.relid = c.declared_relid AND c.relid::text <> "
			   "c.declared_table) "
			   "AS strays FROM feldera.connector c LEFT JOIN pg_class r ON r.oid = c.relid "
			   "WHERE NOT feldera.is_adopted(c.adopted, c.database_oid, c.system_identifier) "
			   "AND pg_has_role($1, c.owner, 'USAGE')), "
			   "adopted AS (UPDATE feldera.connector c SET adopted = true, database_oid = $2, system_identifier = $3, "
			   "declared_relid = c.relid, declared_table = c.relid::text, declaration = c.declaration + 1 "
			   "FROM candidate a WHERE c.connector_id = a.connector_id AND NOT a.strays RETURNING c.connector_id), "
			   "fenced AS (UPDATE feldera.progress p SET epoch = p.epoch + 1, attempt_open = false, crash_marks = 0 "
			   "FROM adopted a WHERE p.connector_id = a.connector_id RETURNING p.connector_id) "
			   "SELECT c.name, c.target, f.connector_id IS NOT NULL FROM candidate c LEFT JOIN fenced f USING "
			   "(connector_id) "
			   "WHERE c.strays OR f.connector_id IS NOT NULL ORDER BY c.name",
		.argument_count = 3,
		.argument_types = {OIDOID, OIDOID, INT8OID},
	};
	Datum values[3] = {ObjectIdGetDatum(GetUserId()), ObjectIdGetDatum(MyDatabaseId),
					   Int64GetDatum((int64) GetSystemIdentifier())};
	CatalogSession session;
	uint64 count;
	int64 adopted = 0;

	(void) fcinfo;
	PreventCommandDuringRecovery("adopt()");
	catalog_lock_declarations();
	catalog_session_begin(&session);
	count = catalog_execute(&query, values, NULL);
	for (uint64 row = 0; row < count; row++)
	{
		if (catalog_column_bool(row, 3))
			adopted++;
		else
			ereport(WARNING, (errcode(ERRCODE_UNDEFINED_TABLE),
							  errmsg("connector \"%s\" is not adopted, because its table %s is not here",
									 catalog_column_text(row, 1, CurrentMemoryContext),
									 catalog_column_text(row, 2, CurrentMemoryContext)),
							  errhint("Use feldera.drop_connector() to forget it.")));
	}
	catalog_session_end(&session);
	catalog_mark_changed();
	PG_RETURN_INT64(adopted);
}

/* The trigger that makes what a restore brings not adopted. */
Datum
feldera_connector_before_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple tuple;
	int column;
	Datum value = BoolGetDatum(false);
	bool isnull = false;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("must be called as a trigger")));
	tuple = trigger->tg_trigtuple;
	if (catalog_writes_connector)
		PG_RETURN_POINTER(tuple);
	column = SPI_fnumber(RelationGetDescr(trigger->tg_relation), "adopted");
	tuple = heap_modify_tuple_by_cols(tuple, RelationGetDescr(trigger->tg_relation), 1, &column, &value, &isnull);
	PG_RETURN_POINTER(tuple);
}

/* ---- for the views ------------------------------------------------------------------------------------------ */

const char *
catalog_inactive_reason(const char **hint)
{
	*hint = NULL;
	if (catalog_inactive_reason_hook != NULL)
		return catalog_inactive_reason_hook(hint);
	*hint = "Add feldera_ingest to shared_preload_libraries and restart the server.";
	return "feldera_ingest is not in shared_preload_libraries";
}

/* feldera.inactive_reason(OUT reason text, OUT hint text) */
Datum
feldera_inactive_reason(PG_FUNCTION_ARGS)
{
	const char *texts[2];
	Datum values[2];
	bool nulls[2];
	TupleDesc descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	texts[0] = catalog_inactive_reason(&texts[1]);
	for (int i = 0; i < 2; i++)
	{
		nulls[i] = texts[0] == NULL || texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls)));
}

/*
 * The rows of a set-returning function that belong to connectors which the current role may see.  It runs as
 * the extension's owner, because the function behind is nobody else's to call.
 */
static void
return_visible(FunctionCallInfo fcinfo, CatalogQuery *query)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum values[1] = {ObjectIdGetDatum(GetUserId())};
	CatalogSession session;
	uint64 count;

	InitMaterializedSRF(fcinfo, 0);
	catalog_session_begin(&session);
	count = catalog_execute(query, values, NULL);
	for (uint64 row = 0; row < count; row++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[row]);
	catalog_session_end(&session);
}

/* feldera.visible_workers() */
Datum
feldera_visible_workers(PG_FUNCTION_ARGS)
{
	static CatalogQuery query = {
		.sql = "SELECT w.* FROM feldera.live_workers() w JOIN feldera.connector c USING (connector_id) "
			   "WHERE pg_has_role($1, c.owner, 'MEMBER') OR pg_has_role($1, 'pg_monitor', 'MEMBER')",
		.argument_count = 1,
		.argument_types = {OIDOID},
	};

	return_visible(fcinfo, &query);
	return (Datum) 0;
}

/* feldera.visible_watermarks() */
Datum
feldera_visible_watermarks(PG_FUNCTION_ARGS)
{
	static CatalogQuery query = {
		.sql = "SELECT w.* FROM feldera.live_watermarks() w JOIN feldera.connector c USING (connector_id) "
			   "WHERE pg_has_role($1, c.owner, 'MEMBER') OR pg_has_role($1, 'pg_monitor', 'MEMBER')",
		.argument_count = 1,
		.argument_types = {OIDOID},
	};

	return_visible(fcinfo, &query);
	return (Datum) 0;
}
