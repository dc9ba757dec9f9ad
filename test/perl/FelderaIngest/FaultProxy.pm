=pod

=head1 NAME

FelderaIngest::FaultProxy - a proxy before an HTTP server that misbehaves when it is told to

=head1 SYNOPSIS

  my $proxy = FelderaIngest::FaultProxy->new(upstream => $s3->endpoint, start => 1);
  my $json = $s3->options_json($proxy->endpoint);
  $proxy->stall;                 # no byte of any answer passes
  $proxy->status->{held};        # answers that are held up
  $proxy->go;
  $proxy->fault(match => 'parquet', kind => 'reset', after => 1000, count => 2);

=head1 DESCRIPTION

test/servers/fault_proxy.py says what it can do.

=cut

package FelderaIngest::FaultProxy;

use strict;
use warnings;

use parent -norequire, 'FelderaIngest::Server';

use Carp;
use FelderaIngest::Server;
use File::Spec ();
use HTTP::Tiny;
use JSON::PP ();

sub new
{
	my ($class, %arguments) = @_;
	my $self = $class->SUPER::new(%arguments);
	($self->{port}) = FelderaIngest::Server::free_ports(1);
	$self->start if $arguments{start};
	return $self;
}

sub endpoint { return "http://127.0.0.1:$_[0]->{port}"; }

sub start
{
	my ($self) = @_;
	(my $upstream = $self->{upstream}) =~ s{^http://}{};
	$self->spawn('python3', File::Spec->rel2abs('test/servers/fault_proxy.py'), $self->{port}, $upstream);
	$self->wait_until('fault_proxy', sub { HTTP::Tiny->new->get($self->endpoint . '/__status')->{success} });
	return;
}

sub _call
{
	my ($self, $method, $path, $body) = @_;
	my $response = HTTP::Tiny->new->request($method, $self->endpoint . $path, defined $body ? { content => $body } : {});
	$response->{success} or croak "$method $path: $response->{status} $response->{content}";
	return JSON::PP::decode_json($response->{content});
}

sub stall { return $_[0]->_call('POST', '/__stall'); }
sub go { return $_[0]->_call('POST', '/__go'); }
sub status { return $_[0]->_call('GET', '/__status'); }
sub fault { my ($self, %fault) = @_; return $self->_call('POST', '/__fault', JSON::PP::encode_json(\%fault)); }

1;
