# Shared by the scripts of this directory: what is said, and how something is installed.
# shellcheck shell=bash

say() { printf '\n== %s\n' "$*"; }

# Run a command as root: directly, or by sudo where it asks for no password. Fails where neither works.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 77
    fi
}

may_install() { command -v apt-get >/dev/null && as_root true 2>/dev/null; }

apt_updated=
apt_install() {
    if [ -z "$apt_updated" ]; then
        as_root apt-get update -qq
        apt_updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
