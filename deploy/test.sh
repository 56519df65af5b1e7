#!/usr/bin/env bash
# Runs every check of the project: format, lints, documentation, tests. Ends with a list of what was not run, and why.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

usage() {
  cat <<'END'
Usage: deploy/test.sh [--all] [--yes] [--help] [-- ARGS]

Checks the tools, installs what is missing (asks first), then runs format, lints, documentation and all tests, those of
the Python examples for TickStockPL and TickStockAppV2 included (their libraries come from PyPI).
A step that fails does not keep the next one from running.

  --all    also what is long or needs more tools: every cell of the fault matrix instead of a sample
           (deploy/faults.sh), the soak (deploy/soak.sh), whether the tests notice mistakes put into the rules
           (deploy/mutants.sh), the dependency audit (cargo-deny), and fuzzing of the HTTP API by its OpenAPI
           document (deploy/fuzz_api.sh, schemathesis from PyPI)
  --yes    install missing packages without asking; without a terminal this is always so
  --help   this text
  -- ARGS  passed to cargo test, for example: deploy/test.sh -- an_empty_import_is_refused

Nothing is written outside of target/, cargo's home and temporary folders, but for packages of the distribution.
No server that was not running before is left running.
Exit codes: 0 all passed, 1 a step failed, 2 usage, 3 a tool is missing (the line that installs it is shown).
END
}

all=0
yes=0
test_args=()

# Steps in the order they run; one is taken off when it has ended, so what is left at the end was never reached.
waiting=("cargo fmt" "cargo clippy" "cargo doc" "shellcheck" "cargo deny" "cargo test" "faults" "python examples" "schemathesis" "deploy/mutants.sh")
failed=()
not_run=()

main() {
  parse "$@"
  trap finish EXIT
  trap 'exit 130' INT TERM HUP

  heading "tools"
  ensure_tools "$yes" 1
  cd "$ROOT"

  format
  lints
  documentation
  scripts
  dependencies
  tests
  faults
  python_examples
  fuzzing
  mutations
  [ ${#failed[@]} -eq 0 ]
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --all) all=1 ;;
      --yes) yes=1 ;;
      --help | -h) usage; exit 0 ;;
      --) shift; test_args=("$@"); return ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
}

# --------------------------------------------------------------------------------------------------------------- Steps

format() {
  if cargo fmt --version >/dev/null 2>&1; then
    step "cargo fmt" cargo fmt --check
  else
    skip "cargo fmt" "this Rust has no rustfmt ($(component_hint rustfmt))"
  fi
}

lints() {
  if cargo clippy --version >/dev/null 2>&1; then
    # With fault points, so that their tests are read too; the line after is what is released.
    step "cargo clippy" lint
  else
    skip "cargo clippy" "this Rust has no clippy ($(component_hint clippy))"
  fi
}

lint() {
  cargo clippy --locked --all-targets --features fault-points -- -D warnings &&
    cargo clippy --locked -- -D warnings
}

documentation() {
  step "cargo doc" env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
}

scripts() {
  if command -v shellcheck >/dev/null; then
    step "shellcheck" shellcheck --external-sources deploy/*.sh .ci/run
  else
    skip "shellcheck" "not in PATH (the package shellcheck has it)"
  fi
}

dependencies() {
  if [ "$all" = 0 ]; then
    skip "cargo deny" "only with --all"
  elif cargo deny --version >/dev/null 2>&1; then
    step "cargo deny" audit
  else
    skip "cargo deny" "cargo-deny is not installed (cargo install cargo-deny --locked)"
  fi
}

# The advisories come from a repository on the network. Being offline is no finding, but it is not a pass either.
audit() {
  cargo deny --locked check bans licenses sources || return 1
  if cargo deny --locked fetch db; then
    cargo deny --locked check advisories
  else
    not_run+=("cargo deny check advisories: the advisory database could not be fetched")
  fi
}

tests() {
  if [ ${#test_args[@]} -gt 0 ]; then
    not_run+=("tests that were not asked for: cargo test was given ${test_args[*]}")
  fi
  step "cargo test" run_tests
  list_ignored_tests
}

# The program is built once more, with fault points in it.
faults() {
  if [ ${#test_args[@]} -gt 0 ]; then
    skip "faults" "cargo test was given ${test_args[*]}"
  elif [ "$all" = 1 ]; then
    step "faults" all_faults
  else
    step "faults" cargo test --locked --quiet --features fault-points --test faults
  fi
}

all_faults() {
  deploy/faults.sh && deploy/soak.sh --seconds 60
}

python_examples() {
  if has_python; then
    step "python examples" test_python_examples
  else
    skip "python examples" "python3 with venv and pip is not there (the packages python3 and python3-venv have it)"
  fi
}

# As for the fuzzer: PyPI out of reach is neither a finding nor a pass.
test_python_examples() {
  local code=0
  mkdir -p target
  deploy/python_examples.sh | tee target/python_examples.log || code=$?
  [ "$code" = 4 ] || return "$code"
  not_run+=("python examples: $(tail -n 1 target/python_examples.log)")
}

fuzzing() {
  if [ "$all" = 0 ]; then
    skip "schemathesis" "only with --all"
  elif ! has_python; then
    skip "schemathesis" "python3 with venv and pip is not there (the packages python3 and python3-venv have it)"
  else
    step "schemathesis" fuzz_api
  fi
}

# That PyPI is out of reach is no finding, but it is not a pass either.
fuzz_api() {
  local code=0
  deploy/fuzz_api.sh | tee target/fuzz_api.log || code=$?
  [ "$code" = 4 ] || return "$code"
  not_run+=("schemathesis: $(tail -n 1 target/fuzz_api.log)")
}

mutations() {
  if [ "$all" = 1 ]; then
    step "deploy/mutants.sh" deploy/mutants.sh
  else
    skip "deploy/mutants.sh" "only with --all"
  fi
}

# One failed test binary does not keep the next from running. The output is kept to find the ignored tests in it; cargo's
# own lines, which say whose tests these are, go the same way so that they stay in order.
run_tests() {
  mkdir -p target
  # Properties are tried on the same cases every time, so that a change is judged by what it changed; --all draws new
  # ones, and a failure names its case.
  [ "$all" = 1 ] || export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20261127}"
  # Most tests wait for servers rather than compute, so more of them than there are cores run side by side.
  RUST_TEST_THREADS="${RUST_TEST_THREADS:-6}" cargo test --locked --no-fail-fast "${test_args[@]}" 2>&1 | tee target/test.log
}

list_ignored_tests() {
  local name
  while read -r name; do
    not_run+=("test $name")
  done < <(sed -n 's/^test \(.*\) \.\.\. ignored\(.*\)$/\1: marked as ignored\2/p' target/test.log)
}

component_hint() {
  if command -v rustup >/dev/null; then
    echo "rustup component add $1"
  else
    echo "install it beside $(command -v rustc)"
  fi
}

# ----------------------------------------------------------------------------------------------------------- Reporting

# step NAME COMMAND...: runs it under a heading, and notes whether it failed.
step() {
  local name=$1 began=$SECONDS
  shift
  heading "$name"
  if "$@"; then
    printf '%s passed in %d s\n' "$name" $((SECONDS - began))
  else
    failed+=("$name")
    printf '%s FAILED after %d s\n' "$name" $((SECONDS - began))
  fi
  reached "$name"
}

skip() {
  not_run+=("$1: $2")
  reached "$1"
}

reached() {
  local name left=()
  for name in "${waiting[@]}"; do
    [ "$name" = "$1" ] || left+=("$name")
  done
  waiting=("${left[@]}")
}

heading() {
  printf '\n=== [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

# Runs at every exit, so that a failure or Ctrl-C also ends with what was not run.
finish() {
  local code=$? name
  for name in "${waiting[@]}"; do
    not_run+=("$name: stopped before it")
  done
  heading "result"
  list "Not run:" "${not_run[@]}"
  list "Failed:" "${failed[@]}"
  if [ "$code" = 0 ]; then
    echo "Everything else passed."
  elif [ ${#failed[@]} -eq 0 ]; then
    echo "Stopped with exit code $code."
  fi
}

list() {
  local title=$1
  shift
  if [ $# -gt 0 ]; then
    echo "$title"
    printf '  - %s\n' "$@"
  fi
}

main "$@"
