/*-------------------------------------------------------------------------
 *
 * delta_rows.c
 *	  Data files to batches of the target.
 *
 *	  columns	which fields of a schema feed which columns: once a schema
 *	  writer	scan ─> Arrow arrays ─> the open batch ─> output, when it is full
 *
 * A batch is full at max_batch_size rows, or when it holds about batch_bytes: rows may be
 * large.  It may take rows of several files, one after the other; each file that has a
 * position of its own has a move in it, from where the batch's part of the file begins to
 * where it ends.  Rows under a deletion vector are passed by moves like the others.
 *
 * A writer and its batch belong to one thread; a finished batch belongs to the output.
 * Columns are immutable and shared.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/delta_source.h"

#define BATCH_MEMORY_LIMIT ((size_t) 1 << 30) /* one row may be large */
#define SLICE_ROWS 2048                       /* between two looks at the batch's size */
#define OLDEST_BATCH_MS 1000                  /* an open batch is handed on after that, though not full */
#define ACTION_MEMORY ((size_t) 16 << 20)
#define CHANGE_TYPE "_change_type"

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- columns -------------------------------------------------------------------------- */

static bool
feeds_a_column(const struct ArrowSchema *field, const TargetTable *target)
{
	int column = target_find_column(target, (Span){field->name, strlen(field->name)});

	return column >= 0 && !target->columns[column].generated;
}

static bool
choose_fields(DeltaColumns *columns, const TargetTable *target, bool with_change_type, IngestError *error)
{
	const struct ArrowSchema *table = delta_schema_arrow(columns->schema);
	struct ArrowSchema *projection = &columns->projection;

	projection->format = "+s";
	projection->name = "";
	projection->children = calloc((size_t) table->n_children + 1, sizeof(struct ArrowSchema *));
	if (projection->children == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < table->n_children; i++)
		if (feeds_a_column(table->children[i], target))
			projection->children[projection->n_children++] = table->children[i];
	if (projection->n_children == 0)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "no column of the Delta table has the name of a column of \"%s\"", target->name);
	if (with_change_type)
	{
		columns->change_type_schema =
			(struct ArrowSchema){.format = "u", .name = CHANGE_TYPE, .flags = ARROW_FLAG_NULLABLE};
		columns->change_type = projection->n_children;
		projection->children[projection->n_children++] = &columns->change_type_schema;
	}
	return true;
}

bool
delta_columns_create(DeltaSchema *schema, const TargetTable *target, bool with_change_type, DeltaColumns **out,
					 IngestError *error)
{
	DeltaColumns *columns = calloc(1, sizeof(*columns));

	*out = NULL;
	if (columns == NULL)
		return ingest_out_of_memory(error);
	columns->schema = delta_schema_acquire(schema);
	columns->change_type = -1;
	if (!choose_fields(columns, target, with_change_type, error) ||
		!arrow_plan_create(&columns->projection, target, &columns->plan, error))
	{
		delta_columns_free(columns);
		return false;
	}
	*out = columns;
	return true;
}

void
delta_columns_free(DeltaColumns *columns)
{
	if (columns == NULL)
		return;
	if (columns->plan != NULL)
		arrow_plan_free(columns->plan);
	free(columns->projection.children);
	delta_schema_release(columns->schema);
	free(columns);
}

/* ---- the open batch ----------------------------------------------------------------------- */

void
row_writer_init(RowWriter *writer, DeltaSource *source, BatchOutput output, void *state)
{
	*writer = (RowWriter){.source = source, .output = output, .output_state = state};
}

static void
close_file(OpenFile *file)
{
	free(file->path);
	*file = (OpenFile){.file_number = -1};
}

void
row_writer_release(RowWriter *writer)
{
	batch_free(writer->batch);
	writer->batch = NULL;
	close_file(&writer->file);
}

static bool
ensure_batch(RowWriter *writer, IngestError *error)
{
	const SourceRun *run = writer->source->run;
	int64_t left = writer->file.row_count - writer->file.row_to;

	if (writer->batch != NULL)
		return true;
	writer->batch = batch_create(run->target, source_batch_capacity(run, left > 0 ? (uint64_t) left : UINT64_MAX),
								 BATCH_MEMORY_LIMIT);
	if (writer->batch == NULL)
		return ingest_out_of_memory(error);
	writer->begun_ms = now_ms();
	return true;
}

static bool
ensure_payload(RowWriter *writer, IngestError *error)
{
	Payload payload = {.file = writer->file.path, .plan = -1};

	if (writer->file.has_payload)
		return true;
	writer->file.has_payload = batch_add_payload(writer->batch, &payload, &writer->file.payload, error);
	return writer->file.has_payload;
}

/* Say in the batch how far its part of the file reaches, and begin the next part. */
static bool
end_part(RowWriter *writer, bool file_done, IngestError *error)
{
	OpenFile *file = &writer->file;
	PositionMove move = {.kind = POSITION_DELTA_FILE,
						 .expected = file->row_from,
						 .next = file->row_to,
						 .file_number = file->file_number,
						 .file_done = file_done,
						 .rows_read = file->row_to - file->row_from,
						 .rows_masked = file->row_to - file->row_from - file->rows_taken};
	uint64_t bytes = file->size;

	if (file->file_number >= 0 && (file_done || file->row_to > file->row_from) &&
		!batch_add_move(writer->batch, &move, error))
		return false;
	if (!file_done && file->row_count > 0)
		bytes = (uint64_t) ((double) file->size * (double) file->row_to / (double) file->row_count);
	if (bytes > file->bytes_told)
	{
		writer->batch->source_bytes += bytes - file->bytes_told;
		file->bytes_told = bytes;
	}
	file->row_from = file->row_to;
	file->rows_taken = 0;
	file->has_payload = false;
	return true;
}

bool
row_writer_flush(RowWriter *writer, IngestError *error)
{
	ChangeBatch *batch = writer->batch;

	if (batch == NULL)
		return true;
	if (writer->file.path != NULL && !end_part(writer, false, error))
		return false;
	writer->batch = NULL;
	batch_finish(batch);
	if (delta_note_progress(writer->source, error))
		return writer->output(writer->output_state, batch, error);
	batch_free(batch);
	return false;
}

static bool
flush_if_full(RowWriter *writer, IngestError *error)
{
	const ChangeBatch *batch = writer->batch;

	if (batch == NULL || (batch->row_count < writer->source->run->limits.max_batch_size &&
						  batch_bytes(batch) < writer->source->run->limits.batch_bytes))
		return true;
	return row_writer_flush(writer, error);
}

/* ---- arrays -------------------------------------------------------------------------------- */

typedef struct RowRun
{
	const struct ArrowArray *array;
	const int64_t *numbers;
	int64_t first;
	int64_t count;
} RowRun;

static bool
append_run(RowWriter *writer, const FileRead *read, RowRun run, IngestError *error)
{
	uint32_t most = writer->source->run->limits.max_batch_size;

	while (run.count > 0)
	{
		int64_t slice = run.count < SLICE_ROWS ? run.count : SLICE_ROWS;

		if (!ensure_batch(writer, error) || !ensure_payload(writer, error))
			return false;
		if (slice > (int64_t) most - writer->batch->row_count)
			slice = (int64_t) most - writer->batch->row_count;
		if (!batch_append_arrow(writer->batch, read->columns->plan, run.array, run.first, slice, read->kind,
								writer->file.payload, run.numbers, error))
			return false;
		run.first += slice;
		run.count -= slice;
		writer->file.rows_taken += slice;
		writer->file.row_to = run.numbers[run.first - 1] + 1;
		if (!flush_if_full(writer, error))
			return false;
	}
	return true;
}

/* What a row of a change data file is: its _change_type. */
static bool
is_of_kind(const struct ArrowArray *types, int64_t row, ChangeKind kind)
{
	int64_t index = row + types->offset;
	const uint8_t *validity = types->buffers[0];
	const int32_t *offsets = types->buffers[1];
	Span type = {(const char *) types->buffers[2] + offsets[index], (size_t) (offsets[index + 1] - offsets[index])};

	if (validity != NULL && types->null_count != 0 && (validity[index >> 3] >> (index & 7) & 1) == 0)
		return false;
	if (kind == CHANGE_DELETE)
		return span_equals(type, "delete") || span_equals(type, "update_preimage");
	return span_equals(type, "insert") || span_equals(type, "update_postimage");
}

/* The adjacent rows of the kind wanted, run by run. */
static bool
append_by_change_type(RowWriter *writer, const FileRead *read, RowRun all, IngestError *error)
{
	const struct ArrowArray *types = all.array->children[read->columns->change_type];
	int64_t row = 0;

	while (row < all.count)
	{
		RowRun run = all;

		while (row < all.count && !is_of_kind(types, row + all.array->offset, read->kind))
			row++;
		run.first = row;
		while (row < all.count && is_of_kind(types, row + all.array->offset, read->kind))
			row++;
		run.count = row - run.first;
		if (!append_run(writer, read, run, error))
			return false;
	}
	return true;
}

static bool
append_array(RowWriter *writer, const FileRead *read, const struct ArrowArray *array, const int64_t *numbers,
			 IngestError *error)
{
	RowRun all = {array, numbers, 0, array->length};

	if (read->by_change_type)
		return append_by_change_type(writer, read, all, error);
	return append_run(writer, read, all, error);
}

static bool
read_scan(RowWriter *writer, const FileRead *read, DeltaScan *scan, IngestError *error)
{
	const IngestCancel *cancel = &writer->source->cancel;
	uint32_t most = writer->source->run->limits.max_batch_size;

	writer->file.row_count = delta_scan_row_count(scan);
	for (;;)
	{
		struct ArrowArray array = {0};
		const int64_t *numbers = NULL;
		int64_t next_row = writer->file.row_to;
		int64_t masked;
		bool done;

		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (!delta_scan_next(scan, most, &array, &numbers, &next_row, &masked, cancel, error))
			return false;
		if (array.release == NULL)
			return true;
		done = append_array(writer, read, &array, numbers, error);
		array.release(&array);
		writer->file.row_to = next_row;
		if (!done || (writer->batch != NULL && now_ms() - writer->begun_ms > OLDEST_BATCH_MS &&
					  !row_writer_flush(writer, error)))
			return false;
	}
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Path and size of the action. */
static bool
open_action(RowWriter *writer, const FileRead *read, IngestError *error)
{
	Arena arena;
	JsonValue *action;
	int64_t size = 0;
	bool done;

	close_file(&writer->file);
	arena_init(&arena, ACTION_MEMORY);
	done = json_parse(read->action_json, read->action_length, &arena, &action, error);
	if (done && json_get_string(action, "path") == NULL)
		done = ingest_fail(error, INGEST_ERROR_CORRUPT, "an action of the log has no path");
	if (done)
		done =
			storage_relative_path(writer->source->storage, json_get_string(action, "path"), &writer->file.path, error);
	if (done && json_get(action, "size") != NULL && json_to_int64(json_get(action, "size"), &size) && size > 0)
		writer->file.size = (uint64_t) size;
	arena_release(&arena);
	writer->file.file_number = read->file_number;
	writer->file.row_from = writer->file.row_to = read->first_row;
	return done;
}

static bool
stop_visiting(const StorageObject *object, void *state)
{
	(void) object;
	*(bool *) state = true;
	return false;
}

/* A data file is missing.  Is the table's log still there?  Then the file was taken away from under it. */
static bool
explain_missing(RowWriter *writer, const FileRead *read, IngestError *error)
{
	DeltaSource *source = writer->source;
	IngestError missing = *error;
	bool found = false;

	if (error->kind != INGEST_ERROR_NOT_FOUND)
		return false;
	if (!storage_list(source->storage, "_delta_log", NULL, stop_visiting, &found, &source->cancel, error))
		return false;
	*error = missing;
	if (!found)
		return false;
	ingest_fail(error, INGEST_ERROR_GONE, "data file \"%s\" of version %" PRId64 " no longer exists", writer->file.path,
				read->version);
	return ingest_hint(error, "VACUUM may have removed it. Use feldera.reset_connector() to begin anew from a version "
							  "that exists.");
}

static bool
read_opened(RowWriter *writer, const FileRead *read, const ParquetInput *input, IngestError *error)
{
	DeltaSource *source = writer->source;
	DeltaScan *scan;
	bool done;

	if (!delta_scan_open(source->storage, &source->options, read->columns->schema, &read->columns->projection,
						 read->action_json, read->action_length, read->old_action_json, read->old_action_length,
						 read->rows, read->first_row, input, &scan, &source->cancel, error))
		return false;
	done = read_scan(writer, read, scan, error);
	delta_scan_close(scan);
	return done;
}

static bool
read_file(RowWriter *writer, const FileRead *read, IngestError *error)
{
	ReadAheadFile *file;
	ParquetInput input;
	bool done;

	if (!read_ahead_open(writer->source->ahead, writer->file.path, writer->file.size, &file, &input, error))
	{
		(void) explain_missing(writer, read, error);
		return false;
	}
	if (writer->file.size == 0)
		writer->file.size = input.size;
	done = read_opened(writer, read, &input, error);
	read_ahead_close(file);
	return done;
}

bool
row_writer_read(RowWriter *writer, const FileRead *read, IngestError *error)
{
	if (!open_action(writer, read, error))
		return false;
	if (!read_file(writer, read, error))
	{
		if (error->kind != INGEST_ERROR_CANCELLED && strstr(error->message, writer->file.path) == NULL)
			(void) ingest_context(error, "data file \"%s\"", writer->file.path);
		return false;
	}
	if (!ensure_batch(writer, error) || !end_part(writer, true, error))
		return false;
	close_file(&writer->file);
	return true;
}
