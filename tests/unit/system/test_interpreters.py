from __future__ import annotations

from pathlib import Path

from wheelkiln.system.interpreters import Interpreter, find_interpreters


def _install(prefix: Path, version: str, *, name: str = "") -> Path:
    short = name or "python" + ".".join(version.split(".")[:2])
    include = prefix / "include" / short
    include.mkdir(parents=True)
    (include / "patchlevel.h").write_text(f'#define PY_MAJOR_VERSION 3\n#define PY_VERSION      "{version}"\n')
    (prefix / "bin").mkdir(exist_ok=True)
    (prefix / "bin" / short).write_text("")
    return prefix


def _found(home: Path, **environ: str) -> list[Interpreter]:
    """Those below home: /usr/local of the machine that runs the tests may have some too."""
    return [found for found in find_interpreters(home, environ) if found.prefix.is_relative_to(home)]


def test_pyenv_and_uv_installations_are_found_in_order(tmp_path: Path) -> None:
    new = _install(tmp_path / ".pyenv/versions/3.99.2", "3.99.2")
    old = _install(tmp_path / ".local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu", "3.98.1")
    assert _found(tmp_path) == [Interpreter("cp398", "3.98.1", old), Interpreter("cp399", "3.99.2", new)]


def test_the_newest_patch_release_wins(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.9", "3.99.9")
    newest = _install(tmp_path / ".pyenv/versions/3.99.10", "3.99.10")
    assert _found(tmp_path) == [Interpreter("cp399", "3.99.10", newest)]


def test_pre_releases_are_left_out(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.0a1", "3.99.0a1")
    _install(tmp_path / ".pyenv/versions/3.98.0rc2", "3.98.0rc2")
    assert _found(tmp_path) == []


def test_a_local_build_with_a_plus_counts(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/mine", "3.99.1+")
    assert _found(tmp_path) == [Interpreter("cp399", "3.99.1", prefix)]


def test_free_threaded_includes_are_left_out(tmp_path: Path) -> None:
    _install(tmp_path / ".pyenv/versions/3.99.1t", "3.99.1", name="python3.99t")
    assert _found(tmp_path) == []


def test_headers_without_an_interpreter_are_left_out(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    (prefix / "bin/python3.99").unlink()
    assert _found(tmp_path) == []


def test_links_to_other_versions_are_left_out(tmp_path: Path) -> None:
    prefix = _install(tmp_path / ".pyenv/versions/3.99.1", "3.99.1")
    (tmp_path / ".pyenv/versions/3.99").symlink_to(prefix)
    assert [found.prefix for found in _found(tmp_path)] == [prefix]


def test_variables_move_the_places(tmp_path: Path) -> None:
    one = _install(tmp_path / "p/versions/a", "3.97.0")
    two = _install(tmp_path / "u/b", "3.98.0")
    three = _install(tmp_path / "d/uv/python/c", "3.99.0")
    both = _found(tmp_path, PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u"))
    assert [found.prefix for found in both] == [one, two]
    assert [found.prefix for found in _found(tmp_path, XDG_DATA_HOME=str(tmp_path / "d"))] == [three]


def test_the_short_version_names_directories() -> None:
    assert Interpreter("cp310", "3.10.13", Path("/p")).short_version == "3.10"
