#!/usr/bin/env bash
# make check: installs what is missing, builds, installs, runs every test. Ends in "N passed, M failed".
# As root the tests run as the user postgres (a server refuses root), else as the caller, with sudo for installing.
# CHECK_TAP=PATTERN runs only the TAP files that match.
set -euo pipefail
cd "$(dirname "$0")/.."
source test/prepare.sh

build_all
make -s -j"$(nproc)" SANITIZE=1 unit-programs
enter_copy
status=0
run_as_user perl test/run_tests.pl ${CHECK_TAP:+--tap "$CHECK_TAP"} || status=$?
exit $status
