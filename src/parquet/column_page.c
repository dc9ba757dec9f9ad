/*-------------------------------------------------------------------------
 *
 * column_page.c
 *	  The page that a leaf stands in: beginning it, leaving it, coming back to it.
 *
 * A leaf's page is open (its decoders point into the page's bytes), or suspended: the bytes were given back because the
 * reader's columns together took more than its byte budget.  A suspended page is read and decompressed again when the leaf
 * needs it, and its decoders are moved to where they stood; that costs time, so it is done to as few columns as possible.
 * What was decoded already (the block of levels, the batch) and the dictionary stay.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/parquet_internal.h"

bool
leaf_page_context(const LeafReader *leaf, IngestError *error)
{
	return ingest_context(error, "data page at offset %llu", (unsigned long long) leaf->pages.header_offset);
}

/* Take the bytes of one kind of levels from the front of a v1 page. */
static bool
start_v1_levels(LevelDecoder *decoder, uint8_t max_level, int32_t encoding, int32_t entries, const uint8_t **data,
				size_t *length, IngestError *error)
{
	uint32_t width = bits_for_level(max_level);
	uint64_t size;
	size_t prefix = 0;

	memset(decoder, 0, sizeof(*decoder));
	decoder->max_level = max_level;
	if (max_level == 0)
		return true;
	decoder->legacy = encoding == ENCODING_BIT_PACKED;
	if (decoder->legacy)
		size = ((uint64_t) entries * width + 7) / 8;
	else if (encoding != ENCODING_RLE)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "levels in encoding %d", encoding);
	else if (*length < 4)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "page ends inside its levels");
	else
	{
		prefix = 4;
		size = load_uint32(*data);
	}
	if (size > *length - prefix)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "levels of %llu bytes in a page with %zu left",
						   (unsigned long long) size, *length - prefix);
	decoder->data = *data + prefix;
	decoder->bit_end = size * 8;
	hybrid_init(&decoder->hybrid, decoder->data, (size_t) size, width);
	*data += prefix + size;
	*length -= prefix + (size_t) size;
	return true;
}

/* The sizes were checked against the body when it was read. */
static void
start_v2_levels(LevelDecoder *decoder, uint8_t max_level, int32_t size, const uint8_t **data, size_t *length)
{
	memset(decoder, 0, sizeof(*decoder));
	decoder->max_level = max_level;
	hybrid_init(&decoder->hybrid, *data, (size_t) size, bits_for_level(max_level));
	*data += size;
	*length -= (size_t) size;
}

/* Point the decoders at the first entry of the page whose header was read. */
static bool
open_page(LeafReader *leaf, IngestError *error)
{
	const PageHeader *header = &leaf->pages.header;
	const uint8_t *data;
	size_t length;

	if (!page_reader_body(&leaf->pages, &data, &length, error))
		return false;
	if (header->type == PAGE_DATA_V2)
	{
		start_v2_levels(&leaf->repetition_decoder, leaf->max_repetition, header->repetition_length, &data, &length);
		start_v2_levels(&leaf->definition_decoder, leaf->max_definition, header->definition_length, &data, &length);
	}
	else if (!start_v1_levels(&leaf->repetition_decoder, leaf->max_repetition, header->repetition_encoding,
							  header->value_count, &data, &length, error) ||
			 !start_v1_levels(&leaf->definition_decoder, leaf->max_definition, header->definition_encoding,
							  header->value_count, &data, &length, error))
		return false;
	if (leaf->type->layout != LAYOUT_NULL &&
		!value_decoder_start(&leaf->values, leaf->type, header->encoding, data, length, error))
		return false;
	leaf->page_is_dictionary = value_decoder_is_dictionary(&leaf->values);
	return true;
}

/* Begin the data page that leaf_find_data_page found. */
bool
leaf_start_data_page(LeafReader *leaf, IngestError *error)
{
	const PageHeader *header = &leaf->pages.header;

	if (!open_page(leaf, error))
		return leaf_page_context(leaf, error);
	leaf->page_values_read = 0;
	leaf->page_entries_left = header->value_count;
	leaf->entries_left -= header->value_count;
	leaf->data_seen = true;
	return true;
}

static bool
start_dictionary_page(LeafReader *leaf, IngestError *error)
{
	const PageHeader *header = &leaf->pages.header;
	const uint8_t *data;
	size_t length;

	if (leaf->values.dictionary != NULL || leaf->data_seen)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a dictionary page that is not the first page");
	if (header->encoding != ENCODING_PLAIN && header->encoding != ENCODING_PLAIN_DICTIONARY)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "dictionary in encoding %d", header->encoding);
	if (leaf->type->layout == LAYOUT_NULL)
		return true;
	return page_reader_body(&leaf->pages, &data, &length, error) &&
		   dictionary_create(leaf->type, leaf->values.workspace, data, length, header->value_count,
							 leaf->file->options.max_page_size, &leaf->values.dictionary, error);
}

/* Go to the next data page's header, loading a dictionary on the way. */
bool
leaf_find_data_page(LeafReader *leaf, IngestError *error)
{
	const PageHeader *header = &leaf->pages.header;

	for (;;)
	{
		bool end;

		if (!page_reader_next(&leaf->pages, &end, error))
			return false;
		if (end)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "column chunk ends %lld values early",
							   (long long) leaf->entries_left);
		if (header->type == PAGE_DICTIONARY)
		{
			if (!start_dictionary_page(leaf, error))
				return ingest_context(error, "dictionary page at offset %llu",
									  (unsigned long long) leaf->pages.header_offset);
			continue;
		}
		if (header->type != PAGE_DATA && header->type != PAGE_DATA_V2)
			continue;
		if (header->value_count < 0 || header->value_count > leaf->entries_left)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "page of %d values at offset %llu where %lld are left",
							   header->value_count, (unsigned long long) leaf->pages.header_offset,
							   (long long) leaf->entries_left);
		return true;
	}
}

/* ---- leaving and coming back --------------------------------------------------------- */

/* Bytes that leaf_suspend_page would give back. */
size_t
leaf_page_bytes(const LeafReader *leaf)
{
	return leaf->pages.buffer_capacity + leaf->pages.stream.window_capacity;
}

/* Give the page's bytes back. */
void
leaf_suspend_page(LeafReader *leaf)
{
	page_reader_release_bytes(&leaf->pages);
	leaf->suspended = true;
}

/* Move the decoders of a page that was just opened again to where they stood. */
static bool
skip_decoded(LeafReader *leaf, IngestError *error)
{
	int64_t entries = leaf->pages.header.value_count - leaf->page_entries_left;
	uint8_t levels[PARQUET_BLOCK];

	while (entries > 0)
	{
		size_t part = entries < PARQUET_BLOCK ? (size_t) entries : PARQUET_BLOCK;

		if (!level_decoder_read(&leaf->repetition_decoder, levels, part, error) ||
			!level_decoder_read(&leaf->definition_decoder, levels, part, error))
			return false;
		entries -= (int64_t) part;
	}
	return value_decoder_skip(&leaf->values, leaf->page_values_read, error);
}

/* Have the page open, unless nothing of it is needed any more. */
bool
leaf_resume_page(LeafReader *leaf, IngestError *error)
{
	if (!leaf->suspended)
		return true;
	leaf->suspended = false;
	if (leaf->page_entries_left == 0 && leaf->block_position == leaf->block_count)
		return true;
	if (!open_page(leaf, error) || !skip_decoded(leaf, error))
		return leaf_page_context(leaf, error);
	return true;
}
