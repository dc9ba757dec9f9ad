/*-------------------------------------------------------------------------
 *
 * variant.h
 *	  Values of Parquet's and Delta's type VARIANT: reading the binary form, and putting
 *	  together what was shredded into columns.
 *
 * Plain C, like common.h.  A variant is two byte strings: the metadata, a dictionary of
 * field names, and the value.  Both are foreign bytes: each read is checked against
 * their ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_VARIANT_H
#define INGEST_VARIANT_H

#include "common/arrow_abi.h"
#include "common/common.h"

/* Deeper nesting is refused by who walks. */
#define VARIANT_MAX_DEPTH 128

typedef enum VariantKind
{
	VARIANT_NULL,
	VARIANT_TRUE,
	VARIANT_FALSE,
	VARIANT_INTEGER,       /* 8 to 64 bits: integer */
	VARIANT_FLOAT,         /* floating */
	VARIANT_DOUBLE,        /* floating */
	VARIANT_DECIMAL,       /* decimal, scale */
	VARIANT_DATE,          /* integer: days since 1970 */
	VARIANT_TIMESTAMP,     /* integer: microseconds since 1970, UTC */
	VARIANT_TIMESTAMP_NTZ, /* the same without zone */
	VARIANT_TIMESTAMP_NANOS,
	VARIANT_TIMESTAMP_NTZ_NANOS,
	VARIANT_TIME, /* integer: microseconds since midnight */
	VARIANT_BINARY,
	VARIANT_STRING,
	VARIANT_UUID, /* bytes: 16, big-endian */
	VARIANT_OBJECT,
	VARIANT_ARRAY
} VariantKind;

typedef struct VariantValue
{
	VariantKind kind;
	int64_t integer;
	double floating;
	uint64_t decimal[2]; /* unscaled, two's complement, low half first */
	int scale;
	Span bytes;  /* STRING, BINARY, UUID */
	size_t size; /* bytes of the whole value */
	/* OBJECT, ARRAY: fields are in the order of their names */
	uint32_t count;
	int id_width; /* 0 for arrays */
	int offset_width;
	const uint8_t *ids;
	const uint8_t *offsets;
	const uint8_t *data;
	size_t data_length;
} VariantValue;

/* Decode the value at the beginning of "value" (bytes behind it are allowed).  CORRUPT. */
extern bool variant_read(Span value, VariantValue *out, IngestError *error) INGEST_MUST_CHECK;
/* Bytes of the i-th element or field value, from its beginning to the end of the parent's data. */
extern bool variant_child(const VariantValue *parent, uint32_t i, Span *value, IngestError *error) INGEST_MUST_CHECK;
/* Index of the name of an object's i-th field in the dictionary. */
extern uint32_t variant_field_id(const VariantValue *object, uint32_t i);

/* The names of a variant's metadata. */
typedef struct VariantDictionary
{
	uint32_t count;
	int width;
	const uint8_t *offsets;
	const uint8_t *names;
	size_t names_length;
} VariantDictionary;

extern bool variant_dictionary_open(Span metadata, VariantDictionary *out, IngestError *error) INGEST_MUST_CHECK;
extern bool variant_dictionary_name(const VariantDictionary *dictionary, uint32_t id, Span *name,
									IngestError *error) INGEST_MUST_CHECK;

/*
 * The value of one row of a variant column, shredded or not, appended to "out" (nothing where the row itself is null:
 * the caller knows that).  "schema" is a struct with the children metadata and value, and typed_value where it is
 * shredded, in any order; *metadata points into the array.
 */
extern bool variant_assemble(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row,
							 Span *metadata, struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;

#endif
