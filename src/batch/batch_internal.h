/*-------------------------------------------------------------------------
 *
 * batch_internal.h
 *	  What the files of batch/ share and no other room may use.
 *
 *	batch.c		  the batch itself
 *	numeric_value.c	  the server's numeric, as bytes
 *	float_value.c	  floats from text
 *	float_text.c	  floats to text
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

/* ---- numeric ------------------------------------------------------------- */

#define NUMERIC_GROUP 10000 /* base of the server's digits */
/* digits in either part of what is encoded here; the server takes more, by way of its input function */
#define NUMERIC_TEXT_DIGITS_MAX 1000

/* A plain decimal: [+-]digits[.digits], without exponent. */
typedef struct NumericParts
{
	bool negative;
	Span integer;  /* without leading zeros, may be empty */
	Span fraction; /* as written, may be empty */
} NumericParts;

extern bool numeric_parse(Span text, NumericParts *parts);
/* Does the value fit the typmod without rounding?  Cuts the zeros behind the scale away, and sets the display scale. */
extern bool numeric_fit(NumericParts *parts, int precision, int scale, int *display_scale);
/* Bytes that an encoded value of so many decimal digits may need, header included. */
extern size_t numeric_size_max(size_t digits);
/* Write the value with its varlena header; returns the size. */
extern size_t numeric_encode_parts(unsigned char *out, const NumericParts *parts, int display_scale);
/* The same for magnitude * 10^-scale; 0 <= scale <= 38. */
extern size_t numeric_encode(unsigned char *out, bool negative, uint64_t magnitude, int scale, int display_scale);
extern size_t
numeric_encode_wide(unsigned char *out, bool negative, unsigned __int128 magnitude, int scale, int display_scale);

#define DECIMAL_TEXT_MAX 320 /* of 256 bits with a scale up to 255, point, sign, NUL */

/* Little-endian two's complement of "width" bytes (4, 8, 16, 32) as text with its scale; returns the length. */
extern size_t decimal_to_text(char *out, const unsigned char *bytes, size_t width, int scale);

/* ---- floats -------------------------------------------------------------- */

#define FLOAT_TEXT_MAX 40

/* False where the text is no plain float in range: the server's input function decides. */
extern bool float8_from_text(Span text, double *out);
extern bool float4_from_text(Span text, float *out);
/* As the server prints them with extra_float_digits = 1; returns the length, NUL-terminated. */
extern size_t float8_to_text(char *out, double value);
extern size_t float4_to_text(char *out, float value);

/* ---- dates and times ------------------------------------------------------- */

#define MICROSECONDS_PER_SECOND INT64_C(1000000)
#define MICROSECONDS_PER_DAY INT64_C(86400000000)
#define EPOCH_DAYS 10957                            /* from 1970-01-01 to 2000-01-01 */
#define EPOCH_MICROSECONDS INT64_C(946684800000000) /* the same */
#define DATE_MIN (-2451545)                         /* 4714-11-24 BC, days since 2000 */
#define DATE_END INT64_C(2145031949)                /* 5874898-01-01, exclusive */
#define TIMESTAMP_MIN INT64_C(-211813488000000000)  /* 4714-11-24 BC */
#define TIMESTAMP_END INT64_C(9223371331200000000)  /* 294277-01-01, exclusive */
#define TEMPORAL_TEXT_MAX 64

/* Days since 2000-01-01 in the proleptic Gregorian calendar, year 0 = 1 BC. */
extern int64_t calendar_days(int64_t year, int month, int day);

/* Strict ISO forms; false: the server's input function decides. */
extern bool date_from_text(Span text, int32_t *days);
extern bool time_from_text(Span text, int64_t *microseconds);
/* With a zone the result is UTC and *has_zone is true. */
extern bool timestamp_from_text(Span text, int64_t *microseconds, bool *has_zone);

/* Round as the server rounds to time(p) and timestamp(p). */
extern int64_t temporal_round(int64_t microseconds, int fraction_digits);

/* The server's text, for any number: years of any length, " BC".  Return the length, NUL-terminated. */
extern size_t date_to_text(char *out, int64_t days_since_2000);
/* "fraction" in units of 10^-fraction_digits seconds, zeros cut; zone: append "+00" */
extern size_t time_to_text(char *out, int64_t seconds, int64_t fraction, int fraction_digits, bool zone);
extern size_t timestamp_to_text(char *out, int64_t days_since_2000, int64_t seconds, int64_t fraction,
								int fraction_digits, bool zone);

/* ---- one value ------------------------------------------------------------- */

typedef struct TextTraits
{
	bool ascii;
	bool storable; /* valid UTF-8 without NUL */
	size_t characters;
} TextTraits;

extern TextTraits text_inspect(const char *data, size_t length);

/* Turn a text value into the column's form. */
extern bool slot_set_text(ValueSlot slot, const ColumnTarget *column, bool utf8, Span text, TemporalFlavor flavor,
						  Arena *arena, IngestError *error) INGEST_MUST_CHECK;

#endif
