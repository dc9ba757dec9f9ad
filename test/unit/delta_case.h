/*-------------------------------------------------------------------------
 *
 * delta_case.h
 *	  A Delta table in a temporary directory, written line by line by a test.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_DELTA_CASE_H
#define INGEST_TEST_DELTA_CASE_H

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/delta_internal.h"
#include "tap.h"

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define FEATURES(list)                                                                                                 \
	"{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[" list                           \
	"],\"writerFeatures\":[" list "]}}\n"
#define FIELD(name, type)                                                                                              \
	"{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define METADATA_WITH(id, fields, partitions, configuration)                                                           \
	"{\"metaData\":{\"id\":\"" id "\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"          \
	"\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" fields "]}\",\"partitionColumns\":[" partitions                  \
	"],\"configuration\":{" configuration "}}}\n"
#define METADATA METADATA_WITH("t", FIELD("id", "long"), "", "")
#define ADD(path)                                                                                                      \
	"{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":10,\"modificationTime\":1,\"dataChange\":true}}"  \
	"\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"partitionValues\":{},\"dataChange\":true}}\n"

typedef struct DeltaCase
{
	char root[64];
	Storage *storage;
	DeltaTable *table;
	IngestError error;
} DeltaCase;

static inline void
case_mkdir(const DeltaCase *test, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", test->root, name);
	mkdir(path, 0700);
}

static inline DeltaCase
case_begin(void)
{
	DeltaCase test = {.root = "/tmp/delta-unit-XXXXXX"};
	StorageRights rights = {.local_files = true};

	if (mkdtemp(test.root) == NULL || !storage_open(test.root, NULL, 0, &rights, &test.storage, &test.error) ||
		!delta_table_create(test.storage, NULL, &test.table, &test.error))
	{
		printf("Bail out! cannot make a table: %s\n", test.error.message);
		exit(1);
	}
	case_mkdir(&test, "_delta_log");
	return test;
}

static inline void
case_write(const DeltaCase *test, const char *name, const void *data, size_t length)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", test->root, name);
	file = fopen(path, "w");
	if (file == NULL || fwrite(data, 1, length, file) != length || fclose(file) != 0)
	{
		printf("Bail out! cannot write %s\n", path);
		exit(1);
	}
}

static inline void
case_commit(const DeltaCase *test, int64_t version, const char *lines)
{
	char name[64];

	snprintf(name, sizeof(name), "_delta_log/%020lld.json", (long long) version);
	case_write(test, name, lines, strlen(lines));
}

static inline void
case_unlink(const DeltaCase *test, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", test->root, name);
	unlink(path);
}

static inline int
case_remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void) status;
	(void) flag;
	(void) walk;
	return remove(path);
}

static inline void
case_end(DeltaCase *test)
{
	delta_table_free(test->table);
	storage_close(test->storage);
	nftw(test->root, case_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Paths of the files at a version, each followed by a blank; "ERROR: ..." where it cannot be loaded. */
static inline const char *
case_files(DeltaCase *test, int64_t version)
{
	static char text[4096];
	DeltaSnapshot *snapshot;

	text[0] = '\0';
	if (!delta_snapshot_load(test->table, version, &snapshot, NULL, &test->error))
	{
		snprintf(text, sizeof(text), "ERROR %d", test->error.kind);
		return text;
	}
	for (size_t i = 0; i < snapshot->file_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s ", (int) snapshot->files[i].path.length,
				 snapshot->files[i].path.data);
	delta_snapshot_free(snapshot);
	return text;
}

static inline bool
error_has(const DeltaCase *test, const char *part)
{
	bool found = strstr(test->error.message, part) != NULL;

	if (!found)
		printf("#   message: %s\n", test->error.message);
	return found;
}

#endif
