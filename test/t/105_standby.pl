# Nothing runs on a standby; after its promotion the same connectors go on, exactly once.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $primary = FelderaIngest->init_cluster('primary', allows_streaming => 1);
$primary->start;
FelderaIngest->create_extension($primary, 'postgres');
FelderaIngest->create_datagen($primary, 'postgres', 't', rate => 1000);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
FelderaIngest->wait_until($standby, 'postgres', 'SELECT count(*) > 1000 FROM t', 'rows are replicated');

is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'feldera_ingest%'"),
	'0', 'no process of ours runs on a standby');
is(FelderaIngest->state($standby, 'postgres', 't.live'), 'inactive', 'the connector is inactive there');
like($standby->safe_psql('postgres', "SELECT hint FROM feldera.connectors WHERE connector = 't.live'"),
	qr/promotion/, 'and the hint says why');

$primary->stop('immediate');
$standby->promote;
my $promoted_at = $standby->safe_psql('postgres', 'SELECT count(*) FROM t');
FelderaIngest->wait_for_state($standby, 'postgres', 't.live', 'running', 'after the promotion the connector runs');
FelderaIngest->wait_until($standby, 'postgres', "SELECT count(*) > $promoted_at + 500 FROM t", 'rows go on');
FelderaIngest->rows_are_exact($standby, 'postgres', 't', 'exactly once');
FelderaIngest->check_log($standby);
$standby->stop;
done_testing();
