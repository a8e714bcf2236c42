"""Members that a finished wheel is given: RECORD tells of them, and the others are not packed again."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from tests.archives import write_wheel
from wheelkiln.build.members import add_members
from wheelkiln.system.files import sha256_of


def _packed(wheel: Path, entry: zipfile.ZipInfo) -> bytes:
    """The member as it lies in the file, its header left out."""
    content = wheel.read_bytes()
    lengths = content[entry.header_offset + 26 : entry.header_offset + 30]
    begin = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    return content[begin : begin + entry.compress_size]


def test_members_come_before_record_which_tells_of_them(tmp_path: Path) -> None:
    wheel = add_members(write_wheel(tmp_path / "a"), tmp_path / "b.whl", {"one.json": "1\n", "two.json": "22\n"})
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert [name.rpartition("/")[2] for name in archive.namelist()][-3:] == ["one.json", "two.json", "RECORD"]
        lines = archive.read("kern-1.2.dist-info/RECORD").decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"22\n").digest()).rstrip(b"=").decode()
    assert lines[-2:] == [f"kern-1.2.dist-info/two.json,sha256={digest},3", "kern-1.2.dist-info/RECORD,,"]


def test_what_is_there_stays_as_it_is_packed(tmp_path: Path) -> None:
    plain = write_wheel(tmp_path / "a", files={"kern/data.txt": b"again and " * 500})
    packed = tmp_path / "small.whl"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for entry in source.infolist():
            made.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), zipfile.ZIP_DEFLATED, 1)
    wheel = add_members(packed, tmp_path / "b.whl", {"one.json": "{}\n"})
    with zipfile.ZipFile(packed) as before, zipfile.ZipFile(wheel) as after:
        assert after.testzip() is None
        for entry in before.infolist()[:-1]:
            assert _packed(wheel, after.getinfo(entry.filename)) == _packed(packed, entry)


def test_a_member_that_is_there_already_is_replaced(tmp_path: Path) -> None:
    once = add_members(write_wheel(tmp_path / "a"), tmp_path / "once.whl", {"one.json": "old\n"})
    twice = add_members(once, tmp_path / "twice.whl", {"one.json": "new\n"})
    direct = add_members(write_wheel(tmp_path / "c"), tmp_path / "direct.whl", {"one.json": "new\n"})
    assert sha256_of(twice) == sha256_of(direct)


def test_members_written_to_a_stream_are_copied_with_their_descriptors(tmp_path: Path) -> None:
    """A zip that was written to a pipe has sizes behind the data (APPNOTE 4.3.9)."""
    plain, streamed = write_wheel(tmp_path / "a"), tmp_path / "streamed.whl"

    class Pipe:
        def __init__(self) -> None:
            self.content = b""

        def write(self, data: bytes) -> int:
            self.content += data
            return len(data)

        def flush(self) -> None:
            pass

    pipe = Pipe()
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(pipe, "w") as made:  # type: ignore[call-overload]
        for entry in source.infolist():
            made.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))
    streamed.write_bytes(pipe.content)
    wheel = add_members(streamed, tmp_path / "b.whl", {"one.json": "{}\n"})
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert archive.read("kern-1.2.dist-info/one.json") == b"{}\n"
