-- Declaring connectors: names, and what is refused.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
CREATE TABLE lineitem (l_orderkey integer PRIMARY KEY, l_comment text);

-- the warning of a server that runs nothing
SELECT feldera.create_connector('lineitem',
	'{"transport": {"name": "kafka_input", "config": {"topic": "a", "bootstrap.servers": "localhost:9"}}, "format": {"name": "json"}}');
SET client_min_messages = error;

-- names: what is unnamed is counted among the connectors of the table
SELECT feldera.create_connectors('lineitem', '[
	{"name": "hist", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}},
	{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}
]');
CREATE SCHEMA other;
CREATE TABLE other.lineitem (l_orderkey integer);
SELECT feldera.create_connector('other.lineitem',
	'{"name": "hist", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}');
CREATE TABLE "Odd.Name" (i integer);
SELECT feldera.create_connector('"Odd.Name"',
	'{"name": "A-b_9", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}');
-- the full name survives RENAME, and stays taken
ALTER TABLE lineitem RENAME TO lineitem_old;
CREATE TABLE lineitem (i integer);
SELECT feldera.create_connector('lineitem',
	'{"name": "hist", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}');
SELECT connector, relid, transport, state, hint FROM feldera.connectors ORDER BY connector_id;

-- refused, and nothing persists of a failed call
SELECT feldera.create_connectors('lineitem', '[
	{"name": "first", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}},
	{"name": "second", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}, "frmat": {}}
]');
SELECT feldera.create_connectors('lineitem', '[
	{"name": "twin", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}},
	{"name": "twin", "transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot"}}}
]');
SELECT feldera.create_connectors('lineitem', '[]');
SELECT feldera.create_connectors('lineitem', '"text"');
SELECT feldera.create_connectors('lineitem', '[7]');
SELECT feldera.create_connector('lineitem', '[{}]');
SELECT feldera.create_connector('lineitem', '{}');
SELECT feldera.create_connector('lineitem', '{"transport": {"name": "file_input"}}');
SELECT feldera.create_connector('lineitem', '{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere"}}}');
SELECT feldera.create_connector('lineitem', '{"transport": {"name": "delta_table_input", "config": {"uri": "file:///nowhere", "mode": "snapshot", "moed": 1}}}');
SELECT feldera.create_connector('lineitem', '{"name": 7, "transport": {"name": "delta_table_input", "config": {}}}');
SELECT feldera.create_connector('lineitem', '{"name": "a.b", "transport": {"name": "delta_table_input", "config": {}}}');
SELECT feldera.create_connector('lineitem', '{"name": "", "transport": {"name": "delta_table_input", "config": {}}}');
SELECT feldera.create_connector('lineitem', jsonb_build_object('name', repeat('n', 64)));
SELECT feldera.create_connector('lineitem', '{"paused": "yes"}');
SELECT feldera.create_connector('lineitem', '{"labels": "one"}');
SELECT feldera.create_connector('lineitem', '{"labels": [""]}');
SELECT feldera.create_connector('lineitem', '{"start_after": []}');
SELECT feldera.create_connector('lineitem', '{"start_after": {"label": "x"}}');
SELECT feldera.create_connector('lineitem', '{"transport": "kafka"}');
SELECT feldera.create_connector('lineitem', '{"format": "json"}');
SELECT feldera.create_connector('lineitem', '{"max_queued_records": 0}');
SELECT feldera.create_connector('lineitem', '{"max_batch_size": 1.5}');
SELECT feldera.create_connector('lineitem', '{"max_retries": -1}');
SELECT feldera.create_connector('lineitem', '{"on_error": "ignore"}');
SELECT feldera.create_connector('lineitem', '{"secret": "nobody", "transport": {"name": "delta_table_input"}}');
SELECT count(*) FROM feldera.connectors;

-- targets
SELECT feldera.create_connector('pg_class', '{}');
SELECT feldera.create_connector('feldera.connectors', '{}');
CREATE TEMPORARY TABLE here_only (i integer);
SELECT feldera.create_connector('here_only', '{}');
CREATE TABLE deferred (i integer PRIMARY KEY DEFERRABLE);
SELECT feldera.create_connector('deferred', '{}');
SET client_min_messages = warning;
CREATE UNLOGGED TABLE emptied (i integer);
SELECT feldera.create_connector('emptied', '{}');

-- what the stored declaration looks like
SELECT connector, labels, start_after, paused, config FROM feldera.connectors WHERE relid = 'lineitem_old'::regclass ORDER BY connector_id;
