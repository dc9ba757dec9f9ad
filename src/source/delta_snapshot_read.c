/*-------------------------------------------------------------------------
 *
 * delta_snapshot_read.c
 *	  The file plan of a snapshot, read by several threads.
 *
 * Each thread takes the next file of the plan and reads it whole; batches of several
 * files therefore come mixed, each with the moves of its own files.  The loop's own
 * thread waits; when all are done it puts the batch that completes the backfill.
 *
 * The first thread that fails leaves its error and makes the others stop; what they have
 * not yet put is lost, and read again by the next start, since no position covers it.
 *
 * One transaction (transaction_mode snapshot, always): every batch leaves its transaction
 * open, their moves are kept back, and the last, empty batch has them all.
 *
 * The mutex covers plan_next, failure and the kept moves.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/delta_source.h"

typedef struct Parser
{
	DeltaSource *source;
	const DeltaColumns *columns;
	uintptr_t thread;
	bool started;
} Parser;

/* ---- batches ---------------------------------------------------------------------------- */

/* Take the moves out of a batch for later. */
static bool
keep_moves(DeltaSource *source, ChangeBatch *batch, IngestError *error)
{
	bool done = true;

	pthread_mutex_lock(&source->mutex);
	if (source->move_capacity - source->move_count < batch->move_count)
	{
		size_t capacity = (source->move_count + batch->move_count) * 2;
		PositionMove *moves = reallocarray(source->moves, capacity, sizeof(PositionMove));

		done = moves != NULL;
		if (done)
		{
			source->moves = moves;
			source->move_capacity = capacity;
		}
	}
	if (done)
	{
		memcpy(source->moves + source->move_count, batch->moves, batch->move_count * sizeof(PositionMove));
		source->move_count += batch->move_count;
	}
	pthread_mutex_unlock(&source->mutex);
	batch->move_count = 0;
	return done || ingest_out_of_memory(error);
}

static bool
put_batch(void *state, ChangeBatch *batch, IngestError *error)
{
	DeltaSource *source = state;

	if (source->config.one_transaction)
	{
		batch->keep_open = true;
		if (!keep_moves(source, batch, error))
		{
			batch_free(batch);
			return false;
		}
	}
	return event_queue_put_batch(source->run->queue, batch, error);
}

static int
compare_moves(const void *a, const void *b)
{
	const PositionMove *x = a;
	const PositionMove *y = b;

	if (x->file_number != y->file_number)
		return x->file_number < y->file_number ? -1 : 1;
	return (x->expected > y->expected) - (x->expected < y->expected);
}

/* Join the moves of each file: a batch moves a position once. */
static bool
add_kept_moves(DeltaSource *source, ChangeBatch *batch, IngestError *error)
{
	if (source->move_count > 0)
		qsort(source->moves, source->move_count, sizeof(PositionMove), compare_moves);
	for (size_t i = 0; i < source->move_count;)
	{
		PositionMove move = source->moves[i];

		for (i++; i < source->move_count && source->moves[i].file_number == move.file_number; i++)
		{
			move.next = source->moves[i].next;
			move.file_done |= source->moves[i].file_done;
			move.rows_read += source->moves[i].rows_read;
			move.rows_masked += source->moves[i].rows_masked;
		}
		if (!batch_add_move(batch, &move, error))
			return false;
	}
	return true;
}

static bool
put_last_batch(DeltaSource *source, bool completes, IngestError *error)
{
	ChangeBatch *batch = batch_create(source->run->target, 0, (size_t) 1 << 30);

	if (batch == NULL)
		return ingest_out_of_memory(error);
	if (!add_kept_moves(source, batch, error))
	{
		batch_free(batch);
		return false;
	}
	batch->completes_backfill = completes;
	batch_finish(batch);
	return event_queue_put_batch(source->run->queue, batch, error);
}

bool
delta_complete_backfill(DeltaSource *source, IngestError *error)
{
	source->backfill_completed = true;
	return put_last_batch(source, true, error);
}

/* ---- parser threads ------------------------------------------------------------------------- */

static const PlannedFile *
take_file(DeltaSource *source)
{
	const PlannedFile *file = NULL;

	pthread_mutex_lock(&source->mutex);
	if (source->plan_next < source->plan_count)
		file = &source->plan[source->plan_next++];
	pthread_mutex_unlock(&source->mutex);
	return file;
}

static bool
read_planned(RowWriter *writer, const DeltaColumns *columns, const PlannedFile *file, IngestError *error)
{
	DeltaSource *source = writer->source;
	FileRead read = {.columns = columns,
					 .action_json = file->action_json,
					 .action_length = file->action_length,
					 .rows = DELTA_ROWS_LIVE,
					 .kind = CHANGE_INSERT,
					 .file_number = file->file_number,
					 .first_row = file->next_row,
					 .version = source->start_version};

	return delta_put_status(source, error, "reading file %" PRId64 " of %" PRId64, file->file_number + 1,
							source->files_total) &&
		   row_writer_read(writer, &read, error);
}

static void
note_failure(DeltaSource *source, const IngestError *error)
{
	pthread_mutex_lock(&source->mutex);
	if (source->failure.kind == INGEST_ERROR_NONE)
		source->failure = *error;
	pthread_mutex_unlock(&source->mutex);
	source->failed = true;
}

static void *
parse_files(void *argument)
{
	Parser *parser = argument;
	DeltaSource *source = parser->source;
	const PlannedFile *file;
	RowWriter writer;
	IngestError error;
	bool done = true;

	ingest_error_clear(&error);
	row_writer_init(&writer, source, put_batch, source);
	while (done && (file = take_file(source)) != NULL)
		done = read_planned(&writer, parser->columns, file, &error);
	if (!done || !row_writer_flush(&writer, &error))
		note_failure(source, &error);
	row_writer_release(&writer);
	return NULL;
}

static bool
run_parsers(DeltaSource *source, const DeltaColumns *columns, IngestError *error)
{
	size_t count =
		source->plan_count < (size_t) source->config.parsers ? source->plan_count : (size_t) source->config.parsers;
	Parser *parsers = calloc(count + 1, sizeof(Parser));

	if (parsers == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < count && !source->failed; i++)
	{
		IngestError own;

		parsers[i] = (Parser){.source = source, .columns = columns};
		parsers[i].started = source_thread_create(&parsers[i].thread, parse_files, &parsers[i], &own);
		if (!parsers[i].started)
			note_failure(source, &own);
	}
	for (size_t i = 0; i < count; i++)
		if (parsers[i].started)
			source_thread_join(parsers[i].thread);
	free(parsers);
	if (!source->failed)
		return true;
	*error = source->failure;
	return false;
}

/* ---- the snapshot ------------------------------------------------------------------------------ */

static bool
read_plan(DeltaSource *source, IngestError *error)
{
	DeltaColumns *columns;
	bool done;

	if (source->plan_count == 0)
		return true;
	if (!delta_columns_create(source->schema, source->run->target, false, &columns, error))
		return false;
	done = run_parsers(source, columns, error);
	delta_columns_free(columns);
	return done;
}

bool
delta_snapshot_read(DeltaSource *source, IngestError *error)
{
	bool completes = !source->backfill_completed &&
					 (source->next_version < 0 || source->next_version > source->backfill_end_version);

	if (!read_plan(source, error))
		return false;
	if (completes)
		return delta_complete_backfill(source, error);
	return source->move_count == 0 || put_last_batch(source, false, error);
}
