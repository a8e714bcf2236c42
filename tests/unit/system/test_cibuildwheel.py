from __future__ import annotations

from importlib import metadata

import pytest

from wheelkiln.system.cibuildwheel import matches_selector, read_cibuildwheel


def test_the_installed_cibuildwheel_is_read() -> None:
    facts = read_cibuildwheel()
    assert facts.version == metadata.version("cibuildwheel")
    assert "cp312-manylinux_x86_64" in facts.identifiers
    assert "cp312-manylinux_aarch64" in facts.identifiers
    assert not [identifier for identifier in facts.identifiers if "linux" not in identifier]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_images_are_pinned_by_digest(arch: str) -> None:
    pinned = read_cibuildwheel().images[arch]["manylinux_2_28"]
    assert f"/pypa/manylinux_2_28_{arch}@sha256:" in pinned
    assert "@sha256:" in pinned or ":20" in pinned


def test_options_and_groups_come_from_its_schema() -> None:
    facts = read_cibuildwheel()
    assert {"before-all", "container-engine", "repair-wheel-command", "test-command"} <= facts.options
    assert "select" not in facts.options
    assert "cpython-prerelease" in facts.enable_groups


@pytest.mark.parametrize(
    ("patterns", "identifier", "matches"),
    [
        ("*", "cp312-manylinux_x86_64", True),
        ("", "cp312-manylinux_x86_64", False),
        ("cp31{1,2}-*", "cp312-manylinux_x86_64", True),
        ("cp31{1,2}-*", "cp310-manylinux_x86_64", False),
        ("pp* *-musllinux_*", "cp312-musllinux_x86_64", True),
        ("cp312", "cp312-manylinux_x86_64", False),
    ],
)
def test_selectors_are_globs_with_braces(patterns: str, identifier: str, matches: bool) -> None:
    assert matches_selector(patterns, identifier) is matches
