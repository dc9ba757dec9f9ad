/*-------------------------------------------------------------------------
 *
 * footer.c
 *	  FileMetaData: where it lies, and what of it is kept.
 *
 * A file ends with the footer (a thrift struct), its length in 4 bytes little-endian, and
 * "PAR1".  It is valid where
 *	1. the length fits between the leading magic and those 8 bytes,
 *	2. the list of schema elements is one whole depth-first tree,
 *	3. each row group has exactly one chunk for each leaf.
 *
 * The footer's bytes are kept as long as the file is open.  The schema is parsed at once;
 * of a row group only its row count and the place of its chunk list, because a footer may
 * describe 10^7 chunks of which a reader needs a few: footer_read_chunks parses one row
 * group's list on demand.  Condition 3 is checked there.
 *
 * Everything here is immutable after footer_read, so that threads may share it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/parquet_internal.h"

#define MAGIC_LENGTH 4
#define TAIL_LENGTH 8          /* footer length and magic */
#define FIRST_READ (64u << 10) /* usually holds the whole footer */

static bool
visit_row_group(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	RowGroup *group = state;

	if (field->id == 3)
		return thrift_integer(reader, field->type, &group->row_count, error);
	if (field->id == 1)
	{
		if (field->type != THRIFT_LIST)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunks are not a list");
		group->columns = reader->position;
	}
	return thrift_skip(reader, field->type, error);
}

static bool
parse_row_group(ThriftReader *reader, uint8_t type, RowGroup *group, IngestError *error)
{
	if (!thrift_struct_value(reader, type, visit_row_group, group, error))
		return false;
	if (group->columns == NULL || group->row_count < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "no column chunks, or a negative row count");
	return true;
}

static bool
parse_row_groups(ParquetFile *file, ThriftReader *reader, uint8_t type, IngestError *error)
{
	uint8_t element;
	uint32_t count;
	int64_t rows = 0;

	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	file->row_groups = arena_alloc_array(&file->arena, count ? count : 1, sizeof(RowGroup));
	if (file->row_groups == NULL)
		return ingest_out_of_memory(error);
	file->row_group_count = (int32_t) count;
	for (uint32_t i = 0; i < count; i++)
	{
		RowGroup *group = &file->row_groups[i];

		if (!parse_row_group(reader, element, group, error))
			return ingest_context(error, "row group %u", i);
		group->first_row = rows;
		if (__builtin_add_overflow(rows, group->row_count, &rows))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "row group %u: row count out of range", i);
	}
	file->row_count = rows;
	return true;
}

typedef struct PairTarget
{
	ParquetFile *file;
	MetadataPair *pair;
} PairTarget;

static bool
visit_metadata_pair(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	const PairTarget *target = state;
	const char **text = field->id == 1 ? &target->pair->key : &target->pair->value;
	Span span;

	/* values that are no texts, as some writers have them, are nothing that is asked for here */
	if ((field->id != 1 && field->id != 2) || field->type != THRIFT_BINARY)
		return thrift_skip(reader, field->type, error);
	if (!thrift_binary(reader, field->type, &span, error))
		return false;
	*text = arena_copy(&target->file->arena, span.data, span.length);
	return *text != NULL || ingest_out_of_memory(error);
}

static bool
parse_metadata(ParquetFile *file, ThriftReader *reader, uint8_t type, IngestError *error)
{
	uint8_t element;
	uint32_t count;

	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	file->metadata = arena_alloc_array(&file->arena, count ? count : 1, sizeof(MetadataPair));
	if (file->metadata == NULL)
		return ingest_out_of_memory(error);
	for (uint32_t i = 0; i < count; i++)
	{
		PairTarget target = {file, &file->metadata[i]};

		if (!thrift_struct_value(reader, element, visit_metadata_pair, &target, error))
			return false;
		file->metadata_count = (int32_t) i + 1;
	}
	return true;
}

static bool
visit_file(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	ParquetFile *file = state;
	Span text;

	switch (field->id)
	{
		case 2:
			return footer_parse_schema(file, reader, field->type, error);
		case 4:
			return parse_row_groups(file, reader, field->type, error);
		case 5:
			return parse_metadata(file, reader, field->type, error);
		case 6:
			if (!thrift_binary(reader, field->type, &text, error))
				return false;
			file->created_by = arena_copy(&file->arena, text.data, text.length);
			return file->created_by != NULL || ingest_out_of_memory(error);
		case 8:
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "file is encrypted");
		default:
			return thrift_skip(reader, field->type, error);
	}
}

static bool
parse_footer(ParquetFile *file, IngestError *error)
{
	ThriftReader reader;

	thrift_init(&reader, file->footer, file->footer_length);
	if (!thrift_struct(&reader, visit_file, file, error))
		return false;
	return file->nodes != NULL || ingest_fail(error, INGEST_ERROR_CORRUPT, "file has no schema");
}

/* Check the tail and find out where the footer lies. */
static bool
locate_footer(ParquetFile *file, const uint8_t *tail, IngestError *error)
{
	uint32_t length = load_uint32(tail);

	if (memcmp(tail + 4, "PARE", MAGIC_LENGTH) == 0)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "file is encrypted");
	if (memcmp(tail + 4, "PAR1", MAGIC_LENGTH) != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "not a Parquet file: it does not end with PAR1");
	if (length > file->input.size - TAIL_LENGTH - MAGIC_LENGTH)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "footer of %u bytes does not fit into the file", length);
	if (length > file->options.max_footer_size)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "footer of %u bytes is above the limit of %zu", length,
						   file->options.max_footer_size);
	file->footer_length = length;
	file->footer_offset = file->input.size - TAIL_LENGTH - length;
	return true;
}

/*
 * Read and parse the footer into a file whose "input" and "options" are set.  Fails with CORRUPT, LIMIT,
 * UNSUPPORTED (encrypted), or what the input's read gives.
 */
bool
footer_read(ParquetFile *file, IngestError *error)
{
	uint64_t size = file->input.size;
	size_t first = size < FIRST_READ ? (size_t) size : FIRST_READ;
	uint8_t *tail;

	if (size < TAIL_LENGTH + MAGIC_LENGTH)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "not a Parquet file: it has only %llu bytes",
						   (unsigned long long) size);
	tail = malloc(first);
	if (tail == NULL)
		return ingest_out_of_memory(error);
	if (!file->input.read(file->input.state, size - first, first, tail, error) ||
		!locate_footer(file, tail + first - TAIL_LENGTH, error))
	{
		free(tail);
		return false;
	}
	file->footer = malloc(file->footer_length ? file->footer_length : 1);
	if (file->footer == NULL)
	{
		free(tail);
		return ingest_out_of_memory(error);
	}
	if (file->footer_length <= first - TAIL_LENGTH)
	{
		memcpy(file->footer, tail + first - TAIL_LENGTH - file->footer_length, file->footer_length);
		free(tail);
	}
	else
	{
		free(tail);
		if (!file->input.read(file->input.state, file->footer_offset, file->footer_length, file->footer, error))
			return false;
	}
	if (!parse_footer(file, error))
		return ingest_context(error, "footer");
	return true;
}
