# A fast shutdown ends within seconds, and DROP DATABASE at once, while workers wait for a network that never answers and
# while they are in the middle of a batch.

use strict;
use warnings;

use FelderaIngest;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

# Takes connections (the kernel does) and never says a word.
my $silent = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $silent_port = $silent->sockport;
my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $closed_port = $closed->sockport;
$closed->close;

my $node = FelderaIngest->new_cluster('shutdown');

sub kafka
{
	my ($port) = @_;
	return qq({"name": "kafka", "format": {"name": "json"}, "transport": {"name": "kafka_input",
		"config": {"topic": "t", "start_from": "earliest", "bootstrap.servers": "127.0.0.1:$port"}}});
}

sub declare_all
{
	my ($database) = @_;
	FelderaIngest->create_extension($node, $database);
	for my $port ($silent_port, $closed_port)
	{
		my $json = kafka($port);
		$node->safe_psql($database, "CREATE TABLE k$port (id bigint); SELECT feldera.create_connector('k$port', '$json')");
	}
	FelderaIngest->create_datagen($node, $database, 'busy', more => '"max_batch_size": 1000');
	$node->safe_psql($database, <<'EOC');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON busy FOR EACH ROW EXECUTE FUNCTION slow();
EOC
	return;
}

# The worker is inside of a batch that takes many seconds.
sub wait_for_batch
{
	my ($database) = @_;
	FelderaIngest->wait_until($node, $database, <<'EOC', 'a worker is in the middle of a slow batch');
SELECT count(*) = 1 FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'feldera_ingest worker' AND wait_event = 'PgSleep'
EOC
	return;
}

declare_all('postgres');
for my $port ($silent_port, $closed_port)
{
	FelderaIngest->wait_until($node, 'postgres', <<"EOC", "the connector of port $port tries");
SELECT state IN ('running', 'retrying') FROM feldera.connectors WHERE connector = 'k$port.kafka'
EOC
}
wait_for_batch('postgres');
for my $round (1 .. 2)
{
	my $start = time();
	$node->stop('fast');
	my $took = time() - $start;
	cmp_ok($took, '<', 8, "a fast shutdown ends in $took s");
	$node->start;
	wait_for_batch('postgres');
}

$node->safe_psql('postgres', 'CREATE DATABASE doomed');
declare_all('doomed');
wait_for_batch('doomed');
my $start = time();
$node->safe_psql('postgres', 'DROP DATABASE doomed');
my $took = time() - $start;
cmp_ok($took, '<', 5, "DROP DATABASE in the middle of a batch takes $took s");

# pause does not wait for the batch either
$start = time();
$node->safe_psql('postgres', "SELECT feldera.pause_connector('busy.live')");
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE '%busy.live'"),
	'a pause ends the worker in the middle of its batch');
$took = time() - $start;
cmp_ok($took, '<', 5, "within $took s");

FelderaIngest->check_log($node);
$node->stop;
done_testing();
