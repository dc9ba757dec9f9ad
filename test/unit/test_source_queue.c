/*-------------------------------------------------------------------------
 *
 * test_source_queue.c
 *	  The event queue: order, bounds, pins, stop.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "source/source_internal.h"
#include "unit/tap.h"

static ColumnTarget column = {.name = "a", .type_name = "integer", .form = FORM_INT4};
static TargetTable target = {.name = "public.t", .column_count = 1, .columns = &column, .utf8 = true};

static ChangeBatch *
make_batch(uint32_t rows)
{
	ChangeBatch *batch = batch_create(&target, rows + 1, (size_t) 64 << 20);
	IngestError error;
	uint32_t row;

	for (uint32_t i = 0; batch != NULL && i < rows; i++)
		if (!batch_add_row(batch, CHANGE_INSERT, 0, i, &row, &error))
			return NULL;
	return batch;
}

static bool
readable(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, 0) == 1;
}

static EventQueue *
make_queue(uint64_t records)
{
	SourceLimits limits = {.max_batch_size = 10, .max_queued_records = records, .max_queued_bytes = 1 << 30};

	return event_queue_create(&limits);
}

typedef struct Producer
{
	EventQueue *queue;
	int count;
	uint32_t rows;
	atomic_int put;
	bool pin;
	bool result;
	IngestError error;
} Producer;

static void *
produce(void *argument)
{
	Producer *producer = argument;

	ingest_error_clear(&producer->error);
	if (producer->pin)
	{
		producer->result = event_queue_pin(producer->queue, source_position_create(), &producer->error);
		return NULL;
	}
	for (int i = 0; i < producer->count; i++)
	{
		producer->result = event_queue_put_batch(producer->queue, make_batch(producer->rows), &producer->error);
		if (!producer->result)
			break;
		producer->put++;
	}
	return NULL;
}

/* Long enough for a thread that could go on to do so; only used to see that it did not. */
static void
give_time(void)
{
	usleep(50000);
}

static void
test_order_and_wakeup(void)
{
	EventQueue *queue = make_queue(1000);
	IngestError error;
	SourceEvent *event;

	ok(!readable(event_queue_fd(queue)), "an empty queue is not readable");
	ok(event_queue_take(queue) == NULL, "and gives nothing");
	ok(event_queue_put_log(queue, SOURCE_LOG_INFO, &error, "number %d", 1), "a line is put");
	ok(event_queue_put_batch(queue, make_batch(3), &error), "a batch is put");
	ok(readable(event_queue_fd(queue)), "readable while events wait");
	event = event_queue_take(queue);
	is_text(event->text, "number 1", "the line comes first");
	source_event_free(event);
	ok(readable(event_queue_fd(queue)), "still readable with one event left");
	event = event_queue_take(queue);
	ok(event->kind == SOURCE_EVENT_BATCH && event->batch->row_count == 3, "the batch comes second");
	source_event_free(event);
	ok(!readable(event_queue_fd(queue)), "not readable once empty");
	event_queue_free(queue);
}

static void
test_bound(void)
{
	Producer producer = {.queue = make_queue(10), .count = 5, .rows = 4};
	pthread_t thread;
	int taken = 0;

	pthread_create(&thread, NULL, produce, &producer);
	while (producer.put < 2)
		usleep(1000);
	give_time();
	is_int(producer.put, 2, "a third batch of 4 rows waits at a limit of 10");
	while (taken < 5)
	{
		SourceEvent *event = event_queue_take(producer.queue);

		taken += event != NULL;
		source_event_free(event);
	}
	pthread_join(thread, NULL);
	is_int(producer.put, 5, "all pass once there is room");
	event_queue_free(producer.queue);
}

static void
test_oversized(void)
{
	EventQueue *queue = make_queue(2);
	IngestError error;

	ok(event_queue_put_batch(queue, make_batch(50), &error), "a batch above the limit passes into an empty queue");
	event_queue_free(queue);
}

static void
test_coalescing(void)
{
	EventQueue *queue = make_queue(10);
	IngestError error;
	int events = 0;
	SourceEvent *event;
	int64_t lag = 0;
	bool reported = false;

	for (int i = 0; i < 100; i++)
	{
		event = calloc(1, sizeof(*event));
		event->kind = SOURCE_EVENT_STATUS;
		event->status.lag = i;
		if (!event_queue_put(queue, event, &error))
			break;
	}
	while ((event = event_queue_take(queue)) != NULL)
	{
		events++;
		lag = event->status.lag;
		source_event_free(event);
	}
	is_int(events, 1, "waiting statuses become one");
	is_int(lag, 99, "the newest");

	for (int i = 0; i < 5000; i++)
		if (!event_queue_put_log(queue, SOURCE_LOG_DEBUG, &error, "line %d", i))
			break;
	for (events = 0; (event = event_queue_take(queue)) != NULL; events++)
	{
		reported |= strstr(event->text, "4000 log lines") != NULL;
		source_event_free(event);
	}
	is_int(events, 1001, "a flood of lines is cut");
	ok(reported, "and what was cut is counted in a line");
	event_queue_free(queue);
}

static void
test_pin(void)
{
	Producer producer = {.queue = make_queue(10), .pin = true};
	pthread_t thread;
	SourceEvent *event;

	pthread_create(&thread, NULL, produce, &producer);
	while ((event = event_queue_take(producer.queue)) == NULL)
		usleep(1000);
	ok(event->kind == SOURCE_EVENT_PIN, "the pin arrives");
	source_event_free(event);
	event_queue_acknowledge(producer.queue);
	pthread_join(thread, NULL);
	ok(producer.result, "the pin's producer goes on after the acknowledgement");
	event_queue_free(producer.queue);

	producer = (Producer){.queue = make_queue(10), .pin = true};
	pthread_create(&thread, NULL, produce, &producer);
	give_time();
	event_queue_stop(producer.queue);
	pthread_join(thread, NULL);
	ok(!producer.result && producer.error.kind == INGEST_ERROR_CANCELLED, "stop fails an unacknowledged pin");
	event_queue_free(producer.queue);
}

static void
test_stop(void)
{
	Producer producer = {.queue = make_queue(1), .count = 2, .rows = 4};
	pthread_t thread;
	IngestError error;

	pthread_create(&thread, NULL, produce, &producer);
	while (producer.put < 1)
		usleep(1000);
	event_queue_stop(producer.queue);
	pthread_join(thread, NULL);
	ok(!producer.result && producer.error.kind == INGEST_ERROR_CANCELLED, "stop wakes a producer that waits for room");
	ok(event_queue_is_stopped(producer.queue), "and is seen");
	ok(!event_queue_sleep(producer.queue, 60000, &error), "sleep ends at once in a stopped queue");
	event_queue_free(producer.queue);
}

int
main(void)
{
	IngestError error;
	EventQueue *queue = make_queue(1);

	test_order_and_wakeup();
	test_bound();
	test_oversized();
	test_coalescing();
	test_pin();
	test_stop();
	ok(event_queue_sleep(queue, 10, &error), "sleep returns true when its time is over");
	event_queue_free(queue);
	return done_testing();
}
