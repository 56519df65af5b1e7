# shellcheck shell=bash
# What the scripts that test with Python share: libraries from PyPI in a virtual environment, and the servers of the demo.
# Sourced, never run. All of it lives in $work and is gone at the end.

work=$(mktemp -d)
# The program to test. test.sh has built one already; building another meanwhile would replace it.
program=${CACHE_SYNC_PROGRAM:-}
processes=()

# use_libraries ARGS...: makes the virtual environment $work/venv and has pip install there.
use_libraries() {
  python3 -m venv "$work/venv" >"$work/install.log" 2>&1 || can_not_run "python3 with venv is not there"
  "$work/venv/bin/pip" install --quiet --no-cache-dir "$@" >"$work/install.log" 2>&1 ||
    can_not_run "pip could not install $*: $(tail -n 1 "$work/install.log")"
}

# can_not_run WHY: says as its last line why something could not be run, which is neither a failure nor a pass.
can_not_run() {
  echo "$1"
  exit 4
}

build_program() {
  if [ -z "$program" ]; then
    cargo build --locked --quiet
    program=$CARGO_TARGET_DIR/debug/cache-sync
  fi
}

# start_demo: starts the demo's servers with a made market, and returns before they are ready.
start_demo() {
  build_program
  in_background demo demo --keep --securities 3000
}

# demo_line: waits for the line that the demo shows for another terminal, and prints it.
demo_line() {
  wait_for demo 'export DATABASE_URL'
  grep 'export DATABASE_URL' "$work/demo.log"
}

# in_background NAME ARGS...: starts the program; what it prints goes to $work/NAME.log. It is stopped at the end.
in_background() {
  local name=$1
  shift
  "$program" "$@" >"$work/$name.log" 2>&1 &
  processes+=($!)
  echo $! >"$work/$name.pid"
}

# wait_for NAME WORDS: until that process has said so.
wait_for() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if grep -q "$2" "$work/$1.log"; then
      return
    fi
    kill -0 "$(cat "$work/$1.pid")" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$work/$1.log" >&2
  echo "$1 never said: $2" >&2
  exit 1
}

clean_up() {
  local number
  # The last one first: it uses the servers of the others.
  for ((number = ${#processes[@]} - 1; number >= 0; number--)); do
    kill -TERM "${processes[number]}" 2>/dev/null || true
    wait "${processes[number]}" 2>/dev/null || true
  done
  rm -rf "$work"
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP
