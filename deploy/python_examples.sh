#!/usr/bin/env bash
# Tests the Python examples for TickStockPL and TickStockAppV2, on servers of their own.
# usage: deploy/python_examples.sh [ARGS]      passed to pytest, for example -k timed_out
#
# Postgres is that of `cache-sync demo --keep`; redis, Flask and pytest come from PyPI into a virtual environment, in the
# versions of deploy/requirements.txt. All of it lives in temporary folders that are gone at the end.
# Exit codes: 0 passed, 1 a test failed, 4 could not run (the last line says why).
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

cd "$ROOT"
program=$CARGO_TARGET_DIR/debug/cache-sync
work=$(mktemp -d)
demo=''

main() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  cargo build --locked --quiet
  # Both take some seconds and need each other not.
  "$program" demo --keep --securities 3000 >"$work/demo.log" 2>&1 &
  demo=$!
  install
  wait_for "$work/demo.log" 'export DATABASE_URL' "$demo"
  EXAMPLES_POSTGRES_URL=$(sed -n "s/.*export DATABASE_URL='\([^']*\)'.*/\1/p" "$work/demo.log")
  export EXAMPLES_POSTGRES_URL EXAMPLES_PROGRAM=$program
  # Nothing is left beside the sources.
  PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" -m pytest -p no:cacheprovider -q --numprocesses=4 deploy "$@"
}

install() {
  python3 -m venv "$work/venv" >"$work/install.log" 2>&1 || can_not_run "python3 with venv is not there"
  "$work/venv/bin/pip" install --quiet --no-cache-dir --requirement deploy/requirements.txt >"$work/install.log" 2>&1 ||
    can_not_run "pip could not install deploy/requirements.txt: $(tail -n 1 "$work/install.log")"
}

clean_up() {
  if [ -n "$demo" ]; then
    kill -TERM "$demo" 2>/dev/null || true
    wait "$demo" 2>/dev/null || true
  fi
  rm -rf "$work"
}

main "$@"
