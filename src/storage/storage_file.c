/*-------------------------------------------------------------------------
 *
 * storage_file.c
 *	  Directories of this machine as a store.
 *
 * Each call opens the file anew: nothing is held between calls, so a Storage uses
 * no descriptor while it idles and needs no lock.  Files are opened with O_NONBLOCK,
 * or a FIFO would hang the thread, and fstat must say that it is a regular file.
 * Symbolic links are followed; ".." is refused in every path, since behind a link it
 * is not what it looks like.
 *
 * The ETag is inode-size-mtime: a file that is replaced or written to under a reader
 * differs in one of them.  It is compared after reading as well as before.
 *
 * A listing walks the tree depth first with each directory's names sorted as if
 * directories ended in a slash, which is the bytewise order of the whole paths.
 *
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/storage_internal.h"

#define READ_PIECE (1024 * 1024) /* between two looks at the cancel callback */
#define MAX_DEPTH 64

/* ---- one file ----------------------------------------------------------------- */

static IngestErrorKind
kind_of_errno(int number)
{
	switch (number)
	{
		case ENOENT:
		case ENOTDIR:
		case ENAMETOOLONG:
			return INGEST_ERROR_NOT_FOUND;
		case EACCES:
		case EPERM:
			return INGEST_ERROR_DENIED;
		case ELOOP:
			return INGEST_ERROR_INVALID;
		case ENOMEM:
			return INGEST_ERROR_OUT_OF_MEMORY;
		default:
			return INGEST_ERROR_TRANSIENT;
	}
}

static bool
fail_errno(IngestError *error, const char *doing, const char *path)
{
	int number = errno;
	char buffer[128];

	return ingest_fail(error, kind_of_errno(number), "could not %s \"%s\": %s", doing, path,
					   strerror_r(number, buffer, sizeof(buffer)));
}

static bool
has_dot_dot(const char *path)
{
	for (; *path != '\0'; path += strcspn(path, "/"), path += *path == '/')
		if (path[0] == '.' && path[1] == '.' && (path[2] == '/' || path[2] == '\0'))
			return true;
	return false;
}

/* The path on the file system, malloc'ed. */
static char *
full_path(const Storage *storage, const char *path, IngestError *error)
{
	char *full;

	if (has_dot_dot(path))
	{
		(void) ingest_fail(error, INGEST_ERROR_DENIED, "path \"%s\" is outside of \"%s\"", path, storage->uri);
		return NULL;
	}
	full = storage_path_join(storage->root, path);
	if (full == NULL)
		(void) ingest_out_of_memory(error);
	return full;
}

static bool
check_regular(const struct stat *status, const char *full, IngestError *error)
{
	if (S_ISDIR(status->st_mode))
		return ingest_fail(error, INGEST_ERROR_NOT_FOUND, "\"%s\" is a directory, not a file", full);
	return S_ISREG(status->st_mode) || ingest_fail(error, INGEST_ERROR_INVALID, "\"%s\" is not a regular file", full);
}

static bool
open_regular(const char *full, int *file, struct stat *status, IngestError *error)
{
	*file = open(full, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (*file < 0)
		return fail_errno(error, "open file", full);
	if (fstat(*file, status) != 0)
		(void) fail_errno(error, "stat file", full);
	else if (check_regular(status, full, error))
		return true;
	close(*file);
	return false;
}

static int64_t
modified_ms(const struct stat *status)
{
	return (int64_t) status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
}

static void
make_etag(const struct stat *status, char *etag, size_t size)
{
	snprintf(etag, size, "%" PRIxMAX "-%" PRIxMAX "-%" PRIxMAX ".%09ld", (uintmax_t) status->st_ino,
			 (uintmax_t) status->st_size, (uintmax_t) status->st_mtim.tv_sec, (long) status->st_mtim.tv_nsec);
}

static bool
describe(StorageObject *object, const char *path, const struct stat *status, IngestError *error)
{
	char etag[sizeof(object->etag)];

	make_etag(status, etag, sizeof(etag));
	return storage_object_set(object, path, (uint64_t) status->st_size, modified_ms(status), etag, error);
}

static bool
check_unchanged(const struct stat *status, const char *etag, const char *full, IngestError *error)
{
	char now[128];

	if (etag == NULL || etag[0] == '\0')
		return true;
	make_etag(status, now, sizeof(now));
	return strcmp(now, etag) == 0 ||
		   ingest_fail(error, INGEST_ERROR_CHANGED, "file \"%s\" changed while it was read", full);
}

static bool
read_exactly(int file, const char *full, uint64_t offset, size_t length, char *out, const IngestCancel *cancel,
			 IngestError *error)
{
	while (length > 0)
	{
		ssize_t got;

		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		got = pread(file, out, length < READ_PIECE ? length : READ_PIECE, (off_t) offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(error, "read file", full);
		if (got == 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT,
							   "file \"%s\" ends at byte %" PRIu64 ", %zu bytes before the end of the range asked for",
							   full, offset, length);
		out += got;
		offset += (uint64_t) got;
		length -= (size_t) got;
	}
	return true;
}

static bool
read_open_file(int file, struct stat *status, const char *full, const char *etag, uint64_t offset, size_t length,
			   char *out, const IngestCancel *cancel, IngestError *error)
{
	if (!check_unchanged(status, etag, full, error))
		return false;
	if (!read_exactly(file, full, offset, length, out, cancel, error))
		return false;
	if (fstat(file, status) != 0)
		return fail_errno(error, "stat file", full);
	return check_unchanged(status, etag, full, error);
}

static bool
file_read(Storage *storage, const char *path, const char *etag, uint64_t offset, size_t length, void *out,
		  const IngestCancel *cancel, IngestError *error)
{
	char *full = full_path(storage, path, error);
	struct stat status;
	int file;
	bool done = false;

	if (full != NULL && open_regular(full, &file, &status, error))
	{
		done = read_open_file(file, &status, full, etag, offset, length, out, cancel, error);
		close(file);
	}
	free(full);
	return done;
}

static bool
get_open_file(int file, struct stat *status, const char *full, Buffer *buffer, const IngestCancel *cancel,
			  IngestError *error)
{
	size_t size = (size_t) status->st_size;
	char etag[128];

	make_etag(status, etag, sizeof(etag));
	if (!buffer_reserve(buffer, size, error))
		return ingest_context(error, "file \"%s\"", full);
	if (!read_open_file(file, status, full, etag, 0, size, buffer->data + buffer->length, cancel, error))
		return false;
	buffer->length += size;
	return true;
}

static bool
file_get(Storage *storage, const char *path, Buffer *buffer, StorageObject *object, const IngestCancel *cancel,
		 IngestError *error)
{
	char *full = full_path(storage, path, error);
	struct stat status;
	int file;
	bool done = false;

	if (full != NULL && open_regular(full, &file, &status, error))
	{
		done = get_open_file(file, &status, full, buffer, cancel, error) &&
			   (object == NULL || describe(object, path, &status, error));
		close(file);
	}
	free(full);
	return done;
}

static bool
file_head(Storage *storage, const char *path, StorageObject *object, const IngestCancel *cancel, IngestError *error)
{
	char *full = full_path(storage, path, error);
	struct stat status;
	bool done = false;

	(void) cancel; /* one system call */
	if (full == NULL)
		return false;
	if (stat(full, &status) != 0)
		(void) fail_errno(error, "stat file", full);
	else
		done = check_regular(&status, full, error) && describe(object, path, &status, error);
	free(full);
	return done;
}

/* ---- listing -------------------------------------------------------------------- */

typedef struct Entry
{
	char *name; /* with a slash at the end for a directory: that is the order of the paths */
	struct stat status;
} Entry;

typedef struct Directory
{
	const struct Directory *parent; /* the chain tells loops of symbolic links */
	dev_t device;
	ino_t inode;
	int depth;
	size_t count;
	size_t capacity;
	Entry *entries;
} Directory;

typedef struct Walk
{
	Storage *storage;
	const char *start_after;
	bool (*visit)(const StorageObject *object, void *state);
	void *state;
	const IngestCancel *cancel;
	bool stopped;
} Walk;

static int
compare_entries(const void *a, const void *b)
{
	return strcmp(((const Entry *) a)->name, ((const Entry *) b)->name);
}

static bool
add_entry(Directory *directory, int descriptor, const char *name, IngestError *error)
{
	struct stat status;
	size_t length = strlen(name);
	char *copy;

	/* gone in the meantime, or a link to nowhere */
	if (fstatat(descriptor, name, &status, 0) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
		return true;
	if (directory->count == directory->capacity)
	{
		size_t capacity = directory->capacity == 0 ? 64 : directory->capacity * 2;
		Entry *entries = reallocarray(directory->entries, capacity, sizeof(Entry));

		if (entries == NULL)
			return ingest_out_of_memory(error);
		directory->entries = entries;
		directory->capacity = capacity;
	}
	copy = malloc(length + 2);
	if (copy == NULL)
		return ingest_out_of_memory(error);
	memcpy(copy, name, length);
	strcpy(copy + length, S_ISDIR(status.st_mode) ? "/" : "");
	directory->entries[directory->count++] = (Entry){copy, status};
	return true;
}

static bool
read_entries(Directory *directory, DIR *stream, const char *full, const IngestCancel *cancel, IngestError *error)
{
	struct dirent *found;

	for (errno = 0; (found = readdir(stream)) != NULL; errno = 0)
	{
		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (!add_entry(directory, dirfd(stream), found->d_name, error))
			return false;
	}
	if (errno != 0)
		return fail_errno(error, "read directory", full);
	if (directory->count > 0)
		qsort(directory->entries, directory->count, sizeof(Entry), compare_entries);
	return true;
}

/* The sorted entries of a directory.  "missing": it may be absent, and then has none. */
static bool
load_directory(Directory *directory, const char *full, bool missing, const IngestCancel *cancel, IngestError *error)
{
	int descriptor = open(full, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	DIR *stream;
	struct stat status;
	bool done;

	if (descriptor < 0)
		return (missing && (errno == ENOENT || errno == ENOTDIR)) || fail_errno(error, "open directory", full);
	if (fstat(descriptor, &status) != 0 || (stream = fdopendir(descriptor)) == NULL)
	{
		(void) fail_errno(error, "open directory", full);
		close(descriptor);
		return false;
	}
	directory->device = status.st_dev;
	directory->inode = status.st_ino;
	done = read_entries(directory, stream, full, cancel, error);
	closedir(stream);
	return done;
}

static void
free_directory(Directory *directory)
{
	for (size_t i = 0; i < directory->count; i++)
		free(directory->entries[i].name);
	free(directory->entries);
}

/* A directory that is its own ancestor is a loop of links. */
static bool
is_loop(const Directory *directory, const struct stat *status)
{
	for (; directory != NULL; directory = directory->parent)
		if (directory->device == status->st_dev && directory->inode == status->st_ino)
			return true;
	return false;
}

/* All that lies below the directory "path" (with its slash) comes before start_after. */
static bool
is_passed_over(const Walk *walk, const char *path)
{
	return walk->start_after != NULL && strncmp(walk->start_after, path, strlen(path)) != 0 &&
		   strcmp(path, walk->start_after) < 0;
}

static bool walk_directory(Walk *walk, const Directory *parent, const char *path, IngestError *error);

static bool
visit_entry(Walk *walk, const Directory *directory, const Entry *entry, const char *path, IngestError *error)
{
	StorageObject object;

	if (S_ISDIR(entry->status.st_mode))
	{
		if (is_passed_over(walk, path) || is_loop(directory, &entry->status))
			return true;
		return walk_directory(walk, directory, path, error);
	}
	if (walk->start_after != NULL && strcmp(path, walk->start_after) <= 0)
		return true;
	if (!describe(&object, path, &entry->status, error))
		return false;
	walk->stopped = !walk->visit(&object, walk->state);
	storage_object_clear(&object);
	return true;
}

static bool
walk_entries(Walk *walk, const Directory *directory, const char *path, IngestError *error)
{
	for (size_t i = 0; i < directory->count && !walk->stopped; i++)
	{
		char *child = storage_path_join(path, directory->entries[i].name);
		bool done = child != NULL ? visit_entry(walk, directory, &directory->entries[i], child, error)
								  : ingest_out_of_memory(error);

		free(child);
		if (!done)
			return false;
	}
	return true;
}

static bool
walk_directory(Walk *walk, const Directory *parent, const char *path, IngestError *error)
{
	Directory directory = {.parent = parent, .depth = parent != NULL ? parent->depth + 1 : 0};
	char *full;
	bool done;

	if (directory.depth > MAX_DEPTH)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "directory \"%s\" is nested more than %d deep", path, MAX_DEPTH);
	full = full_path(walk->storage, path, error);
	if (full == NULL)
		return false;
	done = load_directory(&directory, full, path[0] != '\0', walk->cancel, error) &&
		   walk_entries(walk, &directory, path, error);
	free_directory(&directory);
	free(full);
	return done;
}

static bool
file_list(Storage *storage, const char *prefix, const char *start_after,
		  bool (*visit)(const StorageObject *object, void *state), void *state, const IngestCancel *cancel,
		  IngestError *error)
{
	Walk walk = {storage, start_after, visit, state, cancel, false};
	struct stat status;

	/* a missing sub-directory is an empty one, a missing root is a mistake */
	if (stat(storage->root, &status) != 0)
		return fail_errno(error, "open directory", storage->root);
	return walk_directory(&walk, NULL, prefix, error);
}

/* ---- the store ---------------------------------------------------------------- */

static const char *
without_host(const char *location)
{
	if (strncmp(location, "//", 2) != 0)
		return location;
	if (strncasecmp(location, "//localhost/", 12) == 0)
		return location + 11;
	return location[2] == '/' ? location + 2 : NULL;
}

static const char *
file_absolute_path(const Storage *storage, const char *location)
{
	(void) storage;
	location = without_host(location);
	return location != NULL && location[0] == '/' ? location : NULL;
}

static void
file_close(Storage *storage)
{
	free(storage);
}

static const StorageRoutine file_routine = {.scheme = "file",
											.get = file_get,
											.read = file_read,
											.head = file_head,
											.list = file_list,
											.absolute_path = file_absolute_path,
											.close = file_close};

/* The path with one slash between names, and none at the end. */
static char *
tidy_path(const char *path)
{
	char *tidy = malloc(strlen(path) + 1);
	size_t length = 0;

	if (tidy == NULL)
		return NULL;
	for (; *path != '\0'; path++)
		if (!(*path == '/' && length > 0 && tidy[length - 1] == '/'))
			tidy[length++] = *path;
	if (length > 1 && tidy[length - 1] == '/')
		length--;
	tidy[length] = '\0';
	return tidy;
}

bool
storage_file_open(const char *location, const StorageConfig *config, Storage **out, IngestError *error)
{
	const char *path = without_host(location);
	Storage *storage;

	(void) config; /* options of other stores have no effect here */
	if (path == NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, "a file: URI must not name another host (\"%.*s\")",
						   (int) strcspn(location + 2, "/"), location + 2) ||
			   ingest_hint(error, "Write file:///path, or the path alone.");
	if (path[0] != '/' || has_dot_dot(path))
		return ingest_fail(error, INGEST_ERROR_INVALID, "path \"%s\" is not absolute, or holds \"..\"", path);
	storage = calloc(1, sizeof(*storage));
	if (storage == NULL || (storage->root = tidy_path(path)) == NULL)
	{
		free(storage);
		return ingest_out_of_memory(error);
	}
	storage->routine = &file_routine;
	*out = storage;
	return true;
}
