# Bad records never take good ones with them, cost few subtransactions, and come back with SQLSTATE, column and
# constraint; what is not a record's fault is raised and nothing is put away.

use strict;
use warnings;

use FelderaIngest::Apply;
use Test::More;

my $apply = FelderaIngest::Apply->new('apply_rejects');

# "count" inserts of {"id": n, "v": n}; what "bad" (an SQL condition on n) holds for gets "bad_value".
sub inserts
{
	my ($count, $bad, $bad_value, $verb) = @_;
	$verb ||= 'insert';
	return "(SELECT '[' || string_agg(format('{\"$verb\": {\"id\": %s, \"v\": %s}}', n, CASE WHEN $bad THEN '$bad_value' ELSE n::text END), ',' ORDER BY n) || ']' "
	  . "FROM generate_series(0, $count - 1) n)";
}

# ---- one constraint of each kind -------------------------------------------------------------------------------------------

$apply->sql(<<'EOC');
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE child (id int, p int NOT NULL CONSTRAINT to_parent REFERENCES parent, c int CONSTRAINT positive CHECK (c > 0), u int CONSTRAINT once UNIQUE, x int4range, CONSTRAINT apart EXCLUDE USING gist (x WITH &&));
EOC
is( $apply->run('child', <<'EOC'), '4/0/0/0 1+23503+to_parent 2+23502+p 3+23514+positive 5+23505+once 7+23P01+apart', 'FOREIGN KEY, NOT NULL, CHECK, UNIQUE, EXCLUDE');
[{"insert": {"id": 0, "p": 1, "c": 1, "u": 1, "x": "[1,2)"}}, {"insert": {"id": 1, "p": 7, "c": 1}}, {"insert": {"id": 2, "p": null}}, {"insert": {"id": 3, "p": 1, "c": 0}},
 {"insert": {"id": 4, "p": 2, "u": 2}}, {"insert": {"id": 5, "p": 2, "u": 1}}, {"insert": {"id": 6, "p": 2, "u": 6}}, {"insert": {"id": 7, "p": 2, "x": "[1,5)"}}, {"insert": {"id": 8, "p": 2}}]
EOC
is($apply->sql('SELECT string_agg(id::text, \' \' ORDER BY id) FROM child'), '0 4 6 8', 'the good ones');
is($apply->run('parent', '[{"delete": {"id": 1}}, {"delete": {"id": 3}}, {"insert": {"id": 4}}]'), '1/1/0/0 0+23503+to_parent', 'a delete that a foreign key forbids');

$apply->sql('CREATE TABLE big (id int PRIMARY KEY, v text); CREATE INDEX ON big (v); ALTER TABLE big ALTER v SET STORAGE PLAIN');
is($apply->run('big', "(SELECT format('[{\"insert\": {\"id\": 1, \"v\": \"x\"}}, {\"insert\": {\"id\": 2, \"v\": \"%s\"}}, {\"insert\": {\"id\": 3, \"v\": \"y\"}}]', repeat('0123456789', 500)))"),
	'2/0/0/0 1+54000+big_v_idx', 'an index row that is too large');

$apply->sql(<<'EOC');
CREATE TABLE raising (id int PRIMARY KEY, v int);
CREATE FUNCTION raising() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 13 THEN RAISE 'no %', NEW.v; END IF; IF NEW.v = 14 THEN RAISE 'own' USING ERRCODE = 'UU123'; END IF;
	IF NEW.v = 15 THEN PERFORM 1 / (NEW.v - 15); END IF; IF NEW.v = 16 THEN PERFORM no_such_function(); END IF; IF NEW.v = 17 THEN RAISE 'again' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
CREATE TRIGGER raising BEFORE INSERT ON raising FOR EACH ROW EXECUTE FUNCTION raising();
EOC
is($apply->run('raising', '[{"insert": {"id": 1, "v": 1}}, {"insert": {"id": 2, "v": 13}}, {"insert": {"id": 3, "v": 15}}, {"insert": {"id": 4, "v": 4}}]'), '2/0/0/0 1+P0001 2+22012', 'a trigger that raises');
like($apply->error('SELECT ' . $apply->call('raising', "[{\"insert\": {\"id\": 5, \"v\": 5}}, {\"insert\": {\"id\": 6, \"v\": $_->[0]}}]")), qr/^$_->[1]/, "$_->[1] is raised as it was")
  for [ 14, 'UU123: own' ], [ 16, '42883: function no_such_function\(\) does not exist' ], [ 17, '40001: again' ];
is($apply->sql('SELECT string_agg(id::text, \' \' ORDER BY id) FROM raising'), '1 4', 'and nothing of those batches is in');

# ---- deferred constraints fail inside --------------------------------------------------------------------------------------------

$apply->sql(<<'EOC');
CREATE TABLE dp (id int PRIMARY KEY);
CREATE TABLE dc (id int PRIMARY KEY, p int CONSTRAINT later REFERENCES dp DEFERRABLE INITIALLY DEFERRED, n int, CONSTRAINT unique_later UNIQUE (n) DEFERRABLE INITIALLY DEFERRED,
	up int CONSTRAINT self REFERENCES dc DEFERRABLE INITIALLY DEFERRED);
INSERT INTO dp VALUES (1);
EOC
is($apply->run('dc', '[{"insert": {"id": 1, "p": 1, "n": 1}}, {"insert": {"id": 2, "p": 2}}, {"insert": {"id": 3, "p": 1, "n": 1}}, {"insert": {"id": 4, "p": 1, "up": 9}}, {"insert": {"id": 5, "p": 1, "n": 5}}]'),
	'2/0/0/0 1+23503+later 2+23505+unique_later 3+23503+self', 'deferred foreign keys and unique constraints');
is($apply->run('dc', '[{"insert": {"id": 6, "n": 1}}, {"delete": {"id": 1}}, {"insert": {"id": 7, "n": 5}}, {"insert": {"id": 5, "n": 7}}, {"insert": {"id": 8, "p": 77}}]'), '3/1/0/0 4+23503+later',
	'the order inside a batch does not matter to them, before and after a bad record');
$apply->sql('TRUNCATE dc; INSERT INTO dc (id, up) VALUES (1, NULL), (2, 1)');
is($apply->sql("BEGIN; SELECT 1 FROM " . $apply->call('dc', '[{"insert": {"id": 20, "up": 1}}]') . '; SELECT inserted, deleted, rejected, subtransactions FROM '
	  . $apply->call('dc', '[{"delete": {"id": 1}}, {"insert": {"id": 2, "up": 21}}, {"insert": {"id": 20, "up": 21}}, {"insert": {"id": 21}}]') . '; COMMIT'), "1\n3|1|{}|2", 'nor in the second batch of a transaction');

# A bad record must not split what goes in together.
$apply->sql('CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, v int CHECK (v > 0))');
my $chain = "(SELECT '[' || string_agg(format('{\"insert\": {\"id\": %s, \"up\": %s, \"v\": %s}}', n, CASE WHEN n = 20 THEN 'null' WHEN n = 7 THEN '99' ELSE (n + 1)::text END, CASE WHEN n = 13 THEN 0 ELSE 1 END), ',' ORDER BY n) || ']' FROM generate_series(1, 20) n)";
is($apply->run('tree', $chain), '7/0/0/0 ' . join(' ', map { "$_+23503+tree_up_fkey" } 0 .. 11) . ' 12+23514+tree_v_check',
	'children before their parents, and a bad one among them');

# ---- privileges and row security -----------------------------------------------------------------------------------------------------

$apply->sql(<<'EOC');
CREATE ROLE owner; GRANT CREATE ON SCHEMA public TO owner;
SET ROLE owner;
CREATE TABLE rls (id int PRIMARY KEY, v int); ALTER TABLE rls ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY small ON rls USING (v < 100); CREATE TABLE bag (id int, v int); ALTER TABLE bag ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY small ON bag USING (v < 100);
EOC
sub as_owner { return "SET ROLE owner; SELECT concat_ws(' ', inserted, deleted, updated, unmatched, rejected) FROM " . $apply->call(@_); }
is($apply->sql(as_owner('rls', '[{"insert": {"id": 1, "v": 1}}, {"insert": {"id": 2, "v": 200}}, {"insert": {"id": 3, "v": 3}}]')),
	'2 0 0 0 {"1|42501|||new row violates row-level security policy for table \"rls\""}', 'a row that row security refuses');
$apply->sql('INSERT INTO bag VALUES (1, 1), (2, 200)');
is($apply->sql(as_owner('bag', '[{"delete": {"id": 1, "v": 1}}, {"delete": {"id": 2, "v": 200}}, {"insert": {"id": 3, "v": 300}}]')),
	'0 1 0 1 {"2|42501|||new row violates row-level security policy for table \"bag\""}', 'rows that it hides are not there');
$apply->sql('REVOKE INSERT ON rls FROM owner');
like($apply->error(as_owner('rls', '[{"insert": {"id": 4, "v": 1}}]')), qr/^42501: permission denied for table rls/, 'INSERT revoked: raised, nothing is put away');
like($apply->error(as_owner('rls', inserts(300, 'false', ''), reject_all => 'true')), qr/^42501: permission denied for table rls/, 'not even where everything is to be rejected');
$apply->sql('GRANT INSERT ON rls TO owner; REVOKE DELETE, UPDATE ON rls FROM owner');
like($apply->error(as_owner('rls', "[{\"$_\": {\"id\": 1, \"v\": 2}}]")), qr/^42501: permission denied for table rls/, "$_ without its privilege") for 'delete', 'update', 'insert';
$apply->sql('CREATE TABLE secret (a int); CREATE FUNCTION reading() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM a FROM secret; RETURN NEW; END $$; '
	  . 'CREATE TRIGGER reading BEFORE INSERT ON bag FOR EACH ROW EXECUTE FUNCTION reading()');
like($apply->error(as_owner('bag', '[{"insert": {"id": 1, "v": 1}}]')), qr/^42501: permission denied for table secret/, 'a privilege that a trigger lacks is no row security');

# ---- what bad records cost --------------------------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE plain (id int, v int CHECK (v >= 0)); CREATE TABLE keyed (id int PRIMARY KEY, v int CHECK (v >= 0))');
for my $table ('plain', 'keyed')
{
	for my $place (0, 1, 4999, 5000, 6789, 9999)
	{
		$apply->sql("TRUNCATE $table");
		my %got = $apply->result($table, inserts(10_000, "n = $place", '-1'));
		is("$got{counts} @{ $got{rejected} }", "9999/0/0/0 $place|23514||${table}_v_check|new row for relation \"$table\" violates check constraint \"${table}_v_check\"",
			"$table: record $place of 10,000 is bad");
		cmp_ok($got{subtransactions}, '<=', 30, "$table: found with $got{subtransactions} subtransactions");
		cmp_ok($got{subtransactions}, '<=', 17, "$table: half of that at the end") if $place == 9999;
		is($apply->sql("SELECT count(*), sum(id) FROM $table"), '9999|' . (49995000 - $place), "$table: the others are in");
	}
}
$apply->sql('CREATE TABLE linked (id int PRIMARY KEY, v int REFERENCES linked DEFERRABLE INITIALLY DEFERRED)');
for my $place (0, 5000, 9999)
{
	$apply->sql('TRUNCATE linked');
	my %got = $apply->result('linked', inserts(10_000, "n = $place", '12345'));
	is($got{counts}, '9999/0/0/0', "a foreign key that record $place breaks");
	cmp_ok($got{subtransactions}, '<=', 30, "found with $got{subtransactions} subtransactions");
}
$apply->sql('TRUNCATE plain');
my %got = $apply->result('plain', inserts(10_000, 'n % 100 = 7', '-1'));
is("$got{counts} " . scalar(@{ $got{rejected} }), '9900/0/0/0 100', '100 bad ones among 10,000');
cmp_ok($got{subtransactions}, '<', 2000, "found with $got{subtransactions} subtransactions");
$apply->sql('TRUNCATE plain');
%got = $apply->result('plain', inserts(10_000, 'n = 5000', '"x"'));
is("$got{counts} @{ $got{rejected} }", '9999/0/0/0 5000|22P02|v||invalid input syntax for type integer: "x"', 'a value that is none');
cmp_ok($got{subtransactions}, '<=', 3, "costs $got{subtransactions} subtransactions");

# ---- the changes of a refused key, one by one ----------------------------------------------------------------------------------------------

$apply->sql('TRUNCATE keyed');
is($apply->run('keyed', '[{"insert": {"id": 1, "v": 1}}, {"insert": {"id": 2, "v": 2}}, {"insert": {"id": 1, "v": -1}}, {"update": {"id": 2, "v": -2}}, {"insert": {"id": 3, "v": -3}}, {"insert": {"id": 3, "v": 3}}]'),
	'4/0/0/0 2+23514+keyed_v_check 3+23514+keyed_v_check', 'what the survivor of a key is refused for');
is($apply->sql("SELECT string_agg(keyed::text, ' ' ORDER BY id) FROM keyed"), '(1,1) (2,2) (3,3)', 'leaves the change before it');
is($apply->run('keyed', '[{"delete": {"id": 1}}, {"insert": {"id": 1, "v": -1}}]'), '0/1/0/0 1+23514+keyed_v_check', 'a delete, then an insert that is refused');
is($apply->sql('SELECT count(*) FROM keyed'), '2', 'deletes');
is($apply->run('keyed', '[{"insert": {"id": 4, "v": "x"}}, {"insert": {"id": 4, "v": 4}}, {"insert": {"id": 4, "v": 99999999999}}]'), '1/0/0/0 0+22P02+v 2+22003+v',
	'conversion errors take no part in the collapse');
is($apply->sql('SELECT v FROM keyed WHERE id = 4'), '4', 'and do not hide what is good');
is($apply->run('keyed', '[{"delete": {"id": 4, "v": "x"}}]'), '0/1/0/0', 'a delete by key does not look at the other fields');
$apply->sql('CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id = 5 THEN RAISE \'five stays\'; END IF; RETURN OLD; END $$; CREATE TRIGGER keep BEFORE DELETE ON plain FOR EACH ROW EXECUTE FUNCTION keep(); '
	  . 'TRUNCATE plain; INSERT INTO plain VALUES (5, 5), (5, 5), (6, 6)');
is($apply->run('plain', '[{"delete": {"id": 5, "v": 5}}, {"delete": {"id": 6, "v": 6}}, {"delete": {"id": 5, "v": 5}}, {"insert": {"id": 7, "v": 7}}]'), '1/1/0/0 0+P0001 2+P0001', 'equal deletes that a trigger refuses');

# ---- the same-error rule -----------------------------------------------------------------------------------------------------------------------

$apply->sql('TRUNCATE keyed, plain; TRUNCATE raising');
my $check = '23514: new row for relation "keyed" violates check constraint "keyed_v_check"';
is($apply->error('SELECT ' . $apply->call('keyed', inserts(100, 'true', '-1'))), $check, '100 records that all fail alike are raised');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(100, 'true', '-1'), reject_all => 'true')), '100', 'unless they are to be rejected');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(99, 'true', '-1'))), '99', '99 are rejected');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(101, 'n <> 50', '-1'))), '100', 'as are 100 with a good one among them');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(200, 'true', '-1') =~ s/n, CASE/n % 99, CASE/r)), '200', 'and 200 of 99 keys');
is($apply->sql('SET feldera_ingest.same_error_threshold = 3; SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(2, 'true', '-1'))), '2', 'the threshold is a setting: below');
is($apply->error('SET feldera_ingest.same_error_threshold = 3; SELECT ' . $apply->call('keyed', inserts(3, 'true', '-1'))), $check, 'at it');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(200, 'n % 2 = 0', '-1') =~ s/n::text/'"x"'/r)), '200', '200 that fail in two ways are rejected');
is($apply->error('SELECT ' . $apply->call('keyed', inserts(150, 'true', '"x"'))), '22P02: invalid input syntax for type integer: "x"', 'conversion errors count');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', inserts(150, 'true', '"x"') =~ s/n, CASE/7, CASE/r)), '150', 'by key as well');
sub undecoded { my ($count, $more) = @_; return "(SELECT '[' || string_agg('{\"bad\": \"no JSON\"}', ',') || '$more]' FROM generate_series(1, $count))"; }
is($apply->error('SELECT ' . $apply->call('keyed', undecoded(100, ''))), '22P04: no JSON', '100 messages that all cannot be decoded are raised');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', undecoded(100, ''), reject_all => 'true')), '100', 'unless they are to be rejected');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', undecoded(99, ''))), '99', '99 are rejected');
is($apply->sql('SELECT cardinality(rejected) FROM ' . $apply->call('keyed', undecoded(100, ',{"delete": {"id": 999}}'))), '100', 'as are 100 with a good one among them');
is($apply->error('SELECT ' . $apply->call('raising', inserts(100, 'true', '13'))), 'P0001: no 13', 'a trigger that refuses everything');
is($apply->error('SELECT ' . $apply->call('raising', "(SELECT left(a, -1) || ',' || substr(b, 2) FROM " . inserts(100, 'true', '13') . ' x(a), ' . inserts(50, 'false', '', 'delete') =~ s/n, CASE/n + 1000, CASE/r . ' y(b))')),
	'P0001: no 13', 'although deletes pass it');
is($apply->sql('SELECT count(*) FROM keyed'), '1', 'only the one good record is in');

# ---- interrupts ---------------------------------------------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE slow (id int PRIMARY KEY, v int); CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$; '
	  . 'CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION slow()');
is($apply->error("SET statement_timeout = '300ms'; SELECT " . $apply->call('slow', inserts(5, 'false', ''))), '57014: canceling statement due to statement timeout', 'a cancel is no fault of a record');
is($apply->sql("DO \$\$ BEGIN PERFORM apply_test.run('raising', '[{\"insert\": {\"id\": 1, \"v\": 16}}]'); EXCEPTION WHEN undefined_function THEN PERFORM apply_test.run('raising', '[{\"insert\": {\"id\": 1, \"v\": 1}}]'); END \$\$;"
	  . 'SELECT count(*) FROM raising'), '1', 'the target is of use after an error was raised');

# ---- a long life ---------------------------------------------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE bag2 (a int, b text)');
my $memory = $apply->sql(<<"EOC");
CREATE PROCEDURE feed(n int) LANGUAGE plpgsql AS \$\$ BEGIN FOR i IN 1..n LOOP
	PERFORM apply_test.run('bag2', '[{"insert": {"a": 1}}, {"delete": {"a": 3, "b": null}}, {"delete": {"a": 4, "b": "x"}}]'); COMMIT;
END LOOP; FOR i IN 1..n LOOP
	PERFORM apply_test.run('keyed', '[{"insert": {"id": 1, "v": 1}}, {"insert": {"id": 2, "v": -1}}, {"delete": {"id": 1}}, {"update": {"id": 2, "v": 5}}, {"insert": {"id": 3, "v": "x"}}]'); COMMIT;
END LOOP; END \$\$;
CALL feed(20); CALL feed(20);
SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset
CALL feed(500);
SELECT sum(total_bytes) - :before FROM pg_backend_memory_contexts;
EOC
cmp_ok($memory, '<', 65536, "1,000 batches leave $memory bytes behind");

$apply->stop;

# ---- other encodings ---------------------------------------------------------------------------------------------------------------------------

my $latin = FelderaIngest::Apply->new('apply_latin1', initdb => [ '--encoding=LATIN1', '--locale=C' ]);
$latin->sql('CREATE TABLE t (a int, b text, c varchar(3))');
is($latin->run('t', '[{"insert": {"a": 1, "b": "\u00e4", "c": "\u00e4\u00e4\u00e4"}}, {"insert": {"a": 2, "b": "\u20ac"}}, {"insert": {"a": 3, "b": "plain"}}, {"delete": {"a": 3, "b": "plain"}}, {"insert": {"a": 4, "b": "x\u0000"}}]'),
	'2/1/0/0 1+22P05+b 4+22021+b', 'text is brought into the encoding of the database');
is($latin->sql("SELECT a, encode(convert_to(b, 'LATIN1'), 'hex'), length(c) FROM t"), '1|e4|3', 'one byte a letter');
$latin->stop;

done_testing();
