#!/usr/bin/env bash
# Measures what a sync costs, beside what reading its data costs and beside the same sync as plain SQL.
#
# Usage: deploy/bench.sh [--yes] [--help] [--record] [ARGS]
#
# Checks the tools, installs what is missing (asks first), builds in release mode, and measures the real program on a
# private Postgres and Redis with made markets. Ends with a table of every limit, as Markdown.
#
#   --yes         install missing packages without asking; without a terminal this is always so
#   --record      also writes the table into tests/bench/results.md (right after --yes)
#   --quick       10,000 securities of one year only: two minutes rather than ten or more
#   --rounds N    measurements of each kind (default 11)
#   --only WORD   one part only: day, no-op, planning, explain, replay, takeover, history, size
#   --statements  also shows every statement of a no-op and of an ordinary day, as the server logs them
#
# Takes up to 8 GB in the folder for temporary files (TMPDIR). A machine that does other work meanwhile measures badly.
# Exit codes: 0 every limit is held, 1 one is missed or something failed, 3 a tool is missing.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
recorded tests/bench/results.md "What a sync costs" cargo bench --locked --bench sync --
