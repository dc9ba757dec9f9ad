/*-------------------------------------------------------------------------
 *
 * http.h
 *	  One HTTP request over pooled connections.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_HTTP_H
#define INGEST_STORAGE_HTTP_H

#include "common/common.h"
#include "storage/storage_internal.h"

typedef struct HttpPool HttpPool;

typedef struct HttpResponse
{
	int status;
	int64_t content_length; /* -1 unknown */
	bool has_range;         /* Content-Range: first, last, total */
	uint64_t range_first;
	uint64_t range_last;
	int64_t range_total;    /* -1 unknown */
	int64_t modified_ms;    /* 0 unknown */
	int64_t retry_after_ms; /* -1 none */
	char etag[128];         /* empty where there is none, or it is longer */
	char request_id[128];
	char bucket_region[64];
	Buffer text; /* the body of an answer that is not 2xx, its beginning */
} HttpResponse;

/* Where the body of a 2xx answer goes.  Either may refuse (the error is the request's). */
typedef struct HttpSink
{
	/* the header is complete, before the first data; may be null */
	bool (*begin)(void *state, const HttpResponse *response, IngestError *error);
	bool (*data)(void *state, const char *data, size_t length, IngestError *error);
	void *state;
} HttpSink;

typedef struct HttpRequest
{
	bool head; /* else GET */
	const char *url;
	const char *const *headers; /* "Name: value", the Host among them */
	size_t header_count;
} HttpRequest;

/* "config" must outlive the pool. */
extern HttpPool *http_pool_create(const StorageConfig *config);
extern void http_pool_free(HttpPool *pool); /* no request may be running; null is allowed */

/*
 * One attempt.  True: an answer came in full, whatever its status (redirects are answers, and not
 * followed).  TRANSIENT: connection, time-out, stall or a body that broke off; what the sink got until
 * then is good.  Thread-safe.  The response is to be released also after a failure.
 */
extern bool http_perform(HttpPool *pool, const HttpRequest *request, const HttpSink *sink, HttpResponse *response,
						 const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern void http_response_release(HttpResponse *response);

#endif
