/*-------------------------------------------------------------------------
 *
 * follower_state.c
 *	  The live files of the version before the next commit.
 *
 * Only for commits whose removes carry no partition values (the protocol lets writers
 * leave them out): the values are those of the add, which an earlier version holds.  The
 * state is loaded when such a commit is met first, and kept up by the commits that are
 * read after it.  A table whose commits are complete never has one.
 *
 * Files that were removed stay in memory until they are as many as the live ones; then
 * the state is let go, and loaded again when it is needed.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

#define REMOVED INT64_C(-1)
#define MIN_DEAD_FILES 1000

struct FollowerState
{
	DeltaSnapshot *snapshot; /* its files grow by those added since */
	FileSet *by_path;        /* canonical path to index, or REMOVED */
	size_t capacity;
	size_t dead;
};

void
follower_state_free(FollowerState *state)
{
	if (state == NULL)
		return;
	delta_snapshot_free(state->snapshot);
	file_set_free(state->by_path);
	free(state);
}

int64_t
follower_state_version(const FollowerState *state)
{
	return state->snapshot->version;
}

/* Canonical path of a live file, with a NUL, in "key". */
static bool
canonical_key(const DeltaTable *table, Span path, Buffer *plain, Buffer *key, IngestError *error)
{
	plain->length = 0;
	key->length = 0;
	return buffer_append(plain, path.data, path.length, error) && buffer_append(plain, "", 1, error) &&
		   delta_path_canonical(table->storage, plain->data, key, error);
}

static bool
index_files(FollowerState *state, const DeltaTable *table, IngestError *error)
{
	Buffer plain;
	Buffer key;
	bool done = true;

	buffer_init(&plain, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&key, DELTA_MAX_COMMIT_BYTES);
	for (size_t i = 0; i < state->snapshot->file_count && done; i++)
	{
		bool is_new;
		int64_t *number;

		done = canonical_key(table, state->snapshot->files[i].path, &plain, &key, error);
		number = done ? file_set_put(state->by_path, key.data, key.length, &is_new) : NULL;
		if (number != NULL)
			*number = (int64_t) i;
		else if (done)
			done = ingest_out_of_memory(error);
	}
	buffer_release(&plain);
	buffer_release(&key);
	return done;
}

bool
follower_state_at(DeltaTable *table, int64_t version, const IngestCancel *cancel, IngestError *error)
{
	FollowerState *state = table->follower_state;

	if (state != NULL && state->snapshot->version == version)
		return true;
	follower_state_free(state);
	table->follower_state = NULL;
	state = calloc(1, sizeof(FollowerState));
	if (state == NULL || (state->by_path = file_set_create()) == NULL)
	{
		free(state);
		return ingest_out_of_memory(error);
	}
	if (!delta_snapshot_load(table, version, &state->snapshot, cancel, error) || !index_files(state, table, error))
	{
		follower_state_free(state);
		return false;
	}
	state->capacity = state->snapshot->file_count;
	table->follower_state = state;
	return true;
}

const DeltaFile *
follower_state_find(const FollowerState *state, const char *canonical)
{
	int64_t number;

	if (!file_set_get(state->by_path, canonical, strlen(canonical), &number) || number == REMOVED)
		return NULL;
	return &state->snapshot->files[number];
}

/* A copy of the file behind the others. */
static bool
append_file(FollowerState *state, const DeltaFile *file, IngestError *error)
{
	DeltaSnapshot *snapshot = state->snapshot;
	DeltaFile *copy;

	if (snapshot->file_count == state->capacity)
	{
		size_t capacity = state->capacity < 64 ? 64 : state->capacity * 2;
		DeltaFile *files = realloc(snapshot->files, capacity * sizeof(DeltaFile));

		if (files == NULL)
			return ingest_out_of_memory(error);
		snapshot->files = files;
		state->capacity = capacity;
	}
	copy = &snapshot->files[snapshot->file_count++];
	*copy = *file;
	copy->stats = NULL;
	copy->path = (Span){NULL, 0};
	copy->action_json = arena_copy(&snapshot->arena, file->action_json, file->action_length);
	return copy->action_json != NULL || ingest_out_of_memory(error);
}

bool
follower_state_apply(FollowerState *state, bool is_add, const char *canonical, const DeltaFile *file,
					 IngestError *error)
{
	bool is_new;
	int64_t *number = file_set_put(state->by_path, canonical, strlen(canonical), &is_new);

	if (number == NULL)
		return ingest_out_of_memory(error);
	if (!is_new && *number != REMOVED)
		state->dead++;
	*number = is_add ? (int64_t) state->snapshot->file_count : REMOVED;
	return !is_add || append_file(state, file, error);
}

void
follower_state_advance(DeltaTable *table, int64_t version)
{
	FollowerState *state = table->follower_state;

	state->snapshot->version = version;
	if (state->dead < MIN_DEAD_FILES || state->dead < state->snapshot->file_count / 2)
		return;
	follower_state_free(state);
	table->follower_state = NULL;
}
