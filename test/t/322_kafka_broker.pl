# A kafka_input whose broker, worker or server is killed: it says so while it lasts, goes on by itself, and its rows are exact.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;

my $kafka = FelderaIngest::Kafka->new(start => 1);
my $node = FelderaIngest->new_cluster('kafka_broker');
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub wait_until { return FelderaIngest->wait_until($node, 'postgres', @_); }

sub produce
{
	my ($topic, $partition, $first, $last) = @_;
	$kafka->produce($topic, $partition, map { qq({"id": $_}) } $first .. $last);
	return;
}

sub declare
{
	my ($table, $config, %options) = @_;
	sql("SELECT feldera.create_connector('$table', '" . $kafka->connector_json($config, %options) . "')");
	return;
}

sub count { return sql("SELECT count(*) FROM $_[0]"); }

# ---- workers and servers ---------------------------------------------------------------------------------------------

# Each statement takes its time, so that what is killed is killed in the middle.
my $total = 20_000;
my $stream = $kafka->create_topic('stream', 2);
produce($stream, 0, 0, $total / 2 - 1);
produce($stream, 1, $total / 2, $total - 1);
sql(<<'EOC');
CREATE TABLE stream (id bigint);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON stream FOR EACH STATEMENT EXECUTE FUNCTION slow();
EOC
declare('stream', qq("topic": "$stream", "start_from": "earliest"), more => '"max_batch_size": 50');

my @kills = (
	[ 'the worker is terminated', sub { sql('SELECT pg_terminate_backend(' . worker() . ')'); } ],
	[ 'the server restarts', sub { $node->restart; } ],
	[ 'the connector is paused and started',
		sub { sql("SELECT feldera.pause_connector('stream.live')"); sql("SELECT feldera.start_connector('stream.live')"); } ],
	[ 'the server is stopped at once', sub { $node->stop('immediate'); $node->start; } ],
	[ 'the worker is killed', sub { kill('KILL', worker()); wait_for_server(); } ],
	[ 'the broker is killed', sub { $kafka->kill9; $kafka->start; } ]);

sub worker { return FelderaIngest->worker_pid($node, 'postgres', 'stream.live'); }

sub wait_for_server
{
	FelderaIngest->poll(sub { my ($status) = $node->psql('postgres', 'SELECT 1'); return defined $status && $status == 0; });
	return;
}

for my $i (0 .. $#kills)
{
	my ($name, $kill) = @{ $kills[$i] };
	my $least = $total * ($i + 1) / 10;
	wait_until("SELECT count(*) >= $least FROM stream", "$least rows");
	my $before = count('stream');
	$kill->();
	my $after = count('stream');
	ok($before < $total && ($name =~ /broker/ || $after < $total), "$name at $before rows, $after are there after it");
}
wait_until("SELECT count(*) >= $total FROM stream", 'all rows arrive');
is(sql('SELECT count(*) || $$ $$ || count(DISTINCT id) || $$ $$ || max(id) FROM stream'),
	"$total $total " . ($total - 1), 'each one once');
is(sql("SELECT string_agg(next_offset::text, ' ') FROM feldera.kafka_offsets"), join(' ', ($total / 2) x 2), 'and the positions agree');

# ---- a broker that is away --------------------------------------------------------------------------------------------

sql('DROP TRIGGER slow ON stream; CREATE TABLE late (id bigint); CREATE TABLE held (id bigint)');
wait_until("SELECT state = 'running' AND lag = 0 FROM feldera.connectors WHERE connector = 'stream.live'", 'at the end');
my $changes = sql("SELECT max(id) FROM feldera.history");
my $log = FelderaIngest->log_size($node);
my $pid = worker();
$kafka->kill9;
# which of the two reasons comes first is the client's business
wait_until("SELECT state = 'retrying' AND error ~ '^no Kafka broker can be reached: .*(refused|Disconnected)' AND sqlstate = '08006'
		AND doing ~ '^no broker can be reached for \\d+ s, trying again' FROM feldera.connectors WHERE connector = 'stream.live'",
	'a broker that is away: retrying, with the reason');
is(sql("SELECT pid FROM feldera.connectors WHERE connector = 'stream.live'"), $pid, 'the worker stays and tries again');
declare('late', qq("topic": "$stream", "partitions": [1], "start_from": {"offsets": [9990]}),);
declare('held', qq("topic": "$stream", "partitions": [0]), more => '"paused": true');
wait_until("SELECT state = 'retrying' AND error ~ 'refused' FROM feldera.connectors WHERE connector = 'late.live'",
	'declared while it is away: retrying, with the reason');
wait_until("SELECT state = 'paused' AND error ~ 'refused' FROM feldera.connectors WHERE connector = 'held.live'",
	'declared paused: paused, with the reason why its start is no number yet');
$kafka->start;
wait_until("SELECT state = 'running' AND error IS NULL FROM feldera.connectors WHERE connector = 'stream.live'",
	'the broker is back: running');
is(sql("SELECT pid FROM feldera.connectors WHERE connector = 'stream.live'"), $pid, 'the same worker');
wait_until("SELECT next_offset = 10000 FROM feldera.kafka_offsets WHERE connector = 'held.live'", 'latest of the paused one is pinned');
produce($stream, 0, $total, $total + 9);
wait_until("SELECT count(*) = $total + 10 FROM stream", 'it goes on');
wait_until('SELECT count(*) = 10 FROM late', 'as does the one declared meanwhile');
sql("SELECT feldera.start_connector('held.live')");
wait_until('SELECT count(*) = 10 FROM held', 'and the paused one, from where it was pinned');
is( sql("SELECT string_agg(state, ' ' ORDER BY id) FROM feldera.history WHERE connector = 'stream.live' AND id > $changes"),
	'retrying running', 'the history has it once');
my $text = FelderaIngest->log_text($node, $log);
my $away = () = $text =~ /"stream\.live": no Kafka broker can be reached, trying again until one can: .*(?:refused|Disconnected)/g;
my $back = () = $text =~ /"stream\.live": a Kafka broker can be reached again after \d+ s/g;
is("$away $back", '1 1', 'and the log');

# ---- another cluster ------------------------------------------------------------------------------------------------------

my $other = FelderaIngest::Kafka->shared;
$other->tool('', 'create', $stream, 2);
$other->produce($stream, 0, map { qq({"id": -$_}) } 1 .. 20_000);

sub alter_brokers
{
	sql(qq(SELECT feldera.alter_connector('late.live', '{"transport": {"config": {"bootstrap.servers": "$_[0]"}}}')));
	return;
}

alter_brokers($other->brokers);
FelderaIngest->wait_for_state($node, 'postgres', 'late.live', 'failed', 'a topic of the same name in another cluster is refused');
like(sql("SELECT sqlstate || ' ' || error FROM feldera.connectors WHERE connector = 'late.live'"),
	qr/^55000 the Kafka cluster is \S+, and the position belongs to \S+$/, 'with the reason');
alter_brokers($kafka->brokers);
produce($stream, 1, $total + 10, $total + 10);
wait_until('SELECT count(*) = 11 FROM late', 'back at its own cluster it goes on where it was');
is(sql('SELECT count(*) FROM late WHERE id < 0'), '0', 'without a row of the other');

is(sql('SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing was rejected');
FelderaIngest->check_log($node, crashes => 1);
$node->stop;
done_testing();
