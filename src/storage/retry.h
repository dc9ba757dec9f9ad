/*-------------------------------------------------------------------------
 *
 * retry.h
 *	  When to try a call again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_RETRY_H
#define INGEST_STORAGE_RETRY_H

#include "storage/storage_internal.h"

typedef struct Retry
{
	const Storage *storage;
	const IngestCancel *cancel;
	/* puts what is being done to which object in front of a message; wipes secrets */
	bool (*context)(const Storage *storage, const char *doing, const char *key, IngestError *error);
	const char *doing;
	const char *key;
	int64_t since_ms;  /* start of the call, or its last progress */
	uint64_t progress; /* as of the last failure */
	int attempts;      /* failures in a row without progress */
} Retry;

/* Set storage, cancel, context, doing and key; then this. */
extern void retry_begin(Retry *retry);

/*
 * After a failed attempt: true = the error was transient, the wait is over, try again.  "progress" is any
 * count that grows with what was got (bytes): an attempt that got further starts the counting anew.
 * "wait_hint_ms": what the server asked for, -1 nothing.  On false the error is the caller's to return.
 */
extern bool retry_wait(Retry *retry, uint64_t progress, int64_t wait_hint_ms, IngestError *error) INGEST_MUST_CHECK;

#endif
