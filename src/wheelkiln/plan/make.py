"""The one planning step: everything that decides what is built, on what, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError
from wheelkiln.plan.model import ImageSpec, Job, Notice, Plan, Selection, Skipped, SkipReason
from wheelkiln.plan.project_settings import ProjectSettings, read_project_settings
from wheelkiln.source.facts import SourceFacts
from wheelkiln.system.cibuildwheel import CibuildwheelFacts, matches_selector
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import Interpreter

__all__ = ["PlanInputs", "make_plan", "settings_of"]

_DEB_POLICIES = (
    "manylinux_2_31",
    "manylinux_2_35",
)  # pypa/manylinux: the armv7l images are Debian and Ubuntu
_DEFAULT_RELEASE = ("debian", "bookworm")


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """All that the plan depends on. estimates are seconds by job id; interpreters those found on the host."""

    config: Config
    facts: SourceFacts
    host: HostFacts
    cibuildwheel: CibuildwheelFacts
    interpreters: tuple[Interpreter, ...] = ()
    selection: Selection = field(default_factory=Selection)
    use_project_settings: bool = True
    tests: bool = True
    estimates: Mapping[str, float] = field(default_factory=dict)


def make_plan(inputs: PlanInputs) -> Plan:
    """Decide every job and every skip. The result depends on the inputs alone, not on their order in the files."""
    images = {arch: _make_image(inputs, arch) for arch in _architectures(inputs)}
    settings = settings_of(inputs)
    jobs: list[Job] = []
    skipped: list[Skipped] = []
    for arch, image in images.items():
        covering: Job | None = None
        for python in _pythons(inputs.config):
            job = _make_job(inputs, python, arch, image)
            skip = _reason_to_skip(inputs, settings, job, image) or _covered(inputs.facts, job, covering)
            if skip is not None:
                skipped.append(skip)
                continue
            jobs.append(job)
            if covering is None and _starts_stable_abi(inputs.facts, job):
                covering = job
    used = {job.image for job in jobs}
    return Plan(
        project=inputs.facts.name,
        version=inputs.facts.version,
        jobs=tuple(jobs),
        images=tuple(image for image in images.values() if image.name in used),
        skipped=tuple(skipped),
        notices=(*settings.notices, *_notices(inputs)),
    )


def settings_of(inputs: PlanInputs) -> ProjectSettings:
    """Read the project's [tool.cibuildwheel] as it applies to these inputs."""
    table = inputs.facts.cibuildwheel if inputs.use_project_settings else {}
    family = _family(inputs.config)
    return read_project_settings(table, inputs.config, inputs.cibuildwheel, family=family, tests=inputs.tests)


def _architectures(inputs: PlanInputs) -> Sequence[str]:
    wanted = inputs.config.arch or (inputs.host.machine,)
    known = [arch for arch in ("x86_64", "aarch64") if arch in wanted]
    if not known:
        raise ConfigError(
            f"this machine's architecture '{inputs.host.machine}' is not one that wheelkiln builds for",
            hint='Set arch = ["x86_64"] or ["aarch64"], which then needs emulation.',
        )
    return known


def _pythons(config: Config) -> list[str]:
    return sorted(set(config.python), key=lambda tag: (int(tag.removeprefix("cp3").rstrip("t")), tag))


def _make_image(inputs: PlanInputs, arch: str) -> ImageSpec:
    config = inputs.config
    family = _family(config)
    deb = tuple(sorted(set(config.image.packages.deb))) if family in ("", "deb") else ()
    rpm = tuple(sorted(set(config.image.packages.rpm))) if family in ("", "rpm") else ()
    if config.image.base == "bootstrap":
        wanted = set(config.python) | set(Config().python)  # one base for every selection of the usual Pythons
        distribution, release = _bootstrap_release(inputs)
        return ImageSpec(
            name=f"bootstrap_{arch}",
            arch=arch,
            base="bootstrap",
            family="deb",
            deb=deb,
            distribution=distribution,
            release=release,
            interpreters=tuple(found for found in inputs.interpreters if found.tag in wanted),
        )
    if config.image.base == "pypa":
        reference = _pinned_image(inputs.cibuildwheel, arch, config.policy)
        return ImageSpec(f"{config.policy}_{arch}", arch, reference, family, deb, rpm)
    return ImageSpec(f"custom_{arch}", arch, config.image.base, family, deb, rpm)


def _bootstrap_release(inputs: PlanInputs) -> tuple[str, str]:
    wanted = inputs.config.image.release
    host = inputs.host
    own = (host.distribution, host.release) if host.distribution in ("debian", "ubuntu") else _DEFAULT_RELEASE
    return own if wanted == "auto" else (own[0], wanted)


def _pinned_image(facts: CibuildwheelFacts, arch: str, policy: str) -> str:
    pinned = facts.images.get(arch, {})
    if policy not in pinned:
        known = ", ".join(name for name in pinned if name.startswith("manylinux"))
        raise ConfigError(
            f"policy: cibuildwheel {facts.version} pins no {policy} image for {arch}",
            hint=f"It pins: {known}. Or set image.base to an image of your own.",
        )
    return pinned[policy]


def _family(config: Config) -> str:
    if config.image.base == "bootstrap":
        return "deb"
    if config.image.base != "pypa":
        return ""
    return "deb" if config.policy in _DEB_POLICIES else "rpm"


def _make_job(inputs: PlanInputs, python: str, arch: str, image: ImageSpec) -> Job:
    identifier = f"{python}-manylinux_{arch}"
    return Job(
        id=identifier,
        identifier=identifier,
        arch=arch,
        image=image.name,
        namespace=f"{inputs.facts.name}-{arch}-default",
        emulated=arch != inputs.host.machine,
        estimate=inputs.estimates.get(identifier),
    )


def _reason_to_skip(inputs: PlanInputs, settings: ProjectSettings, job: Job, image: ImageSpec) -> Skipped | None:
    return next(_reasons(inputs, settings, job, image), None)


def _reasons(inputs: PlanInputs, settings: ProjectSettings, job: Job, image: ImageSpec) -> Iterator[Skipped]:
    def skip(reason: SkipReason, detail: str) -> Skipped:
        return Skipped(job.id, job.identifier, reason, detail)

    selection, facts = inputs.selection, inputs.facts
    if selection.only and not _matches(selection.only, job.id):
        yield skip(SkipReason.NOT_SELECTED, f"--only {' '.join(selection.only)} leaves it out")
    if _matches(selection.skip, job.id):
        yield skip(SkipReason.NOT_SELECTED, f"--skip {' '.join(selection.skip)} names it")
    if job.identifier not in inputs.cibuildwheel.identifiers:
        yield skip(SkipReason.UNKNOWN_IDENTIFIER, f"cibuildwheel {inputs.cibuildwheel.version} does not know it")
    if not facts.accepts_python(job.python_version):
        yield skip(SkipReason.REQUIRES_PYTHON, f"requires-python is {facts.requires_python}")
    if not matches_selector(settings.build, job.identifier):
        yield skip(SkipReason.PROJECT_SETTINGS, f"[tool.cibuildwheel] build = {settings.build!r} leaves it out")
    if matches_selector(settings.skip, job.identifier):
        yield skip(SkipReason.PROJECT_SETTINGS, f"[tool.cibuildwheel] skip = {settings.skip!r} names it")
    yield from _reasons_of_base(inputs, job, image)


def _reasons_of_base(inputs: PlanInputs, job: Job, image: ImageSpec) -> Iterator[Skipped]:
    def skip(reason: SkipReason, detail: str) -> Skipped:
        return Skipped(job.id, job.identifier, reason, detail)

    if job.emulated and image.is_bootstrap:
        detail = f"a bootstrap base has this machine's interpreters, which are for {inputs.host.machine}"
        yield skip(SkipReason.BASE_ARCHITECTURE, detail)
    if job.emulated and job.arch not in inputs.host.emulated:
        detail = f"this machine is {inputs.host.machine} and binfmt_misc has no emulator for {job.arch}"
        yield skip(SkipReason.NO_EMULATOR, detail)
    if image.is_bootstrap and job.python not in {found.tag for found in image.interpreters}:
        detail = f"no CPython {job.python_version} on this machine: 'uv python install {job.python_version}' adds one"
        yield skip(SkipReason.NO_INTERPRETER, detail)


def _matches(patterns: tuple[str, ...], job_id: str) -> bool:
    return any(fnmatchcase(job_id, pattern) for pattern in patterns)


def _starts_stable_abi(facts: SourceFacts, job: Job) -> bool:
    """Tell whether this job's wheel is expected to serve later Pythons too; free-threaded builds have no abi3."""
    if job.python.endswith("t") or not facts.limited_api:
        return False
    return facts.limited_api == "py3" or _minor(job.python) >= _minor(facts.limited_api)


def _covered(facts: SourceFacts, job: Job, covering: Job | None) -> Skipped | None:
    if covering is None or (job.python.endswith("t") and facts.limited_api != "py3"):
        return None
    kind = "py3-none" if facts.limited_api == "py3" else f"{facts.limited_api}-abi3"
    detail = f"the {kind} wheel of {covering.id} is expected to serve it; the wheel that is built decides"
    return Skipped(job.id, job.identifier, SkipReason.STABLE_ABI, detail, covered_by=covering.id)


def _minor(tag: str) -> int:
    return int(tag.removeprefix("cp3").rstrip("t"))


def _notices(inputs: PlanInputs) -> Iterator[Notice]:
    config = inputs.config
    if config.frontend == "pip":
        yield Notice(
            "frontend-pip",
            'frontend = "pip" builds in an environment at a random path: projects whose headers come from it '
            "will not hit the compile cache",
            'Use frontend = "build".',
        )
    if config.image.base == "bootstrap" and config.policy != Config().policy:
        yield Notice(
            "policy-bootstrap",
            f'policy = "{config.policy}" is not enforced on the bootstrap base: wheels get the best tag that '
            "their symbols allow",
            'Use base = "pypa" for wheels of an older policy.',
        )
