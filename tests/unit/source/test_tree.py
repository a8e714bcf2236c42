from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelkiln.source.tree import keep_sdist, kept_sdist


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / ".git/refs/tags").mkdir(parents=True)
    (tree / "src/a.c").write_text("int a;")
    (tree / "pyproject.toml").write_text("")
    (tree / ".git/HEAD").write_text("ref: refs/heads/main")
    return tree


def _keep(tree: Path, **environ: str) -> None:
    sdist = tree.parent / "kern-1.2.tar.gz"
    sdist.write_bytes(b"packed")
    keep_sdist(sdist, tree, environ, tree.parent / "cache")


def _kept(tree: Path, **environ: str) -> bool:
    found = kept_sdist(tree, environ, tree.parent / "cache")
    assert found is None or found.read_bytes() == b"packed"
    return found is not None


def test_an_unchanged_tree_has_its_sdist(tree: Path) -> None:
    assert not _kept(tree)
    _keep(tree)
    assert _kept(tree)


def _write(tree: Path) -> None:
    (tree / "src/a.c").write_text("int b;")


def _write_and_set_the_time_back(tree: Path) -> None:
    before = (tree / "src/a.c").stat()
    (tree / "src/a.c").write_text("int b;")
    os.utime(tree / "src/a.c", ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(tree: Path) -> None:
    (tree / "new").write_text("int a;")
    (tree / "new").replace(tree / "src/a.c")


@pytest.mark.parametrize(
    "change",
    [
        _write,
        _write_and_set_the_time_back,
        _replace,
        lambda tree: (tree / "src/b.c").touch(),
        lambda tree: (tree / "src/a.c").unlink(),
        lambda tree: (tree / "src/a.c").rename(tree / "src/b.c"),
        lambda tree: (tree / "src/a.c").chmod(0o755),
        lambda tree: (tree / "ignored.log").touch(),
        lambda tree: (tree / ".git/HEAD").write_text("ref: refs/heads/other"),
        lambda tree: (tree / ".git/refs/tags/v1").touch(),
    ],
)
def test_a_changed_tree_has_none(tree: Path, change: Callable[[Path], object]) -> None:
    _keep(tree)
    change(tree)
    assert not _kept(tree)


@pytest.mark.parametrize("name", ["__pycache__/a.pyc", "kern.egg-info/PKG-INFO", ".git/index", "src/.ruff_cache/x"])
def test_what_tools_leave_changes_nothing(tree: Path, name: str) -> None:
    _keep(tree)
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).touch()
    assert _kept(tree)


def test_outputs_and_virtual_environments_do_not_count(tree: Path) -> None:
    for directory, mark in (("wheelhouse", "wheelkiln-manifest.json"), ("env", "pyvenv.cfg")):
        (tree / directory).mkdir()
        (tree / directory / mark).touch()
    _keep(tree)
    (tree / "wheelhouse/kern.whl").touch()
    (tree / "env/lib").mkdir()
    (tree / "env/lib/x.py").touch()
    assert _kept(tree)


def test_variables_that_make_versions_count(tree: Path) -> None:
    _keep(tree, SETUPTOOLS_SCM_PRETEND_VERSION="1", HOME="/a")
    assert _kept(tree, SETUPTOOLS_SCM_PRETEND_VERSION="1", HOME="/b")
    assert not _kept(tree, SETUPTOOLS_SCM_PRETEND_VERSION="2")


def test_a_work_tree_whose_git_directory_is_elsewhere_is_packed_each_time(tree: Path) -> None:
    (tree / ".git").rename(tree.parent / "git")
    (tree / ".git").write_text("gitdir: ../git")
    _keep(tree)
    assert not _kept(tree)


def test_an_earlier_state_stays_for_who_builds_from_it_and_goes_the_next_day(tree: Path) -> None:
    _keep(tree)
    (first,) = (tree.parent / "cache").rglob("*.tar.gz")
    (tree / "new").touch()
    _keep(tree)
    assert first.is_file()
    os.utime(first.parent, (1, 1))
    (tree / "newer").touch()
    _keep(tree)
    assert not first.exists()
