"""Variants of one project: wheels under their own names, whose metadata agree, installed side by side."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from tests.container.conftest import Tool, manifest

pytestmark = pytest.mark.any_engine(but=())

PROJECTS_OF_TESTS = Path(__file__).parents[1] / "projects"
EXAMPLE = Path(__file__).parents[2] / "examples" / "simd-dot"
PROJECTS = {
    "noavx512": "simd-dot",
    "avx512": "simd-dot-avx512",
    "avx512vnni": "simd-dot-avx512vnni",
    "avx512bf16": "simd-dot-avx512bf16",
    "amxbf16": "simd-dot-amxbf16",
}
_ONE = ("--python", f"cp{sys.version_info[0]}{sys.version_info[1]}", "--arch", "x86_64")
_CHECK = """
import importlib, importlib.metadata
for level, project in {projects!r}.items():
    importlib.metadata.version(project)
    try:
        assert importlib.import_module("simd_dot." + level).compiled_level() == level
    except ImportError as error:
        assert "needs a processor with" in str(error) or "does not let this process" in str(error), error
"""


def check_metadata(wheel: Path, project: str, version: str) -> None:
    """Compare the file's name, its directory of metadata, METADATA, and RECORD with what is in the file."""
    name, named_version, _, _ = parse_wheel_filename(wheel.name)
    assert (name, str(named_version)) == (project, version)
    directory = f"{project.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        files = [member for member in archive.namelist() if not member.endswith("/")]
        assert {member.split("/")[0] for member in files if ".dist-info/" in member} == {directory}
        metadata = email.message_from_bytes(archive.read(f"{directory}/METADATA"))
        assert (metadata["Name"], metadata["Version"]) == (project, version)
        record = {row[0]: row[1:] for row in csv.reader(archive.read(f"{directory}/RECORD").decode().splitlines())}
        assert set(record) == set(files)
        for member, (digest, size) in record.items():
            if not member.endswith("/RECORD"):
                content = archive.read(member)
                assert int(size) == len(content)
                kind, _, value = digest.partition("=")
                assert base64.urlsafe_b64decode(value + "==") == hashlib.new(kind, content).digest()


def test_the_five_variants_are_projects_of_their_own(tool: Tool, tmp_path: Path) -> None:
    source = tmp_path / "simd-dot"
    shutil.copytree(EXAMPLE, source)
    ran = tool.build(".", *_ONE, cwd=source)
    assert ran.code == 0, ran.stderr
    house = source / "wheelhouse"
    wheels = {job["variant"]: house / job["wheel"]["name"] for job in manifest(house)["jobs"]}
    assert set(wheels) == set(PROJECTS)
    for variant, wheel in wheels.items():
        check_metadata(wheel, PROJECTS[variant], "1.0.0")
        with zipfile.ZipFile(wheel) as archive:
            assert {name for name in archive.namelist() if name.endswith(".py")} == {
                f"simd_dot/{variant}/__init__.py",
                f"simd_dot/{variant}/_cpu.py",
            }
    files = [str(wheel) for wheel in wheels.values()]
    for command in (["twine", "check", "--strict"], ["check_wheel_contents"]):
        done = subprocess.run([sys.executable, "-m", *command, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--offline", "--python", python, *files]
    subprocess.run([sys.executable, "-m", *install], check=True)
    subprocess.run([python, "-c", _CHECK.format(projects=PROJECTS)], cwd=tmp_path, check=True)

    again = tool.build(".", *_ONE, cwd=source)
    assert again.code == 0, again.stderr
    assert {job["status"] for job in manifest(house)["jobs"]} == {"reused"}


_VARIANT = """
[tool.wheelkiln.variants.thrice]
project-name = "plainkernel-thrice"
version-suffix = "+thrice"
requires = ["wheel"]
patches = [{ file = "thrice.patch", versions = ">=1.2" }, { file = "old.patch", versions = "<1.2" }]
"""
_PATCH = """\
--- a/csrc/the kernel.c
+++ b/csrc/the kernel.c
@@ -3,5 +3,7 @@
 static PyObject *twice(PyObject *self, PyObject *number)
 {
     (void)self;
-    return PyNumber_Add(number, number);
+    PyObject *three = PyLong_FromLong(3), *product = three ? PyNumber_Multiply(number, three) : NULL;
+    Py_XDECREF(three);
+    return product;
 }
"""


def test_a_patch_a_suffix_and_a_requirement_reach_the_wheel(tool: Tool, tmp_path: Path) -> None:
    source = tmp_path / "plain"
    shutil.copytree(PROJECTS_OF_TESTS / "plain", source)
    (source / "pyproject.toml").write_text((source / "pyproject.toml").read_text() + _VARIANT)
    (source / "thrice.patch").write_text(_PATCH)

    ran = tool.build(".", *_ONE, cwd=source)
    assert ran.code == 0, ran.stderr
    (job,) = manifest(source / "wheelhouse")["jobs"]
    wheel = source / "wheelhouse" / job["wheel"]["name"]
    check_metadata(wheel, "plainkernel-thrice", "1.2.3+thrice")
    assert any(pin.startswith("wheel==") for pin in job["requirements"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    call = "import plainkernel; assert plainkernel.twice(2) == 6"
    subprocess.run([sys.executable, "-c", call], cwd=tmp_path / "installed", check=True)

    (source / "thrice.patch").write_text(_PATCH.replace("(void)self", "(void)other"))
    failed = tool.build(".", *_ONE, cwd=source)
    assert failed.code == 3
    assert "thrice.patch does not apply: hunk 1 of csrc/the kernel.c, @@ -3,5 +3,7 @@" in failed.stderr
    assert "expected '    (void)other;\\n'" in failed.stderr
