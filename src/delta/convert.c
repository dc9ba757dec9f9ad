/*-------------------------------------------------------------------------
 *
 * convert.c
 *	  Rows of a file's arrays as arrays of the table's types.
 *
 * Three things happen in one pass: rows under a deletion vector are left out, types are
 * widened, and columns that the file lacks are made.  Where nothing of it is to be done
 * the file's array is passed on as it is; that is the usual case and costs nothing.
 *
 * A selection lists rows of an array, in order, before the array's own offset is added;
 * rows of a struct are at the same places in its children.
 *
 *-------------------------------------------------------------------------
 */
#include "common/variant.h"
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

/* rows null: base, base + 1, ... */
typedef struct Selection
{
	const int64_t *rows;
	int64_t base;
	int64_t count;
} Selection;

static bool convert_column(const ColumnPlan *plan, struct ArrowArray *source, Selection selection,
						   struct ArrowArray *out, IngestError *error);

static inline int64_t
selected(const Selection *selection, int64_t i)
{
	return selection->base + (selection->rows != NULL ? selection->rows[i] : i);
}

/* Buffer 0 of "out", from the source's nulls. */
static bool
copy_validity(const struct ArrowArray *source, const Selection *selection, struct ArrowArray *out, IngestError *error)
{
	uint8_t *bits;
	int64_t nulls = 0;

	if (source->null_count == 0 || source->n_buffers == 0 || source->buffers[0] == NULL)
		return true;
	bits = array_buffer(out, 0, (size_t) out->length / 8 + 1);
	if (bits == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		if (array_is_null(source, selected(selection, i)))
			nulls++;
		else
			bits[i >> 3] |= (uint8_t) (1 << (i & 7));
	}
	out->null_count = nulls;
	return true;
}

/* ---- leaves ------------------------------------------------------------------------------------------------ */

/* Values of a fixed width, as they are. */
#define GATHER(type)                                                                                                   \
	do                                                                                                                 \
	{                                                                                                                  \
		const type *from = (const type *) source->buffers[1] + source->offset;                                         \
		type *to = slots;                                                                                              \
		for (int64_t i = 0; i < out->length; i++)                                                                      \
			to[i] = from[selected(selection, i)];                                                                      \
	} while (0)

typedef struct WideSlot
{
	uint64_t words[2];
} WideSlot;

static bool
gather_fixed(size_t width, const struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
			 IngestError *error)
{
	void *slots = array_buffer(out, 1, (size_t) out->length * width);

	if (slots == NULL)
		return ingest_out_of_memory(error);
	if (width == 1)
		GATHER(uint8_t);
	else if (width == 2)
		GATHER(uint16_t);
	else if (width == 4)
		GATHER(uint32_t);
	else if (width == 8)
		GATHER(uint64_t);
	else
		GATHER(WideSlot);
	return true;
}

static bool
gather_bits(const struct ArrowArray *source, const Selection *selection, struct ArrowArray *out, IngestError *error)
{
	const uint8_t *from = source->buffers[1];
	uint8_t *to = array_buffer(out, 1, (size_t) out->length / 8 + 1);

	if (to == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		int64_t at = source->offset + selected(selection, i);

		to[i >> 3] |= (uint8_t) ((from[at >> 3] >> (at & 7) & 1) << (i & 7));
	}
	return true;
}

/* Where a text or binary value of any of the formats lies; null values have none. */
static Span
bytes_at(const char *format, const struct ArrowArray *source, int64_t row)
{
	struct ArrowSchema schema = {.format = format};
	Span span = {"", 0};

	if (array_is_null(source, row))
		return span;
	if (format[0] == 'w')
	{
		span.length = (size_t) strtol(format + 2, NULL, 10);
		span.data = (const char *) source->buffers[1] + (size_t) (source->offset + row) * span.length;
	}
	else
		(void) array_bytes(&schema, source, row, &span);
	return span;
}

static bool
gather_bytes(const char *format, const struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
			 IngestError *error)
{
	int32_t *offsets = array_buffer(out, 1, (size_t) (out->length + 1) * 4);
	uint64_t total = 0;
	char *data;

	if (offsets == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		total += bytes_at(format, source, selected(selection, i)).length;
		if (total > INT32_MAX)
			return ingest_fail(error, INGEST_ERROR_LIMIT, "more than 2 GB of text in one batch");
		offsets[i + 1] = (int32_t) total;
	}
	data = array_buffer(out, 2, (size_t) total);
	if (data == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		Span span = bytes_at(format, source, selected(selection, i));

		if (span.length > 0)
			memcpy(data + offsets[i], span.data, span.length);
	}
	return true;
}

/* Any integer format as 64 bits; false: an unsigned value above that. */
static bool
integer_at(char format, const void *values, int64_t position, int64_t *out)
{
	switch (format)
	{
		case 'c':
			*out = ((const int8_t *) values)[position];
			return true;
		case 'C':
			*out = ((const uint8_t *) values)[position];
			return true;
		case 's':
			*out = ((const int16_t *) values)[position];
			return true;
		case 'S':
			*out = ((const uint16_t *) values)[position];
			return true;
		case 'i':
			*out = ((const int32_t *) values)[position];
			return true;
		case 'I':
			*out = ((const uint32_t *) values)[position];
			return true;
		default:
			*out = ((const int64_t *) values)[position];
			return format == 'l' || *out >= 0;
	}
}

static bool
store_integer(int64_t value, size_t width, void *slots, int64_t i)
{
	switch (width)
	{
		case 1:
			((int8_t *) slots)[i] = (int8_t) value;
			return value == (int8_t) value;
		case 2:
			((int16_t *) slots)[i] = (int16_t) value;
			return value == (int16_t) value;
		case 4:
			((int32_t *) slots)[i] = (int32_t) value;
			return value == (int32_t) value;
		default:
			((int64_t *) slots)[i] = value;
			return true;
	}
}

/* Units of ts formats and days, to microseconds.  False: out of 64 bits. */
static bool
to_microseconds(const char *format, const void *values, int64_t position, int64_t *out)
{
	int64_t value;

	if (strcmp(format, "tdD") == 0)
		return !__builtin_mul_overflow((int64_t) ((const int32_t *) values)[position], INT64_C(86400000000), out);
	value = ((const int64_t *) values)[position];
	switch (format[2])
	{
		case 's':
			return !__builtin_mul_overflow(value, INT64_C(1000000), out);
		case 'm':
			return !__builtin_mul_overflow(value, INT64_C(1000), out);
		case 'n':
			*out = value / 1000 - (value % 1000 < 0);
			return true;
		default:
			*out = value;
			return true;
	}
}

/* An unscaled decimal from one of fewer digits, or from an integer. */
static bool
to_decimal(const ColumnPlan *plan, const void *values, int64_t position, __int128 *out)
{
	int64_t integer;

	if (plan->source_format[0] == 'd')
		memcpy(out, (const char *) values + (size_t) position * 16, 16);
	else
	{
		(void) integer_at(plan->source_format[0], values, position, &integer);
		*out = integer;
	}
	for (int i = plan->source_scale; i < plan->field->scale; i++)
		if (__builtin_mul_overflow(*out, (__int128) 10, out))
			return false;
	return true;
}

static bool
convert_value(const ColumnPlan *plan, const void *values, int64_t position, void *slots, int64_t i)
{
	const char *format = plan->source_format;
	int64_t integer;

	switch (plan->field->kind)
	{
		case DELTA_TYPE_DOUBLE:
			if (format[0] == 'f')
				((double *) slots)[i] = (double) ((const float *) values)[position];
			else
			{
				(void) integer_at(format[0], values, position, &integer);
				((double *) slots)[i] = (double) integer;
			}
			return true;
		case DELTA_TYPE_TIMESTAMP:
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return to_microseconds(format, values, position, (int64_t *) slots + i);
		case DELTA_TYPE_DECIMAL:
		{
			__int128 decimal;
			bool fits = to_decimal(plan, values, position, &decimal);

			memcpy((char *) slots + (size_t) i * 16, &decimal, 16);
			return fits;
		}
		default:
			return integer_at(format[0], values, position, &integer) &&
				   store_integer(integer, delta_type_width(plan->field->kind), slots, i);
	}
}

static bool
convert_values(const ColumnPlan *plan, const struct ArrowArray *source, const Selection *selection,
			   struct ArrowArray *out, IngestError *error)
{
	void *slots = array_buffer(out, 1, (size_t) out->length * delta_type_width(plan->field->kind));

	if (slots == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		int64_t row = selected(selection, i);
		char type[64];

		if (array_is_null(source, row) || convert_value(plan, source->buffers[1], source->offset + row, slots, i))
			continue;
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "column \"%s\" holds a value out of range for type %s",
						   plan->field->name, delta_type_name(plan->field, type));
	}
	return true;
}

static bool
convert_leaf(const ColumnPlan *plan, const struct ArrowArray *source, const Selection *selection,
			 struct ArrowArray *out, IngestError *error)
{
	const DeltaField *field = plan->field;

	if (!copy_validity(source, selection, out, error))
		return false;
	if (field->kind == DELTA_TYPE_STRING || field->kind == DELTA_TYPE_BINARY)
		return gather_bytes(plan->source_format, source, selection, out, error);
	if (!plan->identity)
		return convert_values(plan, source, selection, out, error);
	if (field->kind == DELTA_TYPE_BOOLEAN)
		return gather_bits(source, selection, out, error);
	return gather_fixed(delta_type_width(field->kind), source, selection, out, error);
}

/* ---- nested ------------------------------------------------------------------------------------------------ */

static bool
convert_struct(const ColumnPlan *plan, struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
			   IngestError *error)
{
	Selection inner = *selection;

	inner.base += source->offset;
	if (!copy_validity(source, selection, out, error))
		return false;
	for (size_t i = 0; i < plan->child_count; i++)
	{
		const ColumnPlan *child = &plan->children[i];

		if (!convert_column(child, child->source >= 0 ? source->children[child->source] : NULL, inner, out->children[i],
							error))
			return false;
	}
	return true;
}

/* The new offsets of a list, and which items of its child they select: a run where all rows are taken in a row, else
 * a list of them (malloc'ed, *rows). */
static bool
select_items(const struct ArrowArray *source, const Selection *selection, struct ArrowArray *out, Selection *items,
			 int64_t **rows, IngestError *error)
{
	const int32_t *from = (const int32_t *) source->buffers[1] + source->offset;
	int32_t *offsets = array_buffer(out, 1, (size_t) (out->length + 1) * 4);
	int64_t total = 0;

	*rows = NULL;
	if (offsets == NULL)
		return ingest_out_of_memory(error);
	for (int64_t i = 0; i < out->length; i++)
	{
		int64_t row = selected(selection, i);

		total += from[row + 1] - from[row];
		offsets[i + 1] = (int32_t) total;
	}
	*items = (Selection){NULL, out->length > 0 ? from[selected(selection, 0)] : 0, total};
	if (selection->rows == NULL)
		return true;
	*rows = malloc((size_t) (total + 1) * sizeof(int64_t));
	if (*rows == NULL)
		return ingest_out_of_memory(error);
	items->rows = *rows;
	items->base = 0;
	for (int64_t i = 0, at = 0; i < out->length; i++)
		for (int64_t item = from[selected(selection, i)]; item < from[selected(selection, i) + 1]; item++)
			(*rows)[at++] = item;
	return true;
}

static bool
convert_entries(const ColumnPlan *plan, struct ArrowArray *source, Selection items, struct ArrowArray *out,
				IngestError *error)
{
	if (!array_create(out, items.count, 1, 2, error))
		return false;
	items.base += source->offset;
	return convert_column(&plan->children[0], source->children[0], items, out->children[0], error) &&
		   convert_column(&plan->children[1], source->children[1], items, out->children[1], error);
}

static bool
convert_list(const ColumnPlan *plan, struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
			 IngestError *error)
{
	Selection items;
	int64_t *rows = NULL;
	bool done;

	done = copy_validity(source, selection, out, error) && select_items(source, selection, out, &items, &rows, error);
	if (done && plan->kind == PLAN_MAP)
		done = convert_entries(plan, source->children[0], items, out->children[0], error);
	else if (done)
		done = convert_column(&plan->children[0], source->children[0], items, out->children[0], error);
	free(rows);
	return done;
}

/* Index of a variant's part in the file's struct, -1 none. */
static int64_t
variant_part(const ColumnPlan *plan, const char *name)
{
	for (int64_t i = 0; i < plan->source_schema->n_children; i++)
		if (strcmp(plan->source_schema->children[i]->name, name) == 0)
			return i;
	return -1;
}

/* One of the two binaries as it stands in the file. */
static bool
gather_variant_part(const ColumnPlan *plan, const char *name, struct ArrowArray *source, Selection selection,
					struct ArrowArray *out, IngestError *error)
{
	static const DeltaField bytes = {.name = "variant", .kind = DELTA_TYPE_BINARY};
	int64_t index = variant_part(plan, name);
	ColumnPlan part = {.kind = PLAN_MISSING, .field = &bytes};

	selection.base += source->offset;
	if (index < 0)
		return convert_column(&part, NULL, selection, out, error);
	part.kind = PLAN_LEAF;
	part.source_format = plan->source_schema->children[index]->format;
	return convert_column(&part, source->children[index], selection, out, error);
}

/* The values of a shredded variant, put together row by row. */
static bool
assemble_variants(const ColumnPlan *plan, struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
				  IngestError *error)
{
	static const DeltaField bytes = {.name = "value", .kind = DELTA_TYPE_BINARY};
	int32_t *offsets;
	void *data;
	Buffer values;
	bool done;

	if (!array_create_for(&bytes, selection->count, out, error))
		return false;
	buffer_init(&values, INT32_MAX);
	offsets = array_buffer(out, 1, (size_t) (selection->count + 1) * 4);
	done = offsets != NULL || ingest_out_of_memory(error);
	for (int64_t i = 0; i < selection->count && done; i++)
	{
		Span metadata;

		done = variant_assemble(plan->source_schema, source, selected(selection, i), &metadata, &values, error);
		offsets[i + 1] = (int32_t) values.length;
	}
	if (done && (data = array_buffer(out, 2, values.length)) == NULL)
		done = ingest_out_of_memory(error);
	if (done && values.length > 0)
		memcpy(data, values.data, values.length);
	buffer_release(&values);
	if (!done)
		array_release(out);
	return done;
}

/* metadata and value as they are; what was shredded is put together first. */
static bool
convert_variant(const ColumnPlan *plan, struct ArrowArray *source, const Selection *selection, struct ArrowArray *out,
				IngestError *error)
{
	if (!copy_validity(source, selection, out, error) ||
		!gather_variant_part(plan, "metadata", source, *selection, out->children[0], error))
		return false;
	if (variant_part(plan, "typed_value") >= 0)
		return assemble_variants(plan, source, selection, out->children[1], error) ||
			   ingest_context(error, "column \"%s\"", plan->field->name);
	return gather_variant_part(plan, "value", source, *selection, out->children[1], error);
}

/* ---- dictionaries ------------------------------------------------------------------------------------------ */

/* The rows' indices, and the file's dictionary behind them. */
static bool
gather_dictionary(struct ArrowArray *source, const Selection *selection, struct ArrowArray *out, IngestError *error)
{
	if (!array_create(out, selection->count, 2, 0, error))
		return false;
	if (!copy_validity(source, selection, out, error) || !gather_fixed(sizeof(int32_t), source, selection, out, error))
	{
		array_release(out);
		return false;
	}
	array_move(source->dictionary, array_dictionary(out));
	return true;
}

/* An array without a dictionary as one in which each row is its own entry. */
static bool
number_rows(struct ArrowArray *entries, struct ArrowArray *out, IngestError *error)
{
	Selection all = {NULL, 0, entries->length};
	int32_t *indices;

	if (!array_create(out, entries->length, 2, 0, error))
		return false;
	indices = array_buffer(out, 1, (size_t) entries->length * sizeof(int32_t));
	if (indices == NULL || !copy_validity(entries, &all, out, error))
	{
		array_release(out);
		return ingest_out_of_memory(error);
	}
	for (int64_t i = 0; i < entries->length; i++)
		indices[i] = (int32_t) i;
	array_move(entries, array_dictionary(out));
	return true;
}

/* A column that leaves as a dictionary array: of the file, or one entry that is said again and again. */
static bool
convert_to_dictionary(const ColumnPlan *plan, struct ArrowArray *source, Selection selection, struct ArrowArray *out,
					  IngestError *error)
{
	ColumnPlan plain = *plan;
	struct ArrowArray entries;
	int64_t count = selection.count;
	bool is_constant = plan->kind == PLAN_MISSING || plan->kind == PLAN_CONSTANT;
	bool done;

	if (!is_constant && source->dictionary != NULL && selection.rows == NULL && selection.base == 0)
	{
		array_move(source, out);
		return true;
	}
	if (!is_constant && source->dictionary != NULL)
		return gather_dictionary(source, &selection, out, error);
	plain.as_dictionary = false;
	if (is_constant)
		selection = (Selection){NULL, 0, 1};
	if (!convert_column(&plain, source, selection, &entries, error))
		return false;
	done = is_constant ? array_repeat(&entries, count, out, error) : number_rows(&entries, out, error);
	array_release(&entries);
	return done;
}

/* ---- columns ------------------------------------------------------------------------------------------------- */

/* May the file's array be passed on?  Only whole: no row is left out or skipped. */
static bool
passes_through(const ColumnPlan *plan, const struct ArrowArray *source, const Selection *selection)
{
	return plan->identity && selection->rows == NULL && selection->base == 0 && source->length >= selection->count &&
		   plan->kind != PLAN_VARIANT;
}

static bool
convert_column(const ColumnPlan *plan, struct ArrowArray *source, Selection selection, struct ArrowArray *out,
			   IngestError *error)
{
	bool done;

	if (plan->as_dictionary)
		return convert_to_dictionary(plan, source, selection, out, error);
	if (plan->kind == PLAN_MISSING)
		return array_nulls(plan->field, selection.count, out, error);
	if (plan->kind == PLAN_CONSTANT)
		return array_constant(plan->field, &plan->constant, selection.count, out, error);
	if (passes_through(plan, source, &selection))
	{
		if (source->length > selection.count)
			source->null_count = -1;
		array_move(source, out);
		out->length = selection.count;
		return true;
	}
	if (!array_create_for(plan->field, selection.count, out, error))
		return false;
	if (plan->kind == PLAN_LEAF)
		done = convert_leaf(plan, source, &selection, out, error);
	else if (plan->kind == PLAN_STRUCT)
		done = convert_struct(plan, source, &selection, out, error);
	else if (plan->kind == PLAN_VARIANT)
		done = convert_variant(plan, source, &selection, out, error);
	else
		done = convert_list(plan, source, &selection, out, error);
	if (!done)
		array_release(out);
	return done;
}

bool
scan_plan_convert(const ScanPlan *plan, struct ArrowArray *source, const int64_t *take, int64_t count,
				  struct ArrowArray *out, IngestError *error)
{
	return convert_column(&plan->root, source, (Selection){take, 0, count}, out, error);
}
