/*-------------------------------------------------------------------------
 *
 * parquet.h
 *	  Door of the room parquet/: a Parquet file's columns as Arrow arrays.
 *
 * Plain C (see common.h).  The file is read through a callback, so this room knows
 * no store.  A ParquetFile is immutable once open and may be shared by threads; a
 * ParquetReader belongs to one thread.
 *
 * Promises: every error names the row group, column and byte offset; no allocation
 * is made on a size that the file claims before that size was checked; memory of a
 * reader stays near its byte budget whatever the size of a row group, because
 * chunks are read in windows, page by page, and a batch ends inside a page.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_PARQUET_H
#define INGEST_PARQUET_H

#include "common/arrow_abi.h"
#include "common/common.h"

typedef struct ParquetInput
{
	/* Exactly length bytes from offset into out. Called from the reader's thread. */
	bool (*read)(void *state, uint64_t offset, size_t length, void *out, IngestError *error);
	/* A hint, may be null: this range will be read soon, in this order of calls. */
	void (*prefetch)(void *state, uint64_t offset, size_t length);
	void *state;
	uint64_t size; /* of the whole object */
} ParquetInput;

typedef struct ParquetOptions
{
	size_t byte_budget;           /* of one reader; 0 = 32 MB.  Up to four times that where hundreds of columns have
								   * large pages, before pages are given back and read again */
	size_t batch_size;            /* bytes that one array takes, about; 0 = 16 MB */
	size_t max_page_size;         /* bytes, a larger page is LIMIT; 0 = 256 MB */
	size_t max_footer_size;       /* 0 = 1 GB */
	bool skip_page_checksums;     /* page CRCs are verified where present unless set */
	bool converted_type_is_local; /* a converted type without a logical type, and INT96, carry no
								   * zone (the corpora's convention); default: UTC, as the format says */
	bool keep_dictionary;         /* top-level byte arrays leave as Arrow dictionary arrays: the file's dictionary
								   * where it has one, else each value is its own entry */
} ParquetOptions;

typedef struct ParquetFile ParquetFile;
typedef struct ParquetReader ParquetReader;

/* Reads and checks the footer. "input" is copied; what it points to must outlive the file. */
extern bool parquet_open(const ParquetInput *input, const ParquetOptions *options, ParquetFile **out,
						 IngestError *error) INGEST_MUST_CHECK;
extern void parquet_close(ParquetFile *file);

extern int64_t parquet_row_count(const ParquetFile *file);
extern int parquet_row_group_count(const ParquetFile *file);
extern int64_t parquet_row_group_rows(const ParquetFile *file, int row_group);
/* Value of a key in the footer's key_value_metadata, or null. */
extern const char *parquet_metadata_value(const ParquetFile *file, const char *key);

/*
 * The file's schema: a struct ("+s") with one child a top-level field.  Nested fields
 * have the Arrow shape of their logical type (the legacy list and map forms resolved).
 * Child metadata holds, in Arrow's metadata encoding, "PARQUET:field_id" where the file
 * has one, "ARROW:extension:name" for uuid (arrow.uuid), json (arrow.json) and variant
 * (arrow.parquet.variant), and "PARQUET:adjusted_to_utc" = "true" for a UTC time of day.
 * Decimals of every carrier are d:p,s (256 bits above 38 digits), half floats f, INTERVAL
 * tin, INT96 tsu (microseconds, floored: nanoseconds do not span its range), the type
 * UNKNOWN and the missing value of a set n.  Groups without a column are left out.
 * The schema belongs to the file; do not release it.
 */
extern const struct ArrowSchema *parquet_schema(const ParquetFile *file);

/*
 * Read some fields of all rows from "first_row" (a physical row number of the file) on.
 * "projection" is a struct schema like parquet_schema's with fewer children at any level
 * of structs, matched by name (exact); null = all.  The reader's arrays have the
 * projection's shape with the file's types.  A projection without any leaf yields arrays
 * with a length only.
 */
extern bool parquet_reader_open(const ParquetFile *file, const struct ArrowSchema *projection, int64_t first_row,
								ParquetReader **out, IngestError *error) INGEST_MUST_CHECK;

/* Do not read these row groups (their rows still count); set before the first next. */
extern void parquet_reader_skip_row_group(ParquetReader *reader, int row_group);

/*
 * The next rows: at most "max_rows" (0: any number), and 8,192, and about batch_size.  array->release is null
 * at the end of the file.  *first_row is the physical row number of the array's row 0; the
 * rows of one array are adjacent.  The caller owns the array and may keep it after the
 * reader is gone.
 */
extern bool parquet_reader_next(ParquetReader *reader, int64_t max_rows, struct ArrowArray *array, int64_t *first_row,
								const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
/* The schema of the arrays above; belongs to the reader. */
extern const struct ArrowSchema *parquet_reader_schema(const ParquetReader *reader);
extern void parquet_reader_close(ParquetReader *reader);

#endif
