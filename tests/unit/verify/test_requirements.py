from __future__ import annotations

import zipfile
from pathlib import Path

from tests.archives import write_wheel
from wheelkiln.verify.requirements import read_requirements


def _read(tmp_path: Path, *lines: str) -> tuple[str, ...]:
    metadata = "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\n" + "".join(
        f"Requires-Dist: {line}\n" for line in lines
    )
    with zipfile.ZipFile(write_wheel(tmp_path, metadata=metadata)) as archive:
        return read_requirements(archive)


def test_requirements_keep_their_markers_and_those_of_extras_go(tmp_path: Path) -> None:
    found = _read(tmp_path, "numpy>=2", 'tomli; python_version < "3.11"', 'torch; extra == "torch"')
    assert found == ("numpy>=2", 'tomli; python_version < "3.11"')


def test_a_place_to_fetch_from_and_options_are_not_followed(tmp_path: Path) -> None:
    assert _read(tmp_path, "evil @ https://files.example/evil-1.tar.gz", "--index-url https://files.example") == ()
