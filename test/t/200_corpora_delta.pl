# The Delta tables of the corpora: what delta_cat prints is scored against their oracles. Every failure must be one of the
# decisions in test/corpora/delta_decisions.tsv, and every decision must still be one; a table that cannot be read must be
# refused for the cause in test/corpora/delta_refusals.tsv. CORPORA names the place of the corpora.

use strict;
use warnings;

use FelderaIngest::Corpora qw(read_table score_corpora unpack_corpora);
use Test::More;

my $cat = 'test/tools/delta_cat';
my $directory = unpack_corpora();
like(score_corpora('delta', $directory, 'table', $cat), qr/^latest\s+\d{3} of \d{3}$/m, 'hundreds of tables were scored');

for my $refusal (read_table('delta_refusals'))
{
	my $message = `$cat '$directory/delta/$refusal->{table}/delta' 2>&1`;
	is($? >> 8, 1, "$refusal->{table} is refused");
	like($message, qr/$refusal->{cause}/i, "$refusal->{table}: for this cause");
}

done_testing();
