# Not in shared_preload_libraries: everything can be declared and seen, nothing runs, and each place says why.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('idle', shared_preload_libraries => "''");
FelderaIngest->create_extension($node, 'postgres');
my $json = FelderaIngest->datagen(name => 'live', limit => 10);

my ($status, $output, $error) = $node->psql('postgres', "CREATE TABLE t (id bigint); SELECT feldera.create_connector('t', '$json')");
is("$status $output", '0 t.live', 'a connector is declared');
like($error, qr/WARNING:.*nothing will run.*shared_preload_libraries/, 'with a warning');
like($error, qr/HINT:.*shared_preload_libraries/, 'and a hint');
is( $node->safe_psql('postgres', 'SELECT state, hint FROM feldera.connectors'),
	'inactive|Add feldera_ingest to shared_preload_libraries and restart the server.', 'the view says the same');

($status, undef, $error) = $node->psql('postgres', "CALL feldera.wait_for('t.live', '10 ms')");
isnt($status, 0, 'wait_for() gives up at its time-out');
like($error, qr/NOTICE:.*no connector runs here/, 'and says why it waits');

# the library is loaded by the first function, and its hook must still not stand in for core
($status, undef, $error) = $node->psql('postgres',
	"SELECT feldera.adopt(); CREATE TABLE u (id bigint) WITH (connectors = '[]')");
like($error, qr/unrecognized parameter "connectors"/, 'CREATE TABLE keeps core\'s error');

$node->safe_psql('postgres', $_) for (
	q{SELECT feldera.pause_connector('t.live')}, q{SELECT feldera.alter_connector('t.live', '{"labels": ["x"]}')},
	q{SELECT feldera.start_connector('t.live')}, q{SELECT feldera.reset_connector('t.live')});
is($node->safe_psql('postgres', 'SELECT labels, state FROM feldera.connectors'), '{x}|inactive', 'the functions work');

# once it is preloaded the connector runs
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'feldera_ingest'");
$node->restart;
FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'finished');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '10', 'and its rows are there');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
