/*-------------------------------------------------------------------------
 *
 * column.c
 *	  One leaf: the pages of its chunk into levels and values, some rows at a time.
 *
 * States of a LeafReader (its page may be suspended besides, see column_page.c):
 *	no chunk	-> leaf_reader_start_chunk
 *	in a chunk	entries_left of the chunk lie in pages not yet begun, page_entries_left of the current page are not yet
 *				decoded, and a block of up to PARQUET_BLOCK entries has its levels decoded and waits to be taken
 *
 * Entries are taken from the block together with their values.  Values of byte arrays may end early at the batch's byte
 * limit; then only the entries before the first missing value are taken, and the next batch goes on inside the page.
 *
 * Flat columns have a row for each entry.  In nested ones a row starts at repetition level 0 and is complete only when the
 * next one starts or the chunk ends, so one block is decoded ahead: a v1 page may end inside a row.
 *
 * What the file claims (entries of a page, of the chunk) never decides about memory: blocks are bounded, and the batch
 * grows with what was really decoded.  A single row above max_page_size is an error.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

#define SKIP_WINDOW (16u << 10) /* bytes read at a time while pages are passed over */

void
leaf_reader_init(LeafReader *leaf, const ParquetFile *file, const SchemaNode *node, const LeafType *type,
				 bool keep_dictionary, Workspace *workspace)
{
	memset(leaf, 0, sizeof(*leaf));
	leaf->pages.workspace = leaf->values.workspace = workspace;
	leaf->file = file;
	leaf->node = node;
	leaf->type = type;
	leaf->keep_dictionary = keep_dictionary;
	leaf->max_definition = node->definition;
	leaf->max_repetition = node->repetition_level;
}

void
leaf_reader_release(LeafReader *leaf)
{
	page_reader_release_bytes(&leaf->pages);
	value_decoder_release(&leaf->values);
	dictionary_release(leaf->values.dictionary);
	leaf->values.dictionary = NULL;
	leaf_batch_release(&leaf->batch);
}

/* Begin a row group.  The batch of the one before must have been taken. */
bool
leaf_reader_start_chunk(LeafReader *leaf, const ColumnChunk *chunk, size_t window_size, SharedRange *shared,
						IngestError *error)
{
	if (chunk->type != leaf->node->type)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunk of physical type %d where the schema has %d",
						   (int) chunk->type, (int) leaf->node->type);
	page_reader_start(&leaf->pages, leaf->file, chunk, window_size, shared);
	dictionary_release(leaf->values.dictionary);
	leaf->values.dictionary = NULL;
	leaf->entries_left = chunk->value_count;
	leaf->page_entries_left = 0;
	leaf->suspended = false;
	leaf->block_position = leaf->block_count = 0;
	leaf->data_seen = false;
	leaf->row_seen = false;
	return true;
}

bool
leaf_reader_at_end(const LeafReader *leaf)
{
	return leaf->entries_left == 0 && leaf->page_entries_left == 0 && leaf->block_position == leaf->block_count;
}

/* ---- entries ---------------------------------------------------------------------- */

/* Decode the levels of the next entries of the page. */
static bool
fill_block(LeafReader *leaf, IngestError *error)
{
	size_t count = leaf->page_entries_left < PARQUET_BLOCK ? (size_t) leaf->page_entries_left : PARQUET_BLOCK;

	if ((leaf->max_repetition > 0 &&
		 !level_decoder_read(&leaf->repetition_decoder, leaf->block_repetitions, count, error)) ||
		(leaf->max_definition > 0 &&
		 !level_decoder_read(&leaf->definition_decoder, leaf->block_definitions, count, error)))
		return leaf_page_context(leaf, error);
	leaf->page_entries_left -= (int64_t) count;
	leaf->block_position = 0;
	leaf->block_count = count;
	return true;
}

/*
 * Entries of the block that belong to the batch's next "rows" rows; *started of them start a row.  Those that go on with
 * a row already begun come on top.
 */
static size_t
count_entries(const LeafReader *leaf, int64_t rows, int64_t *started)
{
	size_t available = leaf->block_count - leaf->block_position;
	const uint8_t *repetitions = leaf->block_repetitions + leaf->block_position;

	*started = 0;
	if (leaf->max_repetition == 0)
	{
		*started = rows < (int64_t) available ? rows : (int64_t) available;
		return (size_t) *started;
	}
	for (size_t i = 0; i < available; i++)
	{
		if (repetitions[i] == 0 && (*started)++ == rows)
		{
			(*started)--;
			return i;
		}
	}
	return available;
}

static size_t
count_values(const LeafReader *leaf, size_t entries)
{
	return leaf->max_definition == 0
			   ? entries
			   : kernel_count_equal(leaf->block_definitions + leaf->block_position, entries, leaf->max_definition);
}

/* The entries up to, and without, the one that holds value number "values" (from 0). */
static size_t
entries_before_value(const LeafReader *leaf, size_t entries, size_t values)
{
	const uint8_t *definitions = leaf->block_definitions + leaf->block_position;

	if (leaf->max_definition == 0)
		return values;
	for (size_t i = 0; i < entries; i++)
	{
		if (definitions[i] == leaf->max_definition && values-- == 0)
			return i;
	}
	return entries;
}

static bool
read_fixed_values(LeafReader *leaf, size_t count, size_t byte_limit, size_t *done, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;
	size_t width = batch->is_indices ? sizeof(uint32_t) : (size_t) leaf->type->width;
	size_t used = batch->value_count * width;
	size_t room = byte_limit > used ? (byte_limit - used) / width : 0;

	if (count > room)
		count = room > 0 ? room : 1;
	*done = count;
	if (!leaf_batch_reserve_values(batch, count, width, error))
		return false;
	if (!(batch->is_indices
			  ? value_decoder_read_indices(&leaf->values, batch->indices + batch->value_count, count, error)
			  : value_decoder_read_fixed(&leaf->values, batch->fixed + batch->value_count * width, count, error)))
		return false;
	batch->value_count += count;
	return true;
}

static bool
read_values(LeafReader *leaf, size_t count, size_t byte_limit, size_t *done, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;
	bool good;

	*done = count;
	if (leaf->type->layout == LAYOUT_NULL || count == 0)
		return true;
	if (batch->is_indices || leaf->type->layout != LAYOUT_VARIABLE)
		good = read_fixed_values(leaf, count, byte_limit, done, error);
	else
	{
		good = value_decoder_read_variable(&leaf->values, &batch->variable, count, byte_limit, done, error);
		batch->value_count = batch->variable.count;
	}
	if (!good)
		return leaf_page_context(leaf, error);
	leaf->page_values_read += *done;
	return true;
}

/* Move "entries" entries of the block, whose values were read, to the batch. */
static bool
append_levels(LeafReader *leaf, size_t entries, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;

	if (!leaf_batch_reserve_entries(batch, entries, leaf->max_definition > 0, leaf->max_repetition > 0, error))
		return false;
	if (leaf->max_definition > 0)
		memcpy(batch->definitions + batch->entry_count, leaf->block_definitions + leaf->block_position, entries);
	if (leaf->max_repetition > 0)
		memcpy(batch->repetitions + batch->entry_count, leaf->block_repetitions + leaf->block_position, entries);
	batch->entry_count += entries;
	leaf->block_position += entries;
	return true;
}

static int64_t
count_rows(const LeafReader *leaf, size_t entries)
{
	const uint8_t *repetitions = leaf->block_repetitions + leaf->block_position;
	int64_t rows = 0;

	if (leaf->max_repetition == 0)
		return (int64_t) entries;
	for (size_t i = 0; i < entries; i++)
		rows += repetitions[i] == 0;
	return rows;
}

/*
 * Take what the block has for the batch.  *taken = 0: the block starts with a row beyond those asked for.
 */
static bool
take_from_block(LeafReader *leaf, int64_t rows, size_t byte_limit, size_t *taken, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;
	int64_t started;
	size_t entries = count_entries(leaf, rows - batch->row_count, &started);
	size_t values = count_values(leaf, entries);
	size_t done = 0;

	*taken = 0;
	if (entries == 0)
		return true;
	if (!leaf->row_seen && leaf->max_repetition > 0 && leaf->block_repetitions[leaf->block_position] != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunk starts inside a row");
	leaf->row_seen = true;
	if (!read_values(leaf, values, byte_limit, &done, error))
		return false;
	if (done < values)
		entries = entries_before_value(leaf, entries, done);
	batch->row_count += count_rows(leaf, entries);
	*taken = entries;
	return append_levels(leaf, entries, error);
}

/* At a page's start: does the batch end here, because values change between indices and plain ones? */
static bool
batch_changes_form(const LeafReader *leaf)
{
	return leaf->keep_dictionary && leaf->batch.row_count > 0 && leaf->batch.is_indices != leaf->page_is_dictionary;
}

/* The first entries of a batch decide about its form, and are a good moment to make room for all. */
static bool
begin_batch(LeafReader *leaf, int64_t rows, size_t byte_limit, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;
	size_t width = (size_t) leaf->type->width;
	size_t count = rows < PARQUET_MAX_BATCH_ROWS ? (size_t) rows : PARQUET_MAX_BATCH_ROWS;

	if (batch->entry_count > 0)
		return true;
	batch->is_indices = leaf->keep_dictionary && leaf->page_is_dictionary;
	if (batch->is_indices && batch->dictionary == NULL)
		batch->dictionary = dictionary_acquire(leaf->values.dictionary);
	if (!leaf_batch_reserve_entries(batch, count, leaf->max_definition > 0, leaf->max_repetition > 0, error))
		return false;
	if (!batch->is_indices && (leaf->type->layout == LAYOUT_NULL || leaf->type->layout == LAYOUT_VARIABLE))
		return true;
	if (!batch->is_indices && count > byte_limit / width)
		count = byte_limit / width;
	return leaf_batch_reserve_values(batch, count, width, error);
}

/* Have entries in the block, or find that the chunk has no more (*more = false). */
static bool
ensure_block(LeafReader *leaf, bool *more, IngestError *error)
{
	*more = true;
	while (leaf->block_position == leaf->block_count)
	{
		if (leaf->page_entries_left > 0)
			return fill_block(leaf, error);
		if (leaf->entries_left == 0)
		{
			*more = false;
			return true;
		}
		if (!leaf_find_data_page(leaf, error) || !leaf_start_data_page(leaf, error))
			return false;
	}
	return true;
}

bool
leaf_reader_fill(LeafReader *leaf, int64_t rows, size_t byte_limit, const IngestCancel *cancel, IngestError *error)
{
	LeafBatch *batch = &leaf->batch;
	size_t hard_limit = leaf->file->options.max_page_size;
	bool nested = leaf->max_repetition > 0;

	if (!leaf_resume_page(leaf, error))
		return false;
	while (nested || batch->row_count < rows)
	{
		size_t bytes = leaf_batch_bytes(batch, leaf->type);
		size_t taken;
		bool more;

		if (bytes >= byte_limit && batch->row_count > 0)
		{
			if (!nested)
				break;
			rows = batch->row_count; /* only what the last row still lacks */
			byte_limit = hard_limit;
		}
		if (nested && bytes >= hard_limit)
			return ingest_fail(error, INGEST_ERROR_LIMIT, "a single row takes more than %zu bytes", hard_limit);
		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (!ensure_block(leaf, &more, error))
			return false;
		if (!more || batch_changes_form(leaf))
			break;
		if (!begin_batch(leaf, rows, byte_limit, error) || !take_from_block(leaf, rows, byte_limit, &taken, error))
			return false;
		if (taken == 0)
			break;
	}
	return true;
}

/* ---- passing over rows -------------------------------------------------------------- */

/* Pass over entries of the block, decoding their values for nothing. */
static bool
drop_entries(LeafReader *leaf, int64_t rows, int64_t *dropped, IngestError *error)
{
	size_t entries = leaf->block_count - leaf->block_position;
	size_t values;

	if ((int64_t) entries > rows)
		entries = (size_t) rows;
	values = count_values(leaf, entries);
	if (leaf->type->layout != LAYOUT_NULL && !value_decoder_skip(&leaf->values, values, error))
		return leaf_page_context(leaf, error);
	leaf->page_values_read += values;
	leaf->block_position += entries;
	*dropped = (int64_t) entries;
	return true;
}

/*
 * Flat columns: pages that end before the target are not even read.  Where they are large, neither are whole windows behind
 * their headers.
 */
static bool
skip_whole_pages(LeafReader *leaf, int64_t *rows, const IngestCancel *cancel, IngestError *error)
{
	size_t window_size = leaf->pages.stream.window_size;
	bool found = false;
	bool good = true;

	while (good && !found && leaf->block_position == leaf->block_count && leaf->page_entries_left == 0 && *rows > 0)
	{
		if (ingest_cancelled(cancel))
			good = ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		else if (leaf->entries_left == 0)
			good = ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunk ends %lld rows early", (long long) *rows);
		else
			good = leaf_find_data_page(leaf, error);
		found = good && leaf->pages.header.value_count > *rows;
		if (!good || found)
			break;
		leaf->entries_left -= leaf->pages.header.value_count;
		leaf->data_seen = true;
		*rows -= leaf->pages.header.value_count;
		if ((size_t) leaf->pages.header.compressed_size > window_size / 4 && window_size > SKIP_WINDOW)
			leaf->pages.stream.window_size = SKIP_WINDOW;
	}
	leaf->pages.stream.window_size = window_size;
	return good && (!found || leaf_start_data_page(leaf, error));
}

/* Pass over "rows" rows; the batch must be empty. */
bool
leaf_reader_skip(LeafReader *leaf, int64_t rows, const IngestCancel *cancel, IngestError *error)
{
	while (rows > 0)
	{
		int64_t dropped = 0;
		bool more;

		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		if (leaf->max_repetition > 0)
		{
			int64_t part = rows < PARQUET_MAX_BATCH_ROWS ? rows : PARQUET_MAX_BATCH_ROWS;

			if (!leaf_reader_fill(leaf, part, leaf->file->options.batch_size, cancel, error))
				return false;
			dropped = leaf->batch.row_count;
			if (dropped == 0)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunk ends %lld rows early", (long long) rows);
			leaf_batch_release(&leaf->batch);
			rows -= dropped;
			continue;
		}
		if (!skip_whole_pages(leaf, &rows, cancel, error))
			return false;
		if (rows == 0)
			break;
		if (!ensure_block(leaf, &more, error) || !drop_entries(leaf, rows, &dropped, error))
			return false;
		rows -= dropped;
	}
	return true;
}

/* Move the first "rows" rows of the batch to *out. */
bool
leaf_reader_take(LeafReader *leaf, int64_t rows, LeafBatch *out, IngestError *error)
{
	bool good = leaf_batch_cut(&leaf->batch, rows, leaf->type, leaf->max_definition, out, error);

	out->max_definition = leaf->max_definition;
	return good;
}
