/*-------------------------------------------------------------------------
 *
 * types.c
 *	  What a leaf is in Arrow: from its physical type and annotations to a format, a layout, and the conversion from
 *	  stored values.
 *
 * A logical type wins over a converted type; an unknown one counts as none.  An annotation that contradicts its physical
 * type leaves the leaf unreadable ("problem"), which is an error only where it is read.
 *
 *	BOOLEAN						b
 *	INT32, INT64				i, l; narrower and unsigned c C s S I L
 *	FLOAT, DOUBLE, FLOAT16		f, g, f (a half widens without loss)
 *	decimals					d:p,s (16 bytes), d:p,s,256 above 38 digits
 *	DATE						tdD
 *	TIME						ttm (32 bits), ttu, ttn; UTC-adjusted: metadata "PARQUET:adjusted_to_utc" = "true"
 *	TIMESTAMP					tsm: tsu: tsn:, with UTC where it is adjusted to it
 *	INT96						tsu: microseconds, floored, because nanoseconds do not span its range
 *	BYTE_ARRAY					u where it is text, else z
 *	fixed bytes					w:n; uuid with extension "arrow.uuid"
 *	INTERVAL					tin (months, days, nanoseconds)
 *	UNKNOWN						n
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "parquet/parquet_internal.h"

#define JULIAN_DAY_OF_EPOCH 2440588
#define MICROS_PER_DAY INT64_C(86400000000)
#define MAX_DECIMAL128_DIGITS 38
#define MAX_DECIMAL256_DIGITS 76

/* ---- conversions ----------------------------------------------------------------- */

static bool
convert_int32_to_int8(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	(void) type;
	for (size_t i = 0; i < count; i++)
		out[i] = in[i * 4];
	return true;
}

static bool
convert_int32_to_int16(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	(void) type;
	for (size_t i = 0; i < count; i++)
		memcpy(out + i * 2, in + i * 4, 2);
	return true;
}

/* 8 bytes nanoseconds of the day, 4 bytes Julian day; the arithmetic wraps. */
static bool
convert_int96(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	(void) type;
	for (size_t i = 0; i < count; i++)
	{
		int64_t nanos = (int64_t) load_uint64(in + i * 12);
		int64_t day = (int32_t) load_uint32(in + i * 12 + 8);
		uint64_t micros = (uint64_t) (nanos / 1000 - (nanos % 1000 < 0));

		micros += (uint64_t) (day - JULIAN_DAY_OF_EPOCH) * (uint64_t) MICROS_PER_DAY;
		memcpy(out + i * 8, &micros, 8);
	}
	return true;
}

static bool
convert_float16(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	(void) type;
	for (size_t i = 0; i < count; i++)
	{
		uint32_t half = (uint32_t) in[i * 2] | (uint32_t) in[i * 2 + 1] << 8;
		uint32_t sign = (half & 0x8000) << 16;
		uint32_t exponent = half >> 10 & 0x1f;
		uint32_t fraction = half & 0x3ff;
		uint32_t bits;

		if (exponent == 0x1f)
			bits = sign | 0x7f800000 | fraction << 13;
		else if (exponent != 0)
			bits = sign | (exponent + 112) << 23 | fraction << 13;
		else
		{
			float small = (float) fraction / 16777216.0f;

			memcpy(&bits, &small, 4);
			bits |= sign;
		}
		memcpy(out + i * 4, &bits, 4);
	}
	return true;
}

/* A 64-bit integer to "width" bytes of two's complement. */
static inline void
store_wide(uint8_t *out, int64_t value, size_t width)
{
	int64_t fill = value >> 63;

	memcpy(out, &value, 8);
	for (size_t i = 8; i < width; i += 8)
		memcpy(out + i, &fill, 8);
}

static bool
convert_int32_to_decimal(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		store_wide(out + i * (size_t) type->width, (int32_t) load_uint32(in + i * 4), (size_t) type->width);
	return true;
}

static bool
convert_int64_to_decimal(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		store_wide(out + i * (size_t) type->width, (int64_t) load_uint64(in + i * 8), (size_t) type->width);
	return true;
}

/* Up to 8 bytes, the most usual ones; reads 8 bytes at each value, which the scratch buffer's tail allows for. */
static void
convert_short_decimals(const uint8_t *in, size_t length, uint8_t *out, size_t count, size_t width)
{
	for (size_t i = 0; i < count; i++)
	{
		int64_t value = (int64_t) __builtin_bswap64(load_uint64(in + i * length)) >> (64 - 8 * length);

		store_wide(out + i * width, value, width);
	}
}

static bool
convert_fixed_to_decimal(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	size_t length = (size_t) type->physical_width;

	if (length <= 8)
	{
		convert_short_decimals(in, length, out, count, (size_t) type->width);
		return true;
	}
	for (size_t i = 0; i < count; i++)
	{
		if (!decimal_from_bytes(in + i * length, length, out + i * (size_t) type->width, type->width))
			return false;
	}
	return true;
}

bool
decimal_from_bytes(const uint8_t *data, size_t length, uint8_t *out, int width)
{
	uint8_t fill;

	if (length == 0)
		return false;
	fill = data[0] & 0x80 ? 0xff : 0;
	for (; length > (size_t) width; length--, data++)
	{
		/* what is cut off must be nothing but sign */
		if (data[0] != fill || (data[1] & 0x80) != (fill & 0x80))
			return false;
	}
	for (size_t i = 0; i < length; i++)
		out[i] = data[length - 1 - i];
	memset(out + length, fill, (size_t) width - length);
	return true;
}

/* Three unsigned 32-bit numbers (months, days, milliseconds) to Arrow's months, days, nanoseconds. */
static bool
convert_interval(const LeafType *type, const uint8_t *in, uint8_t *out, size_t count)
{
	(void) type;
	for (size_t i = 0; i < count; i++)
	{
		int64_t nanos = (int64_t) load_uint32(in + i * 12 + 8) * 1000000;

		if (load_uint32(in + i * 12) > INT32_MAX || load_uint32(in + i * 12 + 4) > INT32_MAX)
			return false;
		memcpy(out + i * 16, in + i * 12, 8);
		memcpy(out + i * 16 + 8, &nanos, 8);
	}
	return true;
}

/* ---- resolution ------------------------------------------------------------------- */

static void
set_fixed(LeafType *type, const char *format, int32_t width, ConvertFixed convert)
{
	snprintf(type->format, sizeof(type->format), "%s", format);
	type->layout = LAYOUT_FIXED;
	type->width = width;
	type->convert = convert;
}

static void
set_physical(const SchemaNode *node, bool local, LeafType *type)
{
	static const int32_t widths[] = {1, 4, 8, 12, 4, 8, 0, 0};

	*type = (LeafType){.physical = node->type, .physical_width = widths[node->type]};
	switch (node->type)
	{
		case PHYSICAL_BOOLEAN:
			set_fixed(type, "b", 1, NULL);
			type->layout = LAYOUT_BIT;
			break;
		case PHYSICAL_INT32:
			set_fixed(type, "i", 4, NULL);
			break;
		case PHYSICAL_INT64:
			set_fixed(type, "l", 8, NULL);
			break;
		case PHYSICAL_INT96:
			set_fixed(type, local ? "tsu:" : "tsu:UTC", 8, convert_int96);
			break;
		case PHYSICAL_FLOAT:
			set_fixed(type, "f", 4, NULL);
			break;
		case PHYSICAL_DOUBLE:
			set_fixed(type, "g", 8, NULL);
			break;
		case PHYSICAL_BYTE_ARRAY:
			set_fixed(type, "z", 0, NULL);
			type->layout = LAYOUT_VARIABLE;
			break;
		default:
			if (node->type_length <= 0)
				type->problem = "fixed bytes without a length";
			type->physical_width = node->type_length > 0 ? node->type_length : 1;
			set_fixed(type, "", type->physical_width, NULL);
			snprintf(type->format, sizeof(type->format), "w:%d", type->physical_width);
	}
}

/* Does the annotation fit its physical type?  If not, the leaf cannot be read. */
static bool
expect(LeafType *type, bool fits, const char *problem)
{
	if (!fits && type->problem == NULL)
		type->problem = problem;
	return fits && type->problem == NULL;
}

static void
set_text(LeafType *type, const char *format, const char *extension)
{
	if (expect(type, type->physical == PHYSICAL_BYTE_ARRAY, "a text annotation on a type that is not a byte array"))
	{
		snprintf(type->format, sizeof(type->format), "%s", format);
		type->extension = extension;
	}
}

static void
set_decimal(const SchemaNode *node, LeafType *type)
{
	static const ConvertFixed converts[] = {[PHYSICAL_INT32] = convert_int32_to_decimal,
											[PHYSICAL_INT64] = convert_int64_to_decimal,
											[PHYSICAL_BYTE_ARRAY] = NULL,
											[PHYSICAL_FIXED] = convert_fixed_to_decimal};
	bool wide = node->precision > MAX_DECIMAL128_DIGITS;
	bool carrier = node->type == PHYSICAL_INT32 || node->type == PHYSICAL_INT64 || node->type == PHYSICAL_BYTE_ARRAY ||
				   node->type == PHYSICAL_FIXED;

	if (!expect(type, carrier, "a decimal annotation on a type that cannot carry it") ||
		!expect(type, node->precision > 0 && node->precision <= MAX_DECIMAL256_DIGITS,
				"a decimal annotation without a precision between 1 and 76") ||
		!expect(type, node->scale >= 0 && node->scale <= node->precision,
				"a decimal annotation with a scale outside its precision"))
		return;
	set_fixed(type, "", wide ? 32 : 16, converts[node->type]);
	snprintf(type->format, sizeof(type->format), wide ? "d:%d,%d,256" : "d:%d,%d", node->precision, node->scale);
}

static void
set_integer(LeafType *type, int32_t width, bool is_signed)
{
	if (!expect(type,
				(type->physical == PHYSICAL_INT32 && (width == 8 || width == 16 || width == 32)) ||
					(type->physical == PHYSICAL_INT64 && width == 64),
				"an integer annotation of another width"))
		return;
	switch (width)
	{
		case 8:
			set_fixed(type, is_signed ? "c" : "C", 1, convert_int32_to_int8);
			break;
		case 16:
			set_fixed(type, is_signed ? "s" : "S", 2, convert_int32_to_int16);
			break;
		case 32:
			set_fixed(type, is_signed ? "i" : "I", 4, NULL);
			break;
		default:
			set_fixed(type, is_signed ? "l" : "L", 8, NULL);
	}
}

static void
set_date(LeafType *type)
{
	if (expect(type, type->physical == PHYSICAL_INT32, "a date annotation on a type that is not INT32"))
		set_fixed(type, "tdD", 4, NULL);
}

static void
set_time(LeafType *type, TimeUnit unit, bool utc)
{
	if (!expect(type, unit != UNIT_NONE, "a time annotation without a known unit") ||
		!expect(type, type->physical == (unit == UNIT_MILLIS ? PHYSICAL_INT32 : PHYSICAL_INT64),
				"a time annotation on a type that does not fit its unit"))
		return;
	if (unit == UNIT_MILLIS)
		set_fixed(type, "ttm", 4, NULL);
	else
		set_fixed(type, unit == UNIT_MICROS ? "ttu" : "ttn", 8, NULL);
	type->adjusted_to_utc = utc;
}

static void
set_timestamp(LeafType *type, TimeUnit unit, bool utc)
{
	if (!expect(type, unit != UNIT_NONE, "a timestamp annotation without a known unit") ||
		!expect(type, type->physical == PHYSICAL_INT64, "a timestamp annotation on a type that is not INT64"))
		return;
	set_fixed(type, "", 8, NULL);
	snprintf(type->format, sizeof(type->format), "ts%c:%s", " mun"[unit], utc ? "UTC" : "");
}

/* False where the logical type is none that this code knows. */
static bool
apply_logical(const SchemaNode *node, LeafType *type)
{
	switch (node->logical)
	{
		case LOGICAL_STRING:
		case LOGICAL_ENUM:
			set_text(type, "u", NULL);
			return true;
		case LOGICAL_JSON:
			set_text(type, "u", "arrow.json");
			return true;
		case LOGICAL_BSON:
		case LOGICAL_GEOMETRY:
		case LOGICAL_GEOGRAPHY:
			set_text(type, "z", NULL);
			return true;
		case LOGICAL_DECIMAL:
			set_decimal(node, type);
			return true;
		case LOGICAL_DATE:
			set_date(type);
			return true;
		case LOGICAL_TIME:
			set_time(type, node->unit, node->utc);
			return true;
		case LOGICAL_TIMESTAMP:
			set_timestamp(type, node->unit, node->utc);
			return true;
		case LOGICAL_INTEGER:
			set_integer(type, node->integer_width, node->integer_signed);
			return true;
		case LOGICAL_UNKNOWN:
			set_fixed(type, "n", 0, NULL);
			type->layout = LAYOUT_NULL;
			return true;
		case LOGICAL_UUID:
			if (expect(type, type->physical == PHYSICAL_FIXED && type->physical_width == 16,
					   "a uuid annotation on a type that is not sixteen fixed bytes"))
				type->extension = "arrow.uuid";
			return true;
		case LOGICAL_FLOAT16:
			if (expect(type, type->physical == PHYSICAL_FIXED && type->physical_width == 2,
					   "a half float annotation on a type that is not two fixed bytes"))
				set_fixed(type, "f", 4, convert_float16);
			return true;
		default:
			return false;
	}
}

static void
apply_converted(const SchemaNode *node, bool local, LeafType *type)
{
	switch (node->converted)
	{
		case CONVERTED_UTF8:
		case CONVERTED_ENUM:
			set_text(type, "u", NULL);
			break;
		case CONVERTED_JSON:
			set_text(type, "u", "arrow.json");
			break;
		case CONVERTED_BSON:
			set_text(type, "z", NULL);
			break;
		case CONVERTED_DECIMAL:
			set_decimal(node, type);
			break;
		case CONVERTED_DATE:
			set_date(type);
			break;
		case CONVERTED_TIME_MILLIS:
		case CONVERTED_TIME_MICROS:
			set_time(type, node->converted == CONVERTED_TIME_MILLIS ? UNIT_MILLIS : UNIT_MICROS, false);
			break;
		case CONVERTED_TIMESTAMP_MILLIS:
		case CONVERTED_TIMESTAMP_MICROS:
			set_timestamp(type, node->converted == CONVERTED_TIMESTAMP_MILLIS ? UNIT_MILLIS : UNIT_MICROS, !local);
			break;
		case CONVERTED_UINT_8:
		case CONVERTED_UINT_16:
		case CONVERTED_UINT_32:
		case CONVERTED_UINT_64:
			set_integer(type, 8 << (node->converted - CONVERTED_UINT_8), false);
			break;
		case CONVERTED_INT_8:
		case CONVERTED_INT_16:
		case CONVERTED_INT_32:
		case CONVERTED_INT_64:
			set_integer(type, 8 << (node->converted - CONVERTED_INT_8), true);
			break;
		case CONVERTED_INTERVAL:
			if (expect(type, type->physical == PHYSICAL_FIXED && type->physical_width == 12,
					   "an interval annotation on a type that is not twelve fixed bytes"))
				set_fixed(type, "tin", 16, convert_interval);
			break;
		default:
			break;
	}
}

/* The type of a leaf.  "local": a converted type and INT96 carry no zone. */
void
leaf_type_resolve(const SchemaNode *node, bool local, LeafType *out)
{
	set_physical(node, local, out);
	if (!node->has_logical || !apply_logical(node, out))
		apply_converted(node, local, out);
}
