/*-------------------------------------------------------------------------
 *
 * parquet_writer.h
 *	  Parquet files made in memory, byte by byte, good and bad ones.
 *
 * A test gives the schema elements as they stand in a footer, and each chunk as the pages it made itself, so that every
 * length, count and level can be wrong on purpose.  Levels are written as runs of one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_PARQUET_WRITER_H
#define INGEST_TEST_PARQUET_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"
#include "parquet/parquet.h"
#include "unit/tap.h"

typedef struct Bytes
{
	uint8_t *data;
	size_t length;
	size_t capacity;
} Bytes;

static inline void
put(Bytes *bytes, const void *data, size_t length)
{
	if (bytes->length + length >= bytes->capacity)
	{
		bytes->capacity = (bytes->length + length + 1) * 2;
		bytes->data = realloc(bytes->data, bytes->capacity);
	}
	if (length > 0)
		memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
}

static inline void
put_byte(Bytes *bytes, int byte)
{
	uint8_t one = (uint8_t) byte;

	put(bytes, &one, 1);
}

static inline void
put_int32(Bytes *bytes, int32_t value)
{
	put(bytes, &value, 4);
}

static inline void
put_int64(Bytes *bytes, int64_t value)
{
	put(bytes, &value, 8);
}

static inline void
put_varint(Bytes *bytes, uint64_t value)
{
	for (; value > 127; value >>= 7)
		put_byte(bytes, (int) (value & 127) | 128);
	put_byte(bytes, (int) value);
}

static inline void
put_zigzag(Bytes *bytes, int64_t value)
{
	put_varint(bytes, ((uint64_t) value << 1) ^ (uint64_t) (value >> 63));
}

/* A PLAIN byte array. */
static inline void
put_text(Bytes *bytes, const char *text)
{
	put_int32(bytes, (int32_t) strlen(text));
	put(bytes, text, strlen(text));
}

/* ---- thrift ------------------------------------------------------------------------- */

static inline void
put_field(Bytes *bytes, int *last, int id, int type)
{
	put_byte(bytes, (id - *last) << 4 | type);
	*last = id;
}

static inline void
put_number_field(Bytes *bytes, int *last, int id, int64_t value)
{
	put_field(bytes, last, id, 6);
	put_zigzag(bytes, value);
}

static inline void
put_text_field(Bytes *bytes, int *last, int id, const char *text)
{
	put_field(bytes, last, id, 8);
	put_varint(bytes, strlen(text));
	put(bytes, text, strlen(text));
}

static inline void
put_list_field(Bytes *bytes, int *last, int id, int element_type, size_t count)
{
	put_field(bytes, last, id, 9);
	put_byte(bytes, 0xf0 | element_type);
	put_varint(bytes, count);
}

/* ---- pages -------------------------------------------------------------------------- */

typedef struct PageSpec
{
	int type; /* 0 data, 2 dictionary, 3 data v2 */
	int encoding;
	int value_count;
	int row_count;           /* v2 */
	const char *repetitions; /* a digit a level, null where there are none */
	const char *definitions;
	Bytes values; /* taken over */
	bool has_checksum;
	uint32_t checksum;
	int size_lie; /* added to both sizes in the header */
} PageSpec;

/* Levels as runs of one value each: 0x02, level. */
static inline Bytes
level_runs(const char *levels)
{
	Bytes runs = {0};

	for (; levels != NULL && *levels; levels++)
	{
		put_byte(&runs, 2);
		put_byte(&runs, *levels - '0');
	}
	return runs;
}

static inline void
put_page_header(Bytes *chunk, const PageSpec *page, size_t body, size_t repetitions, size_t definitions)
{
	int last = 0;
	int inner = 0;

	put_number_field(chunk, &last, 1, page->type);
	put_number_field(chunk, &last, 2, (int64_t) body + page->size_lie);
	put_number_field(chunk, &last, 3, (int64_t) body + page->size_lie);
	if (page->has_checksum)
		put_number_field(chunk, &last, 4, (int32_t) page->checksum);
	put_field(chunk, &last, page->type == 0 ? 5 : page->type == 2 ? 7 : 8, 12);
	put_number_field(chunk, &inner, 1, page->value_count);
	if (page->type == 3)
	{
		put_number_field(chunk, &inner, 2, 0);
		put_number_field(chunk, &inner, 3, page->row_count);
		put_number_field(chunk, &inner, 4, page->encoding);
		put_number_field(chunk, &inner, 5, (int64_t) definitions);
		put_number_field(chunk, &inner, 6, (int64_t) repetitions);
	}
	else
	{
		put_number_field(chunk, &inner, 2, page->encoding);
		if (page->type == 0)
		{
			put_number_field(chunk, &inner, 3, 3);
			put_number_field(chunk, &inner, 4, 3);
		}
	}
	put_byte(chunk, 0);
	put_byte(chunk, 0);
}

static inline void
put_levels(Bytes *body, Bytes *runs, bool with_length)
{
	if (with_length && runs->data != NULL)
		put_int32(body, (int32_t) runs->length);
	if (runs->length > 0)
		put(body, runs->data, runs->length);
	free(runs->data);
}

static inline void
put_page(Bytes *chunk, PageSpec page)
{
	Bytes repetitions = level_runs(page.repetitions);
	Bytes definitions = level_runs(page.definitions);
	size_t repetition_length = repetitions.length;
	size_t definition_length = definitions.length;
	Bytes body = {0};

	put_levels(&body, &repetitions, page.type == 0);
	put_levels(&body, &definitions, page.type == 0);
	if (page.values.length > 0)
		put(&body, page.values.data, page.values.length);
	put_page_header(chunk, &page, body.length, repetition_length, definition_length);
	if (body.length > 0)
		put(chunk, body.data, body.length);
	free(body.data);
	free(page.values.data);
}

/* ---- files -------------------------------------------------------------------------- */

typedef struct ElementSpec
{
	const char *name;
	int type; /* -1: a group */
	int repetition;
	int children;
	int converted;   /* -1: none */
	int type_length; /* 0: none */
	int precision;   /* 0: none */
	int scale;
} ElementSpec;

typedef struct ChunkSpec
{
	int type;
	Bytes pages; /* taken over */
	int64_t value_count;
	int64_t size_lie;
	const char *path; /* null: none is written */
	bool dictionary;  /* the first page is one */
	size_t dictionary_length;
} ChunkSpec;

typedef struct FileSpec
{
	const ElementSpec *elements; /* the root comes first */
	int element_count;
	ChunkSpec *chunks;   /* row group by row group */
	int chunk_count;     /* of a row group */
	const int64_t *rows; /* of each row group */
	int group_count;
} FileSpec;

static inline void
put_element(Bytes *footer, const ElementSpec *element)
{
	int last = 0;

	if (element->type >= 0)
		put_number_field(footer, &last, 1, element->type);
	if (element->type_length != 0)
		put_number_field(footer, &last, 2, element->type_length);
	put_number_field(footer, &last, 3, element->repetition);
	put_text_field(footer, &last, 4, element->name);
	if (element->type < 0)
		put_number_field(footer, &last, 5, element->children);
	if (element->converted >= 0)
		put_number_field(footer, &last, 6, element->converted);
	if (element->precision > 0)
	{
		put_number_field(footer, &last, 7, element->scale);
		put_number_field(footer, &last, 8, element->precision);
	}
	put_byte(footer, 0);
}

static inline void
put_chunk(Bytes *footer, const ChunkSpec *chunk, int64_t offset)
{
	int last = 0;
	int inner = 0;

	put_field(footer, &last, 3, 12);
	put_number_field(footer, &inner, 1, chunk->type);
	if (chunk->path != NULL)
	{
		put_list_field(footer, &inner, 3, 8, 1);
		put_varint(footer, strlen(chunk->path));
		put(footer, chunk->path, strlen(chunk->path));
	}
	put_number_field(footer, &inner, 4, 0);
	put_number_field(footer, &inner, 5, chunk->value_count);
	put_number_field(footer, &inner, 6, (int64_t) chunk->pages.length);
	put_number_field(footer, &inner, 7, (int64_t) chunk->pages.length + chunk->size_lie);
	put_number_field(footer, &inner, 9, offset + (int64_t) chunk->dictionary_length);
	if (chunk->dictionary)
		put_number_field(footer, &inner, 11, offset);
	put_byte(footer, 0);
	put_byte(footer, 0);
}

static inline void
put_row_group(Bytes *footer, const FileSpec *spec, int group, const int64_t *offsets)
{
	int last = 0;

	put_list_field(footer, &last, 1, 12, (size_t) spec->chunk_count);
	for (int i = 0; i < spec->chunk_count; i++)
		put_chunk(footer, &spec->chunks[group * spec->chunk_count + i], offsets[group * spec->chunk_count + i]);
	put_number_field(footer, &last, 2, 0);
	put_number_field(footer, &last, 3, spec->rows[group]);
	put_byte(footer, 0);
}

/* The whole file; free its data. */
static inline Bytes
write_file(const FileSpec *spec)
{
	int total = spec->chunk_count * spec->group_count;
	int64_t *offsets = calloc((size_t) total + 1, sizeof(*offsets));
	Bytes file = {0};
	Bytes footer = {0};
	int last = 0;
	int64_t rows = 0;

	put(&file, "PAR1", 4);
	for (int i = 0; i < total; i++)
	{
		offsets[i] = (int64_t) file.length;
		if (spec->chunks[i].pages.length > 0)
			put(&file, spec->chunks[i].pages.data, spec->chunks[i].pages.length);
	}
	put_number_field(&footer, &last, 1, 1);
	put_list_field(&footer, &last, 2, 12, (size_t) spec->element_count);
	for (int i = 0; i < spec->element_count; i++)
		put_element(&footer, &spec->elements[i]);
	for (int i = 0; i < spec->group_count; i++)
		rows += spec->rows[i];
	put_number_field(&footer, &last, 3, rows);
	put_list_field(&footer, &last, 4, 12, (size_t) spec->group_count);
	for (int i = 0; i < spec->group_count; i++)
		put_row_group(&footer, spec, i, offsets);
	put_byte(&footer, 0);
	put(&file, footer.data, footer.length);
	put_int32(&file, (int32_t) footer.length);
	put(&file, "PAR1", 4);
	for (int i = 0; i < total; i++)
		free(spec->chunks[i].pages.data);
	free(footer.data);
	free(offsets);
	return file;
}

/* ---- reading back ---------------------------------------------------------------------- */

static inline bool
read_bytes(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	const Bytes *file = state;

	if (offset > file->length || length > file->length - offset)
		return ingest_fail(error, INGEST_ERROR_TRANSIENT, "read behind the end");
	memcpy(out, file->data + offset, length);
	return true;
}

typedef struct ReadSpec
{
	ParquetOptions options;
	const struct ArrowSchema *projection;
	int64_t first_row;
	int64_t max_rows;
	int skipped_group; /* plus one; 0: none */
} ReadSpec;

static inline bool
read_rows(ParquetReader *reader, int64_t max_rows, Buffer *out, IngestError *error)
{
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
			good = arrow_value_to_json(parquet_reader_schema(reader), &array, row, out, error) &&
				   buffer_append(out, "\n", 1, error);
		array.release(&array);
		if (!good)
			return false;
	}
}

/* The rows as JSON lines, or the error's message; the caller frees the text. */
static inline char *
read_file_as_text(Bytes *file, ReadSpec spec)
{
	ParquetInput input = {.read = read_bytes, .state = file, .size = file->length};
	ParquetFile *parquet = NULL;
	ParquetReader *reader = NULL;
	IngestError error = {0};
	Buffer out;
	bool good;

	buffer_init(&out, 1 << 24);
	good = parquet_open(&input, &spec.options, &parquet, &error) &&
		   parquet_reader_open(parquet, spec.projection, spec.first_row, &reader, &error);
	if (good && spec.skipped_group > 0)
		parquet_reader_skip_row_group(reader, spec.skipped_group - 1);
	good = good && read_rows(reader, spec.max_rows, &out, &error);
	if (!good)
	{
		out.length = 0;
		if (!buffer_printf(&out, &error, "%s", error.message))
			out.length = 0;
	}
	parquet_reader_close(reader);
	parquet_close(parquet);
	if (!buffer_append(&out, "", 1, &error))
		abort();
	return out.data;
}

static inline void
is_file(Bytes *file, ReadSpec spec, const char *expected, const char *name)
{
	char *text = read_file_as_text(file, spec);

	is_text(text, expected, name);
	free(text);
}

/* The error's message must hold "expected". */
static inline void
is_refused(Bytes *file, ReadSpec spec, const char *expected, const char *name)
{
	char *text = read_file_as_text(file, spec);

	if (!ok(strstr(text, expected) != NULL, "%s", name))
		printf("#   got      %s\n#   expected %s\n", text, expected);
	free(text);
}

#endif
