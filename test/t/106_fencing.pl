# A zombie cannot write: a worker that was stopped with SIGSTOP over a pause or a reset commits nothing when it wakes up,
# even when nobody can tell it to leave.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('fencing');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 1000);
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 100 FROM t', 'rows arrive');
my $supervisor =
  $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'feldera_ingest supervisor'");

# Stop the worker outside of a transaction: inside of one it would hold the locks that the commands below wait for.
sub freeze_worker
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	FelderaIngest->poll(
		sub {
			kill 'STOP', $pid;
			return 1
			  if $node->safe_psql('postgres', "SELECT xact_start IS NULL FROM pg_stat_activity WHERE pid = $pid") eq 't';
			kill 'CONT', $pid;
			return 0;
		}) or die 'the worker is never outside of a transaction';
	return $pid;
}

sub count
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM t');
}

# over a pause, with a supervisor that cannot tell it either
{
	my $pid = freeze_worker();
	kill 'STOP', $supervisor;
	$node->safe_psql('postgres', "SELECT feldera.pause_connector('t.live')");
	my $before = count();
	kill 'CONT', $pid;
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
		'the zombie of a pause leaves by itself');
	is(count(), $before, 'and has written nothing');
	kill 'CONT', $supervisor;
	FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'paused');
	is(count(), $before, 'nor has anybody else');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('t.live')");
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM t", 'it goes on after start_connector');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
}

# over a reset: its successor does not wait for it
{
	my $pid = freeze_worker();
	$node->safe_psql('postgres', "SELECT feldera.pause_connector('t.live')");
	$node->safe_psql('postgres', "SELECT feldera.reset_connector('t.live')");
	$node->safe_psql('postgres', 'TRUNCATE t');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('t.live')");
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 100 FROM t', 'another worker starts beside the zombie');
	is($node->safe_psql('postgres', "SELECT count(*) FROM feldera.connectors WHERE connector = 't.live'"),
		'1', 'the view shows the connector once');
	kill 'CONT', $pid;
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
		'the zombie of a reset leaves');
	my $before = count();
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before + 100 FROM t", 'its successor goes on');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'the rows are exact from the beginning');
}

# pause means: no further row after its commit
for my $round (1 .. 5)
{
	$node->safe_psql('postgres', "SELECT feldera.pause_connector('t.live')");
	my $before = count();
	FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'paused');
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'"),
		"the worker of round $round leaves");
	is(count(), $before, 'no row appears after the pause');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('t.live')");
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM t", 'rows go on');
}
FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');

# alter restarts the worker, drop ends it
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	$node->safe_psql('postgres', q{SELECT feldera.alter_connector('t.live', '{"max_batch_size": 100}')});
	ok( $node->poll_query_until('postgres',
			"SELECT pid <> $pid AND state = 'running' FROM feldera.connectors WHERE connector = 't.live'"),
		'ALTER restarts the worker');
	my $before = count();
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM t", 'with its position');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
	$node->safe_psql('postgres', "SELECT feldera.drop_connector('t.live')");
	$before = count();
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'"),
		'DROP ends the worker');
	is(count(), $before, 'no row appears after the drop');
}

my @errors = FelderaIngest->log_text($node) =~ /(?:ERROR|FATAL): .*/g;
is(scalar @errors, 1, 'only the zombie that was told to leave while it was frozen says so') or diag(join("\n", @errors));
FelderaIngest->check_log($node);
$node->stop;
done_testing();
