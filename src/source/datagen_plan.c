/*-------------------------------------------------------------------------
 *
 * datagen_plan.c
 *	  The declaration of datagen, checked against the target as far as it can be without
 *	  making a row: what Feldera only finds (or panics about) at the first row is an
 *	  error here.
 *
 * What Feldera accepts and the table may refuse row by row (a text that outgrows char(1), NULLs for a
 * NOT NULL column) is accepted with a warning.
 *
 * Memory: everything lies in the caller's arena, values point into the tree.  All errors are INVALID
 * with the JSON path.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/datagen_internal.h"

#define PATH DATAGEN_PATH
#define MAX_PLANS 10000

/* What is handed down while parsing. */
typedef struct Parser
{
	const TargetTable *target;
	Arena *arena;
	SourceCheck *check;
	IngestError *error;
} Parser;

static void warn(const Parser *parser, const char *format, ...) INGEST_PRINTF(2, 3);

/* More warnings than there is room for end in "and others". */
static void
warn(const Parser *parser, const char *format, ...)
{
	SourceCheck *check = parser->check;
	size_t room = check == NULL ? 0 : sizeof(check->warnings) / sizeof(check->warnings[0]);
	va_list arguments;

	if (check == NULL)
		return;
	if (check->warning_count == room)
	{
		snprintf(check->warnings[room - 1], sizeof(check->warnings[0]),
				 "other settings of datagen will lead to rejected rows as well");
		return;
	}
	va_start(arguments, format);
	vsnprintf(check->warnings[check->warning_count++], sizeof(check->warnings[0]), format, arguments);
	va_end(arguments);
}

/* ---- one field ----------------------------------------------------------------- */

static DatagenKind
kind_of(const ColumnTarget *column)
{
	if (column == NULL)
		return DATAGEN_INTEGER;
	switch (column->form)
	{
		case FORM_BOOLEAN:
			return DATAGEN_BOOLEAN;
		case FORM_INT2:
		case FORM_INT4:
		case FORM_INT8:
			return DATAGEN_INTEGER;
		case FORM_FLOAT4:
		case FORM_FLOAT8:
			return DATAGEN_REAL;
		case FORM_NUMERIC:
			return DATAGEN_DECIMAL;
		case FORM_TEXT:
		case FORM_BPCHAR:
			return DATAGEN_TEXT;
		case FORM_BYTEA:
			return DATAGEN_BYTES;
		case FORM_UUID:
			return DATAGEN_UUID;
		case FORM_DATE:
			return DATAGEN_DATE;
		case FORM_TIME:
			return DATAGEN_TIME;
		case FORM_TIMESTAMP:
		case FORM_TIMESTAMPTZ:
			return DATAGEN_TIMESTAMP;
		case FORM_ARRAY:
			return DATAGEN_ARRAY;
		case FORM_INTERVAL:
		case FORM_JSON:
		case FORM_INPUT:
			break;
	}
	return DATAGEN_NULL;
}

static bool
parse_strategy(const JsonValue *settings, DatagenField *field, IngestError *error)
{
	const JsonValue *value = json_get(settings, "strategy");
	const char *name = json_get_string(settings, "strategy");

	field->strategy = DATAGEN_INCREMENT;
	if (value == NULL || (name != NULL && strcmp(name, "increment") == 0))
		return true;
	if (name != NULL && strcmp(name, "uniform") == 0)
		field->strategy = DATAGEN_UNIFORM;
	else if (name != NULL && strcmp(name, "zipf") == 0)
		field->strategy = DATAGEN_ZIPF;
	else
	{
		field->strategy = DATAGEN_NAMED;
		field->named = name == NULL ? NULL : text_strategy_find(name);
		if (field->named == NULL)
		{
			ingest_fail(error, INGEST_ERROR_INVALID, "%s.strategy: unknown strategy \"%.50s\"", field->path,
						name == NULL ? "" : name);
			return ingest_hint(error, "Strategies are increment, uniform, zipf and, for texts, word, words, sentence, "
									  "first_name, email, city_name, and others of that kind.");
		}
		if (field->kind != DATAGEN_TEXT && !(field->column != NULL && field->column->form == FORM_INPUT))
			return ingest_fail(error, INGEST_ERROR_INVALID, "%s: invalid strategy \"%s\" for type %s", field->path,
							   name, field->column == NULL ? "byte" : field->column->type_name);
	}
	return true;
}

/* How many ranks zipf has; 0 where it has none. */
static WideUnsigned
zipf_extent(const DatagenField *field)
{
	WideInteger width = field->high - field->low;

	if (field->value_count > 0)
		return field->value_count;
	switch (field->kind)
	{
		case DATAGEN_BOOLEAN:
			return 2;
		case DATAGEN_INTEGER:
			return (WideUnsigned) (field->has_range ? width : field->high);
		case DATAGEN_DECIMAL:
			if (!field->has_range)
				width = field->high;
			for (int i = 0; i < field->digits; i++)
				width /= 10;
			return (WideUnsigned) width;
		case DATAGEN_REAL:
			return field->has_range && field->real_high - field->real_low < 0x1.0p63
					   ? (WideUnsigned) (field->real_high - field->real_low)
					   : 0;
		case DATAGEN_TEXT:
		case DATAGEN_BYTES:
		case DATAGEN_ARRAY:
			return (WideUnsigned) field->high;
		case DATAGEN_DATE:
		case DATAGEN_TIME:
		case DATAGEN_TIMESTAMP:
			return (WideUnsigned) width;
		case DATAGEN_UUID:
		case DATAGEN_NULL:
			break;
	}
	return 0;
}

/* Feldera's range [0, 1] of decimals has no whole step and still gives its lower bound. */
static bool
init_zipf(DatagenField *field, IngestError *error)
{
	WideUnsigned extent = zipf_extent(field);

	if (field->kind == DATAGEN_UUID && field->value_count == 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: strategy \"zipf\" for type uuid needs \"values\"",
						   field->path);
	if (field->exponent < 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s.e: must not be negative", field->path);
	if (extent == 0 || extent > UINT64_MAX)
	{
		ingest_fail(error, INGEST_ERROR_INVALID, "%s: strategy \"zipf\" finds no whole steps to rank", field->path);
		return ingest_hint(error, "Give \"values\", or a \"range\" at least one wide.");
	}
	zipf_init(&field->zipf, (uint64_t) extent, field->exponent);
	return true;
}

static bool
parse_element(const JsonValue *settings, Arena *arena, DatagenField *field, IngestError *error)
{
	static const JsonValue nothing = {.type = JSON_TYPE_OBJECT};
	const JsonValue *value = json_get(settings, "value");
	const ColumnTarget *column = field->kind == DATAGEN_BYTES ? NULL : field->column->element;
	char *path = arena_printf(arena, "%s.value", field->path);

	field->element = arena_alloc_array(arena, 1, sizeof(DatagenField));
	if (field->element == NULL || path == NULL)
		return ingest_out_of_memory(error);
	return datagen_field_parse(value == NULL ? &nothing : value, column, path, arena, field->element, error);
}

/* Settings that no type of ours has a use for. */
static bool
refuse_nested(const JsonValue *settings, const DatagenField *field, IngestError *error)
{
	static const char *const names[] = {"fields", "key", "value"};

	for (size_t i = 0; i < 3; i++)
		if (json_get(settings, names[i]) != NULL && !(i == 2 && field->kind >= DATAGEN_BYTES))
			return ingest_fail(error, INGEST_ERROR_INVALID, "%s.%s: type %s has no such part", field->path, names[i],
							   field->column == NULL ? "byte" : field->column->type_name);
	return true;
}

/* Parse the settings of a field; *out is the field's. See the header. */
bool
datagen_field_parse(const JsonValue *settings, const ColumnTarget *column, const char *path, Arena *arena,
					DatagenField *out, IngestError *error)
{
	static const char *const keys[] = {"strategy",        "range",  "scale", "e",     "values",
									   "null_percentage", "fields", "key",   "value", NULL};
	const JsonValue *range = json_get(settings, "range");
	const JsonValue *values = json_get(settings, "values");
	int64_t percentage = 0;

	*out = (DatagenField){.column = column, .path = path, .kind = kind_of(column), .scale = 1, .exponent = 1};
	if (settings->type != JSON_TYPE_OBJECT)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: must be an object", path);
	if (!option_check_keys(settings, path, keys, error) || !parse_strategy(settings, out, error) ||
		!option_integer(settings, path, "scale", INT64_MIN, INT64_MAX, &out->scale, error) ||
		!option_integer(settings, path, "e", INT64_MIN, INT64_MAX, &out->exponent, error) ||
		!option_integer(settings, path, "null_percentage", 0, 100, &percentage, error) ||
		!refuse_nested(settings, out, error))
		return false;
	out->null_percentage = (int) percentage;
	/* A type that cannot be made up goes by its text, once there is something to go by. */
	if (out->kind == DATAGEN_NULL && values == NULL && (json_get(settings, "strategy") != NULL || range != NULL) &&
		column->form == FORM_INPUT)
		out->kind = DATAGEN_TEXT;
	datagen_range_default(out);
	if (range != NULL && range->type != JSON_TYPE_NULL && !datagen_range_parse(range, out, error))
		return false;
	if (values != NULL && values->type != JSON_TYPE_NULL && !datagen_values_parse(values, arena, out, error))
		return false;
	if ((out->kind == DATAGEN_BYTES || out->kind == DATAGEN_ARRAY) && out->value_count == 0 &&
		!parse_element(settings, arena, out, error))
		return false;
	if (out->kind == DATAGEN_REAL && out->strategy == DATAGEN_UNIFORM && !out->has_range && out->value_count == 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, "%s: strategy \"uniform\" for type %s needs a \"range\"", path,
						   column->type_name);
	return out->strategy != DATAGEN_ZIPF || (out->kind == DATAGEN_NULL && out->value_count == 0) ||
		   init_zipf(out, error);
}

/* ---- what the table may refuse ------------------------------------------------------ */

static size_t
characters(Span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += ((unsigned char) text.data[i] & 0xc0) != 0x80;
	return count;
}

/* The largest row number times scale still fits "length" digits? */
static bool
numbers_fit(const DatagenPlan *plan, const DatagenField *field, int length)
{
	WideInteger last = plan->limit < 0 ? INT64_MAX : plan->limit - 1;

	last *= field->scale < 0 ? -(WideInteger) field->scale : field->scale;
	for (int i = field->scale < 0; i < length && last > 0; i++)
		last /= 10;
	return last <= 0;
}

static void
warn_of_length(const Parser *parser, const DatagenPlan *plan, const DatagenField *field)
{
	const ColumnTarget *column = field->column;
	int length = column->length;

	if (field->kind != DATAGEN_TEXT || length <= 0)
		return;
	for (size_t i = 0; i < field->value_count; i++)
		if (field->values[i].data != NULL && characters(field->values[i]) > (size_t) length)
		{
			warn(parser, "%s.values[%zu] is longer than %s of column \"%s\": such rows will be rejected", field->path,
				 i, column->type_name, column->name);
			return;
		}
	if (field->value_count > 0 || field->strategy == DATAGEN_NAMED)
		return;
	if (field->strategy == DATAGEN_INCREMENT && !numbers_fit(plan, field, length))
		warn(parser,
			 "column \"%s\" of type %s gets the text of the row's number, which outgrows it: later rows will be "
			 "rejected",
			 column->name, column->type_name);
	else if (field->strategy != DATAGEN_INCREMENT && field->high - 1 > length)
		warn(parser,
			 "column \"%s\" of type %s gets texts of up to %" PRId64 " characters: longer ones will be rejected",
			 column->name, column->type_name, (int64_t) field->high - 1);
}

static void
warn_of_range(const Parser *parser, const DatagenField *field)
{
	const ColumnTarget *column = field->column;
	WideInteger most;

	if (field->value_count > 0 || !field->has_range)
		return;
	if (field->kind == DATAGEN_INTEGER &&
		(field->low < datagen_integer_minimum(column) || field->high - 1 > datagen_integer_maximum(column)))
		warn(parser, "%s.range leaves type %s: rows outside it will be rejected", field->path, column->type_name);
	if (field->kind != DATAGEN_DECIMAL || column->precision == 0 || column->precision > 36)
		return;
	/* the first value that does not fit, in the range's own units; a long scale leaves room anyway */
	most = 1;
	for (int i = 0; i < column->precision - column->scale + field->digits; i++)
	{
		if (most > ((WideInteger) 1 << 120))
			return;
		most *= 10;
	}
	if (field->low <= -most || field->high - 1 >= most)
		warn(parser, "%s.range leaves type %s: rows outside it will be rejected", field->path, column->type_name);
}

static void
warn_of_nulls(const Parser *parser, const DatagenField *field)
{
	const ColumnTarget *column = field->column;

	if (!column->not_null)
		return;
	if (field->kind == DATAGEN_NULL && field->value_count == 0)
		warn(parser, "column \"%s\" is NOT NULL, and values of type %s cannot be made up: every row will be rejected",
			 column->name, column->type_name);
	else if (field->null_percentage > 0)
		warn(parser, "%s.null_percentage is set and column \"%s\" is NOT NULL: such rows will be rejected", field->path,
			 column->name);
}

/* ---- plans --------------------------------------------------------------------------- */

/* The settings of a column among "fields"; null where there are none. */
static const JsonValue *
settings_of(const JsonValue *fields, const TargetTable *target, int column, Span *key)
{
	const JsonValue *found = NULL;

	for (size_t i = 0; fields != NULL && i < fields->count; i++)
		if (target_find_column(target, fields->members[i].key) == column)
		{
			found = fields->members[i].value;
			*key = fields->members[i].key;
		}
	return found;
}

static bool
check_field_names(const Parser *parser, const JsonValue *fields, const char *path)
{
	if (fields == NULL)
		return true;
	if (fields->type != JSON_TYPE_OBJECT)
		return ingest_fail(parser->error, INGEST_ERROR_INVALID, "%s.fields: must be an object", path);
	for (size_t i = 0; parser->target != NULL && i < fields->count; i++)
	{
		Span key = fields->members[i].key;
		int column = target_find_column(parser->target, key);

		if (column < 0)
			return ingest_fail(parser->error, INGEST_ERROR_INVALID,
							   "%s.fields: field `%.100s` specified in datagen does not exist in the table", path,
							   key.data);
		if (parser->target->columns[column].generated)
			return ingest_fail(parser->error, INGEST_ERROR_INVALID,
							   "%s.fields: column \"%.100s\" is generated by the table itself", path, key.data);
	}
	return true;
}

static bool
parse_fields(const Parser *parser, const JsonValue *fields, const char *path, DatagenPlan *plan)
{
	static const JsonValue nothing = {.type = JSON_TYPE_OBJECT};
	const TargetTable *target = parser->target;

	if (!check_field_names(parser, fields, path))
		return false;
	if (target == NULL)
		return true;
	plan->fields = arena_alloc_array(parser->arena, (size_t) target->column_count, sizeof(DatagenField));
	if (plan->fields == NULL)
		return ingest_out_of_memory(parser->error);
	for (int i = 0; i < target->column_count; i++)
	{
		const ColumnTarget *column = &target->columns[i];
		Span key = {column->name, strlen(column->name)};
		const JsonValue *settings = settings_of(fields, target, i, &key);
		char *field_path;

		if (column->generated)
			continue;
		field_path = arena_printf(parser->arena, "%s.fields.%.*s", path, (int) key.length, key.data);
		if (field_path == NULL)
			return ingest_out_of_memory(parser->error);
		if (!datagen_field_parse(settings == NULL ? &nothing : settings, column, field_path, parser->arena,
								 &plan->fields[i], parser->error))
			return false;
		warn_of_length(parser, plan, &plan->fields[i]);
		warn_of_range(parser, &plan->fields[i]);
		warn_of_nulls(parser, &plan->fields[i]);
	}
	return true;
}

static bool
parse_plan(const Parser *parser, const JsonValue *json, const char *path, DatagenPlan *plan)
{
	static const char *const keys[] = {"limit", "rate", "worker_chunk_size", "fields", NULL};
	int64_t chunk = 1;

	plan->limit = -1;
	if (json->type != JSON_TYPE_OBJECT)
		return ingest_fail(parser->error, INGEST_ERROR_INVALID, "%s: must be an object", path);
	if (!option_check_keys(json, path, keys, parser->error) ||
		!option_integer(json, path, "limit", 0, INT64_MAX, &plan->limit, parser->error) ||
		!option_integer(json, path, "rate", 1, UINT32_MAX, &plan->rate, parser->error) ||
		!option_integer(json, path, "worker_chunk_size", 1, INT64_MAX, &chunk, parser->error))
		return false;
	if (plan->limit < 0 && plan->rate == 0)
		warn(parser, "%s has neither limit nor rate: it makes rows as fast as the table takes them, until it is paused",
			 path);
	else if (plan->limit < 0)
		warn(parser, "%s has no limit: it makes rows until it is paused", path);
	return parse_fields(parser, json_get(json, "fields"), path, plan);
}

static bool
parse_plans(const Parser *parser, const JsonValue *list, DatagenConfig *out)
{
	static const JsonValue nothing = {.type = JSON_TYPE_OBJECT};
	size_t count = list == NULL ? 1 : list->count;

	if (list != NULL && list->type != JSON_TYPE_ARRAY)
		return ingest_fail(parser->error, INGEST_ERROR_INVALID, PATH ".plan: must be a list");
	if (count > MAX_PLANS)
		return ingest_fail(parser->error, INGEST_ERROR_INVALID, PATH ".plan: more than %d plans", MAX_PLANS);
	out->plans = arena_alloc_array(parser->arena, count + 1, sizeof(DatagenPlan));
	if (out->plans == NULL)
		return ingest_out_of_memory(parser->error);
	for (size_t i = 0; i < count; i++)
	{
		char path[64];

		snprintf(path, sizeof(path), PATH ".plan[%zu]", i);
		if (!parse_plan(parser, list == NULL ? &nothing : list->elements[i], path, &out->plans[i]))
			return false;
		if (out->plans[i].limit < 0 && i + 1 < count)
			warn(parser, "%s has no limit: the plans after it are never reached", path);
	}
	out->plan_count = count;
	return true;
}

/* A seed has 64 bits, one more than a JSON integer of ours. */
static bool
parse_seed(const JsonValue *config, DatagenConfig *out, IngestError *error)
{
	const JsonValue *value = json_get(config, "seed");
	char *end;

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return true;
	errno = 0;
	if (value->type == JSON_TYPE_NUMBER && value->text.data[0] != '-')
		out->seed = strtoull(value->text.data, &end, 10);
	if (value->type != JSON_TYPE_NUMBER || value->text.data[0] == '-' || *end != '\0' || errno != 0)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ".seed: must be an integer from 0 to %" PRIu64,
						   UINT64_MAX);
	out->has_seed = true;
	return true;
}

/* Parse and check transport.config; see the header. */
bool
datagen_config_parse(const JsonValue *config, const TargetTable *target, Arena *arena, DatagenConfig *out,
					 SourceCheck *check, IngestError *error)
{
	static const char *const keys[] = {"plan", "workers", "seed", "transaction_size", NULL};
	Parser parser = {.target = target, .arena = arena, .check = check, .error = error};
	const JsonValue *list = json_get(config, "plan");
	int64_t workers = 1;

	*out = (DatagenConfig){0};
	if (!option_check_keys(config, PATH, keys, error) ||
		!option_integer(config, PATH, "workers", 1, 10000, &workers, error) ||
		!option_integer(config, PATH, "transaction_size", 1, INT64_MAX, &out->transaction_size, error) ||
		!parse_seed(config, out, error))
		return false;
	return parse_plans(&parser, list != NULL && list->type == JSON_TYPE_NULL ? NULL : list, out);
}
