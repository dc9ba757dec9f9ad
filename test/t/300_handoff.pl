# The mission's recommended pipeline: history from Delta on S3, then Kafka from offset 42, every server killed in the middle
# of both parts, and the table exact in the end. make bench runs the same with two million rows.

use strict;
use warnings;

use FelderaIngest::Handoff qw(run_handoff);
use Test::More;

run_handoff(history => 60_000, live => 30_000, files => 20, keyed => 0, batch => 500, slow => 0.06);
run_handoff(history => 60_000, live => 30_000, files => 20, keyed => 1, batch => 500, slow => 0.06);

done_testing();
