/* The compact protocol: what is read, what is passed over, what is refused, and when more bytes would have helped. */
#include "unit/tap.h"

#include "parquet/parquet_internal.h"

static bool
skips(const uint8_t *data, size_t length, uint8_t type, size_t expected, bool *truncated)
{
	ThriftReader reader;
	IngestError error;
	bool good;

	thrift_init(&reader, data, length);
	good = thrift_skip(&reader, type, &error);
	*truncated = reader.truncated;
	return good && (size_t) (reader.position - reader.start) == expected;
}

static void
everything_is_skipped(void)
{
	/* a struct with each type: true, false, i8, i16, i32, i64, double, binary, list, set of booleans, map, struct, uuid */
	static const uint8_t all[] = {0x11, 0x12, 0x13, 7,    0x14, 0x80, 1,    0x15, 2,    0x16, 4,    0x17, 1,
								  2,    3,    4,    5,    6,    7,    8,    0x18, 2,    'a',  'b',  0x19, 0x25,
								  1,    2,    0x1a, 0x21, 1,    2,    0x1b, 1,    0x58, 1,    1,    'c',  0x1c,
								  0x15, 2,    0,    0x1d, 0,    1,    2,    3,    4,    5,    6,    7,    8,
								  9,    10,   11,   12,   13,   14,   15,   0x0c, 0xfe, 0xff, 0x03, 0,    0};
	bool truncated;
	int early = 0;

	ok(skips(all, sizeof(all), THRIFT_STRUCT, sizeof(all), &truncated), "a struct of every type");
	for (size_t length = 0; length < sizeof(all); length++)
		early += !skips(all, length, THRIFT_STRUCT, length, &truncated) && truncated;
	is_int(early, sizeof(all), "cut anywhere it asks for more bytes");
}

static void
hostile(void)
{
	static const uint8_t long_list[] = {0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f, 1};
	static const uint8_t long_text[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t unknown[] = {0x1e, 0};
	uint8_t deep[200];
	bool truncated;

	ok(!skips(long_list, sizeof(long_list), THRIFT_LIST, 0, &truncated), "a list longer than its bytes");
	ok(!skips(long_text, sizeof(long_text), THRIFT_BINARY, 0, &truncated), "a text longer than its bytes");
	ok(!skips(endless, sizeof(endless), THRIFT_I64, 0, &truncated) && !truncated, "a number without an end");
	ok(!skips(unknown, sizeof(unknown), THRIFT_STRUCT, 0, &truncated) && !truncated, "an unknown type");
	memset(deep, 0x1c, sizeof(deep));
	ok(!skips(deep, sizeof(deep), THRIFT_STRUCT, 0, &truncated) && !truncated, "structs without an end");
	memset(deep, 0x19, sizeof(deep));
	ok(!skips(deep, sizeof(deep), THRIFT_LIST, 0, &truncated) && !truncated, "lists without an end");
}

static void
values(void)
{
	static const uint8_t data[] = {0x25, 0x03, 0x0c, 0x0e, 0xfe, 0x16, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x00};
	ThriftReader reader;
	ThriftField field = {0};
	IngestError error;
	int64_t number;
	int32_t narrow;
	bool truth;

	thrift_init(&reader, data, sizeof(data));
	ok(thrift_next_field(&reader, &field, &error) && field.id == 2 && field.type == THRIFT_I32, "a field");
	ok(thrift_integer(&reader, field.type, &number, &error) && number == -2, "a negative number");
	ok(thrift_next_field(&reader, &field, &error) && field.id == 7 && field.type == THRIFT_STRUCT, "a long field id");
	ok(!thrift_boolean(&reader, field.type, &truth, &error), "a struct is no boolean");
	ok(thrift_integer(&reader, THRIFT_I8, &number, &error) && number == -2, "a raw byte");
	ok(thrift_next_field(&reader, &field, &error) && field.id == 8, "ids go on from the long one");
	ok(!thrift_int32(&reader, field.type, &narrow, &error), "a number that 32 bits do not hold");
	ok(thrift_next_field(&reader, &field, &error) && field.type == THRIFT_STOP && field.id == 0, "the end has no id");
	ok(!thrift_next_field(&reader, &field, &error) && reader.truncated, "and nothing behind it");
}

int
main(void)
{
	everything_is_skipped();
	hostile();
	values();
	return done_testing();
}
