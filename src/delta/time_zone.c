/*-------------------------------------------------------------------------
 *
 * time_zone.c
 *	  The offset of a time zone at a local time.
 *
 * A zone is "UTC", "Z", an offset (+02:00), or a name of the system's zone files.  Those
 * are read here because libc's functions know one zone a process and are not for
 * threads.  A zone file (RFC 8536):
 *
 *	  header		"TZif", version, 15 bytes, six uint32 counts (big-endian): UT flags, wall
 *					flags, leap seconds, transitions, types, characters
 *	  data			transition times, type of each (1 byte), types (int32 offset, 1 byte DST,
 *					1 byte name), names, leap seconds, flags; times of 4 bytes in version 1
 *	  again			from version 2 on: a second header and data, times of 8 bytes
 *	  footer		a POSIX TZ rule between newlines, for times behind the last transition
 *
 * A local time that happens twice means the first one; one that does not happen is moved
 * on by the gap.  Both are what Spark does with the text of a partition value.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"
#define MAX_ZONE_BYTES 65536
#define HEADER_BYTES 44
#define SECONDS_PER_DAY INT64_C(86400)

/* ---- offsets ----------------------------------------------------------------------------------------- */

static bool
two_digits(const char *text, int64_t *out)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return false;
	*out = (text[0] - '0') * 10 + (text[1] - '0');
	return true;
}

/* +HH, +HHMM, +HH:MM */
static bool
parse_offset(const char *text, int64_t *offset)
{
	int64_t hours;
	int64_t minutes = 0;
	const char *at = text + 1;

	if ((text[0] != '+' && text[0] != '-') || !two_digits(at, &hours))
		return false;
	at += 2;
	if (*at == ':')
		at++;
	if (*at != '\0' && (!two_digits(at, &minutes) || at[2] != '\0'))
		return false;
	*offset = (hours * 60 + minutes) * 60;
	if (text[0] == '-')
		*offset = -*offset;
	return hours <= 18 && minutes <= 59;
}

/* ---- POSIX rules --------------------------------------------------------------------------------------- */

/* Mmonth.week.day, Jn or n, and a time of the day. */
typedef struct RuleDate
{
	char kind;
	int month, week, day;
	int64_t time;
} RuleDate;

typedef struct Rule
{
	int64_t standard; /* east of UTC */
	int64_t daylight;
	bool has_daylight;
	RuleDate begin, end;
} Rule;

/* [+-]h[h][:mm[:ss]] */
static bool
rule_time(const char **at, int64_t *out)
{
	bool negative = **at == '-';
	int64_t parts[3] = {0, 0, 0};

	if (**at == '-' || **at == '+')
		(*at)++;
	for (int i = 0; i < 3; i++)
	{
		if (**at < '0' || **at > '9')
			return false;
		for (; **at >= '0' && **at <= '9' && parts[i] < 1000; (*at)++)
			parts[i] = parts[i] * 10 + (**at - '0');
		if (**at != ':')
			break;
		(*at)++;
	}
	*out = (parts[0] * 60 + parts[1]) * 60 + parts[2];
	if (negative)
		*out = -*out;
	return true;
}

/* Letters, or anything between < and >. */
static bool
rule_name(const char **at)
{
	const char *first = *at;

	if (**at == '<')
	{
		while (**at != '\0' && **at != '>')
			(*at)++;
		return *(*at)++ == '>';
	}
	while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
		(*at)++;
	return *at > first;
}

static bool
rule_date(const char **at, RuleDate *date)
{
	int length = 0;

	date->kind = **at == 'M' || **at == 'J' ? *(*at)++ : 'n';
	if (date->kind == 'M')
	{
		if (sscanf(*at, "%2d.%1d.%1d%n", &date->month, &date->week, &date->day, &length) != 3)
			return false;
	}
	else if (sscanf(*at, "%3d%n", &date->day, &length) != 1)
		return false;
	*at += length;
	date->time = 7200;
	if (**at == '/')
	{
		(*at)++;
		return rule_time(at, &date->time);
	}
	return true;
}

static bool
parse_rule(const char *text, Rule *rule)
{
	const char *at = text;
	int64_t west;

	memset(rule, 0, sizeof(*rule));
	if (!rule_name(&at) || !rule_time(&at, &west))
		return false;
	rule->standard = -west;
	if (*at == '\0')
		return true;
	rule->has_daylight = true;
	rule->daylight = rule->standard + 3600;
	if (!rule_name(&at))
		return false;
	if (*at != ',')
	{
		if (!rule_time(&at, &west))
			return false;
		rule->daylight = -west;
	}
	return *at++ == ',' && rule_date(&at, &rule->begin) && *at++ == ',' && rule_date(&at, &rule->end) && *at == '\0';
}

/* Local seconds since 1970 of a rule's date in a year. */
static int64_t
rule_seconds(const RuleDate *date, int64_t year)
{
	int64_t first = days_from_civil(year, 1, 1);
	int64_t days = first + date->day;

	if (date->kind == 'J')
		days = first + date->day - 1 + (date->day >= 60 && days_from_civil(year, 3, 1) - first == 60);
	else if (date->kind == 'M')
	{
		int64_t month = days_from_civil(year, date->month, 1);
		int64_t next = date->month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, date->month + 1, 1);
		int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

		days = month + (date->day - weekday + 7) % 7 + (date->week - 1) * 7;
		while (days >= next)
			days -= 7;
	}
	return days * SECONDS_PER_DAY + date->time;
}

static int64_t
rule_offset(const Rule *rule, int64_t local)
{
	int64_t year = 1970 + local / 31556952 - (local < 0);
	int64_t shift = rule->daylight - rule->standard;
	int64_t begin;
	int64_t end;

	if (!rule->has_daylight)
		return rule->standard;
	/* the mean length of a year may miss by one */
	while (days_from_civil(year + 1, 1, 1) * SECONDS_PER_DAY <= local)
		year++;
	while (days_from_civil(year, 1, 1) * SECONDS_PER_DAY > local)
		year--;
	begin = rule_seconds(&rule->begin, year); /* in standard time */
	end = rule_seconds(&rule->end, year);     /* in daylight time */
	if (shift > 0)
		begin += shift; /* what does not happen is taken in the offset before */
	else
		end -= shift;
	if (begin < end)
		return local >= begin && local < end ? rule->daylight : rule->standard;
	return local >= end && local < begin ? rule->standard : rule->daylight;
}

/* ---- zone files ------------------------------------------------------------------------------------------- */

typedef struct ZoneData
{
	size_t transitions, types;
	const uint8_t *times; /* 8 bytes each */
	const uint8_t *indexes;
	const uint8_t *infos; /* 6 bytes each */
	Rule rule;
	bool has_rule;
} ZoneData;

static uint64_t
big_endian(const uint8_t *data, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | data[i];
	return value;
}

/* Bytes of the data behind a header whose times have this width; 0: not a header. */
static size_t
data_bytes(const uint8_t *header, size_t width, ZoneData *zone)
{
	size_t counts[6];

	if (memcmp(header, "TZif", 4) != 0)
		return 0;
	for (int i = 0; i < 6; i++)
	{
		counts[i] = (size_t) big_endian(header + 20 + 4 * i, 4);
		if (counts[i] > MAX_ZONE_BYTES)
			return 0;
	}
	zone->transitions = counts[3];
	zone->types = counts[4];
	return counts[3] * (width + 1) + counts[4] * 6 + counts[5] + counts[2] * (width + 4) + counts[1] + counts[0];
}

static bool
parse_zone(uint8_t *bytes, size_t length, ZoneData *zone)
{
	size_t first = length >= HEADER_BYTES ? HEADER_BYTES + data_bytes(bytes, 4, zone) : 0;
	size_t size;
	char *footer;
	char *end;

	if (first <= HEADER_BYTES || bytes[4] < '2' || first > length || length - first < HEADER_BYTES)
		return false;
	size = data_bytes(bytes + first, 8, zone);
	if (size == 0 || zone->types == 0 || size > length - first - HEADER_BYTES)
		return false;
	zone->times = bytes + first + HEADER_BYTES;
	zone->indexes = zone->times + zone->transitions * 8;
	zone->infos = zone->indexes + zone->transitions;
	footer = (char *) bytes + first + HEADER_BYTES + size;
	bytes[length] = '\0';
	if (*footer++ == '\n' && (end = strchr(footer, '\n')) != NULL)
	{
		*end = '\0';
		zone->has_rule = parse_rule(footer, &zone->rule);
	}
	return true;
}

static bool
type_offset(const ZoneData *zone, size_t type, int64_t *offset)
{
	if (type >= zone->types)
		return false;
	*offset = (int32_t) big_endian(zone->infos + type * 6, 4);
	return true;
}

static bool
zone_offset(const ZoneData *zone, int64_t local, int64_t *offset)
{
	int64_t before;

	if (!type_offset(zone, 0, &before))
		return false;
	for (size_t i = 0; i < zone->transitions; i++)
	{
		int64_t time = (int64_t) big_endian(zone->times + 8 * i, 8);
		int64_t after;

		if (!type_offset(zone, zone->indexes[i], &after))
			return false;
		if (local < time + (before > after ? before : after))
		{
			*offset = before;
			return true;
		}
		before = after;
	}
	*offset = zone->has_rule ? rule_offset(&zone->rule, local) : before;
	return true;
}

/* A plain relative name: no way out of the directory. */
static bool
name_is_safe(const char *name)
{
	for (const char *at = name; *at != '\0'; at++)
		if (!((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') ||
			  strchr("_+-/", *at) != NULL))
			return false;
	return name[0] != '/' && strlen(name) < 100;
}

static bool
named_zone_offset(const char *name, int64_t local, int64_t *offset)
{
	char path[sizeof(ZONE_DIRECTORY) + 128];
	uint8_t *bytes;
	ZoneData zone = {0};
	ssize_t length;
	bool done;
	int file;

	if (!name_is_safe(name))
		return false;
	snprintf(path, sizeof(path), "%s/%s", ZONE_DIRECTORY, name);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return false;
	bytes = malloc(MAX_ZONE_BYTES + 1);
	length = bytes != NULL ? read(file, bytes, MAX_ZONE_BYTES) : -1;
	close(file);
	done = length > 0 && parse_zone(bytes, (size_t) length, &zone) && zone_offset(&zone, local, offset);
	free(bytes);
	return done;
}

bool
delta_timezone_is_known(const char *zone)
{
	int64_t offset;

	return time_zone_offset(zone, 0, &offset);
}

bool
time_zone_offset(const char *zone, int64_t local_seconds, int64_t *offset)
{
	*offset = 0;
	if (zone == NULL || zone[0] == '\0' || strcasecmp(zone, "UTC") == 0 || strcasecmp(zone, "Z") == 0)
		return true;
	return parse_offset(zone, offset) || named_zone_offset(zone, local_seconds, offset);
}
