/*-------------------------------------------------------------------------
 *
 * partition_value.c
 *	  The text of a partition value as a value of its column's type.
 *
 * The log writes every partition value as a string.  Null, absent and the empty string
 * are null for every type, as the protocol says.  A text that does not parse is an
 * error, never null.  Text from before a type was widened stays as it was written, so
 * each type takes what a narrower one would have written ("2024-01-01" in a column
 * of timestamps, fewer digits behind a decimal's point).
 *
 * Timestamps are "YYYY-MM-DD HH:MM:SS[.f]" or ISO 8601 with T, Z or an offset; without
 * a zone they are in the zone that the caller names, or UTC.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MICROSECONDS_PER_DAY INT64_C(86400000000)

typedef struct Text
{
	const char *at;
	const char *end;
} Text;

/* ---- dates and times ----------------------------------------------------------------------------- */

static bool
take_character(Text *text, char character)
{
	if (text->at == text->end || *text->at != character)
		return false;
	text->at++;
	return true;
}

/* Between "least" and "most" digits. */
static bool
take_number(Text *text, int least, int most, int64_t *out)
{
	int digits = 0;

	for (*out = 0; digits < most && text->at < text->end && *text->at >= '0' && *text->at <= '9'; digits++)
		*out = *out * 10 + (*text->at++ - '0');
	return digits >= least;
}

int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t era;
	int64_t year_of_era;
	int64_t day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int
days_of_month(int64_t year, int64_t month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool
take_date(Text *text, int64_t *days)
{
	bool negative = take_character(text, '-');
	int64_t year;
	int64_t month;
	int64_t day;

	if (!negative)
		(void) take_character(text, '+');
	if (!take_number(text, 4, 6, &year) || !take_character(text, '-') || !take_number(text, 1, 2, &month) ||
		!take_character(text, '-') || !take_number(text, 1, 2, &day))
		return false;
	if (negative)
		year = -year;
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return false;
	*days = days_from_civil(year, month, day);
	return true;
}

/* HH:MM[:SS[.f]]; what is finer than a microsecond is cut off. */
static bool
take_time(Text *text, int64_t *microseconds)
{
	int64_t hour;
	int64_t minute;
	int64_t second = 0;
	int64_t fraction = 0;

	if (!take_number(text, 1, 2, &hour) || !take_character(text, ':') || !take_number(text, 1, 2, &minute))
		return false;
	if (take_character(text, ':'))
	{
		if (!take_number(text, 1, 2, &second))
			return false;
		if (take_character(text, '.'))
		{
			int64_t scale = 100000;
			const char *first = text->at;

			for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++, scale /= 10)
				fraction += (*text->at - '0') * scale;
			if (text->at == first)
				return false;
		}
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*microseconds = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
	return true;
}

/* Z, or +HH[:MM[:SS]]; *offset in seconds. */
static bool
take_zone(Text *text, int64_t *offset)
{
	int64_t hours;
	int64_t minutes = 0;
	int64_t seconds = 0;
	bool negative;

	*offset = 0;
	if (take_character(text, 'Z') || take_character(text, 'z'))
		return true;
	negative = take_character(text, '-');
	if (!negative && !take_character(text, '+'))
		return false;
	if (!take_number(text, 1, 2, &hours))
		return false;
	if ((take_character(text, ':') || text->at < text->end) && !take_number(text, 2, 2, &minutes))
		return false;
	if (take_character(text, ':') && !take_number(text, 2, 2, &seconds))
		return false;
	if (hours > 18 || minutes > 59 || seconds > 59)
		return false;
	*offset = (hours * 60 + minutes) * 60 + seconds;
	if (negative)
		*offset = -*offset;
	return true;
}

static bool
parse_timestamp(Text text, bool has_zone, const char *timezone, int64_t *out)
{
	int64_t days;
	int64_t time = 0;
	int64_t offset = 0;

	if (!take_date(&text, &days))
		return false;
	if (text.at < text.end &&
		(take_character(&text, ' ') || take_character(&text, 'T') || take_character(&text, 't')) &&
		!take_time(&text, &time))
		return false;
	*out = days * MICROSECONDS_PER_DAY + time;
	if (text.at == text.end)
	{
		if (has_zone && !time_zone_offset(timezone, *out / 1000000, &offset))
			return false;
	}
	else if (!take_zone(&text, &offset) || text.at != text.end)
		return false;
	/* a timestamp without zone is what the clock on the wall shows, whatever zone is written behind it */
	if (has_zone)
		*out -= offset * 1000000;
	return true;
}

/* ---- numbers --------------------------------------------------------------------------------------- */

static bool
parse_integer(Span text, int64_t least, int64_t most, int64_t *out)
{
	char copy[32];
	char *end;

	if (text.length >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	if (strspn(copy, "+-0123456789") != text.length)
		return false;
	errno = 0;
	*out = strtoll(copy, &end, 10);
	return errno == 0 && end == copy + text.length && end != copy && *out >= least && *out <= most;
}

static bool
parse_floating(Span text, bool is_single, double *out)
{
	char copy[512];
	char *end;

	if (text.length >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	if (strcmp(copy, "NaN") == 0 || strcmp(copy, "Infinity") == 0 || strcmp(copy, "-Infinity") == 0)
	{
		*out = strtod(copy, &end);
		return true;
	}
	if (strspn(copy, "+-0123456789.eE") != text.length)
		return false;
	*out = is_single ? (double) strtof(copy, &end) : strtod(copy, &end);
	return end == copy + text.length && end != copy;
}

/* Digits with a point and an exponent, as an integer of the column's scale. */
static bool
parse_decimal(Span text, int precision, int scale, uint64_t out[2])
{
	Text rest = {text.data, text.data + text.length};
	bool negative = take_character(&rest, '-');
	__int128 value = 0;
	__int128 limit = 1; /* above every value of the type */
	int64_t places = 0; /* digits behind the point so far */
	int64_t exponent = 0;
	bool point = false;
	bool any = false;

	for (int i = 0; i < precision; i++)
		limit *= 10;
	if (!negative)
		(void) take_character(&rest, '+');
	for (; rest.at < rest.end; rest.at++)
	{
		if (*rest.at == '.' && !point)
		{
			point = true;
			continue;
		}
		if (*rest.at < '0' || *rest.at > '9')
			break;
		any = true;
		if (point && *rest.at == '0' && value >= limit / 10)
			continue; /* zeros behind a full number */
		if (value >= limit / 10 && value > 0)
			return false;
		value = value * 10 + (*rest.at - '0');
		places += point;
	}
	if (rest.at < rest.end && ((!take_character(&rest, 'e') && !take_character(&rest, 'E')) ||
							   !parse_integer((Span){rest.at, (size_t) (rest.end - rest.at)}, -400, 400, &exponent)))
		return false;
	for (places -= exponent; places < scale && value > 0; places++)
	{
		if (value >= limit / 10)
			return false;
		value *= 10;
	}
	for (; places > scale && value > 0; places--)
	{
		if (value % 10 != 0)
			return false;
		value /= 10;
	}
	if (negative)
		value = -value;
	memcpy(out, &value, sizeof(value));
	return any;
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

/* Characters U+0000 to U+00FF stand for bytes; a text with others is its own UTF-8. */
static bool
parse_binary(Span text, Arena *arena, Span *out, IngestError *error)
{
	char *bytes = arena_alloc(arena, text.length + 1);
	size_t length = 0;

	if (bytes == NULL)
		return ingest_out_of_memory(error);
	*out = text;
	for (size_t i = 0; i < text.length; i++)
	{
		unsigned char lead = (unsigned char) text.data[i];

		if (lead < 0x80)
			bytes[length++] = (char) lead;
		else if ((lead == 0xC2 || lead == 0xC3) && i + 1 < text.length)
			bytes[length++] = (char) ((lead & 3) << 6 | ((unsigned char) text.data[++i] & 0x3F));
		else
			return true;
	}
	*out = (Span){bytes, length};
	return true;
}

/* ---- the door of this file ----------------------------------------------------------------------------- */

static bool
parse_boolean(Span text, int64_t *out)
{
	*out = text.length == 4 && strncasecmp(text.data, "true", 4) == 0;
	return *out || (text.length == 5 && strncasecmp(text.data, "false", 5) == 0);
}

static bool
parse_date(Text text, int64_t *out)
{
	return take_date(&text, out) && text.at == text.end;
}

static bool
parse_value(const DeltaField *field, Span span, const char *timezone, PartitionValue *out)
{
	Text text = {span.data, span.data + span.length};

	switch (field->kind)
	{
		case DELTA_TYPE_LONG:
			return parse_integer(span, INT64_MIN, INT64_MAX, &out->integer);
		case DELTA_TYPE_INTEGER:
			return parse_integer(span, INT32_MIN, INT32_MAX, &out->integer);
		case DELTA_TYPE_SHORT:
			return parse_integer(span, INT16_MIN, INT16_MAX, &out->integer);
		case DELTA_TYPE_BYTE:
			return parse_integer(span, INT8_MIN, INT8_MAX, &out->integer);
		case DELTA_TYPE_FLOAT:
		case DELTA_TYPE_DOUBLE:
			return parse_floating(span, field->kind == DELTA_TYPE_FLOAT, &out->floating);
		case DELTA_TYPE_DECIMAL:
			return parse_decimal(span, field->precision, field->scale, out->decimal);
		case DELTA_TYPE_BOOLEAN:
			return parse_boolean(span, &out->integer);
		case DELTA_TYPE_DATE:
			return parse_date(text, &out->integer);
		case DELTA_TYPE_TIMESTAMP:
		case DELTA_TYPE_TIMESTAMP_NTZ:
			return parse_timestamp(text, field->kind == DELTA_TYPE_TIMESTAMP, timezone, &out->integer);
		default:
			return false;
	}
}

bool
partition_value_parse(const DeltaField *field, Span text, const char *timezone, Arena *arena, PartitionValue *out,
					  IngestError *error)
{
	char type[64];

	memset(out, 0, sizeof(*out));
	out->is_null = text.length == 0 || field->kind == DELTA_TYPE_VOID;
	if (out->is_null)
		return true;
	if (field->kind == DELTA_TYPE_BINARY)
		return parse_binary(text, arena, &out->bytes, error);
	out->bytes = text;
	if (field->kind == DELTA_TYPE_STRING || parse_value(field, text, timezone, out))
		return true;
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "invalid value \"%.*s\" of partition column \"%s\" (%s)",
					   (int) (text.length > 200 ? 200 : text.length), text.data, field->name,
					   delta_type_name(field, type));
}
