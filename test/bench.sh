#!/usr/bin/env bash
# make bench: the numbers, as ratios to COPY of the same rows into the same table in the same run, and the hand-off at its
# full size, and the memory that a worker takes. BENCH_ROWS (2000000), BENCH_ROUNDS (3); BENCH=rates, BENCH=memory or
# BENCH=handoff runs one part only.
set -euo pipefail
cd "$(dirname "$0")/.."
source test/prepare.sh

build_all
enter_copy
part=${BENCH:-all}
if [ "$part" = all ] || [ "$part" = rates ]; then
    run_as_user env BENCH_ROWS="${BENCH_ROWS:-2000000}" BENCH_ROUNDS="${BENCH_ROUNDS:-3}" perl test/bench/rates.pl
fi
if [ "$part" = all ] || [ "$part" = memory ]; then
    run_as_user perl test/bench/memory.pl
fi
if [ "$part" = all ] || [ "$part" = handoff ]; then
    run_as_user perl test/bench/handoff.pl
fi
