# The target is written by SQL: triggers, partitions, generated and identity columns, views, foreign tables, row security
# and every kind of type do what they always do. DDL is noticed; a target that cannot work is refused with a hint.

use strict;
use warnings;

use FelderaIngest::Apply;
use Test::More;

my $apply = FelderaIngest::Apply->new('apply_targets');

# ---- types --------------------------------------------------------------------------------------------------------------

$apply->sql(<<'EOC');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN filled AS text NOT NULL;
CREATE TYPE pair AS (x int, y text);
CREATE TABLE types (n int, b bool, i2 int2, i8 int8, f4 float4, f8 float8, num numeric, num52 numeric(5,2), t text, v varchar(5),
	c char(5), by bytea, u uuid, d date, tm time(3), ts timestamp(0), tz timestamptz, iv interval, js json, jb jsonb,
	ia int[], ta text[], m mood, p positive, r pair, ip inet, nm name, "char" "char", rg int4range, bp bpchar);
EOC
is( $apply->run('types', <<'EOC'), '2/0/0/0', 'every kind of type');
[{"insert": {"n": 1, "b": true, "i2": -3, "i8": 9223372036854775807, "f4": 0.1, "f8": 1.5e10, "num": 12345678901234567890.123456789,
 "num52": 1.005, "t": "ä€😀", "v": "abc", "c": "ab", "by": "\\x00ff", "u": "00000000-0000-0000-0000-0000000000ff", "d": "2024-02-29", "tm": "12:34:56.7891",
 "ts": "2024-02-29 12:34:56.7", "tz": "2024-02-29T12:34:56Z", "iv": "1 day 02:00", "js": "{\"a\":  1}", "jb": "{\"b\":1,\"a\":  [1, 2]}", "ia": "{1,NULL,3}",
 "ta": "{\"a b\",c}", "m": "happy", "p": 5, "r": "(1,abc)", "ip": "10.0.0.1/8", "nm": "name", "char": "x", "rg": "[1,5]", "bp": "ab  "}},
 {"insert": {"n": 2}}]
EOC
is( $apply->sql("SET timezone = 'UTC'; SELECT to_jsonb(types) FROM types WHERE n = 1"),
	'{"b": true, "c": "ab   ", "d": "2024-02-29", "m": "happy", "n": 1, "p": 5, "r": {"x": 1, "y": "abc"}, "t": "ä€😀", "u": "00000000-0000-0000-0000-0000000000ff", "v": "abc", '
	  . '"bp": "ab  ", "by": "\\\\x00ff", "f4": 0.1, "f8": 15000000000, "i2": -3, "i8": 9223372036854775807, "ia": [1, null, 3], "ip": "10.0.0.1/8", "iv": "1 day 02:00:00", "jb": {"a": [1, 2], "b": 1}, '
	  . '"js": {"a": 1}, "nm": "name", "rg": "[1,6)", "ta": ["a b", "c"], "tm": "12:34:56.789", "ts": "2024-02-29T12:34:57", "tz": "2024-02-29T12:34:56+00:00", "num": 12345678901234567890.123456789, '
	  . '"char": "x", "num52": 1.01}', 'their values');
is($apply->sql("SELECT num_nulls(VARIADIC array_agg(value)) FROM types, jsonb_each_text(to_jsonb(types)) WHERE n = 2"), '29', 'missing fields are NULL');

my @refused = (
	[ 'i2', '40000', '22003' ], [ 'i2', '"x"', '22P02' ], [ 'num52', '12345', '22003' ], [ 'v', '"abcdef"', '22001' ],
	[ 'c', '"abcdef"', '22001' ], [ 'by', '"\\\\xzz"', '22023' ], [ 'u', '"123"', '22P02' ], [ 'd', '"2023-02-29"', '22008' ],
	[ 'ts', '"tomorrowish"', '22007' ], [ 'js', '"{"', '22P02' ], [ 'jb', '"\\"\\\\u0000\\""', '22P05' ], [ 'ia', '"{1,x}"', '22P02' ],
	[ 'm', '"angry"', '22P02' ], [ 'p', '0', '23514' ], [ 'r', '"(x,y)"', '22P02' ], [ 'ip', '"10.0.0.999"', '22P02' ],
	[ 't', '"a\\u0000b"', '22021' ], [ 'f4', '1e50', '22003' ], [ 'b', '"maybe"', '22P02' ], [ 'rg', '"[5,1]"', '22000' ]);
for my $case (@refused)
{
	my ($column, $value, $state) = @$case;
	my %got = $apply->result('types', "[{\"insert\": {\"n\": 3}}, {\"insert\": {\"$column\": $value}}, {\"insert\": {\"n\": 4}}]");
	like(join(' ', $got{counts}, @{ $got{rejected} }), qr/^2\/0\/0\/0 1\|$state\|$column\|/, "$column $value is refused with $state, its neighbours are not");
}
$apply->sql('CREATE TABLE f (a int, b filled); CREATE TABLE g (a int, b filled DEFAULT $$x$$)');
is($apply->run('f', '[{"insert": {"a": 1, "b": null}}, {"insert": {"a": 2}}, {"insert": {"a": 3, "b": "y"}}]'), '1/0/0/0 0+23502+b 1+23502+b',
	'a domain that is NOT NULL refuses NULL and missing');
is($apply->run('g', '[{"insert": {"a": 2}}, {"insert": {"a": 3, "b": "y"}}]'), '2/0/0/0', 'unless the column has a default');

is($apply->sql("SELECT string_agg(name || ':' || form || ':' || precision || ':' || scale || ':' || length || ':' || fraction_digits || ':' || element, ' ' ORDER BY name) "
	  . "FROM apply_test.describe('types') WHERE name IN ('num', 'num52', 'v', 'c', 'bp', 'tm', 'ts', 'ia', 'm', 'p', 'iv', 'js')"),
	'bp:text:0:0:0:6: c:bpchar:0:0:5:6: ia:array:0:0:0:6:int4 iv:interval:0:0:0:6: js:json:0:0:0:6: m:input:0:0:0:6: num:numeric:0:0:0:6: num52:numeric:5:2:0:6: p:input:0:0:0:6: '
	  . 'tm:time:0:0:0:3: ts:timestamp:0:0:0:0: v:text:0:0:5:6:', 'the description for the threads');
$apply->sql('CREATE TABLE described (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Upper" int NOT NULL DEFAULT 1, gone int, g int GENERATED ALWAYS AS (2) STORED, s numeric(3,-2)[], '
	  . 'i interval hour, e mood[]); ALTER TABLE described DROP COLUMN gone');
is($apply->sql("SELECT string_agg(name || ':' || form || ':' || flags || ':' || element || ':' || type_name, ' ' ) FROM apply_test.describe('described')"),
	'id:int4:key notnull default ::integer Upper:int4:notnull default case ::integer g:int4:default generated ::integer s:array::numeric:numeric(3,-2)[] i:input:::interval hour e:array::input:mood[]',
	'flags, dropped columns, elements');

# ---- what the table does by itself --------------------------------------------------------------------------------------------

$apply->sql(<<'EOC');
CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (TG_OP || ' ' || TG_LEVEL); RETURN coalesce(NEW, OLD); END $$;
CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := NEW.a * 2; IF NEW.a = 8 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TABLE trig (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + 1) STORED);
CREATE TRIGGER double BEFORE INSERT ON trig FOR EACH ROW EXECUTE FUNCTION double();
CREATE TRIGGER note_row AFTER INSERT OR UPDATE OR DELETE ON trig FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_statement AFTER INSERT OR DELETE ON trig FOR EACH STATEMENT EXECUTE FUNCTION note();
EOC
is($apply->run('trig', '[{"insert": {"id": 1, "a": 1, "g": 99}}, {"insert": {"id": 2, "a": 4}}, {"insert": {"id": 3, "a": 5}}]'), '3/0/0/0', 'triggers and generated columns');
is($apply->run('trig', '[{"insert": {"id": 1, "a": 10}}, {"delete": {"id": 3}}, {"update": {"id": 1, "a": 7}}, {"delete": {"id": 9}}]'), '1/2/1/0', 'upsert, update, delete');
is($apply->sql('SELECT * FROM trig'), '1|14|15', 'the trigger doubled, swallowed, and the column was generated');
is($apply->sql("SELECT string_agg(n || ' ' || what, ', ' ORDER BY what) FROM (SELECT what, count(*) n FROM audit GROUP BY what) a"),
	'1 DELETE ROW, 1 DELETE STATEMENT, 2 INSERT ROW, 2 INSERT STATEMENT, 1 UPDATE ROW', 'each trigger ran as often as SQL says');

$apply->sql('CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int GENERATED BY DEFAULT AS IDENTITY, v text)');
is($apply->run('ident', '[{"insert": {"id": 77, "n": 5, "v": "x"}}, {"insert": {"id": 78, "v": "y"}}, {"insert": {"v": "z"}}]') . ' ' . $apply->run('ident', '[{"insert": {"v": "w"}}]'),
	'3/0/0/0 1/0/0/0', 'identity columns take the value, and make one where none is given');
is($apply->sql("SELECT string_agg(id || ' ' || n || ' ' || v, ', ' ORDER BY id) FROM ident"), '1 2 z, 2 3 w, 77 5 x, 78 1 y', 'their values');
$apply->sql('CREATE TABLE ident2 (k int PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY, v text)');
is($apply->run('ident2', '[{"insert": {"k": 1, "i": 50, "v": "x"}}]') . ' ' . $apply->run('ident2', '[{"insert": {"k": 1, "i": 51, "v": "y"}}, {"insert": {"k": 2, "i": 60, "v": "z"}}, {"update": {"k": 2, "i": 61}}]'),
	'1/0/0/0 2/0/1/0', 'an identity column that is always generated is set by an insert only');
is($apply->sql("SELECT string_agg(ident2::text, ' ' ORDER BY k) FROM ident2"), '(1,50,y) (2,61,z)', 'its values');

$apply->sql(<<'EOC');
CREATE TABLE part (k int, region text, v int, PRIMARY KEY (k, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (v int, region text NOT NULL, k int NOT NULL);
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
EOC
is($apply->run('part', '[{"insert": {"k": 1, "region": "a", "v": 1}}, {"insert": {"k": 1, "region": "b", "v": 2}}, {"insert": {"k": 1, "region": "z", "v": 3}}]'),
	'2/0/0/0 2+23514', 'partitions, one of another column order; a row that belongs to none');
is($apply->run('part', '[{"insert": {"k": 1, "region": "b", "v": 20}}, {"delete": {"k": 1, "region": "a"}}, {"update": {"k": 1, "region": "b", "v": 21}}]'), '1/1/1/0', 'upsert and delete in them');
is($apply->sql('SELECT tableoid::regclass, * FROM part'), 'part_b|1|b|21', 'what is in them');

$apply->sql(<<'EOC');
CREATE TABLE base (id int, v text);
CREATE VIEW plain AS SELECT id, v FROM base WHERE id < 10 WITH CHECK OPTION;
CREATE VIEW joined AS SELECT a.id FROM base a JOIN base b USING (id);
CREATE VIEW instead AS SELECT id + 0 AS id FROM base;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO base VALUES (NEW.id, 'instead'); RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION instead();
CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO base VALUES (NEW.id, 'rule');
EOC
is($apply->run('plain', '[{"insert": {"id": 1, "v": "x"}}, {"insert": {"id": 11}}]'), '1/0/0/0 1+44000', 'a view, with its check option');
is($apply->run('instead', '[{"insert": {"id": 2}}]') . $apply->run('ruled', '[{"insert": {"id": 3}}]'), '1/0/0/01/0/0/0', 'INSTEAD OF triggers and rules');
is($apply->sql("SELECT string_agg(base::text, ' ' ORDER BY id) FROM base"), '(1,x) (2,instead) (3,rule)', 'where the rows went');
like($apply->error('SELECT ' . $apply->call('plain', '[{"delete": {"id": 1}}]')), qr/^0A000: cannot delete single rows from view/, 'a view has no rows to tell apart');

# ---- targets that are refused ----------------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE late (id int PRIMARY KEY DEFERRABLE); CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a; CREATE SEQUENCE seq; '
	  . 'CREATE TABLE late2 (id int, PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED)');
for my $case (
	[ 'late', '55000: the primary key of table "late" is deferrable' ],
	[ 'late2', '55000: the primary key of table "late2" is deferrable' ],
	[ 'mv', '42809: cannot write rows into "mv"' ],
	[ 'seq', '42809: cannot write rows into "seq"' ],
	[ 'joined', '42809: cannot insert into "joined"' ])
{
	my ($target, $message) = @$case;
	is($apply->error('SELECT ' . $apply->call($target, '[]')), $message, "$target is no target");
	is($apply->error("SELECT apply_test.describe('$target')"), $message, "nor is it described");
}
is($apply->error("SELECT apply_test.run(999999999::oid::regclass, '[]')"), '42P01: target table with OID 999999999 does not exist', 'a table that is gone');


{
	$apply->sql('CREATE EXTENSION postgres_fdw');
	my $host = $apply->node->host;
	my $port = $apply->node->port;
	$apply->sql(<<"EOC");
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
CREATE TABLE remote (a int CHECK (a < 100), b text DEFAULT 'remote');
CREATE FOREIGN TABLE foreign_table (a int, b text DEFAULT 'local') SERVER loop OPTIONS (table_name 'remote');
INSERT INTO remote VALUES (1, 'x'), (1, 'x'), (2, NULL);
EOC
	is($apply->run('foreign_table', '[{"insert": {"a": 5}}, {"insert": {"a": 500, "b": "y"}}, {"delete": {"a": 1, "b": "x"}}, {"delete": {"a": 2, "b": null}}]'), '1/2/0/0 1+23514',
		'a foreign table');
	is($apply->sql("SELECT string_agg(remote::text, ' ' ORDER BY a) FROM remote"), '(1,x) (5,local)', 'its rows');
}

# ---- DDL while it is fed -------------------------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE ddl (id int PRIMARY KEY, v int, w text)');
my $feed = sub { my ($table, $changes) = @_; return '(SELECT inserted || \' \' || reopened FROM ' . $apply->call($table, $changes) . ")"; };
my $row = '[{"insert": {"id": 1, "v": 1, "w": "x"}}]';
my $got = $apply->sql('SELECT ' . $feed->('ddl', $row) . ";\nSELECT " . $feed->('ddl', $row) . ';'
	  . "ALTER TABLE ddl ADD COLUMN x int DEFAULT 3; SELECT " . $feed->('ddl', $row) . ';'
	  . "ALTER TABLE ddl ALTER v TYPE bigint; SELECT " . $feed->('ddl', $row) . ';'
	  . "ALTER TABLE ddl DROP COLUMN w; SELECT " . $feed->('ddl', $row) . ';'
	  . "ALTER TABLE ddl RENAME TO renamed; SELECT " . $feed->('renamed', $row) . ';'
	  . "ALTER TABLE renamed ADD CHECK (v < 10); SELECT " . $feed->('renamed', $row) . ';'
	  . "CREATE INDEX ON renamed (v); SELECT " . $feed->('renamed', $row) . ';'
	  . "CREATE TRIGGER note AFTER UPDATE ON renamed FOR EACH ROW EXECUTE FUNCTION note(); SELECT " . $feed->('renamed', $row) . ';'
	  . "ALTER TABLE renamed DROP CONSTRAINT ddl_pkey; SELECT " . $feed->('renamed', $row) . ';'
	  . "CREATE SCHEMA other; ALTER TABLE renamed SET SCHEMA other; SELECT " . $feed->('other.renamed', $row) . ';'
	  . "TRUNCATE other.renamed; SELECT " . $feed->('other.renamed', $row) . ';'
	  . "VACUUM FULL other.renamed; SELECT " . $feed->('other.renamed', $row) . ';');
is($got, join("\n", '1 false', '1 false', '1 true', '1 true', '1 true', '1 true', '1 false', '1 false', '1 false', '1 true', '1 true', '1 false', '1 false'),
	'DDL that matters is noticed, other DDL is not');
is($apply->sql('SELECT id, v, x FROM other.renamed'), "1|1|3\n1|1|3", 'the rows after all that');
like($apply->error('SELECT ' . $feed->('other.renamed', $row) . '; DO $$ DECLARE o oid := \'other.renamed\'::regclass; BEGIN DROP TABLE other.renamed; PERFORM apply_test.run(o, \'[]\'); END $$'),
	qr/^42P01: target table with OID \d+ does not exist/, 'a table dropped while it is open');

# ---- the plan of a join does not go stale --------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE grow (id int PRIMARY KEY, v int)');
my $touched = $apply->sql("SELECT 1 FROM " . $apply->call('grow', '[{"delete": {"id": 1}}, {"update": {"id": 2, "v": 1}}]') . ";\n"
	  . "INSERT INTO grow SELECT n, 0 FROM generate_series(1, 100000) n; SELECT pg_stat_force_next_flush() \\g /dev/null\n"
	  . "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'grow';\n"
	  . "SELECT deleted + updated FROM " . $apply->call('grow', "(SELECT '[' || string_agg(format('{\"%s\": {\"id\": %s, \"v\": 1}}', CASE n % 2 WHEN 0 THEN 'delete' ELSE 'update' END, n), ',') || ']' FROM generate_series(1, 5000) n)") . ";\n"
	  . "SELECT pg_stat_force_next_flush() \\g /dev/null\nSELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'grow'");
like($touched, qr/^1\n(\d+)\n5000\n\1$/, '5,000 changes by key never read the whole table');

# Reading the table once is fair without a key; sorting or hashing it, which needs temporary files here, is not.
$apply->sql("CREATE TABLE wide AS SELECT n AS a, n::text AS b, CASE WHEN n % 3 = 0 THEN NULL ELSE n END AS c FROM generate_series(1, 200000) n");
my $deletes = "(SELECT '[' || string_agg(format('{\"delete\": {\"a\": %s, \"b\": \"%s\", \"c\": %s}}', n, n, CASE WHEN n % 3 = 0 THEN 'null' ELSE n::text END), ',') || ']' FROM generate_series(100, 200000, 100) n)";
for my $analyzed ('not analyzed', 'analyzed')
{
	my $shift = $analyzed eq 'analyzed' ? 1 : 0;
	$apply->sql('ANALYZE wide') if $shift;
	my $files = "SELECT pg_stat_force_next_flush() \\g /dev/null\nSELECT temp_files FROM pg_stat_database WHERE datname = 'postgres';\n";
	my $changes = $deletes =~ s/n, n, CASE/n - $shift, n - $shift, CASE/r =~ s/WHEN n % 3/WHEN (n - $shift) % 3/r =~ s/ELSE n::text/ELSE (n - $shift)::text/r;
	my $found = $apply->sql("SET work_mem = '1MB';\n${files}SELECT deleted, unmatched FROM " . $apply->call('wide', $changes) . ";\n$files");
	like($found, qr/^(\d+)\n2000\|0\n\1$/, "2,000 deletes without key from a table that was $analyzed need no temporary files");
}

$apply->stop;
done_testing();
