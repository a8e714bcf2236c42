"""Options that several commands share, and what they gather for a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wheelkiln.build.ledger import ledger_of
from wheelkiln.cache.lock import LOCK_NAME, Lock, parse_lock
from wheelkiln.cache.presence import source_directory
from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.console import log_command
from wheelkiln.config.load import LoadedConfig, load_config, parse_config
from wheelkiln.config.model import Config
from wheelkiln.errors import UsageProblem
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.pins import pin_bases
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.make import PlanInputs, images_of, make_plan, settings_of
from wheelkiln.plan.model import Plan, Selection
from wheelkiln.source.facts import SourceFacts
from wheelkiln.source.prepare import PreparedSource, inspect_directory, prepare_source
from wheelkiln.source.spec import DirectorySource, SourceSpec, parse_source
from wheelkiln.system.cibuildwheel import read_cibuildwheel
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.host import HostFacts, read_host
from wheelkiln.system.interpreters import find_interpreters
from wheelkiln.system.pip_settings import PipSettings, remembered_pip_settings
from wheelkiln.system.process import ProcessRunner

if TYPE_CHECKING:
    from wheelkiln.build.request import BuildRequest

__all__ = [
    "ProjectOptions",
    "gather_plan",
    "located_source",
    "make_request",
    "project_options",
    "read_lock",
]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """The values of the shared options."""

    source: str
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
    cache_read_only: bool = False

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
        }
        return {key: value for key, value in given.items() if value}


def project_options(function: F) -> F:
    """Add SOURCE and the options that decide what a plan holds."""
    decorators = [
        click.argument("source", default="."),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use."),
        click.option("--python", multiple=True, metavar="TAG", help="Build for this Python (cp312); repeatable."),
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
    """A source that has been read: prepared is None where its facts alone were asked for."""

    spec: SourceSpec
    facts: SourceFacts
    prepared: PreparedSource | None
    loaded: LoadedConfig
    host: HostFacts
    runner: ProcessRunner

    def lock_path(self, given: Path | None) -> Path:
        """The lock's place: as given, else in the project's directory, else in the working directory."""
        return self.host.cwd / given if given else self.project / LOCK_NAME

    @property
    def project(self) -> Path:
        """The directory that a run belongs to: the source's, or the one that it was started in."""
        return self.spec.path if isinstance(self.spec, DirectorySource) else self.host.cwd


@contextmanager
def located_source(options: ProjectOptions, *, prepare: bool) -> Iterator[LocatedSource]:
    """Read SOURCE and its configuration; the sdist is made only when prepare is true or nothing else can be read."""
    host = read_host()
    runner = options.runner()
    spec = parse_source(options.source, host.cwd)
    directory = spec.path if isinstance(spec, DirectorySource) else host.cwd
    own = isinstance(spec, DirectorySource) or options.config_file or (host.cwd / "wheelkiln.toml").is_file()
    early = load_config(directory, host.environ, options.flags(), file=options.config_file) if own else None
    if early is not None and isinstance(spec, DirectorySource) and not prepare:
        yield LocatedSource(spec, inspect_directory(spec.path), None, early, host, runner)
        return
    start = early or parse_config({}, environ=host.environ, flags=options.flags())
    root = cache_root(start.config, host)
    with source_directory(root) as work_dir:
        making = _host_with_packages(host, start.config, directory)
        prepared = prepare_source(spec, host=making, runner=runner, work_dir=work_dir, cache_dir=root, say=_say)
        loaded = early or _config_of_source(prepared.facts, host, options)
        yield LocatedSource(spec, prepared.facts, prepared, loaded, host, runner)


def gather_plan(
    located: LocatedSource, options: ProjectOptions, engine: ContainerEngine | None = None
) -> tuple[PlanInputs, Plan]:
    """Make the plan, with the references of its images; an engine can look up what a moving base stands for."""
    config, host = located.loaded.config, located.host
    memory = ImageMemory(cache_root(config, host))
    inputs = PlanInputs(
        config=config,
        facts=located.facts,
        host=host,
        cibuildwheel=read_cibuildwheel(),
        interpreters=find_interpreters(host.home, host.environ) if config.image.base == "bootstrap" else (),
        selection=Selection(options.only, options.skip),
        use_project_settings=options.project_settings == "merge",
        tests=not options.no_test,
        estimates=ledger_of(cache_root(config, host)).estimates(located.facts.name),
    )
    specs = tuple(pin_bases(spec, memory, engine) for spec in images_of(inputs))
    references = {name: found for spec in specs for name, found in render_recipe(spec).references.items()}
    known = {name: memory.toolchain(reference) for name, reference in references.items()}
    inputs = replace(inputs, toolchains={name: toolchain for name, toolchain in known.items() if toolchain})
    plan = make_plan(inputs, specs)
    return inputs, replace(plan, references={name: references[name] for name in plan.image_names()})


def make_request(located: LocatedSource, inputs: PlanInputs, plan: Plan, engine: ContainerEngine) -> BuildRequest:
    """Put together what a run needs; the source must have been prepared."""
    from wheelkiln.build.request import BuildRequest  # 'plan' does without what a run imports

    assert located.prepared is not None
    return BuildRequest(
        plan=plan,
        settings=settings_of(inputs),
        source=located.prepared,
        config=inputs.config,
        host=located.host,
        engine=engine,
        read_pip=cache(lambda: _pip_settings(located, inputs.config)),
        output_dir=located.host.cwd,
        cache_root=cache_root(inputs.config, located.host),
        cibuildwheel_version=inputs.cibuildwheel.version,
        project=located.project,
        tests=inputs.tests,
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
    if lock.project == located.facts.name:
        return lock
    if given:
        raise UsageProblem(f"{path} is the lock of {lock.project}, not of {located.facts.name}")
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
