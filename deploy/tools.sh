# shellcheck shell=bash
# Checks the tools that demo.sh and test.sh need, and installs what is missing. Sourced, never run.
#
# Everything is looked at before anything is built, so nobody waits three minutes to learn that Redis is missing.
# What root has to do is one line of plain sh, made by `install_script`. It is printed, and run if we are root or have sudo:
# so the line that an administrator is asked to run is the line that is tested.

RUST_WANTED=1.85
POSTGRES_WANTED=15
REDIS_WANTED=7.0

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything that is built stays in the checkout, whatever the user's cargo configuration says.
export CARGO_TARGET_DIR=$ROOT/target

# One sentence for each tool that is missing, and the packages that bring them.
missing=()
packages=()

# read_options ARGS...: takes --yes and --help off the front, which the scripts share; the others are left in `rest`. The
# caller has a function `usage`.
# shellcheck disable=SC2034 # yes and rest are for the caller
read_options() {
  yes=0
  while [ $# -gt 0 ]; do
    case $1 in
      --yes) yes=1 ;;
      --help | -h) usage; exit 0 ;;
      --) shift; break ;;
      *) break ;;
    esac
    shift
  done
  rest=("$@")
}

# wait_for FILE WORDS PROCESS: until the process has said so in the file.
wait_for() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if grep -q "$2" "$1"; then
      return
    fi
    kill -0 "$3" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$1" >&2
  echo "$1 never said: $2" >&2
  exit 1
}

# can_not_run WHY: says as its last line why something could not be run, which is neither a failure nor a pass.
can_not_run() {
  echo "$1"
  exit 4
}

# ensure_tools YES LINTS: returns when every tool is there, and exits with 3 when one is not.
# YES=1 installs without asking. LINTS=1 wants rustfmt and clippy as well, and Python if it can be had.
ensure_tools() {
  local yes=$1 lints=$2
  look_for_tools "$lints"
  if [ ${#missing[@]} -eq 0 ] && [ ${#packages[@]} -gt 0 ]; then
    echo "Python with venv and pip is missing; only the tests of the Python examples need it."
    # In a shell of its own, which may give up.
    (install_packages "$yes") || echo "Going on without it."
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    print_missing
    install_packages "$yes"
    look_for_tools "$lints"
    if [ ${#missing[@]} -gt 0 ]; then
      print_missing
      exit 3
    fi
  fi
  keep_cargo_home_inside
  printf 'Tools: %s, Postgres %s, Redis %s.\n' "$(rustc --version)" "$(postgres_version)" "$(redis_version)"
}

print_missing() {
  echo "These tools are missing or too old:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
}

# lack SENTENCE REMEDY [PACKAGE...]
lack() {
  local sentence=$1 remedy=$2
  shift 2
  packages+=("$@")
  if [ $# -gt 0 ] && supported_system; then
    remedy="install the package$([ $# -eq 1 ] || echo s) $*"
  fi
  missing+=("$sentence: $remedy.")
}

look_for_tools() {
  missing=()
  packages=()
  look_for_rust "$1"
  look_for_c
  look_for_postgres
  look_for_redis
  look_for_certificates
  if [ "$1" = 1 ]; then
    look_for_python
  fi
}

# at_least HAVE WANTED: is version HAVE the same as WANTED, or newer? An empty HAVE is older than anything.
at_least() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# The first version number in what a program prints about itself; nothing if it can not be run.
version_of() {
  "$@" 2>/dev/null | sed -n '1s/[^0-9]*\([0-9][0-9.]*\).*/\1/p' || true
}

# ---------------------------------------------------------------------------------------------------------------- Rust

look_for_rust() {
  local lints=$1 found
  if ! found=$(rust_directory "$lints"); then
    lack_rust "$found" "$lints"
    return
  fi
  # Only where it must be: a folder put first would also decide which redis-server and postgres are found.
  if [ "$(command -v cargo)" != "$found/cargo" ] || [ "$(command -v rustc)" != "$found/rustc" ]; then
    export PATH=$found:$PATH
  fi
  if [ "$lints" = 1 ]; then
    look_for_lints "$found"
  fi
}

# Prints the first directory whose cargo and rustc are new enough, and fails, printing the version, if there is none.
# For the lints a toolchain that brings them goes before one that does not.
rust_directory() {
  local lints=$1 directory version newest='' fallback=''
  while read -r directory; do
    version=$(rust_version "$directory")
    if ! at_least "$version" "$RUST_WANTED"; then
      newest=${newest:-$version}
    elif [ "$lints" = 0 ] || has_lints "$directory"; then
      echo "$directory"
      return 0
    else
      fallback=${fallback:-$directory}
    fi
  done < <(rust_directories)
  echo "${fallback:-$newest}"
  [ -n "$fallback" ]
}

# Where a toolchain may be, best first: the user's own, then the distribution's. Ubuntu 24.04 keeps each of its newer
# versions in a directory of its own.
rust_directories() {
  local cargo
  if cargo=$(command -v cargo); then
    dirname "$cargo"
  fi
  echo "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin"
  echo /usr/bin
  find /usr/lib -maxdepth 1 -name 'rust-1.*' 2>/dev/null | sort -rV | sed 's,$,/bin,'
}

# The version of cargo and rustc in a directory: the older one if they differ, nothing if one is missing.
rust_version() {
  local cargo rustc
  [ -x "$1/cargo" ] && [ -x "$1/rustc" ] || return 0
  cargo=$(version_of "$1/cargo" --version)
  rustc=$(version_of "$1/rustc" --version)
  if at_least "$cargo" "${rustc:-0}"; then
    echo "$rustc"
  else
    echo "$cargo"
  fi
}

has_lints() {
  has_rustfmt "$1" && has_clippy "$1"
}

# rustfmt has version numbers of its own; 1.8 came with Rust 1.83 and is the first to know edition 2024 by itself.
has_rustfmt() {
  at_least "$(version_of env PATH="$1:$PATH" cargo fmt --version)" 1.8
}

has_clippy() {
  at_least "$(version_of env PATH="$1:$PATH" cargo clippy --version)" "0.$RUST_WANTED"
}

lack_rust() {
  local found=$1 lints=$2 sentence names
  sentence="Rust $RUST_WANTED or newer (cargo and rustc) is needed and $(found_or_missing "$found")"
  # The package rustup would be removed by the package rustc, and the toolchains in it are not ours to take away.
  if has_package rustup; then
    lack "$sentence" "run 'rustup toolchain install stable' and 'rustup default stable'"
    return
  fi
  names=$(rust_packages)
  if [ "$lints" = 1 ]; then
    names="$names $(lint_packages)"
  fi
  # shellcheck disable=SC2086 # one word for each package
  lack "$sentence" "install it from https://rustup.rs" $names
}

# Without the lints the tests can still run, so where no package can bring them they are only left out: test.sh says so.
look_for_lints() {
  local rustfmt clippy
  case $1 in
    /usr/bin | /usr/lib/*) ;;
    *) return ;;
  esac
  read -r rustfmt clippy < <(lint_packages) || return 0
  has_rustfmt "$1" || lack "rustfmt of Rust $RUST_WANTED or newer is missing" "" "$rustfmt"
  has_clippy "$1" || lack "clippy of Rust $RUST_WANTED or newer is missing" "" "$clippy"
}

# --------------------------------------------------------------------------------------------- C, Postgres, Redis, TLS

# A compiler without the C library's headers is as good as none, so this compiles something.
look_for_c() {
  local folder
  folder=$(mktemp -d)
  printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$folder/probe.c"
  if ! cc -o "$folder/probe" "$folder/probe.c" 2>/dev/null; then
    lack "A C compiler (cc) with the C library's headers is needed and missing" "install gcc or clang" gcc libc6-dev
  fi
  rm -rf "$folder"
}

look_for_postgres() {
  local version
  version=$(postgres_version)
  if ! at_least "$version" "$POSTGRES_WANTED"; then
    lack "The Postgres server programs, $POSTGRES_WANTED or newer, are needed and $(found_or_missing "$version")" \
      "install the PostgreSQL server" postgresql
  fi
}

# The newest version whose postgres, initdb and pg_ctl are all there. Debian keeps them out of PATH.
postgres_version() {
  local directory directories
  IFS=: read -r -a directories <<<"$PATH"
  for directory in "${directories[@]}" /usr/lib/postgresql/*/bin; do
    if [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ] && [ -x "$directory/pg_ctl" ]; then
      version_of "$directory/postgres" --version
    fi
  done | sort -V | tail -n 1
}

look_for_redis() {
  local version
  version=$(redis_version)
  if ! at_least "$version" "$REDIS_WANTED"; then
    lack "redis-server $REDIS_WANTED or newer is needed and $(found_or_missing "$version")" \
      "install the Redis server" redis-server
  fi
}

redis_version() {
  version_of redis-server --version
}

# Cargo fetches the crates over HTTPS; a bare container has nothing to check the certificates with.
look_for_certificates() {
  local bundle
  for bundle in "${CARGO_HTTP_CAINFO:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
    /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem; do
    if [ -n "$bundle" ] && [ -s "$bundle" ]; then
      return
    fi
  done
  lack "The root certificates that cargo needs to fetch crates are missing" "install ca-certificates" ca-certificates
}

# Not a tool that is lacked: without it test.sh leaves out what needs it, and says so. Debian keeps venv and pip in a
# package of its own.
look_for_python() {
  if ! has_python && supported_system; then
    packages+=(python3-venv)
  fi
}

has_python() {
  python3 -c 'import venv, ensurepip' 2>/dev/null
}

found_or_missing() {
  if [ -n "$1" ]; then
    echo "only $1 was found"
  else
    echo "missing"
  fi
}

# ---------------------------------------------------------------------------------------------------------- The system

# system KEY: a value of /etc/os-release.
system() {
  sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" /etc/os-release 2>/dev/null || true
}

# Debian's testing and unstable have no VERSION_ID, and are newer than every release that has one.
supported_system() {
  local version
  version=$(system VERSION_ID)
  case $(system ID) in
    debian) at_least "${version:-99}" 12 ;;
    ubuntu) at_least "$version" 24.04 ;;
    *) false ;;
  esac
}

# The compiler's packages. Debian 12 has its newer Rust under the names made for its web browsers, Ubuntu before 25.10 under
# names with a version; without network there is no telling which versions it has by now, so this is the oldest that will do.
rust_packages() {
  case $(rust_packaging) in
    web) echo rustc-web cargo-web ;;
    versioned) echo "rustc-$RUST_WANTED cargo-$RUST_WANTED" ;;
    plain) echo rustc cargo ;;
  esac
}

lint_packages() {
  case $(rust_packaging) in
    web) echo rustfmt-web rust-web-clippy ;;
    versioned) echo "rustfmt-$RUST_WANTED rust-$RUST_WANTED-clippy" ;;
    plain) echo rustfmt rust-clippy ;;
  esac
}

rust_packaging() {
  case $(system ID)-$(system VERSION_ID) in
    debian-12*) echo web ;;
    ubuntu-24.* | ubuntu-25.04) echo versioned ;;
    *) echo plain ;;
  esac
}

has_package() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# ---------------------------------------------------------------------------------------------------------- Installing

install_packages() {
  local yes=$1
  if ! supported_system; then
    give_up "Packages can be installed from here on Debian 12 or Ubuntu 24.04 and newer: install the tools above by other means."
  fi
  if [ ${#packages[@]} -eq 0 ]; then
    give_up "No package brings what is missing."
  fi
  printf "As root, this line installs them:\nsh -c '%s'\n" "$(install_script)" >&2
  may_be_root || give_up "Neither root nor sudo is at hand: have root run that line, then run this again."
  agreed "$yes" || give_up "Nothing was installed."
  as_root || give_up "Installing the packages failed."
}

give_up() {
  echo "$1" >&2
  exit 3
}

# sudo may ask for a password only when somebody is there to type it.
may_be_root() {
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }
}

agreed() {
  local answer
  if [ "$1" = 1 ] || ! [ -t 0 ]; then
    return 0
  fi
  read -r -p "Install ${packages[*]} now? [Y/n] " answer || return 1
  case $answer in
    '' | [Yy]*) true ;;
    *) false ;;
  esac
}

as_root() {
  local script
  script=$(install_script)
  if [ "$(id -u)" = 0 ]; then
    sh -c "$script"
  else
    sudo sh -c "$script"
  fi
}

# Prints the script that installs the packages, on one line and without a single quote, so that it can be passed on in two.
# It makes no database cluster and leaves no server running that was not running before.
install_script() {
  # A setting that somebody changed in a package's file stays as it is: there is nobody to ask.
  local apt="apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold --no-install-recommends install"
  local script=()

  script+=("set -e")
  # needrestart, which Ubuntu's servers have, would restart what others run here.
  script+=("export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1")
  # Every package asks policy-rc.d before it starts, stops or restarts a service; 101 means no. Where there already is such
  # a file it is somebody's decision, and stays.
  script+=("p=/usr/sbin/policy-rc.d c=/etc/postgresql-common/createcluster.conf made=")
  script+=("trap \"rm -f \\\$made; [ ! -e \$c.saved ] || mv \$c.saved \$c\" EXIT")
  # dash runs the trap for EXIT only when it exits by itself.
  script+=("trap \"exit 130\" HUP INT TERM")
  script+=("[ -e \$p ] || { made=\$p; printf \"#!/bin/sh\\nexit 101\\n\" >\$p; chmod 755 \$p; }")
  script+=("apt-get -q update || echo \"Going on with the package lists that are here.\"")
  if wants_package postgresql; then
    # The server's package makes a cluster and sets it to start at boot, unless this file says otherwise beforehand.
    script+=("$apt postgresql-common")
    script+=("cp -p \$c \$c.saved")
    script+=("echo \"create_main_cluster = false\" >>\$c")
  fi
  script+=("$apt ${packages[*]}")
  if is_new_service redis-server; then
    # Not started now, and not at the next boot either. The second command only matters where policy-rc.d allowed a start.
    script+=("update-rc.d redis-server disable")
    script+=("service redis-server stop >/dev/null 2>&1 || true")
  fi

  local line
  printf -v line '%s; ' "${script[@]}"
  echo "${line%; }"
}

wants_package() {
  [[ " ${packages[*]} " == *" $1 "* ]]
}

# Is this a service that comes with the packages, and not one that somebody has set up here?
is_new_service() {
  wants_package "$1" && ! has_package "$1" && ! [ -e "/etc/init.d/$1" ] && ! [ -e "/etc/systemd/system/$1.service" ]
}

# ------------------------------------------------------------------------------------------------------------- Building

# Cargo keeps the crates it downloads in its home. One that exists may hold settings such as a mirror, so it is used; where
# there is none, or one that can not be written, the crates go into the checkout too.
keep_cargo_home_inside() {
  local home=${HOME:-/nonexistent}/.cargo
  if [ -z "${CARGO_HOME:-}" ] && ! [ -w "$home" ]; then
    export CARGO_HOME=$ROOT/target/cargo-home
  fi
}
