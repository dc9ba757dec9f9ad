/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  metaData and protocol of one version, as a tree of fields.
 *
 * A DeltaSchema is made from the two JSON objects and keeps their text, so that it can
 * be stored with a position and made again without the log.  Making it runs the gate:
 * what this code cannot read is refused here, by name, before any row.
 *
 * Everything lives in the schema's arena; it is immutable and reference-counted, so that
 * threads may share it.
 *
 * Column mapping changes only physical_name and field_id of the fields; where it is off
 * (or the protocol does not allow it), left-over annotations are ignored.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct SchemaParser
{
	DeltaSchema *schema;
	IngestError *error;
	int depth;
} SchemaParser;

static bool parse_type(SchemaParser *parser, const JsonValue *type, DeltaField *field);

/* ---- types ----------------------------------------------------------------------------- */

static const struct
{
	const char *name;
	DeltaTypeKind kind;
} type_names[] = {
	{"string", DELTA_TYPE_STRING},   {"long", DELTA_TYPE_LONG},           {"integer", DELTA_TYPE_INTEGER},
	{"short", DELTA_TYPE_SHORT},     {"byte", DELTA_TYPE_BYTE},           {"float", DELTA_TYPE_FLOAT},
	{"double", DELTA_TYPE_DOUBLE},   {"boolean", DELTA_TYPE_BOOLEAN},     {"binary", DELTA_TYPE_BINARY},
	{"date", DELTA_TYPE_DATE},       {"timestamp", DELTA_TYPE_TIMESTAMP}, {"timestamp_ntz", DELTA_TYPE_TIMESTAMP_NTZ},
	{"variant", DELTA_TYPE_VARIANT}, {"void", DELTA_TYPE_VOID},           {"null", DELTA_TYPE_VOID},
	{"decimal", DELTA_TYPE_DECIMAL}, {"struct", DELTA_TYPE_STRUCT},       {"array", DELTA_TYPE_ARRAY},
	{"map", DELTA_TYPE_MAP},
};

const char *
delta_type_name(const DeltaField *field, char *text)
{
	if (field->kind == DELTA_TYPE_DECIMAL)
	{
		snprintf(text, 64, "decimal(%d,%d)", field->precision, field->scale);
		return text;
	}
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (type_names[i].kind == field->kind)
			return type_names[i].name;
	return "unknown";
}

/* "decimal(p,s)", blanks allowed; a bare "decimal" is (10,0). */
static bool
parse_decimal(const char *name, DeltaField *field)
{
	int end = 0;

	field->kind = DELTA_TYPE_DECIMAL;
	field->precision = 10;
	field->scale = 0;
	if (strcmp(name, "decimal") == 0)
		return true;
	if (sscanf(name, "decimal ( %d , %d )%n", &field->precision, &field->scale, &end) != 2 || end == 0 ||
		name[end] != '\0')
		return false;
	return field->precision >= 1 && field->precision <= 38 && field->scale >= 0 && field->scale <= field->precision;
}

bool
delta_type_parse_primitive(const char *name, DeltaField *field)
{
	if (strncmp(name, "decimal", 7) == 0)
		return parse_decimal(name, field);
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (type_names[i].kind < DELTA_TYPE_STRUCT && strcmp(type_names[i].name, name) == 0)
		{
			field->kind = type_names[i].kind;
			return true;
		}
	return false;
}

static bool
parse_mapping(SchemaParser *parser, const JsonValue *metadata, DeltaField *field)
{
	DeltaMappingMode mode = parser->schema->mapping;
	const char *physical_name = json_get_string(metadata, "delta.columnMapping.physicalName");

	field->physical_name = field->name;
	field->field_id = -1;
	if (mode == DELTA_MAPPING_NONE)
		return true;
	if (physical_name == NULL)
		return ingest_fail(parser->error, INGEST_ERROR_CORRUPT,
						   "column \"%s\" has no delta.columnMapping.physicalName, which the column mapping mode needs",
						   field->name);
	field->physical_name = physical_name;
	if (!json_to_int64(json_get(metadata, "delta.columnMapping.id"), &field->field_id) && mode == DELTA_MAPPING_ID)
		return ingest_fail(parser->error, INGEST_ERROR_CORRUPT,
						   "column \"%s\" has no delta.columnMapping.id, which the column mapping mode needs",
						   field->name);
	return true;
}

static bool
parse_field(SchemaParser *parser, const JsonValue *json, DeltaField *field)
{
	const JsonValue *nullable = json_get(json, "nullable");
	const JsonValue *metadata = json_get(json, "metadata");

	field->name = json_get_string(json, "name");
	if (field->name == NULL)
		return ingest_fail(parser->error, INGEST_ERROR_CORRUPT, "a field of the schema has no name");
	field->nullable = nullable == NULL || nullable->type != JSON_TYPE_FALSE;
	field->metadata = metadata;
	if (!parse_mapping(parser, metadata, field) ||
		!delta_type_changes_check(field->name, json_get(metadata, "delta.typeChanges"), parser->error))
		return false;
	if (!parse_type(parser, json_get(json, "type"), field))
		return ingest_context(parser->error, "column \"%s\"", field->name);
	return true;
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp((*(const DeltaField *const *) left)->name, (*(const DeltaField *const *) right)->name);
}

/* Two fields of one name could not be told apart. */
static bool
check_unique(SchemaParser *parser, const DeltaField *parent)
{
	const DeltaField **sorted;
	bool unique = true;

	if (parent->child_count < 2)
		return true;
	sorted = malloc(parent->child_count * sizeof(*sorted));
	if (sorted == NULL)
		return ingest_out_of_memory(parser->error);
	for (size_t i = 0; i < parent->child_count; i++)
		sorted[i] = &parent->children[i];
	qsort(sorted, parent->child_count, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < parent->child_count && unique; i++)
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			unique =
				ingest_fail(parser->error, INGEST_ERROR_CORRUPT, "the schema has two columns \"%s\"", sorted[i]->name);
	free(sorted);
	return unique;
}

static bool
parse_struct(SchemaParser *parser, const JsonValue *json, DeltaField *field)
{
	const JsonValue *fields = json_get(json, "fields");

	if (fields == NULL || fields->type != JSON_TYPE_ARRAY)
		return ingest_fail(parser->error, INGEST_ERROR_CORRUPT, "a struct of the schema has no fields");
	field->kind = DELTA_TYPE_STRUCT;
	field->children = arena_alloc_array(&parser->schema->arena, fields->count, sizeof(DeltaField));
	if (field->children == NULL)
		return ingest_out_of_memory(parser->error);
	field->child_count = fields->count;
	for (size_t i = 0; i < fields->count; i++)
		if (!parse_field(parser, fields->elements[i], &field->children[i]))
			return false;
	return check_unique(parser, field);
}

/* Element of an array, key or value of a map. */
static bool
parse_item(SchemaParser *parser, const char *name, const JsonValue *type, const JsonValue *nullable, DeltaField *field)
{
	field->name = field->physical_name = name;
	field->field_id = -1;
	field->nullable = nullable == NULL || nullable->type != JSON_TYPE_FALSE;
	return parse_type(parser, type, field);
}

static bool
parse_items(SchemaParser *parser, const JsonValue *json, bool is_map, DeltaField *field)
{
	static JsonValue no = {.type = JSON_TYPE_FALSE};

	field->kind = is_map ? DELTA_TYPE_MAP : DELTA_TYPE_ARRAY;
	field->child_count = is_map ? 2 : 1;
	field->children = arena_alloc_array(&parser->schema->arena, field->child_count, sizeof(DeltaField));
	if (field->children == NULL)
		return ingest_out_of_memory(parser->error);
	if (!is_map)
		return parse_item(parser, "element", json_get(json, "elementType"), json_get(json, "containsNull"),
						  &field->children[0]);
	return parse_item(parser, "key", json_get(json, "keyType"), &no, &field->children[0]) &&
		   parse_item(parser, "value", json_get(json, "valueType"), json_get(json, "valueContainsNull"),
					  &field->children[1]);
}

static bool
parse_nested(SchemaParser *parser, const JsonValue *json, DeltaField *field)
{
	const char *type = json_get_string(json, "type");

	if (type == NULL)
		return ingest_fail(parser->error, INGEST_ERROR_CORRUPT, "a type of the schema is neither a name nor an object");
	if (strcmp(type, "struct") == 0)
		return parse_struct(parser, json, field);
	if (strcmp(type, "array") == 0)
		return parse_items(parser, json, false, field);
	if (strcmp(type, "map") == 0)
		return parse_items(parser, json, true, field);
	return ingest_fail(parser->error, INGEST_ERROR_UNSUPPORTED, "unsupported type \"%s\"", type);
}

static bool
parse_type(SchemaParser *parser, const JsonValue *type, DeltaField *field)
{
	bool done;

	if (type != NULL && type->type == JSON_TYPE_STRING)
		return delta_type_parse_primitive(type->text.data, field) ||
			   ingest_fail(parser->error, INGEST_ERROR_UNSUPPORTED, "unsupported type \"%s\"", type->text.data);
	if (parser->depth == DELTA_MAX_TYPE_DEPTH)
		return ingest_fail(parser->error, INGEST_ERROR_LIMIT, "types are nested deeper than %d levels",
						   DELTA_MAX_TYPE_DEPTH);
	parser->depth++;
	done = parse_nested(parser, type, field);
	parser->depth--;
	return done;
}

/* ---- metaData ----------------------------------------------------------------------------- */

const char *
delta_schema_property(const DeltaSchema *schema, const char *key)
{
	return json_get_string(schema->configuration, key);
}

static bool
parse_mapping_mode(DeltaSchema *schema, bool supported, IngestError *error)
{
	const char *mode = delta_schema_property(schema, "delta.columnMapping.mode");

	schema->mapping = DELTA_MAPPING_NONE;
	if (!supported || mode == NULL || strcasecmp(mode, "none") == 0)
		return true;
	if (strcasecmp(mode, "name") == 0)
		schema->mapping = DELTA_MAPPING_NAME;
	else if (strcasecmp(mode, "id") == 0)
		schema->mapping = DELTA_MAPPING_ID;
	else
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "unsupported column mapping mode \"%s\"", mode);
	return true;
}

static DeltaField *
find_top_level(DeltaSchema *schema, const char *name)
{
	for (size_t i = 0; i < schema->root.child_count; i++)
		if (strcmp(schema->root.children[i].name, name) == 0)
			return &schema->root.children[i];
	for (size_t i = 0; i < schema->root.child_count; i++)
		if (strcasecmp(schema->root.children[i].name, name) == 0)
			return &schema->root.children[i];
	return NULL;
}

static bool
mark_partition_columns(DeltaSchema *schema, const JsonValue *columns, IngestError *error)
{
	if (columns == NULL || columns->type != JSON_TYPE_ARRAY)
		return true;
	for (size_t i = 0; i < columns->count; i++)
	{
		const JsonValue *column = columns->elements[i];
		DeltaField *field = column->type == JSON_TYPE_STRING ? find_top_level(schema, column->text.data) : NULL;

		if (field == NULL)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "partition column \"%s\" is not in the schema",
							   column->type == JSON_TYPE_STRING ? column->text.data : "?");
		if (field->kind >= DELTA_TYPE_STRUCT || field->kind == DELTA_TYPE_VARIANT)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "partition column \"%s\" is not of a primitive type",
							   field->name);
		field->is_partition = true;
	}
	return true;
}

static bool
check_format(const JsonValue *metadata, IngestError *error)
{
	const char *provider = json_get_string(json_get(metadata, "format"), "provider");

	if (provider != NULL && strcasecmp(provider, "parquet") != 0)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "the table's data files have the unsupported format \"%s\"",
						   provider);
	return true;
}

static bool
parse_schema_string(DeltaSchema *schema, const JsonValue *metadata, IngestError *error)
{
	const JsonValue *text = json_get(metadata, "schemaString");
	SchemaParser parser = {.schema = schema, .error = error};
	JsonValue *root;

	if (text == NULL || text->type != JSON_TYPE_STRING)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the metaData action has no schemaString");
	if (!json_parse(text->text.data, text->text.length, &schema->arena, &root, error))
		return ingest_context(error, "schemaString");
	schema->root.name = schema->root.physical_name = "";
	schema->root.field_id = -1;
	return parse_struct(&parser, root, &schema->root);
}

static bool
parse_schema(DeltaSchema *schema, const JsonValue *metadata, const JsonValue *protocol, IngestError *error)
{
	bool mapping_supported = false;

	if (!delta_protocol_check(protocol, &mapping_supported, error) || !check_format(metadata, error))
		return false;
	schema->table_id = json_get_string(metadata, "id");
	if (schema->table_id == NULL)
		schema->table_id = "";
	schema->configuration = json_get(metadata, "configuration");
	return parse_mapping_mode(schema, mapping_supported, error) && parse_schema_string(schema, metadata, error) &&
		   mark_partition_columns(schema, json_get(metadata, "partitionColumns"), error) &&
		   delta_arrow_field(&schema->root, &schema->arena, &schema->arrow, error);
}

static bool
copy_span(Span from, Arena *arena, Span *to, IngestError *error)
{
	to->data = arena_copy(arena, from.data, from.length);
	to->length = from.length;
	return to->data != NULL || ingest_out_of_memory(error);
}

bool
delta_schema_create(Span metadata, Span protocol, DeltaSchema **out, IngestError *error)
{
	DeltaSchema *schema = calloc(1, sizeof(DeltaSchema));
	JsonValue *metadata_tree;
	JsonValue *protocol_tree;

	*out = NULL;
	if (schema == NULL)
		return ingest_out_of_memory(error);
	atomic_init(&schema->references, 1);
	arena_init(&schema->arena, DELTA_MAX_SCHEMA_BYTES);
	if (!copy_span(metadata, &schema->arena, &schema->metadata_json, error) ||
		!copy_span(protocol, &schema->arena, &schema->protocol_json, error) ||
		!json_parse(metadata.data, metadata.length, &schema->arena, &metadata_tree, error) ||
		!json_parse(protocol.data, protocol.length, &schema->arena, &protocol_tree, error) ||
		!parse_schema(schema, metadata_tree, protocol_tree, error))
	{
		delta_schema_release(schema);
		return false;
	}
	*out = schema;
	return true;
}

/* ---- the door --------------------------------------------------------------------------------- */

DeltaSchema *
delta_schema_acquire(DeltaSchema *schema)
{
	if (schema != NULL)
		atomic_fetch_add(&schema->references, 1);
	return schema;
}

void
delta_schema_release(DeltaSchema *schema)
{
	if (schema == NULL || atomic_fetch_sub(&schema->references, 1) != 1)
		return;
	arena_release(&schema->arena);
	free(schema);
}

const char *
delta_schema_table_id(const DeltaSchema *schema)
{
	return schema->table_id;
}

const struct ArrowSchema *
delta_schema_arrow(const DeltaSchema *schema)
{
	return &schema->arrow;
}

bool
delta_schema_to_json(const DeltaSchema *schema, Buffer *out, IngestError *error)
{
	return buffer_append_string(out, "{\"metaData\":", error) &&
		   buffer_append(out, schema->metadata_json.data, schema->metadata_json.length, error) &&
		   buffer_append_string(out, ",\"protocol\":", error) &&
		   buffer_append(out, schema->protocol_json.data, schema->protocol_json.length, error) &&
		   buffer_append_string(out, "}", error);
}

bool
delta_schema_from_json(const char *json, size_t length, DeltaSchema **out, IngestError *error)
{
	JsonScanner scanner;
	JsonToken token;
	Span metadata = {NULL, 0};
	Span protocol = {NULL, 0};
	bool first = true;
	bool more = true;

	*out = NULL;
	json_scanner_init(&scanner, json, length);
	if (!json_next_value(&scanner, &token, error))
		return false;
	if (token.type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a stored schema is not an object");
	while (more)
	{
		Span value;

		if (!json_next_member(&scanner, &first, &more, &token, error))
			return false;
		if (!more)
			break;
		if (!json_skip_value(&scanner, &value, error))
			return false;
		if (span_equals(token.raw, "metaData"))
			metadata = value;
		else if (span_equals(token.raw, "protocol"))
			protocol = value;
	}
	if (metadata.data == NULL || protocol.data == NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a stored schema lacks metaData or protocol");
	return delta_schema_create(metadata, protocol, out, error);
}
