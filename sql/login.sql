-- Below version 17 a worker's role must be allowed to log in.
CREATE EXTENSION feldera_ingest;
CREATE ROLE regress_group NOLOGIN;
CREATE TABLE grouped (i integer);
ALTER TABLE grouped OWNER TO regress_group;
CREATE FUNCTION message_of(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;
SELECT message_of($$SELECT feldera.create_connector('grouped', '{}')$$) =
	CASE WHEN current_setting('server_version_num')::integer < 170000
		THEN 'role "regress_group" cannot run a connector, because it is not permitted to log in'
		ELSE '$.transport: missing' END AS as_expected;
