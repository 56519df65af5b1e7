# shellcheck shell=bash
# Finds the tools that the scripts of this folder need, and installs what is missing. Sourced, never run.
#
# All tools are looked for before anything is built, so nobody waits minutes to learn that Redis is missing. What root has
# to do is one line of plain sh, made by `install_script`. It is printed, and run if we are root or have sudo: the line that
# an administrator is asked to run is the line that is tested.

RUST_WANTED=1.85
POSTGRES_WANTED=15
REDIS_WANTED=7.0
# The toolchain that the code is formatted and linted for. With any other one test.sh shows findings and never fails by them.
# shellcheck disable=SC2034 # test.sh reads it
STYLE_RUST=1.95

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The build stays in the checkout, whatever the user's cargo configuration says.
export CARGO_TARGET_DIR=$ROOT/target

# One sentence for each needed tool that is missing; the packages that bring it; and packages that are useful, not needed.
missing=()
packages=()
useful=()

# start ARGS...: what every script does first. Answers --help with the comment at the head of the script, reads --yes, finds
# the tools and enters the checkout. Leaves the other arguments in `rest`.
start() {
  local yes=0
  while [ $# -gt 0 ]; do
    case $1 in
      --yes) yes=1 ;;
      --help | -h) usage; exit 0 ;;
      --) shift; break ;;
      *) break ;;
    esac
    shift
  done
  # shellcheck disable=SC2034 # the script reads it
  rest=("$@")
  ensure_tools "$yes" needed
  cd "$ROOT" || exit
}

# recorded FILE HEADING COMMAND...: runs the command with the script's own arguments. If --record was given, what it prints
# becomes the section HEADING of FILE, with the machine and the versions it was measured on.
recorded() {
  local file=$1 heading=$2 output code=0
  shift 2
  if [ "${rest[0]:-}" != --record ]; then
    "$@" "${rest[@]}"
    return
  fi
  output=$(mktemp)
  "$@" "${rest[@]:1}" | tee "$output" || code=$?
  {
    # All sections but this one stay as they are.
    awk -v heading="## $heading" '/^## / { own = $0 == heading } !own' "$file"
    printf '## %s\n\n' "$heading"
    measured_on
    printf '\n'
    cat "$output"
  } >"$output.new"
  mv "$output.new" "$file"
  rm "$output"
  return "$code"
}

# One sentence: where and when something was measured.
measured_on() {
  printf 'Measured on %s with "%s": %s cores (%s), load %s at the end, %s, Postgres %s, Redis %s.\n' \
    "$(date -u +%F)" "deploy/$(basename "$0")${rest[*]:1:${#rest[@]}}" "$(nproc)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(cut -d' ' -f1 /proc/loadavg)" \
    "$(rustc --version | cut -d' ' -f1-2)" "$(postgres_version)" "$(version_of redis-server --version)"
}

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# ensure_tools YES EXTENT: returns when every needed tool is there, and exits with 3 when one is not. YES=1 installs without
# asking. EXTENT is "needed", or "all" for the linters and Python as well, where a package can bring them.
ensure_tools() {
  look_for_tools "$2"
  if [ ${#missing[@]} -gt 0 ]; then
    print_missing
    install_packages "$1"
    look_for_tools "$2"
    if [ ${#missing[@]} -gt 0 ]; then
      print_missing
      exit 3
    fi
  elif [ ${#useful[@]} -gt 0 ]; then
    echo "These packages are missing, and some checks need them: ${useful[*]}."
    # In a shell of its own, which may give up.
    (install_packages "$1") || echo "Going on without them."
  fi
  keep_cargo_home_inside
  printf 'Tools: %s, Postgres %s, Redis %s.\n' "$(rustc --version)" "$(postgres_version)" "$(version_of redis-server --version)"
}

print_missing() {
  echo "These tools are missing or too old:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
}

look_for_tools() {
  missing=()
  packages=()
  useful=()
  look_for_rust
  look_for_c
  look_for "The Postgres server programs" "$POSTGRES_WANTED" "$(postgres_version)" postgresql
  look_for "redis-server" "$REDIS_WANTED" "$(version_of redis-server --version)" redis-server
  look_for_certificates
  if [ "$1" = all ] && supported_system; then
    look_for_linters
    has_python || useful+=(python3-venv)
  fi
}

# look_for WHAT WANTED FOUND PACKAGE
look_for() {
  at_least "$3" "$2" || lack "$1, $2 or newer: $(found_or_missing "$3")" "install it" "$4"
}

# lack SENTENCE REMEDY [PACKAGE...]
lack() {
  local sentence=$1 remedy=$2
  shift 2
  packages+=("$@")
  if [ $# -gt 0 ] && supported_system; then
    remedy="install the package$([ $# -eq 1 ] || echo s) $*"
  fi
  missing+=("$sentence; $remedy.")
}

found_or_missing() {
  if [ -n "$1" ]; then
    echo "only $1 was found"
  else
    echo "missing"
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
  local directory version newest=''
  while read -r directory; do
    version=$(rust_version "$directory")
    if at_least "$version" "$RUST_WANTED"; then
      # Only where it must be: a folder put first would also decide which redis-server and postgres are found.
      if [ "$(command -v cargo)" != "$directory/cargo" ] || [ "$(command -v rustc)" != "$directory/rustc" ]; then
        export PATH=$directory:$PATH
      fi
      return
    fi
    newest=${newest:-$version}
  done < <(rust_directories)
  lack_rust "Rust (cargo and rustc), $RUST_WANTED or newer: $(found_or_missing "$newest")"
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
  [ -x "$1/cargo" ] && [ -x "$1/rustc" ] || return 0
  printf '%s\n%s\n' "$(version_of "$1/cargo" --version)" "$(version_of "$1/rustc" --version)" | sort -V | head -n 1
}

lack_rust() {
  # The package rustup would be removed by the package rustc, and the toolchains in it are not ours to take away.
  if has_package rustup; then
    lack "$1" "run 'rustup toolchain install stable' and 'rustup default stable'"
  else
    # shellcheck disable=SC2046 # one word for each package
    lack "$1" "install it with rustup" $(rust_packages rustc cargo)
  fi
}

# rust_packages NAME...: the names of the distribution's packages. Debian 12 has its newer Rust under the names made for its
# web browsers, Ubuntu before 25.10 under names with a version: the oldest that will do.
rust_packages() {
  local form
  case $(system ID)-$(system VERSION_ID) in
    debian-12*) form='s/$/-web/; s/^rust-clippy-web$/rust-web-clippy/' ;;
    ubuntu-24.* | ubuntu-25.04) form="s/\$/-$RUST_WANTED/; s/^rust-clippy-\(.*\)/rust-\1-clippy/" ;;
    *) form='' ;;
  esac
  printf '%s\n' "$@" | sed "$form"
}

# The distribution's linters fit the distribution's Rust only; whoever has another one gets them from where it came.
look_for_linters() {
  command -v shellcheck >/dev/null || useful+=(shellcheck)
  case $(command -v cargo || echo /usr/bin/cargo) in
    /usr/bin/* | /usr/lib/*)
      has_component fmt || useful+=("$(rust_packages rustfmt)")
      has_component clippy || useful+=("$(rust_packages rust-clippy)")
      ;;
  esac
}

has_component() {
  cargo "$1" --version >/dev/null 2>&1
}

# ------------------------------------------------------------------------------------- C, Postgres, certificates, Python

# A compiler without the C library's headers is as good as none, so this compiles something.
look_for_c() {
  local folder
  folder=$(mktemp -d)
  printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$folder/probe.c"
  cc -o "$folder/probe" "$folder/probe.c" 2>/dev/null ||
    lack "A C compiler (cc) with the C library's headers: missing" "install gcc or clang" gcc libc6-dev
  rm -rf "$folder"
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

# Cargo fetches the crates over HTTPS; a bare container has nothing to check the certificates with.
look_for_certificates() {
  local bundle
  for bundle in "${CARGO_HTTP_CAINFO:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
    /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem; do
    if [ -n "$bundle" ] && [ -s "$bundle" ]; then
      return
    fi
  done
  lack "Root certificates, for cargo to fetch crates: missing" "install ca-certificates" ca-certificates
}

# Debian keeps venv and pip in a package of their own.
has_python() {
  python3 -c 'import venv, ensurepip' 2>/dev/null
}

# ---------------------------------------------------------------------------------------------------------- Installing

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

has_package() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
  packages+=("${useful[@]}")
  supported_system ||
    give_up "Packages can be installed from here on Debian 12 or Ubuntu 24.04 and newer: install the tools above by other means."
  [ ${#packages[@]} -gt 0 ] || give_up "No package brings what is missing."
  printf "As root, this line installs them:\nsh -c '%s'\n" "$(install_script)" >&2
  may_be_root || give_up "Neither root nor sudo is at hand: have root run that line, then run this again."
  agreed "$1" || give_up "Nothing was installed."
  as_root "$(install_script)" || give_up "Installing the packages failed."
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
  [[ $answer =~ ^([Yy].*)?$ ]]
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    sh -c "$1"
  else
    sudo sh -c "$1"
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

# Cargo keeps the crates it downloads in its home. One that exists may hold settings such as a mirror, so it is used; where
# there is none, or one that can not be written, the crates go into the checkout too.
keep_cargo_home_inside() {
  local home=${HOME:-/nonexistent}/.cargo
  if [ -z "${CARGO_HOME:-}" ] && ! [ -w "$home" ]; then
    export CARGO_HOME=$ROOT/target/cargo-home
  fi
}
