/*-------------------------------------------------------------------------
 *
 * target.c
 *	  The target table, described twice: as a TargetTable for the decoding threads
 *	  (plain C, malloc'ed) and as TargetColumns for this room.
 *
 * Accepted are tables, partitioned tables, foreign tables and views, as far as SQL can
 * insert into them.  A primary key makes the target keyed; it must be able to arbitrate
 * ON CONFLICT: a valid b-tree that is not deferrable.
 *
 * A description is never brought up to date.  apply_target_is_current compares it with the
 * relation under a lock that keeps DDL out until the transaction ends; where something
 * differs the caller closes it and opens another one.  Column defaults are not part of the
 * description (only whether there is one): convert.c reads them anew for each batch.
 *
 * Triggers of the target run with the rights of whoever writes.  A superuser therefore writes only into relations
 * that belong to superusers: the owner is looked at under the lock, in each transaction, because a table may be given away
 * while it is fed.  Those below it (partitions, children) are looked at again when any relation has changed.
 *
 * Memory: everything hangs on one context, whose reset callback frees the malloc'ed part and
 * the kept plans, so that an aborted caller leaks nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "access/genam.h"
#include "access/relation.h"
#include "apply/apply_internal.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "parser/scansup.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* ---- the plain C description ------------------------------------------------ */

/* Where the binary form of a type is known to the threads. */
static const struct
{
	Oid type;
	ColumnForm form;
} type_forms[] = {
	{BOOLOID, FORM_BOOLEAN},        {INT2OID, FORM_INT2},
	{INT4OID, FORM_INT4},           {INT8OID, FORM_INT8},
	{FLOAT4OID, FORM_FLOAT4},       {FLOAT8OID, FORM_FLOAT8},
	{NUMERICOID, FORM_NUMERIC},     {TEXTOID, FORM_TEXT},
	{VARCHAROID, FORM_TEXT},        {BPCHAROID, FORM_BPCHAR},
	{BYTEAOID, FORM_BYTEA},         {UUIDOID, FORM_UUID},
	{DATEOID, FORM_DATE},           {TIMEOID, FORM_TIME},
	{TIMESTAMPOID, FORM_TIMESTAMP}, {TIMESTAMPTZOID, FORM_TIMESTAMPTZ},
	{INTERVALOID, FORM_INTERVAL},   {JSONOID, FORM_JSON},
	{JSONBOID, FORM_JSON},
};

static ColumnForm
form_of_type(Oid type, int32 typmod)
{
	for (size_t i = 0; i < lengthof(type_forms); i++)
	{
		if (type_forms[i].type != type)
			continue;
		/* An interval's typmod may cut fields off, which its input function knows best. */
		if (type == INTERVALOID && typmod >= 0)
			return FORM_INPUT;
		/* bpchar without a length is not padded: in memory it is a text. */
		if (type == BPCHAROID && typmod < (int32) VARHDRSZ)
			return FORM_TEXT;
		return type_forms[i].form;
	}
	return OidIsValid(get_element_type(type)) ? FORM_ARRAY : FORM_INPUT;
}

/* What a typmod says, as numeric.c, varchar.c and timestamp.c pack it. */
static void
describe_typmod(ColumnTarget *column, Oid type, int32 typmod)
{
	column->fraction_digits = MAX_TIMESTAMP_PRECISION;
	if (type == NUMERICOID && typmod >= (int32) VARHDRSZ)
	{
		int32 packed = typmod - VARHDRSZ;

		column->precision = (packed >> 16) & 0xffff;
		column->scale = ((packed & 0x7ff) ^ 1024) - 1024;
	}
	else if ((type == VARCHAROID || type == BPCHAROID) && typmod >= (int32) VARHDRSZ)
		column->length = typmod - VARHDRSZ;
	else if ((type == TIMEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID) && typmod >= 0)
		column->fraction_digits = typmod;
}

/* Fill in what follows from a column's type.  Strings are palloc'ed. */
static void
describe_type(ColumnTarget *column, Oid type, int32 typmod)
{
	column->type_name = format_type_with_typemod(type, typmod);
	column->form = form_of_type(type, typmod);
	describe_typmod(column, type, typmod);
	if (column->form == FORM_ARRAY)
	{
		column->element = palloc0(sizeof(ColumnTarget));
		column->element->name = column->name;
		describe_type(column->element, get_element_type(type), typmod);
	}
}

static void
describe_attribute(ColumnTarget *column, Form_pg_attribute attribute)
{
	char *name = pstrdup(NameStr(attribute->attname));
	char *folded = downcase_identifier(name, strlen(name), false, false);

	column->name = name;
	column->case_sensitive = strcmp(name, folded) != 0;
	column->not_null = attribute->attnotnull;
	column->has_default = attribute->atthasdef || attribute->attidentity != '\0';
	column->generated = attribute->attgenerated != '\0';
	describe_type(column, attribute->atttypid, attribute->atttypmod);
	pfree(folded);
}

void
apply_describe_free(TargetTable *table)
{
	if (table == NULL)
		return;
	for (int i = 0; i < table->column_count; i++)
	{
		ColumnTarget *column = &table->columns[i];

		if (column->element != NULL)
		{
			free(column->element->type_name);
			free(column->element);
		}
		free(column->type_name);
		free(column->name);
	}
	free(table->columns);
	free(table->name);
	free(table);
}

/* A malloc'ed copy of what *from points to; "to" is a flat copy of "from" already. */
static bool
copy_column(ColumnTarget *to, const ColumnTarget *from)
{
	to->name = strdup(from->name);
	to->type_name = strdup(from->type_name);
	to->element = NULL;
	if (from->element != NULL)
	{
		to->element = malloc(sizeof(ColumnTarget));
		if (to->element == NULL)
			return false;
		*to->element = *from->element;
		to->element->element = NULL;
		to->element->name = to->name;
		to->element->type_name = strdup(from->element->type_name);
		if (to->element->type_name == NULL)
			return false;
	}
	return to->name != NULL && to->type_name != NULL;
}

/* The palloc'ed description as malloc'ed memory: made in one go, so that nothing can be raised half-way. */
static TargetTable *
copy_table(const TargetTable *from)
{
	TargetTable *table = calloc(1, sizeof(TargetTable));
	bool complete = table != NULL;

	if (complete)
	{
		*table = *from;
		table->name = strdup(from->name);
		table->columns = calloc(from->column_count + 1, sizeof(ColumnTarget));
		complete = table->name != NULL && table->columns != NULL;
		table->column_count = 0;
	}
	while (complete && table->column_count < from->column_count)
	{
		int i = table->column_count++;

		table->columns[i] = from->columns[i];
		complete = copy_column(&table->columns[i], &from->columns[i]);
	}
	if (!complete)
	{
		apply_describe_free(table);
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	}
	return table;
}

/* ---- checks ------------------------------------------------------------------ */

static Relation
target_relation_open(Oid relid, LOCKMODE mode)
{
	Relation relation = try_relation_open(relid, mode);

	if (relation == NULL)
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("target table with OID %u does not exist", relid),
				errhint("Drop the connector, or create it again for another table."));
	return relation;
}

static void
check_relation_kind(Relation relation)
{
	char kind = relation->rd_rel->relkind;
	const char *name = RelationGetRelationName(relation);

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE &&
		kind != RELKIND_VIEW)
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot write rows into \"%s\"", name),
				errdetail_relkind_not_supported(kind), errhint("The target of a connector is a table."));
	if ((kind == RELKIND_FOREIGN_TABLE || kind == RELKIND_VIEW) &&
		(relation_is_updatable(RelationGetRelid(relation), NIL, true, NULL) & (1 << CMD_INSERT)) == 0)
		ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot insert into \"%s\"", name),
				kind == RELKIND_VIEW ? errhint("Give the view an INSTEAD OF INSERT trigger, or name the table itself.")
									 : errhint("Its foreign data wrapper takes no rows; name another table."));
}

static void
check_key_index(Relation relation, Form_pg_index index, Oid access_method)
{
	const char *name = RelationGetRelationName(relation);

	if (!index->indimmediate)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the primary key of table \"%s\" is deferrable", name),
				errdetail("A deferrable primary key cannot arbitrate conflicts, so rows cannot be upserted."),
				errhint("Declare the primary key NOT DEFERRABLE."));
	if (!index->indisvalid || access_method != BTREE_AM_OID)
		ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the primary key of table \"%s\" cannot arbitrate conflicts", name),
				errhint("Rows are upserted by a primary key that is valid and has no WITHOUT OVERLAPS."));
}

/* The index of the primary key, or InvalidOid; *attributes is a palloc'ed array of its *count columns. */
static Oid
find_primary_key(Relation relation, AttrNumber **attributes, int *count)
{
	List *indexes = RelationGetIndexList(relation);
	ListCell *cell;
	Oid found = InvalidOid;

	*count = 0;
	foreach (cell, indexes)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisprimary)
		{
			check_key_index(relation, form, index->rd_rel->relam);
			found = RelationGetRelid(index);
			*count = form->indnkeyatts;
			*attributes = palloc(sizeof(AttrNumber) * form->indnkeyatts);
			memcpy(*attributes, form->indkey.values, sizeof(AttrNumber) * form->indnkeyatts);
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static char *
relation_display_name(Relation relation)
{
	return psprintf("%s.%s", get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
}

/* Palloc'ed description of an open relation; key_attributes from find_primary_key. */
static TargetTable *
describe_relation(Relation relation, const AttrNumber *key_attributes, int key_count)
{
	TupleDesc descriptor = RelationGetDescr(relation);
	TargetTable *table = palloc0(sizeof(TargetTable));

	table->name = relation_display_name(relation);
	table->columns = palloc0(sizeof(ColumnTarget) * (descriptor->natts + 1));
	table->has_key = key_count > 0;
	table->utf8 = GetDatabaseEncoding() == PG_UTF8;
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ColumnTarget *column = &table->columns[table->column_count];

		if (attribute->attisdropped)
			continue;
		describe_attribute(column, attribute);
		for (int k = 0; k < key_count; k++)
			column->in_key |= key_attributes[k] == attribute->attnum;
		table->column_count++;
	}
	return table;
}

TargetTable *
apply_describe(Oid relid)
{
	Relation relation = target_relation_open(relid, AccessShareLock);
	AttrNumber *key_attributes = NULL;
	int key_count;
	TargetTable *table;

	check_relation_kind(relation);
	find_primary_key(relation, &key_attributes, &key_count);
	table = describe_relation(relation, key_attributes, key_count);
	relation_close(relation, NoLock);
	return copy_table(table);
}

/* ---- the server's description ---------------------------------------------------- */

static void
describe_target_column(TargetColumn *column, Form_pg_attribute attribute)
{
	Oid input;

	column->attnum = attribute->attnum;
	column->type = attribute->atttypid;
	column->typmod = attribute->atttypmod;
	column->collation = attribute->attcollation;
	column->domain = get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN;
	column->identity_always = attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
	getTypeInputInfo(attribute->atttypid, &input, &column->input_parameter);
	fmgr_info(input, &column->input);
	column->type_cache =
		lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO);
}

/* Indexes into target->columns of the key's attributes, in the key's order. */
static void
map_key_columns(ApplyTarget *target, const AttrNumber *key_attributes, int key_count)
{
	target->key_count = key_count;
	target->key_columns = palloc0(sizeof(int) * (key_count + 1));
	for (int k = 0; k < key_count; k++)
		for (int i = 0; i < target->table->column_count; i++)
			if (target->columns[i].attnum == key_attributes[k])
				target->key_columns[k] = i;
}

static void
target_release(void *argument)
{
	ApplyTarget *target = argument;

	statements_free(target);
	apply_describe_free(target->table);
	target->table = NULL;
}

/* ---- whose triggers would run? -------------------------------------------------------- */

/* Grows whenever any relation changes. */
static uint64 relation_changes = 1;

static void
note_relation_change(Datum argument, Oid relid)
{
	(void) argument;
	(void) relid;
	relation_changes++;
}

static void
watch_relations(void)
{
	static bool watching = false;

	if (!watching)
		CacheRegisterRelcacheCallback(note_relation_change, (Datum) 0);
	watching = true;
}

static void
check_owner(Oid relid, Oid owner)
{
	if (owner == GetUserId() || superuser_arg(owner))
		return;
	ereport(
		ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		errmsg("table \"%s\" belongs to role \"%s\", but the connector runs as superuser \"%s\"", get_rel_name(relid),
			   GetUserNameFromId(owner, true), GetUserNameFromId(GetUserId(), true)),
		errdetail("Triggers of the table would run with a superuser's rights."),
		errhint(
			"Create the connector again, so that it runs as the owner of the table, or make a superuser the owner."));
}

/* Raises where a superuser would write into somebody else's relation. */
static void
check_owners(ApplyTarget *target, Relation relation)
{
	uint64 changes = relation_changes;
	ListCell *cell;

	if (!superuser())
		return;
	check_owner(RelationGetRelid(relation), relation->rd_rel->relowner);
	if (!relation->rd_rel->relhassubclass || target->owners_checked == changes)
		return;
	foreach (cell, find_all_inheritors(RelationGetRelid(relation), NoLock, NULL))
	{
		HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));
		Oid owner;

		if (!HeapTupleIsValid(tuple))
			continue;
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
		check_owner(lfirst_oid(cell), owner);
	}
	target->owners_checked = changes;
}

/* ---- opening -------------------------------------------------------------------------- */

static void
describe_target(ApplyTarget *target, Relation relation)
{
	TupleDesc descriptor = RelationGetDescr(relation);
	AttrNumber *key_attributes = NULL;
	int key_count;
	int column = 0;

	check_relation_kind(relation);
	watch_relations();
	check_owners(target, relation);
	target->relid = RelationGetRelid(relation);
	target->relkind = relation->rd_rel->relkind;
	target->qualified_name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
														RelationGetRelationName(relation));
	target->descriptor = CreateTupleDescCopyConstr(descriptor);
	target->key_index = find_primary_key(relation, &key_attributes, &key_count);
	target->table = copy_table(describe_relation(relation, key_attributes, key_count));
	target->columns = palloc0(sizeof(TargetColumn) * (target->table->column_count + 1));
	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			describe_target_column(&target->columns[column++], TupleDescAttr(descriptor, i));
	map_key_columns(target, key_attributes, key_count);
}

ApplyTarget *
apply_open(Oid relid)
{
	Relation relation = target_relation_open(relid, AccessShareLock);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "apply target", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	ApplyTarget *target = palloc0(sizeof(ApplyTarget));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	target->context = context;
	callback->func = target_release;
	callback->arg = target;
	MemoryContextRegisterResetCallback(context, callback);
	describe_target(target, relation);
	MemoryContextSwitchTo(old_context);
	relation_close(relation, NoLock);
	return target;
}

void
apply_close(ApplyTarget *target)
{
	if (target != NULL)
		MemoryContextDelete(target->context);
}

const TargetTable *
apply_target_table(const ApplyTarget *target)
{
	return target->table;
}

/* ---- is it still the same? ---------------------------------------------------------- */

static bool
same_attribute(TupleDesc left_descriptor, TupleDesc right_descriptor, int i)
{
	Form_pg_attribute left = TupleDescAttr(left_descriptor, i);
	Form_pg_attribute right = TupleDescAttr(right_descriptor, i);

	if (left->attisdropped || right->attisdropped)
		return left->attisdropped == right->attisdropped;
	return strcmp(NameStr(left->attname), NameStr(right->attname)) == 0 && left->atttypid == right->atttypid &&
		   left->atttypmod == right->atttypmod && left->attcollation == right->attcollation &&
		   left->attnotnull == right->attnotnull && left->atthasdef == right->atthasdef &&
		   left->attidentity == right->attidentity && left->attgenerated == right->attgenerated;
}

static bool
same_key(const ApplyTarget *target, Relation relation)
{
	AttrNumber *attributes = NULL;
	int count;
	Oid index = find_primary_key(relation, &attributes, &count);
	bool same = index == target->key_index && count == target->key_count;

	for (int k = 0; same && k < count; k++)
		same = attributes[k] == target->columns[target->key_columns[k]].attnum;
	return same;
}

static bool
same_relation(const ApplyTarget *target, Relation relation)
{
	TupleDesc descriptor = RelationGetDescr(relation);
	char *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
											RelationGetRelationName(relation));

	if (strcmp(name, target->qualified_name) != 0 || relation->rd_rel->relkind != target->relkind ||
		descriptor->natts != target->descriptor->natts)
		return false;
	for (int i = 0; i < descriptor->natts; i++)
		if (!same_attribute(descriptor, target->descriptor, i))
			return false;
	return same_key(target, relation);
}

bool
apply_target_is_current(ApplyTarget *target)
{
	Relation relation = target_relation_open(target->relid, RowExclusiveLock);
	bool same;

	check_owners(target, relation);
	same = same_relation(target, relation);
	relation_close(relation, NoLock);
	return same;
}
