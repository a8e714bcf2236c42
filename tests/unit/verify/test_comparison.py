from __future__ import annotations

import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.elf_files import make_elf
from wheelkiln.errors import VerificationError
from wheelkiln.verify.comparison import Comparison, compare_wheels
from wheelkiln.verify.difference.model import Cause, Presence


def _wheel(directory: Path, **files: bytes) -> Path:
    return write_wheel(directory, files={f"kern/{name}.so": content for name, content in files.items()})


def _compare(tmp_path: Path, one: Mapping[str, bytes], other: Mapping[str, bytes]) -> Comparison:
    return compare_wheels(write_wheel(tmp_path / "a", files=one), write_wheel(tmp_path / "b", files=other))


def _first(comparison: Comparison) -> Cause:
    return comparison.causes[0].cause


def test_the_same_wheels(tmp_path: Path) -> None:
    found = compare_wheels(_wheel(tmp_path / "a", k=b"1"), _wheel(tmp_path / "b", k=b"1"))
    assert found.identical
    assert (found.archive, found.members, found.causes) == ((), (), ())


def test_members_that_differ_or_are_in_one_only(tmp_path: Path) -> None:
    one, other = _wheel(tmp_path / "a", k=b"1", both=b"x", gone=b""), _wheel(tmp_path / "b", k=b"2", both=b"x", new=b"")
    found = compare_wheels(one, other)
    assert not found.identical
    assert found.names == ("kern/gone.so", "kern/k.so", "kern/new.so")
    presences = [member.presence for member in found.members if member.name in found.names]
    assert presences == [Presence.FIRST, Presence.BOTH, Presence.SECOND]


def _archive(path: Path, mode: int = 0o100644, record: bytes = b"", *, names: tuple[str, ...] = ("kern/tool",)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"#!")
        archive.writestr(zipfile.ZipInfo("kern-1.dist-info/RECORD"), record)
    return path


def test_a_mode_that_differs(tmp_path: Path) -> None:
    found = compare_wheels(_archive(tmp_path / "a.whl"), _archive(tmp_path / "b.whl", 0o100755))
    assert found.names == ("kern/tool",)
    assert _first(found) is Cause.UMASK
    assert "100644 | 100755" in found.causes[0].evidence[0]


def test_a_record_alone(tmp_path: Path) -> None:
    found = compare_wheels(_archive(tmp_path / "a.whl"), _archive(tmp_path / "b.whl", record=b"x"))
    assert found.names == ("kern-1.dist-info/RECORD",)


def test_members_in_another_order(tmp_path: Path) -> None:
    one = _archive(tmp_path / "a.whl", names=("kern/a", "kern/b", "kern/c"))
    other = _archive(tmp_path / "b.whl", names=("kern/a", "kern/c", "kern/b"))
    found = compare_wheels(one, other)
    assert found.members == ()
    assert [cause.cause for cause in found.causes] == [Cause.MEMBER_ORDER]
    assert "from number 2: kern/b | kern/c" in found.causes[0].evidence[0]


def test_equal_members_in_a_zip_file_that_was_written_otherwise(tmp_path: Path) -> None:
    one = _archive(tmp_path / "a.whl")
    other = tmp_path / "b.whl"
    other.write_bytes(b"#!" + one.read_bytes())  # what stands before an archive belongs to none of its members
    assert [cause.cause for cause in compare_wheels(one, other).causes] == [Cause.ARCHIVE]


def test_another_compression(tmp_path: Path) -> None:
    for name, method in (("a", zipfile.ZIP_STORED), ("b", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(tmp_path / f"{name}.whl", "w", method) as archive:
            archive.writestr(zipfile.ZipInfo("kern/a"), b"x" * 100, method)
    found = compare_wheels(tmp_path / "a.whl", tmp_path / "b.whl")
    assert [cause.cause for cause in found.causes] == [Cause.ARCHIVE]
    assert "method 0 | method 8" in found.causes[0].evidence[0]


@pytest.mark.parametrize(
    ("moment", "cause"),
    [((2024, 3, 1, 13, 30, 0), Cause.LOCALE_TIMEZONE), ((2024, 3, 1, 12, 0, 14), Cause.TIMESTAMP)],
)
def test_times_of_members(tmp_path: Path, moment: tuple[int, int, int, int, int, int], cause: Cause) -> None:
    for name, time in (("a", (2024, 3, 1, 12, 0, 0)), ("b", moment)):
        with zipfile.ZipFile(tmp_path / f"{name}.whl", "w") as archive:
            archive.writestr(zipfile.ZipInfo("kern/a", time), b"x")
            archive.writestr(zipfile.ZipInfo("kern/b", time), b"x")
    found = compare_wheels(tmp_path / "a.whl", tmp_path / "b.whl")
    assert [entry.cause for entry in found.causes] == [cause]
    assert "kern/a and 1 more" in found.archive[0].place


def test_a_record_says_it_best(tmp_path: Path) -> None:
    name = "kern-1.2.dist-info/wheelkiln.json"
    text = '{"build": {"requirements": [{"requirement": "Cython==%s", "hashes": []}]}, "epoch": 5}'
    one = {name: (text % "3.0.11").encode(), "kern/k.txt": b"built 2024-01-01\n"}
    other = {name: (text % "3.1.2").encode(), "kern/k.txt": b"built 2024-01-02\n"}
    found = _compare(tmp_path, one, other)
    assert [cause.cause for cause in found.causes] == [Cause.REQUIREMENT, Cause.TIMESTAMP]
    assert "requirements[Cython].requirement: Cython==3.0.11 | Cython==3.1.2" in found.causes[0].evidence[0]


def test_a_grafted_library_is_paired_by_its_name_without_its_digest(tmp_path: Path) -> None:
    one = {"kern.libs/libz-0123abcd.so.1": b"built 2024-01-01"}
    other = {"kern.libs/libz-89abcdef.so.1": b"built 2024-01-02"}
    found = _compare(tmp_path, one, other)
    assert found.names == ("kern.libs/libz-0123abcd.so.1",)
    assert _first(found) is Cause.TIMESTAMP


def test_other_projects_are_of_another_source(tmp_path: Path) -> None:
    one, other = write_wheel(tmp_path), write_wheel(tmp_path, "other-1.2-py3-none-any.whl")
    assert _first(compare_wheels(one, other)) is Cause.SOURCE


def test_wheel_tells_of_the_backend(tmp_path: Path) -> None:
    member = "kern-1.2.dist-info/WHEEL"
    text = "Wheel-Version: 1.0\nGenerator: setuptools (%s)\nTag: py3-none-any\n"
    for name, version in (("a", "80.9.0"), ("b", "81.0.0")):
        with zipfile.ZipFile(tmp_path / f"{name}.whl", "w") as archive:
            archive.writestr(zipfile.ZipInfo(member), text % version)
    found = compare_wheels(tmp_path / "a.whl", tmp_path / "b.whl")
    assert _first(found) is Cause.REQUIREMENT
    assert found.members[0].differences[0].place == "Generator"


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x05\x06"])
def test_what_is_no_wheel_is_refused(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(content)
    with pytest.raises(VerificationError, match="cannot be read as a wheel"):
        compare_wheels(broken, _wheel(tmp_path))


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    one, other = _wheel(tmp_path / "a", k=b"abc" * 99), _wheel(tmp_path / "b", k=b"abc" * 98 + b"abd")
    with zipfile.ZipFile(other) as archive:
        place = archive.getinfo("kern/k.so").header_offset
    data = bytearray(other.read_bytes())
    data[place + 40 : place + 44] = b"\xff\xff\xff\xff"
    other.write_bytes(data)
    with pytest.raises(VerificationError, match="cannot be"):
        compare_wheels(one, other)


def test_damaged_wheels_end_in_one_way(tmp_path: Path) -> None:
    chance = random.Random(6)  # noqa: S311 - damages, the same in each run
    files = {
        "kern/k.so": make_elf({".comment": b"GCC: (GNU) 14.2.1"}, [("a", b"\xc3")]),
        "kern/k.pyc": bytes(40),
        "kern/k.json": b'{"a": [1, 2, 3]}',
        "kern/k.txt": b"some lines\nof a text\n",
    }
    good = write_wheel(tmp_path / "good", files=files)
    refused = compared = 0
    for _ in range(200):
        data = bytearray(good.read_bytes())
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        bad = tmp_path / "bad.whl"
        bad.write_bytes(data)
        try:
            compare_wheels(good, bad)
            compared += 1
        except VerificationError:
            refused += 1
    assert refused
    assert compared


def test_a_wheel_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    one, other = _wheel(tmp_path / "a", k=b"1"), _wheel(tmp_path / "b", k=b"2")
    data = bytearray(other.read_bytes())
    for place in (index for index in range(len(data)) if data[index : index + 4] == b"PK\x01\x02"):
        data[place + 24 : place + 28] = b"\xfe\xff\xff\xff"
    other.write_bytes(data)
    with pytest.raises(VerificationError, match="more than"):
        compare_wheels(one, other)


def test_of_a_long_line_little_is_shown(tmp_path: Path) -> None:
    line = b"x" * (4 << 20)
    found = _compare(tmp_path, {"kern/a.txt": line + b"1"}, {"kern/a.txt": line + b"2"})
    assert len(found.members[-1].differences[0].one) < 200
