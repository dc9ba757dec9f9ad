/*-------------------------------------------------------------------------
 *
 * commit.c
 *	  One commit as changes of rows, for followers.
 *
 * A commit changes rows by its cdc files, where they are asked for and it has any; else
 * by its adds and removes:
 *
 *	  remove(f) and add(f)	with another deletion vector: only the rows by which the vectors
 *							differ; with the same one: nothing
 *	  remove(f)				all its live rows are deleted
 *	  add(f)				all its live rows are inserted
 *
 * What says dataChange = false (OPTIMIZE, statistics, purged vectors) changes no row and
 * is passed over.  Order: removes, vectors, adds, each bytewise by path, so that a
 * follower which stops in the middle finds the same order again.
 *
 * The whole commit is parsed and the protocol gate passed before the first change is
 * handed out.  A remove may lack its partition values; they are then taken from the
 * state before the commit, which is loaded at first need.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TORN_COMMIT_MS 60000
#define ACTIONS_BETWEEN_CANCELS 1024

/* One add, remove or cdc while the commit is put together. */
typedef struct CommitEntry
{
	ActionKind kind;
	bool data_change;
	bool has_values; /* partitionValues was there, and not empty */
	const char *canonical;
	const char *vector; /* identity; "" none */
	DeltaFile file;
} CommitEntry;

typedef struct CommitLoad
{
	DeltaTable *table;
	const IngestCancel *cancel;
	int64_t version;
	Buffer bytes;
	Buffer scratch;
	Buffer metadata;
	Buffer protocol;
	size_t entry_count;
	size_t entry_capacity;
	CommitEntry *entries;
	bool has_cdc;
	DeltaCommit *commit;
} CommitLoad;

/* ---- reading --------------------------------------------------------------------------------------------- */

static char *
text_of(CommitLoad *load)
{
	return arena_copy(&load->commit->arena, load->scratch.data, load->scratch.length);
}

static bool
add_entry(CommitLoad *load, const Action *action, IngestError *error)
{
	CommitEntry *entry;

	if (load->entry_count == load->entry_capacity)
	{
		size_t capacity = load->entry_capacity == 0 ? 64 : load->entry_capacity * 2;
		CommitEntry *entries = realloc(load->entries, capacity * sizeof(CommitEntry));

		if (entries == NULL)
			return ingest_out_of_memory(error);
		load->entries = entries;
		load->entry_capacity = capacity;
	}
	entry = &load->entries[load->entry_count];
	memset(entry, 0, sizeof(*entry));
	entry->kind = action->kind;
	entry->data_change = action->file.data_change;
	entry->has_values = action->file.partition_values.length > 2;
	load->scratch.length = 0;
	if (!delta_path_canonical(load->table->storage, action->file.path.data, &load->scratch, error))
		return false;
	entry->canonical = text_of(load);
	load->scratch.length = 0;
	if (!vector_identity(&action->file.vector, &load->scratch, error))
		return false;
	entry->vector = text_of(load);
	if (entry->canonical == NULL || entry->vector == NULL)
		return ingest_out_of_memory(error);
	load->entry_count++;
	load->has_cdc = load->has_cdc || action->kind == ACTION_CDC;
	return delta_file_fill(&entry->file, &action->file, load->table->options.keep_stats, &load->commit->arena, error);
}

/* In-commit timestamp, else the writer's clock; legal values of a commitInfo are anything. */
int64_t
commit_info_time(Span json, bool *in_commit)
{
	Arena arena;
	JsonValue *info;
	IngestError ignored;
	int64_t time_ms = 0;

	*in_commit = false;
	arena_init(&arena, DELTA_MAX_COMMIT_BYTES);
	if (json_parse(json.data, json.length, &arena, &info, &ignored))
	{
		*in_commit = json_to_int64(json_get(info, "inCommitTimestamp"), &time_ms);
		if (!*in_commit && !json_to_int64(json_get(info, "timestamp"), &time_ms))
			time_ms = 0;
	}
	arena_release(&arena);
	return time_ms;
}

static bool
take_action(CommitLoad *load, const Action *action, IngestError *error)
{
	bool in_commit;

	switch (action->kind)
	{
		case ACTION_ADD:
		case ACTION_REMOVE:
		case ACTION_CDC:
			return add_entry(load, action, error);
		case ACTION_METADATA:
			load->metadata.length = 0;
			return buffer_append(&load->metadata, action->json.data, action->json.length, error);
		case ACTION_PROTOCOL:
			load->protocol.length = 0;
			return buffer_append(&load->protocol, action->json.data, action->json.length, error);
		case ACTION_COMMIT_INFO:
			load->commit->time_ms = commit_info_time(action->json, &in_commit);
			return true;
		default:
			return true;
	}
}

static bool
parse_commit(CommitLoad *load, bool *torn, IngestError *error)
{
	ActionReader reader;
	Action action;
	bool more = true;
	bool done = load->bytes.length > 0 || ingest_fail(error, INGEST_ERROR_CORRUPT, "the file is empty");

	*torn = !done;
	action_reader_init(&reader, load->bytes.data, load->bytes.length);
	for (uint64_t count = 1; done; count++)
	{
		done = action_reader_next(&reader, &action, &more, error);
		*torn = reader.torn;
		if (!done || !more)
			break;
		done = take_action(load, &action, error);
		if (done && count % ACTIONS_BETWEEN_CANCELS == 0 && ingest_cancelled(load->cancel))
			done = ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
	}
	action_reader_release(&reader);
	return done;
}

/* ---- putting together ---------------------------------------------------------------------------------------- */

static bool
hash_commit(CommitLoad *load, IngestError *error)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (EVP_Digest(load->bytes.data, load->bytes.length, digest, &length, EVP_sha256(), NULL) != 1)
		return ingest_out_of_memory(error);
	for (unsigned int i = 0; i < length && i < 32; i++)
	{
		load->commit->identity[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		load->commit->identity[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	return true;
}

static bool
resolve_schema(CommitLoad *load, DeltaSchema *before, IngestError *error)
{
	DeltaCommit *commit = load->commit;
	Span metadata = {load->metadata.data, load->metadata.length};
	Span protocol = {load->protocol.data, load->protocol.length};

	commit->old_schema = delta_schema_acquire(before);
	if (metadata.length == 0 && protocol.length == 0 && before != NULL)
	{
		commit->schema = delta_schema_acquire(before);
		return true;
	}
	if (before == NULL && (metadata.length == 0 || protocol.length == 0))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the first commit lacks %s",
						   metadata.length == 0 ? "metaData" : "protocol");
	commit->schema_changed = true;
	return delta_schema_create(metadata.length > 0 ? metadata : before->metadata_json,
							   protocol.length > 0 ? protocol : before->protocol_json, &commit->schema, error);
}

/* ---- removes without partition values --------------------------------------------------------------------------- */

static bool
is_partitioned(const DeltaSchema *schema)
{
	for (size_t i = 0; schema != NULL && i < schema->root.child_count; i++)
		if (schema->root.children[i].is_partition)
			return true;
	return false;
}

/* Take a remove's file from the state before the commit.  *known is false where it was not live: a tombstone. */
static bool
complete_remove(CommitLoad *load, CommitEntry *entry, bool *known, IngestError *error)
{
	const DeltaFile *live;
	char *json;

	*known = true;
	if (entry->has_values || !is_partitioned(load->commit->old_schema))
		return true;
	if (!follower_state_at(load->table, load->version - 1, load->cancel, error))
		return ingest_context(error, "a remove has no partition values, and the state before it is needed");
	live = follower_state_find(load->table->follower_state, entry->canonical);
	*known = live != NULL;
	if (live == NULL)
		return true;
	json = arena_copy(&load->commit->arena, live->action_json, live->action_length);
	if (json == NULL)
		return ingest_out_of_memory(error);
	entry->file.action_json = json;
	entry->file.action_length = live->action_length;
	return true;
}

/* Keep up a state that was loaded once. */
static bool
advance_follower_state(CommitLoad *load, IngestError *error)
{
	FollowerState *state = load->table->follower_state;

	if (state == NULL || follower_state_version(state) != load->version - 1)
		return true;
	/* removes stand before adds of the same file */
	for (size_t i = 0; i < load->entry_count; i++)
		if (load->entries[i].kind != ACTION_CDC &&
			!follower_state_apply(state, load->entries[i].kind == ACTION_ADD, load->entries[i].canonical,
								  &load->entries[i].file, error))
			return false;
	follower_state_advance(load->table, load->version);
	return true;
}

/* ---- changes ------------------------------------------------------------------------------------------------------- */

/* By file, a remove before the add of the same one. */
static int
compare_entries(const void *left, const void *right)
{
	const CommitEntry *one = left;
	const CommitEntry *other = right;
	int order = strcmp(one->canonical, other->canonical);

	if (order != 0)
		return order;
	if (one->kind != other->kind)
		return one->kind == ACTION_REMOVE ? -1 : 1;
	return strcmp(one->vector, other->vector);
}

static int
compare_changes(const void *left, const void *right)
{
	static const int order[] = {
		[DELTA_CHANGE_REMOVE] = 0, [DELTA_CHANGE_VECTOR] = 1, [DELTA_CHANGE_ADD] = 2, [DELTA_CHANGE_CDC] = 3};
	const DeltaChange *one = left;
	const DeltaChange *other = right;

	if (one->kind != other->kind)
		return order[one->kind] - order[other->kind];
	return delta_path_compare(one->file.path, other->file.path);
}

static void
append_change(CommitLoad *load, DeltaChangeKind kind, const DeltaFile *file, const DeltaFile *old_file)
{
	DeltaChange *change = &load->commit->changes[load->commit->change_count++];

	change->kind = kind;
	change->file = *file;
	if (old_file != NULL)
		change->old_file = *old_file;
}

/* Only the cdc files count where they are used, and never where they are not. */
static void
keep_kinds(CommitLoad *load, bool cdc)
{
	size_t kept = 0;

	for (size_t i = 0; i < load->entry_count; i++)
		if ((load->entries[i].kind == ACTION_CDC) == cdc)
			load->entries[kept++] = load->entries[i];
	load->entry_count = kept;
}

static bool
is_same_file(const CommitEntry *one, const CommitEntry *other)
{
	return strcmp(one->canonical, other->canonical) == 0;
}

/* A remove and an add of one file: the rows by which their vectors differ. */
static void
append_pair(CommitLoad *load, const CommitEntry *removed, const CommitEntry *added)
{
	if ((removed->data_change || added->data_change) && strcmp(removed->vector, added->vector) != 0)
		append_change(load, DELTA_CHANGE_VECTOR, &added->file, &removed->file);
}

static bool
append_single(CommitLoad *load, CommitEntry *entry, IngestError *error)
{
	bool known = true;

	if (entry->kind == ACTION_CDC)
	{
		append_change(load, DELTA_CHANGE_CDC, &entry->file, NULL);
		return true;
	}
	if (!entry->data_change)
		return true;
	if (entry->kind == ACTION_REMOVE && !complete_remove(load, entry, &known, error))
		return false;
	if (known)
		append_change(load, entry->kind == ACTION_ADD ? DELTA_CHANGE_ADD : DELTA_CHANGE_REMOVE, &entry->file, NULL);
	return true;
}

static bool
make_changes(CommitLoad *load, bool use_cdc, IngestError *error)
{
	DeltaCommit *commit = load->commit;

	if (load->entry_count == 0)
		return advance_follower_state(load, error);
	commit->changes = arena_alloc_array(&commit->arena, load->entry_count, sizeof(DeltaChange));
	if (commit->changes == NULL)
		return ingest_out_of_memory(error);
	qsort(load->entries, load->entry_count, sizeof(CommitEntry), compare_entries);
	if (use_cdc && load->has_cdc)
	{
		if (!advance_follower_state(load, error))
			return false;
		keep_kinds(load, true);
	}
	else
		keep_kinds(load, false);
	for (size_t i = 0; i < load->entry_count; i++)
	{
		CommitEntry *entry = &load->entries[i];
		CommitEntry *next = i + 1 < load->entry_count && is_same_file(entry, entry + 1) ? entry + 1 : NULL;

		if (next != NULL && entry->kind == next->kind)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "file \"%s\" is %s twice", entry->canonical,
							   entry->kind == ACTION_REMOVE ? "removed" : "added");
		if (next != NULL)
		{
			append_pair(load, entry, next);
			i++;
		}
		else if (!append_single(load, entry, error))
			return false;
	}
	qsort(commit->changes, commit->change_count, sizeof(DeltaChange), compare_changes);
	return (use_cdc && load->has_cdc) || advance_follower_state(load, error);
}

/* ---- commits that are not there, or not wholly ------------------------------------------------------------------------ */

/* Nothing stands at "version".  Is it still to come, was it cleaned up, or is this another table? */
static bool
explain_absence(CommitLoad *load, bool *appeared, IngestError *error)
{
	DeltaTable *table = load->table;
	int64_t from = load->version > 0 ? load->version - 1 : 0;
	LogListing listing;
	int64_t latest;
	int64_t first_left = -1;

	*appeared = false;
	if (!log_list(table, from, &listing, load->cancel, error))
		return false;
	latest = log_listing_latest(&listing);
	*appeared = log_listing_commit(&listing, load->version) != NULL;
	for (size_t i = listing.commit_count; i > 0 && listing.commits[i - 1].version > load->version; i--)
		first_left = listing.commits[i - 1].version;
	log_listing_release(&listing);
	if (*appeared)
		return true;
	if (latest >= load->version)
		return ingest_fail(error, INGEST_ERROR_GONE,
						   "version %lld of Delta table \"%s\" is no longer available, the first commit left is %lld",
						   (long long) load->version, storage_uri(table->storage),
						   (long long) (first_left >= 0 ? first_left : latest));
	if (latest >= load->version - 1 || load->version == 0)
		return true;

	/* not even the version before: cleaned up behind a checkpoint, or another table in this place */
	if (!delta_latest_version(table, &latest, load->cancel, error))
		return false;
	if (latest >= load->version - 1)
		return true;
	ingest_fail(error, INGEST_ERROR_CHANGED,
				"Delta table \"%s\" has version %lld as its newest, but %lld was read before",
				storage_uri(table->storage), (long long) latest, (long long) load->version - 1);
	return ingest_hint(error, "The table was replaced.");
}

static int64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A commit whose last line is unfinished is not there yet, for TORN_COMMIT_MS from when it was first seen so. */
static bool
may_still_be_written(DeltaTable *table, int64_t version)
{
	int64_t now = monotonic_ms();

	if (table->torn_since_ms == 0 || table->torn_version != version)
	{
		table->torn_version = version;
		table->torn_since_ms = now;
	}
	return now - table->torn_since_ms < TORN_COMMIT_MS;
}

static bool
fetch_commit(CommitLoad *load, bool probe_gap, bool *found, IngestError *error)
{
	char *path = log_commit_path(&load->commit->arena, load->version);

	if (path == NULL)
		return ingest_out_of_memory(error);
	/* what a listing shows can vanish, and come back: look three times */
	for (int attempt = 0; attempt < 3; attempt++)
	{
		bool appeared;

		load->bytes.length = 0;
		*found = storage_get(load->table->storage, path, &load->bytes, NULL, load->cancel, error);
		if (*found)
			return true;
		if (error->kind != INGEST_ERROR_NOT_FOUND)
			return ingest_context(error, "commit \"%s\"", path);
		if (!probe_gap)
			return true;
		if (!explain_absence(load, &appeared, error))
			return false;
		if (!appeared)
			return true;
	}
	return ingest_fail(error, INGEST_ERROR_TRANSIENT, "commit \"%s\" is listed but cannot be read", path);
}

/* ---- the door ------------------------------------------------------------------------------------------------------------ */

static bool
build_commit(CommitLoad *load, DeltaSchema *before, bool use_cdc, bool *torn, IngestError *error)
{
	*torn = false;
	return parse_commit(load, torn, error) && hash_commit(load, error) && resolve_schema(load, before, error) &&
		   make_changes(load, use_cdc, error);
}

static bool
load_commit(CommitLoad *load, DeltaSchema *before, bool use_cdc, bool probe_gap, bool *exists, IngestError *error)
{
	bool torn;

	if (!fetch_commit(load, probe_gap, exists, error))
		return false;
	if (!*exists)
		return true;
	if (build_commit(load, before, use_cdc, &torn, error))
	{
		load->table->torn_since_ms = 0;
		return true;
	}
	if (torn && may_still_be_written(load->table, load->version))
	{
		*exists = false;
		return true;
	}
	return ingest_context(error, "Delta table \"%s\", version %lld", storage_uri(load->table->storage),
						  (long long) load->version);
}

bool
delta_commit_load(DeltaTable *table, int64_t version, DeltaSchema *before, bool use_cdc, bool probe_gap,
				  DeltaCommit **out, const IngestCancel *cancel, IngestError *error)
{
	CommitLoad load = {.table = table, .cancel = cancel, .version = version};
	bool exists = false;
	bool done;

	*out = NULL;
	load.commit = calloc(1, sizeof(DeltaCommit));
	if (load.commit == NULL)
		return ingest_out_of_memory(error);
	load.commit->version = version;
	arena_init(&load.commit->arena, DELTA_MAX_STATE_BYTES);
	buffer_init(&load.bytes, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&load.scratch, DELTA_MAX_COMMIT_BYTES);
	buffer_init(&load.metadata, DELTA_MAX_SCHEMA_BYTES);
	buffer_init(&load.protocol, DELTA_MAX_SCHEMA_BYTES);
	done = load_commit(&load, before, use_cdc, probe_gap, &exists, error);
	buffer_release(&load.bytes);
	buffer_release(&load.scratch);
	buffer_release(&load.metadata);
	buffer_release(&load.protocol);
	free(load.entries);
	if (done && exists)
		*out = load.commit;
	else
		delta_commit_free(load.commit);
	return done;
}

void
delta_commit_free(DeltaCommit *commit)
{
	if (commit == NULL)
		return;
	delta_schema_release(commit->schema);
	delta_schema_release(commit->old_schema);
	arena_release(&commit->arena);
	free(commit);
}
