\echo Use "CREATE EXTENSION apply_test" to load this file. \quit

CREATE SCHEMA apply_test;

-- changes: [{"insert": {...}}, {"delete": {...}}, {"update": {...}}, {"bad": "message"}, ...]
-- provide: columns that the source has although no record gives them
CREATE FUNCTION apply_test.run(target regclass, changes text, reject_all boolean DEFAULT false,
	set_difference boolean DEFAULT false, provide text[] DEFAULT '{}',
	OUT inserted bigint, OUT deleted bigint, OUT updated bigint, OUT unmatched bigint, OUT rejected text[],
	OUT subtransactions bigint, OUT reopened boolean, OUT updates_unmatched bigint)
AS 'MODULE_PATHNAME', 'apply_test_run' LANGUAGE C;

-- How the target is described to the threads.
CREATE FUNCTION apply_test.describe(target regclass, OUT name text, OUT form text, OUT type_name text,
	OUT "precision" int, OUT scale int, OUT length int, OUT fraction_digits int, OUT flags text, OUT element text)
RETURNS SETOF record AS 'MODULE_PATHNAME', 'apply_test_describe' LANGUAGE C;

-- Rows of a query, read beforehand, applied in batches; the figures are of apply_batch alone.
CREATE FUNCTION apply_test.bench(target regclass, query text, batch_rows int, OUT row_count bigint,
	OUT wall_us double precision, OUT cpu_us double precision)
AS 'MODULE_PATHNAME', 'apply_test_bench' LANGUAGE C;

-- CPU microseconds of this process so far.
CREATE FUNCTION apply_test.cpu() RETURNS double precision AS 'MODULE_PATHNAME', 'apply_test_cpu' LANGUAGE C;

GRANT USAGE ON SCHEMA apply_test TO PUBLIC;
