/*-------------------------------------------------------------------------
 *
 * delta_config.c
 *	  The declaration of a delta_table_input.
 *
 * Options are Feldera's; what is not one of them must be an option of the store.
 * Values may be strings, numbers or booleans.  An option that would change which
 * rows arrive, and is not served, is refused by name; one that would only change
 * how is accepted.
 *
 * Results point into the parsed connector.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/delta_source.h"

#define PATH DELTA_CONFIG_PATH

#define DEFAULT_PARSERS 4
#define MOST_PARSERS 64
#define DEFAULT_READERS 6
#define MOST_READERS 64
#define DEFAULT_POLL_INTERVAL_MS 1000
#define STORAGE_RETRIES 10 /* what the store's layer does by itself; more is the connector's state */

static const char *const option_names[] = {"uri",
										   "mode",
										   "transaction_mode",
										   "version",
										   "start_version",
										   "datetime",
										   "start_datetime",
										   "end_version",
										   "filter",
										   "snapshot_filter",
										   "timestamp_column",
										   "cdc_delete_filter",
										   "cdc_order_by",
										   "num_parsers",
										   "max_concurrent_readers",
										   "max_retries",
										   "skip_unused_columns",
										   "verbose",
										   "poll_interval_ms",
										   NULL};

/* Those of them that say which data are meant. */
static const char *const meaning_names[] = {
	"uri",         "mode",   "version",         "start_version",    "datetime",          "start_datetime",
	"end_version", "filter", "snapshot_filter", "timestamp_column", "cdc_delete_filter", "cdc_order_by",
	NULL};

static bool
is_one_of(const char *key, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(key, *names) == 0)
			return true;
	return false;
}

bool
delta_config_option_is_secret(const char *key)
{
	return storage_option_is_secret(key);
}

bool
delta_config_keeps_position(const char *key)
{
	return !is_one_of(key, meaning_names);
}

/* ---- keys -------------------------------------------------------------------------- */

static bool
unknown_key(const char *key, IngestError *error)
{
	NearestName nearest = {0};
	const char *of_storage = NULL;

	for (size_t i = 0; option_names[i] != NULL; i++)
		nearest_name_offer(&nearest, key, option_names[i]);
	if (nearest.name == NULL && !storage_option_is_known(key, &of_storage))
		nearest.name = of_storage;
	ingest_fail(error, INGEST_ERROR_INVALID,
				PATH ": \"%.100s\" is neither an option of delta_table_input nor one of an object store", key);
	if (nearest.name != NULL)
		return ingest_hint(error, "Perhaps you meant \"%s\".", nearest.name);
	return ingest_hint(error, "Options are uri, mode, version, datetime, end_version, transaction_mode, num_parsers, "
							  "max_concurrent_readers, max_retries, poll_interval_ms, and those of the store.");
}

static bool
check_keys(const JsonValue *config, IngestError *error)
{
	for (size_t i = 0; i < config->count; i++)
	{
		const char *key = config->members[i].key.data;
		JsonType type = config->members[i].value->type;

		if (!is_one_of(key, option_names) && !storage_option_is_known(key, NULL))
			return unknown_key(key, error);
		if (type == JSON_TYPE_ARRAY || type == JSON_TYPE_OBJECT)
			return ingest_fail(error, INGEST_ERROR_INVALID, PATH ".%s: must be a string, a number or a boolean", key);
	}
	return true;
}

static bool
check_unsupported(const JsonValue *config, IngestError *error)
{
	static const char *const refused[] = {"filter", "snapshot_filter", "timestamp_column", "cdc_delete_filter",
										  "cdc_order_by"};
	const char *mode = option_text(config, "mode");

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (option_text(config, refused[i]) != NULL)
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, PATH ".%s: not supported yet", refused[i]);
	if (mode != NULL && strcmp(mode, "cdc") == 0)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, PATH ".mode: \"cdc\" is not supported yet");
	return true;
}

static bool
collect_storage_options(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	int64_t retries = -1;

	out->storage_options = calloc(config->count + 1, sizeof(StorageOption));
	if (out->storage_options == NULL)
		return ingest_out_of_memory(error);
	for (size_t i = 0; i < config->count; i++)
	{
		const char *key = config->members[i].key.data;
		const char *value = option_text(config, key);

		if (value != NULL && !is_one_of(key, option_names))
			out->storage_options[out->storage_option_count++] = (StorageOption){key, value};
	}
	if (!option_integer(config, PATH, "max_retries", 0, INT32_MAX, &retries, error))
		return false;
	if (retries >= 0 && retries < STORAGE_RETRIES)
		out->storage_options[out->storage_option_count++] =
			(StorageOption){"max_retries", option_text(config, "max_retries")};
	return true;
}

/* ---- values ------------------------------------------------------------------------- */

static bool
parse_mode(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	static const char *const modes[] = {"snapshot", "follow", "snapshot_and_follow", NULL};
	const char *mode = option_text(config, "mode");

	if (mode == NULL)
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".mode: missing");
	for (int i = 0; mode != NULL && modes[i] != NULL; i++)
		if (strcmp(mode, modes[i]) == 0)
		{
			out->mode = (DeltaMode) i;
			return true;
		}
	if (mode != NULL)
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".mode: invalid value \"%.100s\"", mode);
	return ingest_hint(error, "Modes are snapshot, follow and snapshot_and_follow.");
}

static bool
parse_transaction_mode(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	const char *mode = option_text(config, "transaction_mode");

	if (mode == NULL || strcmp(mode, "none") == 0)
		return true;
	if (strcmp(mode, "snapshot") == 0 || strcmp(mode, "always") == 0)
	{
		/* each followed version is a transaction in any mode */
		out->one_transaction = true;
		return true;
	}
	if (strcmp(mode, "catchup") == 0)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, PATH ".transaction_mode: \"catchup\" is not supported yet");
	ingest_fail(error, INGEST_ERROR_INVALID, PATH ".transaction_mode: invalid value \"%.100s\"", mode);
	return ingest_hint(error, "Transaction modes are none, snapshot and always.");
}

static bool
bad_datetime(const char *text, IngestError *error)
{
	ingest_fail(error, INGEST_ERROR_INVALID,
				PATH ".datetime: invalid 'datetime' format (expected ISO-8601/RFC-3339 timestamp): \"%.60s\"", text);
	return ingest_hint(error, "Write for example \"2025-01-31T12:00:00Z\" or \"2025-01-31T12:00:00+01:00\".");
}

/* The zone of a timestamp: Z, or +hh:mm. */
static bool
parse_zone(const char *text, int64_t *minutes)
{
	int hours;
	int rest;
	int length = 0;

	*minutes = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') || sscanf(text + 1, "%2d:%2d%n", &hours, &rest, &length) != 2 ||
		text[1 + length] != '\0' || length != 5 || hours > 23 || rest > 59 || hours < 0 || rest < 0)
		return false;
	*minutes = (text[0] == '-' ? -1 : 1) * (hours * 60 + rest);
	return true;
}

static bool
parse_datetime(const char *text, int64_t *milliseconds, IngestError *error)
{
	struct tm utc = {0};
	const char *end;
	int64_t fraction = 0;
	int64_t zone_minutes;

	/* strptime would pass over spaces and take signs */
	if (strlen(text) < 20 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[4] != '-' ||
		strcspn(text, "-") != 4)
		return bad_datetime(text, error);
	end = strptime(text, "%Y-%m-%d", &utc);
	if (end != text + 10)
		return bad_datetime(text, error);
	end = strptime(text + 11, "%H:%M:%S", &utc);
	if (end != text + 19 || utc.tm_sec > 59)
		return bad_datetime(text, error);
	if (*end == '.')
	{
		size_t digits = strspn(++end, "0123456789");

		for (size_t i = 0; i < 3; i++)
			fraction = fraction * 10 + (i < digits ? end[i] - '0' : 0);
		if (digits == 0)
			return bad_datetime(text, error);
		end += digits;
	}
	if (!parse_zone(end, &zone_minutes))
		return bad_datetime(text, error);
	*milliseconds = ((int64_t) timegm(&utc) - zone_minutes * 60) * 1000 + fraction;
	return true;
}

/* An option under its name or its alias; both at once are an error. */
static bool
choose_alias(const JsonValue *config, const char *name, const char *alias, const char **key, IngestError *error)
{
	*key = option_text(config, name) != NULL ? name : option_text(config, alias) != NULL ? alias : NULL;
	if (option_text(config, name) != NULL && option_text(config, alias) != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ": \"%s\" and \"%s\" mean the same", name, alias);
	return true;
}

static bool
parse_start(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	const char *version;
	const char *datetime;

	if (!choose_alias(config, "version", "start_version", &version, error) ||
		!choose_alias(config, "datetime", "start_datetime", &datetime, error))
		return false;
	if (version != NULL && datetime != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   PATH ": at most one of 'version' and 'datetime' options can be specified");
	if (version != NULL && !option_integer(config, PATH, version, 0, INT64_MAX - 1, &out->version, error))
		return false;
	out->has_datetime = datetime != NULL;
	return datetime == NULL || parse_datetime(option_text(config, datetime), &out->datetime_ms, error);
}

static bool
parse_end(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	if (!option_integer(config, PATH, "end_version", 0, INT64_MAX - 1, &out->end_version, error))
		return false;
	if (out->end_version < 0)
		return true;
	if (out->mode == DELTA_MODE_SNAPSHOT)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   PATH ": the 'end_version' property is not valid in 'snapshot' mode; it can only be used in "
								"'follow' and 'snapshot_and_follow' mode");
	if (out->version >= 0 && out->end_version <= out->version)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH ": 'end_version' must be greater than 'version'");
	return true;
}

static bool
parse_uri(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	out->uri = option_text(config, "uri");
	if (out->uri == NULL || out->uri[0] == '\0')
	{
		ingest_fail(error, INGEST_ERROR_INVALID, PATH ".uri: missing");
		return ingest_hint(error, "Give the table's directory, such as \"s3://bucket/path\" or \"file:///path\".");
	}
	return true;
}

static bool
parse_numbers(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	int64_t verbose = 0;
	bool skip_unused = false;

	out->parsers = DEFAULT_PARSERS;
	out->readers = DEFAULT_READERS;
	out->poll_interval_ms = DEFAULT_POLL_INTERVAL_MS;
	if (!option_integer(config, PATH, "num_parsers", 1, INT32_MAX, &out->parsers, error) ||
		!option_integer(config, PATH, "max_concurrent_readers", 1, INT32_MAX, &out->readers, error) ||
		!option_integer(config, PATH, "poll_interval_ms", 10, 3600000, &out->poll_interval_ms, error) ||
		!option_integer(config, PATH, "verbose", 0, INT32_MAX, &verbose, error) ||
		!option_boolean(config, PATH, "skip_unused_columns", &skip_unused, error))
		return false;
	if (out->parsers > MOST_PARSERS)
		out->parsers = MOST_PARSERS;
	if (out->readers > MOST_READERS)
		out->readers = MOST_READERS;
	out->verbose = verbose > 0;
	return true;
}

bool
delta_config_parse(const JsonValue *config, DeltaConfig *out, IngestError *error)
{
	memset(out, 0, sizeof(*out));
	out->version = out->end_version = -1;
	if (check_keys(config, error) && check_unsupported(config, error) && parse_uri(config, out, error) &&
		parse_mode(config, out, error) && parse_transaction_mode(config, out, error) &&
		parse_start(config, out, error) && parse_end(config, out, error) && parse_numbers(config, out, error) &&
		collect_storage_options(config, out, error))
		return true;
	delta_config_clear(out);
	return false;
}

void
delta_config_clear(DeltaConfig *config)
{
	free(config->storage_options);
	config->storage_options = NULL;
	config->storage_option_count = 0;
}

/* ---- the declaration as a whole --------------------------------------------------------- */

/* Opening makes no request: it only tells whether options and rights are right. */
static bool
check_storage(const DeltaConfig *config, const SourceRights *rights, IngestError *error)
{
	StorageRights storage_rights = {rights->local_files, rights->server_credentials};
	Storage *storage;

	if (!storage_open(config->uri, config->storage_options, config->storage_option_count, &storage_rights, &storage,
					  error))
		return ingest_context(error, PATH);
	storage_close(storage);
	return true;
}

bool
delta_config_check(const JsonValue *connector, const TargetTable *target, const SourceRights *rights,
				   SourceCheck *check, IngestError *error)
{
	static const JsonValue empty = {.type = JSON_TYPE_OBJECT};
	const JsonValue *given = json_get(json_get(connector, "transport"), "config");
	DeltaConfig config;
	bool done;

	(void) target; /* the table's columns are known only when it is opened */
	if (json_get(connector, "format") != NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID,
						   "$.format: delta_table_input transport does not allow 'format' specification");
	if (!delta_config_parse(given != NULL ? given : &empty, &config, error))
		return false;
	done = check_storage(&config, rights, error);
	check->completes_backfill = config.mode != DELTA_MODE_FOLLOW || config.end_version >= 0;
	check->follows_after_backfill = config.mode != DELTA_MODE_SNAPSHOT;
	delta_config_clear(&config);
	return done;
}
