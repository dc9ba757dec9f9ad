/*-------------------------------------------------------------------------
 *
 * live.c
 *	  Live figures of the workers: written by them, read by the views.
 *
 * A worker writes its own slot only, after each commit and whenever its source reports;
 * so what is shown as processed is committed.  feldera.live_workers() and
 * feldera.live_watermarks() show the workers of the caller's database; who may see which
 * connector is decided by the views above them.
 *
 * A slot whose process was asked to stop is left out: it is no longer the connector's
 * worker, and another one may stand beside it.
 *
 * Locks: control_shared->lock, exclusive for each change, shared for reading.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "control/control.h"
#include "control/control_internal.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include <math.h>

/* The rate is a mean that forgets what lies further back than about this. */
#define RATE_SECONDS 5.0
/* A worker that committed nothing for so long has no rate. */
#define RATE_LIMIT_MS 15000

PG_FUNCTION_INFO_V1(feldera_live_workers);
PG_FUNCTION_INFO_V1(feldera_live_watermarks);

/* ---- writing --------------------------------------------------------------------- */

void
live_begin(ProcessSlot *slot, const CatalogDeclaration *declaration)
{
	LiveFigures *live = &slot->live;

	control_lock(LW_EXCLUSIVE);
	memset(live, 0, offsetof(LiveFigures, watermarks));
	slot->epoch = declaration->epoch;
	slot->begun = true;
	live->rows_processed = declaration->rows_processed;
	live->rows_total = -1;
	live->bytes_total = -1;
	live->lag = -1;
	live->lag_seconds = -1;
	live->rate_since = GetCurrentTimestamp();
	control_unlock();
}

void
live_phase(ProcessSlot *slot, const char *phase)
{
	control_lock(LW_EXCLUSIVE);
	strlcpy(slot->live.phase, phase, sizeof(slot->live.phase));
	control_unlock();
}

void
live_doing(ProcessSlot *slot, const char *doing)
{
	char activity[CONTROL_NAME_LENGTH + sizeof(slot->live.doing) + 3];

	if (strcmp(slot->live.doing, doing) != 0)
	{
		control_lock(LW_EXCLUSIVE);
		strlcpy(slot->live.doing, doing, sizeof(slot->live.doing));
		control_unlock();
	}
	snprintf(activity, sizeof(activity), "%s: %s", slot->name, doing);
	pgstat_report_activity(STATE_RUNNING, activity);
}

void
live_status(ProcessSlot *slot, const SourceStatus *status)
{
	LiveFigures *live = &slot->live;
	int count = (int) Min(status->watermark_count, CONTROL_MAX_WATERMARKS);

	control_lock(LW_EXCLUSIVE);
	live->rows_total = status->rows_total;
	live->bytes_total = status->bytes_total;
	live->lag = status->lag;
	live->lag_seconds = status->lag_seconds;
	live->watermark_count = count;
	if (count > 0)
		memcpy(live->watermarks, status->watermarks, count * sizeof(SourceWatermark));
	control_unlock();
}

void
live_troubled(ProcessSlot *slot, bool troubled)
{
	control_lock(LW_EXCLUSIVE);
	slot->live.troubled = troubled;
	control_unlock();
}

void
live_committed(ProcessSlot *slot, int64 rows, int64 bytes)
{
	LiveFigures *live = &slot->live;
	TimestampTz now = GetCurrentTimestamp();
	double seconds = Max((double) (now - live->rate_since) / USECS_PER_SEC, 0.001);
	double weight = 1.0 - exp(-seconds / RATE_SECONDS);

	control_lock(LW_EXCLUSIVE);
	live->rows_processed += rows;
	live->bytes_processed += bytes;
	live->rows_per_second += weight * (rows / seconds - live->rows_per_second);
	live->rate_since = now;
	live->last_commit_at = now;
	control_unlock();
}

/* ---- reading ------------------------------------------------------------------------ */

/* Text from outside may be cut inside a character, or be of no encoding at all. */
static Datum
text_datum(const char *text)
{
	char *copy = pstrdup(text);
	int length = pg_mbcliplen(copy, (int) strlen(copy), (int) strlen(copy));

	copy[length] = '\0';
	if (!pg_verifymbstr(copy, length, true))
		for (char *c = copy; *c != '\0'; c++)
			if (IS_HIGHBIT_SET(*c))
				*c = '?';
	return CStringGetTextDatum(copy);
}

static bool
is_shown(const ProcessSlot *slot)
{
	return slot->phase == SLOT_ATTACHED && slot->kind != SLOT_SUPERVISOR && slot->database == MyDatabaseId &&
		   !slot->stop_requested;
}

static void
set_number(Datum *values, bool *nulls, int column, int64 number)
{
	nulls[column] = number < 0;
	values[column] = Int64GetDatum(number);
}

static void
put_worker(const ProcessSlot *slot, ReturnSetInfo *result)
{
	const LiveFigures *live = &slot->live;
	bool failed = slot->report.outcome == OUTCOME_FAILED;
	bool runs = slot->kind == SLOT_WORKER && slot->begun && !failed;
	bool quiet = live->last_commit_at == 0 ||
				 TimestampDifferenceExceeds(live->last_commit_at, GetCurrentTimestamp(), RATE_LIMIT_MS);
	Datum values[15] = {0};
	bool nulls[15] = {false};

	values[0] = Int64GetDatum(slot->connector_id);
	values[1] = Int32GetDatum(slot->pid);
	nulls[2] = !runs || live->troubled; /* what the catalog says */
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum("running");
	nulls[3] = live->phase[0] == '\0';
	values[3] = text_datum(live->phase);
	nulls[4] = live->doing[0] == '\0';
	values[4] = text_datum(live->doing);
	set_number(values, nulls, 5, live->rows_processed);
	set_number(values, nulls, 6, live->bytes_processed);
	set_number(values, nulls, 7, live->rows_total);
	set_number(values, nulls, 8, live->bytes_total);
	values[9] = Float8GetDatum(quiet ? 0 : live->rows_per_second);
	set_number(values, nulls, 10, live->lag);
	nulls[11] = live->lag_seconds < 0;
	values[11] = Float8GetDatum(live->lag_seconds);
	nulls[12] = live->last_commit_at == 0;
	values[12] = TimestampTzGetDatum(live->last_commit_at);
	nulls[13] = nulls[14] = !failed;
	values[13] = failed ? text_datum(slot->report.message) : (Datum) 0;
	values[14] = TimestampTzGetDatum(slot->report.at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_watermarks(const ProcessSlot *slot, ReturnSetInfo *result)
{
	for (int i = 0; i < slot->live.watermark_count; i++)
	{
		const SourceWatermark *mark = &slot->live.watermarks[i];
		Datum values[5];
		bool nulls[5] = {false};

		values[0] = Int64GetDatum(slot->connector_id);
		values[1] = text_datum(mark->topic);
		values[2] = Int32GetDatum(mark->partition);
		set_number(values, nulls, 3, mark->low);
		set_number(values, nulls, 4, mark->high);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Call "put" for a private copy of each slot that is shown. */
static void
for_each_shown(ReturnSetInfo *result, void (*put)(const ProcessSlot *slot, ReturnSetInfo *result))
{
	ProcessSlot *copy = palloc(sizeof(ProcessSlot));

	for (int i = 0; control_shared != NULL && i < control_shared->slot_count; i++)
	{
		bool shown;

		control_lock(LW_SHARED);
		shown = is_shown(&control_shared->slots[i]);
		if (shown)
			*copy = control_shared->slots[i];
		control_unlock();
		if (shown)
			put(copy, result);
	}
	pfree(copy);
}

/* feldera.live_workers(): a row for each running worker and probe of this database. */
Datum
feldera_live_workers(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for_each_shown((ReturnSetInfo *) fcinfo->resultinfo, put_worker);
	return (Datum) 0;
}

/* feldera.live_watermarks(): the partitions of those workers. */
Datum
feldera_live_watermarks(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for_each_shown((ReturnSetInfo *) fcinfo->resultinfo, put_watermarks);
	return (Datum) 0;
}
