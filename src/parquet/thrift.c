/*-------------------------------------------------------------------------
 *
 * thrift.c
 *	  Thrift's compact protocol, as far as a Parquet footer and page headers use it.
 *
 * The reader walks over bytes that somebody else owns and never copies; spans it
 * gives out point into them.
 *
 *	field header	one byte: high nibble the distance of the field id to the one
 *					before (0: a zigzag varint id follows), low nibble the type;
 *					a boolean's value is its type
 *	integers		zigzag varints; i8 is one raw byte
 *	binary			varint length, bytes
 *	list, set		one byte: high nibble the count (15: varint follows), low
 *					nibble the type of the elements; booleans are a byte each
 *	map				varint count; unless 0, one byte with both types
 *	struct			fields until a header byte of 0
 *
 * Every count is checked against the bytes left before it is believed, nesting is
 * bounded, unknown fields are passed over.
 *
 *-------------------------------------------------------------------------
 */
#include "parquet/parquet_internal.h"

#define THRIFT_MAX_DEPTH 64

static bool
out_of_bytes(ThriftReader *reader, IngestError *error)
{
	reader->truncated = true;
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "thrift structure ends early at byte %zu",
					   (size_t) (reader->position - reader->start));
}

static bool
wrong_type(ThriftReader *reader, const char *wanted, uint8_t type, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "thrift structure has type %u where %s is due at byte %zu", type,
					   wanted, (size_t) (reader->position - reader->start));
}

static bool
read_varint(ThriftReader *reader, uint64_t *out, IngestError *error)
{
	if (read_uleb128(&reader->position, reader->end, out))
		return true;
	if (reader->end - reader->position < 10)
		return out_of_bytes(reader, error);
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "thrift structure has an endless number at byte %zu",
					   (size_t) (reader->position - reader->start));
}

void
thrift_init(ThriftReader *reader, const void *data, size_t length)
{
	reader->start = reader->position = data;
	reader->end = reader->start + length;
	reader->truncated = false;
}

bool
thrift_next_field(ThriftReader *reader, ThriftField *field, IngestError *error)
{
	uint8_t header;

	if (reader->position == reader->end)
		return out_of_bytes(reader, error);
	header = *reader->position++;
	field->type = header & 0x0f;
	if (field->type == THRIFT_STOP)
	{
		field->id = 0; /* no field's */
		return true;
	}
	if (header >> 4)
		field->id += header >> 4;
	else
	{
		uint64_t id;

		if (!read_varint(reader, &id, error))
			return false;
		field->id = (int16_t) zigzag_decode(id);
	}
	return true;
}

static bool
skip_bytes(ThriftReader *reader, uint64_t length, IngestError *error)
{
	if (length > (uint64_t) (reader->end - reader->position))
		return out_of_bytes(reader, error);
	reader->position += length;
	return true;
}

bool
thrift_list(ThriftReader *reader, uint8_t type, uint8_t *element_type, uint32_t *count, IngestError *error)
{
	uint64_t length;

	if (type != THRIFT_LIST && type != THRIFT_SET)
		return wrong_type(reader, "a list", type, error);
	if (reader->position == reader->end)
		return out_of_bytes(reader, error);
	*element_type = *reader->position & 0x0f;
	length = *reader->position++ >> 4;
	if (length == 15 && !read_varint(reader, &length, error))
		return false;
	/* an element takes at least one byte */
	if (length > (uint64_t) (reader->end - reader->position) || length > INT32_MAX)
		return out_of_bytes(reader, error);
	*count = (uint32_t) length;
	return true;
}

static bool skip_value(ThriftReader *reader, uint8_t type, bool in_collection, int depth, IngestError *error);

static bool
skip_map(ThriftReader *reader, int depth, IngestError *error)
{
	uint64_t count;
	uint8_t types;

	if (!read_varint(reader, &count, error))
		return false;
	if (count == 0)
		return true;
	if (reader->position == reader->end)
		return out_of_bytes(reader, error);
	types = *reader->position++;
	if (count > (uint64_t) (reader->end - reader->position))
		return out_of_bytes(reader, error);
	for (uint64_t i = 0; i < count; i++)
	{
		if (!skip_value(reader, types >> 4, true, depth + 1, error) ||
			!skip_value(reader, types & 0x0f, true, depth + 1, error))
			return false;
	}
	return true;
}

static bool
skip_collection(ThriftReader *reader, uint8_t type, int depth, IngestError *error)
{
	uint8_t element;
	uint32_t count;

	if (!thrift_list(reader, type, &element, &count, error))
		return false;
	for (uint32_t i = 0; i < count; i++)
	{
		if (!skip_value(reader, element, true, depth + 1, error))
			return false;
	}
	return true;
}

static bool
skip_field(ThriftReader *reader, const ThriftField *field, void *state, IngestError *error)
{
	return skip_value(reader, field->type, false, *(int *) state + 1, error);
}

static bool
skip_value(ThriftReader *reader, uint8_t type, bool in_collection, int depth, IngestError *error)
{
	uint64_t number;

	if (depth > THRIFT_MAX_DEPTH)
		return ingest_fail(error, INGEST_ERROR_LIMIT, "thrift structure is nested more than %d deep", THRIFT_MAX_DEPTH);
	switch (type)
	{
		case THRIFT_TRUE:
		case THRIFT_FALSE:
			return in_collection ? skip_bytes(reader, 1, error) : true;
		case THRIFT_I8:
			return skip_bytes(reader, 1, error);
		case THRIFT_I16:
		case THRIFT_I32:
		case THRIFT_I64:
			return read_varint(reader, &number, error);
		case THRIFT_DOUBLE:
			return skip_bytes(reader, 8, error);
		case THRIFT_BINARY:
			return read_varint(reader, &number, error) && skip_bytes(reader, number, error);
		case THRIFT_LIST:
		case THRIFT_SET:
			return skip_collection(reader, type, depth, error);
		case THRIFT_MAP:
			return skip_map(reader, depth, error);
		case THRIFT_STRUCT:
			return thrift_struct(reader, skip_field, &depth, error);
		case THRIFT_UUID:
			return skip_bytes(reader, 16, error);
		default:
			return wrong_type(reader, "a known type", type, error);
	}
}

/* Pass over a field's value. */
bool
thrift_skip(ThriftReader *reader, uint8_t type, IngestError *error)
{
	return skip_value(reader, type, false, 0, error);
}

bool
thrift_integer(ThriftReader *reader, uint8_t type, int64_t *out, IngestError *error)
{
	uint64_t number;

	if (type == THRIFT_I8)
	{
		if (reader->position == reader->end)
			return out_of_bytes(reader, error);
		*out = (int8_t) *reader->position++;
		return true;
	}
	if (type != THRIFT_I16 && type != THRIFT_I32 && type != THRIFT_I64)
		return wrong_type(reader, "an integer", type, error);
	if (!read_varint(reader, &number, error))
		return false;
	*out = zigzag_decode(number);
	return true;
}

/* The same, where 32 bits must hold it. */
bool
thrift_int32(ThriftReader *reader, uint8_t type, int32_t *out, IngestError *error)
{
	int64_t number;

	if (!thrift_integer(reader, type, &number, error))
		return false;
	if (number < INT32_MIN || number > INT32_MAX)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "thrift structure has a number out of range at byte %zu",
						   (size_t) (reader->position - reader->start));
	*out = (int32_t) number;
	return true;
}

bool
thrift_boolean(ThriftReader *reader, uint8_t type, bool *out, IngestError *error)
{
	if (type != THRIFT_TRUE && type != THRIFT_FALSE)
		return wrong_type(reader, "a boolean", type, error);
	*out = type == THRIFT_TRUE;
	return true;
}

bool
thrift_binary(ThriftReader *reader, uint8_t type, Span *out, IngestError *error)
{
	uint64_t length;

	if (type != THRIFT_BINARY)
		return wrong_type(reader, "a string", type, error);
	if (!read_varint(reader, &length, error))
		return false;
	out->data = (const char *) reader->position;
	out->length = length;
	return skip_bytes(reader, length, error);
}

bool
thrift_struct(ThriftReader *reader, ThriftVisit visit, void *state, IngestError *error)
{
	ThriftField field = {0};

	for (;;)
	{
		if (!thrift_next_field(reader, &field, error))
			return false;
		if (field.type == THRIFT_STOP)
			return true;
		if (!visit(reader, &field, state, error))
			return false;
	}
}

bool
thrift_struct_value(ThriftReader *reader, uint8_t type, ThriftVisit visit, void *state, IngestError *error)
{
	if (type != THRIFT_STRUCT)
		return wrong_type(reader, "a struct", type, error);
	return thrift_struct(reader, visit, state, error);
}
