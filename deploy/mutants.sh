#!/usr/bin/env bash
# Checks the tests: puts the mistakes of tests/mutations.txt into a copy of the sources, one at a time, and runs the planner's
# property tests, which must fail each time. A mistake that passes is a rule that no test looks at.
#
# Usage: deploy/mutants.sh [--yes] [--help] [WORD]      WORD: only the mutations whose name contains it
#
# Exit codes: 0 every mistake was noticed, 1 one passed or could not be tried, 3 a tool is missing.
set -euo pipefail

# shellcheck source=deploy/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

start "$@"
only=${rest[0]:-}
work=$ROOT/target/mutants
tree=$work/tree
log=$work/last.log
# A target directory of its own: what is built there is built wrong on purpose.
export CARGO_TARGET_DIR=$work/build
# It is enough that a property fails; the smallest market on which it does is not needed.
export PROPTEST_MAX_SHRINK_ITERS=0

copy_sources() {
  rm -rf "$tree"
  mkdir -p "$tree"
  # Only what is tracked or about to be.
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
  done | tar --create --null --files-from=- | tar --extract --directory="$tree"
  # The build may still hold the last mutation of an earlier run: what is here now is newer.
  find "$tree/src" -name '*.rs' -exec touch {} +
}

run_properties() {
  (cd "$tree" && PROPTEST_CASES=$1 cargo test --quiet --test plan properties) >"$log" 2>&1 </dev/null
}

# Nearly all mistakes show in a few markets; only what does not is tried on more of them.
is_noticed() {
  ! run_properties 30 || ! run_properties 500
}

# Replaces text in a file of the copy; fails unless it is there exactly once.
put() {
  OLD=$2 NEW=$3 perl -0777 -i -pe '
    BEGIN { $found = 0 }
    $found = () = /\Q$ENV{OLD}\E/g;
    s/\Q$ENV{OLD}\E/$ENV{NEW}/ if $found == 1;
    END { exit($found == 1 ? 0 : 1) }' "$tree/$1"
}

tried=0 survived=()
try() {
  local name=$1 file=$2 old=$3 new=$4
  [[ $name == *"$only"* ]] || return 0
  cp "$tree/$file" "$work/original"
  if ! put "$file" "$old" "$new"; then
    echo "tests/mutations.txt: '$old' is not exactly once in $file; put the mutation right" >&2
    exit 1
  fi
  tried=$((tried + 1))
  if ! is_noticed; then
    survived+=("$name")
    echo "PASSED   $name"
  elif grep -q '^test result: FAILED' "$log"; then
    echo "noticed  $name, by $(grep -c '^    properties::' "$log") tests"
  else
    # It did not get as far as a test: that says nothing about the tests.
    tail -n 20 "$log" >&2
    echo "'$name' could not be tried; put it right in tests/mutations.txt" >&2
    exit 1
  fi
  # Written anew, so that it is newer than the build of the mutation.
  cat "$work/original" >"$tree/$file"
}

copy_sources
echo "without mutations ..."
run_properties 30 || { tail -n 40 "$log" >&2; echo "the property tests fail without any mutation" >&2; exit 1; }

name='' file='' old=''
while IFS= read -r line; do
  case $line in
    'mutation: '*) name=${line#mutation: } ;;
    'file: '*) file=${line#file: } ;;
    'old: '*) old=${line#old: } ;;
    'new: '*) try "$name" "$file" "$old" "${line#new: }" ;;
    '' | '#'*) ;;
    *) echo "tests/mutations.txt: not understood: $line" >&2; exit 1 ;;
  esac
done <tests/mutations.txt

((tried > 0)) || { echo "no mutation is called like '$only'" >&2; exit 1; }
if ((${#survived[@]} > 0)); then
  echo "${#survived[@]} of $tried mutations passed" >&2
  exit 1
fi
echo "all $tried mutations were noticed"
