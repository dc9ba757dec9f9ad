# The disk under the target fills up in the middle of a backfill: retrying with the reason, nothing put away, rows and position
# together; when there is room again every row comes exactly once.
#
# The disk is FELDERA_INGEST_SMALL_DISK, a directory with a file system of 24 MB of its own, or one that this test mounts in
# a user namespace of its own.

use strict;
use warnings;

use File::Temp ();
use Test::More;

# Before the modules below take hold of the output.
BEGIN
{
	my @namespace = qw(unshare --user --map-current-user --keep-caps --mount);
	my $script = 'mount -t tmpfs -o size=24m tmpfs "$1" && export FELDERA_INGEST_SMALL_DISK="$1" && shift && '
	  . 'exec setpriv --inh-caps=-all --ambient-caps=-all "$@"';

	if (!$ENV{FELDERA_INGEST_SMALL_DISK})
	{
		my $place = File::Temp::tempdir(TMPDIR => 1, CLEANUP => 1);
		plan skip_all => 'no right to mount a small file system'
		  if system("@namespace sh -c '$script' sh $place true 2>/dev/null") != 0;
		my $status = system(@namespace, 'sh', '-c', $script, 'sh', $place, $^X, (map { "-I$_" } @INC), $0);
		exit($status >> 8 || $status & 127);
	}
}

use FelderaIngest;
use FelderaIngest::S3;
use PostgreSQL::Test::Utils;

# Rows of 1.4 kB, and small ones among them, which always find a place: they must not go in alone.
my $rows = 10_000;
my $directory = PostgreSQL::Test::Utils::tempdir();
FelderaIngest::S3->python(<<"EOC");
for part in range(4):
    ids = range(part * $rows // 4, (part + 1) * $rows // 4)
    write_deltalake("$directory/table", pa.table({"id": pa.array(ids, pa.int32()), "filler": pa.array(["small" if i % 10 == 0 else f"{i:08}" * 170 for i in ids])}), mode="append")
EOC

my $place = File::Temp::tempdir('disk_XXXX', DIR => $ENV{FELDERA_INGEST_SMALL_DISK}, CLEANUP => 1);
open(my $ballast, '>', "$place/ballast") or die "ballast: $!";
print $ballast 'x' x (14 << 20) or die "ballast: $!";
close($ballast) or die "ballast: $!";
mkdir("$place/space") or die "space: $!";

my $node = FelderaIngest->new_cluster('disk_full');
FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$place/space'");
$node->safe_psql('postgres', <<"EOC");
CREATE TABLE target (id int PRIMARY KEY USING INDEX TABLESPACE small, filler text) TABLESPACE small;
ALTER TABLE target ALTER filler SET STORAGE PLAIN;
SELECT feldera.create_connector('target', '{"name": "delta", "max_batch_size": 500, "transport": {
	"name": "delta_table_input", "config": {"uri": "$directory/table", "mode": "snapshot"}}}');
EOC

FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'retrying' AND sqlstate = '53100' AND error ~ 'could not extend file .*No space left on device' AND retries >= 3 FROM feldera.connectors WHERE connector = 'target.delta'",
	'a full disk: retrying, with the reason');
my ($count, $processed, $planned) = split(/\|/, $node->safe_psql('postgres', <<'EOC'));
SELECT (SELECT count(*) FROM target), rows_processed, rows_read FROM feldera.connectors JOIN feldera.delta_positions USING (connector)
EOC
cmp_ok($count, '>', 0, "$count rows fit");
cmp_ok($count, '<', $rows, 'and not all');
is("$processed $planned", "$count $count", 'the position is where the rows are');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing is put away');
like(FelderaIngest->log_text($node), qr/No space left on device.*?CONTEXT:.*?file "part-[^"]*", from row \d+.*?connector "target.delta"/s,
	'the log names file and row');
my $log_size = FelderaIngest->log_size($node);
my $retries = "SELECT retries FROM feldera.connectors WHERE connector = 'target.delta'";
my $seen = $node->safe_psql('postgres', $retries);
FelderaIngest->wait_until($node, 'postgres', "SELECT retries > $seen FROM feldera.connectors WHERE connector = 'target.delta'", 'it is tried again');
cmp_ok(FelderaIngest->log_size($node) - $log_size, '<', 20_000, 'without much ado in the log');

unlink("$place/ballast") or die "ballast: $!";
FelderaIngest->wait_for_state($node, 'postgres', 'target.delta', 'finished', 'room again: it goes on by itself');
is($node->safe_psql('postgres', 'SELECT count(*), sum(id), count(*) FILTER (WHERE filler = CASE WHEN id % 10 = 0 THEN \'small\' ELSE repeat(lpad(id::text, 8, \'0\'), 170) END) FROM target'),
	"$rows|" . $rows * ($rows - 1) / 2 . "|$rows", 'each row once, and whole');
is($node->safe_psql('postgres', "SELECT rows_processed, error IS NULL FROM feldera.connectors"), "$rows|t", 'counted once, the error is gone');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
