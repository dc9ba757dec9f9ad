/*-------------------------------------------------------------------------
 *
 * page.c
 *	  The pages of a column chunk, one after the other.
 *
 * A page is a header (thrift, of unknown length) and compressed_page_size bytes.  It is valid where
 *	1. the body lies inside the chunk,
 *	2. both sizes are at most max_page_size,
 *	3. the checksum, where there is one, is the CRC-32 of the stored body,
 *	4. decompression gives exactly uncompressed_page_size bytes (v2: less the levels, which are not compressed).
 *
 * The current page's body lies either in the chunk's window (nothing to decompress) or in the reader's one page buffer;
 * it is valid until the next page is asked for.  A page that is passed over is not read.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include <zlib.h>

#include "parquet/parquet_internal.h"

#define FIRST_HEADER_BYTES 256
#define KEPT_BUFFER (4u << 20) /* a page buffer grown beyond this shrinks again with the next small page */

void
page_reader_start(PageReader *pages, const ParquetFile *file, const ColumnChunk *chunk, size_t window_size,
				  SharedRange *shared)
{
	pages->file = file;
	pages->codec = chunk->codec;
	pages->position = chunk->start;
	chunk_stream_start(&pages->stream, file, chunk->start, chunk->end, window_size, shared);
}

/* Give back the bytes of the chunk and of the page; both are read again when needed. */
void
page_reader_release_bytes(PageReader *pages)
{
	chunk_stream_release(&pages->stream);
	free(pages->buffer);
	pages->buffer = NULL;
	pages->buffer_capacity = 0;
}

/* Ask for more and more bytes until the header is whole: statistics inside may take megabytes. */
static bool
parse_header(PageReader *pages, size_t *length, IngestError *error)
{
	uint64_t left = pages->stream.end - pages->position;
	size_t minimum = FIRST_HEADER_BYTES;

	for (;;)
	{
		ThriftReader reader;
		const uint8_t *data;
		size_t available;

		if (minimum > left)
			minimum = (size_t) left;
		if (!chunk_stream_bytes(&pages->stream, pages->position, minimum, &data, &available, error))
			return false;
		thrift_init(&reader, data, available);
		if (footer_parse_page_header(&reader, &pages->header, error))
		{
			*length = (size_t) (reader.position - reader.start);
			return true;
		}
		if (!reader.truncated || available >= left || available >= pages->file->options.max_page_size)
			return false;
		minimum = available * 4;
	}
}

static bool
check_header(const PageReader *pages, IngestError *error)
{
	const PageHeader *header = &pages->header;
	size_t limit = pages->file->options.max_page_size;

	if ((uint64_t) header->compressed_size > pages->stream.end - pages->body_offset)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "page of %d bytes does not fit into its column chunk",
						   header->compressed_size);
	if ((size_t) header->compressed_size > limit || (size_t) header->uncompressed_size > limit)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "page of %d bytes (%d compressed) is above the limit of %zu",
						   header->uncompressed_size, header->compressed_size, limit);
	return true;
}

bool
page_reader_next(PageReader *pages, bool *end, IngestError *error)
{
	size_t length;

	*end = pages->position >= pages->stream.end;
	if (*end)
		return true;
	pages->header_offset = pages->position;
	if (!parse_header(pages, &length, error))
		return ingest_context(error, "page header at offset %llu", (unsigned long long) pages->header_offset);
	pages->body_offset = pages->position + length;
	if (!check_header(pages, error))
		return ingest_context(error, "page at offset %llu", (unsigned long long) pages->header_offset);
	pages->position = pages->body_offset + (uint64_t) pages->header.compressed_size;
	return true;
}

static bool
check_checksum(const PageReader *pages, const uint8_t *data, IngestError *error)
{
	const PageHeader *header = &pages->header;

	if (header->has_checksum && !pages->file->options.skip_page_checksums &&
		(uint32_t) crc32_z(0, data, (size_t) header->compressed_size) != header->checksum)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "checksum does not match");
	return true;
}

static bool
size_buffer(PageReader *pages, size_t wanted, IngestError *error)
{
	if (wanted <= pages->buffer_capacity && (pages->buffer_capacity <= KEPT_BUFFER || wanted > KEPT_BUFFER))
		return true;
	free(pages->buffer);
	pages->buffer = malloc(wanted);
	pages->buffer_capacity = pages->buffer == NULL ? 0 : wanted;
	return pages->buffer != NULL || ingest_out_of_memory(error);
}

/* Bytes at the front that are stored as they are: the levels of a v2 page. */
static bool
uncompressed_prefix(const PageReader *pages, size_t *length, IngestError *error)
{
	const PageHeader *header = &pages->header;

	*length = 0;
	if (header->type != PAGE_DATA_V2)
		return true;
	if (header->definition_length < 0 || header->repetition_length < 0 ||
		(int64_t) header->definition_length + header->repetition_length > header->compressed_size ||
		(int64_t) header->definition_length + header->repetition_length > header->uncompressed_size)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "levels of %d and %d bytes in a page of %d",
						   header->repetition_length, header->definition_length, header->compressed_size);
	*length = (size_t) header->definition_length + (size_t) header->repetition_length;
	return true;
}

bool
page_reader_body(PageReader *pages, const uint8_t **data, size_t *length, IngestError *error)
{
	const PageHeader *header = &pages->header;
	size_t stored = (size_t) header->compressed_size;
	size_t size = (size_t) header->uncompressed_size;
	size_t available;
	size_t prefix;

	if (!chunk_stream_bytes(&pages->stream, pages->body_offset, stored, data, &available, error) ||
		!check_checksum(pages, *data, error) || !uncompressed_prefix(pages, &prefix, error))
		return false;
	*length = stored;
	if (pages->codec == CODEC_NONE || (header->type == PAGE_DATA_V2 && !header->is_compressed))
		return true;
	if (!size_buffer(pages, size > 0 ? size : 1, error))
		return false;
	memcpy(pages->buffer, *data, prefix);
	/* a page without values may hold nothing at all, which is no valid block for most codecs */
	if (size > prefix && !codec_decompress(pages->codec, &pages->workspace->codec, *data + prefix, stored - prefix,
										   pages->buffer + prefix, size - prefix, error))
		return false;
	*data = pages->buffer;
	*length = size;
	return true;
}
