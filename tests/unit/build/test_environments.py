from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.values import make_facts, make_host, make_inputs, make_request
from wheelkiln.build.environment_container import EnvironmentFailedError
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.environments import environment_directory, known_environment, prune_environments
from wheelkiln.build.request import BuildRequest, JobEnvironment
from wheelkiln.cache.lock import Lock, LockedEnvironment, Pin
from wheelkiln.config.remote import parse_remote
from wheelkiln.errors import DriftError

_FACTS = make_facts(
    '[project]\nname = "kern"\nversion = "1.2"\n[build-system]\nrequires = ["numpy", "cython"]\nbuild-backend = "b"\n'
)


def _request(tmp_path: Path, fake: FakeCibuildwheel, table: Any = None, **changes: Any) -> BuildRequest:
    inputs = make_inputs({"python": ["cp312", "cp313"], **(table or {})}, facts=_FACTS, host=make_host())
    return make_request(inputs, FakeRunner(fake.script()), tmp_path, **changes)


def _make(tmp_path: Path, request: BuildRequest, number: int = 0, **options: Any) -> JobEnvironment:
    with EnvironmentMaker("run-1", tmp_path / "run") as maker:
        return maker.make(request, request.plan.jobs[number], **options)


def test_the_backend_is_asked_once_for_each_source_and_python(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake)
    job = request.plan.jobs[0]
    assert known_environment(request, job) is None
    made = _make(tmp_path, request)
    assert made.locked == known_environment(request, job)
    assert made.locked.requires == ("cython", "numpy")
    assert made.directory.is_dir()
    make, ask = fake.environments
    assert make.argv[-4:] == ("wheelkiln-environment", "make", "cp312", "/opt/wheelkiln/mnt/job/pins.txt")
    assert ask.argv[-4:] == ("wheelkiln-environment", "ask", "cp312", "/opt/wheelkiln/mnt/source.tar.gz")
    assert _make(tmp_path, request) == made
    assert len(fake.environments) == 2


def test_the_backend_is_asked_again_when_what_decides_it_changed(tmp_path: Path) -> None:
    request = _request(tmp_path, FakeCibuildwheel())
    job = request.plan.jobs[0]
    _make(tmp_path, request)
    code_changed = replace(request.source, digest="e" * 64)
    assert known_environment(replace(request, source=code_changed), job) is not None
    facts = replace(request.source.facts, backend_inputs="other")
    assert known_environment(replace(request, source=replace(code_changed, facts=facts)), job) is None
    anything = replace(request.source.facts, backend_inputs="")
    unsure = replace(request, source=replace(request.source, facts=anything))
    assert known_environment(unsure, job) is None
    _make(tmp_path, unsure)
    assert known_environment(unsure, job) is not None
    assert known_environment(replace(unsure, source=replace(code_changed, facts=anything)), job) is None


def test_what_the_backend_asks_for_is_installed_as_well(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(hooked=("ninja>=1.11",))
    request = _request(tmp_path, fake)
    made = _make(tmp_path, request)
    assert made.locked.hooked == ("ninja>=1.11",)
    assert made == JobEnvironment(made.locked, environment_directory(request, request.plan.jobs[0], made.locked))
    assert (
        tmp_path / f"run/environments/{request.plan.jobs[0].id}/mount/pins.txt"
    ).read_text() == "setuptools==80.9.0 --hash=sha256:aa\n"


def test_a_lock_is_what_counts(tmp_path: Path) -> None:
    locked = LockedEnvironment("cp312", "manylinux_x86_64", ("cython", "numpy"), (), (Pin("numpy==1", ("sha256:1",)),))
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake, lock=Lock("kern", (locked,)))
    assert known_environment(request, request.plan.jobs[0]) == locked
    made = _make(tmp_path, request)
    assert made.locked == locked
    assert ["ask" in call.argv for call in fake.environments] == [False], "the lock says what the backend asks for"
    with pytest.raises(DriftError, match="has no environment for cp313"):
        known_environment(request, request.plan.jobs[1])
    stale = replace(request, lock=Lock("kern", (replace(locked, requires=("numpy",)),)))
    with pytest.raises(DriftError, match="was made for other build requirements"):
        known_environment(stale, request.plan.jobs[0])


def test_the_container_that_makes_it_may_write_to_it_and_jobs_may_not(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake)
    made = _make(tmp_path, request)
    (mount,) = (part for part in fake.environments[0].argv if "target=/tmp/wheelkiln/env" in part)
    assert f"source={made.directory}-run-1.part" in mount
    assert "readonly" not in mount
    assert not Path(f"{made.directory}-run-1.part").exists()
    (asking,) = (part for part in fake.environments[1].argv if "target=/tmp/wheelkiln/env" in part)
    assert asking.endswith(",readonly"), "the project's code runs when the backend is asked"
    targets = [
        [part.partition("target=/opt/wheelkiln/mnt/")[2] for part in call.argv if "target=/opt/wheelkiln/mnt/" in part]
        for call in fake.environments
    ]
    assert targets == [["uv", "job"], ["job", "source.tar.gz,readonly"]]


def test_those_that_are_expected_are_made_ahead(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake)
    with EnvironmentMaker("run-1", tmp_path / "run") as maker:
        for job in request.plan.jobs:
            maker.expect(request, job)
        made = [maker.get(request, job).locked.python for job in request.plan.jobs]
        assert made == ["cp312", "cp313"]
        assert "wheelkiln: installed" not in maker.lines(request.plan.jobs[0])
        assert "made" in maker.lines(request.plan.jobs[0])
    assert len(fake.environments) == 4


def test_a_failure_after_everything_was_installed_is_none(tmp_path: Path) -> None:
    """What is left then is bytecode."""

    def make(call: Call) -> Answer:
        return (
            Answer("wheelkiln: the backend asks for []\n")
            if "ask" in call.argv
            else Answer("wheelkiln: installed\n", returncode=1)
        )

    request = _request(tmp_path, FakeCibuildwheel())
    assert isinstance(request.engine.runner, FakeRunner)
    request.engine.runner.script = {**request.engine.runner.script, "docker run": make}
    assert _make(tmp_path, request).directory.is_dir()


def test_an_answer_counts_whatever_becomes_of_its_container(tmp_path: Path) -> None:
    def make(call: Call) -> Answer:
        asked = "ask" in call.argv
        said = "wheelkiln: the backend asks for []" if asked else "wheelkiln: installed"
        return Answer(f"{said}\n", returncode=1 if asked else 0)

    request = _request(tmp_path, FakeCibuildwheel())
    assert isinstance(request.engine.runner, FakeRunner)
    request.engine.runner.script = {**request.engine.runner.script, "docker run": make}
    assert _make(tmp_path, request).directory.is_dir()


def test_a_backend_that_does_not_answer(tmp_path: Path) -> None:
    def make(call: Call) -> Answer:
        return Answer("[]\n") if "ask" in call.argv else Answer("wheelkiln: installed\n")

    request = _request(tmp_path, FakeCibuildwheel())
    assert isinstance(request.engine.runner, FakeRunner)
    request.engine.runner.script = {**request.engine.runner.script, "docker run": make}
    with pytest.raises(EnvironmentFailedError) as failed:
        _make(tmp_path, request)
    assert failed.value.lines == ("[]",)


def test_one_that_is_known_but_was_removed_is_made_again(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    request = _request(tmp_path, fake)
    made = _make(tmp_path, request)
    made.directory.rmdir()
    assert _make(tmp_path, replace(request, environments={request.plan.jobs[0].id: made})) == made
    mounts = [part for part in fake.environments[-1].argv if "target=/tmp/wheelkiln/env" in part]
    assert len(mounts) == 1, mounts
    assert made.directory.is_dir()


@pytest.mark.parametrize(
    ("network", "offline", "given"),
    [("default", False, None), ("none", False, None), ("host", False, "host"), ("host", True, "none")],
)
def test_the_network_of_the_container_that_makes_it(
    tmp_path: Path, network: str, offline: bool, given: str | None
) -> None:
    """A hermetic build still gets its environment from the index, unless nothing is to be asked."""
    fake = FakeCibuildwheel()
    _make(tmp_path, _request(tmp_path, fake, {"container": {"network": network}}, offline=offline))
    networks = [part.partition("=")[2] for part in fake.environments[0].argv if part.startswith("--network=")]
    assert networks == ([given] if given else [])
    assert f"--env=UV_OFFLINE={1 if offline else 0}" in fake.environments[0].argv


def test_a_read_only_job_makes_its_own_and_uses_what_is_there(tmp_path: Path) -> None:
    fake = FakeCibuildwheel()
    sealed = _request(tmp_path, fake, {"cache": {"mode": "read-only"}}, remote=parse_remote("redis://:hunter2@h"))
    with EnvironmentMaker("run-1", tmp_path / "run") as maker:
        own = maker.make(sealed, sealed.plan.jobs[0])
        assert own.directory.parent == tmp_path / "run/own-environments"
        assert own.directory.is_dir()
    assert not own.directory.exists()
    assert list((tmp_path / "cache").glob("environments/*")) == []
    assert known_environment(sealed, sealed.plan.jobs[0]) is None, "it keeps no answer of a backend"
    assert not any("WHEELKILN_REMOTE_STORAGE" in call.line for call in fake.environments)

    shared = _make(tmp_path, _request(tmp_path, FakeCibuildwheel()))
    fake.environments.clear()
    assert _make(tmp_path, sealed).directory == shared.directory
    assert fake.environments == []


def test_a_failure_leaves_nothing_and_keeps_what_was_said(tmp_path: Path) -> None:
    def fail(_: Call) -> Answer:
        return Answer("error: Hash mismatch for numpy\n", returncode=1)

    request = _request(tmp_path, FakeCibuildwheel())
    assert isinstance(request.engine.runner, FakeRunner)
    request.engine.runner.script = {**request.engine.runner.script, "docker run": fail}
    with pytest.raises(EnvironmentFailedError) as caught:
        _make(tmp_path, request)
    assert caught.value.lines == ("error: Hash mismatch for numpy",)
    assert list((tmp_path / "cache/environments").iterdir()) == []
    assert known_environment(request, request.plan.jobs[0]) is None


def test_another_image_or_user_has_another_environment(tmp_path: Path) -> None:
    request = _request(tmp_path, FakeCibuildwheel())
    job = request.plan.jobs[0]
    locked = _make(tmp_path, request).locked
    moved = replace(request.plan, references=dict.fromkeys(request.plan.references, "other:1"))
    as_root = _request(tmp_path, FakeCibuildwheel(), {"container": {"user": "root"}})
    places = {environment_directory(entry, job, locked) for entry in (request, replace(request, plan=moved), as_root)}
    assert len(places) == 3


def test_what_nobody_uses_is_removed(tmp_path: Path) -> None:
    places = {name: tmp_path / "environments" / name for name in ("used", "unused", "dead-run.part", "live-run.part")}
    for path in places.values():
        path.mkdir(parents=True)
    now = 100 * 24 * 3600.0
    ages = {"used": 3600, "unused": 15 * 24 * 3600, "dead-run.part": 7 * 3600, "live-run.part": 60}
    for name, age in ages.items():
        os.utime(places[name], (now - age, now - age))
    prune_environments(tmp_path, now)
    assert {name for name, path in places.items() if path.exists()} == {"used", "live-run.part"}
