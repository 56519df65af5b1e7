#!/usr/bin/env bash
# Builds cache-sync and runs its demonstration: private Postgres and Redis, a made market, one sync, and its result.
#
# Usage: deploy/demo.sh [--yes] [--help] [--] [ARGS]
#
# Checks the tools, installs what is missing (asks first), builds cache-sync without optimization, which deploy/test.sh
# then builds on, and runs "cache-sync demo ARGS".
#
#   --yes   install missing packages without asking; without a terminal this is always so
#   --help  this text; "deploy/demo.sh -- --help" shows what the demo itself takes
#
# Nothing is written outside of target/, cargo's home and temporary folders, but for packages of the distribution.
# No server that was not running before is left running. Exit code 3: a tool is missing; the line that installs it is shown.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
cargo build --locked
exec target/debug/cache-sync demo "${rest[@]}"
