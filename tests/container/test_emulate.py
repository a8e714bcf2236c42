"""Wheels on emulated CPUs: which end of them is told, and that nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())


def _build(tool: Tool, project: Any, *variants: str) -> tuple[int, str, Path]:
    wheelhouse = tool.place / "dist"
    chosen = [part for name in variants for part in ("--variant", name)]
    ran = tool.build(project("levels"), "--python", "cp312", "--output-dir", str(wheelhouse), *chosen)
    return ran.code, ran.stderr, wheelhouse


def test_what_needs_a_newer_cpu_is_told_from_what_is_broken(tool: Tool, project: Any) -> None:
    code, said, wheelhouse = _build(tool, project, "honest", "wrong", "raising")
    assert code == 8
    jobs = {job["variant"]: job for job in manifest(wheelhouse)["jobs"]}
    assert {name: job["status"] for name, job in jobs.items()} == {
        "honest": "built",
        "wrong": "rejected",
        "raising": "rejected",
    }
    assert "emulate-illegal-instruction: importing levels meets an instruction" in said
    assert "%zmm" in said
    assert "in scale_all" in said
    assert "failed (ImportError: the kernel has no table)" in said
    assert [path.name.split("-")[1] for path in wheelhouse.glob("*.whl")] == ["1.0+honest"]


def test_what_qemu_does_not_know_lands_and_is_said(tool: Tool, project: Any) -> None:
    if " avx512vl " not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        pytest.skip("this machine's CPU has no AVX-512")
    code, said, wheelhouse = _build(tool, project, "newer")
    assert code == 0, said
    assert "x86-64-v4 is not emulated: qemu has no AVX-512" in said
    (wheel,) = wheelhouse.glob("*.whl")
    ran = tool.run("verify", str(wheel), "--emulate", "--isa", "x86-64-v3", "--engine", tool.engine)
    assert ran.code == 8
    assert "a CPU of x86-64-v3 (emulated: Haswell-noTSX) does not have" in ran.stdout

    # Python processes that a command starts are emulated, too.
    command = [
        "python",
        "-c",
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import levels']))",
    ]
    settings = f"[verify.emulate]\nimports = ['json']\ncommand = {json.dumps(command)}\n"
    (tool.place / "wheelkiln.toml").write_text(settings, encoding="utf-8")
    ran = tool.run("verify", str(wheel), "--emulate", "--isa", "x86-64-v3", "--engine", tool.engine)
    assert "the command meets an instruction" in ran.stdout, ran.stderr
