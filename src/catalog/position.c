/*-------------------------------------------------------------------------
 *
 * position.c
 *	  Where each connector is: loading, pinning and forgetting positions.
 *
 * Contract.  A position is what comes next, in concrete numbers, written before the first read
 * (the pin) and moved only by advance.c.  A number that is stored is never changed by a later pin, which
 * brings what was not known before: a partition that appeared, a start that was symbolic, an end.
 *
 *	kafka	kafka_position, a row a partition; null offsets while "latest" is symbolic
 *	delta	delta_position, and delta_file, a row a file of the snapshot
 *	datagen	datagen_position, a row a plan
 *	all		progress: pinned_at, source_identity, totals
 *
 * The plan of a Delta snapshot may have 100,000 files: it goes in by arrays, PLAN_CHUNK rows a
 * statement, and its finished files are left out when it is loaded.
 *
 * A loaded SourcePosition is malloc'ed, because the source's threads take it over.  It is
 * freed here when an error is raised half-way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define PLAN_CHUNK 5000

/* ---- loading ---------------------------------------------------------------------- */

/* malloc for what the source will own */
static void *
source_allocate(size_t count, size_t size)
{
	void *memory = calloc(Max(count, 1), size);

	if (memory == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return memory;
}

static char *
source_text(uint64 row, int column)
{
	char *text = catalog_column_text(row, column, CurrentMemoryContext);
	char *copy;

	if (text == NULL)
		return NULL;
	copy = strdup(text);
	pfree(text);
	if (copy == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return copy;
}

/* What progress holds of it; false where nothing is stored. */
static bool
load_progress(Datum *connector_id, SourcePosition *position)
{
	static CatalogQuery query = {
		.sql = "SELECT pinned_at IS NOT NULL, backfill_completed_at IS NOT NULL, source_identity, "
			   "messages_passed_over, rows_total, bytes_total FROM feldera.progress "
			   "WHERE connector_id = $1 AND (pinned_at IS NOT NULL OR source_identity IS NOT NULL "
			   "OR EXISTS (SELECT FROM feldera.kafka_position WHERE connector_id = $1))",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};

	if (catalog_execute(&query, connector_id, NULL) == 0)
		return false;
	position->pinned = catalog_column_bool(0, 1);
	position->backfill_completed = catalog_column_bool(0, 2);
	position->source_identity = source_text(0, 3);
	position->messages_passed_over = catalog_column_int64(0, 4, -1);
	position->rows_total = catalog_column_int64(0, 5, -1);
	position->bytes_total = catalog_column_int64(0, 6, -1);
	return true;
}

static void
load_kafka(Datum *connector_id, SourcePosition *position)
{
	static CatalogQuery query = {
		.sql = "SELECT topic, partition, start_offset, next_offset, end_offset, declared_low, declared_high "
			   "FROM feldera.kafka_position WHERE connector_id = $1 ORDER BY topic, partition",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	uint64 count = catalog_execute(&query, connector_id, NULL);

	if (count == 0)
		return;
	position->partitions = source_allocate(count, sizeof(KafkaPartitionPosition));
	for (uint64 row = 0; row < count; row++)
	{
		KafkaPartitionPosition *partition = &position->partitions[row];

		position->partition_count = row + 1;
		partition->topic = source_text(row, 1);
		partition->partition = (int32) catalog_column_int64(row, 2, 0);
		partition->start_offset = catalog_column_int64(row, 3, -1);
		partition->next_offset = catalog_column_int64(row, 4, -1);
		partition->end_offset = catalog_column_int64(row, 5, -1);
		partition->declared_low = catalog_column_int64(row, 6, -1);
		partition->declared_high = catalog_column_int64(row, 7, -1);
	}
}

static void
load_delta_files(Datum *connector_id, SourcePosition *position)
{
	static CatalogQuery query = {
		.sql = "SELECT file_number, next_row, record_count, size, action FROM feldera.delta_file "
			   "WHERE connector_id = $1 AND NOT done ORDER BY file_number",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	uint64 count = catalog_execute(&query, connector_id, NULL);

	if (count == 0)
		return;
	position->files = source_allocate(count, sizeof(DeltaPlanFile));
	for (uint64 row = 0; row < count; row++)
	{
		DeltaPlanFile *file = &position->files[row];

		position->file_count = row + 1;
		file->file_number = catalog_column_int64(row, 1, 0);
		file->next_row = catalog_column_int64(row, 2, 0);
		file->record_count = catalog_column_int64(row, 3, -1);
		file->size = (uint64_t) catalog_column_int64(row, 4, 0);
		file->action_json = source_text(row, 5);
	}
}

static void
load_delta(Datum *connector_id, SourcePosition *position)
{
	static CatalogQuery query = {
		.sql = "SELECT start_version, backfill_end_version, next_version, commit_identity, schema_json, has_snapshot, "
			   "files_total FROM feldera.delta_position WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};

	if (catalog_execute(&query, connector_id, NULL) == 0)
		return;
	position->start_version = catalog_column_int64(0, 1, -1);
	position->backfill_end_version = catalog_column_int64(0, 2, -1);
	position->next_version = catalog_column_int64(0, 3, -1);
	position->commit_identity = source_text(0, 4);
	position->schema_json = source_text(0, 5);
	position->has_snapshot = catalog_column_bool(0, 6);
	position->files_total = catalog_column_int64(0, 7, 0);
	load_delta_files(connector_id, position);
}

static void
load_datagen(Datum *connector_id, SourcePosition *position)
{
	static CatalogQuery query = {
		.sql = "SELECT plan, next_row, seed::text FROM feldera.datagen_position WHERE connector_id = $1 ORDER BY plan",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	uint64 count = catalog_execute(&query, connector_id, NULL);

	if (count == 0)
		return;
	position->plans = source_allocate(count, sizeof(DatagenPlanPosition));
	position->plan_count = count;
	position->seed = strtoull(catalog_column_text(0, 3, CurrentMemoryContext), NULL, 10);
	for (uint64 row = 0; row < count; row++)
	{
		position->plans[row].plan = (int32) catalog_column_int64(row, 1, 0);
		position->plans[row].next_row = catalog_column_int64(row, 2, 0);
	}
}

SourcePosition *
catalog_load_position(int64 connector_id)
{
	Datum values[1] = {Int64GetDatum(connector_id)};
	CatalogSession session;
	SourcePosition *volatile position = source_position_create();
	volatile bool stored = false;

	if (position == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	PG_TRY();
	{
		catalog_session_begin(&session);
		stored = load_progress(values, position);
		if (stored)
		{
			load_kafka(values, position);
			load_delta(values, position);
			load_datagen(values, position);
		}
		catalog_session_end(&session);
	}
	PG_CATCH();
	{
		source_position_free(position);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (stored)
		return position;
	source_position_free(position);
	return NULL;
}

/* ---- pinning ------------------------------------------------------------------------ */

/* A number as an argument; "none" (below zero) as null. */
static Datum
number_or_null(int64 value, bool *isnull)
{
	*isnull = value < 0;
	return Int64GetDatum(value);
}

/* The fence, and what progress keeps of a pin.  Raises where the source is another one than the stored position's. */
static bool
pin_progress(int64 connector_id, int64 epoch, const SourcePosition *pin)
{
	static CatalogQuery read_query = {
		.sql = "SELECT source_identity FROM feldera.progress WHERE connector_id = $1 AND epoch = $2 FOR UPDATE",
		.argument_count = 2,
		.argument_types = {INT8OID, INT8OID},
	};
	static CatalogQuery write_query = {
		.sql = "UPDATE feldera.progress SET source_identity = coalesce($3, source_identity), "
			   "pinned_at = CASE WHEN $4 THEN coalesce(pinned_at, clock_timestamp()) ELSE pinned_at END, "
			   "messages_passed_over = coalesce($5, messages_passed_over), rows_total = coalesce($6, rows_total), "
			   "bytes_total = coalesce($7, bytes_total) WHERE connector_id = $1 AND epoch = $2",
		.argument_count = 7,
		.argument_types = {INT8OID, INT8OID, TEXTOID, BOOLOID, INT8OID, INT8OID, INT8OID},
	};
	Datum values[7] = {Int64GetDatum(connector_id), Int64GetDatum(epoch)};
	bool nulls[7] = {false};
	char *identity;

	if (catalog_execute(&read_query, values, NULL) == 0)
		return false;
	identity = catalog_column_text(0, 1, CurrentMemoryContext);
	if (identity != NULL && pin->source_identity != NULL && strcmp(identity, pin->source_identity) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the source is \"%s\", but the stored position belongs to \"%s\"", pin->source_identity,
							   identity),
						errhint("Use feldera.reset_connector() if the new source is meant.")));

	nulls[2] = pin->source_identity == NULL;
	values[2] = nulls[2] ? (Datum) 0 : catalog_text(pin->source_identity);
	values[3] = BoolGetDatum(pin->pinned);
	values[4] = number_or_null(pin->messages_passed_over, &nulls[4]);
	values[5] = number_or_null(pin->rows_total, &nulls[5]);
	values[6] = number_or_null(pin->bytes_total, &nulls[6]);
	return catalog_execute(&write_query, values, nulls) == 1;
}

static void
pin_partition(int64 connector_id, const KafkaPartitionPosition *partition)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.kafka_position AS k (connector_id, topic, partition, start_offset, next_offset, "
			   "end_offset, declared_low, declared_high) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
			   "ON CONFLICT (connector_id, topic, partition) DO UPDATE SET "
			   "start_offset = coalesce(k.start_offset, EXCLUDED.start_offset), "
			   "next_offset = coalesce(k.next_offset, EXCLUDED.next_offset), "
			   "end_offset = coalesce(k.end_offset, EXCLUDED.end_offset), "
			   "declared_low = coalesce(k.declared_low, EXCLUDED.declared_low), "
			   "declared_high = coalesce(k.declared_high, EXCLUDED.declared_high)",
		.argument_count = 8,
		.argument_types = {INT8OID, TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID},
	};
	Datum values[8] = {Int64GetDatum(connector_id), catalog_text(partition->topic),
					   Int32GetDatum(partition->partition)};
	bool nulls[8] = {false};

	values[3] = number_or_null(partition->start_offset, &nulls[3]);
	values[4] = number_or_null(partition->next_offset, &nulls[4]);
	values[5] = number_or_null(partition->end_offset, &nulls[5]);
	values[6] = number_or_null(partition->declared_low, &nulls[6]);
	values[7] = number_or_null(partition->declared_high, &nulls[7]);
	(void) catalog_execute(&query, values, nulls);
}

/* Rows [first, first + count) of the file plan. */
static void
pin_delta_files(int64 connector_id, const DeltaPlanFile *files, size_t count)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.delta_file (connector_id, file_number, next_row, record_count, size, done, action) "
			   "SELECT $1, f.* FROM unnest($2, $3, $4, $5, $6, $7) AS f",
		.argument_count = 7,
		.argument_types = {INT8OID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BOOLARRAYOID, TEXTARRAYOID},
	};
	MemoryContext chunk = AllocSetContextCreate(CurrentMemoryContext, "file plan chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(chunk);
	Datum *columns[6];
	bool *unknown = palloc0(sizeof(bool) * count);
	Datum values[7] = {Int64GetDatum(connector_id)};

	for (int column = 0; column < 6; column++)
		columns[column] = palloc(sizeof(Datum) * count);
	for (size_t i = 0; i < count; i++)
	{
		columns[0][i] = Int64GetDatum(files[i].file_number);
		columns[1][i] = Int64GetDatum(files[i].next_row);
		columns[2][i] = number_or_null(files[i].record_count, &unknown[i]);
		columns[3][i] = Int64GetDatum((int64) files[i].size);
		columns[4][i] = BoolGetDatum(files[i].done);
		columns[5][i] = catalog_text(files[i].action_json);
	}
	for (int column = 0; column < 6; column++)
	{
		static const Oid types[6] = {INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID, TEXTOID};

		values[1 + column] = catalog_array(columns[column], column == 2 ? unknown : NULL, (int) count, types[column]);
	}
	(void) catalog_execute(&query, values, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(chunk);
}

static void
pin_delta(int64 connector_id, const SourcePosition *pin)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.delta_position (connector_id, start_version, backfill_end_version, next_version, "
			   "commit_identity, schema_json, has_snapshot, files_total) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		.argument_count = 8,
		.argument_types = {INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, BOOLOID, INT8OID},
	};
	Datum values[8] = {Int64GetDatum(connector_id)};
	bool nulls[8] = {false};

	values[1] = number_or_null(pin->start_version, &nulls[1]);
	values[2] = number_or_null(pin->backfill_end_version, &nulls[2]);
	values[3] = number_or_null(pin->next_version, &nulls[3]);
	nulls[4] = pin->commit_identity == NULL;
	values[4] = nulls[4] ? (Datum) 0 : catalog_text(pin->commit_identity);
	nulls[5] = pin->schema_json == NULL;
	values[5] = nulls[5] ? (Datum) 0 : catalog_text(pin->schema_json);
	values[6] = BoolGetDatum(pin->has_snapshot);
	values[7] = Int64GetDatum(Max(pin->files_total, (int64) pin->file_count));
	(void) catalog_execute(&query, values, nulls);

	for (size_t first = 0; first < pin->file_count; first += PLAN_CHUNK)
		pin_delta_files(connector_id, &pin->files[first], Min(pin->file_count - first, PLAN_CHUNK));
}

static void
pin_datagen(int64 connector_id, const SourcePosition *pin)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.datagen_position (connector_id, plan, next_row, seed) "
			   "VALUES ($1, $2, $3, $4::numeric)",
		.argument_count = 4,
		.argument_types = {INT8OID, INT4OID, INT8OID, TEXTOID},
	};
	Datum values[4] = {Int64GetDatum(connector_id)};

	values[3] = CStringGetTextDatum(psprintf(UINT64_FORMAT, pin->seed));
	for (size_t i = 0; i < pin->plan_count; i++)
	{
		values[1] = Int32GetDatum(pin->plans[i].plan);
		values[2] = Int64GetDatum(pin->plans[i].next_row);
		(void) catalog_execute(&query, values, NULL);
	}
}

static void
set_probed(int64 connector_id)
{
	static CatalogQuery query = {
		.sql =
			"UPDATE feldera.connector SET probed_at = clock_timestamp() WHERE connector_id = $1 AND probed_at IS NULL",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	(void) catalog_execute(&query, values, NULL);
}

/* Which transport's numbers a pin holds is the connector's transport, not what happens to be filled.  The connector's row
 * is locked, because everybody locks it before the progress row, and a pin may write both; null: it is gone. */
static char *
lock_transport(int64 connector_id)
{
	static CatalogQuery query = {
		.sql = "SELECT transport FROM feldera.connector WHERE connector_id = $1 FOR NO KEY UPDATE",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	if (catalog_execute(&query, values, NULL) == 0)
		return NULL;
	return catalog_column_text(0, 1, CurrentMemoryContext);
}

bool
catalog_store_pin(int64 connector_id, int64 epoch, const SourcePosition *pin, bool probe)
{
	CatalogSession session;
	char *transport;
	bool mine;

	catalog_session_begin(&session);
	transport = lock_transport(connector_id);
	mine = transport != NULL && pin_progress(connector_id, epoch, pin);
	if (mine)
	{
		for (size_t i = 0; i < pin->partition_count; i++)
			pin_partition(connector_id, &pin->partitions[i]);
		if (pin->pinned && strcmp(transport, "delta_table_input") == 0)
			pin_delta(connector_id, pin);
		if (pin->pinned)
			pin_datagen(connector_id, pin);
		if (probe || pin->pinned)
			set_probed(connector_id);
	}
	catalog_session_end(&session);
	if (mine)
		ForceSyncCommit();
	return mine;
}

/* ---- forgetting ----------------------------------------------------------------------- */

void
position_forget(int64 connector_id)
{
	static CatalogQuery queries[] = {
		{.sql = "DELETE FROM feldera.kafka_position WHERE connector_id = $1", 1, {INT8OID}, NULL},
		{.sql = "DELETE FROM feldera.delta_position WHERE connector_id = $1", 1, {INT8OID}, NULL},
		{.sql = "DELETE FROM feldera.delta_file WHERE connector_id = $1", 1, {INT8OID}, NULL},
		{.sql = "DELETE FROM feldera.datagen_position WHERE connector_id = $1", 1, {INT8OID}, NULL},
		{.sql = "UPDATE feldera.progress SET started_at = NULL, pinned_at = NULL, source_identity = NULL, "
				"messages_passed_over = NULL, rows_total = NULL, bytes_total = NULL, backfill_completed_at = NULL, "
				"attempt_open = false, crash_marks = 0 WHERE connector_id = $1",
		 1,
		 {INT8OID},
		 NULL},
		{.sql = "UPDATE feldera.status SET phase = NULL WHERE connector_id = $1", 1, {INT8OID}, NULL},
		{.sql = "UPDATE feldera.connector SET probed_at = NULL WHERE connector_id = $1", 1, {INT8OID}, NULL},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	for (size_t i = 0; i < lengthof(queries); i++)
		(void) catalog_execute(&queries[i], values, NULL);
}
