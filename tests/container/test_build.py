"""Whole builds of small projects: what lands, what is said, what is lost (nothing)."""

from __future__ import annotations

import os
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, interrupt, manifest, wait_for

ONE = ("--python", "cp312")


def wheels(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.whl"))


def run_in_image(tool: Tool, wheelhouse: Path, wheel: str, code: str) -> str:
    """Install a wheel into a fresh environment of the image's own interpreter, without network, and run code."""
    image = manifest(wheelhouse)["images"][0]["reference"]
    mount = f"--mount=type=bind,source={wheelhouse},target=/w,readonly"
    script = (
        "/opt/python/cp312-cp312/bin/python -m venv /tmp/v && "
        '/tmp/v/bin/pip install -q --no-index "/w/$1" && cd /tmp && /tmp/v/bin/python -c "$2"'
    )
    done = subprocess.run(
        [tool.engine, "run", "--rm", "--network=none", mount, image, "bash", "-c", script, "bash", wheel, code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_builds_from_a_directory_with_hostile_names_then_warm_then_not_at_all(tool: Tool, project: Any) -> None:
    source = project("plain")
    cold = tool.build(".", *ONE, cwd=source)
    assert cold.code == 0, cold.stderr
    house = source / "wheelhouse"
    (wheel,) = wheels(house)
    assert wheel.startswith("plainkernel-1.2.3-cp312-cp312-manylinux")
    assert run_in_image(tool, house, wheel, "import plainkernel; print(plainkernel.twice(21))") == "42"
    first = manifest(house)["jobs"][0]
    assert (first["status"], first["statistics"]["hits"], first["statistics"]["misses"]) == ("built", 0, 1)
    assert "reaches the container" in cold.stderr

    warm = tool.build(".", *ONE, "--fresh", cwd=source)
    assert warm.code == 0, warm.stderr
    second = manifest(house)["jobs"][0]
    assert (second["statistics"]["hits"], second["statistics"]["misses"]) == (1, 0)
    assert second["wheel"]["sha256"] == first["wheel"]["sha256"], "a warm build must be bit for bit the cold one"

    unchanged = tool.build(".", *ONE, cwd=source)
    assert unchanged.code == 0
    assert "unchanged since it was built" in unchanged.stderr
    assert manifest(house)["jobs"][0]["status"] == "reused"

    (house / wheel).write_bytes(b"damaged")
    assert tool.build(".", *ONE, cwd=source).code == 0
    restored = manifest(house)["jobs"][0]
    assert (restored["status"], restored["from_store"]) == ("reused", True)
    assert sha256((house / wheel).read_bytes()).hexdigest() == first["wheel"]["sha256"]


@pytest.mark.any_engine(but=())
def test_a_failing_python_loses_nothing_and_the_next_run_builds_what_is_missing(tool: Tool, project: Any) -> None:
    source = project("broken")
    selection = ("--python", "cp311", "--python", "cp312", "--python", "cp313")
    ran = tool.build(".", *selection, cwd=source)
    assert ran.code == 7
    assert len(wheels(source / "wheelhouse")) == 2
    assert "a_header_that_nobody_has.h" in ran.stderr
    assert "image.packages" in ran.stderr
    assert "cp312-manylinux" in ran.stderr.splitlines()[-2]
    log = next(line for line in ran.stderr.splitlines() if line.startswith("  log: "))
    assert "fatal error" in Path(log.removeprefix("  log: ")).read_text(encoding="utf-8")

    again = tool.build(".", *selection, cwd=source)
    assert again.code == 7
    assert [job["status"] for job in manifest(source / "wheelhouse")["jobs"]] == ["reused", "failed", "reused"]


@pytest.mark.any_engine(but=())
def test_a_pure_project_is_told_so(tool: Tool, project: Any) -> None:
    ran = tool.build(".", *ONE, cwd=project("pure"))
    assert ran.code == 7
    assert "pure Python wheel" in ran.stderr


@pytest.mark.any_engine(but=())
def test_a_library_inside_the_wheel_is_found(tool: Tool, project: Any) -> None:
    source = project("inner-library")
    ran = tool.build(".", *ONE, cwd=source)
    assert ran.code == 0, ran.stderr
    (wheel,) = wheels(source / "wheelhouse")
    assert (
        run_in_image(tool, source / "wheelhouse", wheel, "import inner_library; print(inner_library.answer())") == "42"
    )


@pytest.mark.any_engine(but=())
def test_a_stable_abi_wheel_serves_the_later_pythons(tool: Tool, project: Any) -> None:
    source = project("stable-abi")
    ran = tool.build(".", cwd=source)
    assert ran.code == 0, ran.stderr
    statuses = {job["identifier"].partition("-")[0]: job["status"] for job in manifest(source / "wheelhouse")["jobs"]}
    assert statuses == {"cp310": "built", "cp311": "built", "cp312": "covered", "cp313": "covered"}
    assert len(wheels(source / "wheelhouse")) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(tool: Tool, project: Any, number: signal.Signals) -> None:
    source = project("plain")
    process = tool.start("build", ".", *tool.options(*ONE, "--fresh"), cwd=source)
    wait_for(process, ": environment")
    ran = interrupt(process, number)
    assert ran.code == 130
    assert "Traceback" not in ran.stderr
    assert list((source / "wheelhouse").iterdir()) == []
    assert tool.containers() == []


def test_what_a_killed_run_left_is_removed_by_the_next(tool: Tool, project: Any) -> None:
    source = project("plain")
    process = tool.start("build", ".", *tool.options(*ONE, "--fresh"), cwd=source)
    wait_for(process, ": environment")
    interrupt(process, signal.SIGKILL)
    assert len(tool.containers()) <= 1
    (source / "wheelhouse" / ".wheelkiln-left.part").touch()
    assert tool.build(".", *ONE, cwd=source).code == 0
    names = sorted(path.name for path in (source / "wheelhouse").iterdir())
    assert [name for name in names if name.startswith(".")] == []


@pytest.mark.any_engine(but=())
def test_two_runs_in_one_project_queue(tool: Tool, project: Any) -> None:
    source = project("plain")
    runs = [tool.start("build", ".", *tool.options(*ONE, "--fresh"), cwd=source) for _ in range(2)]
    ended = [process.communicate(timeout=300) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], ended
    assert sum("another run is building into" in stderr for _, stderr in ended) == 1
    assert len(wheels(source / "wheelhouse")) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("full", ["output", "cache"])
def test_a_full_disk_is_named(tool: Tool, project: Any, tmp_path: Path, full: str) -> None:
    source = project("plain")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        (small / "ballast").write_bytes(b"x" * 61440)
        if full == "output":
            ran = tool.build(".", *ONE, "-o", str(small), cwd=source)
        else:
            options = ["--base", "bootstrap", "--engine", tool.engine, *ONE]
            ran = tool.run("build", ".", *options, "--cache-dir", str(small), cwd=source)
        assert ran.code == 6, ran.stderr
        assert str(small) in ran.stderr
        assert list(small.glob("*.whl")) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_missing_engine_is_named(tool: Tool, project: Any) -> None:
    ran = tool.build(".", *ONE, cwd=project("plain"), PATH="/nonexistent")
    assert ran.code == 6
    assert f"'{tool.engine}' is not installed" in ran.stderr
