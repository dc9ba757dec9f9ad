-- labels and start_after: what is refused when the transaction commits.
CREATE EXTENSION feldera_ingest;
ALTER SYSTEM SET feldera_ingest.enabled = off;
SELECT pg_reload_conf();
\c -
SET client_min_messages = error;
CREATE TABLE t (i integer);
-- a connector that can complete a label, or with "follow" one that cannot
CREATE FUNCTION declare(name text, labels text[], start_after text[], mode text DEFAULT 'snapshot') RETURNS text
	BEGIN ATOMIC
		SELECT feldera.create_connector('t', jsonb_build_object('name', $1, 'labels', to_jsonb($2), 'transport',
			jsonb_build_object('name', 'delta_table_input', 'config', jsonb_build_object('uri', 'file:///nowhere', 'mode', $4)))
			|| CASE WHEN $3 IS NULL THEN '{}' ELSE jsonb_build_object('start_after', to_jsonb($3)) END);
	END;

SELECT declare('lost', '{}', '{nobody}');
-- forward references are fine inside a transaction
BEGIN;
SELECT declare('live', '{}', '{hist}');
SELECT declare('hist', '{hist}', NULL);
COMMIT;
-- whatever SET CONSTRAINTS says
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT declare('early', '{}', '{late}');
SELECT declare('late', '{late}', NULL);
COMMIT;
SELECT declare('lost', '{}', '{hist,hsit}');
SELECT connector, waiting_for, held_by FROM feldera.connectors ORDER BY connector_id;

-- cycles
SELECT declare('self', '{me}', '{me}');
BEGIN;
SELECT declare('a', '{la}', '{lc}');
SELECT declare('b', '{lb}', '{la}');
SELECT declare('c', '{lc}', '{lb}');
COMMIT;
SELECT feldera.alter_connector('t.hist', '{"start_after": "late"}');
SELECT feldera.alter_connector('t.late', '{"start_after": "hist"}');

-- a carrier that can never complete
BEGIN;
SELECT declare('endless', '{endless}', NULL, 'follow');
SELECT declare('patient', '{}', '{endless}');
COMMIT;
SELECT declare('endless', '{hist}', NULL, 'follow');
-- nobody waits for it: fine
SELECT declare('endless', '{endless}', NULL, 'follow');

-- the last carrier
SELECT feldera.drop_connector('t.hist');
SELECT feldera.alter_connector('t.hist', '{"labels": ["other"]}');
BEGIN;
SELECT feldera.drop_connector('t.hist');
SELECT declare('hist', '{hist}', NULL);
COMMIT;
SELECT declare('hist2', '{hist}', NULL);
SELECT feldera.drop_connector('t.hist2');
-- who is released does not look at labels again
SELECT feldera.start_connector('t.live', skip_start_after => true);
SELECT feldera.drop_connector('t.hist');
SELECT connector, waiting_for, released_at IS NOT NULL AS released FROM feldera.connectors ORDER BY connector_id;

-- a gate is closed again only before the first run
SELECT feldera.alter_connector('t.live', '{"start_after": "late"}');
SELECT connector, waiting_for FROM feldera.connectors WHERE connector = 't.live';
SELECT feldera.alter_connector('t.live', '{"start_after": null}');
UPDATE feldera.progress SET started_at = now() WHERE connector_id = (SELECT connector_id FROM feldera.connector WHERE name = 't.live');
SELECT feldera.alter_connector('t.live', '{"start_after": ["late"]}');
SELECT connector, start_after, waiting_for FROM feldera.connectors WHERE connector = 't.live';

-- a prepared transaction is checked too
BEGIN;
SELECT declare('prepared', '{}', '{nowhere}');
PREPARE TRANSACTION 'p';
-- the check at the commit of a transaction that dropped the extension
BEGIN;
SELECT declare('gone', '{}', '{nowhere}');
DROP EXTENSION feldera_ingest CASCADE;
COMMIT;
