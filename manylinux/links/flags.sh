#!/bin/sh
# Compile for all Pythons alike (cache.share-between-pythons = "flags"). CPython before 3.12 gives -fwrapv to what is
# built for it, later ones -fno-strict-overflow, which includes it. ccache leaves both out of its keys, so what is
# compiled must not depend on them: each compilation gets -fno-strict-overflow, before the options of the project.
# ccache hashes this file.

link=
case $1 in */link.sh) link=$1 && shift ;; esac
compile=
for argument; do
    case $argument in -c | -S) compile=yes ;; esac
done
if [ -z "$compile" ]; then exec ${link:+"$link"} "$@"; fi
compiler=$1 before=
shift
for argument; do
    shift
    case $before/$argument in
        -Xclang/*) set -- "$@" "$argument" ;;
        */-fwrapv | */-fno-strict-overflow) ;;
        *) set -- "$@" "$argument" ;;
    esac
    before=$argument
done
exec "$compiler" -fno-strict-overflow "$@"
