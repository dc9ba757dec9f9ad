/*-------------------------------------------------------------------------
 *
 * statements.c
 *	  Changes to the target as SQL over an ephemeral named relation: a tuplestore that the
 *	  statements see as the table "ingest_batch".
 *
 * Because it is SQL, triggers, partitions, generated columns, row security, privileges, foreign
 * tables and views do what they always do.  A constant number of statements a batch:
 *
 *	insert, no key	INSERT ... SELECT
 *	insert, key		INSERT ... SELECT ... ON CONFLICT (key) DO UPDATE SET what the source feeds
 *	delete, key		DELETE ... USING ingest_batch, by the key
 *	delete, no key	the batch holds (row, how many); all equal rows of the table are numbered for each of them, and
 *					those numbered up to "how many" are deleted by tableoid and ctid (ctid alone would
 *					hit rows of sibling partitions).  Two statements: one for rows without NULLs, which compares
 *					column by column and can be hashed or use an index, one for rows with NULLs, which compares
 *					the nullable columns as records, where NULLs equal each other.
 *	update, key		UPDATE ... FROM ingest_batch, one for each set of fields that are present
 *
 * All operators are written with their schema, so that search_path means nothing.
 *
 * Plans.  The plan of an INSERT cannot go stale and is kept while the target is open.  The others join
 * the batch with the table, whose size changes; they are kept for one batch (its bisection runs them often).  The planner
 * has no statistics of the batch and would sooner sort or hash the whole table than it, so it is told that the batch is
 * tiny.  For joins by key all but the nested loop over the key's index is switched off while planning, because a table must
 * not be read as a whole for each batch; and no such plan is run often enough to be worth compiling (jit).
 * Triggers run under the user's own settings.
 *
 * A new tuplestore for each statement: every start of a plan allocates a read pointer in it that is
 * never given back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "apply/apply_internal.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#define BATCH_RELATION "ingest_batch"
#define STATEMENTS_KEPT_MAX 64
/* A batch is in memory anyway; spilling its copy to disk because work_mem is small would help nobody. */
#define TUPLESTORE_KILOBYTES_MIN (32 * 1024)

/* What the planner is told of a batch that is joined: it should take it for the small side, whatever the table. */
#define ROWS_TOLD_OF_JOINS 10

typedef enum StatementKind
{
	STATEMENT_INSERT,
	STATEMENT_UPSERT,
	STATEMENT_DELETE_KEY,
	STATEMENT_DELETE_ROW,      /* rows without NULLs */
	STATEMENT_DELETE_NULL_ROW, /* rows with NULLs */
	STATEMENT_UPDATE
} StatementKind;

typedef struct Statement
{
	StatementKind kind;
	int column_count;
	int *columns;         /* of the target, in the order of the batch relation */
	TupleDesc descriptor; /* of the batch relation: columns c<attnum>, for row deletes also k and n */
	SPIPlanPtr plan;      /* null until first run */
} Statement;

/* ---- the text --------------------------------------------------------------------- */

static const char *
column_name(const ApplyTarget *target, int column)
{
	return quote_identifier(target->table->columns[column].name);
}

static bool
has_hash(const ApplyTarget *target, int column)
{
	return OidIsValid(target->columns[column].type_cache->hash_proc_finfo.fn_oid);
}

/* "left.column = b.c<attnum>", with the operator that the type's default operator class knows as equality. */
static void
append_equality(StringInfo sql, const ApplyTarget *target, int column, const char *left)
{
	Oid equality = target->columns[column].type_cache->eq_opr;
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(equality));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", equality);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, "%s.%s OPERATOR(%s.%s) b.c%d", left, column_name(target, column),
					 quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname),
					 target->columns[column].attnum);
	ReleaseSysCache(tuple);
}

static void
append_key_condition(StringInfo sql, const ApplyTarget *target)
{
	for (int k = 0; k < target->key_count; k++)
	{
		appendStringInfoString(sql, k == 0 ? " WHERE " : " AND ");
		append_equality(sql, target, target->key_columns[k], "t");
	}
}

/* The columns of a statement, as "prefix<name>, ..." or, for the batch relation, "b.c<attnum>, ...". */
static void
append_columns(StringInfo sql, const ApplyTarget *target, const Statement *statement, const char *prefix)
{
	for (int i = 0; i < statement->column_count; i++)
	{
		int column = statement->columns[i];

		if (i > 0)
			appendStringInfoString(sql, ", ");
		if (prefix != NULL)
			appendStringInfo(sql, "%s%s", prefix, column_name(target, column));
		else
			appendStringInfo(sql, "b.c%d", target->columns[column].attnum);
	}
}

/* What a conflict may overwrite.  An identity column that is always generated refuses. */
static bool
can_be_set(const ApplyTarget *target, int column)
{
	return !target->table->columns[column].in_key && !target->columns[column].identity_always;
}

/* "col = source, ..." behind "lead"; false, and nothing, where no column can be set. */
static bool
append_assignments(StringInfo sql, const ApplyTarget *target, const Statement *statement, const char *lead,
				   bool from_batch)
{
	bool any = false;

	for (int i = 0; i < statement->column_count; i++)
	{
		int column = statement->columns[i];

		if (!can_be_set(target, column))
			continue;
		appendStringInfo(sql, "%s%s = ", any ? ", " : lead, column_name(target, column));
		if (from_batch)
			appendStringInfo(sql, "b.c%d", target->columns[column].attnum);
		else
			appendStringInfo(sql, "excluded.%s", column_name(target, column));
		any = true;
	}
	return any;
}

static void
insert_text(StringInfo sql, const ApplyTarget *target, const Statement *statement)
{
	appendStringInfo(sql, "INSERT INTO %s ", target->qualified_name);
	if (statement->column_count > 0)
	{
		appendStringInfoChar(sql, '(');
		append_columns(sql, target, statement, "");
		appendStringInfoString(sql, ") ");
	}
	appendStringInfoString(sql, "OVERRIDING SYSTEM VALUE SELECT ");
	append_columns(sql, target, statement, NULL);
	appendStringInfoString(sql, " FROM " BATCH_RELATION " AS b");
	if (statement->kind != STATEMENT_UPSERT)
		return;

	appendStringInfoString(sql, " ON CONFLICT (");
	for (int k = 0; k < target->key_count; k++)
		appendStringInfo(sql, "%s%s", k == 0 ? "" : ", ", column_name(target, target->key_columns[k]));
	appendStringInfoString(sql, ") DO ");
	if (!append_assignments(sql, target, statement, "UPDATE SET ", false))
		appendStringInfoString(sql, "NOTHING");
}

/* Append "separator x.column" to left and the batch's column to right. */
static void
append_pair(StringInfo left, StringInfo right, const ApplyTarget *target, int column)
{
	appendStringInfo(left, "%sx.%s", left->len > 0 ? ", " : "", column_name(target, column));
	appendStringInfo(right, "%sb.c%d", right->len > 0 ? ", " : "", target->columns[column].attnum);
}

/* " AND function(left) = function(right)" over the records of these columns; nothing where there are none. */
static void
append_record_equality(StringInfo sql, const char *function, const StringInfoData *left, const StringInfoData *right)
{
	if (left->len > 0)
		appendStringInfo(sql,
						 " AND %s(ROW(%s)::pg_catalog.record) OPERATOR(pg_catalog.=) %s(ROW(%s)::pg_catalog.record)",
						 function, left->data, function, right->data);
}

/*
 * Rows that are equal in all columns of the statement; "x" is the table, "b" the batch.  Records of
 * unnamed types can be compared but not hashed by the executor, so their hash is compared as well.
 */
static void
append_row_condition(StringInfo sql, const ApplyTarget *target, const Statement *statement)
{
	bool all = statement->kind == STATEMENT_DELETE_ROW;
	StringInfoData left, right, left_hash, right_hash;

	initStringInfo(&left);
	initStringInfo(&right);
	initStringInfo(&left_hash);
	initStringInfo(&right_hash);
	appendStringInfoString(sql, "true");
	for (int i = 0; i < statement->column_count; i++)
	{
		int column = statement->columns[i];

		if (all || target->table->columns[column].not_null)
		{
			appendStringInfoString(sql, " AND ");
			append_equality(sql, target, column, "x");
			continue;
		}
		append_pair(&left, &right, target, column);
		if (has_hash(target, column))
			append_pair(&left_hash, &right_hash, target, column);
	}
	append_record_equality(sql, "pg_catalog.hash_record", &left_hash, &right_hash);
	append_record_equality(sql, "", &left, &right);
}

static void
delete_row_text(StringInfo sql, const ApplyTarget *target, const Statement *statement)
{
	appendStringInfo(sql,
					 "DELETE FROM %s AS t USING ("
					 "SELECT m.row_id, m.table_id FROM ("
					 "SELECT x.ctid AS row_id, x.tableoid AS table_id, b.n AS wanted, "
					 "pg_catalog.row_number() OVER (PARTITION BY b.k) AS number "
					 "FROM %s AS x JOIN " BATCH_RELATION " AS b ON ",
					 target->qualified_name, target->qualified_name);
	append_row_condition(sql, target, statement);
	appendStringInfoString(sql, ") AS m WHERE m.number OPERATOR(pg_catalog.<=) m.wanted) AS d "
								"WHERE t.ctid OPERATOR(pg_catalog.=) d.row_id "
								"AND t.tableoid OPERATOR(pg_catalog.=) d.table_id");
}

static char *
statement_text(const ApplyTarget *target, const Statement *statement)
{
	StringInfoData sql;

	initStringInfo(&sql);
	switch (statement->kind)
	{
		case STATEMENT_INSERT:
		case STATEMENT_UPSERT:
			insert_text(&sql, target, statement);
			break;
		case STATEMENT_DELETE_KEY:
			appendStringInfo(&sql, "DELETE FROM %s AS t USING " BATCH_RELATION " AS b", target->qualified_name);
			append_key_condition(&sql, target);
			break;
		case STATEMENT_DELETE_ROW:
		case STATEMENT_DELETE_NULL_ROW:
			delete_row_text(&sql, target, statement);
			break;
		case STATEMENT_UPDATE:
			appendStringInfo(&sql, "UPDATE %s AS t", target->qualified_name);
			append_assignments(&sql, target, statement, " SET ", true);
			appendStringInfoString(&sql, " FROM " BATCH_RELATION " AS b");
			append_key_condition(&sql, target);
			break;
	}
	return sql.data;
}

/* ---- statements that are kept --------------------------------------------------------- */

static bool
is_row_delete(StatementKind kind)
{
	return kind == STATEMENT_DELETE_ROW || kind == STATEMENT_DELETE_NULL_ROW;
}

static bool
is_insert(StatementKind kind)
{
	return kind == STATEMENT_INSERT || kind == STATEMENT_UPSERT;
}

static TupleDesc
batch_descriptor(const ApplyTarget *target, const Statement *statement)
{
	int extra = is_row_delete(statement->kind) ? 2 : 0;
	TupleDesc descriptor = CreateTemplateTupleDesc(statement->column_count + extra);
	AttrNumber number = 0;

	for (int i = 0; i < statement->column_count; i++)
	{
		const TargetColumn *column = &target->columns[statement->columns[i]];
		char name[NAMEDATALEN];

		snprintf(name, sizeof(name), "c%d", column->attnum);
		TupleDescInitEntry(descriptor, ++number, name, column->type, column->typmod, 0);
		TupleDescInitEntryCollation(descriptor, number, column->collation);
	}
	if (extra > 0)
	{
		TupleDescInitEntry(descriptor, ++number, "k", INT4OID, -1, 0);
		TupleDescInitEntry(descriptor, ++number, "n", INT4OID, -1, 0);
	}
	return descriptor;
}

static void
statement_free(ApplyTarget *target, Statement *statement)
{
	target->statements = list_delete_ptr(target->statements, statement);
	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	pfree(statement->columns);
	FreeTupleDesc(statement->descriptor);
	pfree(statement);
}

void
statements_free(ApplyTarget *target)
{
	while (target->statements != NIL)
		statement_free(target, llast(target->statements));
}

void
statements_end_batch(ApplyTarget *target)
{
	/* A source that changes its columns all the time must not fill the memory with plans. */
	bool crowded = list_length(target->statements) > STATEMENTS_KEPT_MAX;

	for (int i = list_length(target->statements) - 1; i >= 0; i--)
	{
		Statement *statement = list_nth(target->statements, i);

		if (crowded || !is_insert(statement->kind))
			statement_free(target, statement);
	}
}

static Statement *
statement_get(ApplyTarget *target, StatementKind kind, const int *columns, int column_count)
{
	MemoryContext old_context;
	Statement *statement;
	ListCell *cell;

	foreach (cell, target->statements)
	{
		statement = lfirst(cell);
		if (statement->kind == kind && statement->column_count == column_count &&
			memcmp(statement->columns, columns, sizeof(int) * column_count) == 0)
			return statement;
	}
	old_context = MemoryContextSwitchTo(target->context);
	statement = palloc0(sizeof(Statement));
	statement->kind = kind;
	statement->column_count = column_count;
	statement->columns = palloc(sizeof(int) * (column_count + 1));
	memcpy(statement->columns, columns, sizeof(int) * column_count);
	statement->descriptor = batch_descriptor(target, statement);
	target->statements = lappend(target->statements, statement);
	MemoryContextSwitchTo(old_context);
	return statement;
}

/* ---- running one ---------------------------------------------------------------------- */

/* Make the plan of a join now, under settings of our own; see the file's comment. */
static void
plan_join(StatementKind kind, SPIPlanPtr plan)
{
	static const char *const switched_off[] = {"jit", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"};
	size_t off_count = is_row_delete(kind) ? 1 : lengthof(switched_off);
	int nest_level = NewGUCNestLevel();
	CachedPlan *cached;

	for (size_t i = 0; i < off_count; i++)
		(void) set_config_option(switched_off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(true, nest_level);
}

/* The plan, made if need be.  SPI is connected and the batch relation registered. */
static SPIPlanPtr
statement_plan(ApplyTarget *target, Statement *statement)
{
	SPIPlanPtr plan;

	if (statement->plan != NULL)
		return statement->plan;
	plan = SPI_prepare(statement_text(target, statement), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	statement->plan = plan;
	if (!is_insert(statement->kind))
		plan_join(statement->kind, plan);
	return plan;
}

/* Run the statement over the "count" rows of the store, which is freed.  Returns the rows it touched. */
static uint64
statement_run(ApplyTarget *target, Statement *statement, Tuplestorestate *store, int count)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));
	uint64 processed;
	int result;

	relation->md.name = BATCH_RELATION;
	relation->md.tupdesc = statement->descriptor;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = is_insert(statement->kind) ? count : Min(count, ROWS_TOLD_OF_JOINS);
	relation->reldata = store;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_register_relation(relation);
	if (result != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed: %s", SPI_result_code_string(result));
	result = SPI_execute_plan(statement_plan(target, statement), NULL, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	processed = SPI_processed;
	SPI_finish();
	tuplestore_end(store);
	return processed;
}

/* ---- changes into statements ------------------------------------------------------------- */

static Tuplestorestate *
store_begin(void)
{
	return tuplestore_begin_heap(false, false, Max(work_mem, TUPLESTORE_KILOBYTES_MIN));
}

/* The values of one change, for the columns of a statement. */
static void
change_values(const ApplyRun *run, const Change *change, const Statement *statement, Datum *values, bool *nulls)
{
	for (int i = 0; i < statement->column_count; i++)
	{
		int column = statement->columns[i];

		values[i] = change_value(run, change, column);
		nulls[i] = change_state(run, change, column) != VALUE_DATUM;
	}
}

/* All changes of one kind in one statement of "kind".  Returns how many of them touched no row. */
static int64
apply_kind(ApplyRun *run, const Change *changes, int count, ChangeKind change_kind, StatementKind kind,
		   const int *columns, int column_count)
{
	Statement *statement = statement_get(run->target, kind, columns, column_count);
	Datum *values = palloc(sizeof(Datum) * (column_count + 1));
	bool *nulls = palloc(sizeof(bool) * (column_count + 1));
	Tuplestorestate *store = store_begin();
	int64 touched;
	int stored = 0;

	for (int i = 0; i < count; i++)
	{
		if (changes[i].kind != change_kind)
			continue;
		change_values(run, &changes[i], statement, values, nulls);
		tuplestore_putvalues(store, statement->descriptor, values, nulls);
		stored++;
	}
	touched = (int64) statement_run(run->target, statement, store, stored);
	return Max(stored - touched, 0);
}

/* Deletes without key, those with or those without NULLs. */
static void
apply_row_deletes(ApplyRun *run, const Change *changes, int count, StatementKind kind)
{
	Statement *statement = statement_get(run->target, kind, run->provided, run->provided_count);
	int column_count = statement->column_count;
	Datum *values = palloc(sizeof(Datum) * (column_count + 2));
	bool *nulls = palloc0(sizeof(bool) * (column_count + 2));
	Tuplestorestate *store = store_begin();
	int64 wanted = 0;
	int stored = 0;

	for (int i = 0; i < count; i++)
	{
		bool has_null = false;

		if (changes[i].kind != CHANGE_DELETE)
			continue;
		change_values(run, &changes[i], statement, values, nulls);
		for (int c = 0; c < column_count; c++)
			has_null |= nulls[c];
		if (has_null != (kind == STATEMENT_DELETE_NULL_ROW))
			continue;
		values[column_count] = Int32GetDatum(stored++);
		values[column_count + 1] = Int32GetDatum(changes[i].records);
		tuplestore_putvalues(store, statement->descriptor, values, nulls);
		wanted += changes[i].records;
	}
	if (stored > 0)
		run->unmatched += wanted - (int64) statement_run(run->target, statement, store, stored);
}

/* ---- updates, by the set of fields they have ---------------------------------------------- */

static bool
same_fields(const ApplyRun *run, const Change *left, const Change *right)
{
	for (int i = 0; i < run->provided_count; i++)
	{
		int column = run->provided[i];

		if ((change_state(run, left, column) == VALUE_MISSING) != (change_state(run, right, column) == VALUE_MISSING))
			return false;
	}
	return true;
}

/* Update number "from" and all behind it that have the same fields, in one statement. */
static void
apply_same_updates(ApplyRun *run, const Change *updates, bool *done, int count, int from)
{
	Change *alike = palloc_extended(sizeof(Change) * count, MCXT_ALLOC_HUGE);
	int *columns = palloc(sizeof(int) * (run->provided_count + 1));
	bool anything_to_set = false;
	int alike_count = 0;
	int column_count = 0;

	for (int i = 0; i < run->provided_count; i++)
	{
		int column = run->provided[i];

		if (change_state(run, &updates[from], column) == VALUE_MISSING)
			continue;
		columns[column_count++] = column;
		anything_to_set |= can_be_set(run->target, column);
	}
	for (int i = from; i < count; i++)
	{
		if (done[i] || !same_fields(run, &updates[from], &updates[i]))
			continue;
		done[i] = true;
		alike[alike_count++] = updates[i];
	}
	if (anything_to_set)
		run->updates_unmatched +=
			apply_kind(run, alike, alike_count, CHANGE_UPDATE, STATEMENT_UPDATE, columns, column_count);
	pfree(alike);
}

static void
apply_updates(ApplyRun *run, const Change *changes, int count, int update_count)
{
	Change *updates = palloc_extended(sizeof(Change) * update_count, MCXT_ALLOC_HUGE);
	bool *done = palloc0(update_count);
	int found = 0;

	for (int i = 0; i < count; i++)
		if (changes[i].kind == CHANGE_UPDATE)
			updates[found++] = changes[i];
	for (int i = 0; i < update_count; i++)
		if (!done[i])
			apply_same_updates(run, updates, done, update_count, i);
}

void
statements_apply(ApplyRun *run, const Change *changes, int count)
{
	bool has_key = run->target->table->has_key;
	int counts[3] = {0};

	for (int i = 0; i < count; i++)
		counts[changes[i].kind]++;
	if (counts[CHANGE_DELETE] > 0 && has_key)
		(void) apply_kind(run, changes, count, CHANGE_DELETE, STATEMENT_DELETE_KEY, run->target->key_columns,
						  run->target->key_count);
	else if (counts[CHANGE_DELETE] > 0)
	{
		apply_row_deletes(run, changes, count, STATEMENT_DELETE_ROW);
		apply_row_deletes(run, changes, count, STATEMENT_DELETE_NULL_ROW);
	}
	if (counts[CHANGE_INSERT] > 0)
		(void) apply_kind(run, changes, count, CHANGE_INSERT, has_key ? STATEMENT_UPSERT : STATEMENT_INSERT,
						  run->provided, run->provided_count);
	if (counts[CHANGE_UPDATE] > 0)
		apply_updates(run, changes, count, counts[CHANGE_UPDATE]);
}
