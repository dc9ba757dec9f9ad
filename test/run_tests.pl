#!/usr/bin/perl
# Runs every test and ends in one line: N passed, M failed (, K skipped).
#
#   run_tests.pl [--unit DIRECTORY] [--tap PATTERN]
#
# Called by test/check.sh in a copy of the tree that the unprivileged user owns, after "make install". Starts one Kafka
# broker and one S3 server for all tests that do not need to kill theirs. Unit programs come from --unit; --tap runs
# only the TAP files whose name matches, and nothing else.

use strict;
use warnings;

use lib 'test/perl';
use Cwd qw(getcwd);
use FelderaIngest::Kafka;
use FelderaIngest::S3;
use File::Temp ();
use Getopt::Long;
use TAP::Harness;

my ($unit, $tap) = ('build/sanitize/unit', undef);
GetOptions('unit=s' => \$unit, 'tap=s' => \$tap) or exit 2;

my ($passed, $failed, $skipped) = (0, 0, 0);
my $pgxs = `pg_config --pgxs`;
chomp $pgxs;
(my $pgxs_source = $pgxs) =~ s{/makefiles/pgxs\.mk$}{};
chomp(my $bindir = `pg_config --bindir`);
$ENV{PATH} = "$bindir:$ENV{PATH}";
$ENV{PG_REGRESS} = "$pgxs_source/test/regress/pg_regress";
$ENV{TESTDIR} = getcwd();
$ENV{PGUSER} = getpwuid($<);
delete @ENV{qw(PGHOST PGPORT PGDATABASE PGOPTIONS)};
$ENV{LC_ALL} = 'C.UTF-8';

# Run files that speak TAP; a file that ends badly without a failed test counts as one failure.
sub run_tap
{
	my ($name, $arguments, @files) = @_;
	return if !@files;
	print "== $name\n";
	my $harness = TAP::Harness->new({ verbosity => 0, merge => 0, %$arguments });
	my $aggregate = $harness->runtests(@files);
	$passed += $aggregate->passed;
	$failed += $aggregate->failed;
	$skipped += $aggregate->skipped;
	$passed -= $aggregate->skipped;
	for my $parser ($aggregate->parsers)
	{
		$skipped++ if $parser->skip_all;
		$failed++ if $parser->has_problems && !$parser->failed;
	}
	return;
}

# pg_regress in a cluster of its own, preloaded. Its words differ between majors, so the results are counted by the diffs.
sub run_regress
{
	my @tests = map { m{^expected/(\w+)\.out$} ? $1 : () } sort glob('expected/*.out');
	return if !@tests;
	print "== pg_regress\n";
	my $directory = File::Temp::tempdir(CLEANUP => 1);
	open(my $config, '>', "$directory/extra.conf") or die "extra.conf: $!";
	print $config "shared_preload_libraries = 'feldera_ingest'\nfsync = off\nmax_worker_processes = 20\n"
	  . "log_min_messages = warning\nfeldera_ingest.max_workers = 8\n";
	close($config);
	for my $test (@tests)
	{
		my $status = system($ENV{PG_REGRESS}, '--inputdir=.', "--outputdir=$directory", "--bindir=$bindir",
			"--temp-instance=$directory/instance", "--temp-config=$directory/extra.conf", '--no-locale',
			'--encoding=UTF8', '--dbname=regression', $test);
		if ($status == 0) { $passed++; }
		else
		{
			$failed++;
			system('cat', "$directory/regression.diffs");
		}
		system('rm', '-rf', "$directory/instance");
	}
	return;
}

if (!defined $tap)
{
	run_tap('unit programs', { exec => [] , jobs => 2 }, sort grep { -x && !/\.d$/ } glob("$unit/*"));
	run_regress();
}

my @files = sort glob('test/t/*.pl');
@files = grep { /$tap/ } @files if defined $tap;
my ($kafka, $s3);
if (@files)
{
	eval {
		$kafka = FelderaIngest::Kafka->new(start => 1);
		$s3 = FelderaIngest::S3->new(start => 1);
		$ENV{FELDERA_INGEST_KAFKA} = $kafka->environment;
		$ENV{FELDERA_INGEST_S3} = $s3->environment;
		1;
	} or do { print "a server did not start: $@"; $failed++; };
	run_tap('processes, brokers, stores', {
			jobs => 2,
			lib => [ "$pgxs_source/test/perl", "$ENV{TESTDIR}/test/perl" ],
		}, @files);
}

print "$passed passed, $failed failed" . ($skipped > 0 ? ", $skipped skipped" : '') . "\n";
exit($failed > 0 ? 1 : 0);
