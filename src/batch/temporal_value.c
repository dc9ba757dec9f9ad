/*-------------------------------------------------------------------------
 *
 * temporal_value.c
 *	  Dates, times and timestamps between ISO text and the server's numbers.
 *
 * The server counts days (int32) and microseconds (int64) from 2000-01-01 in the proleptic
 * Gregorian calendar.  From text only what has one meaning under every DateStyle and every
 * server setting is taken: four-digit years, valid calendar dates, no 24:00, no second 60.
 * Everything else goes to the server as text, to be taken or refused there.
 *
 * To text any number can be given, also those outside the server's range: their text has a
 * year that the server's input function refuses as out of range (22008), which is how such
 * a value of a file becomes a rejected record with the server's own words.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "batch/batch_internal.h"

int64_t
calendar_days(int64_t year, int month, int day)
{
	/* Years begin in March, so that the leap day is the last one; eras have 400 of them. */
	int64_t shifted = month <= 2 ? year - 1 : year;
	int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t year_of_era = shifted - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468 - EPOCH_DAYS;
}

/* The inverse.  "days" is far from the ends of int64: callers divide microseconds, or come from int32. */
static void
calendar_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t shifted = days + 719468 + EPOCH_DAYS;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted_month = (5 * day_of_year + 2) / 153;

	*day = (int) (day_of_year - (153 * shifted_month + 2) / 5 + 1);
	*month = (int) (shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

/* ---- from text ------------------------------------------------------------------- */

typedef struct Reader
{
	const char *position;
	const char *end;
} Reader;

static inline bool
is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Exactly two digits. */
static inline bool
read_two(Reader *reader, int *out)
{
	const char *text = reader->position;

	if (reader->end - text < 2 || !is_digit(text[0]) || !is_digit(text[1]))
		return false;
	*out = (text[0] - '0') * 10 + (text[1] - '0');
	reader->position += 2;
	return true;
}

static inline bool
read_character(Reader *reader, char character)
{
	if (reader->position == reader->end || *reader->position != character)
		return false;
	reader->position++;
	return true;
}

static bool
read_date(Reader *reader, int64_t *days)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int century;
	int year;
	int month;
	int day;
	bool leap;

	if (!read_two(reader, &century) || !read_two(reader, &year) || !read_character(reader, '-') ||
		!read_two(reader, &month) || !read_character(reader, '-') || !read_two(reader, &day))
		return false;
	year += century * 100;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (year == 0 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && leap))
		return false;
	*days = calendar_days(year, month, day);
	return true;
}

/*
 * The digits behind the decimal point, rounded to microseconds as the server does it: by
 * way of a double, half to even.  Digits behind the fifteenth are beyond what a double tells.
 */
static bool
read_fraction(Reader *reader, int64_t *microseconds)
{
	static const int64_t powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	const char *first = reader->position;
	int64_t value = 0;
	double divisor = 1;
	int digits = 0;

	for (; reader->position < reader->end && is_digit(*reader->position); reader->position++)
	{
		if (digits == 15)
			continue;
		value = value * 10 + (*reader->position - '0');
		divisor *= 10;
		digits++;
	}
	if (reader->position == first)
		return false;
	*microseconds = digits <= 6 ? value * powers[digits] : (int64_t) rint((double) value / divisor * 1000000.0);
	return true;
}

/* hh:mm[:ss[.f]] */
static bool
read_time(Reader *reader, int64_t *microseconds)
{
	int hour;
	int minute;
	int second = 0;
	int64_t fraction = 0;

	if (!read_two(reader, &hour) || !read_character(reader, ':') || !read_two(reader, &minute))
		return false;
	if (read_character(reader, ':'))
	{
		if (!read_two(reader, &second))
			return false;
		if (read_character(reader, '.') && !read_fraction(reader, &fraction))
			return false;
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*microseconds = ((hour * 60 + minute) * 60 + second) * MICROSECONDS_PER_SECOND + fraction;
	return true;
}

/* Z, ±hh, ±hhmm or ±hh:mm, up to 15:59 as in the server. */
static bool
read_zone(Reader *reader, int64_t *offset)
{
	bool west = reader->position < reader->end && *reader->position == '-';
	int hour;
	int minute = 0;

	*offset = 0;
	if (read_character(reader, 'Z') || read_character(reader, 'z'))
		return true;
	if (!read_character(reader, '+') && !read_character(reader, '-'))
		return false;
	if (!read_two(reader, &hour))
		return false;
	if (reader->position < reader->end)
	{
		read_character(reader, ':');
		if (!read_two(reader, &minute))
			return false;
	}
	if (hour > 15 || minute > 59)
		return false;
	*offset = (hour * 60 + minute) * 60 * MICROSECONDS_PER_SECOND;
	if (west)
		*offset = -*offset;
	return true;
}

bool
date_from_text(Span text, int32_t *days)
{
	Reader reader = {text.data, text.data + text.length};
	int64_t result;

	if (text.length != 10 || !read_date(&reader, &result))
		return false;
	*days = (int32_t) result;
	return true;
}

bool
time_from_text(Span text, int64_t *microseconds)
{
	Reader reader = {text.data, text.data + text.length};

	return text.length >= 5 && read_time(&reader, microseconds) && reader.position == reader.end;
}

bool
timestamp_from_text(Span text, int64_t *microseconds, bool *has_zone)
{
	Reader reader = {text.data, text.data + text.length};
	int64_t days;
	int64_t time = 0;
	int64_t offset = 0;

	*has_zone = false;
	if (text.length < 10 || !read_date(&reader, &days))
		return false;
	if (reader.position < reader.end)
	{
		if (!read_character(&reader, ' ') && !read_character(&reader, 'T') && !read_character(&reader, 't'))
			return false;
		if (!read_time(&reader, &time))
			return false;
		/* "2024-01-01 10:00:00 +02" is how some programs print it */
		if (reader.position < reader.end)
		{
			read_character(&reader, ' ');
			if (!read_zone(&reader, &offset) || reader.position != reader.end)
				return false;
			*has_zone = true;
		}
	}
	*microseconds = days * MICROSECONDS_PER_DAY + time - offset;
	return true;
}

int64_t
temporal_round(int64_t microseconds, int fraction_digits)
{
	static const int64_t scales[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	int64_t scale = scales[fraction_digits < 0 ? 0 : fraction_digits > 6 ? 6 : fraction_digits];

	if (microseconds >= 0)
		return (microseconds + scale / 2) / scale * scale;
	return -((-microseconds + scale / 2) / scale * scale);
}

/* ---- to text ----------------------------------------------------------------------- */

static char *
write_two(char *out, int value)
{
	out[0] = (char) ('0' + value / 10);
	out[1] = (char) ('0' + value % 10);
	return out + 2;
}

/* The date without its era; *before_christ says that " BC" is to follow at the end. */
static char *
write_date(char *out, int64_t days, bool *before_christ)
{
	int64_t year;
	int month;
	int day;

	calendar_date(days, &year, &month, &day);
	*before_christ = year <= 0;
	if (*before_christ)
		year = 1 - year;
	out += sprintf(out, "%04" PRId64 "-", year);
	out = write_two(out, month);
	*out++ = '-';
	return write_two(out, day);
}

static char *
write_time(char *out, int64_t seconds, int64_t fraction, int fraction_digits, bool zone)
{
	out = write_two(out, (int) (seconds / 3600));
	*out++ = ':';
	out = write_two(out, (int) (seconds / 60 % 60));
	*out++ = ':';
	out = write_two(out, (int) (seconds % 60));
	if (fraction != 0)
	{
		out += sprintf(out, ".%0*" PRId64, fraction_digits, fraction);
		while (out[-1] == '0')
			out--;
	}
	if (zone)
	{
		memcpy(out, "+00", 3);
		out += 3;
	}
	return out;
}

static size_t
finish(char *start, char *position, bool before_christ)
{
	if (before_christ)
	{
		memcpy(position, " BC", 3);
		position += 3;
	}
	*position = '\0';
	return (size_t) (position - start);
}

size_t
date_to_text(char *out, int64_t days_since_2000)
{
	bool before_christ;
	char *position = write_date(out, days_since_2000, &before_christ);

	return finish(out, position, before_christ);
}

size_t
time_to_text(char *out, int64_t seconds, int64_t fraction, int fraction_digits, bool zone)
{
	return finish(out, write_time(out, seconds, fraction, fraction_digits, zone), false);
}

size_t
timestamp_to_text(char *out, int64_t days_since_2000, int64_t seconds, int64_t fraction, int fraction_digits, bool zone)
{
	bool before_christ;
	char *position = write_date(out, days_since_2000, &before_christ);

	*position++ = ' ';
	return finish(out, write_time(position, seconds, fraction, fraction_digits, zone), before_christ);
}
