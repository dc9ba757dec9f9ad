/*-------------------------------------------------------------------------
 *
 * format.h
 *	  Door of the room format/: a payload's bytes to rows of a batch.
 *
 * Plain C (see common.h).  A decoder belongs to one thread.  A payload that cannot
 * be decoded, or a record of it, becomes a BadRecord of the batch with the payload's
 * index and its record number; the other records of the payload survive, except in a
 * JSON array, which is taken whole or not at all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_FORMAT_H
#define INGEST_FORMAT_H

#include "batch/batch.h"
#include "common/common.h"

typedef struct FormatDecoder FormatDecoder;

/*
 * Check {"name": ..., "config": {...}} and make a decoder for the target.  INVALID names
 * the JSON path below "$.format" and hints at what would be valid.  Also the check of the
 * declaration: it touches nothing but its arguments.  "format" and "target" must outlive the decoder.
 */
extern bool format_open(const JsonValue *format, const TargetTable *target, FormatDecoder **out,
						IngestError *error) INGEST_MUST_CHECK;
extern void format_close(FormatDecoder *decoder);

/* Tell a fresh batch which columns this format can give. */
extern bool
format_prepare_batch(const FormatDecoder *decoder, ChangeBatch *batch, IngestError *error) INGEST_MUST_CHECK;

/* Append the records of one whole message.  "payload" is its index in the batch. False only
 * when memory is out or the arena's limit is reached; bad input is never a false. */
extern bool format_decode(FormatDecoder *decoder, Span message, uint32_t payload, ChangeBatch *batch,
						  IngestError *error) INGEST_MUST_CHECK;

/* Comma-separated names for hints: "csv, json". */
extern const char *format_names(void);

#endif
