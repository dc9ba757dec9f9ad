# The Parquet files of the corpora: what parquet_cat prints is scored against their oracles, with our decisions in
# test/corpora/parquet_decisions.tsv; a file that cannot be read must be refused for the cause in
# test/corpora/parquet_refusals.tsv. And however a file is read - in small portions, from a row in its middle, with pages given
# back and read again, dictionaries kept - its rows are the same. CORPORA names the place of the corpora.

use strict;
use warnings;

use FelderaIngest::Corpora qw(read_table score_corpora unpack_corpora);
use Test::More;

my $cat = 'test/tools/parquet_cat';
my $directory = unpack_corpora();
like(score_corpora('parquet', $directory, 'file', $cat), qr/^accept\s+\d{3} of \d{3}$/m, 'hundreds of files were scored');

my %refused;
for my $refusal (read_table('parquet_refusals'))
{
	my $message = `$cat '$directory/parquet/$refusal->{file}' 2>&1`;
	is($? >> 8, 1, "$refusal->{file} is refused");
	like($message, qr/: \Q$refusal->{cause}\E$/, "$refusal->{file}: for this cause");
	$refused{ $refusal->{file} } = 1;
}

open(my $list, '<', "$ENV{CORPORA}/parquet-files.tsv") or die "parquet-files.tsv: $!";
readline($list);
my ($compared, @differ) = (0);
while (my $line = <$list>)
{
	my ($corpus, $name, $bytes) = split /\t/, $line;
	my $path = "$directory/parquet/$corpus/$name";
	next if $refused{"$corpus/$name"} || !-e $path || $bytes > 100_000;
	my @rows = split /^/, `$cat '$path'`;
	my $first = int(@rows / 3);
	my $rest = join '', @rows[$first .. $#rows];
	$compared++;
	push @differ, "$corpus/$name"
	  if `$cat --first-row $first --max-rows 7 --byte-budget 1 '$path'` ne $rest
	  || `$cat --first-row $first --max-rows 1000 --keep-dictionary '$path'` ne $rest;
}
close($list);
cmp_ok($compared, '>', 300, 'hundreds of files were read in other ways');
is_deeply(\@differ, [], 'the rows do not depend on how a file is read');

done_testing();
