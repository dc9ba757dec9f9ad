/*-------------------------------------------------------------------------
 *
 * datagen.c
 *	  The transport datagen: rows that are made up after a plan.
 *
 *	starting	the seed is drawn (or taken from the declaration) and pinned with row 0 of each plan
 *	running		plan after plan, row after row, at most "rate" rows a second
 *	ended		every plan has a limit and has reached it; the batch with the last row says so
 *
 * A row depends on the seed and on its number in its plan alone, so a restart goes on with the next number and
 * makes what would have come anyway.
 *
 * The rate is a bucket of tokens that holds one second's worth.  It is full at row 0, as in
 * Feldera, and empty where a plan is resumed, so that restarts do not add up to a higher rate.  A batch leaves when it is
 * full, when it is MAX_AGE_MS old, or when its plan ends.
 *
 * transaction_size joins batches: all but the last of so many rows ask to be kept open, and their
 * moves come with the last.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "source/datagen_internal.h"

#define MAX_AGE_MS 500
#define MAX_BATCH_ROWS 10000
#define BATCH_LIMIT ((size_t) 256 << 20)
#define MAX_SLEEP_MS 100
#define CLOCK_EVERY 256 /* rows between two looks at clock and cancel */
#define STATUS_MS 1000
#define MAX_VALUE_BYTES ((size_t) 64 << 20)
#define MAX_CHECK_MEMORY ((size_t) 64 << 20)

typedef struct Maker
{
	SourceRun *run;
	DatagenConfig config;
	uint64_t seed;
	int64_t *next_row; /* by plan */
	DatagenScratch scratch;
	int64_t rows_total; /* -1: unlimited */
	int64_t last_status_ms;
	/* the plan at work */
	int32_t plan;
	double tokens;
	int64_t filled_ms; /* when tokens were last added */
	/* the batch at work, and the transaction it belongs to */
	ChangeBatch *batch;
	int64_t begun_ms;
	int64_t transaction_rows;
	int64_t *transaction_from; /* by plan: where the moves of the open transaction begin */
} Maker;

static int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- declaration ----------------------------------------------------------- */

static bool
datagen_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights, SourceCheck *check,
			  IngestError *error)
{
	static const JsonValue nothing = {.type = JSON_TYPE_OBJECT};
	const JsonValue *config = json_get(json_get(connector, "transport"), "config");
	DatagenConfig parsed;
	Arena arena;
	bool good;

	(void) rights;
	if (json_get(connector, "format") != NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.format: datagen does not take a format");
		return ingest_hint(error, "Remove \"format\" from the connector.");
	}
	arena_init(&arena, MAX_CHECK_MEMORY);
	good = datagen_config_parse(config == NULL ? &nothing : config, target, &arena, &parsed, check, error);
	if (good)
	{
		check->completes_backfill = true;
		for (size_t i = 0; i < parsed.plan_count; i++)
			if (parsed.plans[i].limit < 0)
				check->completes_backfill = false;
	}
	arena_release(&arena);
	return good;
}

static bool
datagen_option_is_secret(const char *key)
{
	(void) key;
	return false;
}

static bool
datagen_option_keeps_position(const char *key)
{
	return strcmp(key, "plan") != 0 && strcmp(key, "seed") != 0;
}

/* ---- the position ---------------------------------------------------------- */

static SourcePosition *
make_pin(const Maker *maker)
{
	SourcePosition *pin = source_position_create();

	if (pin == NULL)
		return NULL;
	pin->pinned = true;
	pin->seed = maker->seed;
	pin->rows_total = maker->rows_total;
	/* What is stored is not said again. */
	pin->plan_count = maker->run->stored != NULL && maker->run->stored->pinned ? 0 : maker->config.plan_count;
	pin->plans = calloc(pin->plan_count + 1, sizeof(*pin->plans));
	if (pin->plans == NULL)
	{
		pin->plan_count = 0;
		source_position_free(pin);
		return NULL;
	}
	for (size_t i = 0; i < pin->plan_count; i++)
	{
		pin->plans[i].plan = (int32_t) i;
		pin->plans[i].next_row = maker->next_row[i];
	}
	return pin;
}

static bool
put_pin(Maker *maker, IngestError *error)
{
	SourcePosition *pin = make_pin(maker);

	if (pin == NULL)
		return ingest_out_of_memory(error);
	if (!maker->run->probe_only)
		return event_queue_pin(maker->run->queue, pin, error);
	return event_queue_put_pin(maker->run->queue, pin, error);
}

static bool
take_stored(Maker *maker, const SourcePosition *stored, IngestError *error)
{
	maker->seed = stored->seed;
	for (size_t i = 0; i < stored->plan_count; i++)
	{
		int32_t plan = stored->plans[i].plan;

		if (plan < 0 || (size_t) plan >= maker->config.plan_count)
			return ingest_fail(error, INGEST_ERROR_CHANGED, "the position knows of plan %d, and there are %zu plans",
							   plan, maker->config.plan_count);
		maker->next_row[plan] = stored->plans[i].next_row;
	}
	return true;
}

/* Seed and rows as stored, or as they begin; what is not stored yet is pinned. */
static bool
begin(Maker *maker, IngestError *error)
{
	const SourcePosition *stored = maker->run->stored;

	if (stored != NULL && stored->pinned)
	{
		if (!take_stored(maker, stored, error))
			return false;
		return !maker->run->probe_only || put_pin(maker, error);
	}
	maker->seed = maker->config.seed;
	if (!maker->config.has_seed && getrandom(&maker->seed, sizeof(maker->seed), 0) != sizeof(maker->seed))
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "could not draw a seed");
	return put_pin(maker, error);
}

/* ---- the rate -------------------------------------------------------------- */

static int64_t
rows_left(const Maker *maker)
{
	const DatagenPlan *plan = &maker->config.plans[maker->plan];

	return plan->limit < 0 ? INT64_MAX : plan->limit - maker->next_row[maker->plan];
}

static void
begin_plan(Maker *maker)
{
	const DatagenPlan *plan = &maker->config.plans[maker->plan];

	maker->filled_ms = clock_ms();
	maker->tokens = maker->next_row[maker->plan] == 0 ? (double) plan->rate : 0;
}

/* Rows that may be made now; INT64_MAX without a rate. */
static int64_t
rows_allowed(Maker *maker)
{
	const DatagenPlan *plan = &maker->config.plans[maker->plan];
	int64_t now;

	if (plan->rate == 0)
		return INT64_MAX;
	now = clock_ms();
	maker->tokens += (double) (now - maker->filled_ms) * (double) plan->rate / 1000;
	maker->filled_ms = now;
	if (maker->tokens > (double) plan->rate)
		maker->tokens = (double) plan->rate;
	return (int64_t) maker->tokens;
}

/* ---- batches --------------------------------------------------------------- */

static bool
ensure_batch(Maker *maker, int64_t rows, IngestError *error)
{
	const TargetTable *target = maker->run->target;
	Payload payload = {.plan = maker->plan};
	uint64_t most = rows < MAX_BATCH_ROWS ? (uint64_t) rows : MAX_BATCH_ROWS;
	uint32_t index;

	if (maker->batch != NULL)
		return true;
	maker->batch = batch_create(target, source_batch_capacity(maker->run, most), BATCH_LIMIT);
	if (maker->batch == NULL)
		return ingest_out_of_memory(error);
	maker->begun_ms = clock_ms();
	for (int i = 0; i < target->column_count; i++)
		if (!target->columns[i].generated && !batch_provide_column(maker->batch, i, error))
			return false;
	return batch_add_payload(maker->batch, &payload, &index, error);
}

static bool
add_row(Maker *maker, IngestError *error)
{
	const DatagenPlan *plan = &maker->config.plans[maker->plan];
	int64_t number = maker->next_row[maker->plan];
	uint32_t row;

	if (!batch_add_row(maker->batch, CHANGE_INSERT, 0, number, &row, error))
		return false;
	random_begin_row(&maker->scratch.random, maker->seed, number);
	for (int i = 0; i < maker->run->target->column_count; i++)
		if (!maker->run->target->columns[i].generated &&
			!datagen_set_value(&plan->fields[i], number, &maker->scratch, maker->batch, i, row, error))
			return false;
	maker->next_row[maker->plan]++;
	return true;
}

static bool
add_moves(Maker *maker, IngestError *error)
{
	for (size_t i = 0; i < maker->config.plan_count; i++)
	{
		PositionMove move = {.kind = POSITION_DATAGEN,
							 .expected = maker->transaction_from[i],
							 .next = maker->next_row[i],
							 .plan = (int32_t) i};

		if (move.expected != move.next && !batch_add_move(maker->batch, &move, error))
			return false;
		maker->transaction_from[i] = move.next;
	}
	return true;
}

/* Is nothing left to make in any plan? */
static bool
is_complete(const Maker *maker)
{
	for (size_t i = 0; i < maker->config.plan_count; i++)
		if (maker->config.plans[i].limit < 0 || maker->next_row[i] < maker->config.plans[i].limit)
			return false;
	return true;
}

/* Hand over the batch at work; it may wait for room in the queue. */
static bool
flush(Maker *maker, IngestError *error)
{
	ChangeBatch *batch = maker->batch;
	bool complete = is_complete(maker);

	if (batch == NULL)
		return true;
	maker->transaction_rows += batch->row_count;
	batch->completes_backfill = complete;
	batch->keep_open = !complete && maker->transaction_rows < maker->config.transaction_size;
	if (!batch->keep_open)
	{
		if (!add_moves(maker, error))
			return false;
		maker->transaction_rows = 0;
	}
	maker->batch = NULL;
	batch_finish(batch);
	return event_queue_put_batch(maker->run->queue, batch, error);
}

static bool
is_full(const Maker *maker)
{
	const ChangeBatch *batch = maker->batch;

	return batch->row_count >= maker->run->limits.max_batch_size || batch->row_count >= MAX_BATCH_ROWS ||
		   batch_bytes(batch) >= maker->run->limits.batch_bytes;
}

/* ---- the loop -------------------------------------------------------------- */

static bool
put_status(Maker *maker, IngestError *error)
{
	SourceEvent *event;

	if (clock_ms() - maker->last_status_ms < STATUS_MS)
		return true;
	maker->last_status_ms = clock_ms();
	event = calloc(1, sizeof(*event));
	if (event == NULL)
		return ingest_out_of_memory(error);
	event->kind = SOURCE_EVENT_STATUS;
	event->status = (SourceStatus){.rows_total = maker->rows_total, .bytes_total = -1, .lag = -1, .lag_seconds = -1};
	snprintf(event->status.doing, sizeof(event->status.doing), "making rows of plan %d", maker->plan);
	return event_queue_put(maker->run->queue, event, error);
}

/* Wait for the next token, or until the batch at work is old enough to leave. */
static bool
wait_for_token(Maker *maker, IngestError *error)
{
	double missing = (1 - maker->tokens) * 1000 / (double) maker->config.plans[maker->plan].rate;
	int64_t pause = (int64_t) missing + 1;

	if (maker->batch != NULL && clock_ms() + pause - maker->begun_ms > MAX_AGE_MS)
		return flush(maker, error);
	if (pause > MAX_SLEEP_MS)
		pause = MAX_SLEEP_MS;
	return put_status(maker, error) && event_queue_sleep(maker->run->queue, pause < 5 ? 5 : pause, error);
}

/* As many rows as are allowed, at most to the end of a batch. */
static bool
make_rows(Maker *maker, int64_t count, IngestError *error)
{
	if (!ensure_batch(maker, rows_left(maker), error))
		return false;
	for (int64_t i = 0; i < count; i++)
	{
		if (i % CLOCK_EVERY == 0 && ingest_cancelled(&maker->run->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "the source was stopped");
		if (!add_row(maker, error))
			return false;
		maker->tokens -= 1;
		if (is_full(maker))
			return put_status(maker, error) && flush(maker, error);
	}
	return clock_ms() - maker->begun_ms < MAX_AGE_MS || flush(maker, error);
}

static bool
make_plan(Maker *maker, IngestError *error)
{
	begin_plan(maker);
	while (rows_left(maker) > 0)
	{
		int64_t allowed = rows_allowed(maker);
		int64_t left = rows_left(maker);

		if (!(allowed < 1 ? wait_for_token(maker, error) : make_rows(maker, allowed < left ? allowed : left, error)))
			return false;
	}
	return flush(maker, error);
}

/* A plan list without rows to make completes all the same, once. */
static bool
complete_without_rows(Maker *maker, IngestError *error)
{
	const SourcePosition *stored = maker->run->stored;

	if (stored != NULL && stored->backfill_completed)
		return true;
	maker->batch = batch_create(maker->run->target, 1, BATCH_LIMIT);
	if (maker->batch == NULL)
		return ingest_out_of_memory(error);
	return flush(maker, error);
}

static bool
make_all(Maker *maker, IngestError *error)
{
	SourceRun *run = maker->run;
	size_t count;

	if (!datagen_config_parse(run->config, run->target, &run->arena, &maker->config, NULL, error))
		return false;
	count = maker->config.plan_count;
	maker->next_row = calloc(count + 1, sizeof(int64_t));
	maker->transaction_from = calloc(count + 1, sizeof(int64_t));
	if (maker->next_row == NULL || maker->transaction_from == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < count; i++)
		if (maker->config.plans[i].limit < 0 ||
			__builtin_add_overflow(maker->rows_total, maker->config.plans[i].limit, &maker->rows_total))
		{
			maker->rows_total = -1;
			break;
		}
	if (!begin(maker, error))
		return false;
	if (run->probe_only)
		return true;
	memcpy(maker->transaction_from, maker->next_row, count * sizeof(int64_t));
	if (is_complete(maker))
		return complete_without_rows(maker, error);
	for (maker->plan = 0; (size_t) maker->plan < count; maker->plan++)
		if (!make_plan(maker, error))
			return false;
	return true;
}

static bool
datagen_run(SourceRun *run, IngestError *error)
{
	Maker maker = {.run = run};
	bool good;

	buffer_init(&maker.scratch.text, MAX_VALUE_BYTES);
	buffer_init(&maker.scratch.literal, MAX_VALUE_BYTES);
	good = make_all(&maker, error);
	batch_free(maker.batch);
	buffer_release(&maker.scratch.text);
	buffer_release(&maker.scratch.literal);
	free(maker.next_row);
	free(maker.transaction_from);
	return good;
}

const SourceRoutine datagen_routine = {
	.transport = "datagen",
	.check = datagen_check,
	.run = datagen_run,
	.option_is_secret = datagen_option_is_secret,
	.option_keeps_position = datagen_option_keeps_position,
};
