/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  The room's door: files, and readers of their rows.
 *
 * A reader walks over the row groups.  In each it has one LeafReader for each leaf of its projection, which all stand at
 * the same row between two calls, except for rows that some of them decoded and the last batch did not take; those wait
 * in the leaf's batch.
 *
 * A batch ends at 8,192 rows, at the row group's end, or where the columns together took batch_size: each leaf is asked for as
 * many rows as the shortest before it has, within the bytes that are left (or its share of them), and the array gets the
 * rows that all have.
 *
 * Memory: a window and a page buffer for each leaf.  The windows share a quarter of the byte budget between them; where windows
 * and pages pass four budgets all the same (hundreds of columns, large pages), pages are suspended between two batches.  So
 * a reader usually takes its budget and a batch, and never more than four, one page, the dictionaries and a batch.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "parquet/arrow_build.h"
#include "parquet/parquet_internal.h"

#define SMALLEST_WINDOW (64u << 10)
#define LARGEST_WINDOW (4u << 20)
#define OPEN_PAGES 4 /* budgets that open pages may take before some are suspended: reading twice costs more */
#define ARENA_BASE (64u << 20)
#define ARENA_PER_FOOTER_BYTE 32

struct ParquetReader
{
	const ParquetFile *file;
	Arena arena;
	ParquetField *root;
	struct ArrowSchema schema;
	int32_t leaf_count;
	LeafReader **leaves;
	Workspace workspace;
	LeafBatch *batches;  /* of the array being made */
	int32_t *sorted;     /* the leaves by their ordinal in the file */
	int32_t *ordinals;   /* in that order */
	ColumnChunk *chunks; /* in that order */
	SharedRange *ranges; /* of this row group */
	int32_t *range_of;   /* by chunk */
	int32_t range_count;
	int32_t announced;    /* row groups up to here were announced to the input */
	bool *skipped;        /* by row group */
	int32_t row_group;    /* the one being read, -1 before the first */
	int64_t row_position; /* in the file, of the next row */
	int64_t rows_left;    /* of the row group */
	int64_t rows_to_skip; /* at the start of the next row group to be read */
	int64_t bytes_per_row;
};

/* A leaf that is read for its levels only. */
static const LeafType levels_only = {.physical = PHYSICAL_NONE, .layout = LAYOUT_NULL, .format = "n"};

/* ---- files ------------------------------------------------------------------------- */

static void
set_default(size_t *value, size_t standard)
{
	if (*value == 0)
		*value = standard;
}

static bool
load_file(ParquetFile *file, IngestError *error)
{
	return footer_read(file, error) && schema_build_fields(file, &file->root, error) &&
		   schema_to_arrow(file->root, &file->schema, error);
}

bool
parquet_open(const ParquetInput *input, const ParquetOptions *options, ParquetFile **out, IngestError *error)
{
	ParquetFile *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return ingest_out_of_memory(error);
	file->input = *input;
	if (options != NULL)
		file->options = *options;
	set_default(&file->options.byte_budget, PARQUET_DEFAULT_BUDGET);
	set_default(&file->options.batch_size, PARQUET_DEFAULT_BATCH);
	set_default(&file->options.max_page_size, PARQUET_DEFAULT_MAX_PAGE);
	set_default(&file->options.max_footer_size, PARQUET_DEFAULT_MAX_FOOTER);
	/* what is parsed takes more room than its bytes, but not without bounds */
	arena_init(&file->arena, ARENA_BASE + ARENA_PER_FOOTER_BYTE * (size_t) (input->size < file->options.max_footer_size
																				? input->size
																				: file->options.max_footer_size));
	if (!load_file(file, error))
	{
		parquet_close(file);
		return false;
	}
	*out = file;
	return true;
}

/* No reader of the file may be left; null is allowed. */
void
parquet_close(ParquetFile *file)
{
	if (file == NULL)
		return;
	if (file->schema.release != NULL)
		file->schema.release(&file->schema);
	arena_release(&file->arena);
	free(file->footer);
	free(file);
}

int64_t
parquet_row_count(const ParquetFile *file)
{
	return file->row_count;
}

int
parquet_row_group_count(const ParquetFile *file)
{
	return file->row_group_count;
}

int64_t
parquet_row_group_rows(const ParquetFile *file, int row_group)
{
	return file->row_groups[row_group].row_count;
}

const char *
parquet_metadata_value(const ParquetFile *file, const char *key)
{
	for (int32_t i = 0; i < file->metadata_count; i++)
	{
		if (file->metadata[i].key != NULL && strcmp(file->metadata[i].key, key) == 0)
			return file->metadata[i].value;
	}
	return NULL;
}

const struct ArrowSchema *
parquet_schema(const ParquetFile *file)
{
	return &file->schema;
}

/* ---- opening a reader ------------------------------------------------------------------ */

/* The first leaf below a group of the file, or null. */
static const SchemaNode *
first_leaf_below(const SchemaNode *node)
{
	const SchemaNode *child = node;

	if (node->child_count == 0)
		return NULL;
	do
		child++;
	while (child->type == PHYSICAL_NONE && child->child_count > 0);
	return child->type == PHYSICAL_NONE ? NULL : child;
}

static int32_t
count_leaves(const ParquetField *field)
{
	int32_t count = field->kind == FIELD_LEAF || field->child_count == 0;

	for (int32_t i = 0; i < field->child_count; i++)
		count += count_leaves(field->children[i]);
	return count;
}

static bool
add_leaf(ParquetReader *reader, const SchemaNode *node, const LeafType *type, bool keep_dictionary, IngestError *error)
{
	LeafReader *leaf = malloc(sizeof(*leaf));

	if (leaf == NULL)
		return ingest_out_of_memory(error);
	leaf_reader_init(leaf, reader->file, node, type, keep_dictionary, &reader->workspace);
	reader->leaves[reader->leaf_count++] = leaf;
	return true;
}

/* Give each leaf of the projection its reader, and each field the range of leaves below it. */
static bool
add_leaves(ParquetReader *reader, ParquetField *field, bool is_root, IngestError *error)
{
	const SchemaNode *carrier;

	field->first_leaf = reader->leaf_count;
	if (field->kind == FIELD_LEAF)
	{
		if (field->leaf->problem != NULL)
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "column \"%s\": %s", field->name, field->leaf->problem);
		field->dictionary = reader->file->options.keep_dictionary && field->leaf->layout == LAYOUT_VARIABLE &&
							field->node->parent == 0 && field->node->repetition_level == 0;
		if (!add_leaf(reader, field->node, field->leaf, field->dictionary, error))
			return false;
	}
	for (int32_t i = 0; i < field->child_count; i++)
	{
		if (!add_leaves(reader, field->children[i], false, error))
			return false;
	}
	/* a struct of which no column is wanted still is null or not, which a column below it knows */
	if (field->kind == FIELD_STRUCT && !is_root && reader->leaf_count == field->first_leaf &&
		(carrier = first_leaf_below(field->node)) != NULL && !add_leaf(reader, carrier, &levels_only, false, error))
		return false;
	field->leaf_count = reader->leaf_count - field->first_leaf;
	return true;
}

/* The leaves in the order of their chunks. */
static void
sort_leaves(ParquetReader *reader)
{
	for (int32_t i = 0; i < reader->leaf_count; i++)
	{
		int32_t place = i;

		for (; place > 0 && reader->ordinals[place - 1] > reader->leaves[i]->node->leaf; place--)
		{
			reader->ordinals[place] = reader->ordinals[place - 1];
			reader->sorted[place] = reader->sorted[place - 1];
		}
		reader->ordinals[place] = reader->leaves[i]->node->leaf;
		reader->sorted[place] = i;
	}
}

static bool
load_reader(ParquetReader *reader, const struct ArrowSchema *projection, IngestError *error)
{
	const ParquetFile *file = reader->file;
	size_t most;

	if (!schema_project(file->root, projection, &reader->arena, &reader->root, error))
		return false;
	most = (size_t) count_leaves(reader->root) + 1;
	reader->leaves = calloc(most, sizeof(*reader->leaves));
	reader->batches = calloc(most, sizeof(*reader->batches));
	reader->sorted = calloc(most, sizeof(*reader->sorted));
	reader->ordinals = calloc(most, sizeof(*reader->ordinals));
	reader->chunks = calloc(most, sizeof(*reader->chunks));
	reader->ranges = calloc(most, sizeof(*reader->ranges));
	reader->range_of = calloc(most, sizeof(*reader->range_of));
	reader->skipped = calloc((size_t) file->row_group_count + 1, sizeof(*reader->skipped));
	if (reader->leaves == NULL || reader->batches == NULL || reader->sorted == NULL || reader->ordinals == NULL ||
		reader->chunks == NULL || reader->ranges == NULL || reader->range_of == NULL || reader->skipped == NULL)
		return ingest_out_of_memory(error);
	if (!add_leaves(reader, reader->root, true, error))
		return false;
	sort_leaves(reader);
	return schema_to_arrow(reader->root, &reader->schema, error);
}

bool
parquet_reader_open(const ParquetFile *file, const struct ArrowSchema *projection, int64_t first_row,
					ParquetReader **out, IngestError *error)
{
	ParquetReader *reader;

	if (first_row < 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "first row %lld is negative", (long long) first_row);
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return ingest_out_of_memory(error);
	reader->file = file;
	reader->row_group = reader->announced = -1;
	reader->rows_to_skip = first_row;
	arena_init(&reader->arena, ARENA_BASE + file->arena.limit);
	if (!load_reader(reader, projection, error))
	{
		parquet_reader_close(reader);
		return false;
	}
	*out = reader;
	return true;
}

void
parquet_reader_skip_row_group(ParquetReader *reader, int row_group)
{
	if (row_group >= 0 && row_group < reader->file->row_group_count)
		reader->skipped[row_group] = true;
}

const struct ArrowSchema *
parquet_reader_schema(const ParquetReader *reader)
{
	return &reader->schema;
}

/* Null is allowed. */
void
parquet_reader_close(ParquetReader *reader)
{
	if (reader == NULL)
		return;
	for (int32_t i = 0; i < reader->leaf_count; i++)
	{
		leaf_reader_release(reader->leaves[i]);
		free(reader->leaves[i]);
	}
	workspace_release(&reader->workspace);
	ranges_release(reader->ranges, reader->range_count);
	if (reader->schema.release != NULL)
		reader->schema.release(&reader->schema);
	free(reader->ranges);
	free(reader->range_of);
	free(reader->leaves);
	free(reader->batches);
	free(reader->sorted);
	free(reader->ordinals);
	free(reader->chunks);
	free(reader->skipped);
	arena_release(&reader->arena);
	free(reader);
}

/* ---- row groups ------------------------------------------------------------------------ */

/* Put a name in front of a path, whole characters only; false where not all of it fits. */
static bool
prepend_name(char *path, size_t room, const char *name)
{
	size_t used = strlen(path);
	size_t length = strlen(name);
	size_t shown = length;

	if (shown + used + 1 >= room)
		shown = used + 1 < room ? room - used - 2 : 0;
	while (shown < length && shown > 0 && ((unsigned char) name[shown] & 0xc0) == 0x80)
		shown--;
	memmove(path + shown + (used > 0), path, used + 1);
	memcpy(path, name, shown);
	if (used > 0)
		path[shown] = '.';
	return shown == length;
}

/* Say where: a long path is cut at its front, lest it takes the room of the cause. */
static bool
leaf_context(const ParquetReader *reader, const LeafReader *leaf, IngestError *error)
{
	char path[256] = "";

	/* from the leaf up to the root, which has no name of its own */
	for (const SchemaNode *node = leaf->node; node->parent >= 0; node = &reader->file->nodes[node->parent])
	{
		if (!prepend_name(path, sizeof(path), node->name))
			break;
	}
	return ingest_context(error, "row group %d, column \"%s\"", reader->row_group, path);
}

/* The windows of all leaves together take a quarter of the budget. */
static size_t
window_size(const ParquetReader *reader)
{
	size_t size = reader->file->options.byte_budget / 4 / (size_t) (reader->leaf_count > 0 ? reader->leaf_count : 1);

	if (size < SMALLEST_WINDOW)
		return SMALLEST_WINDOW;
	return size > LARGEST_WINDOW ? LARGEST_WINDOW : size;
}

static bool
start_row_group(ParquetReader *reader, IngestError *error)
{
	size_t window = window_size(reader);

	if (!footer_read_chunks(reader->file, reader->row_group, reader->ordinals, reader->leaf_count, reader->chunks,
							error))
		return false;
	ranges_release(reader->ranges, reader->range_count);
	reader->range_count = ranges_plan(reader->chunks, reader->leaf_count, window, reader->ranges, reader->range_of);
	for (int32_t i = 0; i < reader->leaf_count; i++)
	{
		LeafReader *leaf = reader->leaves[reader->sorted[i]];
		SharedRange *shared = reader->range_of[i] < 0 ? NULL : &reader->ranges[reader->range_of[i]];

		if (!leaf_reader_start_chunk(leaf, &reader->chunks[i], window, shared, error))
			return leaf_context(reader, leaf, error);
	}
	if (reader->announced < reader->row_group)
		ranges_hint(reader->file, reader->chunks, reader->leaf_count, window);
	if (reader->announced < reader->row_group)
		reader->announced = reader->row_group;
	return true;
}

/* Once all of this row group was announced, announce the beginning of the next one that will be read. */
static void
announce_next_row_group(ParquetReader *reader)
{
	const ParquetFile *file = reader->file;
	int32_t next = reader->row_group + 1;
	ColumnChunk *chunks;
	IngestError error;

	if (file->input.prefetch == NULL || reader->announced > reader->row_group)
		return;
	for (int32_t i = 0; i < reader->leaf_count; i++)
	{
		if (!chunk_stream_is_announced(&reader->leaves[i]->pages.stream))
			return;
	}
	while (next < file->row_group_count && (reader->skipped[next] || file->row_groups[next].row_count == 0))
		next++;
	reader->announced = next;
	if (next >= file->row_group_count)
		return;
	/* only a hint: an error will be met again, and reported, when the row group is begun */
	chunks = calloc((size_t) reader->leaf_count + 1, sizeof(*chunks));
	if (chunks != NULL && footer_read_chunks(file, next, reader->ordinals, reader->leaf_count, chunks, &error))
		ranges_hint(file, chunks, reader->leaf_count, window_size(reader));
	free(chunks);
}

/*
 * Count what leaf "i" holds between two batches: *open bytes of pages, and of dictionaries.  Where the pages pass the
 * budget, one that takes more than its share is suspended; the earlier columns keep theirs, so that as few as possible
 * are read twice.
 */
static bool
keep_to_budget(const ParquetReader *reader, int32_t i, size_t *open, size_t *dictionaries, IngestError *error)
{
	const ParquetOptions *options = &reader->file->options;
	LeafReader *leaf = reader->leaves[i];
	size_t bytes = leaf_page_bytes(leaf);
	size_t budget = OPEN_PAGES * options->byte_budget;
	size_t share = budget / (size_t) reader->leaf_count;

	*open += bytes;
	if (leaf->values.dictionary != NULL)
		*dictionaries += leaf->values.dictionary->bytes;
	if (*dictionaries > options->byte_budget + options->max_page_size)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "dictionaries of the columns together take more than %zu bytes",
						   options->byte_budget + options->max_page_size);
	if (*open > budget && bytes > share)
	{
		leaf_suspend_page(leaf);
		*open -= bytes;
	}
	return true;
}

/* Pass over the first rows of the row group that was just begun. */
static bool
skip_rows(ParquetReader *reader, const IngestCancel *cancel, IngestError *error)
{
	int64_t rows = reader->rows_to_skip;
	size_t open = 0;
	size_t dictionaries = 0;

	for (int32_t i = 0; rows > 0 && i < reader->leaf_count; i++)
	{
		if (!leaf_reader_skip(reader->leaves[i], rows, cancel, error) ||
			!keep_to_budget(reader, i, &open, &dictionaries, error))
			return leaf_context(reader, reader->leaves[i], error);
	}
	reader->rows_to_skip = 0;
	reader->row_position += rows;
	reader->rows_left -= rows;
	return true;
}

/* Go to the next row group that has rows to read; *end where there is none. */
static bool
next_row_group(ParquetReader *reader, bool *end, const IngestCancel *cancel, IngestError *error)
{
	const ParquetFile *file = reader->file;

	*end = false;
	while (reader->rows_left == 0)
	{
		const RowGroup *group;

		if (reader->row_group + 1 >= file->row_group_count)
		{
			*end = true;
			return true;
		}
		group = &file->row_groups[++reader->row_group];
		reader->row_position = group->first_row;
		if (reader->rows_to_skip >= group->row_count)
		{
			reader->rows_to_skip -= group->row_count;
			continue;
		}
		if (reader->skipped[reader->row_group])
		{
			reader->rows_to_skip = 0;
			continue;
		}
		reader->rows_left = group->row_count;
		if (!start_row_group(reader, error) || !skip_rows(reader, cancel, error))
			return false;
	}
	return true;
}

/* Nothing may be left of a row group whose rows were all read. */
static bool
check_row_group_end(ParquetReader *reader, IngestError *error)
{
	for (int32_t i = 0; reader->rows_left == 0 && i < reader->leaf_count; i++)
	{
		if (!leaf_reader_at_end(reader->leaves[i]) || reader->leaves[i]->batch.row_count > 0)
		{
			ingest_fail(error, INGEST_ERROR_CORRUPT, "more values than the row group has rows");
			return leaf_context(reader, reader->leaves[i], error);
		}
	}
	return true;
}

/* ---- batches --------------------------------------------------------------------------- */

/* How many rows to ask for: what the last batch's rows took tells how many fit. */
static int64_t
rows_to_ask(const ParquetReader *reader, int64_t max_rows)
{
	int64_t rows = PARQUET_MAX_BATCH_ROWS;
	int64_t fitting = (int64_t) reader->file->options.batch_size;

	if (max_rows > 0 && max_rows < rows)
		rows = max_rows;
	if (reader->rows_left < rows)
		rows = reader->rows_left;
	if (reader->bytes_per_row > 0 && rows > fitting / reader->bytes_per_row)
		rows = fitting / reader->bytes_per_row;
	return rows > 0 ? rows : 1;
}

/*
 * The bytes that one more leaf may take.  Each has its share, whatever those before it took: rows that they hold beyond
 * the shortest leaf's wait for the next batch.
 */
static size_t
batch_limit(const ParquetReader *reader, int64_t bytes_per_row, int64_t rows)
{
	size_t limit = reader->file->options.batch_size;
	uint64_t used = (uint64_t) bytes_per_row * (uint64_t) rows;
	size_t share = limit / (size_t) reader->leaf_count;

	return used + share < limit ? (size_t) (limit - used) : share + 1;
}

/* Decode; *rows becomes what all leaves have. */
static bool
fill_leaves(ParquetReader *reader, int64_t *rows, const IngestCancel *cancel, IngestError *error)
{
	int64_t bytes_per_row = 0;
	size_t open = 0;
	size_t dictionaries = 0;

	for (int32_t i = 0; i < reader->leaf_count; i++)
	{
		LeafReader *leaf = reader->leaves[i];

		if (!leaf_reader_fill(leaf, *rows, batch_limit(reader, bytes_per_row, *rows), cancel, error))
			return leaf_context(reader, leaf, error);
		if (leaf->batch.row_count == 0)
		{
			ingest_fail(error, INGEST_ERROR_CORRUPT, "fewer values than the row group has rows");
			return leaf_context(reader, leaf, error);
		}
		if (leaf->batch.row_count < *rows)
			*rows = leaf->batch.row_count;
		bytes_per_row += (int64_t) leaf_batch_bytes(&leaf->batch, leaf->type) / leaf->batch.row_count + 1;
		if (!keep_to_budget(reader, i, &open, &dictionaries, error))
			return leaf_context(reader, leaf, error);
	}
	reader->bytes_per_row = bytes_per_row;
	return true;
}

static bool
make_array(ParquetReader *reader, int64_t rows, struct ArrowArray *array, IngestError *error)
{
	bool good = true;
	int32_t taken = 0;

	for (; good && taken < reader->leaf_count; taken++)
		good = leaf_reader_take(reader->leaves[taken], rows, &reader->batches[taken], error);
	if (good && !assemble_root(reader->root, reader->batches, rows, array, error))
		good =
			ingest_context(error, "row group %d, rows from %lld", reader->row_group, (long long) reader->row_position);
	for (int32_t i = 0; i < taken; i++)
		leaf_batch_release(&reader->batches[i]);
	return good;
}

bool
parquet_reader_next(ParquetReader *reader, int64_t max_rows, struct ArrowArray *array, int64_t *first_row,
					const IngestCancel *cancel, IngestError *error)
{
	int64_t rows;
	bool end;

	memset(array, 0, sizeof(*array));
	if (!next_row_group(reader, &end, cancel, error))
		return false;
	if (end)
		return true;
	rows = rows_to_ask(reader, max_rows);
	if (!fill_leaves(reader, &rows, cancel, error) || !make_array(reader, rows, array, error))
		return false;
	*first_row = reader->row_position;
	reader->row_position += rows;
	reader->rows_left -= rows;
	announce_next_row_group(reader);
	if (check_row_group_end(reader, error))
		return true;
	array->release(array);
	memset(array, 0, sizeof(*array));
	return false;
}
