/*-------------------------------------------------------------------------
 *
 * delta_read_ahead.c
 *	  Ranges of files read before they are asked for.
 *
 * parquet/ announces the windows that it will want next.  Each becomes a range in a
 * queue, which a few threads work off, so that several transfers are under way while the
 * parser decodes, and one that stalls does not stop the rest.
 *
 *	  range		waiting ─> reading ─> ready | failed ─> (taken) gone
 *				   └─> (asked for before its turn) gone: the caller reads it itself
 *
 * A range that is asked for in parts stays until its last byte was taken; what is never
 * asked for goes when the file is closed.  A range that would exceed the budget is not
 * accepted: its bytes are read when they are needed.
 *
 * At most "transfers" are under way at once, those of callers that read by themselves
 * included.
 *
 * One mutex covers queue, ranges and counters; it is never held over a transfer.  Ranges of
 * a file are made and taken by the file's own thread; a fetching thread touches a range
 * only between "reading" and "ready".
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/delta_source.h"

#define LARGEST_RANGE ((size_t) 2 << 20) /* a longer hint is cut, for more transfers at once */

typedef enum RangeState
{
	RANGE_WAITING,
	RANGE_READING,
	RANGE_READY,
	RANGE_FAILED
} RangeState;

typedef struct Range
{
	struct Range *next_of_file;
	struct Range *next_in_queue;
	ReadAheadFile *file;
	RangeState state;
	uint64_t offset;
	size_t length;
	IngestError error; /* FAILED */
	char data[];
} Range;

struct ReadAheadFile
{
	ReadAhead *ahead;
	char *path;
	char etag[128];
	Range *ranges;
};

struct ReadAhead
{
	Storage *storage;
	const IngestCancel *cancel;
	pthread_mutex_t mutex;
	pthread_cond_t work;     /* the queue has a range, or the end came */
	pthread_cond_t progress; /* a range is ready or failed, a transfer ended */
	Range *head;             /* waiting ranges */
	Range *tail;
	size_t bytes;
	size_t budget;
	int transfers;
	int most_transfers;
	bool stopping;
	uintptr_t *threads;
	int thread_count;
};

/* ---- transfers -------------------------------------------------------------------------- */

/* One transfer, when there is room for it. */
static bool
transfer(ReadAhead *ahead, const ReadAheadFile *file, uint64_t offset, size_t length, void *out, IngestError *error)
{
	bool done;

	pthread_mutex_lock(&ahead->mutex);
	while (ahead->transfers >= ahead->most_transfers)
		pthread_cond_wait(&ahead->progress, &ahead->mutex);
	ahead->transfers++;
	pthread_mutex_unlock(&ahead->mutex);
	done = storage_read(ahead->storage, file->path, file->etag, offset, length, out, ahead->cancel, error);
	pthread_mutex_lock(&ahead->mutex);
	ahead->transfers--;
	pthread_cond_broadcast(&ahead->progress);
	pthread_mutex_unlock(&ahead->mutex);
	return done;
}

/* The caller holds the mutex. */
static Range *
take_waiting(ReadAhead *ahead)
{
	Range *range = ahead->head;

	if (range != NULL)
	{
		ahead->head = range->next_in_queue;
		if (ahead->head == NULL)
			ahead->tail = NULL;
		range->state = RANGE_READING;
	}
	return range;
}

static void *
fetch(void *argument)
{
	ReadAhead *ahead = argument;

	pthread_mutex_lock(&ahead->mutex);
	while (!ahead->stopping)
	{
		Range *range = take_waiting(ahead);
		bool done;

		if (range == NULL)
		{
			pthread_cond_wait(&ahead->work, &ahead->mutex);
			continue;
		}
		pthread_mutex_unlock(&ahead->mutex);
		done = transfer(ahead, range->file, range->offset, range->length, range->data, &range->error);
		pthread_mutex_lock(&ahead->mutex);
		range->state = done ? RANGE_READY : RANGE_FAILED;
		pthread_cond_broadcast(&ahead->progress);
	}
	pthread_mutex_unlock(&ahead->mutex);
	return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

bool
read_ahead_create(Storage *storage, int transfers, size_t budget, const IngestCancel *cancel, ReadAhead **out,
				  IngestError *error)
{
	ReadAhead *ahead = calloc(1, sizeof(*ahead));

	*out = NULL;
	if (ahead == NULL)
		return ingest_out_of_memory(error);
	ahead->storage = storage;
	ahead->cancel = cancel;
	ahead->budget = budget;
	ahead->most_transfers = transfers;
	pthread_mutex_init(&ahead->mutex, NULL);
	pthread_cond_init(&ahead->work, NULL);
	pthread_cond_init(&ahead->progress, NULL);
	ahead->threads = calloc((size_t) transfers, sizeof(uintptr_t));
	if (ahead->threads == NULL)
	{
		read_ahead_free(ahead);
		return ingest_out_of_memory(error);
	}
	/* where reading costs no waiting, the caller may as well do it */
	while (!storage_is_local(storage) && ahead->thread_count < transfers)
	{
		if (!source_thread_create(&ahead->threads[ahead->thread_count], fetch, ahead, error))
		{
			read_ahead_free(ahead);
			return false;
		}
		ahead->thread_count++;
	}
	*out = ahead;
	return true;
}

void
read_ahead_free(ReadAhead *ahead)
{
	if (ahead == NULL)
		return;
	pthread_mutex_lock(&ahead->mutex);
	ahead->stopping = true;
	pthread_cond_broadcast(&ahead->work);
	pthread_mutex_unlock(&ahead->mutex);
	for (int i = 0; i < ahead->thread_count; i++)
		source_thread_join(ahead->threads[i]);
	free(ahead->threads);
	pthread_mutex_destroy(&ahead->mutex);
	pthread_cond_destroy(&ahead->work);
	pthread_cond_destroy(&ahead->progress);
	free(ahead);
}

/* ---- ranges of a file ------------------------------------------------------------------------ */

/* The caller holds the mutex. */
static void
unlink_from_queue(ReadAhead *ahead, Range *range)
{
	Range *before = NULL;

	for (Range *each = ahead->head; each != range; each = each->next_in_queue)
		before = each;
	if (before == NULL)
		ahead->head = range->next_in_queue;
	else
		before->next_in_queue = range->next_in_queue;
	if (ahead->tail == range)
		ahead->tail = before;
}

/* Forget a range that no thread reads.  The caller holds the mutex. */
static void
drop_range(ReadAheadFile *file, Range *range)
{
	Range **link = &file->ranges;

	if (range->state == RANGE_WAITING)
		unlink_from_queue(file->ahead, range);
	while (*link != range)
		link = &(*link)->next_of_file;
	*link = range->next_of_file;
	file->ahead->bytes -= range->length;
	free(range);
}

static void
prefetch(void *state, uint64_t offset, size_t length)
{
	ReadAheadFile *file = state;
	ReadAhead *ahead = file->ahead;

	while (length > 0)
	{
		size_t part = length < LARGEST_RANGE ? length : LARGEST_RANGE;
		Range *range;
		bool room;

		pthread_mutex_lock(&ahead->mutex);
		room = ahead->budget - ahead->bytes >= part;
		if (room)
			ahead->bytes += part;
		pthread_mutex_unlock(&ahead->mutex);
		range = room ? malloc(sizeof(Range) + part) : NULL;
		pthread_mutex_lock(&ahead->mutex);
		if (range != NULL)
		{
			memset(range, 0, sizeof(*range));
			range->file = file;
			range->offset = offset;
			range->length = part;
			range->next_of_file = file->ranges;
			file->ranges = range;
			if (ahead->tail != NULL)
				ahead->tail->next_in_queue = range;
			else
				ahead->head = range;
			ahead->tail = range;
			pthread_cond_signal(&ahead->work);
		}
		else if (room)
			ahead->bytes -= part; /* no memory: it is only a hint */
		pthread_mutex_unlock(&ahead->mutex);
		offset += part;
		length -= part;
	}
}

/* The range that holds this byte, or null; *until: where the next range begins, or beyond the end. */
static Range *
find_range(const ReadAheadFile *file, uint64_t offset, uint64_t *until)
{
	for (Range *range = file->ranges; range != NULL; range = range->next_of_file)
	{
		if (offset >= range->offset && offset - range->offset < range->length)
			return range;
		if (range->offset > offset && range->offset < *until)
			*until = range->offset;
	}
	return NULL;
}

/*
 * What is ready of the bytes asked for, in *data (until the range is dropped, which only this thread does).  Length 0:
 * its turn had not come, it is gone, and the caller reads the bytes itself.  The caller holds the mutex.
 */
static bool
await_range(ReadAheadFile *file, Range *range, uint64_t offset, Span *data, IngestError *error)
{
	size_t skipped = (size_t) (offset - range->offset);

	*data = (Span){NULL, 0};
	if (range->state == RANGE_WAITING)
	{
		drop_range(file, range);
		return true;
	}
	while (range->state == RANGE_READING)
		pthread_cond_wait(&file->ahead->progress, &file->ahead->mutex);
	if (range->state == RANGE_FAILED)
	{
		*error = range->error;
		drop_range(file, range);
		return false;
	}
	*data = (Span){range->data + skipped, range->length - skipped};
	return true;
}

/* Read some of the bytes, at most "length"; *taken tells how many. */
static bool
read_some(ReadAheadFile *file, uint64_t offset, size_t length, char *out, size_t *taken, IngestError *error)
{
	ReadAhead *ahead = file->ahead;
	uint64_t until = offset + length;
	Span data = {NULL, 0};
	bool done = true;
	Range *range;

	pthread_mutex_lock(&ahead->mutex);
	range = find_range(file, offset, &until);
	if (range != NULL && range->offset + range->length < until)
		until = range->offset + range->length;
	if (range != NULL)
		done = await_range(file, range, offset, &data, error);
	pthread_mutex_unlock(&ahead->mutex);
	*taken = (size_t) (until - offset);
	if (!done)
		return false;
	if (data.length == 0)
		return transfer(ahead, file, offset, *taken, out, error);
	memcpy(out, data.data, *taken);
	if (*taken < data.length)
		return true;
	pthread_mutex_lock(&ahead->mutex);
	drop_range(file, range);
	pthread_mutex_unlock(&ahead->mutex);
	return true;
}

static bool
read_range(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	char *position = out;

	while (length > 0)
	{
		size_t taken;

		if (!read_some(state, offset, length, position, &taken, error))
			return false;
		offset += taken;
		position += taken;
		length -= taken;
	}
	return true;
}

/* ---- files ------------------------------------------------------------------------------------- */

bool
read_ahead_open(ReadAhead *ahead, const char *path, uint64_t expected_size, ReadAheadFile **out, ParquetInput *input,
				IngestError *error)
{
	ReadAheadFile *file;
	StorageObject object;

	*out = NULL;
	if (!storage_head(ahead->storage, path, &object, ahead->cancel, error))
		return false;
	file = calloc(1, sizeof(*file));
	if (file != NULL)
		file->path = strdup(path);
	if (file == NULL || file->path == NULL)
	{
		free(file);
		storage_object_clear(&object);
		return ingest_out_of_memory(error);
	}
	file->ahead = ahead;
	memcpy(file->etag, object.etag, sizeof(file->etag));
	*input = (ParquetInput){.read = read_range, .state = file, .size = object.size};
	if (ahead->thread_count > 0)
		input->prefetch = prefetch;
	storage_object_clear(&object);
	*out = file;
	if (expected_size == 0 || expected_size == input->size)
		return true;
	ingest_fail(error, INGEST_ERROR_CORRUPT, "the file has %" PRIu64 " bytes, the log says %" PRIu64, input->size,
				expected_size);
	read_ahead_close(file);
	*out = NULL;
	return false;
}

void
read_ahead_close(ReadAheadFile *file)
{
	if (file == NULL)
		return;
	pthread_mutex_lock(&file->ahead->mutex);
	while (file->ranges != NULL)
	{
		while (file->ranges->state == RANGE_READING)
			pthread_cond_wait(&file->ahead->progress, &file->ahead->mutex);
		drop_range(file, file->ranges);
	}
	pthread_mutex_unlock(&file->ahead->mutex);
	free(file->path);
	free(file);
}
