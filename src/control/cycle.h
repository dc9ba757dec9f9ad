/*-------------------------------------------------------------------------
 *
 * cycle.h
 *	  One cycle of a supervisor, as its files share it.  Not for other rooms.
 *
 * Everything but ConnectorMemory lives in the cycle's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_CONTROL_CYCLE_H
#define INGEST_CONTROL_CYCLE_H

#include "control/control_internal.h"

/* A slot of this database, copied. */
typedef struct SeenSlot
{
	int index;
	bool settled;      /* its attempt mark was cleared in this cycle */
	bool harvested;    /* ENDED: its report is recorded, or of no use */
	ProcessSlot *slot; /* without "live" */
} SeenSlot;

typedef enum ActionKind
{
	ACTION_NONE,
	ACTION_START,
	ACTION_PROBE,
	ACTION_STOP
} ActionKind;

typedef struct Action
{
	ActionKind kind;
	const CatalogConnector *connector;
	bool suspect;
	int index; /* STOP */
	uint32 generation;
} Action;

/* What is remembered of a connector, by this process only. */
typedef struct ConnectorMemory
{
	int64 connector_id;           /* key */
	TimestampTz not_before;       /* of its next process */
	int64 probed;                 /* declaration whose probe ended without storing anything */
	int probe_failures;           /* in a row */
	TimestampTz probe_not_before; /* of its next probe */
	char probe_error[256];        /* told last */
	bool queued;                  /* told, not started since */
	uint64 definition;            /* of the target that it has failed with */
} ConnectorMemory;

typedef struct Cycle
{
	List *slots;      /* of SeenSlot *, all phases but FREE */
	List *connectors; /* of CatalogConnector * */
	List *actions;    /* of Action * */
	TimestampTz now;
	TimestampTz next; /* when to look again */
	bool suspect_runs;
	bool watches; /* some connector has failed */
} Cycle;

/* ---- cycle.c ------------------------------------------------------------------- */

/* Copy the slots of our workers; what changes from here on sets the latch again. */
extern void cycle_read_slots(Cycle *cycle);
/* Look again at this time at the latest. */
extern void cycle_look_again_at(Cycle *cycle, TimestampTz when);
extern CatalogConnector *cycle_find_connector(const Cycle *cycle, int64 connector_id);
/* The process that runs or probes the connector, or null. */
extern SeenSlot *cycle_find_slot(const Cycle *cycle, int64 connector_id);
/* What is remembered of a connector; made where there is nothing yet.  Lives as long as the process. */
extern ConnectorMemory *cycle_remember(int64 connector_id);
extern void cycle_forget_undeclared(const Cycle *cycle);
/*
 * Do one step in a subtransaction.  False where it would have to wait for a lock that somebody else holds: then it is
 * undone, with the actions it has noted, and the next cycle comes soon.
 */
typedef void (*CycleStep)(Cycle *cycle, void *subject);
extern bool cycle_try(Cycle *cycle, CycleStep step, void *subject);
/* When to try again after so many failures in a row. */
extern TimestampTz cycle_retry_time(int failures);

/* ---- cycle_harvest.c: inside the cycle's transaction ------------------------------- */

/* Record what the processes that left have said; true where there was any, and the list is to be read again. */
extern bool cycle_harvest(Cycle *cycle);
/* After the commit: what they said is kept. */
extern void cycle_free_harvested(const Cycle *cycle);
extern void cycle_note_settled(const Cycle *cycle);

/* ---- cycle_decide.c: inside the cycle's transaction -------------------------------- */

/* Decide about each connector: states are recorded, actions are noted in the cycle. */
extern void cycle_decide(Cycle *cycle);
/* Record a state where it is not the recorded one. */
extern void cycle_set_state(const CatalogConnector *connector, ConnectorState state);

#endif
