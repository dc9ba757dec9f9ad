# The life of a kafka_input between its start and its end: what a topic may hold and what may happen to it, by a broker that
# stays up. 322_kafka_broker.pl kills one.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;

my $kafka = FelderaIngest::Kafka->shared;
my $node = FelderaIngest->new_cluster('kafka_life', 'feldera_ingest.max_workers' => 30, max_worker_processes => 40);
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub wait_until { return FelderaIngest->wait_until($node, 'postgres', @_); }

sub wait_for_state { return FelderaIngest->wait_for_state($node, 'postgres', @_); }

# Messages {"id": first} .. {"id": last}.
sub messages { return map { qq({"id": $_}) } $_[0] .. $_[1]; }

sub produce
{
	my ($topic, $first, $last, $partition) = @_;
	$kafka->produce($topic, $partition // 0, messages($first, $last));
	return;
}

# As one transaction, which is committed or aborted.
sub transaction
{
	my ($topic, $end, $first, $last) = @_;
	$kafka->tool(join('', map { "$_\n" } messages($first, $last)), 'transaction', $topic, 0, $end);
	return;
}

sub declare
{
	my ($table, $config, %options) = @_;
	sql("CREATE TABLE IF NOT EXISTS $table (id bigint); SELECT feldera.create_connector('$table', '"
		  . $kafka->connector_json($config, %options) . "')");
	return;
}

sub from_start { return qq("topic": "$_[0]", "start_from": "earliest"); }

# Wait until the table holds exactly these.
sub wait_for_rows
{
	my ($table, $expected, $name) = @_;
	return wait_until("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') = '$expected' FROM $table", $name);
}

sub error_of { return sql("SELECT concat_ws(' ', sqlstate, error, hint) FROM feldera.connectors WHERE connector = '$_[0].live'"); }

sub positions
{
	return sql("SELECT string_agg(concat_ws(' ', partition, start_offset, next_offset), ', ' ORDER BY partition)
		FROM feldera.kafka_offsets WHERE connector = '$_[0].live'");
}

# Topics that will be gone: it takes a while until that is believed, so it happens beside the rest.
my %gone = map { $_ => $kafka->create_topic($_, 1) } qw(deleted shorter);
produce($_, 0, 9) for values %gone;
declare($_, from_start($gone{$_})) for sort keys %gone;
wait_for_rows($_, '0 1 2 3 4 5 6 7 8 9', "$_: read") for sort keys %gone;
$kafka->tool('', 'delete', $_) for values %gone;
my $later = "later_$$";
declare('early', from_start($later));

# ---- transactions, tombstones, control records ---------------------------------------------------------------------

my $mixed = $kafka->create_topic('mixed', 1);
produce($mixed, 0, 2);
transaction($mixed, 'commit', 3, 5);
transaction($mixed, 'abort', 1000, 1002);
$kafka->tool('', 'tombstone', $mixed, 0);
produce($mixed, 6, 7);
transaction($mixed, 'abort', 1003, 1004);
declare('mixed', from_start($mixed));
wait_for_rows('mixed', '0 1 2 3 4 5 6 7', 'rows of aborted transactions never appear');
wait_until("SELECT lag = 0 FROM feldera.connectors WHERE connector = 'mixed.live'", 'no lag is left by what is not visible');
is(positions('mixed'), join(' ', 0, $kafka->watermarks($mixed, 0)), 'the position is behind the last control record');
my $tombstones = $kafka->create_topic('tombstones', 1);
$kafka->tool('', 'tombstone', $tombstones, 0) for 1 .. 2;
declare('tombstones', from_start($tombstones));
wait_until("SELECT next_offset = 2 AND lag = 0 FROM feldera.kafka_offsets WHERE connector = 'tombstones.live'",
	'messages without a value move the position');
my $told = () = FelderaIngest->log_text($node) =~ /"tombstones\.live": messages without a value are passed over; the first is offset 0/g;
is($told, 1, 'and are told of once');
is(sql('SELECT count(*) FROM feldera.rejected_records'), '0', 'none is a bad record');

# ---- partitions that come while it runs, and while it does not --------------------------------------------------------

my $growing = $kafka->create_topic('growing', 1);
produce($growing, 0, 2);
declare('growing', qq("topic": "$growing", "start_from": "latest"));
declare('fixed', qq("topic": "$growing", "partitions": [0], "start_from": "earliest"));
declare('away', from_start($growing));
wait_for_rows('away', '0 1 2', 'one partition');
wait_for_rows('fixed', '0 1 2', 'one partition by its number');
wait_until("SELECT phase = 'live' FROM feldera.connectors WHERE connector = 'growing.live'", 'at the end of one partition');
sql("SELECT feldera.pause_connector('away.live')");
$kafka->tool('', 'partitions', $growing, 3);
produce($growing, 100, 102, 1);
produce($growing, 200, 200, 2);
produce($growing, 3, 3, 0);
wait_for_rows('growing', '3 100 101 102 200', 'partitions that a topic gains are read from their first message');
is(positions('growing'), '0 3 4, 1 0 3, 2 0 1', 'with positions');
sql("SELECT feldera.start_connector('away.live')");
wait_for_rows('away', '0 1 2 3 100 101 102 200', 'also those it gained while the connector was paused');
is(rows_of('fixed'), '0 1 2 3', 'but not where partitions are named');

sub rows_of { return sql("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM $_[0]"); }

# ---- records that expire ---------------------------------------------------------------------------------------------

my $expired = $kafka->create_topic('expired', 1);
produce($expired, 0, 4);
my %expiring = (strict => '', lenient => ', "resume_earliest_if_data_expires": true', idle => ', "resume_earliest_if_data_expires": true');
declare($_, from_start($expired) . $expiring{$_}) for sort keys %expiring;
wait_for_rows($_, '0 1 2 3 4', "$_: read") for sort keys %expiring;
sql("SELECT feldera.pause_connector('$_.live')") for sort keys %expiring;
produce($expired, 5, 9);
$kafka->tool('', 'trim', $expired, 0, 8);
sql("SELECT feldera.start_connector('$_.live')") for qw(strict lenient);
wait_for_state('strict.live', 'failed', 'records deleted below the position: failed');
like(error_of('strict'), qr/^58P01 offset 5 of topic "$expired" partition 0 exists no more; the watermarks are 8 and 10 3 offsets are lost\./,
	'naming offset, topic, partition and watermarks');
wait_for_rows('lenient', '0 1 2 3 4 8 9', 'with resume_earliest_if_data_expires it goes on');
like(FelderaIngest->log_text($node),
	qr/WARNING:  connector "lenient\.live": offsets 5 to 7 of topic "$expired" partition 0 exist no more and are passed over/,
	'and the gap is logged');
is(rows_of('strict'), '0 1 2 3 4', 'nothing was passed over by the other');

# All that is left was deleted: the gap is told and passed once, though no message follows it.
$kafka->tool('', 'trim', $expired, 0, 10);
sql("SELECT feldera.start_connector('idle.live')");
wait_until("SELECT next_offset = 10 AND lag = 0 FROM feldera.kafka_offsets WHERE connector = 'idle.live'",
	'a gap at the end of the topic moves the position');
is(sql("SELECT string_agg(connector || ' ' || offsets_lost, ', ' ORDER BY connector) FROM feldera.kafka_offsets WHERE offsets_lost > 0"),
	'idle.live 5, lenient.live 3', 'gaps stay visible');

# The same while they run: the inserts are held up, so that most of the topic is not even fetched when it is deleted.
my $trimmed = $kafka->create_topic('trimmed', 1);
my $pad = 'x' x 10_000;
$kafka->tool(join('', map { qq({"id": $_, "pad": "$pad"}\n) } 0 .. 299), 'produce', $trimmed, 0, 'batch.num.messages=1');
my $slow = '"fetch.message.max.bytes": 20000, "queued.max.messages.kbytes": 30';
my %running = (strictly => '', leniently => ', "resume_earliest_if_data_expires": true');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN');
for my $name (sort keys %running)
{
	sql("CREATE TABLE $name (id bigint)");
	$holder->query_safe("LOCK TABLE $name IN SHARE MODE");
	declare($name, from_start($trimmed) . ", $slow$running{$name}", more => '"max_batch_size": 1, "max_queued_records": 1');
}
wait_until("SELECT count(*) = 2 FROM pg_stat_activity JOIN feldera.connectors USING (pid)
	WHERE connector IN ('strictly.live', 'leniently.live') AND wait_event_type = 'Lock'", 'two inserts are held up');
$kafka->tool('', 'trim', $trimmed, 0, 300);
produce($trimmed, 300, 304);
$holder->query_safe('COMMIT');
$holder->quit;
wait_for_state('strictly.live', 'failed', 'records deleted while it runs: failed');
my $next = sql("SELECT next_offset FROM feldera.kafka_offsets WHERE connector = 'strictly.live'");
like(error_of('strictly'), qr/^58P01 offset $next of topic "$trimmed" partition 0 exists no more; the watermarks are 300 and 305/,
	'naming offset, topic, partition and watermarks');
cmp_ok($next, '<', 200, 'in the middle');
is(sql("SELECT count(*) || ' ' || max(id) FROM strictly"), $next . ' ' . ($next - 1), 'with all before it');
wait_until("SELECT count(*) = 5 FROM leniently WHERE id >= 300", 'or a gap, where it is allowed');
is(sql("SELECT count(*) - 5 + (SELECT offsets_lost FROM feldera.kafka_offsets WHERE connector = 'leniently.live') FROM leniently"),
	'300', 'that is counted');

# ---- set_offset and reset_connector -----------------------------------------------------------------------------------

sub refusal
{
	my ($statement) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
	return $error =~ /ERROR:  (.*)/ ? $1 : 'none';
}

like(refusal("SELECT feldera.set_offset('strict.live', '$expired', 0, 8)"), qr/^55000: connector "strict\.live" is not paused/,
	'set_offset needs a paused connector, also where it has failed');
like(refusal("SELECT feldera.set_offset('lenient.live', '$expired', 0, 8)"), qr/^55000: .* is not paused/, 'and where it runs');
like(refusal("SELECT feldera.reset_connector('lenient.live')"), qr/^55000: .* is not paused/, 'as does reset_connector');
sql("SELECT feldera.pause_connector('strict.live')");
sql("SELECT feldera.set_offset('strict.live', '$expired', 0, 10)");
produce($expired, 10, 11);
sql("SELECT feldera.start_connector('strict.live')");
wait_for_rows('strict', '0 1 2 3 4 10 11', 'set_offset heals it');
is(error_of('strict'), '', 'without an error');
sql("SELECT feldera.pause_connector('mixed.live')");
sql("SELECT feldera.set_offset('mixed.live', '$mixed', 0, 1)");
sql("SELECT feldera.start_connector('mixed.live')");
wait_for_rows('mixed', '0 1 1 2 2 3 3 4 4 5 5 6 6 7 7', 'set_offset goes back');
sql("SELECT feldera.pause_connector('mixed.live'); TRUNCATE mixed");
sql("SELECT feldera.reset_connector('mixed.live')");
is(positions('mixed'), '', 'reset_connector forgets the position');
sql("SELECT feldera.start_connector('mixed.live')");
wait_for_rows('mixed', '0 1 2 3 4 5 6 7', 'and it begins anew');

# ---- enable.partition.eof ------------------------------------------------------------------------------------------------

my $ending = $kafka->create_topic('ending', 3);    # partition 2 stays empty
produce($ending, 0, 4, 0);
produce($ending, 100, 101, 1);
transaction($ending, 'abort', 1000, 1001);         # and partition 0 ends in what nobody sees
my @end = map { ($kafka->watermarks($ending, $_))[1] } 0 .. 2;
sql('CREATE TABLE ending (id bigint); CREATE TABLE after_ending (id bigint)');
my $blocker = $node->background_psql('postgres');
$blocker->query_safe('BEGIN; LOCK TABLE ending IN SHARE MODE');
declare('ending', from_start($ending) . ', "enable.partition.eof": true', more => '"labels": ["ending"]');
declare('after_ending', from_start($tombstones), more => '"start_after": "ending"');
wait_until("SELECT count(*) = 3 FROM feldera.kafka_offsets WHERE connector = 'ending.live' AND end_offset IS NOT NULL",
	'the ends are pinned at the first start');
produce($ending, 5, 6, 0);
produce($ending, 102, 103, 1);
produce($ending, 200, 200, 2);
$kafka->tool('', 'partitions', $ending, 4);
produce($ending, 300, 300, 3);
is(sql("SELECT state FROM feldera.connectors WHERE connector = 'after_ending.live'"), 'waiting', 'the label is not satisfied yet');
my $worker = FelderaIngest->worker_pid($node, 'postgres', 'ending.live');
sql("SELECT pg_terminate_backend($worker)");
$blocker->query_safe('COMMIT');
$blocker->quit;
$node->safe_psql('postgres', "CALL feldera.wait_for('ending', '40 s')");
wait_for_state('ending.live', 'finished', 'it ends');
is(rows_of('ending'), '0 1 2 3 4 100 101', 'at the ends that it saw at its first start');
is( sql("SELECT string_agg(end_offset || ' ' || next_offset, ', ' ORDER BY partition) FROM feldera.kafka_offsets
		WHERE connector = 'ending.live'"),
	join(', ', map { "$_ $_" } @end), 'which were stored, and reached');
wait_for_state('after_ending.live', 'running', 'its label is satisfied');

# ---- properties and secrets --------------------------------------------------------------------------------------------------

my $plain = $kafka->create_topic('plain', 1);
produce($plain, 0, 1);
my %sasl = (
	security => '"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice"',
	sasl_right => 'alice-secret', sasl_wrong => 'wrong-password-of-alice');
declare('passed', from_start($plain) . ', "fetch.wait.max.ms": 50, "check.crcs": true, "socket.keepalive.enable": "true"');
wait_for_rows('passed', '0 1', 'properties may be numbers, booleans and strings');
like(refusal("SELECT feldera.create_connector('passed', '" . $kafka->connector_json(from_start($plain) . ", $_->[0]", name => 'x') . "')"),
	$_->[1], "$_->[0] reaches librdkafka")
  for [ '"fetch.wait.max.ms": -5', qr/^22023: \$\.transport\.config\["fetch\.wait\.max\.ms"\]: .*-5.* outside allowed range/ ],
  [ '"check.crcs": 7', qr/config\["check\.crcs"\]: .*check\.crcs/ ], [ '"no.such.property": 1', qr/No such configuration property/ ];

sql('CREATE ROLE feeder LOGIN; GRANT USAGE ON SCHEMA feldera TO feeder; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA feldera TO feeder;
	GRANT SELECT ON feldera.connectors TO feeder; CREATE TABLE fed (id bigint); GRANT INSERT, SELECT, UPDATE, DELETE ON fed TO feeder');
for my $property ('"ssl.ca.location": "/etc/passwd"', '"plugin.library.paths": "evil.so"', '"ssl.key.location": "/k"',
	'"sasl.kerberos.kinit.cmd": "true"', '"security.protocol": "sasl_ssl"')
{
	like(refusal("SET ROLE feeder; SELECT feldera.create_connector('fed', '" . $kafka->connector_json(from_start($plain) . ", $property") . "')"),
		qr/^42501: \$\.transport\.config\["[\w.]+"\]: /, "not for everybody: $property");
}
sql("SET ROLE feeder; SELECT feldera.create_connector('fed', '" . $kafka->connector_json(from_start($plain)) . "')");
wait_for_rows('fed', '0 1', 'the rest is for who may declare connectors');

declare($_, from_start($plain) . qq(, $sasl{security}, "sasl.password": "$sasl{$_}"), brokers => $kafka->sasl_brokers) for qw(sasl_right sasl_wrong);
wait_for_rows('sasl_right', '0 1', 'logging in by SASL');
wait_for_state('sasl_wrong.live', 'retrying', 'a wrong password is retried');
like(error_of('sasl_wrong'), qr/^28000 .*SASL authentication error: Authentication failed/, 'with the words of librdkafka');
sql("SELECT feldera.alter_connector('sasl_wrong.live', '{\"transport\": {\"config\": {\"sasl.password\": \"alice-secret\"}}}')");
wait_for_rows('sasl_wrong', '0 1', 'the right password heals it');
is(sql("SELECT DISTINCT config #>> '{transport,config,sasl.password}' FROM feldera.connectors WHERE connector IN ('sasl_right.live', 'sasl_wrong.live')"),
	'***', 'secrets are shown as ***');
my $secret = qq($sasl{security}, "sasl.password": "$sasl{sasl_right}");
like(refusal($_->[0]), $_->[1], "an error of a statement that holds a secret: $_->[1]")
  for [ "SELECT feldera.create_connector('fed', '" . $kafka->connector_json(qq("topik": "$plain", $secret)) . "')", qr/^22023/ ],
  [ "SELECT feldera.alter_connector('sasl_right.live', '{\"transport\": {\"config\": {\"topic\": \"x\", \"sasl.password\": \"alice-secret\"}}}')", qr/^55000/ ],
  [ "SELECT feldera.create_connector('fed', '"
	  . $kafka->connector_json(from_start($plain) . ", $secret", name => 'late', more => '"start_after": "nobody"') . "')",
	qr/^22023: .*nobody/ ],
  [ "CREATE TABLE fed (id bigint) WITH (connectors = '" . $kafka->connector_json(from_start($plain) . ", $secret") . "')", qr/^42P07/ ];
my $everything = FelderaIngest->log_text($node)
  . sql('SELECT string_agg(c::text, chr(10)) FROM feldera.connectors c')
  . sql('SELECT string_agg(h::text, chr(10)) FROM feldera.history h');
unlike($everything, qr/alice-secret|wrong-password-of-alice/, 'no password is in a view, the history or the log');

# ---- topics that are gone, and come back -----------------------------------------------------------------------------------------

for my $name (sort keys %gone)
{
	wait_for_state("$name.live", 'retrying', "$name: the topic was deleted");
	is(error_of($name), "58P01 topic \"$gone{$name}\" does not exist", 'with the reason');
}
wait_for_state('early.live', 'retrying', 'a topic that does not exist yet');
is(error_of('early'), "58P01 topic \"$later\" does not exist", 'is said');
$kafka->tool('', 'create', $later, 1);
produce($later, 0, 1);
wait_for_rows('early', '0 1', 'and read as soon as it does');

$kafka->tool('', 'create', $gone{shorter}, 1);
produce($gone{shorter}, 100, 102);
wait_for_state('shorter.live', 'failed', 'a topic that was created anew is another one');
like(error_of('shorter'), qr/^55000 topic "$gone{shorter}" partition 0 ends at offset 3, and the position is 10: the topic was created anew.* feldera\.set_offset/,
	'and is never read silently');
is(rows_of('shorter'), '0 1 2 3 4 5 6 7 8 9', 'not a row of it');
sql("SELECT feldera.pause_connector('shorter.live')");
sql("SELECT feldera.reset_connector('shorter.live')");
sql("SELECT feldera.start_connector('shorter.live')");
wait_for_rows('shorter', '0 1 2 3 4 5 6 7 8 9 100 101 102', 'only when told to');

is(sql('SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing was rejected');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
