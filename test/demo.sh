#!/usr/bin/env bash
# make demo: installs what is missing, builds, installs, and shows the main job on servers that it starts itself.
set -euo pipefail
cd "$(dirname "$0")/.."
source test/prepare.sh

build_all
enter_copy
run_as_user perl test/demo.pl
