/*-------------------------------------------------------------------------
 *
 * parquet_cat.c
 *	  Print the rows of a Parquet file as JSON lines.
 *
 *	  parquet_cat [--first-row N] [--max-rows N] [--byte-budget N] [--keep-dictionary] FILE
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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/batch.h"
#include "parquet/parquet.h"

#define OUTPUT_LIMIT ((size_t) 1 << 30)

static bool
read_file(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	int file = *(int *) state;

	while (length > 0)
	{
		ssize_t got = pread(file, out, length, (off_t) offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ingest_fail(error, INGEST_ERROR_TRANSIENT, "cannot read: %s",
							   got < 0 ? strerror(errno) : "file ends");
		out = (char *) out + got;
		offset += (uint64_t) got;
		length -= (size_t) got;
	}
	return true;
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

static bool
print_file(const CatOptions *options, Buffer *out, IngestError *error)
{
	ParquetFile *parquet = NULL;
	ParquetReader *reader = NULL;
	int file = open(options->path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	bool good;

	if (file < 0 || fstat(file, &status) != 0)
	{
		ingest_fail(error, INGEST_ERROR_NOT_FOUND, "cannot open: %s", strerror(errno));
		if (file >= 0)
			close(file);
		return false;
	}
	good = parquet_open(&(ParquetInput){.read = read_file, .state = &file, .size = (uint64_t) status.st_size},
						&options->parquet, &parquet, error) &&
		   parquet_reader_open(parquet, NULL, options->first_row, &reader, error) &&
		   print_rows(reader, options->max_rows, out, error);
	parquet_reader_close(reader);
	parquet_close(parquet);
	close(file);
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
