"""One job: write its configuration, run cibuildwheel, read what came of it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wheelkiln.build.call_records import keep_calls, with_call_log
from wheelkiln.build.carrier import carrying
from wheelkiln.build.cibuildwheel_config import (
    Invocation,
    lay_over,
    merge_variant_variables,
    render_cibuildwheel_config,
    write_toml,
)
from wheelkiln.build.emulation import emulate_job
from wheelkiln.build.environment_container import EnvironmentFailedError
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.explain import explain_failure, relevant_lines
from wheelkiln.build.hiccups import HiccupError, check_hiccup
from wheelkiln.build.in_place import engine_environment, hint_in_place
from wheelkiln.build.job_container import drop_container, end_container, removal_environment
from wheelkiln.build.job_log import JobLog
from wheelkiln.build.landing import Ruling, Verdict
from wheelkiln.build.memory_watch import watching_memory
from wheelkiln.build.outcome import Event, Outcome, Said, Status, WheelFile
from wheelkiln.build.records import complete_wheel
from wheelkiln.build.remote_watch import watching_remote
from wheelkiln.build.request import (
    PROJECT_SCRATCH,
    BuildRequest,
    container_network_environment,
    make_invocation,
    remote_environment,
)
from wheelkiln.build.runs import CONTAINER_ID, HELD
from wheelkiln.build.stages import StageClock, plain_text
from wheelkiln.build.states import EndedContainer
from wheelkiln.cache.settings import CYTHON_LOG, LINKS_LOG, STATISTICS_LOG
from wheelkiln.cache.statistics import (
    CompileStatistics,
    count_calls,
    count_cython,
    count_links,
    parse_statistics_log,
)
from wheelkiln.errors import BuildError, EnvironmentProblem
from wheelkiln.plan.model import Job
from wheelkiln.system.files import land_file, naming_storage_errors, sha256_of
from wheelkiln.system.orphans import RUN_VARIABLE
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.model import Group, Level

__all__ = ["JobResult", "land_wheel", "run_job"]

_DROPPED_VARIABLES = ("GITHUB_STEP_SUMMARY",)
_FIXED_VARIABLES = {
    "CIBW_LOG_FOLD_MODE": "disabled",
    "DOCKER_CLI_HINTS": "false",
    "PYTHONUTF8": "1",
}


MayLand = Callable[[BuildRequest, Outcome], Ruling]
Emulate = Callable[[Path, Mapping[str, Level]], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job's outcome, and the request with what the job came to know of its environment.

    held is the finished wheel where it has not landed yet.
    """

    outcome: Outcome
    request: BuildRequest
    held: Path | None = None


def run_job(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    maker: EnvironmentMaker,
    emit: Callable[[Event], None],
    may_land: MayLand = lambda *_: Ruling(Verdict.LANDS),
) -> JobResult:
    """Build one wheel and land it in the output directory when it is what it claims to be.

    maker has the job's build environment, or makes it. may_land is asked with the outcome right before the wheel
    lands; where another job lands that wheel, this one is covered. The log stays in job_dir, and a wheel that is held
    back; nothing else does. A job that its engine breaks off for a moment is tried once more.
    """
    started = time.monotonic()
    clock = StageClock(time.monotonic)
    path = job_dir / "build.log"
    try:
        with path.open("w", encoding="utf-8") as file:
            log = JobLog(job, file, clock, emit)
            try:
                request, outcome = _attempt(request, job, job_dir, maker, log, may_land, patient=True)
            except HiccupError as hiccup:
                emit(Said(f"{job.id}: {hiccup.message}. The job is tried once more."))
                _clear(job_dir, "wheels", "tmp", "mount")
                log = JobLog(job, file, clock, emit)
                log.keep([f"wheelkiln: {hiccup.message}", "wheelkiln: the job is tried once more"])
                request, outcome = _attempt(request, job, job_dir, maker, log, may_land, patient=False)
                outcome = replace(outcome, attempts=2)
        if request.rebuild is None:  # else what is known of the user's own builds would be lost
            keep_calls(request, job, job_dir, log.lines, outcome)
    finally:
        _clear(job_dir, "wheels", "tmp", f"mount/{PROJECT_SCRATCH}")
    known = request.environments.get(job.id)
    return JobResult(
        replace(
            outcome,
            seconds=round(time.monotonic() - started, 3),
            stages=clock.finish(),
            statistics=_read_statistics(job_dir),
            log=path,
            host=request.engine.host,
            emulated=request.emulates(job.arch),
            requirements=tuple(pin.requirement for pin in known.locked.pins) if known else (),
        ),
        request,
        next((job_dir / HELD).glob("*.whl"), None),
    )


def _clear(job_dir: Path, *scratch: str) -> None:
    (job_dir / CONTAINER_ID).unlink(missing_ok=True)
    for name in scratch:
        shutil.rmtree(job_dir / name, ignore_errors=True)


def _attempt(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    maker: EnvironmentMaker,
    log: JobLog,
    may_land: MayLand,
    *,
    patient: bool,
) -> tuple[BuildRequest, Outcome]:
    """Try a job; return its outcome, and the request with the environment that was used.

    A patient attempt raises HiccupError where it may be worth another.
    """
    with (
        watching_remote(request, job_dir, log.emit) as remote,
        watching_memory(request.engine, job_dir / CONTAINER_ID) as memory,
    ):
        try:
            request, outcome = _build(request, job, job_dir, maker, log, may_land, patient=patient)
        except EnvironmentProblem as problem:  # files could not be carried to an engine elsewhere, or back
            if patient:
                check_hiccup(request.engine, [problem.message])
            raise
    return request, replace(outcome, remote=remote.use, memory=memory.peak)


def _build(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    maker: EnvironmentMaker,
    log: JobLog,
    may_land: MayLand,
    *,
    patient: bool,
) -> tuple[BuildRequest, Outcome]:
    log.begin("environment")
    try:
        environment = maker.get(request, job)
    except EnvironmentFailedError as error:
        log.keep(error.lines)
        if patient:
            check_hiccup(request.engine, error.lines)
        return request, _failed(request, job, log)
    except BuildError as error:
        return request, Outcome(job, Status.FAILED, message=error.message, hint=error.hint)
    log.keep(maker.lines(job))
    request = replace(request, environments={**request.environments, job.id: environment})
    invocation = make_invocation(request, (job,), job_dir / "mount", maker.run_id)
    invocation = replace(with_call_log(invocation, request.examination), id_file=job_dir / CONTAINER_ID)
    status = _run_cibuildwheel(request, job, job_dir, maker.run_id, invocation, log)
    if status > 0 and patient:
        try:
            check_hiccup(request.engine, log.lines)
        except HiccupError:
            drop_container(request, invocation)
            raise
    wheels = sorted((job_dir / "wheels").glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        log.begin("verify")
        emulate = partial(emulate_job, request, job, run_id=maker.run_id, say=log.say)
        outcome = _check_and_land(request, job, wheels[0], emulate, may_land, job_dir / HELD)
    else:
        outcome = _failed(request, job, log)
    ended = EndedContainer(invocation, job_dir, maker.run_id, log.stage, log.lines, was_stopped=status < 0)
    return request, replace(outcome, kept_bytes=end_container(request, job, ended, outcome))


def _run_cibuildwheel(
    request: BuildRequest, job: Job, job_dir: Path, run_id: str, invocation: Invocation, log: JobLog
) -> int:
    (job_dir / "tmp").mkdir()
    config_file = job_dir / "cibuildwheel.toml"
    with carrying(request, invocation, job_dir, run_id) as carried:
        table = render_cibuildwheel_config(
            carried, request.config, request.source.facts, request.settings, tests=request.tests
        )
        table = lay_over(request.rebuild.configuration, table) if request.rebuild else table
        config_file.write_text(write_toml(table), encoding="utf-8")
        log.begin("cibuildwheel")
        argv = [sys.executable, "-m", "cibuildwheel", "--only", job.identifier, "--config-file", str(config_file)]
        argv += ["--output-dir", str(job_dir / "wheels"), str(request.source.sdist)]
        return request.engine.runner.stream(argv, on_line=log.note, env=_child_environment(request, job_dir, run_id))


def _child_environment(request: BuildRequest, job_dir: Path, run_id: str) -> dict[str, str]:
    """The user's environment without the variables that wheelkiln decides, plus what the container is passed.

    cibuildwheel copies the bundle that SSL_CERT_FILE names into the container, for its own use of pip there.
    """
    kept = {
        name: value
        for name, value in request.host.environ.items()
        if not name.startswith("CIBW_") and name not in _DROPPED_VARIABLES
    }
    passed = container_network_environment(request) | remote_environment(request)
    own = {"SOURCE_DATE_EPOCH": str(request.source.epoch), "TMPDIR": str(job_dir / "tmp"), RUN_VARIABLE: run_id}
    if request.host.ca_bundle:
        own["SSL_CERT_FILE"] = str(request.host.ca_bundle)
    variables = merge_variant_variables(request.variables, request.variant)
    own |= engine_environment(request, kept.get("PATH", "")) | removal_environment(request.engine)
    return {**kept, **variables, **_FIXED_VARIABLES, **passed, **own}


def _failed(request: BuildRequest, job: Job, log: JobLog) -> Outcome:
    message, hint = explain_failure(log.lines, log.stage, request.config)
    if request.offline and log.stage == "environment":
        hint = (
            "Without a network only what is cached can be installed; 'wheelkiln lock' with a network fills the cache."
        )
    hint = hint_in_place(request, hint)
    return Outcome(job, Status.FAILED, message=message, hint=hint, excerpt=relevant_lines(log.lines))


def _check_and_land(
    request: BuildRequest, job: Job, wheel: Path, emulate: Emulate, may_land: MayLand, held: Path
) -> Outcome:
    facts = request.source.facts
    expected = Expectation.of_job(request.config.verify, facts.name, facts.version, job.identifier, request.variant.isa)
    expected = replace(expected, excluded=request.config.repair.exclude)
    findings = check_wheel(wheel, expected, request.engine.runner)
    if all(finding.severity is not Severity.ERROR or _is_of_isa(finding) for finding in findings):
        findings = (*findings, *emulate(wheel, expected.levels))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        excerpt = tuple(plain_text(line) for finding in errors for line in _told(finding))
        explain = f"'wheelkiln verify --explain {errors[0].code}' says what to do. The wheel was not kept."
        hint = next((finding.hint for finding in errors if finding.hint), explain)
        message = plain_text(f"{wheel.name} is not what it claims to be")
        return Outcome(job, Status.REJECTED, message=message, hint=hint, excerpt=excerpt)
    wheel = complete_wheel(request, job, wheel)
    file = WheelFile(wheel.name, sha256_of(wheel), wheel.stat().st_size)
    built = Outcome(job, Status.BUILT, wheel=file, findings=findings)
    ruling = may_land(request, built)
    if ruling.verdict is Verdict.COVERED:
        return Outcome(job, Status.COVERED, covered_by=ruling.covered_by)
    if ruling.verdict is Verdict.WAITS:
        held.mkdir()
        wheel.rename(held / wheel.name)
    else:
        land_wheel(request, wheel)
    return built


def land_wheel(request: BuildRequest, wheel: Path) -> None:
    """Bring a wheel into the output directory in one step."""
    with naming_storage_errors(request.output_dir, setting="--output-dir"):
        land_file(wheel, request.output_dir)


def _is_of_isa(finding: Finding) -> bool:
    """Tell findings of machine code from others: a wheel with those alone can be run, to see it fail."""
    return RULES[finding.code].group is Group.ISA


def _told(finding: Finding) -> tuple[str, ...]:
    return (f"{finding.code}: {finding.message}", *(f"  {detail}" for detail in finding.details))


def _read_statistics(job_dir: Path) -> CompileStatistics | None:
    compiled = _read_lines(job_dir / "mount" / STATISTICS_LOG)
    if compiled is None:
        return None
    links, cython = (_read_lines(job_dir / "mount" / name) or [] for name in (LINKS_LOG, CYTHON_LOG))
    return count_calls(parse_statistics_log(compiled)) + count_links(links) + count_cython(cython)


def _read_lines(log: Path) -> list[str] | None:
    with suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace").splitlines()
    return None
