/*-------------------------------------------------------------------------
 *
 * test_delta_commit.c
 *	  A commit as changes for a follower: order, vectors, change data, gaps, torn commits;
 *	  and the version at a time.
 *
 *-------------------------------------------------------------------------
 */
#include <utime.h>

#include "delta_case.h"

#define FILE_ACTION(kind, path, more) "{\"" kind "\":{\"path\":\"" path "\"," more "}}\n"
#define VECTOR(id)                                                                                                     \
	"\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"" id                                               \
	"\",\"offset\":1,\"sizeInBytes\":4,\"cardinality\":1}"
#define CHANGE "\"partitionValues\":{\"p\":\"1\"},\"dataChange\":true"
#define NO_CHANGE "\"partitionValues\":{},\"dataChange\":false"

static DeltaSchema *
schema_of(DeltaCase *test, const char *lines)
{
	DeltaCommit *commit;
	DeltaSchema *schema;

	case_commit(test, 0, lines);
	if (!delta_commit_load(test->table, 0, NULL, false, true, &commit, NULL, &test->error) || commit == NULL)
	{
		printf("Bail out! %s\n", test->error.message);
		exit(1);
	}
	schema = delta_schema_acquire(commit->schema);
	delta_commit_free(commit);
	return schema;
}

/* The commit's changes: "-a +b ~c *d" for remove, add, vector, cdc; "none" where it is not there; "ERROR kind". */
static const char *
changes_of(DeltaCase *test, int64_t version, DeltaSchema *before, bool use_cdc)
{
	static char text[1024];
	DeltaCommit *commit;

	ingest_error_clear(&test->error);
	snprintf(text, sizeof(text), "none");
	if (!delta_commit_load(test->table, version, before, use_cdc, true, &commit, NULL, &test->error))
		snprintf(text, sizeof(text), "ERROR %d", test->error.kind);
	else if (commit != NULL)
	{
		text[0] = '\0';
		for (size_t i = 0; i < commit->change_count; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%c%.*s", i > 0 ? " " : "",
					 "+-~*"[commit->changes[i].kind], (int) commit -> changes[i].file.path.length,
					 commit->changes[i].file.path.data);
		delta_commit_free(commit);
	}
	return text;
}

static void
test_changes(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema = schema_of(&test, PROTOCOL METADATA);

	case_commit(&test, 1,
				FILE_ACTION("add", "z", CHANGE) FILE_ACTION("remove", "y", CHANGE) FILE_ACTION("add", "b", CHANGE)
					FILE_ACTION("remove", "c", CHANGE));
	is_text(changes_of(&test, 1, schema, false), "-c -y +b +z", "removes before adds, each by path");
	case_commit(&test, 2, FILE_ACTION("add", "a", NO_CHANGE) FILE_ACTION("remove", "b", NO_CHANGE));
	is_text(changes_of(&test, 2, schema, false), "", "what changes no data");
	case_commit(&test, 3,
				FILE_ACTION("add", "m", CHANGE "," VECTOR("v2")) FILE_ACTION("remove", "m", CHANGE "," VECTOR("v1"))
					FILE_ACTION("add", "n", CHANGE) FILE_ACTION("remove", "k", CHANGE));
	is_text(changes_of(&test, 3, schema, false), "-k ~m +n",
			"a changed vector is one change, between removes and adds");
	case_commit(&test, 4,
				FILE_ACTION("add", "m", CHANGE "," VECTOR("v2")) FILE_ACTION("remove", "m", CHANGE "," VECTOR("v2")));
	is_text(changes_of(&test, 4, schema, false), "", "the same file with the same vector");
	case_commit(&test, 5, FILE_ACTION("add", "m", NO_CHANGE "," VECTOR("v2")) FILE_ACTION("remove", "m", NO_CHANGE));
	is_text(changes_of(&test, 5, schema, false), "", "a vector that changes no data");
	case_commit(&test, 6,
				FILE_ACTION("add", "a", CHANGE) FILE_ACTION("cdc", "_change_data/c", CHANGE)
					FILE_ACTION("remove", "b", CHANGE));
	is_text(changes_of(&test, 6, schema, true), "*_change_data/c", "cdc files alone where they are wanted");
	is_text(changes_of(&test, 6, schema, false), "-b +a", "and not at all where they are not");
	is_text(changes_of(&test, 1, schema, true), "-c -y +b +z", "a commit without cdc files");
	case_commit(&test, 7, FILE_ACTION("add", "a", CHANGE) FILE_ACTION("add", "a", CHANGE));
	is_text(changes_of(&test, 7, schema, false), "ERROR 5", "a file added twice");
	case_commit(&test, 7, "{\"commitInfo\":{\"timestamp\":7}}\n{\"txn\":{\"appId\":\"x\",\"version\":1}}\n");
	is_text(changes_of(&test, 7, schema, false), "", "a commit without files");
	delta_schema_release(schema);
	case_end(&test);
}

static void
test_schema_changes(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema = schema_of(&test, PROTOCOL METADATA);
	DeltaCommit *commit;

	case_commit(&test, 1, METADATA_WITH("t", FIELD("id", "long") "," FIELD("new", "string"), "", ""));
	ok(delta_commit_load(test.table, 1, schema, false, false, &commit, NULL, &test.error) && commit->schema_changed &&
		   delta_schema_arrow(commit->schema)->n_children == 2 &&
		   delta_schema_arrow(commit->old_schema)->n_children == 1,
	   "new metaData: both schemas");
	delta_commit_free(commit);
	case_commit(&test, 2, FILE_ACTION("add", "a", CHANGE) FEATURES("\"fancy\""));
	is_text(changes_of(&test, 2, schema, false), "ERROR 6", "the gate is passed before any change");
	ok(error_has(&test, "fancy") && error_has(&test, "version 2") && error_has(&test, test.root),
	   "and says what and where");
	case_commit(&test, 3, ADD("x"));
	ok(delta_commit_load(test.table, 3, schema, false, false, &commit, NULL, &test.error) && !commit->schema_changed &&
		   commit->schema == schema,
	   "no change: the same schema");
	delta_commit_free(commit);
	is_text(changes_of(&test, 3, NULL, false), "ERROR 5", "no schema at all");
	delta_schema_release(schema);
	case_end(&test);
}

static void
test_identity(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema = schema_of(&test, PROTOCOL METADATA);
	DeltaCommit *commit;
	char identity[80];

	case_commit(&test, 1, "{\"commitInfo\":{\"timestamp\":1700000000000,\"inCommitTimestamp\":1700000000001}}\n");
	ok(delta_commit_load(test.table, 1, schema, false, false, &commit, NULL, &test.error), "loads");
	is_int(commit->time_ms, INT64_C(1700000000001), "in-commit timestamp");
	is_int((int64_t) strlen(commit->identity), 64, "identity");
	memcpy(identity, commit->identity, sizeof(identity));
	delta_commit_free(commit);
	case_commit(&test, 1, "{\"commitInfo\":{\"timestamp\":\"odd\"}}\n");
	ok(delta_commit_load(test.table, 1, schema, false, false, &commit, NULL, &test.error) && commit->time_ms == 0 &&
		   strcmp(commit->identity, identity) != 0,
	   "other bytes, another identity");
	delta_commit_free(commit);
	delta_schema_release(schema);
	case_end(&test);
}

static void
test_absent(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema = schema_of(&test, PROTOCOL METADATA);
	DeltaCommit *commit;

	is_text(changes_of(&test, 1, schema, false), "none", "not yet there");
	case_commit(&test, 3, ADD("c"));
	case_commit(&test, 4, ADD("d"));
	is_text(changes_of(&test, 1, schema, false), "ERROR 4", "cleaned up");
	ok(error_has(&test, "version 1 ") && error_has(&test, "first commit left is 3"), "what is left is named");
	ok(delta_commit_load(test.table, 1, schema, false, false, &commit, NULL, &test.error) && commit == NULL,
	   "the cheap poll does not look for it");
	is_text(changes_of(&test, 7, schema, false), "ERROR 8", "the newest version is below the one before");
	ok(error_has(&test, "newest"), "is said");
	is_text(changes_of(&test, 5, schema, false), "none", "right behind the newest");
	delta_schema_release(schema);
	case_end(&test);
}

static void
test_torn(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema = schema_of(&test, PROTOCOL METADATA);

	case_commit(&test, 1, ADD("a") "{\"add\":{\"path\":\"b\",\"par");
	is_text(changes_of(&test, 1, schema, false), "none", "a torn last line: not there yet");
	is_text(changes_of(&test, 1, schema, false), "none", "and again");
	test.table->torn_since_ms -= 61000;
	is_text(changes_of(&test, 1, schema, false), "ERROR 5", "but not for ever");
	case_commit(&test, 1, ADD("a") ADD("b"));
	is_text(changes_of(&test, 1, schema, false), "+a +b", "completed");
	case_commit(&test, 2, "");
	is_text(changes_of(&test, 2, schema, false), "none", "an empty file is torn as well");
	case_commit(&test, 2, "{\"add\":{\"path\":\"b\",}\n" ADD("c"));
	is_text(changes_of(&test, 2, schema, false), "ERROR 5", "a broken line before others is broken at once");
	delta_schema_release(schema);
	case_end(&test);
}

/* Partition values of the remove of file "x" by version 2, as JSON. */
static void
test_bare_removes(void)
{
	DeltaCase test = case_begin();
	DeltaSchema *schema =
		schema_of(&test, PROTOCOL METADATA_WITH("t", FIELD("id", "long") "," FIELD("p", "long"), "\"p\"", ""));
	DeltaCommit *commit;

	case_commit(&test, 1, FILE_ACTION("add", "x%20y", CHANGE));
	case_commit(
		&test, 2,
		"{\"remove\":{\"path\":\"x y\",\"dataChange\":true}}\n{\"remove\":{\"path\":\"never\",\"dataChange\":true}}\n");
	ok(delta_commit_load(test.table, 2, schema, false, false, &commit, NULL, &test.error) && commit != NULL, "loads");
	is_int((int64_t) commit->change_count, 1, "the remove of an unknown file is no change");
	ok(commit->change_count == 1 &&
		   strstr(commit->changes[0].file.action_json, "\"partitionValues\":{\"p\":\"1\"}") != NULL,
	   "partition values come from the state before");
	delta_commit_free(commit);
	case_commit(&test, 3, FILE_ACTION("add", "new", "\"partitionValues\":{\"p\":\"3\"},\"dataChange\":true"));
	is_text(changes_of(&test, 3, schema, false), "+new", "an add behind it");
	case_unlink(&test, "_delta_log/00000000000000000000.json");
	case_commit(&test, 4,
				"{\"remove\":{\"path\":\"new\",\"dataChange\":true}}\n{\"remove\":{\"path\":\"x "
				"y\",\"dataChange\":true}}\n");
	ok(delta_commit_load(test.table, 4, schema, false, false, &commit, NULL, &test.error) && commit != NULL,
	   "the state is kept up, not loaded again: %s", test.error.message);
	ok(commit != NULL && commit->change_count == 1 &&
		   strstr(commit->changes[0].file.action_json, "\"partitionValues\":{\"p\":\"3\"}") != NULL,
	   "with the files added since, without those removed");
	delta_commit_free(commit);
	delta_schema_release(schema);
	case_end(&test);
}

static void
set_time(const DeltaCase *test, int64_t version, time_t seconds)
{
	char path[512];
	struct utimbuf times = {seconds, seconds};

	snprintf(path, sizeof(path), "%s/_delta_log/%020lld.json", test->root, (long long) version);
	utime(path, &times);
}

/* The version at a time, or minus the error's kind. */
static int64_t
version_at(DeltaCase *test, int64_t time_ms)
{
	int64_t version;

	return delta_version_at(test->table, time_ms, &version, NULL, &test->error) ? version : -(int64_t) test->error.kind;
}

#define INFO(time) "{\"commitInfo\":{\"inCommitTimestamp\":" time "}}\n"

static void
test_version_at(void)
{
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL METADATA);
	for (int64_t version = 1; version < 5; version++)
		case_commit(&test, version, ADD("a"));
	set_time(&test, 0, 1000);
	set_time(&test, 1, 2000);
	set_time(&test, 2, 1500); /* a clock that went back: counts as 2000.001 */
	set_time(&test, 3, 3000);
	set_time(&test, 4, 4000);
	is_int(version_at(&test, 999999), -(int64_t) INGEST_ERROR_INVALID, "before the first version");
	ok(strstr(test.error.hint, "1970-01-01T00:16:40Z") != NULL, "the hint names the first");
	is_int(version_at(&test, 1000000), 0, "exactly at the first");
	is_int(version_at(&test, 2000000), 1, "times are made to rise");
	is_int(version_at(&test, 2000001), 2, "by a millisecond");
	is_int(version_at(&test, 3999999), 3, "just before the last");
	is_int(version_at(&test, 99000000), 4, "after the last");
	case_end(&test);
}

static void
test_version_at_in_commit(void)
{
	DeltaCase test = case_begin();

	case_commit(&test, 0, PROTOCOL METADATA);
	case_commit(&test, 1, ADD("a"));
	case_commit(&test, 2,
				INFO("50000") METADATA_WITH("t", FIELD("id", "long"), "",
											"\"delta.enableInCommitTimestamps\":\"true\","
											"\"delta.inCommitTimestampEnablementVersion\":\"2\","
											"\"delta.inCommitTimestampEnablementTimestamp\":\"50000\""));
	case_commit(&test, 3, INFO("60000") ADD("b"));
	case_commit(&test, 4, INFO("70000") ADD("c"));
	set_time(&test, 0, 10);
	set_time(&test, 1, 20);
	for (int64_t version = 2; version < 5; version++)
		set_time(&test, version, 900000);
	is_int(version_at(&test, 15000), 0, "before the enabling: file times");
	is_int(version_at(&test, 49999), 1, "up to the version before it");
	is_int(version_at(&test, 50000), 2, "from the enabling on: in-commit timestamps");
	is_int(version_at(&test, 69999), 3, "between two");
	is_int(version_at(&test, 70000), 4, "the last");
	case_commit(&test, 3, ADD("b"));
	is_int(version_at(&test, 69999), -(int64_t) INGEST_ERROR_CORRUPT, "a commit without its timestamp");
	case_end(&test);
}

int
main(void)
{
	test_changes();
	test_schema_changes();
	test_identity();
	test_absent();
	test_torn();
	test_bare_removes();
	test_version_at();
	test_version_at_in_commit();
	return done_testing();
}
