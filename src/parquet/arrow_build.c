/*-------------------------------------------------------------------------
 *
 * arrow_build.c
 *	  Make ArrowSchema and ArrowArray structs that release themselves.
 *
 * Each struct's private_data is one allocation that holds what the struct points to beside its buffers: pointers,
 * children, texts.  A release callback may run on any thread; it touches nothing but its own tree and the keeper,
 * which counts its references atomically.  A child whose "release" is null was moved out by the consumer, or never made.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "parquet/arrow_build.h"

/* ---- schemas ----------------------------------------------------------------------- */

typedef struct SchemaStorage
{
	struct ArrowSchema dictionary;
	char *metadata;
	struct ArrowSchema *children;
	struct ArrowSchema **child_pointers;
	char *format;
	char *name;
} SchemaStorage;

static void
release_schema(struct ArrowSchema *schema)
{
	SchemaStorage *storage = schema->private_data;

	for (int64_t i = 0; i < schema->n_children; i++)
	{
		if (storage->children[i].release != NULL)
			storage->children[i].release(&storage->children[i]);
	}
	if (storage->dictionary.release != NULL)
		storage->dictionary.release(&storage->dictionary);
	free(storage->children);
	free(storage->child_pointers);
	free(storage->format);
	free(storage->name);
	free(storage->metadata);
	free(storage);
	schema->release = NULL;
}

bool
arrow_schema_create(struct ArrowSchema *schema, const char *format, const char *name, int64_t child_count,
					IngestError *error)
{
	SchemaStorage *storage = calloc(1, sizeof(*storage));
	size_t room = child_count ? (size_t) child_count : 1;

	memset(schema, 0, sizeof(*schema));
	if (storage == NULL)
		return ingest_out_of_memory(error);
	schema->private_data = storage;
	schema->release = release_schema;
	storage->children = calloc(room, sizeof(struct ArrowSchema));
	storage->child_pointers = calloc(room, sizeof(struct ArrowSchema *));
	storage->format = strdup(format);
	storage->name = strdup(name);
	if (storage->children == NULL || storage->child_pointers == NULL || storage->format == NULL ||
		storage->name == NULL)
	{
		release_schema(schema);
		return ingest_out_of_memory(error);
	}
	for (int64_t i = 0; i < child_count; i++)
		storage->child_pointers[i] = &storage->children[i];
	schema->n_children = child_count;
	schema->children = storage->child_pointers;
	schema->format = storage->format;
	schema->name = storage->name;
	return true;
}

bool
arrow_schema_add_dictionary(struct ArrowSchema *schema, const char *format, IngestError *error)
{
	SchemaStorage *storage = schema->private_data;

	schema->dictionary = &storage->dictionary;
	return arrow_schema_create(&storage->dictionary, format, "", 0, error);
}

static char *
put_text(char *position, const char *text)
{
	int32_t length = (int32_t) strlen(text);

	memcpy(position, &length, 4);
	memcpy(position + 4, text, (size_t) length);
	return position + 4 + length;
}

/* Arrow's encoding: a count, then each text behind its length, all in the machine's byte order. */
bool
arrow_schema_set_metadata(struct ArrowSchema *schema, const char *const *pairs, int pair_count, IngestError *error)
{
	SchemaStorage *storage = schema->private_data;
	size_t length = 4;
	int32_t count = pair_count;
	char *position;

	if (pair_count == 0)
		return true;
	for (int i = 0; i < 2 * pair_count; i++)
		length += 4 + strlen(pairs[i]);
	storage->metadata = malloc(length);
	if (storage->metadata == NULL)
		return ingest_out_of_memory(error);
	memcpy(storage->metadata, &count, 4);
	position = storage->metadata + 4;
	for (int i = 0; i < 2 * pair_count; i++)
		position = put_text(position, pairs[i]);
	schema->metadata = storage->metadata;
	return true;
}

/* ---- arrays ------------------------------------------------------------------------ */

typedef struct ArrayStorage
{
	const void *buffers[ARROW_MAX_BUFFERS];
	void *owned[ARROW_MAX_BUFFERS];
	ArrowKeeper keeper;
	struct ArrowArray dictionary;
	struct ArrowArray **child_pointers; /* behind this struct, in the same allocation */
	struct ArrowArray *children;
} ArrayStorage;

static void
release_array(struct ArrowArray *array)
{
	ArrayStorage *storage = array->private_data;

	for (int64_t i = 0; i < array->n_children; i++)
	{
		if (storage->children[i].release != NULL)
			storage->children[i].release(&storage->children[i]);
	}
	if (storage->dictionary.release != NULL)
		storage->dictionary.release(&storage->dictionary);
	for (int i = 0; i < ARROW_MAX_BUFFERS; i++)
		free(storage->owned[i]);
	if (storage->keeper.release != NULL)
		storage->keeper.release(storage->keeper.object);
	free(storage);
	array->release = NULL;
}

bool
arrow_array_create(struct ArrowArray *array, int64_t length, int buffer_count, int64_t child_count, IngestError *error)
{
	size_t children = (size_t) child_count;
	ArrayStorage *storage =
		calloc(1, sizeof(*storage) + children * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *)));

	memset(array, 0, sizeof(*array));
	if (storage == NULL)
		return ingest_out_of_memory(error);
	storage->children = (struct ArrowArray *) (storage + 1);
	storage->child_pointers = (struct ArrowArray **) (storage->children + children);
	for (size_t i = 0; i < children; i++)
		storage->child_pointers[i] = &storage->children[i];
	array->length = length;
	array->n_buffers = buffer_count;
	array->n_children = child_count;
	array->buffers = storage->buffers;
	array->children = storage->child_pointers;
	array->release = release_array;
	array->private_data = storage;
	return true;
}

void
arrow_array_set_buffer(struct ArrowArray *array, int index, void *data)
{
	ArrayStorage *storage = array->private_data;

	storage->owned[index] = data;
	storage->buffers[index] = data;
}

void
arrow_array_share_buffer(struct ArrowArray *array, int index, const void *data)
{
	ArrayStorage *storage = array->private_data;

	storage->buffers[index] = data;
}

void
arrow_array_set_keeper(struct ArrowArray *array, ArrowKeeper keeper)
{
	ArrayStorage *storage = array->private_data;

	storage->keeper = keeper;
}

bool
arrow_array_add_dictionary(struct ArrowArray *array, int64_t length, int buffer_count, IngestError *error)
{
	ArrayStorage *storage = array->private_data;

	if (!arrow_array_create(&storage->dictionary, length, buffer_count, 0, error))
		return false;
	array->dictionary = &storage->dictionary;
	return true;
}
