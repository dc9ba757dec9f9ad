/*-------------------------------------------------------------------------
 *
 * footer_chunk.c
 *	  The column chunks of a row group, and the headers of their pages.
 *
 * A row group is valid where it has exactly one chunk for each leaf, in the order of the leaves; the chunk's path, where
 * there is one, must say the same.  A chunk is valid where its pages lie between the leading magic and the footer.  Its
 * pages start at the dictionary page's offset where that is set and lies in front of the data page's; 0 and offsets
 * behind it count as not set, because writers left them so.
 *
 * Nothing of a page header is checked here but that both sizes are there: what they mean is page.c's business.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/parquet_internal.h"

#define FIRST_OFFSET 4              /* behind the leading magic */
#define DICTIONARY_HEADER_SLACK 100 /* early parquet-mr left the dictionary header out of the chunk's size */

/* A chunk being parsed: what it claims about its place, not yet checked. */
typedef struct ChunkTarget
{
	const ParquetFile *file;
	const SchemaNode *leaf;
	ColumnChunk chunk;
	int64_t data_page;
	int64_t dictionary_page;
	int64_t compressed_size;
	bool has_metadata;
} ChunkTarget;

/* Chunks go by their place; a path that says otherwise means that one of the two is wrong. */
static bool
check_path(const ParquetFile *file, ThriftReader *reader, uint8_t type, const SchemaNode *leaf, IngestError *error)
{
	const SchemaNode *path[PARQUET_MAX_DEPTH + 1];
	uint32_t depth = 0;
	uint8_t element;
	uint32_t count;

	for (const SchemaNode *node = leaf; node->parent >= 0; node = &file->nodes[node->parent])
		path[depth++] = node;
	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	for (uint32_t i = 0; i < count; i++)
	{
		Span name;

		if (!thrift_binary(reader, element, &name, error))
			return false;
		if (count != depth || !span_equals(name, path[depth - 1 - i]->name))
			return ingest_fail(error, INGEST_ERROR_CORRUPT,
							   "it is at the place of column \"%s\" but is called otherwise", leaf->name);
	}
	return true;
}

static bool
visit_chunk_metadata(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	ChunkTarget *target = state;
	int32_t codec;

	switch (field->id)
	{
		case 1:
			return footer_parse_physical_type(reader, field->type, &target->chunk.type, error);
		case 3:
			return check_path(target->file, reader, field->type, target->leaf, error);
		case 4:
			if (!thrift_int32(reader, field->type, &codec, error))
				return false;
			target->chunk.codec = (ParquetCodec) codec;
			return true;
		case 5:
			return thrift_integer(reader, field->type, &target->chunk.value_count, error);
		case 7:
			return thrift_integer(reader, field->type, &target->compressed_size, error);
		case 9:
			return thrift_integer(reader, field->type, &target->data_page, error);
		case 11:
			return thrift_integer(reader, field->type, &target->dictionary_page, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

static bool
visit_chunk(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	ChunkTarget *target = state;
	Span path;

	switch (field->id)
	{
		case 1:
			if (!thrift_binary(reader, field->type, &path, error))
				return false;
			return path.length == 0 || ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "its data are in another file");
		case 3:
			target->has_metadata = true;
			return thrift_struct_value(reader, field->type, visit_chunk_metadata, target, error);
		case 8:
		case 9:
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "it is encrypted");
		default:
			return thrift_skip(reader, field->type, error);
	}
}

/* Where the chunk's pages lie; every number is the file's claim. */
static bool
check_chunk(ChunkTarget *target, IngestError *error)
{
	const ParquetFile *file = target->file;
	ColumnChunk *chunk = &target->chunk;
	int64_t start = target->data_page;
	uint64_t slack = 0;

	if (!target->has_metadata)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "it has no metadata");
	if (chunk->value_count < 0 || target->compressed_size < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "negative value count or size");
	if (target->dictionary_page > 0 && target->dictionary_page < target->data_page)
	{
		start = target->dictionary_page;
		chunk->has_dictionary = true;
		if (file->created_by == NULL || strncmp(file->created_by, "parquet-mr", 10) == 0)
			slack = DICTIONARY_HEADER_SLACK;
	}
	if (start < FIRST_OFFSET || (uint64_t) start > file->footer_offset ||
		(uint64_t) target->compressed_size > file->footer_offset - (uint64_t) start)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "%lld bytes at offset %lld do not lie in the file",
						   (long long) target->compressed_size, (long long) start);
	chunk->start = (uint64_t) start;
	chunk->end = chunk->start + (uint64_t) target->compressed_size;
	chunk->end += slack < file->footer_offset - chunk->end ? slack : file->footer_offset - chunk->end;
	return true;
}

/*
 * Parse the chunks of the leaves asked for; out[i] belongs to leaves[i].  Of a row group without rows nothing is
 * checked, because writers leave garbage there.
 */
bool
footer_read_chunks(const ParquetFile *file, int row_group, const int32_t *leaves, int32_t leaf_count, ColumnChunk *out,
				   IngestError *error)
{
	const RowGroup *group = &file->row_groups[row_group];
	ThriftReader reader;
	uint8_t element;
	uint32_t count;
	int32_t wanted = 0;

	thrift_init(&reader, group->columns, file->footer_length - (size_t) (group->columns - file->footer));
	if (!thrift_list(&reader, THRIFT_LIST, &element, &count, error))
		return ingest_context(error, "row group %d", row_group);
	if (count != (uint32_t) file->leaf_count)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "row group %d: %u column chunks for %d columns", row_group,
						   count, file->leaf_count);
	for (uint32_t i = 0; i < count && wanted < leaf_count; i++)
	{
		ChunkTarget target = {.file = file, .leaf = file->leaves[i], .chunk = {.type = PHYSICAL_NONE}};

		if ((int32_t) i != leaves[wanted])
		{
			if (!thrift_skip(&reader, element, error))
				return ingest_context(error, "row group %d", row_group);
			continue;
		}
		if (!thrift_struct_value(&reader, element, visit_chunk, &target, error) ||
			(group->row_count > 0 && !check_chunk(&target, error)))
			return ingest_context(error, "row group %d, column chunk %u", row_group, i);
		out[wanted++] = target.chunk;
	}
	return true;
}

/* ---- page headers -------------------------------------------------------------------- */

/* v1: 1 count, 2 encoding, 3 definition, 4 repetition; dictionary: 1 count, 2 encoding. */
static bool
visit_data_page(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	PageHeader *header = state;
	int32_t *targets[] = {&header->value_count, &header->encoding, &header->definition_encoding,
						  &header->repetition_encoding};

	if (field->id < 1 || field->id > (header->type == PAGE_DICTIONARY ? 2 : 4))
		return thrift_skip(reader, field->type, error);
	return thrift_int32(reader, field->type, targets[field->id - 1], error);
}

/* The number of nulls and of rows is not believed: levels tell them. */
static bool
visit_data_page_v2(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	PageHeader *header = state;

	switch (field->id)
	{
		case 1:
			return thrift_int32(reader, field->type, &header->value_count, error);
		case 4:
			return thrift_int32(reader, field->type, &header->encoding, error);
		case 5:
			return thrift_int32(reader, field->type, &header->definition_length, error);
		case 6:
			return thrift_int32(reader, field->type, &header->repetition_length, error);
		case 7:
			return thrift_boolean(reader, field->type, &header->is_compressed, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

static bool
visit_page(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	PageHeader *header = state;
	int32_t number;
	int64_t checksum;

	switch (field->id)
	{
		case 1:
			if (!thrift_int32(reader, field->type, &number, error))
				return false;
			header->type = (PageType) number;
			return true;
		case 2:
			return thrift_int32(reader, field->type, &header->uncompressed_size, error);
		case 3:
			return thrift_int32(reader, field->type, &header->compressed_size, error);
		case 4:
			if (!thrift_integer(reader, field->type, &checksum, error))
				return false;
			header->has_checksum = true;
			header->checksum = (uint32_t) checksum;
			return true;
		case 5:
			return thrift_struct_value(reader, field->type, visit_data_page, header, error);
		case 7:
			header->type = PAGE_DICTIONARY;
			return thrift_struct_value(reader, field->type, visit_data_page, header, error);
		case 8:
			return thrift_struct_value(reader, field->type, visit_data_page_v2, header, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

bool
footer_parse_page_header(ThriftReader *reader, PageHeader *header, IngestError *error)
{
	*header = (PageHeader){.uncompressed_size = -1,
						   .compressed_size = -1,
						   .value_count = -1,
						   .encoding = -1,
						   .definition_encoding = ENCODING_RLE,
						   .repetition_encoding = ENCODING_RLE,
						   .is_compressed = true};
	if (!thrift_struct(reader, visit_page, header, error))
		return false;
	if (header->uncompressed_size < 0 || header->compressed_size < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "page header with a missing or negative size");
	return true;
}
