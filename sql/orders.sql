-- pause, start, reset, set_offset, drop, and what they leave in the history.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE TABLE t (i integer);
SELECT feldera.create_connector('t', '{"name": "k", "paused": true, "transport": {"name": "kafka_input",
	"config": {"topics": ["a", "b"], "bootstrap.servers": "localhost:9"}}, "format": {"name": "json"}}');
SELECT feldera.create_connector('t', '{"name": "d", "labels": ["hist"], "transport": {"name": "delta_table_input",
	"config": {"uri": "s3://bucket/path", "mode": "snapshot", "aws_skip_signature": true}}}');
SELECT feldera.create_connector('t', '{"name": "after", "start_after": "hist", "transport": {"name": "kafka_input",
	"config": {"topic": "a", "bootstrap.servers": "localhost:9"}}, "format": {"name": "json"}}');
CREATE VIEW recorded AS
	SELECT c.name, s.state, s.error, c.paused, c.released_at IS NOT NULL AS released, c.declaration, p.epoch
	FROM feldera.connector c JOIN feldera.status s USING (connector_id) JOIN feldera.progress p USING (connector_id)
	ORDER BY connector_id;
SELECT * FROM recorded;

-- the view of a server that runs nothing
SELECT connector, state, waiting_for, held_by, hint FROM feldera.connectors ORDER BY connector_id;

SELECT feldera.pause_connector('t.d');
SELECT feldera.pause_connector('t.d');
SELECT feldera.pause_connector('t.after');
SELECT * FROM recorded;
-- start lifts the pause, and skips the gate only when told to
SELECT feldera.start_connector('t.after');
SELECT * FROM recorded;
SELECT feldera.start_connector('t.after', skip_start_after => true);
SELECT feldera.start_connector('t.k');
SELECT * FROM recorded;
-- start ends a failure
UPDATE feldera.status SET state = 'failed', error = 'gone', retries = 2 WHERE connector_id = 1;
SELECT feldera.start_connector('t.k');
SELECT * FROM recorded;
-- and is nothing to who runs
UPDATE feldera.status SET state = 'running' WHERE connector_id = 1;
SELECT feldera.start_connector('t.k');
SELECT * FROM recorded;

-- a position moves only at rest, or before the first run
SELECT feldera.set_offset('t.k', 'a', 0, 42);
SELECT feldera.set_offset('t.k', 'a', 0, 43);
SELECT feldera.set_offset('t.k', 'b', 1, 0);
SELECT connector, topic, partition, start_offset, next_offset, lag FROM feldera.kafka_offsets ORDER BY topic, partition;
UPDATE feldera.progress SET started_at = now(), pinned_at = now();
SELECT feldera.set_offset('t.k', 'a', 0, 44);
SELECT feldera.reset_connector('t.k');
SELECT feldera.pause_connector('t.k');
SELECT feldera.set_offset('t.k', 'a', 0, 44);
SELECT connector, topic, partition, start_offset, next_offset FROM feldera.kafka_offsets ORDER BY topic, partition;
SELECT feldera.set_offset('t.k', 'c', 0, 44);
SELECT feldera.set_offset('t.k', 'a', -1, 44);
SELECT feldera.set_offset('t.k', 'a', 0, -44);
SELECT feldera.set_offset('t.d', 'a', 0, 44);
SELECT feldera.reset_connector('t.k');
SELECT count(*) FROM feldera.kafka_offsets;

-- positions of the other kinds, as the views show them
INSERT INTO feldera.delta_position VALUES (2, 3, NULL, 4, 'x', '{}', true, 3);
INSERT INTO feldera.delta_file (connector_id, file_number, size, done, rows_read, rows_masked, action)
	VALUES (2, 0, 10, true, 100, 2, '{}'), (2, 1, 10, false, 7, 0, '{}'), (2, 2, 10, false, 0, 0, '{}');
INSERT INTO feldera.datagen_position VALUES (3, 0, 17, 18446744073709551615);
SELECT * FROM feldera.delta_positions;
SELECT * FROM feldera.datagen_positions;
SELECT feldera.reset_connector('t.d');
SELECT count(*) FROM feldera.delta_positions;
SELECT count(*) FROM feldera.delta_file;

SELECT feldera.drop_connector('t.after');
SELECT feldera.drop_connector('t.d');
SELECT feldera.drop_connector('t.d');
SELECT feldera.drop_connector('t.k');
SELECT count(*) FROM feldera.connectors;
SELECT (SELECT count(*) FROM feldera.progress) + (SELECT count(*) FROM feldera.status)
	+ (SELECT count(*) FROM feldera.kafka_position) + (SELECT count(*) FROM feldera.datagen_position) AS left_behind;
SELECT connector, state FROM feldera.history ORDER BY id;
-- a new declaration is a new identity without a position
SELECT feldera.create_connector('t', '{"name": "k", "transport": {"name": "kafka_input",
	"config": {"topics": ["a", "b"], "bootstrap.servers": "localhost:9"}}, "format": {"name": "json"}}');
SELECT connector, connector_id FROM feldera.connectors;
