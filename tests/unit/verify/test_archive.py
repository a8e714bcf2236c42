"""Archives as real programs write them are read; tests of what is refused are in test_hostile."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from wheelkiln.verify.archive import check_archive, open_archive
from wheelkiln.verify.zip_model import Limits

_CONTENTS = {"a/one.py": b"print()\n" * 400_000, "a/two.bin": bytes(range(256)) * 8, "a/empty": b""}


class _Stream(io.RawIOBase):
    """A file that cannot be sought in, so that sizes follow the data."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._file.write(data)  # type: ignore[arg-type]


def _write(path: Path, method: int, *, streamed: bool, zip64: bool) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(_Stream(memory) if streamed else memory, "w", method) as archive:
        archive.writestr("a/", b"")
        for name, content in _CONTENTS.items():
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(content)
    path.write_bytes(memory.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("zip64", [False, True])
def test_contents(tmp_path: Path, method: int, streamed: bool, zip64: bool) -> None:
    path = tmp_path / "a.whl"
    _write(path, method, streamed=streamed, zip64=zip64)
    with open_archive(path, Limits(ratio=10_000)) as archive:
        read = {name: archive.read(member, 1 << 24) for name, member in archive.members.items() if name != "a/"}
        assert read == _CONTENTS
        assert list(check_archive(archive)) == []
        assert max(len(chunk) for chunk in archive.chunks(archive.members["a/one.py"])) <= 1 << 20
