/*-------------------------------------------------------------------------
 *
 * log_list.c
 *	  What lies in _delta_log: commits, checkpoints, and the hint.
 *
 * A listing holds the commits and the checkpoint files from some version on, sorted
 * here (no store's order is trusted).  Empty checkpoint files are left out: they are
 * torn writes, and an older checkpoint or the commits say the same.
 *
 * _last_checkpoint is a hint: it may cost time, never correctness, and never raises an
 * error of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTING_BYTES ((size_t) 4 << 30)

char *
log_commit_path(Arena *arena, int64_t version)
{
	return arena_printf(arena, "%s/%020lld.json", DELTA_LOG_DIRECTORY, (long long) version);
}

typedef struct ListState
{
	LogListing *listing;
	int64_t from_version;
	IngestError *error;
	bool failed;
} ListState;

/* Append to one of the listing's two arrays, which double by malloc. */
static bool
append_file(LogFile **files, size_t *count, size_t *capacity, const LogFile *file)
{
	if (*count == *capacity)
	{
		size_t larger = *capacity == 0 ? 64 : *capacity * 2;
		LogFile *grown = realloc(*files, larger * sizeof(LogFile));

		if (grown == NULL)
			return false;
		*files = grown;
		*capacity = larger;
	}
	(*files)[(*count)++] = *file;
	return true;
}

static bool
visit_object(const StorageObject *object, void *argument)
{
	ListState *state = argument;
	LogListing *listing = state->listing;
	const char *name = object->path + sizeof(DELTA_LOG_DIRECTORY);
	LogFile file;
	bool appended;

	if (strncmp(object->path, DELTA_LOG_DIRECTORY "/", sizeof(DELTA_LOG_DIRECTORY)) != 0)
		return true;
	/* versions are digits, and the order is bytewise: nothing of ours comes behind the ninth digit */
	if (name[0] > '9')
		return false;
	if (log_name_parse(name, &file) == LOG_FILE_OTHER || file.version < state->from_version)
		return true;
	if (file.kind != LOG_FILE_COMMIT && object->size == 0)
		return true;
	file.size = object->size;
	file.modified_ms = object->modified_ms;
	file.name = arena_copy(&listing->arena, name, strlen(name));
	if (file.name == NULL)
		appended = false;
	else if (file.kind == LOG_FILE_COMMIT)
		appended = append_file(&listing->commits, &listing->commit_count, &listing->commit_capacity, &file);
	else
		appended = append_file(&listing->checkpoints, &listing->checkpoint_count, &listing->checkpoint_capacity, &file);
	if (!appended)
	{
		state->failed = true;
		ingest_out_of_memory(state->error);
	}
	return appended;
}

#define COMPARE(one, other)                                                                                            \
	if ((one) != (other))                                                                                              \
	return (one) < (other) ? -1 : 1

static int
compare_files(const void *left, const void *right)
{
	const LogFile *one = left;
	const LogFile *other = right;

	COMPARE(one->version, other->version);
	COMPARE(one->kind, other->kind);
	COMPARE(one->parts, other->parts);
	COMPARE(one->part, other->part);
	return strcmp(one->name, other->name);
}

bool
log_list(DeltaTable *table, int64_t from_version, LogListing *listing, const IngestCancel *cancel, IngestError *error)
{
	ListState state = {.listing = listing, .from_version = from_version, .error = error};
	char start[64];
	bool done;

	memset(listing, 0, sizeof(*listing));
	arena_init(&listing->arena, MAX_LISTING_BYTES);
	/* the name of a version's first file is greater than this, because '.' is less than any letter or digit */
	snprintf(start, sizeof(start), "%s/%020lld.", DELTA_LOG_DIRECTORY, (long long) from_version);
	done = storage_list(table->storage, DELTA_LOG_DIRECTORY, from_version > 0 ? start : NULL, visit_object, &state,
						cancel, error);
	if (!done || state.failed)
	{
		log_listing_release(listing);
		return false;
	}
	if (listing->commit_count > 0)
		qsort(listing->commits, listing->commit_count, sizeof(LogFile), compare_files);
	if (listing->checkpoint_count > 0)
		qsort(listing->checkpoints, listing->checkpoint_count, sizeof(LogFile), compare_files);
	return true;
}

void
log_listing_release(LogListing *listing)
{
	free(listing->commits);
	free(listing->checkpoints);
	arena_release(&listing->arena);
	memset(listing, 0, sizeof(*listing));
}

int64_t
log_listing_latest(const LogListing *listing)
{
	int64_t latest = -1;

	if (listing->commit_count > 0)
		latest = listing->commits[listing->commit_count - 1].version;
	for (size_t skip = listing->checkpoint_count; skip > 0; skip--)
		if (listing->checkpoints[skip - 1].version > latest && listing->checkpoints[skip - 1].parts == 0)
			latest = listing->checkpoints[skip - 1].version;
	if (listing->checkpoint_count > 0)
	{
		LogCheckpoint checkpoint;

		/* parts count only where all of them are there */
		if (log_listing_checkpoint(listing, INT64_MAX, 0, &checkpoint) && checkpoint.version > latest)
			latest = checkpoint.version;
	}
	return latest;
}

const LogFile *
log_listing_commit(const LogListing *listing, int64_t version)
{
	LogFile key = {.version = version};
	size_t low = 0;
	size_t high = listing->commit_count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (listing->commits[middle].version < key.version)
			low = middle + 1;
		else
			high = middle;
	}
	return low < listing->commit_count && listing->commits[low].version == version ? &listing->commits[low] : NULL;
}

/* All parts 1..parts of a multi-part checkpoint end just before index "end". */
static bool
parts_are_complete(const LogListing *listing, size_t end)
{
	const LogFile *last = &listing->checkpoints[end - 1];

	if (last->part != last->parts || (uint64_t) last->parts > end)
		return false;
	for (int64_t i = 0; i < last->parts; i++)
	{
		const LogFile *file = last - i;

		if (file->kind != LOG_FILE_CHECKPOINT_PART || file->version != last->version || file->parts != last->parts ||
			file->part != last->parts - i)
			return false;
	}
	return true;
}

bool
log_listing_checkpoint(const LogListing *listing, int64_t target, size_t skip, LogCheckpoint *checkpoint)
{
	for (size_t end = listing->checkpoint_count; end > 0; end--)
	{
		const LogFile *file = &listing->checkpoints[end - 1];
		size_t count = 1;

		if (file->version > target)
			continue;
		if (file->kind == LOG_FILE_CHECKPOINT_PART)
		{
			if (!parts_are_complete(listing, end))
				continue;
			count = (size_t) file->parts;
		}
		if (skip-- > 0)
		{
			end -= count - 1;
			continue;
		}
		checkpoint->version = file->version;
		checkpoint->file_count = count;
		checkpoint->files = file - (count - 1);
		return true;
	}
	return false;
}

/* "version" of the hint's JSON, or -1. */
static int64_t
parse_hint(const Buffer *buffer)
{
	Arena arena;
	JsonValue *root;
	IngestError ignored;
	int64_t version;

	arena_init(&arena, DELTA_MAX_HINT_BYTES * 8);
	if (!json_parse(buffer->data, buffer->length, &arena, &root, &ignored) ||
		!json_to_int64(json_get(root, "version"), &version) || version < 0)
		version = -1;
	arena_release(&arena);
	return version;
}

bool
log_read_hint(DeltaTable *table, int64_t *version, const IngestCancel *cancel, IngestError *error)
{
	Buffer buffer;
	bool done;

	*version = -1;
	buffer_init(&buffer, DELTA_MAX_HINT_BYTES);
	done = storage_get(table->storage, DELTA_LOG_DIRECTORY "/_last_checkpoint", &buffer, NULL, cancel, error);
	if (done)
		*version = parse_hint(&buffer);
	else if (error->kind == INGEST_ERROR_NOT_FOUND || error->kind == INGEST_ERROR_LIMIT)
		done = true;
	buffer_release(&buffer);
	return done;
}
