/*-------------------------------------------------------------------------
 *
 * ranges.c
 *	  What of a row group is read in which pieces.
 *
 * A chunk larger than a window is read window by window.  Smaller ones that follow each other closely in the file are
 * put together into one range, so that a row group of many small chunks costs a few requests, not one for each.  A range
 * is at most LARGEST_RANGE bytes, and all of them together never take more than the windows of their chunks would.
 *
 * The first bytes of every chunk are announced when its row group is begun; those of the row group behind it once
 * nothing of this one is left to announce.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/parquet_internal.h"

#define LARGEST_RANGE (4u << 20)
#define LARGEST_GAP (64u << 10)

static bool
joins(const ColumnChunk *first, const ColumnChunk *before, const ColumnChunk *chunk, size_t window_size)
{
	return chunk->end - chunk->start <= window_size && chunk->start >= before->start && chunk->end >= before->end &&
		   (chunk->start <= before->end || chunk->start - before->end <= LARGEST_GAP) &&
		   chunk->end - first->start <= LARGEST_RANGE;
}

/*
 * Plan "chunks": range_of[i] becomes the index into "ranges" (room for as many as chunks) of the range that holds chunk i,
 * or -1.  Returns how many ranges there are.
 */
int32_t
ranges_plan(const ColumnChunk *chunks, int32_t count, size_t window_size, SharedRange *ranges, int32_t *range_of)
{
	int32_t range_count = 0;

	for (int32_t first = 0; first < count;)
	{
		int32_t next = first + 1;

		range_of[first] = -1;
		if (chunks[first].end - chunks[first].start <= window_size)
		{
			while (next < count && joins(&chunks[first], &chunks[next - 1], &chunks[next], window_size))
				next++;
		}
		if (next > first + 1)
		{
			ranges[range_count] = (SharedRange){.offset = chunks[first].start,
												.length = (size_t) (chunks[next - 1].end - chunks[first].start)};
			for (int32_t i = first; i < next; i++)
				range_of[i] = range_count;
			range_count++;
		}
		first = next;
	}
	return range_count;
}

void
ranges_release(SharedRange *ranges, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
	{
		free(ranges[i].data);
		ranges[i].data = NULL;
	}
}

/* Announce the first bytes of all chunks, in the order of the file. */
void
ranges_hint(const ParquetFile *file, const ColumnChunk *chunks, int32_t count, size_t window_size)
{
	const ParquetInput *input = &file->input;

	for (int32_t i = 0; input->prefetch != NULL && i < count;)
	{
		uint64_t start = chunks[i].start;
		uint64_t end = chunks[i].end;
		int32_t next = i + 1;

		if (end - start > window_size)
			end = start + window_size;
		else
		{
			while (next < count && joins(&chunks[i], &chunks[next - 1], &chunks[next], window_size))
				end = chunks[next++].end;
		}
		if (end > start)
			input->prefetch(input->state, start, (size_t) (end - start));
		i = next;
	}
}
