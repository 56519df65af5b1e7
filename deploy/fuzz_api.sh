#!/usr/bin/env bash
# Fuzzes the HTTP API by its OpenAPI document, with schemathesis, on servers of its own.
#
# Usage: deploy/fuzz_api.sh [--yes] [--help] [SECONDS]      how long at most, 90 by default
#
# The servers are those of "cache-sync demo --keep", with a made market; schemathesis comes from PyPI into a virtual
# environment. Both live in temporary folders that are gone at the end.
#
# Exit codes: 0 passed, 1 a finding, 3 a tool is missing, 4 could not run (the last line says why).
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source=deploy/python.sh
source "$ROOT/deploy/python.sh"

start "$@"
start_demo
# The versions that are known to understand the document.
use_libraries 'schemathesis>=4,<5'
eval "$(demo_line)"

CACHE_SYNC_API_KEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export CACHE_SYNC_API_KEY
in_background api serve --roles worker,api --set http.listen=127.0.0.1:0
wait_for api 'listens on http'
url=$(sed -n 's/.*listens on \(http[^ ]*\).*/\1/p' "$work/api.log")

# The output names the seed, so that a finding can be repeated.
cd "$work"
"$work/venv/bin/schemathesis" run "$url/openapi.json" --header "X-API-Key: $CACHE_SYNC_API_KEY" \
  --max-examples 40 --max-time "${rest[0]:-90}" --max-response-time 2 --request-timeout 15
