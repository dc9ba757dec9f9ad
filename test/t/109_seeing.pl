# What an operator sees: state, progress of how much, rate, history, pg_stat_activity, and one log line a change.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('seeing');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 'first', rate => 500, limit => 1500, labels => ['loaded']);
FelderaIngest->create_datagen($node, 'postgres', 'second', rate => 500, start_after => ['loaded']);

FelderaIngest->wait_for_state($node, 'postgres', 'second.live', 'waiting', 'the second waits for the first');
is( $node->safe_psql('postgres',
		"SELECT waiting_for::text || ' ' || held_by::text FROM feldera.connectors WHERE connector = 'second.live'"),
	'{loaded} {first.live}', 'the view says for what, and who holds it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM second'), '0', 'nothing of it is there yet');

FelderaIngest->wait_until($node, 'postgres', <<'EOC', 'live figures move');
SELECT rows_processed > 0 AND rows_total = 1500 AND rows_per_second > 0 AND last_commit_at IS NOT NULL
	AND estimated_end > now() AND pid IS NOT NULL AND doing IS NOT NULL
FROM feldera.connectors WHERE connector = 'first.live' AND state = 'running'
EOC
is( $node->safe_psql('postgres', <<'EOC'), 't', 'pg_stat_activity names connector and doing');
SELECT a.application_name = 'feldera_ingest first.live' AND a.query LIKE 'first.live: %' AND a.backend_type = 'feldera_ingest worker'
FROM pg_stat_activity a JOIN feldera.connectors c USING (pid) WHERE connector = 'first.live'
EOC

FelderaIngest->wait_for_state($node, 'postgres', 'first.live', 'finished');
is( $node->safe_psql('postgres', <<'EOC'), 't', 'a finished connector shows its end');
SELECT rows_processed = 1500 AND backfill_completed_at IS NOT NULL AND phase = 'done' AND pid IS NULL AND error IS NULL
FROM feldera.connectors WHERE connector = 'first.live'
EOC
FelderaIngest->wait_for_state($node, 'postgres', 'second.live', 'running', 'then the gate opens');
is( $node->safe_psql('postgres', <<'EOC'), 't', 'not before the backfill of the first was complete');
SELECT (SELECT released_at FROM feldera.connectors WHERE connector = 'second.live')
	>= (SELECT backfill_completed_at FROM feldera.connectors WHERE connector = 'first.live')
EOC
is($node->safe_psql('postgres', 'SELECT count(*) FROM first'), '1500', 'and the first is whole');

is( $node->safe_psql('postgres', <<'EOC'), 'running finished', 'history has a row for each state');
SELECT string_agg(state, ' ' ORDER BY id) FROM (
	SELECT min(id) AS id, state FROM feldera.state_change WHERE connector = 'first.live' AND state <> 'queued' GROUP BY state) s
EOC
like($node->safe_psql('postgres',
		"SELECT string_agg(coalesce(phase, '-'), ' ' ORDER BY id) FROM feldera.state_change WHERE connector = 'first.live'"),
	qr/live.*done/, 'and for each phase');
for my $state (qw(running finished))
{
	my @lines = FelderaIngest->log_text($node) =~ /connector "first\.live" is now $state/g;
	is(scalar @lines, 1, "$state is logged once");
}
unlike(FelderaIngest->log_text($node), qr/CONTEXT/, 'and without noise');

# statistics reach the server although a background worker has no end of statement
FelderaIngest->wait_until($node, 'postgres',
	"SELECT n_tup_ins >= 500 FROM pg_stat_user_tables WHERE relname = 'second'", 'rows are counted in pg_stat_user_tables');

# who was pinned by a probe while it was paused has its phase in the history as well
FelderaIngest->create_datagen($node, 'postgres', 'third', rate => 100, paused => 1);
FelderaIngest->wait_until($node, 'postgres',
	"SELECT pinned_at IS NOT NULL FROM feldera.progress JOIN feldera.connector USING (connector_id) WHERE name = 'third.live'",
	'a probe pins');
$node->safe_psql('postgres', "SELECT feldera.start_connector('third.live')");
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 0 FROM third', 'it starts');
is($node->safe_psql('postgres', "SELECT count(*) FROM feldera.state_change WHERE connector = 'third.live' AND phase = 'live'"),
	'1', 'phase live is in the history');
$node->safe_psql('postgres', "SELECT feldera.drop_connector('third.live')");

# figures of another database are not shown
$node->safe_psql('postgres', 'CREATE DATABASE other');
FelderaIngest->create_extension($node, 'other');
is($node->safe_psql('other', 'SELECT count(*) FROM feldera.live_workers()'), '0', 'only workers of this database are shown');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.live_workers()'), '1', 'here they are');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
