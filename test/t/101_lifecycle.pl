# Databases and extensions come and go: supervisors and workers follow within a second of the commit, and never stand in
# the way of DROP DATABASE or CREATE DATABASE ... TEMPLATE.

use strict;
use warnings;

use FelderaIngest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = FelderaIngest->new_cluster('lifecycle');

sub supervisors
{
	return $node->safe_psql('postgres',
		q{SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_stat_activity
		  WHERE backend_type = 'feldera_ingest supervisor'});
}

sub wait_for_supervisors
{
	my ($expected, $name) = @_;
	ok(FelderaIngest->poll(sub { supervisors() eq $expected }), $name) or diag(supervisors());
	return;
}

sub seconds(&)
{
	my ($code) = @_;
	my $start = time();
	$code->();
	return time() - $start;
}

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'feldera_ingest launcher'"),
	'1', 'the launcher runs without any extension');
wait_for_supervisors('', 'no database has a supervisor before CREATE EXTENSION');

# CREATE EXTENSION, rolled back and committed
$node->safe_psql('postgres', 'BEGIN; CREATE EXTENSION feldera_ingest; ROLLBACK');
$node->safe_psql('postgres', 'CREATE DATABASE second');
FelderaIngest->create_extension($node, $_) for qw(postgres second);
wait_for_supervisors('postgres second', 'CREATE EXTENSION in two databases');

# workers in two databases within a second of the commit
for my $database (qw(postgres second))
{
	FelderaIngest->create_datagen($node, $database, 't', rate => 200);
	my $took = seconds { $node->poll_query_until($database, 'SELECT count(*) > 0 FROM t') };
	cmp_ok($took, '<', 3, "rows arrive in $database soon after the declaration ($took s)");
	FelderaIngest->wait_for_state($node, $database, 't.live', 'running');
}

# a third database while the server runs
$node->safe_psql('postgres', 'CREATE DATABASE third');
FelderaIngest->create_extension($node, 'third');
FelderaIngest->create_datagen($node, 'third', 't', rate => 200);
FelderaIngest->wait_until($node, 'third', 'SELECT count(*) > 0 FROM t', 'rows arrive in a third database');

# DROP EXTENSION, rolled back and committed
$node->safe_psql('third', 'BEGIN; DROP EXTENSION feldera_ingest CASCADE; ROLLBACK');
my $before = $node->safe_psql('third', 'SELECT count(*) FROM t');
FelderaIngest->wait_until($node, 'third', "SELECT count(*) > $before FROM t", 'rows go on after a rolled back DROP EXTENSION');
$node->safe_psql('third', 'DROP EXTENSION feldera_ingest CASCADE');
wait_for_supervisors('postgres second', 'the supervisor leaves after DROP EXTENSION');
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'third' AND backend_type LIKE 'feldera_ingest%'"),
	'so do its workers');
FelderaIngest->rows_are_exact($node, 'third', 't', 'and its table is whole');
FelderaIngest->create_extension($node, 'third');
wait_for_supervisors('postgres second third', 'CREATE EXTENSION again');
FelderaIngest->create_datagen($node, 'third', 't2', rate => 200);
FelderaIngest->wait_until($node, 'third', 'SELECT count(*) > 0 FROM t2', 'and rows arrive again');

# DROP EXTENSION and CREATE EXTENSION in one transaction
$node->safe_psql('third', 'BEGIN; DROP EXTENSION feldera_ingest CASCADE; CREATE EXTENSION feldera_ingest; COMMIT');
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'third' AND backend_type = 'feldera_ingest worker'"),
	'DROP and CREATE EXTENSION in one transaction ends the workers');
wait_for_supervisors('postgres second third', 'and keeps a supervisor');

# CREATE DATABASE ... TEMPLATE of a database with running workers
my $took = seconds { $node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE second') };
cmp_ok($took, '<', 3, "CREATE DATABASE ... TEMPLATE of a database with workers succeeds at once ($took s)");
wait_for_supervisors('copy postgres second third', 'the template\'s supervisor comes back, the copy gets one');
$before = $node->safe_psql('second', 'SELECT count(*) FROM t');
FelderaIngest->wait_until($node, 'second', "SELECT count(*) > $before FROM t", 'the template\'s connector goes on');
FelderaIngest->rows_are_exact($node, 'second', 't', 'exactly');
FelderaIngest->wait_for_state($node, 'copy', 't.live', 'inactive', 'the copy\'s connector is not adopted');
$before = $node->safe_psql('copy', 'SELECT count(*) FROM t');
$node->safe_psql('copy', 'SELECT feldera.adopt()');
FelderaIngest->wait_until($node, 'copy', "SELECT count(*) > $before FROM t", 'after adopt() the copy goes on by itself');
FelderaIngest->rows_are_exact($node, 'copy', 't', 'exactly');

# of the session's own database
$took = seconds { $node->safe_psql('second', 'CREATE DATABASE own_copy TEMPLATE second') };
cmp_ok($took, '<', 3, "CREATE DATABASE ... TEMPLATE of one's own database as well ($took s)");
wait_for_supervisors('copy own_copy postgres second third', 'all have their supervisors');
$node->safe_psql('postgres', 'DROP DATABASE own_copy');

# a failing one: the template has a session
{
	my $session = $node->background_psql('second');
	$session->query_safe('SELECT 1');
	my ($status, undef, $error) = $node->psql('postgres', 'CREATE DATABASE copy2 TEMPLATE second');
	isnt($status, 0, 'CREATE DATABASE ... TEMPLATE with a session in the template fails as in core');
	like($error, qr/is being accessed by other users/, 'with core\'s message');
	like($error, qr/There is 1 other session/, 'which counts the session, not our processes');
	$session->quit;
	$before = $node->safe_psql('second', 'SELECT count(*) FROM t');
	FelderaIngest->wait_until($node, 'second', "SELECT count(*) > $before FROM t", 'the connector comes back after the abort');
}

# who may not drop a database does not stop its connectors
{
	$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
	my $pid = FelderaIngest->worker_pid($node, 'second', 't.live');
	my ($status) = $node->psql('postgres', 'DROP DATABASE second', extra_params => [ '-U', 'nobody' ]);
	isnt($status, 0, 'a stranger cannot drop the database');
	is(FelderaIngest->worker_pid($node, 'second', 't.live'), $pid, 'and has not stopped its worker');
}

# ALTER DATABASE ... RENAME
$took = seconds { $node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO renamed') };
cmp_ok($took, '<', 3, "ALTER DATABASE ... RENAME succeeds at once ($took s)");
$before = $node->safe_psql('renamed', 'SELECT count(*) FROM t');
FelderaIngest->wait_until($node, 'renamed', "SELECT count(*) > $before FROM t", 'and its connector goes on');

# DROP DATABASE of this and of another database while workers run
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$took = seconds { $node->safe_psql('postgres', 'DROP DATABASE plain') };
cmp_ok($took, '<', 3, "DROP DATABASE of another database succeeds at once ($took s)");
for my $database (qw(renamed second third))
{
	$took = seconds { $node->safe_psql('postgres', "DROP DATABASE $database") };
	cmp_ok($took, '<', 3, "DROP DATABASE $database with workers succeeds at once ($took s)");
}
wait_for_supervisors('postgres', 'only the last supervisor is left');
for my $database (map { "many$_" } 1 .. 8)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	FelderaIngest->create_extension($node, $database);
}
wait_for_supervisors(join(' ', (map { "many$_" } 1 .. 8), 'postgres'), 'eight databases more');
$took = seconds { $node->safe_psql('postgres', "DROP DATABASE many$_") for 1 .. 8 };
cmp_ok($took, '<', 8, "are dropped one after the other ($took s)");
wait_for_supervisors('postgres', 'and forgotten');
$before = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM t", 'and its connector goes on');

unlike(FelderaIngest->log_text($node), qr/FATAL:  database .* does not exist/, 'nobody tried to connect to a dropped database');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
