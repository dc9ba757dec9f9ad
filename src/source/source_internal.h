/*-------------------------------------------------------------------------
 *
 * source_internal.h
 *	  What the transports of this room share: the vtable and the event queue.
 *	  Not for other rooms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_SOURCE_INTERNAL_H
#define INGEST_SOURCE_INTERNAL_H

#include <stdatomic.h>

#include "source/source.h"

typedef struct SourceLimits
{
	uint32_t max_batch_size;     /* rows of one batch, default 10,000 */
	uint64_t max_queued_records; /* default 1,000,000 */
	uint64_t max_queued_bytes;   /* default 24 MB, so that a worker stays below 200 MB; more where the user says so */
	size_t batch_bytes;          /* a batch that holds so much is full: a quarter of the queue, 256 kB to 8 MB */
} SourceLimits;

/* What a transport's threads see of the source they run in. */
typedef struct SourceRun
{
	Arena arena; /* of the parsed connector; read-only after the start */
	const JsonValue *connector;
	const JsonValue *config; /* transport.config */
	const char *connector_name;
	const TargetTable *target;
	SourceRights rights;
	SourceLimits limits;
	bool probe_only;
	SourcePosition *stored; /* may be null */
	struct EventQueue *queue;
	IngestCancel cancel;            /* true once source_stop was called */
	struct SourceEvent *last_event; /* made at the start, so that the end can always be told; null once put */
} SourceRun;

/* run: the transport's main loop, on a thread of its own.  It may start further threads and has joined
 * them when it returns.  False: *error is put into the queue as FAILED; true: FINISHED. */
typedef struct SourceRoutine
{
	const char *transport;
	bool (*check)(const JsonValue *connector, const TargetTable *target, const SourceRights *rights, SourceCheck *check,
				  IngestError *error);
	bool (*run)(SourceRun *run, IngestError *error);
	bool (*option_is_secret)(const char *key);
	bool (*option_keeps_position)(const char *key);
} SourceRoutine;

extern const SourceRoutine datagen_routine;
extern const SourceRoutine delta_table_input_routine;
extern const SourceRoutine kafka_input_routine;

/* How many rows a new batch should have room for: "rows", or fewer where the target has so many columns that their
 * arrays alone would fill it. */
extern uint32_t source_batch_capacity(const SourceRun *run, uint64_t rows);

/* ---- the queue: any number of producers, one consumer ---------------------------- */

typedef struct EventQueue EventQueue;

extern EventQueue *event_queue_create(const SourceLimits *limits); /* null: out of memory or descriptors */
extern void event_queue_free(EventQueue *queue);
extern int event_queue_fd(const EventQueue *queue);

/*
 * Put an event (taken over, also on failure).  A BATCH waits while the queue holds max_queued_records or
 * max_queued_bytes, always letting one through into an empty queue; the others never wait.
 * False (CANCELLED): the queue was stopped.
 */
extern bool event_queue_put(EventQueue *queue, SourceEvent *event, IngestError *error) INGEST_MUST_CHECK;
extern bool event_queue_put_batch(EventQueue *queue, ChangeBatch *batch, IngestError *error) INGEST_MUST_CHECK;
extern bool event_queue_put_log(EventQueue *queue, SourceLogLevel level, IngestError *error, const char *format, ...)
	INGEST_PRINTF(4, 5) INGEST_MUST_CHECK;
extern SourceEvent *event_queue_take(EventQueue *queue);
/* Put a pin and go on: the short run ends with it, nothing waits for the acknowledgement. */
extern bool event_queue_put_pin(EventQueue *queue, SourcePosition *pin, IngestError *error) INGEST_MUST_CHECK;
/* Put the pin and wait until it is acknowledged. */
extern bool event_queue_pin(EventQueue *queue, SourcePosition *pin, IngestError *error) INGEST_MUST_CHECK;
extern void event_queue_acknowledge(EventQueue *queue);
extern void event_queue_stop(EventQueue *queue); /* wakes and fails all producers */
extern bool event_queue_is_stopped(EventQueue *queue);
/* Sleep up to "milliseconds", or until stopped (then false, CANCELLED). */
extern bool event_queue_sleep(EventQueue *queue, int64_t milliseconds, IngestError *error) INGEST_MUST_CHECK;

/* pthread_create with all signals blocked in the new thread. */
extern bool
source_thread_create(uintptr_t *thread, void *(*start)(void *), void *argument, IngestError *error) INGEST_MUST_CHECK;
extern void source_thread_join(uintptr_t thread);

/*
 * Put the last event now (error null: FINISHED), before a clean-up that may hang.  What run returns is
 * ignored after that.
 */
extern void source_put_last(SourceRun *run, const IngestError *error);

#endif
