# No worker slot free: queued, one log line, and on by itself when a slot frees.  Switching off ends everything.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('slots', 'feldera_ingest.max_workers' => 2);
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't' . $_, rate => 50) for 1 .. 2;
FelderaIngest->wait_for_state($node, 'postgres', "t$_.live", 'running') for 1 .. 2;

FelderaIngest->create_datagen($node, 'postgres', 't' . $_, rate => 50) for 3 .. 4;
FelderaIngest->wait_for_state($node, 'postgres', "t$_.live", 'queued') for 3 .. 4;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'"),
	'2', 'no more workers than feldera_ingest.max_workers');

# the start of a connector is pinned although all workers are busy
FelderaIngest->create_datagen($node, 'postgres', 't5', rate => 50, paused => 1);
ok( $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM feldera.datagen_positions WHERE connector = 't5.live'"),
	'a probe runs beside busy workers');

# a slot frees: one of the queued goes on
$node->safe_psql('postgres', "SELECT feldera.pause_connector('t1.live')");
FelderaIngest->wait_for_state($node, 'postgres', 't1.live', 'paused');
FelderaIngest->wait_for_state($node, 'postgres', 't3.live', 'running', 'the first in the queue goes on by itself');
is(FelderaIngest->state($node, 'postgres', 't4.live'), 'queued', 'the second is still queued');
$node->safe_psql('postgres', "SELECT feldera.drop_connector('t2.live')");
FelderaIngest->wait_for_state($node, 'postgres', 't4.live', 'running', 'and goes on when a connector is dropped');
my @lines = FelderaIngest->log_text($node) =~ /connector "t4\.live" is queued, because all 2 workers are busy/g;
is(scalar @lines, 1, 'one log line says queued');

# off and on
$node->safe_psql('postgres', 'ALTER SYSTEM SET feldera_ingest.enabled = off; SELECT pg_reload_conf()');
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'feldera_ingest%'"),
	'feldera_ingest.enabled = off leaves the launcher only');
FelderaIngest->wait_for_state($node, 'postgres', 't3.live', 'inactive');
like($node->safe_psql('postgres', "SELECT hint FROM feldera.connectors WHERE connector = 't3.live'"),
	qr/feldera_ingest\.enabled/, 'the hint names the setting');
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM t3');
$node->safe_psql('postgres', 'ALTER SYSTEM SET feldera_ingest.enabled = on; SELECT pg_reload_conf()');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM t3", 'on goes on');
FelderaIngest->rows_are_exact($node, 'postgres', 't3', 'exactly');
FelderaIngest->check_log($node);
$node->stop;

# not enough background workers
$node->append_conf('postgresql.conf', "max_worker_processes = 4\nmax_logical_replication_workers = 0\n");
$node->append_conf('postgresql.conf', "feldera_ingest.max_workers = 8\n");
$node->start;
$node->safe_psql('postgres', "SELECT feldera.start_connector('t1.live'), feldera.start_connector('t5.live')");
ok( $node->poll_query_until('postgres', "SELECT count(*) >= 1 FROM feldera.connectors WHERE state = 'queued'"),
	'without a free background worker a connector is queued');
$node->stop;

# not preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->start;
is($node->safe_psql('postgres', "SELECT state FROM feldera.connectors WHERE connector = 't3.live'"),
	'inactive', 'without the preload connectors are inactive');
like($node->safe_psql('postgres', "SELECT hint FROM feldera.connectors WHERE connector = 't3.live'"),
	qr/shared_preload_libraries/, 'and the hint says why');
{
	my $json = FelderaIngest->datagen(name => 'second', limit => 1);
	my ($status, undef, $error) = $node->psql('postgres', "SELECT feldera.create_connector('t3', '$json')");
	is($status, 0, 'declaring works');
	like($error, qr/WARNING:.*\n.*HINT:.*shared_preload_libraries/s, 'with a warning and a hint that nothing will run until then');
}
$node->stop;
done_testing();
