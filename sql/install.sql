-- What CREATE EXTENSION brings, and who may use it.
CREATE SCHEMA feldera;
\set SHOW_CONTEXT never
CREATE EXTENSION feldera_ingest;
DROP SCHEMA feldera;
CREATE EXTENSION feldera_ingest;
SELECT extname, extversion, extnamespace::regnamespace, extrelocatable FROM pg_extension WHERE extname = 'feldera_ingest';

-- every object has a comment
SELECT pg_describe_object(classid, objid, 0)
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'feldera_ingest')
	AND obj_description(objid, classid::regclass::text) IS NULL
	AND classid <> 'pg_type'::regclass;

-- what PUBLIC may execute: only what the views call
SELECT p.oid::regprocedure AS granted_to_public
FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'feldera'::regnamespace AND a.grantee = 0
ORDER BY p.oid::regprocedure::text;
SELECT c.oid::regclass AS granted_to_public
FROM pg_class c CROSS JOIN aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relnamespace = 'feldera'::regnamespace AND c.relkind <> 'i' AND a.grantee = 0;
SELECT n.oid::regnamespace AS granted_to_public
FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
WHERE n.nspname = 'feldera' AND a.grantee = 0;
SELECT c.oid::regclass AS granted_to_pg_monitor, string_agg(a.privilege_type, ', ')
FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
WHERE c.relnamespace = 'feldera'::regnamespace AND a.grantee = 'pg_monitor'::regrole
GROUP BY c.oid ORDER BY c.oid::regclass::text;

-- the functions and the columns that others rely on
\pset format unaligned
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)
FROM pg_proc p
WHERE p.pronamespace = 'feldera'::regnamespace AND NOT has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text;
SELECT c.oid::regclass, string_agg(a.attname, ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'feldera'::regnamespace AND c.relkind = 'v'
GROUP BY c.oid ORDER BY c.oid::regclass::text;

\pset format aligned

-- all that a dump must carry
SELECT c.oid::regclass AS not_dumped
FROM pg_class c
WHERE c.relnamespace = 'feldera'::regnamespace AND c.relkind IN ('r', 'S')
	AND c.oid <> ALL (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'feldera_ingest');

DROP EXTENSION feldera_ingest;
SELECT count(*) FROM pg_namespace WHERE nspname = 'feldera';
