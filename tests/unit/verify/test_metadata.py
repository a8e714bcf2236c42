from __future__ import annotations

from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.findings import Finding, Severity
from wheelkiln.verify.rules.model import Level

_PURE = "kern-1.2-py3-none-any.whl"
_HEAD = "Metadata-Version: 2.4\nName: kern\nVersion: 1.2\n"
_TEXT = "Description-Content-Type: text/markdown\n\n# Kern\n"
_RENDER = "python -m wheelkiln.verify.description"
_INFO = "kern-1.2.dist-info"


def _found(
    tmp_path: Path,
    lines: str = "",
    *,
    name: str = _PURE,
    files: dict[str, bytes] | None = None,
    text: str = _TEXT,
    runner: FakeRunner | None = None,
) -> list[Finding]:
    path = write_wheel(tmp_path, name, metadata=_HEAD + lines + text, files=files)
    return list(check_wheel(path, Expectation(levels={"symbols": Level.OFF}), runner or FakeRunner()))


def _codes(tmp_path: Path, lines: str = "", **options: object) -> list[str]:
    return [finding.code for finding in _found(tmp_path, lines, **options)]  # type: ignore[arg-type]


def test_good_metadata(tmp_path: Path) -> None:
    assert _codes(tmp_path, "Summary: Kernels\nRequires-Python: >=3.9\n") == []


@pytest.mark.parametrize("line", ["Requires-Dist: a b c\n", "Summary: a\n  b\n", "Requires-Python: three\n"])
def test_metadata_that_are_not_valid(tmp_path: Path, line: str) -> None:
    (finding,) = _found(tmp_path, line)
    assert (finding.code, finding.severity) == ("metadata-invalid", Severity.WARNING)


def test_a_licence_file_that_is_there_or_not(tmp_path: Path) -> None:
    there = {f"{_INFO}/licenses/LICENSE": b"x"}
    assert _codes(tmp_path, "License-File: LICENSE\n", files=there) == []
    assert _codes(tmp_path, "License-File: NOTICE\n", files=there) == ["licence-files"]


@pytest.mark.parametrize("place", [f"{_INFO}/LICENSE", f"{_INFO}/licenses/LICENSE", f"{_INFO}/license_files/LICENSE"])
def test_before_the_standard_licence_files_lay_in_several_places(tmp_path: Path, place: str) -> None:
    metadata = _HEAD.replace("2.4", "2.1") + "License-File: LICENSE\n" + _TEXT
    path = write_wheel(tmp_path, _PURE, metadata=metadata, files={place: b"x"})
    assert check_wheel(path, Expectation(), FakeRunner()) == ()


@pytest.mark.parametrize(
    ("name", "wanted", "codes"),
    [
        ("kern-1.2-cp312-cp312-linux_x86_64.whl", ">=3.12", []),
        ("kern-1.2-cp312-cp312-linux_x86_64.whl", ">=3.12.4", []),
        ("kern-1.2-cp312-cp312-linux_x86_64.whl", "<3.12", ["requires-python"]),
        ("kern-1.2-cp39-abi3-linux_x86_64.whl", ">=3.11", []),
        ("kern-1.2-cp312-abi3-linux_x86_64.whl", "<3.12", ["requires-python"]),
        (_PURE, ">=3.20", []),
    ],
)
def test_requires_python_and_the_tags(tmp_path: Path, name: str, wanted: str, codes: list[str]) -> None:
    runner = FakeRunner({"python -m abi3audit": Answer("{}")})
    assert _codes(tmp_path, f"Requires-Python: {wanted}\n", name=name, runner=runner) == codes


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"tests/test_a.py": b""}, "top-level"),
        ({"kern-1.2.data/purelib/docs/a.txt": b""}, "top-level"),
        ({"__init__.py": b""}, "top-level"),
        ({"kern/__pycache__/a.cpython-312.pyc": b""}, "bytecode"),
    ],
)
def test_what_does_not_belong_into_a_wheel(tmp_path: Path, files: dict[str, bytes], code: str) -> None:
    assert _codes(tmp_path, files=files) == [code]


def test_rst_is_rendered_by_a_process_of_its_own(tmp_path: Path) -> None:
    runner = FakeRunner({_RENDER: Answer("line 3: (ERROR/3) Unexpected indentation.\n", 1)})
    (finding,) = _found(tmp_path, text="Description-Content-Type: text/x-rst\n\na\n", runner=runner)
    assert finding.code == "description"
    assert "Unexpected indentation" in finding.message
    assert (
        _codes(tmp_path, text="Description-Content-Type: text/x-rst\n\na\n", runner=FakeRunner({_RENDER: Answer()}))
        == []
    )


def test_a_description_that_takes_too_long(tmp_path: Path) -> None:
    runner = FakeRunner({_RENDER: EnvironmentProblem("it did not answer within 60 seconds")})
    assert _codes(tmp_path, text="\nKern\n====\n", runner=runner) == ["description"]


@pytest.mark.parametrize("text", ["", "Description-Content-Type: text/html\n\n<p>\n"])
def test_descriptions_that_indexes_do_not_show(tmp_path: Path, text: str) -> None:
    assert "description" in _codes(tmp_path, text=text)


def test_a_rule_that_is_off_starts_no_process(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, _PURE, metadata=f"{_HEAD}\nKern\n")
    assert check_wheel(path, Expectation(levels={"description": Level.OFF}), FakeRunner()) == ()
