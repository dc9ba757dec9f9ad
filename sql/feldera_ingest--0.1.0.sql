/* Installed by CREATE EXTENSION feldera_ingest. */

\echo Use "CREATE EXTENSION feldera_ingest" to load this file. \quit

-- The script runs with search_path = pg_catalog, pg_temp (the control file's schema), so
-- unqualified functions and operators are the server's own.  The schema is created without
-- IF NOT EXISTS: one that somebody prepared beforehand must not become part of the extension.

CREATE SCHEMA feldera;
COMMENT ON SCHEMA feldera IS 'connectors that load Delta Lake, Kafka and generated data into ordinary tables';

------------------------------------------------------------------------------------------
-- Tables.  Only superusers touch them directly; everybody else goes through the functions
-- and the views.
------------------------------------------------------------------------------------------

CREATE SEQUENCE feldera.connector_id_seq AS bigint;
COMMENT ON SEQUENCE feldera.connector_id_seq IS 'identities of connectors; never used twice';

-- What the user declared.  Written by the SQL functions, read by the supervisor.
CREATE TABLE feldera.connector (
	connector_id bigint PRIMARY KEY DEFAULT nextval('feldera.connector_id_seq'),
	name text COLLATE "C" NOT NULL UNIQUE,
	relid regclass NOT NULL,
	transport text NOT NULL,
	config jsonb NOT NULL,
	labels text[] NOT NULL DEFAULT '{}',
	start_after text[] NOT NULL DEFAULT '{}',
	owner regrole NOT NULL,
	run_as regrole NOT NULL,
	paused boolean NOT NULL DEFAULT false,
	max_retries integer,
	completes_backfill boolean NOT NULL DEFAULT true,
	declaration bigint NOT NULL DEFAULT 1,
	declared_at timestamptz NOT NULL DEFAULT now(),
	released_at timestamptz,
	probed_at timestamptz,
	adopted boolean NOT NULL,
	database_oid oid,
	system_identifier bigint,
	declared_relid oid,
	declared_table text
);
ALTER SEQUENCE feldera.connector_id_seq OWNED BY feldera.connector.connector_id;
COMMENT ON TABLE feldera.connector IS 'declared connectors';
COMMENT ON COLUMN feldera.connector.config IS 'the declared object without name, paused, labels and start_after; may hold secrets';
COMMENT ON COLUMN feldera.connector.owner IS 'declared it; its rights count at the source';
COMMENT ON COLUMN feldera.connector.run_as IS 'the worker connects as this role; its rights count at the target';
COMMENT ON COLUMN feldera.connector.completes_backfill IS 'this connector can satisfy a label at all';
COMMENT ON COLUMN feldera.connector.declaration IS 'grows with each change that a running worker must see';
COMMENT ON COLUMN feldera.connector.released_at IS 'the start_after gate opened, or there was none';
COMMENT ON COLUMN feldera.connector.probed_at IS 'the source was asked once after the declaration';
COMMENT ON COLUMN feldera.connector.adopted IS 'false in a restored copy until feldera.adopt() is called';
COMMENT ON COLUMN feldera.connector.declared_relid IS 'relid as a number, as it was declared or adopted: a dump keeps it, while relid travels by name';
COMMENT ON COLUMN feldera.connector.declared_table IS 'qualified name of the table when it was declared or adopted';

-- What changes with every batch, in a row of its own that stays HOT-updatable.
CREATE TABLE feldera.progress (
	connector_id bigint PRIMARY KEY REFERENCES feldera.connector ON DELETE CASCADE,
	epoch bigint NOT NULL DEFAULT 0,
	attempt_open boolean NOT NULL DEFAULT false,
	crash_marks integer NOT NULL DEFAULT 0,
	started_at timestamptz,
	rows_processed bigint NOT NULL DEFAULT 0,
	bytes_processed bigint NOT NULL DEFAULT 0,
	rows_inserted bigint NOT NULL DEFAULT 0,
	rows_updated bigint NOT NULL DEFAULT 0,
	rows_deleted bigint NOT NULL DEFAULT 0,
	deletes_unmatched bigint NOT NULL DEFAULT 0,
	updates_unmatched bigint NOT NULL DEFAULT 0,
	rows_rejected bigint NOT NULL DEFAULT 0,
	pinned_at timestamptz,
	source_identity text,
	messages_passed_over bigint,
	rows_total bigint,
	bytes_total bigint,
	backfill_completed_at timestamptz,
	last_commit_at timestamptz
) WITH (fillfactor = 20);
COMMENT ON TABLE feldera.progress IS 'how far each connector is; written in the transactions that write the rows';
COMMENT ON COLUMN feldera.progress.epoch IS 'each start, pause, change and reset takes the next one; a worker of an older one cannot commit';
COMMENT ON COLUMN feldera.progress.attempt_open IS 'a run began and neither committed nor ended yet';
COMMENT ON COLUMN feldera.progress.crash_marks IS 'consecutive runs that a crash of the server left open';
COMMENT ON COLUMN feldera.progress.source_identity IS 'Kafka cluster id or Delta table id that the position belongs to';
COMMENT ON COLUMN feldera.progress.messages_passed_over IS 'Kafka messages between the declaration and the start';

-- What the supervisor and a dying worker say about a connector.
CREATE TABLE feldera.status (
	connector_id bigint PRIMARY KEY REFERENCES feldera.connector ON DELETE CASCADE,
	state text NOT NULL,
	phase text,
	sqlstate text,
	error text,
	hint text,
	error_at timestamptz,
	retry_at timestamptz,
	retries integer NOT NULL DEFAULT 0,
	changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE feldera.status IS 'last recorded state, phase and error of each connector';

CREATE TABLE feldera.kafka_position (
	connector_id bigint NOT NULL REFERENCES feldera.connector ON DELETE CASCADE,
	topic text COLLATE "C" NOT NULL,
	partition integer NOT NULL,
	start_offset bigint,
	next_offset bigint,
	end_offset bigint,
	declared_low bigint,
	declared_high bigint,
	offsets_lost bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (connector_id, topic, partition)
) WITH (fillfactor = 20);
COMMENT ON TABLE feldera.kafka_position IS 'next offset of each partition; null while the start is not yet a number';
COMMENT ON COLUMN feldera.kafka_position.end_offset IS 'where the backfill ends, for a connector with enable.partition.eof';
COMMENT ON COLUMN feldera.kafka_position.declared_low IS 'low watermark right after the declaration';
COMMENT ON COLUMN feldera.kafka_position.declared_high IS 'high watermark right after the declaration';
COMMENT ON COLUMN feldera.kafka_position.offsets_lost IS 'passed over unread, because their records had expired';

CREATE TABLE feldera.delta_position (
	connector_id bigint PRIMARY KEY REFERENCES feldera.connector ON DELETE CASCADE,
	start_version bigint,
	backfill_end_version bigint,
	next_version bigint,
	commit_identity text,
	schema_json text,
	has_snapshot boolean NOT NULL,
	files_total bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE feldera.delta_position IS 'pinned version and next version to follow of each Delta table';
COMMENT ON COLUMN feldera.delta_position.commit_identity IS 'of the last commit passed, to notice that the log was rewritten';
COMMENT ON COLUMN feldera.delta_position.schema_json IS 'table schema and protocol at the pin';

-- The file plan of a snapshot: resuming reads it, never the log again.
CREATE TABLE feldera.delta_file (
	connector_id bigint NOT NULL REFERENCES feldera.connector ON DELETE CASCADE,
	file_number bigint NOT NULL,
	next_row bigint NOT NULL DEFAULT 0,
	rows_read bigint NOT NULL DEFAULT 0,
	rows_masked bigint NOT NULL DEFAULT 0,
	record_count bigint,
	size bigint NOT NULL,
	done boolean NOT NULL DEFAULT false,
	action text NOT NULL,
	PRIMARY KEY (connector_id, file_number)
) WITH (fillfactor = 70);
COMMENT ON TABLE feldera.delta_file IS 'files of the pinned snapshot with the next row of each';
COMMENT ON COLUMN feldera.delta_file.rows_masked IS 'rows passed that the deletion vector hides';
COMMENT ON COLUMN feldera.delta_file.action IS 'the add action of the table''s log';

CREATE TABLE feldera.datagen_position (
	connector_id bigint NOT NULL REFERENCES feldera.connector ON DELETE CASCADE,
	plan integer NOT NULL,
	next_row bigint NOT NULL,
	seed numeric(20, 0) NOT NULL,
	PRIMARY KEY (connector_id, plan)
) WITH (fillfactor = 20);
COMMENT ON TABLE feldera.datagen_position IS 'next row of each plan of a generator';

CREATE SEQUENCE feldera.rejected_record_id_seq AS bigint;
COMMENT ON SEQUENCE feldera.rejected_record_id_seq IS 'identities of rejected records';

-- Kept when the connector is dropped, hence its name and owner and no foreign key.
CREATE TABLE feldera.rejected_record (
	id bigint PRIMARY KEY DEFAULT nextval('feldera.rejected_record_id_seq'),
	connector_id bigint NOT NULL,
	connector text COLLATE "C" NOT NULL,
	owner regrole NOT NULL,
	rejected_at timestamptz NOT NULL DEFAULT now(),
	topic text COLLATE "C",
	partition integer,
	record_offset bigint,
	file text COLLATE "C",
	plan integer,
	row_number bigint,
	record_number bigint,
	key bytea,
	payload bytea,
	sqlstate text NOT NULL,
	error text NOT NULL,
	column_name text,
	constraint_name text,
	attempts integer NOT NULL
);
ALTER SEQUENCE feldera.rejected_record_id_seq OWNED BY feldera.rejected_record.id;
CREATE INDEX rejected_record_rejected_at_index ON feldera.rejected_record (rejected_at);
COMMENT ON TABLE feldera.rejected_record IS 'records that could not be stored, with their source position and error';
COMMENT ON COLUMN feldera.rejected_record.key IS 'of the message; only with the first rejected record of a message, null with the others';
COMMENT ON COLUMN feldera.rejected_record.payload IS 'the whole message; only with the first rejected record of a message, null with the others, which have the same topic, partition and record_offset';
COMMENT ON INDEX feldera.rejected_record_rejected_at_index IS 'for trimming by feldera_ingest.rejected_retention';

CREATE SEQUENCE feldera.history_id_seq AS bigint;
COMMENT ON SEQUENCE feldera.history_id_seq IS 'order of history rows';

CREATE TABLE feldera.state_change (
	id bigint PRIMARY KEY DEFAULT nextval('feldera.history_id_seq'),
	occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	connector_id bigint NOT NULL,
	connector text COLLATE "C" NOT NULL,
	owner regrole NOT NULL,
	state text NOT NULL,
	phase text,
	details jsonb
);
ALTER SEQUENCE feldera.history_id_seq OWNED BY feldera.state_change.id;
CREATE INDEX state_change_occurred_at_index ON feldera.state_change (occurred_at);
COMMENT ON TABLE feldera.state_change IS 'a row for each change of a connector''s state or phase';
COMMENT ON INDEX feldera.state_change_occurred_at_index IS 'for trimming by feldera_ingest.history_retention';

-- A dump carries connectors and positions; they come back not adopted.
SELECT pg_extension_config_dump('feldera.connector', '');
SELECT pg_extension_config_dump('feldera.connector_id_seq', '');
SELECT pg_extension_config_dump('feldera.progress', '');
SELECT pg_extension_config_dump('feldera.status', '');
SELECT pg_extension_config_dump('feldera.kafka_position', '');
SELECT pg_extension_config_dump('feldera.delta_position', '');
SELECT pg_extension_config_dump('feldera.delta_file', '');
SELECT pg_extension_config_dump('feldera.datagen_position', '');
SELECT pg_extension_config_dump('feldera.rejected_record', '');
SELECT pg_extension_config_dump('feldera.rejected_record_id_seq', '');
SELECT pg_extension_config_dump('feldera.state_change', '');
SELECT pg_extension_config_dump('feldera.history_id_seq', '');

------------------------------------------------------------------------------------------
-- Functions for users
------------------------------------------------------------------------------------------

CREATE FUNCTION feldera.create_connectors(target regclass, connectors jsonb) RETURNS SETOF text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_create_connectors';
COMMENT ON FUNCTION feldera.create_connectors(regclass, jsonb) IS
	'declare connectors of a table: a JSON array of connector objects, or one object; returns their names';

CREATE FUNCTION feldera.create_connector(target regclass, connector jsonb) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_create_connector';
COMMENT ON FUNCTION feldera.create_connector(regclass, jsonb) IS
	'declare one connector of a table; returns its name';

CREATE FUNCTION feldera.alter_connector(connector text, patch jsonb) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_alter_connector';
COMMENT ON FUNCTION feldera.alter_connector(text, jsonb) IS
	'change a connector by a JSON merge patch (RFC 7396): null takes a key away';

CREATE FUNCTION feldera.drop_connector(connector text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_drop_connector';
COMMENT ON FUNCTION feldera.drop_connector(text) IS
	'forget a connector and its position; the rows and its rejected records stay';

CREATE FUNCTION feldera.pause_connector(connector text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_pause_connector';
COMMENT ON FUNCTION feldera.pause_connector(text) IS
	'stop a connector until start_connector; once this commits none of its rows appear any more';

CREATE FUNCTION feldera.start_connector(connector text, skip_start_after boolean DEFAULT false) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_start_connector';
COMMENT ON FUNCTION feldera.start_connector(text, boolean) IS
	'lift a pause or a failure; with skip_start_after do not wait for labels either';

CREATE FUNCTION feldera.reset_connector(connector text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_reset_connector';
COMMENT ON FUNCTION feldera.reset_connector(text) IS
	'forget position and completion of a paused connector; the rows stay';

CREATE FUNCTION feldera.set_offset(connector text, topic text, partition integer, next_offset bigint) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_set_offset';
COMMENT ON FUNCTION feldera.set_offset(text, text, integer, bigint) IS
	'set the next Kafka offset of a paused connector';

CREATE PROCEDURE feldera.wait_for(name text, timeout interval DEFAULT NULL)
	LANGUAGE C AS 'MODULE_PATHNAME', 'feldera_wait_for';
COMMENT ON PROCEDURE feldera.wait_for(text, interval) IS
	'wait until the backfill of a connector, or of all connectors with a label, is complete';

CREATE FUNCTION feldera.adopt() RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'feldera_adopt';
COMMENT ON FUNCTION feldera.adopt() IS
	'let a restored or cloned database start its connectors; returns how many were adopted';

------------------------------------------------------------------------------------------
-- Functions for the views
------------------------------------------------------------------------------------------

CREATE FUNCTION feldera.live_workers(
	OUT connector_id bigint, OUT pid integer, OUT state text, OUT phase text, OUT doing text,
	OUT rows_processed bigint, OUT bytes_processed bigint, OUT rows_total bigint, OUT bytes_total bigint,
	OUT rows_per_second double precision, OUT lag bigint, OUT lag_seconds double precision,
	OUT last_commit_at timestamptz, OUT error text, OUT error_at timestamptz) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'feldera_live_workers';
COMMENT ON FUNCTION feldera.live_workers() IS 'workers of this database, from shared memory';

CREATE FUNCTION feldera.live_watermarks(
	OUT connector_id bigint, OUT topic text, OUT partition integer,
	OUT low_watermark bigint, OUT high_watermark bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'feldera_live_watermarks';
COMMENT ON FUNCTION feldera.live_watermarks() IS 'watermarks that the running Kafka workers of this database saw last';

-- A view checks EXECUTE on its functions against the role that reads it, so the functions that
-- follow are granted to all.  Each shows a role only what the views show it, and without USAGE on
-- the schema nobody can name them.

CREATE FUNCTION feldera.visible_workers(
	OUT connector_id bigint, OUT pid integer, OUT state text, OUT phase text, OUT doing text,
	OUT rows_processed bigint, OUT bytes_processed bigint, OUT rows_total bigint, OUT bytes_total bigint,
	OUT rows_per_second double precision, OUT lag bigint, OUT lag_seconds double precision,
	OUT last_commit_at timestamptz, OUT error text, OUT error_at timestamptz) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'feldera_visible_workers';
COMMENT ON FUNCTION feldera.visible_workers() IS 'the live workers whose connectors the current role may see';

CREATE FUNCTION feldera.visible_watermarks(
	OUT connector_id bigint, OUT topic text, OUT partition integer,
	OUT low_watermark bigint, OUT high_watermark bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'feldera_visible_watermarks';
COMMENT ON FUNCTION feldera.visible_watermarks() IS 'the live watermarks whose connectors the current role may see';

CREATE FUNCTION feldera.inactive_reason(OUT reason text, OUT hint text) RETURNS record
	LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'feldera_inactive_reason';
COMMENT ON FUNCTION feldera.inactive_reason() IS 'why this server runs no connectors, null where it does';

CREATE FUNCTION feldera.is_adopted(adopted boolean, database_oid oid, system_identifier bigint) RETURNS boolean
	LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'feldera_is_adopted';
COMMENT ON FUNCTION feldera.is_adopted(boolean, oid, bigint) IS
	'whether a connector was declared or adopted in this very database';

CREATE FUNCTION feldera.redact(transport text, config jsonb) RETURNS jsonb
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'feldera_redact';
COMMENT ON FUNCTION feldera.redact(text, jsonb) IS 'a connector''s configuration with *** for each secret';

------------------------------------------------------------------------------------------
-- Views.  Members of a connector's owner see it; pg_monitor sees all but payloads and
-- configuration.
------------------------------------------------------------------------------------------

CREATE VIEW feldera.connectors WITH (security_barrier) AS
SELECT
	c.name AS connector,
	c.relid,
	c.transport,
	c.owner,
	CASE
		WHEN s.state IN ('failed', 'finished') THEN s.state
		WHEN i.reason IS NOT NULL OR NOT feldera.is_adopted(c.adopted, c.database_oid, c.system_identifier) THEN 'inactive'
		WHEN s.state = 'paused' THEN s.state
		ELSE coalesce(w.state, s.state)
	END AS state,
	coalesce(w.phase, s.phase) AS phase,
	wait.labels AS waiting_for,
	wait.holders AS held_by,
	p.rows_processed,
	coalesce(w.rows_total, p.rows_total) AS rows_total,
	p.bytes_processed,
	coalesce(w.bytes_total, p.bytes_total) AS bytes_total,
	w.rows_per_second,
	CASE
		WHEN p.backfill_completed_at IS NULL AND w.rows_per_second > 0
		THEN now() + make_interval(secs => least(
			greatest(coalesce(w.rows_total, p.rows_total) - p.rows_processed - p.rows_rejected, 0) / w.rows_per_second,
			1e9))
	END AS estimated_end,
	w.lag,
	w.lag_seconds,
	p.deletes_unmatched,
	p.updates_unmatched,
	p.rows_rejected,
	p.backfill_completed_at,
	coalesce(w.last_commit_at, p.last_commit_at) AS last_commit_at,
	coalesce(s.error, w.error) AS error,
	CASE
		WHEN s.state IN ('failed', 'finished') THEN s.hint
		WHEN i.reason IS NOT NULL THEN i.hint
		WHEN NOT feldera.is_adopted(c.adopted, c.database_oid, c.system_identifier)
		THEN 'Call feldera.adopt() if this database, not the one it was copied from, is to run its connectors.'
		ELSE coalesce(s.hint, wait.hint)
	END AS hint,
	coalesce(s.error_at, w.error_at) AS error_at,
	s.retry_at,
	w.pid,
	c.connector_id,
	c.run_as,
	c.labels,
	c.start_after,
	c.paused,
	c.declared_at,
	c.released_at,
	s.changed_at AS state_changed_at,
	s.sqlstate,
	s.retries,
	p.crash_marks,
	p.source_identity,
	p.messages_passed_over,
	w.doing,
	CASE WHEN pg_has_role(c.owner, 'MEMBER') THEN feldera.redact(c.transport, c.config) END AS config
FROM feldera.connector c
	JOIN feldera.progress p USING (connector_id)
	JOIN feldera.status s USING (connector_id)
	CROSS JOIN feldera.inactive_reason() i
	LEFT JOIN feldera.visible_workers() w USING (connector_id)
	LEFT JOIN LATERAL (
		SELECT
			array_agg(DISTINCT l.label) AS labels,
			array_agg(DISTINCT h.name::text) FILTER (WHERE h.name IS NOT NULL) AS holders,
			'Held by ' || string_agg(DISTINCT format('%s, which is %s', h.name, hs.state), '; ')
				FILTER (WHERE hs.state IN ('paused', 'failed')) || '.' AS hint
		FROM unnest(c.start_after) AS l (label)
			LEFT JOIN (feldera.connector h
				JOIN feldera.progress hp ON hp.connector_id = h.connector_id AND hp.backfill_completed_at IS NULL
				JOIN feldera.status hs ON hs.connector_id = h.connector_id) ON l.label = ANY (h.labels)
		WHERE h.name IS NOT NULL
			OR NOT EXISTS (SELECT FROM feldera.connector carrier WHERE l.label = ANY (carrier.labels))
	) wait ON c.released_at IS NULL
WHERE pg_has_role(c.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.connectors IS 'connectors with their state, progress, lag and last error';

CREATE VIEW feldera.kafka_offsets WITH (security_barrier) AS
SELECT
	c.name AS connector,
	k.topic,
	k.partition,
	k.start_offset,
	k.next_offset,
	coalesce(w.low_watermark, k.declared_low) AS low_watermark,
	coalesce(w.high_watermark, k.declared_high) AS high_watermark,
	CASE
		WHEN coalesce(w.high_watermark, k.declared_high) > k.next_offset
		THEN coalesce(w.high_watermark, k.declared_high) - k.next_offset
		WHEN coalesce(w.high_watermark, k.declared_high) <= k.next_offset
		THEN 0
	END AS lag,
	k.end_offset,
	k.declared_low AS declared_low_watermark,
	k.declared_high AS declared_high_watermark,
	k.offsets_lost
FROM feldera.kafka_position k
	JOIN feldera.connector c USING (connector_id)
	LEFT JOIN feldera.visible_watermarks() w USING (connector_id, topic, partition)
WHERE pg_has_role(c.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.kafka_offsets IS 'next offset, watermarks and lag of each partition';

CREATE VIEW feldera.delta_positions WITH (security_barrier) AS
SELECT
	c.name AS connector,
	feldera.redact(c.transport, c.config) #>> '{transport,config,uri}' AS uri,
	p.source_identity AS table_id,
	d.start_version,
	d.backfill_end_version,
	d.next_version,
	f.files_done,
	d.files_total,
	f.rows_read,
	f.rows_masked
FROM feldera.delta_position d
	JOIN feldera.connector c USING (connector_id)
	JOIN feldera.progress p USING (connector_id)
	CROSS JOIN LATERAL (
		SELECT
			count(*) FILTER (WHERE done) AS files_done,
			coalesce(sum(rows_read), 0)::bigint AS rows_read,
			coalesce(sum(rows_masked), 0)::bigint AS rows_masked
		FROM feldera.delta_file
		WHERE delta_file.connector_id = d.connector_id
	) f
WHERE pg_has_role(c.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.delta_positions IS 'pinned version, files done and next version of each Delta table';

CREATE VIEW feldera.datagen_positions WITH (security_barrier) AS
SELECT c.name AS connector, d.plan, d.next_row, d.seed
FROM feldera.datagen_position d
	JOIN feldera.connector c USING (connector_id)
WHERE pg_has_role(c.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.datagen_positions IS 'next row of each plan of a generator';

CREATE VIEW feldera.rejected_records WITH (security_barrier) AS
SELECT
	r.id,
	r.connector,
	r.rejected_at,
	r.topic,
	r.partition,
	r.record_offset,
	r.file,
	r.row_number,
	r.record_number,
	CASE WHEN pg_has_role(r.owner, 'MEMBER') THEN r.key END AS key,
	CASE WHEN pg_has_role(r.owner, 'MEMBER') THEN r.payload END AS payload,
	r.sqlstate,
	r.error,
	r.column_name,
	r.constraint_name,
	r.attempts,
	r.plan,
	r.connector_id
FROM feldera.rejected_record r
WHERE pg_has_role(r.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.rejected_records IS 'records that could not be stored, with their source position and error';
COMMENT ON COLUMN feldera.rejected_records.key IS 'of the message; only with the first rejected record of a message, null with the others';
COMMENT ON COLUMN feldera.rejected_records.payload IS 'the whole message; only with the first rejected record of a message, null with the others, which have the same topic, partition and record_offset';

CREATE VIEW feldera.history WITH (security_barrier) AS
SELECT h.occurred_at, h.connector, h.state, h.phase, h.details, h.connector_id, h.id
FROM feldera.state_change h
WHERE pg_has_role(h.owner, 'MEMBER') OR pg_has_role('pg_monitor', 'MEMBER');
COMMENT ON VIEW feldera.history IS 'a row for each change of a connector''s state or phase';

------------------------------------------------------------------------------------------
-- Adoption: what COPY, pg_restore or an administrator's INSERT brings does not start by itself.
------------------------------------------------------------------------------------------

CREATE FUNCTION feldera.connector_before_insert() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'feldera_connector_before_insert';
COMMENT ON FUNCTION feldera.connector_before_insert() IS 'a connector that was not declared here is not adopted';

CREATE TRIGGER connector_before_insert BEFORE INSERT ON feldera.connector
	FOR EACH ROW EXECUTE FUNCTION feldera.connector_before_insert();
COMMENT ON TRIGGER connector_before_insert ON feldera.connector IS 'a connector that was not declared here is not adopted';

------------------------------------------------------------------------------------------
-- Secrets live in the user mappings of a server of this wrapper.
------------------------------------------------------------------------------------------

CREATE FUNCTION feldera.feldera_ingest_validator(options text[], catalog oid) RETURNS void
	LANGUAGE C STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'feldera_ingest_validator';
COMMENT ON FUNCTION feldera.feldera_ingest_validator(text[], oid) IS 'checks options of servers and user mappings';

CREATE FOREIGN DATA WRAPPER feldera_ingest NO HANDLER VALIDATOR feldera.feldera_ingest_validator;
COMMENT ON FOREIGN DATA WRAPPER feldera_ingest IS
	'servers whose user mappings hold the secrets that a connector names by "secret"';

------------------------------------------------------------------------------------------
-- Rights: nothing to PUBLIC but the functions that the views call.
------------------------------------------------------------------------------------------

REVOKE ALL ON SCHEMA feldera FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA feldera FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA feldera FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA feldera FROM PUBLIC;
REVOKE ALL ON FOREIGN DATA WRAPPER feldera_ingest FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
	feldera.visible_workers(), feldera.visible_watermarks(), feldera.inactive_reason(),
	feldera.is_adopted(boolean, oid, bigint), feldera.redact(text, jsonb)
	TO PUBLIC;

GRANT USAGE ON SCHEMA feldera TO pg_monitor;
GRANT SELECT ON
	feldera.connectors, feldera.kafka_offsets, feldera.delta_positions, feldera.datagen_positions,
	feldera.rejected_records, feldera.history
	TO pg_monitor;
