/*-------------------------------------------------------------------------
 *
 * secrets.c
 *	  Secrets by name, and hiding those that were given in the clear.
 *
 * A connector says "secret": "my_server".  That is a foreign server of the wrapper feldera_ingest; its own
 * options and those of the owner's user mapping (or PUBLIC's) stand in transport.config as if they
 * were written there.  An option that is given in both places is an error: whoever made the server
 * may have fixed the endpoint there so that the secret goes nowhere else.
 *
 * The merged object exists only in memory: at the declaration for the check, and in the worker.
 *
 * Redaction.  Values whose key the transport calls secret become ***, and so does the user-info of
 * whatever looks like a URI.  A statement that declares is not repeated in the log behind its errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "catalog_internal.h"
#include "commands/defrem.h"
#include "compat.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(feldera_redact);
PG_FUNCTION_INFO_V1(feldera_ingest_validator);

#define REDACTED "***"

/* ---- resolving -------------------------------------------------------------------------- */

static JsonbValue
string_value(const char *text, int length)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = length;
	return value;
}

/* The server, if it is one of ours and the owner may use it. */
static ForeignServer *
find_server(const char *name, Oid owner)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL || strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, CATALOG_EXTENSION_NAME) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("$.secret: there is no foreign server \"%s\" of wrapper %s", name, CATALOG_EXTENSION_NAME),
				 errhint("Use CREATE SERVER %s FOREIGN DATA WRAPPER %s and CREATE USER MAPPING.",
						 quote_identifier(name), CATALOG_EXTENSION_NAME)));
	if (object_aclcheck(ForeignServerRelationId, server->serverid, owner, ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for foreign server %s", server->servername)));
	return server;
}

static void
push_options(JsonbParseState **state, List *options, const Jsonb *config)
{
	for (int i = 0; i < list_length(options); i++)
	{
		DefElem *option = list_nth(options, i);
		const char *text = defGetString(option);
		JsonbValue key = string_value(option->defname, strlen(option->defname));
		JsonbValue value = string_value(text, strlen(text));

		if (config != NULL && catalog_json_get(config, option->defname) != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("$.transport.config.%s: given here and by the foreign server that \"secret\" names",
								   option->defname)));
		(void) pushJsonbValue(state, WJB_KEY, &key);
		(void) pushJsonbValue(state, WJB_VALUE, &value);
	}
}

/* {"secret": null, "transport": {"config": {options}}} */
static Jsonb *
options_patch(ForeignServer *server, UserMapping *mapping, const Jsonb *config)
{
	JsonbParseState *state = NULL;
	JsonbValue keys[3] = {string_value("secret", 6), string_value("transport", 9), string_value("config", 6)};
	JsonbValue null_value = {.type = jbvNull};

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, &keys[0]);
	(void) pushJsonbValue(&state, WJB_VALUE, &null_value);
	(void) pushJsonbValue(&state, WJB_KEY, &keys[1]);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, &keys[2]);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_options(&state, server->options, config);
	push_options(&state, mapping->options, config);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* A member that is an object, or null. */
static Jsonb *
object_member(const Jsonb *object, const char *key)
{
	JsonbValue *value = object != NULL ? catalog_json_get(object, key) : NULL;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return JsonbValueToJsonb(value);
}

Jsonb *
secrets_resolve(const Jsonb *object, Oid owner)
{
	JsonbValue *secret = catalog_json_get(object, "secret");
	ForeignServer *server;
	Jsonb *config;

	if (secret == NULL || secret->type != jbvString)
		return unconstify(Jsonb *, object);
	server = find_server(pnstrdup(secret->val.string.val, secret->val.string.len), owner);
	config = object_member(object_member(object, "transport"), "config");
	return catalog_json_merge(object, options_patch(server, GetUserMapping(owner, server->serverid), config));
}

/* ---- hiding --------------------------------------------------------------------------------- */

/* "scheme://user:password@host" loses what stands before the "@". */
static JsonbValue
hide_user_info(const JsonbValue *value)
{
	const char *text = value->val.string.val;
	const char *end = text + value->val.string.len;
	const char *authority = NULL;
	const char *at = NULL;
	char *hidden;

	for (const char *c = text; c + 3 <= end && authority == NULL; c++)
	{
		if (memcmp(c, "://", 3) == 0)
			authority = c + 3;
	}
	for (const char *c = authority; c != NULL && c < end && *c != '/' && *c != '?' && *c != '#'; c++)
	{
		if (*c == '@')
			at = c;
	}
	if (at == NULL)
		return *value;
	hidden = psprintf("%.*s" REDACTED "%.*s", (int) (authority - text), text, (int) (end - at), at);
	return string_value(hidden, strlen(hidden));
}

/* {"transport": {"config": {key: "***"}}} for each secret of the configuration */
static Jsonb *
redaction_patch(const char *transport, const Jsonb *config)
{
	JsonbParseState *state = NULL;
	JsonbValue keys[2] = {string_value("transport", 9), string_value("config", 6)};
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &config->root));
	JsonbValue key;
	JsonbValue value;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, &keys[0]);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, &keys[1]);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		char *name = pnstrdup(key.val.string.val, key.val.string.len);
		JsonbValue shown;

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (source_option_is_secret(transport, name))
			shown = string_value(REDACTED, strlen(REDACTED));
		else if (value.type == jbvString)
			shown = hide_user_info(&value);
		else
			continue;
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, &shown);
	}
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
hide_statement(void *argument)
{
	(void) argument;
	errhidestmt(true);
}

void
secrets_hide_statement(ErrorContextCallback *callback)
{
	callback->previous = error_context_stack;
	callback->callback = hide_statement;
	callback->arg = NULL;
	error_context_stack = callback;
}

void
secrets_show_statement(const ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

/* feldera.redact(transport, config) */
Datum
feldera_redact(PG_FUNCTION_ARGS)
{
	char *transport = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb *object = PG_GETARG_JSONB_P(1);
	Jsonb *config = object_member(object_member(object, "transport"), "config");

	if (config == NULL)
		PG_RETURN_JSONB_P(object);
	PG_RETURN_JSONB_P(catalog_json_merge(object, redaction_patch(transport, config)));
}

/* The wrapper's validator: options are keys of transport.config, which only the connector's transport can judge. */
Datum
feldera_ingest_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);

	if (options != NIL && catalog != ForeignServerRelationId && catalog != UserMappingRelationId)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
						errmsg("invalid option \"%s\"", ((DefElem *) linitial(options))->defname),
						errhint("Options stand in CREATE SERVER and CREATE USER MAPPING.")));
	PG_RETURN_VOID();
}
