/*-------------------------------------------------------------------------
 *
 * variant.c
 *	  The binary form of a variant.
 *
 * metadata	byte: version 1 (bits 0-3), sorted (4), offset width less one (6-7)
 *			dictionary size, size + 1 offsets, each of that width; then the names
 * value	byte: basic type (bits 0-1), header (2-7)
 *	  0 primitive	header is the type: 0 null, 1 true, 2 false, 3-6 integers of 1, 2, 4, 8 bytes,
 *					7 double, 8-10 decimals (scale byte, then 4, 8, 16 bytes), 11 date, 12 timestamp,
 *					13 without zone, 14 float, 15 binary, 16 string (uint32 length), 17 time,
 *					18 and 19 timestamps in nanoseconds, 20 uuid (big-endian)
 *	  1 short text	header is the length
 *	  2 object		header bits 0-1 offset width less one, 2-3 id width less one, 4 large (the count
 *					has 4 bytes, else 1); ids in the order of the names, count + 1 offsets in any order
 *					but the last, which is the size of the data; data
 *	  3 array		bits 0-1 offset width less one, 2 large; count, count + 1 offsets, data
 *
 * Numbers are little-endian.
 *
 *-------------------------------------------------------------------------
 */
#include "common/variant.h"

#include <string.h>

static bool
corrupt(IngestError *error, const char *what)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid variant: %s", what);
}

static uint64_t
little_endian(const uint8_t *data, int width)
{
	uint64_t value = 0;

	for (int i = width - 1; i >= 0; i--)
		value = value << 8 | data[i];
	return value;
}

static int64_t
signed_integer(const uint8_t *data, int width)
{
	int unused = 64 - 8 * width;

	return (int64_t) (little_endian(data, width) << unused) >> unused;
}

/* ---- primitives ------------------------------------------------------------------------------------- */

/* What a primitive's header says; width 0: no bytes, or a length of its own. */
static const struct
{
	VariantKind kind;
	uint8_t width;
} primitives[] = {
	{VARIANT_NULL, 0},      {VARIANT_TRUE, 0},          {VARIANT_FALSE, 0},           {VARIANT_INTEGER, 1},
	{VARIANT_INTEGER, 2},   {VARIANT_INTEGER, 4},       {VARIANT_INTEGER, 8},         {VARIANT_DOUBLE, 8},
	{VARIANT_DECIMAL, 5},   {VARIANT_DECIMAL, 9},       {VARIANT_DECIMAL, 17},        {VARIANT_DATE, 4},
	{VARIANT_TIMESTAMP, 8}, {VARIANT_TIMESTAMP_NTZ, 8}, {VARIANT_FLOAT, 4},           {VARIANT_BINARY, 0},
	{VARIANT_STRING, 0},    {VARIANT_TIME, 8},          {VARIANT_TIMESTAMP_NANOS, 8}, {VARIANT_TIMESTAMP_NTZ_NANOS, 8},
	{VARIANT_UUID, 16},
};

static bool
read_bytes(const uint8_t *data, size_t length, VariantValue *out, IngestError *error)
{
	uint64_t size;

	if (length < 5)
		return corrupt(error, "it ends early");
	size = little_endian(data + 1, 4);
	if (size > length - 5)
		return corrupt(error, "it ends early");
	out->bytes = (Span){(const char *) data + 5, (size_t) size};
	out->size = (size_t) size + 5;
	return true;
}

static bool
read_decimal(const uint8_t *data, int width, VariantValue *out, IngestError *error)
{
	int64_t low = signed_integer(data + 1, width == 16 ? 8 : width);

	out->scale = data[0];
	if (out->scale > 38)
		return corrupt(error, "a decimal's scale");
	out->decimal[0] = (uint64_t) low;
	out->decimal[1] = width == 16 ? little_endian(data + 9, 8) : (uint64_t) (low >> 63);
	return true;
}

static bool
read_primitive(const uint8_t *data, size_t length, VariantValue *out, IngestError *error)
{
	unsigned type = data[0] >> 2;
	size_t width;
	uint32_t bits;

	if (type >= sizeof(primitives) / sizeof(primitives[0]))
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "unknown primitive type %u of a variant", type);
	out->kind = primitives[type].kind;
	width = primitives[type].width;
	if (out->kind == VARIANT_BINARY || out->kind == VARIANT_STRING)
		return read_bytes(data, length, out, error);
	if (width > length - 1)
		return corrupt(error, "it ends early");
	out->size = width + 1;
	switch (out->kind)
	{
		case VARIANT_DECIMAL:
			return read_decimal(data + 1, (int) width - 1, out, error);
		case VARIANT_DOUBLE:
			memcpy(&out->floating, data + 1, 8);
			break;
		case VARIANT_FLOAT:
			bits = (uint32_t) little_endian(data + 1, 4);
			out->floating = (double) *(float *) memcpy(&(float){0}, &bits, 4);
			break;
		case VARIANT_UUID:
			out->bytes = (Span){(const char *) data + 1, 16};
			break;
		default:
			if (width > 0)
				out->integer = signed_integer(data + 1, (int) width);
	}
	return true;
}

/* ---- objects and arrays ------------------------------------------------------------------------------- */

static bool
read_container(const uint8_t *data, size_t length, bool is_object, VariantValue *out, IngestError *error)
{
	unsigned header = data[0] >> 2;
	bool large = is_object ? header >> 4 & 1 : header >> 2 & 1;
	size_t at = 1;
	uint64_t tables;

	out->kind = is_object ? VARIANT_OBJECT : VARIANT_ARRAY;
	out->offset_width = (int) (header & 3) + 1;
	out->id_width = is_object ? (int) (header >> 2 & 3) + 1 : 0;
	if (length - at < (large ? 4 : 1))
		return corrupt(error, "it ends early");
	out->count = (uint32_t) little_endian(data + at, large ? 4 : 1);
	at += large ? 4 : 1;
	tables =
		(uint64_t) out->count * (uint64_t) out->id_width + ((uint64_t) out->count + 1) * (uint64_t) out->offset_width;
	if (tables > length - at)
		return corrupt(error, "it ends early");
	out->ids = data + at;
	out->offsets = out->ids + (size_t) out->count * (size_t) out->id_width;
	at += (size_t) tables;
	out->data = data + at;
	out->data_length =
		(size_t) little_endian(out->offsets + (size_t) out->count * (size_t) out->offset_width, out->offset_width);
	if (out->data_length > length - at)
		return corrupt(error, "it ends early");
	out->size = at + out->data_length;
	return true;
}

bool
variant_read(Span value, VariantValue *out, IngestError *error)
{
	const uint8_t *data = (const uint8_t *) value.data;

	memset(out, 0, sizeof(*out));
	if (value.length == 0)
		return corrupt(error, "it is empty");
	switch (data[0] & 3)
	{
		case 0:
			return read_primitive(data, value.length, out, error);
		case 1:
			out->kind = VARIANT_STRING;
			if ((size_t) (data[0] >> 2) > value.length - 1)
				return corrupt(error, "it ends early");
			out->bytes = (Span){value.data + 1, data[0] >> 2};
			out->size = out->bytes.length + 1;
			return true;
		default:
			return read_container(data, value.length, (data[0] & 3) == 2, out, error);
	}
}

bool
variant_child(const VariantValue *parent, uint32_t i, Span *value, IngestError *error)
{
	uint64_t offset = little_endian(parent->offsets + (size_t) i * (size_t) parent->offset_width, parent->offset_width);

	if (offset >= parent->data_length)
		return corrupt(error, "an offset");
	*value = (Span){(const char *) parent->data + offset, parent->data_length - (size_t) offset};
	return true;
}

/* ---- names ---------------------------------------------------------------------------------------------- */

bool
variant_dictionary_open(Span metadata, VariantDictionary *out, IngestError *error)
{
	const uint8_t *data = (const uint8_t *) metadata.data;
	uint64_t tables;

	if (metadata.length == 0 || (data[0] & 15) != 1)
		return corrupt(error, "unknown version of the metadata");
	out->width = (data[0] >> 6) + 1;
	if (metadata.length - 1 < (size_t) out->width)
		return corrupt(error, "the metadata ends early");
	out->count = (uint32_t) little_endian(data + 1, out->width);
	tables = ((uint64_t) out->count + 1) * (uint64_t) out->width;
	if (tables > metadata.length - 1 - (size_t) out->width)
		return corrupt(error, "the metadata ends early");
	out->offsets = data + 1 + out->width;
	out->names = out->offsets + tables;
	out->names_length = metadata.length - 1 - (size_t) out->width - (size_t) tables;
	return true;
}

bool
variant_dictionary_name(const VariantDictionary *dictionary, uint32_t id, Span *name, IngestError *error)
{
	uint64_t begin;
	uint64_t end;

	if (id >= dictionary->count)
		return corrupt(error, "a field's id");
	begin = little_endian(dictionary->offsets + (size_t) id * (size_t) dictionary->width, dictionary->width);
	end = little_endian(dictionary->offsets + ((size_t) id + 1) * (size_t) dictionary->width, dictionary->width);
	if (begin > end || end > dictionary->names_length)
		return corrupt(error, "a name's offset");
	*name = (Span){(const char *) dictionary->names + begin, (size_t) (end - begin)};
	return true;
}

uint32_t
variant_field_id(const VariantValue *object, uint32_t i)
{
	return (uint32_t) little_endian(object->ids + (size_t) i * (size_t) object->id_width, object->id_width);
}
