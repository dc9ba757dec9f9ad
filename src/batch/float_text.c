/*-------------------------------------------------------------------------
 *
 * float_text.c
 *	  Floats to text, digit for digit as the server's float8out and float4out.
 *
 * The text is the shortest decimal that reads back as the same number, and of those the
 * nearest to it.  Like the server's, it lies strictly between the midpoints to the
 * neighbours, so that readers which round ties otherwise read it right too.
 *
 * Most numbers in files were short decimals once: a decimal of up to 15 digits (6 of a float)
 * is recognised by one exact division, since no two such decimals are the same number.
 * The rest is made digit by digit with exact arithmetic (Steele and White's free-format
 * algorithm): the value is remainder / scale, the distances to the midpoints are
 * below / scale and above / scale, and all three are multiplied by ten for each digit.
 *
 * Layout: fixed while -5 < exponent < 15 (6 for a float), else "d.ddde+XX".
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch/batch_internal.h"

#define DIGITS_MAX 24

/* ---- natural numbers ------------------------------------------------------------- */

/* 2^1077 * 10 and 10^324 * 20 fit. */
#define WORDS_MAX 38

typedef struct Natural
{
	int count; /* words in use; the highest is not zero */
	uint32_t words[WORDS_MAX];
} Natural;

static void
natural_set(Natural *number, uint64_t value)
{
	number->words[0] = (uint32_t) value;
	number->words[1] = (uint32_t) (value >> 32);
	number->count = number->words[1] != 0 ? 2 : value != 0;
}

static void
natural_multiply(Natural *number, uint32_t factor)
{
	uint64_t carry = 0;

	for (int i = 0; i < number->count; i++)
	{
		carry += (uint64_t) number->words[i] * factor;
		number->words[i] = (uint32_t) carry;
		carry >>= 32;
	}
	if (carry != 0)
		number->words[number->count++] = (uint32_t) carry;
}

static void
natural_shift(Natural *number, int bits)
{
	int whole = bits / 32;

	if (number->count == 0)
		return;
	natural_multiply(number, UINT32_C(1) << (bits % 32));
	memmove(number->words + whole, number->words, (size_t) number->count * sizeof(uint32_t));
	memset(number->words, 0, (size_t) whole * sizeof(uint32_t));
	number->count += whole;
}

static void
natural_multiply_power(Natural *number, int power_of_ten)
{
	for (; power_of_ten >= 9; power_of_ten -= 9)
		natural_multiply(number, 1000000000);
	for (; power_of_ten > 0; power_of_ten--)
		natural_multiply(number, 10);
}

static int
natural_compare(const Natural *a, const Natural *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (int i = a->count - 1; i >= 0; i--)
	{
		if (a->words[i] != b->words[i])
			return a->words[i] < b->words[i] ? -1 : 1;
	}
	return 0;
}

static void
natural_add(Natural *sum, const Natural *a, const Natural *b)
{
	int count = a->count > b->count ? a->count : b->count;
	uint64_t carry = 0;

	for (int i = 0; i < count; i++)
	{
		carry += (i < a->count ? a->words[i] : 0);
		carry += (i < b->count ? b->words[i] : 0);
		sum->words[i] = (uint32_t) carry;
		carry >>= 32;
	}
	sum->count = count;
	if (carry != 0)
		sum->words[sum->count++] = (uint32_t) carry;
}

/* number -= factor * other, which is not larger. */
static void
natural_subtract(Natural *number, const Natural *other, uint32_t factor)
{
	uint64_t carry = 0;
	uint64_t borrow = 0;

	for (int i = 0; i < number->count; i++)
	{
		uint64_t difference;

		carry += i < other->count ? (uint64_t) other->words[i] * factor : 0;
		difference = (uint64_t) number->words[i] - (uint32_t) carry - borrow;
		number->words[i] = (uint32_t) difference;
		borrow = difference >> 63;
		carry >>= 32;
	}
	while (number->count > 0 && number->words[number->count - 1] == 0)
		number->count--;
}

/* number / other, known to be below ten; number becomes the remainder. */
static int
natural_divide(Natural *number, const Natural *other)
{
	uint64_t dividend;
	uint64_t divisor;
	uint32_t quotient;
	int top = other->count - 1;

	if (natural_compare(number, other) < 0)
		return 0;
	/* From the highest words alone the quotient comes out right or too small by little. */
	dividend = number->words[top] | (number->count > other->count ? (uint64_t) number->words[top + 1] << 32 : 0);
	divisor = (uint64_t) other->words[top] + 1;
	quotient = (uint32_t) (dividend / divisor);
	natural_subtract(number, other, quotient);
	while (natural_compare(number, other) >= 0)
	{
		natural_subtract(number, other, 1);
		quotient++;
	}
	return (int) quotient;
}

/* ---- digits -------------------------------------------------------------------------- */

/* A positive number, and its kind. */
typedef struct Binary
{
	uint64_t mantissa;
	int exponent;      /* value = mantissa * 2^exponent */
	bool narrow_below; /* a power of two: the lower neighbour is half as far */
	double value;
} Binary;

typedef struct Shortest
{
	int count;
	int exponent; /* of the first digit */
	char digits[DIGITS_MAX];
} Shortest;

typedef struct Scaled
{
	Natural remainder;
	Natural scale;
	Natural below;
	Natural above;
} Scaled;

/* Is remainder + above > scale, that is: may the digits so far be rounded up? */
static bool
reaches_above(const Scaled *scaled)
{
	Natural sum;

	natural_add(&sum, &scaled->remainder, &scaled->above);
	return natural_compare(&sum, &scaled->scale) > 0;
}

/* Set up remainder / scale = value / 10^(exponent + 1). */
static void
scale_value(const Binary *binary, Scaled *scaled, int *exponent)
{
	int up = binary->exponent > 0 ? binary->exponent : 0;
	int down = binary->exponent < 0 ? -binary->exponent : 0;
	int extra = binary->narrow_below ? 1 : 0;
	/* may be one too small, never too large */
	int estimate = (int) floor(log10(binary->value) - 1e-10);

	natural_set(&scaled->remainder, binary->mantissa);
	natural_shift(&scaled->remainder, up + 1 + extra);
	natural_set(&scaled->scale, 1);
	natural_shift(&scaled->scale, down + 1 + extra);
	natural_set(&scaled->below, 1);
	natural_shift(&scaled->below, up);
	natural_set(&scaled->above, 1);
	natural_shift(&scaled->above, up + extra);
	if (estimate + 1 >= 0)
		natural_multiply_power(&scaled->scale, estimate + 1);
	else
	{
		natural_multiply_power(&scaled->remainder, -(estimate + 1));
		natural_multiply_power(&scaled->below, -(estimate + 1));
		natural_multiply_power(&scaled->above, -(estimate + 1));
	}
	if (reaches_above(scaled) || natural_compare(&scaled->remainder, &scaled->scale) >= 0)
	{
		natural_multiply(&scaled->scale, 10);
		estimate++;
	}
	*exponent = estimate;
}

static void
make_digits(const Binary *binary, Shortest *shortest)
{
	Scaled scaled;
	bool low = false;
	bool high = false;
	int digit = 0;

	scale_value(binary, &scaled, &shortest->exponent);
	shortest->count = 0;
	while (!low && !high)
	{
		natural_multiply(&scaled.remainder, 10);
		natural_multiply(&scaled.below, 10);
		natural_multiply(&scaled.above, 10);
		digit = natural_divide(&scaled.remainder, &scaled.scale);
		low = natural_compare(&scaled.remainder, &scaled.below) < 0;
		high = reaches_above(&scaled);
		shortest->digits[shortest->count++] = (char) ('0' + digit);
	}
	if (low && high)
	{
		int half;

		natural_multiply(&scaled.remainder, 2);
		half = natural_compare(&scaled.remainder, &scaled.scale);
		high = half > 0 || (half == 0 && digit % 2 != 0);
	}
	/* a nine never goes up: the digit before it would have */
	if (high)
		shortest->digits[shortest->count - 1]++;
}

/* The digits of integer / 10^power. */
static bool
set_short_digits(double integer, int power, Shortest *shortest)
{
	char text[DIGITS_MAX];
	int length = 0;

	for (uint64_t rest = (uint64_t) integer; rest != 0; rest /= 10)
		text[length++] = (char) ('0' + rest % 10);
	shortest->exponent = length - 1 - power;
	shortest->count = 0;
	while (length > 0)
		shortest->digits[shortest->count++] = text[--length];
	while (shortest->count > 1 && shortest->digits[shortest->count - 1] == '0')
		shortest->count--;
	return true;
}

static bool
short_double(double value, Shortest *shortest)
{
	static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
								  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

	for (int power = 0; power <= 22; power++)
	{
		double integer = rint(value * tens[power]);

		if (integer >= 1e15)
			return false;
		if (integer >= 1 && integer / tens[power] == value)
			return set_short_digits(integer, power, shortest);
	}
	return false;
}

static bool
short_float(float value, Shortest *shortest)
{
	static const float tens[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f};

	for (int power = 0; power <= 10; power++)
	{
		float integer = rintf(value * tens[power]);

		if (integer >= 1e6f)
			return false;
		if (integer >= 1 && integer / tens[power] == value)
			return set_short_digits((double) integer, power, shortest);
	}
	return false;
}

/* ---- layout ---------------------------------------------------------------------------- */

static char *
lay_out_fixed(char *out, const Shortest *shortest)
{
	if (shortest->exponent < 0)
	{
		memcpy(out, "0.0000", 2 + (size_t) (-1 - shortest->exponent));
		out += 1 - shortest->exponent;
		memcpy(out, shortest->digits, (size_t) shortest->count);
		return out + shortest->count;
	}
	for (int i = 0; i < shortest->count || i <= shortest->exponent; i++)
	{
		if (i == shortest->exponent + 1)
			*out++ = '.';
		*out++ = i < shortest->count ? shortest->digits[i] : '0';
	}
	return out;
}

static char *
lay_out_scientific(char *out, const Shortest *shortest)
{
	*out++ = shortest->digits[0];
	if (shortest->count > 1)
	{
		*out++ = '.';
		memcpy(out, shortest->digits + 1, (size_t) shortest->count - 1);
		out += shortest->count - 1;
	}
	return out + sprintf(out, "e%c%02d", shortest->exponent < 0 ? '-' : '+', abs(shortest->exponent));
}

static size_t
lay_out(char *out, bool negative, const Shortest *shortest, int fixed_below)
{
	char *position = out;

	if (negative)
		*position++ = '-';
	if (shortest->exponent < -4 || shortest->exponent >= fixed_below)
		position = lay_out_scientific(position, shortest);
	else
		position = lay_out_fixed(position, shortest);
	*position = '\0';
	return (size_t) (position - out);
}

/* Zero, NaN and the infinities. */
static size_t
special_to_text(char *out, double value)
{
	const char *text = isnan(value) ? "NaN"
					   : value == 0 ? (signbit(value) ? "-0" : "0")
					   : value < 0  ? "-Infinity"
									: "Infinity";
	size_t length = strlen(text);

	memcpy(out, text, length + 1);
	return length;
}

size_t
float8_to_text(char *out, double value)
{
	uint64_t bits;
	uint64_t fraction;
	int exponent;
	Shortest shortest;
	Binary binary;

	if (!isfinite(value) || value == 0)
		return special_to_text(out, value);
	if (!short_double(fabs(value), &shortest))
	{
		memcpy(&bits, &value, sizeof(bits));
		fraction = bits & ((UINT64_C(1) << 52) - 1);
		exponent = (int) (bits >> 52 & 0x7ff);
		binary.mantissa = exponent == 0 ? fraction : fraction | UINT64_C(1) << 52;
		binary.exponent = (exponent == 0 ? 1 : exponent) - 1075;
		binary.narrow_below = fraction == 0 && exponent > 1;
		binary.value = fabs(value);
		make_digits(&binary, &shortest);
	}
	return lay_out(out, signbit(value), &shortest, 15);
}

size_t
float4_to_text(char *out, float value)
{
	uint32_t bits;
	uint32_t fraction;
	int exponent;
	Shortest shortest;
	Binary binary;

	if (!isfinite(value) || value == 0)
		return special_to_text(out, (double) value);
	if (!short_float(fabsf(value), &shortest))
	{
		memcpy(&bits, &value, sizeof(bits));
		fraction = bits & ((UINT32_C(1) << 23) - 1);
		exponent = (int) (bits >> 23 & 0xff);
		binary.mantissa = exponent == 0 ? fraction : fraction | UINT32_C(1) << 23;
		binary.exponent = (exponent == 0 ? 1 : exponent) - 150;
		binary.narrow_below = fraction == 0 && exponent > 1;
		binary.value = (double) fabsf(value);
		make_digits(&binary, &shortest);
	}
	return lay_out(out, signbit(value), &shortest, 6);
}
