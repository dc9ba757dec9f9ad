/*-------------------------------------------------------------------------
 *
 * arrow_build.h
 *	  Make ArrowSchema and ArrowArray structs that release themselves.
 *
 * Trees are built from the top: a struct made here has room for its children, whose "release" is null until they are
 * made too, so that a tree given up half-way is released like a whole one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_PARQUET_ARROW_BUILD_H
#define INGEST_PARQUET_ARROW_BUILD_H

#include "common/arrow_abi.h"
#include "common/common.h"

/* Texts are copied. */
extern bool arrow_schema_create(struct ArrowSchema *schema, const char *format, const char *name, int64_t child_count,
								IngestError *error) INGEST_MUST_CHECK;
extern bool
arrow_schema_add_dictionary(struct ArrowSchema *schema, const char *format, IngestError *error) INGEST_MUST_CHECK;
/* "pairs" holds 2 * pair_count texts; none: no metadata. */
extern bool arrow_schema_set_metadata(struct ArrowSchema *schema, const char *const *pairs, int pair_count,
									  IngestError *error) INGEST_MUST_CHECK;

#define ARROW_MAX_BUFFERS 3

/* What keeps foreign memory of an array alive: called once, at its release. */
typedef struct ArrowKeeper
{
	void (*release)(void *object);
	void *object;
} ArrowKeeper;

/* An array of null buffers and children to be filled in. */
extern bool arrow_array_create(struct ArrowArray *array, int64_t length, int buffer_count, int64_t child_count,
							   IngestError *error) INGEST_MUST_CHECK;
/* The array takes over a malloc'ed buffer. */
extern void arrow_array_set_buffer(struct ArrowArray *array, int index, void *data);
/* The array points at a buffer that "keeper" keeps alive. */
extern void arrow_array_share_buffer(struct ArrowArray *array, int index, const void *data);
extern void arrow_array_set_keeper(struct ArrowArray *array, ArrowKeeper keeper);
extern bool arrow_array_add_dictionary(struct ArrowArray *array, int64_t length, int buffer_count,
									   IngestError *error) INGEST_MUST_CHECK;

#endif
