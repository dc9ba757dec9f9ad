/*-------------------------------------------------------------------------
 *
 * test_delta_scan.c
 *	  Rows of one data file under a table's schema: rows.parquet has 1,000 rows in four row
 *	  groups, and the row number as its id.
 *
 *-------------------------------------------------------------------------
 */
#include "batch/batch.h"
#include "delta_case.h"
#include "delta_vector.h"

#define ROW_COUNT 1000
#define PAIR                                                                                                           \
	"{\\\"name\\\":\\\"pair\\\",\\\"type\\\":{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" FIELD(                     \
		"x", "integer") "," FIELD("y", "string") "]},\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define PAIR_OF_OTHERS                                                                                                 \
	"{\\\"name\\\":\\\"pair\\\",\\\"type\\\":{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" FIELD(                     \
		"z", "integer") "]},\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define TAGS                                                                                                           \
	"{\\\"name\\\":\\\"tags\\\",\\\"type\\\":{\\\"type\\\":\\\"array\\\",\\\"elementType\\\":\\\"string\\\","          \
	"\\\"containsNull\\\":true},"                                                                                      \
	"\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define LOOKUP                                                                                                         \
	"{\\\"name\\\":\\\"lookup\\\",\\\"type\\\":{\\\"type\\\":\\\"map\\\",\\\"keyType\\\":\\\"string\\\","              \
	"\\\"valueType\\\":\\\"long\\\","                                                                                  \
	"\\\"valueContainsNull\\\":true},\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define ALL_FIELDS                                                                                                     \
	FIELD("id", "long")                                                                                                \
	"," FIELD("small", "integer") "," FIELD("name", "string") "," FIELD("flag", "boolean") "," FIELD(                  \
		"amount", "decimal(10,2)") "," FIELD("day", "date") "," TAGS "," PAIR "," LOOKUP

static DeltaCase test;
static DeltaOptions options;

/* What one scan gave: the row's JSON by physical row number, null where the row did not come. */
typedef struct Rows
{
	char *json[ROW_COUNT];
	int64_t count;
	int64_t masked;
	int64_t next_row;
	bool failed;
	bool in_order;
} Rows;

static void
copy_fixture(void)
{
	static char bytes[1 << 20];
	FILE *file = fopen("test/fixtures/delta/rows.parquet", "r");
	size_t length = file != NULL ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (length == 0)
	{
		printf("Bail out! no test/fixtures/delta/rows.parquet\n");
		exit(1);
	}
	fclose(file);
	case_write(&test, "rows.parquet", bytes, length);
}

static DeltaSchema *
make_schema(const char *protocol_and_metadata)
{
	DeltaSnapshot *snapshot;
	DeltaSchema *schema;

	case_commit(&test, 0, protocol_and_metadata);
	if (!delta_snapshot_load(test.table, -1, &snapshot, NULL, &test.error))
	{
		printf("Bail out! %s\n", test.error.message);
		exit(1);
	}
	schema = delta_schema_acquire(snapshot->schema);
	delta_snapshot_free(snapshot);
	return schema;
}

static void
take_batch(DeltaScan *scan, const struct ArrowArray *array, const int64_t *numbers, Rows *rows)
{
	for (int64_t i = 0; i < array->length && !rows->failed; i++)
	{
		Buffer json;

		buffer_init(&json, 1 << 16);
		rows->failed = !arrow_value_to_json(delta_scan_schema(scan), array, i, &json, &test.error) ||
					   !buffer_append(&json, "", 1, &test.error) || numbers[i] < 0 || numbers[i] >= ROW_COUNT;
		if (!rows->failed)
		{
			rows->in_order = rows->in_order && rows->json[numbers[i]] == NULL;
			rows->json[numbers[i]] = json.data;
			rows->count++;
		}
	}
}

static Rows
scan_rows(DeltaSchema *schema, const struct ArrowSchema *projection, const char *action, const char *old_action,
		  DeltaRows kind, int64_t first_row, int64_t max_rows)
{
	Rows rows = {.in_order = true};
	DeltaScan *scan;

	ingest_error_clear(&test.error);
	rows.failed =
		!delta_scan_open(test.storage, &options, schema, projection, action, strlen(action), old_action,
						 old_action != NULL ? strlen(old_action) : 0, kind, first_row, NULL, &scan, NULL, &test.error);
	while (!rows.failed)
	{
		struct ArrowArray array;
		const int64_t *numbers;
		int64_t masked;

		rows.failed = !delta_scan_next(scan, max_rows, &array, &numbers, &rows.next_row, &masked, NULL, &test.error);
		if (rows.failed || array.release == NULL)
			break;
		rows.masked += masked;
		take_batch(scan, &array, numbers, &rows);
		array.release(&array);
	}
	if (!rows.failed)
		delta_scan_close(scan);
	return rows;
}

static void
free_rows(Rows *rows)
{
	for (int i = 0; i < ROW_COUNT; i++)
		free(rows->json[i]);
}

#define ACTION(more) "{\"path\":\"rows.parquet\",\"size\":1" more "}"

static void
test_all_columns(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", ALL_FIELDS, "", ""));
	Rows rows = scan_rows(schema, NULL, ACTION(""), NULL, DELTA_ROWS_LIVE, 0, 8192);

	ok(!rows.failed, "scans: %s", test.error.message);
	is_int(rows.count, ROW_COUNT, "all rows");
	is_int(rows.next_row, ROW_COUNT, "the end");
	is_text(rows.json[11],
			"{\"id\":11,\"small\":11,\"name\":\"name "
			"11\",\"flag\":false,\"amount\":\"0.11\",\"day\":\"2024-01-12\",\"tags\":"
			"[\"t0\",\"t1\",\"t2\"],\"pair\":{\"x\":11,\"y\":\"11\"},\"lookup\":[{\"key\":\"k\",\"value\":11}]}",
			"a row");
	is_text(rows.json[770],
			"{\"id\":770,\"small\":70,\"name\":null,\"flag\":false,\"amount\":\"7.70\",\"day\":\"2024-02-08\",\"tags\":"
			"null,"
			"\"pair\":null,\"lookup\":[]}",
			"a row with nulls");
	free_rows(&rows);
	delta_schema_release(schema);
}

/* Any first row and batch size, with and without a vector, gives the same rows from there on. */
static void
test_resume(void)
{
	static const int64_t firsts[] = {0, 1, 255, 256, 257, 511, 700, 999, 1000};
	static const int64_t sizes[] = {1, 7, 256, 8192};
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", ALL_FIELDS, "", ""));
	Rows all = scan_rows(schema, NULL, ACTION(""), NULL, DELTA_ROWS_LIVE, 0, 8192);
	uint64_t masked[200];
	char action[60000];

	for (size_t i = 0; i < 200; i++)
		masked[i] = i < 100 ? 3 * i : 400 + i;
	snprintf(action, sizeof(action), ACTION(",%s"), inline_vector(masked, 200));
	for (size_t f = 0; f < 9; f++)
		for (size_t s = 0; s < 4; s++)
		{
			Rows rows = scan_rows(schema, NULL, action, NULL, DELTA_ROWS_LIVE, firsts[f], sizes[s]);
			bool same = !rows.failed && rows.in_order;
			int64_t expected_masked = 0;

			for (int64_t row = firsts[f]; row < ROW_COUNT; row++)
			{
				bool is_masked = (row % 3 == 0 && row < 300) || (row >= 500 && row < 600);

				expected_masked += is_masked;
				same = same && (is_masked ? rows.json[row] == NULL
										  : rows.json[row] != NULL && strcmp(rows.json[row], all.json[row]) == 0);
			}
			ok(same && rows.masked == expected_masked && rows.next_row == ROW_COUNT, "from row %d by %d under a vector",
			   (int) firsts[f], (int) sizes[s]);
			free_rows(&rows);
		}
	free_rows(&all);
	delta_schema_release(schema);
}

static void
test_vector_differences(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", FIELD("id", "long"), "", ""));
	uint64_t before[] = {5, 6, 300};
	uint64_t after[] = {6, 300, 301, 999};
	char action[4096];
	char old_action[4096];
	Rows rows;

	snprintf(action, sizeof(action), ACTION(",%s"), inline_vector(after, 4));
	snprintf(old_action, sizeof(old_action), ACTION(",%s"), inline_vector(before, 3));
	rows = scan_rows(schema, NULL, action, old_action, DELTA_ROWS_NEWLY_MASKED, 0, 100);
	ok(rows.count == 2 && rows.json[301] && rows.json[999], "newly masked rows");
	is_text(rows.json[301], "{\"id\":301}", "by their number");
	free_rows(&rows);
	rows = scan_rows(schema, NULL, action, old_action, DELTA_ROWS_NEWLY_LIVE, 0, 8192);
	ok(rows.count == 1 && rows.json[5], "newly live rows");
	free_rows(&rows);
	rows = scan_rows(schema, NULL, action, ACTION(""), DELTA_ROWS_NEWLY_MASKED, 0, 8192);
	is_int(rows.count, 4, "from no vector to one");
	free_rows(&rows);
	rows = scan_rows(schema, NULL, ACTION(""), old_action, DELTA_ROWS_NEWLY_LIVE, 0, 8192);
	is_int(rows.count, 3, "from a vector to none");
	free_rows(&rows);
	rows = scan_rows(schema, NULL, ACTION(""), old_action, DELTA_ROWS_NEWLY_MASKED, 0, 8192);
	is_int(rows.count, 0, "nothing newly masked");
	free_rows(&rows);
	delta_schema_release(schema);
}

static void
test_whole_file_masked(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", FIELD("id", "long"), "", ""));
	uint64_t all[ROW_COUNT];
	char action[60000];
	Rows rows;

	for (uint64_t i = 0; i < ROW_COUNT; i++)
		all[i] = i;
	snprintf(action, sizeof(action), ACTION(",%s"), inline_vector(all, ROW_COUNT));
	rows = scan_rows(schema, NULL, action, NULL, DELTA_ROWS_LIVE, 0, 300);
	ok(!rows.failed && rows.count == 0 && rows.masked == ROW_COUNT, "every row is deleted");
	free_rows(&rows);
	delta_schema_release(schema);
}

/* First row of a table of these fields over the file; "ERROR kind". */
static void
first_row_is(const char *metadata, const char *action, const char *expected, const char *name)
{
	DeltaSchema *schema = make_schema(metadata);
	Rows rows = scan_rows(schema, NULL, action, NULL, DELTA_ROWS_LIVE, 0, 8192);
	char text[64];

	snprintf(text, sizeof(text), "ERROR %d", test.error.kind);
	is_text(rows.failed ? text : rows.json[1], expected, name);
	if (!rows.failed && rows.count != ROW_COUNT)
		ok(false, "%d rows", (int) rows.count);
	free_rows(&rows);
	delta_schema_release(schema);
}

#define ONE(name, type) PROTOCOL METADATA_WITH("t", FIELD(name, type), "", "")

static void
test_types(void)
{
	first_row_is(ONE("small", "long"), ACTION(""), "{\"small\":1}", "integer as long");
	first_row_is(ONE("small", "short"), ACTION(""), "{\"small\":1}", "integer as short, checked");
	first_row_is(ONE("small", "double"), ACTION(""), "{\"small\":1}", "integer as double");
	first_row_is(ONE("small", "decimal(12,2)"), ACTION(""), "{\"small\":\"1.00\"}", "integer as decimal");
	first_row_is(ONE("id", "decimal(22,1)"), ACTION(""), "{\"id\":\"1.0\"}", "long as decimal");
	first_row_is(ONE("amount", "decimal(12,4)"), ACTION(""), "{\"amount\":\"0.0100\"}", "decimal of more digits");
	first_row_is(ONE("day", "timestamp_ntz"), ACTION(""), "{\"day\":\"2024-01-02 00:00:00\"}", "date as timestamp_ntz");
	first_row_is(ONE("name", "binary"), ACTION(""), "{\"name\":\"\\\\x6e616d652031\"}", "text as binary");
	first_row_is(ONE("id", "byte"), ACTION(""), "ERROR 5", "a long is no byte");
	ok(error_has(&test, "\"id\"") && error_has(&test, "byte") && error_has(&test, "rows.parquet"),
	   "column, type and file");
	first_row_is(ONE("name", "long"), ACTION(""), "ERROR 5", "text is no long");
	first_row_is(ONE("amount", "decimal(10,1)"), ACTION(""), "ERROR 5", "a decimal of fewer places");
	first_row_is(ONE("day", "timestamp"), ACTION(""), "ERROR 5", "a date is no timestamp");
	first_row_is(ONE("tags", "string"), ACTION(""), "ERROR 5", "a list is no text");
	first_row_is(ONE("nowhere", "void"), ACTION(""), "{\"nowhere\":null}", "void");
}

static void
test_columns(void)
{
	first_row_is(
		PROTOCOL METADATA_WITH(
			"t", FIELD("new", "string") "," FIELD("id", "long") "," FIELD("p", "date") "," FIELD("q", "integer"),
			"\"p\",\"q\"", ""),
		ACTION(",\"partitionValues\":{\"p\":\"2024-05-06\",\"q\":null}"),
		"{\"new\":null,\"id\":1,\"p\":\"2024-05-06\",\"q\":null}", "missing and partition columns, in schema order");
	first_row_is(PROTOCOL METADATA_WITH("t", FIELD("small", "integer"), "\"small\"", ""),
				 ACTION(",\"partitionValues\":{\"small\":\"77\"}"), "{\"small\":77}",
				 "a partition column that is in the file too: the log wins");
	first_row_is(PROTOCOL METADATA_WITH("t", FIELD("p", "integer"), "\"p\"", ""),
				 ACTION(",\"partitionValues\":{\"p\":\"x\"}"), "ERROR 5", "a partition value that does not parse");
	ok(error_has(&test, "\"p\"") && error_has(&test, "\"x\"") && error_has(&test, "rows.parquet"),
	   "names column, value and file");
	first_row_is(ONE("ID", "long"), ACTION(""), "{\"ID\":1}", "letters of another case");
	first_row_is(PROTOCOL METADATA_WITH("t", PAIR_OF_OTHERS, "", ""), ACTION(""), "{\"pair\":{\"z\":null}}",
				 "a struct without any of its fields in the file is not null");
	first_row_is(PROTOCOL METADATA_WITH("t", FIELD("p", "string"), "\"p\"", ""),
				 ACTION(",\"partitionValues\":{\"p\":\"v\"}"), "{\"p\":\"v\"}",
				 "no column of the file at all: its rows are there");
}

#define MAPPED(name, physical, type)                                                                                   \
	"{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{"            \
	"\\\"delta.columnMapping.physicalName\\\":\\\"" physical "\\\",\\\"delta.columnMapping.id\\\":4711}}"
#define MAPPING(mode) "\"delta.columnMapping.mode\":\"" mode "\""
#define READER_2 "{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":5}}\n"

static void
test_mapping(void)
{
	first_row_is(
		READER_2 METADATA_WITH("t", MAPPED("key", "id", "long") "," MAPPED("id", "col-1", "long"), "", MAPPING("name")),
		ACTION(""), "{\"key\":1,\"id\":null}", "by name: a dropped column does not come back");
	first_row_is(READER_2 METADATA_WITH("t", MAPPED("key", "id", "long") "," MAPPED("part", "col-2", "string"),
										"\"part\"", MAPPING("name")),
				 ACTION(",\"partitionValues\":{\"col-2\":\"v\"}"), "{\"key\":1,\"part\":\"v\"}",
				 "partition values go by physical name");
	first_row_is(PROTOCOL METADATA_WITH("t", MAPPED("id", "other", "long"), "", MAPPING("name")), ACTION(""),
				 "{\"id\":1}", "not at reader version 1");
	first_row_is(READER_2 METADATA_WITH("t", MAPPED("id", "other", "long"), "", MAPPING("none")), ACTION(""),
				 "{\"id\":1}", "left-over annotations are ignored");
	first_row_is(READER_2 METADATA_WITH("t", MAPPED("id", "id", "long"), "", MAPPING("id")), ACTION(""), "ERROR 5",
				 "by id: a file without field ids is refused");
}

static void
test_projection(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", ALL_FIELDS "," FIELD("p", "string"), "\"p\"", ""));
	struct ArrowSchema y = {.format = "u", .name = "y"};
	struct ArrowSchema *pair_children[] = {&y};
	struct ArrowSchema pair = {.format = "+s", .name = "pair", .n_children = 1, .children = pair_children};
	struct ArrowSchema p = {.format = "u", .name = "p"};
	struct ArrowSchema id = {.format = "l", .name = "id"};
	struct ArrowSchema *children[] = {&p, &pair, &id};
	struct ArrowSchema projection = {.format = "+s", .name = "", .n_children = 3, .children = children};
	Rows rows =
		scan_rows(schema, &projection, ACTION(",\"partitionValues\":{\"p\":\"v\"}"), NULL, DELTA_ROWS_LIVE, 0, 8192);

	is_text(rows.json[1], "{\"p\":\"v\",\"pair\":{\"y\":\"1\"},\"id\":1}", "some columns, in the order asked for");
	is_text(rows.json[5], "{\"p\":\"v\",\"pair\":null,\"id\":5}", "nulls of a struct with fewer fields");
	free_rows(&rows);
	projection.n_children = 0;
	rows = scan_rows(schema, &projection, ACTION(""), NULL, DELTA_ROWS_LIVE, 0, 8192);
	is_int(rows.count, ROW_COUNT, "no column: the rows are counted");
	free_rows(&rows);
	projection.n_children = 3;
	id.name = "nope";
	rows = scan_rows(schema, &projection, ACTION(""), NULL, DELTA_ROWS_LIVE, 0, 8192);
	ok(rows.failed && test.error.kind == INGEST_ERROR_INVALID && error_has(&test, "nope"),
	   "a column that is not there");
	free_rows(&rows);
	delta_schema_release(schema);
}

/* With dictionaries kept every value is the same, and every text column leaves with one, in the file or not. */
static void
test_dictionaries(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH(
		"t", ALL_FIELDS "," FIELD("p", "string") "," FIELD("q", "binary") "," FIELD("new", "string"), "\"p\",\"q\"",
		""));
	uint64_t masked[] = {0, 1, 2, 9, 700};
	char actions[2][4096];
	DeltaScan *scan;
	bool same = true;

	snprintf(actions[0], sizeof(actions[0]), ACTION(",\"partitionValues\":{\"p\":\"v\"}"));
	snprintf(actions[1], sizeof(actions[1]), ACTION(",\"partitionValues\":{\"p\":\"v\"},%s"), inline_vector(masked, 5));
	for (int round = 0; round < 2; round++)
	{
		Rows plain = scan_rows(schema, NULL, actions[round], NULL, DELTA_ROWS_LIVE, 0, 300);
		Rows kept;

		options.parquet.keep_dictionary = true;
		kept = scan_rows(schema, NULL, actions[round], NULL, DELTA_ROWS_LIVE, 0, 300);
		options.parquet.keep_dictionary = false;
		for (int i = 0; i < ROW_COUNT; i++)
			same = same && (plain.json[i] == NULL) == (kept.json[i] == NULL) &&
				   (plain.json[i] == NULL || strcmp(plain.json[i], kept.json[i]) == 0);
		ok(same && !kept.failed && kept.count == plain.count && kept.count >= 995,
		   "the same rows with dictionaries kept: %s", test.error.message);
		free_rows(&plain);
		free_rows(&kept);
	}
	options.parquet.keep_dictionary = true;
	ok(delta_scan_open(test.storage, &options, schema, NULL, actions[0], strlen(actions[0]), NULL, 0, DELTA_ROWS_LIVE,
					   0, NULL, &scan, NULL, &test.error),
	   "opens");
	for (int64_t i = 0; i < delta_scan_schema(scan)->n_children; i++)
	{
		const struct ArrowSchema *child = delta_scan_schema(scan)->children[i];
		bool text = strcmp(child->name, "name") == 0 || i >= 9;

		same = same && text == (child->dictionary != NULL && strcmp(child->format, "i") == 0);
	}
	ok(same, "text and binary columns leave with a dictionary");
	delta_scan_close(scan);
	options.parquet.keep_dictionary = false;
	delta_schema_release(schema);
}

static bool
always_cancelled(void *state)
{
	(void) state;
	return true;
}

static void
test_failures(void)
{
	DeltaSchema *schema = make_schema(PROTOCOL METADATA_WITH("t", FIELD("id", "long"), "", ""));
	static const char *const paths[] = {"/etc/passwd", "a/../../b", "file:///etc/passwd", "s3://bucket/key"};
	IngestCancel cancel = {always_cancelled, NULL};
	DeltaSnapshot *snapshot;
	Rows rows = scan_rows(schema, NULL, "{\"path\":\"gone.parquet\"}", NULL, DELTA_ROWS_LIVE, 0, 8192);

	ok(rows.failed && test.error.kind == INGEST_ERROR_GONE && error_has(&test, "gone.parquet") &&
		   strstr(test.error.hint, "VACUUM") != NULL,
	   "a missing file is named, and VACUUM");
	rows = scan_rows(schema, NULL, ACTION(""), NULL, DELTA_ROWS_LIVE, ROW_COUNT + 1, 8192);
	ok(rows.failed && test.error.kind == INGEST_ERROR_CHANGED, "a first row behind the end");
	for (size_t i = 0; i < 4; i++)
	{
		char action[128];

		snprintf(action, sizeof(action), "{\"path\":\"%s\"}", paths[i]);
		rows = scan_rows(schema, NULL, action, NULL, DELTA_ROWS_LIVE, 0, 8192);
		ok(rows.failed && test.error.kind == INGEST_ERROR_DENIED, "%s is refused", paths[i]);
	}
	case_write(&test, "short.parquet", "PAR1", 4);
	rows = scan_rows(schema, NULL, "{\"path\":\"short.parquet\"}", NULL, DELTA_ROWS_LIVE, 0, 8192);
	ok(rows.failed && test.error.kind == INGEST_ERROR_CORRUPT && error_has(&test, "short.parquet"),
	   "a file that is none");
	rows = scan_rows(schema, NULL, "{\"path\":", NULL, DELTA_ROWS_LIVE, 0, 8192);
	ok(rows.failed && test.error.kind == INGEST_ERROR_CORRUPT, "an action that is none");
	ok(!delta_snapshot_load(test.table, -1, &snapshot, &cancel, &test.error) &&
		   test.error.kind == INGEST_ERROR_CANCELLED,
	   "cancelled");
	delta_schema_release(schema);
}

int
main(void)
{
	test = case_begin();
	copy_fixture();
	test_all_columns();
	test_resume();
	test_vector_differences();
	test_whole_file_masked();
	test_types();
	test_columns();
	test_mapping();
	test_projection();
	test_dictionaries();
	test_failures();
	case_end(&test);
	return done_testing();
}
