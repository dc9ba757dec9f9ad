-- Below version 17 a worker's role must be allowed to log in.
CREATE EXTENSION feldera_ingest;
CREATE ROLE regress_group NOLOGIN;
CREATE TABLE grouped (i integer);
ALTER TABLE grouped OWNER TO regress_group;
SELECT feldera.create_connector('grouped', '{}');
