# The mission's second snippet: after the history, Kafka with auto.offset.reset latest and CSV fields separated by |, fed with
# TPC-H .tbl lines, whose last field ends in a delimiter as well.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::Kafka;
use FelderaIngest::S3;
use Test::More;

my $s3 = FelderaIngest::S3->shared;
my $kafka = FelderaIngest::Kafka->shared;
my $bucket = $s3->create_bucket('history');
my $topic = $kafka->create_topic('lineitem', 1);
$s3->write_lineitem("s3://$bucket/lineitem", count => 5000, files => 2);
$kafka->produce_lineitem($topic, 0, 'tbl', 0, 100);    # history, in Delta already: "latest" passes over it

my $node = FelderaIngest->new_cluster('snapshot_then_kafka_csv');
$node->safe_psql('postgres', 'CREATE EXTENSION feldera_ingest');
$node->safe_psql('postgres', 'CREATE TABLE lineitem (' . lineitem_columns() . ')');
my ($options, $brokers) = ($s3->options_json, $kafka->brokers);
$node->safe_psql('postgres', <<"EOC");
SELECT feldera.create_connectors('lineitem', '[
 {
    "labels": ["lineitem.historical"],
    "transport": {
        "name": "delta_table_input",
        "config": { "uri": "s3://$bucket/lineitem", $options, "mode": "snapshot_and_follow" }
    }
 },
 {
    "labels": ["lineitem.live"],
    "start_after": "lineitem.historical",
    "transport": {
        "name": "kafka_input",
        "config": {
            "bootstrap.servers": "$brokers",
            "auto.offset.reset": "latest",
            "topics": ["$topic"]
        }
    },
    "format": {
        "name": "csv",
        "config": {
            "delimiter": "|"
        }
    }
 }]')
EOC
ok( $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM feldera.connectors WHERE connector = 'lineitem.unnamed-1' AND phase = 'live'"),
	'the stream is live after the history');
is($node->safe_psql('postgres', 'SELECT count(*) FROM lineitem'), '5000', 'the history, and nothing of the topic yet');

$kafka->produce_lineitem($topic, 0, 'tbl', 5000, 2000);
ok($node->poll_query_until('postgres', 'SELECT count(*) = 7000 FROM lineitem'), 'what arrives later is ingested');
is( $node->safe_psql('postgres',
		"SELECT start_offset, next_offset, lag FROM feldera.kafka_offsets WHERE connector = 'lineitem.unnamed-1'"),
	'100|2100|0', 'positions');

my $expected = FelderaIngest::Server::tool('lineitem');
$node->safe_psql('postgres', 'CREATE TABLE expected (' . lineitem_columns() . ')');
$node->safe_psql('postgres', "COPY expected FROM PROGRAM '$expected csv 0 7000' WITH (DELIMITER '|')");
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM ((TABLE lineitem EXCEPT ALL TABLE expected)'
		  . ' UNION ALL (TABLE expected EXCEPT ALL TABLE lineitem)) AS difference'),
	'0', 'every field of every row is right');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing was rejected');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
