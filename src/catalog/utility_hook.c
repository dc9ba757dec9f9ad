/*-------------------------------------------------------------------------
 *
 * utility_hook.c
 *	  CREATE TABLE ... WITH (connectors = '[...]').
 *
 * Contract.  The option is taken out of a copy of the statement (a cached plan runs the same tree again),
 * the rest is executed as it is, and the connectors are declared for the new table in the same
 * transaction.  IF NOT EXISTS on a table that is there declares nothing.  A new table that is not found afterwards
 * is an error, or the statement would have done half of what it says.  Without the
 * extension in this database, or where the library was not preloaded, the statement is passed on untouched and
 * core's own error for the unknown option stays.
 *
 * The caller needs the same rights as for feldera.create_connectors(), which this stands for.
 *
 * CREATE SCHEMA ... CREATE TABLE comes back through this hook for each table, with the schema filled in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "commands/defrem.h"
#include "compat.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type previous_process_utility_hook = NULL;

/* Is this WITH (connectors = ...), or WITH (feldera.connectors = ...)?  A quoted name keeps its case, and any will do. */
static bool
is_connectors_option(const DefElem *option)
{
	if (option->defnamespace != NULL && pg_strcasecmp(option->defnamespace, CATALOG_SCHEMA_NAME) != 0)
		return false;
	return pg_strcasecmp(option->defname, "connectors") == 0;
}

static bool
has_connectors_option(List *options)
{
	for (int i = 0; i < list_length(options); i++)
	{
		if (is_connectors_option(list_nth(options, i)))
			return true;
	}
	return false;
}

/* Take the option out of the list; its JSON text. */
static char *
take_connectors_option(List **options)
{
	List *rest = NIL;
	char *text = NULL;

	for (int i = 0; i < list_length(*options); i++)
	{
		DefElem *option = list_nth(*options, i);

		if (!is_connectors_option(option))
		{
			rest = lappend(rest, option);
			continue;
		}
		if (text != NULL)
			ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("option \"connectors\" given twice")));
		if (option->arg == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"connectors\" needs a value"),
							errhint("Write WITH (connectors = '[{...}]').")));
		text = defGetString(option);
	}
	*options = rest;
	return text;
}

/* The table that the statement names, as CREATE TABLE will look for it; InvalidOid where it is not there. */
static Oid
existing_table(RangeVar *relation)
{
	RangeVar *copy = copyObject(relation);
	Oid namespace_oid = RangeVarGetAndCheckCreationNamespace(copy, NoLock, NULL);

	return get_relname_relid(copy->relname, namespace_oid);
}

/* Did this transaction make the table?  Not when somebody else did it meanwhile, and IF NOT EXISTS passed over it. */
static bool
is_of_this_transaction(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	ReleaseSysCache(tuple);
	return result;
}

/* As if the caller had called the function. */
static void
check_rights(void)
{
	List *name = list_make2(makeString(CATALOG_SCHEMA_NAME), makeString("create_connectors"));
	Oid arguments[2] = {REGCLASSOID, JSONBOID};
	Oid function = LookupFuncName(name, 2, arguments, false);
	AclResult result = object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, NameListToString(name));
}

static void
pass_on(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	if (previous_process_utility_hook != NULL)
		previous_process_utility_hook(statement, query, read_only_tree, context, parameters, environment, receiver,
									  completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, parameters, environment, receiver,
								completion);
}

/* The statement, if it is a CREATE TABLE that declares connectors here; else null. */
static CreateStmt *
declaring_statement(PlannedStmt *statement)
{
	CreateStmt *create = (CreateStmt *) statement->utilityStmt;

	if (create == NULL || !IsA(create, CreateStmt) || !has_connectors_option(create->options))
		return NULL;
	if (!IsTransactionState() || !OidIsValid(catalog_extension_oid(NULL)))
		return NULL;
	return create;
}

/* "statement" is a copy that may be changed. */
static void
create_and_declare(PlannedStmt *statement, const char *query, ProcessUtilityContext context, ParamListInfo parameters,
				   QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	CreateStmt *create = (CreateStmt *) statement->utilityStmt;
	char *text = take_connectors_option(&create->options);
	Oid before;
	Oid relid;

	check_rights();
	before = create->if_not_exists ? existing_table(create->relation) : InvalidOid;
	pass_on(statement, query, false, context, parameters, environment, receiver, completion);
	if (OidIsValid(before))
		return;
	CommandCounterIncrement();
	relid = existing_table(create->relation);
	if (is_of_this_transaction(relid))
		(void) declare_connectors(relid, catalog_json_parse(text));
	else if (!OidIsValid(relid) || !create->if_not_exists)
		ereport(
			ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("table \"%s\" is not there to be given its connectors", create->relation->relname),
			 errdetail("Something, an event trigger perhaps, has renamed, moved or dropped it in the same command."),
			 errhint("Create the table without connectors, then call feldera.create_connectors().")));
}

static void
process_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver,
				QueryCompletion *completion)
{
	CreateStmt *create = declaring_statement(statement);
	ErrorContextCallback callback;

	if (create == NULL)
	{
		pass_on(statement, query, read_only_tree, context, parameters, environment, receiver, completion);
		return;
	}
	secrets_hide_statement(&callback);
	create_and_declare(copyObject(statement), query, context, parameters, environment, receiver, completion);
	secrets_show_statement(&callback);
}

void
catalog_install_hooks(void)
{
	catalog_install_transaction_hooks();
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_process_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
