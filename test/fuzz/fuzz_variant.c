/*-------------------------------------------------------------------------
 *
 * fuzz_variant.c
 *	  Property: whatever the bytes of a variant, it prints as JSON that parses, or is refused.
 *
 *	  The first two bytes are the length of the metadata; the rest is metadata and value.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"

#define CHECK(condition) ((condition) ? (void) 0 : abort())

/* Arrow's metadata encoding of ARROW:extension:name = arrow.parquet.variant */
static const char extension[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\25\0\0\0arrow.parquet.variant";

static void
no_release(struct ArrowArray *array)
{
	array->release = NULL;
}

static struct ArrowArray
binary_array(const void **buffers)
{
	return (struct ArrowArray){.length = 1, .n_buffers = 3, .buffers = buffers, .release = no_release};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t split = size >= 2 ? (size_t) (data[0] | data[1] << 8) % (size - 1) : 0;
	struct ArrowSchema names[2] = {{.format = "z", .name = "metadata"}, {.format = "z", .name = "value"}};
	struct ArrowSchema *children[2] = {&names[0], &names[1]};
	struct ArrowSchema schema = {
		.format = "+s", .name = "v", .metadata = extension, .n_children = 2, .children = children};
	int32_t offsets[2][2];
	const void *buffers[3][3];
	struct ArrowArray parts[2];
	struct ArrowArray *part_pointers[2] = {&parts[0], &parts[1]};
	struct ArrowArray array = {
		.length = 1, .n_buffers = 1, .n_children = 2, .children = part_pointers, .release = no_release};
	Buffer json;
	IngestError error;

	if (size < 3)
		return 0;
	offsets[0][0] = 0;
	offsets[0][1] = offsets[1][0] = (int32_t) split;
	offsets[1][1] = (int32_t) (size - 2);
	for (int i = 0; i < 2; i++)
	{
		buffers[i][0] = NULL;
		buffers[i][1] = offsets[i];
		buffers[i][2] = data + 2;
		parts[i] = binary_array(buffers[i]);
	}
	buffers[2][0] = NULL;
	array.buffers = buffers[2];
	buffer_init(&json, (size_t) 1 << 20);
	if (arrow_value_to_json(&schema, &array, 0, &json, &error))
	{
		JsonValue *value;
		Arena arena;

		arena_init(&arena, (size_t) 1 << 28);
		CHECK(json_parse(json.data, json.length, &arena, &value, &error));
		arena_release(&arena);
	}
	buffer_release(&json);
	return 0;
}
