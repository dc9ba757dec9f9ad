-- CREATE TABLE ... WITH (connectors = ...)
CREATE TABLE before (i integer) WITH (connectors = '[]');
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;

CREATE TABLE plain (i integer) WITH (fillfactor = 50, connectors = '[
	{"name": "one", "labels": ["done"], "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}},
	{"name": "two", "start_after": "done", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}
]');
SELECT reloptions FROM pg_class WHERE oid = 'plain'::regclass;
CREATE TABLE one_object (i integer) WITH ("connectors" = '{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}');
CREATE TABLE qualified (i integer) WITH (feldera.connectors = '[{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
SELECT connector, relid, waiting_for, held_by FROM feldera.connectors ORDER BY connector_id;

-- a table that is there gets nothing, also no check of the option
CREATE TABLE IF NOT EXISTS plain (i integer) WITH (connectors = 'not even JSON');
-- the table is not there when its connectors are refused
CREATE TABLE refused (i integer) WITH (connectors = '[{"transport": {"name": "nothing"}}]');
CREATE TABLE refused (i integer) WITH (connectors = 'not even JSON');
CREATE TABLE refused (i integer) WITH (connectors);
CREATE TABLE refused (i integer) WITH (connectors = '[]', connectors = '[]');
CREATE TABLE refused (i integer) WITH (connectors = '[]', no_such_option = 1);
SELECT to_regclass('refused');

-- a cached plan runs the same statement again
CREATE FUNCTION make_table() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CREATE TABLE cached (i integer) WITH (connectors = '[{"name": "c", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
END $$;
SELECT make_table();
SELECT connector, relid FROM feldera.connectors WHERE connector LIKE 'cached.%';
SELECT feldera.drop_connector('cached.c');
DROP TABLE cached;
SELECT make_table();
SELECT connector, relid FROM feldera.connectors WHERE connector LIKE 'cached.%';

CREATE SCHEMA elements
	CREATE TABLE element (i integer) WITH (connectors = '[{"name": "e", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
CREATE TABLE parent (i integer) PARTITION BY RANGE (i);
CREATE TABLE part PARTITION OF parent FOR VALUES FROM (0) TO (10)
	WITH (connectors = '[{"name": "p", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
SELECT connector, relid FROM feldera.connectors WHERE connector ~ '^(element|part)\.' ORDER BY connector_id;

-- rolled back with the table
BEGIN;
CREATE TABLE undone (i integer) WITH (connectors = '[{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
ROLLBACK;
SELECT count(*) FROM feldera.connectors WHERE connector LIKE 'undone.%';

-- an event trigger that takes the table away: nothing is done by halves
CREATE FUNCTION rename_table() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass('taken') IS NOT NULL THEN
		ALTER TABLE taken RENAME TO taken_away;
	END IF;
END $$;
CREATE EVENT TRIGGER rename_table ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION rename_table();
CREATE TABLE taken (i integer) WITH (connectors = '[{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
CREATE TABLE IF NOT EXISTS taken (i integer) WITH (connectors = '[{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}]');
SELECT to_regclass('taken'), to_regclass('taken_away');
CREATE TABLE IF NOT EXISTS plain (i integer) WITH (connectors = '[]');
DROP EVENT TRIGGER rename_table;

-- other statements keep core's error
CREATE TABLE copied WITH (connectors = '[]') AS SELECT 1;
ALTER TABLE plain SET (connectors = '[]');
DROP EXTENSION feldera_ingest;
CREATE TABLE after (i integer) WITH (connectors = '[]');
