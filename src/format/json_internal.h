/*-------------------------------------------------------------------------
 *
 * json_internal.h
 *	  What the JSON files of format/ share.
 *
 * Three outcomes must be told apart all the way down: out of memory (false, the call fails),
 * JSON that is none (FAULT_SYNTAX: the rest of the message is lost), and a record that does not
 * fit (FAULT_RECORD: the scanner is behind it, and the next one is read).
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_JSON_INTERNAL_H
#define INGEST_JSON_INTERNAL_H

#include "format/format_internal.h"

typedef enum JsonUpdateFormat
{
	UPDATE_FORMAT_RAW,
	UPDATE_FORMAT_INSERT_DELETE,
	UPDATE_FORMAT_DEBEZIUM
} JsonUpdateFormat;

typedef enum JsonBinary
{
	BINARY_BYTES, /* an array of numbers; a string is the server's bytea text */
	BINARY_BASE64,
	BINARY_BASE58,
	BINARY_HEX
} JsonBinary;

typedef struct JsonFlavor
{
	const char *name;
	TemporalFlavor date;
	TemporalFlavor time;
	TemporalFlavor timestamp;
	JsonBinary binary;
	bool variant_is_string; /* JSON columns come as a string that holds the JSON */
} JsonFlavor;

typedef enum FaultKind
{
	FAULT_NONE = 0,
	FAULT_RECORD,
	FAULT_SYNTAX
} FaultKind;

/* What is wrong with the record being read. */
typedef struct JsonFault
{
	FaultKind kind;
	const char *sqlstate;
	const char *column; /* or null */
	char message[512];
} JsonFault;

/* One key as rows have it, and where it goes. */
typedef struct KnownKey
{
	Span name;
	int column; /* -1: no column, or a generated one */
	int next;   /* index of the key that followed last time */
} KnownKey;

#define KNOWN_KEYS_MAX 1024

/* Key to column, learned from the rows themselves: they mostly have their keys in the same order. */
typedef struct KeyMemory
{
	Arena arena;
	int count;
	KnownKey *keys; /* KNOWN_KEYS_MAX of them */
} KeyMemory;

typedef struct JsonDecoder
{
	const TargetTable *target;
	const FedColumns *fed;
	const JsonFlavor *flavor;
	JsonUpdateFormat update_format;
	bool array;
	bool single_lines;
	KeyMemory memory;
	int required_count; /* columns that an insert cannot leave out */
	int *required;
	int key_count;
	int *key_columns;
	struct Buffer scratch; /* one decoded string, one literal */

	/* the message on its way */
	ChangeBatch *batch;
	uint32_t payload;
	int64_t number; /* of the record being read, from 1 */
	JsonFault fault;
} JsonDecoder;

/* Note the first fault of the record. */
extern void json_fault(JsonDecoder *decoder, FaultKind kind, const char *sqlstate, const char *column,
					   const char *format, ...) INGEST_PRINTF(5, 6);
/* From the scanner's error; true unless it was memory. */
extern bool json_syntax_fault(JsonDecoder *decoder, IngestError *error);

/*
 * Read one row at the scanner into a new row of the batch.  On a fault the row is taken away again, and the
 * scanner stands behind the row unless the fault is FAULT_SYNTAX.  False: out of memory.
 */
extern bool
json_read_row(JsonDecoder *decoder, JsonScanner *scanner, ChangeKind kind, IngestError *error) INGEST_MUST_CHECK;
extern bool json_key_memory_init(KeyMemory *memory, IngestError *error) INGEST_MUST_CHECK;
extern void json_key_memory_release(KeyMemory *memory);

/* Read the value at the scanner into a cell.  False: out of memory. */
extern bool json_read_value(JsonDecoder *decoder, JsonScanner *scanner, int column, uint32_t row,
							IngestError *error) INGEST_MUST_CHECK;

#endif
