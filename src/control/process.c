/*-------------------------------------------------------------------------
 *
 * process.c
 *	  What supervisors and workers have in common: how they begin, wait and run
 *	  transactions.
 *
 * Every wait is a latch wait that ends with the postmaster, and every wake-up goes through
 * control_check_interrupts(): so SIGTERM ("die"), ProcSignalBarriers (DROP DATABASE of
 * another database waits for them) and SIGHUP are answered at once.
 *
 * A role or a database may carry settings of its own, and they are loaded for background
 * workers as well.  What could change the meaning of a row or stop a transaction half-way
 * is therefore set here, above them.
 *
 * Memory: each transaction leaves the current context as it found it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Where the caller of control_begin_transaction was. */
static MemoryContext caller_context = NULL;

static void
set_option(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

static const char *
synchronous_commit_value(void)
{
	switch (control_synchronous_commit)
	{
		case SYNCHRONOUS_COMMIT_OFF:
			return "off";
		case SYNCHRONOUS_COMMIT_LOCAL_FLUSH:
			return "local";
		case SYNCHRONOUS_COMMIT_REMOTE_WRITE:
			return "remote_write";
		case SYNCHRONOUS_COMMIT_REMOTE_APPLY:
			return "remote_apply";
		default:
			return "on";
	}
}

static void
settle_session(const ProcessSlot *slot)
{
	char name[NAMEDATALEN * 2];

	snprintf(name, sizeof(name), "feldera_ingest %s", slot->name);
	set_option("application_name", name);
	set_option("role", "none");
	set_option("search_path", CONTROL_SEARCH_PATH);
	set_option("session_replication_role", "origin");
	set_option("DateStyle", "ISO, YMD");
	set_option("IntervalStyle", "postgres");
	set_option("TimeZone", "UTC");
	set_option("bytea_output", "hex");
	set_option("extra_float_digits", "1");
	set_option("row_security", "on");
	set_option("default_transaction_isolation", "read committed");
	set_option("default_transaction_read_only", "off");
	set_option("default_transaction_deferrable", "off");
	set_option("statement_timeout", "0");
	set_option("lock_timeout", "0");
	/* Shorter than anybody's, so that in a deadlock with a user (a pause and DDL in one transaction) the worker gives way. */
	set_option("deadlock_timeout", "20ms");
	set_option("idle_in_transaction_session_timeout", "0");
	if (COMPAT_HAS_TRANSACTION_TIMEOUT)
		set_option("transaction_timeout", "0");
	set_option("array_nulls", "on");
	set_option("max_parallel_workers_per_gather", "0");
	set_option("client_min_messages", "error");
	set_option("synchronous_commit", synchronous_commit_value());
}

ProcessSlot *
control_begin_process(Datum argument)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	return control_attach(argument);
}

void
control_connect(Oid role)
{
	BackgroundWorkerInitializeConnectionByOid(control_my_slot->database, role, COMPAT_WORKER_CONNECTION_FLAGS);
	settle_session(control_my_slot);
}

/* ---- waiting ----------------------------------------------------------------------- */

void
control_check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		if (control_my_slot != NULL)
			set_option("synchronous_commit", synchronous_commit_value());
	}
}

void
control_wait(pgsocket fd, long timeout_ms, uint32 wait_event)
{
	int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;

	if (timeout_ms >= 0)
		events |= WL_TIMEOUT;
	if (fd != PGINVALID_SOCKET)
		events |= WL_SOCKET_READABLE;
	if (WaitLatchOrSocket(MyLatch, events, fd, timeout_ms, wait_event) & WL_LATCH_SET)
		ResetLatch(MyLatch);
	control_check_interrupts();
}

/* ---- transactions -------------------------------------------------------------------- */

void
control_begin_transaction(const char *activity)
{
	caller_context = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, activity);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
control_commit(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller_context);
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
control_abort(void)
{
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(caller_context != NULL ? caller_context : TopMemoryContext);
	pgstat_report_activity(STATE_IDLE, NULL);
}
