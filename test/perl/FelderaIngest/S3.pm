=pod

=head1 NAME

FelderaIngest::S3 - a real S3 server (S3Proxy) for a test, and Delta tables in it

=head1 SYNOPSIS

  my $s3 = FelderaIngest::S3->shared;             # one for the whole run of the tests, or our own
  my $server = FelderaIngest::S3->new(start => 1);
  my $bucket = $s3->create_bucket('history');     # returns a name unique to this process
  $s3->write_lineitem("s3://$bucket/lineitem", first => 0, count => 1000, files => 4);
  $s3->put_object($bucket, $key, $bytes);         # get_object, delete_objects, keys
  $s3->python('import deltalake; ...');           # with storage_options() in scope
  my $json = $s3->options_json;                   # members for a connector's transport.config

=head1 DESCRIPTION

Unsigned requests to a bucket are refused; objects are made public one by one (make_public). The server checks SigV4
signatures, but neither the region nor session tokens.

=cut

package FelderaIngest::S3;

use strict;
use warnings;

use parent -norequire, 'FelderaIngest::Server';

use Carp;
use FelderaIngest::Server;
use File::Temp ();
use IO::Socket::INET;
use IPC::Run ();

my $shared;
my $buckets = 0;

sub new
{
	my ($class, %arguments) = @_;
	my $self = $class->SUPER::new(%arguments);
	($self->{port}) = FelderaIngest::Server::free_ports(1);
	$self->start if $arguments{start};
	return $self;
}

sub shared
{
	my ($class) = @_;
	return $shared if $shared;
	if ($ENV{FELDERA_INGEST_S3})
	{
		$shared = bless { port => $ENV{FELDERA_INGEST_S3} }, $class;
	}
	else
	{
		$shared = $class->new(start => 1);
	}
	return $shared;
}

sub environment { return $_[0]->{port}; }
sub endpoint { return "http://127.0.0.1:$_[0]->{port}"; }

sub start
{
	my ($self) = @_;
	my $directory = $self->{directory};
	mkdir "$directory/data";
	open(my $properties, '>', "$directory/s3proxy.conf") or croak "s3proxy.conf: $!";
	print $properties <<"EOC";
s3proxy.endpoint=http://127.0.0.1:$self->{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=testkey
s3proxy.credential=testsecret
s3proxy.v4-max-non-chunked-request-size=536870912
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir=$directory/data
EOC
	close($properties);
	open(my $logging, '>', "$directory/logback.xml") or croak "logback.xml: $!";
	print $logging '<configuration><appender name="S" class="ch.qos.logback.core.ConsoleAppender"><encoder>'
	  . '<pattern>%d %-5level %msg%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="S"/></root></configuration>';
	close($logging);
	$self->spawn('java', '-Xmx768m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData',
		"-Dlogback.configurationFile=$directory/logback.xml", '-cp', "$FelderaIngest::Server::cache/s3proxy/*",
		'org.gaul.s3proxy.Main', '--properties', "$directory/s3proxy.conf");
	$self->wait_until('s3proxy',
		sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 1) });
	return;
}

# A signed request by curl; returns status and body.
sub request
{
	my ($self, $method, $path, %arguments) = @_;
	my ($output, $errors) = ('', '');
	my @headers = map { ('-H', $_) } @{ $arguments{headers} || [] };
	my @body = defined $arguments{file} ? ('--data-binary', "\@$arguments{file}") : ();
	IPC::Run::run([
			'curl', '-s', '-X', $method, '--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', 'testkey:testsecret',
			'-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD', '-H', 'content-type: application/octet-stream', @headers,
			@body, '-w', "\n%{http_code}", $self->endpoint . $path
		],
		'>', \$output, '2>', \$errors) or croak "curl $method $path: $errors";
	$output =~ s/\n(\d+)$// or croak "curl $method $path: no status";
	return ($1, $output);
}

sub create_bucket
{
	my ($self, $name) = @_;
	my $bucket = "$name-$$-" . ++$buckets;
	my ($status, $body) = $self->request('PUT', "/$bucket");
	$status == 200 or croak "create bucket $bucket: $status $body";
	return $bucket;
}

# A key as it stands in a request's path.
sub _escape
{
	my ($key) = @_;
	return $key =~ s{([^A-Za-z0-9_.~/-])}{sprintf('%%%02X', ord($1))}ger;
}

# All keys below the prefix, up to the 1,000 that one answer of the server holds. They must be plain letters.
sub keys
{
	my ($self, $bucket, $prefix) = @_;
	my ($status, $body) =
	  $self->request('GET', "/$bucket?list-type=2" . (defined $prefix ? '&prefix=' . $prefix =~ s{/}{%2F}gr : ''));
	$status == 200 or croak "list $bucket: $status $body";
	return $body =~ m{<Key>([^<]*)</Key>}g;
}

# Bytes of an object.
sub get_object
{
	my ($self, $bucket, $key) = @_;
	my ($status, $body) = $self->request('GET', "/$bucket/" . _escape($key));
	$status == 200 or croak "get $key: $status $body";
	return $body;
}

sub put_object
{
	my ($self, $bucket, $key, $bytes) = @_;
	my $file = File::Temp->new;
	binmode($file);
	print $file $bytes;
	close($file) or croak "put $key: $!";
	my ($status, $body) = $self->request('PUT', "/$bucket/" . _escape($key), file => $file->filename);
	$status == 200 or croak "put $key: $status $body";
	return;
}

# They need not exist.
sub delete_objects
{
	my ($self, $bucket, @keys) = @_;
	for my $key (@keys)
	{
		my ($status, $body) = $self->request('DELETE', "/$bucket/" . _escape($key));
		$status == 204 or croak "delete $key: $status $body";
	}
	return;
}

# Let anyone read what is in the bucket now, object by object: this server knows no other way.
sub make_public
{
	my ($self, $bucket) = @_;
	my @public = (headers => ['x-amz-acl: public-read']);
	$self->request('PUT', "/$bucket?acl=", @public);
	for my $key ($self->keys($bucket))
	{
		my ($status, $body) = $self->request('PUT', "/$bucket/$key?acl=", @public);
		$status == 200 or croak "make $key public: $status $body";
	}
	return;
}

# Members of transport.config that reach this server with its keys, perhaps by way of a proxy's endpoint.
sub options_json
{
	my ($self, $endpoint) = @_;
	return sprintf '"aws_endpoint": "%s", "aws_allow_http": "true", "aws_access_key_id": "testkey", '
	  . '"aws_secret_access_key": "testsecret", "aws_region": "us-east-1"', $endpoint // $self->endpoint;
}

my $prelude = <<'EOC';
import os, json, decimal, datetime
import pyarrow as pa
import deltalake
from deltalake import DeltaTable, write_deltalake
def storage_options():
    return json.loads(os.environ["FELDERA_INGEST_STORAGE_OPTIONS"])
EOC

# Without the interpreter's own farewell, in which threads of the libraries may still run and abort the process.
my $farewell = <<'EOC';
import sys
sys.stdout.flush()
os._exit(0)
EOC

# Run Python code with delta-rs in scope; storage_options() reaches this server. Called on the class, it has none.
sub python
{
	my ($self, $code) = @_;
	my ($output, $errors) = ('', '');
	local $ENV{FELDERA_INGEST_STORAGE_OPTIONS} =
	  ref $self
	  ? sprintf('{"AWS_ENDPOINT_URL":"%s","AWS_ALLOW_HTTP":"true","AWS_ACCESS_KEY_ID":"testkey",'
		  . '"AWS_SECRET_ACCESS_KEY":"testsecret","AWS_REGION":"us-east-1","AWS_S3_ALLOW_UNSAFE_RENAME":"true"}',
		$self->endpoint)
	  : '{}';
	IPC::Run::run([ "$FelderaIngest::Server::cache/python/bin/python", '-c', "$prelude$code\n$farewell" ],
		'>', \$output, '2>', \$errors) or croak "python: $errors";
	return $output;
}

# Append rows of the generator to the Delta table at the URI, a commit and a file for each of "files" equal parts.
sub write_lineitem
{
	my ($self, $uri, %arguments) = @_;
	my $script = $ENV{FELDERA_INGEST_WRITE_DELTA} || 'test/tools/write_lineitem.py';
	my ($output, $errors) = ('', '');
	local $ENV{FELDERA_INGEST_LINEITEM} = FelderaIngest::Server::tool('lineitem');
	local $ENV{FELDERA_INGEST_STORAGE_OPTIONS} =
	  ref $self
	  ? sprintf('{"AWS_ENDPOINT_URL":"%s","AWS_ALLOW_HTTP":"true","AWS_ACCESS_KEY_ID":"testkey",'
		  . '"AWS_SECRET_ACCESS_KEY":"testsecret","AWS_REGION":"us-east-1"}', $self->endpoint)
	  : '{}';
	IPC::Run::run([
			"$FelderaIngest::Server::cache/python/bin/python", $script, $uri, $arguments{first} // 0,
			$arguments{count}, $arguments{files} // 1, $arguments{compression} // 'SNAPPY'
		],
		'>', \$output, '2>', \$errors) or croak "write_lineitem.py: $errors";
	return;
}

1;
