# A snapshot of 200 files on S3, the server killed in the middle, and the table changed before it comes back: the plan is
# what is read, never the log again. A file of the plan that is gone is a failure that names it, never fewer rows.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::S3;
use Test::More;

my $s3 = FelderaIngest::S3->shared;
my $bucket = $s3->create_bucket('resume');
my ($files, $rows_a_file) = (200, 20);
my $rows = $files * $rows_a_file;

# The same table three times: ten commits of twenty files each.
$s3->python(<<"EOC");
for name in ("cleaned", "logless", "vacuumed"):
    for commit in range(10):
        ids = range(commit * $rows // 10, (commit + 1) * $rows // 10)
        write_deltalake(f"s3://$bucket/{name}", pa.table({
            "id": pa.array(ids, pa.int64()),
            "part": pa.array([i // $rows_a_file for i in ids], pa.int32()),
            "text": pa.array([f"text of {i}" for i in ids]),
        }), partition_by=["part"], mode="append", storage_options=storage_options())
EOC

my $node = FelderaIngest->new_cluster('delta_resume');
FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', <<'EOC');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END';
EOC
my %mode = (cleaned => 'snapshot_and_follow', logless => 'snapshot', vacuumed => 'snapshot');
my $options = $s3->options_json;
for my $name (sort keys %mode)
{
	$node->safe_psql('postgres', <<"EOC");
CREATE TABLE $name (id bigint, part int, text text);
CREATE TRIGGER slow AFTER INSERT ON $name FOR EACH STATEMENT EXECUTE FUNCTION slow();
SELECT feldera.create_connector('$name', '{"name": "history", "max_batch_size": $rows_a_file, "transport": {
	"name": "delta_table_input", "config": {"uri": "s3://$bucket/$name", $options, "mode": "$mode{$name}"}}}');
EOC
}

sub processed
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT rows_processed FROM feldera.connectors WHERE connector = '$name.history'");
}

# Rows with the ids below the limit, each once, and each value in its place.
sub is_exact
{
	my ($name, $limit, $what) = @_;
	is( $node->safe_psql('postgres', "SELECT count(*), sum(id), md5(string_agg(t::text, ',' ORDER BY id)) FROM $name t"),
		$node->safe_psql('postgres',
			"SELECT count(*), sum(id), md5(string_agg(t::text, ',' ORDER BY id)) FROM"
			  . " (SELECT id, id / $rows_a_file AS part, 'text of ' || id FROM generate_series(0, $limit - 1) id) t"),
		"$name: $what");
	return;
}

# ---- killed in the middle -----------------------------------------------------------------------------------------

for my $name (sort keys %mode)
{
	$node->poll_query_until('postgres',
		"SELECT rows_processed >= $rows * 0.15 FROM feldera.connectors WHERE connector = '$name.history'");
}
my %before = map { $_ => processed($_) } keys %mode;
$node->stop('immediate');
cmp_ok($before{$_}, '<', $rows * 0.9, "$_: killed at $before{$_} of $rows rows") for sort keys %mode;

# ---- what happens to the tables meanwhile -----------------------------------------------------------------------------

# A checkpoint, all older commits cleaned up, and the table replaced by a later version: the files of the plan stay.
$s3->python(<<"EOC");
table = DeltaTable("s3://$bucket/cleaned", storage_options=storage_options())
table.create_checkpoint()
EOC
$s3->delete_objects($bucket, map { sprintf('cleaned/_delta_log/%020d.json', $_) } 0 .. 8);
is(join(' ', map { m{([^/]+\.json)$} } $s3->keys($bucket, 'cleaned/_delta_log/')), '00000000000000000009.json', 'one commit is left in the log');
$s3->python(<<"EOC");
write_deltalake("s3://$bucket/cleaned", pa.table({"id": pa.array([$rows], pa.int64()),
    "part": pa.array([$rows // $rows_a_file], pa.int32()), "text": ["text of $rows"]}), mode="append",
    storage_options=storage_options())
EOC

# No log at all any more.
$s3->delete_objects($bucket, $s3->keys($bucket, 'logless/_delta_log/'));
is(join(' ', $s3->keys($bucket, 'logless/_delta_log/')), '', 'no log is left');

# Files of the plan removed by VACUUM.
$s3->python(<<"EOC");
table = DeltaTable("s3://$bucket/vacuumed", storage_options=storage_options())
table.delete("part >= 10")
table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
EOC

# ---- and back ---------------------------------------------------------------------------------------------------------

$node->start;
FelderaIngest->wait_for_state($node, 'postgres', 'logless.history', 'finished', 'a snapshot goes on without a log');
is_exact('logless', $rows, 'each row once');
is(processed('logless'), $rows, 'logless: each row counted once');

FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $rows FROM cleaned",
	'a snapshot goes on after the log was cleaned up, and is followed from there');
is_exact('cleaned', $rows + 1, 'each row once');
is($node->safe_psql('postgres',
		"SELECT start_version, backfill_end_version, next_version, files_done, files_total FROM feldera.delta_positions WHERE connector = 'cleaned.history'"),
	"9|9|11|$files|$files", 'cleaned: positions');

FelderaIngest->wait_for_state($node, 'postgres', 'vacuumed.history', 'failed', 'a file of the plan that is gone: failed');
my $error = $node->safe_psql('postgres', "SELECT error FROM feldera.connectors WHERE connector = 'vacuumed.history'");
like($error, qr{Delta table "s3://$bucket/vacuumed".*data file "part=\d+/part-[^"]*\.parquet" of version 9 no longer exists},
	'the error names table, file and version');
like($node->safe_psql('postgres', "SELECT hint FROM feldera.connectors WHERE connector = 'vacuumed.history'"),
	qr/VACUUM may have removed it/, 'the hint says why');
is($node->safe_psql('postgres', 'SELECT count(*) = count(DISTINCT id) FROM vacuumed'), 't', 'vacuumed: no row twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM vacuumed'), processed('vacuumed'), 'vacuumed: rows are those counted');
is($node->safe_psql('postgres', "SELECT backfill_completed_at IS NULL FROM feldera.connectors WHERE connector = 'vacuumed.history'"),
	't', 'vacuumed: the backfill is not complete');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing is put away');

# start_connector tries again, and fails again; a reset begins anew from the version that is
$node->safe_psql('postgres', "SELECT feldera.start_connector('vacuumed.history')");
FelderaIngest->wait_until($node, 'postgres',
	"SELECT count(*) = 2 FROM feldera.history WHERE connector = 'vacuumed.history' AND state = 'failed'",
	'start_connector tries again, in vain');
$node->safe_psql('postgres', <<'EOC');
SELECT feldera.pause_connector('vacuumed.history');
TRUNCATE vacuumed;
SELECT feldera.reset_connector('vacuumed.history');
SELECT feldera.start_connector('vacuumed.history');
EOC
FelderaIngest->wait_for_state($node, 'postgres', 'vacuumed.history', 'finished', 'a reset begins anew');
is_exact('vacuumed', 10 * $rows_a_file, 'the rows of the newest version');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
