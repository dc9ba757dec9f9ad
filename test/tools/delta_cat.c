/*-------------------------------------------------------------------------
 *
 * delta_cat.c
 *	  Print a Delta table as JSON lines.
 *
 *	  delta_cat ROOT [--version N]	the rows of a version, the newest by default
 *	  delta_cat ROOT --changes		the change feed: the cdc files where a commit has any, else adds and removes
 *	  delta_cat ROOT --follow		what a follower applies, from an empty table
 *
 * The last two print {"_commit_version":N,"_change_type":"...","row":{...}}.  A trimmed log is followed from behind
 * its first commit.
 *
 * Exit status 0: everything was printed.  1: one line on standard error names the cause, and nothing was printed: the
 * rows are collected in a temporary file before the first is written.
 *
 * A variant is printed as what it is in the table, an object of two binaries.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"
#include "delta/delta.h"

#define LINES_LIMIT ((size_t) 1 << 30)
#define FLUSH_BYTES ((size_t) 4 << 20)
#define BATCH_ROWS 8192

typedef struct Cat
{
	Storage *storage;
	DeltaTable *table;
	DeltaOptions options;
	FILE *file;
	Buffer line;
	bool is_feed;            /* --changes */
	int64_t version;         /* of a change; -1: rows are printed bare */
	const char *change_type; /* null: the rows' own column says it */
	IngestError error;
} Cat;

static bool
flush_lines(Cat *cat)
{
	if (cat->line.length > 0 && fwrite(cat->line.data, 1, cat->line.length, cat->file) != cat->line.length)
		return ingest_fail(&cat->error, INGEST_ERROR_TRANSIENT, "cannot write to a temporary file");
	cat->line.length = 0;
	return true;
}

/* Drop the extension names, so that a variant prints as a struct. */
static void
strip_metadata(struct ArrowSchema *schema)
{
	schema->metadata = NULL;
	for (int64_t i = 0; i < schema->n_children; i++)
		strip_metadata(schema->children[i]);
}

/* The change type of a row of a cdc file, which is the last column. */
static bool
begin_change(Cat *cat, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	int64_t last = schema->n_children - 1;

	if (!buffer_printf(&cat->line, &cat->error,
					   "{\"_commit_version\":%lld,\"_change_type\":", (long long) cat->version))
		return false;
	if (cat->change_type != NULL)
		return buffer_printf(&cat->line, &cat->error, "\"%s\",\"row\":", cat->change_type);
	return arrow_value_to_json(schema->children[last], array->children[last], row, &cat->line, &cat->error) &&
		   buffer_append_string(&cat->line, ",\"row\":", &cat->error);
}

static bool
print_row(Cat *cat, const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	struct ArrowSchema shown = *schema;
	struct ArrowArray values = *array;

	if (cat->version >= 0 && !begin_change(cat, schema, array, row))
		return false;
	if (cat->version >= 0 && cat->change_type == NULL)
	{
		shown.n_children--;
		values.n_children--;
	}
	return arrow_value_to_json(&shown, &values, row, &cat->line, &cat->error) &&
		   buffer_append_string(&cat->line, cat->version >= 0 ? "}\n" : "\n", &cat->error) &&
		   (cat->line.length < FLUSH_BYTES || flush_lines(cat));
}

static bool
print_scan(Cat *cat, DeltaScan *scan)
{
	struct ArrowSchema *schema = (struct ArrowSchema *) delta_scan_schema(scan);

	strip_metadata(schema);
	for (;;)
	{
		struct ArrowArray array;
		const int64_t *numbers;
		int64_t next_row;
		int64_t masked;
		bool done = true;

		if (!delta_scan_next(scan, BATCH_ROWS, &array, &numbers, &next_row, &masked, NULL, &cat->error))
			return false;
		if (array.release == NULL)
			return true;
		for (int64_t row = 0; row < array.length && done; row++)
			done = print_row(cat, schema, &array, row);
		array.release(&array);
		if (!done)
			return false;
	}
}

static bool
print_file(Cat *cat, DeltaSchema *schema, const struct ArrowSchema *projection, const DeltaFile *file,
		   const DeltaFile *old_file, DeltaRows rows)
{
	DeltaScan *scan;
	bool done;

	if (!delta_scan_open(cat->storage, &cat->options, schema, projection, file->action_json, file->action_length,
						 old_file != NULL ? old_file->action_json : NULL,
						 old_file != NULL ? old_file->action_length : 0, rows, 0, NULL, &scan, NULL, &cat->error))
		return false;
	done = print_scan(cat, scan);
	delta_scan_close(scan);
	return done;
}

static bool
print_version(Cat *cat, int64_t version)
{
	DeltaSnapshot *snapshot;
	bool done = true;

	cat->version = -1;
	if (!delta_snapshot_load(cat->table, version, &snapshot, NULL, &cat->error))
		return false;
	for (size_t i = 0; i < snapshot->file_count && done; i++)
		done = print_file(cat, snapshot->schema, NULL, &snapshot->files[i], NULL, DELTA_ROWS_LIVE);
	delta_snapshot_free(snapshot);
	return done;
}

/* All columns and the change type behind them. */
static bool
print_cdc_file(Cat *cat, const DeltaCommit *commit, const DeltaFile *file)
{
	const struct ArrowSchema *table = delta_schema_arrow(commit->schema);
	struct ArrowSchema projection = *table;
	struct ArrowSchema change_type = {.format = "u", .name = "_change_type", .flags = ARROW_FLAG_NULLABLE};
	struct ArrowSchema **children = calloc((size_t) table->n_children + 1, sizeof(struct ArrowSchema *));
	bool done;

	if (children == NULL)
		return ingest_out_of_memory(&cat->error);
	memcpy(children, table->children, (size_t) table->n_children * sizeof(struct ArrowSchema *));
	children[table->n_children] = &change_type;
	projection.children = children;
	projection.n_children++;
	cat->change_type = NULL;
	done = print_file(cat, commit->schema, &projection, file, NULL, DELTA_ROWS_LIVE);
	free(children);
	return done;
}

/* A feed's rows have one schema, the one in force after the commit; a follower deletes the rows of removed files as they
 * were inserted, under the schema before. */
static bool
print_change(Cat *cat, const DeltaCommit *commit, const DeltaChange *change)
{
	switch (change->kind)
	{
		case DELTA_CHANGE_CDC:
			return print_cdc_file(cat, commit, &change->file);
		case DELTA_CHANGE_ADD:
			cat->change_type = "insert";
			return print_file(cat, commit->schema, NULL, &change->file, NULL, DELTA_ROWS_LIVE);
		case DELTA_CHANGE_REMOVE:
			cat->change_type = "delete";
			return print_file(cat, cat->is_feed ? commit->schema : commit->old_schema, NULL, &change->file, NULL,
							  DELTA_ROWS_LIVE);
		case DELTA_CHANGE_VECTOR:
			cat->change_type = "delete";
			if (!print_file(cat, cat->is_feed ? commit->schema : commit->old_schema, NULL, &change->file,
							&change->old_file, DELTA_ROWS_NEWLY_MASKED))
				return false;
			cat->change_type = "insert";
			return print_file(cat, commit->schema, NULL, &change->file, &change->old_file, DELTA_ROWS_NEWLY_LIVE);
	}
	return true;
}

static bool
print_changes(Cat *cat)
{
	DeltaSchema *schema = NULL;
	DeltaSnapshot *snapshot;
	int64_t version;
	bool done = true;

	if (!delta_first_version(cat->table, &version, NULL, &cat->error))
		return false;
	if (version > 0)
	{
		if (!delta_snapshot_load(cat->table, version++, &snapshot, NULL, &cat->error))
			return false;
		schema = delta_schema_acquire(snapshot->schema);
		delta_snapshot_free(snapshot);
	}
	for (; done; version++)
	{
		DeltaCommit *commit;

		done = delta_commit_load(cat->table, version, schema, cat->is_feed, true, &commit, NULL, &cat->error);
		if (!done || commit == NULL)
			break;
		delta_schema_release(schema);
		schema = delta_schema_acquire(commit->schema);
		cat->version = version;
		for (size_t i = 0; i < commit->change_count && done; i++)
			done = print_change(cat, commit, &commit->changes[i]);
		delta_commit_free(commit);
	}
	delta_schema_release(schema);
	return done;
}

/* From the temporary file to standard output. */
static bool
copy_out(Cat *cat)
{
	static char block[1 << 16];
	size_t length;

	if (!flush_lines(cat))
		return false;
	rewind(cat->file);
	while ((length = fread(block, 1, sizeof(block), cat->file)) > 0)
		if (fwrite(block, 1, length, stdout) != length)
			return ingest_fail(&cat->error, INGEST_ERROR_TRANSIENT, "cannot write");
	return fflush(stdout) == 0 || ingest_fail(&cat->error, INGEST_ERROR_TRANSIENT, "cannot write");
}

static bool
run(Cat *cat, const char *root, const char *mode, const char *argument)
{
	StorageRights rights = {.local_files = true, .server_credentials = true};
	char *path = strchr(root, ':') == NULL ? realpath(root, NULL) : NULL;
	bool done;

	storage_initialize();
	done = storage_open(path != NULL ? path : root, NULL, 0, &rights, &cat->storage, &cat->error) &&
		   delta_table_create(cat->storage, &cat->options, &cat->table, &cat->error);
	free(path);
	if (!done)
		return false;
	if (strcmp(mode, "--version") == 0)
		return print_version(cat, atoll(argument));
	cat->is_feed = strcmp(mode, "--changes") == 0;
	return print_changes(cat);
}

int
main(int argc, char **argv)
{
	Cat cat = {.version = -1};
	const char *mode = argc > 2 ? argv[2] : "--version";
	bool known = strcmp(mode, "--version") == 0
					 ? argc == 2 || argc == 4
					 : argc == 3 && (!strcmp(mode, "--changes") || !strcmp(mode, "--follow"));
	bool done;

	if (argc < 2 || !known)
	{
		fprintf(stderr, "usage: delta_cat ROOT [--version N | --changes | --follow]\n");
		return 2;
	}
	buffer_init(&cat.line, LINES_LIMIT);
	cat.file = tmpfile();
	if (cat.file == NULL)
	{
		perror("delta_cat");
		return 1;
	}
	done = run(&cat, argv[1], mode, argc == 4 ? argv[3] : "-1") && copy_out(&cat);
	if (!done)
		fprintf(stderr, "delta_cat: %s: %s\n", argv[1], cat.error.message);
	fclose(cat.file);
	buffer_release(&cat.line);
	delta_table_free(cat.table);
	storage_close(cat.storage);
	return done ? 0 : 1;
}
