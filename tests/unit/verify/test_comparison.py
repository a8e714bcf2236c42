from __future__ import annotations

import zipfile
from pathlib import Path

from tests.archives import write_wheel
from wheelkiln.verify.comparison import differing_members


def _wheel(directory: Path, **files: bytes) -> Path:
    return write_wheel(directory, files={f"kern/{name}.so": content for name, content in files.items()})


def test_the_same_wheels(tmp_path: Path) -> None:
    assert differing_members(_wheel(tmp_path / "a", k=b"1"), _wheel(tmp_path / "b", k=b"1")) == ()


def test_members_that_differ_or_are_in_one_only(tmp_path: Path) -> None:
    one, other = _wheel(tmp_path / "a", k=b"1", both=b"x", gone=b""), _wheel(tmp_path / "b", k=b"2", both=b"x", new=b"")
    assert differing_members(one, other) == ("kern/gone.so", "kern/k.so", "kern/new.so")


def _archive(path: Path, mode: int, record: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("kern/tool")
        info.external_attr = mode << 16
        archive.writestr(info, b"#!")
        archive.writestr(zipfile.ZipInfo("kern-1.dist-info/RECORD"), record)
    return path


def test_a_mode_that_differs(tmp_path: Path) -> None:
    one, other = _archive(tmp_path / "a.whl", 0o100644), _archive(tmp_path / "b.whl", 0o100755)
    assert differing_members(one, other) == ("kern/tool",)


def test_a_record_alone(tmp_path: Path) -> None:
    one, other = _archive(tmp_path / "a.whl", 0o100644), _archive(tmp_path / "b.whl", 0o100644, b"x")
    assert differing_members(one, other) == ("kern-1.dist-info/RECORD",)
