/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The GUCs of the processes.
 *
 * What sizes shared memory can only be defined while the postmaster preloads the library;
 * everything else may change on reload and is read where it is used, never cached.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "miscadmin.h"
#include "utils/guc.h"

bool control_enabled = true;
int control_max_workers = 8;
int control_min_retry_interval = 1000;
int control_max_retry_interval = 300000;
int control_synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
char *control_debug_crash = NULL;

static const struct config_enum_entry synchronous_commit_options[] = {
	{"off", SYNCHRONOUS_COMMIT_OFF, false},
	{"local", SYNCHRONOUS_COMMIT_LOCAL_FLUSH, false},
	{"remote_write", SYNCHRONOUS_COMMIT_REMOTE_WRITE, false},
	{"on", SYNCHRONOUS_COMMIT_REMOTE_FLUSH, false},
	{"remote_apply", SYNCHRONOUS_COMMIT_REMOTE_APPLY, false},
	{NULL, 0, false},
};

static void
define_process_gucs(void)
{
	DefineCustomBoolVariable("feldera_ingest.enabled", "Runs the connectors of this server.",
							 "Off ends all workers at once; positions stay, and on goes on from there.",
							 &control_enabled, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("feldera_ingest.max_workers",
								"Maximum number of connectors that run at the same time on this server.",
								"Each one takes a background worker of max_worker_processes, as does each database "
								"with the extension, and the launcher.",
								&control_max_workers, 8, 1, 1024, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"feldera_ingest.debug_crash", "Name of a connector whose worker crashes right after its start, for tests.",
		NULL, &control_debug_crash, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

void
control_define_gucs(void)
{
	define_process_gucs();
	DefineCustomIntVariable("feldera_ingest.min_retry_interval",
							"Pause before the first retry of a connector that failed; each further one doubles it.",
							NULL, &control_min_retry_interval, 1000, 10, 3600000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL,
							NULL);
	DefineCustomIntVariable("feldera_ingest.max_retry_interval", "Longest pause between two retries of a connector.",
							NULL, &control_max_retry_interval, 300000, 10, 86400000, PGC_SIGHUP, GUC_UNIT_MS, NULL,
							NULL, NULL);
	DefineCustomEnumVariable("feldera_ingest.synchronous_commit",
							 "Synchronization level of transactions that only move a connector forward.",
							 "Rows and position are lost and read again together. Starts, ends of backfills and "
							 "declarations always wait for the local flush.",
							 &control_synchronous_commit, SYNCHRONOUS_COMMIT_OFF, synchronous_commit_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}
