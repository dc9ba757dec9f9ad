/*-------------------------------------------------------------------------
 *
 * kafka_tool.c
 *	  What the tests ask of a real broker, by librdkafka.
 *
 *	  kafka_tool BROKERS create TOPIC PARTITIONS [NAME=VALUE ...]
 *	  kafka_tool BROKERS delete TOPIC
 *	  kafka_tool BROKERS partitions TOPIC TOTAL			grow to TOTAL partitions
 *	  kafka_tool BROKERS trim TOPIC PARTITION OFFSET	delete the records before OFFSET
 *	  kafka_tool BROKERS watermarks TOPIC PARTITION		prints "LOW HIGH"
 *	  kafka_tool BROKERS produce TOPIC PARTITION [NAME=VALUE ...]	a message a line of standard input
 *	  kafka_tool BROKERS message TOPIC PARTITION [NAME=VALUE ...]	all of standard input is one message
 *	  kafka_tool BROKERS keyed TOPIC PARTITION KEY		the same with a key
 *	  kafka_tool BROKERS tombstone TOPIC PARTITION		one message with a null value
 *	  kafka_tool BROKERS transaction TOPIC PARTITION commit|abort	as produce, in one transaction
 *	  kafka_tool BROKERS ready							waits until the broker answers
 *
 * PARTITION -1 lets the partitioner choose.  NAME=VALUE are topic settings (create) or client properties.
 * Exit status 0 only when every message was acknowledged.
 *
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000

static long acknowledged, refused;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "kafka_tool: %s: %s\n", what, why);
	exit(1);
}

static void
on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void) client;
	(void) opaque;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		acknowledged++;
	else if (refused++ == 0)
		fprintf(stderr, "kafka_tool: delivery: %s\n", rd_kafka_err2str(message->err));
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[512];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		fail(name, text);
}

static rd_kafka_t *
connect_to(const char *brokers, char **properties, int count, const char *transaction)
{
	char text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client;

	set(conf, "bootstrap.servers", brokers);
	set(conf, "linger.ms", "5");
	set(conf, "enable.idempotence", "true");
	set(conf, "queue.buffering.max.messages", "1000000");
	set(conf, "queue.buffering.max.kbytes", "262144");
	set(conf, "message.max.bytes", "104857600");
	set(conf, "log_level", "3");
	if (transaction != NULL)
		set(conf, "transactional.id", transaction);
	for (int i = 0; i < count; i++)
	{
		char *equals = strchr(properties[i], '=');

		if (equals == NULL)
			fail(properties[i], "NAME=VALUE was expected");
		*equals = '\0';
		set(conf, properties[i], equals + 1);
	}
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (client == NULL)
		fail("client", text);
	return client;
}

/* Wait for an admin request's answer and check each of its topics (or records, or the event itself). */
static void
check_admin(rd_kafka_queue_t *queue, const char *what)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
	const rd_kafka_topic_result_t **results = NULL;
	size_t count = 0;

	if (event == NULL)
		fail(what, "no answer");
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(what, rd_kafka_event_error_string(event));
	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
			results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
			break;
		case RD_KAFKA_EVENT_DELETETOPICS_RESULT:
			results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
			break;
		case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
			results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
			break;
		default:
			break;
	}
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail(what, rd_kafka_topic_result_error_string(results[i]));
	rd_kafka_event_destroy(event);
}

static void
create_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, char **arguments, int count)
{
	char text[512];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(arguments[0], atoi(arguments[1]), 1, text, sizeof(text));

	if (topic == NULL)
		fail("create", text);
	for (int i = 2; i < count; i++)
	{
		char *equals = strchr(arguments[i], '=');

		if (equals == NULL)
			fail(arguments[i], "NAME=VALUE was expected");
		*equals = '\0';
		rd_kafka_NewTopic_set_config(topic, arguments[i], equals + 1);
	}
	rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
	check_admin(queue, "create");
	rd_kafka_NewTopic_destroy(topic);
}

static void
delete_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name)
{
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);

	rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
	check_admin(queue, "delete");
	rd_kafka_DeleteTopic_destroy(topic);
}

static void
grow_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name, int total)
{
	char text[512];
	rd_kafka_NewPartitions_t *partitions = rd_kafka_NewPartitions_new(name, (size_t) total, text, sizeof(text));

	if (partitions == NULL)
		fail("partitions", text);
	rd_kafka_CreatePartitions(client, &partitions, 1, NULL, queue);
	check_admin(queue, "partitions");
	rd_kafka_NewPartitions_destroy(partitions);
}

static void
trim_partition(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic, int partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_DeleteRecords_t *request;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
	check_admin(queue, "trim");
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
}

static void
print_watermarks(rd_kafka_t *client, const char *topic, int partition)
{
	int64_t low, high;
	rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, WAIT_MS);

	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("watermarks", rd_kafka_err2str(error));
	printf("%lld %lld\n", (long long) low, (long long) high);
}

static void
wait_ready(rd_kafka_t *client)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, NULL, &metadata, WAIT_MS);

	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("ready", rd_kafka_err2str(error));
	rd_kafka_metadata_destroy(metadata);
}

/* value null: a tombstone; key null: none */
static void
send_message(rd_kafka_t *client, const char *topic, int partition, const char *key, char *value, size_t length)
{
	size_t key_length = key != NULL ? strlen(key) : 0;
	rd_kafka_resp_err_t error;

	for (;;)
	{
		error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
								  RD_KAFKA_V_KEY((void *) key, key_length), RD_KAFKA_V_VALUE(value, length),
								  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(client, 100);
	}
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("produce", rd_kafka_err2str(error));
	rd_kafka_poll(client, 0);
}

static void
send_lines(rd_kafka_t *client, const char *topic, int partition)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;

	while ((length = getline(&line, &capacity, stdin)) >= 0)
	{
		if (length > 0 && line[length - 1] == '\n')
			length--;
		send_message(client, topic, partition, NULL, line, (size_t) length);
	}
	free(line);
}

static void
send_whole_input(rd_kafka_t *client, const char *topic, int partition, const char *key)
{
	char *data = NULL;
	size_t length = 0, capacity = 0, got;

	do
	{
		if (length == capacity)
		{
			capacity = capacity == 0 ? 65536 : capacity * 2;
			data = realloc(data, capacity);
			if (data == NULL)
				fail("message", "out of memory");
		}
		got = fread(data + length, 1, capacity - length, stdin);
		length += got;
	} while (got > 0);
	send_message(client, topic, partition, key, data, length);
	free(data);
}

static void
check_transaction(rd_kafka_error_t *error, const char *what)
{
	if (error != NULL)
		fail(what, rd_kafka_error_string(error));
}

static void
send_transaction(rd_kafka_t *client, const char *topic, int partition, bool commit)
{
	check_transaction(rd_kafka_init_transactions(client, WAIT_MS), "init transactions");
	check_transaction(rd_kafka_begin_transaction(client), "begin");
	send_lines(client, topic, partition);
	if (commit)
		check_transaction(rd_kafka_commit_transaction(client, WAIT_MS), "commit");
	else
	{
		rd_kafka_flush(client, WAIT_MS); /* the messages must be in the log before they are aborted */
		check_transaction(rd_kafka_abort_transaction(client, WAIT_MS), "abort");
	}
}

int
main(int count, char **arguments)
{
	if (count < 3 || (count < 4 && strcmp(arguments[2], "ready") != 0))
	{
		fprintf(stderr, "usage: kafka_tool BROKERS COMMAND TOPIC ...\n");
		return 2;
	}
	const char *command = arguments[2];
	const char *topic = arguments[3];
	int partition = count > 4 ? atoi(arguments[4]) : 0;
	bool properties = strcmp(command, "produce") == 0 || strcmp(command, "message") == 0;
	rd_kafka_t *client = connect_to(arguments[1], arguments + 5, properties && count > 5 ? count - 5 : 0,
									strcmp(command, "transaction") == 0 ? "kafka_tool" : NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);

	if (strcmp(command, "create") == 0)
		create_topic(client, queue, arguments + 3, count - 3);
	else if (strcmp(command, "delete") == 0)
		delete_topic(client, queue, topic);
	else if (strcmp(command, "partitions") == 0)
		grow_topic(client, queue, topic, partition);
	else if (strcmp(command, "trim") == 0 && count > 5)
		trim_partition(client, queue, topic, partition, atoll(arguments[5]));
	else if (strcmp(command, "watermarks") == 0)
		print_watermarks(client, topic, partition);
	else if (strcmp(command, "produce") == 0)
		send_lines(client, topic, partition);
	else if (strcmp(command, "message") == 0)
		send_whole_input(client, topic, partition, NULL);
	else if (strcmp(command, "keyed") == 0 && count > 5)
		send_whole_input(client, topic, partition, arguments[5]);
	else if (strcmp(command, "tombstone") == 0)
		send_message(client, topic, partition, NULL, NULL, 0);
	else if (strcmp(command, "transaction") == 0 && count > 5)
		send_transaction(client, topic, partition, strcmp(arguments[5], "commit") == 0);
	else if (strcmp(command, "ready") == 0)
		wait_ready(client);
	else
		fail(command, "unknown command, or an argument is missing");

	rd_kafka_flush(client, WAIT_MS);
	if (rd_kafka_outq_len(client) > 0)
		fail("flush", "not all messages were acknowledged in time");
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return refused > 0 ? 1 : 0;
}
