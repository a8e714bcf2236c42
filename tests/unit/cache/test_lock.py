from __future__ import annotations

from dataclasses import replace

import pytest

from wheelkiln.cache.lock import Lock, LockedEnvironment, Pin, parse_lock, parse_pins, render_lock
from wheelkiln.errors import ConfigError

_COMPILED = """\
# a comment
numpy==2.2.6 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
    # via -r requires.in
cython @ https://files.example/cython-3.0.tar.gz \\
    --hash=sha256:cc
"""
_ENVIRONMENT = LockedEnvironment(
    python="cp312",
    platform="manylinux_x86_64",
    requires=("cython", "numpy>=2"),
    hooked=("ninja>=1.11",),
    pins=(Pin("cython==3.0", ("sha256:cc",)), Pin("numpy==2.2.6", ("sha256:aa", "sha256:bb"))),
)
_LOCK = Lock("kern", (_ENVIRONMENT, replace(_ENVIRONMENT, python="cp313")))


def test_what_uv_prints_is_read() -> None:
    assert parse_pins(_COMPILED.splitlines()) == (
        Pin("cython @ https://files.example/cython-3.0.tar.gz", ("sha256:cc",)),
        Pin("numpy==2.2.6", ("sha256:aa", "sha256:bb")),
    )


def test_a_requirements_file_is_read_back() -> None:
    assert parse_pins(_ENVIRONMENT.requirements_text.splitlines()) == _ENVIRONMENT.pins


def test_a_lock_survives_its_file() -> None:
    assert parse_lock(render_lock(_LOCK), where="x") == _LOCK


def test_the_text_does_not_depend_on_the_order() -> None:
    assert render_lock(_LOCK) == render_lock(replace(_LOCK, environments=_LOCK.environments[::-1]))


def test_an_environment_is_found_by_python_and_platform() -> None:
    assert _LOCK.find("cp313", "manylinux_x86_64") == _LOCK.environments[1]
    assert _LOCK.find("cp313", "manylinux_aarch64") is None
    assert _LOCK.find("cp310", "manylinux_x86_64") is None


def test_the_digest_is_that_of_what_is_installed() -> None:
    reordered = replace(_ENVIRONMENT, pins=_ENVIRONMENT.pins[::-1], requires=(), hooked=())
    assert reordered.digest == _ENVIRONMENT.digest
    for other in (
        replace(_ENVIRONMENT, python="cp313"),
        replace(_ENVIRONMENT, platform="musllinux_x86_64"),
        replace(_ENVIRONMENT, pins=_ENVIRONMENT.pins[:1]),
        replace(_ENVIRONMENT, pins=(Pin("cython==3.0", ("sha256:dd",)), _ENVIRONMENT.pins[1])),
    ):
        assert other.digest != _ENVIRONMENT.digest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("format = 1\n[[", "not valid TOML"),
        ('project = "kern"\n', "its format is None"),
        ("format = 7\n", "its format is 7"),
        ("format = 1\n", "missing or of another type"),
        ('format = 1\nproject = "kern"\nenvironment = ["x"]\n', "missing or of another type"),
        ('format = 1\nproject = "kern"\n[[environment]]\npython = "cp312"\n', "missing or of another type"),
    ],
)
def test_what_is_no_lock_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_lock(text, where="wheelkiln.lock")
    assert str(caught.value).startswith("wheelkiln.lock cannot be used")
    assert "wheelkiln lock" in caught.value.hint
