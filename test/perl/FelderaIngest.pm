=pod

=head1 NAME

FelderaIngest - clusters with the extension preloaded, and what tests of processes wait for

=head1 SYNOPSIS

  use FelderaIngest;
  my $node = FelderaIngest->new_cluster('main', 'feldera_ingest.max_workers' => 2);
  FelderaIngest->create_extension($node, 'postgres');
  FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'running');
  FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 10 FROM t', 'rows arrive');
  FelderaIngest->check_log($node);

=head1 DESCRIPTION

Tests wait for a state with a generous limit and never sleep. The server's log is part of a test's result: check_log
fails on PANIC, failed assertions, leak warnings and crashes that the test did not announce.

=cut

package FelderaIngest;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# Settings of every cluster; a test may override them.
my %defaults = (
	shared_preload_libraries => "'feldera_ingest'",
	fsync => 'off',
	max_worker_processes => 32,
	restart_after_crash => 'on',
	autovacuum => 'off',
	log_min_messages => 'warning',
	log_statement => 'none',
	'feldera_ingest.min_retry_interval' => '100ms',
	'feldera_ingest.max_retry_interval' => '1s',
);

# A started cluster with the library preloaded. "settings" are lines of postgresql.conf by name.
sub new_cluster
{
	my ($class, $name, %settings) = @_;
	my $node = $class->init_cluster($name, %settings);
	$node->start;
	return $node;
}

# The same, not started; "allows_streaming => 1" makes it a primary for standbys.
sub init_cluster
{
	my ($class, $name, %settings) = @_;
	my $streaming = delete $settings{allows_streaming};
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => $streaming ? 1 : 0);
	my %all = (%defaults, %settings);
	$node->append_conf('postgresql.conf', join('', map { "$_ = $all{$_}\n" } sort keys %all));
	return $node;
}

sub create_extension
{
	my ($class, $node, $database) = @_;
	$node->safe_psql($database, 'CREATE EXTENSION feldera_ingest');
	return;
}

# A datagen connector as JSON. "rate" null: as fast as it can; "limit" null: for ever.
sub datagen
{
	my ($class, %options) = @_;
	my @plan = ('"fields": {"id": {"strategy": "increment"}}');
	push @plan, "\"limit\": $options{limit}" if defined $options{limit};
	push @plan, "\"rate\": $options{rate}" if defined $options{rate};
	my @members = ('"transport": {"name": "datagen", "config": {"plan": [{' . join(', ', @plan) . '}]}}');
	push @members, "\"name\": \"$options{name}\"" if defined $options{name};
	for my $key (qw(labels start_after))
	{
		push @members, "\"$key\": [" . join(', ', map { "\"$_\"" } @{ $options{$key} }) . ']' if defined $options{$key};
	}
	push @members, "\"paused\": true" if $options{paused};
	push @members, $options{more} if defined $options{more};
	return '{' . join(', ', @members) . '}';
}

# A table of one bigint column "id" and a datagen connector on it.
sub create_datagen
{
	my ($class, $node, $database, $table, %options) = @_;
	my $json = $class->datagen(name => 'live', %options);
	$node->safe_psql($database,
		"CREATE TABLE IF NOT EXISTS $table (id bigint); SELECT feldera.create_connector('$table', '$json')");
	return;
}

# Wait until the query says true; on failure show the connectors.
sub wait_until
{
	my ($class, $node, $database, $query, $name) = @_;
	my $reached = $node->poll_query_until($database, $query);
	ok($reached, $name);
	$class->show($node, $database) if !$reached;
	return $reached;
}

sub wait_for_state
{
	my ($class, $node, $database, $connector, $state, $name) = @_;
	return $class->wait_until(
		$node, $database,
		"SELECT state = '$state' FROM feldera.connectors WHERE connector = '$connector'",
		defined $name ? $name : "$connector is $state");
}

sub state
{
	my ($class, $node, $database, $connector) = @_;
	return $node->safe_psql($database, "SELECT state FROM feldera.connectors WHERE connector = '$connector'");
}

sub show
{
	my ($class, $node, $database) = @_;
	my (undef, $output) = $node->psql($database, 'SELECT jsonb_pretty(to_jsonb(c)) FROM feldera.connectors c');
	diag($output // 'no answer');
	return;
}

# Wait until the connector has a process, and return its pid.
sub worker_pid
{
	my ($class, $node, $database, $connector) = @_;
	$node->poll_query_until($database,
		"SELECT pid IS NOT NULL AND state = 'running' FROM feldera.connectors WHERE connector = '$connector'")
	  or die "$connector does not run";
	return $node->safe_psql($database, "SELECT pid FROM feldera.connectors WHERE connector = '$connector'");
}

# Every row of a datagen table exactly once, from 0 on: count, distinct and maximum agree.
sub rows_are_exact
{
	my ($class, $node, $database, $table, $name) = @_;
	is( $node->safe_psql(
			$database,
			"SELECT count(*) = count(DISTINCT id) AND count(*) = coalesce(max(id) + 1, 0) AND coalesce(min(id), 0) = 0 FROM $table"),
		't', $name);
	return;
}

# Poll a condition in Perl, at most the usual limit.
sub poll
{
	my ($class, $condition) = @_;
	my $deadline = time() + $PostgreSQL::Test::Utils::timeout_default;
	while (time() < $deadline)
	{
		return 1 if $condition->();
		usleep(20_000);
	}
	return 0;
}

# Processes of ours in the cluster, as "type database" lines.
sub processes
{
	my ($class, $node) = @_;
	return $node->safe_psql('postgres',
		q{SELECT string_agg(backend_type || coalesce(' ' || datname, ''), E'\n' ORDER BY backend_type, datname)
		  FROM pg_stat_activity WHERE backend_type LIKE 'feldera_ingest%'});
}

# The server's log as one text, from a byte on.
sub log_text
{
	my ($class, $node, $offset) = @_;
	return substr(PostgreSQL::Test::Utils::slurp_file($node->logfile), $offset // 0);
}

sub log_size
{
	my ($class, $node) = @_;
	return -s $node->logfile;
}

# Fail on what no test may leave in a log. "crashes": how many crashes the test itself has caused.
sub check_log
{
	my ($class, $node, %options) = @_;
	my @bad;
	my $crashes = 0;
	for my $line (split /\n/, $class->log_text($node))
	{
		$crashes++ if $line =~ /terminating any other active server processes/;
		push @bad, $line
		  if $line =~ /PANIC|TRAP:|snapshot reference leak|reference leak|resource was not closed|buffer refcount leak|cache reference leak|relcache reference|stuck spinlock|AddressSanitizer|runtime error|LeakSanitizer|double free|corrupted/;
	}
	is(join("\n", @bad), '', 'nothing is wrong in the log of ' . $node->name);
	is($crashes, $options{crashes} // 0, 'crashes of ' . $node->name) if !$options{any_crashes};
	return;
}

1;
