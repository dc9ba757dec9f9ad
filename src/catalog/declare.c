/*-------------------------------------------------------------------------
 *
 * declare.c
 *	  SQL functions that make, change and drop connectors.
 *
 * Contract.  Each takes the lock of declarations before it reads, validates everything before it
 * writes, leaves word for the label check at commit, and never talks to a network.  The caller needs EXECUTE,
 * and privileges on the target (create) or membership of the connector's owner (alter, drop).
 *
 * Names.  A connector's full name is table.name, fixed when it is declared, unique in the database;
 * where another table has taken "table." it is schema.table.name.  Who has no name is
 * unnamed-i, i counting the connectors of the table.
 *
 * ALTER works on the whole object: what is stored is put together again, patched, and validated
 * like a new declaration.  Once a position exists, an option of the transport that says which
 * data are meant may not change, because the position would then belong to other data.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(feldera_create_connectors);
PG_FUNCTION_INFO_V1(feldera_create_connector);
PG_FUNCTION_INFO_V1(feldera_alter_connector);
PG_FUNCTION_INFO_V1(feldera_drop_connector);

/* ---- names ----------------------------------------------------------------------------------- */

/* Does a connector of another table have a name that begins with "prefix" and has no further dot? Inside a session. */
static bool
prefix_is_taken(const char *prefix, Oid relid)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.connector WHERE relid <> $2 AND starts_with(name, $1) "
			   "AND strpos(substr(name, length($1) + 1), '.') = 0 LIMIT 1",
		.argument_count = 2,
		.argument_types = {TEXTOID, REGCLASSOID},
	};
	Datum values[2] = {CStringGetTextDatum(prefix), ObjectIdGetDatum(relid)};

	return catalog_execute(&query, values, NULL) > 0;
}

/* "lineitem." or, where another table has taken it, "sales.lineitem." Inside a session. */
static char *
name_prefix(Oid relid)
{
	char *prefix = psprintf("%s.", get_rel_name(relid));

	if (prefix_is_taken(prefix, relid))
		prefix = psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), prefix);
	if (prefix_is_taken(prefix, relid))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("names that begin with \"%s\" belong to connectors of another table", prefix),
						errhint("Drop those connectors, or give the table another name.")));
	return prefix;
}

static bool
name_exists(const char *name)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.connector WHERE name = $1",
		.argument_count = 1,
		.argument_types = {TEXTOID},
	};
	Datum values[1] = {CStringGetTextDatum(name)};

	return catalog_execute(&query, values, NULL) > 0;
}

static int64
count_connectors(Oid relid)
{
	static CatalogQuery query = {
		.sql = "SELECT count(*) FROM feldera.connector WHERE relid = $1",
		.argument_count = 1,
		.argument_types = {REGCLASSOID},
	};
	Datum values[1] = {ObjectIdGetDatum(relid)};

	(void) catalog_execute(&query, values, NULL);
	return catalog_column_int64(0, 1, 0);
}

/* The full name of a connector to be declared.  Raises 42710 where it is taken. */
static char *
choose_name(Oid relid, const char *given_name)
{
	char *prefix = name_prefix(relid);
	char *name;

	if (given_name != NULL)
	{
		name = psprintf("%s%s", prefix, given_name);
		if (name_exists(name))
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("connector \"%s\" already exists", name),
							errhint("Two connectors of a table cannot have the same name.")));
		return name;
	}
	for (int64 i = count_connectors(relid);; i++)
	{
		name = psprintf("%sunnamed-" INT64_FORMAT, prefix, i);
		if (!name_exists(name))
			return name;
	}
}

/* ---- create -------------------------------------------------------------------------------------- */

/* The connector's row; its identity. */
static int64
insert_connector(const char *name, Oid relid, const DeclarationRoles *roles, const Declaration *declaration)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.connector (name, relid, transport, config, labels, start_after, owner, run_as, "
			   "paused, max_retries, completes_backfill, released_at, adopted, database_oid, system_identifier, "
			   "declared_relid, declared_table) "
			   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, -1), $11, "
			   "CASE WHEN $6 = '{}' THEN now() END, true, $12, $13, $2::oid, $2::text) RETURNING connector_id",
		.argument_count = 13,
		.argument_types = {TEXTOID, REGCLASSOID, TEXTOID, JSONBOID, TEXTARRAYOID, TEXTARRAYOID, REGROLEOID, REGROLEOID,
						   BOOLOID, INT4OID, BOOLOID, OIDOID, INT8OID},
	};
	Datum values[13] = {
		CStringGetTextDatum(name),
		ObjectIdGetDatum(relid),
		CStringGetTextDatum(declaration->transport),
		JsonbPGetDatum(declaration->config),
		catalog_text_list_array(declaration->labels),
		catalog_text_list_array(declaration->start_after),
		ObjectIdGetDatum(roles->owner),
		ObjectIdGetDatum(roles->run_as),
		BoolGetDatum(declaration->paused),
		Int32GetDatum(declaration->max_retries),
		BoolGetDatum(declaration->completes_backfill),
		ObjectIdGetDatum(MyDatabaseId),
		Int64GetDatum((int64) GetSystemIdentifier()),
	};

	catalog_writes_connector = true;
	(void) catalog_execute(&query, values, NULL);
	catalog_writes_connector = false;
	return catalog_column_int64(0, 1, 0);
}

/* The first state is where the connector starts from, not a change: it has no history row. */
static void
insert_companions(int64 connector_id, const Declaration *declaration)
{
	static CatalogQuery progress_query = {
		.sql = "INSERT INTO feldera.progress (connector_id) VALUES ($1)",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	static CatalogQuery status_query = {
		.sql = "INSERT INTO feldera.status (connector_id, state) VALUES ($1, $2)",
		.argument_count = 2,
		.argument_types = {INT8OID, TEXTOID},
	};
	ConnectorState state = status_of_flags(declaration->paused, declaration->start_after == NIL);
	Datum values[2] = {Int64GetDatum(connector_id), CStringGetTextDatum(connector_state_name(state))};

	(void) catalog_execute(&progress_query, values, NULL);
	(void) catalog_execute(&status_query, values, NULL);
}

/* Validate and store one connector object; its full name in the caller's context. */
static char *
declare_one(Oid relid, const TargetTable *target, const DeclarationRoles *roles, const Jsonb *object, const char *path)
{
	Declaration *declaration = validate_connector(object, path, target, roles->owner);
	CatalogSession session;
	int64 connector_id;
	char *name;

	catalog_session_begin(&session);
	name = choose_name(relid, declaration->given_name);
	connector_id = insert_connector(name, relid, roles, declaration);
	insert_companions(connector_id, declaration);
	name = MemoryContextStrdup(session.caller, name);
	catalog_session_end(&session);

	catalog_check_labels_at_commit(connector_id, NIL);
	for (int i = 0; i < list_length(declaration->warnings); i++)
		ereport(WARNING, (errcode(ERRCODE_WARNING),
						  errmsg("connector \"%s\": %s", name, (char *) list_nth(declaration->warnings, i))));
	return name;
}

static void
warn_if_inactive(void)
{
	const char *hint = NULL;
	const char *reason = catalog_inactive_reason(&hint);

	if (reason != NULL)
		ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("connectors are declared, but nothing will run: %s", reason),
						  hint != NULL ? errhint("%s", hint) : 0));
}

List *
declare_connectors(Oid relid, const Jsonb *objects)
{
	const TargetTable *target;
	DeclarationRoles roles;
	List *names = NIL;
	ErrorContextCallback callback;

	secrets_hide_statement(&callback);
	PreventCommandDuringRecovery("declaration of connectors");
	LockRelationOid(relid, AccessShareLock);
	roles = validate_target(relid, GetUserId());
	catalog_lock_declarations();
	target = validate_describe(relid);
	if (JB_ROOT_IS_ARRAY(objects) && !JB_ROOT_IS_SCALAR(objects))
	{
		for (uint32 i = 0; i < JB_ROOT_COUNT(objects); i++)
		{
			JsonbValue *element = getIthJsonbValueFromContainer(unconstify(JsonbContainer *, &objects->root), i);

			names =
				lappend(names, declare_one(relid, target, &roles, JsonbValueToJsonb(element), psprintf("$[%u]", i)));
		}
	}
	else
		names = list_make1(declare_one(relid, target, &roles, objects, "$"));
	if (names != NIL)
		catalog_mark_changed();
	warn_if_inactive();
	secrets_show_statement(&callback);
	return names;
}

/* feldera.create_connectors(target regclass, connectors jsonb) */
Datum
feldera_create_connectors(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		context->user_fctx = declare_connectors(PG_GETARG_OID(0), PG_GETARG_JSONB_P(1));
		MemoryContextSwitchTo(old);
	}
	context = SRF_PERCALL_SETUP();
	if (context->call_cntr < (uint64) list_length(context->user_fctx))
	{
		/* the macro counts before it evaluates its argument */
		char *name = list_nth(context->user_fctx, (int) context->call_cntr);

		SRF_RETURN_NEXT(context, CStringGetTextDatum(name));
	}
	SRF_RETURN_DONE(context);
}

/* feldera.create_connector(target regclass, connector jsonb) */
Datum
feldera_create_connector(PG_FUNCTION_ARGS)
{
	Jsonb *object = PG_GETARG_JSONB_P(1);

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("$: a connector object expected"),
						errhint("feldera.create_connectors() takes an array of them.")));
	PG_RETURN_TEXT_P(cstring_to_text(linitial(declare_connectors(PG_GETARG_OID(0), object))));
}

/* ---- alter --------------------------------------------------------------------------------------------- */

/* Put together what declare_one() took apart; its JSON text in "context". */
static char *
whole_object(const ConnectorRow *row, MemoryContext context)
{
	static CatalogQuery query = {
		.sql = "SELECT config || jsonb_build_object('paused', paused, 'labels', to_jsonb(labels)) "
			   "|| CASE WHEN start_after = '{}' THEN '{}'::jsonb "
			   "ELSE jsonb_build_object('start_after', to_jsonb(start_after)) END "
			   "FROM feldera.connector WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(row->connector_id)};

	(void) catalog_execute(&query, values, NULL);
	return catalog_column_text(0, 1, context);
}

/* Keys of transport.config (or "name", for the transport itself) that differ between two configurations. */
static List *
changed_options(const Jsonb *before, const Jsonb *after)
{
	static CatalogQuery query = {
		.sql =
			"SELECT key FROM jsonb_each($1 #> '{transport,config}') b FULL JOIN "
			"jsonb_each($2 #> '{transport,config}') a USING (key) WHERE a.value IS DISTINCT FROM b.value ORDER BY key",
		.argument_count = 2,
		.argument_types = {JSONBOID, JSONBOID},
	};
	Datum values[2] = {JsonbPGetDatum(before), JsonbPGetDatum(after)};
	uint64 count = catalog_execute(&query, values, NULL);
	List *keys = NIL;

	for (uint64 row = 0; row < count; row++)
		keys = lappend(keys, catalog_column_text(row, 1, CurrentMemoryContext));
	return keys;
}

/* The first change that says that other data are meant, or null. */
static const char *
change_of_data(const ConnectorRow *row, const Declaration *declaration)
{
	List *keys;

	if (strcmp(row->transport, declaration->transport) != 0)
		return "$.transport.name";
	keys = changed_options(row->config, declaration->config);
	for (int i = 0; i < list_length(keys); i++)
	{
		if (!source_option_keeps_position(row->transport, list_nth(keys, i)))
			return psprintf("$.transport.config.%s", (char *) list_nth(keys, i));
	}
	return NULL;
}

static void
update_connector(const ConnectorRow *row, const Declaration *declaration, bool released)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.connector SET transport = $2, config = $3, labels = $4, start_after = $5, paused = $6, "
			   "max_retries = nullif($7, -1), completes_backfill = $8, "
			   "released_at = CASE WHEN $9 THEN coalesce(released_at, now()) END, declaration = declaration + 1 "
			   "WHERE connector_id = $1",
		.argument_count = 9,
		.argument_types = {INT8OID, TEXTOID, JSONBOID, TEXTARRAYOID, TEXTARRAYOID, BOOLOID, INT4OID, BOOLOID, BOOLOID},
	};
	Datum values[9] = {
		Int64GetDatum(row->connector_id),
		CStringGetTextDatum(declaration->transport),
		JsonbPGetDatum(declaration->config),
		catalog_text_list_array(declaration->labels),
		catalog_text_list_array(declaration->start_after),
		BoolGetDatum(declaration->paused),
		Int32GetDatum(declaration->max_retries),
		BoolGetDatum(declaration->completes_backfill),
		BoolGetDatum(released),
	};

	(void) catalog_execute(&query, values, NULL);
}

/* Labels of "before" that "after" lacks. */
static List *
labels_lost(List *before, List *after)
{
	List *lost = NIL;

	for (int i = 0; i < list_length(before); i++)
	{
		bool kept = false;

		for (int k = 0; k < list_length(after); k++)
			kept = kept || strcmp(list_nth(before, i), list_nth(after, k)) == 0;
		if (!kept)
			lost = lappend(lost, list_nth(before, i));
	}
	return lost;
}

/* A gate that is open stays open, except that a connector which never ran may be told to wait after all. */
static bool
is_released_after(const ConnectorRow *row, const Declaration *declaration)
{
	if (declaration->start_after == NIL)
		return true;
	return row->released && (row->started || labels_lost(declaration->start_after, row->start_after) == NIL);
}

static Declaration *
validate_patched(const ConnectorRow *row, const Jsonb *object)
{
	Declaration *declaration = validate_connector(object, "$", validate_describe(row->relid), row->owner);

	if (declaration->given_name != NULL && strcmp(declaration->given_name, strrchr(row->name, '.') + 1) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("$.name: the name of a connector is fixed"),
						errhint("Drop connector \"%s\" and declare another one.", row->name)));
	return declaration;
}

/* feldera.alter_connector(connector text, patch jsonb) */
Datum
feldera_alter_connector(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb *patch = PG_GETARG_JSONB_P(1);
	CatalogSession session;
	ConnectorRow *row;
	Declaration *declaration;
	const char *other_data;
	char *object;
	ErrorContextCallback callback;

	secrets_hide_statement(&callback);
	PreventCommandDuringRecovery("alter_connector()");
	if (!JB_ROOT_IS_OBJECT(patch))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("$: a patch must be a JSON object")));
	catalog_lock_declarations();
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	object = whole_object(row, session.caller);
	catalog_session_end(&session);

	declaration = validate_patched(row, catalog_json_merge(catalog_json_parse(object), patch));

	catalog_session_begin(&session);
	other_data = change_of_data(row, declaration);
	if (other_data != NULL && row->pinned)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("%s: cannot change while connector \"%s\" has a position", other_data, name),
						errdetail("The position belongs to the data that the connector reads now."),
						errhint("Use feldera.reset_connector() first.")));
	if (other_data != NULL)
		position_forget(row->connector_id);
	update_connector(row, declaration, is_released_after(row, declaration));
	connector_fence(row->connector_id);
	status_restart(row->connector_id);
	catalog_session_end(&session);

	catalog_check_labels_at_commit(row->connector_id, labels_lost(row->labels, declaration->labels));
	catalog_mark_changed();
	secrets_show_statement(&callback);
	PG_RETURN_VOID();
}

/* ---- drop ----------------------------------------------------------------------------------------------- */

/* feldera.drop_connector(connector text) */
Datum
feldera_drop_connector(PG_FUNCTION_ARGS)
{
	static CatalogQuery query = {
		.sql = "DELETE FROM feldera.connector WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	CatalogSession session;
	ConnectorRow *row;
	Datum values[1];

	PreventCommandDuringRecovery("drop_connector()");
	catalog_lock_declarations();
	catalog_session_begin(&session);
	row = connector_find(&session, name);
	status_write_history(row->connector_id, "dropped", NULL, NULL);
	values[0] = Int64GetDatum(row->connector_id);
	(void) catalog_execute(&query, values, NULL);
	catalog_session_end(&session);

	catalog_check_labels_at_commit(0, row->labels);
	catalog_mark_changed();
	PG_RETURN_VOID();
}
