/*-------------------------------------------------------------------------
 *
 * footer.c
 *	  FileMetaData, the column chunks of a row group, and page headers.
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
#define TAIL_LENGTH 8               /* footer length and magic */
#define FIRST_READ (64u << 10)      /* usually holds the whole footer */
#define DICTIONARY_HEADER_SLACK 100 /* early parquet-mr left the dictionary header out of the chunk's size */

/* ---- schema elements ------------------------------------------------------------ */

static bool
parse_time_unit(ThriftReader *reader, uint8_t type, TimeUnit *unit, IngestError *error)
{
	ThriftField field = {0};

	if (!thrift_expect_struct(reader, type, error))
		return false;
	while (thrift_next_field(reader, &field, error))
	{
		if (field.type == THRIFT_STOP)
			return true;
		if (field.id >= 1 && field.id <= 3)
			*unit = (TimeUnit) field.id;
		if (!thrift_skip(reader, field.type, error))
			return false;
	}
	return false;
}

/* The members of one LogicalType alternative: DECIMAL, TIME, TIMESTAMP and INTEGER have some that matter. */
static bool
parse_logical_member(ThriftReader *reader, SchemaNode *node, ThriftField *field, IngestError *error)
{
	switch (node->logical)
	{
		case LOGICAL_DECIMAL:
			if (field->id == 1)
				return thrift_int32(reader, field->type, &node->scale, error);
			if (field->id == 2)
				return thrift_int32(reader, field->type, &node->precision, error);
			break;
		case LOGICAL_TIME:
		case LOGICAL_TIMESTAMP:
			if (field->id == 1)
				return thrift_boolean(reader, field->type, &node->utc, error);
			if (field->id == 2)
				return parse_time_unit(reader, field->type, &node->unit, error);
			break;
		case LOGICAL_INTEGER:
			if (field->id == 1)
				return thrift_int32(reader, field->type, &node->integer_width, error);
			if (field->id == 2)
				return thrift_boolean(reader, field->type, &node->integer_signed, error);
			break;
		default:
			break;
	}
	return thrift_skip(reader, field->type, error);
}

static bool
parse_logical_type(ThriftReader *reader, uint8_t type, SchemaNode *node, IngestError *error)
{
	ThriftField alternative = {0};

	if (!thrift_expect_struct(reader, type, error))
		return false;
	while (thrift_next_field(reader, &alternative, error))
	{
		ThriftField field = {0};

		if (alternative.type == THRIFT_STOP)
			return true;
		node->logical = (LogicalType) alternative.id;
		node->has_logical = true;
		if (!thrift_expect_struct(reader, alternative.type, error))
			return false;
		do
		{
			if (!thrift_next_field(reader, &field, error))
				return false;
			if (field.type != THRIFT_STOP && !parse_logical_member(reader, node, &field, error))
				return false;
		} while (field.type != THRIFT_STOP);
	}
	return false;
}

static bool
parse_physical_type(ThriftReader *reader, uint8_t type, PhysicalType *out, IngestError *error)
{
	int32_t number;

	if (!thrift_int32(reader, type, &number, error))
		return false;
	if (number < 0 || number >= PHYSICAL_NONE)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "unknown physical type %d", number);
	*out = (PhysicalType) number;
	return true;
}

static bool
parse_schema_field(ParquetFile *file, ThriftReader *reader, SchemaNode *node, const ThriftField *field,
				   IngestError *error)
{
	int32_t number;
	Span name;

	switch (field->id)
	{
		case 1:
			return parse_physical_type(reader, field->type, &node->type, error);
		case 2:
			return thrift_int32(reader, field->type, &node->type_length, error);
		case 3:
			if (!thrift_int32(reader, field->type, &number, error))
				return false;
			node->repetition = (Repetition) number;
			return true;
		case 4:
			if (!thrift_binary(reader, field->type, &name, error))
				return false;
			if (!utf8_is_valid(name.data, name.length) || memchr(name.data, 0, name.length) != NULL)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element with a name that is no text");
			node->name = arena_copy(&file->arena, name.data, name.length);
			return node->name != NULL || ingest_out_of_memory(error);
		case 5:
			return thrift_int32(reader, field->type, &node->child_count, error);
		case 6:
			if (!thrift_int32(reader, field->type, &number, error))
				return false;
			node->converted = (ConvertedType) number;
			return true;
		case 7:
			return thrift_int32(reader, field->type, &node->scale, error);
		case 8:
			return thrift_int32(reader, field->type, &node->precision, error);
		case 9:
			node->has_field_id = true;
			return thrift_int32(reader, field->type, &node->field_id, error);
		case 10:
			return parse_logical_type(reader, field->type, node, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

static bool
parse_schema_element(ParquetFile *file, ThriftReader *reader, SchemaNode *node, IngestError *error)
{
	ThriftField field = {0};

	memset(node, 0, sizeof(*node));
	node->type = PHYSICAL_NONE;
	node->converted = CONVERTED_NONE;
	node->leaf = -1;
	while (thrift_next_field(reader, &field, error))
	{
		if (field.type == THRIFT_STOP)
		{
			if (node->name == NULL)
				node->name = "";
			if (node->child_count > 0)
				node->type = PHYSICAL_NONE;
			return true;
		}
		if (!parse_schema_field(file, reader, node, &field, error))
			return false;
	}
	return false;
}

/* Give "node" its place below "parent": levels and the ordinal of a leaf. */
static bool
place_node(ParquetFile *file, SchemaNode *node, int32_t parent, int depth, IngestError *error)
{
	const SchemaNode *above = &file->nodes[parent];

	if (depth > PARQUET_MAX_DEPTH)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "schema is nested more than %d deep at \"%s\"", PARQUET_MAX_DEPTH,
						   node->name);
	if (node->repetition < REPETITION_REQUIRED || node->repetition > REPETITION_REPEATED)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" has an unknown repetition", node->name);
	if (node->child_count < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" has %d children", node->name,
						   node->child_count);
	node->parent = parent;
	node->definition = above->definition + (node->repetition != REPETITION_REQUIRED);
	node->repetition_level = above->repetition_level + (node->repetition == REPETITION_REPEATED);
	if (node->type != PHYSICAL_NONE)
	{
		node->leaf = file->leaf_count++;
		file->leaves[node->leaf] = node;
	}
	return true;
}

/* Depth-first list -> tree.  The stack holds the open groups and how many children each still lacks. */
static bool
link_schema(ParquetFile *file, IngestError *error)
{
	int32_t open[PARQUET_MAX_DEPTH + 1];
	int32_t lacking[PARQUET_MAX_DEPTH + 1];
	int depth = 0;

	if (file->node_count == 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "file has no schema");
	file->nodes[0].parent = -1;
	file->nodes[0].type = PHYSICAL_NONE;
	if (file->nodes[0].child_count < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema root has a negative number of children");
	open[0] = 0;
	lacking[0] = file->nodes[0].child_count;
	for (int32_t i = 1; i < file->node_count; i++)
	{
		SchemaNode *node = &file->nodes[i];

		while (depth >= 0 && lacking[depth] == 0)
			file->nodes[open[depth--]].next_sibling = i;
		if (depth < 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema has elements behind the end of its tree");
		lacking[depth]--;
		if (!place_node(file, node, open[depth], depth + 1, error))
			return false;
		if (node->type != PHYSICAL_NONE)
		{
			node->next_sibling = i + 1;
			continue;
		}
		depth++;
		open[depth] = i;
		lacking[depth] = node->child_count;
	}
	while (depth >= 0 && lacking[depth] == 0)
		file->nodes[open[depth--]].next_sibling = file->node_count;
	if (depth >= 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "schema element \"%s\" lacks children",
						   file->nodes[open[depth]].name);
	return true;
}

static bool
parse_schema(ParquetFile *file, ThriftReader *reader, uint8_t type, IngestError *error)
{
	uint8_t element;
	uint32_t count;

	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	file->nodes = arena_alloc_array(&file->arena, count ? count : 1, sizeof(SchemaNode));
	if (file->nodes == NULL)
		return ingest_out_of_memory(error);
	file->leaves = arena_alloc_array(&file->arena, count ? count : 1, sizeof(SchemaNode *));
	if (file->leaves == NULL)
		return ingest_out_of_memory(error);
	file->node_count = (int32_t) count;
	file->leaf_count = 0;
	for (uint32_t i = 0; i < count; i++)
	{
		if (!thrift_expect_struct(reader, element, error) ||
			!parse_schema_element(file, reader, &file->nodes[i], error))
			return false;
	}
	return link_schema(file, error);
}

/* ---- row groups and metadata --------------------------------------------------------- */

static bool
parse_row_group(ThriftReader *reader, RowGroup *group, IngestError *error)
{
	ThriftField field = {0};

	while (thrift_next_field(reader, &field, error))
	{
		if (field.type == THRIFT_STOP)
		{
			if (group->columns == NULL || group->row_count < 0)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "no column chunks, or a negative row count");
			return true;
		}
		if (field.id == 3)
		{
			if (!thrift_integer(reader, field.type, &group->row_count, error))
				return false;
			continue;
		}
		if (field.id == 1)
		{
			if (field.type != THRIFT_LIST)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunks are not a list");
			group->columns = reader->position;
		}
		if (!thrift_skip(reader, field.type, error))
			return false;
	}
	return false;
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

		if (!thrift_expect_struct(reader, element, error) || !parse_row_group(reader, group, error))
			return ingest_context(error, "row group %u", i);
		group->first_row = rows;
		if (__builtin_add_overflow(rows, group->row_count, &rows))
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "row group %u: row count out of range", i);
	}
	file->row_count = rows;
	return true;
}

static bool
parse_metadata_pair(ParquetFile *file, ThriftReader *reader, MetadataPair *pair, IngestError *error)
{
	ThriftField field = {0};

	while (thrift_next_field(reader, &field, error))
	{
		const char **target = field.id == 1 ? &pair->key : &pair->value;
		Span text;

		if (field.type == THRIFT_STOP)
			return true;
		/* values that are no texts, as some writers have them, are nothing that is asked for here */
		if ((field.id != 1 && field.id != 2) || field.type != THRIFT_BINARY)
		{
			if (!thrift_skip(reader, field.type, error))
				return false;
			continue;
		}
		if (!thrift_binary(reader, field.type, &text, error))
			return false;
		*target = arena_copy(&file->arena, text.data, text.length);
		if (*target == NULL)
			return ingest_out_of_memory(error);
	}
	return false;
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
		if (!thrift_expect_struct(reader, element, error) ||
			!parse_metadata_pair(file, reader, &file->metadata[i], error))
			return false;
		file->metadata_count = (int32_t) i + 1;
	}
	return true;
}

static bool
parse_file_field(ParquetFile *file, ThriftReader *reader, const ThriftField *field, IngestError *error)
{
	Span text;

	switch (field->id)
	{
		case 2:
			return parse_schema(file, reader, field->type, error);
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
	ThriftField field = {0};

	thrift_init(&reader, file->footer, file->footer_length);
	while (thrift_next_field(&reader, &field, error))
	{
		if (field.type == THRIFT_STOP)
		{
			if (file->nodes == NULL)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "file has no schema");
			return true;
		}
		if (!parse_file_field(file, &reader, &field, error))
			return false;
	}
	return false;
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

/* ---- column chunks ------------------------------------------------------------------- */

typedef struct ChunkOffsets
{
	int64_t data_page;
	int64_t dictionary_page;
	int64_t compressed_size;
	bool has_metadata;
} ChunkOffsets;

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
parse_chunk_metadata(const ParquetFile *file, ThriftReader *reader, const SchemaNode *leaf, ColumnChunk *chunk,
					 ChunkOffsets *offsets, IngestError *error)
{
	ThriftField field = {0};
	int32_t codec;

	offsets->has_metadata = true;
	while (thrift_next_field(reader, &field, error))
	{
		bool good;

		switch (field.id)
		{
			case 1:
				good = parse_physical_type(reader, field.type, &chunk->type, error);
				break;
			case 3:
				good = check_path(file, reader, field.type, leaf, error);
				break;
			case 4:
				good = thrift_int32(reader, field.type, &codec, error);
				chunk->codec = good ? (ParquetCodec) codec : CODEC_NONE;
				break;
			case 5:
				good = thrift_integer(reader, field.type, &chunk->value_count, error);
				break;
			case 7:
				good = thrift_integer(reader, field.type, &offsets->compressed_size, error);
				break;
			case 9:
				good = thrift_integer(reader, field.type, &offsets->data_page, error);
				break;
			case 11:
				good = thrift_integer(reader, field.type, &offsets->dictionary_page, error);
				break;
			default:
				if (field.type == THRIFT_STOP)
					return true;
				good = thrift_skip(reader, field.type, error);
		}
		if (!good)
			return false;
	}
	return false;
}

static bool
parse_chunk(const ParquetFile *file, ThriftReader *reader, const SchemaNode *leaf, ColumnChunk *chunk,
			ChunkOffsets *offsets, IngestError *error)
{
	ThriftField field = {0};

	while (thrift_next_field(reader, &field, error))
	{
		Span path;
		bool good = true;

		switch (field.id)
		{
			case 1:
				good = thrift_binary(reader, field.type, &path, error);
				if (good && path.length > 0)
					return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "its data are in another file");
				break;
			case 3:
				good = thrift_expect_struct(reader, field.type, error) &&
					   parse_chunk_metadata(file, reader, leaf, chunk, offsets, error);
				break;
			case 8:
			case 9:
				return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "it is encrypted");
			default:
				if (field.type == THRIFT_STOP)
					return true;
				good = thrift_skip(reader, field.type, error);
		}
		if (!good)
			return false;
	}
	return false;
}

/* Where the chunk's pages lie; every number is the file's claim. */
static bool
check_chunk(const ParquetFile *file, ColumnChunk *chunk, const ChunkOffsets *offsets, IngestError *error)
{
	int64_t start = offsets->data_page;
	uint64_t slack = 0;

	if (!offsets->has_metadata)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "it has no metadata");
	if (chunk->value_count < 0 || offsets->compressed_size < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "negative value count or size");
	if (offsets->dictionary_page > 0 && offsets->dictionary_page < offsets->data_page)
	{
		start = offsets->dictionary_page;
		chunk->has_dictionary = true;
		if (file->created_by == NULL || strncmp(file->created_by, "parquet-mr", 10) == 0)
			slack = DICTIONARY_HEADER_SLACK;
	}
	if (start < MAGIC_LENGTH || (uint64_t) start > file->footer_offset ||
		(uint64_t) offsets->compressed_size > file->footer_offset - (uint64_t) start)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "%lld bytes at offset %lld do not lie in the file",
						   (long long) offsets->compressed_size, (long long) start);
	chunk->start = (uint64_t) start;
	chunk->end = chunk->start + (uint64_t) offsets->compressed_size;
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
		ColumnChunk chunk = {.present = true, .type = PHYSICAL_NONE};
		ChunkOffsets offsets = {0};

		if ((int32_t) i != leaves[wanted])
		{
			if (!thrift_skip(&reader, element, error))
				return ingest_context(error, "row group %d", row_group);
			continue;
		}
		if (!thrift_expect_struct(&reader, element, error) ||
			!parse_chunk(file, &reader, file->leaves[i], &chunk, &offsets, error) ||
			(group->row_count > 0 && !check_chunk(file, &chunk, &offsets, error)))
			return ingest_context(error, "row group %d, column chunk %u", row_group, i);
		out[wanted++] = chunk;
	}
	return true;
}

/* ---- page headers -------------------------------------------------------------------- */

/* v1: 1 count, 2 encoding, 3 definition, 4 repetition; dictionary: 1 count, 2 encoding. */
static bool
parse_data_page(ThriftReader *reader, uint8_t type, PageHeader *header, IngestError *error)
{
	ThriftField field = {0};

	if (!thrift_expect_struct(reader, type, error))
		return false;
	while (thrift_next_field(reader, &field, error))
	{
		int32_t *targets[] = {&header->value_count, &header->encoding, &header->definition_encoding,
							  &header->repetition_encoding};
		bool known = field.id >= 1 && field.id <= (header->type == PAGE_DICTIONARY ? 2 : 4);

		if (field.type == THRIFT_STOP)
			return true;
		if (!(known ? thrift_int32(reader, field.type, targets[field.id - 1], error)
					: thrift_skip(reader, field.type, error)))
			return false;
	}
	return false;
}

static bool
parse_data_page_v2(ThriftReader *reader, uint8_t type, PageHeader *header, IngestError *error)
{
	ThriftField field = {0};
	int32_t null_count;

	if (!thrift_expect_struct(reader, type, error))
		return false;
	while (thrift_next_field(reader, &field, error))
	{
		int32_t *targets[] = {&header->value_count,       &null_count,
							  &header->row_count,         &header->encoding,
							  &header->definition_length, &header->repetition_length};
		bool good;

		if (field.type == THRIFT_STOP)
			return true;
		if (field.id >= 1 && field.id <= 6)
			good = thrift_int32(reader, field.type, targets[field.id - 1], error);
		else if (field.id == 7)
			good = thrift_boolean(reader, field.type, &header->is_compressed, error);
		else
			good = thrift_skip(reader, field.type, error);
		if (!good)
			return false;
	}
	return false;
}

static bool
parse_page_field(ThriftReader *reader, const ThriftField *field, PageHeader *header, IngestError *error)
{
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
			return parse_data_page(reader, field->type, header, error);
		case 7:
			header->type = PAGE_DICTIONARY;
			return parse_data_page(reader, field->type, header, error);
		case 8:
			return parse_data_page_v2(reader, field->type, header, error);
		default:
			return thrift_skip(reader, field->type, error);
	}
}

bool
footer_parse_page_header(ThriftReader *reader, PageHeader *header, IngestError *error)
{
	ThriftField field = {0};

	*header = (PageHeader){.uncompressed_size = -1,
						   .compressed_size = -1,
						   .value_count = -1,
						   .encoding = -1,
						   .definition_encoding = ENCODING_RLE,
						   .repetition_encoding = ENCODING_RLE,
						   .row_count = -1,
						   .is_compressed = true};
	while (thrift_next_field(reader, &field, error))
	{
		if (field.type == THRIFT_STOP)
		{
			if (header->uncompressed_size < 0 || header->compressed_size < 0)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "page header with a missing or negative size");
			return true;
		}
		if (!parse_page_field(reader, &field, header, error))
			return false;
	}
	return false;
}
