/*-------------------------------------------------------------------------
 *
 * checkpoint.c
 *	  A checkpoint: the state of a version in a few files.
 *
 *	  classic	one Parquet file with a column an action (V1 content, or V2 content:
 *				the name does not tell)
 *	  multi-part	several of those, V1 content
 *	  V2		a Parquet or JSON file under a UUID name, whose file actions may lie in
 *				sidecars, which are Parquet
 *
 * Two passes: the first collects metaData, protocol and the sidecars' names, so that the
 * protocol gate is passed before anything else is interpreted; the second streams the
 * adds.  Only the columns that are needed are read.  Removes are tombstones for VACUUM
 * and are not even projected.
 *
 * Columns are found by exact name; any of them, and any field of them, may be missing.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

/* One file of the checkpoint, or a sidecar. */
typedef struct CheckpointFile
{
	ObjectInput object;
	ParquetInput input;
	ParquetFile *parquet; /* null: JSON */
	Buffer json;
} CheckpointFile;

struct CheckpointReader
{
	DeltaTable *table;
	const IngestCancel *cancel;
	size_t file_count;
	CheckpointFile *files;
	size_t sidecar_count;
	size_t sidecar_capacity;
	char **sidecars; /* paths relative to the root */
	Arena scratch;   /* of one row */
	Buffer json;
	Buffer vector_json;
	Buffer path_json;
};

/* ---- opening ------------------------------------------------------------------------------- */

static void
close_file(CheckpointFile *file)
{
	parquet_close(file->parquet);
	file->parquet = NULL;
	object_input_close(&file->object);
	buffer_release(&file->json);
}

/* Takes "path" over. */
static bool
open_file(CheckpointReader *reader, char *path, bool is_json, CheckpointFile *file, IngestError *error)
{
	ParquetOptions options = reader->table->options.parquet;

	memset(file, 0, sizeof(*file));
	buffer_init(&file->json, DELTA_MAX_COMMIT_BYTES);
	options.keep_dictionary = false;
	if (is_json)
	{
		file->object.path = path;
		return storage_get(reader->table->storage, path, &file->json, NULL, reader->cancel, error);
	}
	return object_input_open(&file->object, reader->table->storage, path, &file->input, reader->cancel, error) &&
		   parquet_open(&file->input, &options, &file->parquet, error);
}

bool
checkpoint_open(DeltaTable *table, const LogCheckpoint *checkpoint, CheckpointReader **out, const IngestCancel *cancel,
				IngestError *error)
{
	CheckpointReader *reader = calloc(1, sizeof(CheckpointReader));

	*out = NULL;
	if (reader == NULL)
		return ingest_out_of_memory(error);
	reader->table = table;
	reader->cancel = cancel;
	arena_init(&reader->scratch, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&reader->json, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&reader->vector_json, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&reader->path_json, DELTA_MAX_COMMIT_BYTES);
	*out = reader;
	reader->files = calloc(checkpoint->file_count, sizeof(CheckpointFile));
	if (reader->files == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < checkpoint->file_count; i++)
	{
		const LogFile *file = &checkpoint->files[i];
		char *path = delta_join(DELTA_LOG_DIRECTORY, file->name);

		if (path == NULL)
			return ingest_out_of_memory(error);
		reader->file_count++;
		if (!open_file(reader, path, file->kind == LOG_FILE_CHECKPOINT_UUID_JSON, &reader->files[i], error))
			return ingest_context(error, "checkpoint file \"%s\"", file->name);
	}
	return true;
}

void
checkpoint_close(CheckpointReader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < reader->file_count; i++)
		close_file(&reader->files[i]);
	for (size_t i = 0; i < reader->sidecar_count; i++)
		free(reader->sidecars[i]);
	free(reader->files);
	free(reader->sidecars);
	arena_release(&reader->scratch);
	buffer_release(&reader->json);
	buffer_release(&reader->vector_json);
	buffer_release(&reader->path_json);
	free(reader);
}

/* ---- projection ------------------------------------------------------------------------------ */

static const struct ArrowSchema *
find_child(const struct ArrowSchema *parent, const char *name)
{
	for (int64_t i = 0; i < parent->n_children; i++)
		if (strcmp(parent->children[i]->name, name) == 0)
			return parent->children[i];
	return NULL;
}

/* A copy of the node with those of the named children that exist. */
static bool
project_children(const struct ArrowSchema *node, const char *const *names, Arena *arena, struct ArrowSchema *out,
				 IngestError *error)
{
	size_t count = 0;

	*out = *node;
	for (size_t i = 0; names[i] != NULL; i++)
		count++;
	out->children = arena_alloc_array(arena, count + 1, sizeof(struct ArrowSchema *));
	if (out->children == NULL)
		return ingest_out_of_memory(error);
	out->n_children = 0;
	for (size_t i = 0; i < count; i++)
	{
		const struct ArrowSchema *child = find_child(node, names[i]);

		if (child != NULL)
			out->children[out->n_children++] = (struct ArrowSchema *) child;
	}
	return true;
}

/* Read all rows of some top-level columns, batch by batch. */
static bool
read_batches(CheckpointReader *reader, CheckpointFile *file, const struct ArrowSchema *projection,
			 bool (*take)(CheckpointReader *, Replay *, const struct ArrowSchema *, const struct ArrowArray *,
						  IngestError *),
			 Replay *replay, IngestError *error)
{
	ParquetReader *rows;
	bool done = true;

	file->object.cancel = reader->cancel;
	if (projection->n_children == 0)
		return true;
	if (!parquet_reader_open(file->parquet, projection, 0, &rows, error))
		return false;
	while (done)
	{
		struct ArrowArray array;
		int64_t first_row;

		done = parquet_reader_next(rows, INT32_MAX, &array, &first_row, reader->cancel, error);
		if (!done || array.release == NULL)
			break;
		done = take(reader, replay, parquet_reader_schema(rows), &array, error);
		array.release(&array);
	}
	parquet_reader_close(rows);
	return done;
}

/* ---- the first pass: metaData, protocol, sidecars ---------------------------------------------- */

static bool
add_sidecar(CheckpointReader *reader, Span path, IngestError *error)
{
	char *text = arena_copy(&reader->scratch, path.data, path.length);
	const char *directory = DELTA_SIDECAR_DIRECTORY;
	char *relative;

	if (text == NULL)
		return ingest_out_of_memory(error);
	/* normally a bare name; a path from the root is taken as one */
	if (strncmp(text, DELTA_LOG_DIRECTORY "/", sizeof(DELTA_LOG_DIRECTORY)) == 0)
		directory = "";
	if (reader->sidecar_count == reader->sidecar_capacity)
	{
		size_t capacity = reader->sidecar_capacity == 0 ? 16 : reader->sidecar_capacity * 2;
		char **sidecars = realloc(reader->sidecars, capacity * sizeof(char *));

		if (sidecars == NULL)
			return ingest_out_of_memory(error);
		reader->sidecars = sidecars;
		reader->sidecar_capacity = capacity;
	}
	if (!delta_path_resolve(reader->table->storage, directory, text, &relative, error))
		return false;
	reader->sidecars[reader->sidecar_count++] = relative;
	return true;
}

static bool
take_schema_rows(CheckpointReader *reader, Replay *replay, const struct ArrowSchema *schema,
				 const struct ArrowArray *array, IngestError *error)
{
	for (int64_t column = 0; column < schema->n_children; column++)
	{
		const struct ArrowSchema *node = schema->children[column];
		const struct ArrowArray *values = array->children[column];

		for (int64_t row = 0; row < array->length; row++)
		{
			Span json;
			FileAction sidecar;

			if (array_is_null(values, row))
				continue;
			reader->json.length = 0;
			arena_reset(&reader->scratch);
			if (!arrow_json_write(node, values, row, &reader->json, error))
				return false;
			json = (Span){reader->json.data, reader->json.length};
			if (strcmp(node->name, "metaData") == 0)
			{
				if (!replay_metadata(replay, json, error))
					return false;
			}
			else if (strcmp(node->name, "protocol") == 0)
			{
				if (!replay_protocol(replay, json, error))
					return false;
			}
			else if (!file_action_parse(json.data, json.length, &reader->scratch, &sidecar, error) ||
					 !add_sidecar(reader, sidecar.path, error))
				return false;
		}
	}
	return true;
}

static bool
replay_json_schema(CheckpointReader *reader, CheckpointFile *file, Replay *replay, IngestError *error)
{
	ActionReader actions;
	Action action;
	bool more = true;
	bool done = true;

	action_reader_init(&actions, file->json.data, file->json.length);
	while (done)
	{
		done = action_reader_next(&actions, &action, &more, error);
		if (!done || !more)
			break;
		if (action.kind == ACTION_METADATA || action.kind == ACTION_PROTOCOL)
			done = replay_action(replay, &action, error);
		else if (action.kind == ACTION_SIDECAR)
			done = add_sidecar(reader, action.file.path, error);
	}
	action_reader_release(&actions);
	return done;
}

bool
checkpoint_replay_schema(CheckpointReader *reader, Replay *replay, IngestError *error)
{
	static const char *const columns[] = {"metaData", "protocol", "sidecar", NULL};

	for (size_t i = 0; i < reader->file_count; i++)
	{
		CheckpointFile *file = &reader->files[i];
		struct ArrowSchema projection;
		Arena arena;
		bool done;

		arena_init(&arena, DELTA_MAX_HINT_BYTES);
		if (file->parquet == NULL)
			done = replay_json_schema(reader, file, replay, error);
		else
			done = project_children(parquet_schema(file->parquet), columns, &arena, &projection, error) &&
				   read_batches(reader, file, &projection, take_schema_rows, replay, error);
		arena_release(&arena);
		if (!done)
			return ingest_context(error, "checkpoint file \"%s\"", file->object.path);
	}
	return true;
}

/* ---- the second pass: adds --------------------------------------------------------------------- */

/* The columns of "add" in the arrays of a batch; -1 where missing. */
typedef struct AddColumns
{
	int64_t path, partition_values, size, modified, vector, stats;
} AddColumns;

static int64_t
child_index(const struct ArrowSchema *parent, const char *name)
{
	for (int64_t i = 0; i < parent->n_children; i++)
		if (strcmp(parent->children[i]->name, name) == 0)
			return i;
	return -1;
}

static bool
read_add_text(const struct ArrowSchema *add, const struct ArrowArray *adds, int64_t column, int64_t row, Span *out,
			  IngestError *error)
{
	out->length = 0;
	if (column < 0 || array_is_null(adds->children[column], row))
		return true;
	return array_bytes(add->children[column], adds->children[column], row, out) ||
		   ingest_fail(error, INGEST_ERROR_CORRUPT, "add.%s is not text", add->children[column]->name);
}

static bool
read_add_integer(const struct ArrowSchema *add, const struct ArrowArray *adds, int64_t column, int64_t row,
				 int64_t *out, IngestError *error)
{
	if (column < 0 || array_is_null(adds->children[column], row))
		return true;
	return array_integer(add->children[column], adds->children[column], row, out) ||
		   ingest_fail(error, INGEST_ERROR_CORRUPT, "add.%s is not an integer", add->children[column]->name);
}

/* A path without quotes, backslashes and control characters is its own JSON text. */
static bool
write_path_json(CheckpointReader *reader, FileAction *action, IngestError *error)
{
	bool plain = true;

	for (size_t i = 0; i < action->path.length && plain; i++)
	{
		unsigned char character = (unsigned char) action->path.data[i];

		plain = character >= 0x20 && character != '"' && character != '\\';
	}
	action->path_json = action->path;
	if (plain)
		return true;
	reader->path_json.length = 0;
	if (!json_write_string(&reader->path_json, action->path.data, action->path.length, error))
		return false;
	action->path_json = (Span){reader->path_json.data + 1, reader->path_json.length - 2};
	return true;
}

static bool
read_add_vector(CheckpointReader *reader, const struct ArrowSchema *node, const struct ArrowArray *values, int64_t row,
				FileAction *action, IngestError *error)
{
	reader->vector_json.length = 0;
	if (array_is_null(values, row))
		return true;
	if (!arrow_json_write(node, values, row, &reader->vector_json, error))
		return false;
	action->vector_json = (Span){reader->vector_json.data, reader->vector_json.length};
	if (!vector_descriptor_parse(action->vector_json, &reader->scratch, &action->vector, error))
		return false;
	if (action->vector.storage_type == 0)
		action->vector_json.length = 0;
	return true;
}

static bool
read_add(CheckpointReader *reader, const struct ArrowSchema *add, const struct ArrowArray *adds,
		 const AddColumns *columns, int64_t row, FileAction *action, IngestError *error)
{
	Span path;

	file_action_init(action);
	if (!read_add_text(add, adds, columns->path, row, &path, error))
		return false;
	if (path.length == 0 || memchr(path.data, '\0', path.length) != NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "an add has no valid path");
	action->path.data = arena_copy(&reader->scratch, path.data, path.length);
	action->path.length = path.length;
	if (action->path.data == NULL)
		return ingest_out_of_memory(error);
	if (!write_path_json(reader, action, error) ||
		!read_add_text(add, adds, columns->stats, row, &action->stats, error) ||
		!read_add_integer(add, adds, columns->size, row, &action->size, error) ||
		!read_add_integer(add, adds, columns->modified, row, &action->modified_ms, error))
		return false;
	if (columns->partition_values >= 0 && !array_is_null(adds->children[columns->partition_values], row))
	{
		reader->json.length = 0;
		if (!arrow_json_write(add->children[columns->partition_values], adds->children[columns->partition_values], row,
							  &reader->json, error))
			return false;
		action->partition_values = (Span){reader->json.data, reader->json.length};
	}
	return columns->vector < 0 ||
		   read_add_vector(reader, add->children[columns->vector], adds->children[columns->vector], row, action, error);
}

static bool
take_adds(CheckpointReader *reader, Replay *replay, const struct ArrowSchema *schema, const struct ArrowArray *array,
		  IngestError *error)
{
	const struct ArrowSchema *add = schema->children[0];
	const struct ArrowArray *adds = array->children[0];
	AddColumns columns = {
		child_index(add, "path"),           child_index(add, "partitionValues"),
		child_index(add, "size"),           child_index(add, "modificationTime"),
		child_index(add, "deletionVector"), child_index(add, "stats"),
	};

	for (int64_t row = 0; row < array->length; row++)
	{
		FileAction action;

		if (array_is_null(adds, row))
			continue;
		arena_reset(&reader->scratch);
		if (!read_add(reader, add, adds, &columns, adds->offset + row, &action, error) ||
			!replay_file(replay, ACTION_ADD, &action, error))
			return false;
	}
	return true;
}

static bool
replay_parquet_adds(CheckpointReader *reader, CheckpointFile *file, Replay *replay, IngestError *error)
{
	static const char *const fields[] = {"path",           "partitionValues", "size", "modificationTime",
										 "deletionVector", "stats",           NULL};
	const struct ArrowSchema *add = find_child(parquet_schema(file->parquet), "add");
	struct ArrowSchema root = *parquet_schema(file->parquet);
	struct ArrowSchema projected;
	struct ArrowSchema *children[1] = {&projected};
	Arena arena;
	bool done;

	if (add == NULL)
		return true;
	if (strcmp(add->format, "+s") != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the column \"add\" is not a struct");
	arena_init(&arena, DELTA_MAX_HINT_BYTES);
	root.n_children = 1;
	root.children = children;
	done = project_children(add, fields, &arena, &projected, error) &&
		   read_batches(reader, file, &root, take_adds, replay, error);
	arena_release(&arena);
	return done;
}

static bool
replay_json_adds(CheckpointFile *file, Replay *replay, IngestError *error)
{
	ActionReader actions;
	Action action;
	bool more = true;
	bool done = true;

	action_reader_init(&actions, file->json.data, file->json.length);
	while (done)
	{
		done = action_reader_next(&actions, &action, &more, error);
		if (!done || !more)
			break;
		if (action.kind == ACTION_ADD)
			done = replay_file(replay, ACTION_ADD, &action.file, error);
	}
	action_reader_release(&actions);
	return done;
}

static bool
replay_sidecar(CheckpointReader *reader, const char *path, Replay *replay, IngestError *error)
{
	CheckpointFile file;
	char *copy = strdup(path);
	bool done;

	if (copy == NULL)
		return ingest_out_of_memory(error);
	done = open_file(reader, copy, false, &file, error) && replay_parquet_adds(reader, &file, replay, error);
	close_file(&file);
	return done || ingest_context(error, "sidecar \"%s\"", path);
}

bool
checkpoint_replay_files(CheckpointReader *reader, Replay *replay, IngestError *error)
{
	replay->from_checkpoint = true;
	for (size_t i = 0; i < reader->file_count; i++)
	{
		CheckpointFile *file = &reader->files[i];

		if (file->parquet == NULL ? !replay_json_adds(file, replay, error)
								  : !replay_parquet_adds(reader, file, replay, error))
			return ingest_context(error, "checkpoint file \"%s\"", file->object.path);
	}
	for (size_t i = 0; i < reader->sidecar_count; i++)
		if (!replay_sidecar(reader, reader->sidecars[i], replay, error))
			return false;
	return true;
}
