/*-------------------------------------------------------------------------
 *
 * storage_s3.c
 *	  Buckets of S3 and its like as a store: open, get, ranges, head.
 *
 * A read that breaks off goes on from where it broke, with If-Match on the ETag of
 * the first answer, so that the bytes of two versions of an object never meet; the
 * ETag of each answer is compared as well, for servers that ignore the header.  The
 * range that the server says it sends (Content-Range) must be the one asked for.
 * A body is taken for whole only when every byte asked for has come.
 *
 * Locks: only around the region (s3_request.c).  Memory: a range is written straight
 * into the caller's, a whole object into the caller's buffer under its limit.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "storage/retry.h"
#include "storage/s3.h"

/* ---- names ------------------------------------------------------------------------ */

char *
s3_key(const S3Storage *storage, const char *path)
{
	return storage_path_join(storage->base.root, path);
}

static void
wipe_secret(char *message, const char *secret)
{
	size_t length = secret != NULL ? strlen(secret) : 0;
	char *found;

	/* shorter ones are words of the language */
	while (length >= 6 && (found = strstr(message, secret)) != NULL)
	{
		memcpy(found, "***", 3);
		memmove(found + 3, found + length, strlen(found + length) + 1);
	}
}

bool
s3_context(const Storage *base, const char *doing, const char *key, IngestError *error)
{
	const S3Storage *storage = (const S3Storage *) base;

	if (error->kind == INGEST_ERROR_CANCELLED || error->kind == INGEST_ERROR_OUT_OF_MEMORY)
		return false;
	wipe_secret(error->message, storage->base.config.secret_access_key);
	wipe_secret(error->message, storage->base.config.session_token);
	return ingest_context(error, "could not %s \"s3://%s/%s\"", doing, storage->bucket, key);
}

/* ETags compared without their quotes: listings and headers differ in them. */
static bool
same_etag(const char *a, const char *b)
{
	size_t a_length, b_length;

	a += *a == '"';
	b += *b == '"';
	a_length = strcspn(a, "\"");
	b_length = strcspn(b, "\"");
	return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* Remember the ETag of the first answer, compare that of the others. */
static bool
check_etag(char etag[128], const HttpResponse *response, IngestError *error)
{
	if (response->etag[0] == '\0')
		return true;
	if (etag[0] == '\0')
		strcpy(etag, response->etag);
	return same_etag(etag, response->etag) ||
		   ingest_fail(error, INGEST_ERROR_CHANGED, "the object changed while it was read");
}

/* ---- ranges ------------------------------------------------------------------------ */

typedef struct RangeRead
{
	char *out;
	uint64_t offset;
	size_t length;
	size_t received;
	char etag[128];
} RangeRead;

static bool
begin_range(void *state, const HttpResponse *response, IngestError *error)
{
	RangeRead *read = state;
	uint64_t first = read->offset + read->received;
	uint64_t last = read->offset + read->length - 1;

	if (!check_etag(read->etag, response, error))
		return false;
	if (response->status == 200 && first == 0 && response->content_length == (int64_t) read->length)
		return true; /* the range was all of it */
	if (response->status != 206 || !response->has_range)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "the server does not serve byte ranges");
	if (response->range_first != first || response->range_last > last)
		return ingest_fail(error, INGEST_ERROR_CORRUPT,
						   "the server answered bytes %" PRIu64 "-%" PRIu64 " instead of %" PRIu64 "-%" PRIu64,
						   response->range_first, response->range_last, first, last);
	return response->range_last == last ||
		   ingest_fail(error, INGEST_ERROR_CORRUPT,
					   "the object ends at byte %" PRIu64 ", before the end of the range asked for (%" PRIu64 ")",
					   response->range_last + 1, last + 1);
}

static bool
receive_range(void *state, const char *data, size_t length, IngestError *error)
{
	RangeRead *read = state;

	if (length > read->length - read->received)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the server sent more than the range asked for");
	memcpy(read->out + read->received, data, length);
	read->received += length;
	return true;
}

/* 416: past the end, which is the object's fault, not the line's. */
static bool
try_range(S3Storage *storage, const char *key, RangeRead *read, int64_t *wait_hint_ms, const IngestCancel *cancel,
		  IngestError *error)
{
	S3Request request = {.key = key, .if_match = read->etag};
	HttpSink sink = {begin_range, receive_range, read};
	HttpResponse response;
	bool done;

	snprintf(request.range, sizeof(request.range), "bytes=%" PRIu64 "-%" PRIu64, read->offset + read->received,
			 read->offset + read->length - 1);
	done = s3_perform(storage, &request, &sink, &response, cancel, error);
	if (done && read->received < read->length)
		done = ingest_fail(error, INGEST_ERROR_TRANSIENT, "the body ended after %zu of %zu bytes", read->received,
						   read->length);
	*wait_hint_ms = response.retry_after_ms;
	http_response_release(&response);
	return done;
}

static bool
s3_read(Storage *base, const char *path, const char *etag, uint64_t offset, size_t length, void *out,
		const IngestCancel *cancel, IngestError *error)
{
	S3Storage *storage = (S3Storage *) base;
	RangeRead read = {.out = out, .offset = offset, .length = length};
	char *key = s3_key(storage, path);
	int64_t wait_hint_ms = -1;
	Retry retry = {.storage = base, .cancel = cancel, .context = s3_context, .doing = "read", .key = key};
	bool done;

	if (key == NULL)
		return ingest_out_of_memory(error);
	if (etag != NULL && strlen(etag) < sizeof(read.etag))
		strcpy(read.etag, etag);
	retry_begin(&retry);
	while (!(done = try_range(storage, key, &read, &wait_hint_ms, cancel, error)))
		if (!retry_wait(&retry, read.received, wait_hint_ms, error))
			break;
	if (!done)
		(void) s3_context(base, "read", key, error);
	free(key);
	return done;
}

/* ---- whole objects ------------------------------------------------------------------ */

typedef struct WholeRead
{
	Buffer *buffer;
	size_t start; /* length of the buffer before */
	char etag[128];
	int64_t size; /* -1 while unknown */
	int64_t modified_ms;
} WholeRead;

static size_t
whole_received(const WholeRead *read)
{
	return read->buffer->length - read->start;
}

static bool
begin_whole(void *state, const HttpResponse *response, IngestError *error)
{
	WholeRead *read = state;

	if (response->status == 206)
	{
		if (!response->has_range || response->range_first != whole_received(read) ||
			(read->size >= 0 && response->range_last + 1 != (uint64_t) read->size))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "the server answered another range than was asked for");
		return check_etag(read->etag, response, error);
	}
	/* from the beginning, asked for or not; what was got before may be of another version */
	read->buffer->length = read->start;
	read->size = response->content_length;
	read->modified_ms = response->modified_ms;
	strcpy(read->etag, response->etag);
	if (read->size > 0 && (uint64_t) read->size > SIZE_MAX / 2)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "the object is too large");
	return read->size <= 0 || buffer_reserve(read->buffer, (size_t) read->size, error);
}

static bool
receive_whole(void *state, const char *data, size_t length, IngestError *error)
{
	return buffer_append(((WholeRead *) state)->buffer, data, length, error);
}

static bool
try_whole(S3Storage *storage, const char *key, WholeRead *read, int64_t *wait_hint_ms, const IngestCancel *cancel,
		  IngestError *error)
{
	S3Request request = {.key = key};
	HttpSink sink = {begin_whole, receive_whole, read};
	HttpResponse response;
	bool done;

	/* to go on needs to know that it is the same object, and where it ends */
	if (whole_received(read) > 0 && read->etag[0] != '\0' && read->size > 0)
	{
		snprintf(request.range, sizeof(request.range), "bytes=%zu-", whole_received(read));
		request.if_match = read->etag;
	}
	done = s3_perform(storage, &request, &sink, &response, cancel, error);
	if (done && read->size >= 0 && whole_received(read) != (size_t) read->size)
		done = ingest_fail(error, INGEST_ERROR_TRANSIENT, "the body ended after %zu of %" PRId64 " bytes",
						   whole_received(read), read->size);
	*wait_hint_ms = response.retry_after_ms;
	http_response_release(&response);
	return done;
}

static bool
s3_get(Storage *base, const char *path, Buffer *buffer, StorageObject *object, const IngestCancel *cancel,
	   IngestError *error)
{
	S3Storage *storage = (S3Storage *) base;
	WholeRead read = {.buffer = buffer, .start = buffer->length, .size = -1};
	char *key = s3_key(storage, path);
	int64_t wait_hint_ms = -1;
	Retry retry = {.storage = base, .cancel = cancel, .context = s3_context, .doing = "read", .key = key};
	bool done;

	if (key == NULL)
		return ingest_out_of_memory(error);
	retry_begin(&retry);
	while (!(done = try_whole(storage, key, &read, &wait_hint_ms, cancel, error)))
		if (!retry_wait(&retry, whole_received(&read), wait_hint_ms, error))
			break;
	if (!done)
		(void) s3_context(base, "read", key, error);
	free(key);
	return done && (object == NULL ||
					storage_object_set(object, path, whole_received(&read), read.modified_ms, read.etag, error));
}

/* ---- head --------------------------------------------------------------------------- */

static bool
ignore_data(void *state, const char *data, size_t length, IngestError *error)
{
	(void) state;
	(void) data;
	(void) length;
	(void) error;
	return true;
}

/* A HEAD's answer has no body, so why it was refused is found out by a GET of one byte. */
static void
explain_refusal(S3Storage *storage, const char *key, const IngestCancel *cancel, IngestError *error)
{
	S3Request request = {.key = key, .range = "bytes=0-0"};
	HttpSink sink = {NULL, ignore_data, NULL};
	HttpResponse response;
	IngestError explained;

	if (!s3_perform(storage, &request, &sink, &response, cancel, &explained) && explained.kind == error->kind)
		*error = explained;
	http_response_release(&response);
}

static bool
try_head(S3Storage *storage, const char *key, HttpResponse *response, const IngestCancel *cancel, IngestError *error)
{
	S3Request request = {.head = true, .key = key};
	HttpSink sink = {NULL, ignore_data, NULL};

	if (s3_perform(storage, &request, &sink, response, cancel, error))
		return response->content_length >= 0 ||
			   ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "the server does not tell the object's size");
	if (response->status == 400 || response->status == 403 || response->status == 404)
		explain_refusal(storage, key, cancel, error);
	return false;
}

static bool
s3_head(Storage *base, const char *path, StorageObject *object, const IngestCancel *cancel, IngestError *error)
{
	S3Storage *storage = (S3Storage *) base;
	char *key = s3_key(storage, path);
	HttpResponse response = {0};
	Retry retry = {.storage = base, .cancel = cancel, .context = s3_context, .doing = "find", .key = key};
	bool done;
	bool again = true;

	if (key == NULL)
		return ingest_out_of_memory(error);
	retry_begin(&retry);
	while (!(done = try_head(storage, key, &response, cancel, error)) && again)
	{
		again = retry_wait(&retry, 0, response.retry_after_ms, error);
		http_response_release(&response);
		if (!again)
			break;
	}
	if (done)
		done = storage_object_set(object, path, (uint64_t) response.content_length, response.modified_ms, response.etag,
								  error);
	else
		(void) s3_context(base, "find", key, error);
	http_response_release(&response);
	free(key);
	return done;
}

/* ---- open ---------------------------------------------------------------------------- */

static const char *
s3_absolute_path(const Storage *base, const char *location)
{
	const S3Storage *storage = (const S3Storage *) base;
	size_t length = strlen(storage->bucket);

	if (strncmp(location, "//", 2) != 0 || strncmp(location + 2, storage->bucket, length) != 0)
		return NULL;
	location += 2 + length;
	return *location == '\0' ? "/" : *location == '/' ? location : NULL;
}

static void
s3_close(Storage *base)
{
	S3Storage *storage = (S3Storage *) base;

	http_pool_free(storage->pool);
	pthread_mutex_destroy(&storage->mutex);
	free(storage->bucket);
	free(storage->host);
	free(storage->endpoint_path);
	free(storage);
}

static const StorageRoutine s3_routine = {.scheme = "s3",
										  .get = s3_get,
										  .read = s3_read,
										  .head = s3_head,
										  .list = s3_list,
										  .absolute_path = s3_absolute_path,
										  .close = s3_close};

static bool
is_bucket_name(const char *name, size_t length)
{
	if (length == 0 || length > 255)
		return false;
	for (size_t i = 0; i < length; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", name[i]) == NULL)
			return false;
	return name[0] != '.';
}

/* Can it be a label of a host's name that AWS's certificate covers? */
static bool
is_host_label(const char *bucket)
{
	size_t length = strlen(bucket);

	return length <= 63 && strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static bool
parse_location(S3Storage *storage, const char *location, IngestError *error)
{
	const char *bucket = location + 2;
	size_t bucket_length;
	size_t length;

	if (strncmp(location, "//", 2) != 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "an s3: URI has the form s3://bucket/path");
	bucket_length = strcspn(bucket, "/");
	if (!is_bucket_name(bucket, bucket_length))
		return ingest_fail(error, INGEST_ERROR_INVALID, "invalid bucket name \"%.*s\"", (int) bucket_length, bucket);
	location = bucket + bucket_length;
	location += *location == '/';
	length = strlen(location);
	while (length > 0 && location[length - 1] == '/')
		length--;
	storage->bucket = strndup(bucket, bucket_length);
	storage->base.root = strndup(location, length);
	return (storage->bucket != NULL && storage->base.root != NULL) || ingest_out_of_memory(error);
}

static bool
bad_endpoint(const char *why, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_INVALID, "invalid \"aws_endpoint\": %s", why) ||
		   ingest_hint(error, "It has the form http(s)://host[:port].");
}

static bool
parse_endpoint(S3Storage *storage, const StorageConfig *config, IngestError *error)
{
	const char *endpoint = config->endpoint;
	const char *host;
	size_t host_length;
	size_t path_length;

	storage->https = strncasecmp(endpoint, "https://", 8) == 0;
	if (!storage->https && strncasecmp(endpoint, "http://", 7) != 0)
		return bad_endpoint("it has no scheme", error);
	if (!storage->https && !config->allow_http)
		return ingest_fail(error, INGEST_ERROR_INVALID, "the endpoint is plain HTTP, which is not allowed") ||
			   ingest_hint(error, "Set \"aws_allow_http\" to true, or use https.");
	host = endpoint + (storage->https ? 8 : 7);
	host_length = strcspn(host, "/?#");
	if (memchr(host, '@', host_length) != NULL)
		return bad_endpoint("it must not hold a user name or password", error);
	if (host_length == 0 || host_length > 200 ||
		strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") < host_length)
		return bad_endpoint("it has no proper host name", error);
	if (host[host_length] == '?' || host[host_length] == '#' || strpbrk(host + host_length, "?#%") != NULL)
		return bad_endpoint("it must be a host and a plain path", error);
	path_length = strlen(host + host_length);
	while (path_length > 0 && host[host_length + path_length - 1] == '/')
		path_length--;
	storage->endpoint_path = strndup(host + host_length, path_length);
	storage->host = strndup(host, host_length);
	return (storage->host != NULL && storage->endpoint_path != NULL) || ingest_out_of_memory(error);
}

/* HTTP leaves the scheme's own port out of the Host, and the signature covers the Host. */
static void
drop_default_port(S3Storage *storage)
{
	const char *port = storage->https ? ":443" : ":80";
	size_t length = strlen(storage->host);
	size_t port_length = strlen(port);

	if (length > port_length && strcmp(storage->host + length - port_length, port) == 0)
		storage->host[length - port_length] = '\0';
}

static bool
choose_endpoint(S3Storage *storage, const StorageConfig *config, IngestError *error)
{
	size_t bucket_length = strlen(storage->bucket);

	if (config->endpoint == NULL)
	{
		storage->https = true;
		storage->virtual_hosted =
			config->virtual_hosted_given ? config->virtual_hosted : is_host_label(storage->bucket);
		storage->endpoint_path = strdup("");
		return storage->endpoint_path != NULL || ingest_out_of_memory(error);
	}
	if (!parse_endpoint(storage, config, error))
		return false;
	drop_default_port(storage);
	storage->virtual_hosted = config->virtual_hosted;
	storage->bucket_in_host = storage->virtual_hosted &&
							  strncasecmp(storage->host, storage->bucket, bucket_length) == 0 &&
							  storage->host[bucket_length] == '.';
	return true;
}

static bool
choose_region(S3Storage *storage, const StorageConfig *config, IngestError *error)
{
	const char *region = config->region != NULL ? config->region : config->default_region;

	storage->region_given = region != NULL;
	if (region == NULL)
		region = "us-east-1";
	if (!s3_region_is_valid(region))
		return ingest_fail(error, INGEST_ERROR_INVALID, "invalid \"aws_region\": \"%s\"", region);
	strcpy(storage->region, region);
	return true;
}

static bool
check_credentials(const StorageConfig *config, const char *bucket, IngestError *error)
{
	if (config->bucket != NULL && strcmp(config->bucket, bucket) != 0)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "the URI names bucket \"%s\", option \"aws_bucket\" names \"%s\"", bucket, config->bucket);
	if (config->skip_signature || (config->access_key_id != NULL && config->secret_access_key != NULL))
		return true;
	return ingest_fail(error, INGEST_ERROR_INVALID, "no credentials for bucket \"%s\"", bucket) ||
		   ingest_hint(error,
					   "Set \"aws_access_key_id\" and \"aws_secret_access_key\", or \"aws_skip_signature\" for a "
					   "public bucket.");
}

bool
storage_s3_open(const char *location, const StorageConfig *config, Storage **out, IngestError *error)
{
	S3Storage *storage = calloc(1, sizeof(*storage));

	if (storage == NULL)
		return ingest_out_of_memory(error);
	storage->base.routine = &s3_routine;
	pthread_mutex_init(&storage->mutex, NULL);
	if (parse_location(storage, location, error) && check_credentials(config, storage->bucket, error) &&
		choose_region(storage, config, error) && choose_endpoint(storage, config, error))
	{
		storage->pool = http_pool_create(&storage->base.config);
		if (storage->pool != NULL)
		{
			*out = &storage->base;
			return true;
		}
		(void) ingest_out_of_memory(error);
	}
	free(storage->base.root);
	s3_close(&storage->base);
	return false;
}
