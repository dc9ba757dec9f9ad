/*-------------------------------------------------------------------------
 *
 * test_storage_s3.c
 *	  S3 requests as they go out and faults as they come in, on a recording
 *	  stand-in: what real servers do not check, or cannot be made to do.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <time.h>

#include "storage/storage.h"
#include "unit/http_stand_in.h"
#include "unit/tap.h"

#define OBJECT_SIZE 100000

static const StorageRights no_rights = {false, false};
static IngestError error;
static char object_bytes[OBJECT_SIZE];
static StandIn stand_in;

/* ---- opening ------------------------------------------------------------------- */

static StorageOption options[16];
static size_t option_count;
static char endpoint[128];

static void
option(const char *key, const char *value)
{
	options[option_count++] = (StorageOption){key, value};
}

/* Options of a quick, signed store at the stand-in. */
static void
usual_options(void)
{
	option_count = 0;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", stand_in.port);
	option("aws_endpoint", endpoint);
	option("aws_allow_http", "true");
	option("aws_access_key_id", "AKID");
	option("aws_secret_access_key", "verysecretkey");
	option("backoff_config.init_backoff", "1ms");
}

static Storage *
open_store(const char *uri)
{
	Storage *storage = NULL;

	ingest_error_clear(&error);
	(void) !storage_open(uri, options, option_count, &no_rights, &storage, &error);
	return storage;
}

/* The value of a header of the i-th request; empty where it is absent. */
static const char *
header(int number, const char *name)
{
	static char value[4096];
	char line[128];
	const char *found;

	value[0] = '\0';
	if (number >= stand_in.count)
		return value;
	snprintf(line, sizeof(line), "\r\n%s: ", name);
	found = strcasestr(stand_in.requests[number], line);
	if (found != NULL)
		snprintf(value, sizeof(value), "%.*s", (int) strcspn(found + strlen(line), "\r"), found + strlen(line));
	return value;
}

static const char *
request_line(int number)
{
	static char value[4096];

	value[0] = '\0';
	if (number < stand_in.count)
		snprintf(value, sizeof(value), "%.*s", (int) strcspn(stand_in.requests[number], "\r"),
				 stand_in.requests[number]);
	return value;
}

/* ---- answers --------------------------------------------------------------------- */

static bool
head_of_range(const char *request, uint64_t *first, uint64_t *last)
{
	const char *range = strcasestr(request, "\r\nrange: bytes=");

	*first = 0;
	*last = OBJECT_SIZE - 1;
	return range != NULL && sscanf(range + 15, "%" SCNu64 "-%" SCNu64, first, last) >= 1;
}

/* Serve the object, but break off after "most" bytes of the body. */
static bool
serve_object(int socket, const char *request, uint64_t most, const char *etag)
{
	uint64_t first, last;
	bool range = head_of_range(request, &first, &last);
	uint64_t length = last - first + 1;

	stand_in_printf(socket, "HTTP/1.1 %s\r\nETag: %s\r\nContent-Length: %" PRIu64 "\r\n",
					range ? "206 Partial Content" : "200 OK", etag, length);
	if (range)
		stand_in_printf(socket, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%d\r\n", first, last, OBJECT_SIZE);
	stand_in_printf(socket, "\r\n");
	if (strncmp(request, "HEAD", 4) == 0)
		return true;
	stand_in_send(socket, object_bytes + first, length < most ? length : most);
	return length <= most;
}

static bool
serve(int socket, const char *request, int number, void *state)
{
	(void) number;
	(void) state;
	return serve_object(socket, request, UINT64_MAX, "\"e1\"");
}

/* ---- what goes out ----------------------------------------------------------------- */

static void
test_request(void)
{
	Storage *storage;
	StorageObject object = {0};
	char out[10];
	char host[64];

	stand_in_start(&stand_in, serve, NULL);
	usual_options();
	option("aws_session_token", "the/session+token==");
	option("aws_region", "eu-west-1");
	storage = open_store("s3a://bucket/ta%20ble/");
	ok(storage != NULL && storage_read(storage, "p=a%20b+c&d=\u00e9?#/x//y", NULL, 5, 10, out, NULL, &error) &&
		   memcmp(out, object_bytes + 5, 10) == 0,
	   "a range is read %s", error.message);
	is_text(request_line(0), "GET /bucket/ta%20ble/p%3Da%2520b%2Bc%26d%3D%C3%A9%3F%23/x//y HTTP/1.1",
			"the key is encoded exactly once");
	snprintf(host, sizeof(host), "127.0.0.1:%d", stand_in.port);
	is_text(header(0, "host"), host, "path style is the default of an endpoint");
	is_text(header(0, "range"), "bytes=5-14", "the range");
	is_text(header(0, "x-amz-security-token"), "the/session+token==", "the session token is sent");
	is_text(header(0, "x-amz-content-sha256"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"the payload's hash is sent");
	ok(strstr(header(0, "authorization"), "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,") !=
		   NULL,
	   "the token is signed");
	ok(strstr(header(0, "authorization"), "/eu-west-1/s3/aws4_request") != NULL, "the region is the one given");
	ok(storage_head(storage, "x", &object, NULL, &error) && object.size == OBJECT_SIZE, "HEAD");
	is_text(object.etag, "\"e1\"", "the ETag");
	storage_object_clear(&object);
	is_int(stand_in.connections, 1, "one connection serves both");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_virtual_hosts(void)
{
	Storage *storage;
	char out[1];
	char expected[64];

	stand_in_start(&stand_in, serve, NULL);
	usual_options();
	snprintf(endpoint, sizeof(endpoint), "http://s3.localhost:%d", stand_in.port);
	option("aws_virtual_hosted_style_request", "true");
	storage = open_store("s3://bucket/t");
	ok(storage_read(storage, "a b", NULL, 0, 1, out, NULL, &error), "virtual host %s", error.message);
	is_text(request_line(0), "GET /t/a%20b HTTP/1.1", "the bucket is not in the path");
	snprintf(expected, sizeof(expected), "bucket.s3.localhost:%d", stand_in.port);
	is_text(header(0, "host"), expected, "but in the host");
	storage_close(storage);
	snprintf(endpoint, sizeof(endpoint), "http://bucket.s3.localhost:%d/", stand_in.port);
	storage = open_store("s3://bucket/t");
	ok(storage_read(storage, "x", NULL, 0, 1, out, NULL, &error), "an endpoint that has the bucket already");
	is_text(header(1, "host"), expected, "is taken as it is");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_unsigned(void)
{
	Storage *storage;
	char out[1];

	stand_in_start(&stand_in, serve, NULL);
	option_count = 0;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/base/path/", stand_in.port);
	option("endpoint_url", endpoint);
	option("allow_http", "1");
	option("skip_signature", "TRUE");
	storage = open_store("s3://bucket");
	ok(storage_read(storage, "x", "e1", 0, 1, out, NULL, &error), "unsigned %s", error.message);
	is_text(request_line(0), "GET /base/path/bucket/x HTTP/1.1", "an endpoint with a path; the bucket's root");
	is_text(header(0, "authorization"), "", "no signature");
	is_text(header(0, "if-match"), "\"e1\"", "an ETag without quotes gets them");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

/* Where AWS's own hosts would be spoken to, as a proxy is asked for them. */
static bool
refuse_tunnel(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	(void) state;
	stand_in_answer(socket, "403 Forbidden", "", "");
	return false;
}

static void
is_aws_host(const char *uri, const char *region, const char *virtual_hosted, const char *host)
{
	Storage *storage;
	char proxy[64];
	char expected[128];
	char out[1];

	stand_in_start(&stand_in, refuse_tunnel, NULL);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", stand_in.port);
	option_count = 0;
	option("proxy_url", proxy);
	option("aws_skip_signature", "true");
	option("max_retries", "0");
	if (region != NULL)
		option("aws_region", region);
	if (virtual_hosted != NULL)
		option("aws_virtual_hosted_style_request", virtual_hosted);
	storage = open_store(uri);
	ok(!storage_read(storage, "x", NULL, 0, 1, out, NULL, &error), "%s", error.message);
	snprintf(expected, sizeof(expected), "CONNECT %s:443 HTTP/1.1", host);
	is_text(request_line(0), expected, "the host of AWS");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_aws_hosts(void)
{
	is_aws_host("s3://bucket/t", NULL, NULL, "bucket.s3.us-east-1.amazonaws.com");
	is_aws_host("s3://bucket/t", "eu-west-1", NULL, "bucket.s3.eu-west-1.amazonaws.com");
	is_aws_host("s3://bucket/t", "cn-north-1", NULL, "bucket.s3.cn-north-1.amazonaws.com.cn");
	is_aws_host("s3://bucket/t", "eu-west-1", "false", "s3.eu-west-1.amazonaws.com");
	/* the certificate has one label only */
	is_aws_host("s3://my.bucket/t", "eu-west-1", NULL, "s3.eu-west-1.amazonaws.com");
}

static void
is_refused(const char *uri, IngestErrorKind kind)
{
	Storage *storage = open_store(uri);

	ok(storage == NULL && error.kind == kind, "%s; %s", error.message, error.hint);
	storage_close(storage);
}

static void
test_declarations(void)
{
	option_count = 0;
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	option("aws_skip_signature", "true");
	option("aws_endpoint", "http://127.0.0.1:1");
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	options[1].value = "ftp://127.0.0.1";
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	options[1].value = "https://user:password@host";
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	options[1].value = "https://ho st";
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	option_count = 1;
	is_refused("s3://buc ket/x", INGEST_ERROR_INVALID);
	is_refused("s3:///x", INGEST_ERROR_INVALID);
	option("aws_region", "eu-west-1.evil.example/");
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
	option_count = 1;
	option("aws_bucket", "another");
	is_refused("s3://bucket/x", INGEST_ERROR_INVALID);
}

/* ---- regions ------------------------------------------------------------------------- */

typedef struct RegionAnswer
{
	const char *status;
	const char *header;
	const char *body;
} RegionAnswer;

static bool
serve_region(int socket, const char *request, int number, void *state)
{
	const RegionAnswer *answer = state;

	(void) number;
	if (strstr(request, "/eu-central-1/s3/aws4_request") != NULL)
		return serve_object(socket, request, UINT64_MAX, "\"e1\"");
	stand_in_answer(socket, answer->status, answer->header, answer->body);
	return true;
}

static void
test_region(RegionAnswer answer, const char *given, int requests, bool works)
{
	Storage *storage;
	char out[1];
	bool done;

	stand_in_start(&stand_in, serve_region, &answer);
	usual_options();
	if (given != NULL)
		option("aws_region", given);
	storage = open_store("s3://bucket/x");
	done = storage_read(storage, "x", NULL, 0, 1, out, NULL, &error);
	ok(done == works, "%s %s: %s; %s", answer.status, answer.header, works ? "found" : error.message,
	   works ? "" : error.hint);
	ok(strstr(header(0, "authorization"), given != NULL ? given : "/us-east-1/") != NULL, "first try");
	is_int(stand_in.count, requests, "requests");
	if (works)
		ok(storage_read(storage, "x", NULL, 1, 1, out, NULL, &error) && stand_in.count == requests + 1,
		   "the region is remembered");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_regions(void)
{
	static const char malformed[] =
		"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is "
		"wrong</Message><Region>eu-central-1</Region></Error>";

	test_region((RegionAnswer){"301 Moved Permanently", "x-amz-bucket-region: eu-central-1\r\n", ""}, NULL, 2, true);
	test_region((RegionAnswer){"400 Bad Request", "", malformed}, NULL, 2, true);
	test_region((RegionAnswer){"400 Bad Request", "", malformed}, "eu-west-3", 1, false);
	ok(strstr(error.hint, "eu-central-1") != NULL, "a region that was given is not overruled, but the right one named");
	test_region((RegionAnswer){"301 Moved Permanently", "x-amz-bucket-region: evil.example/\r\n", ""}, NULL, 1, false);
	test_region(
		(RegionAnswer){"307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", "<Error><Code>T</Code></Error>"},
		NULL, 1, false);
}

/* ---- faults --------------------------------------------------------------------------- */

static int retries_seen;
static IngestErrorKind retry_kind;
static bool retry_names_object;

static void
note_retry(void *state, const IngestError *cause, int attempt, int64_t wait_ms)
{
	(void) state;
	(void) attempt;
	(void) wait_ms;
	retries_seen++;
	retry_kind = cause->kind;
	retry_names_object = strstr(cause->message, "s3://bucket/x") != NULL;
}

static bool
read_object(const char *uri)
{
	Storage *storage = open_store(uri);
	char *out = calloc(1, OBJECT_SIZE);
	bool done;

	retries_seen = 0;
	storage_on_retry(storage, note_retry, NULL);
	done = storage_read(storage, "x", NULL, 0, OBJECT_SIZE, out, NULL, &error) &&
		   memcmp(out, object_bytes, OBJECT_SIZE) == 0;
	storage_close(storage);
	free(out);
	return done;
}

static bool
get_object(const char *uri)
{
	Storage *storage = open_store(uri);
	StorageObject object = {0};
	Buffer buffer;
	bool done;

	buffer_init(&buffer, OBJECT_SIZE + 10);
	if (!buffer_append(&buffer, "before", 6, &error))
		abort();
	done = storage_get(storage, "x", &buffer, &object, NULL, &error) && buffer.length == OBJECT_SIZE + 6 &&
		   memcmp(buffer.data, "before", 6) == 0 && memcmp(buffer.data + 6, object_bytes, OBJECT_SIZE) == 0 &&
		   object.size == OBJECT_SIZE;
	buffer_release(&buffer);
	storage_object_clear(&object);
	storage_close(storage);
	return done;
}

/* The body breaks off after 7,000 bytes each time: more often than max_retries, but it gets on. */
static bool
serve_broken(int socket, const char *request, int number, void *state)
{
	(void) number;
	(void) state;
	return serve_object(socket, request, 7000, "\"e1\"");
}

static void
test_broken_bodies(void)
{
	stand_in_start(&stand_in, serve_broken, NULL);
	usual_options();
	option("max_retries", "2");
	ok(read_object("s3://bucket"), "a range whose transfers break off is complete: %s", error.message);
	is_int(stand_in.count, 15, "in as many requests as it takes");
	is_int(retries_seen, 14, "each retry was told");
	ok(retry_names_object, "with the object's name");
	is_text(header(1, "range"), "bytes=7000-99999", "the second goes on where the first broke");
	is_text(header(1, "if-match"), "\"e1\"", "of the same object");
	stand_in_stop(&stand_in);
	stand_in_start(&stand_in, serve_broken, NULL);
	usual_options();
	option("max_retries", "2");
	ok(get_object("s3://bucket"), "a whole object: %s", error.message);
	is_text(header(1, "range"), "bytes=7000-", "goes on as well");
	stand_in_stop(&stand_in);
}

/* Another version stands there after the break. */
static bool
serve_changing(int socket, const char *request, int number, void *state)
{
	(void) state;
	return serve_object(socket, request, number == 0 ? 7000 : UINT64_MAX, number == 0 ? "\"e1\"" : "\"e2\"");
}

static bool
serve_short(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	(void) state;
	stand_in_printf(socket, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4999/5000\r\nContent-Length: "
							"5000\r\n\r\n");
	stand_in_send(socket, object_bytes, 5000);
	return true;
}

static bool
serve_other_range(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	(void) state;
	stand_in_printf(socket,
					"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-%d/%d\r\nContent-Length: %d\r\n\r\n",
					OBJECT_SIZE, OBJECT_SIZE + 1, OBJECT_SIZE);
	stand_in_send(socket, object_bytes, OBJECT_SIZE);
	return true;
}

static bool
serve_too_much(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	(void) state;
	stand_in_printf(socket, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-%d/%d\r\n\r\n", OBJECT_SIZE - 1,
					OBJECT_SIZE);
	stand_in_send(socket, object_bytes, OBJECT_SIZE);
	stand_in_send(socket, object_bytes, OBJECT_SIZE);
	return false;
}

static bool
serve_no_ranges(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	(void) state;
	stand_in_printf(socket, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", OBJECT_SIZE + 1);
	stand_in_send(socket, object_bytes, OBJECT_SIZE);
	return false;
}

static void
test_lies(void)
{
	static const struct
	{
		bool (*answer)(int socket, const char *request, int number, void *state);
		IngestErrorKind kind;
		const char *name;
	} lies[] = {{serve_changing, INGEST_ERROR_CHANGED, "another version after the break"},
				{serve_short, INGEST_ERROR_CORRUPT, "an object that ends early"},
				{serve_other_range, INGEST_ERROR_CORRUPT, "another range than asked for"},
				{serve_too_much, INGEST_ERROR_CORRUPT, "more bytes than asked for"},
				{serve_no_ranges, INGEST_ERROR_UNSUPPORTED, "a server without ranges"}};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
	{
		stand_in_start(&stand_in, lies[i].answer, NULL);
		usual_options();
		ok(!read_object("s3://bucket") && error.kind == lies[i].kind, "%s: %s", lies[i].name, error.message);
		stand_in_stop(&stand_in);
	}
}

/* A changing object is not mixed by a whole get either: it begins again with what the server now has. */
static bool
serve_changing_whole(int socket, const char *request, int number, void *state)
{
	(void) state;
	if (strcasestr(request, "\r\nif-match:") != NULL)
	{
		stand_in_answer(socket, "412 Precondition Failed", "", "<Error><Code>PreconditionFailed</Code></Error>");
		return true;
	}
	return serve_object(socket, request, number == 0 ? 7000 : UINT64_MAX, "\"e1\"");
}

static void
test_changing_whole(void)
{
	stand_in_start(&stand_in, serve_changing_whole, NULL);
	usual_options();
	ok(!get_object("s3://bucket") && error.kind == INGEST_ERROR_CHANGED, "a whole object that changed: %s",
	   error.message);
	stand_in_stop(&stand_in);
}

typedef struct Refusal
{
	const char *status;
	const char *header;
	const char *body;
	int times;
} Refusal;

static bool
serve_refusal(int socket, const char *request, int number, void *state)
{
	const Refusal *refusal = state;

	if (number >= refusal->times)
		return serve_object(socket, request, UINT64_MAX, "\"e1\"");
	stand_in_answer(socket, refusal->status, refusal->header, refusal->body);
	return true;
}

static void
test_refusal(Refusal refusal, IngestErrorKind kind, int requests)
{
	stand_in_start(&stand_in, serve_refusal, &refusal);
	usual_options();
	option("max_retries", "3");
	ok(read_object("s3://bucket") == (kind == INGEST_ERROR_NONE) && (kind == INGEST_ERROR_NONE || error.kind == kind),
	   "%s %d times: %s", refusal.status, refusal.times, kind == INGEST_ERROR_NONE ? "done" : error.message);
	is_int(stand_in.count, requests, "requests");
	stand_in_stop(&stand_in);
}

static void
test_refusals(void)
{
	static const char slow_down[] =
		"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request "
		"rate.</Message><RequestId>R42</RequestId></Error>";
	static const char secret[] = "<Error><Code>AccessDenied</Code><Message>bad\nverysecretkey here</Message></Error>";

	test_refusal((Refusal){"503 Slow Down", "", slow_down, 2}, INGEST_ERROR_NONE, 3);
	test_refusal((Refusal){"503 Slow Down", "Retry-After: 1\r\n", slow_down, 1}, INGEST_ERROR_NONE, 2);
	test_refusal((Refusal){"503 Slow Down", "", slow_down, 99}, INGEST_ERROR_TRANSIENT, 4);
	ok(strstr(error.message, "s3://bucket/x") != NULL && strstr(error.message, "SlowDown") != NULL &&
		   strstr(error.message, "R42") != NULL,
	   "bucket, key, code and request id are told");
	test_refusal((Refusal){"500 Internal Server Error", "", "", 1}, INGEST_ERROR_NONE, 2);
	test_refusal((Refusal){"502 Bad Gateway", "", "<html><body>nginx", 1}, INGEST_ERROR_NONE, 2);
	test_refusal((Refusal){"429 Too Many Requests", "", "", 1}, INGEST_ERROR_NONE, 2);
	test_refusal((Refusal){"400 Bad Request", "", "<Error><Code>RequestTimeout</Code></Error>", 1}, INGEST_ERROR_NONE,
				 2);
	test_refusal((Refusal){"400 Bad Request", "", "<Error><Code>ExpiredToken</Code></Error>", 9}, INGEST_ERROR_DENIED,
				 1);
	test_refusal((Refusal){"404 Not Found", "", "<Error><Code>NoSuchKey</Code></Error>", 9}, INGEST_ERROR_NOT_FOUND, 1);
	test_refusal((Refusal){"412 Precondition Failed", "", "", 9}, INGEST_ERROR_CHANGED, 1);
	test_refusal((Refusal){"416 Range Not Satisfiable", "Content-Range: bytes */5\r\n", "", 9}, INGEST_ERROR_CORRUPT,
				 1);
	test_refusal((Refusal){"302 Found", "Location: http://169.254.169.254/\r\n", "", 9}, INGEST_ERROR_INVALID, 1);
	test_refusal((Refusal){"403 Forbidden", "x-amz-request-id: ID7\r\n", secret, 9}, INGEST_ERROR_DENIED, 1);
	ok(strstr(error.message, "verysecretkey") == NULL && strstr(error.message, "***") != NULL &&
		   strstr(error.message, "ID7") != NULL && strchr(error.message, '\n') == NULL,
	   "a secret in the server's words is not shown, its lines are one");
}

static bool
refuse_connection(int socket, const char *request, int number, void *state)
{
	struct linger now = {1, 0};

	(void) state;
	if (number >= 2)
		return serve_object(socket, request, UINT64_MAX, "\"e1\"");
	setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return false;
}

/* Half of the body, then silence. */
static bool
stall(int socket, const char *request, int number, void *state)
{
	volatile bool *stalling = state;

	if (number > 0)
		return serve_object(socket, request, UINT64_MAX, "\"e1\"");
	(void) serve_object(socket, request, OBJECT_SIZE / 2, "\"e1\"");
	while (*stalling && !stand_in.stopping)
		usleep(10000);
	return false;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t cancel_at;

static bool
cancelled(void *state)
{
	(void) state;
	return now_ms() >= cancel_at;
}

static void
test_stalls(void)
{
	bool stalling = true;
	IngestCancel cancel = {cancelled, NULL};
	Storage *storage;
	char out[OBJECT_SIZE];
	int64_t late;

	stand_in_start(&stand_in, refuse_connection, NULL);
	usual_options();
	ok(read_object("s3://bucket"), "connections that are reset: %s", error.message);
	stand_in_stop(&stand_in);

	stand_in_start(&stand_in, stall, &stalling);
	usual_options();
	option("timeout", "1s");
	ok(read_object("s3://bucket") && retry_kind == INGEST_ERROR_TRANSIENT, "a stall is broken off and gone on: %s",
	   error.message);
	is_text(header(1, "range"), "bytes=50000-99999", "from where it stalled");
	stand_in_stop(&stand_in);

	stand_in_start(&stand_in, stall, &stalling);
	usual_options();
	storage = open_store("s3://bucket");
	cancel_at = now_ms() + 300;
	ok(!storage_read(storage, "x", NULL, 0, OBJECT_SIZE, out, &cancel, &error) && error.kind == INGEST_ERROR_CANCELLED,
	   "a stalled read can be cancelled");
	late = now_ms() - cancel_at;
	ok(late < 150, "at once (%" PRId64 " ms)", late);
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_cancelled_pause(void)
{
	Refusal refusal = {"503 Slow Down", "", "", 99};
	IngestCancel cancel = {cancelled, NULL};
	Storage *storage;
	char out[1];
	int64_t late;

	stand_in_start(&stand_in, serve_refusal, &refusal);
	usual_options();
	options[option_count - 1].value = "60s";
	option("backoff_config.max_backoff", "60s");
	storage = open_store("s3://bucket");
	cancel_at = now_ms() + 200;
	ok(!storage_read(storage, "x", NULL, 0, 1, out, &cancel, &error) && error.kind == INGEST_ERROR_CANCELLED,
	   "the pause before a retry can be cancelled");
	late = now_ms() - cancel_at;
	ok(late < 150, "at once (%" PRId64 " ms)", late);
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_metadata_address(void)
{
	option_count = 0;
	option("aws_endpoint", "http://169.254.169.254");
	option("aws_allow_http", "true");
	option("aws_skip_signature", "true");
	option("max_retries", "0");
	option("connect_timeout", "2s");
	ok(!read_object("s3://bucket") && strstr(error.message, "after 0 ms") != NULL,
	   "the metadata service's address is not connected to: %s", error.message);
}

/* ---- listing --------------------------------------------------------------------------- */

static const char *const pages[] = {
	"<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>"
	"<IsTruncated>true</IsTruncated><NextContinuationToken>to+k/en=</NextContinuationToken>"
	"<Contents><Key>t/log/2</Key><Size>2</Size><ETag>&quot;e2&quot;</ETag>"
	"<LastModified>2009-10-12T17:50:30.123Z</LastModified><Owner><ID>x</ID></Owner></Contents>"
	"<Contents><Key>t/log/a&amp;b&#39;&lt;&#xe9;+</Key><Size>3</Size></Contents>"
	"</ListBucketResult>",
	"<ListBucketResult><Contents><Size>1</Size><Key>t/log/1+%25%20</Key></Contents><Contents><Key>t/log/</Key>"
	"<Size>0</Size></Contents><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType></ListBucketResult>"};

static bool
serve_pages(int socket, const char *request, int number, void *state)
{
	(void) number;
	(void) state;
	stand_in_answer(socket, "200 OK", "", pages[strstr(request, "continuation-token") != NULL]);
	return true;
}

static bool
note_object(const StorageObject *object, void *state)
{
	char *text = state;

	sprintf(text + strlen(text), "%s:%d:%s:%" PRId64 " ", object->path, (int) object->size, object->etag,
			object->modified_ms);
	return true;
}

static void
test_listing(void)
{
	Storage *storage;
	char text[1024] = "";

	stand_in_start(&stand_in, serve_pages, NULL);
	usual_options();
	storage = open_store("s3://bucket/t");
	ok(storage_list(storage, "log", NULL, note_object, text, NULL, &error), "listed %s", error.message);
	is_text(text, "log/1 % :1::0 log/2:2:\"e2\":1255369830123 log/a&b'<\u00e9+:3::0 ",
			"both pages, decoded each in its way, sorted, without the directory's own key");
	is_text(request_line(0), "GET /bucket?encoding-type=url&list-type=2&prefix=t%2Flog%2F HTTP/1.1", "first page");
	is_text(request_line(1),
			"GET /bucket?continuation-token=to%2Bk%2Fen%3D&encoding-type=url&list-type=2&prefix=t%2Flog%2F HTTP/1.1",
			"second page");
	text[0] = '\0';
	ok(storage_list(storage, "log", "log/2", note_object, text, NULL, &error), "listed %s", error.message);
	is_text(text, "log/a&b'<\u00e9+:3::0 ", "start-after holds though the server ignores it");
	ok(strstr(request_line(2), "start-after=t%2Flog%2F2") != NULL, "and was asked for");
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static bool
serve_text(int socket, const char *request, int number, void *state)
{
	(void) request;
	(void) number;
	stand_in_answer(socket, "200 OK", "", state);
	return true;
}

static void
is_bad_listing(char *page, IngestErrorKind kind)
{
	Storage *storage;
	char text[1024] = "";

	stand_in_start(&stand_in, serve_text, page);
	usual_options();
	option("max_retries", "1");
	storage = open_store("s3://bucket/t");
	ok(!storage_list(storage, "log", NULL, note_object, text, NULL, &error) && error.kind == kind && text[0] == '\0',
	   "%s", error.message);
	storage_close(storage);
	stand_in_stop(&stand_in);
}

static void
test_bad_listings(void)
{
	is_bad_listing("", INGEST_ERROR_TRANSIENT);
	is_bad_listing("<ListBucketResult><Contents><Key>t/log/1</Key><Size>1</Size></Contents>", INGEST_ERROR_TRANSIENT);
	is_bad_listing("<html/>", INGEST_ERROR_TRANSIENT);
	is_bad_listing("<Error><Code>InternalError</Code></Error>", INGEST_ERROR_TRANSIENT);
	is_bad_listing("<ListBucketResult><Contents><Key>other/1</Key><Size>1</Size></Contents></ListBucketResult>",
				   INGEST_ERROR_CORRUPT);
	is_bad_listing("<ListBucketResult><Contents><Key>t/log/1</Key><Size>-1</Size></Contents></ListBucketResult>",
				   INGEST_ERROR_CORRUPT);
	is_bad_listing("<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>", INGEST_ERROR_CORRUPT);
	is_bad_listing("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", INGEST_ERROR_CORRUPT);
	is_bad_listing("<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
				   "</ListBucketResult>",
				   INGEST_ERROR_CORRUPT);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void *
read_many(void *argument)
{
	Storage *storage = argument;
	char out[1000];
	IngestError own;
	intptr_t failures = 0;

	for (int i = 0; i < 50; i++)
		failures += !storage_read(storage, "x", NULL, (uint64_t) i * 1000, 1000, out, NULL, &own) ||
					memcmp(out, object_bytes + i * 1000, 1000) != 0;
	return (void *) failures;
}

static void
test_threads(void)
{
	pthread_t threads[8];
	intptr_t failures = 0;
	Storage *storage;

	stand_in_start(&stand_in, serve, NULL);
	usual_options();
	storage = open_store("s3://bucket");
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, read_many, storage);
	for (int i = 0; i < 8; i++)
	{
		void *result;

		pthread_join(threads[i], &result);
		failures += (intptr_t) result;
	}
	is_int(failures, 0, "400 reads by 8 threads");
	ok(stand_in.connections <= 8, "over %d connections", stand_in.connections);
	storage_close(storage);
	stand_in_stop(&stand_in);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	unsetenv("http_proxy"); /* the machine's own must not come between */
	unsetenv("all_proxy");
	storage_initialize();
	for (int i = 0; i < OBJECT_SIZE; i++)
		object_bytes[i] = (char) (i * 7 + i / 251);
	test_request();
	test_virtual_hosts();
	test_unsigned();
	test_aws_hosts();
	test_declarations();
	test_regions();
	test_broken_bodies();
	test_lies();
	test_changing_whole();
	test_refusals();
	test_stalls();
	test_cancelled_pause();
	test_metadata_address();
	test_listing();
	test_bad_listings();
	test_threads();
	return done_testing();
}
