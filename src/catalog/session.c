/*-------------------------------------------------------------------------
 *
 * session.c
 *	  SPI on the extension's own tables, as the extension's owner.
 *
 * Contract.  A worker runs as the connector's owner and a user calls the SQL
 * functions as himself; neither has a right on the tables of schema feldera.
 * So each access is wrapped in a session: the user becomes the extension's
 * owner (SECURITY_LOCAL_USERID_CHANGE), the search path becomes
 * "pg_catalog, pg_temp" (else a user could slip in an operator of his own, to be
 * run with the owner's rights), and SPI is connected.
 *
 * The extension's owner and OID are looked up for each session, not cached: an
 * index scan of pg_extension is cheap beside what follows, and DROP EXTENSION is
 * noticed.  Plans are kept for the life of the process; the plan cache makes them
 * anew when the tables were dropped and created again.
 *
 * What SPI returns lives until the session ends; texts and lists are copied into
 * the context that the caller names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Versions of the extension's SQL that this library works with. */
static const char *const known_versions[] = {"0.1.0"};

typedef struct ExtensionRow
{
	Oid oid;
	Oid owner;
	bool known_version;
} ExtensionRow;

static bool
version_is_known(HeapTuple tuple, TupleDesc descriptor)
{
	bool isnull;
	Datum version = heap_getattr(tuple, Anum_pg_extension_extversion, descriptor, &isnull);

	for (size_t i = 0; !isnull && i < lengthof(known_versions); i++)
	{
		if (strcmp(TextDatumGetCString(version), known_versions[i]) == 0)
			return true;
	}
	return false;
}

/* The extension's row of pg_extension; false where it is not in this database. */
static bool
read_extension_row(ExtensionRow *row)
{
	Relation relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(CATALOG_EXTENSION_NAME));
	scan = systable_beginscan(relation, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		row->oid = form->oid;
		row->owner = form->extowner;
		row->known_version = version_is_known(tuple, RelationGetDescr(relation));
	}
	else
		row->oid = InvalidOid;
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return OidIsValid(row->oid);
}

/* The extension's OID, or InvalidOid where this database does not have it. */
Oid
catalog_extension_oid(Oid *owner)
{
	ExtensionRow row;

	if (!read_extension_row(&row))
		return InvalidOid;
	if (owner != NULL)
		*owner = row.owner;
	return row.oid;
}

/* Is the extension here, at a version this library knows?  Needs a transaction. */
bool
catalog_extension_exists(void)
{
	ExtensionRow row;

	return read_extension_row(&row) && row.known_version;
}

/*
 * Take the lock that DROP EXTENSION conflicts with, to the end of the transaction.  The OID is looked up again
 * under the lock, because the extension may have been dropped while we waited.
 */
bool
catalog_lock_extension(void)
{
	Oid before = catalog_extension_oid(NULL);

	if (!OidIsValid(before))
		return false;
	LockDatabaseObject(ExtensionRelationId, before, 0, AccessShareLock);
	AcceptInvalidationMessages();
	return catalog_extension_oid(NULL) == before && catalog_extension_exists();
}

/* Become the extension's owner and connect to SPI.  Raises ERRCODE_UNDEFINED_OBJECT without the extension. */
void
catalog_session_begin(CatalogSession *session)
{
	Oid owner;

	if (!OidIsValid(catalog_extension_oid(&owner)))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("extension \"%s\" does not exist in this database", CATALOG_EXTENSION_NAME)));

	session->caller = CurrentMemoryContext;
	GetUserIdAndSecContext(&session->saved_user, &session->saved_security_context);
	SetUserIdAndSecContext(owner, session->saved_security_context | SECURITY_LOCAL_USERID_CHANGE);
	session->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	session->pushed_snapshot = !ActiveSnapshotSet();
	if (session->pushed_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* Undo catalog_session_begin. */
void
catalog_session_end(CatalogSession *session)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	if (session->pushed_snapshot)
		PopActiveSnapshot();
	AtEOXact_GUC(true, session->guc_level);
	SetUserIdAndSecContext(session->saved_user, session->saved_security_context);
	MemoryContextSwitchTo(session->caller);
}

static void
prepare(CatalogQuery *query)
{
	if (query->plan != NULL)
		return;
	query->plan = SPI_prepare(query->sql, query->argument_count, query->argument_types);
	if (query->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (SPI_keepplan(query->plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
}

static uint64
execute(CatalogQuery *query, const Datum *values, const bool *nulls, bool read_only)
{
	char null_flags[CATALOG_MAX_ARGUMENTS];
	int result;

	prepare(query);
	for (int i = 0; i < query->argument_count; i++)
		null_flags[i] = nulls != NULL && nulls[i] ? 'n' : ' ';
	result = SPI_execute_plan(query->plan, unconstify(Datum *, values), null_flags, read_only, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

uint64
catalog_execute(CatalogQuery *query, const Datum *values, const bool *nulls)
{
	return execute(query, values, nulls, false);
}

uint64
catalog_execute_with_active_snapshot(CatalogQuery *query)
{
	return execute(query, NULL, NULL, true);
}

static Datum
column_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

bool
catalog_column_is_null(uint64 row, int column)
{
	bool isnull;

	(void) column_datum(row, column, &isnull);
	return isnull;
}

int64
catalog_column_int64(uint64 row, int column, int64 if_null)
{
	bool isnull;
	Datum value = column_datum(row, column, &isnull);

	if (isnull)
		return if_null;
	switch (SPI_gettypeid(SPI_tuptable->tupdesc, column))
	{
		case INT8OID:
			return DatumGetInt64(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT2OID:
			return DatumGetInt16(value);
		default:
			return DatumGetObjectId(value);
	}
}

bool
catalog_column_bool(uint64 row, int column)
{
	bool isnull;
	Datum value = column_datum(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

TimestampTz
catalog_column_timestamp(uint64 row, int column)
{
	bool isnull;
	Datum value = column_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

char *
catalog_column_text(uint64 row, int column, MemoryContext context)
{
	bool isnull;
	Datum value = column_datum(row, column, &isnull);
	Oid output;
	bool is_varlena;
	char *text;
	char *result;

	if (isnull)
		return NULL;
	getTypeOutputInfo(SPI_gettypeid(SPI_tuptable->tupdesc, column), &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);
	result = MemoryContextStrdup(context, text);
	pfree(text);
	return result;
}

List *
catalog_column_text_list(uint64 row, int column, MemoryContext context)
{
	bool isnull;
	Datum value = column_datum(row, column, &isnull);
	Datum *elements;
	bool *nulls;
	int count;
	List *result = NIL;
	MemoryContext old;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			result = lappend(result, TextDatumGetCString(elements[i]));
	}
	MemoryContextSwitchTo(old);
	return result;
}

Datum
catalog_array(Datum *values, bool *nulls, int count, Oid element_type)
{
	int16 length;
	bool by_value;
	char alignment;
	int dimensions[1] = {count};
	int lower_bounds[1] = {1};

	if (count == 0)
		return PointerGetDatum(construct_empty_array(element_type));
	get_typlenbyvalalign(element_type, &length, &by_value, &alignment);
	return PointerGetDatum(
		construct_md_array(values, nulls, 1, dimensions, lower_bounds, element_type, length, by_value, alignment));
}

Datum
catalog_text_list_array(List *texts)
{
	int count = list_length(texts);
	Datum *values = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(list_nth(texts, i));
	return catalog_array(values, NULL, count, TEXTOID);
}

Datum
catalog_text(const char *text)
{
	char *copy;

	if (pg_verifymbstr(text, strlen(text), true))
		return CStringGetTextDatum(text);
	copy = pstrdup(text);
	for (char *c = copy; *c != '\0'; c++)
	{
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	}
	return CStringGetTextDatum(copy);
}
