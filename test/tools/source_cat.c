/*-------------------------------------------------------------------------
 *
 * source_cat.c
 *	  Runs one source without a server and prints its events, a line each.
 *
 *	  source_cat [options] CONNECTOR.json
 *		--columns NAME:FORM[,...]	the target (bool int2 int4 int8 float4 float8 numeric text bpchar(n)
 *									varchar(n) bytea uuid date time timestamp timestamptz interval json input
 *									and text[] or int4[]; a trailing ! is NOT NULL)
 *		--position FILE				read the stored position from it, keep it there as the catalog would
 *		--probe						the short run only
 *		--check						only the check of the declaration
 *		--rows N, --seconds S		stop after so many rows, or so much time
 *		--slow MS					wait before taking each event
 *		--superuser					with the rights of a superuser
 *		--quiet						no line for rows, only for batches; --silent: neither
 *
 *	  The position file stands in for the catalog: it is written where a transaction would commit, and a move that
 *	  does not begin where the stored one ends is a failure (exit status 3).
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source/source_internal.h"

static struct
{
	const char *columns;
	const char *position;
	bool probe;
	bool check;
	int64_t rows;
	double seconds;
	int slow_ms;
	bool superuser;
	bool quiet;
	bool silent;
} options = {.columns = "id:int8", .rows = INT64_MAX, .seconds = 1e9};

static TargetTable target = {.name = "public.t", .utf8 = true};
static SourcePosition *position; /* as the catalog would hold it */
static int64_t rows_seen;
static int64_t bytes_seen;
static int64_t bad_seen;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "source_cat: %s: %s\n", what, detail);
	exit(2);
}

/* ---- the target -------------------------------------------------------------- */

static const struct
{
	const char *name;
	ColumnForm form;
} forms[] = {{"bool", FORM_BOOLEAN},        {"int2", FORM_INT2},
			 {"int4", FORM_INT4},           {"int8", FORM_INT8},
			 {"float4", FORM_FLOAT4},       {"float8", FORM_FLOAT8},
			 {"numeric", FORM_NUMERIC},     {"text", FORM_TEXT},
			 {"varchar", FORM_TEXT},        {"bpchar", FORM_BPCHAR},
			 {"bytea", FORM_BYTEA},         {"uuid", FORM_UUID},
			 {"date", FORM_DATE},           {"timestamptz", FORM_TIMESTAMPTZ},
			 {"timestamp", FORM_TIMESTAMP}, {"time", FORM_TIME},
			 {"interval", FORM_INTERVAL},   {"json", FORM_JSON},
			 {"input", FORM_INPUT}};

static void
parse_form(char *text, ColumnTarget *column)
{
	char *open = strchr(text, '(');
	char *array = strstr(text, "[]");
	size_t i = 0;

	column->type_name = strdup(text);
	column->fraction_digits = 6;
	if (array != NULL)
	{
		*array = '\0';
		column->form = FORM_ARRAY;
		column->element = calloc(1, sizeof(*column->element));
		column->element->name = column->name;
		parse_form(text, column->element);
		return;
	}
	if (open != NULL)
	{
		/* numeric(10;2): the comma separates columns */
		*open = '\0';
		column->precision = column->length = atoi(open + 1);
		column->scale = strchr(open + 1, ';') == NULL ? 0 : atoi(strchr(open + 1, ';') + 1);
	}
	while (i < sizeof(forms) / sizeof(forms[0]) && strcmp(forms[i].name, text) != 0)
		i++;
	if (i == sizeof(forms) / sizeof(forms[0]))
		die("unknown form", text);
	column->form = forms[i].form;
}

static void
make_target(void)
{
	char *list = strdup(options.columns);

	for (char *next, *item = strtok_r(list, ",", &next); item != NULL; item = strtok_r(NULL, ",", &next))
	{
		char *colon = strchr(item, ':');
		ColumnTarget *column;

		if (colon == NULL)
			die("column without a form", item);
		*colon = '\0';
		target.columns = realloc(target.columns, sizeof(ColumnTarget) * ((size_t) target.column_count + 1));
		column = &target.columns[target.column_count++];
		memset(column, 0, sizeof(*column));
		column->name = strdup(item);
		if (colon[1] != '\0' && colon[strlen(colon + 1)] == '!')
		{
			column->not_null = true;
			colon[strlen(colon + 1)] = '\0';
		}
		parse_form(colon + 1, column);
	}
	free(list);
}

/* ---- the position file ------------------------------------------------------- */

static void
save_position(void)
{
	char path[1024];
	FILE *file;

	if (options.position == NULL)
		return;
	snprintf(path, sizeof(path), "%s.new", options.position);
	file = fopen(path, "w");
	if (file == NULL)
		die("cannot write", path);
	fprintf(file, "source %d %d %s %" PRId64 " %" PRIu64 "\n", position->pinned, position->backfill_completed,
			position->source_identity == NULL ? "-" : position->source_identity, position->messages_passed_over,
			position->seed);
	for (size_t i = 0; i < position->partition_count; i++)
	{
		const KafkaPartitionPosition *p = &position->partitions[i];

		fprintf(file, "kafka %s %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", p->topic,
				p->partition, p->start_offset, p->next_offset, p->end_offset, p->declared_low, p->declared_high);
	}
	for (size_t i = 0; i < position->plan_count; i++)
		fprintf(file, "plan %d %" PRId64 "\n", position->plans[i].plan, position->plans[i].next_row);
	fclose(file);
	if (rename(path, options.position) != 0)
		die("cannot rename", path);
}

/* A copy for the source; null where nothing is stored. */
static SourcePosition *
load_position(void)
{
	FILE *file = options.position == NULL ? NULL : fopen(options.position, "r");
	SourcePosition *loaded;
	char line[1024];

	if (file == NULL)
		return NULL;
	loaded = source_position_create();
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char text[512];
		int pinned, completed;
		KafkaPartitionPosition kafka = {0};
		DatagenPlanPosition plan;

		if (sscanf(line, "source %d %d %511s %" SCNd64 " %" SCNu64, &pinned, &completed, text,
				   &loaded->messages_passed_over, &loaded->seed) == 5)
		{
			loaded->pinned = pinned;
			loaded->backfill_completed = completed;
			loaded->source_identity = strcmp(text, "-") == 0 ? NULL : strdup(text);
		}
		else if (sscanf(line, "kafka %511s %d %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, text,
						&kafka.partition, &kafka.start_offset, &kafka.next_offset, &kafka.end_offset,
						&kafka.declared_low, &kafka.declared_high) == 7)
		{
			kafka.topic = strdup(text);
			loaded->partitions = realloc(loaded->partitions, sizeof(kafka) * (loaded->partition_count + 1));
			loaded->partitions[loaded->partition_count++] = kafka;
		}
		else if (sscanf(line, "plan %d %" SCNd64, &plan.plan, &plan.next_row) == 2)
		{
			loaded->plans = realloc(loaded->plans, sizeof(plan) * (loaded->plan_count + 1));
			loaded->plans[loaded->plan_count++] = plan;
		}
	}
	fclose(file);
	return loaded;
}

static int64_t *
stored_next(const PositionMove *move)
{
	for (size_t i = 0; i < position->partition_count && move->kind == POSITION_KAFKA; i++)
		if (position->partitions[i].partition == move->partition &&
			strcmp(position->partitions[i].topic, move->topic) == 0)
			return &position->partitions[i].next_offset;
	for (size_t i = 0; i < position->plan_count && move->kind == POSITION_DATAGEN; i++)
		if (position->plans[i].plan == move->plan)
			return &position->plans[i].next_row;
	for (size_t i = 0; i < position->file_count && move->kind == POSITION_DELTA_FILE; i++)
		if (position->files[i].file_number == move->file_number)
			return &position->files[i].next_row;
	if (move->kind == POSITION_DELTA_VERSION)
		return &position->next_version;
	return NULL;
}

static void
move_position(const PositionMove *move)
{
	int64_t *next = position == NULL ? NULL : stored_next(move);

	if (next == NULL || *next != move->expected)
	{
		printf("BROKEN move expected %" PRId64 " next %" PRId64 ", stored %" PRId64 "\n", move->expected, move->next,
			   next == NULL ? -1 : *next);
		fflush(stdout);
		_exit(3);
	}
	*next = move->next;
}

/* ---- printing ---------------------------------------------------------------- */

static void
print_bytes(const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] == '\\' || data[i] == '|' || (unsigned char) data[i] < ' ')
			printf("\\x%02x", (unsigned char) data[i]);
		else
			putchar(data[i]);
}

static void
print_datum(const ColumnTarget *column, uint64_t value)
{
	const unsigned char *pointer = (const unsigned char *) (uintptr_t) value;
	uint32_t header;
	double number;
	float single;

	switch (column->form)
	{
		case FORM_BOOLEAN:
			printf("%s", value ? "t" : "f");
			break;
		case FORM_FLOAT4:
			memcpy(&single, &value, sizeof(single));
			printf("%.9g", (double) single);
			break;
		case FORM_FLOAT8:
			memcpy(&number, &value, sizeof(number));
			printf("%.17g", number);
			break;
		case FORM_INT2:
		case FORM_INT4:
		case FORM_INT8:
		case FORM_DATE:
		case FORM_TIME:
		case FORM_TIMESTAMP:
		case FORM_TIMESTAMPTZ:
			printf("%" PRId64, (int64_t) value);
			break;
		case FORM_UUID:
			for (int i = 0; i < 16; i++)
				printf("%02x", pointer[i]);
			break;
		case FORM_NUMERIC:
		case FORM_INTERVAL:
			printf("(%s)", column->type_name);
			break;
		default:
			/* A varlena with a header of one byte, or of four. */
			memcpy(&header, pointer, sizeof(header));
			if (pointer[0] & 1)
				print_bytes((const char *) pointer + 1, (size_t) (pointer[0] >> 1) - 1);
			else
				print_bytes((const char *) pointer + 4, (header >> 2) - 4);
	}
}

static void
print_row(const ChangeBatch *batch, uint32_t row)
{
	static const char *const kinds[] = {"insert", "delete", "update"};
	const Payload *payload =
		batch->payload_count == 0 ? NULL : &batch->payloads[batch->payload_of == NULL ? 0 : batch->payload_of[row]];

	printf("ROW %s", kinds[batch->kinds == NULL ? 0 : batch->kinds[row]]);
	if (payload != NULL && payload->topic != NULL)
		printf(" %s:%d:%" PRId64, payload->topic, payload->partition, payload->offset);
	else
		printf(" %d:%" PRId64, payload == NULL ? -1 : payload->plan, batch->row_numbers[row]);
	for (int i = 0; i < target.column_count; i++)
	{
		const BatchColumn *column = &batch->columns[i];
		const InputText *input;

		printf("|");
		switch (column->states == NULL ? VALUE_MISSING : (ValueState) column->states[row])
		{
			case VALUE_MISSING:
				printf("(missing)");
				break;
			case VALUE_NULL:
				printf("(null)");
				break;
			case VALUE_DATUM:
				print_datum(&target.columns[i], column->values[row]);
				break;
			case VALUE_INPUT:
				input = (const InputText *) (uintptr_t) column->values[row];
				print_bytes(input->data, input->length);
		}
	}
	printf("\n");
}

static void
take_batch(const ChangeBatch *batch)
{
	for (uint32_t i = 0; !options.quiet && i < batch->row_count; i++)
		print_row(batch, i);
	for (uint32_t i = 0; !options.silent && i < batch->bad_count; i++)
		printf("BAD %" PRId64 " %s %s %s\n", batch->payloads[batch->bad[i].payload].offset, batch->bad[i].sqlstate,
			   batch->bad[i].column == NULL ? "-" : batch->bad[i].column, batch->bad[i].message);
	for (uint32_t i = 0; i < batch->move_count; i++)
	{
		const PositionMove *move = &batch->moves[i];

		if (!options.silent)
			printf("MOVE %s %d %" PRId64 " %" PRId64 "\n", move->topic == NULL ? "plan" : move->topic,
				   move->topic == NULL ? move->plan : move->partition, move->expected, move->next);
		move_position(move);
	}
	rows_seen += batch->row_count;
	bad_seen += batch->bad_count;
	bytes_seen += (int64_t) batch->source_bytes;
	if (batch->completes_backfill)
		position->backfill_completed = true;
	if (!options.silent)
		printf("BATCH rows %u bad %u payloads %u bytes %zu%s\n", batch->row_count, batch->bad_count,
			   batch->payload_count, batch_bytes(batch), batch->completes_backfill ? " completes" : "");
	if (batch->completes_backfill && options.silent)
		printf("COMPLETE\n");
	save_position();
}

static SourcePosition *
take_pin(Source *source, SourcePosition *pin)
{
	for (size_t i = 0; i < pin->partition_count; i++)
	{
		const KafkaPartitionPosition *p = &pin->partitions[i];

		printf("PIN %s %d start %" PRId64 " next %" PRId64 " end %" PRId64 " declared %" PRId64 " %" PRId64 "\n",
			   p->topic, p->partition, p->start_offset, p->next_offset, p->end_offset, p->declared_low,
			   p->declared_high);
	}
	for (size_t i = 0; i < pin->plan_count; i++)
		printf("PIN plan %d next %" PRId64 "\n", pin->plans[i].plan, pin->plans[i].next_row);
	printf("PIN pinned %s identity %s passed over %" PRId64 "\n", pin->pinned ? "yes" : "no",
		   pin->source_identity == NULL ? "-" : "known", pin->messages_passed_over);
	source_position_free(position);
	position = pin;
	save_position();
	source_acknowledge_pin(source);
	return NULL;
}

static void
print_status(const SourceStatus *status)
{
	printf("STATUS lag %" PRId64 " seconds %.1f %s", status->lag, status->lag_seconds, status->doing);
	for (size_t i = 0; i < status->watermark_count; i++)
		printf(" [%d: %" PRId64 " %" PRId64 "]", status->watermarks[i].partition, status->watermarks[i].low,
			   status->watermarks[i].high);
	printf("\n");
}

/* False after the last event. */
static bool
take_event(Source *source, SourceEvent *event)
{
	static const char *const levels[] = {"debug", "info", "warning"};

	switch (event->kind)
	{
		case SOURCE_EVENT_PIN:
			event->pin = take_pin(source, event->pin);
			break;
		case SOURCE_EVENT_BATCH:
			take_batch(event->batch);
			break;
		case SOURCE_EVENT_STATUS:
			print_status(&event->status);
			break;
		case SOURCE_EVENT_LOG:
			printf("LOG %s %s\n", levels[event->level], event->text);
			break;
		case SOURCE_EVENT_FINISHED:
			printf("FINISHED\n");
			return false;
		case SOURCE_EVENT_FAILED:
			printf("FAILED %d %s\n", event->error.kind, event->error.message);
			if (event->error.hint[0] != '\0')
				printf("HINT %s\n", event->error.hint);
			return false;
	}
	return true;
}

/* ---- running ----------------------------------------------------------------- */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static int64_t
anonymous_kilobytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	int64_t kilobytes = -1;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %" SCNd64, &kilobytes) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kilobytes;
}

static int
run(Source *source)
{
	double begin = now();
	int64_t peak = 0;
	bool going = true;
	double stopped;

	while (going && rows_seen < options.rows && now() - begin < options.seconds)
	{
		struct pollfd poller = {.fd = source_wakeup_fd(source), .events = POLLIN};
		SourceEvent *event;
		int64_t size;

		if (options.slow_ms > 0)
			usleep((useconds_t) options.slow_ms * 1000);
		poll(&poller, 1, 100);
		event = source_next_event(source);
		if (event == NULL)
			continue;
		going = take_event(source, event);
		source_event_free(event);
		size = anonymous_kilobytes();
		peak = size > peak ? size : peak;
		fflush(stdout);
	}
	stopped = now();
	if (!source_stop(source, 15000))
	{
		printf("STUCK\n");
		fflush(stdout);
		_exit(4);
	}
	printf("END rows %" PRId64 " bad %" PRId64 " bytes %" PRId64 " seconds %.3f stop %.3f anonymous_kb %" PRId64 "\n",
		   rows_seen, bad_seen, bytes_seen, stopped - begin, now() - stopped, peak);
	return 0;
}

static char *
read_file(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	size_t length = 0;
	char *text = NULL;
	size_t got;

	if (file == NULL)
		die("cannot read", path);
	do
	{
		text = realloc(text, length + 65537);
		got = fread(text + length, 1, 65536, file);
		length += got;
	} while (got > 0);
	text[length] = '\0';
	if (file != stdin)
		fclose(file);
	return text;
}

static int
check_only(const char *json, const SourceRights *rights)
{
	IngestError error;
	SourceCheck check;
	JsonValue *connector;
	Arena arena;
	bool good;

	ingest_error_clear(&error);
	arena_init(&arena, (size_t) 64 << 20);
	good = json_parse(json, strlen(json), &arena, &connector, &error) &&
		   source_check(connector, &target, rights, &check, &error);
	if (!good)
		printf("INVALID %d %s\nHINT %s\n", error.kind, error.message, error.hint);
	else
		printf("VALID completes %d follows %d\n", check.completes_backfill, check.follows_after_backfill);
	for (size_t i = 0; good && i < check.warning_count; i++)
		printf("WARNING %s\n", check.warnings[i]);
	arena_release(&arena);
	return good ? 0 : 1;
}

static void
parse_options(int count, char **arguments)
{
	static const struct option names[] = {{"columns", required_argument, NULL, 'c'},
										  {"position", required_argument, NULL, 'p'},
										  {"probe", no_argument, NULL, 'P'},
										  {"check", no_argument, NULL, 'C'},
										  {"rows", required_argument, NULL, 'r'},
										  {"seconds", required_argument, NULL, 's'},
										  {"slow", required_argument, NULL, 'w'},
										  {"superuser", no_argument, NULL, 'S'},
										  {"quiet", no_argument, NULL, 'q'},
										  {"silent", no_argument, NULL, 'Q'},
										  {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(count, arguments, "", names, NULL)) != -1)
		switch (option)
		{
			case 'c':
				options.columns = optarg;
				break;
			case 'p':
				options.position = optarg;
				break;
			case 'P':
				options.probe = true;
				break;
			case 'C':
				options.check = true;
				break;
			case 'r':
				options.rows = atoll(optarg);
				break;
			case 's':
				options.seconds = atof(optarg);
				break;
			case 'w':
				options.slow_ms = atoi(optarg);
				break;
			case 'S':
				options.superuser = true;
				break;
			case 'Q':
				options.silent = true;
				options.quiet = true;
				break;
			case 'q':
				options.quiet = true;
				break;
			default:
				exit(2);
		}
}

int
main(int count, char **arguments)
{
	SourceConfig config = {.connector_name = "t.source", .target = &target};
	IngestError error;
	Source *source;

	parse_options(count, arguments);
	if (optind + 1 != count)
		die("usage", "source_cat [options] CONNECTOR.json");
	make_target();
	source_initialize();
	config.connector_json = read_file(arguments[optind]);
	config.probe_only = options.probe;
	if (options.superuser)
		config.rights = (SourceRights){true, true, true};
	if (options.check)
		return check_only(config.connector_json, &config.rights);
	position = load_position();
	ingest_error_clear(&error);
	if (!source_start(&config, load_position(), &source, &error))
	{
		printf("INVALID %d %s\nHINT %s\n", error.kind, error.message, error.hint);
		return 1;
	}
	return run(source);
}
