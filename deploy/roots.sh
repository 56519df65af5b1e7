#!/usr/bin/env bash
# Makes bare systems with debootstrap, and runs the two commands of the README in each: as root, and as a user without sudo
# for whom an administrator ran the line that installs the tools. Prints a table of exit codes and times.
#
# Usage: deploy/roots.sh [--help] [--mirror URL] [--folder PATH] [--quick] [SUITE ...]
#
# SUITE is a suite of the mirror: bookworm (Debian 12), trixie (Debian 13) and forky (testing) without any.
#
#   --mirror URL   where debootstrap and the systems get packages; by default this system's own mirror of Debian
#   --folder PATH  where the systems are built and deleted again, one at a time, 6 GB (default /var/tmp); logs stay in
#                  target/roots
#   --quick        the user's build goes on from root's, so that the system builds once instead of twice
#
# Tests what is committed. Needs root and the package debootstrap; runs in namespaces of mounts and processes of its own, so
# that nothing is left mounted or running. Proxies, certificates and package settings of this machine are passed on.
# Exit codes: 0 every cell is 0, 1 one is not, 2 usage, 4 could not run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

mirror=''
folder=/var/tmp
quick=0
suites=()
logs=$ROOT/target/roots
table=$logs/table.md

main() {
  parse "$@"
  may_run
  if [ -z "${INSIDE_NAMESPACES:-}" ]; then
    INSIDE_NAMESPACES=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
  fi
  mkdir -p "$logs"
  printf '| system | Rust | as | command | exit | time | load |\n|---|---|---|---|---|---|---|\n' >"$table"
  work=$(mktemp -d "$folder/cache-sync-roots-XXXXXX")
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  local suite
  for suite in "${suites[@]}"; do
    try_suite "$suite"
  done
  cat "$table"
  ! grep -q 'not as it should be' "$table"
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
      --mirror) mirror=${2:?--mirror needs a URL}; shift ;;
      --folder) folder=${2:?--folder needs a path}; shift ;;
      --quick) quick=1 ;;
      -*) echo "unknown option $1; --help shows them" >&2; exit 2 ;;
      *) suites+=("$1") ;;
    esac
    shift
  done
  [ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie forky)
  mirror=${mirror:-$(own_mirror)}
}

may_run() {
  [ "$(id -u)" = 0 ] || can_not_run "this needs root"
  command -v debootstrap >/dev/null || can_not_run "debootstrap is missing (the package debootstrap has it)"
  [ -n "$mirror" ] || can_not_run "this system knows no mirror of Debian: name one with --mirror"
}

can_not_run() {
  echo "$1" >&2
  exit 4
}

own_mirror() {
  # awk reads to the end: apt fails when nobody listens any more.
  apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" "Created-By: Packages" 2>/dev/null |
    awk '$1 == "Debian" && !found { print $2; found = 1 }'
}

# --------------------------------------------------------------------------------------------------------- One system

# The user comes first: in a bare system the first command must stop and print the line for the administrator.
try_suite() {
  system=$1
  base=$work/base
  root=$work/$system
  echo "$system: debootstrap"
  debootstrap --variant=minbase "$system" "$base" "$mirror" >"$logs/$system-debootstrap.log" 2>&1 || {
    row "-" "debootstrap" "failed, not as it should be" 0
    rm -rf --one-file-system "$base"
    return
  }
  pass_settings_on
  fresh_root
  as_user
  if [ "$quick" = 0 ]; then
    fresh_root
  else
    # The same folder, so that cargo finds the same paths; what the user built is taken as built.
    in_root 0 / "chown -R root:root $checkout"
  fi
  as_root
  remove_root
  rm -rf --one-file-system "$base"
}

# Lazily: a process that was left may still have a file there.
remove_root() {
  umount --lazy "$root/proc" "$root/dev/shm" 2>/dev/null || true
  rm -rf --one-file-system "$root"
}

# What a machine of this site has been told: proxies, whether package lists may be old, and whom to trust.
pass_settings_on() {
  cp /etc/resolv.conf /etc/hosts "$base/etc/"
  apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-)' >"$base/etc/apt/apt.conf.d/99site" || true
  if [ -s "${SSL_CERT_FILE:-}" ]; then
    cp "$SSL_CERT_FILE" "$base/etc/site-certificates.crt"
  fi
}

fresh_root() {
  remove_root
  cp -a "$base" "$root"
  mount -t proc proc "$root/proc"
  mkdir -p "$root/dev/shm"
  mount -t tmpfs shm "$root/dev/shm"
  in_root 0 / "useradd --create-home --shell /bin/bash --uid 1000 newcomer"
  checkout=/home/newcomer/cache-sync
  # A newcomer has a clone. One with all objects, since the folder it comes from is not in the root.
  git clone --quiet --no-hardlinks "$ROOT" "$root$checkout"
  in_root 0 / "chown -R newcomer:newcomer $checkout"
}

as_user() {
  local line
  run user 3 1000 "deploy/demo.sh" "before the tools are there"
  line=$(sed -n "/^sh -c '/p" "$log" | head -n 1)
  run administrator 0 0 "${line:-false}" "the printed line"
  run user 0 1000 "deploy/demo.sh"
  run user 0 1000 "deploy/test.sh"
}

as_root() {
  # Git and cargo want to own the folder they work in.
  in_root 0 / "chown -R root:root $checkout"
  run root 0 0 "deploy/demo.sh"
  run root 0 0 "deploy/test.sh"
}

# run WHO WANTED UID COMMAND [WHAT]: runs a command in the checkout and writes its row. A cell is right when it ends with the
# WANTED exit code and leaves no process behind.
run() {
  local who=$1 wanted=$2 uid=$3 command=$4 what=${5:-} began=$SECONDS code=0 left
  number=$((${number:-0} + 1))
  log=$logs/$system-$number-$who.log
  echo "$system: $who: ${what:-$command}"
  in_root "$uid" "$checkout" "$command" >"$log" 2>&1 || code=$?
  left=$(left_running)
  local name="\`$command\`"
  [[ $command == deploy/* ]] || name=''
  if [ "$code" != "$wanted" ]; then
    row "$who" "$name $what" "$code, not as it should be" $((SECONDS - began))
  elif [ -n "$left" ]; then
    row "$who" "$name $what" "$code, but left running: $left, not as it should be" $((SECONDS - began))
  else
    row "$who" "$name $what" "$code$([ "$wanted" = 0 ] || echo ', as it should be')" $((SECONDS - began))
  fi
}

# in_root UID FOLDER COMMAND: with nothing of this machine's environment but what leads to the packages.
in_root() {
  local home=/root variables=() name
  [ "$1" = 0 ] || home=/home/newcomer
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL; do
    [ -z "${!name:-}" ] || variables+=("$name=${!name}")
  done
  if [ -s "$root/etc/site-certificates.crt" ]; then
    variables+=(SSL_CERT_FILE=/etc/site-certificates.crt CARGO_HTTP_CAINFO=/etc/site-certificates.crt)
  fi
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" LANG=C.UTF-8 "${variables[@]}" \
    chroot --userspec="$1:$1" "$root" /bin/bash -c "cd '$2' && $3" </dev/null
}

# The servers that a command left, ten seconds after its end: private ones stop when whoever started them is gone. In this
# namespace of processes there is nobody else's.
left_running() {
  local tries names=''
  for ((tries = 0; tries < 20; tries++)); do
    names=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -Ex 'postgres|redis-server|cache-sync' | xargs || true)
    [ -n "$names" ] || return 0
    sleep 0.5
  done
  echo "$names"
}

# row WHO WHAT EXIT SECONDS
row() {
  local rust
  rust=$(in_root 0 / "rustc --version 2>/dev/null | cut -d' ' -f2" 2>/dev/null || true)
  printf '| %s | %s | %s | %s | %s | %d:%02d | %s |\n' "$system" "${rust:--}" "$1" "$2" "$3" \
    $(($4 / 60)) $(($4 % 60)) "$(cut -d' ' -f1 /proc/loadavg)" | tee -a "$table"
}

clean_up() {
  umount --lazy "${root:-$work}/proc" "${root:-$work}/dev/shm" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}

main "$@"
