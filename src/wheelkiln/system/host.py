"""HostFacts: the only reading of the environment, gathered once."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from wheelkiln.errors import UsageProblem
from wheelkiln.system.cgroups import available_memory
from wheelkiln.system.emulation import read_emulated

__all__ = ["CA_VARIABLES", "PROXY_VARIABLES", "HostFacts", "read_host"]

_CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL family
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL family
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a certificate bundle, the first that holds a file wins."""

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the machine and the invoking user are.

    machine is the kernel's name of the architecture (``x86_64``), distribution and release are os-release's ID and
    VERSION_CODENAME, emulated the architectures that binfmt_misc can run besides the native one.
    memory is what is available, in bytes, None where the kernel does not tell.
    """

    uid: int
    gid: int
    machine: str
    cpus: int
    home: Path
    cwd: Path
    cache_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    distribution: str = ""
    release: str = ""
    emulated: frozenset[str] = frozenset()
    ca_bundle: Path | None = None
    memory: int | None = None

    @property
    def in_ci(self) -> bool:
        return any(self.environ.get(name) for name in _CI_VARIABLES)

    def epoch(self) -> int | None:
        """Return SOURCE_DATE_EPOCH in seconds (reproducible-builds.org); raise UsageProblem when it is no number."""
        text = self.environ.get("SOURCE_DATE_EPOCH", "")
        if not text:
            return None
        if not text.isascii() or not text.isdigit():
            raise UsageProblem(f"SOURCE_DATE_EPOCH is {text!r}, not a number of seconds")
        return int(text)


def read_host(environ: Mapping[str, str] | None = None) -> HostFacts:
    """Gather the facts from this machine; environ stands in for the real environment in tests."""
    env = dict(os.environ if environ is None else environ)
    release = _read_os_release()
    return HostFacts(
        uid=os.getuid(),
        gid=os.getgid(),
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        home=Path(env.get("HOME", "/")),
        cwd=Path.cwd(),
        cache_dir=Path(platformdirs.user_cache_dir("wheelkiln", appauthor=False)),
        environ=env,
        distribution=release.get("ID", ""),
        release=release.get("VERSION_CODENAME", ""),
        emulated=read_emulated(),
        ca_bundle=_find_ca_bundle(env),
        memory=available_memory(),
    )


def _read_os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _find_ca_bundle(env: Mapping[str, str]) -> Path | None:
    """Return the certificate bundle that the user's own tools use: by variable, else the system's."""
    candidates = [env.get(name, "") for name in CA_VARIABLES] + list(_CA_BUNDLES)
    return next((Path(name) for name in candidates if name and Path(name).is_file()), None)
