"""Building a wheel again as its record says, and comparing it with the one that is there."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.job import run_job
from wheelkiln.build.outcome import Event, JobEnded, JobStarted, Outcome
from wheelkiln.build.records import OWN_MEMBERS, check_of
from wheelkiln.build.request import BuildRequest, Rebuild
from wheelkiln.build.runs import run_directory
from wheelkiln.cache.lock import Lock, LockedEnvironment, Pin
from wheelkiln.config.model import Config, Frontend
from wheelkiln.errors import BuildError, UsageProblem
from wheelkiln.plan.model import Base, ImageSpec, Job, Plan, namespace_of
from wheelkiln.plan.project_settings import ProjectSettings, merge_environment_variables
from wheelkiln.reproduce.images import FoundImage
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import make_directory
from wheelkiln.system.host import HostFacts
from wheelkiln.system.locks import scratch_directory
from wheelkiln.system.pip_settings import PipSettings
from wheelkiln.verify.comparison import Comparison, compare_wheels
from wheelkiln.verify.record import Record
from wheelkiln.verify.variant_label import split_label

__all__ = ["Reproduction", "Workshop", "job_of", "make_rebuild_request", "rebuild_and_compare", "variables_of"]

_ADDED = rf"[^/]+\.dist-info/({'|'.join(map(re.escape, OWN_MEMBERS))})"
_SETTING = "[tool.wheelkiln.cache] dir"


@dataclass(frozen=True, slots=True)
class Workshop:
    """This machine, as far as a rebuild needs it."""

    host: HostFacts
    engine: ContainerEngine
    config: Config
    cache_root: Path
    cibuildwheel_version: str
    read_pip: Callable[[], PipSettings]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a rebuild came to: the given wheel beside the new one, and the differences of image and tools.

    rebuilt is the path of the new wheel where it was kept.
    """

    comparison: Comparison
    frontend: str
    differences: tuple[str, ...] = ()
    rebuilt: Path | None = None
    seconds: float = 0.0

    @property
    def identical(self) -> bool:
        return self.comparison.identical


def job_of(record: Record, spec: ImageSpec) -> Job:
    """Return the job that the record tells of."""
    arch = record.identifier.partition("linux_")[2]
    return Job(
        id=record.identifier,
        identifier=record.identifier,
        arch=arch,
        image=spec.name_for(arch),
        namespace=namespace_of(record.project, record.identifier),
        project=record.project,
        version=record.version,
    )


def variables_of(record: Record, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the CIBW_* variables of the build; those that were withheld come from this environment.

    Raise UsageProblem when one is missing here, or has another value than it had.
    """
    usable, _ = merge_environment_variables(record.build.variables)
    for name, check in (*record.build.withheld.items(), *record.build.passed.items()):
        value = environ.get(name)
        if value is None or check_of(value) != check:
            state = "is not set" if value is None else "has another value here"
            raise UsageProblem(
                f"the build read the variable {name}, which {state}; the record keeps no value that may be secret",
                hint=f"Set {name} as it was when the wheel was built"
                + (
                    ", and allow it with --pass, since what is built can read it."
                    if name in record.build.passed
                    else "."
                ),
            )
        if name.startswith("CIBW_"):
            usable |= merge_environment_variables({name: value})[0]
    return usable


def make_rebuild_request(
    record: Record,
    wheel: Path,
    source: PreparedSource,
    image: FoundImage,
    workshop: Workshop,
    *,
    frontend: str,
) -> tuple[BuildRequest, Job]:
    """Put together a build of one wheel from what the record says, with nothing of this project's settings."""
    spec = _stand_in(record)
    job = job_of(record, spec)
    variables = variables_of(record, workshop.host.environ)
    requires = tuple(sorted(source.facts.backend.requires))
    pins = tuple(Pin(pin.requirement, pin.hashes) for pin in record.build.requirements)
    environment = LockedEnvironment(job.python, job.platform, requires, (), pins)
    plan = Plan(
        project=record.project,
        version=record.version,
        jobs=(job,),
        images=(spec,),
        skipped=(),
        references={job.image: image.reference},
    )
    request = BuildRequest(
        plan=plan,
        settings=ProjectSettings(),
        source=source,
        config=_config(record, workshop.config, frontend),
        host=_without_variables(workshop.host),
        engine=workshop.engine,
        read_pip=workshop.read_pip,
        output_dir=Path(),
        cache_root=workshop.cache_root,
        cibuildwheel_version=workshop.cibuildwheel_version,
        project=workshop.host.cwd,
        variables=variables,
        tests=False,
        fresh=True,
        store=False,
        lock=Lock(record.project, (environment,)),
        image_digest=image.id,
        rebuild=Rebuild(
            configuration=record.build.configuration,
            environment=record.build.environment,
            members=_own_members(wheel),
            label=split_label(wheel.name)[1],
        ),
    )
    return request, job


def rebuild_and_compare(
    wheel: Path,
    request: BuildRequest,
    job: Job,
    emit: Callable[[Event], None],
    *,
    differences: Sequence[str] = (),
    use_cache: bool = False,
    output_dir: Path | None = None,
) -> Reproduction:
    """Build the job and compare its wheel with the one that is there; output_dir keeps it.

    use_cache takes the user's compile cache instead of an empty one.

    Raise BuildError when it cannot be built.
    """
    scratch = make_directory(request.cache_root / "tmp", setting=_SETTING)
    with scratch_directory(scratch, "reproduce-") as place:
        cold = None if use_cache else place / "cache"
        request = replace(request, output_dir=place, cold_cache=cold)
        outcome = _run(request, job, emit)
        if outcome.wheel is None:
            told = "\n".join(f"  | {line}" for line in outcome.excerpt)
            raise BuildError(
                f"{wheel.name} could not be built again: {outcome.message}\n{told}",
                hint=f"{outcome.hint} The log: {outcome.log}",
            )
        rebuilt = place / outcome.wheel.name
        comparison = compare_wheels(wheel, rebuilt)
        kept = _keep(rebuilt, output_dir) if output_dir else None
    return Reproduction(
        comparison=comparison,
        frontend=request.config.frontend.value,
        differences=tuple(differences),
        rebuilt=kept,
        seconds=outcome.seconds,
    )


def _run(request: BuildRequest, job: Job, emit: Callable[[Event], None]) -> Outcome:
    with run_directory(request) as (run_id, run_dir):
        job_dir = run_dir / job.directory
        job_dir.mkdir()
        emit(JobStarted(job))
        try:
            with EnvironmentMaker(run_id, run_dir) as maker:
                outcome = run_job(request, job, job_dir, maker, emit).outcome
        finally:
            request.engine.remove_containers(run_id)
        emit(JobEnded(outcome))
        return outcome


def _keep(rebuilt: Path, output_dir: Path) -> Path:
    make_directory(output_dir, setting="--output-dir")
    return Path(shutil.copyfile(rebuilt, output_dir / rebuilt.name))


def _stand_in(record: Record) -> ImageSpec:
    """Return the image's spec as far as a job asks for it: it is there, and nothing is made of this."""
    return ImageSpec(
        name=record.image.name or "image",
        family="",
        bases=(Base("x86_64"), Base("aarch64")),
        sccache=bool(record.image.inputs.get("sccache")),
    )


def _config(record: Record, config: Config, frontend: str) -> Config:
    """Return this user's settings of caches and network, with what the record says of the rest."""
    wanted = record.build.frontend if frontend == "recorded" else frontend
    share = "flags" if record.build.shared_flags else "off"
    return config.model_copy(
        update={
            "frontend": Frontend(wanted),
            "cache": config.cache.model_copy(update={"share_between_pythons": share}),
            "container": config.container.model_copy(update={"keep_failed": "off"}),
        }
    )


def _without_variables(host: HostFacts) -> HostFacts:
    """Leave out the user's own CIBW_* variables: the build had others."""
    environ = {name: value for name, value in host.environ.items() if not name.startswith("CIBW_")}
    return replace(host, environ=environ)


def _own_members(wheel: Path) -> dict[str, str]:
    """Return the texts of the members that wheelkiln adds, as the wheel has them: they are no part of the build."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(_ADDED, name)]
        return {name.partition("/")[2]: archive.read(name).decode("utf-8", errors="replace") for name in names}
