# The recommended pipeline of the documentation, live: history in a Delta table on a real S3 server, then the stream from a
# real Kafka broker at offset 42, with a bad message and a kill -9 on the way. Every figure shown is a query's result. Exits
# with 1 when the final counts are wrong.

use strict;
use warnings;

# PostgreSQL::Test::Utils sends standard output to its own log; what is shown here goes where the caller reads.
my $screen;
BEGIN { open($screen, '>&', \*STDOUT) or die "standard output: $!"; }

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::Kafka;
use FelderaIngest::S3;
use IO::Handle ();
use IPC::Run ();
use Test::More;    # PostgreSQL::Test::Cluster speaks through it
use Time::HiRes qw(usleep time);

my ($history, $live) = (400_000, 60_000);

$screen->autoflush(1);
# PostgreSQL::Test::Cluster reports what it does; here it would drown the demo.
Test::More->builder->output('/dev/null');
Test::More->builder->failure_output('/dev/null');

sub heading { print {$screen} "\n\e[1m-- $_[0]\e[0m\n"; return; }

my $began = time();
heading('starting PostgreSQL, Apache Kafka and an S3 server');
my $kafka = FelderaIngest::Kafka->new(start => 1);
my $s3 = FelderaIngest::S3->new(start => 1);
my $node = FelderaIngest->new_cluster('demo');
my ($bucket, $topic) = ($s3->create_bucket('warehouse'), $kafka->create_topic('lineitem', 1));
my ($brokers, $options) = ($kafka->brokers, $s3->options_json);

# A query and its result, as psql shows them.
sub query
{
	my ($sql) = @_;
	print {$screen} "$sql\n";
	my $output;
	IPC::Run::run([
			'psql', '-X', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-P',
			'pager=off', '-c', $sql
		],
		'>&', \$output) or die "the query failed: $output\n";
	print {$screen} $output;
	return;
}

sub value { return $node->safe_psql('postgres', $_[0]); }

heading(sprintf('writing %d rows of history to Delta Lake, %d messages to Kafka (0 to 41 are in the history already)',
		$history, 42 + $live));
$s3->write_lineitem("s3://$bucket/lineitem", count => $history, files => 8);
$kafka->produce_lineitem($topic, 0, 'insert', 0, 42);
$kafka->produce_lineitem($topic, 0, 'insert', $history, $live / 2);
$kafka->produce($topic, 0, '{"insert": {"l_orderkey": "not a number"}}');
$kafka->produce_lineitem($topic, 0, 'insert', $history + $live / 2, $live / 2);

heading('the declaration');
query('CREATE EXTENSION feldera_ingest');
my $columns = lineitem_columns();
$columns =~ s/, l_/,\n    l_/g;
my $declaration = <<"EOC";
CREATE TABLE lineitem (
    $columns
) WITH (connectors = '[
 {
    "name": "historical",
    "labels": ["lineitem.historical"],
    "transport": {
        "name": "delta_table_input",
        "config": {
            "uri": "s3://$bucket/lineitem", "mode": "snapshot",
            $options
        }
    }
 },
 {
    "name": "live",
    "labels": ["lineitem.live"],
    "start_after": "lineitem.historical",
    "transport": {
        "name": "kafka_input",
        "config": {
            "bootstrap.servers": "$brokers",
            "topics": ["$topic"],
            "seek": [{"topic": "$topic", "partition": 0, "offset": 42}]
        }
    },
    "format": {
        "name": "json",
        "config": {"update_format": "insert_delete", "array": false}
    }
 }]')
EOC
query($declaration);

my $progress = 'SELECT connector, state, phase, waiting_for, rows_processed, rows_total, lag, pid FROM feldera.connectors ORDER BY 1';
heading('the history loads, the stream waits');
query($progress);

my $killed = 0;
my $deadline = time() + 120;
until (value("SELECT backfill_completed_at IS NOT NULL FROM feldera.connectors WHERE connector = 'lineitem.historical'") eq 't')
{
	die "the backfill did not end in time\n" if time() > $deadline;
	my $rows = value("SELECT rows_processed FROM feldera.connectors WHERE connector = 'lineitem.historical'");
	if (!$killed && $rows > $history / 10)
	{
		my $pid = value("SELECT pid FROM feldera.connectors WHERE connector = 'lineitem.historical'");
		if ($pid ne '')
		{
			heading("kill -9 of the worker in the middle of the history (process $pid, $rows rows committed)");
			kill('KILL', $pid);
			$killed = 1;
			# the postmaster restarts everything; then another process goes on where this one was
			my ($status, $successor) = (1, '');
			until ($status == 0 && $successor ne '' && $successor ne $pid)
			{
				die "the worker does not come back\n" if time() > $deadline;
				usleep(20_000);
				($status, $successor) = $node->psql('postgres',
					"SELECT pid FROM feldera.connectors WHERE connector = 'lineitem.historical'");
			}
			query($progress);
		}
	}
	usleep(100_000);
}
heading('the history is complete, the stream has started by itself');
query($progress);

until (value("SELECT coalesce(bool_and(next_offset = high_watermark), false) FROM feldera.kafka_offsets") eq 't')
{
	die "the stream did not reach its end in time\n" if time() > $deadline;
	usleep(100_000);
}
heading('the stream is read to its end');
query('SELECT connector, topic, partition, start_offset, next_offset, high_watermark, lag FROM feldera.kafka_offsets');

heading('the bad message is kept with its position and its error');
query('SELECT connector, partition, record_offset, sqlstate, error, convert_from(payload, \'UTF8\') AS payload FROM feldera.rejected_records');

heading('what happened, in order');
query('SELECT occurred_at::time(3), connector, state, phase FROM feldera.history ORDER BY occurred_at');

heading('the final counts');
query('SELECT count(*), count(DISTINCT (l_orderkey, l_linenumber)) AS distinct_keys FROM lineitem');
my $counts = value('SELECT count(*), count(DISTINCT (l_orderkey, l_linenumber)), (SELECT count(*) FROM feldera.rejected_records) FROM lineitem');
my $expected = join('|', $history + $live, $history + $live, 1);
$node->stop('immediate');
if ($counts ne $expected || !$killed)
{
	print {$screen} "\nWRONG: counts $counts, expected $expected; worker killed: $killed\n";
	exit 1;
}
printf {$screen} "\nEvery row exactly once, over a kill -9 and a bad message, in %.0f s.\n", time() - $began;
exit 0;
