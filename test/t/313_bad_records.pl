# Messages that cannot be stored: each is put away with topic, partition, offset, bytes and reason, the good ones around
# it are in the table, and the stream goes on. What is no fault of the messages (a revoked privilege, a trigger that refuses
# everything) puts nothing away, and heals.

use strict;
use warnings;

use FelderaIngest;
use FelderaIngest::Kafka;
use Test::More;

my $kafka = FelderaIngest::Kafka->shared;
my $node = FelderaIngest->new_cluster('bad_records');
FelderaIngest->create_extension($node, 'postgres');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub connect_kafka
{
	my ($target, $topic, %options) = @_;
	my $json = $kafka->connector_json(qq("topic": "$topic", "start_from": "earliest"),
		format => '{"name": "json", "config": {"update_format": "insert_delete"}}', %options);
	return ($options{role} ? "SET ROLE $options{role};" : '') . "SELECT feldera.create_connector('$target', '$json')";
}

sub read_to
{
	my ($target, $offset, $name) = @_;
	return FelderaIngest->wait_until($node, 'postgres',
		"SELECT sum(next_offset) = $offset FROM feldera.kafka_offsets WHERE connector = '$target.live'", $name);
}

# ---- one bad message among good ones, of every kind ---------------------------------------------------------------------

sql(<<'EOC');
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents VALUES (1);
CREATE TABLE target (
	id int PRIMARY KEY, small smallint, amount numeric(6, 2), name varchar(5), day date, flag boolean,
	quantity int CONSTRAINT some_quantity CHECK (quantity > 0), parent int CONSTRAINT known_parent REFERENCES parents,
	needed int NOT NULL DEFAULT 0, demanded int NOT NULL, code text CONSTRAINT one_code UNIQUE, note text);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN IF NEW.note = 'refuse' THEN RAISE 'row % is refused', NEW.id; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON target FOR EACH ROW EXECUTE FUNCTION refuse();
EOC

# id: the offset; what is in the message; what is to be put away: sqlstate, column, constraint, words of the error
my $insert = sub { my ($members) = @_; return sub { my ($id) = @_; return qq({"insert": {"id": $id, "demanded": 1, $members}}); } };
my $as_it_is = sub { my ($bytes) = @_; return sub { return $bytes; } };
my @kinds = (
	[ '0 bytes', $as_it_is->(''), '22P04', '', '', qr/empty/ ],
	[ 'no JSON', $as_it_is->('{"insert": {"id": '), '22P02', '', '', qr/JSON/ ],
	[ 'words', $as_it_is->('good morning'), '22P02', '', '', qr/JSON/ ],
	[ 'any bytes', $as_it_is->(join('', map { chr } reverse 0 .. 255)), '22P02', '', '', qr/JSON/ ],
	[ 'any bytes for a verb', $as_it_is->(qq({"\xff\xfe\xc3": 1})), '22P04', '', '', qr/unknown field/ ],
	[ 'a number', $as_it_is->('42'), '22P04', '', '', qr/expected an object/ ],
	[ 'an unknown verb', $as_it_is->('{"upsert": {"id": 1}}'), '22P04', '', '', qr/unknown field `upsert`/ ],
	[ 'a bare row', $as_it_is->('{"id": 1, "demanded": 1}'), '22P04', '', '', qr/unknown field `id`.*raw/ ],
	[ 'bad UTF-8', $insert->(qq("note": "\xc3\x28")), '22021', 'note', '', qr/UTF8|UTF-8/ ],
	[ 'a cut character', $insert->(qq("note": "\xe2\x82")), '22021', 'note', '', qr/UTF8|UTF-8/ ],
	[ 'a NUL', $insert->('"note": "a\u0000b"'), '22021', 'note', '', qr/0x00/ ],
	[ 'half a surrogate pair', $insert->('"note": "\ud800"'), '22P02', 'note', '', qr/surrogate/ ],
	[ 'deep nesting', $as_it_is->('{"insert":' . '[' x 100_000 . ']' x 100_000 . '}'), '22P02', '', '', qr/nest|deep/ ],
	[ 'an integer out of range', $insert->('"small": 32768'), '22003', 'small', '', qr/out of range/ ],
	[ 'a huge integer', $insert->('"quantity": 123456789012345678901234567890'), '22003', 'quantity', '', qr/out of range/ ],
	[ 'an exponent', $insert->('"quantity": 1e999999999'), '22P02', 'quantity', '', qr/integer: "1e999999999"/ ],
	[ 'text for an integer', $insert->('"quantity": "many"'), '22P02', 'quantity', '', qr/integer/ ],
	[ 'a number for a boolean', $insert->('"flag": 3'), '22P02', 'flag', '', qr/boolean/ ],
	[ 'numeric overflow', $insert->('"amount": 10000.00'), '22003', 'amount', '', qr/numeric field overflow/ ],
	[ 'no date', $insert->('"day": "2024-02-30"'), '22008', 'day', '', qr/out of range/ ],
	[ 'text too long', $insert->('"name": "abcdef"'), '22001', 'name', '', qr/too long/ ],
	[ 'CHECK', $insert->('"quantity": 0'), '23514', '', 'some_quantity', qr/check constraint/ ],
	[ 'FOREIGN KEY', $insert->('"parent": 2'), '23503', '', 'known_parent', qr/foreign key/ ],
	[ 'NOT NULL', $insert->('"needed": null'), '23502', 'needed', '', qr/null value/ ],
	[ 'NOT NULL, absent', sub { return qq({"insert": {"id": $_[0]}}) }, '23502', 'demanded', '', qr/missing|null value/ ],
	[ 'UNIQUE', $insert->('"code": "first"'), '23505', '', 'one_code', qr/duplicate key/ ],
	[ 'a trigger', $insert->('"note": "refuse"'), 'P0001', '', '', qr/row \d+ is refused/ ],
	[ '5 MB that are no date', $insert->('"day": "' . 'y' x 5_000_000 . '"'), '22007', 'day', '', qr/date/ ],
	[ '5 MB that are no number', $insert->('"amount": "' . 'y' x 5_000_000 . '"'), '22P02', 'amount', '', qr/numeric/ ],
	[ '50 MB that are no JSON', $as_it_is->('x' x 50_000_000), '22P02', '', '', qr/JSON/ ],
	[ '50 MB of text too long', $insert->('"name": "' . 'y' x 50_000_000 . '"'), '22001', 'name', '', qr/too long/ ]);

my $topic = $kafka->create_topic('bad', 1);
my @messages = (qq({"insert": {"id": 0, "demanded": 1, "code": "first"}}));
my %kind_at;
for my $kind (@kinds)
{
	$kind_at{ scalar @messages } = $kind;
	push @messages, $kind->[1]->(scalar @messages);
	push @messages, sprintf('{"insert": {"id": %d, "demanded": 1, "quantity": 7}}', scalar @messages);
}
push @messages, sprintf('{"insert": {"id": %d, "demanded": 1, "note": "%s"}}', scalar @messages, 'z' x 50_000_000);

# Those that are a line each go together.
my @together;
for my $message (@messages)
{
	if ($message =~ /^[^\n]{1,999}\z/) { push @together, $message; next; }
	$kafka->produce($topic, 0, @together) if @together;
	@together = ();
	$kafka->produce_message($topic, 0, $message);
}
sql(connect_kafka('target', $topic));
read_to('target', scalar @messages, 'the stream is read to its end');
is(FelderaIngest->state($node, 'postgres', 'target.live'), 'running', 'and goes on');
my $ids = join(' ', grep { !$kind_at{$_} } 0 .. $#messages);
is(sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM target"), $ids, 'each good message is a row');
is(sql("SELECT length(note) FROM target WHERE id = $#messages"), '50000000', 'one of 50 MB among them');
is(sql("SELECT string_agg(record_offset::text, ' ' ORDER BY record_offset) FROM feldera.rejected_records"),
	join(' ', sort { $a <=> $b } keys %kind_at), 'each bad message is put away once');
for my $offset (sort { $a <=> $b } keys %kind_at)
{
	my ($name, undef, $sqlstate, $column, $constraint, $words) = @{ $kind_at{$offset} };
	my ($got, $error) = split(/\n/, sql(<<"EOC"), 2);
SELECT concat_ws(' ', connector, topic, partition, sqlstate, 'column', column_name, 'constraint', constraint_name, 'file', file) FROM feldera.rejected_records WHERE record_offset = $offset;
SELECT error FROM feldera.rejected_records WHERE record_offset = $offset
EOC
	is($got, join(' ', 'target.live', $topic, 0, $sqlstate, 'column', (length $column ? $column : ()), 'constraint', (length $constraint ? $constraint : ()), 'file'),
		"$name: position and cause");
	like($error, $words, "$name: in words");
	cmp_ok(length $error, '<', 1000, "$name: not too many");
	if (length $messages[$offset] < 1000)
	{
		is(sql("SELECT encode(payload, 'hex') FROM feldera.rejected_records WHERE record_offset = $offset"),
			unpack('H*', $messages[$offset]), "$name: the bytes of the message");
	}
	else
	{
		is(sql("SELECT length(payload) FROM feldera.rejected_records WHERE record_offset = $offset"), length $messages[$offset],
			"$name: all bytes of the message");
	}
}
is(sql("SELECT rows_processed, rows_rejected FROM feldera.connectors WHERE connector = 'target.live'"),
	(@messages - keys %kind_at) . '|' . (keys %kind_at), 'rows and rejects are counted');
cmp_ok(length FelderaIngest->log_text($node), '<', 1_000_000, 'no message is poured into the log');

# A field that the table does not have is none of its business.
$kafka->produce_message($topic, 0, sprintf('{"insert": {"id": %d, "demanded": 1, "unknown": {"a": [1, 2]}}}', scalar @messages));
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) = 1 FROM target WHERE id = ' . scalar(@messages), 'a field without a column is passed over');

# The key is kept with the message.
$kafka->produce_message($topic, 0, 'no JSON', 'the key');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) = 1 FROM feldera.rejected_records WHERE convert_from(key, 'UTF8') = 'the key' AND payload = 'no JSON'",
	'the key of a message is put away with it');

# ---- rights ---------------------------------------------------------------------------------------------------------------

sql(<<'EOC');
CREATE ROLE keeper LOGIN;
GRANT USAGE ON SCHEMA feldera TO keeper;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA feldera TO keeper;
GRANT SELECT ON feldera.rejected_records, feldera.connectors TO keeper;
CREATE TABLE secured (id int PRIMARY KEY, v text);
GRANT SELECT, INSERT, UPDATE, DELETE ON secured TO keeper;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON secured TO keeper USING (id < 1000);
EOC
my $guarded = $kafka->create_topic('guarded', 1);
$kafka->produce($guarded, 0, map { qq({"insert": {"id": $_, "v": "x"}}) } 1, 2, 2000, 3);
sql(connect_kafka('secured', $guarded, role => 'keeper'));
read_to('secured', 4, 'row security: the stream goes on');
is(sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM secured"), '1 2 3', 'row security: what it allows is there');
is(sql("SELECT record_offset, sqlstate, error FROM feldera.rejected_records WHERE connector = 'secured.live'"),
	'2|42501|new row violates row-level security policy for table "secured"', 'row security: what it refuses is put away');

# INSERT revoked: no fault of the messages
sql('REVOKE INSERT ON secured FROM keeper');
$kafka->produce($guarded, 0, map { qq({"insert": {"id": $_, "v": "x"}}) } 4 .. 9);
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state IN ('failed', 'retrying') AND sqlstate = '42501' AND error = 'permission denied for table secured' FROM feldera.connectors WHERE connector = 'secured.live'",
	'INSERT revoked: it stops, with the reason');
like(FelderaIngest->log_text($node), qr/ERROR:  permission denied for table secured\n[^\n]*CONTEXT:[^\n]*\n\ttopic "$guarded", partition 0, offsets 4 to \d+\n\tconnector "secured.live"/,
	'INSERT revoked: the log says at which messages');
is(sql("SELECT count(*) FROM feldera.rejected_records WHERE connector = 'secured.live'"), '1', 'INSERT revoked: nothing is put away');
is(sql("SELECT next_offset FROM feldera.kafka_offsets WHERE connector = 'secured.live'"), '4', 'INSERT revoked: the position stays');
sql('GRANT INSERT ON secured TO keeper');
read_to('secured', 10, 'INSERT granted: it goes on by itself');
is(sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM secured"), '1 2 3 4 5 6 7 8 9', 'INSERT granted: each row once');
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'running' AND error IS NULL FROM feldera.connectors WHERE connector = 'secured.live'", 'INSERT granted: the error is gone');

# ---- a trigger that refuses everything -----------------------------------------------------------------------------------------

sql(<<'EOC');
CREATE TABLE broken (id int PRIMARY KEY);
CREATE TABLE broken_too (id int PRIMARY KEY);
CREATE TABLE half_broken (id int PRIMARY KEY);
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the audit table is full'; END $$;
CREATE FUNCTION half_broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id % 2 = 1 THEN RAISE 'odd: %', NEW.id; END IF; RETURN NEW; END $$;
CREATE TRIGGER broken BEFORE INSERT ON broken FOR EACH ROW EXECUTE FUNCTION broken();
CREATE TRIGGER broken BEFORE INSERT ON broken_too FOR EACH ROW EXECUTE FUNCTION broken();
CREATE TRIGGER broken BEFORE INSERT ON half_broken FOR EACH ROW EXECUTE FUNCTION half_broken();
EOC
my $many = $kafka->create_topic('many', 1);
$kafka->produce($many, 0, map { qq({"insert": {"id": $_}}) } 0 .. 299);
sql(connect_kafka('broken', $many));
sql(connect_kafka('half_broken', $many));
sql(connect_kafka('broken_too', $many, more => '"on_error": "reject"'));
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'retrying' AND sqlstate = 'P0001' AND error = 'the audit table is full' AND retries >= 2 FROM feldera.connectors WHERE connector = 'broken.live'",
	'a trigger that refuses 300 rows alike: retrying, with its error');
is(sql("SELECT count(*) FROM feldera.rejected_records WHERE connector = 'broken.live'"), '0', 'nothing is put away');
is(sql("SELECT next_offset FROM feldera.kafka_offsets WHERE connector = 'broken.live'"), '0', 'the position stays');
sql('DROP TRIGGER broken ON broken');
read_to('broken', 300, 'the trigger is dropped: it goes on by itself');
is(sql('SELECT count(*), sum(id) FROM broken'), '300|44850', 'each row once');
read_to('broken_too', 300, 'where "on_error" is "reject" the stream goes on');
is(sql("SELECT count(*), count(DISTINCT record_offset), min(sqlstate), count(DISTINCT error) FROM feldera.rejected_records WHERE connector = 'broken_too.live'"),
	'300|300|P0001|1', 'and all of it is put away');
read_to('half_broken', 300, 'a trigger that refuses every other row is no reason to stop');
is(sql('SELECT count(*) FROM half_broken') . ' ' . sql("SELECT count(*) FROM feldera.rejected_records WHERE connector = 'half_broken.live'"),
	'150 150', 'the good half is there, the other is put away');

# ---- another format than the declared one -------------------------------------------------------------------------------------------

my $csv = $kafka->create_topic('csv', 1);
$kafka->produce($csv, 0, map { $_ % 3 ? "$_,x" : "$_,\"\"" } 0 .. 299);
sql('CREATE TABLE mistaken (id int PRIMARY KEY, v text)');
sql(connect_kafka('mistaken', $csv));
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'retrying' AND sqlstate = '22P04' AND error ~ 'expected an object' AND retries >= 2 FROM feldera.connectors WHERE connector = 'mistaken.live'",
	'a topic of another format: retrying, with the error');
like(FelderaIngest->log_text($node), qr/ERROR:  invalid type: 0, expected an object[^\n]*\n[^\n]*CONTEXT:  topic "$csv", partition 0, offsets 0 to 299\n\tconnector "mistaken.live"/,
	'the log says at which messages');
is(sql("SELECT count(*) FROM feldera.rejected_records WHERE connector = 'mistaken.live'"), '0', 'nothing is put away');
sql(q(SELECT feldera.alter_connector('mistaken.live', '{"format": {"name": "csv", "config": {"update_format": null}}}')));
read_to('mistaken', 300, 'the format is mended: it goes on');
is(sql('SELECT count(*), sum(id) FROM mistaken'), '300|44850', 'each row once');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
