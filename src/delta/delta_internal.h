/*-------------------------------------------------------------------------
 *
 * delta_internal.h
 *	  What the files of this room share.  Not for other rooms.
 *
 * Order of the parts: names and listing of the log, paths, actions, schema, replay,
 * deletion vectors, partition values, conversion.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_DELTA_INTERNAL_H
#define INGEST_DELTA_INTERNAL_H

#include <stdatomic.h>

#include "delta/delta.h"

#define DELTA_LOG_DIRECTORY "_delta_log"
#define DELTA_SIDECAR_DIRECTORY "_delta_log/_sidecars"

/* Maxima of what is kept whole in memory. */
#define DELTA_MAX_HINT_BYTES ((size_t) 16 << 20)
#define DELTA_MAX_COMMIT_BYTES ((size_t) 2 << 30)
#define DELTA_MAX_SCHEMA_BYTES ((size_t) 256 << 20)
#define DELTA_MAX_STATE_BYTES ((size_t) 8 << 30)
#define DELTA_MAX_TYPE_DEPTH 64
#define DELTA_COMMIT_WINDOW ((size_t) 8 << 20)

typedef struct FollowerState FollowerState;

struct DeltaTable
{
	Storage *storage;
	DeltaOptions options;
	size_t commit_window; /* commits above it are read in parts of this size */
	/* a commit whose last line is unfinished is taken as "not yet there" for a while */
	int64_t torn_version;
	int64_t torn_since_ms; /* monotonic; 0 = none */

	FollowerState *follower_state; /* null until a commit needs it */
};

/* ---- log_names.c: what a file of _delta_log is, by its name alone ------------------ */

typedef enum LogFileKind
{
	LOG_FILE_OTHER, /* not ours: skipped silently */
	LOG_FILE_COMMIT,
	LOG_FILE_CHECKPOINT,           /* <version>.checkpoint.parquet */
	LOG_FILE_CHECKPOINT_PART,      /* <version>.checkpoint.<part>.<parts>.parquet */
	LOG_FILE_CHECKPOINT_UUID_JSON, /* <version>.checkpoint.<uuid>.json */
	LOG_FILE_CHECKPOINT_UUID_PARQUET
} LogFileKind;

typedef struct LogFile
{
	LogFileKind kind;
	int64_t version;
	int64_t part;
	int64_t parts;
	char *name; /* inside _delta_log; owned by the listing */
	uint64_t size;
	int64_t modified_ms;
} LogFile;

/* Classify a bare file name; fills kind, version, part and parts only. */
extern LogFileKind log_name_parse(const char *name, LogFile *file);

/* ---- log_list.c ------------------------------------------------------------------ */

typedef struct LogListing
{
	Arena arena;
	size_t commit_count;
	LogFile *commits; /* ascending by version */
	size_t checkpoint_count;
	LogFile *checkpoints; /* every checkpoint file, ascending by version, kind, parts, part, name */
	size_t commit_capacity;
	size_t checkpoint_capacity;
} LogListing;

/* List the log from "from_version" on (0 = everything).  An empty listing is no error. */
extern bool log_list(DeltaTable *table, int64_t from_version, LogListing *listing, const IngestCancel *cancel,
					 IngestError *error) INGEST_MUST_CHECK;
extern void log_listing_release(LogListing *listing);
/* Newest version that a commit or a checkpoint file names; -1 where there is none. */
extern int64_t log_listing_latest(const LogListing *listing);
/* The commit of this version, or null. */
extern const LogFile *log_listing_commit(const LogListing *listing, int64_t version);

/* A complete checkpoint: one file, or all parts of a multi-part one. */
typedef struct LogCheckpoint
{
	int64_t version;
	size_t file_count;
	const LogFile *files; /* adjacent in the listing */
} LogCheckpoint;

/* The best complete checkpoint of a version <= "target" that comes after "skip" others; false: no more. */
extern bool log_listing_checkpoint(const LogListing *listing, int64_t target, size_t skip, LogCheckpoint *checkpoint);

/* The version that _last_checkpoint names, or -1 where it says nothing usable (never an error but
 * CANCELLED and what keeps the store from answering at all). */
extern bool
log_read_hint(DeltaTable *table, int64_t *version, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
/* "_delta_log/<version>.json", or null when memory is out. */
extern char *log_commit_path(Arena *arena, int64_t version);

/* ---- paths.c --------------------------------------------------------------------- */

extern bool delta_path_is_absolute(const char *path);
/* The object a path of the log names, relative to the table's root and decoded; malloc'ed.  "directory" is put
 * before relative paths ("" = the root).  DENIED: it leads outside of the table. */
extern bool delta_path_resolve(const Storage *storage, const char *directory, const char *path, char **out,
							   IngestError *error) INGEST_MUST_CHECK;
/* The form under which two spellings of one file are equal, appended to "out". */
extern bool
delta_path_canonical(const Storage *storage, const char *path, Buffer *out, IngestError *error) INGEST_MUST_CHECK;

/* Bytewise order. */
extern int delta_path_compare(Span one, Span other);
/* "directory/name", malloc'ed; null when memory is out. */
extern char *delta_join(const char *directory, const char *name);

/* ---- actions.c: a line of a commit ------------------------------------------------- */

/* Spans point into the line or into the scratch arena of the parser. */
typedef struct VectorDescriptor
{
	char storage_type; /* 0: the file has none */
	Span path_or_inline;
	bool has_offset;
	int64_t offset;
	int64_t size;
	int64_t cardinality;
} VectorDescriptor;

typedef struct FileAction
{
	Span path;             /* decoded JSON text, still percent-encoded */
	Span path_json;        /* the same as JSON, between the quotes */
	Span partition_values; /* JSON object text; length 0: absent or null */
	Span vector_json;      /* JSON object text; length 0: none */
	Span stats;            /* length 0: none */
	bool stats_escaped;    /* stats is a JSON string between its quotes, not plain text */
	VectorDescriptor vector;
	int64_t size;
	int64_t modified_ms;
	int64_t record_count; /* -1 unknown */
	bool data_change;
} FileAction;

typedef enum ActionKind
{
	ACTION_NONE, /* unknown or empty: ignored */
	ACTION_ADD,
	ACTION_REMOVE,
	ACTION_CDC,
	ACTION_METADATA,
	ACTION_PROTOCOL,
	ACTION_SIDECAR,
	ACTION_COMMIT_INFO
} ActionKind;

typedef struct Action
{
	ActionKind kind;
	FileAction file; /* ADD, REMOVE, CDC; SIDECAR: path only */
	Span json;       /* METADATA, PROTOCOL, COMMIT_INFO: the object's text */
} Action;

/* Reads a commit or a JSON checkpoint action by action.  "torn": an error met the end of the
 * input, as in a file that is still being written. */
typedef struct ActionReader
{
	JsonScanner scanner;
	Arena scratch; /* reset with each action */
	bool torn;
} ActionReader;

extern void action_reader_init(ActionReader *reader, const char *data, size_t length);
/* *more = false at the end; the action is valid until the next call. */
extern bool action_reader_next(ActionReader *reader, Action *action, bool *more, IngestError *error) INGEST_MUST_CHECK;
extern void action_reader_release(ActionReader *reader);

/* Parse one file action (an add's, remove's or cdc's object) out of text; strings that need decoding go to the arena. */
extern bool
file_action_parse(const char *json, size_t length, Arena *arena, FileAction *out, IngestError *error) INGEST_MUST_CHECK;
extern bool
vector_descriptor_parse(Span json, Arena *arena, VectorDescriptor *out, IngestError *error) INGEST_MUST_CHECK;
/* Append storageType + pathOrInlineDv + "@offset": the name of a vector. */
extern bool vector_identity(const VectorDescriptor *vector, Buffer *out, IngestError *error) INGEST_MUST_CHECK;
/* Take over the storage type and check the numbers; an empty type is "no vector". */
extern bool vector_descriptor_check(VectorDescriptor *out, Span type, IngestError *error) INGEST_MUST_CHECK;
/* numRecords of a stats text, or -1. */
extern int64_t stats_record_count(Span stats, bool escaped);
extern void file_action_init(FileAction *action);
/* Copy an action to where it is kept. */
extern bool delta_file_fill(DeltaFile *file, const FileAction *action, bool keep_stats, Arena *arena,
							IngestError *error) INGEST_MUST_CHECK;

/* ---- schema.c, protocol.c ---------------------------------------------------------- */

typedef enum DeltaTypeKind
{
	DELTA_TYPE_STRING,
	DELTA_TYPE_LONG,
	DELTA_TYPE_INTEGER,
	DELTA_TYPE_SHORT,
	DELTA_TYPE_BYTE,
	DELTA_TYPE_FLOAT,
	DELTA_TYPE_DOUBLE,
	DELTA_TYPE_DECIMAL,
	DELTA_TYPE_BOOLEAN,
	DELTA_TYPE_BINARY,
	DELTA_TYPE_DATE,
	DELTA_TYPE_TIMESTAMP,
	DELTA_TYPE_TIMESTAMP_NTZ,
	DELTA_TYPE_VARIANT,
	DELTA_TYPE_VOID,
	DELTA_TYPE_STRUCT,
	DELTA_TYPE_ARRAY,
	DELTA_TYPE_MAP
} DeltaTypeKind;

/* A field of a struct, or the element of an array, the key or value of a map. */
typedef struct DeltaField
{
	const char *name;
	const char *physical_name; /* the name where mapping is off */
	int64_t field_id;          /* of column mapping; -1 none */
	bool nullable;
	bool is_partition; /* top level only */
	DeltaTypeKind kind;
	int precision;
	int scale;
	const JsonValue *metadata; /* object or null */
	size_t child_count;
	struct DeltaField *children; /* STRUCT: fields; ARRAY: element; MAP: key, value */
} DeltaField;

typedef enum DeltaMappingMode
{
	DELTA_MAPPING_NONE,
	DELTA_MAPPING_NAME,
	DELTA_MAPPING_ID
} DeltaMappingMode;

struct DeltaSchema
{
	atomic_int references;
	Arena arena;
	const char *table_id;
	Span metadata_json;
	Span protocol_json;
	const JsonValue *configuration; /* object or null */
	DeltaMappingMode mapping;
	DeltaField root; /* STRUCT */
	struct ArrowSchema arrow;
};

/* Both texts are copied.  "protocol" and "metadata" are objects. UNSUPPORTED, CORRUPT. */
extern bool delta_schema_create(Span metadata, Span protocol, DeltaSchema **out, IngestError *error) INGEST_MUST_CHECK;
/* The protocol gate; *mapping_supported says whether the table may use column mapping. */
extern bool
delta_protocol_check(const JsonValue *protocol, bool *mapping_supported, IngestError *error) INGEST_MUST_CHECK;
/* The table property, or null. */
extern const char *delta_schema_property(const DeltaSchema *schema, const char *key);
/* How the log spells a type, for messages; "text" must hold 64 bytes. */
extern const char *delta_type_name(const DeltaField *field, char *text);
/* Kind, precision and scale of a primitive type's name; false: not known. */
extern bool delta_type_parse_primitive(const char *name, DeltaField *field);
/* type_widening.c: refuse a type change that is not known. */
extern bool
delta_type_changes_check(const char *column, const JsonValue *changes, IngestError *error) INGEST_MUST_CHECK;
/* May a file of the first type stand in a table of the second (or are they the same)? */
extern bool delta_type_widens(const DeltaField *from, const DeltaField *to);

/* schema_arrow.c: the Arrow form of a field (with its children) in the arena. */
#define DELTA_VARIANT_EXTENSION "arrow.parquet.variant"
extern bool
delta_arrow_field(const DeltaField *field, Arena *arena, struct ArrowSchema *out, IngestError *error) INGEST_MUST_CHECK;
/* One node with zeroed children; format and name are not copied. */
extern bool delta_arrow_node(const char *format, const char *name, bool nullable, int64_t child_count, Arena *arena,
							 struct ArrowSchema *out, IngestError *error) INGEST_MUST_CHECK;
/* A value of the node's own metadata. */
extern bool delta_arrow_metadata(const struct ArrowSchema *schema, const char *key, Span *value);

/* ---- replay.c: actions to state ------------------------------------------------------ */

/* file_set.c: keys of files, by 128-bit hash, with a number for each. */
typedef struct FileSet FileSet;

extern FileSet *file_set_create(void); /* null: out of memory */
extern void file_set_free(FileSet *set);
extern bool file_set_contains(const FileSet *set, const char *key, size_t length);
/* The key's number; false: it is not in the set. */
extern bool file_set_get(const FileSet *set, const char *key, size_t length, int64_t *number);
/* The key's number, new or old, until the next call; null: out of memory. */
extern int64_t *file_set_put(FileSet *set, const char *key, size_t length, bool *is_new);

typedef struct Replay
{
	DeltaTable *table;
	const IngestCancel *cancel;
	DeltaSnapshot *snapshot; /* takes the files; null: only the schema is wanted */
	size_t file_capacity;
	FileSet *decided;
	Buffer key;
	Buffer bytes;
	Buffer metadata; /* length 0: not met yet */
	Buffer protocol;
	int64_t version; /* of what is being replayed, for messages and the rules inside one commit */
	bool from_checkpoint;
	uint64_t actions_seen;
} Replay;

extern bool replay_begin(Replay *replay, DeltaTable *table, DeltaSnapshot *snapshot, const IngestCancel *cancel,
						 IngestError *error) INGEST_MUST_CHECK;
extern void replay_end(Replay *replay);
/* Commits come newest first, then the checkpoint. */
extern bool
replay_file(Replay *replay, ActionKind kind, const FileAction *action, IngestError *error) INGEST_MUST_CHECK;
extern bool replay_metadata(Replay *replay, Span json, IngestError *error) INGEST_MUST_CHECK;
extern bool replay_protocol(Replay *replay, Span json, IngestError *error) INGEST_MUST_CHECK;
extern bool replay_action(Replay *replay, const Action *action, IngestError *error) INGEST_MUST_CHECK;
/* Schema from what was met; CORRUPT where metaData or protocol is missing. */
extern bool replay_schema(Replay *replay, DeltaSchema **out, IngestError *error) INGEST_MUST_CHECK;

static inline bool
array_is_null(const struct ArrowArray *array, int64_t index)
{
	const uint8_t *validity = array->n_buffers > 0 ? array->buffers[0] : NULL;
	int64_t position = array->offset + index;

	return validity != NULL && (validity[position >> 3] >> (position & 7) & 1) == 0;
}

/* arrow_json.c: values of a checkpoint.  False: not of that type. */
extern bool array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, Span *out);
extern bool
array_integer(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, int64_t *out);
/* Where a list's or map's items lie in its child. */
extern bool array_range(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index, int64_t *first,
						int64_t *end);
extern bool arrow_json_write(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t index,
							 Buffer *out, IngestError *error) INGEST_MUST_CHECK;

/* checkpoint.c: first the schema's actions and the sidecars, then the files. */
typedef struct CheckpointReader CheckpointReader;

extern bool checkpoint_open(DeltaTable *table, const LogCheckpoint *checkpoint, CheckpointReader **out,
							const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern bool checkpoint_replay_schema(CheckpointReader *reader, Replay *replay, IngestError *error) INGEST_MUST_CHECK;
extern bool checkpoint_replay_files(CheckpointReader *reader, Replay *replay, IngestError *error) INGEST_MUST_CHECK;
extern void checkpoint_close(CheckpointReader *reader);

/* commit_replay.c */
extern bool replay_commit(Replay *replay, const LogFile *commit, IngestError *error) INGEST_MUST_CHECK;
/* A commit did not parse: TRANSIENT in place of CORRUPT where it may still be being written.  Returns false. */
extern bool log_parse_failed(const ActionReader *reader, int64_t modified_ms, IngestError *error);

/* snapshot.c */

/* follower_state.c: the live files before the next commit, for removes that carry no partition values. */
/* Load it, or keep the one that is there where it is of this version. */
extern bool
follower_state_at(DeltaTable *table, int64_t version, const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern void follower_state_free(FollowerState *state);
extern int64_t follower_state_version(const FollowerState *state);
/* The live file of a canonical path, or null. */
extern const DeltaFile *follower_state_find(const FollowerState *state, const char *canonical);
extern bool follower_state_apply(FollowerState *state, bool is_add, const char *canonical, const DeltaFile *file,
								 IngestError *error) INGEST_MUST_CHECK;
/* All of a commit was applied: the state is of this version now.  May let it go where it holds too much that is dead. */
extern void follower_state_advance(DeltaTable *table, int64_t version);

/* commit.c: a commitInfo's in-commit timestamp, or the writer's clock, or 0. */
extern int64_t commit_info_time(Span json, bool *in_commit);

/* ---- object_input.c: an object of the storage as a ParquetInput ---------------------- */

typedef struct ObjectInput
{
	Storage *storage;
	char *path; /* owned */
	char etag[128];
	const IngestCancel *cancel; /* set before each use */
} ObjectInput;

/* Asks for size and ETag. */
extern bool object_input_open(ObjectInput *object, Storage *storage, char *path, ParquetInput *input,
							  const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;
extern void object_input_close(ObjectInput *object);

/* ---- roaring.c, deletion_vector.c ------------------------------------------------------ */

typedef struct DeletionVector DeletionVector;

/* Parse the data of a vector (magic and bitmaps); the bytes are copied.  CORRUPT where anything is out of form. */
extern bool
deletion_vector_parse(const uint8_t *data, size_t length, DeletionVector **out, IngestError *error) INGEST_MUST_CHECK;
extern void deletion_vector_free(DeletionVector *vector);
extern uint64_t deletion_vector_cardinality(const DeletionVector *vector);
/* Greatest row; undefined where empty. */
extern uint64_t deletion_vector_last(const DeletionVector *vector);
/* Set mask[i] |= bit for each i in [0, count) whose row first + i is in the vector. */
extern void
deletion_vector_mark(const DeletionVector *vector, uint64_t first, size_t count, uint8_t bit, uint8_t *mask);
/* The first row of the vector in [first, end). */
extern bool deletion_vector_next(const DeletionVector *vector, uint64_t first, uint64_t end, uint64_t *row);
/* Z85 text to bytes; "out" needs length / 5 * 4 bytes, *length says how many it got. */
extern bool z85_decode(Span text, uint8_t *out, size_t *length, IngestError *error) INGEST_MUST_CHECK;
/* Fetch and check the vector a descriptor names, for a file of "row_count" rows. */
extern bool
deletion_vector_load(Storage *storage, const VectorDescriptor *descriptor, int64_t row_count, DeletionVector **out,
					 const IngestCancel *cancel, IngestError *error) INGEST_MUST_CHECK;

/* ---- partition_value.c ------------------------------------------------------------------ */

/* A typed constant. */
typedef struct PartitionValue
{
	bool is_null;
	int64_t integer; /* integers, boolean, date (days), timestamps (microseconds, UTC) */
	double floating;
	uint64_t decimal[2]; /* unscaled, low half first; no __int128, which an arena does not align for */
	Span bytes;          /* string, binary */
} PartitionValue;

/* "text" null data: null.  Strings and binary point into "text" or the arena. */
extern bool partition_value_parse(const DeltaField *field, Span text, const char *timezone, Arena *arena,
								  PartitionValue *out, IngestError *error) INGEST_MUST_CHECK;

/* Days since 1970 of a date in the proleptic Gregorian calendar. */
extern int64_t days_from_civil(int64_t year, int64_t month, int64_t day);

/* time_zone.c: seconds east of UTC at a local time; false: the zone is not known. */
extern bool time_zone_offset(const char *zone, int64_t local_seconds, int64_t *offset);

/* ---- array.c: Arrow arrays made here ------------------------------------------------------ */

/* An array with zeroed slots whose release frees everything put into it: buffers by array_own_buffer, children. */
extern bool array_create(struct ArrowArray *array, int64_t length, int buffer_count, int child_count,
						 IngestError *error) INGEST_MUST_CHECK;
/* The frame of a type's Arrow form: buffers and children still to be filled. */
extern bool
array_create_for(const DeltaField *field, int64_t length, struct ArrowArray *out, IngestError *error) INGEST_MUST_CHECK;
/* Zeroed memory that becomes buffers[index]; null: out of memory. */
extern void *array_buffer(struct ArrowArray *array, int index, size_t size);
extern void array_release(struct ArrowArray *array); /* null release is fine */
/* *to takes what *from holds; from's release becomes null. */
extern void array_move(struct ArrowArray *from, struct ArrowArray *to);
/* Make the array a dictionary array; its entries are to be filled in. */
extern struct ArrowArray *array_dictionary(struct ArrowArray *array);
/* A dictionary array that says the first entry of "value" (null where that is null or none) "length" times; takes it. */
extern bool
array_repeat(struct ArrowArray *value, int64_t length, struct ArrowArray *out, IngestError *error) INGEST_MUST_CHECK;
/* Bytes of a value of a fixed width; 0 for other types and booleans. */
extern size_t delta_type_width(DeltaTypeKind kind);
extern bool
array_nulls(const DeltaField *field, int64_t length, struct ArrowArray *out, IngestError *error) INGEST_MUST_CHECK;
extern bool array_constant(const DeltaField *field, const PartitionValue *value, int64_t length, struct ArrowArray *out,
						   IngestError *error) INGEST_MUST_CHECK;

/* ---- column_plan.c, convert.c: from the file's columns to the table's --------------------- */

typedef enum PlanKind
{
	PLAN_MISSING,  /* all null */
	PLAN_CONSTANT, /* a partition column */
	PLAN_LEAF,
	PLAN_STRUCT,
	PLAN_ARRAY,
	PLAN_MAP,
	PLAN_VARIANT
} PlanKind;

typedef struct ColumnPlan
{
	PlanKind kind;
	const DeltaField *field;
	PartitionValue constant;
	int source;                              /* child of the reader's struct, -1 none */
	const char *source_format;               /* LEAF: Arrow format of the file's column */
	int source_scale;                        /* DECIMAL: scale in the file */
	const struct ArrowSchema *source_schema; /* VARIANT: the file's node */
	bool identity;                           /* the array may be passed on as it is */
	size_t child_count;                      /* STRUCT: as the target; ARRAY: 1; MAP: 2 */
	struct ColumnPlan *children;
	bool as_dictionary; /* top-level text and binary: the array leaves with a dictionary */
} ColumnPlan;

/* What a scan reads of one file. */
typedef struct ScanPlan
{
	ColumnPlan root;               /* STRUCT */
	struct ArrowSchema projection; /* for parquet_reader_open */
	bool any_column_found;
} ScanPlan;

/* Resolve the wanted fields in the file's schema.  "partition_values" is a JSON object or null. */
extern bool scan_plan_create(const DeltaSchema *schema, const DeltaField *wanted, const struct ArrowSchema *file,
							 const JsonValue *partition_values, const char *timezone, bool keep_dictionary,
							 Arena *arena, ScanPlan *out, IngestError *error) INGEST_MUST_CHECK;
/* Top-level columns of this type leave as dictionary arrays where dictionaries are kept. */
extern bool delta_leaves_as_dictionary(const DeltaField *field);
/*
 * Convert rows of the file's array to the table's types.  "take" lists the wanted rows ascending (null: all "count").
 * *source may be emptied (its children moved out).
 */
extern bool scan_plan_convert(const ScanPlan *plan, struct ArrowArray *source, const int64_t *take, int64_t count,
							  struct ArrowArray *out, IngestError *error) INGEST_MUST_CHECK;
/* Can this Arrow format be read as the field's type?  */
extern bool column_type_is_readable(const char *format, const DeltaField *field);

#endif
