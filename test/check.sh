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
# A small file system for the test that fills a disk; without the right to mount one here the test tries its own way.
small_disk=$copy/small_disk
mkdir "$small_disk"
if as_root mount -t tmpfs -o size=24m,mode=777 tmpfs "$small_disk" 2>/dev/null; then
    trap 'as_root umount -l "$small_disk"; rm -rf "$copy"' EXIT
    export FELDERA_INGEST_SMALL_DISK=$small_disk
fi
status=0
run_as_user perl test/run_tests.pl ${CHECK_TAP:+--tap "$CHECK_TAP"} || status=$?
exit $status
