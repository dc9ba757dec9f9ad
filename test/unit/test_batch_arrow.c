/*-------------------------------------------------------------------------
 *
 * test_batch_arrow.c
 *	  Arrow columns into the target's forms: every pair of types that has a converter.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "unit/arrow_build.h"
#include "unit/batch_dump.h"
#include "unit/tap.h"

#define NAME(text) (char *) (text)
#define NULLS_AT(bits)                                                                                                 \
	(const uint8_t[])                                                                                                  \
	{                                                                                                                  \
		(uint8_t) ~(bits), 0xff                                                                                        \
	}

/* Convert one column into a table of one column; rows as dump_rows gives them, or the error's message. */
static const char *
convert_rows(const ArrowColumn *column, const ColumnTarget *target_column, bool utf8, int64_t first, int64_t count)
{
	static char message[1100];
	ColumnTarget copy = *target_column;
	TargetTable table = {.name = NAME("public.t"), .column_count = 1, .columns = &copy, .utf8 = utf8};
	ArrowColumn *rows = arrow_column("", "+s", column->array.length, NULL);
	int64_t numbers[64] = {0};
	ChangeBatch *batch = batch_create(&table, 16, 16 << 20);
	ArrowPlan *plan = NULL;
	IngestError error = {0};
	const char *result;

	if (copy.name == NULL)
		copy.name = NAME("c");
	if (copy.type_name == NULL)
		copy.type_name = NAME("the type");
	arrow_add_child(rows, (ArrowColumn *) (uintptr_t) column);
	if (arrow_plan_create(&rows->schema, &table, &plan, &error) &&
		batch_append_arrow(batch, plan, &rows->array, first, count, CHANGE_INSERT, 0, numbers, &error))
		result = dump_rows(batch);
	else
	{
		snprintf(message, sizeof(message), "error: %s", error.message);
		result = message;
	}
	arrow_plan_free(plan);
	batch_free(batch);
	return result;
}

static void
check(const ArrowColumn *column, ColumnTarget target, const char *expected, const char *name)
{
	is_text(convert_rows(column, &target, true, 0, column->array.length), expected, name);
}

static void
test_integers(void)
{
	static const int64_t wide[] = {0, -1, 32767, 32768, INT32_MAX, INT64_MIN};
	static const uint8_t bytes[] = {0, 200, 255};
	static const int16_t shorts[] = {-300, 300, 7};
	static const uint64_t huge[] = {0, INT64_MAX, UINT64_MAX};
	ArrowColumn *column = arrow_fixed("c", "l", 6, wide, NULLS_AT(1 << 1));

	check(column, (ColumnTarget){.form = FORM_INT8},
		  "+ 0; + \\N; + 32767; + 32768; + 2147483647; + -9223372036854775808", "int64 to bigint");
	check(column, (ColumnTarget){.form = FORM_INT4},
		  "+ 0; + \\N; + 32767; + 32768; + 2147483647; + ?-9223372036854775808", "int64 to integer");
	check(column, (ColumnTarget){.form = FORM_INT2},
		  "+ 0; + \\N; + 32767; + ?32768; + ?2147483647; + ?-9223372036854775808", "int64 to smallint");
	check(column, (ColumnTarget){.form = FORM_FLOAT8},
		  "+ 0; + \\N; + 32767; + 32768; + 2147483647; + -9.2233720368547758e+18", "int64 to double precision");
	check(column, (ColumnTarget){.form = FORM_NUMERIC},
		  "+ +^0s0; + \\N; + +3.2767^1s0; + +3.2768^1s0; + +21.4748.3647^2s0; + -922.3372.368.5477.5808^4s0",
		  "int64 to numeric");
	check(column, (ColumnTarget){.form = FORM_NUMERIC, .precision = 6, .scale = 1},
		  "+ +^0s1; + \\N; + +3.2767^1s1; + +3.2768^1s1; + ?2147483647; + ?-9223372036854775808",
		  "int64 to numeric(6,1)");
	check(column, (ColumnTarget){.form = FORM_TEXT},
		  "+ 0; + \\N; + 32767; + 32768; + 2147483647; + -9223372036854775808", "int64 to text");
	check(column, (ColumnTarget){.form = FORM_JSON},
		  "+ ?0; + \\N; + ?32767; + ?32768; + ?2147483647; + ?-9223372036854775808", "int64 to jsonb");
	check(arrow_fixed("c", "C", 3, bytes, NULL), (ColumnTarget){.form = FORM_INT2}, "+ 0; + 200; + 255",
		  "uint8 to smallint");
	check(arrow_fixed("c", "s", 3, shorts, NULL), (ColumnTarget){.form = FORM_INT8}, "+ -300; + 300; + 7",
		  "int16 to bigint");
	check(arrow_fixed("c", "L", 3, huge, NULL), (ColumnTarget){.form = FORM_INT8},
		  "+ 0; + 9223372036854775807; + ?18446744073709551615", "uint64 to bigint");
	check(arrow_fixed("c", "L", 3, huge, NULL), (ColumnTarget){.form = FORM_NUMERIC},
		  "+ +^0s0; + +922.3372.368.5477.5807^4s0; + +1844.6744.737.955.1615^4s0", "uint64 to numeric");
	check(column, (ColumnTarget){.form = FORM_DATE, .type_name = NAME("date")},
		  "error: column \"c\" of table \"public.t\" is of type date, which a source column of type int64 cannot feed",
		  "an integer is no date");
	is_text(convert_rows(column, &(ColumnTarget){.form = FORM_INT8}, true, 2, 3), "+ 32767; + 32768; + 2147483647",
			"a slice");
	column->array.offset = 1;
	column->array.length = 5;
	is_text(convert_rows(column, &(ColumnTarget){.form = FORM_INT8}, true, 0, 2), "+ \\N; + 32767",
			"an array with an offset");
}

static void
test_floats(void)
{
	static const double wide[] = {0.1, 1e300, NAN, -INFINITY, 1e-60};
	static const float narrow[] = {0.1f, 16777216.0f};
	static const uint16_t half[] = {0x3c00, 0x7bff, 0x0001, 0xfc00};

	check(arrow_fixed("c", "g", 5, wide, NULL), (ColumnTarget){.form = FORM_FLOAT8},
		  "+ 0.10000000000000001; + 1.0000000000000001e+300; + nan; + -inf; + 9.9999999999999997e-61", "double");
	check(arrow_fixed("c", "g", 5, wide, NULL), (ColumnTarget){.form = FORM_FLOAT4},
		  "+ 0.100000001; + ?1e+300; + nan; + -inf; + ?1e-60",
		  "double to real: what overflows or vanishes is refused by the server");
	check(arrow_fixed("c", "f", 2, narrow, NULL), (ColumnTarget){.form = FORM_FLOAT8},
		  "+ 0.10000000149011612; + 16777216", "float to double");
	check(arrow_fixed("c", "f", 2, narrow, NULL), (ColumnTarget){.form = FORM_TEXT}, "+ 0.1; + 1.6777216e+07",
		  "float to text");
	check(arrow_fixed("c", "e", 4, half, NULL), (ColumnTarget){.form = FORM_FLOAT4},
		  "+ 1; + 65504; + 5.96046448e-08; + -inf", "half floats");
	check(arrow_fixed("c", "g", 3, wide, NULL), (ColumnTarget){.form = FORM_NUMERIC}, "+ +1000^-1s1; + ?1e+300; + ?NaN",
		  "double to numeric");
	check(arrow_fixed("c", "g", 1, wide, NULL), (ColumnTarget){.form = FORM_INT4, .type_name = NAME("integer")},
		  "error: column \"c\" of table \"public.t\" is of type integer, which a source column of type double cannot "
		  "feed",
		  "a double is no integer");
}

static void
test_decimals(void)
{
	static const __int128 values[] = {0, -12345, 100, 999999999999999, (__int128) 10000000000000000000ULL * 1234567};
	static const int32_t small[] = {-12345, 120};
	static const int64_t middle[] = {1, 1000000000000000000};
	static const uint64_t wide[2][4] = {{10, 0, 0, 0}, {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)}};
	ArrowColumn *column = arrow_fixed("c", "d:38,2", 5, values, NULL);

	check(column, (ColumnTarget){.form = FORM_NUMERIC, .precision = 15, .scale = 2},
		  "+ +^0s2; + -123.4500^0s2; + +1^0s2; + +9.9999.9999.9999.9900^3s2; + ?123456700000000000000000.00",
		  "decimal to numeric(15,2)");
	check(column, (ColumnTarget){.form = FORM_NUMERIC},
		  "+ +^0s2; + -123.4500^0s2; + +1^0s2; + +9.9999.9999.9999.9900^3s2; + +1234.5670^5s2", "decimal to numeric");
	check(column, (ColumnTarget){.form = FORM_NUMERIC, .precision = 10, .scale = 4},
		  "+ +^0s4; + -123.4500^0s4; + +1^0s4; + ?9999999999999.99; + ?123456700000000000000000.00",
		  "decimal to numeric(10,4)");
	check(column, (ColumnTarget){.form = FORM_NUMERIC, .precision = 15, .scale = 1},
		  "+ +^0s1; + ?-123.45; + +1^0s1; + ?9999999999999.99; + ?123456700000000000000000.00",
		  "what would be rounded is left to the server");
	check(column, (ColumnTarget){.form = FORM_INT4},
		  "+ 0; + ?-123.45; + 1; + ?9999999999999.99; + ?123456700000000000000000",
		  "decimal to integer, where nothing is behind the point");
	check(column, (ColumnTarget){.form = FORM_FLOAT8}, "+ 0; + -123.45; + 1; + 9999999999999.9902; + 1.234567e+23",
		  "decimal to double");
	check(column, (ColumnTarget){.form = FORM_TEXT},
		  "+ 0.00; + -123.45; + 1.00; + 9999999999999.99; + 123456700000000000000000.00", "decimal to text");
	check(arrow_fixed("c", "d:9,3,32", 2, small, NULL),
		  (ColumnTarget){.form = FORM_NUMERIC, .precision = 9, .scale = 3}, "+ -12.3450^0s3; + +1200^-1s3", "32 bits");
	check(arrow_fixed("c", "d:18,18,64", 2, middle, NULL),
		  (ColumnTarget){.form = FORM_NUMERIC, .precision = 20, .scale = 18}, "+ +100^-5s18; + ?1.000000000000000000",
		  "64 bits; a value beyond its own precision goes as text");
	check(arrow_fixed("c", "d:60,5,256", 2, wide, NULL), (ColumnTarget){.form = FORM_NUMERIC},
		  "+ +1^-1s5; + -1000^-2s5", "256 bits");
	check(arrow_fixed("c", "d:5,-2", 2, values, NULL), (ColumnTarget){.form = FORM_NUMERIC}, "+ +^0s0; + -123.4500^1s0",
		  "a negative scale");
}

static void
test_times(void)
{
	static const int32_t days[] = {10957, 0, -719528, INT32_MAX, INT32_MIN};
	static const int64_t stamps[] = {946684800000000, 0, -1, INT64_MAX, INT64_MIN};
	static const int64_t nanos[] = {946684800000000999, -1};
	static const int32_t times[] = {1, -1, 86400001};

	check(arrow_fixed("c", "tdD", 5, days, NULL), (ColumnTarget){.form = FORM_DATE},
		  "+ 0; + -10957; + -730485; + ?5881580-07-11; + ?5877642-06-23 BC", "date");
	check(arrow_fixed("c", "tdD", 2, days, NULL), (ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 6},
		  "+ 0; + -946684800000000", "date to timestamp");
	check(arrow_fixed("c", "tsu:UTC", 5, stamps, NULL), (ColumnTarget){.form = FORM_TIMESTAMPTZ, .fraction_digits = 6},
		  "+ 0; + -946684800000000; + -946684800000001; + 9222425352054775807; + ?290309-12-21 "
		  "19:59:05.224192+00 BC",
		  "timestamptz");
	check(arrow_fixed("c", "tsu:", 3, stamps, NULL), (ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 3},
		  "+ 0; + -946684800000000; + -946684800000000", "timestamp(3)");
	check(arrow_fixed("c", "tsn:", 2, nanos, NULL), (ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 6},
		  "+ 0; + -946684800000001", "nanoseconds are cut towards the past");
	check(arrow_fixed("c", "tsm:UTC", 5, stamps, NULL), (ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 6},
		  "+ 945738115200000000; + -946684800000000; + -946684800001000; + ?292278994-08-17 07:12:55.807+00; + "
		  "?292275056-05-16 16:47:04.192+00 BC",
		  "milliseconds");
	check(arrow_fixed("c", "ttm", 3, times, NULL), (ColumnTarget){.form = FORM_TIME, .fraction_digits = 6},
		  "+ 1000; + 86399999000; + 1000", "time");
	check(arrow_fixed("c", "tsu:", 1, stamps, NULL), (ColumnTarget){.form = FORM_DATE, .type_name = NAME("date")},
		  "error: column \"c\" of table \"public.t\" is of type date, which a source column of type timestamp without "
		  "time zone cannot feed",
		  "a timestamp is no date");
}

static void
test_intervals(void)
{
	static const int32_t months[] = {14};
	static const int32_t days_time[] = {3, -1500};
	static const int64_t duration[] = {-90061};
	ColumnTarget interval = {.form = FORM_INTERVAL, .fraction_digits = 6};

	check(arrow_fixed("c", "tiM", 1, months, NULL), interval, "+ 14m 0d 0", "months");
	check(arrow_fixed("c", "tiD", 1, days_time, NULL), interval, "+ 0m 3d -1500000", "days and milliseconds");
	check(arrow_fixed("c", "tDs", 1, duration, NULL), interval, "+ 0m 0d -90061000000", "a duration");
	check(arrow_fixed("c", "tDs", 1, duration, NULL), (ColumnTarget){.form = FORM_TEXT}, "+ -25:01:01",
		  "a duration as text");
}

static void
test_strings(void)
{
	static const char *const words[] = {"", "a", "caf\xc3\xa9", "bad\xff", "12345678901234567890", NULL};
	static const char *const numbers[] = {"1", "2.5", "x", ""};
	static const uint8_t uuid[] = "0123456789abcdef";
	char *long_text = malloc(301);
	const char *longs[] = {long_text, "x", long_text};
	ArrowColumn *column = arrow_strings("c", "u", 6, words, NULLS_AT(1 << 5));
	char expected[1024];

	memset(long_text, 'y', 300);
	long_text[300] = '\0';
	check(column, (ColumnTarget){.form = FORM_TEXT},
		  "+ ; + a; + caf\xc3\xa9; + ?bad\xff; + 12345678901234567890; + \\N", "text");
	check(column, (ColumnTarget){.form = FORM_TEXT, .length = 4},
		  "+ ; + a; + caf\xc3\xa9; + ?bad\xff; + ?12345678901234567890; + \\N", "varchar(4) counts characters");
	check(column, (ColumnTarget){.form = FORM_BPCHAR, .length = 5},
		  "+      ; + a    ; + caf\xc3\xa9 ; + ?bad\xff; + ?12345678901234567890; + \\N",
		  "char(5) is padded by characters");
	check(column, (ColumnTarget){.form = FORM_INPUT},
		  "+ ?; + ?a; + ?caf\xc3\xa9; + ?bad\xff; + ?12345678901234567890; + \\N", "an enum");
	check(column, (ColumnTarget){.form = FORM_JSON},
		  "+ ?; + ?a; + ?caf\xc3\xa9; + ?bad\xff; + ?12345678901234567890; + \\N", "a string is the JSON itself");
	is_text(convert_rows(column, &(ColumnTarget){.form = FORM_TEXT}, false, 0, 3), "+ ; + a; + ?caf\xc3\xa9",
			"another encoding takes ASCII only");
	check(arrow_strings("c", "u", 4, numbers, NULL), (ColumnTarget){.form = FORM_INT4}, "+ 1; + ?2.5; + ?x; + ?",
		  "string to integer");
	check(arrow_strings("c", "u", 4, numbers, NULL), (ColumnTarget){.form = FORM_NUMERIC, .precision = 5, .scale = 2},
		  "+ +1^0s2; + +2.5000^0s2; + ?x; + ?", "string to numeric");
	check(arrow_strings("c", "z", 4, words, NULL), (ColumnTarget){.form = FORM_BYTEA},
		  "+ ; + 61; + 636166c3a9; + 626164ff", "bytea");
	check(arrow_strings("c", "z", 3, words, NULL), (ColumnTarget){.form = FORM_TEXT}, "+ ; + a; + caf\xc3\xa9",
		  "bytes without a mark are text");
	check(arrow_fixed("c", "w:16", 1, uuid, NULL), (ColumnTarget){.form = FORM_UUID},
		  "+ 30313233343536373839616263646566", "16 bytes to uuid");
	check(arrow_fixed("c", "w:4", 4, uuid, NULL), (ColumnTarget){.form = FORM_TEXT}, "+ 0123; + 4567; + 89ab; + cdef",
		  "fixed bytes to text");
	check(arrow_strings("c", "z", 1, words, NULL), (ColumnTarget){.form = FORM_INT4, .type_name = NAME("integer")},
		  "error: column \"c\" of table \"public.t\" is of type integer, which a source column of type binary cannot "
		  "feed",
		  "bytes are no integer");
	snprintf(expected, sizeof(expected), "+ %s; + x; + %s", long_text, long_text);
	check(arrow_strings("c", "u", 3, longs, NULL), (ColumnTarget){.form = FORM_TEXT}, expected,
		  "long and short headers mixed");
	free(long_text);
}

static void
test_dictionaries(void)
{
	static const char *const entries[] = {"RAIL", "bad\xff", "AIR", "x", "y", "z", "v", "w", "u", "t", "s", "r"};
	static const int32_t indices[] = {2, 0, 1, 2, 0};
	static const uint8_t few[] = {11, 0};
	static const int8_t outside[] = {0, -1};

	check(
		arrow_dictionary(arrow_fixed("c", "i", 5, indices, NULLS_AT(1 << 4)), arrow_strings("", "u", 3, entries, NULL)),
		(ColumnTarget){.form = FORM_BPCHAR, .length = 4}, "+ AIR ; + RAIL; + ?bad\xff; + AIR ; + \\N", "a dictionary");
	check(
		arrow_dictionary(arrow_fixed("c", "i", 5, indices, NULL), arrow_strings("", "u", 3, entries, NULLS_AT(1 << 2))),
		(ColumnTarget){.form = FORM_TEXT}, "+ \\N; + RAIL; + ?bad\xff; + \\N; + RAIL", "a null entry");
	check(arrow_dictionary(arrow_fixed("c", "C", 2, few, NULL), arrow_strings("", "u", 12, entries, NULL)),
		  (ColumnTarget){.form = FORM_TEXT}, "+ r; + RAIL", "a dictionary much longer than the rows");
	check(arrow_dictionary(arrow_fixed("c", "c", 2, outside, NULL), arrow_strings("", "u", 3, entries, NULL)),
		  (ColumnTarget){.form = FORM_TEXT}, "error: a dictionary index is outside its dictionary", "an index outside");
}

static void
test_nested(void)
{
	static const int32_t offsets[] = {0, 2, 2, 3, 5};
	static const int32_t outer[] = {0, 2, 4};
	static const int32_t numbers[] = {1, 2, 3, 4, 5};
	static const char *const words[] = {"a\"b", "c\\", "NULL", "", "\xff"};
	static const char *const keys[] = {"k", "l", "m", "n", "o"};
	ColumnTarget text_element = {.name = NAME("e"), .type_name = NAME("text"), .form = FORM_TEXT};
	ColumnTarget json_element = {.name = NAME("e"), .type_name = NAME("jsonb"), .form = FORM_JSON};
	ColumnTarget array = {.form = FORM_ARRAY, .element = &text_element};
	ColumnTarget json_array = {.form = FORM_ARRAY, .element = &json_element};
	ArrowColumn *ints =
		arrow_list("c", "+l", 4, offsets, NULLS_AT(1 << 1), arrow_fixed("item", "i", 5, numbers, NULLS_AT(1 << 3)));
	ArrowColumn *strings = arrow_list("c", "+l", 4, offsets, NULL, arrow_strings("item", "u", 5, words, NULL));
	ArrowColumn *lists =
		arrow_list("c", "+l", 2, outer, NULL,
				   arrow_list("item", "+l", 4, offsets, NULL, arrow_fixed("item", "i", 5, numbers, NULL)));
	ArrowColumn *row = arrow_column("c", "+s", 2, NULL);
	ArrowColumn *map;

	check(ints, array, "+ ?{1,2}; + \\N; + ?{3}; + ?{NULL,5}", "a list of integers");
	check(ints, (ColumnTarget){.form = FORM_JSON}, "+ ?[1,2]; + \\N; + ?[3]; + ?[null,5]", "the same as JSON");
	check(strings, array, "+ ?{\"a\\\"b\",\"c\\\\\"}; + ?{}; + ?{\"NULL\"}; + ?{\"\",\"\xff\"}",
		  "a list of strings; bad UTF-8 is left to the server");
	check(strings, json_array,
		  "+ ?{\"\\\"a\\\\\\\"b\\\"\",\"\\\"c\\\\\\\\\\\"\"}; + ?{}; + ?{\"\\\"NULL\\\"\"}; + "
		  "?{\"\\\"\\\"\",\"\\\"\xff\\\"\"}",
		  "an array of JSON");
	check(lists, array, "+ ?{{1,2},{}}; + ?{{3},{4,5}}", "a list of lists");
	arrow_add_child(arrow_add_child(row, arrow_fixed("n", "i", 5, numbers, NULLS_AT(1))),
					arrow_strings("w", "u", 5, words, NULL));
	check(row, (ColumnTarget){.form = FORM_JSON}, "+ ?{\"n\":null,\"w\":\"a\\\"b\"}; + ?{\"n\":2,\"w\":\"c\\\\\"}",
		  "a struct");
	map = arrow_list("c", "+m", 4, offsets, NULL,
					 arrow_add_child(arrow_add_child(arrow_column("entries", "+s", 5, NULL),
													 arrow_strings("first", "u", 5, keys, NULL)),
									 arrow_fixed("second", "i", 5, numbers, NULLS_AT(1))));
	check(map, (ColumnTarget){.form = FORM_JSON},
		  "+ ?[{\"key\":\"k\",\"value\":null},{\"key\":\"l\",\"value\":2}]; + ?[]; + ?[{\"key\":\"m\",\"value\":3}]; + "
		  "?[{\"key\":\"n\",\"value\":4},{\"key\":\"o\",\"value\":5}]",
		  "a map");
	check(map, (ColumnTarget){.form = FORM_INT4, .type_name = NAME("integer")},
		  "error: column \"c\" of table \"public.t\" is of type integer, which a source column of type map cannot feed",
		  "a map is no integer");
}

static void
test_plan(void)
{
	ColumnTarget columns[] = {
		{.name = NAME("a"), .type_name = NAME("integer"), .form = FORM_INT4},
		{.name = NAME("g"), .type_name = NAME("integer"), .form = FORM_INT4, .generated = true},
		{.name = NAME("z"), .type_name = NAME("integer"), .form = FORM_INT4},
	};
	TargetTable table = {.name = NAME("public.t"), .column_count = 3, .columns = columns, .utf8 = true};
	static const int32_t values[] = {1, 2, 3};
	static const int64_t numbers[] = {10, 11, 12};
	ArrowColumn *rows = arrow_column("", "+s", 3, NULL);
	ChangeBatch *batch = batch_create(&table, 16, 1 << 20);
	IngestError error = {0};
	ArrowPlan *plan;

	arrow_add_child(rows, arrow_fixed("G", "i", 3, values, NULL));
	arrow_add_child(rows, arrow_fixed("unknown", "+s", 3, values, NULL));
	arrow_add_child(rows, arrow_fixed("A", "i", 3, values, NULL));
	ok(arrow_plan_create(&rows->schema, &table, &plan, &error), "fields are matched by name");
	ok(batch_append_arrow(batch, plan, &rows->array, 0, 2, CHANGE_INSERT, 0, numbers, &error) &&
		   batch_append_arrow(batch, plan, &rows->array, 1, 2, CHANGE_DELETE, 3, numbers, &error),
	   "two appends");
	is_text(dump_rows(batch), "+ 1||; + 2||; - 2||; - 3||",
			"rows; a generated column and an unknown field are passed over");
	ok(batch->payload_of[1] == 0 && batch->payload_of[2] == 3 && batch->row_numbers[1] == 11 &&
		   batch->row_numbers[3] == 12,
	   "payloads and row numbers");
	ok(!batch_append_arrow(batch, plan, &rows->array, 2, 2, CHANGE_INSERT, 0, numbers, &error) &&
		   error.kind == INGEST_ERROR_CORRUPT && batch->row_count == 4,
	   "more rows than there are: %s", error.message);
	arrow_plan_free(plan);
	arrow_add_child(rows, arrow_fixed("a", "i", 3, values, NULL));
	ok(!arrow_plan_create(&rows->schema, &table, &plan, &error) && error.kind == INGEST_ERROR_INVALID,
	   "two fields for one column: %s", error.message);
	batch_free(batch);
}

int
main(void)
{
	test_integers();
	test_floats();
	test_decimals();
	test_times();
	test_intervals();
	test_strings();
	test_dictionaries();
	test_nested();
	test_plan();
	arrow_build_end();
	return done_testing();
}
