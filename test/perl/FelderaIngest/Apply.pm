=pod

=head1 NAME

FelderaIngest::Apply - the room apply/ by itself, through the module in test/modules/apply_test

=head1 SYNOPSIS

  my $apply = FelderaIngest::Apply->new('apply_rows');
  $apply->sql('CREATE TABLE t (a int)');
  is($apply->run('t', '[{"insert": {"a": 1}}]'), '1/0/0/0', 'one row');
  my %got = $apply->result('t', $changes, reject_all => 'true');

=cut

package FelderaIngest::Apply;

use strict;
use warnings;

use FelderaIngest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# The module stands for the whole extension, so that one is not loaded. "initdb" are extra arguments of initdb.
sub new
{
	my ($class, $name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => $options{initdb} || []);
	$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nlog_min_messages = warning\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION apply_test');
	return bless { node => $node }, $class;
}

sub node { return $_[0]->{node}; }

sub sql
{
	my ($self, $sql) = @_;
	return $self->{node}->safe_psql('postgres', $sql);
}

# What is raised, as "SQLSTATE: message"; '' where nothing is.
sub error
{
	my ($self, $sql) = @_;
	my ($stdout, $stderr);
	$self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /ERROR:  (\w{5}: .*)/ ? $1 : '';
}

# The call as SQL. "changes" is a JSON array, or an SQL expression in parentheses that makes one.
sub call
{
	my ($self, $target, $changes, %options) = @_;
	$changes = "\$json\$$changes\$json\$" if $changes !~ /^\(/;
	my $arguments = join('', map { ", $_ => $options{$_}" } sort keys %options);
	return "apply_test.run('$target', $changes$arguments)";
}

# Columns of the result by name; rejected is an array reference.
sub result
{
	my ($self, $target, $changes, %options) = @_;
	my $line = $self->sql(
		"SELECT inserted, deleted, updated, unmatched, subtransactions, array_to_string(rejected, chr(30)) FROM "
		  . $self->call($target, $changes, %options));
	my ($inserted, $deleted, $updated, $unmatched, $subtransactions, $rejected) = split(/\|/, $line, 6);
	return (
		counts => "$inserted/$deleted/$updated/$unmatched",
		subtransactions => $subtransactions,
		rejected => [ split(/\x1e/, $rejected) ]);
}

# "inserted/deleted/updated/unmatched", and behind it the rejected records as "number sqlstate column constraint".
sub run
{
	my ($self, $target, $changes, %options) = @_;
	my %got = $self->result($target, $changes, %options);
	return join(' ', $got{counts}, map { join('+', grep { length } (split(/\|/, $_, 5))[ 0 .. 3 ]) } @{ $got{rejected} });
}

sub stop
{
	my ($self) = @_;
	FelderaIngest->check_log($self->{node});
	$self->{node}->stop;
	return;
}

1;
