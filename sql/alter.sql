-- alter_connector: a merge patch, and what a position forbids.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE TABLE t (i integer);
SELECT feldera.create_connector('t', '{"name": "k", "labels": ["l"], "max_batch_size": 100, "transport": {"name": "kafka_input",
	"config": {"topic": "a", "bootstrap.servers": "localhost:9", "sasl.password": "open sesame"}}, "format": {"name": "json", "config": {"array": false}}}');
CREATE VIEW shown AS
	SELECT c.connector, state, c.paused, c.labels, c.config, d.declaration, p.epoch
	FROM feldera.connectors c JOIN feldera.connector d USING (connector_id) JOIN feldera.progress p USING (connector_id);

SELECT feldera.alter_connector('t.k', '{"max_batch_size": null, "labels": ["l", "m", "l"], "format": {"config": {"array": true}}}');
SELECT * FROM shown;
SELECT feldera.alter_connector('t.k', '{"transport": {"config": {"topic": "b"}}}');
SELECT config #>> '{transport,config,topic}' AS topic FROM shown;

-- once a position exists
UPDATE feldera.progress SET pinned_at = now(), started_at = now(), source_identity = 'c';
INSERT INTO feldera.kafka_position VALUES (1, 'b', 0, 5, 7, NULL, 0, 9);
SELECT feldera.alter_connector('t.k', '{"transport": {"config": {"topic": "c"}}}');
SELECT feldera.alter_connector('t.k', '{"transport": {"config": {"start_from": "earliest"}}}');
SELECT feldera.alter_connector('t.k', '{"transport": {"name": "delta_table_input", "config": null}, "format": null}');
-- brokers, credentials, format, limits and labels keep it
SELECT feldera.alter_connector('t.k', '{"transport": {"config": {"bootstrap.servers": "localhost:10", "sasl.password": "new"}}, "format": {"name": "csv", "config": null}, "max_queued_bytes": 1000000, "labels": null}');
SELECT * FROM feldera.kafka_offsets;
SELECT * FROM shown;

-- refused patches
SELECT feldera.alter_connector('t.k', '[]');
SELECT feldera.alter_connector('t.k', '{"name": "other"}');
SELECT feldera.alter_connector('t.k', '{"name": "k", "format": null}');
SELECT feldera.alter_connector('t.k', '{"labels": {"a": 1}}');
SELECT feldera.alter_connector('t.none', '{}');
-- paused here is pause_connector
SELECT feldera.alter_connector('t.k', '{"paused": true}');
SELECT connector, paused, epoch FROM shown;
SELECT feldera.reset_connector('t.k');
SELECT * FROM feldera.kafka_offsets;
SELECT feldera.alter_connector('t.k', '{"transport": {"config": {"topic": "c", "start_from": "earliest"}}, "paused": null}');
SELECT * FROM shown;
-- an alteration ends a failure
UPDATE feldera.status SET state = 'failed', error = 'no', sqlstate = '42P01', hint = 'Do.', retries = 3;
SELECT state, error, hint FROM feldera.connectors;
SELECT feldera.alter_connector('t.k', '{}');
SELECT state, error, sqlstate, retries FROM feldera.connectors;
