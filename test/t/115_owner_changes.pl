# A table that is given away while a superuser's connector feeds it: the new owner's triggers never run as superuser.

use strict;
use warnings;

use FelderaIngest;
use Test::More;

my $node = FelderaIngest->new_cluster('owner');
FelderaIngest->create_extension($node, 'postgres');
$node->safe_psql('postgres', <<'EOC');
CREATE ROLE alice LOGIN;
GRANT CREATE ON SCHEMA public TO alice;
CREATE TABLE who (u text, superuser boolean);
GRANT ALL ON who TO PUBLIC;
CREATE TABLE p (id bigint) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000000);
CREATE TABLE p2 PARTITION OF p DEFAULT;
EOC
FelderaIngest->create_datagen($node, 'postgres', $_, rate => 200) for qw(t p);
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > 10 FROM $_", "rows arrive in $_") for qw(t p);

# The table is given to alice, who at once gives it a trigger that tells who runs it.
sub give
{
	my ($table) = @_;
	$node->safe_psql('postgres', "ALTER TABLE $table OWNER TO alice");
	$node->safe_psql('postgres', <<"EOC", extra_params => [ '-U', 'alice' ]);
CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		INSERT INTO public.who SELECT current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user;
		RETURN NEW;
	END \$\$;
CREATE TRIGGER tell BEFORE INSERT ON $table FOR EACH ROW EXECUTE FUNCTION tell();
EOC
	return;
}

for my $case ([ t => 't' ], [ p => 'p1' ])
{
	my ($table, $given) = @$case;
	give($given);
	FelderaIngest->wait_until($node, 'postgres',
		"SELECT state = 'failed' AND sqlstate = '42501' AND error ~ '\"$given\" belongs to role \"alice\"' AND hint ~ 'again'
		 FROM feldera.connectors WHERE connector = '$table.live'", "the connector of $table has failed, and says why");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM who WHERE superuser'), '0', 'no trigger has run as superuser');
	$node->safe_psql('postgres', "SELECT feldera.start_connector('$table.live')");
	FelderaIngest->wait_for_state($node, 'postgres', "$table.live", 'failed', 'nor does another start change that');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM who WHERE superuser'), '0', 'still none');
}

# declared again it runs as the new owner
$node->safe_psql('postgres', "SELECT feldera.drop_connector('t.live'); TRUNCATE t, who");
FelderaIngest->create_datagen($node, 'postgres', 't', rate => 200);
FelderaIngest->wait_until($node, 'postgres', 'SELECT count(*) > 10 FROM t', 'declared again it goes on');
is($node->safe_psql('postgres', 'SELECT DISTINCT u FROM who'), 'alice', 'as the owner of the table');

# a superuser's table again
$node->safe_psql('postgres', 'ALTER TABLE p1 OWNER TO CURRENT_USER; DROP TRIGGER tell ON p1');
$node->safe_psql('postgres', "SELECT feldera.start_connector('p.live')");
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM p');
FelderaIngest->wait_until($node, 'postgres', "SELECT count(*) > $before FROM p", 'given back it goes on');
FelderaIngest->rows_are_exact($node, 'postgres', 'p', 'exactly');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
