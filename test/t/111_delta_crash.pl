# A Delta table on a local file, kill -9 of its worker in the middle of the snapshot and again while following: the table is
# exact, and each kill fell inside the work.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::S3;
use FelderaIngest::Server;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 60_000;
my $table = PostgreSQL::Test::Utils::tempdir() . '/lineitem';
FelderaIngest::S3->write_lineitem($table, count => $rows, files => 12);

my $node = FelderaIngest->new_cluster('delta_crash');
FelderaIngest->create_extension($node, 'postgres');
my $columns = lineitem_columns();
my $lineitem = FelderaIngest::Server::tool('lineitem');
$node->safe_psql('postgres', <<"EOC");
CREATE TABLE lineitem ($columns);
CREATE TABLE expected ($columns);
COPY expected FROM PROGRAM '$lineitem csv 0 $rows' WITH (DELIMITER '|');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END \$\$;
CREATE TRIGGER slow AFTER INSERT ON lineitem FOR EACH STATEMENT EXECUTE FUNCTION slow();
SELECT feldera.create_connector('lineitem', '{"name": "history", "labels": ["done"], "max_batch_size": 500,
	"transport": {"name": "delta_table_input", "config": {"uri": "$table", "mode": "snapshot_and_follow"}}}');
EOC

my $processed = "SELECT rows_processed FROM feldera.connectors WHERE connector = 'lineitem.history'";

sub wait_for_rows
{
	my ($wanted) = @_;
	ok( FelderaIngest->poll(
			sub {
				my ($status, $seen) = $node->psql('postgres', $processed);
				return defined $status && $status == 0 && $seen >= $wanted;
			}),
		"$wanted rows are there");
	return;
}

sub is_exact
{
	my ($name) = @_;
	is( $node->safe_psql('postgres', <<'EOC'), '0', $name);
SELECT count(*) FROM ((TABLE lineitem EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE lineitem)) d
EOC
	return;
}

# Kill the worker where "at" rows are there, of "total"; the server comes back by itself.
sub kill_worker
{
	my ($at, $total) = @_;
	wait_for_rows($at);
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 'lineitem.history');
	my $before = $node->safe_psql('postgres', $processed);
	kill 'KILL', $pid;
	FelderaIngest->poll(sub { !kill 0, $pid });
	my $after;
	FelderaIngest->poll(
		sub {
			my ($status, $seen) = $node->psql('postgres', $processed);
			$after = $seen;
			return defined $status && $status == 0;
		});
	ok($before >= $at && $before < $total && $after < $total, "kill at $before rows, $after after it, of $total");
	return;
}

kill_worker($rows * $_ / 10, $rows) for 2, 4, 7;
FelderaIngest->wait_until($node, 'postgres',
	"SELECT backfill_completed_at IS NOT NULL FROM feldera.connectors WHERE connector = 'lineitem.history'",
	'the backfill is complete');
is_exact('and exact');
is( $node->safe_psql('postgres', 'SELECT files_done = files_total AND files_total = 12 FROM feldera.delta_positions'),
	't', 'each file of the plan is done');

# appended rows are followed; a version that is in the middle of being applied is taken again as a whole
my $more = 20_000;
FelderaIngest::S3->write_lineitem($table, first => $rows, count => $more, files => 4);
$node->safe_psql('postgres', "COPY expected FROM PROGRAM '$lineitem csv $rows $more' WITH (DELIMITER '|')");
kill_worker($rows + 5000, $rows + $more);
wait_for_rows($rows + $more);
is_exact('what was appended is exact');
is($node->safe_psql('postgres', $processed), $rows + $more, 'and counted once');

FelderaIngest->check_log($node, crashes => 4);
$node->stop;
done_testing();
