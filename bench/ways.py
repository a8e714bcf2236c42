"""The three ways of building one project: plain cibuildwheel, the field's ccache recipe, and wheelkiln."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from measure import ContainerLabel, Measured, reason_of, run_measured, say
from results import (
    COLD,
    EVERY,
    FIRST,
    MOUNTED,
    OURS,
    PLAIN,
    SECOND,
    STORE,
    UNCHANGED,
    WARM,
    Build,
    Job,
    compile_seconds_of,
)
from subjects import Subject, project_settings, wheelkiln_argv
from wheelkiln.cache.statistics import CompileStatistics, count_calls, parse_statistics_log

BUILDER = 1000
"""User and group of the images' builder."""
_PLAIN_LABEL = "wheelkiln-bench"
_OUR_LABEL = "io.wheelkiln.run"
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_IMAGE_MEMORY = "images"
_PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")
_RECIPE = {
    "CCACHE_DIR": "/ccache",
    "CCACHE_BASEDIR": "/project",
    "CCACHE_NOHASHDIR": "1",
    "CCACHE_STATSLOG": "/ccache/log",
}
"""What write-ups of a mounted ccache set, and the log that its calls are counted from."""


def measure_wheelkiln(
    subject: Subject, run: int, *, cold_only: bool = False, variables: Mapping[str, str] | None = None
) -> list[Build]:
    """Build cold, then warm, then with nothing changed, then without the output directory, with a cache of its own.

    variables are added to the environment.
    """
    scratch = _empty(subject.place / "wheelkiln")
    cache, output = scratch / "cache", scratch / "wheels"
    cache.mkdir()
    if (subject.prime / _IMAGE_MEMORY).is_dir():  # what a base's tag stands for is not asked again while time is taken
        shutil.copytree(subject.prime / _IMAGE_MEMORY, cache / _IMAGE_MEMORY)
    builds = []
    for kind, options in ((COLD, ()), (WARM, ("--fresh",)), (UNCHANGED, ()), (STORE, ())):
        if kind == STORE:
            shutil.rmtree(output)
        builds.append(_wheelkiln_build(subject, run, kind, cache, output, options, variables or {}))
        if cold_only or builds[-1].error:
            break
    shutil.rmtree(scratch, ignore_errors=True)
    return builds


def _wheelkiln_build(
    subject: Subject,
    run: int,
    kind: str,
    cache: Path,
    output: Path,
    options: tuple[str, ...],
    variables: Mapping[str, str],
) -> Build:
    say(f"{subject.name}: run {run}, {OURS}, {kind} ...")
    argv = [*wheelkiln_argv(subject, "build", cache), "--output-dir", str(output), *options]
    owner = hashlib.sha256(str(cache.resolve()).encode()).hexdigest()[:8]  # as wheelkiln names its runs
    environment = {**_environment(), **variables}
    done = run_measured(argv, cwd=subject.place, env=environment, containers=ContainerLabel(_OUR_LABEL, f"{owner}-"))
    build = Build(subject.name, OURS, kind, run, subject.identifiers, memory=done.memory, load=done.load)
    if done.status:
        return replace(build, error=reason_of(done.tail) or f"exit status {done.status}")
    manifest = json.loads((output / "wheelkiln-manifest.json").read_text(encoding="utf-8"))
    return read_manifest(build, manifest, done.seconds)


def read_manifest(build: Build, manifest: dict[str, Any], seconds: float) -> Build:
    """Fill in what the manifest says; a build that had to reuse its wheels and did not has a note instead of a time."""
    built = [job for job in manifest["jobs"] if job["status"] == "built"]
    if build.kind in (UNCHANGED, STORE):
        if built:
            return replace(build, note=f"{len(built)} of {len(manifest['jobs'])} were built again")
        return replace(build, seconds=seconds)
    jobs = tuple(
        Job(job["identifier"], job["seconds"], {entry["stage"]: entry["seconds"] for entry in job["stages"]})
        for job in built
    )
    statistics = [job["statistics"] for job in built if job["statistics"]]
    hits = sum(entry["hits"] for entry in statistics)
    calls = hits + sum(entry["misses"] for entry in statistics)
    # The sum is longer than the run where jobs ran side by side: what the run itself needs cannot be told then.
    working = min(sum(job.seconds for job in jobs), manifest["seconds"])
    outside = round(max(0.0, seconds - working), 3)
    found = replace(build, seconds=seconds, jobs=jobs, compile_seconds=compile_seconds_of(jobs), outside=outside)
    return replace(found, hits=hits, calls=calls) if statistics else found


def measure_plain(subject: Subject, run: int) -> list[Build]:
    """Build once without a cache: a second time would do the same again."""
    return _measure_cibuildwheel(subject, run, PLAIN, (EVERY,))


def measure_mounted(subject: Subject, run: int) -> list[Build]:
    """Build twice with a mounted ccache directory, as the field does it."""
    return _measure_cibuildwheel(subject, run, MOUNTED, (FIRST, SECOND))


def _measure_cibuildwheel(subject: Subject, run: int, way: str, kinds: tuple[str, ...]) -> list[Build]:
    scratch = _empty(subject.place / way.replace(" ", "-"))
    ccache, config = scratch / "ccache", scratch / "cibuildwheel.toml"
    ccache.mkdir()
    if os.getuid() == 0:
        os.chown(ccache, BUILDER, BUILDER)
    token = f"{os.getpid()}-{run}-"
    table = plain_config(subject, project_settings(subject), ccache, token, cached=way == MOUNTED)
    config.write_text(tomli_w.dumps(table), encoding="utf-8")
    builds = []
    for kind in kinds:
        say(f"{subject.name}: run {run}, {way}, {kind} ...")
        (ccache / "log").unlink(missing_ok=True)
        builds.append(
            _cibuildwheel_build(Build(subject.name, way, kind, run, subject.identifiers), subject, config, token)
        )
        if builds[-1].error:
            break
    shutil.rmtree(scratch, ignore_errors=True)
    return builds


def _cibuildwheel_build(build: Build, subject: Subject, config: Path, token: str) -> Build:
    argv = [sys.executable, "-m", "cibuildwheel", "--config-file", str(config), "--platform", "linux"]
    argv += ["--output-dir", str(config.parent / "wheels"), str(subject.sdist)]
    label = ContainerLabel(_PLAIN_LABEL, token)
    try:
        done = run_measured(argv, cwd=subject.place, env=_environment(), containers=label)
    finally:
        _remove_containers(label)
    return read_output(
        replace(build, memory=done.memory, load=done.load), done, _read_log(config.parent / "ccache" / "log")
    )


def read_output(build: Build, done: Measured, statistics: CompileStatistics | None) -> Build:
    """Fill in what cibuildwheel's output and ccache's log say; it runs all jobs in one go, so they are one entry."""
    if done.status:
        return replace(build, error=reason_of(done.tail) or f"exit status {done.status}")
    jobs = (Job("all", done.seconds, done.stages),)
    found = replace(build, seconds=done.seconds, jobs=jobs, compile_seconds=compile_seconds_of(jobs))
    return replace(found, hits=statistics.hits, calls=statistics.calls) if statistics else found


def _remove_containers(label: ContainerLabel) -> None:
    """Remove what cibuildwheel leaves behind when it is stopped."""
    argv = ["docker", "ps", "--all", "--quiet", f"--filter=label={label.name}={label.prefix}"]
    found = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    if found:
        subprocess.run(["docker", "rm", "--force", "--volumes", *found], capture_output=True, check=False)


def _read_log(log: Path) -> CompileStatistics | None:
    if not log.is_file():
        return None
    return count_calls(parse_statistics_log(log.read_text(encoding="utf-8", errors="replace").splitlines()))


def plain_config(
    subject: Subject, settings: dict[str, Any], ccache: Path, token: str, *, cached: bool
) -> dict[str, Any]:
    """Return the configuration of cibuildwheel by itself: the same image and user, its default build isolation."""
    bundle = os.environ.get("SSL_CERT_FILE") or _CA_BUNDLE
    environment = {"HOME": "/home/builder", **(_RECIPE if cached else {"CCACHE_DISABLE": "1"})}
    create_args = [f"--user={BUILDER}:{BUILDER}", f"--label={_PLAIN_LABEL}={token}", f"--volume={ccache}:/ccache"]
    if Path(bundle).is_file():
        create_args.append(f"--volume={bundle}:/tmp/ca.pem:ro")
        environment |= {"SSL_CERT_FILE": "/tmp/ca.pem", "PIP_CERT": "/tmp/ca.pem"}  # noqa: S108 - inside a container
    ours = {
        "select": "*",
        "inherit": {"environment": "append", "environment-pass": "append"},
        "environment": environment,
        "environment-pass": [name for name in _PASSED if name in os.environ],
        "test-command": "",
        "audit-command": "",
        "container-engine": {"name": "docker", "create-args": create_args, "disable-host-mount": True},
        f"manylinux-{subject.arch}-image": subject.image,
    }
    table = dict(settings)
    overrides = [*table.pop("overrides", []), ours]
    selection = {"build": list(subject.identifiers), "skip": "", "archs": [subject.arch]}
    return {"tool": {"cibuildwheel": {**table, **selection, "overrides": overrides}}}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CIBW_")}
    kept.pop("GITHUB_STEP_SUMMARY", None)
    return {**kept, "CIBW_LOG_FOLD_MODE": "disabled", "PYTHONUTF8": "1"}


def _empty(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
