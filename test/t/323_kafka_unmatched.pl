# Updates and deletes that find no row: counted, and said once, also where a bad record takes the batch apart.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;

my $kafka = FelderaIngest::Kafka->shared;
my $node = FelderaIngest->new_cluster('unmatched');
FelderaIngest->create_extension($node, 'postgres');
my $topic = $kafka->create_topic('unmatched', 1);
my $json = $kafka->connector_json(qq("topic": "$topic", "start_from": "earliest"),
	format => '{"name": "json", "config": {"update_format": "insert_delete"}}');
$node->safe_psql('postgres',
	"CREATE TABLE t (id bigint PRIMARY KEY, v text, CHECK (v <> 'bad')); SELECT feldera.create_connector('t', '$json')");

sub counts
{
	return $node->safe_psql('postgres',
		'SELECT p.rows_inserted, p.rows_updated, p.rows_rejected, c.updates_unmatched
		 FROM feldera.progress p JOIN feldera.connectors c USING (connector_id)');
}

$kafka->produce($topic, 0, '{"insert": {"id": 1, "v": "a"}}', '{"update": {"id": 7, "v": "lost"}}');
$kafka->produce($topic, 0, '{"update": {"id": 1, "v": "b"}}', '{"insert": {"id": 2, "v": "x"}}');
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 2 FROM t', 'rows arrive');
is((split /\|/, counts())[3], '1', 'an update that finds no row is counted');

# both take the batch apart: the good ones around it go in by halves
$kafka->produce($topic, 0, '{"update": {"id": 8, "v": "lost"}}', '{"insert": {"id": 3, "v": "bad"}}', '{"update": {"id": 9, "v": "lost"}}',
	'{"update": {"id": 2, "v": "y"}}', '{"insert": {"id": 4, "v": "end"}}');
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 3 FROM t', 'more rows arrive');
is(counts() =~ s/^(\d+)\|\d+/$1/r, '3|1|3', 'also beside a record that is refused');
is($node->safe_psql('postgres', "SELECT string_agg(id || v, ' ' ORDER BY id) FROM t"), '1b 2y 4end', 'what the updates did');
my @lines = FelderaIngest->log_text($node) =~ /connector "t\.live": .* found no row/g;
is(scalar @lines, 1, 'the log tells of it once');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
