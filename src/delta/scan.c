/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The rows of one data file as arrays of the table's schema.
 *
 *	  open	the action's JSON (path, partition values, vector) is all that is needed; the
 *			log is not read.  Parquet footer, plan of the columns, deletion vectors.
 *	  next	a batch of the Parquet reader; which of its rows are wanted; conversion.
 *
 * Rows are numbered physically, over all row groups in the order of the footer, before
 * anything is left out; deletion vectors and positions speak of these numbers, so that
 * resuming or skipping never shifts them.
 *
 * A scan belongs to one thread.  It keeps its schema alive.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SCAN_BYTES ((size_t) 1 << 30)
#define CHANGE_TYPE_COLUMN "_change_type"

/* Bits of the mask that the vectors are marked into. */
#define IN_VECTOR 1
#define IN_OLD_VECTOR 2

struct DeltaScan
{
	Arena arena;
	Storage *storage;
	DeltaSchema *schema;
	DeltaField wanted; /* STRUCT of the projected columns */
	struct ArrowSchema arrow;
	FileAction action;
	ObjectInput object; /* where the caller gave no input */
	ParquetFile *file;
	ParquetReader *reader;
	ScanPlan plan;
	DeltaRows rows;
	DeletionVector *vector;     /* null: none */
	DeletionVector *old_vector; /* null: none */
	int64_t capacity;           /* of the three below */
	uint8_t *mask;
	int64_t *take;
	int64_t *numbers;
};

/* ---- projection ---------------------------------------------------------------------------------------- */

static bool project_field(DeltaScan *scan, const DeltaField *from, const struct ArrowSchema *projection, DeltaField *to,
						  IngestError *error);

static const DeltaField *
find_field(const DeltaField *parent, const char *name)
{
	static const DeltaField change_type = {
		.name = CHANGE_TYPE_COLUMN,
		.physical_name = CHANGE_TYPE_COLUMN,
		.field_id = -1,
		.nullable = true,
		.kind = DELTA_TYPE_STRING,
	};

	for (size_t i = 0; i < parent->child_count; i++)
		if (strcmp(parent->children[i].name, name) == 0)
			return &parent->children[i];
	/* of change data files; never mapped */
	return parent->name[0] == '\0' && strcmp(name, CHANGE_TYPE_COLUMN) == 0 ? &change_type : NULL;
}

static bool
project_struct(DeltaScan *scan, const DeltaField *from, const struct ArrowSchema *projection, DeltaField *to,
			   IngestError *error)
{
	to->child_count = (size_t) projection->n_children;
	to->children = arena_alloc_array(&scan->arena, to->child_count, sizeof(DeltaField));
	if (to->children == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < to->child_count; i++)
	{
		const struct ArrowSchema *child = projection->children[i];
		const DeltaField *found = find_field(from, child->name);

		if (found == NULL)
			return ingest_fail(error, INGEST_ERROR_INVALID, "the table has no column \"%s\"", child->name);
		if (!project_field(scan, found, child, &to->children[i], error))
			return false;
	}
	return true;
}

/* Elements, keys and values go by position. */
static bool
project_items(DeltaScan *scan, const DeltaField *from, const struct ArrowSchema *projection, DeltaField *to,
			  IngestError *error)
{
	const struct ArrowSchema *parent =
		from->kind == DELTA_TYPE_MAP && projection->n_children == 1 ? projection->children[0] : projection;

	if (parent->n_children != (int64_t) from->child_count)
		return ingest_fail(error, INGEST_ERROR_INVALID, "a projection of column \"%s\" has another shape", from->name);
	to->children = arena_alloc_array(&scan->arena, from->child_count, sizeof(DeltaField));
	if (to->children == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < from->child_count; i++)
		if (!project_field(scan, &from->children[i], parent->children[i], &to->children[i], error))
			return false;
	return true;
}

static bool
project_field(DeltaScan *scan, const DeltaField *from, const struct ArrowSchema *projection, DeltaField *to,
			  IngestError *error)
{
	*to = *from;
	if (from->kind == DELTA_TYPE_STRUCT)
		return project_struct(scan, from, projection, to, error);
	if (from->kind == DELTA_TYPE_ARRAY || from->kind == DELTA_TYPE_MAP)
		return project_items(scan, from, projection, to, error);
	return true;
}

/* Text and binary at the top leave as indices into a dictionary, in every file alike. */
static bool
add_dictionaries(DeltaScan *scan, IngestError *error)
{
	for (size_t i = 0; i < scan->wanted.child_count; i++)
	{
		struct ArrowSchema *node = scan->arrow.children[i];

		if (!delta_leaves_as_dictionary(&scan->wanted.children[i]))
			continue;
		node->dictionary = arena_alloc(&scan->arena, sizeof(struct ArrowSchema));
		if (node->dictionary == NULL)
			return ingest_out_of_memory(error);
		*node->dictionary = *node;
		node->dictionary->dictionary = NULL;
		node->dictionary->metadata = NULL;
		node->format = "i";
	}
	return true;
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static bool
parse_action(DeltaScan *scan, const char *json, size_t length, FileAction *action, IngestError *error)
{
	/* the action's texts must live as long as the scan */
	char *copy = arena_copy(&scan->arena, json, length);

	if (copy == NULL)
		return ingest_out_of_memory(error);
	return file_action_parse(copy, length, &scan->arena, action, error);
}

static bool
open_parquet(DeltaScan *scan, const DeltaOptions *options, const ParquetInput *input, const IngestCancel *cancel,
			 IngestError *error)
{
	ParquetOptions parquet = {0};
	ParquetInput own;
	char *path;

	if (options != NULL)
		parquet = options->parquet;
	if (input == NULL)
	{
		if (!delta_path_resolve(scan->storage, "", scan->action.path.data, &path, error) ||
			!object_input_open(&scan->object, scan->storage, path, &own, cancel, error))
			return false;
		input = &own;
	}
	return parquet_open(input, &parquet, &scan->file, error);
}

/* A file that the log names must be there; nothing else heals a missing one. */
static bool
explain_failure(const DeltaScan *scan, IngestError *error)
{
	if (error->kind == INGEST_ERROR_CANCELLED || error->kind == INGEST_ERROR_OUT_OF_MEMORY)
		return false;
	if (error->kind != INGEST_ERROR_NOT_FOUND)
		return ingest_context(error, "data file \"%s\"", scan->action.path.data);
	ingest_fail(error, INGEST_ERROR_GONE, "data file \"%s\" is missing", scan->action.path.data);
	return ingest_hint(error, "VACUUM may have removed it while it was still needed.");
}

static bool
make_plan(DeltaScan *scan, const DeltaOptions *options, IngestError *error)
{
	JsonValue *values = NULL;

	if (scan->action.partition_values.length > 0 &&
		!json_parse(scan->action.partition_values.data, scan->action.partition_values.length, &scan->arena, &values,
					error))
		return false;
	return scan_plan_create(scan->schema, &scan->wanted, parquet_schema(scan->file), values,
							options != NULL ? options->timestamp_partition_timezone : NULL,
							options != NULL && options->parquet.keep_dictionary, &scan->arena, &scan->plan, error);
}

static bool
load_vectors(DeltaScan *scan, const char *old_json, size_t old_length, const IngestCancel *cancel, IngestError *error)
{
	int64_t row_count = parquet_row_count(scan->file);
	FileAction old;

	if (scan->action.vector.storage_type != 0 &&
		!deletion_vector_load(scan->storage, &scan->action.vector, row_count, &scan->vector, cancel, error))
		return false;
	if (old_json == NULL)
		return true;
	if (!parse_action(scan, old_json, old_length, &old, error))
		return false;
	return old.vector.storage_type == 0 ||
		   deletion_vector_load(scan->storage, &old.vector, row_count, &scan->old_vector, cancel, error);
}

/* The rows of a difference lie in one of the vectors: row groups without any of its rows need not be read. */
static void
skip_row_groups(DeltaScan *scan)
{
	const DeletionVector *superset = scan->rows == DELTA_ROWS_NEWLY_MASKED ? scan->vector : scan->old_vector;
	uint64_t first = 0;

	if (scan->rows == DELTA_ROWS_LIVE)
		return;
	for (int i = 0; i < parquet_row_group_count(scan->file); i++)
	{
		uint64_t end = first + (uint64_t) parquet_row_group_rows(scan->file, i);
		uint64_t row;

		if (superset == NULL || !deletion_vector_next(superset, first, end, &row))
			parquet_reader_skip_row_group(scan->reader, i);
		first = end;
	}
}

static bool
open_scan(DeltaScan *scan, const DeltaOptions *options, const ParquetInput *input, const char *old_json,
		  size_t old_length, int64_t first_row, const IngestCancel *cancel, IngestError *error)
{
	if (!open_parquet(scan, options, input, cancel, error) || !make_plan(scan, options, error) ||
		!load_vectors(scan, old_json, old_length, cancel, error))
		return false;
	if (first_row < 0 || first_row > parquet_row_count(scan->file))
		return ingest_fail(error, INGEST_ERROR_CHANGED, "row %lld does not exist, the file has %lld rows",
						   (long long) first_row, (long long) parquet_row_count(scan->file));
	if (!parquet_reader_open(scan->file, &scan->plan.projection, first_row, &scan->reader, error))
		return false;
	skip_row_groups(scan);
	return true;
}

bool
delta_scan_open(Storage *storage, const DeltaOptions *options, DeltaSchema *schema,
				const struct ArrowSchema *projection, const char *action_json, size_t action_length,
				const char *old_action_json, size_t old_action_length, DeltaRows rows, int64_t first_row,
				const ParquetInput *input, DeltaScan **out, const IngestCancel *cancel, IngestError *error)
{
	DeltaScan *scan = calloc(1, sizeof(DeltaScan));

	*out = NULL;
	if (scan == NULL)
		return ingest_out_of_memory(error);
	arena_init(&scan->arena, MAX_SCAN_BYTES);
	scan->storage = storage;
	scan->schema = delta_schema_acquire(schema);
	scan->rows = rows;
	if (!project_field(scan, &schema->root, projection != NULL ? projection : &schema->arrow, &scan->wanted, error) ||
		!delta_arrow_field(&scan->wanted, &scan->arena, &scan->arrow, error) ||
		(options != NULL && options->parquet.keep_dictionary && !add_dictionaries(scan, error)) ||
		!parse_action(scan, action_json, action_length, &scan->action, error))
	{
		delta_scan_close(scan);
		return false;
	}
	if (!open_scan(scan, options, input, old_action_json, old_action_length, first_row, cancel, error))
	{
		explain_failure(scan, error);
		delta_scan_close(scan);
		return false;
	}
	*out = scan;
	return true;
}

void
delta_scan_close(DeltaScan *scan)
{
	if (scan == NULL)
		return;
	parquet_reader_close(scan->reader);
	parquet_close(scan->file);
	object_input_close(&scan->object);
	deletion_vector_free(scan->vector);
	deletion_vector_free(scan->old_vector);
	delta_schema_release(scan->schema);
	free(scan->mask);
	free(scan->take);
	free(scan->numbers);
	arena_release(&scan->arena);
	free(scan);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static bool
reserve_rows(DeltaScan *scan, int64_t count, IngestError *error)
{
	if (count <= scan->capacity)
		return true;
	free(scan->mask);
	free(scan->take);
	free(scan->numbers);
	scan->mask = malloc((size_t) count);
	scan->take = malloc((size_t) count * sizeof(int64_t));
	scan->numbers = malloc((size_t) count * sizeof(int64_t));
	scan->capacity = scan->mask != NULL && scan->take != NULL && scan->numbers != NULL ? count : 0;
	return scan->capacity > 0 || ingest_out_of_memory(error);
}

static bool
is_wanted(DeltaRows rows, uint8_t mask)
{
	switch (rows)
	{
		case DELTA_ROWS_NEWLY_MASKED:
			return mask == IN_VECTOR;
		case DELTA_ROWS_NEWLY_LIVE:
			return mask == IN_OLD_VECTOR;
		default:
			return (mask & IN_VECTOR) == 0;
	}
}

/* Fill take and numbers for rows [first, first + count); returns how many are wanted. */
static int64_t
select_rows(DeltaScan *scan, int64_t first, int64_t count)
{
	int64_t wanted = 0;

	memset(scan->mask, 0, (size_t) count);
	if (scan->vector != NULL)
		deletion_vector_mark(scan->vector, (uint64_t) first, (size_t) count, IN_VECTOR, scan->mask);
	if (scan->old_vector != NULL)
		deletion_vector_mark(scan->old_vector, (uint64_t) first, (size_t) count, IN_OLD_VECTOR, scan->mask);
	for (int64_t i = 0; i < count; i++)
	{
		scan->take[wanted] = i;
		scan->numbers[wanted] = first + i;
		wanted += is_wanted(scan->rows, scan->mask[i]);
	}
	return wanted;
}

bool
delta_scan_next(DeltaScan *scan, int64_t max_rows, struct ArrowArray *array, const int64_t **numbers, int64_t *next_row,
				int64_t *masked_rows, const IngestCancel *cancel, IngestError *error)
{
	struct ArrowArray source;
	int64_t first;
	int64_t count;
	int64_t wanted;
	bool done;

	memset(array, 0, sizeof(*array));
	*masked_rows = 0;
	scan->object.cancel = cancel;
	if (!parquet_reader_next(scan->reader, max_rows, &source, &first, cancel, error))
		return explain_failure(scan, error);
	if (source.release == NULL)
	{
		*next_row = parquet_row_count(scan->file);
		return true;
	}
	count = source.length;
	done = reserve_rows(scan, count, error);
	if (done)
	{
		wanted = select_rows(scan, first, count);
		done = scan_plan_convert(&scan->plan, &source, wanted == count ? NULL : scan->take, wanted, array, error);
		*masked_rows = count - wanted;
		*next_row = first + count;
		*numbers = scan->numbers;
	}
	array_release(&source);
	return done || explain_failure(scan, error);
}

const struct ArrowSchema *
delta_scan_schema(const DeltaScan *scan)
{
	return &scan->arrow;
}

bool
delta_scan_finds_columns(const DeltaScan *scan)
{
	bool wanted = false;

	for (size_t i = 0; i < scan->wanted.child_count; i++)
		wanted = wanted || !scan->wanted.children[i].is_partition;
	return scan->schema->mapping == DELTA_MAPPING_NONE || !wanted || scan->plan.any_column_found;
}

int64_t
delta_scan_row_count(const DeltaScan *scan)
{
	return parquet_row_count(scan->file);
}
