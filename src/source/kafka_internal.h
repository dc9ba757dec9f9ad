/*-------------------------------------------------------------------------
 *
 * kafka_internal.h
 *	  What the files of the Kafka source share.  Not for other transports.
 *
 *	kafka_config	 the declaration: where to start, which partitions
 *	kafka_property	 librdkafka's own properties, passed through or refused
 *	kafka_client	 the handle: errors and logs, metadata, watermarks, time look-ups
 *	kafka_start		 the start of each partition as a number; the pin
 *	kafka_batch		 messages to batches with their moves
 *	kafka_watch		 a thread beside: status, watermarks, topics that vanish or grow
 *	kafka_input		 the routine and its loop
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_KAFKA_INTERNAL_H
#define INGEST_KAFKA_INTERNAL_H

#include <pthread.h>

#include <librdkafka/rdkafka.h>

#include "format/format.h"
#include "source/source_internal.h"

#define KAFKA_CONFIG_PATH "$.transport.config"

/* ---- kafka_config.c ------------------------------------------------------------- */

typedef enum KafkaStart
{
	KAFKA_START_EARLIEST,
	KAFKA_START_LATEST,
	KAFKA_START_OFFSETS,   /* by index of the partition */
	KAFKA_START_TIMESTAMP, /* the first message that is not older */
	KAFKA_START_SEEK       /* by topic and partition; who is not named starts at the fallback */
} KafkaStart;

typedef struct KafkaSeek
{
	const char *topic;
	int32_t partition;
	int64_t offset;
} KafkaSeek;

/* Everything lies in the arena the parser was given. */
typedef struct KafkaConfig
{
	size_t topic_count;
	const char **topics;
	size_t partition_count; /* 0: all */
	int32_t *partitions;
	KafkaStart start;
	int64_t timestamp_ms;
	size_t offset_count;
	int64_t *offsets;
	size_t seek_count;
	KafkaSeek *seeks;
	KafkaStart fallback;  /* SEEK: EARLIEST or LATEST */
	bool latest_symbolic; /* "latest" is found when the gate opens, not right after the declaration */
	bool stop_at_end;     /* enable.partition.eof: the backfill ends at the end seen at the first start */
	bool resume_earliest; /* resume_earliest_if_data_expires */
	int64_t open_timeout_ms;
	const char *ignored_reset; /* auto.offset.reset where it has no effect, or null */
} KafkaConfig;

extern bool
kafka_config_parse(const JsonValue *config, Arena *arena, KafkaConfig *out, IngestError *error) INGEST_MUST_CHECK;
extern bool kafka_config_keeps_position(const char *key);

/* ---- kafka_property.c ----------------------------------------------------------- */

/* Set librdkafka's properties: our own defaults, the user's, those we force.  DENIED, INVALID. */
extern bool kafka_properties_set(const JsonValue *config, const SourceRights *rights, rd_kafka_conf_t *properties,
								 IngestError *error) INGEST_MUST_CHECK;
extern bool kafka_property_is_secret(const char *key);

/* Is this key handed to librdkafka (as Feldera decides it: a dot, or one of three names)? */
extern bool kafka_property_is_passed(const char *key);

/* ---- kafka_client.c ------------------------------------------------------------- */

/* One partition on its way.  "next" is written by the reading thread only, low and high by both; never freed
 * while the source runs. */
typedef struct KafkaPartition
{
	const char *topic; /* the configuration's */
	int32_t number;
	int64_t start;
	int64_t end; /* -1: none */
	int64_t declared_low;
	int64_t declared_high;
	int64_t emitted; /* where the moves put into the queue end */
	int64_t lost;    /* between emitted and next: offsets that had expired unread */
	bool added;      /* not in the stored position */
	_Atomic int64_t next;
	_Atomic int64_t low;  /* -1 unknown */
	_Atomic int64_t high; /* of what the isolation level lets us see; -1 unknown */
	_Atomic int64_t newest_timestamp_ms;
} KafkaPartition;

typedef struct KafkaClient
{
	SourceRun *run;
	const KafkaConfig *config;
	rd_kafka_t *handle;
	rd_kafka_queue_t *events;     /* errors and log lines */
	bool needs_wake_up;           /* an old librdkafka: see kafka_watch.c */
	int64_t unreachable_since_ms; /* 0: brokers answer, as last heard */
	bool unreachable;             /* for so long that it was told; logged at each change */
	char reason[256];             /* librdkafka's text of it */
} KafkaClient;

extern bool
kafka_client_open(SourceRun *run, const KafkaConfig *config, KafkaClient *out, IngestError *error) INGEST_MUST_CHECK;
/* May hang where librdkafka does; see source_put_last. */
extern void kafka_client_close(KafkaClient *client);

/* Take errors and log lines for up to "timeout_ms".  False: one of them ends the source. One thread at a time. */
extern bool kafka_client_serve(KafkaClient *client, int timeout_ms, IngestError *error) INGEST_MUST_CHECK;

/* A call got an answer, or did not: logged where that is a change, the silence when it lasts. */
extern bool kafka_client_reachable(KafkaClient *client, IngestError *error) INGEST_MUST_CHECK;
extern void kafka_client_unreachable(KafkaClient *client, const char *reason);

/* Number of partitions of a topic.  NOT_FOUND, DENIED, TRANSIENT. */
extern bool kafka_client_partition_count(KafkaClient *client, const char *topic, int timeout_ms, int32_t *count,
										 IngestError *error) INGEST_MUST_CHECK;
/* Ask for low and high of all these at once. TRANSIENT, NOT_FOUND, DENIED. */
extern bool kafka_client_watermarks(KafkaClient *client, KafkaPartition *const *partitions, size_t count,
									int timeout_ms, IngestError *error) INGEST_MUST_CHECK;
extern bool kafka_client_high_watermarks(KafkaClient *client, KafkaPartition *const *partitions, size_t count,
										 int timeout_ms, IngestError *error) INGEST_MUST_CHECK;
/* The first offset whose message is not older; the partition's high where there is none. */
extern bool kafka_client_offset_at(KafkaClient *client, const KafkaPartition *partition, int64_t timestamp_ms,
								   int timeout_ms, int64_t *offset, IngestError *error) INGEST_MUST_CHECK;
/* What a code of librdkafka means to the connector. */
extern IngestErrorKind kafka_error_kind(rd_kafka_resp_err_t code);
extern int64_t kafka_clock_ms(void); /* monotonic */

/* ---- kafka_start.c --------------------------------------------------------------- */

/* The partitions of a source, in the order of topics and numbers.  The array grows under the lock;
 * only the reading thread changes it. */
typedef struct KafkaPartitions
{
	pthread_mutex_t lock;
	size_t count;
	KafkaPartition **items;
} KafkaPartitions;

typedef struct KafkaReader KafkaReader;

/* Fill reader->partitions from the stored position, the declaration and the brokers; put the pin and wait for
 * its acknowledgement where it says something new; check that every position still exists. */
extern bool kafka_start(KafkaReader *reader, IngestError *error) INGEST_MUST_CHECK;
/* Begin to read partitions that the topic has gained. */
extern bool kafka_start_added(KafkaReader *reader, IngestError *error) INGEST_MUST_CHECK;
/* Is next within [low, high]?  GONE or CHANGED; a visible gap where the user allows one. */
extern bool kafka_start_verify(KafkaReader *reader, KafkaPartition *partition, IngestError *error) INGEST_MUST_CHECK;
extern KafkaPartition *kafka_partition_find(const KafkaPartitions *partitions, const char *topic, int32_t number);

/* ---- kafka_batch.c ---------------------------------------------------------------- */

typedef struct KafkaBatch
{
	ChangeBatch *batch;   /* null: nothing yet */
	int64_t begun_ms;     /* when the first message or move came; 0: nothing yet */
	uint32_t capacity;    /* rows to begin the next batch with */
	uint64_t tombstones;  /* passed over since the start */
	bool tombstones_told; /* logged once */
} KafkaBatch;

extern bool kafka_batch_add(KafkaReader *reader, KafkaPartition *partition, rd_kafka_message_t *message,
							IngestError *error) INGEST_MUST_CHECK;
/* Hand over what is there, with a move for each partition that has moved; nothing where nothing has. */
extern bool kafka_batch_flush(KafkaReader *reader, bool completes_backfill, IngestError *error) INGEST_MUST_CHECK;
extern bool kafka_batch_is_full(const KafkaReader *reader);

/* ---- kafka_watch.c ----------------------------------------------------------------- */

typedef struct KafkaWatch
{
	KafkaReader *reader;
	uintptr_t thread;
	bool started;
	atomic_bool stop;
	atomic_bool failed; /* error is set */
	atomic_bool added;  /* a topic has more partitions than we read */
	IngestError error;
} KafkaWatch;

extern bool kafka_watch_start(KafkaReader *reader, IngestError *error) INGEST_MUST_CHECK;
extern void kafka_watch_stop(KafkaReader *reader);

/* ---- kafka_input.c ------------------------------------------------------------------ */

struct KafkaReader
{
	SourceRun *run;
	KafkaConfig config;
	KafkaClient client;
	FormatDecoder *decoder;
	char *cluster_id;
	int64_t messages_passed_over;
	KafkaPartitions partitions;
	KafkaBatch pending;
	KafkaWatch watch;
	KafkaPartition *last;  /* of the last message */
	int64_t resets_within; /* out-of-range answers without a message between them */
};

#endif
