/*-------------------------------------------------------------------------
 *
 * kafka_client.c
 *	  One handle of librdkafka: made, asked, listened to, destroyed.
 *
 * Threads.  librdkafka runs its own, with all signals blocked.  No callback of ours is
 * registered: errors and log lines come as events of the handle's main queue, which
 * one of our threads serves, so nothing of ours ever runs on a thread of librdkafka.
 *
 * Group.  Partitions are assigned, never subscribed to: no group is joined, nothing is
 * committed to the broker, group.id only has to be set.
 *
 * Broken connections.  librdkafka reconnects by itself for ever.  Here it is only noted when
 * brokers are out of reach and when they are back, one line each.  An authentication that
 * is refused ends the source at once with librdkafka's words, since time rarely heals
 * it; so does an answer too large to receive, which librdkafka would ask for again for ever.
 *
 * Watermarks of many partitions are asked for in two requests a broker: the time look-up
 * takes the protocol's special times -2 (earliest) and -1 (latest).  It respects the isolation
 * level: "high" is the last stable offset under read_committed.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "source/kafka_internal.h"

#define KAFKA_VERSION_WITH_BACKOFF 0x02020000
#define UNREACHABLE_MS 2000 /* brokers may be silent for so long before anything is said of it */

/* Milliseconds of the monotonic clock. */
int64_t
kafka_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a code of librdkafka means to the connector. */
IngestErrorKind
kafka_error_kind(rd_kafka_resp_err_t code)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
			return INGEST_ERROR_DENIED;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
			return INGEST_ERROR_NOT_FOUND;
		case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		case RD_KAFKA_RESP_ERR__INVALID_ARG:
			return INGEST_ERROR_INVALID;
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
			return INGEST_ERROR_GONE;
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
			return INGEST_ERROR_LIMIT;
		case RD_KAFKA_RESP_ERR__BAD_MSG:
		case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
		case RD_KAFKA_RESP_ERR_INVALID_MSG:
			return INGEST_ERROR_CORRUPT;
		case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
		case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
		case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
			return INGEST_ERROR_UNSUPPORTED;
		default:
			return INGEST_ERROR_TRANSIENT;
	}
}

static bool
fail_with(rd_kafka_resp_err_t code, const char *what, IngestError *error)
{
	return ingest_fail(error, kafka_error_kind(code), "%s: %s", what, rd_kafka_err2str(code));
}

/* ---- life ------------------------------------------------------------------ */

static bool
make_properties(SourceRun *run, rd_kafka_conf_t *properties, IngestError *error)
{
	char text[512];
	char group[300];

	if (!kafka_properties_set(run->config, &run->rights, properties, error))
		return false;
	if (option_text(run->config, "group.id") == NULL)
	{
		snprintf(group, sizeof(group), "feldera_ingest.%.256s", run->connector_name);
		if (rd_kafka_conf_set(properties, "group.id", group, text, sizeof(text)) != RD_KAFKA_CONF_OK)
			return ingest_fail(error, INGEST_ERROR_INVALID, "librdkafka: %s", text);
	}
	rd_kafka_conf_set_events(properties, RD_KAFKA_EVENT_ERROR);
	return true;
}

/* Make the handle; nothing is sent yet but the connection attempts of librdkafka's own. INVALID, DENIED. */
bool
kafka_client_open(SourceRun *run, const KafkaConfig *config, KafkaClient *out, IngestError *error)
{
	rd_kafka_conf_t *properties = rd_kafka_conf_new();
	char text[512];

	memset(out, 0, sizeof(*out));
	out->run = run;
	out->config = config;
	out->needs_wake_up = rd_kafka_version() < KAFKA_VERSION_WITH_BACKOFF;
	if (!make_properties(run, properties, error))
	{
		rd_kafka_conf_destroy(properties);
		return false;
	}
	out->handle = rd_kafka_new(RD_KAFKA_CONSUMER, properties, text, sizeof(text));
	if (out->handle == NULL)
	{
		rd_kafka_conf_destroy(properties);
		return ingest_fail(error, INGEST_ERROR_INVALID, "librdkafka: %s", text);
	}
	out->events = rd_kafka_queue_get_main(out->handle);
	if (rd_kafka_set_log_queue(out->handle, out->events) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "librdkafka: could not redirect the log");
	return true;
}

/* Destroy the handle, without leaving a group: none was joined.  May hang; null members are allowed. */
void
kafka_client_close(KafkaClient *client)
{
	if (client->events != NULL)
		rd_kafka_queue_destroy(client->events);
	client->events = NULL;
	if (client->handle != NULL)
		rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	client->handle = NULL;
}

/* ---- what librdkafka tells ------------------------------------------------- */

/* Brokers are out of reach; kafka_client_serve tells it when it lasts. */
void
kafka_client_unreachable(KafkaClient *client, const char *reason)
{
	if (reason != client->reason)
		snprintf(client->reason, sizeof(client->reason), "%s", reason);
	if (client->unreachable_since_ms == 0)
		client->unreachable_since_ms = kafka_clock_ms();
}

/* One line once the silence has lasted: a connection that breaks and comes back is none, and what the next attempt says
 * is the better reason.  False: the queue was stopped. */
static bool
tell_unreachable(KafkaClient *client, IngestError *error)
{
	if (client->unreachable || client->unreachable_since_ms == 0 ||
		kafka_clock_ms() - client->unreachable_since_ms < UNREACHABLE_MS)
		return true;
	client->unreachable = true;
	return event_queue_put_log(client->run->queue, SOURCE_LOG_WARNING, error,
							   "no Kafka broker can be reached, trying again until one can: %s", client->reason);
}

/* A broker has answered: one line at the change.  False: the queue was stopped. */
bool
kafka_client_reachable(KafkaClient *client, IngestError *error)
{
	int64_t since = client->unreachable_since_ms;

	client->unreachable_since_ms = 0;
	if (!client->unreachable)
		return true;
	client->unreachable = false;
	return event_queue_put_log(client->run->queue, SOURCE_LOG_INFO, error,
							   "a Kafka broker can be reached again after %lld s",
							   (long long) (kafka_clock_ms() - since) / 1000);
}

/*
 * A log line of librdkafka.  Those of the facilities FAIL and ERROR come as error events too, and are
 * told by those.
 */
static bool
forward_log(KafkaClient *client, rd_kafka_event_t *event, IngestError *error)
{
	const char *facility = "";
	const char *text = "";
	int level = LOG_DEBUG;

	if (rd_kafka_event_log(event, &facility, &text, &level) != 0)
		return true;
	if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0)
		return true;
	return event_queue_put_log(client->run->queue,
							   level <= LOG_WARNING ? SOURCE_LOG_WARNING
							   : level <= LOG_INFO  ? SOURCE_LOG_INFO
													: SOURCE_LOG_DEBUG,
							   error, "librdkafka %s: %s", facility, text);
}

static bool
judge_error(KafkaClient *client, rd_kafka_event_t *event, IngestError *error)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);
	char fatal[256];

	switch (code)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
			return ingest_fail(error, INGEST_ERROR_DENIED, "%s", text);
		case RD_KAFKA_RESP_ERR__BAD_MSG:
			ingest_fail(error, INGEST_ERROR_LIMIT, "%s", text);
			return ingest_hint(error, "Set \"receive.message.max.bytes\" above the size of the largest message; if the "
									  "size makes no sense, \"security.protocol\" does not fit the broker's port.");
		case RD_KAFKA_RESP_ERR__FATAL:
			rd_kafka_fatal_error(client->handle, fatal, sizeof(fatal));
			return ingest_fail(error, INGEST_ERROR_TRANSIENT, "librdkafka: %s", fatal);
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
			kafka_client_unreachable(client, client->reason[0] != '\0' ? client->reason : text);
			return true;
		default:
			/* The reason of a "down" that may follow. */
			snprintf(client->reason, sizeof(client->reason), "%s", text);
			return true;
	}
}

/* Serve the handle's events for up to "timeout_ms".  False: an error that ends the source, or stopped. */
bool
kafka_client_serve(KafkaClient *client, int timeout_ms, IngestError *error)
{
	rd_kafka_event_t *event;
	bool good = true;

	while (good && (event = rd_kafka_queue_poll(client->events, timeout_ms)) != NULL)
	{
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG)
			good = forward_log(client, event, error);
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
			good = judge_error(client, event, error);
		rd_kafka_event_destroy(event);
		timeout_ms = 0;
	}
	return good && tell_unreachable(client, error);
}

/* ---- asking ---------------------------------------------------------------- */

static bool
judge_topic(const char *topic, const rd_kafka_metadata_topic_t *metadata, int32_t *count, IngestError *error)
{
	if (metadata->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return ingest_fail(error, INGEST_ERROR_NOT_FOUND, "topic \"%s\" does not exist", topic);
	if (metadata->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return ingest_fail(error, kafka_error_kind(metadata->err), "topic \"%s\": %s", topic,
						   rd_kafka_err2str(metadata->err));
	if (metadata->partition_cnt <= 0)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "topic \"%s\" has no partitions yet", topic);
	*count = metadata->partition_cnt;
	return true;
}

/* The number of partitions; see the header. */
bool
kafka_client_partition_count(KafkaClient *client, const char *topic, int timeout_ms, int32_t *count, IngestError *error)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client->handle, topic, NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;
	bool good;

	if (handle == NULL)
		return fail_with(rd_kafka_last_error(), topic, error);
	code = rd_kafka_metadata(client->handle, 0, handle, &metadata, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		good = ingest_fail(error, kafka_error_kind(code), "metadata of topic \"%s\": %s", topic,
						   client->reason[0] != '\0' ? client->reason : rd_kafka_err2str(code));
	else if (metadata->topic_cnt != 1)
		good = ingest_fail(error, INGEST_ERROR_TRANSIENT, "metadata of topic \"%s\": no answer", topic);
	else
		good = judge_topic(topic, &metadata->topics[0], count, error);
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
	return good;
}

static rd_kafka_topic_partition_list_t *
list_of(KafkaPartition *const *partitions, size_t count, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int) count);

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, partitions[i]->topic, partitions[i]->number)->offset = offset;
	return list;
}

/* Ask for the offset of one special or ordinary time, for each partition of the list. */
static bool
look_up(KafkaClient *client, rd_kafka_topic_partition_list_t *list, int timeout_ms, IngestError *error)
{
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->handle, list, timeout_ms);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return ingest_fail(error, kafka_error_kind(code), "offsets of topic \"%s\": %s", list->elems[0].topic,
						   rd_kafka_err2str(code));
	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
			return ingest_fail(error, kafka_error_kind(list->elems[i].err), "offsets of topic \"%s\" partition %d: %s",
							   list->elems[i].topic, list->elems[i].partition, rd_kafka_err2str(list->elems[i].err));
	return true;
}

static bool
look_up_ends(KafkaClient *client, KafkaPartition *const *partitions, size_t count, int64_t which, int timeout_ms,
			 IngestError *error)
{
	rd_kafka_topic_partition_list_t *list = list_of(partitions, count, which);
	bool good = look_up(client, list, timeout_ms, error);

	for (int i = 0; good && i < list->cnt; i++)
	{
		KafkaPartition *partition = partitions[i];

		/* An answer that holds no offset is none. */
		if (list->elems[i].offset < 0)
			good = ingest_fail(error, INGEST_ERROR_TRANSIENT, "offsets of topic \"%s\" partition %d: no answer",
							   partition->topic, partition->number);
		else if (which == RD_KAFKA_OFFSET_BEGINNING)
			partition->low = list->elems[i].offset;
		else
			partition->high = list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return good;
}

/* Set low and high of "count" partitions; see the header. */
bool
kafka_client_watermarks(KafkaClient *client, KafkaPartition *const *partitions, size_t count, int timeout_ms,
						IngestError *error)
{
	if (count == 0)
		return true;
	return look_up_ends(client, partitions, count, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, error) &&
		   look_up_ends(client, partitions, count, RD_KAFKA_OFFSET_END, timeout_ms, error);
}

/* Set high of "count" partitions; see the header. */
bool
kafka_client_high_watermarks(KafkaClient *client, KafkaPartition *const *partitions, size_t count, int timeout_ms,
							 IngestError *error)
{
	return count == 0 || look_up_ends(client, partitions, count, RD_KAFKA_OFFSET_END, timeout_ms, error);
}

/* The first offset whose message is not older than "timestamp_ms"; the known high where there is none. */
bool
kafka_client_offset_at(KafkaClient *client, const KafkaPartition *partition, int64_t timestamp_ms, int timeout_ms,
					   int64_t *offset, IngestError *error)
{
	KafkaPartition *one = (KafkaPartition *) partition;
	rd_kafka_topic_partition_list_t *list = list_of(&one, 1, timestamp_ms);
	bool good = look_up(client, list, timeout_ms, error);

	if (good)
		*offset = list->elems[0].offset >= 0 ? list->elems[0].offset : partition->high;
	rd_kafka_topic_partition_list_destroy(list);
	return good;
}
