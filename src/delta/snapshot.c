/*-------------------------------------------------------------------------
 *
 * snapshot.c
 *	  The table at a version: which checkpoint, which commits, and what they add up to.
 *
 *	  1. List the log, from the version that _last_checkpoint hints at where it helps.
 *	  2. Take the newest complete checkpoint that is not newer than the version wanted.
 *	  3. All commits behind it up to the version must be there; replay them newest first.
 *	  4. metaData and protocol: from the commits, else from the checkpoint.  The gate.
 *	  5. The checkpoint's files.
 *
 * A checkpoint that cannot be read is passed over for an older one, in the end for all
 * commits from version 0; when that does not work either, the first error is the one
 * told.  A file of the log that vanishes after it was listed (cleanup, a rewritten
 * checkpoint) makes the listing stale: it is taken again, MAX_LISTINGS times in all.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LISTINGS 4

/* ---- the table ------------------------------------------------------------------------------- */

bool
delta_table_create(Storage *storage, const DeltaOptions *options, DeltaTable **out, IngestError *error)
{
	DeltaTable *table = calloc(1, sizeof(DeltaTable));

	*out = NULL;
	if (table == NULL)
		return ingest_out_of_memory(error);
	table->storage = storage;
	table->commit_window = DELTA_COMMIT_WINDOW;
	if (options != NULL)
		table->options = *options;
	*out = table;
	return true;
}

void
delta_table_free(DeltaTable *table)
{
	if (table == NULL)
		return;
	follower_state_free(table->follower_state);
	free(table);
}

void
delta_snapshot_free(DeltaSnapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	delta_schema_release(snapshot->schema);
	free(snapshot->files);
	arena_release(&snapshot->arena);
	free(snapshot);
}

/* ---- one attempt -------------------------------------------------------------------------------- */

/* What is being loaded. */
typedef struct Load
{
	DeltaTable *table;
	const IngestCancel *cancel;
	bool want_files;
	int64_t version;
	DeltaSnapshot *snapshot;
	DeltaSchema *schema;
} Load;

/* Each commit of (base, version] must be in the listing. */
static bool
check_commits(const LogListing *listing, int64_t base, int64_t version, IngestError *error)
{
	int64_t first = listing->commit_count > 0 ? listing->commits[0].version : -1;

	for (int64_t v = base + 1; v <= version; v++)
	{
		if (log_listing_commit(listing, v) != NULL)
			continue;
		if (v < first && base < 0)
			return ingest_fail(
				error, INGEST_ERROR_GONE,
				"version %lld cannot be rebuilt: the log begins at version %lld and no checkpoint covers what "
				"was before",
				(long long) version, (long long) first);
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "commit %lld is missing in the log", (long long) v);
	}
	return true;
}

/* The commits, newest first; all of them, or until the schema is known where no files are wanted. */
static bool
replay_tail(Load *load, Replay *replay, const LogListing *listing, int64_t base, IngestError *error)
{
	for (int64_t v = load->version; v > base; v--)
	{
		if (ingest_cancelled(load->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (!load->want_files && replay->metadata.length > 0 && replay->protocol.length > 0)
			break;
		if (!replay_commit(replay, log_listing_commit(listing, v), error))
			return false;
	}
	return true;
}

static bool
replay_all(Load *load, Replay *replay, const LogListing *listing, const LogCheckpoint *checkpoint,
		   CheckpointReader **reader, IngestError *error)
{
	int64_t base = checkpoint != NULL ? checkpoint->version : -1;

	if (checkpoint != NULL && !checkpoint_open(load->table, checkpoint, reader, load->cancel, error))
		return false;
	if (!replay_tail(load, replay, listing, base, error))
		return false;
	if (checkpoint != NULL && !checkpoint_replay_schema(*reader, replay, error))
		return false;
	if (!replay_schema(replay, &load->schema, error))
		return false;
	return checkpoint == NULL || !load->want_files || checkpoint_replay_files(*reader, replay, error);
}

static DeltaSnapshot *
create_snapshot(int64_t version)
{
	DeltaSnapshot *snapshot = calloc(1, sizeof(DeltaSnapshot));

	if (snapshot != NULL)
	{
		snapshot->version = version;
		arena_init(&snapshot->arena, DELTA_MAX_STATE_BYTES);
	}
	return snapshot;
}

/* From this checkpoint (null: none) to the version. */
static bool
try_checkpoint(Load *load, const LogListing *listing, const LogCheckpoint *checkpoint, IngestError *error)
{
	CheckpointReader *reader = NULL;
	Replay replay;
	bool done;

	if (load->want_files && (load->snapshot = create_snapshot(load->version)) == NULL)
		return ingest_out_of_memory(error);
	done = replay_begin(&replay, load->table, load->snapshot, load->cancel, error) &&
		   replay_all(load, &replay, listing, checkpoint, &reader, error);
	replay_end(&replay);
	checkpoint_close(reader);
	if (!done)
	{
		delta_schema_release(load->schema);
		delta_snapshot_free(load->snapshot);
		load->schema = NULL;
		load->snapshot = NULL;
	}
	return done;
}

/* May another way to the same state succeed where this one failed? */
static bool
is_checkpoint_fault(const IngestError *error)
{
	return error->kind == INGEST_ERROR_CORRUPT || error->kind == INGEST_ERROR_NOT_FOUND ||
		   error->kind == INGEST_ERROR_GONE || error->kind == INGEST_ERROR_CHANGED ||
		   error->kind == INGEST_ERROR_LIMIT || error->kind == INGEST_ERROR_DENIED;
}

static bool
load_from_listing(Load *load, const LogListing *listing, IngestError *error)
{
	IngestError first_error;

	ingest_error_clear(&first_error);
	for (size_t skip = 0;; skip++)
	{
		LogCheckpoint checkpoint;
		bool found = log_listing_checkpoint(listing, load->version, skip, &checkpoint);

		if (check_commits(listing, found ? checkpoint.version : -1, load->version, error) &&
			try_checkpoint(load, listing, found ? &checkpoint : NULL, error))
			return true;
		if (first_error.kind == INGEST_ERROR_NONE)
			first_error = *error;
		if (!found || !is_checkpoint_fault(error))
			break;
	}
	*error = first_error;
	return false;
}

/* ---- listing ------------------------------------------------------------------------------------- */

/* The listing from the hinted version on will do if it has a complete checkpoint not newer than the version. */
static bool
hinted_listing_suffices(const LogListing *listing, int64_t version)
{
	LogCheckpoint checkpoint;

	return log_listing_checkpoint(listing, version < 0 ? INT64_MAX : version, 0, &checkpoint);
}

/* *complete: the listing begins at the log's beginning. */
static bool
list_for(DeltaTable *table, int64_t version, bool use_hint, LogListing *listing, bool *complete,
		 const IngestCancel *cancel, IngestError *error)
{
	int64_t hint = -1;

	*complete = true;
	if (use_hint && !log_read_hint(table, &hint, cancel, error))
		return false;
	if (hint > 0 && (version < 0 || hint <= version))
	{
		if (!log_list(table, hint, listing, cancel, error))
			return false;
		*complete = false;
		if (hinted_listing_suffices(listing, version))
			return true;
		log_listing_release(listing);
		*complete = true;
	}
	return log_list(table, 0, listing, cancel, error);
}

static bool
choose_version(const DeltaTable *table, const LogListing *listing, int64_t wanted, int64_t *version, IngestError *error)
{
	int64_t latest = log_listing_latest(listing);

	if (latest < 0)
		return ingest_fail(error, INGEST_ERROR_NOT_FOUND, "there is no Delta table at \"%s\"",
						   storage_uri(table->storage));
	if (wanted > latest)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "version %lld does not exist", (long long) wanted);
		return ingest_hint(error, "The newest version is %lld.", (long long) latest);
	}
	*version = wanted < 0 ? latest : wanted;
	return true;
}

/* Load by listing, by the hint first and then without; "stale": what was listed was gone when it was read. */
static bool
load_once(Load *load, int64_t wanted, bool use_hint, bool *stale, IngestError *error)
{
	LogListing listing;
	bool complete;
	bool done;

	*stale = false;
	if (!list_for(load->table, wanted, use_hint, &listing, &complete, load->cancel, error))
		return false;
	done = choose_version(load->table, &listing, wanted, &load->version, error);
	if (done && !load_from_listing(load, &listing, error))
	{
		done = false;
		*stale = error->kind == INGEST_ERROR_NOT_FOUND || error->kind == INGEST_ERROR_CHANGED ||
				 (!complete && is_checkpoint_fault(error));
	}
	log_listing_release(&listing);
	return done;
}

static bool
load_state(Load *load, int64_t wanted, IngestError *error)
{
	bool stale = true;
	bool done = false;

	for (int attempt = 0; attempt < MAX_LISTINGS && stale && !done; attempt++)
	{
		if (ingest_cancelled(load->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		done = load_once(load, wanted, attempt == 0, &stale, error);
	}
	/* what the log names is missing for good */
	if (!done && stale && error->kind == INGEST_ERROR_NOT_FOUND)
		error->kind = INGEST_ERROR_CORRUPT;
	if (!done && error->kind != INGEST_ERROR_CANCELLED &&
		strstr(error->message, storage_uri(load->table->storage)) == NULL)
		ingest_context(error, "Delta table \"%s\"", storage_uri(load->table->storage));
	return done;
}

/* ---- the door --------------------------------------------------------------------------------------- */

static int
compare_paths(const void *left, const void *right)
{
	return delta_path_compare(((const DeltaFile *) left)->path, ((const DeltaFile *) right)->path);
}

/* Files in order; one path live twice (under two vectors) means that a remove is missing. */
static bool
sort_files(DeltaSnapshot *snapshot, IngestError *error)
{
	if (snapshot->file_count > 1)
		qsort(snapshot->files, snapshot->file_count, sizeof(DeltaFile), compare_paths);
	for (size_t i = 1; i < snapshot->file_count; i++)
		if (compare_paths(&snapshot->files[i - 1], &snapshot->files[i]) == 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "version %lld has file \"%.*s\" twice",
							   (long long) snapshot->version, (int) snapshot->files[i].path.length,
							   snapshot->files[i].path.data);
	return true;
}

bool
delta_snapshot_load(DeltaTable *table, int64_t version, DeltaSnapshot **out, const IngestCancel *cancel,
					IngestError *error)
{
	Load load = {.table = table, .cancel = cancel, .want_files = true};

	*out = NULL;
	if (!load_state(&load, version, error))
		return false;
	load.snapshot->schema = load.schema;
	if (!sort_files(load.snapshot, error))
	{
		delta_snapshot_free(load.snapshot);
		return ingest_context(error, "Delta table \"%s\"", storage_uri(table->storage));
	}
	*out = load.snapshot;
	return true;
}

bool
delta_schema_load(DeltaTable *table, int64_t version, DeltaSchema **out, const IngestCancel *cancel, IngestError *error)
{
	Load load = {.table = table, .cancel = cancel, .want_files = false};

	*out = NULL;
	if (!load_state(&load, version, error))
		return false;
	*out = load.schema;
	return true;
}

bool
delta_latest_version(DeltaTable *table, int64_t *version, const IngestCancel *cancel, IngestError *error)
{
	LogListing listing;
	bool complete;
	bool done;

	if (!list_for(table, -1, true, &listing, &complete, cancel, error))
		return false;
	done = choose_version(table, &listing, -1, version, error);
	log_listing_release(&listing);
	return done;
}

bool
delta_first_version(DeltaTable *table, int64_t *version, const IngestCancel *cancel, IngestError *error)
{
	LogListing listing;
	bool done;

	if (!log_list(table, 0, &listing, cancel, error))
		return false;
	done = choose_version(table, &listing, -1, version, error);
	if (done && listing.commit_count > 0)
		*version = listing.commits[0].version;
	log_listing_release(&listing);
	return done;
}
