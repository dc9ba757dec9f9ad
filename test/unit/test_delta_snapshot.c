/*-------------------------------------------------------------------------
 *
 * test_delta_snapshot.c
 *	  From a log to the state of a version: reconciliation, checkpoints and their hint, gaps, the protocol gate.
 *
 *-------------------------------------------------------------------------
 */
#include "delta_case.h"

#define VECTOR(id)                                                                                                     \
	",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"" id                                              \
	"\",\"offset\":1,\"sizeInBytes\":4,\"cardinality\":1}"
#define ADD_WITH(path, more)                                                                                           \
	"{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"dataChange\":true" more "}}\n"
#define REMOVE_WITH(path, more) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":true" more "}}\n"
#define UUID "e8fa2696-9728-4e9c-b285-634743fdd4fb"

static void
test_reconciliation(void)
{
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL METADATA ADD("b") ADD("a"));
	case_commit(&test, 1, REMOVE("a") ADD("c"));
	case_commit(&test, 2, ADD("a") REMOVE("never-there"));
	case_commit(&test, 3, ADD("c") REMOVE("c"));
	is_text(case_files(&test, 0), "a b ", "files in order");
	is_text(case_files(&test, 1), "b c ", "removed");
	is_text(case_files(&test, 2), "a b c ", "added again, and a tombstone of nothing");
	is_text(case_files(&test, -1), "a b c ", "in one version adds win over removes, whatever the order of lines");
	case_commit(&test, 4, ADD_WITH("a", VECTOR("v1")) REMOVE("a"));
	is_text(case_files(&test, 4), "a b c ", "a new vector replaces the file without one");
	case_commit(&test, 5, REMOVE_WITH("a", VECTOR("v1")) ADD_WITH("a", VECTOR("v2")));
	is_text(case_files(&test, 5), "a b c ", "and the next vector replaces that");
	case_commit(&test, 6, ADD_WITH("a", VECTOR("v3")));
	is_text(case_files(&test, 6), "ERROR 5", "a file live under two vectors is a broken log");
	case_commit(&test, 6, ADD("d") ADD("d"));
	is_text(case_files(&test, 6), "ERROR 5", "added twice in one commit");
	case_end(&test);
}

static void
test_spellings(void)
{
	DeltaCase test = case_begin();
	char lines[1024];

	case_commit(&test, 0, PROTOCOL METADATA ADD("a%20b") ADD("p=x%2Fy"));
	snprintf(lines, sizeof(lines), "{\"remove\":{\"path\":\"file://%s/a%%20b\",\"dataChange\":true}}\n", test.root);
	case_commit(&test, 1, lines);
	is_text(case_files(&test, 1), "p=x%2Fy ", "one file under two spellings");
	case_commit(&test, 2, REMOVE("p=x%2fy"));
	is_text(case_files(&test, 2), "", "case of an escape's digits");
	case_end(&test);
}

static void
test_versions(void)
{
	DeltaCase test = case_begin();
	int64_t version;

	is_text(case_files(&test, -1), "ERROR 3", "no table");
	case_commit(&test, 0, PROTOCOL METADATA ADD("a"));
	case_commit(&test, 1, ADD("b"));
	case_commit(&test, 3, ADD("c"));
	is_text(case_files(&test, -1), "ERROR 5", "a gap");
	ok(error_has(&test, "commit 2 is missing"), "is named");
	is_text(case_files(&test, 1), "a b ", "before the gap");
	is_text(case_files(&test, 9), "ERROR 7", "a version to come");
	ok(delta_latest_version(test.table, &version, NULL, &test.error) && version == 3, "newest version");
	case_commit(&test, 2, "");
	is_text(case_files(&test, 2), "ERROR 5", "an empty commit");
	case_commit(&test, 2, "{\"add\":{\"path\":\"x\"");
	is_text(case_files(&test, 2), "ERROR 1", "a torn commit that is new may still be written");
	case_commit(&test, 2, "{\"commitInfo\":{}}\n{\"add\":{\n{\"commitInfo\":{}}\n");
	is_text(case_files(&test, 2), "ERROR 5", "a broken line");
	ok(error_has(&test, "00000000000000000002.json") && error_has(&test, "line 2"), "is named");
	case_unlink(&test, "_delta_log/00000000000000000000.json");
	is_text(case_files(&test, 1), "ERROR 4", "the log begins later");
	case_end(&test);
}

static void
test_missing_schema(void)
{
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL ADD("a"));
	is_text(case_files(&test, -1), "ERROR 5", "no metaData");
	ok(error_has(&test, "metaData"), "is said");
	case_commit(&test, 0, METADATA ADD("a"));
	is_text(case_files(&test, -1), "ERROR 5", "no protocol");
	ok(error_has(&test, "protocol"), "is said");
	case_end(&test);
}

/* Error of a table of this first commit, and a part of its message. */
static void
refuses(const char *lines, IngestErrorKind kind, const char *part, const char *name)
{
	DeltaCase test = case_begin();
	DeltaSnapshot *snapshot;
	bool loaded;

	case_commit(&test, 0, lines);
	loaded = delta_snapshot_load(test.table, -1, &snapshot, NULL, &test.error);
	ok(!loaded && test.error.kind == kind && error_has(&test, part) && error_has(&test, test.root), "%s", name);
	if (loaded)
		delta_snapshot_free(snapshot);
	case_end(&test);
}

#define R(version, rest) "{\"protocol\":{\"minReaderVersion\":" version ",\"minWriterVersion\":7" rest "}}\n"

static void
test_gate(void)
{
	DeltaCase test = case_begin();

	refuses(R("4", ",\"readerFeatures\":[]") METADATA, INGEST_ERROR_UNSUPPORTED, "reader version 4",
			"a newer reader version");
	refuses(FEATURES("\"deletionVectors\",\"fancy\",\"other\"") METADATA, INGEST_ERROR_UNSUPPORTED,
			"\"fancy\", \"other\"", "unknown features are named");
	refuses(FEATURES("\"catalogManaged\"") METADATA, INGEST_ERROR_UNSUPPORTED, "\"catalogManaged\"", "catalog-managed");
	refuses(FEATURES("\"deletionvectors\"") METADATA, INGEST_ERROR_UNSUPPORTED, "\"deletionvectors\"",
			"names are case-sensitive");
	refuses(R("3", "") METADATA, INGEST_ERROR_CORRUPT, "readerFeatures", "version 3 without a list");
	refuses(PROTOCOL METADATA_WITH("t", FIELD("g", "geometry(OGC:CRS84)"), "", ""), INGEST_ERROR_UNSUPPORTED,
			"geometry", "an unknown type");
	refuses(PROTOCOL METADATA_WITH("t", FIELD("a", "long") "," FIELD("a", "long"), "", ""), INGEST_ERROR_CORRUPT,
			"two columns", "two columns of one name");
	refuses(PROTOCOL METADATA_WITH("t", FIELD("a", "long"), "\"b\"", ""), INGEST_ERROR_CORRUPT, "partition column",
			"a partition column that does not exist");
	refuses(R("2", "") METADATA_WITH("t", FIELD("a", "long"), "", "\"delta.columnMapping.mode\":\"name\""),
			INGEST_ERROR_CORRUPT, "physicalName", "mapping without physical names");

	case_commit(&test, 0, R("1", ",\"writerFeatures\":[\"whatever\"]") METADATA ADD("a"));
	is_text(case_files(&test, 0), "a ", "writer features never matter");
	case_commit(&test, 1,
				FEATURES("\"deletionVectors\",\"timestampNtz\",\"typeWidening\",\"v2Checkpoint\",\"variantType\""));
	is_text(case_files(&test, 1), "a ", "known features");
	case_commit(&test, 2, PROTOCOL);
	is_text(case_files(&test, 2), "a ", "a downgrade");
	case_end(&test);
}

static void
test_hint(void)
{
	static const char *const hints[] = {
		"",  "not JSON", "{\"version\":0}", "{\"version\":77,\"size\":1}", "{\"version\":\"x\"}", "{\"version\":-5}",
		"[]"};
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL METADATA ADD("a"));
	case_commit(&test, 1, ADD("b"));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
	{
		case_write(&test, "_delta_log/_last_checkpoint", hints[i], strlen(hints[i]));
		is_text(case_files(&test, -1), "a b ", hints[i]);
	}
	case_write(&test, "_delta_log/_last_checkpoint", "{\"version\":1}", 13);
	is_text(case_files(&test, -1), "a b ", "a dangling hint");
	case_end(&test);
}

/* JSON checkpoints need no Parquet: the choice between checkpoints, and what stands in one. */
static void
test_json_checkpoint(void)
{
	static const char checkpoint[] = "{\"checkpointMetadata\":{\"version\":1}}\n" FEATURES("\"v2Checkpoint\"")
		METADATA ADD("from-checkpoint") ADD("removed-later") "{\"remove\":{\"path\":\"tombstone\",\"dataChange\":true}}"
															 "\n{\"txn\":{\"appId\":\"a\",\"version\":1}}\n";
	static const char name[] = "_delta_log/00000000000000000001.checkpoint." UUID ".json";
	DeltaCase test = case_begin();

	case_write(&test, name, checkpoint, strlen(checkpoint));
	is_text(case_files(&test, -1), "from-checkpoint removed-later ", "a checkpoint without any commit is a table");
	case_commit(&test, 2, REMOVE("removed-later") ADD("new"));
	is_text(case_files(&test, -1), "from-checkpoint new ", "commits behind it");
	case_write(&test, "_delta_log/_last_checkpoint", "{\"version\":1}", 13);
	is_text(case_files(&test, -1), "from-checkpoint new ", "by the hint");
	case_commit(&test, 0, PROTOCOL METADATA ADD("z"));
	case_commit(&test, 1, ADD("from-checkpoint"));
	is_text(case_files(&test, 0), "z ", "a version before the hint");
	case_write(&test, name, "{\"add\":", 7);
	is_text(case_files(&test, -1), "from-checkpoint new z ", "a broken checkpoint: the commits say it too");
	case_unlink(&test, "_delta_log/00000000000000000000.json");
	is_text(case_files(&test, -1), "ERROR 5", "unless they are gone");
	ok(error_has(&test, "checkpoint"), "then the checkpoint is named");
	case_end(&test);
}

static void
test_incomplete_checkpoint(void)
{
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL METADATA ADD("a"));
	case_commit(&test, 1, ADD("b"));
	case_write(&test, "_delta_log/00000000000000000001.checkpoint.0000000001.0000000002.parquet", "x", 1);
	is_text(case_files(&test, -1), "a b ", "a part that is alone does not count");
	case_write(&test, "_delta_log/00000000000000000001.checkpoint.0000000002.0000000003.parquet", "x", 1);
	is_text(case_files(&test, -1), "a b ", "nor do parts of two sets");
	case_write(&test, "_delta_log/00000000000000000001.checkpoint.parquet", "", 0);
	is_text(case_files(&test, -1), "a b ", "an empty checkpoint does not count");
	case_write(&test, "_delta_log/00000000000000000005.checkpoint.0000000001.0000000002.parquet", "x", 1);
	is_text(case_files(&test, -1), "a b ", "and makes no version");
	case_end(&test);
}

/* A commit above the window is read in parts: whatever their size, the state is the same. */
static void
test_windows(void)
{
	static const size_t windows[] = {1, 2, 7, 64, 300, 100000};
	DeltaCase test = case_begin();

	case_commit(&test, 0,
				PROTOCOL METADATA ADD("a") "\r\n\n" ADD("b") "{\"add\":\n{\"path\":\n\"over-lines\"}\n}\n" ADD(
					"c") "{\"add\":{"
						 "\"path\":\"last\"}}");
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
	{
		test.table->commit_window = windows[i];
		is_text(case_files(&test, -1), "a b c last over-lines ", "windows");
	}
	test.table->commit_window = 10;
	case_commit(&test, 1, ADD("d") "{\"add\":{\"path\":}}\n" ADD("e"));
	is_text(case_files(&test, -1), "ERROR 5", "a broken line");
	case_commit(&test, 1, ADD("d") "{\"add\":{\"pa");
	is_text(case_files(&test, -1), "ERROR 1", "a torn one");
	case_end(&test);
}

static void
test_schema_round_trip(void)
{
	DeltaCase test = case_begin();
	DeltaSnapshot *snapshot;
	DeltaSchema *again;
	Buffer json;
	const struct ArrowSchema *arrow;

	buffer_init(&json, 1 << 20);
	case_commit(&test, 0,
				PROTOCOL METADATA_WITH("id-1",
									   FIELD("a", "long") "," FIELD("b", "decimal(12,2)") "," FIELD(
										   "c", "timestamp") "," FIELD("p", "timestamp_ntz"),
									   "\"p\"", "\"delta.x\":\"y\""));
	ok(delta_snapshot_load(test.table, -1, &snapshot, NULL, &test.error), "loads");
	is_text(delta_schema_table_id(snapshot->schema), "id-1", "table id");
	ok(delta_schema_to_json(snapshot->schema, &json, &test.error), "to JSON");
	delta_snapshot_free(snapshot);
	ok(delta_schema_from_json(json.data, json.length, &again, &test.error), "and back");
	arrow = delta_schema_arrow(again);
	ok(arrow->n_children == 4 && !strcmp(arrow->children[0]->format, "l") &&
		   !strcmp(arrow->children[1]->format, "d:12,2") && !strcmp(arrow->children[2]->format, "tsu:UTC") &&
		   !strcmp(arrow->children[3]->format, "tsu:"),
	   "Arrow types, partition column in its place");
	ok(again->root.children[3].is_partition, "partition column");
	is_text(delta_schema_property(again, "delta.x"), "y", "property");
	delta_schema_release(again);
	ok(!delta_schema_from_json("{\"metaData\":{}}", 15, &again, &test.error), "half a schema is refused");
	buffer_release(&json);
	case_end(&test);
}

static void
test_type_changes(void)
{
	static const struct
	{
		const char *from, *to;
		bool allowed;
	} changes[] = {
		{"byte", "short", true},
		{"short", "long", true},
		{"long", "integer", false},
		{"float", "double", true},
		{"integer", "double", true},
		{"long", "double", false},
		{"integer", "float", false},
		{"date", "timestamp_ntz", true},
		{"date", "timestamp", false},
		{"integer", "decimal(12,2)", true},
		{"integer", "decimal(10,1)", false},
		{"long", "decimal(20,0)", true},
		{"decimal(5,2)", "decimal(7,4)", true},
		{"decimal(5,2)", "decimal(6,4)", false},
		{"decimal(5,2)", "decimal(9,1)", false},
		{"string", "binary", false},
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
	{
		DeltaField from = {0};
		DeltaField to = {0};

		ok(delta_type_parse_primitive(changes[i].from, &from) && delta_type_parse_primitive(changes[i].to, &to) &&
			   delta_type_widens(&from, &to) == changes[i].allowed,
		   "%s to %s: %s", changes[i].from, changes[i].to, changes[i].allowed ? "allowed" : "refused");
	}
}

int
main(void)
{
	test_reconciliation();
	test_spellings();
	test_versions();
	test_missing_schema();
	test_gate();
	test_hint();
	test_json_checkpoint();
	test_incomplete_checkpoint();
	test_windows();
	test_schema_round_trip();
	test_type_changes();
	return done_testing();
}
