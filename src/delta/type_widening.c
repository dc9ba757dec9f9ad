/*-------------------------------------------------------------------------
 *
 * type_widening.c
 *	  Which type changes a table may have gone through.
 *
 * A column's metadata lists them under delta.typeChanges.  The protocol asks a reader to
 * check each, also where no file of an older type is left: an unknown change means an
 * unknown rule for reading the old files.  Files themselves are converted by what their
 * footer says (column_plan.c), not by this history.
 *
 *	  byte -> short -> integer -> long
 *	  float -> double;  byte, short, integer -> double
 *	  date -> timestamp_ntz
 *	  decimal(p,s) -> decimal(p+a, s+b) with a >= b >= 0
 *	  byte, short, integer, long -> a decimal that holds every value (the protocol says
 *	  decimal(10+a, b) and decimal(20+a, b); its preview went down to decimal(3+a, b))
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <string.h>

/* Bytes of an integer type, 0 for another type. */
static int
integer_width(DeltaTypeKind kind)
{
	switch (kind)
	{
		case DELTA_TYPE_BYTE:
			return 1;
		case DELTA_TYPE_SHORT:
			return 2;
		case DELTA_TYPE_INTEGER:
			return 4;
		case DELTA_TYPE_LONG:
			return 8;
		default:
			return 0;
	}
}

/* Decimal digits that hold every value of an integer type. */
static int
integer_digits(int width)
{
	return width == 1 ? 3 : width == 2 ? 5 : width == 4 ? 10 : 19;
}

bool
delta_type_widens(const DeltaField *from, const DeltaField *to)
{
	int from_width = integer_width(from->kind);
	int to_width = integer_width(to->kind);

	if (from->kind == to->kind && from->kind != DELTA_TYPE_DECIMAL)
		return true;
	if (from_width > 0 && to_width > 0)
		return from_width < to_width;
	if (to->kind == DELTA_TYPE_DOUBLE)
		return from->kind == DELTA_TYPE_FLOAT || (from_width > 0 && from_width <= 4);
	if (to->kind == DELTA_TYPE_TIMESTAMP_NTZ)
		return from->kind == DELTA_TYPE_DATE;
	if (to->kind != DELTA_TYPE_DECIMAL)
		return false;
	if (from->kind == DELTA_TYPE_DECIMAL)
		return to->scale >= from->scale && to->precision - from->precision >= to->scale - from->scale;
	if (from_width == 0)
		return false;
	return to->precision - to->scale >= integer_digits(from_width);
}

bool
delta_type_changes_check(const char *column, const JsonValue *changes, IngestError *error)
{
	if (changes == NULL || changes->type == JSON_TYPE_NULL)
		return true;
	if (changes->type != JSON_TYPE_ARRAY)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "column \"%s\": delta.typeChanges is not a list", column);
	for (size_t i = 0; i < changes->count; i++)
	{
		const char *from_name = json_get_string(changes->elements[i], "fromType");
		const char *to_name = json_get_string(changes->elements[i], "toType");
		DeltaField from = {0};
		DeltaField to = {0};

		if (from_name == NULL || to_name == NULL || !delta_type_parse_primitive(from_name, &from) ||
			!delta_type_parse_primitive(to_name, &to) || !delta_type_widens(&from, &to))
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED,
							   "column \"%s\": unsupported change of type from %s to %s", column,
							   from_name != NULL ? from_name : "?", to_name != NULL ? to_name : "?");
	}
	return true;
}
