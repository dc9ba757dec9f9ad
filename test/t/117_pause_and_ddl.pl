# Pausing a busy connector and changing its table in one transaction: not the user is told of a deadlock, but the worker gives way.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('pause_and_ddl');
FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE t (id bigint PRIMARY KEY, s text);
SELECT feldera.create_connector('t', '{"name": "live", "transport": {"name": "datagen", "config": {"plan": [{}]}}}');
EOC
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 100 FROM t', 'rows arrive');
for my $round (1 .. 6)
{
	my ($status, $output, $errors) = $node->psql('postgres',
		"BEGIN; SELECT feldera.pause_connector('t.live'); ALTER TABLE t ADD COLUMN c$round int; COMMIT;", on_error_stop => 1);
	is($errors, '', "pause_connector and ALTER TABLE in one transaction, round $round");
	FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'paused');
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('t.live')");
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before + 1000 FROM t", 'it goes on');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'exactly');
}
FelderaIngest->check_log($node);
$node->stop;
done_testing();
