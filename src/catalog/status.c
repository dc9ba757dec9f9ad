/*-------------------------------------------------------------------------
 *
 * status.c
 *	  The recorded state of each connector, and its history.
 *
 * Contract.  One setter for all callers: the supervisor (what it decided), a dying
 * worker (why it dies) and the SQL functions (what the user ordered).  It writes the
 * status row, a history row and one log line where the state or the error differ from
 * what is recorded, and nothing at all, not even a transaction id, where they do not.
 *
 *	state		error, hint			retry_at	retries
 *	waiting		cleared				cleared		cleared
 *	paused		kept				cleared		cleared
 *	queued		kept				cleared		kept
 *	running		kept until healthy	cleared		kept
 *	retrying	given, else kept	given		counted up by the supervisor's call
 *	finished	cleared				cleared		cleared
 *	failed		given, else kept	cleared		kept
 *	inactive	kept				cleared		kept
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "catalog_internal.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

static int history_retention;
static int rejected_retention;

static const char *const state_names[] = {
	[CONNECTOR_WAITING] = "waiting", [CONNECTOR_PAUSED] = "paused",     [CONNECTOR_QUEUED] = "queued",
	[CONNECTOR_RUNNING] = "running", [CONNECTOR_RETRYING] = "retrying", [CONNECTOR_FINISHED] = "finished",
	[CONNECTOR_FAILED] = "failed",   [CONNECTOR_INACTIVE] = "inactive",
};

const char *
connector_state_name(ConnectorState state)
{
	return state_names[state];
}

ConnectorState
connector_state_by_name(const char *name)
{
	for (size_t i = 0; i < lengthof(state_names); i++)
	{
		if (strcmp(state_names[i], name) == 0)
			return (ConnectorState) i;
	}
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("unknown connector state \"%s\"", name)));
}

/* What is recorded, and what will be. */
typedef struct Status
{
	ConnectorState state;
	char *phase;
	char *sqlstate;
	char *error;
	char *hint;
	TimestampTz error_at;
	TimestampTz retry_at;
	int retries;
	char *name; /* the connector's */
} Status;

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
read_status(int64 connector_id, Status *status)
{
	static CatalogQuery query = {
		.sql = "SELECT s.state, s.phase, s.sqlstate, s.error, s.hint, s.error_at, s.retry_at, s.retries, c.name "
			   "FROM feldera.status s JOIN feldera.connector c USING (connector_id) WHERE s.connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	if (catalog_execute(&query, values, NULL) == 0)
		return false;
	status->state = connector_state_by_name(catalog_column_text(0, 1, CurrentMemoryContext));
	status->phase = catalog_column_text(0, 2, CurrentMemoryContext);
	status->sqlstate = catalog_column_text(0, 3, CurrentMemoryContext);
	status->error = catalog_column_text(0, 4, CurrentMemoryContext);
	status->hint = catalog_column_text(0, 5, CurrentMemoryContext);
	status->error_at = catalog_column_timestamp(0, 6);
	status->retry_at = catalog_column_timestamp(0, 7);
	status->retries = (int) catalog_column_int64(0, 8, 0);
	status->name = catalog_column_text(0, 9, CurrentMemoryContext);
	return true;
}

static void
write_status(int64 connector_id, const Status *status, bool state_changed)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.status SET state = $2, sqlstate = $3, error = $4, hint = $5, error_at = $6, "
			   "retry_at = $7, retries = $8, changed_at = CASE WHEN $9 THEN clock_timestamp() ELSE changed_at END "
			   "WHERE connector_id = $1",
		.argument_count = 9,
		.argument_types = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,
						   BOOLOID},
	};
	const char *texts[3] = {status->sqlstate, status->error, status->hint};
	Datum values[9] = {Int64GetDatum(connector_id), CStringGetTextDatum(connector_state_name(status->state))};
	bool nulls[9] = {false};

	for (int i = 0; i < 3; i++)
	{
		nulls[2 + i] = texts[i] == NULL;
		values[2 + i] = texts[i] != NULL ? catalog_text(texts[i]) : (Datum) 0;
	}
	values[5] = TimestampTzGetDatum(status->error_at);
	nulls[5] = status->error_at == 0;
	values[6] = TimestampTzGetDatum(status->retry_at);
	nulls[6] = status->retry_at == 0;
	values[7] = Int32GetDatum(status->retries);
	values[8] = BoolGetDatum(state_changed);
	(void) catalog_execute(&query, values, nulls);
}

void
status_write_history(int64 connector_id, const char *state, const char *phase, const char *details)
{
	static CatalogQuery query = {
		.sql = "INSERT INTO feldera.state_change (connector_id, connector, owner, state, phase, details) "
			   "SELECT c.connector_id, c.name, c.owner, coalesce($2, s.state), coalesce($3, s.phase), $4::jsonb "
			   "FROM feldera.connector c JOIN feldera.status s USING (connector_id) WHERE c.connector_id = $1",
		.argument_count = 4,
		.argument_types = {INT8OID, TEXTOID, TEXTOID, TEXTOID},
	};
	Datum values[4] = {Int64GetDatum(connector_id)};
	bool nulls[4] = {false, state == NULL, phase == NULL, details == NULL};

	values[1] = state != NULL ? CStringGetTextDatum(state) : (Datum) 0;
	values[2] = phase != NULL ? CStringGetTextDatum(phase) : (Datum) 0;
	values[3] = details != NULL ? CStringGetTextDatum(details) : (Datum) 0;
	(void) catalog_execute(&query, values, nulls);
}

/* The error as the details of a history row, or null. */
static char *
error_details(const Status *status)
{
	static CatalogQuery query = {
		.sql = "SELECT jsonb_strip_nulls(jsonb_build_object('sqlstate', $1, 'error', $2, 'hint', $3))::text",
		.argument_count = 3,
		.argument_types = {TEXTOID, TEXTOID, TEXTOID},
	};
	const char *texts[3] = {status->sqlstate, status->error, status->hint};
	Datum values[3];
	bool nulls[3];

	if (status->error == NULL)
		return NULL;
	for (int i = 0; i < 3; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = texts[i] != NULL ? catalog_text(texts[i]) : (Datum) 0;
	}
	(void) catalog_execute(&query, values, nulls);
	return catalog_column_text(0, 1, CurrentMemoryContext);
}

/* The table at the top of this file. */
static void
apply_state(Status *status, ConnectorState state, const char *sqlstate, const char *error, const char *hint,
			TimestampTz retry_at, bool count_retry)
{
	bool takes_error = state == CONNECTOR_RETRYING || state == CONNECTOR_FAILED;

	if (state == CONNECTOR_WAITING || state == CONNECTOR_FINISHED)
		status->sqlstate = status->error = status->hint = NULL;
	else if (takes_error && error != NULL)
	{
		status->sqlstate = sqlstate != NULL ? pstrdup(sqlstate) : NULL;
		status->error = pstrdup(error);
		status->hint = hint != NULL ? pstrdup(hint) : NULL;
		status->error_at = GetCurrentTimestamp();
	}
	if (status->error == NULL)
		status->error_at = 0;
	if (state == CONNECTOR_WAITING || state == CONNECTOR_FINISHED || state == CONNECTOR_PAUSED)
		status->retries = 0;
	else if (count_retry)
		status->retries++;
	status->retry_at = state == CONNECTOR_RETRYING ? retry_at : 0;
	status->state = state;
}

static void
log_status(const Status *status)
{
	const char *name = connector_state_name(status->state);

	if (status->error != NULL && (status->state == CONNECTOR_RETRYING || status->state == CONNECTOR_FAILED))
		ereport(LOG, (errmsg("connector \"%s\" is now %s: %s", status->name, name, status->error),
					  status->hint != NULL ? errhint("%s", status->hint) : 0, errhidecontext(true)));
	else
		ereport(LOG, (errmsg("connector \"%s\" is now %s", status->name, name), errhidecontext(true)));
}

/* Inside a session. */
static void
set_state(int64 connector_id, ConnectorState state, const char *sqlstate, const char *error, const char *hint,
		  TimestampTz retry_at, bool count_retry)
{
	Status status;
	Status before;
	bool state_changed;
	bool error_changed;

	if (!read_status(connector_id, &status))
		return;
	before = status;
	apply_state(&status, state, sqlstate, error, hint, retry_at, count_retry);
	state_changed = status.state != before.state;
	error_changed = !same_text(status.error, before.error) || !same_text(status.sqlstate, before.sqlstate) ||
					!same_text(status.hint, before.hint);
	if (!state_changed && !error_changed && status.retry_at == before.retry_at && status.retries == before.retries)
		return;
	write_status(connector_id, &status, state_changed);
	if (!state_changed && (!error_changed || status.error == NULL))
		return;
	status_write_history(connector_id, connector_state_name(state), NULL, error_details(&status));
	log_status(&status);
}

ConnectorState
status_of_flags(bool paused, bool released)
{
	if (paused)
		return CONNECTOR_PAUSED;
	return released ? CONNECTOR_QUEUED : CONNECTOR_WAITING;
}

void
status_restart(int64 connector_id)
{
	static CatalogQuery flags_query = {
		.sql = "SELECT paused, released_at IS NOT NULL FROM feldera.connector WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	static CatalogQuery clear_query = {
		.sql = "UPDATE feldera.status SET sqlstate = NULL, error = NULL, hint = NULL, error_at = NULL, "
			   "retry_at = NULL, retries = 0 WHERE connector_id = $1",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};
	bool paused;
	bool released;

	(void) catalog_execute(&flags_query, values, NULL);
	paused = catalog_column_bool(0, 1);
	released = catalog_column_bool(0, 2);
	if (!paused)
		(void) catalog_execute(&clear_query, values, NULL);
	set_state(connector_id, status_of_flags(paused, released), NULL, NULL, NULL, 0, false);
}

void
catalog_set_state(int64 connector_id, ConnectorState state, const char *sqlstate, const char *error, const char *hint,
				  TimestampTz retry_at)
{
	CatalogSession session;

	catalog_session_begin(&session);
	set_state(connector_id, state, sqlstate, error, hint, retry_at, state == CONNECTOR_RETRYING);
	catalog_session_end(&session);
}

void
catalog_record_error(int64 connector_id, int64 epoch, bool permanent, const char *sqlstate, const char *error,
					 const char *hint)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.progress SET attempt_open = false, crash_marks = 0 "
			   "WHERE connector_id = $1 AND epoch = $2",
		.argument_count = 2,
		.argument_types = {INT8OID, INT8OID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), Int64GetDatum(epoch)};
	CatalogSession session;

	catalog_session_begin(&session);
	if (catalog_execute(&query, values, NULL) == 1)
		set_state(connector_id, permanent ? CONNECTOR_FAILED : CONNECTOR_RETRYING, sqlstate, error, hint, 0, false);
	catalog_session_end(&session);
}

/* Inside a session. */
static void
clear_error(int64 connector_id)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.status SET sqlstate = NULL, error = NULL, hint = NULL, error_at = NULL, "
			   "retry_at = NULL, retries = 0 WHERE connector_id = $1 AND (error IS NOT NULL OR retries <> 0)",
		.argument_count = 1,
		.argument_types = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(connector_id)};

	(void) catalog_execute(&query, values, NULL);
}

void
catalog_record_healthy(int64 connector_id)
{
	CatalogSession session;

	catalog_session_begin(&session);
	clear_error(connector_id);
	catalog_session_end(&session);
}

void
catalog_record_trouble(int64 connector_id, int64 epoch, const char *sqlstate, const char *trouble)
{
	static CatalogQuery query = {
		.sql = "SELECT FROM feldera.progress WHERE connector_id = $1 AND epoch = $2 FOR UPDATE",
		.argument_count = 2,
		.argument_types = {INT8OID, INT8OID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), Int64GetDatum(epoch)};
	CatalogSession session;

	catalog_session_begin(&session);
	if (catalog_execute(&query, values, NULL) == 1)
	{
		set_state(connector_id, trouble != NULL ? CONNECTOR_RETRYING : CONNECTOR_RUNNING, sqlstate, trouble, NULL, 0,
				  false);
		if (trouble == NULL)
			clear_error(connector_id);
	}
	catalog_session_end(&session);
}

void
catalog_record_phase(int64 connector_id, const char *phase, const char *details)
{
	static CatalogQuery query = {
		.sql = "UPDATE feldera.status SET phase = $2 WHERE connector_id = $1 AND phase IS DISTINCT FROM $2",
		.argument_count = 2,
		.argument_types = {INT8OID, TEXTOID},
	};
	Datum values[2] = {Int64GetDatum(connector_id), CStringGetTextDatum(phase)};
	CatalogSession session;

	catalog_session_begin(&session);
	if (catalog_execute(&query, values, NULL) == 1)
		status_write_history(connector_id, NULL, phase, details);
	catalog_session_end(&session);
}

static void
trim(CatalogQuery *query, int retention_minutes)
{
	Datum values[1];

	if (retention_minutes < 0)
		return;
	values[0] = TimestampTzGetDatum(GetCurrentTimestamp() - (int64) retention_minutes * USECS_PER_MINUTE);
	(void) catalog_execute(query, values, NULL);
}

void
catalog_trim(void)
{
	static CatalogQuery history_query = {
		.sql = "DELETE FROM feldera.state_change WHERE occurred_at < $1",
		.argument_count = 1,
		.argument_types = {TIMESTAMPTZOID},
	};
	static CatalogQuery rejected_query = {
		.sql = "DELETE FROM feldera.rejected_record WHERE rejected_at < $1",
		.argument_count = 1,
		.argument_types = {TIMESTAMPTZOID},
	};
	CatalogSession session;

	catalog_session_begin(&session);
	trim(&history_query, history_retention);
	trim(&rejected_query, rejected_retention);
	catalog_session_end(&session);
}

void
catalog_define_gucs(void)
{
	DefineCustomIntVariable("feldera_ingest.history_retention", "How long rows of feldera.history are kept.",
							"-1 keeps them for ever.", &history_retention, 30 * MINS_PER_HOUR * HOURS_PER_DAY, -1,
							INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("feldera_ingest.rejected_retention", "How long rows of feldera.rejected_records are kept.",
							"-1 keeps them for ever.", &rejected_retention, -1, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
}
