/*-------------------------------------------------------------------------
 *
 * time_travel.c
 *	  The newest version that is not later than a time.
 *
 * The time of a commit is
 *
 *	  its in-commit timestamp	where the table has delta.enableInCommitTimestamps, from the
 *								version on that enabled them; they rise strictly
 *	  else its file's time		made to rise: at least 1 ms after the commit before it
 *
 * A time from the enabling on only considers the versions from there on, an earlier one
 * only those before.  commitInfo.timestamp is the writer's clock and plays no part.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The commitInfo is the first action; it fits here, or the whole commit is read. */
#define FIRST_ACTION_BYTES ((size_t) 64 << 10)

typedef struct Travel
{
	DeltaTable *table;
	const IngestCancel *cancel;
	LogListing listing;
	int64_t time_ms;
	int64_t *version;
} Travel;

/* ---- file times ------------------------------------------------------------------------------------- */

static bool
too_early(const Travel *travel, int64_t first_ms, IngestError *error)
{
	time_t seconds = (time_t) (first_ms / 1000);
	struct tm utc;
	char text[64] = "?";

	if (gmtime_r(&seconds, &utc) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	ingest_fail(error, INGEST_ERROR_INVALID, "Delta table \"%s\" has no version as old as the time asked for",
				storage_uri(travel->table->storage));
	return ingest_hint(error, "The oldest version left is of %s.", text);
}

/* Among the commits before "end" of the listing. */
static bool
search_file_times(Travel *travel, size_t end, IngestError *error)
{
	const LogFile *commits = travel->listing.commits;
	int64_t time_ms = INT64_MIN;

	if (end == 0 || commits[0].modified_ms > travel->time_ms)
		return too_early(travel, end == 0 ? 0 : commits[0].modified_ms, error);
	for (size_t i = 0; i < end; i++)
	{
		time_ms = i == 0 || commits[i].modified_ms > time_ms ? commits[i].modified_ms : time_ms + 1;
		if (time_ms > travel->time_ms)
			break;
		*travel->version = commits[i].version;
	}
	return true;
}

/* ---- in-commit timestamps ----------------------------------------------------------------------------- */

/* *time_ms of the first commitInfo in some bytes of a commit; false: there is none. */
static bool
find_commit_time(const char *data, size_t length, int64_t *time_ms)
{
	ActionReader reader;
	Action action;
	IngestError ignored;
	bool more = true;
	bool found = false;

	action_reader_init(&reader, data, length);
	while (!found && action_reader_next(&reader, &action, &more, &ignored) && more)
	{
		bool in_commit = false;

		if (action.kind == ACTION_COMMIT_INFO)
			*time_ms = commit_info_time(action.json, &in_commit);
		found = in_commit;
	}
	action_reader_release(&reader);
	return found;
}

static bool
read_commit_time(Travel *travel, const LogFile *commit, int64_t *time_ms, IngestError *error)
{
	size_t length = commit->size < FIRST_ACTION_BYTES ? (size_t) commit->size : FIRST_ACTION_BYTES;
	char *path = delta_join(DELTA_LOG_DIRECTORY, commit->name);
	Buffer buffer;
	bool done;

	if (path == NULL)
		return ingest_out_of_memory(error);
	buffer_init(&buffer, DELTA_MAX_COMMIT_BYTES);
	done = buffer_reserve(&buffer, length + 1, error) &&
		   storage_read(travel->table->storage, path, NULL, 0, length, buffer.data, travel->cancel, error);
	if (done && !find_commit_time(buffer.data, length, time_ms))
	{
		done = storage_get(travel->table->storage, path, &buffer, NULL, travel->cancel, error);
		if (done && !find_commit_time(buffer.data, buffer.length, time_ms))
			done = ingest_fail(error, INGEST_ERROR_CORRUPT, "no in-commit timestamp");
	}
	buffer_release(&buffer);
	free(path);
	return done || ingest_context(error, "Delta table \"%s\", version %lld", storage_uri(travel->table->storage),
								  (long long) commit->version);
}

/* Among the commits of the listing from "first" on. */
static bool
search_commit_times(Travel *travel, size_t first, IngestError *error)
{
	const LogFile *commits = travel->listing.commits;
	size_t low = first;
	size_t high = travel->listing.commit_count;
	int64_t oldest = 0;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		int64_t time_ms;

		if (ingest_cancelled(travel->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (!read_commit_time(travel, &commits[middle], &time_ms, error))
			return false;
		if (time_ms <= travel->time_ms)
			low = middle + 1;
		else
		{
			high = middle;
			oldest = time_ms;
		}
	}
	if (low == first)
		return too_early(travel, oldest, error);
	*travel->version = commits[low - 1].version;
	return true;
}

/* An integer property; false: absent. */
static bool
integer_property(const DeltaSchema *schema, const char *key, int64_t *out)
{
	return json_to_int64(json_get(schema->configuration, key), out);
}

static bool
search(Travel *travel, const DeltaSchema *schema, IngestError *error)
{
	const char *enabled = delta_schema_property(schema, "delta.enableInCommitTimestamps");
	size_t first = 0;
	int64_t enabled_version;
	int64_t enabled_ms;

	if (enabled == NULL || strcmp(enabled, "true") != 0)
		return search_file_times(travel, travel->listing.commit_count, error);
	if (!integer_property(schema, "delta.inCommitTimestampEnablementVersion", &enabled_version) ||
		!integer_property(schema, "delta.inCommitTimestampEnablementTimestamp", &enabled_ms))
		return search_commit_times(travel, 0, error);
	while (first < travel->listing.commit_count && travel->listing.commits[first].version < enabled_version)
		first++;
	return travel->time_ms >= enabled_ms ? search_commit_times(travel, first, error)
										 : search_file_times(travel, first, error);
}

bool
delta_version_at(DeltaTable *table, int64_t time_ms, int64_t *version, const IngestCancel *cancel, IngestError *error)
{
	Travel travel = {.table = table, .cancel = cancel, .time_ms = time_ms, .version = version};
	DeltaSchema *schema;
	bool done;

	if (!delta_schema_load(table, -1, &schema, cancel, error))
		return false;
	done = log_list(table, 0, &travel.listing, cancel, error) && search(&travel, schema, error);
	log_listing_release(&travel.listing);
	delta_schema_release(schema);
	return done;
}
