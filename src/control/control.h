/*-------------------------------------------------------------------------
 *
 * control.h
 *	  Door of the room control/: launcher, supervisors, workers, their shared
 *	  memory, and who runs when.  See control/README.md for states and signals.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_CONTROL_H
#define INGEST_CONTROL_H

#include "postgres.h"

/* From _PG_init. gucs always; the rest only when preloaded. */
extern void control_define_gucs(void);
extern void control_install_hooks(void); /* DROP DATABASE, CREATE DATABASE ... TEMPLATE; always */
extern void control_request_shared_memory(void);
extern void control_register_launcher(void);

/* Entry points of the background workers (found by name). */
extern PGDLLEXPORT void feldera_ingest_launcher_main(Datum argument);
extern PGDLLEXPORT void feldera_ingest_supervisor_main(Datum argument);
extern PGDLLEXPORT void feldera_ingest_worker_main(Datum argument);

#endif
