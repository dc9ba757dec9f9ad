/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The bounded event queue between a source's threads and the worker.
 *
 * Any number of producers (the source's threads), one consumer (the worker's
 * main thread).  Events leave in the order they came.
 *
 * Bounds.  Only batches wait for room: a batch enters when what is queued plus
 * itself stays within max_queued_records and max_queued_bytes, or when no other
 * batch is queued, so that a batch larger than the limits still passes.  What
 * the consumer has taken counts no longer: the batch being applied comes on top.
 * Status, log, pin and last events never wait.  They stay small all the same
 * while the consumer is busy for long: a status replaces the status at the tail,
 * and of log lines at most MAX_QUEUED_LOGS wait, the others are counted and the
 * count is reported in a line of its own.
 *
 * Wake-up.  An eventfd is readable exactly while an event waits; it is written
 * when the queue stops being empty and read when it becomes empty, both under
 * the lock, so that the two never disagree.
 *
 * Lock.  One mutex covers everything but "stopped", which is atomic as well, so
 * that long work may poll it for nothing.  No call out of this file is made
 * while the mutex is held, but for free().
 *
 * Pins.  Each pin takes a number; event_queue_pin returns once as many
 * acknowledgements came as pins were put.  Pins are acknowledged in order,
 * because events are taken in order.
 *
 * Stop is final: every producer, waiting or not, fails with CANCELLED from then
 * on, and what it was putting is freed.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "source/source_internal.h"

#define MAX_QUEUED_LOGS 1000

struct EventQueue
{
	pthread_mutex_t lock;
	pthread_cond_t changed; /* room, acknowledgement, stop */
	SourceLimits limits;
	int fd;
	SourceEvent *head;
	SourceEvent *tail;
	int batches;
	uint64_t records;
	uint64_t bytes;
	int logs;
	uint64_t logs_dropped;
	uint64_t pins_put;
	uint64_t pins_acknowledged;
	atomic_bool stopped;
};

/* ---- life ---------------------------------------------------------------- */

/* All waits measure by the monotonic clock: a clock set back must not stop a source. */
static bool
init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	bool done;

	if (pthread_condattr_init(&attributes) != 0)
		return false;
	done =
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 && pthread_cond_init(condition, &attributes) == 0;
	pthread_condattr_destroy(&attributes);
	return done;
}

/* A new empty queue that the caller owns; null: out of memory or descriptors. */
EventQueue *
event_queue_create(const SourceLimits *limits)
{
	EventQueue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	queue->limits = *limits;
	queue->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->fd < 0)
	{
		free(queue);
		return NULL;
	}
	if (!init_condition(&queue->changed))
	{
		close(queue->fd);
		free(queue);
		return NULL;
	}
	pthread_mutex_init(&queue->lock, NULL);
	return queue;
}

/* Frees what is still queued.  No thread may use the queue any more; null is allowed. */
void
event_queue_free(EventQueue *queue)
{
	if (queue == NULL)
		return;
	while (queue->head != NULL)
	{
		SourceEvent *event = queue->head;

		queue->head = event->next;
		source_event_free(event);
	}
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->changed);
	close(queue->fd);
	free(queue);
}

/* Readable while an event waits; the queue's own. */
int
event_queue_fd(const EventQueue *queue)
{
	return queue->fd;
}

/* ---- putting ------------------------------------------------------------- */

static bool
stopped_error(IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CANCELLED, "the source was stopped");
}

static uint64_t
batch_records(const ChangeBatch *batch)
{
	return (uint64_t) batch->row_count + batch->bad_count;
}

/* Caller holds the lock. */
static bool
has_room(const EventQueue *queue, uint64_t records, uint64_t bytes)
{
	if (queue->batches == 0)
		return true;
	return records <= queue->limits.max_queued_records &&
		   queue->records <= queue->limits.max_queued_records - records && bytes <= queue->limits.max_queued_bytes &&
		   queue->bytes <= queue->limits.max_queued_bytes - bytes;
}

/* Append and wake the consumer.  Caller holds the lock. */
static void
append(EventQueue *queue, SourceEvent *event)
{
	event->next = NULL;
	if (queue->tail != NULL)
		queue->tail->next = event;
	else
	{
		queue->head = event;
		/* Fails only when the counter would overflow, which one write after each emptying cannot do. */
		(void) !eventfd_write(queue->fd, 1);
	}
	queue->tail = event;
}

/* Put the figures of "event" in the place of an older status at the tail.  Caller holds the lock. */
static bool
replace_status_at_tail(EventQueue *queue, SourceEvent *event)
{
	SourceStatus older;

	if (event->kind != SOURCE_EVENT_STATUS || queue->tail == NULL || queue->tail->kind != SOURCE_EVENT_STATUS)
		return false;
	older = queue->tail->status;
	queue->tail->status = event->status;
	event->status = older;
	return true;
}

/*
 * Put an event, which is taken over in any case.  A batch waits for room.  False
 * (CANCELLED): the queue was stopped.
 */
bool
event_queue_put(EventQueue *queue, SourceEvent *event, IngestError *error)
{
	bool is_batch = event->kind == SOURCE_EVENT_BATCH;
	uint64_t records = is_batch ? batch_records(event->batch) : 0;
	uint64_t bytes = is_batch ? batch_bytes(event->batch) : 0;
	bool stopped;
	bool unused = false;

	pthread_mutex_lock(&queue->lock);
	while (is_batch && !queue->stopped && !has_room(queue, records, bytes))
		pthread_cond_wait(&queue->changed, &queue->lock);
	stopped = queue->stopped;
	if (stopped)
		unused = true;
	else if (replace_status_at_tail(queue, event))
		unused = true;
	else if (event->kind == SOURCE_EVENT_LOG && queue->logs >= MAX_QUEUED_LOGS)
	{
		queue->logs_dropped++;
		unused = true;
	}
	else
	{
		queue->batches += is_batch;
		queue->records += records;
		queue->bytes += bytes;
		queue->logs += event->kind == SOURCE_EVENT_LOG;
		queue->pins_put += event->kind == SOURCE_EVENT_PIN;
		append(queue, event);
	}
	pthread_mutex_unlock(&queue->lock);

	if (unused)
		source_event_free(event);
	return stopped ? stopped_error(error) : true;
}

static SourceEvent *
new_event(SourceEventKind kind, IngestError *error)
{
	SourceEvent *event = calloc(1, sizeof(*event));

	if (event == NULL)
		ingest_out_of_memory(error);
	else
		event->kind = kind;
	return event;
}

/* Put a finished batch, which is taken over in any case. */
bool
event_queue_put_batch(EventQueue *queue, ChangeBatch *batch, IngestError *error)
{
	SourceEvent *event = new_event(SOURCE_EVENT_BATCH, error);

	if (event == NULL)
	{
		batch_free(batch);
		return false;
	}
	event->batch = batch;
	return event_queue_put(queue, event, error);
}

/* Put a log line.  False: stopped, or out of memory. */
bool
event_queue_put_log(EventQueue *queue, SourceLogLevel level, IngestError *error, const char *format, ...)
{
	SourceEvent *event = new_event(SOURCE_EVENT_LOG, error);
	va_list arguments;
	int length;

	if (event == NULL)
		return false;
	event->level = level;
	va_start(arguments, format);
	length = vasprintf(&event->text, format, arguments);
	va_end(arguments);
	if (length < 0)
	{
		event->text = NULL;
		source_event_free(event);
		return ingest_out_of_memory(error);
	}
	return event_queue_put(queue, event, error);
}

/* ---- taking -------------------------------------------------------------- */

/* The line that stands for dropped ones takes the place of the line just taken.  Caller holds the lock. */
static void
report_dropped_logs(EventQueue *queue)
{
	SourceEvent *event;

	if (queue->logs_dropped == 0)
		return;
	event = calloc(1, sizeof(*event));
	if (event == NULL)
		return;
	event->kind = SOURCE_EVENT_LOG;
	event->level = SOURCE_LOG_WARNING;
	if (asprintf(&event->text, "%llu log lines of the source were dropped, because too many waited",
				 (unsigned long long) queue->logs_dropped) < 0)
	{
		free(event);
		return;
	}
	queue->logs_dropped = 0;
	queue->logs++;
	append(queue, event);
}

/* The oldest event, which the caller then owns; null where none waits.  Never blocks. */
SourceEvent *
event_queue_take(EventQueue *queue)
{
	SourceEvent *event;

	pthread_mutex_lock(&queue->lock);
	event = queue->head;
	if (event != NULL)
	{
		queue->head = event->next;
		if (queue->head == NULL)
		{
			eventfd_t count;

			queue->tail = NULL;
			(void) !eventfd_read(queue->fd, &count);
		}
		event->next = NULL;
		if (event->kind == SOURCE_EVENT_BATCH)
		{
			queue->batches--;
			queue->records -= batch_records(event->batch);
			queue->bytes -= batch_bytes(event->batch);
			pthread_cond_broadcast(&queue->changed);
		}
		else if (event->kind == SOURCE_EVENT_LOG)
		{
			queue->logs--;
			if (queue->logs < MAX_QUEUED_LOGS / 2)
				report_dropped_logs(queue);
		}
	}
	pthread_mutex_unlock(&queue->lock);
	return event;
}

/* ---- pins ---------------------------------------------------------------- */

/*
 * Put the pin (taken over in any case) and wait until it is acknowledged.  False:
 * stopped meanwhile, or out of memory.
 */
bool
event_queue_put_pin(EventQueue *queue, SourcePosition *pin, IngestError *error)
{
	SourceEvent *event = new_event(SOURCE_EVENT_PIN, error);

	if (event == NULL)
	{
		source_position_free(pin);
		return false;
	}
	event->pin = pin;
	return event_queue_put(queue, event, error);
}

bool
event_queue_pin(EventQueue *queue, SourcePosition *pin, IngestError *error)
{
	bool acknowledged;

	if (!event_queue_put_pin(queue, pin, error))
		return false;

	pthread_mutex_lock(&queue->lock);
	while (!queue->stopped && queue->pins_acknowledged < queue->pins_put)
		pthread_cond_wait(&queue->changed, &queue->lock);
	acknowledged = queue->pins_acknowledged >= queue->pins_put;
	pthread_mutex_unlock(&queue->lock);
	return acknowledged ? true : stopped_error(error);
}

/* The oldest pin not yet acknowledged is committed. */
void
event_queue_acknowledge(EventQueue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->pins_acknowledged < queue->pins_put)
		queue->pins_acknowledged++;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* ---- stopping ------------------------------------------------------------ */

/* Wake all producers and fail them, now and for ever. */
void
event_queue_stop(EventQueue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* Was event_queue_stop called?  Takes no lock. */
bool
event_queue_is_stopped(EventQueue *queue)
{
	return atomic_load_explicit(&queue->stopped, memory_order_relaxed);
}

/* Sleep up to "milliseconds"; false (CANCELLED) as soon as the queue is stopped. */
bool
event_queue_sleep(EventQueue *queue, int64_t milliseconds, IngestError *error)
{
	struct timespec until;
	bool stopped;

	if (milliseconds < 0)
		milliseconds = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += (milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000)
	{
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&queue->lock);
	while (!queue->stopped)
		if (pthread_cond_timedwait(&queue->changed, &queue->lock, &until) == ETIMEDOUT)
			break;
	stopped = queue->stopped;
	pthread_mutex_unlock(&queue->lock);
	return stopped ? stopped_error(error) : true;
}
