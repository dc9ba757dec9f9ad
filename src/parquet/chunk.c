/*-------------------------------------------------------------------------
 *
 * chunk.c
 *	  The bytes of a column chunk, read in windows.
 *
 * A chunk may be gigabytes; in memory is a window of it, which moves forward.  The window grows beyond its usual size
 * only for one page that is larger, and shrinks again behind it.  What the window still holds is never read twice.
 *
 * Chunks smaller than a window that lie near each other share one read instead.
 *
 * Behind each read the next window is announced to the input ("prefetch"), so that a remote store's answer is on its
 * way while this window is decoded.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/parquet_internal.h"

void
chunk_stream_start(ChunkStream *stream, const ParquetFile *file, uint64_t start, uint64_t end, size_t window_size,
				   SharedRange *shared)
{
	stream->file = file;
	stream->end = end;
	stream->shared = shared;
	stream->window_size = window_size;
	stream->window_offset = start;
	stream->window_length = 0;
	/* the first window is announced with the row group */
	stream->hinted = end - start > window_size ? start + window_size : end;
}

void
chunk_stream_release(ChunkStream *stream)
{
	free(stream->window);
	stream->window = NULL;
	stream->window_capacity = stream->window_length = 0;
}

/* Announce [hinted, up to); ranges are announced once. */
static void
hint(ChunkStream *stream, uint64_t up_to)
{
	const ParquetInput *input = &stream->file->input;

	if (up_to > stream->end)
		up_to = stream->end;
	if (input->prefetch == NULL || stream->shared != NULL || up_to <= stream->hinted)
		return;
	input->prefetch(input->state, stream->hinted, (size_t) (up_to - stream->hinted));
	stream->hinted = up_to;
}

bool
chunk_stream_is_announced(const ChunkStream *stream)
{
	return stream->hinted >= stream->end;
}

/* Move the window so that it starts at "offset", keeping what it already holds from there on. */
static void
slide_window(ChunkStream *stream, uint64_t offset)
{
	uint64_t window_end = stream->window_offset + stream->window_length;
	size_t kept = 0;

	if (offset >= stream->window_offset && offset < window_end)
	{
		kept = (size_t) (window_end - offset);
		memmove(stream->window, stream->window + (offset - stream->window_offset), kept);
	}
	stream->window_offset = offset;
	stream->window_length = kept;
}

static bool
size_window(ChunkStream *stream, size_t wanted, IngestError *error)
{
	uint8_t *window;

	/* keep it, unless it is too small, or was grown for one page and is far too large now */
	if (wanted <= stream->window_capacity &&
		(stream->window_capacity <= 2 * stream->window_size || wanted > stream->window_size))
		return true;
	window = realloc(stream->window, wanted);
	if (window == NULL)
		return ingest_out_of_memory(error);
	stream->window = window;
	stream->window_capacity = wanted;
	return true;
}

static bool
shared_bytes(ChunkStream *stream, uint64_t offset, const uint8_t **data, IngestError *error)
{
	const ParquetInput *input = &stream->file->input;
	SharedRange *shared = stream->shared;

	if (shared->data == NULL)
	{
		shared->data = malloc(shared->length);
		if (shared->data == NULL)
			return ingest_out_of_memory(error);
		if (!input->read(input->state, shared->offset, shared->length, shared->data, error))
		{
			free(shared->data);
			shared->data = NULL;
			return false;
		}
	}
	*data = shared->data + (offset - shared->offset);
	return true;
}

bool
chunk_stream_bytes(ChunkStream *stream, uint64_t offset, size_t minimum, const uint8_t **data, size_t *available,
				   IngestError *error)
{
	const ParquetInput *input = &stream->file->input;
	uint64_t left = stream->end > offset ? stream->end - offset : 0;
	uint64_t window_end = stream->window_offset + stream->window_length;

	if (minimum > left)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "%zu bytes at offset %llu where the column chunk has %llu left",
						   minimum, (unsigned long long) offset, (unsigned long long) left);
	if (stream->shared != NULL)
	{
		*available = (size_t) left;
		return shared_bytes(stream, offset, data, error);
	}
	if (offset < stream->window_offset || offset > window_end || window_end - offset < minimum)
	{
		size_t wanted = minimum > stream->window_size ? minimum : stream->window_size;

		if (wanted > left)
			wanted = (size_t) left;
		slide_window(stream, offset);
		if (!size_window(stream, wanted, error))
			return false;
		if (!input->read(input->state, offset + stream->window_length, wanted - stream->window_length,
						 stream->window + stream->window_length, error))
			return false;
		stream->window_length = wanted;
		if (stream->hinted < offset + wanted)
			stream->hinted = offset + wanted;
		hint(stream, offset + wanted + stream->window_size);
	}
	*data = stream->window + (offset - stream->window_offset);
	*available = stream->window_length - (size_t) (offset - stream->window_offset);
	return true;
}
