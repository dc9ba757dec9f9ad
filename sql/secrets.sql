-- Secrets: by name of a foreign server, and hidden where they were given in the clear.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE ROLE regress_user LOGIN;
CREATE TABLE t (i integer);
GRANT INSERT ON t TO regress_user;
GRANT USAGE ON SCHEMA feldera TO regress_user;
GRANT EXECUTE ON FUNCTION feldera.create_connector(regclass, jsonb) TO regress_user;
GRANT SELECT ON feldera.connectors TO regress_user;

CREATE SERVER store FOREIGN DATA WRAPPER feldera_ingest OPTIONS (aws_region 'eu-west-1', aws_endpoint 'https://localhost:9');
CREATE USER MAPPING FOR regress_user SERVER store OPTIONS (aws_access_key_id 'id', aws_secret_access_key 'abracadabra');
ALTER FOREIGN DATA WRAPPER feldera_ingest OPTIONS (ADD any 'thing');

SET ROLE regress_user;
SELECT feldera.create_connector('t', '{"name": "s", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot"}}}');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER store TO regress_user;
SET ROLE regress_user;
SELECT feldera.create_connector('t', '{"name": "s", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot"}}}');
SELECT config FROM feldera.connectors;
-- what the server fixes cannot be given again
SELECT feldera.create_connector('t', '{"name": "e", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot", "aws_endpoint": "https://thief"}}}');
-- nor under another name of it
SELECT feldera.create_connector('t', '{"name": "e", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot", "endpoint": "https://thief"}}}');
SELECT feldera.create_connector('t', '{"name": "e", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot", "AWS_ENDPOINT_URL": "https://thief"}}}');
RESET ROLE;
-- a role without a mapping, an option that is none, a server of another wrapper
\set VERBOSITY sqlstate
SELECT feldera.create_connector('t', '{"name": "e", "secret": "store", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot"}}}');
\set VERBOSITY default
CREATE SERVER wrong FOREIGN DATA WRAPPER feldera_ingest OPTIONS (colour 'blue');
CREATE USER MAPPING FOR PUBLIC SERVER wrong;
SELECT feldera.create_connector('t', '{"name": "e", "secret": "wrong", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot"}}}');
CREATE FOREIGN DATA WRAPPER another;
CREATE SERVER stranger FOREIGN DATA WRAPPER another;
SELECT feldera.create_connector('t', '{"name": "e", "secret": "stranger", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot"}}}');

-- in the clear: kept, shown as ***
SELECT feldera.create_connector('t', '{"name": "c", "transport": {"name": "delta_table_input", "config": {"uri": "s3://b/t", "mode": "snapshot", "aws_access_key_id": "id", "aws_secret_access_key": "abracadabra", "aws_session_token": "token"}}}');
SELECT feldera.create_connector('t', '{"name": "k", "transport": {"name": "kafka_input", "config": {"topic": "a", "bootstrap.servers": "localhost:9", "sasl.password": "open sesame", "sasl.username": "ali"}}, "format": {"name": "json"}}');
SELECT connector, config FROM feldera.connectors ORDER BY connector_id;
SELECT feldera.redact('delta_table_input', '{"transport": {"config": {"uri": "s3://user:pass@b/t@x?y"}}}');
CREATE SERVER brokers FOREIGN DATA WRAPPER feldera_ingest OPTIONS ("bootstrap.servers" 'localhost:9');
CREATE USER MAPPING FOR CURRENT_USER SERVER brokers OPTIONS ("sasl.username" 'ali', "sasl.password" 'open sesame');
SELECT feldera.create_connector('t', '{"name": "m", "secret": "brokers", "transport": {"name": "kafka_input", "config": {"topic": "a", "metadata.broker.list": "thief:9"}}, "format": {"name": "json"}}');
SELECT feldera.redact('unknown', '{"transport": {"name": "unknown"}}'), feldera.redact('unknown', '7');
