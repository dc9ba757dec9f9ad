/*-------------------------------------------------------------------------
 *
 * http.c
 *	  One HTTP request over pooled connections, by libcurl.
 *
 * A connection is an easy handle in a multi handle of its own, since the multi holds
 * the kept-alive socket.  Idle ones lie on a stack under the pool's mutex; the last
 * used is taken first.  libcurl's own sharing of connections between threads is not
 * used, because it is not safe; names and TLS sessions are shared, under locks.
 *
 * The multi interface is driven here in steps of at most 50 ms, between which the
 * caller's cancel is polled: an easy transfer would look at it once a second while
 * nothing arrives.
 *
 * Redirects are never followed (a signature must not travel to another host), only
 * http and https are spoken, and link-local addresses are not connected to: those are
 * the instance's metadata, which hold credentials, and no store has them.
 *
 * Memory: libcurl's buffers, and at most TEXT_LIMIT of an error's body; the body of an
 * answer goes to the sink as it arrives.
 *
 * Lock order: none is taken under another.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "storage/http.h"

#define POLL_MS 50
#define MOST_IDLE 32
#define TEXT_LIMIT (32 * 1024)
#define STALL_BYTES_PER_SECOND 512
#define STALL_SECONDS 20

typedef struct HttpConnection
{
	struct HttpConnection *next;
	CURLM *multi;
	CURL *easy;
} HttpConnection;

struct HttpPool
{
	const StorageConfig *config;
	pthread_mutex_t mutex; /* idle, idle_count */
	HttpConnection *idle;
	int idle_count;
	CURLSH *share;
	pthread_mutex_t share_mutexes[CURL_LOCK_DATA_LAST];
};

/* What the callbacks of one transfer see. */
typedef struct Transfer
{
	const HttpSink *sink;
	HttpResponse *response;
	IngestError *error; /* of the sink; kind NONE while it is content */
	bool begun;
	char curl_message[CURL_ERROR_SIZE];
} Transfer;

/* ---- pool --------------------------------------------------------------------- */

static void
lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *state)
{
	(void) easy;
	(void) access;
	pthread_mutex_lock(&((HttpPool *) state)->share_mutexes[data]);
}

static void
unlock_share(CURL *easy, curl_lock_data data, void *state)
{
	(void) easy;
	pthread_mutex_unlock(&((HttpPool *) state)->share_mutexes[data]);
}

HttpPool *
http_pool_create(const StorageConfig *config)
{
	HttpPool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->config = config;
	pthread_mutex_init(&pool->mutex, NULL);
	for (int i = 0; i < CURL_LOCK_DATA_LAST; i++)
		pthread_mutex_init(&pool->share_mutexes[i], NULL);
	pool->share = curl_share_init();
	if (pool->share == NULL)
	{
		http_pool_free(pool);
		return NULL;
	}
	curl_share_setopt(pool->share, CURLSHOPT_LOCKFUNC, lock_share);
	curl_share_setopt(pool->share, CURLSHOPT_UNLOCKFUNC, unlock_share);
	curl_share_setopt(pool->share, CURLSHOPT_USERDATA, pool);
	curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return pool;
}

static void
free_connection(HttpConnection *connection)
{
	if (connection->easy != NULL)
		curl_easy_cleanup(connection->easy);
	if (connection->multi != NULL)
		curl_multi_cleanup(connection->multi);
	free(connection);
}

void
http_pool_free(HttpPool *pool)
{
	if (pool == NULL)
		return;
	while (pool->idle != NULL)
	{
		HttpConnection *connection = pool->idle;

		pool->idle = connection->next;
		free_connection(connection);
	}
	if (pool->share != NULL)
		curl_share_cleanup(pool->share);
	for (int i = 0; i < CURL_LOCK_DATA_LAST; i++)
		pthread_mutex_destroy(&pool->share_mutexes[i]);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

static HttpConnection *
take_connection(HttpPool *pool)
{
	HttpConnection *connection;

	pthread_mutex_lock(&pool->mutex);
	connection = pool->idle;
	if (connection != NULL)
	{
		pool->idle = connection->next;
		pool->idle_count--;
	}
	pthread_mutex_unlock(&pool->mutex);
	if (connection != NULL)
		return connection;
	connection = calloc(1, sizeof(*connection));
	if (connection == NULL)
		return NULL;
	connection->multi = curl_multi_init();
	connection->easy = curl_easy_init();
	if (connection->multi != NULL && connection->easy != NULL)
		return connection;
	free_connection(connection);
	return NULL;
}

static void
give_back_connection(HttpPool *pool, HttpConnection *connection)
{
	curl_easy_reset(connection->easy); /* keeps the connections, forgets the request */
	pthread_mutex_lock(&pool->mutex);
	if (pool->idle_count < MOST_IDLE)
	{
		connection->next = pool->idle;
		pool->idle = connection;
		pool->idle_count++;
		connection = NULL;
	}
	pthread_mutex_unlock(&pool->mutex);
	if (connection != NULL)
		free_connection(connection);
}

/* ---- the answer's header -------------------------------------------------------- */

static void
copy_text(char *out, size_t size, const char *value)
{
	if (strlen(value) < size)
		strcpy(out, value);
}

static void
read_content_range(HttpResponse *response, const char *value)
{
	uint64_t first;
	uint64_t last;
	uint64_t total;

	response->range_total = -1;
	if (sscanf(value, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &total) == 3 && total <= INT64_MAX)
		response->range_total = (int64_t) total;
	else if (sscanf(value, "bytes */%" SCNu64, &total) == 1)
	{
		response->range_total = total <= INT64_MAX ? (int64_t) total : -1;
		return;
	}
	else if (sscanf(value, "bytes %" SCNu64 "-%" SCNu64 "/*", &first, &last) != 2)
		return;
	response->has_range = last >= first;
	response->range_first = first;
	response->range_last = last;
}

static void
read_header(HttpResponse *response, const char *name, const char *value)
{
	char *end;

	if (strcasecmp(name, "etag") == 0)
		copy_text(response->etag, sizeof(response->etag), value);
	else if (strcasecmp(name, "content-length") == 0)
	{
		long long length = strtoll(value, &end, 10);

		response->content_length = end != value && *end == '\0' && length >= 0 ? length : -1;
	}
	else if (strcasecmp(name, "content-range") == 0)
		read_content_range(response, value);
	else if (strcasecmp(name, "last-modified") == 0)
	{
		time_t modified = curl_getdate(value, NULL);

		response->modified_ms = modified > 0 ? (int64_t) modified * 1000 : 0;
	}
	else if (strcasecmp(name, "retry-after") == 0)
	{
		long seconds = strtol(value, &end, 10);

		/* the other form, a date, is not worth a wait */
		response->retry_after_ms =
			end != value && *end == '\0' && seconds >= 0 && seconds < 3600 ? seconds * 1000L : -1;
	}
	else if (strcasecmp(name, "x-amz-request-id") == 0)
		copy_text(response->request_id, sizeof(response->request_id), value);
	else if (strcasecmp(name, "x-amz-bucket-region") == 0)
		copy_text(response->bucket_region, sizeof(response->bucket_region), value);
}

static void
clear_header(HttpResponse *response)
{
	Buffer text = response->text;

	memset(response, 0, sizeof(*response));
	response->content_length = response->retry_after_ms = response->range_total = -1;
	response->text = text;
}

/* One line of the header, with its line end. */
static size_t
on_header(char *data, size_t size, size_t count, void *state)
{
	Transfer *transfer = state;
	size_t length = size * count;
	char line[2048];
	char *value;
	size_t kept = length;

	while (kept > 0 && (data[kept - 1] == '\r' || data[kept - 1] == '\n' || data[kept - 1] == ' '))
		kept--;
	if (kept >= 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		clear_header(transfer->response); /* behind a 100 Continue comes the real one */
		return length;
	}
	if (kept >= sizeof(line) || memchr(data, '\0', kept) != NULL)
		return length; /* nothing that is looked for is so long */
	memcpy(line, data, kept);
	line[kept] = '\0';
	value = strchr(line, ':');
	if (value == NULL)
		return length;
	*value++ = '\0';
	value += strspn(value, " \t");
	read_header(transfer->response, line, value);
	return length;
}

/* ---- the answer's body ----------------------------------------------------------- */

static bool
is_success(int status)
{
	return status >= 200 && status < 300;
}

static bool
begin_body(Transfer *transfer)
{
	if (transfer->begun)
		return true;
	transfer->begun = true;
	return transfer->sink->begin == NULL ||
		   transfer->sink->begin(transfer->sink->state, transfer->response, transfer->error);
}

typedef struct BodyState
{
	Transfer *transfer;
	CURL *easy;
} BodyState;

static size_t
on_body(char *data, size_t size, size_t count, void *state)
{
	BodyState *body = state;
	Transfer *transfer = body->transfer;
	size_t length = size * count;
	long status = 0;

	curl_easy_getinfo(body->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->response->status = (int) status;
	if (!is_success(transfer->response->status))
	{
		Buffer *text = &transfer->response->text;
		size_t room = TEXT_LIMIT - text->length;

		return buffer_append(text, data, length < room ? length : room, transfer->error) ? length : 0;
	}
	if (!begin_body(transfer) || !transfer->sink->data(transfer->sink->state, data, length, transfer->error))
		return 0; /* libcurl ends the transfer with CURLE_WRITE_ERROR */
	return length;
}

/* ---- one transfer ----------------------------------------------------------------- */

static bool
is_link_local(const struct sockaddr *address)
{
	const unsigned char *bytes;

	if (address->sa_family == AF_INET)
	{
		bytes = (const unsigned char *) &((const struct sockaddr_in *) address)->sin_addr;
		return bytes[0] == 169 && bytes[1] == 254;
	}
	if (address->sa_family != AF_INET6)
		return false;
	bytes = (const unsigned char *) &((const struct sockaddr_in6 *) address)->sin6_addr;
	if (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return bytes[12] == 169 && bytes[13] == 254;
	/* fe80::/10, and the metadata service's fd00:ec2::254 */
	return (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) ||
		   memcmp(bytes, "\xfd\x00\x0e\xc2\0\0\0\0\0\0\0\0\0\0\x02\x54", 16) == 0;
}

static curl_socket_t
open_socket(void *state, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void) state;
	(void) purpose;
	if (is_link_local(&address->addr))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static struct curl_slist *
make_header_list(const HttpRequest *request)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < request->header_count; i++)
	{
		struct curl_slist *longer = curl_slist_append(list, request->headers[i]);

		if (longer == NULL)
		{
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

static void
set_limits(CURL *easy, const StorageConfig *config)
{
	int64_t stall = config->timeout_ms / 1000;

	if (stall == 0 && config->timeout_ms > 0)
		stall = 1;
	if (stall == 0 || stall > STALL_SECONDS)
		stall = STALL_SECONDS;
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long) STALL_BYTES_PER_SECOND);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long) stall);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) config->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) config->connect_timeout_ms);
}

static void
set_manners(CURL *easy, const StorageConfig *config)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, config->allow_http ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* "." and ".." may be parts of keys */
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, config->user_agent != NULL ? config->user_agent : "feldera_ingest");
	if (config->proxy_url != NULL)
		curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy_url);
	if (config->http1_only)
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	else if (config->http2_only)
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	if (config->allow_invalid_certificates)
	{
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* Drive the transfer to its end, or to the caller's cancel. */
static bool
run_transfer(HttpConnection *connection, const IngestCancel *cancel, CURLcode *result, IngestError *error)
{
	int running = 1;

	while (running > 0)
	{
		CURLMcode code = curl_multi_perform(connection->multi, &running);

		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (code == CURLM_OK && running > 0)
			code = curl_multi_poll(connection->multi, NULL, 0, POLL_MS, NULL);
		if (code != CURLM_OK)
			return code == CURLM_OUT_OF_MEMORY
					   ? ingest_out_of_memory(error)
					   : ingest_fail(error, INGEST_ERROR_TRANSIENT, "%s", curl_multi_strerror(code));
	}
	*result = CURLE_RECV_ERROR;
	for (int left = 1; left > 0;)
	{
		CURLMsg *message = curl_multi_info_read(connection->multi, &left);

		if (message != NULL && message->msg == CURLMSG_DONE)
			*result = message->data.result;
	}
	return true;
}

static bool
fail_curl(const Transfer *transfer, CURLcode code, IngestError *error)
{
	const char *text = transfer->curl_message[0] != '\0' ? transfer->curl_message : curl_easy_strerror(code);

	switch (code)
	{
		case CURLE_OUT_OF_MEMORY:
			return ingest_out_of_memory(error);
		case CURLE_URL_MALFORMAT:
		case CURLE_UNSUPPORTED_PROTOCOL:
			return ingest_fail(error, INGEST_ERROR_INVALID, "%s", text);
		case CURLE_PEER_FAILED_VERIFICATION:
			return ingest_fail(error, INGEST_ERROR_DENIED, "the server's certificate was not accepted: %s", text);
		default:
			return ingest_fail(error, INGEST_ERROR_TRANSIENT, "%s", text);
	}
}

static bool
finish_transfer(CURL *easy, Transfer *transfer, CURLcode code, IngestError *error)
{
	long status = 0;

	if (transfer->error->kind != INGEST_ERROR_NONE)
		return false; /* the sink's own */
	if (code != CURLE_OK)
		return fail_curl(transfer, code, error);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->response->status = (int) status;
	return !is_success(transfer->response->status) || begin_body(transfer); /* an empty body */
}

static bool
perform_on(HttpPool *pool, HttpConnection *connection, const HttpRequest *request, struct curl_slist *headers,
		   Transfer *transfer, const IngestCancel *cancel, IngestError *error)
{
	CURL *easy = connection->easy;
	BodyState body = {transfer, easy};
	CURLcode code = CURLE_OK;
	bool ended;

	set_manners(easy, pool->config);
	set_limits(easy, pool->config);
	curl_easy_setopt(easy, CURLOPT_SHARE, pool->share);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_message);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_NOBODY, request->head ? 1L : 0L);
	if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK ||
		curl_multi_add_handle(connection->multi, easy) != CURLM_OK)
		return ingest_out_of_memory(error);
	ended = run_transfer(connection, cancel, &code, error);
	curl_multi_remove_handle(connection->multi, easy);
	return ended && finish_transfer(easy, transfer, code, error);
}

bool
http_perform(HttpPool *pool, const HttpRequest *request, const HttpSink *sink, HttpResponse *response,
			 const IngestCancel *cancel, IngestError *error)
{
	Transfer transfer = {.sink = sink, .response = response, .error = error};
	HttpConnection *connection;
	struct curl_slist *headers;
	bool done = false;

	ingest_error_clear(error);
	memset(response, 0, sizeof(*response));
	buffer_init(&response->text, TEXT_LIMIT);
	clear_header(response);
	connection = take_connection(pool);
	headers = make_header_list(request);
	if (connection == NULL || headers == NULL)
		(void) ingest_out_of_memory(error);
	else
		done = perform_on(pool, connection, request, headers, &transfer, cancel, error);
	if (connection != NULL)
		give_back_connection(pool, connection);
	curl_slist_free_all(headers);
	return done;
}

void
http_response_release(HttpResponse *response)
{
	buffer_release(&response->text);
}
