/*-------------------------------------------------------------------------
 *
 * datagen_internal.h
 *	  What the files of datagen share.  Not for other transports.
 *
 *	datagen_plan	 the declaration, checked against the target
 *	datagen_range	 ranges and lists of values, by type
 *	datagen_random	 the generator of a row, and the distributions drawn from it
 *	datagen_value	 one value of one column, and its place in a batch
 *	datagen_text	 the string strategies; datagen_words: their words
 *	datagen			 the routine and its loop
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_DATAGEN_INTERNAL_H
#define INGEST_DATAGEN_INTERNAL_H

#include "source/source_internal.h"

/* Arenas align to 8 bytes only. */
typedef __int128 WideInteger __attribute__((aligned(8)));
typedef unsigned __int128 WideUnsigned __attribute__((aligned(8)));

/* ---- datagen_random.c ----------------------------------------------------------- */

/* Begun anew for each row, so that what a row holds depends on the seed and its number alone. */
typedef struct DatagenRandom
{
	uint64_t state;
} DatagenRandom;

extern void random_begin_row(DatagenRandom *random, uint64_t seed, int64_t row);
extern uint64_t random_next(DatagenRandom *random);
/* Uniform in [0, count); count > 0. */
extern WideUnsigned random_below(DatagenRandom *random, WideUnsigned count);
extern double random_unit(DatagenRandom *random); /* in [0, 1) */

/* Ranks 1 .. count, the probability of k being proportional to k^-exponent. */
typedef struct Zipf
{
	uint64_t count;
	double exponent;
	double integral_first; /* of the hat function, left of rank 1 and right of rank "count" */
	double integral_last;
	double shortcut;
} Zipf;

extern void zipf_init(Zipf *zipf, uint64_t count, int64_t exponent);
extern uint64_t zipf_rank(const Zipf *zipf, DatagenRandom *random);

/* ---- datagen_text.c --------------------------------------------------------------- */

typedef struct TextStrategy TextStrategy;

extern const TextStrategy *text_strategy_find(const char *name);
/* Does "range" say how many words, sentences, characters it makes? */
extern bool text_strategy_is_counted(const TextStrategy *strategy);
/* Append a text of the strategy; "count" is for the counted ones. */
extern bool text_strategy_append(const TextStrategy *strategy, DatagenRandom *random, uint64_t count,
								 struct Buffer *out, IngestError *error) INGEST_MUST_CHECK;
extern bool text_append_alphanumeric(DatagenRandom *random, uint64_t length, struct Buffer *out,
									 IngestError *error) INGEST_MUST_CHECK;

/* ---- datagen_words.c -------------------------------------------------------------- */

/* A list of words or templates (see datagen_text.c), or null. */
extern const char *const *text_words(const char *name, size_t *count);

/* ---- datagen_plan.c --------------------------------------------------------------- */

typedef enum DatagenKind
{
	DATAGEN_NULL,    /* a type that cannot be made up */
	DATAGEN_INTEGER, /* unit 1 */
	DATAGEN_REAL,
	DATAGEN_DECIMAL, /* unit 10^-digits */
	DATAGEN_BOOLEAN,
	DATAGEN_TEXT,
	DATAGEN_UUID,
	DATAGEN_DATE,      /* days since 1970 */
	DATAGEN_TIME,      /* milliseconds */
	DATAGEN_TIMESTAMP, /* milliseconds since 1970 */
	DATAGEN_BYTES,
	DATAGEN_ARRAY
} DatagenKind;

typedef enum DatagenStrategy
{
	DATAGEN_INCREMENT,
	DATAGEN_UNIFORM,
	DATAGEN_ZIPF,
	DATAGEN_NAMED /* a string strategy */
} DatagenStrategy;

typedef struct DatagenField
{
	const ColumnTarget *column; /* null: a byte of a bytea */
	const char *path;           /* in the declaration, for messages */
	DatagenKind kind;
	DatagenStrategy strategy;
	const TextStrategy *named;
	int null_percentage; /* 0: never */
	int64_t scale;
	int64_t exponent;
	bool has_range;
	WideInteger low; /* half-open, in units of the kind; lengths for TEXT, BYTES, ARRAY */
	WideInteger high;
	int digits; /* DECIMAL */
	double real_low;
	double real_high;
	WideUnsigned uuid_low;
	WideUnsigned uuid_high;
	size_t value_count; /* "values", or 0 */
	Span *values;       /* data null: NULL; as text, BYTES: the bytes */
	Zipf zipf;
	struct DatagenField *element; /* BYTES, ARRAY */
} DatagenField;

typedef struct DatagenPlan
{
	int64_t limit;        /* -1: none */
	int64_t rate;         /* rows a second, 0: none */
	DatagenField *fields; /* of the target's columns in their order; kind and path unset for generated ones */
} DatagenPlan;

typedef struct DatagenConfig
{
	size_t plan_count;
	DatagenPlan *plans;
	bool has_seed;
	uint64_t seed;
	int64_t transaction_size; /* 0: none */
} DatagenConfig;

#define DATAGEN_PATH "$.transport.config"
#define DATAGEN_MAX_LENGTH 1000000 /* of a text, a bytea or an array that is made up */
#define DATAGEN_DEFAULT_LENGTH 25
#define DATAGEN_DEFAULT_ELEMENTS 5

/*
 * Parse transport.config; everything lies in the arena.  "target" null: only what can be checked without.
 * "check" (may be null) takes the warnings.
 */
extern bool datagen_config_parse(const JsonValue *config, const TargetTable *target, Arena *arena, DatagenConfig *out,
								 SourceCheck *check, IngestError *error) INGEST_MUST_CHECK;

/* Settings of one column, or of the elements of one ("column" null: of a bytea). */
extern bool datagen_field_parse(const JsonValue *settings, const ColumnTarget *column, const char *path, Arena *arena,
								DatagenField *out, IngestError *error) INGEST_MUST_CHECK;

/* ---- datagen_range.c -------------------------------------------------------------- */

extern bool datagen_range_parse(const JsonValue *range, DatagenField *field, IngestError *error) INGEST_MUST_CHECK;
extern bool
datagen_values_parse(const JsonValue *values, Arena *arena, DatagenField *field, IngestError *error) INGEST_MUST_CHECK;
/* What the type gives where no range is given. */
extern void datagen_range_default(DatagenField *field);
/* The largest value of an integer type that fits its column. */
extern int64_t datagen_integer_maximum(const ColumnTarget *column);
extern int64_t datagen_integer_minimum(const ColumnTarget *column);

/* ---- datagen_value.c -------------------------------------------------------------- */

typedef struct DatagenScratch
{
	DatagenRandom random;
	struct Buffer text;
	struct Buffer literal; /* of an array */
} DatagenScratch;

/* Set the value of row "number" of its plan at "row" of the batch. */
extern bool datagen_set_value(const DatagenField *field, int64_t number, DatagenScratch *scratch, ChangeBatch *batch,
							  int column, uint32_t row, IngestError *error) INGEST_MUST_CHECK;

#endif
