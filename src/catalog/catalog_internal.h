/*-------------------------------------------------------------------------
 *
 * catalog_internal.h
 *	  What the files of this room share.  Not for other rooms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_CATALOG_INTERNAL_H
#define INGEST_CATALOG_INTERNAL_H

#include "postgres.h"

#include "catalog/catalog.h"
#include "compat.h"
#include "executor/spi.h"
#include "utils/jsonb.h"

#define CATALOG_EXTENSION_NAME "feldera_ingest"
#define CATALOG_SCHEMA_NAME "feldera"

/* ---- session.c: the extension's tables as its owner ------------------------------ */

/*
 * Between begin and end SPI is connected, the user is the extension's owner and the search path is
 * the server's own.  An error in between needs no cleaning up: the end of the (sub)transaction does it.
 */
typedef struct CatalogSession
{
	Oid saved_user;
	int saved_security_context;
	int guc_level;
	bool pushed_snapshot;
	MemoryContext caller; /* results that outlive the session are allocated here */
} CatalogSession;

extern void catalog_session_begin(CatalogSession *session);
extern void catalog_session_end(CatalogSession *session);

/* One statement, planned on first use and kept for the life of the process. Always static. */
#define CATALOG_MAX_ARGUMENTS 20
typedef struct CatalogQuery
{
	const char *sql;
	int argument_count;
	Oid argument_types[CATALOG_MAX_ARGUMENTS];
	SPIPlanPtr plan;
} CatalogQuery;

/* Run it; how many rows it returned or touched. "nulls" may be null: no argument is.  SPI_tuptable holds what it returned. */
extern uint64 catalog_execute(CatalogQuery *query, const Datum *values, const bool *nulls);
/* The same for a SELECT under a snapshot that the caller pushed. */
extern uint64 catalog_execute_with_active_snapshot(CatalogQuery *query);

/* Columns (from 1) of row "row" (from 0) of SPI_tuptable. */
extern bool catalog_column_is_null(uint64 row, int column);
extern int64 catalog_column_int64(uint64 row, int column, int64 if_null); /* int2, int4, int8, oid, regclass */
extern bool catalog_column_bool(uint64 row, int column);
extern TimestampTz catalog_column_timestamp(uint64 row, int column);                  /* 0 for null */
extern char *catalog_column_text(uint64 row, int column, MemoryContext context);      /* null for null */
extern List *catalog_column_text_list(uint64 row, int column, MemoryContext context); /* of char * */

/* Arrays as arguments. "nulls" may be null. */
extern Datum catalog_array(Datum *values, bool *nulls, int count, Oid element_type);
extern Datum catalog_text_list_array(List *texts);
/* Text that came from outside: what is not valid in the database's encoding is replaced by "?". */
extern Datum catalog_text(const char *text);

extern Oid catalog_extension_oid(Oid *owner); /* InvalidOid where it is not there; owner may be null */

/* ---- transaction.c: what happens at the end of a transaction ---------------------- */

extern void catalog_mark_changed(void); /* call catalog_changed_hook at commit */
extern bool catalog_writes_connector;   /* our own INSERT INTO feldera.connector is running */

/* Take the lock of declarations, to the end of the transaction, and check the labels before it commits.
 * "connector_id": declared or altered here, 0 for none. */
extern void catalog_lock_declarations(void);
extern void catalog_check_labels_at_commit(int64 connector_id, List *labels_taken);

extern void catalog_install_transaction_hooks(void);

/* ---- labels.c ---------------------------------------------------------------------- */

/* The check itself, under the latest snapshot.  "touched" is of int64 *, "labels_taken" of char *. */
extern void labels_check(List *touched, List *labels_taken);

/* ---- status.c ------------------------------------------------------------------------ */

extern ConnectorState connector_state_by_name(const char *name);

/* The state of a connector at rest: paused, waiting, or on its way to a worker. */
extern ConnectorState status_of_flags(bool paused, bool released);

/* Inside a session: the user changed something, so errors and retries are forgotten and it begins anew. */
extern void status_restart(int64 connector_id);

/* A history row; inside a session. "phase" and "details" may be null. */
extern void status_write_history(int64 connector_id, const char *state, const char *phase, const char *details);

/* ---- position.c ---------------------------------------------------------------------- */

/* Forget all positions and figures of a connector; inside a session. */
extern void position_forget(int64 connector_id);

/* ---- advance.c ----------------------------------------------------------------------- */

/* Counters held for a transaction that ended. */
extern void advance_forget_counters(void);

/* ---- declaration.c: a declared object and its row ---------------------------------------- */

/* A connector object after validation, as it is stored. */
typedef struct Declaration
{
	char *given_name; /* the part behind the last dot; null: unnamed */
	char *transport;
	Jsonb *config; /* without name, paused, labels, start_after */
	List *labels;  /* of char * */
	List *start_after;
	bool paused;
	int max_retries; /* -1: for ever */
	bool completes_backfill;
	List *warnings; /* of char * */
} Declaration;

/* Whose rights count for a target. */
typedef struct DeclarationRoles
{
	Oid owner;
	Oid run_as;
} DeclarationRoles;

/* Declare one connector object, or an array of them, for the current user; their full names (char *). */
extern List *declare_connectors(Oid relid, const Jsonb *objects);

/* ---- functions.c ---------------------------------------------------------------------------- */

/* What the SQL functions need to know of a connector. */
typedef struct ConnectorRow
{
	int64 connector_id;
	char *name;
	Oid relid;
	char *transport;
	Oid owner;
	bool paused;
	bool released;
	bool started; /* a run began since the declaration or the last reset */
	bool pinned;
	List *labels; /* of char * */
	List *start_after;
	ConnectorState state;
	Jsonb *config;
} ConnectorRow;

/* Find by full name, lock its rows (connector, progress), check that the session's user may order it about. In the caller's context. */
extern ConnectorRow *connector_find(CatalogSession *session, const char *name);
/* Inside a session: no worker that runs now can commit any more. */
extern void connector_fence(int64 connector_id);

extern const char *catalog_inactive_reason(const char **hint); /* null: this server runs connectors */

/* ---- validate.c ---------------------------------------------------------------------------- */

/*
 * Check one connector object for everything; raises with SQLSTATE 22023, the JSON path below "path" ("$" or
 * "$[2]") and a hint.  The one place where declarations are validated.
 */
extern Declaration *validate_connector(const Jsonb *object, const char *path, const TargetTable *target, Oid owner);

/* The target's columns; freed with the current memory context. */
extern const TargetTable *validate_describe(Oid relid);

/* The owner's rights on sources, as they are now. */
extern SourceRights validate_source_rights(Oid owner);

/* The same, for the roles: privileges on the target, and that a worker can connect as "run_as". */
extern DeclarationRoles validate_target(Oid relid, Oid owner);

/* An error of a plain C room as the server's. */
pg_noreturn extern void validate_raise(const IngestError *error);

/* ---- secrets.c ------------------------------------------------------------------------------ */

/* The object with the options of the foreign server and user mapping that "secret" names merged into
 * transport.config, and "secret" taken out. */
extern Jsonb *secrets_resolve(const Jsonb *object, Oid owner);

/*
 * Between the two the server's log tells of messages and errors without the statement, which may hold secrets in the
 * clear.  "callback" lives on the caller's stack; an error pops it by itself.
 */
extern void secrets_hide_statement(ErrorContextCallback *callback);
extern void secrets_show_statement(const ErrorContextCallback *callback);

/* ---- json.c --------------------------------------------------------------------------------- */

extern Jsonb *catalog_json_merge(const Jsonb *target, const Jsonb *patch); /* RFC 7396 */
extern char *catalog_json_text(const Jsonb *value);
extern Jsonb *catalog_json_parse(const char *text);
extern JsonbValue *catalog_json_get(const Jsonb *object, const char *key); /* of an object, or null */

#endif
