# What delta-rs writes is what arrives: every primitive type in snappy and zstd, partition columns with awkward values,
# tables at a version, a time and up to a version, and followed through appends, deletes, updates and overwrites. What this
# reader does not know fails by name before the first row.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::S3;
use PostgreSQL::Test::Utils;
use Test::More;

my $s3 = FelderaIngest::S3->shared;
my $bucket = $s3->create_bucket('types');
my $tables = PostgreSQL::Test::Utils::tempdir();
my $node = FelderaIngest->new_cluster('delta_types');
FelderaIngest->create_extension($node, 'postgres');

# A connector named "delta" on the target; "config" are more members of transport.config, "more" of the connector.
sub connect_delta
{
	my ($target, $uri, $mode, $config, $more) = @_;
	my $options = $uri =~ /^s3:/ ? ', ' . $s3->options_json : '';
	$config = defined $config ? ", $config" : '';
	$more = defined $more ? ", $more" : '';
	$node->safe_psql('postgres', <<"EOC");
SELECT feldera.create_connector('$target', '{"name": "delta", "transport": {"name": "delta_table_input",
	"config": {"uri": "$uri", "mode": "$mode", "poll_interval_ms": 50$options$config}}$more}')
EOC
	return;
}

sub column
{
	my ($target, $column) = @_;
	return $node->safe_psql('postgres', "SELECT $column FROM feldera.connectors WHERE connector = '$target.delta'");
}

sub finishes
{
	my ($target) = @_;
	return FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'finished');
}

# The rows of both, as text, and each as often in one as in the other.
sub same_rows
{
	my ($got, $expected, $name) = @_;
	is( $node->safe_psql('postgres', <<"EOC"), '', $name);
WITH got AS (SELECT x::text FROM ($got) x), expected AS (SELECT x::text FROM ($expected) x)
(SELECT 'too many', x FROM (TABLE got EXCEPT ALL TABLE expected) d) UNION ALL
(SELECT 'missing', x FROM (TABLE expected EXCEPT ALL TABLE got) d) LIMIT 20
EOC
	return;
}

# ---- every primitive type ---------------------------------------------------------------------------------------------

# The rows once through delta-rs, once as COPY text written by Python itself: one file a compression, with all values.
my $decimals = join(', ', map { "n$_ numeric" . ($_ % 2 ? '' : "($_, " . int($_ / 3) . ')') } 1 .. 38);
$node->safe_psql('postgres', <<"EOC");
CREATE TABLE types (compression text, id int, l bigint, i int, s smallint, b smallint, f real, d double precision, t text,
	x bytea, o boolean, day date, ts timestamptz, wall timestamp, $decimals);
CREATE TABLE expected (LIKE types);
EOC
my $not_stored = '\\\\N';
$s3->python(<<"EOC");
import random, struct
random.seed(7)
nan, inf = float("nan"), float("inf")
single = lambda x: struct.unpack("f", struct.pack("f", x))[0]
epoch = datetime.datetime(1970, 1, 1)
numbers = lambda bits: [0, 1, -1, 2**(bits - 1) - 1, -2**(bits - 1), 42]
instants = [0, -1, 1, -62135596800000000, 253402300799999999, 1709210096789012]
digits = lambda p, s, sign, text: decimal.Decimal((sign, tuple(map(int, text.rjust(s + 1, "0"))), -s))
def decimals(p):
    s = p // 3
    return [digits(p, s, 0, "9" * p), digits(p, s, 1, "9" * p), digits(p, s, 0, "1"), digits(p, s, 0, "0"),
            digits(p, s, 1, "1"), digits(p, s, 0, "1" + "0" * (p - 1))]
columns = {
    "l": (pa.int64(), numbers(64)), "i": (pa.int32(), numbers(32)), "s": (pa.int16(), numbers(16)),
    "b": (pa.int8(), numbers(8)),
    "f": (pa.float32(), [nan, inf, -inf, -0.0, single(0.1), single(3.4028234e38)]),
    "d": (pa.float64(), [nan, inf, -inf, -0.0, 0.1, 5e-324]),
    "t": (pa.string(), ["", "plain", "tab\\tnew\\nline\\\\", "üñ€😀", "x" * 5000, "NULL"]),
    "x": (pa.binary(), [b"", b"\\0", bytes(range(256)), b"\\xff\\xfe", b"x" * 5000, b"text"]),
    "o": (pa.bool_(), [True, False, True, False, False, True]),
    "day": (pa.date32(), [0, -1, 1, -719162, 2932896, 19782]),
    "ts": (pa.timestamp("us", "UTC"), instants), "wall": (pa.timestamp("us"), instants),
} | {f"n{p}": (pa.decimal128(p, p // 3), decimals(p)) for p in range(1, 39)}
def text(kind, value):
    if value is None: return "$not_stored"
    if pa.types.is_timestamp(kind): return str(epoch + datetime.timedelta(microseconds=value)) + ("+00" if kind.tz else "")
    if pa.types.is_date(kind): return str(epoch.date() + datetime.timedelta(value))
    if pa.types.is_decimal(kind): return format(value, "f")
    if pa.types.is_binary(kind): return "\\\\\\\\x" + value.hex()
    if pa.types.is_boolean(kind): return "t" if value else "f"
    return str(value).replace("\\\\", "\\\\\\\\").replace("\\t", "\\\\t").replace("\\n", "\\\\n")
with open("$tables/types.copy", "w", encoding="utf-8") as copy:
    for compression in ("SNAPPY", "ZSTD", "UNCOMPRESSED"):
        rows = []
        for i in range(300):
            # each value in its turn, nulls among them, and a row of nulls alone
            rows.append({name: None if i == 100 or random.random() < 0.2 else values[(i + len(name)) % 6]
                         for name, (kind, values) in columns.items()})
        for i in range(6):
            rows.append({name: values[i] for name, (kind, values) in columns.items()})
        arrays = {"compression": pa.array([compression] * len(rows)), "id": pa.array(range(len(rows)), pa.int32())}
        for name, (kind, values) in columns.items():
            arrays[name] = pa.array([row[name] for row in rows], kind)
        write_deltalake("$tables/types", pa.table(arrays), mode="append",
                        writer_properties=deltalake.WriterProperties(compression=compression))
        for i, row in enumerate(rows):
            copy.write("\\t".join([compression, str(i)] + [text(columns[name][0], row[name]) for name in columns]) + "\\n")
EOC
$node->safe_psql('postgres', "COPY expected FROM '$tables/types.copy'");
connect_delta('types', "file://$tables/types", 'snapshot');
finishes('types');
same_rows('TABLE types', 'TABLE expected', 'each value of each type is as it was written');
is($node->safe_psql('postgres', 'SELECT count(*) FROM types'), 3 * 306, 'in three compressions');
is($node->safe_psql('postgres', 'SELECT count(*) FROM types WHERE num_nonnulls(l, i, s, b, f, d, t, x, o, day, ts, wall, n1, n38) = 0'),
	'3', 'a row of nulls alone in each');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing was put away');
ok( (grep { /timestampNtz/ } map { slurp_file($_) } glob("$tables/types/_delta_log/*0.json")),
	'delta-rs lists timestampNtz as a reader feature');

# The same into text, where nothing is lost either.
$node->safe_psql('postgres', 'CREATE TABLE as_text (compression text, id text, l text, f text, d text, day text, n38 text)');
connect_delta('as_text', "$tables/types", 'snapshot');
finishes('as_text');
same_rows('TABLE as_text', 'SELECT compression, id, l, f, d, day, n38 FROM expected', 'numbers and dates as text');

# Values that the target cannot have: put away with file and row, the others are there.
$node->safe_psql('postgres', 'CREATE TABLE narrow (compression text, id smallint, l int, n38 numeric(20, 2), t varchar(100))');
connect_delta('narrow', "$tables/types", 'snapshot');
finishes('narrow');
my $fits = 'coalesce(l BETWEEN -2147483648 AND 2147483647, true) AND coalesce(abs(n38) < 1e18, true) AND coalesce(length(t) <= 100, true)';
same_rows('SELECT compression, id FROM narrow', "SELECT compression, id FROM expected WHERE $fits", 'what fits arrives');
same_rows(
	"SELECT sqlstate, column_name, record_number IS NULL, row_number, file ~ '^part-.*parquet\$' FROM feldera.rejected_records WHERE connector = 'narrow.delta'",
	"SELECT CASE WHEN NOT coalesce(l BETWEEN -2147483648 AND 2147483647, true) THEN '22003' WHEN NOT coalesce(abs(n38) < 1e18, true) THEN '22003' ELSE '22001' END,"
	  . " CASE WHEN NOT coalesce(l BETWEEN -2147483648 AND 2147483647, true) THEN 'l' WHEN NOT coalesce(abs(n38) < 1e18, true) THEN 'n38' ELSE 't' END, true, id, true FROM expected WHERE NOT ($fits)",
	'what does not is put away with its file, row and column');

# ---- partition columns ---------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE TABLE parts (id int, s text, i int, d date, t timestamp, z timestamptz, o boolean, n numeric(10, 3))');
$s3->python(<<"EOC");
strings = [None, "", "plain", "a b", "x=y", "100%", "%20", "a/b", "ünï cödé €", "q\\"uo'te", "a+b&c?d#e:f", "..", "\\\\", " ", "é=%2F /"]
days = [None, datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)]
times = [None, datetime.datetime(2024, 2, 29, 12, 30, 15, 123456), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(2000, 1, 1)]
count = 30
def cycle(values): return [values[i % len(values)] for i in range(count)]
rows = pa.table({
    "id": pa.array(range(count), pa.int32()), "s": pa.array(cycle(strings)),
    "i": pa.array(cycle([None, 0, -5, 2147483647, -2147483648]), pa.int32()), "d": pa.array(cycle(days), pa.date32()),
    "t": pa.array(cycle(times), pa.timestamp("us")), "z": pa.array(cycle(times), pa.timestamp("us", "UTC")),
    "o": pa.array(cycle([True, None, False])), "n": pa.array(cycle([None, decimal.Decimal("0.001"), decimal.Decimal("-5.000"), decimal.Decimal("1234567.890")]), pa.decimal128(10, 3)),
})
write_deltalake("s3://$bucket/parts", rows, partition_by=["s", "i", "d", "t", "z", "o", "n"], storage_options=storage_options())
with open("$tables/parts.jsonl", "w") as out:
    for row in rows.to_pylist():
        row["s"] = row["s"] or None  # Delta has no empty partition value
        out.write(json.dumps(row, default=str) + "\\n")
EOC
connect_delta('parts', "s3://$bucket/parts", 'snapshot');
finishes('parts');
my $lines = "(SELECT regexp_split_to_table(trim(E'\\n' FROM pg_read_file('$tables/parts.jsonl')), E'\\n')::jsonb AS line) j";
same_rows('TABLE parts',
	"SELECT (jsonb_populate_record(NULL::parts, line)).* FROM $lines",
	'partition values of each type, with blanks, =, %, /, quotes and letters beyond ASCII');
is($node->safe_psql('postgres', 'SELECT count(*) FROM parts'), '30', 'each in its directory');

# ---- at a version, at a time, up to a version --------------------------------------------------------------------------------

# Versions 0 to 5 of one row each; the files of the log are a minute apart, and so are the times in the commits.
$s3->python(<<"EOC");
for version in range(6):
    write_deltalake("$tables/versions", pa.table({"id": pa.array([version], pa.int32())}), mode="append")
    name = f"$tables/versions/_delta_log/{version:020}.json"
    time = 1700000000 + 60 * version
    lines = [json.loads(line) for line in open(name)]
    for line in lines:
        if "commitInfo" in line: line["commitInfo"]["timestamp"] = time * 1000
    open(name, "w").write("".join(json.dumps(line) + "\\n" for line in lines))
    os.utime(name, (time, time))
EOC
my %moments = (
	latest => [ 'snapshot', undef, '0 1 2 3 4 5' ],
	at_version => [ 'snapshot', '"version": 2', '0 1 2' ],
	at_time => [ 'snapshot', '"datetime": "2023-11-14T22:16:20Z"', '0 1 2 3' ],    # the very time of version 3
	before_it => [ 'snapshot', '"datetime": "2023-11-14T23:16:19.999+01:00"', '0 1 2' ],
	followed => [ 'follow', '"version": 1, "end_version": 3', '2 3' ],
	both_ways => [ 'snapshot_and_follow', '"version": 1, "end_version": 4', '0 1 2 3 4' ],
	both_at_time => [ 'snapshot_and_follow', '"datetime": "2023-11-14T22:14:21Z", "end_version": 5', '0 1 2 3 4 5' ]);
for my $target (sort keys %moments)
{
	my ($mode, $config) = @{ $moments{$target} };
	$node->safe_psql('postgres', "CREATE TABLE $target (id int)");
	connect_delta($target, "$tables/versions", $mode, $config);
}
for my $target (sort keys %moments)
{
	finishes($target);
	is($node->safe_psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM $target"),
		$moments{$target}[2], "$target: the rows of that moment");
}
is(column('both_ways', 'backfill_completed_at IS NOT NULL'), 't', 'which completes a backfill');

# What there is none of: a state and a reason, no rows.
my %none = (
	too_new => [ 'snapshot', '"version": 9', qr{"$tables/versions": version 9 does not exist, The newest version is 5} ],
	too_new_to_follow => [ 'follow', '"version": 9', qr{"$tables/versions": version 9 does not exist, The newest version is 5} ],
	too_old => [ 'snapshot', '"datetime": "2020-01-01T00:00:00Z"', qr{"$tables/versions" has no version as old as .*, .*2023-11-14T22:13:20Z} ]);
for my $target (sort keys %none)
{
	my ($mode, $config, $error) = @{ $none{$target} };
	$node->safe_psql('postgres', "CREATE TABLE $target (id int)");
	connect_delta($target, "$tables/versions", $mode, $config);
	FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'failed');
	like(column($target, "concat_ws(', ', error, hint)"), $error, "$target: and why");
	is($node->safe_psql('postgres', "SELECT count(*) FROM $target"), '0', "$target: no row");
}

# ---- followed through all that delta-rs does ------------------------------------------------------------------------------------

$s3->python(<<"EOC");
write_deltalake("s3://$bucket/live", pa.table({"id": pa.array(range(100), pa.int64()),
    "v": pa.array([i % 10 for i in range(100)], pa.int32()), "t": pa.array([f"text {i}" for i in range(100)])}),
    storage_options=storage_options())
EOC
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE keyed (id bigint PRIMARY KEY, v int, t text);
CREATE TABLE keyless (id bigint, v int, t text);
CREATE TABLE later (id bigint, v int, t text);
CREATE TABLE truth (id bigint, v int, t text);
EOC
# Batches far smaller than a version: deletes must come before inserts, however far apart.
connect_delta($_, "s3://$bucket/live", 'snapshot_and_follow', undef, '"max_batch_size": 7') for 'keyed', 'keyless';
connect_delta('later', "s3://$bucket/live", 'follow');

# Run the code on the table "live", then wait until the followers (all, if none is named) have followed to its newest
# version; "truth" are its rows by delta-rs.
sub change
{
	my ($name, $code, @followers) = @_;
	@followers = qw(keyed keyless later) if !@followers;
	my $version = $s3->python(<<"EOC");
live = DeltaTable("s3://$bucket/live", storage_options=storage_options())
def rows(first, count, v, text="text"):
    return pa.table({"id": pa.array(range(first, first + count), pa.int64()), "v": pa.array([v] * count, pa.int32()),
                     "t": pa.array([f"{text} {i}" for i in range(first, first + count)])})
def write(data, **options): write_deltalake("s3://$bucket/live", data, storage_options=storage_options(), **options)
$code
live = DeltaTable("s3://$bucket/live", storage_options=storage_options())
import pyarrow.csv
pyarrow.csv.write_csv(live.to_pyarrow_table(columns=["id", "v", "t"]), "$tables/truth.csv",
    pyarrow.csv.WriteOptions(include_header=False))
print(live.version())
EOC
	chomp $version;
	$node->safe_psql('postgres', "TRUNCATE truth; COPY truth FROM '$tables/truth.csv' CSV");
	FelderaIngest->wait_until($node, 'postgres',
		'SELECT count(*) = ' . @followers . ' FROM feldera.delta_positions WHERE connector IN ('
		  . join(', ', map { "'$_.delta'" } @followers) . ") AND next_version = $version + 1",
		"$name: followed to version $version");
	same_rows("TABLE $_", 'TABLE truth', "$name: $_") for grep { $_ ne 'later' } @followers;
	return;
}

FelderaIngest->wait_until($node, 'postgres',
	"SELECT count(*) = 3 FROM feldera.connectors WHERE connector IN ('keyed.delta', 'keyless.delta', 'later.delta') AND phase = 'follow'",
	'all follow');
is($node->safe_psql('postgres', 'SELECT count(*) FROM later'), '0', 'who only follows has no snapshot');
change('append', 'write(rows(100, 50, 3), mode="append")');
same_rows('TABLE later', 'SELECT * FROM truth WHERE id >= 100', 'who only follows has what came since');
change('delete of some rows', 'live.delete("v = 3 and id < 120")');
change('delete of nothing', 'live.delete("id < 0")');
change('update', q{live.update(updates={"v": "v + 100", "t": "concat(t, ' new')"}, predicate="id % 7 = 0")});
change('merge', <<'EOC');
(live.merge(source=rows(140, 40, 9, "merged"), predicate="s.id = d.id", source_alias="s", target_alias="d")
    .when_matched_update_all().when_not_matched_insert_all().execute())
EOC
my $processed = column('keyless', 'rows_processed');
change('compaction', 'live.optimize.compact()');
is(column('keyless', 'rows_processed'), $processed, 'which changes no row');
$node->safe_psql('postgres', "SELECT feldera.pause_connector('keyless.delta')");
change('more files', 'for part in range(3): write(rows(200 + 10 * part, 10, 4), mode="append")', 'keyed', 'later');
$node->safe_psql('postgres', "SELECT feldera.start_connector('keyless.delta')");
$node->safe_psql('postgres', "SELECT feldera.pause_connector('keyed.delta')");
change('all follow', 'pass', 'keyless', 'later');
change('compaction and VACUUM', <<'EOC', 'keyless', 'later');
live.optimize.compact()
live = DeltaTable(live.table_uri, storage_options=storage_options())
live.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
EOC
$node->safe_psql('postgres', "SELECT feldera.start_connector('keyed.delta')");
change('append after that', 'write(rows(300, 5, 3), mode="append")');
change('overwrite', 'write(rows(50, 60, 5), mode="overwrite")');
change('the same rows once more', 'write(rows(50, 60, 5), mode="overwrite")');
change('partial overwrite', 'write(rows(60, 5, 6), mode="overwrite", predicate="id >= 60 and id < 65")');
change('delete of all rows', 'live.delete()');
change('and new ones', 'write(rows(0, 10, 1), mode="append")');
is(column($_, 'deletes_unmatched'), '0', "$_: each delete found its row") for 'keyed', 'keyless';

# Equal rows: without a key each of them counts.
$node->safe_psql('postgres', "SELECT feldera.drop_connector('keyed.delta'); SELECT feldera.drop_connector('later.delta')");
$s3->python(<<"EOC");
live = DeltaTable("s3://$bucket/live", storage_options=storage_options())
twins = pa.table({"id": pa.array([7, 7, 7], pa.int64()), "v": pa.array([None, None, 1], pa.int32()), "t": pa.array([None, None, "x"])})
write_deltalake("s3://$bucket/live", twins, mode="append", storage_options=storage_options())
write_deltalake("s3://$bucket/live", twins, mode="append", storage_options=storage_options())
DeltaTable("s3://$bucket/live", storage_options=storage_options()).delete("t = 'x'")
EOC
FelderaIngest->wait_until($node, 'postgres',
	"SELECT count(*) = 14 AND count(*) FILTER (WHERE id = 7 AND v IS NULL) = 4 FROM keyless",
	'equal rows are as many as in the Delta table');

# ---- what this reader does not know ------------------------------------------------------------------------------------------------

# Python that adds the lines to a version of the table's log.
sub write_commit
{
	my ($table, $version, @lines) = @_;
	my $name = sprintf('%s/%s/_delta_log/%020d.json', $tables, $table, $version);
	open(my $file, '>>', "$name.new") or die "$name: $!";
	print $file (-e $name ? slurp_file($name) : ''), map { "$_\n" } @lines;
	close($file) or die "$name: $!";
	rename("$name.new", $name) or die "$name: $!";
	return;
}
my $protocol = '{"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors", "rowTeleport"], "writerFeatures": ["deletionVectors", "rowTeleport"]}}';
$s3->python(<<"EOC");
for name in ("strange", "stranger", "becoming"):
    write_deltalake("$tables/{}".format(name), pa.table({"id": pa.array(range(5), pa.int32())}))
EOC
write_commit('strange', 1, $protocol);
write_commit('stranger', 1, '{"protocol": {"minReaderVersion": 4, "minWriterVersion": 7}}');
$node->safe_psql('postgres', "CREATE TABLE $_ (id int)") for 'strange', 'stranger', 'becoming';
connect_delta($_, "$tables/$_", 'snapshot_and_follow') for 'strange', 'stranger', 'becoming';
for my $case ([ 'strange', qr/rowTeleport/ ], [ 'stranger', qr/reader version 4/ ])
{
	my ($target, $why) = @$case;
	FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'failed');
	like(column($target, 'error'), qr{Delta table "$tables/$target".*$why}, "$target: the error names the table and what it needs");
	is(column($target, 'sqlstate'), '0A000', "$target: as not supported");
	is($node->safe_psql('postgres', "SELECT count(*) FROM $target"), '0', "$target: before the first row");
}

# A followed table that comes to need it.
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 5 FROM becoming', 'a table is followed');
my ($add) = grep { /"add"/ } split(/\n/, slurp_file("$tables/becoming/_delta_log/00000000000000000000.json"));
write_commit('becoming', 1, $add, $protocol);
FelderaIngest->wait_for_state($node, 'postgres', 'becoming.delta', 'failed');
like(column('becoming', 'error'), qr{Delta table "$tables/becoming".*version 1.*rowTeleport}, 'the error names the version and what it needs');
is($node->safe_psql('postgres', 'SELECT count(*) FROM becoming'), '5', 'no row of that version');
is($node->safe_psql('postgres', "SELECT next_version FROM feldera.delta_positions WHERE connector = 'becoming.delta'"), '1', 'the position is before it');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
