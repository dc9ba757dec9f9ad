/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  One per cluster, connected to no database: keeps a supervisor in every database
 *	  that has the extension.
 *
 * Which databases have it is written in none of the shared catalogs, so each database is
 * asked once: a supervisor is started there, which leaves at once where the extension is
 * missing.  One at a time is asked, so that a cluster of a thousand databases needs one
 * background worker for it.  Afterwards the launcher looks again where CREATE EXTENSION
 * committed, where a supervisor died, and at databases it has not seen before.  template0 and
 * databases that allow no connections are never asked.
 *
 * What the launcher knows of a database (local memory; a launcher that starts anew asks again):
 *
 *	  UNKNOWN	to be asked						-> ASKED
 *	  ASKED		its supervisor runs				-> UNKNOWN (it died, or news came), ABSENT
 *	  ABSENT	no extension here				-> UNKNOWN (CREATE EXTENSION committed)
 *
 * A supervisor that ends without a word is started again after a pause that doubles from 1 s
 * to 1 min.  While feldera_ingest.enabled is off nothing runs: the launcher ends all processes
 * itself, so that the switch works whatever state a database is in.
 *
 * Locks: shared memory is read under the lock, databases are started without it.
 * Memory: the table of databases lives as long as the process; each cycle has a scratch context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
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
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define RESTART_SECONDS 5
#define SHORTEST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 60000

/* Databases that come without our hooks seeing it (none is known) are found at the latest after this. */
#define RESCAN_MS 60000

typedef enum DatabaseKnowledge
{
	DATABASE_UNKNOWN,
	DATABASE_ASKED,
	DATABASE_ABSENT
} DatabaseKnowledge;

typedef struct DatabaseEntry
{
	Oid database; /* key */
	char name[NAMEDATALEN];
	DatabaseKnowledge knowledge;
	bool seen;    /* in the current scan */
	bool told;    /* that no background worker is free */
	int failures; /* consecutive */
	TimestampTz not_before;
} DatabaseEntry;

static HTAB *databases = NULL;
static MemoryContext cycle_context = NULL;

/* ---- which databases there are ------------------------------------------------------ */

static void
note_database(Form_pg_database form)
{
	DatabaseEntry *entry;
	bool found;

	/* datconnlimit -2: a DROP DATABASE was interrupted; nobody can connect. */
	if (!form->datallowconn || form->datconnlimit < -1 || strcmp(NameStr(form->datname), "template0") == 0)
		return;
	entry = hash_search(databases, &form->oid, HASH_ENTER, &found);
	if (!found)
	{
		memset(entry, 0, sizeof(*entry));
		entry->database = form->oid;
	}
	strlcpy(entry->name, NameStr(form->datname), sizeof(entry->name));
	entry->seen = true;
}

static void
forget_unseen(void)
{
	HASH_SEQ_STATUS scan;
	DatabaseEntry *entry;

	hash_seq_init(&scan, databases);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (!entry->seen)
			(void) hash_search(databases, &entry->database, HASH_REMOVE, NULL);
		else
			entry->seen = false;
	}
}

static void
scan_databases(void)
{
	Relation relation;
	TableScanDesc scan;
	HeapTuple tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		note_database((Form_pg_database) GETSTRUCT(tuple));
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cycle_context);
	forget_unseen();
}

/* ---- what shared memory tells ------------------------------------------------------- */

static void
ask_again(Oid database)
{
	DatabaseEntry *entry = hash_search(databases, &database, HASH_FIND, NULL);

	if (entry == NULL)
		return;
	entry->knowledge = DATABASE_UNKNOWN;
	entry->failures = 0;
	entry->not_before = 0;
}

static void
ask_all_again(void)
{
	HASH_SEQ_STATUS scan;
	DatabaseEntry *entry;

	hash_seq_init(&scan, databases);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->knowledge == DATABASE_ABSENT)
			entry->knowledge = DATABASE_UNKNOWN;
}

/* Take over what backends have asked for; returns whether databases may have come or gone. */
static bool
take_requests(void)
{
	Oid checks[CONTROL_MAX_CHECKS];
	int check_count;
	bool check_all;
	bool rescan;

	control_lock(LW_EXCLUSIVE);
	check_count = control_shared->check_count;
	memcpy(checks, control_shared->checks, check_count * sizeof(Oid));
	check_all = control_shared->check_all;
	rescan = control_shared->rescan;
	control_shared->check_count = 0;
	control_shared->check_all = false;
	control_shared->rescan = false;
	control_unlock();

	/* A database that was just created is not in the table yet. */
	if (check_count > 0 || check_all || rescan)
		scan_databases();
	for (int i = 0; i < check_count; i++)
		ask_again(checks[i]);
	if (check_all)
		ask_all_again();
	return rescan;
}

static void
pause_after_failure(DatabaseEntry *entry)
{
	int pause = SHORTEST_PAUSE_MS;

	for (int i = 0; i < entry->failures && pause < LONGEST_PAUSE_MS; i++)
		pause *= 2;
	entry->failures++;
	entry->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(pause, LONGEST_PAUSE_MS));
}

/* A supervisor has left: what does it mean?  "changed": news came after its last look at the catalog. */
static void
judge_supervisor(const ProcessSlot *ended)
{
	DatabaseEntry *entry = hash_search(databases, &ended->database, HASH_FIND, NULL);

	if (entry == NULL)
		return;
	entry->knowledge = DATABASE_UNKNOWN;
	if (ended->changed)
	{
		entry->failures = 0;
		entry->not_before = 0;
	}
	else if (ended->report.outcome == OUTCOME_FINISHED)
		entry->knowledge = DATABASE_ABSENT;
	else if (ended->report.outcome != OUTCOME_STOPPED)
	{
		if (TimestampDifferenceExceeds(ended->reserved_at, GetCurrentTimestamp(), LONGEST_PAUSE_MS))
			entry->failures = 0;
		pause_after_failure(entry);
	}
}

/* Free the slots of supervisors that left. */
static void
collect_ended(void)
{
	ProcessSlot *copy = palloc(sizeof(ProcessSlot));

	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];
		bool ended;

		control_lock(LW_SHARED);
		ended = slot->phase == SLOT_ENDED && slot->kind == SLOT_SUPERVISOR;
		if (ended)
			*copy = *slot;
		control_unlock();
		if (!ended)
			continue;
		control_free_slot(i, copy->generation);
		judge_supervisor(copy);
	}
	pfree(copy);
}

/* Reports of workers in databases that are gone are read by nobody. */
static void
collect_orphans(void)
{
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];
		Oid database;
		uint32 generation;
		bool ended;
		bool exists;

		control_lock(LW_SHARED);
		ended = slot->phase == SLOT_ENDED && slot->kind != SLOT_SUPERVISOR;
		database = slot->database;
		generation = slot->generation;
		control_unlock();
		if (!ended)
			continue;
		(void) hash_search(databases, &database, HASH_FIND, &exists);
		if (!exists)
			control_free_slot(i, generation);
	}
}

/* Is there a supervisor in this database?  *asking: one somewhere has not yet said whether it stays. */
static bool
supervisor_exists(Oid database, bool *asking)
{
	bool exists = false;

	*asking = false;
	control_lock(LW_SHARED);
	for (int i = 0; i < control_shared->slot_count; i++)
	{
		ProcessSlot *slot = &control_shared->slots[i];

		if (slot->kind != SLOT_SUPERVISOR || (slot->phase != SLOT_RESERVED && slot->phase != SLOT_ATTACHED))
			continue;
		exists |= slot->database == database;
		*asking |= !slot->confirmed;
	}
	control_unlock();
	return exists;
}

/* ---- starting --------------------------------------------------------------------------- */

static void
tell_no_worker(DatabaseEntry *entry)
{
	if (!entry->told)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no background worker is free for feldera_ingest in database \"%s\"", entry->name),
					  errhint("Increase max_worker_processes.")));
	entry->told = true;
}

static void
start_supervisor(DatabaseEntry *entry)
{
	SlotRequest request = {.kind = SLOT_SUPERVISOR, .database = entry->database, .name = entry->name};

	switch (control_start_process(&request))
	{
		case START_DONE:
			entry->knowledge = DATABASE_ASKED;
			entry->told = false;
			break;
		case START_BLOCKED: /* the block's end wakes us */
			break;
		case START_NO_SLOT:
		case START_NO_WORKER:
			tell_no_worker(entry);
			pause_after_failure(entry);
			break;
	}
}

/* Start the next supervisor that is due; returns how long to wait for the next one, -1: until woken. */
static long
start_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long wait = -1;
	HASH_SEQ_STATUS scan;
	DatabaseEntry *entry;

	hash_seq_init(&scan, databases);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		bool asking;

		if (entry->knowledge != DATABASE_UNKNOWN)
			continue;
		if (supervisor_exists(entry->database, &asking))
			entry->knowledge = DATABASE_ASKED; /* of the launcher before us */
		else if (entry->not_before > now)
		{
			long pause = TimestampDifferenceMilliseconds(now, entry->not_before);

			wait = wait < 0 ? pause : Min(wait, pause);
		}
		else if (!asking)
			start_supervisor(entry);
	}
	return wait;
}

/* ---- the process ---------------------------------------------------------------------------- */

static void
leave_shared_memory(int code, Datum argument)
{
	(void) code;
	(void) argument;
	control_lock(LW_EXCLUSIVE);
	control_shared->launcher = NULL;
	control_unlock();
}

static void
enter_shared_memory(void)
{
	control_lock(LW_EXCLUSIVE);
	control_shared->launcher = MyProc;
	control_unlock();
	before_shmem_exit(leave_shared_memory, (Datum) 0);
}

static void
make_tables(void)
{
	HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(DatabaseEntry), .hcxt = TopMemoryContext};

	databases = hash_create("feldera_ingest databases", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cycle_context = AllocSetContextCreate(TopMemoryContext, "feldera_ingest launcher cycle", ALLOCSET_DEFAULT_SIZES);
}

/* One round; returns how long to sleep, -1: until woken. */
static long
cycle(TimestampTz *last_scan)
{
	long wait;

	(void) take_requests();
	if (TimestampDifferenceExceeds(*last_scan, GetCurrentTimestamp(), RESCAN_MS))
	{
		scan_databases();
		*last_scan = GetCurrentTimestamp();
	}
	control_collect_reservations();
	collect_ended();
	collect_orphans();
	if (!control_enabled)
		return control_stop_database(InvalidOid, true) > 0 ? 100 : RESCAN_MS;
	wait = start_due();
	return wait < 0 ? RESCAN_MS : Min(wait, RESCAN_MS);
}

void
feldera_ingest_launcher_main(Datum argument)
{
	TimestampTz last_scan = 0;
	uint32 wait_event;

	(void) argument;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("feldera_ingest launcher");
	enter_shared_memory();
	make_tables();
	wait_event = compat_wait_event("FelderaIngestLauncher");

	for (;;)
	{
		long wait;

		MemoryContextSwitchTo(cycle_context);
		wait = cycle(&last_scan);
		MemoryContextReset(cycle_context);
		control_wait(PGINVALID_SOCKET, wait, wait_event);
	}
}

void
control_register_launcher(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_name, "feldera_ingest launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "feldera_ingest launcher", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "feldera_ingest", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "feldera_ingest_launcher_main", sizeof(worker.bgw_function_name));
	RegisterBackgroundWorker(&worker);
}
