/*-------------------------------------------------------------------------
 *
 * target.c
 *	  Which column of the target a field of the source feeds.
 *
 * Names compare as SQL names do: a column whose name is its own lower-case folding is
 * found in any case, one that needed quotes only exactly.  An exact match wins over a
 * folded one.  Folding is of ASCII letters only, as the server's is for UTF-8 databases
 * (downcase_identifier).  Nothing here allocates; the target is immutable.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "batch/batch.h"

static unsigned char
fold(unsigned char character)
{
	return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
}

static bool
equals_folded(const char *column, Span name)
{
	for (size_t i = 0; i < name.length; i++)
	{
		if (column[i] == '\0' || fold((unsigned char) column[i]) != fold((unsigned char) name.data[i]))
			return false;
	}
	return column[name.length] == '\0';
}

/*
 * Index of the column that a field called "name" feeds, or -1.
 */
int
target_find_column(const TargetTable *target, Span name)
{
	int folded = -1;

	/* a name with a NUL would match its own prefix */
	if (name.length == 0 || memchr(name.data, '\0', name.length) != NULL)
		return -1;
	for (int i = 0; i < target->column_count; i++)
	{
		const ColumnTarget *column = &target->columns[i];

		if (!equals_folded(column->name, name))
			continue;
		if (memcmp(column->name, name.data, name.length) == 0)
			return i;
		if (folded < 0 && !column->case_sensitive)
			folded = i;
	}
	return folded;
}
