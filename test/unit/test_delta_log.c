/*-------------------------------------------------------------------------
 *
 * test_delta_log.c
 *	  The log as text: names of its files, lines of its commits, paths in them.
 *
 *-------------------------------------------------------------------------
 */
#include "delta_case.h"

static LogFileKind
kind_of(const char *name)
{
	LogFile file;

	return log_name_parse(name, &file);
}

static void
test_names(void)
{
	LogFile file;

	is_int(kind_of("00000000000000000012.json"), LOG_FILE_COMMIT, "a commit");
	is_int(log_name_parse("00000000000000000012.checkpoint.parquet", &file), LOG_FILE_CHECKPOINT, "a checkpoint");
	is_int(file.version, 12, "its version");
	is_int(log_name_parse("00000000000000000012.checkpoint.0000000002.0000000003.parquet", &file),
		   LOG_FILE_CHECKPOINT_PART, "a part");
	ok(file.part == 2 && file.parts == 3, "its number");
	is_int(kind_of("00000000000000000012.checkpoint.0000000004.0000000003.parquet"), LOG_FILE_OTHER, "part 4 of 3");
	is_int(kind_of("00000000000000000012.checkpoint.0000000000.0000000003.parquet"), LOG_FILE_OTHER, "part 0");
	is_int(kind_of("00000000000000000002.checkpoint.e8fa2696-9728-4e9c-b285-634743fdd4fb.parquet"),
		   LOG_FILE_CHECKPOINT_UUID_PARQUET, "a V2 checkpoint");
	is_int(kind_of("00000000000000000002.checkpoint.e8fa2696-9728-4e9c-b285-634743fdd4fb.json"),
		   LOG_FILE_CHECKPOINT_UUID_JSON, "a V2 checkpoint in JSON");
	is_int(kind_of("00000000000000000002.checkpoint.e8fa2696-9728-4e9c-b285-634743fdd4f.json"), LOG_FILE_OTHER,
		   "a short uuid");
	is_int(kind_of("00000000000000000012.crc"), LOG_FILE_OTHER, "a checksum");
	is_int(kind_of("00000000000000000012.json.tmp"), LOG_FILE_OTHER, "a temporary file");
	is_int(kind_of(".00000000000000000012.json.crc"), LOG_FILE_OTHER, "Hadoop's checksum");
	is_int(kind_of("00000000000000000001.00000000000000000003.compacted.json"), LOG_FILE_OTHER, "a compaction");
	is_int(kind_of("0000000000000000012.json"), LOG_FILE_OTHER, "19 digits");
	is_int(kind_of("000000000000000000012.json"), LOG_FILE_OTHER, "21 digits");
	is_int(kind_of("99999999999999999999.json"), LOG_FILE_OTHER, "a version above 2^63");
	is_int(kind_of("_last_checkpoint"), LOG_FILE_OTHER, "the hint");
	is_int(kind_of(""), LOG_FILE_OTHER, "no name");
}

/* The kinds of the actions, a letter each; "!" an error, "?" a torn one. */
static const char *
kinds_of(const char *text)
{
	static char kinds[64];
	ActionReader reader;
	Action action;
	IngestError error;
	bool more = true;
	size_t count = 0;

	action_reader_init(&reader, text, strlen(text));
	while (count < 60 && more)
	{
		if (!action_reader_next(&reader, &action, &more, &error))
		{
			kinds[count++] = reader.torn ? '?' : '!';
			break;
		}
		if (more)
			kinds[count++] = "-arcmpsi"[action.kind];
	}
	kinds[count] = '\0';
	action_reader_release(&reader);
	return kinds;
}

static void
test_lines(void)
{
	is_text(kinds_of(""), "", "nothing");
	is_text(kinds_of("{\"add\":{\"path\":\"x\"}}\n{\"remove\":{\"path\":\"x\"}}"), "ar", "no newline at the end");
	is_text(kinds_of("{\"commitInfo\":{}}\r\n\r\n\n{\"cdc\":{\"path\":\"x\"}}\r\n"), "ic", "CRLF and empty lines");
	is_text(kinds_of("{\"add\":{\"path\":\"x\"}}x\n{\"add\":{\"path\":\"y\"}}x\n"), "aa", "bytes behind the object");
	is_text(kinds_of("{\"add\":{\"path\":\"x\"}} {\"add\":{\"path\":\"y\"}}\n"), "!", "two actions in a line");
	is_text(kinds_of("{\"add\":\n{\"path\":\n\"x\"}\n}\n{\"add\":{\"path\":\"y\"}}\n"), "aa", "an object over lines");
	is_text(kinds_of("{\"unknown\":{\"a\":[1]}}\n{}\n{\"add\":null}\n"), "---", "unknown and absent");
	is_text(kinds_of("{\"add\":null,\"remove\":{\"path\":\"x\"}}\n"), "r", "null members beside an action");
	is_text(kinds_of("{\"add\":{\"path\":\"x\"}}\n{\"add\":{\"pa"), "a?", "a torn last line");
	is_text(kinds_of("{\"add\":{\"path\":\"x\"}\n{\"add\":{\"path\":\"y\"}}\n"), "!",
			"a broken line with more behind it");
	is_text(kinds_of("{\"add\":{\"size\":1}}\n"), "!", "no path");
	is_text(kinds_of("{\"add\":{\"path\":1}}\n"), "!", "a path that is a number");
	is_text(kinds_of("{\"add\":{\"path\":\"a\\u0000b\"}}\n"), "!", "a path with a NUL");
	is_text(kinds_of("{\"add\":{\"path\":\"x\",\"size\":\"big\"}}\n"), "!", "a size that is text");
	is_text(kinds_of("{\"add\":{\"path\":\"x\",\"size\":-1,\"modificationTime\":1.0,\"stats\":{\"a\":1}}}\n"), "a",
			"odd but harmless values");
	is_text(kinds_of("[1]\n"), "!", "not an object");
	is_text(kinds_of("{\"metaData\":{}}\n{\"protocol\":{}}\n{\"sidecar\":{\"path\":\"s\"}}\n"), "mps", "the others");
}

static void
test_file_action(void)
{
	static const char json[] =
		"{\"path\":\"a\\u0062%20c\",\"partitionValues\":{\"p\":\"1\"},\"size\":7,\"modificationTime\":9,"
		"\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":42,\\\"x\\\":1}\",\"deletionVector\":"
		"{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab\",\"offset\":1,\"sizeInBytes\":4,\"cardinality\":2}}";
	Arena arena;
	FileAction action;
	DeltaFile file;
	IngestError error;
	Buffer identity;

	arena_init(&arena, 1 << 20);
	buffer_init(&identity, 1 << 20);
	ok(file_action_parse(json, strlen(json), &arena, &action, &error), "parses");
	is_text(action.path.data, "ab%20c", "path decoded once, as JSON");
	ok(action.vector.storage_type == 'u' && action.vector.has_offset && action.vector.cardinality == 2, "vector");
	ok(vector_identity(&action.vector, &identity, &error) && identity.length == 5 &&
		   memcmp(identity.data, "uab@1", 5) == 0,
	   "name of the vector");
	ok(delta_file_fill(&file, &action, true, &arena, &error), "kept");
	is_int(file.record_count, 42, "numRecords");
	is_text(file.stats, "{\"numRecords\":42,\"x\":1}", "stats decoded");
	is_text(file.action_json,
			"{\"path\":\"a\\u0062%20c\",\"size\":7,\"partitionValues\":{\"p\":\"1\"},\"deletionVector\":"
			"{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab\",\"offset\":1,\"sizeInBytes\":4,\"cardinality\":2}}",
			"all that a scan needs");
	is_int((int64_t) strlen(file.action_json), (int64_t) file.action_length, "its length");
	buffer_release(&identity);
	arena_release(&arena);
}

static int64_t
count_in(const char *stats, bool escaped)
{
	return stats_record_count((Span){stats, strlen(stats)}, escaped);
}

static void
test_stats(void)
{
	is_int(count_in("{\\\"numRecords\\\":12}", true), 12, "escaped, the usual way");
	is_int(count_in("{\\\"a\\\":{\\\"numRecords\\\":3},\\\"numRecords\\\":12}", true), 12, "top level only");
	is_int(count_in("{\\\"minValues\\\":{\\\"numRecords\\\":3}}", true), -1, "a column of that name");
	is_int(count_in("{\"numRecords\":5}", false), 5, "plain");
	is_int(count_in("{\"numRecords\":\"5\"}", false), 5, "as text");
	is_int(count_in("{\"numRecords\":-5}", false), -1, "negative");
	is_int(count_in("{\"numRecords\":5", false), 5, "malformed behind it");
	is_int(count_in("NaN", false), -1, "malformed");
	is_int(count_in("{\\\"numRecords\\\":99999999999999999999}", true), -1, "out of range");
}

static const char *
canonical(const Storage *storage, const char *path)
{
	static char text[512];
	Buffer buffer;
	IngestError error;

	buffer_init(&buffer, sizeof(text) - 1);
	if (!delta_path_canonical(storage, path, &buffer, &error))
		return "ERROR";
	memcpy(text, buffer.data, buffer.length);
	text[buffer.length] = '\0';
	buffer_release(&buffer);
	return text;
}

static void
test_paths(void)
{
	DeltaCase test = case_begin();
	char path[256];
	char *resolved;

	is_text(canonical(test.storage, "a/b.parquet"), "a/b.parquet", "a plain name");
	is_text(canonical(test.storage, "p=a%20b%2525c/f"), "p=a b%25c/f", "decoded exactly once");
	is_text(canonical(test.storage, "p=100%/f%2"), "p=100%/f%2", "raw percent signs stay");
	is_text(canonical(test.storage, "a+b"), "a+b", "a plus is a plus");
	snprintf(path, sizeof(path), "file://%s/x%%20y", test.root);
	is_text(canonical(test.storage, path), "x y", "an absolute URI below the root is relative");
	is_text(canonical(test.storage, "file:///other/x"), "/other/x", "file:///");
	is_text(canonical(test.storage, "file:/other/x"), "/other/x", "file:/");
	is_text(canonical(test.storage, "file://localhost/other/x"), "/other/x", "file://localhost/");
	is_text(canonical(test.storage, "/other/%78"), "/other/x", "a path of the file system");
	is_text(canonical(test.storage, "s3a://b/k"), "s3://b/k", "s3a is s3");

	ok(delta_path_resolve(test.storage, "", "a%20b", &resolved, &test.error), "resolves");
	is_text(resolved, "a b", "the object's real name");
	free(resolved);
	ok(delta_path_resolve(test.storage, "_delta_log/_sidecars", "s.parquet", &resolved, &test.error),
	   "with a directory");
	is_text(resolved, "_delta_log/_sidecars/s.parquet", "below it");
	free(resolved);
	ok(!delta_path_resolve(test.storage, "", "/etc/passwd", &resolved, &test.error) &&
		   test.error.kind == INGEST_ERROR_DENIED,
	   "outside of the table is refused");
	ok(!delta_path_resolve(test.storage, "", "a/%2e%2e/%2e%2e/x", &resolved, &test.error),
	   "escaped dots do not leave it");
	ok(!delta_path_resolve(test.storage, "", "s3://bucket/x", &resolved, &test.error), "another store is refused");
	case_end(&test);
}

int
main(void)
{
	test_names();
	test_lines();
	test_file_action();
	test_stats();
	test_paths();
	return done_testing();
}
