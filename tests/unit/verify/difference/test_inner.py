from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from wheelkiln.verify.difference.bytecode import compare_bytecode
from wheelkiln.verify.difference.inner import ArchiveReadError, compare_archives
from wheelkiln.verify.difference.model import Cause, Difference


def _tar(*, mtime: int = 1, mode: int = 0o644, content: bytes = b"x", names: tuple[str, ...] = ("a",)) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode, info.size = mtime, mode, len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _zip(*, hour: int = 1, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", (2024, 1, 1, hour, 0, 0)), content)
    return file.getvalue()


def _ar(*, mtime: int = 1, content: bytes = b"xy") -> bytes:
    names = f"{'//':<48}{4:<10}`\nab/\n".encode()
    header = f"{'a.o/':<16}{mtime:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return b"!<arch>\n" + names + header + content


def _compare(one: bytes, other: bytes) -> list[Difference]:
    return list(compare_archives(io.BytesIO(one), io.BytesIO(other)))


@pytest.mark.parametrize(
    ("one", "other", "place", "cause"),
    [
        (_tar(), _tar(mtime=2), "a: time", Cause.TIMESTAMP),
        (_tar(), _tar(mode=0o600), "a: mode", Cause.UMASK),
        (_tar(), _tar(content=b"y"), "a: content", None),
        (_tar(names=("a", "b")), _tar(names=("b", "a")), "order of the members", Cause.PARALLEL_ORDER),
        (_tar(names=("a", "b")), _tar(), "b", None),
        (_zip(), _zip(hour=2), "a: time", Cause.TIMESTAMP),
        (_zip(), _zip(content=b"y"), "a: content", None),
        (_ar(), _ar(mtime=2), "a.o/: time", Cause.TIMESTAMP),
        (_ar(), _ar(content=b"xz"), "a.o/: content", None),
    ],
)
def test_archives(one: bytes, other: bytes, place: str, cause: Cause | None) -> None:
    assert [(entry.place, entry.cause) for entry in _compare(one, other)] == [(place, cause)]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04no", b"\x1f\x8bno", _tar()[:-20], _ar()[:-60] + b"x" * 58, gzip.compress(bytes(300 << 20))]
)
def test_what_is_no_archive_or_too_large_is_told(content: bytes) -> None:
    with pytest.raises(ArchiveReadError):
        _compare(content, content)


def _pyc(*, magic: bytes = b"\xa7\r\r\n", flags: int = 0, time: int = 7, code: bytes = b"code") -> bytes:
    return magic + flags.to_bytes(4, "little") + time.to_bytes(4, "little") + bytes(4) + code


@pytest.mark.parametrize(
    ("one", "other", "place", "cause"),
    [
        (_pyc(), _pyc(time=8), "time of the source", Cause.TIMESTAMP),
        (_pyc(), _pyc(magic=b"\xcb\r\r\n"), "magic: another Python", Cause.IMAGE),
        (_pyc(flags=1), _pyc(flags=1, time=8), "hash of the source", Cause.SOURCE),
        (_pyc(code=b"\0/build/one/k.py\0"), _pyc(code=b"\0/build/two/k.py\0"), "code: string", Cause.PATH),
    ],
)
def test_bytecode(one: bytes, other: bytes, place: str, cause: Cause) -> None:
    assert [(entry.place, entry.cause) for entry in compare_bytecode(one, other)] == [(place, cause)]
