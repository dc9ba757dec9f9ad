/*-------------------------------------------------------------------------
 *
 * fuzz_delta_vector.c
 *	  Property: whatever the bytes, a deletion vector is refused or is a set: its rows ascend to
 *	  the greatest one, are as many as its cardinality says (looked at up to a limit), and
 *	  marking a stretch finds exactly those that asking row by row finds.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "delta/delta_internal.h"

#define CHECK(condition) ((condition) ? (void) 0 : abort())
#define MAX_ROWS 5000

static void
check_vector(const DeletionVector *vector)
{
	uint64_t count = 0;
	uint64_t row = 0;
	uint64_t first = 0;

	while (count < MAX_ROWS && deletion_vector_next(vector, first, UINT64_MAX, &row))
	{
		uint8_t mask[64] = {0};

		CHECK(row >= first && row <= deletion_vector_last(vector));
		deletion_vector_mark(vector, row, sizeof(mask), 2, mask);
		CHECK(mask[0] == 2);
		for (size_t i = 1; i < sizeof(mask); i++)
		{
			uint64_t found;

			CHECK(mask[i] == 0 || mask[i] == 2);
			if (i < 4)
				CHECK((mask[i] == 2) == deletion_vector_next(vector, row + i, row + i + 1, &found));
		}
		first = row + 1;
		count++;
	}
	if (count < MAX_ROWS)
		CHECK(count == deletion_vector_cardinality(vector) && (count == 0 || row == deletion_vector_last(vector)));
	else
		CHECK(deletion_vector_cardinality(vector) >= MAX_ROWS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DeletionVector *vector;
	IngestError error;
	size_t length;
	uint8_t *bytes;

	if (deletion_vector_parse(data, size, &vector, &error))
	{
		check_vector(vector);
		deletion_vector_free(vector);
	}
	bytes = malloc(size / 5 * 4 + 1);
	CHECK(bytes != NULL);
	if (z85_decode((Span){(const char *) data, size}, bytes, &length, &error))
		CHECK(length <= size / 5 * 4);
	free(bytes);
	return 0;
}
