from __future__ import annotations

from pathlib import Path

from tests.fakes import Answer, FakeRunner
from tests.values import make_engine
from wheelkiln.build.memory_watch import MemoryWatch, watching_memory
from wheelkiln.errors import EnvironmentProblem

_ID = "ab" * 32


def _watch(tmp_path: Path, answer: Answer | Exception, cgroup: str = f"0::/{_ID}.scope\n") -> MemoryWatch:
    (tmp_path / "proc/41").mkdir(parents=True)
    (tmp_path / "proc/41/cgroup").write_text(cgroup)
    engine = make_engine(FakeRunner({f"docker inspect --format '{{{{.State.Pid}}}}' {_ID}": answer}))
    return MemoryWatch(engine, tmp_path / "container-id", tmp_path / "proc", tmp_path / "cgroup")


def _use(tmp_path: Path, size: int) -> None:
    (tmp_path / f"cgroup/{_ID}.scope").mkdir(parents=True, exist_ok=True)
    (tmp_path / f"cgroup/{_ID}.scope/memory.stat").write_text(f"file 7\nanon {size}\n")


def test_the_highest_sample_is_the_peak(tmp_path: Path) -> None:
    watch = _watch(tmp_path, Answer("41\n"))
    watch.look()
    assert watch.peak is None, "there is no container yet"
    (tmp_path / "container-id").write_text(_ID)
    for size in (10, 30, 20):
        _use(tmp_path, size)
        watch.look()
    (tmp_path / f"cgroup/{_ID}.scope/memory.stat").unlink()
    watch.look()
    assert watch.peak == 30


def test_a_container_that_has_not_started_is_asked_for_again(tmp_path: Path) -> None:
    answers = iter(["0", "41"])
    engine = make_engine(FakeRunner({"docker inspect": lambda _: Answer(next(answers))}))
    _watch(tmp_path, Answer())
    watch = MemoryWatch(engine, tmp_path / "container-id", tmp_path / "proc", tmp_path / "cgroup")
    (tmp_path / "container-id").write_text(_ID)
    _use(tmp_path, 5)
    watch.look()
    assert watch.peak is None
    watch.look()
    assert watch.peak == 5


def test_nothing_is_known_of_a_container_elsewhere(tmp_path: Path) -> None:
    """Its process has the number of another one here, or of none."""
    _use(tmp_path, 5)
    (tmp_path / "container-id").write_text(_ID)
    answers: tuple[Answer | Exception, ...] = (
        Answer("41"),
        Answer("42"),
        Answer(returncode=1),
        Answer("x"),
        EnvironmentProblem("no answer"),
    )
    for number, answer in enumerate(answers):
        watch = _watch(tmp_path / str(number), answer, "0::/user.slice\n")
        (tmp_path / str(number) / "container-id").write_text(_ID)
        watch.look()
        watch.look()
        assert watch.peak is None


def test_it_looks_while_the_context_lasts(tmp_path: Path) -> None:
    with watching_memory(make_engine(), tmp_path / "none") as watch:
        pass
    assert watch.peak is None
