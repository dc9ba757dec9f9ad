# Speed, as ratios to COPY of the same rows into the same table in the same run; CPU a row; peak memory of the worker.
#
# Each round runs every way once, so that what else the machine does falls on all of them alike; the table shows medians.
# A connector's time is from its declaration to the commit of its last row, the start of its worker included.

use strict;
use warnings;

# PostgreSQL::Test::Utils sends standard output to its own log; what is shown here goes where the caller reads.
my $screen;
BEGIN { open($screen, '>&', \*STDOUT) or die "standard output: $!"; }

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::Kafka;
use FelderaIngest::S3;
use FelderaIngest::Server;
use IO::Handle ();
use IPC::Run ();
use Test::More;
use POSIX ();
use Time::HiRes qw(usleep time);

my ($rows, $rounds) = ($ENV{BENCH_ROWS}, $ENV{BENCH_ROUNDS});
my $clock_ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());

$screen->autoflush(1);
Test::More->builder->output('/dev/null');
Test::More->builder->failure_output('/dev/null');

my $kafka = FelderaIngest::Kafka->new(start => 1);
my $node = FelderaIngest->new_cluster('bench', fsync => 'on', shared_buffers => '2GB', max_wal_size => '8GB',
	autovacuum => 'off', checkpoint_timeout => '1h');
my $directory = File::Temp::tempdir(CLEANUP => 1);
my $lineitem = FelderaIngest::Server::tool('lineitem');
chmod 0755, $directory;

$node->safe_psql('postgres', 'CREATE EXTENSION feldera_ingest');
$node->safe_psql('postgres', 'CREATE TABLE lineitem (' . lineitem_columns() . ')');
print {$screen} "$rows rows of lineitem, 16 columns; median of $rounds rounds\n";
system("$lineitem csv 0 $rows > $directory/rows.csv") == 0 or die "the generator failed\n";
FelderaIngest::S3->write_lineitem("$directory/delta", count => $rows, files => 8);
my %topics = (json => $kafka->create_topic('json', 1), csv => $kafka->create_topic('csv', 1));
$kafka->produce_lineitem($topics{$_}, 0, $_, 0, $rows) for qw(json csv);
$node->safe_psql('postgres', "COPY lineitem FROM '$directory/rows.csv' WITH (DELIMITER '|')");
$node->safe_psql('postgres', "COPY lineitem TO '$directory/rows.binary' WITH (FORMAT binary)");

# CPU seconds and RssAnon of a process; empty when it is gone.
sub process_figures
{
	my ($pid) = @_;
	open(my $stat, '<', "/proc/$pid/stat") or return;
	my @fields = split ' ', (<$stat> =~ s/^.*\) //r);
	open(my $status, '<', "/proc/$pid/status") or return;
	my ($memory) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return if !defined $memory;
	return (($fields[11] + $fields[12]) / $clock_ticks, $memory / 1024);
}

sub clean
{
	$node->safe_psql('postgres', 'TRUNCATE lineitem');
	$node->safe_psql('postgres', 'CHECKPOINT');
	return;
}

sub copy_from
{
	my ($options) = @_;
	clean();
	my $began = time();
	my $file = $options =~ /binary/ ? 'binary' : 'csv';
	my $cpu = $node->safe_psql('postgres', <<"EOC");
COPY lineitem FROM '$directory/rows.$file' WITH ($options);
SELECT pg_read_file('/proc/' || pg_backend_pid() || '/stat');
EOC
	my @fields = split ' ', ($cpu =~ s/^.*\) //r);
	return { seconds => time() - $began, cpu => ($fields[11] + $fields[12]) / $clock_ticks };
}

sub connector
{
	my ($config, $done) = @_;
	clean();
	my ($cpu, $memory, $pid) = (0, 0);
	my $began = time();
	$node->safe_psql('postgres', "SELECT feldera.create_connector('lineitem', '$config')");
	until ($node->safe_psql('postgres', $done) eq 't')
	{
		$pid = $node->safe_psql('postgres', "SELECT coalesce(max(pid), 0) FROM feldera.connectors") || $pid;
		for (1 .. 5)
		{
			my @figures = process_figures($pid // 0);
			if (@figures)
			{
				$cpu = $figures[0] if $figures[0] > $cpu;
				$memory = $figures[1] if $figures[1] > $memory;
			}
			usleep(10_000);
		}
		time() - $began < 600 or die 'no end: ' . $node->safe_psql('postgres', 'SELECT to_jsonb(c) FROM feldera.connectors c');
	}
	my $seconds = $node->safe_psql('postgres',
		"SELECT extract(epoch FROM last_commit_at) FROM feldera.connectors") - $began;
	my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM lineitem');
	$count == $rows or die "$count rows instead of $rows\n";
	$node->safe_psql('postgres', "SELECT feldera.drop_connector(connector) FROM feldera.connectors");
	return { seconds => $seconds, cpu => $cpu, memory => $memory };
}

sub kafka_config
{
	my ($format, $config) = @_;
	return sprintf '{"name": "bench", "transport": {"name": "kafka_input", "config": {"bootstrap.servers": "%s",'
	  . ' "topic": "%s", "start_from": "earliest"}}, "format": {"name": "%s", "config": %s}}',
	  $kafka->brokers, $topics{$format}, $format, $config;
}

my $finished = "SELECT state = 'finished' FROM feldera.connectors";
my $consumed = "SELECT coalesce(bool_and(next_offset = $rows), false) FROM feldera.kafka_offsets";
my @ways = (
	[ 'COPY BINARY', sub { copy_from('FORMAT binary') } ],
	[ 'COPY CSV', sub { copy_from("DELIMITER '|'") } ],
	[ 'Delta (local file) -> heap', sub {
			connector(qq({"name": "bench", "transport": {"name": "delta_table_input",)
				  . qq( "config": {"uri": "$directory/delta", "mode": "snapshot"}}}), $finished);
	} ],
	[ 'Kafka JSON -> heap', sub { connector(kafka_config('json', '{"update_format": "raw"}'), $consumed) } ],
	[ 'Kafka CSV -> heap', sub { connector(kafka_config('csv', '{"delimiter": "|"}'), $consumed) } ],
);

my %results;
for my $round (1 .. $rounds)
{
	push @{ $results{ $_->[0] } }, $_->[1]->() for @ways;
}

sub median
{
	my @sorted = sort { $a <=> $b } grep { defined } @_;
	return @sorted ? $sorted[ $#sorted / 2 ] : undef;
}

sub figure { my ($way, $name) = @_; return median(map { $_->{$name} } @{ $results{$way} }); }

printf {$screen} "%-28s %10s %16s %13s %12s %14s\n", '', 'krows/s', 'to COPY BINARY', 'to COPY CSV', 'CPU us/row', 'peak RssAnon';
for my $way (map { $_->[0] } @ways)
{
	my $memory = figure($way, 'memory');
	printf {$screen} "%-28s %10.0f %16.2f %13.2f %12.2f %14s\n", $way, $rows / figure($way, 'seconds') / 1000,
	  figure('COPY BINARY', 'seconds') / figure($way, 'seconds'), figure('COPY CSV', 'seconds') / figure($way, 'seconds'),
	  figure($way, 'cpu') / $rows * 1e6, defined $memory ? sprintf('%.0f MB', $memory) : '-';
}
$node->stop;
