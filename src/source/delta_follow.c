/*-------------------------------------------------------------------------
 *
 * delta_follow.c
 *	  The log of a table, version by version, as changes of the target.
 *
 * One version is one transaction: all its batches but the last leave the transaction
 * open, and the last has the move of the position.  Inside a version deletes come before
 * inserts.  A version without changes only moves the position; several in a row are
 * passed by one empty batch, which is put as soon as nothing more is there.
 *
 * A version that does not exist is asked for again after poll_interval_ms; at the start and
 * every tenth time the log is listed as well, so that a cleaned-up version is a failure and
 * no endless wait.
 *
 * Before any row of a version, its schema is compared with the one before: a column that
 * feeds the target must still be there, and of a type that can.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/delta_source.h"

#define POLLS_BETWEEN_LISTINGS 10
#define VERSIONS_BETWEEN_LATEST 100 /* how often to ask how far behind we are */
#define MOST_EMPTY_VERSIONS 1000    /* passed by one batch */

typedef struct Follower
{
	DeltaSource *source;
	RowWriter writer;
	DeltaColumns *columns;        /* of the schema in force */
	DeltaColumns *change_columns; /* the same with _change_type; made when first needed */
	ChangeBatch *held;            /* the version's newest batch, which may be its last */
	int64_t expected;             /* the stored position: moves begin here */
	int64_t next;                 /* the version to read */
	int64_t latest;               /* newest version known of */
	bool schema_changed;          /* since the last move */
	bool differs;                 /* the version has deletes and inserts */
	char identity[80];            /* of the last version passed */
} Follower;

/* ---- batches ------------------------------------------------------------------------------- */

/* A batch of a version goes out when the next one of it comes. */
static bool
hold_batch(void *state, ChangeBatch *batch, IngestError *error)
{
	Follower *follower = state;
	ChangeBatch *before = follower->held;

	batch->set_difference = follower->differs;
	follower->held = batch;
	if (before == NULL)
		return true;
	before->keep_open = true;
	return event_queue_put_batch(follower->source->run->queue, before, error);
}

static bool
write_schema(const DeltaSchema *schema, Buffer *text, IngestError *error)
{
	return delta_schema_to_json(schema, text, error) && buffer_append(text, "", 1, error);
}

static bool
add_move(Follower *follower, ChangeBatch *batch, IngestError *error)
{
	PositionMove move = {.kind = POSITION_DELTA_VERSION,
						 .expected = follower->expected,
						 .next = follower->next,
						 .commit_identity = follower->identity[0] != '\0' ? follower->identity : NULL};
	Buffer schema;
	bool done = true;

	buffer_init(&schema, (size_t) 256 << 20);
	if (follower->schema_changed)
	{
		done = write_schema(follower->source->schema, &schema, error);
		move.schema_json = schema.data;
	}
	done = done && batch_add_move(batch, &move, error);
	buffer_release(&schema);
	return done;
}

/* Commit what was passed: the held batch, or an empty one, with the move. */
static bool
put_move(Follower *follower, IngestError *error)
{
	DeltaSource *source = follower->source;
	ChangeBatch *batch = follower->held;

	follower->held = NULL;
	if (batch == NULL)
	{
		batch = batch_create(source->run->target, 0, (size_t) 1 << 30);
		if (batch == NULL)
			return ingest_out_of_memory(error);
		batch_finish(batch);
	}
	if (!add_move(follower, batch, error))
	{
		batch_free(batch);
		return false;
	}
	batch->completes_backfill = !source->backfill_completed && source->backfill_end_version >= 0 &&
								follower->next > source->backfill_end_version;
	source->backfill_completed |= batch->completes_backfill;
	follower->expected = follower->next;
	follower->schema_changed = false;
	return event_queue_put_batch(source->run->queue, batch, error);
}

static bool
put_passed(Follower *follower, IngestError *error)
{
	return follower->next == follower->expected || put_move(follower, error);
}

/* ---- schema ------------------------------------------------------------------------------------ */

static bool
has_field(const struct ArrowSchema *schema, const char *name)
{
	for (int64_t i = 0; i < schema->n_children; i++)
		if (strcmp(schema->children[i]->name, name) == 0)
			return true;
	return false;
}

/* A column that fed the target and is no more. */
static bool
check_dropped(const Follower *follower, const DeltaCommit *commit, IngestError *error)
{
	const struct ArrowSchema *before = &follower->columns->projection;
	const struct ArrowSchema *after = delta_schema_arrow(commit->schema);
	char names[512] = "";
	size_t length = 0;

	for (int64_t i = 0; i < before->n_children; i++)
		if (!has_field(after, before->children[i]->name) && length < sizeof(names) - 80)
			length += (size_t) snprintf(names + length, sizeof(names) - length, "%s\"%.64s\"", length > 0 ? ", " : "",
										before->children[i]->name);
	if (length == 0)
		return true;
	ingest_fail(error, INGEST_ERROR_INVALID, "version %" PRId64 " drops or renames %s, which table \"%s\" is fed from",
				commit->version, names, follower->source->run->target->name);
	return ingest_hint(error, "Drop or rename the column in the target table as well, then start the connector again.");
}

/* Columns that are new and that the target does not have: told once. */
static bool
warn_of_added(const Follower *follower, const DeltaCommit *commit, IngestError *error)
{
	const struct ArrowSchema *before = delta_schema_arrow(commit->old_schema);
	const struct ArrowSchema *after = delta_schema_arrow(commit->schema);
	const TargetTable *target = follower->source->run->target;
	char names[512] = "";
	size_t length = 0;

	for (int64_t i = 0; i < after->n_children; i++)
	{
		const char *name = after->children[i]->name;

		if (!has_field(before, name) && target_find_column(target, (Span){name, strlen(name)}) < 0 &&
			length < sizeof(names) - 80)
			length +=
				(size_t) snprintf(names + length, sizeof(names) - length, "%s\"%.64s\"", length > 0 ? ", " : "", name);
	}
	return length == 0 ||
		   event_queue_put_log(follower->source->run->queue, SOURCE_LOG_WARNING, error,
							   "version %" PRId64 " of Delta table \"%s\" adds %s, which table \"%s\" does not have",
							   commit->version, storage_uri(follower->source->storage), names, target->name);
}

static bool
change_schema(Follower *follower, const DeltaCommit *commit, DeltaColumns **old_columns, IngestError *error)
{
	DeltaSource *source = follower->source;
	DeltaColumns *columns;
	const char *old_id = delta_schema_table_id(source->schema);
	const char *new_id = delta_schema_table_id(commit->schema);

	if (strcmp(old_id, new_id) != 0)
		return ingest_fail(error, INGEST_ERROR_CHANGED,
						   "version %" PRId64 " is of another table (id \"%s\" instead of \"%s\")", commit->version,
						   new_id, old_id);
	if (!check_dropped(follower, commit, error))
		return false;
	if (!delta_columns_create(commit->schema, source->run->target, false, &columns, error))
		return ingest_context(error, "version %" PRId64, commit->version);
	*old_columns = follower->columns;
	follower->columns = columns;
	delta_columns_free(follower->change_columns);
	follower->change_columns = NULL;
	delta_schema_release(source->schema);
	source->schema = delta_schema_acquire(commit->schema);
	follower->schema_changed = true;
	return warn_of_added(follower, commit, error);
}

/* ---- one version ----------------------------------------------------------------------------------- */

static bool
choose_columns(Follower *follower, const DeltaChange *change, const DeltaColumns *old_columns,
			   const DeltaColumns **columns, IngestError *error)
{
	*columns = follower->columns;
	if (change->kind == DELTA_CHANGE_REMOVE && old_columns != NULL)
		*columns = old_columns;
	if (change->kind != DELTA_CHANGE_CDC)
		return true;
	if (follower->change_columns == NULL &&
		!delta_columns_create(follower->source->schema, follower->source->run->target, true, &follower->change_columns,
							  error))
		return false;
	*columns = follower->change_columns;
	return true;
}

/* Does a change have rows of this kind (deletes, inserts)? */
static bool
has_kind(const DeltaChange *change, ChangeKind kind)
{
	switch (change->kind)
	{
		case DELTA_CHANGE_ADD:
			return kind == CHANGE_INSERT;
		case DELTA_CHANGE_REMOVE:
			return kind == CHANGE_DELETE;
		case DELTA_CHANGE_VECTOR:
		case DELTA_CHANGE_CDC:
			return true;
	}
	return false;
}

static bool
read_change(Follower *follower, const DeltaCommit *commit, const DeltaChange *change, const DeltaColumns *old_columns,
			ChangeKind kind, IngestError *error)
{
	FileRead read = {.action_json = change->file.action_json,
					 .action_length = change->file.action_length,
					 .rows = DELTA_ROWS_LIVE,
					 .kind = kind,
					 .by_change_type = change->kind == DELTA_CHANGE_CDC,
					 .file_number = -1,
					 .version = commit->version};

	if (!has_kind(change, kind))
		return true;
	if (change->kind == DELTA_CHANGE_VECTOR)
	{
		read.rows = kind == CHANGE_DELETE ? DELTA_ROWS_NEWLY_MASKED : DELTA_ROWS_NEWLY_LIVE;
		read.old_action_json = change->old_file.action_json;
		read.old_action_length = change->old_file.action_length;
	}
	return choose_columns(follower, change, old_columns, &read.columns, error) &&
		   row_writer_read(&follower->writer, &read, error);
}

static bool
read_changes(Follower *follower, const DeltaCommit *commit, const DeltaColumns *old_columns, IngestError *error)
{
	static const ChangeKind order[] = {CHANGE_DELETE, CHANGE_INSERT};
	bool deletes = false;
	bool inserts = false;

	for (size_t i = 0; i < commit->change_count; i++)
	{
		deletes |= has_kind(&commit->changes[i], CHANGE_DELETE);
		inserts |= has_kind(&commit->changes[i], CHANGE_INSERT);
	}
	follower->differs = deletes && inserts;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < commit->change_count; i++)
			if (!read_change(follower, commit, &commit->changes[i], old_columns, order[pass], error))
				return ingest_context(error, "version %" PRId64, commit->version);
	return row_writer_flush(&follower->writer, error);
}

static bool
apply_commit(Follower *follower, const DeltaCommit *commit, IngestError *error)
{
	DeltaColumns *old_columns = NULL;
	bool done = true;

	/* what was passed before belongs to transactions of their own */
	if (commit->change_count > 0 || commit->schema_changed)
		done = put_passed(follower, error);
	if (done && commit->schema_changed)
		done = change_schema(follower, commit, &old_columns, error);
	done = done && read_changes(follower, commit, old_columns, error);
	delta_columns_free(old_columns);
	if (!done)
		return false;
	memcpy(follower->identity, commit->identity, sizeof(follower->identity));
	follower->next = commit->version + 1;
	if (follower->held != NULL || follower->schema_changed ||
		follower->next - follower->expected >= MOST_EMPTY_VERSIONS ||
		(!follower->source->backfill_completed && follower->next > follower->source->backfill_end_version))
		return put_move(follower, error);
	return true;
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

/* How far behind: only where versions come one upon the other is the log asked for its end, and not each time. */
static bool
tell_lag(Follower *follower, const DeltaCommit *commit, bool waited, IngestError *error)
{
	DeltaSource *source = follower->source;
	int64_t age_ms = commit->time_ms > 0 ? (int64_t) time(NULL) * 1000 - commit->time_ms : -1;

	if (waited)
		follower->latest = commit->version;
	else if (commit->version > follower->latest || commit->version % VERSIONS_BETWEEN_LATEST == 0)
		if (!delta_latest_version(source->table, &follower->latest, &source->cancel, error))
			return false;
	if (follower->latest < commit->version)
		follower->latest = commit->version;
	source->status.lag = follower->latest - commit->version + 1;
	source->status.lag_seconds = commit->time_ms <= 0 ? -1 : age_ms > 0 ? (double) age_ms / 1000 : 0;
	return delta_put_status(source, error, "reading version %" PRId64, commit->version);
}

static bool
wait_for_version(Follower *follower, int *polls, IngestError *error)
{
	DeltaSource *source = follower->source;

	if (!put_passed(follower, error))
		return false;
	source->status.lag = 0;
	source->status.lag_seconds = 0;
	if ((*polls == 0 || source->troubled) &&
		!delta_put_status(source, error, "waiting for version %" PRId64, follower->next))
		return false;
	(*polls)++;
	return event_queue_sleep(source->run->queue, source->config.poll_interval_ms, error);
}

static bool
follow_next(Follower *follower, int *polls, IngestError *error)
{
	DeltaSource *source = follower->source;
	bool waited = *polls > 0;
	DeltaCommit *commit;
	bool done;

	if (!delta_commit_load(source->table, follower->next, source->schema, true, *polls % POLLS_BETWEEN_LISTINGS == 0,
						   &commit, &source->cancel, error))
		return false;
	if (commit == NULL)
		return wait_for_version(follower, polls, error);
	*polls = 0;
	done = tell_lag(follower, commit, waited, error) && apply_commit(follower, commit, error);
	if (done && source->config.verbose)
		done = event_queue_put_log(source->run->queue, SOURCE_LOG_INFO, error,
								   "version %" PRId64 " of Delta table \"%s\": %zu changed files", commit->version,
								   storage_uri(source->storage), commit->change_count);
	delta_commit_free(commit);
	return done;
}

static bool
follow_loop(Follower *follower, IngestError *error)
{
	DeltaSource *source = follower->source;
	int polls = 0;

	while (source->config.end_version < 0 || follower->next <= source->config.end_version)
		if (ingest_cancelled(&source->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		else if (!follow_next(follower, &polls, error))
			return false;
	return put_passed(follower, error);
}

bool
delta_follow(DeltaSource *source, IngestError *error)
{
	Follower follower = {
		.source = source, .expected = source->next_version, .next = source->next_version, .latest = -1};
	bool done;

	row_writer_init(&follower.writer, source, hold_batch, &follower);
	done = delta_columns_create(source->schema, source->run->target, false, &follower.columns, error) &&
		   follow_loop(&follower, error);
	row_writer_release(&follower.writer);
	batch_free(follower.held);
	delta_columns_free(follower.columns);
	delta_columns_free(follower.change_columns);
	return done;
}
