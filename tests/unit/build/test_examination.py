from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.unit.cache.test_evidence import write_debug, write_log
from tests.values import inspected_image, make_inputs, make_request
from wheelkiln.build.examination import examine_job
from wheelkiln.build.outcome import Event
from wheelkiln.build.request import BuildRequest
from wheelkiln.cache.causes import Cause
from wheelkiln.cache.doctor import diagnose
from wheelkiln.errors import BuildError


def make_examined(root: Path, fake: FakeCibuildwheel) -> BuildRequest:
    runner = FakeRunner({"docker ps": Answer(""), "docker image inspect": Answer(inspected_image()), **fake.script()})
    return make_request(make_inputs({"python": ["cp312"]}), runner, root)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_two_builds_are_compared_and_leave_what_is_the_users_alone(tmp_path: Path) -> None:
    mounts: list[str] = []

    def compile_once(call: Call) -> None:
        """Do what ccache does: log the call, and write what it hashed into the directory that is mounted for that."""
        job_dir = Path(call.option("--output-dir")).parent
        text = Path(call.option("--config-file")).read_text()
        (ours,) = tomllib.loads(text)["tool"]["cibuildwheel"]["overrides"]
        arguments = ours["container-engine"]["create-args"]
        mounts.extend(word for word in arguments if word.endswith(("mnt/inputs", "mnt/ccache")) and "--mount" in word)
        number = len(fake.built)
        log = write_log(job_dir / "mount/ccache-calls.log", "")
        log.write_text(log.read_text().replace("Result key: r", f"Result key: r{number}"))
        place = next(argument for argument in arguments if "mnt/inputs" in argument)
        inputs = Path(place.partition("source=")[2].partition(",")[0])
        write_debug(inputs, f"20260101_000000_{number:06}", "", f"int x = {number};")

    fake = FakeCibuildwheel(during=compile_once)
    request = make_examined(tmp_path, fake)
    events: list[Event] = []
    found = examine_job(request, request.plan.jobs[0], events.append, lambda _: None)
    (diagnosis,) = diagnose(found.latest, found.previous, found.differences)
    assert (diagnosis.cause, diagnosis.units) == (Cause.GENERATED_HEADER, ("a.c",))
    assert diagnosis.detail == "gen/t.h: int x = 1; -> int x = 2;"
    assert len(mounts) == 4
    assert len({mount for mount in mounts if "mnt/ccache" in mount}) == 1, (
        "the second build finds what the first stored"
    )
    assert all("examination/" in mount for mount in mounts)
    left = files(tmp_path)
    assert not any(name.endswith(".whl") or "/calls/" in name or "examination/" in name for name in left)
    assert "cache/ledger.sqlite" not in left


def test_a_build_that_compiles_nothing_is_told(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(broken=frozenset({"cp312-manylinux_x86_64"}))
    request = make_examined(tmp_path, fake)
    with pytest.raises(BuildError, match="ended before it compiled anything"):
        examine_job(request, request.plan.jobs[0], lambda _: None, lambda _: None)
    assert not any("examination/" in name for name in files(tmp_path))
