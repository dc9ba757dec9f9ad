/*-------------------------------------------------------------------------
 *
 * nearest.c
 *	  The known name that a misspelt one probably meant.
 *
 * Distance is the number of characters to insert, delete, replace or swap with
 * their neighbour, without regard to case.  A candidate is near when a third of
 * the word's characters or less (at least one) differ.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <string.h>

#include "common/common.h"

#define LONGEST_NAME 100 /* longer words are nobody's misspelling; bounds the stack */

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t smallest = a < b ? a : b;

	return smallest < c ? smallest : c;
}

static size_t
distance_between(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LONGEST_NAME + 1]; /* the row before the last, the last, the current */
	size_t *before = rows[0], *last = rows[1], *current = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++)
	{
		size_t *recycled = before;

		current[0] = i;
		for (size_t j = 1; j <= b_length; j++)
		{
			int x = tolower((unsigned char) a[i - 1]);
			int y = tolower((unsigned char) b[j - 1]);

			current[j] = least(last[j] + 1, current[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char) b[j - 2]) && y == tolower((unsigned char) a[i - 2]) &&
				before[j - 2] + 1 < current[j])
				current[j] = before[j - 2] + 1;
		}
		before = last;
		last = current;
		current = recycled;
	}
	return last[b_length];
}

void
nearest_name_offer(NearestName *nearest, const char *word, const char *candidate)
{
	size_t word_length = strlen(word);
	size_t candidate_length = strlen(candidate);
	size_t allowed = word_length / 3 > 0 ? word_length / 3 : 1;
	size_t distance;

	if (word_length > LONGEST_NAME || candidate_length > LONGEST_NAME)
		return;
	distance = distance_between(word, word_length, candidate, candidate_length);
	if (distance <= allowed && (nearest->name == NULL || distance < nearest->distance))
	{
		nearest->name = candidate;
		nearest->distance = distance;
	}
}
