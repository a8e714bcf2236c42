from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from wheelkiln.build.gathering import Claim, gather_wheels
from wheelkiln.build.outcome import WheelFile
from wheelkiln.errors import VerificationError
from wheelkiln.system.files import sha256_of

_SCRIPT = {"python -m auditwheel show --json": Answer('{"overall_tag": "manylinux_2_17_x86_64"}')}


def _claim(place: Path, python: str = "cp312", content: bytes = b"1") -> Claim:
    """A wheel that lies in place, and what a manifest rightly says of it."""
    name = f"kern-1.2-{python}-{python}-manylinux_2_17_x86_64.whl"
    path = write_wheel(place, name, files={"kern/data": content})
    wheel = WheelFile(name, sha256_of(path), path.stat().st_size)
    return Claim(place, wheel, "kern", "1.2", f"{python}-manylinux_x86_64")


def _gather(*claims: Claim, output: Path, runner: FakeRunner | None = None) -> list[str]:
    gather_wheels(claims, output, runner or FakeRunner(_SCRIPT), width=2)
    return sorted(path.name for path in output.iterdir())


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_wheels_of_all_places_come_together(tmp_path: Path, output: Path) -> None:
    one, two = _claim(tmp_path / "a"), _claim(tmp_path / "b", "cp313")
    assert _gather(one, two, output=output) == [one.wheel.name, two.wheel.name]
    assert sha256_of(output / one.wheel.name) == one.wheel.sha256
    assert (output / one.wheel.name).stat().st_mode & 0o777 == 0o644


def test_equal_wheels_are_checked_once(tmp_path: Path, output: Path) -> None:
    runner = FakeRunner(_SCRIPT)
    _gather(_claim(tmp_path / "a"), _claim(tmp_path / "b"), output=output, runner=runner)
    assert len(runner.calls) == 1


def test_a_wheel_that_is_there_already_is_left_alone_and_checked(tmp_path: Path, output: Path) -> None:
    here, there = _claim(output), _claim(tmp_path / "b")
    before = (output / here.wheel.name).stat()
    runner = FakeRunner(_SCRIPT)
    _gather(here, there, output=output, runner=runner)
    after = (output / here.wheel.name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert runner.calls[0].argv[-1] == str(output / here.wheel.name)


def test_an_older_wheel_of_that_name_is_replaced(tmp_path: Path, output: Path) -> None:
    _claim(output, content=b"old")
    claim = _claim(tmp_path / "a")
    _gather(claim, output=output)
    assert sha256_of(output / claim.wheel.name) == claim.wheel.sha256


def test_what_a_killed_merge_left_goes_away(tmp_path: Path, output: Path) -> None:
    (output / ".wheelkiln-merge-x").mkdir()
    (output / ".wheelkiln-merge-x/kern.whl").touch()
    (output / ".wheelkiln-y.part").touch()
    claim = _claim(tmp_path / "a")
    assert _gather(claim, output=output) == [claim.wheel.name]


def _changed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _missing(path: Path) -> None:
    path.unlink()


def _linked(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_changed, "the manifest says"),
        (_missing, "No such file or directory"),
        (_linked, "symbolic link"),
        (_pipe, "not a regular file"),
        (_directory, "directory"),
    ],
)
def test_nothing_lands_where_one_wheel_is_not_what_its_manifest_says(
    tmp_path: Path, output: Path, damage: Callable[[Path], None], told: str
) -> None:
    good, bad = _claim(tmp_path / "a"), _claim(tmp_path / "b", "cp313")
    damage(bad.place / bad.wheel.name)
    with pytest.raises(VerificationError, match=told) as caught:
        _gather(good, bad, output=output)
    assert str(bad.place / bad.wheel.name) in caught.value.message
    assert list(output.iterdir()) == []


def test_an_equal_wheel_in_another_place_must_be_what_its_manifest_says_too(tmp_path: Path, output: Path) -> None:
    good, bad = _claim(tmp_path / "a"), _claim(tmp_path / "b")
    _changed(bad.place / bad.wheel.name)
    with pytest.raises(VerificationError, match=str(tmp_path / "b")):
        _gather(good, bad, output=output)


def test_the_size_counts(tmp_path: Path, output: Path) -> None:
    claim = _claim(tmp_path / "a")
    with pytest.raises(VerificationError):
        _gather(replace(claim, wheel=replace(claim.wheel, size=1)), output=output)


def test_nothing_lands_where_a_check_fails(tmp_path: Path, output: Path) -> None:
    good = _claim(tmp_path / "a")
    wrong = replace(_claim(tmp_path / "b", "cp313"), identifier="cp311-manylinux_x86_64")
    with pytest.raises(VerificationError, match="the wheel is not for cp311"):
        _gather(good, wrong, output=output)
    assert list(output.iterdir()) == []
    runner = FakeRunner({"python -m auditwheel show --json": Answer('{"overall_tag": "manylinux_2_34_x86_64"}')})
    with pytest.raises(VerificationError, match="promises more than its symbols allow"):
        _gather(good, output=output, runner=runner)
    assert list(output.iterdir()) == []


def test_many_faults_are_counted(tmp_path: Path, output: Path) -> None:
    claims = []
    for number in range(30):
        claim = _claim(tmp_path / str(number))
        claims.append(replace(claim, wheel=replace(claim.wheel, sha256="a" * 64)))
    with pytest.raises(VerificationError) as caught:
        _gather(*claims, output=output)
    assert caught.value.message.splitlines()[-1] == "  and 10 more"
