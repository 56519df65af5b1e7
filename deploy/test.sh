#!/usr/bin/env bash
# Runs the tests; with --ci or --all every other check too. Ends with a list of what failed and of what was not run.
#
# Usage: deploy/test.sh [--ci | --all] [--yes] [--help] [-- ARGS]
#
# Checks the tools, installs what is missing (asks first), builds, and runs all tests of the library, the planner, the
# store and the service, on private servers. Properties are tried on 64 cases each.
#
#   --ci     what continuous integration runs: properties on all their cases, and also format, lints, documentation, the
#            scripts, a sample of the fault matrix with a short soak, and the Python examples for TickStockPL and
#            TickStockAppV2 (their libraries come from PyPI)
#   --all    as --ci, and also what is long or needs more tools: every cell of the fault matrix (deploy/faults.sh), a minute
#            of soak (deploy/soak.sh), whether the tests notice mistakes put into the rules (deploy/mutants.sh), the
#            dependency audit (cargo-deny), and fuzzing of the HTTP API by its OpenAPI document (deploy/fuzz_api.sh)
#   --yes    install missing packages without asking; without a terminal this is always so
#   -- ARGS  passed to cargo test, for example: deploy/test.sh -- an_empty_import_is_refused
#
# A step that fails does not keep the next one from running. Format and lints count only with the Rust they are written for
# (STYLE_RUST in deploy/tools.sh); with another one they are shown and counted, and fail nothing.
# Nothing is written outside of target/, cargo's home and temporary folders, but for packages of the distribution.
# No server that was not running before is left running.
# Exit codes: 0 all passed, 1 a test failed, 2 usage, 3 a tool is missing (the line that installs it is shown),
# 5 all tests passed, but a check of style failed.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

extent=tests
yes=0
test_args=()
features=()

# What happened so far, one line each, in files that steps running side by side can write: started, ended, test (a failed
# test), style (a failed check of style), noted, not_run.
notes=$(mktemp -d)
lane=''

main() {
  parse "$@"
  trap finish EXIT
  trap 'exit 130' INT TERM HUP

  heading "tools"
  ensure_tools "$yes" "$([ "$extent" = tests ] && echo needed || echo all)"
  cd "$ROOT"
  if [ "$extent" = tests ]; then
    step test "build" build
    step test "cargo test" run_tests
  else
    # One build serves all tests; fault points do nothing unless a test asks for it.
    features=(--features fault-points)
    step test "build" build
    in_lane style_and_examples
    step test "cargo test" run_tests
    step test "faults" faults
    end_lane
    [ "$extent" = ci ] || long_checks
  fi
  list_ignored_tests
  return "$(verdict)"
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --ci) extent=ci ;;
      --all) extent=all ;;
      --yes) yes=1 ;;
      --help | -h) usage; exit 0 ;;
      --) shift; test_args=("$@"); return ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
}

# What needs processors more than servers, and so runs beside the tests, which mostly wait.
style_and_examples() {
  step style "cargo fmt" format
  step style "shellcheck" scripts
  step style "cargo clippy" lints
  step style "cargo doc" documentation
  step test "python examples" optional deploy/python_examples.sh
  [ "$extent" = ci ] || step test "integration page" optional deploy/callback.sh
}

long_checks() {
  step style "cargo deny" audit
  step test "soak" deploy/soak.sh --seconds 60
  step test "schemathesis" optional deploy/fuzz_api.sh
  step test "mutants" deploy/mutants.sh
}

# --------------------------------------------------------------------------------------------------------------- Tests

build() {
  cargo test --locked --no-run "${features[@]}"
}

# One failed test binary does not keep the next from running. The output is kept to find the ignored tests in it.
run_tests() {
  local targets=(--lib --bins --test architecture --test plan --test store --test service)
  if [ ${#test_args[@]} -gt 0 ]; then
    note not_run "tests that were not asked for: cargo test was given ${test_args[*]}"
  fi
  # The same cases every time, so that a change is judged by what it changed. --all draws new ones; a failure names its case.
  [ "$extent" = all ] || export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20261127}"
  [ "$extent" != tests ] || export PROPTEST_CASES="${PROPTEST_CASES:-64}"
  # Most tests wait for servers rather than compute, so more of them than there are cores run side by side.
  RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}" \
    cargo test --locked --no-fail-fast "${features[@]}" "${targets[@]}" "${test_args[@]}" 2>&1 | tee target/test.log
}

list_ignored_tests() {
  local name
  while read -r name; do
    note not_run "test $name"
  done < <(sed -n 's/^test \(.*\) \.\.\. ignored\(.*\)$/\1: marked as ignored\2/p' target/test.log)
}

faults() {
  if [ ${#test_args[@]} -gt 0 ]; then
    skip "cargo test was given ${test_args[*]}"
  elif [ "$extent" = all ]; then
    deploy/faults.sh && deploy/faults.sh on:newest && deploy/faults.sh on:older
  else
    cargo test --locked --quiet "${features[@]}" --test faults
  fi
}

# optional SCRIPT: a script that uses Python and PyPI; that one of them is missing is neither a finding nor a pass.
optional() {
  local code=0
  if ! has_python; then
    skip "python3 with venv and pip is not there (packages python3 and python3-venv)"
    return
  fi
  CACHE_SYNC_PROGRAM=$CARGO_TARGET_DIR/debug/cache-sync "$1" >"$notes/optional" 2>&1 || code=$?
  cat "$notes/optional"
  [ "$code" = 4 ] || return "$code"
  skip "$(tail -n 1 "$notes/optional")"
}

# --------------------------------------------------------------------------------------------------------------- Style

format() {
  needs_component fmt rustfmt || return 0
  judge '^Diff in' cargo fmt --check
}

# With fault points, so that their tests are read too; and without, as the program is released.
lints() {
  needs_component clippy clippy || return 0
  local level=(--cap-lints warn)
  ! style_counts || level=(-D warnings)
  judge '^\(warning\|error\)\(\[.*\]\)\?: [^0-9`]' clippy_twice "${level[@]}"
}

clippy_twice() {
  cargo clippy --locked --all-targets --features fault-points -- "$@" && cargo clippy --locked -- "$@"
}

documentation() {
  local flags=''
  ! style_counts || flags='-D warnings'
  judge '^warning: [^0-9`]' env RUSTDOCFLAGS="$flags" cargo doc --locked --no-deps
}

scripts() {
  if command -v shellcheck >/dev/null; then
    shellcheck --external-sources deploy/*.sh .ci/run
  else
    skip "not in PATH (the package shellcheck has it)"
  fi
}

# The advisories come from a repository on the network. Being offline is no finding, but it is not a pass either.
audit() {
  if ! has_component deny; then
    skip "cargo-deny is not installed (cargo install cargo-deny --locked)"
    return
  fi
  cargo deny --locked check bans licenses sources || return 1
  if cargo deny --locked fetch db; then
    cargo deny --locked check advisories
  else
    note not_run "cargo deny check advisories: the advisory database could not be fetched"
  fi
}

style_counts() {
  [[ "$(rustc --version)" == "rustc $STYLE_RUST."* ]]
}

# judge PATTERN COMMAND...: with the toolchain that the style is written for its verdict counts. With another one its findings,
# the lines of that pattern, are only counted.
judge() {
  local pattern=$1 log=$notes/judge count
  shift
  if style_counts; then
    "$@"
    return
  fi
  "$@" >"$log" 2>&1 || true
  cat "$log"
  count=$(grep -c "$pattern" "$log" || true)
  [ "$count" = 0 ] || note noted "$current: $count findings, which fail nothing with $(rustc --version | cut -d' ' -f1-2)" \
    "(the style is written for $STYLE_RUST)"
}

needs_component() {
  if has_component "$1"; then
    return
  fi
  skip "this Rust has no $2 ($(command -v rustup >/dev/null && echo "rustup component add $2" || echo "install it beside $(command -v rustc)"))"
  return 1
}

# --------------------------------------------------------------------------------------------------------------- Steps

# step KIND NAME COMMAND...: runs it under a heading. If it fails, that is a failure of KIND, test or style.
step() {
  local kind=$1 began=$SECONDS word=passed
  current=$2
  shift 2
  note started "$current"
  heading "$current"
  "$@" || { note "$kind" "$current" && word=FAILED; }
  printf '%s %s in %d s\n' "$current" "$word" $((SECONDS - began))
  note ended "$current"
}

# skip WHY: the current step can not be run.
skip() {
  note not_run "$current: $1"
}

# note FILE WORDS...
note() {
  local file=$notes/$1
  shift
  echo "$*" >>"$file"
}

heading() {
  printf '\n=== [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

# in_lane FUNCTION: runs its steps beside the others, in a process group of its own. end_lane waits and shows their output.
in_lane() {
  set -m
  "$1" >"$notes/lane" 2>&1 </dev/null &
  lane=$!
  set +m
}

end_lane() {
  wait "$lane" || note test "the steps beside the tests did not end well"
  lane=''
  cat "$notes/lane"
}

# ----------------------------------------------------------------------------------------------------------- Reporting

verdict() {
  if [ -s "$notes/test" ]; then
    echo 1
  elif [ -s "$notes/style" ]; then
    echo 5
  else
    echo 0
  fi
}

# Runs at every exit, so that a failure or Ctrl-C also ends with what was not run.
finish() {
  local code=$?
  if [ -n "$lane" ]; then
    kill -TERM -- "-$lane" 2>/dev/null || true
    cat "$notes/lane"
  fi
  heading "result"
  note started
  note ended
  list "Stopped in:" <(sort "$notes/ended" | comm -23 <(sort "$notes/started") -)
  list "Not run:" "$notes/not_run"
  list "Noted:" "$notes/noted"
  list "Style, failed:" "$notes/style"
  list "Tests, failed:" "$notes/test"
  case $code in
    0) echo "Everything that was run passed, in $((SECONDS / 60)) min $((SECONDS % 60)) s$(more)." ;;
    1) echo "Tests failed." ;;
    5) echo "All tests passed; a check of style failed." ;;
    *) echo "Stopped with exit code $code." ;;
  esac
  rm -rf "$notes"
}

more() {
  [ "$extent" != tests ] || echo "; --ci adds style, faults and the Python examples, --all what is long"
}

# list TITLE FILE: its lines, if there are any.
list() {
  local line title=$1
  while read -r line; do
    [ -z "$title" ] || echo "$title"
    title=''
    printf '  - %s\n' "$line"
  done < <(cat "$2" 2>/dev/null)
}

main "$@"
