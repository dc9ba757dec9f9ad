/* Leaves of every type: format, conversion from what is stored, annotations that contradict their type. */
#include "unit/tap.h"

#include <math.h>
#include <stdlib.h>

#include "parquet/parquet_internal.h"

static LeafType
resolve(SchemaNode node)
{
	LeafType type;

	if (!node.has_logical && node.converted == 0)
		node.converted = CONVERTED_NONE;
	leaf_type_resolve(&node, false, &type);
	return type;
}

typedef struct Case
{
	SchemaNode node;
	const char *format; /* null: cannot be read */
} Case;

#define LOGICAL(kind) .has_logical = true, .logical = kind, .converted = CONVERTED_NONE

static void
formats(void)
{
	static const Case cases[] = {
		{{.type = PHYSICAL_BOOLEAN}, "b"},
		{{.type = PHYSICAL_INT32}, "i"},
		{{.type = PHYSICAL_INT64}, "l"},
		{{.type = PHYSICAL_INT96}, "tsu:UTC"},
		{{.type = PHYSICAL_FLOAT}, "f"},
		{{.type = PHYSICAL_DOUBLE}, "g"},
		{{.type = PHYSICAL_BYTE_ARRAY, .converted = CONVERTED_NONE}, "z"},
		{{.type = PHYSICAL_FIXED, .type_length = 5}, "w:5"},
		{{.type = PHYSICAL_FIXED}, NULL},
		{{.type = PHYSICAL_FIXED, .type_length = -5}, NULL},
		{{.type = PHYSICAL_BYTE_ARRAY, LOGICAL(LOGICAL_STRING)}, "u"},
		{{.type = PHYSICAL_INT32, LOGICAL(LOGICAL_STRING)}, NULL},
		{{.type = PHYSICAL_BYTE_ARRAY, .converted = CONVERTED_ENUM}, "u"},
		{{.type = PHYSICAL_BYTE_ARRAY, .converted = CONVERTED_BSON}, "z"},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_INT_8}, "c"},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_UINT_16}, "S"},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_UINT_64}, "L"},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_INT_64}, NULL},
		{{.type = PHYSICAL_INT32, LOGICAL(LOGICAL_INTEGER), .integer_width = 32}, "I"},
		{{.type = PHYSICAL_INT32, LOGICAL(LOGICAL_INTEGER), .integer_width = 31}, NULL},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_DATE}, "tdD"},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_DATE}, NULL},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_TIME_MILLIS}, "ttm"},
		{{.type = PHYSICAL_INT64, LOGICAL(LOGICAL_TIME), .unit = UNIT_NANOS}, "ttn"},
		{{.type = PHYSICAL_INT32, LOGICAL(LOGICAL_TIME), .unit = UNIT_NANOS}, NULL},
		{{.type = PHYSICAL_INT64, LOGICAL(LOGICAL_TIME)}, NULL},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_TIMESTAMP_MILLIS}, "tsm:UTC"},
		{{.type = PHYSICAL_INT64, LOGICAL(LOGICAL_TIMESTAMP), .unit = UNIT_MICROS}, "tsu:"},
		{{.type = PHYSICAL_INT64, LOGICAL(LOGICAL_TIMESTAMP), .unit = UNIT_NANOS, .utc = true}, "tsn:UTC"},
		{{.type = PHYSICAL_INT32, .converted = CONVERTED_DECIMAL, .precision = 9, .scale = 2}, "d:9,2"},
		{{.type = PHYSICAL_BYTE_ARRAY, .converted = CONVERTED_DECIMAL, .precision = 39}, "d:39,0,256"},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_DECIMAL}, NULL},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_DECIMAL, .precision = 77}, NULL},
		{{.type = PHYSICAL_INT64, .converted = CONVERTED_DECIMAL, .precision = 5, .scale = -1}, NULL},
		{{.type = PHYSICAL_DOUBLE, .converted = CONVERTED_DECIMAL, .precision = 5}, NULL},
		{{.type = PHYSICAL_INT32, LOGICAL(LOGICAL_UNKNOWN)}, "n"},
		{{.type = PHYSICAL_FIXED, .type_length = 16, LOGICAL(LOGICAL_UUID)}, "w:16"},
		{{.type = PHYSICAL_FIXED, .type_length = 15, LOGICAL(LOGICAL_UUID)}, NULL},
		{{.type = PHYSICAL_FIXED, .type_length = 2, LOGICAL(LOGICAL_FLOAT16)}, "f"},
		{{.type = PHYSICAL_FIXED, .type_length = 12, .converted = CONVERTED_INTERVAL}, "tin"},
		{{.type = PHYSICAL_INT64, LOGICAL(99)}, "l"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		LeafType type = resolve(cases[i].node);

		if (cases[i].format == NULL)
			ok(type.problem != NULL, "case %zu cannot be read", i);
		else
			ok(type.problem == NULL && strcmp(type.format, cases[i].format) == 0, "case %zu is %s", i, cases[i].format);
	}
	is_text(resolve(cases[36].node).extension, "arrow.uuid", "a uuid says so");
}

static void
int96(void)
{
	static const struct
	{
		int64_t nanos;
		int32_t day;
		int64_t micros;
	} cases[] = {{0, 2440588, 0},
				 {1999, 2440588, 1},
				 {-1, 2440588, -1},
				 {-1000, 2440588, -1},
				 {-1001, 2440588, -2},
				 {INT64_C(86400000000000), 2440588, INT64_C(86400000000)},
				 {0, 2440587, INT64_C(-86400000000)},
				 {0, 0, INT64_C(-2440588) * INT64_C(86400000000)},
				 {INT64_C(3600000000000), 2932897, INT64_C(42535501200000000)}};
	LeafType type = resolve((SchemaNode){.type = PHYSICAL_INT96});

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint8_t in[12];
		int64_t out;

		memcpy(in, &cases[i].nanos, 8);
		memcpy(in + 8, &cases[i].day, 4);
		ok(type.convert(&type, in, (uint8_t *) &out, 1), "INT96 always converts");
		is_int(out, cases[i].micros, "to microseconds, floored");
	}
}

static void
half_floats(void)
{
	static const struct
	{
		uint16_t half;
		float value;
	} cases[] = {{0x0000, 0.0f},
				 {0x8000, -0.0f},
				 {0x3c00, 1.0f},
				 {0xc000, -2.0f},
				 {0x7bff, 65504.0f},
				 {0x0400, 0x1p-14f},
				 {0x0001, 0x1p-24f},
				 {0x83ff, -0x1.ff8p-15f},
				 {0x7c00, (float) INFINITY},
				 {0xfc00, -(float) INFINITY},
				 {0x3555, 0x1.554p-2f}};
	LeafType type = resolve((SchemaNode){.type = PHYSICAL_FIXED, .type_length = 2, LOGICAL(LOGICAL_FLOAT16)});
	uint16_t nan = 0x7e00;
	float out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		ok(type.convert(&type, (const uint8_t *) &cases[i].half, (uint8_t *) &out, 1) &&
			   memcmp(&out, &cases[i].value, 4) == 0,
		   "half %04x is %g", cases[i].half, (double) cases[i].value);
	}
	ok(type.convert(&type, (const uint8_t *) &nan, (uint8_t *) &out, 1) && isnan(out), "half NaN");
}

static bool
decimal_is(const char *bytes, size_t length, int64_t expected)
{
	uint8_t out[16];
	int64_t low;
	int64_t high;

	if (!decimal_from_bytes((const uint8_t *) bytes, length, out, 16))
		return false;
	memcpy(&low, out, 8);
	memcpy(&high, out + 8, 8);
	return low == expected && high == expected >> 63;
}

static void
decimals(void)
{
	uint8_t out[16];
	LeafType type = resolve((SchemaNode){
		.type = PHYSICAL_FIXED, .type_length = 3, .converted = CONVERTED_DECIMAL, .precision = 6, .scale = 2});
	uint8_t fixed[16] = {0xff, 0xff, 0xfe, 0x01, 0x00, 0x00};
	int64_t wide[4];

	ok(decimal_is("\x01", 1, 1) && decimal_is("\xff", 1, -1) && decimal_is("\x7f\xff", 2, 32767), "short ones");
	ok(decimal_is("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 18, -2),
	   "longer than they need be");
	ok(decimal_is("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 18, 2), "likewise");
	ok(!decimal_from_bytes((const uint8_t *) "\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, out, 16),
	   "17 bytes that are needed");
	ok(!decimal_from_bytes((const uint8_t *) "\xff\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, out, 16),
	   "negative ones too");
	ok(!decimal_from_bytes(out, 0, out, 16), "no bytes are no number");
	ok(type.convert(&type, fixed, (uint8_t *) wide, 2) && wide[0] == -2 && wide[1] == -1 && wide[2] == 65536 &&
		   wide[3] == 0,
	   "fixed bytes");
	type = resolve((SchemaNode){.type = PHYSICAL_INT32, .converted = CONVERTED_DECIMAL, .precision = 6});
	ok(type.convert(&type, (const uint8_t *) (int32_t[]){-5, 7}, (uint8_t *) wide, 2) && wide[0] == -5 &&
		   wide[1] == -1 && wide[2] == 7 && wide[3] == 0,
	   "32-bit carriers");
}

static void
intervals(void)
{
	LeafType type = resolve((SchemaNode){.type = PHYSICAL_FIXED, .type_length = 12, .converted = CONVERTED_INTERVAL});
	uint32_t in[] = {1, 2, UINT32_MAX};
	int32_t out[4];
	int64_t nanos;

	ok(type.convert(&type, (const uint8_t *) in, (uint8_t *) out, 1), "an interval");
	memcpy(&nanos, out + 2, 8);
	ok(out[0] == 1 && out[1] == 2 && nanos == INT64_C(4294967295000000), "months, days, nanoseconds");
	in[1] = 0x80000000;
	ok(!type.convert(&type, (const uint8_t *) in, (uint8_t *) out, 1), "days that 31 bits do not hold");
}

int
main(void)
{
	formats();
	int96();
	half_floats();
	decimals();
	intervals();
	return done_testing();
}
