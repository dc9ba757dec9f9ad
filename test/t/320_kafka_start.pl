# Where a kafka_input starts: every spelling of the start, when each becomes a number, and what is said where it cannot.
#
# A message's id says where it stands: 1000 * topic + 100 * partition + offset, so that the rows of a table say which messages
# were read.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;
use Time::HiRes qw(time);

my $kafka = FelderaIngest::Kafka->shared;
# Commits that are not flushed at once are not flushed for long: what must survive is flushed by the commit itself.
my $node = FelderaIngest->new_cluster('kafka_start', 'feldera_ingest.max_workers' => 30, max_worker_processes => 40,
	wal_writer_delay => '10s');
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub wait_until { return FelderaIngest->wait_until($node, 'postgres', @_); }

# Messages [first, last] of a partition.
my %number_of_topic;

sub produce
{
	my ($topic, $partition, $first, $last) = @_;
	$kafka->produce($topic, $partition,
		map { sprintf '{"id": %d}', 1000 * $number_of_topic{$topic} + 100 * $partition + $_ } $first .. $last);
	return;
}

sub create_topic
{
	my ($name, @counts) = @_;
	my $topic = $kafka->create_topic($name, scalar @counts);
	$number_of_topic{$topic} = keys %number_of_topic;
	produce($topic, $_, 0, $counts[$_] - 1) for grep { $counts[$_] > 0 } 0 .. $#counts;
	return $topic;
}

# Declare a connector "live" on a new table of that name.
sub declare_sql
{
	my ($table, $config, %options) = @_;
	return "CREATE TABLE $table (id bigint); SELECT feldera.create_connector('$table', '"
	  . $kafka->connector_json($config, %options) . "');\n";
}

sub rows { return sql("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM $_[0]"); }

# ---- what is refused at once -------------------------------------------------------------------------------------

sql(<<'EOC');
CREATE TABLE refused (id bigint);
CREATE FUNCTION refusal(connector jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	PERFORM feldera.create_connector('refused', connector);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || SQLERRM || ' ' || hint;
END $$;
EOC

for my $case (
	[ '"topic": "a", "topics": ["a"]', qr/^22023 .*config: both "topic" and "topics"/ ],
	[ '"start_from": "latest"', qr/config\.topic: missing.*list of "topics"/ ],
	[ '"topics": []', qr/config\.topics: must be a list/ ],
	[ '"topics": ["a", "a"]', qr/config\.topics\[1\]: "a" is listed twice/ ],
	[ '"topics": ["a", 7]', qr/config\.topics\[1\]: must be a string/ ],
	[ '"topic": "a b"', qr/config\.topic: "a b" is not a topic's name/ ],
	[ '"topic": "a", "start_from": "first"', qr/config\.start_from: not a start.*"earliest", "latest"/ ],
	[ '"topic": "a", "start_from": {"offsets": [1], "timestamp": 1}', qr/config\.start_from: must hold either/ ],
	[ '"topic": "a", "start_from": {"offset": [1]}', qr/config\.start_from.*offset/ ],
	[ '"topic": "a", "start_from": {"offsets": [-1]}', qr/config\.start_from\.offsets\[0\]: -1 is out of range/ ],
	[ '"topic": "a", "start_from": {"timestamp": "noon"}', qr/config\.start_from\.timestamp: must be an integer/ ],
	[ '"topics": ["a", "b"], "start_from": {"offsets": [1]}', qr/offsets: needs exactly one topic.*"partition"/ ],
	[ '"topic": "a", "partitions": [0, 1], "start_from": {"offsets": [1]}', qr/1 offsets for 2 partitions/ ],
	[ '"topic": "a", "partitions": [0, 0]', qr/config\.partitions\[1\]: 0 is listed twice/ ],
	[ '"topics": ["a", "b"], "partitions": [0]', qr/config\.partitions: needs exactly one topic/ ],
	[ '"topic": "a", "start_from": "earliest", "seek": [{"partition": 0, "offset": 1}]', qr/both "start_from" and "seek"/ ],
	[ '"topics": ["a", "b"], "seek": [{"partition": 0, "offset": 1}]', qr/config\.seek\[0\]\.topic: missing/ ],
	[ '"topic": "a", "seek": [{"topic": "b", "partition": 0, "offset": 1}]', qr/seek\[0\]\.topic: "b" is not one of/ ],
	[ '"topic": "a", "seek": [{"partition": 0}]', qr/config\.seek\[0\]\.offset: missing/ ],
	[ '"topic": "a", "seek": [{"partition": 0, "offset": 1, "ofset": 1}]', qr/config\.seek\[0\].*ofset/ ],
	[ '"topic": "a", "seek": [{"partition": 0, "offset": 1}, {"partition": 0, "offset": 2}]', qr/seek\[1\]: .*named twice/ ],
	[ '"topic": "a", "partitions": [1], "seek": [{"partition": 0, "offset": 1}]', qr/seek\[0\]\.partition: 0 is not one of/ ],
	[ '"topics": ["a"], "auto.offset.reset": "none"', qr/"auto\.offset\.reset"\]: not a start.*earliest or latest/ ],
	[ '"topic": "a", "stat_from": "latest"', qr/"stat_from" is neither.*Perhaps you meant "start_from"/ ])
{
	my ($config, $expected) = @$case;
	like(sql("SELECT refusal('" . $kafka->connector_json($config) . "')"), $expected, "refused: $config");
}

# ---- every spelling ----------------------------------------------------------------------------------------------

my $many = create_topic('many', 10, 5, 3);
my $other = create_topic('other', 4);
my $timed = create_topic('timed', 2, 1);
my $until = int(time() * 1000) + 1;
FelderaIngest->poll(sub { time() * 1000 > $until });
produce($timed, 0, 2, 3);
my $trimmed = create_topic('trimmed', 10);
$kafka->tool('', 'trim', $trimmed, 0, 4);
my @ends = ([ $many, 10, 5, 3 ], [ $other, 4 ], [ $timed, 4, 1 ], [ $trimmed, 10 ]);

my $seek_many = qq("topic": "$many", "partition");
my $seek_other = qq("topic": "$other", "partition": 0, "offset");
my @spellings = (
	# name, configuration, [topic, partition, expected start] ...
	[ 'topic_only', qq("topic": "$many"), [ $many, 0, 10 ], [ $many, 1, 5 ], [ $many, 2, 3 ] ],
	[ 'latest', qq("topic": "$many", "start_from": "latest"), [ $many, 0, 10 ], [ $many, 1, 5 ], [ $many, 2, 3 ] ],
	[ 'earliest', qq("topic": "$many", "start_from": "earliest"), [ $many, 0, 0 ], [ $many, 1, 0 ], [ $many, 2, 0 ] ],
	[ 'earliest_left', qq("topic": "$trimmed", "start_from": "earliest"), [ $trimmed, 0, 4 ] ],
	[ 'offsets', qq("topic": "$many", "start_from": {"offsets": [8, 4, 3]}), [ $many, 0, 8 ], [ $many, 1, 4 ], [ $many, 2, 3 ] ],
	[ 'offsets_of_some', qq("topic": "$many", "partitions": [2, 0], "start_from": {"offsets": [1, 9]}),
		[ $many, 0, 9 ], [ $many, 2, 1 ] ],
	[ 'latest_of_one', qq("topic": "$many", "partitions": [1]), [ $many, 1, 5 ] ],
	[ 'by_time', qq("topic": "$timed", "start_from": {"timestamp": $until}), [ $timed, 0, 2 ], [ $timed, 1, 1 ] ],
	[ 'list', qq("topic": "$many", "auto.offset.reset": "earliest", "start_from": [{"partition": 0, "offset": 9}]),
		[ $many, 0, 9 ], [ $many, 1, 0 ], [ $many, 2, 0 ] ],
	[ 'list_of_topics', qq("topics": ["$many", "$other"], "start_from": [{$seek_other: 2}, {$seek_many: 0, "offset": 7}]),
		[ $many, 0, 7 ], [ $many, 1, 5 ], [ $many, 2, 3 ], [ $other, 0, 2 ] ],
	[ 'seek', qq("topics": ["$many"], "seek": [{$seek_many: 1, "offset": 2}]), [ $many, 0, 10 ], [ $many, 1, 2 ], [ $many, 2, 3 ] ],
	[ 'seek_or_earliest', qq("topics": ["$many"], "auto.offset.reset": "smallest", "seek": [{$seek_many: 1, "offset": 2}]),
		[ $many, 0, 0 ], [ $many, 1, 2 ], [ $many, 2, 0 ] ],
	[ 'seek_low', qq("topic": "$trimmed", "seek": [{"partition": 0, "offset": 4}]), [ $trimmed, 0, 4 ] ],
	[ 'seek_high', qq("topic": "$trimmed", "seek": [{"partition": 0, "offset": 10}]), [ $trimmed, 0, 10 ] ],
	[ 'topics', qq("topics": ["$many", "$other"]), [ $many, 0, 10 ], [ $many, 1, 5 ], [ $many, 2, 3 ], [ $other, 0, 4 ] ],
	[ 'topics_latest', qq("topics": ["$other"], "auto.offset.reset": "latest"), [ $other, 0, 4 ] ],
	[ 'topics_largest', qq("topics": ["$other"], "auto.offset.reset": "largest"), [ $other, 0, 4 ] ],
	[ 'topics_end', qq("topics": ["$other"], "auto.offset.reset": "end"), [ $other, 0, 4 ] ],
	[ 'topics_earliest', qq("topics": ["$many", "$other"], "auto.offset.reset": "earliest"),
		[ $many, 0, 0 ], [ $many, 1, 0 ], [ $many, 2, 0 ], [ $other, 0, 0 ] ],
	[ 'topics_beginning', qq("topics": ["$other"], "auto.offset.reset": "beginning"), [ $other, 0, 0 ] ]);
sql(join('', map { declare_sql($_->[0], $_->[1]) } @spellings));

# What cannot be a start is a failure that names it.
my @impossible = (
	[ 'below', qq("topic": "$trimmed", "seek": [{"partition": 0, "offset": 3}]),
		qr/offset '3' .*topic '$trimmed' partition 0, whose watermarks are 4 and 10/ ],
	[ 'above', qq("topic": "$trimmed", "start_from": {"offsets": [11]}),
		qr/offset '11' .*topic '$trimmed' partition 0, whose watermarks are 4 and 10/ ],
	[ 'no_partition', qq("topics": ["$trimmed"], "seek": [{"topic": "$trimmed", "partition": 7, "offset": 5}]),
		qr/offset '5' is for partition 7 of topic '$trimmed', which has 1 partitions/ ],
	[ 'no_such_partition', qq("topic": "$many", "partitions": [3]), qr/topic "$many" has no partition 3, but 3 partitions/ ],
	[ 'too_few', qq("topic": "$many", "start_from": {"offsets": [1, 2]}), qr/topic "$many" has 3 partitions .* 2 offsets/ ],
	[ 'paused_above', qq("topic": "$trimmed", "start_from": [{"partition": 0, "offset": 11}]), qr/offset '11'/, 1 ]);
sql(join('', map { declare_sql($_->[0], $_->[1], more => $_->[3] ? '"paused": true' : undef) } @impossible));

my $names = join(', ', map { "'$_->[0].live'" } @spellings);
wait_until("SELECT count(*) = " . scalar(@spellings) . " FROM feldera.connectors WHERE phase = 'live' AND connector IN ($names)",
	'every spelling starts');
for my $topic (@ends)
{
	my ($name, @counts) = @$topic;
	produce($name, $_, $counts[$_], $counts[$_]) for 0 .. $#counts;
}
for my $spelling (@spellings)
{
	my ($table, undef, @starts) = @$spelling;
	my (@rows, @positions);
	for my $start (@starts)
	{
		my ($topic, $partition, $first) = @$start;
		my ($end) = map { $_->[ 1 + $partition ] } grep { $_->[0] eq $topic } @ends;
		push @rows, map { 1000 * $number_of_topic{$topic} + 100 * $partition + $_ } $first .. $end;
		push @positions, join(' ', $topic, $partition, $first, $end + 1);
	}
	my $expected = join(' ', sort { $a <=> $b } @rows);
	wait_until("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') = '$expected' FROM $table", "$table: the rows");
	is( sql("SELECT string_agg(concat_ws(' ', topic, partition, start_offset, next_offset), E'\n' ORDER BY topic, partition)
			FROM feldera.kafka_offsets WHERE connector = '$table.live'"),
		join("\n", sort @positions), "$table: the positions");
}
for my $case (@impossible)
{
	FelderaIngest->wait_for_state($node, 'postgres', "$case->[0].live", 'failed', "$case->[0]: failed");
	like(sql("SELECT error FROM feldera.connectors WHERE connector = '$case->[0].live'"), $case->[2], 'with the reason');
	is(sql("SELECT count(*) FROM feldera.kafka_offsets WHERE connector = '$case->[0].live' AND next_offset IS NOT NULL"),
		'0', 'and nothing is pinned');
}
my $failed = join(', ', map { "'$_->[0].live'" } @impossible);
is(sql("SELECT string_agg(connector || ': ' || error, E'\n') FROM feldera.connectors WHERE error IS NOT NULL AND connector NOT IN ($failed)"),
	'', 'no others have errors');

my $log = FelderaIngest->log_text($node);
my $unnamed = 'is not named among the offsets to start from: it starts at';
like($log, qr/WARNING:  connector "list\.live": topic "$many" partition $_ $unnamed earliest/, "warned of partition $_") for 1, 2;
like($log, qr/WARNING:  connector "list_of_topics\.live": topic "$many" partition 1 $unnamed latest/, 'and where it is latest');
unlike($log, qr/connector "list_of_topics\.live": topic "$other" partition 0 $unnamed/, 'not of those that are named');
sql('SELECT feldera.drop_connector(connector) FROM feldera.connectors');

# ---- latest: a number right after the declaration, or when the gate opens ----------------------------------------

my $held = create_topic('held', 3);
my @held = (
	[ 'waiting_pinned', qq("topic": "$held", "start_from": "latest"), 'start_after', 3 ],
	[ 'waiting_default', qq("topic": "$held"), 'start_after', 3 ],
	[ 'paused_pinned', qq("topics": ["$held"], "start_from": "latest"), 'paused', 3 ],
	[ 'waiting_earliest', qq("topics": ["$held"], "auto.offset.reset": "earliest"), 'start_after', 0 ],
	[ 'waiting_seek', qq("topics": ["$held"], "seek": [{"topic": "$held", "partition": 0, "offset": 2}]), 'start_after', 2 ],
	[ 'waiting_symbolic', qq("topics": ["$held"], "auto.offset.reset": "latest"), 'start_after' ],
	[ 'paused_symbolic', qq("topics": ["$held"]), 'paused' ]);
my $history = FelderaIngest->datagen(name => 'gate', labels => ['history'], limit => 1, paused => 1);
sql("CREATE TABLE history (id bigint); SELECT feldera.create_connector('history', '$history');\n"
	  . join('',
		map { declare_sql($_->[0], $_->[1], more => $_->[2] eq 'paused' ? '"paused": true' : '"start_after": "history"') } @held));

sub positions
{
	return sql("SELECT string_agg(concat_ws(' ', connector, coalesce(start_offset::text, '?'), coalesce(next_offset::text, '?'),
		coalesce(declared_high_watermark::text, '?')), E'\n' ORDER BY connector)
		FROM feldera.kafka_offsets WHERE topic = '$held'");
}

wait_until("SELECT count(*) = " . scalar(@held) . " FROM feldera.kafka_offsets WHERE topic = '$held'", 'all are asked for');
is( positions(),
	join("\n", sort map { my $start = $_->[3] // '?'; "$_->[0].live $start $start 3" } @held),
	'held back: start_from is a number already, latest by auto.offset.reset is none, and the watermark is known');

# What was pinned is on disk at once.
$node->stop('immediate');
produce($held, 0, 3, 4);
$node->start;
is(positions(), join("\n", sort map { my $start = $_->[3] // '?'; "$_->[0].live $start $start 3" } @held),
	'the same after a crash of the server');
is(sql("SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM feldera.connectors"), 'paused waiting', 'all are still held back');

sql("SELECT feldera.start_connector('history.gate')");
sql("SELECT feldera.start_connector('$_->[0].live')") for grep { $_->[2] eq 'paused' } @held;
wait_until("SELECT count(*) = " . scalar(@held) . " FROM feldera.connectors WHERE phase = 'live'", 'all start');
is( sql("SELECT string_agg(connector || ' ' || start_offset, E'\n' ORDER BY connector) FROM feldera.kafka_offsets"),
	join("\n", sort map { "$_->[0].live " . ($_->[3] // 5) } @held),
	'what was a number stays that number; the other start is where the gate opened');
is( sql("SELECT string_agg(concat_ws(' ', connector, messages_passed_over), E'\n' ORDER BY connector)
		FROM feldera.connectors WHERE messages_passed_over IS NOT NULL"),
	"paused_symbolic.live 2\nwaiting_symbolic.live 2",
	'two messages were passed over between the declaration and the gate');

# The start that was found when the gate opened is on disk too, before anything was read.
$node->stop('immediate');
produce($held, 0, 5, 5);
$node->start;
for my $case (@held)
{
	my ($table, undef, undef, $first) = @$case;
	my $expected = join(' ', map { 1000 * $number_of_topic{$held} + $_ } ($first // 5) .. 5);
	wait_until("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') = '$expected' FROM $table",
		"$table: the message that came while the server was down, and all since the start");
}
is(sql("SELECT sum(messages_passed_over) FROM feldera.connectors"), '4', 'passed over is counted once');
my $passed = () = FelderaIngest->log_text($node) =~
  /LOG:  connector "\w+_symbolic\.live": 2 messages came between the declaration and the start, and are passed over/g;
is($passed, 2, 'and logged once for each');

# ---- latest on an idle topic, and a crash right after the pin -------------------------------------------------------

my %idle = (empty => create_topic('empty', 0), idle => create_topic('idle', 2));
sql(declare_sql("${_}_pinned", qq("topic": "$idle{$_}"))
	  . declare_sql("${_}_symbolic", qq("topics": ["$idle{$_}"], "auto.offset.reset": "latest")))
  for keys %idle;
wait_until("SELECT count(*) = 4 FROM feldera.kafka_offsets WHERE topic IN ('$idle{empty}', '$idle{idle}') AND next_offset IS NOT NULL",
	'latest on idle topics is pinned');
$node->stop('immediate');
produce($idle{empty}, 0, 0, 0);
produce($idle{idle}, 0, 2, 2);
$node->start;
for my $name (sort keys %idle)
{
	my $expected = 1000 * $number_of_topic{ $idle{$name} } + ($name eq 'idle' ? 2 : 0);
	for my $table ("${name}_pinned", "${name}_symbolic")
	{
		wait_until("SELECT count(*) > 0 FROM $table", "$table: the message that came while the server was down arrives");
		is(rows($table), $expected, 'and nothing else');
	}
}

is(sql('SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing was rejected');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
