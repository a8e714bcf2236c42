from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from wheelkiln.cli import sbom
from wheelkiln.errors import NothingSelectedError, UsageProblem
from wheelkiln.system.files import sha256_of

_OTHER = "kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl"


def _run(*arguments: str | Path) -> Result:
    argv = [str(argument) for argument in arguments]
    return CliRunner().invoke(sbom.command, argv, catch_exceptions=False, standalone_mode=False)


def _with_library(directory: Path) -> Path:
    return write_wheel(directory, files={"kern.libs/libz-1a2b3c4d.so.1": b"z"})


def test_a_table_for_each_wheel(tmp_path: Path) -> None:
    with_library = _with_library(tmp_path)
    without = write_wheel(tmp_path, _OTHER, files={"kern-1.2.dist-info/sboms/cargo.cdx.json": b"{}"})
    lines = [line.split() for line in _run(tmp_path).output.splitlines()]
    assert lines[0] == [without.name]
    assert ["no", "grafted", "library"] in lines
    assert ["SBOM:", "kern-1.2.dist-info/sboms/cargo.cdx.json"] in lines
    assert [with_library.name] in lines
    assert any(line[:4] == ["libz.so.1", "not", "known", "kern.libs/libz-1a2b3c4d.so.1"] for line in lines)


def test_names_of_a_wheel_cannot_command_the_terminal(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, files={"kern.libs/lib\x1b[31mz.so": b"z"})
    assert "\x1b" not in _run(path).output


def test_the_document_has_the_wheels_digest(tmp_path: Path) -> None:
    path = _with_library(tmp_path)
    document = json.loads(_run(path, "--format", "cyclonedx").output)
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": sha256_of(path)}]


def test_several_documents_are_written_to_a_directory(tmp_path: Path) -> None:
    wheels = [_with_library(tmp_path / "w"), write_wheel(tmp_path / "w", _OTHER)]
    with pytest.raises(UsageProblem, match="2 wheels have a document each"):
        _run(*wheels, "--format", "cyclonedx")
    out = tmp_path / "out"
    assert _run(tmp_path / "w", "-o", out).output.startswith(f"2 in {out}:\n")
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{wheel.name}.cdx.json" for wheel in wheels)


def test_where_there_is_no_wheel(tmp_path: Path) -> None:
    with pytest.raises(NothingSelectedError, match="there is no wheel in"):
        _run(tmp_path)
    with pytest.raises(UsageProblem, match=r"there is no wheel .*absent\.whl"):
        _run(tmp_path / "absent.whl")
