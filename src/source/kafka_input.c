/*-------------------------------------------------------------------------
 *
 * kafka_input.c
 *	  The transport kafka_input: its check at declaration, and its loop.
 *
 *	opening		brokers, topics, watermarks; the start as numbers; the pin, acknowledged
 *	reading		messages are decoded and handed over in batches, on this thread
 *	ended		enable.partition.eof: every partition has reached its pinned end
 *	failed		with librdkafka's words and the position
 *
 * Exactly once rests on three things.  Offsets live in the database only: librdkafka neither
 * commits nor stores any.  It runs with auto.offset.reset=error, so it never moves by itself: a
 * position it cannot read comes back as an error and is judged here.  And each partition's "next" is
 * computed from the offsets of messages and of end-of-partition events alone; what is below it was seen and is
 * dropped, so that a new assignment can neither repeat nor skip.
 *
 * "Next" follows the end-of-partition event too: behind the last visible message there may be
 * control records and aborted messages, which would else look like a lag for ever.
 *
 * The watch (kafka_watch.c) runs beside; it is stopped for the rare moments in which this thread asks
 * questions itself.  The last event is put before the handle is destroyed, because
 * librdkafka may hang there when a topic has vanished.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/kafka_internal.h"

#define FLUSH_AGE_MS 100 /* a message waits no longer for company */
#define POLL_MS 100
#define CLOCK_EVERY 64 /* messages between two looks at the clock */
#define MAX_RESETS 5   /* out-of-range answers for positions that are in range */
#define RESET_PAUSE_MS 1000

#define MAX_CHECK_MEMORY ((size_t) 16 << 20)

/* ---- declaration ----------------------------------------------------------- */

static bool
check_properties(const JsonValue *config, const SourceRights *rights, IngestError *error)
{
	rd_kafka_conf_t *properties = rd_kafka_conf_new();
	bool good = kafka_properties_set(config, rights, properties, error);

	rd_kafka_conf_destroy(properties);
	return good;
}

static bool
check_format(const JsonValue *connector, const TargetTable *target, IngestError *error)
{
	const JsonValue *format = json_get(connector, "format");
	FormatDecoder *decoder;

	if (format == NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "$.format: missing");
		return ingest_hint(error, "kafka_input needs a format; formats are %s.", format_names());
	}
	if (target == NULL)
		return true;
	if (!format_open(format, target, &decoder, error))
		return false;
	format_close(decoder);
	return true;
}

static void
add_warnings(const KafkaConfig *config, SourceCheck *check)
{
	if (config->ignored_reset != NULL)
		snprintf(check->warnings[check->warning_count++], sizeof(check->warnings[0]),
				 "\"auto.offset.reset\" has no effect here: with \"topic\" the start is \"start_from\", and an offset "
				 "that has expired is a failure unless \"resume_earliest_if_data_expires\" is set");
}

static bool
kafka_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights, SourceCheck *check,
			IngestError *error)
{
	static const JsonValue empty = {.type = JSON_TYPE_OBJECT};
	const JsonValue *config = json_get(json_get(connector, "transport"), "config");
	KafkaConfig parsed;
	Arena arena;
	bool good;

	if (config == NULL)
		config = &empty;
	arena_init(&arena, MAX_CHECK_MEMORY);
	good = kafka_config_parse(config, &arena, &parsed, error) && check_properties(config, rights, error) &&
		   check_format(connector, target, error);
	if (good)
	{
		check->completes_backfill = parsed.stop_at_end;
		check->follows_after_backfill = !parsed.stop_at_end;
		add_warnings(&parsed, check);
	}
	arena_release(&arena);
	return good;
}

/* ---- assignment ------------------------------------------------------------ */

static bool
at_end(const KafkaPartition *partition)
{
	return partition->end >= 0 && partition->next >= partition->end;
}

/* Read all partitions from where they stand; those at their end are left out. */
static bool
assign(KafkaReader *reader, IngestError *error)
{
	const KafkaPartitions *partitions = &reader->partitions;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int) partitions->count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < partitions->count; i++)
	{
		const KafkaPartition *partition = partitions->items[i];

		if (!at_end(partition))
			rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset = partition->next;
	}
	code = rd_kafka_assign(reader->client.handle, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return ingest_fail(error, kafka_error_kind(code), "assigning partitions: %s", rd_kafka_err2str(code));
	return true;
}

static bool
all_at_end(const KafkaReader *reader)
{
	if (!reader->config.stop_at_end)
		return false;
	for (size_t i = 0; i < reader->partitions.count; i++)
		if (!at_end(reader->partitions.items[i]))
			return false;
	return true;
}

/* ---- what comes instead of a message ------------------------------------------ */

/*
 * The broker does not have the offset asked for.  Judge the position by fresh watermarks; where it proves to be
 * there after all (leaders change), ask for it again, a few times.
 */
static bool
handle_out_of_range(KafkaReader *reader, KafkaPartition *partition, IngestError *error)
{
	int64_t refused = partition->next;

	if (!kafka_batch_flush(reader, false, error))
		return false;
	kafka_watch_stop(reader);
	if (!kafka_client_watermarks(&reader->client, &partition, 1, 10000, error) ||
		!kafka_start_verify(reader, partition, error))
		return false;
	if (++reader->resets_within > MAX_RESETS)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT,
						   "topic \"%s\" partition %d: the broker refuses offset %" PRId64
						   " though its watermarks are %" PRId64 " and %" PRId64,
						   partition->topic, partition->number, (int64_t) partition->next, (int64_t) partition->low,
						   (int64_t) partition->high);
	if (partition->next == refused &&
		!event_queue_put_log(reader->run->queue, SOURCE_LOG_WARNING, error,
							 "topic \"%s\" partition %d: the broker refused offset %" PRId64
							 " though it is within its watermarks; asking again",
							 partition->topic, partition->number, refused))
		return false;
	if (reader->resets_within > 1 && !event_queue_sleep(reader->run->queue, RESET_PAUSE_MS, error))
		return false;
	return assign(reader, error) && kafka_watch_start(reader, error);
}

static bool
handle_error(KafkaReader *reader, KafkaPartition *partition, const rd_kafka_message_t *message, IngestError *error)
{
	IngestErrorKind kind = kafka_error_kind(message->err);

	if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && partition != NULL)
		return handle_out_of_range(reader, partition, error);
	/* A topic that seems unknown is judged by the watch, which asks more than once. */
	if (kind == INGEST_ERROR_TRANSIENT || kind == INGEST_ERROR_NOT_FOUND)
		return true;
	if (partition != NULL)
		ingest_fail(error, kind, "topic \"%s\" partition %d at offset %" PRId64 ": %s", partition->topic,
					partition->number, (int64_t) partition->next, rd_kafka_message_errstr(message));
	else
		ingest_fail(error, kind, "%s", rd_kafka_message_errstr(message));
	return false;
}

/* The end of the partition as of now: all below its offset has been seen. */
static void
handle_end(KafkaReader *reader, KafkaPartition *partition, int64_t offset)
{
	if (offset > partition->high)
		partition->high = offset;
	if (offset <= partition->next)
		return;
	partition->next = partition->end >= 0 && offset > partition->end ? partition->end : offset;
	if (reader->pending.begun_ms == 0)
		reader->pending.begun_ms = kafka_clock_ms();
}

/* ---- messages -------------------------------------------------------------- */

static bool
handle_payload(KafkaReader *reader, KafkaPartition *partition, rd_kafka_message_t *message, IngestError *error)
{
	rd_kafka_timestamp_type_t type;
	int64_t timestamp;

	/* What lies behind the end is none of ours, but proves that the end was reached. */
	if (partition->end >= 0 && message->offset >= partition->end)
	{
		handle_end(reader, partition, message->offset);
		return true;
	}
	if (!kafka_batch_add(reader, partition, message, error))
		return false;
	if (message->offset >= partition->high)
		partition->high = message->offset + 1;
	timestamp = rd_kafka_message_timestamp(message, &type);
	if (timestamp > partition->newest_timestamp_ms)
		partition->newest_timestamp_ms = timestamp;
	reader->resets_within = 0;
	return true;
}

/* Messages come in runs of one partition; null: none of ours. */
static KafkaPartition *
partition_of(KafkaReader *reader, const rd_kafka_message_t *message)
{
	KafkaPartition *last = reader->last;
	const char *topic;

	if (message->rkt == NULL)
		return NULL;
	topic = rd_kafka_topic_name(message->rkt);
	if (last == NULL || last->number != message->partition || strcmp(last->topic, topic) != 0)
		reader->last = kafka_partition_find(&reader->partitions, topic, message->partition);
	return reader->last;
}

static bool
handle_message(KafkaReader *reader, rd_kafka_message_t *message, IngestError *error)
{
	KafkaPartition *partition = partition_of(reader, message);

	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
	{
		if (partition != NULL)
			handle_end(reader, partition, message->offset);
		return true;
	}
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return handle_error(reader, partition, message, error);
	return partition == NULL || handle_payload(reader, partition, message, error);
}

/* Until the batch is full, old enough, or nothing comes; false: the source ends. */
static bool
read_some(KafkaReader *reader, IngestError *error)
{
	for (int count = 1;; count++)
	{
		int wait = reader->pending.begun_ms == 0 ? POLL_MS : FLUSH_AGE_MS / 2;
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->client.handle, wait);
		bool good;

		if (message == NULL)
			break;
		good = handle_message(reader, message, error);
		rd_kafka_message_destroy(message);
		if (!good)
			return false;
		if (kafka_batch_is_full(reader))
			return kafka_batch_flush(reader, false, error);
		if (count % CLOCK_EVERY == 0 &&
			(kafka_clock_ms() - reader->pending.begun_ms >= FLUSH_AGE_MS || ingest_cancelled(&reader->run->cancel)))
			break;
	}
	if (reader->pending.begun_ms != 0 && kafka_clock_ms() - reader->pending.begun_ms >= FLUSH_AGE_MS &&
		!all_at_end(reader))
		return kafka_batch_flush(reader, false, error);
	return true;
}

/* ---- the loop -------------------------------------------------------------- */

/* What the watch has found.  What was read before is handed over first. */
static bool
heed_watch(KafkaReader *reader, IngestError *error)
{
	if (reader->watch.failed)
	{
		if (!kafka_batch_flush(reader, false, error))
			return false;
		*error = reader->watch.error;
		return false;
	}
	if (!reader->watch.added)
		return true;
	if (!kafka_batch_flush(reader, false, error))
		return false;
	kafka_watch_stop(reader);
	reader->watch.added = false;
	return kafka_start_added(reader, error) && assign(reader, error) && kafka_watch_start(reader, error);
}

static bool
read_messages(KafkaReader *reader, IngestError *error)
{
	if (!assign(reader, error) || !kafka_watch_start(reader, error))
		return false;
	while (!all_at_end(reader))
	{
		if (ingest_cancelled(&reader->run->cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "the source was stopped");
		if (!heed_watch(reader, error) || !read_some(reader, error))
			return false;
	}
	return kafka_batch_flush(reader, true, error);
}

static bool
read_all(KafkaReader *reader, IngestError *error)
{
	const SourceRun *run = reader->run;

	if (!kafka_config_parse(run->config, &reader->run->arena, &reader->config, error))
		return false;
	if (!run->probe_only && !format_open(json_get(run->connector, "format"), run->target, &reader->decoder, error))
		return false;
	if (!kafka_client_open(reader->run, &reader->config, &reader->client, error) || !kafka_start(reader, error))
		return false;
	if (run->probe_only)
		return true;
	/* Completed before, and started again all the same: there is nothing to say but the end. */
	if (all_at_end(reader) && run->stored != NULL && run->stored->backfill_completed)
		return true;
	return read_messages(reader, error);
}

static void
release(KafkaReader *reader)
{
	batch_free(reader->pending.batch);
	for (size_t i = 0; i < reader->partitions.count; i++)
		free(reader->partitions.items[i]);
	free(reader->partitions.items);
	pthread_mutex_destroy(&reader->partitions.lock);
	free(reader->cluster_id);
	if (reader->decoder != NULL)
		format_close(reader->decoder);
	free(reader);
}

static bool
kafka_run(SourceRun *run, IngestError *error)
{
	KafkaReader *reader = calloc(1, sizeof(*reader));
	bool good;

	if (reader == NULL)
		return ingest_out_of_memory(error);
	reader->run = run;
	reader->messages_passed_over = -1;
	pthread_mutex_init(&reader->partitions.lock, NULL);
	good = read_all(reader, error);
	kafka_watch_stop(reader);
	source_put_last(run, good ? NULL : error);
	kafka_client_close(&reader->client);
	release(reader);
	return good;
}

const SourceRoutine kafka_input_routine = {
	.transport = "kafka_input",
	.check = kafka_check,
	.run = kafka_run,
	.option_is_secret = kafka_property_is_secret,
	.option_keeps_position = kafka_config_keeps_position,
};
