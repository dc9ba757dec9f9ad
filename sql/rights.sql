-- Who may declare, order and see.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE ROLE regress_owner LOGIN;
CREATE ROLE regress_other LOGIN;
CREATE ROLE regress_watcher LOGIN IN ROLE pg_monitor;
CREATE ROLE regress_member LOGIN IN ROLE regress_owner;
CREATE ROLE regress_group LOGIN;
CREATE TABLE t (i integer PRIMARY KEY);
CREATE TABLE grouped (i integer);
ALTER TABLE grouped OWNER TO regress_group;
ALTER TABLE t OWNER TO regress_owner;

-- nothing is granted to begin with
SET ROLE regress_owner;
SELECT feldera.create_connector('t', '{}');
SELECT * FROM feldera.connectors;
RESET ROLE;
GRANT USAGE ON SCHEMA feldera TO regress_owner, regress_other;
SET ROLE regress_owner;
SELECT feldera.create_connector('t', '{}');
SELECT * FROM feldera.connectors;
RESET ROLE;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA feldera TO regress_owner, regress_other;
REVOKE EXECUTE ON FUNCTION feldera.live_workers(), feldera.live_watermarks() FROM regress_owner, regress_other;
GRANT SELECT ON feldera.connectors, feldera.kafka_offsets, feldera.delta_positions, feldera.datagen_positions,
	feldera.rejected_records, feldera.history TO regress_owner, regress_other;

-- rights on the source are the owner's: no file of the server, no credentials of the server
SET ROLE regress_owner;
SELECT feldera.create_connector('t', '{"transport": {"name": "delta_table_input", "config": {"uri": "file:///etc", "mode": "snapshot"}}}');
SELECT feldera.create_connector('t', '{"name": "k", "transport": {"name": "kafka_input", "config": {"topic": "a",
	"bootstrap.servers": "localhost:9", "plugin.library.paths": "/tmp/x"}}, "format": {"name": "json"}}');
SELECT feldera.create_connector('t', '{"name": "k", "transport": {"name": "kafka_input", "config": {"topic": "a",
	"bootstrap.servers": "localhost:9", "sasl.password": "hush"}}, "format": {"name": "json"}}');
RESET ROLE;
-- rights on the target
SET ROLE regress_other;
SELECT feldera.create_connector('t', '{}');
RESET ROLE;
-- CREATE TABLE asks for the same rights as the function
CREATE ROLE regress_nobody LOGIN;
CREATE SCHEMA nobody AUTHORIZATION regress_nobody;
SET ROLE regress_nobody;
CREATE TABLE nobody.own (i integer) WITH (connectors = '[]');
RESET ROLE;
GRANT USAGE ON SCHEMA feldera TO regress_nobody;
SET ROLE regress_nobody;
CREATE TABLE nobody.own (i integer) WITH (connectors = '[]');
RESET ROLE;
GRANT EXECUTE ON FUNCTION feldera.create_connectors(regclass, jsonb) TO regress_nobody;
SET ROLE regress_nobody;
CREATE TABLE nobody.own (i integer) WITH (connectors = '[]');
RESET ROLE;
-- a superuser's connector on another role's table runs as that role
SELECT feldera.create_connector('t', '{"name": "f", "transport": {"name": "delta_table_input", "config": {"uri": "file:///etc", "mode": "snapshot"}}}');
SELECT connector, owner::text = current_user AS mine, run_as FROM feldera.connectors ORDER BY connector_id;
-- which must be able to connect
REVOKE CONNECT ON DATABASE regression FROM PUBLIC;
SELECT feldera.create_connector('grouped', '{}');
GRANT CONNECT ON DATABASE regression TO PUBLIC;

-- orders are for members of the owner
SET ROLE regress_other;
SELECT feldera.pause_connector('t.k');
SELECT feldera.alter_connector('t.k', '{}');
SELECT feldera.drop_connector('t.k');
RESET ROLE;
SET ROLE regress_owner;
SELECT feldera.drop_connector('t.f');
RESET ROLE;
SET ROLE regress_member;
SELECT feldera.pause_connector('t.k');
RESET ROLE;

-- seeing
INSERT INTO feldera.kafka_position (connector_id, topic, partition, next_offset) SELECT connector_id, 'a', 0, 1 FROM feldera.connector WHERE name = 't.k';
INSERT INTO feldera.rejected_record (connector_id, connector, owner, topic, key, payload, sqlstate, error, attempts)
	SELECT connector_id, name, owner, 'a', 'key', 'payload', '22P02', 'bad', 1 FROM feldera.connector WHERE name = 't.k';
INSERT INTO feldera.state_change (connector_id, connector, owner, state) SELECT connector_id, name, owner, 'waiting' FROM feldera.connector;
CREATE FUNCTION seen() RETURNS TABLE (who name, connectors text, configuration boolean, offsets bigint, rejects bigint, payloads bigint, history bigint) LANGUAGE sql AS $$
	SELECT current_user, (SELECT string_agg(connector, ' ' ORDER BY connector) FROM feldera.connectors),
		(SELECT bool_or(config IS NOT NULL) FROM feldera.connectors), (SELECT count(*) FROM feldera.kafka_offsets),
		(SELECT count(*) FROM feldera.rejected_records), (SELECT count(payload) + count(key) FROM feldera.rejected_records),
		(SELECT count(*) FROM feldera.history)
$$;
SELECT connectors, configuration, offsets, rejects, payloads FROM seen();
SET ROLE regress_owner;
SELECT * FROM seen();
SELECT config FROM feldera.connectors;
SELECT * FROM feldera.live_workers();
SELECT config FROM feldera.connector;
SET ROLE regress_member;
SELECT * FROM seen();
SET ROLE regress_other;
SELECT * FROM seen();
SET ROLE regress_watcher;
SELECT * FROM seen();
SELECT feldera.pause_connector('t.k');
RESET ROLE;
-- a function of the caller's, named like the server's own, is not taken
CREATE SCHEMA trap;
CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
GRANT USAGE ON SCHEMA trap TO regress_owner;
SET ROLE regress_owner;
SET search_path = trap, pg_catalog, public;
SELECT feldera.start_connector('t.k');
RESET search_path;
RESET ROLE;
