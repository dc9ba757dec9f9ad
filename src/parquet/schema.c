/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The tree of schema elements -> fields as they leave this room -> ArrowSchema.
 *
 * Lists and maps are written in many ways.  What is resolved here, R being the repeated child of a LIST group:
 *	R is no group, has several fields, has one that is itself repeated, is itself a list or map, or is named "array" or
 *	"<list>_tuple"		the element is R
 *	otherwise			the element is R's only field
 *	a repeated field outside of LIST and MAP	a list that is never null, of elements that are never null
 *	MAP, MAP_KEY_VALUE	R's first field is the key, its second the value; without a second the values are null
 * A LIST or MAP group of another shape is read as a plain struct.  Groups without any leaf are left out.
 *
 * The depth of the tree was bounded when the footer was read, so recursion is.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "parquet/arrow_build.h"
#include "parquet/parquet_internal.h"

/* ---- fields -------------------------------------------------------------------- */

typedef struct SlotLevels
{
	uint8_t definition;
	uint8_t repetition;
} SlotLevels;

static bool
build_field(ParquetFile *file, int32_t index, SlotLevels slot, bool is_element, ParquetField **out, IngestError *error);

static ParquetField *
new_field(Arena *arena, FieldKind kind, const SchemaNode *node, SlotLevels slot, int32_t child_count)
{
	ParquetField *field = arena_alloc_array(arena, 1, sizeof(*field));

	if (field == NULL)
		return NULL;
	field->kind = kind;
	field->node = node;
	field->name = node->name;
	field->slot_definition = slot.definition;
	field->slot_repetition = slot.repetition;
	field->present_definition = node->definition;
	field->nullable = node->repetition == REPETITION_OPTIONAL;
	field->child_count = child_count;
	field->children = arena_alloc_array(arena, child_count ? (size_t) child_count : 1, sizeof(ParquetField *));
	return field->children != NULL ? field : NULL;
}

static SlotLevels
slot_inside(const SchemaNode *repeated)
{
	return (SlotLevels){repeated->definition, repeated->repetition_level};
}

static bool
is_list_group(const SchemaNode *node)
{
	return node->logical == LOGICAL_LIST || node->converted == CONVERTED_LIST;
}

static bool
is_map_group(const SchemaNode *node)
{
	return node->logical == LOGICAL_MAP || node->converted == CONVERTED_MAP ||
		   node->converted == CONVERTED_MAP_KEY_VALUE;
}

static bool
build_leaf(ParquetFile *file, const SchemaNode *node, SlotLevels slot, ParquetField **out, IngestError *error)
{
	*out = new_field(&file->arena, FIELD_LEAF, node, slot, 0);
	if (*out == NULL || ((*out)->leaf = arena_alloc_array(&file->arena, 1, sizeof(LeafType))) == NULL)
		return ingest_out_of_memory(error);
	leaf_type_resolve(node, file->options.converted_type_is_local, (*out)->leaf);
	(*out)->extension = (*out)->leaf->extension;
	if ((*out)->leaf->layout == LAYOUT_NULL)
		(*out)->nullable = true;
	return true;
}

/* Of a group without any leaf nothing is stored, not even whether it is null: it is left out. */
static bool
has_leaf(const ParquetFile *file, int32_t index)
{
	for (int32_t i = index; i < file->nodes[index].next_sibling; i++)
	{
		if (file->nodes[i].type != PHYSICAL_NONE)
			return true;
	}
	return false;
}

static bool
build_struct(ParquetFile *file, int32_t index, SlotLevels slot, ParquetField **out, IngestError *error)
{
	const SchemaNode *node = &file->nodes[index];
	int32_t child = index + 1;

	*out = new_field(&file->arena, FIELD_STRUCT, node, slot, node->child_count);
	if (*out == NULL)
		return ingest_out_of_memory(error);
	if (node->logical == LOGICAL_VARIANT)
		(*out)->extension = "arrow.parquet.variant";
	(*out)->child_count = 0;
	for (int32_t i = 0; i < node->child_count; i++)
	{
		if (has_leaf(file, child) &&
			!build_field(file, child, slot, false, &(*out)->children[(*out)->child_count++], error))
			return false;
		child = file->nodes[child].next_sibling;
	}
	return true;
}

/* Is the repeated node itself the element, rather than a wrapper around it? */
static bool
repeated_is_element(const ParquetFile *file, const SchemaNode *list, int32_t repeated)
{
	const SchemaNode *node = &file->nodes[repeated];
	size_t length = strlen(list->name);

	if (node->type != PHYSICAL_NONE || node->child_count != 1 || is_list_group(node) || is_map_group(node))
		return true;
	if (file->nodes[repeated + 1].repetition == REPETITION_REPEATED || strcmp(node->name, "array") == 0)
		return true;
	return strncmp(node->name, list->name, length) == 0 && strcmp(node->name + length, "_tuple") == 0;
}

static bool
build_list(ParquetFile *file, int32_t index, SlotLevels slot, ParquetField **out, IngestError *error)
{
	const SchemaNode *node = &file->nodes[index];
	const SchemaNode *repeated = node + 1;
	bool direct = repeated_is_element(file, node, index + 1);

	*out = new_field(&file->arena, FIELD_LIST, node, slot, 1);
	if (*out == NULL)
		return ingest_out_of_memory(error);
	(*out)->element_definition = repeated->definition;
	(*out)->element_repetition = repeated->repetition_level;
	return build_field(file, direct ? index + 1 : index + 2, slot_inside(repeated), direct, &(*out)->children[0],
					   error);
}

static bool
build_map(ParquetFile *file, int32_t index, SlotLevels slot, ParquetField **out, IngestError *error)
{
	const SchemaNode *node = &file->nodes[index];
	const SchemaNode *repeated = node + 1;
	int32_t key = index + 2;
	ParquetField *map = new_field(&file->arena, FIELD_MAP, node, slot, 2);

	*out = map;
	if (map == NULL)
		return ingest_out_of_memory(error);
	map->element_definition = repeated->definition;
	map->element_repetition = repeated->repetition_level;
	if (!build_field(file, key, slot_inside(repeated), false, &map->children[0], error))
		return false;
	if (repeated->child_count == 2)
		return build_field(file, file->nodes[key].next_sibling, slot_inside(repeated), false, &map->children[1], error);
	map->children[1] = new_field(&file->arena, FIELD_ABSENT, repeated, slot_inside(repeated), 0);
	if (map->children[1] == NULL)
		return ingest_out_of_memory(error);
	map->children[1]->name = "value";
	map->children[1]->nullable = true;
	return true;
}

/* A repeated field without the annotation of a list. */
static bool
build_bare_list(ParquetFile *file, int32_t index, SlotLevels slot, ParquetField **out, IngestError *error)
{
	const SchemaNode *node = &file->nodes[index];

	*out = new_field(&file->arena, FIELD_LIST, node, slot, 1);
	if (*out == NULL)
		return ingest_out_of_memory(error);
	(*out)->present_definition = node->definition - 1;
	(*out)->element_definition = node->definition;
	(*out)->element_repetition = node->repetition_level;
	return build_field(file, index, slot_inside(node), true, &(*out)->children[0], error);
}

/* "is_element": the node is repeated, and the list around it exists already. */
static bool
build_field(ParquetFile *file, int32_t index, SlotLevels slot, bool is_element, ParquetField **out, IngestError *error)
{
	const SchemaNode *node = &file->nodes[index];
	bool wraps_repeated = node->child_count == 1 && node[1].repetition == REPETITION_REPEATED;

	if (node->repetition == REPETITION_REPEATED && !is_element)
		return build_bare_list(file, index, slot, out, error);
	if (node->type != PHYSICAL_NONE)
		return build_leaf(file, node, slot, out, error);
	if (is_list_group(node) && wraps_repeated)
		return build_list(file, index, slot, out, error);
	if (is_map_group(node) && wraps_repeated && node[1].type == PHYSICAL_NONE && node[1].child_count >= 1 &&
		node[1].child_count <= 2)
		return build_map(file, index, slot, out, error);
	return build_struct(file, index, slot, out, error);
}

bool
schema_build_fields(ParquetFile *file, ParquetField **out, IngestError *error)
{
	return build_struct(file, 0, (SlotLevels){0, 0}, out, error);
}

/* ---- projection ------------------------------------------------------------------- */

static bool project_field(const ParquetField *field, const struct ArrowSchema *projection, Arena *arena,
						  ParquetField **out, IngestError *error);

static const ParquetField *
find_child(const ParquetField *field, const char *name)
{
	for (int32_t i = 0; i < field->child_count; i++)
	{
		if (strcmp(field->children[i]->name, name) == 0)
			return field->children[i];
	}
	return NULL;
}

static bool
project_struct(const ParquetField *field, const struct ArrowSchema *projection, Arena *arena, ParquetField *copy,
			   IngestError *error)
{
	copy->child_count = (int32_t) projection->n_children;
	copy->children =
		arena_alloc_array(arena, copy->child_count ? (size_t) copy->child_count : 1, sizeof(*copy->children));
	if (copy->children == NULL)
		return ingest_out_of_memory(error);
	for (int32_t i = 0; i < copy->child_count; i++)
	{
		const struct ArrowSchema *wanted = projection->children[i];
		const ParquetField *child = find_child(field, wanted->name ? wanted->name : "");

		if (child == NULL)
			return ingest_fail(error, INGEST_ERROR_INVALID, "file has no column \"%s\"",
							   wanted->name ? wanted->name : "");
		if (!project_field(child, wanted, arena, &copy->children[i], error))
			return false;
	}
	return true;
}

/* The projection of child "i" of a list or a map, which match by place. */
static const struct ArrowSchema *
project_element(const ParquetField *field, const struct ArrowSchema *projection, int32_t i)
{
	if (projection == NULL || projection->n_children < 1)
		return NULL;
	if (field->kind == FIELD_LIST)
		return projection->children[0];
	return projection->children[0]->n_children > i ? projection->children[0]->children[i] : NULL;
}

static bool
project_field(const ParquetField *field, const struct ArrowSchema *projection, Arena *arena, ParquetField **out,
			  IngestError *error)
{
	ParquetField *copy = arena_alloc_array(arena, 1, sizeof(*copy));

	if (copy == NULL)
		return ingest_out_of_memory(error);
	*copy = *field;
	*out = copy;
	if (field->kind == FIELD_STRUCT && projection != NULL)
	{
		if (projection->format == NULL || strcmp(projection->format, "+s") != 0)
			return ingest_fail(error, INGEST_ERROR_INVALID, "column \"%s\" is a struct in the file", field->name);
		return project_struct(field, projection, arena, copy, error);
	}
	copy->children =
		arena_alloc_array(arena, field->child_count ? (size_t) field->child_count : 1, sizeof(*copy->children));
	if (copy->children == NULL)
		return ingest_out_of_memory(error);
	for (int32_t i = 0; i < field->child_count; i++)
	{
		if (!project_field(field->children[i],
						   field->kind == FIELD_STRUCT ? NULL : project_element(field, projection, i), arena,
						   &copy->children[i], error))
			return false;
	}
	return true;
}

bool
schema_project(const ParquetField *root, const struct ArrowSchema *projection, Arena *arena, ParquetField **out,
			   IngestError *error)
{
	return project_field(root, projection, arena, out, error);
}

/* ---- Arrow ------------------------------------------------------------------------- */

static const char *
arrow_format(const ParquetField *field)
{
	switch (field->kind)
	{
		case FIELD_LEAF:
			return field->leaf->format;
		case FIELD_STRUCT:
			return "+s";
		case FIELD_LIST:
			return "+l";
		case FIELD_MAP:
			return "+m";
		default:
			return "n";
	}
}

static bool fill_schema(const ParquetField *field, struct ArrowSchema *out, IngestError *error);

static bool
fill_children(const ParquetField *field, struct ArrowSchema *out, IngestError *error)
{
	for (int32_t i = 0; i < field->child_count; i++)
	{
		if (!fill_schema(field->children[i], out->children[i], error))
			return false;
	}
	return true;
}

/* A map has one child between itself and key and value. */
static bool
fill_map(const ParquetField *field, struct ArrowSchema *out, IngestError *error)
{
	return arrow_schema_create(out, "+m", field->name, 1, error) &&
		   arrow_schema_create(out->children[0], "+s", "entries", 2, error) &&
		   fill_children(field, out->children[0], error);
}

static bool
fill_plain(const ParquetField *field, struct ArrowSchema *out, IngestError *error)
{
	const char *format = arrow_format(field);

	if (!field->dictionary)
		return arrow_schema_create(out, format, field->name, field->child_count, error) &&
			   fill_children(field, out, error);
	return arrow_schema_create(out, "i", field->name, 0, error) && arrow_schema_add_dictionary(out, format, error);
}

static bool
fill_schema(const ParquetField *field, struct ArrowSchema *out, IngestError *error)
{
	char number[16];
	const char *pairs[6];
	int count = 0;

	if (!(field->kind == FIELD_MAP ? fill_map(field, out, error) : fill_plain(field, out, error)))
		return false;
	out->flags = field->nullable ? ARROW_FLAG_NULLABLE : 0;
	if (field->kind != FIELD_ABSENT && field->node->has_field_id)
	{
		snprintf(number, sizeof(number), "%d", field->node->field_id);
		pairs[count++] = "PARQUET:field_id";
		pairs[count++] = number;
	}
	if (field->extension != NULL)
	{
		pairs[count++] = "ARROW:extension:name";
		pairs[count++] = field->extension;
	}
	if (field->kind == FIELD_LEAF && field->leaf->adjusted_to_utc)
	{
		pairs[count++] = "PARQUET:adjusted_to_utc";
		pairs[count++] = "true";
	}
	return arrow_schema_set_metadata(out, pairs, count / 2, error);
}

/* Describe a field; the caller releases *out.  On failure nothing is left to release. */
bool
schema_to_arrow(const ParquetField *field, struct ArrowSchema *out, IngestError *error)
{
	memset(out, 0, sizeof(*out));
	if (fill_schema(field, out, error))
		return true;
	if (out->release != NULL)
		out->release(out);
	return false;
}
