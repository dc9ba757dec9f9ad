/*-------------------------------------------------------------------------
 *
 * commit_replay.c
 *	  One commit of the log into a replay.
 *
 * A commit of the usual size is one GET.  A large one (a table converted or cloned may
 * have a million adds in its first commit) is read in windows, and only what is left of
 * the last window's unfinished line is carried over, so that memory stays near a window
 * and the longest line.  All windows are of one object, by its ETag.
 *
 * A window ends at a newline; an object that goes on behind it (objects may span lines)
 * looks broken there, and is tried again with the next window added.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A commit that does not parse may be one that is just being written, where the store cannot write at once. */
#define TORN_COMMIT_MS 60000

bool
log_parse_failed(const ActionReader *reader, int64_t modified_ms, IngestError *error)
{
	int64_t now_ms = (int64_t) time(NULL) * 1000;

	if (reader->torn && modified_ms > 0 && now_ms - modified_ms < TORN_COMMIT_MS)
		error->kind = INGEST_ERROR_TRANSIENT;
	return false;
}

/*
 * Replay the actions of the first "length" bytes of the buffer; *consumed is the beginning of what was not replayed.
 * An action that does not parse is left where "more_follows": it may go on behind.
 */
static bool
replay_actions(Replay *replay, size_t length, bool more_follows, int64_t modified_ms, size_t *consumed,
			   IngestError *error)
{
	ActionReader reader;
	Action action;
	bool more = true;
	bool done = true;

	action_reader_init(&reader, replay->bytes.data, length);
	while (done)
	{
		*consumed = (size_t) (reader.scanner.position - replay->bytes.data);
		if (!action_reader_next(&reader, &action, &more, error))
		{
			done = more_follows || log_parse_failed(&reader, modified_ms, error);
			break;
		}
		if (!more)
			break;
		done = replay_action(replay, &action, error);
	}
	action_reader_release(&reader);
	return done;
}

/* ---- windows ------------------------------------------------------------------------------------------ */

/* Bytes of the buffer up to its last newline; 0: there is none. */
static size_t
whole_lines(const Buffer *bytes)
{
	const char *newline = memrchr(bytes->data, '\n', bytes->length);

	return newline == NULL ? 0 : (size_t) (newline - bytes->data) + 1;
}

static bool
append_window(Replay *replay, const char *path, const StorageObject *object, uint64_t *offset, IngestError *error)
{
	Buffer *bytes = &replay->bytes;
	size_t length = replay->table->commit_window;

	if (length > object->size - *offset)
		length = (size_t) (object->size - *offset);
	if (!buffer_reserve(bytes, length, error) ||
		!storage_read(replay->table->storage, path, object->etag, *offset, length, bytes->data + bytes->length,
					  replay->cancel, error))
		return false;
	bytes->length += length;
	*offset += length;
	return true;
}

static bool
replay_windows(Replay *replay, const char *path, const StorageObject *object, IngestError *error)
{
	Buffer *bytes = &replay->bytes;
	uint64_t offset = 0;

	while (offset < object->size)
	{
		size_t consumed = 0;
		size_t length;
		bool last;

		if (!append_window(replay, path, object, &offset, error))
			return false;
		last = offset == object->size;
		length = last ? bytes->length : whole_lines(bytes);
		if (length > 0 && !replay_actions(replay, length, !last, object->modified_ms, &consumed, error))
			return false;
		memmove(bytes->data, bytes->data + consumed, bytes->length - consumed);
		bytes->length -= consumed;
	}
	return true;
}

/* ---- the door of this file --------------------------------------------------------------------------------- */

static bool
replay_whole(Replay *replay, const char *path, IngestError *error)
{
	StorageObject object = {0};
	size_t consumed;
	bool done = storage_get(replay->table->storage, path, &replay->bytes, &object, replay->cancel, error);

	if (done && replay->bytes.length == 0)
		done = ingest_fail(error, INGEST_ERROR_CORRUPT, "the file is empty");
	done = done && replay_actions(replay, replay->bytes.length, false, object.modified_ms, &consumed, error);
	storage_object_clear(&object);
	return done;
}

static bool
replay_large(Replay *replay, const char *path, IngestError *error)
{
	StorageObject object = {0};
	bool done = storage_head(replay->table->storage, path, &object, replay->cancel, error) &&
				replay_windows(replay, path, &object, error);

	storage_object_clear(&object);
	return done;
}

bool
replay_commit(Replay *replay, const LogFile *commit, IngestError *error)
{
	char *path = delta_join(DELTA_LOG_DIRECTORY, commit->name);
	bool done;

	if (path == NULL)
		return ingest_out_of_memory(error);
	replay->version = commit->version;
	replay->bytes.length = 0;
	done = commit->size > replay->table->commit_window ? replay_large(replay, path, error)
													   : replay_whole(replay, path, error);
	if (!done)
		ingest_context(error, "commit \"%s\"", path);
	free(path);
	return done;
}
