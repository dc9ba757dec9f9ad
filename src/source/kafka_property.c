/*-------------------------------------------------------------------------
 *
 * kafka_property.c
 *	  librdkafka's own properties: defaults of ours, the user's, and the forced ones.
 *
 * Three layers, later ones win: what suits a worker below its memory bound; what the
 * declaration passes through (strings, numbers, booleans); what exactly-once rests on.
 *
 * Who may say what.  librdkafka reads files, runs commands and loads code where properties say
 * so, as the server's operating-system user.  Such properties are for superusers' connectors
 * only.  Kerberos is among them as a whole, because its refresh command is run by a shell
 * with the principal of the declaration in it, and because it would use the server's own
 * tickets; it is also what SASL means where no mechanism is given.
 *
 * Secrets never get into a message: librdkafka's text about a bad value quotes the value, so
 * it is left out for secret keys.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "source/kafka_internal.h"

#define PATH KAFKA_CONFIG_PATH

typedef struct Property
{
	const char *key;
	const char *value;
} Property;

/*
 * librdkafka decompresses a whole answer at once, beside a queue that is nearly full, and a small message takes about
 * three times its size there.  So what is fetched at once is kept small, for the sake of topics that compress a hundred
 * times: an answer of 1 MB then stands for 100 MB.  Within a data centre that costs no speed.  One record batch
 * comes whole, however large; receive.message.max.bytes admits it.
 */
static const Property defaults[] = {
	{"client.id", "feldera_ingest"},
	{"queued.min.messages", "1000000"},
	{"queued.max.messages.kbytes", "16384"},
	{"fetch.max.bytes", "1048576"},
	{"fetch.message.max.bytes", "262144"},
	{"fetch.wait.max.ms", "200"},
	{"fetch.error.backoff.ms", "50"},
	{"socket.timeout.ms", "10000"},
	{"receive.message.max.bytes", "209715200"},
	{"isolation.level", "read_committed"},
	{"socket.nagle.disable", "true"},
	{"reconnect.backoff.max.ms", "3000"},
};

/* What only later versions know. */
static const Property optional_defaults[] = {{"fetch.queue.backoff.ms", "20"}, {"enable.metrics.push", "false"}};

static const Property forced[] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"enable.partition.eof", "true"},
	{"log.queue", "true"},
	{"statistics.interval.ms", "0"},
	{"topic.metadata.refresh.interval.ms", "60000"},
};

/* Accepted without effect: what we decide, and Feldera's names for what librdkafka takes as bits. */
static const char *const without_effect[] = {"enable.auto.commit",
											 "enable.auto.offset.store",
											 "auto.offset.reset",
											 "enable.partition.eof",
											 "log.queue",
											 "statistics.interval.ms",
											 "allow.auto.create.topics",
											 "enabled_events",
											 "retries"};

/* Refused to everybody: they would reach into the server's process. */
static const char *const never[] = {"internal.termination.signal"};

/*
 * What only a superuser's connector may say, by the way librdkafka names such properties: later versions
 * bring new ones, and a list of names would let them through.
 */
static const char *const superuser_endings[] = {".location", ".file", ".path", ".paths", ".cmd", ".keytab"};
static const char *const superuser_words[] = {"engine", "provider", "plugin", "kerberos", "test.mock"};

/* These may be "probe", which finds the system's own certificates. */
static const char *const ca_locations[] = {"ssl.ca.location", "https.ca.location"};

static const char *const secret_words[] = {"password", "passphrase", "secret"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
listed(const char *key, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, names[i]) == 0)
			return true;
	return false;
}

static bool
ends_with(const char *key, const char *ending)
{
	size_t length = strlen(key);
	size_t ending_length = strlen(ending);

	return length >= ending_length && strcmp(key + length - ending_length, ending) == 0;
}

static bool
ends_with_any(const char *key, const char *const *endings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ends_with(key, endings[i]))
			return true;
	return false;
}

static bool
has_any(const char *key, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(key, words[i]) != NULL)
			return true;
	return false;
}

/* Is this key handed to librdkafka?  It has a dot, or is one of three names without. */
bool
kafka_property_is_passed(const char *key)
{
	return strchr(key, '.') != NULL || strcmp(key, "debug") == 0 || strcmp(key, "enabled_events") == 0 ||
		   strcmp(key, "retries") == 0;
}

/* Is the value of this key shown as ***? */
bool
kafka_property_is_secret(const char *key)
{
	return has_any(key, secret_words, COUNT(secret_words)) || (strstr(key, "key") != NULL && ends_with(key, "pem")) ||
		   strcmp(key, "sasl.oauthbearer.config") == 0;
}

/* ---- rights ---------------------------------------------------------------- */

static bool
denied(const char *key, const char *why, IngestError *error)
{
	ingest_fail(error, INGEST_ERROR_DENIED, PATH "[\"%s\"]: %s", key, why);
	return ingest_hint(error, "Only a superuser's connector may use this property.");
}

static bool
check_right(const char *key, const char *value, IngestError *error)
{
	if (listed(key, ca_locations, COUNT(ca_locations)))
	{
		if (strcmp(value, "probe") == 0)
			return true;
		ingest_fail(error, INGEST_ERROR_DENIED, PATH "[\"%s\"]: the property reads a file on the server", key);
		return ingest_hint(error, "Give the certificates themselves in \"%.*s.pem\".",
						   (int) (strlen(key) - strlen(".location")), key);
	}
	if (ends_with_any(key, superuser_endings, COUNT(superuser_endings)) ||
		has_any(key, superuser_words, COUNT(superuser_words)))
		return denied(key, "the property reads files, runs commands or loads code on the server", error);
	if (strcmp(key, "sasl.oauthbearer.token.endpoint.url") == 0 && strncasecmp(value, "https://", 8) != 0 &&
		strncasecmp(value, "http://", 7) != 0)
		return denied(key, "the URL must begin with https:// or http://", error);
	return true;
}

/* SASL without a mechanism is Kerberos. */
static bool
check_kerberos(const JsonValue *config, IngestError *error)
{
	const char *protocol = option_text(config, "security.protocol");
	const char *mechanism = option_text(config, "sasl.mechanisms");

	if (mechanism == NULL)
		mechanism = option_text(config, "sasl.mechanism");
	if (protocol == NULL || strncasecmp(protocol, "sasl", 4) != 0)
		return true;
	if (mechanism == NULL)
	{
		ingest_fail(error, INGEST_ERROR_DENIED, PATH "[\"sasl.mechanism\"]: missing, and the default is GSSAPI");
		return ingest_hint(error, "Give PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; only a superuser's "
								  "connector may use Kerberos.");
	}
	if (strcasecmp(mechanism, "GSSAPI") == 0)
		return denied("sasl.mechanism", "Kerberos runs commands and uses the server's own tickets", error);
	return true;
}

/* ---- setting --------------------------------------------------------------- */

static bool
set_property(rd_kafka_conf_t *properties, const char *key, const char *value, IngestError *error)
{
	char text[512] = "";

	if (rd_kafka_conf_set(properties, key, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return true;
	if (kafka_property_is_secret(key))
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"%s\"]: librdkafka refuses the value", key);
	return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"%.100s\"]: %s", key, text);
}

static bool
set_user_property(const JsonMember *member, const JsonValue *config, const SourceRights *rights,
				  rd_kafka_conf_t *properties, IngestError *error)
{
	const char *key = member->key.data;
	const char *value = option_text(config, key);

	if (member->value->type == JSON_TYPE_NULL)
		return true;
	if (value == NULL)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"%.100s\"]: must be a string, a number or a boolean",
						   key);
	if (strlen(value) != member->value->text.length && member->value->type == JSON_TYPE_STRING)
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"%.100s\"]: holds a NUL character", key);
	if (listed(key, without_effect, COUNT(without_effect)))
		return true;
	if (listed(key, never, COUNT(never)))
		return ingest_fail(error, INGEST_ERROR_INVALID, PATH "[\"%s\"]: cannot be used inside the server", key);
	if (!rights->superuser_properties && !check_right(key, value, error))
		return false;
	return set_property(properties, key, value, error);
}

static bool
set_table(const Property *table, size_t count, rd_kafka_conf_t *properties, IngestError *error)
{
	for (size_t i = 0; i < count; i++)
		if (!set_property(properties, table[i].key, table[i].value, error))
			return false;
	return true;
}

static bool
set_log_level(const JsonValue *config, rd_kafka_conf_t *properties, IngestError *error)
{
	static const char *const names[] = {"emerg", "alert", "critical", "error", "warning", "notice", "info", "debug"};
	const char *text = option_text(config, "log_level");
	char number[2] = "6";

	for (size_t i = 0; text != NULL && i < COUNT(names); i++)
		if (strcmp(text, names[i]) == 0)
			number[0] = (char) ('0' + i);
	return set_property(properties, "log_level", number, error);
}

/*
 * Fill "properties" from transport.config.  INVALID: librdkafka does not take a property; DENIED: the
 * owner may not use it.
 */
bool
kafka_properties_set(const JsonValue *config, const SourceRights *rights, rd_kafka_conf_t *properties,
					 IngestError *error)
{
	if (!rights->superuser_properties && !check_kerberos(config, error))
		return false;
	for (size_t i = 0; i < COUNT(optional_defaults); i++)
		(void) !rd_kafka_conf_set(properties, optional_defaults[i].key, optional_defaults[i].value, NULL, 0);
	if (!set_table(defaults, COUNT(defaults), properties, error) || !set_log_level(config, properties, error))
		return false;
	for (size_t i = 0; i < config->count; i++)
		if (kafka_property_is_passed(config->members[i].key.data) &&
			!set_user_property(&config->members[i], config, rights, properties, error))
			return false;
	return set_table(forced, COUNT(forced), properties, error);
}
