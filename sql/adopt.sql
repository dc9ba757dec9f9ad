-- What a restore brings is not adopted.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE ROLE regress_adopter LOGIN;
GRANT USAGE ON SCHEMA feldera TO regress_adopter;
GRANT EXECUTE ON FUNCTION feldera.adopt() TO regress_adopter;
CREATE TABLE t (i integer);
SELECT feldera.create_connector('t', '{"name": "own", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}');
SELECT name, adopted, feldera.is_adopted(adopted, database_oid, system_identifier) FROM feldera.connector;
-- COPY, INSERT, and a claim to be adopted
CREATE TEMPORARY TABLE dumped AS SELECT * FROM feldera.connector;
UPDATE dumped SET connector_id = 100, name = 't.copied';
INSERT INTO feldera.connector SELECT * FROM dumped;
SELECT name, adopted FROM feldera.connector ORDER BY connector_id;
-- a template copy has another database, a copy by pg_upgrade another system
SELECT feldera.is_adopted(true, 1, (SELECT system_identifier FROM pg_control_system())),
	feldera.is_adopted(true, (SELECT oid FROM pg_database WHERE datname = current_database()), 1),
	feldera.is_adopted(NULL, NULL, NULL);
INSERT INTO feldera.progress (connector_id) VALUES (100);
INSERT INTO feldera.status (connector_id, state) VALUES (100, 'queued');
ALTER SYSTEM RESET feldera_ingest.enabled;
SELECT connector, hint FROM feldera.connectors WHERE connector = 't.copied';
-- only one's own
SET ROLE regress_adopter;
SELECT feldera.adopt();
RESET ROLE;
SELECT feldera.adopt();
SELECT feldera.adopt();
SELECT name, adopted, feldera.is_adopted(adopted, database_oid, system_identifier) FROM feldera.connector ORDER BY connector_id;
-- a dump holds the OID of a table that was dropped, where there may be nothing, or another table, in the copy
CREATE TABLE gone (i integer);
CREATE TABLE reused (i integer);
CREATE TABLE renamed (i integer);
SELECT feldera.create_connector(relid, '{"name": "c", "paused": true, "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}')
	FROM unnest('{gone, reused, renamed}'::regclass[]) AS relid;
TRUNCATE dumped;
INSERT INTO dumped SELECT * FROM feldera.connector WHERE name ~ '\.c$';
SELECT feldera.drop_connector(name::text) FROM dumped;
DROP TABLE gone;
ALTER TABLE reused RENAME TO stranger;
CREATE TABLE restored_elsewhere (i integer);
UPDATE dumped SET relid = 'restored_elsewhere' WHERE name = 'renamed.c';
INSERT INTO feldera.connector SELECT * FROM dumped;
INSERT INTO feldera.progress (connector_id) SELECT connector_id FROM dumped;
INSERT INTO feldera.status (connector_id, state) SELECT connector_id, 'paused' FROM dumped;
SET client_min_messages = warning;
SELECT feldera.adopt();
SELECT name, adopted FROM feldera.connector WHERE name ~ '\.c$' ORDER BY name;
SELECT feldera.drop_connector('gone.c');
SELECT feldera.drop_connector('reused.c');
SELECT feldera.adopt();
