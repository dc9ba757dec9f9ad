/*-------------------------------------------------------------------------
 *
 * arrow_internal.h
 *	  What the Arrow files of batch/ share.
 *
 *	arrow_type.c	  format strings and extension names to an ArrowType
 *	arrow_text.c	  one value as text or JSON
 *	arrow_variant.c	  variants as JSON
 *	arrow_plan.c	  which field feeds which column, by which converter
 *	arrow_convert.c	  converters of fixed-width values
 *	arrow_variable.c  converters of strings, bytes, dictionaries and nested values
 *
 * "row" is always relative to the array, its offset not yet added.  Arrays come from rooms
 * that have checked the file; what is checked again here is the shape (buffers, children).
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_ARROW_INTERNAL_H
#define INGEST_ARROW_INTERNAL_H

#include "batch/batch_internal.h"

typedef enum ArrowKind
{
	ARROW_NULL,
	ARROW_BOOLEAN,
	ARROW_INT8,
	ARROW_INT16,
	ARROW_INT32,
	ARROW_INT64,
	ARROW_UINT8,
	ARROW_UINT16,
	ARROW_UINT32,
	ARROW_UINT64,
	ARROW_FLOAT16,
	ARROW_FLOAT32,
	ARROW_FLOAT64,
	ARROW_DECIMAL,
	ARROW_STRING, /* offsets of 4 bytes, or of 8 where "large" */
	ARROW_BINARY,
	ARROW_FIXED_BINARY,
	ARROW_DATE,
	ARROW_TIME,
	ARROW_TIMESTAMP,
	ARROW_DURATION,
	ARROW_MONTHS,           /* tiM */
	ARROW_DAYS_TIME,        /* tiD: int32 days, int32 milliseconds */
	ARROW_MONTHS_DAYS_NANO, /* tin: int32 months, int32 days, int64 nanoseconds */
	ARROW_LIST,
	ARROW_FIXED_LIST,
	ARROW_STRUCT,
	ARROW_MAP
} ArrowKind;

typedef enum ArrowExtension
{
	ARROW_EXTENSION_NONE,
	ARROW_EXTENSION_UUID,
	ARROW_EXTENSION_JSON,
	ARROW_EXTENSION_VARIANT
} ArrowExtension;

typedef struct ArrowType
{
	ArrowKind kind;
	ArrowExtension extension;
	bool large;
	bool zone;           /* timestamps: a zone is named, the value is UTC; times: adjusted to UTC */
	int width;           /* bytes of a value in its buffer; elements of a FIXED_LIST */
	int precision;       /* DECIMAL */
	int scale;           /* DECIMAL */
	int fraction_digits; /* of the unit: 0, 3, 6, 9; DATE: 3 where it counts milliseconds */
} ArrowType;

extern bool arrow_type_read(const struct ArrowSchema *schema, ArrowType *type, IngestError *error) INGEST_MUST_CHECK;
/* A name for messages: "decimal(10,2)". */
#define ARROW_TYPE_NAME_MAX 64
extern void arrow_type_name(const ArrowType *type, char out[ARROW_TYPE_NAME_MAX]);
/* Has the array the buffers and children that the type says?  CORRUPT. */
extern bool arrow_shape_check(const struct ArrowSchema *schema, const ArrowType *type, const struct ArrowArray *array,
							  IngestError *error) INGEST_MUST_CHECK;

/* ---- reading values -------------------------------------------------------- */

static inline bool
arrow_is_valid(const struct ArrowArray *array, int64_t row)
{
	const uint8_t *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
	int64_t index = row + array->offset;

	return bits == NULL || array->null_count == 0 || (bits[index >> 3] >> (index & 7) & 1) != 0;
}

/* Start of the fixed-width values, at the array's row 0. */
static inline const unsigned char *
arrow_values(const struct ArrowArray *array, int width)
{
	return (const unsigned char *) array->buffers[1] + array->offset * width;
}

static inline bool
arrow_boolean(const struct ArrowArray *array, int64_t row)
{
	const uint8_t *bits = array->buffers[1];
	int64_t index = row + array->offset;

	return (bits[index >> 3] >> (index & 7) & 1) != 0;
}

/* An integer-like value (ints, dates, times ...); uint64 comes as its bits. */
extern int64_t arrow_integer(const ArrowType *type, const struct ArrowArray *array, int64_t row);
/* Bytes of a string, binary or fixed binary. */
extern Span arrow_bytes(const ArrowType *type, const struct ArrowArray *array, int64_t row);
/* Elements of a list or map: *first and *count in the child. */
extern void
arrow_elements(const ArrowType *type, const struct ArrowArray *array, int64_t row, int64_t *first, int64_t *count);
extern float arrow_half_float(uint16_t bits);

/* Split a count of 10^-digits seconds into days (of any epoch), seconds of the day and the rest. */
extern void arrow_split_time(int64_t value, int fraction_digits, int64_t *days, int64_t *seconds, int64_t *fraction);

/* ---- text ------------------------------------------------------------------- */

#define ARROW_SCALAR_TEXT_MAX (DECIMAL_TEXT_MAX > 128 ? DECIMAL_TEXT_MAX : 128)

/* The text of a value of fixed width; returns the length. */
extern size_t arrow_scalar_to_text(const ArrowType *type, const struct ArrowArray *array, int64_t row, char *out);
/* As arrow_value_to_json, but strings are not checked to be UTF-8: the server will. */
extern bool arrow_write_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
							 struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;
/* The array literal of a list: {1,2,NULL}.  Strings are not checked either. */
extern bool arrow_write_literal(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
								bool json_elements, struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;

/* arrow_variant.c: a variant that is not null, as plain JSON */
extern bool arrow_write_variant(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
								int depth, struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;
/* 36 characters; returns that. */
extern size_t arrow_uuid_to_text(const unsigned char *bytes, char *out);

/* months, days and microseconds as the server prints an interval */
extern size_t interval_to_text(char *out, int32_t months, int32_t days, int64_t microseconds);
extern void arrow_interval(const ArrowType *type, const struct ArrowArray *array, int64_t row, int32_t *months,
						   int32_t *days, int64_t *microseconds);

/* ---- conversion --------------------------------------------------------------- */

/* Rows [first, first + count) of a column's array into as many slots. */
typedef struct Conversion
{
	const struct ArrowSchema *schema;
	const ArrowType *type;
	const struct ArrowArray *array;
	int64_t first;
	int64_t count;
	const ColumnTarget *column;
	bool utf8;
	Arena *arena;
	uint8_t *states;
	uint64_t *values;
	IngestError *error;
} Conversion;

/* False: out of memory or a limit; a value never makes it fail. */
typedef bool (*ConvertFunction)(const Conversion *conversion);

/* Null where the type cannot feed the column. */
extern ConvertFunction arrow_fixed_converter(const ArrowType *type, const ColumnTarget *column);
extern ConvertFunction arrow_variable_converter(const ArrowType *type, const ColumnTarget *column);
/* The dictionary's values by the converter of their type, then the indices. */
extern bool arrow_convert_dictionary(const Conversion *conversion, const ArrowType *index_type,
									 ConvertFunction convert) INGEST_MUST_CHECK;

/* states[] from the validity bitmap: VALUE_DATUM or VALUE_NULL. */
extern void arrow_fill_states(const Conversion *conversion);
/* By way of text, value by value: right for every pair of types, and slow. */
extern bool arrow_convert_by_text(const Conversion *conversion);
extern bool arrow_convert_to_json(const Conversion *conversion);

static inline ValueSlot
conversion_slot(const Conversion *conversion, int64_t i)
{
	return (ValueSlot){&conversion->states[i], &conversion->values[i]};
}

#endif
