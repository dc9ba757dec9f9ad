/*-------------------------------------------------------------------------
 *
 * s3.h
 *	  A bucket of an S3 store: one signed request, and the listing on top of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_S3_H
#define INGEST_STORAGE_S3_H

#include <pthread.h>

#include "storage/http.h"
#include "storage/sigv4.h"
#include "storage/storage_internal.h"

#define S3_REGION_SIZE 40

typedef struct S3Storage
{
	Storage base;
	char *bucket;
	bool https;
	char *host;          /* of the endpoint, with the port unless it is the scheme's own; null: AWS's own hosts */
	char *endpoint_path; /* what the endpoint's URL had behind the host; no slash at the end */
	bool virtual_hosted; /* the bucket is part of the host's name */
	bool bucket_in_host; /* the endpoint's host already begins with it */
	bool region_given;
	HttpPool *pool;
	pthread_mutex_t mutex; /* region */
	char region[S3_REGION_SIZE];
} S3Storage;

typedef struct S3Request
{
	bool head;         /* else GET */
	const char *key;   /* in the bucket; null: the bucket itself */
	Sigv4Field *query; /* decoded */
	size_t query_count;
	char range[64];       /* value of the header; empty: none */
	const char *if_match; /* ETag; null or empty: none */
} S3Request;

/*
 * One attempt, signed for now and the bucket's region (which is corrected once where the server names another).
 * False also for answers that are not 2xx: the error has the server's code, message and request id.
 */
extern bool s3_perform(S3Storage *storage, const S3Request *request, const HttpSink *sink, HttpResponse *response,
					   const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;

/* The key of a path below the root, malloc'ed; null when memory is out. */
extern char *s3_key(const S3Storage *storage, const char *path);

/* Put 'could not DOING "s3://bucket/key": ' in front, and wipe secrets out.  Returns false. */
extern bool s3_context(const Storage *base, const char *doing, const char *key, IngestError *error);

/* Fill the error from an answer that is not 2xx (s3_error.c). */
extern bool s3_fail(const S3Storage *storage, const HttpResponse *response, IngestError *error);
/* The region that such an answer names; false: none, or not a region's name. */
extern bool s3_answered_region(const HttpResponse *response, char region[S3_REGION_SIZE]);
extern bool s3_region_is_valid(const char *region);

/* storage_list of an S3 store (s3_list.c). */
extern bool s3_list(Storage *storage, const char *prefix, const char *start_after,
					bool (*visit)(const StorageObject *object, void *state), void *state, const IngestCancel *cancel,
					IngestError *error);

#endif
