/*-------------------------------------------------------------------------
 *
 * control_internal.h
 *	  What the files of the room control/ share.  Not for other rooms.
 *
 * Locking: one LWLock covers everything in ControlShared.  It is held for memory
 * reads and writes only, never over a system call that waits, an error or another lock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_CONTROL_INTERNAL_H
#define INGEST_CONTROL_INTERNAL_H

#include "postgres.h"

#include "catalog/catalog.h"
#include "datatype/timestamp.h"
#include "source/source.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

/* ---- settings (settings.c) -------------------------------------------------- */

extern bool control_enabled;
extern int control_max_workers;
extern int control_min_retry_interval; /* milliseconds */
extern int control_max_retry_interval;
extern int control_synchronous_commit; /* SyncCommitLevel of plain progress */
extern char *control_debug_crash;

/* ---- slots (shared_memory.c) -------------------------------------------------- */

#define CONTROL_NAME_LENGTH 256    /* connector names are cut here in shared memory only */
#define CONTROL_MAX_WATERMARKS 256 /* partitions shown of one worker */
#define CONTROL_MAX_CHECKS 64      /* databases to look at; more: all are looked at */
#define CONTROL_MAX_BLOCKS 64      /* concurrent DROP/CREATE/ALTER DATABASE statements */

typedef enum SlotKind
{
	SLOT_SUPERVISOR,
	SLOT_WORKER,
	SLOT_PROBE /* a worker that asks its source once */
} SlotKind;

typedef enum SlotPhase
{
	SLOT_FREE,     /* -> RESERVED */
	SLOT_RESERVED, /* registered, no process yet -> ATTACHED, or FREE when none ever comes */
	SLOT_ATTACHED, /* a process has it -> ENDED */
	SLOT_ENDED     /* the process is gone, its report waits for the parent -> FREE */
} SlotPhase;

/* The last word of a process, read by its parent. */
typedef enum SlotOutcome
{
	OUTCOME_NONE,     /* it said nothing: terminated, or could not connect */
	OUTCOME_STOPPED,  /* asked to stop, or nothing to do */
	OUTCOME_FENCED,   /* the position or the epoch is another one */
	OUTCOME_FINISHED, /* the end of the source, or of the probe */
	OUTCOME_FAILED    /* sqlstate, message and hint are set */
} SlotOutcome;

typedef struct SlotReport
{
	SlotOutcome outcome;
	bool permanent; /* time cannot heal it */
	char sqlstate[6];
	char message[1024];
	char hint[512];
	TimestampTz at;
} SlotReport;

typedef struct LiveFigures
{
	char phase[16];
	char doing[160];
	bool troubled; /* its state is in the catalog: not running, though it runs */
	int64 rows_processed;
	int64 bytes_processed;
	int64 rows_total;
	int64 bytes_total;
	int64 lag;
	double lag_seconds;
	double rows_per_second;
	TimestampTz rate_since;
	TimestampTz last_commit_at;
	int watermark_count;
	SourceWatermark watermarks[CONTROL_MAX_WATERMARKS];
} LiveFigures;

typedef struct ProcessSlot
{
	SlotPhase phase;
	SlotKind kind;
	uint32 generation; /* grows with each reservation; who comes with another one is too late */
	Oid database;
	TimestampTz reserved_at;
	pid_t pid;
	PGPROC *process;
	bool stop_requested;
	TimestampTz stop_requested_at;
	bool terminated; /* SIGTERM was sent */

	/* supervisor */
	bool confirmed; /* the extension is there */
	bool changed;   /* look at the catalog (again) */
	bool watches;   /* some connector has failed: tell of DDL */

	/* worker and probe */
	int64 connector_id;
	int64 declaration;
	int64 epoch;
	Oid run_as;
	bool begun;        /* epoch taken */
	bool settled;      /* the attempt mark is cleared */
	bool suspect;      /* its mark was left by a crash: no other suspect runs beside it */
	uint64 definition; /* of the target, when the run failed; 0: unknown */
	char name[CONTROL_NAME_LENGTH];

	SlotReport report;
	LiveFigures live; /* last: copies that do not need it are shorter */
} ProcessSlot;

/* A statement that needs a database without any of our processes. */
typedef struct DatabaseBlock
{
	Oid database; /* InvalidOid: free */
	int pid;
} DatabaseBlock;

typedef struct ControlShared
{
	LWLock *lock;
	int restarts; /* how often this postmaster has started over after a crash */
	bool crashed; /* attempt marks found open were left by a crash */
	PGPROC *launcher;
	bool rescan;    /* databases may have come or gone */
	bool check_all; /* the list below was too short */
	int check_count;
	Oid checks[CONTROL_MAX_CHECKS]; /* may have the extension now */
	DatabaseBlock blocks[CONTROL_MAX_BLOCKS];
	ConditionVariable changed; /* a process left, or a block went away */
	int supervisor_limit;
	int worker_limit;
	int slot_count;
	ProcessSlot slots[FLEXIBLE_ARRAY_MEMBER];
} ControlShared;

/* Null where the library was not preloaded. */
extern ControlShared *control_shared;

/* What to start. */
typedef struct SlotRequest
{
	SlotKind kind;
	Oid database;
	int64 connector_id;
	int64 declaration;
	Oid run_as;
	bool suspect;
	const char *name;
} SlotRequest;

typedef enum StartResult
{
	START_DONE,
	START_NO_SLOT,   /* feldera_ingest.max_workers are busy */
	START_NO_WORKER, /* max_worker_processes are busy */
	START_BLOCKED /* the database is about to be dropped or copied, or another suspect runs: we are told of the end */
} StartResult;

/* Reserve a slot and register its process; the caller gets SIGUSR1 when it starts and ends. */
extern StartResult control_start_process(const SlotRequest *request);

/* First thing in such a process: take the slot, or leave (exit code 0) when it is no longer ours. */
extern ProcessSlot *control_attach(Datum argument);
extern ProcessSlot *control_my_slot;
extern bool control_stop_requested(void);

/* Ask all processes of a database (InvalidOid: of all) to leave, the supervisor included or not; SIGTERM for
 * those who were asked a while ago.  Returns how many are still there. */
extern int control_stop_database(Oid database, bool with_supervisor);
extern void control_stop_slot(int index, uint32 generation);

/* Drop reservations whose process never came. */
extern void control_collect_reservations(void);
extern void control_free_slot(int index, uint32 generation);
/* The process has proved that it does not crash at once: other suspects may start.  Caller holds the lock. */
extern void control_settle_locked(ProcessSlot *slot);
extern void control_lock(LWLockMode mode);
extern void control_unlock(void);

/* ---- waking (wakeup.c) ----------------------------------------------------------- */

extern void control_wake_database(Oid database); /* the catalog_changed_hook */
extern void control_wake_launcher(bool rescan);
extern void control_wake_supervisors_locked(void);
extern void control_wake_process_locked(PGPROC *process);
extern const char *control_inactive_reason(const char **hint);

/* ---- DDL that may heal (definition.c) ---------------------------------------------- */

/* What a target is like, as a number, 0 where it is gone; false: it is locked exclusively.  Needs a transaction. */
extern bool control_definition(Oid relid, uint64 *definition);
extern void control_install_definition_hook(void);

/* ---- DROP DATABASE and its like (database_hook.c) ----------------------------------- */

extern void control_install_database_hook(void);
extern bool control_database_is_blocked_locked(Oid database);

/* Nobody's schema: a role that may create objects somewhere must not slip code into another role's worker. */
#define CONTROL_SEARCH_PATH "pg_catalog, pg_temp"

/* ---- processes (process.c) ------------------------------------------------------------ */

/* Signals and slot; leaves the process where the slot is not ours any more. */
extern ProcessSlot *control_begin_process(Datum argument);
/* Connect to the slot's database as "role" (InvalidOid: the bootstrap superuser), with settings of our own. */
extern void control_connect(Oid role);
/* One transaction with an active snapshot; "activity" is what pg_stat_activity shows. */
extern void control_begin_transaction(const char *activity);
extern void control_commit(void);
extern void control_abort(void);
/* Reload the configuration when asked to; CHECK_FOR_INTERRUPTS. */
extern void control_check_interrupts(void);
/* Sleep until the latch, the descriptor (PGINVALID_SOCKET: none) or the time (-1: none). */
extern void control_wait(pgsocket fd, long timeout_ms, uint32 wait_event);

/* ---- leaving (exit.c) ------------------------------------------------------------------ */

/* First thing in a worker: its callback is the last that runs. */
extern void control_prepare_exit(void);
/* The source whose threads must be gone before the process is; null: none. */
extern void control_own_source(Source *source);
/* Once the process is connected: stop the source before shared memory is left. */
extern void control_register_source_exit(void);
/* False: the threads still run, the process has to leave by proc_exit. */
extern bool control_stop_source(void);

/* ---- the worker (worker.c, worker_loop.c, worker_error.c, live.c) -------------------- */

typedef struct WorkerRun
{
	ProcessSlot *slot;
	bool probe;
	bool opening; /* until the first batch: what is not in the right state is then the declaration's fault */
	CatalogDeclaration *declaration;
	ApplyTarget *target;
	Source *source;
	MemoryContext run_context;   /* declaration and target; lives as long as the process */
	MemoryContext batch_context; /* reset after each batch */
	const ChangeBatch *batch;    /* being applied, for the error context; else null */
	const char *phase;           /* recorded; null: none yet */
	bool follows_versions;       /* a Delta table that is followed (after its snapshot) */
	TimestampTz started_at;
	bool attempt_open;
	bool healthy;  /* recorded */
	bool troubled; /* recorded: the source cannot go on for now */
	bool missed;   /* logged: some change of this run found no row */

	/* the transaction that is open between two events (a large Delta version), else false and 0 */
	bool in_transaction;
	int64 open_rows;
	int64 open_bytes;
} WorkerRun;

typedef enum RunResult
{
	RUN_GOES_ON,        /* inside worker_loop only */
	RUN_STOPPED,        /* asked to, or nothing to do */
	RUN_FENCED,         /* the epoch or the position is not ours any more */
	RUN_FINISHED,       /* the end of the source */
	RUN_TARGET_CHANGED, /* DDL: describe the target again */
	RUN_FAILED          /* the source's error is in *failure */
} RunResult;

extern RunResult worker_loop(WorkerRun *run, IngestError *failure);
extern const char *worker_phase_of(const SourcePosition *position);

/* The last word of this process, for its parent and the views. */
extern void
control_report(SlotOutcome outcome, bool permanent, const char *sqlstate, const char *message, const char *hint);
/* Record what PG_CATCH caught, log it, abort; never raises. */
extern void worker_report_caught_error(WorkerRun *run);
extern void worker_report_source_error(WorkerRun *run, const IngestError *error);
extern void worker_error_context(void *argument);

extern void live_begin(ProcessSlot *slot, const CatalogDeclaration *declaration);
extern void live_phase(ProcessSlot *slot, const char *phase);
/* Also what pg_stat_activity shows. */
extern void live_doing(ProcessSlot *slot, const char *doing);
extern void live_status(ProcessSlot *slot, const SourceStatus *status);
extern void live_troubled(ProcessSlot *slot, bool troubled);
extern void live_committed(ProcessSlot *slot, int64 rows, int64 bytes);

#endif
