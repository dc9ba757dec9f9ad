/*-------------------------------------------------------------------------
 *
 * apply_test.c
 *	  The room apply/ from SQL: batches made of JSON, or of a query's rows.
 *
 * Compiled together with the rooms common, batch and apply, so that it needs nothing else of the
 * system.  A target stays open between calls, as in a worker, and is opened again when DDL has changed it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/resource.h>
#include <time.h>

#include "apply/apply_internal.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

PG_FUNCTION_INFO_V1(apply_test_run);
PG_FUNCTION_INFO_V1(apply_test_describe);
PG_FUNCTION_INFO_V1(apply_test_bench);
PG_FUNCTION_INFO_V1(apply_test_cpu);

#define ARENA_LIMIT ((size_t) 2 * 1024 * 1024 * 1024)

static ApplyTarget *open_target = NULL;

void
_PG_init(void)
{
	apply_define_gucs();
}

static void
raise_ingest_error(const IngestError *error)
{
	ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("%s", error->message));
}

/* The target, open and current; *reopened says whether it had to be described anew. */
static ApplyTarget *
current_target(Oid relid, bool *reopened)
{
	MemoryContext old_context;

	*reopened = false;
	if (open_target != NULL && open_target->relid == relid && apply_target_is_current(open_target))
		return open_target;
	*reopened = open_target != NULL && open_target->relid == relid;
	apply_close(open_target);
	open_target = NULL;
	old_context = MemoryContextSwitchTo(TopMemoryContext);
	open_target = apply_open(relid);
	MemoryContextSwitchTo(old_context);
	if (!apply_target_is_current(open_target))
		elog(ERROR, "the target changed under a lock");
	return open_target;
}

/* ---- batches from JSON -------------------------------------------------------------- */

static void
set_field(ChangeBatch *batch, uint32 row, const JsonMember *member)
{
	IngestError error = {0};
	int column = target_find_column(batch->target, member->key);
	const JsonValue *value = member->value;
	bool done = true;

	if (column < 0 || batch->target->columns[column].generated)
		return;
	if (!batch_provide_column(batch, column, &error))
		raise_ingest_error(&error);
	if (value->type == JSON_TYPE_NULL)
		batch_set_null(batch, column, row);
	else if (value->type == JSON_TYPE_TRUE || value->type == JSON_TYPE_FALSE)
		done = batch_set_boolean(batch, column, row, value->type == JSON_TYPE_TRUE, &error);
	else
		done = batch_set_text(batch, column, row, value->text, TEMPORAL_TEXT, &error);
	if (!done)
		raise_ingest_error(&error);
}

static void
add_record(ChangeBatch *batch, const JsonMember *record, int64 number, Span text)
{
	IngestError error = {0};
	Payload payload = {.plan = -1, .topic = "test", .offset = number, .value = text};
	ChangeKind kind = span_equals(record->key, "delete")   ? CHANGE_DELETE
					  : span_equals(record->key, "update") ? CHANGE_UPDATE
														   : CHANGE_INSERT;
	uint32 payload_index;
	uint32 row;

	if (!batch_add_payload(batch, &payload, &payload_index, &error))
		raise_ingest_error(&error);
	if (span_equals(record->key, "bad"))
	{
		if (!batch_add_bad(batch, payload_index, number, "22P04", NULL, record->value->text.data, &error))
			raise_ingest_error(&error);
		return;
	}
	if (!batch_add_row(batch, kind, payload_index, number, &row, &error))
		raise_ingest_error(&error);
	for (size_t i = 0; i < record->value->count; i++)
		set_field(batch, row, &record->value->members[i]);
}

static void
provide_columns(ChangeBatch *batch, ArrayType *names)
{
	IngestError error = {0};
	Datum *values;
	int count;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = TextDatumGetCString(values[i]);
		int column = target_find_column(batch->target, (Span){name, strlen(name)});

		if (column < 0 || !batch_provide_column(batch, column, &error))
			elog(ERROR, "no column %s", name);
	}
}

/* Every record is one payload, whose offset is its place in the array. */
static ChangeBatch *
batch_from_json(const TargetTable *table, text *changes, ArrayType *provide)
{
	IngestError error = {0};
	ChangeBatch *batch = batch_create(table, 16, ARENA_LIMIT);
	JsonValue *array;

	if (batch == NULL)
		elog(ERROR, "out of memory");
	if (!json_parse(VARDATA_ANY(changes), VARSIZE_ANY_EXHDR(changes), &batch->arena, &array, &error))
		raise_ingest_error(&error);
	provide_columns(batch, provide);
	for (size_t i = 0; i < array->count; i++)
		add_record(batch, &array->elements[i]->members[0], (int64) i, (Span){"payload", 7});
	batch_finish(batch);
	return batch;
}

/* ---- results ------------------------------------------------------------------------- */

/* "number|sqlstate|column|constraint|message" of each. */
static ArrayType *
rejected_array(const ApplyResult *result)
{
	Datum *texts = palloc(sizeof(Datum) * (result->rejected_count + 1));

	for (int i = 0; i < result->rejected_count; i++)
	{
		const RejectedRecord *record = &result->rejected[i];

		texts[i] = CStringGetTextDatum(psprintf("%lld|%s|%s|%s|%s", (long long) record->row_number, record->sqlstate,
												record->column_name != NULL ? record->column_name : "",
												record->constraint_name != NULL ? record->constraint_name : "",
												record->message));
		if (record->payload == NULL || record->payload->offset != record->row_number)
			elog(ERROR, "record %lld came back with another payload", (long long) record->row_number);
	}
	return construct_array(texts, result->rejected_count, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
free_batch(void *batch)
{
	batch_free(batch);
}

Datum
apply_test_run(PG_FUNCTION_ARGS)
{
	TupleDesc descriptor;
	ApplyResult result;
	bool reopened;
	ApplyTarget *target = current_target(PG_GETARG_OID(0), &reopened);
	ChangeBatch *batch = batch_from_json(apply_target_table(target), PG_GETARG_TEXT_PP(1), PG_GETARG_ARRAYTYPE_P(4));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	int64 subtransactions = apply_subtransactions;
	Datum values[8];
	bool nulls[8] = {false};

	callback->func = free_batch;
	callback->arg = batch;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	batch->set_difference = PG_GETARG_BOOL(3);
	apply_batch(target, batch, PG_GETARG_BOOL(2), &result);

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(result.rows_inserted);
	values[1] = Int64GetDatum(result.rows_deleted);
	values[2] = Int64GetDatum(result.rows_updated);
	values[3] = Int64GetDatum(result.deletes_unmatched);
	values[4] = PointerGetDatum(rejected_array(&result));
	values[5] = Int64GetDatum(apply_subtransactions - subtransactions);
	values[6] = BoolGetDatum(reopened);
	values[7] = Int64GetDatum(result.updates_unmatched);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/* ---- the description ------------------------------------------------------------------- */

static const char *const form_names[] = {"boolean",     "int2",     "int4",  "int8",  "float4", "float8", "numeric",
										 "text",        "bpchar",   "bytea", "uuid",  "date",   "time",   "timestamp",
										 "timestamptz", "interval", "json",  "array", "input"};

Datum
apply_test_describe(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	TargetTable *table = apply_describe(PG_GETARG_OID(0));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < table->column_count; i++)
	{
		const ColumnTarget *column = &table->columns[i];
		bool nulls[9] = {false};
		Datum values[9] = {
			CStringGetTextDatum(column->name),
			CStringGetTextDatum(form_names[column->form]),
			CStringGetTextDatum(column->type_name),
			Int32GetDatum(column->precision),
			Int32GetDatum(column->scale),
			Int32GetDatum(column->length),
			Int32GetDatum(column->fraction_digits),
			CStringGetTextDatum(psprintf("%s%s%s%s%s", column->in_key ? "key " : "", column->not_null ? "notnull " : "",
										 column->has_default ? "default " : "", column->generated ? "generated " : "",
										 column->case_sensitive ? "case " : "")),
			CStringGetTextDatum(column->element != NULL ? form_names[column->element->form] : ""),
		};

		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	apply_describe_free(table);
	return (Datum) 0;
}

/* ---- figures ------------------------------------------------------------------------------ */

static double
process_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
		   (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double
wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

Datum
apply_test_cpu(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(process_cpu());
}

/* The query's rows as a batch of ready values; columns match the target's by position. */
static ChangeBatch *
batch_from_rows(const TargetTable *table, SPITupleTable *rows, uint64 count)
{
	IngestError error = {0};
	ChangeBatch *batch = batch_create(table, (uint32) count, ARENA_LIMIT);
	Payload payload = {.plan = -1, .file = "bench"};
	uint32 index;

	if (batch == NULL || !batch_add_payload(batch, &payload, &index, &error))
		elog(ERROR, "out of memory");
	for (int c = 0; c < table->column_count; c++)
		if (!batch_provide_column(batch, c, &error))
			raise_ingest_error(&error);
	for (uint64 r = 0; r < count; r++)
	{
		uint32 row;

		if (!batch_add_row(batch, CHANGE_INSERT, index, (int64) r, &row, &error))
			raise_ingest_error(&error);
		for (int c = 0; c < table->column_count; c++)
		{
			Form_pg_attribute attribute = TupleDescAttr(rows->tupdesc, c);
			bool is_null;
			Datum value = SPI_getbinval(rows->vals[r], rows->tupdesc, c + 1, &is_null);

			batch->columns[c].states[row] = is_null ? VALUE_NULL : VALUE_DATUM;
			if (is_null)
				continue;
			if (!attribute->attbyval)
			{
				struct varlena *flat;
				Size size;
				void *copy;

				if (attribute->attlen == -1)
				{
					flat = PG_DETOAST_DATUM_COPY(value);
					size = VARSIZE(flat);
				}
				else
				{
					flat = (struct varlena *) DatumGetPointer(value);
					size = attribute->attlen;
				}
				copy = arena_alloc(&batch->arena, size);
				if (copy == NULL)
					elog(ERROR, "out of memory");
				memcpy(copy, flat, size);
				value = PointerGetDatum(copy);
			}
			batch->columns[c].values[row] = value;
		}
	}
	batch_finish(batch);
	return batch;
}

Datum
apply_test_bench(PG_FUNCTION_ARGS)
{
	bool reopened;
	ApplyTarget *target = current_target(PG_GETARG_OID(0), &reopened);
	char *query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int batch_rows = PG_GETARG_INT32(2);
	List *batches = NIL;
	int64 row_count = 0;
	TupleDesc descriptor;
	MemoryContext context = CurrentMemoryContext;
	Portal portal;
	ListCell *cell;
	double cpu;
	double wall;
	Datum values[3];
	bool nulls[3] = {false};

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		MemoryContext old_context;

		SPI_cursor_fetch(portal, true, batch_rows);
		if (SPI_processed == 0)
			break;
		row_count += (int64) SPI_processed;
		old_context = MemoryContextSwitchTo(context);
		batches = lappend(batches, batch_from_rows(apply_target_table(target), SPI_tuptable, SPI_processed));
		MemoryContextSwitchTo(old_context);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_finish();

	cpu = process_cpu();
	wall = wall_clock();
	foreach (cell, batches)
	{
		ApplyResult result;

		apply_batch(target, lfirst(cell), false, &result);
		if (result.rejected_count > 0)
			elog(ERROR, "%d rows were rejected: %s", result.rejected_count, result.rejected[0].message);
		batch_free(lfirst(cell));
	}
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(row_count);
	values[1] = Float8GetDatum(wall_clock() - wall);
	values[2] = Float8GetDatum(process_cpu() - cpu);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
