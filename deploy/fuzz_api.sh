#!/usr/bin/env bash
# Fuzzes the HTTP API by its OpenAPI document, with schemathesis, on servers of its own.
# usage: deploy/fuzz_api.sh [SECONDS]      how long at most, 90 by default
#
# The servers are those of `cache-sync demo --keep`, with a made market; schemathesis comes from PyPI into a virtual
# environment. Both live in temporary folders that are gone at the end.
# Exit codes: 0 passed, 1 a finding, 4 could not run (the last line says why).
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

cd "$ROOT"
seconds=${1:-90}
# Of the versions that are known to understand the document.
schemathesis='schemathesis>=4,<5'
program=$CARGO_TARGET_DIR/debug/cache-sync
work=$(mktemp -d)
demo='' api=''

main() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  install
  cargo build --locked --quiet
  start_servers
  start_api
  # The seed stands in the output, so that a finding can be repeated.
  cd "$work"
  "$work/venv/bin/schemathesis" run "$url/openapi.json" --header "X-API-Key: $CACHE_SYNC_API_KEY" \
    --max-examples 40 --max-time "$seconds" --max-response-time 2 --request-timeout 15
}

install() {
  python3 -m venv "$work/venv" >"$work/install.log" 2>&1 || can_not_run "python3 with venv is not there"
  "$work/venv/bin/pip" install --quiet --no-cache-dir "$schemathesis" >"$work/install.log" 2>&1 ||
    can_not_run "pip could not install $schemathesis: $(tail -n 1 "$work/install.log")"
}

start_servers() {
  "$program" demo --keep --securities 3000 >"$work/demo.log" 2>&1 &
  demo=$!
  wait_for "$work/demo.log" 'export DATABASE_URL' "$demo"
  # The line that the demo shows for another terminal.
  eval "$(grep 'export DATABASE_URL' "$work/demo.log")"
}

start_api() {
  CACHE_SYNC_API_KEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  export CACHE_SYNC_API_KEY
  "$program" serve --roles worker,api --set http.listen=127.0.0.1:0 >"$work/api.log" 2>&1 &
  api=$!
  wait_for "$work/api.log" 'listens on http' "$api"
  url=$(sed -n 's/.*listens on \(http[^ ]*\).*/\1/p' "$work/api.log")
}

clean_up() {
  local process
  for process in $api $demo; do
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  rm -rf "$work"
}

main
