"""A job's wheel on an emulated CPU of the level that its variant declares, before it lands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from wheelkiln.build.request import BuildRequest, container_network_environment
from wheelkiln.build.stages import plain_text
from wheelkiln.plan.isa import Isa, parse_isa
from wheelkiln.plan.model import Job
from wheelkiln.verify.cpu_models import baseline_of
from wheelkiln.verify.emulate import EmulationReport, EmulationTask, emulate_wheel
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.model import Level, apply_levels

__all__ = ["declared_isa", "emulate_job"]


def declared_isa(request: BuildRequest, job: Job) -> Isa | None:
    """Return what a job's wheel is to be tried on, None where it is not to be."""
    when = request.config.verify.emulate.when
    entries = request.variant.isa or request.config.verify.isa.baseline
    declared = [isa for isa in parse_isa(entries, where="isa") if isa.arch == job.arch]
    if when == "never" or (when == "declared" and not declared):
        return None
    return declared[0] if declared else baseline_of(job.arch)


def emulate_job(
    request: BuildRequest,
    job: Job,
    wheel: Path,
    levels: Mapping[str, Level],
    *,
    run_id: str,
    say: Callable[[str], None],
) -> tuple[Finding, ...]:
    """Return what is wrong with a job's wheel on such a CPU; say what was done and what was not."""
    isa = declared_isa(request, job)
    if isa is None:
        return ()
    task = EmulationTask(
        wheel=wheel,
        isa=isa,
        image=request.plan.references[job.image],
        python=job.python,
        config=request.config.verify.emulate,
        offline=request.offline or request.config.container.network == "none",
        environment=container_network_environment(request),
        directories=request.pip.local_directories(),
        run_id=run_id,
    )
    report = emulate_wheel(task, request.engine, request.host)
    findings = apply_levels(report.findings, RULES, levels)
    for line in (*_done(report), *report.notes):
        say(plain_text(line))
    return findings


def _done(report: EmulationReport) -> tuple[str, ...]:
    cpu = report.cpu.partition(",")[0]
    return (f"imported on an emulated CPU ({cpu}) in {report.seconds:.1f} s",) if cpu else ()
