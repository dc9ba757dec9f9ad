/*-------------------------------------------------------------------------
 *
 * test_source_kafka_config.c
 *	  The declaration of kafka_input: spellings of the start, what is refused and to whom, secrets.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "source/kafka_internal.h"
#include "unit/tap.h"

static ColumnTarget column = {.name = "id", .type_name = "integer", .form = FORM_INT4};
static TargetTable target = {.name = "public.t", .column_count = 1, .columns = &column, .utf8 = true};
static const SourceRights nobody = {false, false, false};
static const SourceRights superuser = {true, true, true};

static SourceCheck check;
static Arena arena;
static KafkaConfig parsed;
static IngestError error;

static bool
check_connector(const char *json, const SourceRights *rights)
{
	JsonValue *connector;

	ingest_error_clear(&error);
	arena_reset(&arena);
	return json_parse(json, strlen(json), &arena, &connector, &error) &&
		   source_check(connector, &target, rights, &check, &error);
}

/* transport.config without its braces; bootstrap.servers is added. */
static bool
check_config(const char *config, const SourceRights *rights)
{
	char json[4096];

	snprintf(json, sizeof(json),
			 "{\"transport\":{\"name\":\"kafka_input\",\"config\":{\"bootstrap.servers\":\"b:9092\"%s%s}},"
			 "\"format\":{\"name\":\"json\"}}",
			 *config ? "," : "", config);
	return check_connector(json, rights);
}

static void
accepted(const char *config)
{
	if (!ok(check_config(config, &nobody), "accepted: %s", config))
		printf("#   %s\n", error.message);
}

static void
refused(const char *config, IngestErrorKind kind, const char *message)
{
	bool passed = check_config(config, &nobody);

	if (!ok(!passed && error.kind == kind && strstr(error.message, message) != NULL, "refused: %s", config))
		printf("#   %s\n", passed ? "accepted" : error.message);
}

static bool
parse(const char *config)
{
	char json[4096];
	JsonValue *value;

	snprintf(json, sizeof(json), "{\"bootstrap.servers\":\"b:9092\",%s}", config);
	ingest_error_clear(&error);
	arena_reset(&arena);
	return json_parse(json, strlen(json), &arena, &value, &error) && kafka_config_parse(value, &arena, &parsed, &error);
}

static void
test_starts(void)
{
	ok(parse("\"topic\":\"a\"") && parsed.start == KAFKA_START_LATEST && !parsed.latest_symbolic,
	   "a topic alone starts at latest, as a number");
	ok(parse("\"topics\":[\"a\"]") && parsed.start == KAFKA_START_LATEST && parsed.latest_symbolic,
	   "topics alone start at latest, symbolic");
	ok(parse("\"topics\":[\"a\",\"b\"],\"auto.offset.reset\":\"earliest\"") && parsed.topic_count == 2 &&
		   parsed.start == KAFKA_START_EARLIEST && !parsed.latest_symbolic,
	   "topics with auto.offset.reset earliest");
	ok(parse("\"topics\":[\"a\"],\"auto.offset.reset\":\"end\"") && parsed.latest_symbolic, "end is latest");
	ok(parse("\"topics\":[\"a\"],\"auto.offset.reset\":\"smallest\"") && parsed.start == KAFKA_START_EARLIEST,
	   "smallest is earliest");
	ok(parse("\"topic\":\"a\",\"auto.offset.reset\":\"earliest\"") && parsed.start == KAFKA_START_LATEST &&
		   parsed.ignored_reset != NULL,
	   "auto.offset.reset is no start with topic");
	ok(parse("\"topic\":\"a\",\"start_from\":\"earliest\"") && parsed.start == KAFKA_START_EARLIEST,
	   "start_from earliest");
	ok(parse("\"topics\":[\"a\"],\"start_from\":\"latest\"") && !parsed.latest_symbolic,
	   "start_from latest is a number");
	ok(parse("\"topic\":\"a\",\"start_from\":{\"timestamp\":1700000000000}") && parsed.start == KAFKA_START_TIMESTAMP &&
		   parsed.timestamp_ms == 1700000000000,
	   "start_from a time");
	ok(parse("\"topic\":\"a\",\"start_from\":{\"offsets\":[1,\"2\"]}") && parsed.start == KAFKA_START_OFFSETS &&
		   parsed.offset_count == 2 && parsed.offsets[1] == 2,
	   "start_from offsets");
	ok(parse("\"topics\":[\"a\"],\"seek\":[{\"topic\":\"a\",\"partition\":0,\"offset\":42}]") &&
		   parsed.start == KAFKA_START_SEEK && parsed.seeks[0].offset == 42 && parsed.fallback == KAFKA_START_LATEST &&
		   parsed.latest_symbolic,
	   "seek; others start at latest");
	ok(parse("\"topic\":\"a\",\"start_from\":[{\"partition\":3,\"offset\":42}],\"auto.offset.reset\":\"earliest\"") &&
		   parsed.start == KAFKA_START_SEEK && strcmp(parsed.seeks[0].topic, "a") == 0 &&
		   parsed.fallback == KAFKA_START_EARLIEST && parsed.ignored_reset == NULL,
	   "the list form of start_from; others start at auto.offset.reset");
	ok(parse("\"topic\":\"a\",\"partitions\":[2,5],\"start_from\":{\"offsets\":[1,2]}") && parsed.partitions[1] == 5,
	   "partitions");
	ok(parse("\"topic\":\"a\",\"enable.partition.eof\":\"true\",\"resume_earliest_if_data_expires\":true") &&
		   parsed.stop_at_end && parsed.resume_earliest,
	   "switches as strings and booleans");
}

static void
test_refusals(void)
{
	refused("", INGEST_ERROR_INVALID, "$.transport.config.topic: missing");
	refused("\"topic\":\"a\",\"topics\":[\"a\"]", INGEST_ERROR_INVALID, "both");
	refused("\"topic\":\"\"", INGEST_ERROR_INVALID, "$.transport.config.topic");
	refused("\"topic\":\"a b\"", INGEST_ERROR_INVALID, "$.transport.config.topic");
	refused("\"topic\":7", INGEST_ERROR_INVALID, "must be a string");
	refused("\"topics\":[]", INGEST_ERROR_INVALID, "$.transport.config.topics");
	refused("\"topics\":[\"a\",\"a\"]", INGEST_ERROR_INVALID, "$.transport.config.topics[1]");
	refused("\"topic\":\"a\",\"topc\":1", INGEST_ERROR_INVALID, "neither an option of kafka_input");
	ok(strstr(error.hint, "\"topic\"") != NULL || strstr(error.hint, "\"topics\"") != NULL,
	   "the hint names the nearest: %s", error.hint);
	refused("\"topic\":\"a\",\"no.such.property\":1", INGEST_ERROR_INVALID, "No such configuration property");
	refused("\"topic\":\"a\",\"fetch.min.bytes\":\"x\"", INGEST_ERROR_INVALID, "[\"fetch.min.bytes\"]");
	refused("\"topic\":\"a\",\"fetch.min.bytes\":[1]", INGEST_ERROR_INVALID, "must be a string, a number or a boolean");
	refused("\"topic\":\"a\",\"start_from\":\"middle\"", INGEST_ERROR_INVALID, "$.transport.config.start_from");
	refused("\"topic\":\"a\",\"start_from\":{\"offsets\":[-1]}", INGEST_ERROR_INVALID, "start_from.offsets[0]");
	refused("\"topic\":\"a\",\"start_from\":{\"offset\":[1]}", INGEST_ERROR_INVALID, "unknown option \"offset\"");
	refused("\"topics\":[\"a\",\"b\"],\"start_from\":{\"offsets\":[1]}", INGEST_ERROR_INVALID,
			"needs exactly one topic");
	refused("\"topic\":\"a\",\"partitions\":[1,2],\"start_from\":{\"offsets\":[1]}", INGEST_ERROR_INVALID,
			"1 offsets for 2 partitions");
	refused("\"topic\":\"a\",\"partitions\":[1,1]", INGEST_ERROR_INVALID, "listed twice");
	refused("\"topics\":[\"a\",\"b\"],\"partitions\":[1]", INGEST_ERROR_INVALID, "needs exactly one topic");
	refused("\"topics\":[\"a\"],\"seek\":[{\"topic\":\"b\",\"partition\":0,\"offset\":1}]", INGEST_ERROR_INVALID,
			"$.transport.config.seek[0].topic");
	refused("\"topics\":[\"a\"],\"seek\":[{\"topic\":\"a\",\"partition\":0}]", INGEST_ERROR_INVALID,
			"$.transport.config.seek[0].offset: missing");
	refused("\"topics\":[\"a\"],\"seek\":[{\"partition\":0,\"offset\":1},{\"partition\":0,\"offset\":2}]",
			INGEST_ERROR_INVALID, "named twice");
	refused("\"topics\":[\"a\"],\"seek\":[{\"partition\":0,\"offset\":1.5}]", INGEST_ERROR_INVALID,
			"must be an integer");
	refused("\"topic\":\"a\",\"seek\":[{\"partition\":0,\"offset\":1}],\"start_from\":\"latest\"", INGEST_ERROR_INVALID,
			"both");
	refused("\"topics\":[\"a\"],\"auto.offset.reset\":\"middle\"", INGEST_ERROR_INVALID, "auto.offset.reset");
	refused("\"topic\":\"a\",\"log_level\":\"loud\"", INGEST_ERROR_INVALID, "log_level");
	refused("\"topic\":\"a\",\"include_headers\":true", INGEST_ERROR_UNSUPPORTED, "include_headers");
	refused("\"topic\":\"a\",\"header_filter\":{\"header\":{}}", INGEST_ERROR_UNSUPPORTED, "header_filter");
	ok(!check_connector("{\"transport\":{\"name\":\"kafka_input\",\"config\":{\"topic\":\"a\"}},"
						"\"format\":{\"name\":\"json\"}}",
						&nobody) &&
		   strstr(error.message, "bootstrap.servers") != NULL,
	   "bootstrap.servers is needed");
	ok(!check_connector(
		   "{\"transport\":{\"name\":\"kafka_input\",\"config\":{\"topic\":\"a\",\"bootstrap.servers\":\"b\"}}}",
		   &nobody) &&
		   strstr(error.message, "$.format") != NULL,
	   "a format is needed");
	ok(!check_connector("{\"transport\":{\"name\":\"kafka\"}}", &nobody) && strstr(error.hint, "kafka_input") != NULL,
	   "an unknown transport; the hint lists the known ones");
	ok(!check_connector("{}", &nobody) && strstr(error.message, "$.transport: missing") != NULL, "no transport");
}

static void
test_accepted(void)
{
	accepted("\"topic\":\"a\",\"fetch.min.bytes\":1,\"socket.keepalive.enable\":true,\"debug\":\"broker\"");
	accepted("\"topic\":\"a\",\"enable.auto.commit\":\"true\",\"auto.offset.reset\":\"earliest\",\"retries\":3");
	ok(check.warning_count == 1 && strstr(check.warnings[0], "auto.offset.reset") != NULL,
	   "auto.offset.reset without effect is worth a warning");
	accepted("\"topic\":\"a\",\"include_headers\":false,\"poller_threads\":3,\"group_join_timeout_secs\":10");
	accepted("\"topic\":\"a\",\"start_from\":null,\"partitions\":null");
	ok(check_config("\"topic\":\"a\"", &nobody) && !check.completes_backfill && check.follows_after_backfill,
	   "a stream never completes");
	ok(check_config("\"topic\":\"a\",\"enable.partition.eof\":true", &nobody) && check.completes_backfill &&
		   !check.follows_after_backfill,
	   "with enable.partition.eof it does");
}

static void
test_rights(void)
{
	static const char *const denied[] = {
		"\"plugin.library.paths\":\"x\"",
		"\"ssl.key.location\":\"/etc/passwd\"",
		"\"ssl.certificate.location\":\"/etc/passwd\"",
		"\"ssl.ca.location\":\"/etc/passwd\"",
		"\"ssl.crl.location\":\"/etc/passwd\"",
		"\"ssl.keystore.location\":\"/etc/passwd\"",
		"\"ssl.engine.location\":\"x\"",
		"\"sasl.kerberos.kinit.cmd\":\"id\"",
		"\"sasl.kerberos.keytab\":\"x\"",
		"\"security.protocol\":\"SASL_PLAINTEXT\"",
		"\"security.protocol\":\"sasl_ssl\",\"sasl.mechanism\":\"GSSAPI\"",
		"\"security.protocol\":\"sasl_ssl\",\"sasl.mechanisms\":\"gssapi\"",
		"\"sasl.oauthbearer.token.endpoint.url\":\"file:///etc/passwd\"",
		"\"test.mock.num.brokers\":3",
		/* names of other versions and other modes: refused by how they are named, whether known or not */
		"\"offset.store.path\":\"/etc/passwd\"",
		"\"ssl.truststore.location\":\"/etc/passwd\"",
		"\"https.ca.location\":\"/etc/passwd\"",
		"\"sasl.oauthbearer.assertion.file\":\"/etc/passwd\"",
		"\"sasl.oauthbearer.assertion.private.key.file\":\"/etc/passwd\"",
		"\"sasl.oauthbearer.assertion.jwt.template.file\":\"/etc/passwd\"",
		"\"ssl.providers\":\"legacy\"",
		"\"ssl.engine.id\":\"x\"",
		"\"some.refresh.cmd\":\"id\"",
	};
	char config[512];

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
	{
		snprintf(config, sizeof(config), "\"topic\":\"a\",%s", denied[i]);
		refused(config, INGEST_ERROR_DENIED, "$.transport.config");
	}
	refused("\"topic\":\"a\",\"internal.termination.signal\":10", INGEST_ERROR_INVALID, "cannot be used");
	accepted("\"topic\":\"a\",\"ssl.ca.location\":\"probe\"");
	accepted("\"topic\":\"a\",\"security.protocol\":\"SASL_PLAINTEXT\",\"sasl.mechanism\":\"SCRAM-SHA-512\","
			 "\"sasl.username\":\"u\",\"sasl.password\":\"p\"");
	ok(check_config("\"topic\":\"a\",\"ssl.key.location\":\"/nowhere\"", &superuser), "a superuser may: %s",
	   error.message);
}

static void
test_secrets(void)
{
	static const char *const secret[] = {"sasl.password",
										 "ssl.key.password",
										 "ssl.key.pem",
										 "ssl.keystore.password",
										 "sasl.oauthbearer.client.secret",
										 "sasl.oauthbearer.assertion.private.key.pem",
										 "sasl.oauthbearer.assertion.private.key.passphrase"};
	static const char *const open[] = {"sasl.username", "topic",          "bootstrap.servers",
									   "ssl.ca.pem",    "sasl.mechanism", "ssl.certificate.pem"};

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		ok(source_option_is_secret("kafka_input", secret[i]), "%s is a secret", secret[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		ok(!source_option_is_secret("kafka_input", open[i]), "%s is none", open[i]);
	ok(!check_config("\"topic\":\"a\",\"sasl.password\":\"hunter\\u0000two\"", &nobody),
	   "a NUL in a password is refused");
	ok(strstr(error.message, "hunter") == NULL && strstr(error.hint, "hunter") == NULL,
	   "without telling the password: %s", error.message);
	ok(source_option_keeps_position("kafka_input", "sasl.password") &&
		   source_option_keeps_position("kafka_input", "bootstrap.servers") &&
		   !source_option_keeps_position("kafka_input", "topic") &&
		   !source_option_keeps_position("kafka_input", "seek") &&
		   !source_option_keeps_position("kafka_input", "auto.offset.reset"),
	   "credentials and brokers keep the position, topics and starts do not");
	ok(!source_option_keeps_position("datagen", "plan") && !source_option_keeps_position("nope", "x"), "nor do plans");
}

int
main(void)
{
	arena_init(&arena, 1 << 20);
	test_starts();
	test_refusals();
	test_accepted();
	test_rights();
	test_secrets();
	arena_release(&arena);
	return done_testing();
}
