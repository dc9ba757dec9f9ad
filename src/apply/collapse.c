/*-------------------------------------------------------------------------
 *
 * collapse.c
 *	  Records to changes: what is left to do once everything in the batch that cancels
 *	  or overwrites each other is gone.
 *
 * With a primary key.  Records of equal keys fold into one change, in arrival order; the last
 * one wins.  A row below is what the key has come to so far, a column is the next record.
 *
 *				insert (row)			delete		update (some fields)
 *	nothing		insert row				delete		update fields
 *	insert		insert the new row		delete		insert, the fields laid over its row
 *	delete		insert row				delete		delete: there is no row to update
 *	update		insert row				delete		update, the fields laid over each other
 *
 *	- An insert is an upsert, so "delete, then insert" is an insert: columns that the source does not have keep
 *	  their values, no foreign key and no cascade sees a gap.
 *	- "insert, then delete" stays a delete: the table may hold an older row of the key.
 *	- A record whose key holds a NULL or is missing has no equals.  An insert stands for itself, and the table
 *	  says what it thinks of it; a delete or an update is rejected.
 *	- In a set difference the order of a version's deletes and inserts means nothing: an insert wins over a delete on
 *	  either side of it, and where all columns are equal both are gone.
 *
 * Without a primary key, a table is a bag.  An insert cancels against a later delete of an equal row (the
 * latest such insert, if there are several); a delete never cancels against a later insert, since what it deletes is
 * in the table.  In a set difference equal pairs cancel in either order.  Equal deletes that are left become
 * one change with a count.  What is left may be applied deletes first: whatever insert a delete
 * could have swallowed has cancelled against it.  An update has nothing to find its row by, and is rejected.
 *
 * Equality is that of the types' default operator classes, NULLs equal each other: the same as in the primary key's
 * index and in "record = record", which the statements use.
 *
 * Memory: one hash table in the batch's context; entries are found by row, no key is copied.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/apply_internal.h"
#include "common/hashfn.h"
#include "utils/memutils.h"

typedef struct RowGroup
{
	uint32 hash;
	int32 row; /* any row of the group */
	char status;
	int32 change; /* index of the change (keyless: of the one that deletes), -1 none */
	int32 insert; /* keyless: latest insert not cancelled, -1 none; older ones by next_row */
	bool refused; /* keyed: a record of it failed in conversion */
} RowGroup;

/* What a comparison needs; also the hash table's private data. */
typedef struct Equality
{
	const ApplyRun *run;
	int count;
	const int *columns; /* that make two rows equal */
} Equality;

static bool rows_equal(const Equality *equality, int32 left, int32 right);

#define SH_PREFIX group
#define SH_ELEMENT_TYPE RowGroup
#define SH_KEY_TYPE int32
#define SH_KEY row
#define SH_HASH_KEY(table, key) 0
#define SH_EQUAL(table, a, b) rows_equal((const Equality *) (table)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Collapse
{
	ApplyRun *run;
	Equality equality;
	group_hash *groups;
	bool *cancelled; /* keyless: by row, inserts that a delete took away */
} Collapse;

/* ---- equality ------------------------------------------------------------------- */

static bool
rows_equal(const Equality *equality, int32 left, int32 right)
{
	const ApplyRun *run = equality->run;

	for (int i = 0; i < equality->count; i++)
	{
		int column = equality->columns[i];
		const ConvertedColumn *values = &run->columns[column];
		const TargetColumn *target_column = &run->target->columns[column];

		if (values->states[left] != values->states[right])
			return false;
		if (values->states[left] == VALUE_DATUM &&
			!DatumGetBool(FunctionCall2Coll(&target_column->type_cache->eq_opr_finfo, target_column->collation,
											values->values[left], values->values[right])))
			return false;
	}
	return true;
}

/* Types that cannot be hashed take no part; rows that differ in them only meet in one bucket. */
static uint32
row_hash(const Equality *equality, int32 row)
{
	const ApplyRun *run = equality->run;
	uint32 hash = 0;

	for (int i = 0; i < equality->count; i++)
	{
		int column = equality->columns[i];
		const TargetColumn *target_column = &run->target->columns[column];
		FmgrInfo *function = &target_column->type_cache->hash_proc_finfo;

		if (run->columns[column].states[row] != VALUE_DATUM || !OidIsValid(function->fn_oid))
			continue;
		hash = hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(function, target_column->collation,
																   run->columns[column].values[row])));
	}
	return murmurhash32(hash);
}

/* The group of "row", made where there is none. */
static RowGroup *
find_group(Collapse *collapse, int32 row)
{
	bool found;
	RowGroup *group = group_insert_hash(collapse->groups, row, row_hash(&collapse->equality, row), &found);

	if (!found)
	{
		group->change = -1;
		group->insert = -1;
		group->refused = false;
	}
	return group;
}

static void
collapse_begin(Collapse *collapse, ApplyRun *run, const int *columns, int count)
{
	collapse->run = run;
	collapse->equality = (Equality){.run = run, .columns = columns, .count = count};
	collapse->groups = group_create(run->context, Max(run->batch->row_count, 16), &collapse->equality);
	collapse->cancelled = NULL;
}

/* ---- changes ----------------------------------------------------------------------- */

static Change *
add_change(ApplyRun *run, ChangeKind kind, int32 row)
{
	Change *change = &run->changes[run->change_count++];

	memset(change, 0, sizeof(*change));
	change->kind = kind;
	change->first = row;
	change->tail = row;
	change->last = row;
	change->records = 1;
	run->next_row[row] = -1;
	return change;
}

/* "row" is one more record of the change. */
static void
chain_row(ApplyRun *run, Change *change, int32 row)
{
	run->next_row[change->tail] = row;
	run->next_row[row] = -1;
	change->tail = row;
	change->records++;
}

/* Changes that have come to nothing are done. */
static void
drop_nothings(ApplyRun *run)
{
	int kept = 0;

	run->unmatched = 0;
	run->updates_unmatched = 0;
	for (int i = 0; i < run->change_count; i++)
	{
		if (run->changes[i].nothing)
			count_accepted(run, &run->changes[i], 1);
		else
			run->changes[kept++] = run->changes[i];
	}
	run->change_count = kept;
}

/* ---- with a primary key -------------------------------------------------------------- */

/* Lay the fields that "row" has over what the change gives so far. */
static void
lay_over(ApplyRun *run, Change *change, int32 row)
{
	int column_count = run->target->table->column_count;
	Datum *values = palloc0(sizeof(Datum) * column_count);
	uint8 *states = palloc0(column_count);

	for (int i = 0; i < run->provided_count; i++)
	{
		int column = run->provided[i];
		/* An update names its key, it does not set it: 1.0 and 1.00 are the same one. */
		bool given = !run->target->table->columns[column].in_key && run->columns[column].states[row] != VALUE_MISSING;

		states[column] = given ? run->columns[column].states[row] : change_state(run, change, column);
		values[column] = given ? run->columns[column].values[row] : change_value(run, change, column);
	}
	change->values = values;
	change->states = states;
	change->last = row;
}

/* The record "row" overwrites what the change was. */
static void
overwrite(Change *change, ChangeKind kind, int32 row)
{
	change->kind = kind;
	change->last = row;
	change->values = NULL;
	change->states = NULL;
}

/* Are the two rows the same in every column that the source feeds?  A column without equality never is. */
static bool
same_rows(const ApplyRun *run, int32 left, int32 right)
{
	Equality equality = {.run = run, .columns = run->provided, .count = run->provided_count};

	for (int i = 0; i < run->provided_count; i++)
		if (!OidIsValid(run->target->columns[run->provided[i]].type_cache->eq_opr))
			return false;
	return rows_equal(&equality, left, right);
}

/* Fold the record "row" into what its key has come to; the table is in the file's comment. */
static void
fold(ApplyRun *run, Change *change, int32 row)
{
	ChangeKind kind = apply_row_kind(run, row);
	bool difference = run->batch->set_difference;

	chain_row(run, change, row);
	if (change->nothing)
	{
		change->nothing = false;
		overwrite(change, kind, row);
		return;
	}
	switch (kind)
	{
		case CHANGE_INSERT:
			change->nothing = difference && change->kind == CHANGE_DELETE && same_rows(run, change->last, row);
			overwrite(change, CHANGE_INSERT, row);
			break;
		case CHANGE_DELETE:
			if (difference && change->kind == CHANGE_INSERT)
				change->nothing = same_rows(run, change->last, row);
			else
				overwrite(change, CHANGE_DELETE, row);
			break;
		case CHANGE_UPDATE:
			if (change->kind != CHANGE_DELETE)
				lay_over(run, change, row);
			break;
	}
}

/* Index of the first key column without a value in this row, or -1. */
static int
missing_key_column(const ApplyRun *run, int32 row)
{
	const ApplyTarget *target = run->target;

	for (int k = 0; k < target->key_count; k++)
	{
		const uint8 *states = run->columns[target->key_columns[k]].states;

		if (states == NULL || states[row] != VALUE_DATUM)
			return target->key_columns[k];
	}
	return -1;
}

/* A record without a whole key has no equals. */
static void
collapse_without_key(ApplyRun *run, int32 row, int column)
{
	const char *name = run->target->table->columns[column].name;

	if (apply_row_kind(run, row) == CHANGE_INSERT)
		add_change(run, CHANGE_INSERT, row);
	else
		reject_row(run, row, ERRCODE_NULL_VALUE_NOT_ALLOWED,
				   psprintf("the record gives no value for column \"%s\" of the primary key", name), name);
}

/* A record that conversion has rejected: its key counts for the same-error rule, once. */
static void
note_refused(Collapse *collapse, int32 row, bool has_key)
{
	ApplyRun *run = collapse->run;
	int64 *failed_keys = &run->tally[apply_row_kind(run, row)].failed_keys;
	RowGroup *group = has_key ? find_group(collapse, row) : NULL;

	if (group == NULL || !group->refused)
		(*failed_keys)++;
	if (group == NULL)
		return;
	group->refused = true;
	if (group->change >= 0)
		run->changes[group->change].refused_before = true;
}

static void
collapse_keyed_row(Collapse *collapse, int32 row)
{
	ApplyRun *run = collapse->run;
	int missing = missing_key_column(run, row);
	RowGroup *group;

	if (run->row_rejected[row])
		note_refused(collapse, row, missing < 0);
	else if (missing >= 0)
		collapse_without_key(run, row, missing);
	else if ((group = find_group(collapse, row))->change >= 0)
		fold(run, &run->changes[group->change], row);
	else
	{
		group->change = run->change_count;
		add_change(run, apply_row_kind(run, row), row)->refused_before = group->refused;
	}
}

static void
collapse_keyed(ApplyRun *run)
{
	Collapse collapse;

	collapse_begin(&collapse, run, run->target->key_columns, run->target->key_count);
	for (uint32 row = 0; row < run->batch->row_count; row++)
		collapse_keyed_row(&collapse, (int32) row);
}

/* ---- without ------------------------------------------------------------------------------ */

/* Deletes find their rows by all columns: can they? */
static void
check_deletes(const ApplyRun *run)
{
	const ApplyTarget *target = run->target;

	if (target->relkind == RELKIND_VIEW)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("cannot delete single rows from view \"%s\"", target->table->name),
				errdetail("A view has no primary key, and its rows cannot be told apart."),
				errhint("Name the table itself as the connector's target."));
	if (run->provided_count == 0)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("the source has no column of table \"%s\" to find rows by", target->table->name));
	for (int i = 0; i < run->provided_count; i++)
	{
		const ColumnTarget *column = &target->table->columns[run->provided[i]];

		if (!OidIsValid(target->columns[run->provided[i]].type_cache->eq_opr))
			ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot delete rows of table \"%s\" by column \"%s\"", target->table->name, column->name),
					errdetail("Type %s has no equality operator, and the table has no primary key.", column->type_name),
					errhint("Add a primary key to the table, or use a type that can be compared, such as jsonb."));
	}
}

static void
collapse_insert(Collapse *collapse, int32 row)
{
	RowGroup *group = find_group(collapse, row);

	collapse->run->next_row[row] = group->insert;
	group->insert = row;
}

static void
collapse_delete(Collapse *collapse, int32 row)
{
	ApplyRun *run = collapse->run;
	RowGroup *group = find_group(collapse, row);

	if (group->insert >= 0)
	{
		int32 insert = group->insert;

		group->insert = run->next_row[insert];
		add_change(run, CHANGE_DELETE, row)->nothing = true;
		add_change(run, CHANGE_INSERT, insert)->nothing = true;
		collapse->cancelled[insert] = true;
	}
	else if (group->change >= 0)
		chain_row(run, &run->changes[group->change], row);
	else
	{
		group->change = run->change_count;
		add_change(run, CHANGE_DELETE, row);
	}
}

/* Look at the records of one kind or of both; "kinds" is a mask of 1 << ChangeKind. */
static void
collapse_pass(Collapse *collapse, int kinds)
{
	ApplyRun *run = collapse->run;

	for (uint32 i = 0; i < run->batch->row_count; i++)
	{
		int32 row = (int32) i;
		ChangeKind kind = apply_row_kind(run, row);

		if (run->row_rejected[row] || (kinds & (1 << kind)) == 0)
			continue;
		if (kind == CHANGE_DELETE)
			collapse_delete(collapse, row);
		else if (kind == CHANGE_INSERT)
			collapse_insert(collapse, row);
	}
}

/* Reject what cannot be, and say whether there is anything to delete. */
static bool
check_keyless_rows(ApplyRun *run)
{
	bool deletes = false;

	for (uint32 i = 0; i < run->batch->row_count; i++)
	{
		int32 row = (int32) i;
		ChangeKind kind = apply_row_kind(run, row);

		if (run->row_rejected[row])
			run->tally[kind].failed_keys++;
		else if (kind == CHANGE_UPDATE)
		{
			run->row_rejected[row] = true;
			reject_row(
				run, row, ERRCODE_FEATURE_NOT_SUPPORTED,
				psprintf("cannot update a row of table \"%s\", which has no primary key", run->target->table->name),
				NULL);
		}
		deletes |= kind == CHANGE_DELETE;
	}
	return deletes;
}

static void
collapse_keyless(ApplyRun *run)
{
	Collapse collapse = {0};
	uint32 row_count = run->batch->row_count;
	bool deletes = run->batch->kinds != NULL && check_keyless_rows(run);

	if (deletes)
	{
		check_deletes(run);
		collapse_begin(&collapse, run, run->provided, run->provided_count);
		collapse.cancelled = palloc0(row_count);
		if (run->batch->set_difference)
		{
			/* As if all inserts came first: then a delete cancels against any of them. */
			collapse_pass(&collapse, 1 << CHANGE_INSERT);
			collapse_pass(&collapse, 1 << CHANGE_DELETE);
		}
		else
			collapse_pass(&collapse, 1 << CHANGE_INSERT | 1 << CHANGE_DELETE);
	}
	for (uint32 row = 0; row < row_count; row++)
		if (apply_row_kind(run, row) == CHANGE_INSERT && !run->row_rejected[row] &&
			!(deletes && collapse.cancelled[row]))
			add_change(run, CHANGE_INSERT, row);
}

void
collapse_batch(ApplyRun *run)
{
	Size row_count = run->batch->row_count;

	/* A record makes at most one change. */
	run->changes = palloc_extended(sizeof(Change) * (row_count + 1), MCXT_ALLOC_HUGE);
	run->next_row = palloc_extended(sizeof(int32) * (row_count + 1), MCXT_ALLOC_HUGE);
	run->change_count = 0;
	if (run->target->table->has_key)
		collapse_keyed(run);
	else
		collapse_keyless(run);
	drop_nothings(run);
}
