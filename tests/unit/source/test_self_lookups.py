from __future__ import annotations

from pathlib import Path

import pytest

from tests.archives import write_sdist
from wheelkiln.source.self_lookups import find_self_lookups
from wheelkiln.source.tarball import open_tree


def _found(tmp_path: Path, text: str, path: str = "src/kern_el/__init__.py") -> list[str]:
    with open_tree(write_sdist(tmp_path / "k.tar.gz", {path: text}), tmp_path) as tree:
        return find_self_lookups(tree, "Kern-el")


@pytest.mark.parametrize(
    "call",
    [
        "importlib.metadata.version('kern_el')",
        "metadata('Kern.El')['Name']",
        "version(__name__)",
        "version(__package__)",
        "pkg_resources.get_distribution('kern-el').version",
    ],
)
def test_a_call_that_names_the_project_is_found(tmp_path: Path, call: str) -> None:
    assert _found(tmp_path, f"PATTERN = '\\d metadata'\nV = {call}\n") == ["src/kern_el/__init__.py:2"]


@pytest.mark.parametrize(
    "text",
    ["# metadata\nversion('numpy')\n", "metadata.version()\n", "metadata version(", "version('kern-el')\n", ""],
    ids=["another project", "no argument", "no Python", "no metadata", "empty"],
)
def test_other_code_is_not(tmp_path: Path, text: str) -> None:
    assert _found(tmp_path, text) == []


def test_the_module_of_another_package_has_another_name(tmp_path: Path) -> None:
    assert _found(tmp_path, "import importlib.metadata\nmetadata.version(__name__)\n", "src/other/__init__.py") == []


def test_setup_py_is_no_part_of_what_is_installed(tmp_path: Path) -> None:
    assert _found(tmp_path, "# metadata\nversion('kern-el')\n", "setup.py") == []
