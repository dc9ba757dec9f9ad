/*-------------------------------------------------------------------------
 *
 * arrow_variable.c
 *	  Converters of strings, bytes, dictionaries and nested values.
 *
 * All values of a run share one block of the arena: headers and bytes one behind the other.
 * The run's bytes are checked at once; only where they are not plain ASCII is each string
 * looked at by itself.  Entries of a dictionary are converted once and share their pointer,
 * unless the dictionary is much longer than the run.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "batch/arrow_internal.h"

/* A dictionary is converted as a whole up to this many entries a row. */
#define DICTIONARY_ENTRIES_PER_ROW 4

/* Bytes that copy_short may write behind the end. */
#define COPY_SLACK 16

/* ---- strings and bytes ------------------------------------------------------------- */

/* "readable" bytes may be read from the source, unless the value is empty. Most values are short, and a call of memcpy costs more than they do. */
static inline void
copy_short(unsigned char *out, const char *data, size_t length, size_t readable)
{
	if (length <= COPY_SLACK && readable >= COPY_SLACK && length > 0)
		memcpy(out, data, COPY_SLACK);
	else
		memcpy(out, data, length);
}

/* A 4-byte header is read as an integer: it starts at a multiple of four. */
static inline unsigned char *
align_varlena(unsigned char *out, size_t length)
{
	return length <= VARLENA_SHORT_MAX ? out : (unsigned char *) (((uintptr_t) out + 3) & ~(uintptr_t) 3);
}

/* What the strings of a run have in common. */
typedef struct StringRun
{
	const char *end; /* of the bytes that may be read */
	size_t bytes;    /* of all values together, at most */
	bool plain;      /* all ASCII without NUL */
	bool fixed;      /* char(n): pad */
	size_t limit;    /* characters; 0 = none */
} StringRun;

/* The run's bytes lie together between the first and the last offset. */
static void
inspect_run(const Conversion *conversion, StringRun *run)
{
	const ArrowType *type = conversion->type;
	const struct ArrowArray *array = conversion->array;
	Span first = arrow_bytes(type, array, conversion->first);
	Span last = arrow_bytes(type, array, conversion->first + conversion->count - 1);
	const char *begin;

	run->limit = (size_t) conversion->column->length;
	run->fixed = conversion->column->form == FORM_BPCHAR;
	if (type->kind == ARROW_FIXED_BINARY)
		begin = first.data;
	else
	{
		int64_t index = conversion->first + array->offset;
		int64_t from =
			type->large ? ((const int64_t *) array->buffers[1])[index] : ((const int32_t *) array->buffers[1])[index];
		int64_t to = type->large ? ((const int64_t *) array->buffers[1])[index + conversion->count]
								 : ((const int32_t *) array->buffers[1])[index + conversion->count];

		begin = (const char *) array->buffers[2] + from;
		last = to > from ? (Span){(const char *) array->buffers[2] + to, 0} : (Span){begin, 0};
	}
	run->end = last.data + last.length;
	run->bytes = (size_t) (run->end - begin);
	if (conversion->column->form == FORM_BYTEA)
		run->plain = true;
	else
	{
		TextTraits traits = text_inspect(begin, run->bytes);

		run->plain = traits.ascii && traits.storable;
	}
}

/* May this string be stored as it is, and with how many blanks behind it? */
static bool
check_string(const Conversion *conversion, const StringRun *run, Span text, size_t *padding)
{
	size_t characters = text.length;

	*padding = 0;
	if (!run->plain)
	{
		TextTraits traits = text_inspect(text.data, text.length);

		if (!traits.storable || (!traits.ascii && !conversion->utf8))
			return false;
		characters = traits.characters;
	}
	if (run->limit == 0)
		return true;
	if (run->fixed && characters < run->limit)
		*padding = run->limit - characters;
	return characters <= run->limit;
}

static bool
convert_strings(const Conversion *conversion)
{
	const ArrowType *type = conversion->type;
	StringRun run;
	size_t per_value;
	unsigned char *out;

	arrow_fill_states(conversion);
	if (conversion->count == 0)
		return true;
	inspect_run(conversion, &run);
	per_value = 4 + 3 + (run.fixed ? run.limit : 0);
	out = batch_alloc(conversion->arena, run.bytes + per_value * (size_t) conversion->count + COPY_SLACK,
					  conversion->error);
	if (out == NULL)
		return false;
	for (int64_t i = 0; i < conversion->count; i++)
	{
		Span text;
		size_t padding = 0;

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		text = arrow_bytes(type, conversion->array, conversion->first + i);
		if (((!run.plain || run.limit != 0) && !check_string(conversion, &run, text, &padding)) ||
			text.length > VARLENA_MAX)
		{
			if (!slot_set_input(conversion_slot(conversion, i), conversion->arena, text.data, text.length,
								conversion->error))
				return false;
			continue;
		}
		out = align_varlena(out, text.length + padding);
		conversion->values[i] = (uint64_t) (uintptr_t) out;
		out += varlena_write_header(out, text.length + padding);
		copy_short(out, text.data, text.length, (size_t) (run.end - text.data));
		out += text.length;
		if (padding > 0)
		{
			memset(out, ' ', padding);
			out += padding;
		}
	}
	return true;
}

static bool
convert_uuid(const Conversion *conversion)
{
	size_t bytes = (size_t) conversion->count * 16;
	unsigned char *out = batch_alloc(conversion->arena, bytes, conversion->error);

	if (out == NULL)
		return false;
	arrow_fill_states(conversion);
	if (bytes > 0)
		memcpy(out, arrow_values(conversion->array, 16) + conversion->first * 16, bytes);
	for (int64_t i = 0; i < conversion->count; i++)
		conversion->values[i] = (uint64_t) (uintptr_t) (out + i * 16);
	return true;
}

/* ---- nested values ---------------------------------------------------------------------- */

static bool
convert_nested(const Conversion *conversion, bool literal)
{
	bool json_elements =
		literal && conversion->column->element != NULL && conversion->column->element->form == FORM_JSON;
	Buffer text;
	bool done = true;

	arrow_fill_states(conversion);
	buffer_init(&text, VARLENA_MAX);
	for (int64_t i = 0; done && i < conversion->count; i++)
	{
		int64_t row = conversion->first + i;

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		text.length = 0;
		done = (literal ? arrow_write_literal(conversion->schema, conversion->array, row, json_elements, &text,
											  conversion->error)
						: arrow_write_json(conversion->schema, conversion->array, row, &text, conversion->error)) &&
			   slot_set_input(conversion_slot(conversion, i), conversion->arena, text.data, text.length,
							  conversion->error);
	}
	buffer_release(&text);
	return done;
}

bool
arrow_convert_to_json(const Conversion *conversion)
{
	return convert_nested(conversion, false);
}

static bool
convert_to_literal(const Conversion *conversion)
{
	return convert_nested(conversion, true);
}

static bool
convert_nulls(const Conversion *conversion)
{
	memset(conversion->states, VALUE_NULL, (size_t) conversion->count);
	return true;
}

/* ---- which one ------------------------------------------------------------------------------ */

static ConvertFunction
bytes_converter(const ArrowType *type, ColumnForm form)
{
	switch (form)
	{
		case FORM_BYTEA:
		case FORM_TEXT:
		case FORM_BPCHAR:
			return convert_strings;
		case FORM_UUID:
			return type->width == 16 ? convert_uuid : NULL;
		case FORM_JSON:
		case FORM_ARRAY:
		case FORM_INPUT:
			/* files of old writers do not mark their strings */
			return arrow_convert_by_text;
		default:
			return NULL;
	}
}

static ConvertFunction
uuid_converter(ColumnForm form)
{
	switch (form)
	{
		case FORM_UUID:
			return convert_uuid;
		case FORM_BYTEA:
			return convert_strings;
		case FORM_JSON:
			return arrow_convert_to_json;
		case FORM_TEXT:
		case FORM_BPCHAR:
		case FORM_INPUT:
			return arrow_convert_by_text;
		default:
			return NULL;
	}
}

ConvertFunction
arrow_variable_converter(const ArrowType *type, const ColumnTarget *column)
{
	ColumnForm form = column->form;

	switch (type->kind)
	{
		case ARROW_NULL:
			return convert_nulls;
		case ARROW_STRING:
			return form == FORM_TEXT || form == FORM_BPCHAR ? convert_strings : arrow_convert_by_text;
		case ARROW_BINARY:
		case ARROW_FIXED_BINARY:
			return type->extension == ARROW_EXTENSION_UUID ? uuid_converter(form) : bytes_converter(type, form);
		case ARROW_LIST:
		case ARROW_FIXED_LIST:
			if (form == FORM_ARRAY)
				return convert_to_literal;
			break;
		default:
			break;
	}
	return form == FORM_JSON || form == FORM_TEXT || form == FORM_INPUT ? arrow_convert_to_json : NULL;
}

/* ---- dictionaries ------------------------------------------------------------------------------ */

static bool
bad_index(const Conversion *conversion)
{
	return ingest_fail(conversion->error, INGEST_ERROR_CORRUPT, "a dictionary index is outside its dictionary");
}

/* Each row by itself: the dictionary is long, or the run short. */
static bool
convert_entries_by_row(const Conversion *conversion, const Conversion *entries, const ArrowType *index_type,
					   ConvertFunction convert)
{
	Conversion one = *entries;

	one.count = 1;
	for (int64_t i = 0; i < conversion->count; i++)
	{
		if (conversion->states[i] != VALUE_DATUM)
			continue;
		one.first = arrow_integer(index_type, conversion->array, conversion->first + i);
		if (one.first < 0 || one.first >= entries->array->length)
			return bad_index(conversion);
		one.states = &conversion->states[i];
		one.values = &conversion->values[i];
		if (!convert(&one))
			return false;
	}
	return true;
}

static bool
gather(const Conversion *conversion, const Conversion *entries, const ArrowType *index_type)
{
	for (int64_t i = 0; i < conversion->count; i++)
	{
		int64_t index;

		if (conversion->states[i] != VALUE_DATUM)
			continue;
		index = arrow_integer(index_type, conversion->array, conversion->first + i);
		if (index < 0 || index >= entries->count)
			return bad_index(conversion);
		conversion->states[i] = entries->states[index];
		conversion->values[i] = entries->values[index];
	}
	return true;
}

bool
arrow_convert_dictionary(const Conversion *conversion, const ArrowType *index_type, ConvertFunction convert)
{
	Conversion entries = *conversion;
	uint64_t *values;
	bool done;

	entries.schema = conversion->schema->dictionary;
	entries.array = conversion->array->dictionary;
	entries.first = 0;
	entries.count = entries.array->length;
	arrow_fill_states(conversion);
	if (entries.count > conversion->count * DICTIONARY_ENTRIES_PER_ROW)
		return convert_entries_by_row(conversion, &entries, index_type, convert);
	values = malloc((size_t) (entries.count + 1) * (sizeof(uint64_t) + sizeof(uint8_t)));
	if (values == NULL)
		return ingest_out_of_memory(conversion->error);
	entries.values = values;
	entries.states = (uint8_t *) (values + entries.count + 1);
	done = convert(&entries) && gather(conversion, &entries, index_type);
	free(values);
	return done;
}
