/*-------------------------------------------------------------------------
 *
 * common.h
 *	  Door of the room common/: what every plain C room stands on.
 *
 * Plain C: nothing here includes postgres.h, calls palloc or raises an error
 * with longjmp, so that all of it may run on any thread, in unit programs and
 * under the fuzzers.
 *
 *	error	 a result is a bool (true = done); the cause of a false is in an
 *			 IngestError that the caller owns.  The pointer is never null.
 *	arena	 many allocations that are released together, under a byte limit
 *	buffer	 one growing run of bytes, under a byte limit
 *	json	 a document tree that keeps numbers as they were written
 *	cancel	 long work polls it at most 100 ms apart
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_COMMON_H
#define INGEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INGEST_MUST_CHECK __attribute__((warn_unused_result))
#define INGEST_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

/* ---- errors ------------------------------------------------------------ */

/*
 * What went wrong decides what the connector does next, so the kind is part
 * of the contract of every function that fills an error:
 *
 * kind				the worker's answer
 * TRANSIENT		retrying: network, server busy, time-out
 * DENIED			retrying: authentication or authorization refused
 * NOT_FOUND		retrying: no such bucket, topic, table
 * GONE				failed: something the position needs no longer exists
 * CORRUPT			failed: bytes are not what their format says
 * UNSUPPORTED		failed: well-formed, but this code does not do it
 * INVALID			failed: the declaration does not fit the source
 * CHANGED			failed: the source is not the one the position belongs to
 * LIMIT			failed: a size above a stated limit
 * OUT_OF_MEMORY	retrying
 * CANCELLED		the caller asked for it; never shown to a user
 */
typedef enum IngestErrorKind
{
	INGEST_ERROR_NONE = 0,
	INGEST_ERROR_TRANSIENT,
	INGEST_ERROR_DENIED,
	INGEST_ERROR_NOT_FOUND,
	INGEST_ERROR_GONE,
	INGEST_ERROR_CORRUPT,
	INGEST_ERROR_UNSUPPORTED,
	INGEST_ERROR_INVALID,
	INGEST_ERROR_CHANGED,
	INGEST_ERROR_LIMIT,
	INGEST_ERROR_OUT_OF_MEMORY,
	INGEST_ERROR_CANCELLED
} IngestErrorKind;

/* Messages follow the server's style: lower case, no full stop; the hint is a
 * full sentence or empty.  Neither ever holds a secret. */
typedef struct IngestError
{
	IngestErrorKind kind;
	char message[1024];
	char hint[512];
} IngestError;

/* Fill *error and return false, so that "return ingest_fail(...)" reads well. */
extern bool ingest_fail(IngestError *error, IngestErrorKind kind, const char *format, ...) INGEST_PRINTF(3, 4);

/* Add a hint to an error already filled; returns false for chaining. */
extern bool ingest_hint(IngestError *error, const char *format, ...) INGEST_PRINTF(2, 3);

/* Put "context: " in front of the message (file, version, row group ...). */
extern bool ingest_context(IngestError *error, const char *format, ...) INGEST_PRINTF(2, 3);

extern bool ingest_out_of_memory(IngestError *error);
extern void ingest_error_clear(IngestError *error);

/* ---- cancellation ------------------------------------------------------ */

typedef struct IngestCancel
{
	bool (*cancelled)(void *state); /* may be null: never cancelled */
	void *state;
} IngestCancel;

static inline bool
ingest_cancelled(const IngestCancel *cancel)
{
	return cancel != NULL && cancel->cancelled != NULL && cancel->cancelled(cancel->state);
}

/* ---- arena ------------------------------------------------------------- */

typedef struct ArenaChunk ArenaChunk;

/* Not thread-safe; one owner at a time, may move between threads. */
typedef struct Arena
{
	ArenaChunk *chunk;
	size_t allocated; /* bytes taken from malloc */
	size_t limit;     /* arena_alloc fails above it */
} Arena;

extern void arena_init(Arena *arena, size_t limit);

/* 8-byte aligned, uninitialised; null above the limit or out of memory. */
extern void *arena_alloc(Arena *arena, size_t size) INGEST_MUST_CHECK;
/* count * size without overflow, zeroed */
extern void *arena_alloc_array(Arena *arena, size_t count, size_t size) INGEST_MUST_CHECK;
extern char *arena_copy(Arena *arena, const char *data, size_t length) INGEST_MUST_CHECK; /* adds a NUL */
extern char *arena_printf(Arena *arena, const char *format, ...) INGEST_PRINTF(2, 3) INGEST_MUST_CHECK;
extern void arena_reset(Arena *arena);   /* keeps the first chunk */
extern void arena_release(Arena *arena); /* back to malloc; init again to reuse */

/* ---- buffer ------------------------------------------------------------ */

/* The server has a Buffer of its own: doors say "struct Buffer", and so does server C. */
struct Buffer
{
	char *data; /* malloc'ed; data[length] is not NUL-terminated */
	size_t length;
	size_t capacity;
	size_t limit;
};
#ifndef POSTGRES_H
typedef struct Buffer Buffer;
#endif

extern void buffer_init(struct Buffer *buffer, size_t limit);
/* Room for "extra" more bytes behind length.  Fails with LIMIT or OUT_OF_MEMORY. */
extern bool buffer_reserve(struct Buffer *buffer, size_t extra, IngestError *error) INGEST_MUST_CHECK;
extern bool buffer_append(struct Buffer *buffer, const void *data, size_t length, IngestError *error) INGEST_MUST_CHECK;
extern bool buffer_append_string(struct Buffer *buffer, const char *text, IngestError *error) INGEST_MUST_CHECK;
extern bool
buffer_printf(struct Buffer *buffer, IngestError *error, const char *format, ...) INGEST_PRINTF(3, 4) INGEST_MUST_CHECK;
extern void buffer_release(struct Buffer *buffer);

/* ---- text -------------------------------------------------------------- */

/* A run of bytes inside memory that somebody else owns. */
typedef struct Span
{
	const char *data;
	size_t length;
} Span;

extern bool span_equals(Span span, const char *text);
extern int hex_digit_value(char character);                 /* -1: it is none */
extern bool utf8_is_valid(const char *data, size_t length); /* NUL bytes count as valid */

/* The candidate most like a misspelt word, for hints.  Start with {0}, offer each candidate;
 * "name" stays null where none is near (case is ignored, a third of the word may differ). */
typedef struct NearestName
{
	const char *name;
	size_t distance;
} NearestName;

extern void nearest_name_offer(NearestName *nearest, const char *word, const char *candidate);

/* ---- json -------------------------------------------------------------- */

/*
 * A scanner that never copies, and a tree built on it.  Numbers keep their
 * text, because neither a double nor an int64 holds every decimal(38,s);
 * strings are decoded (escapes, surrogate pairs) into the arena, or point into
 * the input where they hold no escape.  Depth is bounded by JSON_MAX_DEPTH.
 */
#define JSON_MAX_DEPTH 128

typedef enum JsonType
{
	JSON_TYPE_NULL,
	JSON_TYPE_FALSE,
	JSON_TYPE_TRUE,
	JSON_TYPE_NUMBER,
	JSON_TYPE_STRING,
	JSON_TYPE_ARRAY,
	JSON_TYPE_OBJECT
} JsonType;

typedef struct JsonScanner
{
	const char *position;
	const char *end;
	const char *start; /* for error offsets */
} JsonScanner;

/* One value as the scanner meets it. "raw" covers the value's own text; for a
 * string the text between the quotes, undecoded. */
typedef struct JsonToken
{
	JsonType type;
	Span raw;
	bool has_escape; /* strings: json_decode_string is needed */
} JsonToken;

extern void json_scanner_init(JsonScanner *scanner, const char *data, size_t length);
extern void json_skip_space(JsonScanner *scanner);

/*
 * Read the next value.  For ARRAY and OBJECT the scanner stands behind the
 * opening bracket and raw is empty; walk with json_next_element or
 * json_next_member until they report the end, or use json_skip_value instead.
 */
extern bool json_next_value(JsonScanner *scanner, JsonToken *token, IngestError *error) INGEST_MUST_CHECK;

/* "first" is the caller's flag, true before the first call.  *more = false at
 * the closing bracket, which is consumed. The element or member value itself is
 * then read with json_next_value or json_skip_value. */
extern bool json_next_element(JsonScanner *scanner, bool *first, bool *more, IngestError *error) INGEST_MUST_CHECK;
extern bool
json_next_member(JsonScanner *scanner, bool *first, bool *more, JsonToken *key, IngestError *error) INGEST_MUST_CHECK;

/* Pass over a whole value, nested ones included; *raw (may be null) covers its
 * text.  The text is checked to be well-formed. */
extern bool json_skip_value(JsonScanner *scanner, Span *raw, IngestError *error) INGEST_MUST_CHECK;

/* Decode the escapes of a string token.  The output never is longer than the
 * input: "out" needs raw.length bytes.  A lone surrogate is an error. */
extern bool json_decode_string(Span raw, char *out, size_t *out_length, IngestError *error) INGEST_MUST_CHECK;

/* The text of a string, number or word, decoded, in the arena with a NUL behind it. */
extern bool json_token_text(const JsonToken *token, Arena *arena, Span *out, IngestError *error) INGEST_MUST_CHECK;

typedef struct JsonValue JsonValue;

typedef struct JsonMember
{
	Span key;
	JsonValue *value;
} JsonMember;

struct JsonValue
{
	JsonType type;
	Span text; /* NUMBER: as written; STRING: decoded, NUL-terminated; else raw text */
	size_t count;
	JsonValue **elements; /* ARRAY */
	JsonMember *members;  /* OBJECT, in the order written */
};

/* The whole input is one document (white space around it is allowed).  The
 * tree lives in the arena, strings without escapes are copied there as well. */
extern bool
json_parse(const char *data, size_t length, Arena *arena, JsonValue **out, IngestError *error) INGEST_MUST_CHECK;

/* null where absent or where "object" is no object; a duplicate key: the last one */
extern const JsonValue *json_get(const JsonValue *object, const char *key);
extern const char *json_get_string(const JsonValue *object, const char *key); /* null unless a STRING */
extern bool json_to_int64(const JsonValue *value, int64_t *out); /* exact integers only, 1.0 and "7" included */
extern bool json_to_double(const JsonValue *value, double *out);
/* Append the text as a JSON string, quotes included. */
extern bool
json_write_string(struct Buffer *buffer, const char *data, size_t length, IngestError *error) INGEST_MUST_CHECK;

/* ---- options of a parsed declaration: every failure is INVALID and names the JSON path ---- */

/* Fail unless every key of "object" is one of "allowed" (null-terminated).  "path" is the object's JSON path. */
extern bool option_check_keys(const JsonValue *object, const char *path, const char *const *allowed,
							  IngestError *error) INGEST_MUST_CHECK;

/* A boolean, or the string "true" or "false"; *out is left alone where the key is absent. */
extern bool option_boolean(const JsonValue *config, const char *path, const char *key, bool *out,
						   IngestError *error) INGEST_MUST_CHECK;

/* An integer in [minimum, maximum], as a number or a string; *out is left alone where the key is absent. */
extern bool option_integer(const JsonValue *config, const char *path, const char *key, int64_t minimum, int64_t maximum,
						   int64_t *out, IngestError *error) INGEST_MUST_CHECK;

/* Read an option that may be a JSON string, number or boolean; null where absent. The text lives in the tree
 * ("true"/"false" for booleans).  */
extern const char *option_text(const JsonValue *config, const char *key);

#endif
