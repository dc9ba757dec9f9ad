# An idle connector makes no WAL and takes no transaction id for 30 s: following, waiting, paused, finished and failed ones.

use strict;
use warnings;

use FelderaIngest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = FelderaIngest->new_cluster('idle');
FelderaIngest->create_extension($node, 'postgres');

# A Delta table without a file: it is followed, and nothing ever comes.
my $table = PostgreSQL::Test::Utils::tempdir();
mkdir "$table/_delta_log" or die "mkdir: $!";
my $schema = '{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}';
open(my $log, '>', "$table/_delta_log/00000000000000000000.json") or die "open: $!";
print $log qq({"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n),
  qq({"metaData":{"id":"5fba94ed-9794-4965-ba6e-6ee3c0d22af9","format":{"provider":"parquet","options":{}},),
  qq("schemaString":"$schema","partitionColumns":[],"configuration":{},"createdTime":1700000000000}}\n);
close($log);
chmod 0755, $table;

my $json = qq({"name": "live", "labels": ["never"], "transport": {"name": "delta_table_input",
	"config": {"uri": "$table", "mode": "snapshot_and_follow"}}});
$node->safe_psql('postgres', "CREATE TABLE followed (id bigint); SELECT feldera.create_connector('followed', '$json')");
FelderaIngest->create_datagen($node, 'postgres', 'finished', limit => 10);
FelderaIngest->create_datagen($node, 'postgres', 'paused', paused => 1);
FelderaIngest->create_datagen($node, 'postgres', 'held', labels => ['held'], limit => 10, paused => 1);
FelderaIngest->create_datagen($node, 'postgres', 'waiting', start_after => ['held']);
FelderaIngest->create_datagen($node, 'postgres', 'failed', limit => 1000, rate => 10);
FelderaIngest->wait_for_state($node, 'postgres', 'failed.live', 'running');
$node->safe_psql('postgres', 'ALTER TABLE failed ADD PRIMARY KEY (id) DEFERRABLE');
FelderaIngest->wait_for_state($node, 'postgres', "$_->[0].live", $_->[1])
  for [ 'followed', 'running' ], [ 'finished', 'finished' ], [ 'paused', 'paused' ], [ 'waiting', 'waiting' ], [ 'failed', 'failed' ];
FelderaIngest->wait_until($node, 'postgres', <<'EOC', 'the followed table is idle, its attempt mark cleared');
SELECT bool_and(NOT attempt_open) AND bool_and(probed_at IS NOT NULL OR connector_id IN (
	SELECT connector_id FROM feldera.connectors WHERE pid IS NOT NULL))
FROM feldera.progress JOIN feldera.connector USING (connector_id)
EOC

# What autovacuum and checkpoints still have to do is done first.
$node->safe_psql('postgres', 'VACUUM; CHECKPOINT');
my $worker = FelderaIngest->worker_pid($node, 'postgres', 'followed.live');
my $figures = 'SELECT pg_current_wal_insert_lsn() || \' \' || pg_snapshot_xmax(pg_current_snapshot())';
my $before = $node->safe_psql('postgres', $figures);
my ($start, $after) = (time(), $before);
while (time() - $start < 30 && $after eq $before)
{
	usleep(500_000);
	$after = $node->safe_psql('postgres', $figures);
}
is($after, $before, sprintf('no WAL and no transaction id in %d s', time() - $start));
is(FelderaIngest->worker_pid($node, 'postgres', 'followed.live'), $worker, 'and it was one worker all the time');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
