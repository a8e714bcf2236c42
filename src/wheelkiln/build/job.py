"""One job: write its configuration, run cibuildwheel, read what came of it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.build.cibuildwheel_config import render_cibuildwheel_config, write_toml
from wheelkiln.build.explain import explain_failure, relevant_lines
from wheelkiln.build.outcome import Event, Outcome, StageStarted, Status, WheelFile
from wheelkiln.build.request import (
    PROJECT_SCRATCH,
    BuildRequest,
    container_network_environment,
    container_user,
    make_invocation,
)
from wheelkiln.build.stages import StageClock, plain_text, stage_of
from wheelkiln.cache.settings import STATISTICS_LOG, make_cache_directories
from wheelkiln.cache.statistics import CompileStatistics, count_calls, parse_statistics_log
from wheelkiln.plan.model import Job
from wheelkiln.system.files import land_file, naming_storage_errors, sha256_of
from wheelkiln.system.process import mask_secrets
from wheelkiln.verify.tags import check_wheel

__all__ = ["run_job"]

_DROPPED_VARIABLES = ("GITHUB_STEP_SUMMARY",)
_FIXED_VARIABLES = {"CIBW_LOG_FOLD_MODE": "disabled", "DOCKER_CLI_HINTS": "false", "PYTHONUTF8": "1"}


@dataclass(frozen=True, slots=True)
class _Ran:
    status: int
    lines: tuple[str, ...]
    stage: str


def run_job(request: BuildRequest, job: Job, job_dir: Path, run_id: str, emit: Callable[[Event], None]) -> Outcome:
    """Build one wheel and land it in the output directory when it is what it claims to be.

    The log stays in job_dir; nothing else does.
    """
    started = time.monotonic()
    clock = StageClock(time.monotonic)
    log = job_dir / "build.log"
    try:
        ran = _run_cibuildwheel(request, job, job_dir, run_id, clock, emit)
        outcome = _finish(request, job, job_dir, ran, clock, emit)
    finally:
        for scratch in ("wheels", "tmp", f"mount/{PROJECT_SCRATCH}"):
            shutil.rmtree(job_dir / scratch, ignore_errors=True)
    return _with_figures(outcome, job_dir, log, clock, time.monotonic() - started)


def _with_figures(outcome: Outcome, job_dir: Path, log: Path, clock: StageClock, seconds: float) -> Outcome:
    return Outcome(
        job=outcome.job,
        status=outcome.status,
        seconds=round(seconds, 3),
        wheel=outcome.wheel,
        stages=clock.finish(),
        statistics=_read_statistics(job_dir),
        log=log,
        message=outcome.message,
        hint=outcome.hint,
        excerpt=outcome.excerpt,
    )


def _run_cibuildwheel(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    run_id: str,
    clock: StageClock,
    emit: Callable[[Event], None],
) -> _Ran:
    invocation = make_invocation(request, (job,), job_dir / "mount", run_id)
    make_cache_directories(invocation.mounts, container_user(request).owner)
    (job_dir / "tmp").mkdir()
    config_file = job_dir / "cibuildwheel.toml"
    table = render_cibuildwheel_config(
        invocation, request.config, request.source.facts, request.settings, tests=request.tests
    )
    config_file.write_text(write_toml(table), encoding="utf-8")
    lines: list[str] = []
    stage = ""

    with (job_dir / "build.log").open("w", encoding="utf-8") as log:

        def on_line(raw: str) -> None:
            nonlocal stage
            line = mask_secrets(plain_text(raw))
            lines.append(line)
            log.write(line + "\n")
            begun = stage_of(line)
            if begun is not None and begun != stage:
                stage = begun
                clock.begin(stage)
                emit(StageStarted(job, stage))

        argv = [
            sys.executable,
            "-m",
            "cibuildwheel",
            "--only",
            job.identifier,
            "--config-file",
            str(config_file),
        ]
        argv += ["--output-dir", str(job_dir / "wheels"), str(request.source.sdist)]
        status = request.engine.runner.stream(argv, on_line=on_line, env=_child_environment(request, job_dir))
    return _Ran(status, tuple(lines), stage)


def _child_environment(request: BuildRequest, job_dir: Path) -> dict[str, str]:
    """The user's environment without the variables that wheelkiln decides, plus what the container is passed."""
    kept = {
        name: value
        for name, value in request.host.environ.items()
        if not name.startswith("CIBW_") and name not in _DROPPED_VARIABLES
    }
    passed = container_network_environment(request)
    own = {"SOURCE_DATE_EPOCH": str(request.source.epoch), "TMPDIR": str(job_dir / "tmp")}
    return {**kept, **request.variables, **_FIXED_VARIABLES, **passed, **own}


def _finish(
    request: BuildRequest,
    job: Job,
    job_dir: Path,
    ran: _Ran,
    clock: StageClock,
    emit: Callable[[Event], None],
) -> Outcome:
    wheels = sorted((job_dir / "wheels").glob("*.whl"))
    if ran.status != 0 or len(wheels) != 1:
        message, hint = explain_failure(ran.lines, ran.stage, request.config)
        return Outcome(job, Status.FAILED, message=message, hint=hint, excerpt=relevant_lines(ran.lines))
    clock.begin("verify")
    emit(StageStarted(job, "verify"))
    findings = check_wheel(
        wheels[0],
        project=request.source.facts.name,
        version=request.source.facts.version,
        identifier=job.identifier,
        runner=request.engine.runner,
    )
    if findings:
        excerpt = tuple(plain_text(f"{finding.code}: {finding.message}") for finding in findings)
        hint = next((finding.hint for finding in findings if finding.hint), "The wheel was not kept.")
        message = plain_text(f"{wheels[0].name} is not what it claims to be")
        return Outcome(job, Status.REJECTED, message=message, hint=hint, excerpt=excerpt)
    with naming_storage_errors(request.output_dir, setting="--output-dir"):
        landed = land_file(wheels[0], request.output_dir)
    return Outcome(job, Status.BUILT, wheel=WheelFile(landed.name, sha256_of(landed), landed.stat().st_size))


def _read_statistics(job_dir: Path) -> CompileStatistics | None:
    with suppress(OSError):
        text = (job_dir / "mount" / STATISTICS_LOG).read_text(encoding="utf-8", errors="replace")
        return count_calls(parse_statistics_log(text.splitlines()))
    return None
