/*-------------------------------------------------------------------------
 *
 * lineitem.c
 *	  lineitem rows of 16 columns, the same for the same seed, on standard output.
 *
 *	  lineitem FORMAT FIRST COUNT [SEED]
 *
 *	  tbl		TPC-H's own: fields separated and ended by |
 *	  csv		the same without the last |
 *	  json		one object a line
 *	  insert	{"insert": {...}} a line
 *	  delete	{"delete": {...}} a line
 *
 * A row depends on its number and the seed alone, so any range can be made again: (l_orderkey, l_linenumber) is unique.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

/* splitmix64: each row seeds it anew */
static uint64_t
next_random(void)
{
	uint64_t value = (state += UINT64_C(0x9E3779B97F4A7C15));

	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

static int64_t
between(int64_t low, int64_t high)
{
	return low + (int64_t) (next_random() % (uint64_t) (high - low + 1));
}

/* days since 1970-01-01 as YYYY-MM-DD (Howard Hinnant's civil_from_days) */
static void
print_date(char *out, int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_index = (5 * day_of_year + 2) / 153;
	int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
	int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
	int64_t year = year_of_era + era * 400 + (month <= 2);

	sprintf(out, "%04d-%02d-%02d", (int) year, (int) month, (int) day);
}

typedef struct Row
{
	int64_t orderkey, partkey, suppkey, linenumber, quantity, extendedprice, discount, tax;
	char returnflag, linestatus;
	char shipdate[16], commitdate[16], receiptdate[16];
	const char *instruct, *mode;
	char comment[48];
} Row;

static void
make_comment(char *out)
{
	static const char *const words[] = {"carefully", "final", "deposits",  "sleep", "quickly",  "ironic",
										"requests",  "among", "furiously", "even",  "accounts", "nag",
										"slyly",     "bold",  "packages",  "haggle"};
	size_t limit = (size_t) between(10, 43);
	size_t length = 0;

	out[0] = '\0';
	for (;;)
	{
		const char *word = words[next_random() % (sizeof(words) / sizeof(words[0]))];

		if (length + strlen(word) + 1 > limit)
			break;
		length += (size_t) sprintf(out + length, "%s%s", length > 0 ? " " : "", word);
	}
}

static void
make_row(Row *row, uint64_t number, uint64_t seed)
{
	static const char *const instructs[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"};
	static const char *const modes[] = {"AIR", "MAIL", "SHIP", "TRUCK", "RAIL", "FOB", "REG AIR"};
	int64_t shipped;

	state = (number + 1) * UINT64_C(0xD1342543DE82EF95) + seed;
	row->orderkey = (int64_t) (number / 4) + 1;
	row->linenumber = (int64_t) (number % 4) + 1;
	row->partkey = between(1, 200000);
	row->suppkey = between(1, 10000);
	row->quantity = between(1, 50) * 100;
	row->extendedprice = between(90000, 10494950);
	row->discount = between(0, 10);
	row->tax = between(0, 8);
	row->returnflag = "ANR"[next_random() % 3];
	row->linestatus = "OF"[next_random() % 2];
	shipped = 8036 + between(0, 2525);
	print_date(row->shipdate, shipped);
	print_date(row->commitdate, shipped + between(-60, 60));
	print_date(row->receiptdate, shipped + between(1, 30));
	row->instruct = instructs[next_random() % 4];
	row->mode = modes[next_random() % 7];
	make_comment(row->comment);
}

#define CENTS "%" PRId64 ".%02" PRId64
#define SPLIT(value) (value) / 100, (value) % 100

static void
print_fields(const Row *row, const char *end)
{
	printf("%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|" CENTS "|" CENTS "|" CENTS "|" CENTS
		   "|%c|%c|%s|%s|%s|%s|%s|%s%s\n",
		   row->orderkey, row->partkey, row->suppkey, row->linenumber, SPLIT(row->quantity), SPLIT(row->extendedprice),
		   SPLIT(row->discount), SPLIT(row->tax), row->returnflag, row->linestatus, row->shipdate, row->commitdate,
		   row->receiptdate, row->instruct, row->mode, row->comment, end);
}

static void
print_object(const Row *row, const char *before, const char *after)
{
	printf("%s{\"l_orderkey\":%" PRId64 ",\"l_partkey\":%" PRId64 ",\"l_suppkey\":%" PRId64 ",\"l_linenumber\":%" PRId64
		   ",\"l_quantity\":" CENTS ",\"l_extendedprice\":" CENTS ",\"l_discount\":" CENTS ",\"l_tax\":" CENTS
		   ",\"l_returnflag\":\"%c\",\"l_linestatus\":\"%c\",\"l_shipdate\":\"%s\",\"l_commitdate\":\"%s\""
		   ",\"l_receiptdate\":\"%s\",\"l_shipinstruct\":\"%s\",\"l_shipmode\":\"%s\",\"l_comment\":\"%s\"}%s\n",
		   before, row->orderkey, row->partkey, row->suppkey, row->linenumber, SPLIT(row->quantity),
		   SPLIT(row->extendedprice), SPLIT(row->discount), SPLIT(row->tax), row->returnflag, row->linestatus,
		   row->shipdate, row->commitdate, row->receiptdate, row->instruct, row->mode, row->comment, after);
}

int
main(int count, char **arguments)
{
	if (count < 4)
	{
		fprintf(stderr, "usage: lineitem tbl|csv|json|insert|delete FIRST COUNT [SEED]\n");
		return 2;
	}
	const char *format = arguments[1];
	uint64_t first = strtoull(arguments[2], NULL, 10);
	uint64_t rows = strtoull(arguments[3], NULL, 10);
	uint64_t seed = count > 4 ? strtoull(arguments[4], NULL, 10) : 1;

	for (uint64_t number = first; number < first + rows; number++)
	{
		Row row;

		make_row(&row, number, seed);
		if (strcmp(format, "tbl") == 0)
			print_fields(&row, "|");
		else if (strcmp(format, "csv") == 0)
			print_fields(&row, "");
		else if (strcmp(format, "json") == 0)
			print_object(&row, "", "");
		else
		{
			char before[32];

			snprintf(before, sizeof(before), "{\"%s\":", format);
			print_object(&row, before, "}");
		}
	}
	return fflush(stdout) != 0 || ferror(stdout);
}
