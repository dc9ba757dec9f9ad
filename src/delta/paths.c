/*-------------------------------------------------------------------------
 *
 * paths.c
 *	  The URIs that a log holds: add.path, remove.path, cdc.path, sidecar.path and the
 *	  path of a deletion vector.
 *
 * A relative one lies below the table's root; percent escapes are undone exactly once,
 * by storage/.  An absolute one must lie below the root too: storage_relative_path
 * refuses anything else, because a log must not read files that its reader's owner may
 * not name himself.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
delta_path_is_absolute(const char *path)
{
	return path[0] == '/' || storage_uri_scheme(path) > 0;
}

int
delta_path_compare(Span one, Span other)
{
	size_t shorter = one.length < other.length ? one.length : other.length;
	int order = shorter > 0 ? memcmp(one.data, other.data, shorter) : 0;

	if (order != 0)
		return order;
	return one.length < other.length ? -1 : one.length > other.length;
}

char *
delta_join(const char *directory, const char *name)
{
	char *joined;

	return asprintf(&joined, "%s/%s", directory, name) < 0 ? NULL : joined;
}

bool
delta_path_resolve(const Storage *storage, const char *directory, const char *path, char **out, IngestError *error)
{
	char *joined;
	bool done;

	if (delta_path_is_absolute(path) || directory[0] == '\0')
		return storage_relative_path(storage, path, out, error);
	joined = delta_join(directory, path);
	if (joined == NULL)
		return ingest_out_of_memory(error);
	done = storage_relative_path(storage, joined, out, error);
	free(joined);
	return done;
}

/* "file:///x", "file://localhost/x", "file:/x" and "/x" are one file; s3a and s3n are s3. */
static bool
append_foreign(const char *path, Buffer *out, IngestError *error)
{
	size_t scheme = storage_uri_scheme(path);
	char *decoded = storage_uri_decode(scheme > 0 ? path + scheme + 1 : path, error);
	const char *rest = decoded;
	bool done;

	if (decoded == NULL)
		return false;
	if (scheme == 4 && strncasecmp(path, "file", 4) == 0)
	{
		scheme = 0;
		if (strncmp(rest, "//localhost/", 12) == 0)
			rest += 11;
		while (rest[0] == '/' && rest[1] == '/')
			rest++;
	}
	else if (scheme == 3 && strncasecmp(path, "s3", 2) == 0)
		scheme = 2;
	done = buffer_append(out, path, scheme, error) && (scheme == 0 || buffer_append(out, ":", 1, error)) &&
		   buffer_append_string(out, rest, error);
	free(decoded);
	return done;
}

bool
delta_path_canonical(const Storage *storage, const char *path, Buffer *out, IngestError *error)
{
	bool absolute = delta_path_is_absolute(path);
	IngestError outside;
	char *relative;
	bool done;

	/* the plain name of a file, as nearly all are */
	if (!absolute && strchr(path, '%') == NULL)
		return buffer_append_string(out, path, error);
	if (!storage_relative_path(storage, path, &relative, &outside))
		return append_foreign(path, out, error);
	done = buffer_append_string(out, relative, error);
	free(relative);
	return done;
}
