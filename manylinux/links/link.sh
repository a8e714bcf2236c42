#!/bin/sh
# ccache runs each real compiler through this program (CCACHE_PREFIX): for compilations that it has not got, and for
# the links that it never keeps. Links with link-time optimisation go to the link cache, all else goes straight on.

if [ -z "${WHEELKILN_LINKS-}" ]; then exec "$@"; fi
lto=
for argument; do
    case $argument in
        -c | -E | -S | -M | -MM | -fsyntax-only) exec "$@" ;;
        -flto | -flto=* | @*) lto=yes ;;
        -fno-lto) lto= ;;
    esac
done
python=/opt/wheelkiln/tools/bin/python
if [ -z "$lto" ] || [ ! -x "$python" ]; then exec "$@"; fi
exec "$python" -E -s -S -B /opt/wheelkiln/links/link.py "$@"
