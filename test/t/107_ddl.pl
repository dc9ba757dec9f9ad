# The target changes while it is fed: the worker describes it anew and goes on; it has failed only when the table is gone.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('ddl');
FelderaIngest->create_extension($node, 'postgres');
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 1000);

sub goes_on
{
	my ($table, $name) = @_;
	my $before = $node->safe_psql('postgres', "SELECT count(*) FROM $table");
	FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before + 200 FROM $table", $name);
	FelderaIngest->rows_are_exact($node, 'postgres', $table, 'exactly');
	return;
}

goes_on('t', 'rows arrive');
my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.live');
$node->safe_psql('postgres', q{ALTER TABLE t ADD COLUMN note text DEFAULT 'new'});
goes_on('t', 'ADD COLUMN with a default');
ok( $node->safe_psql('postgres', q{SELECT bool_and(note IS NOT NULL) FROM t}) eq 't',
	'which has the default before, and what datagen makes of it from then on');
$node->safe_psql('postgres', 'ALTER TABLE t DROP COLUMN note');
goes_on('t', 'DROP COLUMN of a column that is not fed');
$node->safe_psql('postgres', 'ALTER TABLE t ALTER id TYPE numeric');
goes_on('t', 'ALTER TYPE to numeric');
$node->safe_psql('postgres', 'ALTER TABLE t ALTER id TYPE bigint');
goes_on('t', 'ALTER TYPE back to bigint');
$node->safe_psql('postgres', 'ALTER TABLE t RENAME TO renamed');
goes_on('renamed', 'RENAME');
is($node->safe_psql('postgres', "SELECT relid::text FROM feldera.connectors WHERE connector = 't.live'"),
	'renamed', 'the connector keeps its name and follows the table');
$node->safe_psql('postgres', 'CREATE SCHEMA elsewhere; ALTER TABLE renamed SET SCHEMA elsewhere');
goes_on('elsewhere.renamed', 'SET SCHEMA');
$node->safe_psql('postgres', 'CREATE UNIQUE INDEX ON elsewhere.renamed (id)');
goes_on('elsewhere.renamed', 'CREATE INDEX');
$node->safe_psql('postgres', 'ALTER TABLE elsewhere.renamed ADD PRIMARY KEY (id)');
goes_on('elsewhere.renamed', 'ADD PRIMARY KEY');
$node->safe_psql('postgres', 'VACUUM FULL elsewhere.renamed');
goes_on('elsewhere.renamed', 'VACUUM FULL');
is(FelderaIngest->worker_pid($node, 'postgres', 't.live'), $pid, 'all of it in one worker');
is($node->safe_psql('postgres', 'SELECT count(*) FROM feldera.rejected_records'), '0', 'and no record was rejected');

# what the worker cannot feed is failed, and heals by the DDL that takes it back
$node->safe_psql('postgres', 'ALTER TABLE elsewhere.renamed DROP CONSTRAINT renamed_pkey');
goes_on('elsewhere.renamed', 'DROP CONSTRAINT');
$node->safe_psql('postgres', 'ALTER TABLE elsewhere.renamed ADD PRIMARY KEY (id) DEFERRABLE');
FelderaIngest->wait_until($node, 'postgres',
	"SELECT state = 'failed' AND error ~ 'deferrable' AND hint IS NOT NULL FROM feldera.connectors WHERE connector = 't.live'",
	'a deferrable primary key: failed');
$node->safe_psql('postgres', 'ANALYZE elsewhere.renamed; VACUUM elsewhere.renamed');
is(FelderaIngest->state($node, 'postgres', 't.live'), 'failed', 'VACUUM and ANALYZE do not try it again');
$node->safe_psql('postgres', 'ALTER TABLE elsewhere.renamed DROP CONSTRAINT renamed_pkey');
FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'running', 'DROP CONSTRAINT heals it');
goes_on('elsewhere.renamed', 'and rows arrive');

# the table is gone
$node->safe_psql('postgres', 'DROP TABLE elsewhere.renamed');
FelderaIngest->wait_for_state($node, 'postgres', 't.live', 'failed', 'DROP TABLE: failed');
like($node->safe_psql('postgres', "SELECT error FROM feldera.connectors WHERE connector = 't.live'"),
	qr/does not exist|is gone|dropped/, 'with the reason');
my ($status) = $node->psql('postgres', "SELECT feldera.drop_connector('t.live')");
is($status, 0, 'the connector of a dropped table can be dropped');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
