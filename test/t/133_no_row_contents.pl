# What pg_monitor may see of an error tells of no row's contents: the detail of a constraint's error stays in the server's log.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('no_row_contents');
FelderaIngest->create_extension($node, 'postgres');
my %tables = (
	checked => 'id bigint, CHECK (id < 0)',
	referring => 'id bigint REFERENCES referred',
);
$node->safe_psql('postgres', 'CREATE TABLE referred (id bigint PRIMARY KEY)');
for my $table (sort keys %tables)
{
	$node->safe_psql('postgres', "CREATE TABLE $table ($tables{$table})");
	FelderaIngest->create_datagen($node, 'postgres', $table, limit => 500);
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'retrying' AND sqlstate ~ '^23' AND error ~ 'violates' FROM feldera.connectors WHERE connector = '$table.live'",
		"$table: the error is shown");
}
$node->safe_psql('postgres', "CREATE ROLE watcher LOGIN IN ROLE pg_monitor");
my $seen = $node->safe_psql('postgres',
	"SET ROLE watcher; SELECT c::text FROM feldera.connectors c UNION ALL SELECT h::text FROM feldera.history h");
like($seen, qr/violates check constraint/, 'pg_monitor sees the error');
unlike($seen, qr/Failing row|Key \(/, 'and nothing of a row');
like(FelderaIngest->log_text($node), qr/DETAIL:  Failing row contains/, 'the log has the detail');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
