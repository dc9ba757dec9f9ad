=pod

=head1 NAME

FelderaIngest::Corpora - the corpora of Delta tables and Parquet files, and what a tool of ours prints of them

=head1 SYNOPSIS

  my $directory = unpack_corpora();                 # skips the whole test where there are no corpora
  my $tally = score_corpora('parquet', $directory, 'file', 'test/tools/parquet_cat');
  my @lines = read_table('parquet_refusals');       # test/corpora/parquet_refusals.tsv

=head1 DESCRIPTION

CORPORA names the place of the corpora. What may differ from an oracle stands in test/corpora/KIND_decisions.tsv, why a
case cannot be read in test/corpora/KIND_refusals.tsv.

=cut

package FelderaIngest::Corpora;

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use Test::More;

our @EXPORT_OK = qw(read_table score_corpora unpack_corpora);

# Unpack into a directory of our own, which lives as long as the program; skips the whole test where there are none.
sub unpack_corpora
{
	plan skip_all => 'no corpora (CORPORA is not set)' if !defined $ENV{CORPORA} || !-x "$ENV{CORPORA}/score";
	my $directory = File::Temp::tempdir(CLEANUP => 1);
	is(system("$ENV{CORPORA}/unpack", $directory), 0, 'the corpora unpack');
	return $directory;
}

# Lines of a table of ours as hashes: its first line names the columns.
sub read_table
{
	my ($name) = @_;
	open(my $file, '<', "test/corpora/$name.tsv") or die "$name: $!";
	chomp(my @lines = <$file>);
	close($file);
	my @columns = split /\t/, shift @lines;
	return map { my %line; @line{@columns} = split /\t/; \%line } @lines;
}

# Score "@cat" on the corpora of a kind ("delta", "parquet"): each failure must be a decision of ours, and each decision
# still a failure. Returns the tally that the scorer prints.
sub score_corpora
{
	my ($kind, $directory, $column, @cat) = @_;
	my %decisions = map { ("$_->{$column} $_->{check}" => 1) } read_table("${kind}_decisions");
	cmp_ok(scalar(keys %decisions), '<=', 15, 'few decisions');

	my %failed;
	my $tally = '';
	my $list = { delta => 'delta-tables.tsv', parquet => 'parquet-files.tsv' }->{$kind};
	open(my $score, '-|', "$ENV{CORPORA}/score", $kind, "$directory/$kind", "$ENV{CORPORA}/$list", @cat)
	  or die "score: $!";
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
	note($tally);
	return $tally;
}

1;
