from __future__ import annotations

import pytest

from tests.values import make_facts
from wheelkiln.plan.backends import Backend, known_backend


def _known(backend: str, *requires: str) -> Backend:
    listed = ", ".join(f'"{name}"' for name in requires)
    system = f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n'
    return known_backend(make_facts(f'{system}[project]\nname = "kern"\nversion = "1.2"\n'))


@pytest.mark.parametrize("backend", ["scikit_build_core.build", "mesonpy", "py_build_cmake.build"])
def test_cmake_and_meson_choose_their_own_flags_and_ninja_compiles(backend: str) -> None:
    assert (_known(backend).interpreter_flags, _known(backend).runs_ninja, _known(backend).serial) == (
        False,
        True,
        False,
    )


def test_those_that_build_at_a_random_place_are_given_one() -> None:
    settings = [
        _known(name).build_dir_setting for name in ("scikit_build_core.build", "mesonpy", "setuptools.build_meta")
    ]
    assert settings == ["build-dir", "build-dir", ""]


def test_nothing_tells_mesons_ninja_a_number() -> None:
    assert not _known("mesonpy").takes_number
    assert _known("scikit_build_core.build").takes_number


@pytest.mark.parametrize(
    ("requires", "serial"), [((), True), (("numpy",), True), (("Ninja>=1",), False), (("::",), True)]
)
def test_setuptools_compiles_one_file_at_a_time_unless_it_calls_something(
    requires: tuple[str, ...], serial: bool
) -> None:
    assert _known("setuptools.build_meta", "setuptools", *requires).serial is serial


def test_of_others_nothing_is_known() -> None:
    assert _known("poetry.core.masonry.api") == Backend()
