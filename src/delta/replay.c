/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  Actions to the state of a version.
 *
 * Commits are replayed newest first, then the checkpoint.  So the first reference to a
 * file decides it, the first metaData and protocol are the ones in force, only the files
 * that are live are ever kept, and the files of a checkpoint stream through with no more
 * than a look into the set of the commits' files.
 *
 * The key of a file is its canonical path and its deletion vector: remove(f, v1) with
 * add(f, v2) in one commit changes the vector.  Inside a commit the order of lines means
 * nothing: its adds win over its removes.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

bool
replay_begin(Replay *replay, DeltaTable *table, DeltaSnapshot *snapshot, const IngestCancel *cancel, IngestError *error)
{
	memset(replay, 0, sizeof(*replay));
	replay->table = table;
	replay->cancel = cancel;
	replay->snapshot = snapshot;
	buffer_init(&replay->key, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&replay->bytes, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&replay->metadata, DELTA_MAX_SCHEMA_BYTES);
	buffer_init(&replay->protocol, DELTA_MAX_SCHEMA_BYTES);
	replay->decided = file_set_create();
	return replay->decided != NULL || ingest_out_of_memory(error);
}

void
replay_end(Replay *replay)
{
	buffer_release(&replay->key);
	buffer_release(&replay->bytes);
	buffer_release(&replay->metadata);
	buffer_release(&replay->protocol);
	file_set_free(replay->decided);
	replay->decided = NULL;
}

static bool
append_live(Replay *replay, const FileAction *action, IngestError *error)
{
	DeltaSnapshot *snapshot = replay->snapshot;
	DeltaFile *file;

	if (snapshot->file_count == replay->file_capacity)
	{
		size_t capacity = replay->file_capacity == 0 ? 64 : replay->file_capacity * 2;
		DeltaFile *files = realloc(snapshot->files, capacity * sizeof(DeltaFile));

		if (files == NULL)
			return ingest_out_of_memory(error);
		snapshot->files = files;
		replay->file_capacity = capacity;
	}
	file = &snapshot->files[snapshot->file_count];
	if (!delta_file_fill(file, action, replay->table->options.keep_stats, &snapshot->arena, error))
		return false;
	snapshot->file_count++;
	snapshot->byte_count += file->size;
	if (file->record_count < 0 || snapshot->record_count < 0)
		snapshot->record_count = -1;
	else
		snapshot->record_count += file->record_count - action->vector.cardinality;
	return true;
}

static bool
make_key(Replay *replay, const FileAction *action, IngestError *error)
{
	replay->key.length = 0;
	return delta_path_canonical(replay->table->storage, action->path.data, &replay->key, error) &&
		   buffer_append(&replay->key, "", 1, error) && vector_identity(&action->vector, &replay->key, error);
}

bool
replay_file(Replay *replay, ActionKind kind, const FileAction *action, IngestError *error)
{
	bool is_add = kind == ACTION_ADD;
	int64_t decision = replay->version * 2 + is_add;
	int64_t *decided;
	bool is_new;

	if (replay->snapshot == NULL || (replay->from_checkpoint && !is_add))
		return true;
	if ((replay->actions_seen++ & 1023) == 0 && ingest_cancelled(replay->cancel))
		return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
	if (!make_key(replay, action, error))
		return false;
	if (replay->from_checkpoint)
		return file_set_contains(replay->decided, replay->key.data, replay->key.length) ||
			   append_live(replay, action, error);
	decided = file_set_put(replay->decided, replay->key.data, replay->key.length, &is_new);
	if (decided == NULL)
		return ingest_out_of_memory(error);
	if (!is_new && *decided == decision && is_add)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "file \"%s\" is added twice", action->path.data);

	/* an add beside a remove of the same version wins; anything newer has decided already */
	if (!is_new && !(is_add && *decided == replay->version * 2))
		return true;
	*decided = decision;
	return !is_add || append_live(replay, action, error);
}

bool
replay_metadata(Replay *replay, Span json, IngestError *error)
{
	return replay->metadata.length > 0 || buffer_append(&replay->metadata, json.data, json.length, error);
}

bool
replay_protocol(Replay *replay, Span json, IngestError *error)
{
	return replay->protocol.length > 0 || buffer_append(&replay->protocol, json.data, json.length, error);
}

bool
replay_schema(Replay *replay, DeltaSchema **out, IngestError *error)
{
	if (replay->protocol.length == 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the log has no protocol action");
	if (replay->metadata.length == 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the log has no metaData action");
	return delta_schema_create((Span){replay->metadata.data, replay->metadata.length},
							   (Span){replay->protocol.data, replay->protocol.length}, out, error);
}

bool
replay_action(Replay *replay, const Action *action, IngestError *error)
{
	switch (action->kind)
	{
		case ACTION_ADD:
		case ACTION_REMOVE:
			return replay_file(replay, action->kind, &action->file, error);
		case ACTION_METADATA:
			return replay_metadata(replay, action->json, error);
		case ACTION_PROTOCOL:
			return replay_protocol(replay, action->json, error);
		default:
			return true;
	}
}
