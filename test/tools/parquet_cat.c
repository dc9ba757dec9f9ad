/*-------------------------------------------------------------------------
 *
 * parquet_cat.c
 *	  Print the rows of a Parquet file as JSON lines.
 *
 *	  parquet_cat [--first-row N] [--max-rows N] [--byte-budget N] [--keep-dictionary] FILE
 *
 * FILE is a path or any URI that the connectors take.
 *
 * The options change how the file is read and must not change what is printed, except that the rows before N are left out.
 *
 * Exit status 0: all rows were printed.  1: one line on standard error names the cause, and nothing was printed: the
 * rows are collected before the first is written.
 *
 * Columns carry the zone that the file gives them: a converted type alone and INT96 have none here.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"
#include "parquet/parquet.h"
#include "storage/storage.h"

#define OUTPUT_LIMIT ((size_t) 1 << 30)

/* One object of a store. */
typedef struct CatObject
{
	Storage *storage;
	char *name;
	StorageObject head;
} CatObject;

static bool
read_object(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	const CatObject *object = state;

	return storage_read(object->storage, object->name, object->head.etag, offset, length, out, NULL, error);
}

typedef struct CatOptions
{
	const char *path;
	int64_t first_row;
	int64_t max_rows;
	ParquetOptions parquet;
} CatOptions;

static bool
print_rows(ParquetReader *reader, int64_t max_rows, Buffer *out, IngestError *error)
{
	const struct ArrowSchema *schema = parquet_reader_schema(reader);

	for (;;)
	{
		struct ArrowArray array;
		int64_t first_row;
		bool good = true;

		if (!parquet_reader_next(reader, max_rows, &array, &first_row, NULL, error))
			return false;
		if (array.release == NULL)
			return true;
		for (int64_t row = 0; good && row < array.length; row++)
			good = arrow_value_to_json(schema, &array, row, out, error) && buffer_append(out, "\n", 1, error);
		array.release(&array);
		if (!good)
			return false;
	}
}

/* The store is the place up to the last slash: a directory, or a URI's. */
static bool
open_object(const char *path, CatObject *object, IngestError *error)
{
	StorageRights rights = {.local_files = true, .server_credentials = true};
	char *place = storage_uri_scheme(path) > 0 ? strdup(path) : realpath(path, NULL);
	char *slash = place == NULL ? NULL : strrchr(place, '/');
	bool good;

	if (slash == NULL)
	{
		free(place);
		return ingest_fail(error, INGEST_ERROR_NOT_FOUND, "cannot open: %s", strerror(errno));
	}
	object->name = storage_uri_scheme(path) > 0 ? storage_uri_decode(slash + 1, error) : strdup(slash + 1);
	slash[slash == place] = '\0';
	good = object->name != NULL && storage_open(place, NULL, 0, &rights, &object->storage, error) &&
		   storage_head(object->storage, object->name, &object->head, NULL, error);
	free(place);
	return good;
}

static void
close_object(CatObject *object)
{
	storage_object_clear(&object->head);
	storage_close(object->storage);
	free(object->name);
}

static bool
print_file(const CatOptions *options, Buffer *out, IngestError *error)
{
	CatObject object = {0};
	ParquetInput input = {.read = read_object, .state = &object};
	ParquetFile *file = NULL;
	ParquetReader *reader = NULL;
	bool good = open_object(options->path, &object, error);

	input.size = object.head.size;
	good = good && parquet_open(&input, &options->parquet, &file, error) &&
		   parquet_reader_open(file, NULL, options->first_row, &reader, error) &&
		   print_rows(reader, options->max_rows, out, error);
	parquet_reader_close(reader);
	parquet_close(file);
	close_object(&object);
	return good;
}

static bool
parse_arguments(int argc, char **argv, CatOptions *options)
{
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--keep-dictionary") == 0)
			options->parquet.keep_dictionary = true;
		else if (strcmp(argv[i], "--first-row") == 0 && i + 1 < argc)
			options->first_row = atoll(argv[++i]);
		else if (strcmp(argv[i], "--max-rows") == 0 && i + 1 < argc)
			options->max_rows = atoll(argv[++i]);
		else if (strcmp(argv[i], "--byte-budget") == 0 && i + 1 < argc)
			options->parquet.byte_budget = (size_t) atoll(argv[++i]);
		else if (options->path == NULL && argv[i][0] != '-')
			options->path = argv[i];
		else
			return false;
	}
	return options->path != NULL;
}

int
main(int argc, char **argv)
{
	CatOptions options = {.parquet = {.converted_type_is_local = true}};
	IngestError error = {0};
	Buffer out;
	bool good;

	if (!parse_arguments(argc, argv, &options))
	{
		fprintf(stderr,
				"usage: parquet_cat [--first-row N] [--max-rows N] [--byte-budget N] [--keep-dictionary] FILE\n");
		return 2;
	}
	storage_initialize();
	buffer_init(&out, OUTPUT_LIMIT);
	good = print_file(&options, &out, &error);
	if (!good)
		fprintf(stderr, "parquet_cat: %s: %s\n", options.path, error.message);
	else if (out.length > 0 && (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout) != 0))
	{
		fprintf(stderr, "parquet_cat: cannot write\n");
		good = false;
	}
	buffer_release(&out);
	return good ? 0 : 1;
}
