"""Real sdists and wheels, as small as they can be."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_sdist", "write_wheel"]


def write_sdist(
    path: Path, files: Mapping[str, str | bytes], *, root: str = "kern-1.2", mtime: float = 1_600_000_000
) -> Path:
    """Write a tar.gz with the files below root; an empty root leaves their names as they are."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{root}/{name}" if root else name)
            info.size, info.mtime, info.mode = len(content), int(mtime), 0o644
            archive.addfile(info, io.BytesIO(content))
    return path


def write_wheel(
    directory: Path,
    name: str = "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    *,
    metadata: str = "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\nDescription-Content-Type: text/plain\n\nKern.\n",
    tags: tuple[str, ...] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a wheel whose WHEEL file has the tags of its name, unless others are given."""
    parts = name.removesuffix(".whl").split("-")
    distribution, (python, abi, platforms) = "-".join(parts[:2]), parts[-3:]
    inside = tags if tags is not None else tuple(f"{python}-{abi}-{one}" for one in platforms.split("."))
    contents = {
        "kern/__init__.py": b"",
        **({} if files is None else files),
        f"{distribution}.dist-info/METADATA": metadata.encode(),
        f"{distribution}.dist-info/WHEEL": "".join(
            ["Wheel-Version: 1.0\nRoot-Is-Purelib: false\n", *(f"Tag: {tag}\n" for tag in inside)]
        ).encode(),
    }
    record = "".join(f"{member},{_record_hash(content)},{len(content)}\n" for member, content in contents.items())
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in contents.items():
            archive.writestr(zipfile.ZipInfo(member), content)  # of 1980: two writes give one file
        record_name = f"{distribution}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(record_name), f"{record}{record_name},,\n")
    return directory / name


def _record_hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
