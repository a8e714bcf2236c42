"""Reading all that a wheel says of itself for its SBOM; nothing of the wheel is executed."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelkiln.build.sbom import Making, WheelIdentity, make_sbom
from wheelkiln.errors import VerificationError
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.grafted import Shipped, read_shipped
from wheelkiln.verify.record import Record, read_record
from wheelkiln.verify.tags import UNREADABLE
from wheelkiln.verify.variant_label import split_label

__all__ = ["WheelContents", "describe_wheel", "identify_wheel", "read_wheel"]

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_MOST_METADATA_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class WheelContents:
    """making is None where the wheel has no record."""

    identity: WheelIdentity
    shipped: Shipped
    making: Making | None


def read_wheel(path: Path) -> WheelContents:
    """Read a finished wheel; raise VerificationError where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            identity = identify_wheel(archive, path.name, sha256=sha256_of(path))
            shipped = read_shipped(archive)
    except UNREADABLE as error:
        raise VerificationError(f"{path} cannot be read: {error}") from error
    record = read_record(path)
    return WheelContents(identity, shipped, Making.recorded(record) if record else None)


def describe_wheel(wheel: Path, file_name: str, record: Record) -> str:
    """Return the SBOM that a wheel is to carry, which will have that file name and that record."""
    with zipfile.ZipFile(wheel) as archive:
        return make_sbom(identify_wheel(archive, file_name), read_shipped(archive), Making.recorded(record))


def identify_wheel(archive: zipfile.ZipFile, file_name: str, *, sha256: str = "") -> WheelIdentity:
    """Tell a wheel's name, version and licence; raise ValueError where its file name is not a wheel's."""
    if not file_name.isprintable():
        raise ValueError("its file name cannot be printed")
    try:
        name, version, _, _ = parse_wheel_filename(split_label(file_name)[0])
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from error
    return WheelIdentity(file_name, name, str(version), _read_license(archive), sha256)


def _read_license(archive: zipfile.ZipFile) -> str:
    """Return METADATA's License-Expression (PEP 639); the older fields hold anything."""
    found = [entry for entry in archive.infolist() if _METADATA.fullmatch(entry.filename)]
    if len(found) != 1 or found[0].file_size > _MOST_METADATA_BYTES:
        return ""
    raw, _ = parse_email(archive.read(found[0]))
    try:
        return str(canonicalize_license_expression(raw.get("license_expression", "")))
    except InvalidLicenseExpression:
        return ""
