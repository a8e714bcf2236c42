"""Options that several commands share, and what they gather for a plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wheelkiln.cache.lock import LOCK_NAME, Lock, parse_lock
from wheelkiln.cache.presence import source_directory
from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.console import log_command
from wheelkiln.config.load import LoadedConfig, load_config, parse_config
from wheelkiln.config.model import Config
from wheelkiln.config.variants import DEFAULT_VARIANT, VariantConfig
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.in_place import config_in_place
from wheelkiln.plan.make import PlanInputs, settings_of
from wheelkiln.plan.model import Plan
from wheelkiln.source.facts import SourceFacts
from wheelkiln.source.prepare import PreparedSource, inspect_directory, prepare_source
from wheelkiln.source.spec import DirectorySource, SourceSpec, parse_source
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.host import HostFacts, read_host
from wheelkiln.system.pip_settings import PipSettings, remembered_pip_settings
from wheelkiln.system.process import ProcessRunner
from wheelkiln.verify.rules.levels import levels_of

if TYPE_CHECKING:
    from wheelkiln.build.request import BuildRequest

__all__ = [
    "LocatedSource",
    "ProjectOptions",
    "located_source",
    "make_request",
    "project_options",
    "read_lock",
    "several_project_options",
]

_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """The values of the shared options."""

    source: str | tuple[str, ...]
    config_file: Path | None
    python: tuple[str, ...]
    arch: tuple[str, ...]
    base: str | None
    cache_dir: str | None
    only: tuple[str, ...]
    skip: tuple[str, ...]
    project_settings: str
    no_test: bool
    verbose: bool
    variant: tuple[str, ...] = ()
    versions: str = ""
    cache_read_only: bool = False
    jobs: int | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Each SOURCE as a text of its own: with versions, a project at each of them."""
        given = (self.source,) if isinstance(self.source, str) else self.source or (".",)
        versions = self.versions.replace(",", " ").split()
        if not versions:
            return given
        plain = [text for text in given if not _PROJECT.fullmatch(text)]
        if plain:
            raise UsageProblem(
                f"--versions needs a project's name, and '{plain[0]}' is none",
                hint="wheelkiln build NAME --versions 1.0,1.1",
            )
        return tuple(f"{name}=={version}" for name in given for version in versions)

    def runner(self) -> ProcessRunner:
        """Make the door to processes; --verbose shows each command line."""
        return ProcessRunner(log_command if self.verbose else None)

    def flags(self) -> dict[str, Any]:
        """The configuration keys that the command line sets."""
        given = {
            "python": list(self.python),
            "arch": list(self.arch),
            "image.base": self.base,
            "cache.dir": self.cache_dir,
            "cache.mode": "read-only" if self.cache_read_only else None,
            "jobs": self.jobs,
        }
        return {key: value for key, value in given.items() if value}


def project_options(function: F) -> F:
    """Add SOURCE and the options that decide what a plan holds."""
    return _add_options(function, [click.argument("source", default=".")])


def several_project_options(function: F) -> F:
    """Add the same for commands that take several sources."""
    versions = "Versions of SOURCE, a project's name on the package index: 1.0,1.1."
    return _add_options(
        function,
        [
            click.argument("source", nargs=-1),
            click.option("--versions", default="", metavar="VERSIONS", help=versions),
        ],
    )


def _add_options(function: F, first: Sequence[Callable[[Any], Any]]) -> F:
    decorators: list[Callable[[Any], Any]] = [
        *first,
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use."),
        click.option("--python", multiple=True, metavar="TAG", help="Build for this Python (cp312); repeatable."),
        click.option("--variant", multiple=True, metavar="NAME", help="Build this variant; repeatable."),
        click.option("--arch", multiple=True, metavar="ARCH", help="Build for this architecture; repeatable."),
        click.option("--base", metavar="BASE", help="Base of the image: pypa, bootstrap or a reference."),
        click.option("--cache-dir", metavar="DIR", help="Directory of all caches."),
        click.option("--only", multiple=True, metavar="GLOB", help="Build only jobs that match; repeatable."),
        click.option("--skip", multiple=True, metavar="GLOB", help="Leave out jobs that match; repeatable."),
        click.option(
            "--project-settings",
            type=click.Choice(["merge", "ignore"]),
            default="merge",
            show_default=True,
            help="The project's own [tool.cibuildwheel].",
        ),
        click.option("--no-test", is_flag=True, help="Leave out the project's tests."),
        click.option("--verbose", "-v", is_flag=True, help="Show every command that is run."),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@dataclass(frozen=True, slots=True)
class LocatedSource:
    """A source that has been read, as one variant: prepared is None where its facts alone were asked for.

    facts, prepared and loaded are the variant's own. origin is the project's own name. scratch is a directory for
    what is made of a source that is prepared. label stands before the ids of
    jobs where several sources are built together.
    """

    spec: SourceSpec
    facts: SourceFacts
    prepared: PreparedSource | None
    loaded: LoadedConfig
    host: HostFacts
    runner: ProcessRunner
    origin: str
    scratch: Path = Path()
    variant: str = DEFAULT_VARIANT
    label: str = ""

    @property
    def settings(self) -> VariantConfig:
        """The variant's settings; none for a project without variants."""
        return self.loaded.config.variants.get(self.variant, VariantConfig())

    def lock_path(self, given: Path | None) -> Path:
        """The lock's place: as given, else in the project's directory, else in the working directory."""
        return self.host.cwd / given if given else self.project / LOCK_NAME

    @property
    def project(self) -> Path:
        """The directory that a run belongs to: the source's, or the one that it was started in."""
        return self.spec.path if isinstance(self.spec, DirectorySource) else self.host.cwd


@contextmanager
def located_source(options: ProjectOptions, text: str, *, prepare: bool) -> Iterator[LocatedSource]:
    """Read a SOURCE and its configuration; the sdist is made only when prepare is true or nothing else can be read."""
    host = read_host()
    runner = options.runner()
    spec = parse_source(text, host.cwd)
    directory = spec.path if isinstance(spec, DirectorySource) else host.cwd
    own = isinstance(spec, DirectorySource) or options.config_file or (host.cwd / "wheelkiln.toml").is_file()
    early = load_config(directory, host.environ, options.flags(), file=options.config_file) if own else None
    if early is not None:
        levels_of(early.config.verify.rules)  # an unknown rule is told before anything is built
    if early is not None and isinstance(spec, DirectorySource) and not prepare:
        facts = inspect_directory(spec.path)
        yield LocatedSource(spec, facts, None, early, host, runner, facts.name)
        return
    start = early or parse_config({}, environ=host.environ, flags=options.flags())
    root = cache_root(start.config, host)
    with source_directory(root) as work_dir:
        making = _host_with_packages(host, start.config, directory)
        prepared = prepare_source(spec, host=making, runner=runner, work_dir=work_dir, cache_dir=root, say=_say)
        facts = prepared.facts
        loaded = early or _config_of_source(facts, host, options)
        levels_of(loaded.config.verify.rules)
        yield LocatedSource(spec, facts, prepared, loaded, host, runner, facts.name, work_dir)


def make_request(located: LocatedSource, inputs: PlanInputs, plan: Plan, engine: ContainerEngine) -> BuildRequest:
    """Put together what a run needs; the source must have been prepared."""
    from wheelkiln.build.request import BuildRequest  # 'plan' does without what a run imports

    assert located.prepared is not None
    return BuildRequest(
        plan=plan,
        settings=settings_of(inputs),
        source=located.prepared,
        config=config_in_place(inputs.config, located.host.uid) if inputs.place else inputs.config,
        host=located.host,
        engine=engine,
        read_pip=cache(lambda: _pip_settings(located, inputs.config)),
        output_dir=located.host.cwd,
        cache_root=cache_root(inputs.config, located.host),
        cibuildwheel_version=inputs.cibuildwheel.version,
        project=located.project,
        tests=inputs.tests,
        variant=located.settings,
        place=inputs.place,
    )


def _host_with_packages(host: HostFacts, config: Config, project: Path) -> HostFacts:
    """Tell pip of the project's own indexes and directories, for the environment that makes its sdist."""
    own = (entry if "://" in entry else str(project / entry) for entry in config.find_links)
    added = {"PIP_FIND_LINKS": " ".join(own), "PIP_EXTRA_INDEX_URL": " ".join(config.index)}
    joined = {name: f"{value} {host.environ.get(name, '')}".strip() for name, value in added.items() if value}
    return replace(host, environ={**host.environ, **joined})


def _pip_settings(located: LocatedSource, config: Config) -> PipSettings:
    """Add the project's own indexes and directories to what pip is configured to on this machine."""
    pip = remembered_pip_settings(located.runner, located.host.environ, cache_root(config, located.host))
    own = (entry if "://" in entry else str(located.project / entry) for entry in config.find_links)
    return replace(pip, find_links=(*own, *pip.find_links), first_index_urls=config.index)


def read_lock(located: LocatedSource, given: Path | None) -> Lock | None:
    """Return the lock that the project has; raise UsageProblem when one that is asked for is not there.

    In the working directory of a source from elsewhere, a lock of another project does not count.
    """
    path = located.lock_path(given)
    if not path.is_file():
        if given:
            raise UsageProblem(f"there is no {path}", hint=f"'wheelkiln lock --output {given}' makes it.")
        return None
    lock = parse_lock(path.read_text(encoding="utf-8", errors="replace"), where=str(path))
    if lock.project == located.origin:
        return lock
    if given:
        raise UsageProblem(f"{path} is the lock of {lock.project}, not of {located.origin}")
    return None


def _config_of_source(facts: SourceFacts, host: HostFacts, options: ProjectOptions) -> LoadedConfig:
    """An sdist brings its own [tool.wheelkiln] where the working directory has no wheelkiln.toml."""
    tool = facts.pyproject.get("tool", {})
    table = tool.get("wheelkiln", {}) if isinstance(tool, dict) else {}
    path = Path(f"pyproject.toml of {facts.name} {facts.version}") if table else None
    return parse_config(
        table if isinstance(table, dict) else {}, path=path, environ=host.environ, flags=options.flags()
    )


def _say(text: str) -> None:
    click.echo(text, err=True)
