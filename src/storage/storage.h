/*-------------------------------------------------------------------------
 *
 * storage.h
 *	  Door of the room storage/: objects in stores, by one interface.
 *
 * Plain C (see common.h).  A Storage is one place (a directory, a bucket) with
 * its options; it may be used from many threads at once, each call blocks its
 * own thread, and connections are pooled inside.
 *
 * Promises: a read returns exactly the bytes asked for or an error, never a
 * short read taken for the end; what is transient on the wire (resets, time-outs,
 * stalls, 429, 500, 502, 503) is retried here with back-off and jitter, 404, 403
 * and 412 are not; no message holds a secret or a token; credentials never go to
 * another host or bucket; the caller's cancel is polled at most 100 ms apart.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_H
#define INGEST_STORAGE_H

#include "common/common.h"

typedef struct Storage Storage;

typedef struct StorageOption
{
	const char *key; /* Feldera's name or alias, any case */
	const char *value;
} StorageOption;

typedef struct StorageRights
{
	bool local_files;        /* the owner may read server files */
	bool server_credentials; /* environment, profile files, instance metadata */
} StorageRights;

typedef struct StorageObject
{
	char *path; /* relative to the storage's root, decoded; malloc'ed, free with storage_object_clear */
	uint64_t size;
	int64_t modified_ms; /* since 1970, UTC; 0 where unknown */
	char etag[128];      /* empty where the store has none; local files: inode, size and mtime */
} StorageObject;

/*
 * Open the place a URI names: a local path, file:, s3:, s3a:.  Paths given to the
 * calls below are relative to it, decoded (real key bytes, no percent escapes).
 * No request is made.  Errors: INVALID (unknown scheme or option, with the nearest
 * name as hint), DENIED (rights).
 */
extern bool storage_open(const char *uri, const StorageOption *options, size_t option_count,
						 const StorageRights *rights, Storage **out, IngestError *error) INGEST_MUST_CHECK;
extern void storage_close(Storage *storage); /* null is allowed; no call may be running */

/* Is this a storage option's name at all?  Else *nearest may be set to the closest one. */
extern bool storage_option_is_known(const char *key, const char **nearest);
extern bool storage_option_is_secret(const char *key);

/* The URI without user-info, for messages and views. */
extern const char *storage_uri(const Storage *storage);

/* Files of this machine: reading ahead gains nothing. */
extern bool storage_is_local(const Storage *storage);

/*
 * Called on the reading thread before each wait for a retry; set before the first call, must not block.
 * "cause" is what failed; "attempt" counts from 1 and starts again after progress.
 */
extern void
storage_on_retry(Storage *storage,
				 void (*retrying)(void *state, const IngestError *cause, int attempt, int64_t wait_ms), void *state);

/*
 * Turn a URI reference found inside the store (a path in a Delta log), still percent-encoded, into a path
 * relative to this storage's root: escapes are undone here, exactly once.  With a scheme or a leading "/" it is
 * absolute, else it already is relative to the root.  Another scheme, host or bucket, or a ".." that leaves the
 * root, is DENIED.  *out is malloc'ed.
 */
extern bool
storage_relative_path(const Storage *storage, const char *uri, char **out, IngestError *error) INGEST_MUST_CHECK;

/* Length of the scheme in front of a URI's colon; 0 where the text has none. */
extern size_t storage_uri_scheme(const char *uri);
/* Undo percent escapes once; a % without two hex digits stays.  malloc'ed; INVALID: an escaped NUL. */
extern char *storage_uri_decode(const char *text, IngestError *error) INGEST_MUST_CHECK;

/* The whole object, appended to "buffer" (whose limit bounds it).  "object" may be null. */
extern bool storage_get(Storage *storage, const char *path, struct Buffer *buffer, StorageObject *object,
						const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;

/*
 * Exactly "length" bytes from "offset".  "etag" (null or empty: none): the object must
 * still be the one with this ETag, else CHANGED.
 */
extern bool storage_read(Storage *storage, const char *path, const char *etag, uint64_t offset, size_t length,
						 void *out, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;

extern bool storage_head(Storage *storage, const char *path, StorageObject *object, const IngestCancel *cancel,
						 IngestError *error) INGEST_MUST_CHECK;
extern void storage_object_clear(StorageObject *object);

/*
 * All objects below "prefix" (a directory, "" = the root) whose path is greater than
 * "start_after" (null: all), in ascending bytewise order of the path, not only the
 * store's order.  "visit" returns false to stop.  Sub-directories are entered.
 * Nothing there is no error: no call of "visit".  NOT_FOUND: the bucket is missing.
 */
extern bool storage_list(Storage *storage, const char *prefix, const char *start_after,
						 bool (*visit)(const StorageObject *object, void *state), void *state,
						 const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;

/* Once per process, on the main thread, before the first storage_open (libcurl's global state). */
extern void storage_initialize(void);

#endif
