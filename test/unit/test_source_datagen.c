/*-------------------------------------------------------------------------
 *
 * test_source_datagen.c
 *	  datagen: what it makes, what it refuses, and that a row depends on seed and number alone.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "source/source_internal.h"
#include "unit/tap.h"

#define MAX_COLUMNS 20
#define MAX_ROWS 2000

static ColumnTarget columns[MAX_COLUMNS];
static TargetTable target = {.name = "public.t", .columns = columns, .utf8 = true};

/* ---- running one connector ------------------------------------------------------ */

typedef struct Cell
{
	ValueState state;
	int64_t number; /* datums of 8 bytes; text: its length */
	double real;
	char text[64];
} Cell;

static struct
{
	int rows;
	Cell cells[MAX_ROWS][4];
	int64_t numbers[MAX_ROWS];
	int pins;
	SourcePosition *pin;
	int batches;
	int complete; /* batches that complete the backfill */
	bool finished;
	IngestError error;
	int64_t next; /* where the moves ended */
	bool moves_join;
	double seconds;
} result;

static void
column(int index, const char *name, ColumnForm form)
{
	columns[index] =
		(ColumnTarget){.name = (char *) name, .type_name = (char *) name, .form = form, .fraction_digits = 6};
	target.column_count = index + 1;
}

static void
take_cell(const ChangeBatch *batch, int index, uint32_t row, Cell *cell)
{
	const BatchColumn *batch_column = &batch->columns[index];
	const unsigned char *bytes;
	const InputText *input;
	size_t length;
	float single;

	cell->state = batch_column->states == NULL ? VALUE_MISSING : (ValueState) batch_column->states[row];
	if (cell->state == VALUE_INPUT)
	{
		input = (const InputText *) (uintptr_t) batch_column->values[row];
		cell->number = input->length;
		snprintf(cell->text, sizeof(cell->text), "%s", input->data);
	}
	if (cell->state != VALUE_DATUM)
		return;
	cell->number = (int64_t) batch_column->values[row];
	bytes = (const unsigned char *) (uintptr_t) batch_column->values[row];
	switch (columns[index].form)
	{
		case FORM_FLOAT8:
			memcpy(&cell->real, &batch_column->values[row], sizeof(double));
			break;
		case FORM_FLOAT4:
			memcpy(&single, &batch_column->values[row], sizeof(single));
			cell->real = single;
			break;
		case FORM_TEXT:
		case FORM_BPCHAR:
		case FORM_BYTEA:
			length = bytes[0] & 1 ? (size_t) (bytes[0] >> 1) - 1 : ((*(const uint32_t *) bytes) >> 2) - 4;
			bytes += bytes[0] & 1 ? 1 : 4;
			cell->number = (int64_t) length;
			if (length > sizeof(cell->text) - 1)
				length = sizeof(cell->text) - 1;
			memcpy(cell->text, bytes, length);
			cell->text[length] = '\0';
			break;
		case FORM_UUID:
			for (int i = 0; i < 16; i++)
				sprintf(cell->text + 2 * i, "%02x", bytes[i]);
			break;
		default:
			break;
	}
}

static void
take_batch(const ChangeBatch *batch)
{
	for (uint32_t row = 0; row < batch->row_count && result.rows < MAX_ROWS; row++)
	{
		for (int i = 0; i < target.column_count && i < 4; i++)
			take_cell(batch, i, row, &result.cells[result.rows][i]);
		result.numbers[result.rows++] = batch->row_numbers[row];
	}
	for (uint32_t i = 0; i < batch->move_count; i++)
	{
		result.moves_join &= batch->moves[i].plan != 0 || batch->moves[i].expected == result.next;
		if (batch->moves[i].plan == 0)
			result.next = batch->moves[i].next;
	}
	result.batches++;
	result.complete += batch->completes_backfill;
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* False after the last event. */
static bool
take_event(Source *source, SourceEvent *event)
{
	switch (event->kind)
	{
		case SOURCE_EVENT_PIN:
			result.pins++;
			source_position_free(result.pin);
			result.pin = event->pin;
			event->pin = NULL;
			source_acknowledge_pin(source);
			return true;
		case SOURCE_EVENT_BATCH:
			take_batch(event->batch);
			return true;
		case SOURCE_EVENT_FINISHED:
			result.finished = true;
			return false;
		case SOURCE_EVENT_FAILED:
			result.error = event->error;
			return false;
		default:
			return true;
	}
}

/* Run until it ends, or until "rows" came.  "stored" is taken over. */
static bool
run_connector(const char *json, SourcePosition *stored, int rows)
{
	SourceConfig config = {.connector_name = "t.datagen", .connector_json = json, .target = &target};
	double begin = now();
	Source *source;
	bool going = true;

	source_position_free(result.pin);
	memset(&result, 0, sizeof(result));
	result.moves_join = true;
	if (stored != NULL && stored->plan_count > 0)
		result.next = stored->plans[0].next_row;
	if (!source_start(&config, stored, &source, &result.error))
		return false;
	while (going && result.rows < rows)
	{
		struct pollfd poller = {.fd = source_wakeup_fd(source), .events = POLLIN};
		SourceEvent *event;

		poll(&poller, 1, 1000);
		event = source_next_event(source);
		if (event == NULL)
			continue;
		going = take_event(source, event);
		source_event_free(event);
	}
	result.seconds = now() - begin;
	return source_stop(source, 10000);
}

/* One plan of "limit" rows with these fields. */
static bool
run_plan(int limit, const char *fields)
{
	static char json[4096];

	snprintf(json, sizeof(json),
			 "{\"transport\":{\"name\":\"datagen\",\"config\":{\"seed\":1,\"plan\":[{\"limit\":%d,\"fields\":{%s}}]}}}",
			 limit, fields);
	return run_connector(json, NULL, MAX_ROWS) && result.finished && result.rows == limit;
}

static bool
numbers_are(int column_index, int count, const int64_t *expected)
{
	for (int i = 0; i < count; i++)
		if (result.cells[i][column_index].number != expected[i])
			return false;
	return true;
}

#define NUMBERS(index, ...)                                                                                            \
	numbers_are(index, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* ---- integers, floats, booleans --------------------------------------------------- */

static void
test_numbers(void)
{
	bool good = true;

	column(0, "id", FORM_INT4);
	column(1, "b", FORM_BOOLEAN);
	ok(run_plan(10, "") && NUMBERS(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "integers count from 0");
	ok(NUMBERS(1, 0, 1, 0, 1), "booleans are whether the row is odd");
	ok(result.complete == 1 && result.pins == 1, "the last batch completes the backfill");
	ok(run_plan(10, "\"id\":{\"range\":[10,20],\"scale\":3}") && NUMBERS(0, 10, 13, 16, 19, 12, 15, 18, 11, 14, 17),
	   "increment by a scale wraps in the half-open range");
	ok(run_plan(4, "\"ID\":{\"values\":[99,100,101]}") && NUMBERS(0, 99, 100, 101, 99),
	   "values are cycled, and names ignore case");
	ok(run_plan(4, "\"id\":{\"range\":[0,3],\"scale\":-1}") && NUMBERS(0, 0, -1, -2, 0),
	   "the remainder keeps the sign of the dividend");
	ok(run_plan(1000, "\"id\":{\"strategy\":\"uniform\",\"range\":[10,20]}"), "uniform runs");
	for (int i = 0; i < result.rows; i++)
		good &= result.cells[i][0].number >= 10 && result.cells[i][0].number < 20;
	ok(good, "uniform integers stay in [10, 20)");
	ok(run_plan(3, "\"id\":{\"range\":[2147483646,2147483650]}") && result.cells[2][0].state == VALUE_INPUT &&
		   strcmp(result.cells[2][0].text, "2147483648") == 0,
	   "what the type cannot hold goes as text");

	column(0, "f", FORM_FLOAT8);
	target.column_count = 1;
	ok(run_plan(5, "\"f\":{\"range\":[1.1,10.1]}") && fabs(result.cells[4][0].real - 5.1) < 1e-9,
	   "floats step in their range");
	ok(run_plan(1000, "\"f\":{\"strategy\":\"uniform\",\"range\":[0.5,0.6]}"), "uniform floats run");
	good = true;
	for (int i = 0; i < result.rows; i++)
		good &= result.cells[i][0].real >= 0.5 && result.cells[i][0].real < 0.6;
	ok(good, "uniform floats stay in [0.5, 0.6)");
}

static void
test_zipf(void)
{
	int count[26] = {0};
	bool good = true;

	column(0, "id", FORM_INT4);
	target.column_count = 1;
	ok(run_plan(1999, "\"id\":{\"strategy\":\"zipf\",\"range\":[1,25]}"), "zipf runs");
	for (int i = 0; i < result.rows; i++)
	{
		int64_t number = result.cells[i][0].number;

		good &= number >= 1 && number < 25;
		count[good ? number : 0]++;
	}
	ok(good, "zipf stays in [1, 25)");
	/* P(1) = 0.265, P(2) = 0.132; the bounds are five standard deviations wide. */
	ok(count[1] > 430 && count[1] < 630, "the first value comes in about 26.5 %% of the rows (%d of 1999)", count[1]);
	ok(count[2] > 188 && count[2] < 341, "the second in about 13.2 %% (%d of 1999)", count[2]);
	ok(run_plan(1999, "\"id\":{\"strategy\":\"zipf\",\"e\":0,\"range\":[0,4]}"), "zipf with exponent 0 runs");
	memset(count, 0, sizeof(count));
	for (int i = 0; i < result.rows; i++)
		count[result.cells[i][0].number & 3]++;
	ok(count[0] > 400 && count[1] > 400 && count[2] > 400 && count[3] > 400, "and is uniform");
	ok(run_plan(1000, "\"id\":{\"strategy\":\"zipf\"}"), "zipf over all integers runs");
	good = true;
	for (int i = 0; i < result.rows; i++)
		good &= result.cells[i][0].number >= 0 && result.cells[i][0].state == VALUE_DATUM;
	ok(good, "and stays in the type");
	ok(run_plan(3, "\"id\":{\"strategy\":\"zipf\",\"range\":[7,8]}") && NUMBERS(0, 7, 7, 7), "zipf over one value");
}

/* ---- decimals ---------------------------------------------------------------------- */

/* Through text: what a numeric looks like inside is another room's. */
static void
test_decimals(void)
{
	bool good = true;

	/* A column of a type that takes text as it is shows the digits. */
	column(0, "n", FORM_NUMERIC);
	columns[0].precision = 15;
	columns[0].scale = 2;
	target.column_count = 1;
	ok(run_plan(101, "\"n\":{\"range\":[0.01,99.99]}"), "decimals run");
	for (int i = 0; i < result.rows; i++)
		good &= result.cells[i][0].state == VALUE_DATUM;
	ok(good, "all are numerics");
	column(0, "a", FORM_ARRAY);
	columns[0].element = &columns[MAX_COLUMNS - 1];
	columns[MAX_COLUMNS - 1] = (ColumnTarget){
		.name = (char *) "a", .type_name = (char *) "numeric(15,2)", .form = FORM_NUMERIC, .precision = 15, .scale = 2};
	ok(run_plan(5, "\"a\":{\"range\":[4,5],\"value\":{\"range\":[0.01,2.99]}}") &&
		   strcmp(result.cells[0][0].text, "{0.01,1.01,2.01,0.03}") == 0,
	   "decimals step and wrap at their own scale (%s)", result.cells[0][0].text);
	ok(run_plan(1, "\"a\":{\"range\":[5,6],\"value\":{\"range\":[1,5]}}") &&
		   strcmp(result.cells[0][0].text, "{1.00,2.00,3.00,4.00,1.00}") == 0,
	   "whole bounds (%s)", result.cells[0][0].text);
	ok(run_plan(1, "\"a\":{\"range\":[3,4],\"value\":{\"values\":[0.1,\"1\",9.9]}}") &&
		   strcmp(result.cells[0][0].text, "{\"0.1\",\"1\",\"9.9\"}") == 0,
	   "values as given (%s)", result.cells[0][0].text);
	ok(run_plan(1, "\"a\":{\"range\":[3,4],\"value\":{\"strategy\":\"zipf\",\"range\":[1,2]}}") &&
		   strcmp(result.cells[0][0].text, "{1.00,1.00,1.00}") == 0,
	   "zipf over one step (%s)", result.cells[0][0].text);
	ok(run_plan(1, "\"a\":{\"range\":[2,3],\"value\":{\"range\":[\"-0.05\",\"0.95\"]}}") &&
		   strcmp(result.cells[0][0].text, "{-0.05,-0.05}") == 0,
	   "bounds as strings, and below zero (%s)", result.cells[0][0].text);
}

/* ---- texts, bytes, arrays, uuids ----------------------------------------------------- */

static void
test_texts(void)
{
	bool good = true;
	bool letters = true;

	column(0, "t", FORM_TEXT);
	target.column_count = 1;
	ok(run_plan(12, "") && strcmp(result.cells[11][0].text, "11") == 0, "texts are the number of the row");
	ok(run_plan(3, "\"t\":{\"values\":[\"A\",\"N\",\"R\"]}") && strcmp(result.cells[2][0].text, "R") == 0, "values");
	ok(run_plan(500, "\"t\":{\"strategy\":\"uniform\",\"range\":[3,6]}"), "uniform texts run");
	for (int i = 0; i < result.rows; i++)
	{
		good &= result.cells[i][0].number >= 3 && result.cells[i][0].number < 6;
		for (const char *c = result.cells[i][0].text; *c != '\0'; c++)
			letters &= (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
	}
	ok(good && letters, "letters and digits, with lengths in [3, 6)");
	ok(run_plan(20, "\"t\":{\"strategy\":\"email\"}") && strstr(result.cells[7][0].text, "@example.") != NULL,
	   "a string strategy (%s)", result.cells[7][0].text);
	ok(run_plan(5, "\"t\":{\"strategy\":\"words\",\"range\":[3,4]}"), "a counted strategy runs");
	good = true;
	for (int i = 0; i < result.rows; i++)
	{
		int spaces = 0;

		for (const char *c = result.cells[i][0].text; *c != '\0'; c++)
			spaces += *c == ' ';
		good &= spaces == 2;
	}
	ok(good, "three words");
	ok(run_plan(1000, "\"t\":{\"null_percentage\":50}"), "null_percentage runs");
	{
		int nulls = 0;

		for (int i = 0; i < result.rows; i++)
			nulls += result.cells[i][0].state == VALUE_NULL;
		ok(nulls > 400 && nulls < 600, "about half of the rows (%d of 1000)", nulls);
	}
	ok(run_plan(20, "\"t\":{\"null_percentage\":100}") && result.cells[19][0].state == VALUE_NULL, "all NULL");
}

static void
test_bytes(void)
{
	column(0, "a", FORM_BYTEA);
	column(1, "b", FORM_BYTEA);
	column(2, "c", FORM_BYTEA);
	ok(run_plan(4, "\"a\":{\"range\":[10,11]},\"b\":{\"range\":[0,3],\"value\":{\"range\":[0,2]}},"
				   "\"c\":{\"values\":[[1,2],[1,2,3]],\"range\":[1,2]}"),
	   "bytes run");
	ok(NUMBERS(0, 10, 10, 10, 10) && memcmp(result.cells[1][0].text, "\0\1\2\3\4\5\6\7\10\11", 10) == 0,
	   "ten bytes that count");
	ok(NUMBERS(1, 0, 1, 2, 0) && result.cells[2][1].text[1] == 1, "lengths cycle, elements count");
	ok(NUMBERS(2, 2, 3, 2, 3), "lists of values");
	ok(run_plan(50, "\"a\":{\"range\":[1,2],\"value\":{\"strategy\":\"uniform\",\"range\":[128,256]}}"),
	   "uniform bytes run");
	{
		bool good = true;

		for (int i = 0; i < 50; i++)
			good &= result.cells[i][0].number == 1 && (unsigned char) result.cells[i][0].text[0] >= 128;
		ok(good, "one byte of at least 128");
	}
	column(0, "u", FORM_UUID);
	target.column_count = 1;
	ok(run_plan(3, "") && strcmp(result.cells[2][0].text, "00000000000000000000000000000002") == 0, "uuids count");
	ok(run_plan(3, "\"u\":{\"range\":[\"00000000-0000-0000-0000-0000000000fe\","
				   "\"00000000-0000-0000-0000-000000000100\"]}") &&
		   strcmp(result.cells[2][0].text, "000000000000000000000000000000fe") == 0,
	   "uuids wrap in their range");
}

/* ---- times ----------------------------------------------------------------------------- */

#define EPOCH_DAYS 10957
#define EPOCH_US (INT64_C(10957) * 86400000000)

static void
test_times(void)
{
	column(0, "ts", FORM_TIMESTAMP);
	column(1, "dt", FORM_DATE);
	column(2, "t", FORM_TIME);
	ok(run_plan(2, "") && NUMBERS(0, -EPOCH_US, -EPOCH_US + 1000) && NUMBERS(1, -EPOCH_DAYS, -EPOCH_DAYS + 1) &&
		   NUMBERS(2, 0, 1000),
	   "times begin in 1970 and step by a millisecond, a day, a millisecond");
	ok(run_plan(3, "\"ts\":{\"range\":[1724803200000,1724803200002]},\"dt\":{\"range\":[19963,19965]},"
				   "\"t\":{\"range\":[5,7]}"),
	   "ranges of integers run");
	ok(NUMBERS(0, 1724803200000000 - EPOCH_US, 1724803200001000 - EPOCH_US, 1724803200000000 - EPOCH_US) &&
		   NUMBERS(1, 19963 - EPOCH_DAYS, 19964 - EPOCH_DAYS, 19963 - EPOCH_DAYS) && NUMBERS(2, 5000, 6000, 5000),
	   "a, a + 1, a");
	ok(run_plan(3, "\"ts\":{\"range\":[\"2024-08-28T00:00:00Z\",\"2024-08-28T00:00:02Z\"],\"scale\":1000},"
				   "\"dt\":{\"range\":[\"2024-08-28\",\"2024-08-30\"]},"
				   "\"t\":{\"range\":[\"00:00:05\",\"00:00:07\"],\"scale\":1000}"),
	   "ranges of strings run");
	ok(NUMBERS(0, 1724803200000000 - EPOCH_US, 1724803201000000 - EPOCH_US, 1724803200000000 - EPOCH_US) &&
		   NUMBERS(1, 19963 - EPOCH_DAYS, 19964 - EPOCH_DAYS, 19963 - EPOCH_DAYS) &&
		   NUMBERS(2, 5000000, 6000000, 5000000),
	   "a, a + 1, a");
	ok(run_plan(200, "\"dt\":{\"strategy\":\"uniform\",\"range\":[\"1969-12-30\",\"1970-01-02\"]}"),
	   "uniform dates run");
	{
		bool good = true;

		for (int i = 0; i < result.rows; i++)
			good &= result.cells[i][1].number >= -EPOCH_DAYS - 2 && result.cells[i][1].number < -EPOCH_DAYS + 1;
		ok(good, "uniform dates stay in their range");
	}
	columns[0].fraction_digits = 0;
	ok(run_plan(2, "\"ts\":{\"range\":[1600,1700]}") && NUMBERS(0, 2000000 - EPOCH_US), "timestamp(0) rounds");
}

/* ---- determinism, resuming, rate ------------------------------------------------------- */

#define MIXED                                                                                                          \
	"\"a\":{\"strategy\":\"uniform\"},\"b\":{\"strategy\":\"name\"},\"c\":{\"strategy\":\"zipf\",\"null_percentage\":" \
	"20}"

static SourcePosition *
stored_at(int64_t row, uint64_t seed)
{
	SourcePosition *position = source_position_create();

	position->pinned = true;
	position->seed = seed;
	position->plan_count = 1;
	position->plans = calloc(1, sizeof(*position->plans));
	position->plans[0].next_row = row;
	return position;
}

static void
test_determinism(void)
{
	static Cell first[300][4];
	static const char *const json = "{\"max_batch_size\":%d,\"transport\":{\"name\":\"datagen\",\"config\":{%s\"plan\":"
									"[{\"limit\":300,\"fields\":{" MIXED "}}]}}}";
	char text[1024];
	bool same = true;
	uint64_t seed;

	column(0, "a", FORM_INT8);
	column(1, "b", FORM_TEXT);
	column(2, "c", FORM_INT4);
	snprintf(text, sizeof(text), json, 7, "");
	ok(run_connector(text, NULL, MAX_ROWS) && result.rows == 300 && result.batches == 43, "batches of 7 rows");
	ok(result.moves_join && result.next == 300, "their moves join");
	memcpy(first, result.cells, sizeof(first));
	seed = result.pin->seed;

	snprintf(text, sizeof(text), json, 100, "");
	ok(run_connector(text, stored_at(123, seed), MAX_ROWS) && result.rows == 177 && result.pins == 0,
	   "a stored position is resumed without a pin");
	for (int i = 0; i < 177; i++)
		for (int j = 0; j < 3; j++)
			same &= result.cells[i][j].state == first[i + 123][j].state &&
					strcmp(result.cells[i][j].text, first[i + 123][j].text) == 0 &&
					(j == 1 || result.cells[i][j].number == first[i + 123][j].number);
	ok(same, "and makes what would have come anyway, with other batches");
	ok(result.numbers[0] == 123 && result.complete == 1, "from the next row to the end");

	snprintf(text, sizeof(text), json, 100, "");
	run_connector(text, NULL, MAX_ROWS);
	ok(result.pin->seed != seed, "seeds are random where none is given");
	snprintf(text, sizeof(text), json, 100, "\"seed\":18446744073709551615,");
	run_connector(text, NULL, MAX_ROWS);
	ok(result.pin->seed == UINT64_MAX, "and taken from the declaration where one is");
	snprintf(text, sizeof(text), json, 100, "");
	{
		SourcePosition *stored = stored_at(300, seed);

		stored->backfill_completed = true;
		ok(run_connector(text, stored, MAX_ROWS) && result.finished && result.batches == 0, "nothing after the end");
	}
	ok(run_connector(text, stored_at(300, seed), MAX_ROWS) && result.finished && result.complete == 1,
	   "a completion that was lost is told again");
}

static void
test_plans(void)
{
	column(0, "id", FORM_INT4);
	target.column_count = 1;
	ok(run_connector("{\"transport\":{\"name\":\"datagen\",\"config\":{\"plan\":[]}}}", NULL, MAX_ROWS) &&
		   result.finished && result.rows == 0 && result.complete == 1,
	   "no plan completes at once");
	ok(run_connector(
		   "{\"transport\":{\"name\":\"datagen\",\"config\":{\"plan\":[{\"limit\":3},{\"limit\":0},{\"limit\":2}]}}}",
		   NULL, MAX_ROWS) &&
		   NUMBERS(0, 0, 1, 2, 0, 1) && result.rows == 5 && result.complete == 1,
	   "each plan counts from 0");
	ok(run_connector("{\"transport\":{\"name\":\"datagen\",\"config\":{\"plan\":[{\"limit\":60,\"rate\":40}]}}}", NULL,
					 MAX_ROWS) &&
		   result.rows == 60 && result.seconds > 0.4 && result.seconds < 5,
	   "40 rows at once and 20 more at 40 a second take half a second (%.2f s)", result.seconds);
	ok(run_connector("{\"transport\":{\"name\":\"datagen\",\"config\":{}}}", NULL, 500) && result.rows >= 500 &&
		   !result.finished,
	   "the default plan runs until it is stopped");
	ok(run_connector("{\"max_batch_size\":10,\"transport\":{\"name\":\"datagen\",\"config\":{\"transaction_size\":30,"
					 "\"plan\":[{\"limit\":100}]}}}",
					 NULL, MAX_ROWS) &&
		   result.rows == 100 && result.batches == 10 && result.moves_join && result.next == 100,
	   "transaction_size joins batches, and their moves still join");
}

/* ---- declarations ----------------------------------------------------------------------- */

static SourceCheck check;

static bool
check_config(const char *config, IngestError *error)
{
	static const SourceRights rights = {false, false, false};
	char json[4096];
	JsonValue *connector;
	Arena arena;
	bool good;

	snprintf(json, sizeof(json), "{\"transport\":{\"name\":\"datagen\",\"config\":%s}}", config);
	ingest_error_clear(error);
	arena_init(&arena, 1 << 20);
	good = json_parse(json, strlen(json), &arena, &connector, error) &&
		   source_check(connector, &target, &rights, &check, error);
	arena_release(&arena);
	return good;
}

static void
refused(const char *config, const char *path)
{
	IngestError error;
	bool passed = check_config(config, &error);

	if (!ok(!passed && error.kind == INGEST_ERROR_INVALID && strncmp(error.message, path, strlen(path)) == 0,
			"refused: %s", config))
		printf("#   %s\n", passed ? "accepted" : error.message);
}

static void
refused_field(const char *field, const char *settings)
{
	char config[512];
	char path[128];

	snprintf(config, sizeof(config), "{\"plan\":[{\"limit\":1,\"fields\":{\"%s\":%s}}]}", field, settings);
	snprintf(path, sizeof(path), "$.transport.config.plan[0].fields.%s", field);
	refused(config, path);
}

static void
test_refusals(void)
{
	static const char *const strategies[] = {"increment", "uniform", "zipf"};
	static const struct
	{
		const char *field;
		const char *values;
	} invalid[] = {{"id", "[\"a\",\"b\"]"}, {"t", "[1,2]"},    {"ts", "[true]"}, {"tm", "[1]"},
				   {"dt", "[1]"},           {"u", "[\"no\"]"}, {"a", "[1]"},     {"by", "[[256]]"},
				   {"id", "[1.5]"},         {"id", "[]"},      {"id", "3"}};

	column(0, "id", FORM_INT4);
	column(1, "t", FORM_TEXT);
	column(2, "ts", FORM_TIMESTAMP);
	column(3, "dt", FORM_DATE);
	column(4, "tm", FORM_TIME);
	column(5, "u", FORM_UUID);
	column(6, "f", FORM_FLOAT8);
	column(7, "n", FORM_NUMERIC);
	columns[7].precision = 2;
	columns[7].scale = 1;
	column(8, "by", FORM_BYTEA);
	column(9, "a", FORM_ARRAY);
	columns[9].element = &columns[0];
	column(10, "j", FORM_JSON);
	column(11, "T", FORM_INT4);
	columns[11].case_sensitive = true;
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		for (size_t j = 0; j < (i < 5 ? 3 : 1); j++)
		{
			char settings[128];

			snprintf(settings, sizeof(settings), "{\"values\":%s,\"strategy\":\"%s\"}", invalid[i].values,
					 strategies[j]);
			refused_field(invalid[i].field, settings);
		}
	refused("{\"limitx\":1}", "$.transport.config");
	refused("{\"plan\":[{\"limitx\":1}]}", "$.transport.config.plan[0]");
	refused("{\"plan\":{}}", "$.transport.config.plan");
	refused("{\"plan\":[{\"rate\":0}]}", "$.transport.config.plan[0].rate");
	refused("{\"plan\":[{\"limit\":-1}]}", "$.transport.config.plan[0].limit");
	refused("{\"workers\":0}", "$.transport.config.workers");
	refused("{\"seed\":-1}", "$.transport.config.seed");
	refused("{\"plan\":[{\"fields\":{\"nope\":{}}}]}", "$.transport.config.plan[0].fields: field `nope`");
	refused("{\"plan\":[{\"fields\":{\"TT\":{}}}]}", "$.transport.config.plan[0].fields");
	refused_field("id", "{\"rangee\":[1,2]}");
	refused_field("id", "{\"strategy\":\"unknown\"}");
	refused_field("id", "{\"strategy\":\"word\"}");
	refused_field("id", "{\"range\":[1]}");
	refused_field("id", "{\"range\":[1,1]}");
	refused_field("id", "{\"range\":[2,1]}");
	refused_field("id", "{\"range\":[1.5,2]}");
	refused_field("id", "{\"range\":[\"1\",\"2\"]}");
	refused_field("id", "{\"null_percentage\":101}");
	refused_field("id", "{\"strategy\":\"zipf\",\"e\":-1}");
	refused_field("id", "{\"fields\":{}}");
	refused_field("f", "{\"strategy\":\"uniform\"}");
	refused_field("f", "{\"range\":[\"a\",\"b\"]}");
	refused_field("f", "{\"strategy\":\"zipf\",\"range\":[0.1,0.9]}");
	refused_field("n", "{\"range\":[\"x\",1]}");
	refused_field("n", "{\"range\":[1,12345678901234567890123456789012345678901]}");
	refused_field("t", "{\"range\":[-1,2]}");
	refused_field("t", "{\"range\":[0,100000000]}");
	refused_field("u", "{\"strategy\":\"zipf\"}");
	refused_field("u", "{\"range\":[\"a\",\"b\"]}");
	refused_field("ts", "{\"range\":[\"2024-08-28T00:00:00\",\"2024-08-28T00:00:01\"]}");
	refused_field("ts", "{\"range\":[\"2024-08-28T00:00:00Z\",1]}");
	refused_field("dt", "{\"range\":[\"2024-13-28\",\"2024-08-28\"]}");
	refused_field("tm", "{\"range\":[-1,2]}");
	refused_field("by", "{\"range\":[-1,2]}");
	refused_field("j", "{\"strategy\":\"word\"}");
}

static bool
warned(const char *text)
{
	for (size_t i = 0; i < check.warning_count; i++)
		if (strstr(check.warnings[i], text) != NULL)
			return true;
	return false;
}

static void
test_warnings(void)
{
	IngestError error;

	column(0, "id", FORM_INT4);
	column(1, "c", FORM_BPCHAR);
	columns[1].length = 1;
	ok(check_config("{}", &error) && !check.completes_backfill && warned("neither limit nor rate"),
	   "a plan without limit and rate is worth a warning, and completes nothing");
	ok(check_config("{\"plan\":[{\"limit\":10}]}", &error) && check.completes_backfill && check.warning_count == 0,
	   "ten rows fit char(1)");
	ok(check_config("{\"plan\":[{\"limit\":11}]}", &error) && warned("outgrows"), "eleven do not");
	ok(check_config("{\"plan\":[{\"limit\":1,\"fields\":{\"c\":{\"values\":[\"ab\"]}}}]}", &error) &&
		   warned("longer than"),
	   "neither does a value of two characters");
	columns[0].not_null = true;
	ok(check_config("{\"plan\":[{\"limit\":1,\"fields\":{\"id\":{\"null_percentage\":5}}}]}", &error) &&
		   warned("NOT NULL"),
	   "nulls for a NOT NULL column");
	ok(check_config("{\"plan\":[{\"limit\":1,\"fields\":{\"id\":{\"range\":[0,3000000000]}}}]}", &error) &&
		   warned("leaves type"),
	   "a range that leaves the type");
	ok(check_config("{\"plan\":[{\"limit\":1},{\"limit\":2}]}", &error) && check.completes_backfill,
	   "two limited plans");
	ok(check_config("{\"plan\":[]}", &error) && check.completes_backfill, "no plan");
}

int
main(void)
{
	source_initialize();
	test_numbers();
	test_zipf();
	test_decimals();
	test_texts();
	test_bytes();
	test_times();
	test_determinism();
	test_plans();
	test_refusals();
	test_warnings();
	source_position_free(result.pin);
	return done_testing();
}
