"""``wheelkiln image``: build, inspect, push and prune the images that builds run in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.own_config import OwnConfig, load_own_config
from wheelkiln.config.model import Config
from wheelkiln.errors import EnvironmentProblem, NothingSelectedError, UsageProblem
from wheelkiln.plan.images import make_images, wanted_architectures
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.engine import CONTAINER_ENGINES, ContainerEngine, EngineName, find_engine
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import find_interpreters
from wheelkiln.system.process import Runner

if TYPE_CHECKING:
    from wheelkiln.image.bake import BuildOptions
    from wheelkiln.image.provide import BuiltImage, ImageProvider

__all__ = ["command"]

_PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class _Images:
    """What the image commands work on: the configuration's images and the architectures that are asked for."""

    own: OwnConfig
    config: Config
    host: HostFacts
    engine: ContainerEngine
    runner: Runner
    directory: Path
    specs: tuple[ImageSpec, ...]
    architectures: tuple[str, ...]

    @property
    def cache_dir(self) -> Path:
        return cache_root(self.config, self.host)


def _image_options(function: Callable[..., Any]) -> Callable[..., Any]:
    decorators = [
        click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False, exists=True)),
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file to use."),
        click.option(
            "--platform",
            multiple=True,
            metavar="PLATFORM",
            help="linux/amd64, linux/arm64, or both with a comma; default: the configuration's architectures.",
        ),
        click.option("--base", metavar="BASE", help="Base of the image: pypa, bootstrap or a reference."),
        click.option("--cache-dir", metavar="DIR", help="Directory of all caches."),
        click.option(
            "--engine",
            type=click.Choice([name.value for name in CONTAINER_ENGINES]),
            help="Default: the one that answers.",
        ),
        click.option("--verbose", "-v", is_flag=True, help="Show every command that is run."),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@click.group("image", short_help="Build, inspect, push and prune the images that builds run in.")
def command() -> None:
    """Build, inspect, push and prune the images that builds run in.

    DIRECTORY is the project's, or any with a wheelkiln.toml; without a configuration the defaults hold.
    """


@command.command("build")
@_image_options
@click.option(
    "--load/--no-load", default=None, help="Keep the image in the engine's own store (default: without --push)."
)
@click.option("--push", is_flag=True, help="Push to image.repository, as one manifest list, with attestations.")
@click.option("--no-cache", is_flag=True, help="Build every step again.")
@click.option("--pull", is_flag=True, help="Look up again what the base stands for.")
@click.option(
    "--cache-from", multiple=True, metavar="CACHE", help="Build cache to read, in BuildKit's notation; repeatable."
)
@click.option("--cache-to", multiple=True, metavar="CACHE", help="Build cache to write; repeatable.")
@click.option("--builder", default="", metavar="NAME", help="buildx builder to use.")
@click.option("--register-emulators", is_flag=True, help="Make the kernel use the installed qemu (needs root).")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def build(
    load: bool | None,
    push: bool,
    no_cache: bool,
    pull: bool,
    cache_from: tuple[str, ...],
    cache_to: tuple[str, ...],
    builder: str,
    register_emulators: bool,
    output: str,
    **values: Any,
) -> None:
    """Build the images of the configuration, all architectures at once; do nothing where they are there.

    An image is named by its recipe's digest. One that image.repository has is pulled instead of built.
    """
    from wheelkiln.image.bake import BuildOptions

    images = _gather(**values, pull=pull)
    config = images.config.image
    if register_emulators:
        images = _register_emulators(images)
    options = BuildOptions(
        repository=config.repository,
        push=push,
        load=not push if load is None else load,
        no_cache=no_cache,
        pull_base=pull,
        cache_from=_absolute(cache_from or config.cache_from, images.host.cwd),
        cache_to=_absolute(cache_to or config.cache_to, images.host.cwd),
        export_cache=bool(cache_to),
        builder=builder,
    )
    _build(images, options, output)


@command.command("inspect")
@_image_options
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def inspect(output: str, **values: Any) -> None:
    """Show the images: layers and their sizes over the base, toolchain, labels, and what would change."""
    _inspect(_gather(**values), output)


def _inspect(images: _Images, output: str) -> None:
    from wheelkiln.image.lookup import view_image
    from wheelkiln.image.memory import ImageMemory
    from wheelkiln.image.recipe import render_recipe
    from wheelkiln.report.images import render_views, views_as_json
    from wheelkiln.system.image_store import ImageStore

    memory, store = ImageMemory(images.cache_dir), ImageStore(images.engine)
    views = []
    for spec in images.specs:
        recipe = render_recipe(spec)
        for name in (spec.name_for(arch) for arch in images.architectures if arch in spec.architectures):
            last = memory.last_used(images.directory, name)
            views.append(view_image(store, name, recipe.references[name], recipe.inputs, last))
    if output == "json":
        click.echo(json.dumps(views_as_json(views), indent=2))
        return
    for line in render_views(views):
        click.echo(line)


@command.command("push")
@_image_options
def push(**values: Any) -> None:
    """Push the images that are there to image.repository, and then one manifest list of all architectures."""
    _push(_gather(**values))


def _push(images: _Images) -> None:
    from wheelkiln.image.recipe import render_recipe
    from wheelkiln.image.registry import Registry
    from wheelkiln.system.image_store import ImageStore

    repository = _check_repository(images)
    for spec in images.specs:
        recipe = render_recipe(spec)
        names = {
            arch: recipe.references[spec.name_for(arch)] for arch in images.architectures if arch in spec.architectures
        }
        absent = [name for name in names.values() if ImageStore(images.engine).find(name) is None]
        if absent:
            raise EnvironmentProblem(
                f"{', '.join(absent)} is not there",
                hint="'wheelkiln image build' makes it; with --push it is pushed, too.",
            )
        reference = recipe.pushed_reference(repository)
        others = [arch for arch in spec.architectures if arch not in names]
        Registry(images.engine).push(reference, names, others)
        click.echo(reference)


@command.command("prune")
@_image_options
@click.option("--all", "all_images", is_flag=True, help="Also images that other cache directories have made.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(all_images: bool, dry_run: bool, **values: Any) -> None:
    """Remove images of recipes that no project uses any more."""
    _prune(_gather(**values), all_images=all_images, dry_run=dry_run)


def _prune(images: _Images, *, all_images: bool, dry_run: bool) -> None:
    from wheelkiln.image.lookup import find_unused
    from wheelkiln.image.memory import ImageMemory
    from wheelkiln.image.recipe import base_reference, render_recipe
    from wheelkiln.system.image_store import ImageStore

    store, memory = ImageStore(images.engine), ImageMemory(images.cache_dir)
    keep = [name for spec in images.specs for name in render_recipe(spec).references.values()]
    keep += [base_reference(spec, base) for spec in images.specs if spec.bootstrap for base in spec.bases]
    for name in find_unused(store, memory, keep, all_images=all_images):
        refused = "" if dry_run else store.remove(name)
        if refused:
            click.echo(f"kept {name}: {refused}", err=True)
        else:
            click.echo(f"{'would remove' if dry_run else 'removed'} {name}")


def _gather(
    *,
    directory: Path,
    config_file: Path | None,
    platform: tuple[str, ...],
    base: str | None,
    cache_dir: str | None,
    engine: str | None,
    verbose: bool,
    pull: bool = False,
) -> _Images:
    from wheelkiln.image.memory import ImageMemory
    from wheelkiln.image.pins import pin_bases
    from wheelkiln.system.cibuildwheel import read_cibuildwheel

    flags = {"image.base": base, "cache.dir": cache_dir, "arch": _architectures(platform)}
    own = load_own_config(
        directory, config_file, {key: value for key, value in flags.items() if value}, verbose=verbose
    )
    config, host = own.config, own.host
    found = find_engine(own.runner, EngineName(engine) if engine else None)
    interpreters = find_interpreters(host.home, host.environ) if config.image.base == "bootstrap" else ()
    memory = ImageMemory(cache_root(config, host))
    specs = make_images(config, host, read_cibuildwheel(), interpreters)
    specs = tuple(pin_bases(spec, memory, found, refresh=pull) for spec in _possible(specs, config))
    return _Images(
        own=own,
        config=config,
        host=host,
        engine=found,
        runner=own.runner,
        directory=own.directory,
        specs=specs,
        architectures=wanted_architectures(config, host),
    )


def _possible(specs: Sequence[ImageSpec], config: Config) -> Sequence[ImageSpec]:
    """Refuse a bootstrap base that only musl's wheels ask for, as a plan without jobs is refused."""
    if "manylinux" not in config.libc and any(spec.bootstrap for spec in specs):
        raise NothingSelectedError(
            "the bootstrap base's C library is glibc, and libc asks for musllinux alone",
            hint='base = "pypa" has the musllinux images; libc = ["manylinux"] goes with the bootstrap base.',
        )
    return specs


def _architectures(platforms: Sequence[str]) -> list[str]:
    names = [name for entry in platforms for name in entry.split(",")]
    for name in names:
        if name not in _PLATFORMS:
            raise UsageProblem(f"--platform {name}: images are made for {' and '.join(_PLATFORMS)}")
    return [_PLATFORMS[name] for name in names]


def _absolute(caches: Sequence[str], cwd: Path) -> tuple[str, ...]:
    """Let the paths of local caches mean what they mean here: BuildKit is started elsewhere."""
    return tuple(re.sub(r"(^|,)(src|dest)=([^/,][^,]*)", rf"\1\2={cwd}/\3", cache) for cache in caches)


def _register_emulators(images: _Images) -> _Images:
    from wheelkiln.system.emulation import read_emulated, register_emulator

    for arch in images.architectures:
        if arch != images.host.machine and arch not in images.host.emulated:
            emulator = register_emulator(arch, images.runner)
            click.echo(f"the kernel now runs {arch} programs with {emulator}, until it is restarted", err=True)
    return replace(images, host=replace(images.host, emulated=read_emulated()))


def _check_repository(images: _Images) -> str:
    repository = images.config.image.repository
    if not repository:
        raise UsageProblem(
            "image.repository says where images are pushed to, and is not set",
            hint='Set [tool.wheelkiln.image] repository = "HOST/NAME".',
        )
    return repository


def _build(images: _Images, options: BuildOptions, output: str) -> None:
    from wheelkiln.cli.progress import make_image_log
    from wheelkiln.image.memory import ImageMemory
    from wheelkiln.image.recipe import render_recipe

    if options.push:
        _check_repository(images)
    found: list[BuiltImage] = []
    pushed: list[str] = []
    with make_image_log() as log:
        provider = _make_provider(images, options, log)
        for spec in images.specs:
            architectures = [arch for arch in images.architectures if arch in spec.architectures]
            found += provider.provide(spec, architectures)
            pushed += [render_recipe(spec).pushed_reference(options.repository)] if options.push else []
    memory = ImageMemory(images.cache_dir)
    memory.remember_use(images.directory, {image.name: image.reference for image in found})
    if output == "json":
        click.echo(json.dumps({"images": [asdict(image) for image in found], "pushed": pushed}, indent=2))
        return
    for image in found:
        click.echo(f"{image.reference}  {image.origin}")
    for reference in pushed:
        click.echo(f"{reference}  pushed")


def _make_provider(images: _Images, options: BuildOptions, log: Callable[[str], None]) -> ImageProvider:
    from wheelkiln.image.attestations import choose_attestations
    from wheelkiln.image.provenance import read_provenance
    from wheelkiln.image.provide import ImageProvider
    from wheelkiln.system.pip_settings import read_pip_settings

    if options.push:
        options = replace(options, attestations=choose_attestations(images.engine, images.config.image.attestations))
    return ImageProvider(
        engine=images.engine,
        host=images.host,
        cache_dir=images.cache_dir,
        pip=lambda: read_pip_settings(images.runner),
        say=lambda text: click.echo(text, err=True),
        log=log,
        options=options,
        builder=images.config.image.builder,
        hosts=images.config.hosts,
        provenance=lambda: read_provenance(images.directory, images.own.pyproject(), images.host, images.runner),
    )
