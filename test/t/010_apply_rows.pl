# What a batch comes to: the table of cases of keyed changes, the bag semantics of tables without key, partial updates,
# defaults of missing fields, and that batch borders do not matter.

use strict;
use warnings;

use FelderaIngest::Apply;
use Test::More;

my $apply = FelderaIngest::Apply->new('apply_rows');

# ---- with a primary key: what the key was, what comes, what is left ---------------------------------------------

$apply->sql("CREATE TABLE k (id int PRIMARY KEY, a text DEFAULT 'default', b int, note text)");
my $old = '{"insert": {"id": 1, "a": "old", "b": 0}}';
my %record = (
	I => '{"insert": {"id": 1, "a": "new", "b": 1}}',
	J => '{"insert": {"id": 1, "b": 2}}',
	D => '{"delete": {"id": 1}}',
	U => '{"update": {"id": 1, "a": "updated"}}',
	V => '{"update": {"id": 1, "b": 3}}',
	N => '{"update": {"id": 1, "b": null}}');
# records => [row left where the table was empty, where it held 1|old|0|keep]
my %cases = (
	I => [ '1|new|1|', '1|new|1|keep' ],
	J => [ '1|default|2|', '1|default|2|keep' ],
	D => [ '', '' ],
	U => [ '', '1|updated|0|keep' ],
	II => [ '1|new|1|', '1|new|1|keep' ],
	IJ => [ '1|default|2|', '1|default|2|keep' ],
	ID => [ '', '' ],
	IU => [ '1|updated|1|', '1|updated|1|keep' ],
	IUV => [ '1|updated|3|', '1|updated|3|keep' ],
	IN => [ '1|new||', '1|new||keep' ],
	DI => [ '1|new|1|', '1|new|1|keep' ],
	DD => [ '', '' ],
	DU => [ '', '' ],
	DUI => [ '1|new|1|', '1|new|1|keep' ],
	UI => [ '1|new|1|', '1|new|1|keep' ],
	UD => [ '', '' ],
	UV => [ '', '1|updated|3|keep' ],
	UVN => [ '', '1|updated||keep' ],
	IDU => [ '', '' ],
	IUD => [ '', '' ],
	IDI => [ '1|new|1|', '1|new|1|keep' ],
);
for my $case (sort keys %cases)
{
	my @letters = split(//, $case);
	my $changes = '[' . join(',', @record{@letters}) . ']';
	for my $filled (0, 1)
	{
		# updates alone that find no row: one of them is counted apart
		my $missed = !$filled && $case !~ /[^UVN]/ ? 1 : 0;
		my $expected = sprintf('%d/%d/%d/0',
			scalar(grep { /[IJ]/ } @letters), scalar(grep { /D/ } @letters), scalar(grep { /[UVN]/ } @letters) - $missed);
		my $name = "$case on " . ($filled ? 'an existing row' : 'nothing');
		$apply->sql('TRUNCATE k' . ($filled ? "; INSERT INTO k VALUES (1, 'old', 0, 'keep')" : ''));
		is($apply->run('k', $changes, provide => "'{a,b}'"), $expected, "$name: every record counts once");
		is($apply->sql('SELECT * FROM k'), $cases{$case}[$filled], "$name: row");
	}
}

# ---- keys ------------------------------------------------------------------------------------------------------------

$apply->sql('TRUNCATE k');
is($apply->run('k', '[{"insert": {"id": null, "a": "x"}}, {"delete": {"id": null}}, {"update": {"a": "y"}}, {"insert": {"id": 2}}]'),
	'1/0/0/0 0+23502+id 1+22004+id 2+22004+id', 'records without a key');
is($apply->run('k', '[{"delete": {"a": "x"}}]'), '0/0/0/0 0+22004+id', 'a source that does not have the key column');

$apply->sql('CREATE TABLE serial (id serial PRIMARY KEY, a int)');
is($apply->run('serial', '[{"insert": {"a": 1}}, {"insert": {"a": 2}}]'), '2/0/0/0', 'the key is the column default');
is($apply->run('serial', '[{"insert": {"id": 5, "a": 1}}, {"insert": {"a": 2}}]'), '2/0/0/0', 'the key is missing in one record');
is($apply->sql('SELECT string_agg(id || \':\' || a, \' \' ORDER BY id) FROM serial'), '1:1 2:2 3:2 5:1', 'keys generated');

$apply->sql('CREATE TABLE two (t text COLLATE "C", d date, n numeric, v int, PRIMARY KEY (n, t, d))');
is( $apply->run('two', '[
	{"insert": {"t": "a", "d": "2024-01-01", "n": 1.0, "v": 1}},
	{"insert": {"t": "a", "d": "2024-01-01", "n": 1.00, "v": 2}},
	{"insert": {"t": "A", "d": "2024-01-01", "n": 1, "v": 3}},
	{"insert": {"t": "b", "d": "2024-01-02", "n": 1, "v": 4}},
	{"delete": {"t": "b", "d": "2024-01-02", "n": 1.000}},
	{"update": {"t": "A", "d": "2024-01-01", "n": 1.0, "v": 5}}]'), '4/1/1/0', 'a key of three columns, numerics equal by value');
is($apply->sql('SELECT t, n, v FROM two ORDER BY t COLLATE "C"'), "A|1|5\na|1.00|2", 'its rows');

$apply->sql('CREATE TABLE odd (m money, b bit(3), v int, PRIMARY KEY (m, b))');
is($apply->run('odd', '[{"insert": {"m": "1", "b": "101", "v": 1}}, {"insert": {"m": "1.00", "b": "101", "v": 2}}, {"insert": {"m": "2", "b": "101", "v": 3}}]'),
	'3/0/0/0', 'key types that cannot be hashed');
is($apply->sql('SELECT count(*), sum(v) FROM odd'), '2|5', 'their rows');

$apply->sql('CREATE TABLE only_key (id int PRIMARY KEY)');
is($apply->run('only_key', '[{"insert": {"id": 1}}, {"insert": {"id": 1}}]') . $apply->run('only_key', '[{"insert": {"id": 1}}]'),
	'2/0/0/01/0/0/0', 'a table of nothing but a key');

$apply->sql('CREATE TABLE "Odd Name" ("Id" int PRIMARY KEY, "a b" text, "sel""ect" int)');
is($apply->run('"Odd Name"', '[{"insert": {"Id": 1, "A B": "x", "sel\"ect": 3}}, {"update": {"Id": 1, "sel\"ect": 4}}, {"delete": {"Id": 2}}]'),
	'1/1/1/0', 'names that need quotes');

# ---- without a primary key ----------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE h (a int, b text, c float8)');
sub left { return $apply->sql('SELECT coalesce(string_agg(h::text, \' \' ORDER BY h), \'\') FROM h'); }
my ($x, $y) = ('{"a": 1, "b": "x", "c": null}', '{"a": 2, "b": "y", "c": 1.5}');
for my $case (
	# records, table before, counts, table after
	[ 'Ix Ix', 0, '2/0/0/0', '(1,x,) (1,x,)' ],
	[ 'Ix Dx', 0, '1/1/0/0', '' ],
	[ 'Dx Ix', 0, '1/0/0/1', '(1,x,)' ],
	[ 'Dx Ix', 1, '1/1/0/0', '(1,x,)' ],
	[ 'Ix Dx', 1, '1/1/0/0', '(1,x,)' ],
	[ 'Dx Dx', 1, '0/1/0/1', '' ],
	[ 'Dx Dx', 3, '0/2/0/0', '(1,x,)' ],
	[ 'Ix Dx Dx', 1, '1/2/0/0', '' ],
	[ 'Dx Ix Dx', 1, '1/2/0/0', '' ],
	[ 'Dx Ix Dx', 0, '1/1/0/1', '' ],
	[ 'Ix Dy Ix Dx', 0, '2/1/0/1', '(1,x,)' ],
	[ 'Iy Dy Dy Iy', 2, '2/1/0/1', '(1,x,) (1,x,) (2,y,1.5)' ],)
{
	my ($records, $before, $counts, $after) = @$case;
	my %verb = (I => 'insert', D => 'delete');
	my $changes = '[' . join(',', map { /(.)(.)/; "{\"$verb{$1}\": " . ($2 eq 'x' ? $x : $y) . '}' } split(/ /, $records)) . ']';
	$apply->sql("TRUNCATE h; INSERT INTO h SELECT 1, 'x', NULL FROM generate_series(1, $before)");
	is($apply->run('h', $changes), $counts, "$records over $before equal rows: counts");
	is(left(), $after, "$records over $before equal rows: what is left");
}
$apply->sql('TRUNCATE h');
is($apply->run('h', "[{\"delete\": $x}, {\"insert\": $x}, {\"delete\": $y}]", set_difference => 'true'), '1/1/0/1',
	'within a set difference a delete cancels against a later insert');
is(left(), '', 'and nothing is left of it');
is($apply->run('h', "[{\"insert\": $x}, {\"update\": $x}]"), '1/0/0/0 1+0A000', 'an update without key is a bad record');

$apply->sql("TRUNCATE h; INSERT INTO h VALUES (1, NULL, 'NaN'), (1, NULL, 'NaN'), (NULL, NULL, NULL), (2, '', '-0')");
is($apply->run('h', '[{"delete": {"a": 1, "b": null, "c": "NaN"}}, {"delete": {"a": null, "b": null, "c": null}}, {"delete": {"a": 2, "b": "", "c": 0}}]'),
	'0/3/0/0', 'deletes of NULL, NaN and negative zero find their rows');
is(left(), '(1,,NaN)', 'one row each');

$apply->sql("CREATE TABLE p (a int, b text, loaded int DEFAULT 7) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); "
	  . "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1, 'x'), (1, NULL), (2, 'x'), (2, NULL), (2, NULL)");
is($apply->run('p', '[{"delete": {"a": 2, "b": null}}, {"delete": {"a": 1, "b": "x"}}, {"insert": {"a": 1, "b": "n"}}]'), '1/2/0/0',
	'partitions: equal ctids of siblings are told apart');
is($apply->sql("SELECT string_agg(p::text, ' ' ORDER BY a, b) FROM p"), '(1,n,7) (1,,7) (2,x,7) (2,,7)', 'rows of the partitions');

$apply->sql("CREATE TABLE d (a int DEFAULT 5, b text DEFAULT 'x', s int DEFAULT 1 + 1, f serial)");
is($apply->run('d', '[{"insert": {"a": 1}}, {"insert": {}}, {"insert": {"a": null, "b": null, "s": null, "f": 9}}, {"delete": {"a": 1}}]', provide => "'{a,b,s}'"),
	'3/0/0/1', 'missing fields take the column defaults');
is($apply->sql("SELECT string_agg(d::text, ' ' ORDER BY f) FROM d"), '(1,x,2,1) (5,x,2,2) (,,,9)', 'NULL is not missing');
is($apply->run('d', '[{"delete": {}}, {"insert": {}}, {"delete": {}}]', provide => "'{a,b,s}'"), '1/2/0/0',
	'a delete with missing fields finds the row that the same insert made');

my $json_error = $apply->error("CREATE TABLE j (a int, b json); SELECT " . $apply->call('j', '[{"insert": {"a": 1, "b": "{}"}}]') . "; SELECT "
	  . $apply->call('j', '[{"delete": {"a": 1, "b": "{}"}}]'));
like($json_error, qr/^0A000: cannot delete rows of table "public.j" by column "b"/, 'a column without equality refuses deletes, and only those');
is($apply->sql('SELECT count(*) FROM j'), '1', 'its insert went in');

# ---- keyed set differences --------------------------------------------------------------------------------------------------

$apply->sql("TRUNCATE k; INSERT INTO k VALUES (1, 'a', 1, 'keep'), (2, 'b', 2, 'keep'), (3, 'c', 3, 'keep')");
$apply->sql('CREATE TABLE writes (n int); CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS '
	  . '$$BEGIN INSERT INTO writes VALUES (1); RETURN NULL; END$$; CREATE TRIGGER w AFTER INSERT OR UPDATE OR DELETE ON k FOR EACH ROW EXECUTE FUNCTION count_writes()');
is( $apply->run('k', '[{"delete": {"id": 1, "a": "a", "b": 1}}, {"delete": {"id": 2, "a": "b", "b": 2}}, {"delete": {"id": 3, "a": "c", "b": 3}},
	{"insert": {"id": 1, "a": "a", "b": 1}}, {"insert": {"id": 2, "a": "B", "b": 2}}]', set_difference => 'true'), '2/3/0/0', 'a rewritten file with a key');
is($apply->sql('SELECT * FROM k ORDER BY id'), "1|a|1|keep\n2|B|2|keep", 'rows after it');
is($apply->sql('SELECT count(*) FROM writes'), '2', 'the row that did not change was not touched');

# ---- batch borders do not matter -----------------------------------------------------------------------------------------------

# The same random changes as one batch, in batches of 7, and one by one.
my $prepare = <<'EOC';
DROP TABLE IF EXISTS one, seven, all_of_them, changes;
CREATE TABLE changes (n int, change text);
CREATE TABLE one (LIKE shape INCLUDING ALL); CREATE TABLE seven (LIKE shape INCLUDING ALL); CREATE TABLE all_of_them (LIKE shape INCLUDING ALL);
EOC
my $compare = <<'EOC';
DO $$ BEGIN
	PERFORM apply_test.run('one', '[' || change || ']', provide => '{id,a,b}') FROM (SELECT change FROM changes ORDER BY n) c;
	PERFORM apply_test.run('seven', change, provide => '{id,a,b}') FROM (SELECT '[' || string_agg(change, ',' ORDER BY n) || ']' AS change FROM changes GROUP BY n / 7 ORDER BY n / 7) c;
	PERFORM apply_test.run('all_of_them', '[' || string_agg(change, ',' ORDER BY n) || ']', provide => '{id,a,b}') FROM changes;
END $$;
SELECT (SELECT array_agg(o ORDER BY o)::text FROM one o) IS NOT DISTINCT FROM (SELECT array_agg(o ORDER BY o)::text FROM all_of_them o)
   AND (SELECT array_agg(o ORDER BY o)::text FROM one o) IS NOT DISTINCT FROM (SELECT array_agg(o ORDER BY o)::text FROM seven o), (SELECT count(*) > 1 FROM one);
EOC
for my $shape (
	[ 'with a key', 'id int PRIMARY KEY, a int DEFAULT 9, b text',
		"CASE (random() * 3)::int WHEN 0 THEN 'delete' WHEN 1 THEN 'update' ELSE 'insert' END" ],
	[ 'with a key, some refused by the table', 'id int PRIMARY KEY, a int CHECK (a <> 1), b text NOT NULL',
		"CASE (random() * 2)::int WHEN 0 THEN 'delete' ELSE 'insert' END" ],
	[ 'without key', 'id int, a int, b text', "CASE (random() * 2)::int WHEN 0 THEN 'delete' ELSE 'insert' END" ],
	[ 'without key, some refused by the table', 'id int, a int CHECK (a <> 1), b text', "CASE (random() * 2)::int WHEN 0 THEN 'delete' ELSE 'insert' END" ])
{
	my ($name, $columns, $verb) = @$shape;
	my $good = 0;
	for my $seed (1 .. 8)
	{
		my $got = $apply->sql(<<"EOC");
DROP TABLE IF EXISTS shape; CREATE TABLE shape ($columns); $prepare
SELECT setseed(0.0$seed) \\g /dev/null
INSERT INTO changes SELECT n, json_build_object($verb, CASE WHEN random() < 0.3 THEN json_build_object('id', id, 'a', a)
		WHEN random() < 0.3 THEN json_build_object('id', id, 'b', b) ELSE json_build_object('id', id, 'a', a, 'b', b) END)::text
	FROM (SELECT n, (random() * 5)::int AS id, nullif((random() * 3)::int, 0) AS a, nullif(chr(96 + (random() * 3)::int), '`') AS b FROM generate_series(1, 200) n) v;
$compare
EOC
		$good++ if $got eq 't|t';
	}
	is($good, 8, "200 random changes $name: one batch, batches of 7 and single records give the same table");
}

# ---- updates that find nothing ---------------------------------------------------------------------------------------------

$apply->sql('CREATE TABLE missed (id int PRIMARY KEY, a text, b int CHECK (b > 0)); INSERT INTO missed VALUES (1), (2)');
is( $apply->sql('SELECT inserted, updated, updates_unmatched FROM '
		  . $apply->call('missed', '[{"update": {"id": 1, "a": "x"}}, {"update": {"id": 7, "a": "x"}}, {"update": {"id": 8, "b": 1}}, {"insert": {"id": 9}}, {"update": {"id": 9, "b": 2}}]')),
	'1|2|2', 'updates of rows that are not there are counted apart, whatever fields they have');
is( $apply->sql('SELECT inserted, updated, updates_unmatched, cardinality(rejected) FROM '
		  . $apply->call('missed', '[{"update": {"id": 7, "b": 1}}, {"update": {"id": 1, "b": 3}}, {"update": {"id": 8, "b": 1}}, {"update": {"id": 1, "b": -1}}, {"update": {"id": 2, "b": 4}}]')),
	'0|2|2|1', 'also where a bad record takes the batch, and its own key, apart');

$apply->stop;
done_testing();
