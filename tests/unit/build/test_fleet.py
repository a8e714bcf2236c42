"""A run on this machine and two others, which are lost and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.fakes import FakeRunner
from tests.remote_docker import FakeRemoteDocker
from tests.values import make_engine, make_inputs, make_job, make_request
from wheelkiln.build.cores import Cores
from wheelkiln.build.dispatch import run_fleet
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.fleet import Fleet, Patience, Station
from wheelkiln.build.hosts import BuildHost
from wheelkiln.build.job import JobResult
from wheelkiln.build.outcome import Event, Outcome, Said, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.build.schedule import Need, Parallelism, Schedule
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.supply import ImageSupply
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import Worker
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.jobserver import Jobserver

JOBS = tuple(make_job(f"cp3{minor}-manylinux_x86_64") for minor in (10, 11, 12, 13))
ARM = make_job("cp312-manylinux_aarch64")
PATIENCE = Patience()
SERIAL = Need(Parallelism.SERIAL)


class Machines:
    """Engines by the names of their hosts, the user's own without one."""

    def __init__(self, root: Path, **arch: str) -> None:
        self.dockers = {name: FakeRemoteDocker(root / (name or "own")) for name in ("", *arch)}
        self.arch = arch
        self.coming_back: set[str] = set()

    def engine(self, name: str) -> ContainerEngine:
        return make_engine(FakeRunner(self.dockers[name].script()), host=name, elsewhere=bool(name))

    def hosts(self) -> tuple[BuildHost, ...]:
        return tuple(
            BuildHost(name, self.engine(name), arch, Worker(name, frozenset({arch}), slots=2), self.connect(name))
            for name, arch in self.arch.items()
        )

    def connect(self, name: str) -> Callable[[], ContainerEngine]:
        def ask() -> ContainerEngine:
            if name in self.coming_back:
                self.dockers[name].gone = False
            if self.dockers[name].gone:
                raise EnvironmentProblem("no answer")
            return self.engine(name)

        return ask


@dataclass
class Work:
    """Builds in no time, unless something happens to the machine; built says what was built where."""

    fleet: Fleet
    run_dir: Path
    happens: Callable[[str, Job], None] = field(default=lambda _host, _job: None)
    built: dict[str, str] = field(default_factory=dict)
    noted: list[Outcome] = field(default_factory=list)

    def skip(self, job: Job) -> Outcome | None:
        return None

    def prepare_at(self, station: Station, job: Job, cores: Cores) -> Callable[[], JobResult]:
        directory = self.fleet.begin(job, station, self.run_dir)

        def work() -> JobResult:
            self.happens(station.name, job)
            alive = station.engine.answers()
            log = directory / "build.log"
            log.write_text("fine\n" if alive else "Cannot connect to the Docker daemon\n")
            outcome = Outcome(job, Status.BUILT if alive else Status.FAILED, log=log, host=station.name)
            return JobResult(outcome, make_request())

        return work

    def finish(self, result: JobResult) -> Outcome:
        self.built[result.outcome.job.id] = result.outcome.host
        return result.outcome

    def note(self, outcome: Outcome) -> Outcome:
        self.noted.append(outcome)
        return outcome


class Run:
    def __init__(self, root: Path, machines: Machines, patience: Patience = PATIENCE) -> None:
        self.said: list[Event] = []
        request: BuildRequest = make_request(make_inputs(), root=root, engine=machines.engine(""))
        request = replace(request, hosts=machines.hosts())
        supply = ImageSupply({}, root, lambda _: None, lambda *_: pytest.fail("no image is made again"))
        self.run_dir = root / "run"
        self.run_dir.mkdir()
        self.fleet = Fleet(RunRequest((request,)), "run-1", self.run_dir, supply, self.said.append, patience)
        self.work = Work(self.fleet, self.run_dir)

    def __call__(self, *jobs: Job, needs: Need = SERIAL) -> dict[str, Outcome]:
        schedule = Schedule(jobs, 2, needs={job.id: replace(needs, kind=job.namespace) for job in jobs})
        with self.fleet:
            return run_fleet(jobs, self.fleet, (schedule, schedule), Jobserver(2), frozenset(), self.work)

    def told(self) -> str:
        return "\n".join(event.text for event in self.said if isinstance(event, Said))


def test_jobs_are_spread_by_architecture_and_load(tmp_path: Path) -> None:
    run = Run(tmp_path, Machines(tmp_path, attic="x86_64", arm="aarch64"))
    ended = run(*JOBS, ARM)
    assert {outcome.status for outcome in ended.values()} == {Status.BUILT}
    assert run.work.built[ARM.id] == "arm"
    assert {run.work.built[job.id] for job in JOBS} == {"", "attic"}


def test_jobs_that_share_a_cache_stay_together(tmp_path: Path) -> None:
    run = Run(tmp_path, Machines(tmp_path, attic="x86_64"))
    run(*JOBS, needs=Need(Parallelism.TOLD, shares=True))
    assert set(run.work.built.values()) == {""}


def test_the_jobs_of_a_lost_host_are_built_by_another(tmp_path: Path) -> None:
    machines = Machines(tmp_path, attic="x86_64")
    run = Run(tmp_path, machines)

    def die(host: str, _job: Job) -> None:
        if host == "attic":
            machines.dockers["attic"].gone = True

    run.work.happens = die
    ended = run(*JOBS)
    assert {outcome.status for outcome in ended.values()} == {Status.BUILT}
    assert set(run.work.built.values()) == {""}
    assert run.told() == "the host attic does not answer any more: its jobs are built elsewhere, or wait for it"
    assert len({path.name for path in run.run_dir.glob("cp3*")}) > len(JOBS), "each attempt has a directory"


def test_a_job_waits_for_the_only_host_that_can_build_it(tmp_path: Path) -> None:
    machines = Machines(tmp_path, arm="aarch64")
    run = Run(tmp_path, machines, Patience(ask=0.0))
    starts = 0

    def restart(_host: str, _job: Job) -> None:
        nonlocal starts
        starts += 1
        machines.dockers["arm"].gone = starts == 1
        machines.coming_back.add("arm")

    run.work.happens = restart
    ended = run(ARM)
    assert ended[ARM.id].status is Status.BUILT
    assert "the host arm answers again" in run.told()


def test_a_host_that_came_back_is_cleaned_although_it_builds_nothing_more(tmp_path: Path) -> None:
    machines = Machines(tmp_path, arm="aarch64", spare="aarch64")
    run = Run(tmp_path, machines, Patience(ask=0.0))

    def die(host: str, _job: Job) -> None:
        if host == "arm":
            machines.dockers["arm"].gone = True
        else:
            machines.coming_back.add("arm")
            deadline = time.monotonic() + 30
            while "answers again" not in run.told() and time.monotonic() < deadline:
                time.sleep(0.05)

    run.work.happens = die
    assert run(ARM)[ARM.id].host == "spare"
    (arm,) = (station for station in run.fleet.stations if station.name == "arm")
    assert isinstance(arm.engine.runner, FakeRunner)
    assert any("label=io.wheelkiln.run=run-1" in line for line in arm.engine.runner.lines), arm.engine.runner.lines


def test_what_nobody_can_build_any_more_fails_and_the_rest_goes_on(tmp_path: Path) -> None:
    machines = Machines(tmp_path, arm="aarch64")
    run = Run(tmp_path, machines, Patience(comes_back=0.0))

    def die(host: str, _job: Job) -> None:
        machines.dockers["arm"].gone |= host == "arm"

    run.work.happens = die
    ended = run(ARM, *JOBS)
    assert ended[ARM.id].status is Status.FAILED
    assert ended[ARM.id].message == "the host arm builds aarch64, and does not answer"
    assert {ended[job.id].status for job in JOBS} == {Status.BUILT}
    assert [outcome.job.id for outcome in run.work.noted] == [ARM.id]


def test_a_host_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path, Machines(tmp_path, attic="x86_64"))

    def refuse(host: str, _job: Job) -> None:
        if host == "attic":
            raise EnvironmentProblem("no space left on device")

    run.work.happens = refuse
    ended = run(*JOBS)
    assert {outcome.status for outcome in ended.values()} == {Status.BUILT}
    assert set(run.work.built.values()) == {""}
    assert "the host attic is left out: no space left on device" in run.told()


def test_this_machines_own_problem_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, Machines(tmp_path, arm="aarch64"))

    def refuse(host: str, _job: Job) -> None:
        if not host:
            raise EnvironmentProblem("no space left on device")

    run.work.happens = refuse
    with pytest.raises(EnvironmentProblem, match="no space"):
        run(*JOBS)
