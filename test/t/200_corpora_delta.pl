# The Delta tables of the corpora: what delta_cat prints is scored against their oracles. Every failure must be one of the
# decisions in test/corpora/delta_decisions.tsv, and every decision must still be one; a table that cannot be read must be
# refused for the cause in test/corpora/delta_refusals.tsv. CORPORA names the place of the corpora.

use strict;
use warnings;

use File::Temp ();
use Test::More;

plan skip_all => 'no corpora (CORPORA is not set)' if !defined $ENV{CORPORA} || !-x "$ENV{CORPORA}/score";

my $corpora = $ENV{CORPORA};
my $cat = 'test/tools/delta_cat';
my $directory = File::Temp::tempdir(CLEANUP => 1);
is(system("$corpora/unpack", $directory), 0, 'the corpora unpack');

# Lines of a table of ours: the first names the columns.
sub read_table
{
	my ($name) = @_;
	open(my $file, '<', "test/corpora/$name.tsv") or die "$name: $!";
	chomp(my @lines = <$file>);
	close($file);
	my @columns = split /\t/, shift @lines;
	return map { my %line; @line{@columns} = split /\t/; \%line } @lines;
}

my %decisions = map { ("$_->{table} $_->{check}" => 1) } read_table('delta_decisions');
cmp_ok(scalar(keys %decisions), '<=', 15, 'few decisions');

my %failed;
my $tally = '';
open(my $score, '-|', "$corpora/score", 'delta', "$directory/delta", "$corpora/delta-tables.tsv", $cat) or die "score: $!";
while (my $line = <$score>)
{
	if ($line =~ /^FAIL (\S+ [^:]+): (.*)/) { $failed{$1} = $2; }
	else { $tally .= $line; }
}
close($score);
for my $case (sort keys %failed)
{
	fail("$case: $failed{$case}") if !$decisions{$case};
}
for my $case (sort keys %decisions)
{
	ok($failed{$case}, "still a decision: $case");
}
like($tally, qr/^crashes: 0$/m, 'no crash');
like($tally, qr/^latest\s+\d{3} of \d{3}$/m, 'hundreds of tables were scored');
note($tally);

for my $refusal (read_table('delta_refusals'))
{
	my $message = `$cat '$directory/delta/$refusal->{table}/delta' 2>&1`;
	is($? >> 8, 1, "$refusal->{table} is refused");
	like($message, qr/$refusal->{cause}/i, "$refusal->{table}: for this cause");
}

done_testing();
