/*-------------------------------------------------------------------------
 *
 * test_delta_partition.c
 *	  Partition values of every type, as writers spell them.
 *
 *-------------------------------------------------------------------------
 */
#include "delta_case.h"

static const char *zone;

/* The value as text in a neutral form; "null"; "ERROR". */
static const char *
value_of(const char *type, const char *text)
{
	static char out[256];
	Arena arena;
	DeltaField field = {.name = "p"};
	PartitionValue value;
	IngestError error;
	__int128 decimal;

	arena_init(&arena, 1 << 20);
	if (!delta_type_parse_primitive(type, &field))
		return "no such type";
	if (!partition_value_parse(&field, (Span){text, strlen(text)}, zone, &arena, &value, &error))
		snprintf(out, sizeof(out),
				 error.kind == INGEST_ERROR_CORRUPT && strstr(error.message, "\"p\"") ? "ERROR" : "?");
	else if (value.is_null)
		snprintf(out, sizeof(out), "null");
	else if (field.kind == DELTA_TYPE_DOUBLE || field.kind == DELTA_TYPE_FLOAT)
		snprintf(out, sizeof(out), "%.17g", value.floating);
	else if (field.kind == DELTA_TYPE_DECIMAL)
	{
		memcpy(&decimal, value.decimal, 16);
		snprintf(out, sizeof(out), "%s%llu:%019llu", decimal < 0 ? "-" : "",
				 (unsigned long long) ((decimal < 0 ? -decimal : decimal) / INT64_C(10000000000000000000u)),
				 (unsigned long long) ((decimal < 0 ? -decimal : decimal) % INT64_C(10000000000000000000u)));
	}
	else if (field.kind == DELTA_TYPE_STRING || field.kind == DELTA_TYPE_BINARY)
		snprintf(out, sizeof(out), "[%.*s]", (int) value.bytes.length, value.bytes.data);
	else
		snprintf(out, sizeof(out), "%lld", (long long) value.integer);
	arena_release(&arena);
	return out;
}

static void
check(const char *type, const char *text, const char *expected)
{
	char name[256];

	snprintf(name, sizeof(name), "%s \"%s\"", type, text);
	is_text(value_of(type, text), expected, name);
}

static void
test_numbers(void)
{
	check("long", "-9223372036854775808", "-9223372036854775808");
	check("long", "9223372036854775808", "ERROR");
	check("integer", "2147483648", "ERROR");
	check("short", "-32768", "-32768");
	check("byte", "127", "127");
	check("byte", "128", "ERROR");
	check("integer", "1.0", "ERROR");
	check("integer", " 1", "ERROR");
	check("integer", "0x10", "ERROR");
	check("integer", "abc", "ERROR");
	check("integer", "", "null");
	check("double", "1.0E10", "10000000000");
	check("double", "-Infinity", "-inf");
	check("double", "NaN", "nan");
	check("double", "nan", "ERROR");
	check("double", "0x1p3", "ERROR");
	check("float", "0.1", "0.10000000149011612");
	check("boolean", "true", "1");
	check("boolean", "FALSE", "0");
	check("boolean", "1", "ERROR");
	check("decimal(5,2)", "12.3", "0:0000000000000001230");
	check("decimal(5,2)", "-999.99", "-0:0000000000000099999");
	check("decimal(5,2)", "1000", "ERROR");
	check("decimal(5,2)", "1.234", "ERROR");
	check("decimal(5,2)", "1.2300000000000000000000000000000000000000000", "0:0000000000000000123");
	check("decimal(5,2)", "1E2", "0:0000000000000010000");
	check("decimal(5,2)", "12e-1", "0:0000000000000000120");
	check("decimal(5,2)", "1E400", "ERROR");
	check("decimal(5,2)", ".", "ERROR");
	check("decimal(5,2)", "1.2.3", "ERROR");
	check("decimal(5,2)", "0.00000000", "0:0000000000000000000");
	check("decimal(38,18)", "12345678901234567890.123456789012345678", "1234567890123456789:0123456789012345678");
	check("decimal(38,0)", "99999999999999999999999999999999999999", "9999999999999999999:9999999999999999999");
	check("decimal(38,0)", "100000000000000000000000000000000000000", "ERROR");
}

static void
test_times(void)
{
	check("date", "1970-01-02", "1");
	check("date", "0001-01-01", "-719162");
	check("date", "-0001-12-31", "-719529");
	check("date", "+10000-01-01", "2932897");
	check("date", "2023-02-29", "ERROR");
	check("date", "2024-02-29", "19782");
	check("date", "2024-13-01", "ERROR");
	check("date", "2024-01-01 00:00:00", "ERROR");
	check("timestamp", "1970-01-01 00:00:01", "1000000");
	check("timestamp", "1970-01-01 00:00:01.5", "1500000");
	check("timestamp", "1970-01-01 00:00:00.123456789", "123456");
	check("timestamp", "1970-01-01T00:00:00.000001Z", "1");
	check("timestamp", "1970-01-01T02:00:00+02:00", "0");
	check("timestamp", "1970-01-01 00:00:00-0130", "5400000000");
	check("timestamp", "1969-12-31 23:59:59.999999", "-1");
	check("timestamp", "1970-01-01", "0");
	check("timestamp", "1970-01-01 25:00:00", "ERROR");
	check("timestamp", "1970-01-01 00:00:00 Europe/Paris", "ERROR");
	check("timestamp_ntz", "1970-01-01 02:00:00", "7200000000");
	check("timestamp_ntz", "1970-01-02", "86400000000");
	check("timestamp_ntz", "1970-01-01T00:00:00.5", "500000");

	zone = "+02:00";
	check("timestamp", "1970-01-01 02:00:00", "0");
	check("timestamp", "1970-01-01 02:00:00Z", "7200000000");
	check("timestamp_ntz", "1970-01-01 02:00:00", "7200000000");
	zone = "America/New_York";
	check("timestamp", "2024-01-15 12:00:00", "1705338000000000");
	check("timestamp", "2024-07-15 12:00:00", "1721059200000000");
	check("timestamp", "2050-07-15 12:00:00", "2541513600000000");
	check("timestamp", "2024-03-10 02:30:00", "1710055800000000");
	check("timestamp", "2024-11-03 01:30:00", "1730611800000000");
	check("timestamp", "2049-11-07 01:30:00", "2519875800000000");
	check("timestamp", "1800-01-01 00:00:00", "-5364644638000000");
	zone = "Europe/Dublin";
	check("timestamp", "2060-07-01 12:00:00", "2855905200000000");
	check("timestamp", "2060-01-01 12:00:00", "2840184000000000");
	zone = "Australia/Lord_Howe";
	check("timestamp", "2060-07-01 12:00:00", "2855871000000000");
	check("timestamp", "2060-01-01 12:00:00", "2840144400000000");
	zone = "Nowhere/City";
	check("timestamp", "2024-07-15 12:00:00", "ERROR");
	zone = "../../etc/passwd";
	check("timestamp", "2024-07-15 12:00:00", "ERROR");
	ok(delta_timezone_is_known("Europe/Paris") && delta_timezone_is_known("-03:30") && delta_timezone_is_known("UTC"),
	   "zones that are known");
	ok(!delta_timezone_is_known("Mars/Crater") && !delta_timezone_is_known("/etc/passwd") &&
		   !delta_timezone_is_known("+99"),
	   "and not");
	zone = NULL;
}

static void
test_bytes(void)
{
	check("string", "a b", "[a b]");
	check("string", "", "null");
	check("string", "__HIVE_DEFAULT_PARTITION__", "[__HIVE_DEFAULT_PARTITION__]");
	check("binary", "abc", "[abc]");
	check("binary", "\xc3\xbf\xc2\x80", "[\xff\x80]");
	check("binary", "\xf0\x9f\x98\x88", "[\xf0\x9f\x98\x88]");
}

int
main(void)
{
	test_numbers();
	test_times();
	test_bytes();
	return done_testing();
}
