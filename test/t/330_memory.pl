# Backpressure: what a source may read ahead of the insert is bounded, by batches, by records and by bytes; a worker stays below
# 200 MB at default limits, on a row group of 1 GB, and on a topic that is larger than that; inserts go on while the network stalls.
# The large topic of 2 GB is in test/bench/memory.pl.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::FaultProxy;
use FelderaIngest::Kafka;
use FelderaIngest::Memory;
use FelderaIngest::S3;
use Test::More;

my $limit = 200;
my $kafka = FelderaIngest::Kafka->shared;
my $s3 = FelderaIngest::S3->shared;
my $proxy = FelderaIngest::FaultProxy->new(upstream => $s3->endpoint, start => 1);
my $node = FelderaIngest->new_cluster('memory', shared_buffers => '64MB', max_wal_size => '4GB');
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub wait_until { return FelderaIngest->wait_until($node, 'postgres', @_); }

sub processed { return sql("SELECT rows_processed FROM feldera.connectors WHERE connector = '$_[0]'"); }

# ---- a topic that compresses very well ----------------------------------------------------------------------------------

my $topic = $kafka->create_topic('large', 1);
my $messages = FelderaIngest::Memory->produce($kafka, $topic, 0, megabytes => 300, codec => 'zstd');
FelderaIngest::Memory->create_target($node, 'from_topic');
sql("SELECT feldera.create_connector('from_topic', '" . $kafka->connector_json(qq("topic": "$topic", "start_from": "earliest")) . "')");
my $watch = FelderaIngest::Memory->watch(FelderaIngest->worker_pid($node, 'postgres', 'from_topic.live'));
wait_until("SELECT next_offset = $messages FROM feldera.kafka_offsets WHERE connector = 'from_topic.live'", 'a topic of 300 MB is read');
my $peak = $watch->peak;
cmp_ok($peak, '<=', $limit, sprintf('with %.0f MB at most', $peak));
is(sql('SELECT count(*) || $$ $$ || count(DISTINCT id) FROM from_topic'), "$messages $messages", 'each message once');
sql("SELECT feldera.drop_connector('from_topic.live')");

# ---- what is queued while nothing can be inserted --------------------------------------------------------------------------

my $held = $kafka->create_topic('held', 1);
$messages = FelderaIngest::Memory->produce($kafka, $held, 0, megabytes => 150);
my %limits = (
	by_default => '', bytes => ', "max_queued_bytes": 1000000', records => ', "max_queued_records": 20, "max_batch_size": 10',
	more => ', "max_queued_bytes": 150000000');
my $blocker = $node->background_psql('postgres');
$blocker->query_safe('BEGIN');
for my $name (sort keys %limits)
{
	FelderaIngest::Memory->create_target($node, $name);
	$blocker->query_safe("LOCK TABLE $name IN SHARE MODE");
	(my $json = $kafka->connector_json(qq("topic": "$held", "start_from": "earliest"))) =~ s/\}$/$limits{$name}}/;
	sql("SELECT feldera.create_connector('$name', '$json')");
}

# The memory of a worker that has stopped growing: no more than 1 MB in half a second.
sub settled
{
	my ($pid) = @_;
	my @seen;
	FelderaIngest->poll(sub {
			push @seen, FelderaIngest::Memory->rss_anon($pid);
			return @seen > 25 && $seen[-1] - $seen[-25] < 1;
		});
	return $seen[-1];
}

my %taken;
for my $name (sort keys %limits)
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', "$name.live");
	wait_until("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", "$name: the insert is held up");
	$taken{$name} = settled($pid);
}
note(join(', ', map { sprintf '%s %.0f MB', $_, $taken{$_} } sort keys %taken));
cmp_ok($taken{by_default}, '<=', $limit, 'a worker that cannot insert stays below the limit');
cmp_ok($taken{by_default} - $taken{bytes}, '>=', 12, 'max_queued_bytes makes it smaller');
cmp_ok($taken{more} - $taken{by_default}, '>=', 60, 'or larger');
cmp_ok($taken{by_default} - $taken{records}, '>=', 12, 'max_queued_records makes it smaller');
$blocker->query_safe('COMMIT');
$blocker->quit;
for my $name (sort keys %limits)
{
	wait_until("SELECT count(*) = $messages FROM $name", "$name: all arrive all the same") if $name ne 'records';
	sql("SELECT feldera.drop_connector('$name.live')");
}

# ---- the size of a batch -------------------------------------------------------------------------------------------------------

my $bucket = $s3->create_bucket('memory');
$s3->write_lineitem("s3://$bucket/lineitem", count => 2000);
sql(<<'EOC');
CREATE TABLE batches (of text, size bigint);
CREATE FUNCTION note_batch() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO public.batches SELECT tg_table_name, count(*) FROM new_rows; RETURN NULL; END $$;
EOC
my %sized = (
	kafka => $kafka->connector_json(qq("topic": "$held", "start_from": {"offsets": [) . ($messages - 1000) . ']}'),
	delta => qq({"name": "live", "transport": {"name": "delta_table_input",
		"config": {"uri": "s3://$bucket/lineitem", "mode": "snapshot", ) . $s3->options_json . '}}}',
	datagen => FelderaIngest->datagen(name => 'live', limit => 1000));
for my $name (sort keys %sized)
{
	my $columns = $name eq 'delta' ? 'l_orderkey bigint' : 'id bigint';
	(my $json = $sized{$name}) =~ s/\}$/, "max_batch_size": 70}/;
	sql("CREATE TABLE $name ($columns);
		CREATE TRIGGER note AFTER INSERT ON $name REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_batch();
		SELECT feldera.create_connector('$name', '$json')");
}
for my $name (sort keys %sized)
{
	my $rows = $name eq 'delta' ? 2000 : 1000;
	wait_until("SELECT sum(size) = $rows FROM batches WHERE of = '$name'", "$name: all rows");
	is(sql("SELECT max(size) FROM batches WHERE of = '$name'"), 70, "$name: max_batch_size is the size of a batch");
	sql("SELECT feldera.drop_connector('$name.live')");
}

# A table of many columns: what their arrays take must not make a batch of each row.
my $columns = join(', ', 'id bigint', map { "c$_ bigint" } 1 .. 150);
my $json = FelderaIngest->datagen(name => 'live', limit => 20_000);
sql("CREATE TABLE columns ($columns);
	CREATE TRIGGER note AFTER INSERT ON columns REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_batch();
	SELECT feldera.create_connector('columns', '$json')");
FelderaIngest->wait_for_state($node, 'postgres', 'columns.live', 'finished', 'a table of 151 columns');
cmp_ok(sql("SELECT count(*) FROM batches WHERE of = 'columns'"), '<=', 20, 'is filled in a few batches');

# ---- a row group of 1 GB, over a network that stalls ---------------------------------------------------------------------------------

my $rows = 200_000;
my $sizes = FelderaIngest::Memory->write_row_group($s3, $bucket, rows => $rows);
cmp_ok($sizes->{decoded}, '>=', 1e9, sprintf('a file of %.0f MB, %.2f GB decoded', $sizes->{file} / 1e6, $sizes->{decoded} / 1e9));
FelderaIngest::Memory->create_target($node, 'wide', pause => 0.03);
sql(sprintf q(SELECT feldera.create_connector('wide', '{"name": "live", "transport": {"name": "delta_table_input",
		"config": {"uri": "s3://%s/wide", "mode": "snapshot", %s}}}')), $bucket, $s3->options_json($proxy->endpoint));
$watch = FelderaIngest::Memory->watch(FelderaIngest->worker_pid($node, 'postgres', 'wide.live'));
for my $part (1 .. 3)
{
	wait_until("SELECT rows_processed >= " . $rows * $part / 5 . " FROM feldera.connectors WHERE connector = 'wide.live'",
		"$part fifths");
	$proxy->stall;
	my $before = processed('wide.live');
	ok(FelderaIngest->poll(sub { processed('wide.live') > $before }), 'the proxy stalls, and inserts go on');
	ok(FelderaIngest->poll(sub { $proxy->status->{held} > 0 }), 'until nothing is left');
	cmp_ok(processed('wide.live'), '<', $rows, 'which is in the middle');
	$proxy->go;
}
FelderaIngest->wait_for_state($node, 'postgres', 'wide.live', 'finished', 'all is read');
$peak = $watch->peak;
cmp_ok($peak, '<=', $limit, sprintf('with %.0f MB at most', $peak));
is(sql('SELECT count(*) || $$ $$ || count(DISTINCT id) || $$ $$ || min(pad) || $$ $$ || max(pad) FROM wide'), "$rows $rows 5000 5000",
	'each row once');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
