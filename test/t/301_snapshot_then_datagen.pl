# The mission's first snippet: Delta snapshot_and_follow under the label lineitem.historical, datagen after it; limit and
# rate are added to the plan. No generated row may be committed before the last row of the backfill, and what is appended
# to the Delta table later is followed.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Handoff qw(lineitem_columns);
use FelderaIngest::S3;
use Test::More;

my $s3 = FelderaIngest::S3->shared;
my $bucket = $s3->create_bucket('batchtofeldera');
my $endpoint = $s3->endpoint;
$s3->write_lineitem("s3://$bucket/lineitem", count => 20_000, files => 5);
$s3->make_public($bucket);

my $node = FelderaIngest->new_cluster('snapshot_then_datagen', track_commit_timestamp => 'on');
$node->safe_psql('postgres', 'CREATE EXTENSION feldera_ingest');

my $columns = lineitem_columns();
$node->safe_psql('postgres', <<"EOC");
CREATE TABLE LINEITEM ($columns) WITH (
 connectors = '[{
    "labels": ["lineitem.historical"],
    "transport": {
      "name": "delta_table_input",
      "config": {
        "uri": "s3://$bucket/lineitem",
        "aws_skip_signature": "true",
        "aws_region": "ap-southeast-2",
        "aws_endpoint": "$endpoint",
        "aws_allow_http": true,
        "mode": "snapshot_and_follow"
      }
    }
 },
 {
    "labels": ["lineitem.datagen"],
    "start_after": "lineitem.historical",
    "transport": {
      "name": "datagen",
      "config": {
            "plan": [{
              "limit": 1000,
              "rate": 2000,
              "fields": {
                "L_PARTKEY": {"strategy": "zipf", "range": [1, 25]},
                "L_LINENUMBER": {"strategy": "zipf", "range": [1, 25]},
                "L_RETURNFLAG": {"values": ["A", "N", "R"]},
                "L_LINESTATUS": {"values": ["F", "0", "F", "F"]},
                "L_QUANTITY": {"range": [0.01, 99.99]},
                "L_EXTENDEDPRICE": {"range": [0.02, 99.99]},
                "L_DISCOUNT": {"range": [0.01, 99.99]},
                "L_TAX": {"range": [0.01, 99.99]}
              }
            }]
      }
    }
 }]'
);
EOC

ok( $node->poll_query_until('postgres',
		"SELECT state = 'finished' FROM feldera.connectors WHERE connector = 'lineitem.unnamed-1'"),
	'datagen delivers its limit');

# A generated comment is the number of its row; a historical one is made of words.
is($node->safe_psql('postgres', "SELECT count(*) FROM lineitem WHERE l_comment !~ '^[0-9]+\$'"),
	'20000', 'the whole history is there');
is($node->safe_psql('postgres', "SELECT count(*) FROM lineitem WHERE l_comment ~ '^[0-9]+\$'"),
	'1000', 'all generated rows are there');
is( $node->safe_psql('postgres', <<'EOC'), 't', 'no generated row was committed before the last row of the backfill');
SELECT max(pg_xact_commit_timestamp(xmin)) FILTER (WHERE l_comment !~ '^[0-9]+$')
       <= min(pg_xact_commit_timestamp(xmin)) FILTER (WHERE l_comment ~ '^[0-9]+$')
FROM lineitem
EOC
is( $node->safe_psql('postgres', <<'EOC'),
SELECT l_orderkey, l_suppkey, l_quantity, l_extendedprice, l_returnflag, l_linestatus, l_shipdate
FROM lineitem WHERE l_comment IN ('0', '1', '99', '100') ORDER BY l_orderkey
EOC
	"0|0|0.01|0.02|A|F|1970-01-01\n1|1|1.01|1.02|N|0|1970-01-02\n99|99|99.01|99.02|A|F|1970-04-10\n"
	  . '100|100|0.03|0.05|N|F|1970-04-11',
	'generated values are those of Feldera');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM lineitem WHERE l_comment ~ '^[0-9]+\$' AND (l_partkey NOT BETWEEN 1 AND 24"
		  . ' OR l_linenumber NOT BETWEEN 1 AND 24)'),
	'0', 'zipf ranges are half-open');

is( $node->safe_psql('postgres',
		"SELECT state, phase, backfill_completed_at IS NOT NULL FROM feldera.connectors"
		  . " WHERE connector = 'lineitem.unnamed-0'"),
	'running|follow|t', 'the history is complete and followed');

$s3->write_lineitem("s3://$bucket/lineitem", first => 20_000, count => 3000);
$s3->make_public($bucket);
ok( $node->poll_query_until('postgres', "SELECT count(*) = 23000 FROM lineitem WHERE l_comment !~ '^[0-9]+\$'"),
	'what is appended to the Delta table is followed');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
