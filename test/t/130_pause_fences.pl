# A worker that begins while a pause is not yet committed does not begin once it is, even where no supervisor can tell it;
# and an ALTER sees the position that was stored while it waited.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('pause_fences');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 1000);
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 100 FROM t', 'rows arrive');
my $supervisor =
  $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'feldera_ingest supervisor'");

# The supervisor's own tables are at rest: it sleeps, and holds no lock that the test would wait for.
sub freeze_supervisor
{
	FelderaIngest->poll(
		sub {
			kill 'STOP', $supervisor;
			return 1
			  if $node->safe_psql('postgres', "SELECT xact_start IS NULL FROM pg_stat_activity WHERE pid = $supervisor") eq 't';
			kill 'CONT', $supervisor;
			return 0;
		}) or die 'the supervisor is never outside of a transaction';
	return;
}

# ---- a worker that begins behind an open pause -------------------------------------------------------------------------

{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$node->poll_query_until('postgres', "SELECT state = 'retrying' AND retry_at IS NOT NULL FROM feldera.connectors")
	  or die 'the terminated worker is not to be started again';
	my $session = $node->background_psql('postgres');
	$session->query_safe("BEGIN; SELECT feldera.pause_connector('t.live')");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker' AND wait_event_type = 'Lock'")
	  or die 'no worker waits for the pause';
	my $worker = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'");
	freeze_supervisor();
	my $epoch = $node->safe_psql('postgres', 'SELECT epoch FROM feldera.progress');
	my $rows = $session->query_safe('COMMIT; SELECT count(*) FROM t');
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $worker"),
		'a worker that begins behind a pause leaves by itself when the pause has committed');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), $rows, 'and has written no row');
	is($node->safe_psql('postgres', 'SELECT epoch, attempt_open FROM feldera.progress'),
		($epoch + 1) . '|f', 'nor taken an epoch: only the pause has');
	kill 'CONT', $supervisor;
	$session->quit;
	FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'paused');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('t.live')");
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $rows FROM t", 'it goes on after start_connector');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
}

# ---- a position that commits while an ALTER waits ------------------------------------------------------------------------

{
	$node->safe_psql('postgres',
		q{CREATE TABLE p (id bigint); SELECT feldera.create_connector('p', '{"name": "k", "paused": true,
		"transport": {"name": "kafka_input", "config": {"bootstrap.servers": "localhost:1", "topic": "a"}},
		"format": {"name": "json"}}')});
	my $pinner = $node->background_psql('postgres');
	$pinner->query_safe(q{BEGIN; UPDATE feldera.progress SET pinned_at = now() FROM feldera.connector c
		WHERE progress.connector_id = c.connector_id AND c.name = 'p.k'});
	my $alterer = $node->background_psql('postgres', on_error_stop => 0);
	$alterer->query_until(qr/begun/,
		qq{\\echo begun\nSELECT feldera.alter_connector('p.k', '{"transport": {"config": {"topic": "b"}}}');\n});
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT feldera.alter_connector' AND wait_event_type = 'Lock'"),
		'an ALTER waits for the position that is being stored');
	$pinner->query_safe('COMMIT');
	$pinner->quit;
	$alterer->query('SELECT 1');
	like($alterer->{stderr}, qr/cannot change while connector "p\.k" has a position/, 'and then knows of it');
	$alterer->quit;
	is( $node->safe_psql('postgres', "SELECT config #>> '{transport,config,topic}' FROM feldera.connectors WHERE connector = 'p.k'"),
		'a', 'nothing has changed');
}

# ---- a pause while a position is being stored ------------------------------------------------------------------------------

{
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; LOCK TABLE feldera.datagen_position IN SHARE MODE');
	FelderaIngest->create_datagen($node, 'postgres', 'd', rate => 1000);
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity a JOIN feldera.connectors c USING (pid) WHERE connector = 'd.live' AND wait_event_type = 'Lock'"),
		'a worker is storing its start');
	my $pauser = $node->background_psql('postgres', on_error_stop => 0);
	$pauser->query_until(qr/begun/, qq{\\echo begun\nSELECT feldera.pause_connector('d.live');\n});
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT feldera.pause_connector' AND wait_event_type = 'Lock'"),
		'a pause waits for it');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$pauser->query('SELECT 1');
	is($pauser->{stderr} =~ /(ERROR:.*)/ ? $1 : '', '', 'the pause gets through');
	$pauser->quit;
	FelderaIngest->wait_for_state($node, 'postgres', 'd.live', 'paused');
	unlike(FelderaIngest->log_text($node), qr/deadlock detected/, 'and nobody was the victim of a deadlock');
}

FelderaIngest->check_log($node);
$node->stop;
done_testing();
