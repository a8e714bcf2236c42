"""Going on after failures: what is tried again, what is cancelled, the history, and shells in failed jobs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, clean_environment, manifest, wait_for

THREE = ("--python", "cp311", "--python", "cp312", "--python", "cp313")
JOB = "cp312-manylinux_x86_64"


@pytest.fixture
def tool(tool: Tool) -> Tool:
    return replace(tool, keep_failed="5G")


def _states(tool: Tool) -> list[str]:
    form = "{{.Repository}}:{{.Tag}}"
    command = [tool.engine, "image", "ls", "--format", form]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    kept = {json.loads(path.read_text())["image"] for path in (tool.cache / "states").glob("*/state.json")}
    return [name for name in names if name in kept]


def _statuses(house: Path) -> dict[str, str]:
    return {job["identifier"].partition("-")[0]: job["status"] for job in manifest(house)["jobs"]}


def test_a_failed_job_is_looked_into_and_tried_again_alone(tool: Tool, project: Any) -> None:
    source = project("broken")
    house = source / "wheelhouse"
    failed = tool.build(".", *THREE, cwd=source)
    assert failed.code == 7
    assert f"wheelkiln shell {JOB}" in failed.stderr
    assert len(_states(tool)) == 1

    cache = ("--cache-dir", str(tool.cache))
    script = "pwd; ls csrc; echo $CIBUILDWHEEL_BUILD_IDENTIFIER; which python; wheelkiln-again 2>&1"
    shell = tool.run("shell", JOB, ".", *cache, "--", "bash", "-c", script, cwd=source)
    assert shell.code == 1, "the exit status of what failed again"
    assert shell.stdout.splitlines()[:4] == [
        "/project",
        "kernel.c",
        JOB,
        "/opt/python/cp312-cp312/bin/python",
    ]
    assert "a_header_that_nobody_has.h: No such file" in shell.stdout
    assert tool.run("shell", "cp312*", *cache, "--", "true", cwd=source).code == 0

    known = json.loads(tool.run("history", ".", "--failed", "--format", "json", *cache, cwd=source).stdout)
    (run,) = known["runs"]
    assert (run["state"], [job["job"] for job in run["jobs"]]) == ("failed", [JOB])
    assert "fatal error" in Path(run["jobs"][0]["log"]).read_text(encoding="utf-8")

    setup = source / "setup.py"
    setup.write_text(setup.read_text().replace("MISSING_HEADER", "NOTHING_MISSING"))
    again = tool.build(".", *THREE, "--retry-failed", cwd=source)
    assert again.code == 0, again.stderr
    assert _statuses(house) == {"cp312": "built"}
    assert "--retry-failed: its last build into this directory was good" in again.stdout
    assert _states(tool) == [], "a job that is good keeps no state"
    assert len(list(house.glob("*.whl"))) == 3
    nothing = tool.build(".", *THREE, "--retry-failed", cwd=source)
    assert nothing.code == 0
    assert "every job was good" in nothing.stderr


@pytest.mark.any_engine(but=())
def test_fail_fast_stops_what_runs(tool: Tool, project: Any) -> None:
    source = project("broken")
    with (source / "csrc/kernel.c").open("a") as code:
        code.write("/* not the source of other tests, whose wheels would be reused */\n")
    many = ("--python", "cp312", "--python", "cp313")
    wait = "python -c 'import sys, time; time.sleep(600 * (sys.version_info[:2] == (3, 13)))'"
    started = time.monotonic()
    ran = tool.build(".", *many, "--fail-fast", cwd=source, WHEELKILN_JOBS="2", CIBW_BEFORE_BUILD=wait)
    assert time.monotonic() - started < 300
    assert ran.code == 7
    assert _statuses(source / "wheelhouse") == {"cp312": "failed", "cp313": "cancelled"}
    assert f"stopped, because {JOB} failed" in ran.stderr
    assert tool.containers() == []
    assert list((source / "wheelhouse").glob("*.whl")) == []
    assert tool.build(".", *many, "--retry-failed", cwd=source).code == 7
    assert _statuses(source / "wheelhouse") == {"cp312": "failed", "cp313": "built"}


@pytest.mark.any_engine(but=())
def test_a_run_that_was_killed_is_told_as_died(tool: Tool, project: Any) -> None:
    source = project("plain")
    process = tool.start("build", ".", *tool.options("--python", "cp312", "--fresh"), cwd=source)
    wait_for(process, ": environment")
    process.kill()
    process.communicate(timeout=60)
    ran = tool.run("history", ".", "--cache-dir", str(tool.cache), "--format", "json", cwd=source)
    newest = json.loads(ran.stdout)["runs"][0]
    assert (newest["state"], newest["ended"], newest["jobs"][0]["state"]) == ("died", None, "started")
    assert tool.build(".", "--python", "cp312", "--retry-failed", cwd=source).code == 0


@pytest.mark.any_engine(but=())
def test_a_shell_at_a_terminal(tool: Tool, project: Any) -> None:
    source = project("broken")
    assert tool.build(".", "--python", "cp312", cwd=source).code == 7
    outside, inside = pty.openpty()
    command = [sys.executable, "-m", "wheelkiln", "shell", JOB, ".", "--cache-dir", str(tool.cache)]
    with subprocess.Popen(
        command, cwd=source, env=clean_environment(), stdin=inside, stdout=inside, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(inside)
        os.write(outside, b"tty; echo here-$((40 + 2)); exit 3\n")
        seen = b""
        while b"here-42" not in seen:
            seen += os.read(outside, 4096)
        _, told = process.communicate(timeout=60)
    os.close(outside)
    assert process.returncode == 3
    assert b"/dev/pts/" in seen
    assert "wheelkiln-again" in told
