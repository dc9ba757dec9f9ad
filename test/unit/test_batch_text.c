/*-------------------------------------------------------------------------
 *
 * test_batch_text.c
 *	  Text values to the target's forms; Arrow values to text.
 *
 * The bytes expected of numerics were read from pages that the server wrote.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "batch/batch_internal.h"
#include "unit/arrow_build.h"
#include "unit/batch_dump.h"
#include "unit/tap.h"

#define NAME(text) (char *) (text)

static ChangeBatch *batch;
static ColumnTarget column;
static TargetTable table = {.name = NAME("public.t"), .column_count = 1, .columns = &column, .utf8 = true};

static const char *
convert(ColumnTarget target, const char *text, size_t length, TemporalFlavor flavor)
{
	static char out[DUMP_MAX];
	IngestError error;
	char *copy = malloc(length > 0 ? length : 1); /* of exactly its size */

	memcpy(copy, text, length);
	column = target;
	if (!batch_set_text(batch, 0, 0, (Span){copy, length}, flavor, &error))
		return "error";
	dump_cell(batch, 0, 0, out);
	free(copy);
	return out;
}

static void
check(ColumnTarget target, const char *text, const char *expected)
{
	char name[300];

	snprintf(name, sizeof(name), "form %d: %.100s", (int) target.form, text);
	is_text(convert(target, text, strlen(text), TEMPORAL_TEXT), expected, name);
}

static void
test_numeric_bytes(void)
{
	static const struct
	{
		const char *text;
		int precision;
		int scale;
		const char *bytes;
	} cases[] = {
		{"0", 0, 0, "070080"},
		{"-0.00", 15, 2, "070081"},
		{"1937.00000000", 0, 0, "0b00849107"},
		{"-7411.37", 15, 2, "0f00a1f31c740e"},
		{"81801", 15, 2, "0f018108000907"},
		{"00000040", 0, 0, "0b00802800"},
		{"91258822617107562952.53881473972402378306", 0, 0, "2f048aa52376221b18f402880b0c15c105fc25ed007220"},
		{"5528810717662603373", 38, 0, "1b048028026a22081c74182d0d"},
		{"61.97217420187125782757472480231611414325171588179618917974677661600", 0, 0, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char hex[200] = "";
		const unsigned char *bytes;

		column = (ColumnTarget){.form = FORM_NUMERIC, .precision = cases[i].precision, .scale = cases[i].scale};
		(void) convert(column, cases[i].text, strlen(cases[i].text), TEMPORAL_TEXT);
		bytes = (const unsigned char *) (uintptr_t) batch->columns[0].values[0];
		for (int k = 0; k < bytes[0] >> 1; k++)
			sprintf(hex + 2 * k, "%02x", bytes[k]);
		if (cases[i].bytes != NULL)
			is_text(hex, cases[i].bytes, cases[i].text);
		else
			ok(bytes[1] == 65 && bytes[2] == 0 && bytes[3] == 0 && bytes[4] == 0 && (int) bytes[5] == 61,
			   "a display scale above 63 takes the long form: %s", hex);
	}
}

static void
test_numeric(void)
{
	ColumnTarget money = {.form = FORM_NUMERIC, .precision = 5, .scale = 2};
	ColumnTarget any = {.form = FORM_NUMERIC};

	check(money, "999.99", "+999.9900^0s2");
	check(money, "-1.5000", "-1.5000^0s2");
	check(money, "+.5", "+5000^-1s2");
	check(money, "7.", "+7^0s2");
	check(money, "1000", "?1000");
	check(money, "0.001", "?0.001");
	check(money, "1e2", "?1e2");
	check(money, "NaN", "?NaN");
	check(money, "", "?");
	check(money, ".", "?.");
	check(money, "-", "?-");
	check(money, " 1", "? 1");
	check(money, "1 000", "?1 000");
	check((ColumnTarget){.form = FORM_NUMERIC, .precision = 3, .scale = 5}, "0.00123", "?0.00123");
	check((ColumnTarget){.form = FORM_NUMERIC, .precision = 5, .scale = -2}, "12300", "?12300");
	check(any, "123456789012345678901234567890.12345", "+12.3456.7890.1234.5678.9012.3456.7890.1234.5000^7s5");
	check(any, "0.00000000000000000000123", "+1230^-6s23");
}

/* The encoder of 128-bit decimals against the one of digits, by way of the decimal's text. */
static void
test_numeric_wide(void)
{
	uint64_t state = 42;
	int different = 0;

	for (int i = 0; i < 20000; i++)
	{
		unsigned __int128 magnitude = 0;
		__int128 value;
		unsigned char wide[64];
		unsigned char digits[64];
		char text[DECIMAL_TEXT_MAX];
		NumericParts parts;
		int scale = i % 39;
		int display_scale;
		size_t length;

		for (int k = 0; k < 2; k++)
		{
			state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			magnitude = magnitude << 64 | (state ^ state >> 29);
		}
		magnitude >>= 1 + i % 127;
		if (i % 3 == 0)
			magnitude -= magnitude % 1000000;
		value = i % 2 == 0 ? (__int128) magnitude : -(__int128) magnitude;
		decimal_to_text(text, (const unsigned char *) &value, 16, scale);
		length = numeric_encode_wide(wide, value < 0, magnitude, scale, scale);
		if (!numeric_parse((Span){text, strlen(text)}, &parts) || !numeric_fit(&parts, 0, 0, &display_scale) ||
			display_scale != scale || numeric_encode_parts(digits, &parts, display_scale) != length ||
			memcmp(wide, digits, length) != 0 || length > numeric_size_max(39))
			different++;
	}
	is_int(different, 0, "20,000 decimals, from 128 bits and from their text");
}

static void
test_numbers(void)
{
	check((ColumnTarget){.form = FORM_INT2}, "-32768", "-32768");
	check((ColumnTarget){.form = FORM_INT2}, "32768", "?32768");
	check((ColumnTarget){.form = FORM_INT4}, "0x7fffffff", "2147483647");
	check((ColumnTarget){.form = FORM_INT4}, "0x", "?0x");
	check((ColumnTarget){.form = FORM_INT8}, "-9223372036854775808", "-9223372036854775808");
	check((ColumnTarget){.form = FORM_INT8}, "9223372036854775808", "?9223372036854775808");
	check((ColumnTarget){.form = FORM_INT8}, "99999999999999999999999", "?99999999999999999999999");
	check((ColumnTarget){.form = FORM_INT8}, "+0007", "7");
	check((ColumnTarget){.form = FORM_INT8}, "--7", "?--7");
	check((ColumnTarget){.form = FORM_INT8}, "", "?");
	check((ColumnTarget){.form = FORM_FLOAT8}, "0.1", "0.10000000000000001");
	check((ColumnTarget){.form = FORM_FLOAT8}, "1.7976931348623157e308", "1.7976931348623157e+308");
	check((ColumnTarget){.form = FORM_FLOAT8}, "1e400", "?1e400");
	check((ColumnTarget){.form = FORM_FLOAT8}, "1e-400", "?1e-400");
	check((ColumnTarget){.form = FORM_FLOAT8}, "-inFinity", "-inf");
	check((ColumnTarget){.form = FORM_FLOAT8}, "0x10", "?0x10");
	check((ColumnTarget){.form = FORM_FLOAT8}, "1e", "?1e");
	check((ColumnTarget){.form = FORM_FLOAT8}, "123456789012345678901234567890", "1.2345678901234568e+29");
	check((ColumnTarget){.form = FORM_FLOAT4}, "16777217", "16777216");
	check((ColumnTarget){.form = FORM_FLOAT4}, "1e39", "?1e39");
	check((ColumnTarget){.form = FORM_FLOAT4}, "7.038531e-26", "7.03853069e-26");
	check((ColumnTarget){.form = FORM_FLOAT4}, "-1.5", "-1.5");
	ok((int64_t) batch->columns[0].values[0] == (int32_t) 0xbfc00000,
	   "a negative real is sign-extended, as the server does it");
	check((ColumnTarget){.form = FORM_BOOLEAN}, "TRUE", "t");
	check((ColumnTarget){.form = FORM_BOOLEAN}, "off", "f");
	check((ColumnTarget){.form = FORM_BOOLEAN}, "tr", "?tr");
	check((ColumnTarget){.form = FORM_BOOLEAN}, "2", "?2");
}

static void
test_times(void)
{
	ColumnTarget date = {.form = FORM_DATE};
	ColumnTarget time = {.form = FORM_TIME, .fraction_digits = 6};
	ColumnTarget stamp = {.form = FORM_TIMESTAMP, .fraction_digits = 6};
	ColumnTarget zoned = {.form = FORM_TIMESTAMPTZ, .fraction_digits = 6};

	check(date, "2000-02-29", "59");
	check(date, "1900-02-29", "?1900-02-29");
	check(date, "0001-01-01", "-730119");
	check(date, "0000-01-01", "?0000-01-01");
	check(date, "9999-12-31", "2921939");
	check(date, "2000-1-01", "?2000-1-01");
	check(date, "2000-01-01T00:00:00", "?2000-01-01T00:00:00");
	check(date, "Jan 5 2024", "?Jan 5 2024");
	check(time, "23:59:59.999999", "86399999999");
	check(time, "23:59:59.9999999", "86400000000");
	check(time, "24:00:00", "?24:00:00");
	check(time, "12:00", "43200000000");
	check(time, "12:00:60", "?12:00:60");
	check(time, "12:00:00Z", "?12:00:00Z");
	check(time, "12:00:00.", "?12:00:00.");
	check(stamp, "2000-01-01", "0");
	check(stamp, "2000-01-01T00:00:00.000001", "1");
	check(stamp, "2000-01-01 00:00:00+05:30", "-19800000000");
	check(stamp, "2000-01-01T00:00:00Z", "0");
	check(stamp, "2000-01-01 00:00:00 -02", "7200000000");
	check(stamp, "2000-01-01 00:00:00+16:00", "?2000-01-01 00:00:00+16:00");
	check(stamp, "2000-01-01 00:00:00 UTC", "?2000-01-01 00:00:00 UTC");
	check(zoned, "2000-01-01 00:00:00", "?2000-01-01 00:00:00");
	check(zoned, "2000-01-01T00:00:00.5-0100", "3600500000");
	check((ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 2}, "2000-01-01 00:00:00.125", "130000");
	check((ColumnTarget){.form = FORM_TIMESTAMP, .fraction_digits = 2}, "1999-12-31 23:59:59.875", "-130000");
	check((ColumnTarget){.form = FORM_INTERVAL}, "1 day", "?1 day");
}

static void
test_bytes(void)
{
	ColumnTarget uuid = {.form = FORM_UUID};

	check((ColumnTarget){.form = FORM_BYTEA}, "\\x00fF", "00ff");
	check((ColumnTarget){.form = FORM_BYTEA}, "\\x", "");
	check((ColumnTarget){.form = FORM_BYTEA}, "\\x0", "?\\x0");
	check((ColumnTarget){.form = FORM_BYTEA}, "abc", "?abc");
	check(uuid, "00112233-4455-6677-8899-aAbBcCdDeEfF", "00112233445566778899aabbccddeeff");
	check(uuid, "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff");
	check(uuid, "{00112233-4455-6677-8899-aabbccddeeff}", "?{00112233-4455-6677-8899-aabbccddeeff}");
	check((ColumnTarget){.form = FORM_TEXT, .length = 3}, "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad",
		  "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad");
	check((ColumnTarget){.form = FORM_TEXT, .length = 3}, "abc ", "?abc ");
	check((ColumnTarget){.form = FORM_BPCHAR, .length = 3}, "\xe4\xb8\xad", "\xe4\xb8\xad  ");
	check((ColumnTarget){.form = FORM_TEXT}, "\xed\xa0\x80", "?\xed\xa0\x80");
	check((ColumnTarget){.form = FORM_TEXT}, "\xc0\x80", "?\xc0\x80");
	(void) convert((ColumnTarget){.form = FORM_TEXT}, "a\0b", 3, TEMPORAL_TEXT);
	ok(batch->columns[0].states[0] == VALUE_INPUT &&
		   ((InputText *) (uintptr_t) batch->columns[0].values[0])->length == 3,
	   "a NUL in a text goes to the server");
	table.utf8 = false;
	check((ColumnTarget){.form = FORM_TEXT}, "caf\xc3\xa9", "?caf\xc3\xa9");
	check((ColumnTarget){.form = FORM_TEXT}, "cafe", "cafe");
	table.utf8 = true;
}

static void
test_flavors(void)
{
	ColumnTarget stamp = {.form = FORM_TIMESTAMP, .fraction_digits = 6};
	ColumnTarget time = {.form = FORM_TIME, .fraction_digits = 6};

	is_text(convert((ColumnTarget){.form = FORM_DATE}, "0", 1, TEMPORAL_DAYS), "-10957", "days since 1970");
	is_text(convert((ColumnTarget){.form = FORM_DATE}, "2000-01-01", 10, TEMPORAL_DAYS), "0", "text is taken too");
	is_text(convert((ColumnTarget){.form = FORM_DATE}, "9223372036854775807", 19, TEMPORAL_DAYS),
			"?6313183731943608-08-22", "a day beyond the calendar");
	is_text(convert(stamp, "-1", 2, TEMPORAL_MILLISECONDS), "-946684800001000", "milliseconds before 1970");
	is_text(convert(stamp, "946684800000001", 15, TEMPORAL_MICROSECONDS), "1", "microseconds");
	is_text(convert(stamp, "9223372036854775807", 19, TEMPORAL_MILLISECONDS), "?292278994-08-17 07:12:55.807",
			"too many");
	is_text(convert(time, "86400000", 8, TEMPORAL_MILLISECONDS), "86400000000", "24:00 counted");
	is_text(convert(time, "86400001", 8, TEMPORAL_MILLISECONDS), "?24:00:00.001000", "more than a day");
	is_text(convert(time, "-1", 2, TEMPORAL_MICROSECONDS), "?-0:00:00.000001", "a negative time");
}

static const char *
float8_text(double value)
{
	static char out[FLOAT_TEXT_MAX];

	float8_to_text(out, value);
	return out;
}

static const char *
float4_text(float value)
{
	static char out[FLOAT_TEXT_MAX];

	float4_to_text(out, value);
	return out;
}

static void
test_float_text(void)
{
	is_text(float8_text(0), "0", "0");
	is_text(float8_text(-0.0), "-0", "-0");
	is_text(float8_text(0.1), "0.1", "0.1");
	is_text(float8_text(100), "100", "100");
	is_text(float8_text(123456789012345), "123456789012345", "15 digits");
	is_text(float8_text(1234567890123456), "1.234567890123456e+15", "16 digits");
	is_text(float8_text(0.0001), "0.0001", "0.0001");
	is_text(float8_text(0.00001234), "1.234e-05", "0.00001234");
	is_text(float8_text(1e22), "1e+22", "1e22");
	is_text(float8_text(1e100), "1e+100", "1e100");
	is_text(float8_text(5e-324), "5e-324", "the smallest");
	is_text(float8_text(1.7976931348623157e308), "1.7976931348623157e+308", "the largest");
	is_text(float8_text(-1.5), "-1.5", "-1.5");
	is_text(float8_text(0.3), "0.3", "0.3");
	is_text(float8_text(0.1 + 0.2), "0.30000000000000004", "0.1 + 0.2");
	is_text(float8_text((double) INFINITY), "Infinity", "Infinity");
	is_text(float8_text(-(double) INFINITY), "-Infinity", "-Infinity");
	is_text(float8_text((double) NAN), "NaN", "NaN");
	is_text(float4_text(0.1f), "0.1", "0.1f");
	is_text(float4_text(123456.0f), "123456", "6 digits");
	is_text(float4_text(1234567.0f), "1.234567e+06", "7 digits");
	is_text(float4_text(16777216.0f), "1.6777216e+07", "2^24");
	is_text(float4_text(1e-45f), "1e-45", "the smallest float");
}

static void
check_json(const ArrowColumn *values, const char *expected, const char *name)
{
	struct Buffer out;
	IngestError error;
	bool done = true;

	buffer_init(&out, 1 << 20);
	for (int64_t i = 0; done && i < values->array.length; i++)
		done = (i == 0 || buffer_append(&out, " ", 1, &error)) &&
			   arrow_value_to_json(&values->schema, &values->array, i, &out, &error);
	done = done && buffer_append(&out, "", 1, &error);
	is_text(done ? out.data : error.message, expected, name);
	buffer_release(&out);
}

static void
test_arrow_json(void)
{
	static const uint64_t huge[] = {UINT64_MAX};
	static const double doubles[] = {1e20, NAN, -INFINITY, 0.5};
	static const int64_t micros[] = {0, -62135596800000000, -62135596800000001, 1500000};
	static const int64_t nanos[] = {1, 1500000000};
	static const int32_t days[] = {-719893, 0};
	static const int32_t millis[] = {-1, 52200000};
	static const uint8_t bits[] = {2};
	static const char *const words[] = {"a\"\n\x01", "\xff"};
	static const uint8_t uuid[] = "0123456789abcdef";
	static const int32_t interval[] = {-25};
	static const char extension[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.uuid";
	static const char adjusted[] = "\1\0\0\0\27\0\0\0PARQUET:adjusted_to_utc\4\0\0\0true";
	ArrowColumn *column_uuid = arrow_fixed("c", "w:16", 1, uuid, NULL);
	ArrowColumn *column_time = arrow_fixed("c", "ttm", 2, millis, NULL);

	check_json(arrow_fixed("c", "L", 1, huge, NULL), "18446744073709551615", "uint64");
	check_json(arrow_fixed("c", "g", 4, doubles, NULL), "1e+20 \"NaN\" \"-Infinity\" 0.5", "doubles");
	check_json(arrow_fixed("c", "tsu:UTC", 4, micros, NULL),
			   "\"1970-01-01 00:00:00+00\" \"0001-01-01 00:00:00+00\" \"0001-12-31 23:59:59.999999+00 BC\" "
			   "\"1970-01-01 00:00:01.5+00\"",
			   "timestamps");
	check_json(arrow_fixed("c", "tsn:", 2, nanos, NULL), "\"1970-01-01 00:00:00.000000001\" \"1970-01-01 00:00:01.5\"",
			   "nanoseconds");
	check_json(arrow_fixed("c", "tdD", 2, days, NULL), "\"0002-01-01 BC\" \"1970-01-01\"", "dates");
	check_json(column_time, "\"23:59:59.999\" \"14:30:00\"", "times");
	column_time->schema.metadata = adjusted;
	check_json(column_time, "\"23:59:59.999+00\" \"14:30:00+00\"", "times adjusted to UTC");
	check_json(arrow_fixed("c", "b", 2, bits, NULL), "false true", "booleans");
	check_json(arrow_strings("c", "u", 1, words, NULL), "\"a\\\"\\n\\u0001\"", "a string");
	check_json(arrow_strings("c", "u", 2, words, NULL), "column \"c\" holds a string that is not UTF-8", "no UTF-8");
	check_json(arrow_strings("c", "z", 2, words, NULL), "\"\\\\x61220a01\" \"\\\\xff\"", "bytes");
	check_json(column_uuid, "\"\\\\x30313233343536373839616263646566\"", "fixed bytes");
	column_uuid->schema.metadata = extension;
	check_json(column_uuid, "\"30313233-3435-3637-3839-616263646566\"", "a uuid");
	check_json(arrow_fixed("c", "tiM", 1, interval, NULL), "\"-2 years -1 mons\"", "an interval");
	check_json(arrow_column("c", "n", 1, NULL), "null", "a null");
	check_json(arrow_column("c", "+us:0", 1, NULL), "columns of Arrow type \"+us:0\" are not supported", "a union");
}

int
main(void)
{
	IngestError error;
	uint32_t row;

	batch = batch_create(&table, 16, 16 << 20);
	ok(batch_provide_column(batch, 0, &error) && batch_add_row(batch, CHANGE_INSERT, 0, 1, &row, &error), "a batch");
	test_numeric_bytes();
	test_numeric();
	test_numeric_wide();
	test_numbers();
	test_times();
	test_bytes();
	test_flavors();
	test_float_text();
	test_arrow_json();
	batch_free(batch);
	arrow_build_end();
	return done_testing();
}
