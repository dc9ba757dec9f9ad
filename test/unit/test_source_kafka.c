/*-------------------------------------------------------------------------
 *
 * test_source_kafka.c
 *	  kafka_input against librdkafka's mock cluster: the way of a message, resuming, back-pressure, and
 *	  faults that a real broker cannot be made to show.
 *
 *	  What needs a real broker (transactions, expiry, topics deleted and created anew) is tested with one.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "source/kafka_internal.h"

#include <librdkafka/rdkafka_mock.h>

#include "unit/tap.h"

#define MAX_ROWS 100000

static ColumnTarget columns[] = {{.name = "id", .type_name = "bigint", .form = FORM_INT8},
								 {.name = "t", .type_name = "text", .form = FORM_TEXT}};
static TargetTable target = {.name = "public.t", .column_count = 2, .columns = columns, .utf8 = true};

static rd_kafka_t *producer;
static rd_kafka_mock_cluster_t *cluster;
static const char *brokers;

/* ---- the broker ----------------------------------------------------------------- */

static void
start_cluster(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	rd_kafka_conf_set(conf, "client.id", "mock", text, sizeof(text));
	rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	cluster = rd_kafka_mock_cluster_new(producer, 1);
	brokers = rd_kafka_mock_cluster_bootstraps(cluster);
	rd_kafka_brokers_add(producer, brokers);
}

static void
produce_bytes(const char *topic, int32_t partition, const char *bytes, size_t length)
{
	rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
					  RD_KAFKA_V_VALUE((void *) bytes, length), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					  RD_KAFKA_V_END);
}

/* Messages {"insert": {"id": first}} ... */
static void
produce(const char *topic, int32_t partition, int first, int count)
{
	char text[64];

	for (int i = 0; i < count; i++)
	{
		int length = snprintf(text, sizeof(text), "{\"insert\":{\"id\":%d,\"t\":\"x\"}}", first + i);

		produce_bytes(topic, partition, text, (size_t) length);
	}
	rd_kafka_flush(producer, 10000);
}

/* ---- running -------------------------------------------------------------------- */

static struct
{
	int rows;
	int bad;
	int batches;
	uint32_t largest_batch;
	int pins;
	bool complete;
	bool finished;
	bool joined; /* every move began where the one before ended */
	bool warned;
	int64_t lag;
	IngestError error;
	char last_log[512];
} result;

static bool stop_at_warning;
static int8_t seen[MAX_ROWS]; /* by id: how often */
static SourcePosition *position;

static int64_t *
stored_next(const char *topic, int32_t partition)
{
	for (size_t i = 0; position != NULL && i < position->partition_count; i++)
		if (position->partitions[i].partition == partition && strcmp(position->partitions[i].topic, topic) == 0)
			return &position->partitions[i].next_offset;
	return NULL;
}

static void
take_batch(const ChangeBatch *batch)
{
	for (uint32_t row = 0; row < batch->row_count; row++)
	{
		uint64_t id = batch->columns[0].values[row];

		if (batch->columns[0].states[row] == VALUE_DATUM && id < MAX_ROWS)
			seen[id]++;
	}
	for (uint32_t i = 0; i < batch->move_count; i++)
	{
		int64_t *next = stored_next(batch->moves[i].topic, batch->moves[i].partition);

		if (next == NULL || *next != batch->moves[i].expected)
			result.joined = false;
		else
			*next = batch->moves[i].next;
	}
	result.rows += (int) batch->row_count;
	result.bad += (int) batch->bad_count;
	result.batches++;
	result.largest_batch = batch->row_count > result.largest_batch ? batch->row_count : result.largest_batch;
	result.complete |= batch->completes_backfill;
}

static bool
take_event(Source *source, SourceEvent *event)
{
	switch (event->kind)
	{
		case SOURCE_EVENT_PIN:
			result.pins++;
			source_position_free(position);
			position = event->pin;
			event->pin = NULL;
			source_acknowledge_pin(source);
			return true;
		case SOURCE_EVENT_BATCH:
			take_batch(event->batch);
			return true;
		case SOURCE_EVENT_STATUS:
			result.lag = event->status.lag;
			return true;
		case SOURCE_EVENT_LOG:
			result.warned |= event->level == SOURCE_LOG_WARNING;
			snprintf(result.last_log, sizeof(result.last_log), "%s", event->text);
			return true;
		case SOURCE_EVENT_FINISHED:
			result.finished = true;
			return false;
		case SOURCE_EVENT_FAILED:
			result.error = event->error;
			return false;
	}
	return true;
}

static Source *
start(const char *topic, const char *options, const char *limits, bool probe)
{
	static char json[4096];
	SourceConfig config = {.connector_name = "t.kafka",
						   .connector_json = json,
						   .target = &target,
						   .rights = {true, true, true},
						   .probe_only = probe};
	SourcePosition *stored = NULL;
	Source *source;

	snprintf(
		json, sizeof(json),
		"{%s\"transport\":{\"name\":\"kafka_input\",\"config\":{\"bootstrap.servers\":\"%s\",\"topic\":\"%s\"%s%s}},"
		"\"format\":{\"name\":\"json\",\"config\":{\"update_format\":\"insert_delete\"}}}",
		limits, brokers, topic, *options ? "," : "", options);
	memset(&result, 0, sizeof(result));
	result.joined = true;
	if (position != NULL)
	{
		/* A copy, as the catalog gives one. */
		stored = source_position_create();
		stored->pinned = position->pinned;
		stored->backfill_completed = position->backfill_completed;
		stored->source_identity = position->source_identity == NULL ? NULL : strdup(position->source_identity);
		stored->messages_passed_over = position->messages_passed_over;
		stored->partition_count = position->partition_count;
		stored->partitions = calloc(position->partition_count, sizeof(*stored->partitions));
		for (size_t i = 0; i < position->partition_count; i++)
		{
			stored->partitions[i] = position->partitions[i];
			stored->partitions[i].topic = strdup(position->partitions[i].topic);
		}
	}
	return source_start(&config, stored, &source, &result.error) ? source : NULL;
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* Take events until it ends, or "rows" came, or a time that only a failing test needs is over. */
static bool
take_until(Source *source, int rows)
{
	double begin = now();
	bool going = true;

	while (going && result.rows + result.bad < rows && !(stop_at_warning && result.warned) && now() - begin < 30)
	{
		struct pollfd poller = {.fd = source_wakeup_fd(source), .events = POLLIN};
		SourceEvent *event;

		poll(&poller, 1, 100);
		event = source_next_event(source);
		if (event == NULL)
			continue;
		going = take_event(source, event);
		source_event_free(event);
	}
	return result.rows + result.bad >= rows;
}

static bool
run(const char *topic, const char *options, const char *limits, int rows)
{
	Source *source = start(topic, options, limits, false);

	if (source == NULL)
		return false;
	take_until(source, rows);
	return source_stop(source, 15000);
}

static void
forget(void)
{
	source_position_free(position);
	position = NULL;
	memset(seen, 0, sizeof(seen));
}

static bool
seen_once(int first, int count)
{
	for (int i = first; i < first + count; i++)
		if (seen[i] != 1)
			return false;
	return true;
}

/* ---- tests ----------------------------------------------------------------------- */

#define EARLIEST "\"start_from\":\"earliest\""
#define NEVER 1000000

static void
test_reading(void)
{
	rd_kafka_mock_topic_create(cluster, "reading", 2, 1);
	produce("reading", 0, 0, 100);
	produce("reading", 1, 100, 50);
	forget();
	ok(run("reading", EARLIEST, "", 150) && seen_once(0, 150), "all messages of both partitions, once");
	ok(result.pins == 1 && result.joined, "one pin, and the moves join");
	is_int(*stored_next("reading", 0), 100, "the position is what comes next");
	produce("reading", 0, 150, 30);
	ok(run("reading", EARLIEST, "", 30) && seen_once(0, 180) && result.rows == 30, "resumed where it was");
	ok(result.pins == 0 && result.joined, "without a pin");
}

static void
test_end(void)
{
	rd_kafka_mock_topic_create(cluster, "end", 2, 1);
	produce("end", 0, 0, 1000);
	forget();
	ok(run("end", EARLIEST ",\"enable.partition.eof\":true", "\"max_batch_size\":64,", NEVER) && result.finished,
	   "it ends");
	ok(seen_once(0, 1000) && result.complete && result.joined, "with all messages, and completes the backfill");
	is_int(result.largest_batch, 64, "max_batch_size is honoured");
	is_int(position->partitions[0].end_offset, 1000, "the end is pinned");
	produce("end", 0, 1000, 100);
	position->backfill_completed = true;
	ok(run("end", EARLIEST ",\"enable.partition.eof\":true", "", NEVER) && result.finished && result.rows == 0,
	   "what comes after the end has no part in it");
	/* Half-way, with the end already pinned. */
	forget();
	ok(run("end", EARLIEST ",\"enable.partition.eof\":true", "\"max_batch_size\":100,", 300), "stopped half-way");
	produce("end", 0, 1100, 100);
	position->partitions[0].end_offset = 1000;
	ok(run("end", EARLIEST ",\"enable.partition.eof\":true", "\"max_batch_size\":100,", NEVER) && result.finished &&
		   result.complete && seen_once(0, 1000) && seen[1000] == 0,
	   "the pinned end is not computed anew");
}

static void
test_start(void)
{
	Source *source;

	rd_kafka_mock_topic_create(cluster, "starts", 2, 1);
	produce("starts", 0, 0, 10);
	forget();
	source = start("starts", "\"start_from\":\"latest\"", "", true);
	take_until(source, NEVER);
	ok(source_stop(source, 15000) && result.finished && position->pinned, "the short run pins latest");
	is_int(position->partitions[0].next_offset, 10, "as a number");
	is_int(position->partitions[0].declared_high, 10, "and remembers the watermarks");
	produce("starts", 0, 10, 5);
	ok(run("starts", "\"start_from\":\"latest\"", "", 5) && seen_once(10, 5) && seen[9] == 0,
	   "what comes between the declaration and the start is read");
	forget();
	ok(run("starts", "\"start_from\":{\"offsets\":[42,0]}", "", NEVER) && result.error.kind == INGEST_ERROR_INVALID &&
		   strstr(result.error.message, "provided offset '42' not currently in topic 'starts' partition 0") != NULL,
	   "an offset beyond the end: %s", result.error.message);
	forget();
	ok(run("starts", "\"start_from\":[{\"partition\":0,\"offset\":12}],\"auto.offset.reset\":\"earliest\"", "", 3) &&
		   seen_once(12, 3) && result.warned,
	   "a list of offsets that leaves out a partition warns");
}

static void
test_bad_messages(void)
{
	rd_kafka_mock_topic_create(cluster, "bad", 1, 1);
	produce("bad", 0, 0, 3);
	produce_bytes("bad", 0, "{\"insert\":", 10);
	produce_bytes("bad", 0, "\xff\xfe", 2);
	rd_kafka_flush(producer, 10000);
	produce("bad", 0, 3, 3);
	produce_bytes("bad", 0, NULL, 0);
	rd_kafka_flush(producer, 10000);
	produce("bad", 0, 6, 1);
	forget();
	ok(run("bad", EARLIEST, "", 9) && seen_once(0, 7) && result.bad == 2, "bad messages take no good ones with them");
	is_int(*stored_next("bad", 0), 10, "they and tombstones are passed");
}

static void
test_back_pressure(void)
{
	Source *source;

	rd_kafka_mock_topic_create(cluster, "pressure", 1, 1);
	produce("pressure", 0, 0, 20000);
	forget();
	source = start("pressure", EARLIEST, "\"max_batch_size\":100,\"max_queued_records\":300,", false);
	take_until(source, 100);
	/* Nothing is taken for a while: the queue must fill to its limit, and no further. */
	usleep(500000);
	take_until(source, 100);
	ok(result.rows < 1000, "a consumer that does not take is not flooded");
	ok(take_until(source, 20000) && seen_once(0, 20000) && result.joined, "and gets everything in the end");
	ok(source_stop(source, 15000), "stopped");
}

static void
test_faults(void)
{
	Source *source;

	rd_kafka_mock_topic_create(cluster, "faults", 1, 1);
	produce("faults", 0, 0, 100);
	forget();
	rd_kafka_mock_push_request_errors(cluster, 1 /* Fetch */, 1, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
	ok(run("faults", EARLIEST, "", 100) && seen_once(0, 100) && result.joined && result.warned,
	   "an offset refused though it is in range is asked for again: %s", result.last_log);

	forget();
	source = start("faults", EARLIEST, "", false);
	take_until(source, 100);
	rd_kafka_mock_broker_set_down(cluster, 1);
	stop_at_warning = true;
	take_until(source, NEVER);
	stop_at_warning = false;
	ok(result.warned && strstr(result.last_log, "no Kafka broker can be reached") != NULL,
	   "a broker that is down is told: %s", result.last_log);
	rd_kafka_mock_broker_set_up(cluster, 1);
	produce("faults", 0, 100, 50);
	ok(take_until(source, 150) && seen_once(0, 150) && result.error.kind == INGEST_ERROR_NONE,
	   "and reading goes on by itself when it is up");
	ok(source_stop(source, 15000), "stopped");

	rd_kafka_mock_topic_create(cluster, "missing", 1, 1);
	rd_kafka_mock_topic_set_error(cluster, "missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	forget();
	ok(run("missing", EARLIEST, "", NEVER) && result.error.kind == INGEST_ERROR_NOT_FOUND,
	   "a topic that is not there: %s", result.error.message);
	rd_kafka_mock_topic_set_error(cluster, "missing", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ok(run("missing", EARLIEST, "", NEVER) && result.error.kind == INGEST_ERROR_DENIED, "one that must not be seen: %s",
	   result.error.message);
}

static void
test_position_of_another_cluster(void)
{
	rd_kafka_mock_topic_create(cluster, "identity", 1, 1);
	produce("identity", 0, 0, 10);
	forget();
	run("identity", EARLIEST, "", 10);
	if (position == NULL || position->source_identity == NULL)
	{
		ok(false, "the cluster has an identity");
		return;
	}
	position->source_identity[0] ^= 1;
	ok(run("identity", EARLIEST, "", NEVER) && result.error.kind == INGEST_ERROR_CHANGED,
	   "the position of another cluster is refused: %s", result.error.message);
	position->source_identity[0] ^= 1;
	position->partitions[0].partition = 7;
	ok(run("identity", EARLIEST, "", NEVER) && result.error.kind == INGEST_ERROR_CHANGED,
	   "so is one of more partitions than there are: %s", result.error.message);
}

static void
test_stop(void)
{
	Source *source;
	double begin;

	forget();
	source = start("reading", EARLIEST ",\"bootstrap.servers\":\"127.0.0.1:1\"", "", false);
	usleep(200000);
	begin = now();
	ok(source_stop(source, 15000) && now() - begin < 5, "a source that waits for a broker stops (%.1f s)",
	   now() - begin);
}

int
main(void)
{
	start_cluster();
	test_reading();
	test_end();
	test_start();
	test_bad_messages();
	test_back_pressure();
	test_faults();
	test_position_of_another_cluster();
	test_stop();
	forget();
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(producer);
	return done_testing();
}
