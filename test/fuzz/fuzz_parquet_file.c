/*-------------------------------------------------------------------------
 *
 * fuzz_parquet_file.c
 *	  Property: any bytes taken as a Parquet file give rows or an error, within the limits set here.
 *
 * Page checksums are passed over, so that mutations reach what lies behind them.  The first byte chooses how the file is
 * read; the arrays are walked over, so that a bad offset shows under the sanitizers.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"
#include "parquet/parquet.h"

#define MAX_ROWS 20000

typedef struct Input
{
	const uint8_t *data;
	size_t length;
} Input;

static bool
read_input(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	const Input *input = state;

	if (offset > input->length || length > input->length - offset)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "read behind the end");
	memcpy(out, input->data + offset, length);
	return true;
}

static void
read_rows(ParquetReader *reader, int64_t max_rows)
{
	IngestError error;
	struct ArrowArray array;
	int64_t first_row;
	int64_t rows = 0;

	while (rows < MAX_ROWS && parquet_reader_next(reader, max_rows, &array, &first_row, NULL, &error) &&
		   array.release != NULL)
	{
		Buffer out;

		buffer_init(&out, 1 << 22);
		for (int64_t row = 0; row < array.length; row++)
		{
			out.length = 0;
			if (!arrow_value_to_json(parquet_reader_schema(reader), &array, row, &out, &error))
				break;
		}
		rows += array.length;
		array.release(&array);
		buffer_release(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	Input input = {data + 1, length - 1};
	ParquetOptions options = {.max_page_size = 1 << 22, .max_footer_size = 1 << 22, .skip_page_checksums = true};
	ParquetFile *file;
	ParquetReader *reader;
	IngestError error;

	if (length < 1)
		return 0;
	options.keep_dictionary = data[0] & 1;
	options.byte_budget = data[0] & 2 ? 1 : 0;
	if (!parquet_open(&(ParquetInput){.read = read_input, .state = &input, .size = input.length}, &options, &file,
					  &error))
		return 0;
	if (parquet_reader_open(file, NULL, data[0] >> 4, &reader, &error))
	{
		read_rows(reader, data[0] & 4 ? 3 : 0);
		parquet_reader_close(reader);
	}
	parquet_close(file);
	return 0;
}
