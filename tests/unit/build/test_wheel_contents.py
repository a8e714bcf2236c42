from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.records import make_record_value
from wheelkiln.build.sbom import Making
from wheelkiln.build.wheel_contents import identify_wheel, read_wheel
from wheelkiln.cache.lock import Pin
from wheelkiln.errors import VerificationError
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.record import write_record_text

_METADATA = "Metadata-Version: 2.4\nName: kern\nVersion: 1.2\n"


def _license(tmp_path: Path, line: str) -> str:
    with zipfile.ZipFile(write_wheel(tmp_path, metadata=f"{_METADATA}{line}\n")) as archive:
        return identify_wheel(archive, "kern-1.2-cp312-cp312-linux_x86_64.whl").license


def test_a_wheel_tells_who_it_is(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, files={"kern.libs/libz.so.1": b"z"})
    wheel = read_wheel(path)
    assert (wheel.identity.name, wheel.identity.version, wheel.identity.file_name) == ("kern", "1.2", path.name)
    assert wheel.identity.sha256 == sha256_of(path)
    assert [library.name for library in wheel.shipped.libraries] == ["libz.so.1"]
    assert wheel.making is None


def test_a_record_tells_what_a_wheel_was_made_with(tmp_path: Path) -> None:
    record = make_record_value()
    files = {"kern-1.2.dist-info/wheelkiln.json": write_record_text(record).encode()}
    making = read_wheel(write_wheel(tmp_path, files=files)).making
    assert making == Making(
        (
            Pin("cmake==4.1.0", ("sha256:" + "1" * 64,)),
            Pin("numpy==2.2.6", ("sha256:" + "2" * 64, "sha256:" + "3" * 64)),
        ),
        "manylinux_2_28_x86_64",
        "7" * 64,
        "gcc 14.2.1 x86-64-v3",
        "0.1.0",
    )


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("License-Expression: mit or apache-2.0", "MIT OR Apache-2.0"),
        ("License-Expression: as you like it", ""),
        ("License: MIT", ""),
        ("License-Expression:", ""),
    ],
)
def test_the_licence_is_told_where_it_is_an_expression(tmp_path: Path, line: str, expression: str) -> None:
    assert _license(tmp_path, line) == expression


def test_a_labelled_wheel_keeps_its_label_in_the_name_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path)) as archive:
        identity = identify_wheel(archive, "kern-1.2-cp312-cp312-linux_x86_64-x86_64_v4.whl")
    assert (identity.version, identity.file_name) == ("1.2", "kern-1.2-cp312-cp312-linux_x86_64-x86_64_v4.whl")


def test_what_is_no_wheel(tmp_path: Path) -> None:
    broken = tmp_path / "kern-1.2-cp312-cp312-linux_x86_64.whl"
    broken.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(VerificationError, match=r"linux_x86_64\.whl cannot be read: File is not a zip file"):
        read_wheel(broken)
    strange = broken.rename(tmp_path / "kern-1.2-cp312-cp312-linux_x\udc80.whl")
    strange.write_bytes(write_wheel(tmp_path).read_bytes())
    with pytest.raises(VerificationError, match="its file name cannot be printed"):
        read_wheel(strange)
    named = write_wheel(tmp_path).rename(tmp_path / "kern.whl")
    with pytest.raises(VerificationError, match=r"kern\.whl cannot be read: Invalid wheel filename"):
        read_wheel(named)
