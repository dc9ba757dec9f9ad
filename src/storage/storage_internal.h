/*-------------------------------------------------------------------------
 *
 * storage_internal.h
 *	  What the stores of this room share: the base of a Storage, its parsed
 *	  options, and the handling of URIs.  Not for other rooms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_INTERNAL_H
#define INGEST_STORAGE_INTERNAL_H

#include "storage/storage.h"

/* The options of storage_open, parsed. Strings are malloc'ed, null where not given. */
typedef struct StorageConfig
{
	char *access_key_id;
	char *secret_access_key;
	char *session_token;
	char *region;
	char *default_region;
	char *bucket;
	char *endpoint;
	char *proxy_url;
	char *user_agent;
	bool skip_signature;
	bool virtual_hosted;
	bool virtual_hosted_given;
	bool allow_http;
	bool allow_invalid_certificates;
	bool request_payer;
	bool http1_only;
	bool http2_only;
	int64_t timeout_ms;         /* of one attempt; 0 = none */
	int64_t connect_timeout_ms; /* of one attempt */
	int64_t retry_timeout_ms;   /* of one call, counted from the last progress */
	int64_t max_retries;        /* in a row without progress */
	int64_t backoff_first_ms;
	int64_t backoff_most_ms;
} StorageConfig;

/* Defaults, then the options.  INVALID: unknown name (nearest one as hint) or value;
 * UNSUPPORTED: an option that is known but not served.  On failure the config is empty. */
extern bool storage_config_parse(const StorageOption *options, size_t count, StorageConfig *config,
								 IngestError *error) INGEST_MUST_CHECK;
extern void storage_config_clear(StorageConfig *config);

/* One implementation of storage.h's calls; "path" was checked to stay below the root. */
typedef struct StorageRoutine
{
	const char *scheme; /* canonical: "file", "s3" */
	bool (*get)(Storage *storage, const char *path, Buffer *buffer, StorageObject *object, const IngestCancel *cancel,
				IngestError *error);
	bool (*read)(Storage *storage, const char *path, const char *etag, uint64_t offset, size_t length, void *out,
				 const IngestCancel *cancel, IngestError *error);
	bool (*head)(Storage *storage, const char *path, StorageObject *object, const IngestCancel *cancel,
				 IngestError *error);
	bool (*list)(Storage *storage, const char *prefix, const char *start_after,
				 bool (*visit)(const StorageObject *object, void *state), void *state, const IngestCancel *cancel,
				 IngestError *error);
	/* The part of "location" (decoded, what follows the scheme's colon) from the root's own
	 * place on, i.e. "/" + path from the bucket or file system; null: another host or bucket. */
	const char *(*absolute_path)(const Storage *storage, const char *location);
	void (*close)(Storage *storage);
} StorageRoutine;

/* The head of FileStorage and S3Storage. Immutable after storage_open but for the callback. */
struct Storage
{
	const StorageRoutine *routine;
	char *uri;  /* without user-info and trailing slash; for messages */
	char *root; /* decoded; no slash at the end; files: absolute; objects: key prefix, maybe empty */
	StorageConfig config;
	StorageRights rights;
	void (*retrying)(void *state, const IngestError *cause, int attempt, int64_t wait_ms);
	void *retrying_state;
};

/* "location" is the decoded URI behind its scheme's colon ("//bucket/key", "/path").  Each makes
 * a zeroed struct beginning with Storage and fills routine and root; storage_open does the rest. */
extern bool storage_file_open(const char *location, const StorageConfig *config, Storage **out, IngestError *error);
extern bool storage_s3_open(const char *location, const StorageConfig *config, Storage **out, IngestError *error);

/* ---- URIs (storage_uri.c) -------------------------------------------------- */

/* Length of the scheme in front of a colon; 0 where the text has none. */
extern size_t storage_uri_scheme(const char *uri);

/* Undo percent escapes once; a % without two hex digits stays. malloc'ed; INVALID: an escaped NUL. */
extern char *storage_uri_decode(const char *text, IngestError *error) INGEST_MUST_CHECK;

/* Every byte but A-Z a-z 0-9 - . _ ~ (and "/" where kept) becomes %XX: the one encoding that both
 * the request line and its signature use. */
extern bool storage_uri_encode(Buffer *out, const char *text, bool keep_slash, IngestError *error) INGEST_MUST_CHECK;

/* Does a ".." of this relative path lead above its beginning? */
extern bool storage_path_escapes(const char *path);

/* root + "/" + path, malloc'ed; null when memory is out.  Either may be empty. */
extern char *storage_path_join(const char *root, const char *path);

/* Fill an object, path copied. */
extern bool storage_object_set(StorageObject *object, const char *path, uint64_t size, int64_t modified_ms,
							   const char *etag, IngestError *error) INGEST_MUST_CHECK;

#endif
