#!/bin/sh
# The files of a release, in dist/: the static binary with its documents, the same as a Debian
# package, and their checksums; then the tag. The version stands in CMakeLists.txt alone, and what is
# new in CHANGELOG.md. Ends with status 2 where something is not ready for a release.
set -eu
cd "$(dirname "$0")/.."

refuse() {
  echo "release: $1" >&2
  exit 2
}
version=$(sed -n 's/^project(star VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
[ -n "$version" ] || refuse "CMakeLists.txt names no version"
grep -q "^## $version\( \|\$\)" CHANGELOG.md || refuse "CHANGELOG.md has no section ## $version"
[ -z "$(git status --porcelain)" ] || refuse "the working tree has changes that are not committed"
tagged=$(git rev-parse -q --verify "refs/tags/v$version^{commit}" || true)
[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] ||
  refuse "v$version is the tag of another commit: raise the version in CMakeLists.txt"
[ "$(build/star --version)" = "star $version" ] || refuse "build/star is not of version $version"

rm -rf dist
cpack --config build/CPackConfig.cmake -B dist >&2
rm -rf dist/_CPack_Packages
(cd dist && sha256sum star* > SHA256SUMS)
[ -n "$tagged" ] || git tag -a "v$version" -m "star $version"
ls dist
