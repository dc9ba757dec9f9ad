=pod

=head1 NAME

FelderaIngest::Handoff - the recommended pipeline of the mission, with every server killed on the way

=head1 DESCRIPTION

History in Delta on S3, then the live stream from Kafka at offset 42, JSON insert_delete, into a table with or without a
primary key. The broker, the S3 server and the Postgres server are each killed with SIGKILL in the middle of the backfill
and again in the middle of the live part. In the end the table must equal the full history exactly, as a multiset.

The stream holds, from offset 42 on: new rows, deletes of history, re-inserts of some of these, duplicates, and deletes of
some of the duplicates.

=cut

package FelderaIngest::Handoff;

use strict;
use warnings;

use Exporter qw(import);
use FelderaIngest;
use FelderaIngest::Kafka;
use FelderaIngest::S3;
use FelderaIngest::Server;
use IPC::Run ();
use Test::More;
use Time::HiRes qw(usleep time);

our @EXPORT_OK = qw(run_handoff lineitem_columns);

sub lineitem_columns
{
	return 'l_orderkey integer NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL,'
	  . ' l_linenumber integer NOT NULL, l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL,'
	  . ' l_discount decimal(15,2) NOT NULL, l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL,'
	  . ' l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,'
	  . ' l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL,'
	  . ' l_comment varchar(44) NOT NULL';
}

# The parts of the stream, in order: [verb, first row, count].
sub stream_parts
{
	my ($history, $live) = @_;
	my $tenth = int($live / 10);
	return (
		[ insert => 0, 42 ],                             # offsets 0..41: in the history already
		[ insert => $history, 6 * $tenth ],              # new rows
		[ delete => 100, $tenth ],                       # some of the history goes
		[ insert => 100, int($tenth / 2) ],              # and half of that comes back
		[ insert => $history, $tenth ],                  # duplicates
		[ delete => $history, int($tenth / 2) ],         # one copy of each of these goes
		[ insert => $history + 6 * $tenth, $tenth ],     # and more new rows
	);
}

# What must be there in the end, made by COPY and plain SQL from the same generator.
sub load_expected
{
	my ($node, $history, $live, $keyed) = @_;
	my $lineitem = FelderaIngest::Server::tool('lineitem');
	$node->safe_psql('postgres', 'CREATE TABLE expected (' . lineitem_columns() . ')');
	my $copy = sub {
		my ($first, $count) = @_;
		$node->safe_psql('postgres',
			"COPY expected FROM PROGRAM '$lineitem csv $first $count' WITH (DELIMITER '|')");
	};
	my $tenth = int($live / 10);
	my $number = "(l_orderkey - 1) * 4 + l_linenumber - 1";
	$copy->(0, $history + 7 * $tenth);
	my $half = int($tenth / 2);
	$node->safe_psql('postgres', "DELETE FROM expected WHERE $number >= 100 + $half AND $number < 100 + $tenth");
	if ($keyed)
	{
		# the duplicates changed nothing; the delete took the row
		$node->safe_psql('postgres',
			"DELETE FROM expected WHERE $number >= $history AND $number < $history + $half");
	}
	else
	{
		$copy->($history + $half, $tenth - $half);
	}
	return;
}

sub progress
{
	my ($node, $connector) = @_;
	my ($status, $output) = $node->psql('postgres',
		"SELECT coalesce(rows_processed, 0) FROM feldera.connectors WHERE connector = '$connector'");
	return defined $status && $status == 0 && $output ne '' ? $output : -1;
}

# Wait until the connector has passed this many rows; returns the figure seen.
sub wait_for_rows
{
	my ($node, $connector, $rows) = @_;
	my $deadline = time() + 180;
	while (time() < $deadline)
	{
		my $seen = progress($node, $connector);
		return $seen if $seen >= $rows;
		usleep(10_000);
	}
	die "$connector did not reach $rows rows: "
	  . $node->safe_psql('postgres', "SELECT to_jsonb(c) FROM feldera.connectors c WHERE connector = '$connector'");
}

# Kill by "kill", bring back by "revive"; the kill must fall inside the work. A server of the sources stays away until the
# position was read; Postgres must be back before it can be. Then the position may be a little behind what was seen
# before: progress commits asynchronously, and a crash takes its rows and its position together.
sub kill_in_the_middle
{
	my ($what, $node, $connector, $at, $total, $kill, $revive) = @_;
	my $before = wait_for_rows($node, $connector, $at);
	$kill->();
	my $after = progress($node, $connector);
	$revive->();
	$after = progress($node, $connector) if $after < 0;
	ok($before >= $total / 10 && $before <= $total * 0.9 && $after > 0 && $after < $total,
		"$what killed in the middle: $connector at $before rows before, $after after, of $total");
	return;
}

# SIGKILL the postmaster and wait for its orphans, which hold the shared memory until they notice.
sub kill_postgres
{
	my ($node) = @_;
	my @children = split ' ', `pgrep -P $node->{_pid}`;
	$node->kill9;
	my $deadline = time() + 60;
	while (grep { kill(0, $_) } @children)
	{
		die 'processes of the killed server stay' if time() > $deadline;
		usleep(20_000);
	}
	return;
}

# history, live: how many rows and messages; files: of the Delta table; keyed: with a primary key; slow: seconds that each
# statement on the target sleeps, so that a small run can be killed in the middle.
sub run_handoff
{
	my (%size) = @_;
	my ($history, $live) = @size{qw(history live)};
	my $name = $size{keyed} ? 'keyed' : 'keyless';
	my $kafka = FelderaIngest::Kafka->new(start => 1);
	my $s3 = FelderaIngest::S3->new(start => 1);
	my $bucket = $s3->create_bucket('history');
	my $topic = $kafka->create_topic('lineitem', 1);
	my $node = FelderaIngest->new_cluster("handoff_$name");
	my $tenth = int($live / 10);
	my $stream_rows = 10 * $tenth;

	$s3->write_lineitem("s3://$bucket/lineitem", count => $history, files => $size{files});
	$kafka->produce_lineitem($topic, 0, @$_) for stream_parts($history, $live);
	my (undef, $end) = $kafka->watermarks($topic, 0);

	my $key = $size{keyed} ? ', PRIMARY KEY (l_orderkey, l_linenumber)' : '';
	my $batch = $size{batch} ? qq("max_batch_size": $size{batch},) : '';
	my $options = $s3->options_json;
	$node->safe_psql('postgres', 'CREATE EXTENSION feldera_ingest');
	if ($size{slow})
	{
		$node->safe_psql('postgres', "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
			  . " 'BEGIN PERFORM pg_sleep($size{slow}); RETURN NULL; END'");
	}
	$node->safe_psql('postgres', 'CREATE TABLE lineitem (' . lineitem_columns() . $key . ')');
	if ($size{slow})
	{
		$node->safe_psql('postgres',
			'CREATE TRIGGER slow AFTER INSERT OR DELETE ON lineitem FOR EACH STATEMENT EXECUTE FUNCTION slow()');
	}
	my $brokers = $kafka->brokers;
	$node->safe_psql('postgres', <<"EOC");
SELECT feldera.create_connectors('lineitem', '[
 {
    "name": "historical",
    "labels": ["lineitem.historical"], $batch
    "transport": {
        "name": "delta_table_input",
        "config": { "uri": "s3://$bucket/lineitem", $options, "mode": "snapshot" }
    }
 },
 {
    "name": "live",
    "labels": ["lineitem.live"], $batch
    "start_after": "lineitem.historical",
    "transport": {
        "name": "kafka_input",
        "config": {
            "bootstrap.servers": "$brokers",
            "topics": ["$topic"],
            "seek": [{ "topic": "$topic", "partition": 0, "offset": 42 }]
        }
    },
    "format": {
        "name": "json",
        "config": { "update_format": "insert_delete", "array": false }
    }
 }]')
EOC

	for my $phase ([ 'lineitem.historical', $history ], [ 'lineitem.live', $stream_rows ])
	{
		my ($connector, $total) = @$phase;
		my $part = sub { int($total * $_[0] / 100) };
		kill_in_the_middle('Postgres server', $node, $connector, $part->(15), $total, sub { kill_postgres($node) },
			sub { $node->start });
		kill_in_the_middle('broker', $node, $connector, $part->(35), $total, sub { $kafka->kill9 },
			sub { $kafka->start(no_wait => 1) });
		kill_in_the_middle('S3 server', $node, $connector, $part->(60), $total, sub { $s3->kill9 }, sub { $s3->start });
		$kafka->wait_ready;
		wait_for_rows($node, $connector, $total);
	}
	ok( $node->poll_query_until('postgres',
			"SELECT next_offset = $end FROM feldera.kafka_offsets WHERE connector = 'lineitem.live'"),
		"$name: the stream is read to its end");

	load_expected($node, $history, $live, $size{keyed});
	is( $node->safe_psql('postgres',
			'SELECT count(*) FROM ((TABLE lineitem EXCEPT ALL TABLE expected)'
			  . ' UNION ALL (TABLE expected EXCEPT ALL TABLE lineitem)) AS difference'),
		'0', "$name: the table equals the full history, as a multiset");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'),
		'0', "$name: nothing was rejected");
	is( $node->safe_psql('postgres',
			"SELECT rows_processed FROM feldera.connectors WHERE connector = 'lineitem.live'"),
		$stream_rows, "$name: every message counted once");
	FelderaIngest->check_log($node);
	$node->stop;
	$kafka->kill9;
	$s3->kill9;
	return;
}

1;
