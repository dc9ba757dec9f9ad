# A message with many bad records is kept once: the first of its rejected records brings its bytes, the others its position.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;

my $kafka = FelderaIngest::Kafka->shared;
my $node = FelderaIngest->new_cluster('rejects_bounded');
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $topic = $kafka->create_topic('amplify', 1);
sql('CREATE TABLE amplify (id bigint, CHECK (id < 1000))');
sql("SELECT feldera.create_connector('amplify', '"
	  . $kafka->connector_json(qq("topic": "$topic", "start_from": "earliest"))
	  . "')");

# what decoding refuses, and in the second message what the table refuses beside it
srand(1);
my @letters = ('a' .. 'z', 'A' .. 'Z', 0 .. 9);
my $first = join('', map { '{"id": "' . join('', map { $letters[ rand @letters ] } 1 .. 40) . '"}' } 1 .. 2000) . '{"id": 1}';
my $second = '{"id": 5000}{"id": "x"}{"id": 2}{"id": 6000}';
$kafka->produce($topic, 0, $first, $second, '{"id": "y"}', '{"id": 3}');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) = 3 FROM amplify", 'the good records are there');

is(sql('SELECT record_offset, count(*), count(payload), count(DISTINCT record_number) FROM feldera.rejected_records GROUP BY 1 ORDER BY 1'),
	"0|2000|1|2000\n1|3|1|3\n2|1|1|1", 'each message is kept once');
is(sql('SELECT record_offset, convert_from(payload, \'UTF8\') FROM feldera.rejected_records WHERE payload IS NOT NULL AND record_offset > 0 ORDER BY 1'),
	"1|$second\n2|{\"id\": \"y\"}", 'with its bytes');
is(sql('SELECT count(*) FROM (SELECT DISTINCT ON (record_offset) payload FROM feldera.rejected_records ORDER BY record_offset, id) f WHERE payload IS NOT NULL'),
	'3', 'at the first of its rejected records');
is(sql("SELECT count(DISTINCT (topic, partition)), count(*) - count(error) FROM feldera.rejected_records"),
	'1|0', 'every record has its position and its error');
cmp_ok(sql("SELECT pg_total_relation_size('feldera.rejected_record')"),
	'<', 20 * length($first), 'what is kept is in proportion to the message');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
