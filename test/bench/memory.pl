# Memory of a worker at default limits: the largest RssAnon while it reads a row group of 1 GB, several files at once, and topics of
# 2 GB, of messages that compress a little, well, and very well. Exits with a failure where one is above 200 MB.

use strict;
use warnings;

# PostgreSQL::Test::Utils sends standard output to its own log; what is shown here goes where the caller reads.
my $screen;
BEGIN { open($screen, '>&', \*STDOUT) or die "standard output: $!"; }

use FelderaIngest;
use FelderaIngest::Kafka;
use FelderaIngest::Memory;
use FelderaIngest::S3;
use Test::More;
use Time::HiRes qw(usleep time);

my $limit = 200;
my $megabytes = $ENV{BENCH_TOPIC_MB} // 2000;

select($screen);
$| = 1;
Test::More->builder->output('/dev/null');
Test::More->builder->failure_output('/dev/null');

my $node = FelderaIngest->new_cluster('memory', max_wal_size => '8GB');
$node->safe_psql('postgres', 'CREATE EXTENSION feldera_ingest');
my $above = 0;

# Run the connector to its end, and show what it took.
sub run
{
	my ($name, $json, $done) = @_;
	local $ENV{PGOPTIONS} = '-c client_min_messages=error';
	FelderaIngest::Memory->create_target($node, 'target');
	my $began = time();
	$node->safe_psql('postgres', "SELECT feldera.create_connector('target', '$json')");
	my $watch = FelderaIngest::Memory->watch(FelderaIngest->worker_pid($node, 'postgres', 'target.live'));
	until ($node->safe_psql('postgres', $done) eq 't')
	{
		time() - $began < 600 or die 'no end: ' . $node->safe_psql('postgres', 'SELECT to_jsonb(c) FROM feldera.connectors c');
		usleep(100_000);
	}
	my $seconds = time() - $began;
	my $peak = $watch->peak;
	printf "%-50s %8.1f s %8.0f MB\n", $name, $seconds, $peak;
	$above++ if $peak > $limit;
	$node->safe_psql('postgres', "SELECT feldera.drop_connector('target.live'); DROP TABLE target");
	$node->safe_psql('postgres', 'DROP FUNCTION target_shorten, target_pause');
	return;
}

printf "%-50s %10s %11s\n", 'memory of a worker', '', 'peak RssAnon';
{
	my $s3 = FelderaIngest::S3->new(start => 1);
	my $bucket = $s3->create_bucket('memory');
	for my $case ([ 1, 200_000 ], [ 8, 60_000 ])
	{
		my ($files, $rows) = @$case;
		my $sizes = FelderaIngest::Memory->write_row_group($s3, $bucket, rows => $rows, files => $files, name => "of_$files");
		run(sprintf('Delta on S3, files %d, row group %.2f GB', $files, $sizes->{decoded} / 1e9),
			qq({"name": "live", "transport": {"name": "delta_table_input",
				"config": {"uri": "s3://$bucket/of_$files", "mode": "snapshot", ) . $s3->options_json . '}}}',
			"SELECT state = 'finished' FROM feldera.connectors");
	}
	$s3->stop;
}
my $kafka = FelderaIngest::Kafka->new(start => 1);
for my $case ([ none => 1 ], [ gzip => 1 ], [ lz4 => 1 ], [ lz4 => 4 ], [ zstd => 1 ])
{
	my ($codec, $partitions) = @$case;
	my $topic = $kafka->create_topic("memory_$codec", $partitions);
	my $messages = 0;
	$messages += FelderaIngest::Memory->produce($kafka, $topic, $_, megabytes => $megabytes / $partitions, codec => $codec)
	  for 0 .. $partitions - 1;
	run("Kafka, $megabytes MB, codec $codec, $partitions partitions",
		$kafka->connector_json(qq("topic": "$topic", "start_from": "earliest")),
		"SELECT coalesce(sum(next_offset), 0) = $messages FROM feldera.kafka_offsets");
	$kafka->tool('', 'delete', $topic);
}
$node->stop;
$above == 0 or die "$above of them are above $limit MB\n";
