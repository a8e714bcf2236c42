"""All checks of a wheel, in order: what a later one relies on was checked before."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelkiln.config.verify import VerifyConfig
from wheelkiln.system.files import sha256_of
from wheelkiln.system.process import Runner
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.levels import levels_of
from wheelkiln.verify.rules.model import Level, apply_levels
from wheelkiln.verify.tags import UNREADABLE, check_label, check_stable_abi, check_symbols, check_tags
from wheelkiln.verify.variant_label import split_label

__all__ = ["CheckedWheel", "Expectation", "check_wheel"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a wheel is to be; what is empty is not known, and then the wheel only has to agree with itself.

    identifier is the build identifier that it was built for, sha256 the digest of the file. levels say what a
    configuration makes of rules.
    """

    project: str = ""
    version: str = ""
    identifier: str = ""
    levels: Mapping[str, Level] = field(default_factory=dict)
    sha256: str = ""

    @classmethod
    def of_job(cls, config: VerifyConfig, project: str, version: str, identifier: str) -> Expectation:
        """Return what a job's wheel is to be, with the rules as they are configured."""
        return cls(project, version, identifier, levels_of(config.rules))


@dataclass(frozen=True, slots=True)
class CheckedWheel:
    """A wheel and what was found in it."""

    path: Path
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def check_wheel(path: Path, expected: Expectation, runner: Runner) -> tuple[Finding, ...]:
    """Return what is wrong with a wheel. Without a finding that is an error it may land.

    Nothing of the wheel is executed.
    """
    return apply_levels(_check(path, expected, runner), RULES, expected.levels)


def _check(path: Path, expected: Expectation, runner: Runner) -> tuple[Finding, ...]:
    if expected.sha256 and sha256_of(path) != expected.sha256:
        message = f"its SHA-256 is not the one that the manifest has for it: {expected.sha256}"
        return (Finding("digest", Severity.ERROR, path.name, message),)
    plain, label = split_label(path.name)
    if not label:
        return _check_plain(path, expected, runner)
    with tempfile.TemporaryDirectory() as place:
        stand_in = Path(place) / plain
        stand_in.symlink_to(path.resolve())  # the tools that are asked do not know such names yet
        below = _check_plain(stand_in, expected, runner)
    return tuple(replace(finding, subject=path.name) for finding in below) or check_label(path, label)


def _check_plain(path: Path, expected: Expectation, runner: Runner) -> tuple[Finding, ...]:
    try:
        parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        return (Finding("file-name", Severity.ERROR, path.name, f"the file name is not valid: {error}"),)
    try:
        with zipfile.ZipFile(path) as archive:
            found = tuple(
                check_tags(
                    archive,
                    path,
                    project=expected.project,
                    version=expected.version,
                    identifier=expected.identifier,
                )
            )
    except UNREADABLE as error:
        return (Finding("zip", Severity.ERROR, path.name, f"it is not a readable zip file: {error}"),)
    if found:
        return found
    return (*check_symbols(path, runner), *check_stable_abi(path, runner))
