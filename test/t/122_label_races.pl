# Two transactions that declare at the same time cannot leave a net of labels together that each alone could not, in any
# isolation level; and who waits is started by the commit that completes the last carrier.

use strict;
use warnings;

use FelderaIngest;
use IPC::Run;
use Test::More;

my $node = FelderaIngest->new_cluster('races');
FelderaIngest->create_extension($node, 'postgres');

# A psql that is kept open; ask() returns what it prints until the marker, or what it has printed when "patience" ends.
sub session
{
	my ($in, $out) = ('', '');
	my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
	my $harness = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=0', '-f', '-', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$out, $timer);
	my $count = 0;
	return {
		send => sub { $in .= "$_[0];\n\\echo marker" . ++$count . "\n"; $harness->pump_nb; },
		answer => sub {
			$harness->pump until $out =~ /marker$count\n/;
			(my $text = $out) =~ s/marker\d+\n//g;
			$out = '';
			return $text;
		},
		finish => sub { $in .= "\\q\n"; $harness->finish; },
	};
}

sub ask
{
	my ($session, $command) = @_;
	$session->{send}->($command);
	return $session->{answer}->();
}

# Wait until a session waits for the lock of declarations.
sub wait_for_lock
{
	return $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
}

$node->safe_psql('postgres', 'CREATE TABLE t (id bigint)');
for my $isolation ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my ($a, $b) = (session(), session());
	$node->safe_psql('postgres',
		"SELECT feldera.create_connectors('t', '["
		  . FelderaIngest->datagen(name => 'left', limit => 1, labels => ['left'], paused => 1) . ','
		  . FelderaIngest->datagen(name => 'right', limit => 1, labels => ['right'], paused => 1) . "]')");
	# else their probes write after the snapshots that follow
	$node->poll_query_until('postgres', 'SELECT bool_and(probed_at IS NOT NULL) FROM feldera.connector') or die 'no probe';

	# both halves of a cycle
	ask($_, "BEGIN ISOLATION LEVEL $isolation; SELECT count(*) FROM feldera.connectors") for ($a, $b);
	is(ask($a, q{SELECT feldera.alter_connector('t.left', '{"start_after": "right"}')}), "\n", "$isolation: one half");
	$b->{send}->(q{SELECT feldera.alter_connector('t.right', '{"start_after": "left"}')});
	ok(wait_for_lock(), 'the other half waits for it');
	is(ask($a, 'COMMIT'), '', 'which commits');
	# SERIALIZABLE may find the conflict before our check does
	like($b->{answer}->() . ask($b, 'COMMIT'), qr/cyclic 'start_after' dependency|could not serialize access/, 'and is refused');

	# a waiter is declared while the carrier is dropped
	ask($_, "BEGIN ISOLATION LEVEL $isolation; SELECT count(*) FROM feldera.connectors") for ($a, $b);
	ask($a, q{SELECT feldera.drop_connector('t.left')});
	my $waiter = FelderaIngest->datagen(name => 'waiter', limit => 1, start_after => ['left']);
	$b->{send}->("SELECT feldera.create_connector('t', '$waiter')");
	ok(wait_for_lock(), 'a waiter waits for the drop of what it would wait for');
	is(ask($a, 'COMMIT'), '', 'which commits');
	like($b->{answer}->() . ask($b, 'COMMIT'), qr/unknown label "left"|could not serialize access/, 'and it is refused');
	is($node->safe_psql('postgres', 'SELECT string_agg(connector, $$ $$) FROM feldera.connectors'), 't.right', 'one is left');

	$_->{finish}->() for ($a, $b);
	$node->safe_psql('postgres', "SELECT feldera.drop_connector('t.right')");
}

# the lock of declarations is none that a user can hold by accident
$node->safe_psql('postgres', 'SELECT pg_advisory_lock(0), pg_advisory_lock(0, 0)');

# the waiter starts with the last of two carriers, and not with the first
$node->safe_psql('postgres',
	'CREATE TABLE w (id bigint); ' . join('; ', map { "SELECT feldera.create_connectors('$_->[0]', '$_->[1]')" } (
		[ 't', '[' . FelderaIngest->datagen(name => 'one', limit => 10, labels => ['both']) . ','
			  . FelderaIngest->datagen(name => 'two', limit => 10, labels => ['both'], paused => 1) . ','
			  . FelderaIngest->datagen(name => 'three', limit => 10, labels => ['third']) . ']' ],
		[ 'w', FelderaIngest->datagen(name => 'after', limit => 10, start_after => [ 'both', 'third' ]) ])));
FelderaIngest->wait_for_state($node, 'postgres', "t.$_", 'finished') for qw(one three);
is($node->safe_psql('postgres', "SELECT state, waiting_for, held_by, hint FROM feldera.connectors WHERE connector = 'w.after'"),
	'waiting|{both}|{t.two}|Held by t.two, which is paused.', 'held by the one that is paused');
$node->safe_psql('postgres', "SELECT feldera.start_connector('t.two')");
is($node->psql('postgres', "CALL feldera.wait_for('w.after', '1 min')"), 0, 'wait_for() ends when it is complete');
is($node->safe_psql('postgres', 'SELECT count(*) FROM w'), '10', 'with its rows');
is( $node->safe_psql('postgres',
		q{SELECT bool_and(w.released_at >= p.backfill_completed_at) FROM feldera.connector w, feldera.progress p
		  JOIN feldera.connector c USING (connector_id) WHERE w.name = 'w.after' AND c.name <> 'w.after'}),
	't', 'its gate opened after all of them were complete');

# a carrier that comes later, or is reset, does not hold who is released
$node->safe_psql('postgres', "SELECT feldera.pause_connector('t.one'); SELECT feldera.reset_connector('t.one')");
is($node->safe_psql('postgres', "SELECT state FROM feldera.connectors WHERE connector = 'w.after'"),
	'finished', 'who is released stays so');

my $log = FelderaIngest->log_text($node);
like($log, qr/connector "w\.after" waits for both, third/, 'the wait is in the log');
like($log, qr/the start_after of connector "w\.after" is satisfied/, 'so is its end');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
