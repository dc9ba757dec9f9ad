/*-------------------------------------------------------------------------
 *
 * float_value.c
 *	  Floats from text, with the server's results bit by bit.
 *
 * A decimal whose digits fit the mantissa and whose power of ten is exact is one
 * multiplication or division of two exact numbers, so IEEE gives the correctly rounded
 * result; all else goes through strtod in the C locale.  A float is never made by way of a
 * double: that would round twice.  Overflow and underflow to zero are left to the server,
 * which refuses them.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "batch/batch_internal.h"

#define TEXT_MAX 128 /* longer numbers are the server's business */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void
make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
}

/* A plain decimal taken apart: mantissa * 10^exponent. */
typedef struct Decimal
{
	bool negative;
	bool exact; /* the mantissa holds all digits */
	uint64_t mantissa;
	int exponent;
} Decimal;

/* The exponent behind 'e'; false where there is none. */
static bool
scan_exponent(const char *position, const char *end, int *exponent)
{
	bool negative = position < end && *position == '-';
	int value = 0;

	if (position < end && (*position == '-' || *position == '+'))
		position++;
	if (position == end)
		return false;
	for (; position < end; position++)
	{
		if (*position < '0' || *position > '9')
			return false;
		if (value < 100000)
			value = value * 10 + (*position - '0');
	}
	*exponent += negative ? -value : value;
	return true;
}

static bool
scan_decimal(Span text, Decimal *decimal)
{
	const char *position = text.data;
	const char *end = text.data + text.length;
	int digits = 0;
	bool any = false;
	bool point = false;

	*decimal = (Decimal){.exact = true};
	if (position < end && (*position == '-' || *position == '+'))
		decimal->negative = *position++ == '-';
	for (; position < end; position++)
	{
		if (*position == '.' && !point)
		{
			point = true;
			continue;
		}
		if (*position < '0' || *position > '9')
			break;
		any = true;
		if (digits == 19)
		{
			decimal->exact = false;
			continue;
		}
		decimal->mantissa = decimal->mantissa * 10 + (uint64_t) (*position - '0');
		digits += decimal->mantissa != 0;
		decimal->exponent -= point;
	}
	if (!any)
		return false;
	if (position < end && (*position == 'e' || *position == 'E'))
		return scan_exponent(position + 1, end, &decimal->exponent);
	return position == end;
}

/* NaN and the infinities as float8in spells them. */
static bool
special_from_text(Span text, double *out)
{
	bool negative = text.length > 0 && *text.data == '-';

	if (text.length == 3 && strncasecmp(text.data, "NaN", 3) == 0)
	{
		*out = (double) NAN;
		return true;
	}
	if (text.length > 0 && (*text.data == '-' || *text.data == '+'))
	{
		text.data++;
		text.length--;
	}
	if ((text.length == 8 && strncasecmp(text.data, "Infinity", 8) == 0) ||
		(text.length == 3 && strncasecmp(text.data, "inf", 3) == 0))
	{
		*out = negative ? -(double) INFINITY : (double) INFINITY;
		return true;
	}
	return false;
}

/* A NUL-terminated copy for strtod. */
static bool
copy_text(Span text, char copy[TEXT_MAX])
{
	if (text.length >= TEXT_MAX)
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	pthread_once(&c_locale_once, make_c_locale);
	return c_locale != (locale_t) 0;
}

bool
float8_from_text(Span text, double *out)
{
	static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
								  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	Decimal decimal;
	char copy[TEXT_MAX];

	if (!scan_decimal(text, &decimal))
		return special_from_text(text, out);
	if (decimal.exact && decimal.mantissa <= UINT64_C(1) << 53 && decimal.exponent >= -22 && decimal.exponent <= 22)
	{
		double value = (double) decimal.mantissa;

		value = decimal.exponent < 0 ? value / tens[-decimal.exponent] : value * tens[decimal.exponent];
		*out = decimal.negative ? -value : value;
		return true;
	}
	if (!copy_text(text, copy))
		return false;
	errno = 0;
	*out = strtod_l(copy, NULL, c_locale);
	return errno != ERANGE || (*out != 0.0 && !isinf(*out));
}

bool
float4_from_text(Span text, float *out)
{
	static const float tens[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
	Decimal decimal;
	char copy[TEXT_MAX];
	double special;

	if (!scan_decimal(text, &decimal))
	{
		if (!special_from_text(text, &special))
			return false;
		*out = (float) special;
		return true;
	}
	if (decimal.exact && decimal.mantissa <= UINT64_C(1) << 24 && decimal.exponent >= -10 && decimal.exponent <= 10)
	{
		float value = (float) decimal.mantissa;

		value = decimal.exponent < 0 ? value / tens[-decimal.exponent] : value * tens[decimal.exponent];
		*out = decimal.negative ? -value : value;
		return true;
	}
	if (!copy_text(text, copy))
		return false;
	errno = 0;
	*out = strtof_l(copy, NULL, c_locale);
	return errno != ERANGE || (*out != 0.0f && !isinf(*out));
}
