/*-------------------------------------------------------------------------
 *
 * exit.c
 *	  How a worker leaves while threads of foreign libraries run in it.
 *
 * Order of proc_exit, last registered first:
 *
 *	  1. before_shmem_exit: stop_source_at_exit (registered behind the connection, so it runs
 *		 before the connection is taken down): abort the transaction, so that no lock is held
 *		 while waiting; then stop and join the source's threads, with a deadline
 *	  2. core's own callbacks: ProcArray, locks, statistics
 *	  3. on_shmem_exit: the slot is ENDED (shared_memory.c)
 *	  4. on_proc_exit: leave_without_atexit, registered first of all and therefore last.  If the
 *		 deadline passed, threads still run, and exit() would run the atexit handlers of their
 *		 libraries under them: a crash there would restart the whole server, even in the middle
 *		 of a fast shutdown.  _exit() ends the process without them.
 *
 * The source's memory stays valid until the process is gone: nothing frees what threads
 * that could not be joined may still read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "control/control.h"
#include "control/control_internal.h"
#include "storage/ipc.h"

#include <unistd.h>

/* A fast shutdown of the server waits that long for a worker whose threads hang. */
#define STOP_DEADLINE_MS 3000

static Source *owned_source = NULL;
static bool threads_left = false;

/* on_proc_exit */
static void
leave_without_atexit(int code, Datum argument)
{
	(void) argument;
	if (threads_left)
		_exit(code);
}

void
control_prepare_exit(void)
{
	on_proc_exit(leave_without_atexit, (Datum) 0);
}

void
control_own_source(Source *source)
{
	owned_source = source;
}

bool
control_stop_source(void)
{
	Source *source = owned_source;

	if (source == NULL)
		return !threads_left;
	owned_source = NULL;
	if (!source_stop(source, STOP_DEADLINE_MS))
		threads_left = true;
	return !threads_left;
}

/* before_shmem_exit */
static void
stop_source_at_exit(int code, Datum argument)
{
	(void) code;
	(void) argument;
	AbortOutOfAnyTransaction();
	(void) control_stop_source();
}

void
control_register_source_exit(void)
{
	before_shmem_exit(stop_source_at_exit, (Datum) 0);
}
