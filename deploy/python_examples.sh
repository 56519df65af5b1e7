#!/usr/bin/env bash
# Tests the Python examples for TickStockPL and TickStockAppV2, on servers of their own.
#
# Usage: deploy/python_examples.sh [--yes] [--help] [ARGS]      ARGS are passed to pytest, for example -k timed_out
#
# Postgres is that of "cache-sync demo --keep"; redis, Flask and pytest come from PyPI into a virtual environment, in the
# versions of deploy/requirements.txt. All of it lives in temporary folders that are gone at the end.
#
# Exit codes: 0 passed, 1 a test failed, 3 a tool is missing, 4 could not run (the last line says why).
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source=deploy/python.sh
source "$ROOT/deploy/python.sh"

start "$@"
# Both take some seconds, and neither needs the other.
start_demo
use_libraries --requirement deploy/requirements.txt
EXAMPLES_POSTGRES_URL=$(demo_line | sed -n "s/.*export DATABASE_URL='\([^']*\)'.*/\1/p")
export EXAMPLES_POSTGRES_URL EXAMPLES_PROGRAM=$program
# Nothing is left beside the sources.
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" -m pytest -p no:cacheprovider -q --numprocesses=4 deploy "${rest[@]}"
