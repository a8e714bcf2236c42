"""Versions with a suffix, as an edition is published."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from wheelkiln.errors import ConfigError

__all__ = ["add_suffix"]

_SUFFIX = re.compile(
    r"(?P<segments>(?:\.?post[0-9]+)?(?:\.?dev[0-9]+)?)(?:\+(?P<local>[a-z0-9]+(?:[._-][a-z0-9]+)*))?", re.IGNORECASE
)


def add_suffix(version: str, suffix: str) -> str:
    """Add a suffix to a version: segments before its local label, a label at its end (PEP 440).

    Raise ConfigError when the suffix is something else, or does not fit the version.
    """
    match = _SUFFIX.fullmatch(suffix)
    if match is None:
        raise ConfigError(
            f"the version suffix '{suffix}' is neither a post or dev segment nor a local label",
            hint="For example '.post1', '.dev3' or '+cpu.avx512' (PEP 440).",
        )
    public, _, local = version.partition("+")
    label = ".".join(part for part in (local, match["local"] or "") if part)
    made = f"{public}{match['segments']}" + (f"+{label}" if label else "")
    try:
        return str(Version(made))
    except InvalidVersion as error:
        raise ConfigError(f"the version {version} with the suffix '{suffix}' is no version (PEP 440)") from error
