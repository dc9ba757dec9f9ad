/*-------------------------------------------------------------------------
 *
 * kafka_config.c
 *	  The declaration of a kafka_input: topics, partitions, and the start in every
 *	  spelling that Feldera has or had.
 *
 * spelling								start
 * topic								latest
 * topic, start_from					as it says: "earliest", "latest", {"offsets": [...]}, {"timestamp": ms}
 * topics								auto.offset.reset, latest where it is absent
 * start_from: [...] or seek: [...]		the offsets named; other partitions at auto.offset.reset
 *
 * "latest" by auto.offset.reset with topics (and nothing else) stays symbolic until the
 * gate opens; every other start becomes a number right after the declaration.
 *
 * Nothing here touches network or files.  Results lie in the caller's arena and point into
 * the tree.  All errors are INVALID with the JSON path, UNSUPPORTED for what Feldera has and this
 * code does not.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/kafka_internal.h"

#define PATH KAFKA_CONFIG_PATH
#define MAX_TOPIC_LENGTH 249 /* the broker's own limit */
#define MAX_LIST 100000

/* Every option of our own; all others are librdkafka's. */
static const char *const option_names[] = {"topic",
										   "topics",
										   "start_from",
										   "seek",
										   "partitions",
										   "log_level",
										   "group_join_timeout_secs",
										   "poller_threads",
										   "resume_earliest_if_data_expires",
										   "include_headers",
										   "include_topic",
										   "include_partition",
										   "include_offset",
										   "include_timestamp",
										   "synchronize_partitions",
										   "header_filter",
										   "region",
										   "kafka_service",
										   "fault_tolerance",
										   NULL};

/* May this key change while the position is kept? */
bool
kafka_config_keeps_position(const char *key)
{
	static const char *const meaning[] = {
		"topic", "topics", "partitions", "start_from", "seek", "auto.offset.reset", "enable.partition.eof"};

	for (size_t i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++)
		if (strcmp(key, meaning[i]) == 0)
			return false;
	return true;
}

/* ---- keys ------------------------------------------------------------------ */

static bool
is_option(const char *key)
{
	for (size_t i = 0; option_names[i] != NULL; i++)
		if (strcmp(key, option_names[i]) == 0)
			return true;
	return false;
}

static bool
check_keys(const JsonValue *config, IngestError *error)
{
	for (size_t i = 0; i < config->count; i++)
	{
		const char *key = config->members[i].key.data;
		NearestName nearest = {0};

		if (is_option(key) || kafka_property_is_passed(key))
			continue;
		for (size_t j = 0; option_names[j] != NULL; j++)
			nearest_name_offer(&nearest, key, option_names[j]);
		ingest_fail(error, INGEST_ERROR_INVALID,
					PATH ": \"%.100s\" is neither an option of kafka_input nor, having no dot, one of librdkafka", key);
		if (nearest.name != NULL)
			return ingest_hint(error, "Perhaps you meant \"%s\".", nearest.name);
		return ingest_hint(error, "Options are topic, topics, start_from, seek, partitions, log_level, "
								  "group_join_timeout_secs, resume_earliest_if_data_expires, and librdkafka's.");
	}
	return true;
}

/* What Feldera has and we do not is refused where it would change the rows, and accepted where it is off. */
static bool
check_unsupported(const JsonValue *config, IngestError *error)
{
	static const char *const switches[] = {"include_headers", "include_topic",     "include_partition",
										   "include_offset",  "include_timestamp", "synchronize_partitions"};
	static const char *const others[] = {"header_filter", "region"};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
	{
		bool on = false;

		if (!option_boolean(config, PATH, switches[i], &on, error))
			return false;
		if (on)
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, PATH ".%s: not supported", switches[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		const JsonValue *value = json_get(config, others[i]);

		if (value != NULL && value->type != JSON_TYPE_NULL)
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, PATH ".%s: not supported", others[i]);
	}
	return true;
}

/* ---- topics ---------------------------------------------------------------- */

static bool
check_topic(const JsonValue *value, const char *path, IngestError *error)
{
	static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	Span name = value->text;

	if (value->type != JSON_TYPE_STRING)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be a string", path);
	if (name.length == 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must not be empty", path);
	if (name.length > MAX_TOPIC_LENGTH || strspn(name.data, allowed) != name.length)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "%s: \"%.250s\" is not a topic's name", path, name.data);
		return ingest_hint(error, "Names are made of at most %d letters, digits, \".\", \"_\" and \"-\".",
						   MAX_TOPIC_LENGTH);
	}
	return true;
}

static bool
parse_topic_list(const JsonValue *list, Arena *arena, KafkaConfig *out, IngestError *error)
{
	if (list->type != JSON_TYPE_ARRAY || list->count == 0 || list->count > MAX_LIST)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ".topics: must be a list of topics");
	out->topics = arena_alloc_array(arena, list->count, sizeof(char *));
	if (out->topics == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < list->count; i++)
	{
		char path[64];

		snprintf(path, sizeof(path), PATH ".topics[%zu]", i);
		if (!check_topic(list->elements[i], path, error))
			return false;
		for (size_t j = 0; j < i; j++)
			if (strcmp(out->topics[j], list->elements[i]->text.data) == 0)
				return ingest_fail(error, INGEST_ERROR_INVALID, "%s: \"%s\" is listed twice", path, out->topics[j]);
		out->topics[i] = list->elements[i]->text.data;
	}
	out->topic_count = list->count;
	return true;
}

static bool
parse_topics(const JsonValue *config, Arena *arena, KafkaConfig *out, IngestError *error)
{
	const JsonValue *topic = json_get(config, "topic");
	const JsonValue *topics = json_get(config, "topics");

	if (topic != NULL && topics != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ": both \"topic\" and \"topics\" are given");
	if (topics != NULL)
		return parse_topic_list(topics, arena, out, error);
	if (topic == NULL)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".topic: missing");
		return ingest_hint(error, "Give one \"topic\", or a list of \"topics\".");
	}
	if (!check_topic(topic, PATH ".topic", error))
		return false;
	out->topics = arena_alloc_array(arena, 1, sizeof(char *));
	if (out->topics == NULL)
		return ingest_out_of_memory(error);
	out->topics[0] = topic->text.data;
	out->topic_count = 1;
	return true;
}

/* ---- lists of numbers ------------------------------------------------------ */

static bool
parse_number(const JsonValue *value, const char *path, int64_t maximum, int64_t *out, IngestError *error)
{
	if (value == NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: missing", path);
	if (!json_to_int64(value, out))
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be an integer", path);
	if (*out < 0 || *out > maximum)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: %" PRId64 " is out of range", path, *out);
	return true;
}

/* A non-empty list of integers from 0 to "maximum"; the array lies in the arena. */
static bool
parse_numbers(const JsonValue *list, const char *path, int64_t maximum, Arena *arena, int64_t **out, size_t *count,
			  IngestError *error)
{
	if (list->type != JSON_TYPE_ARRAY || list->count == 0 || list->count > MAX_LIST)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be a list of integers", path);
	*out = arena_alloc_array(arena, list->count, sizeof(int64_t));
	if (*out == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < list->count; i++)
	{
		char item[128];

		snprintf(item, sizeof(item), "%s[%zu]", path, i);
		if (!parse_number(list->elements[i], item, maximum, &(*out)[i], error))
			return false;
	}
	*count = list->count;
	return true;
}

static bool
parse_partitions(const JsonValue *config, Arena *arena, KafkaConfig *out, IngestError *error)
{
	const JsonValue *list = json_get(config, "partitions");
	int64_t *numbers;

	if (list == NULL || list->type == JSON_TYPE_NULL)
		return true;
	if (out->topic_count != 1)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ".partitions: needs exactly one topic");
	if (!parse_numbers(list, PATH ".partitions", INT32_MAX, arena, &numbers, &out->partition_count, error))
		return false;
	out->partitions = arena_alloc_array(arena, out->partition_count, sizeof(int32_t));
	if (out->partitions == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < out->partition_count; i++)
	{
		out->partitions[i] = (int32_t) numbers[i];
		for (size_t j = 0; j < i; j++)
			if (numbers[i] == numbers[j])
				return ingest_fail(error, INGEST_ERROR_INVALID, PATH ".partitions[%zu]: %" PRId64 " is listed twice", i,
								   numbers[i]);
	}
	return true;
}

/* ---- the start ------------------------------------------------------------- */

static bool
is_configured_topic(const KafkaConfig *config, const char *topic)
{
	for (size_t i = 0; i < config->topic_count; i++)
		if (strcmp(config->topics[i], topic) == 0)
			return true;
	return false;
}

static bool
is_configured_partition(const KafkaConfig *config, int32_t partition)
{
	for (size_t i = 0; i < config->partition_count; i++)
		if (config->partitions[i] == partition)
			return true;
	return config->partition_count == 0;
}

/* {"topic": ..., "partition": ..., "offset": ...}; the topic may be left out where there is only one. */
static bool
parse_seek_entry(const JsonValue *entry, const char *path, const KafkaConfig *config, KafkaSeek *out,
				 IngestError *error)
{
	static const char *const keys[] = {"topic", "partition", "offset", NULL};
	const JsonValue *topic = json_get(entry, "topic");
	char field[128];
	int64_t partition;

	if (entry->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be {\"topic\", \"partition\", \"offset\"}", path);
	if (!option_check_keys(entry, path, keys, error))
		return false;
	snprintf(field, sizeof(field), "%s.topic", path);
	if (topic == NULL && config->topic_count != 1)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: missing", field);
	if (topic != NULL && !check_topic(topic, field, error))
		return false;
	out->topic = topic == NULL ? config->topics[0] : topic->text.data;
	if (!is_configured_topic(config, out->topic))
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: \"%s\" is not one of the connector's topics", field,
						   out->topic);
	snprintf(field, sizeof(field), "%s.partition", path);
	if (!parse_number(json_get(entry, "partition"), field, INT32_MAX, &partition, error))
		return false;
	out->partition = (int32_t) partition;
	if (!is_configured_partition(config, out->partition))
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: %d is not one of the connector's partitions", field,
						   out->partition);
	snprintf(field, sizeof(field), "%s.offset", path);
	return parse_number(json_get(entry, "offset"), field, INT64_MAX, &out->offset, error);
}

static bool
parse_seek(const JsonValue *list, const char *path, Arena *arena, KafkaConfig *out, IngestError *error)
{
	if (list->type != JSON_TYPE_ARRAY || list->count == 0 || list->count > MAX_LIST)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be a list of {\"topic\", \"partition\", \"offset\"}",
						   path);
	out->start = KAFKA_START_SEEK;
	out->seeks = arena_alloc_array(arena, list->count, sizeof(KafkaSeek));
	if (out->seeks == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < list->count; i++)
	{
		char item[96];
		KafkaSeek *seek = &out->seeks[i];

		snprintf(item, sizeof(item), "%s[%zu]", path, i);
		if (!parse_seek_entry(list->elements[i], item, out, seek, error))
			return false;
		for (size_t j = 0; j < i; j++)
			if (out->seeks[j].partition == seek->partition && strcmp(out->seeks[j].topic, seek->topic) == 0)
				return ingest_fail(error, INGEST_ERROR_INVALID, "%s: topic \"%s\" partition %d is named twice", item,
								   seek->topic, seek->partition);
	}
	out->seek_count = list->count;
	return true;
}

/* {"offsets": [...]} or {"timestamp": ms} */
static bool
parse_start_object(const JsonValue *start, Arena *arena, KafkaConfig *out, IngestError *error)
{
	static const char *const keys[] = {"offsets", "timestamp", NULL};
	const JsonValue *offsets = json_get(start, "offsets");
	const JsonValue *timestamp = json_get(start, "timestamp");

	if (!option_check_keys(start, PATH ".start_from", keys, error))
		return false;
	if ((offsets == NULL) == (timestamp == NULL))
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   PATH ".start_from: must hold either \"offsets\" or \"timestamp\"");
	if (timestamp != NULL)
	{
		out->start = KAFKA_START_TIMESTAMP;
		return parse_number(timestamp, PATH ".start_from.timestamp", INT64_MAX, &out->timestamp_ms, error);
	}
	out->start = KAFKA_START_OFFSETS;
	if (out->topic_count != 1)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".start_from.offsets: needs exactly one topic");
		return ingest_hint(error, "With several topics use the form [{\"topic\", \"partition\", \"offset\"}].");
	}
	if (!parse_numbers(offsets, PATH ".start_from.offsets", INT64_MAX, arena, &out->offsets, &out->offset_count, error))
		return false;
	if (out->partition_count > 0 && out->partition_count != out->offset_count)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   PATH ".start_from.offsets: %zu offsets for %zu partitions in \"partitions\"",
						   out->offset_count, out->partition_count);
	return true;
}

static bool
parse_start_from(const JsonValue *start, Arena *arena, KafkaConfig *out, IngestError *error)
{
	if (start->type == JSON_TYPE_ARRAY)
		return parse_seek(start, PATH ".start_from", arena, out, error);
	if (start->type == JSON_TYPE_OBJECT)
		return parse_start_object(start, arena, out, error);
	if (start->type == JSON_TYPE_STRING && strcmp(start->text.data, "earliest") == 0)
		out->start = KAFKA_START_EARLIEST;
	else if (start->type == JSON_TYPE_STRING && strcmp(start->text.data, "latest") == 0)
		out->start = KAFKA_START_LATEST;
	else
	{
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".start_from: not a start");
		return ingest_hint(error, "It is \"earliest\", \"latest\", {\"offsets\": [...]}, {\"timestamp\": milliseconds} "
								  "or [{\"topic\", \"partition\", \"offset\"}].");
	}
	return true;
}

/* librdkafka's names of the two ends; absent is latest. */
static bool
parse_reset(const JsonValue *config, KafkaStart *out, IngestError *error)
{
	static const char *const early[] = {"earliest", "smallest", "beginning"};
	static const char *const late[] = {"latest", "largest", "end"};
	const char *text = option_text(config, "auto.offset.reset");

	*out = KAFKA_START_LATEST;
	if (json_get(config, "auto.offset.reset") == NULL)
		return true;
	for (size_t i = 0; text != NULL && i < 3; i++)
	{
		if (strcmp(text, early[i]) == 0)
			*out = KAFKA_START_EARLIEST;
		if (strcmp(text, early[i]) == 0 || strcmp(text, late[i]) == 0)
			return true;
	}
	ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"auto.offset.reset\"]: not a start");
	return ingest_hint(error, "It is earliest or latest.");
}

static bool
parse_start(const JsonValue *config, Arena *arena, KafkaConfig *out, IngestError *error)
{
	const JsonValue *start = json_get(config, "start_from");
	const JsonValue *seek = json_get(config, "seek");
	bool by_topics = json_get(config, "topics") != NULL;
	KafkaStart reset;

	if (start != NULL && start->type == JSON_TYPE_NULL)
		start = NULL;
	if (seek != NULL && seek->type == JSON_TYPE_NULL)
		seek = NULL;
	if (!parse_reset(config, &reset, error))
		return false;
	out->fallback = reset;
	if (start != NULL && seek != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ": both \"start_from\" and \"seek\" are given");
	if (start != NULL && !parse_start_from(start, arena, out, error))
		return false;
	if (seek != NULL && !parse_seek(seek, PATH ".seek", arena, out, error))
		return false;
	if (start == NULL && seek == NULL)
		out->start = by_topics ? reset : KAFKA_START_LATEST;
	out->latest_symbolic = by_topics && start == NULL && reset == KAFKA_START_LATEST;
	if (out->start != KAFKA_START_SEEK && !(by_topics && start == NULL))
		out->ignored_reset = option_text(config, "auto.offset.reset");
	return true;
}

/* ---- the whole ------------------------------------------------------------- */

static bool
check_log_level(const JsonValue *config, IngestError *error)
{
	static const char *const names[] = {"emerg", "alert", "critical", "error", "warning", "notice", "info", "debug"};
	const char *text = option_text(config, "log_level");

	if (json_get(config, "log_level") == NULL)
		return true;
	for (size_t i = 0; text != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return true;
	ingest_fail(error, INGEST_ERROR_INVALID, PATH ".log_level: not a level");
	return ingest_hint(error, "Levels are emerg, alert, critical, error, warning, notice, info, debug.");
}

/* Parse transport.config; *out and what it points to live as long as the arena and the tree. */
bool
kafka_config_parse(const JsonValue *config, Arena *arena, KafkaConfig *out, IngestError *error)
{
	int64_t seconds = 10;
	int64_t threads = 1;

	memset(out, 0, sizeof(*out));
	if (!check_keys(config, error) || !check_unsupported(config, error) || !parse_topics(config, arena, out, error) ||
		!parse_partitions(config, arena, out, error) || !parse_start(config, arena, out, error) ||
		!option_integer(config, PATH, "group_join_timeout_secs", 1, 3600, &seconds, error) ||
		!option_integer(config, PATH, "poller_threads", 1, 1000, &threads, error) || !check_log_level(config, error) ||
		!option_boolean(config, PATH, "enable.partition.eof", &out->stop_at_end, error) ||
		!option_boolean(config, PATH, "resume_earliest_if_data_expires", &out->resume_earliest, error))
		return false;
	if (option_text(config, "bootstrap.servers") == NULL && option_text(config, "metadata.broker.list") == NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"bootstrap.servers\"]: missing");
	/* One may come with a secret that is meant for these brokers only, and librdkafka would follow the other. */
	if (option_text(config, "bootstrap.servers") != NULL && option_text(config, "metadata.broker.list") != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   PATH ": \"bootstrap.servers\" and \"metadata.broker.list\" mean the same; give one of them");
	out->open_timeout_ms = seconds * 1000;
	return true;
}
