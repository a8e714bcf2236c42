#!/bin/sh
# GNU make before 4.4 ends with an error where MAKEFLAGS names a jobserver that is a fifo. It is given the same fifo as
# a pair of descriptors, which every GNU make knows: then its compilers keep to the cores that all jobs share.
before=${MAKEFLAGS%%--jobserver-auth=fifo:*}
if [ "$before" != "${MAKEFLAGS-}" ]; then
    after=${MAKEFLAGS#*--jobserver-auth=fifo:}
    fifo=${after%% *}
    if [ -p "$fifo" ] && [ -r "$fifo" ] && [ -w "$fifo" ]; then
        exec 8<>"$fifo"
        MAKEFLAGS="${before}--jobserver-auth=8,8${after#"$fifo"}"
    else
        MAKEFLAGS=
    fi
    export MAKEFLAGS
fi
exec /usr/bin/make "$@"
