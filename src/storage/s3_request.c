/*-------------------------------------------------------------------------
 *
 * s3_request.c
 *	  One signed request to a bucket.
 *
 * The path and query are encoded once, here; the same bytes go into the signature and
 * onto the wire.  Where the bucket stands is decided when the store is opened:
 *
 *	  AWS			https://BUCKET.s3.REGION.amazonaws.com/KEY, or path style
 *	  path style	ENDPOINT/BUCKET/KEY
 *	  virtual host	SCHEME://BUCKET.HOST/KEY
 *
 * Region: where it was not given it begins as us-east-1, and an answer that names
 * another one corrects it, for this and all later requests.  The name is checked, since
 * it becomes part of a host's name: an answer cannot send credentials elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/s3.h"

#define URL_LIMIT (32 * 1024)
#define MOST_HEADERS 8

/* A request as it goes out. */
typedef struct Outgoing
{
	Buffer url;
	Buffer path;
	Buffer query;
	Buffer authorization;
	char region[S3_REGION_SIZE];
	char host[512];
	char timestamp[24];
	Sigv4Field fields[MOST_HEADERS]; /* those that are signed */
	size_t field_count;
	char *lines[MOST_HEADERS]; /* "Name: value" of all, malloc'ed */
	size_t line_count;
} Outgoing;

static void
outgoing_init(Outgoing *outgoing)
{
	memset(outgoing, 0, sizeof(*outgoing));
	buffer_init(&outgoing->url, URL_LIMIT);
	buffer_init(&outgoing->path, URL_LIMIT);
	buffer_init(&outgoing->query, URL_LIMIT);
	buffer_init(&outgoing->authorization, URL_LIMIT);
}

static void
outgoing_release(Outgoing *outgoing)
{
	buffer_release(&outgoing->url);
	buffer_release(&outgoing->path);
	buffer_release(&outgoing->query);
	buffer_release(&outgoing->authorization);
	for (size_t i = 0; i < outgoing->line_count; i++)
		free(outgoing->lines[i]);
}

static bool
terminate(Buffer *buffer, IngestError *error)
{
	return buffer_append(buffer, "", 1, error);
}

/* ---- where to ------------------------------------------------------------------- */

static void
make_host(const S3Storage *storage, Outgoing *outgoing)
{
	bool china = strncmp(outgoing->region, "cn-", 3) == 0;
	bool in_front = storage->virtual_hosted && !storage->bucket_in_host;

	if (storage->host != NULL)
		snprintf(outgoing->host, sizeof(outgoing->host), "%s%s%s", in_front ? storage->bucket : "", in_front ? "." : "",
				 storage->host);
	else
		snprintf(outgoing->host, sizeof(outgoing->host), "%s%ss3.%s.amazonaws.com%s", in_front ? storage->bucket : "",
				 in_front ? "." : "", outgoing->region, china ? ".cn" : "");
}

static bool
make_path(const S3Storage *storage, const S3Request *request, Buffer *path, IngestError *error)
{
	if (!storage_uri_encode(path, storage->endpoint_path, true, error))
		return false;
	if (!storage->virtual_hosted &&
		(!buffer_append(path, "/", 1, error) || !storage_uri_encode(path, storage->bucket, false, error)))
		return false;
	if (request->key != NULL &&
		(!buffer_append(path, "/", 1, error) || !storage_uri_encode(path, request->key, true, error)))
		return false;
	if (path->length == 0 && !buffer_append(path, "/", 1, error))
		return false;
	return terminate(path, error);
}

static bool
make_url(const S3Storage *storage, const S3Request *request, Outgoing *outgoing, IngestError *error)
{
	make_host(storage, outgoing);
	return make_path(storage, request, &outgoing->path, error) &&
		   sigv4_query(request->query, request->query_count, &outgoing->query, error) &&
		   terminate(&outgoing->query, error) &&
		   buffer_printf(&outgoing->url, error, "%s://%s%s%s%s", storage->https ? "https" : "http", outgoing->host,
						 outgoing->path.data, outgoing->query.length > 1 ? "?" : "", outgoing->query.data) &&
		   terminate(&outgoing->url, error);
}

/* ---- header --------------------------------------------------------------------- */

static bool
add_line(Outgoing *outgoing, const char *name, const char *value, IngestError *error)
{
	size_t length = strlen(name) + strlen(value) + 3;
	char *line = malloc(length);

	if (line == NULL)
		return ingest_out_of_memory(error);
	snprintf(line, length, "%s: %s", name, value);
	outgoing->lines[outgoing->line_count++] = line;
	return true;
}

static bool
add_signed(Outgoing *outgoing, const char *name, const char *value, IngestError *error)
{
	outgoing->fields[outgoing->field_count++] = (Sigv4Field){name, value};
	return add_line(outgoing, name, value, error);
}

/* An ETag from a listing may lack the quotes that the header needs. */
static bool
add_if_match(Outgoing *outgoing, const char *etag, IngestError *error)
{
	char quoted[160];

	if (etag == NULL || etag[0] == '\0')
		return true;
	if (strchr(etag, '"') != NULL)
		return add_line(outgoing, "If-Match", etag, error);
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	return add_line(outgoing, "If-Match", quoted, error);
}

static bool
add_signature(const S3Storage *storage, const S3Request *request, Outgoing *outgoing, IngestError *error)
{
	const StorageConfig *config = &storage->base.config;
	Sigv4Request signing = {.method = request->head ? "HEAD" : "GET",
							.path = outgoing->path.data,
							.query = outgoing->query.data,
							.headers = outgoing->fields,
							.payload_hash = SIGV4_EMPTY_PAYLOAD,
							.access_key_id = config->access_key_id,
							.secret_access_key = config->secret_access_key,
							.region = outgoing->region,
							.service = "s3",
							.timestamp = outgoing->timestamp};
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(outgoing->timestamp, sizeof(outgoing->timestamp), "%Y%m%dT%H%M%SZ", &utc);
	if (!add_signed(outgoing, "x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD, error) ||
		!add_signed(outgoing, "x-amz-date", outgoing->timestamp, error))
		return false;
	if (config->session_token != NULL && !add_signed(outgoing, "x-amz-security-token", config->session_token, error))
		return false;
	signing.header_count = outgoing->field_count;
	return sigv4_authorization(&signing, &outgoing->authorization, error) &&
		   terminate(&outgoing->authorization, error) &&
		   add_line(outgoing, "authorization", outgoing->authorization.data, error);
}

static bool
make_header(const S3Storage *storage, const S3Request *request, Outgoing *outgoing, IngestError *error)
{
	if (!add_signed(outgoing, "host", outgoing->host, error))
		return false;
	if (storage->base.config.request_payer && !add_signed(outgoing, "x-amz-request-payer", "requester", error))
		return false;
	if (request->range[0] != '\0' && !add_line(outgoing, "range", request->range, error))
		return false;
	if (!add_if_match(outgoing, request->if_match, error))
		return false;
	return storage->base.config.skip_signature || add_signature(storage, request, outgoing, error);
}

/* ---- region ----------------------------------------------------------------------- */

static void
get_region(S3Storage *storage, char region[S3_REGION_SIZE])
{
	pthread_mutex_lock(&storage->mutex);
	strcpy(region, storage->region);
	pthread_mutex_unlock(&storage->mutex);
}

/* Does the answer say that the request is to be sent to (or signed for) another region? */
static bool
learn_region(S3Storage *storage, const HttpResponse *response, const char *used)
{
	char region[S3_REGION_SIZE];

	if (storage->region_given || !s3_answered_region(response, region) || strcmp(region, used) == 0)
		return false;
	pthread_mutex_lock(&storage->mutex);
	strcpy(storage->region, region);
	pthread_mutex_unlock(&storage->mutex);
	return true;
}

/* ---- the request ------------------------------------------------------------------ */

static bool
send_once(S3Storage *storage, const S3Request *request, const HttpSink *sink, HttpResponse *response, char *region,
		  const IngestCancel *cancel, IngestError *error)
{
	Outgoing outgoing;
	HttpRequest sent = {.head = request->head};
	bool done;

	outgoing_init(&outgoing);
	get_region(storage, outgoing.region);
	strcpy(region, outgoing.region);
	done = make_url(storage, request, &outgoing, error) && make_header(storage, request, &outgoing, error);
	if (done)
	{
		sent.url = outgoing.url.data;
		sent.headers = (const char *const *) outgoing.lines;
		sent.header_count = outgoing.line_count;
		done = http_perform(storage->pool, &sent, sink, response, cancel, error);
	}
	outgoing_release(&outgoing);
	return done;
}

bool
s3_perform(S3Storage *storage, const S3Request *request, const HttpSink *sink, HttpResponse *response,
		   const IngestCancel *cancel, IngestError *error)
{
	char region[S3_REGION_SIZE];

	memset(response, 0, sizeof(*response));
	if (!send_once(storage, request, sink, response, region, cancel, error))
		return false;
	if (response->status >= 300 && learn_region(storage, response, region))
	{
		http_response_release(response);
		memset(response, 0, sizeof(*response));
		if (!send_once(storage, request, sink, response, region, cancel, error))
			return false;
	}
	return response->status < 300 || s3_fail(storage, response, error);
}
