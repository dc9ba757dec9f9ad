/*-------------------------------------------------------------------------
 *
 * test_format_json.c
 *	  JSON messages: Feldera's own cases, and what they leave out.
 *
 *-------------------------------------------------------------------------
 */
#include "unit/format_case.h"

#define NAME(text) (char *) (text)

/* b BOOL NOT NULL, i INT NOT NULL, s TEXT; the second one with i as its key */
static ColumnTarget plain_columns[] = {
	{.name = NAME("b"), .type_name = NAME("boolean"), .form = FORM_BOOLEAN, .not_null = true},
	{.name = NAME("i"), .type_name = NAME("integer"), .form = FORM_INT4, .not_null = true},
	{.name = NAME("s"), .type_name = NAME("text"), .form = FORM_TEXT},
};
static const TargetTable plain = {.name = NAME("public.t"), .column_count = 3, .columns = plain_columns, .utf8 = true};
static ColumnTarget keyed_columns[] = {
	{.name = NAME("b"), .type_name = NAME("boolean"), .form = FORM_BOOLEAN, .not_null = true},
	{.name = NAME("i"), .type_name = NAME("integer"), .form = FORM_INT4, .not_null = true, .in_key = true},
	{.name = NAME("s"), .type_name = NAME("text"), .form = FORM_TEXT},
};
static const TargetTable keyed = {
	.name = NAME("public.k"), .column_count = 3, .columns = keyed_columns, .has_key = true, .utf8 = true};

#define RAW "{\"name\": \"json\", \"config\": {\"update_format\": \"raw\"}}"
#define RAW_ARRAY "{\"name\": \"json\", \"config\": {\"update_format\": \"raw\", \"array\": true}}"
#define INSERT_DELETE "{\"name\": \"json\"}"
#define INSERT_DELETE_ARRAY "{\"name\": \"json\", \"config\": {\"update_format\": \"insert_delete\", \"array\": true}}"
#define DEBEZIUM "{\"name\": \"json\", \"config\": {\"update_format\": \"debezium\"}}"
#define SINGLE "{\"name\": \"json\", \"config\": {\"update_format\": \"raw\", \"lines\": \"single\"}}"

static void
test_raw(void)
{
	check_message(&plain, RAW, "{\"b\":true,\"i\":0}", "+ t|0|", "", "an object");
	check_message(&plain, RAW, "{\n\t\"b\": true,\r\n\t\"i\": 0\n}\n", "+ t|0|", "", "an object over lines");
	check_message(&plain, RAW, "[true,0,\"a\"]", "+ t|0|a", "", "an array of columns");
	check_message(&plain, RAW, "{\"b\":true,\"i\":0}{\"b\":false,\"i\":100,\"s\":\"foo\"}", "+ t|0|; + f|100|foo", "",
				  "values without anything between them");
	check_message(&plain, RAW, "", "", "", "an empty message holds no record");
	check_message(&plain, RAW, " \n ", "", "", "nor does a blank one");
	check_message(&plain, RAW, "{\"x\":[1,{\"b\":2}],\"I\":7,\"B\":false,\"s\":null,\"y\":\"]\"}", "+ f|7|\\N", "",
				  "unknown keys are passed over, names match in any case");
	check_message(&plain, RAW, "{\"b\":true,\"i\":1,\"i\":2}", "+ t|2|", "", "the last of two values counts");
	check_message(&plain, RAW, "{\"b\":true,\"i\":0,\"s\":\"caf\\u00e9 \\ud83d\\udeb2\\n\"}",
				  "+ t|0|caf\xc3\xa9 \xf0\x9f\x9a\xb2\n", "", "escapes");
	check_message(&plain, RAW, "{\"b\":true,\"\\u0069\":3}", "+ t|3|", "", "an escape in a key");
	check_message(&plain, RAW, "{\"b\":true,\"i\":0,\"s\":\"\"}", "+ t|0|", "", "an empty string is not null");
	check_message(&plain, RAW,
				  "{\"b\":true,\"i\":1}{\"i\":2,\"s\":\"x\",\"b\":false}{\"s\":\"y\",\"z\":0,\"b\":true,\"i\":3}",
				  "+ t|1|; + f|2|x; + t|3|y", "", "keys in another order each time");
}

static void
test_raw_faults(void)
{
	static const char *const cut[] = {"{\"b\":true,\"i\":0}", "{\"b\": false, \"i\": 100, \"s\":", NULL};

	check_messages(
		&plain, RAW, cut, "+ t|0|",
		"1 22P02 failed to parse string as a JSON document: invalid JSON: a value was expected at the end of "
		"the input",
		"a message that ends too early");
	check_message(&plain, RAW, "{\"b\":false,\"i\":5}{\"b\":false}{\"b\":false,\"i\":\"hello\"}{\"b\":true,\"i\":6}",
				  "+ f|5|; + t|6|",
				  "2 23502 missing field `i`; "
				  "3 22P02 error parsing field 'i': invalid input syntax for type integer: \"hello\"",
				  "bad records do not touch the others");
	check_message(&plain, RAW, "{\"b\":20,\"i\":1}{\"b\":true,\"i\":1.5}{\"b\":true,\"i\":99999999999}", "",
				  "1 22P02 error parsing field 'b': invalid type: number 20, expected boolean; "
				  "2 22P02 error parsing field 'i': invalid input syntax for type integer: \"1.5\"; "
				  "3 22003 error parsing field 'i': value \"99999999999\" is out of range for type integer",
				  "values of the wrong type");
	check_message(&plain, RAW, "{\"b\":true,\"i\":{\"a\":[1]}}{\"b\":true,\"i\":1}", "+ t|1|",
				  "1 22P02 error parsing field 'i': invalid type: object {\"a\":[1]}, expected integer",
				  "the scanner goes on behind a nested value that does not fit");
	check_message(&plain, RAW, "[true,0]", "", "1 22P04 invalid length 2, expected 3 columns", "an array too short");
	check_message(&plain, RAW, "[true,0,\"a\",[1],2]", "", "1 22P04 invalid length 5, expected 3 columns",
				  "an array too long");
	check_message(&plain, RAW, "7 \"x\" {\"b\":true,\"i\":1}", "+ t|1|",
				  "1 22P04 invalid type: 7, expected a record as an object or an array; "
				  "2 22P04 invalid type: x, expected a record as an object or an array",
				  "values that are no rows");
	check_message(&plain, RAW, "{\"b\":true,\"i\":1}{\"b\":tru}{\"b\":true,\"i\":2}", "+ t|1|",
				  "2 22P02 failed to parse string as a JSON document: invalid JSON: a value was expected at byte 21",
				  "what is no JSON takes the rest of the message with it");
	check_message(&plain, SINGLE, "{\"b\":true,\"i\":1}\n{\"b\":tru}\n\r\n{\"b\":true,\"i\":2}", "+ t|1|; + t|2|",
				  "2 22P02 failed to parse string as a JSON document: invalid JSON: a value was expected at byte 5",
				  "or of the line only, where lines are single");
	check_message(&plain, RAW, "{\"b\":true,\"i\":1,\"s\":\"\\ud800\"}{\"b\":true,\"i\":2}", "+ t|2|",
				  "1 22P02 error parsing field 's': invalid JSON: lone surrogate in a \\u escape",
				  "half a surrogate pair");
}

static void
test_arrays(void)
{
	static const char *const missing[] = {"[{\"b\":true,\"i\":0}]", "[{\"b\":true,\"i\":1},{\"b\":false}]", NULL};
	static const char *const wrong[] = {"[{\"b\":true,\"i\":0}]",
										"[{\"b\":true,\"i\":1},{\"b\":20,\"i\":10},{\"b\":false,\"i\":\"x\"}]", NULL};

	check_message(&plain, RAW_ARRAY, "[{\"b\":true,\"i\":0},{\"b\":false,\"i\":100,\"s\":\"foo\"}]",
				  "+ t|0|; + f|100|foo", "", "an array of objects");
	check_message(&plain, RAW_ARRAY, "[[true,0,\"d\"],[false,100,\"foo\"]] []", "+ t|0|d; + f|100|foo", "",
				  "an array of arrays");
	check_messages(&plain, RAW_ARRAY, missing, "+ t|0|", "2 23502 missing field `i`",
				   "an array is taken whole or not at all");
	check_messages(&plain, RAW_ARRAY, wrong, "+ t|0|",
				   "2 22P02 error parsing field 'b': invalid type: number 20, expected boolean; "
				   "3 22P02 error parsing field 'i': invalid input syntax for type integer: \"x\"",
				   "all bad elements are reported");
	check_message(&plain, RAW_ARRAY, "[{\"b\":false,\"i\":5},[false]]", "",
				  "2 22P04 invalid length 1, expected 3 columns", "a row too short in an array");
	check_message(&plain, RAW_ARRAY, "{\"b\":false,\"i\":5} [{\"b\":false,\"i\":6}]", "+ f|6|",
				  "1 22P04 invalid type: {\"b\":false,\"i\":5}, expected an array of records, as \"array\" is true",
				  "no array");
	check_message(
		&plain, RAW_ARRAY, "[{\"b\":false,\"i\":5},{\"b\":false,\"i\":6}", "",
		"3 22P02 failed to parse string as a JSON document: invalid JSON: \",\" or \"]\" was expected at the end of "
		"the input",
		"an array that ends too early");
}

static void
test_insert_delete(void)
{
	check_message(&plain, INSERT_DELETE,
				  "{\"insert\":{\"b\":true,\"i\":0}}{\"delete\":{\"b\":false,\"i\":100,\"s\":\"foo\"}}",
				  "+ t|0|; - f|100|foo", "", "insert and delete");
	check_message(&plain, INSERT_DELETE_ARRAY, "[{\"insert\":[true,0,\"a\"]},{\"delete\":{\"b\":false,\"i\":1}}]",
				  "+ t|0|a; - f|1|", "", "the same in an array");
	check_message(&plain, INSERT_DELETE, "{\"insert\":{\"b\":true,\"i\":1},\"delete\":{\"b\":true,\"i\":2}}",
				  "- t|2|; + t|1|", "", "delete goes before insert");
	check_message(&plain, INSERT_DELETE, "{\"table\":\"x\",\"insert\":{\"b\":true,\"i\":1},\"delete\":null}", "+ t|1|",
				  "", "table is not looked at, null is nothing");
	check_message(&plain, INSERT_DELETE, "{}{\"insert\":null}", "", "", "an envelope without a row");
	check_message(&keyed, INSERT_DELETE,
				  "{\"update\":{\"b\":true,\"i\":0}}{\"update\":{\"b\":true,\"i\":0,\"s\":\"foo\"}}{\"update\":{\"i\":"
				  "0,\"s\":null}}",
				  "* t|0|; * t|0|foo; * |0|\\N", "", "partial updates");
	check_message(&keyed, INSERT_DELETE, "{\"delete\":{\"i\":3}}{\"delete\":{\"b\":true}}{\"update\":{\"b\":true}}",
				  "- |3|", "2 23502 missing field `i`; 3 23502 missing field `i`",
				  "delete and update need the key, and only that");
	check_message(&plain, INSERT_DELETE, "{\"update\":{\"b\":true,\"i\":0}}", "",
				  "1 22P04 update needs a primary key, which table \"public.t\" does not have", "update without a key");
}

static void
test_insert_delete_faults(void)
{
	check_message(
		&plain, INSERT_DELETE_ARRAY, "[{\"b\":false}]", "",
		"1 22P04 unknown field `b`, expected one of `table`, `insert`, `delete`, `update`; where the messages are "
		"the rows themselves, \"update_format\" must be \"raw\"",
		"rows without an envelope");
	check_message(&plain, INSERT_DELETE, "{\"insert\":{\"b\":true,\"i\":1},\"insert\":{\"b\":true,\"i\":2}}", "",
				  "1 22P04 duplicate field `insert`", "the same key twice");
	check_message(&plain, INSERT_DELETE,
				  "{\"insert\":{\"b\":true},\"delete\":{\"b\":true,\"i\":2}}{\"insert\":{\"b\":true,\"i\":3}}",
				  "+ t|3|", "1 23502 missing field `i`", "a record with one bad part gives no row");
	check_message(&plain, INSERT_DELETE, "[1]", "",
				  "1 22P04 invalid type: [1], expected an object with `insert`, `delete` or `update`", "no object");
	check_message(&plain, INSERT_DELETE, "{\"insert\":7}", "",
				  "1 22P04 invalid type: 7, expected a record as an object or an array", "no row in the envelope");
	check_message(
		&plain, INSERT_DELETE, "{\"insert\":{\"b\":true,\"i\":1}", "",
		"1 22P02 failed to parse string as a JSON document: invalid JSON: \",\" or \"}\" was expected at the end of "
		"the input",
		"the row of a cut envelope is not kept");
}

static void
test_debezium(void)
{
	check_message(&keyed, DEBEZIUM, "{\"payload\":{\"op\":\"c\",\"after\":{\"b\":true,\"i\":123,\"s\":\"x\"}}}",
				  "+ t|123|x", "", "create");
	check_message(
		&keyed, DEBEZIUM,
		"{\"payload\":{\"op\":\"u\",\"before\":{\"i\":123},\"after\":[true,0,null],\"source\":{}},\"schema\":{}}",
		"- |123|; + t|0|\\N", "", "update");
	check_message(&keyed, DEBEZIUM, "{\"payload\":{\"op\":\"d\",\"before\":{\"b\":true,\"i\":123},\"after\":null}}",
				  "- t|123|", "", "delete");
	check_message(&keyed, DEBEZIUM, "{\"before\":null,\"after\":{\"b\":true,\"i\":1},\"op\":\"r\"}", "+ t|1|", "",
				  "an event without its schema");
	check_message(&keyed, DEBEZIUM,
				  "{\"payload\":{\"after\":{\"b\":true,\"i\":1}}} {\"payload\":7} 8 {\"payload\":{\"op\":\"t\"}}", "",
				  "1 22P04 missing field `op`; "
				  "2 22P04 invalid type: 7, expected a Debezium event as an object; "
				  "3 22P04 invalid type: 8, expected a Debezium event as an object; "
				  "4 22P04 a truncation of the source table is not supported",
				  "what is no event");
}

static ColumnTarget typed_columns[] = {
	{.name = NAME("n"), .type_name = NAME("numeric(38,3)"), .form = FORM_NUMERIC, .precision = 38, .scale = 3},
	{.name = NAME("j"), .type_name = NAME("jsonb"), .form = FORM_JSON},
	{.name = NAME("a"), .type_name = NAME("text[]"), .form = FORM_ARRAY},
	{.name = NAME("y"), .type_name = NAME("bytea"), .form = FORM_BYTEA},
	{.name = NAME("d"), .type_name = NAME("date"), .form = FORM_DATE},
	{.name = NAME("ti"), .type_name = NAME("time"), .form = FORM_TIME, .fraction_digits = 6},
	{.name = NAME("ts"), .type_name = NAME("timestamp"), .form = FORM_TIMESTAMP, .fraction_digits = 6},
	{.name = NAME("g"), .type_name = NAME("integer"), .form = FORM_INT4, .generated = true, .not_null = true},
	{.name = NAME("df"), .type_name = NAME("integer"), .form = FORM_INT4, .not_null = true, .has_default = true},
	{.name = NAME("u"), .type_name = NAME("mood"), .form = FORM_INPUT},
};
static const TargetTable typed = {.name = NAME("public.y"), .column_count = 10, .columns = typed_columns, .utf8 = true};

#define FLAVOR(name) "{\"name\": \"json\", \"config\": {\"update_format\": \"raw\", \"json_flavor\": \"" name "\"}}"

static void
test_values(void)
{
	check_message(&typed, RAW, "{\"n\":12345678901234567890123456789012345.678,\"g\":5}",
				  "+ +123.4567.8901.2345.6789.123.4567.8901.2345.6780^8s3|||||||||", "",
				  "a decimal keeps its digits, a generated column is passed over");
	check_message(&typed, RAW, "{\"n\":1e3}{\"n\":\"1.5\"}{\"n\":0.1234}",
				  "+ ?1e3|||||||||; + +1.5000^0s3|||||||||; + ?0.1234|||||||||", "",
				  "what needs the server's rounding or exponents is text");
	check_message(
		&typed, RAW, "{\"j\":{\"a\": [1,null]}}{\"j\":\"x\\n\"}{\"j\":1.50}{\"j\":true}{\"j\":null}",
		"+ |?{\"a\": [1,null]}||||||||; + |?\"x\\n\"||||||||; + |?1.50||||||||; + |?true||||||||; + |\\N||||||||", "",
		"JSON columns keep the raw text");
	check_message(&typed, RAW,
				  "{\"a\":[\"x\",null,\"a \\\"b\\\\\",1,true,{\"k\":[1]},[\"y\"]]}{\"a\":[]}{\"a\":\"{1,2}\"}",
				  "+ ||?{\"x\",NULL,\"a \\\"b\\\\\",1,true,\"{\\\"k\\\":[1]}\",{\"y\"}}|||||||; + ||?{}|||||||; + "
				  "||?{1,2}|||||||",
				  "", "array literals");
	check_message(&typed, RAW,
				  "{\"y\":[0,255,16]}{\"y\":[]}{\"y\":\"\\\\x00fF\"}{\"y\":[256]}{\"y\":[-1]}{\"y\":[\"a\"]}{\"y\":1}",
				  "+ |||00ff10||||||; + |||||||||; + |||00ff||||||",
				  "4 22P02 error parsing field 'y': invalid type: array [256], expected bytea; "
				  "5 22P02 error parsing field 'y': invalid type: array [-1], expected bytea; "
				  "6 22P02 error parsing field 'y': invalid type: array [\"a\"], expected bytea; "
				  "7 22P02 error parsing field 'y': invalid type: number 1, expected bytea",
				  "bytes");
	check_message(
		&typed, RAW,
		"{\"d\":\"2000-01-02\",\"ti\":\"00:00:01\",\"ts\":\"2000-01-01T02:00:00+01:00\",\"df\":4,\"u\":\"sad\"}"
		"{\"d\":20240131}",
		"+ ||||1|1000000|3600000000||4|?sad",
		"2 22P02 error parsing field 'd': invalid type: number 20240131, expected date", "times");
}

static void
test_flavors(void)
{
	const char *counted = "{\"d\":10958,\"ti\":1000,\"ts\":946684800001}";

	check_message(&typed, FLAVOR("debezium_postgres"), counted, "+ ||||1|1000|1000|||", "", "debezium_postgres");
	check_message(&typed, FLAVOR("kafka_connect_json_converter"), counted, "+ ||||1|1000000|1000|||", "",
				  "kafka_connect_json_converter");
	check_message(&typed, FLAVOR("pandas"), "{\"d\":\"2000-01-02\",\"ts\":946684800001}", "+ ||||1||1000|||", "",
				  "pandas");
	check_message(&typed, FLAVOR("debezium_mysql"),
				  "{\"d\":10958,\"ti\":1,\"ts\":\"2000-01-01T00:00:00Z\",\"j\":\"{\\\"a\\\":1}\"}",
				  "+ |?{\"a\":1}|||1|1|0|||", "", "debezium_mysql");
	check_message(
		&typed, FLAVOR("debezium_postgres"), "{\"d\":99999999999,\"ti\":86400000001,\"ts\":99999999999999999}",
		"+ ||||?273792670-09-12|?24:00:00.000001|?3170843-11-07 09:46:39.999|||", "", "numbers beyond the calendar");
	check_message(&typed, FLAVOR("debezium_postgres"), "{\"y\":\"AP8Q\"}{\"y\":\"AP8\"}{\"y\":\"!\"}",
				  "+ |||00ff10||||||; + |||00ff||||||",
				  "3 22P02 error parsing field 'y': the string is not in the encoding that json_flavor "
				  "\"debezium_postgres\" gives "
				  "to bytes",
				  "base64");
	check_message(&typed, FLAVOR("c_hex"), "{\"y\":\"0x00fF\"}{\"y\":\"abcd\"}", "+ |||00ff||||||; + |||abcd||||||", "",
				  "c_hex");
	check_message(&typed, FLAVOR("blockchain"), "{\"y\":\"StV1DL6CwTryKyV\"}{\"y\":\"11\"}",
				  "+ |||68656c6c6f20776f726c64||||||; + |||0000||||||", "", "blockchain");
}

static void
test_depth(void)
{
	static char deep[2 * 100000 + 64];
	FormatCase test;
	char *out = deep + sprintf(deep, "{\"x\":");

	memset(out, '[', 100000);
	ok(case_open(&test, RAW, &plain) && case_decode(&test, deep, strlen(deep)) && test.batch->row_count == 0 &&
		   test.batch->bad_count == 1,
	   "a hundred thousand brackets are one bad record");
	case_close(&test);
}

static void
test_limit(void)
{
	FormatCase test;
	char *message = malloc(200000);
	char *out = message;
	bool done;

	for (int i = 0; i < 1000; i++)
		out += sprintf(out, "{\"b\":true,\"i\":%d,\"s\":\"%0100d\"}{}", i, i);
	done = case_open(&test, RAW, &plain);
	batch_free(test.batch);
	test.batch = batch_create(&plain, 16, 64 * 1024);
	done = done && format_prepare_batch(test.decoder, test.batch, &test.error) &&
		   case_decode(&test, "{\"b\":true,\"i\":0}7", 17);
	ok(done && test.batch->row_count == 1 && test.batch->bad_count == 1, "a first message");
	ok(!case_decode(&test, message, (size_t) (out - message)) && test.error.kind == INGEST_ERROR_LIMIT &&
		   test.batch->row_count == 1 && test.batch->bad_count == 1,
	   "a message that does not fit leaves the batch as it was: %s", test.error.message);
	free(message);
	case_close(&test);
}

static void
test_refused(void)
{
	check_refused(&plain, "{\"name\": \"jsn\"}", "$.format.name: unknown format \"jsn\"", "csv, json");
	check_refused(&plain, "{\"config\": {}}", "$.format.name", "csv, json");
	check_refused(&plain, "{\"name\": \"json\", \"x\": 1}", "$.format: unknown option \"x\"", "name, config");
	check_refused(&plain, "{\"name\": \"json\", \"config\": {\"arrays\": true}}",
				  "$.format.config: unknown option \"arrays\"", "update_format, array, lines, json_flavor");
	check_refused(&plain, "{\"name\": \"json\", \"config\": {\"array\": 7}}", "$.format.config.array", "");
	check_refused(&plain, "{\"name\": \"json\", \"config\": {\"update_format\": \"weighted\"}}",
				  "$.format.config.update_format: \"weighted\" is not supported", "raw, insert_delete, debezium");
	check_refused(&plain, "{\"name\": \"json\", \"config\": {\"json_flavor\": \"x\"}}", "$.format.config.json_flavor",
				  "default, datagen");
	check_refused(&plain, "{\"name\": \"json\", \"config\": []}", "$.format.config: must be an object", "");
}

int
main(void)
{
	test_raw();
	test_raw_faults();
	test_arrays();
	test_insert_delete();
	test_insert_delete_faults();
	test_debezium();
	test_values();
	test_flavors();
	test_depth();
	test_limit();
	test_refused();
	return done_testing();
}
