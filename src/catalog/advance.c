/*-------------------------------------------------------------------------
 *
 * advance.c
 *	  A batch's share of the catalog: positions, counters, rejects, completion.
 *
 * Contract.  Called in the transaction that applied the batch, so that rows and position commit
 * together or not at all.  Every UPDATE has the connector, the worker's epoch and the
 * expected position in its WHERE; where one of them misses its row, somebody else took over
 * (pause, reset, a newer worker), and the answer is false.
 *
 * The progress row is updated first.  Its row lock orders this transaction against a pause: whoever
 * pauses waits for this commit, or this UPDATE waits for the pause and then finds another epoch.
 * A batch that keeps its transaction open (a large Delta version) therefore leaves the row alone: its
 * counters are held here and added with the last batch of that transaction, or a pause would wait for
 * the whole version.  They are forgotten at the end of each transaction.
 *
 * A message may hold many rejected records; its key and bytes are kept once, with the first of them.  Else a message
 * of some megabytes and bad records only would be written as often as it has records.
 *
 * The number of statements does not depend on the number of moves or rejects, except that rejects
 * are sent in slices of REJECT_SLICE_BYTES, because an array is bounded by 1 GB.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define REJECT_SLICE_BYTES (32 * 1024 * 1024)
#define REJECT_SLICE_ROWS 10000
#define REJECT_COLUMNS 13

typedef struct Counters
{
	int64 rows_processed;
	int64 bytes_processed;
	int64 rows_inserted;
	int64 rows_updated;
	int64 rows_deleted;
	int64 deletes_unmatched;
	int64 updates_unmatched;
	int64 rows_rejected;
} Counters;

/* Counters of the batches before, in a transaction that is kept open. */
static Counters held;

/* ---- counters ------------------------------------------------------------------------- */

void
advance_forget_counters(void)
{
	memset(&held, 0, sizeof(held));
}

/* Add a batch to the held counters of this transaction. */
static void
hold_counters(const ChangeBatch *batch, const ApplyResult *result)
{
	int64 rejected_rows = Max((int64) result->rejected_count - (int64) batch->bad_count, 0);

	held.rows_processed += (int64) batch->row_count - rejected_rows;
	held.bytes_processed += (int64) batch->source_bytes;
	held.rows_inserted += result->rows_inserted;
	held.rows_updated += result->rows_updated;
	held.rows_deleted += result->rows_deleted;
	held.deletes_unmatched += result->deletes_unmatched;
	held.updates_unmatched += result->updates_unmatched;
	held.rows_rejected += result->rejected_count;
}

/* Add the held counters to the progress row, and with them record the completion; false: fenced. */
static bool
write_counters(int64 connector_id, int64 epoch, bool completes_backfill)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.progress SET rows_processed = rows_processed + $3, "
			   "bytes_processed = bytes_processed + $4, rows_inserted = rows_inserted + $5, "
			   "rows_updated = rows_updated + $6, rows_deleted = rows_deleted + $7, "
			   "deletes_unmatched = deletes_unmatched + $8, rows_rejected = rows_rejected + $9, "
			   "updates_unmatched = updates_unmatched + $11, "
			   "last_commit_at = clock_timestamp(), attempt_open = false, crash_marks = 0, "
			   "backfill_completed_at = CASE WHEN $10 THEN coalesce(backfill_completed_at, clock_timestamp()) "
			   "ELSE backfill_completed_at END WHERE connector_id = $1 AND epoch = $2",
		.argument_count = 11,
		.argument_types = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID,
						   INT8OID},
	};
	Datum values[11] = {Int64GetDatum(connector_id),          Int64GetDatum(epoch),
						Int64GetDatum(held.rows_processed),   Int64GetDatum(held.bytes_processed),
						Int64GetDatum(held.rows_inserted),    Int64GetDatum(held.rows_updated),
						Int64GetDatum(held.rows_deleted),     Int64GetDatum(held.deletes_unmatched),
						Int64GetDatum(held.rows_rejected),    BoolGetDatum(completes_backfill),
						Int64GetDatum(held.updates_unmatched)};

	advance_forget_counters();
	return catalog_execute(&query, values, NULL) == 1;
}

/* ---- moves ------------------------------------------------------------------------------- */

static int
compare_numbers(int64 a, int64 b)
{
	return a < b ? -1 : a > b;
}

/* Two moves of one kind, by the place they move. */
static int
compare_places(const PositionMove *a, const PositionMove *b)
{
	int result;

	switch (a->kind)
	{
		case POSITION_KAFKA:
			result = strcmp(a->topic, b->topic);
			return result != 0 ? result : compare_numbers(a->partition, b->partition);
		case POSITION_DELTA_FILE:
			return compare_numbers(a->file_number, b->file_number);
		case POSITION_DATAGEN:
			return compare_numbers(a->plan, b->plan);
		case POSITION_DELTA_VERSION:
			break;
	}
	return 0;
}

/* qsort: by place, then in the order of the batch, which is the order of their addresses there */
static int
compare_moves(const void *a, const void *b)
{
	const PositionMove *left = *(const PositionMove *const *) a;
	const PositionMove *right = *(const PositionMove *const *) b;
	int result = compare_places(left, right);

	return result != 0 ? result : (left < right ? -1 : left > right);
}

/* Put a move behind one that ended where it begins; a statement can update a row once only. */
static void
join_move(PositionMove *first, const PositionMove *second)
{
	first->next = second->next;
	first->lost += second->lost;
	first->file_done = first->file_done || second->file_done;
	first->rows_read += second->rows_read;
	first->rows_masked += second->rows_masked;
	if (second->commit_identity != NULL)
		first->commit_identity = second->commit_identity;
	if (second->schema_json != NULL)
		first->schema_json = second->schema_json;
}

/* The moves of one kind, one for each place; *count of them. */
static PositionMove *
collect_moves(const ChangeBatch *batch, PositionKind kind, int *count)
{
	PositionMove *moves = palloc(sizeof(PositionMove) * Max(batch->move_count, 1));
	const PositionMove **sorted = palloc(sizeof(PositionMove *) * Max(batch->move_count, 1));
	int found = 0;
	int n = 0;

	for (uint32 i = 0; i < batch->move_count; i++)
	{
		if (batch->moves[i].kind == kind)
			sorted[found++] = &batch->moves[i];
	}
	qsort(sorted, found, sizeof(*sorted), compare_moves);
	for (int i = 0; i < found; i++)
	{
		if (n > 0 && compare_places(&moves[n - 1], sorted[i]) == 0 && moves[n - 1].next == sorted[i]->expected)
			join_move(&moves[n - 1], sorted[i]);
		else
			moves[n++] = *sorted[i];
	}
	*count = n;
	return moves;
}

/* Arguments that all kinds share: connector, epoch, expected and next positions. */
static void
move_arguments(Datum *values, int64 connector_id, int64 epoch, const PositionMove *moves, int count)
{
	Datum *expected = palloc(sizeof(Datum) * count);
	Datum *next = palloc(sizeof(Datum) * count);

	for (int i = 0; i < count; i++)
	{
		expected[i] = Int64GetDatum(moves[i].expected);
		next[i] = Int64GetDatum(moves[i].next);
	}
	values[0] = Int64GetDatum(connector_id);
	values[1] = Int64GetDatum(epoch);
	values[2] = catalog_array(expected, NULL, count, INT8OID);
	values[3] = catalog_array(next, NULL, count, INT8OID);
}

static bool
move_kafka(int64 connector_id, int64 epoch, const ChangeBatch *batch)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.kafka_position k SET next_offset = m.next, offsets_lost = k.offsets_lost + m.lost "
			   "FROM unnest($3, $4, $5, $6, $7) AS m (expected, next, topic, partition, lost), feldera.progress p "
			   "WHERE k.connector_id = $1 AND p.connector_id = $1 AND p.epoch = $2 AND k.topic = m.topic "
			   "AND k.partition = m.partition AND k.next_offset = m.expected",
		.argument_count = 7,
		.argument_types = {INT8OID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID},
	};
	int count;
	PositionMove *moves = collect_moves(batch, POSITION_KAFKA, &count);
	Datum values[7];
	Datum *topics;
	Datum *partitions;
	Datum *lost;

	if (count == 0)
		return true;
	topics = palloc(sizeof(Datum) * count);
	partitions = palloc(sizeof(Datum) * count);
	lost = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
	{
		topics[i] = catalog_text(moves[i].topic);
		partitions[i] = Int32GetDatum(moves[i].partition);
		lost[i] = Int64GetDatum(moves[i].lost);
	}
	move_arguments(values, connector_id, epoch, moves, count);
	values[4] = catalog_array(topics, NULL, count, TEXTOID);
	values[5] = catalog_array(partitions, NULL, count, INT4OID);
	values[6] = catalog_array(lost, NULL, count, INT8OID);
	return catalog_execute(&query, values, NULL) == (uint64) count;
}

static bool
move_delta_files(int64 connector_id, int64 epoch, const ChangeBatch *batch)
{
	static CatalogQuery query = {
		.sql =
			"UPDATE feldera.delta_file f SET next_row = m.next, done = m.done, rows_read = f.rows_read + m.rows_read, "
			"rows_masked = f.rows_masked + m.rows_masked FROM unnest($3, $4, $5, $6, $7, $8) AS m (expected, next, "
			"file_number, done, rows_read, rows_masked), feldera.progress p WHERE f.connector_id = $1 "
			"AND p.connector_id = $1 AND p.epoch = $2 AND f.file_number = m.file_number "
			"AND f.next_row = m.expected AND NOT f.done",
		.argument_count = 8,
		.argument_types = {INT8OID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, BOOLARRAYOID, INT8ARRAYOID,
						   INT8ARRAYOID},
	};
	int count;
	PositionMove *moves = collect_moves(batch, POSITION_DELTA_FILE, &count);
	Datum values[8];
	Datum *columns[4];

	if (count == 0)
		return true;
	for (int column = 0; column < 4; column++)
		columns[column] = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
	{
		columns[0][i] = Int64GetDatum(moves[i].file_number);
		columns[1][i] = BoolGetDatum(moves[i].file_done);
		columns[2][i] = Int64GetDatum(moves[i].rows_read);
		columns[3][i] = Int64GetDatum(moves[i].rows_masked);
	}
	move_arguments(values, connector_id, epoch, moves, count);
	for (int column = 0; column < 4; column++)
		values[4 + column] = catalog_array(columns[column], NULL, count, column == 1 ? BOOLOID : INT8OID);
	return catalog_execute(&query, values, NULL) == (uint64) count;
}

static bool
move_delta_version(int64 connector_id, int64 epoch, const ChangeBatch *batch)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.delta_position d SET next_version = $4, commit_identity = $5, "
			   "schema_json = coalesce($6, d.schema_json) FROM feldera.progress p "
			   "WHERE d.connector_id = $1 AND p.connector_id = $1 AND p.epoch = $2 AND d.next_version = $3",
		.argument_count = 6,
		.argument_types = {INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID},
	};
	int count;
	PositionMove *moves = collect_moves(batch, POSITION_DELTA_VERSION, &count);

	for (int i = 0; i < count; i++)
	{
		Datum values[6] = {Int64GetDatum(connector_id), Int64GetDatum(epoch), Int64GetDatum(moves[i].expected),
						   Int64GetDatum(moves[i].next)};
		bool nulls[6] = {false};

		nulls[4] = moves[i].commit_identity == NULL;
		values[4] = nulls[4] ? (Datum) 0 : catalog_text(moves[i].commit_identity);
		nulls[5] = moves[i].schema_json == NULL;
		values[5] = nulls[5] ? (Datum) 0 : catalog_text(moves[i].schema_json);
		if (catalog_execute(&query, values, nulls) != 1)
			return false;
	}
	return true;
}

static bool
move_datagen(int64 connector_id, int64 epoch, const ChangeBatch *batch)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.datagen_position d SET next_row = m.next "
			   "FROM unnest($3, $4, $5) AS m (expected, next, plan), feldera.progress p "
			   "WHERE d.connector_id = $1 AND p.connector_id = $1 AND p.epoch = $2 AND d.plan = m.plan "
			   "AND d.next_row = m.expected",
		.argument_count = 5,
		.argument_types = {INT8OID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID},
	};
	int count;
	PositionMove *moves = collect_moves(batch, POSITION_DATAGEN, &count);
	Datum values[5];
	Datum *plans;

	if (count == 0)
		return true;
	plans = palloc(sizeof(Datum) * count);
	for (int i = 0; i < count; i++)
		plans[i] = Int32GetDatum(moves[i].plan);
	move_arguments(values, connector_id, epoch, moves, count);
	values[4] = catalog_array(plans, NULL, count, INT4OID);
	return catalog_execute(&query, values, NULL) == (uint64) count;
}

/* ---- rejects --------------------------------------------------------------------------------- */

/* Columns of a slice of rejects, in the order of the INSERT. */
typedef struct RejectSlice
{
	int count;
	Size bytes;
	Datum *values[REJECT_COLUMNS];
	bool *nulls[REJECT_COLUMNS];
} RejectSlice;

static const Oid reject_types[REJECT_COLUMNS] = {TEXTOID,  INT4OID,  INT8OID, TEXTOID, INT4OID, INT8OID, INT8OID,
												 BYTEAOID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};

static void
slice_number(RejectSlice *slice, int column, int64 value, bool isnull)
{
	slice->nulls[column][slice->count] = isnull;
	slice->values[column][slice->count] =
		reject_types[column] == INT4OID ? Int32GetDatum((int32) value) : Int64GetDatum(value);
}

static void
slice_text(RejectSlice *slice, int column, const char *text)
{
	slice->nulls[column][slice->count] = text == NULL;
	slice->values[column][slice->count] = text != NULL ? catalog_text(text) : (Datum) 0;
	slice->bytes += text != NULL ? strlen(text) : 0;
}

static void
slice_bytes(RejectSlice *slice, int column, Span bytes)
{
	bytea *copy;

	slice->nulls[column][slice->count] = bytes.data == NULL;
	if (bytes.data == NULL)
		return;
	copy = palloc(VARHDRSZ + bytes.length);
	SET_VARSIZE(copy, VARHDRSZ + bytes.length);
	memcpy(VARDATA(copy), bytes.data, bytes.length);
	slice->values[column][slice->count] = PointerGetDatum(copy);
	slice->bytes += bytes.length;
}

/* A file's rows count physical rows, a message's count its records. */
static void
slice_add(RejectSlice *slice, const RejectedRecord *record, bool with_bytes)
{
	static const Payload nowhere = {.plan = -1};
	static const Span none;
	const Payload *payload = record->payload != NULL ? record->payload : &nowhere;
	bool of_message = payload->topic != NULL;
	int column = 0;

	slice_text(slice, column++, payload->topic);
	slice_number(slice, column++, payload->partition, !of_message);
	slice_number(slice, column++, payload->offset, !of_message);
	slice_text(slice, column++, payload->file);
	slice_number(slice, column++, payload->plan, of_message || payload->file != NULL || payload->plan < 0);
	slice_number(slice, column++, record->row_number, of_message);
	slice_number(slice, column++, record->row_number, !of_message);
	slice_bytes(slice, column++, with_bytes ? payload->key : none);
	slice_bytes(slice, column++, with_bytes ? payload->value : none);
	slice_text(slice, column++, record->sqlstate);
	slice_text(slice, column++, record->message != NULL ? record->message : "");
	slice_text(slice, column++, record->column_name);
	slice_text(slice, column++, record->constraint_name);
	slice->count++;
}

static void
write_slice(int64 connector_id, RejectSlice *slice, const int32 *attempts)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.rejected_record (connector_id, connector, owner, topic, partition, record_offset, "
			   "file, plan, row_number, record_number, key, payload, sqlstate, error, column_name, constraint_name, "
			   "attempts) SELECT c.connector_id, c.name, c.owner, r.* FROM feldera.connector c, "
			   "unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS r WHERE c.connector_id = $1",
		.argument_count = 15,
		.argument_types = {INT8OID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT8ARRAYOID,
						   INT8ARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
						   TEXTARRAYOID, INT4ARRAYOID},
	};
	Datum values[15] = {Int64GetDatum(connector_id)};
	Datum *attempt_values = palloc(sizeof(Datum) * slice->count);

	for (int column = 0; column < REJECT_COLUMNS; column++)
		values[1 + column] =
			catalog_array(slice->values[column], slice->nulls[column], slice->count, reject_types[column]);
	for (int i = 0; i < slice->count; i++)
		attempt_values[i] = Int32GetDatum(attempts[i]);
	values[1 + REJECT_COLUMNS] = catalog_array(attempt_values, NULL, slice->count, INT4OID);
	if (catalog_execute(&query, values, NULL) != (uint64) slice->count)
		elog(ERROR, "rejected records of connector " INT64_FORMAT " were not all stored", connector_id);
}

/* Is it the first of its message?  "kept": which messages of the batch have been kept. */
static bool
is_first_of_message(const ChangeBatch *batch, const RejectedRecord *record, bool *kept)
{
	bool first;

	if (record->payload == NULL)
		return true;
	first = !kept[record->payload - batch->payloads];
	kept[record->payload - batch->payloads] = true;
	return first;
}

/* Keep the first of these rejects, as many as fit a slice; how many. */
static int
write_some_rejects(int64 connector_id, const ChangeBatch *batch, const RejectedRecord *records, int count, bool *kept)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "rejects slice", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int capacity = Min(count, REJECT_SLICE_ROWS);
	RejectSlice slice = {0};
	int32 *attempts = palloc(sizeof(int32) * capacity);
	int written;

	for (int column = 0; column < REJECT_COLUMNS; column++)
	{
		slice.values[column] = palloc0(sizeof(Datum) * capacity);
		slice.nulls[column] = palloc0(sizeof(bool) * capacity);
	}
	while (slice.count < capacity && slice.bytes < REJECT_SLICE_BYTES)
	{
		const RejectedRecord *record = &records[slice.count];

		attempts[slice.count] = record->attempts;
		slice_add(&slice, record, is_first_of_message(batch, record, kept));
	}
	write_slice(connector_id, &slice, attempts);
	written = slice.count;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return written;
}

static void
write_rejects(int64 connector_id, const ChangeBatch *batch, const ApplyResult *result)
{
	bool *kept;

	if (result->rejected_count == 0)
		return;
	kept = palloc0(sizeof(bool) * Max(batch->payload_count, 1));
	for (int first = 0; first < result->rejected_count;)
		first +=
			write_some_rejects(connector_id, batch, &result->rejected[first], result->rejected_count - first, kept);
}

/* ---- the door ------------------------------------------------------------------------------------ */

bool
catalog_advance(int64 connector_id, int64 epoch, const ChangeBatch *batch, const ApplyResult *result)
{
	static const ApplyResult nothing;
	CatalogSession session;
	bool mine = true;

	if (result == NULL)
		result = &nothing;
	hold_counters(batch, result);
	catalog_session_begin(&session);
	if (!batch->keep_open)
		mine = write_counters(connector_id, epoch, batch->completes_backfill);
	mine = mine && move_kafka(connector_id, epoch, batch) && move_delta_files(connector_id, epoch, batch) &&
		   move_delta_version(connector_id, epoch, batch) && move_datagen(connector_id, epoch, batch);
	if (mine)
		write_rejects(connector_id, batch, result);
	catalog_session_end(&session);
	if (mine && batch->completes_backfill)
		catalog_mark_changed();
	return mine;
}

bool
catalog_complete_backfill(int64 connector_id, int64 epoch)
{
	static CatalogQuery query = {
		.sql =
			"UPDATE feldera.progress SET backfill_completed_at = coalesce(backfill_completed_at, clock_timestamp()), "
			"last_commit_at = clock_timestamp() WHERE connector_id = $1 AND epoch = $2",
		.argument_count = 2,
		.argument_types = {INT8OID, INT8OID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), Int64GetDatum(epoch)};
	CatalogSession session;
	bool mine;

	catalog_session_begin(&session);
	mine = catalog_execute(&query, values, NULL) == 1;
	catalog_session_end(&session);
	if (mine)
		catalog_mark_changed();
	return mine;
}
