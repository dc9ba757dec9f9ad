# pg_dump carries connectors and positions; what pg_restore brings starts nothing until feldera.adopt(), and goes on
# exactly from there. Also --clean into the same database under running workers, and a template copy.

use strict;
use warnings;

use FelderaIngest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = FelderaIngest->new_cluster('dump');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';

# The next row of the generator is the number of rows: position and rows agree.
my $position_fits = q{SELECT (SELECT next_row FROM feldera.datagen_positions WHERE connector = 't.live')
	= (SELECT count(*) FROM t)};

# Two looks of the supervisor at this database have passed since the call.
sub wait_for_two_cycles
{
	my ($database) = @_;
	for (1 .. 2)
	{
		$node->safe_psql($database,
			"CREATE TABLE probe (id bigint); SELECT feldera.create_connector('probe', '"
			  . FelderaIngest->datagen(name => 'p', limit => 1)
			  . "'); SELECT 1");
		$node->poll_query_until($database, "SELECT state = 'finished' FROM feldera.connectors WHERE connector = 'probe.p'")
		  or die 'the supervisor does not look';
		$node->safe_psql($database, "SELECT feldera.drop_connector('probe.p'); DROP TABLE probe");
	}
	return;
}

FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', 'CREATE TABLE t (id bigint); CREATE TABLE h (id bigint)');
$node->safe_psql('postgres',
	"BEGIN; SELECT feldera.create_connector('h', '"
	  . FelderaIngest->datagen(name => 'hist', limit => 1000, labels => ['hist'])
	  . "'); SELECT feldera.create_connector('t', '"
	  . FelderaIngest->datagen(name => 'live', rate => 2000, start_after => ['hist'])
	  . "'); COMMIT");
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 500 FROM t', 'the second connector runs after the first');

# dumped while it runs
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump under load');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'pg_restore');

is($node->safe_psql('restored', 'SELECT connector, state FROM feldera.connectors ORDER BY connector'),
	"h.hist|finished\nt.live|inactive", 'the copy knows its connectors');
like(
	$node->safe_psql('restored', "SELECT hint FROM feldera.connectors WHERE connector = 't.live'"),
	qr/feldera\.adopt\(\)/, 'the hint says what to do');
is($node->safe_psql('restored', $position_fits), 't', 'the dump holds the rows and the position of one moment');
my $rows = $node->safe_psql('restored', 'SELECT count(*) FROM t');
my $epoch = $node->safe_psql('restored', "SELECT epoch FROM feldera.progress JOIN feldera.connector USING (connector_id) WHERE name = 't.live'");
wait_for_two_cycles('restored');
is($node->safe_psql('restored', 'SELECT count(*) FROM t'), $rows, 'nothing has run in the copy');
is( $node->safe_psql('restored',
		"SELECT epoch FROM feldera.progress JOIN feldera.connector USING (connector_id) WHERE name = 't.live'"),
	$epoch, 'nor was tried');
is($node->safe_psql('restored', 'SELECT feldera.adopt()'), '2', 'adopt()');
FelderaIngest->wait_until($node, 'restored', "SELECT count(*) > $rows + 500 FROM t", 'the adopted copy goes on');
FelderaIngest->rows_are_exact($node, 'restored', 't', 'exactly from where the dump stood');
is($node->safe_psql('restored', 'SELECT count(*) FROM h'), '1000', 'what was complete does not begin again');

# a new connector of the copy does not collide with the ones that came
FelderaIngest->create_datagen($node, 'restored', 'n', limit => 10);
FelderaIngest->wait_for_state($node, 'restored', 'n.live', 'finished');

# --clean into the same database, while its workers run
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $node->connstr('postgres'), $dump ],
	'pg_restore --clean into the same database under running workers');
is($node->safe_psql('postgres', "SELECT state FROM feldera.connectors WHERE connector = 't.live'"),
	'inactive', 'what came back is not adopted');
is($node->safe_psql('postgres', $position_fits), 't', 'rows and position are those of the dump');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), $rows, 'nothing was added');
$node->safe_psql('postgres', 'SELECT feldera.adopt()');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $rows + 500 FROM t", 'adopted, it goes on');
FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');

# data only, into a database that has the extension already
$node->safe_psql('postgres', 'CREATE DATABASE data_only');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--section=pre-data', '-d', $node->connstr('data_only'), $dump ],
	'the schema first');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--section=data', '-d', $node->connstr('data_only'), $dump ],
	'then the data');
is($node->safe_psql('data_only', "SELECT adopted FROM feldera.connector WHERE name = 't.live'"),
	'f', 'they are not adopted either');

# a template copy has another database
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE postgres');
is($node->safe_psql('copied', "SELECT state FROM feldera.connectors WHERE connector = 't.live'"),
	'inactive', 'nor is a template copy');
is($node->safe_psql('copied', $position_fits), 't', 'whose rows and position agree');
$node->safe_psql('copied', 'SELECT feldera.adopt()');
$rows = $node->safe_psql('copied', 'SELECT count(*) FROM t');
FelderaIngest->wait_until($node, 'copied', "SELECT count(*) > $rows FROM t", 'until it is adopted');
FelderaIngest->rows_are_exact($node, 'copied', 't', 'then it goes on exactly');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
