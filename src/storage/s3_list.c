/*-------------------------------------------------------------------------
 *
 * s3_list.c
 *	  ListObjectsV2: all pages of a prefix, sorted.
 *
 * Servers promise the order of the keys' bytes, but directory buckets and some
 * imitations do not keep it, so all pages are collected first and sorted if need be,
 * under a limit.
 *
 * encoding-type=url is asked for, since keys may hold what XML cannot (some servers end
 * the document in the middle at a control character).  A server that obeys says so in
 * its answer, before or behind the keys; one that does not know it writes plain keys,
 * with entities.  In encoded keys a plus is a space, as it is in a form: all servers
 * that leave spaces so write a plus as %2B.
 *
 * What the server says is checked: keys lie below the prefix, a truncated page names
 * its continuation, which is not the one just used.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storage/retry.h"
#include "storage/s3.h"
#include "storage/xml.h"

#define PAGE_LIMIT (16 * 1024 * 1024)
#define LISTING_LIMIT (64 * 1024 * 1024)

typedef struct ListedObject
{
	const char *path; /* arena */
	const char *etag; /* arena */
	uint64_t size;
	int64_t modified_ms;
} ListedObject;

typedef struct Listing
{
	S3Storage *storage;
	char *key_prefix;   /* full key of the prefix with a slash at its end, or empty */
	size_t root_length; /* of the root with its slash: what paths do not have */
	const char *start_after;
	Arena arena;
	ListedObject *objects;
	size_t count;
	size_t capacity;
	bool sorted;
	/* of the page being read */
	Buffer page;
	bool encoded; /* keys are percent-encoded */
	bool truncated;
	char *token; /* malloc'ed */
	/* of the object being read */
	char *key; /* malloc'ed */
	ListedObject object;
} Listing;

static void
listing_release(Listing *listing)
{
	buffer_release(&listing->page);
	arena_release(&listing->arena);
	free(listing->key_prefix);
	free(listing->objects);
	free(listing->token);
	free(listing->key);
}

/* ---- a page ------------------------------------------------------------------------- */

/* "2009-10-12T17:50:30.000Z"; 0 where it is something else. */
static int64_t
parse_time(const char *text)
{
	struct tm utc = {0};
	char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	int milliseconds = 0;

	if (end == NULL)
		return 0;
	if (*end == '.')
		(void) sscanf(end, ".%3d", &milliseconds);
	return (int64_t) timegm(&utc) * 1000 + milliseconds;
}

static bool
bad_page(const char *what, const char *detail, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "malformed listing: %s%s%s", what, detail[0] != '\0' ? " " : "",
					   detail);
}

static bool
keep_object(Listing *listing, const char *path, IngestError *error)
{
	ListedObject *last;

	if (listing->count == listing->capacity)
	{
		size_t capacity = listing->capacity == 0 ? 256 : listing->capacity * 2;
		ListedObject *objects = reallocarray(listing->objects, capacity, sizeof(ListedObject));

		if (objects == NULL)
			return ingest_out_of_memory(error);
		listing->objects = objects;
		listing->capacity = capacity;
	}
	path = arena_copy(&listing->arena, path, strlen(path));
	if (path == NULL)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "the listing of \"%s\" is larger than %d MB", listing->key_prefix,
						   LISTING_LIMIT / 1024 / 1024);
	last = &listing->objects[listing->count++];
	*last = listing->object;
	last->path = path;
	if (listing->count > 1 && strcmp(last[-1].path, path) >= 0)
		listing->sorted = false;
	return true;
}

/* At </Contents>: the object is complete. */
static bool
end_object(Listing *listing, IngestError *error)
{
	const char *path;
	size_t length;

	if (listing->key == NULL)
		return bad_page("an object without a key", "", error);
	if (strncmp(listing->key, listing->key_prefix, strlen(listing->key_prefix)) != 0)
		return bad_page("a key outside of the prefix:", listing->key, error);
	path = listing->key + listing->root_length;
	length = strlen(path);
	/* a server may ignore start-after; a key that ends in a slash stands for a directory */
	if (length == 0 || (path[length - 1] == '/' && listing->object.size == 0) ||
		(listing->start_after != NULL && strcmp(path, listing->start_after) <= 0))
		return true;
	return keep_object(listing, path, error);
}

static bool
decode_key(Listing *listing, IngestError *error)
{
	char *decoded;

	if (!listing->encoded)
		return true;
	for (char *plus = listing->key; (plus = strchr(plus, '+')) != NULL;)
		*plus = ' ';
	decoded = storage_uri_decode(listing->key, error);
	free(listing->key);
	listing->key = decoded;
	return decoded != NULL;
}

static bool
replace_text(char **field, const Buffer *text, IngestError *error)
{
	free(*field);
	if (memchr(text->data != NULL ? text->data : "", '\0', text->length) != NULL)
		return bad_page("a NUL byte", "", error);
	*field = strndup(text->data != NULL ? text->data : "", text->length);
	return *field != NULL || ingest_out_of_memory(error);
}

/* The end of an element of an object. */
static bool
take_object_field(Listing *listing, Span name, const Buffer *text, IngestError *error)
{
	char value[160];

	if (span_equals(name, "Key"))
		return replace_text(&listing->key, text, error) && decode_key(listing, error);
	snprintf(value, sizeof(value), "%.*s", (int) (text->length < sizeof(value) ? text->length : 0),
			 text->data != NULL ? text->data : "");
	if (span_equals(name, "Size"))
	{
		char *end;

		listing->object.size = strtoull(value, &end, 10);
		return (end != value && *end == '\0' && value[0] != '-') || bad_page("a size of", value, error);
	}
	if (span_equals(name, "LastModified"))
		listing->object.modified_ms = parse_time(value);
	else if (span_equals(name, "ETag") && strlen(value) < sizeof(((StorageObject *) 0)->etag))
	{
		listing->object.etag = arena_copy(&listing->arena, value, strlen(value));
		return listing->object.etag != NULL || ingest_out_of_memory(error);
	}
	return true;
}

static bool
take_element(Listing *listing, const XmlReader *reader, XmlEvent event, IngestError *error)
{
	bool contents = reader->depth >= 2 && span_equals(reader->names[1], "Contents");

	if (event == XML_START)
	{
		if (contents && reader->depth == 2)
		{
			listing->object = (ListedObject){.etag = ""};
			free(listing->key);
			listing->key = NULL;
		}
		return true;
	}
	if (contents && reader->depth == 2)
		return take_object_field(listing, reader->name, &reader->text, error);
	if (reader->depth != 1)
		return true;
	if (span_equals(reader->name, "Contents"))
		return end_object(listing, error);
	if (span_equals(reader->name, "NextContinuationToken"))
		return replace_text(&listing->token, &reader->text, error);
	if (span_equals(reader->name, "IsTruncated"))
		listing->truncated = span_equals((Span){reader->text.data, reader->text.length}, "true");
	return true;
}

static bool
parse_page(Listing *listing, IngestError *error)
{
	static const char mark[] = "<EncodingType>url</EncodingType>";
	XmlReader reader;
	XmlEvent event = XML_START;
	bool done = true;

	/* it may stand behind the keys; a "<" of a key would have been escaped */
	listing->encoded =
		listing->page.length > 0 && memmem(listing->page.data, listing->page.length, mark, strlen(mark)) != NULL;
	xml_reader_init(&reader, listing->page.data != NULL ? listing->page.data : "", listing->page.length);
	while (done)
	{
		done = xml_reader_next(&reader, &event, error);
		/* a server that fails in the middle of a page can only end it there */
		if (!done && error->kind == INGEST_ERROR_CORRUPT)
			error->kind = INGEST_ERROR_TRANSIENT;
		if (!done || event == XML_DONE)
			break;
		if (event == XML_START && reader.depth == 1 && !span_equals(reader.name, "ListBucketResult"))
			done = ingest_fail(error, INGEST_ERROR_TRANSIENT, "the answer is no listing but a \"%.*s\"",
							   (int) (reader.name.length < 64 ? reader.name.length : 64), reader.name.data);
		else
			done = take_element(listing, &reader, event, error);
	}
	xml_reader_release(&reader);
	return done;
}

/* ---- requests ------------------------------------------------------------------------- */

static bool
begin_page(void *state, const HttpResponse *response, IngestError *error)
{
	Listing *listing = state;

	(void) response;
	(void) error;
	listing->page.length = 0;
	return true;
}

static bool
receive_page(void *state, const char *data, size_t length, IngestError *error)
{
	return buffer_append(&((Listing *) state)->page, data, length, error);
}

static bool
try_page(Listing *listing, const char *token, const char *start_key, int64_t *wait_hint_ms, const IngestCancel *cancel,
		 IngestError *error)
{
	Sigv4Field query[4] = {{"list-type", "2"}, {"encoding-type", "url"}};
	S3Request request = {.query = query, .query_count = 2};
	HttpSink sink = {begin_page, receive_page, listing};
	HttpResponse response;
	size_t count = listing->count;
	bool done;

	if (listing->key_prefix[0] != '\0')
		query[request.query_count++] = (Sigv4Field){"prefix", listing->key_prefix};
	if (token != NULL)
		query[request.query_count++] = (Sigv4Field){"continuation-token", token};
	else if (start_key != NULL)
		query[request.query_count++] = (Sigv4Field){"start-after", start_key};
	done = s3_perform(listing->storage, &request, &sink, &response, cancel, error);
	*wait_hint_ms = response.retry_after_ms;
	http_response_release(&response);
	listing->truncated = false;
	if (done && !parse_page(listing, error))
	{
		listing->count = count; /* the page is read anew, or not at all */
		done = false;
	}
	return done;
}

static bool
load_page(Listing *listing, const char *token, const char *start_key, const IngestCancel *cancel, IngestError *error)
{
	int64_t wait_hint_ms = -1;
	Retry retry = {.storage = &listing->storage->base,
				   .cancel = cancel,
				   .context = s3_context,
				   .doing = "list",
				   .key = listing->key_prefix};

	retry_begin(&retry);
	while (!try_page(listing, token, start_key, &wait_hint_ms, cancel, error))
		if (!retry_wait(&retry, 0, wait_hint_ms, error))
			return false;
	return true;
}

static bool
load_pages(Listing *listing, const char *start_key, const IngestCancel *cancel, IngestError *error)
{
	char *used = NULL;
	bool done;

	while ((done = load_page(listing, used, start_key, cancel, error)) && listing->truncated)
	{
		if (listing->token == NULL || (used != NULL && strcmp(used, listing->token) == 0))
		{
			done = bad_page("it is truncated, but does not tell how to go on", "", error);
			break;
		}
		free(used);
		used = listing->token;
		listing->token = NULL;
	}
	free(used);
	return done;
}

/* ---- the call --------------------------------------------------------------------------- */

static int
compare_objects(const void *a, const void *b)
{
	return strcmp(((const ListedObject *) a)->path, ((const ListedObject *) b)->path);
}

static bool
visit_all(Listing *listing, bool (*visit)(const StorageObject *object, void *state), void *state, IngestError *error)
{
	bool more = true;

	if (!listing->sorted)
		qsort(listing->objects, listing->count, sizeof(ListedObject), compare_objects);
	for (size_t i = 0; i < listing->count && more; i++)
	{
		const ListedObject *listed = &listing->objects[i];
		StorageObject object;

		if (!storage_object_set(&object, listed->path, listed->size, listed->modified_ms, listed->etag, error))
			return false;
		more = visit(&object, state);
		storage_object_clear(&object);
	}
	return true;
}

/* The prefix's key with one slash at its end; empty for a whole bucket. */
static char *
directory_key(const S3Storage *storage, const char *prefix)
{
	char *key = s3_key(storage, prefix);
	char *directory;
	size_t length;

	if (key == NULL)
		return NULL;
	length = strlen(key);
	if (length == 0 || key[length - 1] == '/')
		return key;
	directory = malloc(length + 2);
	if (directory != NULL)
	{
		memcpy(directory, key, length);
		memcpy(directory + length, "/", 2);
	}
	free(key);
	return directory;
}

bool
s3_list(Storage *base, const char *prefix, const char *start_after,
		bool (*visit)(const StorageObject *object, void *state), void *state, const IngestCancel *cancel,
		IngestError *error)
{
	S3Storage *storage = (S3Storage *) base;
	Listing listing = {.storage = storage, .start_after = start_after, .sorted = true};
	char *start_key = start_after != NULL ? s3_key(storage, start_after) : NULL;
	bool done;

	arena_init(&listing.arena, LISTING_LIMIT);
	buffer_init(&listing.page, PAGE_LIMIT);
	listing.root_length = strlen(base->root) + (base->root[0] != '\0');
	listing.key_prefix = directory_key(storage, prefix);
	if (listing.key_prefix == NULL || (start_after != NULL && start_key == NULL))
		done = ingest_out_of_memory(error);
	else
		done = load_pages(&listing, start_key, cancel, error) || s3_context(base, "list", listing.key_prefix, error);
	free(start_key);
	done = done && visit_all(&listing, visit, state, error);
	listing_release(&listing);
	return done;
}
