/*-------------------------------------------------------------------------
 *
 * cycle_harvest.c
 *	  What the workers and probes that left have said, recorded.
 *
 * A worker that dies of an error records it itself, so that it is in the view at once; the supervisor
 * records it again with the time of the next try, and alone where the worker could not (it was
 * terminated, it never connected, nothing could be written).
 *
 *	  finished			nothing; the worker has recorded it.  A probe is done
 *	  stopped			nothing
 *	  fenced			nothing where somebody has taken the next epoch; else a failure
 *	  failed			failed where time cannot heal it or max_retries is reached, else retrying
 *	  not a word		the same, unless we asked it to leave
 *
 * Whatever it was, an attempt mark that the process left open is cleared: the server lives.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "control/control.h"
#include "control/control_internal.h"
#include "control/cycle.h"
#include "miscadmin.h"

static void
record_failure(const CatalogConnector *connector, const SlotReport *report, TimestampTz retry_at)
{
	const char *hint = report->hint[0] != '\0' ? report->hint : NULL;

	if (report->permanent || (connector->max_retries >= 0 && connector->retries >= connector->max_retries))
		catalog_set_state(connector->connector_id, CONNECTOR_FAILED, report->sqlstate, report->message, hint, 0);
	else
		catalog_set_state(connector->connector_id, CONNECTOR_RETRYING, report->sqlstate, report->message, hint,
						  retry_at);
}

/* A process that left without a word was terminated, or never got a connection. */
static void
explain_silence(const ProcessSlot *ended, SlotReport *report)
{
	report->outcome = OUTCOME_FAILED;
	report->permanent = false;
	if (ended->begun)
	{
		strlcpy(report->sqlstate, "57P01", sizeof(report->sqlstate));
		strlcpy(report->message, "the worker was terminated by an administrator's command", sizeof(report->message));
		return;
	}
	strlcpy(report->sqlstate, "08004", sizeof(report->sqlstate));
	snprintf(report->message, sizeof(report->message), "the worker ended before it had begun, as role \"%s\"",
			 GetUserNameFromId(ended->run_as, true) ? GetUserNameFromId(ended->run_as, true) : "?");
	strlcpy(report->hint, "The server's log has the reason.", sizeof(report->hint));
}

/* A probe of a paused connector: the error is shown, the state stays what it was. */
static void
record_probe_failure(const CatalogConnector *connector, const SlotReport *report)
{
	ConnectorMemory *memory = cycle_remember(connector->connector_id);
	bool told = strncmp(memory->probe_error, report->message, sizeof(memory->probe_error) - 1) == 0;

	memory->probe_not_before = cycle_retry_time(memory->probe_failures++);
	strlcpy(memory->probe_error, report->message, sizeof(memory->probe_error));
	if (report->permanent || !connector->paused)
		record_failure(connector, report, memory->probe_not_before);
	else if (!told)
	{
		record_failure(connector, report, memory->probe_not_before);
		catalog_set_state(connector->connector_id, CONNECTOR_PAUSED, NULL, NULL, NULL, 0);
	}
}

/* A step of the cycle; "subject" is the slot. */
static void
harvest(Cycle *cycle, void *subject)
{
	const ProcessSlot *ended = subject;
	const CatalogConnector *connector = cycle_find_connector(cycle, ended->connector_id);
	SlotReport report = ended->report;
	ConnectorMemory *memory;

	if (connector == NULL)
		return;
	if (ended->begun && !ended->settled && cycle_find_slot(cycle, connector->connector_id) == NULL)
		catalog_clear_attempt(connector->connector_id, connector->epoch);
	/* Whoever has taken the next epoch since then has also decided what comes next. */
	if (ended->begun && ended->epoch != connector->epoch)
		return;
	memory = cycle_remember(connector->connector_id);
	if (report.outcome == OUTCOME_NONE && !ended->stop_requested)
		explain_silence(ended, &report);
	if (report.outcome == OUTCOME_FENCED)
		report.outcome = OUTCOME_FAILED;
	if (report.outcome == OUTCOME_FAILED && ended->kind == SLOT_PROBE)
		record_probe_failure(connector, &report);
	else if (report.outcome == OUTCOME_FAILED)
	{
		record_failure(connector, &report, cycle_retry_time(connector->retries));
		memory->definition = ended->definition;
	}
	else if (report.outcome == OUTCOME_FINISHED && ended->kind == SLOT_PROBE)
		memory->probed = connector->declaration;
	else if (report.outcome == OUTCOME_STOPPED && !ended->stop_requested)
		/* It found nothing to do where we had seen something: do not ask again at once. */
		memory->not_before = cycle_retry_time(0);
}

/* True where anything was recorded, so that the list is to be read again. */
bool
cycle_harvest(Cycle *cycle)
{
	ListCell *cell;
	bool any = false;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);

		if (seen->slot->phase != SLOT_ENDED)
			continue;
		seen->harvested = cycle_try(cycle, harvest, seen->slot);
		any |= seen->harvested;
	}
	return any;
}

/* After the commit: the marks are gone. */
void
cycle_note_settled(const Cycle *cycle)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);
		ProcessSlot *slot = &control_shared->slots[seen->index];

		if (!seen->settled)
			continue;
		control_lock(LW_EXCLUSIVE);
		if (slot->generation == seen->slot->generation)
			control_settle_locked(slot);
		control_unlock();
	}
}

/* After the commit: what they said is kept. */
void
cycle_free_harvested(const Cycle *cycle)
{
	ListCell *cell;

	foreach (cell, cycle->slots)
	{
		SeenSlot *seen = lfirst(cell);

		if (seen->harvested)
			control_free_slot(seen->index, seen->slot->generation);
	}
}
