# A worker that fails retries with growing pauses and says why at once; what time cannot heal is failed; three crashes of the
# server under one connector end it, and the others go on.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('retry', 'feldera_ingest.min_retry_interval' => '200ms');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 'other', rate => 100);
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 100);
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 10 FROM t', 'rows arrive');

# pg_terminate_backend is a failure like any other
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok( $node->poll_query_until('postgres',
			"SELECT count(*) > 0 FROM feldera.history WHERE connector = 't.live' AND state = 'retrying'
			 AND details ->> 'error' ~ 'terminated' AND details ->> 'sqlstate' = '57P01'"),
		'pg_terminate_backend makes it retrying, with the reason');
	my $other = FelderaIngest->worker_pid($node, 'postgres', 't.live');
	isnt($other, $pid, 'and another worker comes');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'the rows are exact');
}

# an error that time may heal: a trigger that raises for every row, in a class that is no bad record
{
	$node->safe_psql('postgres', <<'EOC');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN RAISE EXCEPTION 'come back later' USING ERRCODE = '53400', HINT = 'Wait a little.'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse();
EOC
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'retrying' AND error ~ 'come back later' AND hint = 'Wait a little.' AND retry_at > error_at
		   AND sqlstate = '53400' FROM feldera.connectors WHERE connector = 't.live'",
		'a raised error is in the view with time, hint and next try');
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT retries >= 4 FROM feldera.connectors WHERE connector = 't.live'", 'it is tried again and again');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing is put away');
	like( FelderaIngest->log_text($node),
		qr/come back later.*?CONTEXT:.*?plan 0, from row \d+.*?connector "t.live"/s,
		'the log names connector and source position');
	$node->safe_psql('postgres', 'DROP TRIGGER refuse ON t');
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'running' AND error IS NULL AND retries = 0 FROM feldera.connectors WHERE connector = 't.live'",
		'it heals by itself');
	FelderaIngest->rows_are_exact($node, 'postgres', 't', 'nothing is lost');
}

# the pauses grow and are limited
{
	$node->safe_psql('postgres', <<'EOC');
ALTER SYSTEM SET feldera_ingest.min_retry_interval = '1s';
ALTER SYSTEM SET feldera_ingest.max_retry_interval = '1h';
SELECT pg_reload_conf();
CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse();
EOC
	my $pause = 'round(extract(epoch FROM retry_at - error_at))';
	for my $expected (1, 2, 4)
	{
		my $retries = { 1 => 1, 2 => 2, 4 => 3 }->{$expected};
		FelderaIngest->wait_until($node, 'postgres',
			"SELECT retries = $retries AND $pause BETWEEN $expected AND $expected + 1
			 FROM feldera.connectors WHERE connector = 't.live'",
			"pause $retries is $expected s");
	}
	$node->safe_psql('postgres', <<'EOC');
DROP TRIGGER refuse ON t;
ALTER SYSTEM SET feldera_ingest.min_retry_interval = '100ms';
ALTER SYSTEM SET feldera_ingest.max_retry_interval = '1s';
SELECT pg_reload_conf();
EOC
	FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'running');
}

# what time cannot heal: the owner may not insert any more
{
	$node->safe_psql('postgres', <<'EOC');
CREATE ROLE keeper LOGIN; GRANT USAGE ON SCHEMA feldera TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA feldera TO keeper;
GRANT CREATE ON SCHEMA public TO keeper;
CREATE TABLE lent (id bigint); GRANT SELECT, INSERT, UPDATE, DELETE ON lent TO keeper;
EOC
	my $json = FelderaIngest->datagen(name => 'live', rate => 100);
	$node->safe_psql('postgres', "SET ROLE keeper; SELECT feldera.create_connector('lent', '$json')");
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 0 FROM lent', 'a connector runs by privilege');
	$node->safe_psql('postgres', 'REVOKE INSERT ON lent FROM keeper');
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'failed' AND sqlstate = '42501' AND error ~ 'permission denied'
		 FROM feldera.connectors WHERE connector = 'lent.live'", 'INSERT revoked: failed');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'and nothing is put away');
	$node->safe_psql('postgres', 'GRANT INSERT ON lent TO keeper');
	FelderaIngest->wait_for_state($node, 'postgres', 'lent.live', 'running', 'GRANT heals it');
	FelderaIngest->rows_are_exact($node, 'postgres', 'lent', 'exactly');
}

# a trigger that relies on a search_path
{
	$node->safe_psql('postgres', <<'EOC');
CREATE TABLE audited (id bigint); CREATE TABLE audit (id bigint);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER audit BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION audit();
EOC
	FelderaIngest->create_datagen($node, 'postgres', 'audited', limit => 300, rate => 1000);
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'failed' AND error ~ 'audit' AND hint ~ 'search_path' FROM feldera.connectors WHERE connector = 'audited.live'",
		'a trigger that needs a search_path: failed, with a hint');
	$node->safe_psql('postgres',
		"ALTER FUNCTION audit() SET search_path = public; SELECT feldera.start_connector('audited.live')");
	FelderaIngest->wait_for_state($node, 'postgres', 'audited.live', 'finished', 'which is right');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM audit'), '300', 'each row was audited once');
}

# a role that cannot connect
{
	$node->safe_psql('postgres', <<'EOC');
SET ROLE keeper; CREATE TABLE kept (id bigint);
EOC
	my $json = FelderaIngest->datagen(name => 'live', rate => 100);
	$node->safe_psql('postgres', "SET ROLE keeper; SELECT feldera.create_connector('kept', '$json')");
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 0 FROM kept', 'a connector runs as its owner');
	is($node->safe_psql('postgres',
			"SELECT usename FROM pg_stat_activity JOIN feldera.connectors USING (pid) WHERE connector = 'kept.live'"),
		'keeper', 'which pg_stat_activity shows');
	$node->safe_psql('postgres', 'ALTER ROLE keeper NOLOGIN');
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 'kept.live');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'failed' AND error ~ 'not permitted to log in' AND hint ~ 'ALTER ROLE'
		 FROM feldera.connectors WHERE connector = 'kept.live'", 'a role without LOGIN is failed, and the hint says how to go on');
	$node->safe_psql('postgres', "ALTER ROLE keeper LOGIN; SELECT feldera.start_connector('kept.live')");
	FelderaIngest->wait_for_state($node, 'postgres', 'kept.live', 'running', 'start_connector brings it back');
}

# three crashes under one connector
{
	FelderaIngest->create_datagen($node, 'postgres', 'guilty', rate => 100, paused => 1);
	$node->safe_psql('postgres', "ALTER SYSTEM SET feldera_ingest.debug_crash = 'guilty.live'; SELECT pg_reload_conf()");
	$node->safe_psql('postgres', "SELECT feldera.start_connector('guilty.live')");
	ok( FelderaIngest->poll(
			sub {
				my ($status, $output) = $node->psql('postgres',
					"SELECT state FROM feldera.connectors WHERE connector = 'guilty.live'");
				return defined $status && $status == 0 && $output eq 'failed';
			}),
		'three crashes of the server under one connector: it is failed');
	like($node->safe_psql('postgres', "SELECT error FROM feldera.connectors WHERE connector = 'guilty.live'"),
		qr/^the server crashed 3 times while this connector ran$/, 'with the reason');
	for my $name (qw(other t kept))
	{
		FelderaIngest->wait_for_state($node, 'postgres', "$name.live", 'running', "$name goes on");
		FelderaIngest->rows_are_exact($node, 'postgres', $name, "$name is exact");
	}
	$node->safe_psql('postgres', "ALTER SYSTEM RESET feldera_ingest.debug_crash; SELECT pg_reload_conf()");
	$node->safe_psql('postgres', "SELECT feldera.start_connector('guilty.live')");
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 0 FROM guilty', 'start_connector tries it again');
}

# all connectors start together and one of them crashes the server: the guilty one is found
{
	FelderaIngest->create_datagen($node, 'postgres', "crowd$_", rate => 100) for 1 .. 3;
	FelderaIngest->wait_for_state($node, 'postgres', "crowd$_.live", 'running') for 1 .. 3;
	$node->stop;
	$node->append_conf('postgresql.conf', "feldera_ingest.debug_crash = 'guilty.live'");
	$node->start;
	ok( FelderaIngest->poll(
			sub {
				my ($status, $output) = $node->psql('postgres',
					"SELECT state FROM feldera.connectors WHERE connector = 'guilty.live'");
				return defined $status && $status == 0 && $output eq 'failed';
			}),
		'at a start of the server as well');
	for my $name (qw(other t kept lent crowd1 crowd2 crowd3))
	{
		FelderaIngest->wait_for_state($node, 'postgres', "$name.live", 'running', "$name is not taken for guilty");
		FelderaIngest->rows_are_exact($node, 'postgres', $name, "$name is exact");
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM feldera.connectors WHERE state = 'failed'"), '1', 'only one is');
}

# a probe that crashes the server is no better than a worker
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET feldera_ingest.debug_crash = 'probed.live'; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', "SELECT current_setting('feldera_ingest.debug_crash') = 'probed.live'") or die;
	my $json = FelderaIngest->datagen(name => 'live', paused => 1);
	$node->psql('postgres', "CREATE TABLE probed (id bigint); SELECT feldera.create_connector('probed', '$json')");
	ok( FelderaIngest->poll(
			sub {
				my ($status, $output) = $node->psql('postgres',
					"SELECT state FROM feldera.connectors WHERE connector = 'probed.live'");
				return defined $status && $status == 0 && $output eq 'failed';
			}),
		'three crashes of a paused connector\'s probe: it is failed');
}

FelderaIngest->check_log($node, crashes => 9);
$node->stop;
done_testing();
