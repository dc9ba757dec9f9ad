/*-------------------------------------------------------------------------
 *
 * fuzz_delta_log.c
 *	  Property: whatever a commit holds, it is read without a fault; a schema that was accepted
 *	  gives the same Arrow columns after its way through JSON; a live file's action, which is
 *	  what a position stores, parses again to the same path; and partition values of the file
 *	  parse or fail for every column.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "delta/delta_internal.h"

#define CHECK(condition) ((condition) ? (void) 0 : abort())

static DeltaTable *table;

static void
open_table(void)
{
	static const StorageRights rights = {.local_files = true};
	static const DeltaOptions options = {.keep_stats = true};
	Storage *storage;
	IngestError error;

	CHECK(storage_open("/nonexistent/table", NULL, 0, &rights, &storage, &error));
	CHECK(delta_table_create(storage, &options, &table, &error));
}

static void
check_schema(DeltaSchema *schema)
{
	DeltaSchema *again;
	Buffer json;
	IngestError error;

	buffer_init(&json, (size_t) 1 << 28);
	CHECK(delta_schema_to_json(schema, &json, &error));
	CHECK(delta_schema_from_json(json.data, json.length, &again, &error));
	CHECK(delta_schema_arrow(again)->n_children == delta_schema_arrow(schema)->n_children);
	CHECK(again->mapping == schema->mapping);
	delta_schema_release(again);
	buffer_release(&json);
}

static void
check_partition_values(const DeltaSchema *schema, const FileAction *action, Arena *arena)
{
	JsonValue *values = NULL;
	IngestError error;

	if (action->partition_values.length == 0 ||
		!json_parse(action->partition_values.data, action->partition_values.length, arena, &values, &error))
		return;
	for (size_t i = 0; i < values->count; i++)
		for (size_t f = 0; f < schema->root.child_count; f++)
		{
			PartitionValue value;

			(void) !partition_value_parse(&schema->root.children[f], values->members[i].value->text, "+01:00", arena,
										  &value, &error);
		}
}

static void
check_file(const DeltaSchema *schema, const DeltaFile *file)
{
	Arena arena;
	FileAction action;
	IngestError error;

	arena_init(&arena, (size_t) 1 << 28);
	CHECK(strlen(file->action_json) == file->action_length);
	CHECK(file_action_parse(file->action_json, file->action_length, &arena, &action, &error));
	CHECK(action.path.length == file->path.length && memcmp(action.path.data, file->path.data, file->path.length) == 0);
	if (schema != NULL)
		check_partition_values(schema, &action, &arena);
	arena_release(&arena);
}

static void
read_commit(Replay *replay, const uint8_t *data, size_t size)
{
	ActionReader reader;
	Action action;
	IngestError error;
	bool more = true;

	action_reader_init(&reader, (const char *) data, size);
	while (action_reader_next(&reader, &action, &more, &error) && more)
	{
		bool in_commit;

		if (action.kind == ACTION_COMMIT_INFO)
			(void) commit_info_time(action.json, &in_commit);
		if (!replay_action(replay, &action, &error))
			break;
	}
	action_reader_release(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DeltaSnapshot *snapshot = calloc(1, sizeof(DeltaSnapshot));
	DeltaSchema *schema = NULL;
	Replay replay;
	IngestError error;

	if (table == NULL)
		open_table();
	CHECK(snapshot != NULL);
	arena_init(&snapshot->arena, (size_t) 1 << 28);
	CHECK(replay_begin(&replay, table, snapshot, NULL, &error));
	read_commit(&replay, data, size);
	if (replay_schema(&replay, &schema, &error))
		check_schema(schema);
	for (size_t i = 0; i < snapshot->file_count; i++)
		check_file(schema, &snapshot->files[i]);
	replay_end(&replay);
	delta_schema_release(schema);
	delta_snapshot_free(snapshot);
	return 0;
}
