#!/usr/bin/env bash
# Follows the integration page of AppV2 to the letter: runs every command of it in a fresh folder, on servers of its own and
# a database as the newest AppV2 leaves it, and fails where one prints something else than the page says.
#
# Usage: deploy/callback.sh [--yes] [--help] [--record]
#
#   --record   puts what the commands print into the page (right after --yes)
#
# The market is that of "cache-sync demo --keep". All of it lives in temporary folders that are gone at the end.
#
# Exit codes: 0 all as the page says, 1 something differs, 3 a tool is missing, 4 could not run (the last line says why).
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source=deploy/python.sh
source "$ROOT/deploy/python.sh"

start "$@"
for tool in python3 psql pg_dump redis-cli curl; do
  command -v "$tool" >/dev/null || can_not_run "$tool is not in PATH"
done
start_demo
line=$(demo_line)
demo=$(sed -n "s/.*export DATABASE_URL='\([^']*\)'.*/\1/p" <<<"$line")
# A database beside that of the demo, with its market, and a Redis database of its own.
psql --quiet "$demo" --command 'create database trial'
export DATABASE_URL=${demo%/postgres}/trial
REDIS_URL=$(sed -n 's/.*REDIS_URL=\([^ ]*\).*/\1/p' <<<"$line")/1
export REDIS_URL
pg_dump "$demo" --table=symbols --table=ohlcv_daily | psql --quiet "$DATABASE_URL" >/dev/null
psql --quiet "$DATABASE_URL" --file deploy/appv2/trial.sql

mkdir "$work/folder" "$work/bin"
ln -s "$(realpath "$program")" "$work/bin/cache-sync"
# A port that nobody listens on.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PATH=$work/bin:$PATH CACHE_SYNC__HTTP__LISTEN=127.0.0.1:$port URL=http://127.0.0.1:$port COLUMNS=100
cd "$work/folder"
PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/deploy/appv2/follow.py" \
  "$ROOT/deploy/appv2/TickStockAppV2_integration_callback.md" "${rest[@]}"
