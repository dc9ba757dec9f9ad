/*-------------------------------------------------------------------------
 *
 * test_common_variant.c
 *	  Variants: every primitive, broken bytes, and shredded columns put together again.
 *
 *-------------------------------------------------------------------------
 */
#include "batch/batch.h"
#include "common/variant.h"
#include "unit/tap.h"

/* Arrow's metadata encoding of ARROW:extension:name = arrow.parquet.variant */
static const char extension[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\25\0\0\0arrow.parquet.variant";

/* A dictionary of "a" and "bb". */
static const char names[] = "\x01\x02\x00\x01\x03"
							"abb";

static void
no_release(struct ArrowArray *array)
{
	array->release = NULL;
}

/* One row: a node with its array, out of a pool. */
typedef struct Node
{
	struct ArrowSchema schema;
	struct ArrowArray array;
	const void *buffers[3];
	uint8_t validity;
	int32_t offsets[2];
	struct ArrowSchema *schemas[4];
	struct ArrowArray *arrays[4];
} Node;

static Node *
make_node(const char *format, const char *name, bool valid, int buffer_count)
{
	static Node pool[400];
	static int used;
	Node *node = &pool[used++];

	node->schema.format = format;
	node->schema.name = name;
	node->validity = valid;
	node->buffers[0] = &node->validity;
	node->array.length = 1;
	node->array.null_count = !valid;
	node->array.n_buffers = buffer_count;
	node->array.buffers = node->buffers;
	node->array.release = no_release;
	node->schema.children = node->schemas;
	node->array.children = node->arrays;
	return node;
}

/* Text or binary; null data: null. */
static Node *
bytes_node(const char *format, const char *name, const char *data, size_t length)
{
	Node *node = make_node(format, name, data != NULL, 3);

	node->offsets[1] = data != NULL ? (int32_t) length : 0;
	node->buffers[1] = node->offsets;
	node->buffers[2] = data != NULL ? data : "";
	return node;
}

static Node *
fixed_node(const char *format, const char *name, const void *value)
{
	Node *node = make_node(format, name, value != NULL, 2);

	node->buffers[1] = value != NULL ? value : "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	return node;
}

static Node *
add_child(Node *parent, Node *child)
{
	parent->schemas[parent->schema.n_children++] = &child->schema;
	parent->arrays[parent->array.n_children++] = &child->array;
	return parent;
}

static Node *
struct_node(const char *name, Node *one, Node *other)
{
	Node *node = make_node("+s", name, true, 1);

	if (one != NULL)
		add_child(node, one);
	if (other != NULL)
		add_child(node, other);
	return node;
}

#define VALUE(bytes) bytes_node("z", "value", bytes, sizeof(bytes) - 1)
#define NO_VALUE bytes_node("z", "value", NULL, 0)

/* A variant of these two columns (either null: there is no such column) as JSON. */
static const char *
json_of(Node *value, Node *typed)
{
	static char text[512];
	Node *variant = struct_node("v", bytes_node("z", "metadata", names, sizeof(names) - 1), value);
	Buffer json;
	IngestError error = {0};

	if (typed != NULL)
		add_child(variant, typed);
	variant->schema.metadata = extension;
	buffer_init(&json, sizeof(text) - 1);
	if (!arrow_value_to_json(&variant->schema, &variant->array, 0, &json, &error))
		snprintf(text, sizeof(text), "ERROR %d", error.kind);
	else
		snprintf(text, sizeof(text), "%.*s", (int) json.length, json.data);
	buffer_release(&json);
	return text;
}

#define PRINTS(bytes, expected) is_text(json_of(VALUE(bytes), NULL), expected, expected)

static void
test_primitives(void)
{
	PRINTS("\x00", "null");
	PRINTS("\x04", "true");
	PRINTS("\x08", "false");
	PRINTS("\x0c\xff", "-1");
	PRINTS("\x10\x00\x80", "-32768");
	PRINTS("\x14\x01\x00\x00\x00", "1");
	PRINTS("\x18\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807");
	PRINTS("\x1c\x00\x00\x00\x00\x00\x00\xf8\x3f", "1.5");
	PRINTS("\x1c\x00\x00\x00\x00\x00\x00\xf8\x7f", "\"NaN\"");
	PRINTS("\x20\x02\x39\x30\x00\x00", "123.45");
	PRINTS("\x24\x00\xff\xff\xff\xff\xff\xff\xff\xff", "-1");
	PRINTS("\x28\x09\x15\x81\xe9\x7d\xf4\x10\x22\x11\x00\x00\x00\x00\x00\x00\x00\x00", "1234567890.123456789");
	PRINTS("\x2c\x01\x00\x00\x00", "\"1970-01-02\"");
	PRINTS("\x30\x40\x42\x0f\x00\x00\x00\x00\x00", "\"1970-01-01 00:00:01+00\"");
	PRINTS("\x34\x40\x42\x0f\x00\x00\x00\x00\x00", "\"1970-01-01 00:00:01\"");
	PRINTS("\x38\x00\x00\x80\xbf", "-1");
	PRINTS("\x3c\x02\x00\x00\x00\x0a\xff", "\"\\\\x0A\\\\xFF\"");
	PRINTS("\x40\x02\x00\x00\x00hi", "\"hi\"");
	PRINTS("\x44\x01\x00\x00\x00\x00\x00\x00\x00", "\"00:00:00.000001\"");
	PRINTS("\x4c\x01\x00\x00\x00\x00\x00\x00\x00", "\"1970-01-01 00:00:00.000000001\"");
	PRINTS("\x50\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
		   "\"00112233-4455-6677-8899-aabbccddeeff\"");
	PRINTS("\x09hi", "\"hi\"");
	PRINTS("\x54", "ERROR 6");
}

static void
test_containers(void)
{
	/* header, count, ids, offsets, data */
	PRINTS("\x02\x00\x00", "{}");
	PRINTS("\x02\x01\x01\x00\x02\x0c\x07", "{\"bb\":7}");
	PRINTS("\x02\x02\x00\x01\x02\x00\x04\x0c\x01\x0c\x02", "{\"a\":2,\"bb\":1}");
	PRINTS("\x03\x02\x00\x01\x02\x00\x04", "[null,true]");
	PRINTS("\x13\x01\x00\x00\x00\x00\x01\x00", "[null]");
	PRINTS("\x03\x01\x00\x05\x03\x01\x00\x01\x08", "[[false]]");
	PRINTS("\x02\x01\x02\x00\x01\x00", "ERROR 5"); /* no such name */
	PRINTS("\x03\x01\x05\x01\x00", "ERROR 5");     /* an offset behind the data */
	PRINTS("\x03\x01\x00\x09\x00", "ERROR 5");     /* more data than there is */
	PRINTS("\x13\xff\xff\xff\xff", "ERROR 5");     /* a count that cannot be */
	PRINTS("\x03\xff\x00", "ERROR 5");
	is_text(json_of(bytes_node("z", "value", "", 0), NULL), "ERROR 5", "empty");
}

/* Each prefix of a value is refused. */
static void
test_cut_short(void)
{
	static const char value[] =
		"\x02\x02\x00\x01\x00\x12\x17\x28\x09\x15\x81\xe9\x7d\xf4\x10\x22\x11\x00\x00\x00\x00\x00\x00\x00\x00\x11"
		"four";
	VariantValue read;
	IngestError error;
	bool refused = true;

	for (size_t length = 0; length < 30; length++)
		refused = refused && !variant_read((Span){value, length}, &read, &error);
	ok(refused, "every prefix of an object is refused");
	ok(variant_read((Span){value, sizeof(value) - 1}, &read, &error) && read.size == 30, "the whole is not");
}

static const int32_t seven = 7;

/* A field's group of an object: value, typed value. */
static Node *
field_node(const char *name, Node *value, const int32_t *typed)
{
	return struct_node(name, value, fixed_node("i", "typed_value", typed));
}

static Node *
object_node(Node *one, Node *other)
{
	return struct_node("typed_value", one, other);
}

static void
test_shredded(void)
{
	Node *list = make_node("+l", "typed_value", true, 2);
	int32_t list_offsets[] = {0, 1};

	is_text(json_of(NO_VALUE, fixed_node("i", "typed_value", &seven)), "7", "a typed scalar");
	is_text(json_of(VALUE("\x09hi"), fixed_node("i", "typed_value", NULL)), "\"hi\"",
			"a value beside a null typed value");
	is_text(json_of(NO_VALUE, fixed_node("i", "typed_value", NULL)), "null", "neither");
	is_text(json_of(VALUE("\x09hi"), fixed_node("i", "typed_value", &seven)), "7", "both: the typed value");
	is_text(json_of(NULL, bytes_node("u", "typed_value", "text", 4)), "\"text\"", "no column for values");
	is_text(json_of(NO_VALUE, object_node(field_node("bb", NO_VALUE, &seven), field_node("a", VALUE("\x04"), NULL))),
			"{\"a\":true,\"bb\":7}", "an object, fields in the order of names");
	is_text(json_of(NO_VALUE, object_node(field_node("bb", NO_VALUE, NULL), field_node("a", NO_VALUE, NULL))), "{}",
			"an object without its fields is not null");
	is_text(json_of(VALUE("\x02\x01\x00\x00\x01\x08"), object_node(field_node("bb", NO_VALUE, &seven), NULL)),
			"{\"a\":false,\"bb\":7}", "an object with other fields in its value");
	is_text(json_of(VALUE("\x02\x01\x01\x00\x01\x08"), object_node(field_node("bb", NO_VALUE, &seven), NULL)),
			"{\"bb\":7}", "the shredded field wins");
	is_text(json_of(VALUE("\x02\x01\x01\x00\x01\x08"), object_node(field_node("bb", NO_VALUE, NULL), NULL)),
			"{\"bb\":false}", "unless it is missing");
	is_text(json_of(NO_VALUE, object_node(field_node("unknown", NO_VALUE, &seven), NULL)), "ERROR 5",
			"a name that the metadata lacks");
	is_text(json_of(NO_VALUE, object_node(fixed_node("i", "a", &seven), NULL)), "ERROR 5", "a field that is no group");
	list->buffers[1] = list_offsets;
	add_child(list, field_node("element", NO_VALUE, NULL));
	is_text(json_of(NO_VALUE, list), "[null]", "a missing element is null");
	is_text(json_of(NO_VALUE, fixed_node("ttm", "typed_value", &seven)), "ERROR 6", "a type that variants do not have");
}

int
main(void)
{
	test_primitives();
	test_containers();
	test_cut_short();
	test_shredded();
	return done_testing();
}
