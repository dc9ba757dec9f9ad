/*-------------------------------------------------------------------------
 *
 * test_storage_file.c
 *	  Local directories as a store, the options of storage_open, and paths.
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/storage.h"
#include "unit/tap.h"

static char directory[64];
static const StorageRights all_rights = {true, true};
static IngestError error;

static void
write_file(const char *name, const char *data, size_t length)
{
	char path[512];
	int file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/')
	{
		*slash = '\0';
		mkdir(path, 0755);
	}
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file < 0 || write(file, data, length) != (ssize_t) length)
		abort();
	close(file);
}

static Storage *
open_uri(const char *format)
{
	char uri[256];
	Storage *storage = NULL;

	ingest_error_clear(&error);
	snprintf(uri, sizeof(uri), format, directory);
	(void) !storage_open(uri, NULL, 0, &all_rights, &storage, &error);
	return storage;
}

static void
open_with_option(const char *key, const char *value)
{
	StorageOption option = {key, value};
	Storage *storage = NULL;

	ingest_error_clear(&error);
	if (storage_open(directory, &option, 1, &all_rights, &storage, &error))
		storage_close(storage);
}

/* ---- opening ------------------------------------------------------------------ */

static void
test_uris(void)
{
	static const char *const good[] = {"%s", "file:%s", "file://%s", "file://localhost%s", "FILE://%s/", "%s//"};
	static const char *const bad[] = {"file://elsewhere%s", "file:relative", "relative", "", "ftp:/%s", "file:%s/../x"};
	StorageRights none = {false, false};
	Storage *storage;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		StorageObject object = {0};

		storage = open_uri(good[i]);
		ok(storage != NULL && storage_head(storage, "a b%20c", &object, NULL, &error) && object.size == 5, "%s opens",
		   good[i]);
		storage_object_clear(&object);
		storage_close(storage);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		storage = open_uri(bad[i]);
		ok(storage == NULL && error.kind == INGEST_ERROR_INVALID, "%s is refused: %s", bad[i], error.message);
		storage_close(storage);
	}
	ok(!storage_open(directory, NULL, 0, &none, &storage, &error) && error.kind == INGEST_ERROR_DENIED,
	   "no rights on files: %s", error.message);
	ok(!storage_open("az://container/x", NULL, 0, &all_rights, &storage, &error) &&
		   error.kind == INGEST_ERROR_UNSUPPORTED && strstr(error.message, "Azure") != NULL,
	   "a store that is not served is named: %s", error.message);
	ok(!storage_open("s3://user:hunter2@bucket/x", NULL, 0, &all_rights, &storage, &error) &&
		   error.kind == INGEST_ERROR_INVALID && strstr(error.message, "hunter2") == NULL,
	   "user-info is refused and not shown: %s", error.message);
}

static void
test_options(void)
{
	const char *nearest = NULL;
	StorageOption twice[] = {{"aws_region", "a"}, {"region", "b"}};
	Storage *storage;

	ok(storage_option_is_known("AWS_Secret_Access_Key", &nearest), "names have no case");
	ok(!storage_option_is_known("aws_secret_acces_key", &nearest), "a misspelt name is unknown");
	is_text(nearest, "aws_secret_access_key", "and the nearest is given");
	nearest = NULL;
	ok(!storage_option_is_known("mode", &nearest) && nearest == NULL, "nothing is near a name of something else");
	ok(storage_option_is_secret("aws_session_token") && storage_option_is_secret("azure_storage_sas_token") &&
		   !storage_option_is_secret("aws_region"),
	   "secrets are known as such");
	open_with_option("aws_regoin", "x");
	ok(error.kind == INGEST_ERROR_INVALID && strstr(error.hint, "aws_region") != NULL, "%s; %s", error.message,
	   error.hint);
	open_with_option("azure_storage_account_key", "geheim");
	ok(error.kind == INGEST_ERROR_UNSUPPORTED && strstr(error.message, "geheim") == NULL, "%s", error.message);
	open_with_option("aws_skip_signature", "perhaps");
	ok(error.kind == INGEST_ERROR_INVALID, "%s; %s", error.message, error.hint);
	open_with_option("aws_secret_access_key", "abc\r\nX: y");
	ok(error.kind == INGEST_ERROR_INVALID && strstr(error.message, "abc") == NULL, "%s", error.message);
	open_with_option("timeout", "1m 30s");
	ok(error.kind == INGEST_ERROR_NONE, "a time in words");
	open_with_option("timeout", "soon");
	ok(error.kind == INGEST_ERROR_INVALID, "%s; %s", error.message, error.hint);
	open_with_option("max_retries", "-1");
	ok(error.kind == INGEST_ERROR_INVALID, "%s; %s", error.message, error.hint);
	ok(!storage_open(directory, twice, 2, &all_rights, &storage, &error) && error.kind == INGEST_ERROR_INVALID, "%s",
	   error.message);
}

/* ---- reading ------------------------------------------------------------------- */

static void
test_reading(void)
{
	Storage *storage = open_uri("%s");
	StorageObject object = {0};
	StorageObject again = {0};
	Buffer buffer;
	char out[16] = {0};
	char path[256];

	buffer_init(&buffer, 100);
	ok(storage_get(storage, "a b%20c", &buffer, &object, NULL, &error) && buffer.length == 5 &&
		   memcmp(buffer.data, "hello", 5) == 0,
	   "a whole file");
	is_text(object.path, "a b%20c", "described by its path");
	is_int((int64_t) object.size, 5, "and size");
	ok(object.modified_ms > 1000000000000, "and time");
	ok(storage_read(storage, "a b%20c", object.etag, 1, 3, out, NULL, &error) && memcmp(out, "ell", 3) == 0, "a range");
	ok(storage_read(storage, "a b%20c", NULL, 5, 0, out, NULL, &error), "an empty range");
	ok(!storage_read(storage, "a b%20c", NULL, 3, 3, out, NULL, &error) && error.kind == INGEST_ERROR_CORRUPT,
	   "past the end: %s", error.message);
	ok(!storage_read(storage, "a b%20c", NULL, UINT64_MAX - 1, 3, out, NULL, &error) &&
		   error.kind == INGEST_ERROR_CORRUPT,
	   "overflowing range: %s", error.message);
	write_file("a b%20c", "HELLO!", 6);
	ok(!storage_read(storage, "a b%20c", object.etag, 1, 3, out, NULL, &error) && error.kind == INGEST_ERROR_CHANGED,
	   "changed: %s", error.message);
	ok(storage_head(storage, "a b%20c", &again, NULL, &error) && strcmp(again.etag, object.etag) != 0, "new etag");
	buffer_release(&buffer);
	buffer_init(&buffer, 5);
	ok(!storage_get(storage, "a b%20c", &buffer, NULL, NULL, &error) && error.kind == INGEST_ERROR_LIMIT,
	   "too large for the buffer: %s", error.message);
	ok(!storage_head(storage, "nothing", &again, NULL, &error) && error.kind == INGEST_ERROR_NOT_FOUND, "%s",
	   error.message);
	ok(!storage_get(storage, "sub", &buffer, NULL, NULL, &error) && error.kind == INGEST_ERROR_NOT_FOUND, "%s",
	   error.message);
	ok(!storage_get(storage, "../x", &buffer, NULL, NULL, &error) && error.kind == INGEST_ERROR_DENIED, "%s",
	   error.message);
	ok(!storage_get(storage, "sub/../a b%20c", &buffer, NULL, NULL, &error) && error.kind == INGEST_ERROR_DENIED,
	   "even where it stays inside: %s", error.message);
	snprintf(path, sizeof(path), "%s/fifo", directory);
	mkfifo(path, 0644);
	ok(!storage_get(storage, "fifo", &buffer, NULL, NULL, &error) && error.kind == INGEST_ERROR_INVALID,
	   "a FIFO neither hangs nor works: %s", error.message);
	unlink(path);
	storage_object_clear(&object);
	storage_object_clear(&again);
	buffer_release(&buffer);
	storage_close(storage);
}

static bool
always(void *state)
{
	(void) state;
	return true;
}

static void
test_cancel(void)
{
	Storage *storage = open_uri("%s");
	IngestCancel cancel = {always, NULL};
	char out[4];

	ok(!storage_read(storage, "a b%20c", NULL, 0, 4, out, &cancel, &error) && error.kind == INGEST_ERROR_CANCELLED,
	   "cancelled");
	storage_close(storage);
}

/* ---- listing -------------------------------------------------------------------- */

typedef struct Listing
{
	char text[1024];
	int most;
} Listing;

static bool
note(const StorageObject *object, void *state)
{
	Listing *listing = state;

	strcat(strcat(listing->text, object->path), " ");
	return --listing->most != 0;
}

static void
is_listing(const char *prefix, const char *start_after, int most, const char *expected, const char *name)
{
	Storage *storage = open_uri("%s");
	Listing listing = {"", most};

	ok(storage_list(storage, prefix, start_after, note, &listing, NULL, &error), "listed %s", name);
	is_text(listing.text, expected, name);
	storage_close(storage);
}

static void
test_listing(void)
{
	char path[256];
	Storage *storage;
	Listing listing = {"", 0};

	/* '-' and '.' sort before '/', 'a' behind it: the order of paths is not that of names */
	write_file("list/b/2", "", 0);
	write_file("list/b/1", "", 0);
	write_file("list/b-1", "", 0);
	write_file("list/b.d/x", "", 0);
	write_file("list/ba", "", 0);
	write_file("list/B", "", 0);
	is_listing("list", NULL, 0, "list/B list/b-1 list/b.d/x list/b/1 list/b/2 list/ba ", "bytewise order of the paths");
	is_listing("list/", "list/b.d/x", 0, "list/b/1 list/b/2 list/ba ", "after a path");
	is_listing("list", "list/b/", 0, "list/b/1 list/b/2 list/ba ", "after a path that does not exist");
	is_listing("list", "list/b/1", 1, "list/b/2 ", "after a path within a directory, stopped by the visitor");
	is_listing("list", "list/zz", 0, "", "after everything");
	is_listing("missing", NULL, 0, "", "a missing directory is empty");
	is_listing("list/B", NULL, 0, "", "a file has nothing below it");
	snprintf(path, sizeof(path), "%s/list/b/loop", directory);
	if (symlink("..", path) != 0)
		abort();
	is_listing("list/b", NULL, 0, "list/b/1 list/b/2 list/b/loop/B list/b/loop/b-1 list/b/loop/b.d/x list/b/loop/ba ",
			   "links are followed, loops are not");
	unlink(path);
	storage = open_uri("%s/nowhere");
	ok(!storage_list(storage, "", NULL, note, &listing, NULL, &error) && error.kind == INGEST_ERROR_NOT_FOUND,
	   "a missing root: %s", error.message);
	storage_close(storage);
}

/* ---- paths --------------------------------------------------------------------- */

static void
is_relative(Storage *storage, const char *uri, const char *expected)
{
	char *path = NULL;
	bool done = storage_relative_path(storage, uri, &path, &error);

	ok(done == (expected != NULL) && (!done || strcmp(path, expected) == 0) &&
		   (done || error.kind == INGEST_ERROR_DENIED),
	   "%s is %s%s%s", uri, expected != NULL ? expected : "outside", done ? "" : ": ", done ? "" : error.message);
	free(path);
}

static void
test_relative_paths(void)
{
	Storage *storage = NULL;

	if (!storage_open("file:///data/my%20table", NULL, 0, &all_rights, &storage, &error))
		abort();
	is_text(storage_uri(storage), "file:///data/my%20table", "the URI as it was given");
	is_relative(storage, "p=a%20b%2525c/x.parquet", "p=a b%25c/x.parquet");
	is_relative(storage, "100%/x%zz", "100%/x%zz");
	is_relative(storage, "file:///data/my%20table/a%2Bb+c", "a+b+c");
	is_relative(storage, "file:/data/my%20table/x", "x");
	is_relative(storage, "/data/my%20table/x", "x");
	is_relative(storage, "/data/my%20tables/x", NULL);
	is_relative(storage, "file:///etc/passwd", NULL);
	is_relative(storage, "file://elsewhere/data/my%20table/x", NULL);
	is_relative(storage, "s3://data/my%20table/x", NULL);
	is_relative(storage, "../x", NULL);
	is_relative(storage, "a/../../x", NULL);
	is_relative(storage, "%2e%2e/x", NULL);
	is_relative(storage, "file:///data/my%20table/../x", NULL);
	storage_close(storage);
}

int
main(void)
{
	char command[128];

	snprintf(directory, sizeof(directory), "/tmp/test_storage_file.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	storage_initialize();
	write_file("a b%20c", "hello", 5);
	write_file("sub/x", "x", 1);
	test_uris();
	test_options();
	test_reading();
	test_cancel();
	test_listing();
	test_relative_paths();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? done_testing() : 1;
}
