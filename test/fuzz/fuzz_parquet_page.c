/*-------------------------------------------------------------------------
 *
 * fuzz_parquet_page.c
 *	  Property: any bytes taken as the body of a page, of any type, encoding and levels, give values or an error.
 *
 * Enters behind thrift, decompression and checksum: a file is built around the body.  The first bytes of the input
 * choose the shape of the column, the encoding, the kind of page and its number of entries; a part of the input, whose
 * length the fifth byte tells, becomes a dictionary page where one is wanted.
 *
 *-------------------------------------------------------------------------
 */
#include "unit/parquet_writer.h"

#define HEAD 6

static const ElementSpec shapes[][6] = {{{"s", -1, 0, 1, -1, 0, 0, 0}, {"x", 0, 0, 0, -1, 0, 0, 0}},
										{{"s", -1, 0, 1, -1, 0, 0, 0}, {"x", 0, 1, 0, -1, 0, 0, 0}},
										{{"s", -1, 0, 1, -1, 0, 0, 0}, {"x", 0, 2, 0, -1, 0, 0, 0}},
										{{"s", -1, 0, 1, -1, 0, 0, 0},
										 {"l", -1, 1, 1, 3, 0, 0, 0},
										 {"list", -1, 2, 1, -1, 0, 0, 0},
										 {"x", 0, 1, 0, -1, 0, 0, 0}},
										{{"s", -1, 0, 1, -1, 0, 0, 0},
										 {"l", -1, 1, 1, 3, 0, 0, 0},
										 {"list", -1, 2, 1, -1, 0, 0, 0},
										 {"element", -1, 1, 1, 3, 0, 0, 0},
										 {"list", -1, 2, 1, -1, 0, 0, 0},
										 {"x", 0, 1, 0, -1, 0, 0, 0}}};
static const int shape_lengths[] = {2, 2, 2, 4, 6};
static const int encodings[] = {0, 2, 3, 5, 6, 7, 8, 9};

/* type, type length, converted type, precision */
static const int types[][4] = {{0, 0, -1, 0}, {1, 0, -1, 0}, {2, 0, -1, 0},  {3, 0, -1, 0},  {4, 0, -1, 0},
							   {5, 0, -1, 0}, {6, 0, 0, 0},  {7, 5, -1, 0},  {7, 11, 5, 20}, {6, 0, 5, 30},
							   {1, 0, 5, 9},  {1, 0, 15, 0}, {7, 12, 21, 0}, {7, 7, 5, 15}};

/* A v1 or v2 page header in front of a body that is taken as it is. */
static void
put_raw_page(Bytes *chunk, int type, int encoding, int entries, int rows, int repetitions, int definitions,
			 const uint8_t *body, size_t length)
{
	PageSpec page = {.type = type, .encoding = encoding, .value_count = entries, .row_count = rows};

	put_page_header(chunk, &page, length, (size_t) repetitions, (size_t) definitions);
	if (length > 0)
		put(chunk, body, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	ElementSpec elements[6];
	ChunkSpec chunk = {0};
	Bytes file;
	int shape;
	const int *type;
	int64_t rows;
	size_t dictionary;

	if (length < HEAD)
		return 0;
	shape = data[0] % 5;
	type = types[data[1] % 14];
	rows = data[3];
	dictionary = data[4] < length - HEAD ? data[4] : 0;
	memcpy(elements, shapes[shape], sizeof(elements));
	elements[shape_lengths[shape] - 1].type = type[0];
	elements[shape_lengths[shape] - 1].type_length = type[1];
	elements[shape_lengths[shape] - 1].converted = type[2];
	elements[shape_lengths[shape] - 1].precision = type[3];
	chunk.type = type[0];
	chunk.value_count = shape < 2 ? rows : data[5];
	if (dictionary > 0)
	{
		int width = type[0] == 7 ? type[1] : type[0] == 6 ? 5 : 8;

		put_raw_page(&chunk.pages, 2, 0, (int) dictionary / width, 0, 0, 0, data + HEAD, dictionary);
		chunk.dictionary = true;
		chunk.dictionary_length = chunk.pages.length;
	}
	put_raw_page(&chunk.pages, data[2] & 0x80 ? 3 : 0, encodings[data[2] & 7], (int) chunk.value_count, (int) rows,
				 data[2] >> 3 & 3, data[2] >> 5 & 3, data + HEAD + dictionary, length - HEAD - dictionary);
	file = write_file(&(FileSpec){elements, shape_lengths[shape], &chunk, 1, &rows, 1});
	free(read_file_as_text(
		&file, (ReadSpec){.max_rows = data[0] & 0x80 ? 3 : 0, .options = {.byte_budget = data[0] & 0x40 ? 1 : 0}}));
	free(file.data);
	return 0;
}
