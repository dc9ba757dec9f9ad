/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Life of a ChangeBatch: made empty, filled row by row or column by column on one
 *	  thread, finished, handed over, freed.
 *
 * Memory: the struct is malloc'ed, everything it points to is in its arena.  The arrays
 * begin with the capacity asked for and double; what they leave behind stays in the arena
 * until the batch is freed, at most as much again as the arrays themselves.
 *
 * Invariants:
 *	- states[] of rows at and above row_count are VALUE_MISSING, so that adding a row
 *	  writes no column
 *	- kinds is null while all rows are inserts, payload_of while all rows are of payload 0
 *	- a function that returns false has not changed the number of rows, payloads, bad
 *	  records or moves
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "batch/batch_internal.h"

#define ROW_CAPACITY_MIN 16

void *
batch_alloc(Arena *arena, size_t size, IngestError *error)
{
	void *memory = arena_alloc(arena, size);

	if (memory != NULL)
		return memory;
	if (arena->allocated >= arena->limit || size > arena->limit - arena->allocated)
		ingest_fail(error, INGEST_ERROR_LIMIT, "a batch of rows needs more than %zu bytes", arena->limit);
	else
		ingest_out_of_memory(error);
	return NULL;
}

static void *
batch_alloc_array(ChangeBatch *batch, size_t count, size_t size, IngestError *error)
{
	void *memory;

	if (size != 0 && count > SIZE_MAX / size)
	{
		ingest_out_of_memory(error);
		return NULL;
	}
	memory = batch_alloc(&batch->arena, count * size, error);
	if (memory != NULL)
		memset(memory, 0, count * size);
	return memory;
}

ChangeBatch *
batch_create(const TargetTable *target, uint32_t row_capacity, size_t limit)
{
	ChangeBatch *batch = calloc(1, sizeof(ChangeBatch));

	if (batch == NULL)
		return NULL;
	arena_init(&batch->arena, limit);
	batch->target = target;
	batch->row_capacity = row_capacity < ROW_CAPACITY_MIN ? ROW_CAPACITY_MIN : row_capacity;
	batch->columns = arena_alloc_array(&batch->arena, (size_t) target->column_count, sizeof(BatchColumn));
	if (batch->columns == NULL)
	{
		batch_free(batch);
		return NULL;
	}
	return batch;
}

void
batch_free(ChangeBatch *batch)
{
	if (batch == NULL)
		return;
	arena_release(&batch->arena);
	free(batch);
}

size_t
batch_bytes(const ChangeBatch *batch)
{
	return sizeof(ChangeBatch) + batch->arena.allocated;
}

/* ---- rows ---------------------------------------------------------------- */

/* *array becomes a zeroed array of "capacity" that begins with the first "count" elements of the old one. */
static bool
array_grow(ChangeBatch *batch, void **array, size_t count, size_t capacity, size_t size, IngestError *error)
{
	void *grown = batch_alloc_array(batch, capacity, size, error);

	if (grown == NULL)
		return false;
	if (count > 0)
		memcpy(grown, *array, count * size);
	*array = grown;
	return true;
}

bool
batch_reserve_rows(ChangeBatch *batch, uint32_t rows, IngestError *error)
{
	uint64_t capacity = batch->row_capacity;
	size_t count = batch->row_count;

	if (rows <= batch->row_capacity)
		return true;
	while (capacity < rows)
		capacity *= 2;
	if (capacity > UINT32_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a batch cannot hold more than %u rows", UINT32_MAX);

	/* An array that has grown is merely longer than row_capacity if a later one fails. */
	for (int i = 0; i < batch->target->column_count; i++)
	{
		BatchColumn *column = &batch->columns[i];

		if (column->states != NULL &&
			(!array_grow(batch, (void **) &column->values, count, capacity, sizeof(uint64_t), error) ||
			 !array_grow(batch, (void **) &column->states, count, capacity, sizeof(uint8_t), error)))
			return false;
	}
	if (batch->kinds != NULL && !array_grow(batch, (void **) &batch->kinds, count, capacity, sizeof(uint8_t), error))
		return false;
	if (batch->payload_of != NULL &&
		!array_grow(batch, (void **) &batch->payload_of, count, capacity, sizeof(uint32_t), error))
		return false;
	if (batch->row_numbers != NULL &&
		!array_grow(batch, (void **) &batch->row_numbers, count, capacity, sizeof(int64_t), error))
		return false;
	batch->row_capacity = (uint32_t) capacity;
	return true;
}

bool
batch_prepare_rows(ChangeBatch *batch, ChangeKind kind, uint32_t payload, IngestError *error)
{
	size_t capacity = batch->row_capacity;

	if (batch->kinds == NULL && kind != CHANGE_INSERT)
	{
		batch->kinds = batch_alloc_array(batch, capacity, sizeof(uint8_t), error);
		if (batch->kinds == NULL)
			return false;
	}
	if (batch->payload_of == NULL && payload != 0)
	{
		batch->payload_of = batch_alloc_array(batch, capacity, sizeof(uint32_t), error);
		if (batch->payload_of == NULL)
			return false;
	}
	if (batch->row_numbers == NULL)
	{
		batch->row_numbers = batch_alloc_array(batch, capacity, sizeof(int64_t), error);
		if (batch->row_numbers == NULL)
			return false;
	}
	return true;
}

bool
batch_provide_column(ChangeBatch *batch, int column, IngestError *error)
{
	BatchColumn *provided = &batch->columns[column];
	uint64_t *values;

	if (provided->states != NULL)
		return true;
	values = batch_alloc_array(batch, batch->row_capacity, sizeof(uint64_t), error);
	if (values == NULL)
		return false;
	provided->states = batch_alloc_array(batch, batch->row_capacity, sizeof(uint8_t), error);
	if (provided->states == NULL)
		return false;
	provided->values = values;
	return true;
}

bool
batch_add_row(ChangeBatch *batch, ChangeKind kind, uint32_t payload, int64_t row_number, uint32_t *row,
			  IngestError *error)
{
	uint32_t index = batch->row_count;

	if (index == UINT32_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a batch cannot hold more than %u rows", UINT32_MAX);
	if (index >= batch->row_capacity && !batch_reserve_rows(batch, index + 1, error))
		return false;
	if ((batch->row_numbers == NULL || kind != CHANGE_INSERT || payload != 0) &&
		!batch_prepare_rows(batch, kind, payload, error))
		return false;
	if (batch->kinds != NULL)
		batch->kinds[index] = (uint8_t) kind;
	if (batch->payload_of != NULL)
		batch->payload_of[index] = payload;
	batch->row_numbers[index] = row_number;
	batch->row_count = index + 1;
	*row = index;
	return true;
}

void
batch_drop_last_row(ChangeBatch *batch)
{
	uint32_t row;

	if (batch->row_count == 0)
		return;
	row = --batch->row_count;
	for (int i = 0; i < batch->target->column_count; i++)
	{
		if (batch->columns[i].states != NULL)
			batch->columns[i].states[row] = VALUE_MISSING;
	}
}

void
batch_finish(ChangeBatch *batch)
{
	for (int i = 0; i < batch->target->column_count; i++)
	{
		BatchColumn *column = &batch->columns[i];
		bool all_datums = column->states != NULL;
		bool all_ready = column->states != NULL;

		for (uint32_t row = 0; all_ready && row < batch->row_count; row++)
		{
			all_datums &= column->states[row] == VALUE_DATUM;
			all_ready = column->states[row] == VALUE_DATUM || column->states[row] == VALUE_NULL;
		}
		column->all_datums = all_datums && all_ready;
		column->all_ready = all_ready;
	}
}

/* ---- payloads, bad records, moves ------------------------------------------- */

/* Room for one more element behind "count" in a list that doubles. */
static bool
list_reserve(ChangeBatch *batch, void **list, uint32_t count, uint32_t *capacity, size_t size, IngestError *error)
{
	uint32_t grown = *capacity == 0 ? 8 : *capacity * 2;

	if (count < *capacity)
		return true;
	if (*capacity > UINT32_MAX / 2)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a batch cannot hold more than %u messages", *capacity);
	if (!array_grow(batch, list, count, grown, size, error))
		return false;
	*capacity = grown;
	return true;
}

static bool
copy_bytes(ChangeBatch *batch, Span *span, IngestError *error)
{
	char *copy;

	if (span->data == NULL)
		return true;
	copy = batch_alloc(&batch->arena, span->length + 1, error);
	if (copy == NULL)
		return false;
	memcpy(copy, span->data, span->length);
	copy[span->length] = '\0';
	span->data = copy;
	return true;
}

/* Neighbours mostly share their name (topic, file): then the copy is shared too. */
static bool
copy_name(ChangeBatch *batch, const char **name, const char *previous, IngestError *error)
{
	Span span = {*name, *name == NULL ? 0 : strlen(*name)};

	if (*name != NULL && previous != NULL && strcmp(*name, previous) == 0)
	{
		*name = previous;
		return true;
	}
	if (!copy_bytes(batch, &span, error))
		return false;
	*name = span.data;
	return true;
}

bool
batch_add_payload(ChangeBatch *batch, const Payload *payload, uint32_t *index, IngestError *error)
{
	Payload copy = *payload;
	const Payload *previous = batch->payload_count == 0 ? NULL : &batch->payloads[batch->payload_count - 1];

	if (!copy_name(batch, &copy.topic, previous == NULL ? NULL : previous->topic, error) ||
		!copy_name(batch, &copy.file, previous == NULL ? NULL : previous->file, error) ||
		!copy_bytes(batch, &copy.key, error) || !copy_bytes(batch, &copy.value, error) ||
		!list_reserve(batch, (void **) &batch->payloads, batch->payload_count, &batch->payload_capacity,
					  sizeof(Payload), error))
		return false;
	*index = batch->payload_count++;
	batch->payloads[*index] = copy;
	return true;
}

/* Messages quote foreign bytes and may have been cut within a character; the table of rejects takes UTF-8 only. */
static void
make_printable(char *text)
{
	size_t length = strlen(text);

	if (utf8_is_valid(text, length))
		return;
	for (size_t i = 0; i < length; i++)
	{
		size_t size = 1;

		while (size < 4 && i + size < length && ((unsigned char) text[i + size] & 0xc0) == 0x80)
			size++;
		if (utf8_is_valid(text + i, size))
			i += size - 1;
		else
			text[i] = '?';
	}
}

bool
batch_add_bad(ChangeBatch *batch, uint32_t payload, int64_t record_number, const char *sqlstate, const char *column,
			  const char *message, IngestError *error)
{
	Span text = {message, strlen(message)};
	Span name = {column, column == NULL ? 0 : strlen(column)};
	BadRecord *bad;

	if (!copy_bytes(batch, &text, error) || !copy_bytes(batch, &name, error) ||
		!list_reserve(batch, (void **) &batch->bad, batch->bad_count, &batch->bad_capacity, sizeof(BadRecord), error))
		return false;
	make_printable((char *) text.data);
	bad = &batch->bad[batch->bad_count++];
	bad->payload = payload;
	bad->record_number = record_number;
	memset(bad->sqlstate, 0, sizeof(bad->sqlstate));
	memcpy(bad->sqlstate, sqlstate, strnlen(sqlstate, sizeof(bad->sqlstate) - 1));
	bad->message = text.data;
	bad->column = name.data;
	return true;
}

bool
batch_add_move(ChangeBatch *batch, const PositionMove *move, IngestError *error)
{
	PositionMove copy = *move;
	const PositionMove *previous = batch->move_count == 0 ? NULL : &batch->moves[batch->move_count - 1];

	if (!copy_name(batch, &copy.topic, previous == NULL ? NULL : previous->topic, error) ||
		!copy_name(batch, &copy.commit_identity, previous == NULL ? NULL : previous->commit_identity, error) ||
		!copy_name(batch, &copy.schema_json, previous == NULL ? NULL : previous->schema_json, error) ||
		!list_reserve(batch, (void **) &batch->moves, batch->move_count, &batch->move_capacity, sizeof(PositionMove),
					  error))
		return false;
	batch->moves[batch->move_count++] = copy;
	return true;
}

/* ---- slots --------------------------------------------------------------- */

bool
slot_set_input(ValueSlot slot, Arena *arena, const char *data, size_t length, IngestError *error)
{
	InputText *text;

	if (length > VARLENA_MAX)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "a value of %zu bytes is larger than the server can hold",
						   length);
	text = batch_alloc(arena, sizeof(InputText) + length + 1, error);
	if (text == NULL)
		return false;
	text->length = (uint32_t) length;
	if (length > 0)
		memcpy(text->data, data, length);
	text->data[length] = '\0';
	*slot.state = VALUE_INPUT;
	*slot.value = (uint64_t) (uintptr_t) text;
	return true;
}
