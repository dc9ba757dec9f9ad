# Who is suspected of a crash: one at a time in the whole cluster, and not who has long proved itself, even inside of a long
# transaction.

use strict;
use warnings;

use FelderaIngest;
use IO::Socket::INET;
use Test::More;

# A broker that never answers: who asks it is opening its source for a long time.
my $listener = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', Proto => 'tcp') or die $!;
my $port = $listener->sockport;
my $node = FelderaIngest->new_cluster('suspects');
$node->safe_psql('postgres', 'CREATE DATABASE db2');
FelderaIngest->create_extension($node, $_) for qw(postgres db2);

# a transaction that stays open
{
	FelderaIngest->create_datagen($node, 'db2', 'long', rate => 100);
	$node->safe_psql('db2', "SELECT feldera.drop_connector('long.live')");
	$node->safe_psql('db2', <<'EOC');
SELECT feldera.create_connector('long', '{"name": "live", "transport": {"name": "datagen", "config": {"transaction_size": 100000000, "plan": [{"rate": 100}]}}}')
EOC
	FelderaIngest->wait_until($node, 'db2', 'SELECT bool_or(attempt_open) FROM feldera.progress', 'a run begins with a mark');
	FelderaIngest->wait_until($node, 'db2', 'SELECT NOT bool_or(attempt_open) FROM feldera.progress',
		'the mark is cleared although the transaction goes on');
	is($node->safe_psql('db2', 'SELECT count(*) FROM long'), '0', 'which it does');
	$node->safe_psql('db2', "SELECT feldera.drop_connector('long.live')");
}

# the guilty one in one database, an innocent one that is just opening in another
{
	$node->safe_psql('db2', <<"EOC");
CREATE TABLE i (id bigint);
SELECT feldera.create_connector('i', '{"name": "innocent", "transport": {"name": "kafka_input", "config": {"topic": "x",
	"api.version.request.timeout.ms": "300000", "socket.timeout.ms": "300000", "bootstrap.servers": "127.0.0.1:$port",
	"group_join_timeout_secs": 3600}}, "format": {"name": "json"}}')
EOC
	FelderaIngest->create_datagen($node, 'postgres', 't', rate => 100);
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 10 FROM t', 'rows arrive');
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	$node->append_conf('postgresql.conf', "feldera_ingest.debug_crash = 't.live'\n");
	$node->reload;
	$node->safe_psql('db2', "SELECT feldera.pause_connector('i.innocent'); SELECT feldera.start_connector('i.innocent')");
	FelderaIngest->wait_until($node, 'db2', "SELECT bool_or(attempt_open) FROM feldera.progress", 'the innocent one is opening');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok( FelderaIngest->poll(
			sub {
				my ($status, $output) = $node->psql('postgres', "SELECT state FROM feldera.connectors WHERE connector = 't.live'");
				return defined $status && $status == 0 && $output eq 'failed';
			}),
		'the guilty one has failed');
	is($node->safe_psql('db2', "SELECT count(*) FROM feldera.connectors WHERE state = 'failed'"),
		'0', 'the innocent one of another database has not');
}

FelderaIngest->check_log($node, any_crashes => 1);
$node->stop;
done_testing();
