/*-------------------------------------------------------------------------
 *
 * kafka_start.c
 *	  From a declaration and a stored position to one number a partition.
 *
 * What is decided, by what is known:
 *
 *	stored with a number		that number; it must still be within the partition
 *	stored without (symbolic)	the high watermark now: the gate has just opened
 *	not stored, nothing is		the start of the declaration
 *	not stored, others are		the topic has gained the partition: its first message
 *
 * Whatever is decided here and not yet stored is put as a PIN and waited for, before
 * anything is assigned.  The short run right after the declaration decides all but the symbolic
 * start, and remembers the watermarks of that moment.
 *
 * With enable.partition.eof the first start that is no short run pins each partition's end too.
 * Partitions that a topic gains later have no part in that backfill.
 *
 * A position below the low watermark has lost messages (GONE, or a visible gap where the
 * user allows one).  One above the high watermark belongs to another topic of the same name, or to
 * a log that was cut (CHANGED); the brokers' answer may lag behind for a moment after a change of leader,
 * so it is asked for again before that is believed.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/kafka_internal.h"

#define QUESTION_MS 1000     /* of one question at the start; in between errors are looked at */
#define BEYOND_END_MS 10000  /* how long a position may be above the high watermark */
#define BEYOND_END_PAUSE 500 /* between two looks */

/* ---- questions ------------------------------------------------------------- */

/* Ask until there is an answer, a lasting error, or the time is over. */
static bool
ask(KafkaReader *reader, bool (*question)(KafkaReader *reader, IngestError *error), IngestError *error)
{
	int64_t deadline = kafka_clock_ms() + reader->config.open_timeout_ms;
	IngestError heard;

	for (;;)
	{
		if (question(reader, error))
			return true;
		if (error->kind != INGEST_ERROR_TRANSIENT || kafka_clock_ms() >= deadline)
			return false;
		ingest_error_clear(&heard);
		if (!kafka_client_serve(&reader->client, 100, &heard) || event_queue_is_stopped(reader->run->queue))
		{
			*error = heard;
			if (heard.kind == INGEST_ERROR_NONE)
				ingest_fail(error, INGEST_ERROR_CANCELLED, "the source was stopped");
			return false;
		}
	}
}

static KafkaPartition *
add_partition(KafkaPartitions *partitions, const char *topic, int32_t number, IngestError *error)
{
	static const KafkaPartition unknown = {.start = -1,
										   .end = -1,
										   .declared_low = -1,
										   .declared_high = -1,
										   .emitted = -1,
										   .next = -1,
										   .low = -1,
										   .high = -1,
										   .newest_timestamp_ms = -1,
										   .added = true};
	KafkaPartition *partition = malloc(sizeof(*partition));
	KafkaPartition **items;

	if (partition == NULL)
	{
		ingest_out_of_memory(error);
		return NULL;
	}
	memcpy(partition, &unknown, sizeof(unknown));
	partition->topic = topic;
	partition->number = number;
	pthread_mutex_lock(&partitions->lock);
	items = realloc(partitions->items, (partitions->count + 1) * sizeof(*items));
	if (items != NULL)
		partitions->items = items;
	if (items != NULL)
		items[partitions->count++] = partition;
	pthread_mutex_unlock(&partitions->lock);
	if (items == NULL)
	{
		free(partition);
		ingest_out_of_memory(error);
		return NULL;
	}
	return partition;
}

/* The partition of this topic and number, or null. */
KafkaPartition *
kafka_partition_find(const KafkaPartitions *partitions, const char *topic, int32_t number)
{
	for (size_t i = 0; i < partitions->count; i++)
		if (partitions->items[i]->number == number && strcmp(partitions->items[i]->topic, topic) == 0)
			return partitions->items[i];
	return NULL;
}

static bool
add_missing(KafkaReader *reader, const char *topic, int32_t number, IngestError *error)
{
	return kafka_partition_find(&reader->partitions, topic, number) != NULL ||
		   add_partition(&reader->partitions, topic, number, error) != NULL;
}

/* Every partition of the topic that the declaration wants and that is not there yet. */
static bool
add_partitions_of(KafkaReader *reader, const char *topic, IngestError *error)
{
	const KafkaConfig *config = &reader->config;
	int32_t count = 0;

	if (!kafka_client_partition_count(&reader->client, topic, QUESTION_MS, &count, error))
		return false;
	for (size_t i = 0; i < reader->partitions.count; i++)
		if (strcmp(reader->partitions.items[i]->topic, topic) == 0 && reader->partitions.items[i]->number >= count)
			return ingest_fail(error, INGEST_ERROR_CHANGED,
							   "topic \"%s\" has %d partitions, and the position knows of partition %d: it was created "
							   "anew",
							   topic, count, reader->partitions.items[i]->number);
	for (size_t i = 0; i < config->partition_count; i++)
	{
		if (config->partitions[i] >= count)
			return ingest_fail(error, INGEST_ERROR_INVALID, "topic \"%s\" has no partition %d, but %d partitions",
							   topic, config->partitions[i], count);
		if (!add_missing(reader, topic, config->partitions[i], error))
			return false;
	}
	for (size_t i = 0; i < config->seek_count; i++)
		if (strcmp(config->seeks[i].topic, topic) == 0 && config->seeks[i].partition >= count)
			return ingest_fail(error, INGEST_ERROR_INVALID,
							   "provided offset '%" PRId64
							   "' is for partition %d of topic '%s', which has %d partitions",
							   config->seeks[i].offset, config->seeks[i].partition, topic, count);
	for (int32_t number = 0; config->partition_count == 0 && number < count; number++)
		if (!add_missing(reader, topic, number, error))
			return false;
	return true;
}

static bool
ask_partitions(KafkaReader *reader, IngestError *error)
{
	for (size_t i = 0; i < reader->config.topic_count; i++)
		if (!add_partitions_of(reader, reader->config.topics[i], error))
			return false;
	return true;
}

static bool
ask_watermarks(KafkaReader *reader, IngestError *error)
{
	if (kafka_client_watermarks(&reader->client, reader->partitions.items, reader->partitions.count, QUESTION_MS * 2,
								error))
		return true;
	/* The topics exist, or we were not here: a leader is being elected. */
	if (error->kind == INGEST_ERROR_NOT_FOUND)
		error->kind = INGEST_ERROR_TRANSIENT;
	return false;
}

static bool
ask_cluster(KafkaReader *reader, IngestError *error)
{
	const SourcePosition *stored = reader->run->stored;
	char *identity = rd_kafka_clusterid(reader->client.handle, QUESTION_MS);

	/* Brokers before 0.10 have none. */
	if (identity == NULL)
		return true;
	free(reader->cluster_id);
	reader->cluster_id = strdup(identity);
	rd_kafka_mem_free(reader->client.handle, identity);
	if (reader->cluster_id == NULL)
		return ingest_out_of_memory(error);
	if (stored != NULL && stored->source_identity != NULL && strcmp(stored->source_identity, reader->cluster_id) != 0)
	{
		ingest_fail(error, INGEST_ERROR_CHANGED, "the Kafka cluster is %s, and the position belongs to %s",
					reader->cluster_id, stored->source_identity);
		return ingest_hint(error, "Correct bootstrap.servers, or call feldera.reset_connector to begin anew.");
	}
	return true;
}

/* ---- the start of one partition ---------------------------------------------- */

static bool
check_within(const KafkaPartition *partition, int64_t offset, IngestError *error)
{
	if (offset >= partition->low && offset <= partition->high)
		return true;
	ingest_fail(error, INGEST_ERROR_INVALID,
				"provided offset '%" PRId64 "' not currently in topic '%s' partition %d, whose watermarks are %" PRId64
				" and %" PRId64,
				offset, partition->topic, partition->number, (int64_t) partition->low, (int64_t) partition->high);
	return ingest_hint(error, "The offset may be anything from the low watermark to the high watermark, which stands "
							  "for the next message.");
}

/* SEEK: the offset named; else the fallback, which is worth a warning. */
static bool
start_by_seek(KafkaReader *reader, KafkaPartition *partition, KafkaStart *fallback, int64_t *offset, IngestError *error)
{
	const KafkaConfig *config = &reader->config;

	for (size_t i = 0; i < config->seek_count; i++)
		if (config->seeks[i].partition == partition->number && strcmp(config->seeks[i].topic, partition->topic) == 0)
		{
			*offset = config->seeks[i].offset;
			return check_within(partition, *offset, error);
		}
	*fallback = config->fallback;
	return event_queue_put_log(
		reader->run->queue, SOURCE_LOG_WARNING, error,
		"topic \"%s\" partition %d is not named among the offsets to start from: it starts at %s", partition->topic,
		partition->number, *fallback == KAFKA_START_EARLIEST ? "earliest" : "latest");
}

static bool
start_by_offsets(KafkaReader *reader, KafkaPartition *partition, int64_t *offset, IngestError *error)
{
	const KafkaConfig *config = &reader->config;
	size_t index = (size_t) partition->number;

	for (size_t i = 0; i < config->partition_count; i++)
		if (config->partitions[i] == partition->number)
			index = i;
	if (index >= config->offset_count)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "topic \"%s\" has %zu partitions but start_from has %zu offsets", partition->topic,
						   reader->partitions.count, config->offset_count);
	*offset = config->offsets[index];
	return check_within(partition, *offset, error);
}

/* Decide the start by the declaration; it stays -1 where it is symbolic and this is the short run. */
static bool
resolve_by_declaration(KafkaReader *reader, KafkaPartition *partition, IngestError *error)
{
	const KafkaConfig *config = &reader->config;
	KafkaStart start = config->start;
	int64_t offset = -1;

	if (start == KAFKA_START_SEEK && !start_by_seek(reader, partition, &start, &offset, error))
		return false;
	if (start == KAFKA_START_OFFSETS && !start_by_offsets(reader, partition, &offset, error))
		return false;
	if (start == KAFKA_START_TIMESTAMP &&
		!kafka_client_offset_at(&reader->client, partition, config->timestamp_ms, QUESTION_MS * 5, &offset, error))
		return false;
	if (start == KAFKA_START_EARLIEST)
		offset = partition->low;
	if (start == KAFKA_START_LATEST && !(config->latest_symbolic && reader->run->probe_only))
	{
		offset = partition->high;
		if (config->latest_symbolic && partition->declared_high >= 0 && offset >= partition->declared_high)
		{
			if (reader->messages_passed_over < 0)
				reader->messages_passed_over = 0;
			reader->messages_passed_over += offset - partition->declared_high;
		}
	}
	partition->start = offset;
	partition->next = offset;
	partition->emitted = offset;
	return true;
}

/* A partition that came after the pin: nothing of it was ever read, so all of it is. */
static bool
resolve_added(KafkaReader *reader, KafkaPartition *partition, IngestError *error)
{
	partition->start = partition->low;
	partition->next = partition->start;
	partition->emitted = partition->start;
	return event_queue_put_log(reader->run->queue, SOURCE_LOG_INFO, error,
							   "topic \"%s\" has gained partition %d: it is read from offset %" PRId64,
							   partition->topic, partition->number, partition->start);
}

/* Decide what is not decided yet; *changed where anything was. */
static bool
resolve_partitions(KafkaReader *reader, bool *changed, IngestError *error)
{
	const SourcePosition *stored = reader->run->stored;
	bool pinned = stored != NULL && stored->pinned;
	bool first = !pinned && reader->config.start == KAFKA_START_OFFSETS;

	if (first && reader->config.partition_count == 0 && reader->partitions.count != reader->config.offset_count)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "topic \"%s\" has %zu partitions but start_from specifies %zu offsets",
						   reader->config.topics[0], reader->partitions.count, reader->config.offset_count);
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		KafkaPartition *partition = reader->partitions.items[i];

		if (partition->next >= 0)
			continue;
		*changed = true;
		if (!(pinned && partition->added ? resolve_added(reader, partition, error)
										 : resolve_by_declaration(reader, partition, error)))
			return false;
	}
	return true;
}

/* ---- the pin --------------------------------------------------------------- */

static bool
fill_pin(const KafkaReader *reader, SourcePosition *pin)
{
	pin->pinned = true;
	pin->messages_passed_over = reader->messages_passed_over;
	pin->source_identity = reader->cluster_id == NULL ? NULL : strdup(reader->cluster_id);
	if (reader->cluster_id != NULL && pin->source_identity == NULL)
		return false;
	pin->partitions = calloc(reader->partitions.count, sizeof(*pin->partitions));
	if (pin->partitions == NULL)
		return false;
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		const KafkaPartition *partition = reader->partitions.items[i];
		KafkaPartitionPosition *position = &pin->partitions[i];

		position->topic = strdup(partition->topic);
		if (position->topic == NULL)
			return false;
		pin->partition_count++;
		position->partition = partition->number;
		position->start_offset = partition->start;
		position->next_offset = partition->emitted;
		position->end_offset = partition->end;
		position->declared_low = partition->declared_low;
		position->declared_high = partition->declared_high;
		if (partition->emitted < 0)
			pin->pinned = false;
	}
	return true;
}

/* Put the pin.  The short run ends with it, so nothing waits for its acknowledgement then. */
static bool
put_pin(KafkaReader *reader, IngestError *error)
{
	SourcePosition *pin = source_position_create();

	if (pin == NULL || !fill_pin(reader, pin))
	{
		source_position_free(pin);
		return ingest_out_of_memory(error);
	}
	if (!reader->run->probe_only)
		return event_queue_pin(reader->run->queue, pin, error);
	return event_queue_put_pin(reader->run->queue, pin, error);
}

/* ---- positions that exist no more ------------------------------------------ */

static bool
beyond_end(KafkaReader *reader, KafkaPartition *partition, IngestError *error)
{
	int64_t deadline = kafka_clock_ms() + BEYOND_END_MS;

	while (kafka_clock_ms() < deadline)
	{
		if (!event_queue_sleep(reader->run->queue, BEYOND_END_PAUSE, error))
			return false;
		if (!kafka_client_watermarks(&reader->client, &partition, 1, QUESTION_MS * 5, error))
			return false;
		if (partition->next <= partition->high)
			return true;
	}
	ingest_fail(error, INGEST_ERROR_CHANGED,
				"topic \"%s\" partition %d ends at offset %" PRId64 ", and the position is %" PRId64
				": the topic was created anew, or its log was cut",
				partition->topic, partition->number, (int64_t) partition->high, (int64_t) partition->next);
	return ingest_hint(error, "Set a new position with feldera.set_offset, or begin anew with "
							  "feldera.reset_connector.");
}

/* The watermarks are fresh: see the header. */
bool
kafka_start_verify(KafkaReader *reader, KafkaPartition *partition, IngestError *error)
{
	int64_t next = partition->next;
	int64_t low = partition->low;

	if (next > partition->high)
		return beyond_end(reader, partition, error);
	if (next >= low)
		return true;
	if (!reader->config.resume_earliest)
	{
		ingest_fail(error, INGEST_ERROR_GONE,
					"offset %" PRId64 " of topic \"%s\" partition %d exists no more; the watermarks are %" PRId64
					" and %" PRId64,
					next, partition->topic, partition->number, low, (int64_t) partition->high);
		return ingest_hint(error,
						   "%" PRId64 " offsets are lost.  Set a new position with feldera.set_offset, or set "
						   "\"resume_earliest_if_data_expires\".",
						   low - next);
	}
	partition->next = low;
	partition->lost += low - next;
	/* The gap is stored even where no message follows it. */
	if (reader->pending.begun_ms == 0)
		reader->pending.begun_ms = kafka_clock_ms();
	return event_queue_put_log(reader->run->queue, SOURCE_LOG_WARNING, error,
							   "offsets %" PRId64 " to %" PRId64 " of topic \"%s\" partition %d exist no more and are "
							   "passed over, because resume_earliest_if_data_expires is set",
							   next, low - 1, partition->topic, partition->number);
}

/* ---- the whole ------------------------------------------------------------- */

static const char *
configured_topic(const KafkaConfig *config, const char *topic)
{
	for (size_t i = 0; i < config->topic_count; i++)
		if (strcmp(config->topics[i], topic) == 0)
			return config->topics[i];
	return NULL;
}

/* The stored partitions, as far as the declaration still names their topics. */
static bool
take_stored(KafkaReader *reader, IngestError *error)
{
	const SourcePosition *stored = reader->run->stored;

	for (size_t i = 0; stored != NULL && i < stored->partition_count; i++)
	{
		const KafkaPartitionPosition *position = &stored->partitions[i];
		const char *topic = configured_topic(&reader->config, position->topic);
		KafkaPartition *partition;

		if (topic == NULL)
			continue;
		partition = add_partition(&reader->partitions, topic, position->partition, error);
		if (partition == NULL)
			return false;
		partition->added = false;
		partition->next = position->next_offset;
		partition->emitted = position->next_offset;
		partition->start = position->start_offset >= 0 ? position->start_offset : position->next_offset;
		partition->end = position->end_offset;
		partition->declared_low = position->declared_low;
		partition->declared_high = position->declared_high;
	}
	if (stored != NULL)
		reader->messages_passed_over = stored->messages_passed_over;
	return true;
}

/* Once ends are stored the backfill is fixed: a partition without one has no part in it. */
static void
drop_partitions_without_end(KafkaReader *reader)
{
	KafkaPartitions *partitions = &reader->partitions;
	size_t kept = 0;
	bool any_end = false;

	for (size_t i = 0; i < partitions->count; i++)
		any_end |= partitions->items[i]->end >= 0;
	if (!reader->config.stop_at_end || !any_end)
		return;
	for (size_t i = 0; i < partitions->count; i++)
		if (partitions->items[i]->end >= 0)
			partitions->items[kept++] = partitions->items[i];
		else
			free(partitions->items[i]);
	partitions->count = kept;
}

static void
pin_ends(KafkaReader *reader, bool *changed)
{
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		KafkaPartition *partition = reader->partitions.items[i];

		if (partition->end < 0)
		{
			partition->end = partition->high > partition->next ? partition->high : partition->next;
			*changed = true;
		}
	}
}

static bool
start_probe(KafkaReader *reader, IngestError *error)
{
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		KafkaPartition *partition = reader->partitions.items[i];

		if (partition->declared_high < 0)
		{
			partition->declared_low = partition->low;
			partition->declared_high = partition->high;
		}
	}
	return put_pin(reader, error);
}

/* See the header. */
bool
kafka_start(KafkaReader *reader, IngestError *error)
{
	const SourcePosition *stored = reader->run->stored;
	bool changed = stored == NULL || !stored->pinned;

	if (!take_stored(reader, error) || !ask(reader, ask_partitions, error) || !ask_cluster(reader, error))
		return false;
	drop_partitions_without_end(reader);
	if (!ask(reader, ask_watermarks, error) || !resolve_partitions(reader, &changed, error))
		return false;
	if (reader->run->probe_only)
		return start_probe(reader, error);
	if (reader->config.stop_at_end)
		pin_ends(reader, &changed);
	if (changed && !put_pin(reader, error))
		return false;
	if (changed && reader->messages_passed_over > 0 && (stored == NULL || stored->messages_passed_over < 0) &&
		!event_queue_put_log(reader->run->queue, SOURCE_LOG_INFO, error,
							 "%" PRId64 " messages came between the declaration and the start, and are passed over "
							 "because auto.offset.reset is latest",
							 reader->messages_passed_over))
		return false;
	for (size_t i = 0; i < reader->partitions.count; i++)
		if (!kafka_start_verify(reader, reader->partitions.items[i], error))
			return false;
	return true;
}

/* New partitions: found again, decided, pinned.  What was read is in the queue already.  See the header. */
bool
kafka_start_added(KafkaReader *reader, IngestError *error)
{
	size_t known = reader->partitions.count;

	if (!ask(reader, ask_partitions, error))
		return false;
	if (reader->partitions.count == known)
		return true;
	if (!ask(reader, ask_watermarks, error))
		return false;
	for (size_t i = known; i < reader->partitions.count; i++)
		if (!resolve_added(reader, reader->partitions.items[i], error))
			return false;
	return put_pin(reader, error);
}
