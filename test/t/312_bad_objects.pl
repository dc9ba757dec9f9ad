# Stores and tables that are not what they should be: what time can heal is retried and heals by itself, what it cannot is
# failed until it is mended and started again; each error names the connector, the table, the object and the cause, no row
# comes twice or goes missing, and no secret is told.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::S3;
use FelderaIngest::Server;
use PostgreSQL::Test::Utils;
use Test::More;

my $s3 = FelderaIngest::S3->shared;
my $bucket = $s3->create_bucket('bad');
my $endpoint = $s3->endpoint;
my $node = FelderaIngest->new_cluster('bad_objects');
FelderaIngest->create_extension($node, 'postgres');

# Tables "id int, part int, text" of 100 rows in ten files; in one commit, where a connector waits for the table, which would
# read the first of several as a whole snapshot.

sub write_commits
{
	my ($commits, @uris) = @_;
	my $uris = join(', ', map { qq("$_") } @uris);
	my $rows = 100 / $commits;
	$s3->python(<<"EOC");
for uri in ($uris,):
    for commit in range($commits):
        ids = range(commit * $rows, commit * $rows + $rows)
        write_deltalake(uri, pa.table({"id": pa.array(ids, pa.int32()), "part": pa.array([i // 10 for i in ids], pa.int32()),
            "text": pa.array([f"text of {i}" for i in ids])}), partition_by=["part"], mode="append",
            storage_options=storage_options() if uri.startswith("s3") else None)
EOC
	return;
}

sub write_table { return write_commits(2, @_); }

# A connector named "delta" on a new table; "config" are members of transport.config that differ from the usual, and
# "more" members of the connector.
sub connect_delta
{
	my ($target, $uri, %config) = @_;
	my $more = delete $config{more};
	$more = defined $more ? ", $more" : '';
	my %all = (uri => $uri, mode => 'snapshot', poll_interval_ms => 50);
	%all = (%all, aws_endpoint => $endpoint, aws_allow_http => 'true', aws_region => 'us-east-1', aws_access_key_id => 'testkey',
		aws_secret_access_key => 'testsecret') if $uri =~ /^s3:/;
	%all = (%all, %config);
	my $members = join(', ', map { qq("$_": "$all{$_}") } grep { defined $all{$_} } sort keys %all);
	$node->safe_psql('postgres', <<"EOC");
CREATE TABLE $target (id int, part int, text text);
SELECT feldera.create_connector('$target', '{"name": "delta", "transport": {"name": "delta_table_input", "config": {$members}}$more}');
EOC
	return;
}

sub column
{
	my ($target, $column) = @_;
	return $node->safe_psql('postgres', "SELECT $column FROM feldera.connectors WHERE connector = '$target.delta'");
}

# The state comes, with an error that says all of this; the server's log says the same and names the connector.
sub is_told
{
	my ($target, $state, @patterns) = @_;
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = '$state' AND error IS NOT NULL FROM feldera.connectors WHERE connector = '$target.delta'", "$target is $state");
	my $error = column($target, 'error');
	like($error, $_, "$target: the error says what and where") for @patterns;
	my ($line) = grep { /"$target\.delta"/ && index($_, $error) >= 0 } split(/\n/, FelderaIngest->log_text($node));
	ok(defined $line, "$target: so does the log");
	is(column($target, "rows_processed = (SELECT count(*) FROM $target)"), 't', "$target: rows are those counted");
	return;
}

# Rows 0 to 99, each once.
sub is_exact
{
	my ($target) = @_;
	is( $node->safe_psql('postgres', "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM $target t"),
		$node->safe_psql('postgres',
			"SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM (SELECT id, id / 10 AS part, 'text of ' || id FROM generate_series(0, 99) id) t"),
		"$target: each row once");
	return;
}

sub heals
{
	my ($target) = @_;
	FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'finished', "$target heals by itself");
	is(column($target, 'error IS NULL'), 't', "$target: the error is gone");
	is_exact($target);
	return;
}

sub is_started_again
{
	my ($target) = @_;
	$node->safe_psql('postgres', "SELECT feldera.start_connector('$target.delta')");
	FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'finished', "$target: mended, it is started again");
	is_exact($target);
	return;
}

write_table(map { "s3://$bucket/$_" } qw(secret private truncated overwritten commit checkpoint));

# ---- what time can heal ------------------------------------------------------------------------------------------------

# a bucket that does not exist
connect_delta('no_bucket', "s3://bad-later-$$/table");
is_told('no_bucket', 'retrying', qr{Delta table "s3://bad-later-$$/table"}, qr/NoSuchBucket|bucket.*does not exist/);
$s3->request('PUT', "/bad-later-$$");

# now there is a bucket, but no table in it
FelderaIngest->wait_until($node, 'postgres',
	"SELECT error ~ 'no Delta table' FROM feldera.connectors WHERE connector = 'no_bucket.delta'", 'a bucket without the table is told apart');
is_told('no_bucket', 'retrying', qr{there is no Delta table at "s3://bad-later-$$/table"});
write_commits(1, "s3://bad-later-$$/table");
heals('no_bucket');

# objects that are no Delta table
$s3->put_object($bucket, 'plain/data.csv', "1,2,3\n");
connect_delta('no_table', "s3://$bucket/plain");
is_told('no_table', 'retrying', qr{there is no Delta table at "s3://$bucket/plain"});
write_commits(1, "s3://$bucket/plain");
heals('no_table');

# no rights: unsigned, where signatures are asked for
connect_delta('private', "s3://$bucket/private", aws_skip_signature => 'true', aws_access_key_id => undef, aws_secret_access_key => undef);
is_told('private', 'retrying', qr{Delta table "s3://$bucket/private"}, qr/AccessDenied|403/);
$s3->make_public($bucket);
heals('private');

# a wrong secret
connect_delta('secret', "s3://$bucket/secret", aws_secret_access_key => 'WrongSecret-Xyzzy');
is_told('secret', 'retrying', qr{Delta table "s3://$bucket/secret"}, qr/SignatureDoesNotMatch|403/);
is(column('secret', "config #>> '{transport,config,aws_secret_access_key}'"), '***', 'the secret is not shown');
$node->safe_psql('postgres',
	q(SELECT feldera.alter_connector('secret.delta', '{"transport": {"config": {"aws_secret_access_key": "testsecret"}}}')));
heals('secret');

# a server that is not there
my ($port) = FelderaIngest::Server::free_ports(1);
connect_delta('nobody', "s3://$bucket/secret", aws_endpoint => "http://127.0.0.1:$port");
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'retrying' AND pid IS NOT NULL AND error ~ 's3://$bucket/secret/.*127.0.0.1 port $port' FROM feldera.connectors WHERE connector = 'nobody.delta'",
	'nobody: a server that does not answer is told while it is tried again');
like(FelderaIngest->log_text($node), qr{WARNING: .*"nobody.delta".*s3://$bucket/secret/.*127.0.0.1 port $port}, 'nobody: and in the log');
$node->safe_psql('postgres',
	qq(SELECT feldera.alter_connector('nobody.delta', '{"transport": {"config": {"aws_endpoint": "$endpoint"}}}')));
heals('nobody');

# a server that goes away while its table is followed, and comes back: the same worker goes on
{
	my $own = FelderaIngest::S3->new(start => 1);
	my $place = $own->create_bucket('own');
	my $append = sub {
		my ($first, $count) = @_;
		$own->python(<<"EOC");
ids = range($first, $first + $count)
write_deltalake("s3://$place/table", pa.table({"id": pa.array(ids, pa.int32()), "part": pa.array([i // 10 for i in ids], pa.int32()),
    "text": pa.array([f"text of {i}" for i in ids])}), mode="append", storage_options=storage_options())
EOC
	};
	$append->(0, 50);
	connect_delta('away', "s3://$place/table", mode => 'snapshot_and_follow', aws_endpoint => $own->endpoint);
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 50 FROM away', 'a table is followed');
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 'away.delta');
	$own->kill9;
	is_told('away', 'retrying', qr{s3://$place/table/.*127\.0\.0\.1 port});
	$own->start;
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'running' AND error IS NULL AND pid = $pid FROM feldera.connectors WHERE connector = 'away.delta'",
		'away: the same worker goes on');
	$append->(50, 50);
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) >= 100 FROM away', 'away: with what comes');
	is_exact('away');
	$node->safe_psql('postgres', "SELECT feldera.drop_connector('away.delta')");

	# the same in the middle of one large file
	$own->python(<<"EOC");
ids = range(32000)
write_deltalake("s3://$place/large", pa.table({"id": pa.array(ids, pa.int32()), "text": pa.array([os.urandom(800).hex() for i in ids])}),
    storage_options=storage_options())
EOC
	$node->safe_psql('postgres', <<'EOC');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END';
EOC
	connect_delta('large', "s3://$place/large", aws_endpoint => $own->endpoint, more => '"max_batch_size": 200, "paused": true');
	$node->safe_psql('postgres', <<'EOC');
CREATE TRIGGER slow AFTER INSERT ON large FOR EACH STATEMENT EXECUTE FUNCTION slow();
SELECT feldera.start_connector('large.delta');
EOC
	FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 200 FROM large', 'a large file is read');
	$pid = FelderaIngest->worker_pid($node, 'postgres', 'large.delta');
	$own->kill9;
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'retrying' AND pid = $pid AND error ~ 's3://$place/large/.*127.0.0.1 port' FROM feldera.connectors WHERE connector = 'large.delta'",
		'large: why nothing comes');
	$own->start;
	FelderaIngest->wait_for_state($node, 'postgres', 'large.delta', 'finished');
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM large'), '32000|32000', 'large: each row once');
	is( $node->safe_psql('postgres', "SELECT state FROM feldera.history WHERE connector = 'large.delta' ORDER BY id DESC OFFSET 1 LIMIT 1"),
		'running', 'large: it was told when it went on');
}

# a directory that is not there, then one that may not be read
my $local = PostgreSQL::Test::Utils::tempdir();
connect_delta('no_directory', "file://$local/table");
is_told('no_directory', 'retrying', qr{Delta table "file://$local/table"|no Delta table at "file://$local/table"});
write_table("$local/other");
my ($file) = glob("$local/other/part=7/*.parquet");
chmod(0, $file) or die "chmod: $!";
rename("$local/other", "$local/table") or die "rename: $!";
$file =~ s/other/table/;
FelderaIngest->wait_until($node, 'postgres',
	"SELECT error ~ 'part=7/.*parquet.*ermission denied' FROM feldera.connectors WHERE connector = 'no_directory.delta'",
	'a file that may not be read is named');
chmod(0600, $file) or die "chmod: $!";
heals('no_directory');

# an empty table is no error
$s3->python(<<"EOC");
DeltaTable.create("s3://$bucket/empty", pa.schema([("id", pa.int32()), ("part", pa.int32()), ("text", pa.string())]),
    partition_by=["part"], storage_options=storage_options())
EOC
connect_delta('empty', "s3://$bucket/empty");
FelderaIngest->wait_for_state($node, 'postgres', 'empty.delta', 'finished', 'an empty table is read to its end');
is(column('empty', 'rows_processed, backfill_completed_at IS NOT NULL, error IS NULL'), '0|t|t', 'and complete');
connect_delta('filled', "s3://$bucket/empty", mode => 'snapshot_and_follow');
FelderaIngest->wait_until($node, 'postgres',
	"SELECT backfill_completed_at IS NOT NULL FROM feldera.connectors WHERE connector = 'filled.delta'", 'also where it is followed');
write_table("s3://$bucket/empty");
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) >= 100 FROM filled', 'what comes into it is followed');
is_exact('filled');

# ---- keys that need care ---------------------------------------------------------------------------------------------------

my %place = ('a b=c%25d' => 'a%20b=c%25d', 'é+(x)' => 'é+(x)');
for my $key (sort keys %place)
{
	my $target = 'awkward_' . ($key =~ /=/ ? 'ascii' : 'letters');
	write_table("s3://$bucket/$key/part=1 %/table");
	connect_delta($target, "s3://$bucket/$key/part=1 %/table");
	FelderaIngest->wait_for_state($node, 'postgres', "$target.delta", 'finished', "a table in \"$key\"");
	is_exact($target);
}

# ---- what time cannot heal ---------------------------------------------------------------------------------------------------

# a data file that ends too early, and one of the right size whose end is something else
for my $target (qw(truncated overwritten))
{
	my ($key) = grep { m{/part=7/} } $s3->keys($bucket, "$target/");
	my $bytes = $s3->get_object($bucket, $key);
	$s3->put_object($bucket, $key, $target eq 'truncated' ? substr($bytes, 0, -100) : substr($bytes, 0, -100) . "\xff" x 100);
	connect_delta($target, "s3://$bucket/$target", mode => 'snapshot');
	is_told($target, 'failed', qr{Delta table "s3://$bucket/$target"}, qr{part=7/part-.*\.parquet}, $target eq 'truncated' ? qr/\d+ bytes/ : qr/Parquet/);
	$s3->put_object($bucket, $key, $bytes);
	is_started_again($target);
}

# a commit that breaks off: its writer may be at it, so that it is waited for
my $commit = 'commit/_delta_log/00000000000000000001.json';
my $good = $s3->get_object($bucket, $commit);
connect_delta('followed', "s3://$bucket/commit", mode => 'snapshot_and_follow');
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 100 FROM followed', 'a table is followed');
$s3->put_object($bucket, $commit, substr($good, 0, length($good) - 40));
connect_delta('unfinished', "s3://$bucket/commit");
is_told('unfinished', 'retrying', qr{Delta table "s3://$bucket/commit"}, qr{00000000000000000001\.json}, qr/invalid JSON/);
$s3->put_object($bucket, $commit, $good);
heals('unfinished');

# a commit that is no JSON
my @lines = split(/\n/, $good);
$s3->put_object($bucket, $commit, join("\n", @lines[ 0 .. 1 ], '{"add": {"path": part=7}}', @lines[ 2 .. $#lines ], ''));
connect_delta('no_json', "s3://$bucket/commit");
is_told('no_json', 'failed', qr{Delta table "s3://$bucket/commit"}, qr{00000000000000000001\.json}, qr/line 3/, qr/invalid JSON/);
$s3->put_object($bucket, $commit, $good);
is_started_again('no_json');

# the same where it is followed: first unfinished, then wrong
my $next = 'commit/_delta_log/00000000000000000002.json';
$s3->put_object($bucket, $next, "{\"commitInfo\": {}}\n{\"add\": {\"path\": ");
connect_delta('unfinished_next', "s3://$bucket/commit", mode => 'follow', version => 1);
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'running' AND doing = 'waiting for version 2' FROM feldera.connectors WHERE connector = 'unfinished_next.delta'",
	'followed: an unfinished commit is not there yet');
$s3->put_object($bucket, $next, "{\"commitInfo\": {}}\n{\"add\": {\"path\": \n");
is_told($_, 'failed', qr{Delta table "s3://$bucket/commit"}, qr/version 2\b/, qr/invalid JSON/) for 'followed', 'unfinished_next';
is($node->safe_psql('postgres', "SELECT next_version FROM feldera.delta_positions WHERE connector = 'followed.delta'"),
	'2', 'followed: the position stays before it');
$s3->delete_objects($bucket, $next);
$node->safe_psql('postgres', "SELECT feldera.start_connector('followed.delta')");
$s3->python(<<"EOC");
DeltaTable("s3://$bucket/commit", storage_options=storage_options()).delete("part = 3")
EOC
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 90 AND count(*) FILTER (WHERE part = 3) = 0 FROM followed',
	'followed: mended, it goes on');

# a checkpoint that is none: no harm while the commits are there
$s3->python(qq(DeltaTable("s3://$bucket/checkpoint", storage_options=storage_options()).create_checkpoint()));
my ($checkpoint) = grep { /\.checkpoint\.parquet$/ } $s3->keys($bucket, 'checkpoint/_delta_log/');
$good = $s3->get_object($bucket, $checkpoint);
$s3->put_object($bucket, $checkpoint, substr($good, 0, 200));
connect_delta('commits_left', "s3://$bucket/checkpoint");
FelderaIngest->wait_for_state($node, 'postgres', 'commits_left.delta', 'finished', 'a broken checkpoint beside all commits is no harm');
is_exact('commits_left');
$s3->delete_objects($bucket, 'checkpoint/_delta_log/00000000000000000000.json');
connect_delta('checkpoint_only', "s3://$bucket/checkpoint");
is_told('checkpoint_only', 'failed', qr{Delta table "s3://$bucket/checkpoint"}, qr{00000000000000000001\.checkpoint\.parquet});
$s3->put_object($bucket, $checkpoint, $good);
is_started_again('checkpoint_only');

# ---- and in all of this -----------------------------------------------------------------------------------------------------------

is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'nothing is put away');
my $told = $node->safe_psql('postgres',
	'SELECT c::text FROM feldera.connectors c UNION ALL SELECT h::text FROM feldera.history h UNION ALL SELECT d::text FROM feldera.delta_positions d')
  . FelderaIngest->log_text($node);
unlike($told, qr/WrongSecret-Xyzzy|testsecret/, 'no secret is in views or log');
FelderaIngest->check_log($node);
$node->stop;
done_testing();
