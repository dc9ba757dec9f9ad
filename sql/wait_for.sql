-- wait_for: what it refuses, and when it gives up.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE TABLE t (i integer);
SELECT feldera.create_connectors('t', '[
	{"name": "d", "labels": ["hist"], "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}},
	{"name": "after", "labels": ["t.d"], "start_after": "hist", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}
]');
SET client_min_messages = notice;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
\set VERBOSITY default
BEGIN;
CALL feldera.wait_for('hist');
ROLLBACK;
SELECT refused('CALL feldera.wait_for(''hist'')');
DO $$ BEGIN PERFORM 1; CALL feldera.wait_for('hist', '1 ms'); END $$;
CALL feldera.wait_for('nobody');
CALL feldera.wait_for(NULL);
CALL feldera.wait_for('hist', timeout => '10 ms');
\echo :LAST_ERROR_SQLSTATE
CALL feldera.wait_for('nobody');
\echo :LAST_ERROR_SQLSTATE
-- done already
UPDATE feldera.progress SET backfill_completed_at = now() WHERE connector_id = 1;
CALL feldera.wait_for('hist', '0');
-- a name that is both means both
CALL feldera.wait_for('t.d', '10 ms');
UPDATE feldera.progress SET backfill_completed_at = now();
CALL feldera.wait_for('t.d', '0');
-- a paused holder is told once, a failed one ends the wait, also where it is waited for in turn
UPDATE feldera.progress SET backfill_completed_at = NULL;
UPDATE feldera.status SET state = 'paused' WHERE connector_id = 1;
CALL feldera.wait_for('t.after', '500 ms');
UPDATE feldera.status SET state = 'failed', error = 'the disk is gone' WHERE connector_id = 1;
CALL feldera.wait_for('t.after');
\echo :LAST_ERROR_SQLSTATE
-- the statement's own limit holds
UPDATE feldera.status SET state = 'queued' WHERE connector_id = 1;
SET statement_timeout = '100ms';
CALL feldera.wait_for('hist');
