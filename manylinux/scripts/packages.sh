#!/bin/bash
# Install distribution packages with whatever package manager the base has, leaving no lists behind.
# Arguments: --deb NAME... --rpm NAME...: only those of the base's own format count.
set -euo pipefail

deb=() rpm=() format=
for argument in "$@"; do
    case $argument in
        --deb | --rpm) format=${argument#--} ;;
        *) if [ "$format" = deb ]; then deb+=("$argument"); else rpm+=("$argument"); fi ;;
    esac
done

if [ -f /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca CURL_CA_BUNDLE=/run/secrets/ca
fi

if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    wanted=()
    for package in gcc g++ make git ca-certificates pkg-config "${deb[@]}"; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
    done
    command -v ccache >/dev/null || wanted+=(ccache)
    if [ "${#wanted[@]}" -gt 0 ]; then
        rm -f /etc/apt/apt.conf.d/docker-clean
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${wanted[@]}"
        rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
    fi
elif command -v dnf >/dev/null; then
    if [ "${#rpm[@]}" -gt 0 ]; then
        dnf install -y -q --setopt=install_weak_deps=False --setopt=keepcache=True "${rpm[@]}"
    fi
elif command -v yum >/dev/null; then
    if [ "${#rpm[@]}" -gt 0 ]; then
        yum install -y -q "${rpm[@]}"
        yum clean all -q
    fi
else
    echo "wheelkiln: this base has none of apt-get, dnf and yum" >&2
    exit 1
fi
