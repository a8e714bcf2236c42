"""The script is made of anybody's record, and its reader runs it: nothing in a record is a command on the host."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.values import make_record
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.reproduce.recipe import render_script
from wheelkiln.source.origin import OriginKind, SourceOrigin
from wheelkiln.verify.record import Record

_HOSTILE = "x'; touch /tmp/owned; '\nEND\ntouch /tmp/owned\n$(touch /tmp/owned)"


def _outside(script: str) -> str:
    """Return what the host's shell reads: the script without the files in it."""
    return re.sub(r"<<'(END_\w+)'\n.*?\n\1\n", "\n", script, flags=re.DOTALL)


def _record(**build: object) -> Record:
    record = make_record()
    return replace(record, edition=None, build=replace(record.build, **build))  # type: ignore[arg-type]


def test_hostile_settings_stay_in_the_container() -> None:
    configuration = {"before-build": _HOSTILE, "repair-wheel-command": _HOSTILE, "environment": {"A": "b"}}
    script = render_script(_record(configuration=configuration), f"{_HOSTILE}.whl")
    assert "touch /tmp/owned" in script
    assert "owned" not in _outside(script)


def test_hostile_images_stay_words() -> None:
    record = _record()
    image = replace(record.image, toolchain=_HOSTILE, inputs={"bases": {"x86_64": _HOSTILE}})
    outside = _outside(render_script(replace(record, image=image), "k.whl"))
    assert {line[:1] for line in outside.splitlines() if "owned" in line} == {"#"}


def test_requirements_are_held_to_their_hashes() -> None:
    script = render_script(_record(), "k.whl")
    assert f"setuptools==84.2.1 --hash=sha256:{'9' * 64}\n" in script
    assert "--require-hashes -r /work/requirements.txt" in script
    assert f"kern==1.2 --hash=sha256:{'e' * 64}" in script


def test_what_is_not_in_the_record_is_said() -> None:
    assert "# The build read CIBW_ENVIRONMENT, TOKEN. The record has no values" in render_script(_record(), "k.whl")


@pytest.mark.parametrize("kind", [OriginKind.DIRECTORY, OriginKind.SDIST])
def test_a_source_that_nobody_else_has_is_asked_for(kind: OriginKind) -> None:
    record = replace(_record(), source=SourceOrigin(kind, "kern", "1.2", "d" * 64))
    assert 'source=${2:?"usage: sh SCRIPT WHEEL SOURCE"}' in render_script(record, "k.whl")


def test_an_edition_asks_for_its_own_sdist() -> None:
    script = render_script(make_record(build=_record().build), "k.whl")
    assert "SOURCE is the changed sdist" in script
    assert "pip download" not in script


@pytest.mark.parametrize(
    "configuration",
    [{"build-verbosity": []}, {"nonsense": 1}, {"environment": "A=$("}, {"overrides": [{"no-selection": 1}]}],
    ids=str,
)
def test_what_cibuildwheel_cannot_read_is_refused(configuration: dict[str, object]) -> None:
    with pytest.raises(VerificationError, match="cibuildwheel cannot read"):
        render_script(_record(configuration=configuration), "k.whl")


def test_an_identifier_that_is_not_known_is_refused() -> None:
    with pytest.raises(VerificationError, match="does not know cp399"):
        render_script(replace(_record(), identifier="cp399-manylinux_x86_64"), "k.whl")


def test_a_machine_has_no_script() -> None:
    record = _record()
    with pytest.raises(UsageProblem, match="built in place"):
        render_script(replace(record, image=replace(record.image, recipe="")), "k.whl")
