/*-------------------------------------------------------------------------
 *
 * feldera_ingest.c
 *	  What the server calls when it loads the library.
 *
 * Settings and hooks are set up in every process that loads the library, so that the
 * SQL functions work without shared_preload_libraries.  Shared memory and the launcher
 * exist only where the postmaster loaded it; pg_upgrade's server gets neither, because
 * no connector may move while its tables are being rewritten.
 *
 * Must do nothing else: no thread, no connection and no handle of a foreign library may
 * exist in the postmaster, whose children would inherit it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "control/control.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	control_define_gucs();
	catalog_define_gucs();
	apply_define_gucs();
	MarkGUCPrefixReserved("feldera_ingest");

	catalog_install_hooks();
	control_install_hooks();

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	control_request_shared_memory();
	control_register_launcher();
}
