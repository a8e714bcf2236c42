"""The one planning step: everything that decides what is built, on what, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product

from wheelkiln.config.model import Config
from wheelkiln.config.variants import DEFAULT_VARIANT
from wheelkiln.errors import ConfigError
from wheelkiln.plan.emulation import emulation_notices
from wheelkiln.plan.features import Toolchain, explain_missing
from wheelkiln.plan.images import family_of, make_images, wanted_architectures
from wheelkiln.plan.in_place import make_place_image, notices_of_place, reasons_of_place
from wheelkiln.plan.isa import parse_isa
from wheelkiln.plan.model import ImageSpec, Job, Notice, Plan, Selection, Skipped, SkipReason, job_name, namespace_of
from wheelkiln.plan.project_settings import ProjectSettings, read_project_settings
from wheelkiln.source.facts import SourceFacts
from wheelkiln.system.cibuildwheel import CibuildwheelFacts, matches_selector
from wheelkiln.system.host import HostFacts
from wheelkiln.system.in_place_facts import PlaceFacts
from wheelkiln.system.interpreters import Interpreter

__all__ = ["PlanInputs", "images_of", "make_plan", "settings_of"]


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """All that the plan of one variant of one source depends on.

    config and facts are the variant's own. source stands before the ids of jobs where several sources are built
    together. estimates are seconds by job name, interpreters those found on the host, toolchains what is known of
    images that exist, by image name, slowdowns how many times as long emulated builds took, by architecture. place is
    where builds run when no container is started.
    """

    config: Config
    facts: SourceFacts
    host: HostFacts
    cibuildwheel: CibuildwheelFacts
    interpreters: tuple[Interpreter, ...] = ()
    selection: Selection = field(default_factory=Selection)
    use_project_settings: bool = True
    tests: bool = True
    estimates: Mapping[str, float] = field(default_factory=dict)
    toolchains: Mapping[str, Toolchain] = field(default_factory=dict)
    variant: str = DEFAULT_VARIANT
    source: str = ""
    place: PlaceFacts | None = None
    slowdowns: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The variant label of the wheels, if they get one; raise ConfigError where that cannot be."""
        found = self.config.variants.get(self.variant)
        label = found.label if found else ""
        if label and "wheel-variants" not in self.config.experimental:
            raise ConfigError(
                f"variants.{self.variant}.label: wheel variants are a draft (PEP 825)",
                hint='Set experimental = ["wheel-variants"] to try them, or publish under a project-name.',
            )
        if found and label and not found.properties and set(self.variant_architectures) != {"x86_64"}:
            raise ConfigError(
                f"variants.{self.variant}.label: nothing says what '{label}' stands for",
                hint="Set its properties, or an isa of x86_64 alone, which they can be derived from.",
            )
        return label

    @property
    def variant_architectures(self) -> tuple[str, ...]:
        """The architectures that the variant is for, empty for all."""
        found = self.config.variants.get(self.variant)
        if found is None:
            return ()
        return found.arch or tuple(isa.arch for isa in parse_isa(found.isa, where=f"variants.{self.variant}.isa"))


def images_of(inputs: PlanInputs) -> tuple[ImageSpec, ...]:
    """Decide what the images are made of."""
    if inputs.place is not None:
        return (make_place_image(inputs.place, inputs.config),)
    return make_images(inputs.config, inputs.host, inputs.cibuildwheel, inputs.interpreters)


def make_plan(inputs: PlanInputs, images: tuple[ImageSpec, ...] = ()) -> Plan:
    """Decide every job and every skip. The result depends on the inputs alone, not on their order in the files.

    images are those of the inputs, where what their bases stand for has been looked up.
    """
    images = images or images_of(inputs)
    names = sorted(set(inputs.config.libc))
    libcs = dict(zip(names, images * (len(names) // len(images)), strict=True))  # a bootstrap base stands for both
    settings = settings_of(inputs)
    jobs: list[Job] = []
    skipped: list[Skipped] = []
    for libc, arch in product(libcs, wanted_architectures(inputs.config, inputs.host)):
        image = libcs[libc]
        covering: Job | None = None
        for python in _pythons(inputs.config):
            job = _make_job(inputs, f"{python}-{libc}_{arch}", image)
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
        images=tuple(image for image in images if used & set(map(image.name_for, image.architectures))),
        skipped=tuple(skipped),
        notices=(*settings.notices, *_notices(inputs), *emulation_notices(jobs, inputs.host, inputs.slowdowns)),
        variant=inputs.variant,
    )


def settings_of(inputs: PlanInputs) -> ProjectSettings:
    """Read the project's [tool.cibuildwheel] as it applies to these inputs."""
    table = inputs.facts.cibuildwheel if inputs.use_project_settings else {}
    families = dict.fromkeys(family_of(inputs.config, libc) for libc in sorted(set(inputs.config.libc)))
    if inputs.place is not None:
        families = {inputs.place.family: None}
    return read_project_settings(table, inputs.config, inputs.cibuildwheel, families=families, tests=inputs.tests)


def _pythons(config: Config) -> list[str]:
    return sorted(set(config.python), key=lambda tag: (int(tag.removeprefix("cp3").rstrip("t")), tag))


def _make_job(inputs: PlanInputs, identifier: str, image: ImageSpec) -> Job:
    arch = identifier.partition("_")[2]
    name = job_name(identifier, inputs.variant)
    return Job(
        id=f"{inputs.source}/{name}" if inputs.source else name,
        identifier=identifier,
        arch=arch,
        image=image.name_for(arch),
        namespace=namespace_of(inputs.facts.name, name),
        variant=inputs.variant,
        emulated=arch != inputs.host.machine and not _has_machine(inputs.config, arch),
        estimate=inputs.estimates.get(name),
        project=inputs.facts.name,
        version=inputs.facts.version,
        label=inputs.label,
    )


def _has_machine(config: Config, arch: str) -> bool:
    return any(arch in entry.arch for entry in config.hosts.values())


def _reason_to_skip(inputs: PlanInputs, settings: ProjectSettings, job: Job, image: ImageSpec) -> Skipped | None:
    return next(_reasons(inputs, settings, job, image), None)


def _reasons(inputs: PlanInputs, settings: ProjectSettings, job: Job, image: ImageSpec) -> Iterator[Skipped]:
    def skip(reason: SkipReason, detail: str) -> Skipped:
        return Skipped(job.id, job.identifier, reason, detail)

    selection, facts = inputs.selection, inputs.facts
    if selection.only and not _matches(selection.only, job):
        yield skip(SkipReason.NOT_SELECTED, f"--only {' '.join(selection.only)} leaves it out")
    if _matches(selection.skip, job):
        yield skip(SkipReason.NOT_SELECTED, f"--skip {' '.join(selection.skip)} names it")
    if job.identifier not in inputs.cibuildwheel.identifiers:
        yield skip(SkipReason.UNKNOWN_IDENTIFIER, f"cibuildwheel {inputs.cibuildwheel.version} does not know it")
    architectures = inputs.variant_architectures
    if architectures and job.arch not in architectures:
        yield skip(SkipReason.VARIANT, f"the variant {inputs.variant} is for {', '.join(architectures)}")
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

    if inputs.place is not None:
        yield from reasons_of_place(inputs.place, job)
        return
    if image.bootstrap is not None and "-musllinux_" in job.identifier:
        yield skip(
            SkipReason.BASE_LIBC, f"a bootstrap base is {image.bootstrap.distribution}, whose C library is glibc"
        )
    is_foreign = job.arch != inputs.host.machine
    if job.emulated and job.arch not in inputs.host.emulated:
        detail = f"this machine is {inputs.host.machine} and binfmt_misc has no emulator for {job.arch}"
        yield skip(SkipReason.NO_EMULATOR, detail)
    if image.bootstrap is not None and job.python.endswith("t"):
        yield skip(SkipReason.NO_INTERPRETER, 'a bootstrap base has no free-threaded CPython: base = "pypa" has')
    if image.bootstrap is not None and job.python not in image.base_for(job.arch).tags:
        install = f"cpython-{job.python_version}-linux-{job.arch}-gnu" if is_foreign else job.python_version
        detail = (
            f"no CPython {job.python_version} for {job.arch} on this machine: 'uv python install {install}' adds one"
        )
        yield skip(SkipReason.NO_INTERPRETER, detail)
    toolchain = inputs.toolchains.get(job.image)
    lack = explain_missing(toolchain, job.arch, image.requires) if toolchain else ""
    if lack:
        yield skip(SkipReason.TOOLCHAIN, f"image.requires: {lack}")


def _matches(patterns: tuple[str, ...], job: Job) -> bool:
    """A pattern may speak of a job's source or leave it out."""
    return any(fnmatchcase(text, pattern) for text in {job.id, job.name} for pattern in patterns)


def _starts_stable_abi(facts: SourceFacts, job: Job) -> bool:
    """Tell whether this job's wheel is expected to serve later Pythons too; free-threaded builds have no abi3.

    One that is ``py3-none`` serves all, whichever Python built it.
    """
    if facts.limited_api == "py3":
        return True
    return bool(facts.limited_api) and not job.python.endswith("t") and _minor(job.python) >= _minor(facts.limited_api)


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
    if inputs.place is not None:
        yield from notices_of_place(inputs.place, config)
    elif config.image.base == "bootstrap" and config.policy != Config().policy:
        yield Notice(
            "policy-bootstrap",
            f'policy = "{config.policy}" is not enforced on the bootstrap base: wheels get the best tag that '
            "their symbols allow",
            'Use base = "pypa" for wheels of an older policy.',
        )
