"""All checks of a wheel, in order: what a later one relies on was checked before."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, NormalizedName, parse_wheel_filename
from packaging.version import Version

from wheelkiln.cache.settings import parse_size
from wheelkiln.config.variants import VariantConfig
from wheelkiln.config.verify import VerifyConfig
from wheelkiln.system.files import sha256_of
from wheelkiln.system.process import Runner
from wheelkiln.verify.archive import WheelArchive, check_archive, open_archive
from wheelkiln.verify.contents import read_contents
from wheelkiln.verify.dist_info import DistInfo, read_dist_info
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.isa import check_isa
from wheelkiln.verify.libraries import check_libraries, check_purelib
from wheelkiln.verify.machine_code.declared import Declaration
from wheelkiln.verify.metadata import check_description, check_layout, check_metadata, check_requires_python
from wheelkiln.verify.record_file import BadRecordError, algorithms_of, check_record, read_record
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.isa import ISA_RULES
from wheelkiln.verify.rules.levels import levels_of
from wheelkiln.verify.rules.made import found
from wheelkiln.verify.rules.model import Level, apply_levels
from wheelkiln.verify.tags import check_label, check_stable_abi, check_symbols, check_tags
from wheelkiln.verify.variant_label import split_label
from wheelkiln.verify.zip_model import Limits, ZipFaultError

__all__ = ["CheckedWheel", "Expectation", "check_wheel"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a wheel is to be; what is empty is not known, and then the wheel only has to agree with itself.

    identifier is the build identifier that it was built for, sha256 the digest of the file. levels say what a
    configuration makes of rules, limits what an archive may hold, machine_code what machine code may need, variants
    what that of configured variants may. excluded are patterns of libraries that another package provides.
    """

    project: str = ""
    version: str = ""
    identifier: str = ""
    levels: Mapping[str, Level] = field(default_factory=dict)
    sha256: str = ""
    limits: Limits = field(default_factory=Limits)
    machine_code: Declaration = field(default_factory=Declaration)
    variants: Mapping[str, Declaration] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()

    @classmethod
    def of_job(
        cls, config: VerifyConfig, project: str, version: str, identifier: str, isa: Iterable[str] = ()
    ) -> Expectation:
        """Return what a job's wheel is to be, with the rules as they are configured."""
        return replace(cls.configured(config, isa), project=project, version=version, identifier=identifier)

    @classmethod
    def configured(
        cls, config: VerifyConfig, isa: Iterable[str] = (), variants: Mapping[str, VariantConfig] | None = None
    ) -> Expectation:
        """Return what any wheel is to be, by the configuration, and by what its variant declares.

        variants are those that wheels may be of where that is not known yet: of_variant tells them apart.
        """
        return cls(
            levels=levels_of(config.rules),
            limits=Limits(parse_size(config.max_size), config.max_members, config.max_ratio),
            machine_code=Declaration.of(config.isa, isa),
            variants={name: Declaration.of(config.isa, one.isa) for name, one in (variants or {}).items()},
        )

    def of_variant(self, name: str) -> Expectation:
        """Return the same with what a variant declares; one that is not configured declares nothing of its own."""
        return replace(self, machine_code=self.variants.get(name, self.machine_code))

    def wants(self, code: str) -> bool:
        """Tell whether a rule is looked at, so that what takes long can be left out."""
        return self.levels.get(code) is not Level.OFF


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
        return tuple(_check_plain(path, expected, runner))
    with tempfile.TemporaryDirectory() as place:
        stand_in = Path(place) / plain
        stand_in.symlink_to(path.resolve())  # the tools that are asked do not know such names yet
        below = tuple(_check_plain(stand_in, expected, runner))
    told = tuple(replace(finding, subject=path.name) for finding in below)
    return told if any(RULES[finding.code].fixed for finding in told) else (*told, *check_label(path, label))


def _check_plain(path: Path, expected: Expectation, runner: Runner) -> Iterator[Finding]:
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        yield found("file-name", path.name, f"the file name is not valid: {error}")
        return
    try:
        with open_archive(path, expected.limits) as archive:
            first = tuple(check_archive(archive))
            yield from first
            if any(RULES[finding.code].fixed for finding in first):
                return
            wheel = _Wheel(path, read_dist_info(archive, name, version), name, version, tags)
            yield from _check_inside(wheel, archive, expected, runner)
    except ZipFaultError as fault:
        yield found(fault.code, path.name, str(fault))
        return
    except OSError as error:
        yield found("zip", path.name, f"it cannot be read: {error.strerror}")
        return
    yield from _check_outside(path, expected, runner)


@dataclass(frozen=True, slots=True)
class _Wheel:
    """A wheel whose archive and .dist-info can be believed."""

    path: Path
    info: DistInfo
    name: NormalizedName
    version: Version
    tags: frozenset[Tag]


def _check_inside(wheel: _Wheel, archive: WheelArchive, expected: Expectation, runner: Runner) -> Iterator[Finding]:
    """Check what needs no other program but the renderer of descriptions."""
    subject, info = wheel.path.name, wheel.info
    yield from check_tags(
        wheel.path, info, project=expected.project, version=expected.version, identifier=expected.identifier
    )
    try:
        rows = read_record(info.texts["RECORD"])
    except BadRecordError as error:
        yield found("record", subject, f"RECORD cannot be read: {error}")
        rows = None
    contents = read_contents(archive, algorithms_of(rows or ()))
    if rows is not None:
        yield from check_record(rows, contents.digests, info, subject)
    yield from check_libraries(contents, sorted({tag.platform for tag in wheel.tags}), subject)
    yield from check_purelib(info, contents, subject)
    yield from check_metadata(info, archive.members, wheel.name, wheel.version, subject)
    yield from check_requires_python(info, wheel.tags, subject)
    yield from check_layout(list(archive.members), info.directory, subject)
    if expected.wants("description"):
        yield from check_description(info, runner, subject)


def _check_outside(path: Path, expected: Expectation, runner: Runner) -> Iterator[Finding]:
    """Ask what takes long, of a wheel whose archive can be believed."""
    if expected.wants("symbols"):
        yield from check_symbols(path, runner, expected.excluded)
    if expected.wants("stable-abi"):
        yield from check_stable_abi(path, runner)
    if any(expected.wants(rule.code) for rule in ISA_RULES):
        yield from check_isa(path, expected.machine_code)
