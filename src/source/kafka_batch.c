/*-------------------------------------------------------------------------
 *
 * kafka_batch.c
 *	  Messages to batches.
 *
 * A message is copied into the batch (key and value, for the case that it is rejected) and
 * decoded from that copy; the caller then destroys it at once, because librdkafka
 * keeps a whole fetch answer alive for each message held.
 *
 * A batch ends at max_batch_size rows, at limits.batch_bytes, or with age (the caller's clock).  It
 * carries one move for each partition that has moved since the batch before: from
 * where that one's move ended to what comes next.  A batch may consist of moves alone
 * (tombstones, control records, a gap).
 *
 * Large messages.  The arena of a batch may take BATCH_LIMIT.  A message that does not fit behind
 * others gets a batch of its own; one that does not even fit there is a bad record
 * (SQLSTATE 54000) with the beginning of its value, and the stream goes on.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "source/kafka_internal.h"

#define BATCH_LIMIT ((size_t) 512 << 20)
#define FIRST_CAPACITY 512
#define KEPT_OF_OVERSIZED ((size_t) 1 << 20)

/* ---- one message ------------------------------------------------------------- */

static bool
ensure_batch(KafkaReader *reader, IngestError *error)
{
	KafkaBatch *pending = &reader->pending;
	uint32_t capacity = pending->capacity > 0 ? pending->capacity : FIRST_CAPACITY;

	if (pending->batch != NULL)
		return true;
	pending->batch = batch_create(reader->run->target, source_batch_capacity(reader->run, capacity), BATCH_LIMIT);
	if (pending->batch == NULL)
		return ingest_out_of_memory(error);
	return format_prepare_batch(reader->decoder, pending->batch, error);
}

/* Take away again what a message that failed half-way has added. */
static void
cut_batch(ChangeBatch *batch, uint32_t rows, uint32_t payloads, uint32_t bad)
{
	while (batch->row_count > rows)
		batch_drop_last_row(batch);
	batch->payload_count = payloads;
	batch->bad_count = bad;
}

/* A message of no bytes from which no record came: it is no tombstone, so somebody meant to say something. */
static bool
reject_empty(ChangeBatch *batch, const rd_kafka_message_t *message, uint32_t payload, uint32_t rows, uint32_t bad,
			 IngestError *error)
{
	if (message->len > 0 || batch->row_count > rows || batch->bad_count > bad)
		return true;
	return batch_add_bad(batch, payload, 1, "22P04", NULL, "the message is empty", error);
}

static bool
decode(KafkaReader *reader, const KafkaPartition *partition, const rd_kafka_message_t *message, IngestError *error)
{
	ChangeBatch *batch = reader->pending.batch;
	Payload payload = {.topic = partition->topic,
					   .partition = partition->number,
					   .offset = message->offset,
					   .plan = -1,
					   .key = {message->key, message->key_len},
					   .value = {message->payload, message->len}};
	uint32_t rows = batch->row_count;
	uint32_t payloads = batch->payload_count;
	uint32_t bad = batch->bad_count;
	uint32_t index;

	if (batch_add_payload(batch, &payload, &index, error) &&
		format_decode(reader->decoder, batch->payloads[index].value, index, batch, error) &&
		reject_empty(batch, message, index, rows, bad, error))
	{
		batch->source_bytes += message->len + message->key_len;
		return true;
	}
	cut_batch(batch, rows, payloads, bad);
	return false;
}

static bool
reject_oversized(KafkaReader *reader, const KafkaPartition *partition, const rd_kafka_message_t *message,
				 IngestError *error)
{
	size_t kept = message->len < KEPT_OF_OVERSIZED ? message->len : KEPT_OF_OVERSIZED;
	Payload payload = {.topic = partition->topic,
					   .partition = partition->number,
					   .offset = message->offset,
					   .plan = -1,
					   .value = {message->payload, kept}};
	char text[160];
	uint32_t index;

	snprintf(text, sizeof(text), "a message of %zu bytes needs more than %zu bytes to decode; its first %zu are kept",
			 message->len, BATCH_LIMIT, kept);
	return batch_add_payload(reader->pending.batch, &payload, &index, error) &&
		   batch_add_bad(reader->pending.batch, index, 1, "54000", NULL, text, error);
}

/* Begin again in a batch of its own. */
static bool
decode_alone(KafkaReader *reader, const KafkaPartition *partition, const rd_kafka_message_t *message,
			 IngestError *error)
{
	if (!kafka_batch_flush(reader, false, error) || !ensure_batch(reader, error))
		return false;
	if (decode(reader, partition, message, error))
		return true;
	if (error->kind != INGEST_ERROR_LIMIT)
		return false;
	batch_free(reader->pending.batch);
	reader->pending.batch = NULL;
	return ensure_batch(reader, error) && reject_oversized(reader, partition, message, error);
}

static bool
pass_tombstone(KafkaReader *reader, const KafkaPartition *partition, int64_t offset, IngestError *error)
{
	KafkaBatch *pending = &reader->pending;

	pending->tombstones++;
	if (pending->tombstones_told)
		return true;
	pending->tombstones_told = true;
	return event_queue_put_log(reader->run->queue, SOURCE_LOG_INFO, error,
							   "messages without a value are passed over; the first is offset %" PRId64
							   " of topic \"%s\" partition %d",
							   offset, partition->topic, partition->number);
}

/*
 * Add a good message of the partition and move over it.  The message stays the caller's. A message
 * below the partition's next was seen before and is passed over.
 */
bool
kafka_batch_add(KafkaReader *reader, KafkaPartition *partition, rd_kafka_message_t *message, IngestError *error)
{
	bool alone = message->len > reader->run->limits.batch_bytes && reader->pending.batch != NULL;

	if (message->offset < partition->next)
		return true;
	if (message->payload == NULL)
	{
		if (!pass_tombstone(reader, partition, message->offset, error))
			return false;
	}
	else
	{
		if (!ensure_batch(reader, error))
			return false;
		if (alone || !decode(reader, partition, message, error))
		{
			if (!alone && error->kind != INGEST_ERROR_LIMIT)
				return false;
			if (!decode_alone(reader, partition, message, error))
				return false;
		}
	}
	partition->next = message->offset + 1;
	if (reader->pending.begun_ms == 0)
		reader->pending.begun_ms = kafka_clock_ms();
	return true;
}

/* ---- the batch --------------------------------------------------------------- */

/* Is it time to flush, whatever the clock says? */
bool
kafka_batch_is_full(const KafkaReader *reader)
{
	const ChangeBatch *batch = reader->pending.batch;

	return batch != NULL && (batch->row_count >= reader->run->limits.max_batch_size ||
							 batch->payload_count >= reader->run->limits.max_batch_size ||
							 batch_bytes(batch) >= reader->run->limits.batch_bytes);
}

static bool
add_moves(KafkaReader *reader, IngestError *error)
{
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		const KafkaPartition *partition = reader->partitions.items[i];
		PositionMove move = {.kind = POSITION_KAFKA,
							 .expected = partition->emitted,
							 .next = partition->next,
							 .topic = partition->topic,
							 .partition = partition->number,
							 .lost = partition->lost};

		if (move.next != move.expected && !batch_add_move(reader->pending.batch, &move, error))
			return false;
	}
	return true;
}

/* Hand over the pending batch with its moves; see the header.  May wait for room in the queue. */
bool
kafka_batch_flush(KafkaReader *reader, bool completes_backfill, IngestError *error)
{
	KafkaBatch *pending = &reader->pending;
	ChangeBatch *batch;
	bool moved = completes_backfill;

	for (size_t i = 0; i < reader->partitions.count; i++)
		moved |= reader->partitions.items[i]->next != reader->partitions.items[i]->emitted;
	pending->begun_ms = 0;
	if (!moved)
		return true;
	if (pending->batch == NULL)
		pending->batch = batch_create(reader->run->target, 1, BATCH_LIMIT);
	if (pending->batch == NULL)
		return ingest_out_of_memory(error);
	if (!add_moves(reader, error))
		return false;
	for (size_t i = 0; i < reader->partitions.count; i++)
	{
		KafkaPartition *partition = reader->partitions.items[i];

		partition->emitted = partition->next;
		partition->lost = 0;
	}
	batch = pending->batch;
	pending->batch = NULL;
	batch->completes_backfill = completes_backfill;
	/* The next one is likely to be as large. */
	pending->capacity = batch->row_count + batch->row_count / 8;
	batch_finish(batch);
	return event_queue_put_batch(reader->run->queue, batch, error);
}
