"""Package URLs (purl-spec, ECMA-427) of what the package index and image registries have."""

from __future__ import annotations

import re
from urllib.parse import quote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

__all__ = ["NamedPackage", "image_purl", "package_of", "pypi_purl"]

_LOGIN = re.compile(r"//[^/@]*@")
NamedPackage = tuple[str, str, str]
"""Name, version and package URL; the version is empty where only an address is known."""


def pypi_purl(name: str, version: str = "", **qualifiers: str) -> str:
    """Return the package URL of a project or a release on the package index."""
    told = "&".join(f"{key}={quote(value, safe='/:')}" for key, value in sorted(qualifiers.items()) if value)
    at = f"@{quote(version, safe=':')}" if version else ""
    return f"pkg:pypi/{canonicalize_name(name)}{at}{f'?{told}' if told else ''}"


def package_of(requirement: str) -> NamedPackage | None:
    """Return what a pinned requirement stands for (``numpy==2.2.6``, ``name @ URL``), None where it pins nothing."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return None
    name = canonicalize_name(parsed.name)
    if parsed.url:
        url = _LOGIN.sub("//", parsed.url)
        kind = "vcs_url" if url.startswith(("git+", "hg+", "svn+", "bzr+")) else "download_url"
        return name, "", pypi_purl(name, **{kind: url})
    pins = [it.version for it in parsed.specifier if it.operator in ("==", "===")]
    return (name, pins[0], pypi_purl(name, pins[0])) if pins else None


def image_purl(reference: str, digest: str) -> str:
    """Return the package URL of an image by its reference and its content's digest (purl-spec: oci)."""
    place, _, _ = reference.partition("@")
    head, slash, last = place.rpartition("/")
    name, _, tag = last.partition(":")
    told = {"repository_url": f"{head}{slash}{name}" if slash else "", "tag": tag}
    qualifiers = "&".join(f"{key}={quote(value, safe='/:')}" for key, value in told.items() if value)
    at = f"@{quote(digest, safe=':')}" if digest else ""
    return f"pkg:oci/{quote(name.lower(), safe='')}{at}{f'?{qualifiers}' if qualifiers else ''}"
