"""Adding members to a finished wheel: what is in it stays as it is, byte for byte, and RECORD tells of the new ones."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO

__all__ = ["add_members"]

_RECORD = ".dist-info/RECORD"


def add_members(wheel: Path, target: Path, texts: Mapping[str, str]) -> Path:
    """Write a copy of a wheel with members of these names in its .dist-info, the same for the same input.

    One that is there already is replaced.

    What was packed elsewhere is not packed again, and new members are stored: zlib and its replacements compress
    differently, and a wheel must not tell which one this machine has. Return target.
    """
    with zipfile.ZipFile(wheel) as plain, wheel.open("rb") as raw, zipfile.ZipFile(target, "w") as made:
        (record,) = [entry for entry in plain.infolist() if entry.filename.endswith(_RECORD)]
        members = {record.filename.replace("RECORD", name): text.encode() for name, text in texts.items()}
        _copy_others(plain, raw, made, {record.filename, *members})
        made.comment = plain.comment
        content = plain.read(record)
        for name, text in members.items():
            made.writestr(_like(record, name), text)
            content = _with_line(content, name, text)
        made.writestr(_like(record, record.filename), content)
    return target


def _copy_others(plain: zipfile.ZipFile, raw: BinaryIO, made: zipfile.ZipFile, without: set[str]) -> None:
    """Copy the members but some in their packed form; each reaches to where the next one begins."""
    order = sorted(plain.infolist(), key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in order[1:]), plain.start_dir]
    out = made.fp
    assert out is not None
    for entry, end in zip(order, ends, strict=True):
        if entry.filename in without:
            continue
        raw.seek(entry.header_offset)
        entry.header_offset, size = out.tell(), end - entry.header_offset
        _copy(raw, out, size)
        made.filelist.append(entry)
        made.NameToInfo[entry.filename] = entry
    made.start_dir = out.tell()


def _copy(source: BinaryIO, target: IO[bytes], size: int) -> None:
    while size > 0:
        chunk = source.read(min(size, 1 << 20))
        if not chunk:
            raise EOFError("the wheel ends within a member")
        target.write(chunk)
        size -= len(chunk)


def _like(entry: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, entry.date_time)
    made.external_attr, made.compress_type = entry.external_attr, zipfile.ZIP_STORED
    return made


def _with_line(record: bytes, name: str, content: bytes) -> bytes:
    """Put a member before RECORD's own line (PEP 427: signed wheel files)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"{name},sha256={digest},{len(content)}\n".encode()
    lines = [entry for entry in record.splitlines(keepends=True) if not entry.startswith(f"{name},".encode())]
    own = next((index for index, entry in enumerate(lines) if b".dist-info/RECORD," in entry), len(lines))
    return b"".join([*lines[:own], line, *lines[own:]])
