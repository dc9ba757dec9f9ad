/*-------------------------------------------------------------------------
 *
 * delta_table_input.c
 *	  The transport delta_table_input: a Delta table's snapshot and log.
 *
 *	  nothing stored	resolve the version ─> load the snapshot ─> PIN (plan, totals, where the
 *						backfill ends) ─> acknowledged ─> read the plan ─> follow
 *	  stored			read what is left of the plan, from the stored actions ─> follow
 *	  probe				the table's id ─> PIN (not pinned) ─> finished
 *
 * The log is not read again for a snapshot that is pinned: a checkpoint or a clean-up of
 * the log between two starts changes nothing.  Before following, the table's id is compared
 * with the stored one.
 *
 * Mode			backfill ends at			the source ends
 * snapshot			the plan's end			then
 * snapshot_and_follow	the newest version at the first opening (or end_version)	at end_version, or never
 * follow			end_version, or never	the same
 *
 * Threads: the loop's own, parser threads while the plan is read, fetching threads for
 * stores that are not local.  All errors begin with the table's URI.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/delta_source.h"

#define READ_AHEAD_BYTES ((size_t) 32 << 20)
#define DECODE_BYTES ((size_t) 48 << 20) /* of all parsers together */
#define DECODE_BYTES_LEAST ((size_t) 6 << 20)
#define DECODE_BYTES_MOST ((size_t) 24 << 20)
#define TROUBLED_ATTEMPT 3 /* so many failures of a transfer in a row are told in the views */
#define PLAN_TEXT_LIMIT ((size_t) 1 << 30)

/* ---- events -------------------------------------------------------------------------------- */

static bool
put_status(DeltaSource *source, const SourceStatus *status, IngestError *error)
{
	SourceEvent *event = calloc(1, sizeof(*event));

	if (event == NULL)
		return ingest_out_of_memory(error);
	event->kind = SOURCE_EVENT_STATUS;
	event->status = *status;
	return event_queue_put(source->run->queue, event, error);
}

bool
delta_put_status(DeltaSource *source, IngestError *error, const char *format, ...)
{
	SourceStatus status = source->status;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(status.doing, sizeof(status.doing), format, arguments);
	va_end(arguments);
	source->troubled = false;
	return put_status(source, &status, error);
}

bool
delta_note_progress(DeltaSource *source, IngestError *error)
{
	return !source->troubled || delta_put_status(source, error, "reading");
}

/* A transfer that failed more than once in a row is shown as the reason why nothing comes, until something does. */
static bool
put_trouble(DeltaSource *source, const IngestError *cause, int attempt, IngestError *error)
{
	SourceStatus status = source->status;

	if (attempt < TROUBLED_ATTEMPT)
		return true;
	snprintf(status.doing, sizeof(status.doing), "trying again (attempt %d)", attempt);
	snprintf(status.trouble, sizeof(status.trouble), "%s", cause->message);
	source->troubled = true;
	return put_status(source, &status, error);
}

/* Of the retries of a transfer the first is logged, those that follow it only to who debugs. */
static void
tell_retry(void *state, const IngestError *cause, int attempt, int64_t wait_ms)
{
	DeltaSource *source = state;
	IngestError ignored;

	if (!event_queue_put_log(source->run->queue, attempt == 1 ? SOURCE_LOG_WARNING : SOURCE_LOG_DEBUG, &ignored,
							 "trying again in %" PRId64 " ms (attempt %d): %s", wait_ms, attempt, cause->message) ||
		!put_trouble(source, cause, attempt, &ignored))
		return;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool
is_cancelled(void *state)
{
	DeltaSource *source = state;

	return source->failed || ingest_cancelled(&source->run->cancel);
}

static bool
open_storage(DeltaSource *source, IngestError *error)
{
	const DeltaConfig *config = &source->config;
	StorageRights rights = {source->run->rights.local_files, source->run->rights.server_credentials};

	if (!storage_open(config->uri, config->storage_options, config->storage_option_count, &rights, &source->storage,
					  error))
		return false;
	storage_on_retry(source->storage, tell_retry, source);
	return true;
}

static size_t
decode_budget(const DeltaConfig *config)
{
	size_t budget = DECODE_BYTES / (size_t) config->parsers;

	if (budget < DECODE_BYTES_LEAST)
		return DECODE_BYTES_LEAST;
	return budget > DECODE_BYTES_MOST ? DECODE_BYTES_MOST : budget;
}

static bool
open_source(DeltaSource *source, IngestError *error)
{
	SourceRun *run = source->run;

	source->cancel = (IngestCancel){is_cancelled, source};
	source->start_version = source->backfill_end_version = source->next_version = -1;
	source->status =
		(SourceStatus){.rows_total = -1, .bytes_total = -1, .lag = -1, .lag_seconds = -1, .watermark_count = 0};
	if (!delta_config_parse(run->config, &source->config, error) || !open_storage(source, error))
		return false;
	source->options.parquet.byte_budget = decode_budget(&source->config);
	source->options.parquet.batch_size = source->options.parquet.byte_budget / 3;
	return delta_table_create(source->storage, &source->options, &source->table, error) &&
		   read_ahead_create(source->storage, (int) source->config.readers, READ_AHEAD_BYTES, &source->cancel,
							 &source->ahead, error);
}

static void
close_source(DeltaSource *source)
{
	read_ahead_free(source->ahead);
	delta_snapshot_free(source->snapshot);
	if (source->schema != NULL)
		delta_schema_release(source->schema);
	delta_table_free(source->table);
	storage_close(source->storage);
	free(source->plan);
	free(source->moves);
	delta_config_clear(&source->config);
	pthread_mutex_destroy(&source->mutex);
}

/* ---- resolving the start ------------------------------------------------------------------------ */

static bool
resolve_version(DeltaSource *source, int64_t *version, IngestError *error)
{
	const DeltaConfig *config = &source->config;

	*version = config->version;
	if (config->version >= 0)
		return true;
	if (config->has_datetime)
		return delta_version_at(source->table, config->datetime_ms, version, &source->cancel, error);
	return delta_latest_version(source->table, version, &source->cancel, error);
}

/* Where the backfill of a followed table ends. */
static bool
resolve_end(DeltaSource *source, IngestError *error)
{
	const DeltaConfig *config = &source->config;
	int64_t latest;

	if (config->end_version >= 0 && config->end_version < source->start_version)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "'end_version' %" PRId64 " is older than the version to start from (%" PRId64 ")",
						   config->end_version, source->start_version);
	source->next_version = source->start_version + 1;
	source->backfill_end_version = config->end_version;
	if (config->mode == DELTA_MODE_FOLLOW)
		return true;
	if (!delta_latest_version(source->table, &latest, &source->cancel, error))
		return false;
	if (latest < source->start_version)
		latest = source->start_version;
	source->backfill_end_version =
		config->end_version >= 0 && config->end_version < latest ? config->end_version : latest;
	return true;
}

static bool
plan_files(DeltaSource *source, IngestError *error)
{
	const DeltaSnapshot *snapshot = source->snapshot;

	source->plan = calloc(snapshot->file_count + 1, sizeof(PlannedFile));
	if (source->plan == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < snapshot->file_count; i++)
		source->plan[i] = (PlannedFile){.file_number = (int64_t) i,
										.action_json = snapshot->files[i].action_json,
										.action_length = snapshot->files[i].action_length};
	source->plan_count = snapshot->file_count;
	source->files_total = (int64_t) snapshot->file_count;
	source->has_snapshot = true;
	source->status.rows_total = snapshot->record_count;
	source->status.bytes_total = (int64_t) snapshot->byte_count;
	return true;
}

static bool
resolve_start(DeltaSource *source, IngestError *error)
{
	DeltaMode mode = source->config.mode;
	int64_t version;

	if (!resolve_version(source, &version, error))
		return false;
	source->start_version = version;
	if (mode == DELTA_MODE_FOLLOW)
		return delta_schema_load(source->table, version, &source->schema, &source->cancel, error) &&
			   resolve_end(source, error);
	if (!delta_snapshot_load(source->table, version, &source->snapshot, &source->cancel, error))
		return false;
	source->schema = delta_schema_acquire(source->snapshot->schema);
	return plan_files(source, error) && (mode == DELTA_MODE_SNAPSHOT || resolve_end(source, error));
}

/* ---- the pin ------------------------------------------------------------------------------------- */

static bool
copy_text(char **out, const char *text, size_t length, IngestError *error)
{
	*out = strndup(text, length);
	return *out != NULL || ingest_out_of_memory(error);
}

static bool
copy_plan(const DeltaSource *source, SourcePosition *pin, IngestError *error)
{
	pin->files = calloc(source->plan_count + 1, sizeof(DeltaPlanFile));
	if (pin->files == NULL)
		return ingest_out_of_memory(error);
	for (; pin->file_count < source->plan_count; pin->file_count++)
	{
		const PlannedFile *from = &source->plan[pin->file_count];
		DeltaPlanFile *to = &pin->files[pin->file_count];

		*to = (DeltaPlanFile){.file_number = from->file_number,
							  .record_count = source->snapshot->files[pin->file_count].record_count,
							  .size = source->snapshot->files[pin->file_count].size};
		if (!copy_text(&to->action_json, from->action_json, from->action_length, error))
			return false;
	}
	return true;
}

static bool
copy_schema(const DeltaSource *source, SourcePosition *pin, IngestError *error)
{
	Buffer text;
	bool done;

	buffer_init(&text, PLAN_TEXT_LIMIT);
	done = delta_schema_to_json(source->schema, &text, error) &&
		   copy_text(&pin->schema_json, text.data, text.length, error);
	buffer_release(&text);
	return done;
}

static bool
make_pin(const DeltaSource *source, SourcePosition **out, IngestError *error)
{
	const char *id = delta_schema_table_id(source->schema);
	SourcePosition *pin = source_position_create();

	*out = pin;
	if (pin == NULL)
		return ingest_out_of_memory(error);
	pin->pinned = true;
	pin->start_version = source->start_version;
	pin->backfill_end_version = source->backfill_end_version;
	pin->next_version = source->next_version;
	pin->has_snapshot = source->has_snapshot;
	pin->files_total = (int64_t) source->plan_count;
	pin->rows_total = source->status.rows_total;
	pin->bytes_total = source->status.bytes_total;
	return copy_text(&pin->source_identity, id, strlen(id), error) && copy_schema(source, pin, error) &&
		   copy_plan(source, pin, error);
}

static bool
check_identity(const DeltaSource *source, const DeltaSchema *schema, IngestError *error)
{
	const SourcePosition *stored = source->run->stored;
	const char *id = delta_schema_table_id(schema);

	if (stored == NULL || stored->source_identity == NULL || strcmp(stored->source_identity, id) == 0)
		return true;
	ingest_fail(error, INGEST_ERROR_CHANGED,
				"this is another table: its id is \"%s\", the stored position is of \"%s\"", id,
				stored->source_identity);
	return ingest_hint(error, "Use feldera.reset_connector() if the new table is meant.");
}

static bool
pin_start(DeltaSource *source, IngestError *error)
{
	SourcePosition *pin = NULL;

	if (!delta_put_status(source, error, "reading the log") || !resolve_start(source, error) ||
		!check_identity(source, source->schema, error))
		return false;
	if (!make_pin(source, &pin, error))
	{
		source_position_free(pin);
		return false;
	}
	return event_queue_pin(source->run->queue, pin, error);
}

/* The short run after the declaration: only which table it is. */
static bool
probe(DeltaSource *source, IngestError *error)
{
	SourcePosition *pin;
	const char *id;

	if (!delta_schema_load(source->table, -1, &source->schema, &source->cancel, error) ||
		!check_identity(source, source->schema, error))
		return false;
	pin = source_position_create();
	if (pin == NULL)
		return ingest_out_of_memory(error);
	id = delta_schema_table_id(source->schema);
	if (!copy_text(&pin->source_identity, id, strlen(id), error))
	{
		source_position_free(pin);
		return false;
	}
	return event_queue_pin(source->run->queue, pin, error);
}

/* ---- going on ---------------------------------------------------------------------------------------- */

static bool
take_stored(DeltaSource *source, IngestError *error)
{
	const SourcePosition *stored = source->run->stored;

	if (stored->schema_json == NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the stored position has no schema");
	source->start_version = stored->start_version;
	source->backfill_end_version = stored->backfill_end_version;
	source->next_version = stored->next_version;
	source->backfill_completed = stored->backfill_completed;
	source->has_snapshot = stored->has_snapshot;
	source->files_total = stored->files_total;
	source->status.rows_total = stored->rows_total;
	source->status.bytes_total = stored->bytes_total;
	source->plan = calloc(stored->file_count + 1, sizeof(PlannedFile));
	if (source->plan == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < stored->file_count; i++)
	{
		const DeltaPlanFile *file = &stored->files[i];

		if (file->done)
			continue;
		source->plan[source->plan_count++] = (PlannedFile){.file_number = file->file_number,
														   .next_row = file->next_row,
														   .action_json = file->action_json,
														   .action_length = strlen(file->action_json)};
	}
	return delta_schema_from_json(stored->schema_json, strlen(stored->schema_json), &source->schema, error);
}

static bool
check_table(DeltaSource *source, IngestError *error)
{
	DeltaSchema *schema;
	bool done;

	if (!delta_schema_load(source->table, -1, &schema, &source->cancel, error))
		return false;
	done = check_identity(source, schema, error);
	delta_schema_release(schema);
	return done;
}

static bool
log_changed(IngestError *error)
{
	return ingest_hint(error, "The table was replaced or restored. Use feldera.reset_connector() to begin anew.");
}

/* Is the last version that was passed still the same one?  It may be cleaned up by now, but not missing at the end. */
static bool
check_last_version(DeltaSource *source, IngestError *error)
{
	const char *identity = source->run->stored->commit_identity;
	int64_t version = source->next_version - 1;
	int64_t latest;
	DeltaCommit *commit = NULL;
	bool same;

	if (!delta_latest_version(source->table, &latest, &source->cancel, error))
		return false;
	if (latest < version)
	{
		ingest_fail(error, INGEST_ERROR_CHANGED,
					"the log ends at version %" PRId64 ", before the stored position %" PRId64, latest, version);
		return log_changed(error);
	}
	if (identity == NULL)
		return true;
	if (!delta_commit_load(source->table, version, source->schema, true, false, &commit, &source->cancel, error))
		return false;
	same = commit == NULL || strcmp(commit->identity, identity) == 0;
	delta_commit_free(commit);
	if (same)
		return true;
	ingest_fail(error, INGEST_ERROR_CHANGED, "version %" PRId64 " is not the one that was read", version);
	return log_changed(error);
}

/* Is the log that we are about to follow the one that the position belongs to? */
static bool
check_log(DeltaSource *source, IngestError *error)
{
	return check_table(source, error) && check_last_version(source, error);
}

static bool
follow(DeltaSource *source, bool resumed, IngestError *error)
{
	/* a crash may have come between the last row and the word that it was the last */
	if (!source->backfill_completed && source->backfill_end_version >= 0 &&
		source->next_version > source->backfill_end_version && !delta_complete_backfill(source, error))
		return false;
	return (!resumed || check_log(source, error)) && delta_follow(source, error);
}

static bool
run_source(DeltaSource *source, IngestError *error)
{
	bool resumed = source->run->stored != NULL && source->run->stored->pinned;

	if (!open_source(source, error))
		return false;
	if (source->run->probe_only)
		return probe(source, error);
	if (!(resumed ? take_stored(source, error) : pin_start(source, error)))
		return false;
	if (source->has_snapshot && !delta_snapshot_read(source, error))
		return false;
	return source->next_version < 0 || follow(source, resumed, error);
}

/* Every error names the table first. */
static void
name_table(const DeltaSource *source, IngestError *error)
{
	const char *uri = source->storage != NULL ? storage_uri(source->storage) : NULL;

	if (error->kind == INGEST_ERROR_CANCELLED || uri == NULL || strncmp(error->message, "Delta table \"", 13) == 0)
		return;
	(void) ingest_context(error, "Delta table \"%s\"", uri);
}

static bool
delta_run(SourceRun *run, IngestError *error)
{
	DeltaSource *source = calloc(1, sizeof(*source));
	bool done;

	if (source == NULL)
		return ingest_out_of_memory(error);
	source->run = run;
	pthread_mutex_init(&source->mutex, NULL);
	done = run_source(source, error);
	if (!done)
		name_table(source, error);
	close_source(source);
	free(source);
	return done;
}

const SourceRoutine delta_table_input_routine = {.transport = "delta_table_input",
												 .check = delta_config_check,
												 .run = delta_run,
												 .option_is_secret = delta_config_option_is_secret,
												 .option_keeps_position = delta_config_keeps_position};
