# A backfill in one transaction (transaction_mode "snapshot"): nothing of it is visible before its end, the open transaction
# is told in pg_stat_activity, a pause and a crash in the middle leave nothing behind, and in the end it is exact.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::S3;
use FelderaIngest::Server;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 30_000;
my $table = PostgreSQL::Test::Utils::tempdir() . '/lineitem';
FelderaIngest::S3->write_lineitem($table, count => $rows, files => 3);

my $node = FelderaIngest->new_cluster('one_transaction', track_commit_timestamp => 'on');
FelderaIngest->create_extension($node, 'postgres');
my $columns = lineitem_columns();
my $lineitem = FelderaIngest::Server::tool('lineitem');
$node->safe_psql('postgres', <<"EOC");
CREATE TABLE lineitem ($columns);
CREATE TABLE expected ($columns);
COPY expected FROM PROGRAM '$lineitem csv 0 $rows' WITH (DELIMITER '|');
CREATE SEQUENCE batches;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
	\$\$ BEGIN PERFORM pg_sleep(0.02), nextval('public.batches'); RETURN NULL; END \$\$;
CREATE TRIGGER slow AFTER INSERT ON lineitem FOR EACH STATEMENT EXECUTE FUNCTION slow();
SELECT feldera.create_connector('lineitem', '{"name": "history", "max_batch_size": 500, "paused": true, "transport": {
	"name": "delta_table_input", "config": {"uri": "$table", "mode": "snapshot", "transaction_mode": "snapshot"}}}');
EOC

# Start it and wait until it is in the middle; sequences are not rolled back and not hidden.
sub run_into_the_middle
{
	my ($command) = @_;
	$node->safe_psql('postgres', "SELECT setval('batches', 1)");
	$node->safe_psql('postgres', $command) if defined $command;
	FelderaIngest->wait_until($node, 'postgres', 'SELECT last_value > 15 FROM batches', 'batches are being applied');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM lineitem'), '0', 'none is visible');
	is($node->safe_psql('postgres', "SELECT rows_processed FROM feldera.connectors"), '0', 'none is counted');
	return;
}

run_into_the_middle("SELECT feldera.start_connector('lineitem.history')");
is( $node->safe_psql('postgres', <<'EOC'), '1', 'pg_stat_activity shows one transaction for all of them');
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker' AND xact_start < now() - interval '200 ms'
EOC

# paused in the middle
$node->safe_psql('postgres', "SELECT feldera.pause_connector('lineitem.history')");
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'feldera_ingest worker'"),
	'a pause ends it in the middle');
is($node->safe_psql('postgres', 'SELECT count(*) FROM lineitem'), '0', 'nothing is left behind');

# killed in the middle
run_into_the_middle("SELECT feldera.start_connector('lineitem.history')");
my $pid = FelderaIngest->worker_pid($node, 'postgres', 'lineitem.history');
kill 'KILL', $pid;
ok(FelderaIngest->poll(sub { !kill 0, $pid }), 'kill -9 in the middle');
ok( FelderaIngest->poll(
		sub {
			my ($status, $state) = $node->psql('postgres', 'SELECT state FROM feldera.connectors');
			return defined $status && $status == 0 && $state eq 'finished';
		}),
	'it is taken again as a whole');
is( $node->safe_psql('postgres', <<'EOC'), '0', 'and exact');
SELECT count(*) FROM ((TABLE lineitem EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE lineitem)) d
EOC
is($node->safe_psql('postgres', 'SELECT count(DISTINCT pg_xact_commit_timestamp(xmin)) FROM lineitem'), '1', 'in one transaction');
is($node->safe_psql('postgres', 'SELECT rows_processed FROM feldera.connectors'), $rows, 'and counted once');

FelderaIngest->check_log($node, crashes => 1);
$node->stop;
done_testing();
