/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  The few lines a unit program needs to speak TAP.
 *
 *	  int main(void) { ok(1 + 1 == 2, "sum"); is_int(f(), 3, "f"); return done_testing(); }
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_TAP_H
#define INGEST_TEST_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

static inline bool __attribute__((format(printf, 2, 3))) ok(bool passed, const char *format, ...)
{
	va_list arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	tap_failed += !passed;
	return passed;
}

static inline bool
is_int(int64_t got, int64_t expected, const char *name)
{
	bool passed = ok(got == expected, "%s", name);

	if (!passed)
		printf("#   got %" PRId64 ", expected %" PRId64 "\n", got, expected);
	return passed;
}

static inline bool
is_text(const char *got, const char *expected, const char *name)
{
	bool passed = ok(got == expected || (got && expected && strcmp(got, expected) == 0), "%s", name);

	if (!passed)
		printf("#   got      %s\n#   expected %s\n", got ? got : "(null)", expected ? expected : "(null)");
	return passed;
}

static inline int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
