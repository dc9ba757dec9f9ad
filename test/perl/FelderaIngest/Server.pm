=pod

=head1 NAME

FelderaIngest::Server - a child process that serves on a port of its own and is gone when the test ends

=head1 DESCRIPTION

Base of FelderaIngest::Kafka and FelderaIngest::S3. A server lives in a directory of its own below the system's
temporary directory, listens on loopback only, on ports that were free a moment ago, and is killed with SIGKILL at the
end of the process that started it, however that ends.

=cut

package FelderaIngest::Server;

use strict;
use warnings;

use Carp;
use File::Spec ();
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(usleep time);

our $cache = $ENV{FELDERA_INGEST_CACHE} || '/var/cache/feldera_ingest';

my %running;

# The tools of test/tools, made by "make tools".
sub tool
{
	my ($name) = @_;
	my $directory = $ENV{FELDERA_INGEST_TOOLS} || 'test/tools';
	my $path = File::Spec->rel2abs("$directory/$name");    # servers run elsewhere
	-x $path or croak "$path is missing: make tools";
	return $path;
}

sub free_ports
{
	my ($count) = @_;
	my @sockets = map {
		IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp')
		  or croak "no free port: $!"
	} 1 .. $count;
	my @ports = map { $_->sockport } @sockets;
	close $_ for @sockets;
	return @ports;
}

sub new
{
	my ($class, %arguments) = @_;
	my $self = bless {%arguments}, $class;
	$self->{directory} = File::Temp::tempdir('feldera_ingest_XXXXXX', TMPDIR => 1, CLEANUP => 1);
	return $self;
}

sub directory { return $_[0]->{directory}; }
sub log_file { return "$_[0]->{directory}/log"; }

# Start the command with its output in the log, in a process group of its own.
sub spawn
{
	my ($self, @command) = @_;
	my $pid = fork();
	defined $pid or croak "fork: $!";
	if ($pid == 0)
	{
		POSIX::setpgid(0, 0);
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $self->log_file);
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	$running{$pid} = $$;
	return;
}

# Wait until "ready" says so; the server must not die meanwhile.
sub wait_until
{
	my ($self, $what, $ready) = @_;
	my $deadline = time() + 180;
	until ($ready->())
	{
		if (waitpid($self->{pid}, POSIX::WNOHANG()) != 0)
		{
			delete $running{ $self->{pid} };
			croak "$what ended: " . $self->log_tail;
		}
		time() < $deadline or croak "$what was not ready in time: " . $self->log_tail;
		usleep(50_000);
	}
	return;
}

sub log_tail
{
	my ($self) = @_;
	open(my $file, '<', $self->log_file) or return '(no log)';
	my @lines = <$file>;
	return join('', @lines > 20 ? @lines[ -20 .. -1 ] : @lines);
}

sub log_contains
{
	my ($self, $pattern) = @_;
	open(my $file, '<', $self->log_file) or return 0;
	while (my $line = <$file>) { return 1 if $line =~ $pattern; }
	return 0;
}

sub signal
{
	my ($self, $signal) = @_;
	kill($signal, $self->{pid}) or croak "kill $signal: $!";
	return;
}

sub _reap
{
	my ($self) = @_;
	waitpid($self->{pid}, 0);
	delete $running{ $self->{pid} };
	delete $self->{pid};
	return;
}

sub kill9 { my ($self) = @_; $self->signal('KILL'); $self->_reap; return; }
sub stop { my ($self) = @_; return unless $self->{pid}; $self->signal('TERM'); $self->_reap; return; }
sub pause { $_[0]->signal('STOP'); return; }
sub resume { $_[0]->signal('CONT'); return; }

END
{
	my $status = $?;
	for my $pid (keys %running)
	{
		next if $running{$pid} != $$;    # a forked child is not the owner
		kill('CONT', $pid);
		kill('KILL', $pid);
		waitpid($pid, 0);
	}
	$? = $status;
}

1;
