from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archives import write_sdist
from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import make_host
from wheelkiln.errors import BuildError, EnvironmentProblem, UsageProblem
from wheelkiln.source.origin import OriginKind
from wheelkiln.source.prepare import PreparedSource, inspect_directory, prepare_source
from wheelkiln.source.spec import DirectorySource, GitSource, IndexSource, SdistSource, SourceSpec

_PKG_INFO = "Metadata-Version: 2.1\nName: kern\nVersion: 1.2\n"
_PYPROJECT = '[project]\nname = "kern"\ndynamic = ["version"]\n'
_BUILD = "python -m build --sdist"
_SURROUNDINGS = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC"}


def _make_sdist(call: Call) -> Answer:
    out = Path(call.option("--outdir"))
    out.mkdir(parents=True)
    write_sdist(out / "kern-1.2.tar.gz", {"pyproject.toml": _PYPROJECT, "PKG-INFO": _PKG_INFO, "a.c": ""})
    return Answer("* Building sdist...\nSuccessfully built kern-1.2.tar.gz\n")


def _project(path: Path) -> Path:
    path.mkdir()
    (path / "pyproject.toml").write_text(_PYPROJECT)
    (path / "a.c").write_text("int a;")
    for name in ("pyproject.toml", "a.c"):
        os.utime(path / name, (1_650_000_000, 1_650_000_000))
    return path


def _prepare(
    spec: SourceSpec, tmp_path: Path, script: dict[str, Script], environ: dict[str, str] | None = None
) -> tuple[PreparedSource, FakeRunner]:
    runner = FakeRunner(script)
    host = make_host(environ=environ or {})
    prepared = prepare_source(spec, host=host, runner=runner, work_dir=tmp_path / "work", cache_dir=tmp_path / "cache")
    return prepared, runner


def test_a_directory_becomes_an_sdist_at_the_time_of_its_commit(tmp_path: Path) -> None:
    tree = _project(tmp_path / "tree")
    prepared, runner = _prepare(DirectorySource(tree), tmp_path, {"git": Answer("1640995200\n"), _BUILD: _make_sdist})
    assert prepared.title == "kern 1.2"
    assert prepared.epoch == 1_640_995_200
    assert prepared.sdist == tmp_path / "work/sdist/kern-1.2.tar.gz"
    assert prepared.tree_size == len(_PYPROJECT) + len("int a;")
    assert prepared.size == prepared.sdist.stat().st_size
    assert runner.calls[-1].env == _SURROUNDINGS | {
        "SOURCE_DATE_EPOCH": "1640995200",
        "TMPDIR": str(tmp_path / "work"),
    }


def test_a_directory_without_git_is_as_old_as_its_newest_file(tmp_path: Path) -> None:
    tree = _project(tmp_path / "tree")
    script: dict[str, Script] = {"git": Answer(returncode=128, stderr="not a git repository"), _BUILD: _make_sdist}
    prepared, runner = _prepare(DirectorySource(tree), tmp_path, script)
    assert prepared.epoch == 1_650_000_000
    assert runner.calls[-1].env == _SURROUNDINGS | {"TMPDIR": str(tmp_path / "work")}


def test_a_directory_with_times_before_zip_began_gets_the_first_that_it_can_hold(tmp_path: Path) -> None:
    tree = _project(tmp_path / "tree")
    for path in tree.iterdir():
        os.utime(path, (1, 1))
    script: dict[str, Script] = {"git": Answer(returncode=128), _BUILD: _make_sdist}
    assert _prepare(DirectorySource(tree), tmp_path, script)[0].epoch == 315_532_800


def test_the_users_own_epoch_wins(tmp_path: Path) -> None:
    tree = _project(tmp_path / "tree")
    environ = {"SOURCE_DATE_EPOCH": "1500000000"}
    prepared, runner = _prepare(DirectorySource(tree), tmp_path, {_BUILD: _make_sdist}, environ)
    assert prepared.epoch == 1_500_000_000
    assert runner.calls[-1].env == _SURROUNDINGS | environ | {"TMPDIR": str(tmp_path / "work")}


def test_an_epoch_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="SOURCE_DATE_EPOCH is 'now', not a number of seconds"):
        _prepare(DirectorySource(_project(tmp_path / "tree")), tmp_path, {}, {"SOURCE_DATE_EPOCH": "now"})


def test_a_directory_that_is_no_project_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(UsageProblem, match="is not a Python project"):
        _prepare(DirectorySource(tmp_path / "tree"), tmp_path, {})


def test_a_failed_sdist_shows_its_end_without_secrets(tmp_path: Path) -> None:
    output = "".join(f"line {number}\n" for number in range(50)) + "cannot reach https://u:pw@host/\n"
    script: dict[str, Script] = {"git": Answer(returncode=1), _BUILD: Answer(output, returncode=1)}
    with pytest.raises(BuildError) as caught:
        _prepare(DirectorySource(_project(tmp_path / "tree")), tmp_path, script)
    lines = caught.value.message.splitlines()
    assert lines[0].endswith("could not be built (exit status 1):")
    assert lines[1:] == [f"  | line {number}" for number in range(21, 50)] + ["  | cannot reach https://***@host/"]


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    output = "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device\n"
    script: dict[str, Script] = {"git": Answer(returncode=1), _BUILD: Answer(output, returncode=1)}
    with pytest.raises(EnvironmentProblem, match=r"no space left in .*/work, where the sdist"):
        _prepare(DirectorySource(_project(tmp_path / "tree")), tmp_path, script)


def test_a_success_without_an_sdist_is_a_failure(tmp_path: Path) -> None:
    script: dict[str, Script] = {"git": Answer(returncode=1), _BUILD: Answer()}
    with pytest.raises(BuildError, match="could not be built"):
        _prepare(DirectorySource(_project(tmp_path / "tree")), tmp_path, script)


def test_an_sdist_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write_sdist(tmp_path / "k.tar.gz", {"setup.py": "setup()", "PKG-INFO": _PKG_INFO}, mtime=1_600_000_000)
    prepared, runner = _prepare(SdistSource(path), tmp_path, {})
    assert (prepared.sdist, prepared.epoch, prepared.tree_size) == (path, 1_600_000_000, 0)
    assert runner.calls == []


def test_an_sdist_must_say_what_it_is(tmp_path: Path) -> None:
    path = write_sdist(tmp_path / "k.tar.gz", {"setup.py": "setup()"})
    with pytest.raises(UsageProblem, match=r"k.tar.gz does not say its name and version"):
        _prepare(SdistSource(path), tmp_path, {})


def _git(call: Call) -> Answer:
    tree = Path(call.option("-C"))
    if "checkout" in call.argv:
        (tree / "pyproject.toml").write_text(_PYPROJECT)
    return Answer("1640995200\n" if "log" in call.argv else "")


def test_a_git_source_is_fetched_to_a_tree_that_is_removed(tmp_path: Path) -> None:
    spec = GitSource("https://host/k.git", "v1.2")
    prepared, runner = _prepare(spec, tmp_path, {"git": _git, _BUILD: _make_sdist})
    assert (prepared.title, prepared.epoch) == ("kern 1.2", 1_640_995_200)
    steps = [call.argv[3:] for call in runner.calls if call.argv[0] == "git"]
    assert steps == [
        ("init", "--quiet"),
        ("fetch", "--quiet", "--tags", "--", "https://host/k.git"),
        ("fetch", "--quiet", "--", "https://host/k.git", "v1.2"),
        ("checkout", "--quiet", "--detach", "FETCH_HEAD"),
        ("submodule", "--quiet", "update", "--init", "--recursive"),
        ("rev-parse", "HEAD"),
        ("log", "-1", "--format=%ct", "--", "."),
    ]
    assert not Path(runner.calls[0].option("-C")).exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://me:pass@host/k.git", "https://host/k.git"),
        ("ssh://git@host/k.git", "ssh://git@host/k.git"),
        ("ssh://git:pass@host/k.git", "ssh://host/k.git"),
        ("file:///home/me/k", ""),
    ],
)
def test_the_origin_of_a_git_source_has_no_secret_and_no_place(tmp_path: Path, url: str, told: str) -> None:
    prepared, _ = _prepare(GitSource(url, "v1.2"), tmp_path, {"git": _git, _BUILD: _make_sdist})
    assert prepared.origin is not None
    assert (prepared.origin.kind, prepared.origin.url) == (OriginKind.GIT, told)


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        ("fatal: couldn't find remote ref v9", UsageProblem, r"git has no 'v9' at https://\*\*\*@host/k.git"),
        ("fatal: unable to access: timed out", EnvironmentProblem, r"git could not fetch https://\*\*\*@host/k.git@v9"),
    ],
)
def test_a_git_failure_is_told_apart(tmp_path: Path, stderr: str, kind: type[Exception], words: str) -> None:
    script: dict[str, Script] = {"git": Answer(returncode=128, stderr=stderr)}
    runner = FakeRunner(script)
    with pytest.raises(kind, match=words):
        prepare_source(
            GitSource("https://u:pw@host/k.git", "v9"),
            host=make_host(),
            runner=runner,
            work_dir=tmp_path,
            cache_dir=tmp_path,
        )
    assert not Path(runner.calls[0].option("-C")).exists()


def _index(directory: Path, **files: str) -> str:
    """Make an index of local files, in pip's words."""
    directory.mkdir()
    write_sdist(directory / "kern-1.2.tar.gz", {"setup.py": "setup()", "PKG-INFO": _PKG_INFO, **files})
    return f"global.no-index='true'\nglobal.find-links='{directory}'\n"


def test_a_release_is_fetched_once(tmp_path: Path) -> None:
    places = _index(tmp_path / "files")
    spec = IndexSource("kern", "1.2")
    first, _ = _prepare(spec, tmp_path, {"python -m pip config list": Answer(places)})
    (tmp_path / "files/kern-1.2.tar.gz").unlink()
    second, runner = _prepare(spec, tmp_path, {})
    assert first == second
    assert runner.calls == [], "asking pip takes longer than a run that builds nothing"
    assert first.sdist.is_relative_to(tmp_path / "cache/sdists")
    assert first.title == "kern 1.2"


def test_a_release_of_another_index_is_fetched_anew(tmp_path: Path) -> None:
    spec = IndexSource("kern", "1.2")
    one = _prepare(spec, tmp_path, {"python -m pip config list": Answer(_index(tmp_path / "one"))})[0]
    places = _index(tmp_path / "two", **{"new.c": ""})
    settings: dict[str, Script] = {"python -m pip config list": Answer(places)}
    two = _prepare(spec, tmp_path, settings, {"PIP_FIND_LINKS": "two"})[0]
    assert one.digest != two.digest


def test_inspecting_runs_nothing_and_falls_back_to_the_directorys_name(tmp_path: Path) -> None:
    tree = tmp_path / "My Kern!"
    tree.mkdir()
    (tree / "setup.py").write_text("raise SystemExit")
    facts = inspect_directory(tree)
    assert (facts.name, facts.version) == ("my-kern", "")


def test_inspecting_reads_the_files(tmp_path: Path) -> None:
    facts = inspect_directory(_project(tmp_path / "tree"))
    assert (facts.name, facts.version) == ("kern", "")
