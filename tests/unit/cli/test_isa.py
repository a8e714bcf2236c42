from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from tests.elves import TEXT, Part, make_elf
from wheelkiln.cli import isa
from wheelkiln.errors import UsageProblem, VerificationError

_LIBRARY = make_elf([Part("_ZN4kern3dotEv", bytes.fromhex("0fa2c5f458c2c3")), Part("plain", b"\xc3")])


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _invoke(*arguments: str, columns: int = 200) -> Result:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(isa.command, list(arguments), standalone_mode=False)


def _wheel(content: bytes = _LIBRARY) -> str:
    return str(write_wheel(Path(), files={"kern/kern.so": content, "kern/libkern.a": b"!<arch>\n"}))


def test_a_wheel_by_file_and_function() -> None:
    result = _invoke("--functions", _wheel())
    assert result.exception is None
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1][:5] == ["kern/kern.so", "x86-64-v3", "1", "of", "2"]
    assert ["kern.so", f"0x{TEXT:x}", "kern::dot", "avx"] in lines
    assert "x86_64: all of it needs x86-64-v3" in result.stdout
    assert "1 file asks what it runs on, and may need less: kern.so" in result.stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_every_width(columns: int) -> None:
    result = _invoke("--functions", _wheel(), columns=columns)
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert f"0x{TEXT:x}" in result.stdout


def test_json_has_everything() -> None:
    document = json.loads(_invoke("--format", "json", _wheel()).stdout)
    kern, archive = document["files"]
    assert document["format"] == 1
    assert (kern["level"], kern["beyond"], kern["features"], kern["asks_cpu"]) == ("x86-64-v3", [], ["avx"], True)
    (function,) = kern["functions"]
    assert (function["identifiers"], function["features"]) == ("kern::dot", {"avx": TEXT + 2})
    assert archive == {"name": "kern/libkern.a", "problem": "it is a static library, which is not looked into"}


def test_a_library_alone_and_a_pure_wheel() -> None:
    Path("kern.so").write_bytes(_LIBRARY)
    assert _invoke("kern.so").stdout.splitlines()[1].startswith("kern.so")
    pure = write_wheel(Path(), "kern-1.2-py3-none-any.whl")
    assert _invoke(str(pure)).stdout == "there is no machine code in it\n"


def test_a_file_that_cannot_be_read_is_told_behind_the_others() -> None:
    result = _invoke(_wheel(_LIBRARY[:-9]))
    assert isinstance(result.exception, VerificationError)
    assert "kern/kern.so" in result.stdout


@pytest.mark.parametrize("cut", [40, 300])
def test_a_wheel_that_is_none(cut: int) -> None:
    path = Path(_wheel())
    path.write_bytes(path.read_bytes()[:cut])
    assert isinstance(_invoke(str(path)).exception, VerificationError)


def test_a_file_that_is_not_there() -> None:
    assert isinstance(_invoke("none.whl").exception, UsageProblem)
