#!/usr/bin/env bash
# Has workers die, stop and lose their servers at random moments while jobs come in, and checks everything in the end.
#
# Usage: deploy/soak.sh [--yes] [--help] [--record] [OPTIONS]
#
# Checks the tools, installs what is missing (asks first), builds, and lets workers (lease 1 s, 100 attempts) work through
# jobs of all modes over a market that goes on day by day, on a private Postgres and Redis, while they are killed (SIGKILL),
# stopped (SIGSTOP) and woken at random moments, and the servers are restarted. Then every job must have ended once, with
# its effects once and its end announced once, and no connection, consumer or key may be left over. Prints how long it took
# until another worker continued.
#
#   --yes         install missing packages without asking; without a terminal this is always so
#   --record      also writes the result into tests/faults/results.md (right after --yes)
#   --seconds N   how long (default 60); from 30 on each server is restarted four times
#   --kills N     so many SIGKILLs of all workers, however long it takes; without it one worker is spared, whose memory
#                 is watched
#   --jobs N      at most so many jobs; with --kills they are spread over the kills
#   --workers N   workers at a time (default 4)
#   --silences N  so many times the network to a server swallows, holds or delays what is sent for up to six seconds, on
#                 old connections or all, both ways or one; measured is how long after its return the next job ends
#   --seed S      another order of jobs, days and faults (default 1)
#
#   deploy/soak.sh --kills 1000 --jobs 500     the long one; a quarter of an hour on two cores
#   deploy/soak.sh --seconds 600 --silences 40 memory, connections and keys over ten minutes, and a network that fails
#
# Exit codes: 0 everything is in order, 1 it is not, 3 a tool is missing.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
recorded tests/faults/results.md "The soak" cargo test --locked --quiet --features fault-points --test faults -- soak
