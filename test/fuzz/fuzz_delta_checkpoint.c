/*-------------------------------------------------------------------------
 *
 * fuzz_delta_checkpoint.c
 *	  Property: whatever a checkpoint holds, loading the table gives a state or an error, without
 *	  a fault and with every file's action complete.
 *
 *	  The first byte chooses between a Parquet and a JSON checkpoint, the rest is the file.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/delta_internal.h"

#define CHECK(condition) ((condition) ? (void) 0 : abort())

static char root[64] = "/tmp/fuzz-checkpoint-XXXXXX";
static char paths[2][256];
static DeltaTable *table;

static void
remove_table(void)
{
	char log[128];

	unlink(paths[0]);
	unlink(paths[1]);
	snprintf(log, sizeof(log), "%s/_delta_log", root);
	rmdir(log);
	rmdir(root);
}

static void
make_table(void)
{
	static const StorageRights rights = {.local_files = true};
	Storage *storage;
	IngestError error;
	char log[128];

	CHECK(mkdtemp(root) != NULL);
	snprintf(log, sizeof(log), "%s/_delta_log", root);
	CHECK(mkdir(log, 0700) == 0);
	snprintf(paths[0], sizeof(paths[0]), "%s/00000000000000000003.checkpoint.parquet", log);
	snprintf(paths[1], sizeof(paths[1]), "%s/00000000000000000003.checkpoint.e8fa2696-9728-4e9c-b285-634743fdd4fb.json",
			 log);
	CHECK(storage_open(root, NULL, 0, &rights, &storage, &error));
	CHECK(delta_table_create(storage, NULL, &table, &error));
	atexit(remove_table);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DeltaSnapshot *snapshot;
	IngestError error;
	FILE *file;
	int kind;

	if (table == NULL)
		make_table();
	if (size == 0)
		return 0;
	kind = data[0] & 1;
	unlink(paths[!kind]);
	file = fopen(paths[kind], "w");
	CHECK(file != NULL && fwrite(data + 1, 1, size - 1, file) == size - 1 && fclose(file) == 0);
	if (!delta_snapshot_load(table, -1, &snapshot, NULL, &error))
	{
		CHECK(error.kind != INGEST_ERROR_NONE && error.message[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < snapshot->file_count; i++)
		CHECK(snapshot->files[i].path.length > 0 &&
			  strlen(snapshot->files[i].action_json) == snapshot->files[i].action_length);
	delta_snapshot_free(snapshot);
	return 0;
}
