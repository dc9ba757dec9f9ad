/*-------------------------------------------------------------------------
 *
 * source.c
 *	  Sources in general: the registry of transports, start and stop, and what
 *	  positions and events own.
 *
 * A source is one thread that runs its transport's loop (and whatever threads that
 * loop starts and joins), plus the queue to the worker.  The generic part
 * knows nothing of Kafka, Delta or plans; a transport knows nothing of threads'
 * beginning and end.
 *
 * The last event.  It is allocated at the start, because "out of memory" must
 * still be told.  A transport may put it early (source_put_last) where its
 * clean-up may hang; else the thread puts it when the loop returns.
 *
 * Stop.  source_stop marks the queue as stopped, which wakes every producer and turns the
 * cancel callback true, then joins with a deadline.  Past the deadline the memory is
 * left to the threads: the caller has to end the process with _exit.
 *
 * Signals.  Every thread is created with all signals blocked, so that the
 * server's signals always reach the worker's main thread.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/source_internal.h"

#define DEFAULT_BATCH_SIZE 10000
#define DEFAULT_QUEUED_RECORDS 1000000
#define DEFAULT_QUEUED_BYTES (INT64_C(24) << 20)

#define MAX_BATCH_SIZE 1000000
#define BATCH_BYTES_LEAST ((size_t) 256 << 10)
#define BATCH_BYTES_MOST ((size_t) 8 << 20)
#define MAX_CONNECTOR_MEMORY ((size_t) 64 << 20) /* the parsed declaration; datagen lists can be long */

struct Source
{
	SourceRun run;
	const SourceRoutine *routine;
	uintptr_t thread;
	char *connector_name;
};

/* The registry, null-terminated. */
static const SourceRoutine *const routines[] = {&datagen_routine, &delta_table_input_routine, &kafka_input_routine,
												NULL};

static const SourceRoutine *
find_routine(const char *transport)
{
	for (size_t i = 0; transport != NULL && routines[i] != NULL; i++)
		if (strcmp(routines[i]->transport, transport) == 0)
			return routines[i];
	return NULL;
}

/* The names of all transports, for hints; static memory. */
const char *
source_transport_names(void)
{
	return "datagen, delta_table_input, kafka_input";
}

/* Is this key of transport.config shown as ***?  False also for an unknown transport. */
bool
source_option_is_secret(const char *transport, const char *key)
{
	const SourceRoutine *routine = find_routine(transport);

	return routine != NULL && routine->option_is_secret(key);
}

/* May this key change while the position is kept?  False also for an unknown transport. */
bool
source_option_keeps_position(const char *transport, const char *key)
{
	const SourceRoutine *routine = find_routine(transport);

	return routine != NULL && routine->option_keeps_position(key);
}

/* ---- positions and events ------------------------------------------------ */

/* An empty position that the caller owns; null: out of memory. */
SourcePosition *
source_position_create(void)
{
	SourcePosition *position = calloc(1, sizeof(*position));

	if (position == NULL)
		return NULL;
	position->messages_passed_over = -1;
	position->backfill_end_version = -1;
	position->next_version = -1;
	position->rows_total = -1;
	position->bytes_total = -1;
	return position;
}

/* Frees the position and all it owns; null is allowed. */
void
source_position_free(SourcePosition *position)
{
	if (position == NULL)
		return;
	for (size_t i = 0; i < position->partition_count; i++)
		free(position->partitions[i].topic);
	for (size_t i = 0; i < position->file_count; i++)
		free(position->files[i].action_json);
	free(position->partitions);
	free(position->files);
	free(position->plans);
	free(position->source_identity);
	free(position->commit_identity);
	free(position->schema_json);
	free(position);
}

/* Frees the event with what it holds; null is allowed. */
void
source_event_free(SourceEvent *event)
{
	if (event == NULL)
		return;
	source_position_free(event->pin);
	batch_free(event->batch);
	free(event->status.watermarks);
	free(event->text);
	free(event);
}

/* ---- declaration --------------------------------------------------------- */

static bool
read_limits(const JsonValue *connector, SourceLimits *limits, IngestError *error)
{
	int64_t rows = DEFAULT_BATCH_SIZE;
	int64_t records = DEFAULT_QUEUED_RECORDS;
	int64_t bytes = DEFAULT_QUEUED_BYTES;

	/* Feldera's name for the limit of one of its workers serves where the other is absent: we have one. */
	if (!option_integer(connector, "$", "max_worker_batch_size", 1, INT64_MAX, &rows, error) ||
		!option_integer(connector, "$", "max_batch_size", 1, INT64_MAX, &rows, error) ||
		!option_integer(connector, "$", "max_queued_records", 1, INT64_MAX, &records, error) ||
		!option_integer(connector, "$", "max_queued_bytes", 1, INT64_MAX, &bytes, error))
		return false;
	limits->max_batch_size = rows < MAX_BATCH_SIZE ? (uint32_t) rows : MAX_BATCH_SIZE;
	limits->max_queued_records = (uint64_t) records;
	limits->max_queued_bytes = (uint64_t) bytes;
	limits->batch_bytes = bytes / 4 < (int64_t) BATCH_BYTES_LEAST  ? BATCH_BYTES_LEAST
						  : bytes / 4 > (int64_t) BATCH_BYTES_MOST ? BATCH_BYTES_MOST
																   : (size_t) bytes / 4;
	return true;
}

/* The transport's routine and configuration; where "config" is absent it is taken as empty (*config null). */
static bool
read_transport(const JsonValue *connector, const SourceRoutine **routine, const JsonValue **config, IngestError *error)
{
	static const char *const keys[] = {"name", "config", NULL};
	const JsonValue *transport = json_get(connector, "transport");
	const char *name;

	if (connector == NULL || connector->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "$: a connector must be an object");
	if (transport == NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.transport: missing");
		return ingest_hint(error, "Give {\"name\": ..., \"config\": {...}}; transports are %s.",
						   source_transport_names());
	}
	if (transport->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "$.transport: must be an object");
	if (!option_check_keys(transport, "$.transport", keys, error))
		return false;
	name = json_get_string(transport, "name");
	if (name == NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.transport.name: must be a string");
		return ingest_hint(error, "Transports are %s.", source_transport_names());
	}
	*routine = find_routine(name);
	if (*routine == NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.transport.name: unknown transport \"%.100s\"", name);
		return ingest_hint(error, "Transports are %s.", source_transport_names());
	}
	*config = json_get(transport, "config");
	if (*config != NULL && (*config)->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "$.transport.config: must be an object");
	return true;
}

/*
 * Check a connector object for what it means to its source.  "target" may be null; then
 * nothing is compared with columns.  *check is filled on success.  INVALID, or DENIED where
 * the rights do not allow an option.
 */
bool
source_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights, SourceCheck *check,
			 IngestError *error)
{
	const SourceRoutine *routine;
	const JsonValue *config;
	SourceLimits limits;

	memset(check, 0, sizeof(*check));
	if (!read_transport(connector, &routine, &config, error) || !read_limits(connector, &limits, error))
		return false;
	return routine->check(connector, target, rights, check, error);
}

/* The least that makes sense is one row; the batch grows where there are more. */
uint32_t
source_batch_capacity(const SourceRun *run, uint64_t rows)
{
	size_t row_bytes = (size_t) (run->target->column_count > 0 ? run->target->column_count : 1) *
					   (sizeof(uint64_t) + sizeof(uint8_t)); /* a value and its state */
	size_t fitting = run->limits.batch_bytes / 2 / row_bytes;

	if (rows > run->limits.max_batch_size)
		rows = run->limits.max_batch_size;
	if (rows > fitting)
		rows = fitting;
	return rows > 0 ? (uint32_t) rows : 1;
}

/* ---- threads ------------------------------------------------------------- */

/* pthread_create with all signals blocked in the new thread; join it with source_thread_join. */
bool
source_thread_create(uintptr_t *thread, void *(*start)(void *), void *argument, IngestError *error)
{
	sigset_t all;
	sigset_t previous;
	pthread_t created;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &previous);
	result = pthread_create(&created, NULL, start, argument);
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	if (result != 0)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "could not start a thread: %s", strerror(result));
	*thread = (uintptr_t) created;
	return true;
}

/* Wait for the thread's end. */
void
source_thread_join(uintptr_t thread)
{
	pthread_join((pthread_t) thread, NULL);
}

/* Put the last event, once; see the door. */
void
source_put_last(SourceRun *run, const IngestError *error)
{
	SourceEvent *event = run->last_event;
	IngestError ignored;

	if (event == NULL)
		return;
	run->last_event = NULL;
	event->kind = error == NULL ? SOURCE_EVENT_FINISHED : SOURCE_EVENT_FAILED;
	if (error != NULL)
		event->error = *error;
	/* Refused only when the queue is stopped: then nobody listens. */
	ingest_error_clear(&ignored);
	if (!event_queue_put(run->queue, event, &ignored))
		return;
}

static void *
source_main(void *argument)
{
	Source *source = argument;
	IngestError error;
	bool done;

	ingest_error_clear(&error);
	done = source->routine->run(&source->run, &error);
	source_put_last(&source->run, done ? NULL : &error);
	return NULL;
}

static bool
source_is_cancelled(void *state)
{
	return event_queue_is_stopped(state);
}

/* ---- start and stop ------------------------------------------------------ */

/* Frees everything; the thread must be gone. */
static void
source_free(Source *source)
{
	if (source == NULL)
		return;
	event_queue_free(source->run.queue);
	source_position_free(source->run.stored);
	source_event_free(source->run.last_event);
	arena_release(&source->run.arena);
	free(source->connector_name);
	free(source);
}

/* Parse a copy of the connector into the run's arena, and read what every source has. */
static bool
prepare_run(Source *source, const SourceConfig *config, IngestError *error)
{
	static const JsonValue empty = {.type = JSON_TYPE_OBJECT};
	SourceRun *run = &source->run;
	JsonValue *connector;

	source->connector_name = strdup(config->connector_name);
	run->last_event = calloc(1, sizeof(*run->last_event));
	if (source->connector_name == NULL || run->last_event == NULL)
		return ingest_out_of_memory(error);
	if (!json_parse(config->connector_json, strlen(config->connector_json), &run->arena, &connector, error) ||
		!read_transport(connector, &source->routine, &run->config, error) ||
		!read_limits(connector, &run->limits, error))
		return false;
	if (run->config == NULL)
		run->config = &empty;
	run->connector = connector;
	run->connector_name = source->connector_name;
	run->target = config->target;
	run->rights = config->rights;
	run->probe_only = config->probe_only;
	run->queue = event_queue_create(&run->limits);
	if (run->queue == NULL)
		return ingest_out_of_memory(error);
	run->cancel.cancelled = source_is_cancelled;
	run->cancel.state = run->queue;
	return true;
}

/*
 * Start reading.  "stored" (null: nothing stored yet) is taken over in any case.
 * Errors: INVALID (the declaration), OUT_OF_MEMORY, TRANSIENT (no thread).  Whatever the
 * network answers comes as an event.
 */
bool
source_start(const SourceConfig *config, SourcePosition *stored, Source **out, IngestError *error)
{
	Source *source = calloc(1, sizeof(*source));

	*out = NULL;
	if (source == NULL)
	{
		source_position_free(stored);
		return ingest_out_of_memory(error);
	}
	source->run.stored = stored;
	arena_init(&source->run.arena, MAX_CONNECTOR_MEMORY);
	if (!prepare_run(source, config, error) || !source_thread_create(&source->thread, source_main, source, error))
	{
		source_free(source);
		return false;
	}
	*out = source;
	return true;
}

/* Readable while an event waits; the source's own. */
int
source_wakeup_fd(const Source *source)
{
	return event_queue_fd(source->run.queue);
}

/* The oldest event, which the caller then owns; null where none waits.  Never blocks. */
SourceEvent *
source_next_event(Source *source)
{
	return event_queue_take(source->run.queue);
}

/* The oldest unacknowledged pin is committed: what waited for it goes on. */
void
source_acknowledge_pin(Source *source)
{
	event_queue_acknowledge(source->run.queue);
}

/*
 * Stop and join, then free.  False: the threads did not end by the deadline; then
 * nothing is freed and the process must end by _exit.  Null is allowed.
 */
bool
source_stop(Source *source, int deadline_ms)
{
	struct timespec until;

	if (source == NULL)
		return true;
	event_queue_stop(source->run.queue);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += deadline_ms / 1000;
	until.tv_nsec += (long) (deadline_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000)
	{
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_clockjoin_np((pthread_t) source->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	source_free(source);
	return true;
}
