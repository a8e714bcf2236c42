from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from load import Load, LoadCount
from results import COLD, EVERY, OURS, PLAIN, Build
from schedule import keeps_limits, ratios_of, render_schedule

_PYTHONS = ("cp311-manylinux_x86_64", "cp312-manylinux_x86_64")


def _builds(*ours: float | None, load: Load | None = None) -> list[Build]:
    found = []
    for run, seconds in enumerate(ours, start=1):
        found.append(Build("k", PLAIN, EVERY, run, _PYTHONS, seconds=100.0, load=Load({1: 10})))
        error = "" if seconds else "broken"
        load = load or Load({1: 5, 2: 95})
        found.append(Build("k", OURS, COLD, run, _PYTHONS, seconds=seconds, load=load, error=error))
    return found


def _process(proc: Path, number: int, name: str, state: str) -> None:
    (proc / str(number)).mkdir(parents=True)
    (proc / str(number) / "stat").write_text(f"{number} ({name}) {state} 1 2 3")


def test_compilers_that_run_are_counted_in_the_groups_of_the_containers(tmp_path: Path) -> None:
    group, proc = tmp_path / "group", tmp_path / "proc"
    (group / "container").mkdir(parents=True)
    (group / "cgroup.procs").write_text("1\n2\n3\n9\n")
    (group / "container/cgroup.procs").write_text("4\n")
    for number, (name, state) in enumerate((("cc1plus", "R"), ("gcc", "S"), ("cc1", "Z"), ("as", "D")), start=1):
        _process(proc, number, name, state)
    count = LoadCount(proc)
    count.sample([group])
    count.sample([])
    assert count.result() == Load({2: 1})


def test_what_the_containers_and_the_rest_of_the_machine_used(tmp_path: Path) -> None:
    group = tmp_path / "memory/docker/a"
    (tmp_path / "cpuacct/docker/a").mkdir(parents=True)
    group.mkdir(parents=True)
    (tmp_path / "stat").write_text("cpu  100 100 100 900 900 0 0 0 0 0\ncpu0 1\n")
    count = LoadCount(tmp_path)
    (tmp_path / "cpuacct/docker/a/cpuacct.usage").write_text("2500000000\n")
    count.sample([group])
    (tmp_path / "stat").write_text("cpu  500 300 200 900 900 0 0 0 0 0\ncpu0 1\n")
    assert count.result() == Load({}, own=2.5, others=4.5)
    unified = tmp_path / "unified"
    unified.mkdir()
    (unified / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    count.sample([unified])
    assert count.result().own == 4.0


def test_the_mean_is_over_samples_with_a_compiler() -> None:
    load = Load({1: 1, 2: 2, 3: 1})
    assert (load.mean, load.most, load.above(2)) == (2.0, 3, 0.25)
    assert (Load({}).mean, Load({}).most, Load({}).above(2)) == (0.0, 0, 0.0)


def test_ratios_are_of_the_same_round() -> None:
    assert ratios_of(_builds(50.0, 60.0)) == [0.5, 0.6]
    assert ratios_of(_builds(50.0, None)) == [0.5, None]


def test_limits_are_kept_by_the_median_and_by_every_load() -> None:
    assert keeps_limits(_builds(50.0, 55.0, 90.0), 2, 0.6)
    assert not keeps_limits(_builds(70.0), 2, 0.6)
    assert not keeps_limits(_builds(50.0, None), 2, 0.6)
    assert not keeps_limits(_builds(50.0, load=Load({3: 9})), 2, 0.6)
    assert not keeps_limits(_builds(50.0, load=Load({})), 2, 0.6), "nothing was counted"


def test_the_table_has_each_build_and_the_median() -> None:
    text = render_schedule(_builds(50.0, None), 2)
    assert "k, 2 Pythons, 2 cores" in text
    assert "| 1      | wheelkiln    | 50.0 s" in text
    assert "failed: broken" in text
    assert "| median | wheelkiln" in text
    assert render_schedule([replace(build, load=None) for build in _builds(50.0)], 2).count(" - ") > 3
