/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Spans, hexadecimal digits and UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "common/common.h"

#include <string.h>

bool
span_equals(Span span, const char *text)
{
	return span.data != NULL && strlen(text) == span.length && memcmp(span.data, text, span.length) == 0;
}

int
hex_digit_value(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

/*
 * Length of the well-formed sequence at data, 0 where there is none.  The second byte's range depends on the
 * first: that is what keeps out overlong forms (E0, F0), surrogates (ED) and code points above U+10FFFF (F4), as
 * the server's own check does.
 */
static size_t
sequence_length(const unsigned char *data, size_t length)
{
	unsigned char first = data[0];
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	size_t needed;

	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		needed = 2;
	else if (first >= 0xE0 && first <= 0xEF)
		needed = 3;
	else if (first >= 0xF0 && first <= 0xF4)
		needed = 4;
	else
		return 0;
	if (needed > length)
		return 0;
	if (first == 0xE0)
		low = 0xA0;
	else if (first == 0xED)
		high = 0x9F;
	else if (first == 0xF0)
		low = 0x90;
	else if (first == 0xF4)
		high = 0x8F;
	if (data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < needed; i++)
		if (data[i] < 0x80 || data[i] > 0xBF)
			return 0;
	return needed;
}

bool
utf8_is_valid(const char *data, size_t length)
{
	const unsigned char *position = (const unsigned char *) data;

	while (length > 0)
	{
		size_t step;

		/* eight ASCII bytes at a time, which is what nearly all text is */
		if (length >= 8)
		{
			uint64_t word;

			memcpy(&word, position, 8);
			if ((word & UINT64_C(0x8080808080808080)) == 0)
			{
				position += 8;
				length -= 8;
				continue;
			}
		}
		step = sequence_length(position, length);
		if (step == 0)
			return false;
		position += step;
		length -= step;
	}
	return true;
}
