from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tests.fakes import FakeRunner
from tests.hostile_wheels import NAME, Entry, wheel_bytes, wheel_entries
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.record_file import BadRecordError, Row, read_record

_INFO = "kern-1.2.dist-info"


def _messages(tmp_path: Path, entries: list[Entry]) -> list[str]:
    path = tmp_path / NAME
    path.write_bytes(wheel_bytes(entries))
    found = check_wheel(path, Expectation(), FakeRunner())
    assert {finding.code for finding in found} <= {"record"}
    return [finding.message for finding in found]


def _record(**changes: str) -> list[Entry]:
    """A good wheel with lines of its RECORD replaced, by the member's last name."""
    entries = wheel_entries()
    text = entries[-1].content.decode()
    lines = [changes.get(line.split(",")[0].rpartition("/")[2].partition(".")[0], line) for line in text.splitlines()]
    return wheel_entries(RECORD="".join(f"{line}\n" for line in lines if line))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digests_that_are_good_enough(tmp_path: Path, algorithm: str) -> None:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, b"").digest()).decode().rstrip("=")
    assert _messages(tmp_path, _record(__init__=f"kern/__init__.py,{algorithm}={digest},0")) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "1 member not listed: kern/__init__.py"),
        ("kern/__init__.py,,", "1 member listed without a digest by SHA-256 or better: kern/__init__.py"),
        ("kern/__init__.py,md5=x,0", "1 member listed without a digest by SHA-256 or better: kern/__init__.py"),
        ("kern/__init__.py,sha256=x,0", "1 member with another digest than RECORD has: kern/__init__.py"),
        ("kern/__init__.py,x,y,z", "RECORD cannot be read: a line has 4 fields, not 3: kern/__init__.py,x,y,z"),
    ],
)
def test_a_line_that_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    assert _messages(tmp_path, _record(__init__=line)) == [message]


def test_a_size_that_is_wrong(tmp_path: Path) -> None:
    good = next(e.content for e in wheel_entries() if e.name.endswith(b"RECORD")).decode().splitlines()[0]
    line = f"{good.rpartition(',')[0]},7"
    assert _messages(tmp_path, _record(__init__=line)) == [
        "1 member with another size than RECORD has: kern/__init__.py"
    ]


def test_record_itself_has_no_digest_and_signatures_need_no_line(tmp_path: Path) -> None:
    assert _messages(tmp_path, [*wheel_entries(), Entry(f"{_INFO}/RECORD.jws".encode(), b"{}")]) == []
    assert _messages(tmp_path, _record(RECORD=f"{_INFO}/RECORD,sha256=x,1")) == [
        f"1 member listed with a digest, which cannot be: {_INFO}/RECORD"
    ]
    assert _messages(tmp_path, _record(RECORD="")) == ["RECORD does not list itself"]


def test_names_with_commas_are_quoted() -> None:
    assert read_record('"a,b",sha256=x,1\n') == (Row("a,b", "sha256=x", "1"),)


@pytest.mark.parametrize("text", ['"a', "a,b", '"' + "a" * 200_000 + '",,'])
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(BadRecordError):
        read_record(text)
