/*-------------------------------------------------------------------------
 *
 * storage.c
 *	  The door of storage/: which store a URI means, and what holds for all.
 *
 * A Storage is made by its scheme's own open function and dispatches through a
 * StorageRoutine.  What every store must have is checked here, once: a path stays
 * below the root, a URI keeps no user-info, rights come before anything is touched.
 *
 * A Storage is immutable after storage_open (but for what an implementation guards
 * with its own mutex), so that it may be used from many threads.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "storage/storage_internal.h"

typedef struct Scheme
{
	const char *name;
	const char *canonical; /* synonyms share it */
	bool (*open)(const char *location, const StorageConfig *config, Storage **out, IngestError *error);
	const char *store; /* for the message where open is null */
} Scheme;

static const Scheme schemes[] = {
	{"file", "file", storage_file_open, NULL},
	{"s3", "s3", storage_s3_open, NULL},
	{"s3a", "s3", storage_s3_open, NULL},
	{"s3n", "s3", storage_s3_open, NULL},
	{"az", "az", NULL, "Azure storage"},
	{"adl", "az", NULL, "Azure storage"},
	{"azure", "az", NULL, "Azure storage"},
	{"abfs", "az", NULL, "Azure storage"},
	{"abfss", "az", NULL, "Azure storage"},
	{"wasb", "az", NULL, "Azure storage"},
	{"wasbs", "az", NULL, "Azure storage"},
	{"gs", "gs", NULL, "Google Cloud Storage"},
	{"http", "http", NULL, "plain web servers"},
	{"https", "http", NULL, "plain web servers"},
	{"uc", "uc", NULL, "Unity Catalog"},
	{"dbfs", "dbfs", NULL, "Databricks' file system"},
	{"hdfs", "hdfs", NULL, "Hadoop's file system"},
};

#define SCHEME_HINT "Use an absolute path, a file: URI, or an s3: URI."

static const Scheme *
find_scheme(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i].name) == length && strncasecmp(schemes[i].name, name, length) == 0)
			return &schemes[i];
	return NULL;
}

void
storage_initialize(void)
{
	static bool done;

	if (!done)
		curl_global_init(CURL_GLOBAL_DEFAULT);
	done = true;
}

/* The URI as it may be shown: no user-info, no query (either may hold a secret). */
static char *
shown_uri(const char *uri)
{
	size_t scheme = storage_uri_scheme(uri);
	char *shown = strdup(uri);
	size_t length;

	if (shown == NULL || scheme == 0)
		return shown;
	shown[strcspn(shown, "?#")] = '\0';
	if (strncmp(shown + scheme, "://", 3) == 0)
	{
		char *authority = shown + scheme + 3;
		size_t authority_length = strcspn(authority, "/");
		char *at = memrchr(authority, '@', authority_length);

		if (at != NULL)
			memmove(authority, at + 1, strlen(at + 1) + 1);
	}
	length = strlen(shown);
	while (length > scheme + 3 && shown[length - 1] == '/')
		shown[--length] = '\0';
	return shown;
}

/* Which scheme, and the decoded text behind its colon.  A plain path is taken as it is:
 * percent signs in it are part of names. */
static bool
split_uri(const char *uri, const Scheme **scheme, char **location, IngestError *error)
{
	size_t length = storage_uri_scheme(uri);

	if (length == 0)
	{
		if (uri[0] != '/')
			return ingest_fail(error, INGEST_ERROR_INVALID,
							   "invalid location \"%s\": neither a URI nor an absolute path", uri) ||
				   ingest_hint(error, SCHEME_HINT);
		*scheme = find_scheme("file", 4);
		*location = strdup(uri);
		return *location != NULL || ingest_out_of_memory(error);
	}
	*scheme = find_scheme(uri, length);
	if (*scheme == NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, "unknown scheme \"%.*s\"", (int) length, uri) ||
			   ingest_hint(error, SCHEME_HINT);
	*location = storage_uri_decode(uri + length + 1, error);
	return *location != NULL;
}

static bool
check_scheme(const Scheme *scheme, const char *location, const StorageRights *rights, IngestError *error)
{
	if (scheme->open == NULL)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "%s is not supported yet (scheme \"%s:\")", scheme->store,
						   scheme->name) ||
			   ingest_hint(error, SCHEME_HINT);
	if (strncmp(location, "//", 2) == 0 && memchr(location + 2, '@', strcspn(location + 2, "/")) != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, "a location must not hold a user name or password") ||
			   ingest_hint(error, "Give credentials as options.");
	if (scheme->open == storage_file_open && !(rights != NULL && rights->local_files))
		return ingest_fail(error, INGEST_ERROR_DENIED, "permission denied to read files of the server") ||
			   ingest_hint(error, "The owner must have the privileges of the role pg_read_server_files.");
	return true;
}

bool
storage_open(const char *uri, const StorageOption *options, size_t option_count, const StorageRights *rights,
			 Storage **out, IngestError *error)
{
	const Scheme *scheme = NULL;
	char *location = NULL;
	StorageConfig config = {0};
	Storage *storage = NULL;
	bool opened;

	*out = NULL;
	if (!split_uri(uri, &scheme, &location, error))
		return false;
	opened = check_scheme(scheme, location, rights, error) &&
			 storage_config_parse(options, option_count, &config, error) &&
			 scheme->open(location, &config, &storage, error);
	free(location);
	if (!opened)
	{
		storage_config_clear(&config);
		return false;
	}
	storage->config = config; /* taken over */
	storage->rights = rights != NULL ? *rights : (StorageRights){false, false};
	storage->uri = shown_uri(uri);
	if (storage->uri == NULL)
	{
		storage_close(storage);
		return ingest_out_of_memory(error);
	}
	*out = storage;
	return true;
}

void
storage_close(Storage *storage)
{
	char *uri, *root;
	StorageConfig config;

	if (storage == NULL)
		return;
	uri = storage->uri;
	root = storage->root;
	config = storage->config;
	storage->routine->close(storage);
	storage_config_clear(&config);
	free(uri);
	free(root);
}

const char *
storage_uri(const Storage *storage)
{
	return storage->uri;
}

bool
storage_is_local(const Storage *storage)
{
	return strcmp(storage->routine->scheme, "file") == 0;
}

void
storage_on_retry(Storage *storage,
				 void (*retrying)(void *state, const IngestError *cause, int attempt, int64_t wait_ms), void *state)
{
	storage->retrying = retrying;
	storage->retrying_state = state;
}

/* ---- paths ------------------------------------------------------------------ */

/* What is left of "absolute" below the root; null: it is not below. */
static const char *
below_root(const Storage *storage, const char *absolute)
{
	const char *root = storage->root;
	size_t length;

	/* the root of a file system or bucket has everything below it */
	if (root[0] == '/')
		root++;
	if (absolute[0] == '/')
		absolute++;
	length = strlen(root);
	if (length == 0)
		return absolute;
	if (strncmp(absolute, root, length) != 0 || (absolute[length] != '/' && absolute[length] != '\0'))
		return NULL;
	return absolute[length] == '/' ? absolute + length + 1 : absolute + length;
}

static bool
outside(const Storage *storage, const char *path, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_DENIED, "path \"%s\" is outside of \"%s\"", path, storage->uri);
}

bool
storage_relative_path(const Storage *storage, const char *uri, char **out, IngestError *error)
{
	size_t scheme_length = storage_uri_scheme(uri);
	const char *relative;
	char *decoded;

	*out = NULL;
	if (scheme_length > 0)
	{
		const Scheme *scheme = find_scheme(uri, scheme_length);

		if (scheme == NULL || strcmp(scheme->canonical, storage->routine->scheme) != 0)
			return outside(storage, uri, error);
		uri += scheme_length + 1;
	}
	decoded = storage_uri_decode(uri, error);
	if (decoded == NULL)
		return false;
	relative = decoded;
	if (scheme_length > 0)
		relative = storage->routine->absolute_path(storage, decoded);
	if (relative != NULL && relative[0] == '/')
		relative = below_root(storage, relative);
	if (relative == NULL || storage_path_escapes(relative))
	{
		(void) outside(storage, decoded, error);
		free(decoded);
		return false;
	}
	memmove(decoded, relative, strlen(relative) + 1);
	*out = decoded;
	return true;
}

static bool
check_path(const Storage *storage, const char *path, IngestError *error)
{
	return !storage_path_escapes(path) || outside(storage, path, error);
}

/* ---- dispatch ---------------------------------------------------------------- */

bool
storage_get(Storage *storage, const char *path, Buffer *buffer, StorageObject *object, const IngestCancel *cancel,
			IngestError *error)
{
	return check_path(storage, path, error) && storage->routine->get(storage, path, buffer, object, cancel, error);
}

bool
storage_read(Storage *storage, const char *path, const char *etag, uint64_t offset, size_t length, void *out,
			 const IngestCancel *cancel, IngestError *error)
{
	if (!check_path(storage, path, error))
		return false;
	if (length > (size_t) INT64_MAX || offset > (uint64_t) INT64_MAX - length)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "cannot read \"%s\": byte range out of bounds", path);
	return length == 0 || storage->routine->read(storage, path, etag, offset, length, out, cancel, error);
}

bool
storage_head(Storage *storage, const char *path, StorageObject *object, const IngestCancel *cancel, IngestError *error)
{
	return check_path(storage, path, error) && storage->routine->head(storage, path, object, cancel, error);
}

bool
storage_list(Storage *storage, const char *prefix, const char *start_after,
			 bool (*visit)(const StorageObject *object, void *state), void *state, const IngestCancel *cancel,
			 IngestError *error)
{
	return check_path(storage, prefix, error) &&
		   storage->routine->list(storage, prefix, start_after, visit, state, cancel, error);
}

bool
storage_object_set(StorageObject *object, const char *path, uint64_t size, int64_t modified_ms, const char *etag,
				   IngestError *error)
{
	memset(object, 0, sizeof(*object));
	object->path = strdup(path);
	if (object->path == NULL)
		return ingest_out_of_memory(error);
	object->size = size;
	object->modified_ms = modified_ms;
	/* an ETag that does not fit cannot be compared: none is better than a part of one */
	if (strlen(etag) < sizeof(object->etag))
		strcpy(object->etag, etag);
	return true;
}

void
storage_object_clear(StorageObject *object)
{
	free(object->path);
	memset(object, 0, sizeof(*object));
}
