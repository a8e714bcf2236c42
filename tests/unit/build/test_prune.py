from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from tests.values import inspected_image, make_config, make_engine, make_host, make_job
from wheelkiln.build.compile_cache import CompileCacheCleaner, find_cleaner
from wheelkiln.build.ledger import ledger_of
from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.prune import Pruned, Scope, prune_caches
from wheelkiln.cache.presence import run_lock, source_directory
from wheelkiln.cache.store import store_of
from wheelkiln.image.memory import ImageMemory, RememberedImage
from wheelkiln.system.files import sha256_of
from wheelkiln.system.locks import exclusive

_NOW = 1_700_000_000.0
_DAY = 86_400.0
_CONFIG = make_config()


def _aged(path: Path, days: float) -> None:
    os.utime(path, (_NOW - days * _DAY, _NOW - days * _DAY))


def _file(path: Path, days: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(5000))
    _aged(path, days)
    return path


def _wheel(root: Path, project: str, days: float) -> Path:
    name = f"{project}-1.0-cp312-cp312-linux_x86_64.whl"
    made = _file(root.parent / "made" / name)
    digest = sha256_of(made)
    store_of(root).put(made, digest)
    kept = store_of(root).find(name, digest)
    assert kept is not None
    _aged(kept.parent, days)
    outcome = Outcome(make_job(), Status.BUILT, wheel=WheelFile(name, digest, 5000))
    ledger_of(root).record(f"{project}{days}", project.replace("_", "-"), "1.0", outcome, _NOW - days * _DAY)
    return kept


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache with something in every place, most of it as old as its name says."""
    root = tmp_path / "cache"
    for name in ("old", "new"):
        days = 40 if name == "old" else 1
        _file(root / "environments" / name / "lib/x")
        _aged(root / "environments" / name, days)
        _file(root / "sdists" / name / f"{name}_kern-1.0.tar.gz")
        _aged(root / "sdists" / name, days)
        _file(root / "trees" / name / "state" / f"{name}_kern-1.0.tar.gz")
        _aged(root / "trees" / name, days)
        _file(root / "links" / f"{name}-kern-x86_64-default/00/x.out", days)
        _file(root / "cython" / f"{name}-kern-x86_64-default/00/x.out", days)
        _file(root / "calls" / f"{name}-kern" / "job.gz")
        _file(root / "runs" / name / "job/build.log")
        _aged(root / "runs" / name, days)
        _file(root / "tmp" / f"source-{name}" / "x.tar.gz")
        _aged(root / "tmp" / f"source-{name}", days)
        _wheel(root, f"{name}_kern", days)
    for name in ("ccache/0/entry", "uv/x", "sccache/y", "resolver/z", "images/known/i.json"):
        _file(root / name)
    return root


def _ran(runner: FakeRunner) -> Callable[[], CompileCacheCleaner]:
    return lambda: CompileCacheCleaner(make_engine(runner), make_host(), "image", "10G")


def _prune(
    root: Path, scope: Scope, cleaner: Callable[[], CompileCacheCleaner | None] = lambda: None
) -> dict[str, Pruned]:
    found = prune_caches(_CONFIG, root, scope, cleaner, now=_NOW, say=lambda _: None)
    return {entry.cache: entry for entry in found}


def _left(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "locks" not in path.parts}


def test_by_default_only_what_is_beyond_a_limit_goes(root: Path) -> None:
    found = _prune(root, Scope())
    assert {name for name, entry in found.items() if entry.files} == {"environments", "scratch"}
    assert (root / "environments/new").is_dir()
    assert not (root / "environments/old").exists()
    assert not (root / "tmp/source-old").exists()
    assert (root / "tmp/source-new").exists()
    assert "ccache does this" in found["compile"].kept
    assert len(store_of(root).wheels()) == 2


def test_the_stores_limit(root: Path) -> None:
    config = make_config({"cache": {"wheels-max-size": "6k"}})
    prune_caches(config, root, Scope(), lambda: None, now=_NOW, say=lambda _: None)
    assert [wheel.path.name.partition("-")[0] for wheel in store_of(root).wheels()] == ["new_kern"]


def test_what_is_older_goes(root: Path) -> None:
    runner = FakeRunner({"docker run": Answer()})
    found = _prune(root, Scope(older_than=30 * _DAY), _ran(runner))
    assert {name for name, entry in found.items() if entry.files} == {
        "environments",
        "links",
        "cython",
        "runs",
        "scratch",
        "sdists",
        "trees",
        "wheels",
    }
    assert [wheel.path.name.partition("-")[0] for wheel in store_of(root).wheels()] == ["new_kern"]
    assert len(ledger_of(root).history()) == 2, "a wheel that is used today may have been built long ago"
    assert runner.calls[0].argv[-3:] == ("ccache", "--evict-older-than", "2592000s")


def test_a_project_goes(root: Path) -> None:
    runner = FakeRunner({"docker run": Answer()})
    found = _prune(root, Scope(project="old-kern"), _ran(runner))
    assert {name for name, entry in found.items() if entry.files} == {
        "wheels",
        "links",
        "cython",
        "sdists",
        "trees",
        "calls",
        "history",
        "scratch",
    }
    assert [job.project for job in ledger_of(root).history()] == ["new-kern"]
    assert [wheel.path.name.partition("-")[0] for wheel in store_of(root).wheels()] == ["new_kern"]
    for place, left in (
        ("sdists", "new"),
        ("trees", "new"),
        ("calls", "new-kern"),
        ("links", "new-kern-x86_64-default"),
        ("cython", "new-kern-x86_64-default"),
    ):
        assert [path.name for path in (root / place).iterdir()] == [left]
    arguments = runner.calls[0].argv[runner.calls[0].argv.index("ccache") :]
    assert "old-kern-x86_64-default" in arguments
    assert set(arguments[1::2]) == {"--evict-namespace"}


def test_everything_goes_but_images_and_what_a_run_has_just_made(root: Path) -> None:
    found = _prune(root, Scope(everything=True))
    assert {name for name in _left(root) if not name.startswith("ledger")} == {
        "images/known/i.json",
        "tmp/source-new/x.tar.gz",
    }
    assert (root / "ccache").is_dir(), "a container may have it mounted"
    assert (found["compile"].files, found["wheels"].files, found["history"].files) == (1, 2, 2)
    assert _prune(root, Scope(everything=True)) == {}


@pytest.mark.parametrize("scope", [{}, {"older_than": 30 * _DAY}, {"project": "old-kern"}, {"everything": True}])
def test_a_dry_run_tells_the_same_and_removes_nothing(root: Path, scope: dict[str, float | str | bool]) -> None:
    before = _left(root)
    told = _prune(root, Scope(dry_run=True, **scope))  # type: ignore[arg-type]
    assert _left(root) == before
    done = _prune(root, Scope(**scope))  # type: ignore[arg-type]
    for entries in (told, done):
        entries.pop("compile")
    assert told == done


def test_while_a_run_is_going_on_what_it_may_read_stays(root: Path) -> None:
    living = "0-alive"
    _file(root / "runs" / living / "job/build.log")
    before = _left(root)
    with exclusive(root / "locks", run_lock(living), on_wait=lambda: None):
        found = _prune(root, Scope(everything=True))
    gone = {name.partition("/")[0] for name in before - _left(root)}
    assert gone == {"wheels", "runs", "tmp", "calls"}
    assert (root / "runs" / living / "job/build.log").exists()
    assert {name for name, entry in found.items() if entry.kept} == {
        "compile",
        "environments",
        "links",
        "cython",
        "resolver",
        "sccache",
        "sdists",
        "trees",
        "uv",
    }


def test_what_has_read_its_source_and_has_not_begun_yet_is_in_use_too(root: Path) -> None:
    with source_directory(root) as place:
        found = _prune(root, Scope(everything=True))
        assert place.is_dir()
    assert "a build is going on" in found["sdists"].kept
    assert not place.exists()
    assert _prune(root, Scope(everything=True))["sdists"].files == 2


def test_a_cache_that_is_not_there_has_nothing_to_prune(tmp_path: Path) -> None:
    assert _prune(tmp_path / "none", Scope(everything=True)) == {}
    assert not (tmp_path / "none").exists()


def test_what_ccache_removes_is_counted_and_what_it_says_is_told(root: Path) -> None:
    def clean(_: Call) -> Answer:
        (root / "ccache/0/entry").unlink()
        return Answer()

    found = _prune(root, Scope(), _ran(FakeRunner({"docker run": clean})))
    assert (found["compile"].files, found["compile"].kept) == (1, "")
    _file(root / "ccache/0/entry")
    found = _prune(root, Scope(), _ran(FakeRunner({"docker run": Answer(returncode=1, stderr="ccache: error: no\n")})))
    assert found["compile"] == Pruned("compile", kept="ccache: error: no")


def test_ccache_runs_as_the_owner_of_the_entries_and_reaches_nothing_else(root: Path) -> None:
    _file(root / "ccache-root/0/entry")
    runner = FakeRunner({"docker run": Answer()})
    _prune(root, Scope(everything=True), _ran(runner))
    plain, as_root = (call.argv for call in runner.calls)
    assert "--user=1001:1002" in plain
    assert "--user=0:0" in as_root
    assert f"--mount=type=bind,source={root}/ccache-root,target=/opt/wheelkiln/mnt/ccache" in as_root
    for argv in (plain, as_root):
        assert {"--network=none", "--cap-drop=ALL", "--rm"} < set(argv)
        assert argv[-2:] == ("ccache", "--clear")


def test_a_cleaner_needs_an_image_that_is_there_and_runs_here(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path)
    memory.remember_image("podman", "other", RememberedImage("sha256:1"))
    runner = FakeRunner({"docker image inspect": Answer(returncode=1), "docker image inspect here": Answer()})
    assert find_cleaner(make_engine(runner), make_host(), tmp_path, "10G") is None
    assert runner.calls == []
    memory.remember_image("docker", "gone", RememberedImage("sha256:1"))
    memory.remember_image("docker", "here", RememberedImage("sha256:1"))
    script = {"docker image inspect": Answer(returncode=1), "docker image inspect here": Answer(inspected_image())}
    engine = make_engine(FakeRunner(script))
    found = find_cleaner(engine, make_host(), tmp_path, "1G")
    assert found is not None
    assert (found.image, found.max_size) == ("here", "1G")
    assert find_cleaner(engine, make_host(machine="aarch64"), tmp_path, "1G") is None
