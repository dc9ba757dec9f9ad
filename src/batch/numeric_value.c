/*-------------------------------------------------------------------------
 *
 * numeric_value.c
 *	  The server's numeric as bytes, and decimals as text.
 *
 * Layout (numeric.c of the server, all versions since 9.1; host byte order):
 *
 *	  varlena header   1 byte up to 126 bytes behind it, else 4
 *	  uint16 header	   short form: 0x8000 | 0x2000 if negative | display scale << 7 | weight & 0x7f
 *					   long form:  0x4000 if negative | display scale, then int16 weight
 *	  int16 digits[]   base 10000, the most significant first
 *
 * The value is sum(digits[i] * 10000^(weight - i)).  The short form holds display scales up
 * to 63 and weights from -64 to 63; weight is 7 bits, sign bit 0x40 included.  The server
 * never keeps leading or trailing zero digits, and zero is: no digits, weight 0, positive.
 * Equal values must have equal bytes (hashing skips zeros, but index and TOAST code do
 * compare images), so all of that is kept here too.
 *
 * The display scale is the column's scale, or the digits written where it has none.
 * Nothing is ever rounded here: numeric_fit refuses what would need it.
 *
 *-------------------------------------------------------------------------
 */
#include "batch/batch_internal.h"

#define SHORT_FORM 0x8000
#define SHORT_NEGATIVE 0x2000
#define SHORT_SCALE_SHIFT 7
#define SHORT_SCALE_MAX 63
#define SHORT_WEIGHT_MIN (-64)
#define SHORT_WEIGHT_MAX 63
#define SHORT_WEIGHT_MASK 0x7f
#define LONG_NEGATIVE 0x4000

/* 38 digits touch at most 11 groups, as the groups are aligned to the decimal point */
#define GROUPS_WIDE 12
#define GROUPS_TEXT ((NUMERIC_TEXT_DIGITS_MAX + 3) / 4)

/*
 * Write a value given as groups, least significant first; "lowest" is the weight of groups[0].
 */
static size_t
write_groups(unsigned char *out, bool negative, const int16_t *groups, int count, int lowest, int display_scale)
{
	int first = 0;
	int weight;
	size_t header_size;
	size_t length;
	unsigned char *position;
	uint16_t header;

	while (count > 0 && groups[count - 1] == 0)
		count--;
	while (first < count && groups[first] == 0)
		first++;
	weight = count == 0 ? 0 : lowest + count - 1;
	negative = negative && count > 0;

	header_size = display_scale <= SHORT_SCALE_MAX && weight >= SHORT_WEIGHT_MIN && weight <= SHORT_WEIGHT_MAX ? 2 : 4;
	length = header_size + (size_t) (count - first) * 2;
	position = out + varlena_write_header(out, length);
	if (header_size == 2)
		header = (uint16_t) (SHORT_FORM | (negative ? SHORT_NEGATIVE : 0) | (display_scale << SHORT_SCALE_SHIFT) |
							 (weight & SHORT_WEIGHT_MASK));
	else
		header = (uint16_t) ((negative ? LONG_NEGATIVE : 0) | display_scale);
	memcpy(position, &header, 2);
	position += 2;
	if (header_size == 4)
	{
		int16_t wide_weight = (int16_t) weight;

		memcpy(position, &wide_weight, 2);
		position += 2;
	}
	for (int i = count - 1; i >= first; i--, position += 2)
		memcpy(position, &groups[i], 2);
	return (size_t) (position - out);
}

static const int16_t powers[4] = {1, 10, 100, 1000};

size_t
numeric_encode(unsigned char *out, bool negative, uint64_t magnitude, int scale, int display_scale)
{
	int16_t groups[GROUPS_WIDE];
	int count = 0;
	int partial = scale & 3;

	/* The lowest group is cut short by the point: its digits move up to where they count. */
	if (partial != 0)
	{
		groups[count++] = (int16_t) ((int16_t) (magnitude % (uint64_t) powers[partial]) * powers[4 - partial]);
		magnitude /= (uint64_t) powers[partial];
	}
	while (magnitude != 0)
	{
		groups[count++] = (int16_t) (magnitude % NUMERIC_GROUP);
		magnitude /= NUMERIC_GROUP;
	}
	return write_groups(out, negative, groups, count, -((scale + 3) / 4), display_scale);
}

size_t
numeric_encode_wide(unsigned char *out, bool negative, unsigned __int128 magnitude, int scale, int display_scale)
{
	const uint64_t chunk = UINT64_C(10000000000000000); /* four groups */
	int16_t groups[GROUPS_WIDE];
	int count = 0;
	int partial = scale & 3;

	if ((uint64_t) (magnitude >> 64) == 0)
		return numeric_encode(out, negative, (uint64_t) magnitude, scale, display_scale);
	if (partial != 0)
	{
		groups[count++] = (int16_t) ((int16_t) (magnitude % (uint64_t) powers[partial]) * powers[4 - partial]);
		magnitude /= (uint64_t) powers[partial];
	}
	while (magnitude != 0)
	{
		uint64_t low = (uint64_t) (magnitude % chunk);

		magnitude /= chunk;
		for (int i = 0; i < 4 && (magnitude != 0 || low != 0); i++, low /= NUMERIC_GROUP)
			groups[count++] = (int16_t) (low % NUMERIC_GROUP);
	}
	return write_groups(out, negative, groups, count, -((scale + 3) / 4), display_scale);
}

/* ---- from text --------------------------------------------------------------- */

bool
numeric_parse(Span text, NumericParts *parts)
{
	const char *position = text.data;
	const char *end = text.data + text.length;
	const char *first;

	parts->negative = position < end && *position == '-';
	if (position < end && (*position == '-' || *position == '+'))
		position++;
	first = position;
	while (position < end && *position >= '0' && *position <= '9')
		position++;
	parts->integer = (Span){first, (size_t) (position - first)};
	parts->fraction = (Span){position, 0};
	if (position < end && *position == '.')
	{
		first = ++position;
		while (position < end && *position >= '0' && *position <= '9')
			position++;
		parts->fraction = (Span){first, (size_t) (position - first)};
	}
	if (position != end || parts->integer.length + parts->fraction.length == 0)
		return false;
	while (parts->integer.length > 0 && *parts->integer.data == '0')
	{
		parts->integer.data++;
		parts->integer.length--;
	}
	return true;
}

bool
numeric_fit(NumericParts *parts, int precision, int scale, int *display_scale)
{
	Span *fraction = &parts->fraction;

	if (precision == 0)
	{
		*display_scale = (int) fraction->length;
		return parts->integer.length + fraction->length <= NUMERIC_TEXT_DIGITS_MAX;
	}
	/* A negative scale rounds, one above the precision needs zeros behind the point: the server's business. */
	if (scale < 0 || scale > precision || parts->integer.length > (size_t) (precision - scale))
		return false;
	while (fraction->length > (size_t) scale && fraction->data[fraction->length - 1] == '0')
		fraction->length--;
	*display_scale = scale;
	return fraction->length <= (size_t) scale;
}

size_t
numeric_size_max(size_t digits)
{
	/* Two groups more than digits / 4: the point may cut one at either end. */
	return 4 + 4 + (digits / 4 + 2) * 2;
}

size_t
numeric_encode_parts(unsigned char *out, const NumericParts *parts, int display_scale)
{
	size_t total = parts->integer.length + parts->fraction.length;
	int16_t groups[GROUPS_TEXT + 2];
	int count = (int) ((parts->fraction.length + 3) / 4);
	int lowest = -count;
	uint64_t magnitude = 0;

	if (total <= 19)
	{
		for (size_t i = 0; i < parts->integer.length; i++)
			magnitude = magnitude * 10 + (uint64_t) (parts->integer.data[i] - '0');
		for (size_t i = 0; i < parts->fraction.length; i++)
			magnitude = magnitude * 10 + (uint64_t) (parts->fraction.data[i] - '0');
		return numeric_encode(out, parts->negative, magnitude, (int) parts->fraction.length, display_scale);
	}
	for (int i = 0; i < count; i++)
	{
		size_t begin = (size_t) (count - 1 - i) * 4;

		groups[i] = 0;
		for (size_t k = begin; k < begin + 4; k++)
			groups[i] = (int16_t) (groups[i] * 10 + (k < parts->fraction.length ? parts->fraction.data[k] - '0' : 0));
	}
	for (size_t left = parts->integer.length; left > 0;)
	{
		size_t size = left < 4 ? left : 4;

		left -= size;
		groups[count] = 0;
		for (size_t k = left; k < left + size; k++)
			groups[count] = (int16_t) (groups[count] * 10 + (parts->integer.data[k] - '0'));
		count++;
	}
	return write_groups(out, parts->negative, groups, count, lowest, display_scale);
}

/* ---- to text ------------------------------------------------------------------- */

#define WORDS_MAX 8

/* words[] = words[] / 10^9, returning the remainder; words are little-endian. */
static uint32_t
divide_words(uint32_t *words, size_t count)
{
	uint64_t remainder = 0;

	for (size_t i = count; i-- > 0;)
	{
		uint64_t part = remainder << 32 | words[i];

		words[i] = (uint32_t) (part / 1000000000);
		remainder = part % 1000000000;
	}
	return (uint32_t) remainder;
}

/* The digits of the magnitude, least significant first, without leading zeros; returns their number. */
static size_t
decimal_digits(char *digits, const unsigned char *bytes, size_t width, bool *negative)
{
	uint32_t words[WORDS_MAX] = {0};
	size_t count = width / 4;
	size_t length = 0;
	bool zero;

	memcpy(words, bytes, width);
	*negative = (words[count - 1] & 0x80000000) != 0;
	if (*negative)
	{
		uint64_t carry = 1;

		for (size_t i = 0; i < count; i++)
		{
			carry += (uint32_t) ~words[i];
			words[i] = (uint32_t) carry;
			carry >>= 32;
		}
	}
	do
	{
		uint32_t part = divide_words(words, count);

		for (int i = 0; i < 9; i++, part /= 10)
			digits[length++] = (char) ('0' + part % 10);
		zero = true;
		for (size_t i = 0; i < count; i++)
			zero = zero && words[i] == 0;
	} while (!zero);
	while (length > 0 && digits[length - 1] == '0')
		length--;
	return length;
}

size_t
decimal_to_text(char *out, const unsigned char *bytes, size_t width, int scale)
{
	char digits[96];
	bool negative;
	size_t length = decimal_digits(digits, bytes, width, &negative);
	char *position = out;

	if (scale > 220)
		scale = 220; /* hostile schemas only: the text stays within DECIMAL_TEXT_MAX */
	if (scale < -150)
		scale = -150;
	if (negative)
		*position++ = '-';
	if (length <= (size_t) (scale > 0 ? scale : 0))
		*position++ = '0';
	while (length > (size_t) (scale > 0 ? scale : 0))
		*position++ = digits[--length];
	for (int i = scale; i < 0 && !(position == out + 1 && out[0] == '0'); i++)
		*position++ = '0';
	if (scale > 0)
	{
		*position++ = '.';
		for (int i = scale - 1; i >= 0; i--)
			*position++ = (size_t) i < length ? digits[i] : '0';
	}
	*position = '\0';
	return (size_t) (position - out);
}
