#!/usr/bin/env bash
# Proves that nothing is lost or done twice: has the program die, stall and fail at every step of a job.
#
# Usage: deploy/faults.sh [--yes] [--help] [--record] [on:SHAPE] [WORD ...]
#        deploy/faults.sh [--yes] [--record] --pairs N [--seed S] [--seconds T]
#
# Checks the tools, installs what is missing (asks first), builds the program with fault points (the feature fault-points,
# which no released binary has), and plays every cell of the matrix on a private Postgres and Redis of its own: each step
# of a job (src/worker/steps.md) with each fault. Prints the matrix as Markdown; violations go to standard error, with what
# the workers logged. Takes some minutes.
#
#   --yes      install missing packages without asking; without a terminal this is always so
#   --record   also writes the result into tests/faults/results.md (right after --yes)
#   --pairs N  instead N pairs of faults in one job, any two cells of one way of a job; the seed S always gives the same ones,
#              and no new ones begin after T seconds
#   on:SHAPE   the database: "universe" (the default), "newest" (the cache_entries and the group tables of the newest AppV2,
#              with rows of others) or "older" (the cache_entries of an older AppV2, filled by its own job)
#   WORD       only the cells whose step and fault contain every WORD: deploy/faults.sh commit dies
#
# Exit codes: 0 no violations, 1 some, or something failed, 3 a tool is missing.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
what=matrix heading="The matrix"
if [[ " ${rest[*]} " == *" --pairs "* ]]; then
  what=pairs heading="Pairs of faults"
fi
for shape in newest older; do
  [[ " ${rest[*]} " != *" on:$shape "* ]] || heading="The matrix on the $shape AppV2"
done
recorded tests/faults/results.md "$heading" cargo test --locked --quiet --features fault-points --test faults -- "$what"
