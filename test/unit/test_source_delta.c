/*-------------------------------------------------------------------------
 *
 * test_source_delta.c
 *	  delta_table_input from declaration to last event, on local tables.
 *
 *	  The data files (test/unit/data, written by pyarrow) hold rows whose id is their
 *	  number; the logs are written here, commit by commit.  A model stands in for the
 *	  catalog: it applies rows and moves as a transaction would, and a move that does not
 *	  begin where the stored position ends is a failure.  Run from the top directory.
 *
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "source/source_internal.h"
#include "unit/tap.h"

#define MOST_IDS 10000
#define DATA "test/unit/data/"

static IngestError error;
static char directory[64];
static char table[128];
static int table_number;

/* ---- the target ---------------------------------------------------------------- */

static ColumnTarget columns[] = {{.name = "id", .type_name = "bigint", .form = FORM_INT8},
								 {.name = "name", .type_name = "text", .form = FORM_TEXT, .fraction_digits = 6},
								 {.name = "note", .type_name = "text", .form = FORM_TEXT, .fraction_digits = 6}};
static TargetTable target = {.name = "public.t", .column_count = 2, .columns = columns, .utf8 = true};

/* ---- tables --------------------------------------------------------------------- */

static void
shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		abort();
}

static void
write_commit(int version, const char *format, ...)
{
	char path[256];
	char text[8192];
	va_list arguments;
	FILE *file;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* as writers do it: in one step */
	snprintf(path, sizeof(path), "%s/temporary", table);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
	shell("mv %s %s/_delta_log/%020d.json", path, table, version);
}

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define METADATA_OF(id, fields)                                                                                        \
	"{\"metaData\":{\"id\":\"" id "\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{"       \
	"\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" fields                                                              \
	"]}\",\"partitionColumns\":[],\"configuration\":{},\"createdTime\":1}}\n"
#define FIELD(name, type)                                                                                              \
	"{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define METADATA METADATA_OF("table-1", FIELD("id", "long") "," FIELD("name", "string"))
#define METADATA_NOTE                                                                                                  \
	METADATA_OF("table-1", FIELD("id", "long") "," FIELD("name", "string") "," FIELD("note", "string"))
#define FILE_TEXT(kind, path, size, records, more)                                                                     \
	"{\"" kind "\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":" #size                                      \
	",\"modificationTime\":1,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":" #records "}\"" more "}}\n"
#define ADD_0 FILE_TEXT("add", "rows_0.parquet", 11796, 1000, "")
#define ADD_1000 FILE_TEXT("add", "rows_1000.parquet", 11297, 1000, "")
#define ADD_2000 FILE_TEXT("add", "rows_2000_note.parquet", 3810, 500, "")
#define REMOVE_0                                                                                                       \
	"{\"remove\":{\"path\":\"rows_0.parquet\",\"partitionValues\":{},\"size\":11796,\"deletionTimestamp\":1,"          \
	"\"dataChange\":true,\"extendedFileMetadata\":true}}\n"
#define EMPTY "{\"commitInfo\":{\"operation\":\"NOTHING\"}}\n"
/* rows 0, 1, 2, 999 */
#define VECTOR                                                                                                         \
	",\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":\"^Bg9^0rr910000000000iXQKl0rr91000935c8Xg000310S." \
	"x=\",\"sizeInBytes\":40,\"cardinality\":4}"
#define ADD_0_MASKED FILE_TEXT("add", "rows_0.parquet", 11796, 1000, VECTOR)
#define PROTOCOL_VECTORS                                                                                               \
	"{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"           \
	"\"writerFeatures\":[\"deletionVectors\"]}}\n"

/* A new table directory with all data files and an empty log. */
static void
new_table(void)
{
	snprintf(table, sizeof(table), "%s/table_%d", directory, ++table_number);
	shell("mkdir -p %s/_delta_log && cp " DATA "*.parquet %s/", table, table);
}

/* ---- the catalog's model ----------------------------------------------------------- */

typedef struct Model
{
	SourcePosition *position; /* as stored; null before the pin */
	int counts[MOST_IDS];     /* rows of each id, committed */
	int uncommitted[MOST_IDS];
	int last_version_rows;
	int transactions;
	int pins;
	int batches;
	int logs;
	bool open;
	bool broken; /* a move did not fit */
	bool finished;
	bool failed;
	IngestError failure;
	char last_log[1024];
	char last_doing[128];
	int64_t lag;
	int64_t rows_read;
	int64_t rows_masked;
	int64_t source_bytes;
	int stop_after_batches; /* 0 = never */
	int notes;              /* values of the column note */
} Model;

static int64_t
datum(const ChangeBatch *batch, int column, uint32_t row)
{
	return (int64_t) batch->columns[column].values[row];
}

static void
apply_rows(Model *model, const ChangeBatch *batch)
{
	for (uint32_t row = 0; row < batch->row_count; row++)
	{
		int64_t id = datum(batch, 0, row);

		if (id < 0 || id >= MOST_IDS || batch->columns[0].states[row] != VALUE_DATUM)
			abort();
		model->uncommitted[id] += batch->kinds != NULL && batch->kinds[row] == CHANGE_DELETE ? -1 : 1;
		if (target.column_count > 2 && batch->columns[2].states != NULL && batch->columns[2].states[row] == VALUE_DATUM)
			model->notes++;
		if (batch->payload_of != NULL ? batch->payload_of[row] >= batch->payload_count : batch->payload_count == 0)
			model->broken = true;
	}
}

static void
apply_file_move(Model *model, const PositionMove *move)
{
	for (size_t i = 0; i < model->position->file_count; i++)
	{
		DeltaPlanFile *file = &model->position->files[i];

		if (file->file_number != move->file_number)
			continue;
		model->broken |= file->done || file->next_row != move->expected;
		file->next_row = move->next;
		file->done = move->file_done;
		model->rows_read += move->rows_read;
		model->rows_masked += move->rows_masked;
		return;
	}
	model->broken = true;
}

static void
apply_move(Model *model, const PositionMove *move)
{
	if (move->kind == POSITION_DELTA_FILE)
	{
		apply_file_move(model, move);
		return;
	}
	model->broken |= move->kind != POSITION_DELTA_VERSION || model->position->next_version != move->expected;
	model->position->next_version = move->next;
	free(model->position->commit_identity);
	model->position->commit_identity = move->commit_identity != NULL ? strdup(move->commit_identity) : NULL;
	if (move->schema_json != NULL)
	{
		free(model->position->schema_json);
		model->position->schema_json = strdup(move->schema_json);
	}
}

static void
apply_batch_event(Model *model, const ChangeBatch *batch)
{
	model->batches++;
	model->source_bytes += (int64_t) batch->source_bytes;
	apply_rows(model, batch);
	for (uint32_t i = 0; i < batch->move_count; i++)
		apply_move(model, &batch->moves[i]);
	model->broken |= batch->keep_open && batch->move_count > 0;
	model->open = batch->keep_open;
	if (batch->keep_open)
		return;
	memcpy(model->counts, model->uncommitted, sizeof(model->counts));
	model->transactions++;
	model->position->backfill_completed |= batch->completes_backfill;
}

static void
handle(Model *model, Source *source, SourceEvent *event)
{
	switch (event->kind)
	{
		case SOURCE_EVENT_PIN:
			model->pins++;
			source_position_free(model->position);
			model->position = event->pin;
			event->pin = NULL;
			source_acknowledge_pin(source);
			break;
		case SOURCE_EVENT_BATCH:
			apply_batch_event(model, event->batch);
			break;
		case SOURCE_EVENT_STATUS:
			strcpy(model->last_doing, event->status.doing);
			model->lag = event->status.lag;
			break;
		case SOURCE_EVENT_LOG:
			model->logs++;
			snprintf(model->last_log, sizeof(model->last_log), "%s", event->text);
			break;
		case SOURCE_EVENT_FINISHED:
			model->finished = true;
			break;
		case SOURCE_EVENT_FAILED:
			model->failed = true;
			model->failure = event->error;
			break;
	}
}

/* A deep copy as the catalog would load it: files that are done are left out. */
static SourcePosition *
load_position(const SourcePosition *from)
{
	SourcePosition *position = source_position_create();

	*position = *from;
	position->source_identity = from->source_identity != NULL ? strdup(from->source_identity) : NULL;
	position->schema_json = from->schema_json != NULL ? strdup(from->schema_json) : NULL;
	position->commit_identity = from->commit_identity != NULL ? strdup(from->commit_identity) : NULL;
	position->files = calloc(from->file_count + 1, sizeof(DeltaPlanFile));
	position->file_count = 0;
	for (size_t i = 0; i < from->file_count; i++)
		if (!from->files[i].done)
		{
			position->files[position->file_count] = from->files[i];
			position->files[position->file_count++].action_json = strdup(from->files[i].action_json);
		}
	return position;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static Source *
start(Model *model, const char *config, bool probe)
{
	char json[2048];
	Source *source = NULL;
	SourceConfig source_config = {.connector_name = "t.c",
								  .connector_json = json,
								  .target = &target,
								  .rights = {true, true, true},
								  .probe_only = probe};

	snprintf(json, sizeof(json),
			 "{\"transport\":{\"name\":\"delta_table_input\",\"config\":{\"uri\":\"%s\",\"poll_interval_ms\":20,%s}},"
			 "\"max_batch_size\":300}",
			 table, config);
	model->finished = model->failed = model->open = false;
	memcpy(model->uncommitted, model->counts, sizeof(model->counts));
	if (!source_start(&source_config, model->position != NULL ? load_position(model->position) : NULL, &source, &error))
	{
		printf("# %s\n", error.message);
		abort();
	}
	return source;
}

/* Take events until done() says so, the source ends, or 20 s passed. */
static void
take_events(Model *model, Source *source, bool (*done)(const Model *model))
{
	int64_t until = now_ms() + 20000;
	int batches = model->batches;

	while (!model->finished && !model->failed && now_ms() < until && (done == NULL || !done(model)))
	{
		struct pollfd ready = {source_wakeup_fd(source), POLLIN, 0};
		SourceEvent *event;

		poll(&ready, 1, 100);
		while ((event = source_next_event(source)) != NULL)
		{
			handle(model, source, event);
			source_event_free(event);
			if (model->stop_after_batches > 0 && model->batches - batches >= model->stop_after_batches && !model->open)
				return;
		}
	}
}

static void
run(Model *model, const char *config)
{
	Source *source = start(model, config, false);

	take_events(model, source, NULL);
	if (!source_stop(source, 10000))
		abort();
}

static void
forget(Model *model)
{
	source_position_free(model->position);
	memset(model, 0, sizeof(*model));
}

/* Every id in [first, end) exactly "count" times. */
static bool
has_ids(const Model *model, int first, int end, int count)
{
	for (int id = first; id < end; id++)
		if (model->counts[id] != count)
		{
			printf("# id %d is there %d times\n", id, model->counts[id]);
			return false;
		}
	return true;
}

static int
total(const Model *model)
{
	int sum = 0;

	for (int id = 0; id < MOST_IDS; id++)
		sum += model->counts[id];
	return sum;
}

static void
is_healthy(const Model *model, const char *name)
{
	ok(!model->broken && !model->failed, "%s: moves fit, no failure %s", name,
	   model->failed ? model->failure.message : "");
}

/* ---- snapshots --------------------------------------------------------------------------- */

static void
test_snapshot(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, ADD_1000);
	run(&model, "\"mode\":\"snapshot\"");
	is_healthy(&model, "snapshot");
	ok(model.finished && model.pins == 1 && model.position->backfill_completed, "it ends, and completes the backfill");
	ok(has_ids(&model, 0, 2000, 1) && total(&model) == 2000, "each row once");
	is_int(model.position->rows_total, 2000, "rows in total");
	is_int(model.position->bytes_total, 11796 + 11297, "bytes in total");
	is_int(model.source_bytes, 11796 + 11297, "all of them told");
	is_int(model.rows_read, 2000, "rows passed by moves");
	is_int(model.position->start_version, 1, "pinned version");
	is_int(model.position->next_version, -1, "nothing to follow");
	is_text(model.position->source_identity, "table-1", "the table's id");
	ok(model.position->files[0].done && model.position->files[1].done, "both files are done");
	run(&model, "\"mode\":\"snapshot\"");
	ok(model.finished && total(&model) == 2000, "started again, it ends without a row");
	forget(&model);
	run(&model, "\"mode\":\"snapshot\",\"version\":0");
	ok(has_ids(&model, 0, 1000, 1) && total(&model) == 1000, "an older version");
	forget(&model);
	run(&model, "\"mode\":\"snapshot\",\"transaction_mode\":\"snapshot\"");
	is_healthy(&model, "one transaction");
	ok(has_ids(&model, 0, 2000, 1) && model.transactions <= 2 && model.batches > 4, "%d batches in %d transactions",
	   model.batches, model.transactions);
	forget(&model);
	run(&model, "\"mode\":\"snapshot\",\"version\":7");
	ok(model.failed, "a version that is not there: %s", model.failure.message);
	forget(&model);
}

static void
test_empty_snapshot(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA);
	run(&model, "\"mode\":\"snapshot\"");
	is_healthy(&model, "empty snapshot");
	ok(model.finished && model.position->backfill_completed && model.batches == 1, "one empty batch completes it");
	forget(&model);
	new_table();
	run(&model, "\"mode\":\"snapshot\"");
	ok(model.failed && model.failure.kind == INGEST_ERROR_NOT_FOUND && strstr(model.failure.message, table) != NULL,
	   "no table: %s", model.failure.message);
	forget(&model);
}

/* Stopped after each few batches; the log is gone after the first start. */
static void
test_resume(void)
{
	static Model model;
	int starts = 0;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0 ADD_1000 ADD_2000);
	model.stop_after_batches = 1;
	for (; !model.finished && !model.failed && starts < 40; starts++)
	{
		run(&model, "\"mode\":\"snapshot\",\"num_parsers\":2");
		shell("rm -rf %s/_delta_log", table);
	}
	is_healthy(&model, "resume");
	ok(model.finished && starts > 5, "it ended after %d starts", starts);
	ok(has_ids(&model, 0, 2500, 1) && total(&model) == 2500, "each row once, without the log");
	is_int(model.pins, 1, "pinned once");
	is_int(model.rows_read, 2500, "rows passed by moves");
	forget(&model);
}

static void
test_vectors(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL_VECTORS METADATA ADD_0_MASKED);
	run(&model, "\"mode\":\"snapshot\"");
	is_healthy(&model, "deletion vector");
	ok(has_ids(&model, 3, 999, 1) && total(&model) == 996, "masked rows are left out");
	is_int(model.rows_read, 1000, "but passed");
	is_int(model.rows_masked, 4, "and counted");
	forget(&model);
}

/* ---- files that are not as the log says ------------------------------------------------------ */

static void
is_failure(const char *config, IngestErrorKind kind, const char *part, const char *name)
{
	static Model model;

	run(&model, config);
	ok(model.failed && model.failure.kind == kind && strstr(model.failure.message, part) != NULL &&
		   strncmp(model.failure.message, "Delta table \"", 13) == 0,
	   "%s: %s; %s", name, model.failure.message, model.failure.hint);
	forget(&model);
}

static void
test_bad_files(void)
{
	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0 ADD_1000);
	shell("rm %s/rows_1000.parquet", table);
	is_failure("\"mode\":\"snapshot\"", INGEST_ERROR_GONE, "rows_1000.parquet\" of version 0", "a vacuumed file");
	shell("head -c 5000 " DATA "rows_1000.parquet > %s/rows_1000.parquet", table);
	is_failure("\"mode\":\"snapshot\"", INGEST_ERROR_CORRUPT, "rows_1000.parquet", "a truncated file");
	shell("(head -c 4000 " DATA "rows_1000.parquet; head -c 100 /dev/zero; tail -c +4101 " DATA "rows_1000.parquet) > "
		  "%s/rows_1000.parquet",
		  table);
	is_failure("\"mode\":\"snapshot\"", INGEST_ERROR_CORRUPT, "rows_1000.parquet", "a damaged file");
	write_commit(1, "{\"add\":{\"path\":\n");
	shell("touch -d '1 hour ago' %s/_delta_log/*1.json", table);
	is_failure("\"mode\":\"snapshot\"", INGEST_ERROR_CORRUPT, "", "a damaged commit");
	write_commit(1, FILE_TEXT("add", "../table_1/rows_0.parquet", 1, 1, ""));
	is_failure("\"mode\":\"snapshot\",\"version\":1", INGEST_ERROR_DENIED, "", "a file outside of the table");
}

/* ---- following ------------------------------------------------------------------------------------ */

static bool
has_2500(const Model *model)
{
	return model->position != NULL && model->position->next_version == 6;
}

static bool
is_waiting(const Model *model)
{
	return strstr(model->last_doing, "waiting for version 6") != NULL && model->lag == 0;
}

static bool
has_version_7(const Model *model)
{
	return model->position->next_version == 8;
}

static void
test_snapshot_and_follow(void)
{
	static Model model;
	Source *source;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, ADD_1000);
	write_commit(2, EMPTY);
	write_commit(3, REMOVE_0);
	write_commit(4, EMPTY);
	write_commit(5, EMPTY);
	source = start(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0", false);
	take_events(&model, source, has_2500);
	take_events(&model, source, is_waiting);
	is_healthy(&model, "snapshot_and_follow");
	is_int(model.position->backfill_end_version, 5, "the backfill ends at the version that was the newest");
	ok(model.position->backfill_completed, "and is complete");
	ok(has_ids(&model, 0, 1000, 0) && has_ids(&model, 1000, 2000, 1), "removed rows are gone, added ones there");
	/* snapshot: 4 (rows), version 1, 2 with 3 before it, 4 and 5 in one */
	ok(model.transactions <= 9, "empty versions are passed together (%d transactions)", model.transactions);
	write_commit(6, ADD_2000);
	write_commit(7, EMPTY);
	take_events(&model, source, has_version_7);
	ok(has_ids(&model, 2000, 2500, 1) && total(&model) == 1500, "a version that came later is followed");
	ok(source_stop(source, 10000), "it can be stopped while it waits");
	forget(&model);
}

static void
test_end_version(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, ADD_1000);
	write_commit(2, ADD_2000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	is_healthy(&model, "end_version");
	ok(model.finished && model.position->backfill_completed && total(&model) == 2000, "the last version is applied");
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	ok(model.finished && total(&model) == 2000, "started again, it ends");
	forget(&model);
	run(&model, "\"mode\":\"follow\",\"version\":0,\"end_version\":2");
	is_healthy(&model, "follow");
	ok(model.finished && model.position->backfill_completed && has_ids(&model, 1000, 2500, 1) && total(&model) == 1500,
	   "follow applies what comes after the version");
	forget(&model);
	is_failure("\"mode\":\"follow\",\"end_version\":1", INGEST_ERROR_INVALID, "'end_version' 1", "an end in the past");
}

/* A crash between the last row of the backfill and the word that it was. */
static void
test_completion_after_crash(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	run(&model, "\"mode\":\"snapshot\"");
	model.position->backfill_completed = false;
	run(&model, "\"mode\":\"snapshot\"");
	ok(model.finished && model.position->backfill_completed && total(&model) == 1000, "completion is told again");
	forget(&model);
}

/* Stopped inside a version: nothing of it counts, all of it comes again. */
static void
test_resume_in_version(void)
{
	static Model model;
	int starts = 0;

	new_table();
	write_commit(0, PROTOCOL METADATA);
	write_commit(1, ADD_0 ADD_1000);
	write_commit(2, REMOVE_0 ADD_2000);
	run(&model, "\"mode\":\"follow\",\"version\":0,\"end_version\":1");
	is_int(model.transactions, 1, "a version is one transaction");
	ok(model.batches >= 7, "of several batches (%d)", model.batches);
	forget(&model);
	model.stop_after_batches = 1;
	for (; !model.finished && !model.failed && starts < 20; starts++)
		run(&model, "\"mode\":\"follow\",\"version\":0,\"end_version\":2");
	is_healthy(&model, "resume");
	ok(model.finished && has_ids(&model, 0, 1000, 0) && has_ids(&model, 1000, 2500, 1), "exactly once after %d starts",
	   starts);
	forget(&model);
}

static void
test_vector_difference(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL_VECTORS METADATA ADD_0);
	write_commit(1, REMOVE_0 ADD_0_MASKED);
	write_commit(2, FILE_TEXT("remove", "rows_0.parquet", 11796, 1000, VECTOR ",\"extendedFileMetadata\":true") ADD_0);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	is_healthy(&model, "vector difference");
	ok(has_ids(&model, 3, 999, 1) && total(&model) == 996, "newly masked rows are deleted, the others left alone");
	forget(&model);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":2");
	ok(has_ids(&model, 0, 1000, 1), "what is unmasked again comes back");
	forget(&model);
}

static void
test_change_data(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(
		1, REMOVE_0 ADD_1000
		"{\"cdc\":{\"path\":\"changes.parquet\",\"partitionValues\":{},\"size\":1097,\"dataChange\":false}}\n");
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	is_healthy(&model, "change data");
	ok(model.counts[10] == 1 && model.counts[11] == 0 && model.counts[5000] == 1 && total(&model) == 1000,
	   "a change data file says what its version changed");
	forget(&model);
}

/* ---- schemas -------------------------------------------------------------------------------------------- */

static void
test_added_column(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, METADATA_NOTE ADD_2000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	is_healthy(&model, "added column");
	ok(model.logs == 1 && strstr(model.last_log, "\"note\"") != NULL, "a column that the target lacks: %s",
	   model.last_log);
	ok(strstr(model.position->schema_json, "note") != NULL, "the stored schema is the new one");
	ok(has_ids(&model, 2000, 2500, 1), "its rows are there");
	forget(&model);
	target.column_count = 3;
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	is_healthy(&model, "added column that the target has");
	ok(model.logs == 0 && model.notes == 500, "is fed from then on (%d)", model.notes);
	forget(&model);
	/* read with the stored schema, not the one at the start */
	model.stop_after_batches = 0;
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	write_commit(2, FILE_TEXT("remove", "rows_2000_note.parquet", 3810, 500, ",\"extendedFileMetadata\":true"));
	model.notes = 0;
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":2");
	ok(model.finished && model.notes == 500 && has_ids(&model, 2000, 2500, 0), "after a restart as well");
	forget(&model);
	target.column_count = 2;
}

static void
test_changed_schemas(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, METADATA_OF("table-1", FIELD("id", "long")) ADD_1000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && model.failure.kind == INGEST_ERROR_INVALID && strstr(model.failure.message, "\"name\"") != NULL,
	   "a dropped column: %s; %s", model.failure.message, model.failure.hint);
	ok(has_ids(&model, 0, 1000, 1) && total(&model) == 1000 && model.position->next_version == 1,
	   "no row of that version came");
	forget(&model);
	write_commit(1, METADATA_OF("table-1", FIELD("id", "date") "," FIELD("name", "string")) ADD_1000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && model.failure.kind == INGEST_ERROR_INVALID && strstr(model.failure.message, "\"id\"") != NULL &&
		   total(&model) == 1000,
	   "a column of another type: %s", model.failure.message);
	forget(&model);
	write_commit(1, METADATA_OF("table-1", FIELD("a", "long") "," FIELD("b", "string")));
	is_failure("\"mode\":\"snapshot\"", INGEST_ERROR_INVALID, "no column", "nothing in common with the target");
}

/* ---- another table, a log with a hole ----------------------------------------------------------------------- */

static void
test_another_table(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, EMPTY);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	shell("rm %s/_delta_log/*", table);
	write_commit(0, PROTOCOL METADATA_OF("table-2", FIELD("id", "long") "," FIELD("name", "string")) ADD_0);
	write_commit(1, EMPTY);
	write_commit(2, ADD_1000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && model.failure.kind == INGEST_ERROR_CHANGED && strstr(model.failure.message, "table-2") != NULL,
	   "another table: %s; %s", model.failure.message, model.failure.hint);
	forget(&model);
}

/* The same table, but its log was rolled back and went on otherwise. */
static void
test_rolled_back(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, ADD_1000);
	write_commit(2, EMPTY);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":2");
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":2");
	is_healthy(&model, "the log is the same");
	shell("rm %s/_delta_log/*2.json", table);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && model.failure.kind == INGEST_ERROR_CHANGED, "a log that went back: %s; %s",
	   model.failure.message, model.failure.hint);
	write_commit(2, ADD_2000);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && model.failure.kind == INGEST_ERROR_CHANGED && total(&model) == 2000,
	   "a version that is another one now: %s", model.failure.message);
	forget(&model);
}

static void
test_probe(void)
{
	static Model model;
	Source *source;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	source = start(&model, "\"mode\":\"snapshot\"", true);
	take_events(&model, source, NULL);
	ok(source_stop(source, 10000) && model.finished && model.pins == 1 && !model.position->pinned &&
		   strcmp(model.position->source_identity, "table-1") == 0 && model.batches == 0,
	   "a probe tells only which table it is");
	run(&model, "\"mode\":\"snapshot\"");
	ok(model.finished && model.position->pinned && total(&model) == 1000, "the real start pins");
	forget(&model);
	source = start(&model, "\"mode\":\"snapshot\"", true);
	take_events(&model, source, NULL);
	ok(source_stop(source, 10000), "probed");
	write_commit(0, PROTOCOL METADATA_OF("table-2", FIELD("id", "long") "," FIELD("name", "string")) ADD_0);
	run(&model, "\"mode\":\"snapshot\"");
	ok(model.failed && model.failure.kind == INGEST_ERROR_CHANGED, "it is another table at the real start: %s",
	   model.failure.message);
	forget(&model);
}

static void
test_hole_in_log(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, EMPTY);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0,\"end_version\":1");
	write_commit(2, ADD_1000);
	write_commit(3, PROTOCOL METADATA EMPTY);
	shell("rm %s/_delta_log/*2.json", table);
	run(&model, "\"mode\":\"snapshot_and_follow\",\"version\":0");
	ok(model.failed && total(&model) == 1000, "a version that was cleaned up (kind %d): %s; %s", model.failure.kind,
	   model.failure.message, model.failure.hint);
	forget(&model);
}

static void
test_datetime(void)
{
	static Model model;

	new_table();
	write_commit(0, PROTOCOL METADATA ADD_0);
	write_commit(1, ADD_1000);
	shell("touch -d '2024-01-01T00:00:00Z' %s/_delta_log/*0.json && touch -d '2024-01-02T00:00:00Z' "
		  "%s/_delta_log/*1.json",
		  table, table);
	run(&model, "\"mode\":\"snapshot\",\"datetime\":\"2024-01-01T23:59:59.5Z\"");
	ok(total(&model) == 1000, "the version at a time %s", model.failed ? model.failure.message : "");
	forget(&model);
	run(&model, "\"mode\":\"snapshot\",\"datetime\":\"2024-01-02T01:00:00+01:00\"");
	ok(total(&model) == 2000, "with a zone %s", model.failed ? model.failure.message : "");
	forget(&model);
}

/* ---- declarations ------------------------------------------------------------------------------------------------ */

static void
declare(const char *config, IngestErrorKind kind, const char *part)
{
	char json[1024];
	Arena arena;
	JsonValue *connector;
	SourceRights rights = {true, false, false};
	SourceCheck check;
	bool done;

	snprintf(json, sizeof(json), "{\"transport\":{\"name\":\"delta_table_input\",\"config\":{%s}}}", config);
	arena_init(&arena, 1 << 20);
	if (!json_parse(json, strlen(json), &arena, &connector, &error))
		abort();
	ingest_error_clear(&error);
	done = source_check(connector, NULL, &rights, &check, &error);
	ok(done == (kind == INGEST_ERROR_NONE) && error.kind == kind &&
		   (done || strstr(error.message, part) != NULL || strstr(error.hint, part) != NULL),
	   "%s: %s; %s", config, error.message, error.hint);
	arena_release(&arena);
}

static void
test_declarations(void)
{
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\"", INGEST_ERROR_NONE, "");
	declare(
		"\"uri\":\"s3://b/t\",\"mode\":\"snapshot\",\"aws_skip_signature\":true,\"aws_region\":\"x\",\"timeout\":10",
		INGEST_ERROR_NONE, "");
	declare("\"mode\":\"snapshot\"", INGEST_ERROR_INVALID, "uri");
	declare("\"uri\":\"/t\"", INGEST_ERROR_INVALID, "mode");
	declare("\"uri\":\"/t\",\"mode\":\"sometimes\"", INGEST_ERROR_INVALID, "snapshot_and_follow");
	declare("\"uri\":\"/t\",\"mode\":\"cdc\"", INGEST_ERROR_UNSUPPORTED, "cdc");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"filter\":\"a > 1\"", INGEST_ERROR_UNSUPPORTED, "filter");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"transaction_mode\":\"catchup\"", INGEST_ERROR_UNSUPPORTED,
			"catchup");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"num_parser\":1", INGEST_ERROR_INVALID, "num_parsers");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"aws_regoin\":\"x\"", INGEST_ERROR_INVALID, "aws_region");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"num_parsers\":0", INGEST_ERROR_INVALID, "num_parsers");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"version\":[1]", INGEST_ERROR_INVALID, "version");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"version\":1,\"datetime\":\"2024-01-01T00:00:00Z\"",
			INGEST_ERROR_INVALID, "at most one of");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"datetime\":\"yesterday\"", INGEST_ERROR_INVALID, "datetime");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"datetime\":\"2024-01-01T00:00:00\"", INGEST_ERROR_INVALID,
			"datetime");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"version\":1,\"start_version\":1", INGEST_ERROR_INVALID,
			"mean the same");
	declare("\"uri\":\"/t\",\"mode\":\"snapshot\",\"end_version\":1", INGEST_ERROR_INVALID, "end_version");
	declare("\"uri\":\"/t\",\"mode\":\"follow\",\"version\":5,\"end_version\":5", INGEST_ERROR_INVALID, "greater than");
	declare("\"uri\":\"s3://b/t\",\"mode\":\"snapshot\"", INGEST_ERROR_INVALID, "credentials");
	declare("\"uri\":\"az://b/t\",\"mode\":\"snapshot\"", INGEST_ERROR_UNSUPPORTED, "Azure");
	ok(source_option_is_secret("delta_table_input", "aws_secret_access_key") &&
		   !source_option_is_secret("delta_table_input", "uri"),
	   "secrets are known");
	ok(source_option_keeps_position("delta_table_input", "aws_secret_access_key") &&
		   !source_option_keeps_position("delta_table_input", "start_version"),
	   "what keeps the position is known");
}

int
main(void)
{
	source_initialize();
	snprintf(directory, sizeof(directory), "/tmp/test_source_delta.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	test_declarations();
	test_snapshot();
	test_empty_snapshot();
	test_resume();
	test_vectors();
	test_bad_files();
	test_snapshot_and_follow();
	test_end_version();
	test_completion_after_crash();
	test_resume_in_version();
	test_vector_difference();
	test_change_data();
	test_added_column();
	test_changed_schemas();
	test_another_table();
	test_rolled_back();
	test_probe();
	test_hole_in_log();
	test_datetime();
	shell("rm -rf %s", directory);
	return done_testing();
}
