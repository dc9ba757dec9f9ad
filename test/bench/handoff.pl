# The hand-off of test/t/300_handoff.pl at its full size: two million rows in 20 files, 500,000 messages, six kills.

use strict;
use warnings;

use FelderaIngest::Handoff qw(run_handoff);
use Test::More;

run_handoff(history => 2_000_000, live => 500_000, files => 20, keyed => 0);
run_handoff(history => 2_000_000, live => 500_000, files => 20, keyed => 1);

done_testing();
