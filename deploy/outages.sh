#!/usr/bin/env bash
# Takes the servers away under load, in one way after the other, and measures what that costs and how long recovery takes.
#
# Usage: deploy/outages.sh [--yes] [--help] [--record] [WORD ...]
#
# Checks the tools, installs what is missing (asks first), builds, and has two workers (the program itself, default
# settings) work on private servers while these go away: Redis stopped for a minute, flushed, out of memory, paused; Postgres
# restarted in mid-job, stopped, its connections ended, its tables locked, its disk full; a worker stopped in mid-transaction
# for 40 seconds. Measured and printed: how much of a processor a worker uses and how much it logs meanwhile, how long until it
# is at work again, and that each accepted job was done once; and what the logs and tables said. Takes about five minutes.
#
# The full disk is a small one that is mounted for the purpose, in a mount namespace of its own; where that is not allowed,
# the line says so and that outage is left out.
#
#   --yes     install missing packages without asking; without a terminal this is always so
#   --record  also writes the table into tests/faults/results.md (right after --yes)
#   WORD      only the outages whose names contain every WORD: deploy/outages.sh Redis stopped
#
# Exit codes: 0 all bounds held, 1 some did not, or something failed, 3 a tool is missing.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
# The disk that gets full is mounted where only this command sees it, if this user may do so.
apart=()
if unshare --mount true 2>/dev/null; then
  apart=(unshare --mount)
fi
cargo test --locked --quiet --features fault-points --test faults --no-run
recorded tests/faults/results.md "Outages" \
  "${apart[@]}" cargo test --locked --quiet --features fault-points --test faults -- outages
