from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.findings import Severity
from wheelkiln.verify.tags import serves

_IDENTIFIER = "cp312-manylinux_x86_64"
_NAME = "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"


def _auditwheel(tag: str = "manylinux_2_17_x86_64") -> FakeRunner:
    symbols = Answer(json.dumps({"overall_tag": tag}))
    return FakeRunner({"python -m auditwheel show --json": symbols, "python -m abi3audit": Answer("{}")})


def _codes(
    path: Path,
    *,
    project: str = "kern",
    version: str = "1.2",
    identifier: str = _IDENTIFIER,
    runner: FakeRunner | None = None,
) -> list[str]:
    found = check_wheel(path, Expectation(project, version, identifier), runner or _auditwheel())
    assert {finding.subject for finding in found} <= {path.name}
    return [finding.code for finding in found if finding.severity is Severity.ERROR]


def test_a_good_wheel_has_no_findings(tmp_path: Path) -> None:
    runner = _auditwheel()
    assert _codes(write_wheel(tmp_path), runner=runner) == []
    assert runner.lines == [f"python -m auditwheel show --json {tmp_path / _NAME}"]


def test_names_and_versions_are_compared_normalised(tmp_path: Path) -> None:
    path = write_wheel(
        tmp_path,
        "My_Kern-1.2.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        metadata="Name: my.kern\nVersion: 1.2\n",
    )
    assert _codes(path, project="my-kern", version="1.2") == []


@pytest.mark.parametrize("project", [{"project": "other"}, {"version": "1.3"}, {"version": "1.2.post1"}])
def test_the_wheel_of_another_project(tmp_path: Path, project: dict[str, str]) -> None:
    assert _codes(write_wheel(tmp_path), **project) == ["file-name"]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["kern.whl", "kern-1.2-cp312.whl", "kern-one-cp312-cp312-linux_x86_64.whl"])
def test_a_file_name_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert _codes(tmp_path / name) == ["file-name"]


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / _NAME).write_bytes(b"not a zip")
    assert _codes(tmp_path / _NAME) == ["zip"]


def test_a_damaged_wheel_is_a_finding_and_no_crash_wherever_it_is_damaged(tmp_path: Path) -> None:
    whole = write_wheel(tmp_path / "whole").read_bytes()
    path = tmp_path / _NAME
    found = 0
    for place in range(0, len(whole), 3):
        for flip in (0xFF, 0x01):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            found += bool(_codes(path))
    assert found > 100


def test_a_truncated_wheel(tmp_path: Path) -> None:
    whole = write_wheel(tmp_path / "whole").read_bytes()
    (tmp_path / _NAME).write_bytes(whole[:-100])
    assert _codes(tmp_path / _NAME) == ["zip"]


@pytest.mark.parametrize("member", ["../evil", "/etc/evil", "kern/../../evil", "kern\\evil"])
def test_a_member_that_leaves_the_wheel(tmp_path: Path, member: str) -> None:
    assert _codes(write_wheel(tmp_path, files={member: b""})) == ["zip-path"]


def test_a_member_that_is_there_twice(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("kern/__init__.py", "other")
    assert _codes(path) == ["zip-duplicate"]


@pytest.mark.parametrize("part", ["METADATA", "WHEEL", "RECORD"])
def test_a_dist_info_that_is_there_twice(tmp_path: Path, part: str) -> None:
    assert _codes(write_wheel(tmp_path, files={f"other-1.dist-info/{part}": b""})) == ["dist-info"]


def test_a_wheel_without_dist_info(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / _NAME, "w") as archive:
        archive.writestr("kern/__init__.py", "")
    assert _codes(tmp_path / _NAME) == ["dist-info"]


@pytest.mark.parametrize(
    "metadata", ["Name: other\nVersion: 1.2\n", "Name: kern\nVersion: 1.3\n", "Name: kern\nVersion: x y\n", ""]
)
def test_metadata_that_says_something_else(tmp_path: Path, metadata: str) -> None:
    assert _codes(write_wheel(tmp_path, metadata=metadata)) == ["metadata"]


@pytest.mark.parametrize(
    "tags",
    [
        (),
        ("cp312-cp312-manylinux_2_17_x86_64",),
        ("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux2014_x86_64", "cp311-cp311-linux_x86_64"),
        ("nonsense",),
        ("a-b-c-d",),
        ("",),
    ],
)
def test_tags_that_differ_from_the_file_name(tmp_path: Path, tags: tuple[str, ...]) -> None:
    assert _codes(write_wheel(tmp_path, tags=tags)) == ["wheel-tags"]


def test_tags_may_be_compressed(tmp_path: Path) -> None:
    assert _codes(write_wheel(tmp_path, tags=("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",))) == []


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("kern-1.2-cp311-cp311-manylinux_2_17_x86_64.whl", ["python-tag"]),
        ("kern-1.2-cp312-cp312-linux_x86_64.whl", ["platform-tag"]),
        ("kern-1.2-cp312-cp312-manylinux_2_17_aarch64.whl", ["platform-tag"]),
        ("kern-1.2-py3-none-any.whl", ["platform-tag"]),
        ("kern-1.2-py3-none-manylinux_2_17_x86_64.whl", []),
        ("kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl", []),
        ("kern-1.2-cp313-abi3-manylinux_2_17_x86_64.whl", ["python-tag"]),
        ("kern-1.2-py3-abi3-manylinux_2_17_x86_64.whl", ["python-tag"]),
        ("kern-1.2-pp310-pypy310_pp73-manylinux_2_17_x86_64.whl", ["python-tag"]),
    ],
)
def test_a_wheel_for_another_python_or_platform(tmp_path: Path, name: str, codes: list[str]) -> None:
    assert _codes(write_wheel(tmp_path, name)) == codes


def test_an_unrepaired_wheel_gets_a_hint(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "kern-1.2-cp312-cp312-linux_x86_64.whl")
    (finding,) = check_wheel(path, Expectation("kern", "1.2", _IDENTIFIER), _auditwheel())
    assert "repair-wheel-command" in finding.hint


@pytest.mark.parametrize(
    ("tag", "codes"),
    [
        ("manylinux_2_5_x86_64", []),
        ("manylinux_2_17_x86_64", []),
        ("manylinux_2_28_x86_64", ["symbols", "symbols"]),
        ("linux_x86_64", ["symbols", "symbols"]),
    ],
)
def test_no_tag_promises_more_than_the_symbols_allow(tmp_path: Path, tag: str, codes: list[str]) -> None:
    assert _codes(write_wheel(tmp_path), runner=_auditwheel(tag)) == codes


@pytest.mark.parametrize(
    ("excluded", "codes"),
    [((), ["symbols", "symbols"]), (("libx.so.*",), []), (("liby.so",), ["symbols", "symbols"])],
)
def test_libraries_that_another_package_provides(tmp_path: Path, excluded: tuple[str, ...], codes: list[str]) -> None:
    shown = {"overall_tag": "linux_x86_64", "sym_tag": "manylinux_2_17_x86_64", "external_libs": {"libx.so.1": None}}
    runner = FakeRunner({"python -m auditwheel show --json": Answer(json.dumps(shown))})
    found = check_wheel(write_wheel(tmp_path), Expectation(excluded=excluded), runner)
    assert [finding.code for finding in found] == codes


def test_what_auditwheel_saw_stands_below(tmp_path: Path) -> None:
    shown = {
        "overall_tag": "linux_x86_64",
        "external_libs": {"libx.so.1": None},
        "versioned_symbols": {"libc.so.6": ["GLIBC_2.34", "GLIBC_2.2.5"]},
    }
    runner = FakeRunner({"python -m auditwheel show --json": Answer(json.dumps(shown))})
    finding = check_wheel(write_wheel(tmp_path), Expectation(), runner)[0]
    assert finding.details == (
        "needs libx.so.1, which is not there and not in the wheel",
        "libc.so.6: GLIBC_2.2.5, GLIBC_2.34",
    )


_MUSL = "kern-1.2-cp312-cp312-musllinux_1_2_x86_64.whl"


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        (_MUSL, []),
        ("kern-1.2-cp310-abi3-musllinux_1_2_x86_64.whl", []),
        ("kern-1.2-cp312-cp312-musllinux_1_2_aarch64.whl", ["platform-tag"]),
        ("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", ["platform-tag", "symbols"]),
        ("kern-1.2-cp312-cp312-linux_x86_64.whl", ["platform-tag"]),
        ("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.musllinux_1_2_x86_64.whl", ["platform-tag", "symbols"]),
    ],
)
def test_a_wheel_for_musl(tmp_path: Path, name: str, codes: list[str]) -> None:
    runner = _auditwheel("musllinux_1_2_x86_64")
    assert _codes(write_wheel(tmp_path, name), identifier="cp312-musllinux_x86_64", runner=runner) == codes


def test_a_wheel_for_musl_is_none_for_glibc(tmp_path: Path) -> None:
    assert _codes(write_wheel(tmp_path, _MUSL), runner=_auditwheel("musllinux_1_2_x86_64")) == ["platform-tag"]


@pytest.mark.parametrize(
    ("tag", "codes"),
    [
        ("musllinux_1_1_x86_64", []),
        ("musllinux_1_2_x86_64", []),
        ("linux_x86_64", ["symbols"]),
        ("manylinux_2_17_x86_64", ["symbols"]),
    ],
)
def test_the_libraries_of_a_wheel_for_musl_are_those_of_a_policy(tmp_path: Path, tag: str, codes: list[str]) -> None:
    path = write_wheel(tmp_path, _MUSL)
    assert _codes(path, identifier="cp312-musllinux_x86_64", runner=_auditwheel(tag)) == codes


def test_a_tag_for_glibc_needs_symbols_of_glibc(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl")
    assert _codes(path, runner=_auditwheel("musllinux_1_2_x86_64")) == ["symbols"]


def test_a_legacy_tag_is_compared_too(tmp_path: Path) -> None:
    name = "kern-1.2-cp312-cp312-manylinux1_x86_64.whl"
    assert _codes(write_wheel(tmp_path, name), runner=_auditwheel("manylinux_2_5_x86_64")) == []
    assert _codes(tmp_path / name, runner=_auditwheel("manylinux_2_12_x86_64")) == ["symbols"]


@pytest.mark.parametrize("answer", [Answer("", 1, "boom"), Answer("{}"), Answer("no json"), Answer("[]"), Answer("1")])
def test_a_wheel_that_auditwheel_cannot_read(tmp_path: Path, answer: Answer) -> None:
    assert _codes(write_wheel(tmp_path), runner=FakeRunner({"python -m auditwheel": answer})) == ["symbols"]


@pytest.mark.parametrize(
    ("wheel", "identifier", "does"),
    [
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp312-manylinux_x86_64", True),
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp311-manylinux_x86_64", True),
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp310-manylinux_x86_64", False),
        ("k-1-cp39-abi3-manylinux_2_17_x86_64.whl", "cp310-manylinux_x86_64", True),
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp313t-manylinux_x86_64", False),
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp312-manylinux_aarch64", False),
        ("k-1-py3-none-manylinux_2_17_x86_64.whl", "cp313t-manylinux_x86_64", True),
        ("k-1-py2.py3-none-manylinux_2_17_x86_64.whl", "cp39-manylinux_x86_64", True),
        ("k-1-py2-none-manylinux_2_17_x86_64.whl", "cp39-manylinux_x86_64", False),
        ("k-1-cp311-cp311-manylinux_2_17_x86_64.whl", "cp312-manylinux_x86_64", False),
        ("k-1-cp311-cp311-manylinux_2_17_x86_64.whl", "cp311-manylinux_x86_64", True),
        ("k-1-py3-abi3-manylinux_2_17_x86_64.whl", "cp312-manylinux_x86_64", False),
        ("k-1-cp3-abi3-manylinux_2_17_x86_64.whl", "cp312-manylinux_x86_64", False),
        ("k-1-cp27-abi3-manylinux_2_17_x86_64.whl", "cp312-manylinux_x86_64", False),
        ("k-1-cp311-abi3-musllinux_1_2_x86_64.whl", "cp312-musllinux_x86_64", True),
        ("k-1-cp311-abi3-musllinux_1_2_x86_64.whl", "cp312-manylinux_x86_64", False),
        ("k-1-cp311-abi3-manylinux_2_17_x86_64.whl", "cp312-musllinux_x86_64", False),
        ("k-1-py3-none-manylinux_2_17_x86_64.musllinux_1_2_x86_64.whl", "cp312-musllinux_x86_64", True),
        ("not a wheel", "cp312-manylinux_x86_64", False),
    ],
)
def test_which_wheels_serve_another_identifier(wheel: str, identifier: str, does: bool) -> None:
    assert serves(wheel, identifier) is does


def test_a_claim_of_the_stable_abi_is_checked(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "kern-1.2-cp310-abi3-manylinux_2_17_x86_64.whl")
    runner = _auditwheel()
    runner.script = {**runner.script, "python -m abi3audit": Answer('{"non_abi3_symbols": ["_Py_X"]}', returncode=1)}
    (finding,) = check_wheel(path, Expectation("kern", "1.2", _IDENTIFIER), runner)
    assert finding.code == "stable-abi"
    assert "_Py_X" in finding.message


def test_other_wheels_are_not_asked_for_the_stable_abi(tmp_path: Path) -> None:
    runner = _auditwheel()
    check_wheel(write_wheel(tmp_path), Expectation("kern", "1.2", _IDENTIFIER), runner)
    assert [line for line in runner.lines if "abi3audit" in line] == []
