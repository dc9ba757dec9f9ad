/*-------------------------------------------------------------------------
 *
 * float_value.c
 *	  Floats to and from text, with the server's results bit by bit.
 *
 * From text: a decimal whose digits fit the mantissa and whose power of ten is exact is one
 * multiplication or division of two exact numbers, so IEEE gives the correctly rounded
 * result; all else goes through strtod in the C locale.  A float is never made by way of a
 * double: that would round twice.  Overflow and underflow to zero are left to the server,
 * which refuses them.
 *
 * To text: the shortest decimal that reads back as the same number, in the layout of the
 * server's float8out: fixed while -5 < exponent < 15 (6 for a float), else "d.ddde+XX".
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
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

/* ---- to text ---------------------------------------------------------------------- */

/* Lay out "digits" (no trailing zeros) with the decimal exponent of the first one. */
static size_t
lay_out(char *out, bool negative, const char *digits, int count, int exponent, int fixed_below)
{
	char *position = out;

	if (negative)
		*position++ = '-';
	if (exponent < -4 || exponent >= fixed_below)
	{
		*position++ = digits[0];
		if (count > 1)
		{
			*position++ = '.';
			memcpy(position, digits + 1, (size_t) count - 1);
			position += count - 1;
		}
		return (size_t) (position - out) +
			   (size_t) sprintf(position, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	}
	if (exponent < 0)
	{
		memcpy(position, "0.0000", 2 + (size_t) (-1 - exponent));
		position += 1 - exponent;
		memcpy(position, digits, (size_t) count);
		position += count;
	}
	else
	{
		for (int i = 0; i < count || i <= exponent; i++)
		{
			if (i == exponent + 1)
				*position++ = '.';
			*position++ = i < count ? digits[i] : '0';
		}
	}
	*position = '\0';
	return (size_t) (position - out);
}

static size_t
special_to_text(char *out, double value)
{
	const char *text = isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
	size_t length = strlen(text);

	memcpy(out, text, length + 1);
	return length;
}

/* Take "d.ddde+XX" apart; returns the number of digits without trailing zeros. */
static int
split_scientific(const char *text, char *digits, int *exponent)
{
	int count = 0;

	for (; *text != 'e'; text++)
	{
		if (*text >= '0' && *text <= '9')
			digits[count++] = *text;
	}
	*exponent = atoi(text + 1);
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

size_t
float8_to_text(char *out, double value)
{
	char text[FLOAT_TEXT_MAX];
	char digits[FLOAT_TEXT_MAX];
	int exponent;
	int count;

	if (!isfinite(value))
		return special_to_text(out, value);
	pthread_once(&c_locale_once, make_c_locale);
	for (int precision = 14; precision <= 16; precision++)
	{
		snprintf(text, sizeof(text), "%.*e", precision, fabs(value));
		if (precision == 16 || strtod_l(text, NULL, c_locale) == fabs(value))
			break;
	}
	count = split_scientific(text, digits, &exponent);
	return lay_out(out, signbit(value), digits, count, exponent, 15);
}

size_t
float4_to_text(char *out, float value)
{
	char text[FLOAT_TEXT_MAX];
	char digits[FLOAT_TEXT_MAX];
	int exponent;
	int count;

	if (!isfinite(value))
		return special_to_text(out, (double) value);
	pthread_once(&c_locale_once, make_c_locale);
	for (int precision = 5; precision <= 8; precision++)
	{
		snprintf(text, sizeof(text), "%.*e", precision, (double) fabsf(value));
		if (precision == 8 || strtof_l(text, NULL, c_locale) == fabsf(value))
			break;
	}
	count = split_scientific(text, digits, &exponent);
	return lay_out(out, signbit(value), digits, count, exponent, 6);
}
