"""A wheel's record: what can be used is read, all else is refused by name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.values import make_record
from wheelkiln.build.members import add_members
from wheelkiln.errors import VerificationError
from wheelkiln.verify.record import RECORD_MEMBER, parse_record, read_record, write_record_text


def _changed(*path: Any, value: Any) -> str:
    table = json.loads(write_record_text(make_record()))
    place = table
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps(table)


def test_a_wheels_record_is_what_was_written(tmp_path: Path) -> None:
    record = make_record()
    wheel = add_members(write_wheel(tmp_path), tmp_path / "b.whl", {RECORD_MEMBER: write_record_text(record)})
    assert read_record(wheel) == record
    assert read_record(write_wheel(tmp_path / "c")) is None


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("format",), 2, "its format is 2"),
        (("project",), "../x", "project is not valid"),
        (("identifier",), "cp312-win_amd64", "identifier is not valid"),
        (("source", "file"), "a/b.tar.gz", "source.file is not a file name"),
        (("source", "digest"), "abc", "a digest is not valid"),
        (("source", "commit"), "--upload-pack=x", "source.commit is not valid"),
        (("source", "kind"), "cvs", "source.kind"),
        (("build", "variables"), {"PATH": "x"}, "the name of a variable is not valid"),
        (("build", "requirements", 0, "requirement"), "-r /etc/passwd", "a requirement is not valid"),
        (("build", "requirements", 0, "hashes", 0), "md5:x", "a requirement or its hash is not valid"),
        (("edition", "changes", "patches", 0, "name"), "../p", "a file name of the edition is not valid"),
        (("image", "packages"), "gcc", "image.packages"),
        (("source", "url"), "https://x\n--upload-pack", "source.url is not an address"),
        (("source", "url"), "https://host/k.git", "source.url is not that of a commit"),
        (("image", "name"), "../x", "image.name or image.recipe is not valid"),
        (("build", "configuration"), {"linux": 1}, "build.configuration"),
        (("build", "configuration"), {"overrides": [1]}, "build.configuration"),
        (("build", "configuration"), {"environment": [{"a": None}]}, "build.configuration"),
        (("build", "environment"), {"A B": "x"}, "the name of a variable is not valid"),
    ],
)
def test_what_cannot_be_is_refused(path: tuple[Any, ...], value: Any, words: str) -> None:
    with pytest.raises(VerificationError, match=rf"the record of x.whl cannot be used: {words}"):
        parse_record(_changed(*path, value=value), where="x.whl")


@pytest.mark.parametrize("text", ["", "[", "[]", "null", "[" * 100_000, '"' + "x" * (9 << 20) + '"'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_record(text, where="x.whl")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kern-1.2.dist-info/wheelkiln.json", " " * (7 << 20))
    with pytest.raises(VerificationError, match=r"too large"):
        read_record(wheel)


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(VerificationError, match=r"is not a readable wheel"):
        read_record(tmp_path / "x.whl")
