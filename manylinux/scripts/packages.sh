#!/bin/bash
# Install distribution packages with whatever package manager the base has. Package lists and downloads lie in cache
# mounts: no layer has them. Arguments: --deb NAME... --rpm NAME... --apk NAME...: the base's own format counts;
# --update alone makes apt read its mirror.
set -euo pipefail

deb=() rpm=() apk=() format=
for argument in "$@"; do
    case $argument in
        --deb | --rpm | --apk | --update) format=${argument#--} ;;
        *)
            case $format in
                deb) deb+=("$argument") ;;
                rpm) rpm+=("$argument") ;;
                apk) apk+=("$argument") ;;
                *) echo "packages.sh: a format must come before '$argument'" >&2; exit 2 ;;
            esac
            ;;
    esac
done

if [ -f /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca CURL_CA_BUNDLE=/run/secrets/ca
fi

# The lists lie in a directory of the mounted cache, not in a mount of their own: apt removes what it does not know
# from there, buildah's lock for the mount among it, which then is never released.
configure_apt() {
    {
        echo 'Dir::State::lists "/var/cache/apt/lists";'
        [ ! -f /run/secrets/ca ] || echo 'Acquire::https::CAInfo "/run/secrets/ca";'
    } >"$APT_CONFIG"
    mkdir -p /var/cache/apt/lists/partial
    rm -f /etc/apt/apt.conf.d/docker-clean # it empties the cache that is mounted to be kept
}

update_apt() {
    # Without Error-Mode an unreachable mirror is a warning, and the failure is told as one of the packages.
    apt-get -o APT::Update::Error-Mode=any update -qq || {
        echo "wheelkiln: the package mirror of this base cannot be read; see the lines above" >&2
        exit 1
    }
}

install_deb() {
    [ "$#" -gt 0 ] || return 0
    apt-get install -y -qq --no-install-recommends "$@"
    rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old /var/lib/dpkg/*-old
}

if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive APT_CONFIG=/var/cache/apt/wheelkiln.conf
    configure_apt
    wanted=()
    for package in "${deb[@]}"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
    done
    if [ "$format" = update ] || [ "${#wanted[@]}" -gt 0 ]; then update_apt; fi
    install_deb "${wanted[@]}"
elif command -v dnf >/dev/null; then
    if [ "${#rpm[@]}" -gt 0 ]; then
        dnf install -y -q --setopt=install_weak_deps=False --setopt=keepcache=True --setopt=tsflags=nodocs "${rpm[@]}"
        rm -rf /var/log/dnf* /var/log/hawkey.log
    fi
elif command -v yum >/dev/null; then
    if [ "${#rpm[@]}" -gt 0 ]; then
        yum install -y -q --setopt=tsflags=nodocs "${rpm[@]}"
        yum clean all -q
        rm -rf /var/cache/yum
    fi
elif command -v apk >/dev/null; then
    if [ "${#apk[@]}" -gt 0 ]; then
        apk add --quiet --update-cache --cache-dir /var/cache/apk "${apk[@]}"
    fi
else
    echo "wheelkiln: this base has none of apt-get, dnf, yum and apk" >&2
    exit 1
fi
