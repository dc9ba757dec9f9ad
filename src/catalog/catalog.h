/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  Door of the room catalog/: the extension's own tables, and nothing else
 *	  writes them.  SQL functions (create_connectors, alter_connector, ...) live
 *	  here as well; they are found by the server, not called from other rooms.
 *
 * All functions run in the caller's transaction, in the main thread, and switch to the
 * extension's owner for their SPI calls, because the worker runs as the connector's owner,
 * who has no right on these tables.  Results are palloc'ed in the context current at the call.
 *
 * Fencing: whatever a worker writes carries its epoch, and must hit exactly one row; a false
 * tells the worker that it is a zombie and has to leave without committing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_CATALOG_H
#define INGEST_CATALOG_H

#include "postgres.h"

#include "apply/apply.h"
#include "batch/batch.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "source/source.h"

/* ---- for the server's start (feldera_ingest.c) --------------------------------- */

extern void catalog_define_gucs(void);   /* history_retention, rejected_retention */
extern void catalog_install_hooks(void); /* CREATE TABLE ... WITH (connectors = ...), label check at PRE_COMMIT */

/* Set by control/ : called once at commit of a transaction that changed any declaration, or created or dropped
 * the extension, in this database. */
extern void (*catalog_changed_hook)(Oid database);

/* Set by control/ : why this server runs nothing, as a translated text with hint, or null when it does
 * (not preloaded, standby, switched off). */
extern const char *(*catalog_inactive_reason_hook)(const char **hint);

/* ---- states --------------------------------------------------------------------- */

typedef enum ConnectorState
{
	CONNECTOR_WAITING, /* start_after labels not yet complete */
	CONNECTOR_PAUSED,
	CONNECTOR_QUEUED, /* no worker slot free */
	CONNECTOR_RUNNING,
	CONNECTOR_RETRYING,
	CONNECTOR_FINISHED,
	CONNECTOR_FAILED,
	CONNECTOR_INACTIVE
} ConnectorState;

extern const char *connector_state_name(ConnectorState state);

/* ---- what the supervisor reads ------------------------------------------------------ */

typedef struct CatalogConnector
{
	int64 connector_id;
	char *name;
	Oid relid;
	char *transport;
	Oid owner;  /* declaring: rights on the source */
	Oid run_as; /* effective: rights on the target; the worker connects as this role */
	bool paused;
	bool adopted;  /* false also when the database OID or system identifier is another one */
	bool released; /* the gate has opened, or there is none */
	bool probed;   /* the short run right after the declaration is done */
	bool backfill_completed;
	int64 declaration; /* grows with each change that a running worker must see */
	int64 epoch;
	int crash_marks; /* consecutive attempts that a crash left open */
	bool attempt_open;
	ConnectorState state; /* as last recorded */
	char *sqlstate;       /* of the recorded error, or null */
	TimestampTz retry_at; /* 0: none */
	int retries;          /* consecutive */
	int max_retries;      /* -1: for ever */
} CatalogConnector;

/* Is the extension here (in this database), complete, and at a version this library knows? */
extern bool catalog_extension_exists(void);

/* Take and keep to the end of the transaction the lock that DROP EXTENSION conflicts with; false: it is gone.
 * First thing in each transaction of supervisor and worker. */
extern bool catalog_lock_extension(void);

extern List *catalog_list_connectors(void); /* of CatalogConnector * */

/* Open each gate whose labels are complete now (released_at); returns how many.  Reads the catalog only, and waits for
 * no lock: "passed_over" says that one would open but for somebody else's open transaction, so look again soon. */
extern int catalog_open_gates(bool *passed_over);

/* What a waiting connector waits for and who holds it, for log lines: "lineitem.historical (held by ...)". */
extern char *catalog_describe_wait(int64 connector_id);

/*
 * The one state setter: status row, history row, log line, only where state, phase or error differ from what is
 * recorded.  error and hint may be null; retry_at 0 = none.  RETRYING counts up "retries", RUNNING leaves it,
 * catalog_record_healthy clears it.
 */
extern void catalog_set_state(int64 connector_id, ConnectorState state, const char *sqlstate, const char *error,
							  const char *hint, TimestampTz retry_at);
extern void catalog_record_healthy(int64 connector_id);

/* Trim history and rejected_records by the retention GUCs; called by the supervisor now and then. */
extern void catalog_trim(void);

/* ---- what the worker reads and writes -------------------------------------------------- */

typedef struct CatalogDeclaration
{
	int64 connector_id;
	char *name;
	Oid relid;
	Oid owner;
	Oid run_as;
	char *connector_json; /* secrets resolved */
	SourceRights rights;  /* of the owner, checked now */
	bool reject_all;      /* "on_error": "reject" */
	int64 declaration;
	int64 epoch; /* this worker's own */
	int64 rows_processed;
	bool backfill_completed;
} CatalogDeclaration;

/*
 * Begin a run: epoch + 1, and the attempt mark.  Null where the connector is gone or not to run (the worker then
 * leaves with exit code 0); "probe": it may be paused, or wait for its labels.
 */
extern CatalogDeclaration *catalog_begin_run(int64 connector_id, bool probe);
extern void catalog_clear_attempt(int64 connector_id, int64 epoch);

/* The stored position, or null where nothing is stored.  Delta plans come without their finished files. */
extern SourcePosition *catalog_load_position(int64 connector_id);

/* Store a pin: false = fenced.  "probe": the short run (sets probed). Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
 * where the stored source identity is another one. Commit it with synchronous_commit at least local. */
extern bool catalog_store_pin(int64 connector_id, int64 epoch, const SourcePosition *pin, bool probe);

/*
 * In the transaction that applied the batch: move the positions, count, keep the rejects, and record the end of
 * the backfill where the batch completes it.  False = fenced: abort and leave.
 */
extern bool catalog_advance(int64 connector_id, int64 epoch, const ChangeBatch *batch, const ApplyResult *result);

/* The source is at its end (or its backfill is, without a batch): recorded, label satisfied. */
extern bool catalog_complete_backfill(int64 connector_id, int64 epoch);

/* Put this error of a run into the status at once, from the dying worker (its transaction is a new one). */
extern void catalog_record_error(int64 connector_id, int64 epoch, bool permanent, const char *sqlstate,
								 const char *error, const char *hint);

/* The source of a run cannot go on by itself for now (state retrying, while its worker stays), or it can again (trouble
 * null: state running).  Nothing where the epoch is another one. */
extern void catalog_record_trouble(int64 connector_id, int64 epoch, const char *sqlstate, const char *trouble);

/* A history row of a phase change ("snapshot", "follow", "live", "done") with details as JSON text (or null). */
extern void catalog_record_phase(int64 connector_id, const char *phase, const char *details);

#endif
