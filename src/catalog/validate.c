/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  The one place where declarations are validated.
 *
 * Contract.  A connector object is checked whole before anything is written: the keys that all
 * connectors have are checked here, what they mean to the source by source_check(), against the target's
 * columns.  Every refusal is an error with SQLSTATE 22023 (a right that is missing: 42501), the JSON
 * path, and a hint that lists what would be valid.  No network and no file is touched.
 *
 * Rights.  Those on the source are the owner's, those on the target the role's that the worker
 * connects as.  They differ in one case only: a superuser's connector on somebody else's table
 * runs as the table's owner, else that owner's triggers would run with the superuser's rights.
 *
 * Memory.  The parsed tree is malloc'ed; a reset callback on the current context frees it, also after an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog_internal.h"
#include "commands/dbcommands.h"
#include "compat.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define MAX_DECLARATION_BYTES ((size_t) 64 << 20)

typedef enum KeyType
{
	KEY_STRING,
	KEY_BOOLEAN,
	KEY_COUNT,       /* integer from "least" on */
	KEY_LABELS,      /* array of strings */
	KEY_START_AFTER, /* string, array of strings, or null */
	KEY_OBJECT
} KeyType;

typedef struct GenericKey
{
	const char *name;
	KeyType type;
	int64 least;
} GenericKey;

/* Keys of every connector, whatever its transport. */
static const GenericKey generic_keys[] = {
	{"name", KEY_STRING, 0},
	{"paused", KEY_BOOLEAN, 0},
	{"labels", KEY_LABELS, 0},
	{"start_after", KEY_START_AFTER, 0},
	{"transport", KEY_OBJECT, 0},
	{"format", KEY_OBJECT, 0},
	{"on_error", KEY_STRING, 0},
	{"secret", KEY_STRING, 0},
	{"max_retries", KEY_COUNT, 0},
	{"max_batch_size", KEY_COUNT, 1},
	{"max_worker_batch_size", KEY_COUNT, 1},
	{"max_queued_records", KEY_COUNT, 1},
	{"max_queued_bytes", KEY_COUNT, 1},
};

static void
release_arena(void *arena)
{
	arena_release(arena);
}

static void
release_target(void *target)
{
	apply_describe_free(target);
}

const TargetTable *
validate_describe(Oid relid)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	TargetTable *target = apply_describe(relid);

	callback->func = release_target;
	callback->arg = target;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return target;
}

/* The tree of a JSON text; freed with the current memory context. */
static JsonValue *
parse_tree(const char *text)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	Arena *arena = palloc0(sizeof(Arena));
	JsonValue *tree;
	IngestError error;

	arena_init(arena, MAX_DECLARATION_BYTES);
	callback->func = release_arena;
	callback->arg = arena;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	ingest_error_clear(&error);
	if (!json_parse(text, strlen(text), arena, &tree, &error))
		validate_raise(&error);
	return tree;
}

static int
sqlstate_of(IngestErrorKind kind)
{
	switch (kind)
	{
		case INGEST_ERROR_DENIED:
			return ERRCODE_INSUFFICIENT_PRIVILEGE;
		case INGEST_ERROR_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case INGEST_ERROR_OUT_OF_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case INGEST_ERROR_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		default:
			return ERRCODE_INVALID_PARAMETER_VALUE;
	}
}

void
validate_raise(const IngestError *error)
{
	ereport(ERROR, (errcode(sqlstate_of(error->kind)), errmsg("%s", error->message),
					error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
	pg_unreachable();
}

/* The same for one connector of an array: the paths of plain C rooms begin with "$". */
pg_noreturn static void
raise_at(const char *path, const IngestError *error)
{
	if (error->message[0] != '$')
		validate_raise(error);
	ereport(ERROR, (errcode(sqlstate_of(error->kind)), errmsg("%s%s", path, error->message + 1),
					error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
	pg_unreachable();
}

/* ---- generic keys ------------------------------------------------------------------- */

pg_noreturn static void
refuse_key(const char *path, Span key)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(generic_keys); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", generic_keys[i].name);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s: unknown key \"%s\"", path, pnstrdup(key.data, key.length)),
					errhint("Valid keys are %s.", names.data)));
	pg_unreachable();
}

pg_noreturn static void
refuse_value(const char *path, const char *key, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s.%s: %s expected", path, key, wanted)));
	pg_unreachable();
}

static bool
is_label_array(const JsonValue *value)
{
	if (value->type != JSON_TYPE_ARRAY)
		return false;
	for (size_t i = 0; i < value->count; i++)
	{
		if (value->elements[i]->type != JSON_TYPE_STRING || value->elements[i]->text.length == 0)
			return false;
	}
	return true;
}

static void
check_value(const char *path, const GenericKey *key, const JsonValue *value)
{
	int64 number;

	switch (key->type)
	{
		case KEY_STRING:
			if (value->type != JSON_TYPE_STRING)
				refuse_value(path, key->name, "a string");
			break;
		case KEY_BOOLEAN:
			if (value->type != JSON_TYPE_TRUE && value->type != JSON_TYPE_FALSE)
				refuse_value(path, key->name, "true or false");
			break;
		case KEY_COUNT:
			if (value->type != JSON_TYPE_NUMBER || !json_to_int64(value, &number) || number < key->least)
				refuse_value(path, key->name, psprintf("an integer of at least " INT64_FORMAT, key->least));
			break;
		case KEY_LABELS:
			if (!is_label_array(value))
				refuse_value(path, key->name, "an array of non-empty strings");
			break;
		case KEY_START_AFTER:
			if (value->type == JSON_TYPE_ARRAY && value->count == 0)
				refuse_value(path, key->name, "at least one label");
			if (!is_label_array(value) && (value->type != JSON_TYPE_STRING || value->text.length == 0))
				refuse_value(path, key->name, "a string, an array of strings, or null");
			break;
		case KEY_OBJECT:
			if (value->type != JSON_TYPE_OBJECT)
				refuse_value(path, key->name, "an object");
			break;
	}
}

/* Unknown keys and wrong types. A null is taken for an absent key, as Feldera does. */
static void
check_generic_keys(const char *path, const JsonValue *tree)
{
	if (tree->type != JSON_TYPE_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s: a connector object expected", path),
						errhint("Write {\"transport\": {\"name\": ..., \"config\": {...}}, ...}.")));
	for (size_t i = 0; i < tree->count; i++)
	{
		const GenericKey *key = NULL;

		for (size_t k = 0; k < lengthof(generic_keys) && key == NULL; k++)
		{
			if (span_equals(tree->members[i].key, generic_keys[k].name))
				key = &generic_keys[k];
		}
		if (key == NULL)
			refuse_key(path, tree->members[i].key);
		if (tree->members[i].value->type != JSON_TYPE_NULL)
			check_value(path, key, tree->members[i].value);
	}
}

static void
check_name(const char *path, const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= NAMEDATALEN ||
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s.name: invalid name \"%s\"", path, name),
				 errhint("A connector's name has 1 to %d letters, digits, underscores and hyphens.", NAMEDATALEN - 1)));
}

/* An unused "reject" would be dangerous, so every other word is refused. */
static void
check_on_error(const char *path, const char *on_error)
{
	if (on_error != NULL && strcmp(on_error, "reject") != 0 && strcmp(on_error, "stop") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s.on_error: unknown value \"%s\"", path, on_error),
				 errhint("Valid values are stop, reject.")));
}

/* Labels of an array, or the one label of a string, each once. */
static List *
label_list(const JsonValue *value)
{
	List *labels = NIL;

	if (value == NULL || value->type == JSON_TYPE_NULL)
		return NIL;
	if (value->type == JSON_TYPE_STRING)
		return list_make1(pstrdup(value->text.data));
	for (size_t i = 0; i < value->count; i++)
	{
		bool known = false;

		for (int k = 0; k < list_length(labels); k++)
			known = known || strcmp(list_nth(labels, k), value->elements[i]->text.data) == 0;
		if (!known)
			labels = lappend(labels, pstrdup(value->elements[i]->text.data));
	}
	return labels;
}

/* "max_retries" of the connector, or of the transport's own options, as Feldera spells it. */
static int
retries_of(const JsonValue *tree)
{
	const JsonValue *value = json_get(tree, "max_retries");
	int64 number;

	if (value == NULL)
		value = json_get(json_get(json_get(tree, "transport"), "config"), "max_retries");
	if (value == NULL || !json_to_int64(value, &number) || number < 0)
		return -1;
	return (int) Min(number, INT_MAX);
}

/* ---- the whole object ------------------------------------------------------------------- */

/* What the object means to its source, with the secrets that it names. */
static void
check_source(const Jsonb *object, const char *path, const TargetTable *target, Oid owner, Declaration *declaration)
{
	SourceRights rights = validate_source_rights(owner);
	JsonValue *tree = parse_tree(catalog_json_text(secrets_resolve(object, owner)));
	SourceCheck check = {0};
	IngestError error;

	ingest_error_clear(&error);
	if (!source_check(tree, target, &rights, &check, &error))
		raise_at(path, &error);
	declaration->completes_backfill = check.completes_backfill;
	for (size_t i = 0; i < check.warning_count; i++)
		declaration->warnings = lappend(declaration->warnings, pstrdup(check.warnings[i]));
}

Declaration *
validate_connector(const Jsonb *object, const char *path, const TargetTable *target, Oid owner)
{
	static const char *const kept_apart = "{\"name\":null,\"paused\":null,\"labels\":null,\"start_after\":null}";
	Declaration *declaration = palloc0(sizeof(Declaration));
	JsonValue *tree = parse_tree(catalog_json_text(object));
	const JsonValue *paused;
	const char *name;

	check_generic_keys(path, tree);
	name = json_get_string(tree, "name");
	if (name != NULL)
		check_name(path, name);
	check_on_error(path, json_get_string(tree, "on_error"));
	check_source(object, path, target, owner, declaration);

	paused = json_get(tree, "paused");
	declaration->given_name = name != NULL ? pstrdup(name) : NULL;
	declaration->transport = pstrdup(json_get_string(json_get(tree, "transport"), "name"));
	declaration->labels = label_list(json_get(tree, "labels"));
	declaration->start_after = label_list(json_get(tree, "start_after"));
	declaration->paused = paused != NULL && paused->type == JSON_TYPE_TRUE;
	declaration->max_retries = retries_of(tree);
	declaration->config = catalog_json_merge(object, catalog_json_parse(kept_apart));
	return declaration;
}

/* ---- rights ------------------------------------------------------------------------------- */

SourceRights
validate_source_rights(Oid owner)
{
	bool superuser = superuser_arg(owner);

	return (SourceRights){
		.local_files = superuser || has_privs_of_role(owner, ROLE_PG_READ_SERVER_FILES),
		.server_credentials = superuser,
		.superuser_properties = superuser,
	};
}

/* Below 17 a worker logs in like anybody else. */
static void
check_can_connect(Oid role)
{
	HeapTuple tuple;
	bool can_login;

	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", role)));
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);

	if (COMPAT_WORKER_NEEDS_LOGIN && !can_login)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" cannot run a connector, because it is not permitted to log in",
							   GetUserNameFromId(role, false)),
						errhint("Use ALTER ROLE ... LOGIN, or declare the connector as another role.")));
	if (object_aclcheck(DatabaseRelationId, MyDatabaseId, role, ACL_CONNECT) != ACLCHECK_OK)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" cannot run a connector, because it may not connect to database \"%s\"",
							   GetUserNameFromId(role, false), get_database_name(MyDatabaseId)),
						errhint("Use GRANT CONNECT ON DATABASE.")));
}

/* Kinds of tables that a worker cannot feed safely, whatever their columns are. */
static void
check_persistence(Form_pg_class form)
{
	const char *name = NameStr(form->relname);

	if (form->oid < FirstNormalObjectId)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" belongs to the system", name)));
	if (form->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is a temporary table", name),
						errdetail("A connector's worker is another session and cannot see it.")));
	if (form->relpersistence == RELPERSISTENCE_UNLOGGED)
		ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("\"%s\" is an unlogged table", name),
						  errdetail("A crash of the server empties it, but the connector goes on where it was.")));
}

DeclarationRoles
validate_target(Oid relid, Oid owner)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	DeclarationRoles roles = {owner, owner};
	Form_pg_class form;
	AclResult result;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relid)));
	form = (Form_pg_class) GETSTRUCT(tuple);
	check_persistence(form);
	if (superuser_arg(owner))
		roles.run_as = form->relowner;
	result = pg_class_aclcheck(relid, roles.run_as, ACL_INSERT);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(form->relkind), NameStr(form->relname));
	ReleaseSysCache(tuple);
	check_can_connect(roles.run_as);
	return roles;
}
