/*-------------------------------------------------------------------------
 *
 * parquet_bench.c
 *	  How fast a Parquet file is decoded: parquet_bench FILE RUNS [dictionary]
 *
 * Reads all rows of all columns RUNS times in one thread and prints the best processor time in milliseconds, the rows, and a checksum
 * over every buffer that was given out, which a further run, not timed, computes.  "dictionary": keep_dictionary.
 * PROJECTION in the environment names one column to read alone.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parquet/parquet.h"

typedef struct Result
{
	int64_t rows;
	uint64_t checksum;
} Result;

static bool
read_file(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	ssize_t got = pread(*(int *) state, out, length, (off_t) offset);

	return got == (ssize_t) length || ingest_fail(error, INGEST_ERROR_TRANSIENT, "cannot read: %s", strerror(errno));
}

static double
now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec * 1e3 + (double) time.tv_nsec / 1e6;
}

static uint64_t
mix(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (; length >= 8; length -= 8, bytes += 8)
	{
		uint64_t word;

		memcpy(&word, bytes, 8);
		sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	}
	for (; length > 0; length--)
		sum = (sum ^ *bytes++) * UINT64_C(0x9E3779B97F4A7C15);
	return sum;
}

/* Bytes of a value in buffer 1; 0 for what is not of fixed width. */
static size_t
format_width(const char *format)
{
	switch (format[0])
	{
		case 'i':
		case 'I':
		case 'f':
			return 4;
		case 'd':
			return 16;
		case 't':
			return format[1] == 'd' || (format[1] == 't' && format[2] == 'm') ? 4 : 8;
		case 'u':
		case 'z':
		case 'b':
		case '+':
			return 0;
		default:
			return 8;
	}
}

static uint64_t
checksum(uint64_t sum, const struct ArrowSchema *schema, const struct ArrowArray *array)
{
	size_t length = (size_t) array->length;

	if (array->n_buffers > 0 && array->buffers[0] != NULL)
		sum = mix(sum, array->buffers[0], (length + 7) / 8);
	if (array->n_buffers == 3)
	{
		const int32_t *offsets = array->buffers[1];

		sum = mix(sum, offsets, (length + 1) * 4);
		sum = mix(sum, array->buffers[2], (size_t) offsets[length]);
	}
	else if (array->n_buffers == 2 && array->null_count == 0)
		sum = mix(sum, array->buffers[1], length * format_width(schema->format));
	for (int64_t i = 0; i < array->n_children; i++)
		sum = checksum(sum, schema->children[i], array->children[i]);
	return sum;
}

static bool
read_rows(ParquetReader *reader, bool sum, Result *result, IngestError *error)
{
	for (;;)
	{
		struct ArrowArray array;
		int64_t first_row;

		if (!parquet_reader_next(reader, 0, &array, &first_row, NULL, error))
			return false;
		if (array.release == NULL)
			return true;
		result->rows += array.length;
		if (sum)
			result->checksum = checksum(result->checksum, parquet_reader_schema(reader), &array);
		array.release(&array);
	}
}

static bool
run(const ParquetInput *input, bool keep_dictionary, bool sum, Result *result, IngestError *error)
{
	ParquetOptions options = {.keep_dictionary = keep_dictionary};
	ParquetFile *file = NULL;
	ParquetReader *reader = NULL;
	const char *column = getenv("PROJECTION");
	struct ArrowSchema child = {.format = "i", .name = column};
	struct ArrowSchema *children[] = {&child};
	struct ArrowSchema projection = {.format = "+s", .name = "", .n_children = 1, .children = children};
	bool good;

	*result = (Result){0};
	good = parquet_open(input, &options, &file, error) &&
		   parquet_reader_open(file, column ? &projection : NULL, 0, &reader, error) &&
		   read_rows(reader, sum, result, error);
	parquet_reader_close(reader);
	parquet_close(file);
	return good;
}

int
main(int argc, char **argv)
{
	IngestError error = {0};
	Result result;
	struct stat status;
	double best = 1e18;
	int file;
	bool keep_dictionary = argc > 3 && strcmp(argv[3], "dictionary") == 0;

	if (argc < 3 || (file = open(argv[1], O_RDONLY)) < 0 || fstat(file, &status) != 0)
	{
		fprintf(stderr, "usage: parquet_bench FILE RUNS [dictionary]\n");
		return 2;
	}
	ParquetInput input = {.read = read_file, .state = &file, .size = (uint64_t) status.st_size};

	for (int i = atoi(argv[2]); i > 0; i--)
	{
		double start = now_ms();

		if (!run(&input, keep_dictionary, false, &result, &error))
			break;
		if (now_ms() - start < best)
			best = now_ms() - start;
	}
	if (error.kind != INGEST_ERROR_NONE || !run(&input, keep_dictionary, true, &result, &error))
	{
		fprintf(stderr, "parquet_bench: %s\n", error.message);
		return 1;
	}
	printf("%.1f ms, %" PRId64 " rows, checksum %016" PRIx64 "\n", best, result.rows, result.checksum);
	return 0;
}
