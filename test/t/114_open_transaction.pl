# A user's open transaction that has changed one connector holds up nobody else: the supervisor does not wait for its locks.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('open_transaction');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 'a', rate => 500);
FelderaIngest->wait_for_state($node, 'postgres', 'a.live', 'running');
my $pid = FelderaIngest->worker_pid($node, 'postgres', 'a.live');

my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe("SELECT feldera.pause_connector('a.live')");

# the supervisor now has something to record about the connector whose rows are locked
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
	'the worker of the locked connector is gone');

my $supervisor = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'feldera_ingest supervisor'";
my $supervisor_pid = $node->safe_psql('postgres', $supervisor);

$session->query_safe('ROLLBACK');
FelderaIngest->create_datagen($node, 'postgres', 'b', rate => 500);
FelderaIngest->wait_for_state($node, 'postgres', 'b.live', 'running');
FelderaIngest->wait_for_state($node, 'postgres', 'a.live', 'running', 'after the rollback the first runs again');

$session->query_safe('BEGIN');
$session->query_safe("SELECT feldera.pause_connector('a.live')");
$pid = FelderaIngest->worker_pid($node, 'postgres', 'a.live');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$pid = FelderaIngest->worker_pid($node, 'postgres', 'b.live');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok( $node->poll_query_until('postgres',
		"SELECT pid <> $pid AND state = 'running' FROM feldera.connectors WHERE connector = 'b.live'"),
	'a failed connector is started again beside the locked one');
$session->query_safe('COMMIT');
FelderaIngest->wait_for_state($node, 'postgres', 'a.live', 'paused', 'after the commit the first is paused');
FelderaIngest->rows_are_exact($node, 'postgres', $_, "$_ is exact") for qw(a b);
is($node->safe_psql('postgres', $supervisor), $supervisor_pid, 'it was one supervisor all the time');
$session->quit;

FelderaIngest->check_log($node);
$node->stop;
done_testing();
