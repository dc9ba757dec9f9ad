# History and rejected records are kept as long as their settings say, also of connectors that are gone.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('retention', 'feldera_ingest.history_retention' => "'1h'");
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't', limit => 10);
FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'finished');
$node->safe_psql('postgres', "SELECT feldera.drop_connector('t.live')");
is($node->safe_psql('postgres', "SELECT state FROM feldera.history WHERE connector = 't.live' ORDER BY id DESC LIMIT 1"),
	'dropped', 'the history of a dropped connector stays');
is( $node->safe_psql('postgres', "SELECT state FROM feldera.history WHERE connector = 't.live' ORDER BY id LIMIT 1"),
	'running', 'and begins with the first change of its state');

$node->safe_psql('postgres', q{
	UPDATE feldera.state_change SET occurred_at = now() - interval '61 minutes' WHERE state = 'running';
	INSERT INTO feldera.rejected_record (connector_id, connector, owner, sqlstate, error, attempts, rejected_at)
	SELECT 1, 't.live', current_user::regrole, '22P02', age, 1, now() - age::interval FROM unnest('{1 hour, 1 year}'::text[]) AS age});

# the supervisor trims when it begins, and now and then
$node->restart;
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) = 0 FROM feldera.history WHERE state = 'running'",
	'history above its age is trimmed');
is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM feldera.history WHERE state = 'dropped'"), 't', 'the rest stays');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '2', 'rejected records stay by default');
$node->append_conf('postgresql.conf', "feldera_ingest.rejected_retention = '30d'");
$node->restart;
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 1 FROM feldera.rejected_records', 'a limit can be set');
is($node->safe_psql('postgres', 'SELECT error FROM feldera.rejected_records'), '1 hour', 'the younger one stays');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
