/*-------------------------------------------------------------------------
 *
 * test_batch_target.c
 *	  Columns found by name; rows, payloads, bad records and moves of a batch.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "batch/batch.h"
#include "unit/tap.h"

static ColumnTarget columns[] = {
	{.name = (char *) "l_orderkey", .type_name = (char *) "bigint", .form = FORM_INT8},
	{.name = (char *) "Comment", .type_name = (char *) "text", .form = FORM_TEXT, .case_sensitive = true},
	{.name = (char *) "comment", .type_name = (char *) "text", .form = FORM_TEXT},
};
static TargetTable target = {.name = (char *) "public.t", .column_count = 3, .columns = columns, .utf8 = true};

static int
find(const char *name)
{
	return target_find_column(&target, (Span){name, strlen(name)});
}

static void
test_find(void)
{
	is_int(find("l_orderkey"), 0, "exact");
	is_int(find("L_ORDERKEY"), 0, "in upper case");
	is_int(find("Comment"), 1, "the exact match wins");
	is_int(find("COMMENT"), 2, "a quoted name matches exactly only");
	is_int(find("l_order"), -1, "a prefix is no match");
	is_int(find("l_orderkeys"), -1, "nor is an extension");
	is_int(find(""), -1, "nor is nothing");
	is_int(target_find_column(&target, (Span){"comment\0x", 9}), -1, "a NUL does not end a name");
}

static void
test_growth(void)
{
	ChangeBatch *batch = batch_create(&target, 4, 1 << 20);
	IngestError error = {0};
	uint32_t row;
	bool same = true;

	for (uint32_t i = 0; i < 1000; i++)
	{
		char text[16];
		bool done = batch_provide_column(batch, 0, &error) &&
					batch_add_row(batch, i == 500 ? CHANGE_DELETE : CHANGE_INSERT, i / 100, i + 1, &row, &error);

		snprintf(text, sizeof(text), "%u", i);
		same = same && done && row == i &&
			   batch_set_text(batch, 0, row, (Span){text, strlen(text)}, TEMPORAL_TEXT, &error);
	}
	ok(same, "1000 rows into a batch made for 4");
	for (uint32_t i = 0; i < 1000; i++)
		same = same && batch->columns[0].states[i] == VALUE_DATUM && batch->columns[0].values[i] == i &&
			   batch->kinds[i] == (i == 500 ? CHANGE_DELETE : CHANGE_INSERT) && batch->payload_of[i] == i / 100 &&
			   batch->row_numbers[i] == i + 1;
	ok(same, "nothing changed while it grew");
	ok(batch->columns[1].states == NULL, "a column nobody provides has no states");
	batch_drop_last_row(batch);
	ok(batch_add_row(batch, CHANGE_INSERT, 0, 7, &row, &error) && row == 999 &&
		   batch->columns[0].states[999] == VALUE_MISSING,
	   "a row after a dropped one begins without values");
	batch_finish(batch);
	ok(!batch->columns[0].all_datums && !batch->columns[0].all_ready, "a missing value is not ready");
	batch_set_null(batch, 0, 999);
	batch_finish(batch);
	ok(!batch->columns[0].all_datums && batch->columns[0].all_ready, "a null is ready, but no datum");
	batch_drop_last_row(batch);
	batch_finish(batch);
	ok(batch->columns[0].all_datums && batch->columns[0].all_ready, "all datums");
	batch_free(batch);
	batch_free(NULL);
}

static void
test_limit(void)
{
	ChangeBatch *batch = batch_create(&target, 16, 64 * 1024);
	IngestError error = {0};
	uint32_t row;
	char *text = calloc(1, 100000);
	bool done = batch_provide_column(batch, 2, &error) && batch_add_row(batch, CHANGE_INSERT, 0, 1, &row, &error);

	memset(text, 'x', 100000);
	ok(done && !batch_set_text(batch, 2, row, (Span){text, 100000}, TEMPORAL_TEXT, &error) &&
		   error.kind == INGEST_ERROR_LIMIT,
	   "a value above the batch's limit is an error that says so: %s", error.message);
	ok(batch_bytes(batch) <= 64 * 1024 + sizeof(ChangeBatch), "and nothing was taken");
	free(text);
	batch_free(batch);
}

static void
test_lists(void)
{
	ChangeBatch *batch = batch_create(&target, 16, 1 << 20);
	IngestError error = {0};
	char topic[] = "lineitem";
	Payload payload = {.topic = topic, .partition = 3, .offset = 42, .key = {NULL, 0}, .value = {"{}", 2}};
	PositionMove move = {.kind = POSITION_KAFKA, .expected = 42, .next = 43, .topic = topic, .partition = 3};
	uint32_t index = 99;
	bool same = true;

	for (uint32_t i = 0; i < 100; i++)
	{
		payload.offset = i;
		same = same && batch_add_payload(batch, &payload, &index, &error) && index == i;
	}
	topic[0] = 'X';
	ok(same && batch->payload_count == 100 && batch->payloads[7].offset == 7, "100 payloads");
	ok(strcmp(batch->payloads[0].topic, "lineitem") == 0 && batch->payloads[0].topic == batch->payloads[99].topic,
	   "the topic is copied, once");
	ok(batch->payloads[5].key.data == NULL && batch->payloads[5].value.length == 2, "no key stays no key");
	ok(batch_add_bad(batch, 5, 2, "22P02", NULL, "caf\xc3\xa9 \xc3", &error), "a bad record");
	is_text(batch->bad[0].message, "caf\xc3\xa9 ?", "half a character in a message is made printable");
	is_text(batch->bad[0].sqlstate, "22P02", "its SQLSTATE");
	ok(batch->bad[0].column == NULL && batch->bad[0].payload == 5 && batch->bad[0].record_number == 2, "its place");
	ok(batch_add_move(batch, &move, &error) && batch->moves[0].next == 43 && batch->moves[0].topic != topic, "a move");
	batch_free(batch);
}

int
main(void)
{
	test_find();
	test_growth();
	test_limit();
	test_lists();
	return done_testing();
}
