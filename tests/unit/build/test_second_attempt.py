"""Jobs that their engine breaks off for a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeCibuildwheel, FakeRunner
from tests.unit.build.test_hiccups import INIT
from tests.values import make_inputs, make_request
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.job import run_job
from wheelkiln.build.outcome import Event, Outcome, Said, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.cache.statistics import CompileStatistics

_COPYING = "Command ['docker', 'exec', '-i', 'c', 'tar', '-x'] failed with code 126. "


@dataclass
class Shaky:
    """An engine that breaks off the first calls of cibuildwheel, or of the container that makes the environment."""

    root: Path
    builds: int = 0
    environments: int = 0
    answers: int = 0
    fake: FakeCibuildwheel = field(default_factory=FakeCibuildwheel)
    seen: list[list[str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = FakeRunner(
            {
                **self.fake.script(),
                "python -m cibuildwheel": self._build,
                "docker run": self._environment,
                "docker ps": Answer(returncode=self.answers),
                "docker rm": Answer(),
                "docker inspect": Answer(returncode=1),
            }
        )

    def request(self) -> BuildRequest:
        (self.root / "wheelhouse").mkdir(exist_ok=True)
        return make_request(make_inputs({"python": ["cp312"]}), self.runner, self.root)

    def run(self) -> Outcome:
        request, job_dir = self.request(), self.root / "run/job"
        job_dir.mkdir(parents=True)
        maker = EnvironmentMaker("run-1", self.root)
        return run_job(request, request.plan.jobs[0], job_dir, maker, self.events.append).outcome

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Said)]

    def _build(self, call: Call) -> Answer:
        job_dir = Path(call.option("--output-dir")).parent
        self.seen.append(sorted(str(path.relative_to(job_dir)) for path in job_dir.rglob("*")))
        if len(self.seen) > self.builds:
            return self.fake.build(call)
        (job_dir / "wheels").mkdir()
        (job_dir / "wheels/half-1-cp312-cp312-linux_x86_64.whl").touch()
        (job_dir / "tmp/left").touch()
        (job_dir / "container-id").write_text("c0ffee")
        (job_dir / "mount/ccache.log").write_text("# a.c\ncache_miss\n")
        return Answer(f"Starting container image x...\n{INIT}\n{_COPYING}\n", returncode=1)

    def _environment(self, call: Call) -> Answer:
        self.environments -= 1
        if self.environments >= 0:
            return Answer(f"docker: Error response from daemon: {INIT}\n", returncode=126)
        return self.fake.make_environment(call)


def test_it_is_tried_once_more_from_the_beginning(tmp_path: Path) -> None:
    shaky = Shaky(tmp_path, builds=1)
    outcome = shaky.run()
    assert (outcome.status, outcome.attempts) == (Status.BUILT, 2)
    assert outcome.statistics == CompileStatistics(hits=1, misses=1), "those of the second attempt alone"
    assert shaky.seen[1] == shaky.seen[0], "nothing of the first attempt is left"
    assert "docker rm --force --volumes c0ffee" in shaky.runner.lines
    assert not any(line.startswith("docker commit") for line in shaky.runner.lines), "there is nothing to look into"
    assert shaky.said == [
        f"cp312-manylinux_x86_64: the engine failed for a moment: {INIT}. The job is tried once more."
    ]
    log = (tmp_path / "run/job/build.log").read_text()
    assert log.index(INIT) < log.index("wheelkiln: the job is tried once more") < log.index("Building wheel")
    assert [path.name for path in (tmp_path / "wheelhouse").iterdir()] == [
        "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl"
    ]


def test_a_second_failure_is_the_jobs(tmp_path: Path) -> None:
    shaky = Shaky(tmp_path, builds=9)
    outcome = shaky.run()
    assert (outcome.status, outcome.attempts, len(shaky.seen)) == (Status.FAILED, 2, 2)
    assert outcome.message.startswith("the engine could not start the container: exec failed")
    assert len(shaky.said) == 1


def test_the_environments_container_is_no_exception(tmp_path: Path) -> None:
    shaky = Shaky(tmp_path, environments=1)
    outcome = shaky.run()
    assert (outcome.status, outcome.attempts) == (Status.BUILT, 2)
    assert len(shaky.said) == 1


@pytest.mark.parametrize(
    "shake", [lambda path: Shaky(path, builds=1, environments=1), lambda path: Shaky(path, environments=2)]
)
def test_there_is_one_more_attempt_in_all(tmp_path: Path, shake: Callable[[Path], Shaky]) -> None:
    outcome = shake(tmp_path).run()
    assert (outcome.status, outcome.attempts) == (Status.FAILED, 2)


def test_a_compile_failure_is_never_tried_again(tmp_path: Path) -> None:
    fake = FakeCibuildwheel(
        broken=frozenset({"cp312-manylinux_x86_64"}),
        output=f"{INIT}\nCommand ['python', '-m', 'build'] failed with code 1. \n",
    )
    shaky = Shaky(tmp_path, fake=fake)
    outcome = shaky.run()
    assert (outcome.status, outcome.attempts, len(shaky.seen), shaky.said) == (Status.FAILED, 1, 1, [])


def test_neither_is_one_whose_engine_is_gone(tmp_path: Path) -> None:
    shaky = Shaky(tmp_path, builds=1, answers=1)
    assert (shaky.run().status, len(shaky.seen)) == (Status.FAILED, 1)
