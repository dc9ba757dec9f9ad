/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Beginning a worker's run: its epoch, its attempt mark, its declaration.
 *
 * Contract.  Each run takes the next epoch of its connector, in a transaction of its own that commits
 * before the source is opened.  From then on no older worker can commit: it finds another epoch
 * in the progress row.  pause, alter, reset and set_offset take the next epoch as well.
 *
 * The connector's row is locked before the progress row, as everywhere.  A run that begins while a pause is open
 * waits there and sees the pause when it has committed; were the UPDATE of the progress row the first to wait, it
 * would read that row again, but the flags beside it as they were before.
 *
 * The attempt mark says "began, neither committed nor ended yet".  It is found open at the next
 * start only when the server crashed in between, and then counts as a crash mark.  A probe (the
 * short run right after the declaration) takes it like any run, since it hears the same foreign bytes; it
 * reads no row, and runs also while the connector is paused or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "utils/builtins.h"

/* Keep the connector as it is to the end of the transaction; false where the run must not begin. */
static bool
lock_runnable(int64 connector_id, bool probe)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.connector c WHERE c.connector_id = $1 "
			   "AND feldera.is_adopted(c.adopted, c.database_oid, c.system_identifier) "
			   "AND ($2 OR (NOT c.paused AND c.released_at IS NOT NULL)) FOR NO KEY UPDATE",
		.argument_count = 2,
		.argument_types = {INT8OID, BOOLOID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), BoolGetDatum(probe)};

	return catalog_execute(&query, values, NULL) == 1;
}

/* The next epoch, and the mark; false where the run must not begin. */
static bool
take_epoch(int64 connector_id, bool probe)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.progress p SET epoch = p.epoch + 1, "
			   "crash_marks = p.crash_marks + p.attempt_open::integer, attempt_open = true, "
			   "started_at = CASE WHEN $2 THEN p.started_at ELSE coalesce(p.started_at, clock_timestamp()) END "
			   "FROM feldera.status s WHERE p.connector_id = $1 AND s.connector_id = $1 AND s.state <> 'failed'",
		.argument_count = 2,
		.argument_types = {INT8OID, BOOLOID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), BoolGetDatum(probe)};

	return catalog_execute(&query, values, NULL) == 1;
}

/* The declaration as it is now; inside a session. Results in "context". */
static CatalogDeclaration *
read_declaration(int64 connector_id, MemoryContext context)
{
	static CatalogQuery query = {
		.sql = "SELECT c.name, c.relid, c.owner, c.run_as, c.declaration, p.epoch, p.rows_processed, "
			   "p.backfill_completed_at IS NOT NULL, coalesce(c.config ->> 'on_error' = 'reject', false), c.config "
			   "FROM feldera.connector c JOIN feldera.progress p USING (connector_id) WHERE c.connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};
	CatalogDeclaration *declaration;
	Jsonb *config;

	if (catalog_execute(&query, values, NULL) == 0)
		return NULL;
	declaration = MemoryContextAllocZero(context, sizeof(CatalogDeclaration));
	declaration->connector_id = connector_id;
	declaration->name = catalog_column_text(0, 1, context);
	declaration->relid = (Oid) catalog_column_int64(0, 2, InvalidOid);
	declaration->owner = (Oid) catalog_column_int64(0, 3, InvalidOid);
	declaration->run_as = (Oid) catalog_column_int64(0, 4, InvalidOid);
	declaration->declaration = catalog_column_int64(0, 5, 0);
	declaration->epoch = catalog_column_int64(0, 6, 0);
	declaration->rows_processed = catalog_column_int64(0, 7, 0);
	declaration->backfill_completed = catalog_column_bool(0, 8);
	declaration->reject_all = catalog_column_bool(0, 9);
	config = catalog_json_parse(catalog_column_text(0, 10, CurrentMemoryContext));
	config = secrets_resolve(config, declaration->owner);
	declaration->connector_json = MemoryContextStrdup(context, catalog_json_text(config));
	declaration->rights = validate_source_rights(declaration->owner);
	return declaration;
}

CatalogDeclaration *
catalog_begin_run(int64 connector_id, bool probe)
{
	CatalogSession session;
	CatalogDeclaration *declaration = NULL;

	catalog_session_begin(&session);
	if (lock_runnable(connector_id, probe) && take_epoch(connector_id, probe))
		declaration = read_declaration(connector_id, session.caller);
	catalog_session_end(&session);
	return declaration;
}

void
catalog_clear_attempt(int64 connector_id, int64 epoch)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.progress SET attempt_open = false, crash_marks = 0 "
			   "WHERE connector_id = $1 AND epoch = $2 AND (attempt_open OR crash_marks <> 0)",
		.argument_count = 2,
		.argument_types = {INT8OID, INT8OID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), Int64GetDatum(epoch)};
	CatalogSession session;

	catalog_session_begin(&session);
	(void) catalog_execute(&query, values, NULL);
	catalog_session_end(&session);
}
