/*-------------------------------------------------------------------------
 *
 * parquet_internal.h
 *	  What the files of the room parquet/ share.  Not for other rooms.
 *
 * From the bottom up:
 *
 *	thrift		the compact protocol, bounded
 *	footer*		FileMetaData; its schema elements; column chunks and page headers
 *	types		a leaf's annotations -> what it is in Arrow, and the conversion
 *	schema		the tree of elements -> fields with levels -> ArrowSchema
 *	codec		one compressed run of bytes -> its exact decompressed size
 *	bit_unpack, kernels		the loops that run for each value
 *	levels		RLE/bit-packed hybrid, repetition and definition levels
 *	encoding*	the bytes of a page -> values
 *	ranges		which bytes of a row group are read together
 *	chunk		a column chunk in windows of bounded size
 *	page		the next page of a chunk: header, checksum, decompression
 *	column*		one leaf: pages -> levels and values of some rows (leaf_batch)
 *	arrow_build	structs that release themselves
 *	assemble	leaves -> Arrow arrays
 *	reader		the door
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_PARQUET_INTERNAL_H
#define INGEST_PARQUET_INTERNAL_H

#include <stdatomic.h>
#include <string.h>

#include "parquet/parquet.h"

/* ---- limits ---------------------------------------------------------------- */

#define PARQUET_MAX_DEPTH 100       /* schema nodes from the root to a leaf; levels stay below 256 */
#define PARQUET_MAX_BATCH_ROWS 8192 /* the door's promise */
#define PARQUET_DEFAULT_BATCH (16u << 20)
#define PARQUET_BLOCK 2048 /* level entries handled at a time */
#define PARQUET_DEFAULT_BUDGET (32u << 20)
#define PARQUET_DEFAULT_MAX_PAGE (256u << 20)
#define PARQUET_DEFAULT_MAX_FOOTER (1024u << 20)

/* ---- the format's numbers ---------------------------------------------------- */

typedef enum PhysicalType
{
	PHYSICAL_BOOLEAN = 0,
	PHYSICAL_INT32,
	PHYSICAL_INT64,
	PHYSICAL_INT96,
	PHYSICAL_FLOAT,
	PHYSICAL_DOUBLE,
	PHYSICAL_BYTE_ARRAY,
	PHYSICAL_FIXED,
	PHYSICAL_NONE /* a group */
} PhysicalType;

typedef enum Repetition
{
	REPETITION_REQUIRED = 0,
	REPETITION_OPTIONAL,
	REPETITION_REPEATED
} Repetition;

typedef enum ConvertedType
{
	CONVERTED_NONE = -1,
	CONVERTED_UTF8 = 0,
	CONVERTED_MAP,
	CONVERTED_MAP_KEY_VALUE,
	CONVERTED_LIST,
	CONVERTED_ENUM,
	CONVERTED_DECIMAL,
	CONVERTED_DATE,
	CONVERTED_TIME_MILLIS,
	CONVERTED_TIME_MICROS,
	CONVERTED_TIMESTAMP_MILLIS,
	CONVERTED_TIMESTAMP_MICROS,
	CONVERTED_UINT_8,
	CONVERTED_UINT_16,
	CONVERTED_UINT_32,
	CONVERTED_UINT_64,
	CONVERTED_INT_8,
	CONVERTED_INT_16,
	CONVERTED_INT_32,
	CONVERTED_INT_64,
	CONVERTED_JSON,
	CONVERTED_BSON,
	CONVERTED_INTERVAL
} ConvertedType;

/* Field numbers of the LogicalType union. */
typedef enum LogicalType
{
	LOGICAL_NONE = 0,
	LOGICAL_STRING = 1,
	LOGICAL_MAP = 2,
	LOGICAL_LIST = 3,
	LOGICAL_ENUM = 4,
	LOGICAL_DECIMAL = 5,
	LOGICAL_DATE = 6,
	LOGICAL_TIME = 7,
	LOGICAL_TIMESTAMP = 8,
	LOGICAL_INTEGER = 10,
	LOGICAL_UNKNOWN = 11,
	LOGICAL_JSON = 12,
	LOGICAL_BSON = 13,
	LOGICAL_UUID = 14,
	LOGICAL_FLOAT16 = 15,
	LOGICAL_VARIANT = 16,
	LOGICAL_GEOMETRY = 17,
	LOGICAL_GEOGRAPHY = 18
} LogicalType;

typedef enum TimeUnit
{
	UNIT_NONE = 0,
	UNIT_MILLIS,
	UNIT_MICROS,
	UNIT_NANOS
} TimeUnit;

typedef enum ParquetEncoding
{
	ENCODING_PLAIN = 0,
	ENCODING_PLAIN_DICTIONARY = 2,
	ENCODING_RLE = 3,
	ENCODING_BIT_PACKED = 4,
	ENCODING_DELTA_BINARY_PACKED = 5,
	ENCODING_DELTA_LENGTH_BYTE_ARRAY = 6,
	ENCODING_DELTA_BYTE_ARRAY = 7,
	ENCODING_RLE_DICTIONARY = 8,
	ENCODING_BYTE_STREAM_SPLIT = 9
} ParquetEncoding;

typedef enum ParquetCodec
{
	CODEC_NONE = 0,
	CODEC_SNAPPY,
	CODEC_GZIP,
	CODEC_LZO,
	CODEC_BROTLI,
	CODEC_LZ4_HADOOP,
	CODEC_ZSTD,
	CODEC_LZ4_RAW
} ParquetCodec;

typedef enum PageType
{
	PAGE_DATA = 0,
	PAGE_INDEX,
	PAGE_DICTIONARY,
	PAGE_DATA_V2
} PageType;

/* ---- thrift ---------------------------------------------------------------- */

typedef enum ThriftType
{
	THRIFT_STOP = 0,
	THRIFT_TRUE,
	THRIFT_FALSE,
	THRIFT_I8,
	THRIFT_I16,
	THRIFT_I32,
	THRIFT_I64,
	THRIFT_DOUBLE,
	THRIFT_BINARY,
	THRIFT_LIST,
	THRIFT_SET,
	THRIFT_MAP,
	THRIFT_STRUCT,
	THRIFT_UUID
} ThriftType;

typedef struct ThriftReader
{
	const uint8_t *start;
	const uint8_t *position;
	const uint8_t *end;
	bool truncated; /* the last failure was "no more bytes" */
} ThriftReader;

/* Begin each struct with id 0; thrift_next_field moves it along. */
typedef struct ThriftField
{
	int32_t id;
	uint8_t type;
} ThriftField;

extern void thrift_init(ThriftReader *reader, const void *data, size_t length);
/* Reads or skips the value of one field. */
typedef bool (*ThriftVisit)(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error);

/* Walk over a struct that starts here: one call for each field. */
extern bool thrift_struct(ThriftReader *reader, ThriftVisit visit, void *state, IngestError *error) INGEST_MUST_CHECK;
/* The same for a field's or an element's value, whose wire type must be that of a struct. */
extern bool thrift_struct_value(ThriftReader *reader, uint8_t type, ThriftVisit visit, void *state,
								IngestError *error) INGEST_MUST_CHECK;
/* The next field of a struct; type THRIFT_STOP at its end. */
extern bool thrift_next_field(ThriftReader *reader, ThriftField *field, IngestError *error) INGEST_MUST_CHECK;
extern bool thrift_skip(ThriftReader *reader, uint8_t type, IngestError *error) INGEST_MUST_CHECK;
/* Any integer width. */
extern bool thrift_integer(ThriftReader *reader, uint8_t type, int64_t *out, IngestError *error) INGEST_MUST_CHECK;
extern bool thrift_int32(ThriftReader *reader, uint8_t type, int32_t *out, IngestError *error) INGEST_MUST_CHECK;
extern bool thrift_boolean(ThriftReader *reader, uint8_t type, bool *out, IngestError *error) INGEST_MUST_CHECK;
extern bool thrift_binary(ThriftReader *reader, uint8_t type, Span *out, IngestError *error) INGEST_MUST_CHECK;
/* The header of a list; its count never exceeds the bytes left. */
extern bool thrift_list(ThriftReader *reader, uint8_t type, uint8_t *element_type, uint32_t *count,
						IngestError *error) INGEST_MUST_CHECK;

/* ---- the file's schema ------------------------------------------------------- */

/* One SchemaElement.  Nodes lie in depth-first order in one array; node 0 is the root. */
typedef struct SchemaNode
{
	const char *name;
	PhysicalType type;
	int32_t type_length;
	Repetition repetition;
	int32_t child_count;
	ConvertedType converted;
	LogicalType logical;
	bool has_logical; /* the union had a member, known or not */
	int32_t scale;
	int32_t precision;
	bool has_field_id;
	int32_t field_id;
	TimeUnit unit; /* of the logical type */
	bool utc;
	int32_t integer_width;
	bool integer_signed;
	int32_t parent;       /* index of the node, -1 for the root */
	int32_t next_sibling; /* index behind this node's subtree */
	int32_t leaf;         /* ordinal of the leaf, -1 for groups */
	uint8_t definition;   /* level at which a value of this node is there */
	uint8_t repetition_level;
} SchemaNode;

/* How values of a leaf lie in the Arrow array. */
typedef enum LeafLayout
{
	LAYOUT_NULL,
	LAYOUT_BIT,
	LAYOUT_FIXED,
	LAYOUT_VARIABLE
} LeafLayout;

struct LeafType;
/* count physical values at "in" (of LeafType.physical_width bytes each) to output form at "out"; false: one does not fit. */
typedef bool (*ConvertFixed)(const struct LeafType *type, const uint8_t *in, uint8_t *out, size_t count);

typedef struct LeafType
{
	PhysicalType physical;
	int32_t physical_width; /* bytes of a value as the decoders give it; 0 for BYTE_ARRAY; BOOLEAN: 1 */
	LeafLayout layout;
	int32_t width; /* LAYOUT_FIXED: bytes of a value in the Arrow array */
	char format[32];
	const char *extension; /* Arrow extension name, or null */
	const char *problem;   /* why this leaf cannot be read, or null */
	ConvertFixed convert;  /* null: the bytes are the same */
	bool adjusted_to_utc;  /* a time of day */
} LeafType;

typedef enum FieldKind
{
	FIELD_LEAF,
	FIELD_STRUCT,
	FIELD_LIST,
	FIELD_MAP,
	FIELD_ABSENT /* the missing value of a map that is a set: always null */
} FieldKind;

/*
 * A field as it leaves this room.  A slot of the field exists where an entry has a definition level of at least
 * slot_definition, and begins where its repetition level is at most slot_repetition; it is not null where the definition
 * level is at least present_definition.
 */
typedef struct ParquetField
{
	FieldKind kind;
	const char *name;
	const SchemaNode *node; /* the leaf or the outer group; null for FIELD_ABSENT */
	bool nullable;
	uint8_t slot_definition;
	uint8_t slot_repetition;
	uint8_t present_definition;
	uint8_t element_definition; /* LIST, MAP: of the repeated node */
	uint8_t element_repetition;
	const char *extension;
	LeafType *leaf; /* FIELD_LEAF */
	int32_t child_count;
	struct ParquetField **children; /* LIST: the element; MAP: key and value */
	/* set in a reader's copy of the tree */
	int32_t first_leaf; /* in the reader's leaves; those of this field are adjacent */
	int32_t leaf_count;
	bool dictionary; /* leaves as an Arrow dictionary array */
} ParquetField;

/* Resolve the tree of nodes into fields; *out is the root, a FIELD_STRUCT that is never null. */
extern bool schema_build_fields(ParquetFile *file, ParquetField **out, IngestError *error) INGEST_MUST_CHECK;
/* The fields that "projection" names (null: all), a copy in "arena". */
extern bool schema_project(const ParquetField *root, const struct ArrowSchema *projection, Arena *arena,
						   ParquetField **out, IngestError *error) INGEST_MUST_CHECK;
extern bool schema_to_arrow(const ParquetField *field, struct ArrowSchema *out, IngestError *error) INGEST_MUST_CHECK;
/* The type of one leaf from its annotations (types.c). */
extern void leaf_type_resolve(const SchemaNode *node, bool converted_is_local, LeafType *out);
/* BYTE_ARRAY or fixed bytes, big-endian two's complement, to a little-endian integer of "width" bytes; false: it does
 * not fit. */
extern bool decimal_from_bytes(const uint8_t *data, size_t length, uint8_t *out, int width);

/* ---- footer ------------------------------------------------------------------ */

typedef struct RowGroup
{
	const uint8_t *columns; /* the thrift list of ColumnChunk, inside the footer */
	int64_t row_count;
	int64_t first_row;
} RowGroup;

typedef struct ColumnChunk
{
	PhysicalType type;
	ParquetCodec codec;
	int64_t value_count;
	uint64_t start; /* of the first page */
	uint64_t end;   /* bytes that may be read of it */
	bool has_dictionary;
} ColumnChunk;

typedef struct MetadataPair
{
	const char *key;
	const char *value; /* null where absent */
} MetadataPair;

struct ParquetFile
{
	ParquetInput input;
	ParquetOptions options; /* defaults filled in */
	Arena arena;
	uint8_t *footer;
	size_t footer_length;
	uint64_t footer_offset;
	int32_t node_count;
	SchemaNode *nodes;
	int32_t leaf_count;
	const SchemaNode **leaves;
	int64_t row_count;
	int32_t row_group_count;
	RowGroup *row_groups;
	int32_t metadata_count;
	MetadataPair *metadata;
	const char *created_by;
	ParquetField *root;
	struct ArrowSchema schema;
};

extern bool
footer_parse_physical_type(ThriftReader *reader, uint8_t type, PhysicalType *out, IngestError *error) INGEST_MUST_CHECK;
extern bool
footer_parse_schema(ParquetFile *file, ThriftReader *reader, uint8_t type, IngestError *error) INGEST_MUST_CHECK;
extern bool footer_read(ParquetFile *file, IngestError *error) INGEST_MUST_CHECK;
/* The chunks of a row group whose leaf ordinals stand in "leaves" (ascending), in that order. */
extern bool footer_read_chunks(const ParquetFile *file, int row_group, const int32_t *leaves, int32_t leaf_count,
							   ColumnChunk *out, IngestError *error) INGEST_MUST_CHECK;

typedef struct PageHeader
{
	PageType type;
	int32_t uncompressed_size;
	int32_t compressed_size;
	bool has_checksum;
	uint32_t checksum;
	int32_t value_count;
	int32_t encoding;
	int32_t definition_encoding;
	int32_t repetition_encoding;
	int32_t definition_length;
	int32_t repetition_length;
	bool is_compressed;
} PageHeader;

/* Parse a page header; reader->truncated tells a failure for want of bytes. */
extern bool footer_parse_page_header(ThriftReader *reader, PageHeader *header, IngestError *error) INGEST_MUST_CHECK;

/* ---- codec ------------------------------------------------------------------- */

typedef struct CodecContext CodecContext; /* reusable state of one column, made on first need */

/* Decompress exactly in_length bytes into exactly out_length bytes. */
extern bool codec_decompress(ParquetCodec codec, CodecContext **context, const uint8_t *in, size_t in_length,
							 uint8_t *out, size_t out_length, IngestError *error) INGEST_MUST_CHECK;
extern void codec_context_free(CodecContext *context); /* null is allowed */
extern const char *codec_name(ParquetCodec codec);

/* ---- levels and the hybrid --------------------------------------------------- */

/* Values of 0 to 32 bits as runs and bit-packed groups. */
typedef struct HybridDecoder
{
	const uint8_t *position;
	const uint8_t *end;
	uint32_t bit_width;
	uint64_t run_left;
	bool packed;
	uint32_t run_value;
	const uint8_t *packed_data;
	size_t packed_length;
	uint64_t packed_index;
} HybridDecoder;

extern void hybrid_init(HybridDecoder *decoder, const uint8_t *data, size_t length, uint32_t bit_width);
extern bool
hybrid_read_uint32(HybridDecoder *decoder, uint32_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool hybrid_read_uint8(HybridDecoder *decoder, uint8_t *out, size_t count,
							  IngestError *error) INGEST_MUST_CHECK; /* widths up to 8 */

typedef struct LevelDecoder
{
	uint8_t max_level; /* 0: nothing stored, all levels are 0 */
	bool legacy;       /* BIT_PACKED, most significant bit first */
	HybridDecoder hybrid;
	const uint8_t *data; /* legacy */
	uint64_t bit_position;
	uint64_t bit_end;
} LevelDecoder;

extern uint32_t bits_for_level(uint32_t max_level);
extern bool level_decoder_read(LevelDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;

/* ---- values -------------------------------------------------------------------- */

/* Byte-array values as they will stand in an Arrow array: value_count + 1 offsets, and the bytes. */
typedef struct VariableValues
{
	int32_t *offsets;
	size_t count;
	size_t capacity; /* values */
	uint8_t *data;
	size_t data_length;
	size_t data_capacity;
} VariableValues;

extern bool
variable_reserve(VariableValues *values, size_t more_values, size_t more_bytes, IngestError *error) INGEST_MUST_CHECK;
extern bool
variable_append(VariableValues *values, const void *data, size_t length, IngestError *error) INGEST_MUST_CHECK;
extern void variable_release(VariableValues *values);

#define VARIABLE_SLACK 32 /* bytes that may be read and written behind the data of VariableValues */

/* Copy a value between the data of two VariableValues: mostly short, so that a call of memcpy would cost more than it
 * copies. */
static inline void
variable_copy(uint8_t *out, const uint8_t *in, size_t length)
{
	if (length <= 16)
		memcpy(out, in, 16);
	else if (length <= 32)
		memcpy(out, in, 32);
	else
		memcpy(out, in, length);
}

/* The values of a dictionary page in output form.  Shared by the reader and the arrays it gave out. */
typedef struct ParquetDictionary
{
	atomic_int references;
	uint32_t count;
	uint8_t *fixed;          /* LAYOUT_FIXED */
	VariableValues variable; /* LAYOUT_VARIABLE */
	size_t longest;          /* bytes of the longest variable value */
	size_t bytes;
} ParquetDictionary;

extern ParquetDictionary *dictionary_acquire(ParquetDictionary *dictionary);
extern void dictionary_release(ParquetDictionary *dictionary); /* null is allowed */

/* DELTA_BINARY_PACKED. */
typedef struct DeltaDecoder
{
	const uint8_t *position;
	const uint8_t *end;
	uint64_t values_left; /* not yet given out */
	uint32_t values_per_miniblock;
	uint32_t miniblock_count;
	uint64_t last;
	uint64_t min_delta;
	bool first; /* the first value, in the header, is still to be given out */
	const uint8_t *widths;
	uint32_t miniblock;      /* next of the block */
	uint32_t miniblock_left; /* deltas of the current one not yet given out */
	uint32_t miniblock_width;
	const uint8_t *miniblock_data;
	size_t miniblock_bytes;
	uint32_t miniblock_index;
} DeltaDecoder;

/* What all columns of a reader use one after the other: nothing in it outlives a call. */
typedef struct Workspace
{
	CodecContext *codec;
	uint8_t *physical; /* values before conversion */
	size_t physical_capacity;
	uint8_t *skipped; /* values passed over */
	size_t skipped_capacity;
	VariableValues variable; /* byte arrays before conversion, or passed over */
} Workspace;

extern void workspace_release(Workspace *workspace);

#define DELTA_PENDING 256

/* The values section of a data page. */
typedef struct ValueDecoder
{
	Workspace *workspace; /* the reader's */
	const LeafType *type;
	int32_t encoding;
	const uint8_t *position;
	const uint8_t *end;
	uint64_t bit_position;                   /* PLAIN booleans */
	HybridDecoder hybrid;                    /* dictionary indices, RLE booleans */
	ParquetDictionary *dictionary;           /* the column's */
	DeltaDecoder delta;                      /* integers; lengths of byte arrays */
	DeltaDecoder prefixes;                   /* DELTA_BYTE_ARRAY */
	uint32_t pending_lengths[DELTA_PENDING]; /* decoded, their values not yet given out */
	uint32_t pending_prefixes[DELTA_PENDING];
	size_t pending_position;
	size_t pending_count;
	uint8_t *previous; /* DELTA_BYTE_ARRAY: the last value given out */
	size_t previous_length;
	size_t previous_capacity;
	size_t stream_length; /* BYTE_STREAM_SPLIT: values in each stream */
	size_t stream_index;
} ValueDecoder;

extern bool value_decoder_start(ValueDecoder *decoder, const LeafType *type, int32_t encoding, const uint8_t *data,
								size_t length, IngestError *error) INGEST_MUST_CHECK;
extern void value_decoder_release(ValueDecoder *decoder);
extern bool value_decoder_is_dictionary(const ValueDecoder *decoder);

/* Fixed layouts (and one byte a value for LAYOUT_BIT): "count" values in output form; count <= PARQUET_BLOCK. */
extern bool
value_decoder_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
/* Byte arrays: up to "count" values, ending early, but never before the first, once values->data_length would pass
 * "byte_limit". */
extern bool value_decoder_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
										size_t *done, IngestError *error) INGEST_MUST_CHECK;
/* Pass over values. */
extern bool value_decoder_skip(ValueDecoder *decoder, uint64_t count, IngestError *error) INGEST_MUST_CHECK;
/* Dictionary indices, checked against the dictionary. */
extern bool
value_decoder_read_indices(ValueDecoder *decoder, uint32_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;

/* The encodings, for encoding.c.  Readers of fixed values give physical ones. */
extern bool plain_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool plain_read_boolean(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool plain_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
								size_t *done, IngestError *error) INGEST_MUST_CHECK;
/* Make a dictionary out of a decompressed dictionary page; the caller owns the one reference. */
extern bool
dictionary_create(const LeafType *type, Workspace *workspace, const uint8_t *data, size_t length, int32_t value_count,
				  size_t byte_limit, ParquetDictionary **out, IngestError *error) INGEST_MUST_CHECK;
extern bool
dictionary_read_fixed(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool dictionary_read_variable(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
									 size_t *done, IngestError *error) INGEST_MUST_CHECK;
extern bool
delta_start(DeltaDecoder *decoder, const uint8_t *data, size_t length, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_read_int32(DeltaDecoder *decoder, uint32_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_read_int64(DeltaDecoder *decoder, uint64_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_length_start(ValueDecoder *decoder, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_length_read(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
							  size_t *done, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_byte_array_start(ValueDecoder *decoder, IngestError *error) INGEST_MUST_CHECK;
extern bool delta_byte_array_read(ValueDecoder *decoder, VariableValues *values, size_t count, size_t byte_limit,
								  size_t *done, IngestError *error) INGEST_MUST_CHECK;
extern bool byte_stream_split_start(ValueDecoder *decoder, IngestError *error) INGEST_MUST_CHECK;
extern bool
byte_stream_split_read(ValueDecoder *decoder, uint8_t *out, size_t count, IngestError *error) INGEST_MUST_CHECK;

/* ---- chunk and page --------------------------------------------------------------- */

/* Bytes of several small chunks that lie near each other, read at once when the first of them is needed. */
typedef struct SharedRange
{
	uint64_t offset;
	size_t length;
	uint8_t *data; /* null until then */
} SharedRange;

/* Bytes of a column chunk, read in windows. */
typedef struct ChunkStream
{
	const ParquetFile *file;
	uint64_t end;
	SharedRange *shared; /* the whole chunk is in it; or null */
	size_t window_size;  /* bytes to read at a time */
	uint8_t *window;
	size_t window_capacity;
	uint64_t window_offset; /* file offset of window[0] */
	size_t window_length;
	uint64_t hinted; /* prefetch hints were given up to here */
} ChunkStream;

/* "shared" may be null; it must outlive the stream. */
extern void chunk_stream_start(ChunkStream *stream, const ParquetFile *file, uint64_t start, uint64_t end,
							   size_t window_size, SharedRange *shared);
/*
 * At least "minimum" bytes from "offset" on, *available of them in all (less only where the chunk ends: then false,
 * CORRUPT).  *data is valid until the next call.
 */
extern bool chunk_stream_bytes(ChunkStream *stream, uint64_t offset, size_t minimum, const uint8_t **data,
							   size_t *available, IngestError *error) INGEST_MUST_CHECK;
/* Were all bytes of the chunk announced to the input? */
extern bool chunk_stream_is_announced(const ChunkStream *stream);
extern void chunk_stream_release(ChunkStream *stream);

/* ranges.c */
extern int32_t
ranges_plan(const ColumnChunk *chunks, int32_t count, size_t window_size, SharedRange *ranges, int32_t *range_of);
extern void ranges_release(SharedRange *ranges, int32_t count);
extern void ranges_hint(const ParquetFile *file, const ColumnChunk *chunks, int32_t count, size_t window_size);

typedef struct PageReader
{
	const ParquetFile *file;
	ChunkStream stream;
	ParquetCodec codec;
	Workspace *workspace; /* the reader's */
	uint64_t position;    /* file offset of the next page header */
	PageHeader header;
	uint64_t header_offset;
	uint64_t body_offset;
	uint8_t *buffer; /* decompressed body */
	size_t buffer_capacity;
} PageReader;

extern void page_reader_start(PageReader *pages, const ParquetFile *file, const ColumnChunk *chunk, size_t window_size,
							  SharedRange *shared);
/* Parse the next page header; *end where the chunk has no more bytes. */
extern bool page_reader_next(PageReader *pages, bool *end, IngestError *error) INGEST_MUST_CHECK;
/* The current page's whole body, decompressed: v1 and dictionary pages; v2: levels as stored, then values. */
extern bool
page_reader_body(PageReader *pages, const uint8_t **data, size_t *length, IngestError *error) INGEST_MUST_CHECK;
extern void page_reader_release_bytes(PageReader *pages);

/* ---- column ------------------------------------------------------------------------ */

/* Levels and values of some rows of a leaf. */
typedef struct LeafBatch
{
	int64_t row_count;
	uint8_t max_definition;
	size_t entry_count;
	size_t entry_capacity;
	uint8_t *definitions; /* null where max level is 0 */
	uint8_t *repetitions; /* null where max level is 0 */
	size_t value_count;
	size_t value_capacity;
	uint8_t *fixed;  /* fixed layouts; one byte a value for LAYOUT_BIT */
	bool is_indices; /* "indices" hold the values, of "dictionary" */
	uint32_t *indices;
	ParquetDictionary *dictionary;
	VariableValues variable;
} LeafBatch;

extern void leaf_batch_release(LeafBatch *batch);
extern size_t leaf_batch_bytes(const LeafBatch *batch, const LeafType *type);
extern bool leaf_batch_reserve_entries(LeafBatch *batch, size_t more, bool definitions, bool repetitions,
									   IngestError *error) INGEST_MUST_CHECK;
extern bool
leaf_batch_reserve_values(LeafBatch *batch, size_t more, size_t width, IngestError *error) INGEST_MUST_CHECK;
extern bool leaf_batch_cut(LeafBatch *batch, int64_t rows, const LeafType *type, uint8_t max_definition, LeafBatch *out,
						   IngestError *error) INGEST_MUST_CHECK;

typedef struct LeafReader
{
	const ParquetFile *file;
	const SchemaNode *node;
	const LeafType *type;
	bool keep_dictionary;
	uint8_t max_definition;
	uint8_t max_repetition;
	PageReader pages;
	int64_t entries_left;      /* of the chunk, from its metadata, less the pages begun */
	int64_t page_entries_left; /* of the page, not yet in the block */
	LevelDecoder definition_decoder;
	LevelDecoder repetition_decoder;
	ValueDecoder values;
	uint64_t page_values_read;
	bool page_is_dictionary;
	bool suspended; /* the page's bytes were given back */
	bool data_seen; /* a data page of the chunk was begun */
	bool row_seen;  /* an entry of the chunk was taken */
	/* entries decoded ahead of the batch */
	size_t block_position;
	size_t block_count;
	uint8_t block_definitions[PARQUET_BLOCK];
	uint8_t block_repetitions[PARQUET_BLOCK];
	LeafBatch batch;
} LeafReader;

extern void leaf_reader_init(LeafReader *leaf, const ParquetFile *file, const SchemaNode *node, const LeafType *type,
							 bool keep_dictionary, Workspace *workspace);
extern void leaf_reader_release(LeafReader *leaf);
extern bool leaf_reader_start_chunk(LeafReader *leaf, const ColumnChunk *chunk, size_t window_size, SharedRange *shared,
									IngestError *error) INGEST_MUST_CHECK;
/* column_page.c */
extern bool leaf_find_data_page(LeafReader *leaf, IngestError *error) INGEST_MUST_CHECK;
extern bool leaf_start_data_page(LeafReader *leaf, IngestError *error) INGEST_MUST_CHECK;
extern bool leaf_page_context(const LeafReader *leaf, IngestError *error);
extern size_t leaf_page_bytes(const LeafReader *leaf);
extern void leaf_suspend_page(LeafReader *leaf);
extern bool leaf_resume_page(LeafReader *leaf, IngestError *error) INGEST_MUST_CHECK;

/* Fill leaf->batch up to "rows" rows; it may end early, with at least one row, once it takes "byte_limit" bytes or
 * where the pages stop being dictionary-coded.  Zero rows more: the chunk is at its end. */
extern bool leaf_reader_fill(LeafReader *leaf, int64_t rows, size_t byte_limit, const IngestCancel *cancel,
							 IngestError *error) INGEST_MUST_CHECK;
extern bool
leaf_reader_skip(LeafReader *leaf, int64_t rows, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
/* True where nothing of the chunk is left, its last page read to the end. */
extern bool leaf_reader_at_end(const LeafReader *leaf);
/* Move the first "rows" rows to *out; the rest stays in leaf->batch. */
extern bool leaf_reader_take(LeafReader *leaf, int64_t rows, LeafBatch *out, IngestError *error) INGEST_MUST_CHECK;

/* ---- assemble ----------------------------------------------------------------------- */

/* Turn the batches of the leaves (taken over) of "field", of "rows" rows each, into an array. */
extern bool assemble_root(const ParquetField *root, LeafBatch *leaves, int64_t rows, struct ArrowArray *out,
						  IngestError *error) INGEST_MUST_CHECK;

/* ---- small things --------------------------------------------------------------------- */

static inline uint32_t
load_uint32(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static inline uint64_t
load_uint64(const uint8_t *data)
{
	uint64_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

/* A ULEB128 number of at most 10 bytes; false where it does not end. */
static inline bool
read_uleb128(const uint8_t **position, const uint8_t *end, uint64_t *out)
{
	const uint8_t *p = *position;
	uint64_t value = 0;

	for (int shift = 0; shift < 70; shift += 7)
	{
		uint8_t byte;

		if (p == end)
			return false;
		byte = *p++;
		if (shift < 64)
			value |= (uint64_t) (byte & 0x7f) << shift;
		if (!(byte & 0x80))
		{
			*position = p;
			*out = value;
			return true;
		}
	}
	return false;
}

static inline int64_t
zigzag_decode(uint64_t value)
{
	return (int64_t) (value >> 1) ^ -(int64_t) (value & 1);
}

#endif
