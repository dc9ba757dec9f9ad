/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the server versions 15 to 18.  The only file that may
 *	  look at PG_VERSION_NUM: everybody else writes for the newest server, and the
 *	  older ones are made to look like it here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_COMPAT_H
#define INGEST_COMPAT_H

#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "feldera_ingest builds with PostgreSQL 15 to 18"
#endif

/* ---- compilers ------------------------------------------------------------------ */

/* 18 made it a prefix. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* ---- rights ------------------------------------------------------------------- */

/* 16 made the checks of all kinds of objects one function. */
#if PG_VERSION_NUM < 160000
static inline bool
object_ownercheck(Oid class_oid, Oid object_oid, Oid role)
{
	if (class_oid == DatabaseRelationId)
		return pg_database_ownercheck(object_oid, role);
	Assert(class_oid == RelationRelationId);
	return pg_class_ownercheck(object_oid, role);
}

static inline AclResult
object_aclcheck(Oid class_oid, Oid object_oid, Oid role, AclMode mode)
{
	if (class_oid == ForeignServerRelationId)
		return pg_foreign_server_aclcheck(object_oid, role, mode);
	if (class_oid == ProcedureRelationId)
		return pg_proc_aclcheck(object_oid, role, mode);
	Assert(class_oid == DatabaseRelationId);
	return pg_database_aclcheck(object_oid, role, mode);
}
#endif

/* ---- background workers --------------------------------------------------------- */

/* From 17 on a worker may run as a role that cannot log in. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_WORKER_NEEDS_LOGIN false
#define COMPAT_WORKER_CONNECTION_FLAGS BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define COMPAT_WORKER_NEEDS_LOGIN true
#define COMPAT_WORKER_CONNECTION_FLAGS 0
#endif

/* ---- settings --------------------------------------------------------------------- */

/* From 17 on whole transactions may be limited in time. */
#define COMPAT_HAS_TRANSACTION_TIMEOUT (PG_VERSION_NUM >= 170000)

/* ---- wait events ----------------------------------------------------------------- */

/* From 17 on an extension names its own; "name" is a literal, the result is kept by the caller. */
static inline uint32
compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* ---- input functions ---------------------------------------------------------------- */

/* From 16 on most input functions return their errors instead of raising them.  False: "text" (null: NULL) was
 * refused, *error says why, in the current memory context.  May raise as well, on every version. */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"

static inline bool
compat_input_function_call(FmgrInfo *function, char *text, Oid parameter, int32 typmod, Datum *value, ErrorData **error)
{
	ErrorSaveContext context = {.type = T_ErrorSaveContext, .details_wanted = true};

	if (InputFunctionCallSafe(function, text, parameter, typmod, (Node *) &context, value))
		return true;
	*error = context.error_data;
	return false;
}
#else
static inline bool
compat_input_function_call(FmgrInfo *function, char *text, Oid parameter, int32 typmod, Datum *value, ErrorData **error)
{
	(void) error;
	*value = InputFunctionCall(function, text, parameter, typmod);
	return true;
}
#endif

#endif
