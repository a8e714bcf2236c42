from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fakes import FakeRunner
from tests.remote_docker import FakeRemoteDocker
from tests.values import make_engine
from wheelkiln.build.host_leftovers import clean_engine, remove_run
from wheelkiln.build.runs import owner_of
from wheelkiln.cache.presence import run_lock
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.locks import exclusive

NOW = time.mktime(time.strptime("20260102T120000", "%Y%m%dT%H%M%S"))


class Host:
    """An engine elsewhere with what runs of one cache directory left there."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        (self.cache / "runs").mkdir(parents=True)
        self.docker = FakeRemoteDocker(root / "docker")
        self.engine: ContainerEngine = make_engine(FakeRunner(self.docker.script()), elsewhere=True)
        self.owner = owner_of(self.cache)

    def leave(self, when: str, *, here: bool = True, owner: str = "") -> str:
        run_id = f"{owner or self.owner}-{when}-1-aa"
        if here:
            (self.cache / "runs" / run_id).mkdir()
        self.docker.containers[run_id] = {}
        self.docker.labels[run_id] = f"io.wheelkiln.run={run_id}"
        self.docker.volumes[f"job-of-{run_id}"] = {"io.wheelkiln.run": run_id}
        return run_id

    def environment(self, name: str, run_id: str, *, made: float = NOW, holds: str = "") -> None:
        self.docker.volumes[name] = {
            "io.wheelkiln.environments": self.owner,
            "io.wheelkiln.made": f"{made:.0f}",
            "io.wheelkiln.made-by": run_id,
            **({"io.wheelkiln.holds": holds} if holds else {}),
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_dead_runs_left_goes_and_caches_stay(host: Host) -> None:
    host.leave("20260102T110000")
    alive = host.leave("20260102T115900")
    others = host.leave("20260102T110000", owner="ffffffff")
    host.docker.volumes["wheelkiln-x-ccache"] = {"io.wheelkiln.cache": host.owner}
    with exclusive(host.cache / "locks", run_lock(alive), on_wait=lambda: None):
        clean_engine(host.engine, host.cache, NOW)
    assert set(host.docker.containers) == {alive, others}
    assert set(host.docker.volumes) == {f"job-of-{alive}", f"job-of-{others}", "wheelkiln-x-ccache"}


def test_runs_of_another_machine_go_when_they_are_a_day_old(host: Host) -> None:
    host.leave("20260101T115900", here=False)
    young = host.leave("20260101T120100", here=False)
    clean_engine(host.engine, host.cache, NOW)
    assert set(host.docker.containers) == {young}


def test_environments_that_were_not_finished_go(host: Host) -> None:
    run_id = host.leave("20260102T110000")
    host.environment("half", run_id)
    host.environment("whole", run_id)
    host.environment("pointer", run_id, holds="whole")
    host.environment("old", run_id, made=NOW - 15 * 24 * 3600, holds="whole")
    clean_engine(host.engine, host.cache, NOW)
    assert set(host.docker.volumes) == {"whole", "pointer"}


def test_a_run_removes_its_own_at_its_end(host: Host) -> None:
    one, two = host.leave("20260102T110000"), host.leave("20260102T110001")
    remove_run(host.engine, one)
    assert set(host.docker.containers) == {two}
    assert set(host.docker.volumes) == {f"job-of-{two}"}
