"""From a source to the sdist that is built: made, fetched or taken as it is, with its facts."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.errors import BuildError, EnvironmentProblem, UsageProblem
from wheelkiln.source.archive import ZIP_EPOCH, SdistContent, read_sdist
from wheelkiln.source.facts import ProjectFiles, SourceFacts, read_facts
from wheelkiln.source.index import fetch_sdist
from wheelkiln.source.origin import EditionChanges, OriginKind, SourceOrigin
from wheelkiln.source.spec import DirectorySource, GitSource, IndexSource, SdistSource, SourceSpec
from wheelkiln.source.tarball import open_tree
from wheelkiln.source.tree import keep_sdist, kept_sdist
from wheelkiln.system.files import make_directory, sha256_of
from wheelkiln.system.host import HostFacts
from wheelkiln.system.locks import exclusive, scratch_directory
from wheelkiln.system.pip_settings import remembered_pip_settings
from wheelkiln.system.process import Runner, mask_secrets, without_credentials

__all__ = ["PreparedSource", "describe_sdist", "inspect_directory", "prepare_source"]

_KEPT_LINES = 30
_SURROUNDINGS = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC"}
"""What the machine's user may have set otherwise, and a backend could write into an sdist."""


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """An sdist ready to be built.

    epoch is the source's SOURCE_DATE_EPOCH in seconds. tree_size is the size of the directory it was made from,
    in bytes, 0 when there was none. origin is what it was made from, None where that is not told; changes are those of
    an edition.
    """

    facts: SourceFacts
    sdist: Path
    digest: str
    epoch: int
    size: int
    tree_size: int = 0
    origin: SourceOrigin | None = None
    changes: EditionChanges | None = None

    @property
    def title(self) -> str:
        return f"{self.facts.name} {self.facts.version}"


def inspect_directory(path: Path) -> SourceFacts:
    """Read a project directory's facts without running its backend: the version may be unknown."""
    texts = {
        field: _read_text(path / name)
        for name, field in (
            ("pyproject.toml", "pyproject"),
            ("setup.cfg", "setup_cfg"),
            ("setup.py", "setup_py"),
        )
    }
    facts = read_facts(ProjectFiles(**texts), where=str(path))
    return facts if facts.name else replace(facts, name=_fallback_name(path))


def prepare_source(
    spec: SourceSpec,
    *,
    host: HostFacts,
    runner: Runner,
    work_dir: Path,
    cache_dir: Path,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedSource:
    """Make or fetch the sdist of spec in work_dir; say receives a line when another run has to be waited for.

    Raise UsageProblem (no such source), EnvironmentProblem (the index or git server is unreachable) or BuildError
    (the project's backend cannot make an sdist).
    """
    match spec:
        case DirectorySource(path):

            def wait() -> None:
                say(f"another run is making an sdist of {path}; waiting for it")

            # backends write into the directory: setuptools' egg-info, and the tree that it packs
            with exclusive(cache_dir / "locks", f"source {path}", on_wait=wait):
                return _with_origin(_prepare_directory(path, host, runner, work_dir, cache_dir), OriginKind.DIRECTORY)
        case SdistSource(path):
            return _with_origin(describe_sdist(path, host.epoch()), OriginKind.SDIST)
        case IndexSource():
            fetched = _fetch_cached(spec, host, runner, cache_dir)
            return _with_origin(describe_sdist(fetched, host.epoch()), OriginKind.INDEX)
        case GitSource():
            with _checkout(spec, runner, work_dir) as tree:
                commit = runner.capture(["git", "-C", str(tree), "rev-parse", "HEAD"]).stdout.strip()
                prepared = _prepare_directory(tree, host, runner, work_dir, None)
                return _with_origin(prepared, OriginKind.GIT, url=_public(spec.url), commit=commit)


def _public(url: str) -> str:
    """Leave out what is a secret, and a place on this machine, which is nobody else's."""
    return "" if url.startswith("file:") else without_credentials(url)


def _with_origin(prepared: PreparedSource, kind: OriginKind, *, url: str = "", commit: str = "") -> PreparedSource:
    """Say where a source came from. An sdist that was made here is no file that anybody else has."""
    came_as_file = kind in (OriginKind.INDEX, OriginKind.SDIST)
    origin = SourceOrigin(
        kind=kind,
        project=prepared.facts.name,
        version=prepared.facts.version,
        digest=prepared.digest,
        file=prepared.sdist.name if came_as_file else "",
        sha256=sha256_of(prepared.sdist) if came_as_file else "",
        url=url,
        commit=commit,
    )
    return replace(prepared, origin=origin)


def _prepare_directory(
    path: Path, host: HostFacts, runner: Runner, work_dir: Path, cache_dir: Path | None
) -> PreparedSource:
    """Make the directory's sdist, or take the one that was made of it as it is; None keeps none."""
    inspect_directory(path)  # refuse what is no project before anything of it runs
    epoch = host.epoch() or _commit_time(path, runner)
    environ = dict(host.environ) | ({"SOURCE_DATE_EPOCH": str(epoch)} if epoch else {})
    sdist = kept_sdist(path, environ, cache_dir) if cache_dir else None
    if sdist is None:
        sdist = _build_sdist(path, environ, runner, work_dir)
        _even_out(sdist, describe_sdist(sdist, epoch, tree=path).epoch, work_dir)
        if cache_dir:
            keep_sdist(sdist, path, environ, cache_dir)
    prepared = describe_sdist(sdist, epoch, tree=path)
    return replace(prepared, tree_size=_tree_size(path))


def _build_sdist(path: Path, environ: Mapping[str, str], runner: Runner, work_dir: Path) -> Path:
    lines: list[str] = []
    env = {**environ, **_SURROUNDINGS, "TMPDIR": str(work_dir)}
    out = work_dir / "sdist"
    status = runner.stream(
        [sys.executable, "-m", "build", "--sdist", "--outdir", str(out), str(path)],
        on_line=lines.append,
        env=env,
    )
    made = sorted(out.glob("*.tar.gz"))
    if status != 0 and any(os.strerror(errno.ENOSPC) in line for line in lines):
        raise EnvironmentProblem(
            f"there is no space left in {work_dir}, where the sdist of {path} is made",
            hint="Free some, or choose another place with [tool.wheelkiln.cache] dir.",
        )
    if status != 0 or len(made) != 1:
        tail = "\n".join(f"  | {mask_secrets(line)}" for line in lines[-_KEPT_LINES:])
        raise BuildError(
            f"the sdist of {path} could not be built (exit status {status}):\n{tail}",
            hint="'python -m build --sdist' shows the same failure. Some backends (meson-python) need a compiler "
            "on this machine for it; an sdist made elsewhere can be given instead of the directory.",
        )
    return made[0]


def _even_out(sdist: Path, epoch: int, work_dir: Path) -> None:
    """Write the sdist anew where a checkout's umask or time shows in it: backends copy modes into wheels."""
    with open_tree(sdist, work_dir) as tree:
        tree.even_out(epoch)
        if tree.changed:
            tree.save(sdist, root=tree.root)


def describe_sdist(sdist: Path, epoch: int | None, tree: Path | None = None) -> PreparedSource:
    """Read what an sdist is; epoch is its SOURCE_DATE_EPOCH where it is known, tree the directory it was made from.

    Raise UsageProblem when it is no sdist, or does not say its name and version.
    """
    content = read_sdist(sdist)
    facts = read_facts(content.files, where=sdist.name)
    if not (facts.name and facts.version):
        raise UsageProblem(
            f"{sdist.name} does not say its name and version",
            hint="An sdist needs a PKG-INFO (PEP 643); 'python -m build --sdist' makes one.",
        )
    return PreparedSource(
        facts=facts,
        sdist=sdist,
        digest=content.digest,
        epoch=epoch or (_newest_in_tree(content, tree) if tree else content.newest),
        size=content.size,
    )


def _newest_in_tree(content: SdistContent, tree: Path) -> int:
    """The latest change among the sdist's files that come from the tree: backends write the others anew.

    setuptools leaves its egg-info in the tree, as new as the last sdist.
    """
    kept = [name for name in content.paths if ".egg-info/" not in name and name != "PKG-INFO"]
    times = [int((tree / name).stat().st_mtime) for name in kept if (tree / name).is_file()]
    return max(ZIP_EPOCH, max(times, default=content.newest))


def _fetch_cached(spec: IndexSource, host: HostFacts, runner: Runner, cache_dir: Path) -> Path:
    """Keep fetched sdists by what they were asked for with: an index that changes its files gets its own place."""
    settings = remembered_pip_settings(runner, host.environ, cache_dir)
    asked = repr((spec, settings.index_url, settings.extra_index_urls, settings.find_links))
    place = cache_dir / "sdists" / hashlib.sha256(asked.encode()).hexdigest()[:24]
    known = sorted(place.glob("*.tar.gz")) if place.is_dir() else []
    if known:
        return known[0]
    make_directory(place.parent, setting="[tool.wheelkiln.cache] dir")
    with scratch_directory(place.parent, "fetching-") as scratch:
        fetched = fetch_sdist(spec, settings, host.ca_bundle, scratch)
        make_directory(place, setting="[tool.wheelkiln.cache] dir")
        return fetched.replace(place / fetched.name)


@contextmanager
def _checkout(spec: GitSource, runner: Runner, work_dir: Path) -> Iterator[Path]:
    """Fetch one commit with its tags (setuptools-scm wants them) into a temporary work tree, submodules included."""
    work_dir.mkdir(parents=True, exist_ok=True)
    tree = Path(tempfile.mkdtemp(dir=work_dir, prefix="git-"))
    try:
        steps = (
            ["git", "-C", str(tree), "init", "--quiet"],
            ["git", "-C", str(tree), "fetch", "--quiet", "--tags", "--", spec.url],
            ["git", "-C", str(tree), "fetch", "--quiet", "--", spec.url, spec.ref],
            ["git", "-C", str(tree), "checkout", "--quiet", "--detach", "FETCH_HEAD"],
            ["git", "-C", str(tree), "submodule", "--quiet", "update", "--init", "--recursive"],
        )
        for step in steps:
            done = runner.capture(step)
            if not done.ok:
                _explain_git(spec, done.last_line)
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _explain_git(spec: GitSource, reason: str) -> None:
    where = mask_secrets(f"{spec.url}@{spec.ref}")
    if "couldn't find remote ref" in reason or "not our ref" in reason:
        raise UsageProblem(f"git has no '{spec.ref}' at {mask_secrets(spec.url)}", hint="Name a branch, tag or commit.")
    raise EnvironmentProblem(f"git could not fetch {where}: {reason}")


def _commit_time(path: Path, runner: Runner) -> int | None:
    """The time of HEAD, when path is the root of a work tree or a tracked directory in one."""
    if shutil.which("git") is None:
        return None
    done = runner.capture(["git", "-C", str(path), "log", "-1", "--format=%ct", "--", "."])
    text = done.stdout.strip()
    return int(text) if done.ok and text.isdigit() else None


def _tree_size(path: Path) -> int:
    """The bytes of all regular files below path: what a copy of the directory would carry into the container."""
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += (Path(directory) / name).lstat().st_size
    return total


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _fallback_name(path: Path) -> str:
    """A legacy setup.py computes its name; until it has run, the directory's name stands for it."""
    text = "".join(char if char.isascii() and char.isalnum() else "-" for char in path.name.lower()).strip("-")
    return text or "project"
