#!/bin/bash
# Give every CPython under /opt/python a pip, a build, the module that tells them where the job's environment is, and
# bytecode: without it each of the dozen interpreters that a job starts compiles what it imports, for the builder may
# not write it. It is of the unchecked kind, which holds no time (PEP 552).
# Where the distribution's own CPython is to serve, it does so through a virtual environment.
set -euo pipefail

export PIP_NO_COMPILE=1 PIP_CACHE_DIR=/var/cache/wheelkiln-pip PIP_ROOT_USER_ACTION=ignore
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PIP_RETRIES=3
[ ! -f /run/secrets/pip ] || export PIP_CONFIG_FILE=/run/secrets/pip
[ ! -f /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca REQUESTS_CA_BUNDLE=/run/secrets/ca

# A bootstrap base has its interpreters' shared libraries listed, but not yet looked up.
[ ! -f /etc/ld.so.conf.d/wheelkiln-pythons.conf ] || ldconfig

# A bootstrap base names the distribution's interpreters that it wants here, one tag a line.
if [ -f /opt/python/own-pythons.txt ]; then
    while read -r tag; do
        version=3.${tag#cp3}
        "/usr/bin/python$version" -m venv --without-pip "/opt/python/$tag-$tag"
    done </opt/python/own-pythons.txt
fi

chosen=
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
        "$python" -m pip install -q -r /mnt/wheelkiln/requirements/interpreter.txt
        site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        install -m 0644 /mnt/wheelkiln/frontend.py "$site/wheelkiln_frontend.py"
        echo 'import wheelkiln_frontend' >"$site/wheelkiln_frontend.pth"
        # What does not compile is a template or a test, and nothing imports it.
        "$python" -m compileall -q -j0 --invalidation-mode unchecked-hash \
            "$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" "$site" >/dev/null || true
    fi
done

# The tools run on a settled version, not on whatever pre-release the base carries.
for tag in cp310 cp311 cp313 cp312; do
    [ ! -x "/opt/python/$tag-$tag/bin/python" ] || chosen=/opt/python/$tag-$tag
done
[ -n "$chosen" ] || { echo "wheelkiln: the base has none of CPython 3.10 to 3.13 under /opt/python" >&2; exit 1; }
# cibuildwheel runs its helpers with this interpreter, whatever it is (oci_container.py: UTILITY_PYTHON).
[ -e /opt/python/cp39-cp39 ] || ln -s "$chosen" /opt/python/cp39-cp39
mkdir -p /opt/wheelkiln
ln -s "$chosen" /opt/wheelkiln/python
