"""Wheels built again from their own records, by wheelkiln and by the script that it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Tool, clean_environment
from wheelkiln.verify.record import RECORD_MEMBER

ONE = ("--python", "cp312")
VARIANT = """
[tool.wheelkiln.variants.fast]
project-name = "plainkernel-fast"
version-suffix = "+fast"
environment = { CFLAGS = "$CFLAGS -O1" }
patches = [{ file = "answer.patch" }]
"""
PATCH = """--- a/src/plainkernel/__init__.py
+++ b/src/plainkernel/__init__.py
@@ -1,0 +1,1 @@
+ANSWER = 42
"""


@pytest.fixture
def built(tool: Tool, project: Any) -> tuple[Path, Path]:
    """A project and the one wheel of its only variant, which is patched and has a name of its own."""
    source: Path = project("plain")
    (source / "answer.patch").write_text(PATCH)
    with (source / "pyproject.toml").open("a") as file:
        file.write(VARIANT)
    ran = tool.build(".", *ONE, cwd=source)
    assert ran.code == 0, ran.stderr
    (wheel,) = (source / "wheelhouse").glob("*.whl")
    return source, wheel


def test_a_wheel_is_built_again_from_its_record(tool: Tool, built: tuple[Path, Path], tmp_path: Path) -> None:
    source, wheel = built
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    alone = Path(shutil.copy(wheel, elsewhere))
    (source / "answer.patch").unlink()
    again = source.rename(tmp_path / "another checkout")

    def reproduce(*more: str) -> Any:
        options = ("--engine", tool.engine, "--cache-dir", str(tmp_path / "cache"), "--source", str(again), *more)
        return tool.run("reproduce", str(alone), *options, cwd=elsewhere)

    same = reproduce("--format", "json")
    assert same.code == 0, same.stderr
    told = json.loads(same.stdout)
    assert (told["identical"], told["frontend"], told["differences"]) == (True, "pip", [])

    with zipfile.ZipFile(alone) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(RECORD_MEMBER))
        record = json.loads(archive.read(name))
    assert record["edition"]["changes"]["patches"][0]["text"] == PATCH
    override = next(entry for entry in record["build"]["configuration"]["overrides"] if "environment" in entry)
    override["environment"]["CFLAGS"] = "$CFLAGS -O3"
    (elsewhere / "changed.json").write_text(json.dumps(record))
    other = reproduce("--record", "changed.json", "--output-dir", "kept")
    assert other.code == 8, other.stderr
    assert "plainkernel/_kernel.cpython-312-x86_64-linux-gnu.so" in other.stdout
    assert len(list((elsewhere / "kept").glob("*.whl"))) == 1

    with (again / "src/plainkernel/__init__.py").open("a") as file:
        file.write("CHANGED = True\n")
    refused = reproduce()
    assert refused.code == 8
    assert "not the one that the wheel was built from" in refused.stderr


def test_the_script_does_it_without_wheelkiln(tool: Tool, project: Any, tmp_path: Path) -> None:
    source = project("plain")
    assert tool.build(".", *ONE, cwd=source).code == 0
    (wheel,) = (source / "wheelhouse").glob("*.whl")
    script = tool.run("reproduce", "--recipe", str(wheel))
    assert script.code == 0, script.stderr
    (tmp_path / "again.sh").write_text(script.stdout)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(tmp_path / "again.sh")], check=True)
    environ = {**clean_environment(), "ENGINE": tool.engine}
    command = ["sh", "again.sh", str(wheel), str(source)]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("identical\n")
