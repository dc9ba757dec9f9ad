/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Door of the room source/: one file a transport behind one small vtable.
 *
 * Plain C (see common.h).  A running source owns its threads; they read, decode and
 * convert, and put events into a bounded queue.  The worker's main thread takes the
 * events, and nothing else passes between the two.  So the insert goes on while the
 * network stalls, and the network is read ahead while the insert runs.
 *
 *	  worker (main thread)						 source (its threads)
 *	  source_start(config, stored position) ---> open; resolve the start
 *									<--- PIN	 (only where nothing was stored yet)
 *	  commit the pin; acknowledge		--->	 nothing is read before that
 *									<--- BATCH, STATUS, LOG ...
 *	  commit rows and moves together
 *									<--- FINISHED | FAILED (the last event)
 *	  source_stop						--->	 threads end
 *
 * All threads are started with every signal blocked.  Events come in order; a batch's moves
 * begin where the moves of the batch before it ended.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "batch/batch.h"
#include "common/common.h"

/* ---- positions as a whole ---------------------------------------------------- */

typedef struct KafkaPartitionPosition
{
	char *topic;
	int32_t partition;
	int64_t start_offset; /* -1 while symbolic (auto.offset.reset: latest, before the gate) */
	int64_t next_offset;  /* the same */
	int64_t end_offset;   /* where the backfill ends (enable.partition.eof); -1 = no end */
	int64_t declared_low; /* watermarks right after the declaration; -1 unknown */
	int64_t declared_high;
} KafkaPartitionPosition;

typedef struct DeltaPlanFile
{
	int64_t file_number; /* from 0 */
	char *action_json;   /* what delta_scan_open needs */
	int64_t next_row;
	int64_t record_count; /* -1 unknown */
	uint64_t size;
	bool done; /* loaded positions leave the done ones out */
} DeltaPlanFile;

typedef struct DatagenPlanPosition
{
	int32_t plan;
	int64_t next_row;
} DatagenPlanPosition;

/* What the catalog stores of a source: made by a PIN, given back at each start.
 * All memory is malloc'ed and owned by the struct (source_position_free). */
typedef struct SourcePosition
{
	bool pinned;             /* the start is a number; else only identity and watermarks are known */
	bool backfill_completed; /* stored; a source never sets it in a PIN */
	char *source_identity;   /* Kafka: cluster id; Delta: table id; null unknown */
	/* Kafka */
	size_t partition_count;
	KafkaPartitionPosition *partitions;
	int64_t messages_passed_over; /* between declaration and the pin; -1 = does not apply */
	/* Delta */
	int64_t start_version;        /* version of the snapshot, or the one before the first followed */
	int64_t backfill_end_version; /* -1 = none */
	int64_t next_version;         /* next to follow; -1 = does not follow */
	char *commit_identity;        /* of the last commit passed, or null */
	char *schema_json;            /* metaData and protocol in force at next_version - 1 */
	bool has_snapshot;            /* the snapshot phase exists (files below) */
	size_t file_count;            /* in a PIN: all; loaded: those not done */
	DeltaPlanFile *files;
	int64_t files_total;
	int64_t rows_total;  /* -1 unknown */
	int64_t bytes_total; /* -1 unknown */
	/* datagen */
	uint64_t seed;
	size_t plan_count;
	DatagenPlanPosition *plans;
} SourcePosition;

extern SourcePosition *source_position_create(void); /* zeroed, -1 where that means "none"; null: out of memory */
extern void source_position_free(SourcePosition *position);

/* ---- declaration ------------------------------------------------------------- */

typedef struct SourceRights
{
	bool local_files;          /* the declaring owner may read server files */
	bool server_credentials;   /* the declaring owner is a superuser */
	bool superuser_properties; /* may use librdkafka properties that read files, run commands, load code */
} SourceRights;

typedef struct SourceCheck
{
	bool completes_backfill; /* can ever satisfy a label */
	bool follows_after_backfill;
	size_t warning_count;
	char warnings[4][512]; /* e.g. a datagen plan without limit */
} SourceCheck;

/*
 * Check a whole connector object ({"transport":…, "format":…, limits …}) for what it means to its source:
 * every option of transport.config and format.config, against the target where one is given (null: not).
 * Touches neither network nor files.  INVALID carries the JSON path ("$.transport.config.seek[0].offset: …")
 * and a hint with what would be valid.
 */
extern bool source_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights,
						 SourceCheck *check, IngestError *error) INGEST_MUST_CHECK;

extern const char *source_transport_names(void); /* for hints */

/* Is the option at this key of transport.config a secret (shown as ***)? */
extern bool source_option_is_secret(const char *transport, const char *key);

/* May this key of transport.config change while the position is kept?  Anything that says which data are
 * meant (uri, topics, mode, start, version, filter, plan) may not. */
extern bool source_option_keeps_position(const char *transport, const char *key);

/* ---- running ----------------------------------------------------------------- */

typedef struct SourceConfig
{
	const char *connector_name; /* for messages */
	const char *connector_json; /* the whole object, secrets resolved; copied */
	const TargetTable *target;  /* must outlive the source */
	SourceRights rights;
	bool probe_only; /* ask the source once (identity, watermarks, start_from), PIN, then FINISHED */
} SourceConfig;

typedef enum SourceEventKind
{
	SOURCE_EVENT_PIN,
	SOURCE_EVENT_BATCH,
	SOURCE_EVENT_STATUS,
	SOURCE_EVENT_LOG,
	SOURCE_EVENT_FINISHED, /* nothing will ever follow (the end of the source) */
	SOURCE_EVENT_FAILED
} SourceEventKind;

typedef enum SourceLogLevel
{
	SOURCE_LOG_DEBUG,
	SOURCE_LOG_INFO, /* the server's LOG */
	SOURCE_LOG_WARNING
} SourceLogLevel;

typedef struct SourceWatermark
{
	char topic[256];
	int32_t partition;
	int64_t low;  /* -1 unknown */
	int64_t high; /* of what read_committed may see; -1 unknown */
} SourceWatermark;

/* A snapshot of live figures; -1 = unknown or does not apply. */
typedef struct SourceStatus
{
	int64_t rows_total;
	int64_t bytes_total;
	int64_t lag;        /* records behind (Kafka), versions behind (Delta) */
	double lag_seconds; /* age of the newest record read, where behind; 0 when caught up */
	char doing[128];    /* "reading part-0003.parquet", "waiting for version 12" */
	char trouble[1024]; /* why it cannot go on now though it keeps trying; empty: it can */
	size_t watermark_count;
	SourceWatermark *watermarks;
} SourceStatus;

typedef struct SourceEvent
{
	SourceEventKind kind;
	SourcePosition *pin;      /* PIN */
	ChangeBatch *batch;       /* BATCH */
	SourceStatus status;      /* STATUS */
	SourceLogLevel level;     /* LOG */
	char *text;               /* LOG */
	IngestError error;        /* FAILED */
	struct SourceEvent *next; /* the queue's */
} SourceEvent;

extern void source_event_free(SourceEvent *event); /* with what it holds */

typedef struct Source Source;

/* Once per process, on the main thread, before any thread exists. */
extern void source_initialize(void);

/* "stored" may be null (nothing stored yet); the source takes it over. */
extern bool
source_start(const SourceConfig *config, SourcePosition *stored, Source **out, IngestError *error) INGEST_MUST_CHECK;
/* Readable (poll) while an event waits. */
extern int source_wakeup_fd(const Source *source);
/* Never blocks; null where none waits.  The caller owns the event. */
extern SourceEvent *source_next_event(Source *source);
/* The pin is committed: reading may begin. */
extern void source_acknowledge_pin(Source *source);
/* Stop and join the threads, free everything.  False when that took longer than the deadline: the
 * threads still run, the memory is theirs, and the process must end by _exit. */
extern bool source_stop(Source *source, int deadline_ms);

#endif
