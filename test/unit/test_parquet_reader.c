/* Whole files: what is read, from where, in which portions; and what is refused. */
#include "unit/parquet_writer.h"

#include <zlib.h>

static const ElementSpec optional_text[] = {
	{"schema", -1, 0, 2, -1, 0, 0, 0}, {"id", 1, 0, 0, -1, 0, 0, 0}, {"name", 6, 1, 0, 0, 0, 0, 0}};

static Bytes
int32_values(int32_t first, int count)
{
	Bytes values = {0};

	for (int i = 0; i < count; i++)
		put_int32(&values, first + i);
	return values;
}

static Bytes
texts(const char *const *list, int count)
{
	Bytes values = {0};

	for (int i = 0; i < count; i++)
		put_text(&values, list[i]);
	return values;
}

/* Two row groups of 5 and 3 rows; id in pages of 2, name in a dictionary page, an indexed and a plain page. */
static Bytes
flat_file(void)
{
	static const char *const words[] = {"red", "green"};
	static const char *const more[] = {"blue", "black"};
	static const int64_t rows[] = {5, 3};
	ChunkSpec chunks[4] = {{.type = 1, .value_count = 5},
						   {.type = 6, .value_count = 5},
						   {.type = 1, .value_count = 3},
						   {.type = 6, .value_count = 3}};
	Bytes indices = {0};

	put_page(&chunks[0].pages, (PageSpec){.value_count = 2, .values = int32_values(10, 2)});
	put_page(&chunks[0].pages, (PageSpec){.value_count = 0});
	put_page(&chunks[0].pages, (PageSpec){.value_count = 3, .values = int32_values(12, 3)});
	put_page(&chunks[1].pages, (PageSpec){.type = 2, .value_count = 2, .values = texts(words, 2)});
	chunks[1].dictionary = true;
	chunks[1].dictionary_length = chunks[1].pages.length;
	put_byte(&indices, 1); /* width 1, one group: 1, 0 */
	put_byte(&indices, 3);
	put_byte(&indices, 1);
	put_page(&chunks[1].pages, (PageSpec){.value_count = 3, .encoding = 8, .definitions = "101", .values = indices});
	put_page(&chunks[1].pages, (PageSpec){.value_count = 2, .definitions = "01", .values = texts(more, 1)});
	put_page(&chunks[2].pages, (PageSpec){.type = 3, .row_count = 3, .value_count = 3, .values = int32_values(15, 3)});
	put_page(&chunks[3].pages,
			 (PageSpec){.type = 3, .row_count = 3, .value_count = 3, .definitions = "011", .values = texts(more, 2)});
	return write_file(&(FileSpec){optional_text, 3, chunks, 2, rows, 2});
}

static const char *const flat_rows[] = {"{\"id\":10,\"name\":\"green\"}\n", "{\"id\":11,\"name\":null}\n",
										"{\"id\":12,\"name\":\"red\"}\n",   "{\"id\":13,\"name\":null}\n",
										"{\"id\":14,\"name\":\"blue\"}\n",  "{\"id\":15,\"name\":null}\n",
										"{\"id\":16,\"name\":\"blue\"}\n",  "{\"id\":17,\"name\":\"black\"}\n"};

static void
any_portion_gives_the_same_rows(void)
{
	Bytes file = flat_file();
	char expected[1024];

	for (int dictionary = 0; dictionary < 2; dictionary++)
	{
		for (int first = 0; first <= 8; first++)
		{
			expected[0] = '\0';
			for (int row = first; row < 8; row++)
				strcat(expected, flat_rows[row]);
			for (int most = 0; most < 7; most++)
			{
				char name[100];
				ReadSpec spec = {.options = {.byte_budget = most % 2, .keep_dictionary = dictionary},
								 .first_row = first,
								 .max_rows = most};

				snprintf(name, sizeof(name), "from row %d, %d rows at most, dictionary %d", first, most, dictionary);
				is_file(&file, spec, expected, name);
			}
		}
	}
	is_file(&file, (ReadSpec){.skipped_group = 1},
			"{\"id\":15,\"name\":null}\n{\"id\":16,\"name\":\"blue\"}\n{\"id\":17,\"name\":\"black\"}\n",
			"a row group is passed over");
	free(file.data);
}

static void
projections(void)
{
	Bytes file = flat_file();
	struct ArrowSchema name = {.format = "u", .name = "name"};
	struct ArrowSchema other = {.format = "u", .name = "Name"};
	struct ArrowSchema *children[] = {&name};
	struct ArrowSchema projection = {.format = "+s", .n_children = 1, .children = children};
	struct ArrowSchema nothing = {.format = "+s"};

	is_file(&file, (ReadSpec){.projection = &projection, .first_row = 6}, "{\"name\":\"blue\"}\n{\"name\":\"black\"}\n",
			"one column");
	is_file(&file, (ReadSpec){.projection = &nothing, .first_row = 6}, "{}\n{}\n",
			"no column: only the number of rows");
	children[0] = &other;
	is_refused(&file, (ReadSpec){.projection = &projection}, "no column \"Name\"", "names are compared exactly");
	free(file.data);
}

static void
arrays_outlive_their_reader(void)
{
	Bytes file = flat_file();
	ParquetInput input = {.read = read_bytes, .state = &file, .size = file.length};
	ParquetOptions options = {.keep_dictionary = true};
	ParquetFile *parquet;
	ParquetReader *reader;
	struct ArrowArray array;
	struct ArrowArray moved;
	int64_t first;
	IngestError error;

	if (!parquet_open(&input, &options, &parquet, &error) || !parquet_reader_open(parquet, NULL, 0, &reader, &error) ||
		!parquet_reader_next(reader, 0, &array, &first, NULL, &error))
	{
		ok(false, "reads: %s", error.message);
		return;
	}
	parquet_reader_close(reader);
	parquet_close(parquet);
	free(file.data);
	moved = *array.children[1];
	array.children[1]->release = NULL;
	array.release(&array);
	ok(array.release == NULL, "released");
	is_int(moved.length, 3, "the batch ends where the pages stop being indices");
	ok(memcmp((const char *) moved.dictionary->buffers[2], "redgreen", 8) == 0, "the dictionary is still there");
	moved.release(&moved);
}

/* One required INT32 column of one page, to be spoilt. */
typedef struct Spoilt
{
	PageSpec page;
	int64_t rows;
	int64_t value_count;
	int64_t size_lie;
	const char *message;
	const char *name;
} Spoilt;

static void
bad_pages(void)
{
	static const ElementSpec elements[] = {{"schema", -1, 0, 1, -1, 0, 0, 0}, {"id", 1, 0, 0, -1, 0, 0, 0}};
	const Spoilt cases[] = {
		{{.value_count = 3}, 3, 3, 0, "values end before the last one", "too few values"},
		{{.value_count = 2}, 3, 3, 0, "column chunk ends 1 values early", "too few entries"},
		{{.value_count = 4}, 4, 3, 0, "page of 4 values", "more entries than the chunk has"},
		{{.value_count = 3}, 2, 3, 0, "more values than the row group has rows", "more entries than rows"},
		{{.value_count = 3}, 4, 3, 0, "fewer values than the row group has rows", "fewer entries than rows"},
		{{.value_count = -3}, 3, 3, 0, "page of -3 values", "a negative count"},
		{{.value_count = 3, .size_lie = 1000},
		 3,
		 3,
		 0,
		 "does not fit into its column chunk",
		 "a size beyond the chunk"},
		{{.value_count = 3, .size_lie = -1000}, 3, 3, 0, "missing or negative size", "a negative size"},
		{{.value_count = 3}, 3, 3, 1000, "do not lie in the file", "a chunk beyond the file"},
		{{.value_count = 3, .has_checksum = true, .checksum = 7},
		 3,
		 3,
		 0,
		 "checksum does not match",
		 "a wrong checksum"},
		{{.value_count = 3, .encoding = 8}, 3, 3, 0, "without a dictionary", "indices without a dictionary"},
		{{.value_count = 3, .encoding = 4}, 3, 3, 0, "encoding 4 does not exist", "BIT_PACKED values"},
		{{.value_count = 3, .encoding = 10}, 3, 3, 0, "encoding 10 is not supported", "an unknown encoding"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		ChunkSpec chunk = {.type = 1, .value_count = cases[i].value_count, .size_lie = cases[i].size_lie};
		PageSpec page = cases[i].page;
		Bytes file;

		page.values = int32_values(1, i == 0 ? 2 : 3);
		put_page(&chunk.pages, page);
		file = write_file(&(FileSpec){elements, 2, &chunk, 1, &cases[i].rows, 1});
		is_refused(&file, (ReadSpec){0}, cases[i].message, cases[i].name);
		if (page.has_checksum)
			is_file(&file, (ReadSpec){.options = {.skip_page_checksums = true}}, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n",
					"a wrong checksum may be passed over");
		free(file.data);
	}
}

static void
limits(void)
{
	Bytes file = flat_file();

	is_refused(&file, (ReadSpec){.options = {.max_page_size = 10}}, "above the limit of 10", "a page above the limit");
	is_refused(&file, (ReadSpec){.options = {.max_page_size = 10}}, "row group 0, column", "the error names the place");
	is_refused(&file, (ReadSpec){.options = {.max_footer_size = 10}}, "footer of", "a footer above the limit");
	free(file.data);
}

/* Every single byte of a good file is changed, and the file cut everywhere: an error or rows, nothing worse. */
static void
damaged_files(void)
{
	Bytes file = flat_file();
	Bytes copy = {0};

	put(&copy, file.data, file.length);
	for (size_t i = 0; i < file.length; i++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			copy.data[i] = file.data[i] ^ (uint8_t) (1 << bit);
			free(read_file_as_text(&copy, (ReadSpec){.options = {.keep_dictionary = bit % 2}}));
		}
		copy.data[i] = file.data[i];
	}
	for (size_t length = 0; length < file.length; length++)
	{
		copy.length = length;
		free(read_file_as_text(&copy, (ReadSpec){0}));
	}
	ok(true, "damaged files are read or refused");
	copy.length = 11;
	is_refused(&copy, (ReadSpec){0}, "it has only 11 bytes", "a short file");
	copy.length = file.length - 1;
	is_refused(&copy, (ReadSpec){0}, "does not end with PAR1", "no magic at the end");
	memcpy(copy.data + file.length - 4, "PARE", 4);
	copy.length = file.length;
	is_refused(&copy, (ReadSpec){0}, "encrypted", "an encrypted footer");
	free(file.data);
	free(copy.data);
}

static void
good_checksum(void)
{
	static const ElementSpec elements[] = {{"schema", -1, 0, 1, -1, 0, 0, 0}, {"id", 1, 0, 0, -1, 0, 0, 0}};
	int64_t rows = 3;
	ChunkSpec chunk = {.type = 1, .value_count = 3};
	Bytes values = int32_values(1, 3);
	Bytes file;

	put_page(&chunk.pages, (PageSpec){.value_count = 3,
									  .values = values,
									  .has_checksum = true,
									  .checksum = (uint32_t) crc32(0, values.data, (uInt) values.length)});
	file = write_file(&(FileSpec){elements, 2, &chunk, 1, &rows, 1});
	is_file(&file, (ReadSpec){0}, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n", "a right checksum");
	free(file.data);
}

static void
paths(void)
{
	static const ElementSpec elements[] = {{"schema", -1, 0, 1, -1, 0, 0, 0}, {"id", 1, 0, 0, -1, 0, 0, 0}};
	int64_t rows = 1;

	for (int right = 0; right < 2; right++)
	{
		ChunkSpec chunk = {.type = 1, .value_count = 1, .path = right ? "id" : "di"};
		Bytes file;

		put_page(&chunk.pages, (PageSpec){.value_count = 1, .values = int32_values(1, 1)});
		file = write_file(&(FileSpec){elements, 2, &chunk, 1, &rows, 1});
		if (right)
			is_file(&file, (ReadSpec){0}, "{\"id\":1}\n", "a chunk whose path is its column's");
		else
			is_refused(&file, (ReadSpec){0}, "called otherwise", "a chunk with another column's path");
		free(file.data);
	}
}

/* Bytes of an array's text columns. */
static size_t
text_bytes(const struct ArrowArray *array)
{
	size_t bytes = 0;

	for (int64_t i = 0; i < array->n_children; i++)
		bytes += (size_t) ((const int32_t *) array->children[i]->buffers[1])[array->children[i]->length];
	return bytes;
}

typedef struct Recorded
{
	Bytes *file;
	uint64_t hinted[64][2];
	int hint_count;
	int read_count;
	int unannounced;
	size_t read_bytes;
} Recorded;

static bool
recorded_read(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	Recorded *recorded = state;
	bool found = false;

	for (int i = 0; i < recorded->hint_count; i++)
		found |= recorded->hinted[i][0] <= offset && offset + length <= recorded->hinted[i][0] + recorded->hinted[i][1];
	recorded->read_count++;
	recorded->read_bytes += length;
	recorded->unannounced += !found;
	return read_bytes(recorded->file, offset, length, out, error);
}

static void
recorded_prefetch(void *state, uint64_t offset, size_t length)
{
	Recorded *recorded = state;

	if (recorded->hint_count < 64)
	{
		recorded->hinted[recorded->hint_count][0] = offset;
		recorded->hinted[recorded->hint_count++][1] = length;
	}
}

/* The last of 40 rows with a megabyte each: the pages before it are not read. */
static void
reads_near_the_end(Bytes *file)
{
	Recorded recorded = {.file = file};
	ParquetInput input = {.read = recorded_read, .state = &recorded, .size = file->length};
	ParquetFile *parquet = NULL;
	ParquetReader *reader = NULL;
	struct ArrowArray array = {0};
	int64_t first = -1;
	IngestError error;

	ok(parquet_open(&input, NULL, &parquet, &error) && parquet_reader_open(parquet, NULL, 39, &reader, &error) &&
		   parquet_reader_next(reader, 0, &array, &first, NULL, &error) && array.release != NULL,
	   "a reader from the last row on");
	is_int(first, 39, "its row");
	is_int(array.length, 1, "and only this one");
	ok(recorded.read_bytes < 7 << 20, "little of the %zu bytes was read: %zu", file->length, recorded.read_bytes);
	if (array.release != NULL)
		array.release(&array);
	parquet_reader_close(reader);
	parquet_close(parquet);
}

/* 40 rows of two texts, of 1 MB and of 1 KB: arrays end by their bytes, and not all at their first row. */
static void
large_rows(void)
{
	static const ElementSpec elements[] = {
		{"schema", -1, 0, 2, -1, 0, 0, 0}, {"large", 6, 0, 0, 0, 0, 0, 0}, {"small", 6, 0, 0, 0, 0, 0, 0}};
	int64_t rows = 40;
	ChunkSpec chunks[2] = {{.type = 6, .value_count = 40}, {.type = 6, .value_count = 40}};
	char *large = calloc(1, (1 << 20) + 1);
	char small[1025] = {0};
	ParquetFile *parquet = NULL;
	ParquetReader *reader = NULL;
	IngestError error;
	int64_t seen = 0;
	int arrays = 0;
	size_t most = 0;
	Bytes file;

	memset(large, 'x', 1 << 20);
	memset(small, 'y', 1024);
	for (int i = 0; i < 40; i++)
	{
		Bytes values[2] = {0};

		put_text(&values[0], large);
		put_text(&values[1], small);
		for (int k = 0; k < 2; k++)
			put_page(&chunks[k].pages, (PageSpec){.value_count = 1, .values = values[k]});
	}
	file = write_file(&(FileSpec){elements, 3, chunks, 2, &rows, 1});
	ParquetInput input = {.read = read_bytes, .state = &file, .size = file.length};

	if (parquet_open(&input, NULL, &parquet, &error) && parquet_reader_open(parquet, NULL, 0, &reader, &error))
	{
		struct ArrowArray array;
		int64_t first;

		while (parquet_reader_next(reader, 0, &array, &first, NULL, &error) && array.release != NULL)
		{
			ok(first == seen, "arrays follow each other");
			seen += array.length;
			arrays++;
			most = text_bytes(&array) > most ? text_bytes(&array) : most;
			array.release(&array);
		}
	}
	is_int(seen, 40, "all rows came");
	ok(most <= (17 << 20) && most >= (8 << 20), "arrays have about 16 MB");
	ok(arrays <= 5, "and are not many");
	parquet_reader_close(reader);
	parquet_close(parquet);
	reads_near_the_end(&file);
	free(file.data);
	free(large);
}

static void
requests(void)
{
	Bytes file = flat_file();
	Recorded recorded = {.file = &file};
	ParquetInput input = {recorded_read, recorded_prefetch, &recorded, file.length};
	ParquetFile *parquet = NULL;
	ParquetReader *reader = NULL;
	struct ArrowArray array;
	int64_t first;
	IngestError error;

	if (parquet_open(&input, NULL, &parquet, &error) && parquet_reader_open(parquet, NULL, 0, &reader, &error))
	{
		while (parquet_reader_next(reader, 0, &array, &first, NULL, &error) && array.release != NULL)
			array.release(&array);
	}
	is_int(recorded.read_count, 3, "the footer, and one request for each row group of small chunks");
	is_int(recorded.unannounced, 1, "all but the footer's were announced");
	is_int(recorded.hint_count, 2, "once each");
	parquet_reader_close(reader);
	parquet_close(parquet);
	free(file.data);
}

int
main(void)
{
	paths();
	large_rows();
	requests();
	any_portion_gives_the_same_rows();
	projections();
	arrays_outlive_their_reader();
	bad_pages();
	good_checksum();
	limits();
	damaged_files();
	return done_testing();
}
