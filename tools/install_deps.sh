#!/bin/sh
# Installs the Debian packages that targets need and this machine lacks, after saying which. Where
# that is not allowed, prints the one command and ends with status 2.
#
#   tools/install_deps.sh build|mpi|gpu|test|lint|claims...
set -eu

# Elsewhere CMake says what is missing.
command -v dpkg-query > /dev/null || exit 0

packages=""
for target in "$@"; do
  case "$target" in
    build) packages="$packages g++ cmake ninja-build libopenblas-serial-dev libcli11-dev \
nlohmann-json3-dev libtomlplusplus-dev libfmt-dev libsqlite3-dev libxsimd-dev libpng-dev zlib1g-dev libutf8proc-dev \
libjs-chart.js" ;;
    mpi) packages="$packages libopenmpi-dev openmpi-bin" ;;
    gpu) packages="$packages doctest-dev python3" ;;
    test) packages="$packages doctest-dev ccache clang-format python3 python3-numpy chromium zsh fish groff-base pkg-config" ;;
    lint) packages="$packages clang-tidy-16" ;;
    claims) packages="$packages perl-doc bible-kjv bible-kjv-text" ;;
  esac
done

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

command="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
  run=""
elif sudo -n true 2>/dev/null; then
  run="sudo -n"
else
  echo "star needs Debian packages that are not installed. As root: $command" >&2
  exit 2
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { $run apt-get update -qq && $run $command; } >/tmp/star-install.$$ 2>&1; then
  tail -n 3 /tmp/star-install.$$ >&2
  rm -f /tmp/star-install.$$
  echo "the packages could not be installed. As root: $command" >&2
  exit 2
fi
rm -f /tmp/star-install.$$
