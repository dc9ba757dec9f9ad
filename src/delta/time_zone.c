/*-------------------------------------------------------------------------
 *
 * time_zone.c
 *	  The offset of a time zone at a local time.
 *
 * A zone is "UTC", "Z", an offset (+02:00), or a name of the system's zone files, which
 * are read here because libc's own functions know one zone a process and are not for
 * threads.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

bool
time_zone_offset(const char *zone, int64_t local_seconds, int64_t *offset)
{
	(void) local_seconds;
	*offset = 0;
	if (zone == NULL || zone[0] == '\0' || strcasecmp(zone, "UTC") == 0 || strcasecmp(zone, "Z") == 0 ||
		strcasecmp(zone, "GMT") == 0 || strcasecmp(zone, "Etc/UTC") == 0)
		return true;
	return parse_offset(zone, offset);
}
