/*-------------------------------------------------------------------------
 *
 * batch_internal.h
 *	  What the files of batch/ share and no other room may use.
 *
 *	batch.c		  the batch itself
 *	numeric_value.c	  the server's numeric, as bytes
 *	float_value.c	  floats to and from text
 *	temporal_value.c  the calendar; ISO dates and times to and from numbers
 *	text_value.c	  one text value to its column's form
 *
 * A "slot" is where one value goes: a state and a datum.  Converters write slots, so
 * that the same code serves a batch's cell and the entry of a dictionary.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_BATCH_INTERNAL_H
#define INGEST_BATCH_INTERNAL_H

#include <string.h>

#include "batch/batch.h"

/* ---- memory of a batch --------------------------------------------------- */

/* As arena_alloc; the error tells the limit from exhaustion. */
extern void *batch_alloc(Arena *arena, size_t size, IngestError *error) INGEST_MUST_CHECK;

/* Rows up to "rows" can be written without growing. */
extern bool batch_reserve_rows(ChangeBatch *batch, uint32_t rows, IngestError *error) INGEST_MUST_CHECK;
/* Make kinds, payload_of and row_numbers where these rows need them. */
extern bool
batch_prepare_rows(ChangeBatch *batch, ChangeKind kind, uint32_t payload, IngestError *error) INGEST_MUST_CHECK;

/* ---- slots --------------------------------------------------------------- */

typedef struct ValueSlot
{
	uint8_t *state;
	uint64_t *value;
} ValueSlot;

static inline void
slot_set_datum(ValueSlot slot, uint64_t datum)
{
	*slot.state = VALUE_DATUM;
	*slot.value = datum;
}

static inline void
slot_set_pointer(ValueSlot slot, const void *pointer)
{
	slot_set_datum(slot, (uint64_t) (uintptr_t) pointer);
}

/* The value's text for the type's own input function. */
extern bool
slot_set_input(ValueSlot slot, Arena *arena, const char *data, size_t length, IngestError *error) INGEST_MUST_CHECK;

/* ---- varlena ------------------------------------------------------------- */

#define VARLENA_SHORT_MAX 126         /* data bytes behind a 1-byte header */
#define VARLENA_MAX (0x3fffffff - 64) /* data bytes the server can hold in one value, with room for headers */

/* Write the header of a value of "length" data bytes; returns its size (1 or 4). */
static inline size_t
varlena_write_header(unsigned char *out, size_t length)
{
	if (length <= VARLENA_SHORT_MAX)
	{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		out[0] = (unsigned char) (((length + 1) << 1) | 1);
#else
		out[0] = (unsigned char) ((length + 1) | 0x80);
#endif
		return 1;
	}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint32_t header = (uint32_t) (length + 4) << 2;
#else
	uint32_t header = (uint32_t) (length + 4) & 0x3fffffff;
#endif

	memcpy(out, &header, 4);
	return 4;
}

#endif
