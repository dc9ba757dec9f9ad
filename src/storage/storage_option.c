/*-------------------------------------------------------------------------
 *
 * storage_option.c
 *	  The options of stores: Feldera's names and aliases, which are those of the
 *	  object_store library and of delta-rs, without regard to case.
 *
 * One table says for each name what becomes of it.  A name that is missing there
 * is an error with the nearest name as hint, because a misspelt credential would
 * otherwise be found out by an unsigned request.  A name that the library knows and
 * this room does not serve yet is refused by name; one that only concerns writing
 * has no effect.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "storage/storage_internal.h"

#define DEFAULT_TIMEOUT_MS 120000
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_RETRY_TIMEOUT_MS 180000
#define DEFAULT_MAX_RETRIES 10
#define DEFAULT_BACKOFF_FIRST_MS 100
#define DEFAULT_BACKOFF_MOST_MS 15000

typedef enum OptionType
{
	OPTION_TEXT,
	OPTION_BOOLEAN,
	OPTION_DURATION,
	OPTION_COUNT,
	OPTION_WITHOUT_EFFECT, /* concerns writing, or is what we do anyway */
	OPTION_REFUSED
} OptionType;

typedef struct OptionName
{
	const char *name;
	OptionType type;
	size_t field; /* offset in StorageConfig */
	bool secret;
} OptionName;

#define FIELD(member) offsetof(StorageConfig, member)
#define TEXT(name, member)                                                                                             \
	{                                                                                                                  \
		name, OPTION_TEXT, FIELD(member), false                                                                        \
	}
#define SECRET(name, member)                                                                                           \
	{                                                                                                                  \
		name, OPTION_TEXT, FIELD(member), true                                                                         \
	}
#define BOOLEAN(name, member)                                                                                          \
	{                                                                                                                  \
		name, OPTION_BOOLEAN, FIELD(member), false                                                                     \
	}
#define DURATION(name, member)                                                                                         \
	{                                                                                                                  \
		name, OPTION_DURATION, FIELD(member), false                                                                    \
	}
#define COUNT(name, member)                                                                                            \
	{                                                                                                                  \
		name, OPTION_COUNT, FIELD(member), false                                                                       \
	}
#define WITHOUT_EFFECT(name)                                                                                           \
	{                                                                                                                  \
		name, OPTION_WITHOUT_EFFECT, 0, false                                                                          \
	}
#define REFUSED(name)                                                                                                  \
	{                                                                                                                  \
		name, OPTION_REFUSED, 0, false                                                                                 \
	}
#define REFUSED_SECRET(name)                                                                                           \
	{                                                                                                                  \
		name, OPTION_REFUSED, 0, true                                                                                  \
	}

static const OptionName option_names[] = {
	/* S3 */
	TEXT("aws_access_key_id", access_key_id),
	TEXT("access_key_id", access_key_id),
	SECRET("aws_secret_access_key", secret_access_key),
	SECRET("secret_access_key", secret_access_key),
	SECRET("aws_session_token", session_token),
	SECRET("aws_token", session_token),
	SECRET("session_token", session_token),
	SECRET("token", session_token),
	TEXT("aws_region", region),
	TEXT("region", region),
	TEXT("aws_default_region", default_region),
	TEXT("default_region", default_region),
	TEXT("aws_bucket", bucket),
	TEXT("aws_bucket_name", bucket),
	TEXT("bucket_name", bucket),
	TEXT("bucket", bucket),
	TEXT("aws_endpoint", endpoint),
	TEXT("aws_endpoint_url", endpoint),
	TEXT("aws_endpoint_url_s3", endpoint),
	TEXT("endpoint", endpoint),
	TEXT("endpoint_url", endpoint),
	BOOLEAN("aws_skip_signature", skip_signature),
	BOOLEAN("skip_signature", skip_signature),
	BOOLEAN("aws_virtual_hosted_style_request", virtual_hosted),
	BOOLEAN("virtual_hosted_style_request", virtual_hosted),
	BOOLEAN("aws_request_payer", request_payer),
	BOOLEAN("request_payer", request_payer),
	BOOLEAN("aws_allow_http", allow_http),
	WITHOUT_EFFECT("aws_unsigned_payload"),
	WITHOUT_EFFECT("unsigned_payload"),
	WITHOUT_EFFECT("aws_checksum_algorithm"),
	WITHOUT_EFFECT("checksum_algorithm"),
	WITHOUT_EFFECT("aws_disable_tagging"),
	WITHOUT_EFFECT("disable_tagging"),
	WITHOUT_EFFECT("aws_conditional_put"),
	WITHOUT_EFFECT("conditional_put"),
	WITHOUT_EFFECT("aws_copy_if_not_exists"),
	WITHOUT_EFFECT("copy_if_not_exists"),
	WITHOUT_EFFECT("aws_server_side_encryption"),
	WITHOUT_EFFECT("aws_sse_kms_key_id"),
	WITHOUT_EFFECT("aws_sse_bucket_key_enabled"),
	WITHOUT_EFFECT("aws_s3_locking_provider"),
	WITHOUT_EFFECT("aws_s3_allow_unsafe_rename"),
	WITHOUT_EFFECT("aws_imdsv1_fallback"),
	WITHOUT_EFFECT("imdsv1_fallback"),
	REFUSED("aws_s3_express"),
	REFUSED("s3_express"),
	REFUSED("aws_profile"),
	REFUSED("aws_metadata_endpoint"),
	REFUSED("metadata_endpoint"),
	REFUSED("aws_container_credentials_relative_uri"),
	REFUSED("aws_container_credentials_full_uri"),
	REFUSED("aws_container_authorization_token_file"),
	REFUSED("aws_web_identity_token_file"),
	REFUSED("aws_role_arn"),
	REFUSED("aws_iam_role_arn"),
	REFUSED("aws_role_session_name"),
	REFUSED("aws_iam_role_session_name"),
	REFUSED("aws_endpoint_url_sts"),
	REFUSED_SECRET("aws_sse_customer_key_base64"),
	/* connections */
	BOOLEAN("allow_http", allow_http),
	BOOLEAN("allow_invalid_certificates", allow_invalid_certificates),
	BOOLEAN("http1_only", http1_only),
	BOOLEAN("http2_only", http2_only),
	SECRET("proxy_url", proxy_url), /* may hold a password */
	TEXT("user_agent", user_agent),
	DURATION("timeout", timeout_ms),
	DURATION("connect_timeout", connect_timeout_ms),
	DURATION("retry_timeout", retry_timeout_ms),
	COUNT("max_retries", max_retries),
	DURATION("backoff_config.init_backoff", backoff_first_ms),
	DURATION("backoff_config.max_backoff", backoff_most_ms),
	WITHOUT_EFFECT("backoff_config.base"),
	WITHOUT_EFFECT("default_content_type"),
	WITHOUT_EFFECT("http2_keep_alive_interval"),
	WITHOUT_EFFECT("http2_keep_alive_timeout"),
	WITHOUT_EFFECT("http2_keep_alive_while_idle"),
	WITHOUT_EFFECT("http2_max_frame_size"),
	WITHOUT_EFFECT("pool_idle_timeout"),
	WITHOUT_EFFECT("pool_max_idle_per_host"),
	WITHOUT_EFFECT("randomize_addresses"),
	REFUSED("proxy_ca_certificate"),
	REFUSED("proxy_excludes"),
	/* Azure */
	REFUSED("azure_storage_account_name"),
	REFUSED("account_name"),
	REFUSED_SECRET("azure_storage_account_key"),
	REFUSED_SECRET("azure_storage_access_key"),
	REFUSED_SECRET("azure_storage_master_key"),
	REFUSED_SECRET("access_key"),
	REFUSED_SECRET("account_key"),
	REFUSED_SECRET("master_key"),
	REFUSED("azure_storage_client_id"),
	REFUSED("azure_client_id"),
	REFUSED("client_id"),
	REFUSED_SECRET("azure_storage_client_secret"),
	REFUSED_SECRET("azure_client_secret"),
	REFUSED_SECRET("client_secret"),
	REFUSED("azure_storage_tenant_id"),
	REFUSED("azure_storage_authority_id"),
	REFUSED("azure_tenant_id"),
	REFUSED("azure_authority_id"),
	REFUSED("tenant_id"),
	REFUSED("authority_id"),
	REFUSED("azure_storage_authority_host"),
	REFUSED("azure_authority_host"),
	REFUSED("authority_host"),
	REFUSED_SECRET("azure_storage_sas_key"),
	REFUSED_SECRET("azure_storage_sas_token"),
	REFUSED_SECRET("sas_key"),
	REFUSED_SECRET("sas_token"),
	REFUSED_SECRET("azure_storage_token"),
	REFUSED_SECRET("bearer_token"),
	REFUSED("azure_storage_use_emulator"),
	REFUSED("use_emulator"),
	REFUSED("azure_storage_endpoint"),
	REFUSED("azure_endpoint"),
	REFUSED("azure_use_fabric_endpoint"),
	REFUSED("use_fabric_endpoint"),
	REFUSED("azure_msi_endpoint"),
	REFUSED("azure_identity_endpoint"),
	REFUSED("identity_endpoint"),
	REFUSED("msi_endpoint"),
	REFUSED("azure_object_id"),
	REFUSED("object_id"),
	REFUSED("azure_msi_resource_id"),
	REFUSED("msi_resource_id"),
	REFUSED("azure_federated_token_file"),
	REFUSED("federated_token_file"),
	REFUSED("azure_use_azure_cli"),
	REFUSED("use_azure_cli"),
	REFUSED("azure_skip_signature"),
	REFUSED("azure_container_name"),
	REFUSED("container_name"),
	REFUSED("azure_disable_tagging"),
	REFUSED_SECRET("azure_fabric_session_token"),
	REFUSED("azure_fabric_token_service_url"),
	REFUSED("azure_fabric_workload_host"),
	REFUSED("azure_fabric_cluster_identifier"),
	/* Google */
	REFUSED("google_service_account"),
	REFUSED("google_service_account_path"),
	REFUSED("service_account"),
	REFUSED("service_account_path"),
	REFUSED_SECRET("google_service_account_key"),
	REFUSED_SECRET("service_account_key"),
	REFUSED("google_bucket"),
	REFUSED("google_bucket_name"),
	REFUSED("google_application_credentials"),
	REFUSED("application_credentials"),
	REFUSED("google_skip_signature"),
	REFUSED("google_base_url"),
	/* Unity Catalog */
	REFUSED("unity_workspace_url"),
	REFUSED_SECRET("unity_access_token"),
	REFUSED("unity_client_id"),
	REFUSED_SECRET("unity_client_secret"),
	REFUSED("unity_authority_id"),
	REFUSED("unity_allow_http_url"),
	REFUSED("databricks_host"),
	REFUSED("databricks_workspace_url"),
	REFUSED_SECRET("databricks_token"),
	REFUSED_SECRET("databricks_access_token"),
	REFUSED("databricks_client_id"),
	REFUSED_SECRET("databricks_client_secret"),
};

#define OPTION_NAME_COUNT (sizeof(option_names) / sizeof(option_names[0]))

static const OptionName *
find_option(const char *key)
{
	for (size_t i = 0; i < OPTION_NAME_COUNT; i++)
		if (strcasecmp(option_names[i].name, key) == 0)
			return &option_names[i];
	return NULL;
}

bool
storage_option_is_known(const char *key, const char **nearest)
{
	NearestName near_name = {0};

	if (find_option(key) != NULL)
		return true;
	for (size_t i = 0; i < OPTION_NAME_COUNT; i++)
		nearest_name_offer(&near_name, key, option_names[i].name);
	if (nearest != NULL)
		*nearest = near_name.name;
	return false;
}

bool
storage_option_is_secret(const char *key)
{
	const OptionName *option = find_option(key);

	return option != NULL && option->secret;
}

/* ---- values ------------------------------------------------------------------- */

static bool
bad_value(const OptionName *option, const char *value, const char *expected, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_INVALID, "invalid value \"%s\" of storage option \"%s\"",
					   option->secret ? "***" : value, option->name) ||
		   ingest_hint(error, "Expected is %s.", expected);
}

static bool
one_of(const char *value, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(value, *words) == 0)
			return true;
	return false;
}

static bool
parse_boolean(const OptionName *option, const char *value, bool *out, IngestError *error)
{
	static const char *const yes[] = {"true", "1", "on", "yes", "y", NULL};
	static const char *const no[] = {"false", "0", "off", "no", "n", NULL};

	*out = one_of(value, yes);
	return *out || one_of(value, no) || bad_value(option, value, "true or false", error);
}

static bool
parse_count(const OptionName *option, const char *value, int64_t *out, IngestError *error)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || number < 0)
		return bad_value(option, value, "a number from 0 on", error);
	*out = number;
	return true;
}

/* Milliseconds of a unit's name; 0 where it is none. */
static int64_t
unit_milliseconds(const char *unit, size_t length)
{
	static const struct
	{
		const char *name;
		int64_t milliseconds;
	} units[] = {{"", 1000},      {"ms", 1},        {"msec", 1},       {"millis", 1},      {"s", 1000},
				 {"sec", 1000},   {"secs", 1000},   {"second", 1000},  {"seconds", 1000},  {"m", 60000},
				 {"min", 60000},  {"mins", 60000},  {"minute", 60000}, {"minutes", 60000}, {"h", 3600000},
				 {"hr", 3600000}, {"hrs", 3600000}, {"hour", 3600000}, {"hours", 3600000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == length && strncasecmp(units[i].name, unit, length) == 0)
			return units[i].milliseconds;
	return 0;
}

/* "120s", "2 minutes", "1m 30s", or a bare number of seconds. */
static bool
parse_duration(const OptionName *option, const char *value, int64_t *out, IngestError *error)
{
	const char *position = value;
	double total = 0;

	do
	{
		char *end;
		double number;
		size_t length = 0;
		int64_t unit;

		while (isspace((unsigned char) *position))
			position++;
		number = strtod(position, &end);
		if (end == position || !(number >= 0 && number <= 1e9))
			return bad_value(option, value, "a time such as \"30s\" or \"2 minutes\"", error);
		for (position = end; isspace((unsigned char) *position); position++)
			;
		while (isalpha((unsigned char) position[length]))
			length++;
		unit = unit_milliseconds(position, length);
		if (unit == 0)
			return bad_value(option, value, "a time such as \"30s\" or \"2 minutes\"", error);
		total += number * (double) unit;
		position += length;
		while (isspace((unsigned char) *position))
			position++;
	} while (*position != '\0');
	*out = total > 1e12 ? (int64_t) 1e12 : (int64_t) total;
	return true;
}

static bool
has_control_character(const char *value)
{
	for (; *value != '\0'; value++)
		if ((unsigned char) *value < 0x20 || *value == 0x7f)
			return true;
	return false;
}

static bool
parse_text(const OptionName *option, const char *value, char **out, IngestError *error)
{
	/* it would end a request's header line */
	if (has_control_character(value))
		return bad_value(option, "...", "text without control characters", error);
	*out = strdup(value);
	return *out != NULL || ingest_out_of_memory(error);
}

static bool
set_option(StorageConfig *config, const OptionName *option, const char *value, IngestError *error)
{
	void *field = (char *) config + option->field;

	switch (option->type)
	{
		case OPTION_TEXT:
			return parse_text(option, value, field, error);
		case OPTION_BOOLEAN:
			if (option->field == FIELD(virtual_hosted))
				config->virtual_hosted_given = true;
			return parse_boolean(option, value, field, error);
		case OPTION_DURATION:
			return parse_duration(option, value, field, error);
		case OPTION_COUNT:
			return parse_count(option, value, field, error);
		case OPTION_WITHOUT_EFFECT:
			return true;
		case OPTION_REFUSED:
			break;
	}
	return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "storage option \"%s\" is not supported yet", option->name);
}

/* Two names of one thing with different values: which one is meant cannot be told. */
static bool
check_not_given_twice(const StorageOption *options, size_t current, const OptionName *option, IngestError *error)
{
	if (option->type == OPTION_WITHOUT_EFFECT || option->type == OPTION_REFUSED)
		return true;
	for (size_t i = 0; i < current; i++)
	{
		const OptionName *other = find_option(options[i].key);

		if (other->type == option->type && other->field == option->field)
			return ingest_fail(error, INGEST_ERROR_INVALID, "storage options \"%s\" and \"%s\" mean the same",
							   options[i].key, options[current].key) ||
				   ingest_hint(error, "Give one of them.");
	}
	return true;
}

bool
storage_config_parse(const StorageOption *options, size_t count, StorageConfig *config, IngestError *error)
{
	*config = (StorageConfig){.timeout_ms = DEFAULT_TIMEOUT_MS,
							  .connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS,
							  .retry_timeout_ms = DEFAULT_RETRY_TIMEOUT_MS,
							  .max_retries = DEFAULT_MAX_RETRIES,
							  .backoff_first_ms = DEFAULT_BACKOFF_FIRST_MS,
							  .backoff_most_ms = DEFAULT_BACKOFF_MOST_MS};
	for (size_t i = 0; i < count; i++)
	{
		const OptionName *option = find_option(options[i].key);
		const char *nearest = NULL;

		if (option == NULL)
		{
			(void) storage_option_is_known(options[i].key, &nearest);
			storage_config_clear(config);
			(void) ingest_fail(error, INGEST_ERROR_INVALID, "unknown storage option \"%s\"", options[i].key);
			return nearest != NULL && ingest_hint(error, "Perhaps you meant \"%s\".", nearest);
		}
		if (!check_not_given_twice(options, i, option, error) || !set_option(config, option, options[i].value, error))
		{
			storage_config_clear(config);
			return false;
		}
	}
	return true;
}

/* A secret's memory is overwritten: it must not turn up in a core file long after. */
static void
free_secret(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
storage_config_clear(StorageConfig *config)
{
	free(config->access_key_id);
	free_secret(config->secret_access_key);
	free_secret(config->session_token);
	free(config->region);
	free(config->default_region);
	free(config->bucket);
	free(config->endpoint);
	free_secret(config->proxy_url);
	free(config->user_agent);
	memset(config, 0, sizeof(*config));
}
