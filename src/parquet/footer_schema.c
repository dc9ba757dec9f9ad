/*-------------------------------------------------------------------------
 *
 * footer_schema.c
 *	  The footer's list of schema elements -> the tree of the file's columns.
 *
 * The list is the tree in depth-first order, each group with its number of children.  It is valid where it is exactly one
 * tree, at most PARQUET_MAX_DEPTH deep, whose names are text.  Levels and the ordinals of the leaves are given out here;
 * what the annotations mean is types.c's and schema.c's business.
 *
 * The root's repetition means nothing and is not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/parquet_internal.h"

static bool
visit_time_unit(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	SchemaNode *node = state;

	if (field->id >= UNIT_MILLIS && field->id <= UNIT_NANOS)
		node->unit = (TimeUnit) field->id;
	return thrift_skip(reader, field->type, error);
}

/* The members of one LogicalType alternative: DECIMAL, TIME, TIMESTAMP and INTEGER have some that matter. */
static bool
visit_logical_member(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	SchemaNode *node = state;

	switch (node->logical)
	{
		case LOGICAL_DECIMAL:
			if (field->id == 1)
				return thrift_int32(reader, field->type, &node->scale, error);
			if (field->id == 2)
				return thrift_int32(reader, field->type, &node->precision, error);
			break;
		case LOGICAL_TIME:
		case LOGICAL_TIMESTAMP:
			if (field->id == 1)
				return thrift_boolean(reader, field->type, &node->utc, error);
			if (field->id == 2)
				return thrift_struct_value(reader, field->type, visit_time_unit, node, error);
			break;
		case LOGICAL_INTEGER:
			if (field->id == 1)
				return thrift_int32(reader, field->type, &node->integer_width, error);
			if (field->id == 2)
				return thrift_boolean(reader, field->type, &node->integer_signed, error);
			break;
		default:
			break;
	}
	return thrift_skip(reader, field->type, error);
}

static bool
visit_logical_type(ThriftReader *reader, const ThriftField *alternative, void *state, IngestError *error)
{
	SchemaNode *node = state;

	node->logical = (LogicalType) alternative->id;
	node->has_logical = true;
	return thrift_struct_value(reader, alternative->type, visit_logical_member, node, error);
}

bool
footer_parse_physical_type(ThriftReader *reader, uint8_t type, PhysicalType *out, IngestError *error)
{
	int32_t number;

	if (!thrift_int32(reader, type, &number, error))
		return false;
	if (number < 0 || number >= PHYSICAL_NONE)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "unknown physical type %d", number);
	*out = (PhysicalType) number;
	return true;
}

/* A node and the file whose arena its name goes to. */
typedef struct NodeTarget
{
	ParquetFile *file;
	SchemaNode *node;
} NodeTarget;

static bool
read_name(const NodeTarget *target, ThriftReader *reader, uint8_t type, IngestError *error)
{
	Span name;

	if (!thrift_binary(reader, type, &name, error))
		return false;
	if (!utf8_is_valid(name.data, name.length) || memchr(name.data, 0, name.length) != NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element with a name that is no text");
	target->node->name = arena_copy(&target->file->arena, name.data, name.length);
	return target->node->name != NULL || ingest_out_of_memory(error);
}

static bool
visit_schema_element(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	const NodeTarget *target = state;
	SchemaNode *node = target->node;
	int32_t number;

	switch (field->id)
	{
		case 1:
			return footer_parse_physical_type(reader, field->type, &node->type, error);
		case 2:
			return thrift_int32(reader, field->type, &node->type_length, error);
		case 3:
			if (!thrift_int32(reader, field->type, &number, error))
				return false;
			node->repetition = (Repetition) number;
			return true;
		case 4:
			return read_name(target, reader, field->type, error);
		case 5:
			return thrift_int32(reader, field->type, &node->child_count, error);
		case 6:
			if (!thrift_int32(reader, field->type, &number, error))
				return false;
			node->converted = (ConvertedType) number;
			return true;
		case 7:
			return thrift_int32(reader, field->type, &node->scale, error);
		case 8:
			return thrift_int32(reader, field->type, &node->precision, error);
		case 9:
			node->has_field_id = true;
			return thrift_int32(reader, field->type, &node->field_id, error);
		case 10:
			return thrift_struct_value(reader, field->type, visit_logical_type, node, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

static bool
parse_schema_element(ParquetFile *file, ThriftReader *reader, uint8_t type, SchemaNode *node, IngestError *error)
{
	NodeTarget target = {file, node};

	memset(node, 0, sizeof(*node));
	node->type = PHYSICAL_NONE;
	node->converted = CONVERTED_NONE;
	node->leaf = -1;
	if (!thrift_struct_value(reader, type, visit_schema_element, &target, error))
		return false;
	if (node->name == NULL)
		node->name = "";
	if (node->child_count > 0)
		node->type = PHYSICAL_NONE;
	return true;
}

/* Give "node" its place below "parent": levels and the ordinal of a leaf. */
static bool
place_node(ParquetFile *file, SchemaNode *node, int32_t parent, int depth, IngestError *error)
{
	const SchemaNode *above = &file->nodes[parent];

	if (depth > PARQUET_MAX_DEPTH)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "schema is nested more than %d deep at \"%s\"", PARQUET_MAX_DEPTH,
						   node->name);
	if (node->repetition < REPETITION_REQUIRED || node->repetition > REPETITION_REPEATED)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" has an unknown repetition", node->name);
	if (node->child_count < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" has %d children", node->name,
						   node->child_count);
	node->parent = parent;
	node->definition = above->definition + (node->repetition != REPETITION_REQUIRED);
	node->repetition_level = above->repetition_level + (node->repetition == REPETITION_REPEATED);
	if (node->type != PHYSICAL_NONE)
	{
		node->leaf = file->leaf_count++;
		file->leaves[node->leaf] = node;
	}
	return true;
}

/* Depth-first list -> tree.  The stack holds the open groups and how many children each still lacks. */
static bool
link_schema(ParquetFile *file, IngestError *error)
{
	int32_t open[PARQUET_MAX_DEPTH + 1];
	int32_t lacking[PARQUET_MAX_DEPTH + 1];
	int depth = 0;

	if (file->node_count == 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "file has no schema");
	file->nodes[0].parent = -1;
	file->nodes[0].type = PHYSICAL_NONE;
	if (file->nodes[0].child_count < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema root has a negative number of children");
	open[0] = 0;
	lacking[0] = file->nodes[0].child_count;
	for (int32_t i = 1; i < file->node_count; i++)
	{
		SchemaNode *node = &file->nodes[i];

		while (depth >= 0 && lacking[depth] == 0)
			file->nodes[open[depth--]].next_sibling = i;
		if (depth < 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema has elements behind the end of its tree");
		lacking[depth]--;
		if (!place_node(file, node, open[depth], depth + 1, error))
			return false;
		if (node->type != PHYSICAL_NONE)
		{
			node->next_sibling = i + 1;
			continue;
		}
		depth++;
		open[depth] = i;
		lacking[depth] = node->child_count;
	}
	while (depth >= 0 && lacking[depth] == 0)
		file->nodes[open[depth--]].next_sibling = file->node_count;
	if (depth >= 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" lacks children",
						   file->nodes[open[depth]].name);
	return true;
}

/* Parse the list of schema elements into file->nodes and file->leaves. */
bool
footer_parse_schema(ParquetFile *file, ThriftReader *reader, uint8_t type, IngestError *error)
{
	uint8_t element;
	uint32_t count;

	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	file->nodes = arena_alloc_array(&file->arena, count ? count : 1, sizeof(SchemaNode));
	if (file->nodes == NULL)
		return ingest_out_of_memory(error);
	file->leaves = arena_alloc_array(&file->arena, count ? count : 1, sizeof(SchemaNode *));
	if (file->leaves == NULL)
		return ingest_out_of_memory(error);
	file->node_count = (int32_t) count;
	file->leaf_count = 0;
	for (uint32_t i = 0; i < count; i++)
	{
		if (!parse_schema_element(file, reader, element, &file->nodes[i], error))
			return false;
	}
	return link_schema(file, error);
}
