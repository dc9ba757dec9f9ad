/*-------------------------------------------------------------------------
 *
 * schema_arrow.c
 *	  The Arrow form of Delta types.
 *
 *	  string u, long l, integer i, short s, byte c, float f, double g, boolean b,
 *	  binary z, date tdD, timestamp tsu:UTC, timestamp_ntz tsu:, decimal d:p,s, void n,
 *	  struct +s, array +l, map +m; variant: a struct of two binaries, "metadata" and
 *	  "value", marked with the extension name arrow.parquet.variant.
 *
 * The nodes live in an arena: their release does nothing, whoever owns the arena frees
 * them.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <string.h>

static void
release_nothing(struct ArrowSchema *schema)
{
	schema->release = NULL;
}

static const char *
primitive_format(const DeltaField *field, Arena *arena)
{
	switch (field->kind)
	{
		case DELTA_TYPE_STRING:
			return "u";
		case DELTA_TYPE_LONG:
			return "l";
		case DELTA_TYPE_INTEGER:
			return "i";
		case DELTA_TYPE_SHORT:
			return "s";
		case DELTA_TYPE_BYTE:
			return "c";
		case DELTA_TYPE_FLOAT:
			return "f";
		case DELTA_TYPE_DOUBLE:
			return "g";
		case DELTA_TYPE_BOOLEAN:
			return "b";
		case DELTA_TYPE_BINARY:
			return "z";
		case DELTA_TYPE_DATE:
			return "tdD";
		case DELTA_TYPE_TIMESTAMP:
			return "tsu:UTC";
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return "tsu:";
		case DELTA_TYPE_DECIMAL:
			return arena_printf(arena, "d:%d,%d", field->precision, field->scale);
		case DELTA_TYPE_ARRAY:
			return "+l";
		case DELTA_TYPE_MAP:
			return "+m";
		case DELTA_TYPE_STRUCT:
		case DELTA_TYPE_VARIANT:
			return "+s";
		case DELTA_TYPE_VOID:
			break;
	}
	return "n";
}

bool
delta_arrow_node(const char *format, const char *name, bool nullable, int64_t child_count, Arena *arena,
				 struct ArrowSchema *out, IngestError *error)
{
	struct ArrowSchema *children;

	memset(out, 0, sizeof(*out));
	out->format = format;
	out->name = name;
	out->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
	out->release = release_nothing;
	if (format == NULL)
		return ingest_out_of_memory(error);
	if (child_count == 0)
		return true;
	children = arena_alloc_array(arena, (size_t) child_count, sizeof(struct ArrowSchema));
	out->children = arena_alloc_array(arena, (size_t) child_count, sizeof(struct ArrowSchema *));
	if (children == NULL || out->children == NULL)
		return ingest_out_of_memory(error);
	out->n_children = child_count;
	for (int64_t i = 0; i < child_count; i++)
		out->children[i] = &children[i];
	return true;
}

/* Arrow's metadata encoding: int32 count, then each key and value with an int32 length before it, native order. */
static bool
encode_metadata(const char *const *pairs, int count, Arena *arena, const char **out, IngestError *error)
{
	size_t size = 4;
	char *text;
	char *at;
	int32_t number = count;

	for (int i = 0; i < 2 * count; i++)
		size += 4 + strlen(pairs[i]);
	text = at = arena_alloc(arena, size);
	if (text == NULL)
		return ingest_out_of_memory(error);
	memcpy(at, &number, 4);
	at += 4;
	for (int i = 0; i < 2 * count; i++)
	{
		number = (int32_t) strlen(pairs[i]);
		memcpy(at, &number, 4);
		memcpy(at + 4, pairs[i], (size_t) number);
		at += 4 + number;
	}
	*out = text;
	return true;
}

/* Extension name, and what the table says about the column: its comment, and char(n) or varchar(n) behind a string. */
static bool
add_metadata(const DeltaField *field, Arena *arena, struct ArrowSchema *out, IngestError *error)
{
	static const char *const keys[] = {"comment", "__CHAR_VARCHAR_TYPE_STRING"};
	const char *pairs[6];
	int count = 0;

	if (field->kind == DELTA_TYPE_VARIANT)
	{
		pairs[2 * count] = "ARROW:extension:name";
		pairs[2 * count++ + 1] = DELTA_VARIANT_EXTENSION;
	}
	for (size_t i = 0; i < 2; i++)
	{
		const char *value = json_get_string(field->metadata, keys[i]);

		if (value == NULL || strlen(value) > INT32_MAX)
			continue;
		pairs[2 * count] = keys[i];
		pairs[2 * count++ + 1] = value;
	}
	return count == 0 || encode_metadata(pairs, count, arena, &out->metadata, error);
}

static bool
variant_children(Arena *arena, struct ArrowSchema *out, IngestError *error)
{
	return delta_arrow_node("z", "metadata", true, 0, arena, out->children[0], error) &&
		   delta_arrow_node("z", "value", true, 0, arena, out->children[1], error);
}

bool
delta_arrow_field(const DeltaField *field, Arena *arena, struct ArrowSchema *out, IngestError *error)
{
	bool is_map = field->kind == DELTA_TYPE_MAP;
	int64_t child_count = is_map ? 1 : field->kind == DELTA_TYPE_VARIANT ? 2 : (int64_t) field->child_count;
	struct ArrowSchema *parent = out;

	if (!delta_arrow_node(primitive_format(field, arena), field->name, field->nullable, child_count, arena, out,
						  error) ||
		!add_metadata(field, arena, out, error))
		return false;
	if (field->kind == DELTA_TYPE_VARIANT)
		return variant_children(arena, out, error);
	if (is_map)
	{
		/* a map's child is a struct of key and value */
		parent = out->children[0];
		if (!delta_arrow_node("+s", "key_value", false, 2, arena, parent, error))
			return false;
	}
	for (size_t i = 0; i < field->child_count; i++)
		if (!delta_arrow_field(&field->children[i], arena, parent->children[i], error))
			return false;
	return true;
}

bool
delta_arrow_metadata(const struct ArrowSchema *schema, const char *key, Span *value)
{
	const char *at = schema->metadata;
	int32_t count;

	if (at == NULL)
		return false;
	memcpy(&count, at, 4);
	at += 4;
	for (int32_t i = 0; i < count; i++)
	{
		Span parts[2];

		for (int part = 0; part < 2; part++)
		{
			int32_t length;

			memcpy(&length, at, 4);
			parts[part] = (Span){at + 4, (size_t) length};
			at += 4 + length;
		}
		if (span_equals(parts[0], key))
		{
			*value = parts[1];
			return true;
		}
	}
	return false;
}
