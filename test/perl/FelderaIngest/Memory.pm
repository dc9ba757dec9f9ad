=pod

=head1 NAME

FelderaIngest::Memory - how much memory a worker takes at most, and large sources to try it with

=head1 SYNOPSIS

  my $watch = FelderaIngest::Memory->watch($pid);
  ...
  my $megabytes = $watch->peak;                     # RssAnon, sampled every 2 ms; the watch ends

  FelderaIngest::Memory->create_target($node, 'wide');
  FelderaIngest::Memory->write_row_group($s3, $bucket, rows => 200_000);
  FelderaIngest::Memory->produce($kafka, $topic, $partition, megabytes => 300);

=head1 DESCRIPTION

RssAnon is what the process has for itself; VmHWM would count the pages of shared_buffers that it touched.

The sources are large when decoded and small on disk, so that making them takes seconds. The target's rows are cut down by a
trigger, so that writing them does not cost more than reading.

=cut

package FelderaIngest::Memory;

use strict;
use warnings;

use Carp;
use FelderaIngest::Server;
use File::Temp ();
use IPC::Run ();
use POSIX ();
use Time::HiRes qw(usleep);

# RssAnon of a process in MB; undef when it is gone.
sub rss_anon
{
	my ($class, $pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or return;
	my ($kilobytes) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return defined $kilobytes ? $kilobytes / 1024 : undef;
}

# Begin to watch a process, from a process of our own.
sub watch
{
	my ($class, $pid) = @_;
	pipe(my $reader, my $writer) or croak "pipe: $!";
	my $child = fork();
	defined $child or croak "fork: $!";
	if ($child == 0)
	{
		my ($stop, $peak) = (0, 0);
		local $SIG{TERM} = sub { $stop = 1; };
		while (!$stop && defined(my $now = $class->rss_anon($pid)))
		{
			$peak = $now if $now > $peak;
			usleep(2000);
		}
		syswrite($writer, "$peak\n");
		POSIX::_exit(0);
	}
	close($writer);
	return bless { child => $child, reader => $reader }, $class;
}

# The maximum in MB; ends the watch.
sub peak
{
	my ($self) = @_;
	kill('TERM', $self->{child});
	my $peak = readline($self->{reader});
	waitpid($self->{child}, 0);
	defined $peak or croak 'the watch said nothing';
	return $peak;
}

# An unlogged table for the sources below, which keeps a few bytes of each value. "pause": seconds that each statement takes at
# least.
sub create_target
{
	my ($class, $node, $table, %options) = @_;
	my $pause = $options{pause} // 0;
	$node->safe_psql('postgres', <<"EOC");
CREATE UNLOGGED TABLE $table (id bigint, noise bytea, pad text);
CREATE FUNCTION ${table}_shorten() RETURNS trigger LANGUAGE plpgsql AS
	\$\$ BEGIN NEW.noise := NULL; NEW.pad := length(NEW.pad); RETURN NEW; END \$\$;
CREATE TRIGGER shorten BEFORE INSERT ON $table FOR EACH ROW EXECUTE FUNCTION ${table}_shorten();
CREATE FUNCTION ${table}_pause() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep($pause); RETURN NULL; END \$\$;
EOC
	$node->safe_psql('postgres',
		"CREATE TRIGGER pause AFTER INSERT ON $table FOR EACH STATEMENT EXECUTE FUNCTION ${table}_pause()")
	  if $pause > 0;
	return;
}

# The Delta table "name" (wide) in the bucket, of "files" (1) equal Parquet files of one row group each: "rows" rows of a
# number, 200 bytes that do not compress, and 5,000 that do, all plain-encoded. Returns the sizes of a file as
# { file => bytes, decoded => bytes }.
my $write_row_group = <<'EOC';
import json, os, sys
import pyarrow as pa
import pyarrow.parquet as pq

directory, rows, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def column(type, values, width):
    offsets = pa.array(range(0, (rows + 1) * width, width), pa.int32()).buffers()[1]
    return pa.Array.from_buffers(type, rows, [None, offsets, pa.py_buffer(values)])

head = os.urandom(rows * 20).hex()
tail = "x" * 4960
pad = "".join(head[i * 40 : i * 40 + 40] + tail for i in range(rows)).encode()
table = pa.table({
    "id": pa.array(range(rows), pa.int64()),
    "noise": column(pa.binary(), os.urandom(rows * 200), 200),
    "pad": column(pa.string(), pad, 5000),
})
path = f"{directory}/part-0.parquet"
pq.write_table(table, path, row_group_size=rows, compression="zstd", use_dictionary=False, write_statistics=False)
size = os.path.getsize(path)
fields = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in (("id", "long"), ("noise", "binary"), ("pad", "string"))]
actions = [
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    {"metaData": {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af8", "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}), "partitionColumns": [], "configuration": {}}},
]
for i in range(files):
    actions.append({"add": {"path": f"part-{i}.parquet", "partitionValues": {}, "size": size, "modificationTime": 0,
        "dataChange": True, "stats": json.dumps({"numRecords": rows})}})
with open(f"{directory}/00000000000000000000.json", "w") as log:
    for action in actions:
        log.write(json.dumps(action) + "\n")
group = pq.ParquetFile(path).metadata.row_group(0)
assert pq.ParquetFile(path).metadata.num_row_groups == 1
print(size, group.total_byte_size)
EOC

sub write_row_group
{
	my ($class, $s3, $bucket, %arguments) = @_;
	my $directory = File::Temp::tempdir('feldera_ingest_XXXXXX', TMPDIR => 1, CLEANUP => 1);
	my ($name, $files) = ($arguments{name} // 'wide', $arguments{files} // 1);
	my ($output, $errors) = ('', '');
	IPC::Run::run([ "$FelderaIngest::Server::cache/python/bin/python", '-c', $write_row_group, $directory, $arguments{rows}, $files ],
		'>', \$output, '2>', \$errors) or croak "writing the Parquet file: $errors";
	my %objects = (map({ ("part-$_.parquet" => 'part-0.parquet') } 0 .. $files - 1),
		'_delta_log/00000000000000000000.json' => '00000000000000000000.json');
	for my $object (sort keys %objects)
	{
		my ($status, $body) = $s3->request('PUT', "/$bucket/$name/$object", file => "$directory/$objects{$object}");
		$status == 200 or croak "PUT $object: $status $body";
	}
	my ($size, $decoded) = split ' ', $output;
	return { file => $size, decoded => $decoded };
}

# Messages of 1 to 10 KB until there are so many megabytes of them; every message compresses well. Returns their number.
sub produce
{
	my ($class, $kafka, $topic, $partition, %arguments) = @_;
	my $messages = int($arguments{megabytes} * 1e6 / 5500);
	my $generate = <<'EOC';
my ($messages) = @ARGV;
my $pad = join('', map { chr(97 + rand 26) } 1 .. 40) x 250;
for my $id (0 .. $messages - 1) { print qq({"id": $id, "pad": "), substr($pad, $id % 40, 950 + $id * 7919 % 9000), qq("}\n); }
EOC
	IPC::Run::run([ $^X, '-e', $generate, $messages ], '|',
		[ FelderaIngest::Server::tool('kafka_tool'), $kafka->brokers, 'produce', $topic, $partition,
			'compression.codec=' . ($arguments{codec} // 'lz4') ])
	  or croak 'producing failed';
	return $messages;
}

1;
