/*-------------------------------------------------------------------------
 *
 * arrow_plan.c
 *	  Which field of an Arrow struct feeds which column, and the append that uses it.
 *
 * A plan is made once per schema: fields are matched with columns by name, and each pair
 * gets its converter, so that an append does no look-up and no decision per value.  The plan
 * owns a deep copy of the schema; it is immutable and may be shared by threads.
 *
 * Two fields that feed one column (names that differ in case only) are INVALID.  Generated
 * columns are passed over, as are fields that the target lacks.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "batch/arrow_internal.h"

#define PLAN_MEMORY_MAX ((size_t) 64 * 1024 * 1024)
#define SCHEMA_DEPTH_MAX 128

typedef struct FieldPlan
{
	int64_t child;
	int column;
	const struct ArrowSchema *schema;
	ArrowType type;       /* of the values */
	ArrowType index_type; /* where the field is a dictionary */
	ConvertFunction convert;
} FieldPlan;

struct ArrowPlan
{
	const TargetTable *target;
	int64_t child_count;
	int field_count;
	FieldPlan *fields;
	Arena arena;
};

/* ---- the copy of the schema ------------------------------------------------------------ */

/* Bytes of an encoded metadata block. */
static size_t
metadata_size(const char *metadata)
{
	const char *position = metadata;
	int32_t count;

	memcpy(&count, position, sizeof(count));
	position += sizeof(count);
	for (int64_t i = 0; i < (int64_t) count * 2; i++)
	{
		int32_t length;

		memcpy(&length, position, sizeof(length));
		position += sizeof(length) + (size_t) length;
	}
	return (size_t) (position - metadata);
}

static bool
copy_schema(const struct ArrowSchema *schema, Arena *arena, int depth, struct ArrowSchema **out, IngestError *error)
{
	struct ArrowSchema *copy = arena_alloc_array(arena, 1, sizeof(*copy));
	const char *name = schema->name == NULL ? "" : schema->name;

	if (copy == NULL)
		return ingest_out_of_memory(error);
	if (depth > SCHEMA_DEPTH_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "column types are nested deeper than %d levels",
						   SCHEMA_DEPTH_MAX);
	*out = copy;
	copy->flags = schema->flags;
	copy->n_children = schema->n_children;
	copy->format = arena_copy(arena, schema->format, strlen(schema->format));
	copy->name = arena_copy(arena, name, strlen(name));
	if (schema->metadata != NULL)
		copy->metadata = arena_copy(arena, schema->metadata, metadata_size(schema->metadata));
	copy->children = arena_alloc_array(arena, (size_t) schema->n_children, sizeof(*copy->children));
	if (copy->format == NULL || copy->name == NULL || copy->children == NULL ||
		(schema->metadata != NULL && copy->metadata == NULL))
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < schema->n_children; i++)
	{
		if (!copy_schema(schema->children[i], arena, depth + 1, &copy->children[i], error))
			return false;
	}
	return schema->dictionary == NULL || copy_schema(schema->dictionary, arena, depth + 1, &copy->dictionary, error);
}

/* ---- the plan ------------------------------------------------------------------------------ */

static ConvertFunction
find_converter(const ArrowType *type, const ColumnTarget *column)
{
	if (type->kind == ARROW_NULL || type->kind >= ARROW_LIST || type->kind == ARROW_STRING ||
		type->kind == ARROW_BINARY || type->kind == ARROW_FIXED_BINARY)
		return arrow_variable_converter(type, column);
	return arrow_fixed_converter(type, column);
}

static bool
plan_field(ArrowPlan *plan, FieldPlan *field, IngestError *error)
{
	const ColumnTarget *column = &plan->target->columns[field->column];
	char name[ARROW_TYPE_NAME_MAX];

	if (!arrow_type_read(field->schema, &field->type, error))
		return ingest_context(error, "column \"%s\"", field->schema->name);
	if (field->schema->dictionary != NULL)
	{
		field->index_type = field->type;
		if (field->index_type.kind < ARROW_INT8 || field->index_type.kind > ARROW_UINT64)
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED,
							   "column \"%s\": a dictionary's indices must be integers", field->schema->name);
		if (!arrow_type_read(field->schema->dictionary, &field->type, error))
			return ingest_context(error, "column \"%s\"", field->schema->name);
	}
	field->convert = find_converter(&field->type, column);
	if (field->convert != NULL)
		return true;
	arrow_type_name(&field->type, name);
	ingest_fail(error, INGEST_ERROR_INVALID,
				"column \"%s\" of table \"%s\" is of type %s, which a source column of type %s cannot feed",
				column->name, plan->target->name, column->type_name, name);
	return ingest_hint(error, "Change the column's type, or leave the column out of the target table.");
}

static bool
check_unique(const ArrowPlan *plan, const FieldPlan *field, IngestError *error)
{
	for (const FieldPlan *other = plan->fields; other < field; other++)
	{
		if (other->column == field->column)
			return ingest_fail(error, INGEST_ERROR_INVALID,
							   "source columns \"%s\" and \"%s\" both match column \"%s\" of table \"%s\"",
							   other->schema->name, field->schema->name, plan->target->columns[field->column].name,
							   plan->target->name);
	}
	return true;
}

static bool
plan_fields(ArrowPlan *plan, const struct ArrowSchema *schema, IngestError *error)
{
	plan->child_count = schema->n_children;
	plan->fields = arena_alloc_array(&plan->arena, (size_t) schema->n_children, sizeof(FieldPlan));
	if (plan->fields == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < schema->n_children; i++)
	{
		FieldPlan *field = &plan->fields[plan->field_count];
		const struct ArrowSchema *child = schema->children[i];

		field->child = i;
		field->schema = child;
		field->column = target_find_column(plan->target, (Span){child->name, strlen(child->name)});
		if (field->column < 0 || plan->target->columns[field->column].generated)
			continue;
		if (!plan_field(plan, field, error) || !check_unique(plan, field, error))
			return false;
		plan->field_count++;
	}
	return true;
}

bool
arrow_plan_create(const struct ArrowSchema *schema, const TargetTable *target, ArrowPlan **out, IngestError *error)
{
	ArrowPlan *plan = calloc(1, sizeof(ArrowPlan));
	struct ArrowSchema *copy;

	if (plan == NULL)
		return ingest_out_of_memory(error);
	arena_init(&plan->arena, PLAN_MEMORY_MAX);
	plan->target = target;
	if (schema->format == NULL || strcmp(schema->format, "+s") != 0)
		ingest_fail(error, INGEST_ERROR_INVALID, "rows must come as an Arrow struct");
	else if (copy_schema(schema, &plan->arena, 0, &copy, error) && plan_fields(plan, copy, error))
	{
		*out = plan;
		return true;
	}
	arrow_plan_free(plan);
	return false;
}

void
arrow_plan_free(ArrowPlan *plan)
{
	if (plan == NULL)
		return;
	arena_release(&plan->arena);
	free(plan);
}

/* ---- the append ------------------------------------------------------------------------------- */

static bool
append_field(ChangeBatch *batch, const FieldPlan *field, const struct ArrowArray *array, int64_t first, int64_t count,
			 IngestError *error)
{
	BatchColumn *column = &batch->columns[field->column];
	Conversion conversion = {
		.schema = field->schema,
		.type = &field->type,
		.array = array,
		.first = first,
		.count = count,
		.column = &batch->target->columns[field->column],
		.utf8 = batch->target->utf8,
		.arena = &batch->arena,
		.error = error,
	};

	if (!batch_provide_column(batch, field->column, error))
		return false;
	conversion.states = column->states + batch->row_count;
	conversion.values = column->values + batch->row_count;
	if (field->schema->dictionary == NULL)
		return arrow_shape_check(field->schema, &field->type, array, error) && field->convert(&conversion);
	return arrow_shape_check(field->schema, &field->index_type, array, error) &&
		   arrow_shape_check(field->schema->dictionary, &field->type, array->dictionary, error) &&
		   arrow_convert_dictionary(&conversion, &field->index_type, field->convert);
}

/* Put back what a failed append has written behind the last row. */
static void
forget_rows(ChangeBatch *batch, const ArrowPlan *plan, int64_t count)
{
	for (int i = 0; i < plan->field_count; i++)
	{
		BatchColumn *column = &batch->columns[plan->fields[i].column];

		if (column->states != NULL)
			memset(column->states + batch->row_count, VALUE_MISSING, (size_t) count);
	}
}

bool
batch_append_arrow(ChangeBatch *batch, const ArrowPlan *plan, const struct ArrowArray *array, int64_t first,
				   int64_t count, ChangeKind kind, uint32_t payload, const int64_t *numbers, IngestError *error)
{
	uint32_t row = batch->row_count;

	if (count <= 0)
		return true;
	if (array->n_children != plan->child_count || first < 0 || count > array->length - first)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "an array does not have the shape of its schema");
	if (count > (int64_t) UINT32_MAX - row)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a batch cannot hold more than %u rows", UINT32_MAX);
	if (!batch_reserve_rows(batch, row + (uint32_t) count, error) || !batch_prepare_rows(batch, kind, payload, error))
		return false;
	for (int i = 0; i < plan->field_count; i++)
	{
		const FieldPlan *field = &plan->fields[i];
		const struct ArrowArray *child = array->children[field->child];
		int64_t child_first = first + array->offset;

		if (count > child->length - child_first)
			ingest_fail(error, INGEST_ERROR_CORRUPT, "column \"%s\" is shorter than its table", field->schema->name);
		else if (append_field(batch, field, child, child_first, count, error))
			continue;
		forget_rows(batch, plan, count);
		return false;
	}
	if (batch->kinds != NULL)
		memset(batch->kinds + row, kind, (size_t) count);
	for (int64_t i = 0; batch->payload_of != NULL && i < count; i++)
		batch->payload_of[row + i] = payload;
	memcpy(batch->row_numbers + row, numbers + first, (size_t) count * sizeof(int64_t));
	batch->row_count = row + (uint32_t) count;
	return true;
}
