=pod

=head1 NAME

FelderaIngest::Kafka - a real Apache Kafka broker for a test

=head1 SYNOPSIS

  my $kafka = FelderaIngest::Kafka->shared;      # one for the whole run of the tests, or our own
  my $broker = FelderaIngest::Kafka->new(start => 1);    # our own, to be killed
  my $topic = $kafka->create_topic('lineitem', 1);       # returns a name unique to this process
  $kafka->produce($topic, 0, @lines);
  my ($low, $high) = $kafka->watermarks($topic, 0);
  my $json = $kafka->connector_json(qq("topic": "$topic", "start_from": "earliest"), name => 'live');

=head1 DESCRIPTION

Needs the jars that test/install.sh fetched. Listeners: PLAINTEXT, and SASL_PLAINTEXT with user alice, password
alice-secret (PLAIN).

=cut

package FelderaIngest::Kafka;

use strict;
use warnings;

use parent -norequire, 'FelderaIngest::Server';

use Carp;
use FelderaIngest::Server;
use IPC::Run ();

my $shared;
my $topics = 0;

sub new
{
	my ($class, %arguments) = @_;
	my $self = $class->SUPER::new(%arguments);
	@{$self}{qw(port controller_port sasl_port)} = FelderaIngest::Server::free_ports(3);
	$self->_format;
	$self->start if $arguments{start};
	return $self;
}

# The broker that the runner of all tests started, or one of this process.
sub shared
{
	my ($class) = @_;
	return $shared if $shared;
	if ($ENV{FELDERA_INGEST_KAFKA})
	{
		my ($port, $sasl_port) = split /,/, $ENV{FELDERA_INGEST_KAFKA};
		$shared = bless { port => $port, sasl_port => $sasl_port }, $class;
	}
	else
	{
		$shared = $class->new(start => 1);
	}
	return $shared;
}

sub brokers { return "127.0.0.1:$_[0]->{port}"; }
sub sasl_brokers { return "127.0.0.1:$_[0]->{sasl_port}"; }
sub environment { my ($self) = @_; return "$self->{port},$self->{sasl_port}"; }

sub _java
{
	my ($self, @arguments) = @_;
	return ('java', '-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData',
		'-Djava.net.preferIPv4Stack=true', "-Dlog4j.configuration=file:$self->{directory}/log4j.properties",
		'-cp', "$FelderaIngest::Server::cache/kafka/*", @arguments);
}

sub _write
{
	my ($self, $name, $text) = @_;
	open(my $file, '>', "$self->{directory}/$name") or croak "$name: $!";
	print $file $text;
	close($file) or croak "$name: $!";
	return;
}

# A killed broker may register again only when its session has expired, hence the short session. Retention is off, because tests write records with old timestamps; it is checked often, because tests switch it on.
sub _format
{
	my ($self) = @_;
	my $log = "$self->{directory}/data";
	$self->_write('log4j.properties', <<"EOC");
log4j.rootLogger=WARN, out
log4j.logger.kafka.server.KafkaRaftServer=INFO
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
EOC
	$self->_write('server.properties', <<"EOC");
process.roles=broker,controller
node.id=1
controller.quorum.voters=1\@127.0.0.1:$self->{controller_port}
listeners=PLAINTEXT://127.0.0.1:$self->{port},CONTROLLER://127.0.0.1:$self->{controller_port},SASL_PLAINTEXT://127.0.0.1:$self->{sasl_port}
advertised.listeners=PLAINTEXT://127.0.0.1:$self->{port},SASL_PLAINTEXT://127.0.0.1:$self->{sasl_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$log
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
log.retention.ms=-1
log.retention.check.interval.ms=500
log.cleaner.dedupe.buffer.size=4194304
log.segment.delete.delay.ms=100
file.delete.delay.ms=100
num.network.threads=2
num.io.threads=2
message.max.bytes=104857600
replica.fetch.max.bytes=104857600
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";
EOC
	my $output;
	IPC::Run::run([
			$self->_java('kafka.tools.StorageTool', 'format', '-t', _cluster_id(), '-c',
				"$self->{directory}/server.properties")
		],
		'>&', \$output) or croak "kafka format: $output";
	return;
}

# 16 random bytes as Kafka spells them: URL-safe base64 without padding.
sub _cluster_id
{
	my @letters = ('A' .. 'Z', 'a' .. 'z', 0 .. 9);
	return join('', map { $letters[ rand @letters ] } 1 .. 21) . 'A';
}

# Start and wait until it serves; "no_wait" leaves the waiting to wait_ready.
sub start
{
	my ($self, %arguments) = @_;
	truncate($self->log_file, 0) if -e $self->log_file;
	$self->spawn($self->_java('kafka.Kafka', "$self->{directory}/server.properties"));
	$self->wait_ready unless $arguments{no_wait};
	return;
}

sub wait_ready
{
	my ($self) = @_;
	$self->wait_until('kafka', sub { $self->log_contains(qr/Kafka Server started/) });
	return;
}

# Run kafka_tool; dies with its words when it fails, returns what it printed.
sub tool
{
	my ($self, $input, @arguments) = @_;
	my ($output, $errors) = ('', '');
	IPC::Run::run([ FelderaIngest::Server::tool('kafka_tool'), $self->brokers, @arguments ],
		'<', ref $input ? $input : \$input, '>', \$output, '2>', \$errors)
	  or croak "kafka_tool @arguments: $errors";
	return $output;
}

# A topic whose name is unique to this process; settings as NAME=VALUE.
sub create_topic
{
	my ($self, $name, $partitions, @settings) = @_;
	my $topic = "${name}_$$" . '_' . ++$topics;
	$self->tool('', 'create', $topic, $partitions, @settings);
	return $topic;
}

# One message a line.
sub produce
{
	my ($self, $topic, $partition, @lines) = @_;
	$self->tool(join('', map { "$_\n" } @lines), 'produce', $topic, $partition);
	return;
}

# All of the bytes are one message, with a key where one is given.
sub produce_message
{
	my ($self, $topic, $partition, $bytes, $key) = @_;
	$self->tool($bytes, (defined $key ? 'keyed' : 'message'), $topic, $partition, (defined $key ? $key : ()));
	return;
}

# Rows of the generator: format as lineitem.c names it.
sub produce_lineitem
{
	my ($self, $topic, $partition, $format, $first, $count) = @_;
	IPC::Run::run([ FelderaIngest::Server::tool('lineitem'), $format, $first, $count ],
		'|', [ FelderaIngest::Server::tool('kafka_tool'), $self->brokers, 'produce', $topic, $partition ])
	  or croak "producing lineitem rows failed";
	return;
}

# A kafka_input connector as JSON. "config": members of transport.config, without the brokers; options: name, format
# (json raw), brokers, and "more" members of the connector.
sub connector_json
{
	my ($self, $config, %options) = @_;
	my @members = (
		sprintf('"name": "%s"', $options{name} // 'live'),
		sprintf('"transport": {"name": "kafka_input", "config": {"bootstrap.servers": "%s", %s}}',
			$options{brokers} // $self->brokers, $config),
		'"format": ' . ($options{format} // '{"name": "json", "config": {"update_format": "raw"}}'));
	push @members, $options{more} if defined $options{more};
	return '{' . join(', ', @members) . '}';
}

sub watermarks
{
	my ($self, $topic, $partition) = @_;
	return split ' ', $self->tool('', 'watermarks', $topic, $partition);
}

1;
