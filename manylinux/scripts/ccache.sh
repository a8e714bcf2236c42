#!/bin/bash
# Put the pinned static ccache into /opt/wheelkiln/ccache-bin, or leave that empty for the distribution's.
# Argument: auto (the distribution's where the pinned one cannot be reached), static or distribution.
set -euo pipefail
# shellcheck source=/dev/null
. /mnt/wheelkiln/pins.env

place=/opt/wheelkiln/ccache-bin
mkdir -p "$place"
[ "$1" != distribution ] || exit 0

case $(uname -m) in
    x86_64) sha256=$CCACHE_SHA256_X86_64 ;;
    aarch64) sha256=$CCACHE_SHA256_AARCH64 ;;
    *) echo "wheelkiln: no pinned ccache for $(uname -m)" >&2; exit 1 ;;
esac
archive=$(mktemp)
python=/opt/python/cp39-cp39/bin/python
status=0
"$python" /mnt/wheelkiln/fetch.py "${CCACHE_URL//@ARCH@/$(uname -m)}" "$sha256" "$archive" || status=$?
if [ "$status" = 3 ] && [ "$1" = auto ]; then
    echo "wheelkiln: the pinned ccache cannot be reached; the distribution's is taken" >&2
    exit 0
fi
[ "$status" = 0 ] || exit "$status"
# Only the program itself, whatever else an archive holds; Python's tarfile needs no xz in the base.
"$python" - "$archive" "$place/ccache" <<'PYTHON'
import shutil, sys, tarfile

with tarfile.open(sys.argv[1]) as archive, open(sys.argv[2], "wb") as program:
    member = next(entry for entry in archive if entry.isfile() and entry.name.rpartition("/")[2] == "ccache")
    shutil.copyfileobj(archive.extractfile(member), program)
PYTHON
chmod 0755 "$place/ccache"
rm "$archive"
