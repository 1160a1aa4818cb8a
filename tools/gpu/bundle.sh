#!/bin/sh
# Lays what `check` needs into one folder: the programs, stripped and packed, since each has all of
# OpenBLAS in it; itself and its readme.
#
#   tools/gpu/bundle.sh FOLDER STAR_CUDA CUDA_TESTS CEILINGS
#
# Ends with status 2, and without the folder, where that would be of 60 MB or more.
set -eu
folder=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
most=60000000

rm -rf "$folder"
mkdir -p "$folder"
for program in "$@"; do
  packed=$folder/$(basename "$program")
  strip -o "$packed" "$program"
  gzip -9 "$packed"
done
cp "$here/check" "$here/README.md" "$folder"
bytes=$(cat "$folder"/* | wc -c)
if [ "$bytes" -ge "$most" ]; then
  rm -rf "$folder"
  echo "gpu-bundle: $bytes bytes, where less than $most are wanted" >&2
  exit 2
fi
echo "$folder: $bytes bytes; copy it to a machine with a GPU and run ./check there"
