/*-------------------------------------------------------------------------
 *
 * column_plan.c
 *	  Where each wanted column of a table is in one data file.
 *
 * The table's schema decides; the file only says where and in which type:
 *
 *	  partition column		a constant of the log, also where the file has it too
 *	  mapping off, by name	the child of that (physical) name, exact first, then in any
 *							case if only one matches
 *	  mapping by id			the child of that field id
 *	  not found				null
 *
 * This holds at each level of structs; elements, keys and values go by position.  A
 * struct that is there but has none of the wanted children is not null: one physical
 * leaf of it is read all the same, because only a leaf tells where the struct is null.
 *
 * A file's type must be the table's, or one that it widens from, or another physical
 * form of it; anything else is an error that names the column and both types.  The plan
 * also makes the projection for the Parquet reader.  All of it lives in the arena.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Planner
{
	const DeltaSchema *schema;
	const JsonValue *partition_values;
	const char *timezone;
	Arena *arena;
	IngestError *error;
	bool any_found;
} Planner;

static bool plan_field(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
					   struct ArrowSchema *projection);

/* ---- types -------------------------------------------------------------------------------------------- */

static bool
is_one_of(const char *format, const char *letters)
{
	return format[0] != '\0' && format[1] == '\0' && strchr(letters, format[0]) != NULL;
}

/* d:precision,scale of 128 bits */
static bool
parse_decimal_format(const char *format, int *precision, int *scale)
{
	int end = 0;

	return sscanf(format, "d:%d,%d%n", precision, scale, &end) == 2 && end > 0 &&
		   (format[end] == '\0' || strcmp(format + end, ",128") == 0);
}

/* Integers that a column of "width" bytes may be stored as: INT32 also where it is narrower (the values are checked). */
static bool
integer_is_readable(const char *format, int width)
{
	return is_one_of(format, width == 8 ? "csilCSIL" : "csiCSI");
}

bool
column_type_is_readable(const char *format, const DeltaField *field)
{
	int precision;
	int scale;

	switch (field->kind)
	{
		case DELTA_TYPE_BYTE:
		case DELTA_TYPE_SHORT:
		case DELTA_TYPE_INTEGER:
			return integer_is_readable(format, 4);
		case DELTA_TYPE_LONG:
			return integer_is_readable(format, 8);
		case DELTA_TYPE_FLOAT:
			return is_one_of(format, "f");
		case DELTA_TYPE_DOUBLE:
			return is_one_of(format, "fgcsi");
		case DELTA_TYPE_BOOLEAN:
			return is_one_of(format, "b");
		case DELTA_TYPE_STRING:
			return is_one_of(format, "uUzZ");
		case DELTA_TYPE_BINARY:
			return is_one_of(format, "zZuU") || strncmp(format, "w:", 2) == 0;
		case DELTA_TYPE_DATE:
			return strcmp(format, "tdD") == 0;
		case DELTA_TYPE_TIMESTAMP:
			return strncmp(format, "ts", 2) == 0;
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return strncmp(format, "ts", 2) == 0 || strcmp(format, "tdD") == 0;
		case DELTA_TYPE_DECIMAL:
			if (parse_decimal_format(format, &precision, &scale))
				return scale <= field->scale && precision - scale <= field->precision - field->scale;
			return is_one_of(format, "csil");
		default:
			return false;
	}
}

/* Is the array of that format already what the table's type is in Arrow? */
static bool
leaf_is_identical(const char *format, const DeltaField *field)
{
	int precision;
	int scale;

	switch (field->kind)
	{
		case DELTA_TYPE_BYTE:
			return is_one_of(format, "c");
		case DELTA_TYPE_SHORT:
			return is_one_of(format, "s");
		case DELTA_TYPE_INTEGER:
			return is_one_of(format, "i");
		case DELTA_TYPE_LONG:
			return is_one_of(format, "l");
		case DELTA_TYPE_DOUBLE:
			return is_one_of(format, "g");
		case DELTA_TYPE_STRING:
		case DELTA_TYPE_BINARY:
			return is_one_of(format, "uz");
		case DELTA_TYPE_TIMESTAMP:
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return strncmp(format, "tsu:", 4) == 0;
		case DELTA_TYPE_DECIMAL:
			return parse_decimal_format(format, &precision, &scale) && scale == field->scale;
		default:
			return true;
	}
}

static bool
type_mismatch(Planner *planner, const DeltaField *field, const struct ArrowSchema *file)
{
	char type[64];

	return ingest_fail(planner->error, INGEST_ERROR_CORRUPT,
					   "column \"%s\" is of type %s in the table, but of the Arrow type \"%s\" in the file",
					   field->name, delta_type_name(field, type), file->format);
}

/* ---- finding --------------------------------------------------------------------------------------------- */

static bool
has_field_id(const struct ArrowSchema *node, int64_t *id)
{
	Span text;
	char copy[24];

	if (!delta_arrow_metadata(node, "PARQUET:field_id", &text) || text.length >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	*id = strtoll(copy, NULL, 10);
	return true;
}

static bool
find_by_id(Planner *planner, const struct ArrowSchema *parent, const DeltaField *field, int64_t *index)
{
	for (int64_t i = 0; i < parent->n_children; i++)
	{
		int64_t id;

		if (!has_field_id(parent->children[i], &id) || id != field->field_id)
			continue;
		if (*index >= 0)
			return ingest_fail(planner->error, INGEST_ERROR_CORRUPT, "two columns of the file have the field id %lld",
							   (long long) id);
		*index = i;
	}
	return true;
}

static bool
find_by_name(Planner *planner, const struct ArrowSchema *parent, const DeltaField *field, int64_t *index)
{
	int64_t matches = 0;

	for (int64_t i = 0; i < parent->n_children; i++)
		if (strcmp(parent->children[i]->name, field->physical_name) == 0)
		{
			*index = i;
			return true;
		}
	for (int64_t i = 0; i < parent->n_children; i++)
		if (strcasecmp(parent->children[i]->name, field->physical_name) == 0)
		{
			*index = i;
			matches++;
		}
	return matches < 2 || ingest_fail(planner->error, INGEST_ERROR_CORRUPT,
									  "%lld columns of the file match \"%s\" when the case of letters is left aside",
									  (long long) matches, field->physical_name);
}

/* *index: the file's child for the field, -1 none. */
static bool
find_child(Planner *planner, const struct ArrowSchema *parent, const DeltaField *field, int64_t *index)
{
	*index = -1;
	if (planner->schema->mapping == DELTA_MAPPING_ID && field->field_id >= 0)
		return find_by_id(planner, parent, field, index);
	return find_by_name(planner, parent, field, index);
}

/* ---- nested types ------------------------------------------------------------------------------------------ */

/* A copy of the node with room for some of its children. */
static bool
project_node(Planner *planner, const struct ArrowSchema *file, int64_t child_count, struct ArrowSchema *projection)
{
	if (!delta_arrow_node(file->format, file->name, file->flags & ARROW_FLAG_NULLABLE, child_count, planner->arena,
						  projection, planner->error))
		return false;
	projection->metadata = file->metadata;
	return true;
}

/* The first leaf below a struct, with what is above it. */
static bool
project_witness(Planner *planner, const struct ArrowSchema *file, struct ArrowSchema *projection)
{
	while (strcmp(file->format, "+s") == 0 && file->n_children > 0)
	{
		if (!project_node(planner, file, 1, projection))
			return false;
		projection = projection->children[0];
		file = file->children[0];
	}
	*projection = *file;
	return true;
}

/* Plan the children of a struct.  "projection" gets those that are in the file. */
static bool
plan_children(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
			  struct ArrowSchema *projection)
{
	int64_t found = 0;

	plan->child_count = field->child_count;
	plan->children = arena_alloc_array(planner->arena, field->child_count, sizeof(ColumnPlan));
	if (plan->children == NULL)
		return ingest_out_of_memory(planner->error);
	if (!project_node(planner, file, (int64_t) field->child_count + 1, projection))
		return false;
	for (size_t i = 0; i < field->child_count; i++)
	{
		ColumnPlan *child = &plan->children[i];
		int64_t index = -1;

		child->field = &field->children[i];
		child->kind = PLAN_MISSING;
		child->source = -1;
		if (child->field->is_partition)
			continue;
		if (!find_child(planner, file, child->field, &index))
			return false;
		if (index < 0)
			continue;
		if (!plan_field(planner, child->field, file->children[index], child, projection->children[found]))
			return ingest_context(planner->error, "column \"%s\"", child->field->name);
		if (child->kind != PLAN_MISSING)
			child->source = (int) found++;
	}
	projection->n_children = found;
	return true;
}

static bool
plan_struct(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
			struct ArrowSchema *projection)
{
	if (strcmp(file->format, "+s") != 0)
		return type_mismatch(planner, field, file);
	plan->kind = PLAN_STRUCT;
	if (!plan_children(planner, field, file, plan, projection))
		return false;
	plan->identity = projection->n_children == (int64_t) field->child_count;
	for (size_t i = 0; i < plan->child_count; i++)
		plan->identity = plan->identity && plan->children[i].identity && plan->children[i].source == (int) i;
	if (projection->n_children > 0)
		return true;
	if (file->n_children == 0)
	{
		plan->kind = PLAN_MISSING;
		return true;
	}
	projection->n_children = 1;
	return project_witness(planner, file->children[0], projection->children[0]);
}

static bool
plan_array(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
		   struct ArrowSchema *projection)
{
	if (strcmp(file->format, "+l") != 0 || file->n_children != 1)
		return type_mismatch(planner, field, file);
	plan->kind = PLAN_ARRAY;
	plan->child_count = 1;
	plan->children = arena_alloc_array(planner->arena, 1, sizeof(ColumnPlan));
	if (plan->children == NULL)
		return ingest_out_of_memory(planner->error);
	if (!project_node(planner, file, 1, projection) ||
		!plan_field(planner, &field->children[0], file->children[0], &plan->children[0], projection->children[0]))
		return false;
	if (plan->children[0].kind == PLAN_MISSING)
		*projection->children[0] = *file->children[0];
	plan->identity = plan->children[0].identity;
	return true;
}

static bool
plan_map(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
		 struct ArrowSchema *projection)
{
	const struct ArrowSchema *entry = file->n_children == 1 ? file->children[0] : NULL;
	bool done = true;

	if (strcmp(file->format, "+m") != 0 || entry == NULL || entry->n_children != 2)
		return type_mismatch(planner, field, file);
	plan->kind = PLAN_MAP;
	plan->child_count = 2;
	plan->children = arena_alloc_array(planner->arena, 2, sizeof(ColumnPlan));
	if (plan->children == NULL)
		return ingest_out_of_memory(planner->error);
	if (!project_node(planner, file, 1, projection) || !project_node(planner, entry, 2, projection->children[0]))
		return false;
	for (int i = 0; i < 2 && done; i++)
	{
		struct ArrowSchema *node = projection->children[0]->children[i];

		done = plan_field(planner, &field->children[i], entry->children[i], &plan->children[i], node);
		if (done && plan->children[i].kind == PLAN_MISSING)
			*node = *entry->children[i];
	}
	plan->identity = plan->children[0].identity && plan->children[1].identity;
	return done;
}

/* metadata, value and typed_value go by name, in whatever order the file has them. */
static bool
plan_variant(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
			 struct ArrowSchema *projection)
{
	if (strcmp(file->format, "+s") != 0)
		return type_mismatch(planner, field, file);
	plan->kind = PLAN_VARIANT;
	plan->source_schema = file;
	*projection = *file;
	for (int64_t i = 0; i < file->n_children; i++)
		if (strcmp(file->children[i]->name, "metadata") == 0 && is_one_of(file->children[i]->format, "zu"))
			return true;
	return type_mismatch(planner, field, file);
}

/* ---- fields --------------------------------------------------------------------------------------------------- */

static bool
plan_leaf(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
		  struct ArrowSchema *projection)
{
	if (!column_type_is_readable(file->format, field))
		return type_mismatch(planner, field, file);
	plan->kind = PLAN_LEAF;
	plan->source_format = file->format;
	plan->identity = leaf_is_identical(file->format, field);
	if (field->kind == DELTA_TYPE_DECIMAL)
	{
		int precision;

		if (!parse_decimal_format(file->format, &precision, &plan->source_scale))
			plan->source_scale = 0;
	}
	*projection = *file;
	return true;
}

static bool
plan_field(Planner *planner, const DeltaField *field, const struct ArrowSchema *file, ColumnPlan *plan,
		   struct ArrowSchema *projection)
{
	plan->field = field;
	plan->kind = PLAN_MISSING;
	/* a column without a type in the file holds nulls only */
	if (field->kind == DELTA_TYPE_VOID || strcmp(file->format, "n") == 0)
		return true;
	planner->any_found = true;
	switch (field->kind)
	{
		case DELTA_TYPE_STRUCT:
			return plan_struct(planner, field, file, plan, projection);
		case DELTA_TYPE_ARRAY:
			return plan_array(planner, field, file, plan, projection);
		case DELTA_TYPE_MAP:
			return plan_map(planner, field, file, plan, projection);
		case DELTA_TYPE_VARIANT:
			return plan_variant(planner, field, file, plan, projection);
		default:
			return plan_leaf(planner, field, file, plan, projection);
	}
}

/* ---- the whole file --------------------------------------------------------------------------------------------- */

static bool
plan_partition(Planner *planner, ColumnPlan *plan)
{
	const JsonValue *value = json_get(planner->partition_values, plan->field->physical_name);
	Span text = {"", 0};

	plan->kind = PLAN_CONSTANT;
	if (value != NULL && value->type != JSON_TYPE_NULL)
	{
		if (value->type == JSON_TYPE_OBJECT || value->type == JSON_TYPE_ARRAY)
			return ingest_fail(planner->error, INGEST_ERROR_CORRUPT, "the value of partition column \"%s\" is not text",
							   plan->field->name);
		text = value->text;
	}
	return partition_value_parse(plan->field, text, planner->timezone, planner->arena, &plan->constant, planner->error);
}

/* In id mode a file without any field id was not written by this table. */
static bool
check_field_ids(Planner *planner, const struct ArrowSchema *file)
{
	int64_t id;

	if (planner->schema->mapping != DELTA_MAPPING_ID || file->n_children == 0)
		return true;
	for (int64_t i = 0; i < file->n_children; i++)
		if (has_field_id(file->children[i], &id))
			return true;
	return ingest_fail(planner->error, INGEST_ERROR_CORRUPT,
					   "the table maps columns by field id, but the file has no field ids");
}

bool
delta_leaves_as_dictionary(const DeltaField *field)
{
	return field->kind == DELTA_TYPE_STRING || field->kind == DELTA_TYPE_BINARY;
}

bool
scan_plan_create(const DeltaSchema *schema, const DeltaField *wanted, const struct ArrowSchema *file,
				 const JsonValue *partition_values, const char *timezone, bool keep_dictionary, Arena *arena,
				 ScanPlan *out, IngestError *error)
{
	Planner planner = {schema, partition_values, timezone, arena, error, false};

	memset(out, 0, sizeof(*out));
	out->root.kind = PLAN_STRUCT;
	out->root.field = wanted;
	if (!check_field_ids(&planner, file) || !plan_children(&planner, wanted, file, &out->root, &out->projection))
		return false;
	for (size_t i = 0; i < out->root.child_count; i++)
		if (out->root.children[i].field->is_partition && !plan_partition(&planner, &out->root.children[i]))
			return false;
	for (size_t i = 0; i < out->root.child_count; i++)
		out->root.children[i].as_dictionary =
			keep_dictionary && delta_leaves_as_dictionary(out->root.children[i].field);
	out->any_column_found = planner.any_found;
	return true;
}
