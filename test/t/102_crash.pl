# Crashes and shutdowns: connectors come back by themselves, and the rows are exactly right.

use strict;
use warnings;

use FelderaIngest;
use Test::More;
use Time::HiRes qw(time);

my $node = FelderaIngest->new_cluster('crash');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 2000);
FelderaIngest->create_datagen($node, 'postgres', 'other', rate => 100);

# Wait until rows have come on top of what is there; the server may be on its way up.
sub more_rows
{
	my ($name) = @_;
	my $first;
	ok( FelderaIngest->poll(
			sub {
				my ($status, $count) = $node->psql('postgres', 'SELECT count(*) FROM t');
				return 0 if !defined $status || $status != 0;
				$first //= $count;
				return $count > $first + 200;
			}),
		$name);
	return;
}

more_rows('rows arrive');

# kill -9 of a worker: the postmaster restarts everything
for my $round (1 .. 2)
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	kill 'KILL', $pid;
	ok(FelderaIngest->poll(sub { !kill 0, $pid }), "kill -9 of the worker, round $round");
	ok(FelderaIngest->poll(sub { FelderaIngest->log_text($node) =~ /all server processes terminated; reinitializing/ }),
		'the postmaster starts over');
	more_rows('rows go on after the crash');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
	FelderaIngest->rows_are_exact($node, 'postgres', 'other', 'the other connector as well');
}

# immediate shutdown, restart, fast shutdown
$node->stop('immediate');
$node->start;
more_rows('rows go on after an immediate shutdown');
FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
is($node->safe_psql('postgres', 'SELECT max(crash_marks) FROM feldera.connectors'), '0', 'which is no crash mark');

for my $round (1 .. 2)
{
	my $start = time();
	$node->stop('fast');
	my $took = time() - $start;
	cmp_ok($took, '<', 8, "a fast shutdown while rows are applied ends in $took s");
	$node->start;
	more_rows('rows go on after it');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
}

# SIGTERM of supervisor and launcher
for my $type ('feldera_ingest supervisor', 'feldera_ingest launcher')
{
	my $old = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($old)");
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = '$type' AND pid <> $old"),
		"another $type comes");
	more_rows('rows go on');
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'"),
	'2', 'and there is one worker a connector');
FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');

FelderaIngest->check_log($node, crashes => 2);
$node->stop;
done_testing();
