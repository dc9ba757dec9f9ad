/*-------------------------------------------------------------------------
 *
 * assemble.c
 *	  Levels and dense values of leaves -> Arrow arrays.
 *
 * Each field is built from the leaves below it.  A slot of the field begins at an entry whose definition level reaches
 * the field's slot and whose repetition level does not go beyond it; it is null where the definition level stays below
 * the field's own.  A list's elements begin at the entries that reach its repeated node.
 *
 * All leaves of a struct or list tell the same story about it, since it is written once for each of them; where they
 * differ the file is corrupt, and that is checked for each field with more than one leaf.
 *
 * The batches' buffers become the arrays' buffers: dense values are spread over the slots in place, from the back.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "parquet/arrow_build.h"
#include "parquet/bit_unpack.h"
#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

static bool
assemble_field(const ParquetField *field, LeafBatch *leaves, int64_t slots, struct ArrowArray *out, IngestError *error);

static bool
leaves_disagree(const ParquetField *field, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "columns below \"%s\" do not agree about it", field->name);
}

/* ---- validity ---------------------------------------------------------------------- */

/*
 * A byte for each slot, 1 where it is not null; "present" is null where every slot is.  Where the levels themselves are
 * such bytes they are used as they are.
 */
typedef struct SlotStates
{
	const uint8_t *present;
	uint8_t *owned; /* "present", where it had to be made */
	int64_t null_count;
} SlotStates;

static void
slot_states_release(SlotStates *states)
{
	free(states->owned);
	states->owned = NULL;
	states->present = NULL;
}

static inline bool
begins_slot(const ParquetField *field, const LeafBatch *batch, size_t entry)
{
	return (batch->definitions == NULL || batch->definitions[entry] >= field->slot_definition) &&
		   (batch->repetitions == NULL || batch->repetitions[entry] <= field->slot_repetition);
}

/* Without repetition below the field every entry is a slot. */
static bool
entries_are_slots(const ParquetField *field, const LeafBatch *batch)
{
	return field->slot_definition == 0 && batch->repetitions == NULL;
}

static bool
fill_present(const ParquetField *field, const LeafBatch *batch, int64_t slots, uint8_t *present, int64_t *there,
			 IngestError *error)
{
	int64_t slot = 0;

	*there = 0;
	for (size_t i = 0; i < batch->entry_count; i++)
	{
		if (!begins_slot(field, batch, i))
			continue;
		if (slot == slots)
			return leaves_disagree(field, error);
		present[slot] = batch->definitions[i] >= field->present_definition;
		*there += present[slot++];
	}
	return slot == slots || leaves_disagree(field, error);
}

/* The states of the slots as one leaf tells them. */
static bool
slot_states(const ParquetField *field, const LeafBatch *batch, int64_t slots, SlotStates *out, IngestError *error)
{
	int64_t there = slots;
	bool direct = entries_are_slots(field, batch);
	bool good = true;

	*out = (SlotStates){0};
	if ((direct || batch->definitions == NULL) && (int64_t) batch->entry_count != slots)
		return leaves_disagree(field, error);
	if (batch->definitions == NULL)
		return true;
	if (direct && batch->max_definition == 1 && field->present_definition == 1)
	{
		out->present = batch->definitions;
		out->null_count = slots - (int64_t) kernel_count_equal(out->present, (size_t) slots, 1);
		return true;
	}
	out->owned = malloc(slots > 0 ? (size_t) slots : 1);
	if (out->owned == NULL)
		return ingest_out_of_memory(error);
	if (direct)
		there = (int64_t) kernel_at_least(batch->definitions, (size_t) slots, field->present_definition, out->owned);
	else
		good = fill_present(field, batch, slots, out->owned, &there, error);
	out->present = out->owned;
	out->null_count = slots - there;
	if (!good)
		slot_states_release(out);
	return good;
}

/* Give the array its bitmap, if it needs one. */
static bool
set_validity(struct ArrowArray *array, const SlotStates *states, IngestError *error)
{
	uint8_t *bitmap;

	array->null_count = states->null_count;
	if (states->null_count == 0)
		return true;
	bitmap = malloc((size_t) (array->length + 7) / 8);
	if (bitmap == NULL)
		return ingest_out_of_memory(error);
	bit_pack_booleans(states->present, (size_t) array->length, bitmap);
	arrow_array_set_buffer(array, 0, bitmap);
	return true;
}

/* ---- leaves ------------------------------------------------------------------------ */

static bool
grow_buffer(void **buffer, size_t bytes, IngestError *error)
{
	void *grown = realloc(*buffer, bytes > 0 ? bytes : 1);

	if (grown == NULL)
		return ingest_out_of_memory(error);
	*buffer = grown;
	return true;
}

static bool
finish_booleans(LeafBatch *batch, size_t slots, struct ArrowArray *out, IngestError *error)
{
	uint8_t *bitmap = malloc(slots > 0 ? (slots + 7) / 8 : 1);

	if (bitmap == NULL)
		return ingest_out_of_memory(error);
	bit_pack_booleans(batch->fixed, slots, bitmap);
	arrow_array_set_buffer(out, 1, bitmap);
	return true;
}

static bool
assemble_fixed(const ParquetField *field, LeafBatch *batch, const SlotStates *states, struct ArrowArray *out,
			   IngestError *error)
{
	size_t slots = (size_t) out->length;
	size_t width = (size_t) field->leaf->width;

	if (batch->value_count < slots || batch->fixed == NULL)
	{
		if ((batch->value_capacity < slots || batch->fixed == NULL) &&
			!grow_buffer((void **) &batch->fixed, slots * width, error))
			return false;
		kernel_spread(batch->fixed, states->present, slots, batch->value_count, width);
	}
	if (field->leaf->layout == LAYOUT_BIT)
		return finish_booleans(batch, slots, out, error);
	arrow_array_set_buffer(out, 1, batch->fixed);
	batch->fixed = NULL;
	return true;
}

static bool
assemble_variable(LeafBatch *batch, const uint8_t *present, struct ArrowArray *out, IngestError *error)
{
	VariableValues *values = &batch->variable;
	size_t slots = (size_t) out->length;

	if (values->offsets == NULL || values->data == NULL)
	{
		if (!variable_reserve(values, slots, 0, error))
			return false;
	}
	if (values->count < slots)
	{
		if (values->capacity < slots && !grow_buffer((void **) &values->offsets, (slots + 1) * sizeof(int32_t), error))
			return false;
		kernel_spread_offsets(values->offsets, present, slots, values->count);
	}
	arrow_array_set_buffer(out, 1, values->offsets);
	arrow_array_set_buffer(out, 2, values->data);
	values->offsets = NULL;
	values->data = NULL;
	return true;
}

static void
release_dictionary(void *dictionary)
{
	dictionary_release(dictionary);
}

/* Indices into the column's dictionary, which the array then shares. */
static bool
assemble_indices(const ParquetField *field, LeafBatch *batch, const SlotStates *states, struct ArrowArray *out,
				 IngestError *error)
{
	ParquetDictionary *dictionary = batch->dictionary;
	size_t slots = (size_t) out->length;

	(void) field;
	if (batch->value_count < slots || batch->indices == NULL)
	{
		if ((batch->value_capacity < slots || batch->indices == NULL) &&
			!grow_buffer((void **) &batch->indices, slots * sizeof(uint32_t), error))
			return false;
		kernel_spread((uint8_t *) batch->indices, states->present, slots, batch->value_count, sizeof(uint32_t));
	}
	arrow_array_set_buffer(out, 1, batch->indices);
	batch->indices = NULL;
	if (!arrow_array_add_dictionary(out, dictionary->count, 3, error))
		return false;
	arrow_array_share_buffer(out->dictionary, 1, dictionary->variable.offsets);
	arrow_array_share_buffer(out->dictionary, 2, dictionary->variable.data);
	arrow_array_set_keeper(out->dictionary, (ArrowKeeper){release_dictionary, dictionary});
	batch->dictionary = NULL;
	return true;
}

/* A batch without a dictionary in a column that leaves with one: each value is its own entry. */
static bool
assemble_own_dictionary(LeafBatch *batch, const SlotStates *states, struct ArrowArray *out, IngestError *error)
{
	size_t slots = (size_t) out->length;
	size_t value_count = batch->value_count;
	uint32_t *indices = malloc((slots > 0 ? slots : 1) * sizeof(uint32_t));

	if (indices == NULL)
		return ingest_out_of_memory(error);
	arrow_array_set_buffer(out, 1, indices);
	for (size_t i = 0; i < value_count; i++)
		indices[i] = (uint32_t) i;
	if (value_count < slots)
		kernel_spread((uint8_t *) indices, states->present, slots, value_count, sizeof(uint32_t));
	return arrow_array_add_dictionary(out, (int64_t) value_count, 3, error) &&
		   assemble_variable(batch, NULL, out->dictionary, error);
}

static bool
assemble_values(const ParquetField *field, LeafBatch *batch, const SlotStates *states, struct ArrowArray *out,
				IngestError *error)
{
	if (field->dictionary)
		return batch->is_indices ? assemble_indices(field, batch, states, out, error)
								 : assemble_own_dictionary(batch, states, out, error);
	if (field->leaf->layout == LAYOUT_VARIABLE)
		return assemble_variable(batch, states->present, out, error);
	return assemble_fixed(field, batch, states, out, error);
}

static bool
assemble_leaf(const ParquetField *field, LeafBatch *batch, int64_t slots, struct ArrowArray *out, IngestError *error)
{
	SlotStates states;
	bool null_type = field->leaf->layout == LAYOUT_NULL;
	bool variable = field->leaf->layout == LAYOUT_VARIABLE && !field->dictionary;
	bool good;

	if (!slot_states(field, batch, slots, &states, error))
		return false;
	good = arrow_array_create(out, slots, null_type ? 0 : variable ? 3 : 2, 0, error);
	if (good && null_type)
		out->null_count = slots;
	else if (good)
		good = assemble_values(field, batch, &states, out, error) && set_validity(out, &states, error);
	slot_states_release(&states);
	return good;
}

/* ---- structs ----------------------------------------------------------------------- */

/* Do the field's other leaves have the same slots, null at the same places? */
static bool
check_agreement(const ParquetField *field, const LeafBatch *leaves, int64_t slots, const SlotStates *states,
				IngestError *error)
{
	for (int32_t i = 1; i < field->leaf_count; i++)
	{
		SlotStates other;
		bool same;

		if (!slot_states(field, &leaves[field->first_leaf + i], slots, &other, error))
			return false;
		same = other.null_count == states->null_count &&
			   (states->null_count == 0 || memcmp(other.present, states->present, (size_t) slots) == 0);
		slot_states_release(&other);
		if (!same)
			return leaves_disagree(field, error);
	}
	return true;
}

static bool
assemble_children(const ParquetField *field, LeafBatch *leaves, int64_t slots, struct ArrowArray *out,
				  IngestError *error)
{
	for (int32_t i = 0; i < field->child_count; i++)
	{
		if (!assemble_field(field->children[i], leaves, slots, out->children[i], error))
			return false;
	}
	return true;
}

static bool
assemble_struct(const ParquetField *field, LeafBatch *leaves, int64_t slots, struct ArrowArray *out, IngestError *error)
{
	SlotStates states = {0};
	bool good;

	/* a group without any leaf in the file tells nothing about itself: it counts as there */
	if (field->leaf_count > 0)
	{
		if (!slot_states(field, &leaves[field->first_leaf], slots, &states, error))
			return false;
	}
	good = check_agreement(field, leaves, slots, &states, error) &&
		   arrow_array_create(out, slots, 1, field->child_count, error) && set_validity(out, &states, error) &&
		   assemble_children(field, leaves, slots, out, error);
	slot_states_release(&states);
	return good;
}

/* ---- lists and maps ---------------------------------------------------------------- */

typedef struct ListShape
{
	SlotStates states;
	int32_t *offsets;
	int64_t elements;
} ListShape;

static void
list_shape_release(ListShape *shape)
{
	slot_states_release(&shape->states);
	free(shape->offsets);
	shape->offsets = NULL;
}

static bool
fill_offsets(const ParquetField *field, const LeafBatch *batch, int64_t slots, ListShape *shape, IngestError *error)
{
	int64_t slot = 0;
	int64_t elements = 0;

	for (size_t i = 0; i < batch->entry_count; i++)
	{
		if (begins_slot(field, batch, i))
		{
			if (slot == slots)
				return leaves_disagree(field, error);
			shape->offsets[slot++] = (int32_t) elements;
		}
		if (batch->definitions[i] >= field->element_definition && batch->repetitions[i] <= field->element_repetition)
		{
			if (slot == 0 || elements == INT32_MAX)
				return leaves_disagree(field, error);
			elements++;
		}
	}
	shape->offsets[slots] = (int32_t) elements;
	shape->elements = elements;
	return slot == slots || leaves_disagree(field, error);
}

/* A leaf below a list always has both kinds of levels. */
static bool
list_shape(const ParquetField *field, const LeafBatch *batch, int64_t slots, ListShape *shape, IngestError *error)
{
	memset(shape, 0, sizeof(*shape));
	shape->offsets = malloc(((size_t) slots + 1) * sizeof(int32_t));
	if (shape->offsets == NULL)
		return ingest_out_of_memory(error);
	if (batch->definitions == NULL && batch->entry_count == 0)
	{
		shape->offsets[0] = 0;
		return slots == 0 || leaves_disagree(field, error);
	}
	if (fill_offsets(field, batch, slots, shape, error) && slot_states(field, batch, slots, &shape->states, error))
		return true;
	list_shape_release(shape);
	return false;
}

static bool
check_list_agreement(const ParquetField *field, const LeafBatch *leaves, int64_t slots, const ListShape *shape,
					 IngestError *error)
{
	for (int32_t i = 1; i < field->leaf_count; i++)
	{
		ListShape other;
		bool same;

		if (!list_shape(field, &leaves[field->first_leaf + i], slots, &other, error))
			return false;
		same =
			other.states.null_count == shape->states.null_count &&
			memcmp(other.offsets, shape->offsets, ((size_t) slots + 1) * sizeof(int32_t)) == 0 &&
			(shape->states.null_count == 0 || memcmp(other.states.present, shape->states.present, (size_t) slots) == 0);
		list_shape_release(&other);
		if (!same)
			return leaves_disagree(field, error);
	}
	return true;
}

static bool
assemble_elements(const ParquetField *field, LeafBatch *leaves, int64_t elements, struct ArrowArray *out,
				  IngestError *error)
{
	struct ArrowArray *entries = out->children[0];

	if (field->kind == FIELD_LIST)
		return assemble_field(field->children[0], leaves, elements, entries, error);
	if (!arrow_array_create(entries, elements, 1, 2, error))
		return false;
	return assemble_children(field, leaves, elements, entries, error);
}

static bool
assemble_list(const ParquetField *field, LeafBatch *leaves, int64_t slots, struct ArrowArray *out, IngestError *error)
{
	ListShape shape;
	bool good;

	if (field->leaf_count == 0)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "list \"%s\" has no column below it", field->name);
	if (!list_shape(field, &leaves[field->first_leaf], slots, &shape, error))
		return false;
	good = check_list_agreement(field, leaves, slots, &shape, error) && arrow_array_create(out, slots, 2, 1, error);
	if (good)
	{
		arrow_array_set_buffer(out, 1, shape.offsets);
		shape.offsets = NULL;
		good = set_validity(out, &shape.states, error) && assemble_elements(field, leaves, shape.elements, out, error);
	}
	list_shape_release(&shape);
	return good;
}

static bool
assemble_absent(int64_t slots, struct ArrowArray *out, IngestError *error)
{
	if (!arrow_array_create(out, slots, 0, 0, error))
		return false;
	out->null_count = slots;
	return true;
}

static bool
assemble_field(const ParquetField *field, LeafBatch *leaves, int64_t slots, struct ArrowArray *out, IngestError *error)
{
	switch (field->kind)
	{
		case FIELD_LEAF:
			return assemble_leaf(field, &leaves[field->first_leaf], slots, out, error);
		case FIELD_STRUCT:
			return assemble_struct(field, leaves, slots, out, error);
		case FIELD_LIST:
		case FIELD_MAP:
			return assemble_list(field, leaves, slots, out, error);
		default:
			return assemble_absent(slots, out, error);
	}
}

/*
 * Build the array of "rows" rows out of the leaves' batches, whose buffers are taken out of them; the caller releases the
 * batches in any case.  On failure *out has nothing to release.
 */
bool
assemble_root(const ParquetField *root, LeafBatch *leaves, int64_t rows, struct ArrowArray *out, IngestError *error)
{
	if (arrow_array_create(out, rows, 1, root->child_count, error) && assemble_children(root, leaves, rows, out, error))
		return true;
	if (out->release != NULL)
		out->release(out);
	return false;
}
