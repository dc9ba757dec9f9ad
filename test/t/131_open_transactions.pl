# A user's open transaction on a waiting connector holds up its own gate only: other gates open and other connectors start.
# After a rollback, which tells nobody, its gate opens too.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('open_transactions');
FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', "CREATE TABLE $_ (id bigint)") for qw(h w v o);
$node->safe_psql('postgres',
	    "BEGIN; SELECT feldera.create_connector('h', '"
	  . FelderaIngest->datagen(name => 'h', limit => 300, rate => 150, labels => ['loaded'])
	  . "'); SELECT feldera.create_connector('w', '"
	  . FelderaIngest->datagen(name => 'w', limit => 10, start_after => ['loaded'])
	  . "'); SELECT feldera.create_connector('v', '"
	  . FelderaIngest->datagen(name => 'v', limit => 10, start_after => ['loaded'])
	  . "'); COMMIT");
FelderaIngest->wait_for_state($node, 'postgres', 'w.w', 'waiting');
my $session = $node->background_psql('postgres');
$session->query_safe("BEGIN; SELECT feldera.pause_connector('w.w')");
FelderaIngest->wait_for_state($node, 'postgres', 'h.h', 'finished', 'the label is satisfied');
FelderaIngest->wait_for_state($node, 'postgres', 'v.v', 'finished', 'a gate beside the locked one opens');
$node->safe_psql('postgres', "SELECT feldera.create_connector('o', '" . FelderaIngest->datagen(name => 'o', limit => 10) . "')");
FelderaIngest->wait_for_state($node, 'postgres', 'o.o', 'finished', 'a new connector runs');
is($node->safe_psql('postgres', "SELECT released_at FROM feldera.connectors WHERE connector = 'w.w'"),
	'', 'the locked gate is closed');
$session->query_safe('ROLLBACK');
$session->quit;
{
	# well below the supervisor's look once a minute
	local $PostgreSQL::Test::Utils::timeout_default = 15;
	FelderaIngest->wait_for_state($node, 'postgres', 'w.w', 'finished', 'and opens soon after the rollback');
}
FelderaIngest->check_log($node);
$node->stop;
done_testing();
