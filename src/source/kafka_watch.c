/*-------------------------------------------------------------------------
 *
 * kafka_watch.c
 *	  A thread beside the reading one, which may wait for brokers without holding
 *	  up the messages.
 *
 *	always			errors and log lines of librdkafka
 *	every second	a STATUS: watermarks, lag, age of what was read last; the trouble, where no broker answers
 *	every 2 s		the watermarks of all partitions
 *	every 3 s		each topic's partitions
 *	every 25 ms		a wake-up, while much waits to be read
 *
 * The wake-up.  When librdkafka's queue is full its broker threads go to sleep, and before version 2.2 (which has
 * fetch.queue.backoff.ms) for up to a second, in which a fast reader empties the queue many times over.
 * Any request wakes them; the one for the high watermarks goes to each leader and is small.
 *
 * What an assigned consumer would never notice is noticed here: a topic that was deleted
 * (NOT_FOUND), one that was created anew and is shorter than the position (CHANGED), one that has
 * gained partitions ("added", which the reading thread acts upon).  One answer alone proves
 * none of these, since brokers answer strangely for a moment when leaders change: it has to be heard
 * CONFIRMATIONS times in a row.
 *
 * Shared state: partitions are added under their lock and never freed; their
 * figures are atomic.  "error" is written before "failed" is set and read after it was seen.
 * The thread is stopped while the reading thread asks questions of its own.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/kafka_internal.h"

#define SERVE_MS 200
#define STATUS_MS 1000
#define WATERMARK_MS 2000
#define TOPIC_MS 3000
#define QUESTION_MS 2000
#define WAKE_UP_MS 25
#define WAKE_UP_LAG 100
#define CONFIRMATIONS 3

/* What this thread remembers from one look to the next. */
typedef struct Memory
{
	int missing;  /* looks in a row that found a topic missing */
	int beyond;   /* looks in a row that found a position above its end */
	int silences; /* questions in a row without an answer */
} Memory;

/* ---- status ---------------------------------------------------------------- */

static int64_t
wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A copy of the array, so that no lock is held over questions; null: out of memory. */
static KafkaPartition **
copy_partitions(KafkaPartitions *partitions, size_t *count)
{
	KafkaPartition **copy;

	pthread_mutex_lock(&partitions->lock);
	*count = partitions->count;
	copy = malloc((partitions->count + 1) * sizeof(*copy));
	if (copy != NULL && partitions->count > 0)
		memcpy(copy, partitions->items, partitions->count * sizeof(*copy));
	pthread_mutex_unlock(&partitions->lock);
	return copy;
}

static void
fill_status(const KafkaReader *reader, KafkaPartition *const *partitions, size_t count, SourceStatus *status)
{
	int64_t now = wall_clock_ms();
	int64_t lag = 0;
	double seconds = -1;

	for (size_t i = 0; i < count; i++)
	{
		const KafkaPartition *partition = partitions[i];
		SourceWatermark *watermark = &status->watermarks[i];
		int64_t next = partition->next;
		int64_t high = partition->high;
		int64_t newest = partition->newest_timestamp_ms;

		snprintf(watermark->topic, sizeof(watermark->topic), "%s", partition->topic);
		watermark->partition = partition->number;
		watermark->low = partition->low;
		watermark->high = high;
		if (high <= next)
			continue;
		lag += high - next;
		if (newest >= 0 && (double) (now - newest) / 1000 > seconds)
			seconds = (double) (now - newest) / 1000;
	}
	status->watermark_count = count;
	status->rows_total = -1;
	status->bytes_total = -1;
	status->lag = lag;
	status->lag_seconds = lag == 0 ? 0 : seconds;
	if (reader->client.unreachable)
	{
		snprintf(status->doing, sizeof(status->doing), "no broker can be reached for %" PRId64 " s, trying again",
				 (kafka_clock_ms() - reader->client.unreachable_since_ms) / 1000);
		snprintf(status->trouble, sizeof(status->trouble), "no Kafka broker can be reached: %s", reader->client.reason);
	}
	else
		snprintf(status->doing, sizeof(status->doing), lag > 0 ? "reading messages" : "waiting for messages");
}

static bool
put_status(KafkaReader *reader, IngestError *error)
{
	SourceEvent *event = calloc(1, sizeof(*event));
	size_t count;
	KafkaPartition **partitions = copy_partitions(&reader->partitions, &count);

	if (event != NULL)
		event->status.watermarks = calloc(count + 1, sizeof(SourceWatermark));
	if (event == NULL || partitions == NULL || event->status.watermarks == NULL)
	{
		free(partitions);
		source_event_free(event);
		return ingest_out_of_memory(error);
	}
	event->kind = SOURCE_EVENT_STATUS;
	fill_status(reader, partitions, count, &event->status);
	free(partitions);
	return event_queue_put(reader->run->queue, event, error);
}

/* ---- questions ------------------------------------------------------------- */

/* An answer of any kind shows that a broker is there; two silences in a row that none is. */
static bool
note_answer(KafkaReader *reader, Memory *memory, const IngestError *answer, IngestError *error)
{
	if (answer->kind != INGEST_ERROR_TRANSIENT)
	{
		memory->silences = 0;
		return kafka_client_reachable(&reader->client, error);
	}
	if (++memory->silences >= 2)
		kafka_client_unreachable(&reader->client, answer->message);
	return true;
}

/* "before" holds what came next when the question was asked: reading has gone on since. */
static bool
check_positions(KafkaPartition *const *partitions, const int64_t *before, size_t count, Memory *memory,
				IngestError *error)
{
	for (size_t i = 0; i < count; i++)
	{
		KafkaPartition *partition = partitions[i];

		if (before[i] <= partition->high)
		{
			if (partition->high < partition->next)
				partition->high = partition->next;
			continue;
		}
		if (++memory->beyond < CONFIRMATIONS)
			return true;
		ingest_fail(error, INGEST_ERROR_CHANGED,
					"topic \"%s\" partition %d ends at offset %" PRId64 ", and the position is %" PRId64
					": the topic was created anew, or its log was cut",
					partition->topic, partition->number, (int64_t) partition->high, before[i]);
		return ingest_hint(error, "Set a new position with feldera.set_offset, or begin anew with "
								  "feldera.reset_connector.");
	}
	memory->beyond = 0;
	return true;
}

static bool
look_at_watermarks(KafkaReader *reader, Memory *memory, IngestError *error)
{
	size_t count;
	KafkaPartition **partitions = copy_partitions(&reader->partitions, &count);
	int64_t *before = malloc((count + 1) * sizeof(*before));
	IngestError answer;
	bool good;

	if (partitions == NULL || before == NULL)
	{
		free(partitions);
		free(before);
		return ingest_out_of_memory(error);
	}
	for (size_t i = 0; i < count; i++)
		before[i] = partitions[i]->next;
	ingest_error_clear(&answer);
	good = kafka_client_watermarks(&reader->client, partitions, count, QUESTION_MS, &answer);
	/* A partition without a leader is no silence of the brokers; the look at the topics judges it. */
	if (good || answer.kind == INGEST_ERROR_TRANSIENT)
		good = note_answer(reader, memory, &answer, error) &&
			   (!good || check_positions(partitions, before, count, memory, error));
	else
		good = true;
	free(partitions);
	free(before);
	return good;
}

static size_t
count_of_topic(KafkaPartitions *partitions, const char *topic)
{
	size_t count = 0;

	pthread_mutex_lock(&partitions->lock);
	for (size_t i = 0; i < partitions->count; i++)
		count += strcmp(partitions->items[i]->topic, topic) == 0;
	pthread_mutex_unlock(&partitions->lock);
	return count;
}

/* One topic: gone, grown, or as before. *missing counts the topics that do not exist. */
static bool
look_at_topic(KafkaReader *reader, const char *topic, Memory *memory, int *missing, IngestError *error)
{
	const KafkaConfig *config = &reader->config;
	IngestError answer;
	int32_t count = 0;

	ingest_error_clear(&answer);
	if (kafka_client_partition_count(&reader->client, topic, QUESTION_MS, &count, &answer))
	{
		if (config->partition_count == 0 && !config->stop_at_end &&
			(size_t) count > count_of_topic(&reader->partitions, topic))
			reader->watch.added = true;
	}
	else if (answer.kind == INGEST_ERROR_NOT_FOUND)
	{
		if (memory->missing + 1 >= CONFIRMATIONS)
		{
			*error = answer;
			return false;
		}
		(*missing)++;
	}
	else if (answer.kind != INGEST_ERROR_TRANSIENT)
	{
		*error = answer;
		return false;
	}
	return note_answer(reader, memory, &answer, error);
}

static bool
look_at_topics(KafkaReader *reader, Memory *memory, IngestError *error)
{
	int missing = 0;

	for (size_t i = 0; i < reader->config.topic_count && !reader->watch.stop; i++)
		if (!look_at_topic(reader, reader->config.topics[i], memory, &missing, error))
			return false;
	memory->missing = missing > 0 ? memory->missing + 1 : 0;
	return true;
}

/* Wake librdkafka's broker threads.  Whether the question is answered does not matter here. */
static bool
wake_up(KafkaReader *reader, IngestError *error)
{
	size_t count;
	KafkaPartition **partitions = copy_partitions(&reader->partitions, &count);
	IngestError ignored;

	if (partitions == NULL)
		return ingest_out_of_memory(error);
	ingest_error_clear(&ignored);
	(void) !kafka_client_high_watermarks(&reader->client, partitions, count, QUESTION_MS, &ignored);
	free(partitions);
	return true;
}

static bool
has_backlog(KafkaReader *reader)
{
	int64_t lag = 0;

	if (!reader->client.needs_wake_up || reader->client.unreachable_since_ms != 0)
		return false;
	pthread_mutex_lock(&reader->partitions.lock);
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		const KafkaPartition *partition = reader->partitions.items[i];

		if (partition->high > partition->next)
			lag += partition->high - partition->next;
	}
	pthread_mutex_unlock(&reader->partitions.lock);
	return lag > WAKE_UP_LAG;
}

/* ---- the thread ------------------------------------------------------------ */

static bool
is_due(int64_t *last, int64_t interval)
{
	int64_t now = kafka_clock_ms();

	if (now - *last < interval)
		return false;
	*last = now;
	return true;
}

static bool
watch(KafkaReader *reader, IngestError *error)
{
	Memory memory = {0};
	int64_t last_status = 0;
	int64_t last_watermarks = kafka_clock_ms();
	int64_t last_topics = kafka_clock_ms();

	while (!reader->watch.stop && !event_queue_is_stopped(reader->run->queue))
	{
		bool backlog = has_backlog(reader);

		if (!kafka_client_serve(&reader->client, backlog ? WAKE_UP_MS : SERVE_MS, error))
			return false;
		if (backlog && !wake_up(reader, error))
			return false;
		if (is_due(&last_status, STATUS_MS) && !put_status(reader, error))
			return false;
		if (is_due(&last_watermarks, WATERMARK_MS) && !look_at_watermarks(reader, &memory, error))
			return false;
		if (is_due(&last_topics, TOPIC_MS) && !look_at_topics(reader, &memory, error))
			return false;
	}
	return true;
}

static void *
watch_main(void *argument)
{
	KafkaReader *reader = argument;

	ingest_error_clear(&reader->watch.error);
	if (!watch(reader, &reader->watch.error))
		reader->watch.failed = true;
	return NULL;
}

/* Start the thread; nothing where it runs. */
bool
kafka_watch_start(KafkaReader *reader, IngestError *error)
{
	if (reader->watch.started)
		return true;
	reader->watch.stop = false;
	reader->watch.started = source_thread_create(&reader->watch.thread, watch_main, reader, error);
	return reader->watch.started;
}

/* Stop and join it; waits for the question it asks, if any. */
void
kafka_watch_stop(KafkaReader *reader)
{
	if (!reader->watch.started)
		return;
	reader->watch.stop = true;
	source_thread_join(reader->watch.thread);
	reader->watch.started = false;
}
