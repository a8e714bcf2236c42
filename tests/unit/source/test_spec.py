from __future__ import annotations

from pathlib import Path

import pytest

from wheelkiln.errors import UsageProblem
from wheelkiln.source.spec import DirectorySource, GitSource, IndexSource, SdistSource, parse_source


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "proj").mkdir()
    assert parse_source("proj", tmp_path) == DirectorySource(tmp_path / "proj")
    assert parse_source(".", tmp_path) == DirectorySource(tmp_path)
    assert parse_source(str(tmp_path), Path("/")) == DirectorySource(tmp_path)


@pytest.mark.parametrize("name", ["kern-1.2.tar.gz", "kern-1.2.tgz"])
def test_an_sdist(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert parse_source(name, tmp_path) == SdistSource(tmp_path / name)


def test_another_file_is_no_sdist(tmp_path: Path) -> None:
    (tmp_path / "kern.zip").write_bytes(b"")
    with pytest.raises(UsageProblem, match=r"'kern.zip' is not an sdist"):
        parse_source("kern.zip", tmp_path)


def test_a_file_comes_before_a_pin(tmp_path: Path) -> None:
    (tmp_path / "a==1").mkdir()
    assert parse_source("a==1", tmp_path) == DirectorySource(tmp_path / "a==1")


def test_a_release(tmp_path: Path) -> None:
    assert parse_source("msgpack==1.1.2", tmp_path) == IndexSource("msgpack", "1.1.2")
    assert parse_source("Zope.Interface == 1!2.0rc1", tmp_path) == IndexSource("Zope.Interface", "1!2.0rc1")


@pytest.mark.parametrize(
    "text", ["a==1.*", "a==1,>=0", "a>=1,==1", "a[x]==1", "a==1; python_version<'4'", "==1", "a==", "a===1", "-r==1"]
)
def test_what_is_no_exact_release_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageProblem, match="is not of the form name==version"):
        parse_source(text, tmp_path)


@pytest.mark.parametrize("text", ["nothing", "a>=1", "../nowhere", "https://host/x.tar.gz", ""])
def test_what_names_nothing_says_what_was_looked_for(tmp_path: Path, text: str) -> None:
    if text:
        with pytest.raises(UsageProblem, match="is not a directory or file"):
            parse_source(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "url", "ref"),
    [
        ("git+https://host/a/b.git@v1.2", "https://host/a/b.git", "v1.2"),
        ("git+https://host/a/b.git", "https://host/a/b.git", "HEAD"),
        ("git+https://host/a/b.git@feature/x", "https://host/a/b.git", "feature/x"),
        ("git+https://token@host/b.git@v1", "https://token@host/b.git", "v1"),
        ("git+https://token@host/b.git", "https://token@host/b.git", "HEAD"),
        ("git+ssh://git@github.com/a/b.git", "ssh://git@github.com/a/b.git", "HEAD"),
        ("git+ssh://git@github.com/a/b.git@main", "ssh://git@github.com/a/b.git", "main"),
        ("git+file:///srv/b.git@abc123", "file:///srv/b.git", "abc123"),
    ],
)
def test_a_git_repository(tmp_path: Path, text: str, url: str, ref: str) -> None:
    assert parse_source(text, tmp_path) == GitSource(url, ref)


@pytest.mark.parametrize(
    "text", ["git+", "git+/srv/x", "git+ext::sh -c id", "git+https://", "git+https://h/x@-oops", "git+https://h/x@a b"]
)
def test_what_is_no_git_repository_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_source(text, tmp_path)
